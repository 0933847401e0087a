//! When a building is open: days of the week, Italian holidays, closures. A driver of its use where that is known by the
//! day.
//!
//! Must never: read a clock, or take a day for open that nobody stated.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use model::{OpeningHours, UseDriver};

/// Names of the days from Monday on, as people shorten them, in Italian and English.
const DAYS: [[&str; 2]; 7] = [
    ["lun", "mon"],
    ["mar", "tue"],
    ["mer", "wed"],
    ["gio", "thu"],
    ["ven", "fri"],
    ["sab", "sat"],
    ["dom", "sun"],
];

/// Opening of a building by the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// From Monday on.
    pub week: [bool; 7],
    /// First day, and first day after, of each closure.
    pub closed: Vec<(NaiveDate, NaiveDate)>,
}

impl Opening {
    /// The days of a week as a usage profile states them: `lun-ven`, `mon-sat`, `lun,mer,ven`. What follows a space, such
    /// as hours, is passed over. `None` when it names no day.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let days = text.split_whitespace().next()?.to_lowercase();
        let number = |name: &str| DAYS.iter().position(|names| names.iter().any(|n| name.starts_with(n)));
        let mut week = [false; 7];
        for part in days.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            // A range may pass Sunday.
            let length = (7 + last - first) % 7;
            for day in 0..=length {
                *week.get_mut((first + day) % 7)? = true;
            }
        }
        Some(Self { week, closed: Vec::new() })
    }

    /// Whether the building is open on a day: on its days of the week, but for holidays and closures. One that is open
    /// every day is open on holidays.
    #[must_use]
    pub fn is_open(&self, day: NaiveDate) -> bool {
        let of_week = self.week.get(day.weekday().num_days_from_monday() as usize).copied().unwrap_or(false);
        let closed = self.closed.iter().any(|(from, to)| *from <= day && day < *to);
        let every_day = self.week.iter().all(|open| *open);
        of_week && !closed && (every_day || !is_holiday(day))
    }

    /// 1 for every open day of `[from, to)`, 0 for every other.
    #[must_use]
    pub fn days(&self, from: NaiveDate, to: NaiveDate) -> BTreeMap<NaiveDate, f64> {
        let days = from.iter_days().take_while(|day| *day < to);
        days.map(|day| (day, f64::from(u8::from(self.is_open(day))))).collect()
    }
}

/// Hours that a building with these entries is open on a day, 0 where it is closed; `None` where no entry states the day.
#[must_use]
pub fn hours_on(entries: &[OpeningHours], date: NaiveDate) -> Option<f64> {
    entries.iter().find(|entry| entry.states(date)).map(|entry| entry.hours(date, is_holiday(date)))
}

/// Sum of a driver over `[from, to)`; `None` where a day of it is not stated.
#[must_use]
pub fn sum(entries: &[OpeningHours], driver: UseDriver, from: NaiveDate, to: NaiveDate) -> Option<f64> {
    let days = from.iter_days().take_while(|date| *date < to);
    days.map(|date| hours_on(entries, date).map(|hours| driver.of_hours(hours))).sum()
}

/// Days of `[from, to)` that no entry states.
#[must_use]
pub fn unstated_days(entries: &[OpeningHours], from: NaiveDate, to: NaiveDate) -> u32 {
    let days = from.iter_days().take_while(|date| *date < to);
    days.map(|date| u32::from(hours_on(entries, date).is_none())).sum()
}

/// National holidays of Italy (law 260/1949 as amended) with Easter Monday; patron saints are left out.
#[must_use]
pub fn is_holiday(day: NaiveDate) -> bool {
    const FIXED: [(u32, u32); 10] =
        [(1, 1), (1, 6), (4, 25), (5, 1), (6, 2), (8, 15), (11, 1), (12, 8), (12, 25), (12, 26)];
    FIXED.contains(&(day.month(), day.day()))
        || easter(day.year()).and_then(|sunday| sunday.succ_opt()) == Some(day)
}

