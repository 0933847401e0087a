//! Values from files: what is missing stays missing, and a register's slip is never a use.
//!
//! Must never: take an expected figure from the code under test.

use model::{BaseUnit, Channel, MeterId, Quantity, SeriesKey};
use proptest::prelude::*;

use super::*;

const ROME: Zone = Zone::Europe__Rome;
const QUARTER: i64 = 900_000;

fn settings(ceiling_per_hour: f64) -> SeriesSettings {
    SeriesSettings {
        gas: None,
        unit: BaseUnit::WattHour,
        zone: ROME,
        ceiling_per_milli: ceiling_per_hour / 3_600.0,
        wraps_at: None,
        resolution: 1,
        gap_after_millis: 0,
    }
}

fn series() -> SeriesKey {
    SeriesKey { meter: MeterId::new("m").unwrap(), channel: Channel::total(Quantity::ActiveEnergyImport) }
}

fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

fn interval(from: Instant, to: Instant, amount: i64) -> FiledInterval {
    FiledInterval { series: series(), from, to, amount, received_at: Instant::default() }
}

/// Quarter-hours of a span, one Wh each.
fn quarters(from: Instant, to: Instant) -> Vec<FiledInterval> {
    (from.millis()..to.millis())
        .step_by(QUARTER as usize)
        .map(|t| interval(Instant::from_millis(t), Instant::from_millis(t + QUARTER), 1))
        .collect()
}

const UNTIL: &str = "2026-01-01T00:00:00+01:00";

#[test]
fn quarter_hours_cover_a_month_to_the_last_one() {
    let march = Month { year: 2025, number: 3 };
    let (from, to) = march.bounds(ROME);
    let months = interval_months(&quarters(from, to), &settings(10.0), at(UNTIL));
    let value = months.get(march).unwrap();
    // 31 days of 96 quarters, less the hour of the clock change.
    assert_eq!((value.amount, value.low, value.high), (2972, 2972, Some(2972)));
    assert_eq!((value.coverage_ratio, value.estimated_ratio), (1.0, 0.0));
    assert_eq!(months.months.len(), 1);
}

#[test]
fn a_missing_quarter_is_bounded_and_not_zero() {
    let june = Month { year: 2025, number: 6 };
    let (from, to) = june.bounds(ROME);
    let mut all = quarters(from, to);
    all.remove(100);
    let months = interval_months(&all, &settings(10.0), at(UNTIL));
    let value = months.get(june).unwrap();
    // 10 kWh an hour at most: a quarter of an hour can hide 2.5 kWh.
    assert_eq!((value.amount, value.high), (2879, Some(2879 + 2500)));
    assert!((value.coverage_ratio - 2879.0 / 2880.0).abs() < 1e-12);
}

#[test]
fn an_interval_over_a_boundary_bounds_both_months_and_keeps_its_sum() {
    let whole = interval(at("2025-01-17T00:00:00+01:00"), at("2025-02-15T00:00:00+01:00"), 290);
    let months = interval_months(&[whole], &settings(0.0), at(UNTIL));
    let rows: Vec<_> = months.months.iter().map(|m| (m.amount, m.low, m.high, m.estimated_ratio)).collect();
    assert_eq!(rows, [(150, 0, None, 1.0), (140, 0, None, 1.0)]);
    let year = interval(at("2025-01-01T00:00:00+01:00"), at("2026-01-01T00:00:00+01:00"), 12);
    let months = interval_months(&[year], &settings(0.0), at(UNTIL));
    assert!(months.months.iter().all(|m| m.coverage_ratio == 0.0), "a year's sum covers no month");
}

fn totals(list: &[(&str, i64)]) -> Vec<FiledTotal> {
    let one = |(day, total): &(&str, i64)| FiledTotal {
        series: series(),
        at: at(&format!("{day}T00:00:00+01:00")),
        total: *total,
        received_at: Instant::default(),
    };
    list.iter().map(one).collect()
}

fn periods(list: &[(&str, i64)], ceiling: f64, factor: f64) -> (Vec<(String, i64)>, usize) {
    let settings = settings(ceiling);
    let of = TotalsOf { subject: "meter:m", supply_point: "p", settings: &settings, factor };
    let (periods, findings) = total_periods(&totals(list), &of);
    (periods.iter().map(|p| (format!("{} {}", p.from, p.to), p.amount)).collect(), findings.len())
}

