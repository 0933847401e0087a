//! Avoided energy meter by meter, and the comparison with the values declared ex ante.
//!
//! Must never: print a withheld figure as a number, or mix the measured baseline with the declared value.

use model::{MeterRole, Severity};

use super::adjustments;
use super::context::{Context, meter_unit};
use super::document::{Align, Block, Chart, ChartKind, NamedValues, Section};
use super::format::{ENERGY_DECIMALS, unit_symbol};
use super::monthly::layers;
use super::{normalised, stated};
use crate::evaluate::CoursePoint;
use crate::result::{Baseline, KpiResult, MeterYear};
use crate::scheme::KpiMeasure;

/// Most charts of a KPI's course: the first ones that add up through the year and have a target.
const COURSES_MAX: usize = 4;
/// Where the value that counts stands in the table of KPI: right after the measured one.
const POST_COLUMN: usize = 3;

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
    blocks.extend(normalised::blocks(context, &compared));
    if !context.year.kpis.is_empty() {
        blocks.push(Block::Heading(context.t("savings.kpi_heading")));
        blocks.push(context.paragraph("savings.kpi_intro"));
        blocks.push(kpis(context));
        blocks.extend(stated::reasons(context));
        blocks.extend(remarks(context));
        blocks.extend(
            context
                .year
                .kpis
                .iter()
                .filter_map(|kpi| course(context, kpi))
                .take(COURSES_MAX)
                .map(Block::Chart),
        );
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
                    let bound = |v: f64| Some(v).filter(|v| v.is_finite());
                    format.range(bound(t.avoided_low), bound(t.avoided_high), ENERGY_DECIMALS)
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

/// The measured values, which the verdicts are about; where a person states another one, also the one that counts.
fn kpis(context: &Context<'_>) -> Block {
    let format = &context.format;
    let any_stated = stated::any(context);
    let rows = context
        .year
        .kpis
        .iter()
        .map(|kpi| {
            let unit = unit_symbol(kpi.definition.unit.symbol());
            let mut row = vec![
                format!("{} – {} [{unit}]", kpi.definition.code, context.kpi_name(kpi)),
                context.kpi_number(kpi, kpi.target),
                context.kpi_number(kpi, kpi.achieved),
                context.kpi_number(kpi, kpi.best),
                context.kpi_range(kpi),
                format.percent(kpi.attainment_ratio),
                context.kpi_verdict(kpi),
            ];
            if any_stated {
                row.insert(POST_COLUMN, stated::counting(context, kpi));
            }
            row
        })
        .collect();
    let mut columns = vec![
        ("kpi", Align::Left),
        ("declared", Align::Right),
        ("achieved", Align::Right),
        ("best", Align::Right),
        ("range", Align::Right),
        ("attainment", Align::Right),
        ("verdict", Align::Left),
    ];
    if any_stated {
        columns.insert(POST_COLUMN, ("post", Align::Right));
    }
    let caption = context.fill("savings.kpi_caption", &[("year", &context.year.year.to_string())]);
    context.table(caption, &columns, rows)
}

/// Why KPI are withheld or weak; those with the same reasons share one remark. Of what no meter measures, nothing is
/// lacking once a person states it.
pub(super) fn remarks(context: &Context<'_>) -> Vec<Block> {
    let mut groups: Vec<(&'static str, Vec<String>, Vec<&str>)> = Vec::new();
    for kpi in &context.year.kpis {
        let (is_stated, mut reasons) = (context.stated(kpi).is_some(), context.kpi_reasons(kpi));
        if reasons.is_empty() || (is_stated && kpi.definition.measure == KpiMeasure::Stated) {
            continue;
        }
        if context.is_to_be_stated(kpi) {
            // The sentence says it itself, and no data would mend it.
            reasons.clear();
        }
        let key = match (kpi.achieved, is_stated) {
            _ if context.is_to_be_stated(kpi) => "savings.to_state",
            (None, false) => "savings.withheld",
            (None, true) => "savings.withheld_measured",
            (Some(_), _) => "savings.weakened",
        };
        match groups.iter_mut().find(|(k, r, _)| *k == key && *r == reasons) {
            Some((_, _, codes)) => codes.push(&kpi.definition.code),
            None => groups.push((key, reasons, vec![&kpi.definition.code])),
        }
    }
    let block = |(key, reasons, codes): (&'static str, Vec<String>, Vec<&str>)| {
        let severity = if key == "savings.withheld" { Severity::Blocks } else { Severity::Caution };
        let values = [("codes", &*codes.join(", ")), ("reasons", &*reasons.join("; "))];
        Block::Callout { severity, text: context.fill(key, &values) }
    };
    groups.into_iter().map(block).collect()
}

/// A saving as it grew through the year, against its target. `None` for what does not add up, or was never known.
fn course(context: &Context<'_>, kpi: &KpiResult) -> Option<Chart> {
    let adds_up = matches!(
        kpi.definition.measure,
        KpiMeasure::FinalEnergySaved | KpiMeasure::PrimaryEnergySaved | KpiMeasure::Co2Avoided
    );
    let course = context.beside.courses.iter().find(|c| c.code == kpi.definition.code).filter(|_| adds_up)?;
    let pick = |of: fn(&CoursePoint) -> Option<f64>| -> Vec<Option<f64>> {
        course.points.iter().map(|p| p.as_ref().and_then(of)).collect()
    };
    let (best, low, high) = (pick(|p| p.best), pick(|p| p.low), pick(|p| p.high));
    let (last_month, last) = best.iter().enumerate().rev().find_map(|(i, v)| Some((i, (*v)?)))?;
    let unit = unit_symbol(kpi.definition.unit.symbol());
    let decimals = context.kpi_decimals(kpi);
    let show = |v: Option<f64>| context.format.quantity(v, decimals, &unit);
    let at = |values: &[Option<f64>]| values.get(last_month).copied().flatten();
    let values = [
        ("kpi", &*context.kpi_name(kpi)),
        ("year", &*context.year.year.to_string()),
        ("unit", &*unit),
        ("month", &*context.format.month(last_month as u32 + 1)),
        ("best", &*show(Some(last))),
        ("low", &*show(at(&low))),
        ("high", &*show(at(&high))),
        ("target", &*show(kpi.target)),
    ];
    // The sum of what is known so far is no result where the KPI has none: it may pass the target on paper alone.
    let is_known = kpi.achieved.is_some();
    // A total that stood still counts as nothing used in the line, and as use in the lower one, until a person looks.
    let stood_still = context.year.findings.iter().any(|f| f.code == "series.flat");
    let said = |key: &str| {
        let mut text = context.fill(&format!("savings.{key}"), &values);
        for (is_so, why) in [(!is_known, "withheld"), (stood_still, "standstill")] {
            if is_so {
                text = format!("{text} {}", context.t(&format!("savings.{key}_{why}")));
            }
        }
        text
    };
    let best_name = if is_known { "savings.course_best" } else { "savings.course_known" };
    Some(Chart {
        caption: said("course_caption"),
        alternative: said("course_alternative"),
        kind: ChartKind::Course {
            labels: (1..=12).map(|n| context.format.month_short(n)).collect(),
            best: NamedValues { name: context.t(best_name), values: best },
            band: context.t("savings.course_band"),
            low,
            high,
            target: kpi.target.map(|t| (context.t("savings.course_target"), t)),
            unit: unit.clone(),
        },
    })
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
