//! Engines: one suite of conformance that each of them runs, their own ways to fail, and delivery from an outbox.
//!
//! Must never: use a fixed port, or a server that another test uses.

mod conformance;
mod delivery;
mod influx;
mod line;
mod line_law;
mod memory;
mod reply;
mod sample;
#[expect(dead_code, reason = "the suite of the daemons uses the rest")]
mod server;
mod victoria;
