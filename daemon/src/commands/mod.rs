//! One file per command of the binary.
//!
//! Must never: share state between commands; what two need stands in the modules above.

pub(crate) mod bench;
pub(crate) mod bench_mqtt;
pub(crate) mod catalog;
pub(crate) mod check;
pub(crate) mod comment;
pub(crate) mod counter;
pub(crate) mod demo;
pub(crate) mod import;
pub(crate) mod meter;
pub(crate) mod probe;
pub(crate) mod quarantine;
pub(crate) mod read;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod scan;
pub(crate) mod system_report;
