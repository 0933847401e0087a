//! The counter's state machine: cumulative totals in, energy intervals out, with the step that explains each and the
//! decision, with its evidence, wherever the totals do not follow.
//!
//! Must never: book energy that no two agreeing totals carry, move its ground on a total that went backwards,
//! or let an impossible claim become possible by waiting.
//!
//! What it tells apart, and how it decides when the totals alone leave a doubt:
//!
//! - *Ceiling.* A rise is believed while the connection could have carried it: ceiling × time since the last
//!   accepted total, plus a store of unused time of at most [`SPARE_MILLIS_MAX`], plus one step of the register.
//!   The store absorbs what is not energy: arrival times that jitter, messages a broker held back and delivers
//!   in one burst. It is a store, so it is used up: over any run the sum stays within ceiling × (time + 15 min) +
//!   one register step. The step is what the meter's file says or, after [`LEARN_RISES_MIN`] rises, the least of
//!   them: no register can count in larger steps than the smallest it made.
//! - *Standing still.* A register in coarse steps, or a device that repeats an old total, shows at once what was used
//!   since it last moved. Such a rise is believed when the connection could have carried it since then and later
//!   totals go on from it ([`Step::CaughtUp`]); its energy lies somewhere since then.
//! - *Fall.* Nothing is booked ([`Step::Held`]). If the next total fits the old range the fall was noise
//!   ([`Step::Recovered`]). If the low range itself rises, the falls module of this file's folder explains it: wrap,
//!   step back after a power cut, reset, another unit.
//! - *Return.* A glitch may rise while low and so pass for a reset. The range that was left is remembered for
//!   [`RETURN_MILLIS_MAX`]; when the totals come back to it, it is taken up again ([`Turn::Returned`]): whoever
//!   books must take back what was booked since. Down to a range that was left for a higher one only two totals lead,
//!   and only within [`GLITCH_MILLIS_MAX`]: a single low total is what garbled ones look like, and would take back
//!   what was truly used.
//! - *Impossible rise.* Nothing is booked. Totals that follow the high range stay impossible however much time
//!   passes, because the waiting time is not what makes them true. A total back in the old range ends it
//!   ([`Step::Recovered`]). If the high range behaves like a counter for a day and three rises, it is taken as the
//!   new ground ([`Step::Reset`]) so that measuring goes on: its own energy counts, the jump never does, and the
//!   finding stays open until a person closes it.

use model::{Confidence, Explanation, Instant, Interval, Step};

mod by_person;
mod decision;
mod explain;
mod limits;
mod scale;
mod unseen;

pub(crate) use by_person::{EXCHANGE_MILLIS_MAX, Exchange, Exchanged};
pub use decision::{Alternative, DECISIONS_MAX, Decision};
pub(crate) use unseen::ORDINARY_STEP_MAX;

use decision::{Log, Verdict};
use limits::Limits;
use scale::Scale;
use unseen::Lost;

use crate::checkpoint::{Kept, kept};

/// Most unused time at the ceiling that later totals may draw on, in milliseconds: 15 minutes.
pub const SPARE_MILLIS_MAX: i64 = 15 * 60 * 1000;

/// How long the range before a fall is remembered, in milliseconds: a day. Glitches are shorter, exchanges last.
pub const RETURN_MILLIS_MAX: i64 = 24 * 3600 * 1000;

/// How long garbled totals may go on as if they were a range of their own, in milliseconds: an hour, or a gap where the
/// meter is read more seldom. What rises for longer is no glitch.
pub const GLITCH_MILLIS_MAX: i64 = 3_600 * 1000;

/// How many ranges may be remembered at a time.
const LEFT_MAX: usize = 4;

/// How long an impossible range must behave like a counter before measuring goes on from it, in milliseconds: a day.
pub const SETTLE_MILLIS_MIN: i64 = 24 * 3600 * 1000;

/// How many times an impossible range must rise before measuring goes on from it.
pub const SETTLE_RISES_MIN: u32 = 3;

/// How many rises a register must have made before the least of them is taken for its step.
pub const LEARN_RISES_MIN: u32 = 8;

