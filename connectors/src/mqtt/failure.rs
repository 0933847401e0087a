//! The library's errors and reason codes of both protocol versions, in our words.
//!
//! Must never: hide a reason that the broker gave.

use std::io;

use rumqttc::{ConnectReturnCode, ConnectionError, StateError, SubscribeReasonCode, v5};
use v5::mqttbytes::v5::{ConnectReturnCode as Reason, DisconnectReasonCode};

use super::tls;
use crate::error::LinkError;

/// Which subscriptions the broker granted.
pub(super) fn granted_v4(codes: &[SubscribeReasonCode]) -> Vec<bool> {
    codes.iter().map(|code| matches!(code, SubscribeReasonCode::Success(_))).collect()
}

/// The same for version 5.
pub(super) fn granted_v5(codes: &[v5::mqttbytes::v5::SubscribeReasonCode]) -> Vec<bool> {
    codes.iter().map(|code| matches!(code, v5::mqttbytes::v5::SubscribeReasonCode::Success(_))).collect()
}

/// A broken connection: before it stood, or after.
fn broken(source: io::Error, address: String, connected: bool) -> LinkError {
    if source.kind() == io::ErrorKind::ConnectionRefused {
        LinkError::Refused { address, source }
    } else if connected {
        LinkError::BrokerLost { address, source: Box::new(source) }
    } else {
        LinkError::Unreachable { address, source }
    }
}

/// An error of version 3.1.1.
pub(super) fn of_v4(error: ConnectionError, address: &str, timeout_s: u64, connected: bool) -> LinkError {
    let address = address.to_owned();
    if let Some(why) = tls::why(&error) {
        return LinkError::Tls { address, why };
    }
    match error {
        ConnectionError::Io(source) => broken(source, address, connected),
        ConnectionError::NetworkTimeout => {
            LinkError::ConnectTimeout { address, timeout_ms: timeout_s.saturating_mul(1000) }
        }
        ConnectionError::FlushTimeout => {
            LinkError::BrokerLost { address, source: Box::new(ConnectionError::FlushTimeout) }
        }
        ConnectionError::ConnectionRefused(code) => {
            LinkError::Denied { address, why: denial_v4(code).to_owned() }
        }
        ConnectionError::MqttState(state) => match state {
            StateError::Io(_) | StateError::AwaitPingResp | StateError::ConnectionAborted => {
                LinkError::BrokerLost { address, source: Box::new(state) }
            }
            StateError::Deserialization(rumqttc::mqttbytes::Error::Io(source)) => {
                broken(source, address, connected)
            }
            StateError::InvalidState
            | StateError::Unsolicited(_)
            | StateError::WrongPacket
            | StateError::CollisionTimeout
            | StateError::EmptySubscription
            | StateError::Deserialization(_) => {
                LinkError::BrokerProtocol { address, source: Box::new(state) }
            }
        },
        // What is left of TLS is the connection under it.
        ConnectionError::Tls(source) => LinkError::BrokerLost { address, source: Box::new(source) },
        error @ (ConnectionError::NotConnAck(_) | ConnectionError::RequestsDone) => {
            LinkError::BrokerProtocol { address, source: Box::new(error) }
        }
    }
}

