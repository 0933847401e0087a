//! What a person decided, applied to the counter: an explanation, an exchange.
//!
//! Must never: book more than the connection can carry because somebody said so.

use model::{Confidence, Explanation, Instant, Interval, Step};

use super::decision::Verdict;
use super::scale::{self, Scale};
use super::{Counted, Counter, Doubt, Mark, Push};
use super::{nothing, plain, sharp};

/// How far the instant a person states for an exchange may lie from the reading that shows it, in milliseconds: a day.
pub(crate) const EXCHANGE_MILLIS_MAX: i64 = 24 * 3600 * 1000;

/// An exchange: the last total of the old meter and the first of the new one, as far as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) at: i64,
    pub(crate) closing: Option<i64>,
    pub(crate) opening: Option<i64>,
}

/// What became of an exchange at a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exchanged {
    /// The reading is still of the old meter, or does not tell yet.
    Waits,
    /// The totals do not bear it out within a day.
    Refused,
    /// Applied: energy of the old meter and of the new one, as far as it is known; whether a stated total was left
    /// out because the connection cannot have carried it; and the span in which the old meter's total was repeated, where
    /// no closing total tells what was used in it.
    Applied { parts: [Option<Interval>; 2], left_out: bool, unmeasured: Option<(Instant, Instant)> },
}

impl Counter {
    /// Takes a total that begins a break as a person explained it. `None`, and nothing changed, when the totals or the
    /// connection do not allow it: then it is to be pushed as any other.
    pub(crate) fn push_explained(
        &mut self,
        at: Instant,
        read: i64,
        explanation: Explanation,
    ) -> Option<Push> {
        let base = self.base?;
        let at = at.millis();
        if let Some(refused) = self.refused(at) {
            return Some(refused);
        }
        let before = self.base_read;
        let in_range = 0 <= read && read < self.limits.modulus;
        let now = self.scale.apply(read).filter(|_| in_range).map(|total| Mark { at, total });
        let mut unread = 0;
        let counted = match (explanation, now) {
            (Explanation::Dip | Explanation::Spike, _) => Some(self.ignore(base, at, read)),
            (_, None) => None,
            (_, Some(now)) if self.follows(base, now) => None,
            (Explanation::Reset | Explanation::StepBack | Explanation::Exchange, Some(now)) => {
                let minutes = explanation == Explanation::StepBack && self.is_of_minutes(base, now);
                let unmeasured = if minutes { None } else { self.stood_still(base) };
                // The time up to it stays uncovered: what was used in it nobody read.
                let since = unmeasured.map_or(base.at, |(from, _)| from.millis());
                unread = self.limits.most_in(now.at - since, self.step());
                self.ground(now, read);
                Some(Counted { unmeasured, ..plain(nothing(now.at, now.at, Step::Reset)) })
            }
            (Explanation::Wrap, Some(now)) => self.wrap_by_person(base, now, read),
            (Explanation::CaughtUp, Some(now)) => self.catch_up_by_person(base, now, read),
            (Explanation::UnitChange, Some(now)) => self.unit_by_person(base, now, read),
            (Explanation::Standstill | Explanation::Open, Some(_)) => None,
        }?;
        self.seen = at;
        let Interval { amount, low, high, .. } = counted.interval;
        let amounts = [amount, low, high.saturating_add(unread)];
        self.note(Mark { at: base.at, total: before }, at, read, explanation, amounts);
        self.look_around();
        Some(Push::Counted(counted))
    }

    /// Whether a total follows the accepted range without any doubt.
    pub(crate) fn would_follow(&self, at: Instant, read: i64) -> bool {
        let now = self.scale.apply(read).map(|total| Mark { at: at.millis(), total });
        match (self.base, now) {
            (Some(base), Some(now)) => self.follows(base, now),
            (None, _) | (_, None) => false,
        }
    }

    fn follows(&self, base: Mark, now: Mark) -> bool {
        let plausible = base.total <= now.total && self.plausible(base, now);
        plausible && now.total < self.limits.modulus && !self.may_have_turned(base, now)
    }

    /// Enters what a person decided. `before` is the last accepted total as it was read; `amounts` are what was booked and
    /// its bounds, in which counts what may have been used in time that is not covered.
    fn note(&mut self, before: Mark, at: i64, read: i64, explanation: Explanation, amounts: [i64; 3]) {
        // A break that began before stands as it is, since nobody explained it; an exchange explains it.
        if explanation != Explanation::Exchange {
            self.log.abandon();
        }
        self.log.open(at, before.at, before.total, read);
        let verdict = Verdict {
            explanation,
            confidence: Confidence::Certain,
            to: at,
            after: read,
            amounts,
            alternatives: Vec::new(),
        };
        self.log.settle(verdict, true);
    }

    /// A false reading: nothing happened, and what follows the old range ends it.
    fn ignore(&mut self, base: Mark, at: i64, read: i64) -> Counted {
        self.doubt = Doubt::Ignored(at);
        let step = if read < self.base_read { Step::Held } else { Step::Impossible };
        plain(nothing(base.at, at, step))
    }

