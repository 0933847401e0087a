//! Submissions: one obligation fulfilled, from draft over checked, frozen, signed and sent to accepted. Each change of
//! stage is a version of one record; a correction is another submission of the same obligation.
//!
//! Must never: change what is frozen, take a signature of other bytes, or send twice.

use analytics::report::edition::Edition;
use analytics::scheme::Obligation;
use anyhow::{Context, anyhow};
use chrono::NaiveDate;
use connectors::day::Day;
use connectors::files::document::DOCUMENT_BYTES_MAX;
use connectors::signature::is_signed_message;
use model::{Instant, ProjectId, Zone};
use serde::{Deserialize, Serialize};
use store::{FirstChange, Store};

use self::attempts::Attempt;
use self::receipts::{
    Uncompared, check_certified, check_of_letter, check_own, check_receipt, check_used, is_address,
    is_message, receipt_of,
};
use crate::exit::{Exit, Failure};
use crate::records;

pub(crate) mod attempts;
pub(crate) mod check;
pub(crate) mod late;
pub(crate) mod receipts;
pub(crate) mod send;
pub(crate) mod sign;

/// The kind under which submissions are kept.
pub(crate) const RECORD: &str = "submission";
/// Most versions of one submission.
const VERSIONS_MAX: u32 = 99;

/// How far a submission came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    Draft,
    Checked,
    Frozen,
    Signed,
    /// Handed to the mail server, or about to be: its delivery is not known yet.
    Sending,
    Sent,
    IntegrationAsked,
    Accepted,
}

impl Stage {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Checked => "checked",
            Self::Frozen => "frozen",
            Self::Signed => "signed",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::IntegrationAsked => "integration-asked",
            Self::Accepted => "accepted",
        }
    }
}

/// A file by its hash; its bytes are kept beside the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileRef {
    pub(crate) name: String,
    pub(crate) mime: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// A blocking finding that a person took upon them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lifted {
    pub(crate) code: String,
    pub(crate) subject: String,
    pub(crate) author: String,
    pub(crate) reason: String,
}

/// A KPI as it was frozen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FrozenKpi {
    pub(crate) code: String,
    pub(crate) unit: String,
    pub(crate) achieved: Option<f64>,
    pub(crate) best: Option<f64>,
    /// *Valore POST* as stated: a person's, or the measured one.
    pub(crate) post: Option<f64>,
    pub(crate) verdict: String,
    /// What goes beside `post` into the authority's own system; `None` where values go out in the documents only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) typed_in: Option<TypedIn>,
}

/// What is typed into the authority's own system beside a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TypedIn {
    pub(crate) note: String,
    /// Why the value is a person's; `None` of a measured one.
    pub(crate) reason: Option<String>,
}

/// A meter's months as they were frozen: the best measured values, in the carrier's display unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FrozenMeter {
    pub(crate) meter: String,
    pub(crate) unit: String,
    /// From January to December; `None` where nothing was known.
    pub(crate) measured: Vec<Option<f64>>,
}

/// What does not change any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Frozen {
    pub(crate) at_ms: i64,
    pub(crate) by: String,
    pub(crate) files: Vec<FileRef>,
    pub(crate) kpis: Vec<FrozenKpi>,
    /// Empty for papers without figures, and for what was frozen before months were kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) meters: Vec<FrozenMeter>,
    /// Digests of the catalogue files and of every input; `None` for papers without figures.
    pub(crate) catalog_sha256: Option<String>,
    pub(crate) inputs_sha256: Option<String>,
    pub(crate) rules: Option<String>,
}

/// A signed file that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignedFile {
    pub(crate) file: FileRef,
    /// The frozen file that it wraps.
    pub(crate) wraps_sha256: String,
    pub(crate) signers: Vec<Signer>,
    /// Why it was taken although its authority is not verified, or its certificate names no person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// Who signed, as the certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signer {
    pub(crate) name: String,
    pub(crate) person: Option<String>,
    pub(crate) issuer: String,
    pub(crate) serial: String,
    pub(crate) not_before_ms: i64,
    pub(crate) not_after_ms: i64,
    pub(crate) fingerprint: String,
    pub(crate) signed_at_ms: Option<i64>,
    /// `None` of what was taken before digests were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    /// `None` where the installation has no list of authorities.
    pub(crate) trusted: Option<bool>,
}

