//! One meter in one year: its months, its baseline, what it saved and between which bounds.
//!
//! Must never: compare a month that was not measured, or take a missing meter for one that used nothing.

use chrono::NaiveDate;
use model::{
    BuildingId, Carrier, Direction, Finding, GasBasis, MeterFacts, MeterId, MeterRole, Month, MonthValue,
    MonthlySeries, Severity,
};

use super::{COVERAGE_MIN, MeterInput, YearInput};
use crate::baseline::{self, FitPeriod, Fitted, Spread};
use crate::bills::{self, SettledBills};
use crate::degree_days::{DailyMeans, DegreeDayDefinition};
use crate::normalise::{Adjusted, adjust};
use crate::result::{Baseline, MeterMonth, MeterTotals, MeterYear, MonthSource};

/// What all meters of a year share.
#[derive(Debug)]
pub(super) struct Context<'a> {
    input: &'a YearInput<'a>,
    temperatures: &'a DailyMeans,
}

impl<'a> Context<'a> {
    pub(super) fn new(input: &'a YearInput<'a>, temperatures: &'a DailyMeans) -> Self {
        Self { input, temperatures }
    }

    /// After the day of completion and before `until`, as a whole month.
    fn is_reporting(&self, month: Month) -> bool {
        self.input.project.dates.completed < month.first_day() && month.end_day() <= self.input.until
    }

    /// Twelve or fewer.
    pub(super) fn reporting_months(&self) -> u32 {
        Month::all_of(self.input.year).iter().map(|&m| u32::from(self.is_reporting(m))).sum()
    }

    fn baseline_bounds(&self) -> (NaiveDate, NaiveDate) {
        (self.input.project.dates.baseline_from, self.input.project.dates.baseline_to)
    }

    /// Whether something that happened in this month can touch a figure.
    fn is_used(&self, month: Month) -> bool {
        let (from, to) = self.baseline_bounds();
        month.year == self.input.year || (from < month.end_day() && month.first_day() < to)
    }
}

/// An amount over the reporting months and between which bounds the truth lies, in display units.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Bounded {
    pub(crate) best: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// What the KPI need of a meter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assessment {
    pub(crate) meter: MeterId,
    pub(crate) carrier: Carrier,
    pub(crate) direction: Direction,
    /// Whether its energy is compared with a baseline.
    pub(crate) compared: bool,
    /// Whether it is a part of another meter.
    pub(crate) sub: bool,
    /// Whether any reporting month, or the whole meter, is withheld.
    pub(crate) withheld: bool,
    /// Avoided energy: model's best estimate, bounds of what was not measured.
    pub(crate) avoided: Bounded,
    /// Half the model's 90 % band over the reporting months.
    pub(crate) half_width: f64,
    /// Measured energy over the reporting months.
    pub(crate) measured: Bounded,
    /// Codes of its findings that withhold or weaken a figure.
    pub(crate) because: Vec<String>,
}

/// What a meter's saving is measured against.
enum Reference {
    Model(Fitted),
    Zero,
    None,
    Unknown,
}

