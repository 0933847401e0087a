//! Monthly stacked columns with a line over them.
//!
//! Must never: draw a month with a missing layer as a lower column.

use analytics::report::document::NamedValues;

use super::ChartStyle;
use super::scale::Scale;
use super::svg::{Anchor, Drawing, FILLS, Fill, GRID, INK, TEXT_SIZE, WIDTH, axis_width, cut, legend_places};

const HEIGHT: f64 = 270.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 62.0;
const RIGHT: f64 = 8.0;

/// The plot's place and its value axis.
struct Plot {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    scale: Scale,
}

impl Plot {
    fn y(&self, value: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * self.scale.share(value)
    }

    fn slot(&self, count: usize) -> f64 {
        (self.right - self.left) / count.max(1) as f64
    }
}

pub(super) fn draw(
    style: &ChartStyle,
    unit: &str,
    labels: &[String],
    columns: &[NamedValues],
    line: Option<&NamedValues>,
) -> Drawing {
    let mut drawing = Drawing::new(style, HEIGHT);
    let stacks: Vec<Option<Stack>> = (0..labels.len()).map(|i| stack(columns, i)).collect();
    let line_values = line.map_or(&[][..], |l| &l.values);
    let values = stacks
        .iter()
        .flatten()
        .flat_map(|s| [s.low(), s.high()])
        .chain(line_values.iter().copied().flatten());
    let scale = if style.counts { Scale::of_counts(values) } else { Scale::over(values) };
    let ticks: Vec<String> =
        scale.ticks.iter().map(|t| style.numbers.number(*t, scale.decimals).unwrap_or_default()).collect();
    let widest = axis_width(&ticks, unit);
    let plot = Plot { left: widest + 14.0, right: WIDTH - RIGHT, top: TOP, bottom: HEIGHT - BOTTOM, scale };
    axes(&mut drawing, &plot, unit, &ticks, labels);
    for (i, stack) in stacks.iter().enumerate() {
        column(&mut drawing, &plot, style, i, labels.len(), stack.as_ref());
    }
    draw_line(&mut drawing, &plot, labels.len(), line_values);
    if stacks.iter().any(Option::is_some) && stacks.iter().flatten().all(Stack::is_zero) {
        let middle = f64::midpoint(plot.left, plot.right);
        drawing.text(middle, plot.top + 30.0, Anchor::Middle, TEXT_SIZE, &style.all_zero);
    }
    legend(&mut drawing, &plot, style, columns, line, stacks.iter().any(Option::is_none));
    drawing
}

/// The layers of one month, each from where to where.
struct Stack {
    layers: Vec<(f64, f64)>,
}

impl Stack {
    fn low(&self) -> f64 {
        self.layers.iter().map(|l| l.0.min(l.1)).fold(0.0, f64::min)
    }

    fn high(&self) -> f64 {
        self.layers.iter().map(|l| l.0.max(l.1)).fold(0.0, f64::max)
    }

    fn is_zero(&self) -> bool {
        self.low() == 0.0 && self.high() == 0.0
    }
}

/// `None` when any layer is missing: a part of a column would look like a low month.
fn stack(columns: &[NamedValues], index: usize) -> Option<Stack> {
    let (mut up, mut down) = (0.0, 0.0);
    let mut layers = Vec::with_capacity(columns.len());
    for column in columns {
        let value = column.values.get(index).copied().flatten().filter(|v| v.is_finite())?;
        let edge = if value < 0.0 { &mut down } else { &mut up };
        layers.push((*edge, *edge + value));
        *edge += value;
    }
    if layers.is_empty() { None } else { Some(Stack { layers }) }
}

