//! Columns of a span with those of the year before behind them and what was to be expected over them.
//!
//! Must never: draw a part that is not known as a low one.

use super::ChartStyle;
use super::scale::Scale;
use super::svg::{Anchor, Drawing, Fill, GRID, INK, TEXT_SIZE, WIDTH, axis_width, cut, legend_places};

const HEIGHT: f64 = 270.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 62.0;
const RIGHT: f64 = 8.0;
/// Most labels along the axis.
const LABELS_MAX: usize = 16;

/// What is drawn; the lists are as long as `labels`.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareChart {
    pub title: String,
    /// The chart in words.
    pub alternative: String,
    pub unit: String,
    pub labels: Vec<String>,
    pub measured: Vec<Option<f64>>,
    pub year_before: Vec<Option<f64>>,
    pub expected: Vec<Option<f64>>,
    /// Parts that should be known and are not.
    pub missing: Vec<bool>,
    /// Names of measured, year before, expected.
    pub names: [String; 3],
}

struct Plot {
    left: f64,
    bottom: f64,
    slot: f64,
    scale: Scale,
}

impl Plot {
    fn y(&self, value: f64) -> f64 {
        self.bottom - (self.bottom - TOP) * self.scale.share(value)
    }
}

/// The chart as an SVG document, 680 units wide.
#[must_use]
pub fn compare(chart: &CompareChart, style: &ChartStyle) -> String {
    let mut drawing = Drawing::new(style, HEIGHT);
    let all = chart.measured.iter().chain(&chart.year_before).chain(&chart.expected);
    let scale = Scale::over(all.copied().flatten());
    let ticks: Vec<String> =
        scale.ticks.iter().map(|t| style.numbers.number(*t, scale.decimals).unwrap_or_default()).collect();
    let widest = axis_width(&ticks, &chart.unit);
    let left = widest + 14.0;
    let slot = (WIDTH - RIGHT - left) / chart.labels.len().max(1) as f64;
    let plot = Plot { left, bottom: HEIGHT - BOTTOM, slot, scale };
    axes(&mut drawing, &plot, chart, &ticks);
    for i in 0..chart.labels.len() {
        part(&mut drawing, &plot, chart, i);
    }
    drawing.line((left, plot.y(0.0)), (WIDTH - RIGHT, plot.y(0.0)), INK, 1.0);
    expected(&mut drawing, &plot, chart);
    legend(&mut drawing, left, chart, style);
    drawing.finish(style, &chart.title, &chart.alternative)
}

fn axes(drawing: &mut Drawing, plot: &Plot, chart: &CompareChart, ticks: &[String]) {
    for (value, text) in plot.scale.ticks.iter().zip(ticks) {
        let y = plot.y(*value);
        drawing.line((plot.left, y), (WIDTH - RIGHT, y), GRID, 0.7);
        drawing.text(plot.left - 7.0, y + 4.5, Anchor::End, TEXT_SIZE, text);
    }
    drawing.text(plot.left - 7.0, 12.0, Anchor::End, TEXT_SIZE, &chart.unit);
    let every = chart.labels.len().div_ceil(LABELS_MAX).max(1);
    for (i, label) in chart.labels.iter().enumerate().step_by(every) {
        let x = plot.left + plot.slot * (i as f64 + 0.5);
        let text = cut(label, TEXT_SIZE, plot.slot * every as f64);
        drawing.text(x, plot.bottom + 18.0, Anchor::Middle, TEXT_SIZE, &text);
    }
}

fn part(drawing: &mut Drawing, plot: &Plot, chart: &CompareChart, i: usize) {
    let at = |list: &[Option<f64>]| list.get(i).copied().flatten().filter(|v| v.is_finite());
    let x = plot.left + plot.slot * i as f64;
    let mut column = |share: f64, value: f64, fill| {
        let (y, zero) = (plot.y(value), plot.y(0.0));
        let width = plot.slot * share;
        drawing.rect(x + (plot.slot - width) / 2.0, y.min(zero), width, (zero - y).abs(), fill);
    };
    if let Some(before) = at(&chart.year_before) {
        column(0.84, before, Fill::Light);
    }
    match at(&chart.measured) {
        Some(measured) => column(0.5, measured, Fill::Dark),
        None if chart.missing.get(i) == Some(&true) => {
            drawing.rect(x + plot.slot * 0.2, TOP, plot.slot * 0.6, plot.bottom - TOP, Fill::Gap);
        }
        None => {}
    }
}

/// A mark across each part, so that what is expected of one day does not look like the way to the next.
fn expected(drawing: &mut Drawing, plot: &Plot, chart: &CompareChart) {
    for (i, value) in chart.expected.iter().enumerate() {
        if let Some(value) = value.filter(|v| v.is_finite()) {
            let (x, y) = (plot.left + plot.slot * i as f64, plot.y(value));
            drawing.polyline(&[(x + plot.slot * 0.06, y), (x + plot.slot * 0.94, y)]);
        }
    }
}

fn legend(drawing: &mut Drawing, left: f64, chart: &CompareChart, style: &ChartStyle) {
    let any = |list: &[Option<f64>]| list.iter().any(Option::is_some);
    let shown = [true, any(&chart.year_before), any(&chart.expected), chart.missing.contains(&true)];
    let [measured, before, expected] = &chart.names;
    let all = [measured.as_str(), before, expected, &style.no_data];
    let entries: Vec<(usize, &str)> =
        all.into_iter().enumerate().filter(|(i, _)| shown.get(*i) == Some(&true)).collect();
    let names: Vec<&str> = entries.iter().map(|(_, name)| *name).collect();
    let y = HEIGHT - 12.0;
    for ((kind, _), (x, text)) in entries.into_iter().zip(legend_places(&names, left, WIDTH - RIGHT)) {
        match kind {
            0 => drawing.rect(x, y - 11.0, 19.0, 12.0, Fill::Dark),
            1 => drawing.rect(x, y - 11.0, 19.0, 12.0, Fill::Light),
            2 => drawing.polyline(&[(x, y - 5.0), (x + 20.0, y - 5.0)]),
            _ => drawing.rect(x, y - 11.0, 19.0, 12.0, Fill::Gap),
        }
        drawing.text(x + 26.0, y, Anchor::Start, TEXT_SIZE, &text);
    }
}
