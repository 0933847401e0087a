//! When a demonstration building is open: weekdays, hours, Italian holidays, yearly closures.
//!
//! Must never: read a clock.

use chrono::{Datelike, NaiveDate, Weekday};

/// Opening of a building.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Calendar {
    pub(crate) week: Week,
    /// Hours of the civil day, e.g. 7.5 for half past seven.
    pub(crate) opens_hour: f64,
    pub(crate) closes_hour: f64,
    /// Closed every year from the first to the last day, as (month, day); a closure may pass New Year.
    pub(crate) closures: Vec<((u32, u32), (u32, u32))>,
}

/// Days of the week on which a building is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Week {
    MondayToFriday,
    MondayToSaturday,
    EveryDay,
}

impl Calendar {
    pub(crate) fn is_open(&self, day: NaiveDate) -> bool {
        let weekday = match self.week {
            Week::MondayToFriday => !matches!(day.weekday(), Weekday::Sat | Weekday::Sun),
            Week::MondayToSaturday => day.weekday() != Weekday::Sun,
            Week::EveryDay => true,
        };
        weekday && (self.week == Week::EveryDay || !is_holiday(day)) && !self.is_closed_season(day)
    }

    /// Share of full use at an hour of an open day, 0 to 1; people come and go over an hour.
    pub(crate) fn use_ratio(&self, hour: f64) -> f64 {
        (hour - self.opens_hour).clamp(0.0, 1.0) * (self.closes_hour - hour).clamp(0.0, 1.0)
    }

    fn is_closed_season(&self, day: NaiveDate) -> bool {
        let here = (day.month(), day.day());
        self.closures.iter().any(|&(from, to)| {
            if from <= to { from <= here && here <= to } else { from <= here || here <= to }
        })
    }
}

/// National holidays of Italy (law 260/1949 as amended) with Easter Monday; patron saints are left out.
pub(crate) fn is_holiday(day: NaiveDate) -> bool {
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

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[test]
    fn easter_falls_where_it_fell() {
        for (year, month, of_month) in
            [(2023, 4, 9), (2024, 3, 31), (2025, 4, 20), (2026, 4, 5), (2027, 3, 28)]
        {
            assert_eq!(easter(year), Some(day(year, month, of_month)));
        }
        assert!(is_holiday(day(2025, 4, 21)));
    }

    #[test]
    fn a_closure_may_pass_new_year() {
        let school = Calendar {
            week: Week::MondayToFriday,
            opens_hour: 7.5,
            closes_hour: 18.0,
            closures: vec![((12, 23), (1, 6)), ((8, 1), (8, 31))],
        };
        assert!(!school.is_open(day(2025, 12, 30)));
        assert!(!school.is_open(day(2026, 1, 5)));
        assert!(!school.is_open(day(2026, 8, 12)));
        assert!(school.is_open(day(2026, 1, 7)));
        assert!(!school.is_open(day(2026, 1, 10)));
        assert_eq!(school.use_ratio(12.0), 1.0);
        assert_eq!(school.use_ratio(3.0), 0.0);
    }
}
