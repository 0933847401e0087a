//! The counter's state machine: cumulative totals in, energy intervals out, with the step that explains each.
//!
//! Must never: book energy that no two agreeing totals carry, move its ground on a total that went backwards,
//! or let an impossible claim become possible by waiting.
//!
//! What it tells apart, and how it decides when the totals alone leave a doubt:
//!
//! - *Ceiling.* A rise is believed while the connection could have carried it: ceiling × time since the last
//!   accepted total, plus a store of unused time of at most [`SPARE_MILLIS_MAX`], plus one step of the register.
//!   The store absorbs what is not energy: arrival times that jitter, messages a broker held back and delivers
//!   in one burst, registers that count in coarse steps. It is a store, so it is used up: over any run the sum
//!   stays within ceiling × (time + 15 min) + one register step.
//! - *Fall.* Nothing is booked ([`Step::Held`]). If the next total fits the old range the fall was noise
//!   ([`Step::Recovered`]). If the low range itself rises, the counter was reset or exchanged ([`Step::Reset`]):
//!   the energy between the last good total and the first low one is unknown and is not booked.
//! - *Return.* A glitch may rise while low and so pass for a reset. The range that was left is remembered for
//!   [`RETURN_MILLIS_MAX`]; when the totals come back to it, it is taken up again, and what was booked in
//!   the false range is taken off the energy that follows.
//! - *Impossible rise.* Nothing is booked. Totals that follow the high range stay impossible however much time
//!   passes, because the waiting time is not what makes them true. A total back in the old range ends it
//!   ([`Step::Recovered`]). If the high range behaves like a counter for a day and three rises, it is taken as the
//!   new ground ([`Step::Reset`]) so that measuring goes on: its own energy counts, the jump never does, and the
//!   finding stays open until a person closes it.

use model::{Instant, Interval, Step};

/// Most unused time at the ceiling that later totals may draw on, in milliseconds: 15 minutes.
pub const SPARE_MILLIS_MAX: i64 = 15 * 60 * 1000;

/// How long the range before a fall is remembered, in milliseconds: a day. Glitches are shorter, exchanges last.
pub const RETURN_MILLIS_MAX: i64 = 24 * 3600 * 1000;

/// How long an impossible range must behave like a counter before measuring goes on from it, in milliseconds: a day.
pub const SETTLE_MILLIS_MIN: i64 = 24 * 3600 * 1000;

/// How many times an impossible range must rise before measuring goes on from it.
pub const SETTLE_RISES_MIN: u32 = 3;

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
}

/// What became of one total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// Taken. For steps that book nothing the amount is zero and the interval tells which span is in doubt.
    Counted(Interval),
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

/// Another range than the accepted one, not believed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    /// A total no register of this meter can show.
    Noise,
    Fell(Mark),
    Rose {
        first: Mark,
        last: i64,
        rises: u32,
    },
}

/// The range before a fall that was taken for a reset, and what was booked since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    mark: Mark,
    booked: i64,
}

/// One cumulative register and what is believed of it.
#[derive(Debug, Clone)]
pub struct Counter {
    /// Milliseconds at the ceiling that one unit takes; 0 when no ceiling is known.
    millis_per_unit: f64,
    /// How far a register step may overdraw the store, in milliseconds; not positive.
    spare_floor: f64,
    spare: f64,
    /// First total that the register cannot show.
    modulus: i64,
    base: Option<Mark>,
    seen: i64,
    /// Whether anything but a plain rise is going on.
    plain: bool,
    doubt: Doubt,
    left: Option<Left>,
    /// Energy booked in a range that turned out false, to be taken off what follows.
    overbooked: i64,
}

