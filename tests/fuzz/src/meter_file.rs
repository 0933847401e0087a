//! A meter file of the catalogue, as a person may write one for a folder of their own.
//!
//! Laws: a file is used whole or refused with a reason; a register map that is used can be planned within its limits
//! and decodes any words lawfully; wrap and step of a total are above 0; a convention that is used can be bound.
//!
//! Allowed errors: `MeterFileError::TooLarge`, `Form`, `Key`, `Model`, `Records`, `Pulses`, `Example`.
//!
//! Must never: read a folder.

use config::meters::{MeterFileError, parse_meter};
use profile::{Interface, Layout, MeterModel, RegisterModel};

use crate::registers::map;

/// Words that are neither zero nor alike.
const WORDS: &[u8] = &[0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE, 0xF0, 0x00, 0x01, 0xFF, 0xFF, 0x80, 0x00];

/// Bytes: the file.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse_meter("example.toml", text) {
        Ok(model) => assert_model(&model),
        Err(error) => assert_error(&error),
    }
}

fn assert_model(model: &MeterModel) {
    // Whether the examples prove it is said elsewhere; here it only must not panic.
    let _proved = model.prove().is_ok();
    for channel in model.channels() {
        assert!(model.wraps_at(channel).is_none_or(|count| 0 < count), "{channel} wraps at nothing");
        assert!(model.resolution(channel).is_none_or(|step| 0 < step), "{channel} counts in no steps");
    }
    match &model.interface {
        Interface::Registers(registers) => assert_map(registers),
        Interface::Payloads(payloads) => {
            let _bound = payloads.bind(&crate::payloads::settings(payloads)).is_ok();
        }
        Interface::MBus(telegrams) => assert_eq!(telegrams.check(), Ok(())),
        Interface::Pulses(pulses) => assert_eq!(pulses.check(), Ok(())),
    }
}

fn assert_map(registers: &RegisterModel) {
    assert_eq!(registers.check(), Ok(()));
    for block in registers.plan() {
        assert!(0 < block.count && block.count <= registers.limits.registers_per_request, "{block:?}");
        assert!(block.address.checked_add(block.count - 1).is_some(), "{block:?}");
    }
    let unsigned = registers.measures.iter().all(|measure| 0.0 <= measure.plausible.from);
    if registers.layout == Layout::Fixed && unsigned {
        map(registers, WORDS);
    }
}

/// The allowed errors; a new one must be added here knowingly.
fn assert_error(error: &MeterFileError) {
    match error {
        MeterFileError::TooLarge { .. }
        | MeterFileError::Form { .. }
        | MeterFileError::Key { .. }
        | MeterFileError::Model { .. }
        | MeterFileError::Records { .. }
        | MeterFileError::Pulses { .. }
        | MeterFileError::Example { .. } => {}
        MeterFileError::Read { .. }
        | MeterFileError::TooMany { .. }
        | MeterFileError::UnknownModel { .. }
        | MeterFileError::Dump { .. }
        | MeterFileError::Twice { .. } => panic!("no single file can cause: {error}"),
    }
}