fn axes(drawing: &mut Drawing, plot: &Plot, unit: &str, ticks: &[String], labels: &[String]) {
    for (value, text) in plot.scale.ticks.iter().zip(ticks) {
        let y = plot.y(*value);
        drawing.line((plot.left, y), (plot.right, y), GRID, 0.7);
        drawing.text(plot.left - 7.0, y + 4.5, Anchor::End, TEXT_SIZE, text);
    }
    drawing.text(plot.left - 7.0, 12.0, Anchor::End, TEXT_SIZE, unit);
    let slot = plot.slot(labels.len());
    for (i, label) in labels.iter().enumerate() {
        let x = plot.left + slot * (i as f64 + 0.5);
        let text = cut(label, TEXT_SIZE, slot);
        drawing.text(x, plot.bottom + 18.0, Anchor::Middle, TEXT_SIZE, &text);
    }
}

fn column(
    drawing: &mut Drawing,
    plot: &Plot,
    style: &ChartStyle,
    index: usize,
    count: usize,
    stack: Option<&Stack>,
) {
    let slot = plot.slot(count);
    let x = plot.left + slot * (index as f64 + 0.18);
    let width = slot * 0.64;
    match stack {
        None => {
            let middle = x + width / 2.0;
            drawing.rect(x, plot.top, width, plot.bottom - plot.top, Fill::Gap);
            drawing.plate(middle, f64::midpoint(plot.top, plot.bottom), 15.0, 32.0);
            drawing.text_up(middle + 4.5, f64::midpoint(plot.top, plot.bottom), TEXT_SIZE, &style.no_data);
        }
        Some(stack) => {
            for (layer, (from, to)) in stack.layers.iter().enumerate() {
                let (y_from, y_to) = (plot.y(*from), plot.y(*to));
                if (y_from - y_to).abs() < 0.01 {
                    continue;
                }
                let fill = FILLS[layer % FILLS.len()];
                drawing.rect(x, y_from.min(y_to), width, (y_from - y_to).abs(), fill);
            }
        }
    }
    if index + 1 == count {
        drawing.line((plot.left, plot.y(0.0)), (plot.right, plot.y(0.0)), INK, 1.0);
    }
}

/// The line, broken where a value is missing; a value alone between gaps is still a mark.
fn draw_line(drawing: &mut Drawing, plot: &Plot, count: usize, values: &[Option<f64>]) {
    let slot = plot.slot(count);
    let place = |i: usize, v: f64| (plot.left + slot * (i as f64 + 0.5), plot.y(v));
    let mut run: Vec<(f64, f64)> = Vec::new();
    let mut marks: Vec<(f64, f64)> = Vec::new();
    for (i, value) in values.iter().take(count).enumerate() {
        match value.filter(|v| v.is_finite()) {
            Some(v) => {
                run.push(place(i, v));
                marks.push(place(i, v));
            }
            None => flush(drawing, &mut run),
        }
    }
    flush(drawing, &mut run);
    for (x, y) in marks {
        drawing.diamond(x, y);
    }
}

fn flush(drawing: &mut Drawing, run: &mut Vec<(f64, f64)>) {
    if run.len() > 1 {
        drawing.polyline(run);
    }
    run.clear();
}

fn legend(
    drawing: &mut Drawing,
    plot: &Plot,
    style: &ChartStyle,
    columns: &[NamedValues],
    line: Option<&NamedValues>,
    gaps: bool,
) {
    let mut names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    names.extend(line.map(|l| l.name.as_str()));
    if gaps {
        names.push(&style.no_data);
    }
    let y = HEIGHT - 12.0;
    for (i, (x, text)) in legend_places(&names, plot.left, plot.right).into_iter().enumerate() {
        if i < columns.len() {
            drawing.rect(x, y - 11.0, 19.0, 12.0, FILLS[i % FILLS.len()]);
        } else if i == columns.len() && line.is_some() {
            drawing.polyline(&[(x, y - 5.0), (x + 20.0, y - 5.0)]);
            drawing.diamond(x + 10.0, y - 5.0);
        } else {
            drawing.rect(x, y - 11.0, 19.0, 12.0, Fill::Gap);
        }
        drawing.text(x + 26.0, y, Anchor::Start, TEXT_SIZE, &text);
    }
}
