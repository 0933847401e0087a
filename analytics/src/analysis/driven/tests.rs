//! Planted offices whose use follows the weather and their opening.
//!
//! Must never: use random numbers that are not the same on every run.

use chrono::{Datelike, Days};
use model::{DailyTemperature, StationId};

use super::*;
use crate::analysis::{MeterPeriod, Method, Window};
use crate::baseline::data::Grid;
use crate::calendar::Opening;
use crate::degree_days::DailyMeans;
use crate::noise::noise;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn mean_c(date: NaiveDate) -> f64 {
    let n = (date - day("2023-01-01")).num_days();
    13.0 - 11.0 * ((n as f64 - 15.0) / 365.25 * std::f64::consts::TAU).cos() + 3.0 * noise(n as u64)
}

fn weather() -> DailyMeans {
    let station = StationId::new("s").unwrap();
    let list: Vec<DailyTemperature> = (0..731)
        .map(|i| day("2023-01-01") + Days::new(i))
        .map(|date| DailyTemperature::as_given(station.clone(), date, mean_c(date)))
        .collect();
    DailyMeans::of(&list, &station)
}

/// Closed in August of the first year only: its opening is what changed.
fn opening() -> Opening {
    let mut opening = Opening::parse("lun-ven 8-18").unwrap();
    opening.closed = vec![(day("2023-08-01"), day("2023-09-01"))];
    opening
}

fn asked<'a>(periods: &'a [MeterPeriod], temperatures: &'a DailyMeans) -> Question<'a> {
    Question {
        subject: "meter:x",
        periods,
        temperatures,
        baseline: Window { from: day("2023-01-01"), to: day("2024-01-01") },
        reporting: Window { from: day("2024-01-01"), to: day("2025-01-01") },
        method: Method::Auto,
        grid: Grid::CELSIUS_HALF,
        terms: Terms::HeatingAndCooling,
        confidence: 0.9,
        normal: None,
    }
}

fn meter(after: f64) -> Vec<MeterPeriod> {
    let of = |i: u64| {
        let from = day("2023-01-01") + Days::new(i);
        let open = f64::from(u8::from(opening().is_open(from)));
        let law = 20.0 + 30.0 * open + 2.0 * (15.0 - mean_c(from)).max(0.0) + noise(i + 9_000);
        let value = Some(law * if from.year() == 2023 { 1.0 } else { after });
        MeterPeriod { from, to: from + Days::new(1), value }
    };
    (0..731).map(of).collect()
}

fn open_days() -> DailyDriver {
    let days = opening().days(day("2023-01-01"), day("2025-01-01"));
    DailyDriver { name: "open".to_owned(), sign: Sign::Adds, days }
}

#[test]
fn an_opening_calendar_is_recovered_and_explains_what_the_weather_cannot() {
    let (weather, periods) = (weather(), meter(0.9));
    let answer = analyse(&asked(&periods, &weather), &[open_days()]);
    let Some(Other::Drivers(driven)) = &answer.other else { panic!("{:?}", answer.findings) };
    assert_eq!(driven.names.last().map(String::as_str), Some("open"));
    let open = driven.fit.terms.iter().find(|t| driven.names[t.driver] == "open").unwrap();
    assert!((open.coefficient - 30.0).abs() < 0.5, "{open:?}");
    assert!((driven.heating_balance_c.unwrap() - 15.0).abs() <= 1.0);
    let compared = answer.reporting.unwrap();
    let truth = compared.measured / 0.9 * 0.1;
    assert!((compared.avoided / truth - 1.0).abs() < 0.05, "{compared:?} {truth}");
    assert!(compared.avoided_low <= truth && truth <= compared.avoided_high);
    // Without the calendar the month that was closed only in the first year passes for more use.
    let blind = crate::analysis::analyse(&asked(&periods, &weather)).reporting.unwrap();
    assert!((compared.avoided - truth).abs() < (blind.avoided - truth).abs());
}

