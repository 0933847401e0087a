//! Points of two quantities, with the line of a model.
//!
//! Must never: drop a point without trace; what is no number is not a point.

use analytics::report::document::{NamedLine, NamedPoints};

use super::ChartStyle;
use super::scale::Scale;
use super::svg::{Anchor, Drawing, GRID, INK, TEXT_SIZE, WIDTH, cut, legend_places, text_width};

const HEIGHT: f64 = 330.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 84.0;
const RIGHT: f64 = 22.0;

pub(super) fn draw(
    style: &ChartStyle,
    x_label: &str,
    y_label: &str,
    groups: &[NamedPoints],
    line: Option<&NamedLine>,
) -> Drawing {
    let mut drawing = Drawing::new(style, HEIGHT);
    let finite = |p: &&(f64, f64)| p.0.is_finite() && p.1.is_finite();
    let points =
        || groups.iter().flat_map(|g| &g.points).chain(line.iter().flat_map(|l| &l.points)).filter(finite);
    let x_scale = Scale::over(points().map(|p| p.0));
    let y_scale = Scale::over(points().map(|p| p.1));
    let y_ticks: Vec<String> = y_scale
        .ticks
        .iter()
        .map(|t| style.numbers.number(*t, y_scale.decimals).unwrap_or_default())
        .collect();
    let widest = y_ticks.iter().map(|t| text_width(t, TEXT_SIZE)).fold(20.0, f64::max);
    let (left, right, bottom) = (widest + 36.0, WIDTH - RIGHT, HEIGHT - BOTTOM);
    let place = |p: (f64, f64)| {
        let x = left + (right - left) * x_scale.share(p.0);
        (x, bottom - (bottom - TOP) * y_scale.share(p.1))
    };

    for (value, text) in y_scale.ticks.iter().zip(&y_ticks) {
        let y = place((x_scale.from, *value)).1;
        drawing.line((left, y), (right, y), GRID, 0.7);
        drawing.text(left - 7.0, y + 4.5, Anchor::End, TEXT_SIZE, text);
    }
    for value in &x_scale.ticks {
        let x = place((*value, y_scale.from)).0;
        drawing.line((x, bottom), (x, bottom + 4.0), INK, 1.0);
        let text = style.numbers.number(*value, x_scale.decimals).unwrap_or_default();
        drawing.text(x, bottom + 19.0, Anchor::Middle, TEXT_SIZE, &text);
    }
    drawing.line((left, bottom), (right, bottom), INK, 1.0);
    drawing.line((left, TOP), (left, bottom), INK, 1.0);
    let middle = f64::midpoint(left, right);
    drawing.text(middle, bottom + 40.0, Anchor::Middle, TEXT_SIZE, &cut(x_label, TEXT_SIZE, right - left));
    drawing.text_up(13.0, f64::midpoint(TOP, bottom), TEXT_SIZE, &cut(y_label, TEXT_SIZE, bottom - TOP));

    if let Some(line) = line {
        let ends: Vec<(f64, f64)> = line.points.iter().filter(finite).map(|p| place(*p)).collect();
        if ends.len() > 1 {
            drawing.polyline(&ends);
        }
    }
    for (i, group) in groups.iter().enumerate() {
        for point in group.points.iter().filter(finite) {
            let (x, y) = place(*point);
            drawing.marker(x, y, i);
        }
    }
    if points().next().is_none() {
        drawing.text(middle, f64::midpoint(TOP, bottom), Anchor::Middle, TEXT_SIZE, &style.no_data);
    }
    legend(&mut drawing, left, right, groups, line);
    drawing
}

fn legend(drawing: &mut Drawing, left: f64, right: f64, groups: &[NamedPoints], line: Option<&NamedLine>) {
    let mut names: Vec<&str> = groups.iter().map(|g| g.name.as_str()).collect();
    names.extend(line.map(|l| l.name.as_str()));
    let y = HEIGHT - 12.0;
    for (i, (x, text)) in legend_places(&names, left, right).into_iter().enumerate() {
        if i < groups.len() {
            drawing.marker(x + 10.0, y - 4.5, i);
        } else {
            drawing.polyline(&[(x, y - 4.5), (x + 20.0, y - 4.5)]);
        }
        drawing.text(x + 26.0, y, Anchor::Start, TEXT_SIZE, &text);
    }
}
