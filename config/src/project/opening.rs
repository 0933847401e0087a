//! The opening calendar of a building, as its project file states it.
//!
//! Must never: let two entries state the same day, or read a stretch of days otherwise than it is written.

use analytics::calendar;
use chrono::{Days, NaiveDate};
use model::{BaselineMethod, Direction, MeterRole, OpeningHours, Project, Stretch, UseDriver, YearDay};

use crate::reader::{Source, Table, list};

/// Most entries of one building's calendar, and closures of one entry.
const ENTRIES_MAX: usize = 60;
const CLOSED_MAX: usize = 200;
/// Two entries that share no day within these years of the later one's first share none: seasons come every year, and
/// 29 February every four.
const SHARED_YEARS: u64 = 5;

const WEEK: &str = "the open days such as \"lun-ven\" or \"mar,gio\", or \"none\"";
const SEASON: &str = "a part of every year such as \"09-10..06-10\"";
const CLOSED: &str = "a list of days, each \"12-23..01-06\" for every year, \"2025-04-17..2025-04-22\", or one day of either form";

/// The entries under `[[building.opening]]`; an empty list where there are none.
pub(super) fn read(source: &Source<'_>, building: &Table<'_, '_>) -> Option<Vec<OpeningHours>> {
    let tables = building.tables("opening", ENTRIES_MAX);
    let entries: Vec<Option<OpeningHours>> = tables.iter().map(|table| entry(source, table)).collect();
    for (i, (table, later)) in tables.iter().zip(&entries).enumerate() {
        let Some(later) = later else { continue };
        let earlier = tables.iter().zip(&entries).take(i);
        for (other, earlier) in earlier.filter_map(|(t, e)| Some((t, e.as_ref()?))) {
            if let Some(date) = shared(earlier, later) {
                let says = format!("{date} is already stated by the entry on line {}", other.line());
                let next = "end that entry with `to`, or part the year between them with `season`";
                source.report_at(&table.at("from"), says, next);
            }
        }
    }
    entries.into_iter().collect()
}

fn entry(source: &Source<'_>, table: &Table<'_, '_>) -> Option<OpeningHours> {
    let from = table.date("from");
    let last = table.date_optional("to");
    let season = table.parsed_optional("season", SEASON, every_year);
    let week = table.parsed("week", WEEK, week);
    let given = table.has("hours_per_day");
    let hours = table.number_optional("hours_per_day", "hours of an open day, above 0 and at most 24", |n| {
        0.0 < n && n <= 24.0
    });
    let closed = table.texts("closed", CLOSED, CLOSED_MAX);
    let holidays = table.parsed_or("holidays", "\"closed\" or \"open\"", false, |t| match t {
        "closed" => Some(false),
        "open" => Some(true),
        _ => None,
    });
    table.finish();
    if let (Some(from), Some(last)) = (from, last)
        && last < from
    {
        source.report_at(&table.at("to"), "is before `from`", "write the last day that the entry states");
    }
    let mut stretches = Vec::with_capacity(closed.len());
    for text in &closed {
        match stretch(text) {
            Some(stretch) => stretches.push(stretch),
            None => {
                let says = format!("{text:?} is no day and no stretch of days");
                source.report_at(&table.at("closed"), says, format!("write {CLOSED}"));
            }
        }
    }
    let week = week?;
    let hours_per_day = match (week.contains(&true), hours) {
        (true, Some(hours)) => hours,
        // What is given and cannot be used has its own report.
        (true, None) if given => return None,
        (true, None) => {
            let next =
                "add how many hours the building is open on such a day, for example hours_per_day = 8.5";
            source.report_at(&table.at("hours_per_day"), "is missing", next);
            return None;
        }
        (false, Some(_)) => {
            let says = "is given for a week without an open day";
            source.report_at(&table.at("hours_per_day"), says, "leave it out, or name open days in `week`");
            return None;
        }
        (false, None) => 0.0,
    };
    Some(OpeningHours {
        from: from?,
        to: last.and_then(|last| last.checked_add_days(Days::new(1))),
        season,
        week,
        hours_per_day,
        closed: stretches,
        open_on_holidays: holidays?,
    })
}

