//! One connection to a broker: the library's event loop in a task of its own, and what it says as
//! messages over a bounded channel.
//!
//! Must never: reconnect by itself. The library keeps undelivered events over a reconnect, whose
//! acknowledgements could then hit other messages; a connection that failed is dropped whole.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::Instant;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, Packet,
    Publish, QoS, StateError, SubscribeReasonCode,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Settings;
use crate::error::LinkError;
use crate::inbox::Clock;

/// Messages received and not yet acknowledged, at most. Beyond it the socket is not read.
pub(super) const UNACKED_MAX: usize = 2_048;
/// Requests that may wait for the event loop: more than all acknowledgements that can be outstanding,
/// so that handing one over never has to wait (waiting for a task that waits for us is a deadlock).
const REQUESTS_MAX: usize = 4 * UNACKED_MAX;
/// Largest packet read into memory.
const PACKET_BYTES_MAX: usize = 16 * 1024 * 1024;
const SENT_BYTES_MAX: usize = 1024 * 1024;
/// Longest wait for the farewell to leave.
const FAREWELL: Duration = Duration::from_secs(2);
/// A wall clock that goes back by more than this was set back.
const SET_BACK_MS: i64 = 1_000;

/// What a connection says.
#[derive(Debug)]
pub(super) enum Said {
    Connected,
    /// Per topic, in the order asked for: whether the broker granted the subscription.
    Subscribed(Vec<bool>),
    Message(Publish, Instant),
    Failed(LinkError),
}

pub(super) struct Session {
    client: AsyncClient,
    said: mpsc::Receiver<Said>,
    /// Aborts the event loop's task when dropped.
    task: JoinSet<()>,
}

impl Session {
    pub(super) fn open(settings: &Settings, options: MqttOptions, clock: Arc<dyn Clock>) -> Self {
        let (client, mut event_loop) = AsyncClient::new(options, REQUESTS_MAX);
        let mut network = event_loop.network_options();
        network.set_connection_timeout(settings.connect_timeout_s);
        network.set_tcp_nodelay(true);
        event_loop.set_network_options(network);
        let (tx, said) = mpsc::channel(UNACKED_MAX);
        let address = settings.address.clone();
        let timeout_s = settings.connect_timeout_s;
        let mut task = JoinSet::new();
        task.spawn(async move { poll(event_loop, tx, &address, timeout_s, &*clock).await });
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
        let filters = topics.iter().map(|t| rumqttc::SubscribeFilter::new(t.clone(), QoS::AtLeastOnce));
        self.client.try_subscribe_many(filters).is_ok()
    }

    /// Takes back a subscription of an earlier run. `false` when the event loop is gone.
    pub(super) fn unsubscribe(&self, topic: &str) -> bool {
        self.client.try_unsubscribe(topic).is_ok()
    }

    /// Acknowledges a message. `false` when the event loop is gone: the broker will send it again.
    pub(super) fn ack(&self, message: &Publish) -> bool {
        self.client.try_ack(message).is_ok()
    }

