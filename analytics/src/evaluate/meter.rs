//! One meter in one year: its months, its baseline, what it saved and between which bounds.
//!
//! Must never: compare a month that was not measured, or take a missing meter for one that used nothing.

use chrono::NaiveDate;
use model::{
    BuildingId, Carrier, Direction, Finding, GasBasis, Instant, MeterAct, MeterFacts, MeterId, MeterRole,
    Month, MonthValue, MonthlySeries, Severity,
};

use super::joint::{self, Gain, Link};
use super::laws::{self, LeftOut, ReportedMonth};
use super::weather::{self, Usual};
use super::{COVERAGE_MIN, MeterInput, YearInput, adjustments, doubts, months, opening};
use crate::analysis::{project, rules, unseen};
use crate::baseline::breaks::{self, Point};
use crate::baseline::data::Data;
use crate::baseline::{FitPeriod, Fitted};
use crate::bills::{self, SettledBills};
use crate::degree_days::{DailyMeans, DegreeDayDefinition};
use crate::normalise::{Adjusted, adjust};
use crate::result::{Baseline, MeterMonth, MeterRecord, MeterTotals, MeterYear, MonthSource};
use crate::series::DatedFinding;
use crate::uncertainty::{Source, Uncertain};

mod billed;
mod instruments;

use instruments::with_instruments;

/// Of every band, two-sided.
const CONFIDENCE: f64 = 0.9;
/// Two statements of one month of which one is false.
const CONTRADICTIONS: [&str; 2] = ["bills.contradict", "filed.contradict"];

/// What all meters of a year share.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) input: &'a YearInput<'a>,
    pub(super) temperatures: &'a DailyMeans,
    /// What of them no other year bears out.
    pub(super) usual: Usual,
}

