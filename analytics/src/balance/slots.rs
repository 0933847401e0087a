//! Quarter-hours or hours of one meter, with what each of them leaves open.
//!
//! Must never: call a slot measured of which a part was not, or spread the energy of a gap as if it were known when it
//! was used.

use model::{FiledInterval, Instant, Step};

use crate::counter::{Counter, CounterSettings, Push, Turn};
use crate::series::split::Splitter;
use crate::series::{SeriesSettings, unmeasured_at_most};

/// The slots in which energy is balanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SlotLength {
    Quarter,
    Hour,
}

impl SlotLength {
    #[must_use]
    pub const fn millis(self) -> i64 {
        match self {
            Self::Quarter => 900_000,
            Self::Hour => 3_600_000,
        }
    }

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Quarter => "quarter_hour",
            Self::Hour => "hour",
        }
    }
}

/// More than any energy of a building, in Wh, and small enough that years of it add up: nothing bounds a slot.
pub(super) const UNBOUNDED: i64 = i64::MAX / (1 << 24);

/// One slot of one meter, or the sum of several meters' slots. In the smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot {
    /// Best value: measured energy, with intervals that cross a boundary split by time.
    pub amount: i64,
    /// What is certain about this slot alone.
    pub low: i64,
    pub high: i64,
    /// Energy of short intervals that cross one of its boundaries: it is on one side or the other, so that over
    /// neighbouring slots only the outermost boundaries leave a doubt.
    pub edge: i64,
    /// The most that time without totals can hide, at the connection's ceiling.
    pub missing_most: i64,
    /// Whether totals no further apart than a gap cover the whole slot.
    pub measured: bool,
}

impl Slot {
    pub(super) fn add(self, other: Self) -> Self {
        Self {
            amount: self.amount.saturating_add(other.amount),
            low: self.low.saturating_add(other.low),
            high: self.high.saturating_add(other.high),
            edge: self.edge.saturating_add(other.edge),
            missing_most: self.missing_most.saturating_add(other.missing_most),
            measured: self.measured && other.measured,
        }
    }

    /// A slot of which no meter is needed: nothing flows.
    pub(super) const NOTHING: Self =
        Self { amount: 0, low: 0, high: 0, edge: 0, missing_most: 0, measured: true };
}

/// The slots of one meter over a span, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotSeries {
    pub length: SlotLength,
    pub from: Instant,
    pub slots: Vec<Slot>,
}

impl SlotSeries {
    /// The slots of `[from, to)`; both lie on boundaries of the grid. `None` where the series does not reach.
    pub(super) fn within(&self, from: Instant, to: Instant) -> Option<&[Slot]> {
        let index = |at: Instant| usize::try_from((at.millis() - self.from.millis()) / self.length.millis());
        self.slots.get(index(from).ok()?..index(to).ok()?)
    }

    /// The same energy in slots of an hour.
    #[must_use]
    pub fn hours(&self) -> Self {
        if self.length == SlotLength::Hour {
            return self.clone();
        }
        let hour = |four: &[Slot]| {
            let mut sum = four.iter().fold(Slot::NOTHING, |sum, s| sum.add(*s));
            // Inside the hour the crossing energy cancels; its ends keep theirs.
            if sum.measured {
                let edge =
                    four.first().map_or(0, |s| s.edge).saturating_add(four.last().map_or(0, |s| s.edge));
                sum.edge = edge;
                sum.low = sum.amount.saturating_sub(edge).max(0);
                sum.high = sum.amount.saturating_add(edge);
            }
            sum
        };
        Self { length: SlotLength::Hour, from: self.from, slots: self.slots.chunks(4).map(hour).collect() }
    }

    /// Slot by slot the better known of two series of the same grid: this one, else the other.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        if self.length != other.length || self.from != other.from {
            return self;
        }
        for (own, other) in self.slots.iter_mut().zip(&other.slots) {
            if !own.measured && other.measured {
                *own = *other;
            }
        }
        self
    }
}

/// A slot being filled.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    amount: i64,
    /// Energy of short intervals across a boundary: this slot's part, and the whole of them.
    edge_part: i64,
    edge_whole: i64,
    /// The same of gaps.
    gap_part: i64,
    gap_whole: i64,
    covered_millis: i64,
    /// Time whose energy is known, be it only as that of a gap.
    known_millis: i64,
}

/// Makes slots of a meter's totals, or of intervals that a file states.
#[derive(Debug)]
pub struct SlotBuilder {
    length: SlotLength,
    from: i64,
    ceiling_per_milli: f64,
    gap_after_millis: i64,
    slots: Vec<Open>,
    counter: Counter,
    /// Where ranges of totals were left that may come back, oldest first.
    left: Vec<i64>,
}

/// Longest span of slots, in slots: five years of quarter-hours.
pub const SLOTS_MAX: usize = 5 * 366 * 96;

