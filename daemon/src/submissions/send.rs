//! Sending a submission by the installation's own certified mail, and the receipts that come back.
//!
//! Must never: hand the same submission to the server twice, or call it sent without a receipt of delivery.

use std::fs;
use std::path::Path;

use anyhow::Context;
use connectors::mail::{Enclosure, Letter, MailError, Server};
use model::{Instant, Zone};
use store::{FirstChange, Store};

use super::check::Bench;
use super::receipts::receipt_of;
use super::{Key, Sending, Stage, Submission, all, attempts, current, put};
use crate::exit::Failure;
use crate::records;

/// The claim on a submission's one sending.
const CLAIM_RECORD: &str = "submission_send";
/// Most receipts looked through at once.
const RECEIPTS_MAX: usize = 1_000;

/// What is sent where, and by whom.
pub(crate) struct Post<'a> {
    pub(crate) server: &'a Server,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) text: &'a str,
    /// Whether the act asks for a digital signature.
    pub(crate) digital: bool,
    /// Of the project.
    pub(crate) zone: Zone,
    pub(crate) author: &'a str,
    pub(crate) now: Instant,
}

impl Submission {
    /// Refuses what cannot go out, each for its own reason: not frozen, not signed where the act asks for a digital
    /// signature, on its way, or sent already.
    pub(super) fn must_be_ready(&self, digital: bool, zone: Zone) -> Result<(), Failure> {
        self.frozen()?;
        let id = self.id();
        let on = self.sent_at().map(|at| format!(" on {}", at.day(zone))).unwrap_or_default();
        let says = match self.stage {
            Stage::Signed => return Ok(()),
            Stage::Frozen if !digital => return Ok(()),
            Stage::Frozen => format!(
                "submission {id} is frozen and not signed yet; the act asks for a digital signature, so sign it first"
            ),
            Stage::Sending => format!(
                "submission {id} was handed to the mail server{on}, and whether it arrived is not known yet; look for \
                 its receipts and bring them (`submission receipt FILE`), or say that it never went out (`submission \
                 settle --unsent`)"
            ),
            Stage::Sent | Stage::IntegrationAsked | Stage::Accepted => {
                format!("submission {id} was sent already{on}; to send something else, begin a correction")
            }
            Stage::Draft | Stage::Checked => {
                format!("submission {id} is {} and not frozen", self.stage.code())
            }
        };
        Err(Failure::bad_input(says).coded("stage"))
    }
}

/// Hands the submission's files to the mail server, once.
pub(crate) fn by_pec(store: &Store, key: &Key, post: &Post<'_>) -> Result<String, Failure> {
    let before = current(store, key)?;
    before.must_be_ready(post.digital, post.zone)?;
    let letter = letter(store, &before, post)?;
    // What cannot be written is refused before anything is claimed.
    connectors::mail::written(&letter)
        .map_err(|error| Failure::bad_input(error.to_string()).coded("address"))?;
    connectors::mail::greet(post.server).map_err(anyhow::Error::from)?;
    claim(store, &before, &letter.message_id, (post.author, post.now))?;
    let mut sending = before.clone();
    sending.stage = Stage::Sending;
    sending.sending = Some(Sending {
        way: "pec".to_owned(),
        to: post.to.to_owned(),
        message_id: Some(letter.message_id.clone()),
        at_ms: post.now.millis(),
    });
    if let Err(refused) = put(store, &before, &sending, post.author, post.now) {
        // Nothing was handed over.
        release(store, &before, post)?;
        return Err(refused);
    }
    match connectors::mail::send(post.server, &letter) {
        Ok(()) => Ok(letter.message_id),
        Err(error @ MailError::Uncertain { .. }) => {
            let error = anyhow::Error::from(error);
            Err(error.context("look for its receipts before anything else; it is not sent again").into())
        }
        // The server does not have it: back to where it was, and free to be sent again.
        Err(error) => {
            put(store, &sending, &before, post.author, post.now)?;
            release(store, &before, post)?;
            Err(anyhow::Error::from(error).into())
        }
    }
}

/// Claims the one sending for this letter; refused while another letter holds it.
pub(super) fn claim(
    store: &Store,
    submission: &Submission,
    message_id: &str,
    (author, now): (&str, Instant),
) -> Result<(), Failure> {
    let id = submission.id();
    let body = format!("claimed {message_id}");
    match store.put_first_record(CLAIM_RECORD, &id, &body, author, now)? {
        FirstChange::Created => return Ok(()),
        FirstChange::Same => {}
        FirstChange::Differs => {
            let free = store.record(CLAIM_RECORD, &id)?.filter(|record| !is_held(submission, &record.body));
            if let Some(free) = free
                && store.put_next_record(&free, &body, author, now)?
            {
                return Ok(());
            }
        }
    }
    let says = format!(
        "submission {id} was handed to the mail server already; look for its receipts, or say that it never went \
         out (`submission settle --unsent`)"
    );
    Err(Failure::bad_input(says).coded("stage"))
}

/// Whether a claim is that of a letter of which nobody knows yet what became of it.
fn is_held(submission: &Submission, claim: &str) -> bool {
    let ended = |letter: &str| {
        submission.attempts.iter().any(|attempt| attempt.sending.message_id.as_deref() == Some(letter))
    };
    claim.strip_prefix("claimed ").is_some_and(|letter| !ended(letter))
}

