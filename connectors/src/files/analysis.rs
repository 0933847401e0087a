//! Files for an analysis of one meter: its periods with their energy, and the daily temperatures.
//!
//! Must never: take an empty value for zero, order two values of the same days by chance, or stop at the first wrong
//! line when the others can be told too.
//!
//! Meter: `period_start,period_end,value` (the end is the first day after the period) or `date,value`. Other columns are
//! passed over, except `meter`, which parts a file of several meters, `phase` (`baseline`, `reporting`), which
//! marks the windows, and `estimated` or `status`, which tell an estimate from a reading. Temperatures: `date,tmean_c`; a column `n_hours` tells how many hours a day's mean is of.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::cells;
use super::sheet::{self, Column, Line, Lines, whole_row};
use super::temperatures::MEAN_C;
use super::{FileError, Refused, text};

/// One period of a meter's file.
#[derive(Debug, Clone, PartialEq)]
pub struct StatedPeriod {
    pub line: u64,
    pub from: NaiveDate,
    /// First day after it.
    pub to: NaiveDate,
    /// `None` where the cell is empty.
    pub value: Option<f64>,
    /// The `phase` cell; empty without the column.
    pub phase: String,
    /// Whether the value is an estimate, by a column `estimated` or `status`.
    pub estimated: bool,
}

/// The meters of a file by their name, in order of time; one nameless meter without the column `meter`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MeterFile {
    pub meters: BTreeMap<String, Vec<StatedPeriod>>,
    /// Rows that say again what another says.
    pub repeated: usize,
    pub refused: Vec<Refused>,
}

/// Daily means in °C, in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TemperatureFile {
    pub days: Vec<(NaiveDate, f64)>,
    /// Days whose mean is of half a day's hours or less: CalTRACK 2.0 §2.2.2.3.
    pub half_days: usize,
    pub refused: Vec<Refused>,
}

const START: Column = Column { name: "period_start", headers: &["period_start", "start", "from", "dal"] };
const END: Column = Column { name: "period_end", headers: &["period_end", "end", "to", "al"] };
const DATE: Column = Column { name: "date", headers: &["date", "data", "giorno"] };
const VALUE: Column = Column { name: "value", headers: &["value", "valore", "energy", "energia", "consumo"] };
const METER: Column = Column { name: "meter", headers: &["meter", "contatore"] };
const PHASE: Column = Column { name: "phase", headers: &["phase"] };
const ESTIMATED: Column = Column { name: "estimated", headers: &["estimated", "stimata", "stimato"] };
const STATUS: Column =
    Column { name: "status", headers: &["status", "stato", "tipo_lettura", "read_type", "reading_type"] };
const MEAN: Column = Column {
    name: "tmean_c",
    headers: &["tmean_c", "mean", "mean_c", "tmedia", "temperatura_media", "tavg"],
};
const HOURS: Column = Column { name: "n_hours", headers: &["n_hours", "hours"] };

/// Hours of which a day's mean must be of more: half of 24.
const HOURS_MIN: f64 = 12.0;

/// Where the wanted cells stand.
struct Places {
    from: usize,
    /// `None` in a file of days.
    to: Option<usize>,
    value: usize,
    meter: Option<usize>,
    phase: Option<usize>,
    estimated: Option<usize>,
    status: Option<usize>,
}

impl Places {
    fn find(header: &[String]) -> Result<Self, FileError> {
        let find = |column| sheet::find_column(header, column);
        let missing = || FileError::ColumnMissing {
            column: "the days of a value",
            accepted: "period_start and period_end, or date".to_owned(),
        };
        let value = find(&VALUE)?.ok_or_else(|| FileError::ColumnMissing {
            column: VALUE.name,
            accepted: VALUE.headers.join(", "),
        })?;
        let (from, to) = match (find(&START)?, find(&END)?) {
            (Some(from), Some(to)) => (from, Some(to)),
            (_, _) => (find(&DATE)?.ok_or_else(missing)?, None),
        };
        let (meter, phase) = (find(&METER)?, find(&PHASE)?);
        let (estimated, status) = (find(&ESTIMATED)?, find(&STATUS)?);
        Ok(Self { from, to, value, meter, phase, estimated, status })
    }
}