/// How long a total must not move before that is noted, in milliseconds: a week. Buildings close at weekends.
pub const STANDSTILL_MILLIS_MIN: i64 = 7 * 24 * 3600 * 1000;

/// What is known of a counter beforehand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CounterSettings {
    /// The most the connection can carry, in smallest units per millisecond. Zero, negative or not finite: unknown,
    /// and then no rise is ever impossible.
    pub ceiling_per_milli: f64,
    /// The total at which the register begins again, in smallest units.
    pub wraps_at: Option<i64>,
    /// The step in which the register counts, in smallest units; 1 when not known.
    pub resolution: i64,
    /// Totals further apart than this leave a gap, in which a register may have wrapped unseen.
    pub gap_after_millis: i64,
}

/// Whether a range of totals was left or taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    None,
    /// The range before this interval was left for another and may come back: remember what is booked from here on.
    Left,
    /// A range that was left is back, and what was booked since is void: that of so many ranges.
    Returned(usize),
}

/// What a total is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// For steps that book nothing the amount is zero and the interval tells which span is in doubt.
    pub interval: Interval,
    pub turn: Turn,
    /// Energy booked since this instant's month that may not have been used, because totals before this one may have been
    /// false.
    pub doubtful_before: Option<(Instant, i64)>,
    /// By how much, at least and at most, the accepted totals up to this instant are above the new range: they may have been
    /// garbled instead, if so much was booked in the time that what is garbled lasts.
    pub too_high: Option<(Instant, [i64; 2])>,
    /// A span before this interval in which a total was repeated, and which a new range shows to be no measured zero:
    /// nobody knows what was used in it.
    pub unmeasured: Option<(Instant, Instant)>,
    /// The energy may have been used at any time since this instant, after which the total began to be repeated. Where
    /// readings are missing before that, it is when the lower total was last read: a lost reading takes no doubt away.
    pub since: Option<Instant>,
}

/// What became of one total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    Counted(Counted),
    /// Another total of an instant already seen (the same meter read by two ways): the first one stands.
    Repeated,
    /// Older than the last one: nothing changed, the caller must rebuild in order of time.
    OutOfOrder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    at: i64,
    total: i64,
}

kept!(Mark { at, total });

/// Totals of another range than the accepted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: Mark,
    last: i64,
    rises: u32,
    /// Until when the first total was repeated.
    flat_until: i64,
    /// Whether the first total was shown again: what is garbled is not.
    repeated: bool,
}

kept!(Run { first, last, rises, flat_until, repeated });

impl Run {
    fn begin(first: Mark) -> Self {
        Self { first, last: first.total, rises: 0, flat_until: first.at, repeated: false }
    }

    fn next(self, now: Mark) -> Self {
        let rises = self.rises.saturating_add(u32::from(self.last < now.total));
        let repeated = self.repeated || now.total == self.first.total;
        let flat_until = if rises == 0 { now.at } else { self.flat_until };
        Self { last: now.total, rises, flat_until, repeated, ..self }
    }
}

/// Another range than the accepted one, not believed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    /// A total no register of this meter can show.
    Noise,
    /// Totals that a person declared false, since this instant.
    Ignored(i64),
    Fell(Run),
    Rose(Run),
}

impl Kept for Doubt {
    fn keep(&self, out: &mut Vec<u8>) {
        let (kind, since, run) = match *self {
            Self::None => (0_u32, None, None),
            Self::Noise => (1, None, None),
            Self::Ignored(since) => (2, Some(since), None),
            Self::Fell(run) => (3, None, Some(run)),
            Self::Rose(run) => (4, None, Some(run)),
        };
        kind.keep(out);
        since.keep(out);
        run.keep(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let kind = u32::take(bytes)?;
        let (since, run): (Option<i64>, Option<Run>) = (Kept::take(bytes)?, Kept::take(bytes)?);
        match (kind, since, run) {
            (0, None, None) => Some(Self::None),
            (1, None, None) => Some(Self::Noise),
            (2, Some(since), None) => Some(Self::Ignored(since)),
            (3, None, Some(run)) => Some(Self::Fell(run)),
            (4, None, Some(run)) => Some(Self::Rose(run)),
            _ => None,
        }
    }
}

/// The range before a fall that was taken for another event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    mark: Mark,
    /// Whether it lies above the range that it was left for.
    above: bool,
    /// The decision that left it.
    decided_at: Option<i64>,
}

