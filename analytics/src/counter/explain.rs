//! Another range of totals explained: why it fell or rose, what of it is energy, and which other explanations the
//! totals allow.
//!
//! Must never: take one wrap for the truth where several fit, or book what only one of several explanations carries
//! without its bounds.

use model::{Confidence, Explanation, Instant, Interval, Step};

use super::decision::{Alternative, Verdict};
use super::scale::{self, Scale};
use super::{Counted, Counter, Doubt, Mark, Run, SETTLE_MILLIS_MIN, SETTLE_RISES_MIN, SPARE_MILLIS_MAX};
use super::{nothing, plain, sharp};

/// A wrap is certain when a reset would have had to hit this part of the register's range by chance: one in fifty.
const WRAP_PARTS: i64 = 50;

/// How long a range must be followed before another unit explains it, in milliseconds: an hour.
const UNIT_MILLIS_MIN: i64 = 3_600 * 1000;

/// Energy between the last good total and the first of another range, as one explanation has it.
struct Between {
    explanation: Explanation,
    confidence: Confidence,
    /// `None`: unknown, and left to the time that is not covered.
    booked: Option<i64>,
}

impl Counter {
    pub(super) fn follow_rise(&mut self, base: Mark, run: Run, now: Mark, read: i64) -> Counted {
        self.doubt = Doubt::Rose(run);
        self.log.follow(now.at, read);
        let still = Mark { at: self.still_since, total: base.total };
        if still.at < base.at && self.could_carry(still, run.first) {
            if run.rises == 0 {
                return plain(nothing(base.at, now.at, Step::Impossible));
            }
            return self.catch_up(base, run, now, read);
        }
        if let Some(counted) = self.other_unit(base, run, now, read) {
            return counted;
        }
        if run.rises < SETTLE_RISES_MIN || now.at - run.first.at < SETTLE_MILLIS_MIN {
            return plain(nothing(base.at, now.at, Step::Impossible));
        }
        let mut interval = sharp(run.first.at, now.at, now.total - run.first.total, Step::Reset);
        let claimed = now.total - base.total;
        // What the first of them cannot have been, a later one may: then all of it was used since the accepted total.
        let mut since = None;
        if self.limits.knows_ceiling() && self.could_carry(base, now) {
            interval.high = claimed;
            since = Some(Instant::from_millis(base.at));
        }
        let most = self.limits.most_in(now.at - base.at, self.step());
        let mut alternatives = vec![Alternative { explanation: Explanation::Spike, low: 0, high: most }];
        // A person's word on its first total is taken only where the connection could have carried that.
        if self.could_carry(Mark { at: self.still_since.min(base.at), ..base }, run.first) {
            let high = most.max(claimed);
            alternatives.push(Alternative { explanation: Explanation::CaughtUp, low: claimed, high });
        }
        let amounts = [interval.amount, interval.low, interval.high];
        self.conclude(Explanation::Reset, Confidence::NeedsPerson, now, read, amounts, alternatives);
        let unmeasured = self.stood_still(base);
        self.ground(now, read);
        self.origin = run.first;
        Counted { unmeasured, since, ..plain(interval) }
    }

    /// The register stood still and then went on from where it should be.
    fn catch_up(&mut self, base: Mark, run: Run, now: Mark, read: i64) -> Counted {
        let amount = now.total - base.total;
        let own = now.total - run.first.total;
        let mut interval = sharp(base.at, now.at, amount, Step::CaughtUp);
        interval.accrued_from = Instant::from_millis(self.still_since);
        interval.low = own;
        let alternatives =
            vec![Alternative { explanation: Explanation::Reset, low: own, high: interval.high }];
        let amounts = [amount, own, amount];
        self.conclude(Explanation::CaughtUp, Confidence::Likely, now, read, amounts, alternatives);
        let turn = self.leave(base, run.first, now, read);
        self.least_rise = self.least_rise.min(run.first.total - base.total);
        self.rises = self.rises.saturating_add(1).saturating_add(run.rises);
        (self.still_since, self.still_after) = (now.at, self.limits.stands_after(base.at, now.at));
        Counted { turn, ..plain(interval) }
    }