/// How it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sending {
    /// `pec` by the installation's own server, `other` where a person sent it.
    pub(crate) way: String,
    pub(crate) to: String,
    /// Of the letter, for its receipts.
    pub(crate) message_id: Option<String>,
    pub(crate) at_ms: i64,
}

/// A receipt with what it says, where it is one of certified mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receipt {
    pub(crate) file: FileRef,
    pub(crate) kind: Option<String>,
    pub(crate) number: Option<String>,
    pub(crate) when: Option<String>,
    /// The letter that it is about, by its id; `None` of what was taken before that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) letter: Option<String>,
    /// As it stands; `nessuno` where all went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<String>,
    /// Whom it names as the one who got the letter, or did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delivered_to: Option<String>,
    /// What of it could not be compared with what was sent; empty for what was taken before that was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) uncompared: Vec<Uncompared>,
}

/// What the authority answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    pub(crate) on: Day,
    pub(crate) says: String,
}

/// One version of one obligation's fulfilment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Submission {
    pub(crate) project: String,
    pub(crate) obligation: String,
    pub(crate) year: Option<i32>,
    pub(crate) version: u32,
    /// Why it corrects the version before.
    pub(crate) why: Option<String>,
    pub(crate) stage: Stage,
    /// Files that people added to the draft.
    pub(crate) attached: Vec<FileRef>,
    pub(crate) lifted: Vec<Lifted>,
    pub(crate) frozen: Option<Frozen>,
    pub(crate) signed: Vec<SignedFile>,
    /// The letter that counts, or is on its way.
    pub(crate) sending: Option<Sending>,
    /// Letters that came to nothing, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) outcome: Option<Outcome>,
}

/// Which obligation of which project and year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) project: ProjectId,
    pub(crate) obligation: String,
    pub(crate) year: Option<i32>,
}

impl Key {
    fn text(&self) -> String {
        let year = self.year.map_or_else(|| "-".to_owned(), |year| year.to_string());
        format!("{} {} {year}", self.project, self.obligation)
    }

    fn is_of(&self, submission: &Submission) -> bool {
        submission.project == self.project.as_str()
            && submission.obligation == self.obligation
            && submission.year == self.year
    }
}

impl Submission {
    fn id(&self) -> String {
        let year = self.year.map_or_else(|| "-".to_owned(), |year| year.to_string());
        format!("{} {} {year} v{}", self.project, self.obligation, self.version)
    }

    /// Whether both are versions of the same.
    fn is_version_of(&self, other: &Self) -> bool {
        (&self.project, &self.obligation, self.year) == (&other.project, &other.obligation, other.year)
    }

    /// Whether a finding is about this version as a whole.
    pub(crate) fn is_subject_of(&self, finding: &model::Finding) -> bool {
        finding.subject.strip_prefix("submission:") == Some(&*self.id())
    }

    /// How far it counts as fulfilled; `None` before it was sent.
    pub(crate) fn progress(&self) -> Option<analytics::scheme::calendar::Progress> {
        use analytics::scheme::calendar::Progress;
        match self.stage {
            Stage::Draft | Stage::Checked | Stage::Frozen | Stage::Signed | Stage::Sending => None,
            Stage::Sent => Some(Progress::Sent),
            Stage::IntegrationAsked => Some(Progress::IntegrationAsked),
            Stage::Accepted => Some(Progress::Accepted),
        }
    }

    pub(crate) fn sent_at(&self) -> Option<Instant> {
        self.sending.as_ref().map(|sending| Instant::from_millis(sending.at_ms))
    }

