//! Comments at the end of a section: what the figures say in words, and what a person wrote.
//!
//! Must never: let a person's text pass for the program's, or praise where a figure is withheld.

use model::{Direction, MeterRole};

use super::annex::per_hour;
use super::beside::SectionKey;
use super::context::{Context, meter_unit};
use super::document::Block;
use super::format::ENERGY_DECIMALS;
use super::monthly::is_estimated;
use crate::result::{Baseline, MeterMonth, MeterYear, Verdict};

/// What follows the section's own blocks.
pub(super) fn of(context: &Context<'_>, key: SectionKey) -> Vec<Block> {
    let by_person = context.beside.comments.iter().filter(|c| c.section == key);
    let mut blocks = Vec::new();
    if !by_person.clone().any(|c| c.instead) {
        let text = generated(context, key);
        if !text.is_empty() {
            blocks.push(Block::Comment {
                by: context.t("comment.generated"),
                paragraphs: vec![text.join(" ")],
            });
        }
    }
    for comment in by_person {
        let by = context
            .fill("comment.by", &[("author", &comment.author), ("date", &context.format.date(comment.date))]);
        let paragraphs =
            comment.text.split("\n\n").map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
        blocks.push(Block::Comment { by, paragraphs: paragraphs.filter(|p| !p.is_empty()).collect() });
    }
    blocks
}

/// What the figures of a section say, a sentence each.
fn generated(context: &Context<'_>, key: SectionKey) -> Vec<String> {
    match key {
        SectionKey::Monitoring => monitoring(context),
        SectionKey::Monthly => monthly(context),
        SectionKey::Load => load(context),
        SectionKey::Weather => weather(context),
        SectionKey::Savings => savings(context),
        // These sections are sentences, or lists of what is to be said, themselves.
        SectionKey::Summary
        | SectionKey::Buildings
        | SectionKey::Baseline
        | SectionKey::Balance
        | SectionKey::Emissions
        | SectionKey::Checks
        | SectionKey::Events
        | SectionKey::Changes
        | SectionKey::Findings => Vec::new(),
    }
}

/// Meters with a month that is not measured, measured in part only, or partly estimated.
fn monitoring(context: &Context<'_>) -> Vec<String> {
    let due = |m: &&MeterYear| m.meter.role != MeterRole::Sub;
    let names = |weak: fn(&MeterMonth) -> bool| -> Vec<String> {
        let any = |m: &&MeterYear| m.months.iter().any(|x| x.reporting && weak(x));
        context.year.meters.iter().filter(due).filter(any).map(|m| m.meter.name.clone()).collect()
    };
    let gaps = names(|m| m.measured.is_none());
    let parts = names(MeterMonth::is_part);
    let estimated = names(|m| m.measured.is_some() && is_estimated(m));
    let mut said = Vec::new();
    if gaps.is_empty() && parts.is_empty() {
        said.push(context.t("comment.monitoring_whole"));
    }
    for (key, meters) in [("gaps", &gaps), ("parts", &parts), ("estimated", &estimated)] {
        if !meters.is_empty() {
            let key = format!("comment.monitoring_{key}");
            said.push(context.fill(&key, &[("meters", &meters.join("; "))]));
        }
    }
    said
}

/// The month of most and of least use of each main meter, of those that were measured enough.
fn monthly(context: &Context<'_>) -> Vec<String> {
    let main = context
        .year
        .meters
        .iter()
        .filter(|m| m.meter.role != MeterRole::Sub && m.meter.direction == Direction::Import);
    main.filter_map(|meter| {
        let known =
            || meter.months.iter().filter(|m| m.is_whole()).filter_map(|m| Some((m.month, m.measured?)));
        if known().count() < 6 {
            return None;
        }
        let most = known().reduce(|a, b| if a.1 < b.1 { b } else { a })?;
        let least = known().reduce(|a, b| if b.1 < a.1 { b } else { a })?;
        if most.1 <= 0.0 {
            return Some(context.fill("comment.monthly_zero", &[("meter", &meter.meter.name)]));
        }
        let show = |v: f64| context.format.quantity(Some(v), ENERGY_DECIMALS, meter_unit(&meter.meter));
        Some(context.fill(
            "comment.monthly",
            &[
                ("meter", &meter.meter.name),
                ("most_month", &context.format.month(most.0.number)),
                ("most", &show(most.1)),
                ("least_month", &context.format.month(least.0.number)),
                ("least", &show(least.1)),
            ],
        ))
    })
    .collect()
}

