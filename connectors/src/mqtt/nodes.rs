//! The Sparkplug nodes of a link: their births, their sequence, their deaths.
//!
//! Must never: take a value whose birth is not known for one that is, or want a node asked for anything but its births.
//! After a loss the metrics that are known by alias alone wait in quarantine until the node gives birth again: by itself,
//! or asked where the settings allow it.

use std::collections::BTreeMap;

use model::{Finding, Instant, Severity};
use profile::payload::PAYLOAD_BYTES_MAX;
use profile::sparkplug::{Birth, Payload, RawValue, SparkplugMeter, rebirth_request};
use profile::{PayloadError, Presence, When};
use tokio::time::Instant as Ticks;

use super::rebirth::Rebirth;
use super::session::{Message, Request};
use super::sort::{Meter, Sorted};
use crate::inbox::{Inbox, MessageOutcome, Remembered};

/// The first level of every Sparkplug B topic.
const NAMESPACE: &str = "spBv1.0";
/// Devices of one node whose births are kept.
const DEVICES_MAX: usize = 1_024;

/// One topic, `spBv1.0/group/TYPE/node[/device]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Topic<'t> {
    group: &'t str,
    kind: Kind,
    node: &'t str,
    device: Option<&'t str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Birth,
    Data,
    Death,
    /// A command, the host's state, or what a later specification adds.
    Other,
}

impl<'t> Topic<'t> {
    fn parse(topic: &'t str) -> Option<Self> {
        let mut levels = topic.split('/');
        if levels.next() != Some(NAMESPACE) {
            return None;
        }
        let (group, kind, node) = (levels.next()?, levels.next()?, levels.next()?);
        let device = levels.next();
        let kind = match (kind, device) {
            ("NBIRTH", None) | ("DBIRTH", Some(_)) => Kind::Birth,
            ("NDATA", None) | ("DDATA", Some(_)) => Kind::Data,
            ("NDEATH", None) | ("DDEATH", Some(_)) => Kind::Death,
            _ => Kind::Other,
        };
        levels.next().is_none().then_some(Self { group, kind, node, device })
    }
}

/// What is known of one node.
#[derive(Debug, Default)]
struct Node {
    /// Meters of the node itself and of its devices, with the device.
    meters: Vec<(Option<String>, usize)>,
    /// Largest payload that one of them may have.
    bytes_max: usize,
    /// `seq` of the last message.
    seq: Option<u64>,
    /// `bdSeq` of the last birth: a death of an older one is of no interest.
    birth_death: Option<u64>,
    births: BTreeMap<Option<String>, Birth>,
    rebirth: Rebirth,
}

/// All nodes of a link, by group and node.
#[derive(Debug)]
pub(super) struct Nodes {
    link: String,
    nodes: BTreeMap<(String, String), Node>,
    /// Whether a node may be asked for its births.
    asks: bool,
    /// The broker sends us what nodes publish: a birth that was asked for is not missed.
    ready: bool,
}

impl Nodes {
    pub(super) const fn new(link: String, asks: bool) -> Self {
        Self { link, nodes: BTreeMap::new(), asks, ready: false }
    }

    /// The subscription to the nodes is there, or its connection is gone.
    pub(super) const fn subscribed(&mut self, ready: bool) {
        self.ready = ready;
    }

    /// When [`Nodes::act`] has something to do.
    pub(super) fn due(&self) -> Option<Ticks> {
        if !self.asks || !self.ready {
            return None;
        }
        self.nodes.values().filter_map(|node| node.rebirth.due()).min()
    }

    /// The requests to nodes whose births are missing, where it is time for one.
    pub(super) fn act(&mut self, now: Instant) -> Vec<Request> {
        if !self.asks || !self.ready {
            return Vec::new();
        }
        let mut requests = Vec::new();
        for ((group, name), node) in &mut self.nodes {
            if node.rebirth.due().is_some_and(|due| due <= Ticks::now()) {
                node.rebirth.ask();
                let topic = format!("{NAMESPACE}/{group}/NCMD/{name}");
                requests.push(Request::Rebirth { topic, payload: rebirth_request(now) });
            }
        }
        requests
    }

