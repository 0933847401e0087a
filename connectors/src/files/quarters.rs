//! Quarter-hours of a civil day: which column of a file is which quarter, on days of 23, 24 and 25 hours.
//!
//! Must never: put a value at a time that the columns do not tell, or make one for an hour that did not happen.

use chrono::{LocalResult, NaiveDate, TimeDelta, TimeZone};
use model::time::day_start;
use model::{Instant, Zone};

/// Quarter-hours of an ordinary day, which every file has as columns.
pub(super) const ORDINARY: usize = 96;
/// A quarter of an hour in milliseconds.
pub(super) const MILLIS: i64 = 900_000;

/// What the columns after the 96th are, where a file has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    /// The hour that the clock shows twice, the second time.
    Repeats,
    /// The 97th quarter and those after it, counted from midnight.
    Continues,
}

/// Where a column's value belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It begins then and lasts a quarter of an hour.
    At(Instant),
    /// No quarter of this day: its cell must be empty or zero.
    NotThere,
    /// The hour that the clock shows twice, and the columns do not tell which time.
    Unknown,
}

/// Where each column of a day belongs. `is_set` says which columns have a value, `is_used` which have one other than
/// zero; both are as long as the file has columns, 96 or more.
pub(super) fn places(
    day: NaiveDate,
    zone: Zone,
    is_set: &[bool],
    is_used: &[bool],
    extra: Extra,
) -> Vec<Place> {
    let start = day_start(day, zone);
    let end = day.succ_opt().map_or(start, |next| day_start(next, zone));
    let quarters = usize::try_from((end.millis() - start.millis()) / MILLIS).unwrap_or(0);
    let at = |index: usize| {
        if index < quarters { Place::At(start.plus_millis(index as i64 * MILLIS)) } else { Place::NotThere }
    };
    let any = |flags: &[bool], from: usize, to: usize| flags.iter().take(to).skip(from).any(|&set| set);
    let columns = is_set.len();
    if quarters < ORDINARY {
        let width = ORDINARY - quarters;
        let change = clock_change(day, zone);
        // The skipped hour has energy and the end of the day has none: the columns are counted from midnight. So they are
        // where it has zeros, as a plant has at night, and the end of the day is empty.
        let zeros = is_set.iter().take(change + width).skip(change).all(|&set| set);
        let counted = (any(is_used, change, change + width) && !any(is_used, quarters, columns))
            || (zeros && !any(is_set, quarters, columns));
        let by_clock = |index: usize| match index {
            _ if index < change => at(index),
            _ if index < change + width || ORDINARY <= index => Place::NotThere,
            _ => at(index - width),
        };
        return (0..columns).map(|index| if counted { at(index) } else { by_clock(index) }).collect();
    }
    if quarters == ORDINARY {
        return (0..columns).map(at).collect();
    }
    let width = quarters - ORDINARY;
    let change = clock_change(day, zone);
    // Counted from midnight, four zeros at the end may be no more than what fills the columns of every day: they tell
    // something only where the hour before has none either, or the hour that happened twice could be left out.
    let told = any(is_set, ORDINARY, columns)
        && (extra == Extra::Repeats
            || any(is_used, ORDINARY, columns)
            || !any(is_used, ORDINARY - width, ORDINARY));
    let place = |index: usize| match (told, extra) {
        (true, Extra::Continues) => at(index),
        (true, Extra::Repeats) if ORDINARY <= index => at(change + width + (index - ORDINARY)),
        (true, Extra::Repeats) | (false, _) if index < change => at(index),
        (true, Extra::Repeats) if index < change + width => at(index),
        (false, _) if index < change + width => Place::Unknown,
        (false, _) if ORDINARY <= index => Place::NotThere,
        (true, Extra::Repeats) | (false, _) => at(index + width),
    };
    (0..columns).map(place).collect()
}

/// The columns of the hour that the clock shows twice on this day; none on other days.
pub(super) fn doubled(day: NaiveDate, zone: Zone) -> std::ops::Range<usize> {
    let none = [false; ORDINARY];
    let unknown = |place: &Place| *place == Place::Unknown;
    let places = places(day, zone, &none, &none, Extra::Repeats);
    let first = places.iter().position(unknown).unwrap_or(ORDINARY);
    first..first + places.iter().filter(|p| unknown(p)).count()
}

/// The first quarter by the clock that does not happen on this day, or happens twice; the end of the day where there
/// is none.
fn clock_change(day: NaiveDate, zone: Zone) -> usize {
    let midnight = day.and_hms_opt(0, 0, 0).unwrap_or_default();
    (0..ORDINARY)
        .find(|&index| {
            let local = midnight + TimeDelta::milliseconds(index as i64 * MILLIS);
            !matches!(zone.from_local_datetime(&local), LocalResult::Single(_))
        })
        .unwrap_or(ORDINARY)
}

/// `02:00-02:15`: how the clock names the column, for messages.
pub(super) fn label(index: usize) -> String {
    let clock = |index: usize| format!("{:02}:{:02}", index / 4, index % 4 * 15);
    format!("{}-{}", clock(index), clock(index + 1))
}

