//! What a receipt must be to show a sending: a receipt at all, not shown before, and about what was sent: its letter,
//! its recipient, its time.
//!
//! Must never: take a receipt of another letter, to another address or of a time before there was anything to send; or
//! take in silence one that cannot be compared.

use analytics::scheme::Obligation;
use model::{Finding, Instant, Severity, Zone};
use serde::{Deserialize, Serialize};
use store::Store;

use super::{ByHand, Receipt, Stage, Submission, all, keep};
use crate::exit::Failure;
use crate::records;

/// By how much two clocks, the provider's and this machine's, may be apart, in milliseconds.
const CLOCKS_APART_MILLIS: i64 = 5 * 60 * 1000;

/// What of a receipt could not be compared with what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Uncompared {
    /// Nothing: it is a page of a sending by certified mail, not the receipt itself.
    Page,
    /// To whom: it names nobody.
    Recipient,
    /// Whether it is where the act wants it sent: the scheme's file states no address.
    Address,
    /// When: it bears no day and time.
    Time,
    /// Whether it arrived: it says that the sender's provider took the letter, no more.
    Accepted,
}

impl Uncompared {
    /// The code of what is said of it.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Page => "receipt.page",
            Self::Recipient => "receipt.recipient",
            Self::Address => "receipt.address",
            Self::Time => "receipt.time",
            Self::Accepted => "receipt.accepted_only",
        }
    }

    const fn severity(self) -> Severity {
        match self {
            Self::Page | Self::Recipient | Self::Time | Self::Accepted => Severity::Caution,
            // It is to whom the person said, and no paper here says more.
            Self::Address => Severity::Note,
        }
    }

    const fn says(self) -> &'static str {
        match self {
            Self::Page => {
                "is a page: whom it went to, when and which letter cannot be compared with what was sent"
            }
            Self::Recipient => "names no recipient: whom it went to cannot be compared",
            Self::Address => {
                "was compared with the recipient that was stated only: the scheme's file names no address"
            }
            Self::Time => "bears no day and time that can be read: they cannot be compared with the freezing",
            Self::Accepted => {
                "says that it was accepted, not that it was delivered: bring the receipt of delivery as well"
            }
        }
    }
}

/// Compares a receipt with what was sent, as far as both tell; what could not be compared.
pub(super) fn compare(
    store: &Store,
    submission: &Submission,
    by_hand: &ByHand<'_>,
    obligation: &Obligation,
    zone: Zone,
) -> Result<Vec<Uncompared>, Failure> {
    let (name, bytes) = by_hand.receipt;
    let by_pec = obligation.channel.starts_with("PEC");
    let mut uncompared = Vec::new();
    match &obligation.address {
        Some(address) if by_pec && !address.eq_ignore_ascii_case(by_hand.to.trim()) => {
            let says = format!(
                "submission {} goes to {address}, not to {}; bring the receipt of the sending to that address",
                submission.id(),
                by_hand.to
            );
            return Err(Failure::bad_input(says).coded("receipt_address"));
        }
        None if by_pec => uncompared.push(Uncompared::Address),
        Some(_) | None => {}
    }
    let Some(said) = connectors::receipt::read(bytes) else {
        if by_pec {
            uncompared.insert(0, Uncompared::Page);
        }
        return Ok(uncompared);
    };
    let about = |other: &Submission| {
        let own = other.sending.as_ref().and_then(|sending| sending.message_id.as_deref());
        // A letter that a person sent may be that of several papers.
        let attempts = other.attempts.iter().filter(|attempt| attempt.sending.way == "pec");
        let earlier = attempts.filter_map(|attempt| attempt.sending.message_id.as_deref());
        own.into_iter().chain(earlier).any(|id| id == said.message_id)
    };
    if let Some(other) = all(store)?.into_iter().find(about) {
        return Err(other_letter(name, submission, &format!("the letter of submission {}", other.id())));
    }
    if !said.names_recipient() {
        uncompared.push(Uncompared::Recipient);
    }
    let frozen = submission.frozen()?.at_ms;
    match said.instant(zone) {
        Some(at) if at.millis() + CLOCKS_APART_MILLIS < frozen => {
            let says = format!(
                "{name} is of {at}, and submission {} was frozen at {}: it is the receipt of something else",
                submission.id(),
                Instant::from_millis(frozen)
            );
            return Err(Failure::bad_input(says).coded("receipt_before"));
        }
        Some(_) => {}
        None => uncompared.push(Uncompared::Time),
    }
    if !said.is_delivery() {
        uncompared.push(Uncompared::Accepted);
    }
    Ok(uncompared)
}

