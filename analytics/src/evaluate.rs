//! One project and one year: everything measured, modelled and compared, as plain values.
//!
//! Must never: fail on bad data, treat what is missing as zero, or let an unmeasured month count as a saving.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;
use model::{
    Adjustment, BilledPeriod, DailyTemperature, DatedAct, Digest, Finding, Instant, MeterAct, MeterId, Month,
    MonthlySeries, Project, Severity, StationId,
};

use crate::balance::{self, BalanceMeter, SlotSeries};
use crate::counter::Decision;
use crate::factors::{FactorSet, Factors};
use crate::kpi;
use crate::places::{Place, ZoneRules};
use crate::result::{MeterYear, MonthReadings, ProjectYear};
use crate::scheme::Scheme;
use crate::series::DatedFinding;

pub use course::{CoursePoint, KpiCourse, course};

/// Version of the computing rules; changes whenever the same inputs may give another figure.
pub const RULES: &str = "11";

/// Share of a period's time that must be measured for it to be used: 0.9, CalTRACK 2.0 §2.2.1.2 and §2.2.3.2.
pub const COVERAGE_MIN: f64 = 0.9;

/// Everything the figures of one project and year depend on.
#[derive(Debug, Clone)]
pub struct YearInput<'a> {
    pub project: Arc<Project>,
    pub scheme: Arc<Scheme>,
    pub factors: Arc<FactorSet>,
    pub year: i32,
    /// First day not counted, in the project's zone: the day up to which data may exist. Days after the year's end
    /// change nothing.
    pub until: NaiveDate,
    /// What is known of the project's meters, in any order. A meter without an entry has no data.
    pub meters: Vec<MeterInput>,
    /// Of the project's station, in any order.
    pub temperatures: &'a [DailyTemperature],
    /// The station that fills days which the project's lacks, with its temperatures in any order.
    pub neighbour: Option<(StationId, &'a [DailyTemperature])>,
    /// Municipalities with what the law says of their zone; those that are no building's are left out.
    pub places: Vec<(Place, ZoneRules)>,
    /// Digest of the catalogue files used: scheme and factor set.
    pub catalog: Digest,
    /// Baselines that a person accepted, in any order.
    pub frozen: Vec<laws::Frozen>,
    /// What people adjusted for non-routine events, in any order.
    pub adjustments: Vec<Adjustment>,
}

/// What is known of one meter.
#[derive(Debug, Clone)]
pub struct MeterInput {
    pub meter: MeterId,
    /// From the meter's own totals: [`crate::series::Accumulator::snapshot`] at the first instant of `until`.
    pub months: MonthlySeries,
    /// Its quarter-hours or hours of the year, where it has them and a balance needs them.
    pub slots: Option<SlotSeries>,
    /// What was billed to it ([`Project::uses_bills`]), in any order.
    pub bills: Vec<BilledPeriod>,
    /// What its counter did: [`crate::series::Accumulator::findings`]. Months that are not used are left out.
    pub findings: Vec<DatedFinding>,
    /// How breaks of its totals are explained: [`crate::series::Accumulator::decisions`].
    pub decisions: Vec<Decision>,
    /// Milliseconds of each month in which its total stood still, where nobody confirmed that nothing was used:
    /// [`crate::series::Accumulator::still_months`].
    pub still: Vec<(Month, i64)>,
    /// What people decided about it, and what of that the readings do not bear out:
    /// [`crate::series::Accumulator::refused_acts`].
    pub acts: Vec<MeterAct>,
    pub refused_acts: Vec<DatedAct>,
    /// How many readings `months` was made of, and from when to when.
    pub readings: u64,
    pub first_reading_at: Option<Instant>,
    pub last_reading_at: Option<Instant>,
    /// What became of the readings that were to come, ascending by month. Printed; no figure depends on it.
    pub counts: Vec<MonthReadings>,
}

impl MeterInput {
    /// A meter of which nothing is known.
    #[must_use]
    pub fn empty(meter: MeterId, unit: model::BaseUnit) -> Self {
        Self {
            meter,
            months: MonthlySeries::empty(unit),
            slots: None,
            bills: Vec::new(),
            findings: Vec::new(),
            decisions: Vec::new(),
            still: Vec::new(),
            acts: Vec::new(),
            refused_acts: Vec::new(),
            readings: 0,
            first_reading_at: None,
            last_reading_at: None,
            counts: Vec::new(),
        }
    }
}

mod acts;
mod adjustments;
mod course;
mod digest;
pub(crate) mod doubts;
pub(crate) mod flows;
mod joint;
pub mod laws;
pub(crate) mod meter;
mod months;
mod opening;
mod stuck;
mod weather;

/// The station's days, filled from the neighbour where one is named.
pub(crate) fn temperatures(input: &YearInput<'_>) -> crate::degree_days::DailyMeans {
    weather::temperatures(input).0
}

