//! The section of the report on the monitoring system that lists what was not measured so far.
//!
//! Must never: leave out a meter, or say of one without readings that it has no gaps.

use super::document::{Align, Block, Section};
use super::system::SystemFacts;
use super::words::Words;
use crate::gaps::MeterGaps;

pub(super) fn section(words: &Words<'_>, facts: &SystemFacts) -> Section {
    let mut blocks = vec![words.paragraph("system.gaps.intro")];
    let heads = [
        ("meter", Align::Left),
        ("measured_since", Align::Left),
        ("gap_months", Align::Right),
        ("missing_days", Align::Right),
        ("longest_gap", Align::Left),
    ];
    let rows: Vec<Vec<String>> = facts.gaps.iter().map(|of| summary(words, facts, of)).collect();
    blocks.push(words.table(words.t("system.gaps.caption"), &heads, rows));
    let rows: Vec<Vec<String>> = facts.gaps.iter().flat_map(|of| months(words, facts, of)).collect();
    if rows.is_empty() {
        blocks.push(words.paragraph("system.gaps.none"));
    } else {
        let heads = [
            ("meter", Align::Left),
            ("month", Align::Left),
            ("coverage", Align::Right),
            ("missing_days", Align::Right),
        ];
        blocks.push(words.table(words.t("system.gaps.caption_months"), &heads, rows));
    }
    let older: Vec<String> = facts
        .gaps
        .iter()
        .filter(|of| 0 < of.older)
        .map(|of| {
            let values = [("meter", &*name(facts, of)), ("count", &*of.older.to_string())];
            words.fill("system.gaps.older", &values)
        })
        .collect();
    if !older.is_empty() {
        blocks.push(Block::Bullets(older));
    }
    words.section("system_gaps", blocks)
}

fn name(facts: &SystemFacts, of: &MeterGaps) -> String {
    let found = facts.points.iter().find(|p| p.meter.id == of.meter);
    found.map_or_else(|| of.meter.to_string(), |p| p.meter.name.clone())
}

fn summary(words: &Words<'_>, facts: &SystemFacts, of: &MeterGaps) -> Vec<String> {
    let dash = || "–".to_owned();
    let Some(since) = of.since else {
        return vec![name(facts, of), words.t("system.gaps.not_yet"), dash(), dash(), dash()];
    };
    let count = of.months.len() + of.older;
    let longest = of.longest.map(|run| {
        let days = words.format.count(u64::try_from(run.days()).unwrap_or_default());
        let values = [
            ("days", &*days),
            ("from", &*words.format.date(run.from)),
            ("last", &*words.format.date(run.last)),
        ];
        words.fill("system.gaps.longest", &values)
    });
    vec![
        name(facts, of),
        words.format.date(since.day(facts.project.zone)),
        if count == 0 { words.t("system.gaps.no_gaps") } else { count.to_string() },
        words.format.number(Some(of.missing_days), 1),
        longest.unwrap_or_else(dash),
    ]
}

fn months(words: &Words<'_>, facts: &SystemFacts, of: &MeterGaps) -> Vec<Vec<String>> {
    let row = |gap: &crate::gaps::Gap| {
        vec![
            name(facts, of),
            format!("{} {}", words.format.month(gap.month.number), gap.month.year),
            words.format.percent(Some(gap.coverage_ratio)),
            words.format.number(Some(gap.missing_days), 1),
        ]
    };
    of.months.iter().map(row).collect()
}
