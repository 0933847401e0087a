//! Baselines of less than a year: taken where the data are for it, told, and reached only with the whole band.
//!
//! Must never: let what so few months leave open count for the beneficiary.

use super::*;

/// The planted gas meter with these months of 2023 as its baseline.
fn short(share: f64, months: std::ops::RangeInclusive<u32>) -> Case {
    let mut case = Case::gas(share);
    case.meters[0].months.months.retain(|m| m.month.year == 2025 || months.contains(&m.month.number));
    case
}

#[test]
fn less_than_a_year_takes_the_ratio_of_degree_days_and_says_why() {
    let year = short(0.7, 1..=6).year();
    let Baseline::Fitted(model) = &only(&year).baseline else { panic!("{:?}", codes(&year)) };
    assert_eq!((model.method, model.quality.baseline_days), ("degree-days", 181));
    let of = |code: &str| year.findings.iter().find(|f| f.code == code).unwrap_or_else(|| panic!("{code}"));
    assert!(of("method.chosen").values.iter().any(|(name, value)| *name == "kind" && value == "short"));
    assert_eq!(of("baseline.short").severity, Severity::Caution);
    assert!(result(&year, "final").because.contains(&"kpi.short_baseline".to_owned()));
    let totals = &only(&year).totals;
    let truth = 0.3 * planted_2025();
    assert!(totals.avoided_low <= truth && truth <= totals.avoided_high, "{totals:?} {truth}");
    // A year of the same meter has no such finding.
    let whole = Case::gas(0.7).year();
    assert!(!codes(&whole).contains(&"kpi.short_baseline") && !codes(&whole).contains(&"baseline.short"));
}

#[test]
fn a_short_baseline_reaches_only_with_its_whole_band() {
    let judged = |target: f64| {
        let mut case = short(0.4, 1..=6);
        case.project.declared[0].value = target;
        let year = case.year();
        let of = result(&year, "4.c.2");
        (of.verdict, of.low.unwrap(), of.achieved.unwrap())
    };
    let (_, low, achieved) = judged(1.0);
    assert!(0.0 < low && low < achieved, "{low} {achieved}");
    assert_eq!(judged(0.99 * low).0, Verdict::Reached);
    assert_eq!(judged(0.5 * (low + achieved)).0, Verdict::Undetermined);
    assert_eq!(judged(1.01 * achieved).0, Verdict::Missed);
    // With a year the best estimate at the worse bound of what was not measured is what counts, as it was.
    let mut year = Case::gas(0.4);
    let of = result(&year.year(), "4.c.2").clone();
    year.project.declared[0].value = 0.5 * (of.low.unwrap() + of.achieved.unwrap());
    assert_eq!(result(&year.year(), "4.c.2").verdict, Verdict::Reached);
}

#[test]
fn winter_alone_leaves_the_base_load_open_and_its_band_holds_the_truth() {
    for share in [0.5, 1.0] {
        let year = short(share, 1..=3).year();
        assert!(codes(&year).contains(&"ratio.base_load_unknown"), "{:?}", codes(&year));
        let (winter, half) = (only(&year).totals.clone(), only(&short(share, 1..=6).year()).totals.clone());
        let truth = (1.0 - share) * planted_2025();
        assert!(winter.avoided_low <= truth && truth <= winter.avoided_high, "{winter:?} {truth}");
        assert!(half.avoided_high - half.avoided_low < winter.avoided_high - winter.avoided_low);
    }
}

#[test]
fn two_months_carry_nothing() {
    let year = short(0.5, 1..=2).year();
    assert!(matches!(only(&year).baseline, Baseline::Unknown));
    assert!(year.kpis.iter().all(|k| k.verdict != Verdict::Reached));
}

#[test]
fn what_is_used_now_is_still_told_by_a_year_alone() {
    let mut case = Case::gas(0.5);
    case.until = day("2025-07-01");
    case.meters[0].months.months.retain(|m| m.month < Month { year: 2025, number: 7 });
    let input = |case: &Case| {
        laws::laws(&YearInput {
            project: Arc::new(case.project.clone()),
            scheme: Arc::new(case.scheme.clone()),
            factors: Arc::new(case.factors.clone()),
            year: 2025,
            until: case.until,
            meters: case.meters.clone(),
            temperatures: &case.temperatures,
            neighbour: None,
            places: Vec::new(),
            catalog: Digest([7; 32]),
            frozen: Vec::new(),
            adjustments: Vec::new(),
        })
    };
    assert!(input(&case)[0].reporting.is_none());
}
