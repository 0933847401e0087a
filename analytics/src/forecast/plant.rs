//! The year's end of what plants make, and of the share of it that is used on site.
//!
//! Must never: take a declared or nominal yield for a measured one, count a past month that was not wholly measured, or
//! let one that was not raise what is expected.
//!
//! No law of temperature says what the sun will give. What a plant will make is what it made in the same civil months of
//! the years before, and this year's drift from them. Of the past the bound that is worse is what is expected to come,
//! and the other bound is what this year is held against. A share is forecast from the past years' share of the same
//! months and its own drift; what it is a share of, from the production. Both vary together: their bands are added up.

use std::collections::BTreeMap;

use chrono::Datelike;
use model::{Direction, Month};

use super::drift::{Departure, Drift, drift};
use super::findings::NO_PAST_PRODUCTION;
use super::{Context, NOT_MODELLED, YearEnd, lost};
use crate::balance::{BalanceMonth, BalanceYear, Flow, Vector, of_project};
use crate::evaluate::meter::is_doubtful;
use crate::evaluate::{COVERAGE_MIN, MeterInput};
use crate::kpi::is_renewable;
use crate::result::{KpiResult, MeterYear};

/// Most past years taken, the latest: a plant ages.
const PAST_YEARS_MAX: usize = 5;
/// How far back they are looked for.
const PAST_YEARS_BACK: i32 = 15;

/// Energy between two bounds, in display units.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    low: f64,
    high: f64,
}

impl Bounds {
    fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }

    fn minus(self, other: Self) -> Self {
        Self { low: self.low - other.high, high: self.high - other.low }
    }

    fn at_least_nothing(self) -> Self {
        Self { low: self.low.max(0.0), high: self.high.max(0.0) }
    }
}

/// The meters' sum in a past month; `None` unless every one of them wholly measured it and nothing of it is in doubt.
fn measured<'a>(meters: impl Iterator<Item = Option<&'a MeterInput>>, month: Month) -> Option<Bounds> {
    let of = |known: Option<&MeterInput>| {
        let known = known?;
        let value = known.months.get(month).filter(|m| COVERAGE_MIN <= m.coverage_ratio)?;
        let high = value.high.filter(|_| !is_doubtful(known, month))?;
        let show = |amount: i64| known.months.unit.to_display(amount);
        Some(Bounds { low: show(value.low), high: show(high) })
    };
    meters.map(of).try_fold(Bounds::default(), |sum, of| Some(sum.plus(of?)))
}

/// What past years know of the months to come, and of those over that every one of them knows; newest first.
fn past_years<T>(
    context: &Context<'_>,
    over: &[u32],
    of: impl Fn(Month) -> Option<T>,
) -> Vec<BTreeMap<u32, T>> {
    let this = context.input.year.year;
    let month = |year: i32, number: u32| Some((number, of(Month { year, number })?));
    let known = |year: i32| {
        let coming: Option<BTreeMap<u32, T>> = context.months.iter().map(|m| month(year, m.number)).collect();
        let mut all = coming?;
        all.extend(over.iter().filter_map(|number| month(year, *number)));
        Some(all)
    };
    let mut years: Vec<BTreeMap<u32, T>> =
        (this - PAST_YEARS_BACK..this).rev().filter_map(known).take(PAST_YEARS_MAX).collect();
    let shared = |number: &u32| years.iter().all(|year| year.contains_key(number));
    let kept: Vec<u32> = (1..=12).filter(shared).collect();
    for year in &mut years {
        year.retain(|number, _| kept.contains(number));
    }
    years
}

/// For each month that the years know, the mean of something of it.
fn means<T>(years: &[BTreeMap<u32, T>], of: impl Fn(&T) -> f64) -> BTreeMap<u32, f64> {
    let mut sums = BTreeMap::new();
    for (number, value) in years.iter().flatten() {
        *sums.entry(*number).or_insert(0.0) += of(value) / years.len() as f64;
    }
    sums
}

/// What is made in the months to come, and how far it departs from the past years.
struct Made {
    /// Expected, by the past alone.
    by_past: f64,
    drift: Drift,
}

impl Made {
    /// From the months of past years, and those of this year that are over; each by the bound that counts, and what
    /// the past is held against this year with by the other one.
    fn of<T>(
        context: &Context<'_>,
        years: &[BTreeMap<u32, T>],
        now: &BTreeMap<u32, f64>,
        counted: impl Fn(&T) -> f64,
        most: impl Fn(&T) -> f64,
    ) -> Option<Self> {
        let (expected, against) = (means(years, &counted), means(years, most));
        let departure = |value: f64, of: f64| Departure { by: value - of, scale: of };
        let past: Vec<Vec<Departure>> = years
            .iter()
            .map(|year| {
                year.iter().filter_map(|(m, v)| Some(departure(counted(v), *expected.get(m)?))).collect()
            })
            .collect();
        let this: Vec<Departure> =
            now.iter().filter_map(|(m, value)| Some(departure(*value, *against.get(m)?))).collect();
        let by_past: f64 = context.months.iter().filter_map(|m| expected.get(&m.number)).sum();
        Some(Self { by_past, drift: drift(&past, &this, by_past)? })
    }