    /// The file that goes out for each frozen one: its signed form where there is one.
    pub(crate) fn outgoing(&self) -> Vec<&FileRef> {
        let frozen = self.frozen.iter().flat_map(|frozen| &frozen.files);
        frozen
            .map(|file| {
                let signed = self.signed.iter().rfind(|signed| signed.wraps_sha256 == file.sha256);
                signed.map_or(file, |signed| &signed.file)
            })
            .collect()
    }

    /// The civil day from which there was something to send: of the freezing, or of the last signature that goes out.
    fn ready_on(&self, zone: Zone, now: Instant) -> Result<(NaiveDate, &'static str), Failure> {
        let frozen = Instant::from_millis(self.frozen()?.at_ms).day(zone);
        let outgoing = self.outgoing();
        let signers = self.signed.iter().filter(|s| outgoing.contains(&&s.file)).flat_map(|s| &s.signers);
        let days = signers.filter_map(|s| Some(Instant::from_millis(s.signed_at_ms?).day(zone)));
        // The signing time is the signer's own: a clock ahead of ours must not make the sending impossible.
        let signed = days.filter(|day| *day <= now.day(zone)).max();
        Ok(match signed {
            Some(signed) if frozen < signed => (signed, "signed"),
            Some(_) | None => (frozen, "frozen"),
        })
    }

    fn frozen(&self) -> Result<&Frozen, Failure> {
        self.frozen.as_ref().ok_or_else(|| {
            Failure::bad_input(format!("submission {} is not frozen yet; freeze it first", self.id()))
                .coded("stage")
        })
    }

    fn must_be(&self, stages: &[Stage], what: &str) -> Result<(), Failure> {
        if stages.contains(&self.stage) {
            return Ok(());
        }
        let says = format!("submission {} is {} and cannot be {what}", self.id(), self.stage.code());
        Err(Failure::bad_input(says).coded("stage"))
    }
}

/// Every version of every submission, in order of project, obligation, year and version.
pub(crate) fn all(store: &Store) -> anyhow::Result<Vec<Submission>> {
    let mut found: Vec<Submission> =
        records::all(store, RECORD)?.into_iter().map(|(submission, _)| submission).collect();
    found.sort_by(|a, b| {
        (&a.project, &a.obligation, a.year, a.version).cmp(&(&b.project, &b.obligation, b.year, b.version))
    });
    Ok(found)
}

/// Of each obligation the newest version that was sent; versions still in the making change nothing.
pub(crate) fn newest(store: &Store) -> anyhow::Result<Vec<Submission>> {
    let mut newest: Vec<Submission> = Vec::new();
    for submission in all(store)?.into_iter().filter(|s| s.progress().is_some()) {
        newest.retain(|other| !other.is_version_of(&submission));
        newest.push(submission);
    }
    Ok(newest)
}

/// The newest version of one submission, whatever its stage.
pub(crate) fn current(store: &Store, key: &Key) -> Result<Submission, Failure> {
    all(store)?.into_iter().rfind(|s| key.is_of(s)).ok_or_else(|| {
        Failure::bad_input(format!(
            "there is no submission {}; begin one with `submission draft`",
            key.text()
        ))
        .coded("not_begun")
    })
}

/// The version that an answer of the authority is about: the newest that was sent, whatever correction is in the making;
/// where none was sent, the newest.
pub(crate) fn awaiting(store: &Store, key: &Key) -> Result<Submission, Failure> {
    let last = current(store, key)?;
    if last.progress().is_some() {
        return Ok(last);
    }
    Ok(newest(store)?.into_iter().find(|s| key.is_of(s)).unwrap_or(last))
}

/// Begins a submission; the first version needs no reason. [`check::Bench::begin`] asks the calendar before.
fn draft(store: &Store, key: &Key, author: &str, at: Instant) -> Result<Submission, Failure> {
    let first = Submission {
        project: key.project.to_string(),
        obligation: key.obligation.clone(),
        year: key.year,
        version: 1,
        why: None,
        stage: Stage::Draft,
        attached: Vec::new(),
        lifted: Vec::new(),
        frozen: None,
        signed: Vec::new(),
        sending: None,
        attempts: Vec::new(),
        receipts: Vec::new(),
        outcome: None,
    };
    put_new(store, &first, author, at)?;
    Ok(first)
}