pub(super) fn assess(
    context: &Context<'_>,
    building: &BuildingId,
    facts: &MeterFacts,
    known: Option<&MeterInput>,
) -> (MeterYear, Assessment, Vec<Finding>) {
    let subject = format!("meter:{}", facts.id);
    let unit = facts.carrier.base_unit();
    let mut findings = Vec::new();
    let empty = MeterInput::empty(facts.id.clone(), unit);
    let known = known.unwrap_or(&empty);
    let settled = bills::settle(&known.bills, unit, &subject);
    let dated = known.findings.iter().chain(&settled.findings);
    findings.extend(dated.filter(|f| context.is_used(f.month)).map(|f| f.finding.clone()));
    findings.extend(converted(facts, known, &subject));
    let from_bills =
        bills::months(&settled.periods, unit, context.input.project.zone, facts.ceiling_per_milli());
    let reference = reference(context, facts, known, &settled, &subject, &mut findings);
    let mut rows: Vec<Row> = Month::all_of(context.input.year)
        .into_iter()
        .map(|month| Row::of(context, facts, month, &known.months, &from_bills))
        .collect();
    for row in &mut rows {
        row.compare(context, &reference);
    }
    report_withheld(context, facts, &rows, &subject, &mut findings);
    let assessment = sum_up(facts, &reference, &rows, &findings);
    let year = MeterYear {
        building: building.clone(),
        meter: facts.clone(),
        totals: totals(context, &rows, &assessment),
        months: rows.into_iter().map(|r| r.shown).collect(),
        baseline: match reference {
            Reference::Model(fitted) => Baseline::Fitted(fitted.model),
            Reference::Zero => Baseline::Zero,
            Reference::None => Baseline::NotCompared,
            Reference::Unknown => Baseline::Unknown,
        },
    };
    (year, assessment, findings)
}

/// Says with which coefficient the meter's volume became standard volume.
fn converted(facts: &MeterFacts, known: &MeterInput, subject: &str) -> Option<Finding> {
    let gas = facts.gas.filter(|_| 0 < known.readings)?;
    let rule = "conversion coefficient C of gas meters without corrector (low pressure)";
    let (code, says) = match gas.basis {
        GasBasis::Stated => {
            let says = format!("volume at the meter times C = {}, as stated in the project", gas.coefficient);
            ("gas.stated", says)
        }
        GasBasis::Place { altitude_m, degree_days, zone } => {
            let says = format!(
                "volume at the meter times C = {}, from {altitude_m} m, {degree_days} degree days, zone {zone}",
                gas.coefficient
            );
            ("gas.converted", says)
        }
    };
    let finding =
        Finding::new(code, Severity::Note, subject, says, rule).with("coefficient", gas.coefficient);
    Some(match gas.basis {
        GasBasis::Stated => finding,
        GasBasis::Place { altitude_m, degree_days, zone } => {
            finding.with("altitude_m", altitude_m).with("degree_days", degree_days).with("zone", zone)
        }
    })
}

fn reference(
    context: &Context<'_>,
    facts: &MeterFacts,
    known: &MeterInput,
    settled: &SettledBills,
    subject: &str,
    findings: &mut Vec<Finding>,
) -> Reference {
    match (facts.direction, facts.role) {
        (Direction::Export | Direction::Production, _) | (_, MeterRole::Sub) => Reference::None,
        (Direction::Import, MeterRole::New) => Reference::Zero,
        (Direction::Import, MeterRole::Compared) => {
            let periods = fit_periods(facts, known, settled);
            let (fitted, said) =
                baseline::fit(&periods, context.temperatures, context.baseline_bounds(), subject);
            findings.extend(said);
            fitted.map_or(Reference::Unknown, Reference::Model)
        }
    }
}

/// What a counter may do that leaves a month's energy in doubt even at its lower bound: too high a baseline would
/// flatter every year after it.
const DOUBTFUL: [&str; 3] = ["counter.reset", "counter.wrapped", "counter.impossible"];

