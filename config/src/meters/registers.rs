//! The part of a meter file that is a register map: `[modbus]` and its `[[measure]]`.
//!
//! Must never: accept an address, a type or an order that the file does not say.

use std::collections::BTreeMap;

use profile::{
    Encoding, Limits, Measure, Number, RegisterExample, RegisterModel, RegisterRef, Space, WordOrder,
};
use serde::Deserialize;

use super::parts::{ExampleForm, KeyError, RangeForm, channel, expected, one, one_of, scaled};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsForm {
    pub(super) registers_per_request: u16,
    pub(super) widest_gap: u16,
    #[serde(default)]
    pub(super) pause_ms: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterForm {
    pub(super) space: String,
    pub(super) address: u16,
    #[serde(rename = "type")]
    pub(super) number: String,
    pub(super) order: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MeasureForm {
    pub(super) quantity: String,
    pub(super) phase: Option<String>,
    pub(super) register: RegisterForm,
    pub(super) unit: String,
    #[serde(default = "one")]
    pub(super) scale: f64,
    #[serde(default)]
    pub(super) sentinels: Vec<String>,
    pub(super) plausible: RangeForm,
}

pub(super) fn registers(
    limits: &LimitsForm,
    measures: Vec<MeasureForm>,
    examples: Vec<ExampleForm>,
) -> Result<RegisterModel, KeyError> {
    let limits = Limits {
        registers_per_request: limits.registers_per_request,
        widest_gap: limits.widest_gap,
        pause_ms: limits.pause_ms,
    };
    let measures = measures.iter().enumerate().map(|(i, form)| measure(i, form)).collect::<Result<_, _>>()?;
    let examples = examples.iter().enumerate().map(|(i, form)| register_example(i, form));
    Ok(RegisterModel { limits, measures, examples: examples.collect::<Result<_, _>>()? })
}

fn measure(index: usize, form: &MeasureForm) -> Result<Measure, KeyError> {
    let key = format!("measure[{}]", index + 1);
    let channel = channel(&key, &form.quantity, form.phase.as_deref())?;
    let (unit, scale, plausible) = scaled(&key, channel, &form.unit, form.scale, &form.plausible)?;
    let r = &form.register;
    let space =
        one_of(&format!("{key}.register.space"), &r.space, Space::parse, || vec!["holding", "input"])?;
    let number = one_of(&format!("{key}.register.type"), &r.number, Number::parse, || {
        Number::ALL.iter().map(|n| n.code()).collect()
    })?;
    let order = one_of(&format!("{key}.register.order"), &r.order, WordOrder::parse, || {
        WordOrder::ALL.iter().map(|o| o.code()).collect()
    })?;
    let sentinels = form.sentinels.iter().map(|hex| {
        u64::from_str_radix(hex, 16).map_err(|_| {
            let says = format!("{hex:?} is not hexadecimal; write the bits like \"7fffffff\"");
            (format!("{key}.sentinels"), says)
        })
    });
    Ok(Measure {
        channel,
        register: RegisterRef { space, address: r.address },
        encoding: Encoding { number, order },
        unit,
        scale,
        sentinels: sentinels.collect::<Result<_, _>>()?,
        plausible,
    })
}

fn register_example(index: usize, form: &ExampleForm) -> Result<RegisterExample, KeyError> {
    let key = format!("example[{}]", index + 1);
    if form.payload.is_some() || form.time.is_some() || !form.telegrams.is_empty() {
        return Err((key, "a meter with registers has no `payload`, `time` or `telegrams`".to_owned()));
    }
    let mut registers = BTreeMap::new();
    for (space, words) in [(Space::Input, &form.input), (Space::Holding, &form.holding)] {
        for (address, hex) in words {
            let at = format!("{key}.{}.{address}", space.code());
            let first: u16 = address
                .parse()
                .map_err(|_| (at.clone(), "the name is not a register address of 0 to 65535".to_owned()))?;
            let bad = || (at.clone(), "write registers as groups of four hexadecimal digits".to_owned());
            if hex.is_empty() || hex.len() % 4 != 0 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(bad());
            }
            for (i, chunk) in hex.as_bytes().chunks(4).enumerate() {
                let word = std::str::from_utf8(chunk).ok().and_then(|w| u16::from_str_radix(w, 16).ok());
                let address = u16::try_from(i).ok().and_then(|i| first.checked_add(i)).ok_or_else(bad)?;
                if registers.insert(RegisterRef { space, address }, word.ok_or_else(bad)?).is_some() {
                    return Err((at, format!("register {address} is given twice")));
                }
            }
        }
    }
    Ok(RegisterExample { registers, expect: expected(&key, &form.expect)? })
}
