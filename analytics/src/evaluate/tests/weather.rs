//! Missing and filled days: seen, bounded, and never a saving.
//!
//! Must never: compare with a figure that the code under test gave for the same data.

use chrono::Datelike;
use model::{MeanDefinition, TemperatureSource};

use super::*;
use crate::places::{ClimaticZone, HeatingSeason, MonthDay};

fn neighbour(offset_k: f64, days: impl Fn(NaiveDate) -> bool) -> (model::StationId, Vec<DailyTemperature>) {
    let name = model::StationId::new("vicina").unwrap();
    let days = temperatures().into_iter().filter(|t| days(t.date));
    let list = days.map(|t| DailyTemperature::as_given(name.clone(), t.date, t.mean_c + offset_k)).collect();
    (name, list)
}

fn achieved(year: &ProjectYear) -> f64 {
    result(year, "final").achieved.unwrap()
}

fn in_january(date: NaiveDate) -> bool {
    (day("2025-01-06")..day("2025-01-16")).contains(&date)
}

#[test]
fn a_filled_month_is_compared_and_every_filled_day_is_visible() {
    let whole = Case::gas(0.88).year();
    let mut case = Case::gas(0.88);
    case.temperatures.retain(|t| !in_january(t.date));
    assert_eq!(only(&case.year()).months[0].avoided, None, "ten days missing withhold January");
    case.neighbour = Some(neighbour(1.5, |_| true));
    let year = case.year();
    let january = &only(&year).months[0];
    assert_eq!((january.temperature_days, january.filled_days, january.unadjusted_days), (31, 10, 0));
    assert!(near(january.avoided.unwrap(), only(&whole).months[0].avoided.unwrap(), 1e-6));
    // The neighbour differs by exactly 1.5 K, so that nothing is in doubt.
    assert!(near(achieved(&year), achieved(&whole), 1e-9));
    let finding = year.findings.iter().find(|f| f.code == "weather.filled").unwrap();
    assert_eq!(finding.severity, Severity::Note);
    assert!(
        finding
            .says
            .starts_with("10 days of the baseline and the year have no temperature of station stazione")
    );
    assert_eq!(year.weather.periods[1].adjusted_days, 10);
    assert_eq!(year.weather.periods[0].measured_days, 365);
    let filling = year.weather.filling.as_ref().unwrap();
    assert!(near(filling.seasons[0].offset_k.unwrap(), -1.5, 1e-9));
    assert!(!codes(&year).contains(&"weather.filled.unadjusted"));
}

#[test]
fn a_neighbour_that_scatters_leaves_doubt_in_what_counts() {
    let whole = Case::gas(0.88).year();
    let mut case = Case::gas(0.88);
    case.temperatures.retain(|t| !in_january(t.date));
    let (name, mut list) = neighbour(0.0, |_| true);
    for (i, t) in list.iter_mut().enumerate() {
        t.mean_c += if i % 2 == 0 { 1.0 } else { -1.0 };
    }
    case.neighbour = Some((name, list));
    let year = case.year();
    let k = result(&year, "final");
    // Ten days, each 2 standard deviations of about 1 K, 4 Smc of 9.5 kWh per kelvin day.
    let doubt_mwh = 10.0 * 2.0 * 4.0 * 9.5 / 1000.0;
    assert!(near(k.best.unwrap() - k.achieved.unwrap(), doubt_mwh, 0.02), "{k:?}");
    assert!(k.achieved.unwrap() < achieved(&whole));
}

#[test]
fn a_plain_value_is_a_missing_day_wherever_it_would_help() {
    // The neighbour has only the missing days: nothing teaches the difference, and it is 8 K colder.
    let mut case = Case::gas(0.88);
    case.temperatures.retain(|t| !in_january(t.date));
    case.neighbour = Some(neighbour(-8.0, in_january));
    let year = case.year();
    assert_eq!(only(&year).months[0].avoided, None, "ten plain days do not suffice");
    let finding = year.findings.iter().find(|f| f.code == "weather.filled.unadjusted").unwrap();
    assert_eq!(finding.severity, Severity::Blocks);

    let three = |date| in_january(date) && date < day("2025-01-09");
    let mut case = Case::gas(0.88);
    case.temperatures.retain(|t| !three(t.date));
    let missing = case.year();
    case.neighbour = Some(neighbour(-8.0, three));
    let plain = case.year();
    assert_eq!(only(&plain).months[0].unadjusted_days, 3);
    let finding = plain.findings.iter().find(|f| f.code == "weather.filled.unadjusted").unwrap();
    assert_eq!(finding.severity, Severity::Caution);
    assert!(only(&missing).months[0].avoided < only(&plain).months[0].avoided, "the best estimate is colder");
    assert!(near(achieved(&missing), achieved(&plain), 1e-9), "what counts does not know of it");
    assert!(result(&plain, "final").because.contains(&"weather.filled.unadjusted".to_owned()));
}

#[test]
fn losing_the_coldest_days_of_the_baseline_does_not_make_a_saving() {
    let whole = Case::gas(0.88).year();
    let mut case = Case::gas(0.88);
    for month in Month::all_of(2023) {
        let mut days: Vec<NaiveDate> =
            month.first_day().iter_days().take_while(|d| *d < month.end_day()).collect();
        days.sort_by(|a, b| mean_c(*a).total_cmp(&mean_c(*b)));
        case.temperatures.retain(|t| !days[..3].contains(&t.date));
    }
    let year = case.year();
    assert!(codes(&year).contains(&"weather.prorated"), "{:?}", codes(&year));
    let best = |y: &ProjectYear| result(y, "final").best.unwrap();
    assert!(best(&whole) < best(&year), "the best estimate is flattered, which is why it does not count");
    assert!(achieved(&year) < achieved(&whole), "{} {}", achieved(&year), achieved(&whole));
    assert!(result(&year, "final").because.contains(&"weather.prorated".to_owned()));
}