#[test]
fn a_day_without_a_driver_is_not_compared() {
    let (weather, periods) = (weather(), meter(1.0));
    let mut open = open_days();
    for i in 0..20 {
        open.days.remove(&(day("2024-03-01") + Days::new(i)));
    }
    let answer = analyse(&asked(&periods, &weather), &[open]);
    assert_eq!(answer.reporting.unwrap().days, 346.0);
    let told = answer.findings.iter().find(|f| f.code == "driver.missing").unwrap();
    assert!(told.says.starts_with("20 reporting periods"), "{told:?}");
    let nothing = DailyDriver { name: "x".to_owned(), sign: Sign::Any, days: BTreeMap::new() };
    let answer = analyse(&asked(&periods, &weather), &[nothing]);
    assert_eq!((answer.other, answer.reporting), (None, None));
}

/// Three months of summer say nothing of the winter: it is told, and the band is wide for it.
#[test]
fn a_baseline_of_three_months_is_told_and_not_sure_of_other_weather() {
    let (weather, periods) = (weather(), meter(1.0));
    let year = analyse(&asked(&periods, &weather), &[open_days()]);
    let told = |answer: &Answer, code: &str| answer.findings.iter().any(|f| f.code == code);
    let mut question = asked(&periods, &weather);
    question.baseline = Window { from: day("2023-05-15"), to: day("2023-09-15") };
    let short = analyse(&question, &[open_days()]);
    let codes = [
        "baseline.short",
        "rule.caltrack.days",
        "rule.ashrae14.months",
        "rule.ipmvp.cycle",
        "fit.unseen_weather",
    ];
    for code in codes {
        assert!(told(&short, code) && !told(&year, code), "{code}: {:?}", short.findings);
    }
    assert!(told(&year, "rule.ashrae14.saving") && told(&year, "rule.ipmvp.significance"));
    let half = |answer: &Answer| answer.reporting.map(|r| r.avoided_high - r.avoided).unwrap();
    assert!(10.0 * half(&year) < half(&short), "{} {}", half(&year), half(&short));
    let saved = short.reporting.unwrap();
    assert!(saved.avoided_low <= 0.0 && 0.0 <= saved.avoided_high, "{saved:?}");
}

/// A meter that stands still for a month, or lost a digit, must not save with drivers either.
#[test]
fn a_garbled_value_saves_nothing_for_sure() {
    let (weather, periods) = (weather(), meter(0.9));
    let low = |periods: &[MeterPeriod]| analyse(&asked(periods, &weather), &[open_days()]);
    let plain = low(&periods).reporting.unwrap();
    for (times, code) in [(0.0, "reporting.zero"), (0.1, "reporting.doubtful")] {
        let mut garbled = periods.clone();
        garbled.iter_mut().skip(380).take(30).for_each(|p| p.value = p.value.map(|value| times * value));
        let answer = low(&garbled);
        assert!(answer.findings.iter().any(|f| f.code == code), "{times}: {:?}", answer.findings);
        assert!(answer.reporting.unwrap().avoided_low <= plain.avoided_low, "{times}");
    }
}

/// Production beside the opening: a driver of any sign, without a season.
fn production() -> DailyDriver {
    let of = |i: u64| {
        let wave = (i as f64 / 20.0).sin();
        (day("2023-01-01") + Days::new(i), 50.0 + 30.0 * wave + 5.0 * noise(i + 77))
    };
    DailyDriver { name: "made".to_owned(), sign: Sign::Any, days: (0..731).map(of).collect() }
}

fn plant(after: f64) -> Vec<MeterPeriod> {
    let made = production();
    let mut periods = meter(1.0);
    for p in &mut periods {
        let own = 0.6 * made.days.get(&p.from).copied().unwrap_or(0.0);
        p.value = p.value.map(|v| (v + own) * if p.from.year() == 2023 { 1.0 } else { after });
    }
    periods
}