/// Gives up a claim whose letter was never put on its way: the program ended between the two.
pub(super) fn free_claim(
    store: &Store,
    submission: &Submission,
    reason: &str,
    (author, at): (&str, Instant),
) -> Result<(), Failure> {
    let id = submission.id();
    let is_ready = matches!(submission.stage, Stage::Frozen | Stage::Signed);
    let held =
        store.record(CLAIM_RECORD, &id)?.filter(|record| is_ready && is_held(submission, &record.body));
    if let Some(held) = held {
        if store.put_next_record(&held, &format!("free: {reason}"), author, at)? {
            return Ok(());
        }
        let says = format!("submission {id} was sent meanwhile, and nothing was written; look at it again");
        return Err(Failure::bad_input(says).coded("meanwhile"));
    }
    let stage = submission.stage.code();
    let says = format!("submission {id} is {stage} and not on its way: there is nothing to settle");
    Err(Failure::bad_input(says).coded("stage"))
}

fn release(store: &Store, submission: &Submission, post: &Post<'_>) -> Result<(), Failure> {
    store.put_record(CLAIM_RECORD, &submission.id(), "free", post.author, post.now)?;
    Ok(())
}

fn letter(store: &Store, submission: &Submission, post: &Post<'_>) -> Result<Letter, Failure> {
    let mut enclosures = Vec::new();
    for file in submission.outgoing() {
        let bytes = records::kept(store, &file.sha256)?;
        enclosures.push(Enclosure { name: file.name.clone(), mime: file.mime.clone(), bytes });
    }
    let domain = post.from.split_once('@').map_or("localdomain", |(_, domain)| domain);
    let stem = crate::reports::sha256(submission.id().as_bytes()).hex();
    // Another attempt after a sure failure is another message.
    let message_id =
        format!("<consuntivo-{}-{}@{domain}>", stem.get(..24).unwrap_or_default(), post.now.millis());
    Ok(Letter {
        from: post.from.to_owned(),
        to: vec![post.to.to_owned()],
        subject: post.subject.to_owned(),
        text: post.text.to_owned(),
        message_id,
        at: post.now,
        enclosures,
    })
}

/// Takes a receipt of certified mail: finds its submission by the letter it is about. A letter that a person sent may carry
/// several papers; none where it is about none of ours.
pub(crate) fn take_receipt(
    store: &Store,
    (name, bytes): (&str, &[u8]),
    (author, at): (&str, Instant),
) -> Result<Vec<Submission>, Failure> {
    let Some(said) = connectors::receipt::read(bytes) else { return Ok(Vec::new()) };
    let about: Vec<Submission> = all(store)?.into_iter().filter(|s| s.knows(&said.message_id)).collect();
    let mut taken = Vec::new();
    for before in about {
        let receipt = receipt_of(store, (name, bytes), Vec::new())?;
        if before.receipts.iter().any(|known| known.file.sha256 == receipt.file.sha256) {
            taken.push(before);
            continue;
        }
        let after = attempts::with_receipt(&before, &said, receipt, at);
        if after.is_back() && !before.is_back() {
            tracing::warn!(
                submission = %before.id(), kind = %said.kind, fault = %said.fault, "certified mail was not delivered"
            );
        }
        put(store, &before, &after, author, at)?;
        taken.push(after);
    }
    Ok(taken)
}

/// Looks through the folder of receipts; how many were new. Files are left where they are: the folder is another program's.
pub(crate) fn watch(store: &Store, folder: &Path, at: Instant) -> anyhow::Result<usize> {
    let entries = fs::read_dir(folder).with_context(|| {
        format!("cannot read the folder {}; create it or correct receipts_dir", folder.display())
    })?;
    let all = all(store)?;
    if !all.iter().any(|s| attempts::is_waited_for(s, &all)) {
        return Ok(0);
    }
    let mut found = 0;
    // The newest come first: a folder that nobody empties must not hide today's receipts.
    let mut messages: Vec<fs::DirEntry> = entries.filter_map(Result::ok).collect();
    messages.sort_by_cached_key(|entry| std::cmp::Reverse(entry.metadata().and_then(|m| m.modified()).ok()));
    for entry in messages.into_iter().take(RECEIPTS_MAX) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_message = name.ends_with(".eml") && entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_message || records::check_name(&name).is_err() {
            continue;
        }
        let small = entry.metadata().is_ok_and(|m| m.len() <= connectors::receipt::MESSAGE_BYTES_MAX as u64);
        let Ok(bytes) = fs::read(&path) else { continue };
        let taken = small
            && !take_receipt(store, (&name, &bytes), ("daemon", at))
                .map_err(|failure| failure.error)?
                .is_empty();
        found += usize::from(taken);
    }
    Ok(found)
}

/// Sends a submission by the installation's certified mail, with its letter; the letter's id.
pub(crate) fn dispatch(bench: &Bench<'_>, key: &Key, to: &str, author: &str) -> Result<String, Failure> {
    let pec = bench.installation.settings.sending.pec.as_ref().ok_or_else(|| {
        let says = "no certified mail is set up; add [pec] to the installation file, or send by hand";
        Failure::bad_input(says).coded("no_pec")
    })?;
    let (project, texts) = (&bench.project, bench.installation.catalog.texts("it"));
    let text = texts.fill(
        "submission.letter",
        &[
            ("obligation", texts.get(&bench.obligation.text)),
            ("project", &*project.title),
            ("cup", &*project.cup),
            ("beneficiary", &*project.beneficiary.name),
            ("citation", &*bench.obligation.citation),
        ],
    );
    let server = crate::memos::server(pec);
    let post = Post {
        server: &server,
        from: &pec.from,
        to,
        subject: &subject_of(key, &project.cup),
        text: &text,
        digital: bench.obligation.signer.signs_digitally(),
        zone: project.zone,
        author,
        now: bench.now,
    };
    by_pec(bench.store, key, &post)
}

/// The letter's subject line.
fn subject_of(key: &Key, cup: &str) -> String {
    let year = key.year.map(|year| format!(" {year}")).unwrap_or_default();
    format!("CUP {cup} - {}{year}", key.obligation)
}
