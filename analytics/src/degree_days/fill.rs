//! Days that a station lacks, filled from a named neighbour and marked.
//!
//! Must never: fill a day that was measured, fill from a filled day, or let a filled day pass for a measured one.
//!
//! Two stations differ by height and surroundings, and differently in winter and summer. The difference is learned from
//! the days that both have, by meteorological season, and added to the neighbour's mean. With fewer than
//! [`COMMON_DAYS_MIN`] common days in a season nothing is learned: the neighbour's mean stands as it is, counts as
//! missing wherever sufficiency is asked, and not at all in the conservative bound.

use chrono::{Datelike, NaiveDate};
use model::StationId;

use super::{DailyMeans, DayMean, DayOrigin};

/// Fewest days that both stations have in a season, over all years, for the difference to be learned.
pub const COMMON_DAYS_MIN: u32 = 30;

/// A filled day may be off by this many standard deviations of the difference: about 19 in 20 days are not.
const DOUBT_DEVIATIONS: f64 = 2.0;

/// A meteorological season of the northern half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Season {
    Winter,
    Spring,
    Summer,
    Autumn,
}

impl Season {
    pub const ALL: [Self; 4] = [Self::Winter, Self::Spring, Self::Summer, Self::Autumn];

    #[must_use]
    pub fn of(date: NaiveDate) -> Self {
        match date.month() {
            3..=5 => Self::Spring,
            6..=8 => Self::Summer,
            9..=11 => Self::Autumn,
            _ => Self::Winter,
        }
    }

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Winter => "winter",
            Self::Spring => "spring",
            Self::Summer => "summer",
            Self::Autumn => "autumn",
        }
    }
}

/// What the common days of a season teach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeasonDifference {
    pub season: Season,
    pub common_days: u32,
    /// Mean of own minus neighbour's daily means, in K; `None` with too few common days.
    pub offset_k: Option<f64>,
    /// Standard deviation of the differences around it, in K.
    pub deviation_k: f64,
}

/// What is known of a neighbour.
#[derive(Debug, Clone, PartialEq)]
pub struct Filling {
    pub neighbour: StationId,
    pub seasons: [SeasonDifference; 4],
}

impl Filling {
    /// Learns the differences from the days that both stations have.
    #[must_use]
    pub fn learn(own: &DailyMeans, neighbour: &DailyMeans, name: StationId) -> Self {
        let seasons = Season::ALL.map(|season| {
            let differences: Vec<f64> = own
                .dated()
                .filter(|(date, _)| Season::of(*date) == season)
                .filter_map(|(date, mean_c)| Some(mean_c - neighbour.get(date)?.mean_c))
                .collect();
            difference(season, &differences)
        });
        Self { neighbour: name, seasons }
    }

    fn of(&self, date: NaiveDate) -> &SeasonDifference {
        let [winter, spring, summer, autumn] = &self.seasons;
        match Season::of(date) {
            Season::Winter => winter,
            Season::Spring => spring,
            Season::Summer => summer,
            Season::Autumn => autumn,
        }
    }
}

fn difference(season: Season, differences: &[f64]) -> SeasonDifference {
    let n = differences.len() as f64;
    let common_days = u32::try_from(differences.len()).unwrap_or(u32::MAX);
    if common_days < COMMON_DAYS_MIN {
        return SeasonDifference { season, common_days, offset_k: None, deviation_k: 0.0 };
    }
    let mean = differences.iter().sum::<f64>() / n;
    let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
    SeasonDifference { season, common_days, offset_k: Some(mean), deviation_k: (squares / (n - 1.0)).sqrt() }
}

