//! The part of a meter file that is a register map: `[modbus]` and its `[[measure]]`.
//!
//! Must never: accept an address, a type or an order that the file does not say.

use std::collections::BTreeMap;

use model::Unit;
use profile::{
    Decimal, Encoding, Factor, FactorRule, Layout, Limits, Measure, Number, Part, RegisterExample,
    RegisterModel, RegisterRef, Space, UnitCode, UnitRegister, WordOrder,
};
use serde::Deserialize;

use super::parts::{ExampleForm, KeyError, RangeForm, channel, expected, one, one_of, scaled};
use super::statuses::StatusForm;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModbusForm {
    pub(super) registers_per_request: u16,
    pub(super) widest_gap: u16,
    #[serde(default)]
    pub(super) pause_ms: u16,
    pub(super) timeout_ms: Option<u16>,
    /// Ids of SunSpec models, one of which holds the registers.
    pub(super) sunspec: Option<Vec<u16>>,
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
    #[serde(default)]
    pub(super) plus: Vec<PartForm>,
    #[serde(default)]
    pub(super) multiplied_by: Vec<FactorForm>,
    pub(super) unit_register: Option<UnitRegisterForm>,
    pub(super) unit: String,
    #[serde(default = "one")]
    pub(super) scale: f64,
    #[serde(default)]
    pub(super) sentinels: Vec<String>,
    pub(super) plausible: RangeForm,
    pub(super) wraps_at: Option<f64>,
}

/// A further register whose number is added; what it does not say is as in `register`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartForm {
    address: u16,
    #[serde(rename = "type")]
    number: Option<String>,
    scale: Option<f64>,
}

/// A register whose number multiplies; what it does not say is as in `register`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactorForm {
    address: u16,
    #[serde(rename = "type")]
    number: String,
    /// The number times this multiplies. Neither together with `power_of_ten`.
    scale: Option<f64>,
    #[serde(default)]
    power_of_ten: bool,
    #[serde(default)]
    sentinels: Vec<String>,
}

/// A register that says the unit; what it does not say is as in `register`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnitRegisterForm {
    address: u16,
    #[serde(rename = "type")]
    number: String,
    /// `"2" = "kWh"`, or `"3" = "10 kWh"`.
    codes: BTreeMap<String, String>,
}

pub(super) fn registers(
    form: ModbusForm,
    measures: Vec<MeasureForm>,
    statuses: &[StatusForm],
    examples: Vec<ExampleForm>,
) -> Result<RegisterModel, KeyError> {
    let limits = Limits {
        registers_per_request: form.registers_per_request,
        widest_gap: form.widest_gap,
        pause_ms: form.pause_ms,
        timeout_ms: form.timeout_ms,
    };
    let layout = form.sunspec.map_or(Layout::Fixed, |models| Layout::SunSpec { models });
    let measures = measures.iter().enumerate().map(|(i, form)| measure(i, form)).collect::<Result<_, _>>()?;
    let examples = examples.iter().enumerate().map(|(i, form)| register_example(i, form));
    Ok(RegisterModel {
        layout,
        limits,
        measures,
        statuses: super::statuses::statuses(statuses)?,
        examples: examples.collect::<Result<_, _>>()?,
    })
}

/// A space, an address, a type and an order, as `register = { … }` says them.
pub(super) fn register(key: &str, form: &RegisterForm) -> Result<(RegisterRef, Encoding), KeyError> {
    let of_words = |code: &str| Space::parse(code).filter(|space| !space.is_bits());
    let space = one_of(&format!("{key}.space"), &form.space, of_words, || vec!["holding", "input"])?;
    let order = one_of(&format!("{key}.order"), &form.order, WordOrder::parse, || {
        WordOrder::ALL.iter().map(|o| o.code()).collect()
    })?;
    let number = number(key, &form.number)?;
    Ok((RegisterRef { space, address: form.address }, Encoding { number, order }))
}

fn number(key: &str, code: &str) -> Result<Number, KeyError> {
    one_of(&format!("{key}.type"), code, Number::parse, || Number::ALL.iter().map(|n| n.code()).collect())
}

fn measure(index: usize, form: &MeasureForm) -> Result<Measure, KeyError> {
    let key = format!("measure[{}]", index + 1);
    let channel = channel(&key, &form.quantity, form.phase.as_deref())?;
    let (unit, scale, plausible) = scaled(&key, channel, &form.unit, form.scale, &form.plausible)?;
    let (first, encoding) = register(&format!("{key}.register"), &form.register)?;
    let sentinels = sentinels(&key, &form.sentinels)?;
    let mut measure = Measure { scale, sentinels, ..Measure::new(channel, first, encoding, unit, plausible) };
    for form in &form.plus {
        let key = format!("{key}.plus");
        measure.plus.push(Part {
            register: RegisterRef { address: form.address, ..first },
            encoding: other(&key, form.number.as_deref(), encoding)?,
            scale: form.scale.map_or(Ok(scale), |scale| decimal(&key, scale))?,
            sentinels: measure.sentinels.clone(),
        });
    }
    for form in &form.multiplied_by {
        measure.factors.push(factor(&format!("{key}.multiplied_by"), form, first, encoding)?);
    }
    if let Some(form) = &form.unit_register {
        measure.unit_register = Some(unit_register(&format!("{key}.unit_register"), form, first, encoding)?);
    }
    let modulus = form.wraps_at.map(|modulus| decimal(&format!("{key}.wraps_at"), modulus));
    measure.modulus = modulus.transpose()?;
    Ok(measure)
}

