//! What may have been used, or may not, beside what was booked: into the bounds of the months that it may lie in.
//!
//! Must never: narrow a bound.

use chrono::NaiveDate;
use model::time::day_start;
use model::{Instant, Interval, Joint, Month};

use super::{Accumulator, next_start, unmeasured_at_most};
use crate::checkpoint::kept;
use crate::counter::{Counted, ORDINARY_STEP_MAX, RETURN_MILLIS_MAX};

/// On how many days of changing use the energy must have a divisor before that is the register's step. Twice the true step is one by
/// chance in one of 4 096.
const DIVISOR_DAYS_MIN: u32 = 12;

/// The largest number that divides the smallest rise and everything that was counted until the days' ends in one range of
/// totals.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Divisor {
    /// Where the range began.
    origin: i64,
    counted: i64,
    /// What was counted on the last day.
    of_day: i64,
    step: i64,
    /// Days that counted otherwise than the one before: an even use says nothing of the register.
    days: u32,
}

kept!(Divisor { origin, counted, of_day, step, days });

/// The largest common divisor; of nothing and a number, that number.
fn common(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.abs()
}

impl Accumulator {
    /// What may have been used while a total was repeated, over a month's end, may lie in either month.
    pub(super) fn bound_since(&mut self, counted: &Counted) {
        let (Some(since), interval) = (counted.since, &counted.interval) else { return };
        // One step of a coarse register is in the months' bounds anyhow.
        if self.coarse_step().is_some_and(|step| interval.amount <= step) {
            return;
        }
        let zone = self.settings.zone;
        let (mut month, own) = (since.month(zone), interval.accrued_from.month(zone));
        if month < own && own == interval.to.plus_millis(-1).month(zone) {
            self.doubts.add_placed(own, interval.amount, 0);
        }
        while month < own {
            self.doubts.add_placed(month, 0, interval.high);
            self.doubts.seam(month, (0, interval.high), (interval.amount, 0));
            month = month.next();
        }
    }

    /// At a month's end within an interval of whose energy so much was booked until there: all or nothing of it may lie
    /// on either side.
    pub(super) fn cross_end(&mut self, month: Month, until: i64, interval: &Interval) {
        let ends = (until, interval.high - until);
        self.doubts.seam(month, ends, (interval.amount - until, until));
    }

    /// What a month adds to a span around it.
    pub(super) fn joint(&self, month: Month, amount: i64, unmeasured: Option<i64>, step: i64) -> Joint {
        let (less, more) = self.doubts.of_spans(month);
        let [begins, ends] = self.doubts.edges(month);
        Joint {
            low: amount.saturating_sub(less),
            high: unmeasured.map(|u| amount.saturating_add(more).saturating_add(u)),
            step,
            begins,
            ends,
        }
    }

    /// The step of a register that hides more at a month's end than an ordinary one does: known, or seen on days enough.
    fn coarse_step(&self) -> Option<i64> {
        let learned = Some(self.divisor.step).filter(|_| DIVISOR_DAYS_MIN <= self.divisor.days);
        learned.or(Some(self.settings.resolution)).filter(|&step| ORDINARY_STEP_MAX < step)
    }

    /// At the first total of a day: what divides everything that the register has counted.
    pub(super) fn learn_step(&mut self, day: NaiveDate) {
        if let Some((origin, counted, least)) = self.counter.counted_since_origin() {
            if self.divisor.origin != origin {
                self.divisor = Divisor { origin, ..Divisor::default() };
            }
            let of_day = counted - self.divisor.counted;
            self.divisor.counted = counted;
            if self.divisor.of_day != of_day {
                let (step, days) =
                    (common(common(self.divisor.step, least), counted), self.divisor.days.saturating_add(1));
                self.divisor = Divisor { origin, counted, of_day, step, days };
            }
        }
        if let Some(step) = self.coarse_step() {
            self.steps.at_least(Month::of(day), step);
        }
    }

    /// Totals before one that fell may have been too high for a day, as what is garbled may be; then the day's energy was
    /// less by the fall.
    pub(super) fn bound_too_high(&mut self, too_high: Option<(Instant, [i64; 2])>) {
        let Some((until, [least, most])) = too_high else { return };
        let zone = self.settings.zone;
        let since = until.plus_millis(-RETURN_MILLIS_MAX);
        let recent = self.days.partition_point(|d| d.day < since.day(zone));
        let booked = self.days[recent..].iter().fold(0_i64, |sum, d| sum.saturating_add(d.amount));
        if booked < least {
            return;
        }
        let (mut month, last) = (since.month(zone), until.month(zone));
        while month <= last {
            self.doubts.add(month, most.min(booked), 0);
            month = month.next();
        }
    }

    /// Takes a span out of the measured time, in which a total was repeated that proves nothing.
    pub(super) fn uncover(&mut self, span: Option<(Instant, Instant)>) {
        let Some((from, to)) = span else { return };
        let zone = self.settings.zone;
        let first = self.days.partition_point(|d| d.day < from.day(zone));
        for value in self.days.iter_mut().skip(first) {
            let begin = day_start(value.day, zone).millis().max(from.millis());
            let end = next_start(value.day, zone).min(to.millis());
            value.covered_millis = (value.covered_millis - (end - begin).max(0)).max(0);
        }
        if let Some(hours) = &mut self.hours {
            hours.uncover(from, to);
        }
    }

    /// An edited reading never becomes a saving: both sides of it may be off by what the edit took or gave, as far as
    /// the connection could have carried it.
    pub(super) fn bound_correction(
        &mut self,
        before: Option<(Instant, i64)>,
        at: Instant,
        raw: i64,
        total: i64,
    ) {
        let since = before.map_or(0, |(from, _)| at.millis() - from.millis());
        let edited = raw.abs_diff(total).min(i64::MAX as u64) as i64;
        let most = unmeasured_at_most(self.settings.ceiling_per_milli, since.max(1)).unwrap_or(i64::MAX);
        self.corrected_by = edited.min(most);
        self.bound_ends(before.map_or(at, |(from, _)| from), at, self.corrected_by);
        self.cursor.to = i64::MIN;
    }

    /// Energy up to this amount may be missing from, or too much in, the months in which a span begins and ends.
    pub(super) fn bound_ends(&mut self, from: Instant, to: Instant, by: i64) {
        let zone = self.settings.zone;
        // A span that ends with a month lies in that month.
        let (first, last) = (from.month(zone), to.plus_millis(-1).month(zone));
        self.doubts.add(first, by, by);
        if first < last {
            self.doubts.add(last, by, by);
        }
    }
}