impl<'a> Context<'a> {
    pub(super) fn new(input: &'a YearInput<'a>, temperatures: &'a DailyMeans) -> Self {
        Self { input, temperatures, usual: Usual::of(input, temperatures) }
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

    /// The finding as severe as its month makes it: a contradiction withholds what is to be compared. Of the baseline
    /// only what is certain is used.
    fn weighed(&self, of: &DatedFinding) -> Finding {
        let mut finding = of.finding.clone();
        if CONTRADICTIONS.contains(&finding.code) && self.is_reporting(of.month) {
            finding.severity = Severity::Blocks;
        }
        finding
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
    pub(crate) building: BuildingId,
    pub(crate) carrier: Carrier,
    pub(crate) direction: Direction,
    /// Whether its energy is compared with a baseline.
    pub(crate) compared: bool,
    /// Whether it is a part of another meter.
    pub(crate) sub: bool,
    /// Whether another meter of the same direction counts the same energy.
    pub(crate) counted_by_another: bool,
    /// The meter that it is a part of.
    pub(crate) parent: Option<MeterId>,
    /// Whether any reporting month, or the whole meter, is withheld.
    pub(crate) withheld: bool,
    /// Whether what was measured, apart from any baseline, is withheld.
    pub(crate) withheld_measure: bool,
    /// Avoided energy: model's best estimate, bounds of what was not measured, 90 % bands of model and instruments.
    pub(crate) avoided: Uncertain,
    /// Measured energy over the reporting months.
    pub(crate) measured: Bounded,
    /// Whether its baseline rests on less than a year.
    pub(crate) short: bool,
    /// Codes of its findings that withhold or weaken a figure.
    pub(crate) because: Vec<String>,
}

/// What a meter's saving is measured against.
pub(super) enum Reference {
    /// With whether any of its periods was measured by the supplier's meter.
    Model(Box<Fitted>, bool),
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
    let zone = context.input.project.zone;
    let settled = bills::settle(&known.bills, unit, facts.ceiling_per_milli(), &subject);
    let from_bills = bills::months(&settled.periods, unit, zone, facts.ceiling_per_milli());
    let contradictions = months::contradictions(&known.months, &from_bills, &subject);
    let acts = super::acts::findings(known, zone, &subject);
    let dated = known.findings.iter().chain(&settled.findings).chain(&contradictions).chain(&acts);
    findings.extend(dated.filter(|f| context.is_used(f.month)).map(|f| context.weighed(f)));
    findings.extend(converted(facts, known, &subject));
    let evidence = Evidence { known, settled: &settled, from_bills: &from_bills };
    let reference = reference(context, facts, &evidence, &subject, &mut findings);
    let mut rows: Vec<Row> = Month::all_of(context.input.year)
        .into_iter()
        .map(|month| Row::of(context, facts, month, known, &from_bills))
        .collect();
    findings.extend(doubts::weigh(context, facts, &evidence, &reference, &mut rows));
    report_withheld(context, facts, &rows, &subject, &mut findings);
    findings.extend(billed::findings(context, facts, &evidence, &rows, &subject));
    let compared = Compared::of(context, &rows);
    findings.extend(unseen_weather(context, &reference, &compared, &subject));
    findings.extend(context.usual.findings(&rows, &format!("{subject} {}", context.input.year)));
    if let Reference::Model(fitted, _) = &reference {
        let of_year = format!("{subject} {}", context.input.year);
        let adjusted = rows.iter().filter(|r| r.shown.avoided.is_some()).filter_map(|r| r.adjusted);
        findings.extend(opening::raises(adjusted, unit, &of_year));
        findings.extend(opening::beyond(fitted, context.temperatures, &compared.weather, &of_year));
    }
    findings.extend(suspected_event(context, &reference, &compared, &subject));
    let record = record(context, facts, known);
    findings.extend(adjustments::findings(&record.adjustments, facts, context.input.year));
    let known = Together::of(&rows, unit);
    let assessment = sum_up(context, building, (facts, &reference), &compared, (&rows, &known), &findings);
    let totals = totals(context, &rows, &known, &assessment);
    findings.extend(significance(context, &reference, &compared, &totals, &subject));
    let year = MeterYear {
        building: building.clone(),
        meter: facts.clone(),
        totals,
        record,
        months: rows.into_iter().map(|r| r.shown).collect(),
        baseline: match reference {
            Reference::Model(fitted, _) => Baseline::Fitted(fitted.model),
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

/// What of the meter's record touches a figure.
fn record(context: &Context<'_>, facts: &MeterFacts, known: &MeterInput) -> MeterRecord {
    let zone = context.input.project.zone;
    let used =
        |from: Instant, to: Instant| context.is_used(from.month(zone)) || context.is_used(to.month(zone));
    let mut acts: Vec<MeterAct> =
        known.acts.iter().filter(|a| used(a.dated.at, a.dated.at)).cloned().collect();
    acts.sort_by_key(|a| (a.dated, a.recorded_at));
    let decisions = known.decisions.iter().filter(|d| used(d.from, d.to)).cloned().collect();
    let (year, until) = (context.input.year, context.input.until);
    let of_year = |month: Month| month.year == year && month.first_day() < until;
    let readings = known.counts.iter().filter(|counts| of_year(counts.month)).copied().collect();
    let adjustments = adjustments::of_year(context.input, facts);
    MeterRecord { decisions, acts, adjustments, readings }
}

/// What is known of a meter's energy.
pub(super) struct Evidence<'a> {
    pub(super) known: &'a MeterInput,
    pub(super) settled: &'a SettledBills,
    pub(super) from_bills: &'a MonthlySeries,
}

fn reference(
    context: &Context<'_>,
    facts: &MeterFacts,
    evidence: &Evidence<'_>,
    subject: &str,
    findings: &mut Vec<Finding>,
) -> Reference {
    match (facts.direction, facts.role) {
        (Direction::Export | Direction::Production | Direction::Charge | Direction::Discharge, _)
        | (_, MeterRole::Sub) => Reference::None,
        (Direction::Import, MeterRole::New) => Reference::Zero,
        (Direction::Import, MeterRole::Compared) => {
            let (periods, billed) = fit_periods(facts, evidence);
            let bounds = context.baseline_bounds();
            let wanted = laws::wanted(&context.input.project, facts, subject);
            if let Some(frozen) = context.input.frozen.iter().find(|f| f.meter == facts.id) {
                let opening = laws::opening_of(&frozen.fitted, wanted.calendar);
                let (weather, rules) = (context.temperatures, &frozen.rules);
                let now = laws::baseline_digest(&periods, weather, opening, bounds, rules);
                findings.extend(laws::changed(frozen, now, subject));
                findings.extend(laws::again(frozen, subject));
                return Reference::Model(Box::new(frozen.standing(wanted.calendar)), billed);
            }
            let (fitted, said) = project::fit(&periods, context.temperatures, &wanted);
            findings.extend(said);
            fitted.map_or(Reference::Unknown, |fitted| Reference::Model(Box::new(fitted), billed))
        }
    }
}

/// What a counter may do that leaves a month's energy in doubt even at its lower bound: too high a baseline would
/// flatter every year after it.
const DOUBTFUL: [&str; 4] =
    ["counter.reset", "counter.wrap_doubtful", "counter.impossible", "counter.unit_change"];

/// Whether the counter leaves the month's energy in doubt.
pub(crate) fn is_doubtful(known: &MeterInput, month: Month) -> bool {
    let is_doubt = |f: &Finding| Severity::Note < f.severity && DOUBTFUL.contains(&f.code);
    known.findings.iter().any(|f| f.month == month && is_doubt(&f.finding))
}

/// Measured months, mended by read bills where they have gaps, and bills as their own periods where no measured month
/// stands. Both at their lower bound. Months in which the counter is in doubt count as not measured, and so do bills
/// that the meter contradicts; what is certain, or was decided by a person, is no doubt.
/// Also whether any is a bill.
pub(super) fn fit_periods(facts: &MeterFacts, evidence: &Evidence<'_>) -> (Vec<FitPeriod>, bool) {
    let Evidence { known, settled, from_bills } = evidence;
    let months = &months::mended(&known.months, from_bills);
    let unit = facts.carrier.base_unit();
    let denied_months = months::denied(&known.months, from_bills);
    let denied =
        |p: &bills::UsePeriod| denied_months.iter().any(|m| p.from < m.end_day() && m.first_day() < p.to);
    let mut periods: Vec<FitPeriod> = Vec::new();
    let bill = |p: &bills::UsePeriod| FitPeriod {
        from: p.from,
        to: p.to,
        energy: unit.to_display(p.amount),
        coverage_ratio: if p.settled && !denied(p) { 1.0 } else { 0.0 },
    };
    let month = |m: &MonthValue| FitPeriod {
        from: m.month.first_day(),
        to: m.month.end_day(),
        energy: unit.to_display(m.low),
        coverage_ratio: if is_doubtful(known, m.month) { 0.0 } else { m.coverage_ratio },
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
    let any_bill = !billed.is_empty();
    periods.extend(billed);
    (periods, any_bill)
}

/// A month of the year as it is shown, and what its comparison rests on.
pub(super) struct Row {
    pub(super) shown: MeterMonth,
    pub(super) adjusted: Option<Adjusted>,
    /// Whether the month could be compared or counted.
    pub(super) complete: bool,
    /// Whether meter and bills leave no room for a truth, which is a finding of its own.
    contradicted: bool,
    /// Share of the month in which the total stood still for longer than a building is closed.
    pub(super) still_ratio: f64,
    /// Energy that the month may have used meanwhile, in display units: [`Self::bound_standstill`].
    pub(super) hidden: f64,
    /// Days whose opening nobody stated, where the baseline follows it.
    unstated_days: u32,
    /// Whether nobody knows that its register counts, which withholds the month and is a finding of its own.
    stuck: bool,
    /// Energy beside `hidden` that the month may have used because its value is doubted, in display units.
    pub(super) doubted: f64,
    /// The month beside its neighbours; `None` where it is known alone, or its sources say different things.
    link: Option<Link>,
}

impl Row {
    pub(super) fn of(
        context: &Context<'_>,
        facts: &MeterFacts,
        month: Month,
        known: &MeterInput,
        billed: &MonthlySeries,
    ) -> Self {
        let (from, to) = (month.first_day(), month.end_day());
        let definition = DegreeDayDefinition::to_base(0.0);
        let weather = context.temperatures.heating(definition, from, to);
        let months::Chosen { source, value, contradicted, disputed } =
            months::choose(known.months.get(month), billed.get(month));
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
            cooling_degree_days: None,
            temperature_days: weather.days,
            filled_days: weather.filled_days,
            unadjusted_days: weather.unadjusted_days,
            adjustment: 0.0,
            drivers: Vec::new(),
            adjusted_baseline: None,
            avoided: None,
        };
        fill(&mut shown);
        let complete = shown.is_whole() && !contradicted;
        let series = if source == MonthSource::Bills { billed } else { &known.months };
        let link = value
            .filter(|_| !contradicted && !disputed)
            .and_then(|v| Link::of(source, &v, series.get(month)));
        let (begin, end) = month.bounds(context.input.project.zone);
        let still = known.still.iter().find(|(m, _)| *m == month).map_or(0, |(_, millis)| *millis);
        let length = (end.millis() - begin.millis()) as f64;
        let still_ratio = if source == MonthSource::Meter { still as f64 / length } else { 0.0 };
        Self {
            shown,
            adjusted: None,
            complete,
            contradicted,
            still_ratio,
            hidden: 0.0,
            unstated_days: 0,
            stuck: false,
            doubted: 0.0,
            link,
        }
    }

    /// A total that stands still means that nothing was used, or that a device repeats its last total. Until a person
    /// says which, the time may have used what the baseline would have.
    pub(super) fn bound_standstill(&mut self, facts: &MeterFacts) {
        if facts.direction != Direction::Import || facts.role == MeterRole::Sub {
            return;
        }
        if let (Some(adjusted), Some(high)) = (self.adjusted, self.shown.measured_high) {
            self.hidden = adjusted.energy.max(0.0) * self.still_ratio.min(1.0);
            self.shown.measured_high = Some(high + self.hidden);
        }
    }

    /// Takes the month out of what is compared: its register may not count. Nothing bounds it, as with a month that nobody
    /// read.
    pub(super) const fn withhold(&mut self) {
        self.stuck = true;
        self.complete = false;
        self.shown.measured_high = None;
        self.shown.avoided = None;
    }

    /// Sets the adjusted baseline, and the avoided energy where the month may be compared.
    pub(super) fn compare(&mut self, context: &Context<'_>, facts: &MeterFacts, reference: &Reference) {
        let (from, to) = (self.shown.month.first_day(), self.shown.month.end_day());
        let days = (to - from).num_days() as f64;
        let adjusted = match reference {
            Reference::Model(fitted, _) => {
                let adjusted = adjust(fitted, context.temperatures, from, to)
                    .map(|adjusted| context.usual.bound(adjusted, fitted, from, to));
                let model = &fitted.model;
                self.shown.heating_degree_days =
                    adjusted.filter(|_| model.heating_base_c.is_some()).map(|a| a.degree_days);
                self.shown.cooling_degree_days =
                    adjusted.filter(|_| model.cooling_base_c.is_some()).map(|a| a.cooling_degree_days);
                if let Some(driving) = fitted.law.driving.as_deref() {
                    self.unstated_days = driving.unstated_days(from, to);
                    self.shown.drivers = opening::of_month(driving, from, to);
                }
                adjusted
            }
            Reference::Zero => Some(Adjusted::constant(0.0, days)),
            Reference::None | Reference::Unknown => None,
        };
        let by_person = adjustments::of_month(context.input, facts, self.shown.month);
        self.adjusted = adjusted.filter(|_| self.shown.reporting).map(|a| a.plus(by_person));
        self.shown.adjustment = self.adjusted.map_or(0.0, |a| a.adjustment);
        self.shown.adjusted_baseline = self.adjusted.map(|a| a.energy);
        self.shown.avoided = match (self.adjusted, self.shown.measured) {
            (Some(adjusted), Some(measured)) if self.complete => Some(adjusted.energy - measured),
            _ => None,
        };
    }
}

impl Row {
    /// Between which the month's avoided energy lies, measured or not: a month that is left out may have used all that
    /// the connection carries, and counts with that in the bounds of the year. `None` where no baseline says anything.
    fn avoided_bounds(&self, facts: &MeterFacts) -> Option<(f64, f64)> {
        let adjusted = self.adjusted?;
        let least = self.shown.measured_low.unwrap_or(0.0);
        let low = adjusted.energy - adjusted.weather_less - self.most(facts);
        Some((low, adjusted.energy + adjusted.weather_more - least))
    }

    /// The most that the month may have used: as measured, else what the connection carries.
    fn most(&self, facts: &MeterFacts) -> f64 {
        // The longest month's clock is put back by an hour.
        let hours = f64::from(self.shown.month.days()) * 24.0 + 1.0;
        let known = facts.ceiling_per_hour.is_finite() && 0.0 < facts.ceiling_per_hour;
        let carried = if known { facts.ceiling_per_hour * hours } else { f64::INFINITY };
        self.shown.measured_high.unwrap_or(carried)
    }

    /// The month as what was not measured; where not even a baseline is known, as what the connection carries.
    pub(super) fn left_out(&self, facts: &MeterFacts) -> LeftOut {
        let carried = self.most(facts);
        let (low, high) = self.avoided_bounds(facts).unwrap_or((-carried, carried));
        LeftOut { month: self.shown.month, low, high }
    }

    /// The month as later laws need it; `None` where it cannot be compared.
    pub(super) fn reported(&self) -> Option<ReportedMonth> {
        let adjusted = self.adjusted.filter(|_| self.complete)?;
        let measured = self.shown.measured?;
        Some(ReportedMonth {
            month: self.shown.month,
            measured,
            most: self.shown.measured_high.unwrap_or(f64::INFINITY),
            hidden: self.hidden,
            doubted: self.doubted,
            adjusted,
        })
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

/// A total that stood still for more than a week in which the baseline would have used energy. Zero is a value; but a
/// device that repeats its last total looks the same, so a person must look.
fn flat(facts: &MeterFacts, row: &Row, about: &str) -> Option<Finding> {
    let expected = row.adjusted.as_ref()?.energy;
    let still = 0.0 < row.still_ratio && 0.0 < expected && !row.stuck;
    if !still || facts.direction != Direction::Import || facts.role == MeterRole::Sub {
        return None;
    }
    let days = (f64::from(row.shown.month.days()) * row.still_ratio).round();
    let says = format!(
        "the total did not move for {days} days: either nothing was used, or the device repeats an old total"
    );
    let rule = "conservative direction: zero is a value only when the meter is known to work";
    let finding = Finding::new("series.flat", Severity::Caution, about, says, rule);
    Some(finding.with("month", row.shown.month).with("days", days))
}

/// Findings about reporting months that are withheld or weakened.
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
        if !row.complete && (row.shown.coverage_ratio < COVERAGE_MIN || !(row.contradicted || row.stuck)) {
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
        if depends {
            findings.extend(weather::findings(row, &about));
            findings.extend(opening::missing(row.unstated_days, month, &about));
        }
    }
}

/// How much better the reporting months are known together than one by one, in display units: those that are measured,
/// and those of them that are compared too.
struct Together {
    measured: Bounded,
    compared: Bounded,
}

impl Together {
    fn of(rows: &[Row], unit: model::BaseUnit) -> Self {
        let whole = |row: &&Row| row.shown.reporting && row.complete;
        let of = |counts: &dyn Fn(&Row) -> bool| {
            let links: Vec<Option<Link>> = rows.iter().map(|row| row.link.filter(|_| counts(row))).collect();
            let Gain { low, high } = joint::gain(&links);
            Bounded { best: 0.0, low: unit.to_display(low), high: unit.to_display(high) }
        };
        Self { measured: of(&|row| whole(&row)), compared: of(&|row| whole(&row) && row.adjusted.is_some()) }
    }
}

fn sum_up(
    context: &Context<'_>,
    building: &BuildingId,
    (facts, reference): (&MeterFacts, &Reference),
    months: &Compared,
    (rows, known): (&[Row], &Together),
    findings: &[Finding],
) -> Assessment {
    let compared = !matches!(reference, Reference::None);
    let (mut avoided, mut measured) = (Bounded::default(), Bounded::default());
    let mut withheld = false;
    for row in rows.iter().filter(|r| r.shown.reporting) {
        let shown = &row.shown;
        if row.complete {
            measured.best += shown.measured.unwrap_or(0.0);
            measured.low += shown.measured_low.unwrap_or(0.0);
            measured.high += shown.measured_high.unwrap_or(0.0);
        }
        withheld |= !row.complete || (compared && shown.avoided.is_none());
        let Some(bounds) = row.avoided_bounds(facts).filter(|_| compared) else { continue };
        avoided.best += shown.avoided.unwrap_or(0.0);
        avoided.low += bounds.0;
        avoided.high += bounds.1;
    }
    // The most that was used is what was saved at least.
    avoided.low += known.compared.high;
    avoided.high -= known.compared.low;
    measured.low = (measured.low + known.measured.low).min(measured.best);
    measured.high = (measured.high - known.measured.high).max(measured.best);
    let mut because: Vec<String> =
        findings.iter().filter(|f| Severity::Note < f.severity).map(|f| f.code.to_owned()).collect();
    because.sort();
    because.dedup();
    withheld |= findings.iter().any(|f| f.severity == Severity::Blocks);
    let mut uncertain =
        Uncertain::exact(avoided.best).bounded(avoided.best - avoided.low, avoided.high - avoided.best);
    if let Reference::Model(fitted, _) = reference
        && !months.due.is_empty()
    {
        let half_width = fitted.law.predict(&months.due).half_width(CONFIDENCE);
        uncertain = uncertain.through(Source::Model(facts.id.clone()), half_width);
    }
    let avoided = with_instruments(facts, reference, (rows, known.compared.high), uncertain);
    Assessment {
        meter: facts.id.clone(),
        building: building.clone(),
        carrier: facts.carrier,
        direction: facts.direction,
        compared,
        sub: facts.role == MeterRole::Sub,
        counted_by_another: facts
            .is_counted_by_another(|id| context.input.project.meters().map(|(_, m)| m).find(|m| m.id == *id)),
        parent: facts.parent.clone(),
        withheld,
        withheld_measure: rows.iter().any(|r| r.shown.reporting && !r.complete),
        avoided,
        measured,
        short: matches!(reference, Reference::Model(fitted, _) if fitted.is_short()),
        because,
    }
}

/// The reporting months as a law needs them.
struct Compared {
    /// Every one with a baseline, compared or left out for want of readings: the band is of all of them, so that it does
    /// not narrow where readings are missing.
    due: Data,
    /// With the measured energy less people's adjustments: what the law alone is to explain.
    weather: Data,
    /// Whether weather and readings of every one are beyond doubt, in the same order.
    certain: Vec<bool>,
}

impl Compared {
    fn of(context: &Context<'_>, rows: &[Row]) -> Self {
        let compared = || rows.iter().filter(|r| r.shown.avoided.is_some());
        let period = |row: &Row| FitPeriod {
            from: row.shown.month.first_day(),
            to: row.shown.month.end_day(),
            energy: row.shown.measured.unwrap_or(0.0) - row.shown.adjustment,
            coverage_ratio: row.shown.coverage_ratio,
        };
        let due: Vec<FitPeriod> = rows.iter().filter(|r| r.adjusted.is_some()).map(period).collect();
        let periods: Vec<FitPeriod> = compared().map(period).collect();
        let certain = |row: &Row| {
            row.adjusted.is_some_and(|a| !a.is_doubtful()) && row.still_ratio == 0.0 && row.doubted == 0.0
        };
        Self {
            due: Data::of(&due, context.temperatures),
            weather: Data::of(&periods, context.temperatures),
            certain: compared().map(certain).collect(),
        }
    }
}

/// Weather that the baseline has hardly met.
fn unseen_weather(
    context: &Context<'_>,
    reference: &Reference,
    compared: &Compared,
    subject: &str,
) -> Vec<Finding> {
    let Reference::Model(fitted, _) = reference else { return Vec::new() };
    unseen(&format!("{subject} {}", context.input.year), &fitted.law, &compared.due)
}

/// Whether the year's saving stands out of what the model cannot tell.
fn significance(
    context: &Context<'_>,
    reference: &Reference,
    compared: &Compared,
    totals: &MeterTotals,
    subject: &str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Reference::Model(fitted, _) = reference
        && !compared.weather.is_empty()
    {
        let saving = rules::Saving {
            days: compared.weather.days(),
            adjusted_baseline: totals.adjusted_baseline,
            avoided: totals.avoided,
            confidence: CONFIDENCE,
        };
        let subject = format!("{subject} {}", context.input.year);
        let prediction = fitted.law.predict(&compared.weather);
        rules::significance(&subject, saving, &prediction, &mut findings);
    }
    findings
}

/// A step in what the reporting months leave unexplained. Told, never adjusted.
fn suspected_event(
    context: &Context<'_>,
    reference: &Reference,
    compared: &Compared,
    subject: &str,
) -> Option<Finding> {
    let Reference::Model(fitted, _) = reference else { return None };
    let alone = fitted.law.predict_each(&compared.weather);
    let all = breaks::points(&alone, &compared.weather);
    let points: Vec<Point> =
        all.into_iter().zip(&compared.certain).filter(|(_, certain)| **certain).map(|(p, _)| p).collect();
    let found = breaks::find(&points, fitted.law.freedom)?;
    Some(breaks::finding(&found, &format!("{subject} {}", context.input.year), "reporting"))
}

fn totals(context: &Context<'_>, rows: &[Row], known: &Together, assessment: &Assessment) -> MeterTotals {
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
            totals.adjustment += shown.adjustment;
            totals.avoided += avoided;
        }
    }
    totals.avoided_low = assessment.avoided.low();
    totals.avoided_high = assessment.avoided.high();
    (totals.joint_low, totals.joint_high) = (known.measured.low, known.measured.high);
    totals.coverage_ratio = if 0.0 < days { covered / days } else { 0.0 };
    totals
}
