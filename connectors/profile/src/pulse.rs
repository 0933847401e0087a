//! Pulse counters: registers that count the pulses of meters that their file cannot know. An installation says what an
//! input counts and what a pulse is worth; then the counter is an ordinary register map.
//!
//! Must never: assume a weight, or count what does not count up.

use std::collections::BTreeMap;

use model::{Channel, Kind, Quantity, Unit, Value};

use crate::decimal::Decimal;
use crate::encoding::{Encoding, Number};
use crate::measure::Measure;
use crate::registers::{Layout, Limits, ModelError, Range, RegisterModel, RegisterRef};
use crate::{Interface, MeterModel};

/// Most inputs of a pulse counter.
pub const INPUTS_MAX: usize = 64;

/// One input and the register that counts its pulses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PulseInput {
    /// As printed at the terminals.
    pub number: u8,
    pub register: RegisterRef,
    /// Without sign.
    pub encoding: Encoding,
}

/// Example registers with the counts they must give.
#[derive(Debug, Clone, PartialEq)]
pub struct PulseExample {
    pub registers: BTreeMap<RegisterRef, u16>,
    /// Input and pulses.
    pub expect: Vec<(u8, u64)>,
}

/// A device that counts pulses.
#[derive(Debug, Clone, PartialEq)]
pub struct PulseModel {
    pub limits: Limits,
    pub inputs: Vec<PulseInput>,
    pub examples: Vec<PulseExample>,
}

/// What one input of an installed counter counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PulseUse {
    pub input: u8,
    pub quantity: Quantity,
    /// What one pulse is worth, in `unit`.
    pub weight: Decimal,
    pub unit: Unit,
}

/// Why an input cannot be used, or a counter's file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PulseError {
    #[error("{text:?} is no worth of a pulse; write it like \"0.01 m3\"")]
    Weight { text: String },
    #[error("{quantity} cannot be counted in {unit}; use a unit of {}", quantity.unit())]
    Unit { quantity: Quantity, unit: Unit },
    #[error("{quantity} is no total; pulses count energy, volume or mass")]
    NoTotal { quantity: Quantity },
    #[error("the model has no input {input}; it has {known}")]
    NoInput { input: u8, known: String },
    #[error("the model has no pulse inputs; leave `pulse` out, or choose a pulse counter")]
    NoPulses,
    #[error(
        "a register of 65536 pulses does not begin again at a whole {unit} with this weight; wire the meter to a \
         counter with wider registers"
    )]
    Uneven { unit: Unit },
    #[error("the counter has no inputs, more than {INPUTS_MAX}, or one twice: correct its file")]
    Inputs,
    #[error(
        "input {input} is counted by a register with sign or fraction: pulses are whole and never negative"
    )]
    Encoding { input: u8 },
    #[error("the registers of the inputs cannot be read")]
    Registers(#[from] ModelError),
    #[error("example {number}: {says}")]
    Example { number: usize, says: String },
}

impl PulseUse {
    /// Reads what an installation's file says.
    ///
    /// # Errors
    /// A weight that is none, or that does not measure the quantity.
    pub fn parse(input: u8, quantity: Quantity, weight: &str) -> Result<Self, PulseError> {
        let bad = || PulseError::Weight { text: weight.to_owned() };
        let (number, unit) = weight.trim().split_once(' ').ok_or_else(bad)?;
        let unit = Unit::parse(unit).filter(|unit| *unit != Unit::One).ok_or_else(bad)?;
        let weight = Decimal::parse(number).filter(|w| w.is_positive()).ok_or_else(bad)?;
        if quantity.kind() != Kind::Total {
            return Err(PulseError::NoTotal { quantity });
        }
        if unit.factor_to(quantity).is_none() {
            return Err(PulseError::Unit { quantity, unit });
        }
        Ok(Self { input, quantity, weight, unit })
    }
}

