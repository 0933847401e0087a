//! One connection to a broker, in either version of the protocol: the library's event loop in a task of its
//! own, and what it says as messages over a bounded channel.
//!
//! Must never: reconnect by itself. The library keeps undelivered events over a reconnect, whose
//! acknowledgements could then hit other messages; a connection that failed is dropped whole.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::Instant;
use profile::payload::PAYLOAD_BYTES_MAX;
use rumqttc::{
    AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, Publish, QoS, TlsConfiguration, Transport,
    v5,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::failure;
use super::{Settings, Version, tls};
use crate::error::LinkError;
use crate::inbox::{Clock, QUARANTINE_BYTES_MAX};

/// Messages received and not yet acknowledged, at most. Beyond it the socket is not read.
pub(super) const UNACKED_MAX: usize = 2_048;
/// Bytes of them, at most, but for one message that is larger by itself.
const UNACKED_BYTES_MAX: u32 = 32 * 1024 * 1024;
/// What a message takes besides its payload and topic, about.
const MESSAGE_BYTES: usize = 256;
/// Requests that may wait for the event loop: more than all acknowledgements that can be outstanding,
/// so that handing one over never has to wait (waiting for a task that waits for us is a deadlock).
const REQUESTS_MAX: usize = 4 * UNACKED_MAX;
/// Largest packet read with version 3.1.1: the largest there is. That version cannot tell the broker of a
/// smaller limit, and a packet refused is sent again with every connection, for ever. What is beyond
/// [`PAYLOAD_BYTES_MAX`] is cut as soon as it has arrived.
const PACKET_BYTES_MAX: usize = 268_435_460;
/// Largest packet that a broker of version 5 is told to send; it drops larger ones itself.
const PACKET_BYTES_TOLD: u32 = 16 * 1024 * 1024;
const SENT_BYTES_MAX: usize = 1024 * 1024;
/// Longest wait for the farewell to leave.
const FAREWELL: Duration = Duration::from_secs(2);
/// A wall clock that goes back by more than this was set back.
const SET_BACK_MS: i64 = 1_000;

/// A message, in either version.
#[derive(Debug)]
pub(super) struct Message {
    /// Its bytes need not be text.
    pub(super) topic: Bytes,
    /// All of it, or its beginning when it is longer than any meter may send.
    pub(super) payload: Bytes,
    /// Bytes of the payload as it came.
    pub(super) length: usize,
    pub(super) retain: bool,
    /// The broker says that it may have sent it before.
    pub(super) dup: bool,
    pub(super) arrived: Instant,
    /// The broker's number of the message until it is acknowledged.
    pub(super) packet_id: u16,
    pub(super) qos: QoS,
    /// The room it takes; given back when it is dropped.
    pub(super) _room: Option<OwnedSemaphorePermit>,
}

impl Message {
    pub(super) fn topic(&self) -> &str {
        std::str::from_utf8(&self.topic).unwrap_or_default()
    }

    /// A message as a test sends it.
    #[cfg(test)]
    pub(super) fn of(topic: &str, payload: &[u8], arrived: Instant, packet_id: u16) -> Self {
        Self {
            topic: Bytes::copy_from_slice(topic.as_bytes()),
            payload: Bytes::copy_from_slice(payload),
            length: payload.len(),
            retain: false,
            dup: false,
            arrived,
            packet_id,
            qos: QoS::AtLeastOnce,
            _room: None,
        }
    }
}

/// What a connection says.
#[derive(Debug)]
pub(super) enum Said {
    /// And whether the broker still had our session, so that nothing was missed.
    Connected {
        resumed: bool,
    },
    /// Per topic, in the order asked for: whether the broker granted the subscription.
    Subscribed(Vec<bool>),
    Message(Message),
    Failed(LinkError),
}

/// What may be published: by its type, nothing else can be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// For the records that a device keeps.
    Records { topic: String, payload: String },
    /// For the births of a Sparkplug node.
    Rebirth { topic: String, payload: Vec<u8> },
}

/// The library's handle for requests.
enum Client {
    V4(AsyncClient),
    V5(v5::AsyncClient),
}

pub(super) struct Session {
    client: Client,
    said: mpsc::Receiver<Said>,
    /// Aborts the event loop's task when dropped.
    task: JoinSet<()>,
}

