//! The year's end of what savings and use make: energy, emissions, money, the operational index.
//!
//! Must never: price a month to come at a tariff that no contract has stated, or add up meters of which one says
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use model::{Finding, MeterFacts, MeterId, Month};

use super::coming::student_90;
use super::meter::Use;
use super::{Context, YearEnd, findings, lost};
use crate::evaluate::laws::Laws;
use crate::kpi::{self, Ahead};
use crate::result::{Baseline, KpiPart, KpiResult, MeterYear};
use crate::scheme::KpiMeasure;

/// One meter's part of the year's end.
struct Term {
    so_far: f64,
    /// What is still to come, by past year.
    by_year: BTreeMap<i32, f64>,
    half_width: f64,
    /// By how much it would change were every standstill confirmed.
    confirmed: f64,
}

/// The year's end of a sum over single meters, in the scheme's unit; or the codes that withhold it.
pub(super) fn year_end(context: &Context<'_>, kpi: &KpiResult) -> Result<YearEnd, Vec<String>> {
    let chain = &kpi.chain;
    let scale = chain.scale / chain.divisor.map_or(1.0, |d| d.value);
    let mut because: BTreeSet<&str> = BTreeSet::new();
    let (mut so_far, mut variance, mut confirmed) = (0.0, 0.0, 0.0);
    let mut by_year: BTreeMap<i32, f64> = context.years.iter().map(|y| (*y, 0.0)).collect();
    // What counts for nothing cannot change the figure, measured or not.
    for part in chain.parts.iter().filter(|p| p.factor != 0.0) {
        let Some(id) = &part.meter else { continue };
        if context.input.year.meters.iter().any(|m| m.meter.id == *id && lost(m, part.quantity)) {
            because.insert("series.coverage.low");
        }
        let term = match kpi.definition.measure {
            KpiMeasure::CostAvoided => cost(context, part, id),
            _ => energy(context, part, id),
        };
        let term = match term {
            Ok(term) => term,
            Err(code) => {
                because.insert(code);
                continue;
            }
        };
        let factor = part.factor * scale;
        so_far += term.so_far * factor;
        variance += (term.half_width * factor).powi(2);
        confirmed += term.confirmed * factor;
        by_year.retain(|year, sum| {
            let value = term.by_year.get(year);
            *sum += value.copied().unwrap_or(0.0) * factor;
            value.is_some()
        });
    }
    if by_year.len() < 2 {
        because.insert("forecast.no_history");
    }
    if !because.is_empty() {
        return Err(because.into_iter().map(str::to_owned).collect());
    }
    let n = by_year.len() as f64;
    let mean = by_year.values().sum::<f64>() / n;
    let spread = by_year.values().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let weather = student_90(n - 1.0) * (spread * (1.0 + 1.0 / n)).sqrt();
    let half_width = weather.hypot(variance.sqrt());
    Ok(YearEnd { confirmed, ..YearEnd::within(so_far, so_far + mean, half_width) })
}

/// What the months so far may have used while the meter's total stood still.
fn hidden_so_far(context: &Context<'_>, meter: &MeterId) -> f64 {
    let of_meter = context.input.laws.iter().filter(|l| l.meter == *meter);
    let months = of_meter.flat_map(|l| &l.months).filter(|m| m.month.year == context.input.year.year);
    months.map(|m| m.hidden).sum()
}

fn energy(context: &Context<'_>, part: &KpiPart, id: &MeterId) -> Result<Term, &'static str> {
    let coming = context.meters.get(id).ok_or("forecast.no_law")?;
    let is_saving = part.quantity == "avoided";
    let feared = coming.hidden + hidden_so_far(context, id);
    Ok(Term {
        so_far: part.worse,
        by_year: if is_saving { coming.avoided.clone() } else { coming.used.clone() },
        half_width: coming.half_width,
        confirmed: if is_saving { feared } else { -feared },
    })
}

/// Month by month at its own tariff; what is only feared, and the band, at the highest price of the year, as the year's
/// figure counts them.
fn cost(context: &Context<'_>, part: &KpiPart, id: &MeterId) -> Result<Term, &'static str> {
    let coming = context.meters.get(id).ok_or("forecast.no_law")?;
    let laws = context.input.laws.iter().find(|l| l.meter == *id).ok_or("forecast.no_law")?;
    let year = context.input.year.meters.iter().find(|m| m.meter.id == *id).ok_or("forecast.no_law")?;
    let prices = ahead(context, &year.meter).ok_or("tariff.missing")?;
    let project = &context.input.year.project;
    let over = year.months.iter().filter(|m| m.reporting);
    let so_far_most = over.filter_map(|m| kpi::mean_price(project, &year.meter, m.month)).fold(0.0, f64::max);
    let most = prices.iter().map(|(_, ahead)| ahead.euro_per_unit).fold(so_far_most, f64::max);
    // What was not measured so far is laid at the highest price of the whole year.
    let unmeasured = (part.best - part.worse).max(0.0);
    let dearer = if 0.0 < so_far_most { unmeasured * (most / so_far_most - 1.0) } else { 0.0 };
    let by_year = avoided(context, laws, &prices, most).ok_or("forecast.no_law")?;
    Ok(Term {
        so_far: part.worse,
        by_year: by_year.into_iter().map(|(year, euro)| (year, euro - dearer)).collect(),
        half_width: coming.half_width * most,
        confirmed: (coming.hidden + hidden_so_far(context, id)) * most,
    })
}

/// Euro avoided in the months to come, by past year; `None` where nothing is known of what is used now.
fn avoided(
    context: &Context<'_>,
    laws: &Laws,
    prices: &[(Month, Ahead)],
    most: f64,
) -> Option<BTreeMap<i32, f64>> {
    let (used, hidden_share) = (Use::of(laws)?, laws.hidden_share());
    let of = |weather| {
        let month = |(month, ahead): &(Month, Ahead)| {
            let span = used.within(laws, weather, month.first_day(), month.end_day())?;
            let hidden = hidden_share * span.before.max(0.0);
            Some((span.before - span.energy) * ahead.euro_per_unit - hidden * most)
        };
        prices.iter().map(month).sum::<Option<f64>>()
    };
    Some(context.coming.scenarios().filter_map(|(year, weather)| Some((year, of(weather)?))).collect())
}

/// The price of each month to come; `None` where no tariff was ever stated for one of them.
fn ahead(context: &Context<'_>, meter: &MeterFacts) -> Option<Vec<(Month, Ahead)>> {
    let project = &context.input.year.project;
    context.months.iter().map(|m| Some((*m, kpi::price_ahead(project, meter, *m)?))).collect()
}

/// The meters whose months to come are priced at a tariff that has ended, each once.
pub(super) fn held(context: &Context<'_>) -> Vec<Finding> {
    let compared = |m: &&MeterYear| !matches!(m.baseline, Baseline::NotCompared);
    let of = |m: &MeterYear| {
        let until = ahead(context, &m.meter)?.iter().filter_map(|(_, ahead)| ahead.held_since).min()?;
        Some(findings::tariff_held(&m.meter, until, context.input.year.year))
    };
    context.input.year.meters.iter().filter(compared).filter_map(of).collect()
}
