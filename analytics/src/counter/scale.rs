//! A register that suddenly counts in another unit.
//!
//! Must never: explain a total by a factor that would fit many totals.

use super::Mark;
use super::limits::Limits;
use crate::checkpoint::kept;

/// Factors between the units that makers offer: Wh, kWh, MWh and their decimals.
const FACTORS: [i64; 3] = [1_000, 100, 10];

/// A window of fitting totals wider than this part of the total proves nothing: one in twenty.
const WINDOW_PARTS: i64 = 20;

/// From what is read to the unit that the series began with: × `times` ÷ `over`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    times: i64,
    over: i64,
}

kept!(Scale { times, over });

impl Scale {
    pub(super) const ONE: Self = Self { times: 1, over: 1 };

    pub(super) fn apply(self, total: i64) -> Option<i64> {
        if self == Self::ONE {
            return Some(total);
        }
        let scaled = i128::from(total) * i128::from(self.times) / i128::from(self.over);
        i64::try_from(scaled).ok()
    }

    /// The step of a register, in the unit that the series began with.
    pub(super) fn widen(self, step: i64) -> i64 {
        self.apply(step).unwrap_or(step).max(step)
    }

    /// This one after another; `None` beyond what any pair of units has.
    pub(super) fn then(self, next: Self) -> Option<Self> {
        let (mut times, mut over) = (self.times.checked_mul(next.times)?, self.over.checked_mul(next.over)?);
        while times % 10 == 0 && over % 10 == 0 {
            times /= 10;
            over /= 10;
        }
        (times <= 1_000_000 && over <= 1_000_000).then_some(Self { times, over })
    }

    /// Whether a rate that went from `before` to `after` speaks for this factor rather than for none.
    pub(super) fn explains_rates(self, before: f64, after: f64) -> bool {
        let root = (self.over as f64 / self.times as f64).sqrt();
        if 1.0 < root { before * root < after } else { after < before * root }
    }
}

/// The factor by which a total follows from the base although its face value does not. `None` when no factor fits, or
/// when so many totals would fit that it proves nothing.
pub(super) fn factor(limits: &Limits, base: Mark, now: Mark, step: i64) -> Option<Scale> {
    let most = limits.most_in(now.at - base.at, step);
    FACTORS.into_iter().find_map(|k| {
        // A register in a coarser unit cannot show what is below its step.
        let (scale, slack) = if base.total < now.total {
            (Scale { times: 1, over: k }, step)
        } else {
            (Scale { times: k, over: 1 }, step.saturating_mul(k))
        };
        let window = most.checked_add(slack)?.checked_mul(WINDOW_PARTS)?;
        let risen = scale.apply(now.total)?.checked_sub(base.total)?;
        (window <= base.total && -slack <= risen && risen <= most).then_some(scale)
    })
}
