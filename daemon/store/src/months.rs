//! Months of UTC as numbers, for every instant there can be: the grain of chunks and of the notes what changed.
//!
//! Must never: be taken for a civil month of the installation.

const DAY_MS: i64 = 86_400_000;

/// Months since January 1970.
pub(crate) const fn month_of(at_ms: i64) -> i64 {
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days: years that begin in March.
    let days = at_ms.div_euclid(DAY_MS) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    (era * 400 + year_of_era) * 12 + month_from_march + 2 - 1_970 * 12
}

/// The first instant of a month; the ends of what an instant can be where the month begins or ends beyond.
pub(crate) fn month_start_ms(month: i64) -> i64 {
    let from_march = month + 1_970 * 12 - 2;
    let (year, month) = (from_march.div_euclid(12), from_march.rem_euclid(12));
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5;
    let days =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    days.saturating_mul(DAY_MS)
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        let mut day = NaiveDate::from_ymd_opt(1899, 12, 1).unwrap();
        while day.year() < 2102 {
            let at_ms = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
            let month = (i64::from(day.year()) - 1970) * 12 + i64::from(day.month0());
            assert_eq!(month_of(at_ms), month, "{day}");
            assert_eq!(month_of(at_ms + DAY_MS - 1), month, "{day}");
            if day.day() == 1 {
                assert_eq!(month_start_ms(month), at_ms, "{day}");
            }
            day = day.succ_opt().unwrap();
        }
    }

    #[test]
    fn every_instant_is_within_its_month() {
        for at_ms in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
            let month = month_of(at_ms);
            assert!(month_start_ms(month) <= at_ms, "{at_ms}");
            assert!(at_ms <= month_start_ms(month + 1), "{at_ms}");
        }
    }
}
