//! How a value travels in numbers that an engine gives back exactly.
//!
//! VictoriaMetrics keeps decimal mantissas: integers up to 2^53 come back exactly, and so do decimals of up to twelve
//! digits, but a gauge that a device holds as a 32-bit float does not. So a gauge is sent as its rounding to few
//! decimals, which people see, and as the number of steps (units in the last place) between the rounding and the
//! value. What does not fit into these is sent as its 64 bits in two integers.
//!
//! Must never: send a number that is not finite, or make a value of half its parts.

use model::Value;
use model::quantity::Kind;

/// Integers up to this magnitude are exact in a 64-bit float.
const INTEGER_MAX: i64 = 1 << 53;
/// Largest magnitude of a gauge that is sent as a decimal.
const DECIMAL_MAX: f64 = 1e9;

/// The numbers that stand for a value where numbers are decimals of limited length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Parts {
    Total(i64),
    Gauge {
        rounded: f64,
        /// Steps from `rounded` to the value.
        steps: i64,
    },
    /// The upper and lower 32 bits of the value.
    Bits {
        high: i64,
        low: i64,
    },
}

/// Splits a value; `None` for a gauge that is not finite.
pub(super) fn split(value: Value) -> Option<Parts> {
    match value {
        Value::Total(total) if (-INTEGER_MAX..=INTEGER_MAX).contains(&total) => Some(Parts::Total(total)),
        Value::Total(total) => Some(bits(total.cast_unsigned())),
        Value::Gauge(gauge) if !gauge.is_finite() => None,
        Value::Gauge(gauge) => {
            let rounded = round(gauge);
            let steps = ordered(gauge).checked_sub(ordered(rounded));
            match steps {
                Some(steps) if gauge.abs() <= DECIMAL_MAX && steps.unsigned_abs() <= 1 << 52 => {
                    // Zero with a sign is no decimal.
                    if rounded == 0.0 && rounded.is_sign_negative() {
                        return Some(bits(gauge.to_bits()));
                    }
                    Some(Parts::Gauge { rounded, steps })
                }
                _ => Some(bits(gauge.to_bits())),
            }
        }
    }
}

/// What an engine gave back of one instant; parts that were not there are `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Found {
    pub(super) total: Option<f64>,
    pub(super) gauge: Option<f64>,
    pub(super) steps: Option<f64>,
    pub(super) high: Option<f64>,
    pub(super) low: Option<f64>,
}

/// The value that [`split`] made these of; `None` where a part is missing or is no such number.
pub(super) fn join(kind: Kind, found: &Found) -> Option<Value> {
    if found.high.is_some() || found.low.is_some() {
        let high = u32::try_from(integer(found.high?)?).ok()?;
        let low = u32::try_from(integer(found.low?)?).ok()?;
        let bits = (u64::from(high) << 32) | u64::from(low);
        return match kind {
            Kind::Total => Some(Value::Total(bits.cast_signed())),
            Kind::Gauge => Some(f64::from_bits(bits)).filter(|g| g.is_finite()).map(Value::Gauge),
        };
    }
    match kind {
        Kind::Total => integer(found.total?).map(Value::Total),
        Kind::Gauge => {
            let steps = found.steps.map_or(Some(0), integer)?;
            let value = unordered(ordered(found.gauge?).checked_add(steps)?);
            value.is_finite().then_some(Value::Gauge(value))
        }
    }
}

fn bits(bits: u64) -> Parts {
    // Both are below 2^32.
    let half = |n: u64| i64::try_from(n & 0xffff_ffff).unwrap_or_default();
    Parts::Bits { high: half(bits >> 32), low: half(bits) }
}

/// To six decimals, to three above a million: twelve digits at most.
fn round(gauge: f64) -> f64 {
    let decimals = if gauge.abs() < 1e6 { 6 } else { 3 };
    // The nearest float of the decimal text: what an engine makes of the text too.
    format!("{gauge:.decimals$}").parse().unwrap_or(gauge)
}

fn integer(number: f64) -> Option<i64> {
    let is_exact = number.fract() == 0.0 && number.abs() <= INTEGER_MAX as f64;
    // Below 2^53, so the cast is exact.
    is_exact.then_some(number as i64)
}

/// Floats in the order of their values as consecutive integers.
fn ordered(float: f64) -> i64 {
    let bits = float.to_bits().cast_signed();
    if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
}

fn unordered(ordered: i64) -> f64 {
    let bits = if ordered < 0 { i64::MIN.wrapping_sub(ordered) } else { ordered };
    f64::from_bits(bits.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The parts as an engine gives them back.
    fn found(parts: Parts) -> Found {
        match parts {
            Parts::Total(total) => Found { total: Some(total as f64), ..Found::default() },
            Parts::Gauge { rounded, steps } => Found {
                gauge: Some(rounded),
                steps: (steps != 0).then_some(steps as f64),
                ..Found::default()
            },
            Parts::Bits { high, low } => {
                Found { high: Some(high as f64), low: Some(low as f64), ..Found::default() }
            }
        }
    }

    fn same(a: Value, b: Value) -> bool {
        match (a, b) {
            (Value::Total(a), Value::Total(b)) => a == b,
            (Value::Gauge(a), Value::Gauge(b)) => a.to_bits() == b.to_bits(),
            _ => false,
        }
    }

    fn returns(value: Value) -> bool {
        let kind = match value {
            Value::Total(_) => Kind::Total,
            Value::Gauge(_) => Kind::Gauge,
        };
        split(value).and_then(|parts| join(kind, &found(parts))).is_some_and(|back| same(value, back))
    }

    #[test]
    fn edges_come_back_and_what_is_no_number_does_not_leave() {
        let totals = [0, 1, -1, INTEGER_MAX, INTEGER_MAX + 1, -INTEGER_MAX - 1, i64::MAX, i64::MIN];
        for total in totals {
            assert!(returns(Value::Total(total)), "{total}");
        }
        let gauges =
            [0.0, -0.0, 230.1, f64::from(230.1_f32), 1e-7, -1e-7, 5e-324, 1e9, 1.000_000_1e9, f64::MAX];
        for gauge in gauges {
            assert!(returns(Value::Gauge(gauge)), "{gauge}");
        }
        for gauge in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(split(Value::Gauge(gauge)), None);
        }
        assert_eq!(split(Value::Gauge(230.1)), Some(Parts::Gauge { rounded: 230.1, steps: 0 }));
        let half = Found { high: Some(1.0), ..Found::default() };
        assert_eq!(join(Kind::Total, &half), None);
        assert_eq!(join(Kind::Total, &Found { total: Some(0.5), ..Found::default() }), None);
        assert_eq!(join(Kind::Gauge, &Found::default()), None);
    }

    proptest! {
        #[test]
        fn every_finite_value_comes_back(total: i64, bits: u64, single: f32) {
            prop_assert!(returns(Value::Total(total)));
            let gauge = f64::from_bits(bits);
            prop_assert!(!gauge.is_finite() || returns(Value::Gauge(gauge)));
            prop_assert!(!single.is_finite() || returns(Value::Gauge(f64::from(single))));
        }
    }
}
