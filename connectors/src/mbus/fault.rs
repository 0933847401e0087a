//! What can go wrong between the daemon and a meter on the M-Bus.
//!
//! Must never: repeat its own cause.

use std::fmt;
use std::io;

use model::MeterId;
use profile::mbus::{TelegramError, Trouble};

/// The meter that an attempt was about, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MBusTarget {
    pub meter: MeterId,
    /// Of the level converter: host and port, or a device.
    pub at: String,
    /// `primary 5` or `secondary 12345678`.
    pub address: String,
}

impl fmt::Display for MBusTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (m-bus {}, {})", self.meter, self.at, self.address)
    }
}

/// Why a meter on the M-Bus gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum MBusError {
    #[error("no answer from {target} within {timeout_ms} ms; try: consuntivo probe {}", target.meter)]
    Timeout { target: Box<MBusTarget>, timeout_ms: u64 },
    #[error("the connection was lost while reading {target}; try: consuntivo probe {}", target.meter)]
    Lost {
        target: Box<MBusTarget>,
        #[source]
        source: io::Error,
    },
    #[error(
        "{target} answered with {says}; two meters may share its address, or the line is disturbed: read it alone"
    )]
    Garbled { target: Box<MBusTarget>, says: String },
    #[error("what {target} sent cannot be used; try: consuntivo probe {}", target.meter)]
    Telegram {
        target: Box<MBusTarget>,
        #[source]
        source: TelegramError,
    },
    #[error("another meter than {target} answered ({answered}); its answer was thrown away")]
    Foreign { target: Box<MBusTarget>, answered: String },
    #[error("{target} reports {says}, so none of its values is used; have it looked at")]
    Trouble { target: Box<MBusTarget>, says: Trouble },
    #[error(
        "{target} is the same meter ({identity}) as `{other}`, so it is not read twice; correct one of their addresses"
    )]
    Twice { target: Box<MBusTarget>, identity: String, other: MeterId },
}

impl MBusError {
    /// The finding's code. Stable.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "link.timeout",
            Self::Lost { .. } => "link.lost",
            Self::Garbled { .. } | Self::Telegram { .. } | Self::Foreign { .. } => "link.protocol",
            Self::Trouble { .. } => "link.meter.error",
            Self::Twice { .. } => "link.meter.twice",
        }
    }

    /// Whether what the wire carried was in order all the same.
    pub(super) const fn keeps_session(&self) -> bool {
        match self {
            Self::Trouble { .. } | Self::Twice { .. } => true,
            Self::Timeout { .. }
            | Self::Lost { .. }
            | Self::Garbled { .. }
            | Self::Telegram { .. }
            | Self::Foreign { .. } => false,
        }
    }
}