/// No meter, driver or sensor of a building has a larger value in any unit: beyond, sums would lose their last digits.
const VALUE_MAX: f64 = 1e15;

/// A day as people or programs write it: `2024-01-31` or `31/01/2024`.
///
/// # Errors
/// Says what is wrong with the text.
pub fn day(text: &str) -> Result<NaiveDate, String> {
    cells::date(text)
}

/// A number as people or programs write it; `None` for a cell that says there is none.
pub(super) fn value(cell: &str, separator: u8) -> Result<Option<f64>, String> {
    if matches!(cell, "" | "NA" | "NaN" | "nan" | "null" | "-") {
        return Ok(None);
    }
    let by_program = || {
        let plain = separator == b',' && cell.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
        cell.parse::<f64>().ok().filter(|v| plain && v.is_finite())
    };
    let value = cells::number(cell, separator).or_else(|why| by_program().ok_or(why))?;
    if value.abs() <= VALUE_MAX {
        Ok(Some(value))
    } else {
        Err(format!("is beyond {VALUE_MAX:e}, which no building reaches; correct it or leave the cell empty"))
    }
}

/// Reads a meter's file. Wrong lines are in `refused`, all of them.
pub fn read_meter(bytes: &[u8]) -> Result<MeterFile, FileError> {
    let text = text::decode(bytes)?;
    let mut lines = Lines::open(&text, None, "period_start, period_end, value or date, value")?;
    let places = Places::find(&lines.header)?;
    let mut file = MeterFile::default();
    while let Some(line) = lines.next_line()? {
        match period(&line, &places, &lines) {
            Ok((meter, period)) => file.meters.entry(meter).or_default().push(period),
            Err(why) => file.refused.push(why),
        }
    }
    file.refused.append(&mut lines.refused);
    // Where months come first, the other rows are read as other days than they mean: nothing is said of these.
    let by_month = |refused: &Refused| refused.reason == cells::MONTH_FIRST;
    if file.refused.iter().any(by_month) {
        file.refused.retain(by_month);
        return Ok(file);
    }
    for periods in file.meters.values_mut() {
        periods.sort_by_key(|p| (p.from, p.to, p.line));
        file.repeated += drop_repeated(periods);
        file.refused.extend(overlaps(periods));
    }
    file.refused.sort_by_key(|r| r.line);
    Ok(file)
}

fn period(line: &Line, places: &Places, lines: &Lines<'_>) -> Result<(String, StatedPeriod), Refused> {
    let refuse = |index: usize, why: String| line.refuse(&lines.header, index, why);
    let from = cells::date(line.cell(places.from)).map_err(|why| refuse(places.from, why))?;
    let to = match places.to {
        Some(index) => cells::date(line.cell(index)).map_err(|why| refuse(index, why))?,
        None => from.succ_opt().unwrap_or(from),
    };
    if to <= from {
        let why = format!("is not after {from}; the end is the first day after the period");
        return Err(refuse(places.to.unwrap_or(places.from), why));
    }
    let value = value(line.cell(places.value), lines.separator).map_err(|why| refuse(places.value, why))?;
    let cell = |index: Option<usize>| index.map_or("", |i| line.cell(i)).to_owned();
    let is_estimated = places.estimated.map(|at| yes(line.cell(at)).map_err(|why| refuse(at, why)));
    let estimated = is_estimated.transpose()?.unwrap_or(false) || says_estimated(&cell(places.status));
    let period = StatedPeriod { line: line.number, from, to, value, phase: cell(places.phase), estimated };
    Ok((cell(places.meter), period))
}

/// A yes or a no, as people or programs write it; an empty cell is a no.
fn yes(cell: &str) -> Result<bool, String> {
    match cell.to_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "si" | "sì" | "s" | "x" => Ok(true),
        "" | "0" | "false" | "no" | "n" | "-" => Ok(false),
        other if says_estimated(other) => Ok(true),
        _ => {
            Err("is no yes or no; write yes where the value is an estimate, no where it was read".to_owned())
        }
    }
}

/// Whether the status of a reading says that nobody read the meter: `estimated`, `E`, `stimata`, `lettura stimata`.
fn says_estimated(status: &str) -> bool {
    let lower = status.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric());
    lower == "e" || words.any(|word| word.starts_with("estim") || word.starts_with("stimat"))
}