impl Counter {
    #[must_use]
    pub fn new(settings: CounterSettings) -> Self {
        let known = settings.ceiling_per_milli.is_finite() && 0.0 < settings.ceiling_per_milli;
        let millis_per_unit = if known { 1.0 / settings.ceiling_per_milli } else { 0.0 };
        Self {
            millis_per_unit,
            spare_floor: -(settings.resolution.max(1) as f64) * millis_per_unit,
            spare: SPARE_MILLIS_MAX as f64,
            modulus: settings.wraps_at.filter(|&m| 0 < m).unwrap_or(i64::MAX),
            base: None,
            seen: i64::MIN,
            plain: true,
            doubt: Doubt::None,
            left: None,
            overbooked: 0,
        }
    }

    /// The last accepted total and its instant.
    #[must_use]
    pub fn accepted(&self) -> Option<(Instant, i64)> {
        self.base.map(|b| (Instant::from_millis(b.at), b.total))
    }

    /// Energy booked in a false range that later totals have not made up for yet, in smallest units.
    #[must_use]
    pub fn overbooked(&self) -> i64 {
        self.overbooked
    }

    /// Takes the next total. Totals come in order of time.
    pub fn push(&mut self, at: Instant, total: i64) -> Push {
        let at = at.millis();
        if let Some((from, amount)) = self.advance(at, total) {
            return counted(from, at, amount, Step::Advance);
        }
        if at <= self.seen {
            return if at == self.seen { Push::Repeated } else { Push::OutOfOrder };
        }
        self.seen = at;
        self.push_unusual(Mark { at, total })
    }

    /// The way of nearly every total: a plain rise that the connection can carry. Gives the instant of the total
    /// before and the energy since; `None`, and nothing changed, when it is not that.
    #[inline(always)]
    pub(crate) fn advance(&mut self, at: i64, total: i64) -> Option<(i64, i64)> {
        let base = self.base?;
        if !self.plain || at <= self.seen || total < base.total || self.modulus <= total {
            return None;
        }
        let amount = total - base.total;
        let spare = self.spare + (at - base.at) as f64 - amount as f64 * self.millis_per_unit;
        if spare < self.spare_floor {
            return None;
        }
        self.spare = spare.min(SPARE_MILLIS_MAX as f64);
        self.base = Some(Mark { at, total });
        self.seen = at;
        Some((base.at, amount))
    }

    fn push_unusual(&mut self, now: Mark) -> Push {
        let in_range = 0 <= now.total && now.total < self.modulus;
        let Some(base) = self.base else {
            if !in_range {
                return counted(now.at, now.at, 0, Step::Impossible);
            }
            self.base = Some(now);
            return counted(now.at, now.at, 0, Step::First);
        };
        let push = if in_range {
            self.judge(base, now)
        } else {
            self.doubt = Doubt::Noise;
            counted(base.at, now.at, 0, Step::Impossible)
        };
        self.plain = self.doubt == Doubt::None && self.left.is_none() && self.overbooked == 0;
        push
    }

    fn judge(&mut self, base: Mark, now: Mark) -> Push {
        // Before the old range: what follows an impossible range stays impossible, however long it lasts.
        if let Doubt::Rose { first, last, rises } = self.doubt
            && last <= now.total
            && self.could_carry(first, now)
        {
            return self.follow_rise(base, first, rises + u32::from(last < now.total), now);
        }
        if base.total <= now.total && self.plausible(base, now, now.total - base.total) {
            let step = if self.doubt == Doubt::None { Step::Advance } else { Step::Recovered };
            return self.accept(base, now, now.total - base.total, step);
        }
        if let Some(left) = self.left
            && left.mark.total <= now.total
            && self.could_carry(left.mark, now)
        {
            return self.come_back(base, left, now);
        }
        if base.total <= now.total {
            self.doubt = Doubt::Rose { first: now, last: now.total, rises: 0 };
            return counted(base.at, now.at, 0, Step::Impossible);
        }
        if let Some(amount) = self.wrapped(base, now) {
            self.leave(base, amount);
            return self.accept(base, now, amount, Step::Wrapped);
        }
        match self.doubt {
            Doubt::Fell(low) if low.total < now.total && self.could_carry(low, now) => {
                let amount = now.total - low.total;
                self.leave(base, amount);
                self.ground(now);
                counted(low.at, now.at, amount, Step::Reset)
            }
            Doubt::Fell(low) if low.total == now.total => counted(base.at, now.at, 0, Step::Held),
            Doubt::None | Doubt::Noise | Doubt::Fell(_) | Doubt::Rose { .. } => {
                self.doubt = Doubt::Fell(now);
                counted(base.at, now.at, 0, Step::Held)
            }
        }
    }

