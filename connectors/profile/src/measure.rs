//! One line of a register map: where its number lies, in how many pieces, and what the words say.
//!
//! Must never: return a value that the file calls a sentinel, a gauge that is not finite, or a value whose unit or
//! factor the device did not say.

use model::{Channel, Unit, Value};

use crate::decimal::{Decimal, float_value};
use crate::encoding::{Encoding, Number, Raw};
use crate::registers::{Limits, ModelError, Range, RegisterRef};

/// Largest power of ten of a scale-factor register, up or down (SunSpec information model specification, `sunssf`).
const POWER_OF_TEN_MAX: i128 = 10;

/// One line of a register map.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    pub channel: Channel,
    /// Where the number lies, or the first of its parts.
    pub register: RegisterRef,
    pub encoding: Encoding,
    /// The unit of the register once multiplied by `scale`. With a unit register: only the unit of `modulus`.
    pub unit: Unit,
    pub scale: Decimal,
    /// Bit patterns that mean "no value", after the words were put in order.
    pub sentinels: Vec<u64>,
    pub plausible: Range,
    /// Further numbers that are added to the first: digit groups, tariffs.
    pub plus: Vec<Part>,
    /// Registers whose numbers multiply the value.
    pub factors: Vec<Factor>,
    /// The register that says the unit.
    pub unit_register: Option<UnitRegister>,
    /// At which count, in `unit`, the counter begins again at 0, where the register's type does not say it.
    pub modulus: Option<Decimal>,
}

/// One of several numbers that add up to a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub register: RegisterRef,
    pub encoding: Encoding,
    /// Its own weight, in the measure's unit.
    pub scale: Decimal,
    pub sentinels: Vec<u64>,
}

/// A register that multiplies a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    pub register: RegisterRef,
    pub encoding: Encoding,
    pub rule: FactorRule,
    pub sentinels: Vec<u64>,
}

/// How a factor's number multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorRule {
    /// By itself times this; it must be above 0.
    Number(Decimal),
    /// By ten to its power.
    PowerOfTen,
}

/// A register whose code says the unit of a value.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitRegister {
    pub register: RegisterRef,
    pub encoding: Encoding,
    pub codes: Vec<UnitCode>,
}

/// One code of a unit register: the value counts `scale` of `unit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitCode {
    pub code: u64,
    pub scale: Decimal,
    pub unit: Unit,
}

/// What the registers of one measure say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decoded {
    Value(Value),
    /// A number, but outside what the meter can mean: kept, never used.
    Implausible(Value, Range),
    /// The device's own sign for "no value".
    Sentinel {
        bits: u64,
    },
    /// NaN, infinite, or digits that are none.
    NotANumber {
        bits: u64,
    },
    /// A number too large to be kept.
    Overflow {
        bits: u64,
    },
    /// The unit register holds a code that the file does not know.
    UnknownUnit {
        code: u64,
    },
    /// A register that multiplies the value holds no factor.
    NoFactor {
        bits: u64,
    },
    /// The answer was shorter than asked for.
    Missing,
    /// There is a value, but the device's own state speaks against it, or was not `read`.
    Withheld {
        by: RegisterRef,
        read: bool,
    },
}

impl Decoded {
    /// Places `value` inside or outside the range.
    #[must_use]
    pub fn of(value: Value, plausible: Range) -> Self {
        if plausible.holds(value) { Self::Value(value) } else { Self::Implausible(value, plausible) }
    }
}

impl Measure {
    /// A number in one piece, in `unit`, without sentinels.
    #[must_use]
    pub const fn new(
        channel: Channel,
        register: RegisterRef,
        encoding: Encoding,
        unit: Unit,
        plausible: Range,
    ) -> Self {
        Self {
            channel,
            register,
            encoding,
            unit,
            scale: Decimal::ONE,
            sentinels: Vec::new(),
            plausible,
            plus: Vec::new(),
            factors: Vec::new(),
            unit_register: None,
            modulus: None,
        }
    }

    /// Every register the value is made of, each with its number of words: the number or its parts first.
    pub fn pieces(&self) -> impl Iterator<Item = (RegisterRef, u16)> {
        let words = |register, encoding: Encoding| (register, encoding.number.words());
        std::iter::once(words(self.register, self.encoding))
            .chain(self.plus.iter().map(move |p| words(p.register, p.encoding)))
            .chain(self.factors.iter().map(move |f| words(f.register, f.encoding)))
            .chain(self.unit_register.iter().map(move |u| words(u.register, u.encoding)))
    }

    /// The registers it takes, first and last. They are always read in one request, so that all pieces of the
    /// value are of one moment.
    #[must_use]
    pub fn span(&self) -> (u16, u16) {
        self.pieces().fold((u16::MAX, 0), |(first, last), (register, words)| {
            (first.min(register.address), last.max(register.address.saturating_add(words - 1)))
        })
    }