/// An error of version 5.
pub(super) fn of_v5(error: v5::ConnectionError, address: &str, timeout_s: u64, connected: bool) -> LinkError {
    let address = address.to_owned();
    if let Some(why) = tls::why(&error) {
        return LinkError::Tls { address, why };
    }
    match error {
        v5::ConnectionError::Io(source) => broken(source, address, connected),
        v5::ConnectionError::Timeout(_) => {
            LinkError::ConnectTimeout { address, timeout_ms: timeout_s.saturating_mul(1000) }
        }
        v5::ConnectionError::ConnectionRefused(code) => LinkError::Denied { address, why: denial_v5(code) },
        v5::ConnectionError::MqttState(state) => match state {
            v5::StateError::Io(_) | v5::StateError::AwaitPingResp | v5::StateError::ConnectionAborted => {
                LinkError::BrokerLost { address, source: Box::new(state) }
            }
            v5::StateError::ServerDisconnect { reason_code, reason_string } => {
                let why = disconnection(reason_code, reason_string.as_deref());
                let ours = [DisconnectReasonCode::NotAuthorized, DisconnectReasonCode::SessionTakenOver];
                if ours.contains(&reason_code) {
                    LinkError::Denied { address, why }
                } else {
                    LinkError::BrokerLost { address, source: why.into() }
                }
            }
            v5::StateError::ConnFail { reason } => LinkError::Denied { address, why: denial_v5(reason) },
            // The library does not name this one as a cause, so the look above has not found it.
            v5::StateError::Deserialization(v5::mqttbytes::Error::Io(source)) => match tls::why(&source) {
                Some(why) => LinkError::Tls { address, why },
                None => broken(source, address, connected),
            },
            v5::StateError::Coversion(_)
            | v5::StateError::InvalidState
            | v5::StateError::Unsolicited(_)
            | v5::StateError::WrongPacket
            | v5::StateError::CollisionTimeout
            | v5::StateError::EmptySubscription
            | v5::StateError::InvalidAlias { .. }
            | v5::StateError::OutgoingPacketTooLarge { .. }
            | v5::StateError::IncomingPacketTooLarge { .. }
            | v5::StateError::Deserialization(_) => {
                LinkError::BrokerProtocol { address, source: Box::new(state) }
            }
        },
        v5::ConnectionError::Tls(source) => LinkError::BrokerLost { address, source: Box::new(source) },
        error @ (v5::ConnectionError::NotConnAck(_) | v5::ConnectionError::RequestsDone) => {
            LinkError::BrokerProtocol { address, source: Box::new(error) }
        }
    }
}

/// MQTT 3.1.1, table 3.1.
const fn denial_v4(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::Success => "without a reason",
        ConnectReturnCode::RefusedProtocolVersion => "it does not speak MQTT 3.1.1",
        ConnectReturnCode::BadClientId => "it does not accept the client id",
        ConnectReturnCode::ServiceUnavailable => "it is not available",
        ConnectReturnCode::BadUserNamePassword => "username or password is wrong",
        ConnectReturnCode::NotAuthorized => "this client is not authorised",
    }
}

/// MQTT 5, table 3-1: what a person can act on in words, the rest by its name there.
fn denial_v5(code: Reason) -> String {
    match code {
        Reason::BadUserNamePassword => "username or password is wrong".to_owned(),
        Reason::NotAuthorized => "this client is not authorised".to_owned(),
        Reason::BadClientId | Reason::ClientIdentifierNotValid => {
            "it does not accept the client id".to_owned()
        }
        Reason::RefusedProtocolVersion | Reason::UnsupportedProtocolVersion => {
            "it does not speak MQTT 5; set version = \"3.1.1\"".to_owned()
        }
        Reason::ServiceUnavailable | Reason::ServerUnavailable => "it is not available".to_owned(),
        Reason::ServerBusy => "it is busy".to_owned(),
        Reason::Banned => "this client is banned".to_owned(),
        other => format!("reason {other:?}"),
    }
}

/// MQTT 5, table 3-10.
fn disconnection(code: DisconnectReasonCode, says: Option<&str>) -> String {
    let reason = match code {
        DisconnectReasonCode::SessionTakenOver => {
            "another client has connected with our client id".to_owned()
        }
        DisconnectReasonCode::ServerShuttingDown => "it is shutting down".to_owned(),
        DisconnectReasonCode::KeepAliveTimeout => "it has heard nothing from us for too long".to_owned(),
        DisconnectReasonCode::NotAuthorized => "this client is not authorised".to_owned(),
        other => format!("reason {other:?}"),
    };
    match says {
        Some(says) => format!("{reason}: {}", says.chars().take(200).collect::<String>()),
        None => reason,
    }
}
