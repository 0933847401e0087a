//! Instants are UTC, months are civil: the two kinds of time and the bridge between them.
//!
//! Must never: read a clock. Now is always an argument.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};

/// A civil time zone, `Europe/Rome` for Italian buildings.
pub type Zone = chrono_tz::Tz;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(i64);

impl Instant {
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1000)
    }

    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds from `earlier` to `self`; negative when `self` is the earlier one.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 / 1000.0
    }

    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0 + millis)
    }

    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0 + seconds * 1000)
    }

    /// The instant as a date and time in UTC. Instants beyond the calendar's range are clamped.
    #[must_use]
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(if self.0 < 0 {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        })
    }

    /// The civil day on which the instant falls.
    #[must_use]
    pub fn day(self, zone: Zone) -> NaiveDate {
        self.utc().with_timezone(&zone).date_naive()
    }

    /// The civil month in which the instant falls.
    #[must_use]
    pub fn month(self, zone: Zone) -> Month {
        Month::of(self.day(zone))
    }

    /// Reads RFC 3339 (`2025-03-30T02:00:00+01:00`, `…Z`); `None` when the text is not that.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|t| Self(t.timestamp_millis()))
    }
}

impl fmt::Display for Instant {
    /// RFC 3339 in UTC, to the second (to the millisecond where there are any).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if self.0 % 1000 == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" };
        write!(f, "{}", self.utc().format(format))
    }
}

impl From<DateTime<Utc>> for Instant {
    fn from(t: DateTime<Utc>) -> Self {
        Self(t.timestamp_millis())
    }
}

/// The instant at which a civil day begins. Where midnight does not exist (zones that jump at
/// midnight), the first instant of the day that does.
#[must_use]
pub fn day_start(day: NaiveDate, zone: Zone) -> Instant {
    local_to_instant(day.and_hms_opt(0, 0, 0).unwrap_or_default(), zone)
}

/// The instant of a wall-clock time. An hour that happens twice is taken the first time; an hour
/// that does not happen is moved forward over the jump.
#[must_use]
pub fn local_to_instant(local: NaiveDateTime, zone: Zone) -> Instant {
    match zone.from_local_datetime(&local) {
        chrono::LocalResult::Single(t) | chrono::LocalResult::Ambiguous(t, _) => {
            Instant(t.timestamp_millis())
        }
        chrono::LocalResult::None => {
            // Inside a gap: the offset before the gap puts the time right after it.
            let before = zone.offset_from_utc_datetime(&(local - chrono::TimeDelta::hours(3)));
            let offset_seconds = i64::from(before.fix().local_minus_utc());
            Instant(local.and_utc().timestamp_millis() - offset_seconds * 1000)
        }
    }
}

/// A civil month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    pub year: i32,
    /// 1 to 12.
    pub number: u32,
}

impl Month {
    /// `None` unless `number` is 1 to 12.
    #[must_use]
    pub fn new(year: i32, number: u32) -> Option<Self> {
        (1 <= number && number <= 12).then_some(Self { year, number })
    }

    #[must_use]
    pub fn of(day: NaiveDate) -> Self {
        Self { year: day.year(), number: day.month() }
    }

    /// The twelve months of a year.
    #[must_use]
    pub fn all_of(year: i32) -> [Self; 12] {
        std::array::from_fn(|i| Self { year, number: i as u32 + 1 })
    }

    #[must_use]
    pub fn next(self) -> Self {
        if self.number == 12 {
            Self { year: self.year + 1, number: 1 }
        } else {
            Self { year: self.year, number: self.number + 1 }
        }
    }

    #[must_use]
    pub fn previous(self) -> Self {
        if self.number == 1 {
            Self { year: self.year - 1, number: 12 }
        } else {
            Self { year: self.year, number: self.number - 1 }
        }
    }

    #[must_use]
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, self.number, 1).unwrap_or_default()
    }

    /// First day of the following month.
    #[must_use]
    pub fn end_day(self) -> NaiveDate {
        self.next().first_day()
    }

    /// 28 to 31.
    #[must_use]
    pub fn days(self) -> u32 {
        (self.end_day() - self.first_day()).num_days() as u32
    }

    /// First instant of the month, and first instant of the next one.
    #[must_use]
    pub fn bounds(self, zone: Zone) -> (Instant, Instant) {
        (day_start(self.first_day(), zone), day_start(self.end_day(), zone))
    }
}

impl fmt::Display for Month {
    /// `2025-03`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROME: Zone = chrono_tz::Europe::Rome;

    fn hours(month: Month) -> f64 {
        let (from, to) = month.bounds(ROME);
        to.seconds_since(from) / 3600.0
    }

    #[test]
    fn march_and_october_have_their_odd_hours() {
        let hours: Vec<f64> = Month::all_of(2025).iter().map(|&m| hours(m)).collect();
        assert_eq!(hours, [744., 672., 743., 720., 744., 720., 744., 744., 720., 745., 720., 744.]);
    }

    #[test]
    fn a_wall_clock_time_that_does_not_happen_moves_forward() {
        let local = NaiveDate::from_ymd_opt(2025, 3, 30).unwrap().and_hms_opt(2, 30, 0).unwrap();
        assert_eq!(local_to_instant(local, ROME).to_string(), "2025-03-30T01:30:00Z");
    }

    #[test]
    fn an_instant_prints_and_parses() {
        let t = Instant::parse_rfc3339("2025-10-26T02:30:00+01:00").unwrap();
        assert_eq!(t.to_string(), "2025-10-26T01:30:00Z");
        assert_eq!(t.month(ROME), Month { year: 2025, number: 10 });
        assert_eq!(Instant::parse_rfc3339("2025-10-26"), None);
    }
}
