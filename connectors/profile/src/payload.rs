//! Meters that send messages: which field of a payload is which channel, and when it was measured.
//!
//! Must never: turn a payload that cannot be understood into a reading. It gives the reason, and
//! the caller keeps the bytes.

use model::{Channel, Instant, Quality, Unit};

use crate::decimal::Decimal;
use crate::example::Expected;
use crate::json::{Json, JsonError};
use crate::registers::{Decoded, Range};

/// Payload size a meter's file may allow at most, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 262_144;
/// How far a device's clock may be ahead of ours before its time is not believed.
pub const AHEAD_SECONDS_MAX: i64 = 300;
/// 2000-01-01T00:00:00Z: a device that says an earlier time has never had its clock set.
const EARLIEST: Instant = Instant::from_seconds(946_684_800);

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeForm {
    /// `2025-03-30T02:00:00+01:00` or `…Z`. A time without zone is refused.
    Rfc3339,
    /// Seconds since 1970, fractions allowed.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
}

impl TimeForm {
    pub const ALL: [Self; 3] = [Self::Rfc3339, Self::EpochSeconds, Self::EpochMillis];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Rfc3339 => "rfc3339",
            Self::EpochSeconds => "epoch_s",
            Self::EpochMillis => "epoch_ms",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.code() == code)
    }
}

/// Where a payload says when it was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeField {
    pub path: String,
    pub form: TimeForm,
}

/// One value of a payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub channel: Channel,
    /// `ENERGY.Power[1]`; empty for a payload that is one number.
    pub path: String,
    pub unit: Unit,
    pub scale: Decimal,
    pub plausible: Range,
    /// A payload without it is refused.
    pub required: bool,
}

/// An example payload with the readings it must give.
#[derive(Debug, Clone, PartialEq)]
pub struct PayloadExample {
    pub payload: String,
    /// The payload's own time; `None` where it has none.
    pub observed_at: Option<Instant>,
    pub expect: Vec<Expected>,
}

/// A meter that sends messages.
#[derive(Debug, Clone, PartialEq)]
pub struct PayloadModel {
    /// What its topics look like, `+` for one level and `#` for the rest: a hint for people.
    pub topic: String,
    pub bytes_max: usize,
    pub time: Option<TimeField>,
    pub fields: Vec<Field>,
    pub examples: Vec<PayloadExample>,
}

/// What one payload said.
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
    #[error("`{path}` is missing")]
    Missing { path: String },
    #[error("`{path}` is {found} where a number is expected")]
    NotANumber { path: String, found: &'static str },
    #[error("`{path}` is a number that cannot be kept")]
    OutOfRange { path: String },
    #[error("none of the fields of the meter's file is there")]
    NoValue,
    #[error("`{path}` is no time of the form {}", form.code())]
    NotATime { path: String, form: TimeForm },
    #[error("its time {time} is {seconds} s ahead of its arrival")]
    TimeAhead { time: Instant, seconds: i64 },
    #[error("its time {time} is before 2000: the clock of the device is not set")]
    TimeUnset { time: Instant },
}

impl PayloadModel {
    /// The readings of a payload that arrived at `arrived`.
    ///
    /// # Errors
    /// Why the payload is not understood. One field that is there but no number spoils the whole
    /// payload: what else it says cannot be trusted either.
    pub fn decode(&self, payload: &[u8], arrived: Instant) -> Result<Message, PayloadError> {
        if payload.len() > self.bytes_max {
            return Err(PayloadError::TooLong { bytes: payload.len(), limit: self.bytes_max });
        }
        let text = std::str::from_utf8(payload).map_err(|_| PayloadError::NotText)?;
        let json = Json::parse(text).map_err(PayloadError::NotJson)?;
        let mut values = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            if let Some(value) = field.read(&json)? {
                values.push((field.channel, value));
            }
        }
        if values.is_empty() {
            return Err(PayloadError::NoValue);
        }
        let (observed_at, quality) = match &self.time {
            None => (arrived, Quality::ArrivalTime),
            Some(field) => (field.read(&json, arrived)?, Quality::Good),
        };
        Ok(Message { observed_at, quality, values })
    }
}

impl Field {
    /// `None` when the field is absent (or null) and need not be there.
    fn read(&self, json: &Json) -> Result<Option<Decoded>, PayloadError> {
        let path = || self.path.clone();
        let text = match json.at(&self.path) {
            Some(Json::Number(text)) => text,
            None | Some(Json::Null) if self.required => return Err(PayloadError::Missing { path: path() }),
            None | Some(Json::Null) => return Ok(None),
            Some(other) => return Err(PayloadError::NotANumber { path: path(), found: other.kind() }),
        };
        let value = Decimal::parse(text)
            .and_then(|number| number.times(self.scale))
            .and_then(|number| number.value(self.unit, self.channel.quantity));
        let value = value.ok_or_else(|| PayloadError::OutOfRange { path: path() })?;
        Ok(Some(Decoded::of(value, self.plausible)))
    }
}