/// However a driver is stated too high, the lower bound rises by no more than what two standard errors of the baseline's own
/// months bear out, and not without a word by more than a tenth of that driver's use.
#[test]
fn a_driver_that_is_stated_too_high_makes_no_saving_for_sure() {
    let (weather, periods) = (weather(), plant(0.85));
    let with = |harm: &dyn Fn(NaiveDate, u64) -> f64| {
        let mut made = production();
        let reporting = made.days.iter_mut().filter(|(d, _)| 2024 == d.year());
        reporting.zip(0..).for_each(|((d, value), i)| *value *= harm(*d, i));
        analyse(&asked(&periods, &weather), &[open_days(), made])
    };
    let told = |answer: &Answer| answer.findings.iter().any(|f| f.code == "driver.unseen");
    let plain = with(&|_, _| 1.0);
    assert!(!told(&plain), "{:?}", plain.findings);
    let (sound, whole) = (plain.reporting.unwrap(), plain.reporting.unwrap().adjusted_baseline);
    let of_driver = 0.6 * 50.0 * 366.0;
    type Harm<'a> = &'a dyn Fn(NaiveDate, u64) -> f64;
    let harms: [(&str, Harm<'_>); 6] = [
        ("a digit more on thirty days", &|_, i| if i % 12 == 0 { 10.0 } else { 1.0 }),
        ("doubled", &|_, _| 2.0),
        ("half as much again for half a year", &|d, _| if 6 < d.month() { 1.5 } else { 1.0 }),
        ("five times", &|_, _| 5.0),
        ("one day of a thousand times", &|_, i| if i == 100 { 1_000.0 } else { 1.0 }),
        ("doubled on every second day", &|_, i| if i % 2 == 0 { 2.0 } else { 1.0 }),
    ];
    for (name, harm) in harms {
        let answer = with(harm);
        let r = answer.reporting.unwrap();
        assert!(told(&answer), "{name}: {:?}", answer.findings);
        assert!(r.avoided_low <= sound.avoided_low + 0.02 * whole, "{name}: {r:?} {sound:?}");
        assert!(
            sound.avoided < r.avoided && sound.avoided_high - sound.avoided < r.avoided_high - r.avoided,
            "{name}"
        );
    }
    for seed in 0..25_u64 {
        let times = 1.0 + 3.0 * f64::midpoint(1.0, noise(seed * 3));
        let one_in = 1.0 + 9.0 * f64::midpoint(1.0, noise(seed * 5 + 1));
        let answer = with(&|_, i| if noise(seed * 1_013 + i * 7) < 2.0 / one_in - 1.0 { times } else { 1.0 });
        let rise = answer.reporting.unwrap().avoided_low - sound.avoided_low;
        let most = if told(&answer) { 0.25 } else { 0.1 };
        assert!(rise <= most * of_driver, "{seed}: x {times} 1 in {one_in} {rise} {:?}", answer.findings);
    }
    // One that is stated too low takes away what it takes.
    let halved = with(&|_, _| 0.5).reporting.unwrap();
    assert!(halved.avoided_low < sound.avoided_low);
}

/// The same question with a normal year.
fn normalised(
    periods: &[MeterPeriod],
    weather: &DailyMeans,
    given: &[DailyDriver],
    (from, to): (&str, &str),
) -> Answer {
    let mut question = asked(periods, weather);
    question.normal = Some((weather, Window { from: day(from), to: day(to) }));
    analyse(&question, given)
}

#[test]
fn savings_are_normalised_where_weather_and_drivers_of_the_normal_year_are_known() {
    let (weather, periods) = (weather(), meter(0.9));
    for year in [("2023-01-01", "2024-01-01"), ("2024-01-01", "2025-01-01")] {
        let answer = normalised(&periods, &weather, &[open_days()], year);
        let of = answer.normalised.unwrap();
        assert!((of.savings / of.baseline - 0.1).abs() < 0.01, "{of:?}");
        assert!((of.baseline - of.reporting - of.savings).abs() < 1e-9 * of.baseline);
        let truth = 0.1 * of.baseline;
        assert!(of.savings_low <= truth && truth <= of.savings_high, "{of:?}");
        // August was closed in the first year only: the second's model never met that, and the band is wide for it.
        let beyond = year.0.starts_with("2023");
        assert_eq!(told(&answer, "driver.unseen"), beyond, "{:?}", answer.findings);
        let low = answer.reporting.unwrap().avoided_low;
        let off = (of.savings_low - low) / of.baseline;
        assert!(if beyond { off < -0.05 } else { off.abs() < 0.02 }, "{of:?} {low}");
    }
    // Under its own drivers the baseline's year is what was measured in it.
    let own = normalised(&periods, &weather, &[open_days()], ("2023-01-01", "2024-01-01"));
    let measured: f64 = periods.iter().filter(|p| p.from.year() == 2023).filter_map(|p| p.value).sum();
    assert!((own.normalised.unwrap().baseline / measured - 1.0).abs() < 1e-3);
}

fn told(answer: &Answer, code: &str) -> bool {
    answer.findings.iter().any(|f| f.code == code)
}

#[test]
fn a_normal_year_that_is_not_normalised_says_why() {
    let (weather, periods) = (weather(), meter(0.9));
    let year = ("2024-01-01", "2025-01-01");
    let of = |given: &[DailyDriver], year| normalised(&periods, &weather, given, year);
    assert_eq!(analyse(&asked(&periods, &weather), &[open_days()]).normalised, None);
    let mut lacking = open_days();
    lacking.days.remove(&day("2024-07-14"));
    let nothing = DailyDriver { name: "x".to_owned(), sign: Sign::Any, days: BTreeMap::new() };
    let cases = [
        (lacking, year, "normal.driver_missing"),
        (open_days(), ("2024-01-01", "2024-07-01"), "normal.not_a_year"),
        (open_days(), ("2025-01-01", "2026-01-01"), "normal.weather_missing"),
        (nothing, year, "normal.no_model"),
    ];
    for (driver, year, code) in cases {
        let answer = of(&[driver], year);
        assert!(answer.normalised.is_none() && told(&answer, code), "{code}: {:?}", answer.findings);
    }
    let short: Vec<MeterPeriod> = periods.iter().copied().filter(|p| p.from < day("2024-06-01")).collect();
    let answer = normalised(&short, &weather, &[open_days()], year);
    assert!(answer.normalised.is_none() && told(&answer, "normal.reporting_short"));
}

/// A normal year with more of a driver than either period met makes no saving for sure.
#[test]
fn a_normal_year_beyond_what_was_met_raises_no_bound() {
    let (weather, periods) = (weather(), plant(0.85));
    let with = |times: f64| {
        let mut made = production();
        let reporting = made.days.iter_mut().filter(|(d, _)| 2024 == d.year());
        reporting.for_each(|(_, value)| *value *= times);
        // The meter followed it: only the normal year is beyond what the baseline met.
        normalised(&periods, &weather, &[open_days(), made], ("2024-01-01", "2025-01-01"))
    };
    let (plain, more) = (with(1.0), with(3.0));
    let low = |answer: &Answer| answer.normalised.unwrap().savings_low;
    assert!(told(&more, "driver.unseen") && !told(&plain, "driver.unseen"));
    let whole = plain.normalised.unwrap().baseline;
    assert!(low(&more) <= low(&plain) + 0.02 * whole, "{:?} {:?}", more.normalised, plain.normalised);
}

/// Readings that are taken away take no band with them: neither that of weather nor that of drivers never met.
#[test]
fn removing_days_with_drivers_raises_no_bound() {
    let (weather, periods) = (weather(), plant(0.85));
    let mut made = production();
    for i in 0..5 {
        made.days.insert(day("2024-03-04") + Days::new(i), 50_000.0);
    }
    let mut question = asked(&periods, &weather);
    question.normal = Some((&weather, question.reporting));
    // A baseline without a winter.
    for baseline in [question.baseline, Window { from: day("2023-04-01"), to: day("2023-12-01") }] {
        question.baseline = baseline;
        let of = |gone: &dyn Fn(NaiveDate) -> bool| {
            let kept: Vec<MeterPeriod> =
                periods.iter().copied().filter(|p| p.from.year() == 2023 || !gone(p.from)).collect();
            analyse(&Question { periods: &kept, ..question.clone() }, &[open_days(), made.clone()])
        };
        let whole = of(&|_| false);
        let scale = whole.reporting.unwrap().adjusted_baseline.abs();
        let gone: [&dyn Fn(NaiveDate) -> bool; 4] = [
            &|d| d.month() < 3,
            &|d| d.month() == 3 && d.day() < 10,
            &|d| noise(u64::from(d.ordinal()) * 7) < -0.4,
            &|d| d.month() == 12,
        ];
        for (i, gone) in gone.iter().enumerate() {
            let less = of(gone);
            let low = |answer: &Answer| answer.reporting.unwrap().avoided_low;
            assert!(
                low(&less) <= low(&whole) + 1e-9 * scale,
                "{i}: {:?} {:?}",
                less.reporting,
                whole.reporting
            );
            let (Some(a), Some(b)) = (whole.normalised, less.normalised) else { continue };
            assert!(b.savings_low <= a.savings_low + 1e-9 * scale, "{i}: {a:?} {b:?}");
        }
    }
}
