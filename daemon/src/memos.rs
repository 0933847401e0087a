//! Memo mails: before a report is due, each beneficiary is reminded on the days that the scheme names, one letter a project.
//!
//! Must never: send a letter twice, also when the daemon dies in the middle; or remind of what was sent.

use analytics::scheme::Scheme;
use analytics::scheme::calendar::{Entry, State};
use analytics::text::Texts;
use chrono::{Datelike, NaiveDate};
use config::{MailSecurity, MailSettings};
use connectors::day::Day;
use connectors::files::closed_projects::ClosedProject;
use connectors::mail::{Letter, MailError, Security, Server, send};
use model::{Finding, Instant, Project, Severity};
use serde::{Deserialize, Serialize};
use store::{FirstChange, Store};

use crate::desk::contacts;
use crate::duties::{self, Fulfilments};
use crate::exit::Failure;
use crate::installation::Installation;
use crate::{figures, grants, records};

mod delivered;

/// The kind under which memos are kept: one record for each letter, its states as versions.
const RECORD: &str = "memo";
/// Who sends the scheme's own memos, for the audit log.
const AUTHOR: &str = "daemon";
/// A memo day that passed while the daemon was away is made up for within so many days.
const GRACE_DAYS: i64 = 14;
/// After a sure failure the next attempt waits so long.
const RETRY_SECONDS: f64 = 600.0;
/// Attempts after sure failures before a person must look.
const ATTEMPTS_MAX: u32 = 20;

/// How far a letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MemoState {
    /// About to be handed over. Whoever finds this after a restart does not know whether it went.
    Sending,
    Sent,
    /// The server surely does not have it.
    NotSent,
    /// The server may have it: a person decides.
    Uncertain,
}

impl MemoState {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::NotSent => "not-sent",
            Self::Uncertain => "uncertain",
        }
    }
}

/// One letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Memo {
    pub(crate) project: String,
    pub(crate) obligation: String,
    pub(crate) year: Option<i32>,
    /// The memo day that it belongs to.
    pub(crate) day: Day,
    pub(crate) to: Vec<String>,
    pub(crate) message_id: String,
    pub(crate) state: MemoState,
    pub(crate) attempts: u32,
    pub(crate) says: String,
    /// What a person added to the letter.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) words: String,
}

impl Memo {
    pub(crate) fn id(&self) -> String {
        let year = self.year.map_or_else(|| "-".to_owned(), |year| year.to_string());
        format!("{} {} {year} {}", self.project, self.obligation, self.day)
    }
}

/// The server of a mail section.
pub(crate) fn server(settings: &MailSettings) -> Server {
    Server {
        host: settings.server.clone(),
        port: settings.port,
        security: match settings.security {
            MailSecurity::StartTls => Security::StartTls,
            MailSecurity::Tls => Security::Tls,
            MailSecurity::Plain => Security::Plain,
        },
        username: settings.username.clone(),
        password_file: settings.password_file.clone(),
        ca_file: settings.ca_file.clone(),
    }
}

/// Every memo, newest day first.
pub(crate) fn all(store: &Store) -> anyhow::Result<Vec<(Memo, Instant)>> {
    let mut memos: Vec<(Memo, Instant)> =
        records::all(store, RECORD)?.into_iter().map(|(memo, record)| (memo, record.at)).collect();
    memos.sort_by(|(a, _), (b, _)| b.day.cmp(&a.day).then_with(|| a.project.cmp(&b.project)));
    Ok(memos)
}