/// Measured months, and bills as their own periods where no measured month stands. Both at their lower bound. Months
/// in which the counter is in doubt count as not measured.
fn fit_periods(facts: &MeterFacts, known: &MeterInput, settled: &SettledBills) -> Vec<FitPeriod> {
    let months = &known.months;
    let doubtful =
        |month: Month| known.findings.iter().any(|f| f.month == month && DOUBTFUL.contains(&f.finding.code));
    let unit = facts.carrier.base_unit();
    let mut periods: Vec<FitPeriod> = Vec::new();
    let bill = |p: &bills::UsePeriod| FitPeriod {
        from: p.from,
        to: p.to,
        energy: unit.to_display(p.amount),
        coverage_ratio: if p.settled { 1.0 } else { 0.0 },
    };
    let month = |m: &MonthValue| FitPeriod {
        from: m.month.first_day(),
        to: m.month.end_day(),
        energy: unit.to_display(m.low),
        coverage_ratio: if doubtful(m.month) { 0.0 } else { m.coverage_ratio },
    };
    let overlaps = |a: &FitPeriod, b: &FitPeriod| a.from < b.to && b.from < a.to;
    let measured: Vec<FitPeriod> =
        months.months.iter().map(month).filter(|m| COVERAGE_MIN <= m.coverage_ratio).collect();
    let billed: Vec<FitPeriod> =
        settled.periods.iter().map(bill).filter(|b| !measured.iter().any(|m| overlaps(m, b))).collect();
    // Months measured too little are passed on only where no bill stands, so that their loss is reported.
    let poor = months.months.iter().map(month).filter(|m| m.coverage_ratio < COVERAGE_MIN);
    periods.extend(poor.filter(|m| !billed.iter().any(|b| overlaps(m, b))));
    periods.extend(measured);
    periods.extend(billed);
    periods
}

/// A month of the year as it is shown, and what its comparison rests on.
struct Row {
    shown: MeterMonth,
    adjusted: Option<Adjusted>,
    /// Whether the month could be compared or counted.
    complete: bool,
}

impl Row {
    fn of(
        context: &Context<'_>,
        facts: &MeterFacts,
        month: Month,
        own: &MonthlySeries,
        billed: &MonthlySeries,
    ) -> Self {
        let (from, to) = (month.first_day(), month.end_day());
        let definition = DegreeDayDefinition::to_base(0.0);
        let temperature_days = context.temperatures.heating(definition, from, to).days;
        let (source, value) = choose(own.get(month), billed.get(month));
        let unit = facts.carrier.base_unit();
        let show = |amount: i64| unit.to_display(amount);
        let mut shown = MeterMonth {
            month,
            source,
            reporting: context.is_reporting(month),
            measured: value.map(|v| show(v.amount)),
            measured_low: value.map(|v| show(v.low)),
            measured_high: value.and_then(|v| v.high).map(show),
            coverage_ratio: value.map_or(0.0, |v| v.coverage_ratio),
            estimated_ratio: value.map_or(0.0, |v| v.estimated_ratio),
            heating_degree_days: None,
            temperature_days,
            adjusted_baseline: None,
            avoided: None,
        };
        fill(&mut shown);
        let complete = COVERAGE_MIN <= shown.coverage_ratio && shown.measured_high.is_some();
        Self { shown, adjusted: None, complete }
    }

    /// Sets the adjusted baseline, and the avoided energy where the month may be compared.
    fn compare(&mut self, context: &Context<'_>, reference: &Reference) {
        let (from, to) = (self.shown.month.first_day(), self.shown.month.end_day());
        let days = (to - from).num_days() as f64;
        let adjusted = match reference {
            Reference::Model(fitted) => {
                let adjusted = adjust(&fitted.model, context.temperatures, from, to);
                self.shown.heating_degree_days =
                    adjusted.filter(|_| fitted.model.heating_base_c.is_some()).map(|a| a.degree_days);
                adjusted
            }
            Reference::Zero => Some(Adjusted { energy: 0.0, degree_days: 0.0, days, weather_assumed: 0.0 }),
            Reference::None | Reference::Unknown => None,
        };
        self.adjusted = adjusted.filter(|_| self.shown.reporting);
        self.shown.adjusted_baseline = self.adjusted.map(|a| a.energy);
        self.shown.avoided = match (self.adjusted, self.shown.measured) {
            (Some(adjusted), Some(measured)) if self.complete => Some(adjusted.energy - measured),
            _ => None,
        };
    }
}

