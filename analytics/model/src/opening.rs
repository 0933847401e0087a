//! When a building is used, as its project file states it: days of the week, hours, closures.
//!
//! Must never: state a day that no entry states, or hold anything measured.

use chrono::{Datelike, NaiveDate};

/// A day of every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct YearDay {
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

impl YearDay {
    /// `None` for a day that no year has.
    #[must_use]
    pub fn new(month: u32, day: u32) -> Option<Self> {
        // 2024 has a 29 February.
        NaiveDate::from_ymd_opt(2024, month, day).map(|_| Self { month, day })
    }

    fn of(date: NaiveDate) -> Self {
        Self { month: date.month(), day: date.day() }
    }
}

/// Some days that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// From the first to before the second.
    Once(NaiveDate, NaiveDate),
    /// Every year from the first to the second, both included; it may pass the end of the year.
    EveryYear(YearDay, YearDay),
}

impl Stretch {
    #[must_use]
    pub fn holds(&self, date: NaiveDate) -> bool {
        match *self {
            Self::Once(from, to) => from <= date && date < to,
            Self::EveryYear(from, to) => {
                let day = YearDay::of(date);
                if from <= to { from <= day && day <= to } else { from <= day || day <= to }
            }
        }
    }
}

/// One entry of a building's calendar.
#[derive(Debug, Clone, PartialEq)]
pub struct OpeningHours {
    /// First day that it states.
    pub from: NaiveDate,
    /// First day after the last; `None` while it goes on.
    pub to: Option<NaiveDate>,
    /// The part of every year that it states; `None` for all of it.
    pub season: Option<Stretch>,
    /// Whether the building is open, from Monday on.
    pub week: [bool; 7],
    /// Hours of an open day, 0 to 24.
    pub hours_per_day: f64,
    /// Holidays and other days on which the building is closed.
    pub closed: Vec<Stretch>,
    /// Whether national holidays are days as all others.
    pub open_on_holidays: bool,
}

impl OpeningHours {
    /// Whether the entry says anything of a day.
    #[must_use]
    pub fn states(&self, date: NaiveDate) -> bool {
        self.from <= date
            && self.to.is_none_or(|to| date < to)
            && self.season.is_none_or(|season| season.holds(date))
    }

    /// Hours that the building is open on a day that the entry states; 0 where it is closed.
    #[must_use]
    pub fn hours(&self, date: NaiveDate, is_holiday: bool) -> f64 {
        let of_week = self.week.get(date.weekday().num_days_from_monday() as usize).copied().unwrap_or(false);
        let is_closed = self.closed.iter().any(|stretch| stretch.holds(date));
        if of_week && !is_closed && (self.open_on_holidays || !is_holiday) { self.hours_per_day } else { 0.0 }
    }
}

/// What of a building's calendar its use may follow, by the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UseDriver {
    /// 1 on every day with an open hour, 0 on the others.
    OpeningDays,
    OpeningHours,
}

impl UseDriver {
    pub const ALL: [Self; 2] = [Self::OpeningDays, Self::OpeningHours];

    /// As in project files.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::OpeningDays => "opening_days",
            Self::OpeningHours => "opening_hours",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.code() == code)
    }

    /// Its value of a day with so many open hours.
    #[must_use]
    pub fn of_hours(self, hours: f64) -> f64 {
        match self {
            Self::OpeningDays => f64::from(u8::from(0.0 < hours)),
            Self::OpeningHours => hours,
        }
    }
}
