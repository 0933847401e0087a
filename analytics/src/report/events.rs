//! Non-routine events and corrections: what happened to the meters in the year, when they were silent, and what people
//! set right.
//!
//! Must never: leave out what a person decided, what stands open, or a month of which too little was measured.

use chrono::{Datelike as _, NaiveDate};
use model::time::day_start;
use model::{Adjustment, Confidence, Explanation, Instant, MeterAct, Zone};

use super::context::{Context, meter_unit};
use super::document::{Align, Block, Section};
use super::format::ENERGY_DECIMALS;
use super::record;
use crate::counter::Decision;
use crate::result::{Baseline, MeterMonth, MeterYear, ProjectYear};

/// Most events printed here; the annex has them with their totals.
const PRINTED_MAX: usize = 30;

/// Something that happened, on days from the first to the last.
struct Event {
    at: Instant,
    first: NaiveDate,
    last: NaiveDate,
    row: Vec<String>,
}

/// Of the reporting year.
pub(super) fn section(context: &Context<'_>) -> Section {
    printed(context, of_years(context, &[context.year], |month| month.reporting))
}

/// Of the years of a measurement campaign, from its first day to the day before `to`.
pub(super) fn of_campaign(
    context: &Context<'_>,
    years: &[ProjectYear],
    (from, to): (NaiveDate, NaiveDate),
) -> Section {
    let years: Vec<&ProjectYear> = years.iter().collect();
    let end = to.min(context.year.until);
    let within = |month: &MeterMonth| from <= month.month.first_day() && month.month.end_day() <= end;
    let mut events = of_years(context, &years, within);
    events.retain(|event| event.first < to && from <= event.last);
    printed(context, events)
}

fn printed(context: &Context<'_>, mut events: Vec<Event>) -> Section {
    events.sort_by(|a, b| (a.at, &a.row).cmp(&(b.at, &b.row)));
    if events.is_empty() {
        return context.section("events", vec![context.paragraph("events.none")]);
    }
    let more = events.len().saturating_sub(PRINTED_MAX);
    let rows: Vec<Vec<String>> = events.into_iter().take(PRINTED_MAX).map(|event| event.row).collect();
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

/// What the counters decided in each year, and the silences among the months that count; what people did stands in the
/// last year, which knows all of it.
fn of_years(
    context: &Context<'_>,
    years: &[&ProjectYear],
    counts: impl Fn(&MeterMonth) -> bool,
) -> Vec<Event> {
    let zone = context.year.project.zone;
    let mut events = Vec::new();
    for year in years {
        for meter in &year.meters {
            let decisions = meter.record.decisions.iter().filter(|d| is_event(year, d, zone));
            events.extend(decisions.map(|decision| decided(context, meter, decision)));
            let silent = |month: &MeterMonth| counts(month) && !month.is_whole();
            let runs = meter.months.chunk_by(|a, b| silent(a) == silent(b));
            let silences = runs.filter(|run| run.iter().all(silent));
            events.extend(silences.filter_map(|months| silence(context, meter, months)));
        }
    }
    for meter in years.last().iter().flat_map(|year| &year.meters) {
        let acts = meter.record.acts.iter().filter(|a| a.dated.at.day(zone) < context.year.until);
        events.extend(acts.map(|act| done_by_a_person(context, meter, act)));
        events.extend(meter.record.adjustments.iter().map(|a| adjusted(context, meter, a)));
    }
    events
}

/// What changes a total for good, in the year, and what stands open and reaches into it; single false readings are noise.
fn is_event(of: &ProjectYear, decision: &Decision, zone: Zone) -> bool {
    let noise = matches!(decision.explanation, Explanation::Dip | Explanation::Spike)
        && decision.confidence == Confidence::Certain;
    let day = decision.at.day(zone);
    let reaches_in = decision.is_open() && day.year() < of.year && of.year <= decision.to.day(zone).year();
    !noise && !decision.by_person && (day.year() == of.year || reaches_in) && day < of.until
}

/// Months that follow each other, of which too little was measured.
fn silence(context: &Context<'_>, meter: &MeterYear, months: &[MeterMonth]) -> Option<Event> {
    let (first, last) = (months.first()?.month.first_day(), months.last()?.month.end_day().pred_opt()?);
    let at = day_start(first, context.year.project.zone);
    Some(Event { at, first, last, row: silence_row(context, meter, months) })
}

fn done_by_a_person(context: &Context<'_>, meter: &MeterYear, act: &MeterAct) -> Event {
    let day = act.dated.at.day(context.year.project.zone);
    let row = vec![
        context.format.date(day),
        meter.meter.name.clone(),
        record::words(context, meter, act),
        context.fill("events.by_person", &[("author", &act.author), ("reason", &act.reason)]),
    ];
    Event { at: act.dated.at, first: day, last: day, row }
}

fn silence_row(context: &Context<'_>, meter: &MeterYear, months: &[MeterMonth]) -> Vec<String> {
    let days: f64 = months.iter().map(|m| f64::from(m.month.days())).sum();
    let covered: f64 = months.iter().map(|m| f64::from(m.month.days()) * m.coverage_ratio).sum();
    let name = |month: Option<&MeterMonth>| month.map(|m| context.format.month(m.month.number));
    let (first, last) = (name(months.first()).unwrap_or_default(), name(months.last()).unwrap_or_default());
    let when = if first == last { first } else { format!("{first} – {last}") };
    let percent = context.format.percent(Some(covered / days));
    vec![
        months.first().map_or_else(|| when.clone(), |month| format!("{when} {}", month.month.year)),
        meter.meter.name.clone(),
        context.fill("events.silence", &[("percent", &percent)]),
        context.t(if matches!(meter.baseline, Baseline::NotCompared) {
            "events.silence_unknown"
        } else {
            "events.silence_settled"
        }),
    ]
}

fn adjusted(context: &Context<'_>, meter: &MeterYear, of: &Adjustment) -> Event {
    let energy = context.format.quantity(Some(of.energy), ENERGY_DECIMALS, meter_unit(&meter.meter));
    let last = of.to.pred_opt().unwrap_or(of.to);
    let values = [
        ("number", &*of.number.to_string()),
        ("energy", &*energy),
        ("from", &*context.format.date(of.from)),
        ("to", &*context.format.date(last)),
    ];
    let row = vec![
        context.format.date(of.from),
        meter.meter.name.clone(),
        context.fill(if of.is_confirmation() { "events.confirmation" } else { "events.adjustment" }, &values),
        context.fill("events.by_person", &[("author", &of.author), ("reason", &of.reason)]),
    ];
    Event { at: day_start(of.from, context.year.project.zone), first: of.from, last, row }
}

fn decided(context: &Context<'_>, meter: &MeterYear, decision: &Decision) -> Event {
    let day = decision.at.day(context.year.project.zone);
    let certainty = context.t(&format!("confidence.{}", decision.confidence.code()));
    let row = vec![
        context.format.date(day),
        meter.meter.name.clone(),
        context.t(&format!("explanation.{}", decision.explanation.code())),
        context.fill("events.by_rule", &[("certainty", &certainty)]),
    ];
    Event { at: decision.at, first: day, last: day, row }
}
