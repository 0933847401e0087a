//! Garbled months, totals that never move again and bills that dispute the meter, in the figures that count.
//!
//! Must never: let a garbled value reach what the right one misses, or a true saving stay doubted against a person's word.

use model::{BillQuality, Confidence, Explanation};
use proptest::prelude::*;

use super::*;
use crate::counter::Decision;

const DOUBTS: [&str; 3] = ["reporting.month_doubtful", "reporting.other_unit", "reporting.confirmed"];

fn achieved(case: &Case) -> Option<f64> {
    result(&case.year(), "final").achieved
}

/// Saved at best and in the bound that counts, in Smc or kWh.
fn saved(year: &ProjectYear) -> (f64, f64) {
    let totals = &only(year).totals;
    (totals.avoided, totals.avoided_low)
}

fn garble(case: &mut Case, months: &[u32], times: f64) {
    for &number in months {
        let month = case.month_mut(0, 2025, number);
        month.amount = (month.amount as f64 * times).round() as i64;
        (month.low, month.high) = (month.amount, Some(month.amount));
    }
}

/// The same year, told by bills that end on these days instead of by the meter.
fn billed(share: f64, ends: &[&str], garbled: impl Fn(usize, i64) -> i64) -> Case {
    let mut case = Case::gas(share);
    case.meters[0].months.months.retain(|m| m.month.year == 2023);
    let mut from = day("2025-01-01");
    for (number, end) in ends.iter().enumerate() {
        let to = day(end);
        let law: f64 = from.iter_days().take_while(|d| *d < to).map(|d| share * gas_litres(d)).sum();
        case.meters[0].bills.push(BilledPeriod {
            supply_point: "pdr".to_owned(),
            from,
            to,
            amount: garbled(number, law.round() as i64),
            unit: BaseUnit::Litre,
            quality: BillQuality::Read,
        });
        from = to;
    }
    case
}

const MONTHLY: [&str; 12] = [
    "2025-02-01",
    "2025-03-01",
    "2025-04-01",
    "2025-05-01",
    "2025-06-01",
    "2025-07-01",
    "2025-08-01",
    "2025-09-01",
    "2025-10-01",
    "2025-11-01",
    "2025-12-01",
    "2026-01-01",
];
const TWO_MONTHLY: [&str; 6] =
    ["2025-03-01", "2025-05-01", "2025-07-01", "2025-09-01", "2025-11-01", "2026-01-01"];

fn word(from: &str, to: &str) -> Adjustment {
    Adjustment {
        number: 1,
        meter: MeterId::new("gas").unwrap(),
        from: day(from),
        to: day(to),
        energy: 0.0,
        author: "energy manager".to_owned(),
        reason: "caldaia spenta per lavori".to_owned(),
        recorded_at: Instant::from_seconds(1_760_000_000),
    }
}

#[test]
fn a_garbled_month_saves_nothing_in_the_bound_that_counts_and_is_named() {
    let plain = Case::gas(0.88).year();
    let (best, low) = saved(&plain);
    let met = result(&plain, "final").achieved.unwrap();
    for (months, times) in
        [(&[1][..], 0.001), (&[1], 0.0), (&[1, 2], 0.0), (&[1, 2, 12], 0.1), (&[7], 0.1), (&[1, 11], 0.001)]
    {
        let mut case = Case::gas(0.88);
        garble(&mut case, months, times);
        let target = &mut case.scheme.kpis[1].target;
        *target = Target::AtLeast(met * 1.005);
        let year = case.year();
        let (now_best, now_low) = saved(&year);
        assert!(best < now_best, "what was measured stays the best estimate");
        assert!(now_low <= low, "{months:?} {times}: {now_low} {low}");
        let kpi = result(&year, "final");
        assert_eq!(kpi.verdict, Verdict::Undetermined, "{months:?} {times}: what is doubted decides");
        assert!(kpi.because.contains(&"reporting.month_doubtful".to_owned()), "{:?}", kpi.because);
        for number in months {
            let about = format!("meter:gas 2025-{number:02}");
            let told = year.findings.iter().find(|f| f.subject == about).unwrap();
            assert_eq!((told.code, told.severity), ("reporting.month_doubtful", Severity::Caution));
            let row = &only(&year).months[*number as usize - 1];
            assert!(
                row.avoided.is_some() && row.adjusted_baseline < row.measured_high.map(|high| high + 1e-6),
                "{row:?}"
            );
        }
        assert_eq!(codes(&year).iter().filter(|c| DOUBTS.contains(c)).count(), months.len());
    }
}

