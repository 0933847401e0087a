//! What a facility manager watches between two reports: hours of a carrier's use, what is usual for the weather, spans
//! beside last year, what runs when nobody is there, and alarms.
//!
//! Must never: take an hour that was not measured for one without use, or reach a report: reports have figures of their
//! own.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, Timelike};
use model::{Instant, Zone};

use crate::series::HourValue;

pub mod alarm;
pub mod base_load;
pub mod flow;
pub mod pace;
pub mod span;
pub mod still;
pub mod usual;

pub(super) const HOUR_MILLIS: i64 = 3_600_000;
/// Share of a span that must have been measured for its value to stand for the whole.
pub const COVERED_MIN: f64 = 0.9;

/// One hour of a carrier's use, all its meters together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UseHour {
    pub from: Instant,
    /// In the carrier's display unit.
    pub energy: f64,
    /// Measured by every meter over at least nine tenths of it, and nothing of it caught up from a gap.
    pub measured: bool,
}

impl UseHour {
    /// Civil day and hour of its beginning.
    #[must_use]
    pub fn civil(&self, zone: Zone) -> (NaiveDate, u32) {
        let local = self.from.utc().with_timezone(&zone);
        (local.date_naive(), local.hour())
    }
}

/// The hour of the week of a civil hour: 0 is Monday 00:00.
#[must_use]
pub fn hour_of_week(day: NaiveDate, hour: u32) -> usize {
    (day.weekday().num_days_from_monday() * 24 + hour) as usize
}

/// The hours of several meters together, ascending. `to_display` turns the smallest unit into the display unit.
///
/// An hour counts as measured only where every meter measured it.
#[must_use]
pub fn together(meters: &[Vec<HourValue>], to_display: impl Fn(i64) -> f64) -> Vec<UseHour> {
    let mut sums: BTreeMap<Instant, (i64, usize)> = BTreeMap::new();
    for hour in meters.iter().flatten() {
        let sum = sums.entry(hour.from).or_default();
        sum.0 = sum.0.saturating_add(hour.amount);
        let whole = COVERED_MIN * HOUR_MILLIS as f64 <= hour.covered_millis as f64 && hour.estimated == 0;
        sum.1 += usize::from(whole);
    }
    let hour = |(from, (amount, whole)): (Instant, (i64, usize))| UseHour {
        from,
        energy: to_display(amount),
        measured: whole == meters.len() && !meters.is_empty(),
    };
    sums.into_iter().map(hour).collect()
}

/// Hours by civil day, for a carpet of days and hours.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Carpet {
    /// Ascending, without holes: a day without a measured hour has a row of `None`.
    pub days: Vec<(NaiveDate, [Option<f64>; 24])>,
    /// The greatest value, for the shades.
    pub most: f64,
}

/// The measured hours of `[from, to)` by civil day; the two hours that share a name when the clock is put back count as
/// their mean.
#[must_use]
pub fn carpet(hours: &[UseHour], zone: Zone, from: NaiveDate, to: NaiveDate) -> Carpet {
    let days: Vec<NaiveDate> = from.iter_days().take_while(|day| *day < to).collect();
    let mut sums = vec![[(0.0, 0.0); 24]; days.len()];
    for hour in hours.iter().filter(|h| h.measured) {
        let (day, name) = hour.civil(zone);
        let row = usize::try_from((day - from).num_days()).ok().and_then(|i| sums.get_mut(i));
        if let Some(cell) = row.and_then(|row| row.get_mut(name as usize)) {
            *cell = (cell.0 + hour.energy, cell.1 + 1.0);
        }
    }
    let value = |(sum, n): (f64, f64)| (0.0 < n).then(|| sum / n);
    let days: Vec<(NaiveDate, [Option<f64>; 24])> =
        days.into_iter().zip(sums).map(|(day, row)| (day, row.map(value))).collect();
    let most = days.iter().flat_map(|(_, row)| row.iter().flatten()).copied().fold(0.0, f64::max);
    Carpet { days, most }
}

#[cfg(test)]
mod tests;
