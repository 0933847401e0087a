//! The annex of breaks: how each is explained, and what people decided about the meters.
//!
//! Must never: leave out what a person decided.

use model::{Act, Confidence, Explanation, MeterAct};

use super::context::Context;
use super::document::{Align, Block, Section};
use super::format::ENERGY_DECIMALS;
use crate::counter::Decision;
use crate::result::MeterYear;

/// Most breaks printed of one meter; what a person decided and what is open come first.
const PRINTED_MAX: usize = 60;

pub(super) fn section(context: &Context<'_>) -> Section {
    let mut blocks: Vec<Block> =
        context.year.meters.iter().flat_map(|meter| of_meter(context, meter)).collect();
    if !blocks.is_empty() {
        blocks.insert(0, context.paragraph("record.intro"));
    }
    context.annex("annex_record", blocks)
}

fn of_meter(context: &Context<'_>, meter: &MeterYear) -> Vec<Block> {
    let record = &meter.record;
    let mut blocks = Vec::new();
    let (noise, mut told): (Vec<&Decision>, Vec<&Decision>) =
        record.decisions.iter().partition(|d| is_noise(d));
    // Stable: in order of time within each weight.
    told.sort_by_key(|d| std::cmp::Reverse((d.by_person, d.confidence)));
    let more = told.len().saturating_sub(PRINTED_MAX);
    told.truncate(PRINTED_MAX);
    told.sort_by_key(|d| d.at);
    let name = meter.meter.name.as_str();
    if !told.is_empty() {
        blocks.push(decisions(context, meter, &told));
    }
    let mut count = |key: &str, n: usize| {
        if 0 < n {
            blocks.push(Block::Paragraph(context.fill(key, &[("meter", name), ("count", &n.to_string())])));
        }
    };
    count("record.more", more);
    count("record.noise", noise.len());
    if !record.acts.is_empty() {
        blocks.push(acts(context, meter));
    }
    blocks
}

fn is_noise(decision: &Decision) -> bool {
    let noise = matches!(decision.explanation, Explanation::Dip | Explanation::Spike);
    noise && decision.confidence == Confidence::Certain && !decision.by_person
}

fn explanation(context: &Context<'_>, explanation: Explanation) -> String {
    context.t(&format!("explanation.{}", explanation.code()))
}

/// A thousandth of an amount of the register: what people read in [`model::MeterFacts::register_unit`].
fn energy(context: &Context<'_>, amount: i64) -> String {
    context.format.number(Some(amount as f64 / 1000.0), ENERGY_DECIMALS)
}

fn decisions(context: &Context<'_>, meter: &MeterYear, told: &[&Decision]) -> Block {
    let show = |amount| energy(context, amount);
    let rows = told
        .iter()
        .map(|d| {
            let certainty = if d.by_person {
                context.t("record.by_person")
            } else {
                context.t(&format!("confidence.{}", d.confidence.code()))
            };
            let booked = if d.low == d.high {
                show(d.booked)
            } else {
                format!("{} ({} – {})", show(d.booked), show(d.low), show(d.high))
            };
            vec![
                d.at.to_string(),
                explanation(context, d.explanation),
                certainty,
                format!("{} → {}", show(d.before), show(d.seen)),
                booked,
            ]
        })
        .collect();
    let columns = [
        ("instant", Align::Left),
        ("decision", Align::Left),
        ("certainty", Align::Left),
        ("before_and_after", Align::Right),
        ("booked", Align::Right),
    ];
    let names = [("meter", meter.meter.name.as_str()), ("unit", meter.meter.register_unit().symbol())];
    context.table(context.fill("record.decisions", &names), &columns, rows)
}

fn acts(context: &Context<'_>, meter: &MeterYear) -> Block {
    let rows = meter
        .record
        .acts
        .iter()
        .map(|a| vec![a.dated.at.to_string(), words(context, meter, a), a.author.clone(), reason(a)])
        .collect();
    let columns =
        [("instant", Align::Left), ("act", Align::Left), ("author", Align::Left), ("reason", Align::Left)];
    let caption = context.fill("record.acts", &[("meter", meter.meter.name.as_str())]);
    context.table(caption, &columns, rows)
}

/// Why, as the person said it. An exchange with its totals on record needs no other reason.
fn reason(act: &MeterAct) -> String {
    if act.reason.is_empty() { "–".to_owned() } else { act.reason.clone() }
}

pub(super) fn words(context: &Context<'_>, meter: &MeterYear, act: &MeterAct) -> String {
    let unit = meter.meter.register_unit().symbol();
    let maybe =
        |total: Option<i64>| total.map_or_else(|| context.t("record.unknown"), |t| energy(context, t));
    match act.dated.act {
        Act::Explained(e) => context.fill("record.explained", &[("explanation", &explanation(context, e))]),
        Act::Exchanged { closing, opening } => context.fill(
            "record.exchanged",
            &[("closing", &maybe(closing)), ("opening", &maybe(opening)), ("unit", unit)],
        ),
        Act::Corrected { total } => {
            context.fill("record.corrected", &[("value", &energy(context, total)), ("unit", unit)])
        }
    }
}
