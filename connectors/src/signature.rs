//! Signed files that people bring back: CAdES (`.p7m`, also nested, DER or base64) and signed PDF. The cryptography is
//! OpenSSL's, run as a command.
//!
//! Must never: call a file signed that OpenSSL does not verify, take a signature of other bytes, or wait without end.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant as Clock};

use chrono::NaiveDateTime;
use model::Instant;

use crate::signed_pdf::{self, Difference};

/// Largest signed file in bytes.
pub const SIGNED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most signatures around one another, and most in one PDF.
pub const LAYERS_MAX: usize = 5;
/// Most time stamps of the document in one PDF: one every few years, for decades.
const TIME_STAMPS_MAX: usize = 20;
/// Elements of an unstated length within one another, at most.
const ELEMENTS_DEEP_MAX: usize = 32;
/// Longest that one run of OpenSSL may take.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of what OpenSSL prints is kept: its end.
const PRINTED_BYTES_MAX: usize = 1024 * 1024;

/// Who signed, as the certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub name: String,
    /// The certificate's serial number of the person, `TINIT-…` with the tax code in Italy.
    pub person: Option<String>,
    pub issuer: String,
    pub serial: String,
    pub not_before: Instant,
    pub not_after: Instant,
    /// SHA-256 of the certificate, hexadecimal.
    pub fingerprint: String,
    /// As the signature states it; a statement of the signer's own machine.
    pub signed_at: Option<Instant>,
    /// The digest that was signed, as OpenSSL calls it: `sha256`.
    pub digest: String,
    /// Whether the certificate is one for signing: where it states uses of its key (RFC 5280, 4.2.1.3), `digitalSignature`
    /// or `nonRepudiation` is among them.
    pub may_sign: bool,
    /// Whether the chain leads to an authority of the trust list; `None` without a list.
    pub trusted: Option<bool>,
}

impl Signature {
    /// Whether the certificate names the person by a code, as eIDAS certificates do (`TINIT-…`, ETSI EN 319 412-1) and
    /// older Italian ones (`IT:…`).
    #[must_use]
    pub fn names_person(&self) -> bool {
        self.person.as_deref().is_some_and(is_personal_code)
    }

    /// Whether the certificate was valid when it signed, or at `now` where the signature states no time.
    #[must_use]
    pub fn was_valid(&self, now: Instant) -> bool {
        let at = self.signed_at.unwrap_or(now);
        self.not_before <= at && at <= self.not_after
    }
}

/// Whether a certificate's serial number is a person's code: its kind, and something after it.
#[must_use]
pub fn is_personal_code(serial: &str) -> bool {
    serial.split_once(['-', ':']).is_some_and(|(kind, code)| {
        let is_kind = matches!(kind.len(), 2 | 5) && kind.bytes().all(|b| b.is_ascii_uppercase());
        is_kind && !code.trim().is_empty()
    })
}

/// What a signed file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwrapped {
    pub content: Vec<u8>,
    /// Outermost first.
    pub signatures: Vec<Signature>,
}

/// Why a file is not taken as signed.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    #[error("OpenSSL cannot be run ({0}); install the package openssl, version 3 or later")]
    NoOpenSsl(#[source] io::Error),
    #[error("OpenSSL took longer than {} s; try again", RUN_TIMEOUT.as_secs())]
    TooSlow,
    #[error("it has {bytes} bytes, at most {SIGNED_BYTES_MAX} are taken")]
    TooLarge { bytes: usize },
    #[error("its signature does not hold: {says}; sign the frozen file again")]
    Broken { says: String },
    #[error("it is not a signed file of a known form: {says}; bring the .p7m, or the signed PDF")]
    NotSigned { says: &'static str },
    #[error(
        "the signature is kept apart from the file; sign again with the file inside the .p7m (CAdES, not detached)"
    )]
    Detached,
    #[error("it is signed with the digest {digest}, which proves nothing any more; sign again with SHA-256")]
    WeakDigest { digest: String },
    #[error("it is signed more than {LAYERS_MAX} times over")]
    TooDeep,
    #[error(
        "it does not begin with the very bytes of the frozen file; sign that file, without saving it anew"
    )]
    OtherContent,
    #[error(
        "what was added after the frozen bytes {says}; sign the frozen file as it is, without editing it"
    )]
    Edited { says: &'static str },
    #[error(
        "it holds the frozen file, and {bytes} bytes follow it; sign the frozen file alone, as it was downloaded"
    )]
    MoreContent { bytes: usize },
    #[error(
        "{bytes} bytes follow the signed message, and no signature covers them; bring the .p7m as it was made"
    )]
    MoreBytes { bytes: usize },
    #[error("a file for OpenSSL cannot be written")]
    Files(#[source] io::Error),
    #[error("what OpenSSL says of the certificate is not understood: {says}")]
    Unreadable { says: String },
}

