//! Arbitrary bytes as an MQTT payload, through every convention of the catalogue.
//!
//! Must never: give a decoder bytes that the connector would not.
#![no_main]

use fuzz::{METERS, assert_lawful};
use libfuzzer_sys::fuzz_target;
use model::Instant;
use profile::PayloadError;

fuzz_target!(|payload: &[u8]| {
    let arrived = Instant::from_seconds(1_750_000_000);
    for meter in METERS.iter() {
        let Some(model) = meter.payloads() else { continue };
        match model.decode(payload, arrived) {
            Ok(message) => {
                message.values.iter().for_each(|(channel, decoded)| assert_lawful(*channel, *decoded));
                assert!(!message.values.is_empty(), "a message without a value is no message");
            }
            // The allowed errors; a new one must be added here knowingly.
            Err(
                PayloadError::TooLong { .. }
                | PayloadError::NotText
                | PayloadError::NotJson(_)
                | PayloadError::Missing { .. }
                | PayloadError::NotANumber { .. }
                | PayloadError::OutOfRange { .. }
                | PayloadError::NoValue
                | PayloadError::NotATime { .. }
                | PayloadError::TimeAhead { .. }
                | PayloadError::TimeUnset { .. },
            ) => {}
        }
    }
});
