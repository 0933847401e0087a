//! Totals to days and civil months: the incremental accumulator that live values and history share.
//!
//! Must never: hide time that was not measured, put energy outside the two totals that carry it, or lose a unit
//! when an interval is split.

use chrono::NaiveDate;
use model::time::day_start;
use model::{
    BaseUnit, Confidence, DatedAct, Explanation, Finding, GasCoefficient, Instant, Interval, MeterFacts,
    Month, MonthValue, MonthlySeries, Severity, Step, Unit, Zone,
};

use crate::checkpoint::{Kept, kept};
use crate::counter::{
    Counted, Counter, CounterSettings, Decision, Exchanged, Push, STANDSTILL_MILLIS_MIN, Turn,
};
use crate::gas::standard_months;

mod acts;
mod bounds;
mod hours;
mod notes;
mod slack;
pub mod split;

use acts::Acts;
use bounds::Divisor;
use hours::Hours;
pub use hours::{HourValue, pack as pack_hours, unpack as unpack_hours};
pub(crate) use notes::CODES;
use notes::Notes;
use slack::{Doubts, Slacks};

/// Shortest interval that counts as a gap, in milliseconds: 15 minutes.
pub const GAP_MILLIS_MIN: i64 = 15 * 60 * 1000;

/// Number of the form of [`Accumulator::checkpoint`] and [`pack_hours`]: another one whenever a field comes, goes or changes
/// its meaning.
pub const CHECKPOINT_FORM: u32 = 6;

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

kept!(DayValue { day, amount, covered_millis, estimated });

/// A finding and the month it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedFinding {
    pub month: Month,
    pub finding: Finding,
}

/// The day in which the last interval ended, with its bounds.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    index: usize,
    from: i64,
    to: i64,
}

kept!(Cursor { index, from, to });

/// The part of an interval that lies in one month.
#[derive(Debug, Clone, Copy, Default)]
struct MonthPart {
    amount: i64,
    millis: i64,
}

/// What was there when a range of totals was left that may come back. All of the days: what is booked after it may have
/// accrued long before it.
#[derive(Debug, Clone)]
struct Undo {
    days: Vec<DayValue>,
    doubts: Doubts,
    notes: Notes,
    hours: Option<Hours>,
}

kept!(Undo { days, doubts, notes, hours });

/// Makes days and months of totals as they come. A push costs a few nanoseconds and allocates once a day.
#[derive(Debug, Clone)]
pub struct Accumulator {
    settings: SeriesSettings,
    counter: Counter,
    /// Ascending, without duplicates; days without covered time are absent.
    days: Vec<DayValue>,
    cursor: Cursor,
    doubts: Doubts,
    /// What a coarse register hides of each month.
    steps: Slacks,
    divisor: Divisor,
    notes: Notes,
    /// Only where somebody asked for them: they cost every push the slow way.
    hours: Option<Hours>,
    acts: Acts,
    /// One for each range that may come back, oldest first.
    undo: Vec<Undo>,
    /// By how much the next interval may be false because the total before it was corrected by a person.
    corrected_by: i64,
    readings: u64,
    first_at: Option<Instant>,
    last: Option<(Instant, i64)>,
}

impl Accumulator {
    #[must_use]
    pub fn new(settings: SeriesSettings) -> Self {
        Self::with_acts(settings, &[])
    }

    /// With what people decided about the series, in any order.
    #[must_use]
    pub fn with_acts(settings: SeriesSettings, acts: &[DatedAct]) -> Self {
        let counter = Counter::new(counter_settings(&settings));
        Self {
            settings,
            counter,
            days: Vec::new(),
            // An empty span: the first interval takes the slow way and sets it.
            cursor: Cursor { index: 0, from: i64::MAX, to: i64::MIN },
            doubts: Doubts::default(),
            steps: Slacks::default(),
            divisor: Divisor::default(),
            notes: Notes::default(),
            hours: None,
            acts: Acts::new(acts),
            undo: Vec::new(),
            corrected_by: 0,
            readings: 0,
            first_at: None,
            last: None,
        }
    }