/// The signing tool's own folder and the trust list.
#[derive(Debug, Clone)]
pub struct Verifier {
    /// Authorities that certificates must lead to, PEM.
    pub trust_file: Option<PathBuf>,
    pub now: Instant,
}

impl Verifier {
    /// Unwraps a `.p7m`, layer by layer, down to what is no signed message any more.
    ///
    /// # Errors
    /// [`SignatureError`]; nothing of a file is taken unless every layer holds.
    pub fn unwrap_p7m(&self, bytes: &[u8]) -> Result<Unwrapped, SignatureError> {
        check_size(bytes)?;
        let mut content = bytes.to_vec();
        let mut signatures = Vec::new();
        for _ in 0..=LAYERS_MAX {
            let Some((form, message)) = message_of(&content) else { break };
            if let Some(bytes) = message_end(&message).and_then(|end| message.len().checked_sub(end))
                && 0 < bytes
            {
                return Err(SignatureError::MoreBytes { bytes });
            }
            if signatures.len() == LAYERS_MAX {
                return Err(SignatureError::TooDeep);
            }
            let folder = tempfile::tempdir().map_err(SignatureError::Files)?;
            let (inner, found) = self.layer(folder.path(), form, &message, None)?;
            signatures.extend(found);
            content = inner;
        }
        if signatures.is_empty() {
            return Err(SignatureError::NotSigned { says: "it is no signed message (CMS)" });
        }
        Ok(Unwrapped { content, signatures })
    }

    /// Checks every signature that was put on `frozen`, a PDF, by adding to its end. What is added must be signatures
    /// only, and nothing may follow the last one but validation data and time stamps of the document that hold (PAdES-LT
    /// and LTA, ETSI EN 319 142-1): other bytes can paint over every page.
    ///
    /// # Errors
    /// [`SignatureError::OtherContent`] when the file does not begin with the frozen bytes, [`SignatureError::Edited`] when
    /// more than that was added; the others as above.
    pub fn check_pdf(&self, bytes: &[u8], frozen: &[u8]) -> Result<Vec<Signature>, SignatureError> {
        check_size(bytes)?;
        if !bytes.starts_with(frozen) {
            return Err(SignatureError::OtherContent);
        }
        let ranges = byte_ranges(bytes, frozen.len());
        let not_signed = |says| SignatureError::NotSigned { says };
        let signing = || ranges.iter().filter(|range| !range.is_time_stamp);
        let last =
            signing().next_back().ok_or_else(|| not_signed("no signature follows the frozen bytes"))?;
        let end = last.end().filter(|end| *end <= bytes.len());
        let end = end.ok_or_else(|| not_signed("its last signature covers more than the file"))?;
        if LAYERS_MAX < signing().count() || LAYERS_MAX + TIME_STAMPS_MAX < ranges.len() {
            return Err(SignatureError::TooDeep);
        }
        let (mut signatures, mut time_stamps) = (Vec::new(), Vec::new());
        for range in ranges.iter().rev() {
            let (signed, message) = range
                .cut(bytes, frozen.len())
                .ok_or_else(|| not_signed("a signature does not cover the frozen bytes"))?;
            let folder = tempfile::tempdir().map_err(SignatureError::Files)?;
            if range.is_time_stamp {
                check_time_stamp(folder.path(), &signed, &message)?;
                time_stamps.push([0, range.first, range.second_from, range.second]);
                continue;
            }
            let (_, mut found) = self.layer(folder.path(), "DER", &message, Some((&signed, range.stated)))?;
            found.iter_mut().for_each(|signature| signature.signed_at = signature.signed_at.or(range.stated));
            signatures.extend(found);
        }
        let late =
            if end < bytes.len() { signed_pdf::only_validation(bytes, end, &time_stamps) } else { Ok(()) };
        late.and_then(|()| signed_pdf::same_pages(frozen, bytes)).map_err(edited)?;
        Ok(signatures)
    }