kept!(Left { mark, above, decided_at });

/// One cumulative register and what is believed of it.
#[derive(Debug, Clone)]
pub struct Counter {
    limits: Limits,
    /// A gap longer than this may hide a whole turn of the register.
    turn_millis: i64,
    spare: f64,
    base: Option<Mark>,
    /// The base's total as it was read.
    base_read: i64,
    /// When the accepted total was last seen to move.
    still_since: i64,
    /// Since when the register may stand as it does: [`Limits::stands_after`].
    still_after: i64,
    /// The least rise accepted, and how many there were.
    least_rise: i64,
    rises: u32,
    /// Where the present range began.
    origin: Mark,
    seen: i64,
    /// Whether nothing but a plain rise is going on.
    plain: bool,
    doubt: Doubt,
    /// The highest total below the accepted one since that was read.
    fallen: Option<Mark>,
    /// Ranges that were impossible since the accepted total was read, and stay so: oldest first, at most [`LEFT_MAX`].
    refused: Vec<Run>,
    /// Ranges that may come back, oldest first; at most [`LEFT_MAX`].
    left: Vec<Left>,
    scale: Scale,
    /// A person confirmed the scale.
    scale_settled: bool,
    log: Log,
}

impl Counter {
    #[must_use]
    pub fn new(settings: CounterSettings) -> Self {
        let known = settings.ceiling_per_milli.is_finite() && 0.0 < settings.ceiling_per_milli;
        let limits = Limits {
            millis_per_unit: if known { 1.0 / settings.ceiling_per_milli } else { 0.0 },
            modulus: settings.wraps_at.filter(|&m| 0 < m).unwrap_or(i64::MAX),
            resolution: settings.resolution.max(1),
            gap_after_millis: settings.gap_after_millis,
        };
        Self {
            turn_millis: limits.turn_millis(),
            limits,
            spare: SPARE_MILLIS_MAX as f64,
            base: None,
            base_read: 0,
            still_since: i64::MIN,
            still_after: i64::MIN,
            least_rise: i64::MAX,
            rises: 0,
            origin: Mark { at: 0, total: 0 },
            seen: i64::MIN,
            plain: true,
            doubt: Doubt::None,
            fallen: None,
            refused: Vec::new(),
            left: Vec::new(),
            scale: Scale::ONE,
            scale_settled: false,
            log: Log::default(),
        }
    }

    /// What it believes, without its settings.
    pub(crate) fn keep(&self, out: &mut Vec<u8>) {
        let Self {
            // Both follow from the settings.
            limits: _,
            turn_millis: _,
            spare,
            base,
            base_read,
            still_since,
            still_after,
            least_rise,
            rises,
            origin,
            seen,
            plain,
            doubt,
            fallen,
            refused,
            left,
            scale,
            scale_settled,
            log,
        } = self;
        spare.keep(out);
        (*base, *base_read).keep(out);
        (*still_since, *still_after).keep(out);
        least_rise.keep(out);
        (*rises, *origin).keep(out);
        (*seen, *plain).keep(out);
        doubt.keep(out);
        fallen.keep(out);
        refused.keep(out);
        left.keep(out);
        (*scale, *scale_settled).keep(out);
        log.keep(out);
    }

