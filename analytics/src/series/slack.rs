//! By how much a month's energy may be less or more than its amount.
//!
//! Must never: lose a bound that was once given.

use model::Month;

use crate::checkpoint::{Kept, kept};

#[derive(Debug, Clone, Copy)]
struct Slack {
    month: Month,
    less: i64,
    more: i64,
}

kept!(Slack { month, less, more });

/// One entry a month, ascending: bounded by the months, however often a register moves over midnight.
#[derive(Debug, Clone, Default)]
pub(super) struct Slacks(Vec<Slack>);

impl Kept for Slacks {
    fn keep(&self, out: &mut Vec<u8>) {
        self.0.keep(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Vec::take(bytes).map(Self)
    }
}

impl Slacks {
    pub(super) fn add(&mut self, month: Month, less: i64, more: i64) {
        let at = self.0.partition_point(|s| s.month < month);
        if self.0.get(at).is_none_or(|s| s.month != month) {
            self.0.insert(at, Slack { month, less: 0, more: 0 });
        }
        let slack = &mut self.0[at];
        slack.less = slack.less.saturating_add(less.max(0));
        slack.more = slack.more.saturating_add(more.max(0));
    }

    /// Widens a month's bounds to at least this much on both sides.
    pub(super) fn at_least(&mut self, month: Month, by: i64) {
        let (less, more) = self.of(month);
        self.add(month, by - less, by - more);
    }

    pub(super) fn of(&self, month: Month) -> (i64, i64) {
        let found = self.0.binary_search_by_key(&month, |s| s.month).ok().map(|i| &self.0[i]);
        found.map_or((0, 0), |s| (s.less, s.more))
    }
}
