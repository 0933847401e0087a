//! What the pages ask of the daemon.
//!
//! Must never: name a storage engine or a connector.

use std::path::PathBuf;
use std::sync::Arc;

use analytics::result::ProjectYear;
use analytics::scheme::DueReport;
use chrono::NaiveDate;
use model::{BuildingId, Channel, Finding, Instant, MeterId, Project, ProjectId};
use tokio::sync::broadcast;

/// The daemon as the pages see it. Calls answer from memory; they never block on disk for long.
pub trait Backend: Send + Sync + 'static {
    fn installation(&self) -> Installation;
    /// Every project, in order of id.
    fn portfolio(&self) -> Vec<PortfolioRow>;
    fn project(&self, id: &ProjectId) -> Option<ProjectView>;
    /// State of every configured meter, in order of id.
    fn meters(&self) -> Vec<MeterState>;
    /// Operational findings now open (links down, quarantined payloads, counters held).
    fn findings(&self) -> Vec<Finding>;
    /// Live state of every building, and changes from now on.
    fn live(&self) -> (Vec<BuildingLive>, broadcast::Receiver<Arc<BuildingLive>>);
    /// The report files written for a project, if `name` is one of them.
    fn report_file(&self, id: &ProjectId, year: i32, name: &str) -> Option<PathBuf>;
    /// Prometheus text format 0.0.4.
    fn metrics(&self) -> String;
    fn now(&self) -> Instant;
}

#[derive(Debug, Clone)]
pub struct Installation {
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
    /// The next report due, today or later; else the last one past.
    pub next_due: Option<DueReport>,
}

/// All that one project's page shows.
#[derive(Debug, Clone)]
pub struct ProjectView {
    pub project: Arc<Project>,
    pub scheme: Arc<analytics::scheme::Scheme>,
    /// Newest first.
    pub years: Vec<Arc<ProjectYear>>,
    pub due: Vec<DueReport>,
    pub reports: Vec<ReportListing>,
    pub today: NaiveDate,
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
    /// Latest value of each channel in its kept unit.
    pub values: Vec<(Channel, f64, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeterHealth {
    /// Read within three periods.
    Fresh,
    /// Older than that.
    Late,
    /// Never read since the daemon knows it.
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
    pub at: Instant,
}