/// How to connect; made anew each time, so that a mended secret or a renewed certificate is found.
pub(super) enum Options {
    V4(Box<MqttOptions>),
    V5(Box<v5::MqttOptions>),
}

impl Session {
    pub(super) fn open(settings: &Settings, options: Options, clock: Arc<dyn Clock>) -> Self {
        let (tx, said) = mpsc::channel(UNACKED_MAX);
        let mouth = Mouth {
            tx,
            room: Arc::new(Semaphore::new(UNACKED_BYTES_MAX as usize)),
            address: settings.address.clone(),
            timeout_s: settings.connect_timeout_s,
            clock,
        };
        let mut task = JoinSet::new();
        let client = match options {
            Options::V4(options) => {
                let (client, mut event_loop) = AsyncClient::new(*options, REQUESTS_MAX);
                let mut network = event_loop.network_options();
                network.set_connection_timeout(settings.connect_timeout_s);
                network.set_tcp_nodelay(true);
                event_loop.set_network_options(network);
                task.spawn(poll_v4(event_loop, mouth));
                Client::V4(client)
            }
            Options::V5(options) => {
                let (client, event_loop) = v5::AsyncClient::new(*options, REQUESTS_MAX);
                task.spawn(poll_v5(event_loop, mouth));
                Client::V5(client)
            }
        };
        Self { client, said, task }
    }

    pub(super) async fn next(&mut self) -> Option<Said> {
        self.said.recv().await
    }

    /// What has been said already.
    pub(super) fn next_now(&mut self) -> Option<Said> {
        self.said.try_recv().ok()
    }

    /// Asks for the topics. `false` when the event loop is gone.
    pub(super) fn subscribe(&self, topics: &[String]) -> bool {
        match &self.client {
            Client::V4(client) => {
                let filters =
                    topics.iter().map(|t| rumqttc::SubscribeFilter::new(t.clone(), QoS::AtLeastOnce));
                client.try_subscribe_many(filters).is_ok()
            }
            Client::V5(client) => {
                let qos = v5::mqttbytes::QoS::AtLeastOnce;
                let filters = topics.iter().map(|t| v5::mqttbytes::v5::Filter::new(t.clone(), qos));
                client.try_subscribe_many(filters).is_ok()
            }
        }
    }

    /// Publishes, never retained: with quality of service 1, but a command to a Sparkplug node with 0, as its specification
    /// wants it. `false` when the event loop is gone.
    pub(super) fn publish(&self, request: Request) -> bool {
        let (topic, payload, once) = match request {
            Request::Records { topic, payload } => (topic, payload.into_bytes(), false),
            Request::Rebirth { topic, payload } => (topic, payload, true),
        };
        match &self.client {
            Client::V4(client) => {
                let qos = if once { QoS::AtMostOnce } else { QoS::AtLeastOnce };
                client.try_publish(topic, qos, false, payload).is_ok()
            }
            Client::V5(client) => {
                let qos = if once { v5::mqttbytes::QoS::AtMostOnce } else { v5::mqttbytes::QoS::AtLeastOnce };
                client.try_publish(topic, qos, false, payload).is_ok()
            }
        }
    }

    /// Takes back a subscription of an earlier run. `false` when the event loop is gone.
    pub(super) fn unsubscribe(&self, topic: &str) -> bool {
        match &self.client {
            Client::V4(client) => client.try_unsubscribe(topic).is_ok(),
            Client::V5(client) => client.try_unsubscribe(topic).is_ok(),
        }
    }

    /// Acknowledges a message. `false` when the event loop is gone: the broker will send it again.
    pub(super) fn ack(&self, message: &Message) -> bool {
        // Only number and quality of service of a message go into its acknowledgement.
        match &self.client {
            Client::V4(client) => {
                let mut publish = Publish::new("", message.qos, Bytes::new());
                publish.pkid = message.packet_id;
                client.try_ack(&publish).is_ok()
            }
            Client::V5(client) => {
                let qos = match message.qos {
                    QoS::AtMostOnce => v5::mqttbytes::QoS::AtMostOnce,
                    QoS::AtLeastOnce => v5::mqttbytes::QoS::AtLeastOnce,
                    QoS::ExactlyOnce => v5::mqttbytes::QoS::ExactlyOnce,
                };
                let mut publish = v5::mqttbytes::v5::Publish::new("", qos, Bytes::new(), None);
                publish.pkid = message.packet_id;
                client.try_ack(&publish).is_ok()
            }
        }
    }

