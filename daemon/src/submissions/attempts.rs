//! Letters that did not make a submission sent: not delivered, stated by a person not to have gone out, or overtaken by the
//! delivery of another; and what a receipt changes of them.
//!
//! Must never: lose a letter or a receipt of it, or let a receipt to another recipient undo a sending.

use model::{Finding, Instant, Severity};
use serde::{Deserialize, Serialize};
use store::Store;

use super::receipts::Uncompared;
use super::{Key, Receipt, Sending, Stage, Submission, all, current, put, send};
use crate::exit::Failure;
use crate::records;

/// Every code that is said here.
pub(crate) const CODES: [&str; 3] =
    ["submission.not_delivered", "submission.delivery_notice", "submission.delivery_late"];
const RULE: &str = "only a receipt of delivery shows that a letter arrived";
/// Faults that a receipt names (*Regole tecniche della PEC*, DM 2 November 2005, attribute `errore` of `postacert`).
const FAULTS: [&str; 4] = ["no-dest", "no-dominio", "virus", "altro"];

/// A letter that did not make the submission sent when it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attempt {
    pub(crate) sending: Sending,
    pub(crate) ended_ms: i64,
    pub(crate) end: End,
}

/// Why a letter does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum End {
    /// A receipt says so; `fault` as it stands there.
    NotDelivered { receipt_sha256: String, fault: String },
    /// A person says that it never went out.
    Unsent { author: String, reason: String },
    /// It was on its way when an earlier letter turned out to be delivered.
    Overtaken,
}

impl Attempt {
    fn is_letter(&self, letter: &str) -> bool {
        self.sending.message_id.as_deref() == Some(letter)
    }
}

impl Receipt {
    /// Whether it says that this letter was delivered to this address.
    pub(super) fn delivers(&self, letter: &str, to: &str) -> bool {
        self.kind.as_deref() == Some("avvenuta-consegna")
            && self.fault.as_deref() == Some("nessuno")
            && self.letter.as_deref() == Some(letter)
            && self.delivered_to.as_deref().is_none_or(|other| is_same(other, to))
    }
}

fn is_same(address: &str, other: &str) -> bool {
    address.trim().eq_ignore_ascii_case(other.trim())
}

impl Submission {
    /// Whether the receipt says that the letter was accepted, and none so far that it was delivered.
    pub(super) fn is_accepted_only(&self, receipt: &Receipt) -> bool {
        let Some(sending) = &self.sending else { return false };
        let Some(letter) = receipt.letter.as_deref() else {
            return receipt.uncompared.contains(&Uncompared::Accepted);
        };
        receipt.uncompared.contains(&Uncompared::Accepted)
            && !self.attempts.iter().any(|attempt| attempt.is_letter(letter))
            && !self.receipts.iter().any(|other| other.delivers(letter, &sending.to))
    }

    /// The letter whose delivery is waited for: one that was handed over from here, or one of which a person brought the
    /// receipt of acceptance only.
    pub(super) fn awaited(&self) -> Option<&str> {
        match self.stage {
            Stage::Sending => self.sending.as_ref()?.message_id.as_deref(),
            Stage::Sent => self.receipts.iter().find(|r| self.is_accepted_only(r))?.letter.as_deref(),
            _ => None,
        }
    }

    /// Whether a letter is, or was, one of this submission.
    pub(super) fn knows(&self, letter: &str) -> bool {
        let own = self.sending.as_ref().and_then(|sending| sending.message_id.as_deref());
        let by_hand =
            |r: &Receipt| r.letter.as_deref() == Some(letter) && r.uncompared.contains(&Uncompared::Accepted);
        !letter.is_empty()
            && (own == Some(letter)
                || self.attempts.iter().any(|attempt| attempt.is_letter(letter))
                || self.receipts.iter().any(by_hand))
    }

    /// Whether a receipt of this letter can still change the stage.
    pub(super) fn is_open_to(&self, letter: &str) -> bool {
        let attempted = self.attempts.iter().any(|attempt| attempt.is_letter(letter));
        self.awaited() == Some(letter) || (attempted && self.is_unsent())
    }

    /// To whom a letter of this submission went.
    pub(super) fn address_of(&self, letter: &str) -> Option<&str> {
        let attempt = self.attempts.iter().rfind(|attempt| attempt.is_letter(letter));
        let sending = attempt.map(|attempt| &attempt.sending).or(self.sending.as_ref())?;
        Some(&sending.to)
    }