impl DailyMeans {
    /// The same days, and those of the neighbour where this station has none.
    #[must_use]
    pub fn filled_from(&self, neighbour: &Self, filling: &Filling) -> Self {
        if neighbour.days.is_empty() {
            return self.clone();
        }
        let (mut first, mut end) = (neighbour.first, neighbour.end());
        if !self.days.is_empty() {
            (first, end) = (first.min(self.first), end.max(self.end()));
        }
        let mut all = Self::empty(first, end);
        for (date, slot) in first.iter_days().zip(all.days.iter_mut()) {
            *slot = self.get(date).or_else(|| Some(fill(neighbour.get(date)?, filling.of(date))));
        }
        all
    }
}

fn fill(neighbour: DayMean, difference: &SeasonDifference) -> DayMean {
    match difference.offset_k {
        Some(offset_k) => DayMean {
            mean_c: neighbour.mean_c + offset_k,
            origin: DayOrigin::Adjusted { doubt_k: DOUBT_DEVIATIONS * difference.deviation_k },
        },
        None => DayMean { mean_c: neighbour.mean_c, origin: DayOrigin::Unadjusted },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::degree_days::DegreeDayDefinition;
    use model::DailyTemperature;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn station(name: &str) -> StationId {
        StationId::new(name).unwrap()
    }

    fn means(days: &[(NaiveDate, f64)]) -> DailyMeans {
        let list: Vec<_> = days
            .iter()
            .map(|&(date, mean_c)| DailyTemperature::as_given(station("s"), date, mean_c))
            .collect();
        DailyMeans::of(&list, &station("s"))
    }

    fn run(from: &str, days: usize, mean_c: impl Fn(usize) -> f64) -> Vec<(NaiveDate, f64)> {
        day(from).iter_days().take(days).enumerate().map(|(i, date)| (date, mean_c(i))).collect()
    }

    #[test]
    fn a_learned_difference_fills_and_marks() {
        // The neighbour is 2 K warmer in winter, alternating by ±0.5 K; one day of January is missing here.
        let mut own = run("2025-01-01", 59, |i| 2.0 + (i % 5) as f64);
        let near =
            means(&run("2025-01-01", 59, |i| 4.0 + (i % 5) as f64 + if i % 2 == 0 { 0.5 } else { -0.5 }));
        own.remove(10);
        let own = means(&own);
        let filling = Filling::learn(&own, &near, station("near"));
        let winter = filling.seasons[0];
        assert_eq!(winter.common_days, 58);
        assert!((winter.offset_k.unwrap() + 2.0).abs() < 0.02, "{winter:?}");
        assert!((0.45..0.55).contains(&winter.deviation_k), "{winter:?}");
        assert_eq!(filling.seasons[2], difference(Season::Summer, &[]));
        let filled = own.filled_from(&near, &filling);
        let base = DegreeDayDefinition::to_base(15.0);
        let dd = filled.heating(base, day("2025-01-01"), day("2025-02-01"));
        assert_eq!((dd.days, dd.filled_days, dd.unadjusted_days, dd.missing_days), (31, 1, 0, 0));
        assert_eq!((dd.coverage_ratio(), dd.filled_ratio()), (1.0, 1.0 / 31.0));
        let bare = own.heating(base, day("2025-01-01"), day("2025-02-01"));
        let day_of_it = dd.kelvin_days - bare.kelvin_days;
        assert!((day_of_it - 12.5).abs() < 0.6, "{day_of_it}");
        assert!((dd.kelvin_days - dd.least() - 2.0 * winter.deviation_k).abs() < 1e-9);
        assert!((dd.most() - dd.kelvin_days - 2.0 * winter.deviation_k).abs() < 1e-9);
    }

    #[test]
    fn with_29_common_days_the_plain_value_stands_and_suffices_for_nothing() {
        for (common, adjusted) in [(29, false), (30, true)] {
            let own = means(&run("2025-01-01", common, |_| 1.0));
            let near = means(&run("2025-01-01", common + 1, |_| 4.0));
            let filled = own.filled_from(&near, &Filling::learn(&own, &near, station("near")));
            let last = day("2025-01-01") + chrono::Days::new(common as u64);
            let dd = filled.heating(DegreeDayDefinition::to_base(15.0), last, last.succ_opt().unwrap());
            let wanted = if adjusted { (14.0, 14.0, 14.0, 1.0) } else { (11.0, 0.0, 11.0, 0.0) };
            assert_eq!((dd.kelvin_days, dd.least(), dd.most(), dd.coverage_ratio()), wanted);
        }
    }

    #[test]
    fn a_plainly_filled_or_missing_day_may_have_been_as_cold_as_the_coldest() {
        let own = means(&run("2025-01-01", 3, |_| -5.0));
        let near = means(&run("2025-01-04", 1, |_| 10.0));
        let filled = own.filled_from(&near, &Filling::learn(&own, &near, station("near")));
        let dd = filled.heating(DegreeDayDefinition::to_base(15.0), day("2025-01-01"), day("2025-01-06"));
        assert_eq!((dd.days, dd.unadjusted_days, dd.missing_days), (4, 1, 1));
        assert_eq!((dd.kelvin_days, dd.least(), dd.most()), (65.0, 60.0, 100.0));
        assert_eq!(dd.coverage_ratio(), 0.6);
        // Known days of 0, 4 and 8 °C: an unknown one may have been three deviations below their mean.
        let scattered = means(&run("2025-01-01", 3, |i| 4.0 * i as f64));
        let dd = scattered.heating(DegreeDayDefinition::to_base(15.0), day("2025-01-01"), day("2025-01-05"));
        let cold_c = 4.0 - 3.0 * (32.0_f64 / 3.0).sqrt();
        assert!((dd.cold_day_kelvin_days - (15.0 - cold_c)).abs() < 1e-9);
    }

    #[test]
    fn a_station_without_days_is_all_neighbour_and_a_neighbour_without_days_changes_nothing() {
        let (none, near) = (means(&[]), means(&run("2025-07-01", 2, |_| 20.0)));
        let all = none.filled_from(&near, &Filling::learn(&none, &near, station("near")));
        assert_eq!(all.known(), 2);
        assert_eq!(near.filled_from(&none, &Filling::learn(&near, &none, station("none"))), near);
    }

    proptest! {
        /// Filling keeps what was measured, and the bounds hold what is between them.
        #[test]
        fn measured_days_stay_and_bounds_bound(
            own in proptest::collection::vec(proptest::option::weighted(0.8, -15.0..35.0_f64), 120),
            near in proptest::collection::vec(proptest::option::weighted(0.8, -15.0..35.0_f64), 120),
            base in 5.0..25.0_f64,
        ) {
            let dated = |list: &[Option<f64>]| -> Vec<(NaiveDate, f64)> {
                let days = day("2025-01-01").iter_days().zip(list);
                days.filter_map(|(date, mean)| Some((date, (*mean)?))).collect()
            };
            let (own, near) = (means(&dated(&own)), means(&dated(&near)));
            let filled = own.filled_from(&near, &Filling::learn(&own, &near, station("near")));
            for (date, mean_c) in own.dated() {
                prop_assert_eq!(filled.get(date), Some(DayMean { mean_c, origin: DayOrigin::Measured }));
            }
            let (from, to) = (day("2025-01-01"), day("2025-05-01"));
            let dd = filled.heating(DegreeDayDefinition::to_base(base), from, to);
            prop_assert!(dd.least() <= dd.kelvin_days + 1e-9 && dd.kelvin_days <= dd.most() + 1e-9);
            prop_assert_eq!(dd.days + dd.missing_days, 120);
            prop_assert_eq!(dd.days - dd.filled_days, own.known());
            // A higher base never has fewer degree days, nor narrower doubt of missing days.
            let higher = filled.heating(DegreeDayDefinition::to_base(base + 1.0), from, to);
            prop_assert!(dd.kelvin_days <= higher.kelvin_days && dd.least() <= higher.least());
            prop_assert!(dd.most() <= higher.most() + 1e-9);
        }
    }
}
