//! What a counter's doubts and people's acts do to the figures of a year.
//!
//! Must never: let an act or a doubt raise what is achieved.

use model::{Act, BillQuality, DatedAct, MeterAct, Quantity, SeriesKey};

use super::*;

fn achieved(case: &Case) -> f64 {
    result(&case.year(), "final").achieved.unwrap()
}

fn codes(year: &ProjectYear) -> Vec<(&'static str, Severity)> {
    year.findings.iter().map(|f| (f.code, f.severity)).collect()
}

const MAY: Month = Month { year: 2025, number: 5 };
const DAY: i64 = 86_400_000;

#[test]
fn a_standstill_earns_nothing_until_somebody_confirms_it() {
    let plain = achieved(&Case::gas(0.88));
    let mut still = Case::gas(0.88);
    let may = still.month_mut(0, 2025, 5);
    (may.amount, may.low, may.high) = (0, 0, Some(0));
    // Who confirms the standstill confirms the month.
    let word = Adjustment {
        number: 1,
        meter: MeterId::new("gas").unwrap(),
        from: day("2025-05-01"),
        to: day("2025-06-01"),
        energy: 0.0,
        author: "the caretaker".to_owned(),
        reason: "closed".to_owned(),
        recorded_at: Instant::from_seconds(1_760_000_000),
    };
    still.adjustments = vec![word];
    let confirmed = achieved(&still);
    assert!(plain < confirmed, "a month of nothing is a saving when it is true");
    still.adjustments.clear();
    still.meters[0].still = vec![(MAY, 31 * DAY)];
    let year = still.year();
    let open = result(&year, "final").achieved.unwrap();
    assert!(open < plain, "{open} {plain}: until then the month saves nothing");
    assert!(codes(&year).contains(&("series.flat", Severity::Caution)));
    // The course's line counts the month as nothing used; the band's lower line, as the result, as use.
    let course = super::figures::with_laws(&still, crate::evaluate::course);
    let last = course.iter().find(|c| c.code == "final").unwrap().points[11].unwrap();
    // With the meter's own error besides.
    assert!(last.low.unwrap() <= open + 1e-6 && plain < last.best.unwrap(), "{last:?} {open} {plain}");
}

#[test]
fn an_edited_reading_names_its_author_and_widens_the_month() {
    let mut case = Case::gas(0.88);
    let acts = vec![MeterAct {
        series: SeriesKey {
            meter: MeterId::new("gas").unwrap(),
            channel: model::Channel::total(Quantity::GasStandardVolume),
        },
        dated: DatedAct {
            at: Instant::parse_rfc3339("2025-05-10T10:00:00Z").unwrap(),
            act: Act::Corrected { total: 1 },
        },
        author: "the caretaker".to_owned(),
        reason: "a typing error".to_owned(),
        recorded_at: Instant::parse_rfc3339("2025-06-01T10:00:00Z").unwrap(),
    }];
    case.meters[0].acts = acts.clone();
    let year = case.year();
    let finding = year.findings.iter().find(|f| f.code == "reading.edited").unwrap();
    assert_eq!((finding.severity, finding.subject.as_str()), (Severity::Caution, "meter:gas 2025-05"));
    assert!(finding.says.contains("the caretaker") && finding.says.contains("a typing error"));
    assert_eq!(only(&year).record.acts, acts);
    assert_ne!(year.provenance.inputs, Case::gas(0.88).year().provenance.inputs);
    // One that no reading bears out has no effect, and that is said too.
    case.meters[0].refused_acts = vec![acts[0].dated];
    assert!(codes(&case.year()).contains(&("act.without_effect", Severity::Caution)));
    // Of a year that does not count, nothing.
    case.meters[0].acts[0].dated.at = Instant::parse_rfc3339("2021-05-10T10:00:00Z").unwrap();
    case.meters[0].refused_acts.clear();
    let year = case.year();
    assert!(!year.findings.iter().any(|f| f.code == "reading.edited"));
    assert!(only(&year).record.acts.is_empty());
}

#[test]
fn a_gap_is_mended_by_a_read_bill_and_by_no_estimate() {
    let truth = achieved(&Case::gas(0.88));
    let gap = |quality: Option<BillQuality>| {
        let mut case = Case::gas(0.88);
        let may = case.month_mut(0, 2025, 5);
        let used = may.amount;
        // Two days without totals: 93.5 % measured.
        may.amount = used * 29 / 31;
        may.low = may.amount;
        may.high = Some(may.amount + 2 * 24 * 40_000);
        may.coverage_ratio = 29.0 / 31.0;
        case.meters[0].bills.extend(quality.map(|quality| BilledPeriod {
            supply_point: "pdr".to_owned(),
            from: day("2025-05-01"),
            to: day("2025-06-01"),
            amount: used,
            unit: BaseUnit::Litre,
            quality,
        }));
        achieved(&case)
    };
    let (alone, estimated) = (gap(None), gap(Some(BillQuality::Estimated)));
    assert!(alone < truth, "the gap may hide what the connection carries");
    assert!(near(estimated, alone, 1e-9));
    assert!(near(gap(Some(BillQuality::Read)), truth, 1e-6));
}