    /// The bits of the number, or of each of its parts; `words` begin at the first register of [`Self::span`].
    pub(crate) fn bits(&self, words: &[u16]) -> Vec<u64> {
        let first = std::iter::once((self.register, self.encoding));
        let parts = first.chain(self.plus.iter().map(|part| (part.register, part.encoding)));
        parts.filter_map(|(register, encoding)| encoding.bits(self.piece(words, register)?)).collect()
    }

    /// The pieces of the value as they came, in hexadecimal, with ` | ` between them; `words` begin at the first
    /// register of [`Self::span`].
    #[must_use]
    pub fn raw(&self, words: &[u16]) -> String {
        let piece = |(register, count): (RegisterRef, u16)| {
            let words = self.piece(words, register).and_then(|w| w.get(..usize::from(count)));
            words.unwrap_or_default().iter().map(|word| format!("{word:04x}")).collect::<Vec<_>>().join(" ")
        };
        self.pieces().map(piece).collect::<Vec<_>>().join(" | ")
    }

    /// The count in smallest units at which the counter begins again at 0: what the file says, else what the type
    /// of a single register makes natural. `None` where neither says it.
    #[must_use]
    pub fn wraps_at(&self) -> Option<i64> {
        let natural = || {
            let whole = self.plus.is_empty() && self.factors.is_empty() && self.unit_register.is_none();
            let modulus = self.encoding.number.modulus().filter(|_| whole)?;
            Decimal::integer(modulus).times(self.scale)
        };
        match self.modulus.or_else(natural)?.value(self.unit, self.channel.quantity)? {
            Value::Total(count) => Some(count).filter(|count| 0 < *count),
            Value::Gauge(_) => None,
        }
    }

    /// The step in which the counter counts, in smallest units, at least 1; `None` for floats, whose step grows with
    /// the count, and where another register says the unit or a factor.
    #[must_use]
    pub fn resolution(&self) -> Option<i64> {
        let parts = self.plus.iter().map(|part| (part.encoding, part.scale));
        let said_elsewhere = !self.factors.is_empty() || self.unit_register.is_some();
        let steps = std::iter::once((self.encoding, self.scale)).chain(parts).map(|(encoding, scale)| {
            let exact = !said_elsewhere && !matches!(encoding.number, Number::F32 | Number::F64);
            let step = scale.to_f64() * self.unit.factor_to(self.channel.quantity).filter(|_| exact)?;
            Some((step.abs().ceil() as i64).max(1))
        });
        steps.collect::<Option<Vec<i64>>>()?.into_iter().min()
    }

    pub(crate) fn check(&self, limits: Limits) -> Result<(), ModelError> {
        let channel = self.channel;
        for (register, words) in self.pieces() {
            if register.address.checked_add(words - 1).is_none() {
                return Err(ModelError::BeyondEnd { channel, address: register.address });
            }
            if register.space.is_bits() {
                return Err(ModelError::BitSpace { channel });
            }
            if register.space != self.register.space {
                return Err(ModelError::TwoSpaces { channel });
            }
        }
        let (first, last) = self.span();
        let (words, limit) = (last - first + 1, limits.registers_per_request);
        if words > limit {
            return Err(ModelError::TooWide { channel, words, limit });
        }
        let hole = self.widest_hole();
        if hole > limits.widest_gap {
            return Err(ModelError::Hole { channel, hole, widest_gap: limits.widest_gap });
        }
        let codes = self.unit_register.iter().flat_map(|u| &u.codes).map(|c| c.unit);
        for unit in std::iter::once(self.unit).chain(codes) {
            if unit.factor_to(channel.quantity).is_none() {
                return Err(ModelError::Unit { channel, unit });
            }
        }
        if self.modulus.is_some() && self.wraps_at().is_none() {
            return Err(ModelError::Modulus { channel });
        }
        if self.plausible.from < self.plausible.to { Ok(()) } else { Err(ModelError::Range { channel }) }
    }

    /// Most unused registers in a row between the pieces of the value.
    fn widest_hole(&self) -> u16 {
        let mut pieces: Vec<(u16, u16)> = self.pieces().map(|(r, words)| (r.address, words)).collect();
        pieces.sort_unstable();
        let mut end = pieces.first().map_or(0, |(first, _)| *first);
        let mut widest = 0;
        for (first, words) in pieces {
            widest = widest.max(first.saturating_sub(end));
            end = end.max(first.saturating_add(words));
        }
        widest
    }

    /// What the words beginning at the first register of [`Self::span`] say.
    #[must_use]
    pub fn decode(&self, words: &[u16]) -> Decoded {
        self.value(words).map_or_else(|none| none, |value| Decoded::of(value, self.plausible))
    }