    /// Frozen, and nothing shows that it was sent.
    fn is_unsent(&self) -> bool {
        matches!(self.stage, Stage::Frozen | Stage::Signed | Stage::Sending)
    }

    /// Whether a receipt says that the last letter was not delivered, and none was sent since.
    pub(crate) fn is_undelivered(&self) -> bool {
        let last = self.attempts.last().map(|attempt| &attempt.end);
        self.is_back() && matches!(last, Some(End::NotDelivered { .. }))
    }

    /// Whether letters ended, and it stands where it can be sent again.
    pub(crate) fn is_back(&self) -> bool {
        self.is_unsent() && self.stage != Stage::Sending && !self.attempts.is_empty()
    }

    /// Puts the letter among the attempts, and the stage back to where it can be sent again.
    fn end_sending(&mut self, end: End, at: Instant) {
        let letter = self.awaited().map(str::to_owned);
        if let Some(mut sending) = self.sending.take() {
            sending.message_id = sending.message_id.or(letter);
            self.attempts.push(Attempt { sending, ended_ms: at.millis(), end });
        }
        self.stage = if self.signed.is_empty() { Stage::Frozen } else { Stage::Signed };
    }
}

/// Whether it says that the letter did not reach this address. A refusal by the sender's own provider concerns everybody.
fn fails(said: &connectors::receipt::Receipt, submission: &Submission, to: &str) -> bool {
    if said.is_refusal() {
        return submission.stage == Stage::Sending;
    }
    let about = match (&said.delivered_to, said.recipients.as_slice()) {
        (Some(other), _) => is_same(other, to),
        (None, []) => true,
        // Of several nobody knows which one it did not reach.
        (None, [only]) => is_same(only, to),
        (None, _) => false,
    };
    said.is_failure() && about
}

/// The submission with one receipt more, of a letter that it knows.
pub(super) fn with_receipt(
    before: &Submission,
    said: &connectors::receipt::Receipt,
    receipt: Receipt,
    at: Instant,
) -> Submission {
    let mut after = before.clone();
    let (letter, receipt_sha256) = (said.message_id.as_str(), receipt.file.sha256.clone());
    after.receipts.push(receipt);
    let reached = |to: &str| said.is_delivery() && (!said.names_recipient() || said.is_to(to));
    if before.awaited() == Some(letter) {
        let to = before.sending.as_ref().map_or("", |sending| sending.to.as_str());
        if reached(to) {
            after.stage = Stage::Sent;
        } else if fails(said, before, to) {
            let end = End::NotDelivered { receipt_sha256, fault: said.fault.clone() };
            after.end_sending(end, at);
        }
        return after;
    }
    let earlier = before.attempts.iter().rfind(|attempt| attempt.is_letter(letter));
    if let Some(attempt) = earlier.filter(|attempt| before.is_unsent() && reached(&attempt.sending.to)) {
        if before.stage == Stage::Sending {
            after.end_sending(End::Overtaken, at);
        }
        let mut sending = attempt.sending.clone();
        // The letter of a person's sending may carry papers of several: it is nobody's own.
        sending.message_id = sending.message_id.filter(|_| sending.way == "pec");
        after.sending = Some(sending);
        after.stage = Stage::Sent;
    }
    after
}

/// Whether a receipt may still come that says something of this submission: the folder is looked through for it.
pub(super) fn is_waited_for(submission: &Submission, all: &[Submission]) -> bool {
    let newer_sent = |other: &Submission| is_newer(other, submission) && other.progress().is_some();
    submission.awaited().is_some() || (submission.is_back() && !all.iter().any(newer_sent))
}

fn is_newer(other: &Submission, submission: &Submission) -> bool {
    other.is_version_of(submission) && submission.version < other.version
}

/// What a person must know of letters: of each obligation's newest version one that did not arrive and one that may not,
/// of any version one that arrived after all.
pub(crate) fn told(all: &[Submission]) -> Vec<Finding> {
    let newest = |s: &Submission| !all.iter().any(|other| is_newer(other, s));
    let open = all.iter().filter(|s| newest(s));
    let mut found: Vec<Finding> = open.filter_map(|s| not_delivered(s).or_else(|| notice(s))).collect();
    found.extend(all.iter().filter_map(late));
    found
}

fn file_of<'a>(submission: &'a Submission, sha256: &str) -> &'a str {
    let receipt = submission.receipts.iter().find(|receipt| receipt.file.sha256 == sha256);
    receipt.map_or("-", |receipt| &receipt.file.name)
}