/// Totals of the meter win over bills where they cover enough, else whichever covers more.
fn choose<'a>(
    own: Option<&'a MonthValue>,
    billed: Option<&'a MonthValue>,
) -> (MonthSource, Option<&'a MonthValue>) {
    match (own, billed) {
        (Some(o), Some(b)) if o.coverage_ratio < COVERAGE_MIN && o.coverage_ratio < b.coverage_ratio => {
            (MonthSource::Bills, Some(b))
        }
        (Some(o), _) => (MonthSource::Meter, Some(o)),
        (None, Some(b)) => (MonthSource::Bills, Some(b)),
        (None, None) => (MonthSource::Missing, None),
    }
}

/// A month that is measured enough but not wholly: the hours without totals are taken to have used what the others
/// did, and the part counts as estimated. Left at zero they would be a saving.
fn fill(shown: &mut MeterMonth) {
    let Some(measured) = shown.measured else { return };
    let coverage = shown.coverage_ratio;
    if !(COVERAGE_MIN..1.0).contains(&coverage) || measured <= 0.0 {
        return;
    }
    let whole = shown.measured_high.map_or(measured / coverage, |high| (measured / coverage).min(high));
    let estimated = shown.estimated_ratio * measured + (whole - measured);
    shown.measured = Some(whole);
    shown.estimated_ratio = (estimated / whole).clamp(0.0, 1.0);
}

/// Findings about reporting months that are withheld or weakened.
/// A total that stood still for a whole month in which the baseline would have used energy. Zero is a value; but a
/// device that repeats its last total looks the same, so a person must look.
fn flat(facts: &MeterFacts, row: &Row, about: &str) -> Option<Finding> {
    let expected = row.adjusted.as_ref()?.energy;
    let still = row.shown.source == MonthSource::Meter && row.shown.measured == Some(0.0) && 0.0 < expected;
    if !still || facts.direction != Direction::Import || facts.role == MeterRole::Sub {
        return None;
    }
    let says =
        "the total did not move all month: either nothing was used, or the device repeats an old total";
    let rule = "conservative direction: zero is a value only when the meter is known to work";
    let finding = Finding::new("series.flat", Severity::Caution, about, says, rule);
    Some(finding.with("month", row.shown.month))
}

fn report_withheld(
    context: &Context<'_>,
    facts: &MeterFacts,
    rows: &[Row],
    subject: &str,
    findings: &mut Vec<Finding>,
) {
    let reporting: Vec<&Row> = rows.iter().filter(|r| r.shown.reporting).collect();
    let severity = if facts.role == MeterRole::Sub { Severity::Note } else { Severity::Blocks };
    if !reporting.is_empty() && reporting.iter().all(|r| r.shown.source == MonthSource::Missing) {
        let says =
            format!("nothing was measured or billed in the reporting months of {}", context.input.year);
        let about = format!("{subject} {}", context.input.year);
        let rule = "conservative direction: a meter without data is not a meter without use";
        findings.push(
            Finding::new("meter.no_data", severity, about, says, rule).with("year", context.input.year),
        );
        return;
    }
    let depends = facts.direction == Direction::Import && facts.role == MeterRole::Compared;
    for row in reporting {
        let month = row.shown.month;
        let about = format!("{subject} {month}");
        findings.extend(flat(facts, row, &about));
        if !row.complete {
            let percent = format!("{:.1}", row.shown.coverage_ratio * 100.0);
            let says =
                format!("{percent} % of the month was measured, 90 % is wanted; the month is withheld");
            let rule = "CalTRACK 2.0 §2.2.1.2: at most 10 % of a period missing";
            findings.push(
                Finding::new("series.coverage.low", severity, about.clone(), says, rule)
                    .with("month", month)
                    .with("coverage_percent", percent)
                    .with("threshold_percent", COVERAGE_MIN * 100.0),
            );
        }
        let missing = month.days() - row.shown.temperature_days;
        if depends && 0 < missing {
            findings.extend(weather_finding(row, missing, about));
        }
    }
}

