//! Sparkplug B: any two payloads as a birth and as data of a node, through every such convention of the catalogue.
//!
//! Laws: metrics are within their limit and names within theirs; what a birth teaches is read by alias as by name;
//! values are lawful; transient metrics give nothing; a null gives no number; historical values are at their own time.
//!
//! Allowed errors: `SparkplugError`, and those of `payloads::assert_payload_error`.
//!
//! Must never: give a meter a birth of another node.

use std::sync::{Arc, LazyLock};

use model::Channel;
use profile::sparkplug::{Birth, METRICS_MAX, NAME_BYTES_MAX, Payload, SparkplugMeter};
use profile::{Form, MeterModel, PayloadModel, Range, When};

use crate::input::Input;
use crate::laws::models;
use crate::payloads::{ARRIVED, assert_message, assert_payload_error, settings};

static MODELS: LazyLock<Vec<(Arc<MeterModel>, SparkplugMeter)>> = LazyLock::new(|| {
    let all = models(|m| m.payloads().is_some_and(|p| p.form == Form::SparkplugB));
    let bound = |m: Arc<MeterModel>| {
        let bound = m.payloads().and_then(|p| p.bind(&settings(p)).ok()).and_then(|bound| bound.sparkplug);
        let meter = bound.expect("plain settings fit every convention");
        (m, meter)
    };
    all.into_iter().map(bound).collect()
});

/// Bytes: one for the convention, two for the length of the birth, then birth and data.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (model, meter) = &MODELS[input.below(MODELS.len())];
    let model = model.payloads().expect("it has payloads");
    let length = usize::from(input.u16());
    let taught = parse(input.take(length));
    let birth = taught.as_ref().and_then(|payload| match Birth::of(payload) {
        Ok(birth) => Some(birth),
        Err(error) => {
            assert_payload_error(&error);
            None
        }
    });
    let Some(payload) = parse(input.rest()) else { return };
    read(model, meter, &payload, birth.as_ref());
    if let Some(birth) = birth {
        by_alias(meter, taught.unwrap_or_default(), &birth);
    }
}

fn parse(bytes: &[u8]) -> Option<Payload<'_>> {
    match Payload::parse(bytes) {
        Ok(payload) => {
            assert!(payload.metrics.len() <= METRICS_MAX);
            let names = payload.metrics.iter().filter_map(|metric| metric.name);
            assert!(names.into_iter().all(|name| name.len() <= NAME_BYTES_MAX));
            Some(payload)
        }
        Err(error) => {
            assert!(error.at <= bytes.len() && !error.what.is_empty(), "{error}");
            None
        }
    }
}

fn read(model: &PayloadModel, meter: &SparkplugMeter, payload: &Payload<'_>, birth: Option<&Birth>) {
    let range = |channel: Channel| -> Range {
        let field = model.fields.iter().find(|field| field.channel == channel);
        field.expect("a value of a channel that the convention does not have").plausible
    };
    match meter.read(payload, birth, When::arriving(ARRIVED)) {
        Ok(messages) => {
            let values: usize = messages.iter().map(|message| message.values.len()).sum();
            let lasting = payload.metrics.iter().filter(|metric| !metric.is_transient).count();
            assert!(values <= lasting, "{values} values of {lasting} metrics");
            messages.iter().for_each(|message| assert_message(message, &range));
            let mut instants: Vec<_> = messages.iter().map(|message| message.observed_at).collect();
            instants.sort_unstable();
            assert!(instants.windows(2).all(|pair| pair[0] < pair[1]), "two messages of one instant");
        }
        Err(error) => assert_payload_error(&error),
    }
}

/// The birth itself, once by name and once by alias alone, says the same.
fn by_alias(meter: &SparkplugMeter, by_name: Payload<'_>, birth: &Birth) {
    if !by_name.metrics.iter().all(|metric| metric.alias.is_some()) {
        return;
    }
    let mut nameless = by_name.clone();
    nameless.metrics.iter_mut().for_each(|metric| metric.name = None);
    let when = When::arriving(ARRIVED);
    let (one, other) = (meter.read(&by_name, Some(birth), when), meter.read(&nameless, Some(birth), when));
    assert_eq!(format!("{one:?}"), format!("{other:?}"), "an alias says something else than its name");
}
