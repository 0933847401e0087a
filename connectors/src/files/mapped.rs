//! Any CSV file, by a small TOML file that says which column means what: exports of building management systems,
//! tables of district heating.
//!
//! Must never: guess a unit, a zone or whether a column is a total or an interval's energy: the mapping says each. Nor take a
//! column whose header tells another unit than the mapping.

use std::collections::{BTreeMap, BTreeSet};

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use model::quantity::Kind;
use model::time::day_start;
use model::{Channel, Instant, MeterId, Phase, Quantity, SeriesKey, Unit, Zone};
use serde::Deserialize;

use super::load_curve::{clock_change_findings, missing_values};
use super::sheet::{self, Line, Lines};
use super::{
    FileError, ImportReport, OnLine, REFUSED_MAX, Refused, Stated, StatedInterval, StatedTotal, VALUES_MAX,
    cells, repeated_rows, text, told,
};

/// Largest mapping file in bytes.
const MAPPING_BYTES_MAX: usize = 256 * 1024;
/// Most lines above the values.
const HEADER_ROWS_MAX: usize = 100;
/// Longest interval in days, as for bills.
const INTERVAL_DAYS_MAX: i64 = 732;
/// Largest amount in the smallest unit.
const AMOUNT_MAX: f64 = 1e15;

