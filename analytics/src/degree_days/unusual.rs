//! Months of a reporting period whose level no other year of the station bears out: a sensor beside a boiler's flue, a
//! shifted scale, a file in another unit or of another half of the year.
//!
//! Must never: call a month missing that was measured, change a best estimate, or let a cold that nobody can bear out
//! raise the bound that counts.
//!
//! Weather of one year differs from that of another, so nothing is left out. Where months together leave what the
//! baseline had in the same months, or what all other years of the station had, by more than weather does, the bound that
//! counts takes the months at the usual level, day by day as they came, where that lowers it.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use model::{Finding, Month, Severity};

use super::{DailyMeans, screen};

/// Fewest days that a month and another year's have in common.
const DAYS_MIN: usize = 10;
/// From the baseline's same months: most kelvin that so many months together leave them by chance. Two Februaries of Turin
/// have been 7 K apart (2012 and 2014) and two winter halves 3 K, once in decades.
const FROM_BASELINE_K: [(usize, f64); 5] = [(1, 6.0), (2, 4.5), (3, 4.0), (6, 3.5), (10, 3.0)];
/// Up to three months together may be farther off at a station whose days change by more than this from one to the next,
/// in K, as its inland winters do, and by so many times at most.
const CHANGES_K: f64 = 2.2;
const WILDER_MAX: f64 = 1.6;
const SHORT: usize = 3;
/// From the mean of the station's other years, of which there are [`YEARS_MIN`]: so many deviations of these, and no
/// less than so many kelvin.
const FROM_OTHERS_K: [(usize, f64); 5] = [(1, 4.0), (2, 3.5), (3, 3.0), (6, 2.5), (10, 2.0)];
const DEVIATIONS: f64 = 3.0;
/// How much wider the limit is where few years tell their scatter, over their number less one: about Student's t.
const FEW: f64 = 4.5;
const YEARS_MIN: usize = 3;
/// So many other years bear months out that are not even so far from their mean as this share of the limit.
const YEARS_MANY: usize = 8;
const BORNE_OUT: f64 = 0.6;
/// Most years that are looked at on each side, and most months together.
const YEARS_MAX: i32 = 30;
const TOGETHER_MAX: usize = 12;

const RULE: &str = "conservative direction: weather that no other year bears out saves nothing in the bound";

/// Months that follow each other and leave the usual level to one side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spell {
    pub from: NaiveDate,
    /// First day after it.
    pub to: NaiveDate,
    /// Mean of the spell's days less the usual one of the same days, in K.
    pub off_k: f64,
}

impl Spell {
    /// What is to be said of it; `about` is a meter's subject.
    #[must_use]
    pub fn finding(&self, about: &str) -> Finding {
        let off = format!("{:.1}", self.off_k.abs());
        let kind = if self.off_k < 0.0 { "colder" } else { "warmer" };
        let says = format!(
            "the outdoor temperatures from {} to {} are {off} K {kind} in the mean than the same months of the baseline or \
             of the station's other years: is the sensor right? The bound that counts takes the usual level where it is \
             lower",
            self.from, self.to
        );
        Finding::new("weather.unusual", Severity::Caution, about, says, RULE)
            .with("from", self.from)
            .with("to", self.to)
            .with("kind", kind)
            .with("kelvin", off)
    }
}

/// The unusual months of a period, and the means with these at their usual level.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unusual {
    pub spells: Vec<Spell>,
    /// `None` where no month is unusual.
    pub at_usual: Option<DailyMeans>,
}

/// A month beside the same days of other years, or the part of it that the period has.
struct Level {
    from: NaiveDate,
    to: NaiveDate,
    days: f64,
    /// By how many K it leaves the baseline; `None` where that has too few of its days.
    from_baseline_k: Option<f64>,
    /// By how many K it leaves other years, by the number of years between.
    from_others_k: BTreeMap<i32, f64>,
}

impl Level {
    fn of(
        means: &DailyMeans,
        (from, to): (NaiveDate, NaiveDate),
        baseline: (NaiveDate, NaiveDate),
        reporting: (NaiveDate, NaiveDate),
    ) -> Self {
        let own = || from.iter_days().take_while(|day| *day < to).filter_map(|d| Some((d, means.get(d)?)));
        let inside = |day: NaiveDate, (from, to): (NaiveDate, NaiveDate)| from <= day && day < to;
        let (mut before, mut others) = (Vec::new(), BTreeMap::new());
        let (first, last) = (means.first.year() - from.year(), means.end().year() - from.year());
        for years in (first.max(-YEARS_MAX)..=last.min(YEARS_MAX)).filter(|years| *years != 0) {
            let mut off = Vec::new();
            for (day, mean) in own() {
                let Some(then) = day.with_year(day.year() + years) else { continue };
                let Some(other) = means.get(then).filter(|_| !inside(then, reporting)) else { continue };
                off.push(mean.mean_c - other.mean_c);
                before.extend(inside(then, baseline).then_some(mean.mean_c - other.mean_c));
            }
            if DAYS_MIN <= off.len() {
                others.insert(years, mean(&off));
            }
        }
        Self {
            from,
            to,
            days: own().count() as f64,
            from_baseline_k: (DAYS_MIN <= before.len()).then(|| mean(&before)),
            from_others_k: others,
        }
    }

