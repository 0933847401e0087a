//! What is said of a year whose months rest on bills: bills over its ends, and bills alone where the meter was read before.
//!
//! Must never: pass a year that nothing but bills tells for one that the meter confirms.

use model::{Finding, MeterFacts, Month, Severity};

use super::{Context, Evidence, Row};
use crate::evaluate::joint;
use crate::result::MonthSource;

/// What the bills of the year leave to be looked at.
pub(super) fn findings(
    context: &Context<'_>,
    facts: &MeterFacts,
    evidence: &Evidence<'_>,
    rows: &[Row],
    subject: &str,
) -> Vec<Finding> {
    let mut findings = straddling(context, facts, evidence, rows, subject);
    findings.extend(alone(context, evidence, rows, subject));
    findings
}

/// Bills over the ends of a year that is reported as a whole.
fn straddling(
    context: &Context<'_>,
    facts: &MeterFacts,
    evidence: &Evidence<'_>,
    rows: &[Row],
    subject: &str,
) -> Vec<Finding> {
    if context.reporting_months() < 12 {
        return Vec::new();
    }
    let source = |row: Option<&Row>| row.map(|r| r.shown.source);
    let unit = facts.carrier.base_unit().display();
    let ends = (source(rows.first()), source(rows.last()));
    joint::straddling(&evidence.settled.periods, ends, context.input.year, (subject, unit))
}

/// A meter with months of its own before the year and none in it, while bills stand for it: nothing contradicts them, for
/// whatever reason. That readings of the year existed cannot be known once they are gone; that there were some before can.
fn alone(context: &Context<'_>, evidence: &Evidence<'_>, rows: &[Row], subject: &str) -> Option<Finding> {
    let year = context.input.year;
    let own = || evidence.known.months.months.iter().filter(|m| 0.0 < m.coverage_ratio).map(|m| m.month);
    let last = own().filter(|m| m.year < year).max()?;
    let reporting = || rows.iter().filter(|r| r.shown.reporting);
    let is_read = |row: &Row| own().any(|m: Month| m == row.shown.month);
    let billed = reporting().filter(|r| r.shown.source == MonthSource::Bills).count();
    if billed == 0 || reporting().any(is_read) {
        return None;
    }
    let says = format!(
        "the meter was not read in any reporting month of {year}, and last in {last}: {billed} months rest on bills \
         alone, which no reading bears out; bring in its readings, or say why there are none"
    );
    let rule = "conservative direction: bills that no reading stands beside are not confirmed by the meter";
    Some(
        Finding::new("meter.bills_alone", Severity::Caution, format!("{subject} {year}"), says, rule)
            .with("year", year)
            .with("last", last)
            .with("months", billed),
    )
}