    /// A counter of these settings as it was kept.
    pub(crate) fn resume(settings: CounterSettings, bytes: &mut &[u8]) -> Option<Self> {
        let spare = f64::take(bytes)?;
        let (base, base_read) = Kept::take(bytes)?;
        let (still_since, still_after) = Kept::take(bytes)?;
        let least_rise = Kept::take(bytes)?;
        let (rises, origin) = Kept::take(bytes)?;
        let (seen, plain) = Kept::take(bytes)?;
        let doubt = Doubt::take(bytes)?;
        let (fallen, refused) = (Kept::take(bytes)?, Vec::take(bytes)?);
        let left = Vec::take(bytes)?;
        let (scale, scale_settled) = Kept::take(bytes)?;
        let log = Log::take(bytes)?;
        let Self { limits, turn_millis, .. } = Self::new(settings);
        Some(Self {
            limits,
            turn_millis,
            spare,
            base,
            base_read,
            still_since,
            still_after,
            least_rise,
            rises,
            origin,
            seen,
            plain,
            doubt,
            fallen,
            refused,
            left,
            scale,
            scale_settled,
            log,
        })
    }

    /// The last accepted total and its instant, in the unit that the series began with.
    #[must_use]
    pub fn accepted(&self) -> Option<(Instant, i64)> {
        self.base.map(|b| (Instant::from_millis(b.at), b.total))
    }

    /// Since when the accepted total has not moved.
    #[must_use]
    pub fn still_since(&self) -> Option<Instant> {
        self.base.map(|_| Instant::from_millis(self.still_since))
    }

    /// Every break of the totals so far, ascending; at most [`DECISIONS_MAX`].
    #[must_use]
    pub fn decisions(&self) -> &[Decision] {
        self.log.decisions()
    }

    /// A decision that had to make room since this was last asked.
    pub fn take_forgotten(&mut self) -> Option<Decision> {
        self.log.take_forgotten()
    }

    /// Since when the register counts in a coarser unit than before, and its step in the former one.
    #[must_use]
    pub fn coarser(&self) -> Option<(Instant, i64)> {
        let step = self.scale.widen(self.limits.resolution);
        (self.limits.resolution < step).then_some((Instant::from_millis(self.origin.at), step))
    }

    /// How many ranges were left that may come back.
    #[must_use]
    pub fn ranges_left(&self) -> usize {
        self.left.len()
    }

    /// Takes the next total. Totals come in order of time.
    pub fn push(&mut self, at: Instant, total: i64) -> Push {
        let at = at.millis();
        // Whoever asks so knows nothing of days.
        if let Some((from, amount)) = self.advance(at, total, i64::MAX) {
            return Push::Counted(plain(sharp(from, at, amount, Step::Advance)));
        }
        if let Some(refused) = self.refused(at) {
            return refused;
        }
        self.seen = at;
        Push::Counted(self.push_unusual(at, total))
    }

    fn refused(&self, at: i64) -> Option<Push> {
        (at <= self.seen).then_some(if at == self.seen { Push::Repeated } else { Push::OutOfOrder })
    }

    /// The way of nearly every total: a plain rise that the connection can carry. Gives the instant of the total
    /// before and the energy since; `None`, and nothing changed, when it is not that, or when the total was repeated since
    /// before `day_from` so that its energy may be that of another day.
    #[inline(always)]
    pub(crate) fn advance(&mut self, at: i64, total: i64, day_from: i64) -> Option<(i64, i64)> {
        let base = self.base?;
        if !self.plain || at <= self.seen || total < base.total || self.limits.modulus <= total {
            return None;
        }
        let amount = total - base.total;
        let spare = self.spare + (at - base.at) as f64 - amount as f64 * self.limits.millis_per_unit;
        if spare < 0.0 || self.turn_millis < at - base.at {
            return None;
        }
        if amount != 0 {
            if STANDSTILL_MILLIS_MIN < at - self.still_since {
                return None;
            }
            if self.still_after < day_from && self.stood_over(base, amount) {
                return None;
            }
            (self.still_since, self.still_after) = (at, self.limits.stands_after(base.at, at));
            self.least_rise = self.least_rise.min(amount);
            self.rises = self.rises.saturating_add(1);
        }
        self.spare = spare.min(SPARE_MILLIS_MAX as f64);
        self.base = Some(Mark { at, total });
        self.base_read = total;
        self.seen = at;
        Some((base.at, amount))
    }

