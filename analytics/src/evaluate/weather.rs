//! The temperatures behind a year: screened, filled where a neighbour is named, counted, held against other years, and set
//! beside the legal degree days.
//!
//! Must never: let a filled, missing or doubted day go unsaid, or a month whose weather nobody bears out count in full.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use model::{Finding, MeanDefinition, Month, Severity, TemperatureSource};

use super::meter::Row;
use super::{COVERAGE_MIN, YearInput};
use crate::baseline::Fitted;
use crate::degree_days::fill::Filling;
use crate::degree_days::screen;
use crate::degree_days::unusual::{Spell, Unusual};
use crate::degree_days::{DailyMeans, DegreeDayDefinition, DegreeDays};
use crate::normalise::{Adjusted, adjust};
use crate::places::{Place, ZoneRules};
use crate::result::{LegalDegreeDays, WeatherPeriod, YearWeather};

/// The station's days that can be believed, filled from the neighbour where one is named, with what is to be said of the
/// others.
pub(super) fn temperatures(input: &YearInput<'_>) -> (DailyMeans, Option<Filling>, Vec<Finding>) {
    let given = DailyMeans::of(input.temperatures, &input.project.station);
    let about = format!("project:{} {}", input.project.id, input.year);
    let own = given.screened();
    let dates = &input.project.dates;
    let mut findings = own.findings(&about, &[(dates.baseline_from, dates.baseline_to), year_bounds(input)]);
    findings.extend(screen::unit(&given, &about));
    let Some((name, temperatures)) = &input.neighbour else { return (own.means, None, findings) };
    let neighbour = DailyMeans::of(temperatures, name).screened().means;
    let filling = Filling::learn(&own.means, &neighbour, name.clone());
    (own.means.filled_from(&neighbour, &filling), Some(filling), findings)
}

/// What of a station's reporting years neither the baseline nor its other years bear out, year by year.
#[derive(Debug, Clone, Default)]
pub(super) struct Usual {
    years: BTreeMap<i32, Unusual>,
    year: i32,
}

impl Usual {
    /// Of every year since completion up to the input's, each as its own figures see it.
    pub(super) fn of(input: &YearInput<'_>, temperatures: &DailyMeans) -> Self {
        let dates = &input.project.dates;
        let begin = Month::of(dates.completed).next();
        let end = Month::of(input.until).first_day();
        let unusual = |year: i32| {
            let first = begin.first_day().max(NaiveDate::from_ymd_opt(year, 1, 1)?);
            let last = end.min(NaiveDate::from_ymd_opt(year + 1, 1, 1)?);
            let of = temperatures.unusual((dates.baseline_from, dates.baseline_to), (first, last));
            of.at_usual.is_some().then_some((year, of))
        };
        let years = (begin.year..=input.year).take(40).filter_map(unusual).collect();
        Self { years, year: input.year }
    }

    /// What the month may have asked for, its weather as usual included.
    pub(super) fn bound(&self, of: Adjusted, law: &Fitted, from: NaiveDate, to: NaiveDate) -> Adjusted {
        let usual = self.years.get(&from.year()).and_then(|unusual| unusual.at_usual.as_ref());
        let usual = usual.and_then(|means| adjust(law, means, from, to));
        usual.map_or(of, |usual| of.no_more_sure_than(&usual))
    }

    /// What is to be said of it where it lowers the bound of a month.
    pub(super) fn findings(&self, rows: &[Row], about: &str) -> Vec<Finding> {
        let lowers = |spell: &&Spell| {
            rows.iter().any(|row| {
                let month = row.shown.month;
                let inside = spell.from < month.end_day() && month.first_day() < spell.to;
                inside && row.adjusted.is_some_and(|of| of.is_doubtful())
            })
        };
        let spells = self.years.get(&self.year).map_or(&[][..], |unusual| unusual.spells.as_slice());
        spells.iter().filter(lowers).map(|spell| spell.finding(about)).collect()
    }
}

/// Days of a reporting month without a temperature, and those taken plainly from another station.
pub(super) fn findings(row: &Row, about: &str) -> Vec<Finding> {
    let month = row.shown.month;
    let missing = month.days() - row.shown.temperature_days;
    let unadjusted = row.shown.unadjusted_days;
    if row.adjusted.is_some_and(|a| !a.is_doubtful()) {
        return Vec::new();
    }
    let (severity, then) = match row.adjusted {
        Some(_) => (Severity::Caution, "and not at all in the lower bound"),
        None => (Severity::Blocks, "and too few of the others are known: the month is withheld"),
    };
    let rule = "CalTRACK 2.0 §2.2.3.2 and §3.5: temperatures for 90 % of a period";
    let finding = |code, days: u32, says: String| {
        let finding = Finding::new(code, severity, about, says, rule).with("days", days).with("month", month);
        (0 < days).then_some(finding)
    };
    let of_missing = format!(
        "{missing} days of the month have no outdoor temperature; they count at the mean of the others, {then}"
    );
    let of_unadjusted = format!(
        "{unadjusted} days of the month stand at another station's temperature as it is, because too few common \
         days teach the difference; they count at its value, {then}"
    );
    [
        finding("weather.missing", missing, of_missing),
        finding("weather.filled.unadjusted", unadjusted, of_unadjusted),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the temperatures rest on, and the findings with the one that says how many were filled.
pub(super) fn sum_up(
    input: &YearInput<'_>,
    temperatures: &DailyMeans,
    filling: Option<Filling>,
    mut findings: Vec<Finding>,
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
    findings.extend(filled(input, &periods, filling.as_ref()));
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