    /// The value, or why there is none.
    fn value(&self, words: &[u16]) -> Result<Value, Decoded> {
        let (bits, first) = self.number(words, self.register, self.encoding, &self.sentinels)?;
        let (unit, multiplier) = self.multiplier(words)?;
        let quantity = self.channel.quantity;
        let overflow = || Decoded::Overflow { bits };
        let scaled = |scale: Decimal| scale.times(multiplier).ok_or_else(overflow);
        let one = |raw: Raw, scale: Decimal| match raw {
            Raw::Integer(number) => {
                Decimal::integer(number).times(scale).and_then(|d| d.value(unit, quantity))
            }
            Raw::Float(number) => float_value(number, scale, unit, quantity),
            Raw::NotDigits => None,
        };
        if self.plus.is_empty() {
            return one(first, scaled(self.scale)?).ok_or_else(overflow);
        }
        let mut numbers = vec![(first, scaled(self.scale)?)];
        for part in &self.plus {
            let (_, raw) = self.number(words, part.register, part.encoding, &part.sentinels)?;
            numbers.push((raw, scaled(part.scale)?));
        }
        sum_exactly(&numbers)
            .map_or_else(
                || sum(numbers.iter().map(|(raw, scale)| one(*raw, *scale))),
                |sum| sum.value(unit, quantity),
            )
            .ok_or_else(overflow)
    }

    /// The unit of the value, and what it is multiplied by, as the device says.
    fn multiplier(&self, words: &[u16]) -> Result<(Unit, Decimal), Decoded> {
        let (mut unit, mut product) = (self.unit, Decimal::ONE);
        if let Some(says) = &self.unit_register {
            let words = self.piece(words, says.register).ok_or(Decoded::Missing)?;
            let code = says.encoding.bits(words).ok_or(Decoded::Missing)?;
            let known = says.codes.iter().find(|known| known.code == code);
            let known = known.ok_or(Decoded::UnknownUnit { code })?;
            (unit, product) = (known.unit, known.scale);
        }
        for factor in &self.factors {
            let words = self.piece(words, factor.register).ok_or(Decoded::Missing)?;
            let bits = factor.encoding.bits(words).ok_or(Decoded::Missing)?;
            let number = factor.number(bits).and_then(|number| product.times(number));
            product = number.ok_or(Decoded::NoFactor { bits })?;
        }
        Ok((unit, product))
    }

    /// The number in a register, with its bits.
    fn number(
        &self,
        words: &[u16],
        register: RegisterRef,
        encoding: Encoding,
        sentinels: &[u64],
    ) -> Result<(u64, Raw), Decoded> {
        let words = self.piece(words, register).ok_or(Decoded::Missing)?;
        let bits = encoding.bits(words).ok_or(Decoded::Missing)?;
        if sentinels.contains(&bits) || encoding.number.is_absent(bits) {
            return Err(Decoded::Sentinel { bits });
        }
        match encoding.number(bits) {
            Raw::Float(number) if !number.is_finite() => Err(Decoded::NotANumber { bits }),
            Raw::NotDigits => Err(Decoded::NotANumber { bits }),
            raw @ (Raw::Float(_) | Raw::Integer(_)) => Ok((bits, raw)),
        }
    }

    /// The words from a register on, out of those that begin at the first of [`Self::span`].
    fn piece<'w>(&self, words: &'w [u16], register: RegisterRef) -> Option<&'w [u16]> {
        words.get(usize::from(register.address.checked_sub(self.span().0)?)..)
    }
}

impl Factor {
    fn number(&self, bits: u64) -> Option<Decimal> {
        if self.sentinels.contains(&bits) || self.encoding.number.is_absent(bits) {
            return None;
        }
        match (self.rule, self.encoding.number(bits)) {
            (FactorRule::PowerOfTen, Raw::Integer(power)) if power.abs() <= POWER_OF_TEN_MAX => {
                Decimal::power_of_ten(i32::try_from(power).ok()?)
            }
            (FactorRule::PowerOfTen, _) | (_, Raw::NotDigits) => None,
            (FactorRule::Number(scale), Raw::Integer(number)) => Decimal::integer(number).times(scale),
            (FactorRule::Number(scale), Raw::Float(number)) => Decimal::from_f64(number)?.times(scale),
        }
        .filter(|factor| factor.is_positive())
    }
}

/// Integers add up before they are rounded to the smallest unit. `None` when a float is among them.
fn sum_exactly(numbers: &[(Raw, Decimal)]) -> Option<Decimal> {
    numbers.iter().try_fold(Decimal::integer(0), |sum, (raw, scale)| match raw {
        Raw::Integer(number) => sum.plus(Decimal::integer(*number).times(*scale)?),
        Raw::Float(_) | Raw::NotDigits => None,
    })
}

fn sum(mut values: impl Iterator<Item = Option<Value>>) -> Option<Value> {
    let first = values.next()??;
    values.try_fold(first, |sum, value| match (sum, value?) {
        (Value::Total(a), Value::Total(b)) => a.checked_add(b).map(Value::Total),
        (Value::Gauge(a), Value::Gauge(b)) => Some(Value::Gauge(a + b)).filter(|v| v.as_f64().is_finite()),
        (Value::Total(_), Value::Gauge(_)) | (Value::Gauge(_), Value::Total(_)) => None,
    })
}

#[cfg(test)]
#[path = "measure_tests.rs"]
pub(crate) mod tests;
