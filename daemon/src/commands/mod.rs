//! One file per command of the binary.
//!
//! Must never: share state between commands; what two need stands in the modules above.

pub(crate) mod account;
pub(crate) mod adjustment;
pub(crate) mod analyze;
pub(crate) mod audit;
pub(crate) mod baseline;
pub(crate) mod bench;
pub(crate) mod bench_decode;
pub(crate) mod bench_feed;
pub(crate) mod bench_memory;
pub(crate) mod bench_mqtt;
pub(crate) mod bench_peer;
pub(crate) mod bench_store;
pub(crate) mod catalog;
pub(crate) mod check;
pub(crate) mod comment;
pub(crate) mod counter;
pub(crate) mod degree_days;
pub(crate) mod demo;
pub(crate) mod engine;
pub(crate) mod explain;
pub(crate) mod forecast;
pub(crate) mod import;
pub(crate) mod meter;
pub(crate) mod obligations;
pub(crate) mod office;
pub(crate) mod probe;
pub(crate) mod quarantine;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod scan;
pub(crate) mod series;
pub(crate) mod store;
pub(crate) mod submission;
pub(crate) mod system_report;
