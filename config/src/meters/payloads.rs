//! The part of a meter file that is a payload convention: `[mqtt]` and its `[[field]]`.
//!
//! Must never: accept two fields of one channel, or a limit above the decoder's own.

use std::collections::BTreeMap;

use model::Instant;
use profile::{Availability, Field, Form, PayloadExample, PayloadModel, TimeField, TimeForm};
use serde::Deserialize;

use super::kept::{RecordsForm, records};
use super::parts::{ExampleForm, KeyError, RangeForm, channel, expected, one, one_of, scaled};

/// A field without a topic of its own comes on the meter's.
const OWN_TOPIC: &str = "{topic}";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MqttForm {
    #[serde(default = "json")]
    pub(super) form: String,
    pub(super) topic: String,
    pub(super) bytes_max: usize,
    pub(super) time: Option<TimeFieldForm>,
    /// What happens to a message that has none of the fields.
    #[serde(default = "quarantine")]
    pub(super) unrelated: String,
    /// Paths of counts that must be zero.
    #[serde(default)]
    pub(super) must_be_zero: Vec<String>,
    #[serde(default)]
    pub(super) settings: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) needs: Vec<String>,
    pub(super) availability: Option<AvailabilityForm>,
    pub(super) records: Option<RecordsForm>,
}

fn json() -> String {
    Form::Json.code().to_owned()
}

fn quarantine() -> String {
    "quarantine".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeFieldForm {
    pub(super) path: String,
    pub(super) form: String,
    #[serde(default)]
    pub(super) zone: String,
    #[serde(default)]
    pub(super) optional: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AvailabilityForm {
    pub(super) topic: String,
    #[serde(default)]
    pub(super) path: String,
    pub(super) online: Vec<String>,
    pub(super) offline: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldForm {
    pub(super) quantity: String,
    pub(super) phase: Option<String>,
    pub(super) topic: Option<String>,
    pub(super) path: String,
    pub(super) unit: String,
    #[serde(default = "one")]
    pub(super) scale: f64,
    pub(super) plausible: RangeForm,
    #[serde(default)]
    pub(super) required: bool,
}

pub(super) fn payloads(
    form: MqttForm,
    fields: Vec<FieldForm>,
    examples: Vec<ExampleForm>,
) -> Result<PayloadModel, KeyError> {
    let max = profile::payload::PAYLOAD_BYTES_MAX;
    if form.bytes_max == 0 || form.bytes_max > max {
        return Err(("mqtt.bytes_max".to_owned(), format!("use 1 to {max}")));
    }
    let fields_max = profile::payload::FIELDS_MAX;
    if fields.is_empty() || fields.len() > fields_max {
        return Err(("field".to_owned(), format!("give 1 to {fields_max} [[field]] tables")));
    }
    let fields: Vec<Field> =
        fields.into_iter().enumerate().map(|(i, form)| field(i, form)).collect::<Result<_, _>>()?;
    for (i, field) in fields.iter().enumerate() {
        if fields[..i].iter().any(|other| other.channel == field.channel) {
            return Err((format!("field[{}]", i + 1), format!("{} is given twice; keep one", field.channel)));
        }
    }
    let body = one_of("mqtt.form", &form.form, Form::parse, || Form::ALL.iter().map(|f| f.code()).collect())?;
    let ignores_unrelated = one_of(
        "mqtt.unrelated",
        &form.unrelated,
        |word| ["quarantine", "ignore"].iter().position(|w| *w == word).map(|at| at == 1),
        || vec!["quarantine", "ignore"],
    )?;
    let records = form.records.map(|form| records(form, &fields)).transpose()?;
    if records.is_some() && body != Form::Json {
        return Err((
            "mqtt.records".to_owned(),
            "only devices that speak JSON can be asked for them".to_owned(),
        ));
    }
    let examples = examples.iter().enumerate().map(|(i, form)| payload_example(i, form, body, &fields));
    let examples = examples.collect::<Result<_, _>>()?;
    Ok(PayloadModel {
        form: body,
        topic: form.topic,
        bytes_max: form.bytes_max,
        time: form.time.map(time).transpose()?,
        ignores_unrelated,
        must_be_zero: form.must_be_zero,
        settings: form.settings,
        needs: form.needs,
        availability: form.availability.map(availability).transpose()?,
        records,
        fields,
        examples,
    })
}

fn time(form: TimeFieldForm) -> Result<TimeField, KeyError> {
    let all = || TimeForm::ALL.iter().map(|f| f.code()).collect();
    let written = one_of("mqtt.time.form", &form.form, TimeForm::parse, all)?;
    if (written == TimeForm::Local) == form.zone.is_empty() {
        let says = "a time of the form local needs a `zone`, and no other form has one".to_owned();
        return Err(("mqtt.time.zone".to_owned(), says));
    }
    Ok(TimeField { path: form.path, form: written, zone: form.zone, optional: form.optional })
}

fn availability(form: AvailabilityForm) -> Result<Availability, KeyError> {
    if form.offline.is_empty() || form.online.is_empty() {
        let says = "give the words of both `online` and `offline`".to_owned();
        return Err(("mqtt.availability".to_owned(), says));
    }
    let AvailabilityForm { topic, path, online, offline } = form;
    Ok(Availability { topic, path, online, offline })
}

fn field(index: usize, form: FieldForm) -> Result<Field, KeyError> {
    let key = format!("field[{}]", index + 1);
    let channel = channel(&key, &form.quantity, form.phase.as_deref())?;
    let (unit, scale, plausible) = scaled(&key, channel, &form.unit, form.scale, &form.plausible)?;
    let topic = form.topic.unwrap_or_else(|| OWN_TOPIC.to_owned());
    Ok(Field { channel, topic, path: form.path, unit, scale, plausible, required: form.required })
}

fn payload_example(
    index: usize,
    form: &ExampleForm,
    body: Form,
    fields: &[Field],
) -> Result<PayloadExample, KeyError> {
    let key = format!("example[{}]", index + 1);
    let payload = match (&form.payload, body) {
        (Some(text), Form::SparkplugB) => hexadecimal(text)
            .ok_or_else(|| (format!("{key}.payload"), "write it in hexadecimal".to_owned()))?,
        (Some(text), Form::Json | Form::Csv) => text.clone().into_bytes(),
        (None, _) => return Err((key, "give the `payload`".to_owned())),
    };
    let time = form.time.as_deref().map(|text| {
        Instant::parse_rfc3339(text)
            .ok_or_else(|| (format!("{key}.time"), format!("{text:?} is not RFC 3339 with a zone")))
    });
    // Where all fields come on one topic, an example need not say which.
    let only = fields.first().filter(|first| fields.iter().all(|f| f.topic == first.topic));
    let topic = form.topic.clone().or_else(|| Some(only?.topic.clone()));
    let topic = topic.ok_or_else(|| {
        (format!("{key}.topic"), "say on which `topic` it comes, as a field does".to_owned())
    })?;
    let expect = expected(&key, &form.expect)?;
    Ok(PayloadExample { topic, payload, observed_at: time.transpose()?, expect })
}

/// Bytes written in hexadecimal; spaces and line ends are for the reader.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.split_whitespace().collect();
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2 && !pair.contains('+'))?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}