    pub(super) fn add(&mut self, meter: usize, of: &SparkplugMeter) {
        let node = self.nodes.entry((of.group.clone(), of.node.clone())).or_default();
        node.meters.push((of.device.clone(), meter));
        node.bytes_max = node.bytes_max.max(of.bytes_max);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Everything a node sends: the sequence runs over the node and all its devices.
    pub(super) fn filters(&self) -> impl Iterator<Item = String> {
        self.nodes.keys().map(|(group, node)| format!("{NAMESPACE}/{group}/+/{node}/#"))
    }

    pub(super) fn concerns(&self, topic: &str) -> bool {
        Topic::parse(topic).is_some_and(|t| self.nodes.contains_key(&(t.group.to_owned(), t.node.to_owned())))
    }

    /// The broker has not kept our session: births may have been missed, and none of those known holds.
    pub(super) fn forget(&mut self, at: Instant) -> Vec<Remembered> {
        let mut forgotten = Vec::new();
        for ((group, name), node) in &mut self.nodes {
            forgotten.extend(node.forget(&self.link, group, name, at));
        }
        forgotten
    }

    /// Learns again what was remembered before a restart. Only right when the broker has kept our session.
    pub(super) fn recall(&mut self, remembered: &[Remembered]) {
        for one in remembered {
            let Some((what, place)) = one.key.split_once('/') else { continue };
            let mut parts = place.split('/');
            let (Some(group), Some(name), device) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let Some(node) = self.nodes.get_mut(&(group.to_owned(), name.to_owned())) else { continue };
            match what {
                "seq" => node.seq = one.value.first().map(|seq| u64::from(*seq)),
                "birth" => {
                    let Ok(payload) = Payload::parse(&one.value) else { continue };
                    let Ok(birth) = Birth::of(&payload) else { continue };
                    if device.is_none() {
                        node.birth_death = birth_death(&payload);
                    }
                    node.births.insert(device.map(str::to_owned), birth);
                }
                _ => {}
            }
        }
    }

    /// What a kept payload of one meter says, with the births known now.
    pub(super) fn birth_for(&self, of: &SparkplugMeter) -> Option<&Birth> {
        self.nodes.get(&(of.group.clone(), of.node.clone()))?.births.get(&of.device)
    }

    pub(super) fn sort(
        &mut self,
        message: &Message,
        meters: &mut [Meter],
        sorted: &mut Sorted,
        inbox: &dyn Inbox,
    ) {
        let Some(topic) = Topic::parse(message.topic()) else { return };
        let key = (topic.group.to_owned(), topic.node.to_owned());
        let Some(node) = self.nodes.get_mut(&key) else { return };
        let own: Vec<usize> =
            node.meters.iter().filter(|(d, _)| d.as_deref() == topic.device).map(|(_, m)| *m).collect();
        let every: Vec<usize> = node.meters.iter().map(|(_, m)| *m).collect();
        if topic.kind == Kind::Other {
            sorted.count(None, MessageOutcome::Unrelated);
            return;
        }
        let read = if message.length > node.bytes_max.min(PAYLOAD_BYTES_MAX) {
            Err(PayloadError::TooLong { bytes: message.length, limit: node.bytes_max })
        } else {
            Payload::parse(&message.payload).map_err(PayloadError::NotSparkplug)
        };
        let payload = match read {
            Ok(payload) => payload,
            Err(error) => {
                keep(&self.link, &error, &own, message, meters, sorted, inbox);
                return;
            }
        };
        match topic.kind {
            Kind::Death => {
                let stale = topic.device.is_none()
                    && node.birth_death.is_some_and(|born| birth_death(&payload).is_some_and(|d| d != born));
                if !stale {
                    if topic.device.is_none() {
                        node.rebirth.settle();
                    }
                    sorted.remember(node.forget_one(&self.link, topic, message.arrived));
                    let gone = if topic.device.is_none() { &every } else { &own };
                    for at in gone {
                        if let Some(meter) = meters.get_mut(*at) {
                            meter.presence(Presence::Offline, message.topic(), inbox);
                        }
                    }
                }
                sorted.count(own.first().copied(), MessageOutcome::Presence);
            }
            Kind::Birth | Kind::Data => {
                let lost = node.follow(topic, &payload, message);
                if let Some(says) = lost {
                    inbox.report(gap(&self.link, topic, says));
                    node.rebirth.want();
                    sorted.remember(node.forget(&self.link, topic.group, topic.node, message.arrived));
                }
                if topic.kind == Kind::Birth
                    && let Err(error) = node.born(&self.link, topic, &payload, message, sorted)
                {
                    keep(&self.link, &error, &own, message, meters, sorted, inbox);
                    return;
                }
                if let Some(seq) = node.seq {
                    sorted.remember([node_seq(&self.link, topic, seq, message.arrived)]);
                }
                self.readings(topic, &payload, &own, message, meters, sorted, inbox);
            }
            Kind::Other => {}
        }
    }

    /// The values of a birth are those of now; of a birth that the broker had retained they are old.
    #[expect(clippy::too_many_arguments, reason = "one message on its way; a struct would have one user")]
    fn readings(
        &mut self,
        topic: Topic<'_>,
        payload: &Payload<'_>,
        own: &[usize],
        message: &Message,
        meters: &mut [Meter],
        sorted: &mut Sorted,
        inbox: &dyn Inbox,
    ) {
        if own.is_empty() {
            sorted.count(None, MessageOutcome::Unrelated);
        }
        let key = (topic.group.to_owned(), topic.node.to_owned());
        let Some(Node { births, rebirth, .. }) = self.nodes.get_mut(&key) else { return };
        let birth = births.get(&topic.device.map(str::to_owned));
        for at in own {
            let Some(meter) = meters.get_mut(*at) else { continue };
            let Some(sparkplug) = &meter.bound.sparkplug else { continue };
            if birth.is_some() {
                rebirth.untell(*at, &meter.id, inbox);
            } else if !message.retain {
                // Even where names explain the data: a node sends what changes, and only a birth says the rest.
                rebirth.want();
            }
            let outcome = if message.retain {
                MessageOutcome::Retained
            } else {
                match sparkplug.read(payload, birth, When::arriving(message.arrived)) {
                    Ok(read) => meter.accept(&read, message, sorted, inbox),
                    Err(error) => {
                        if birth.is_none() || matches!(error, PayloadError::UnknownAlias { .. }) {
                            rebirth.want();
                            let node = format!("{}/{}", topic.group, topic.node);
                            rebirth.tell(*at, &meter.id, &node, self.asks, inbox);
                        }
                        meter.quarantine(&self.link, &error, message, sorted, inbox)
                    }
                }
            };
            sorted.count(Some(*at), outcome);
        }
    }
}

impl Node {
    /// Follows the sequence; what it says when messages are missing. A birth of the node begins it anew, and a
    /// message that is sent again or was retained is of the past.
    fn follow(&mut self, topic: Topic<'_>, payload: &Payload<'_>, message: &Message) -> Option<String> {
        if message.retain {
            return None;
        }
        let node_birth = topic.kind == Kind::Birth && topic.device.is_none();
        let expected = self.seq.map(|last| (last + 1) % 256);
        match (payload.seq, expected) {
            (Some(seq), Some(expected)) if !node_birth && seq != expected => {
                if message.dup {
                    return None;
                }
                self.seq = Some(seq);
                Some(format!("{expected} was expected and {seq} came"))
            }
            (Some(seq), _) => {
                self.seq = Some(seq);
                None
            }
            (None, _) => None,
        }
    }