    pub(super) fn follow_fall(&mut self, base: Mark, run: Run, now: Mark, read: i64) -> Counted {
        self.doubt = Doubt::Fell(run);
        if run.rises == 0 {
            return plain(nothing(base.at, now.at, Step::Held));
        }
        let candidate = scale::factor(&self.limits, base, run.first, self.limits.resolution);
        if candidate.is_some() {
            if let Some(counted) = self.other_unit(base, run, now, read) {
                return counted;
            }
            if !unit_is_due(run, now) {
                return plain(nothing(base.at, now.at, Step::Held));
            }
        }
        self.settle_fall(base, run, now, read)
    }

    fn settle_fall(&mut self, base: Mark, run: Run, now: Mark, read: i64) -> Counted {
        let most = self.limits.most_in(run.first.at - base.at, self.step());
        let own = now.total - run.first.total;
        let between = self.between(base, run.first, most);
        // A fall of minutes lost no more than that, however long the total stood before.
        let stood_still = if self.is_of_minutes(base, run.first) { None } else { self.stood_still(base) };
        let since = stood_still.map_or(base.at, |(from, _)| from.millis());
        let unknown = self.limits.most_in(run.flat_until - since, self.step());
        let mut interval = match between.booked {
            Some(booked) => Interval {
                low: own,
                high: unknown.max(booked).saturating_add(own),
                ..sharp(base.at, now.at, booked.saturating_add(own), Step::Wrapped)
            },
            // A single low total may have been garbled and the fall have come after it: then nothing of its rise was
            // used, or as much as the time carries.
            None if !run.repeated && self.limits.knows_ceiling() => Interval {
                low: 0,
                high: own.max(self.limits.most_in(now.at - run.first.at, self.step())),
                ..sharp(run.first.at, now.at, own, Step::Reset)
            },
            // While it was repeated, it may have been what garbled ones look like.
            None => sharp(run.flat_until, now.at, own, Step::Reset),
        };
        // Perhaps the low totals were garbled and the register passed its end meanwhile; part of that lies in time that is
        // not covered.
        if let Some(around) = self.wrapped(base, now, self.limits.most_in(now.at - base.at, self.step())) {
            let uncovered = self.limits.most_in(interval.from.millis() - base.at - SPARE_MILLIS_MAX, 0);
            interval.high = interval.high.max(around.saturating_sub(uncovered));
        }
        let alternatives = self.alternatives(&between, base, run.first, most);
        // What is not booked lies in time that is not covered, and is bounded there.
        let high =
            if between.booked.is_some() { interval.high } else { unknown.saturating_add(interval.high) };
        let amounts = [interval.amount, interval.low, high];
        self.conclude(between.explanation, between.confidence, now, read, amounts, alternatives);
        let turn = self.leave(base, run.first, now, read);
        (self.still_since, self.still_after) = (run.flat_until, run.flat_until);
        let rest = self.limits.most_in(run.first.at - base.at - SPARE_MILLIS_MAX, self.step());
        let fall = base.total - run.first.total;
        let falls = [fall, fall.saturating_add(rest)];
        // A register that can have come round needs no such doubt of what it showed before.
        let may_be = between.booked.is_none() && between.explanation != Explanation::Wrap;
        let too_high = may_be.then_some((Instant::from_millis(base.at), falls));
        let (unmeasured, since) = match between.booked {
            Some(_) => (None, stood_still.map(|(from, _)| from)),
            None if run.first.at < run.flat_until => (stood_still, Some(Instant::from_millis(base.at))),
            None => (stood_still, None),
        };
        Counted { turn, too_high, unmeasured, since, ..plain(interval) }
    }

