//! Signed files taken back: each must wrap exactly one frozen file.
//!
//! Must never: take a signature whose certificate was not valid, or whose authority the installation does not trust; or
//! one that proves less than who signed, without a person saying why it is taken.

use connectors::signature::{Signature, SignatureError, Verifier, is_personal_code};
use model::Instant;
use store::Store;

use super::{FileRef, Key, SignedFile, Signer, Stage, Submission, current, keep, put};
use crate::exit::Failure;
use crate::records;

/// Takes a signed file back.
pub(crate) fn take(
    store: &Store,
    key: &Key,
    (name, bytes): (&str, &[u8]),
    (reason, replace): (&str, bool),
    verifier: &Verifier,
    author: &str,
) -> Result<SignedFile, Failure> {
    let before = current(store, key)?;
    before.must_be(&[Stage::Frozen, Stage::Signed], "signed")?;
    records::check_name(name)?;
    let refused = |says: String, code| Failure::bad_input(format!("{name} is not taken: {says}")).coded(code);
    let (wraps, signatures) = wrapped(store, &before, bytes, verifier)?
        .map_err(|error| refused(error.to_string(), code_of(&error)))?;
    for signature in &signatures {
        judge(signature, verifier.now).map_err(|(says, code)| refused(says, code))?;
    }
    let reason = reason.trim();
    if let Some((says, code)) = signatures.iter().find_map(unproved).filter(|_| reason.is_empty()) {
        return Err(refused(says, code));
    }
    let signers: Vec<Signer> = signatures.iter().map(signer).collect();
    if let Some(better) = better_signed(&before, &wraps.sha256, &signers).filter(|_| !replace) {
        let says = format!(
            "{:?} is there already and proves more of who signed; leave it, or put this one in its place with --replace",
            better.file.name
        );
        return Err(refused(says, "signature_weaker"));
    }
    if !reason.is_empty() {
        records::check_words("--reason", reason)?;
    }
    let signed = SignedFile {
        file: keep(store, name, bytes)?,
        wraps_sha256: wraps.sha256,
        signers,
        reason: Some(records::lines(reason)).filter(|reason| !reason.is_empty()),
    };
    let mut after = before.clone();
    after.signed.push(signed.clone());
    after.stage = Stage::Signed;
    put(store, &before, &after, author, verifier.now)?;
    Ok(signed)
}

/// What goes out for a frozen file now, where it proves more of who signed than these would.
pub(super) fn better_signed<'s>(
    submission: &'s Submission,
    wraps_sha256: &str,
    new: &[Signer],
) -> Option<&'s SignedFile> {
    let named =
        |signers: &[Signer]| signers.iter().all(|s| s.person.as_deref().is_some_and(is_personal_code));
    let trusted = |signers: &[Signer]| signers.iter().all(|s| s.trusted == Some(true));
    let newest = submission.signed.iter().rfind(|signed| signed.wraps_sha256 == wraps_sha256);
    newest.filter(|old| (named(&old.signers) && !named(new)) || (trusted(&old.signers) && !trusted(new)))
}

const fn code_of(error: &SignatureError) -> &'static str {
    match error {
        SignatureError::TooLarge { .. } => "file_too_large",
        SignatureError::Broken { .. } | SignatureError::Unreadable { .. } => "signature_broken",
        SignatureError::NotSigned { .. } => "signature_none",
        SignatureError::Detached => "signature_detached",
        SignatureError::WeakDigest { .. } => "signature_weak",
        SignatureError::TooDeep => "signature_too_deep",
        SignatureError::OtherContent => "signature_other",
        SignatureError::Edited { .. } => "signature_edited",
        SignatureError::MoreContent { .. } | SignatureError::MoreBytes { .. } => "signature_more",
        SignatureError::NoOpenSsl(_) | SignatureError::TooSlow | SignatureError::Files(_) => "signature_tool",
    }
}

