//! Heating degree days of any period, by any definition, from daily mean temperatures.
//!
//! Must never: give degree days without the definition they follow and the days they lack.

use chrono::{Datelike, Days, NaiveDate};
use model::{DailyTemperature, StationId};

pub mod daily;
pub mod definitions;
pub mod fill;
pub mod screen;
pub mod unusual;

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
    /// The least the same days may have had, in K·d: filled days are as much warmer as their doubt allows, and a day
    /// taken plainly from another station has none.
    pub least_kelvin_days: f64,
    /// The most the same days may have had, in K·d: filled days are as much colder, and a day taken plainly from
    /// another station is as cold as an unknown one.
    pub most_kelvin_days: f64,
    /// Degree days of a day as cold as an unknown one of the period may have been, in K·d: the coldest known, or
    /// colder still, three standard deviations below the mean of the known ones.
    pub cold_day_kelvin_days: f64,
    /// Days of the period that have a temperature, measured or filled.
    pub days: u32,
    /// Those of them that were filled from another station.
    pub filled_days: u32,
    /// Those of the filled ones that were taken plainly, because too few common days teach the difference.
    pub unadjusted_days: u32,
    pub missing_days: u32,
}

impl DegreeDays {
    /// Mean per day over the days that have a temperature; `None` when there is none.
    #[must_use]
    pub fn per_day(&self) -> Option<f64> {
        (0 < self.days).then(|| self.kelvin_days / f64::from(self.days))
    }

    /// Of the whole period, in K·d: missing days count at the mean of the others. `None` when there is no other.
    #[must_use]
    pub fn whole(&self) -> Option<f64> {
        Some(self.per_day()? * f64::from(self.days + self.missing_days))
    }

    /// The least the whole period may have had, in K·d: a missing day has none.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.least_kelvin_days
    }

    /// The most the whole period may have had, in K·d: a missing day is as cold as it may have been.
    #[must_use]
    pub fn most(&self) -> f64 {
        self.most_kelvin_days + f64::from(self.missing_days) * self.cold_day_kelvin_days
    }

    /// Share of the period's days whose temperature was measured or filled with a learned difference; 1 for an empty
    /// period. Days taken plainly from another station do not count: they help the best estimate, not the sufficiency.
    #[must_use]
    pub fn coverage_ratio(&self) -> f64 {
        self.share(self.days - self.unadjusted_days, 1.0)
    }

    /// Share of the period's days that were filled; 0 for an empty period.
    #[must_use]
    pub fn filled_ratio(&self) -> f64 {
        self.share(self.filled_days, 0.0)
    }

    fn share(&self, part: u32, of_nothing: f64) -> f64 {
        let all = self.days + self.missing_days;
        if all == 0 { of_nothing } else { f64::from(part) / f64::from(all) }
    }
}

/// Where a day's mean comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum DayOrigin {
    Measured,
    /// Another station's mean plus the learned difference, which may be off by this many kelvin.
    Adjusted {
        doubt_k: f64,
    },
    /// Another station's mean as it is.
    Unadjusted,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct DayMean {
    mean_c: f64,
    origin: DayOrigin,
}

