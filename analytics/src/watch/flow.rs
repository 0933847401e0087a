//! Power from totals, own production, and use against temperature.
//!
//! Must never: draw power over a gap, or take production for self-consumption where export is not known.

use chrono::{Days, NaiveDate};
use model::{Instant, Zone};

use super::span::{UseDays, use_of};
use super::usual::Temperatures;
use crate::baseline::Fitted;

/// Between two totals farther apart than this nothing is said about power: half an hour.
const GAP_MILLIS: i64 = 30 * 60_000;

/// Mean power in W between totals in Wh, each at the later instant; `None` over a gap or where the total fell.
#[must_use]
pub fn mean_power(totals: &[(Instant, i64)]) -> Vec<(Instant, Option<f64>)> {
    let between = |pair: &[(Instant, i64)]| {
        let [(from, before), (to, after)] = pair else { return None };
        let millis = to.millis() - from.millis();
        let sound = 0 < millis && millis <= GAP_MILLIS && before <= after;
        let power = sound.then(|| (after - before) as f64 * 3_600_000.0 / millis as f64);
        Some((*to, power))
    };
    totals.windows(2).filter_map(between).collect()
}

/// Produced less exported; `None` unless both are known.
#[must_use]
pub fn self_consumed(produced: Option<f64>, exported: Option<f64>) -> Option<f64> {
    produced.zip(exported).map(|(produced, exported)| (produced - exported).max(0.0))
}

/// The self-consumed share of what the days of `[from, to)` produced; `None` unless both sides are known and something
/// was produced.
#[must_use]
pub fn self_consumed_share(
    produced: &UseDays,
    exported: &UseDays,
    zone: Zone,
    bounds: (NaiveDate, NaiveDate),
    now: Instant,
) -> Option<f64> {
    let produced = use_of(produced, zone, bounds, now).filter(|p| 0.0 < *p)?;
    let used = self_consumed(Some(produced), use_of(exported, zone, bounds, now))?;
    Some(used / produced)
}

/// Outdoor temperature and use of each measured day of `[from, to)` that has a temperature of its own.
#[must_use]
pub fn signature(
    days: &UseDays,
    temperatures: &Temperatures,
    zone: Zone,
    (from, to): (NaiveDate, NaiveDate),
    now: Instant,
) -> Vec<(NaiveDate, f64, f64)> {
    let of = |day: NaiveDate| {
        let outdoor_c = *temperatures.get(&day)?;
        let energy = use_of(days, zone, (day, day.checked_add_days(Days::new(1))?), now)?;
        Some((day, outdoor_c, energy))
    };
    from.iter_days().take_while(|day| *day < to).filter_map(of).collect()
}

/// The use of a day that laws together give at temperatures from `low_c` to `high_c`, in steps of a kelvin.
#[must_use]
pub fn law_line(laws: &[&Fitted], low_c: f64, high_c: f64) -> Vec<(f64, f64)> {
    if laws.is_empty() || !low_c.is_finite() || !high_c.is_finite() {
        return Vec::new();
    }
    let of_day = |outdoor_c: f64| -> f64 {
        let of = |law: &&Fitted| {
            let model = &law.model;
            let cold = model.heating_base_c.map_or(0.0, |base| (base - outdoor_c).max(0.0));
            model.usual_base_per_day() + model.heating_per_degree_day * cold
        };
        laws.iter().map(of).sum()
    };
    let mut line = Vec::new();
    let mut at = low_c.floor().max(-40.0);
    while at <= high_c.ceil().min(60.0) {
        line.push((at, of_day(at)));
        at += 1.0;
    }
    line
}