fn row(text: &str, amount: i64) -> (String, i64) {
    (text.to_owned(), amount)
}

#[test]
fn totals_make_periods_and_the_coefficient_keeps_their_sum() {
    let list = [("2025-01-01", 1_000_000), ("2025-02-01", 1_333_333), ("2025-03-01", 1_666_667)];
    let (found, findings) = periods(&list, 0.0, 1.017_506);
    let sum: i64 = found.iter().map(|(_, amount)| amount).sum();
    // (1 666 667 − 1 000 000) × 1.017506, each end rounded by itself.
    assert_eq!((sum, findings), (678_338, 0));
}

#[test]
fn a_slip_is_left_out_and_the_sum_over_it_holds() {
    let low = [("2025-01-01", 800), ("2025-02-01", 1000), ("2025-03-01", 9), ("2025-04-01", 1200)];
    assert_eq!(
        periods(&low, 0.0, 1.0),
        (vec![row("2025-01-01 2025-02-01", 200), row("2025-02-01 2025-04-01", 200)], 1)
    );
    let high = [("2025-01-01", 800), ("2025-02-01", 9000), ("2025-03-01", 1100), ("2025-04-01", 1200)];
    assert_eq!(
        periods(&high, 0.0, 1.0),
        (vec![row("2025-01-01 2025-03-01", 300), row("2025-03-01 2025-04-01", 100)], 1)
    );
    // With 1 Wh an hour at most, the leap itself is not believed.
    let leap = [("2025-01-01", 800), ("2025-02-01", 90_000), ("2025-03-01", 1100), ("2025-04-01", 1200)];
    assert_eq!(
        periods(&leap, 0.001, 1.0),
        (vec![row("2025-01-01 2025-03-01", 300), row("2025-03-01 2025-04-01", 100)], 1)
    );
}

#[test]
fn an_exchange_leaves_a_hole() {
    let list = [
        ("2025-01-01", 800),
        ("2025-02-01", 1000),
        ("2025-03-01", 5),
        ("2025-04-01", 105),
        ("2025-05-01", 205),
    ];
    let wanted = vec![
        row("2025-01-01 2025-02-01", 200),
        row("2025-03-01 2025-04-01", 100),
        row("2025-04-01 2025-05-01", 100),
    ];
    assert_eq!(periods(&list, 0.0, 1.0), (wanted, 1));
    // A last total that nothing confirms is in doubt.
    assert_eq!(periods(&list[..3], 0.0, 1.0), (vec![row("2025-01-01 2025-02-01", 200)], 1));
}

#[test]
fn a_total_that_speaks_against_the_last_leaves_both_possible() {
    let list = [("2025-09-30", 1000), ("2025-10-31", 1600), ("2025-11-30", 2000), ("2025-12-31", 1650)];
    // Typed for 2650, or November was typed for 1620: its 400 are shown and prove nothing.
    let settings = settings(25_000.0);
    let of = TotalsOf { subject: "meter:m", supply_point: "p", settings: &settings, factor: 1.0 };
    let (found, findings) = total_periods(&totals(&list), &of);
    let rows: Vec<_> = found.iter().map(|p| (p.amount, p.quality)).collect();
    assert_eq!(rows, [(600, BillQuality::Read), (400, BillQuality::Estimated)]);
    assert_eq!(findings.iter().map(|f| f.month.number).collect::<Vec<_>>(), [12]);
    // A later total that follows both: the sum holds over the three months and nothing says how it parts.
    let with = |last: (&'static str, i64)| {
        let mut list = list.to_vec();
        list.push(last);
        periods(&list, 25_000.0, 1.0)
    };
    assert_eq!(
        with(("2026-01-31", 2100)),
        (vec![row("2025-09-30 2025-10-31", 600), row("2025-10-31 2026-01-31", 500)], 2)
    );
    // One that follows the fallen total only: two agree that the one between was too high.
    assert_eq!(
        with(("2026-01-31", 1700)),
        (
            vec![
                row("2025-09-30 2025-10-31", 600),
                row("2025-10-31 2025-12-31", 50),
                row("2025-12-31 2026-01-31", 50)
            ],
            1
        )
    );
    // Nothing before the two: neither is ground.
    let first = [("2025-01-01", 2000), ("2025-02-01", 1900), ("2025-03-01", 2100), ("2025-04-01", 2200)];
    assert_eq!(periods(&first, 0.0, 1.0), (vec![row("2025-03-01 2025-04-01", 100)], 2));
}

