//! Avoided energy meter by meter, and the comparison with the values declared ex ante.
//!
//! Must never: print a withheld figure as a number, or mix the measured baseline with the declared value.

use model::{MeterRole, Severity};

use super::adjustments;
use super::context::{Context, meter_unit};
use super::document::{Align, Block, Chart, ChartKind, NamedValues, Section};
use super::format::{ENERGY_DECIMALS, KPI_DECIMALS, unit_symbol};
use super::monthly::layers;
use crate::result::{Baseline, KpiResult, MeterYear};

pub(super) fn section(context: &Context<'_>) -> Section {
    let compared: Vec<&MeterYear> = context
        .year
        .meters
        .iter()
        .filter(|m| m.meter.role != MeterRole::Sub && !matches!(m.baseline, Baseline::NotCompared))
        .collect();
    let mut blocks = Vec::new();
    if !compared.is_empty() {
        blocks.push(context.paragraph("savings.intro"));
        blocks.push(meters(context, &compared));
        blocks.push(context.paragraph("savings.bounds_note"));
        blocks.extend(compared.iter().filter_map(|m| left_out(context, m)));
        for meter in compared.iter().filter(|m| m.months.iter().any(|x| x.adjusted_baseline.is_some())) {
            blocks.push(Block::Chart(chart(context, meter)));
        }
    }
    blocks.extend(adjustments::blocks(context));
    if !context.year.kpis.is_empty() {
        blocks.push(Block::Heading(context.t("savings.kpi_heading")));
        blocks.push(context.paragraph("savings.kpi_intro"));
        blocks.push(kpis(context));
        blocks.extend(remarks(context));
        blocks.push(Block::Facts(context.year.kpis.iter().map(|kpi| source(context, kpi)).collect()));
        blocks.push(context.paragraph("savings.two_comparisons"));
    }
    context.section("savings", blocks)
}

fn meters(context: &Context<'_>, compared: &[&MeterYear]) -> Block {
    let format = &context.format;
    let rows = compared
        .iter()
        .map(|m| {
            let t = &m.totals;
            let known = 0 < t.compared_months;
            let figure = |v: f64| format.number(known.then_some(v), ENERGY_DECIMALS);
            vec![
                format!("{} [{}]", m.meter.name, meter_unit(&m.meter)),
                context.fill(
                    "savings.months_of",
                    &[("compared", &t.compared_months.to_string()), ("due", &t.reporting_months.to_string())],
                ),
                figure(t.adjusted_baseline),
                figure(t.compared_measured),
                figure(t.avoided),
                if known {
                    format.range(Some(t.avoided_low), Some(t.avoided_high), ENERGY_DECIMALS)
                } else {
                    format.missing()
                },
                format.percent(Some(t.coverage_ratio)),
            ]
        })
        .collect();
    let columns = [
        ("meter", Align::Left),
        ("months", Align::Right),
        ("adjusted_baseline", Align::Right),
        ("measured", Align::Right),
        ("avoided", Align::Right),
        ("range", Align::Right),
        ("coverage", Align::Right),
    ];
    let caption = context.fill("savings.caption", &[("year", &context.year.year.to_string())]);
    context.table(caption, &columns, rows)
}

/// Says which months were not compared, so that nobody takes their absence for a saving.
fn left_out(context: &Context<'_>, meter: &MeterYear) -> Option<Block> {
    let names: Vec<String> = meter
        .months
        .iter()
        .filter(|m| m.reporting && m.avoided.is_none())
        .map(|m| context.format.month(m.month.number))
        .collect();
    if names.is_empty() {
        return None;
    }
    let values = [("meter", &*meter.meter.name), ("months", &*names.join(", "))];
    let all = meter.totals.compared_months == 0;
    let key = if all { "savings.left_out_all" } else { "savings.left_out" };
    let severity = if all { Severity::Blocks } else { Severity::Caution };
    Some(Block::Callout { severity, text: context.fill(key, &values) })
}

