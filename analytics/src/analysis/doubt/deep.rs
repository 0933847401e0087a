//! Months that use next to nothing while others of the same need do not: several garbled bills at once, through which any
//! line of the reporting periods would run.
//!
//! Must never: doubt a saving that every month of the same need shows, or a month in which the baseline was as low.
//!
//! A law of the weather asks no less of a month that is no milder. A month under a fifth of its expectation is therefore
//! held against those that the weather asked no more heating and no more cooling of: where two of them used several times
//! as much a day, and no month lies between the two, no measure has done it. Heating that now comes from elsewhere is
//! gone from all its months; what begins later in autumn lacks in the milder ones; roof panels take the more the
//! nearer the summer, step by small step.

use chrono::Datelike;

use super::{Point, ZERO_SHARE};
use crate::baseline::data::{Data, Row};

/// Periods shorter than this, in days, are judged by the month.
pub(super) const BLOCK_DAYS: f64 = 25.0;
/// A month below this share of its expectation may be garbled.
const DEEP: f64 = 0.2;
/// What months of no more need use per day, as a multiple of its own, and how many of them do.
const TIMES: f64 = 2.5;
const OTHERS_MIN: usize = 2;
/// Steps from one month's share to the next that are no step of a season.
const STEP: f64 = 2.0;
/// Need is as good as the same up to this factor, and this share of the mean expected use; more where not even this share
/// of what is expected without any need was used.
const SAME: f64 = 1.05;
const SAME_OF_MEAN: f64 = 0.02;
const SAME_OF_MEAN_FOR_BASE: f64 = 0.15;
const BASE: f64 = 0.4;
/// The baseline's own months explain one of up to so many times less than they used.
const AS_LOW: f64 = 2.0;

/// Points that follow each other, as one month.
struct Block {
    points: Vec<Point>,
    days: f64,
    energy: f64,
    expected: f64,
    /// Per day.
    need: [f64; 2],
}

impl Block {
    fn of(points: Vec<Point>) -> Self {
        let sum = |of: &dyn Fn(&Point) -> f64| points.iter().map(of).sum::<f64>();
        let days = sum(&|p| p.row.days);
        let need = [sum(&|p| p.parts[0]) / days, sum(&|p| p.parts[1]) / days];
        let (energy, expected) = (sum(&|p| p.row.energy.max(0.0)), sum(&|p| p.expected));
        Self { points, days, energy, expected, need }
    }

    fn share(&self) -> f64 {
        self.energy / self.expected
    }

    fn per_day(&self) -> f64 {
        self.energy / self.days
    }
}

/// The points of months that are garbled, as far as the others tell, and the others.
pub(super) fn part(points: Vec<Point>, baseline: &Data) -> (Vec<Point>, Vec<Point>) {
    let blocks: Vec<Block> = join(points, |p| p.row).into_iter().map(Block::of).collect();
    let (days, expected) = blocks.iter().fold((0.0, 0.0), |(d, e), b| (d + b.days, e + b.expected));
    let mean = expected / days;
    let before = join(baseline.rows().to_vec(), |row| *row);
    // What is left of all use, garbled months aside.
    let sound = blocks.iter().filter(|b| DEEP <= b.share());
    let (measured, of) = sound.fold((0.0, 0.0), |(m, e), b| (m + b.energy, e + b.expected));
    let left = if 0.0 < of { (measured / of).min(1.0) } else { 1.0 };
    let is_deep = |block: &Block| {
        ZERO_SHARE * mean < block.expected / block.days
            && block.share() < DEEP
            && !is_as_low(block, &before, left)
            && stands_alone(block, &blocks, mean)
    };
    let deep: Vec<bool> = blocks.iter().map(is_deep).collect();
    let (mut dropped, mut kept) = (Vec::new(), Vec::new());
    for (block, is_deep) in blocks.into_iter().zip(deep) {
        if is_deep { dropped.extend(block.points) } else { kept.extend(block.points) }
    }
    (dropped, kept)
}

/// Whether others of no more need used several times as much, without anything between.
fn stands_alone(block: &Block, all: &[Block], mean: f64) -> bool {
    let base = block.expected / block.days - block.need[0] - block.need[1];
    let slack = if block.per_day() < BASE * base { SAME_OF_MEAN_FOR_BASE } else { SAME_OF_MEAN };
    let no_more = |other: &&Block| {
        let mut need = other.need.iter().zip(block.need);
        need.all(|(other, own)| *other <= SAME * own.max(0.0) + slack * mean)
            && ZERO_SHARE * mean < other.expected / other.days
    };
    let far = |other: &&Block| DEEP <= other.share() && TIMES * block.per_day() <= other.per_day();
    if all.iter().filter(no_more).filter(far).count() < OTHERS_MIN {
        return false;
    }
    let mut shares: Vec<f64> = all.iter().filter(no_more).map(Block::share).collect();
    shares.sort_by(f64::total_cmp);
    // From its own share upwards; the next that is no deep one ends the way.
    let mut at = block.share();
    for share in shares {
        if at < share {
            if STEP * at < share {
                return true;
            }
            if DEEP <= share {
                return false;
            }
            at = share;
        }
    }
    false
}

/// Whether a month of the baseline at the same time of the year was as low, where this share of all use is left.
fn is_as_low(block: &Block, before: &[Vec<Row>], left: f64) -> bool {
    let Some((first, last)) = block.points.first().zip(block.points.last()) else { return false };
    let middle = |from: &Row, to: &Row| super::middle_of_year(from.from, to.to);
    let own = middle(&first.row, &last.row);
    before.iter().any(|rows| {
        let Some((first, last)) = rows.first().zip(rows.last()) else { return false };
        let (energy, days) = rows.iter().fold((0.0, 0.0), |(e, d), r| (e + r.energy, d + r.days));
        let apart = (own - middle(first, last)).rem_euclid(365.0);
        apart.min(365.0 - apart) <= f64::from(super::SEASON_DAYS)
            && left * energy / days <= AS_LOW * block.per_day()
    })
}

/// Periods shorter than a month joined by the civil month in which they begin.
pub(super) fn join<T>(items: Vec<T>, row: impl Fn(&T) -> Row) -> Vec<Vec<T>> {
    let mut blocks: Vec<Vec<T>> = Vec::new();
    let mut open = None;
    for item in items {
        let own = row(&item);
        let month = (own.days < BLOCK_DAYS).then(|| (own.from.year(), own.from.month()));
        match blocks.last_mut() {
            Some(block) if month.is_some() && month == open => block.push(item),
            _ => blocks.push(vec![item]),
        }
        open = month;
    }
    blocks
}
