//! Days and months: civil time, exact sums, bounds, gaps, findings.
//!
//! Must never: compare with a figure computed by the code under test.

use model::{BaseUnit, Severity};
use proptest::prelude::*;

use super::*;

const ROME: Zone = Zone::Europe__Rome;

fn settings() -> SeriesSettings {
    SeriesSettings {
        gas: None,
        unit: BaseUnit::WattHour,
        zone: ROME,
        // 100 kW.
        ceiling_per_milli: 100_000.0 / 3_600_000.0,
        wraps_at: None,
        resolution: 1,
        gap_after_millis: GAP_MILLIS_MIN,
    }
}

fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

fn month(year: i32, number: u32) -> Month {
    Month { year, number }
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A total every `minutes` from `from` to `to`, growing by `step`.
fn run(accumulator: &mut Accumulator, from: Instant, to: Instant, minutes: i64, step: i64) -> i64 {
    let mut total = accumulator.last_total().unwrap_or(1_000_000);
    let mut t = from;
    while t <= to {
        assert!(matches!(accumulator.push(t, total), Pushed::Counted(_)));
        total += step;
        t = t.plus_seconds(minutes * 60);
    }
    total - step
}

#[test]
fn days_of_23_and_25_hours_have_their_energy() {
    let mut a = Accumulator::new(settings());
    run(&mut a, at("2025-03-28T23:00:00Z"), at("2025-04-01T22:00:00Z"), 10, 100);
    run(&mut a, at("2025-10-24T22:00:00Z"), at("2025-10-27T23:00:00Z"), 10, 100);
    for (date, hours) in [("2025-03-29", 24), ("2025-03-30", 23), ("2025-10-25", 24), ("2025-10-26", 25)] {
        assert_eq!(a.today(day(date)), hours * 600, "{date}");
        let days = a.days();
        let value = days.iter().find(|d| d.day == day(date)).unwrap();
        assert_eq!(value.covered_millis, hours * 3_600_000, "{date}");
    }
    assert_eq!(a.today(day("2024-01-01")), 0);
}

#[test]
fn a_whole_month_is_covered_and_sharp() {
    let mut a = Accumulator::new(settings());
    run(&mut a, at("2025-02-28T23:00:00Z"), at("2025-03-31T22:00:00Z"), 10, 100);
    let months = a.snapshot(at("2025-03-31T22:00:00Z"));
    let march = months.get(month(2025, 3)).unwrap();
    // 743 hours of 600 Wh.
    assert_eq!((march.amount, march.low, march.high), (445_800, 445_800, Some(445_800)));
    assert_eq!((march.coverage_ratio, march.estimated_ratio), (1.0, 0.0));
    assert_eq!(months.months.len(), 1);
}

#[test]
fn an_outage_over_a_month_end_is_split_and_bounded() {
    let mut a = Accumulator::new(settings());
    run(&mut a, at("2025-04-30T00:00:00Z"), at("2025-04-30T21:00:00Z"), 10, 100);
    // Silent for four hours around midnight of 30 April (22:00 UTC), then 1 003 Wh more.
    let total = a.last_total().unwrap();
    a.push(at("2025-05-01T01:00:00Z"), total + 1_003);
    let months = a.snapshot(at("2025-05-01T01:00:00Z"));
    let (april, may) = (months.get(month(2025, 4)).unwrap(), months.get(month(2025, 5)).unwrap());
    let before = 21 * 600;
    assert_eq!((april.amount, may.amount), (before + 251, 752));
    assert_eq!((april.low, may.low), (before, 0));
    // April lacks everything before the 30th: 29 days and 2 hours at 100 kW.
    assert_eq!(april.high, Some(before + 1_003 + (29 * 24 + 2) * 100_000));
    assert_eq!(may.high, Some(1_003));
    assert_eq!(may.estimated_ratio, 1.0);
    let codes: Vec<_> = a.findings("meter:x").into_iter().map(|f| f.finding.code).collect();
    // Told in both months that it lies in.
    assert_eq!(codes, ["series.gap", "series.gap"]);
    let hours: Vec<_> = a.findings("meter:x").into_iter().map(|f| f.finding.values[1].1.clone()).collect();
    assert_eq!(hours, ["1.0", "3.0"]);
}

#[test]
fn time_after_the_last_total_is_not_covered() {
    let mut a = Accumulator::new(settings());
    run(&mut a, at("2025-05-31T22:00:00Z"), at("2025-06-15T22:00:00Z"), 10, 100);
    let months = a.snapshot(at("2025-06-20T22:00:00Z"));
    let june = months.get(month(2025, 6)).unwrap();
    assert_eq!(june.amount, 15 * 24 * 600);
    assert_eq!(june.high, Some(15 * 24 * 600 + 5 * 24 * 100_000));
    assert_eq!(june.coverage_ratio, 0.5);
    let unbounded = SeriesSettings { ceiling_per_milli: 0.0, ..settings() };
    let mut b = Accumulator::new(unbounded);
    run(&mut b, at("2025-05-31T22:00:00Z"), at("2025-06-15T22:00:00Z"), 10, 100);
    assert_eq!(b.snapshot(at("2025-06-20T22:00:00Z")).months[0].high, None);
}

#[test]
fn a_reset_loses_only_what_no_two_totals_carry() {
    let mut a = Accumulator::new(settings());
    let last = run(&mut a, at("2025-05-31T22:00:00Z"), at("2025-06-10T22:00:00Z"), 10, 100);
    assert_eq!(last, 1_000_000 + 10 * 24 * 600);
    for (i, total) in [10, 110, 210].into_iter().enumerate() {
        a.push(at("2025-06-10T22:10:00Z").plus_seconds(i as i64 * 600), total);
    }
    let june = *a.snapshot(at("2025-06-10T22:30:00Z")).get(month(2025, 6)).unwrap();
    assert_eq!(june.amount, 144_000 + 200);
    // The ten minutes between the last good total and the first low one.
    let hidden = (100_000.0_f64 / 6.0).ceil() as i64;
    // And those after it, should that one have been garbled: with the store of fifteen minutes and the learned step.
    let after = (100_000.0_f64 / 6.0 + 25_000.0) as i64 + 100 - 100;
    assert_eq!(june.high, Some(june.amount + hidden + after));
    assert_eq!(june.low, june.amount - 100);
    let findings = a.findings("meter:x");
    assert_eq!((findings.len(), findings[0].finding.code), (1, "counter.reset"));
    assert_eq!(findings[0].finding.severity, Severity::Caution);
    assert_eq!(findings[0].finding.subject, "meter:x 2025-06");
}

#[test]
fn an_impossible_claim_blocks_until_it_is_taken_back() {
    let mut a = Accumulator::new(settings());
    let last = run(&mut a, at("2025-06-01T00:00:00Z"), at("2025-06-02T00:00:00Z"), 1, 10);
    let t = at("2025-06-02T00:01:00Z");
    assert_eq!(a.push(t, last + 50_000_000), Pushed::Counted(Step::Impossible));
    let finding = |a: &Accumulator| a.findings("meter:x").remove(0).finding;
    assert_eq!((finding(&a).code, finding(&a).severity), ("counter.impossible", Severity::Blocks));
    assert_eq!(a.push(t.plus_seconds(60), last + 20), Pushed::Counted(Step::Recovered));
    // Taken back: noise, and nothing for a person to do.
    assert_eq!(finding(&a).severity, Severity::Note);
    assert_eq!(a.today(day("2025-06-02")), 2 * 60 * 10 + 20);
}

#[test]
fn a_chattering_counter_does_not_fill_the_memory() {
    let mut a = Accumulator::new(settings());
    let start = at("2025-06-01T00:00:00Z");
    for i in 0..20_000 {
        let total = if i % 2 == 0 { 5_000_000 + i } else { 0 };
        a.push(start.plus_seconds(i * 60), total);
    }
    assert_eq!(a.findings("meter:x").len(), 1);
    assert_eq!(a.findings("meter:x")[0].finding.values[0], ("count", "10000".to_owned()));
}

#[test]
fn readings_out_of_order_or_out_of_age_change_nothing() {
    let mut a = Accumulator::new(settings());
    run(&mut a, at("2025-06-01T00:00:00Z"), at("2025-06-01T01:00:00Z"), 1, 10);
    let before = a.snapshot(at("2025-07-01T00:00:00Z"));
    assert_eq!(a.push(at("2025-06-01T00:30:30Z"), 1), Pushed::OutOfOrder);
    assert_eq!(a.push(at("2025-06-01T01:00:00Z"), 1), Pushed::Repeated);
    assert_eq!(a.push(at("1970-01-01T00:10:00Z"), 1), Pushed::OutOfRange);
    assert_eq!(a.push(Instant::from_millis(i64::MAX), 1), Pushed::OutOfRange);
    assert_eq!(a.snapshot(at("2025-07-01T00:00:00Z")), before);
    assert_eq!(a.readings(), 61);
}

#[test]
fn a_leap_day_belongs_to_february() {
    let mut a = Accumulator::new(settings());
    run(&mut a, at("2024-01-31T23:00:00Z"), at("2024-02-29T23:00:00Z"), 10, 100);
    let february = a.snapshot(at("2024-02-29T23:00:00Z")).months[0];
    assert_eq!((february.amount, february.coverage_ratio), (29 * 24 * 600, 1.0));
}

mod acts;
mod events;
mod laws;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    /// Months and days of an unbroken run add up to the difference of its ends, wherever the readings fall.
    #[test]
    fn months_of_an_unbroken_run_add_up(
        start in 1_600_000_000_i64..1_700_000_000,
        steps in prop::collection::vec((1_i64..5_000_000, 0_u32..=100), 1..80),
    ) {
        let mut a = Accumulator::new(settings());
        let (mut t, mut total) = (start, 7_i64);
        a.push(Instant::from_seconds(t), total);
        for (seconds, percent) in steps {
            t += seconds;
            total += (seconds as f64 * 100_000.0 / 3_600.0 * f64::from(percent) / 100.0) as i64;
            let counted = matches!(a.push(Instant::from_seconds(t), total), Pushed::Counted(Step::Advance));
            prop_assert!(counted);
        }
        let months = a.snapshot(Instant::from_seconds(t)).months;
        prop_assert_eq!(months.iter().map(|m| m.amount).sum::<i64>(), total - 7);
        prop_assert_eq!(a.days().iter().map(|d| d.amount).sum::<i64>(), total - 7);
        prop_assert_eq!(a.days().iter().map(|d| d.covered_millis).sum::<i64>(), (t - start) * 1000);
        for m in &months {
            prop_assert!(0 <= m.low && m.low <= m.amount && m.high.is_some_and(|h| m.amount <= h), "{m:?}");
        }
    }

    /// A series that is kept and taken up again, wherever it is cut, is the one that was never kept; its hours add up to
    /// its days.
    #[test]
    fn a_checkpoint_changes_nothing(
        story in prop::collection::vec((0_u8..40, 1_i64..7_200, 0_i64..3_000), 2..120),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        act in any::<prop::sample::Index>(),
        hours: bool,
    ) {
        let settings = SeriesSettings { wraps_at: Some(1_000_000), ..settings() };
        let (mut t, mut total) = (at("2025-06-29T20:00:00Z"), 990_000_i64);
        let mut readings = Vec::new();
        for (kind, seconds, amount) in story {
            t = t.plus_seconds(seconds);
            let seen = match kind {
                // Noise, resets, exchanges for another range, another unit, outages.
                0 => 0,
                1 => total + 400_000,
                2 => { total = amount; total }
                3 => { total = 500_000 + amount; total }
                4 => total / 10,
                5 => { t = t.plus_seconds(9 * 86_400); total += amount; total }
                _ => { total += amount; total }
            };
            if 1_000_000 <= total { total -= 1_000_000; }
            readings.push((t, seen.rem_euclid(1_000_000)));
        }
        let (when, value) = readings[act.index(readings.len())];
        let acts = [
            DatedAct { at: when, act: model::Act::Corrected { total: value / 2 } },
            DatedAct { at: when.plus_seconds(60), act: model::Act::Exchanged { closing: Some(value), opening: None } },
            DatedAct { at: t, act: model::Act::Explained(Explanation::Reset) },
        ];
        let begin = || {
            let a = Accumulator::with_acts(settings, &acts);
            if hours { a.with_hours() } else { a }
        };
        let mut whole = begin();
        readings.iter().for_each(|r| { whole.push(r.0, r.1); });
        let mut kept = begin();
        let cuts: Vec<usize> = cuts.iter().map(|c| c.index(readings.len())).collect();
        for (i, r) in readings.iter().enumerate() {
            kept.push(r.0, r.1);
            if cuts.contains(&i) {
                let bytes = kept.checkpoint();
                let again = Accumulator::resume(settings, &acts, &bytes);
                prop_assert!(again.is_some());
                if let Some(again) = again { kept = again; }
                // Half of it is none.
                prop_assert!(Accumulator::resume(settings, &acts, &bytes[..bytes.len() / 2]).is_none());
            }
        }
        prop_assert_eq!(format!("{whole:?}"), format!("{kept:?}"));
        if hours {
            let sum = |f: fn(&HourValue) -> i64| whole.hours().iter().map(f).sum::<i64>();
            let days = |f: fn(&DayValue) -> i64| whole.days().iter().map(f).sum::<i64>();
            prop_assert_eq!(sum(|h| h.amount), days(|d| d.amount));
            prop_assert_eq!(sum(|h| h.covered_millis), days(|d| d.covered_millis));
            prop_assert_eq!(sum(|h| h.estimated), days(|d| d.estimated));
        }
    }

    /// Leaving readings out never raises a month's lower bound, lowers its upper bound or adds energy. A total that is
    /// repeated is another matter: the repetition itself puts in doubt what it may have hidden, and only its readings
    /// show it.
    #[test]
    fn fewer_readings_never_sharpen(
        powers in prop::collection::vec(1_i64..=100_000, 200),
        keep in prop::collection::vec(any::<bool>(), 200),
    ) {
        let start = at("2025-06-25T00:00:00Z");
        let until = at("2025-07-10T00:00:00Z");
        let series = |all: bool| {
            let mut a = Accumulator::new(settings());
            let mut total = 1_000_000;
            for (i, power) in powers.iter().enumerate() {
                if all || keep[i] {
                    a.push(start.plus_seconds(i as i64 * 3600), total);
                }
                total += power;
            }
            a.snapshot(until)
        };
        let (all, some) = (series(true), series(false));
        for m in &some.months {
            let whole = all.get(m.month).unwrap();
            prop_assert!(m.low <= whole.low);
            prop_assert!(whole.high <= m.high, "{whole:?} {m:?}");
            prop_assert!(m.coverage_ratio <= whole.coverage_ratio + 1e-12);
        }
        prop_assert!(some.months.iter().map(|m| m.amount).sum::<i64>() <= all.months.iter().map(|m| m.amount).sum());
    }
}