impl TimeField {
    fn read(&self, json: &Json, arrived: Instant) -> Result<Instant, PayloadError> {
        let found = json.at(&self.path).ok_or_else(|| PayloadError::Missing { path: self.path.clone() })?;
        let time = match (self.form, found) {
            (TimeForm::Rfc3339, Json::Text(text)) => Instant::parse_rfc3339(text),
            (TimeForm::EpochSeconds, Json::Number(text)) => millis(text, 3),
            (TimeForm::EpochMillis, Json::Number(text)) => millis(text, 0),
            _ => None,
        };
        let time = time.ok_or_else(|| PayloadError::NotATime { path: self.path.clone(), form: self.form })?;
        let ahead_seconds = time.millis().saturating_sub(arrived.millis()) / 1000;
        if ahead_seconds > AHEAD_SECONDS_MAX {
            return Err(PayloadError::TimeAhead { time, seconds: ahead_seconds });
        }
        if time < EARLIEST { Err(PayloadError::TimeUnset { time }) } else { Ok(time) }
    }
}

/// A number of 10^`power` milliseconds as an instant.
fn millis(text: &str, power: u32) -> Option<Instant> {
    let shift = Decimal::integer(10_i128.pow(power));
    let millis = Decimal::parse(text)?.times(shift)?;
    // Any total kept one to one rounds the way an instant must.
    match millis.value(Unit::WattHour, model::Quantity::ActiveEnergyImport)? {
        model::Value::Total(millis) => Some(Instant::from_millis(millis)),
        model::Value::Gauge(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use model::{Quantity, Value};

    use super::*;

    fn field(path: &str, quantity: Quantity, unit: Unit) -> Field {
        let plausible = Range { from: 0.0, to: 1e9 };
        Field {
            channel: Channel::total(quantity),
            path: path.into(),
            unit,
            scale: Decimal::ONE,
            plausible,
            required: false,
        }
    }

    fn model() -> PayloadModel {
        PayloadModel {
            topic: "energy/+".into(),
            bytes_max: 200,
            time: Some(TimeField { path: "time".into(), form: TimeForm::Rfc3339 }),
            fields: vec![
                field("kwh", Quantity::ActiveEnergyImport, Unit::KilowattHour),
                field("w", Quantity::ActivePower, Unit::Watt),
            ],
            examples: vec![],
        }
    }

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    fn decode(payload: &str) -> Result<Message, PayloadError> {
        model().decode(payload.as_bytes(), at("2025-06-01T10:00:05Z"))
    }

    #[test]
    fn late_data_are_put_at_their_own_time() {
        let m = decode(r#"{"time":"2025-05-31T23:59:00+02:00","kwh":12345.678,"w":null,"x":[]}"#).unwrap();
        assert_eq!((m.observed_at, m.quality), (at("2025-05-31T21:59:00Z"), Quality::Good));
        let kwh = Channel::total(Quantity::ActiveEnergyImport);
        assert_eq!(m.values, [(kwh, Decoded::Value(Value::Total(12_345_678)))]);
    }

    #[test]
    fn every_way_of_not_being_understood_has_its_reason() {
        let t = r#""time":"2025-06-01T10:00:00Z""#;
        let long = format!(r#"{{{t},"kwh":{}}}"#, "1".repeat(200));
        for (payload, reason) in [
            (long.as_str(), "the payload has 238 bytes where at most 200 are allowed"),
            ("hello", "the payload is not JSON"),
            (&format!("{{{t},\"kwh\":\"12\"}}"), "`kwh` is a text where a number is expected"),
            (&format!("{{{t},\"kwh\":1e29}}"), "`kwh` is a number that cannot be kept"),
            (&format!("{{{t}}}"), "none of the fields of the meter's file is there"),
            (r#"{"kwh":1}"#, "`time` is missing"),
            (r#"{"kwh":1,"time":"2025-06-01T10:00:00"}"#, "`time` is no time of the form rfc3339"),
            (
                r#"{"kwh":1,"time":"2025-06-01T11:00:05Z"}"#,
                "its time 2025-06-01T11:00:05Z is 3600 s ahead of its arrival",
            ),
            (
                r#"{"kwh":1,"time":"1970-01-01T00:00:05Z"}"#,
                "its time 1970-01-01T00:00:05Z is before 2000: the clock of the device is not set",
            ),
        ] {
            assert_eq!(decode(payload).unwrap_err().to_string(), reason);
        }
        let bytes = model().decode(&[0xFF, 0xFE], Instant::default());
        assert_eq!(bytes, Err(PayloadError::NotText));
    }

    #[test]
    fn an_implausible_value_is_kept_apart() {
        let m = decode(r#"{"time":"2025-06-01T10:00:00Z","w":-5}"#).unwrap();
        assert!(matches!(m.values[0].1, Decoded::Implausible(Value::Gauge(v), _) if v == -5.0));
    }

    #[test]
    fn epochs_are_read_exactly_and_a_scalar_payload_is_a_number() {
        assert_eq!(millis("1748772000.25", 3), Some(Instant::from_millis(1_748_772_000_250)));
        assert_eq!(millis("1748772000250", 0), Some(Instant::from_millis(1_748_772_000_250)));
        let scalar = PayloadModel {
            time: None,
            fields: vec![field("", Quantity::ActivePower, Unit::Watt)],
            ..model()
        };
        let m = scalar.decode(b"123.5", Instant::from_seconds(7)).unwrap();
        assert_eq!((m.observed_at, m.quality), (Instant::from_seconds(7), Quality::ArrivalTime));
        assert_eq!(m.values[0].1, Decoded::Value(Value::Gauge(123.5)));
    }
}
