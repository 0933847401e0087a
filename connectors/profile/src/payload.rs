//! Meters that send messages: which topics they speak on, which part of a payload is which channel, and
//! when it was measured. [`PayloadModel::bind`] fills in a meter's own settings; what it gives decodes.
//!
//! Must never: turn a payload that cannot be understood into a reading. It gives the reason, and
//! the caller keeps the bytes.

mod bind;
pub mod records;
mod time;

use std::collections::BTreeMap;

use model::{Channel, Instant, Quality, Unit};

use crate::decimal::Decimal;
use crate::example::Expected;
use crate::json::{Json, JsonError, Path};
use crate::registers::{Decoded, Range};

pub use bind::{BindError, Bound, BoundAvailability, Presence, SETTING_BYTES_MAX};
use records::RecordsModel;
use time::BoundTime;
pub use time::{AHEAD_SECONDS_MAX, TimeField, TimeForm, When};

/// Payload size a meter's file may allow at most, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 262_144;
/// Fields a meter's file may have at most.
pub const FIELDS_MAX: usize = 512;

/// How a payload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// JSON; a bare number is JSON too.
    Json,
    /// Numbers in one line, separated by commas; a path is an index, `[3]`.
    Csv,
    /// Sparkplug B; a path is the name of a metric.
    SparkplugB,
}

impl Form {
    pub const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::SparkplugB];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::SparkplugB => "sparkplug_b",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.code() == code)
    }
}

/// One value of a payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub channel: Channel,
    /// The topic it comes on, with placeholders; `{topic}` for the meter's own.
    pub topic: String,
    /// `ENERGY.Power[1]`; empty for a payload that is one number.
    pub path: String,
    pub unit: Unit,
    pub scale: Decimal,
    pub plausible: Range,
    /// A payload without it is refused.
    pub required: bool,
}

/// Where a device, or the broker in its place, says whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// With placeholders.
    pub topic: String,
    /// Where the word stands when the payload is JSON; a payload that is no such JSON is the word itself.
    pub path: String,
    pub online: Vec<String>,
    pub offline: Vec<String>,
}

/// An example payload with the readings it must give.
#[derive(Debug, Clone, PartialEq)]
pub struct PayloadExample {
    /// The topic it came on, with placeholders.
    pub topic: String,
    pub payload: Vec<u8>,
    /// The payload's own time; `None` where it has none.
    pub observed_at: Option<Instant>,
    pub expect: Vec<Expected>,
}

/// A meter that sends messages.
#[derive(Debug, Clone, PartialEq)]
pub struct PayloadModel {
    pub form: Form,
    /// What the meter's own topic looks like, `+` for one level and `#` for the rest: a hint for people.
    pub topic: String,
    pub bytes_max: usize,
    pub time: Option<TimeField>,
    /// Whether other messages on the same topics are nothing of ours: they are passed over, not kept.
    pub ignores_unrelated: bool,
    /// Paths of counts that must be zero where they are there: what they count is in the fields too, and cannot be told apart.
    pub must_be_zero: Vec<String>,
    /// What a meter may set besides its topic, with the value that is taken when it does not.
    pub settings: BTreeMap<String, String>,
    /// What a meter must set besides its topic.
    pub needs: Vec<String>,
    pub availability: Option<Availability>,
    /// What the device keeps by itself and can be asked for after an outage.
    pub records: Option<RecordsModel>,
    pub fields: Vec<Field>,
    pub examples: Vec<PayloadExample>,
}

/// What one payload said of one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub observed_at: Instant,
    /// [`Quality::Good`] with the device's own time, [`Quality::ArrivalTime`] without.
    pub quality: Quality,
    pub values: Vec<(Channel, Decoded)>,
}

/// Why a payload gives no readings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    #[error("the payload has {bytes} bytes where at most {limit} are allowed")]
    TooLong { bytes: usize, limit: usize },
    #[error("the payload is not UTF-8 text")]
    NotText,
    #[error("the payload is not JSON")]
    NotJson(#[source] JsonError),
    #[error("the payload is not Sparkplug B")]
    NotSparkplug(#[source] crate::sparkplug::SparkplugError),
    #[error("`{path}` is missing")]
    Missing { path: String },
    #[error("`{path}` is {found} where a number is expected")]
    NotANumber { path: String, found: &'static str },
    #[error("`{path}` is a number that cannot be kept")]
    OutOfRange { path: String },
    #[error("`{path}` is not zero, and the meter's file cannot tell what it counts from the rest")]
    NotZero { path: String },
    #[error("none of the fields of the meter's file is there")]
    NoValue,
    #[error("`{path}` is no time of the form {}", form.code())]
    NotATime { path: String, form: TimeForm },
    #[error("its time {time} is {seconds} s ahead of its arrival")]
    TimeAhead { time: Instant, seconds: i64 },
    #[error("its time {time} is before 2000: the clock of the device is not set")]
    TimeUnset { time: Instant },
    #[error(
        "metric alias {alias} is not known: no birth message has taught it since the link began or lost messages; \
         have the node send its births again"
    )]
    UnknownAlias { alias: u64 },
    #[error("metric alias {alias} stands for two metrics of one birth message")]
    AliasTwice { alias: u64 },
    #[error("a metric of a birth message has no name")]
    BirthWithoutName,
    #[error("a metric has neither name nor alias")]
    MetricWithoutName,
    #[error("it has no time of its own, and the clock of this machine was not set: it said {time}")]
    HostClockUnset { time: Instant },
}

