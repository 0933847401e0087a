//! The store from outside: what it promises, and what it does when files, disks and people fail it.
//!
//! Must never: reach into the crate, but for reading or spoiling the database file as a stranger would.

mod documents;
mod faults;
mod filed;
mod journal;
mod kept;
mod model_check;
mod people;
mod quarantine;
mod support;
mod tally;
