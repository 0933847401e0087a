//! The part of a meter file that names the records of M-Bus telegrams: `[mbus]` and its `[[record]]`.
//!
//! Must never: accept an extension that changes the unit of a value.

use model::Value;
use profile::mbus::TELEGRAMS_MAX;
use profile::{Decimal, MBusExample, MBusModel, RecordFunction, RecordKey, RecordKind, RecordMeasure};
use serde::Deserialize;

use super::parts::{ExampleForm, KeyError, RangeForm, channel, expected, one_of, scaled};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MBusForm {
    pub(super) battery: bool,
    pub(super) telegrams: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordForm {
    pub(super) quantity: String,
    pub(super) phase: Option<String>,
    pub(super) kind: String,
    pub(super) function: Option<String>,
    #[serde(default)]
    pub(super) storage: u32,
    #[serde(default)]
    pub(super) tariff: u32,
    #[serde(default)]
    pub(super) subunit: u32,
    #[serde(default)]
    pub(super) extensions: String,
    /// Of `plausible` and `step`; the telegram says its own.
    pub(super) unit: String,
    pub(super) plausible: RangeForm,
    pub(super) step: Option<f64>,
    #[serde(default)]
    pub(super) required: bool,
}

pub(super) fn telegrams(
    form: &MBusForm,
    records: &[RecordForm],
    examples: &[ExampleForm],
) -> Result<MBusModel, KeyError> {
    let measures = records.iter().enumerate().map(|(i, form)| record(i, form)).collect::<Result<_, _>>()?;
    let examples = examples.iter().enumerate().map(|(i, form)| example(i, form)).collect::<Result<_, _>>()?;
    Ok(MBusModel { battery: form.battery, telegrams: form.telegrams, measures, examples })
}

fn function(code: &str) -> Option<RecordFunction> {
    match code {
        "instantaneous" => Some(RecordFunction::Instantaneous),
        "maximum" => Some(RecordFunction::Maximum),
        "minimum" => Some(RecordFunction::Minimum),
        _ => None,
    }
}

fn record(index: usize, form: &RecordForm) -> Result<RecordMeasure, KeyError> {
    let key = format!("record[{}]", index + 1);
    let channel = channel(&key, &form.quantity, form.phase.as_deref())?;
    let kinds = || RecordKind::ALL.iter().map(|k| k.code()).collect();
    let (unit, _, plausible) = scaled(&key, channel, &form.unit, 1.0, &form.plausible)?;
    let step =
        match form.step.map(|step| Decimal::from_f64(step).and_then(|d| d.value(unit, channel.quantity))) {
            None => 1,
            Some(Some(Value::Total(step))) if 1 <= step => step,
            Some(_) => {
                let says = "give the coarsest step in which the total counts, above 0".to_owned();
                return Err((format!("{key}.step"), says));
            }
        };
    let functions = || vec!["instantaneous", "maximum", "minimum"];
    Ok(RecordMeasure {
        channel,
        key: RecordKey {
            kind: one_of(&format!("{key}.kind"), &form.kind, RecordKind::parse, kinds)?,
            function: match &form.function {
                None => RecordFunction::Instantaneous,
                Some(code) => one_of(&format!("{key}.function"), code, function, functions)?,
            },
            storage: form.storage.into(),
            tariff: form.tariff.into(),
            subunit: form.subunit.into(),
            extensions: extensions(&format!("{key}.extensions"), &form.extensions)?,
        },
        plausible,
        required: form.required,
        step,
    })
}

/// Extensions that say of what a value is and leave its unit alone (EN 13757-3, tables of VIFE): uncorrected (3a),
/// only forward (3b), only backward (3c), at base conditions (3e), phases (fc01 to fc03), and the maker's own (7f…).
fn extensions(key: &str, hex: &str) -> Result<Vec<u8>, KeyError> {
    let bytes = bytes(key, hex)?;
    let known = match bytes.as_slice() {
        [] | [0x3A | 0x3B | 0x3C | 0x3E] | [0xFC, 0x01..=0x03] => true,
        [0x7F, own @ ..] => own.len() < 10 && own.iter().all(|b| *b < 0x80),
        _ => false,
    };
    let says = "use 3a, 3b, 3c, 3e, fc01, fc02, fc03, or 7f with the maker's own bytes".to_owned();
    if known { Ok(bytes) } else { Err((key.to_owned(), says)) }
}

/// Hexadecimal bytes, with or without spaces.
fn bytes(key: &str, hex: &str) -> Result<Vec<u8>, KeyError> {
    let digits: Vec<u32> = hex
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()
        .filter(|digits: &Vec<u32>| digits.len().is_multiple_of(2))
        .ok_or_else(|| (key.to_owned(), "write bytes as pairs of hexadecimal digits".to_owned()))?;
    Ok(digits.chunks_exact(2).map(|pair| ((pair[0] << 4) | pair[1]) as u8).collect())
}

fn example(index: usize, form: &ExampleForm) -> Result<MBusExample, KeyError> {
    let key = format!("example[{}]", index + 1);
    if form.payload.is_some()
        || form.time.is_some()
        || form.spaces().iter().any(|(_, places)| !places.is_empty())
    {
        return Err((key, "an M-Bus meter has `telegrams` and no registers, `payload` or `time`".to_owned()));
    }
    if form.telegrams.is_empty() || usize::from(TELEGRAMS_MAX) < form.telegrams.len() {
        return Err((key, format!("give 1 to {TELEGRAMS_MAX} `telegrams`")));
    }
    let telegrams = form.telegrams.iter().map(|hex| bytes(&format!("{key}.telegrams"), hex));
    Ok(MBusExample { telegrams: telegrams.collect::<Result<_, _>>()?, expect: expected(&key, &form.expect)? })
}
