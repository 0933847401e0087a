//! The ways in: one file per protocol or format. Everything that comes from outside the daemon comes
//! through here, and leaves as readings, quarantined payloads, findings and events.
//!
//! Must never: keep data, compute a figure, or acknowledge what is not durable.

pub mod day;
pub mod error;
pub mod files;
pub mod identity;
pub mod inbox;
pub mod keys;
pub mod link;
pub mod mail;
pub mod mbus;
pub mod modbus;
pub mod mqtt;
pub mod receipt;
pub mod signature;
mod signed_pdf;
pub mod weather;
pub mod webhook;
pub mod wire;

mod backoff;
mod grid;
mod judge;
#[cfg(test)]
mod testing;

pub use error::{LinkError, Target};
pub use inbox::{
    BoxFuture, Clock, Inbox, InboxError, MessageOutcome, PollOutcome, Quarantined, ReadingOutcome,
    Remembered, SourceEvent, Stop, StopHandle,
};
pub use link::{
    Link, LinkSettings, LinkSpec, MeterSettings, MeterSpec, Probe, ProbeLine, ProbeText, parse_link,
    parse_meter, plan_links, probe, probe_again,
};