/// The refusal of a receipt about another letter.
fn other_letter(name: &str, submission: &Submission, about: &str) -> Failure {
    let says = format!("{name} is about {about}; bring the receipt of submission {}", submission.id());
    Failure::bad_input(says).coded("receipt_letter")
}

/// Whether it is a receipt of certified mail of a letter of this submission that can still change how far it is. Where the
/// installation itself handed it over and waits to hear of it, one of another letter is refused.
pub(super) fn is_of_own_letter(
    submission: &Submission,
    (name, bytes): (&str, &[u8]),
) -> Result<bool, Failure> {
    let Some(said) = connectors::receipt::read(bytes) else { return Ok(false) };
    if submission.is_open_to(&said.message_id) {
        return Ok(true);
    }
    if submission.stage == Stage::Sending && submission.awaited().is_some() {
        return Err(other_letter(name, submission, &format!("the letter {}", said.message_id)));
    }
    Ok(false)
}

/// Refuses a receipt of a letter of this submission that says nothing of it: of another recipient, say. One that says that
/// it was not delivered, or not yet, is no less worth keeping.
pub(super) fn check_of_letter(submission: &Submission, receipt: (&str, &[u8])) -> Result<(), Failure> {
    let Some(said) = connectors::receipt::read(receipt.1) else { return Ok(()) };
    if said.is_failure() || said.kind.starts_with("preavviso-errore") {
        return Ok(());
    }
    check_receipt(receipt, submission.address_of(&said.message_id).unwrap_or_default())
}

/// What of a receipt could not be compared and was not shown since.
pub(crate) fn open_points(submission: &Submission, receipt: &Receipt) -> Vec<Uncompared> {
    let mut open = receipt.uncompared.clone();
    open.retain(|what| *what != Uncompared::Accepted || submission.is_accepted_only(receipt));
    open
}

/// What could not be compared, of what was sent and not accepted yet: an answer shows more than any receipt.
pub(crate) fn cautions(submissions: &[Submission]) -> Vec<Finding> {
    let open = submissions.iter().filter(|s| matches!(s.stage, Stage::Sent | Stage::IntegrationAsked));
    let receipts = open.flat_map(|s| s.receipts.iter().map(move |receipt| (s, receipt)));
    receipts
        .flat_map(|(submission, receipt)| {
            open_points(submission, receipt).into_iter().map(move |what| {
                let (name, about) = (&receipt.file.name, format!("submission:{}", submission.id()));
                let says = format!("the receipt {name} {}", what.says());
                let rule = "a receipt shows the sending that it is about";
                Finding::new(what.code(), what.severity(), about, says, rule).with("file", name)
            })
        })
        .collect()
}

/// Refuses a file of the submission itself: what was to be sent does not show that it was.
pub(super) fn check_own(submission: &Submission, (name, bytes): (&str, &[u8])) -> Result<(), Failure> {
    let sha256 = crate::reports::sha256(bytes).hex();
    let frozen = submission.frozen.iter().flat_map(|frozen| &frozen.files);
    let own = frozen.chain(submission.signed.iter().map(|signed| &signed.file));
    match own.into_iter().find(|file| file.sha256 == sha256) {
        Some(file) => {
            let says = format!(
                "{name} is no receipt: it is {:?}, a file of submission {} itself; bring what shows that it was sent",
                file.name,
                submission.id()
            );
            Err(Failure::bad_input(says).coded("receipt_own"))
        }
        None => Ok(()),
    }
}