    /// One signed message: its content and who signed it. A message apart from its content comes with those bytes and the
    /// time that they state.
    fn layer(
        &self,
        folder: &Path,
        form: &str,
        message: &[u8],
        detached: Option<(&[u8], Option<Instant>)>,
    ) -> Result<(Vec<u8>, Vec<Signature>), SignatureError> {
        let put = |name: &str, bytes: &[u8]| -> Result<PathBuf, SignatureError> {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(SignatureError::Files)?;
            Ok(path)
        };
        let message = put("message", message)?;
        let content = detached.map(|(bytes, _)| put("content", bytes)).transpose()?;
        let (out, signers) = (folder.join("out"), folder.join("signers.pem"));
        let mut verify = Command::new("openssl");
        verify.args(["cms", "-verify", "-binary", "-inform", form, "-in"]).arg(&message);
        if let Some(content) = &content {
            verify.arg("-content").arg(content);
        }
        let mut loose = clone_of(&verify);
        loose.arg("-noverify").arg("-signer").arg(&signers).arg("-out").arg(&out);
        let (status, printed) = run(loose)?;
        if !status.success() {
            // What OpenSSL calls a message that holds no content of its own.
            let is_apart = content.is_none() && printed.contains("check_content:no content");
            let says = last_line(&printed);
            return Err(if is_apart { SignatureError::Detached } else { SignatureError::Broken { says } });
        }
        let inner = fs::read(&out).map_err(SignatureError::Files)?;
        let said = said_by_signers(&message, form)?;
        let certificates = fs::read_to_string(&signers).map_err(SignatureError::Files)?;
        let mut all = Vec::new();
        for (i, pem) in pem_blocks(&certificates).into_iter().enumerate() {
            let path = put("signer.pem", pem.as_bytes())?;
            let mut signature = certificate(&path)?;
            // Certificates stand in the order of the signers.
            if let Some(said) = said.get(i) {
                signature.signed_at = said.at;
                signature.digest.clone_from(&said.digest);
            }
            all.push(signature);
        }
        if all.is_empty() {
            return Err(SignatureError::Unreadable { says: "no signer's certificate".to_owned() });
        }
        if all.iter().any(|signature| signature.digest.is_empty()) {
            return Err(SignatureError::Unreadable { says: "no digest of a signer".to_owned() });
        }
        // Also of a signer whose certificate is not among them: one weak signature is one too many.
        if let Some(weak) = said.iter().find(|said| WEAK_DIGESTS.contains(&said.digest.as_str())) {
            return Err(SignatureError::WeakDigest { digest: weak.digest.clone() });
        }
        if let Some(trust) = &self.trust_file {
            let stated = all[0].signed_at.or(detached.and_then(|(_, at)| at));
            let at = stated.unwrap_or(self.now).millis() / 1000;
            verify.arg("-CAfile").arg(trust).args(["-purpose", "any", "-attime", &at.to_string()]);
            verify.arg("-out").arg(folder.join("again"));
            let trusted = run(verify)?.0.success();
            all.iter_mut().for_each(|signature| signature.trusted = Some(trusted));
        }
        Ok((inner, all))
    }
}

const fn edited(difference: Difference) -> SignatureError {
    SignatureError::Edited {
        says: match difference {
            Difference::Unreadable => "leaves a PDF that cannot be read",
            Difference::Changed => "changes what the frozen pages show",
            Difference::Added => "is more than signatures",
            Difference::Late => {
                "goes on after the last signature with more than validation data and time stamps (PAdES-LT, LTA)"
            }
        },
    }
}