/// A round: what is due goes out. Findings say what a person must look at. Blocks on disk and network.
pub(crate) fn round(
    store: &Store,
    installation: &Installation,
    now: Instant,
) -> anyhow::Result<Vec<Finding>> {
    let Some(mail) = &installation.settings.sending.mail else { return Ok(Vec::new()) };
    let (projects, _) = figures::projects(store, &installation.catalog)?;
    let done = Fulfilments::read(store)?;
    let contacts = contacts::mails(store)?;
    let first_cups = grants::first_cups(store)?;
    let mut findings = Vec::new();
    for project in &projects {
        let Some(calendar) = duties::of_project(installation, project, &done, now) else { continue };
        let Some(scheme) = installation.catalog.scheme(&project.scheme) else { continue };
        for entry in &calendar.entries {
            let Some(day) = memo_day(scheme, entry, calendar.today) else { continue };
            let texts = installation.catalog.texts(&installation.settings.installation.language);
            let contact = contacts.get(project.id.as_str()).cloned();
            let about = About::Registered(project);
            let of = Due { about, scheme, entry, day, words: "", author: AUTHOR, contact };
            if let Some(gone) = delivered::gone(store, &first_cups, &of)? {
                findings.extend(unsettled(store, &gone)?);
                continue;
            }
            findings.extend(remind(store, mail, &texts, &of, now)?);
        }
    }
    findings.extend(delivered::round(store, installation, mail, now)?);
    Ok(findings)
}

/// What a letter is about: a project whose file is here, or one that the grants system delivered and nobody registered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum About<'a> {
    Registered(&'a Project),
    Delivered(&'a ClosedProject),
}

impl<'a> About<'a> {
    /// As records and findings name it.
    fn id(self) -> String {
        match self {
            Self::Registered(project) => project.id.to_string(),
            Self::Delivered(closed) => grants::delivered_id(&closed.cup),
        }
    }

    fn title(self) -> &'a str {
        match self {
            Self::Registered(project) => &project.title,
            Self::Delivered(closed) => &closed.title,
        }
    }

    fn cup(self) -> &'a str {
        match self {
            Self::Registered(project) => &project.cup,
            Self::Delivered(closed) => &closed.cup,
        }
    }

    fn beneficiary(self) -> &'a str {
        match self {
            Self::Registered(project) => &project.beneficiary.name,
            Self::Delivered(closed) => &closed.beneficiary,
        }
    }

    /// The addresses of its enabled subjects.
    fn mails(self) -> Vec<String> {
        match self {
            Self::Registered(project) => {
                let subjects = project.grant.subjects.iter().filter(|s| s.enabled);
                subjects.filter_map(|s| s.email.clone()).collect()
            }
            // Nobody looked at these addresses when they came.
            Self::Delivered(closed) => {
                let mails = closed.subjects.iter().filter_map(|s| s.email.as_deref()).map(str::trim);
                mails.filter(|mail| contacts::is_address(mail)).map(str::to_owned).collect()
            }
        }
    }
}

/// A memo that is due, by the scheme's days or because a person ordered it.
pub(crate) struct Due<'a> {
    pub(crate) about: About<'a>,
    pub(crate) scheme: &'a Scheme,
    pub(crate) entry: &'a Entry,
    pub(crate) day: NaiveDate,
    /// Added to the letter.
    pub(crate) words: &'a str,
    /// Who sends it, for the audit log.
    pub(crate) author: &'a str,
    /// Stated by the legal representative beside the subjects' addresses.
    pub(crate) contact: Option<String>,
}

impl Due<'_> {
    /// Under which id its letter is on record: one for each day, whoever asks for it.
    pub(crate) fn id(&self) -> String {
        self.id_under(&self.about.id())
    }

    /// [`Self::id`] where records name the project so.
    fn id_under(&self, project: &str) -> String {
        let year = self.entry.year.map_or_else(|| "-".to_owned(), |year| year.to_string());
        format!("{project} {} {year} {}", self.entry.obligation, Day(self.day))
    }

    /// Whom the letter goes to: the enabled subjects with a mail address, and the project's contact.
    pub(crate) fn recipients(&self) -> Vec<String> {
        let mut to = self.about.mails();
        to.extend(self.contact.clone());
        to.sort_unstable();
        to.dedup();
        to
    }
}

/// The newest memo day of an entry that is not over, if it came in the last days; none for what was sent, for what is
/// not open yet, or once the due day has passed.
fn memo_day(scheme: &Scheme, entry: &Entry, today: NaiveDate) -> Option<NaiveDate> {
    if entry.state != State::Due {
        return None;
    }
    let due = entry.due?;
    let memos = &scheme.obligation(&entry.obligation)?.memos;
    let days = memos.iter().filter_map(|(month, day)| NaiveDate::from_ymd_opt(due.year(), *month, *day));
    let newest = days.filter(|day| *day <= today && *day <= due).max()?;
    ((today - newest).num_days() <= GRACE_DAYS).then_some(newest)
}