    /// Sends what is acknowledged and says good-bye; what is not acknowledged the broker keeps.
    pub(super) async fn close(mut self) {
        if self.client.try_disconnect().is_err() {
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

/// The event loop: forwards what arrives, one message a place in the channel.
async fn poll(
    mut event_loop: EventLoop,
    tx: mpsc::Sender<Said>,
    address: &str,
    timeout_s: u64,
    clock: &dyn Clock,
) {
    let mut arrivals = Arrivals::default();
    let mut connected = false;
    loop {
        let Ok(place) = tx.reserve().await else { return };
        match event_loop.poll().await {
            Ok(Event::Incoming(packet)) => match packet {
                Packet::Publish(message) => {
                    place.send(Said::Message(message, arrivals.next(clock.now())));
                }
                Packet::ConnAck(_) => {
                    connected = true;
                    place.send(Said::Connected);
                }
                Packet::SubAck(ack) => place.send(Said::Subscribed(granted(&ack.return_codes))),
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
                place.send(Said::Failed(failure(error, address, timeout_s, connected)));
                return;
            }
        }
    }
}

fn granted(codes: &[SubscribeReasonCode]) -> Vec<bool> {
    codes.iter().map(|code| matches!(code, SubscribeReasonCode::Success(_))).collect()
}

/// The library's error in our words.
fn failure(error: ConnectionError, address: &str, timeout_s: u64, connected: bool) -> LinkError {
    let address = address.to_owned();
    match error {
        ConnectionError::Io(source) if source.kind() == io::ErrorKind::ConnectionRefused => {
            LinkError::Refused { address, source }
        }
        ConnectionError::Io(source) if !connected => LinkError::Unreachable { address, source },
        ConnectionError::Io(source) => LinkError::BrokerLost { address, source: Box::new(source) },
        ConnectionError::NetworkTimeout => {
            LinkError::ConnectTimeout { address, timeout_ms: timeout_s.saturating_mul(1000) }
        }
        ConnectionError::FlushTimeout => {
            LinkError::BrokerLost { address, source: Box::new(ConnectionError::FlushTimeout) }
        }
        ConnectionError::ConnectionRefused(code) => LinkError::Denied { address, why: denial(code) },
        ConnectionError::MqttState(state) => match state {
            StateError::Io(_) | StateError::AwaitPingResp | StateError::ConnectionAborted => {
                LinkError::BrokerLost { address, source: Box::new(state) }
            }
            StateError::InvalidState
            | StateError::Unsolicited(_)
            | StateError::WrongPacket
            | StateError::CollisionTimeout
            | StateError::EmptySubscription
            | StateError::Deserialization(_) => {
                LinkError::BrokerProtocol { address, limit: PACKET_BYTES_MAX, source: Box::new(state) }
            }
        },
        error
        @ (ConnectionError::Tls(_) | ConnectionError::NotConnAck(_) | ConnectionError::RequestsDone) => {
            LinkError::BrokerProtocol { address, limit: PACKET_BYTES_MAX, source: Box::new(error) }
        }
    }
}

/// MQTT 3.1.1, table 3.1.
const fn denial(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::Success => "without a reason",
        ConnectReturnCode::RefusedProtocolVersion => "it does not speak MQTT 3.1.1",
        ConnectReturnCode::BadClientId => "it does not accept the client id",
        ConnectReturnCode::ServiceUnavailable => "it is not available",
        ConnectReturnCode::BadUserNamePassword => "username or password is wrong",
        ConnectReturnCode::NotAuthorized => "this client is not authorised",
    }
}

/// Options of a connection; the password is read anew each time, so that a mended secret is found.
pub(super) fn options(
    link: &str,
    settings: &Settings,
    client_id: &str,
    clean: bool,
) -> Result<MqttOptions, LinkError> {
    let (host, port) = settings.address.rsplit_once(':').unwrap_or((&settings.address, "1883"));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut options = MqttOptions::new(client_id, host, port.parse().unwrap_or(1883));
    options.set_clean_session(clean);
    options.set_manual_acks(true);
    options.set_keep_alive(Duration::from_secs(settings.keep_alive_s));
    options.set_max_packet_size(PACKET_BYTES_MAX, SENT_BYTES_MAX);
    if let Some(username) = &settings.username {
        options.set_credentials(username, password(link, settings)?);
    }
    Ok(options)
}

fn password(link: &str, settings: &Settings) -> Result<String, LinkError> {
    let failed = |from: String, source: Box<dyn std::error::Error + Send + Sync>| LinkError::Secret {
        link: link.to_owned(),
        from,
        source,
    };
    if let Some(file) = &settings.password_file {
        let text = std::fs::read_to_string(file).map_err(|e| failed(format!("file {file}"), Box::new(e)))?;
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    match &settings.password_env {
        Some(name) => {
            std::env::var(name).map_err(|e| failed(format!("environment variable {name}"), Box::new(e)))
        }
        None => Ok(String::new()),
    }
}

/// The first message on a topic within `wait`, and whether it was a retained one.
pub(super) async fn first_message(
    link: &str,
    settings: &Settings,
    topic: &str,
    wait: Duration,
) -> Result<Option<(Bytes, bool)>, LinkError> {
    let client_id = format!("{}-probe-{}", settings.client_id, std::process::id());
    let options = options(link, settings, &client_id, true)?;
    let mut session = Session::open(settings, options, Arc::new(Epoch));
    let limit = Duration::from_secs(settings.connect_timeout_s).saturating_add(wait);
    let asked = async {
        while let Some(said) = session.next().await {
            match said {
                Said::Connected => {
                    let _sent = session.subscribe(&[topic.to_owned()]);
                }
                Said::Subscribed(granted) if granted.contains(&false) => {
                    let why = "it does not grant the subscription";
                    return Err(LinkError::Denied { address: settings.address.clone(), why });
                }
                Said::Subscribed(_) => {}
                Said::Message(message, _) => return Ok(Some((message.payload, message.retain))),
                Said::Failed(error) => return Err(error),
            }
        }
        Ok(None)
    };
    let outcome = tokio::time::timeout(limit, asked).await.unwrap_or(Ok(None));
    session.close().await;
    outcome
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
}