/// Checks a time stamp over these bytes (RFC 3161): that it is signed, with a certificate that may stamp times, and over
/// a digest of these very bytes. Whether its service is recognised is not asked, because nothing is taken from it, not
/// even the time.
fn check_time_stamp(folder: &Path, signed: &[u8], message: &[u8]) -> Result<(), SignatureError> {
    let path = |name: &str| folder.join(name);
    let (token, content, signers) = (path("token"), path("content"), path("signers.pem"));
    // Of its command for time stamps OpenSSL wants settings, and an empty file of them will do.
    let settings = path("settings");
    for (file, bytes) in [(&token, message), (&content, signed), (&settings, &[])] {
        fs::write(file, bytes).map_err(SignatureError::Files)?;
    }
    let must = |command: Command| {
        let (status, printed) = run(command)?;
        let says = || format!("of the time stamp, {}", last_line(&printed));
        if status.success() { Ok(printed) } else { Err(SignatureError::Broken { says: says() }) }
    };
    let mut verify = Command::new("openssl");
    verify.args(["cms", "-verify", "-binary", "-noverify", "-inform", "DER", "-in"]).arg(&token);
    verify.arg("-signer").arg(&signers).arg("-out").arg(path("out"));
    must(verify)?;
    let stamps = |act: &str| {
        let mut command = Command::new("openssl");
        command.args(["ts", act, "-config"]).arg(&settings).args(["-token_in", "-in"]).arg(&token);
        command
    };
    let mut show = stamps("-reply");
    show.args(["-token_out", "-text"]);
    let printed = must(show)?;
    let value = |key: &str| printed.lines().find_map(|line| line.trim().strip_prefix(key));
    let at = value("Time stamp: ").and_then(|text| time(text, "%b %e %H:%M:%S%.f %Y GMT"));
    let (Some(imprint), Some(at)) = (value("Hash Algorithm: "), at) else {
        return Err(SignatureError::Unreadable { says: "no digest or no time in the time stamp".to_owned() });
    };
    let digests = said_by_signers(&token, "DER")?.into_iter().map(|said| said.digest);
    let mut digests = digests.chain([imprint.to_ascii_lowercase()]);
    if let Some(digest) = digests.find(|digest| WEAK_DIGESTS.contains(&digest.as_str())) {
        return Err(SignatureError::WeakDigest { digest });
    }
    let mut imprinted = stamps("-verify");
    imprinted.arg("-data").arg(&content).arg("-CAfile").arg(&signers).arg("-partial_chain");
    imprinted.args(["-attime", &(at.millis() / 1000).to_string()]);
    must(imprinted).map(drop)
}

fn clone_of(command: &Command) -> Command {
    let mut copy = Command::new(command.get_program());
    copy.args(command.get_args());
    copy
}

fn check_size(bytes: &[u8]) -> Result<(), SignatureError> {
    if SIGNED_BYTES_MAX < bytes.len() {
        return Err(SignatureError::TooLarge { bytes: bytes.len() });
    }
    Ok(())
}

/// The object identifier of signed data, 1.2.840.113549.1.7.2, as it stands near the beginning of a message.
const SIGNED_DATA: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];

/// Whether bytes have the form of a signed message (`.p7m`); nothing is verified.
#[must_use]
pub fn is_signed_message(bytes: &[u8]) -> bool {
    message_of(bytes).is_some()
}

/// The message and its form for OpenSSL, when the bytes are a signed message: DER, PEM or bare base64.
fn message_of(bytes: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let is_der =
        |b: &[u8]| b.first() == Some(&0x30) && b.get(..32).unwrap_or(b).windows(11).any(|w| w == SIGNED_DATA);
    if is_der(bytes) {
        return Some(("DER", bytes.to_vec()));
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let body: String = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----") && !line.contains(':'))
        .collect();
    let der = base64(&body)?;
    is_der(&der).then_some(("DER", der))
}

/// Where the message ends: the first element of these DER or BER bytes. `None` where that is not told, for OpenSSL to
/// say what is wrong.
fn message_end(bytes: &[u8]) -> Option<usize> {
    element_end(bytes, 0, 0)
}

/// Where the element that begins at `at` ends; one of an unstated length ends after its parts.
fn element_end(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    if ELEMENTS_DEEP_MAX < depth {
        return None;
    }
    let mut at = at;
    let tag = *bytes.get(at)?;
    at += 1;
    if tag & 0x1f == 0x1f {
        // A tag of several bytes: the last has no top bit.
        while bytes.get(at)? & 0x80 != 0 {
            at += 1;
        }
        at += 1;
    }
    let first = *bytes.get(at)?;
    at += 1;
    if first == 0x80 {
        while bytes.get(at..at + 2)? != [0, 0] {
            at = element_end(bytes, at, depth + 1)?;
        }
        return Some(at + 2);
    }
    let length = if first & 0x80 == 0 {
        usize::from(first)
    } else {
        let digits = bytes.get(at..at + usize::from(first & 0x7f))?;
        at += digits.len();
        digits
            .iter()
            .try_fold(0_usize, |sum, digit| sum.checked_mul(256)?.checked_add(usize::from(*digit)))?
    };
    at.checked_add(length).filter(|end| *end <= bytes.len())
}

/// Bytes of base64 text; `None` for anything else.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if digits.is_empty() || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if 8 <= count {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

/// The two stretches of a PDF that a signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ByteRange {
    /// Where it is written.
    mark: usize,
    first: usize,
    second_from: usize,
    second: usize,
    /// When it signed, as the signature's dictionary states it.
    stated: Option<Instant>,
    /// Whether it is a time stamp of the document, and no signature of a person.
    is_time_stamp: bool,
}

