//! What is taken away of a reporting period never raises a lower bound, whatever the weather of the rest.
//!
//! Must never: use random numbers that are not the same on every run.

use chrono::{Datelike, Days};
use model::{DailyTemperature, StationId};

use super::*;
use crate::noise::noise;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Kelvin that a month of the second year is off the first.
type Snap = &'static [(u32, f64)];

/// A southern place: its winter asks for hardly any heating, its summer for some cooling.
fn weather(snap: Snap) -> DailyMeans {
    let station = StationId::new("s").unwrap();
    let mean_c = |i: u64, date: NaiveDate| {
        let season = ((i as f64 - 20.0) / 365.25 * std::f64::consts::TAU).cos();
        let off = snap.iter().filter(|(month, _)| date.year() == 2024 && date.month() == *month);
        19.0 - 4.5 * season + 1.5 * noise(i) + off.map(|(_, k)| k).sum::<f64>()
    };
    let days = (0..731).map(|i| (i, day("2023-01-01") + Days::new(i)));
    let list: Vec<DailyTemperature> =
        days.map(|(i, date)| DailyTemperature::as_given(station.clone(), date, mean_c(i, date))).collect();
    DailyMeans::of(&list, &station)
}

/// Both years of a building that heats and cools, of which a measure leaves `after` in the second.
fn building(weather: &DailyMeans, after: f64, daily: bool, seed: u64) -> Vec<MeterPeriod> {
    let use_of = |date: NaiveDate| {
        let t = weather.means(date, date + Days::new(1)).next().unwrap();
        let law = 20.0 + 3.0 * (17.5 - t).max(0.0) + 4.0 * (t - 21.0).max(0.0);
        law * if date.year() == 2023 { 1.0 } else { after }
    };
    let both = Window { from: day("2023-01-01"), to: day("2025-01-01") };
    let value = |(p, i): (FitPeriod, u64)| {
        let law: f64 = p.from.iter_days().take_while(|d| *d < p.to).map(use_of).sum();
        let scatter = if daily { 0.1 } else { 0.03 };
        MeterPeriod { from: p.from, to: p.to, value: Some(law * (1.0 + scatter * noise(seed * 9_973 + i))) }
    };
    pieces(both, daily).into_iter().zip(0..).map(value).collect()
}

fn question<'a>(periods: &'a [MeterPeriod], weather: &'a DailyMeans, method: Method) -> Question<'a> {
    let year = |from, to| Window { from: day(from), to: day(to) };
    Question {
        subject: "meter:x",
        periods,
        temperatures: weather,
        baseline: year("2023-01-01", "2024-01-01"),
        reporting: year("2024-01-01", "2025-01-01"),
        method,
        grid: Grid::CELSIUS_HALF,
        terms: Terms::HeatingAndCooling,
        confidence: 0.9,
        normal: Some((weather, year("2024-01-01", "2025-01-01"))),
    }
}

/// Without the readings of some days of the second year, as rows without a value or as none.
fn without(periods: &[MeterPeriod], gone: impl Fn(NaiveDate) -> bool, empty: bool) -> Vec<MeterPeriod> {
    let gone = |p: &MeterPeriod| p.from.year() == 2024 && gone(p.from);
    let kept = periods.iter().filter(|p| empty || !gone(p));
    kept.map(|p| MeterPeriod { value: p.value.filter(|_| !gone(p)), ..*p }).collect()
}

/// What is gone used more than twice the highest use that is still known: then nothing bounds it.
fn is_beyond_bound(all: &[MeterPeriod], less: &[MeterPeriod]) -> bool {
    let highest = |periods: &[MeterPeriod]| {
        let of = |p: &MeterPeriod| Some(p.value? / (p.to - p.from).num_days() as f64);
        periods.iter().filter_map(of).fold(0.0, f64::max)
    };
    2.0 * highest(less) < highest(all)
}

/// Lower bounds of the avoided energy and of the normalised savings.
fn bounds(answer: &Answer) -> (f64, Option<f64>, f64) {
    let of = answer.reporting.unwrap();
    (of.avoided_low, answer.normalised.map(|n| n.savings_low), of.adjusted_baseline.abs())
}

/// Checks one set of removed readings against all; whether it could be.
fn check(all: &[MeterPeriod], weather: &DailyMeans, method: Method, gone: &[MeterPeriod]) -> bool {
    let (whole, less) = (analyse(&question(all, weather, method)), analyse(&question(gone, weather, method)));
    if is_beyond_bound(all, gone) || less.reporting.is_none() {
        return false;
    }
    let ((low, saved, scale), (low_less, saved_less, _)) = (bounds(&whole), bounds(&less));
    let slack = 1e-6 * scale;
    let missing: Vec<NaiveDate> = all.iter().filter(|p| !gone.contains(p)).map(|p| p.from).collect();
    let says = format!("{} without {missing:?}", method.code());
    assert!(low_less <= low + slack, "{says}: {low} {low_less}");
    if let (Some(saved), Some(saved_less)) = (saved, saved_less) {
        assert!(saved_less <= saved + slack, "{says}: normalised {saved} {saved_less}");
    }
    true
}