    /// By how many K it leaves what is usual, as far as anything tells.
    fn off_k(&self) -> Option<f64> {
        let others: Vec<f64> = self.from_others_k.values().copied().collect();
        let of_others = (YEARS_MIN <= others.len()).then(|| mean(&others));
        match (of_others, self.from_baseline_k) {
            // The one that is farther away: garbled years in between bear nothing out.
            (Some(a), Some(b)) => Some(if a.abs() < b.abs() { b } else { a }),
            (a, b) => a.or(b),
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / (values.len() as f64).max(1.0)
}

/// Of a table by months together, the row that holds.
fn limit(table: &[(usize, f64)], months: usize) -> f64 {
    table.iter().rev().find(|(least, _)| *least <= months).map_or(f64::INFINITY, |(_, k)| *k)
}

/// Whether months together leave what weather may do at a station so many times as wild as most.
fn is_unusual(months: &[Level], wilder: f64) -> bool {
    let days: f64 = months.iter().map(|m| m.days).sum();
    let together = |of: &dyn Fn(&Level) -> Option<f64>| -> Option<f64> {
        let sum: Option<f64> = months.iter().map(|m| Some(m.days * of(m)?)).sum();
        sum.filter(|_| 0.0 < days).map(|sum| sum / days)
    };
    let years = months.first().map_or(Vec::new(), |m| m.from_others_k.keys().copied().collect());
    let others: Vec<f64> =
        years.iter().filter_map(|years| together(&|m| m.from_others_k.get(years).copied())).collect();
    let (n, middle) = (others.len() as f64, mean(&others));
    let variance = others.iter().map(|off| (off - middle).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let deviation = (variance * (1.0 + 1.0 / n.max(1.0))).sqrt();
    let weather =
        limit(&FROM_OTHERS_K, months.len()).max(DEVIATIONS * (1.0 + FEW / (n - 1.0).max(1.0)) * deviation);
    if YEARS_MIN <= others.len() && weather < middle.abs() {
        return true;
    }
    // Where many other years are as these months are, it is the baseline that was unusual.
    let borne_out = YEARS_MANY <= others.len() && middle.abs() <= BORNE_OUT * weather;
    let from_baseline = together(&|m| m.from_baseline_k);
    let times = if months.len() <= SHORT { wilder } else { 1.0 };
    !borne_out && from_baseline.is_some_and(|off| times * limit(&FROM_BASELINE_K, months.len()) < off.abs())
}

impl DailyMeans {
    /// The months of a reporting period that neither the baseline's same months nor the station's other years bear out.
    /// Each window from its first day to before its second.
    #[must_use]
    pub fn unusual(&self, baseline: (NaiveDate, NaiveDate), reporting: (NaiveDate, NaiveDate)) -> Unusual {
        let mut levels: Vec<Level> = Vec::new();
        let mut from = reporting.0;
        while from < reporting.1 && levels.len() < 12 * 40 {
            let to = Month::of(from).end_day().min(reporting.1);
            levels.push(Level::of(self, (from, to), baseline, reporting));
            from = to;
        }
        levels.retain(|level| DAYS_MIN as f64 <= level.days);
        let days: Vec<(NaiveDate, f64)> = self.dated().collect();
        let wilder = screen::changes_k(&days).map_or(1.0, |k| (k / CHANGES_K).clamp(1.0, WILDER_MAX));
        let mut marked = vec![false; levels.len()];
        for first in 0..levels.len() {
            for end in first + 1..=levels.len().min(first + TOGETHER_MAX) {
                if levels.get(first..end).is_some_and(|months| is_unusual(months, wilder)) {
                    marked[first..end].fill(true);
                }
            }
        }
        let months: Vec<(&Level, f64)> = levels
            .iter()
            .zip(marked)
            .filter_map(|(level, marked)| Some((level, level.off_k().filter(|_| marked)?)))
            .collect();
        let at_usual = (!months.is_empty()).then(|| {
            let mut means = self.clone();
            for (level, off_k) in &months {
                for day in level.from.iter_days().take_while(|day| *day < level.to) {
                    if let Some(Some(mean)) = means.slot(day) {
                        mean.mean_c -= off_k;
                    }
                }
            }
            means
        });
        Unusual { spells: spells(&months), at_usual }
    }
}

/// Months that follow each other and are off to the same side.
fn spells(months: &[(&Level, f64)]) -> Vec<Spell> {
    let together = months.chunk_by(|a, b| a.0.to == b.0.from && 0.0 < a.1 * b.1);
    let spell = |months: &[(&Level, f64)]| {
        let (first, last) = (months.first()?, months.last()?);
        let days: f64 = months.iter().map(|(level, _)| level.days).sum();
        let sum: f64 = months.iter().map(|(level, off_k)| level.days * off_k).sum();
        Some(Spell { from: first.0.from, to: last.0.to, off_k: sum / days })
    };
    // Of the months that a whole year marks, those that are as usual are no spell.
    together.filter_map(spell).filter(|spell| SPELL_MIN_K <= spell.off_k.abs()).collect()
}

/// What a single month leaves the usual level by is told from this on, in K.
const SPELL_MIN_K: f64 = 1.0;