#[test]
fn losing_any_day_of_the_year_never_raises_what_counts() {
    let whole = achieved(&Case::gas(0.88).year());
    for date in day("2025-01-01").iter_days().take(365).step_by(7) {
        let mut case = Case::gas(0.88);
        case.temperatures.retain(|t| t.date != date);
        let k = case.year();
        assert!(achieved(&k) <= whole + 1e-9, "{date}");
    }
}

#[test]
fn legal_degree_days_stand_beside_those_that_were() {
    let rules = ZoneRules {
        zone: ClimaticZone::E,
        above: Some(2100),
        up_to: Some(3000),
        season: Some(HeatingSeason {
            from: MonthDay { month: 10, day: 15 },
            to: MonthDay { month: 4, day: 15 },
            hours_per_day: 14,
        }),
    };
    let place = |istat: &str| Place {
        istat: istat.to_owned(),
        name: "Torino".to_owned(),
        zone: ClimaticZone::E,
        degree_days: 2617,
    };
    let mut case = Case::gas(0.88);
    case.places = vec![(place("015146"), rules), (place("001272"), rules), (place("001272"), rules)];
    let year = case.year();
    let [legal] = year.weather.legal.as_slice() else { panic!("{:?}", year.weather.legal) };
    let season = |d: &NaiveDate| *d <= day("2025-04-15") || day("2025-10-15") <= *d;
    let wanted: f64 =
        day("2025-01-01").iter_days().take(365).filter(season).map(|d| (20.0 - mean_c(d)).max(0.0)).sum();
    assert!(near(legal.year.unwrap(), wanted, 1e-6));
    assert!(legal.baseline.is_some());
    case.temperatures.retain(|t| t.date < day("2025-03-01"));
    assert_eq!(case.year().weather.legal[0].year, None);
    let made = &year.weather.made;
    assert_eq!(made.as_slice(), [(MeanDefinition::AsGiven, TemperatureSource::File, 730)]);
}

/// The planted year with what is done to the temperatures of 2025, and the same year untouched.
fn garbled(change: impl Fn(NaiveDate, f64) -> f64) -> (ProjectYear, ProjectYear) {
    let whole = Case::gas(0.88).year();
    let mut case = Case::gas(0.88);
    for t in case.temperatures.iter_mut().filter(|t| t.date.year() == 2025) {
        t.mean_c = change(t.date, t.mean_c);
    }
    (whole, case.year())
}

#[test]
fn a_sensor_that_stands_still_withholds_the_month() {
    for days in [15, 31] {
        let still = |d: NaiveDate, t: f64| if d.month() == 1 && d.day() <= days { -8.0 } else { t };
        let (whole, year) = garbled(still);
        assert!(!codes(&whole).contains(&"weather.frozen"), "{:?}", codes(&whole));
        let found = year.findings.iter().find(|f| f.code == "weather.frozen").unwrap();
        assert_eq!(found.values, [("days", days.to_string()), ("from", "2025-01-01".to_owned())]);
        assert_eq!(only(&year).months[0].avoided, None);
        assert!(codes(&year).contains(&"weather.missing"));
        assert_eq!(result(&year, "final").achieved, None);
    }
}

#[test]
fn a_garbled_day_is_one_without_a_temperature() {
    let (whole, year) = garbled(|d, t| if d == day("2025-02-11") { t - 25.0 } else { t });
    let found = year.findings.iter().find(|f| f.code == "weather.outlier").unwrap();
    assert_eq!(found.values, [("days", "1".to_owned()), ("from", "2025-02-11".to_owned())]);
    assert_eq!(only(&year).months[1].temperature_days, 27);
    assert!(achieved(&year) < achieved(&whole));
}

/// Colder than any other year of the station bears out: the bound takes the usual level, and the best estimate stays.
#[test]
fn weather_that_no_other_year_bears_out_saves_nothing() {
    let by = |k: f64| garbled(move |_, t| t - k);
    let (whole, year) = by(6.0);
    let best = |year: &ProjectYear| only(year).totals.avoided;
    assert!(1.3 * best(&whole) < best(&year), "{} {}", best(&whole), best(&year));
    let found = year.findings.iter().find(|f| f.code == "weather.unusual").unwrap();
    assert_eq!((found.severity, found.subject.as_str()), (Severity::Caution, "meter:gas 2025"));
    // What counts is as at the level of the station's other years, which the planted climate leaves by a kelvin.
    let (of_year, usual) = (achieved(&year), achieved(&whole));
    assert!(of_year < usual + 0.4 * (best(&year) - best(&whole)) / 1000.0 * 9.5, "{of_year} {usual}");
    assert!(result(&year, "final").because.contains(&"weather.unusual".to_owned()));
    // A true year that is a little colder or warmer is none.
    for k in [-1.5, 1.0] {
        let (_, year) = by(k);
        assert!(!codes(&year).contains(&"weather.unusual"), "{k}: {:?}", codes(&year));
    }
    // A mild winter raises nothing and is not doubted.
    let (_, mild) = garbled(|d, t| if d.month() < 3 { t + 7.0 } else { t });
    assert!(!codes(&mild).contains(&"weather.unusual"), "{:?}", codes(&mild));
}
