//! A row per meter, a cell per month: how much of the time was measured, written in the cell too.
//!
//! Must never: round a month with a gap up to 100, or show a month not yet due as a gap.

use analytics::report::document::NamedValues;

use super::ChartStyle;
use super::svg::{Anchor, Drawing, Fill, TEXT_SIZE, WIDTH, cut, cut_apart, text_width, wrapped};

const NAMES: f64 = 228.0;
const HEAD: f64 = 24.0;
const ROW: f64 = 30.0;
/// Of a name that one line does not hold.
const NAME: f64 = TEXT_SIZE - 1.5;
const NAME_STEP: f64 = 13.0;
const NAME_LINES_MAX: usize = 2;

pub(super) fn draw(style: &ChartStyle, labels: &[String], rows: &[NamedValues]) -> Drawing {
    let mut drawing = Drawing::new(style, HEAD + ROW * rows.len().max(1) as f64 + 4.0);
    let cell = (WIDTH - NAMES - 2.0) / labels.len().max(1) as f64;
    for (i, label) in labels.iter().enumerate() {
        let x = NAMES + cell * (i as f64 + 0.5);
        drawing.text(x, HEAD - 8.0, Anchor::Middle, TEXT_SIZE, &cut(label, TEXT_SIZE, cell));
    }
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    // What two lines cannot hold keeps what tells it apart.
    let names = cut_apart(&names, NAME, NAME_LINES_MAX as f64 * (NAMES - 10.0));
    for (r, (row, name)) in rows.iter().zip(&names).enumerate() {
        let y = HEAD + ROW * r as f64;
        let lines = match text_width(name, TEXT_SIZE) <= NAMES - 10.0 {
            true => vec![(name.clone(), TEXT_SIZE)],
            false => {
                wrapped(name, (NAME, NAMES - 10.0), NAME_LINES_MAX).into_iter().map(|l| (l, NAME)).collect()
            }
        };
        let first = y + 18.5 - NAME_STEP * (lines.len() as f64 - 1.0) / 2.0;
        for (i, (line, size)) in lines.iter().enumerate() {
            drawing.text(NAMES - 8.0, first + NAME_STEP * i as f64, Anchor::End, *size, line);
        }
        for i in 0..labels.len() {
            let x = NAMES + cell * i as f64;
            let value = row.values.get(i).copied().flatten().filter(|v| v.is_finite());
            let Some(share) = value else {
                continue;
            };
            if share <= 0.0 {
                drawing.rect(x, y, cell, ROW - 3.0, Fill::Gap);
            } else {
                drawing.shade(x, y, cell, ROW - 3.0, share);
            }
            let middle = x + cell / 2.0;
            if share <= 0.0 {
                drawing.plate(middle, y + 14.0, 14.0, 14.0);
            }
            drawing.text(middle, y + 18.5, Anchor::Middle, TEXT_SIZE - 1.0, &percent(share));
        }
    }
    if rows.is_empty() {
        drawing.text(WIDTH / 2.0, HEAD + 17.0, Anchor::Middle, TEXT_SIZE, &style.no_data);
    }
    drawing
}

/// Whole percents, as the tables round them; but 99.9 % is not 100 %.
fn percent(share: f64) -> String {
    let rounded = (share.clamp(0.0, 1.0) * 100.0).round();
    let lacks = share + 1e-9 < 1.0;
    let text = format!("{:.0}", if lacks { rounded.min(99.0) } else { rounded });
    // Something measured is not nothing.
    if text == "0" && share > 0.0 { "<1".to_owned() } else { text }
}