/// Begins a new version that says why.
pub(crate) fn correct(
    store: &Store,
    key: &Key,
    why: &str,
    author: &str,
    at: Instant,
) -> Result<Submission, Failure> {
    records::check_words("--why", why)?;
    let last = current(store, key)?;
    if last.frozen.is_none() {
        let says = format!("submission {} is not frozen: change it as it is", last.id());
        return Err(Failure::bad_input(says).coded("stage"));
    }
    if VERSIONS_MAX <= last.version {
        return Err(Failure::bad_input(format!(
            "submission {} has {VERSIONS_MAX} versions already",
            last.id()
        )));
    }
    let next = Submission {
        version: last.version + 1,
        why: Some(records::lines(why)),
        stage: Stage::Draft,
        lifted: Vec::new(),
        frozen: None,
        signed: Vec::new(),
        sending: None,
        attempts: Vec::new(),
        receipts: Vec::new(),
        outcome: None,
        ..last
    };
    put_new(store, &next, author, at)?;
    Ok(next)
}

/// What the documents of a correction say of it; `None` of a first version. It replaces the newest version that the
/// authority has, or the one before where it has none.
pub(crate) fn edition(store: &Store, submission: &Submission, zone: Zone) -> anyhow::Result<Option<Edition>> {
    let Some(why) = submission.why.clone() else { return Ok(None) };
    let mut earlier = all(store)?;
    earlier.retain(|s| s.is_version_of(submission) && s.version < submission.version);
    let sent = earlier.iter().rfind(|s| s.progress().is_some());
    let of = |s: &Submission| {
        let frozen = s.frozen.as_ref().map(|frozen| Instant::from_millis(frozen.at_ms));
        let on = s.progress().and(s.sent_at()).or(frozen)?.day(zone);
        Some(Edition { version: submission.version, replaces: s.version, replaces_on: on, why })
    };
    Ok(sent.or(earlier.last()).and_then(of))
}

fn put_new(store: &Store, submission: &Submission, author: &str, at: Instant) -> Result<(), Failure> {
    records::check_words("--author", author)?;
    let text = serde_json::to_string(submission).context("cannot write the submission down")?;
    match store.put_first_record(RECORD, &submission.id(), &text, author, at)? {
        FirstChange::Created => Ok(()),
        FirstChange::Same | FirstChange::Differs => {
            Err(Failure::bad_input(format!("there is a submission {} already", submission.id()))
                .coded("begun"))
        }
    }
}

/// Writes a changed submission down, unless somebody changed it since `before` was read. What was frozen must be as it
/// was.
fn put(
    store: &Store,
    before: &Submission,
    after: &Submission,
    author: &str,
    at: Instant,
) -> Result<(), Failure> {
    if before.frozen.is_some() && (before.frozen != after.frozen || before.attached != after.attached) {
        return Err(anyhow!("a change of the frozen submission {} was refused", before.id()).into());
    }
    if records::replace(store, (RECORD, &after.id()), (before, after), author, at)? {
        return Ok(());
    }
    let says = format!(
        "submission {} was changed meanwhile, and nothing was written; look at it again",
        before.id()
    );
    Err(Failure::bad_input(says).coded("meanwhile"))
}

/// Adds a file to a draft.
pub(crate) fn attach(
    store: &Store,
    key: &Key,
    (name, bytes): (&str, &[u8]),
    author: &str,
    at: Instant,
) -> Result<FileRef, Failure> {
    let before = current(store, key)?;
    before.must_be(&[Stage::Draft, Stage::Checked], "changed; begin a correction")?;
    check_attachment(name, bytes)?;
    if before.attached.iter().any(|file| file.name == name) {
        let says = format!("the draft has a file {name:?} already; rename this one");
        return Err(Failure::bad_input(says).coded("file_twice"));
    }
    let file = keep(store, name, bytes)?;
    let mut after = before.clone();
    after.attached.push(file.clone());
    after.stage = Stage::Draft;
    put(store, &before, &after, author, at)?;
    Ok(file)
}

