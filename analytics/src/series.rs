//! Totals to days and civil months: the incremental accumulator that live values and history share.
//!
//! Must never: hide time that was not measured, put energy outside the two totals that carry it, or lose a unit
//! when an interval is split.

use chrono::NaiveDate;
use model::time::day_start;
use model::{
    BaseUnit, Finding, GasCoefficient, Instant, Interval, MeterFacts, Month, MonthValue, MonthlySeries,
    Severity, Step, Zone,
};

use crate::counter::{Counter, CounterSettings, Push};
use crate::gas::standard_months;

mod notes;
pub mod split;

use notes::Notes;

/// Shortest interval that counts as a gap, in milliseconds: 15 minutes.
pub const GAP_MILLIS_MIN: i64 = 15 * 60 * 1000;

/// Instants outside 2010-01-01 to 2200-01-01 are no readings of a building: a clock was never set.
const INSTANT_MIN: i64 = 1_262_304_000_000;

/// Longest interval that counts as measured time, in milliseconds: 62 days, two months' bills. Beyond it the energy
/// between two totals is known and when it was used is not.
const COVERED_MILLIS_MAX: i64 = 62 * 24 * 3_600 * 1_000;
const INSTANT_MAX: i64 = 7_258_118_400_000;

/// How a series is made of totals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesSettings {
    pub unit: BaseUnit,
    pub zone: Zone,
    /// The most the connection can carry, in smallest units per millisecond; not positive: unknown.
    pub ceiling_per_milli: f64,
    /// The total at which the register begins again.
    pub wraps_at: Option<i64>,
    /// The step in which the register counts, in smallest units; 1 when not known.
    pub resolution: i64,
    /// An interval longer than this is catch-up energy: it counts, but its place in time is estimated.
    pub gap_after_millis: i64,
    /// With it the totals, and all of the settings, are litres of gas at the meter's conditions; days and months are
    /// given in litres at standard conditions.
    pub gas: Option<GasCoefficient>,
}

impl SeriesSettings {
    /// The settings of a meter that is read every `every_seconds`: a gap is more than three periods and more than
    /// 15 minutes.
    #[must_use]
    pub fn of(meter: &MeterFacts, zone: Zone, every_seconds: u32) -> Self {
        let gas = meter.gas.map(|gas| gas.coefficient);
        Self {
            unit: meter.carrier.base_unit(),
            zone,
            ceiling_per_milli: meter.ceiling_per_milli() / gas.map_or(1.0, GasCoefficient::to_f64),
            gas,
            wraps_at: meter.wraps_at,
            resolution: 1,
            gap_after_millis: (i64::from(every_seconds) * 3_000).max(GAP_MILLIS_MIN),
        }
    }
}

/// Shortest time in which a register may come round, in seconds: a day, or ten readings.
const WRAP_SECONDS_MIN: f64 = 86_400.0;
const WRAP_READINGS_MIN: f64 = 10.0;

impl SeriesSettings {
    /// A finding where the register can come round within a day or ten readings at what the connection carries: a gap
    /// longer than that hides how often it did. The counter sees one wrap between two totals and no more.
    #[must_use]
    pub fn fast_wrap(&self, every_seconds: u32, subject: &str) -> Option<Finding> {
        let modulus = self.wraps_at?;
        if self.ceiling_per_milli <= 0.0 {
            return None;
        }
        let seconds = modulus as f64 / self.ceiling_per_milli / 1_000.0;
        let least = WRAP_SECONDS_MIN.max(WRAP_READINGS_MIN * f64::from(every_seconds));
        let hours = format!("{:.1}", seconds / 3_600.0);
        (seconds < least).then(|| {
            let says = format!(
                "at the connection's ceiling the register begins again after {hours} h; a longer gap hides how \
                 often it did, so read it more often, or use a counter with a wider register"
            );
            let rule = "conservative direction: a wrap that nobody saw is energy that is missing";
            Finding::new("series.wrap.fast", Severity::Caution, subject, says, rule).with("hours", hours)
        })
    }
}

