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
    /// Share of `amount` of which it is estimated that it is the month's (gaps over its ends, estimated bills), 0 to 1. Of
    /// a gap within the month only the days are in doubt.
    pub estimated_ratio: f64,
    /// What its series knows of it beside its neighbours; `None` where the month is known alone.
    pub joint: Option<Joint>,
}

/// Energy that may lie on either side of a month's end, as it falls on a span of months that ends or begins there. In the
/// smallest unit, not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Edge {
    /// By how much the span may have less than its months show.
    pub less: i64,
    /// By how much it may have more.
    pub more: i64,
}

/// A month as a part of a longer span of the same series. Energy whose month is in doubt is not in doubt over a span that
/// holds all the months in which it may lie. In the smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joint {
    /// What the month adds to a span around it, at least and at most; `high` is `None` when nothing bounds it.
    pub low: i64,
    pub high: Option<i64>,
    /// What a register of coarse steps hides of any span, on both sides: a step at its ends, however long it is.
    pub step: i64,
    /// Of a span that begins with this month, and of one that ends with it.
    pub begins: Edge,
    pub ends: Edge,
}

impl Joint {
    /// Between which bounds the energy of consecutive months of one series lies; `None` of no months. The upper bound is
    /// `None` when nothing bounds one of them.
    #[must_use]
    pub fn span(months: &[Self]) -> Option<(i64, Option<i64>)> {
        let (first, last) = (months.first()?, months.last()?);
        let step = months.iter().map(|m| m.step).max().unwrap_or(0);
        let less = first.begins.less.saturating_add(last.ends.less).saturating_add(step);
        let more = first.begins.more.saturating_add(last.ends.more).saturating_add(step);
        let low = months.iter().fold(0_i64, |sum, m| sum.saturating_add(m.low));
        let high = months.iter().try_fold(0_i64, |sum, m| Some(sum.saturating_add(m.high?)));
        Some((low.saturating_sub(less), high.map(|high| high.saturating_add(more))))
    }
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