/// Sends a memo unless it went already, or may have.
pub(crate) fn remind(
    store: &Store,
    mail: &MailSettings,
    texts: &Texts,
    due: &Due<'_>,
    now: Instant,
) -> anyhow::Result<Option<Finding>> {
    let to = due.recipients();
    if to.is_empty() {
        let says = "nobody can be reminded: no enabled subject of the project has a mail address";
        let rule = "each beneficiary with a report to send is reminded";
        let about = format!("project:{}", due.about.id());
        return Ok(Some(Finding::new("memo.no_address", Severity::Caution, about, says, rule)));
    }
    let domain = mail.from.split_once('@').map_or("localdomain", |(_, domain)| domain);
    let mut memo = Memo {
        project: due.about.id(),
        obligation: due.entry.obligation.clone(),
        year: due.entry.year,
        day: Day(due.day),
        to,
        message_id: String::new(),
        state: MemoState::Sending,
        attempts: 1,
        says: String::new(),
        words: due.words.to_owned(),
    };
    let stem = crate::reports::sha256(memo.id().as_bytes()).hex();
    memo.message_id = format!("<memo-{}@{domain}>", stem.get(..32).unwrap_or_default());
    if !claim(store, &mut memo, due.author, now)? {
        return unsettled(store, &memo.id());
    }
    let letter = letter(&mail.from, texts, due, &memo, now);
    let handed = send(&server(mail), &letter);
    (memo.state, memo.says) = match &handed {
        Ok(()) => (MemoState::Sent, String::new()),
        Err(error @ MailError::Uncertain { .. }) => (MemoState::Uncertain, error.to_string()),
        Err(error) => (MemoState::NotSent, error.to_string()),
    };
    note(store, &memo, due.author, now)?;
    tracing::info!(project = %memo.project, day = %memo.day, state = memo.state.code(), "memo mail");
    unsettled(store, &memo.id())
}

/// Puts on record, on disk, that this letter is about to be sent; only whoever managed that may send it.
fn claim(store: &Store, memo: &mut Memo, author: &str, now: Instant) -> anyhow::Result<bool> {
    let body = serde_json::to_string(memo)?;
    if store.put_first_record(RECORD, &memo.id(), &body, author, now)? == FirstChange::Created {
        return Ok(true);
    }
    let Some((known, record)) = records::get::<Memo>(store, RECORD, &memo.id())? else { return Ok(false) };
    let waited = RETRY_SECONDS <= now.seconds_since(record.at);
    if known.state != MemoState::NotSent || !waited || ATTEMPTS_MAX <= known.attempts {
        return Ok(false);
    }
    memo.attempts = known.attempts + 1;
    note(store, memo, author, now)?;
    Ok(true)
}

fn note(store: &Store, memo: &Memo, author: &str, now: Instant) -> anyhow::Result<()> {
    let body = serde_json::to_string(memo)?;
    store.put_record(RECORD, &memo.id(), &body, author, now)?;
    Ok(())
}

/// What a person must look at of a letter. One found as `sending` was begun by a daemon that is no more.
fn unsettled(store: &Store, id: &str) -> anyhow::Result<Option<Finding>> {
    let Some((memo, _)) = records::get::<Memo>(store, RECORD, id)? else { return Ok(None) };
    let says = match memo.state {
        MemoState::Sent => return Ok(None),
        MemoState::Sending => "the daemon ended while it was handed over".to_owned(),
        MemoState::NotSent | MemoState::Uncertain => memo.says.clone(),
    };
    let code = if memo.state == MemoState::NotSent { "memo.not_sent" } else { "memo.uncertain" };
    let sentence = match memo.state {
        MemoState::NotSent => format!("the memo of {} was not sent: {says}", memo.day),
        MemoState::Sending | MemoState::Uncertain | MemoState::Sent => format!(
            "nobody knows whether the memo of {} went out ({says}); it is not sent again: look into the outbox, then memo settle",
            memo.day
        ),
    };
    let rule = "a memo is never sent twice";
    let finding = Finding::new(code, Severity::Caution, format!("project:{}", memo.project), sentence, rule);
    Ok(Some(finding.with("day", memo.day).with("error", says)))
}

