//! What energy cost, and what avoided energy would have cost, by tariffs with dates.
//!
//! Must never: price a month for which no tariff is stated, or round before the sum is made.
//!
//! Money is whole: an amount in thousandths of a unit (Wh, litres, grams) times millionths of a euro per unit gives
//! billionths of a euro, exactly; cents are made once, at the end. A tariff that changes within a month prices each part
//! by its days.

use chrono::NaiveDate;
use model::{Euro, Finding, MeterFacts, Month, Project, Severity, Tariff};

use super::{Amount, Context, Outcome};
use crate::result::{KpiPart, MeterYear};

/// Billionths of a euro in a cent.
const NANO_PER_CENT: i128 = 10_000_000;

/// What a month's energy cost; `None` where nothing was measured or a day has no tariff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostMonth {
    pub month: Month,
    /// Billionths of a euro.
    pub nano_euro: i128,
}

impl CostMonth {
    /// Months together, rounded once to whole cents, halves away from zero.
    #[must_use]
    pub fn sum(months: &[Self]) -> Euro {
        let nano: i128 = months.iter().map(|m| m.nano_euro).sum();
        let half = if nano < 0 { -NANO_PER_CENT / 2 } else { NANO_PER_CENT / 2 };
        Euro { cents: i64::try_from((nano + half) / NANO_PER_CENT).unwrap_or(i64::MAX) }
    }
}

/// The tariffs that price a meter: its own, else those of its carrier.
fn tariffs<'a>(project: &'a Project, meter: &'a MeterFacts) -> impl Iterator<Item = &'a Tariff> {
    let of = move |t: &&Tariff| t.meter.as_ref() == Some(&meter.id);
    let own = project.terms.tariffs.iter().any(|t| of(&t));
    project
        .terms
        .tariffs
        .iter()
        .filter(move |t| if own { of(t) } else { t.meter.is_none() && t.carrier == meter.carrier })
}

/// The tariffs of a month in the order of its days, each with the number of days that it holds; `None` where a day has
/// none. Of two tariffs for a day the first in the file stands.
pub(crate) fn tariffs_of_month<'a>(
    project: &'a Project,
    meter: &'a MeterFacts,
    month: Month,
) -> Option<Vec<(&'a Tariff, i64)>> {
    let mut held: Vec<(&Tariff, i64)> = Vec::new();
    for day in month.first_day().iter_days().take_while(|d| *d < month.end_day()) {
        let holds = |t: &&Tariff| t.from <= day && t.to.is_none_or(|to| day < to);
        let tariff = tariffs(project, meter).find(holds)?;
        match held.last_mut() {
            Some((last, days)) if std::ptr::eq(*last, tariff) => *days += 1,
            Some(_) | None => held.push((tariff, 1)),
        }
    }
    Some(held)
}

/// Millionths of a euro per unit, each with the number of days that it holds; `None` where a day has no tariff.
fn prices(project: &Project, meter: &MeterFacts, month: Month) -> Option<Vec<(i64, i64)>> {
    let held = tariffs_of_month(project, meter, month)?;
    Some(held.into_iter().map(|(tariff, days)| (tariff.microeuro_per_unit, days)).collect())
}

/// The cost of an amount in thousandths of a unit over a month; `None` where a day has no tariff.
#[must_use]
pub fn of_month(project: &Project, meter: &MeterFacts, month: Month, amount: i64) -> Option<CostMonth> {
    let prices = prices(project, meter, month)?;
    let days = i64::from(month.days());
    let (mut nano, mut passed, mut given) = (0_i128, 0_i64, 0_i64);
    for (price, of) in prices {
        passed += of;
        // Parts of an amount add up to it: each ends where the days so far end.
        let until = (i128::from(amount) * i128::from(passed)).div_euclid(i128::from(days));
        let until = i64::try_from(until).ok()?;
        nano += i128::from(until - given) * i128::from(price);
        given = until;
    }
    Some(CostMonth { month, nano_euro: nano })
}

/// Euro per unit of a month, weighted by days.
pub(crate) fn mean_price(project: &Project, meter: &MeterFacts, month: Month) -> Option<f64> {
    let prices = prices(project, meter, month)?;
    let sum: i64 = prices.iter().map(|(price, days)| price * days).sum();
    Some(sum as f64 / f64::from(month.days()) / 1e6)
}

/// The price of a month that has not come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ahead {
    /// Weighted by days.
    pub(crate) euro_per_unit: f64,
    /// The day on which the last tariff ended, where it is taken for days that have none.
    pub(crate) held_since: Option<NaiveDate>,
}

