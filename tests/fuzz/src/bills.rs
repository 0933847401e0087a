//! Bills as CSV or workbook. Bytes that begin like an archive are the file; bytes that begin with `<` are the sheet of
//! a workbook, which the target packs.
//!
//! Laws: every row read is accepted, repeated or refused; accepted periods of a supply point never overlap and last at
//! most two years; quantities are not negative and at most 10^12; the order of the rows changes nothing; what was
//! accepted is accepted again from its own writing.
//!
//! Allowed errors: those of `laws::assert_file_error`; allowed findings: `import.bills.gap`, `import.repeated`.
//!
//! Must never: know another supply point than its two.

use std::collections::BTreeSet;

use connectors::files::{FILE_BYTES_MAX, ImportReport, OnLine, ROWS_MAX, read_bills};
use model::{BillQuality, BilledPeriod, Carrier};

use crate::laws::assert_import;
use crate::workbook::packed;

pub const POD: &str = "IT001E12345678";
pub const PDR: &str = "00880000000001";

fn carrier_of(point: &str) -> Option<Carrier> {
    match point {
        POD => Some(Carrier::GridElectricity),
        PDR => Some(Carrier::NaturalGas),
        _ => None,
    }
}

/// Bytes: the file.
pub fn run(data: &[u8]) {
    let bytes = if data.starts_with(b"<") { packed(data) } else { data.to_vec() };
    let report = assert_import(&bytes, read_bills(&bytes, &carrier_of), ROWS_MAX, |on| on.line);
    let Some(report) = report else { return };
    let told = report.accepted.len() + report.repeated + report.refused.len();
    assert_eq!(report.read, told, "a row is lost or counted twice");
    for finding in &report.findings {
        assert!(["import.bills.gap", "import.repeated"].contains(&finding.code), "{finding}");
    }
    let bills: Vec<&BilledPeriod> = report.accepted.iter().map(|on| &on.value).collect();
    assert_bills(&bills);
    again(&bills);
    if !bytes.starts_with(b"PK") {
        reversed(&bytes, &report);
    }
}

fn assert_bills(bills: &[&BilledPeriod]) {
    let mut sorted = bills.to_vec();
    sorted.sort_by_key(|bill| (&bill.supply_point, bill.from, bill.to));
    for pair in sorted.windows(2) {
        let apart = pair[0].supply_point != pair[1].supply_point || pair[0].to <= pair[1].from;
        assert!(apart, "{pair:?} count a day twice");
    }
    for bill in bills {
        assert!((1..=732).contains(&(bill.to - bill.from).num_days()), "{bill:?}");
        assert!((0..=1_000_000_000_000).contains(&bill.amount), "{bill:?}");
        let carrier = carrier_of(&bill.supply_point).expect("a supply point of nobody");
        assert_eq!(bill.unit, carrier.base_unit());
    }
}

/// The bills as a file of smallest units.
#[must_use]
pub fn written(bills: &[&BilledPeriod]) -> String {
    let rows = bills.iter().map(|bill| {
        let (point, amount) = (&bill.supply_point, bill.amount);
        let quantity = match carrier_of(point) {
            Some(Carrier::GridElectricity) => format!("{amount},Wh"),
            _ => format!("{}.{:03},Smc", amount / 1000, amount % 1000),
        };
        let quality = match bill.quality {
            BillQuality::Read => "read",
            BillQuality::Estimated => "estimated",
        };
        format!("{point},{},{},{quantity},{quality}\n", bill.from, bill.to)
    });
    format!("supply_point,from,to_excluded,quantity,unit,type\n{}", rows.collect::<String>())
}

fn again(bills: &[&BilledPeriod]) {
    let text = written(bills);
    if FILE_BYTES_MAX < text.len() {
        return;
    }
    let report = read_bills(text.as_bytes(), &carrier_of).expect("a plain file is read");
    assert_eq!(report.refused, [], "{text}");
    assert!(report.accepted.iter().map(|on| &on.value).eq(bills.iter().copied()), "{text}");
}

/// The same rows from the last to the first; not where a line break stands inside a cell.
fn reversed(bytes: &[u8], report: &ImportReport<OnLine<BilledPeriod>>) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines: Vec<&str> = text.split('\n').collect();
    if text.contains(['"', '\r']) || text.starts_with('\n') || !text.ends_with('\n') {
        return;
    }
    lines.pop();
    lines[1..].reverse();
    let turned = format!("{}\n", lines.join("\n"));
    let key = |b: &BilledPeriod| (b.supply_point.clone(), b.from, b.to, b.amount, b.quality);
    let set = |r: &ImportReport<OnLine<BilledPeriod>>| -> BTreeSet<_> {
        r.accepted.iter().map(|on| key(&on.value)).collect()
    };
    let other = read_bills(turned.as_bytes(), &carrier_of).expect("the same rows are read");
    assert_eq!(set(&other), set(report), "the order of the rows decides what is taken");
    assert_eq!((other.read, other.repeated), (report.read, report.repeated));
}
