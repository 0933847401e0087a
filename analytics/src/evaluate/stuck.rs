//! A total that stands still and has not moved again: months that nobody measured, as far as anybody knows.
//!
//! Must never: let a register that is read and does not move count better than one that is not read.
//!
//! A total that stood still and then went on showed that its register works: its zero stays a value, which saves nothing
//! until a person confirms it. One that never moved again showed nothing. Where that takes more of a month than may go
//! unmeasured, and the month's expected use is far from none, the month is withheld like one without readings, until
//! the total moves again or a person says that nothing was used. One that has stood since before the reporting period is what
//! works leave of a boiler that they put out of use: it saves nothing until a person confirms it, and withholds nothing.

use model::{Direction, Explanation, Finding, MeterFacts, MeterRole, Month, Severity, Zone};

use super::meter::{Context, Row};
use super::{COVERAGE_MIN, MeterInput};
use crate::counter::Decision;
use crate::result::MonthSource;

/// Share of a month that may go unmeasured.
pub(super) const RATIO_MAX: f64 = 1.0 - COVERAGE_MIN;
/// A month that is expected to use less per day than this share of the mean of all is of no matter.
const USE_MIN: f64 = 0.1;

/// Withholds the months of such a standstill, with a finding each.
pub(super) fn withhold(
    context: &Context<'_>,
    facts: &MeterFacts,
    known: &MeterInput,
    rows: &mut [Row],
) -> Vec<Finding> {
    if facts.direction != Direction::Import || facts.role == MeterRole::Sub {
        return Vec::new();
    }
    let Some(since) = known.decisions.iter().find(|d| d.is_standing() && !d.by_person) else {
        return Vec::new();
    };
    let zone = context.input.project.zone;
    if since.from.month(zone) <= Month::of(context.input.project.dates.completed) {
        return Vec::new();
    }
    let per_day = |row: &Row| row.adjusted.map(|a| a.energy / a.days);
    let uses: Vec<f64> = rows.iter().filter_map(per_day).collect();
    let mean = uses.iter().sum::<f64>() / uses.len().max(1) as f64;
    // A new meter's baseline is nothing, which tells nothing of what it uses.
    let matters =
        |row: &Row| facts.role == MeterRole::New || per_day(row).is_some_and(|of| USE_MIN * mean < of);
    let mut findings = Vec::new();
    for row in rows.iter_mut().filter(|r| r.complete && r.adjusted.is_some()) {
        let (month, ratio) = (row.shown.month, ratio(since, row.shown.month, zone));
        if row.shown.source != MonthSource::Meter || ratio <= RATIO_MAX || !matters(row) {
            continue;
        }
        row.withhold();
        let days = (f64::from(month.days()) * ratio).round();
        let says = format!(
            "the total has not moved since {}, for {days} days of the month: nobody knows whether the meter counts; the \
             month is withheld until it moves again, or a person confirms that nothing was used",
            since.from
        );
        let rule = "conservative direction: zero is a value only when the meter is known to work";
        let finding =
            Finding::new("series.stuck", Severity::Blocks, format!("meter:{} {month}", facts.id), says, rule);
        findings.push(finding.with("month", month).with("days", days).with("from", since.from));
    }
    findings
}

/// Share of a month in which the total stood still by a person's word.
pub(super) fn confirmed_ratio(known: &MeterInput, month: Month, zone: Zone) -> f64 {
    let confirmed = |d: &&Decision| d.explanation == Explanation::Standstill && d.by_person;
    known.decisions.iter().filter(confirmed).map(|d| ratio(d, month, zone)).sum()
}

fn ratio(of: &Decision, month: Month, zone: Zone) -> f64 {
    let (begin, end) = month.bounds(zone);
    let shared = of.to.min(end).millis() - of.from.max(begin).millis();
    shared.max(0) as f64 / (end.millis() - begin.millis()) as f64
}