/// Takes a file off a draft; its versions and its bytes stay in the store.
pub(crate) fn detach(store: &Store, key: &Key, name: &str, author: &str, at: Instant) -> Result<(), Failure> {
    let before = current(store, key)?;
    before.must_be(&[Stage::Draft, Stage::Checked], "changed; begin a correction")?;
    let mut after = before.clone();
    after.attached.retain(|file| file.name != name);
    if after.attached.len() == before.attached.len() {
        let says =
            format!("submission {} has no attached file {name:?}; `submission show` lists them", before.id());
        return Err(Failure::bad_input(says).coded("no_attachment"));
    }
    after.stage = Stage::Draft;
    put(store, &before, &after, author, at)
}

/// Refuses what the documents' form refuses as well; a signed message may stand in place of a document.
fn check_attachment(name: &str, bytes: &[u8]) -> Result<(), Failure> {
    records::check_name(name)?;
    let is_signed = name.to_ascii_lowercase().ends_with(".p7m") && is_signed_message(bytes);
    if is_signed && bytes.len() <= DOCUMENT_BYTES_MAX {
        return Ok(());
    }
    records::kind_of_document(name, bytes).map(|_| ())
}

/// Keeps a file's bytes and names its kind by its content, or as plain bytes.
fn keep(store: &Store, name: &str, bytes: &[u8]) -> Result<FileRef, Failure> {
    let kind = connectors::files::document::kind_of(name, bytes).ok();
    let mime = match (kind, name.rsplit_once('.').map(|(_, ending)| ending)) {
        (Some(kind), _) => kind.mime(),
        (None, Some("p7m")) => "application/pkcs7-mime",
        (None, Some("csv")) => "text/csv",
        (None, Some("json")) => "application/json",
        (None, Some("xlsx")) => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        (None, Some("eml")) => "message/rfc822",
        (None, _) => "application/octet-stream",
    };
    let sha256 = store.keep_document(bytes)?.hex();
    Ok(FileRef { name: name.to_owned(), mime: mime.to_owned(), bytes: bytes.len() as u64, sha256 })
}

/// Takes a blocking finding upon oneself.
fn lift(store: &Store, key: &Key, lifted: Lifted, at: Instant) -> Result<(), Failure> {
    records::check_words("--reason", &lifted.reason)?;
    let before = current(store, key)?;
    before.must_be(&[Stage::Draft, Stage::Checked], "changed; begin a correction")?;
    let author = lifted.author.clone();
    let mut after = before.clone();
    after.lifted.retain(|other| (&other.code, &other.subject) != (&lifted.code, &lifted.subject));
    after.lifted.push(Lifted { reason: records::lines(&lifted.reason), ..lifted });
    put(store, &before, &after, &author, at)
}

/// What a person says of a sending by other means, and the file that shows it.
pub(crate) struct ByHand<'a> {
    /// Where it was sent.
    pub(crate) to: &'a str,
    /// The civil day, in the project's zone.
    pub(crate) on: NaiveDate,
    /// Name and bytes.
    pub(crate) receipt: (&'a str, &'a [u8]),
}