#[test]
fn a_false_catching_up_leaves_nothing_in_the_days_before_it() {
    // Three days without a rise, two false totals as of a register that caught up, then the true range again.
    let mut a = Accumulator::new(settings());
    let standing = run(&mut a, at("2025-06-01T00:00:00Z"), at("2025-06-04T00:00:00Z"), 10, 0);
    a.push(at("2025-06-04T00:10:00Z"), standing + 2_000_000);
    assert_eq!(a.push(at("2025-06-04T00:20:00Z"), standing + 2_000_010), Pushed::Counted(Step::CaughtUp));
    assert!(a.today(day("2025-06-02")) > 0);
    // One total is no proof of it: what is garbled may be low.
    assert_eq!(a.push(at("2025-06-04T00:30:00Z"), standing + 7), Pushed::Counted(Step::Held));
    assert_eq!(a.push(at("2025-06-04T00:40:00Z"), standing + 9), Pushed::Counted(Step::Recovered));
    let days: Vec<i64> = a.days().iter().map(|d| d.amount).collect();
    assert_eq!(days, [0, 0, 0, 9]);
    let june = a.snapshot(at("2025-06-04T00:40:00Z")).months[0];
    assert_eq!((june.amount, june.low), (9, 9));
}

#[test]
fn a_garbled_total_after_a_catching_up_takes_nothing_back() {
    // A garbled total takes the counter's ground away, which it finds again; hours later another is garbled like it.
    let mut a = Accumulator::new(settings());
    let mut push = |minutes: i64, total| a.push(at("2025-06-04T00:00:00Z").plus_seconds(minutes * 60), total);
    for (minutes, total) in [(0, 150), (15, 165), (30, 165), (45, 60_000), (60, 84_000)] {
        push(minutes, total);
    }
    let after = |hours: i64| 84_000 + hours * 20_000;
    for hours in 1..=12 {
        push(60 + hours * 60, after(hours));
    }
    assert_eq!(push(13 * 60 + 15, 196), Pushed::Counted(Step::Held));
    assert_eq!(push(13 * 60 + 30, after(13)), Pushed::Counted(Step::Recovered));
    let june = a.snapshot(at("2025-06-04T14:00:00Z")).months[0];
    assert_eq!(june.amount, after(13) - 150);
}

