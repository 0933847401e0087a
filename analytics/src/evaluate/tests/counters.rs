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
    let confirmed = achieved(&still);
    assert!(plain < confirmed, "a month of nothing is a saving when it is true");
    still.meters[0].still = vec![(MAY, 31 * DAY)];
    let year = still.year();
    let open = result(&year, "final").achieved.unwrap();
    assert!(open < plain, "{open} {plain}: until then the month saves nothing");
    assert!(codes(&year).contains(&("series.flat", Severity::Caution)));
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

#[test]
fn a_contradiction_between_meter_and_bill_is_said_and_the_higher_counts() {
    let mut case = Case::gas(0.88);
    let may = case.month_mut(0, 2025, 5);
    let used = may.amount;
    may.amount = used / 2;
    may.low = may.amount;
    may.high = Some(may.amount + 10);
    may.coverage_ratio = 0.999;
    case.meters[0].bills.push(BilledPeriod {
        supply_point: "pdr".to_owned(),
        from: day("2025-05-01"),
        to: day("2025-06-01"),
        amount: used,
        unit: BaseUnit::Litre,
        quality: BillQuality::Read,
    });
    let year = case.year();
    assert!(codes(&year).contains(&("bills.contradict", Severity::Caution)));
    assert!(near(only(&year).months[4].measured.unwrap(), used as f64 / 1000.0, 1e-9));
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