    /// With at most this share of this year's drift; a plant makes nothing at the least.
    fn expected(&self, weight_max: f64) -> f64 {
        (self.by_past * (1.0 + self.drift.weight.min(weight_max) * self.drift.own)).max(0.0)
    }
}

fn withheld(code: &str) -> Vec<String> {
    vec![code.to_owned()]
}

fn is_lost(meters: &[&MeterYear]) -> bool {
    meters.iter().any(|m| lost(m, "measured"))
}

/// The year's end of what renewable plants made, in the scheme's unit.
pub(super) fn produced(context: &Context<'_>, kpi: &KpiResult) -> Result<YearEnd, Vec<String>> {
    let ids: Vec<_> = kpi.chain.parts.iter().filter_map(|p| p.meter.clone()).collect();
    let meters: Vec<&MeterYear> =
        context.input.year.meters.iter().filter(|m| ids.contains(&m.meter.id)).collect();
    if is_lost(&meters) {
        return Err(withheld("series.coverage.low"));
    }
    let mut now: BTreeMap<u32, f64> = BTreeMap::new();
    for row in meters.iter().flat_map(|m| &m.months).filter(|m| m.reporting) {
        *now.entry(row.month.number).or_insert(0.0) += row.measured_low.unwrap_or(0.0);
    }
    let over: Vec<u32> = now.keys().copied().collect();
    let years = past_years(context, &over, |month| {
        measured(ids.iter().map(|id| context.input.meters.iter().find(|m| m.meter == *id)), month)
    });
    let made = Made::of(context, &years, &now, |m| m.low, |m| m.high);
    let made = made.ok_or_else(|| withheld(NO_PAST_PRODUCTION))?;
    let scale = kpi.chain.scale;
    let so_far = kpi.chain.parts.iter().map(|p| p.worse * p.factor).sum::<f64>() * scale;
    let expected = so_far + made.expected(1.0) * scale;
    let end = YearEnd::within(so_far, expected, made.drift.half_width * scale);
    Ok(YearEnd { low: end.low.max(so_far), ..end })
}

/// What a month's production became: used on site, exported or stored.
#[derive(Debug, Clone, Copy)]
struct Became {
    used: Bounds,
    lost: Bounds,
}

impl Became {
    /// What the share that counts is a share of.
    fn made(&self) -> f64 {
        self.used.low + self.lost.high
    }
}

/// The same of a past month, from the months of the meters alone.
fn became(context: &Context<'_>, meters: &[&MeterYear], month: Month) -> Option<Became> {
    let of = |direction: Direction| {
        let ids = meters.iter().filter(|m| m.meter.direction == direction).map(|m| &m.meter.id);
        measured(ids.map(|id| context.input.meters.iter().find(|m| m.meter == *id)), month)
    };
    let (made, exported) = (of(Direction::Production)?, of(Direction::Export)?);
    let stored = of(Direction::Charge)?.minus(of(Direction::Discharge)?);
    let lost = exported.plus(stored);
    Some(Became { used: made.minus(lost).at_least_nothing(), lost: lost.at_least_nothing() })
}

/// The year's months that are over; `None` where nothing bounds what one of them lost.
fn over(balance: &BalanceYear) -> Option<BTreeMap<u32, Became>> {
    let kwh = |wh: i64| wh as f64 / 1000.0;
    let of = |flow: Flow| Bounds { low: kwh(flow.low), high: flow.high.map_or(f64::INFINITY, kwh) };
    let became = |row: &BalanceMonth| {
        let lost = of(row.balance.exported).plus(of(row.balance.stored)).at_least_nothing();
        let used = of(row.balance.self_consumed).at_least_nothing();
        lost.high.is_finite().then_some((row.month.number, Became { used, lost }))
    };
    balance.months.iter().filter(|m| m.reporting).map(became).collect()
}

/// The year's end of the share of what was made on site that is used there, in the scheme's unit.
pub(super) fn share(context: &Context<'_>, kpi: &KpiResult, vector: Vector) -> Result<YearEnd, Vec<String>> {
    let year = context.input.year;
    let meters: Vec<&MeterYear> = year
        .meters
        .iter()
        .filter(|m| Vector::of(m.meter.carrier) == Some(vector) && m.meter.direction != Direction::Import)
        .collect();
    let balance = of_project(&year.balances, vector).ok_or_else(|| withheld("kpi.meter_missing"))?;
    let now = over(balance).filter(|_| !is_lost(&meters)).ok_or_else(|| withheld("series.coverage.low"))?;
    let (used, made) = now.values().fold((0.0, 0.0), |(used, made), m| (used + m.used.low, made + m.made()));
    let so_far = balance.reporting.share().map(|s| s.worse);
    if so_far.is_none() && 0.0 < made {
        return Err(withheld("balance.export_exceeds"));
    }
    let numbers: Vec<u32> = now.keys().copied().collect();
    let years = past_years(context, &numbers, |month| became(context, &meters, month));
    let ends = ends(context, &years, &now, (used, made)).ok_or_else(|| withheld(NO_PAST_PRODUCTION))?;
    let end = ends.into_iter().min_by(|a, b| a.share.total_cmp(&b.share));
    let end = end.filter(|end| 0.0 < made + end.coming).ok_or_else(|| withheld("kpi.not_applicable"))?;
    let scale = kpi.chain.scale;
    // What each month to come must keep on site for the year to reach the target.
    let of_target = |target: f64| (target * (made + end.coming) - used * scale) / end.coming;
    let needed = kpi.target.filter(|_| 0.0 < end.coming).map(of_target);
    Ok(YearEnd {
        so_far: so_far.map(|s| s * scale),
        expected: end.share * scale,
        low: (end.share - end.half_width).max(0.0) * scale,
        high: (end.share + end.half_width).min(1.0) * scale,
        confirmed: 0.0,
        needed: Some(needed.filter(|n| 0.0 < *n)),
    })
}

