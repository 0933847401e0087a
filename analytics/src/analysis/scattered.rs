//! Values far below their own neighbours, more often or deeper than the baseline ever had them: single garbled hours and
//! days between sound ones. And the baseline's far above theirs, which make a saving of the year after.
//!
//! Must never: doubt what the baseline shows as often, or a level that all neighbours share, which a measure may have made.
//!
//! Each value is taken as a share of what the model expects of it, and that share over the median of the neighbours'
//! shares: of the same day and of the same hour, or of the days around and the same weekday of other weeks. A measure moves
//! neighbours alike, whatever weather or hours it works in. The same number of the baseline's own values tells what is
//! usual: where more reporting values lie below one of some limits than that allows, as many of the lowest are doubted as are
//! too many; one that is under half of the least that the baseline had is doubted alone.

/// A value by its place in time and as a share of its expectation; NaN where nothing much is expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share {
    /// Hours or days since any day.
    pub(super) at: i64,
    pub(super) ratio: f64,
}

/// Places of an hour's neighbours: of its day, of days and of weeks around.
pub(super) const OF_HOURS: [i64; 6] = [1, 2, 24, 48, 168, 336];
/// The same of days.
pub(super) const OF_DAYS: [i64; 6] = [1, 2, 7, 14, 21, 28];

/// Shares of the neighbours' median below which values are counted, widest first.
const LIMITS: [f64; 5] = [0.75, 0.6, 0.45, 0.3, 0.15];
/// The same of values upside down: those of twice the neighbours and more. What a measure makes less uneven is no doubt.
const ABOVE: [f64; 3] = [0.5, 0.3, 0.15];
/// A value is alone below this share of the least of the baseline.
const ALONE: f64 = 0.5;
/// Fewest values of a baseline that tells what is usual, and fewest neighbours of one that is judged.
const BEFORE_MIN: usize = 60;
const NEIGHBOURS_MIN: usize = 4;
/// A median of neighbours below this share of the expectation is a building that is closed.
const CLOSED: f64 = 0.05;
/// As many times the baseline's count are usual, and so many of its standard deviations more.
const TIMES: f64 = 1.25;
const DEVIATIONS: f64 = 4.0;

/// Which of `after` are doubted, in order. Both in order of time.
pub(super) fn far_below(before: &[Share], after: &[Share], steps: &[i64]) -> Vec<bool> {
    more_and_deeper(before, after, steps, &LIMITS)
}

/// Which of `before` are far above their neighbours, more often or higher than `after` ever is, in order.
pub(super) fn far_above(before: &[Share], after: &[Share], steps: &[i64]) -> Vec<bool> {
    let upside_down = |all: &[Share]| -> Vec<Share> {
        let of = |share: &Share| if CLOSED < share.ratio { 1.0 / share.ratio } else { f64::NAN };
        all.iter().map(|share| Share { at: share.at, ratio: of(share) }).collect()
    };
    more_and_deeper(&upside_down(after), &upside_down(before), steps, &ABOVE)
}

fn more_and_deeper(before: &[Share], after: &[Share], steps: &[i64], limits: &[f64]) -> Vec<bool> {
    let own = |all: &[Share]| -> Vec<f64> {
        let near = Near::of(all);
        all.iter().map(|share| near.over_neighbours(share, steps)).collect()
    };
    let (usual, now) = (own(before), own(after));
    let known = usual.iter().filter(|u| !u.is_nan()).count();
    if known < BEFORE_MIN {
        return vec![false; after.len()];
    }
    let times = now.iter().filter(|u| !u.is_nan()).count() as f64 / known as f64;
    let lowest = lowest(&now).into_iter().take(unusual([&usual, &now], times, limits));
    let together = lowest.fold(f64::NEG_INFINITY, |_, highest| highest);
    let least = usual.iter().copied().fold(f64::INFINITY, f64::min);
    now.iter().map(|u| *u <= together || *u < ALONE * least.min(1.0)).collect()
}

/// How many of the lowest are more than the baseline's so many times over explains, at the limit that tells most.
fn unusual([usual, now]: [&[f64]; 2], times: f64, limits: &[f64]) -> usize {
    let below = |all: &[f64], limit: f64| all.iter().filter(|u| **u < limit).count() as f64;
    let more = |limit: f64| {
        // One more than were seen: none seen is not never.
        let expected = (below(usual, limit) + 1.0) * times;
        let found = below(now, limit);
        let explained = below(usual, limit) * times;
        // What the baseline explains is known to two standard deviations; the less of it counts.
        let sure = (explained - 2.0 * explained.sqrt()).max(0.0);
        if TIMES * expected + DEVIATIONS * expected.sqrt() < found { found - sure } else { 0.0 }
    };
    limits.iter().copied().map(more).fold(0.0, f64::max).ceil() as usize
}

