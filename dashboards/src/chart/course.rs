//! A value that grows through the year, in its band, against what is to be reached.
//!
//! Must never: draw on over a month that is not known.

use analytics::report::document::NamedValues;

use super::ChartStyle;
use super::scale::Scale;
use super::svg::{Anchor, Drawing, GRID, INK, TEXT_SIZE, WIDTH, axis_width, cut, legend_places};

const HEIGHT: f64 = 290.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 62.0;
const RIGHT: f64 = 16.0;

/// What is drawn; the parts of [`analytics::report::document::ChartKind::Course`].
pub(super) struct Course<'a> {
    pub(super) unit: &'a str,
    pub(super) labels: &'a [String],
    pub(super) best: &'a NamedValues,
    pub(super) band: &'a str,
    pub(super) low: &'a [Option<f64>],
    pub(super) high: &'a [Option<f64>],
    pub(super) target: Option<(&'a str, f64)>,
}

pub(super) fn draw(style: &ChartStyle, course: &Course<'_>) -> Drawing {
    let mut drawing = Drawing::new(style, HEIGHT);
    let values = course.best.values.iter().chain(course.low).chain(course.high).copied().flatten();
    let scale = Scale::over(values.chain(course.target.map(|t| t.1)));
    let ticks: Vec<String> =
        scale.ticks.iter().map(|t| style.numbers.number(*t, scale.decimals).unwrap_or_default()).collect();
    let widest = axis_width(&ticks, course.unit);
    let (left, right, bottom) = (widest + 14.0, WIDTH - RIGHT, HEIGHT - BOTTOM);
    let slot = (right - left) / course.labels.len().max(1) as f64;
    let y = |value: f64| bottom - (bottom - TOP) * scale.share(value);
    // A month's value stands at its end, where its slot ends: the year begins at nothing.
    let x = |month: usize| left + slot * (month as f64 + 1.0);

    for (value, text) in scale.ticks.iter().zip(&ticks) {
        drawing.line((left, y(*value)), (right, y(*value)), GRID, 0.7);
        drawing.text(left - 7.0, y(*value) + 4.5, Anchor::End, TEXT_SIZE, text);
    }
    drawing.text(left - 7.0, 12.0, Anchor::End, TEXT_SIZE, course.unit);
    for (i, label) in course.labels.iter().enumerate() {
        drawing.line((x(i), bottom), (x(i), bottom + 4.0), INK, 1.0);
        drawing.text(
            x(i) - slot / 2.0,
            bottom + 18.0,
            Anchor::Middle,
            TEXT_SIZE,
            &cut(label, TEXT_SIZE, slot),
        );
    }
    for run in runs(course) {
        let mut outline: Vec<(f64, f64)> = run.iter().map(|(m, _, high, _)| (x(*m), y(*high))).collect();
        let mut line: Vec<(f64, f64)> = run.iter().map(|(m, _, _, best)| (x(*m), y(*best))).collect();
        if run.first().is_some_and(|first| first.0 == 0) {
            outline.insert(0, (left, y(0.0)));
            line.insert(0, (left, y(0.0)));
        }
        outline.extend(run.iter().rev().map(|(m, low, _, _)| (x(*m), y(*low))));
        drawing.area(&outline);
        if line.len() > 1 {
            drawing.polyline(&line);
        }
        for (month, _, _, best) in &run {
            drawing.diamond(x(*month), y(*best));
        }
    }
    drawing.line((left, y(0.0)), (right, y(0.0)), INK, 1.0);
    if let Some((_, target)) = course.target {
        drawing.dashed((left, y(target)), (right, y(target)));
    }
    if course.best.values.iter().all(Option::is_none) {
        drawing.text(
            f64::midpoint(left, right),
            f64::midpoint(TOP, bottom),
            Anchor::Middle,
            TEXT_SIZE,
            &style.no_data,
        );
    }
    legend(&mut drawing, left, right, course);
    drawing
}

/// Months without a gap: number, low, high, best.
fn runs(course: &Course<'_>) -> Vec<Vec<(usize, f64, f64, f64)>> {
    let at = |values: &[Option<f64>], i: usize| values.get(i).copied().flatten().filter(|v| v.is_finite());
    let mut runs: Vec<Vec<(usize, f64, f64, f64)>> = Vec::new();
    for i in 0..course.labels.len() {
        let Some(best) = at(&course.best.values, i) else { continue };
        let point = (i, at(course.low, i).unwrap_or(best), at(course.high, i).unwrap_or(best), best);
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| last.0 + 1 == i) => run.push(point),
            _ => runs.push(vec![point]),
        }
    }
    runs
}

fn legend(drawing: &mut Drawing, left: f64, right: f64, course: &Course<'_>) {
    let mut names = vec![course.best.name.as_str(), course.band];
    names.extend(course.target.map(|t| t.0));
    let y = HEIGHT - 12.0;
    for (i, (x, text)) in legend_places(&names, left, right).into_iter().enumerate() {
        match i {
            0 => {
                drawing.polyline(&[(x, y - 5.0), (x + 20.0, y - 5.0)]);
                drawing.diamond(x + 10.0, y - 5.0);
            }
            1 => drawing.area(&[(x, y - 11.0), (x + 20.0, y - 11.0), (x + 20.0, y), (x, y)]),
            _ => drawing.dashed((x, y - 5.0), (x + 20.0, y - 5.0)),
        }
        drawing.text(x + 26.0, y, Anchor::Start, TEXT_SIZE, &text);
    }
}
