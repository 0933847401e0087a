//! The iron rule as a law: fewer readings never make a better result.
//!
//! Must never: draw readings that no connection of the planted ceiling could have delivered.

use model::Month;
use model::time::day_start;
use proptest::prelude::*;

use super::*;
use crate::series::{Accumulator, SeriesSettings};

/// What is planted: its case at a share, and its law in the smallest unit a day.
type Planted = (fn(f64) -> Case, fn(NaiveDate) -> f64);
const GAS: Planted = (Case::gas, gas_litres);
const POWER: Planted = (Case::power, power_wh);
const SCHOOL: Planted = (Case::school, school_litres);

/// Totals of the planted meter in 2025, every six hours, from the last instant of 2024 on.
fn totals((_, law): Planted, share: f64) -> Vec<(Instant, i64)> {
    let start = day_start(day("2025-01-01"), ROME).millis();
    let end = day_start(day("2026-01-01"), ROME).millis();
    let mut total = 5_000_000.0;
    let mut out = Vec::new();
    let mut at = start;
    while at <= end {
        out.push((Instant::from_millis(at), total as i64));
        total += share * law(Instant::from_millis(at).day(ROME)) / 4.0;
        at += 6 * 3_600_000;
    }
    out
}

/// The year with the totals that `keep` keeps.
fn year_of(planted: Planted, share: f64, target: f64, keep: impl Fn(usize) -> bool) -> ProjectYear {
    let mut case = planted.0(share);
    case.project.declared[0].value = target;
    case.project.buildings[0].meters[0].accuracy_class = Some("1.5".into());
    let facts = case.project.buildings[0].meters[0].clone();
    let mut accumulator = Accumulator::new(SeriesSettings::of(&facts, ROME, 6 * 3600));
    for (i, (at, total)) in totals(planted, share).into_iter().enumerate() {
        if keep(i) {
            accumulator.push(at, total);
        }
    }
    let measured = accumulator.snapshot(day_start(case.until, ROME)).months;
    let months = &mut case.meters[0].months.months;
    months.retain(|m| m.month.year == 2023);
    // The last total stands on the first instant of 2026 and makes no month of its own.
    months.extend(
        measured.into_iter().filter(|m: &model::MonthValue| m.month < Month { year: 2026, number: 1 }),
    );
    case.meters[0].findings = accumulator.findings("meter:gas");
    case.year()
}

fn check(
    planted: Planted,
    share: f64,
    target: f64,
    keep: impl Fn(usize) -> bool,
) -> Result<(), TestCaseError> {
    let whole = year_of(planted, share, target, |_| true);
    let less = year_of(planted, share, target, keep);
    for (a, b) in whole.kpis.iter().zip(&less.kpis) {
        prop_assert!(b.verdict != Verdict::Reached || a.verdict == Verdict::Reached, "{a:?} {b:?}");
        let (Some(low), Some(achieved)) = (b.low, b.achieved) else { continue };
        let scale = 1.0 + a.low.unwrap().abs();
        prop_assert!(low <= a.low.unwrap() + 1e-9 * scale, "{a:?} {b:?}");
        prop_assert!(achieved <= a.achieved.unwrap() + 1e-9 * scale, "{a:?} {b:?}");
    }
    // A month that was compared never has a better lower bound with fewer readings, nor the sum of those of both.
    for (a, b) in only(&whole).months.iter().zip(&only(&less).months) {
        prop_assert!(b.avoided.is_none() || a.measured_high <= b.measured_high, "{a:?} {b:?}");
        prop_assert!(a.adjusted_baseline == b.adjusted_baseline, "the law does not follow the readings");
    }
    let (a, b) = (&only(&whole).totals, &only(&less).totals);
    prop_assert!(b.avoided_low <= a.avoided_low + 1e-9 * (1.0 + a.avoided_low.abs()), "{a:?} {b:?}");
    Ok(())
}

#[test]
fn all_readings_of_the_planted_year_are_enough() {
    let year = year_of(GAS, 0.88, 0.01, |_| true);
    assert_eq!(result(&year, "4.c.2").verdict, Verdict::Reached);
    assert!(near(only(&year).totals.avoided / planted_2025(), 0.12, 0.002), "{:?}", only(&year).totals);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any set of single readings, and any stretches of silence, removed.
    #[test]
    fn removing_readings_never_helps(
        planted in prop_oneof![Just(GAS), Just(POWER), Just(SCHOOL)],
        share in prop_oneof![Just(0.5), Just(0.88), Just(1.0), Just(1.1)],
        target in 0.0_f64..0.03,
        holes in prop::collection::vec((0_usize..1461, 1_usize..60), 0..8),
        single in prop::collection::vec(0_usize..1461, 0..200),
    ) {
        let silent = |i: usize| holes.iter().any(|&(from, n)| from <= i && i < from + n) || single.contains(&i);
        check(planted, share, target, |i| !silent(i))?;
    }

    /// Everything before or after some reading removed: the end of a year that was never read.
    #[test]
    fn cutting_an_end_off_never_helps(
        planted in prop_oneof![Just(GAS), Just(POWER), Just(SCHOOL)],
        share in prop_oneof![Just(0.5), Just(0.88), Just(1.1)],
        target in 0.0_f64..0.03,
        from in prop_oneof![0_usize..20, 0_usize..1461],
        cut in prop_oneof![0_usize..20, 0_usize..1461],
    ) {
        check(planted, share, target, |i| from <= i && i < 1461 - cut)?;
    }
}