impl SlotBuilder {
    /// For the slots from `from` to before `to`, which lie on boundaries of the grid; at most [`SLOTS_MAX`] of them.
    #[must_use]
    pub fn new(length: SlotLength, (from, to): (Instant, Instant), settings: &SeriesSettings) -> Self {
        let count = (to.millis() - from.millis()).max(0) / length.millis();
        let count = usize::try_from(count).unwrap_or(0).min(SLOTS_MAX);
        Self {
            length,
            from: from.millis(),
            ceiling_per_milli: settings.ceiling_per_milli,
            // A slot whose totals are further apart than itself was not measured as a slot.
            gap_after_millis: settings.gap_after_millis.min(length.millis()),
            slots: vec![Open::default(); count],
            counter: Counter::new(CounterSettings {
                ceiling_per_milli: settings.ceiling_per_milli,
                wraps_at: settings.wraps_at,
                resolution: settings.resolution,
                gap_after_millis: settings.gap_after_millis,
            }),
            left: Vec::new(),
        }
    }

    /// Takes the next total, in order of time.
    pub fn push(&mut self, at: Instant, total: i64) {
        let Push::Counted(counted) = self.counter.push(at, total) else { return };
        match counted.turn {
            Turn::None => {}
            Turn::Left => self.left.push(counted.interval.from.millis()),
            Turn::Returned(ranges) => {
                let keep = self.left.len().saturating_sub(ranges);
                let since = self.left.drain(keep..).next();
                if let Some(since) = since {
                    self.void(since, at.millis());
                }
            }
        }
        while self.counter.ranges_left() < self.left.len() {
            self.left.remove(0);
        }
        self.counter.take_forgotten();
        let interval = counted.interval;
        match interval.step {
            Step::Advance | Step::Wrapped | Step::Recovered if interval.low == interval.high => {
                self.book(interval.from.millis(), interval.to.millis(), interval.amount);
            }
            // Energy whose amount or place is in doubt: the time counts as not measured.
            Step::Advance
            | Step::Wrapped
            | Step::Recovered
            | Step::First
            | Step::Held
            | Step::Reset
            | Step::CaughtUp
            | Step::Rescaled
            | Step::Exchanged
            | Step::Impossible => {}
        }
    }

    /// Takes what a file states; intervals do not overlap.
    pub fn file(&mut self, intervals: &[FiledInterval]) {
        for interval in intervals {
            self.book(interval.from.millis(), interval.to.millis(), interval.amount);
        }
    }

    /// Forgets what was booked between two instants.
    fn void(&mut self, from: i64, to: i64) {
        let length = self.length.millis();
        let first = usize::try_from((from - self.from).max(0) / length).unwrap_or(0);
        let last = usize::try_from((to - self.from).max(0) / length).unwrap_or(0);
        for slot in self.slots.iter_mut().skip(first).take(last.saturating_sub(first) + 1) {
            *slot = Open::default();
        }
    }

    fn book(&mut self, from: i64, to: i64, amount: i64) {
        let length = self.length.millis();
        let end = self.from + length * self.slots.len() as i64;
        if to <= self.from || end <= from || to <= from {
            return;
        }
        let gap = self.gap_after_millis < to - from;
        let crosses = (from - self.from).div_euclid(length) != (to - 1 - self.from).div_euclid(length);
        let mut splitter = Splitter::new(amount, to - from);
        if from < self.from {
            splitter.part_until(self.from - from);
        }
        let mut begin = from.max(self.from);
        while begin < to.min(end) {
            let Ok(index) = usize::try_from((begin - self.from) / length) else { return };
            let until = (self.from + (index as i64 + 1) * length).min(to);
            let part = splitter.part_until(until - from);
            let Some(slot) = self.slots.get_mut(index) else { return };
            slot.amount = slot.amount.saturating_add(part);
            if gap {
                slot.gap_part = slot.gap_part.saturating_add(part);
                slot.gap_whole = slot.gap_whole.saturating_add(amount);
            } else if crosses {
                slot.edge_part = slot.edge_part.saturating_add(part);
                slot.edge_whole = slot.edge_whole.saturating_add(amount);
            }
            slot.known_millis += until - begin;
            slot.covered_millis += if gap && crosses { 0 } else { until - begin };
            begin = until;
        }
    }

    #[must_use]
    pub fn finish(self) -> SlotSeries {
        let length = self.length.millis();
        let most = |millis| unmeasured_at_most(self.ceiling_per_milli, millis).unwrap_or(UNBOUNDED);
        let slot = |open: &Open| {
            let uncertain = open.edge_part.saturating_add(open.gap_part);
            // Time inside a gap whose amount is known hides nothing beyond that amount.
            let missing_most = most(length - open.known_millis).min(UNBOUNDED);
            let whole = open.edge_whole.saturating_add(open.gap_whole.min(most(length)));
            let sure = open.amount.saturating_sub(uncertain).max(0);
            Slot {
                amount: open.amount,
                low: sure,
                high: sure.saturating_add(whole).saturating_add(missing_most).min(UNBOUNDED),
                edge: open.edge_whole,
                missing_most,
                measured: open.covered_millis == length,
            }
        };
        SlotSeries {
            length: self.length,
            from: Instant::from_millis(self.from),
            slots: self.slots.iter().map(slot).collect(),
        }
    }
}
