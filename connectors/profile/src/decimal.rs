//! Exact decimal numbers and their way into the model's values, so that 0.1 kWh is 100 Wh and not
//! 99.99999999999999.
//!
//! Must never: round a total twice, or turn a number that is no number into zero.

use std::fmt;

use model::{Kind, Quantity, Unit, Value};

/// Digits a number may have. Nothing a meter counts needs more.
const DIGITS_MAX: usize = 30;
/// Largest power of ten, up or down.
const EXPONENT_MAX: i32 = 30;

/// `mantissa × 10^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    pub const ONE: Self = Self { mantissa: 1, exponent: 0 };

    #[must_use]
    pub const fn integer(value: i128) -> Self {
        Self { mantissa: value, exponent: 0 }
    }

    /// Whether it is nothing, however many digits that is written with.
    pub(crate) const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Reads `-12.345e-3`; `None` when the text is not a finite decimal of at most 30 digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, power) = match text.split_once(['e', 'E']) {
            Some((number, power)) => (number, power.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        if whole.len() + fraction.len() > DIGITS_MAX {
            return None;
        }
        let mut mantissa: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            mantissa = mantissa * 10 + i128::from(byte - b'0');
        }
        let exponent = power.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        if mantissa == 0 {
            return Some(Self::integer(0));
        }
        (-EXPONENT_MAX <= exponent && exponent <= EXPONENT_MAX)
            .then(|| Self { mantissa: if negative { -mantissa } else { mantissa }, exponent })
    }

    /// The shortest decimal that reads back as `value`: 0.1 becomes exactly one tenth.
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        value.is_finite().then(|| format!("{value:e}")).and_then(|text| Self::parse(&text))
    }

    #[must_use]
    pub fn to_f64(self) -> f64 {
        // Through text: the standard library's reading of a decimal is correctly rounded.
        format!("{}e{}", self.mantissa, self.exponent).parse().unwrap_or(f64::NAN)
    }

    /// `self × other`; `None` beyond the range.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        Some(Self {
            mantissa: self.mantissa.checked_mul(other.mantissa)?,
            exponent: self.exponent.checked_add(other.exponent)?,
        })
    }

    /// `self + other`; `None` beyond the range.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let exponent = self.exponent.min(other.exponent);
        let lift = |d: Self| {
            let power = u32::try_from(d.exponent.checked_sub(exponent)?).ok()?;
            d.mantissa.checked_mul(10_i128.checked_pow(power)?)
        };
        Some(Self { mantissa: lift(self)?.checked_add(lift(other)?)?, exponent })
    }

    /// `10^power`; `None` beyond 30 digits.
    #[must_use]
    pub fn power_of_ten(power: i32) -> Option<Self> {
        (power.abs() <= EXPONENT_MAX).then_some(Self { mantissa: 1, exponent: power })
    }

    /// Whether it is above 0.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        0 < self.mantissa
    }

    /// The number times `numerator / denominator` as the nearest integer, halves away from zero;
    /// `None` when it does not fit.
    fn scaled(self, numerator: i128, denominator: i128) -> Option<i64> {
        let power = 10_i128.checked_pow(self.exponent.unsigned_abs());
        let (over, under) = if self.exponent >= 0 {
            (self.mantissa.checked_mul(power?)?.checked_mul(numerator)?, denominator)
        } else {
            (self.mantissa.checked_mul(numerator)?, power?.checked_mul(denominator)?)
        };
        let twice = over.checked_mul(2)?;
        let half = if over < 0 { -under } else { under };
        i64::try_from(twice.checked_add(half)? / under.checked_mul(2)?).ok()
    }

    /// The number, given in `unit`, as the model keeps `quantity`. `None` when the unit does not
    /// measure it, or the value does not fit.
    #[must_use]
    pub fn value(self, unit: Unit, quantity: Quantity) -> Option<Value> {
        let factor = unit.factor_to(quantity)?;
        match quantity.kind() {
            Kind::Total => {
                let (numerator, denominator) = ratio(unit, factor)?;
                self.scaled(numerator, denominator).map(Value::Total)
            }
            Kind::Gauge => {
                // A factor of a power of ten is a move of the point, so the result is rounded once.
                let exact = Self::from_f64(factor).and_then(|f| self.times(f)).map(Self::to_f64);
                exact.filter(|v| v.is_finite()).map(Value::Gauge)
            }
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_f64())
    }
}