/// What became of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// Taken into the series.
    Counted(Step),
    /// Another total of an instant already seen: the first one stands.
    Repeated,
    /// Older than the last reading. Nothing changed: rebuild the accumulator from history in order of
    /// (instant, origin).
    OutOfOrder,
    /// Its instant is not of this age: a device whose clock was never set. Nothing changed.
    OutOfRange,
}

/// One civil day of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayValue {
    pub day: NaiveDate,
    /// In the smallest unit.
    pub amount: i64,
    /// Time of the day between two accepted totals.
    pub covered_millis: i64,
    /// Part of `amount` that came as catch-up energy of a gap.
    pub estimated: i64,
}

/// A finding and the month it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedFinding {
    pub month: Month,
    pub finding: Finding,
}

/// The part of an interval that lies in one of the several months it touches.
#[derive(Debug, Clone, Copy)]
struct Crossing {
    month: Month,
    part: i64,
    whole: i64,
}

/// The day in which the last interval ended, with its bounds.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    index: usize,
    from: i64,
    to: i64,
}

/// Makes days and months of totals as they come. A push costs a few nanoseconds and allocates once a day.
#[derive(Debug, Clone)]
pub struct Accumulator {
    settings: SeriesSettings,
    counter: Counter,
    /// Ascending, without duplicates; days without covered time are absent.
    days: Vec<DayValue>,
    cursor: Cursor,
    crossings: Vec<Crossing>,
    notes: Notes,
    readings: u64,
    first_at: Option<Instant>,
    last: Option<(Instant, i64)>,
}

impl Accumulator {
    #[must_use]
    pub fn new(settings: SeriesSettings) -> Self {
        let counter = Counter::new(CounterSettings {
            ceiling_per_milli: settings.ceiling_per_milli,
            wraps_at: settings.wraps_at,
            resolution: settings.resolution,
        });
        Self {
            settings,
            counter,
            days: Vec::new(),
            // An empty span: the first interval takes the slow way and sets it.
            cursor: Cursor { index: 0, from: i64::MAX, to: i64::MIN },
            crossings: Vec::new(),
            notes: Notes::default(),
            readings: 0,
            first_at: None,
            last: None,
        }
    }

    /// Takes the next total. Readings come in order of time; of equal instants the first one stands.
    #[inline]
    pub fn push(&mut self, at: Instant, total: i64) -> Pushed {
        let to = at.millis();
        // Nearly every reading: a plain rise within the day of the last one.
        if to <= self.cursor.to
            && let Some((from, amount)) = self.counter.advance(to, total)
        {
            self.readings += 1;
            self.last = Some((at, total));
            self.notes.calm();
            if self.cursor.from <= from && to - from <= self.settings.gap_after_millis {
                let day = &mut self.days[self.cursor.index];
                day.amount = day.amount.saturating_add(amount);
                day.covered_millis += to - from;
            } else {
                self.book(Interval { from: Instant::from_millis(from), to: at, amount, step: Step::Advance });
            }
            return Pushed::Counted(Step::Advance);
        }
        self.push_slowly(at, total)
    }

    fn push_slowly(&mut self, at: Instant, total: i64) -> Pushed {
        if at.millis() < INSTANT_MIN || INSTANT_MAX <= at.millis() {
            return Pushed::OutOfRange;
        }
        let owed = self.counter.overbooked();
        let interval = match self.counter.push(at, total) {
            Push::Counted(interval) => interval,
            Push::Repeated => return Pushed::Repeated,
            Push::OutOfOrder => return Pushed::OutOfOrder,
        };
        if self.counter.overbooked() < owed {
            self.take_off(interval, owed - self.counter.overbooked());
        }
        self.readings += 1;
        self.last = Some((at, total));
        if interval.step == Step::Advance {
            self.notes.calm();
            self.book(interval);
        } else {
            self.push_unusual(at, interval);
        }
        Pushed::Counted(interval.step)
    }

