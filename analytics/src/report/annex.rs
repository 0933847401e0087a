//! The annexes: monthly tables of each meter, conversion factors, provenance.
//!
//! Must never: round away a bound, or leave out a digest.

use model::{Carrier, FactorKind, OwnFactor};

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
    let shown = |value| context.format.number(value, ENERGY_DECIMALS);
    let (least, most) = (shown(Some(low)), shown(high));
    let values = [
        ("meter", &*meter.meter.name),
        ("low", &*least),
        ("high", &*most),
        ("unit", meter_unit(&meter.meter)),
    ];
    let key = if high.is_some() { "annex.months_together" } else { "annex.months_together_least" };
    Some(Block::Paragraph(context.fill(key, &values)))
}

/// The mark of a factor of the project's own.
const OWN: char = '¶';
/// The factors that the annex prints.
const PRINTED: [FactorKind; 6] = [
    FactorKind::HeatingValue,
    FactorKind::PrimaryNonrenewable,
    FactorKind::PrimaryRenewable,
    FactorKind::Co2,
    FactorKind::Nox,
    FactorKind::Pm10,
];

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
    let used = context.year.used_factors();
    let row = |carrier: Carrier| {
        let mut row =
            vec![capitalised(&context.carrier(carrier)), carrier.base_unit().display().symbol().to_owned()];
        row.extend(PRINTED.map(|kind| match used.find(carrier, kind) {
            Some(of) if of.own => format!("{}\u{a0}{OWN}", format.trimmed(Some(of.value), 4)),
            of => format.trimmed(of.map(|of| of.value), 4),
        }));
        row
    };
    let rows = used.carriers().into_iter().map(row).collect();
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
    let mut blocks = vec![Block::Facts(facts), table, context.paragraph("annex.factors_note")];
    let own = own_factors(context, None);
    if !own.is_empty() {
        blocks.push(context.paragraph("annex.own_factors_mark"));
        blocks.extend(own);
    }
    context.annex("annex_factors", blocks)
}

/// The factors that the project file states in place of the set's, each with its source; of these carriers alone, where
/// they are named. Nothing where there is none.
pub(super) fn own_factors(context: &Context<'_>, of: Option<&[Carrier]>) -> Vec<Block> {
    let wanted = |own: &&OwnFactor| of.is_none_or(|carriers| carriers.contains(&own.carrier));
    let told = |own: &OwnFactor| {
        let value = context.format.trimmed(Some(own.value), 6);
        let values = [
            ("kind", &*context.t(&format!("factor_kind.{}", own.kind.code()))),
            ("carrier", &*context.carrier(own.carrier)),
            ("value", &*value),
            ("unit", &*own.kind.unit(own.carrier)),
            ("source", own.source.trim()),
        ];
        context.fill("annex.own_factor", &values)
    };
    let own: Vec<String> = context.year.project.terms.factors.iter().filter(wanted).map(told).collect();
    if own.is_empty() {
        return Vec::new();
    }
    vec![context.paragraph("annex.own_factors"), Block::Bullets(own)]
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
