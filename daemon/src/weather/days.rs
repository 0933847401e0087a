//! Which days a weather service is still to be asked for.
//!
//! Must never: want a day that is there and settled, or one that is not over.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use connectors::weather::DAYS_MAX;
use model::time::day_start;
use model::{Instant, Zone};

/// A service may revise a day for so many days after its end; then the day is settled. Reanalyses replace their first
/// values within five days; two more for a service that is late.
pub(super) const REVISED_DAYS: i64 = 7;
/// A settled day that the service did not have is asked again after so many days.
const ABSENT_DAYS: i64 = 30;
/// A round a little early is no reason to wait for the next one.
const SLACK_SECONDS: i64 = 60;

const DAY_SECONDS: i64 = 86_400;

/// What is known of a station's days.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Imported by a person.
    pub(super) imported: BTreeSet<NaiveDate>,
    /// With a temperature, by whatever way.
    pub(super) had: BTreeSet<NaiveDate>,
    /// When the service last answered for them.
    pub(super) asked: BTreeMap<NaiveDate, Instant>,
}

/// The days from `since` to yesterday that are to be asked for, where the service is asked every `every_seconds`.
pub(super) fn wanted(
    known: &Known,
    since: NaiveDate,
    now: Instant,
    zone: Zone,
    every_seconds: i64,
) -> BTreeSet<NaiveDate> {
    let today = now.day(zone);
    let is_wanted = |day: &NaiveDate| {
        if known.imported.contains(day) {
            return false;
        }
        let Some(asked) = known.asked.get(day) else { return true };
        let since_asked = (now.millis() - asked.millis()) / 1000;
        let end = day_start(*day + Days::new(1), zone);
        if *asked < end.plus_seconds(REVISED_DAYS * DAY_SECONDS) {
            return every_seconds - SLACK_SECONDS <= since_asked;
        }
        !known.had.contains(day) && ABSENT_DAYS * DAY_SECONDS <= since_asked
    };
    since.iter_days().take_while(|day| *day < today).filter(is_wanted).collect()
}

/// The days as runs without a gap, each no longer than one question may be: first day and the day after the last.
pub(super) fn runs(days: &BTreeSet<NaiveDate>) -> Vec<(NaiveDate, NaiveDate)> {
    let mut runs: Vec<(NaiveDate, NaiveDate)> = Vec::new();
    for day in days {
        let after = *day + Days::new(1);
        match runs.last_mut() {
            Some((from, to)) if *to == *day && (after - *from).num_days() <= DAYS_MAX => *to = after,
            _ => runs.push((*day, after)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROME: Zone = chrono_tz::Europe::Rome;
    const SIX_HOURS: i64 = 6 * 3600;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_day_is_asked_until_it_is_settled_and_never_after() {
        let since = day("2025-01-01");
        let now = at("2025-01-20T12:00:00Z");
        let mut known = Known::default();
        let of = |known: &Known, now| wanted(known, since, now, ROME, SIX_HOURS);
        assert_eq!(runs(&of(&known, now)), [(since, day("2025-01-20"))], "today is not over");
        for date in of(&known, now) {
            known.asked.insert(date, now);
            known.had.insert(date);
        }
        assert!(of(&known, now.plus_seconds(3600)).is_empty(), "a restart asks nothing again");
        // 13 January ended a week before the evening of the 20th; 12 January and before are settled.
        let recent = [(day("2025-01-13"), day("2025-01-20"))];
        assert_eq!(runs(&of(&known, now.plus_seconds(SIX_HOURS))), recent);
        // After a month away, days that were asked while they were fresh are asked once more, with the new ones.
        let later = at("2025-02-20T12:00:00Z");
        assert_eq!(runs(&of(&known, later)), [(day("2025-01-13"), day("2025-02-20"))]);
    }

    #[test]
    fn imported_days_are_never_asked_and_absent_ones_once_a_month() {
        let since = day("2025-01-01");
        let now = at("2025-03-01T12:00:00Z");
        let first = |known: &Known, now| wanted(known, since, now, ROME, SIX_HOURS).contains(&since);
        let mut known = Known { imported: [since].into(), ..Known::default() };
        assert!(!first(&known, now));
        known = Known { asked: [(since, now)].into(), ..Known::default() };
        assert!(!first(&known, now.plus_seconds(29 * DAY_SECONDS)));
        assert!(first(&known, now.plus_seconds(30 * DAY_SECONDS)));
        known.had.insert(since);
        assert!(!first(&known, now.plus_seconds(3000 * DAY_SECONDS)));
    }

    #[test]
    fn runs_have_no_gap_and_a_longest_length() {
        let days: BTreeSet<NaiveDate> =
            day("2024-01-01").iter_days().take(800).filter(|d| *d != day("2024-02-29")).collect();
        let runs = runs(&days);
        let lengths: Vec<i64> = runs.iter().map(|(from, to)| (*to - *from).num_days()).collect();
        assert_eq!(lengths, [59, 366, 366, 8]);
    }
}
