//! Two targets: the gas and the electricity files of the regulator's portal.
//!
//! Laws: of a supply point, every total is of another instant and every quarter-hour counts once; totals are never
//! negative nor larger than a register; nothing is received before its day; no quarter holds more than the connection
//! carries; the order of rows decides nothing but which of equal ones is named.
//!
//! Allowed errors: those of `laws::assert_file_error`; allowed findings: those of `load_curve` and
//! `import.total.falls`, `import.totals.fall`.
//!
//! Must never: convert gas to standard conditions.

use std::collections::BTreeSet;

use connectors::files::{ROWS_MAX, Stated, read_arera_electricity, read_arera_gas};
use model::Zone;

use crate::laws::assert_import;
use crate::load_curve::{QUARTER_MILLIS, assert_findings};

/// 10^9 kWh or m3 in smallest units.
const TOTAL_MAX: i64 = 1_000_000_000_000;
const FALLS: [&str; 2] = ["import.total.falls", "import.totals.fall"];

/// Bytes: the file.
pub fn gas(data: &[u8]) {
    let report = read_arera_gas(data, Zone::Europe__Rome);
    let Some(report) = assert_import(data, report, ROWS_MAX, |on| on.line) else { return };
    assert_findings(&report.findings, &FALLS);
    let told = report.accepted.len() + report.repeated + report.refused.len();
    assert_eq!(report.read, told, "a row is lost or counted twice");
    let mut seen = BTreeSet::new();
    for on in &report.accepted {
        let total = on.value.value;
        assert!((0..=TOTAL_MAX).contains(&total.total), "{on:?}");
        let received = total.received.expect("the file says when it was received");
        // A total is of the first instant after its day.
        assert!(total.at.plus_millis(-1).day(Zone::Europe__Rome) <= received, "{on:?}");
        assert!(seen.insert((on.value.point.to_string(), total.at)), "{on:?} is stated twice");
    }
}

/// Bytes: the file.
pub fn electricity(data: &[u8]) {
    let report = read_arera_electricity(data, Zone::Europe__Rome, &|_| Some(40.0));
    let Some(report) = assert_import(data, report, ROWS_MAX, |on| on.line) else { return };
    assert_findings(&report.findings, &FALLS);
    let (mut totals, mut quarters) = (BTreeSet::new(), BTreeSet::new());
    for on in &report.accepted {
        match on.value.value {
            Stated::Total(total) => {
                assert!((0..=TOTAL_MAX).contains(&total.total), "{on:?}");
                assert!(totals.insert((on.value.point.to_string(), total.at)), "{on:?} is stated twice");
            }
            Stated::Interval(interval) => {
                assert_eq!(interval.to.millis() - interval.from.millis(), QUARTER_MILLIS);
                assert_eq!(interval.from.millis() % QUARTER_MILLIS, 0, "{interval:?} is not aligned");
                assert!((0..=10_000).contains(&interval.amount), "{on:?}");
                assert!(quarters.insert((on.value.point.to_string(), interval.from)), "{on:?} counts twice");
            }
        }
    }
    // A row is refused as a whole, or each of its cells.
    assert!(report.refused.len() <= report.read * 101 && report.repeated <= report.read);
}