fn letter(from: &str, texts: &Texts, due: &Due<'_>, memo: &Memo, now: Instant) -> Letter {
    let (subject, text) = wording(texts, due);
    Letter {
        from: from.to_owned(),
        to: memo.to.clone(),
        subject,
        text,
        message_id: memo.message_id.clone(),
        at: now,
        enclosures: Vec::new(),
    }
}

/// Subject and text of a memo, with what a person added at its end.
pub(crate) fn wording(texts: &Texts, due: &Due<'_>) -> (String, String) {
    let about = due.about;
    let day = due.entry.due.map(|day| day.format("%d/%m/%Y").to_string()).unwrap_or_default();
    let year = due.entry.year.map(|year| year.to_string()).unwrap_or_default();
    let values = [
        ("obligation", texts.get(&due.entry.text)),
        ("year", &*year),
        ("due", &*day),
        ("project", about.title()),
        ("cup", about.cup()),
        ("beneficiary", about.beneficiary()),
        ("scheme", &*due.scheme.title),
        ("channel", texts.channel(&due.entry.channel)),
        ("citation", &*due.entry.citation),
    ];
    let (subject, body) = match due.entry.state {
        State::Late => ("memo.subject_late", "memo.text_late"),
        _ => ("memo.subject", "memo.text"),
    };
    let mut text = texts.fill(body, &values);
    if !due.words.is_empty() {
        text = format!("{}\n\n{}\n", text.trim_end(), due.words.replace("\r\n", "\n"));
    }
    (texts.fill(subject, &values), text)
}

/// One letter by its id.
pub(crate) fn by_id(store: &Store, id: &str) -> anyhow::Result<Option<Memo>> {
    Ok(records::get::<Memo>(store, RECORD, id)?.map(|(memo, _)| memo))
}

/// A person says what became of a letter: it went out, or it did not and may be sent.
pub(crate) fn settle(store: &Store, id: &str, went: bool, author: &str, now: Instant) -> Result<(), Failure> {
    let (mut memo, _) = records::get::<Memo>(store, RECORD, id)?
        .ok_or_else(|| Failure::bad_input(format!("there is no memo {id:?}; `memo list` shows them")))?;
    if !matches!(memo.state, MemoState::Sending | MemoState::Uncertain) {
        let says = format!("the memo {id:?} is {}: there is nothing to settle", memo.state.code());
        return Err(Failure::bad_input(says));
    }
    memo.state = if went { MemoState::Sent } else { MemoState::NotSent };
    memo.says = format!("settled by {author}");
    records::put(store, (RECORD, id), &memo, author, now)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use analytics::scheme::calendar::calendar;

    use super::*;

    #[test]
    fn a_letter_about_a_day_that_has_passed_says_so() {
        let catalog = config::Catalog::embedded().unwrap();
        let (project, _) =
            config::parse_project(include_str!("../../config/examples/project.toml"), &catalog).unwrap();
        let project = Arc::new(project);
        let scheme = catalog.scheme(&project.scheme).unwrap();
        let texts = catalog.texts("it");
        let wording_on = |today: NaiveDate| {
            let entries = calendar(scheme, &project, today, &[]);
            let entry = entries.iter().find(|e| e.year == Some(2022)).unwrap();
            let due = Due {
                about: About::Registered(&project),
                scheme,
                entry,
                day: today,
                words: "",
                author: "a",
                contact: None,
            };
            wording(&texts, &due)
        };
        let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap();
        let (subject, text) = wording_on(day(2023, 3, 1));
        assert!(
            subject.starts_with("Promemoria") && text.contains("entro il 31/03/2023 va inviata"),
            "{text}"
        );
        let (subject, text) = wording_on(day(2023, 10, 24));
        assert!(
            subject.starts_with("Sollecito") && text.contains("il termine del 31/03/2023 è passato"),
            "{text}"
        );
    }
}
