//! Letters that an officer orders for many projects at once: put on record first, sent by the office, each once.
//!
//! Must never: send a letter that a memo of the same day sent already, or one for what was sent meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use analytics::scheme::calendar::{Entry, State};
use analytics::scheme::{ReportKind, Scheme};
use chrono::NaiveDate;
use model::{Finding, Instant, Project};
use serde::{Deserialize, Serialize};
use store::{FirstChange, Record, Store};

use crate::desk::contacts;
use crate::duties::{self, Fulfilments};
use crate::exit::Failure;
use crate::installation::Installation;
use crate::memos::{self, About, Due, MemoState};
use crate::{figures, records};

/// The kind under which orders are kept.
const RECORD: &str = "memo_order";
/// Most letters of one order.
pub(crate) const CASES_MAX: usize = 1_000;
/// Longest addition to the letters, in characters.
const WORDS_MAX: usize = 2_000;
/// An order whose letters did not all go out is given up after so many days: a reminder of last week is none.
const OPEN_DAYS_MAX: i64 = 3;

/// One project and year of an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) project: String,
    pub(crate) year: i32,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) cases: Vec<Case>,
    pub(crate) words: String,
    /// Whether nothing of it is left to do.
    pub(crate) done: bool,
}

/// Why no letter goes out for a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    NoProject,
    /// Sent or accepted already.
    Sent,
    /// Nothing is due yet, or no report is asked for that year.
    NotDue,
    NoAddress,
}

impl Held {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::NoProject => "no_project",
            Self::Sent => "sent",
            Self::NotDue => "not_due",
            Self::NoAddress => "no_address",
        }
    }
}

/// A case with everything that its letter needs.
pub(crate) struct Ready {
    pub(crate) project: Arc<Project>,
    scheme: Arc<Scheme>,
    entry: Entry,
    pub(crate) day: NaiveDate,
    contact: Option<String>,
}

impl Ready {
    pub(crate) fn due<'a>(&'a self, words: &'a str, author: &'a str) -> Due<'a> {
        Due {
            about: About::Registered(&self.project),
            scheme: &self.scheme,
            entry: &self.entry,
            day: self.day,
            words,
            author,
            contact: self.contact.clone(),
        }
    }
}

/// Looks cases up in one pass over projects and submissions.
pub(crate) struct Desk<'a> {
    installation: &'a Installation,
    projects: Vec<Arc<Project>>,
    done: Fulfilments,
    contacts: BTreeMap<String, String>,
    now: Instant,
}

impl<'a> Desk<'a> {
    pub(crate) fn open(store: &Store, installation: &'a Installation, now: Instant) -> anyhow::Result<Self> {
        let (projects, _) = figures::projects(store, &installation.catalog)?;
        let (done, contacts) = (Fulfilments::read(store)?, contacts::mails(store)?);
        Ok(Self { installation, projects, done, contacts, now })
    }

    pub(crate) fn title(&self, case: &Case) -> String {
        let found = self.projects.iter().find(|p| p.id.as_str() == case.project);
        found.map_or_else(|| case.project.clone(), |p| p.title.clone())
    }

    /// The letter of a case on a day, or why there is none.
    pub(crate) fn ready(&self, case: &Case, day: NaiveDate) -> Result<Ready, Held> {
        let found = self.projects.binary_search_by(|p| p.id.as_str().cmp(&case.project)).ok();
        let project = found.and_then(|i| self.projects.get(i)).ok_or(Held::NoProject)?;
        let scheme = self.installation.catalog.scheme(&project.scheme).ok_or(Held::NoProject)?;
        let calendar = duties::of_project(self.installation, project, &self.done, self.now);
        let entries = calendar.map(|c| c.entries).unwrap_or_default();
        let entry = yearly(scheme, &entries, case.year).ok_or(Held::NotDue)?;
        match entry.state {
            State::Due | State::Late => {}
            State::Sent | State::Accepted => return Err(Held::Sent),
            State::Waiting | State::Upcoming => return Err(Held::NotDue),
        }
        let ready = Ready {
            project: Arc::clone(project),
            scheme: Arc::clone(scheme),
            entry: entry.clone(),
            day,
            contact: self.contacts.get(project.id.as_str()).cloned(),
        };
        if ready.due("", "").recipients().is_empty() { Err(Held::NoAddress) } else { Ok(ready) }
    }
}

