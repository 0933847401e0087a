//! Charts as SVG: one renderer for pages and PDF.
//!
//! Must never: draw a missing value as a low one, tell series apart by colour alone, or give other bytes for the
//! same chart.

mod carpet;
mod columns;
mod compare;
mod course;
mod coverage;
mod flow;
mod grid;
mod scale;
mod scatter;
mod svg;

use analytics::report::document::{Chart, ChartKind};
use analytics::report::format::Numbers;

pub use carpet::{CarpetChart, carpet};
pub use compare::{CompareChart, compare};

/// How a chart is dressed for where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartStyle {
    /// How axis labels write numbers.
    pub numbers: Numbers,
    /// A CSS font list. For a PDF it must name a bundled font.
    pub font: String,
    /// Written where a value is missing: `n.d.`.
    pub no_data: String,
    /// Written over a chart whose values are all zero.
    pub all_zero: String,
    /// Makes the ids of one chart differ from those of another on the same page.
    pub id: String,
    /// Whether columns are counts: their axis has whole steps.
    pub counts: bool,
}

/// The chart as an SVG document, 680 units wide. The same chart and style give the same bytes.
#[must_use]
pub fn svg(chart: &Chart, style: &ChartStyle) -> String {
    let drawing = match &chart.kind {
        ChartKind::MonthlyColumns { unit, labels, columns, line } => {
            columns::draw(style, unit, labels, columns, line.as_ref())
        }
        ChartKind::Scatter { x_label, y_label, groups, line } => {
            scatter::draw(style, x_label, y_label, groups, line.as_ref())
        }
        ChartKind::Coverage { labels, rows } => coverage::draw(style, labels, rows),
        ChartKind::Course { unit, labels, best, band, low, high, target } => {
            let target = target.as_ref().map(|(name, value)| (name.as_str(), *value));
            course::draw(style, &course::Course { unit, labels, best, band, low, high, target })
        }
        ChartKind::Grid { labels, rows } => grid::draw(style, labels, rows),
        ChartKind::Flow { columns, arrows } => flow::draw(style, columns, arrows),
    };
    drawing.finish(style, &chart.caption, &chart.alternative)
}

#[cfg(test)]
mod tests;