#[test]
fn read_bills_stand_and_estimates_give_way() {
    let bill = |from: &str, to: &str, quality| BilledPeriod {
        supply_point: "p".to_owned(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        amount: 7,
        unit: BaseUnit::WattHour,
        quality,
    };
    let bills = vec![
        bill("2025-01-01", "2025-02-01", BillQuality::Read),
        bill("2025-02-01", "2025-03-01", BillQuality::Estimated),
    ];
    let read = vec![
        bill("2025-01-15", "2025-02-01", BillQuality::Read),
        bill("2025-02-01", "2025-03-01", BillQuality::Read),
    ];
    let found = beside_bills(bills.clone(), read.clone());
    assert_eq!(found, [bills[0].clone(), read[1].clone()]);
}

#[test]
fn the_meter_itself_goes_before_a_file_where_it_measured_enough() {
    let value = |number, coverage_ratio, amount| MonthValue {
        month: Month { year: 2025, number },
        amount,
        low: amount,
        high: Some(amount),
        coverage_ratio,
        estimated_ratio: 0.0,
        joint: None,
    };
    let of = |months| MonthlySeries { unit: BaseUnit::WattHour, months };
    let own = of(vec![value(1, 0.95, 1), value(2, 0.5, 1), value(4, 0.5, 1)]);
    let filed = of(vec![value(1, 1.0, 2), value(2, 0.8, 2), value(3, 0.1, 2), value(4, 0.4, 2)]);
    let (months, findings) = prefer(own, filed, "meter:m");
    let amounts: Vec<i64> = months.months.iter().map(|m| m.amount).collect();
    assert_eq!((amounts, findings.len()), (vec![1, 2, 2, 1], 0));
}

#[test]
fn a_file_never_takes_away_what_the_meter_proved() {
    let june = Month { year: 2025, number: 6 };
    let value = |amount, low, high, coverage_ratio| MonthValue {
        month: june,
        amount,
        low,
        high,
        coverage_ratio,
        estimated_ratio: 0.0,
        joint: None,
    };
    // 27.7 % measured: at least 1133 kWh, and at most what the connection carries besides.
    let own = value(1_133_000, 1_133_000, Some(18_301_000), 0.277);
    let of = |months| MonthlySeries { unit: BaseUnit::WattHour, months };
    let with = |filed| {
        let (months, findings) = prefer(of(vec![own]), of(vec![filed]), "meter:m");
        (months.months[0], findings)
    };
    let refused = [
        value(10_000, 10_000, Some(10_000), 1.0),
        // Its own upper bound does not help an amount that is said to be of the whole month.
        value(10_000, 10_000, Some(900_000_000), 1.0),
        value(10_000, 10_000, None, 0.95),
        value(10_000, 0, Some(20_000), 0.5),
        // More than the gap can hold: production, or a baseline, would gain by it.
        value(19_000_000, 19_000_000, Some(19_000_000), 1.0),
    ];
    for filed in refused {
        let (month, findings) = with(filed);
        assert_eq!(month, own, "{filed:?}");
        let [told] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((told.month, told.finding.code), (june, "filed.contradict"));
        assert_eq!(told.finding.subject, "meter:m 2025-06");
        assert!(told.finding.says.contains("1133.000 kWh"), "{}", told.finding.says);
    }
    let taken = [
        (value(4_000_000, 4_000_000, Some(4_000_000), 1.0), (4_000_000, 4_000_000, Some(4_000_000))),
        // Rounded to the kWh, read at another hour.
        (value(1_130_000, 1_130_000, Some(1_130_000), 1.0), (1_133_000, 1_130_000, Some(1_133_000))),
        // Half of the month, and another half than the meter's: the lower bound is the meter's.
        (value(900_000, 900_000, Some(9_000_000), 0.5), (1_133_000, 1_133_000, Some(9_000_000))),
    ];
    for (filed, wanted) in taken {
        let (month, findings) = with(filed);
        assert_eq!((month.amount, month.low, month.high), wanted, "{filed:?}");
        assert!(findings.is_empty() && month.coverage_ratio == filed.coverage_ratio);
    }
}

proptest! {
    /// Whatever the totals, no period is negative, none overlaps another, and together they claim no more than the
    /// highest total allows.
    #[test]
    fn periods_never_claim_more_than_the_totals(list in proptest::collection::vec(0_i64..10_000, 0..20)) {
        let totals: Vec<FiledTotal> = (0..).zip(&list).map(|(i, &total)| FiledTotal {
            series: series(),
            at: at("2025-01-01T00:00:00+01:00").plus_seconds(i * 86_400 * 30),
            total,
            received_at: Instant::default(),
        }).collect();
        let settings = settings(0.0);
        let of = TotalsOf { subject: "m", supply_point: "p", settings: &settings, factor: 1.0 };
        let (periods, _) = total_periods(&totals, &of);
        prop_assert!(periods.iter().all(|p| 0 <= p.amount && p.from < p.to));
        prop_assert!(periods.windows(2).all(|w| w[0].to <= w[1].from));
        for run in periods.chunk_by(|a, b| a.to == b.from) {
            let sum: i64 = run.iter().map(|p| p.amount).sum();
            prop_assert!(sum <= list.iter().max().copied().unwrap_or_default());
        }
    }

    /// One total among true ones that is a slip of the pen, anywhere and by anything: the truth stays within each month.
    #[test]
    fn a_slip_never_excludes_the_truth(
        used in proptest::collection::vec(0_i64..500, 3..12),
        slip in any::<proptest::sample::Index>(),
        shows in 0_i64..8_000,
    ) {
        let mut total = 1_000;
        let mut shown = Vec::new();
        let month = |i: usize| Month { year: 2025, number: i as u32 + 1 };
        for used in &used {
            shown.push(total);
            total += used;
        }
        // The first total has nothing before it and the last one nothing after it: neither can be found out.
        let at_slip = 1 + slip.index(used.len() - 2);
        shown[at_slip] = shows;
        let totals: Vec<FiledTotal> = shown.iter().enumerate().map(|(i, &total)| FiledTotal {
            series: series(),
            at: month(i).bounds(Zone::Europe__Rome).0,
            total,
            received_at: Instant::default(),
        }).collect();
        let settings = settings(1.0);
        let of = TotalsOf { subject: "m", supply_point: "p", settings: &settings, factor: 1.0 };
        let (periods, findings) = total_periods(&totals, &of);
        // A slip between its neighbours is seen by nobody.
        if findings.is_empty() { return Ok(()); }
        let settled = crate::bills::settle(&periods, settings.unit, 0.0, "m");
        let months = crate::bills::months(
            &settled.periods, settings.unit, Zone::Europe__Rome, settings.ceiling_per_milli,
        );
        for (i, &truth) in used.iter().enumerate().take(used.len() - 1) {
            if let Some(value) = months.get(month(i)) {
                prop_assert!(value.low <= truth, "{truth} {value:?} {shown:?}");
                prop_assert!(value.high.is_some_and(|high| truth <= high), "{truth} {value:?} {shown:?}");
            }
        }
    }

    /// Months of any intervals without overlap add up to them, and never cover more time than they do.
    #[test]
    fn months_keep_every_unit(lengths in proptest::collection::vec((1_i64..40, 0_i64..3, 0_i64..1000), 0..40)) {
        let (mut t, mut list) = (at("2025-01-10T00:00:00Z").millis(), Vec::new());
        for (days, gap, amount) in lengths {
            let from = t + gap * 86_400_000;
            t = from + days * 86_400_000;
            list.push(interval(Instant::from_millis(from), Instant::from_millis(t), amount));
        }
        let months = interval_months(&list, &settings(5.0), at("2040-01-01T00:00:00Z"));
        let sum: i64 = months.months.iter().map(|m| m.amount).sum();
        prop_assert_eq!(sum, list.iter().map(|i| i.amount).sum::<i64>());
        prop_assert!(months.months.iter().all(|m| m.low <= m.amount && m.high.is_none_or(|h| m.amount <= h)));
    }
}