impl PayloadError {
    /// The kinds of [`Self::kind`].
    pub const KINDS: [&'static str; 6] = ["length", "form", "field", "time", "clock", "names"];

    /// What is wrong in a word: a reader's language has a text for each.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "length",
            Self::NotText | Self::NotJson(_) | Self::NotSparkplug(_) => "form",
            Self::Missing { .. }
            | Self::NotANumber { .. }
            | Self::OutOfRange { .. }
            | Self::NotZero { .. }
            | Self::NoValue => "field",
            Self::NotATime { .. } | Self::TimeAhead { .. } | Self::TimeUnset { .. } => "time",
            Self::HostClockUnset { .. } => "clock",
            Self::UnknownAlias { .. }
            | Self::AliasTwice { .. }
            | Self::BirthWithoutName
            | Self::MetricWithoutName => "names",
        }
    }
}

/// One topic of a meter, ready to decode.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundMessage {
    pub topic: String,
    form: Form,
    bytes_max: usize,
    time: Option<BoundTime>,
    ignores_unrelated: bool,
    must_be_zero: Vec<(Path, String)>,
    fields: Vec<(Path, Field)>,
}

impl BoundMessage {
    /// The readings of a payload of which `payload` is all, or the beginning of `length` bytes; `None` when
    /// it is a message of another kind that the meter's file says to pass over.
    ///
    /// # Errors
    /// Why the payload is not understood. One field that is there but no number spoils the whole
    /// payload: what else it says cannot be trusted either.
    pub fn decode(&self, payload: &[u8], length: usize, when: When) -> Result<Option<Message>, PayloadError> {
        if length > self.bytes_max || length > payload.len() {
            return Err(PayloadError::TooLong { bytes: length, limit: self.bytes_max });
        }
        let text = std::str::from_utf8(payload).map_err(|_| PayloadError::NotText)?;
        let json = match self.form {
            Form::Csv => csv(text),
            Form::Json | Form::SparkplugB => Json::parse(text).map_err(PayloadError::NotJson)?,
        };
        let mut values = Vec::with_capacity(self.fields.len());
        let mut empty = Vec::new();
        for (path, field) in &self.fields {
            match field.read(json.at(path))? {
                Found::Value(value) => values.push((field.channel, value)),
                Found::Empty => empty.push((field.channel, Decoded::Missing)),
                Found::Nothing => {}
            }
        }
        if values.is_empty() {
            // A payload that says of all it has that there is no value has been understood.
            values = empty;
        }
        if values.is_empty() {
            return if self.ignores_unrelated { Ok(None) } else { Err(PayloadError::NoValue) };
        }
        let nothing = |found: &Json<'_>| match found {
            Json::Number(text) => Decimal::parse(text).is_some_and(Decimal::is_zero),
            other => matches!(other, Json::Null),
        };
        for (path, text) in &self.must_be_zero {
            if json.at(path).is_some_and(|found| !nothing(found)) {
                return Err(PayloadError::NotZero { path: text.clone() });
            }
        }
        let own = match &self.time {
            None => None,
            Some(time) => time.read(&json, when)?,
        };
        let (observed_at, quality) = when.observed(own)?;
        Ok(Some(Message { observed_at, quality, values }))
    }
}

/// One line of numbers, the way JSON would have it.
fn csv(text: &str) -> Json<'_> {
    let items = text.split(',').map(str::trim).map(|item| {
        if Decimal::parse(item).is_some() { Json::Number(item) } else { Json::Text(item.into()) }
    });
    Json::Array(items.collect())
}

enum Found {
    Value(Decoded),
    /// It is there and says that there is no value.
    Empty,
    Nothing,
}

impl Field {
    fn read(&self, found: Option<&Json<'_>>) -> Result<Found, PayloadError> {
        let path = || self.path.clone();
        let text = match found {
            Some(Json::Number(text)) => text,
            None | Some(Json::Null) if self.required => return Err(PayloadError::Missing { path: path() }),
            None => return Ok(Found::Nothing),
            Some(Json::Null) => return Ok(Found::Empty),
            Some(other) => return Err(PayloadError::NotANumber { path: path(), found: other.kind() }),
        };
        let number = Decimal::parse(text).ok_or_else(|| PayloadError::OutOfRange { path: path() })?;
        self.value(number).map(Found::Value)
    }

    /// The number as a value of the field's channel.
    pub(crate) fn value(&self, number: Decimal) -> Result<Decoded, PayloadError> {
        let value =
            number.times(self.scale).and_then(|number| number.value(self.unit, self.channel.quantity));
        let value = value.ok_or_else(|| PayloadError::OutOfRange { path: self.path.clone() })?;
        Ok(Decoded::of(value, self.plausible))
    }
}

#[cfg(test)]
mod tests;
