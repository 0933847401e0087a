//! Meters with registers: where their measures lie, what they tolerate, and what a block of words says.
//!
//! Must never: take an offset for an address, or accept a value whose parts cannot be read in one request.

use std::collections::BTreeMap;
use std::fmt;

use model::{Channel, Unit, Value};

use crate::example::Expected;
pub use crate::measure::{Decoded, Measure};
use crate::plan::Block;
use crate::status::Status;
use crate::sunspec::{ModelAt, ResolveError};

/// Most registers one Modbus request may ask for (Modbus application protocol V1.1b3, 6.3).
pub const REGISTERS_PER_REQUEST_MAX: u16 = 125;
/// Most coils or discrete inputs that are asked for in one request; the protocol allows 2000 (6.1, 6.2), which no
/// meter needs.
pub const BITS_PER_REQUEST_MAX: u16 = 256;
/// Most measures a meter's file may have.
pub const MEASURES_MAX: usize = 512;
/// Most conditions a meter's file may set.
pub const STATUSES_MAX: usize = 32;

/// Which of the four tables of a device: two of single bits, two of 16-bit registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Single bits, read with function 1.
    Coil,
    /// Single bits, read with function 2.
    Discrete,
    /// Read with function 3.
    Holding,
    /// Read with function 4.
    Input,
}

impl Space {
    pub const ALL: [Self; 4] = [Self::Coil, Self::Discrete, Self::Holding, Self::Input];

    /// Whether its places hold one bit each; such a bit is kept as a word of 0 or 1.
    #[must_use]
    pub const fn is_bits(self) -> bool {
        match self {
            Self::Coil | Self::Discrete => true,
            Self::Holding | Self::Input => false,
        }
    }

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Holding => "holding",
            Self::Input => "input",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }
}

/// Where a number lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterRef {
    pub space: Space,
    /// As sent on the wire: counted from 0, without the 30001 or 40001 of manuals. In a map of
    /// [`Layout::SunSpec`]: counted from the model's header.
    pub address: u16,
}

impl fmt::Display for RegisterRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.space {
            Space::Coil => "coil",
            Space::Discrete => "discrete input",
            Space::Holding => "holding register",
            Space::Input => "input register",
        };
        write!(f, "{of} {}", self.address)
    }
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

/// What the device tolerates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Registers per request, at most [`REGISTERS_PER_REQUEST_MAX`].
    pub registers_per_request: u16,
    /// Unused registers that may be read along between two measures.
    pub widest_gap: u16,
    /// Silence the device needs between two requests.
    pub pause_ms: u16,
    /// How long the device may take to answer, where it needs longer than the link allows.
    pub timeout_ms: Option<u16>,
}

/// What the addresses of a map count from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// From the beginning of the register space.
    Fixed,
    /// From the header of the first SunSpec model in the device's chain that has one of these ids: the map is
    /// used after [`crate::sunspec::Walk`] has found it and [`RegisterModel::resolve`] has placed it.
    SunSpec { models: Vec<u16> },
}

/// Example registers with the readings they must give.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterExample {
    /// As the device has them: for SunSpec with the whole chain.
    pub registers: BTreeMap<RegisterRef, u16>,
    pub expect: Vec<Expected>,
}

/// A meter that is asked for registers.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterModel {
    pub layout: Layout,
    pub limits: Limits,
    pub measures: Vec<Measure>,
    /// What must hold for the values to be used.
    pub statuses: Vec<Status>,
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
        "{channel} takes {words} registers from its first to its last but only {limit} may be asked for at once: raise registers_per_request"
    )]
    TooWide { channel: Channel, words: u16, limit: u16 },
    #[error("{channel} begins at {address} and runs beyond register 65535: correct its address")]
    BeyondEnd { channel: Channel, address: u16 },
    #[error("{channel} is read from both register spaces, which no single request can do: correct a `space`")]
    TwoSpaces { channel: Channel },
    #[error(
        "the registers of {channel} are {hole} apart but only {widest_gap} unused ones may be read along: raise widest_gap"
    )]
    Hole { channel: Channel, hole: u16, widest_gap: u16 },
    #[error("{channel} is given twice: keep one")]
    Twice { channel: Channel },
    #[error("{channel} cannot be in {unit}: use a unit of {}", channel.quantity.unit())]
    Unit { channel: Channel, unit: Unit },
    #[error("the plausible range of {channel} is empty: put the smaller number in `from`")]
    Range { channel: Channel },
    #[error("wraps_at of {channel} is no amount above 0: correct or remove it")]
    Modulus { channel: Channel },
    #[error("no SunSpec model is named: give the ids of the models that hold these registers")]
    NoModels,
    #[error("{channel} is a number, which no single bit holds: use space `holding` or `input`")]
    BitSpace { channel: Channel },
    #[error(
        "the status at {address} can never be good: give a mask, and in `good` no bit outside it; coils and discrete inputs are 0 or 1"
    )]
    Status { address: u16 },
    #[error("the status at {address} governs {channel}, which the file does not read: correct `channels`")]
    StatusOfNothing { address: u16, channel: Channel },
    #[error("the status at {address} stands in a map of SunSpec offsets, where it has no address: remove it")]
    StatusInChain { address: u16 },
    #[error("there are {count} statuses: at most {STATUSES_MAX} are allowed")]
    TooManyStatuses { count: usize },
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
        if self.layout == (Layout::SunSpec { models: Vec::new() }) {
            return Err(ModelError::NoModels);
        }
        for (i, measure) in self.measures.iter().enumerate() {
            measure.check(self.limits)?;
            if self.measures[..i].iter().any(|other| other.channel == measure.channel) {
                return Err(ModelError::Twice { channel: measure.channel });
            }
        }
        if self.statuses.len() > STATUSES_MAX {
            return Err(ModelError::TooManyStatuses { count: self.statuses.len() });
        }
        self.statuses.iter().try_for_each(|status| status.check(self))
    }

    /// The map with absolute addresses, on a device whose chain of SunSpec models was found to be `chain`. A map of
    /// fixed addresses comes back as it is.
    ///
    /// # Errors
    /// The device has no such model, or one too short for these measures.
    pub fn resolve(&self, chain: &[ModelAt]) -> Result<Self, ResolveError> {
        crate::sunspec::resolve(self, chain)
    }

    /// The requests of one sweep. None for a map of [`Layout::SunSpec`] before [`Self::resolve`] has placed it: its
    /// offsets are no addresses.
    #[must_use]
    pub fn plan(&self) -> Vec<Block> {
        match self.layout {
            Layout::Fixed => crate::plan::plan(&self.measures, self.limits),
            Layout::SunSpec { .. } => Vec::new(),
        }
    }

    /// What the words of a block say, one entry a measure, in the order of `block.measures`.
    #[must_use]
    pub fn decode(&self, block: &Block, words: &[u16]) -> Vec<(Channel, Decoded)> {
        let measures = block.measures.iter().filter_map(|&i| self.measures.get(i));
        measures
            .map(|measure| {
                (
                    measure.channel,
                    block.words_of(measure, words).map_or(Decoded::Missing, |w| measure.decode(w)),
                )
            })
            .collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::encoding::Number;
    use crate::measure::tests::measure;

    pub(crate) fn limits(registers_per_request: u16, widest_gap: u16) -> Limits {
        Limits { registers_per_request, widest_gap, pause_ms: 0, timeout_ms: None }
    }

    #[test]
    fn a_map_that_cannot_work_is_refused() {
        let model = |measures| RegisterModel {
            layout: Layout::Fixed,
            limits: limits(2, 0),
            measures,
            statuses: vec![],
            examples: vec![],
        };
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