impl PulseModel {
    /// Judges the inputs and proves them by the examples.
    ///
    /// # Errors
    /// The first thing that makes the file unusable.
    pub fn check(&self) -> Result<(), PulseError> {
        let mut numbers: Vec<u8> = self.inputs.iter().map(|input| input.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.is_empty() || numbers.len() != self.inputs.len() || INPUTS_MAX < numbers.len() {
            return Err(PulseError::Inputs);
        }
        for input in &self.inputs {
            if !matches!(input.encoding.number, Number::U16 | Number::U32 | Number::U64) {
                return Err(PulseError::Encoding { input: input.number });
            }
            let litres = PulseUse::parse(input.number, Quantity::WaterVolume, "1 l")?;
            self.registers(&litres)?.check()?;
        }
        self.prove()
    }

    fn prove(&self) -> Result<(), PulseError> {
        for input in &self.inputs {
            if !self.examples.iter().any(|e| e.expect.iter().any(|(number, _)| *number == input.number)) {
                let says = format!("input {} is in none: add its count", input.number);
                return Err(PulseError::Example { number: self.examples.len(), says });
            }
        }
        for (i, example) in self.examples.iter().enumerate() {
            let wrong = |says: String| PulseError::Example { number: i + 1, says };
            for (j, (number, pulses)) in example.expect.iter().enumerate() {
                let input = self.input(*number).map_err(|error| wrong(error.to_string()))?;
                if example.expect[..j].iter().any(|(_, other)| other == pulses) {
                    return Err(wrong("two inputs count alike, so a wrong address passes".to_owned()));
                }
                let words: Option<Vec<u16>> = (0..input.encoding.number.words())
                    .map(|k| {
                        let address = input.register.address.checked_add(k)?;
                        example.registers.get(&RegisterRef { address, ..input.register }).copied()
                    })
                    .collect();
                let bits = words.and_then(|words| input.encoding.bits(&words));
                if bits != Some(*pulses) {
                    return Err(wrong(format!("input {number} reads {bits:?} where {pulses} is expected")));
                }
            }
        }
        Ok(())
    }

    fn input(&self, number: u8) -> Result<&PulseInput, PulseError> {
        self.inputs.iter().find(|input| input.number == number).ok_or_else(|| PulseError::NoInput {
            input: number,
            known: self.inputs.iter().map(|i| i.number.to_string()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The one input as a register map of one measure. Its count begins again at 0 where the register does, times
    /// the weight: [`Measure::wraps_at`].
    ///
    /// # Errors
    /// There is no such input, or the weight makes its wrap uneven.
    pub fn registers(&self, pulse: &PulseUse) -> Result<RegisterModel, PulseError> {
        let input = self.input(pulse.input)?;
        let modulus = input.encoding.number.modulus().unwrap_or(i128::MAX);
        let most = Decimal::integer(modulus).times(pulse.weight);
        let smallest = |number: Decimal| match number.value(pulse.unit, pulse.quantity) {
            Some(Value::Total(total)) => Some(total),
            Some(Value::Gauge(_)) | None => None,
        };
        // Beyond what can be kept, the register never comes to its end.
        let to = most.and_then(smallest).unwrap_or(i64::MAX);
        let tenfold =
            Decimal::integer(10 * modulus.min(i128::MAX / 10)).times(pulse.weight).and_then(smallest);
        // A rounded modulus would be off at every wrap; wide registers come to none.
        if input.encoding.number == Number::U16 && tenfold != to.checked_mul(10) {
            return Err(PulseError::Uneven { unit: pulse.quantity.unit() });
        }
        // A weight of which the whole register makes no unit would count nothing, for ever.
        if to <= 0 {
            return Err(PulseError::Weight { text: format!("{} {}", pulse.weight, pulse.unit) });
        }
        let plausible = Range { from: 0.0, to: to as f64 };
        let channel = Channel::total(pulse.quantity);
        let mut measure = Measure::new(channel, input.register, input.encoding, pulse.unit, plausible);
        measure.scale = pulse.weight;
        Ok(RegisterModel {
            statuses: Vec::new(),
            layout: Layout::Fixed,
            limits: self.limits,
            measures: vec![measure],
            examples: Vec::new(),
        })
    }
}

impl MeterModel {
    /// The model of a pulse counter once it is said what one of its inputs counts: a register map.
    ///
    /// # Errors
    /// It is no pulse counter, or the input cannot be used so.
    pub fn counting(&self, pulse: &PulseUse) -> Result<Self, PulseError> {
        let pulses = self.pulses().ok_or(PulseError::NoPulses)?;
        Ok(Self { interface: Interface::Registers(pulses.registers(pulse)?), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::WordOrder;
    use crate::measure::Decoded;
    use crate::registers::Space;

    fn counter(number: Number) -> PulseModel {
        let encoding = Encoding { number, order: WordOrder::Abcd };
        let register = |address| RegisterRef { space: Space::Holding, address };
        PulseModel {
            limits: Limits { registers_per_request: 10, widest_gap: 0, pause_ms: 0, timeout_ms: None },
            inputs: vec![
                PulseInput { number: 1, register: register(27), encoding },
                PulseInput { number: 2, register: register(29), encoding },
            ],
            examples: vec![],
        }
    }

    #[test]
    fn an_input_with_a_weight_is_a_counter_that_wraps() {
        let pulse = PulseUse::parse(1, Quantity::GasVolume, "0.01 m3").unwrap();
        let model = counter(Number::U16).registers(&pulse).unwrap();
        let measure = &model.measures[0];
        assert_eq!(measure.decode(&[12_345]), Decoded::Value(Value::Total(123_450)));
        assert_eq!((measure.wraps_at(), measure.resolution()), (Some(655_360), Some(10)));
        let pulse = PulseUse::parse(2, Quantity::ActiveEnergyImport, "1 Wh").unwrap();
        let measure = &counter(Number::U32).registers(&pulse).unwrap().measures[0];
        assert_eq!((measure.register.address, measure.wraps_at()), (29, Some(4_294_967_296)));
    }

    #[test]
    fn weights_that_are_none_or_uneven_are_refused() {
        let parse = |quantity, text: &str| PulseUse::parse(1, quantity, text).unwrap_err();
        let water = Quantity::WaterVolume;
        for text in ["", "0.01", "m3", "0 m3", "-1 m3", "x m3", "1 1", "0.01 fathoms"] {
            assert!(matches!(parse(water, text), PulseError::Weight { .. }), "{text}");
        }
        assert!(matches!(parse(water, "1 kWh"), PulseError::Unit { .. }));
        assert!(matches!(parse(Quantity::GasStandardVolume, "1 m3"), PulseError::Unit { .. }));
        assert!(matches!(parse(Quantity::ActivePower, "1 W"), PulseError::NoTotal { .. }));
        let tenth = PulseUse::parse(1, water, "0.1 l").unwrap();
        assert!(matches!(counter(Number::U16).registers(&tenth), Err(PulseError::Uneven { .. })));
        assert!(counter(Number::U32).registers(&tenth).is_ok());
        let quarter = PulseUse::parse(1, water, "0.25 l").unwrap();
        assert_eq!(counter(Number::U16).registers(&quarter).unwrap().measures[0].wraps_at(), Some(16_384));
        let third = PulseUse { input: 3, ..tenth };
        assert!(matches!(counter(Number::U32).registers(&third), Err(PulseError::NoInput { .. })));
    }

    #[test]
    fn a_weight_that_never_comes_to_a_unit_is_refused() {
        let pulse = PulseUse::parse(1, Quantity::WaterVolume, "1e-20 l").unwrap();
        assert!(matches!(counter(Number::U32).registers(&pulse), Err(PulseError::Weight { .. })));
    }

    #[test]
    fn a_file_that_cannot_count_is_refused() {
        assert!(matches!(counter(Number::U32).check(), Err(PulseError::Example { .. })));
        assert!(matches!(counter(Number::F32).check(), Err(PulseError::Encoding { input: 1 })));
        let mut twice = counter(Number::U32);
        twice.inputs[1].number = 1;
        assert_eq!(twice.check(), Err(PulseError::Inputs));
    }
}