/// The column that a label such as `02:00-02:15` or `23:45-00:00` names; above 95 for `24:00-24:15` to `24:45-25:00`.
pub(super) fn column_of(label: &str) -> Option<usize> {
    let (from, to) = label.split_once('-')?;
    let quarter = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let number = |t: &str| (t.len() == 2).then(|| t.parse::<usize>().ok()).flatten();
        let (hour, minute) = (number(hour)?, number(minute)?);
        (hour <= 25 && minute < 60 && minute % 15 == 0).then_some(hour * 4 + minute / 15)
    };
    let (from, to) = (quarter(from)?, quarter(to)?);
    // Midnight ends a day under two names.
    (to == from + 1 || (from == ORDINARY - 1 && to == 0))
        .then_some(from)
        .filter(|&index| index < ORDINARY + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROME: Zone = Zone::Europe__Rome;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn times(day_text: &str, set: &[usize], used: &[usize], columns: usize, extra: Extra) -> Vec<String> {
        let flags = |list: &[usize]| (0..columns).map(|i| list.contains(&i)).collect::<Vec<_>>();
        places(day(day_text), ROME, &flags(set), &flags(used), extra)
            .into_iter()
            .map(|place| match place {
                Place::At(at) => at.utc().format("%H:%M").to_string(),
                Place::NotThere => "-".to_owned(),
                Place::Unknown => "?".to_owned(),
            })
            .collect()
    }

    #[test]
    fn an_ordinary_day_has_its_ninety_six() {
        let found = times("2025-01-15", &[], &[], 100, Extra::Continues);
        assert_eq!((found[0].as_str(), found[95].as_str(), found[96].as_str()), ("23:00", "22:45", "-"));
    }

    #[test]
    fn on_the_short_day_the_skipped_hour_is_not_there() {
        let whole: Vec<usize> = (0..96).filter(|i| !(8..12).contains(i)).collect();
        let found = times("2025-03-30", &whole, &whole, 96, Extra::Repeats);
        assert_eq!(found[7..13], ["00:45", "-", "-", "-", "-", "01:00"]);
        assert_eq!(found[95], "21:45");
    }

    #[test]
    fn on_the_short_day_columns_may_be_counted_from_midnight() {
        let counted: Vec<usize> = (0..92).collect();
        let found = times("2025-03-30", &counted, &counted, 96, Extra::Repeats);
        assert_eq!((found[8].as_str(), found[91].as_str(), found[92].as_str()), ("01:00", "21:45", "-"));
    }

    #[test]
    fn on_the_short_day_columns_counted_from_midnight_may_be_zero_or_end_in_zeros() {
        let first: Vec<usize> = (0..92).collect();
        let every: Vec<usize> = (0..96).collect();
        let by_day: Vec<usize> = (32..80).collect();
        // Nothing at night, and the last four are empty; energy at night, and the last four are zeros.
        for (set, used) in [(&first, &by_day), (&every, &first)] {
            let found = times("2025-03-30", set, used, 96, Extra::Repeats);
            assert_eq!((found[8].as_str(), found[91].as_str(), found[92].as_str()), ("01:00", "21:45", "-"));
        }
        // Zeros by the clock: the last hour is there.
        let found = times("2025-03-30", &every, &by_day, 96, Extra::Repeats);
        assert_eq!((found[8].as_str(), found[12].as_str(), found[95].as_str()), ("-", "01:00", "21:45"));
    }

    #[test]
    fn on_the_long_day_zeros_that_fill_columns_tell_nothing() {
        let whole: Vec<usize> = (0..100).collect();
        let filled = times("2025-10-26", &whole, &(0..96).collect::<Vec<_>>(), 100, Extra::Continues);
        assert_eq!((filled[8].as_str(), filled[12].as_str(), filled[96].as_str()), ("?", "02:00", "-"));
        let by_day = times("2025-10-26", &whole, &(32..80).collect::<Vec<_>>(), 100, Extra::Continues);
        assert_eq!((by_day[12].as_str(), by_day[99].as_str()), ("01:00", "22:45"));
    }

    #[test]
    fn on_the_long_day_ninety_six_columns_do_not_tell_the_doubled_hour() {
        let whole: Vec<usize> = (0..96).collect();
        let found = times("2025-10-26", &whole, &whole, 96, Extra::Repeats);
        assert_eq!(found[7..13], ["23:45", "?", "?", "?", "?", "02:00"]);
        assert_eq!(found[95], "22:45");
    }

    #[test]
    fn on_the_long_day_a_hundred_columns_do() {
        let whole: Vec<usize> = (0..100).collect();
        let counted = times("2025-10-26", &whole, &whole, 100, Extra::Continues);
        assert_eq!((counted[12].as_str(), counted[99].as_str()), ("01:00", "22:45"));
        let repeated = times("2025-10-26", &whole, &whole, 100, Extra::Repeats);
        assert_eq!(
            (repeated[8].as_str(), repeated[96].as_str(), repeated[12].as_str()),
            ("00:00", "01:00", "02:00")
        );
        let mut sorted = repeated.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!((sorted.len(), repeated.contains(&"-".to_owned())), (100 - 4, false), "each quarter once");
    }

    #[test]
    fn labels_are_read_back() {
        for index in 0..100 {
            assert_eq!(column_of(&label(index)), Some(index));
        }
        assert_eq!(column_of("23:45-00:00"), Some(95));
        for bad in
            ["", "00:00", "00:00-00:30", "0:00-0:15", "25:00-25:15", "23:45-00:15", "aa:bb-cc:dd", "Ora-1"]
        {
            assert_eq!(column_of(bad), None, "{bad}");
        }
    }
}
