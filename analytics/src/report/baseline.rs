//! The baseline models, their quality, and the scatter of consumption against degree days.
//!
//! Must never: draw a model that was not fitted, or leave a meter's missing baseline unsaid.

use model::Severity;

use super::context::{Context, concerns, meter_unit};
use super::document::{Block, Chart, ChartKind, NamedLine, NamedPoints, Section};
use super::format::capitalised;
use crate::result::{Baseline, BaselineModel, BaselinePoint, MeterYear, ModelDriver};
use crate::signature::Signature;

pub(super) fn section(context: &Context<'_>) -> Section {
    section_with(context, "baseline.intro")
}

/// Of a campaign, which knows no works and no reporting year.
pub(super) fn of_campaign(context: &Context<'_>) -> Section {
    section_with(context, "campaign.baseline_intro")
}

fn section_with(context: &Context<'_>, intro: &str) -> Section {
    let meters = &context.year.meters;
    let mut blocks = Vec::new();
    if meters.iter().any(|m| !matches!(m.baseline, Baseline::NotCompared)) {
        let dates = &context.year.project.dates;
        blocks.push(Block::Paragraph(context.fill(
            intro,
            &[
                ("from", &context.format.date(dates.baseline_from)),
                ("to", &context.format.date(dates.baseline_to)),
            ],
        )));
    }
    for meter in meters {
        match &meter.baseline {
            Baseline::Fitted(model) => fitted(context, meter, model, &mut blocks),
            Baseline::Zero => {
                blocks.push(Block::Heading(meter.meter.name.clone()));
                blocks.push(context.paragraph("baseline.zero"));
            }
            Baseline::Unknown => {
                blocks.push(Block::Heading(meter.meter.name.clone()));
                blocks.push(unknown(context, meter));
            }
            Baseline::NotCompared => {}
        }
    }
    let others: Vec<String> = meters
        .iter()
        .filter(|m| matches!(m.baseline, Baseline::NotCompared))
        .map(|m| m.meter.name.clone())
        .collect();
    if !others.is_empty() {
        let text = context.fill("baseline.not_compared", &[("meters", &others.join("; "))]);
        blocks.push(Block::Paragraph(text));
    }
    context.section("baseline", blocks)
}

fn unknown(context: &Context<'_>, meter: &MeterYear) -> Block {
    let reasons: Vec<String> = context
        .year
        .findings
        .iter()
        .filter(|f| {
            concerns(f, &meter.meter) && (f.code.starts_with("baseline") || f.code.starts_with("fit"))
        })
        .map(|f| context.texts.finding(f))
        .collect();
    let mut text = context.t("baseline.unknown");
    if !reasons.is_empty() {
        text = format!("{text} {}", sentence(&reasons.join("; ")));
    }
    Block::Callout { severity: Severity::Blocks, text }
}

fn fitted(context: &Context<'_>, meter: &MeterYear, model: &BaselineModel, blocks: &mut Vec<Block>) {
    let format = &context.format;
    let unit = meter_unit(&meter.meter);
    let quality = &model.quality;
    let mut facts = Vec::new();
    if let (Some(first), Some(last)) = (model.points.first(), model.points.last()) {
        let values = [("from", &*format.date(first.from)), ("to", &*format.date(last.to))];
        facts.push((context.t("baseline.period"), context.fill("baseline.period_value", &values)));
    }
    facts.push((context.t("baseline.method"), context.t(&format!("baseline.method.{}", model.method))));
    facts.push((context.t("baseline.equation"), equation(context, model, unit)));
    facts.push((context.t("baseline.points"), quality.n.to_string()));
    facts.push((context.t("baseline.days"), quality.baseline_days.to_string()));
    facts.push((context.t("baseline.r2"), format.number(Some(quality.r2), 3)));
    facts.push((context.t("baseline.r2_adjusted"), format.number(Some(quality.r2_adjusted), 3)));
    facts.push((context.t("baseline.cvrmse"), format.percent(Some(quality.cvrmse_ratio))));
    facts.push((context.t("baseline.nmbe"), format.percent(Some(quality.nmbe_ratio))));
    blocks.push(Block::Heading(meter.meter.name.clone()));
    blocks.push(Block::Facts(facts));
    if let Some(signature) = context.beside.signatures.iter().find(|s| s.meter == meter.meter.id) {
        blocks.push(Block::Chart(drawn(context, meter, model, signature)));
    } else if model.follows_weather() {
        blocks.push(Block::Chart(scatter(context, meter, model, unit)));
    }
    let remarks: Vec<String> = context
        .year
        .findings
        .iter()
        .filter(|f| {
            concerns(f, &meter.meter) && (f.code.starts_with("baseline") || f.code.starts_with("fit"))
        })
        .map(|f| context.texts.finding(f))
        .collect();
    if !remarks.is_empty() {
        blocks.push(Block::Callout { severity: Severity::Caution, text: sentence(&remarks.join("; ")) });
    }
}

/// Upper case at the beginning, a full stop at the end: findings are written without.
fn sentence(text: &str) -> String {
    format!("{}.", capitalised(text))
}

