//! What a message is: readings, an old value the broker had kept, a word about presence, or something to be
//! quarantined.
//!
//! Must never: let a message fall through. Each is counted once, and acknowledged only after what it
//! became is durable.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use model::{Finding, MeterId, Origin, Reading, Severity};
use profile::payload::PAYLOAD_BYTES_MAX;
use profile::{Bound, Message as Decoded, PayloadError, Presence, When};

use super::Subscriber;
use super::nodes::Nodes;
use super::records::Records;
use super::session::Message;
use crate::inbox::{Inbox, MessageOutcome, QUARANTINE_BYTES_MAX, Quarantined, Remembered, SourceEvent};
use crate::judge::{Arrival, Judge};

/// What a group of messages became.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) readings: Vec<Reading>,
    /// Readings rebuilt of what a device kept; there may be many.
    pub(super) recovered: Vec<Reading>,
    pub(super) quarantined: Vec<Quarantined>,
    /// What the link must still know after a restart; of one key the last counts.
    pub(super) remembered: BTreeMap<String, Remembered>,
    /// Topics nobody has any more: subscriptions of an earlier configuration, to be taken back.
    pub(super) unclaimed: BTreeSet<String>,
    /// Whether any of it went to the journal.
    pub(super) stored: bool,
    /// How many messages of which meter ended how.
    pub(super) tally: BTreeMap<(Option<usize>, MessageOutcome), u64>,
}

impl Sorted {
    pub(super) fn count(&mut self, meter: Option<usize>, outcome: MessageOutcome) {
        *self.tally.entry((meter, outcome)).or_default() += 1;
    }
}

/// One meter of a link.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) id: MeterId,
    pub(super) bound: Bound,
    judge: Judge,
    /// Told to be away.
    offline: bool,
}

/// What a topic is to a meter.
#[derive(Debug, Clone, Copy)]
enum Route {
    Message { meter: usize, message: usize },
    Availability { meter: usize },
}

/// The meters of a link by topic.
#[derive(Debug)]
pub(super) struct Sorter {
    link: String,
    meters: Vec<Meter>,
    by_topic: HashMap<String, Arc<[Route]>>,
    pub(super) nodes: Nodes,
    pub(super) records: Records,
    /// Where answers to requests for records come.
    answers: Option<String>,
    retained_told: BTreeSet<String>,
    /// By the broker's number: the last message that became durable under it. When the broker sends one again
    /// because our acknowledgement was lost, it is not taken for a new arrival. At most 65 535.
    taken: HashMap<u16, u64>,
}

impl Sorter {
    /// `asks` is whether Sparkplug nodes may be asked for their births.
    pub(super) fn new(link: String, client_id: &str, asks: bool, subscribers: Vec<Subscriber>) -> Self {
        let records = Records::new(link.clone(), client_id, &subscribers);
        let mut by_topic: HashMap<String, Vec<Route>> = HashMap::new();
        let mut nodes = Nodes::new(link.clone(), asks);
        for (meter, subscriber) in subscribers.iter().enumerate() {
            for (message, bound) in subscriber.bound.messages.iter().enumerate() {
                by_topic.entry(bound.topic.clone()).or_default().push(Route::Message { meter, message });
            }
            if let Some(said) = &subscriber.bound.availability {
                by_topic.entry(said.topic.clone()).or_default().push(Route::Availability { meter });
            }
            if let Some(sparkplug) = &subscriber.bound.sparkplug {
                nodes.add(meter, sparkplug);
            }
        }
        let meters = subscribers.into_iter().map(|s| Meter {
            judge: Judge::new(s.meter.clone()),
            id: s.meter,
            bound: s.bound,
            offline: false,
        });
        Self {
            link,
            meters: meters.collect(),
            by_topic: by_topic.into_iter().map(|(topic, routes)| (topic, routes.into())).collect(),
            nodes,
            answers: records.topic(),
            records,
            retained_told: BTreeSet::new(),
            taken: HashMap::new(),
        }
    }

    /// The topics to subscribe to.
    pub(super) fn topics(&self) -> Vec<String> {
        let plain: BTreeSet<String> = self.by_topic.keys().cloned().collect();
        plain.into_iter().chain(self.nodes.filters()).chain(self.answers.clone()).collect()
    }

    /// When devices or nodes are to be asked for something.
    pub(super) fn due(&self) -> Option<tokio::time::Instant> {
        [self.records.due(), self.nodes.due()].into_iter().flatten().min()
    }

    pub(super) fn sort(&mut self, message: &Message, sorted: &mut Sorted, inbox: &dyn Inbox) {
        if message.dup && self.taken.get(&message.packet_id) == Some(&print(message)) {
            sorted.count(None, MessageOutcome::Duplicate);
            return;
        }
        if self.answers.as_deref() == Some(message.topic()) {
            self.records.answer(message, sorted, inbox);
        } else if let Some(routes) = self.by_topic.get(message.topic()).map(Arc::clone) {
            for route in routes.iter() {
                self.plain(*route, message, sorted, inbox);
            }
        } else if self.nodes.concerns(message.topic()) {
            self.nodes.sort(message, &mut self.meters, sorted, inbox);
        } else {
            sorted.unclaimed.insert(message.topic().to_owned());
            sorted.count(None, MessageOutcome::Unclaimed);
        }
    }

