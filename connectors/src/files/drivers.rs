//! Files beside a meter's for an analysis: drivers of its use by the day, and values by the hour.
//!
//! Must never: take an empty cell for zero, or let one of two values of the same day or hour win in silence.
//!
//! Drivers: `date` and one column for each driver. Hours: `at` (`2024-01-31 13:00`, civil time, the beginning of the hour)
//! and `value`, or `t_c` for temperatures. The hour that comes twice in October may stand twice in a file of energies: both
//! are that hour of the day.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime};

use super::analysis::value;
use super::cells;
use super::sheet::{self, Column, Line, Lines};
use super::{FileError, Refused, text};

/// Most drivers of a file.
const DRIVERS_MAX: usize = 10;

const DATE: Column = Column { name: "date", headers: &["date", "data", "giorno"] };
const AT: Column = Column { name: "at", headers: &["at", "timestamp", "datetime", "ora", "data_ora"] };

const ENERGY: Column =
    Column { name: "value", headers: &["value", "valore", "energy", "energia", "consumo"] };
const OUTDOOR: Column = Column { name: "t_c", headers: &["t_c", "temperature_c", "temperatura"] };

/// What a file of hours holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hourly {
    /// In the meter's unit.
    Energy,
    /// Outdoor temperatures in °C.
    Outdoor,
}

/// Drivers by their column's name, with a value for each day that has one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DriverFile {
    pub drivers: BTreeMap<String, BTreeMap<NaiveDate, f64>>,
    pub refused: Vec<Refused>,
}

/// Values of hours in the order of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HourFile {
    pub hours: Vec<(NaiveDateTime, f64)>,
    pub refused: Vec<Refused>,
}

/// Reads a file of drivers. Wrong lines are in `refused`, all of them.
///
/// # Errors
/// When it has no column `date`, no driver, or more than ten of them.
pub fn read_drivers(bytes: &[u8]) -> Result<DriverFile, FileError> {
    let text = text::decode(bytes)?;
    let wanted = "date and one column for each driver";
    let mut lines = Lines::open(&text, None, wanted)?;
    let missing = || FileError::ColumnMissing { column: DATE.name, accepted: DATE.headers.join(", ") };
    let date_at = sheet::find_column(&lines.header, &DATE)?.ok_or_else(missing)?;
    let names: Vec<(usize, String)> =
        lines.header.iter().cloned().enumerate().filter(|(i, n)| *i != date_at && !n.is_empty()).collect();
    if names.is_empty() || DRIVERS_MAX < names.len() {
        return Err(FileError::ColumnMissing {
            column: "a driver",
            accepted: format!("any names, 1 to {DRIVERS_MAX} of them"),
        });
    }
    let mut file = DriverFile::default();
    for (_, name) in &names {
        file.drivers.entry(name.clone()).or_default();
    }
    while let Some(line) = lines.next_line()? {
        let refuse = |index: usize, why: String| line.refuse(&lines.header, index, why);
        let date = match cells::date(line.cell(date_at)) {
            Ok(date) => date,
            Err(why) => {
                file.refused.push(refuse(date_at, why));
                continue;
            }
        };
        for (index, name) in &names {
            match value(line.cell(*index), lines.separator) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    let days = file.drivers.entry(name.clone()).or_default();
                    if days.insert(date, value).is_some_and(|other| other != value) {
                        file.refused
                            .push(refuse(*index, format!("{date} has another value above; keep one")));
                    }
                }
                Err(why) => file.refused.push(refuse(*index, why)),
            }
        }
    }
    file.refused.append(&mut lines.refused);
    file.refused.sort_by_key(|r| r.line);
    Ok(file)
}

/// Reads a file of hours. Wrong lines are in `refused`, all of them; an hour without a value is
/// left out.
///
/// # Errors
/// When a column is missing.
pub fn read_hours(bytes: &[u8], what: Hourly) -> Result<HourFile, FileError> {
    let text = text::decode(bytes)?;
    let mut lines = Lines::open(&text, None, "at, and a column of values")?;
    let find = |header: &[String], column: &Column| {
        sheet::find_column(header, column)?.ok_or_else(|| FileError::ColumnMissing {
            column: column.name,
            accepted: column.headers.join(", "),
        })
    };
    let column = match what {
        Hourly::Energy => &ENERGY,
        Hourly::Outdoor => &OUTDOOR,
    };
    let (at, of) = (find(&lines.header, &AT)?, find(&lines.header, column)?);
    let mut file = HourFile::default();
    while let Some(line) = lines.next_line()? {
        match hour(&line, (at, of), &lines) {
            Ok(Some(hour)) => file.hours.push(hour),
            Ok(None) => {}
            Err(why) => file.refused.push(why),
        }
    }
    file.refused.append(&mut lines.refused);
    file.refused.sort_by_key(|r| r.line);
    Ok(file)
}

fn hour(
    line: &Line,
    (at, of): (usize, usize),
    lines: &Lines<'_>,
) -> Result<Option<(NaiveDateTime, f64)>, Refused> {
    let refuse = |index: usize, why: String| line.refuse(&lines.header, index, why);
    let when = instant(line.cell(at)).map_err(|why| refuse(at, why))?;
    let value = value(line.cell(of), lines.separator).map_err(|why| refuse(of, why))?;
    Ok(value.map(|value| (when, value)))
}

/// The beginning of an hour in civil time.
fn instant(cell: &str) -> Result<NaiveDateTime, String> {
    let form = || "is no hour; write it like 2024-01-31 13:00, in civil time and without a zone".to_owned();
    let (day, time) = cell.split_once([' ', 'T']).ok_or_else(form)?;
    let day = cells::date(day)?;
    let mut parts = time.split(':').map(str::parse::<u32>);
    let (Some(Ok(hour)), Some(Ok(0))) = (parts.next(), parts.next()) else { return Err(form()) };
    let rest: Vec<_> = parts.collect();
    match rest.as_slice() {
        [] | [Ok(0)] => day.and_hms_opt(hour, 0, 0).ok_or_else(form),
        _ => Err(form()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_columns_and_an_empty_cell_is_no_zero() {
        let file = read_drivers(b"date,open,people\n2024-01-01,0,\n2024-01-02,1,25\n").unwrap();
        assert_eq!(file.refused, []);
        assert_eq!((file.drivers["open"].len(), file.drivers["people"].len()), (2, 1));
        let twice = read_drivers(b"date,open\n2024-01-01,0\n2024-01-01,1\n32/01/2024,1\n").unwrap();
        assert_eq!(twice.refused.len(), 2, "{:?}", twice.refused);
        assert!(read_drivers(b"date\n2024-01-01\n").is_err());
        assert!(read_drivers(b"day_of,open\n2024-01-01,1\n").is_err());
    }

    #[test]
    fn hours_are_whole_and_may_come_twice() {
        let text = "at;value\n2024-10-27 02:00;1,5\n2024-10-27T02:00;2,5\n2024-10-27 03:15;1\n2024-10-27 04:00;\n27/10/2024 05:00;3\n";
        let file = read_hours(text.as_bytes(), Hourly::Energy).unwrap();
        let values: Vec<f64> = file.hours.iter().map(|h| h.1).collect();
        assert_eq!(values, [1.5, 2.5, 3.0]);
        assert_eq!(file.refused.len(), 1);
        assert!(read_hours(text.as_bytes(), Hourly::Outdoor).is_err());
    }
}