    /// Keeps the energy of hours too, from the next total on.
    #[must_use]
    pub fn with_hours(mut self) -> Self {
        self.hours = Some(Hours::default());
        self.cursor.to = i64::MIN;
        self
    }

    /// Every hour with covered time since [`Self::with_hours`], ascending; of gas at the meter's conditions, as the totals
    /// are. An hour's energy in which a false range of totals was booked is right again once it was left.
    #[must_use]
    pub fn hours(&self) -> &[HourValue] {
        self.hours.as_ref().map_or(&[], Hours::all)
    }

    /// Everything it knows but its settings and acts, so that it need not be made again from its readings. To be used
    /// with the same settings, the same acts and the same version of the computing rules only.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        let Self {
            settings: _,
            counter,
            days,
            cursor,
            doubts,
            steps,
            divisor,
            notes,
            hours,
            acts,
            undo,
            corrected_by,
            readings,
            first_at,
            last,
        } = self;
        let mut out = Vec::with_capacity(days.len() * 14 + 512);
        counter.keep(&mut out);
        days.keep(&mut out);
        cursor.keep(&mut out);
        doubts.keep(&mut out);
        steps.keep(&mut out);
        divisor.keep(&mut out);
        notes.keep(&mut out);
        hours.keep(&mut out);
        acts.keep(&mut out);
        undo.keep(&mut out);
        corrected_by.keep(&mut out);
        readings.keep(&mut out);
        first_at.keep(&mut out);
        last.keep(&mut out);
        out
    }

    /// The accumulator of a [`Self::checkpoint`]. `None` when the bytes are none.
    #[must_use]
    pub fn resume(settings: SeriesSettings, acts: &[DatedAct], mut bytes: &[u8]) -> Option<Self> {
        let rest = &mut bytes;
        let counter = Counter::resume(counter_settings(&settings), rest)?;
        let (days, cursor): (Vec<DayValue>, Cursor) = Kept::take(rest)?;
        let doubts = Kept::take(rest)?;
        let (steps, divisor) = Kept::take(rest)?;
        let notes = Kept::take(rest)?;
        let hours = Kept::take(rest)?;
        let acts = Acts::resume(acts, rest)?;
        let (undo, corrected_by) = Kept::take(rest)?;
        let (readings, first_at) = Kept::take(rest)?;
        let last = Kept::take(rest)?;
        // A day that the cursor names is there.
        let named = cursor.to == i64::MIN || cursor.index < days.len();
        (rest.is_empty() && named).then_some(Self {
            settings,
            counter,
            days,
            cursor,
            doubts,
            steps,
            divisor,
            notes,
            hours,
            acts,
            undo,
            corrected_by,
            readings,
            first_at,
            last,
        })
    }

    /// Takes the next total. Readings come in order of time; of equal instants the first one stands.
    #[inline]
    pub fn push(&mut self, at: Instant, total: i64) -> Pushed {
        let to = at.millis();
        // Nearly every reading: a plain rise within the day of the last one.
        if to <= self.cursor.to
            && let Some((from, amount)) = self.counter.advance(to, total, self.cursor.from)
        {
            self.readings += 1;
            self.last = Some((at, total));
            if self.cursor.from <= from && to - from <= self.settings.gap_after_millis {
                let day = &mut self.days[self.cursor.index];
                day.amount = day.amount.saturating_add(amount);
                day.covered_millis += to - from;
            } else {
                let from = Instant::from_millis(from);
                let (low, high, accrued_from) = (amount, amount, from);
                self.book(Interval { from, to: at, accrued_from, amount, low, high, step: Step::Advance });
            }
            return Pushed::Counted(Step::Advance);
        }
        self.push_slowly(at, total)
    }

    fn push_slowly(&mut self, at: Instant, total: i64) -> Pushed {
        if at.millis() < INSTANT_MIN || INSTANT_MAX <= at.millis() {
            return Pushed::OutOfRange;
        }
        let due = self.acts.due(at);
        let raw = total;
        let total = due.corrected.unwrap_or(raw);
        if let Some(step) = self.try_exchange(at, total) {
            self.note_reading(at, raw);
            return Pushed::Counted(step);
        }
        let before = self.counter.accepted();
        let explained = due.explained.and_then(|explanation| {
            let pushed = self.counter.push_explained(at, total, explanation);
            if pushed.is_none() {
                self.acts.refuse(at);
            }
            pushed
        });
        let counted = match explained.unwrap_or_else(|| self.counter.push(at, total)) {
            Push::Counted(counted) => counted,
            Push::Repeated => return Pushed::Repeated,
            Push::OutOfOrder => return Pushed::OutOfOrder,
        };
        self.note_reading(at, raw);
        self.take(counted);
        if due.corrected.is_some() {
            self.bound_correction(before, at, raw, total);
        }
        Pushed::Counted(counted.interval.step)
    }

    fn note_reading(&mut self, at: Instant, total: i64) {
        self.readings += 1;
        self.first_at = self.first_at.or(Some(at));
        self.last = Some((at, total));
    }

    fn try_exchange(&mut self, at: Instant, total: i64) -> Option<Step> {
        let exchange = self.acts.exchange()?;
        match self.counter.exchange(exchange, at, total) {
            Exchanged::Waits => None,
            Exchanged::Refused => {
                self.acts.end_exchange(true);
                None
            }
            Exchanged::Applied { parts, left_out, unmeasured } => {
                self.acts.end_exchange(left_out);
                self.undo.clear();
                self.uncover(unmeasured);
                for part in parts.into_iter().flatten() {
                    self.book(part);
                }
                self.cursor.to = i64::MIN;
                Some(Step::Exchanged)
            }
        }
    }

    fn take(&mut self, counted: Counted) {
        match counted.turn {
            Turn::None => {}
            Turn::Left => self.undo.push(self.remember()),
            Turn::Returned(ranges) => self.go_back(ranges),
        }
        // Ranges are forgotten oldest first.
        while self.counter.ranges_left() < self.undo.len() {
            self.undo.remove(0);
        }
        if let Some(forgotten) = self.counter.take_forgotten() {
            self.notes.forget(&forgotten, self.settings.zone);
        }
        self.uncover(counted.unmeasured);
        self.bound_too_high(counted.too_high);
        if let Some((since, amount)) = counted.doubtful_before {
            let (zone, to) = (self.settings.zone, counted.interval.to);
            let (first, last) = (since.month(zone), to.plus_millis(-1).month(zone));
            self.doubts.add(first, amount, 0);
            if first < last {
                self.doubts.add(last, amount, 0);
            }
        }
        match counted.interval.step {
            Step::First | Step::Held | Step::Impossible => {}
            Step::Advance
            | Step::Wrapped
            | Step::Recovered
            | Step::Reset
            | Step::CaughtUp
            | Step::Rescaled
            | Step::Exchanged => {
                self.bound_since(&counted);
                self.book(counted.interval);
            }
        }
    }

    fn remember(&self) -> Undo {
        Undo {
            days: self.days.clone(),
            doubts: self.doubts.clone(),
            notes: self.notes.clone(),
            hours: self.hours.clone(),
        }
    }

    /// Takes back what was booked since the last so many ranges were left.
    fn go_back(&mut self, ranges: usize) {
        let keep = self.undo.len().saturating_sub(ranges);
        let Some(undo) = self.undo.drain(keep..).next() else { return };
        self.days = undo.days;
        self.doubts = undo.doubts;
        self.notes = undo.notes;
        // Hours that were asked for meanwhile are not those of the range that was left.
        self.hours = undo.hours.or_else(|| self.hours.take().map(|_| Hours::default()));
    }

    fn book(&mut self, interval: Interval) {
        let by = std::mem::take(&mut self.corrected_by);
        if 0 < by {
            self.bound_ends(interval.from, interval.to, by);
        }
        let (from, to) = (interval.from.millis(), interval.to.millis());
        let accrued_from = interval.accrued_from.millis().min(from);
        // One that stood still was read all the time.
        let gap = self.settings.gap_after_millis < to - from && interval.step != Step::CaughtUp;
        let estimated = self.settings.gap_after_millis < to - accrued_from;
        let zone = self.settings.zone;
        let mut splitter = split::Splitter::new(interval.amount, to - accrued_from);
        let mut day = interval.accrued_from.day(zone);
        let (mut begin, mut month) = (accrued_from, MonthPart::default());
        let days = self.days.len();
        let (mut crosses, mut given) = (false, 0);
        loop {
            let (day_from, day_to) = (day_start(day, zone).millis(), next_start(day, zone));
            let end = day_to.min(to);
            let part = splitter.part_until(end - accrued_from);
            let between = (end - begin.max(from)).max(0);
            let covered = if to - from <= COVERED_MILLIS_MAX { between } else { 0 };
            self.add(day, covered, part, estimated);
            month.amount += part;
            month.millis += between;
            given += part;
            self.cursor.from = day_from;
            self.cursor.to = day_to.min(self.acts.quiet_until());
            let Some(next) = day.succ_opt().filter(|_| end < to) else { break };
            if Month::of(next) != Month::of(day) {
                crosses = true;
                if estimated {
                    self.doubts.add_split(Month::of(day), month.amount);
                }
                self.end_month(Month::of(day), std::mem::take(&mut month), &interval, gap, true);
                self.cross_end(Month::of(day), given, &interval);
            }
            day = next;
            begin = end;
        }
        if estimated && (crosses || interval.low != interval.high) {
            self.doubts.add_split(Month::of(day), month.amount);
        }
        self.end_month(Month::of(day), month, &interval, gap, crosses);
        if crosses {
            let (less, more) = (interval.amount - interval.low, interval.high - interval.amount);
            self.doubts.add_whole(Month::of(day), less, more);
        }
        if days < self.days.len() {
            self.learn_step(day);
        }
        if let Some(hours) = &mut self.hours {
            let covered = to - from <= COVERED_MILLIS_MAX;
            hours.book(&interval, accrued_from, covered, estimated);
            self.cursor.to = i64::MIN;
        }
    }

    /// Bounds of the part of an interval that lies in one month. Of an interval that crosses a month's boundary, all
    /// or nothing may lie in each.
    fn end_month(&mut self, month: Month, part: MonthPart, interval: &Interval, gap: bool, crosses: bool) {
        if gap {
            self.notes.gap(month, part.millis, part.amount);
        }
        if crosses {
            self.doubts.add_placed(month, part.amount, interval.high - part.amount);
        } else if interval.low != interval.high {
            self.doubts.add(month, interval.amount - interval.low, interval.high - interval.amount);
        }
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
        // What came in a gap within the month is the month's, whichever its days: only what is split at an end, or is itself
        // in doubt, is estimated.
        let estimated = self.doubts.split_of(month);
        let (mut less, mut more) = self.doubts.of(month);
        // A register of coarse steps, or in a coarser unit, hides up to a step.
        let unit = self.counter.coarser().filter(|(since, _)| *since < to).map_or(0, |(_, step)| step);
        let step = unit.max(self.steps.of(month).0);
        less = less.saturating_add(step);
        more = more.saturating_add(step);
        let (low, high) = (amount.saturating_sub(less).max(0), amount.saturating_add(more));
        let length = to.millis() - from.millis();
        let missing = (until.millis().min(to.millis()) - from.millis() - covered).max(0);
        let unmeasured = unmeasured_at_most(self.settings.ceiling_per_milli, missing);
        MonthValue {
            month,
            amount,
            low,
            high: unmeasured.map(|u| high.saturating_add(u)),
            joint: Some(self.joint(month, amount, unmeasured, step)),
            coverage_ratio: (covered as f64 / length as f64).clamp(0.0, 1.0),
            estimated_ratio: if 0 < amount {
                (estimated as f64 / amount as f64).clamp(0.0, 1.0)
            } else {
                0.0
            },
        }
    }

    /// Every civil day with covered time, ascending, in the smallest unit of the carrier. Days of converted gas are
    /// differences of the rounded running total, as its months are, so that they add up to these.
    #[must_use]
    pub fn days(&self) -> Vec<DayValue> {
        let Some(coefficient) = self.settings.gas else { return self.days.clone() };
        let mut running: i64 = 0;
        let to_standard = |day: &DayValue| {
            let before = coefficient.standard_litres(running);
            running = running.saturating_add(day.amount);
            let amount = coefficient.standard_litres(running).saturating_sub(before);
            let estimated = coefficient.standard_litres(day.estimated).min(amount);
            DayValue { amount, estimated, ..*day }
        };
        self.days.iter().map(to_standard).collect()
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
        // What is told is of the register, whose cubic metres of gas are not yet standard ones.
        let unit = match self.settings.gas {
            Some(_) => Unit::CubicMetre,
            None => self.settings.unit.display(),
        };
        let zone = self.settings.zone;
        self.notes.findings(&self.decisions(), subject, unit, zone)
    }

    /// Every break of the totals and how it is explained, ascending. The last one may be that the total stands still.
    #[must_use]
    pub fn decisions(&self) -> Vec<Decision> {
        let mut all = self.counter.decisions().to_vec();
        all.extend(self.standing());
        for decision in all.iter_mut().filter(|d| d.explanation == Explanation::Standstill) {
            decision.by_person = self.acts.confirms_standstill(decision.at);
        }
        all.sort_by_key(|d| d.at);
        all
    }

    fn standing(&self) -> Option<Decision> {
        let (at, from) = (self.counter.accepted()?.0, self.counter.still_since()?);
        let (_, total) = self.last?;
        (STANDSTILL_MILLIS_MIN < at.millis() - from.millis()).then_some(Decision {
            at: from,
            explanation: Explanation::Standstill,
            confidence: Confidence::Likely,
            from,
            to: at,
            before: total,
            seen: total,
            after: total,
            booked: 0,
            low: 0,
            high: 0,
            alternatives: Vec::new(),
            by_person: false,
        })
    }

    /// Months in which the total stood still for more than a week, with how long it did, where no person confirmed
    /// that nothing was used. Ascending.
    #[must_use]
    pub fn still_months(&self) -> Vec<(Month, i64)> {
        let mut out: Vec<(Month, i64)> = Vec::new();
        let decisions = self.decisions();
        let still = decisions.iter().filter(|d| d.explanation == Explanation::Standstill && !d.by_person);
        for decision in still {
            let mut month = decision.from.month(self.settings.zone);
            loop {
                let (begin, end) = month.bounds(self.settings.zone);
                let millis = end.min(decision.to).millis() - begin.max(decision.from).millis();
                match out.last_mut() {
                    Some(last) if last.0 == month => last.1 += millis,
                    Some(_) | None => out.push((month, millis)),
                }
                if decision.to <= end {
                    break;
                }
                month = month.next();
            }
        }
        out
    }

    /// What people decided about this series.
    #[must_use]
    pub fn acts(&self) -> &[DatedAct] {
        self.acts.all()
    }

    /// Acts that the readings or the connection do not bear out.
    #[must_use]
    pub fn refused_acts(&self) -> &[DatedAct] {
        self.acts.refused()
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

fn counter_settings(settings: &SeriesSettings) -> CounterSettings {
    CounterSettings {
        ceiling_per_milli: settings.ceiling_per_milli,
        wraps_at: settings.wraps_at,
        resolution: settings.resolution,
        gap_after_millis: settings.gap_after_millis,
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
