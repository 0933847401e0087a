//! By how much a month's energy may be less or more than its amount.
//!
//! Must never: lose a bound that was once given.

use model::{Edge, Month};

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

    /// (less, more)
    pub(super) fn of(&self, month: Month) -> (i64, i64) {
        let found = self.0.binary_search_by_key(&month, |s| s.month).ok().map(|i| &self.0[i]);
        found.map_or((0, 0), |s| (s.less, s.more))
    }
}

/// What is in doubt of each month by itself, and what of that stays in doubt of a span that holds it with its neighbours.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubts {
    months: Slacks,
    /// Of any span that holds the month.
    spans: Slacks,
    /// Of a span that begins, or ends, with the month.
    begins: Slacks,
    ends: Slacks,
    /// What came in gaps over a month's end, on either side of it, and in gaps whose energy is itself in doubt.
    split: Slacks,
}

kept!(Doubts { months, spans, begins, ends, split });

impl Doubts {
    /// Energy that nobody knows, in whatever span the month lies.
    pub(super) fn add(&mut self, month: Month, less: i64, more: i64) {
        self.months.add(month, less, more);
        self.spans.add(month, less, more);
    }

    /// Energy of which only the month is in doubt: it is in the [`Self::seam`]s too.
    pub(super) fn add_placed(&mut self, month: Month, less: i64, more: i64) {
        self.months.add(month, less, more);
    }

    /// What is known of an amount over all months in which it may lie, told with the last of them.
    pub(super) fn add_whole(&mut self, month: Month, less: i64, more: i64) {
        self.spans.add(month, less, more);
    }

    /// Energy that may lie on either side of a month's end: by how much spans that end there may have less or more, and
    /// spans that begin there.
    pub(super) fn seam(&mut self, month: Month, ends: (i64, i64), begins: (i64, i64)) {
        self.ends.add(month, ends.0, ends.1);
        self.begins.add(month.next(), begins.0, begins.1);
    }

    /// Energy of a gap that may not be this month's: put here by time over the month's end, or in doubt as a whole.
    pub(super) fn add_split(&mut self, month: Month, amount: i64) {
        self.split.add(month, amount, 0);
    }

    /// All of it in a month.
    pub(super) fn split_of(&self, month: Month) -> i64 {
        self.split.of(month).0
    }

    /// (less, more) of the month by itself.
    pub(super) fn of(&self, month: Month) -> (i64, i64) {
        self.months.of(month)
    }

    pub(super) fn of_spans(&self, month: Month) -> (i64, i64) {
        self.spans.of(month)
    }

    pub(super) fn edges(&self, month: Month) -> [Edge; 2] {
        let edge = |(less, more)| Edge { less, more };
        [edge(self.begins.of(month)), edge(self.ends.of(month))]
    }
}