    fn push_unusual(&mut self, at: i64, read: i64) -> Counted {
        let in_range = 0 <= read && read < self.limits.modulus;
        let scaled = self.scale.apply(read).filter(|_| in_range);
        let counted = match (self.base, scaled) {
            (None, None) => plain(nothing(at, at, Step::Impossible)),
            (None, Some(total)) => {
                self.ground(Mark { at, total }, read);
                plain(nothing(at, at, Step::First))
            }
            (Some(base), None) => {
                self.doubt = Doubt::Noise;
                self.log.open(at, base.at, self.base_read, read);
                self.log.follow(at, read);
                plain(nothing(base.at, at, Step::Impossible))
            }
            (Some(base), Some(total)) => self.judge(base, Mark { at, total }, read),
        };
        self.look_around();
        counted
    }

    /// Whether the next total may take the short way.
    fn look_around(&mut self) {
        self.plain = self.doubt == Doubt::None && self.left.is_empty() && self.scale == Scale::ONE;
    }

    fn judge(&mut self, base: Mark, now: Mark, read: i64) -> Counted {
        // Before the old range: what follows an impossible range stays impossible, however long it lasts and whatever
        // else is read meanwhile.
        if let Some(index) = self.refused.iter().position(|&run| self.goes_on_high(base, run, now)) {
            let run = self.refused[index].next(now);
            self.refused[index] = run;
            return self.follow_rise(base, run, now, read);
        }
        if base.total <= now.total && self.plausible(base, now) {
            if self.may_have_turned(base, now) {
                return self.lose_count(base, now, read);
            }
            return self.follow(base, now, read);
        }
        if let Some(index) = self.left.iter().rposition(|left| self.is_back(*left, base, now)) {
            return self.come_back(index, now, read);
        }
        if let Doubt::Ignored(since) = self.doubt {
            if now.at - since <= RETURN_MILLIS_MAX {
                let step = if now.total < base.total { Step::Held } else { Step::Impossible };
                return plain(nothing(base.at, now.at, step));
            }
            self.doubt = Doubt::None;
        }
        self.log.open(now.at, base.at, self.base_read, read);
        self.log.follow(now.at, read);
        if base.total <= now.total {
            self.doubt = Doubt::Rose(Run::begin(now));
            if LEFT_MAX <= self.refused.len() {
                self.refused.remove(0);
            }
            self.refused.push(Run::begin(now));
            return plain(nothing(base.at, now.at, Step::Impossible));
        }
        if let Some(counted) = self.wrap_at_once(base, now, read) {
            return counted;
        }
        match self.doubt {
            Doubt::Fell(run) if run.last <= now.total && self.could_carry(run.first, now) => {
                self.follow_fall(base, run.next(now), now, read)
            }
            Doubt::None | Doubt::Noise | Doubt::Ignored(_) | Doubt::Fell(_) | Doubt::Rose(_) => {
                self.doubt = Doubt::Fell(Run::begin(now));
                self.fallen = self.fallen.filter(|fallen| now.total <= fallen.total).or(Some(now));
                plain(nothing(base.at, now.at, Step::Held))
            }
        }
    }

    fn goes_on_high(&self, base: Mark, run: Run, now: Mark) -> bool {
        run.last <= now.total
            && (self.could_carry(run.first, now) || self.carries_in_other_unit(base, run, now))
    }

    /// The step in which the register counts, as far as it is known or was learned.
    fn step(&self) -> i64 {
        let known = self.scale.widen(self.limits.resolution);
        if LEARN_RISES_MIN <= self.rises { known.max(self.least_rise) } else { known }
    }

    fn could_carry(&self, from: Mark, to: Mark) -> bool {
        self.limits.could_carry(from, to, self.step())
    }

    fn spare_after(&self, base: Mark, now: Mark) -> f64 {
        let amount = now.total.saturating_sub(base.total) as f64;
        self.spare + (now.at - base.at) as f64 - amount * self.limits.millis_per_unit
    }

    fn plausible(&self, base: Mark, now: Mark) -> bool {
        -(self.step() as f64) * self.limits.millis_per_unit <= self.spare_after(base, now)
    }

