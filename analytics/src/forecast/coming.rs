//! The weather still to come, as each of the station's past years had it.
//!
//! Must never: use a temperature of the day of the forecast or later.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use model::{DailyTemperature, StationId};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{in_year, of_station};
use crate::degree_days::DailyMeans;
use crate::result::LegalDegreeDays;

/// Share of the days to come that a past year must know.
const KNOWN_MIN: f64 = 0.95;

/// For each past year, the forecast's year with its known days and that year's weather after them.
#[derive(Debug)]
pub(super) struct Coming {
    scenarios: BTreeMap<i32, DailyMeans>,
    is_legal: bool,
}

/// By how much the years of a place that nobody measured may differ from its legal degree days, in K: the law's are of
/// the decades before 1993, and of the municipality, not of the station.
const LEGAL_SHIFTS_K: [f64; 5] = [-2.0, -1.0, 0.0, 1.0, 2.0];
/// Half the difference between summer and winter in Italy, in K, and the day of the year on which it is hottest.
const AMPLITUDE_K: f64 = 10.0;
const HOTTEST: f64 = 203.0;
/// How far days lie around the season, in K: without them a year would lose its cold days.
const DAYS_K: f64 = 3.0;

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
            return Self { scenarios: BTreeMap::new(), is_legal: false };
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
        Self { scenarios, is_legal: false }
    }

    /// Years of a place of which only its legal degree days are known: a season and days around it, with a mean that
    /// gives those degree days, and years that are colder and warmer. Days of the year that are known stand.
    pub(super) fn legal(
        station: &StationId,
        history: &[DailyTemperature],
        on: NaiveDate,
        year: i32,
        legal: &LegalDegreeDays,
    ) -> Self {
        let known = history.iter().filter(|t| t.station == *station && t.date < on && t.date.year() == year);
        let known: Vec<DailyTemperature> = known.cloned().collect();
        let days = |of: i32| {
            let first = NaiveDate::from_ymd_opt(of, 1, 1).unwrap_or_default();
            first.iter_days().take_while(move |d| d.year() == of)
        };
        let degree_days = |mean_c: f64| -> f64 {
            let season = days(year).filter(|d| legal.rules.counts(*d));
            season.map(|d| (20.0 - legal_day(mean_c, d)).max(0.0)).sum()
        };
        // The colder the mean, the more degree days: halved until it is known to a thousandth of a kelvin.
        let wanted = f64::from(legal.place.degree_days);
        let (mut cold, mut warm) = (-30.0, 40.0);
        while 0.001 < warm - cold {
            let middle = 0.5 * (cold + warm);
            if wanted < degree_days(middle) { cold = middle } else { warm = middle }
        }
        let scenario = |shift_k: f64| {
            let coming = days(year).map(|d| of_station(station, d, legal_day(cold + shift_k, d)));
            let all: Vec<DailyTemperature> = known.iter().cloned().chain(coming).collect();
            DailyMeans::of(&all, station)
        };
        let scenarios = (0..).zip(LEGAL_SHIFTS_K.map(scenario)).collect();
        Self { scenarios, is_legal: true }
    }

    /// Whether no past year was known.
    pub(super) const fn is_legal(&self) -> bool {
        self.is_legal
    }

    pub(super) fn years(&self) -> Vec<i32> {
        self.scenarios.keys().copied().collect()
    }

    pub(super) fn scenarios(&self) -> impl Iterator<Item = (i32, &DailyMeans)> {
        self.scenarios.iter().map(|(year, weather)| (*year, weather))
    }
}

/// A day of a year that nobody measured, around a mean.
fn legal_day(mean_c: f64, date: NaiveDate) -> f64 {
    let day = f64::from(date.ordinal());
    let season = AMPLITUDE_K * ((day - HOTTEST) / 365.25 * std::f64::consts::TAU).cos();
    // Weeks and days that do not fall together: as cold as warm, the same in every scenario.
    let around = (day * 0.9).sin() + (day * 0.31).sin();
    mean_c + season + DAYS_K * around
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