    /// Sends what is acknowledged and says good-bye; what is not acknowledged the broker keeps.
    pub(super) async fn close(mut self) {
        let told = match &self.client {
            Client::V4(client) => client.try_disconnect().is_ok(),
            Client::V5(client) => client.try_disconnect().is_ok(),
        };
        if !told {
            return;
        }
        let drained = async {
            // The event loop waits for room in the channel: make it.
            while self.said.recv().await.is_some() {}
            while self.task.join_next().await.is_some() {}
        };
        // After the limit the task is aborted with the session.
        let _late = tokio::time::timeout(FAREWELL, drained).await.is_err();
    }
}

/// When messages arrive. Strictly increasing, since two messages of the same millisecond are two readings;
/// but after the wall clock was set back it begins anew, or the arrivals would stand still until the clock
/// had caught up.
#[derive(Default)]
struct Arrivals {
    /// What the clock said and what was made of it, the last time.
    last: Option<(Instant, Instant)>,
}

impl Arrivals {
    fn next(&mut self, now: Instant) -> Instant {
        let arrival = match self.last {
            // The clock is compared with itself: in a burst the arrivals may rightly run ahead of it.
            Some((clock, arrival)) if now.plus_millis(SET_BACK_MS) >= clock => {
                now.max(arrival.plus_millis(1))
            }
            Some(_) | None => now,
        };
        self.last = Some((now, arrival));
        arrival
    }
}

/// Where an event loop says things, within the bounds of the channel.
struct Mouth {
    tx: mpsc::Sender<Said>,
    room: Arc<Semaphore>,
    address: String,
    timeout_s: u64,
    clock: Arc<dyn Clock>,
}

impl Mouth {
    /// Room in bytes for one message; `None` when nobody listens any more.
    async fn room(&self, length: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(length).unwrap_or(u32::MAX).min(UNACKED_BYTES_MAX);
        Arc::clone(&self.room).acquire_many_owned(bytes).await.ok()
    }
}

/// The payload, or a copy of its beginning when it is larger than any meter's may be: a slice of it would
/// keep the whole packet in memory.
fn cut(payload: Bytes) -> (Bytes, usize) {
    let length = payload.len();
    if length <= PAYLOAD_BYTES_MAX {
        (payload, length)
    } else {
        (Bytes::copy_from_slice(payload.get(..QUARANTINE_BYTES_MAX).unwrap_or_default()), length)
    }
}

/// The event loop of version 3.1.1: forwards what arrives, one message a place in the channel.
async fn poll_v4(mut event_loop: EventLoop, mouth: Mouth) {
    let mut arrivals = Arrivals::default();
    let mut connected = false;
    loop {
        let Ok(place) = mouth.tx.reserve().await else { return };
        match event_loop.poll().await {
            Ok(Event::Incoming(packet)) => match packet {
                Packet::Publish(message) => {
                    let arrived = arrivals.next(mouth.clock.now());
                    let (payload, length) = cut(message.payload);
                    let room = mouth.room(payload.len() + message.topic.len() + MESSAGE_BYTES).await;
                    place.send(Said::Message(Message {
                        topic: Bytes::from(message.topic),
                        payload,
                        length,
                        retain: message.retain,
                        dup: message.dup,
                        arrived,
                        packet_id: message.pkid,
                        qos: message.qos,
                        _room: room,
                    }));
                }
                Packet::ConnAck(ack) => {
                    connected = true;
                    place.send(Said::Connected { resumed: ack.session_present });
                }
                Packet::SubAck(ack) => place.send(Said::Subscribed(failure::granted_v4(&ack.return_codes))),
                Packet::Connect(_)
                | Packet::PubAck(_)
                | Packet::PubRec(_)
                | Packet::PubRel(_)
                | Packet::PubComp(_)
                | Packet::Subscribe(_)
                | Packet::Unsubscribe(_)
                | Packet::UnsubAck(_)
                | Packet::PingReq
                | Packet::PingResp
                | Packet::Disconnect => {}
            },
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
            Ok(Event::Outgoing(_)) => {}
            Err(error) => {
                place.send(Said::Failed(failure::of_v4(error, &mouth.address, mouth.timeout_s, connected)));
                return;
            }
        }
    }
}