/// How much runs by night and at the weekend.
fn load(context: &Context<'_>) -> Vec<String> {
    let profiles = context.beside.profiles.iter().filter(|p| p.is_whole());
    profiles
        .filter_map(|profile| {
            let meter = context.year.meters.iter().find(|m| m.meter.id == profile.meter)?;
            let (day, hour, peak) = profile.peak().filter(|(_, _, peak)| 0.0 < *peak)?;
            let (night, weekend) = (profile.night()?, profile.weekend_share()?);
            let unit = per_hour(meter_unit(&meter.meter));
            Some(context.fill(
                "comment.load",
                &[
                    ("meter", &meter.meter.name),
                    ("peak", &context.format.quantity(Some(peak), 1, &unit)),
                    ("day", &context.t(&format!("weekday.d{}", day + 1))),
                    ("hour", &hour.to_string()),
                    ("night", &context.format.quantity(Some(night), 1, &unit)),
                    ("share", &context.format.percent(Some(night / peak))),
                    ("weekend", &context.format.percent(Some(weekend))),
                ],
            ))
        })
        .collect()
}

/// Colder or milder than the baseline, by each model's own degree days.
fn weather(context: &Context<'_>) -> Vec<String> {
    let compared = context.year.meters.iter().filter_map(|meter| {
        let Baseline::Fitted(model) = &meter.baseline else { return None };
        let base = model.heating_base_c?;
        let days: f64 = model.points.iter().map(|p| (p.to - p.from).num_days() as f64).sum();
        let before: f64 =
            model.points.iter().map(|p| p.degree_days_per_day * (p.to - p.from).num_days() as f64).sum();
        let year: Option<Vec<f64>> = meter.months.iter().map(|m| m.heating_degree_days).collect();
        let year_days: f64 = meter.months.iter().map(|m| f64::from(m.month.days())).sum();
        let year = year?.iter().sum::<f64>() / year_days;
        (300.0 <= days && 0.0 < before).then(|| (base, year / (before / days) - 1.0))
    });
    let mut said: Vec<(f64, f64)> = Vec::new();
    for (base, change) in compared {
        if !said.iter().any(|(b, c)| *b == base && (c - change).abs() < 0.005) {
            said.push((base, change));
        }
    }
    let sentence = |(base, change): (f64, f64)| {
        let key = if change.abs() < 0.02 {
            "comment.weather_alike"
        } else if 0.0 < change {
            "comment.weather_colder"
        } else {
            "comment.weather_milder"
        };
        let percent = context.format.percent(Some(change.abs()));
        context.fill(key, &[("base", &context.format.trimmed(Some(base), 1)), ("percent", &percent)])
    };
    said.into_iter().map(sentence).collect()
}

/// A month that used more than its baseline by less than this is not worth a word.
const WORTH_SAYING_RATIO: f64 = 0.01;

/// Where the saving comes from, where there is none, and how far a missed target is.
fn savings(context: &Context<'_>) -> Vec<String> {
    let mut said = Vec::new();
    for meter in
        context.year.meters.iter().filter(|m| 0 < m.totals.compared_months && m.meter.role != MeterRole::Sub)
    {
        let t = &meter.totals;
        if t.adjusted_baseline <= 0.0 {
            continue;
        }
        let show = |v: f64| context.format.quantity(Some(v.abs()), ENERGY_DECIMALS, meter_unit(&meter.meter));
        let percent = context.format.percent(Some((t.avoided / t.adjusted_baseline).abs()));
        let key = if t.avoided_high < 0.0 {
            "comment.savings_more"
        } else if t.avoided_low <= 0.0 {
            "comment.savings_unsure"
        } else {
            "comment.savings_less"
        };
        let values = [("meter", &*meter.meter.name), ("avoided", &*show(t.avoided)), ("percent", &*percent)];
        said.push(context.fill(key, &values));
        let worse: Vec<String> = meter
            .months
            .iter()
            .filter(|m| {
                m.avoided.zip(m.adjusted_baseline).is_some_and(|(a, b)| a < -WORTH_SAYING_RATIO * b.abs())
            })
            .map(|m| context.format.month(m.month.number))
            .collect();
        if 0.0 <= t.avoided && !worse.is_empty() {
            said.push(context.fill("comment.savings_months", &[("months", &worse.join(", "))]));
        }
    }
    for kpi in &context.year.kpis {
        if let (Verdict::Missed, Some(achieved), Some(target)) = (kpi.verdict, kpi.achieved, kpi.target) {
            let unit = super::format::unit_symbol(kpi.definition.unit.symbol());
            // What is missed by less than the last decimal is missed all the same.
            let decimals = context.kpi_decimals(kpi);
            let gap = (target - achieved).abs();
            let gap = crate::digits::rounded_beside(gap, Some(0.0), decimals);
            let gap = context.format.quantity(Some(gap), decimals, &unit);
            // Of an index that should be low what is missed lies above the target.
            let key = if achieved < target { "comment.savings_gap" } else { "comment.savings_over" };
            said.push(context.fill(key, &[("kpi", &context.kpi_name(kpi)), ("gap", &gap)]));
        }
    }
    said
}
