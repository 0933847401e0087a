//! What can go wrong between the daemon and a meter, told so that a person at the cabinet knows what to do.
//!
//! Must never: repeat its own cause; the chain of sources is printed by the caller.

use std::fmt;
use std::io;

use model::{Finding, MeterId, Severity};

use crate::inbox::InboxError;
use crate::mbus::MBusError;

/// The meter, and what of it, that an attempt was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub meter: MeterId,
    /// Protocol and address, as `modbus tcp 10.0.0.5:502`.
    pub place: String,
    pub unit: u8,
    /// What was asked for, as `input registers 0-1`.
    pub asked: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { meter, place, unit, asked } = self;
        write!(f, "`{meter}` ({place}, unit {unit}, {asked})")
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
    #[error(
        "{device} cannot be opened; check that the adapter is plugged in, that no other program uses it and that this user may (group dialout)"
    )]
    Device {
        device: String,
        #[source]
        source: io::Error,
    },
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
    #[error(
        "only {bytes} garbled bytes came from {target}; check baud rate, parity, polarity and termination of the line"
    )]
    Garbled { target: Box<Target>, bytes: usize },
    #[error("the connection was lost while reading {target}; try: consuntivo probe {}", target.meter)]
    Lost {
        target: Box<Target>,
        #[source]
        source: io::Error,
    },
    #[error(
        "{target} answered another question than the one asked ({says}); check that no other program shares the gateway or line"
    )]
    Protocol { target: Box<Target>, says: String },
    #[error("{target} cannot be found; check the model and that SunSpec is enabled on the device")]
    SunSpec {
        target: Box<Target>,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the broker {address} denied the connection ({why}); check client_id, username and password")]
    Denied { address: String, why: String },
    #[error("no secure connection to {address}: {why}")]
    Tls { address: String, why: String },
    #[error("file {file} of link `{link}` {says}; mend it and let the daemon read it")]
    TlsFile { link: String, file: String, says: String },
    #[error("the connection to the broker {address} was lost")]
    BrokerLost {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "the broker {address} sent what is not MQTT, or too large; check the port, or limit message sizes at the broker"
    )]
    BrokerProtocol {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the {what} of link `{link}` cannot be had from {from}; create it and let the daemon read it")]
    Secret {
        link: String,
        what: &'static str,
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
            Self::Device { .. } => "link.device",
            Self::Timeout { .. } => "link.timeout",
            Self::Exception { .. } => "link.exception",
            Self::Short { .. } => "link.short",
            Self::Garbled { .. } => "link.garbled",
            Self::Lost { .. } | Self::BrokerLost { .. } => "link.lost",
            Self::Protocol { .. } | Self::BrokerProtocol { .. } => "link.protocol",
            Self::SunSpec { .. } => "link.sunspec",
            Self::Denied { .. } => "link.denied",
            Self::Tls { .. } => "link.tls",
            Self::TlsFile { .. } => "link.tls.file",
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
        let mut finding = Finding::new(self.code(), Severity::Caution, subject, error.clone(), "");
        for (name, value) in self.values() {
            finding = finding.with(name, value);
        }
        finding.with("error", error)
    }

    /// What a translated sentence may name: numbers and addresses, nothing in a language.
    fn values(&self) -> Vec<(&'static str, String)> {
        let mut values = Vec::new();
        if let Self::Refused { address, .. }
        | Self::Unreachable { address, .. }
        | Self::ConnectTimeout { address, .. }
        | Self::Denied { address, .. }
        | Self::BrokerLost { address, .. }
        | Self::BrokerProtocol { address, .. } = self
        {
            values.push(("address", address.clone()));
        }
        if let Self::Timeout { target, .. }
        | Self::Exception { target, .. }
        | Self::Short { target, .. }
        | Self::Lost { target, .. }
        | Self::Protocol { target, .. } = self
        {
            values.push(("unit", target.unit.to_string()));
        }
        if let Self::Timeout { timeout_ms, .. } | Self::ConnectTimeout { timeout_ms, .. } = self {
            values.push(("timeout_ms", timeout_ms.to_string()));
        }
        if let Self::Exception { code, .. } = self {
            values.push(("exception", code.to_string()));
        }
        if let Self::Short { got, wanted, .. } = self {
            values.extend([("got", got.to_string()), ("wanted", wanted.to_string())]);
        }
        if let Self::MBus(MBusError::Timeout { target, timeout_ms }) = self {
            values.extend([("unit", target.address.clone()), ("timeout_ms", timeout_ms.to_string())]);
        }
        if let Self::MBus(MBusError::Trouble { says, .. }) = self {
            values.push(("kind", says.code().to_owned()));
        }
        if let Self::MBus(MBusError::Twice { identity, other, .. }) = self {
            values.extend([("identity", identity.clone()), ("other", other.to_string())]);
        }
        if let Self::NoSuchMeter { link, meter } = self {
            values.extend([("link", link.clone()), ("meter", meter.to_string())]);
        }
        values
    }
}
