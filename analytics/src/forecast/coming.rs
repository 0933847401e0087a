//! The weather still to come, as each of the station's past years had it.
//!
//! Must never: use a temperature of the day of the forecast or later.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use model::{DailyTemperature, StationId};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{in_year, of_station};
use crate::degree_days::DailyMeans;

/// Share of the days to come that a past year must know.
const KNOWN_MIN: f64 = 0.95;

/// For each past year, the forecast's year with its known days and that year's weather after them.
#[derive(Debug)]
pub(super) struct Coming {
    scenarios: BTreeMap<i32, DailyMeans>,
}

impl Coming {
    /// From all temperatures of the station before `on`; at most `years_max` years, the latest.
    pub(super) fn new(
        station: &StationId,
        history: &[DailyTemperature],
        on: NaiveDate,
        year: i32,
        years_max: usize,
    ) -> Self {
        let known: BTreeMap<NaiveDate, f64> = history
            .iter()
            .filter(|t| t.station == *station && t.date < on)
            .map(|t| (t.date, t.mean_c))
            .collect();
        let (Some(begin), Some(end)) =
            (NaiveDate::from_ymd_opt(year, 1, 1), NaiveDate::from_ymd_opt(year + 1, 1, 1))
        else {
            return Self { scenarios: BTreeMap::new() };
        };
        let past: Vec<DailyTemperature> = known
            .range(begin..on.clamp(begin, end))
            .map(|(date, mean_c)| of_station(station, *date, *mean_c))
            .collect();
        let first = known.keys().next().map_or(year, |d| d.year());
        let mut scenarios = BTreeMap::new();
        for other in (first..year).rev() {
            if years_max <= scenarios.len() {
                break;
            }
            if let Some(coming) = of_year(station, &known, on.clamp(begin, end), end, other) {
                let all: Vec<DailyTemperature> = past.iter().cloned().chain(coming).collect();
                scenarios.insert(other, DailyMeans::of(&all, station));
            }
        }
        Self { scenarios }
    }

    pub(super) fn years(&self) -> Vec<i32> {
        self.scenarios.keys().copied().collect()
    }

    pub(super) fn scenarios(&self) -> impl Iterator<Item = (i32, &DailyMeans)> {
        self.scenarios.iter().map(|(year, weather)| (*year, weather))
    }
}

/// The days from `on` to the year's end with the temperatures of another year; `None` when it knows too few of them.
fn of_year(
    station: &StationId,
    known: &BTreeMap<NaiveDate, f64>,
    on: NaiveDate,
    end: NaiveDate,
    other: i32,
) -> Option<Vec<DailyTemperature>> {
    let days = (end - on).num_days();
    let coming: Vec<DailyTemperature> = on
        .iter_days()
        .take_while(|day| *day < end)
        .filter_map(|day| Some(of_station(station, day, *known.get(&in_year(day, other)?)?)))
        .collect();
    (KNOWN_MIN * days as f64 <= coming.len() as f64).then_some(coming)
}

/// Student's t, 90 % two-sided; infinite without freedom.
pub(super) fn student_90(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |t| t.inverse_cdf(0.95))
}
