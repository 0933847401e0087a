//! Readings that came after a year was frozen: by how much its figures would differ now.
//!
//! Must never: change what was frozen.

use analytics::result::ProjectYear;
use model::{Finding, Severity};

use super::{FrozenKpi, Submission};

/// Differences below half of the last digit that is reported are none.
const TOLERANCE: f64 = 0.005;

/// A finding for each KPI whose value differs from what was frozen.
pub(crate) fn differences(submission: &Submission, year: &ProjectYear) -> Vec<Finding> {
    let Some(frozen) = &submission.frozen else { return Vec::new() };
    if submission.year != Some(year.year) || submission.project != year.project.id.as_str() {
        return Vec::new();
    }
    // The same inputs cannot give other figures.
    if frozen.inputs_sha256.as_deref() == Some(&*year.provenance.inputs.hex()) {
        return Vec::new();
    }
    frozen.kpis.iter().filter_map(|then| difference(submission, then, year)).collect()
}

fn difference(submission: &Submission, then: &FrozenKpi, year: &ProjectYear) -> Option<Finding> {
    let now = year.kpis.iter().find(|k| k.definition.code == then.code)?;
    let same = match (then.achieved, now.achieved) {
        (Some(a), Some(b)) => (a - b).abs() < TOLERANCE,
        (None, None) => true,
        _ => false,
    };
    if same {
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
    let rule = "what was sent stays; what came later is shown beside it";
    let finding = Finding::new("submission.figures_changed", Severity::Caution, about, says, rule)
        .with("kpi", &then.code)
        .with("unit", &then.unit)
        .with("frozen", old)
        .with("now", new)
        .with("difference", change);
    Some(finding)
}
