//! From a meter's file to one meter: placeholders are filled in, and topics become plain ones.
//!
//! Must never: give a topic with a wildcard, or leave a placeholder standing.

use std::collections::BTreeMap;

use model::Zone;

use super::records::{BoundRecords, RecordsModel};
use super::{BoundMessage, BoundTime, Field, Form, PayloadModel};
use crate::json::{Json, Path};
use crate::sparkplug::SparkplugMeter;

/// Longest setting of a meter, and longest topic, in bytes.
pub const SETTING_BYTES_MAX: usize = 1_024;

/// Why a model does not fit a meter's settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    #[error("key `{key}` is not known; this model has {known}")]
    Unknown { key: String, known: String },
    #[error("key `{key}` is missing; this model needs it")]
    Missing { key: String },
    #[error("{key} {value:?} must be 1 to {SETTING_BYTES_MAX} bytes without '+', '#' and control characters")]
    Value { key: String, value: String },
    #[error("`{{{name}}}` in {text:?} is nothing that the meter can set")]
    Placeholder { name: String, text: String },
    #[error("path {path:?} cannot be read; write it like ENERGY.Power[1]")]
    Path { path: String },
    #[error("{value:?} is no number of a component of the device; write it like 0")]
    Component { value: String },
    #[error("{zone:?} is no time zone; write it like Europe/Rome")]
    Zone { zone: String },
}

/// The topics of one meter, ready to decode.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    pub messages: Vec<BoundMessage>,
    pub availability: Option<BoundAvailability>,
    pub records: Option<BoundRecords>,
    /// For [`Form::SparkplugB`], in place of messages.
    pub sparkplug: Option<SparkplugMeter>,
}

impl Bound {
    /// What it reads, each in words: two meters that read the same would count it twice.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        let plain = self.messages.iter().flat_map(|message| {
            message.fields.iter().map(|(_, field)| match field.path.as_str() {
                "" => format!("topic {}", message.topic),
                path => format!("topic {}, path {path}", message.topic),
            })
        });
        plain.chain(self.sparkplug.iter().flat_map(SparkplugMeter::places)).collect()
    }
}

/// Where one meter's presence is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundAvailability {
    pub topic: String,
    path: Path,
    online: Vec<String>,
    offline: Vec<String>,
}

/// Whether a device is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Online,
    Offline,
}

impl BoundAvailability {
    /// `None` for a word that the meter's file does not know.
    #[must_use]
    pub fn read(&self, payload: &[u8]) -> Option<Presence> {
        let text = std::str::from_utf8(payload).ok()?.trim();
        let json = Json::parse(text).ok();
        let word = match json.as_ref().and_then(|json| json.at(&self.path)) {
            Some(Json::Text(word)) => word.as_ref(),
            _ => text,
        };
        let among = |words: &[String]| words.iter().any(|other| other.eq_ignore_ascii_case(word));
        if among(&self.online) {
            Some(Presence::Online)
        } else if among(&self.offline) {
            Some(Presence::Offline)
        } else {
            None
        }
    }
}

/// The values that stand for placeholders.
struct Values(BTreeMap<String, String>);

