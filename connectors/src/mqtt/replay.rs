//! Kept payloads read again, with the decoder that live ones go through, after a meter's file was mended.
//!
//! Must never: give a payload another time than its own or that of its arrival, or an alias a name that the
//! node gave it later, unless a person vouches for it.

use std::collections::BTreeMap;

use model::{Instant, MeterId, Origin, Quality, Reading, SeriesKey};
use profile::sparkplug::{Birth, Payload};
use profile::{Decoded, Message, PayloadError, When};

use super::Subscriber;
use super::nodes::Nodes;
use super::sort::chain;
use crate::inbox::Remembered;

/// A payload as it was kept.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'p> {
    /// `None` for one that was kept before meters were noted.
    pub meter: Option<&'p MeterId>,
    pub topic: &'p str,
    pub payload: &'p [u8],
    /// Bytes of the payload as it came.
    pub length: usize,
    pub arrived: Instant,
}

/// The meters of a link, for kept payloads.
#[derive(Debug)]
pub struct Replayer {
    subscribers: BTreeMap<MeterId, Subscriber>,
    nodes: Nodes,
}

impl Replayer {
    pub(super) fn new(link: &str, subscribers: Vec<Subscriber>, remembered: &[Remembered]) -> Self {
        let mut nodes = Nodes::new(link.to_owned(), false);
        for (at, subscriber) in subscribers.iter().enumerate() {
            if let Some(sparkplug) = &subscriber.bound.sparkplug {
                nodes.add(at, sparkplug);
            }
        }
        nodes.recall(remembered);
        Self { subscribers: subscribers.into_iter().map(|s| (s.meter.clone(), s)).collect(), nodes }
    }

    /// The readings of a kept payload.
    ///
    /// # Errors
    /// Why it is still not understood, in words.
    pub fn replay(&self, kept: Kept<'_>, now: Instant) -> Result<Vec<Reading>, String> {
        let subscriber = match kept.meter {
            Some(meter) => self.subscribers.get(meter),
            None => {
                self.subscribers.values().find(|s| s.bound.messages.iter().any(|m| m.topic == kept.topic))
            }
        };
        let subscriber =
            subscriber.ok_or_else(|| "no meter of the installation has its topic any more".to_owned())?;
        let when = When { arrived: kept.arrived, now };
        let birth = subscriber.bound.sparkplug.as_ref().and_then(|of| self.nodes.birth_for(of));
        let read = decode(subscriber, birth, kept.topic, kept.payload, kept.length, when);
        let read = read.map_err(|error| chain(&error))?;
        let readings: Vec<Reading> =
            read.iter().flat_map(|message| readings(&subscriber.meter, message, kept.arrived)).collect();
        if readings.is_empty() { Err("it holds no value of the meter".to_owned()) } else { Ok(readings) }
    }
}

/// What a payload on a topic says of a meter; empty when it is none of the meter's.
pub(super) fn decode(
    subscriber: &Subscriber,
    birth: Option<&Birth>,
    topic: &str,
    payload: &[u8],
    length: usize,
    when: When,
) -> Result<Vec<Message>, PayloadError> {
    if let Some(sparkplug) = &subscriber.bound.sparkplug {
        if length > sparkplug.bytes_max || length > payload.len() {
            return Err(PayloadError::TooLong { bytes: length, limit: sparkplug.bytes_max });
        }
        let parsed = Payload::parse(payload).map_err(PayloadError::NotSparkplug)?;
        // A birth tells its own names.
        let own = if topic.contains("BIRTH/") { Some(Birth::of(&parsed)?) } else { None };
        return sparkplug.read(&parsed, own.as_ref().or(birth), when);
    }
    match subscriber.bound.messages.iter().find(|m| m.topic == topic) {
        Some(bound) => Ok(bound.decode(payload, length, when)?.into_iter().collect()),
        None => Ok(Vec::new()),
    }
}

fn readings<'m>(
    meter: &'m MeterId,
    message: &'m Message,
    arrived: Instant,
) -> impl Iterator<Item = Reading> + 'm {
    message.values.iter().filter_map(move |(channel, decoded)| {
        let (value, quality) = match decoded {
            Decoded::Value(value) => (*value, message.quality),
            Decoded::Implausible(value, _) => (*value, Quality::Implausible),
            Decoded::Sentinel { .. }
            | Decoded::NotANumber { .. }
            | Decoded::Overflow { .. }
            | Decoded::UnknownUnit { .. }
            | Decoded::NoFactor { .. }
            | Decoded::Withheld { .. }
            | Decoded::Missing => return None,
        };
        Some(Reading {
            series: SeriesKey { meter: meter.clone(), channel: *channel },
            observed_at: message.observed_at,
            received_at: arrived,
            value,
            quality,
            origin: Origin::Mqtt,
        })
    })
}