#[test]
fn two_garbled_totals_soon_after_a_reset_do_not_raise_the_lower_bound() {
    // Whether the register began twice or two totals were garbled, nobody can tell: 30 000 may have been used once.
    let mut a = Accumulator::new(settings());
    let last = run(&mut a, at("2025-05-31T22:00:00Z"), at("2025-06-10T22:00:00Z"), 10, 100);
    let sure = last - 1_000_000;
    for (i, total) in [0, 0, 15_000, 30_000, 10, 150, 40_000, 55_000].into_iter().enumerate() {
        a.push(at("2025-06-10T22:15:00Z").plus_seconds(i as i64 * 900), total);
    }
    let june = a.snapshot(at("2025-06-11T00:00:00Z")).months[0];
    assert!(june.low <= sure + 55_000, "{june:?}");
    assert!(sure + 55_000 + 30_000 - 10 <= june.amount, "{june:?}");
}

#[test]
fn a_zero_after_an_outage_is_no_wrap_and_costs_nothing() {
    // Three weeks of outage, a zero at power-up that could be a wrap, then the true range again.
    let ceiling_per_milli = 25_000.0 / 3_600_000.0;
    let gas = SeriesSettings {
        unit: BaseUnit::Litre,
        ceiling_per_milli,
        wraps_at: Some(100_000_000),
        ..settings()
    };
    let mut a = Accumulator::new(gas);
    for (t, total) in [
        ("2025-12-14T10:45:00Z", 89_999_900),
        ("2025-12-14T11:00:00Z", 90_000_000),
        ("2026-01-01T23:00:00Z", 0),
    ] {
        a.push(at(t), total);
    }
    let (mut t, mut total) = (at("2026-01-01T23:15:00Z"), 91_200_000);
    while t <= at("2026-02-28T23:00:00Z") {
        a.push(t, total);
        total += 100;
        t = t.plus_seconds(900);
    }
    // 28 days of 96 quarter-hours.
    let february = *a.snapshot(t).get(month(2026, 2)).unwrap();
    assert_eq!((february.amount, february.high), (28 * 96 * 100, Some(28 * 96 * 100)));
    let all: i64 = a.snapshot(t).months.iter().map(|m| m.amount).sum();
    assert_eq!(all, total - 100 - 89_999_900);
}

