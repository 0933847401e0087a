//! The calendar of a project: what is due when, and how far each thing is.
//!
//! Must never: call something sent of which neither a record nor a stated day tells, or leave an obligation out because a day is missing.

use chrono::{Days, Months, NaiveDate};
use model::{Event, Project};

use super::deadline::{Known, Need};
use super::{Obligation, Scheme, Signer};

/// How long before its day something counts as due, where nothing says from when it can be done.
const NOTICE_DAYS: u64 = 60;

/// How far an obligation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// A day or a number must be stated before the due day can be told.
    Waiting,
    /// Cannot be fulfilled yet, or need not be soon.
    Upcoming,
    /// To be done, up to and including its day.
    Due,
    /// Its day has passed.
    Late,
    Sent,
    Accepted,
}

impl State {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Upcoming => "upcoming",
            Self::Due => "due",
            Self::Late => "late",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
        }
    }
}

/// How far a submission came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    Sent,
    /// The authority asked for more: the obligation is open again.
    IntegrationAsked,
    Accepted,
}

/// That an obligation was fulfilled, as it is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fulfilment {
    /// Id of the obligation in its scheme.
    pub obligation: String,
    pub year: Option<i32>,
    /// The civil day on which it was sent.
    pub sent: NaiveDate,
    pub progress: Progress,
}

/// One line of the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub obligation: String,
    /// Key of its name in the texts.
    pub text: String,
    pub year: Option<i32>,
    pub opens: Option<NaiveDate>,
    /// `None` while it waits.
    pub due: Option<NaiveDate>,
    pub needs: Vec<Need>,
    pub state: State,
    pub sent: Option<NaiveDate>,
    /// Whether the authority asked for more and nothing was sent since.
    pub integration_asked: bool,
    pub signer: Signer,
    pub channel: String,
    pub citation: String,
}

impl Entry {
    /// Days from `today` to the due day; negative when past.
    #[must_use]
    pub fn days_left(&self, today: NaiveDate) -> Option<i64> {
        self.due.map(|due| (due - today).num_days())
    }
}

/// A time during which something must be kept as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptUntil {
    pub id: String,
    pub text: String,
    pub event: Event,
    /// Day of the event and last day of the time; `None` while the event's day is not known.
    pub days: Option<(NaiveDate, NaiveDate)>,
    pub citation: String,
}

/// Every obligation of a project, by due day; those that wait come last, each with what it waits for.
#[must_use]
pub fn calendar(scheme: &Scheme, project: &Project, today: NaiveDate, done: &[Fulfilment]) -> Vec<Entry> {
    let events = project.events();
    calendar_of(scheme, &Known { events: &events, report_years: project.grant.report_years, today }, done)
}

/// [`calendar`] of a project of which these days are known and no more.
#[must_use]
pub fn calendar_of(scheme: &Scheme, known: &Known<'_>, done: &[Fulfilment]) -> Vec<Entry> {
    let (events, today) = (known.events, known.today);
    let completed = events.get(&Event::Completion).copied();
    let closed = |obligation: &Obligation| {
        let on = obligation.closed_by.and_then(|event| events.get(&event).copied());
        // A day to come has closed nothing yet, and none closes what was not complete.
        on.filter(|on| *on <= today && completed.is_none_or(|completed| completed <= *on))
    };
    let mut entries = Vec::new();
    for obligation in &scheme.rules.obligations {
        let schedule = obligation.due.schedule(known);
        for occurrence in &schedule.occurrences {
            let mut line = entry(obligation, occurrence.year, Some(occurrence.due), today, done);
            line.opens = occurrence.opens;
            line.needs.clone_from(&schedule.needs);
            close(&mut line, closed(obligation));
            line.state = state(&line, today);
            entries.push(line);
        }
        if schedule.occurrences.is_empty() {
            let mut line = entry(obligation, None, None, today, done);
            line.needs = schedule.needs;
            close(&mut line, closed(obligation));
            // What waits for nothing never falls due: its time was over before its first day.
            if line.state != State::Waiting || !line.needs.is_empty() {
                entries.push(line);
            }
        }
    }
    entries.sort_by(|a, b| {
        let key = |e: &Entry| (e.due.is_none(), e.due, e.year);
        key(a).cmp(&key(b)).then_with(|| a.obligation.cmp(&b.obligation))
    });
    entries
}

/// What was fulfilled before the event that asks for it: nobody recorded it here, and its day is stated.
fn close(line: &mut Entry, on: Option<NaiveDate>) {
    let Some(on) = on.filter(|_| !matches!(line.state, State::Sent | State::Accepted)) else { return };
    if !line.integration_asked {
        line.state = State::Sent;
        line.sent = Some(on);
    }
}

fn entry(
    obligation: &Obligation,
    year: Option<i32>,
    due: Option<NaiveDate>,
    today: NaiveDate,
    done: &[Fulfilment],
) -> Entry {
    let own = || done.iter().filter(|f| f.obligation == obligation.id && f.year == year);
    let furthest = own().map(|f| f.progress).max();
    let sent = own().map(|f| f.sent).min();
    let mut entry = Entry {
        obligation: obligation.id.clone(),
        text: obligation.text.clone(),
        year,
        opens: None,
        due,
        needs: Vec::new(),
        state: State::Waiting,
        sent,
        integration_asked: furthest == Some(Progress::IntegrationAsked),
        signer: obligation.signer,
        channel: obligation.channel.clone(),
        citation: obligation.citation.clone(),
    };
    entry.state = match furthest {
        Some(Progress::Accepted) => State::Accepted,
        Some(Progress::Sent) => State::Sent,
        Some(Progress::IntegrationAsked) | None => state(&entry, today),
    };
    entry
}

fn state(entry: &Entry, today: NaiveDate) -> State {
    if matches!(entry.state, State::Sent | State::Accepted) {
        return entry.state;
    }
    let Some(due) = entry.due else { return State::Waiting };
    if due < today {
        return State::Late;
    }
    let opens = entry.opens.or_else(|| due.checked_sub_days(Days::new(NOTICE_DAYS)));
    // What was asked for again is to be done now.
    if entry.integration_asked || opens.is_none_or(|day| day <= today) { State::Due } else { State::Upcoming }
}

/// What must be kept as it is, and until when.
#[must_use]
pub fn kept(scheme: &Scheme, project: &Project) -> Vec<KeptUntil> {
    let events = project.events();
    scheme
        .rules
        .periods
        .iter()
        .map(|period| {
            let from = events.get(&period.event).copied();
            let last = |from: NaiveDate| from.checked_add_months(Months::new(12 * period.years));
            KeptUntil {
                id: period.id.clone(),
                text: period.text.clone(),
                event: period.event,
                days: from.and_then(|from| Some((from, last(from)?))),
                citation: period.citation.clone(),
            }
        })
        .collect()
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
