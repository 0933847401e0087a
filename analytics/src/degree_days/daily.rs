//! Daily means from hourly values or from the readings of an outdoor sensor.
//!
//! Must never: make a mean of a day of which too many hours are unknown, or of a sensor that repeats an old value.
//!
//! First the mean of every hour of the civil day, then the mean of those: an hour in which a device sent sixty values
//! weighs no more than one in which it sent one. A day of 23 or 25 hours needs its share of them.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use model::time::day_start;
use model::{Instant, Zone};

/// Coldest and warmest outdoor air that is believed, in °C: wider than any Italian record. Sun on a sensor, the 85 °C
/// of a sensor that was just switched on and the -127 °C of one that is torn off lie outside.
pub const PLAUSIBLE_C: std::ops::RangeInclusive<f64> = -40.0..=50.0;

/// Hours of a day of 24 that must be known: nine tenths, as of every other period, rounded up.
pub const HOURS_MIN: u32 = 22;

const HOUR_MILLIS: i64 = 3_600_000;

/// Why a day has no mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMean {
    /// Too many hours without a plausible value.
    Hours { known: u32, wanted: u32 },
    /// Every hour has the same mean to the last digit: the sensor repeats an old value.
    Still,
}

/// Sum and number of the values of one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Hour {
    sum_c: f64,
    values: u32,
}

/// Collects values by civil day and hour.
#[derive(Debug, Clone)]
pub struct HourlyMeans {
    zone: Zone,
    hours_min: u32,
    days: BTreeMap<NaiveDate, Vec<Hour>>,
    /// The day of the last value with its first instant and the next day's: values come in order of time as a rule.
    last: Option<(NaiveDate, i64, i64)>,
}

impl HourlyMeans {
    /// For civil days of `zone` of which at least `hours_min` of 24 hours are known.
    #[must_use]
    pub fn new(zone: Zone, hours_min: u32) -> Self {
        Self { zone, hours_min: hours_min.clamp(1, 24), days: BTreeMap::new(), last: None }
    }

    /// Takes a value in °C; one that is not plausible is left out.
    pub fn push(&mut self, at: Instant, value_c: f64) {
        if !PLAUSIBLE_C.contains(&value_c) {
            return;
        }
        let (day, start, end) = match self.last {
            Some(last) if last.1 <= at.millis() && at.millis() < last.2 => last,
            _ => self.bounds(at),
        };
        self.last = Some((day, start, end));
        // A day lasts 23 to 25 hours; a zone's odd quarter of an hour makes its last slot a short one.
        let slots = usize::try_from((end - start + HOUR_MILLIS - 1) / HOUR_MILLIS).unwrap_or(0);
        let slot = usize::try_from((at.millis() - start) / HOUR_MILLIS).unwrap_or(usize::MAX);
        let hours = self.days.entry(day).or_insert_with(|| vec![Hour::default(); slots]);
        if let Some(hour) = hours.get_mut(slot) {
            hour.sum_c += value_c;
            hour.values = hour.values.saturating_add(1);
        }
    }

    fn bounds(&self, at: Instant) -> (NaiveDate, i64, i64) {
        let day = at.day(self.zone);
        let next = day.succ_opt().unwrap_or(day);
        (day, day_start(day, self.zone).millis(), day_start(next, self.zone).millis())
    }

    /// Every day with a plausible value, in order: its mean in °C, or why it has none.
    pub fn days(&self) -> impl Iterator<Item = (NaiveDate, Result<f64, NoMean>)> + '_ {
        self.days.iter().map(|(day, hours)| (*day, mean(hours, self.hours_min)))
    }
}

