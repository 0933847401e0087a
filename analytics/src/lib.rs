//! From totals to attainment: counters, months with coverage, degree days, baseline models, adjusted
//! baselines, factors, KPI, and the annual report as a document tree.
//!
//! Must never: do I/O, read a clock, be async, derive serde, log. Functions return values and findings; they
//! never fail on bad data.

pub mod factors;
pub mod report;
pub mod result;
pub mod scheme;
