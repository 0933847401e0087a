//! The columns of an archive file: a reading a row, in the plain types that every Parquet reader knows.
//!
//! `value` is the reading's number times ten to the power of `scale`; totals have scale 0 and are in the
//! smallest unit of their quantity. A gauge that is no decimal of at most [`SCALE_MAX`] places stands in `exact`
//! instead, and `value` is then 0.
//!
//! Must never: change what a column means; a file written years ago is read with this.

use std::sync::Arc;

use model::Value;
use parquet::errors::ParquetError;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;

/// Place of each column in the schema.
pub(super) const METER: usize = 0;
pub(super) const QUANTITY: usize = 1;
pub(super) const PHASE: usize = 2;
pub(super) const AT: usize = 3;
pub(super) const ORIGIN: usize = 4;
pub(super) const QUALITY: usize = 5;
pub(super) const DELAY: usize = 6;
pub(super) const VALUE: usize = 7;
pub(super) const SCALE: usize = 8;
pub(super) const EXACT: usize = 9;

pub(super) const NAMES: [&str; 10] =
    ["meter", "quantity", "phase", "at", "origin", "quality", "delay_ms", "value", "scale", "exact"];

const SCHEMA: &str = "message reading {
    REQUIRED BYTE_ARRAY meter (UTF8);
    REQUIRED BYTE_ARRAY quantity (UTF8);
    REQUIRED BYTE_ARRAY phase (UTF8);
    REQUIRED INT64 at (TIMESTAMP(MILLIS,true));
    REQUIRED BYTE_ARRAY origin (UTF8);
    REQUIRED BYTE_ARRAY quality (UTF8);
    REQUIRED INT64 delay_ms;
    REQUIRED INT64 value;
    REQUIRED INT32 scale;
    OPTIONAL DOUBLE exact;
}";

pub(super) fn schema() -> Result<TypePtr, ParquetError> {
    parse_message_type(SCHEMA).map(Arc::new)
}

/// Most decimal places of a gauge that is kept as an integer.
pub(crate) const SCALE_MAX: u8 = 6;

/// Above this a double no longer holds every integer, so a decimal read back could differ in its last bit.
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

const POWERS: [f64; SCALE_MAX as usize + 1] = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];

/// The fewest decimal places with which every one of the values comes back bit for bit; `None` when there is none.
pub(crate) fn common_scale(values: impl Iterator<Item = f64>) -> Option<u8> {
    let mut scale = 0;
    for value in values {
        while scaled(value, scale).is_none() {
            scale += 1;
            if scale > SCALE_MAX {
                return None;
            }
        }
    }
    Some(scale)
}

/// The value as an integer of that many decimal places, when it comes back bit for bit.
///
/// A value that fits few places fits more places too, unless it grows too large for the longer one: the caller
/// looks at every value with the scale that it settles on.
pub(crate) fn scaled(value: f64, scale: u8) -> Option<i64> {
    let power = *POWERS.get(usize::from(scale))?;
    let integer = (value * power).round();
    if INTEGER_MAX <= integer.abs() {
        return None;
    }
    // Through the integer, which has no minus zero.
    let integer = integer as i64;
    ((integer as f64 / power).to_bits() == value.to_bits()).then_some(integer)
}

/// The number that a row stands for.
pub(crate) fn number(value: i64, scale: i32, exact: Option<f64>, is_total: bool) -> Option<Value> {
    match (is_total, exact) {
        (true, _) => Some(Value::Total(value)),
        (false, Some(exact)) => Some(Value::Gauge(exact)),
        (false, None) => {
            let power = POWERS.get(usize::try_from(scale).ok()?)?;
            Some(Value::Gauge(value as f64 / power))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_come_back_bit_for_bit() {
        assert_eq!(common_scale([230.1, 229.9, 231.0].into_iter()), Some(1));
        assert_eq!(common_scale([0.0, 5.0].into_iter()), Some(0));
        assert_eq!(common_scale([0.123_456, 7.5].into_iter()), Some(6));
        assert_eq!(common_scale([1.0 / 3.0].into_iter()), None);
        assert_eq!(common_scale([f64::from(230.1_f32)].into_iter()), None);
        // Minus zero is not zero, and 1e300 is no small integer.
        assert_eq!(common_scale([-0.0].into_iter()), None);
        assert_eq!(common_scale([1e300].into_iter()), None);
    }

    proptest::proptest! {
        #[test]
        fn what_has_a_scale_is_read_as_it_was(units in -1_000_000_000_i64..1_000_000_000, places in 0_u8..=6) {
            let value = units as f64 / POWERS[usize::from(places)];
            let scale = common_scale([value].into_iter());
            proptest::prop_assert!(scale.is_some_and(|s| s <= places));
            let scale = scale.unwrap();
            let back = number(scaled(value, scale).unwrap(), i32::from(scale), None, false);
            proptest::prop_assert_eq!(back, Some(Value::Gauge(value)));
        }
    }
}
