//! The part of a meter file that is a payload convention: `[mqtt]` and its `[[field]]`.
//!
//! Must never: accept two fields of one channel, or a limit above the decoder's own.

use model::Instant;
use profile::{Field, PayloadExample, PayloadModel, TimeField, TimeForm};
use serde::Deserialize;

use super::parts::{ExampleForm, KeyError, RangeForm, channel, expected, one, one_of, scaled};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MqttForm {
    pub(super) topic: String,
    pub(super) bytes_max: usize,
    pub(super) time: Option<TimeFieldForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeFieldForm {
    pub(super) path: String,
    pub(super) form: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldForm {
    pub(super) quantity: String,
    pub(super) phase: Option<String>,
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
    let time = form.time.map(|t| {
        let all = || TimeForm::ALL.iter().map(|f| f.code()).collect();
        Ok::<_, KeyError>(TimeField {
            path: t.path,
            form: one_of("mqtt.time.form", &t.form, TimeForm::parse, all)?,
        })
    });
    let fields: Vec<Field> =
        fields.into_iter().enumerate().map(|(i, form)| field(i, form)).collect::<Result<_, _>>()?;
    if fields.is_empty() {
        return Err(("field".to_owned(), "add at least one [[field]]".to_owned()));
    }
    for (i, field) in fields.iter().enumerate() {
        if fields[..i].iter().any(|other| other.channel == field.channel) {
            return Err((format!("field[{}]", i + 1), format!("{} is given twice; keep one", field.channel)));
        }
    }
    let examples = examples.iter().enumerate().map(|(i, form)| payload_example(i, form));
    Ok(PayloadModel {
        topic: form.topic,
        bytes_max: form.bytes_max,
        time: time.transpose()?,
        fields,
        examples: examples.collect::<Result<_, _>>()?,
    })
}

fn field(index: usize, form: FieldForm) -> Result<Field, KeyError> {
    let key = format!("field[{}]", index + 1);
    let channel = channel(&key, &form.quantity, form.phase.as_deref())?;
    let (unit, scale, plausible) = scaled(&key, channel, &form.unit, form.scale, &form.plausible)?;
    Ok(Field { channel, path: form.path, unit, scale, plausible, required: form.required })
}

fn payload_example(index: usize, form: &ExampleForm) -> Result<PayloadExample, KeyError> {
    let key = format!("example[{}]", index + 1);
    let Some(payload) = form.payload.clone() else {
        return Err((key, "give the `payload`".to_owned()));
    };
    let time = form.time.as_deref().map(|text| {
        Instant::parse_rfc3339(text)
            .ok_or_else(|| (format!("{key}.time"), format!("{text:?} is not RFC 3339 with a zone")))
    });
    Ok(PayloadExample { payload, observed_at: time.transpose()?, expect: expected(&key, &form.expect)? })
}
