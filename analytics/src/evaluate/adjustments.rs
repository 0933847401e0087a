//! What people adjusted for non-routine events, told beside the figures it touches.
//!
//! Must never: let an adjustment that raises a saving pass for a measured one.

use chrono::NaiveDate;
use model::{Adjustment, Finding, MeterFacts, Month, Severity};

use super::YearInput;

/// IPMVP's rule for what neither weather nor works explain.
const RULE: &str = "IPMVP: non-routine adjustments are evidenced, dated, quantified and reported separately";

/// What people's adjustments add to a meter's adjusted baseline in a month.
pub(super) fn of_month(input: &YearInput<'_>, facts: &MeterFacts, month: Month) -> f64 {
    within(input, facts, month.first_day(), month.end_day())
}

/// The same over the days of `[from, to)`.
pub(super) fn within(input: &YearInput<'_>, facts: &MeterFacts, from: NaiveDate, to: NaiveDate) -> f64 {
    input.adjustments.iter().filter(|a| a.meter == facts.id).map(|a| a.within(from, to)).sum()
}

/// The adjustments of a meter that touch the reporting months, by number; those that only confirm what was measured too.
pub(super) fn of_year(input: &YearInput<'_>, facts: &MeterFacts) -> Vec<Adjustment> {
    let months = Month::all_of(input.year);
    let touches = |a: &&Adjustment| {
        let completed = input.project.dates.completed;
        let reported = |m: &&Month| completed < m.first_day() && m.end_day() <= input.until;
        let shares = |m: &Month| a.from < m.end_day() && m.first_day() < a.to;
        months
            .iter()
            .filter(reported)
            .any(|m| a.within(m.first_day(), m.end_day()) != 0.0 || (a.is_confirmation() && shares(m)))
    };
    let mut of: Vec<Adjustment> =
        input.adjustments.iter().filter(|a| a.meter == facts.id).filter(touches).cloned().collect();
    of.sort_by_key(|a| a.number);
    of
}

/// One finding for each that changes a figure; one that raises the saving is a matter for a second look. What was
/// confirmed is told with the doubt that it lifts.
pub(super) fn findings(of: &[Adjustment], facts: &MeterFacts, year: i32) -> Vec<Finding> {
    let unit = facts.carrier.base_unit().display().symbol();
    let tell = |a: &Adjustment| {
        let months = Month::all_of(year);
        let energy: f64 = months.iter().map(|m| a.within(m.first_day(), m.end_day())).sum();
        let (code, severity, way) = if 0.0 < energy {
            ("adjustment.raises", Severity::Caution, "raises")
        } else {
            ("adjustment.lowers", Severity::Note, "lowers")
        };
        let amount = format!("{:.1}", energy.abs());
        let says = format!(
            "the adjusted baseline {way} by {amount} {unit} in {year} by adjustment {} of {}, from {} to before {}: {}",
            a.number, a.author, a.from, a.to, a.reason
        );
        Finding::new(code, severity, format!("meter:{} {year}", facts.id), says, RULE)
            .with("number", a.number)
            .with("energy", amount)
            .with("unit", unit)
            .with("from", a.from)
            .with("to", a.to)
            .with("author", &a.author)
            .with("reason", &a.reason)
            .with("year", year)
    };
    of.iter().filter(|a| !a.is_confirmation()).map(tell).collect()
}