fn lowest(all: &[f64]) -> Vec<f64> {
    let mut known: Vec<f64> = all.iter().copied().filter(|u| !u.is_nan()).collect();
    known.sort_unstable_by(f64::total_cmp);
    known
}

/// Shares by their place.
struct Near {
    first: i64,
    ratios: Vec<f64>,
}

impl Near {
    fn of(all: &[Share]) -> Self {
        let first = all.first().map_or(0, |share| share.at);
        let place = |at: i64| usize::try_from(at - first).ok();
        let size = all.last().and_then(|share| place(share.at)).map_or(0, |last| last + 1);
        let mut ratios = vec![f64::NAN; size];
        for share in all {
            if let Some(own) = place(share.at).and_then(|place| ratios.get_mut(place)) {
                *own = share.ratio;
            }
        }
        Self { first, ratios }
    }

    /// NaN where the value, or too many of its neighbours, cannot be judged.
    fn over_neighbours(&self, share: &Share, steps: &[i64]) -> f64 {
        let ratio = |at: i64| {
            let place = usize::try_from(at - self.first).ok()?;
            self.ratios.get(place).copied().filter(|ratio| !ratio.is_nan())
        };
        let around = steps.iter().flat_map(|step| [share.at - step, share.at + step]);
        let mut others: Vec<f64> = around.filter_map(ratio).collect();
        if others.len() < NEIGHBOURS_MIN {
            return f64::NAN;
        }
        others.sort_unstable_by(f64::total_cmp);
        let at = |place: usize| others.get(place).copied().unwrap_or(f64::NAN);
        let middle = f64::midpoint(at((others.len() - 1) / 2), at(others.len() / 2));
        if middle < CLOSED { f64::NAN } else { share.ratio / middle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    fn year(seed: u64, level: impl Fn(i64) -> f64) -> Vec<Share> {
        let share = |at: i64| {
            let scatter = 1.0 + 0.2 * noise(seed * 10_007 + at.unsigned_abs());
            Share { at, ratio: level(at) * scatter }
        };
        (0..365).map(share).collect()
    }

    fn count(after: &[Share]) -> usize {
        far_below(&year(1, |_| 1.0), after, &OF_DAYS).iter().filter(|doubted| **doubted).count()
    }

    #[test]
    fn a_measure_is_no_doubt_in_whatever_season_it_works() {
        for seed in 2..40 {
            assert_eq!(count(&year(seed, |_| 1.0)), 0, "{seed}");
            assert_eq!(count(&year(seed, |_| 0.3)), 0, "{seed}");
            // A winter at a third, by and by.
            let winter = |at: i64| 0.65 - 0.35 * (at as f64 / 365.0 * std::f64::consts::TAU).cos();
            assert_eq!(count(&year(seed, winter)), 0, "{seed}");
        }
    }

    #[test]
    fn scattered_low_values_are_found_and_single_deep_ones() {
        for seed in 2..20 {
            let halved = |at: i64| if 0.7 < noise(at.unsigned_abs() * 31) { 0.5 } else { 1.0 };
            let after = year(seed, halved);
            let planted = after.iter().filter(|share| halved(share.at) < 1.0).count();
            let found = count(&after);
            assert!(planted <= found + 2 && found <= planted + 12, "{seed}: {found} of {planted}");
            assert_eq!(count(&year(seed, |at| if at == 100 { 0.1 } else { 1.0 })), 1, "{seed}");
        }
    }

    #[test]
    fn a_baseline_far_above_its_neighbours_is_found_where_the_reporting_year_is_not() {
        for seed in 2..20 {
            for one_in in [4.0, 12.0, 100.0] {
                let high =
                    |at: i64| if noise(at.unsigned_abs() * 31) < 2.0 / one_in - 1.0 { 3.0 } else { 1.0 };
                let before = year(seed, high);
                let planted: Vec<bool> = before.iter().map(|share| 1.0 < high(share.at)).collect();
                let found = |after: &[Share]| far_above(&before, after, &OF_DAYS);
                let of_even = found(&year(seed + 50, |_| 0.7));
                let missed = planted.iter().zip(&of_even).filter(|(planted, found)| planted != found).count();
                assert!(missed <= 6, "{seed} 1 in {one_in}: {missed}");
                assert!(!found(&year(seed + 50, |at| 0.7 * high(at + 3))).contains(&true), "{seed} {one_in}");
            }
            assert!(!far_above(&year(seed, |_| 1.0), &year(seed + 50, |_| 0.3), &OF_DAYS).contains(&true));
        }
    }

    #[test]
    fn a_baseline_that_has_them_as_often_explains_them() {
        let low = |at: i64| if at % 9 == 4 { 0.2 } else { 1.0 };
        let doubted = far_below(&year(1, low), &year(2, |at| low(at + 3)), &OF_DAYS);
        assert!(!doubted.contains(&true));
        assert!(!far_below(&year(1, low)[..50], &year(2, low), &OF_DAYS).contains(&true));
    }
}