fn weather_finding(row: &Row, missing: u32, about: String) -> Option<Finding> {
    let assumed = row.adjusted.map(|a| a.weather_assumed);
    if assumed == Some(0.0) {
        return None;
    }
    let (severity, then) = match assumed {
        Some(_) => {
            (Severity::Caution, "they count at the mean of the others, and not at all in the lower bound")
        }
        None => (Severity::Blocks, "the month is withheld"),
    };
    let says = format!("{missing} days of the month have no outdoor temperature; {then}");
    let rule = "CalTRACK 2.0 §2.2.3.2 and §3.5: temperatures for 90 % of a period";
    Some(
        Finding::new("weather.missing", severity, about, says, rule)
            .with("days", missing)
            .with("month", row.shown.month),
    )
}

fn sum_up(facts: &MeterFacts, reference: &Reference, rows: &[Row], findings: &[Finding]) -> Assessment {
    let compared = !matches!(reference, Reference::None);
    let (mut avoided, mut measured) = (Bounded::default(), Bounded::default());
    let (mut days, mut degree_days, mut withheld) = (0.0, 0.0, false);
    for row in rows.iter().filter(|r| r.shown.reporting) {
        let shown = &row.shown;
        if row.complete {
            measured.best += shown.measured.unwrap_or(0.0);
            measured.low += shown.measured_low.unwrap_or(0.0);
            measured.high += shown.measured_high.unwrap_or(0.0);
        }
        withheld |= !row.complete || (compared && shown.avoided.is_none());
        let (Some(adjusted), Some(best)) = (row.adjusted, shown.avoided) else { continue };
        avoided.best += best;
        avoided.low +=
            adjusted.energy - adjusted.weather_assumed - shown.measured_high.unwrap_or(f64::INFINITY);
        avoided.high += adjusted.energy + adjusted.weather_assumed - shown.measured_low.unwrap_or(0.0);
        days += adjusted.days;
        degree_days += adjusted.degree_days;
    }
    let mut because: Vec<String> =
        findings.iter().filter(|f| Severity::Note < f.severity).map(|f| f.code.to_owned()).collect();
    because.sort();
    because.dedup();
    withheld |= findings.iter().any(|f| f.severity == Severity::Blocks);
    let half_width = match reference {
        Reference::Model(Fitted { spread, .. }) if 0.0 < days => {
            Spread::half_width(spread, days, degree_days)
        }
        Reference::Model(_) | Reference::Zero | Reference::None | Reference::Unknown => 0.0,
    };
    Assessment {
        meter: facts.id.clone(),
        carrier: facts.carrier,
        direction: facts.direction,
        compared,
        sub: facts.role == MeterRole::Sub,
        withheld,
        avoided,
        half_width,
        measured,
        because,
    }
}

fn totals(context: &Context<'_>, rows: &[Row], assessment: &Assessment) -> MeterTotals {
    let mut totals = MeterTotals { reporting_months: context.reporting_months(), ..MeterTotals::default() };
    let (mut days, mut covered) = (0.0, 0.0);
    for row in rows {
        let shown = &row.shown;
        totals.measured += shown.measured.unwrap_or(0.0);
        if shown.reporting {
            days += f64::from(shown.month.days());
            covered += f64::from(shown.month.days()) * shown.coverage_ratio;
        }
        if let (Some(adjusted), Some(avoided)) = (shown.adjusted_baseline, shown.avoided) {
            totals.compared_months += 1;
            totals.compared_measured += shown.measured.unwrap_or(0.0);
            totals.adjusted_baseline += adjusted;
            totals.avoided += avoided;
        }
    }
    totals.avoided_low = assessment.avoided.low - assessment.half_width;
    totals.avoided_high = assessment.avoided.high + assessment.half_width;
    totals.coverage_ratio = if 0.0 < days { covered / days } else { 0.0 };
    totals
}
