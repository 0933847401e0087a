//! What a file says that a meter measured: energy of intervals, and totals. Truth, each value with its receipt.
//!
//! Must never: hold a derived value, or stand for time that the file does not name.

use crate::reading::SeriesKey;
use crate::time::Instant;

/// Energy or volume of an interval, as a distributor or a building's own system measured it. Identity: (series, from).
/// Intervals of one series never overlap. Of two statements the one received later counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledInterval {
    pub series: SeriesKey,
    pub from: Instant,
    /// First instant after the interval.
    pub to: Instant,
    /// In the smallest unit of the quantity; never negative.
    pub amount: i64,
    /// When whoever states the value received it; the import, where the file does not say.
    pub received_at: Instant,
}

/// A register's total as stated by whoever reads it. Identity: (series, at). Of two statements the one received later
/// counts, which is what a rectification is; a reading of our own ([`crate::Reading`]) is never rectified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledTotal {
    pub series: SeriesKey,
    pub at: Instant,
    /// In the smallest unit of the quantity.
    pub total: i64,
    /// As for [`FiledInterval::received_at`].
    pub received_at: Instant,
}