const METHODS: [Method; 8] = [
    Method::Auto,
    Method::Averaged,
    Method::CaltrackMonthly,
    Method::ChangePoint,
    Method::Shape(Shape::P3Heating),
    Method::Shape(Shape::P4),
    Method::Shape(Shape::P5),
    Method::DegreeDays,
];

const SNAPS: [Snap; 4] = [&[(1, -8.0)], &[(1, -4.0), (2, -6.0)], &[(7, 6.0)], &[(1, -9.0), (7, 5.0)]];

#[test]
fn no_bill_that_is_taken_away_raises_a_bound_in_weather_that_the_baseline_never_met() {
    for snap in SNAPS {
        let weather = weather(snap);
        for (seed, after) in [(1, 0.7), (2, 1.0), (3, 0.4)] {
            let all = building(&weather, after, false, seed);
            for method in METHODS {
                let whole = analyse(&question(&all, &weather, method));
                let told = whole.findings.iter().any(|f| f.code == "fit.unseen_weather");
                assert!(told, "{} {snap:?}: {:?}", method.code(), whole.findings);
                // Each month alone, then sets of them.
                let alone = (1..=12).map(|month| 1_u32 << month);
                let some = |n: u64| {
                    (1..=12).filter(|m| noise(n * 131 + m * 17 + seed) < -0.3).fold(0, |s, m| s | 1 << m)
                };
                let mut checked = 0;
                for (set, n) in alone.chain((0..6).map(some)).zip(0..) {
                    let less = without(&all, |d| set >> d.month() & 1 == 1, n % 2 == 0);
                    checked += i32::from(check(&all, &weather, method, &less));
                }
                assert!(10 <= checked, "{} {checked}", method.code());
            }
        }
    }
}

#[test]
fn no_bill_that_is_taken_away_raises_a_bound_where_two_baseline_bills_are_inflated() {
    let weather = weather(&[]);
    let mut told = 0;
    for (seed, after, months) in [(1, 1.0, [3, 10]), (2, 0.7, [1, 7]), (3, 1.0, [7, 8])] {
        let mut all = building(&weather, after, false, seed);
        let inflated = |p: &&mut MeterPeriod| p.from.year() == 2023 && months.contains(&p.from.month());
        all.iter_mut().filter(inflated).for_each(|p| p.value = p.value.map(|v| 2.5 * v));
        for method in METHODS {
            let whole = analyse(&question(&all, &weather, method));
            told += i32::from(whole.findings.iter().any(|f| f.code == "energy.extreme"));
            let alone = (1..=12).map(|month| 1_u32 << month);
            let pairs = (1..=12).map(|month| 1_u32 << month | 1 << (month % 12 + 1));
            for (set, n) in alone.chain(pairs).zip(0..) {
                let less = without(&all, |d| set >> d.month() & 1 == 1, n % 2 == 0);
                check(&all, &weather, method, &less);
            }
        }
    }
    assert!(12 <= told, "{told} of 24 are told");
}

#[test]
fn no_day_that_is_taken_away_raises_a_bound_in_weather_that_the_baseline_never_met() {
    for snap in SNAPS {
        let weather = weather(snap);
        let all = building(&weather, 0.8, true, 5);
        for method in [Method::Auto, Method::CaltrackDaily, Method::Averaged] {
            let cold = |d: NaiveDate| d.month() == 1;
            let hot = |d: NaiveDate| d.month() == 7 && d.day() < 20;
            let some = |d: NaiveDate| noise(u64::from(d.ordinal()) * 37) < -0.6;
            let gone: [&dyn Fn(NaiveDate) -> bool; 3] = [&cold, &hot, &some];
            for (gone, empty) in gone.iter().zip([false, true, false]) {
                check(&all, &weather, method, &without(&all, gone, empty));
            }
        }
    }
}

/// The finding and the band are of the window, whatever of it is there.
#[test]
fn the_cold_month_that_lacks_is_still_told_and_in_the_band() {
    let weather = weather(SNAPS[0]);
    let all = building(&weather, 0.7, false, 1);
    let of = |periods: &[MeterPeriod]| analyse(&question(periods, &weather, Method::CaltrackMonthly));
    let (whole, less) = (of(&all), of(&without(&all, |d| d.month() == 1, false)));
    let degree_days = |answer: &Answer| {
        let told = answer.findings.iter().find(|f| f.code == "fit.unseen_weather").unwrap();
        told.says.clone()
    };
    assert_eq!(degree_days(&whole), degree_days(&less));
    let half = |answer: &Answer| answer.reporting.map(|r| r.avoided_high - r.avoided).unwrap();
    assert!(0.9 * half(&whole) < half(&less), "{} {}", half(&whole), half(&less));
}

