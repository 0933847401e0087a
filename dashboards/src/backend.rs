//! What the pages ask of the daemon.
//!
//! Must never: name a storage engine or a connector.

use std::path::PathBuf;
use std::sync::Arc;

use analytics::forecast::Forecast;
use analytics::result::ProjectYear;
use analytics::scheme::calendar::{Entry, State};
use analytics::text::Texts;
use chrono::NaiveDate;
use model::{BuildingId, Channel, Finding, Instant, MeterId, Month, Project, ProjectId};
use tokio::sync::broadcast;

use crate::calendar::ProjectCalendar;
use crate::desk::Desk;
use crate::grants::{GrantsForm, GrantsRefused, GrantsTaken};
use crate::watch::Watch;

/// The daemon as the pages see it. Calls answer from memory; they never block on disk for long.
pub trait Backend: Desk + Watch + Send + Sync + 'static {
    fn installation(&self) -> Installation;
    /// The texts of one language each; the first is used for readers whose language is not among them and whose
    /// installation names none.
    fn texts(&self) -> Vec<Arc<Texts>>;
    /// Every project, in order of id.
    fn portfolio(&self) -> Vec<PortfolioRow>;
    fn project(&self, id: &ProjectId) -> Option<ProjectView>;
    /// State of every configured meter, in order of id.
    fn meters(&self) -> Vec<MeterState>;
    /// The building that a meter of a project is in; `None` for one that no project counts. From memory.
    fn place_of_meter(&self, meter: &MeterId) -> Option<(ProjectId, BuildingId)>;
    /// Operational findings now open (links down, quarantined payloads, counters held).
    fn findings(&self) -> Vec<Finding>;
    /// Live state of every building, and changes from now on.
    fn live(&self) -> (Vec<BuildingLive>, broadcast::Receiver<Arc<BuildingLive>>);
    /// The report files written for a project, if `name` is one of them.
    fn report_file(&self, id: &ProjectId, year: i32, name: &str) -> Option<PathBuf>;
    /// Prometheus text format 0.0.4.
    fn metrics(&self) -> String;
    fn now(&self) -> Instant;
    /// What every project, or one of them, has to do when. May ask the disk.
    fn calendars(&self, project: Option<&ProjectId>) -> Vec<ProjectCalendar>;
    /// The token of the grants system; `None` where it may deliver nothing.
    fn grants_token(&self) -> Option<String>;
    /// Takes what the grants system delivers, whole or not at all. May ask the disk.
    ///
    /// # Errors
    /// [`GrantsRefused`], and nothing was taken.
    fn take_closed_projects(&self, form: GrantsForm, body: &[u8]) -> Result<GrantsTaken, GrantsRefused>;
}

#[derive(Debug, Clone)]
pub struct Installation {
    /// Names the calendar's events.
    pub id: String,
    pub name: String,
    /// Shown as a banner: the data are a demonstration.
    pub demo: bool,
    /// `it` or `en`: the language of a reader who states none.
    pub language: String,
    pub version: &'static str,
}

/// One line of the portfolio.
#[derive(Debug, Clone)]
pub struct PortfolioRow {
    pub project: Arc<Project>,
    pub scheme_title: String,
    /// The newest year with figures.
    pub latest: Option<Arc<ProjectYear>>,
    /// Codes of its KPI that no meter measures and whose value a person stated.
    pub stated: Vec<String>,
    /// The first of what is still to be sent: what is late comes first. `None` when nothing that has a day is open.
    pub next_due: Option<Duty>,
    /// How many days have passed without the thing having been sent.
    pub late: usize,
}

/// Something to be sent that has a day, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// Id of the obligation in its scheme.
    pub obligation: String,
    /// Key of its name in the texts.
    pub text: String,
    pub year: Option<i32>,
    pub due: NaiveDate,
    pub state: State,
}

impl Duty {
    /// A line of the calendar; `None` for one that waits for its day.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        Some(Self {
            obligation: entry.obligation.clone(),
            text: entry.text.clone(),
            year: entry.year,
            due: entry.due?,
            state: entry.state,
        })
    }

    /// Whether it is still to be sent.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Sent | State::Accepted)
    }
}

