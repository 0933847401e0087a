//! MQTT payloads through every convention of the catalogue: the meter's settings are bound, then each of its topics
//! decodes the bytes.
//!
//! Laws: a bound topic has no wildcard and no placeholder left; values are lawful and of the convention's own fields;
//! an observation is never later than the allowed clock error nor before 2000; an answer cut short is refused; the
//! word of an availability topic is one that its file knows.
//!
//! Allowed errors: of payloads those of [`assert_payload_error`], of settings those of [`assert_bind_error`].
//!
//! Must never: give a decoder bytes that the connector would not.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use model::{Channel, Instant, Quality};
use profile::payload::AHEAD_SECONDS_MAX;
use profile::{BindError, Bound, Form, Message, MeterModel, PayloadError, PayloadModel, Range, When};

use crate::input::Input;
use crate::laws::{assert_lawful, models};

/// When the payloads arrive: in the summer of 2025.
pub const ARRIVED: Instant = Instant::from_seconds(1_750_000_000);
/// 2000-01-01.
const EARLIEST: Instant = Instant::from_seconds(946_684_800);

static MODELS: LazyLock<Vec<(Arc<MeterModel>, Bound)>> = LazyLock::new(|| {
    let plain = models(|m| m.payloads().is_some_and(|p| p.form != Form::SparkplugB));
    let bound = |m: Arc<MeterModel>| {
        let bound = m.payloads().map(|p| p.bind(&settings(p)));
        let bound = bound.and_then(Result::ok).expect("plain settings fit every convention");
        (m, bound)
    };
    plain.into_iter().map(bound).collect()
});

/// Plain settings of a meter.
#[must_use]
pub fn settings(model: &PayloadModel) -> BTreeMap<String, String> {
    let mut given: BTreeMap<String, String> =
        model.needs.iter().map(|key| (key.clone(), "example".to_owned())).collect();
    if model.form != Form::SparkplugB {
        given.insert("topic".to_owned(), "example/meter".to_owned());
    }
    given
}

/// Bytes: one for the convention, one for what is done, then the payload or a setting.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (model, bound) = &MODELS[input.below(MODELS.len())];
    let model = model.payloads().expect("it has payloads");
    match input.u8() {
        0 => bind(model, input.rest()),
        1 => {
            if let Some(availability) = &bound.availability {
                let payload = input.rest();
                let said = availability.read(payload);
                assert!(said.is_none() || !payload.is_empty(), "silence says that a meter is there, or not");
            }
        }
        what => {
            let message = &bound.messages[usize::from(what) % bound.messages.len()];
            let payload = input.rest();
            let decoded = message.decode(payload, payload.len(), When::arriving(ARRIVED));
            match decoded {
                Ok(Some(message)) => assert_message(&message, &|channel| range(model, channel)),
                Ok(None) => assert!(model.ignores_unrelated, "a payload was passed over"),
                Err(error) => assert_payload_error(&error),
            }
            let cut = message.decode(payload, payload.len() + 1, When::arriving(ARRIVED));
            assert!(matches!(cut, Err(PayloadError::TooLong { .. })), "the beginning of a payload was read");
        }
    }
}

fn range(model: &PayloadModel, channel: Channel) -> Range {
    let field = model.fields.iter().find(|field| field.channel == channel);
    field.expect("a value of a channel that the convention does not have").plausible
}

/// What every message obeys, whatever wrote it.
pub fn assert_message(message: &Message, range: &dyn Fn(Channel) -> Range) {
    assert!(!message.values.is_empty(), "a message without a value is no message");
    for (channel, decoded) in &message.values {
        assert_lawful(*channel, *decoded, range(*channel));
    }
    let ahead = ARRIVED.plus_seconds(AHEAD_SECONDS_MAX + 1);
    assert!(EARLIEST <= message.observed_at && message.observed_at < ahead, "{}", message.observed_at);
    match message.quality {
        Quality::Good => {}
        Quality::ArrivalTime => assert_eq!(message.observed_at, ARRIVED),
        Quality::Implausible => panic!("a payload does not judge its values"),
    }
}

/// The allowed errors of payloads; a new one must be added here knowingly.
pub fn assert_payload_error(error: &PayloadError) {
    match error {
        PayloadError::TooLong { .. }
        | PayloadError::NotText
        | PayloadError::NotJson(_)
        | PayloadError::NotSparkplug(_)
        | PayloadError::Missing { .. }
        | PayloadError::NotANumber { .. }
        | PayloadError::OutOfRange { .. }
        | PayloadError::NotZero { .. }
        | PayloadError::NoValue
        | PayloadError::NotATime { .. }
        | PayloadError::UnknownAlias { .. }
        | PayloadError::AliasTwice { .. }
        | PayloadError::BirthWithoutName
        | PayloadError::MetricWithoutName => {}
        PayloadError::TimeAhead { time, seconds } => {
            assert!(AHEAD_SECONDS_MAX < *seconds && ARRIVED < *time, "{error}");
        }
        PayloadError::TimeUnset { time } => assert!(*time < EARLIEST, "{error}"),
        PayloadError::HostClockUnset { .. } => panic!("the clock of this machine is set: {error}"),
    }
}

/// Binds with one setting of any text.
fn bind(model: &PayloadModel, text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let (key, value) = text.split_once('=').unwrap_or(("topic", text));
    let mut given = settings(model);
    given.insert(key.to_owned(), value.to_owned());
    match model.bind(&given) {
        Ok(bound) => {
            for message in &bound.messages {
                let wild = message.topic.contains(['+', '#', '\0']);
                assert!(!wild && !message.topic.is_empty(), "topic {:?}", message.topic);
                let left = !value.contains('{') && message.topic.contains(['{', '}']);
                assert!(!left || value.contains('}'), "a placeholder is left in {:?}", message.topic);
            }
            assert_eq!(bound.places().len(), model.fields.len());
        }
        Err(error) => assert_bind_error(&error),
    }
}

/// The allowed errors of settings; a new one must be added here knowingly.
fn assert_bind_error(error: &BindError) {
    match error {
        BindError::Unknown { .. }
        | BindError::Value { .. }
        | BindError::Path { .. }
        | BindError::Component { .. }
        | BindError::Zone { .. } => {}
        BindError::Missing { .. } | BindError::Placeholder { .. } => {
            panic!("the settings are all there, and the file was proved: {error}")
        }
    }
}
