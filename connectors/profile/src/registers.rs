//! Meters with registers: their measures, what they tolerate, and what a block of words says.
//!
//! Must never: return a value that the file calls a sentinel, or a gauge that is not finite.

use std::collections::BTreeMap;
use std::fmt;

use model::{Channel, Unit, Value};

use crate::decimal::{Decimal, float_value};
use crate::encoding::{Encoding, Raw};
use crate::example::Expected;
use crate::plan::Block;

/// Most registers one Modbus request may ask for (Modbus application protocol V1.1b3, 6.3).
pub const REGISTERS_PER_REQUEST_MAX: u16 = 125;
/// Most measures a meter's file may have.
pub const MEASURES_MAX: usize = 512;

/// Which of the two tables of 16-bit registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Read with function 3.
    Holding,
    /// Read with function 4.
    Input,
}

impl Space {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Holding => "holding",
            Self::Input => "input",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Holding, Self::Input].into_iter().find(|s| s.code() == code)
    }
}

/// Where a measure lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterRef {
    pub space: Space,
    /// As sent on the wire: counted from 0, without the 30001 or 40001 of manuals.
    pub address: u16,
}

/// Both ends included, in the unit in which the quantity is kept (Wh, litre, W, V, …).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    pub from: f64,
    pub to: f64,
}

impl Range {
    #[must_use]
    pub fn holds(self, value: Value) -> bool {
        let v = value.as_f64();
        self.from <= v && v <= self.to
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

/// One line of a register map.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    pub channel: Channel,
    pub register: RegisterRef,
    pub encoding: Encoding,
    /// The unit of the register once multiplied by `scale`.
    pub unit: Unit,
    pub scale: Decimal,
    /// Bit patterns that mean "no value", after the words were put in order.
    pub sentinels: Vec<u64>,
    pub plausible: Range,
}

/// What the device tolerates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Registers per request, at most [`REGISTERS_PER_REQUEST_MAX`].
    pub registers_per_request: u16,
    /// Unused registers that may be read along between two measures.
    pub widest_gap: u16,
    /// Silence the device needs between two requests.
    pub pause_ms: u16,
}

/// Example registers with the readings they must give.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterExample {
    pub registers: BTreeMap<RegisterRef, u16>,
    pub expect: Vec<Expected>,
}

/// A meter that is asked for registers.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterModel {
    pub limits: Limits,
    pub measures: Vec<Measure>,
    pub examples: Vec<RegisterExample>,
}

/// Why a register map cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("there is no measure: add at least one")]
    Empty,
    #[error("there are {count} measures: at most {MEASURES_MAX} are allowed")]
    TooMany { count: usize },
    #[error("registers_per_request is {given}: use 1 to {REGISTERS_PER_REQUEST_MAX}")]
    Limit { given: u16 },
    #[error(
        "{channel} takes {words} registers but only {limit} may be asked for at once: raise registers_per_request"
    )]
    TooWide { channel: Channel, words: u16, limit: u16 },
    #[error("{channel} begins at {address} and runs beyond register 65535: correct its address")]
    BeyondEnd { channel: Channel, address: u16 },
    #[error("{channel} is given twice: keep one")]
    Twice { channel: Channel },
    #[error("{channel} cannot be in {unit}: use a unit of {}", channel.quantity.unit())]
    Unit { channel: Channel, unit: Unit },
    #[error("the plausible range of {channel} is empty: put the smaller number in `from`")]
    Range { channel: Channel },
}

impl RegisterModel {
    /// Judges the map.
    ///
    /// # Errors
    /// The first thing that makes it unusable.
    pub fn check(&self) -> Result<(), ModelError> {
        if self.measures.is_empty() {
            return Err(ModelError::Empty);
        }
        if self.measures.len() > MEASURES_MAX {
            return Err(ModelError::TooMany { count: self.measures.len() });
        }
        let limit = self.limits.registers_per_request;
        if limit == 0 || limit > REGISTERS_PER_REQUEST_MAX {
            return Err(ModelError::Limit { given: limit });
        }
        for (i, measure) in self.measures.iter().enumerate() {
            measure.check(limit)?;
            if self.measures[..i].iter().any(|other| other.channel == measure.channel) {
                return Err(ModelError::Twice { channel: measure.channel });
            }
        }
        Ok(())
    }