    /// The best explanation of a fall to `first`, between which and the base at most `most` can have been used.
    fn between(&self, base: Mark, first: Mark, most: i64) -> Between {
        let unknown = |explanation, confidence| Between { explanation, confidence, booked: None };
        if let Some(around) = self.wrapped(base, first, most) {
            let several = around.saturating_add(self.limits.modulus) <= most && self.limits.knows_ceiling();
            return if several {
                unknown(Explanation::Wrap, Confidence::NeedsPerson)
            } else {
                Between { booked: Some(around), ..unknown(Explanation::Wrap, Confidence::Likely) }
            };
        }
        let by_minutes = self.is_of_minutes(base, first);
        if self.is_step_back(base, first) {
            let confidence = if by_minutes { Confidence::Certain } else { Confidence::Likely };
            return unknown(Explanation::StepBack, confidence);
        }
        // From zero, as after a command; from anywhere else it is another meter, or nobody knows what.
        let confidence = if first.total <= most { Confidence::Likely } else { Confidence::NeedsPerson };
        unknown(Explanation::Reset, confidence)
    }

    fn alternatives(&self, chosen: &Between, base: Mark, first: Mark, most: i64) -> Vec<Alternative> {
        let mut all = Vec::new();
        if let Some(around) = self.wrapped(base, first, most) {
            all.push(Alternative { explanation: Explanation::Wrap, low: around, high: most.max(around) });
        }
        all.push(Alternative { explanation: Explanation::Reset, low: 0, high: most });
        all.push(Alternative { explanation: Explanation::Exchange, low: 0, high: most });
        all.push(Alternative { explanation: Explanation::Dip, low: 0, high: most });
        all.retain(|a| a.explanation != chosen.explanation);
        all
    }

    /// The energy of a register that passed its largest value once, when that can be.
    pub(super) fn wrapped(&self, base: Mark, first: Mark, most: i64) -> Option<i64> {
        if self.scale != Scale::ONE {
            return None;
        }
        let around = self.limits.once_around(base, first)?;
        let modulus = self.limits.modulus;
        let believed = if self.limits.knows_ceiling() {
            around <= most
        } else {
            // Without a ceiling only a fall from the top tenth to the bottom tenth is a wrap.
            modulus - modulus / 10 <= base.total && first.total <= modulus / 10
        };
        believed.then_some(around)
    }

    /// Whether the register may have gone round once more, unseen, before it showed a total that is not lower.
    pub(super) fn may_have_turned(&self, base: Mark, now: Mark) -> bool {
        if self.turn_millis >= now.at - base.at || self.scale != Scale::ONE {
            return false;
        }
        let again = (now.total - base.total).saturating_add(self.limits.modulus);
        again <= self.limits.most_in(now.at - base.at, self.step())
    }

    /// A gap so long that nobody can tell how often the register went round in it: what was used is left to the time
    /// that is not covered.
    pub(super) fn lose_count(&mut self, base: Mark, now: Mark, read: i64) -> Counted {
        let most = self.limits.most_in(now.at - base.at, self.step());
        let risen = now.total - base.total;
        self.log.open(now.at, base.at, self.base_read, read);
        let alternatives = vec![Alternative { explanation: Explanation::CaughtUp, low: risen, high: most }];
        self.conclude(Explanation::Wrap, Confidence::NeedsPerson, now, read, [0, 0, most], alternatives);
        let unmeasured = self.stood_still(base);
        self.ground(now, read);
        Counted { unmeasured, ..plain(nothing(now.at, now.at, Step::Reset)) }
    }

    /// A wrap that needs no second opinion: no gap in which it could have happened twice or a reset been missed, and
    /// so close to the register's end that a reset there would be chance.
    pub(super) fn wrap_at_once(&mut self, base: Mark, now: Mark, read: i64) -> Option<Counted> {
        if self.limits.gap_after_millis < now.at - base.at {
            return None;
        }
        let around = self.wrapped(base, now, self.limits.most_in(now.at - base.at, self.step()))?;
        if self.limits.knows_ceiling() && self.limits.modulus / WRAP_PARTS < around {
            return None;
        }
        let spare = self.spare + (now.at - base.at) as f64 - around as f64 * self.limits.millis_per_unit;
        if spare < -(self.step() as f64) * self.limits.millis_per_unit {
            return None;
        }
        let interval = sharp(base.at, now.at, around, Step::Wrapped);
        self.conclude(Explanation::Wrap, Confidence::Certain, now, read, [around; 3], Vec::new());
        let since = self.stood_still(base).map(|(from, _)| from);
        let turn = self.leave(base, now, now, read);
        self.spare = spare.min(super::SPARE_MILLIS_MAX as f64);
        Some(Counted { turn, since, ..plain(interval) })
    }

