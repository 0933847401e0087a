//! From totals to attainment: counters, months with coverage, degree days, baseline models, adjusted
//! baselines, factors, KPI, and the annual report as a document tree.
//!
//! Must never: do I/O, read a clock, be async, derive serde, log. Functions return values and findings; they
//! never fail on bad data.

mod agree;
pub mod analysis;
pub mod balance;
pub mod baseline;
pub mod bills;
pub mod calendar;
pub mod certificate;
mod checkpoint;
pub mod commissioning;
pub mod counter;
pub mod degree_days;
pub mod digits;
pub mod economics;
pub mod evaluate;
pub mod exchange;
pub mod expected;
pub mod explain;
pub mod factors;
pub mod filed;
pub mod forecast;
pub mod gaps;
pub mod gas;
pub mod kpi;
pub mod load;
#[cfg(test)]
mod noise;
pub mod normalise;
pub mod places;
pub mod region;
pub mod report;
pub mod result;
pub mod savings;
pub mod scheme;
pub mod series;
pub mod signature;
pub mod text;
pub mod uncertainty;
pub mod watch;
