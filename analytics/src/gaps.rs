//! What a meter did not measure so far, month by month.
//!
//! Must never: take time without a measurement for measured time, or forget a month that nothing is known of.

use chrono::{Days, NaiveDate};
use model::{Instant, MeterId, Month, MonthlySeries, Zone};

use crate::series::DayValue;

/// Most months that are listed of one meter: the latest. Older ones are counted.
pub const MONTHS_MAX: usize = 36;
/// Less than this, in days, is no gap: an hour of restarts and late readings, spread over a month.
pub const MISSING_DAYS_MIN: f64 = 0.05;

const DAY_MILLIS: f64 = 86_400_000.0;

/// A month that was not measured whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    pub month: Month,
    /// Of the part of the month that was to be measured, 0 to 1.
    pub coverage_ratio: f64,
    /// In days of 24 hours.
    pub missing_days: f64,
}

/// Days one after another on which nothing was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    pub from: NaiveDate,
    /// The last of them.
    pub last: NaiveDate,
}

impl Silence {
    /// In days.
    #[must_use]
    pub fn days(&self) -> i64 {
        (self.last - self.from).num_days() + 1
    }
}

/// The gaps of one meter.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterGaps {
    pub meter: MeterId,
    /// From when on it was to measure; `None` where nothing was to be measured yet.
    pub since: Option<Instant>,
    /// Ascending, the latest [`MONTHS_MAX`].
    pub months: Vec<Gap>,
    /// Months with a gap that are older than those.
    pub older: usize,
    /// In days, of all months with a gap.
    pub missing_days: f64,
    /// The longest run of civil days without a reading; `None` where there is none, or the meter is not read.
    pub longest: Option<Silence>,
}

/// What is known of one meter.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub meter: &'a MeterId,
    pub months: &'a MonthlySeries,
    /// The civil days with measured time, ascending; `None` for a meter that is not read.
    pub days: Option<&'a [DayValue]>,
}

/// The gaps of a meter in `[since, until)`.
#[must_use]
pub fn gaps(known: &Known<'_>, since: Option<Instant>, until: NaiveDate, zone: Zone) -> MeterGaps {
    let mut all = Vec::new();
    let end = model::time::day_start(until, zone);
    let since = since.filter(|since| *since < end);
    let mut month = since.map(|since| Month::of(since.day(zone)));
    while let (Some(of), Some(since)) = (month, since) {
        let (begin, to) = of.bounds(zone);
        if end <= begin {
            break;
        }
        let length = millis(begin, to);
        let asked = millis(begin.max(since), to.min(end));
        let covered = known.months.get(of).map_or(0.0, |m| m.coverage_ratio * length).min(asked);
        let missing_days = (asked - covered) / DAY_MILLIS;
        if MISSING_DAYS_MIN <= missing_days {
            all.push(Gap { month: of, coverage_ratio: covered / asked, missing_days });
        }
        month = Some(of.next());
    }
    let older = all.len().saturating_sub(MONTHS_MAX);
    let missing_days = all.iter().map(|gap| gap.missing_days).sum();
    MeterGaps {
        meter: known.meter.clone(),
        since,
        months: all.split_off(older),
        older,
        missing_days,
        longest: since.zip(known.days).and_then(|(since, days)| silence(days, since.day(zone), until)),
    }
}

fn millis(from: Instant, to: Instant) -> f64 {
    (to.millis() - from.millis()) as f64
}

/// The longest run of days of `[from, until)` without measured time; the first of several.
fn silence(days: &[DayValue], from: NaiveDate, until: NaiveDate) -> Option<Silence> {
    let measured = days.iter().filter(|d| 0 < d.covered_millis && from <= d.day && d.day < until);
    let mut longest: Option<Silence> = None;
    let mut next = from;
    for day in measured.map(|d| d.day).chain([until]) {
        if let Some(last) = day.pred_opt().filter(|last| next <= *last) {
            let run = Silence { from: next, last };
            if longest.is_none_or(|longest| longest.days() < run.days()) {
                longest = Some(run);
            }
        }
        next = day + Days::new(1);
    }
    longest
}

