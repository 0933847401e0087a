//! When a demonstration building is open: weekdays, hours, Italian holidays, yearly closures.
//!
//! Must never: read a clock.

use analytics::calendar::is_holiday;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
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