/// A year's share, 0 to 1, with what is still made.
struct ShareEnd {
    coming: f64,
    share: f64,
    half_width: f64,
}

/// The year's end by what the past years' months made at the most and at the least: whichever is worse counts, since
/// more production raises a share or lowers it.
fn ends(
    context: &Context<'_>,
    years: &[BTreeMap<u32, Became>],
    now: &BTreeMap<u32, Became>,
    (used, made_so_far): (f64, f64),
) -> Option<[ShareEnd; 2]> {
    let made_now: BTreeMap<u32, f64> = now.iter().map(|(m, of)| (*m, of.made())).collect();
    let by = |against: fn(&Became) -> f64| {
        let made = Made::of(context, years, &made_now, Became::made, against)?;
        let to_come = to_come(context, years, now, made.by_past)?;
        // A production that drifts weighs the months to come; it must not do so more than the share itself drifts, or
        // fewer readings of it could raise the year's share.
        let coming = made.expected(to_come.weight);
        let all = made_so_far + coming;
        let share = if 0.0 < all { (used + to_come.share * coming) / all } else { 0.0 };
        let not_carried = (made.expected(1.0) - coming).abs();
        let of_made = (to_come.share - share).abs() * (made.drift.half_width + not_carried);
        Some(ShareEnd { coming, share, half_width: (to_come.half_width + of_made) / all })
    };
    Some([by(|m| m.used.high + m.lost.high)?, by(|m| m.used.low + m.lost.low)?])
}

/// The share of the months to come, 0 to 1, and half its 90 % band in energy.
struct ToCome {
    share: f64,
    half_width: f64,
    /// Share of this year's drift that is carried, 0 to 1.
    weight: f64,
}

fn to_come(
    context: &Context<'_>,
    years: &[BTreeMap<u32, Became>],
    now: &BTreeMap<u32, Became>,
    coming: f64,
) -> Option<ToCome> {
    let (used, made) = (means(years, |m| m.used.low), means(years, Became::made));
    let (most, least) = (means(years, |m| m.used.high), means(years, |m| m.lost.low));
    let ratio = |part: f64, whole: f64| if 0.0 < whole { part / whole } else { 0.0 };
    let departure =
        |of: &Became, share: f64| Departure { by: of.used.low - share * of.made(), scale: of.made() };
    let of_past =
        |(month, of): (&u32, &Became)| Some(departure(of, ratio(*used.get(month)?, *made.get(month)?)));
    let of_now = |(month, of): (&u32, &Became)| {
        let most = *most.get(month)?;
        Some(departure(of, ratio(most, most + *least.get(month)?)))
    };
    let past: Vec<Vec<Departure>> =
        years.iter().map(|year| year.iter().filter_map(of_past).collect()).collect();
    let this: Vec<Departure> = now.iter().filter_map(of_now).collect();
    let drift = drift(&past, &this, coming)?;
    let sum = |of: &BTreeMap<u32, f64>| context.months.iter().filter_map(|m| of.get(&m.number)).sum::<f64>();
    let share = (ratio(sum(&used), sum(&made)) + drift.expected()).clamp(0.0, 1.0);
    Some(ToCome { share, half_width: drift.half_width, weight: drift.weight })
}

/// The power of the plants, from their documents: those in service now, and those that will be by the year's end.
pub(super) fn capacity(context: &Context<'_>, kpi: &KpiResult) -> Result<YearEnd, Vec<String>> {
    let of = context.input.year;
    if of.year < of.project.dates.completed.year() {
        return Err(withheld(NOT_MODELLED));
    }
    let by_end: f64 = kpi.chain.parts.iter().map(|p| p.worse).sum();
    let still =
        of.project.terms.plants.iter().filter(|p| {
            is_renewable(p.carrier) && of.until <= p.in_service && p.in_service.year() == of.year
        });
    let still: f64 = still.map(|p| p.nominal_kw).sum();
    let scale = kpi.chain.scale;
    let (so_far, expected) = ((by_end - still) * scale, by_end * scale);
    Ok(YearEnd { low: so_far, ..YearEnd::within(so_far, expected, 0.0) })
}