/// Refuses what cannot show a sending by certified mail: neither a receipt of it nor a page that was printed of one.
pub(super) fn check_certified((name, bytes): (&str, &[u8])) -> Result<(), Failure> {
    let is_page = records::kind_of_document(name, bytes).is_ok();
    if is_page || connectors::receipt::read(bytes).is_some() {
        return Ok(());
    }
    let says = format!(
        "{name} does not show a sending by certified mail: save the receipt of delivery as .eml, or bring a PDF or an \
         image of it"
    );
    Err(Failure::bad_input(says).coded("receipt_kind"))
}

/// Refuses a receipt that shows another sending already: each version is sent anew. One letter may carry the papers of
/// several obligations of a project's year.
pub(super) fn check_used(
    store: &Store,
    submission: &Submission,
    (name, bytes): (&str, &[u8]),
) -> Result<(), Failure> {
    let sha256 = crate::reports::sha256(bytes).hex();
    let used = |other: &Submission| {
        let is_companion = (&other.project, other.year) == (&submission.project, submission.year)
            && other.obligation != submission.obligation;
        other.id() != submission.id()
            && !is_companion
            && other.receipts.iter().any(|receipt| receipt.file.sha256 == sha256)
    };
    match all(store)?.into_iter().find(used) {
        Some(other) => {
            let says = format!(
                "{name} is the receipt of submission {} already; bring the one of submission {}",
                other.id(),
                submission.id()
            );
            Err(Failure::bad_input(says).coded("receipt_used"))
        }
        None => Ok(()),
    }
}

pub(super) fn is_message(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".eml")
}

/// Whether text may be a mail address: one `@` between a name and a domain.
pub(super) fn is_address(text: &str) -> bool {
    let parts = text.trim().split_once('@');
    parts.is_some_and(|(name, domain)| {
        let plain = |part: &str| !part.is_empty() && !part.contains(['@', ' ', ',', ';', '<', '>']);
        plain(name)
            && plain(domain)
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    })
}

/// Refuses a receipt that shows nothing: an empty file, mail that is no receipt of certified mail, one that tells of a
/// fault or of another recipient.
pub(super) fn check_receipt((name, bytes): (&str, &[u8]), to: &str) -> Result<(), Failure> {
    records::check_name(name)?;
    let refused =
        |says: String, code| Failure::bad_input(format!("{name} is no receipt: {says}")).coded(code);
    if bytes.is_empty() {
        return Err(refused("it is empty".to_owned(), "file_empty"));
    }
    let Some(said) = connectors::receipt::read(bytes) else {
        if is_message(name) {
            let says = "it is mail without certification data (daticert.xml); save the receipt of delivery as .eml, \
                        or bring a PDF that shows the sending";
            return Err(refused(says.to_owned(), "receipt_mail"));
        }
        return Ok(());
    };
    let kinds = ["accettazione", "avvenuta-consegna"];
    if !kinds.contains(&said.kind.as_str()) || said.fault != "nessuno" {
        let says = format!(
            "it says {} (fault: {}), not that it was accepted or delivered; send it again and bring that receipt",
            said.kind, said.fault
        );
        return Err(refused(says, "receipt_failed"));
    }
    if !said.names_recipient() || said.is_to(to) {
        return Ok(());
    }
    let says = match &said.delivered_to {
        Some(other) => format!("it was delivered to {other}, not to {to}; state the address of the receipt"),
        None => {
            let named = said.recipients.join(", ");
            format!("it is about a message to {named}, not to {to}; state the address of the receipt")
        }
    };
    Err(refused(says, "receipt_other"))
}

/// Keeps the file, with what it says and what of it could not be compared.
pub(super) fn receipt_of(
    store: &Store,
    (name, bytes): (&str, &[u8]),
    uncompared: Vec<Uncompared>,
) -> Result<Receipt, Failure> {
    records::check_name(name)?;
    let said = connectors::receipt::read(bytes);
    Ok(Receipt {
        file: keep(store, name, bytes)?,
        kind: said.as_ref().map(|r| r.kind.clone()),
        number: said.as_ref().map(|r| r.number.clone()),
        when: said.as_ref().map(|r| r.when.clone()),
        letter: said.as_ref().map(|r| r.message_id.clone()).filter(|letter| !letter.is_empty()),
        fault: said.as_ref().map(|r| r.fault.clone()),
        delivered_to: said.and_then(|r| r.delivered_to),
        uncompared,
    })
}
