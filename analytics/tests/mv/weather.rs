//! Garbled, missing and unusual outdoor temperatures of real meters: told, and never a saving in the lower bound.
//!
//! Must never: garble a baseline's weather where the reporting period's is meant, or pass because a bound is absent.

use analytics::analysis::{Answer, MeterPeriod, Method, Window};
use analytics::degree_days::DailyMeans;
use chrono::{Datelike, NaiveDate};
use model::{DailyTemperature, StationId};

use crate::analysis::{Case, codes, has};
use crate::meters::{day, temperatures};

/// The stations of the reference meters.
const STATIONS: [&str; 6] = ["il_cst", "nmecr_office", "nmecr_tmy3", "rmv2", "uk_0", "uk_1_2"];

fn means(days: impl Iterator<Item = (NaiveDate, f64)>) -> DailyMeans {
    let station = StationId::new("s").unwrap();
    let list: Vec<DailyTemperature> =
        days.map(|(date, mean_c)| DailyTemperature::as_given(station.clone(), date, mean_c)).collect();
    DailyMeans::of(&list, &station)
}

/// The case with what is done to its reporting days; `None` takes a day away.
fn garbled(mut case: Case, change: &dyn Fn(NaiveDate, f64) -> Option<f64>) -> Case {
    let reporting = case.reporting;
    let changed = case.temperatures.dated().filter_map(|(date, mean_c)| {
        let inside = reporting.from <= date && date < reporting.to;
        Some((date, if inside { change(date, mean_c)? } else { mean_c }))
    });
    let changed = means(changed.collect::<Vec<_>>().into_iter());
    case.temperatures = changed;
    case
}

fn low(answer: &Answer) -> f64 {
    answer.reporting.unwrap().avoided_low
}

fn number(date: NaiveDate) -> i32 {
    date.num_days_from_ce()
}

#[test]
fn real_days_are_believed_in_every_resolution() {
    for name in STATIONS {
        let given = temperatures(name);
        for step in [0.0, 0.1, 0.5, 1.0] {
            let coarse = |mean_c: f64| if step == 0.0 { mean_c } else { (mean_c / step).round() * step };
            let screened = means(given.dated().map(|(date, mean_c)| (date, coarse(mean_c)))).screened();
            assert!(screened.frozen.is_empty(), "{name} {step}: {:?}", screened.frozen);
            assert!(screened.outliers.is_empty(), "{name} {step}: {:?}", screened.outliers);
        }
    }
}

#[test]
fn real_years_are_usual_beside_each_other() {
    for name in ["il_cst", "nmecr_office", "rmv2", "uk_0"] {
        let given = temperatures(name);
        let first = given.dated().next().unwrap().0;
        let end = given.dated().last().unwrap().0.succ_opt().unwrap();
        let before = (first, first + chrono::Days::new(365));
        let after = (end - chrono::Days::new(365), end);
        for (baseline, reporting) in [(before, after), (after, before)] {
            let unusual = given.unusual(baseline, reporting);
            assert!(unusual.spells.is_empty(), "{name}: {:?}", unusual.spells);
            assert!(unusual.at_usual.is_none());
        }
    }
}

/// What becomes of a day's mean.
type Change = dyn Fn(NaiveDate, f64) -> Option<f64>;

/// Every way of garbling the reporting year's weather that once was a saving.
#[test]
fn garbled_weather_is_told_and_saves_nothing_for_sure() {
    let faults: [(&str, &str, &Change); 8] = [
        ("every fifth day at -10", "weather.frozen", &|d, t| {
            Some(if number(d) % 5 == 0 { -10.0 } else { t })
        }),
        ("every ninth day at -30", "weather.frozen", &|d, t| {
            Some(if number(d) % 9 == 0 { -30.0 } else { t })
        }),
        ("January stands still", "weather.frozen", &|d, t| Some(if d.month() == 1 { -9.0 } else { t })),
        ("the summer is empty cells", "weather.frozen", &|d, t| {
            Some(if (5..10).contains(&d.month()) { 0.0 } else { t })
        }),
        ("six kelvin too cold", "weather.unusual", &|_, t| Some(t - 6.0)),
        ("a tenth", "weather.unusual", &|_, t| Some(t / 10.0)),
        ("single days 20 K too cold", "weather.outlier", &|d, t| {
            Some(if number(d) % 29 == 0 { t - 20.0 - f64::from(d.day()) / 10.0 } else { t })
        }),
        ("winter and summer changed over", "weather.unusual", &|_, t| Some(20.0 - t)),
    ];
    for meter in ["il-gas-hdd-only", "uk-gas-0", "rmv2-sim-1"] {
        for method in [Method::Averaged, Method::CaltrackMonthly] {
            let plain = Case::of("monthly", meter, method).answer();
            for code in ["weather.frozen", "weather.outlier", "weather.unusual"] {
                assert!(!has(&plain, code), "{meter}: {:?}", codes(&plain));
            }
            for (name, code, change) in &faults {
                let answer = garbled(Case::of("monthly", meter, method), change).answer();
                let Some(of) = answer.reporting else { continue };
                let whole = plain.reporting.unwrap().adjusted_baseline;
                let raised = (of.avoided_low - low(&plain)) / whole;
                // Weather that asks for less than was used raises nothing, and need not be told.
                let told = has(&answer, code) || (*code == "weather.unusual" && raised <= 0.0);
                assert!(told, "{meter} {method:?} {name}: {:?}", codes(&answer));
                // Unusual months are held to the baseline's level, from which true years differ by a little.
                let most = if *code == "weather.unusual" { 0.15 } else { 0.02 };
                assert!(raised < most, "{meter} {method:?} {name}: {} {}", low(&plain), of.avoided_low);
            }
        }
    }
}