/// The encoding of a further register: its own type, and the order of the first.
fn other(key: &str, code: Option<&str>, first: Encoding) -> Result<Encoding, KeyError> {
    let number = code.map_or(Ok(first.number), |code| number(key, code))?;
    Ok(Encoding { number, ..first })
}

fn factor(key: &str, form: &FactorForm, first: RegisterRef, encoding: Encoding) -> Result<Factor, KeyError> {
    let rule = match (form.power_of_ten, form.scale) {
        (true, None) => FactorRule::PowerOfTen,
        (false, scale) => FactorRule::Number(decimal(key, scale.unwrap_or(1.0))?),
        (true, Some(_)) => {
            return Err((key.to_owned(), "give `power_of_ten` or `scale`, not both".to_owned()));
        }
    };
    Ok(Factor {
        register: RegisterRef { address: form.address, ..first },
        encoding: other(key, Some(&form.number), encoding)?,
        rule,
        sentinels: sentinels(key, &form.sentinels)?,
    })
}

fn unit_register(
    key: &str,
    form: &UnitRegisterForm,
    first: RegisterRef,
    encoding: Encoding,
) -> Result<UnitRegister, KeyError> {
    let codes = form.codes.iter().map(|(code, text)| {
        let (scale, unit) = text.split_once(' ').unwrap_or(("1", text));
        let known = code.parse().ok().zip(Decimal::parse(scale)).zip(Unit::parse(unit));
        let known = known.filter(|((_, scale), _)| scale.is_positive());
        let ((code, scale), unit) = known.ok_or_else(|| {
            let says = format!("{code:?} = {text:?} is no code and unit; write it like \"2\" = \"kWh\"");
            (format!("{key}.codes"), says)
        })?;
        Ok::<_, KeyError>(UnitCode { code, scale, unit })
    });
    Ok(UnitRegister {
        register: RegisterRef { address: form.address, ..first },
        encoding: other(key, Some(&form.number), encoding)?,
        codes: codes.collect::<Result<_, _>>()?,
    })
}

fn decimal(key: &str, number: f64) -> Result<Decimal, KeyError> {
    let decimal = Decimal::from_f64(number).filter(|d| d.is_positive());
    decimal.ok_or_else(|| (key.to_owned(), format!("{number} is not usable; give a number above 0")))
}

fn sentinels(key: &str, hexes: &[String]) -> Result<Vec<u64>, KeyError> {
    let one = |hex: &String| {
        u64::from_str_radix(hex, 16).map_err(|_| {
            let says = format!("{hex:?} is not hexadecimal; write the bits like \"7fffffff\"");
            (format!("{key}.sentinels"), says)
        })
    };
    hexes.iter().map(one).collect()
}

fn register_example(index: usize, form: &ExampleForm) -> Result<RegisterExample, KeyError> {
    let key = format!("example[{}]", index + 1);
    if form.payload.is_some() || form.topic.is_some() || form.time.is_some() || !form.telegrams.is_empty() {
        return Err((
            key,
            "a meter with registers has no `payload`, `topic`, `time` or `telegrams`".to_owned(),
        ));
    }
    let registers = words(&key, form.spaces())?;
    Ok(RegisterExample { registers, expect: expected(&key, &form.expect)? })
}

/// Registers as groups of four hexadecimal digits, bits as digits 0 and 1, by the address of the first.
pub(super) fn words<const SPACES: usize>(
    key: &str,
    spaces: [(Space, &BTreeMap<String, String>); SPACES],
) -> Result<BTreeMap<RegisterRef, u16>, KeyError> {
    let mut registers = BTreeMap::new();
    for (space, words) in spaces {
        let (digits, one_word): (usize, fn(u8) -> bool) = match space {
            Space::Coil | Space::Discrete => (1, |b| matches!(b, b'0' | b'1')),
            Space::Holding | Space::Input => (4, |b| b.is_ascii_hexdigit()),
        };
        for (address, hex) in words {
            let at = format!("{key}.{}.{address}", space.code());
            let first: u16 = address
                .parse()
                .map_err(|_| (at.clone(), "the name is not a register address of 0 to 65535".to_owned()))?;
            let bad = || {
                let says = "write registers as groups of four hexadecimal digits, bits as digits 0 and 1";
                (at.clone(), says.to_owned())
            };
            if hex.is_empty() || hex.len() % digits != 0 || !hex.bytes().all(one_word) {
                return Err(bad());
            }
            for (i, chunk) in hex.as_bytes().chunks(digits).enumerate() {
                let word = std::str::from_utf8(chunk).ok().and_then(|w| u16::from_str_radix(w, 16).ok());
                let address = u16::try_from(i).ok().and_then(|i| first.checked_add(i)).ok_or_else(bad)?;
                if registers.insert(RegisterRef { space, address }, word.ok_or_else(bad)?).is_some() {
                    return Err((at, format!("register {address} is given twice")));
                }
            }
        }
    }
    Ok(registers)
}