#[test]
fn a_garbled_month_counts_no_less_than_the_others_of_a_year_that_saves_nothing() {
    let worse = saved(&Case::gas(1.1).year()).1;
    let mut case = Case::gas(1.1);
    garble(&mut case, &[1], 0.001);
    let now = saved(&case.year()).1;
    assert!(now <= worse + 0.002 * planted_2025(), "{now} {worse}");
}

#[test]
fn garbled_bills_save_nothing_whatever_days_they_end_on() {
    for ends in [&MONTHLY[..], &TWO_MONTHLY] {
        // What is true; the bounds of months that share a bill are below it already.
        let truth = 0.12 * planted_2025();
        for times in [0, 1, 10] {
            let case = billed(0.88, ends, |n, amount| if n == 0 { amount * times / 100 } else { amount });
            let year = case.year();
            assert!(saved(&year).1 <= truth, "{} bills, {times} %", ends.len());
            let first = year
                .findings
                .iter()
                .any(|f| f.code == "reporting.month_doubtful" && f.subject == "meter:gas 2025-01");
            assert!(first, "{:?}", codes(&year));
            let february = year.findings.iter().any(|f| f.subject == "meter:gas 2025-02");
            assert_eq!(february, ends.len() == 6, "the bill's other month too");
        }
    }
}

#[test]
fn a_year_in_another_unit_is_withheld_until_a_person_confirms_it() {
    let mut case = Case::gas(0.88);
    garble(&mut case, &(1..=12).collect::<Vec<u32>>(), 0.001);
    let year = case.year();
    let told: Vec<_> = year.findings.iter().filter(|f| f.code == "reporting.other_unit").collect();
    assert_eq!((told.len(), told[0].severity), (1, Severity::Blocks));
    assert_eq!((result(&year, "final").verdict, achieved(&case)), (Verdict::Undetermined, None));
    assert!(!codes(&year).contains(&"reporting.month_doubtful"), "said once");
    assert!(saved(&year).1 <= 0.0);
    // Eleven months are not the year.
    case.adjustments = vec![word("2025-01-01", "2025-12-01")];
    assert_eq!(result(&case.year(), "final").verdict, Verdict::Undetermined);
    case.adjustments = vec![word("2025-01-01", "2026-01-01")];
    let year = case.year();
    assert_eq!(result(&year, "final").verdict, Verdict::Reached);
    assert_eq!(codes(&year).iter().filter(|c| **c == "reporting.confirmed").count(), 12);
}

/// A lost digit is told whatever the year's shape and however few its bills.
#[test]
fn an_eighth_of_a_year_s_use_or_less_is_withheld() {
    let withheld = |case: &Case, what: &str| {
        let year = case.year();
        let told = year.findings.iter().any(|f| (f.code, f.severity) == (DOUBTS[1], Severity::Blocks));
        assert!(told, "{what}: {:?}", codes(&year));
        assert_ne!(result(&year, "final").verdict, Verdict::Reached, "{what}");
        assert!(saved(&year).1 <= 0.0, "{what}");
    };
    for percent in [1, 5, 6, 8, 10, 11] {
        for ends in [&MONTHLY[..], &TWO_MONTHLY, &MONTHLY[11..]] {
            let case = billed(1.0, ends, |_, amount| amount * percent / 100);
            withheld(&case, &format!("{} bills at {percent} %", ends.len()));
        }
        let mut flat = Case::power(1.05);
        flat.meters[0].months = series(BaseUnit::WattHour, |_| 90_000.0, |_| 94_500.0);
        for mut case in [Case::power(1.0), flat] {
            garble(&mut case, &(1..=12).collect::<Vec<u32>>(), percent as f64 / 100.0);
            withheld(&case, &format!("power at {percent} %"));
        }
    }
}

