//! Heating degree days of any period, by any definition, from daily mean temperatures.
//!
//! Must never: give degree days without the definition they follow and the days they lack.

use chrono::{Datelike, NaiveDate};
use model::{DailyTemperature, StationId};

/// Daily means outside this range are no outdoor temperatures of Europe, in °C; they count as missing.
const PLAUSIBLE_C: std::ops::RangeInclusive<f64> = -60.0..=60.0;

/// How heating degree days are counted: a day whose mean is at most the threshold counts base − mean, any
/// other day counts nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DegreeDayDefinition {
    pub base_c: f64,
    pub threshold_c: f64,
}

impl DegreeDayDefinition {
    /// Eurostat (dataset nrg_chdd): 18 °C where the daily mean is at most 15 °C.
    pub const EUROSTAT: Self = Self { base_c: 18.0, threshold_c: 15.0 };

    /// DPR 412/93 art. 1: positive differences to 20 °C. The conventional heating season is the caller's
    /// choice of period.
    pub const DPR_412_93: Self = Self { base_c: 20.0, threshold_c: 20.0 };

    /// Every day colder than the base counts, as in a variable-base model.
    #[must_use]
    pub const fn to_base(base_c: f64) -> Self {
        Self { base_c, threshold_c: base_c }
    }

    /// Kelvin days of one day.
    #[must_use]
    pub fn of_day(self, mean_c: f64) -> f64 {
        if mean_c <= self.threshold_c { (self.base_c - mean_c).max(0.0) } else { 0.0 }
    }
}

/// Degree days of a period, with what they are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DegreeDays {
    pub definition: DegreeDayDefinition,
    /// Sum over the days that have a temperature, in K·d.
    pub kelvin_days: f64,
    /// Days of the period that have a temperature.
    pub days: u32,
    pub missing_days: u32,
}

impl DegreeDays {
    /// Mean per day over the days that have a temperature; `None` when there is none.
    #[must_use]
    pub fn per_day(&self) -> Option<f64> {
        (0 < self.days).then(|| self.kelvin_days / f64::from(self.days))
    }

    /// Share of the period's days that have a temperature; 1 for an empty period.
    #[must_use]
    pub fn coverage_ratio(&self) -> f64 {
        let all = self.days + self.missing_days;
        if all == 0 { 1.0 } else { f64::from(self.days) / f64::from(all) }
    }
}

/// Daily means of one station, by date.
#[derive(Debug, Clone, PartialEq)]
pub struct DailyMeans {
    first: NaiveDate,
    /// NaN where a day has no temperature.
    means_c: Vec<f64>,
    known: u32,
}

impl DailyMeans {
    /// The temperatures of `station`; of two for the same day the first stands. Values that are not finite or not
    /// plausible are missing.
    #[must_use]
    pub fn of(temperatures: &[DailyTemperature], station: &StationId) -> Self {
        let usable = || {
            temperatures.iter().filter(|t| {
                t.station == *station
                    && PLAUSIBLE_C.contains(&t.mean_c)
                    && (1900..2200).contains(&t.date.year())
            })
        };
        let first = usable().map(|t| t.date).min().unwrap_or_default();
        let days = usable().map(|t| t.date).max().map_or(0, |last| (last - first).num_days() + 1);
        let mut means_c = vec![f64::NAN; usize::try_from(days).unwrap_or(0)];
        let mut known = 0;
        for t in usable() {
            let index = usize::try_from((t.date - first).num_days()).unwrap_or(usize::MAX);
            if let Some(slot) = means_c.get_mut(index).filter(|slot| slot.is_nan()) {
                *slot = t.mean_c;
                known += 1;
            }
        }
        Self { first, means_c, known }
    }

    /// Days that have a temperature.
    #[must_use]
    pub fn known(&self) -> u32 {
        self.known
    }

    /// Means from `from` to before `to`, days without one left out.
    pub fn means(&self, from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = f64> + '_ {
        let index = |day: NaiveDate| {
            let offset = (day - self.first).num_days().clamp(0, self.means_c.len() as i64);
            usize::try_from(offset).unwrap_or(0)
        };
        let (begin, end) = (index(from), index(to));
        self.means_c[begin..end.max(begin)].iter().copied().filter(|t| !t.is_nan())
    }

    /// Heating degree days from `from` to before `to`.
    #[must_use]
    pub fn heating(&self, definition: DegreeDayDefinition, from: NaiveDate, to: NaiveDate) -> DegreeDays {
        let (mut kelvin_days, mut days) = (0.0, 0);
        for mean in self.means(from, to) {
            kelvin_days += definition.of_day(mean);
            days += 1;
        }
        let all = u32::try_from((to - from).num_days()).unwrap_or(0);
        DegreeDays { definition, kelvin_days, days, missing_days: all.saturating_sub(days) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn means(list: &[(&str, f64)]) -> DailyMeans {
        let station = StationId::new("to").unwrap();
        let temperatures: Vec<_> = list
            .iter()
            .map(|&(date, mean_c)| DailyTemperature { station: station.clone(), date: day(date), mean_c })
            .collect();
        DailyMeans::of(&temperatures, &station)
    }

    #[test]
    fn definitions_follow_their_source() {
        // Eurostat's own examples: 12 °C counts 6, 16 °C counts nothing.
        assert_eq!(DegreeDayDefinition::EUROSTAT.of_day(12.0), 6.0);
        assert_eq!(DegreeDayDefinition::EUROSTAT.of_day(15.0), 3.0);
        assert_eq!(DegreeDayDefinition::EUROSTAT.of_day(16.0), 0.0);
        assert_eq!(DegreeDayDefinition::DPR_412_93.of_day(16.0), 4.0);
        assert_eq!(DegreeDayDefinition::DPR_412_93.of_day(21.0), 0.0);
        assert_eq!(DegreeDayDefinition::to_base(15.5).of_day(10.0), 5.5);
    }

    #[test]
    fn missing_days_are_counted_never_zero() {
        let m = means(&[
            ("2024-02-27", 5.0),
            ("2024-02-29", 10.0),
            ("2024-03-02", f64::NAN),
            ("2024-03-03", 900.0),
        ]);
        let dd = m.heating(DegreeDayDefinition::DPR_412_93, day("2024-02-27"), day("2024-03-04"));
        assert_eq!((dd.kelvin_days, dd.days, dd.missing_days), (25.0, 2, 4));
        assert_eq!(dd.per_day(), Some(12.5));
        let before = m.heating(DegreeDayDefinition::DPR_412_93, day("2023-01-01"), day("2023-01-11"));
        assert_eq!((before.days, before.missing_days, before.per_day()), (0, 10, None));
    }

    #[test]
    fn of_two_temperatures_the_first_stands_and_other_stations_do_not_count() {
        let mut list = vec![
            DailyTemperature { station: StationId::new("a").unwrap(), date: day("2025-01-01"), mean_c: 1.0 },
            DailyTemperature { station: StationId::new("b").unwrap(), date: day("2025-01-02"), mean_c: 2.0 },
            DailyTemperature { station: StationId::new("a").unwrap(), date: day("2025-01-01"), mean_c: 3.0 },
        ];
        let of = |list: &[DailyTemperature]| {
            DailyMeans::of(list, &StationId::new("a").unwrap())
                .means(day("2024-01-01"), day("2026-01-01"))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&list), [1.0]);
        list.clear();
        assert!(of(&list).is_empty());
    }
}
