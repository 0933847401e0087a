//! Non-routine events and corrections: what happened to the meters in the year, when they were silent, and what people
//! set right.
//!
//! Must never: leave out what a person decided, what stands open, or a month of which too little was measured.

use model::time::day_start;
use model::{Adjustment, Confidence, Explanation, Zone};

use super::context::{Context, meter_unit};
use super::document::{Align, Block, Section};
use super::format::ENERGY_DECIMALS;
use super::record;
use crate::counter::Decision;
use crate::result::{MeterMonth, MeterYear};

/// Most events printed here; the annex has them with their totals.
const PRINTED_MAX: usize = 30;

pub(super) fn section(context: &Context<'_>) -> Section {
    let zone = context.year.project.zone;
    let mut rows: Vec<(i64, Vec<String>)> = Vec::new();
    for meter in &context.year.meters {
        for decision in meter.record.decisions.iter().filter(|d| is_event(context, d, zone)) {
            rows.push((decision.at.millis(), decision_row(context, meter, decision)));
        }
        for act in meter.record.acts.iter().filter(|a| a.dated.at.day(zone) < context.year.until) {
            let row = vec![
                context.format.date(act.dated.at.day(zone)),
                meter.meter.name.clone(),
                record::words(context, meter, act),
                context.fill("events.by_person", &[("author", &act.author), ("reason", &act.reason)]),
            ];
            rows.push((act.dated.at.millis(), row));
        }
        for months in silences(meter) {
            if let Some(first) = months.first() {
                let at = day_start(first.month.first_day(), zone).millis();
                rows.push((at, silence_row(context, meter, months)));
            }
        }
        for a in &meter.record.adjustments {
            rows.push((day_start(a.from, zone).millis(), adjustment_row(context, meter, a)));
        }
    }
    rows.sort();
    if rows.is_empty() {
        return context.section("events", vec![context.paragraph("events.none")]);
    }
    let more = rows.len().saturating_sub(PRINTED_MAX);
    let rows: Vec<Vec<String>> = rows.into_iter().take(PRINTED_MAX).map(|(_, row)| row).collect();
    let columns =
        [("day", Align::Left), ("meter", Align::Left), ("event", Align::Left), ("settled_by", Align::Left)];
    let mut blocks =
        vec![context.paragraph("events.intro"), context.table(context.t("events.caption"), &columns, rows)];
    if 0 < more {
        blocks.push(Block::Paragraph(context.fill("events.more", &[("count", &more.to_string())])));
    }
    blocks.push(context.paragraph("events.rule"));
    context.section("events", blocks)
}

/// What changes a total for good, in the reporting year; single false readings are noise.
fn is_event(context: &Context<'_>, decision: &Decision, zone: Zone) -> bool {
    let noise = matches!(decision.explanation, Explanation::Dip | Explanation::Spike)
        && decision.confidence == Confidence::Certain;
    let day = decision.at.day(zone);
    let year = chrono::Datelike::year(&day) == context.year.year;
    !noise && !decision.by_person && year && day < context.year.until
}

/// Reporting months of which too little was measured, those that follow each other together.
fn silences(meter: &MeterYear) -> impl Iterator<Item = &[MeterMonth]> {
    let silent = |month: &MeterMonth| month.reporting && !month.is_whole();
    meter.months.chunk_by(move |a, b| silent(a) == silent(b)).filter(move |run| run.iter().all(silent))
}

fn silence_row(context: &Context<'_>, meter: &MeterYear, months: &[MeterMonth]) -> Vec<String> {
    let days: f64 = months.iter().map(|m| f64::from(m.month.days())).sum();
    let covered: f64 = months.iter().map(|m| f64::from(m.month.days()) * m.coverage_ratio).sum();
    let name = |month: Option<&MeterMonth>| month.map(|m| context.format.month(m.month.number));
    let (first, last) = (name(months.first()).unwrap_or_default(), name(months.last()).unwrap_or_default());
    let when = if first == last { first } else { format!("{first} – {last}") };
    let percent = context.format.percent(Some(covered / days));
    vec![
        format!("{when} {}", context.year.year),
        meter.meter.name.clone(),
        context.fill("events.silence", &[("percent", &percent)]),
        context.t("events.silence_settled"),
    ]
}

fn adjustment_row(context: &Context<'_>, meter: &MeterYear, of: &Adjustment) -> Vec<String> {
    let energy = context.format.quantity(Some(of.energy), ENERGY_DECIMALS, meter_unit(&meter.meter));
    let last = of.to.pred_opt().unwrap_or(of.to);
    let values = [
        ("number", &*of.number.to_string()),
        ("energy", &*energy),
        ("from", &*context.format.date(of.from)),
        ("to", &*context.format.date(last)),
    ];
    vec![
        context.format.date(of.from),
        meter.meter.name.clone(),
        context.fill("events.adjustment", &values),
        context.fill("events.by_person", &[("author", &of.author), ("reason", &of.reason)]),
    ]
}

fn decision_row(context: &Context<'_>, meter: &MeterYear, decision: &Decision) -> Vec<String> {
    let zone = context.year.project.zone;
    let certainty = context.t(&format!("confidence.{}", decision.confidence.code()));
    vec![
        context.format.date(decision.at.day(zone)),
        meter.meter.name.clone(),
        context.t(&format!("explanation.{}", decision.explanation.code())),
        context.fill("events.by_rule", &[("certainty", &certainty)]),
    ]
}
