//! Monthly measurements, carrier by carrier, with what is estimated marked.
//!
//! Must never: print a month without data as zero, or an estimate without its mark.

use model::{Carrier, Direction, MeterRole, Severity};

use super::context::{Context, meter_unit};
use super::document::{Align, Block, Chart, ChartKind, NamedValues, Section, Table};
use super::format::{ENERGY_DECIMALS, capitalised};
use crate::result::{MeterMonth, MeterYear, MonthSource};

/// Meters that one table holds side by side on a page.
const METERS_PER_TABLE: usize = 4;

/// Share of a month above which its value carries the mark of an estimate.
const ESTIMATED_RATIO_MARKED: f64 = 0.0005;

pub(super) fn section(context: &Context<'_>) -> Section {
    let mut groups: Vec<(Carrier, Direction)> = Vec::new();
    for meter in &context.year.meters {
        let key = (meter.meter.carrier, meter.meter.direction);
        if !groups.contains(&key) {
            groups.push(key);
        }
    }
    let mut blocks = Vec::new();
    if !groups.is_empty() {
        blocks.push(context.paragraph("monthly.intro"));
    }
    for (carrier, direction) in groups {
        let meters: Vec<&MeterYear> = context
            .year
            .meters
            .iter()
            .filter(|m| m.meter.carrier == carrier && m.meter.direction == direction)
            .collect();
        group(context, carrier, direction, &meters, &mut blocks);
    }
    if !blocks.is_empty() {
        blocks.push(context.paragraph("monthly.marks"));
    }
    context.section("monthly", blocks)
}

fn group(
    context: &Context<'_>,
    carrier: Carrier,
    direction: Direction,
    meters: &[&MeterYear],
    blocks: &mut Vec<Block>,
) {
    let unit = carrier.base_unit().display().symbol();
    let name = format!("{}, {}", context.carrier(carrier), context.direction(direction));
    blocks.push(Block::Heading(capitalised(&name)));
    if meters.iter().all(|m| measured_total(m).is_none()) {
        let names: Vec<&str> = meters.iter().map(|m| m.meter.name.as_str()).collect();
        let text = context.fill("monthly.no_data", &[("meters", &names.join("; "))]);
        blocks.push(Block::Callout { severity: Severity::Blocks, text });
        return;
    }
    // A sub-meter is a part of another one: stacking it would count its energy twice.
    let stacked: Vec<&MeterYear> =
        meters.iter().copied().filter(|m| m.meter.role != MeterRole::Sub).collect();
    match stacked.as_slice() {
        [] => {}
        [only] => blocks.push(Block::Chart(chart(context, &name, unit, &[only], layers(context, only)))),
        several => {
            for part in several.chunks(METERS_PER_TABLE) {
                blocks.push(Block::Chart(chart(context, &name, unit, part, by_meter(context, part))));
            }
        }
    }
    for (i, part) in meters.chunks(METERS_PER_TABLE).enumerate() {
        let suffix = if i == 0 { String::new() } else { format!(" ({})", i + 1) };
        blocks.push(Block::Table(table(context, &format!("{name}{suffix}"), part)));
    }
}

/// One meter: what was measured, months of which too little was measured as a column of their own, and, above, the part
/// whose place in time is estimated.
pub(super) fn layers(context: &Context<'_>, meter: &MeterYear) -> Vec<NamedValues> {
    let split = |share: fn(&MeterMonth) -> f64| -> Vec<Option<f64>> {
        meter.months.iter().map(|m| m.measured.map(|v| v * share(m))).collect()
    };
    let layer = |key: &str, values| NamedValues { name: context.t(key), values };
    let measured = split(|m| if m.is_part() { 0.0 } else { 1.0 - m.estimated_ratio });
    let mut layers = vec![layer("monthly.measured", measured)];
    if meter.months.iter().any(MeterMonth::is_part) {
        layers.push(layer("monthly.part", split(|m| if m.is_part() { 1.0 } else { 0.0 })));
    }
    if meter.months.iter().any(|m| m.measured.is_some() && !m.is_part() && is_estimated(m)) {
        let estimated = split(|m| if m.is_part() { 0.0 } else { m.estimated_ratio });
        layers.push(layer("monthly.estimated", estimated));
    }
    layers
}