    /// Takes a total that follows the accepted range.
    fn follow(&mut self, base: Mark, now: Mark, read: i64) -> Counted {
        let amount = now.total - base.total;
        let spare = self.spare_after(base, now);
        let step = if self.doubt == Doubt::None { Step::Advance } else { Step::Recovered };
        let mut interval = sharp(base.at, now.at, amount, step);
        let mut since = None;
        if 0 < amount {
            since = self.stood_over(base, amount).then_some(Instant::from_millis(self.still_after));
            // More than the time since the last reading carries: a coarse step, used since the register last moved.
            if spare < 0.0 && self.left.is_empty() {
                interval.accrued_from = Instant::from_millis(self.still_since.min(base.at));
            }
            if self.left.is_empty() {
                self.note_standstill(base, now, read);
            }
            self.least_rise = self.least_rise.min(amount);
            self.rises = self.rises.saturating_add(1);
            (self.still_since, self.still_after) = (now.at, self.limits.stands_after(base.at, now.at));
        }
        if self.scale != Scale::ONE {
            self.bound_by_face(&mut interval, now, read);
            self.log.extend(Explanation::UnitChange, now.at);
        }
        let lost = self.lost_by_falling(base, now);
        if let Some(Lost { high, .. }) = lost {
            interval.high = interval.high.max(high);
        }
        if self.log.is_running() {
            let confidence = if lost.is_some() { Confidence::Likely } else { Confidence::Certain };
            let mut verdict = verdict(self.log.noise(), confidence, now.at, read, &interval);
            verdict.alternatives.extend(lost.map(|lost| lost.alternative));
            self.log.settle(verdict, false);
        }
        let doubtful_before = self.overtaken(base, now);
        self.spare = spare.min(SPARE_MILLIS_MAX as f64);
        self.base = Some(now);
        self.base_read = read;
        self.doubt = Doubt::None;
        self.fallen = None;
        self.refused.clear();
        self.forget_ranges(now);
        Counted { doubtful_before, since, ..plain(interval) }
    }

    /// A total that follows a low range and just as well the one above it that was left for it: the low one may have
    /// been garbled, and then nothing was used from where it began to the total that was left.
    fn overtaken(&self, base: Mark, now: Mark) -> Option<(Instant, i64)> {
        if self.glitch_at_most() < now.at - self.origin.at {
            return None;
        }
        let both = |left: &&Left| {
            left.above
                && base.total < left.mark.total
                && left.mark.total <= now.total
                && self.could_carry(left.mark, now)
        };
        let highest = self.left.iter().filter(both).map(|left| left.mark.total).max()?;
        Some((Instant::from_millis(self.origin.at), highest - self.origin.total))
    }

    fn note_standstill(&mut self, base: Mark, now: Mark, read: i64) {
        if now.at - self.still_since <= STANDSTILL_MILLIS_MIN || self.log.is_running() {
            return;
        }
        // A gap in the readings is a gap; standing still is what readings show.
        if base.at - self.still_since <= STANDSTILL_MILLIS_MIN {
            return;
        }
        let span = sharp(self.still_since, base.at, 0, Step::Advance);
        self.log.open(self.still_since, self.still_since, self.base_read, self.base_read);
        self.log.settle(verdict(Explanation::Standstill, Confidence::Likely, base.at, read, &span), false);
    }

    /// Whether a total that does not follow the present range follows one that was left.
    fn is_back(&self, left: Left, base: Mark, now: Mark) -> bool {
        // A range that was overtaken cannot be told from one that is back.
        let apart =
            if left.above { base.total < left.mark.total } else { self.fell_back(left.mark, base, now) };
        apart && left.mark.total <= now.total && self.could_carry(left.mark, now)
    }

    fn glitch_at_most(&self) -> i64 {
        GLITCH_MILLIS_MAX.max(self.limits.gap_after_millis)
    }

    /// Whether two totals, this one and one before it, follow a range that was left for a higher one not long ago.
    fn fell_back(&self, left: Mark, base: Mark, now: Mark) -> bool {
        let Doubt::Fell(run) = self.doubt else { return false };
        now.total < base.total
            && run.first.at - left.at <= self.glitch_at_most()
            && left.total <= run.first.total
            && run.last <= now.total
            && self.could_carry(run.first, now)
    }

