//! The harness of the suites: the repository as files, the real daemon as a process, brokers and meters beside it.
//!
//! Must never: reach into the daemon's inside. What a suite knows, it knows from files, sockets and exit codes.

pub mod broker;
pub mod certificates;
pub mod daemon;
pub mod http;
pub mod journal;
pub mod meter;
pub mod numbered;
pub mod peers;
pub mod random;
pub mod repo;
pub mod site;
pub mod soak;
pub mod wait;
