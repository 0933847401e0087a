//! A day, a week, a month or a year in parts, beside the same span a year before and the adjusted baseline.
//!
//! Must never: add up a comparison over parts that only one side knows.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use model::time::day_start;
use model::{Instant, Month, Zone};

use super::{COVERED_MIN, HOUR_MILLIS, UseHour};

/// A year is compared with the same weekdays: 52 weeks before.
const YEAR_OF_WEEKS: Days = Days::new(364);

/// A civil span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    Day(NaiveDate),
    /// From this Monday.
    Week(NaiveDate),
    Month(Month),
    Year(i32),
}

impl Span {
    /// The span of a kind that holds a day.
    #[must_use]
    pub fn of(kind: &str, day: NaiveDate) -> Option<Self> {
        match kind {
            "day" => Some(Self::Day(day)),
            "week" => {
                let back = u64::from(day.weekday().num_days_from_monday());
                Some(Self::Week(day.checked_sub_days(Days::new(back))?))
            }
            "month" => Some(Self::Month(Month::of(day))),
            "year" => Some(Self::Year(day.year())),
            _ => None,
        }
    }

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Day(_) => "day",
            Self::Week(_) => "week",
            Self::Month(_) => "month",
            Self::Year(_) => "year",
        }
    }

    /// First day and the day after the last.
    #[must_use]
    pub fn bounds(self) -> (NaiveDate, NaiveDate) {
        let plus = |day: NaiveDate, n| day.checked_add_days(Days::new(n)).unwrap_or(day);
        match self {
            Self::Day(day) => (day, plus(day, 1)),
            Self::Week(day) => (day, plus(day, 7)),
            Self::Month(month) => (month.first_day(), month.end_day()),
            Self::Year(year) => {
                let all = Month::all_of(year);
                (all[0].first_day(), all[11].end_day())
            }
        }
    }

    #[must_use]
    pub fn previous(self) -> Option<Self> {
        Self::of(self.code(), self.bounds().0.pred_opt()?)
    }

    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::of(self.code(), self.bounds().1)
    }

    /// The same span a year before: of days and weeks the one with the same weekdays.
    #[must_use]
    pub fn year_before(self) -> Option<Self> {
        match self {
            Self::Day(day) => Some(Self::Day(day.checked_sub_days(YEAR_OF_WEEKS)?)),
            Self::Week(day) => Some(Self::Week(day.checked_sub_days(YEAR_OF_WEEKS)?)),
            Self::Month(month) => Some(Self::Month(Month { year: month.year - 1, ..month })),
            Self::Year(year) => Some(Self::Year(year - 1)),
        }
    }

    /// First days of its parts with the day after each: days, or the months of a year.
    #[must_use]
    pub fn parts(self) -> Vec<(NaiveDate, NaiveDate)> {
        if let Self::Year(year) = self {
            return Month::all_of(year).iter().map(|m| (m.first_day(), m.end_day())).collect();
        }
        let (from, to) = self.bounds();
        let next = |day: NaiveDate| (day, day.succ_opt().unwrap_or(day));
        from.iter_days().take_while(|day| *day < to).map(next).collect()
    }
}

/// A part of a span; values in display units. `None` is not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    pub from: NaiveDate,
    /// The hour of the day, in a span of one day.
    pub hour: Option<u32>,
    pub measured: Option<f64>,
    pub year_before: Option<f64>,
    /// What was to be expected: the adjusted baseline, or within a day the usual use.
    pub expected: Option<f64>,
    /// Not over yet.
    pub in_progress: bool,
}

/// Two sums over the same parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beside {
    pub measured: f64,
    pub other: f64,
    pub parts: usize,
}

impl Beside {
    /// Measured over the other, less one; `None` where the other is nothing.
    #[must_use]
    pub fn change_ratio(&self) -> Option<f64> {
        (0.0 < self.other).then(|| self.measured / self.other - 1.0)
    }
}

/// A span in parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    pub span: Span,
    pub parts: Vec<Part>,
}

impl Compared {
    /// What was measured, over the parts that are known; `None` when none is.
    #[must_use]
    pub fn measured(&self) -> Option<f64> {
        let known: Vec<f64> = self.parts.iter().filter_map(|p| p.measured).collect();
        (!known.is_empty()).then(|| known.iter().sum())
    }

    /// Parts that are over and not known.
    #[must_use]
    pub fn missing(&self, today: NaiveDate) -> usize {
        self.parts.iter().filter(|p| p.measured.is_none() && !p.in_progress && p.from < today).count()
    }

    /// Beside the year before, over parts that are over and known on both sides.
    #[must_use]
    pub fn beside_year_before(&self) -> Option<Beside> {
        self.beside(|p| p.year_before)
    }

    /// Beside what was to be expected.
    #[must_use]
    pub fn beside_expected(&self) -> Option<Beside> {
        self.beside(|p| p.expected)
    }