    /// What was sorted is durable: it is counted, and known again when it is sent again.
    pub(super) fn settled(&mut self, group: &[Message], sorted: &Sorted, inbox: &dyn Inbox) {
        for message in group {
            self.taken.insert(message.packet_id, print(message));
        }
        self.records.settled(inbox, &sorted.recovered);
        for ((meter, outcome), count) in &sorted.tally {
            let meter = meter.and_then(|meter| self.meters.get(meter)).map(|meter| meter.id.clone());
            let (link, outcome, count) = (self.link.clone(), *outcome, *count);
            inbox.note(SourceEvent::Message { link, meter, outcome, count });
        }
    }

    fn plain(&mut self, route: Route, message: &Message, sorted: &mut Sorted, inbox: &dyn Inbox) {
        let (at, outcome) = match route {
            Route::Availability { meter: at } => {
                let Some(meter) = self.meters.get_mut(at) else { return };
                let said = meter.bound.availability.as_ref().and_then(|said| said.read(&message.payload));
                match said {
                    Some(presence) => meter.presence(presence, message.topic(), inbox),
                    None => unknown_word(meter, message, inbox),
                }
                (at, MessageOutcome::Presence)
            }
            Route::Message { meter: at, message: which } => {
                let Some(meter) = self.meters.get_mut(at) else { return };
                let outcome = if message.retain {
                    if self.retained_told.insert(message.topic().to_owned()) {
                        inbox.report(retained(&meter.id, message.topic()));
                    }
                    MessageOutcome::Retained
                } else {
                    let when = When::arriving(message.arrived);
                    let read = match meter.bound.messages.get(which) {
                        Some(bound) => bound.decode(&message.payload, message.length, when),
                        None => Ok(None),
                    };
                    match read {
                        Ok(Some(decoded)) => {
                            let decoded = [decoded];
                            self.records.seen(at, &decoded, message.arrived, sorted, inbox);
                            meter.accept(&decoded, message, sorted, inbox)
                        }
                        Ok(None) => MessageOutcome::Unrelated,
                        Err(error) => meter.quarantine(&self.link, &error, message, sorted, inbox),
                    }
                };
                (at, outcome)
            }
        };
        sorted.count(Some(at), outcome);
    }
}

impl Meter {
    /// Takes what was decoded.
    pub(super) fn accept(
        &mut self,
        decoded: &[Decoded],
        message: &Message,
        sorted: &mut Sorted,
        inbox: &dyn Inbox,
    ) -> MessageOutcome {
        for one in decoded {
            let arrival = Arrival {
                observed_at: one.observed_at,
                received_at: message.arrived,
                quality: one.quality,
                origin: Origin::Mqtt,
            };
            sorted.readings.extend(self.judge.readings(&one.values, arrival, inbox));
        }
        // Whoever speaks is there, whatever the broker still keeps about it.
        self.presence(Presence::Online, message.topic(), inbox);
        if message.dup { MessageOutcome::Duplicate } else { MessageOutcome::Accepted }
    }

    /// Tells of a meter that went away or came back.
    pub(super) fn presence(&mut self, presence: Presence, topic: &str, inbox: &dyn Inbox) {
        let offline = presence == Presence::Offline;
        if self.offline == offline {
            return;
        }
        self.offline = offline;
        let subject = format!("meter:{}", self.id);
        inbox.report(if offline {
            let says = format!("the meter is offline, by the word on {topic}; check its power and network");
            Finding::new("link.offline", Severity::Caution, subject, says, "").with("topic", topic)
        } else {
            Finding::new("link.up", Severity::Note, subject, "the meter is online again", "")
        });
    }

    /// Keeps a payload that is not understood.
    pub(super) fn quarantine(
        &self,
        link: &str,
        error: &PayloadError,
        message: &Message,
        sorted: &mut Sorted,
        inbox: &dyn Inbox,
    ) -> MessageOutcome {
        let reason = chain(error);
        let topic = message.topic();
        let says = format!("a message on {topic} is not understood: {reason}");
        inbox.report(
            Finding::new("payload.quarantined", Severity::Caution, format!("meter:{}", self.id), says, "")
                .with("topic", topic)
                .with("kind", error.kind())
                .with("reason", &reason),
        );
        let kept = message.payload.len().min(QUARANTINE_BYTES_MAX).min(PAYLOAD_BYTES_MAX);
        sorted.quarantined.push(Quarantined {
            origin: Origin::Mqtt,
            link: link.to_owned(),
            meter: Some(self.id.clone()),
            place: topic.to_owned(),
            payload: message.payload.get(..kept).unwrap_or_default().to_vec(),
            length: message.length,
            reason,
            at: message.arrived,
        });
        MessageOutcome::Quarantined
    }
}

/// A word about presence that the meter's file does not know changes nothing, but is told.
fn unknown_word(meter: &Meter, message: &Message, inbox: &dyn Inbox) {
    let shown: String = String::from_utf8_lossy(&message.payload).chars().take(40).collect();
    let topic = message.topic();
    let says = format!("{shown:?} on {topic} is no word of the meter's file for online or offline");
    inbox.report(
        Finding::new("payload.presence.unknown", Severity::Note, format!("meter:{}", meter.id), says, "")
            .with("topic", topic)
            .with("word", shown),
    );
}

/// A number that two different messages hardly share.
fn print(message: &Message) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.topic.hash(&mut hasher);
    message.payload.hash(&mut hasher);
    message.length.hash(&mut hasher);
    hasher.finish()
}

fn retained(meter: &MeterId, topic: &str) -> Finding {
    let says =
        format!("the broker keeps an old message on {topic}; it is not counted, publish without retain");
    Finding::new("payload.retained", Severity::Note, format!("meter:{meter}"), says, "").with("topic", topic)
}

/// An error with its cause.
pub(super) fn chain(error: &PayloadError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
#[path = "sort_tests.rs"]
mod tests;
