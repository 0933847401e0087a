//! The part of a meter file that says what the device keeps of each minute by itself: `[mqtt.records]`.
//!
//! Must never: accept a method that does anything but read, or a total that the meter does not send as a register.

use std::collections::BTreeMap;

use model::{Channel, Kind, Unit};
use profile::payload::records::{
    RECORDS_MAX, RecordTotal, RecordsExample, RecordsMethod, RecordsModel, TOTALS_MAX, micros,
};
use profile::{Decimal, Field};
use serde::Deserialize;

use super::parts::{KeyError, channel, channel_named, one_of};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordsForm {
    method: String,
    component: String,
    request: String,
    period_s: u32,
    keeps_days: u32,
    #[serde(default = "answer_s")]
    answer_s: u32,
    #[serde(rename = "total")]
    totals: Vec<TotalForm>,
    #[serde(default, rename = "example")]
    examples: Vec<RecordsExampleForm>,
}

const fn answer_s() -> u32 {
    20
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TotalForm {
    quantity: String,
    phase: Option<String>,
    keys: Vec<String>,
    unit: String,
    resolution: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordsExampleForm {
    answer: String,
    expect: BTreeMap<String, Vec<String>>,
}

pub(super) fn records(form: RecordsForm, fields: &[Field]) -> Result<RecordsModel, KeyError> {
    let all = || RecordsMethod::ALL.iter().map(|m| m.code()).collect();
    let method = one_of("mqtt.records.method", &form.method, RecordsMethod::parse, all)?;
    for (key, value, to) in [
        ("period_s", form.period_s, 3_600),
        ("keeps_days", form.keeps_days, 60),
        ("answer_s", form.answer_s, 300),
    ] {
        if value == 0 || to < value {
            return Err((format!("mqtt.records.{key}"), format!("use 1 to {to}")));
        }
    }
    let most = u64::from(form.keeps_days) * 86_400 / u64::from(form.period_s);
    if most > RECORDS_MAX as u64 {
        let says = format!("{most} periods in `keeps_days` are more than the {RECORDS_MAX} that can be read");
        return Err(("mqtt.records.period_s".to_owned(), says));
    }
    if form.totals.is_empty() || TOTALS_MAX < form.totals.len() {
        let says = format!("give 1 to {TOTALS_MAX} [[mqtt.records.total]] tables");
        return Err(("mqtt.records.total".to_owned(), says));
    }
    let mut totals: Vec<RecordTotal> = Vec::new();
    for (index, form) in form.totals.into_iter().enumerate() {
        let key = format!("mqtt.records.total[{}]", index + 1);
        let total = total(&key, form)?;
        if totals.iter().any(|other| other.channel == total.channel) {
            return Err((key, format!("{} is given twice; keep one", total.channel)));
        }
        if !fields.iter().any(|field| field.channel == total.channel) {
            let says =
                format!("no [[field]] is the register of {}: records alone have no beginning", total.channel);
            return Err((key, says));
        }
        totals.push(total);
    }
    let examples = form.examples.into_iter().enumerate().map(|(index, form)| example(index, form, &totals));
    Ok(RecordsModel {
        method,
        component: form.component,
        request: form.request,
        period_s: form.period_s,
        keeps_days: form.keeps_days,
        answer_s: form.answer_s,
        examples: examples.collect::<Result<_, _>>()?,
        totals,
    })
}

fn total(key: &str, form: TotalForm) -> Result<RecordTotal, KeyError> {
    let channel = channel(key, &form.quantity, form.phase.as_deref())?;
    if channel.quantity.kind() != Kind::Total {
        return Err((format!("{key}.quantity"), format!("{channel} does not count; use a total")));
    }
    if form.keys.is_empty() || TOTALS_MAX < form.keys.len() {
        return Err((format!("{key}.keys"), format!("give 1 to {TOTALS_MAX} keys")));
    }
    let all = || Unit::ALL.iter().map(|u| u.symbol()).collect();
    let unit = one_of(&format!("{key}.unit"), &form.unit, Unit::parse, all)?;
    let resolution = Decimal::from_f64(form.resolution).filter(|digit| digit.is_positive());
    let resolution = resolution.and_then(|digit| micros(digit, unit, channel.quantity));
    let resolution_micros = resolution.ok_or_else(|| {
        let says =
            format!("{} {unit} is no last digit of {channel}; use a small number above 0", form.resolution);
        (format!("{key}.resolution"), says)
    })?;
    Ok(RecordTotal { channel, keys: form.keys, unit, resolution_micros })
}

fn example(
    index: usize,
    form: RecordsExampleForm,
    totals: &[RecordTotal],
) -> Result<RecordsExample, KeyError> {
    let key = format!("mqtt.records.example[{}]", index + 1);
    let one = |(name, texts): (&String, &Vec<String>)| -> Result<(Channel, Vec<i64>), KeyError> {
        let at = format!("{key}.expect.{name}");
        let channel = channel_named(&at, name)?;
        if !totals.iter().any(|total| total.channel == channel) {
            return Err((at, format!("{channel} is no [[mqtt.records.total]]")));
        }
        let read = |text: &String| {
            let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
            let value = Decimal::parse(number).zip(Unit::parse(unit));
            let value = value.and_then(|(number, unit)| micros(number, unit, channel.quantity));
            value.ok_or_else(|| (at.clone(), format!("{text:?} is no energy; write it like \"1.25 Wh\"")))
        };
        Ok((channel, texts.iter().map(read).collect::<Result<_, _>>()?))
    };
    let expect = form.expect.iter().map(one).collect::<Result<_, _>>()?;
    Ok(RecordsExample { answer: form.answer.into_bytes(), expect })
}