/// All figures of the year. Never fails: what cannot be said is `None` and has a finding.
///
/// Which bound counts: `achieved` takes the model's best estimate with the bound of the *unmeasured* energy that is
/// worse for the beneficiary (an hour without readings may have used all that the connection carries). The
/// statistical band of the model is not laid to the beneficiary's charge, since it falls on both sides alike; it is
/// shown with the unmeasured energy in `low` and `high`.
#[must_use]
pub fn evaluate(input: &YearInput<'_>) -> ProjectYear {
    let project = &input.project;
    let (temperatures, filling, doubted) = weather::temperatures(input);
    let context = meter::Context::new(input, &temperatures);
    let (weather, mut findings) = weather::sum_up(input, &temperatures, filling, doubted);
    let mut meters = Vec::new();
    let mut assessed = Vec::new();
    for (building, facts) in project.meters() {
        let known = input.meters.iter().find(|m| m.meter == facts.id);
        let (year, assessment, meter_findings) = meter::assess(&context, &building.id, facts, known);
        findings.extend(meter_findings);
        meters.push(year);
        assessed.push(assessment);
    }
    // Sums do not depend on the order of the project file.
    assessed.sort_by(|a, b| a.meter.cmp(&b.meter));
    findings.extend(year_finding(input, &context));
    let weighed = flows::weigh(input, &mut meters, &mut assessed);
    findings.extend(weighed.findings);
    let balances = balances(input, &meters, &weighed.doubted, &mut findings);
    findings.extend(validity(input));
    findings.extend(input.scheme.rules.facility.as_ref().and_then(|rule| rule.unlike_stated(project)));
    let (kpis, kpi_findings) = kpi::all(&kpi::Context {
        project,
        scheme: &input.scheme,
        factors: Factors { set: &input.factors, own: &project.terms.factors },
        meters: &assessed,
        years: &meters,
        balances: &balances,
        whole_year: context.reporting_months() == 12,
        completed: is_completed(input),
        year: input.year,
    });
    findings.extend(kpi_findings);
    findings.sort_by(|a, b| {
        (b.severity, a.code, &a.subject, &a.says).cmp(&(a.severity, b.code, &b.subject, &b.says))
    });
    findings.dedup();
    ProjectYear {
        project: Arc::clone(project),
        scheme: Arc::clone(&input.scheme),
        factors: Arc::clone(&input.factors),
        year: input.year,
        until: input.until,
        meters,
        weather,
        kpis,
        balances,
        findings,
        provenance: digest::provenance(input),
    }
}

/// Whether the year is over and the works were completed by its end.
fn is_completed(input: &YearInput<'_>) -> bool {
    let end = NaiveDate::from_ymd_opt(input.year + 1, 1, 1).unwrap_or(NaiveDate::MAX);
    end <= input.until && input.project.dates.completed < end
}

/// The project's factor set was superseded within or before the year, or did not hold yet when the baseline began. The
/// figures stay on it: both sides of a comparison use one set.
fn validity(input: &YearInput<'_>) -> Option<Finding> {
    let set = &input.factors;
    let begin = input.project.dates.baseline_from;
    let end = NaiveDate::from_ymd_opt(input.year, 12, 31).unwrap_or(NaiveDate::MAX);
    let straddles =
        set.valid_to.is_some_and(|to| to < end) || set.valid_from.is_some_and(|from| begin < from);
    let show = |day: Option<NaiveDate>| day.map_or_else(|| "-".to_owned(), |day| day.to_string());
    let (from, to) = (show(set.valid_from), show(set.valid_to));
    let kind = match (set.valid_from, set.valid_to) {
        (None, _) => "to",
        (Some(_), None) => "from",
        (Some(_), Some(_)) => "between",
    };
    let says = format!(
        "factor set {} was valid from {from} to {to}, and the comparison reaches from {begin} to {end}; it stays on \
         this one set, as the declared values were computed with it",
        set.id
    );
    let rule = "one named set for both sides of a comparison, the one of the ex-ante certificate";
    straddles.then(|| {
        Finding::new(
            "factor.validity",
            Severity::Note,
            format!("factors:{} {}", set.id, input.year),
            says,
            rule,
        )
        .with("set", &set.id)
        .with("kind", kind)
        .with("from", from)
        .with("to", to)
        .with("begin", begin)
        .with("end", end)
    })
}

/// The energy balances, with what they and the tree of sub-meters say.
fn balances(
    input: &YearInput<'_>,
    meters: &[MeterYear],
    doubted: &BTreeSet<MeterId>,
    findings: &mut Vec<Finding>,
) -> Vec<balance::BalanceYear> {
    let slots = |year: &MeterYear| {
        // A doubted month's slots are no better than the month.
        let mut sound = input.meters.iter().filter(|m| !doubted.contains(&m.meter));
        sound.find(|m| m.meter == year.meter.id).and_then(|m| m.slots.as_ref())
    };
    let known: Vec<BalanceMeter<'_>> = meters.iter().map(|m| BalanceMeter::of(m, slots(m))).collect();
    let balances = balance::year(&known, input.project.zone);
    findings.extend(balance::judge(&input.project, &known, &balances, &balance::limits(&input.scheme)));
    balances
}

/// Whether the year has twelve reporting months; if not, its KPI are not judged.
fn year_finding(input: &YearInput<'_>, context: &meter::Context<'_>) -> Option<Finding> {
    let months = context.reporting_months();
    let about = format!("project:{} {}", input.project.id, input.year);
    let says = format!("the year has {months} reporting months so far; its KPI are judged with twelve");
    (months < 12).then(|| {
        Finding::new(
            "year.incomplete",
            Severity::Caution,
            about,
            says,
            "annual KPI are stated for a whole calendar year",
        )
        .with("months", months)
        .with("year", input.year)
    })
}

#[cfg(test)]
mod tests;