impl ByteRange {
    fn end(self) -> Option<usize> {
        self.second_from.checked_add(self.second)
    }

    /// The bytes that are signed and the message between them; `None` unless the frozen bytes, and the place where it is
    /// written, are among the signed.
    fn cut(self, bytes: &[u8], frozen: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        if self.first < frozen || self.end()? <= self.mark {
            return None;
        }
        let gap = bytes.get(self.first..self.second_from)?;
        let digits = gap.strip_prefix(b"<")?.strip_suffix(b">")?;
        let message = hex(digits)?;
        let signed = [bytes.get(..self.first)?, bytes.get(self.second_from..self.end()?)?].concat();
        Some((signed, message))
    }
}

fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |d: &u8| char::from(*d).to_digit(16).and_then(|v| u8::try_from(v).ok());
    let plain: Vec<u8> = digits.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    plain.chunks(2).map(|pair| Some(value(pair.first()?)? << 4 | value(pair.get(1)?)?)).collect()
}

/// Every `/ByteRange [0 a b c]` after the frozen bytes, in the order of the file.
fn byte_ranges(bytes: &[u8], frozen: usize) -> Vec<ByteRange> {
    let added = bytes.get(frozen..).unwrap_or_default();
    let mark = b"/ByteRange";
    let starts =
        added.windows(mark.len()).enumerate().filter(|(_, w)| w == mark).map(|(i, _)| i + mark.len());
    starts
        .filter_map(|at| {
            let rest = added.get(at..added.len().min(at + 100))?;
            let open = rest.iter().position(|b| *b == b'[')?;
            let close = rest.iter().position(|b| *b == b']')?;
            let text = std::str::from_utf8(rest.get(open + 1..close)?).ok()?;
            let numbers: Option<Vec<usize>> = text.split_whitespace().map(|n| n.parse().ok()).collect();
            match numbers?.as_slice() {
                [0, first, second_from, second] => {
                    let mark = frozen + at - mark.len();
                    Some(ByteRange {
                        mark,
                        first: *first,
                        second_from: *second_from,
                        second: *second,
                        stated: signed_pdf::stated_time(bytes, mark),
                        is_time_stamp: signed_pdf::is_time_stamp(bytes, mark),
                    })
                }
                _ => None,
            }
        })
        .collect()
}

