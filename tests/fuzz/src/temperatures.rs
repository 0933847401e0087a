//! Daily mean temperatures as CSV or workbook.
//!
//! Laws: every row read is accepted, repeated or refused; a day is accepted once; means are those of an Italian
//! station; accepted days are read again from their own writing.
//!
//! Allowed errors: those of `laws::assert_file_error`; allowed findings: `import.temperatures.gap`,
//! `import.temperatures.gaps`, `import.repeated`.
//!
//! Must never: fill a day.

use std::collections::BTreeSet;

use connectors::files::temperatures::MEAN_C;
use connectors::files::{ROWS_MAX, read_temperatures};
use model::StationId;

use crate::laws::assert_import;
use crate::workbook::packed;

/// Bytes: the file; the XML of a workbook's sheet where they begin with `<`.
pub fn run(data: &[u8]) {
    let station = StationId::new("torino").expect("a sound id");
    let bytes = if data.starts_with(b"<") { packed(data) } else { data.to_vec() };
    let report = read_temperatures(&bytes, &station);
    let Some(report) = assert_import(&bytes, report, ROWS_MAX, |_| 1) else { return };
    let told = report.accepted.len() + report.repeated + report.refused.len();
    assert_eq!(report.read, told, "a row is lost or counted twice");
    let known = ["import.temperatures.gap", "import.temperatures.gaps", "import.repeated"];
    assert!(report.findings.iter().all(|finding| known.contains(&finding.code)), "{:?}", report.findings);
    let days: BTreeSet<_> = report.accepted.iter().map(|day| day.date).collect();
    assert_eq!(days.len(), report.accepted.len(), "a day has two means");
    assert!(report.accepted.iter().all(|day| MEAN_C.contains(&day.mean_c)));
    let rows: String = report.accepted.iter().map(|day| format!("{},{}\n", day.date, day.mean_c)).collect();
    let again = read_temperatures(format!("date,mean\n{rows}").as_bytes(), &station).expect("a plain file");
    assert_eq!(again.refused, [], "{rows}");
    assert_eq!(again.accepted, report.accepted, "{rows}");
}
