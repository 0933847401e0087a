//! Engines: where readings are kept, behind one trait. The journal itself is one; the others are servers to which
//! it delivers and from which series are read back.
//!
//! A server is a mirror: the journal stays the book of record, and what a server lost or garbled is written again.
//!
//! Must never: make a reading of what did not come back exactly, or show a token in an error or a log.

mod address;
mod answer;
mod backoff;
mod body;
mod deliver;
mod embedded;
mod error;
mod http;
mod influx;
mod isolate;
mod line;
mod number;
mod outbox;
mod readings;
mod rewrite;
mod secret;
mod victoria;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use model::{Instant, Reading, SeriesKey};

pub use address::BaseAddress;
pub use answer::{NamedLine, Which};
pub use deliver::{Delivery, DeliveryEvent, DeliveryOptions, Keeper, Outbox, OutboxBatch, deliver};
pub use embedded::Embedded;
pub use error::{EngineError, Retry};
pub use http::HttpOptions;
pub use influx::{Influx, InfluxSettings};
pub use line::{Dialect, Field, LineError, Point, Precision, TagError, decode_tag, point_of};
pub use outbox::StoreOutbox;
pub use readings::{Given, Readings, for_each_in};
pub use rewrite::rewrite;
pub use secret::TokenSource;
pub use victoria::{Victoria, VictoriaSettings};

/// What the futures of a trait object are.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A series of one installation. Meters of two installations may have the same id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineSeries {
    /// The id in `[installation]` of the daemon that read it.
    pub installation: String,
    pub key: SeriesKey,
}

/// A reading that an engine will not take, by its position in what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub index: usize,
    /// The engine's own reason, or ours.
    pub reason: String,
}

/// A reading that an engine took and does not show as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconfirmed {
    pub refused: Refused,
    /// Another value is there: the series must be written again. Otherwise nothing is there.
    pub differs: bool,
}

/// What an engine gave back of a series, in order of (observed at, origin).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadBack {
    pub readings: Vec<Reading>,
    /// Instants of which a part is missing: no reading is made of them.
    pub incomplete: u64,
    /// Identities with more than one value: no reading is made of them.
    pub ambiguous: u64,
}

/// What an engine can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most readings of one call of [`Engine::write`].
    pub write_readings_max: usize,
    /// Series can be deleted, so that corrections reach it.
    pub deletes: bool,
    /// It answers that it has taken what it has dropped: [`Engine::confirm`] must be asked before anything counts as
    /// delivered.
    pub drops_silently: bool,
    /// It holds readings of several installations.
    pub installations: bool,
}

/// What a look at an engine showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// As the engine says; empty where it does not.
    pub version: String,
    /// How far back it keeps readings; `None` where it keeps all or does not say.
    pub retention: Option<Duration>,
    /// Settings of the engine that lose or garble readings, each with what to change.
    pub faults: Vec<Fault>,
}

/// Kinds of faults: how long readings are kept, names or values that are changed, readings kept twice or thinned.
pub const FAULTS: [&str; 3] = ["retention", "names", "duplicates"];

/// A setting of an engine that a person must look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// One of [`FAULTS`].
    pub kind: &'static str,
    /// One plain sentence with what to change.
    pub says: String,
    /// Readings are lost or garbled by it; otherwise it is only a nuisance.
    pub is_grave: bool,
}

/// A place where readings are kept.
pub trait Engine: Send + Sync + Debug {
    /// The kind, as settings name it.
    fn kind(&self) -> &'static str;

    fn limits(&self) -> Limits;

    /// Writes readings of an installation; those it will never take come back with their reason, the others are
    /// accepted. Writing the same again changes nothing that [`Engine::read`] shows.
    ///
    /// # Errors
    /// Nothing, or a part, was taken; all may be written again. See [`EngineError::retry`].
    fn write<'a>(
        &'a self,
        installation: &'a str,
        readings: &'a [Reading],
    ) -> BoxFuture<'a, Result<Vec<Refused>, EngineError>>;

    /// Looks whether readings that [`Engine::write`] took are really there: a sample while the engine's own counters
    /// are at rest, else all of them. Returns those that are not, or not as they were written.
    fn confirm<'a>(
        &'a self,
        installation: &'a str,
        readings: &'a [Reading],
    ) -> BoxFuture<'a, Result<Vec<Unconfirmed>, EngineError>>;

    /// The readings of a series from `from` on and before `to`, as they were written.
    fn read<'a>(
        &'a self,
        series: &'a EngineSeries,
        from: Instant,
        to: Instant,
    ) -> BoxFuture<'a, Result<ReadBack, EngineError>>;

    /// Every series, or those of one installation, in order.
    fn series<'a>(
        &'a self,
        installation: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<EngineSeries>, EngineError>>;

    /// Takes away everything of a series.
    ///
    /// # Errors
    /// [`EngineError::Unable`] where [`Limits::deletes`] is false.
    fn delete<'a>(&'a self, series: &'a EngineSeries) -> BoxFuture<'a, Result<(), EngineError>>;

    /// Asks the engine how it is and how it is set.
    fn health(&self) -> BoxFuture<'_, Result<Health, EngineError>>;
}