/// Easter Sunday of the Gregorian calendar (anonymous algorithm, Nature 1876).
fn easter(year: i32) -> Option<NaiveDate> {
    let (golden, century, of_century) = (year % 19, year / 100, year % 100);
    let correction = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - century / 4 - correction + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4) % 7;
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let sum = epact + weekday - 7 * late + 114;
    NaiveDate::from_ymd_opt(year, (sum / 31) as u32, (sum % 31 + 1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn easter_falls_where_it_fell() {
        for (year, date) in [
            (2023, "2023-04-09"),
            (2024, "2024-03-31"),
            (2025, "2025-04-20"),
            (2026, "2026-04-05"),
            (2027, "2027-03-28"),
        ] {
            assert_eq!(easter(year), Some(day(date)));
        }
        assert!(is_holiday(day("2025-04-21")));
    }

    #[test]
    fn a_usage_profile_states_the_days_of_the_week() {
        for (text, week) in [
            ("lun-ven 7:30-18:00", "1111100"),
            ("mon-sat", "1111110"),
            ("lun,mer,ven", "1010100"),
            ("sab-lun", "1000011"),
            ("lunedì-domenica", "1111111"),
        ] {
            let opening = Opening::parse(text).unwrap();
            let seen: String = opening.week.iter().map(|open| if *open { '1' } else { '0' }).collect();
            assert_eq!(seen, week, "{text}");
        }
        assert_eq!(Opening::parse("sempre"), None);
        assert_eq!(Opening::parse(""), None);
    }

    #[test]
    fn the_entries_of_a_calendar_state_days_hours_and_what_they_leave_open() {
        use model::{Stretch, YearDay};
        let of = |month, day| YearDay::new(month, day).unwrap();
        let school = OpeningHours {
            from: day("2022-09-01"),
            to: Some(day("2025-09-01")),
            season: Some(Stretch::EveryYear(of(9, 10), of(6, 10))),
            week: [true, true, true, true, true, false, false],
            hours_per_day: 8.5,
            closed: vec![
                Stretch::EveryYear(of(12, 23), of(1, 6)),
                Stretch::Once(day("2025-03-03"), day("2025-03-05")),
            ],
            open_on_holidays: false,
        };
        let summer = OpeningHours {
            season: Some(Stretch::EveryYear(of(6, 11), of(9, 9))),
            week: [false; 7],
            hours_per_day: 0.0,
            closed: Vec::new(),
            ..school.clone()
        };
        let both = [school.clone(), summer];
        for (date, hours) in [
            ("2022-08-31", None),
            ("2022-09-01", Some(0.0)),
            ("2022-09-12", Some(8.5)),
            ("2022-09-17", Some(0.0)),
            ("2022-12-23", Some(0.0)),
            ("2023-01-06", Some(0.0)),
            ("2023-01-09", Some(8.5)),
            ("2025-03-03", Some(0.0)),
            ("2025-03-05", Some(8.5)),
            ("2025-04-21", Some(0.0)),
            ("2025-04-25", Some(0.0)),
            ("2025-08-31", Some(0.0)),
            ("2025-09-01", None),
        ] {
            assert_eq!(hours_on(&both, day(date)), hours, "{date}");
        }
        // March 2025: 21 days from Monday to Friday, two of them closed.
        let (from, to) = (day("2025-03-01"), day("2025-04-01"));
        assert_eq!(sum(&both, UseDriver::OpeningDays, from, to), Some(19.0));
        assert_eq!(sum(&both, UseDriver::OpeningHours, from, to), Some(19.0 * 8.5));
        assert_eq!(sum(&both, UseDriver::OpeningDays, from, day("2025-10-01")), None);
        assert_eq!(unstated_days(&both, from, day("2025-10-01")), 30);
        assert_eq!(unstated_days(&[school], day("2025-06-01"), day("2025-07-01")), 20);
        assert_eq!(unstated_days(&[], from, to), 31);
    }

    #[test]
    fn holidays_and_closures_are_no_open_days() {
        let mut opening = Opening::parse("lun-ven").unwrap();
        opening.closed = vec![(day("2025-08-01"), day("2025-09-01"))];
        for (date, open) in [
            ("2025-07-31", true),
            ("2025-08-01", false),
            ("2025-09-01", true),
            ("2025-09-06", false),
            ("2025-12-25", false),
            ("2025-04-21", false),
        ] {
            assert_eq!(opening.is_open(day(date)), open, "{date}");
        }
        let open: f64 = opening.days(day("2025-12-22"), day("2025-12-29")).values().sum();
        assert_eq!(open, 3.0, "Christmas and the day after are closed");
    }
}