    /// Learns a birth. That of the node ends what its devices were.
    fn born(
        &mut self,
        link: &str,
        topic: Topic<'_>,
        payload: &Payload<'_>,
        message: &Message,
        sorted: &mut Sorted,
    ) -> Result<(), PayloadError> {
        let birth = Birth::of(payload)?;
        if topic.device.is_none() {
            if !message.retain {
                sorted.remember(self.forget(link, topic.group, topic.node, message.arrived));
                self.seq = payload.seq;
                self.rebirth.settle();
            }
            self.birth_death = birth_death(payload);
        }
        let device = topic.device.map(str::to_owned);
        let wanted = self.meters.iter().any(|(of, _)| *of == device);
        if wanted && self.births.len() < DEVICES_MAX {
            self.births.insert(device, birth);
            let value = message.payload.to_vec();
            let key = birth_key(topic.group, topic.node, topic.device);
            sorted.remember([Remembered { link: link.to_owned(), key, value, at: message.arrived }]);
        }
        Ok(())
    }

    /// Forgets the births of the node and all its devices; gives what must be forgotten on disk as well.
    fn forget(&mut self, link: &str, group: &str, name: &str, at: Instant) -> Vec<Remembered> {
        let births = std::mem::take(&mut self.births);
        let mut forgotten = Vec::new();
        for device in births.into_keys() {
            let key = birth_key(group, name, device.as_deref());
            forgotten.push(Remembered { link: link.to_owned(), key, value: Vec::new(), at });
        }
        forgotten
    }