/// The line of the calendar that is about a year's figures.
pub(crate) fn yearly<'e>(scheme: &Scheme, entries: &'e [Entry], year: i32) -> Option<&'e Entry> {
    let kind = |entry: &Entry| scheme.obligation(&entry.obligation).and_then(|o| o.report);
    let of = |wanted| entries.iter().find(|e| e.year == Some(year) && kind(e) == Some(wanted));
    of(ReportKind::Annual).or_else(|| of(ReportKind::Indicators)).or_else(|| of(ReportKind::Campaign))
}

/// Puts an order on record. The same order again changes nothing.
pub(crate) fn put(
    store: &Store,
    id: &str,
    mut cases: Vec<Case>,
    words: &str,
    (author, at): (&str, Instant),
) -> Result<(), Failure> {
    let plain = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !plain {
        return Err(Failure::bad_input("the order's id is not made of 1 to 64 letters, digits and `-`"));
    }
    cases.sort();
    cases.dedup();
    if cases.is_empty() || CASES_MAX < cases.len() {
        let says = format!("an order is about 1 to {CASES_MAX} cases, not {}", cases.len());
        return Err(Failure::bad_input(says).coded("no_cases"));
    }
    let length = words.chars().count();
    if WORDS_MAX < length || words.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r')) {
        let says = format!("the addition has {length} characters; at most {WORDS_MAX} printable ones fit");
        return Err(Failure::bad_input(says).coded("words_letter"));
    }
    let order = Order { cases, words: words.trim().to_owned(), done: false };
    let body = serde_json::to_string(&order).map_err(anyhow::Error::from)?;
    match store.put_first_record(RECORD, id, &body, author, at)? {
        FirstChange::Created | FirstChange::Same => Ok(()),
        FirstChange::Differs => {
            // Sent before and worked on since: the same cases are the same order.
            let known = get(store, id)?.map(|(known, _)| known);
            if known.is_some_and(|known| known.cases == order.cases && known.words == order.words) {
                return Ok(());
            }
            Err(Failure::bad_input("another order has this id").coded("begun"))
        }
    }
}

/// An order, with who gave it when: the first version tells that.
pub(crate) fn get(store: &Store, id: &str) -> anyhow::Result<Option<(Order, Record)>> {
    let Some((order, _)) = records::get::<Order>(store, RECORD, id)? else { return Ok(None) };
    let first = store.record_versions(RECORD, id)?.into_iter().next();
    Ok(first.map(|record| (order, record)))
}

/// Sends what open orders ask for. Blocks on disk and network.
pub(crate) fn round(
    store: &Store,
    installation: &Installation,
    now: Instant,
) -> anyhow::Result<Vec<Finding>> {
    let Some(mail) = &installation.settings.sending.mail else { return Ok(Vec::new()) };
    let open: Vec<(Order, Record)> = records::all::<Order>(store, RECORD)?;
    let mut findings = Vec::new();
    for (order, record) in open.into_iter().filter(|(order, _)| !order.done) {
        let texts = installation.catalog.texts(&installation.settings.installation.language);
        let desk = Desk::open(store, installation, now)?;
        let mut left = 0_usize;
        for case in &order.cases {
            let Ok(ready) = desk.ready(case, day(installation, &record)) else { continue };
            let due = ready.due(&order.words, &record.author);
            findings.extend(memos::remind(store, mail, &texts, &due, now)?);
            left +=
                usize::from(memos::by_id(store, &due.id())?.is_none_or(|m| m.state == MemoState::NotSent));
        }
        let given_up = OPEN_DAYS_MAX <= (now.day(zone(installation)) - day(installation, &record)).num_days();
        if left == 0 || given_up {
            let done = Order { done: true, ..order };
            let noted = records::put(store, (RECORD, &record.id), &done, &record.author, now);
            noted.map_err(|failure| failure.error)?;
        }
    }
    Ok(findings)
}

fn zone(installation: &Installation) -> model::Zone {
    installation.settings.installation.zone
}

/// The day of an order: the letters of one day are sent once.
pub(crate) fn day(installation: &Installation, record: &Record) -> NaiveDate {
    record.at.day(zone(installation))
}

/// What became of a case's letter.
pub(crate) fn state(
    store: &Store,
    desk: &Desk<'_>,
    case: &Case,
    day: NaiveDate,
) -> anyhow::Result<&'static str> {
    let id = |ready: &Ready| ready.due("", "").id();
    Ok(match desk.ready(case, day) {
        Ok(ready) => memos::by_id(store, &id(&ready))?.map_or("waiting", |memo| memo.state.code()),
        Err(held) => held.code(),
    })
}