fn mean(hours: &[Hour], hours_min: u32) -> Result<f64, NoMean> {
    let means: Vec<f64> =
        hours.iter().filter(|h| 0 < h.values).map(|h| h.sum_c / f64::from(h.values)).collect();
    let all = u32::try_from(hours.len()).unwrap_or(u32::MAX);
    let known = u32::try_from(means.len()).unwrap_or(0);
    let wanted = (hours_min * all).div_ceil(24);
    if known < wanted {
        return Err(NoMean::Hours { known, wanted });
    }
    if 1 < known && means.windows(2).all(|pair| pair[0] == pair[1]) {
        return Err(NoMean::Still);
    }
    Ok(means.iter().sum::<f64>() / f64::from(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROME: Zone = Zone::Europe__Rome;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// A value in the middle of each hour of a day that `value` gives one for, by number of the hour.
    fn of_hours(date: &str, hours_min: u32, value: impl Fn(i64) -> Option<f64>) -> Vec<Result<f64, NoMean>> {
        let start = day_start(day(date), ROME);
        let end = day_start(day(date).succ_opt().unwrap(), ROME);
        let mut means = HourlyMeans::new(ROME, hours_min);
        for hour in 0..(end.millis() - start.millis()) / HOUR_MILLIS {
            if let Some(value) = value(hour) {
                means.push(start.plus_seconds(hour * 3600 + 1800), value);
            }
        }
        means.days().map(|(_, mean)| mean).collect()
    }

    #[test]
    fn days_of_23_and_25_hours_need_their_share() {
        for (date, hours, wanted) in [("2025-03-30", 23, 22), ("2025-06-01", 24, 22), ("2025-10-26", 25, 23)]
        {
            let with = |known: i64| of_hours(date, 22, |h| (h < known).then_some(h as f64));
            assert_eq!(with(hours), [Ok((hours - 1) as f64 / 2.0)], "{date}");
            assert_eq!(with(wanted), [Ok((wanted - 1) as f64 / 2.0)], "{date}");
            let short = u32::try_from(wanted).unwrap();
            assert_eq!(with(wanted - 1), [Err(NoMean::Hours { known: short - 1, wanted: short })], "{date}");
        }
    }

    #[test]
    fn hours_weigh_alike_however_many_values_they_have() {
        let start = day_start(day("2025-01-15"), ROME);
        let mut means = HourlyMeans::new(ROME, HOURS_MIN);
        for minute in 0..24 * 60 {
            // The first twelve hours at 0 °C every minute, the others at 10 °C once.
            if minute < 720 {
                means.push(start.plus_seconds(minute * 60), 0.0);
            } else if minute % 60 == 0 {
                means.push(start.plus_seconds(minute * 60), 10.0);
            }
        }
        assert_eq!(means.days().collect::<Vec<_>>(), [(day("2025-01-15"), Ok(5.0))]);
    }

    #[test]
    fn implausible_values_do_not_count_and_a_still_sensor_has_no_mean() {
        let sun = |h: i64| Some(if (10..14).contains(&h) { 51.0 } else { h as f64 });
        assert_eq!(of_hours("2025-07-01", 22, sun), [Err(NoMean::Hours { known: 20, wanted: 22 })]);
        assert!(of_hours("2025-07-01", 20, sun)[0].is_ok());
        assert!(of_hours("2025-07-01", 22, |_| Some(85.0)).is_empty());
        assert!(of_hours("2025-07-01", 22, |_| Some(f64::NAN)).is_empty());
        assert_eq!(of_hours("2025-01-01", 22, |_| Some(0.0)), [Err(NoMean::Still)]);
    }

    #[test]
    fn midnight_belongs_to_the_day_it_begins() {
        let mut means = HourlyMeans::new(ROME, 1);
        let midnight = day_start(day("2025-01-02"), ROME);
        means.push(midnight.plus_millis(-1), 1.0);
        means.push(midnight, 2.0);
        means.push(midnight.plus_millis(-2), 3.0);
        let all: Vec<_> = means.days().collect();
        assert_eq!(all, [(day("2025-01-01"), Ok(2.0)), (day("2025-01-02"), Ok(2.0))]);
    }

    proptest! {
        /// The mean lies between the lowest and highest value, whatever hours are missing; and a day with more hours
        /// known never loses its mean.
        #[test]
        fn a_mean_is_between_its_values(
            values in proptest::collection::vec(proptest::option::weighted(0.9, -30.0..40.0_f64), 24),
        ) {
            let of = |list: &[Option<f64>]| of_hours("2025-02-03", HOURS_MIN, |h| list[h as usize]);
            let known: Vec<f64> = values.iter().flatten().copied().collect();
            let (low, high) = known.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
            match of(&values).first() {
                Some(Ok(mean)) => {
                    prop_assert!(HOURS_MIN as usize <= known.len());
                    prop_assert!(low - 1e-9 <= *mean && *mean <= high + 1e-9);
                    // One missing hour, given back as any plausible value, keeps the mean within reach of it.
                    let full: Vec<_> = values.iter().map(|v| Some(v.unwrap_or(high))).collect();
                    let whole = *of(&full)[0].as_ref().unwrap();
                    prop_assert!((whole - mean).abs() <= (high - low) * 2.0 / 24.0 + 1e-9);
                }
                Some(Err(_)) | None => prop_assert!(known.len() < HOURS_MIN as usize),
            }
        }
    }
}
