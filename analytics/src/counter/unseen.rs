//! What may have been used without any total showing it: while a total was repeated, before one that fell.
//!
//! Must never: take time without news for time without use.

use model::{Explanation, Instant};

use super::decision::Alternative;
use super::scale::Scale;
use super::{Counter, LEARN_RISES_MIN, Left, Mark, SPARE_MILLIS_MAX};

/// How long a counter may go without storing its totals, in milliseconds: 5 minutes, as Janitza's manuals state for
/// their power analysers.
const STORED_EVERY_MILLIS: i64 = 5 * 60 * 1000;

/// A fall of at most this part of the total is a step back and no reset: 0.3 %.
const STEP_BACK_PARTS: i64 = 333;

/// What may have been used although the totals around a lower one agree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lost {
    /// The most between those two totals.
    pub(super) high: i64,
    pub(super) alternative: Alternative,
}

/// A register that counts in steps of at most this many of the smallest units (1 kWh, 1 m³) is an ordinary one, and what it
/// hides at a month's end is no doubt: 1 000.
pub(crate) const ORDINARY_STEP_MAX: i64 = 1_000;

impl Counter {
    /// Whether a rise ends a time in which the total was repeated, and is more than one step of an ordinary register: the
    /// register steps coarsely, or was not read; what it shows may have been used at any time since.
    #[inline]
    pub(super) fn stood_over(&self, base: Mark, amount: i64) -> bool {
        self.still_since < base.at && self.step().min(ORDINARY_STEP_MAX) < amount
    }

    /// When the present range of totals began, what was counted in it, and the smallest rise.
    pub(crate) fn counted_since_origin(&self) -> Option<(i64, i64, i64)> {
        let learned = LEARN_RISES_MIN <= self.rises && self.scale == Scale::ONE;
        let base = self.base.filter(|_| learned)?;
        Some((self.origin.at, base.total - self.origin.total, self.least_rise))
    }

    /// The span in which the accepted total did not move: nothing was used, or the register was not read.
    pub(super) fn stood_still(&self, base: Mark) -> Option<(Instant, Instant)> {
        let (from, to) = (self.still_since, base.at);
        (from < to).then(|| (Instant::from_millis(from), Instant::from_millis(to)))
    }

    /// Whether a fall is no larger than what a counter uses between two times that it stores its totals.
    pub(super) fn is_of_minutes(&self, base: Mark, first: Mark) -> bool {
        let stored = self.limits.most_in(STORED_EVERY_MILLIS - SPARE_MILLIS_MAX, self.step());
        self.limits.knows_ceiling() && base.total - first.total <= stored
    }

    /// Whether a fall is one of a counter that lost what it had not stored.
    pub(super) fn is_step_back(&self, base: Mark, first: Mark) -> bool {
        self.is_of_minutes(base, first) || base.total - first.total <= base.total / STEP_BACK_PARTS
    }

    /// A total that follows the accepted one, and just as well a lower one that was read between the two: perhaps that one
    /// was garbled, perhaps the counter lost energy there and has used more since than it lost. Then what it rose since
    /// then was used, and what the connection carries until then may have been.
    pub(super) fn lost_by_falling(&self, base: Mark, now: Mark) -> Option<Lost> {
        let first = self.fallen.filter(|&first| self.could_carry(first, now))?;
        let step_back = self.is_step_back(base, first);
        if !self.limits.knows_ceiling() && !step_back {
            return None;
        }
        // A fall of minutes lost no more than that, however long the total stood before.
        let since = if self.is_of_minutes(base, first) { base.at } else { self.still_since.min(base.at) };
        let risen = now.total - first.total;
        let high = match self.limits.knows_ceiling() {
            true => {
                risen.saturating_add(self.limits.most_in(first.at - since - SPARE_MILLIS_MAX, self.step()))
            }
            false => risen,
        };
        let high = high.min(self.limits.most_in(now.at - since, self.step())).max(risen);
        let explanation = if step_back { Explanation::StepBack } else { Explanation::Reset };
        Some(Lost { high, alternative: Alternative { explanation, low: risen, high } })
    }

    /// A total that follows a range that was left above the present one, which stood still: perhaps that one is true and the
    /// register was not read meanwhile.
    pub(super) fn lost_in_low_range(&self, left: Left, now: Mark) -> Option<Lost> {
        let base = self.base.filter(|_| left.above && self.limits.knows_ceiling())?;
        let still = Mark { at: self.still_since.min(base.at), total: base.total };
        if still.at == base.at || now.total < base.total || !self.could_carry(still, now) {
            return None;
        }
        let risen = now.total - self.origin.total;
        let unknown = self.limits.most_in(self.origin.at - left.mark.at - SPARE_MILLIS_MAX, self.step());
        let high = risen.saturating_add(unknown);
        Some(Lost { high, alternative: Alternative { explanation: Explanation::Reset, low: risen, high } })
    }
}
