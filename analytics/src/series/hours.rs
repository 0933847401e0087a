//! Hours of a series, for load profiles and carpets.
//!
//! Hours are those of UTC, which are civil hours wherever the zone's offset is a whole number of hours.
//!
//! Must never: lose a unit when an interval is split, or show an hour without covered time as one without use.

use model::{Instant, Interval};

use super::split::Splitter;
use crate::checkpoint::{Kept, kept};

const HOUR_MILLIS: i64 = 3_600_000;

/// One hour of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourValue {
    /// Its first instant.
    pub from: Instant,
    /// In the smallest unit.
    pub amount: i64,
    /// Time of the hour between two accepted totals.
    pub covered_millis: i64,
    /// Part of `amount` that came as catch-up energy of a gap.
    pub estimated: i64,
}

kept!(HourValue { from, amount, covered_millis, estimated });

/// Hours as bytes, for whoever keeps them with the form's number.
#[must_use]
pub fn pack(hours: &[HourValue]) -> Vec<u8> {
    let mut out = Vec::with_capacity(hours.len() * 12);
    hours.to_vec().keep(&mut out);
    out
}

/// The hours of [`pack`]; `None` when the bytes are none.
#[must_use]
pub fn unpack(mut bytes: &[u8]) -> Option<Vec<HourValue>> {
    let hours = Vec::take(&mut bytes)?;
    bytes.is_empty().then_some(hours)
}

/// Ascending, without duplicates.
#[derive(Debug, Clone, Default)]
pub(super) struct Hours(Vec<HourValue>);

impl Kept for Hours {
    fn keep(&self, out: &mut Vec<u8>) {
        self.0.keep(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Vec::take(bytes).map(Self)
    }
}

impl Hours {
    pub(super) fn all(&self) -> &[HourValue] {
        &self.0
    }

    /// Splits an interval over its hours by time. `accrued_from` is where its energy begins, in milliseconds.
    pub(super) fn book(&mut self, interval: &Interval, accrued_from: i64, covered: bool, estimated: bool) {
        let (from, to) = (interval.from.millis(), interval.to.millis());
        let mut splitter = Splitter::new(interval.amount, to - accrued_from);
        let (mut hour, mut begin) = (accrued_from.div_euclid(HOUR_MILLIS) * HOUR_MILLIS, accrued_from);
        loop {
            let end = (hour + HOUR_MILLIS).min(to);
            let part = splitter.part_until(end - accrued_from);
            let value = self.slot(hour);
            value.amount = value.amount.saturating_add(part);
            if covered {
                value.covered_millis += (end - begin.max(from)).max(0);
            }
            if estimated {
                value.estimated = value.estimated.saturating_add(part);
            }
            if to <= end {
                break;
            }
            hour += HOUR_MILLIS;
            begin = end;
        }
    }

    /// Takes a span out of the measured time.
    pub(super) fn uncover(&mut self, from: Instant, to: Instant) {
        for value in self.0.iter_mut().rev().take_while(|h| from < h.from.plus_millis(HOUR_MILLIS)) {
            let (begin, end) = (value.from.max(from), value.from.plus_millis(HOUR_MILLIS).min(to));
            let taken = (end.millis() - begin.millis()).max(0);
            value.covered_millis = (value.covered_millis - taken).max(0);
        }
    }

    fn slot(&mut self, hour: i64) -> &mut HourValue {
        let from = Instant::from_millis(hour);
        // Nearly always the last one.
        let at = match self.0.last() {
            Some(last) if last.from == from => self.0.len() - 1,
            Some(last) if from < last.from => self.0.partition_point(|h| h.from < from),
            Some(_) | None => self.0.len(),
        };
        if self.0.get(at).is_none_or(|h| h.from != from) {
            self.0.insert(at, HourValue { from, amount: 0, covered_millis: 0, estimated: 0 });
        }
        &mut self.0[at]
    }
}
