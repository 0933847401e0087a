//! What stands beside a year's figures in its report: the year before, the course, signatures, profiles, comments,
//! values that people state.
//!
//! Must never: change a figure. A report without any of it states the same results.

use chrono::NaiveDate;

use crate::evaluate::KpiCourse;
use crate::load::LoadProfile;
use crate::result::ProjectYear;
use crate::savings::forms::Forms;
use crate::signature::Signature;

/// Everything a report may show beside the year's own figures. What is absent is left out of the report.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// The year before, when it has figures.
    pub former: Option<Box<ProjectYear>>,
    /// In the order of the scheme's KPI.
    pub courses: Vec<KpiCourse>,
    pub signatures: Vec<Signature>,
    pub profiles: Vec<LoadProfile>,
    /// Savings under the reference year and since completion.
    pub forms: Option<Forms>,
    pub comments: Vec<Comment>,
    /// What people state of the year's KPI; the measured values stay as they are.
    pub stated: Vec<StatedValue>,
    /// Codes of the KPI of the year before whose value a person stated.
    pub former_stated: Vec<String>,
    /// Documents that people recorded for a KPI of the year.
    pub papers: Vec<Paper>,
    /// First day and first day after the time of the signatures and profiles, where that is not the year.
    pub period: Option<(NaiveDate, NaiveDate)>,
}

/// A KPI's value as a person states it in place of the measured one.
#[derive(Debug, Clone, PartialEq)]
pub struct StatedValue {
    /// Of the KPI.
    pub code: String,
    /// In the scheme's unit.
    pub value: f64,
    pub reason: String,
    pub author: String,
    /// On which it was stated.
    pub date: NaiveDate,
}

/// A document that a person recorded for a KPI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// Of the KPI.
    pub code: String,
    pub title: String,
    /// Of its file.
    pub name: String,
}

/// A person's comment on a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    pub section: SectionKey,
    /// Paragraphs, divided by empty lines. Plain text.
    pub text: String,
    pub author: String,
    pub date: NaiveDate,
    /// Whether it stands in place of what the program would say, not under it.
    pub instead: bool,
}

/// A section on which a person may comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SectionKey {
    Summary,
    Buildings,
    Monitoring,
    Monthly,
    Load,
    Weather,
    Baseline,
    Savings,
    Balance,
    Emissions,
    Checks,
    Events,
    Changes,
    Findings,
}

impl SectionKey {
    pub const ALL: [Self; 14] = [
        Self::Summary,
        Self::Buildings,
        Self::Monitoring,
        Self::Monthly,
        Self::Load,
        Self::Weather,
        Self::Baseline,
        Self::Savings,
        Self::Balance,
        Self::Emissions,
        Self::Checks,
        Self::Events,
        Self::Changes,
        Self::Findings,
    ];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Buildings => "buildings",
            Self::Monitoring => "monitoring",
            Self::Monthly => "monthly",
            Self::Load => "load",
            Self::Weather => "weather",
            Self::Baseline => "baseline",
            Self::Savings => "savings",
            Self::Balance => "balance",
            Self::Emissions => "emissions",
            Self::Checks => "checks",
            Self::Events => "events",
            Self::Changes => "changes",
            Self::Findings => "findings",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }
}
