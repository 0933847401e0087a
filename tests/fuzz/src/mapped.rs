//! A mapping and a file by it. The mapping ends before a line `---`; without one the bytes are a file for a mapping
//! that is known to be good.
//!
//! Laws: every series of what is accepted is one of the mapping's; of a series, totals are of different instants and
//! intervals do not overlap; amounts are not negative and at most what the connection carries; an interval has a
//! length of at most two years.
//!
//! Allowed errors: those of `laws::assert_file_error`; allowed findings: those of `load_curve`.
//!
//! Must never: let a mapping name a file.

use std::collections::BTreeMap;

use connectors::files::{FileError, Mapping, Stated, VALUES_MAX, read_mapped, read_mapping};
use model::{Instant, SeriesKey};

use crate::laws::{assert_file_error, assert_import};
use crate::load_curve::assert_findings;

/// A mapping with totals and an hour column.
pub const TOTALS: &str = "separator = \";\"\ndecimal = \",\"\nheader_rows = 2\nzone = \"Europe/Rome\"\n[time]\n\
    column = \"Data\"\nhour_column = \"Ora\"\nformat = \"%d/%m/%Y %H:%M\"\n[[value]]\ncolumn = \"Calore\"\n\
    meter = \"heat-1\"\nquantity = \"heat_energy\"\nunit = \"MWh\"\nkind = \"total\"\n[[value]]\ncolumn = 4\n\
    meter = \"water-1\"\nquantity = \"water_volume\"\nunit = \"m3\"\nkind = \"total\"\n";
/// A mapping with intervals of an hour.
pub const HOURS: &str = "decimal = \".\"\nzone = \"Europe/Rome\"\n[time]\ncolumn = \"time\"\n\
    format = \"%Y-%m-%d %H:%M\"\n[[value]]\ncolumn = \"energy\"\nmeter = \"pv-1\"\n\
    quantity = \"active_energy_export\"\nunit = \"kWh\"\nkind = \"interval\"\nevery_minutes = 60\nstamp = \"begin\"\n";
/// What stands between a mapping and its file.
pub const BETWEEN: &str = "\n---\n";

/// Smallest units that a connection carries in so many milliseconds.
fn most(millis: i64) -> i64 {
    millis / 36
}

/// Bytes: mapping, `---`, file.
pub fn run(data: &[u8]) {
    let at = data.windows(BETWEEN.len()).position(|window| window == BETWEEN.as_bytes());
    match at {
        Some(at) => match read_mapping(&data[..at]) {
            Ok(mapping) => file(&mapping, &data[at + BETWEEN.len()..]),
            Err(error) => assert_mapping_error(&data[..at], &error),
        },
        None => {
            for text in [TOTALS, HOURS] {
                file(&read_mapping(text.as_bytes()).expect("a good mapping"), data);
            }
        }
    }
}

fn assert_mapping_error(bytes: &[u8], error: &FileError) {
    assert!(matches!(error, FileError::Mapping(_) | FileError::NotText { .. }), "{error}");
    assert_file_error(bytes, error);
}

fn file(mapping: &Mapping, bytes: &[u8]) {
    let report = read_mapped(bytes, mapping, &|_, millis| Some(most(millis)));
    let Some(report) = assert_import(bytes, report, VALUES_MAX, |on| on.line) else { return };
    assert_findings(&report.findings, &[]);
    assert!(report.accepted.len() + report.repeated <= report.read);
    let mut totals: BTreeMap<(SeriesKey, Instant), i64> = BTreeMap::new();
    let mut intervals: BTreeMap<(SeriesKey, Instant), Instant> = BTreeMap::new();
    for on in &report.accepted {
        let series = on.value.series.clone();
        assert!(mapping.series().any(|other| *other == series), "{on:?} is of another series");
        match on.value.value {
            Stated::Total(total) => {
                assert!(0 <= total.total, "{on:?}");
                assert_eq!(totals.insert((series, total.at), total.total), None, "{on:?} stands twice");
            }
            Stated::Interval(interval) => {
                let millis = interval.to.millis() - interval.from.millis();
                assert!(0 < millis && millis <= 732 * 86_400_000, "{on:?}");
                assert!((0..=most(millis)).contains(&interval.amount), "{on:?}");
                assert_eq!(intervals.insert((series, interval.from), interval.to), None, "{on:?}");
            }
        }
    }
    let all: Vec<_> = intervals.iter().collect();
    for pair in all.windows(2) {
        let (((series, _), to), ((other, from), _)) = (pair[0], pair[1]);
        assert!(series != other || to <= from, "{pair:?} overlap");
    }
}
