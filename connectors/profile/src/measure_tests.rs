//! What words say, type by type and order by order, and when they say nothing.
//!
//! Must never: compare with a second implementation of the decoder; expectations are written out.

use model::{Phase, Quantity};

use super::*;
use crate::encoding::{Number, WordOrder};
use crate::registers::Space;

pub(crate) fn measure(address: u16, number: Number) -> Measure {
    Measure::new(
        Channel { quantity: Quantity::ActiveEnergyImport, phase: Phase::Total },
        RegisterRef { space: Space::Input, address },
        Encoding { number, order: WordOrder::Abcd },
        Unit::KilowattHour,
        Range { from: 0.0, to: 1e12 },
    )
}

#[test]
fn an_integer_register_of_tenths_is_exact() {
    let m = Measure { scale: Decimal::from_f64(0.1).unwrap(), ..measure(0, Number::I32) };
    assert_eq!(m.decode(&[0, 3]), Decoded::Value(Value::Total(300)));
    assert_eq!(m.decode(&[0x0000, 0x0001]), Decoded::Value(Value::Total(100)));
    assert_eq!(m.decode(&[0xFFFF, 0xFFFF]), Decoded::Implausible(Value::Total(-100), m.plausible));
    assert_eq!(m.decode(&[1]), Decoded::Missing);
}

#[test]
fn sentinels_and_nan_are_no_values() {
    let m = Measure { sentinels: vec![0x7FFF_FFFF], ..measure(0, Number::I32) };
    assert_eq!(m.decode(&[0x7FFF, 0xFFFF]), Decoded::Sentinel { bits: 0x7FFF_FFFF });
    let m = measure(0, Number::F32);
    assert_eq!(m.decode(&[0x7FC0, 0]), Decoded::NotANumber { bits: 0x7FC0_0000 });
    assert_eq!(m.decode(&[0x7F80, 0]), Decoded::NotANumber { bits: 0x7F80_0000 });
    let m = measure(0, Number::F64);
    assert!(matches!(m.decode(&[0x7FEF, 0xFFFF, 0xFFFF, 0xFFFF]), Decoded::Overflow { .. }));
    let m = measure(0, Number::U64);
    assert!(matches!(m.decode(&[0xFFFF; 4]), Decoded::Overflow { .. }));
}