    /// Whether a run from `from` to `to` stays within what the connection can carry.
    fn could_carry(&self, from: Mark, to: Mark) -> bool {
        let needed = (to.total - from.total) as f64 * self.millis_per_unit;
        needed <= (to.at - from.at + SPARE_MILLIS_MAX) as f64 - self.spare_floor
    }

    fn plausible(&self, base: Mark, now: Mark, amount: i64) -> bool {
        self.spare_floor <= self.spare + (now.at - base.at) as f64 - amount as f64 * self.millis_per_unit
    }

    fn accept(&mut self, base: Mark, now: Mark, amount: i64, step: Step) -> Push {
        let spare = self.spare + (now.at - base.at) as f64 - amount as f64 * self.millis_per_unit;
        self.spare = spare.min(SPARE_MILLIS_MAX as f64);
        self.base = Some(now);
        self.doubt = Doubt::None;
        let taken_off = amount.min(self.overbooked);
        self.overbooked -= taken_off;
        if step != Step::Wrapped
            && let Some(left) = &mut self.left
        {
            left.booked = left.booked.saturating_add(amount);
            if RETURN_MILLIS_MAX < now.at - left.mark.at {
                self.left = None;
            }
        }
        counted(base.at, now.at, amount - taken_off, step)
    }

    /// Remembers the range that is being left, unless an older one is still remembered.
    fn leave(&mut self, base: Mark, booked: i64) {
        match &mut self.left {
            Some(left) => left.booked = left.booked.saturating_add(booked),
            None => self.left = Some(Left { mark: base, booked }),
        }
    }

    fn ground(&mut self, now: Mark) {
        self.base = Some(now);
        self.doubt = Doubt::None;
    }

    fn come_back(&mut self, base: Mark, left: Left, now: Mark) -> Push {
        let amount = now.total - left.mark.total;
        self.left = None;
        self.ground(now);
        self.overbooked = self.overbooked.saturating_add((left.booked - amount).max(0));
        counted(base.at, now.at, (amount - left.booked).max(0), Step::Recovered)
    }

    fn follow_rise(&mut self, base: Mark, first: Mark, rises: u32, now: Mark) -> Push {
        if rises < SETTLE_RISES_MIN || now.at - first.at < SETTLE_MILLIS_MIN {
            self.doubt = Doubt::Rose { first, last: now.total, rises };
            return counted(base.at, now.at, 0, Step::Impossible);
        }
        self.left = None;
        self.ground(now);
        counted(first.at, now.at, now.total - first.total, Step::Reset)
    }

    /// The energy of a register that passed its modulus, when the connection could have carried it.
    fn wrapped(&self, base: Mark, now: Mark) -> Option<i64> {
        if self.modulus == i64::MAX || self.modulus <= base.total {
            return None;
        }
        let amount = (self.modulus - base.total).checked_add(now.total)?;
        let believed = if self.millis_per_unit == 0.0 {
            // Without a ceiling only a fall from the top tenth to the bottom tenth is a wrap.
            self.modulus - self.modulus / 10 <= base.total && now.total <= self.modulus / 10
        } else {
            self.plausible(base, now, amount)
        };
        believed.then_some(amount)
    }
}

const fn counted(from: i64, to: i64, amount: i64, step: Step) -> Push {
    Push::Counted(Interval { from: Instant::from_millis(from), to: Instant::from_millis(to), amount, step })
}

#[cfg(test)]
mod tests;