fn chart(context: &Context<'_>, meter: &MeterYear) -> Chart {
    let unit = meter_unit(&meter.meter);
    let year = context.year.year.to_string();
    let known = (0 < meter.totals.compared_months).then_some(());
    let figure = |v: f64| context.format.quantity(known.map(|()| v), ENERGY_DECIMALS, unit);
    Chart {
        caption: context
            .fill("savings.chart_caption", &[("meter", &meter.meter.name), ("year", &year), ("unit", unit)]),
        alternative: context.fill(
            "savings.chart_alternative",
            &[
                ("meter", &meter.meter.name),
                ("year", &year),
                ("measured", &figure(meter.totals.compared_measured)),
                ("baseline", &figure(meter.totals.adjusted_baseline)),
                ("avoided", &figure(meter.totals.avoided)),
            ],
        ),
        kind: ChartKind::MonthlyColumns {
            unit: unit.to_owned(),
            labels: (1..=12).map(|n| context.format.month_short(n)).collect(),
            columns: layers(context, meter),
            line: Some(NamedValues {
                name: context.t("savings.adjusted"),
                values: meter.months.iter().map(|m| m.adjusted_baseline).collect(),
            }),
        },
    }
}

fn kpis(context: &Context<'_>) -> Block {
    let format = &context.format;
    let rows = context
        .year
        .kpis
        .iter()
        .map(|kpi| {
            let unit = unit_symbol(kpi.definition.unit.symbol());
            vec![
                format!("{} – {} [{unit}]", kpi.definition.code, context.kpi_name(kpi)),
                format.number(kpi.target, KPI_DECIMALS),
                format.number(kpi.achieved, KPI_DECIMALS),
                format.number(kpi.best, KPI_DECIMALS),
                format.range(kpi.low, kpi.high, KPI_DECIMALS),
                format.percent(kpi.attainment_ratio),
                context.t(&format!("verdict.{}", kpi.verdict.code())),
            ]
        })
        .collect();
    let columns = [
        ("kpi", Align::Left),
        ("declared", Align::Right),
        ("achieved", Align::Right),
        ("best", Align::Right),
        ("range", Align::Right),
        ("attainment", Align::Right),
        ("verdict", Align::Left),
    ];
    let caption = context.fill("savings.kpi_caption", &[("year", &context.year.year.to_string())]);
    context.table(caption, &columns, rows)
}

/// Why KPI are withheld or weak; those with the same reasons share one remark.
fn remarks(context: &Context<'_>) -> Vec<Block> {
    let mut groups: Vec<(bool, Vec<String>, Vec<&str>)> = Vec::new();
    for kpi in &context.year.kpis {
        let (withheld, reasons) = (kpi.achieved.is_none(), context.kpi_reasons(kpi));
        if reasons.is_empty() {
            continue;
        }
        match groups.iter_mut().find(|(w, r, _)| *w == withheld && *r == reasons) {
            Some((_, _, codes)) => codes.push(&kpi.definition.code),
            None => groups.push((withheld, reasons, vec![&kpi.definition.code])),
        }
    }
    let block = |(withheld, reasons, codes): (bool, Vec<String>, Vec<&str>)| {
        let (key, severity) = if withheld {
            ("savings.withheld", Severity::Blocks)
        } else {
            ("savings.weakened", Severity::Caution)
        };
        let values = [("codes", &*codes.join(", ")), ("reasons", &*reasons.join("; "))];
        Block::Callout { severity, text: context.fill(key, &values) }
    };
    groups.into_iter().map(block).collect()
}

fn source(context: &Context<'_>, kpi: &KpiResult) -> (String, String) {
    let stated = match &kpi.target_source {
        Some(source) => context.fill("savings.declared_in", &[("source", source)]),
        None if kpi.target.is_some() => context.t("savings.limit_of_scheme"),
        None => context.t("savings.not_declared"),
    };
    let citation = kpi.definition.citation.trim();
    if citation.is_empty() {
        return (kpi.definition.code.clone(), stated);
    }
    let reference = context.fill("savings.reference", &[("citation", citation)]);
    (kpi.definition.code.clone(), format!("{stated} {reference}"))
}