    /// The range counts in another unit: its totals follow from the base, and its rate from the rate before, by one
    /// and the same factor.
    fn other_unit(&mut self, base: Mark, run: Run, now: Mark, read: i64) -> Option<Counted> {
        if !unit_is_due(run, now) {
            return None;
        }
        let factor = scale::factor(&self.limits, base, run.first, self.limits.resolution)?;
        if let Some(before) = rate(self.origin, base)
            && let Some(after) = rate(run.first, now)
            && !factor.explains_rates(before, after)
        {
            return None;
        }
        let own = now.total - run.first.total;
        let carried = self.could_carry(run.first, now);
        let counted = self.rescale(base, now, read, factor, own)?;
        let interval = counted.interval;
        // What the new range rose at its face value is an answer only where the connection carries it.
        let unknown = self.limits.most_in(run.first.at - base.at, self.step());
        let reset =
            Alternative { explanation: Explanation::Reset, low: own, high: own.saturating_add(unknown) };
        let alternatives = if carried { vec![reset] } else { Vec::new() };
        let back = self.scale == Scale::ONE;
        let confidence = if back { Confidence::Certain } else { Confidence::Likely };
        let amounts = [interval.amount, interval.low, interval.high];
        self.conclude(Explanation::UnitChange, confidence, now, read, amounts, alternatives);
        Some(counted)
    }

    /// Goes on in another unit. `own` is what the new range rose at its face value.
    pub(super) fn rescale(
        &mut self,
        base: Mark,
        now: Mark,
        read: i64,
        factor: Scale,
        own: i64,
    ) -> Option<Counted> {
        let scale = self.scale.then(factor)?;
        let total = factor.apply(now.total)?;
        let mut interval = sharp(base.at, now.at, (total - base.total).max(0), Step::Rescaled);
        if scale != Scale::ONE {
            interval.low = interval.amount.min(own);
            interval.high = interval.amount.max(self.if_carried(own, now.at - base.at));
        }
        self.scale = scale;
        self.scale_settled = false;
        self.ground(Mark { total, ..now }, read);
        self.least_rise = i64::MAX;
        self.rises = 0;
        Some(plain(interval))
    }

    /// Whether a range that rises faster than the connection carries does not in the unit that its first total speaks
    /// for.
    pub(super) fn carries_in_other_unit(&self, base: Mark, run: Run, now: Mark) -> bool {
        let scaled = |scale: Scale, mark: Mark| Some(Mark { total: scale.apply(mark.total)?, ..mark });
        scale::factor(&self.limits, base, run.first, self.limits.resolution).is_some_and(|factor| {
            let ends = scaled(factor, run.first).zip(scaled(factor, now));
            ends.is_some_and(|(first, now)| self.could_carry(first, now))
        })
    }

    fn conclude(
        &mut self,
        explanation: Explanation,
        confidence: Confidence,
        now: Mark,
        read: i64,
        amounts: [i64; 3],
        alternatives: Vec<Alternative>,
    ) {
        let verdict = Verdict { explanation, confidence, to: now.at, after: read, amounts, alternatives };
        self.log.settle(verdict, false);
    }
}

fn unit_is_due(run: Run, now: Mark) -> bool {
    SETTLE_RISES_MIN <= run.rises && UNIT_MILLIS_MIN <= now.at - run.first.at
}

/// Units per millisecond between two marks an hour or more apart; `None` when they are closer or nothing moved.
fn rate(from: Mark, to: Mark) -> Option<f64> {
    let (millis, amount) = (to.at - from.at, to.total - from.total);
    (UNIT_MILLIS_MIN <= millis && 0 < amount).then(|| amount as f64 / millis as f64)
}
