//! The store from outside: what it promises, and what it does when files, disks and people fail it.
//!
//! Must never: reach into the crate, but for reading or spoiling the database file as a stranger would.

mod accounts;
mod archive;
mod backup;
mod documents;
mod faults;
mod filed;
mod journal;
mod kept;
mod model_check;
mod outbox;
mod people;
mod quarantine;
mod results;
mod retention;
mod support;
mod tally;
