//! A cell for each hour of each weekday: as dark as its value is high, with the value in it.
//!
//! Must never: show a cell without value as a low one.

use analytics::report::document::NamedValues;

use super::ChartStyle;
use super::svg::{Anchor, Drawing, Fill, TEXT_SIZE, WIDTH, cut};

const NAMES: f64 = 88.0;
const HEAD: f64 = 22.0;
const ROW: f64 = 26.0;
/// The narrow cells' own size.
const CELL_TEXT: f64 = 10.5;

pub(super) fn draw(style: &ChartStyle, labels: &[String], rows: &[NamedValues]) -> Drawing {
    let mut drawing = Drawing::new(style, HEAD + ROW * rows.len().max(1) as f64 + 4.0);
    let cell = (WIDTH - NAMES - 2.0) / labels.len().max(1) as f64;
    let values = || rows.iter().flat_map(|r| r.values.iter().copied().flatten()).filter(|v| v.is_finite());
    let high = values().fold(0.0, f64::max);
    let decimals = decimals(high);
    for (i, label) in labels.iter().enumerate() {
        let x = NAMES + cell * (i as f64 + 0.5);
        drawing.text(x, HEAD - 7.0, Anchor::Middle, TEXT_SIZE - 2.0, &cut(label, TEXT_SIZE, cell));
    }
    for (r, row) in rows.iter().enumerate() {
        let y = HEAD + ROW * r as f64;
        drawing.text(NAMES - 8.0, y + 17.0, Anchor::End, TEXT_SIZE, &cut(&row.name, TEXT_SIZE, NAMES - 10.0));
        for i in 0..labels.len() {
            let x = NAMES + cell * i as f64;
            match row.values.get(i).copied().flatten().filter(|v| v.is_finite()) {
                None => drawing.rect(x, y, cell, ROW - 2.0, Fill::Gap),
                Some(value) => {
                    let share = if 0.0 < high { (value / high).clamp(0.0, 1.0) } else { 0.0 };
                    drawing.shade(x, y, cell, ROW - 2.0, share);
                    let text = style.numbers.number(value, decimals).unwrap_or_default();
                    drawing.text(x + cell / 2.0, y + 15.5, Anchor::Middle, CELL_TEXT, &text);
                }
            }
        }
    }
    if rows.is_empty() {
        drawing.text(WIDTH / 2.0, HEAD + 17.0, Anchor::Middle, TEXT_SIZE, &style.no_data);
    }
    drawing
}

/// As many as a cell of four characters has room for.
fn decimals(high: f64) -> usize {
    if high < 10.0 {
        2
    } else if high < 100.0 {
        1
    } else {
        0
    }
}
