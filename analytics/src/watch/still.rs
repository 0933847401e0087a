//! A total that stands still where energy usually flows.
//!
//! Must never: call a night without heating a fault, or an hour that was not measured one without use.

use model::Zone;

use super::usual::{Temperatures, Usual, temperature};
use super::{COVERED_MIN, HOUR_MILLIS, UseHour};
use crate::series::HourValue;

/// How long a meter's total has stood still.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Still {
    /// Whole hours up to the last one, all of them measured and without use.
    pub hours: u32,
    /// What usually flows in these hours, in display units: the carrier's, by this meter's share of it.
    pub usual: f64,
}

/// Of a meter's hours; `None` without a model of its carrier, or where the last hour was not measured.
#[must_use]
pub fn still(
    hours: &[HourValue],
    carrier: &[UseHour],
    usual: &Usual,
    temperatures: &Temperatures,
    zone: Zone,
    to_display: impl Fn(i64) -> f64,
) -> Option<Still> {
    let whole = |h: &HourValue| COVERED_MIN * HOUR_MILLIS as f64 <= h.covered_millis as f64;
    let mut back = hours.iter().rev().skip_while(|h| !whole(h)).peekable();
    back.peek()?;
    let mut count = 0;
    let mut flows = 0.0;
    for hour in back.take_while(|h| whole(h) && h.amount == 0) {
        let (day, name) = UseHour { from: hour.from, energy: 0.0, measured: true }.civil(zone);
        let (outdoor_c, _) = temperature(temperatures, day)?;
        flows += usual.of_hour(day, name, outdoor_c).unwrap_or(0.0);
        count += 1;
    }
    let own: f64 = hours.iter().map(|h| to_display(h.amount)).sum();
    let all: f64 = carrier.iter().map(|h| h.energy).sum();
    let share = if 0.0 < all { (own / all).clamp(0.0, 1.0) } else { 0.0 };
    Some(Still { hours: count, usual: flows * share })
}
