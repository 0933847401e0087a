//! One or two bills of the reporting period, or of the baseline, that are wrong: of every length, against real measures.
//!
//! Must never: pass because a figure is absent, or judge by one lucky seed.

use crate::analysis::{Case, codes, has, noise};
use crate::meters::day;
use analytics::analysis::{MeterPeriod, Method, Reporting};
use analytics::baseline::caltrack::Terms;
use chrono::{Datelike, Months, NaiveDate};

fn heated(t: f64) -> f64 {
    20.0 + 5.0 * (15.0 - t).max(0.0)
}

/// A meter of bills of so many months, each of the given scatter, with its law before and after.
fn billed(
    months: u32,
    scatter: f64,
    seed: u64,
    before: impl Fn(f64) -> f64,
    after: impl Fn(NaiveDate, f64) -> f64,
) -> Case {
    let law = |d: NaiveDate, t: f64| if d.year() < 2024 { before(t) } else { after(d, t) };
    let mut case = Case::planted(law, 12.5, Method::Auto);
    case.terms = Terms::Heating;
    let join = |of: &[MeterPeriod]| MeterPeriod {
        from: of[0].from,
        to: of[0].from + Months::new(months),
        value: Some(of.iter().filter_map(|p| p.value).sum()),
    };
    case.periods = case.periods.chunks(months as usize).map(join).collect();
    for (i, p) in case.periods.iter_mut().enumerate() {
        p.value = p.value.map(|v| v * (1.0 + scatter * 1.7 * noise(seed * 131 + i as u64)));
    }
    case
}

fn scaled(case: &mut Case, year: i32, months: &[u32], times: f64) {
    let hit = |p: &&mut MeterPeriod| p.from.year() == year && months.contains(&p.from.month());
    case.periods.iter_mut().filter(hit).for_each(|p| p.value = p.value.map(|v| times * v));
}

fn rise(plain: &Reporting, other: &Reporting) -> f64 {
    (other.avoided_low - plain.avoided_low) / plain.adjusted_baseline
}

/// The coldest bill, through which every line runs, is held against the others.
#[test]
fn the_largest_bill_saves_nothing_for_sure_when_it_is_garbled() {
    for months in [1, 2] {
        for times in [0.1, 1.0 / 3.0, 0.5] {
            for seed in 0..10 {
                let mut case = billed(months, 0.03, seed, heated, |_, t| 0.8 * heated(t));
                let plain = case.answer().reporting.unwrap();
                scaled(&mut case, 2024, &[1], times);
                let answer = case.answer();
                let what = format!("{months} months x {times} {seed} {:?}", codes(&answer));
                assert!(has(&answer, "reporting.doubtful"), "{what}");
                assert!(rise(&plain, &answer.reporting.unwrap()) < 0.01, "{what}");
            }
        }
    }
}

/// Two winter bills that hold nearly all of a year are no mistake, though the one is high and the other low beside the law
/// that they make: nothing else tells of winter.
#[test]
fn the_two_bills_of_winter_are_not_taken_for_one_mistake() {
    let law = |t: f64| 20.0 + 80.0 * (12.0 - t).max(0.0);
    for seed in 0..120 {
        let mut case = billed(2, 0.15, seed, law, |_, t| law(t));
        case.terms = Terms::HeatingAndCooling;
        let r = case.answer().reporting.unwrap();
        assert!(0.5 * r.measured < r.adjusted_baseline, "{seed} {r:?}");
    }
}

/// Two bills in a row are left out together.
#[test]
fn two_months_in_a_row_save_nothing_for_sure() {
    for seed in 0..10 {
        let mut case = billed(1, 0.03, seed, heated, |_, t| 0.8 * heated(t));
        let plain = case.answer().reporting.unwrap();
        scaled(&mut case, 2024, &[1, 2], 1.0 / 3.0);
        let answer = case.answer();
        assert!(has(&answer, "reporting.doubtful"), "{seed} {:?}", codes(&answer));
        assert!(rise(&plain, &answer.reporting.unwrap()) < 0.01, "{seed} {:?}", codes(&answer));
    }
}