    fn wrap_by_person(&mut self, base: Mark, now: Mark, read: i64) -> Option<Counted> {
        let most = self.limits.most_in(now.at - base.at, self.step());
        let around = self.wrapped(base, now, most).filter(|_| self.scale == Scale::ONE)?;
        let mut interval = sharp(base.at, now.at, around, Step::Wrapped);
        // The person says that it wrapped; how often, only the ceiling can bound.
        let again = around.saturating_add(self.limits.modulus);
        if again <= most && self.limits.knows_ceiling() {
            interval.high = most;
        }
        self.ground(now, read);
        Some(plain(interval))
    }

    fn catch_up_by_person(&mut self, base: Mark, now: Mark, read: i64) -> Option<Counted> {
        let still = Mark { at: self.still_since.min(base.at), total: base.total };
        if now.total < base.total || !self.could_carry(still, now) {
            return None;
        }
        let mut interval = sharp(base.at, now.at, now.total - base.total, Step::CaughtUp);
        interval.accrued_from = Instant::from_millis(still.at);
        if self.may_have_turned(base, now) {
            interval.high = self.limits.most_in(now.at - base.at, self.step());
        }
        self.ground(now, read);
        Some(plain(interval))
    }

    fn unit_by_person(&mut self, base: Mark, now: Mark, read: i64) -> Option<Counted> {
        let factor = scale::factor(&self.limits, base, now, self.limits.resolution)?;
        let mut counted = self.rescale(base, now, read, factor, 0)?;
        self.scale_settled = true;
        counted.interval.low = counted.interval.amount;
        Some(counted)
    }

    /// Tries an exchange at a reading, which is the new meter's when it is applied.
    pub(crate) fn exchange(&mut self, exchange: Exchange, at: Instant, read: i64) -> Exchanged {
        let at = at.millis();
        if at <= self.seen || read < 0 || self.limits.modulus <= read {
            return Exchanged::Waits;
        }
        let now = Mark { at, total: read };
        let boundary = self.base.map_or(exchange.at, |base| exchange.at.max(base.at)).min(at);
        let begins = exchange.opening.map(|total| Mark { at: boundary, total });
        let follows = self.would_follow(Instant::from_millis(at), read);
        let fits = match begins {
            Some(first) => first.total <= read && self.could_carry(first, now),
            None => !follows,
        };
        if !fits {
            let over = EXCHANGE_MILLIS_MAX < at - exchange.at;
            return if over { Exchanged::Refused } else { Exchanged::Waits };
        }
        // One total of another range may be a glitch, two of it are not. Where the old range would go on too, only the
        // stated instant tells.
        let told = if follows || self.base.is_none() { exchange.at <= at } else { self.goes_on(now) };
        if !told {
            return Exchanged::Waits;
        }
        let old = self.base.and_then(|base| self.closing_part(base, boundary, exchange.closing));
        let new = begins.map(|first| sharp(boundary, at, read - first.total, Step::Exchanged));
        let unmeasured = self.base.filter(|_| old.is_none()).and_then(|base| self.stood_still(base));
        let left_out = old.is_none() && exchange.closing.is_some() && self.base.is_some();
        let base = self.base.unwrap_or(Mark { at: boundary, total: read });
        let booked: i64 = [old, new].iter().flatten().map(|i| i.amount).sum();
        let since = unmeasured.map_or(base.at, |(from, _)| from.millis());
        let of_old = if old.is_none() { boundary - since } else { 0 };
        let of_new = if new.is_none() { at - boundary } else { 0 };
        let unread = match of_old + of_new {
            0 => 0,
            millis => self.limits.most_in(millis, self.step()),
        };
        let amounts = [booked, booked, booked.saturating_add(unread)];
        self.note(Mark { at: base.at, total: self.base_read }, at, read, Explanation::Exchange, amounts);
        self.scale = Scale::ONE;
        self.ground(now, read);
        self.least_rise = i64::MAX;
        self.rises = 0;
        self.seen = at;
        self.look_around();
        Exchanged::Applied { parts: [old, new], left_out, unmeasured }
    }

    /// Whether a total goes on from one of another range.
    fn goes_on(&self, now: Mark) -> bool {
        match self.doubt {
            Doubt::Fell(run) | Doubt::Rose(run) => run.last <= now.total && self.could_carry(run.first, now),
            Doubt::None | Doubt::Noise | Doubt::Ignored(_) => false,
        }
    }

    /// The old meter's energy up to its closing total.
    fn closing_part(&self, base: Mark, boundary: i64, closing: Option<i64>) -> Option<Interval> {
        let end = Mark { at: boundary, total: self.scale.apply(closing?)? };
        if end.total < base.total {
            return None;
        }
        let mut part = sharp(base.at, boundary, end.total - base.total, Step::Exchanged);
        if self.could_carry(base, end) {
            return Some(part);
        }
        // The total was repeated before it: what was used since then came to light with the closing total.
        let still = Mark { at: self.still_since.min(base.at), total: base.total };
        part.accrued_from = Instant::from_millis(still.at);
        self.could_carry(still, end).then_some(part)
    }
}
