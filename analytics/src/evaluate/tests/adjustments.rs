//! What people adjust for non-routine events.
//!
//! Must never: let an adjustment that raises a saving pass for a measured one.

use super::*;

fn adjustment(number: u32, from: &str, to: &str, energy: f64) -> Adjustment {
    Adjustment {
        number,
        meter: MeterId::new("gas").unwrap(),
        from: day(from),
        to: day(to),
        energy,
        author: "energy manager".to_owned(),
        reason: "palestra nuova".to_owned(),
        recorded_at: Instant::from_seconds(1_760_000_000),
    }
}

#[test]
fn an_adjustment_is_added_to_the_months_it_falls_on_and_told() {
    let mut case = Case::gas(0.88);
    let before = case.year();
    // 200 Smc over 20 days, half of them in January.
    case.adjustments = vec![adjustment(1, "2025-01-22", "2025-02-11", 200.0)];
    let year = case.year();
    let months = &only(&year).months;
    for (row, was) in months.iter().zip(&only(&before).months) {
        let wanted = if row.month.number <= 2 { 100.0 } else { 0.0 };
        assert!(near(row.adjustment, wanted, 1e-9), "{row:?}");
        assert!(near(row.adjusted_baseline.unwrap() - was.adjusted_baseline.unwrap(), wanted, 1e-9));
        assert!(near(row.avoided.unwrap() - was.avoided.unwrap(), wanted, 1e-9));
    }
    let (totals, was) = (&only(&year).totals, &only(&before).totals);
    assert!(near(totals.adjustment, 200.0, 1e-9) && near(totals.avoided - was.avoided, 200.0, 1e-6));
    // The band is the law's and does not change with a person's word, but for the meter's own error: 1.5 % of the
    // difference to either side.
    let width = |t: &crate::result::MeterTotals| t.avoided_high - t.avoided_low;
    assert!(near(width(totals), width(was), 2.0 * 0.015 * 200.0 + 1e-6));
    let told = year.findings.iter().find(|f| f.code == "adjustment.raises").unwrap();
    assert_eq!(told.severity, Severity::Caution);
    assert!(told.says.contains("raises by 200.0 Smc") && told.says.contains("energy manager"), "{told:?}");
    assert!(result(&year, "final").because.contains(&"adjustment.raises".to_owned()));
    assert_eq!(only(&year).record.adjustments.len(), 1);
    assert_ne!(year.provenance.inputs, before.provenance.inputs);
}

#[test]
fn an_adjustment_that_lowers_the_saving_lowers_what_counts() {
    let mut case = Case::gas(0.88);
    let before = result(&case.year(), "final").achieved.unwrap();
    case.adjustments = vec![adjustment(1, "2025-01-01", "2026-01-01", -365.0)];
    let year = case.year();
    let k = result(&year, "final");
    assert!(near(before - k.achieved.unwrap(), 365.0 * 9.5 / 1000.0, 1e-6));
    assert!(codes(&year).contains(&"adjustment.lowers") && !codes(&year).contains(&"adjustment.raises"));
}

#[test]
fn in_the_structured_file_an_adjustment_stands_on_the_months_it_falls_on() {
    let mut case = Case::gas(0.88);
    case.adjustments = vec![
        adjustment(1, "2025-01-22", "2025-02-11", 200.0),
        adjustment(2, "2025-06-01", "2025-07-01", -30.0),
    ];
    let file = crate::report::structured::structured(&case.year(), &crate::report::beside::Beside::default());
    let months = |code: &str| -> Vec<u32> {
        let of = file.rows.iter().filter(|row| row.findings.iter().any(|found| found == code));
        of.map(|row| row.month.number).collect()
    };
    assert_eq!(months("adjustment.raises"), [1, 2]);
    assert_eq!(months("adjustment.lowers"), [6]);
    // Ten days of January and ten of February bear the same, and the column takes a person's part out again.
    let bare = Case::gas(0.88).year();
    let bare = crate::report::structured::structured(&bare, &crate::report::beside::Beside::default());
    let mut parts = Vec::new();
    for (row, without) in file.rows.iter().zip(&bare.rows) {
        let (baseline, part) = (row.adjusted_baseline.unwrap(), row.adjustment.unwrap());
        assert!(near(baseline - part, without.adjusted_baseline.unwrap(), 0.002), "{}", row.month);
        assert_eq!((without.adjustment, without.note.as_deref()), (Some(0.0), None));
        if part != 0.0 {
            parts.push((row.month.number, part));
            let note = row.note.as_deref().unwrap_or_default();
            assert!(note.starts_with("2025-0") && note.contains("energy manager"), "{note}");
        } else {
            assert_eq!(row.note, None, "{}", row.month);
        }
    }
    assert_eq!(parts, [(1, 100.0), (2, 100.0), (6, -30.0)]);
}

#[test]
fn what_lies_before_completion_or_is_of_another_meter_changes_nothing() {
    let mut case = Case::gas(0.88);
    let before = result(&case.year(), "final").achieved;
    let mut other = adjustment(2, "2025-03-01", "2025-04-01", 500.0);
    other.meter = MeterId::new("other").unwrap();
    case.adjustments = vec![adjustment(1, "2024-01-01", "2024-12-01", 500.0), other];
    let year = case.year();
    assert_eq!(result(&year, "final").achieved, before);
    assert!(only(&year).record.adjustments.is_empty());
    assert!(!codes(&year).iter().any(|c| c.starts_with("adjustment")));
}

#[test]
fn the_chain_of_a_kpi_shows_a_persons_part() {
    let mut case = Case::gas(0.88);
    case.adjustments = vec![adjustment(1, "2025-01-22", "2025-02-11", 200.0)];
    let year = case.year();
    let chain = crate::explain::of(&year, "kpi:final", &crate::explain::Evidence::new()).unwrap();
    assert_eq!(chain.broken(1e-9), Vec::<&crate::explain::Node>::new());
    fn parts(node: &crate::explain::Node) -> f64 {
        let own = if node.key == "explain.adjustment" { node.value.unwrap() } else { 0.0 };
        own + node.children.iter().map(parts).sum::<f64>()
    }
    assert!(near(parts(&chain), 200.0, 1e-9));
}
