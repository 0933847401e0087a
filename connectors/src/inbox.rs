//! What a connector needs from the daemon: where readings go, what time it is, when to stop.
//!
//! Must never: resolve a submission before it is durable. Acknowledgements to the outside hang on it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use model::{Finding, Instant, MeterId, Origin, Reading, SeriesKey};
use tokio::sync::watch;

/// A future behind a pointer, so that traits with it can be objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Most bytes of a refused payload that are kept.
pub const QUARANTINE_BYTES_MAX: usize = 65_536;

/// Why the daemon did not take what it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InboxError {
    /// The store cannot write, for example because the disk is full. Worth another try later.
    #[error("the journal did not take it: {reason}")]
    Refused { reason: String },
    /// The daemon is going down.
    #[error("the journal is closed")]
    Closed,
}

/// A payload that gave no reading, kept with the reason so that it can be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    pub origin: Origin,
    /// The link it came over, and the meter it would be of.
    pub link: String,
    pub meter: Option<MeterId>,
    /// Topic or file it came from.
    pub place: String,
    /// At most [`QUARANTINE_BYTES_MAX`] of it.
    pub payload: Vec<u8>,
    /// Bytes of the payload as it came.
    pub length: usize,
    pub reason: String,
    /// When it arrived.
    pub at: Instant,
}

/// Something that a link must still know after a restart, such as the names that a device gave its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub link: String,
    pub key: String,
    /// Empty to forget it.
    pub value: Vec<u8>,
    pub at: Instant,
}

/// How a poll of a meter ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PollOutcome {
    /// Every register was answered.
    Complete,
    /// Some requests were refused or failed after others had been answered.
    Partial,
    /// Nothing was answered.
    Failed,
}

impl PollOutcome {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// What became of the values of a poll or message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadingOutcome {
    /// Durable, usable.
    Accepted,
    /// Durable, marked implausible.
    Implausible,
    /// The device said that it has no value, or the number could not be kept.
    NoValue,
    /// Lost: the journal refused it for too long.
    Dropped,
}

impl ReadingOutcome {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Implausible => "implausible",
            Self::NoValue => "no_value",
            Self::Dropped => "dropped",
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageOutcome {
    Accepted,
    /// The broker sent it again after a connection was lost; harmless, since readings are idempotent.
    Duplicate,
    /// A word about whether the meter is there.
    Presence,
    /// Of another kind than the meter's readings, on a topic that it shares.
    Unrelated,
    /// An old value the broker had kept; never a new reading.
    Retained,
    Quarantined,
    /// On a topic that no meter has (any more).
    Unclaimed,
}

impl MessageOutcome {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Presence => "presence",
            Self::Unrelated => "unrelated",
            Self::Retained => "retained",
            Self::Quarantined => "quarantined",
            Self::Unclaimed => "unclaimed",
        }
    }
}

/// Something that happened at a source, for metrics and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    Poll {
        link: String,
        meter: MeterId,
        duration: Duration,
        outcome: PollOutcome,
    },
    Readings {
        meter: MeterId,
        origin: Origin,
        outcome: ReadingOutcome,
        count: u64,
    },
    Message {
        link: String,
        meter: Option<MeterId>,
        outcome: MessageOutcome,
        count: u64,
    },
    /// A session was given up and another one will be, or was, opened.
    SessionRebuilt {
        link: String,
    },
    /// What a finding told is over.
    Resolved {
        subject: String,
        code: &'static str,
    },
    /// The link works, or does not.
    LinkState {
        link: String,
        up: bool,
    },
}

/// Where everything goes. The daemon implements it over its store.
pub trait Inbox: Send + Sync + 'static {
    /// Resolves with `Ok` once all readings are durable; submitting a reading again changes nothing.
    ///
    /// # Errors
    /// The readings are not durable and may be submitted again.
    fn submit(&self, readings: Vec<Reading>) -> BoxFuture<'_, Result<(), InboxError>>;

    /// Resolves with `Ok` once the payload is durable.
    ///
    /// # Errors
    /// The payload is not durable and may be given again.
    fn quarantine(&self, message: Quarantined) -> BoxFuture<'_, Result<(), InboxError>>;

    /// Resolves with `Ok` once it is durable. An inbox that keeps nothing forgets it at once.
    ///
    /// # Errors
    /// It is not durable and may be given again.
    fn remember(&self, _remembered: Remembered) -> BoxFuture<'_, Result<(), InboxError>> {
        Box::pin(async { Ok(()) })
    }

    /// Everything that is remembered of a link.
    ///
    /// # Errors
    /// It cannot be read.
    fn recall(&self, _link: &str) -> BoxFuture<'_, Result<Vec<Remembered>, InboxError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The total of a series that was observed last, unless it is implausible. An inbox that keeps nothing knows none.
    ///
    /// # Errors
    /// It cannot be read.
    fn last_total(&self, _series: &SeriesKey) -> BoxFuture<'_, Result<Option<(Instant, i64)>, InboxError>> {
        Box::pin(async { Ok(None) })
    }

    /// A fact that a person may need to act on. Must not block.
    fn report(&self, finding: Finding);

    /// Something to count. Must not block.
    fn note(&self, event: SourceEvent);
}

/// What time it is.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Instant;
}

/// Tells every [`Stop`] made with it to stop; so does dropping it.
#[derive(Debug)]
pub struct StopHandle(watch::Sender<bool>);

impl StopHandle {
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// Asked by everything that runs: shall I stop?
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    #[must_use]
    pub fn new() -> (StopHandle, Self) {
        let (tx, rx) = watch::channel(false);
        (StopHandle(tx), Self(rx))
    }

    /// Resolves when it is time to stop, at once when it already was.
    pub async fn stopped(&mut self) {
        // An error means that the handle is gone, which is a reason to stop as well.
        let _gone = self.0.wait_for(|stop| *stop).await.is_err();
    }

    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}