/// All that one project's page shows.
#[derive(Debug, Clone)]
pub struct ProjectView {
    pub project: Arc<Project>,
    pub scheme: Arc<analytics::scheme::Scheme>,
    /// Newest first.
    pub years: Vec<Arc<ProjectYear>>,
    /// Of the year in progress.
    pub forecast: Option<Arc<Forecast>>,
    /// What is due, by day, sent or not.
    pub due: Vec<Duty>,
    pub reports: Vec<ReportListing>,
    /// The KPI that no meter measures and whose value a person stated, by year.
    pub stated: Vec<(i32, String)>,
    pub today: NaiveDate,
}

impl ProjectView {
    /// The codes of [`Self::stated`] in one year.
    #[must_use]
    pub fn stated_in(&self, year: i32) -> Vec<String> {
        self.stated.iter().filter(|(of, _)| *of == year).map(|(_, code)| code.clone()).collect()
    }
}

#[derive(Debug, Clone)]
pub struct ReportListing {
    pub year: i32,
    pub files: Vec<ReportFile>,
}

#[derive(Debug, Clone)]
pub struct ReportFile {
    pub name: String,
    pub bytes: u64,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
}

/// A configured meter and how it does.
#[derive(Debug, Clone)]
pub struct MeterState {
    pub id: MeterId,
    pub model: String,
    /// Where it is read: `modbus-tcp 10.0.0.5:502 unit 3`.
    pub link: String,
    pub building: Option<BuildingId>,
    pub last_reading_at: Option<Instant>,
    /// Reading period in seconds.
    pub every_seconds: u32,
    pub health: MeterHealth,
    /// The loss budget by civil month, newest first.
    pub losses: Vec<MonthLosses>,
    /// Latest value of each channel in its kept unit.
    pub values: Vec<(Channel, f64, Instant)>,
}

/// How many readings of a meter's main channel were to come in a civil month, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonthLosses {
    pub month: Month,
    /// When counting began, where that was within this month and while this daemon ran.
    pub since: Option<Instant>,
    /// What the meter's period asks for, in the current month until now.
    pub expected: u64,
    /// Usable, late ones included. May exceed what was expected: a meter may send more often than it must.
    pub received: u64,
    /// Of those received: long after their time, or after a later one.
    pub late: u64,
    /// Kept aside: implausible, or another value of the same instant.
    pub refused: u64,
    /// Payloads that could not be understood.
    pub quarantined: u64,
    /// Values of any channel that the meter said it does not have.
    pub no_value: u64,
    /// Readings of any channel lost because the journal refused them for too long.
    pub dropped: u64,
    /// The share of the month's quantity that figures do not take from readings, 0 to 1; `None` without figures, and where
    /// nothing came and nothing was booked in its place.
    pub estimated_ratio: Option<f64>,
}

impl MonthLosses {
    /// A month of which nothing is counted yet.
    #[must_use]
    pub const fn new(month: Month) -> Self {
        Self {
            month,
            since: None,
            expected: 0,
            received: 0,
            late: 0,
            refused: 0,
            quarantined: 0,
            no_value: 0,
            dropped: 0,
            estimated_ratio: None,
        }
    }

    /// Readings that were to come and did not, or are not usable.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeterHealth {
    /// Read within three periods.
    Fresh,
    /// Older than that.
    Late,
    /// For so long that an alarm is raised, or never read since the daemon knows it.
    Silent,
}

impl MeterHealth {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Late => "late",
            Self::Silent => "silent",
        }
    }
}

/// A building now.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildingLive {
    pub project: ProjectId,
    pub building: BuildingId,
    pub name: String,
    /// Electric power drawn from the grid now, in W; `None` when no fresh reading says.
    pub power_w: Option<f64>,
    /// Power produced now, in W.
    pub production_w: Option<f64>,
    /// Since midnight, for each import meter: name, energy in the carrier's display unit (`None` when nothing of the
    /// day was measured), the unit's symbol.
    pub today: Vec<(String, Option<f64>, &'static str)>,
    /// Power now of each meter of electricity that is read, in W.
    pub meters: Vec<(MeterId, Option<f64>)>,
    pub at: Instant,
}
