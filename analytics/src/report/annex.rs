//! The annexes: monthly tables of each meter, conversion factors, provenance.
//!
//! Must never: round away a bound, or leave out a digest.

use super::context::{Context, meter_unit};
use super::document::{Align, Block, Section};
use super::format::{ENERGY_DECIMALS, capitalised};
use super::monthly::cell;
use crate::result::{Baseline, MeterMonth, MeterYear};

pub(super) fn months(context: &Context<'_>) -> Section {
    let mut blocks = Vec::new();
    if !context.year.meters.is_empty() {
        blocks.push(context.paragraph("annex.months_intro"));
    }
    for meter in &context.year.meters {
        blocks.push(meter_table(context, meter));
        blocks.extend(together(context, meter));
    }
    context.annex("annex_months", blocks)
}

/// The bounds of all reporting months together, where they are tighter than the sum of the months' own.
fn together(context: &Context<'_>, meter: &MeterYear) -> Option<Block> {
    let totals = &meter.totals;
    if totals.joint_low <= 0.0 && totals.joint_high <= 0.0 {
        return None;
    }
    let months = || meter.months.iter().filter(|m| m.reporting);
    let low: f64 = months().filter_map(|m| m.measured_low).sum();
    let high: Option<f64> = months().map(|m| m.measured_high).sum();
    let (low, high) = (low + totals.joint_low, high.map(|high| high - totals.joint_high));
    let range = context.format.range(Some(low), high, ENERGY_DECIMALS);
    let values = [("meter", &*meter.meter.name), ("range", &*range), ("unit", meter_unit(&meter.meter))];
    Some(Block::Paragraph(context.fill("annex.months_together", &values)))
}

/// One column of a meter's table.
type MonthColumn = (&'static str, Align, fn(&Context<'_>, &MeterMonth) -> String);

fn number(context: &Context<'_>, value: Option<f64>) -> String {
    context.format.number(value, ENERGY_DECIMALS)
}

const MEASURED: [MonthColumn; 5] = [
    ("month", Align::Left, |c, m| c.format.month(m.month.number)),
    ("measured", Align::Right, cell),
    ("bounds", Align::Right, |c, m| c.format.range(m.measured_low, m.measured_high, ENERGY_DECIMALS)),
    ("coverage", Align::Right, |c, m| c.format.percent(Some(m.coverage_ratio))),
    ("estimated", Align::Right, |c, m| c.format.percent(m.measured.map(|_| m.estimated_ratio))),
];
const DEGREE_DAYS: MonthColumn = ("degree_days", Align::Right, |c, m| number(c, m.heating_degree_days));
const COOLING: MonthColumn = ("cooling_degree_days", Align::Right, |c, m| number(c, m.cooling_degree_days));
const COMPARED: [MonthColumn; 2] = [
    ("adjusted_baseline", Align::Right, |c, m| number(c, m.adjusted_baseline)),
    ("avoided", Align::Right, |c, m| number(c, m.avoided)),
];

/// The columns that can say something of this meter: no degree days without a model that has a base, no
/// savings where nothing is compared.
fn month_columns(meter: &MeterYear) -> Vec<MonthColumn> {
    let mut columns = MEASURED.to_vec();
    match &meter.baseline {
        Baseline::Fitted(model) => {
            if model.heating_base_c.is_some() {
                columns.push(DEGREE_DAYS);
            }
            if model.cooling_base_c.is_some() {
                columns.push(COOLING);
            }
            columns.extend(COMPARED);
        }
        Baseline::Zero | Baseline::Unknown => columns.extend(COMPARED),
        Baseline::NotCompared => {}
    }
    columns
}

fn meter_table(context: &Context<'_>, meter: &MeterYear) -> Block {
    let columns = month_columns(meter);
    let rows = meter
        .months
        .iter()
        .map(|m| columns.iter().map(|(_, _, write)| write(context, m)).collect())
        .collect();
    let heads: Vec<(&str, Align)> = columns.iter().map(|(key, align, _)| (*key, *align)).collect();
    let point = meter.meter.supply_point.clone().unwrap_or_else(|| meter.meter.id.to_string());
    let caption = context.fill(
        "annex.meter_caption",
        &[
            ("meter", &meter.meter.name),
            ("point", &point),
            ("carrier", &context.carrier(meter.meter.carrier)),
            ("direction", &context.direction(meter.meter.direction)),
            ("unit", meter_unit(&meter.meter)),
        ],
    );
    context.table(caption, &heads, rows)
}