#[test]
fn a_normal_year_without_a_model_is_told() {
    let weather = weather(SNAPS[0]);
    let all = building(&weather, 0.7, false, 1);
    // A baseline of two months carries no model.
    let few: Vec<MeterPeriod> =
        all.iter().copied().filter(|p| p.from.year() == 2024 || p.from.month() < 2).collect();
    let told = |answer: &Answer, code: &str| answer.findings.iter().any(|f| f.code == code);
    let answer = analyse(&question(&few, &weather, Method::CaltrackMonthly));
    assert!(answer.fit.is_some() || told(&answer, "normal.no_model"), "{:?}", answer.findings);
    let none: Vec<MeterPeriod> = all.iter().copied().filter(|p| p.from.year() == 2024).collect();
    let answer = analyse(&question(&none, &weather, Method::Auto));
    assert!(answer.fit.is_none() && told(&answer, "normal.no_model"), "{:?}", answer.findings);
    let mut unasked = question(&none, &weather, Method::Auto);
    unasked.normal = None;
    assert!(!told(&analyse(&unasked), "normal.no_model"));
    // So is a reporting period that is too short for its own.
    let short: Vec<MeterPeriod> = all.iter().copied().filter(|p| p.from < day("2024-06-01")).collect();
    let answer = analyse(&question(&short, &weather, Method::CaltrackMonthly));
    assert!(answer.normalised.is_none() && told(&answer, "normal.reporting_short"));
}

#[test]
fn a_reporting_period_that_the_method_has_no_model_of_is_told() {
    const HOT: Snap = &[
        (1, 15.0),
        (2, 15.0),
        (3, 15.0),
        (4, 15.0),
        (5, 15.0),
        (6, 15.0),
        (7, 15.0),
        (8, 15.0),
        (9, 15.0),
        (10, 15.0),
        (11, 15.0),
        (12, 15.0),
    ];
    // A year without a degree day of heating has no ratio to them; its baseline has one.
    let weather = weather(HOT);
    let all = building(&weather, 0.7, false, 1);
    let answer = |method| analyse(&question(&all, &weather, method));
    let told = |answer: &Answer| answer.findings.iter().any(|f| f.code == "normal.reporting_no_model");
    let by_ratio = answer(Method::DegreeDays);
    assert!(by_ratio.fit.is_some() && by_ratio.normalised.is_none() && told(&by_ratio));
    let averaged = answer(Method::Averaged);
    assert!(averaged.normalised.is_some() && !told(&averaged), "{:?}", averaged.findings);
}

#[test]
fn days_of_a_building_that_closes_for_a_month_are_joined_to_months() {
    let weather = weather(&[]);
    let kind = |answer: &Answer| {
        let chosen = answer.findings.iter().find(|f| f.code == "method.chosen").unwrap();
        chosen.values.iter().find(|(name, _)| *name == "kind").unwrap().1.clone()
    };
    for seed in 0..6 {
        // A winter that the days' law follows.
        let heating = |p: &MeterPeriod| 10.0 * (20.0 - weather.means(p.from, p.to).next().unwrap()).max(0.0);
        let after = |p: &MeterPeriod| if p.from.year() == 2024 { 0.8 } else { 1.0 };
        let mut open = building(&weather, 0.8, true, seed);
        open.iter_mut().for_each(|p| p.value = p.value.map(|v| v + after(p) * heating(p)));
        let closed: Vec<MeterPeriod> = open
            .iter()
            .map(|p| MeterPeriod {
                value: p.value.map(|v| if p.from.month() == 8 { 0.1 * v } else { v }),
                ..*p
            })
            .collect();
        let answer = |periods: &[MeterPeriod], method| analyse(&question(periods, &weather, method));
        let auto = answer(&closed, Method::Auto);
        assert_eq!((auto.method, kind(&auto).as_str()), ("averaged", "closed"), "{seed}");
        let width = |answer: &Answer| {
            let of = answer.reporting.unwrap();
            of.avoided_high - of.avoided_low
        };
        let by_days = answer(&closed, Method::CaltrackDaily);
        assert!(2.0 * width(&auto) < width(&by_days), "{seed}: {} {}", width(&auto), width(&by_days));
        let of = auto.reporting.unwrap();
        let truth = 0.25 * of.measured;
        assert!((of.avoided_low..=of.avoided_high).contains(&truth), "{seed}: {truth} {of:?}");
        // Open all year, the same days stay days.
        assert_ne!(kind(&answer(&open, Method::Auto)), "closed", "{seed}");
        // A month that is known of by half shows no closure.
        let half = |p: &&MeterPeriod| p.from.year() == 2024 || p.from.month() != 8 || 15 < p.from.day();
        let holed: Vec<MeterPeriod> = closed.iter().filter(half).copied().collect();
        assert_ne!(kind(&answer(&holed, Method::Auto)), "closed", "{seed}");
    }
}
