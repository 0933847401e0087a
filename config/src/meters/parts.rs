//! What register maps and payload conventions share in a meter file: channels, units, ranges, examples.
//!
//! Must never: accept a word outside its closed list, or a unit that does not measure its quantity.

use std::collections::BTreeMap;

use model::{Channel, Phase, Quantity, Unit};
use profile::{Decimal, Expected, Range, Space};
use serde::Deserialize;

/// A key and what is wrong with it.
pub(super) type KeyError = (String, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RangeForm {
    pub(super) from: f64,
    pub(super) to: f64,
}

pub(super) const fn one() -> f64 {
    1.0
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExampleForm {
    #[serde(default)]
    pub(super) input: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) holding: BTreeMap<String, String>,
    /// Digits 0 and 1, by the address of the first.
    #[serde(default)]
    pub(super) coil: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) discrete: BTreeMap<String, String>,
    pub(super) payload: Option<String>,
    pub(super) topic: Option<String>,
    #[serde(default)]
    pub(super) telegrams: Vec<String>,
    pub(super) time: Option<String>,
    pub(super) expect: BTreeMap<String, String>,
}

impl ExampleForm {
    /// What each table of the device holds.
    pub(super) const fn spaces(&self) -> [(Space, &BTreeMap<String, String>); 4] {
        [
            (Space::Input, &self.input),
            (Space::Holding, &self.holding),
            (Space::Coil, &self.coil),
            (Space::Discrete, &self.discrete),
        ]
    }
}

/// A word out of a closed list.
pub(super) fn one_of<T>(
    key: &str,
    word: &str,
    parse: impl Fn(&str) -> Option<T>,
    all: impl Fn() -> Vec<&'static str>,
) -> Result<T, KeyError> {
    parse(word)
        .ok_or_else(|| (key.to_owned(), format!("{word:?} is not known; use one of {}", all().join(", "))))
}

pub(super) fn channel(key: &str, quantity: &str, phase: Option<&str>) -> Result<Channel, KeyError> {
    let all = || Quantity::ALL.iter().map(|q| q.code()).collect();
    let quantity = one_of(&format!("{key}.quantity"), quantity, Quantity::parse, all)?;
    let phases = || Phase::ALL.iter().map(|p| p.code()).collect();
    let phase =
        phase.map_or(Ok(Phase::Total), |p| one_of(&format!("{key}.phase"), p, Phase::parse, phases))?;
    Ok(Channel { quantity, phase })
}

/// `voltage.l1`, or `active_power` for the whole meter.
pub(super) fn channel_named(key: &str, name: &str) -> Result<Channel, KeyError> {
    let (quantity, phase) = name.split_once('.').map_or((name, None), |(q, p)| (q, Some(p)));
    channel(key, quantity, phase)
}

/// The parts that measures of registers and fields of payloads share.
pub(super) fn scaled(
    key: &str,
    channel: Channel,
    unit: &str,
    scale: f64,
    plausible: &RangeForm,
) -> Result<(Unit, Decimal, Range), KeyError> {
    let all = || Unit::ALL.iter().map(|u| u.symbol()).collect();
    let unit = one_of(&format!("{key}.unit"), unit, Unit::parse, all)?;
    let factor = unit.factor_to(channel.quantity).ok_or_else(|| {
        let says = format!("{unit} does not measure {channel}; use a unit of {}", channel.quantity.unit());
        (format!("{key}.unit"), says)
    })?;
    let scale_key = || (format!("{key}.scale"), "use a number other than 0".to_owned());
    let scale = Decimal::from_f64(scale).filter(|_| scale != 0.0).ok_or_else(scale_key)?;
    let range = Range { from: plausible.from * factor, to: plausible.to * factor };
    // A number that is none is in no order either.
    if range.from.partial_cmp(&range.to) != Some(std::cmp::Ordering::Less) {
        let says = "`from` must be below `to`".to_owned();
        return Err((format!("{key}.plausible"), says));
    }
    Ok((unit, scale, range))
}

/// `"voltage.l1" = "229.8 V"`.
pub(super) fn expected(key: &str, expect: &BTreeMap<String, String>) -> Result<Vec<Expected>, KeyError> {
    let one = |(name, text): (&String, &String)| {
        let at = format!("{key}.expect.{name}");
        let channel = channel_named(&at, name)?;
        let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
        let value = Decimal::parse(number)
            .zip(Unit::parse(unit))
            .and_then(|(number, unit)| number.value(unit, channel.quantity));
        let value = value.ok_or_else(|| {
            let says = format!("{text:?} is no value of {channel}; write it like \"12345.6 kWh\"");
            (at, says)
        })?;
        Ok(Expected { channel, value })
    };
    expect.iter().map(one).collect()
}