#[test]
fn days_without_a_temperature_ask_for_nothing_in_the_lower_bound() {
    let case = || Case::of("monthly", "uk-gas-0", Method::Averaged);
    let plain = case().answer();
    // The two warmest days of each month are gone.
    let all: Vec<(NaiveDate, f64)> = case().temperatures.dated().collect();
    let warmest = |date: NaiveDate, mean_c: f64| {
        let same = |d: NaiveDate| (d.year(), d.month()) == (date.year(), date.month());
        all.iter().filter(|(d, t)| same(*d) && mean_c < *t).count() < 2
    };
    let answer = garbled(case(), &|d, t| (!warmest(d, t)).then_some(t)).answer();
    assert!(has(&answer, "weather.prorated_reporting"), "{:?}", codes(&answer));
    assert!(low(&answer) <= low(&plain), "{} {}", low(&plain), low(&answer));
    assert!(!has(&plain, "weather.prorated_reporting"));
    // The best estimate takes them at the mean of the others, as CalTRACK does.
    assert!(plain.reporting.unwrap().avoided < answer.reporting.unwrap().avoided);
    // Those of the baseline, its coldest, make the law too steep.
    let mut holed = case();
    let coldest = |date: NaiveDate, mean_c: f64| {
        let same = |d: NaiveDate| (d.year(), d.month()) == (date.year(), date.month());
        date < holed.baseline.to && all.iter().filter(|(d, t)| same(*d) && *t < mean_c).count() < 2
    };
    let kept: Vec<(NaiveDate, f64)> = all.iter().copied().filter(|(d, t)| !coldest(*d, *t)).collect();
    holed.temperatures = means(kept.into_iter());
    let answer = holed.answer();
    assert!(has(&answer, "weather.prorated"), "{:?}", codes(&answer));
    assert!(low(&answer) <= low(&plain), "{} {}", low(&plain), low(&answer));
}

#[test]
fn normalised_savings_do_without_what_the_avoided_energy_does_without() {
    let normal = temperatures("uk_0");
    let year = Window { from: day("2021-01-01"), to: day("2022-01-01") };
    let savings = |case: &Case| case.normalised(Some((&normal, year))).normalised.unwrap();
    let plain = savings(&Case::of("monthly", "uk-gas-0", Method::Averaged));
    assert!(plain.savings_low < plain.savings && plain.savings < plain.savings_high);
    // A winter bill of the reporting year is gone.
    let mut holed = Case::of("monthly", "uk-gas-0", Method::Averaged);
    let reporting = holed.reporting;
    let january = |p: &MeterPeriod| reporting.from <= p.from && p.from.month() == 1;
    assert!(holed.periods.iter().any(january));
    holed.periods.retain(|p| !january(p));
    let without = savings(&holed);
    assert!(without.savings_low <= plain.savings_low, "{plain:?} {without:?}");
    // Most bills at zero.
    let mut zeros = Case::of("monthly", "il-electricity-cdd-hdd", Method::Averaged);
    let il = temperatures("il_cst");
    let year = Window { from: day("2017-01-01"), to: day("2018-01-01") };
    let of = |case: &Case| case.normalised(Some((&il, year))).normalised.unwrap();
    let plain = of(&zeros);
    let reporting = zeros.reporting;
    let own = zeros.periods.iter_mut().filter(|p| reporting.from <= p.from);
    own.skip(1).take(10).for_each(|p| p.value = Some(0.0));
    let garbled = of(&zeros);
    assert!(plain.savings < garbled.savings, "the best estimate takes zeros as they are");
    assert!(garbled.savings_low <= plain.savings_low.max(0.0), "{plain:?} {garbled:?}");
}

#[test]
fn caltrack_takes_the_year_immediately_before() {
    let law = |_: NaiveDate, t: f64| 10.0 + 4.0 * (15.5 - t).max(0.0);
    let one = Case::planted(law, 13.0, Method::CaltrackMonthly);
    for code in ["rule.caltrack.year", "rule.caltrack.gap"] {
        assert!(!has(&one.answer(), code), "{code}");
    }
    // Two years of a baseline, and a year in between.
    let long = |method| {
        let mut case = Case::of("monthly", "uk-gas-0", method);
        case.baseline.from = day("2019-04-01");
        case.baseline.to = case.baseline.to.min(day("2021-04-01"));
        case.answer()
    };
    assert!(has(&long(Method::CaltrackMonthly), "rule.caltrack.year"));
    assert!(!has(&long(Method::Averaged), "rule.caltrack.year"), "another method takes what there is");
    assert!(has(&Case::of("monthly", "rmv2-sim-1", Method::CaltrackMonthly).answer(), "rule.caltrack.gap"));
}

#[test]
fn a_baseline_of_nothing_is_a_sentence_of_its_own() {
    let case = Case::planted(|d, _| if d.year() == 2023 { 0.0 } else { 10.0 }, 13.0, Method::Auto);
    let answer = case.answer();
    assert!(has(&answer, "baseline.all_zero") && !has(&answer, "energy.zero"), "{:?}", codes(&answer));
    assert!(answer.findings.iter().all(|f| !f.says.contains("-0 ")), "{:?}", answer.findings);
}
