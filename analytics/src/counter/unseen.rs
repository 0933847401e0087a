//! What may have been used without any total showing it: while a total was repeated, before one that fell.
//!
//! Must never: take time without news for time without use.

use model::Instant;

use super::{Counter, Mark};

/// How long a counter may go without storing its totals, in milliseconds: 5 minutes, as Janitza's manuals state for
/// their power analysers.
const STORED_EVERY_MILLIS: i64 = 5 * 60 * 1000;

impl Counter {
    /// The span in which the accepted total did not move: nothing was used, or the register was not read.
    pub(super) fn stood_still(&self, base: Mark) -> Option<(Instant, Instant)> {
        let (from, to) = (self.still_since, base.at);
        (from < to).then(|| (Instant::from_millis(from), Instant::from_millis(to)))
    }

    /// Whether a fall is no larger than what a counter uses between two times that it stores its totals.
    pub(super) fn is_of_minutes(&self, base: Mark, first: Mark) -> bool {
        let stored = self.limits.most_in(STORED_EVERY_MILLIS - super::SPARE_MILLIS_MAX, self.step());
        self.limits.knows_ceiling() && base.total - first.total <= stored
    }
}
