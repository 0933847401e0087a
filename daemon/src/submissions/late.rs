//! Readings that came after a year was frozen: by how much its figures would differ now.
//!
//! Must never: change what was frozen.

use analytics::result::ProjectYear;
use model::{Finding, Severity};

use super::{FrozenKpi, FrozenMeter, Submission};

/// Differences below half of the last digit that is reported are none: of a KPI, of a month's energy.
const TOLERANCE: f64 = 0.005;
const MONTH_TOLERANCE: f64 = 0.05;
/// Every code that is said here.
pub(crate) const CODES: [&str; 2] = ["submission.figures_changed", "submission.months_changed"];
const RULE: &str = "what was sent stays; what came later is shown beside it";

/// Of every obligation the newest version that was frozen: what an older one differs by, a newer one has taken up.
pub(crate) fn standing(all: &[Submission]) -> Vec<&Submission> {
    let frozen = || all.iter().filter(|s| s.frozen.is_some());
    let newer = |a: &Submission, b: &Submission| {
        (&a.project, &a.obligation, a.year) == (&b.project, &b.obligation, b.year) && a.version < b.version
    };
    frozen().filter(|s| !frozen().any(|other| newer(s, other))).collect()
}

/// A finding for each KPI whose value differs from what was frozen, and for each meter whose months do.
pub(crate) fn differences(submission: &Submission, year: &ProjectYear) -> Vec<Finding> {
    let Some(frozen) = &submission.frozen else { return Vec::new() };
    if submission.year != Some(year.year) || submission.project != year.project.id.as_str() {
        return Vec::new();
    }
    // Papers without figures were frozen with some before: those say nothing of the paper.
    let report = year.scheme.obligation(&submission.obligation).and_then(|o| o.report);
    if report.is_some_and(|report| !report.has_figures()) {
        return Vec::new();
    }
    // The same inputs cannot give other figures.
    if frozen.inputs_sha256.as_deref() == Some(&*year.provenance.inputs.hex()) {
        return Vec::new();
    }
    let kpis = frozen.kpis.iter().filter_map(|then| difference(submission, then, year));
    kpis.chain(frozen.meters.iter().filter_map(|then| months(submission, then, year))).collect()
}

fn differs(then: Option<f64>, now: Option<f64>, tolerance: f64) -> bool {
    match (then, now) {
        (Some(a), Some(b)) => tolerance <= (a - b).abs(),
        (None, None) => false,
        _ => true,
    }
}

/// The months of a meter that have another value now; a meter that is gone has none.
fn months(submission: &Submission, then: &FrozenMeter, year: &ProjectYear) -> Option<Finding> {
    let now = year.meters.iter().find(|m| m.meter.id.as_str() == then.meter);
    let value = |i: usize| now.and_then(|m| m.months.get(i)?.measured);
    let changed: Vec<(usize, Option<f64>, Option<f64>)> = then
        .measured
        .iter()
        .enumerate()
        .map(|(i, then)| (i, *then, value(i)))
        .filter(|(_, then, now)| differs(*then, *now, MONTH_TOLERANCE))
        .collect();
    if changed.is_empty() {
        return None;
    }
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.1}"));
    let one = |(i, then, now): &(usize, Option<f64>, Option<f64>)| {
        format!("{}-{:02} {} -> {}", year.year, i + 1, shown(*then), shown(*now))
    };
    let (count, list) = (changed.len().to_string(), changed.iter().map(one).collect::<Vec<_>>().join(", "));
    let name = now.map_or_else(|| then.meter.clone(), |m| m.meter.name.clone());
    let about = format!("submission:{} {}", submission.id(), then.meter);
    let says = format!(
        "{count} months of {name} are not what was frozen ({}): {list}; if it matters, send a correction",
        then.unit
    );
    let finding = Finding::new("submission.months_changed", Severity::Caution, about, says, RULE)
        .with("meter", name)
        .with("unit", &then.unit)
        .with("count", count)
        .with("months", list);
    Some(finding)
}

fn difference(submission: &Submission, then: &FrozenKpi, year: &ProjectYear) -> Option<Finding> {
    let now = year.kpis.iter().find(|k| k.definition.code == then.code)?;
    if !differs(then.achieved, now.achieved, TOLERANCE) {
        return None;
    }
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"));
    let change = match (then.achieved, now.achieved) {
        (Some(a), Some(b)) => format!("{:+.2}", b - a),
        _ => "-".to_owned(),
    };
    let (old, new) = (shown(then.achieved), shown(now.achieved));
    let about = format!("submission:{} {}", submission.id(), then.code);
    let says = format!(
        "{} was frozen as {old} {} and would be {new} now (difference {change}); if it matters, send a correction",
        then.code, then.unit
    );
    let finding = Finding::new("submission.figures_changed", Severity::Caution, about, says, RULE)
        .with("kpi", &then.code)
        .with("unit", &then.unit)
        .with("frozen", old)
        .with("now", new)
        .with("difference", change);
    Some(finding)
}

#[cfg(test)]
pub(crate) mod tests;