#[test]
fn findings_of_gas_at_the_meter_are_in_its_own_cubic_metres() {
    let told = |gas: Option<GasCoefficient>| {
        let mut a = Accumulator::new(SeriesSettings { unit: BaseUnit::Litre, gas, ..settings() });
        a.push(at("2025-06-10T10:00:00Z"), 1_000);
        a.push(at("2025-06-10T14:00:00Z"), 3_000);
        let gap = a.findings("meter:gas").into_iter().find(|f| f.finding.code == "series.gap").unwrap();
        let value = |name| gap.finding.values.iter().find(|(n, _)| *n == name).unwrap().1.clone();
        (value("energy"), value("unit"))
    };
    let coefficient = GasCoefficient::from_millionths(1_020_000);
    assert_eq!(told(coefficient), ("2.000".to_owned(), "m3".to_owned()));
    assert_eq!(told(None), ("2.000".to_owned(), "Smc".to_owned()));
}

#[test]
fn a_false_range_over_a_month_end_leaves_no_trace() {
    let mut a = Accumulator::new(settings());
    let last = run(&mut a, at("2025-04-30T12:00:00Z"), at("2025-04-30T21:00:00Z"), 10, 100);
    // Midnight is at 22:00 UTC: an hour low and rising before it and an hour after it, then as if nothing had been.
    let mut t = at("2025-04-30T21:10:00Z");
    for i in 0..12 {
        a.push(t, 50 + i * 4_000);
        t = t.plus_seconds(600);
    }
    assert!(a.snapshot(t).months[0].amount > 9 * 600, "the false range counts until it is known to be false");
    a.push(t, last + 1_300);
    let months = a.snapshot(t).months;
    // 130 minutes, 50 of them after the last good reading in April: 22:00 is the sixth of thirteen steps.
    assert_eq!((months[0].amount, months[1].amount), (9 * 600 + 600, 700));
    let codes: Vec<_> = a.decisions().iter().map(|d| (d.explanation, d.confidence)).collect();
    assert_eq!(codes, [(Explanation::Dip, Confidence::Certain)]);
}

