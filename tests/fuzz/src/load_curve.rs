//! Quarter-hour load curves, with and without the supply point and the curve that are meant.
//!
//! Laws: intervals are quarters of an hour, aligned, each once; none holds more than the connection carries; every
//! value read is accepted, repeated, refused or said to be of an hour that cannot be told.
//!
//! Allowed errors: those of `laws::assert_file_error`; allowed findings: `import.days.missing`,
//! `import.values.missing`, `import.clock_change`, `import.repeated`.
//!
//! Must never: take an empty cell for zero.

use std::collections::BTreeSet;

use connectors::files::load_curve::CurveOptions;
use connectors::files::{VALUES_MAX, read_load_curve};
use model::{Finding, Zone};

use crate::laws::assert_import;

/// A quarter of an hour.
pub const QUARTER_MILLIS: i64 = 900_000;
/// What the connection carries in an hour, in kWh.
const CEILING_KWH: f64 = 40.0;

/// The findings of files of quarter-hours and readings.
pub fn assert_findings(findings: &[Finding], more: &[&str]) {
    let known = ["import.days.missing", "import.values.missing", "import.clock_change", "import.repeated"];
    for finding in findings {
        assert!(known.contains(&finding.code) || more.contains(&finding.code), "{finding}");
    }
}

/// Bytes: one for the options, then the file.
pub fn run(data: &[u8]) {
    let Some((what, file)) = data.split_first() else { return };
    let options = CurveOptions {
        zone: Zone::Europe__Rome,
        supply_point: (what & 1 == 1).then_some("IT001E12345678"),
        curve: (what & 2 == 2).then_some("A+"),
        direction: (what & 4 == 4).then_some(model::Direction::Import),
        ceiling_kwh_per_hour: Some(CEILING_KWH),
    };
    let Some(report) = assert_import(file, read_load_curve(file, &options), VALUES_MAX, |on| on.line) else {
        return;
    };
    assert_findings(&report.findings, &[]);
    let mut seen = BTreeSet::new();
    for on in &report.accepted {
        let interval = on.value;
        assert_eq!(interval.to.millis() - interval.from.millis(), QUARTER_MILLIS);
        assert_eq!(interval.from.millis() % QUARTER_MILLIS, 0, "{interval:?} is not aligned");
        assert!((0..=10_000).contains(&interval.amount), "{interval:?} is more than the line carries");
        assert!(seen.insert(interval.from), "{interval:?} counts twice");
    }
    let told = report.accepted.len() + report.repeated;
    assert!(told <= report.read, "{told} values of {}", report.read);
}