impl Values {
    /// Every `{name}` of `text` replaced.
    fn fill(&self, text: &str) -> Result<String, BindError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let unknown =
                |name: &str| BindError::Placeholder { name: name.to_owned(), text: text.to_owned() };
            let (name, after) = after.split_once('}').ok_or_else(|| unknown(after))?;
            out.push_str(before);
            out.push_str(self.0.get(name).ok_or_else(|| unknown(name))?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

fn sound(value: &str) -> bool {
    (1..=SETTING_BYTES_MAX).contains(&value.len())
        && !value.contains(['+', '#'])
        && !value.chars().any(char::is_control)
}

impl PayloadModel {
    /// Keys that a meter of this model may have.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        let topic = (self.form != Form::SparkplugB).then_some("topic");
        let needs = self.needs.iter().map(String::as_str);
        topic.into_iter().chain(needs).chain(self.settings.keys().map(String::as_str)).collect()
    }

    /// Fills in the settings of one meter.
    ///
    /// # Errors
    /// A key that the model does not have or that is missing, a value that cannot be part of a topic, or a
    /// placeholder of the file that is none.
    pub fn bind(&self, given: &BTreeMap<String, String>) -> Result<Bound, BindError> {
        let values = self.values(given)?;
        if self.form == Form::SparkplugB {
            let sparkplug = Some(self.sparkplug(&values)?);
            return Ok(Bound { messages: Vec::new(), availability: None, records: None, sparkplug });
        }
        let mut messages: Vec<BoundMessage> = Vec::new();
        for field in &self.fields {
            let topic = values.fill(&field.topic)?;
            if !sound(&topic) {
                return Err(BindError::Value { key: "topic".to_owned(), value: topic });
            }
            let path = self.path(&values, field)?;
            let field = Field { topic: topic.clone(), path: path.0, ..field.clone() };
            match messages.iter_mut().find(|m| m.topic == topic) {
                Some(message) => message.fields.push((path.1, field)),
                None => messages.push(BoundMessage {
                    topic,
                    form: self.form,
                    bytes_max: self.bytes_max,
                    time: self.bound_time(&values)?,
                    ignores_unrelated: self.ignores_unrelated,
                    must_be_zero: self.bound_zeros(&values)?,
                    fields: vec![(path.1, field)],
                }),
            }
        }
        let availability = match &self.availability {
            None => None,
            Some(said) => {
                let topic = values.fill(&said.topic)?;
                let path = parse(&values.fill(&said.path)?)?;
                let (online, offline) = (said.online.clone(), said.offline.clone());
                sound(&topic).then_some(BoundAvailability { topic, path, online, offline })
            }
        };
        let records = self.records.as_ref().map(|records| bound_records(records, &values)).transpose()?;
        Ok(Bound { messages, availability, records, sparkplug: None })
    }

    /// A text of the file with the settings of one meter in it.
    ///
    /// # Errors
    /// As [`PayloadModel::bind`].
    pub fn fill(&self, given: &BTreeMap<String, String>, text: &str) -> Result<String, BindError> {
        self.values(given)?.fill(text)
    }

    fn values(&self, given: &BTreeMap<String, String>) -> Result<Values, BindError> {
        let keys = self.keys();
        for (key, value) in given {
            if !keys.contains(&key.as_str()) {
                return Err(BindError::Unknown { key: key.clone(), known: keys.join(", ") });
            }
            if !sound(value) {
                return Err(BindError::Value { key: key.clone(), value: value.clone() });
            }
        }
        let mut values = self.settings.clone();
        values.extend(given.clone());
        let topic = (self.form != Form::SparkplugB).then_some("topic");
        for key in self.needs.iter().map(String::as_str).chain(topic) {
            if values.get(key).is_none_or(String::is_empty) {
                return Err(BindError::Missing { key: key.to_owned() });
            }
        }
        if let Some(topic) = values.get("topic") {
            let parent = topic.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
            values.insert("parent".to_owned(), parent);
        }
        Ok(Values(values))
    }

    /// A field's path, filled in and taken apart.
    fn path(&self, values: &Values, field: &Field) -> Result<(String, Path), BindError> {
        let text = values.fill(&field.path)?;
        let path = parse(&text)?;
        Ok((text, path))
    }

    fn bound_time(&self, values: &Values) -> Result<Option<BoundTime>, BindError> {
        let Some(time) = &self.time else { return Ok(None) };
        let zone = values.fill(&time.zone)?;
        let zone = match zone.as_str() {
            "" => None,
            name => Some(name.parse::<Zone>().map_err(|_| BindError::Zone { zone: zone.clone() })?),
        };
        let text = values.fill(&time.path)?;
        let path = parse(&text)?;
        Ok(Some(BoundTime { path, text, form: time.form, zone, optional: time.optional }))
    }

    fn bound_zeros(&self, values: &Values) -> Result<Vec<(Path, String)>, BindError> {
        let bound = |path: &String| {
            let text = values.fill(path)?;
            Ok((parse(&text)?, text))
        };
        self.must_be_zero.iter().map(bound).collect()
    }

    fn sparkplug(&self, values: &Values) -> Result<SparkplugMeter, BindError> {
        let part = |key: &str| -> Result<String, BindError> {
            let value = values.0.get(key).cloned().unwrap_or_default();
            if value.contains('/') {
                return Err(BindError::Value { key: key.to_owned(), value });
            }
            Ok(value)
        };
        let device = Some(part("device")?).filter(|device| !device.is_empty());
        let mut fields = Vec::new();
        for field in &self.fields {
            fields.push(Field { path: values.fill(&field.path)?, ..field.clone() });
        }
        Ok(SparkplugMeter::new(part("group")?, part("node")?, device, self.bytes_max, fields))
    }
}

fn bound_records(records: &RecordsModel, values: &Values) -> Result<BoundRecords, BindError> {
    let topic = values.fill(&records.request)?;
    let component = values.fill(&records.component)?;
    if !sound(&topic) {
        return Err(BindError::Value { key: "topic".to_owned(), value: topic });
    }
    match component.parse() {
        Ok(number) => Ok(BoundRecords { topic, component: number, model: records.clone() }),
        Err(_) => Err(BindError::Component { value: component }),
    }
}

fn parse(text: &str) -> Result<Path, BindError> {
    Path::parse(text).ok_or_else(|| BindError::Path { path: text.to_owned() })
}