#[test]
fn a_persons_word_lifts_a_doubt_and_stands_beside_the_figure() {
    let mut case = Case::gas(0.88);
    garble(&mut case, &[1], 0.05);
    let doubted = achieved(&case).unwrap();
    let inputs = case.year().provenance.inputs;
    // A part of the month says nothing of the month, nor does the word on another meter.
    case.adjustments = vec![word("2025-01-02", "2025-03-01")];
    assert!(near(achieved(&case).unwrap(), doubted, 1e-9));
    case.adjustments =
        vec![Adjustment { meter: MeterId::new("luce").unwrap(), ..word("2025-01-01", "2025-02-01") }];
    assert!(near(achieved(&case).unwrap(), doubted, 1e-9));
    case.adjustments = vec![word("2025-01-01", "2025-02-01")];
    let year = case.year();
    let confirmed = result(&year, "final").achieved.unwrap();
    assert!(doubted < confirmed && near(confirmed, only(&year).totals.avoided * 9.5 / 1000.0, 0.01));
    let told: Vec<_> = year.findings.iter().filter(|f| DOUBTS.contains(&f.code)).collect();
    assert_eq!((told.len(), told[0].code, told[0].severity), (1, "reporting.confirmed", Severity::Note));
    assert!(told[0].says.contains("energy manager confirmed it: caldaia spenta"), "{told:?}");
    assert_eq!(only(&year).record.adjustments, case.adjustments);
    assert!(!codes(&year).iter().any(|c| c.starts_with("adjustment.")), "it adds nothing");
    assert_ne!(year.provenance.inputs, inputs);
}

#[test]
fn true_savings_are_not_doubted() {
    let noisy = |share: f64, law: fn(NaiveDate) -> f64| {
        move |d: NaiveDate| {
            let n = (d - day("2022-01-01")).num_days() as f64;
            share * law(d) * (1.0 + 0.15 * (n * 1.7).sin() + 0.05 * (n / 30.0).sin())
        }
    };
    for share in [0.2, 0.5, 0.7, 0.88, 1.0, 1.2] {
        for (mut case, unit, law) in [
            (Case::gas(share), BaseUnit::Litre, gas_litres as fn(NaiveDate) -> f64),
            (Case::power(share), BaseUnit::WattHour, power_wh as fn(NaiveDate) -> f64),
        ] {
            let year = case.year();
            assert!(!codes(&year).iter().any(|c| DOUBTS.contains(c)), "{share}: {:?}", codes(&year));
            case.meters[0].months = series(unit, noisy(1.0, law), noisy(share, law));
            let year = case.year();
            assert!(!codes(&year).iter().any(|c| DOUBTS.contains(c)), "{share}: {:?}", codes(&year));
        }
    }
}

/// A total that stands still from the tenth of October to the end of the year.
fn standing(total: i64, after: i64, by_person: bool) -> Decision {
    let at = |text: &str| Instant::parse_rfc3339(text).unwrap();
    Decision {
        at: at("2025-10-10T10:00:00Z"),
        explanation: Explanation::Standstill,
        confidence: Confidence::Likely,
        from: at("2025-10-10T10:00:00Z"),
        to: at("2025-12-31T23:00:00Z"),
        before: total,
        seen: total,
        after,
        booked: 0,
        low: 0,
        high: 0,
        alternatives: Vec::new(),
        by_person,
    }
}

fn stands_still(decision: Option<Decision>) -> Case {
    let mut case = Case::gas(0.88);
    garble(&mut case, &[10], 0.3);
    garble(&mut case, &[11, 12], 0.0);
    if decision.as_ref().is_some_and(|d| !d.by_person) {
        let day = 86_400_000;
        let still = [(10, 21 * day), (11, 30 * day), (12, 31 * day)];
        case.meters[0].still = still.map(|(number, of)| (Month { year: 2025, number }, of)).to_vec();
    }
    case.meters[0].decisions.extend(decision);
    case
}

