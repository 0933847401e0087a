//! Each bill against what the other bills of the reporting period say of it, without it: the coldest bills, through which
//! any line that is fitted to all would run, are held against the others alike; and two that follow each other at once.
//!
//! Must never: doubt a law of the weather that a measure can make, a saving that begins one day and lasts, or the sun's
//! share of the summer.
//!
//! Whatever a measure does, a law of the weather still falls nowhere with the need and bends upwards only: insulation, a
//! lower balance point, a smaller base load. Two bills therefore set a least use for a third: what a bill of no more need
//! used, the chord through two of less need, and the chord through two of more need. A bill far below the highest of
//! these leaves every such law. It is no doubt where the bills before it are the odd ones: a measure that began meanwhile,
//! which a later bill, or one between, shows as well. Nor where its neighbours lead to it: roof panels and solar hot water
//! take the more the nearer the summer.

use chrono::Datelike;

use super::{Point, ZERO_SHARE};

/// A bill below this share of what the others say is far below; and below this share of its expectation at all.
const FAR: f64 = 0.68;
const LOW: f64 = 0.75;
/// Standard deviations that a bound is lowered by, and that a bill is off it.
const BOUND_DEVIATIONS: f64 = 2.0;
pub(super) const OFF_DEVIATIONS: f64 = 2.5;
/// Of less than this share of the expectation of all bills nothing is said.
const MATTERS: f64 = 0.008;
/// The scatter of a bill as a share of it, at least and at most.
const SCATTER: (f64, f64) = (0.05, 0.3);
/// Needs are the same up to this factor and this share of the mean expected use.
const SAME: f64 = 1.03;
const SAME_OF_MEAN: f64 = 0.03;
/// A chord is drawn on as far as to five times its length; towards less need one and a half times.
const RUN_MIN: f64 = 0.2;
const BACK_MAX: f64 = 1.5;
/// How far the mix of heating and cooling of a chord may be off.
const MIX: f64 = 0.25;
/// A bill below this share of what those before it say is one of a run of low ones; of less than this share of its
/// expectation they say nothing.
const RUN_LOW: f64 = 0.8;
const SAYS_MIN: f64 = 0.1;
/// Of a saving that lasts, a later bill shows at least this share.
const LASTS: f64 = 0.4;
/// The half of the year in which the sun takes its share, in days of the year.
const SUN: std::ops::RangeInclusive<f64> = 80.0..=275.0;
/// Fewest bills.
const BILLS_MIN: usize = 4;
/// Bills are of so many days on average.
const BILL_DAYS: f64 = 14.0;

/// A point per day.
struct Bill {
    days: f64,
    used: f64,
    expected: f64,
    /// For heating and for cooling.
    need: [f64; 2],
    /// Of the baseline's bills of such a use, as a share of it.
    scatter: f64,
    middle: f64,
}

impl Bill {
    fn of(p: &Point) -> Self {
        let expected = p.expected / p.row.days;
        let share = p.noise / p.expected;
        let scatter = if share.is_finite() { share.clamp(SCATTER.0, SCATTER.1) } else { SCATTER.1 };
        let day = f64::from(p.row.from.ordinal()) + p.row.days / 2.0;
        Self {
            days: p.row.days,
            used: p.row.energy_per_day(),
            expected,
            need: p.parts.map(|part| part.max(0.0) / p.row.days),
            scatter,
            middle: if 365.0 < day { day - 365.0 } else { day },
        }
    }

    fn whole_need(&self) -> f64 {
        self.need[0] + self.need[1]
    }

    fn deviation(&self) -> f64 {
        self.scatter * self.used.max(0.0)
    }
}

/// Whether these are bills or months, and no days.
pub(super) fn are_bills(points: &[Point]) -> bool {
    let days: f64 = points.iter().map(|p| p.row.days).sum();
    BILL_DAYS * points.len() as f64 <= days
}

/// Which of the bills, in order of time, are far below what the others say; none of days.
pub(super) fn far_below(points: &[Point]) -> Vec<bool> {
    let mut found = vec![false; points.len()];
    let bills: Vec<Bill> = points.iter().map(Bill::of).collect();
    let days: f64 = bills.iter().map(|b| b.days).sum();
    if bills.len() < BILLS_MIN || !are_bills(points) {
        return found;
    }
    let expected = bills.iter().map(|b| b.expected * b.days).sum::<f64>();
    let held = Held { bills, mean: expected / days, expected };
    for length in 1..=2 {
        for first in 0..=held.bills.len() - length {
            let out = first..first + length;
            if out.clone().all(|i| held.leaves(i, &out)) {
                found.iter_mut().skip(first).take(length).for_each(|f| *f = true);
            }
        }
    }
    found
}

type Span = std::ops::Range<usize>;

struct Held {
    bills: Vec<Bill>,
    /// Expected use per day.
    mean: f64,
    expected: f64,
}

impl Held {
    /// Whether this bill, one of those left out, leaves what the others say.
    fn leaves(&self, i: usize, out: &Span) -> bool {
        let bill = &self.bills[i];
        if bill.expected < ZERO_SHARE * self.mean || LOW * bill.expected <= bill.used {
            return false;
        }
        let others: Vec<usize> = (0..self.bills.len()).filter(|k| !out.contains(k)).collect();
        let says = self.least(bill, &others).min(bill.expected);
        let says = self.of_neighbours(bill, out).map_or(says, |share| says.min(share * bill.expected));
        let off = says - bill.used;
        bill.used < FAR * says
            && MATTERS * self.expected < off * bill.days
            && OFF_DEVIATIONS * bill.deviation() < off
            && !self.began(bill, out)
    }

