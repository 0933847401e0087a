//! What all targets share: the catalogue, loaded once, and the laws that every result obeys.
//!
//! Must never: know which decoder a value comes from.

use std::sync::{Arc, LazyLock};

use config::Problem;
use config::meters::{Meters, load_meters};
use connectors::files::{FILE_BYTES_MAX, FileError, ImportReport, Refused};
use model::{Channel, Kind, Value};
use profile::{Decoded, MeterModel, Range};

/// Every meter file of the catalogue.
pub static METERS: LazyLock<Meters> = LazyLock::new(|| match load_meters(None) {
    Ok(meters) => meters,
    Err(errors) => panic!("the catalogue cannot be used: {errors:?}"),
});

/// The models of the catalogue of one kind, in its order.
#[must_use]
pub fn models(wanted: impl Fn(&MeterModel) -> bool) -> Vec<Arc<MeterModel>> {
    METERS.iter().filter(|model| wanted(model)).cloned().collect()
}

/// A decoded value is of its quantity's kind, finite, and good exactly inside its plausible range; a total that is
/// good is never negative.
pub fn assert_lawful(channel: Channel, decoded: Decoded, plausible: Range) {
    let value = match decoded {
        Decoded::Value(value) => {
            assert!(plausible.holds(value), "{channel} is good outside {plausible}: {value:?}");
            if let Value::Total(total) = value {
                assert!(0 <= total, "{channel} is a negative total");
            }
            value
        }
        Decoded::Implausible(value, range) => {
            assert_eq!(range, plausible, "{channel} is judged by another range");
            assert!(!range.holds(value), "{channel} is called implausible inside its range");
            value
        }
        // The allowed ends without a value; a new one must be added here knowingly.
        Decoded::Sentinel { .. }
        | Decoded::NotANumber { .. }
        | Decoded::Overflow { .. }
        | Decoded::UnknownUnit { .. }
        | Decoded::NoFactor { .. }
        | Decoded::Withheld { .. }
        | Decoded::Missing => return,
    };
    match (channel.quantity.kind(), value) {
        (Kind::Total, Value::Total(_)) => {}
        (Kind::Gauge, Value::Gauge(gauge)) => assert!(gauge.is_finite(), "{channel} is not finite"),
        (kind, value) => panic!("{channel} is a {kind:?} but reads {value:?}"),
    }
}

/// Lines of a text file, as an editor counts them.
fn lines(bytes: &[u8]) -> u64 {
    1 + bytes.iter().filter(|&&byte| byte == b'\n' || byte == b'\r').count() as u64
}

/// Every refusal names a line of the file, a short value and a reason, and they stand in order.
fn assert_refused(bytes: &[u8], refused: &[Refused]) {
    let workbook = bytes.starts_with(b"PK");
    for refused in refused {
        assert!(0 < refused.line && !refused.reason.is_empty(), "{refused:?}");
        assert!(workbook || refused.line <= lines(bytes), "{refused:?} is behind the end of the file");
        assert!(refused.value.chars().count() <= 61, "{refused:?} quotes too much");
    }
    assert!(refused.is_sorted_by_key(|r| r.line), "refusals are out of order");
}

/// What every importer owes: bounded output, refusals with their line, and only the errors of [`assert_file_error`].
/// Returns the report where there is one.
pub fn assert_import<T>(
    bytes: &[u8],
    report: Result<ImportReport<T>, FileError>,
    read_max: usize,
    line_of: impl Fn(&T) -> u64,
) -> Option<ImportReport<T>> {
    match report {
        Ok(report) => {
            assert!(report.read <= read_max, "{} rows or values were read", report.read);
            assert_refused(bytes, &report.refused);
            for accepted in &report.accepted {
                let line = line_of(accepted);
                assert!(0 < line && (bytes.starts_with(b"PK") || line <= lines(bytes)), "line {line}");
            }
            Some(report)
        }
        Err(error) => {
            assert_file_error(bytes, &error);
            None
        }
    }
}

/// The allowed errors of files; a new one must be added here knowingly.
pub fn assert_file_error(bytes: &[u8], error: &FileError) {
    match error {
        FileError::TooLarge { bytes: told } => {
            assert!(*told == bytes.len() && FILE_BYTES_MAX < bytes.len());
        }
        FileError::NotText { line } => assert!(0 < *line && *line <= lines(bytes)),
        FileError::Column { line, why, .. } => assert!(0 < *line && *line <= lines(bytes) && !why.is_empty()),
        FileError::Xml { line, why } => assert!(0 < *line && !why.is_empty()),
        FileError::Workbook { why } => assert!(bytes.starts_with(b"PK\x03\x04") && !why.is_empty()),
        FileError::Header { format, why } => assert!(!format.is_empty() && !why.is_empty()),
        FileError::Mapping(why) => assert!(!why.is_empty()),
        FileError::Empty { .. }
        | FileError::ColumnMissing { .. }
        | FileError::ColumnTwice { .. }
        | FileError::TooWide { .. }
        | FileError::TooManyRows
        | FileError::TooManyRefused { .. } => {}
    }
}

/// A refused file of settings says of each problem where it is, what was found and what to do.
pub fn assert_problems(text: &str, problems: &[Problem]) {
    assert!(!problems.is_empty(), "a file is refused without a reason");
    let lines = 1 + text.matches('\n').count();
    for problem in problems {
        assert!((1..=lines).contains(&problem.line), "{problem:?} is on no line of the file");
        assert!(!problem.says.is_empty() && !problem.next.is_empty(), "{problem:?} does not help");
    }
}
