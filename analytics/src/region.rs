//! The region's table: every project in every year with what it reached and how good the evidence is; chosen, sorted,
//! summed up.
//!
//! Must never: count what is not determined as reached, or put a case without a figure among those with one.

mod query;
mod sums;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use model::{Intervention, MeterRole, Project, ProjectId, SchemeId, Severity};

pub use query::{DueFilter, PER_PAGE_MAX, Query, Sort, select};
pub use sums::{BINS, Bin, Distribution, Group, GroupLine, distribution, groups};

use crate::places::province;
use crate::result::{ProjectYear, Verdict};
use crate::scheme::calendar::State;
use crate::scheme::{KpiMeasure, KpiUnit};

/// What stands for a province that no code tells.
pub const NO_PROVINCE: &str = "-";

/// One KPI of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseKpi {
    pub code: String,
    /// Key of its name in the texts.
    pub text: String,
    pub measure: KpiMeasure,
    pub unit: KpiUnit,
    pub target: Option<f64>,
    /// What counts: the bound that is worse for the beneficiary. `None` when withheld.
    pub achieved: Option<f64>,
    /// 90 % bounds.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Achieved over target; 1 is 100 %.
    pub attainment_ratio: Option<f64>,
    pub verdict: Verdict,
    /// The code of what people are told of it ([`crate::result::KpiResult::told`]).
    pub told: &'static str,
}

impl CaseKpi {
    /// With how many decimals all its values are printed ([`crate::digits`]).
    #[must_use]
    pub fn decimals(&self) -> usize {
        crate::digits::decimals(&[self.achieved, self.target], (self.low, self.high))
    }
}

/// What is to be sent about the year, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseDuty {
    pub obligation: String,
    /// Key of its name in the texts.
    pub text: String,
    pub due: Option<NaiveDate>,
    /// From the day of the table; negative when past.
    pub days_left: Option<i64>,
    pub state: State,
    pub sent: Option<NaiveDate>,
}

/// One project in one year.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub project: ProjectId,
    pub title: String,
    pub cup: String,
    pub beneficiary: String,
    pub scheme: SchemeId,
    pub scheme_title: String,
    /// Of the first building.
    pub municipality: String,
    pub province: &'static str,
    pub interventions: Vec<Intervention>,
    pub year: i32,
    /// Whether the whole calendar year is counted.
    pub complete: bool,
    /// In the order of the scheme.
    pub kpis: Vec<CaseKpi>,
    /// Of the meter that counts and is worst covered, 0 to 1.
    pub coverage_ratio: Option<f64>,
    /// Of the meter that counts and whose year is estimated most, 0 to 1.
    pub estimated_ratio: Option<f64>,
    /// Open findings that withhold figures, and those that call for care.
    pub blocking: u32,
    pub cautions: u32,
    pub duty: Option<CaseDuty>,
    /// What a search looks through, in lower case.
    haystack: String,
}

impl Case {
    /// A case of a year's figures. `stated` are the codes of the KPI that no meter measures and whose value a person stated.
    #[must_use]
    pub fn new(figures: &ProjectYear, duty: Option<CaseDuty>, stated: &[String]) -> Self {
        let project: &Project = &figures.project;
        let building = project.buildings.first();
        let counted = || figures.meters.iter().filter(|m| m.meter.role != MeterRole::Sub);
        let of = |severity| {
            u32::try_from(figures.findings.iter().filter(|f| f.severity == severity).count())
                .unwrap_or(u32::MAX)
        };
        let mut case = Self {
            project: project.id.clone(),
            title: project.title.clone(),
            cup: project.cup.clone(),
            beneficiary: project.beneficiary.name.clone(),
            scheme: project.scheme.clone(),
            scheme_title: figures.scheme.title.clone(),
            municipality: building.map(|b| b.municipality.clone()).unwrap_or_default(),
            province: building.and_then(|b| province(&b.istat_code)).unwrap_or(NO_PROVINCE),
            interventions: project.grant.interventions.clone(),
            year: figures.year,
            complete: figures.is_complete(),
            kpis: figures.kpis.iter().map(|k| kpi(k, stated.contains(&k.definition.code))).collect(),
            coverage_ratio: counted().map(|m| m.totals.coverage_ratio).reduce(f64::min),
            estimated_ratio: counted().map(estimated).reduce(f64::max),
            blocking: of(Severity::Blocks),
            cautions: of(Severity::Caution),
            duty,
            haystack: String::new(),
        };
        case.index();
        case
    }

    /// Makes anew what a search looks through.
    pub fn index(&mut self) {
        let parts = [
            self.project.as_str(),
            &self.title,
            &self.cup,
            &self.beneficiary,
            &self.municipality,
            &self.scheme_title,
        ];
        self.haystack = parts.join("\n").to_lowercase();
    }

    /// The KPI that a table shows first: the one of the measure, or without one the primary energy saved, else the first.
    #[must_use]
    pub fn lead(&self, measure: Option<KpiMeasure>) -> Option<&CaseKpi> {
        let of = |wanted: KpiMeasure| self.kpis.iter().find(|k| k.measure == wanted);
        match measure {
            Some(measure) => of(measure),
            None => of(KpiMeasure::PrimaryEnergySaved).or(self.kpis.first()),
        }
    }

    /// Whether its verdict is one to answer for: the whole year is counted, and something with a day is to be sent about
    /// it. The running year and a year without an obligation are neither reached nor failed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.complete && self.duty.as_ref().is_some_and(|duty| duty.due.is_some())
    }

    /// One verdict over every KPI that has a target: missed when one is missed, reached only when all are.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let judged = || self.kpis.iter().filter(|k| k.target.is_some()).map(|k| k.verdict);
        if judged().any(|v| v == Verdict::Missed) {
            Verdict::Missed
        } else if judged().next().is_none() || judged().any(|v| v == Verdict::Undetermined) {
            Verdict::Undetermined
        } else {
            Verdict::Reached
        }
    }
}

fn kpi(kpi: &crate::result::KpiResult, was_stated: bool) -> CaseKpi {
    CaseKpi {
        code: kpi.definition.code.clone(),
        text: kpi.definition.text.clone(),
        measure: kpi.definition.measure,
        unit: kpi.definition.unit,
        target: kpi.target,
        achieved: kpi.achieved,
        low: kpi.low,
        high: kpi.high,
        attainment_ratio: kpi.attainment_ratio,
        verdict: kpi.verdict,
        told: kpi.told(was_stated),
    }
}

/// The mean share of the year's reporting months that is estimated; a month without data counts whole.
fn estimated(meter: &crate::result::MeterYear) -> f64 {
    let months: Vec<f64> = meter
        .months
        .iter()
        .filter(|m| m.reporting)
        .map(|m| if m.measured.is_some() { m.estimated_ratio } else { 1.0 })
        .collect();
    if months.is_empty() { 0.0 } else { months.iter().sum::<f64>() / months.len() as f64 }
}
