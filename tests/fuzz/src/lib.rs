//! What all fuzz targets share: the catalogue, loaded once, and the laws that every result obeys.
//!
//! Must never: repair what a decoder returns; a broken law is a panic, which the fuzzer keeps as a case.

use std::sync::LazyLock;

use config::meters::{Meters, load_meters};
use connectors::files::{CELL_BYTES_MAX, FileError, ImportReport, ROWS_MAX};
use model::{Kind, Value};
use profile::Decoded;

/// Every meter file of the catalogue.
pub static METERS: LazyLock<Meters> = LazyLock::new(|| match load_meters(None) {
    Ok(meters) => meters,
    Err(errors) => panic!("the catalogue cannot be used: {errors:?}"),
});

/// A decoded value is of its quantity's kind, finite, and inside its range unless it says otherwise.
pub fn assert_lawful(channel: model::Channel, decoded: Decoded) {
    let value = match decoded {
        Decoded::Value(value) => value,
        Decoded::Implausible(value, range) => {
            assert!(!range.holds(value), "{channel} is called implausible inside its range");
            value
        }
        Decoded::Sentinel { .. }
        | Decoded::NotANumber { .. }
        | Decoded::Overflow { .. }
        | Decoded::Missing => return,
    };
    match (channel.quantity.kind(), value) {
        (Kind::Total, Value::Total(_)) => {}
        (Kind::Gauge, Value::Gauge(gauge)) => assert!(gauge.is_finite(), "{channel} is not finite"),
        (kind, value) => panic!("{channel} is a {kind:?} but reads {value:?}"),
    }
}

/// What every importer owes: bounded output, and only the errors named here.
pub fn assert_report<T>(bytes: &[u8], report: Result<ImportReport<T>, FileError>) {
    match report {
        Ok(report) => {
            assert!(report.read <= ROWS_MAX);
            assert!(report.accepted.len() + report.repeated <= report.read.max(1) * 128);
            for refused in &report.refused {
                assert!(refused.line > 0 && !refused.reason.is_empty());
                assert!(refused.value.chars().count() <= CELL_BYTES_MAX);
            }
        }
        // The allowed errors, each for its own reason; a new one must be added here knowingly.
        Err(error) => match error {
            FileError::TooLarge { bytes: told } => assert_eq!(told, bytes.len()),
            FileError::NotText { line } => assert!(line > 0),
            FileError::Empty { .. }
            | FileError::ColumnMissing { .. }
            | FileError::ColumnTwice { .. }
            | FileError::TooWide { .. }
            | FileError::TooManyRows => {}
        },
    }
}