fn equation(context: &Context<'_>, model: &BaselineModel, unit: &str) -> String {
    let constant = context.format.quantity(Some(model.base_per_day), 2, unit);
    let key = match (model.heating_base_c, model.cooling_base_c) {
        (None, None) => "baseline.equation_flat",
        (Some(_), None) => "baseline.equation_heating",
        (None, Some(_)) => "baseline.equation_cooling",
        (Some(_), Some(_)) => "baseline.equation_both",
    };
    let (slope, cooling) = (model.heating_per_degree_day, model.cooling_per_degree_day);
    let weather = context.fill(
        key,
        &[
            ("constant", &constant),
            ("slope", &context.format.quantity(Some(slope), 3, unit)),
            ("base", &context.format.trimmed(model.heating_base_c, 1)),
            ("cooling", &context.format.quantity(Some(cooling), 3, unit)),
            ("cooling_base", &context.format.trimmed(model.cooling_base_c, 1)),
        ],
    );
    let term = |d: &ModelDriver| {
        let amount = context.format.quantity(Some(d.coefficient), 3, unit);
        context.fill(&format!("baseline.equation_{}", d.driver.code()), &[("amount", &amount)])
    };
    std::iter::once(weather).chain(model.drivers.iter().map(term)).collect::<Vec<_>>().join(" + ")
}

/// Use against the degree days of heating, or of cooling for a law that has no other; of a law with both, the cooling
/// part stands above the line.
fn scatter(context: &Context<'_>, meter: &MeterYear, model: &BaselineModel, unit: &str) -> Chart {
    let year = context.year.year.to_string();
    let heats = model.heating_base_c.is_some();
    let of_point = |p: &BaselinePoint| {
        if heats { p.degree_days_per_day } else { p.cooling_degree_days_per_day }
    };
    let before: Vec<(f64, f64)> = model.points.iter().map(|p| (of_point(p), p.energy_per_day)).collect();
    let after: Vec<(f64, f64)> = meter
        .months
        .iter()
        .filter(|m| m.reporting && m.avoided.is_some())
        .filter_map(|m| {
            let days = f64::from(m.month.days());
            let degree_days = if heats { m.heating_degree_days } else { m.cooling_degree_days };
            Some((degree_days? / days, m.measured? / days))
        })
        .collect();
    let x_max = before.iter().chain(&after).map(|p| p.0).fold(0.0, f64::max);
    let slope = if heats { model.heating_per_degree_day } else { model.cooling_per_degree_day };
    let at = |x: f64| (x, model.usual_base_per_day() + slope * x);
    let base = context.format.trimmed(model.heating_base_c.or(model.cooling_base_c), 1);
    let x_label = if heats { "baseline.x_label" } else { "baseline.x_label_cooling" };
    let counts = [
        ("meter", &*meter.meter.name),
        ("before", &*before.len().to_string()),
        ("after", &*after.len().to_string()),
        ("year", &*year),
        ("r2", &*context.format.number(Some(model.quality.r2), 2)),
    ];
    let mut groups = vec![NamedPoints { name: context.t("baseline.group_before"), points: before }];
    if !after.is_empty() {
        groups.push(NamedPoints {
            name: context.fill("baseline.group_after", &[("year", &year)]),
            points: after,
        });
    }
    Chart {
        caption: context.fill("baseline.chart_caption", &[("meter", &meter.meter.name)]),
        alternative: context.fill("baseline.chart_alternative", &counts),
        kind: ChartKind::Scatter {
            x_label: context.fill(x_label, &[("base", &base)]),
            y_label: context.fill("baseline.y_label", &[("unit", unit)]),
            groups,
            line: Some(NamedLine { name: context.t("baseline.line"), points: vec![at(0.0), at(x_max)] }),
        },
    }
}

/// The temperatures at which the model bends: `15.5`, or `15.5 e 21` with both.
fn bases(context: &Context<'_>, model: &BaselineModel) -> String {
    let show = |base: f64| context.format.trimmed(Some(base), 1);
    match (model.heating_base_c.map(show), model.cooling_base_c.map(show)) {
        (Some(heating), Some(cooling)) => {
            context.fill("baseline.signature_bases", &[("base", &heating), ("cooling_base", &cooling)])
        }
        (heating, cooling) => heating.or(cooling).unwrap_or_default(),
    }
}

/// The energy signature: periods before and months after the works over the model's line.
fn drawn(context: &Context<'_>, meter: &MeterYear, model: &BaselineModel, signature: &Signature) -> Chart {
    let period = context.beside_period();
    let word = |key: &str| if period.is_some() { format!("{key}_period") } else { key.to_owned() };
    let year = period.clone().unwrap_or_else(|| context.year.year.to_string());
    let unit = meter_unit(&meter.meter);
    let values = [
        ("meter", &*meter.meter.name),
        ("before", &*signature.before.len().to_string()),
        ("after", &*signature.after.len().to_string()),
        ("year", &*year),
        ("base", &*bases(context, model)),
        ("unit", unit),
    ];
    let mut groups =
        vec![NamedPoints { name: context.t("baseline.group_before"), points: signature.before.clone() }];
    if !signature.after.is_empty() {
        let name = context.fill(&word("baseline.group_after"), &values);
        groups.push(NamedPoints { name, points: signature.after.clone() });
    }
    Chart {
        caption: context.fill("baseline.signature_caption", &values),
        alternative: context.fill(&word("baseline.signature_alternative"), &values),
        kind: ChartKind::Scatter {
            x_label: context.t("baseline.signature_x"),
            y_label: context.fill("baseline.y_label", &values),
            groups,
            line: Some(NamedLine { name: context.t("baseline.line"), points: signature.line.clone() }),
        },
    }
}
