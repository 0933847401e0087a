//! Arbitrary bytes as a file of daily temperatures.
//!
//! Must never: accept a temperature that no place on earth has.
#![no_main]

use fuzz::assert_report;
use libfuzzer_sys::fuzz_target;
use model::StationId;

fuzz_target!(|bytes: &[u8]| {
    let Ok(station) = StationId::new("station") else { return };
    let report = connectors::files::read_temperatures(bytes, &station);
    if let Ok(report) = &report {
        assert!(report.accepted.iter().all(|day| -90.0 < day.mean_c && day.mean_c < 60.0));
    }
    assert_report(bytes, report);
});