/// Runs OpenSSL to its end; what it printed on both channels, the end of it.
fn run(mut command: Command) -> Result<(ExitStatus, String), SignatureError> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env("LC_ALL", "C")
        .spawn()
        .map_err(SignatureError::NoOpenSsl)?;
    let out = child.stdout.take().map(|pipe| thread::spawn(move || tail(pipe)));
    let err = child.stderr.take().map(|pipe| thread::spawn(move || tail(pipe)));
    let begun = Clock::now();
    let status = loop {
        match child.try_wait().map_err(SignatureError::NoOpenSsl)? {
            Some(status) => break status,
            None if begun.elapsed() < RUN_TIMEOUT => thread::sleep(Duration::from_millis(5)),
            None => {
                drop(child.kill());
                drop(child.wait());
                return Err(SignatureError::TooSlow);
            }
        }
    };
    let text = |pipe: Option<thread::JoinHandle<Vec<u8>>>| {
        let bytes = pipe.and_then(|p| p.join().ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok((status, text(out) + &text(err)))
}

/// The end of what a pipe gives.
fn tail(mut pipe: impl Read) -> Vec<u8> {
    let (mut kept, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    while let Ok(read) = pipe.read(&mut piece) {
        if read == 0 {
            break;
        }
        kept.extend_from_slice(&piece[..read]);
        if 2 * PRINTED_BYTES_MAX < kept.len() {
            kept.drain(..kept.len() - PRINTED_BYTES_MAX);
        }
    }
    kept
}

fn last_line(printed: &str) -> String {
    let line = printed.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("OpenSSL says nothing");
    line.chars().take(300).collect()
}

/// Digests of which two files with the same one can be made (ETSI TS 119 312): a signature over one fits another file.
const WEAK_DIGESTS: [&str; 5] = ["md2", "md4", "md5", "sha", "sha1"];

/// What one signer of a message states.
struct Said {
    digest: String,
    at: Option<Instant>,
}

/// What each signer states, in the order of the message.
fn said_by_signers(message: &Path, form: &str) -> Result<Vec<Said>, SignatureError> {
    let mut print = Command::new("openssl");
    print.args(["cms", "-cmsout", "-print", "-noout", "-inform", form, "-in"]).arg(message);
    let (_, printed) = run(print)?;
    Ok(signers_of(&printed))
}

/// The signers of a message as OpenSSL prints it: each begins with its digest. Certificates, which may hold any text,
/// stand before them.
fn signers_of(printed: &str) -> Vec<Said> {
    let mut signers: Vec<Said> = Vec::new();
    let mut lines = printed.lines().map(str::trim).skip_while(|line| *line != "signerInfos:");
    while let Some(line) = lines.next() {
        if line == "digestAlgorithm:" {
            let name = lines.next().and_then(|l| l.strip_prefix("algorithm: ")).unwrap_or_default();
            let digest = name.split(' ').next().unwrap_or_default().to_ascii_lowercase();
            signers.push(Said { digest, at: None });
        } else if line.starts_with("object: signingTime (1.2.840.113549.1.9.5)") {
            let value = lines
                .by_ref()
                .find_map(|l| l.strip_prefix("UTCTIME:").or(l.strip_prefix("GENERALIZEDTIME:")));
            if let Some(signer) = signers.last_mut() {
                signer.at = value.and_then(|v| time(v, "%b %e %H:%M:%S %Y GMT"));
            }
        }
    }
    signers
}

fn time(text: &str, format: &str) -> Option<Instant> {
    let parsed = NaiveDateTime::parse_from_str(text.trim(), format).ok()?;
    Some(Instant::from_millis(parsed.and_utc().timestamp_millis()))
}

fn pem_blocks(text: &str) -> Vec<String> {
    let end = "-----END CERTIFICATE-----";
    text.split_inclusive(end)
        .filter(|block| block.contains("-----BEGIN CERTIFICATE-----"))
        .map(str::to_owned)
        .collect()
}

/// Whether the uses of a key, as OpenSSL prints them, let it sign; one that states none may.
fn may_sign(printed: &str) -> bool {
    let mut lines = printed.lines().skip_while(|line| !line.starts_with("X509v3 Key Usage:"));
    let Some(uses) = lines.next().map(|_| lines.next().unwrap_or_default()) else { return true };
    uses.split(',').any(|usage| matches!(usage.trim(), "Digital Signature" | "Non Repudiation"))
}

fn certificate(path: &Path) -> Result<Signature, SignatureError> {
    let mut show = Command::new("openssl");
    show.args(["x509", "-noout", "-subject", "-issuer", "-serial", "-dates", "-dateopt", "iso_8601"]);
    show.args(["-fingerprint", "-sha256", "-nameopt", "sep_multiline,sname,utf8,esc_ctrl", "-in"]).arg(path);
    // It ends what is printed, and says nothing of a certificate without.
    show.args(["-ext", "keyUsage"]);
    let (status, printed) = run(show)?;
    let unreadable = || SignatureError::Unreadable { says: last_line(&printed) };
    if !status.success() {
        return Err(unreadable());
    }
    let value = |key: &str| printed.lines().find_map(|l| l.strip_prefix(key)).map(|v| v.trim().to_owned());
    let (subject, issuer) = printed.split_once("\nissuer=").ok_or_else(unreadable)?;
    let part = |block: &str, name: &str| {
        let prefix = format!("{name}=");
        block.lines().find_map(|l| l.trim().strip_prefix(&prefix).map(str::to_owned))
    };
    let when = |key: &str| value(key).and_then(|v| time(v.trim_end_matches('Z'), "%Y-%m-%d %H:%M:%S"));
    Ok(Signature {
        name: part(subject, "CN").or_else(|| part(subject, "O")).ok_or_else(unreadable)?,
        person: part(subject, "serialNumber"),
        issuer: part(issuer, "CN").or_else(|| part(issuer, "O")).ok_or_else(unreadable)?,
        serial: value("serial=").ok_or_else(unreadable)?,
        not_before: when("notBefore=").ok_or_else(unreadable)?,
        not_after: when("notAfter=").ok_or_else(unreadable)?,
        fingerprint: value("sha256 Fingerprint=").ok_or_else(unreadable)?.replace(':', "").to_lowercase(),
        signed_at: None,
        digest: String::new(),
        may_sign: may_sign(&printed),
        trusted: None,
    })
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