    /// The least use per day that any law falling nowhere with need, and bending upwards only, has for this bill, given
    /// some others.
    fn least(&self, bill: &Bill, others: &[usize]) -> f64 {
        let mut least: f64 = 0.0;
        for q in others.iter().map(|k| &self.bills[*k]) {
            let rest = || others.iter().map(|k| &self.bills[*k]).filter(|b| !std::ptr::eq(*b, q));
            if self.needs_no_more(q, bill, SAME) {
                least = least.max(q.used - BOUND_DEVIATIONS * q.deviation());
                least = rest().filter_map(|b| self.chord_up(b, q, bill)).fold(least, f64::max);
            }
            if self.needs_no_more(bill, q, 1.0) {
                least = rest().filter_map(|b| self.chord_down(q, b, bill)).fold(least, f64::max);
            }
        }
        least
    }

    fn needs_no_more(&self, a: &Bill, b: &Bill, times: f64) -> bool {
        (0..2).all(|n| a.need[n] <= times * b.need[n] + SAME_OF_MEAN * self.mean)
    }

    /// What a chord from a bill of less need through one of more says of one of more still.
    fn chord_up(&self, low: &Bill, high: &Bill, bill: &Bill) -> Option<f64> {
        let (whole, run) = (bill.whole_need() - low.whole_need(), high.whole_need() - low.whole_need());
        if !self.needs_no_more(low, high, 1.0) || run <= 0.0 || run < RUN_MIN * whole || high.used <= low.used
        {
            return None;
        }
        let mix = if 0.0 < whole { (bill.need[0] - low.need[0]) / whole } else { 0.0 };
        let alike = ((high.need[0] - low.need[0]) / run - mix).abs() <= MIX;
        let times = whole / run;
        let deviation = (high.deviation() * times).hypot(low.deviation() * (times - 1.0));
        let at = low.used + (high.used - low.used) * times;
        alike.then_some(at - BOUND_DEVIATIONS * deviation)
    }

    /// What a chord through two of more need says of one of less.
    fn chord_down(&self, low: &Bill, high: &Bill, bill: &Bill) -> Option<f64> {
        let (back, run) = (low.whole_need() - bill.whole_need(), high.whole_need() - low.whole_need());
        if !self.needs_no_more(low, high, 1.0) || run <= 0.0 || BACK_MAX * run < back {
            return None;
        }
        let times = back / run;
        let deviation = (low.deviation() * (1.0 + times)).hypot(high.deviation() * times);
        Some(low.used - (high.used - low.used).max(0.0) * times - BOUND_DEVIATIONS * deviation)
    }

    /// The share of its expectation to which the bills before and after lead: as they are, and with the sun as they go on.
    fn of_neighbours(&self, bill: &Bill, out: &Span) -> Option<f64> {
        let share = |k: Option<usize>| {
            let b = self.bills.get(k?)?;
            (ZERO_SHARE * self.mean < b.expected).then(|| b.used / b.expected)
        };
        let sunny = SUN.contains(&bill.middle);
        let going_on = |near: Option<usize>, next: Option<usize>| {
            let own = share(near)?;
            let fall = if sunny { share(next).map_or(0.0, |s| (s.min(1.0) - own).max(0.0)) } else { 0.0 };
            Some((own - fall).max(0.0))
        };
        let before = going_on(out.start.checked_sub(1), out.start.checked_sub(2));
        let after = going_on(Some(out.end), Some(out.end + 1));
        let both = before.zip(after);
        let lower = sunny || 1 < out.len();
        both.map(|(a, b)| if lower { a.min(b) } else { a.max(b) }).or(before).or(after)
    }

    /// Whether a saving began before this bill and lasts: no later bill says that it should have used more, and another
    /// low bill, from its beginning on, shows it as well.
    fn began(&self, bill: &Bill, out: &Span) -> bool {
        let later: Vec<usize> = (out.end..self.bills.len()).collect();
        if bill.used < FAR * self.least(bill, &later) {
            return false;
        }
        if later.iter().any(|k| self.lacks(bill, &self.bills[*k])) {
            return false;
        }
        let tells = |k: &usize| RUN_MIN * bill.whole_need() < self.bills[*k].whole_need();
        if 1 < out.len() && !later.iter().any(tells) {
            return 0 < out.start;
        }
        let mut from = out.start;
        while 0 < from && self.is_lower(from - 1, from - 1) {
            from -= 1;
        }
        0 < from && (from..out.start).chain(later).any(|k| self.is_lower(k, from))
    }

    /// Whether a bill of as much need saves far less a day than another does: no measure saves less where more is asked.
    fn lacks(&self, bill: &Bill, of: &Bill) -> bool {
        let saved = |b: &Bill| b.expected - b.used;
        self.needs_no_more(bill, of, 1.0)
            && saved(of) + BOUND_DEVIATIONS * of.deviation() < LASTS * saved(bill)
            && ZERO_SHARE * self.mean < of.expected
    }

    /// Whether a bill is lower than those before the given one say.
    fn is_lower(&self, k: usize, before: usize) -> bool {
        let bill = &self.bills[k];
        let earlier: Vec<usize> = (0..before).collect();
        let says = self.least(bill, &earlier).min(bill.expected);
        SAYS_MIN * bill.expected < says && bill.used < RUN_LOW * says
    }
}