#[test]
fn half_a_year_between_two_totals_is_not_measured_time() {
    let mut a = Accumulator::new(settings());
    a.push(at("2025-01-01T00:00:00Z"), 1_000);
    a.push(at("2025-07-01T00:00:00Z"), 1_001_000);
    let months = a.snapshot(at("2025-07-01T00:00:00Z")).months;
    assert!(months.iter().all(|m| m.coverage_ratio == 0.0), "{months:?}");
    assert_eq!(months.iter().map(|m| m.amount).sum::<i64>(), 1_000_000, "its energy is kept");
}

#[test]
fn hours_have_the_energy_of_their_time() {
    let mut a = Accumulator::new(settings()).with_hours();
    run(&mut a, at("2025-03-30T00:10:00Z"), at("2025-03-30T03:40:00Z"), 10, 100);
    let seen: Vec<_> = a.hours().iter().map(|h| (h.from, h.amount, h.covered_millis)).collect();
    let hour = |text: &str, amount| (at(text), amount, amount * 6_000);
    assert_eq!(
        seen,
        [
            hour("2025-03-30T00:00:00Z", 500),
            hour("2025-03-30T01:00:00Z", 600),
            hour("2025-03-30T02:00:00Z", 600),
            hour("2025-03-30T03:00:00Z", 400)
        ]
    );
    // A gap of two and a half hours: its energy lies in four hours, estimated, and nothing is lost.
    a.push(at("2025-03-30T06:10:00Z"), a.last_total().unwrap() + 1_001);
    let gap: Vec<_> = a.hours()[3..].iter().map(|h| (h.amount, h.estimated)).collect();
    assert_eq!(gap.iter().map(|g| g.1).sum::<i64>(), 1_001);
    assert_eq!(gap.len(), 4);
}
