//! Reporting months that are garbled together, and deep measures that are not to be taken for them.
//!
//! Must never: pass because a figure is absent; where nothing can be said, the finding is asserted.

use crate::analysis::{Case, codes, has, noise, weather};
use crate::meters::day;
use analytics::analysis::{MeterPeriod, Method};
use analytics::baseline::caltrack::Terms;
use chrono::{Datelike, Days, NaiveDate};

/// Heating that is gone from all its months, or begins far later, is a measure, however deep.
#[test]
fn a_deep_measure_of_the_whole_winter_is_no_doubt() {
    let after: [(&str, &dyn Fn(f64) -> f64); 6] = [
        ("hot water stays", &|_| 6.0),
        ("the boiler helps on the coldest days", &|t| 6.0 + 0.3 * (4.0 - t).max(0.0)),
        ("heat pump, boiler for hot water once a week", &|_| 2.0),
        ("begins far later", &|t| 6.0 + 4.0 * (7.0 - t).max(0.0)),
        ("a twentieth of everything", &|t| 0.08 * (6.0 + 4.0 * (15.5 - t).max(0.0))),
        ("half the hot water, no heating", &|_| 3.0),
    ];
    for (name, law) in after {
        for seed in 0..20 {
            let planted = |d: NaiveDate, t: f64| {
                let scatter = 1.0 + 0.2 * noise(seed * 991 + u64::from(d.num_days_from_ce().unsigned_abs()));
                scatter * if d.year() < 2024 { 6.0 + 4.0 * (15.5 - t).max(0.0) } else { law(t) }
            };
            let mut case = Case::planted(planted, 12.0, Method::Auto);
            case.terms = Terms::Heating;
            for (i, p) in case.periods.iter_mut().enumerate().skip(12) {
                p.value = p.value.map(|v| v * (1.0 + 0.15 * noise(seed * 77 + i as u64)));
            }
            let answer = case.answer();
            assert!(!has(&answer, "reporting.doubtful"), "{name} {seed}: {:?}", answer.findings);
        }
    }
}

/// Several months that are garbled alike: no line through the others, and no other of them, makes them a saving.
#[test]
fn garbled_months_save_nothing_for_sure_however_many_they_are() {
    let law = |d: NaiveDate, t: f64| {
        let scatter = 1.0 + 0.1 * noise(u64::from(d.num_days_from_ce().unsigned_abs()));
        (30.0 + 5.0 * (15.0 - t).max(0.0) + 4.0 * (t - 22.0).max(0.0)) * scatter
    };
    let mean_of = weather(13.5);
    let mean = |d: NaiveDate| mean_of.means(d, d + Days::new(1)).next().unwrap();
    let of_days = |case: &mut Case| {
        let day_of =
            |d: NaiveDate| MeterPeriod { from: d, to: d + Days::new(1), value: Some(law(d, mean(d))) };
        case.periods = day("2023-01-01").iter_days().take(731).map(day_of).collect();
    };
    let sets: [&[u32]; 6] =
        [&[1, 2, 3], &[10, 11, 12], &[4, 5, 10], &[1, 2, 3, 4], &[1, 2, 3, 11, 12], &[6, 7, 8]];
    for by_day in [false, true] {
        for times in [-1.0, 0.0, 0.1, 0.001] {
            for months in sets {
                let mut case = Case::planted(law, 13.5, Method::Auto);
                if by_day {
                    of_days(&mut case);
                }
                let plain = case.answer().reporting.unwrap();
                let hit = |p: &&mut MeterPeriod| p.from.year() == 2024 && months.contains(&p.from.month());
                case.periods.iter_mut().filter(hit).for_each(|p| p.value = p.value.map(|v| times * v));
                let answer = case.answer();
                let r = answer.reporting.unwrap();
                let what = format!("days {by_day} x {times} {months:?} {r:?} {plain:?} {:?}", codes(&answer));
                // All garbled months are told, and what they seem to save is in no bound.
                assert!(has(&answer, "reporting.doubtful") || has(&answer, "reporting.zero"), "{what}");
                assert!(r.avoided_low <= plain.avoided_low + 0.01 * plain.adjusted_baseline, "{what}");
                // Nor less than they would have used: what was given back is not taken away twice.
                assert!(plain.avoided_low - 0.05 * plain.adjusted_baseline <= r.avoided_low, "{what}");
                assert!(by_day || !has(&answer, "reporting.extreme"), "{what}");
            }
        }
    }
}