#[test]
fn a_total_that_never_moves_again_counts_no_better_than_a_meter_that_is_not_read() {
    let stuck = stands_still(Some(standing(5_000, 5_000, false)));
    let year = stuck.year();
    let mut dead = stands_still(None);
    dead.meters[0].months.months.retain(|m| m.month < Month { year: 2025, number: 10 });
    let without = dead.year();
    let months = |code: &str, of: &ProjectYear| of.findings.iter().filter(|f| f.code == code).count();
    assert_eq!((months("series.stuck", &year), months("series.flat", &year)), (3, 0));
    assert_eq!(months("series.coverage.low", &year), 0, "one reason is enough");
    let told = year.findings.iter().find(|f| f.code == "series.stuck").unwrap();
    assert_eq!((told.severity, told.subject.as_str()), (Severity::Blocks, "meter:gas 2025-10"));
    assert_eq!(result(&year, "final").verdict, result(&without, "final").verdict);
    assert_eq!(result(&year, "final").verdict, Verdict::Undetermined);
    assert!(saved(&year).1 <= saved(&without).1 + 1e-9, "{:?} {:?}", saved(&year), saved(&without));
    for row in &only(&year).months[9..] {
        assert_eq!((row.avoided, row.measured_high, row.is_whole()), (None, None, false));
    }
    // One that went on works, so its zero is a value that saves nothing until somebody confirms it.
    let went_on = stands_still(Some(standing(5_000, 5_100, false)));
    let year = went_on.year();
    assert_eq!((months("series.stuck", &year), months("series.flat", &year)), (0, 3));
    let bounded = result(&year, "final").achieved.unwrap();
    assert!(bounded < achieved(&Case::gas(0.88)).unwrap());
    assert_eq!(months("reporting.month_doubtful", &year), 0, "one reason is enough");
    // What stands since the works ended is a boiler out of use: it withholds nothing, and saves nothing.
    let since = Instant::parse_rfc3339("2024-11-29T10:00:00Z").unwrap();
    let mut unused = stands_still(None);
    garble(&mut unused, &(1..=12).collect::<Vec<u32>>(), 0.0);
    unused.meters[0].still =
        Month::all_of(2025).iter().map(|m| (*m, i64::from(m.days()) * 86_400_000)).collect();
    unused.meters[0].decisions = vec![Decision { from: since, ..standing(5_000, 5_000, false) }];
    let year = unused.year();
    assert_eq!((months("series.stuck", &year), months("series.flat", &year)), (0, 12));
    assert!(result(&year, "final").achieved.unwrap() < 0.05, "{:?}", result(&year, "final"));
    // By a person's word the zero is one, and no doubt is left of the months that it fills.
    let confirmed = stands_still(Some(standing(5_000, 5_000, true)));
    let year = confirmed.year();
    assert_eq!((months("series.stuck", &year), months("series.flat", &year)), (0, 0));
    assert!(bounded < result(&year, "final").achieved.unwrap());
    assert_ne!(year.provenance.inputs, stuck.year().provenance.inputs);
}

#[test]
fn where_nothing_is_expected_a_total_may_stand() {
    // Gas that only heats: nothing is burnt in summer.
    let heats = |d: NaiveDate| 4000.0 * (15.5 - mean_c(d)).max(0.0);
    let mut case = Case::gas(0.88);
    case.meters[0].months = series(BaseUnit::Litre, heats, |d| 0.88 * heats(d));
    let at = |text: &str| Instant::parse_rfc3339(text).unwrap();
    case.until = day("2025-09-01");
    case.meters[0].decisions = vec![Decision {
        from: at("2025-07-02T10:00:00Z"),
        to: at("2025-08-31T22:00:00Z"),
        ..standing(5_000, 5_000, false)
    }];
    assert!(!codes(&case.year()).contains(&"series.stuck"), "{:?}", codes(&case.year()));
}

#[test]
fn a_bill_that_disputes_a_whole_month_widens_it_to_the_worse_of_both() {
    let (plain, march) = (Case::gas(0.88), Month { year: 2025, number: 3 });
    let used = plain.meters[0].months.get(march).unwrap().amount;
    let with = |amount: i64| {
        let mut case = Case::gas(0.88);
        case.meters[0].bills.push(BilledPeriod {
            supply_point: "pdr".to_owned(),
            from: march.first_day(),
            to: march.end_day(),
            amount,
            unit: BaseUnit::Litre,
            quality: BillQuality::Read,
        });
        case
    };
    let right = achieved(&plain).unwrap();
    for (amount, lost) in [(used, 0), (used + used / 200, 0), (10 * used, 9 * used), (used / 2, 0)] {
        let case = with(amount);
        let year = case.year();
        let told = year.findings.iter().any(|f| {
            (f.code, f.severity, f.subject.as_str())
                == ("bills.dispute", Severity::Caution, "meter:gas 2025-03")
        });
        assert_eq!(told, used < (amount - used).abs() * 100, "{amount} {used}");
        let expected = right - lost as f64 / 1000.0 * 9.5 / 1000.0;
        assert!(near(result(&year, "final").achieved.unwrap(), expected, 1e-6), "{amount}");
        assert!(near(only(&year).totals.avoided, only(&plain.year()).totals.avoided, 1e-6));
        let mut alone = with(amount);
        alone.meters[0].months.months.retain(|m| m.month != march);
        let (both, alone) = (achieved(&case).unwrap(), achieved(&alone).unwrap());
        if amount < used {
            // A bill at half is doubted where it stands alone: taking the readings away gains nothing.
            assert!(alone <= both + 0.01 * right, "{amount} {alone} {both}");
        } else {
            // Readings beside a bill never count for more than the bill alone, but for what rounding makes of both.
            assert!(both <= alone + 0.01 * right, "{amount} {alone} {both}");
        }
    }
    // A bill of a year that is no comparison's lowers the baseline at most.
    let mut case = Case::gas(0.88);
    case.meters[0].bills.push(BilledPeriod {
        from: day("2023-01-01"),
        to: day("2023-02-01"),
        ..with(10 * used).meters[0].bills[0].clone()
    });
    assert!(achieved(&case).unwrap() <= right + 1e-9);
}

