//! The temperatures behind a year: filled where a neighbour is named, counted, and set beside the legal degree days.
//!
//! Must never: let a filled or missing day go unsaid.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use model::{Finding, MeanDefinition, Severity, TemperatureSource};

use super::{COVERAGE_MIN, YearInput};
use crate::degree_days::fill::Filling;
use crate::degree_days::{DailyMeans, DegreeDayDefinition, DegreeDays};
use crate::places::{Place, ZoneRules};
use crate::result::{LegalDegreeDays, WeatherPeriod, YearWeather};

/// The station's days, filled from the neighbour where one is named.
pub(super) fn temperatures(input: &YearInput<'_>) -> (DailyMeans, Option<Filling>) {
    let own = DailyMeans::of(input.temperatures, &input.project.station);
    let Some((name, temperatures)) = &input.neighbour else { return (own, None) };
    let neighbour = DailyMeans::of(temperatures, name);
    let filling = Filling::learn(&own, &neighbour, name.clone());
    (own.filled_from(&neighbour, &filling), Some(filling))
}

/// What the temperatures rest on, and the finding that says how many were filled.
pub(super) fn sum_up(
    input: &YearInput<'_>,
    temperatures: &DailyMeans,
    filling: Option<Filling>,
) -> (YearWeather, Vec<Finding>) {
    let dates = &input.project.dates;
    let year = year_bounds(input);
    let bounds = [(dates.baseline_from, dates.baseline_to), year];
    let periods: Vec<WeatherPeriod> =
        bounds.into_iter().map(|(from, to)| period(temperatures, from, to)).collect();
    let mut places: Vec<&(Place, ZoneRules)> = input
        .places
        .iter()
        .filter(|(place, _)| input.project.buildings.iter().any(|b| b.istat_code == place.istat))
        .collect();
    places.sort_by(|a, b| a.0.istat.cmp(&b.0.istat));
    places.dedup_by(|a, b| a.0.istat == b.0.istat);
    let legal = places.into_iter().map(|(place, rules)| {
        let of = |(from, to)| {
            let definition = DegreeDayDefinition::DPR_412_93;
            sufficient(temperatures.heating_on(definition, from, to, |date| rules.counts(date)))
        };
        LegalDegreeDays {
            place: place.clone(),
            rules: *rules,
            baseline: of((dates.baseline_from, dates.baseline_to)),
            year: of(year),
        }
    });
    let findings = filled(input, &periods, filling.as_ref()).into_iter().collect();
    let weather = YearWeather { made: made(input, &bounds), legal: legal.collect(), periods, filling };
    (weather, findings)
}

fn year_bounds(input: &YearInput<'_>) -> (NaiveDate, NaiveDate) {
    let first = |year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default();
    let from = first(input.year);
    (from, first(input.year + 1).min(input.until).max(from))
}

fn sufficient(of: DegreeDays) -> Option<f64> {
    of.whole().filter(|_| COVERAGE_MIN <= of.coverage_ratio())
}

fn period(temperatures: &DailyMeans, from: NaiveDate, to: NaiveDate) -> WeatherPeriod {
    let of = temperatures.heating(DegreeDayDefinition::DPR_412_93, from, to);
    WeatherPeriod {
        from,
        to,
        measured_days: of.days - of.filled_days,
        adjusted_days: of.filled_days - of.unadjusted_days,
        unadjusted_days: of.unadjusted_days,
        missing_days: of.missing_days,
    }
}

fn made(
    input: &YearInput<'_>,
    bounds: &[(NaiveDate, NaiveDate)],
) -> Vec<(MeanDefinition, TemperatureSource, u32)> {
    let mut count: BTreeMap<(MeanDefinition, TemperatureSource), u32> = BTreeMap::new();
    let used = input.temperatures.iter().filter(|t| {
        t.station == input.project.station && bounds.iter().any(|(from, to)| *from <= t.date && t.date < *to)
    });
    for t in used {
        *count.entry((t.definition, t.source)).or_default() += 1;
    }
    let mut made: Vec<_> = count.into_iter().map(|((how, by), days)| (how, by, days)).collect();
    made.sort_by_key(|(how, by, days)| (std::cmp::Reverse(*days), *how, *by));
    made
}

/// How many days were filled, from where. Those taken plainly have a finding of their own in every month they touch.
fn filled(input: &YearInput<'_>, periods: &[WeatherPeriod], filling: Option<&Filling>) -> Option<Finding> {
    let neighbour = &filling?.neighbour;
    let adjusted: u32 = periods.iter().map(|p| p.adjusted_days).sum();
    let unadjusted: u32 = periods.iter().map(|p| p.unadjusted_days).sum();
    let days = adjusted + unadjusted;
    let about = format!("project:{} {}", input.project.id, input.year);
    let says = format!(
        "{days} days of the baseline and the year have no temperature of station {}; {adjusted} were filled from \
         {neighbour} with the learned difference, {unadjusted} with its temperature as it is",
        input.project.station
    );
    let rule = "every filled day is visible; its doubt counts in the lower bound";
    (0 < days).then(|| {
        Finding::new("weather.filled", Severity::Note, about, says, rule)
            .with("days", days)
            .with("station", &input.project.station)
            .with("neighbour", neighbour)
            .with("adjusted_days", adjusted)
            .with("unadjusted_days", unadjusted)
    })
}