    fn push_unusual(&mut self, at: Instant, interval: Interval) {
        if self.first_at.is_none() {
            self.first_at = Some(at);
        }
        self.notes.step(at.month(self.settings.zone), interval);
        match interval.step {
            Step::First | Step::Held | Step::Impossible => {}
            Step::Advance | Step::Wrapped | Step::Recovered | Step::Reset => self.book(interval),
        }
    }

    fn book(&mut self, interval: Interval) {
        let gap = self.settings.gap_after_millis < interval.to.millis() - interval.from.millis();
        self.book_across(interval, gap);
    }

    fn book_across(&mut self, interval: Interval, gap: bool) {
        let zone = self.settings.zone;
        let (from, to) = (interval.from.millis(), interval.to.millis());
        if gap {
            self.notes.gap(interval.to.month(zone), interval);
        }
        let mut splitter = split::Splitter::new(interval.amount, to - from);
        let first_month = interval.from.month(zone);
        let mut day = interval.from.day(zone);
        let mut begin = from;
        let mut in_month = 0;
        let mut crosses = false;
        loop {
            let (day_from, day_to) = (day_start(day, zone).millis(), next_start(day, zone));
            let end = day_to.min(to);
            let part = splitter.part_until(end - from);
            let covered = if to - from <= COVERED_MILLIS_MAX { end - begin } else { 0 };
            self.add(day, covered, part, gap);
            in_month += part;
            self.cursor.from = day_from;
            self.cursor.to = day_to;
            let Some(next) = day.succ_opt().filter(|_| end < to) else { break };
            if Month::of(next) != Month::of(day) {
                crosses = true;
                self.cross(Month::of(day), &mut in_month, interval.amount);
            }
            day = next;
            begin = end;
        }
        if crosses {
            debug_assert!(first_month < Month::of(day));
            self.cross(Month::of(day), &mut in_month, interval.amount);
        }
    }

    /// Energy that was not booked because a false range had booked it before, in a month it may not belong to: no
    /// month's upper bound may lose it.
    fn take_off(&mut self, interval: Interval, amount: i64) {
        let month = interval.to.month(self.settings.zone);
        match self.crossings.last_mut() {
            Some(last) if last.month == month && last.part == 0 => {
                last.whole = last.whole.saturating_add(amount)
            }
            _ => self.crossings.push(Crossing { month, part: 0, whole: amount }),
        }
    }

    fn cross(&mut self, month: Month, part: &mut i64, whole: i64) {
        self.crossings.push(Crossing { month, part: *part, whole });
        *part = 0;
    }

    /// Adds to a day, which becomes the cursor's.
    fn add(&mut self, day: NaiveDate, millis: i64, amount: i64, estimated: bool) {
        let index = match self.days.last() {
            Some(last) if last.day == day => self.days.len() - 1,
            Some(last) if day < last.day => match self.days.binary_search_by_key(&day, |d| d.day) {
                Ok(index) => index,
                Err(index) => {
                    self.days.insert(index, DayValue { day, amount: 0, covered_millis: 0, estimated: 0 });
                    index
                }
            },
            Some(_) | None => {
                self.days.push(DayValue { day, amount: 0, covered_millis: 0, estimated: 0 });
                self.days.len() - 1
            }
        };
        let value = &mut self.days[index];
        value.amount = value.amount.saturating_add(amount);
        value.covered_millis += millis;
        if estimated {
            value.estimated = value.estimated.saturating_add(amount);
        }
        self.cursor.index = index;
    }