/// The same for version 5.
async fn poll_v5(mut event_loop: v5::EventLoop, mouth: Mouth) {
    use v5::mqttbytes::v5::Packet;

    let mut arrivals = Arrivals::default();
    let mut connected = false;
    loop {
        let Ok(place) = mouth.tx.reserve().await else { return };
        match event_loop.poll().await {
            Ok(v5::Event::Incoming(packet)) => match packet {
                Packet::Publish(message) => {
                    let arrived = arrivals.next(mouth.clock.now());
                    let (payload, length) = cut(message.payload);
                    let room = mouth.room(payload.len() + message.topic.len() + MESSAGE_BYTES).await;
                    let qos = match message.qos {
                        v5::mqttbytes::QoS::AtMostOnce => QoS::AtMostOnce,
                        v5::mqttbytes::QoS::AtLeastOnce => QoS::AtLeastOnce,
                        v5::mqttbytes::QoS::ExactlyOnce => QoS::ExactlyOnce,
                    };
                    place.send(Said::Message(Message {
                        topic: message.topic,
                        payload,
                        length,
                        retain: message.retain,
                        dup: message.dup,
                        arrived,
                        packet_id: message.pkid,
                        qos,
                        _room: room,
                    }));
                }
                Packet::ConnAck(ack) => {
                    connected = true;
                    place.send(Said::Connected { resumed: ack.session_present });
                }
                Packet::SubAck(ack) => place.send(Said::Subscribed(failure::granted_v5(&ack.return_codes))),
                Packet::Connect(..)
                | Packet::PubAck(_)
                | Packet::PubRec(_)
                | Packet::PubRel(_)
                | Packet::PubComp(_)
                | Packet::Subscribe(_)
                | Packet::Unsubscribe(_)
                | Packet::UnsubAck(_)
                | Packet::PingReq(_)
                | Packet::PingResp(_)
                | Packet::Disconnect(_)
                | Packet::Auth(_) => {}
            },
            Ok(v5::Event::Outgoing(Outgoing::Disconnect)) => return,
            Ok(v5::Event::Outgoing(_)) => {}
            Err(error) => {
                place.send(Said::Failed(failure::of_v5(error, &mouth.address, mouth.timeout_s, connected)));
                return;
            }
        }
    }
}

/// Options of a connection; username, password and certificates are read anew each time.
pub(super) fn options(
    link: &str,
    settings: &Settings,
    client_id: &str,
    clean: bool,
) -> Result<Options, LinkError> {
    let (host, port) = settings.address.rsplit_once(':').unwrap_or((&settings.address, "1883"));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().unwrap_or(1883);
    let keep_alive = Duration::from_secs(settings.keep_alive_s);
    let transport = match &settings.tls {
        None => Transport::Tcp,
        Some(tls) => Transport::tls_with_config(TlsConfiguration::Rustls(tls::client_config(link, tls)?)),
    };
    let credentials = match username(link, settings)? {
        None => None,
        Some(username) => Some((username, password(link, settings)?)),
    };
    Ok(match settings.version {
        Version::V311 => {
            let mut options = MqttOptions::new(client_id, host, port);
            options.set_clean_session(clean);
            options.set_manual_acks(true);
            options.set_keep_alive(keep_alive);
            options.set_max_packet_size(PACKET_BYTES_MAX, SENT_BYTES_MAX);
            options.set_transport(transport);
            if let Some((username, password)) = credentials {
                options.set_credentials(username, password);
            }
            Options::V4(Box::new(options))
        }
        Version::V5 => {
            let mut options = v5::MqttOptions::new(client_id, host, port);
            options.set_clean_start(clean);
            options.set_manual_acks(true);
            options.set_keep_alive(keep_alive);
            options.set_connection_timeout(settings.connect_timeout_s);
            options.set_transport(transport);
            // As with version 3.1.1, whose sessions do not expire: the broker keeps what we miss until we return.
            options.set_session_expiry_interval(Some(if clean { 0 } else { u32::MAX }));
            options.set_receive_maximum(Some(u16::try_from(UNACKED_MAX).unwrap_or(u16::MAX)));
            options.set_max_packet_size(Some(PACKET_BYTES_TOLD));
            let mut network = options.network_options();
            network.set_tcp_nodelay(true);
            options.set_network_options(network);
            if let Some((username, password)) = credentials {
                options.set_credentials(username, password);
            }
            Options::V5(Box::new(options))
        }
    })
}