/// What measures make of a year, and steps that last, are no doubt but in a few of a hundred.
#[test]
fn real_measures_are_hardly_ever_doubted() {
    let heat = |t: f64, balance_c: f64| 5.0 * (balance_c - t).max(0.0);
    let sun = |d: NaiveDate| 0.5 - 0.5 * (f64::from(d.ordinal()) / 365.0 * std::f64::consts::TAU).cos();
    let begun = |d: NaiveDate| day("2024-05-10") <= d;
    type Measure<'a> = &'a dyn Fn(NaiveDate, f64) -> f64;
    let measures: [(&str, Measure<'_>); 9] = [
        ("none", &|_, t| heated(t)),
        ("envelope", &|_, t| 20.0 + 0.3 * heat(t, 15.0)),
        ("all of it", &|_, t| 0.4 * heated(t)),
        ("setback", &|_, t| 20.0 + heat(t, 11.5)),
        ("valves", &|_, t| 20.0 + 0.7 * heat(t, 13.5)),
        ("base load", &|_, t| 5.0 + heat(t, 15.0)),
        ("solar hot water", &|d, t| 20.0 * (1.0 - 0.7 * sun(d)) + heat(t, 15.0)),
        ("heat pump from May on", &|d, t| if begun(d) { 20.0 } else { heated(t) }),
        ("half from May on", &|d, t| if begun(d) { 0.5 * heated(t) } else { heated(t) }),
    ];
    let (mut doubted, mut all) = (Vec::new(), 0);
    for (name, law) in measures {
        // The only bill of two months that shows a step at the end looks like a garbled one.
        let lengths: &[u32] = if name.contains("from") { &[1] } else { &[1, 2] };
        for &months in lengths {
            for seed in 0..16 {
                let scatter = 0.02 + 0.004 * (seed % 16) as f64;
                let answer = billed(months, scatter, seed, heated, law).answer();
                assert!(answer.reporting.is_some());
                all += 1;
                if has(&answer, "reporting.doubtful") {
                    doubted.push(format!("{name} {months} {seed}"));
                }
            }
        }
    }
    assert!(100 * doubted.len() <= 3 * all, "{} of {all}: {doubted:?}", doubted.len());
}

/// A winter bill that repeats the value of a milder one.
#[test]
fn a_bill_with_another_bill_s_value_is_told() {
    for months in [1, 2] {
        for seed in 0..10 {
            let mut case = billed(months, 0.03, seed, heated, |_, t| 0.8 * heated(t));
            let plain = case.answer().reporting.unwrap();
            let of = |case: &Case, month: u32| {
                let own = |p: &&MeterPeriod| p.from.year() == 2024 && p.from.month() == month;
                case.periods.iter().find(own).unwrap().value
            };
            let copied = of(&case, 3);
            let own = case.periods.iter_mut().find(|p| p.from == day("2024-01-01")).unwrap();
            own.value = copied;
            let answer = case.answer();
            let told = has(&answer, "reporting.frozen") || has(&answer, "reporting.doubtful");
            assert!(told, "{months} {seed} {:?}", codes(&answer));
            assert!(rise(&plain, &answer.reporting.unwrap()) < 0.01, "{months} {seed}");
        }
    }
}

/// Baseline bills that are too high together lift the lower bound no more than without them.
#[test]
fn high_baseline_bills_do_not_lift_the_bound() {
    for (times, months) in [(2.0, &[1, 2][..]), (10.0, &[1, 2]), (2.0, &[1, 2, 12]), (10.0, &[6, 7, 8])] {
        for seed in 0..5 {
            let sound = || billed(1, 0.03, seed, heated, |_, t| 0.8 * heated(t));
            let mut case = sound();
            scaled(&mut case, 2023, months, times);
            let answer = case.answer();
            let told = has(&answer, "energy.extreme") || has(&answer, "fit.gross_period");
            let what = format!("x {times} {months:?} {seed} {:?}", codes(&answer));
            assert!(told, "{what}");
            let mut without = sound();
            without.periods.retain(|p| 2023 < p.from.year() || !months.contains(&p.from.month()));
            let bound = without.answer().reporting.unwrap();
            let own = answer.reporting.unwrap();
            assert!(
                own.avoided_low <= bound.avoided_low + 0.035 * bound.adjusted_baseline,
                "{what} {own:?} {bound:?}"
            );
        }
    }
}

/// Summers at zero where the baseline never was are told, however little they are of the year.
#[test]
fn a_little_that_is_gone_is_doubted_too() {
    let law = |t: f64| 3.0 + 8.0 * (15.0 - t).max(0.0);
    let mut case = billed(1, 0.02, 3, law, |_, t| law(t));
    let plain = case.answer().reporting.unwrap();
    scaled(&mut case, 2024, &[6, 7, 8], 0.0);
    let answer = case.answer();
    assert!(has(&answer, "reporting.zero"), "{:?}", codes(&answer));
    assert!(rise(&plain, &answer.reporting.unwrap()) <= 0.001);
}

/// A building that uses more than before gains nothing by a bill at zero, or turned negative.
#[test]
fn a_doubted_bill_is_no_better_than_the_others() {
    for times in [0.0, -1.0] {
        for month in [1, 7, 11] {
            let mut case = billed(1, 0.02, 5, heated, |_, t| 1.3 * heated(t));
            let plain = case.answer().reporting.unwrap();
            scaled(&mut case, 2024, &[month], times);
            let other = case.answer().reporting.unwrap();
            assert!(rise(&plain, &other) <= 0.015, "{times} {month} {plain:?} {other:?}");
        }
    }
}

/// Whatever winter bill is garbled to a tenth or less, after whatever saving: the bound is not raised in silence.
#[test]
fn garbled_winter_bills_are_never_silent() {
    for number in 0..96 {
        let drawn = |of: u64| (noise(number * 17 + of) + 1.0) / 2.0;
        let months = 1 + u32::from(drawn(1) < 0.5);
        let (times, left) = (0.1 * drawn(2), 0.4 + 0.8 * drawn(3));
        let which = (2.99 * drawn(4)) as usize;
        let month = if months == 1 { [1, 2, 12][which] } else { [1, 3, 11][which] };
        let mut case = billed(months, 0.03, number, heated, |_, t| left * heated(t));
        let plain = case.answer().reporting.unwrap();
        scaled(&mut case, 2024, &[month], times);
        let answer = case.answer();
        let told = has(&answer, "reporting.doubtful") || has(&answer, "reporting.zero");
        let rise = rise(&plain, &answer.reporting.unwrap());
        let what =
            format!("{number}: {months} months, {month} x {times}, left {left}: {rise} {:?}", codes(&answer));
        assert!(told && rise < 0.04, "{what}");
    }
}