/// What the columns of a file mean.
#[derive(Debug, Clone)]
pub struct Mapping {
    separator: Option<u8>,
    /// `;` for a decimal comma, `,` for a point.
    notation: u8,
    header_rows: usize,
    zone: Zone,
    time: TimeColumns,
    values: Vec<ValueColumn>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingFile {
    separator: Option<String>,
    decimal: String,
    #[serde(default = "one")]
    header_rows: usize,
    zone: String,
    time: TimeColumns,
    #[serde(default, rename = "value")]
    values: Vec<ValueFile>,
}

fn one() -> usize {
    1
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeColumns {
    column: ColumnName,
    /// A second column whose text follows that of the first after a blank: the hour.
    hour_column: Option<ColumnName>,
    /// Where an interval ends; a day is the last one of it.
    to_column: Option<ColumnName>,
    format: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueFile {
    column: ColumnName,
    meter: String,
    quantity: String,
    phase: Option<String>,
    unit: String,
    kind: String,
    every: Option<String>,
    every_minutes: Option<u32>,
    stamp: Option<String>,
}

/// A column by its header, or by its number from 1.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum ColumnName {
    Number(usize),
    Header(String),
}

#[derive(Debug, Clone)]
struct ValueColumn {
    column: ColumnName,
    series: SeriesKey,
    unit: Unit,
    /// How many of the quantity's smallest unit one of `unit` is.
    factor: f64,
    kind: ValueKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    Total,
    /// From the row's time to that of the column `to_column`.
    Until,
    Every {
        length: Length,
        stamped_at_end: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Minutes(u32),
    Day,
    Month,
}

/// What a file says of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfSeries<T> {
    pub series: SeriesKey,
    pub value: T,
}

impl Mapping {
    /// The series that the mapping fills, in its order.
    pub fn series(&self) -> impl Iterator<Item = &SeriesKey> {
        self.values.iter().map(|v| &v.series)
    }

    /// The column that fills a series, as the mapping names it.
    #[must_use]
    pub fn column_of(&self, series: &SeriesKey) -> Option<String> {
        let value = self.values.iter().find(|v| v.series == *series)?;
        Some(match &value.column {
            ColumnName::Number(number) => number.to_string(),
            ColumnName::Header(header) => header.clone(),
        })
    }
}

/// Reads a mapping file.
pub fn read_mapping(bytes: &[u8]) -> Result<Mapping, FileError> {
    if MAPPING_BYTES_MAX < bytes.len() {
        return Err(FileError::Mapping(format!("the mapping has more than {MAPPING_BYTES_MAX} bytes")));
    }
    let text = text::decode(bytes)?;
    let file: MappingFile =
        toml::from_str(&text).map_err(|error| FileError::Mapping(error.to_string().trim_end().to_owned()))?;
    let bad = |key: &str, why: &str| FileError::Mapping(format!("`{key}` {why}"));
    let separator = match file.separator.as_deref().map(str::as_bytes) {
        None => None,
        Some([byte @ (b';' | b',' | b'\t' | b'|')]) => Some(*byte),
        Some(_) => return Err(bad("separator", "must be one of \";\" \",\" \"|\" and a tab")),
    };
    let notation = match file.decimal.as_str() {
        "," if separator == Some(b',') => return Err(bad("decimal", "cannot be the separator too")),
        "," => b';',
        "." => b',',
        _ => return Err(bad("decimal", "must be \",\" or \".\"")),
    };
    if file.header_rows == 0 || HEADER_ROWS_MAX < file.header_rows {
        return Err(bad("header_rows", "must be 1 to 100: the lines above the first value"));
    }
    let zone =
        file.zone.parse().map_err(|_| bad("zone", "is no zone of the IANA list such as \"Europe/Rome\""))?;
    let unknown = StrftimeItems::new(&file.time.format).any(|item| matches!(item, Item::Error));
    if file.time.format.is_empty() || unknown {
        return Err(bad("time.format", "is no format such as \"%d/%m/%Y %H:%M\""));
    }
    if file.values.is_empty() {
        return Err(bad("value", "is missing: write a [[value]] for each column that is wanted"));
    }
    let values =
        file.values.iter().map(|value| value_column(value, &file.time)).collect::<Result<Vec<_>, _>>()?;
    Ok(Mapping { separator, notation, header_rows: file.header_rows, zone, time: file.time, values })
}

fn value_column(value: &ValueFile, time: &TimeColumns) -> Result<ValueColumn, FileError> {
    let bad = |key: &str, why: String| FileError::Mapping(format!("`value.{key}` {why}"));
    let meter = MeterId::new(&value.meter).map_err(|e| bad("meter", e.to_string()))?;
    let quantity = Quantity::parse(&value.quantity)
        .filter(|q| q.kind() == Kind::Total)
        .ok_or_else(|| bad("quantity", format!("{:?} is no energy, volume or mass", value.quantity)))?;
    let phase = match &value.phase {
        None => Phase::Total,
        Some(code) => Phase::parse(code).ok_or_else(|| bad("phase", format!("{code:?} is not known")))?,
    };
    let (unit, factor) = Unit::parse(&value.unit)
        .and_then(|unit| Some((unit, unit.factor_to(quantity)?)))
        .ok_or_else(|| bad("unit", format!("{:?} is no unit of {quantity}", value.unit)))?;
    let kind = match (value.kind.as_str(), &time.to_column) {
        ("total", None) => ValueKind::Total,
        ("total", Some(_)) => {
            return Err(bad("kind", "cannot be \"total\" beside time.to_column".to_owned()));
        }
        ("interval", Some(_)) if value.every.is_none() && value.every_minutes.is_none() => ValueKind::Until,
        ("interval", Some(_)) => return Err(bad("every", "has no place beside time.to_column".to_owned())),
        ("interval", None) => {
            let length = length(value).map_err(|why| bad("every", why))?;
            let stamped_at_end = match value.stamp.as_deref() {
                Some("begin") => false,
                Some("end") => true,
                Some(_) | None => {
                    let why = "must be \"begin\" or \"end\": which end of the interval the time is";
                    return Err(bad("stamp", why.to_owned()));
                }
            };
            ValueKind::Every { length, stamped_at_end }
        }
        _ => return Err(bad("kind", format!("{:?} must be \"total\" or \"interval\"", value.kind))),
    };
    let series = SeriesKey { meter, channel: Channel { quantity, phase } };
    Ok(ValueColumn { column: value.column.clone(), series, unit, factor, kind })
}

fn length(value: &ValueFile) -> Result<Length, String> {
    match (value.every.as_deref(), value.every_minutes) {
        (None, Some(minutes)) if 0 < minutes && minutes <= 1_440 => Ok(Length::Minutes(minutes)),
        (Some("day"), None) => Ok(Length::Day),
        (Some("month"), None) => Ok(Length::Month),
        _ => Err("must be \"day\" or \"month\", or every_minutes = 1 to 1440 in its place".to_owned()),
    }
}

/// What the clock made of a row's time.
enum Moment {
    At(Instant),
    /// It happened twice by the clock.
    Twice(NaiveDateTime),
}

/// Days on which the rows of the hour that comes twice come twice as well, one hour after the other, and whether the file goes
/// on in time.
type Doubled = BTreeMap<NaiveDate, bool>;

/// Reads a file by its mapping. `most` gives the most that a series' connection can carry in so many milliseconds, in
/// the smallest unit, where that is known. `read` of the report counts values, not rows.
pub fn read_mapped(
    bytes: &[u8],
    mapping: &Mapping,
    most: &dyn Fn(&SeriesKey, i64) -> Option<i64>,
) -> Result<ImportReport<OnLine<OfSeries<Stated>>>, FileError> {
    let text = text::decode(bytes)?;
    let wanted = "the mapping names";
    let mut lines = Lines::open_below(&text, mapping.header_rows - 1, mapping.separator, wanted)?;
    let header = lines.header.clone();
    let places = Places::of(mapping, &header)?;
    as_the_headers_tell(mapping, &places, &header)?;
    let mut read = Read { doubled: doubled(&text, mapping, &places, wanted)?, ..Read::default() };
    while let Some(line) = lines.next_line()? {
        read.row(mapping, &places, &header, &line, most);
        if VALUES_MAX < read.read {
            return Err(FileError::TooManyRows);
        }
        if REFUSED_MAX < read.refused.len() {
            return Err(sheet::too_many(&read.refused));
        }
    }
    read.read += lines.refused.len();
    read.refused.append(&mut lines.refused);
    read.rows = lines.read;
    Ok(read.finish())
}

/// Looks at the order of the rows before any is taken. A day counts only where the hour comes whole and again, and no other
/// time of the day is there twice: rows that are all repeated are no second hour.
fn doubled(
    text: &str,
    mapping: &Mapping,
    places: &Places,
    wanted: &'static str,
) -> Result<Doubled, FileError> {
    let mut lines = Lines::open_below(text, mapping.header_rows - 1, mapping.separator, wanted)?;
    let mut hours: BTreeMap<NaiveDate, Vec<NaiveDateTime>> = BTreeMap::new();
    let (mut plain, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    let (mut first, mut last) = (None, None);
    while let Some(line) = lines.next_line()? {
        match moment(mapping, line.cell(places.time), places.hour.map(|i| line.cell(i)), false) {
            Ok(Moment::Twice(local)) => hours.entry(local.date()).or_default().push(local),
            Ok(Moment::At(at)) => {
                if !plain.insert(at) {
                    repeated.insert(at.day(mapping.zone));
                }
                first = first.or(Some(at));
                last = Some(at);
            }
            Err(_) => {}
        }
    }
    let goes_on = first <= last;
    let ascends = |times: &[NaiveDateTime]| {
        let (one, other) = times.split_at(times.len() / 2);
        let in_order = |up: bool| one.windows(2).all(|pair| (pair[0] < pair[1]) == up);
        (one == other && in_order(goes_on)).then_some(goes_on)
    };
    let told = hours.into_iter().filter(|(day, _)| !repeated.contains(day));
    Ok(told.filter_map(|(day, times)| Some((day, ascends(&times)?))).collect())
}

/// The unit and the kind of energy that a column's header tells are those of the mapping; a header that tells nothing
/// stands against none.
fn as_the_headers_tell(mapping: &Mapping, places: &Places, header: &[String]) -> Result<(), FileError> {
    for (value, &place) in mapping.values.iter().zip(&places.values) {
        let name = header.get(place).map_or("", String::as_str);
        let quantity = value.series.channel.quantity;
        let is_reactive = matches!(quantity, Quantity::ReactiveEnergyImport | Quantity::ReactiveEnergyExport);
        let wanted = value.unit;
        let why = match told::unit_of_header(name) {
            Some(found) if found != wanted => format!(
                "the header says {found}, and the mapping says {wanted} for {quantity}; correct the mapping's unit and \
                 quantity, or name another column"
            ),
            Some(_) | None if told::is_reactive(name) && !is_reactive => format!(
                "the header says reactive energy, and the mapping says {wanted} of {quantity}; name the column of the \
                 active energy"
            ),
            Some(_) | None => continue,
        };
        return Err(FileError::Column { line: mapping.header_rows as u64, column: name.to_owned(), why });
    }
    Ok(())
}

/// The mapping's columns in a file.
struct Places {
    time: usize,
    hour: Option<usize>,
    to: Option<usize>,
    values: Vec<usize>,
}

impl Places {
    fn of(mapping: &Mapping, header: &[String]) -> Result<Self, FileError> {
        let find = |name: &ColumnName| match name {
            ColumnName::Number(number) if 0 < *number && *number <= header.len() => Ok(number - 1),
            ColumnName::Number(number) => Err(FileError::Mapping(format!(
                "the file has {} columns, none has number {number}",
                header.len()
            ))),
            ColumnName::Header(name) => {
                let mut found = (0..header.len()).filter(|&i| header.get(i) == Some(name));
                match (found.next(), found.next()) {
                    (Some(place), None) => Ok(place),
                    (Some(_), Some(_)) => {
                        Err(FileError::Mapping(format!("the file has two columns {name:?}; give its number")))
                    }
                    (None, _) => {
                        let known = header.join(", ");
                        Err(FileError::Mapping(format!("the file has no column {name:?}, but {known}")))
                    }
                }
            }
        };
        Ok(Self {
            time: find(&mapping.time.column)?,
            hour: mapping.time.hour_column.as_ref().map(find).transpose()?,
            to: mapping.time.to_column.as_ref().map(find).transpose()?,
            values: mapping.values.iter().map(|v| find(&v.column)).collect::<Result<_, _>>()?,
        })
    }
}

/// What was read so far, by series and first instant.
#[derive(Default)]
struct Read {
    values: BTreeMap<(SeriesKey, Instant), OnLine<Stated>>,
    /// Where two rows contradict each other: neither counts.
    contradicted: BTreeSet<(SeriesKey, Instant)>,
    refused: Vec<Refused>,
    twice: Vec<NaiveDate>,
    doubled: Doubled,
    /// The times of doubled hours that came once so far.
    first: BTreeSet<NaiveDateTime>,
    /// Rows; those that hold several values count once.
    rows: usize,
    read: usize,
    empty: usize,
    repeated: usize,
}

impl Read {
    fn row(
        &mut self,
        mapping: &Mapping,
        places: &Places,
        header: &[String],
        line: &Line,
        most: &dyn Fn(&SeriesKey, i64) -> Option<i64>,
    ) {
        let from = moment(mapping, line.cell(places.time), places.hour.map(|i| line.cell(i)), false);
        let to = places.to.map(|i| moment(mapping, line.cell(i), None, true));
        let (from, to) = match (from, to.transpose()) {
            (Ok(from), Ok(to)) => (from, to),
            (Err(why), _) => return self.refuse(line.refuse(header, places.time, why)),
            (_, Err(why)) => return self.refuse(line.refuse(header, places.to.unwrap_or_default(), why)),
        };
        let (from, to) = match (from, to) {
            (Moment::Twice(local), None) => match self.which(local, mapping) {
                Some(from) => (from, None),
                None => return self.twice.push(local.date()),
            },
            (Moment::Twice(local), _) | (_, Some(Moment::Twice(local))) => {
                return self.twice.push(local.date());
            }
            (Moment::At(from), None) => (from, None),
            (Moment::At(from), Some(Moment::At(to))) => (from, Some(to)),
        };
        for (value, &place) in mapping.values.iter().zip(&places.values) {
            let cell = line.cell(place);
            if cell.is_empty() {
                self.empty += 1;
                continue;
            }
            match stated(value, mapping, cell, from, to, most) {
                Ok(stated) => {
                    self.read += 1;
                    self.put(value, OnLine { line: line.number, value: stated }, header.get(place));
                }
                Err(why) => self.refuse(line.refuse(header, place, why)),
            }
        }
    }

    /// Which of the two instants of a time that comes twice is meant, where the order of the rows tells.
    fn which(&mut self, local: NaiveDateTime, mapping: &Mapping) -> Option<Instant> {
        let ascends = *self.doubled.get(&local.date())?;
        let is_first = self.first.insert(local);
        let both = mapping.zone.from_local_datetime(&local);
        let at = if is_first == ascends { both.earliest() } else { both.latest() }?;
        Some(Instant::from_millis(at.timestamp_millis()))
    }

    fn refuse(&mut self, refused: Refused) {
        self.read += 1;
        self.refused.push(refused);
    }

    fn put(&mut self, column: &ValueColumn, row: OnLine<Stated>, header: Option<&String>) {
        let at = match row.value {
            Stated::Interval(interval) => interval.from,
            Stated::Total(total) => total.at,
        };
        let key = (column.series.clone(), at);
        let earlier = self.values.get(&key).copied();
        if earlier.is_some_and(|earlier| earlier.value == row.value) {
            self.repeated += 1;
            return;
        }
        if earlier.is_none() && !self.contradicted.contains(&key) {
            self.values.insert(key, row);
            return;
        }
        let reason = "is given different values on several lines; keep one";
        for line in earlier.map(|e| e.line).into_iter().chain([row.line]) {
            let (column, reason) = (header.cloned().unwrap_or_default(), reason.to_owned());
            self.refused.push(Refused { line, column, value: at.to_string(), reason });
        }
        self.values.remove(&key);
        self.contradicted.insert(key);
    }

    fn finish(mut self) -> ImportReport<OnLine<OfSeries<Stated>>> {
        let mut accepted: Vec<OnLine<OfSeries<Stated>>> = Vec::with_capacity(self.values.len());
        // The interval that reaches furthest so far; whatever begins before its end overlaps it.
        let mut furthest: Option<(SeriesKey, Instant, u64)> = None;
        let mut overlapping: BTreeSet<u64> = BTreeSet::new();
        for ((series, at), row) in std::mem::take(&mut self.values) {
            if let Stated::Interval(interval) = row.value {
                let other = furthest.take().filter(|(s, _, _)| *s == series);
                if let Some((_, to, line)) = other.as_ref().filter(|(_, to, _)| at < *to) {
                    let reason =
                        |line: u64| format!("is an interval that overlaps that of line {line} (to {to})");
                    for (line, other) in [(row.line, *line), (*line, row.line)] {
                        let (column, value) = (String::new(), at.to_string());
                        self.refused.push(Refused { line, column, value, reason: reason(other) });
                        overlapping.insert(line);
                    }
                }
                furthest = match other {
                    Some(far) if interval.to < far.1 => Some(far),
                    Some(_) | None => Some((series.clone(), interval.to, row.line)),
                };
            }
            accepted.push(OnLine { line: row.line, value: OfSeries { series, value: row.value } });
        }
        accepted.retain(|row| !overlapping.contains(&row.line));
        self.twice.sort_unstable();
        self.twice.dedup();
        let mut findings = clock_change_findings(&self.twice);
        findings.extend(missing_values(self.empty));
        findings.extend(repeated_rows(self.repeated));
        self.refused.sort_by_key(|r| r.line);
        let Self { refused, rows, read, repeated, .. } = self;
        ImportReport { rows, read, accepted, repeated, refused, findings }
    }
}

/// The instant of a row: of a day its first one, or the first after it where an end is meant.
fn moment(mapping: &Mapping, cell: &str, hour: Option<&str>, is_end: bool) -> Result<Moment, String> {
    let format = mapping.time.format.as_str();
    let form = || format!("is no time of the form {format}");
    let text = hour.map_or_else(|| cell.to_owned(), |hour| format!("{cell} {hour}"));
    if let Ok(at) = DateTime::parse_from_str(&text, format) {
        return in_range(Instant::from_millis(at.timestamp_millis())).map(Moment::At);
    }
    let Ok(local) = NaiveDateTime::parse_from_str(&text, format) else {
        let day = NaiveDate::parse_from_str(&text, format)
            .or_else(|_| NaiveDate::parse_from_str(&format!("01 {text}"), &format!("%d {format}")))
            .map_err(|_| form())?;
        let day = if is_end { day.succ_opt().ok_or_else(form)? } else { day };
        return in_range(day_start(day, mapping.zone)).map(Moment::At);
    };
    match mapping.zone.from_local_datetime(&local) {
        LocalResult::Single(at) => in_range(Instant::from_millis(at.timestamp_millis())).map(Moment::At),
        LocalResult::Ambiguous(..) => Ok(Moment::Twice(local)),
        LocalResult::None => Err("did not happen: the clock was put forward over it".to_owned()),
    }
}

fn in_range(at: Instant) -> Result<Instant, String> {
    let year = at.utc().date_naive();
    if cells::date(&year.to_string()).is_ok() {
        Ok(at)
    } else {
        Err("is outside the years 1990 to 2100".to_owned())
    }
}

fn stated(
    column: &ValueColumn,
    mapping: &Mapping,
    cell: &str,
    at: Instant,
    to: Option<Instant>,
    most: &dyn Fn(&SeriesKey, i64) -> Option<i64>,
) -> Result<Stated, String> {
    let number = cells::number(cell, mapping.notation)?;
    let amount = (number * column.factor).round();
    if amount < 0.0 {
        return Err("is negative".to_owned());
    }
    if AMOUNT_MAX < amount {
        return Err("is larger than any meter counts; check the unit".to_owned());
    }
    // Not negative and at most 10^15: exact in both types.
    let amount = amount as i64;
    let (from, to) = match column.kind {
        ValueKind::Total => return Ok(Stated::Total(StatedTotal { at, total: amount, received: None })),
        ValueKind::Until => (at, to.ok_or("has no end")?),
        ValueKind::Every { length, stamped_at_end: false } => (at, shift(at, length, mapping.zone, 1)?),
        ValueKind::Every { length, stamped_at_end: true } => (shift(at, length, mapping.zone, -1)?, at),
    };
    let millis = to.millis() - from.millis();
    if millis <= 0 || INTERVAL_DAYS_MAX * 86_400_000 < millis {
        return Err(
            "belongs to an interval that ends before it begins, or lasts more than two years".to_owned()
        );
    }
    if let Some(most) = most(&column.series, millis).filter(|&most| most < amount) {
        return Err(format!(
            "is more than the connection carries in that time ({most} in the smallest unit); check the unit, or the \
             meter's ceiling_per_hour"
        ));
    }
    Ok(Stated::Interval(StatedInterval { from, to, amount, received: None }))
}

/// One interval on, or back.
fn shift(at: Instant, length: Length, zone: Zone, by: i64) -> Result<Instant, String> {
    let day = at.day(zone);
    let whole = |days: Option<NaiveDate>| {
        let starts = day_start(day, zone) == at;
        let other = days.filter(|_| starts).map(|d| day_start(d, zone));
        other.ok_or_else(|| "is no first instant of a day, and the interval is one of whole days".to_owned())
    };
    match length {
        Length::Minutes(minutes) => Ok(at.plus_millis(by * i64::from(minutes) * 60_000)),
        Length::Day => whole(day.checked_add_signed(TimeDelta::days(by))),
        Length::Month => {
            let month = model::Month::of(day);
            let first =
                (month.first_day() == day).then(|| if by < 0 { month.previous() } else { month.next() });
            whole(first.map(model::Month::first_day))
        }
    }
}

#[cfg(test)]
#[path = "mapped_tests.rs"]
mod tests;
