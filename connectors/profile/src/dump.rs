//! Dumps: the registers of a real meter together with what its display showed, held against the meter's file.
//!
//! Must never: count as proof a number that could agree by chance, or one that is 0.

use std::collections::{BTreeMap, BTreeSet};

use model::{Channel, Kind, Unit, Value};

use crate::MeterModel;
use crate::decimal::Decimal;
use crate::example::{place, words_of};
use crate::measure::Decoded;
use crate::registers::RegisterRef;

/// Digits, from the first that is not 0, that a number on a display must have to prove anything: with fewer, a
/// register of something else agrees too easily.
pub const DIGITS_MIN: usize = 3;

/// A number as the meter's display showed it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    pub channel: Channel,
    pub value: i64,
    /// What one step of the last digit shown is worth, in smallest units.
    pub step: i64,
    /// Digits from the first that is not 0.
    pub digits: usize,
}

/// The registers of a real meter and its display, read one right after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Dump {
    pub registers: BTreeMap<RegisterRef, u16>,
    pub shown: Vec<Shown>,
}

/// Why a dump and a meter's file do not agree.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DumpError {
    #[error("the model has no registers: only meters that are asked for registers can be dumped")]
    NoRegisters,
    #[error("the registers are not those of the model: {says}")]
    NotPlaced { says: String },
    #[error("the model does not measure {channel}: drop the line or name another model")]
    Unknown { channel: Channel },
    #[error("register {address} of {channel} is missing: add it to the dump")]
    Register { channel: Channel, address: u16 },
    #[error(
        "{channel} reads {read:?} where the display showed {shown} (in smallest units): the model's file does not fit this meter"
    )]
    Differs { channel: Channel, read: Decoded, shown: i64 },
}

impl Shown {
    /// Reads `12345.6 kWh` as a display of `channel`; `None` when it is no such total, or negative.
    #[must_use]
    pub fn parse(channel: Channel, text: &str) -> Option<Self> {
        let (number, unit) = text.split_once(' ')?;
        let unit = Unit::parse(unit)?;
        if channel.quantity.kind() != Kind::Total || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        {
            return None;
        }
        let total = |decimal: Decimal| match decimal.value(unit, channel.quantity)? {
            Value::Total(total) => Some(total),
            Value::Gauge(_) => None,
        };
        let decimals = number.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let step = Decimal::power_of_ten(-i32::try_from(decimals).ok()?)?;
        let digits = number.bytes().filter(u8::is_ascii_digit).skip_while(|b| *b == b'0').count();
        Some(Self { channel, value: total(Decimal::parse(number)?)?, step: total(step)?.max(1), digits })
    }

    /// A display cuts what the register still resolves, and the meter counts on while a person reads: one step of
    /// the last digit and a thousandth may lie between.
    fn agrees(&self, read: i64) -> bool {
        read.abs_diff(self.value) <= self.step.unsigned_abs() + self.value.unsigned_abs() / 1000
    }
}

impl Dump {
    /// The totals of `model` that this dump proves to be read right.
    ///
    /// # Errors
    /// The first disagreement between the registers and the display.
    pub fn prove(&self, model: &MeterModel) -> Result<BTreeSet<Channel>, DumpError> {
        let registers = model.registers().ok_or(DumpError::NoRegisters)?;
        let placed =
            place(registers, &self.registers).map_err(|e| DumpError::NotPlaced { says: e.to_string() })?;
        let mut proved = BTreeSet::new();
        for shown in &self.shown {
            let channel = shown.channel;
            let measure = placed.measures.iter().find(|m| m.channel == channel);
            let measure = measure.ok_or(DumpError::Unknown { channel })?;
            let words = words_of(measure, &self.registers)
                .map_err(|address| DumpError::Register { channel, address })?;
            match placed.trusted(channel, measure.decode(&words), &self.registers) {
                Decoded::Value(Value::Total(total)) if shown.agrees(total) => {}
                read => return Err(DumpError::Differs { channel, read, shown: shown.value }),
            }
            if DIGITS_MIN <= shown.digits {
                proved.insert(channel);
            }
        }
        Ok(proved)
    }
}

#[cfg(test)]
mod tests {
    use model::{ModelId, Quantity};

    use super::*;
    use crate::encoding::Number;
    use crate::measure::tests::measure;
    use crate::registers::tests::limits;
    use crate::{Evidence, EvidenceLevel, Interface, Layout, RegisterModel, Space};

    const ENERGY: Channel = Channel::total(Quantity::ActiveEnergyImport);

    fn model() -> MeterModel {
        MeterModel {
            id: ModelId::new("acme").unwrap(),
            replaces: vec![],
            maker: "Acme".into(),
            name: "M1".into(),
            evidence: Evidence { level: EvidenceLevel::Experimental, sources: vec![], each_meter: false },
            caveats: vec![],
            identify: vec![],
            texts: vec![],
            interface: Interface::Registers(RegisterModel {
                statuses: vec![],
                layout: Layout::Fixed,
                limits: limits(10, 0),
                measures: vec![measure(0, Number::U32)],
                examples: vec![],
            }),
        }
    }

    /// Whether a register of so many kWh and a display prove the energy, or the error.
    fn prove(kwh: u16, display: &str) -> Result<bool, DumpError> {
        let register = |address| RegisterRef { space: Space::Input, address };
        let registers = BTreeMap::from([(register(0), 0), (register(1), kwh)]);
        let shown = vec![Shown::parse(ENERGY, display).unwrap()];
        Dump { registers, shown }.prove(&model()).map(|proved| proved.contains(&ENERGY))
    }

    #[test]
    fn a_display_proves_a_total_only_with_digits_enough() {
        assert_eq!(prove(12_345, "12345 kWh"), Ok(true));
        assert_eq!(prove(12_345, "12345.9 kWh"), Ok(true));
        assert_eq!(prove(12_346, "12.345 MWh"), Ok(true));
        assert_eq!(prove(12, "12 kWh"), Ok(false), "two digits may agree by chance");
        assert_eq!(prove(0, "000.00 kWh"), Ok(false), "zero is no proof");
        assert!(matches!(prove(12_345, "1234 kWh"), Err(DumpError::Differs { .. })));
        assert!(matches!(prove(12_345, "12500 kWh"), Err(DumpError::Differs { .. })));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        for text in ["12345", "-5 kWh", "12,5 kWh", "1e3 kWh", "12 m3", ". kWh"] {
            assert_eq!(Shown::parse(ENERGY, text), None, "{text:?}");
        }
        assert_eq!(Shown::parse(Channel::total(Quantity::Voltage), "230 V"), None);
        let dump = Dump { registers: BTreeMap::new(), shown: vec![Shown::parse(ENERGY, "123 kWh").unwrap()] };
        assert_eq!(dump.prove(&model()), Err(DumpError::Register { channel: ENERGY, address: 0 }));
    }
}
