//! A carpet: a column per day, a row per hour, the darker the more was used.
//!
//! Must never: shade an hour that was not measured.

use std::fmt::Write as _;

use super::ChartStyle;
use super::svg::{Anchor, Drawing, TEXT_SIZE, WIDTH, n};

const LEFT: f64 = 44.0;
const TOP: f64 = 8.0;
const ROW: f64 = 8.5;
const BOTTOM: f64 = 58.0;
const SHADES: usize = 9;
/// Days between two labels of the axis.
const LABEL_DAYS: usize = 7;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct CarpetChart {
    pub title: String,
    pub alternative: String,
    pub unit: String,
    /// Label of each day, and its 24 hours.
    pub days: Vec<(String, [Option<f64>; 24])>,
    /// The greatest value.
    pub most: f64,
}

/// The chart as an SVG document, 680 units wide; shades are classes `s0` to `s8`, holes the class `gap`.
#[must_use]
pub fn carpet(chart: &CarpetChart, style: &ChartStyle) -> String {
    let height = TOP + 24.0 * ROW + BOTTOM;
    let mut drawing = Drawing::new(style, height);
    let column = (WIDTH - LEFT - 4.0) / chart.days.len().max(1) as f64;
    let mut paths: Vec<String> = vec![String::new(); SHADES + 1];
    for (i, (_, hours)) in chart.days.iter().enumerate() {
        for (hour, value) in hours.iter().enumerate() {
            let shade = value.map_or(SHADES, |v| shade(v, chart.most));
            let (x, y) = (LEFT + column * i as f64, TOP + ROW * hour as f64);
            if let Some(path) = paths.get_mut(shade) {
                let (w, h) = (n(column), n(ROW));
                let _infallible = write!(path, "M{} {}h{w}v{h}h-{w}z", n(x), n(y));
            }
        }
    }
    for (shade, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let class = if shade == SHADES { "gap".to_owned() } else { format!("s{shade}") };
        drawing.path(&class, path);
    }
    for hour in [0, 6, 12, 18, 24] {
        let y = TOP + ROW * f64::from(hour);
        drawing.text(LEFT - 7.0, y + 4.5, Anchor::End, TEXT_SIZE, &hour.to_string());
    }
    let bottom = TOP + 24.0 * ROW;
    for (i, (label, _)) in chart.days.iter().enumerate().step_by(LABEL_DAYS) {
        drawing.text(LEFT + column * i as f64, bottom + 17.0, Anchor::Start, TEXT_SIZE, label);
    }
    scale(&mut drawing, chart, style, bottom + 36.0);
    drawing.finish(style, &chart.title, &chart.alternative)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of nine shades")]
fn shade(value: f64, most: f64) -> usize {
    let share = if 0.0 < most { (value / most).clamp(0.0, 1.0) } else { 0.0 };
    ((share * SHADES as f64) as usize).min(SHADES - 1)
}

/// The shades with the values at their ends.
fn scale(drawing: &mut Drawing, chart: &CarpetChart, style: &ChartStyle, y: f64) {
    let cell = 26.0;
    let number = |value: f64| {
        let decimals = if chart.most < 10.0 { 1 } else { 0 };
        style.numbers.number(value, decimals).unwrap_or_default()
    };
    drawing.text(LEFT, y + 10.0, Anchor::Start, TEXT_SIZE, &number(0.0));
    let from = LEFT + 22.0;
    for i in 0..SHADES {
        let (x, w) = (n(from + cell * i as f64), n(cell));
        drawing.path(&format!("s{i}"), &format!("M{x} {}h{w}v12h-{w}z", n(y)));
    }
    let end = format!("{} {}", number(chart.most), chart.unit);
    drawing.text(from + cell * SHADES as f64 + 8.0, y + 10.0, Anchor::Start, TEXT_SIZE, &end);
}