/// Of two rows that say the same the first stays.
fn drop_repeated(periods: &mut Vec<StatedPeriod>) -> usize {
    let before = periods.len();
    periods.dedup_by(|b, a| (a.from, a.to, a.value) == (b.from, b.to, b.value));
    before - periods.len()
}

fn overlaps(periods: &[StatedPeriod]) -> Vec<Refused> {
    let mut refused = Vec::new();
    let mut last: Option<&StatedPeriod> = None;
    for p in periods {
        if let Some(other) = last.filter(|other| p.from < other.to) {
            let reason = format!(
                "the period from {} to {} overlaps that of line {} from {} to {}; keep one of them",
                p.from, p.to, other.line, other.from, other.to
            );
            refused.push(whole_row(p.line, reason));
        }
        last = Some(last.filter(|other| p.to < other.to).unwrap_or(p));
    }
    refused
}

/// Reads a temperatures file. Wrong lines are in `refused`, all of them; a day without a value is left out.
pub fn read_temperature_days(bytes: &[u8]) -> Result<TemperatureFile, FileError> {
    let text = text::decode(bytes)?;
    let mut lines = Lines::open(&text, None, "date, tmean_c")?;
    let places = sheet::find_columns(&lines.header, &[DATE, MEAN])?;
    let hours = sheet::find_column(&lines.header, &HOURS)?;
    let mut file = TemperatureFile::default();
    let mut seen: BTreeMap<NaiveDate, (u64, f64)> = BTreeMap::new();
    while let Some(line) = lines.next_line()? {
        let refuse = |index: usize, why: String| line.refuse(&lines.header, index, why);
        let (date_at, mean_at) = (places[0], places[1]);
        let date = match cells::date(line.cell(date_at)) {
            Ok(date) => date,
            Err(why) => {
                file.refused.push(refuse(date_at, why));
                continue;
            }
        };
        let mean_c = match value(line.cell(mean_at), lines.separator) {
            Ok(None) => continue,
            Ok(Some(mean_c)) if MEAN_C.contains(&mean_c) => mean_c,
            Ok(Some(_)) => {
                let why =
                    format!("is outside {} to {} °C; leave the cell empty", MEAN_C.start(), MEAN_C.end());
                file.refused.push(refuse(mean_at, why));
                continue;
            }
            Err(why) => {
                file.refused.push(refuse(mean_at, why));
                continue;
            }
        };
        let of_hours = hours.map(|at| (at, value(line.cell(at), lines.separator)));
        match of_hours {
            Some((at, Err(why))) => {
                file.refused.push(refuse(at, why));
                continue;
            }
            Some((_, Ok(Some(known)))) if known <= HOURS_MIN => {
                file.half_days += 1;
                continue;
            }
            Some((_, Ok(_))) | None => {}
        }
        match seen.get(&date) {
            Some((other, mean)) if *mean != mean_c => {
                file.refused
                    .push(refuse(date_at, format!("is given another value on line {other}; keep one")));
            }
            Some(_) => {}
            None => {
                seen.insert(date, (line.number, mean_c));
            }
        }
    }
    file.refused.append(&mut lines.refused);
    file.refused.sort_by_key(|r| r.line);
    file.days = seen.into_iter().map(|(date, (_, mean_c))| (date, mean_c)).collect();
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(file: &MeterFile) -> Vec<String> {
        file.refused.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn both_layouts_are_read_and_an_empty_value_is_not_zero() {
        let bills = "period_start,period_end,n_days,value,phase\n2024-02-01,2024-03-01,29,,baseline\n\
            2024-01-01,2024-02-01,31,0,baseline\n";
        let file = read_meter(bills.as_bytes()).unwrap();
        let periods = &file.meters[""];
        assert_eq!(periods.iter().map(|p| p.value).collect::<Vec<_>>(), [Some(0.0), None]);
        assert_eq!((periods[0].line, periods[0].phase.as_str()), (3, "baseline"));
        let days = read_meter("date;value\n01/01/2024;1,5\n02/01/2024;-2\n".as_bytes()).unwrap();
        let values: Vec<_> = days.meters[""].iter().map(|p| ((p.to - p.from).num_days(), p.value)).collect();
        assert_eq!(values, [(1, Some(1.5)), (1, Some(-2.0))]);
    }

    #[test]
    fn a_value_that_no_building_reaches_is_refused() {
        let file = read_meter(b"date,value\n2024-01-01,1e15\n2024-01-02,1e308\n2024-01-03,-1e16\n").unwrap();
        let said = said(&file);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("line 3") && said[0].contains("beyond 1e15"), "{said:?}");
        assert_eq!(file.meters[""].len(), 1);
    }

    #[test]
    fn several_meters_stand_in_one_file() {
        let file =
            read_meter(b"meter,date,value\nb,2024-01-01,1\na,2024-01-01,2\nb,2024-01-02,1e-05\n").unwrap();
        assert_eq!(file.meters.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(file.meters["b"][1].value, Some(1e-5));
    }

    #[test]
    fn every_wrong_line_is_named() {
        let bad = "period_start,period_end,value\n2024-01-01,2024-02-01,10\n2024-02-01,2024-02-01,10\n\
            2024-02-30,2024-03-01,10\n2024-03-01,2024-04-01,ten\n2024-01-15,2024-02-15,10\n2024-05-01,2024-06-01\n\
            2024-01-01,2024-02-01,10\n";
        let file = read_meter(bad.as_bytes()).unwrap();
        let said = said(&file);
        let begin: Vec<&str> = said.iter().map(|s| &s[..6]).collect();
        assert_eq!(begin, ["line 3", "line 4", "line 5", "line 6", "line 7"], "{said:?}");
        assert!(said[3].contains("overlaps that of line 2"), "{said:?}");
        assert_eq!(file.repeated, 1);
        assert!(matches!(read_meter(b"a,b\n1,2\n"), Err(FileError::ColumnMissing { .. })));
        assert!(matches!(read_meter(b""), Err(FileError::Empty { .. })));
    }

    #[test]
    fn estimates_are_told_from_readings() {
        let of = |text: &str| {
            let file = read_meter(text.as_bytes()).unwrap();
            (file.meters.get("").map_or(Vec::new(), |p| p.iter().map(|p| p.estimated).collect()), said(&file))
        };
        let (estimated, said) =
            of("date,value,estimated\n2024-01-01,1,yes\n2024-01-02,1,no\n2024-01-03,1,\n");
        assert_eq!((estimated, said.len()), (vec![true, false, false], 0));
        let (estimated, _) = of("date;value;tipo_lettura\n01/01/2024;1;stimata\n02/01/2024;1;effettiva\n");
        assert_eq!(estimated, [true, false]);
        let (estimated, _) =
            of("date,value,status\n2024-01-01,1,E\n2024-01-02,1,estimated read\n2024-01-03,1,ok\n");
        assert_eq!(estimated, [true, true, false]);
        let (_, said) = of("date,value,estimated\n2024-01-01,1,perhaps\n");
        assert!(said[0].contains("no yes or no"), "{said:?}");
    }

    /// Rows whose month stands first are told as such, and no other row is told with days that it does not mean.
    #[test]
    fn dates_with_the_month_first_name_no_day_that_the_file_does_not_have() {
        let text = "period_start,period_end,value\n01/01/2024,02/01/2024,1\n02/01/2024,03/01/2024,1\n\
            03/01/2024,03/31/2024,1\n";
        let said = said(&read_meter(text.as_bytes()).unwrap());
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("line 4") && said[0].contains("month comes first"), "{said:?}");
    }

    #[test]
    fn temperatures_of_half_a_day_or_without_a_value_are_no_temperatures() {
        let text = "date,tmean_c,tmean_f,n_hours\n2024-01-01,1.5,34.7,24\n2024-01-02,2.5,36.5,12\n2024-01-03,,,24\n\
            2024-01-04,99,0,24\n2024-01-01,1.6,0,24\n2024-01-01,1.5,0,24\n";
        let file = read_temperature_days(text.as_bytes()).unwrap();
        assert_eq!((file.days.len(), file.half_days), (1, 1));
        let lines: Vec<u64> = file.refused.iter().map(|r| r.line).collect();
        assert_eq!(lines, [5, 6]);
    }
}
