//! Derived series: energy between two totals, and civil months of it.
//!
//! Must never: hide what was not measured. Every month says how much of it was, and between which bounds
//! its energy lies.

use crate::quantity::BaseUnit;
use crate::time::{Instant, Month};

/// What the counter's state machine made of a total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The first total there is: nothing to measure from.
    First,
    /// The same or a higher total.
    Advance,
    /// Passed its modulus and began again.
    Wrapped,
    /// Went backwards: nothing booked, a second opinion is awaited.
    Held,
    /// The fall was noise: measured from before it.
    Recovered,
    /// Later totals agree on another range: the counter was reset, stepped back or was exchanged. The energy
    /// between the last good total and the new range is unknown.
    Reset,
    /// Stood still and showed at once what was used meanwhile.
    CaughtUp,
    /// Counts in another unit than before; measured in the former one.
    Rescaled,
    /// Exchanged by a person's word, with what is known of the closing and opening totals.
    Exchanged,
    /// Claims more than the connection can carry: not booked, a person must decide.
    Impossible,
}

impl Step {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Advance => "advance",
            Self::Wrapped => "wrapped",
            Self::Held => "held",
            Self::Recovered => "recovered",
            Self::Reset => "reset",
            Self::CaughtUp => "caught_up",
            Self::Rescaled => "rescaled",
            Self::Exchanged => "exchanged",
            Self::Impossible => "impossible",
        }
    }
}

/// Energy between two accepted totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    pub from: Instant,
    pub to: Instant,
    /// Since when the energy was used: before `from` where the register moves more rarely than it is read.
    pub accrued_from: Instant,
    /// In the smallest unit of the quantity; never negative.
    pub amount: i64,
    /// Between which the truth lies; both the amount where the totals leave no doubt.
    pub low: i64,
    pub high: i64,
    pub step: Step,
}

/// One civil month of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonthValue {
    pub month: Month,
    /// Best value: measured energy, with intervals that cross a month's boundary split by time. Months
    /// of one unbroken run of totals add up to their difference exactly. In the smallest unit.
    pub amount: i64,
    /// No less than this was used: boundary-crossing intervals count only when wholly inside.
    pub low: i64,
    /// No more than this was used: crossing intervals count in full, and time without totals at the
    /// connection's ceiling. `None` when no ceiling is known and time is missing.
    pub high: Option<i64>,
    /// Share of the month's time between two accepted totals, 0 to 1.
    pub coverage_ratio: f64,
    /// Share of `amount` whose place in time is estimated (gap intervals, estimated bills), 0 to 1.
    pub estimated_ratio: f64,
}

/// Civil months of one series, ascending, without duplicates; months without any data are absent.
#[derive(Debug, Clone, PartialEq)]
pub struct MonthlySeries {
    pub unit: BaseUnit,
    pub months: Vec<MonthValue>,
}

impl MonthlySeries {
    #[must_use]
    pub fn empty(unit: BaseUnit) -> Self {
        Self { unit, months: Vec::new() }
    }

    #[must_use]
    pub fn get(&self, month: Month) -> Option<&MonthValue> {
        self.months.binary_search_by_key(&month, |m| m.month).ok().map(|i| &self.months[i])
    }
}