/// Notes that a person sent it, with the receipt that shows it; where the installation's own mail did, the receipt must be
/// of that letter, and it counts as sent once it was delivered. A receipt that says that it was not delivered is kept
/// too, and puts the submission back to where it can be sent again.
pub(crate) fn sent(
    store: &Store,
    key: &Key,
    by_hand: &ByHand<'_>,
    obligation: &Obligation,
    zone: Zone,
    (author, at): (&str, Instant),
) -> Result<Submission, Failure> {
    let (to, receipt) = (by_hand.to, by_hand.receipt);
    let before = current(store, key)?;
    if receipts::is_of_own_letter(&before, receipt)? {
        check_of_letter(&before, receipt)?;
        let taken = send::take_receipt(store, receipt, (author, at))?;
        return Ok(taken.into_iter().find(|s| s.id() == before.id()).unwrap_or(before));
    }
    before.must_be_ready(obligation.signer.signs_digitally(), zone)?;
    records::check_words("--to", to)?;
    let by_mail = obligation.channel.starts_with("PEC") || is_message(receipt.0);
    if by_mail && !is_address(to) {
        let says = format!("{to:?} is no mail address; state the one that it was sent to");
        return Err(Failure::bad_input(says).coded("address"));
    }
    check_receipt(receipt, to)?;
    if obligation.channel.starts_with("PEC") {
        check_certified(receipt)?;
    }
    check_own(&before, receipt)?;
    check_used(store, &before, receipt)?;
    check_day(&before, by_hand, zone, at)?;
    let uncompared = receipts::compare(store, &before, by_hand, obligation, zone)?;
    let mut after = before.clone();
    after.sending = Some(Sending {
        way: "other".to_owned(),
        to: to.to_owned(),
        message_id: None,
        // A day stands for its first instant.
        at_ms: model::time::day_start(by_hand.on, zone).millis(),
    });
    after.receipts.push(receipt_of(store, receipt, uncompared)?);
    after.stage = Stage::Sent;
    put(store, &before, &after, author, at)?;
    Ok(after)
}

/// Refuses a day on which it cannot have been sent: one to come, one before there was anything to send, or another one
/// than its receipt bears.
fn check_day(submission: &Submission, by_hand: &ByHand<'_>, zone: Zone, now: Instant) -> Result<(), Failure> {
    let (on, id) = (by_hand.on, submission.id());
    if now.day(zone) < on {
        let says = format!("{on} is still to come; state the day on which submission {id} was sent");
        return Err(Failure::bad_input(says).coded("future"));
    }
    let (ready, what) = submission.ready_on(zone, now)?;
    if on < ready {
        let says = format!(
            "submission {id} was {what} on {ready} and cannot have been sent on {on}; state the day of the sending"
        );
        return Err(Failure::bad_input(says).coded("sent_before"));
    }
    let (name, bytes) = by_hand.receipt;
    match connectors::receipt::read(bytes).and_then(|said| Some((said.day()?, said.when))) {
        Some((day, when)) if day != on => {
            let says = format!(
                "{name} is of {when}: submission {id} cannot have been sent on {on}; state {day}, or bring the \
                 receipt of that sending"
            );
            Err(Failure::bad_input(says).coded("receipt_day"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Notes what the authority answered to the newest version that was sent, and gives that version; nobody answers what
/// was not sent yet.
pub(crate) fn outcome(
    store: &Store,
    key: &Key,
    stage: Stage,
    outcome: Outcome,
    zone: Zone,
    (author, at): (&str, Instant),
) -> Result<Submission, Failure> {
    records::check_words("--text", &outcome.says)?;
    let before = awaiting(store, key)?;
    let why = match before.stage {
        Stage::Accepted => "answered again; what the authority asks for later is answered by a correction",
        _ => "answered; it was not sent",
    };
    before.must_be(&[Stage::Sent, Stage::IntegrationAsked], why)?;
    if at.day(zone) < outcome.on.0 {
        return Err(Failure::bad_input(format!("{} is still to come", outcome.on)).coded("future"));
    }
    if let Some(sent) = before.sent_at().map(|at| at.day(zone)).filter(|sent| outcome.on.0 < *sent) {
        let says = format!(
            "submission {} was sent on {sent}; an answer of {} came before it, so state the day of the answer",
            before.id(),
            outcome.on
        );
        return Err(Failure::bad_input(says).coded("answer_before"));
    }
    let mut after = before.clone();
    after.stage = stage;
    after.outcome = Some(Outcome { says: records::lines(&outcome.says), ..outcome });
    put(store, &before, &after, author, at)?;
    Ok(after)
}

/// The refusal of what a person must mend first.
fn to_mend(says: String) -> Failure {
    Failure::new(Exit::CHECK, anyhow!(says)).coded("obstacles")
}

#[cfg(test)]
mod tests;