    fn beside(&self, other: impl Fn(&Part) -> Option<f64>) -> Option<Beside> {
        let both: Vec<(f64, f64)> =
            self.parts.iter().filter(|p| !p.in_progress).filter_map(|p| p.measured.zip(other(p))).collect();
        (!both.is_empty()).then(|| Beside {
            measured: both.iter().map(|b| b.0).sum(),
            other: both.iter().map(|b| b.1).sum(),
            parts: both.len(),
        })
    }
}

/// A civil day of a carrier: its use in display units, and the time of it that every meter measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UseDay {
    pub day: NaiveDate,
    pub energy: f64,
    pub covered_millis: i64,
}

/// Days of a carrier by date.
pub type UseDays = BTreeMap<NaiveDate, UseDay>;

/// The use of `[from, to)` up to `now`; `None` unless nine tenths of the time that is over were measured.
#[must_use]
pub fn use_of(days: &UseDays, zone: Zone, (from, to): (NaiveDate, NaiveDate), now: Instant) -> Option<f64> {
    let (begin, end) = (day_start(from, zone), day_start(to, zone).min(now));
    let over = end.millis() - begin.millis();
    if over <= 0 {
        return None;
    }
    let own: Vec<&UseDay> = days.range(from..to).map(|(_, day)| day).collect();
    let covered: i64 = own.iter().map(|d| d.covered_millis).sum();
    (COVERED_MIN * over as f64 <= covered as f64).then(|| own.iter().map(|d| d.energy).sum())
}

/// A week, month or year in days or months. `expected` gives the baseline of `[from, to)`.
#[must_use]
pub fn in_days(
    span: Span,
    days: &UseDays,
    zone: Zone,
    now: Instant,
    expected: impl Fn(NaiveDate, NaiveDate) -> Option<f64>,
) -> Compared {
    let before: Vec<(NaiveDate, NaiveDate)> = span.year_before().map(Span::parts).unwrap_or_default();
    let parts = span.parts().into_iter().enumerate().map(|(i, (from, to))| {
        let end = day_start(to, zone);
        let in_progress = now < end;
        Part {
            from,
            hour: None,
            measured: use_of(days, zone, (from, to), now),
            year_before: before.get(i).and_then(|bounds| use_of(days, zone, *bounds, now)),
            expected: if in_progress { None } else { expected(from, to) },
            in_progress,
        }
    });
    Compared { span, parts: parts.collect() }
}

/// A day in hours by name. When the clock is put back one name stands for two hours: it is known when both are, and
/// `expected`, the usual use of an hour of the day, counts twice; the hour that the clock skips is not there. `before` are
/// the hours around the day a year before.
#[must_use]
pub fn in_hours(
    day: NaiveDate,
    hours: &[UseHour],
    before: &[UseHour],
    zone: Zone,
    now: Instant,
    expected: impl Fn(u32) -> Option<f64>,
) -> Compared {
    let (own, of_day) = (by_hour(hours, zone, day), hours_of(day, zone));
    let past_day = day.checked_sub_days(YEAR_OF_WEEKS);
    let past = past_day.map(|day| (by_hour(before, zone, day), hours_of(day, zone)));
    let parts = (0..24).filter_map(|hour| {
        let begins = of_day.get(&hour)?;
        let over = begins.iter().all(|at| at.plus_millis(HOUR_MILLIS) <= now);
        let like = past.as_ref().filter(|(_, all)| all.get(&hour).map(Vec::len) == Some(begins.len()));
        Some(Part {
            from: day,
            hour: Some(hour),
            measured: whole(&own, hour, begins.len()).filter(|_| over),
            year_before: like.and_then(|(past, _)| whole(past, hour, begins.len())),
            expected: expected(hour).map(|usual| usual * begins.len() as f64),
            in_progress: !over,
        })
    });
    Compared { span: Span::Day(day), parts: parts.collect() }
}

/// When the hours of a civil day begin, by name.
fn hours_of(day: NaiveDate, zone: Zone) -> BTreeMap<u32, Vec<Instant>> {
    let (mut at, end) = (day_start(day, zone), day_start(day.succ_opt().unwrap_or(day), zone));
    let mut found: BTreeMap<u32, Vec<Instant>> = BTreeMap::new();
    while at < end {
        let (_, name) = UseHour { from: at, energy: 0.0, measured: false }.civil(zone);
        found.entry(name).or_default().push(at);
        at = at.plus_millis(HOUR_MILLIS);
    }
    found
}

/// The measured hours of a day by name: their sum and how many they are.
fn by_hour(hours: &[UseHour], zone: Zone, day: NaiveDate) -> BTreeMap<u32, (f64, usize)> {
    let mut found = BTreeMap::new();
    for hour in hours.iter().filter(|h| h.measured) {
        let (own, name) = hour.civil(zone);
        if own == day {
            let (energy, count) = found.entry(name).or_insert((0.0, 0));
            *energy += hour.energy;
            *count += 1;
        }
    }
    found
}

/// The use under a name, when every hour of that name was measured.
fn whole(by_hour: &BTreeMap<u32, (f64, usize)>, name: u32, hours: usize) -> Option<f64> {
    by_hour.get(&name).filter(|(_, count)| *count == hours).map(|(energy, _)| *energy)
}