fn judge(signature: &Signature, now: Instant) -> Result<(), (String, &'static str)> {
    let name = &signature.name;
    if !signature.was_valid(now) {
        let says = format!(
            "the certificate of {name} was valid from {} to {}, not when it signed; sign with a valid one",
            signature.not_before, signature.not_after
        );
        return Err((says, "signature_expired"));
    }
    if signature.trusted == Some(false) {
        let issuer = &signature.issuer;
        let says = format!(
            "the certificate of {name} (issued by {issuer}) leads to no authority of trust_file; compare them"
        );
        return Err((says, "signature_untrusted"));
    }
    Ok(())
}

/// What a signature does not prove although it holds: who signed, and that it was meant as a signature.
fn unproved(signature: &Signature) -> Option<(String, &'static str)> {
    let (name, issuer) = (&signature.name, &signature.issuer);
    if !signature.names_person() {
        let says = format!(
            "the certificate of {name} (issued by {issuer}) names no person by a tax code; sign with a personal one, \
             or take it with --reason"
        );
        return Some((says, "signature_nobody"));
    }
    if !signature.may_sign {
        let says = format!(
            "the certificate of {name} (issued by {issuer}) is not meant for signing: the uses of its key are others; \
             sign with one for signatures, or take it with --reason"
        );
        return Some((says, "signature_usage"));
    }
    if signature.trusted.is_none() {
        let says = format!(
            "whether {issuer} is a recognised authority was not verified: no [signatures] trust_file is set; set one, \
             or take it with --reason"
        );
        return Some((says, "signature_unverified"));
    }
    None
}

type Wrapped = Result<(FileRef, Vec<Signature>), SignatureError>;

/// The frozen file that a signed file wraps, and who signed it.
fn wrapped(
    store: &Store,
    submission: &Submission,
    bytes: &[u8],
    verifier: &Verifier,
) -> Result<Wrapped, Failure> {
    let files = &submission.frozen()?.files;
    let is_pdf = |bytes: &[u8]| bytes.starts_with(b"%PDF-");
    let (content, mut signatures) = if is_pdf(bytes) {
        (bytes.to_vec(), Vec::new())
    } else {
        match verifier.unwrap_p7m(bytes) {
            Ok(unwrapped) => (unwrapped.content, unwrapped.signatures),
            Err(error) => return Ok(Err(error)),
        }
    };
    let sha256 = crate::reports::sha256(&content).hex();
    if let Some(file) = files.iter().find(|file| file.sha256 == sha256)
        && !signatures.is_empty()
    {
        return Ok(Ok((file.clone(), signatures)));
    }
    // A PDF that carries its signatures inside, by itself or in a .p7m.
    let mut last = SignatureError::OtherContent;
    for file in files.iter().filter(|file| file.mime == "application/pdf" && is_pdf(&content)) {
        let frozen = records::kept(store, &file.sha256)?;
        match verifier.check_pdf(&content, &frozen) {
            Ok(inner) => {
                signatures.extend(inner);
                return Ok(Ok((file.clone(), signatures)));
            }
            // What a signed message wraps is signed by it: then it is another file, not an unsigned one.
            Err(_) if !signatures.is_empty() => {}
            Err(error) => last = error,
        }
    }
    if !signatures.is_empty() {
        last = other_content(store, files, &content)?;
    }
    Ok(Err(last))
}

/// Of what a signed message wraps, and is none of the frozen files: whether it is one of them with something after it.
pub(super) fn other_content(
    store: &Store,
    files: &[FileRef],
    content: &[u8],
) -> Result<SignatureError, Failure> {
    for file in files {
        let frozen = records::kept(store, &file.sha256)?;
        if let Some(rest) = content.strip_prefix(frozen.as_slice()).filter(|_| !frozen.is_empty()) {
            return Ok(SignatureError::MoreContent { bytes: rest.len() });
        }
    }
    Ok(SignatureError::OtherContent)
}

fn signer(signature: &Signature) -> Signer {
    Signer {
        name: signature.name.clone(),
        person: signature.person.clone(),
        issuer: signature.issuer.clone(),
        serial: signature.serial.clone(),
        not_before_ms: signature.not_before.millis(),
        not_after_ms: signature.not_after.millis(),
        fingerprint: signature.fingerprint.clone(),
        signed_at_ms: signature.signed_at.map(Instant::millis),
        digest: Some(signature.digest.clone()),
        trusted: signature.trusted,
    }
}