    /// A range that was left is back: everything since was a glitch.
    fn come_back(&mut self, index: usize, now: Mark, read: i64) -> Counted {
        let Left { mark, decided_at, .. } = self.left[index];
        let mut interval = sharp(mark.at, now.at, now.total - mark.total, Step::Recovered);
        let lost = self.lost_in_low_range(self.left[index], now);
        interval.high = lost.map_or(interval.high, |lost| lost.high.max(interval.high));
        if let Some(at) = decided_at {
            self.log.cut_after(at);
            let confidence = if lost.is_some() { Confidence::Likely } else { Confidence::Certain };
            let mut verdict = verdict(self.log.noise(), confidence, now.at, read, &interval);
            verdict.alternatives.extend(lost.map(|lost| lost.alternative));
            self.log.amend(at, verdict);
        }
        let older = self.left[..index].to_vec();
        let turn = Turn::Returned(self.left.len() - index);
        self.ground(now, read);
        self.left = older;
        self.forget_ranges(now);
        Counted { turn, ..plain(interval) }
    }

    /// Forgets the oldest ranges, which cannot come back any more.
    fn forget_ranges(&mut self, now: Mark) {
        if self.left.first().is_some_and(|left| RETURN_MILLIS_MAX < now.at - left.mark.at) {
            self.left.retain(|left| now.at - left.mark.at <= RETURN_MILLIS_MAX);
        }
    }

    /// Goes on from a total without a look back.
    fn ground(&mut self, now: Mark, read: i64) {
        self.base = Some(now);
        self.base_read = read;
        (self.still_since, self.still_after) = (now.at, now.at);
        self.origin = now;
        self.doubt = Doubt::None;
        self.fallen = None;
        self.refused.clear();
        self.left.clear();
    }

    /// Goes on from a total of another range, and remembers the one that is left.
    fn leave(&mut self, base: Mark, first: Mark, now: Mark, read: i64) -> Turn {
        let mut left = std::mem::take(&mut self.left);
        if LEFT_MAX <= left.len() {
            left.remove(0);
        }
        left.push(Left { mark: base, above: first.total < base.total, decided_at: self.log.last_at() });
        self.ground(now, read);
        self.origin = first;
        (self.still_since, self.still_after) = (first.at, first.at);
        self.left = left;
        self.forget_ranges(now);
        Turn::Left
    }

    /// An amount that the connection could have carried in a span without drawing on its store; else nothing.
    fn if_carried(&self, amount: i64, millis: i64) -> i64 {
        if amount <= self.limits.most_in(millis - SPARE_MILLIS_MAX, self.limits.resolution) {
            amount
        } else {
            0
        }
    }

    /// In another unit than at the beginning, and nobody has confirmed it: the face value is a bound.
    fn bound_by_face(&self, interval: &mut Interval, now: Mark, read: i64) {
        if self.scale_settled {
            return;
        }
        let face = (read - self.base_read).max(0);
        interval.low = interval.amount.min(face);
        interval.high = interval.amount.max(self.if_carried(face, now.at - interval.from.millis()));
    }
}

const fn sharp(from: i64, to: i64, amount: i64, step: Step) -> Interval {
    let from = Instant::from_millis(from);
    Interval {
        from,
        to: Instant::from_millis(to),
        accrued_from: from,
        amount,
        low: amount,
        high: amount,
        step,
    }
}

const fn nothing(from: i64, to: i64, step: Step) -> Interval {
    sharp(from, to, 0, step)
}

const fn plain(interval: Interval) -> Counted {
    let (doubtful_before, too_high, unmeasured, since) = (None, None, None, None);
    Counted { interval, turn: Turn::None, doubtful_before, too_high, unmeasured, since }
}

fn verdict(
    explanation: Explanation,
    confidence: Confidence,
    to: i64,
    after: i64,
    interval: &Interval,
) -> Verdict {
    Verdict {
        explanation,
        confidence,
        to,
        after,
        amounts: [interval.amount, interval.low, interval.high],
        alternatives: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
