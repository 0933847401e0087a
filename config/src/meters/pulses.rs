//! The part of a meter file that is a pulse counter: `[modbus]` with `[[input]]`. And what an installation says of one
//! input.
//!
//! Must never: let an input count without a weight.

use model::Quantity;
use profile::{Limits, PulseError, PulseExample, PulseInput, PulseModel, PulseUse};
use serde::Deserialize;

use super::parts::{ExampleForm, KeyError, one_of};
use super::registers::{ModbusForm, RegisterForm, register, words};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InputForm {
    pub(super) number: u8,
    pub(super) register: RegisterForm,
}

/// `{ input = 1, quantity = "gas_volume", weight = "0.01 m3" }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PulseForm {
    input: u8,
    quantity: String,
    weight: String,
}

impl PulseForm {
    pub(super) fn used(&self) -> Result<PulseUse, KeyError> {
        let all = || Quantity::ALL.iter().map(|q| q.code()).collect();
        let quantity = one_of("pulse.quantity", &self.quantity, Quantity::parse, all)?;
        PulseUse::parse(self.input, quantity, &self.weight).map_err(pulse_key)
    }
}

pub(super) fn pulse_key(error: PulseError) -> KeyError {
    ("pulse".to_owned(), error.to_string())
}

pub(super) fn pulses(
    form: &ModbusForm,
    inputs: &[InputForm],
    examples: &[ExampleForm],
) -> Result<PulseModel, KeyError> {
    if form.sunspec.is_some() {
        return Err((
            "modbus.sunspec".to_owned(),
            "a pulse counter has fixed addresses; leave it out".to_owned(),
        ));
    }
    let limits = Limits {
        registers_per_request: form.registers_per_request,
        widest_gap: form.widest_gap,
        pause_ms: form.pause_ms,
        timeout_ms: form.timeout_ms,
    };
    let input = |(i, form): (usize, &InputForm)| {
        let (first, encoding) = register(&format!("input[{}].register", i + 1), &form.register)?;
        Ok(PulseInput { number: form.number, register: first, encoding })
    };
    let inputs = inputs.iter().enumerate().map(input).collect::<Result<_, KeyError>>()?;
    let examples = examples.iter().enumerate().map(|(i, form)| example(i, form)).collect::<Result<_, _>>()?;
    Ok(PulseModel { limits, inputs, examples })
}

/// `"input.1" = "70000"`.
fn example(index: usize, form: &ExampleForm) -> Result<PulseExample, KeyError> {
    let key = format!("example[{}]", index + 1);
    let expect = form.expect.iter().map(|(name, pulses)| {
        let number = name.strip_prefix("input.").and_then(|n| n.parse().ok());
        number.zip(pulses.parse().ok()).ok_or_else(|| {
            let says = format!("{pulses:?} is no count of an input; write it like \"input.1\" = \"70000\"");
            (format!("{key}.expect.{name}"), says)
        })
    });
    Ok(PulseExample { registers: words(&key, form.spaces())?, expect: expect.collect::<Result<_, _>>()? })
}
