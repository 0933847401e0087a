//! Whether two statements of one month leave room for one truth, and between which bounds it then lies.
//!
//! Must never: call two amounts the same that differ by more than rounding and the edges of days, or find room beneath
//! what was proved.

use model::MonthValue;

use crate::evaluate::COVERAGE_MIN;

/// One display unit in the smallest ones: bills and files round to it.
const ROUNDING: i64 = 1_000;
/// Share of an amount by which two may differ for reading at another hour of the day: of a month, a third of a day.
const EDGES: i64 = 100;

/// Bounds within both statements, above none where `i64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    low: i64,
    high: i64,
}

/// Between which bounds the truth of a month lies of which the meter itself says one thing and a bill or a file
/// another. `None` where both cannot be true: the bounds leave no room, or what is said of nearly the whole month,
/// and is no estimate, is less than what the meter proved.
pub(crate) fn room(own: &MonthValue, said: &MonthValue) -> Option<Room> {
    let high_of = |v: &MonthValue| v.high.unwrap_or(i64::MAX);
    let (low, high) = (own.low.max(said.low), high_of(own).min(high_of(said)));
    let tolerated = |less: i64, more: i64| more.saturating_sub(less) <= ROUNDING.max(more / EDGES);
    let stands_for_all = COVERAGE_MIN <= said.coverage_ratio && said.estimated_ratio <= 1.0 - COVERAGE_MIN;
    if !tolerated(high, low) || (stands_for_all && !tolerated(whole(said), own.low)) {
        return None;
    }
    // Two that differ by rounding only: the truth may be either.
    Some(Room { low: low.min(high), high: low.max(high) })
}

/// The amount of a month with its missing hours at the mean of the others.
#[expect(
    clippy::cast_possible_truncation,
    reason = "an amount by a share above nine tenths; a cast saturates"
)]
fn whole(said: &MonthValue) -> i64 {
    (said.amount as f64 / said.coverage_ratio).round() as i64
}

impl Room {
    /// What was said, within the bounds of both and at no less than the meter proved.
    pub(crate) fn raised(self, said: &MonthValue, own: &MonthValue) -> MonthValue {
        MonthValue {
            amount: said.amount.clamp(self.low, self.high).max(own.low),
            low: self.low,
            high: (self.high != i64::MAX).then_some(self.high),
            joint: None,
            ..*said
        }
    }
}