#[test]
fn months_of_little_need_are_held_against_those_of_more() {
    // The mildest months of spring and autumn, and an autumn month beside a winter one with its value.
    for (months, swapped) in [(&[4_u32, 10][..], None), (&[10], Some((10, 12)))] {
        for share in [0.5, 0.88, 1.0, 1.1] {
            let mut case = Case::power(share);
            if let Some((a, b)) = swapped {
                swap(&mut case, a, b);
            }
            garble(&mut case, months, if swapped.is_some() { 0.1 } else { 0.001 });
            let year = case.year();
            for number in months {
                let about = format!("meter:gas 2025-{number:02}");
                assert!(
                    year.findings.iter().any(|f| f.subject == about && f.code == DOUBTS[0]),
                    "{share} {number}"
                );
            }
        }
    }
}

#[test]
fn a_doubted_meter_makes_no_kpi_reached_by_its_other_months() {
    // January with February's value passes for a saving; February at nothing does not, and takes its word away.
    let mut case = Case::gas(1.0);
    swap(&mut case, 1, 2);
    garble(&mut case, &[2], 0.0);
    let year = case.year();
    let nothing = result(&year, "co2");
    assert!(0.0 < nothing.achieved.unwrap(), "the bound alone would reach a target of nothing");
    assert_eq!(nothing.verdict, Verdict::Undetermined);
    let told = year.findings.iter().find(|f| f.code == "kpi.doubtful_meter").unwrap();
    assert_eq!((told.severity, told.subject.as_str()), (Severity::Caution, "kpi:co2 2025"));
    case.adjustments = vec![word("2025-02-01", "2025-03-01")];
    assert_eq!(result(&case.year(), "co2").verdict, Verdict::Reached, "a person's word is taken");
}

fn swap(case: &mut Case, a: u32, b: u32) {
    let (of_a, of_b) = (*case.month_mut(0, 2025, a), *case.month_mut(0, 2025, b));
    for (of, to) in [(of_a, b), (of_b, a)] {
        let month = case.month_mut(0, 2025, to);
        (month.amount, month.low, month.high) = (of.amount, of.low, of.high);
    }
}

#[derive(Debug, Clone, Copy)]
enum Garble {
    Times(f64),
    Swap(u32),
}

fn garbling() -> impl Strategy<Value = (u32, Garble)> {
    let of = prop_oneof![
        Just(Garble::Times(0.0)),
        Just(Garble::Times(0.1)),
        Just(Garble::Times(0.001)),
        Just(Garble::Times(10.0)),
        (1_u32..=12).prop_map(Garble::Swap),
    ];
    (1_u32..=12, of)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is garbled in one month or two, the bound gains no more than the law itself may be off by.
    #[test]
    fn garbling_never_helps(
        power in any::<bool>(),
        share in prop_oneof![Just(0.5), Just(0.88), Just(1.0), Just(1.1)],
        garbled in prop::collection::vec(garbling(), 1..3),
    ) {
        let planted = if power { Case::power(share) } else { Case::gas(share) };
        let mut case = if power { Case::power(share) } else { Case::gas(share) };
        for (number, how) in &garbled {
            match how {
                Garble::Times(times) => garble(&mut case, &[*number], *times),
                Garble::Swap(other) => swap(&mut case, *number, *other),
            }
        }
        let (right, wrong) = (planted.year(), case.year());
        let scale = only(&right).totals.adjusted_baseline;
        let told = codes(&wrong).iter().any(|c| DOUBTS.contains(c));
        // Beside a garbled month that is told, one with another month's value may pass for one that saved more.
        let most = if told { 0.1 } else { 0.01 };
        prop_assert!(saved(&wrong).1 <= saved(&right).1 + most * scale, "{:?} {:?}", saved(&wrong), saved(&right));
        for (a, b) in right.kpis.iter().zip(&wrong.kpis) {
            prop_assert!(b.verdict != Verdict::Reached || a.verdict == Verdict::Reached, "{b:?}");
        }
    }
}
