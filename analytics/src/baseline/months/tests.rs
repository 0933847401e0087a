//! The variance of a year's sum against planted months whose noise is known.
//!
//! Must never: use random numbers that are not the same on every run.

use chrono::{Days, NaiveDate};
use model::{DailyTemperature, StationId};

use super::*;
use crate::baseline::FitPeriod;
use crate::degree_days::DailyMeans;
use crate::noise::noise;

/// Days of years without weather, each with what its month is off.
fn year(days: u64, off: impl Fn(u64) -> f64) -> Data {
    let station = StationId::new("s").unwrap();
    let first = NaiveDate::from_ymd_opt(2023, 1, 1).unwrap();
    let dates = || (0..days).map(|i| first + Days::new(i));
    let means: Vec<DailyTemperature> =
        dates().map(|date| DailyTemperature::as_given(station.clone(), date, 15.0)).collect();
    let rows: Vec<FitPeriod> = dates()
        .map(|from| {
            let month = u64::from(from.month0()) + 12 * u64::from(from.year().unsigned_abs() - 2023);
            let energy = 10.0 + off(month);
            FitPeriod { from, to: from + Days::new(1), energy, coverage_ratio: 1.0 }
        })
        .collect();
    Data::of(&rows, &DailyMeans::of(&means, &station))
}

/// What is told of a year by its mean, the only law there is.
fn of_mean(data: &Data) -> Option<Told> {
    let mut leverage = Leverage::default();
    leverage.0[0][0] = 1.0 / data.days();
    told(data, &Model::flat(data.energy() / data.days()), leverage)
}

/// Mean over 400 years of the variance that is told, over that of the noise that was planted: each month keeps so much
/// of the one before.
fn told_over_planted(keeps: f64) -> f64 {
    let (mut of_told, mut squares) = (0.0, 0.0);
    for seed in 0..400 {
        let mut months = [0.0; 12];
        let mut last = noise(seed * 61);
        for (i, month) in (0..).zip(&mut months) {
            last = keeps * last + (1.0 - keeps * keeps).sqrt() * noise(seed * 61 + 1 + i);
            *month = last;
        }
        let data = year(365, |month| months[month as usize]);
        of_told += of_mean(&data).unwrap().variance;
        squares += (data.energy() - 3650.0).powi(2);
    }
    of_told / squares
}

#[test]
fn a_year_of_months_is_told_no_more_surely_than_it_was_planted() {
    for (keeps, most) in [(0.0, 3.5), (0.3, 2.5), (0.5, 2.0)] {
        let ratio = told_over_planted(keeps);
        assert!((0.9..most).contains(&ratio), "{keeps}: {ratio}");
    }
}

#[test]
fn months_that_follow_each_other_scatter_more_in_sum_than_those_that_alternate() {
    let follows = of_mean(&year(365, |month| if month < 6 { 1.0 } else { -1.0 })).unwrap();
    let alternates = of_mean(&year(365, |month| if month % 2 == 0 { 1.0 } else { -1.0 })).unwrap();
    assert!(2.0 * alternates.variance < follows.variance, "{follows:?} {alternates:?}");
    // Of months that follow each other fewer are free.
    assert!(follows.freedom < alternates.freedom, "{follows:?} {alternates:?}");
    assert!(alternates.freedom < 12.0);
}

#[test]
fn few_months_or_none_off_tell_nothing() {
    let off = |month| if month == 1 { 1.0 } else { 0.0 };
    assert_eq!(of_mean(&year(90, off)), None, "three months");
    assert!(of_mean(&year(120, off)).is_some(), "four");
    assert_eq!(of_mean(&year(365, |_| 0.0)), None, "nothing is off");
}
