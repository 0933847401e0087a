//! What runs when nobody is there: use at night, at weekends, and the level that never falls.
//!
//! Must never: compare a night with one of another temperature without the model that knows the difference.

use chrono::{Datelike, Days, NaiveDate, Weekday};
use model::Zone;

use super::usual::{Temperatures, Usual};
use super::{COVERED_MIN, UseHour};

/// Civil hours of the night: from midnight until before this one.
pub const NIGHT_UNTIL_HOUR: u32 = 5;
/// Days looked at.
pub const LOOKED_DAYS: u64 = 28;
/// Days over which the nights are compared with the usual ones.
const NIGHTS: u64 = 7;
/// The level under which this share of the hours lie is taken for the one that never falls.
const FLOOR_SHARE: f64 = 0.05;

/// The last four weeks of a carrier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BaseLoad {
    /// Mean use per hour at night, in display units per hour (kW for kWh).
    pub night_per_hour: f64,
    /// Mean use per hour of the day at weekends, without the night.
    pub weekend_per_hour: Option<f64>,
    /// Mean use per hour of the day on working days, without the night.
    pub workday_per_hour: Option<f64>,
    /// Level under which 5 % of all hours lie.
    pub floor_per_hour: f64,
    /// Shares of the energy measured, 0 to 1.
    pub night_share: f64,
    pub weekend_share: f64,
    /// Of the nights of the last week: measured over usual for their weather, less one. `None` without a model or with
    /// fewer than nine tenths of the hours.
    pub night_excess_ratio: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    n: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.n += 1.0;
    }

    fn value(self) -> Option<f64> {
        (0.0 < self.n).then(|| self.sum / self.n)
    }
}

/// Of the measured hours of the four weeks before `today`; `None` when fewer than a week of them were measured.
#[must_use]
pub fn base_load(
    hours: &[UseHour],
    usual: Option<(&Usual, &Temperatures)>,
    zone: Zone,
    today: NaiveDate,
) -> Option<BaseLoad> {
    let from = today.checked_sub_days(Days::new(LOOKED_DAYS))?;
    let (mut night, mut weekend, mut workday) = (Mean::default(), Mean::default(), Mean::default());
    let mut all: Vec<f64> = Vec::new();
    for hour in hours.iter().filter(|h| h.measured) {
        let (day, name) = hour.civil(zone);
        if day < from || today <= day {
            continue;
        }
        all.push(hour.energy);
        let free = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        match (name < NIGHT_UNTIL_HOUR, free) {
            (true, _) => night.add(hour.energy),
            (false, true) => weekend.add(hour.energy),
            (false, false) => workday.add(hour.energy),
        }
    }
    let night_per_hour = night.value()?;
    let whole = night.sum + weekend.sum + workday.sum;
    if all.len() < 7 * 24 {
        return None;
    }
    all.sort_by(f64::total_cmp);
    let floor = all.get(floor_index(all.len())).copied()?;
    let share = |part: f64| if 0.0 < whole { part / whole } else { 0.0 };
    Some(BaseLoad {
        night_per_hour,
        weekend_per_hour: weekend.value(),
        workday_per_hour: workday.value(),
        floor_per_hour: floor,
        night_share: share(night.sum),
        weekend_share: share(weekend.sum),
        night_excess_ratio: usual.and_then(|(usual, of)| night_excess(hours, usual, of, zone, today)),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a small positive count"
)]
fn floor_index(count: usize) -> usize {
    (count as f64 * FLOOR_SHARE) as usize
}

fn night_excess(
    hours: &[UseHour],
    usual: &Usual,
    temperatures: &Temperatures,
    zone: Zone,
    today: NaiveDate,
) -> Option<f64> {
    let from = today.checked_sub_days(Days::new(NIGHTS))?;
    let (mut measured, mut expected, mut n) = (0.0, 0.0, 0.0);
    for hour in hours.iter().filter(|h| h.measured) {
        let (day, name) = hour.civil(zone);
        if day < from || today <= day || NIGHT_UNTIL_HOUR <= name {
            continue;
        }
        let Some(of) = temperatures.get(&day).and_then(|c| usual.of_hour(day, name, *c)) else { continue };
        measured += hour.energy;
        expected += of;
        n += 1.0;
    }
    let wanted = COVERED_MIN * (NIGHTS * u64::from(NIGHT_UNTIL_HOUR)) as f64;
    (wanted <= n && 0.0 < expected).then(|| measured / expected - 1.0)
}
