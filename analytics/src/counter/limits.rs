//! What the connection can carry, and what the register can show.
//!
//! Must never: take a limit that is not known for a small one.

use super::{Mark, SPARE_MILLIS_MAX};

/// Known beforehand, and the register's step as far as it was learned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Milliseconds at the ceiling that one unit takes; 0 when no ceiling is known.
    pub(super) millis_per_unit: f64,
    /// First total that the register cannot show.
    pub(super) modulus: i64,
    /// The step in which the register counts, as it is known.
    pub(super) resolution: i64,
    /// Readings further apart than this leave a gap.
    pub(super) gap_after_millis: i64,
}

impl Limits {
    pub(super) fn knows_ceiling(&self) -> bool {
        0.0 < self.millis_per_unit
    }

    /// Since when a register that rose between two readings may stand as the later one shows it: since that one, or
    /// since the one before where a reading is missing between them. Three periods are a gap.
    #[inline]
    pub(super) fn stands_after(&self, before: i64, at: i64) -> i64 {
        let lost = (self.gap_after_millis / 2).max(SPARE_MILLIS_MAX);
        if lost < at - before { before } else { at }
    }

    pub(super) fn wraps(&self) -> bool {
        self.modulus != i64::MAX
    }

    /// A span shorter than this cannot hide a whole turn of the register, whatever its step; `i64::MAX` when none can.
    pub(super) fn turn_millis(&self) -> i64 {
        if !self.knows_ceiling() || !self.wraps() {
            return i64::MAX;
        }
        // Half a turn leaves room for the store and for coarse steps; the slow way then looks exactly.
        let half = (self.modulus / 2) as f64 * self.millis_per_unit;
        (half as i64).saturating_sub(SPARE_MILLIS_MAX).max(self.gap_after_millis)
    }

    /// The most that can be counted in a span that begins with a full store, with one step of the register.
    pub(super) fn most_in(&self, millis: i64, step: i64) -> i64 {
        if !self.knows_ceiling() {
            return i64::MAX;
        }
        // `as` saturates, which keeps the bound a bound.
        let carried = ((millis + SPARE_MILLIS_MAX) as f64 / self.millis_per_unit) as i64;
        carried.saturating_add(step)
    }

    /// Whether a run from one mark to another stays within what the connection can carry.
    pub(super) fn could_carry(&self, from: Mark, to: Mark, step: i64) -> bool {
        to.total.saturating_sub(from.total) <= self.most_in(to.at - from.at, step)
    }

    /// The energy between two totals if the register passed its largest value once.
    pub(super) fn once_around(&self, from: Mark, to: Mark) -> Option<i64> {
        if !self.wraps() || self.modulus <= from.total {
            return None;
        }
        (self.modulus - from.total).checked_add(to.total)
    }
}