/// The open days of a week; `none` for a building that is closed.
fn week(text: &str) -> Option<[bool; 7]> {
    if text == "none" {
        return Some([false; 7]);
    }
    let plain = !text.contains(char::is_whitespace);
    calendar::Opening::parse(text).filter(|_| plain).map(|opening| opening.week)
}

fn year_day(text: &str) -> Option<YearDay> {
    let (month, day) = text.split_once('-')?;
    let number = |t: &str| (t.len() == 2).then(|| t.parse().ok())?;
    YearDay::new(number(month)?, number(day)?)
}

fn every_year(text: &str) -> Option<Stretch> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    Some(Stretch::EveryYear(year_day(from.trim())?, year_day(to.trim())?))
}

fn stretch(text: &str) -> Option<Stretch> {
    let date = |t: &str| t.trim().parse::<NaiveDate>().ok().filter(|d| analytics::analysis::is_plausible(*d));
    let (from, last) = text.split_once("..").unwrap_or((text, text));
    match (date(from), date(last)) {
        (Some(from), Some(last)) if from <= last => {
            Some(Stretch::Once(from, last.checked_add_days(Days::new(1))?))
        }
        _ => every_year(text),
    }
}

/// A day that two entries state.
fn shared(a: &OpeningHours, b: &OpeningHours) -> Option<NaiveDate> {
    let first = a.from.max(b.from);
    let horizon = first.checked_add_days(Days::new(366 * SHARED_YEARS))?;
    let mut days = first.iter_days().take_while(|date| *date < horizon);
    days.find(|date| a.states(*date) && b.states(*date))
}

/// The drivers of `[baseline]`: asked for by its method, and by no other.
pub(super) fn drivers(
    source: &Source<'_>,
    table: &Table<'_, '_>,
    method: Option<BaselineMethod>,
) -> Option<Vec<UseDriver>> {
    let codes: Vec<&str> = UseDriver::ALL.iter().map(|d| d.code()).collect();
    let expected = format!("a list of {}", list(&codes));
    let texts = table.texts("drivers", &expected, UseDriver::ALL.len());
    let mut drivers: Vec<UseDriver> = Vec::new();
    for text in &texts {
        match UseDriver::parse(text).filter(|d| !drivers.contains(d)) {
            Some(driver) => drivers.push(driver),
            None => {
                let says = format!("{text:?} is no driver, or is named twice");
                source.report_at(&table.at("drivers"), says, format!("write {expected}"));
            }
        }
    }
    let wanted = method? == BaselineMethod::Drivers;
    if wanted && texts.is_empty() {
        let next = format!("add drivers = [\"opening_days\"], or others of {}", list(&codes));
        source.report_at(&table.at("drivers"), "is missing", next);
    }
    if !wanted && !texts.is_empty() {
        let next = "write method = \"drivers\", or leave `drivers` out";
        source.report_at(&table.at("drivers"), "are followed by the method of drivers only", next);
    }
    Some(drivers)
}

/// A meter whose baseline follows the opening of its building needs the building's calendar.
pub(super) fn check(source: &Source<'_>, root: &Table<'_, '_>, project: &Project) {
    if project.terms.baseline != BaselineMethod::Drivers {
        return;
    }
    let compared = |b: &&model::Building| {
        b.meters.iter().any(|m| m.direction == Direction::Import && m.role == MeterRole::Compared)
    };
    for building in project.buildings.iter().filter(compared).filter(|b| b.opening.is_empty()) {
        let says = format!("building {:?} has no opening calendar for its drivers", building.id.as_str());
        let next = "add [[building.opening]] to it with `from`, `week` and `hours_per_day`";
        source.report_at(&root.at("baseline"), says, next);
    }
}