/// Daily means of one station, by date; where a neighbour fills them, each filled day is marked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DailyMeans {
    first: NaiveDate,
    days: Vec<Option<DayMean>>,
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
        let end = usable().map(|t| t.date).max().map_or(first, |last| last + Days::new(1));
        let mut means = Self::empty(first, end);
        for t in usable() {
            if let Some(slot) = means.slot(t.date).filter(|slot| slot.is_none()) {
                *slot = Some(DayMean { mean_c: t.mean_c, origin: DayOrigin::Measured });
            }
        }
        means
    }

    /// Days from `first` to before `end`, all without a temperature.
    fn empty(first: NaiveDate, end: NaiveDate) -> Self {
        let days = usize::try_from((end - first).num_days()).unwrap_or(0);
        Self { first, days: vec![None; days] }
    }

    fn slot(&mut self, date: NaiveDate) -> Option<&mut Option<DayMean>> {
        let index = usize::try_from((date - self.first).num_days()).ok()?;
        self.days.get_mut(index)
    }

    fn get(&self, date: NaiveDate) -> Option<DayMean> {
        let index = usize::try_from((date - self.first).num_days()).ok()?;
        self.days.get(index).copied().flatten()
    }

    /// First day after the last.
    fn end(&self) -> NaiveDate {
        self.first + Days::new(self.days.len() as u64)
    }

    /// Days that have a temperature.
    #[must_use]
    pub fn known(&self) -> u32 {
        self.days.iter().flatten().count() as u32
    }

    /// Every date with a temperature, in order, with its mean in °C.
    pub fn dated(&self) -> impl Iterator<Item = (NaiveDate, f64)> + '_ {
        self.first.iter_days().zip(&self.days).filter_map(|(date, day)| Some((date, day.as_ref()?.mean_c)))
    }

    fn within(&self, from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = DayMean> + '_ {
        let index = |day: NaiveDate| {
            let offset = (day - self.first).num_days().clamp(0, self.days.len() as i64);
            usize::try_from(offset).unwrap_or(0)
        };
        let (begin, end) = (index(from), index(to));
        self.days.get(begin..end.max(begin)).unwrap_or_default().iter().flatten().copied()
    }

    /// Means from `from` to before `to`, days without one left out.
    pub fn means(&self, from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = f64> + '_ {
        self.within(from, to).map(|day| day.mean_c)
    }

    /// Heating degree days from `from` to before `to`.
    #[must_use]
    pub fn heating(&self, definition: DegreeDayDefinition, from: NaiveDate, to: NaiveDate) -> DegreeDays {
        self.heating_on(definition, from, to, |_| true)
    }

    /// The same over the days of the period that `counts` accepts, such as those of a heating season.
    #[must_use]
    pub fn heating_on(
        &self,
        definition: DegreeDayDefinition,
        from: NaiveDate,
        to: NaiveDate,
        counts: impl Fn(NaiveDate) -> bool,
    ) -> DegreeDays {
        let mut sum = DegreeDays {
            definition,
            kelvin_days: 0.0,
            least_kelvin_days: 0.0,
            most_kelvin_days: 0.0,
            cold_day_kelvin_days: 0.0,
            days: 0,
            filled_days: 0,
            unadjusted_days: 0,
            missing_days: 0,
        };
        // A period of more than 400 years is a mistake that must not cost time.
        let length = usize::try_from((to - from).num_days()).unwrap_or(0).min(150_000);
        let mut known = Known::default();
        for date in from.iter_days().take(length).filter(|date| counts(*date)) {
            match self.get(date) {
                Some(day) => {
                    sum.add(day);
                    known.add(day);
                }
                None => sum.missing_days += 1,
            }
        }
        sum.cold_day_kelvin_days = known.cold_day_c().map_or(0.0, |mean_c| definition.of_day(mean_c));
        sum.most_kelvin_days += f64::from(sum.unadjusted_days) * sum.cold_day_kelvin_days;
        sum
    }
}