/// What a unit will cost in a month to come by the tariffs stated so far: that of the day, else the last that has ended.
/// `None` where a day has neither. For forecasts alone: no figure is made of it.
pub(crate) fn price_ahead(project: &Project, meter: &MeterFacts, month: Month) -> Option<Ahead> {
    let (mut sum, mut held_since) = (0, None);
    for day in month.first_day().iter_days().take_while(|d| *d < month.end_day()) {
        let holds = |t: &&Tariff| t.from <= day && t.to.is_none_or(|to| day < to);
        let ended = |t: &&Tariff| t.to.is_some_and(|to| to <= day);
        let stated = tariffs(project, meter).find(holds);
        let tariff = match stated {
            Some(tariff) => tariff,
            None => tariffs(project, meter).filter(ended).max_by_key(|t| t.to)?,
        };
        if stated.is_none() {
            held_since = held_since.or(tariff.to);
        }
        sum += tariff.microeuro_per_unit;
    }
    Some(Ahead { euro_per_unit: sum as f64 / f64::from(month.days()) / 1e6, held_since })
}

/// Euro that the avoided energy would have cost. Month by month at its own tariff; what was not measured, and the
/// model's band, at the highest price of the year. Energy of the year whose month is in doubt may have had any month's
/// price: it counts with the distance of the highest from the lowest.
pub(super) fn avoided(context: &Context<'_>) -> Outcome {
    let plain = |_: &crate::evaluate::meter::Assessment| Ok((1.0, Vec::new()));
    let mut outcome = super::weighted_savings(context, "avoided_x_tariff", plain);
    let mut sum = Amount::exact(0.0);
    let (mut variance, mut parts, mut missing) = (0.0, Vec::new(), Vec::new());
    for meter in context.meters.iter().filter(|m| m.compared) {
        let Some(year) = context.years.iter().find(|y| y.meter.id == meter.meter) else { continue };
        let Some(Priced { best, most, spread }) = priced(context, year) else {
            missing.push(no_tariff(context, year));
            continue;
        };
        let half_width = meter.avoided.half_width() * most;
        let misplaced = |energy: f64| energy * spread;
        let part = KpiPart {
            meter: Some(meter.meter.clone()),
            building: None,
            quantity: "cost_avoided",
            worse: best
                - (meter.avoided.best - meter.avoided.least()).max(0.0) * most
                - misplaced(year.totals.joint_high),
            best,
            high: best
                + (meter.avoided.most() - meter.avoided.best).max(0.0) * most
                + misplaced(year.totals.joint_low),
            half_width,
            unit: "EUR",
            factor: 1.0,
        };
        sum.worse += part.worse;
        sum.best += part.best;
        sum.high += part.high;
        variance += half_width * half_width;
        parts.push(part);
    }
    sum.better = sum.high;
    sum.low = sum.worse - variance.sqrt();
    sum.high += variance.sqrt();
    outcome.chain.parts = parts;
    outcome.amount = outcome.amount.filter(|_| missing.is_empty()).map(|_| sum);
    for finding in missing {
        outcome.withhold(finding);
    }
    outcome
}

/// What the avoided energy of the reporting months would have cost.
struct Priced {
    /// The best value in euro.
    best: f64,
    /// The highest price of the months, and how far it is from the lowest; euro per unit.
    most: f64,
    spread: f64,
}

/// `None` where one of the reporting months has no tariff.
fn priced(context: &Context<'_>, year: &MeterYear) -> Option<Priced> {
    let (mut best, mut most, mut least) = (0.0, 0.0_f64, f64::INFINITY);
    for row in year.months.iter().filter(|m| m.reporting) {
        let price = mean_price(context.project, &year.meter, row.month)?;
        best += row.avoided.unwrap_or(0.0) * price;
        (most, least) = (most.max(price), least.min(price));
    }
    Some(Priced { best, most, spread: (most - least).max(0.0) })
}

fn no_tariff(context: &Context<'_>, year: &MeterYear) -> Finding {
    let meter = &year.meter;
    let says = format!("no tariff of {} covers every reporting month of {}", meter.id, context.year);
    let rule = "a price is never guessed";
    let about = format!("meter:{} {}", meter.id, context.year);
    Finding::new("tariff.missing", Severity::Blocks, about, says, rule)
        .with("meter", &meter.id)
        .with("year", context.year)
}