    /// Forgets those that a death ends.
    fn forget_one(&mut self, link: &str, topic: Topic<'_>, at: Instant) -> Vec<Remembered> {
        let Some(device) = topic.device else { return self.forget(link, topic.group, topic.node, at) };
        let known = self.births.remove(&Some(device.to_owned())).is_some();
        let key = birth_key(topic.group, topic.node, topic.device);
        known.then(|| Remembered { link: link.to_owned(), key, value: Vec::new(), at }).into_iter().collect()
    }
}

impl Sorted {
    fn remember(&mut self, all: impl IntoIterator<Item = Remembered>) {
        for one in all {
            self.remembered.insert(one.key.clone(), one);
        }
    }
}

fn birth_key(group: &str, node: &str, device: Option<&str>) -> String {
    match device {
        Some(device) => format!("birth/{group}/{node}/{device}"),
        None => format!("birth/{group}/{node}"),
    }
}

fn node_seq(link: &str, topic: Topic<'_>, seq: u64, at: Instant) -> Remembered {
    let key = format!("seq/{}/{}", topic.group, topic.node);
    let value = vec![u8::try_from(seq % 256).unwrap_or_default()];
    Remembered { link: link.to_owned(), key, value, at }
}

/// The number that ties a death to its birth.
fn birth_death(payload: &Payload<'_>) -> Option<u64> {
    let metric = payload.metrics.iter().find(|metric| metric.name == Some("bdSeq"))?;
    match metric.value? {
        RawValue::Int(value) => Some(u64::from(value)),
        RawValue::Long(value) => Some(value),
        RawValue::Float(_) | RawValue::Double(_) | RawValue::Bool(_) | RawValue::Other => None,
    }
}

fn gap(link: &str, topic: Topic<'_>, says: String) -> Finding {
    let node = format!("{}/{}", topic.group, topic.node);
    let text = format!(
        "messages of Sparkplug node {node} were lost ({says}); what it sends by alias waits in quarantine for its next birth"
    );
    Finding::new("payload.sequence", Severity::Caution, format!("link:{link}"), text, "")
        .with("node", node)
        .with("says", says)
}

/// Keeps a payload for each of the meters that it is of.
fn keep(
    link: &str,
    error: &PayloadError,
    own: &[usize],
    message: &Message,
    meters: &mut [Meter],
    sorted: &mut Sorted,
    inbox: &dyn Inbox,
) {
    if own.is_empty() {
        sorted.count(None, MessageOutcome::Unrelated);
    }
    for at in own {
        if let Some(meter) = meters.get(*at) {
            let outcome = meter.quarantine(link, error, message, sorted, inbox);
            sorted.count(Some(*at), outcome);
        }
    }
}

#[cfg(test)]
#[path = "nodes_tests.rs"]
mod tests;