#[cfg(test)]
mod tests {
    use model::{BaseUnit, MonthValue};

    use super::*;

    const ZONE: Zone = Zone::Europe__Rome;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    fn series(months: &[(i32, u32, f64)]) -> MonthlySeries {
        let of = |(year, number, coverage_ratio): &(i32, u32, f64)| MonthValue {
            month: Month { year: *year, number: *number },
            amount: 1,
            low: 1,
            high: Some(1),
            coverage_ratio: *coverage_ratio,
            estimated_ratio: 0.0,
            joint: None,
        };
        MonthlySeries { unit: BaseUnit::WattHour, months: months.iter().map(of).collect() }
    }

    fn at(of: NaiveDate) -> Option<Instant> {
        Some(model::time::day_start(of, ZONE))
    }

    fn rows(of: &MeterGaps) -> Vec<(u32, f64, f64)> {
        let round = |n: f64| (n * 100.0).round() / 100.0;
        of.months.iter().map(|g| (g.month.number, round(g.coverage_ratio), round(g.missing_days))).collect()
    }

    #[test]
    fn a_month_that_nothing_is_known_of_is_missing_as_a_whole() {
        let (meter, months) =
            (MeterId::new("a").unwrap(), series(&[(2025, 4, 1.0), (2025, 5, 0.5), (2025, 7, 1.0)]));
        let known = Known { meter: &meter, months: &months, days: None };
        let found = gaps(&known, at(day(2025, 4, 1)), day(2025, 8, 1), ZONE);
        assert_eq!(rows(&found), [(5, 0.5, 15.5), (6, 0.0, 30.0)]);
        assert_eq!((found.older, found.longest), (0, None));
    }

    #[test]
    fn only_the_part_of_a_month_that_was_to_be_measured_counts() {
        // Half of September is over, and that half was measured; in April the meter began on the 16th.
        let (meter, months) =
            (MeterId::new("a").unwrap(), series(&[(2025, 4, 0.5), (2025, 5, 1.0), (2025, 6, 0.25)]));
        let known = Known { meter: &meter, months: &months, days: None };
        let found = gaps(&known, at(day(2025, 4, 16)), day(2025, 6, 16), ZONE);
        assert_eq!(rows(&found), [(6, 0.5, 7.5)]);
    }

    #[test]
    fn older_months_are_counted_and_nothing_is_known_before_a_beginning() {
        let (meter, months) = (MeterId::new("a").unwrap(), series(&[]));
        let known = Known { meter: &meter, months: &months, days: None };
        let found = gaps(&known, at(day(2021, 1, 1)), day(2025, 1, 1), ZONE);
        assert_eq!((found.months.len(), found.older, found.missing_days.round()), (36, 12, 1461.0));
        assert_eq!(found.months[0].month, Month { year: 2022, number: 1 });
        let none = gaps(&known, None, day(2025, 1, 1), ZONE);
        assert_eq!((none.since, none.months.len()), (None, 0));
        let later = gaps(&known, at(day(2026, 1, 1)), day(2025, 1, 1), ZONE);
        assert_eq!((later.since, later.months.len()), (None, 0));
    }

    #[test]
    fn the_longest_silence_may_be_the_last_one() {
        let of = |d: NaiveDate, covered_millis| DayValue { day: d, amount: 0, covered_millis, estimated: 0 };
        let days: Vec<DayValue> =
            [1, 2, 5, 6].into_iter().map(|d| of(day(2025, 6, d), i64::from(d != 6))).collect();
        let run = |until| silence(&days, day(2025, 6, 1), day(2025, 6, until));
        assert_eq!(run(6), Some(Silence { from: day(2025, 6, 3), last: day(2025, 6, 4) }));
        assert_eq!(run(10).map(|s| (s.from, s.days())), Some((day(2025, 6, 6), 4)));
        assert_eq!(silence(&days, day(2025, 6, 1), day(2025, 6, 3)), None);
    }
}
