//! The annexes: monthly tables of each meter, conversion factors, provenance.
//!
//! Must never: round away a bound, or leave out a digest.

use super::context::{Context, meter_unit};
use super::document::{Align, Block, Section};
use super::format::ENERGY_DECIMALS;
use super::monthly::cell;
use crate::result::MeterYear;

pub(super) fn months(context: &Context<'_>) -> Section {
    let mut blocks = Vec::new();
    if !context.year.meters.is_empty() {
        blocks.push(context.paragraph("annex.months_intro"));
    }
    blocks.extend(context.year.meters.iter().map(|meter| meter_table(context, meter)));
    context.annex("annex_months", blocks)
}

fn meter_table(context: &Context<'_>, meter: &MeterYear) -> Block {
    let format = &context.format;
    let number = |v: Option<f64>| format.number(v, ENERGY_DECIMALS);
    let rows = meter
        .months
        .iter()
        .map(|m| {
            vec![
                format.month(m.month.number),
                cell(context, m),
                format.range(m.measured_low, m.measured_high, ENERGY_DECIMALS),
                format.percent(Some(m.coverage_ratio)),
                format.percent(m.measured.map(|_| m.estimated_ratio)),
                number(m.heating_degree_days),
                number(m.adjusted_baseline),
                number(m.avoided),
            ]
        })
        .collect();
    let columns = [
        ("month", Align::Left),
        ("measured", Align::Right),
        ("bounds", Align::Right),
        ("coverage", Align::Right),
        ("estimated", Align::Right),
        ("degree_days", Align::Right),
        ("adjusted_baseline", Align::Right),
        ("avoided", Align::Right),
    ];
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
    context.table(caption, &columns, rows)
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
                context.carrier(f.carrier),
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
