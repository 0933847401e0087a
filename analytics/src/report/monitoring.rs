//! The monitoring system and how much of the year it measured.
//!
//! Must never: show a month that is not over as a gap, or a gap as measured.

use super::context::{Context, meter_unit};
use super::document::{Align, Block, Chart, ChartKind, NamedValues, Section};
use crate::result::{MeterYear, MonthReadings, MonthSource};

pub(super) fn section(context: &Context<'_>) -> Section {
    let year = context.year;
    if year.meters.is_empty() {
        return context.section("monitoring", Vec::new());
    }
    let mut blocks = vec![
        context.paragraph("monitoring.intro"),
        meters(context),
        coverage_table(context),
        Block::Chart(coverage_chart(context)),
        context.paragraph("monitoring.coverage_note"),
    ];
    let counted: Vec<&MeterYear> = year.meters.iter().filter(|m| !m.record.readings.is_empty()).collect();
    if !counted.is_empty() {
        blocks.push(context.paragraph("monitoring.readings_note"));
        blocks.extend(counted.into_iter().map(|meter| readings_table(context, meter)));
    }
    context.section("monitoring", blocks)
}

fn meters(context: &Context<'_>) -> Block {
    let rows = context
        .year
        .meters
        .iter()
        .map(|m| {
            let facts = &m.meter;
            let dash = || "–".to_owned();
            vec![
                facts.name.clone(),
                context.building_name(m),
                format!("{}, {}", context.carrier(facts.carrier), context.direction(facts.direction)),
                context.t(&format!("role.{}", facts.role.code())),
                facts.supply_point.clone().unwrap_or_else(dash),
                facts.serial.clone().unwrap_or_else(dash),
                facts.accuracy_class.clone().unwrap_or_else(dash),
            ]
        })
        .collect();
    let columns = [
        ("meter", Align::Left),
        ("building", Align::Left),
        ("carrier", Align::Left),
        ("role", Align::Left),
        ("supply_point", Align::Left),
        ("serial", Align::Left),
        ("accuracy_class", Align::Left),
    ];
    context.table(context.t("monitoring.meters_caption"), &columns, rows)
}

fn coverage_table(context: &Context<'_>) -> Block {
    let rows = context
        .year
        .meters
        .iter()
        .map(|m| {
            let count = |source: MonthSource| {
                due(context, m).filter(|month| month.source == source).count().to_string()
            };
            vec![
                m.meter.name.clone(),
                meter_unit(&m.meter).to_owned(),
                count(MonthSource::Meter),
                count(MonthSource::Bills),
                count(MonthSource::Missing),
                context.format.percent(Some(m.totals.coverage_ratio)),
            ]
        })
        .collect();
    let columns = [
        ("meter", Align::Left),
        ("unit", Align::Left),
        ("months_metered", Align::Right),
        ("months_billed", Align::Right),
        ("months_missing", Align::Right),
        ("coverage", Align::Right),
    ];
    context.table(context.t("monitoring.coverage_caption"), &columns, rows)
}

/// What became of a meter's readings, month by month.
fn readings_table(context: &Context<'_>, meter: &MeterYear) -> Block {
    let estimated = |counts: &MonthReadings| {
        let month = meter.months.iter().find(|m| m.month == counts.month);
        context.format.percent(month.filter(|m| m.measured.is_some()).map(|m| m.estimated_ratio))
    };
    let count = |n: u64| context.format.number(Some(n as f64), 0);
    let rows = meter
        .record
        .readings
        .iter()
        .map(|counts| {
            vec![
                context.format.month(counts.month.number),
                count(counts.expected),
                count(counts.received),
                count(counts.late),
                count(counts.refused),
                count(counts.quarantined),
                estimated(counts),
            ]
        })
        .collect();
    let columns = [
        ("month", Align::Left),
        ("readings_expected", Align::Right),
        ("readings_received", Align::Right),
        ("readings_late", Align::Right),
        ("readings_refused", Align::Right),
        ("readings_quarantined", Align::Right),
        ("estimated", Align::Right),
    ];
    let caption = context.fill("monitoring.readings_caption", &[("meter", meter.meter.name.as_str())]);
    context.table(caption, &columns, rows)
}

/// The months that have begun before the day up to which data may exist.
fn due<'a>(
    context: &'a Context<'_>,
    meter: &'a MeterYear,
) -> impl Iterator<Item = &'a crate::result::MeterMonth> {
    meter.months.iter().filter(|m| m.month.first_day() < context.year.until)
}

fn coverage_chart(context: &Context<'_>) -> Chart {
    let year = context.year;
    let rows = year
        .meters
        .iter()
        .map(|m| NamedValues {
            name: m.meter.name.clone(),
            values: m
                .months
                .iter()
                .map(|month| (month.month.first_day() < year.until).then_some(month.coverage_ratio))
                .collect(),
        })
        .collect();
    Chart {
        caption: context.fill("monitoring.chart_caption", &[("year", &year.year.to_string())]),
        alternative: context.fill(
            "monitoring.chart_alternative",
            &[("year", &year.year.to_string()), ("meters", &coverage_words(context))],
        ),
        kind: ChartKind::Coverage { labels: (1..=12).map(|n| context.format.month_short(n)).collect(), rows },
    }
}

fn coverage_words(context: &Context<'_>) -> String {
    let words: Vec<String> = context
        .year
        .meters
        .iter()
        .map(|m| format!("{} {}", m.meter.name, context.format.percent(Some(m.totals.coverage_ratio))))
        .collect();
    words.join("; ")
}