/// Who we are to the broker; `None` where it lets in everybody.
fn username(link: &str, settings: &Settings) -> Result<Option<String>, LinkError> {
    let kept = secret(link, "username", settings.username_file.as_deref(), settings.username_env.as_deref())?;
    Ok(settings.username.clone().or(kept))
}

/// Whether name and password can be had as they are set.
pub(super) fn prove_secrets(link: &str, settings: &Settings) -> Result<(), LinkError> {
    username(link, settings)?;
    password(link, settings).map(|_| ())
}

fn password(link: &str, settings: &Settings) -> Result<String, LinkError> {
    let kept = secret(link, "password", settings.password_file.as_deref(), settings.password_env.as_deref())?;
    Ok(kept.unwrap_or_default())
}

/// The first line of a file, or what an environment variable holds.
fn secret(
    link: &str,
    what: &'static str,
    file: Option<&str>,
    variable: Option<&str>,
) -> Result<Option<String>, LinkError> {
    let failed = |from: String, source: Box<dyn std::error::Error + Send + Sync>| LinkError::Secret {
        link: link.to_owned(),
        what,
        from,
        source,
    };
    if let Some(file) = file {
        let text = std::fs::read_to_string(file).map_err(|e| failed(format!("file {file}"), Box::new(e)))?;
        return Ok(Some(text.lines().next().unwrap_or_default().to_owned()));
    }
    let value = variable.map(|name| {
        std::env::var(name).map_err(|e| failed(format!("environment variable {name}"), Box::new(e)))
    });
    value.transpose()
}

/// Messages of the topics for a while, or until there is one of each, under a client id of its own.
pub(super) async fn first_messages(
    link: &str,
    settings: &Settings,
    topics: &[String],
    wait: Duration,
) -> Result<Vec<Message>, LinkError> {
    let client_id = format!("{}-probe-{}", settings.client_id, std::process::id());
    let options = options(link, settings, &client_id, true)?;
    let mut session = Session::open(settings, options, Arc::new(Epoch));
    let limit = Duration::from_secs(settings.connect_timeout_s).saturating_add(wait);
    let mut messages: Vec<Message> = Vec::new();
    let asked = async {
        while let Some(said) = session.next().await {
            match said {
                Said::Connected { .. } => {
                    let _sent = session.subscribe(topics);
                }
                Said::Subscribed(granted) if granted.contains(&false) => {
                    let why = "it does not grant the subscription".to_owned();
                    return Err(LinkError::Denied { address: settings.address.clone(), why });
                }
                Said::Subscribed(_) => {}
                Said::Message(message) => {
                    // A fresh message stands in for a retained one of the same topic.
                    messages.retain(|other| other.topic != message.topic);
                    messages.push(message);
                    if messages.len() == topics.len() && messages.iter().all(|m| !m.retain) {
                        return Ok(());
                    }
                }
                Said::Failed(error) => return Err(error),
            }
        }
        Ok(())
    };
    let outcome = tokio::time::timeout(limit, asked).await.unwrap_or(Ok(()));
    session.close().await;
    outcome.map(|()| messages)
}

/// A probe stores nothing, so its messages need no arrival time.
struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Instant {
        Instant::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_increase_but_do_not_stand_still_after_the_clock_was_set_back() {
        let mut arrivals = Arrivals::default();
        let mut next = |now| arrivals.next(Instant::from_millis(now)).millis();
        assert_eq!([next(5_000_000), next(5_000_000), next(4_999_999)], [5_000_000, 5_000_001, 5_000_002]);
        assert_eq!([next(5_000_500), next(1_400_000), next(1_400_000)], [5_000_500, 1_400_000, 1_400_001]);
        // A burst of more messages than milliseconds stays distinct.
        let burst: Vec<i64> = (0..3_000).map(|_| next(2_000_000)).collect();
        assert!(burst.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn of_a_giant_only_the_beginning_stays_in_memory() {
        let (kept, length) = cut(Bytes::from(vec![7; PAYLOAD_BYTES_MAX + 1]));
        assert_eq!((kept.len(), length), (QUARANTINE_BYTES_MAX, PAYLOAD_BYTES_MAX + 1));
        let (kept, length) = cut(Bytes::from_static(b"12"));
        assert_eq!((kept.len(), length), (2, 2));
    }
}