    /// Civil months so far. Time between the last accepted total and `until` counts as not covered; so does the
    /// beginning of the first month. Months without covered time are absent.
    #[must_use]
    pub fn snapshot(&self, until: Instant) -> MonthlySeries {
        let mut months: Vec<MonthValue> = Vec::new();
        let mut start = 0;
        while start < self.days.len() {
            let month = Month::of(self.days[start].day);
            let end = start + self.days[start..].iter().take_while(|d| Month::of(d.day) == month).count();
            months.push(self.month_value(month, &self.days[start..end], until));
            start = end;
        }
        let series = MonthlySeries { unit: self.settings.unit, months };
        match self.settings.gas {
            Some(coefficient) => standard_months(series, coefficient),
            None => series,
        }
    }

    fn month_value(&self, month: Month, days: &[DayValue], until: Instant) -> MonthValue {
        let (from, to) = month.bounds(self.settings.zone);
        let amount: i64 = days.iter().fold(0, |sum, d| sum.saturating_add(d.amount));
        let covered: i64 = days.iter().map(|d| d.covered_millis).sum();
        let estimated: i64 = days.iter().fold(0, |sum, d| sum.saturating_add(d.estimated));
        let (mut low, mut high) = (amount, amount);
        for crossing in self.crossings.iter().filter(|c| c.month == month) {
            low -= crossing.part;
            high = high.saturating_add(crossing.whole - crossing.part);
        }
        let length = to.millis() - from.millis();
        let missing = (until.millis().min(to.millis()) - from.millis() - covered).max(0);
        MonthValue {
            month,
            amount,
            low,
            high: unmeasured_at_most(self.settings.ceiling_per_milli, missing)
                .map(|u| high.saturating_add(u)),
            coverage_ratio: (covered as f64 / length as f64).clamp(0.0, 1.0),
            estimated_ratio: if 0 < amount {
                (estimated as f64 / amount as f64).clamp(0.0, 1.0)
            } else {
                0.0
            },
        }
    }

    /// Every civil day with covered time, ascending; of gas at the meter's conditions, as the totals are.
    #[must_use]
    pub fn days(&self) -> &[DayValue] {
        &self.days
    }

    /// Energy of a civil day so far, in the smallest unit; zero for a day without readings.
    #[must_use]
    pub fn today(&self, day: NaiveDate) -> i64 {
        let amount = match self.days.last() {
            Some(last) if last.day == day => last.amount,
            _ => self.days.binary_search_by_key(&day, |d| d.day).map_or(0, |i| self.days[i].amount),
        };
        self.settings.gas.map_or(amount, |coefficient| coefficient.standard_litres(amount))
    }

    /// What the counter did and where readings are missing, per month, with `subject` (`meter:boiler-1`) before
    /// the month. Bounded by the number of months.
    #[must_use]
    pub fn findings(&self, subject: &str) -> Vec<DatedFinding> {
        self.notes.findings(subject, self.settings.unit)
    }

    #[must_use]
    pub fn settings(&self) -> &SeriesSettings {
        &self.settings
    }

    /// Readings taken.
    #[must_use]
    pub fn readings(&self) -> u64 {
        self.readings
    }

    #[must_use]
    pub fn first_at(&self) -> Option<Instant> {
        self.first_at
    }

    #[must_use]
    pub fn last_at(&self) -> Option<Instant> {
        self.last.map(|(at, _)| at)
    }

    /// The last total as it came, believed or not.
    #[must_use]
    pub fn last_total(&self) -> Option<i64> {
        self.last.map(|(_, total)| total)
    }
}

/// The most that time without totals can hide, in smallest units; `None` when nothing bounds it.
#[must_use]
pub(crate) fn unmeasured_at_most(ceiling_per_milli: f64, missing_millis: i64) -> Option<i64> {
    if missing_millis <= 0 {
        return Some(0);
    }
    let known = ceiling_per_milli.is_finite() && 0.0 < ceiling_per_milli;
    // `as` saturates, which keeps the bound a bound.
    known.then(|| (ceiling_per_milli * missing_millis as f64).ceil() as i64)
}

fn next_start(day: NaiveDate, zone: Zone) -> i64 {
    day.succ_opt().map_or(i64::MAX, |next| day_start(next, zone).millis())
}

#[cfg(test)]
mod tests;