/// A heating meter without a base load: nothing but its winters, which are garbled all alike.
#[test]
fn winters_that_are_garbled_all_alike_save_nothing_for_sure() {
    let heated = |t: f64| 8.0 * (15.0 - t).max(0.0);
    let faults: [(&str, &dyn Fn(f64) -> f64); 6] = [
        ("reporting.unit", &|v| v / 10.0),
        ("reporting.unit", &|v| v / 10.69),
        ("reporting.unit", &|v| v / 1000.0),
        ("reporting.frozen", &|_| 400.0),
        ("reporting.frozen", &|v| if 0.0 < v { 900.0 } else { 0.0 }),
        ("reporting.frozen", &|v| if 0.0 < v { 333.3 } else { 0.0 }),
    ];
    for by_day in [false, true] {
        for (code, changed) in faults {
            for seed in 0..10 {
                let mut case = heating_meter(by_day, seed, heated, heated);
                let plain = case.answer().reporting.unwrap();
                let whole = |d: NaiveDate| 2024 <= d.year();
                // Of days a thirtieth.
                let of = |v: f64| if by_day { changed(30.0 * v) / 30.0 } else { changed(v) };
                let hit = case.periods.iter_mut().filter(|p| whole(p.from));
                hit.for_each(|p| p.value = p.value.map(of));
                let answer = case.answer();
                let r = answer.reporting.unwrap();
                let what = format!("days {by_day} {code} {seed} {r:?} {plain:?} {:?}", codes(&answer));
                assert!(has(&answer, code), "{what}");
                assert!(r.avoided_low <= plain.avoided_low + 0.05 * plain.adjusted_baseline, "{what}");
            }
        }
    }
}

/// What is left of a heating meter after a measure, however little, is neither in another unit nor frozen.
#[test]
fn a_heating_meter_that_is_hardly_needed_any_more_is_no_doubt() {
    let heated = |t: f64| 8.0 * (15.0 - t).max(0.0);
    let after: [(&str, &dyn Fn(f64) -> f64); 5] = [
        ("cooking stays", &|_| 1.5),
        ("hot water stays", &|_| 4.0),
        ("the boiler helps on the coldest days", &|t| 3.0 * (4.0 - t).max(0.0)),
        ("a passive house", &|t| 1.5 * (10.0 - t).max(0.0)),
        ("a quarter", &|t| 2.0 * (15.0 - t).max(0.0)),
    ];
    for by_day in [false, true] {
        for (name, law) in after {
            for seed in 0..20 {
                let mut case = heating_meter(by_day, seed, heated, law);
                // Whole cubic metres, as bills have them.
                case.periods.iter_mut().for_each(|p| p.value = p.value.map(|v| (v / 10.69).round() * 10.69));
                let answer = case.answer();
                let told = has(&answer, "reporting.unit") || has(&answer, "reporting.frozen");
                assert!(!told, "days {by_day} {name} {seed}: {:?}", answer.findings);
            }
        }
    }
}

/// A meter for heat alone, with its own law in each year, noisy by the day and by the period.
fn heating_meter(by_day: bool, seed: u64, before: impl Fn(f64) -> f64, after: impl Fn(f64) -> f64) -> Case {
    let law = |d: NaiveDate, t: f64| {
        let scatter = 1.0 + 0.2 * noise(seed * 991 + u64::from(d.num_days_from_ce().unsigned_abs()));
        scatter * if d.year() < 2024 { before(t) } else { after(t) }
    };
    let mut case = Case::planted(law, 12.0, Method::Auto);
    case.terms = Terms::Heating;
    if by_day {
        let mean_of = weather(12.0);
        let mean = |d: NaiveDate| mean_of.means(d, d + Days::new(1)).next().unwrap();
        let of_day =
            |d: NaiveDate| MeterPeriod { from: d, to: d + Days::new(1), value: Some(law(d, mean(d))) };
        case.periods = day("2023-01-01").iter_days().take(731).map(of_day).collect();
    } else {
        for (i, p) in case.periods.iter_mut().enumerate().skip(12) {
            p.value = p.value.map(|v| v * (1.0 + 0.1 * noise(seed * 77 + i as u64)));
        }
    }
    case
}
