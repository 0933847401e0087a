//! M-Bus meters: which record of their telegrams is which channel.
//!
//! Must never: take a record for a channel that is not exactly the one the file names, or choose between two.

pub mod records;
pub mod telegram;
#[cfg(test)]
mod tests;

use model::{Channel, Quantity, Unit};

pub use records::{Record, RecordFunction, RecordKind, RecordNumber, Rest, records};
pub use telegram::{Identity, Status, Telegram, TelegramError, Trouble};

use crate::decimal::{Decimal, float_value};
use crate::example::Expected;
use crate::registers::{Decoded, MEASURES_MAX, Range};

/// Most telegrams of one reading.
pub const TELEGRAMS_MAX: u8 = 16;

/// What a record must be, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordKey {
    pub kind: RecordKind,
    pub function: RecordFunction,
    pub storage: u64,
    pub tariff: u64,
    pub subunit: u64,
    /// As [`Record::extensions`] has them.
    pub extensions: Vec<u8>,
}

impl RecordKey {
    /// Whether the record is the one meant, in error or not.
    fn is(&self, record: &Record) -> bool {
        (self.function == record.function || record.function == RecordFunction::Error)
            && self.kind == record.kind
            && self.storage == record.storage
            && self.tariff == record.tariff
            && self.subunit == record.subunit
            && self.extensions == record.extensions
    }
}

/// One channel and the record it is read from.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordMeasure {
    pub channel: Channel,
    pub key: RecordKey,
    pub plausible: Range,
    /// A telegram without it is told; otherwise the meter may do without.
    pub required: bool,
    /// The coarsest step in which such meters count, in smallest units; the telegram says the real one.
    pub step: i64,
}

/// Example telegrams with the readings they must give.
#[derive(Debug, Clone, PartialEq)]
pub struct MBusExample {
    /// Whole frames.
    pub telegrams: Vec<Vec<u8>>,
    pub expect: Vec<Expected>,
}

/// A meter on a wired M-Bus.
#[derive(Debug, Clone, PartialEq)]
pub struct MBusModel {
    /// Whether it lives on a battery, which every reading shortens.
    pub battery: bool,
    /// Most telegrams that are asked for in one reading.
    pub telegrams: u8,
    pub measures: Vec<RecordMeasure>,
    pub examples: Vec<MBusExample>,
}

/// Why the records of a meter's file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MBusModelError {
    #[error("there is no record: add at least one")]
    Empty,
    #[error("there are {count} records: at most {MEASURES_MAX} are allowed")]
    TooMany { count: usize },
    #[error("telegrams is {given}: use 1 to {TELEGRAMS_MAX}")]
    Telegrams { given: u8 },
    #[error("{channel} cannot be a record of kind {}: choose the kind that measures it", kind.code())]
    Kind { channel: Channel, kind: RecordKind },
    #[error("{channel} is given twice: keep one")]
    Twice { channel: Channel },
    #[error("{one} and {other} are the same record: let them differ in storage, tariff or subunit")]
    SameRecord { one: Channel, other: Channel },
}

/// What one channel of a reading is.
#[derive(Debug, Clone, PartialEq)]
pub struct Picked {
    pub channel: Channel,
    pub decoded: Decoded,
    /// The bytes of the number, empty without a record.
    pub raw: Vec<u8>,
    /// There are several such records with different values, so none was taken.
    pub ambiguous: bool,
}

impl MBusModel {
    /// Judges the records.
    ///
    /// # Errors
    /// The first thing that makes them unusable.
    pub fn check(&self) -> Result<(), MBusModelError> {
        if self.measures.is_empty() {
            return Err(MBusModelError::Empty);
        }
        if self.measures.len() > MEASURES_MAX {
            return Err(MBusModelError::TooMany { count: self.measures.len() });
        }
        if self.telegrams == 0 || TELEGRAMS_MAX < self.telegrams {
            return Err(MBusModelError::Telegrams { given: self.telegrams });
        }
        for (i, measure) in self.measures.iter().enumerate() {
            let (channel, kind) = (measure.channel, measure.key.kind);
            if !kind.measures(channel.quantity) {
                return Err(MBusModelError::Kind { channel, kind });
            }
            for other in &self.measures[..i] {
                if other.channel == channel {
                    return Err(MBusModelError::Twice { channel });
                }
                if other.key == measure.key {
                    return Err(MBusModelError::SameRecord { one: other.channel, other: channel });
                }
            }
        }
        Ok(())
    }

    /// Whether every channel has its record already, so that no further telegram need be asked for.
    #[must_use]
    pub fn is_satisfied(&self, records: &[Record]) -> bool {
        self.measures.iter().all(|measure| records.iter().any(|record| measure.key.is(record)))
    }

    /// What the records of one reading say, one entry a channel, in the order of the file. Channels that need
    /// not be there and are not have no entry.
    #[must_use]
    pub fn pick(&self, records: &[Record]) -> Vec<Picked> {
        self.measures.iter().filter_map(|measure| measure.pick(records)).collect()
    }
}

impl RecordMeasure {
    fn pick(&self, records: &[Record]) -> Option<Picked> {
        let mut found = records.iter().filter(|record| self.key.is(record));
        let channel = self.channel;
        let none = Picked { channel, decoded: Decoded::Missing, raw: Vec::new(), ambiguous: false };
        let Some(record) = found.next() else { return self.required.then_some(none) };
        let decoded = self.decode(record);
        if found.any(|other| self.decode(other) != decoded) {
            return Some(Picked { ambiguous: true, ..none });
        }
        Some(Picked { decoded, raw: record.raw.clone(), ..none })
    }

    fn decode(&self, record: &Record) -> Decoded {
        let quantity = self.channel.quantity;
        let unit = match (record.unit, quantity) {
            // The file says that this meter counts at base conditions.
            (Unit::CubicMetre, Quantity::GasStandardVolume) => Unit::StandardCubicMetre,
            (unit, _) => unit,
        };
        let bits = record.raw.iter().rev().take(8).fold(0, |bits, byte| (bits << 8) | u64::from(*byte));
        if record.faulty || record.function == RecordFunction::Error {
            return Decoded::Sentinel { bits };
        }
        let value = match record.number {
            RecordNumber::Invalid(bits) => return Decoded::Sentinel { bits },
            RecordNumber::Float(number) if !number.is_finite() => return Decoded::NotANumber { bits },
            RecordNumber::Float(number) => float_value(f64::from(number), record.scale, unit, quantity),
            RecordNumber::Integer(number) => Decimal::integer(i128::from(number))
                .times(record.scale)
                .and_then(|number| number.value(unit, quantity)),
        };
        value.map_or(Decoded::Overflow { bits }, |value| Decoded::of(value, self.plausible))
    }
}
