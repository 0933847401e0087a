//! What a message is: readings, an old value the broker had kept, or something to be quarantined.
//!
//! Must never: let a message fall through. Each is counted once, and acknowledged only after what it
//! became is durable.

use std::collections::{BTreeMap, BTreeSet};

use model::{Finding, Instant, Origin, Reading, Severity};
use profile::PayloadError;
use rumqttc::Publish;

use super::Subscriber;
use crate::inbox::{Inbox, MessageOutcome, QUARANTINE_BYTES_MAX, Quarantined, SourceEvent};
use crate::judge::{Arrival, Judge};

/// What a group of messages became.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) readings: Vec<Reading>,
    pub(super) quarantined: Vec<Quarantined>,
    /// Topics nobody has any more: subscriptions of an earlier configuration, to be taken back.
    pub(super) unclaimed: BTreeSet<String>,
    /// Whether any of it went to the journal.
    pub(super) stored: bool,
}

/// The meters of a link by topic.
#[derive(Debug)]
pub(super) struct Sorter {
    link: String,
    meters: Vec<(Subscriber, Judge)>,
    by_topic: BTreeMap<String, Vec<usize>>,
    retained_told: BTreeSet<String>,
}

impl Sorter {
    pub(super) fn new(link: String, subscribers: Vec<Subscriber>) -> Self {
        let mut by_topic: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, subscriber) in subscribers.iter().enumerate() {
            by_topic.entry(subscriber.topic.clone()).or_default().push(i);
        }
        let meters = subscribers.into_iter().map(|s| {
            let judge = Judge::new(s.meter.clone());
            (s, judge)
        });
        Self { link, meters: meters.collect(), by_topic, retained_told: BTreeSet::new() }
    }

    pub(super) fn topics(&self) -> Vec<String> {
        self.by_topic.keys().cloned().collect()
    }

    pub(super) fn sort(
        &mut self,
        message: &Publish,
        arrived: Instant,
        sorted: &mut Sorted,
        inbox: &dyn Inbox,
    ) {
        let Some(indices) = self.by_topic.get(&message.topic) else {
            sorted.unclaimed.insert(message.topic.clone());
            let outcome = MessageOutcome::Unclaimed;
            inbox.note(SourceEvent::Message { link: self.link.clone(), meter: None, outcome });
            return;
        };
        for &i in indices {
            let (subscriber, judge) = &mut self.meters[i];
            let outcome = if message.retain {
                if self.retained_told.insert(message.topic.clone()) {
                    inbox.report(retained(subscriber));
                }
                MessageOutcome::Retained
            } else {
                decode(subscriber, judge, message, arrived, sorted, inbox)
            };
            let meter = Some(subscriber.meter.clone());
            inbox.note(SourceEvent::Message { link: self.link.clone(), meter, outcome });
        }
    }
}

fn decode(
    subscriber: &Subscriber,
    judge: &mut Judge,
    message: &Publish,
    arrived: Instant,
    sorted: &mut Sorted,
    inbox: &dyn Inbox,
) -> MessageOutcome {
    let Some(model) = subscriber.model.payloads() else { return MessageOutcome::Unclaimed };
    match model.decode(&message.payload, arrived) {
        Ok(decoded) => {
            let arrival = Arrival {
                observed_at: decoded.observed_at,
                received_at: arrived,
                quality: decoded.quality,
                origin: Origin::Mqtt,
            };
            sorted.readings.extend(judge.readings(&decoded.values, arrival, inbox));
            if message.dup { MessageOutcome::Duplicate } else { MessageOutcome::Accepted }
        }
        Err(error) => {
            let reason = chain(&error);
            let subject = format!("meter:{}", subscriber.meter);
            let says = format!("a message on {} is not understood: {reason}", message.topic);
            inbox.report(
                Finding::new("payload.quarantined", Severity::Caution, subject, says, "")
                    .with("topic", &message.topic)
                    .with("reason", &reason),
            );
            let kept = message.payload.len().min(QUARANTINE_BYTES_MAX);
            sorted.quarantined.push(Quarantined {
                origin: Origin::Mqtt,
                place: message.topic.clone(),
                payload: message.payload[..kept].to_vec(),
                reason,
                at: arrived,
            });
            MessageOutcome::Quarantined
        }
    }
}

fn retained(subscriber: &Subscriber) -> Finding {
    let says = format!(
        "the broker keeps an old message on {}; it is not counted, publish without retain",
        subscriber.topic
    );
    Finding::new("payload.retained", Severity::Note, format!("meter:{}", subscriber.meter), says, "")
        .with("topic", &subscriber.topic)
}

/// An error with its cause.
pub(super) fn chain(error: &PayloadError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
