//! Arbitrary bytes as a file of bills.
//!
//! Must never: know a supply point that a project would not.
#![no_main]

use fuzz::assert_report;
use libfuzzer_sys::fuzz_target;
use model::Carrier;

fuzz_target!(|bytes: &[u8]| {
    let carrier = |point: &str| match point.len() % 3 {
        0 => Some(Carrier::NaturalGas),
        1 => Some(Carrier::GridElectricity),
        _ => None,
    };
    assert_report(bytes, connectors::files::read_bills(bytes, &carrier));
});
