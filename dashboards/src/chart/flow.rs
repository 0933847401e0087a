//! Boxes in columns with arrows between them: the way of the data.
//!
//! Must never: draw an arrow that the data do not have, or let a name leave its box.

use analytics::report::document::{FlowArrow, FlowBox, FlowColumn};

use super::ChartStyle;
use super::svg::{Anchor, Drawing, Fill, INK, SOFT, TEXT_SIZE, WIDTH, cut, wrapped};

const HEAD: f64 = 26.0;
/// A box with its gap below.
const ROW: f64 = 88.0;
const BOX: f64 = 76.0;
/// Between columns: room for the arrows.
const GAP: f64 = 30.0;
const NAME: f64 = TEXT_SIZE - 1.0;
const NOTE: f64 = TEXT_SIZE - 2.5;
/// Of a note, and of name and note together: what a box has room for.
const NOTE_LINES_MAX: usize = 2;
const LINES_MAX: usize = 5;

/// Where the columns stand.
struct Place {
    left: f64,
    width: f64,
    /// Middle of the first box.
    first: f64,
}

impl Place {
    fn middle(&self, row: usize) -> f64 {
        self.first + ROW * row as f64
    }
}

pub(super) fn draw(style: &ChartStyle, columns: &[FlowColumn], arrows: &[FlowArrow]) -> Drawing {
    let tallest = columns.iter().map(|c| c.boxes.len()).max().unwrap_or(0).max(1);
    let mut drawing = Drawing::new(style, HEAD + ROW * tallest as f64);
    let count = columns.len().max(1) as f64;
    let width = (WIDTH - 2.0 - GAP * (count - 1.0)) / count;
    let places: Vec<Place> = columns
        .iter()
        .enumerate()
        .map(|(i, column)| Place {
            left: 1.0 + (width + GAP) * i as f64,
            width,
            // Columns are centred on each other.
            first: HEAD + ROW * (tallest - column.boxes.len()) as f64 / 2.0 + ROW / 2.0,
        })
        .collect();
    for arrow in arrows {
        let ends = places.get(arrow.from.0).zip(places.get(arrow.to.0));
        if let Some((from, to)) = ends.filter(|_| is_there(columns, arrow)) {
            let begin = (from.left + from.width, from.middle(arrow.from.1));
            head(&mut drawing, begin, (to.left, to.middle(arrow.to.1)));
        }
    }
    for (column, place) in columns.iter().zip(&places) {
        let title = cut(&column.title, NAME, place.width);
        drawing.text(place.left + place.width / 2.0, HEAD - 10.0, Anchor::Middle, NAME, &title);
        for (row, inside) in column.boxes.iter().enumerate() {
            filled(&mut drawing, place, place.middle(row), inside);
        }
    }
    drawing
}

fn is_there(columns: &[FlowColumn], arrow: &FlowArrow) -> bool {
    let has = |(column, row): (usize, usize)| columns.get(column).is_some_and(|c| row < c.boxes.len());
    has(arrow.from) && has(arrow.to)
}

/// A line with its point at the end.
fn head(drawing: &mut Drawing, from: (f64, f64), to: (f64, f64)) {
    drawing.line(from, to, SOFT, 1.2);
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(1.0);
    let (ux, uy) = (dx / length, dy / length);
    for side in [-1.0, 1.0] {
        let end = (to.0 - 7.0 * ux - side * 3.5 * uy, to.1 - 7.0 * uy + side * 3.5 * ux);
        drawing.line(to, end, SOFT, 1.2);
    }
}

fn filled(drawing: &mut Drawing, place: &Place, middle: f64, inside: &FlowBox) {
    drawing.rect(place.left, middle - BOX / 2.0, place.width, BOX, Fill::Light);
    let room = place.width - 8.0;
    let note =
        if inside.note.is_empty() { Vec::new() } else { wrapped(&inside.note, (NOTE, room), NOTE_LINES_MAX) };
    let name = wrapped(&inside.name, (NAME, room), LINES_MAX - note.len());
    let lines: Vec<(String, f64)> =
        name.into_iter().map(|line| (line, NAME)).chain(note.into_iter().map(|line| (line, NOTE))).collect();
    let step = 14.0;
    let top = middle - step * (lines.len() as f64 - 1.0) / 2.0 + 4.0;
    let x = place.left + place.width / 2.0;
    for (i, (line, size)) in lines.iter().enumerate() {
        drawing.text(x, top + step * i as f64, Anchor::Middle, *size, line);
    }
    drawing.line((place.left, middle - BOX / 2.0), (place.left + place.width, middle - BOX / 2.0), INK, 1.0);
}