    /// The requests of one sweep.
    #[must_use]
    pub fn plan(&self) -> Vec<Block> {
        crate::plan::plan(&self.measures, self.limits)
    }

    /// What the words of a block say, one entry a measure, in the order of `block.measures`.
    #[must_use]
    pub fn decode(&self, block: &Block, words: &[u16]) -> Vec<(Channel, Decoded)> {
        let measures = block.measures.iter().filter_map(|&i| self.measures.get(i));
        measures
            .map(|measure| {
                let offset = usize::from(measure.register.address - block.address);
                let decoded = words.get(offset..).map_or(Decoded::Missing, |words| measure.decode(words));
                (measure.channel, decoded)
            })
            .collect()
    }
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
    /// NaN or infinite.
    NotANumber {
        bits: u64,
    },
    /// A number too large to be kept.
    Overflow {
        bits: u64,
    },
    /// The answer was shorter than asked for.
    Missing,
}

impl Decoded {
    /// Places `value` inside or outside the range.
    #[must_use]
    pub fn of(value: Value, plausible: Range) -> Self {
        if plausible.holds(value) { Self::Value(value) } else { Self::Implausible(value, plausible) }
    }
}

impl Measure {
    fn check(&self, limit: u16) -> Result<(), ModelError> {
        let channel = self.channel;
        let words = self.encoding.number.words();
        if words > limit {
            return Err(ModelError::TooWide { channel, words, limit });
        }
        if self.register.address.checked_add(words - 1).is_none() {
            return Err(ModelError::BeyondEnd { channel, address: self.register.address });
        }
        if self.unit.factor_to(channel.quantity).is_none() {
            return Err(ModelError::Unit { channel, unit: self.unit });
        }
        if self.plausible.from < self.plausible.to { Ok(()) } else { Err(ModelError::Range { channel }) }
    }

    /// What the words beginning at this measure's register say.
    #[must_use]
    pub fn decode(&self, words: &[u16]) -> Decoded {
        let Some(bits) = self.encoding.bits(words) else { return Decoded::Missing };
        if self.sentinels.contains(&bits) {
            return Decoded::Sentinel { bits };
        }
        let quantity = self.channel.quantity;
        let value = match self.encoding.number(bits) {
            Raw::Float(number) if !number.is_finite() => return Decoded::NotANumber { bits },
            Raw::Float(number) => float_value(number, self.scale, self.unit, quantity),
            Raw::Integer(number) => {
                Decimal::integer(number).times(self.scale).and_then(|d| d.value(self.unit, quantity))
            }
        };
        value.map_or(Decoded::Overflow { bits }, |value| Decoded::of(value, self.plausible))
    }

    /// The registers it takes, first and last.
    #[must_use]
    pub fn span(&self) -> (u16, u16) {
        (self.register.address, self.register.address.saturating_add(self.encoding.number.words() - 1))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use model::{Phase, Quantity};

    use super::*;
    use crate::encoding::{Number, WordOrder};

    pub(crate) fn measure(address: u16, number: Number) -> Measure {
        Measure {
            channel: Channel { quantity: Quantity::ActiveEnergyImport, phase: Phase::Total },
            register: RegisterRef { space: Space::Input, address },
            encoding: Encoding { number, order: WordOrder::Abcd },
            unit: Unit::KilowattHour,
            scale: Decimal::ONE,
            sentinels: Vec::new(),
            plausible: Range { from: 0.0, to: 1e12 },
        }
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

    #[test]
    fn a_map_that_cannot_work_is_refused() {
        let limits = Limits { registers_per_request: 2, widest_gap: 0, pause_ms: 0 };
        let model = |measures| RegisterModel { limits, measures, examples: vec![] };
        assert_eq!(model(vec![]).check(), Err(ModelError::Empty));
        assert!(matches!(
            model(vec![measure(0, Number::U64)]).check(),
            Err(ModelError::TooWide { words: 4, .. })
        ));
        assert!(matches!(
            model(vec![measure(65_535, Number::U32)]).check(),
            Err(ModelError::BeyondEnd { .. })
        ));
        let twice = vec![measure(0, Number::U32), measure(2, Number::U32)];
        assert!(matches!(model(twice).check(), Err(ModelError::Twice { .. })));
        let volts = Measure { unit: Unit::Volt, ..measure(0, Number::U32) };
        assert!(matches!(model(vec![volts]).check(), Err(ModelError::Unit { .. })));
    }
}