/// Every meter with what its readings are judged by.
pub(super) fn meters(context: &Context<'_>) -> Section {
    let dash = || "–".to_owned();
    let rows: Vec<Vec<String>> = context
        .year
        .meters
        .iter()
        .map(|m| {
            let facts = &m.meter;
            let unit = meter_unit(facts);
            let coefficient = facts.gas.map(|gas| context.format.trimmed(Some(gas.coefficient.to_f64()), 6));
            vec![
                facts.name.clone(),
                facts.id.to_string(),
                facts.supply_point.clone().unwrap_or_else(dash),
                facts.serial.clone().unwrap_or_else(dash),
                facts.accuracy_class.clone().unwrap_or_else(dash),
                format!(
                    "{}\u{a0}{}",
                    context.format.trimmed(Some(facts.ceiling_per_hour), 3),
                    per_hour(unit)
                ),
                coefficient.unwrap_or_else(dash),
            ]
        })
        .collect();
    if rows.is_empty() {
        return context.annex("annex_meters", Vec::new());
    }
    let columns = [
        ("meter", Align::Left),
        ("meter_id", Align::Left),
        ("supply_point", Align::Left),
        ("serial", Align::Left),
        ("accuracy_class", Align::Left),
        ("ceiling", Align::Right),
        ("gas_coefficient", Align::Right),
    ];
    let table = context.table(context.t("annex.meters_caption"), &columns, rows);
    context.annex("annex_meters", vec![table, context.paragraph("annex.meters_note")])
}

/// `kW`, `Smc/h`, `kg/h`.
pub(super) fn per_hour(unit: &str) -> String {
    if unit == "kWh" { "kW".to_owned() } else { format!("{unit}/h") }
}

pub(super) fn factors(context: &Context<'_>) -> Section {
    let set = &context.year.factors;
    let format = &context.format;
    let day = |d: Option<chrono::NaiveDate>| d.map_or_else(|| "–".to_owned(), |d| format.date(d));
    let facts = vec![
        (context.t("annex.set"), format!("{} ({})", set.title, set.id)),
        (context.t("annex.source"), set.source.clone()),
        (context.t("annex.valid_from"), day(set.valid_from)),
        (context.t("annex.valid_to"), day(set.valid_to)),
    ];
    let rows = set
        .carriers
        .iter()
        .map(|f| {
            vec![
                capitalised(&context.carrier(f.carrier)),
                f.carrier.base_unit().display().symbol().to_owned(),
                format.trimmed(Some(f.kwh_per_unit), 4),
                format.trimmed(f.primary_nonrenewable, 4),
                format.trimmed(f.primary_renewable, 4),
                format.trimmed(f.co2_kg_per_kwh, 4),
                format.trimmed(f.nox_g_per_gj, 4),
                format.trimmed(f.pm10_g_per_gj, 4),
            ]
        })
        .collect();
    let columns = [
        ("carrier", Align::Left),
        ("unit", Align::Left),
        ("factor_kwh", Align::Right),
        ("factor_nren", Align::Right),
        ("factor_ren", Align::Right),
        ("factor_co2", Align::Right),
        ("factor_nox", Align::Right),
        ("factor_pm10", Align::Right),
    ];
    let table = context.table(context.t("annex.factors_caption"), &columns, rows);
    context.annex("annex_factors", vec![Block::Facts(facts), table, context.paragraph("annex.factors_note")])
}

pub(super) fn provenance(context: &Context<'_>) -> Section {
    let from = &context.year.provenance;
    let format = &context.format;
    let instant = |at: Option<model::Instant>| at.map_or_else(|| format.missing(), |t| t.to_string());
    let facts = [
        ("provenance.readings", format.count(from.readings)),
        ("provenance.bills", format.count(from.bills)),
        ("provenance.temperatures", format.count(from.temperatures)),
        ("provenance.first", instant(from.first_reading_at)),
        ("provenance.last", instant(from.last_reading_at)),
        ("provenance.rules", from.rules.to_owned()),
        ("provenance.inputs", from.inputs.hex()),
        ("provenance.catalog", from.catalog.hex()),
    ];
    let facts = facts.into_iter().map(|(key, value)| (context.t(key), value)).collect();
    context.annex("annex_provenance", vec![context.paragraph("provenance.intro"), Block::Facts(facts)])
}
