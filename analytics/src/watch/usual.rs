//! What a carrier's use usually is at an hour of the week and an outdoor temperature, learned from the last weeks.
//!
//! Must never: learn from hours that were not measured, or from the days it is about to judge.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use model::time::day_start;
use model::{Instant, Zone};

use super::{HOUR_MILLIS, UseHour, hour_of_week};
use crate::baseline::towt::{self, Towt};

/// Days from which the usual use is learned.
pub const LEARNED_DAYS: u64 = 91;
/// The last days, which are judged and not learned from.
pub const JUDGED_DAYS: u64 = 7;
/// A temperature may stand for a day that lies at most so much later.
const TEMPERATURE_DAYS_MAX: i64 = 3;

/// Daily mean outdoor temperatures, °C.
pub type Temperatures = BTreeMap<NaiveDate, f64>;

/// The usual use of a carrier.
#[derive(Debug, Clone)]
pub struct Usual {
    model: Towt,
    zone: Zone,
}

/// The outdoor temperature of a day, and the day it was measured on: the newest one known, as long as it is not too old.
#[must_use]
pub fn temperature(temperatures: &Temperatures, day: NaiveDate) -> Option<(f64, NaiveDate)> {
    let (on, value) = temperatures.range(..=day).next_back()?;
    ((day - *on).num_days() <= TEMPERATURE_DAYS_MAX).then_some((*value, *on))
}

/// Learns from the measured hours of `[from, to)` whose day has a temperature of its own; `None` with fewer than eight
/// weeks of them.
#[must_use]
pub fn learn(
    hours: &[UseHour],
    temperatures: &Temperatures,
    zone: Zone,
    (from, to): (NaiveDate, NaiveDate),
) -> Option<Usual> {
    let known = hours.iter().filter(|h| h.measured).filter_map(|hour| {
        let (day, name) = hour.civil(zone);
        let outdoor_c = *temperatures.get(&day).filter(|_| from <= day && day < to)?;
        Some(towt::Hour { of_week: hour_of_week(day, name), outdoor_c, energy: hour.energy })
    });
    let known: Vec<towt::Hour> = known.collect();
    towt::fit(&known).map(|model| Usual { model, zone })
}

/// What was to be expected of a stretch of hours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    /// In display units.
    pub energy: f64,
    /// Half the 90 % band.
    pub half_width: f64,
}

impl Usual {
    /// The expected use of a civil day up to `until`, at an outdoor temperature; `None` where an hour of it was never seen.
    #[must_use]
    pub fn of_day(&self, day: NaiveDate, outdoor_c: f64, until: Instant) -> Option<Expectation> {
        let begin = day_start(day, self.zone);
        let end = day_start(day.succ_opt()?, self.zone).min(until);
        let mut whole: Vec<(usize, f64)> = Vec::new();
        let mut part = 0.0;
        let mut at = begin;
        while at < end {
            let (civil, name) = UseHour { from: at, energy: 0.0, measured: true }.civil(self.zone);
            let of_week = hour_of_week(civil, name);
            let next = at.plus_millis(HOUR_MILLIS);
            if next <= end {
                whole.push((of_week, outdoor_c));
            } else {
                let share = (end.millis() - at.millis()) as f64 / HOUR_MILLIS as f64;
                part = share * self.model.hour(of_week, outdoor_c)?;
            }
            at = next;
        }
        let expected = self.model.expect(&whole);
        let energy = (expected.energy + part).max(0.0);
        let known = expected.unknown_hours == 0 && energy.is_finite();
        known.then_some(Expectation { energy, half_width: expected.half_width })
    }

    /// The expected use of one civil hour.
    #[must_use]
    pub fn of_hour(&self, day: NaiveDate, hour: u32, outdoor_c: f64) -> Option<f64> {
        self.model.hour(hour_of_week(day, hour), outdoor_c).map(|e| e.max(0.0))
    }

    /// Share of the hourly variance that it explains.
    #[must_use]
    pub fn r2(&self) -> f64 {
        self.model.r2
    }
}

/// How many of the last complete days before `today`, one after the other, used more than the upper end of the band and
/// more than `excess_ratio` (0.1 is 10 %) above the expected. A day that was not measured whole ends the count: what is
/// not known raises no alarm of this kind.
#[must_use]
pub fn days_above(
    hours: &[UseHour],
    usual: &Usual,
    temperatures: &Temperatures,
    today: NaiveDate,
    excess_ratio: f64,
) -> u32 {
    let mut count = 0;
    let mut day = today;
    while u64::from(count) < JUDGED_DAYS {
        let Some(before) = day.pred_opt() else { break };
        let end = day_start(day, usual.zone);
        day = before;
        let measured = of_day(hours, usual.zone, day);
        let expected = temperatures.get(&day).and_then(|c| usual.of_day(day, *c, end));
        let (Some(measured), Some(expected)) = (measured, expected) else { break };
        let limit = (expected.energy + expected.half_width).max(expected.energy * (1.0 + excess_ratio));
        if measured <= limit {
            break;
        }
        count += 1;
    }
    count
}

/// The energy of a civil day all of whose hours were measured.
fn of_day(hours: &[UseHour], zone: Zone, day: NaiveDate) -> Option<f64> {
    let (begin, end) = (day_start(day, zone), day_start(day.succ_opt()?, zone));
    let first = hours.partition_point(|h| h.from < begin);
    let last = hours.partition_point(|h| h.from < end);
    let own = hours.get(first..last)?;
    let whole = own.len() as i64 * HOUR_MILLIS == end.millis() - begin.millis();
    (whole && own.iter().all(|h| h.measured)).then(|| own.iter().map(|h| h.energy).sum())
}