/// The unit's factor as an exact ratio of integers.
fn ratio(unit: Unit, factor: f64) -> Option<(i128, i128)> {
    // A joule is 1/3600 Wh, which no decimal and no float says exactly.
    match unit {
        Unit::Megajoule => return Some((2_500, 9)),
        Unit::Gigajoule => return Some((2_500_000, 9)),
        Unit::Gigacalorie => return Some((10_460_000, 9)),
        _ => {}
    }
    let whole = factor as i64;
    ((whole as f64) == factor && whole > 0).then_some((i128::from(whole), 1))
}

/// A binary floating point number, given in `unit` after `scale`, as the model keeps `quantity`:
/// `None` when it is not finite or does not fit.
#[must_use]
pub fn float_value(number: f64, scale: Decimal, unit: Unit, quantity: Quantity) -> Option<Value> {
    let factor = unit.factor_to(quantity)?;
    let value = number * (scale.to_f64() * factor);
    if !value.is_finite() {
        return None;
    }
    match quantity.kind() {
        Kind::Gauge => Some(Value::Gauge(value)),
        Kind::Total => {
            let rounded = value.round();
            // Beyond 2^53 a float no longer tells one unit from the next.
            (rounded.abs() <= 9_007_199_254_740_992.0).then_some(Value::Total(rounded as i64))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wh(text: &str, unit: Unit) -> Option<Value> {
        Decimal::parse(text)?.value(unit, Quantity::ActiveEnergyImport)
    }

    #[test]
    fn totals_are_exact() {
        assert_eq!(wh("12345.6", Unit::KilowattHour), Some(Value::Total(12_345_600)));
        assert_eq!(wh("0.0005", Unit::KilowattHour), Some(Value::Total(1)));
        assert_eq!(wh("-0.0005", Unit::KilowattHour), Some(Value::Total(-1)));
        assert_eq!(wh("0.00049", Unit::KilowattHour), Some(Value::Total(0)));
        assert_eq!(wh("9", Unit::Gigajoule), Some(Value::Total(2_500_000)));
        assert_eq!(wh("1e3", Unit::WattHour), Some(Value::Total(1000)));
        assert_eq!(wh("9223372036854775807", Unit::WattHour), Some(Value::Total(i64::MAX)));
        assert_eq!(wh("9223372036854775808", Unit::WattHour), None);
        assert_eq!(wh("1", Unit::Volt), None);
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", ".", "1.2.3", "NaN", "inf", "0x10", "1e999", "1 ", "é"] {
            assert_eq!(Decimal::parse(text), None, "{text:?}");
        }
        assert_eq!(Decimal::parse(&"9".repeat(31)), None);
    }

    #[test]
    fn gauges_are_rounded_once() {
        let v = |text: &str, unit, q| Decimal::parse(text)?.value(unit, q);
        assert_eq!(v("1.1", Unit::Kilowatt, Quantity::ActivePower), Some(Value::Gauge(1100.0)));
        assert_eq!(v("123", Unit::Milliampere, Quantity::Current), Some(Value::Gauge(0.123)));
    }

    #[test]
    fn a_float_scale_becomes_its_shortest_decimal() {
        assert_eq!(Decimal::from_f64(0.1), Some(Decimal { mantissa: 1, exponent: -1 }));
        assert_eq!(Decimal::from_f64(0.001), Some(Decimal { mantissa: 1, exponent: -3 }));
        assert_eq!(Decimal::from_f64(f64::NAN), None);
    }
}