/// May as the meter has it with a gap, beside a read bill of the whole month.
fn billed_may(change: impl Fn(&mut MonthValue), amount: impl Fn(i64) -> i64) -> Case {
    let mut case = Case::gas(0.88);
    let may = case.month_mut(0, 2025, 5);
    let used = may.amount;
    change(may);
    case.meters[0].bills.push(BilledPeriod {
        supply_point: "pdr".to_owned(),
        from: day("2025-05-01"),
        to: day("2025-06-01"),
        amount: amount(used),
        unit: BaseUnit::Litre,
        quality: BillQuality::Read,
    });
    case
}

#[test]
fn a_month_that_meter_and_bill_tell_differently_is_withheld_until_it_is_settled() {
    // The bill says more than the gap of an hour can hold.
    let hour = |may: &mut MonthValue| {
        may.amount /= 2;
        may.low = may.amount;
        may.high = Some(may.amount + 10);
        may.coverage_ratio = 0.999;
    };
    // The meter alone saw more in a quarter of the month than was billed for all of it.
    let quarter = |may: &mut MonthValue| {
        may.low = may.amount;
        may.high = Some(may.amount + 22 * 24 * 40_000);
        may.coverage_ratio = 0.277;
    };
    let cases = [(billed_may(hour, |used| used), 0.999), (billed_may(quarter, |used| used / 2), 0.277)];
    for (case, coverage) in cases {
        let own = case.meters[0].months.get(MAY).unwrap().amount as f64 / 1000.0;
        let year = case.year();
        assert!(codes(&year).contains(&("bills.contradict", Severity::Blocks)), "{:?}", codes(&year));
        let low = codes(&year).contains(&("series.coverage.low", Severity::Blocks));
        assert_eq!(low, coverage < 0.9);
        let may = &only(&year).months[4];
        assert_eq!((may.coverage_ratio, may.avoided, may.is_whole()), (coverage, None, false));
        assert!(own <= may.measured.unwrap() && may.measured.unwrap() < own * 1.002);
        let verdicts: Vec<Verdict> = year.kpis.iter().map(|k| k.verdict).collect();
        assert!(!verdicts.contains(&Verdict::Reached), "{verdicts:?}");
        assert_eq!(only(&year).totals.compared_months, 11);
    }
}

#[test]
fn a_file_that_contradicts_the_meter_withholds_the_month() {
    let mut case = Case::gas(0.88);
    let may = case.month_mut(0, 2025, 5);
    (may.high, may.coverage_ratio) = (Some(may.amount + 22 * 24 * 40_000), 0.277);
    let own = case.meters[0].months.clone();
    let mut filed = MonthlySeries::empty(BaseUnit::Litre);
    filed.months.push(MonthValue {
        amount: 10,
        low: 10,
        high: Some(10),
        coverage_ratio: 1.0,
        ..*own.get(MAY).unwrap()
    });
    let (months, findings) = crate::filed::prefer(own, filed, "meter:gas");
    (case.meters[0].months, case.meters[0].findings) = (months, findings);
    let year = case.year();
    for code in ["filed.contradict", "series.coverage.low"] {
        assert!(codes(&year).contains(&(code, Severity::Blocks)), "{:?}", codes(&year));
    }
    assert_eq!(
        (result(&year, "final").verdict, result(&year, "final").achieved),
        (Verdict::Undetermined, None)
    );
}

#[test]
fn a_bill_that_the_meter_contradicts_makes_no_baseline() {
    let mut case = Case::gas(0.88);
    let january = case.month_mut(0, 2023, 1);
    january.coverage_ratio = 0.5;
    january.high = Some(january.amount + 10);
    let amount = january.amount * 10;
    case.meters[0].bills.push(BilledPeriod {
        supply_point: "pdr".to_owned(),
        from: day("2023-01-01"),
        to: day("2023-02-01"),
        amount,
        unit: BaseUnit::Litre,
        quality: BillQuality::Read,
    });
    let year = case.year();
    let Baseline::Fitted(model) = &only(&year).baseline else { panic!("no model") };
    assert_eq!(model.quality.n, 11);
    assert!(codes(&year).contains(&("bills.contradict", Severity::Caution)));
}

#[test]
fn only_what_is_in_doubt_is_dropped_from_the_baseline() {
    let with = |code: &'static str, severity| {
        let mut case = Case::gas(0.88);
        let month = Month { year: 2023, number: 1 };
        let finding = Finding::new(code, severity, "meter:gas 2023-01", "x", "y");
        case.meters[0].findings.push(DatedFinding { month, finding });
        let year = case.year();
        let Baseline::Fitted(model) = &only(&year).baseline else { panic!("no model") };
        model.quality.n
    };
    assert_eq!(with("counter.wrapped", Severity::Note), 12);
    assert_eq!(with("counter.impossible", Severity::Note), 12);
    assert_eq!(with("counter.exchanged", Severity::Note), 12);
    assert_eq!(with("counter.reset", Severity::Caution), 11);
    assert_eq!(with("counter.wrap_doubtful", Severity::Caution), 11);
    assert_eq!(with("counter.unit_change", Severity::Caution), 11);
}
