//! What can go wrong between the daemon and a meter, told so that a person at the cabinet knows what to do.
//!
//! Must never: repeat its own cause; the chain of sources is printed by the caller.

use std::fmt;
use std::io;

use model::{Finding, MeterId, Severity};
use profile::Space;

use crate::inbox::InboxError;
use crate::mbus::MBusError;

/// The meter, and the registers of it, that an attempt was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub meter: MeterId,
    pub address: String,
    pub unit: u8,
    pub space: Space,
    pub first: u16,
    pub last: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { meter, address, unit, space, first, last } = self;
        write!(f, "`{meter}` (modbus tcp {address}, unit {unit}, {} registers {first}-{last})", space.code())
    }
}

/// Why a link or a meter gave nothing. The first layer is the wire, the second ([`Self::Exception`],
/// [`Self::Denied`]) an answer that says no.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("nothing listens at {address}; check the port and that the device is on")]
    Refused {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error("{address} cannot be reached; check the cable, the name and the network")]
    Unreachable {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error(
        "{address} did not answer within {timeout_ms} ms; check that the device is on and in this network"
    )]
    ConnectTimeout { address: String, timeout_ms: u64 },
    #[error("no answer from {target} within {timeout_ms} ms; try: consuntivo probe {}", target.meter)]
    Timeout { target: Box<Target>, timeout_ms: u64 },
    #[error(
        "{target} refused with exception {code} ({meaning}); compare the model with the meter, then try: consuntivo probe {}",
        target.meter
    )]
    Exception { target: Box<Target>, code: u8, meaning: &'static str },
    #[error(
        "{target} answered with {got} registers where {wanted} were asked for; lower registers_per_request in its meter file"
    )]
    Short { target: Box<Target>, got: usize, wanted: u16 },
    #[error("the connection was lost while reading {target}; try: consuntivo probe {}", target.meter)]
    Lost {
        target: Box<Target>,
        #[source]
        source: io::Error,
    },
    #[error(
        "{target} answered another question than the one asked ({says}); check that no other program shares the gateway"
    )]
    Protocol { target: Box<Target>, says: String },
    #[error("the broker {address} denied the connection ({why}); check client_id, username and password")]
    Denied { address: String, why: &'static str },
    #[error("the connection to the broker {address} was lost")]
    BrokerLost {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "the broker {address} sent what is not MQTT 3.1.1, or a packet of more than {limit} bytes; limit message sizes at the broker"
    )]
    BrokerProtocol {
        address: String,
        limit: usize,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the password of link `{link}` cannot be had from {from}; create it and let the daemon read it")]
    Secret {
        link: String,
        from: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "what arrived over link `{link}` was not taken, so it is not acknowledged; see the state of the store"
    )]
    Inbox {
        link: String,
        #[source]
        source: InboxError,
    },
    #[error(transparent)]
    MBus(#[from] MBusError),
    #[error("link `{link}` has no meter `{meter}`; name one of its meters")]
    NoSuchMeter { link: String, meter: MeterId },
}

impl LinkError {
    /// The finding's code. Stable.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "link.refused",
            Self::Unreachable { .. } | Self::ConnectTimeout { .. } => "link.unreachable",
            Self::Timeout { .. } => "link.timeout",
            Self::Exception { .. } => "link.exception",
            Self::Short { .. } => "link.short",
            Self::Lost { .. } | Self::BrokerLost { .. } => "link.lost",
            Self::Protocol { .. } | Self::BrokerProtocol { .. } => "link.protocol",
            Self::Denied { .. } => "link.denied",
            Self::Secret { .. } => "link.secret",
            Self::Inbox { .. } => "link.inbox",
            Self::MBus(error) => error.code(),
            Self::NoSuchMeter { .. } => "link.meter.unknown",
        }
    }

    /// The error with its causes on one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }

    /// The error as a finding about `subject` (`meter:boiler-1`, `link:plant-room`).
    #[must_use]
    pub fn finding(&self, subject: &str) -> Finding {
        let error = self.chain();
        Finding::new(self.code(), Severity::Caution, subject, error.clone(), "").with("error", error)
    }
}