/// The last letter, where a receipt says that it did not arrive and none was sent since.
fn not_delivered(submission: &Submission) -> Option<Finding> {
    let last = submission.attempts.last().filter(|_| submission.is_back())?;
    let End::NotDelivered { receipt_sha256, fault } = &last.end else { return None };
    let (to, file) = (&last.sending.to, file_of(submission, receipt_sha256));
    let kind = FAULTS.into_iter().find(|known| *known == fault.as_str()).unwrap_or("unknown");
    let says = format!(
        "the letter to {to} was not delivered (fault: {fault}; receipt {file}): correct what stood in its way and send \
         again, or send by hand and bring that receipt"
    );
    let about = format!("submission:{}", submission.id());
    let finding = Finding::new("submission.not_delivered", Severity::Caution, about, says, RULE);
    Some(finding.with("to", to).with("file", file).with("kind", kind))
}

/// The letter that is on its way, where its provider gives notice that it could not be delivered so far; or one of which
/// a person said that it never went out, where its provider accepted it.
fn notice(submission: &Submission) -> Option<Finding> {
    let last = submission.attempts.last().filter(|_| submission.is_back());
    let letter = submission.awaited().or_else(|| last?.sending.message_id.as_deref())?;
    let is_notice = |r: &&Receipt| {
        let kind = r.kind.as_deref().unwrap_or_default();
        let went_out = last.is_some() && kind == "accettazione";
        r.letter.as_deref() == Some(letter) && (went_out || kind.starts_with("preavviso-errore"))
    };
    let receipt = submission.receipts.iter().rfind(is_notice)?;
    let to = submission.address_of(letter)?;
    let file = &receipt.file.name;
    let says = format!(
        "the letter to {to} was not delivered so far (receipt {file}): wait for the last receipt before it is sent again"
    );
    let about = format!("submission:{}", submission.id());
    let finding = Finding::new("submission.delivery_notice", Severity::Caution, about, says, RULE);
    Some(finding.with("to", to).with("file", file))
}

/// A letter that did not count any more and was delivered, until the authority accepts.
fn late(submission: &Submission) -> Option<Finding> {
    if !matches!(submission.stage, Stage::Sent | Stage::IntegrationAsked) {
        return None;
    }
    let delivered = |attempt: &Attempt| {
        let letter = attempt.sending.message_id.as_deref()?;
        submission.receipts.iter().find(|receipt| receipt.delivers(letter, &attempt.sending.to))
    };
    let (attempt, receipt) = submission.attempts.iter().find_map(|a| Some((a, delivered(a)?)))?;
    let (to, file) = (&attempt.sending.to, &receipt.file.name);
    let says = format!(
        "an earlier letter to {to} that did not count as sent was delivered after all (receipt {file}): look whether the \
         authority got the papers twice"
    );
    let about = format!("submission:{}", submission.id());
    let finding = Finding::new("submission.delivery_late", Severity::Caution, about, says, RULE);
    Some(finding.with("to", to).with("file", file))
}

/// Notes a person's word that the letter on its way never went out: it can be sent again.
///
/// Refused where a receipt says that it was accepted or delivered, and where nothing is on its way.
pub(crate) fn settle_unsent(
    store: &Store,
    key: &Key,
    reason: &str,
    (author, at): (&str, Instant),
) -> Result<Submission, Failure> {
    records::check_words("--reason", reason)?;
    let reason = records::lines(reason);
    let last = current(store, key)?;
    let on_its_way = all(store)?.into_iter().rfind(|s| key.is_of(s) && s.stage == Stage::Sending);
    let Some(before) = on_its_way else {
        send::free_claim(store, &last, &reason, (author, at))?;
        return Ok(last);
    };
    let own = before.sending.as_ref().and_then(|sending| sending.message_id.as_deref());
    let shows = |r: &&Receipt| {
        // A receipt of unknown letter was taken when there was one letter only.
        (r.letter.is_none() || r.letter.as_deref() == own)
            && matches!(r.kind.as_deref(), Some("accettazione" | "avvenuta-consegna"))
    };
    if let Some(receipt) = before.receipts.iter().find(shows) {
        let says = format!(
            "submission {} went out: {} says {}; wait for the receipt of delivery",
            before.id(),
            receipt.file.name,
            receipt.kind.as_deref().unwrap_or("-")
        );
        return Err(Failure::bad_input(says).coded("stage"));
    }
    let mut after = before.clone();
    after.end_sending(End::Unsent { author: author.to_owned(), reason }, at);
    put(store, &before, &after, author, at)?;
    Ok(after)
}