/// Several meters on each other, and above them what was measured of months that were not measured enough: a part of a
/// month would make the whole column look like a low month.
fn by_meter(context: &Context<'_>, meters: &[&MeterYear]) -> Vec<NamedValues> {
    let known = |month: &MeterMonth| month.measured.map(|v| if month.is_part() { 0.0 } else { v });
    let values = |m: &MeterYear| m.months.iter().map(known).collect();
    let mut layers: Vec<NamedValues> =
        meters.iter().map(|m| NamedValues { name: m.meter.name.clone(), values: values(m) }).collect();
    let months = meters.iter().map(|m| m.months.len()).max().unwrap_or_default();
    let parts = |i: usize| meters.iter().filter_map(move |m| m.months.get(i).filter(|month| month.is_part()));
    if (0..months).any(|i| parts(i).next().is_some()) {
        let sum = |i: usize| Some(parts(i).filter_map(|month| month.measured).sum());
        layers.push(NamedValues { name: context.t("monthly.part"), values: (0..months).map(sum).collect() });
    }
    layers
}

fn chart(
    context: &Context<'_>,
    group: &str,
    unit: &str,
    meters: &[&MeterYear],
    columns: Vec<NamedValues>,
) -> Chart {
    let year = context.year.year.to_string();
    let whole = |i: usize| meters.iter().all(|m| m.months.get(i).is_some_and(MeterMonth::is_whole));
    let known = (0..12).filter(|i| whole(*i)).count().to_string();
    let names: Vec<&str> = meters.iter().map(|m| m.meter.name.as_str()).collect();
    let names = names.join(", ");
    let values =
        [("group", group), ("meters", &*names), ("year", &*year), ("unit", unit), ("months", &*known)];
    Chart {
        caption: context.fill("monthly.chart_caption", &values),
        alternative: context.fill("monthly.chart_alternative", &values),
        kind: ChartKind::MonthlyColumns {
            unit: unit.to_owned(),
            labels: (1..=12).map(|n| context.format.month_short(n)).collect(),
            columns,
            line: None,
        },
    }
}

pub(super) fn is_estimated(month: &MeterMonth) -> bool {
    ESTIMATED_RATIO_MARKED <= month.estimated_ratio
}

/// The year's sum; `None` when no month is known, for the sum of nothing is not zero energy.
pub(super) fn measured_total(meter: &MeterYear) -> Option<f64> {
    meter.months.iter().any(|m| m.measured.is_some()).then_some(meter.totals.measured)
}

fn table(context: &Context<'_>, name: &str, meters: &[&MeterYear]) -> Table {
    let mut columns = vec![(context.t("column.month"), Align::Left)];
    for meter in meters {
        columns.push((format!("{} [{}]", meter.meter.name, meter_unit(&meter.meter)), Align::Right));
    }
    let rows = (0..12)
        .map(|i| {
            let mut row = vec![context.format.month(i as u32 + 1)];
            row.extend(meters.iter().map(|m| {
                m.months.get(i).map_or_else(|| context.format.missing(), |month| cell(context, month))
            }));
            row
        })
        .collect();
    let any = |is: fn(&MeterMonth) -> bool| meters.iter().any(|m| m.months.iter().any(is));
    let label = if any(MeterMonth::is_part) {
        "monthly.total_parts"
    } else if any(|month| month.measured.is_none()) {
        "monthly.total_available"
    } else {
        "monthly.total"
    };
    let mut total = vec![context.t(label)];
    total.extend(meters.iter().map(|m| {
        let sum = context.format.number(measured_total(m), ENERGY_DECIMALS);
        if m.months.iter().any(MeterMonth::is_part) { lacking(&sum) } else { sum }
    }));
    let caption =
        context.fill("monthly.table_caption", &[("group", name), ("year", &context.year.year.to_string())]);
    Table { caption, columns, rows, total: Some(total) }
}

/// A month's value with its marks: `*` where a part is estimated, `†` where it comes from bills, `‡` where too little of
/// the month was measured.
pub(super) fn cell(context: &Context<'_>, month: &MeterMonth) -> String {
    let text = context.format.number(month.measured, ENERGY_DECIMALS);
    if month.measured.is_none() {
        return text;
    }
    let marks = [
        (is_estimated(month), ESTIMATED),
        (month.source == MonthSource::Bills, BILLED),
        (month.is_part(), LACKING),
    ];
    marked(text, &marks)
}

/// The mark of a value of which a part is estimated.
pub(super) const ESTIMATED: char = '*';
const BILLED: char = '†';
/// The mark of a value to which a part is lacking.
pub(super) const LACKING: char = '‡';

/// A value with those of the marks that hold.
pub(super) fn marked(value: String, marks: &[(bool, char)]) -> String {
    let marks: String = marks.iter().filter(|(holds, _)| *holds).map(|(_, mark)| mark).collect();
    if marks.is_empty() { value } else { format!("{value}\u{a0}{marks}") }
}

/// A value to which a part is lacking, with its mark.
pub(super) fn lacking(value: &str) -> String {
    format!("{value}\u{a0}{LACKING}")
}
