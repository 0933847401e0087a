//! How many readings of each meter were kept aside in the last day: a window that slides, not the month in progress,
//! so that an alarm of the first of the month does not last until its end.
//!
//! Must never: take what is not known for nothing: before a whole day was watched, no count speaks of a good day.

use std::collections::{BTreeMap, VecDeque};

use model::{Instant, MeterId, Month};
use store::{Tallies, Tally};

/// The window.
const DAY_S: f64 = 86_400.0;
/// What comes within so many seconds is one entry, so that a meter has at most 145.
const BUCKET_S: f64 = 600.0;

/// What came since the daemon watches.
#[derive(Debug, Default)]
pub(super) struct Refused {
    since: Option<Instant>,
    counts: BTreeMap<(MeterId, Month), u64>,
    came: BTreeMap<MeterId, VecDeque<(Instant, u64)>>,
}

impl Refused {
    /// Takes the counts of the months that matter.
    pub(super) fn take(&mut self, tallies: &Tallies, now: Instant) {
        let is_first = self.since.is_none();
        self.since.get_or_insert(now);
        let fresh = tallies.iter().filter(|((_, _, what), _)| *what == Tally::Refused);
        let fresh: BTreeMap<_, _> =
            fresh.map(|((meter, month, _), n)| ((meter.clone(), *month), *n)).collect();
        for ((meter, month), count) in &fresh {
            let before = self.counts.get(&(meter.clone(), *month)).copied().unwrap_or(0);
            let more = count.saturating_sub(before);
            if is_first || more == 0 {
                continue;
            }
            let entries = self.came.entry(meter.clone()).or_default();
            match entries.back_mut() {
                Some((at, n)) if now.seconds_since(*at) < BUCKET_S => *n += more,
                Some(_) | None => entries.push_back((now, more)),
            }
        }
        self.counts = fresh;
        for entries in self.came.values_mut() {
            while entries.front().is_some_and(|(at, _)| DAY_S <= now.seconds_since(*at)) {
                entries.pop_front();
            }
        }
        self.came.retain(|_, entries| !entries.is_empty());
    }

    /// Of the last day; of less where the daemon began later.
    pub(super) fn of(&self, meter: &MeterId) -> u64 {
        self.came.get(meter).into_iter().flatten().map(|(_, n)| n).sum()
    }

    /// Whether a whole day was watched.
    pub(super) fn is_whole(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| DAY_S <= now.seconds_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tallies(month: u32, count: u64) -> Tallies {
        let key = (MeterId::new("m").unwrap(), Month { year: 2026, number: month }, Tally::Refused);
        Tallies::from([(key, count)])
    }

    #[test]
    fn the_window_slides_over_the_end_of_a_month_and_a_restart_says_nothing() {
        let meter = MeterId::new("m").unwrap();
        let at = |hours: i64| Instant::from_seconds(1_780_000_000 + hours * 3_600);
        let mut refused = Refused::default();
        refused.take(&tallies(5, 900), at(0));
        assert_eq!(refused.of(&meter), 0, "what came before the start is not of a known hour");
        assert!(!refused.is_whole(at(23)) && refused.is_whole(at(24)));
        refused.take(&tallies(5, 904), at(1));
        let mut both = tallies(5, 904);
        both.extend(tallies(6, 3));
        refused.take(&both, at(20));
        assert_eq!(refused.of(&meter), 7, "the first of a month forgets nothing");
        refused.take(&tallies(6, 3), at(25));
        assert_eq!(refused.of(&meter), 3, "a day later the first four are over");
        refused.take(&tallies(6, 3), at(45));
        assert_eq!(refused.of(&meter), 0);
    }
}