impl DailyMeans {
    /// Every mean with the opposite sign: cooling degree days to a base are heating degree days of these to its
    /// opposite, with the same bounds.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        let turned = |day: &Option<DayMean>| day.map(|day| DayMean { mean_c: -day.mean_c, ..day });
        Self { first: self.first, days: self.days.iter().map(turned).collect() }
    }

    /// The days of some periods, those without a temperature of their own as cold as they may have been: a filled one by
    /// its doubt, an unknown one as [`DegreeDays::most`] takes it. Days outside the periods have none.
    #[must_use]
    pub fn coldest(&self, periods: impl IntoIterator<Item = (NaiveDate, NaiveDate)>) -> Self {
        let periods: Vec<(NaiveDate, NaiveDate)> = periods.into_iter().collect();
        let first = periods.iter().map(|p| p.0).min().unwrap_or(self.first);
        let end = periods.iter().map(|p| p.1).max().unwrap_or(first);
        // A period of more than 400 years is a mistake that must not cost memory.
        let mut out = Self::empty(first, end.min(first + Days::new(150_000)));
        for (from, to) in periods {
            let mut known = Known::default();
            self.within(from, to).for_each(|day| known.add(day));
            let cold_c = known.cold_day_c();
            let length = usize::try_from((to - from).num_days()).unwrap_or(0).min(150_000);
            for date in from.iter_days().take(length) {
                let mean_c = match self.get(date) {
                    Some(DayMean { mean_c, origin: DayOrigin::Measured }) => Some(mean_c),
                    Some(DayMean { mean_c, origin: DayOrigin::Adjusted { doubt_k } }) => {
                        Some(mean_c - doubt_k)
                    }
                    Some(DayMean { origin: DayOrigin::Unadjusted, .. }) | None => cold_c,
                };
                if let (Some(mean_c), Some(slot)) = (mean_c, out.slot(date)) {
                    *slot = Some(DayMean { mean_c, origin: DayOrigin::Measured });
                }
            }
        }
        out
    }
}

/// Standard deviations below the mean that an unknown day may have been: colder than 998 of 1000 days, were they
/// normally distributed.
const COLD_DAY_DEVIATIONS: f64 = 3.0;

/// How cold the days of a period are, as far as they are known.
#[derive(Debug, Default)]
struct Known {
    /// Measured or filled with a learned difference: those that the mean and the deviation are of.
    days: f64,
    sum_c: f64,
    squares: f64,
    /// Of every day, also those taken plainly from another station.
    coldest_c: Option<f64>,
}

impl Known {
    fn add(&mut self, day: DayMean) {
        let cold_c = match day.origin {
            DayOrigin::Measured => day.mean_c,
            DayOrigin::Adjusted { doubt_k } => day.mean_c - doubt_k,
            DayOrigin::Unadjusted => day.mean_c,
        };
        self.coldest_c = Some(self.coldest_c.map_or(cold_c, |coldest| coldest.min(cold_c)));
        if day.origin == DayOrigin::Unadjusted {
            return;
        }
        self.days += 1.0;
        self.sum_c += day.mean_c;
        self.squares += day.mean_c * day.mean_c;
    }

    /// How cold an unknown day of the period may have been; `None` when none is known.
    fn cold_day_c(&self) -> Option<f64> {
        let coldest_c = self.coldest_c?;
        let mean = self.sum_c / self.days.max(1.0);
        let variance = (self.squares / self.days.max(1.0) - mean * mean).max(0.0);
        let cold_c = mean - COLD_DAY_DEVIATIONS * variance.sqrt();
        Some(if 0.0 < self.days { coldest_c.min(cold_c) } else { coldest_c })
    }
}

impl DegreeDays {
    fn add(&mut self, day: DayMean) {
        let of = |mean_c| self.definition.of_day(mean_c);
        let own = of(day.mean_c);
        let (least, most) = match day.origin {
            DayOrigin::Measured => (own, own),
            DayOrigin::Adjusted { doubt_k } => (of(day.mean_c + doubt_k), of(day.mean_c - doubt_k)),
            // Counted at the end, when it is known how cold an unknown day may have been.
            DayOrigin::Unadjusted => (0.0, 0.0),
        };
        self.kelvin_days += own;
        self.least_kelvin_days += least;
        self.most_kelvin_days += most;
        self.days += 1;
        self.filled_days += u32::from(day.origin != DayOrigin::Measured);
        self.unadjusted_days += u32::from(day.origin == DayOrigin::Unadjusted);
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
            .map(|&(date, mean_c)| DailyTemperature::as_given(station.clone(), day(date), mean_c))
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
            DailyTemperature::as_given(StationId::new("a").unwrap(), day("2025-01-01"), 1.0),
            DailyTemperature::as_given(StationId::new("b").unwrap(), day("2025-01-02"), 2.0),
            DailyTemperature::as_given(StationId::new("a").unwrap(), day("2025-01-01"), 3.0),
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
