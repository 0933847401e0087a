//! Reporting months that are garbled together, and deep measures that are not to be taken for them.
//!
//! Must never: pass because a figure is absent; where nothing can be said, the finding is asserted.

use crate::analysis::{Case, METERS, codes, has, noise, weather};
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
                assert!(r.avoided_low <= 0.0, "{what}");
            }
        }
    }
}

/// What is left of a heating meter after a measure is no frozen value, and only below an eighth does it want a word.
#[test]
fn a_heating_meter_that_is_hardly_needed_any_more_is_told_below_an_eighth_only() {
    let heated = |t: f64| 8.0 * (15.0 - t).max(0.0);
    let after: [(&str, &dyn Fn(f64) -> f64); 5] = [
        ("cooking stays", &|_| 2.6),
        ("hot water stays", &|_| 4.0),
        ("the boiler helps on the coldest days", &|t| 7.0 * (4.0 - t).max(0.0)),
        ("a passive house", &|t| 2.5 * (10.0 - t).max(0.0)),
        ("a quarter", &|t| 2.0 * (15.0 - t).max(0.0)),
    ];
    let mut told = [0; 2];
    for by_day in [false, true] {
        for (name, law) in after {
            for seed in 0..20 {
                let mut case = heating_meter(by_day, seed, heated, law);
                // Whole cubic metres, as bills have them.
                case.periods.iter_mut().for_each(|p| p.value = p.value.map(|v| (v / 10.69).round() * 10.69));
                let answer = case.answer();
                let what = format!("days {by_day} {name} {seed}: {:?}", answer.findings);
                assert!(!has(&answer, "reporting.frozen"), "{what}");
                let left = answer.reporting.map(|r| r.measured / r.adjusted_baseline).unwrap();
                // What rounds to nothing is a zero.
                let is_little = 0.0 < left && left < 0.12;
                assert!(has(&answer, "reporting.unit") == is_little || (left - 0.12).abs() < 0.002, "{what}");
                told[usize::from(is_little)] += 1;
            }
        }
    }
    assert!(told.iter().all(|n| 40 <= *n), "both are met: {told:?}");
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

/// The reporting values of a file times something, by their number.
fn garble(case: &mut Case, times: impl Fn(usize) -> f64) {
    let from = case.reporting.from;
    let own = case.periods.iter_mut().filter(|p| from <= p.from);
    own.enumerate().for_each(|(i, p)| p.value = p.value.map(|v| v * times(i)));
}

/// Next to nothing says no more than nothing, however many of the bills it is, and the bound gains nothing by it.
#[test]
fn next_to_nothing_is_doubted_like_nothing() {
    let sets: [(&str, &[usize]); 8] = [
        ("uk-gas-0", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("uk-gas-0", &[8, 9]),
        ("il-electricity-cdd-hdd", &[2, 3, 4, 5, 6, 7, 8]),
        ("il-electricity-cdd-hdd", &[2, 3]),
        ("il-gas-hdd-only", &[2, 3, 4, 5, 6, 7]),
        ("nmecr-office", &[0, 1, 2, 3, 4, 5]),
        ("rmv2-sim-1", &[0, 1, 2, 3, 4, 5]),
        ("rmv2-sim-1", &[10]),
    ];
    for (name, bills) in sets {
        let plain = Case::of("monthly", name, Method::Auto).answer().reporting.unwrap();
        for times in [0.0, 0.001, 0.01, 0.02] {
            let mut case = Case::of("monthly", name, Method::Auto);
            garble(&mut case, |i| if bills.contains(&i) { times } else { 1.0 });
            let answer = case.answer();
            let r = answer.reporting.unwrap();
            let what = format!("{name} {bills:?} x {times} {r:?} {plain:?} {:?}", codes(&answer));
            assert!(has(&answer, "reporting.zero") || has(&answer, "reporting.unit"), "{what}");
            assert!(r.avoided_low <= plain.avoided_low.max(0.0) + 0.01 * plain.adjusted_baseline, "{what}");
        }
    }
}

/// Less than an eighth of all use is told without a hole in the range, by every method, and saves nothing for sure.
#[test]
fn an_eighth_of_all_use_or_less_is_always_told() {
    let below = [0.0005, 0.004, 0.02, 0.049, 0.051, 0.06, 0.075, 0.08, 0.089, 0.09, 0.095, 0.1, 0.11, 0.118];
    let told = |case: &mut Case, share: f64, what: &str| {
        let plain = case.answer().reporting.unwrap();
        garble(case, |_| share * plain.adjusted_baseline / plain.measured);
        let answer = case.answer();
        let unit = has(&answer, "reporting.unit");
        assert!(!unit || answer.reporting.unwrap().avoided_low <= 0.0, "{what} {share}: {answer:?}");
        unit
    };
    for name in METERS {
        for share in below {
            assert!(told(&mut Case::of("monthly", name, Method::Auto), share, name), "{name} {share}");
        }
        assert!(!told(&mut Case::of("monthly", name, Method::Auto), 0.2, name), "{name}");
    }
    let methods = [
        Method::Auto,
        Method::Averaged,
        Method::CaltrackDaily,
        Method::CaltrackMonthly,
        Method::Shape(analytics::baseline::change_point::Shape::P1),
    ];
    for name in ["il-electricity-cdd-hdd", "uk-gas-0", "nmecr-office"] {
        for (method, share) in methods.into_iter().flat_map(|m| [(m, 0.001), (m, 0.08), (m, 0.11)]) {
            assert!(told(&mut Case::of("daily", name, method), share, name), "{name} {method:?} {share}");
        }
    }
    for share in below {
        let flat = |_: NaiveDate, _: f64| 100.0;
        assert!(told(&mut Case::planted(flat, 13.0, Method::Auto), share, "flat"), "{share}");
    }
}
