//! What came after a year was frozen, readings and values that people stated: by how much its figures would differ now.
//!
//! Must never: change what was frozen.

use analytics::result::ProjectYear;
use analytics::scheme::ReportKind;
use analytics::text::Texts;
use model::{Finding, Severity};
use store::Store;

use super::{FrozenKpi, FrozenMeter, Submission};
use crate::stated::{self, Row};

/// Differences below half of the last digit that is reported are none: of a KPI, of a month's energy.
const TOLERANCE: f64 = 0.005;
const MONTH_TOLERANCE: f64 = 0.05;
/// Decimals that are reported of a KPI, and the most that are told of a difference.
const DECIMALS: usize = 2;
const DECIMALS_MAX: usize = 6;
/// Every code that is said here.
pub(crate) const CODES: [&str; 3] =
    ["submission.figures_changed", "submission.months_changed", "submission.note_changed"];
const RULE: &str = "what was sent stays; what came later is shown beside it";

/// Of every obligation the newest version that was frozen: what an older one differs by, a newer one has taken up.
pub(crate) fn standing(all: &[Submission]) -> Vec<&Submission> {
    let frozen = || all.iter().filter(|s| s.frozen.is_some());
    let newer = |a: &Submission, b: &Submission| {
        (&a.project, &a.obligation, a.year) == (&b.project, &b.obligation, b.year) && a.version < b.version
    };
    frozen().filter(|s| !frozen().any(|other| newer(s, other))).collect()
}

/// Everything of a year that is not what was frozen: its figures, what people state in their place, and the notes beside
/// them. Notes are written in `texts`, which are those of the authority's own system.
pub(crate) fn changes(
    store: &Store,
    texts: &Texts,
    submission: &Submission,
    year: &ProjectYear,
) -> anyhow::Result<Vec<Finding>> {
    let mut found = differences(submission, year);
    let any_kpi = submission.frozen.iter().any(|frozen| !frozen.kpis.is_empty());
    if any_kpi && is_about(submission, year) && states_figures(submission, year) {
        let rows = stated::of_figures(store, year.kpis.clone(), &year.project.id, year.year)
            .map_err(|failure| failure.error)?;
        found.extend(restated(submission, &rows));
        found.extend(renoted(submission, &rows, texts));
    }
    Ok(found)
}

fn is_about(submission: &Submission, year: &ProjectYear) -> bool {
    submission.year == Some(year.year) && submission.project == year.project.id.as_str()
}

/// Whether the paper states figures. Papers without were frozen with some before: those say nothing of the paper.
fn states_figures(submission: &Submission, year: &ProjectYear) -> bool {
    let report = year.scheme.obligation(&submission.obligation).and_then(|o| o.report);
    report.is_none_or(ReportKind::has_figures)
}

/// A finding for each value in whose place a person states another one now, or none any more; measured ones are told as
/// figures.
fn restated(submission: &Submission, rows: &[Row]) -> Vec<Finding> {
    let kpis = submission.frozen.iter().flat_map(|frozen| &frozen.kpis);
    let one = |then: &FrozenKpi| {
        let was_stated = match &then.typed_in {
            Some(typed_in) => typed_in.reason.is_some(),
            // Frozen without a reason: only a person's value differs from the measured one.
            None => differs(then.post, then.achieved, TOLERANCE),
        };
        let now = rows.iter().find(|row| row.result.definition.code == then.code)?;
        let stated = was_stated || now.reason().is_some();
        let name = format!("{} (Valore POST)", then.code);
        (stated && differs(then.post, now.post(), TOLERANCE))
            .then(|| changed(submission, (&name, &then.unit), then.post, now.post()))
    };
    kpis.filter_map(one).collect()
}

/// A finding for each note of the authority's own system that would be another one now; with another value comes another
/// note, and that is told as the value's.
fn renoted(submission: &Submission, rows: &[Row], texts: &Texts) -> Vec<Finding> {
    let kpis = submission.frozen.iter().flat_map(|frozen| &frozen.kpis);
    let one = |then: &FrozenKpi| {
        let was = stated::words_of(&then.typed_in.as_ref()?.note);
        let row = rows.iter().find(|row| row.result.definition.code == then.code)?;
        let now = stated::words_of(&stated::note_of(row, texts));
        let same_value = !differs(then.post, row.post(), TOLERANCE);
        (same_value && was != now).then(|| note_changed(submission, &then.code, (&was, &now)))
    };
    kpis.filter_map(one).collect()
}

/// A note that is not what was frozen.
fn note_changed(submission: &Submission, code: &str, (was, now): (&str, &str)) -> Finding {
    let shown = |note: &str| if note.is_empty() { "-".to_owned() } else { note.to_owned() };
    let (was, now) = (shown(was), shown(now));
    let about = format!("submission:{} {code}", submission.id());
    let says = format!(
        "the note of {code} was frozen as \"{was}\" and would be \"{now}\" now; if it matters, send a correction"
    );
    Finding::new("submission.note_changed", Severity::Caution, about, says, RULE)
        .with("kpi", code)
        .with("before", was)
        .with("says", now)
}

/// A finding for each KPI whose value differs from what was frozen, and for each meter whose months do.
fn differences(submission: &Submission, year: &ProjectYear) -> Vec<Finding> {
    let Some(frozen) = submission.frozen.as_ref().filter(|_| is_about(submission, year)) else {
        return Vec::new();
    };
    if !states_figures(submission, year) {
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
    differs(then.achieved, now.achieved, TOLERANCE)
        .then(|| changed(submission, (&then.code, &then.unit), then.achieved, now.achieved))
}

/// Decimals with which two values are told so that the difference told is that of what is told: those of reports, more
/// where their rounding would say otherwise.
fn decimals(then: f64, now: f64) -> usize {
    let told = |value: f64, decimals: usize| format!("{value:.decimals$}").parse::<f64>().unwrap_or(value);
    let agrees = |decimals: &usize| {
        let step = 10_f64.powi(-i32::try_from(*decimals).unwrap_or_default());
        let of_told = told(now, *decimals) - told(then, *decimals);
        (of_told - told(now - then, *decimals)).abs() < step / 2.0
    };
    (DECIMALS..=DECIMALS_MAX).find(agrees).unwrap_or(DECIMALS_MAX)
}

/// A value, by its name and unit, that is not what was frozen.
fn changed(
    submission: &Submission,
    (name, unit): (&str, &str),
    then: Option<f64>,
    now: Option<f64>,
) -> Finding {
    let decimals = match (then, now) {
        (Some(a), Some(b)) => decimals(a, b),
        _ => DECIMALS,
    };
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.decimals$}"));
    let change = match (then, now) {
        (Some(a), Some(b)) => format!("{:+.decimals$}", b - a),
        _ => "-".to_owned(),
    };
    let (old, new) = (shown(then), shown(now));
    let about = format!("submission:{} {name}", submission.id());
    let says = format!(
        "{name} was frozen as {old} {unit} and would be {new} now (difference {change}); if it matters, send a correction"
    );
    Finding::new("submission.figures_changed", Severity::Caution, about, says, RULE)
        .with("kpi", name)
        .with("unit", unit)
        .with("frozen", old)
        .with("now", new)
        .with("difference", change)
}

#[cfg(test)]
pub(crate) mod tests;
