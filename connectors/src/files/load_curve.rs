//! Quarter-hour load curves as the distributor e-distribuzione gives them: a day a row and a quarter a column, or a
//! quarter a row.
//!
//! Wide: `Giorno;00:00-00:15;…;23:45-00:00`, with the columns `POD` and `curva` where the export has them. Long:
//! `Data;Ora;Consumo`, the hour as `00:00-00:15`. Energy in kWh with a decimal comma or point, days as `31/01/2024` or
//! `2024-01-31`. The file is of one meter. Where it names a unit, the kind of energy or its direction, they must be those of
//! the meter.
//!
//! On the day of 25 hours, 96 columns do not say which of the two hours from two to three they mean: both are left
//! out. On the day of 23 hours that hour's cells must be empty or zero.
//!
//! Must never: take an empty cell for zero, or put energy in an hour that the file does not name.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use model::{Direction, Finding, Severity, Unit, Zone};

use super::cells::{self, Notation};
use super::quarters::{self, Extra, Place};
use super::sheet::{self, Column, Line, Lines};
use super::{
    FileError, ImportReport, OnLine, Refused, StatedInterval, VALUES_MAX, repeated_rows, text, told,
};

/// What is known beforehand of the file's meter.
#[derive(Debug, Clone, Copy)]
pub struct CurveOptions<'a> {
    /// Civil time of the columns.
    pub zone: Zone,
    /// The meter's POD: rows of another one are refused.
    pub supply_point: Option<&'a str>,
    /// Which curve of the column `curva` is meant, where the file has several.
    pub curve: Option<&'a str>,
    /// Which way the meter's energy flows: a curve that names the other way is refused.
    pub direction: Option<Direction>,
    /// The most the connection can carry in an hour, in kWh; more is refused.
    pub ceiling_kwh_per_hour: Option<f64>,
}

const FORMAT: &str = "a quarter-hour load curve";
const DAY: Column = Column { name: "day", headers: &["giorno", "data", "day", "date"] };
const POINT: Column = Column { name: "supply point", headers: &["pod", "codice_pod", "supply_point"] };
const CURVE: Column = Column { name: "curve", headers: &["curva", "tipo_curva", "curve"] };
const HOUR: Column = Column { name: "hour", headers: &["ora", "hour", "orario"] };
const ENERGY: Column =
    Column { name: "energy", headers: &["consumo", "consumo_kwh", "kwh", "energia", "energy"] };

/// Where things stand in the header.
struct Layout {
    day: usize,
    point: Option<usize>,
    curve: Option<usize>,
    unit: Option<usize>,
    values: Values,
    extra: Extra,
}

enum Values {
    /// Columns of the file in order of the quarters: 96 or 100.
    Wide(Vec<usize>),
    Long {
        hour: usize,
        energy: usize,
    },
}

/// One cell that says something, in Wh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    line: u64,
    watt_hours: i64,
}

type Day = Vec<Option<Cell>>;

/// What was read so far.
#[derive(Default)]
struct Read {
    days: BTreeMap<NaiveDate, Day>,
    /// Quarters of a long file that were given two values.
    contradicted: BTreeSet<(NaiveDate, usize)>,
    /// The curve of the rows so far.
    curve: Option<String>,
    refused: Vec<Refused>,
    /// Rows; those that hold several values count once.
    rows: usize,
    read: usize,
    repeated: usize,
}

/// Reads a load curve. `read` of the report counts values, not rows.
pub fn read_load_curve(
    bytes: &[u8],
    options: &CurveOptions<'_>,
) -> Result<ImportReport<OnLine<StatedInterval>>, FileError> {
    let text = text::decode(bytes)?;
    let layout = Layout::of(&Lines::open(&text, None, FORMAT)?.header)?;
    let separator = notation(&text, &layout)?;
    let mut lines = Lines::open(&text, None, FORMAT)?;
    let header = lines.header.clone();
    let mut read = Read::default();
    while let Some(line) = lines.next_line()? {
        if let (Some(column), None) = (layout.curve, options.curve) {
            let name = line.cell(column);
            let first = read.curve.get_or_insert_with(|| name.to_owned());
            if first != name {
                let why = format!("it has the curves {first:?} and {name:?}; say which one with --curve");
                return Err(FileError::Header { format: FORMAT, why });
            }
        }
        read.row(&layout, &header, &line, separator, options);
        if VALUES_MAX < read.read {
            return Err(FileError::TooManyRows);
        }
        if super::REFUSED_MAX < read.refused.len() {
            return Err(sheet::too_many(&read.refused));
        }
    }
    read.read += lines.refused.len();
    read.refused.append(&mut lines.refused);
    read.rows = lines.read;
    Ok(read.finish(&layout, options))
}

/// How the file writes numbers, as its values show.
fn notation(text: &str, layout: &Layout) -> Result<u8, FileError> {
    let mut lines = Lines::open(text, None, FORMAT)?;
    let mut notation = Notation::default();
    while let Some(line) = lines.next_line()? {
        match &layout.values {
            Values::Wide(columns) => columns.iter().for_each(|&i| notation.see(line.cell(i))),
            Values::Long { energy, .. } => notation.see(line.cell(*energy)),
        }
    }
    Ok(notation.separator(lines.separator))
}

impl Layout {
    fn of(header: &[String]) -> Result<Self, FileError> {
        let day = sheet::find_columns(header, &[DAY])?.first().copied().unwrap_or_default();
        let find = |column: &Column| sheet::find_column(header, column);
        let (point, curve, unit) = (find(&POINT)?, find(&CURVE)?, find(&told::UNIT)?);
        if let (Some(hour), Some(energy)) = (find(&HOUR)?, find(&ENERGY)?) {
            return Ok(Self {
                day,
                point,
                curve,
                unit,
                values: Values::Long { hour, energy },
                extra: Extra::Repeats,
            });
        }
        let bad = |why: String| FileError::Header { format: FORMAT, why };
        let mut columns: Vec<usize> = Vec::with_capacity(100);
        let (mut repeats, mut continues) = (Vec::new(), Vec::new());
        for (place, name) in header.iter().enumerate() {
            let Some(quarter) = quarters::column_of(name) else { continue };
            match quarter {
                _ if quarter == columns.len() && quarter < quarters::ORDINARY => columns.push(place),
                _ if quarters::ORDINARY <= quarter => continues.push(place),
                // Again after midnight, or in its place before three o'clock.
                _ if quarter < columns.len() => repeats.push((quarter, place)),
                _ => {
                    let wanted = quarters::label(columns.len());
                    return Err(bad(format!("the column {wanted} was expected where {name} stands")));
                }
            }
        }
        if columns.len() < quarters::ORDINARY {
            let wanted = quarters::label(columns.len());
            return Err(bad(format!("it lacks the column {wanted}; a day has 96 quarter-hours")));
        }
        let (extra, more) = match (repeats.len(), continues.len()) {
            (0, 0) => (Extra::Repeats, Vec::new()),
            (4, 0) if one_hour(&repeats) => {
                (Extra::Repeats, repeats.iter().map(|(_, place)| *place).collect())
            }
            (0, 4) => (Extra::Continues, continues),
            (some, others) => {
                let count = some + others;
                let why = "one hour in order, or none, is known";
                return Err(bad(format!("besides 96 quarter-hours there are {count} more; {why}")));
            }
        };
        columns.extend(more);
        Ok(Self { day, point, curve, unit, values: Values::Wide(columns), extra })
    }

    /// The column by which a row tells that its values are not the meter's active energy in kWh, and why.
    fn of_another(&self, line: &Line, options: &CurveOptions<'_>) -> Option<(usize, String)> {
        let by_unit = self.unit.and_then(|column| {
            let how = "export the curve in kWh, or name the unit in a mapping of `import csv`";
            told::refusal(line.cell(column), Unit::KilowattHour, how).map(|why| (column, why))
        });
        let by_curve = self.curve.and_then(|column| {
            let name = line.cell(column);
            let other = told::direction(name).filter(|found| options.direction.is_some_and(|d| d != *found));
            let why = if told::is_reactive(name) {
                "is reactive energy (kvarh), and active energy (kWh) is wanted; name the active curve with --curve, or \
                 export it"
                    .to_owned()
            } else {
                let (found, wanted) = (other?, options.direction?);
                format!(
                    "is energy of the direction {}, and the meter's is {}; name the other curve with --curve, or the \
                     meter that counts this one",
                    found.code(),
                    wanted.code()
                )
            };
            Some((column, why))
        });
        by_unit.or(by_curve)
    }

    fn columns(&self) -> usize {
        match &self.values {
            Values::Wide(columns) => columns.len(),
            // Room for the hour that comes twice.
            Values::Long { .. } => quarters::ORDINARY + 4,
        }
    }
}

/// Whether columns are the four quarters of one hour, in order.
fn one_hour(columns: &[(usize, usize)]) -> bool {
    columns.first().is_some_and(|(first, _)| first % 4 == 0)
        && columns.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0)
}

impl Read {
    /// Whether a row is of the meter and of the curve that is meant; one that is not the meter's is refused.
    fn takes(&mut self, layout: &Layout, header: &[String], line: &Line, options: &CurveOptions<'_>) -> bool {
        let refuse = |index: usize, why: String| line.refuse(header, index, why);
        if let (Some(column), Some(wanted)) = (layout.point, options.supply_point)
            && !line.cell(column).eq_ignore_ascii_case(wanted)
        {
            self.read += 1;
            self.refused.push(refuse(column, format!("is not the meter's supply point {wanted}")));
            return false;
        }
        if let (Some(column), Some(wanted)) = (layout.curve, options.curve)
            && !line.cell(column).eq_ignore_ascii_case(wanted)
        {
            return false;
        }
        if let Some((column, why)) = layout.of_another(line, options) {
            self.read += 1;
            self.refused.push(refuse(column, why));
            return false;
        }
        true
    }

    fn row(
        &mut self,
        layout: &Layout,
        header: &[String],
        line: &Line,
        separator: u8,
        options: &CurveOptions<'_>,
    ) {
        let refuse = |index: usize, why: String| line.refuse(header, index, why);
        if !self.takes(layout, header, line, options) {
            return;
        }
        let day = match cells::date(line.cell(layout.day)) {
            Ok(day) => day,
            Err(why) => {
                self.read += 1;
                self.refused.push(refuse(layout.day, why));
                return;
            }
        };
        let value = |index: usize| watt_hours(line.cell(index), separator, options);
        match &layout.values {
            Values::Wide(columns) => {
                let mut values = vec![None; columns.len()];
                for (slot, &column) in values.iter_mut().zip(columns) {
                    match value(column) {
                        None => {}
                        Some(Ok(watt_hours)) => {
                            self.read += 1;
                            *slot = Some(Cell { line: line.number, watt_hours });
                        }
                        Some(Err(why)) => {
                            self.read += 1;
                            self.refused.push(refuse(column, why));
                        }
                    }
                }
                self.wide(day, values, line.number, header.get(layout.day));
            }
            Values::Long { hour, energy } => {
                let Some(quarter) = quarters::column_of(line.cell(*hour)).filter(|&q| q < quarters::ORDINARY)
                else {
                    self.read += 1;
                    let why = "is no quarter-hour; write it like 00:00-00:15, because 00:15 alone may begin or end it";
                    self.refused.push(refuse(*hour, why.to_owned()));
                    return;
                };
                match value(*energy) {
                    None => {}
                    Some(Ok(watt_hours)) => {
                        self.read += 1;
                        self.long(day, quarter, Cell { line: line.number, watt_hours }, options.zone);
                    }
                    Some(Err(why)) => {
                        self.read += 1;
                        self.refused.push(refuse(*energy, why));
                    }
                }
            }
        }
    }

    fn wide(&mut self, day: NaiveDate, values: Day, line: u64, column: Option<&String>) {
        let set = |values: &Day| values.iter().flatten().count();
        match self.days.entry(day) {
            Entry::Vacant(place) => {
                place.insert(values);
            }
            Entry::Occupied(earlier) => {
                let amounts =
                    |values: &Day| values.iter().map(|c| c.map(|c| c.watt_hours)).collect::<Vec<_>>();
                if amounts(earlier.get()) == amounts(&values) {
                    self.repeated += set(&values);
                    return;
                }
                // Nothing says which of the two is right; the day stays, without any value.
                let other = earlier.get().iter().flatten().next().map_or(line, |cell| cell.line);
                let column = column.cloned().unwrap_or_default();
                let reason = format!("lines {other} and {line} give this day different values; keep one");
                for line in [other, line] {
                    let (column, value) = (column.clone(), day.to_string());
                    self.refused.push(Refused { line, column, value, reason: reason.clone() });
                }
                earlier.into_mut().iter_mut().for_each(|cell| *cell = None);
            }
        }
    }

    fn long(&mut self, day: NaiveDate, quarter: usize, cell: Cell, zone: Zone) {
        let values = self.days.entry(day).or_insert_with(|| vec![None; quarters::ORDINARY + 4]);
        let doubled = quarters::doubled(day, zone);
        let refused = |line: u64| Refused {
            line,
            column: quarters::label(quarter),
            value: day.to_string(),
            reason: "is given different values on several lines; keep one".to_owned(),
        };
        if self.contradicted.contains(&(day, quarter)) {
            self.refused.push(refused(cell.line));
            return;
        }
        // The hour that the clock shows twice comes twice, in order.
        let second = quarter.checked_sub(doubled.start).map(|after| quarters::ORDINARY + after);
        let slots = [Some(quarter), second.filter(|_| doubled.contains(&quarter))];
        if let Some(free) = slots.into_iter().flatten().find(|&i| values.get(i).is_some_and(Option::is_none))
        {
            values.splice(free..=free, [Some(cell)]);
            return;
        }
        let earlier = values.get(quarter).copied().flatten();
        if doubled.is_empty() && earlier.is_some_and(|earlier| earlier.watt_hours == cell.watt_hours) {
            self.repeated += 1;
            return;
        }
        self.contradicted.insert((day, quarter));
        self.refused.extend(earlier.map(|earlier| refused(earlier.line)));
        self.refused.push(refused(cell.line));
        for slot in slots.into_iter().flatten() {
            values.splice(slot..=slot, [None]);
        }
    }

    fn finish(mut self, layout: &Layout, options: &CurveOptions<'_>) -> ImportReport<OnLine<StatedInterval>> {
        let mut accepted = Vec::with_capacity(self.read);
        let mut unknown: Vec<NaiveDate> = Vec::new();
        let mut empty = 0_usize;
        let days = std::mem::take(&mut self.days);
        for (&day, values) in &days {
            let set: Vec<bool> = values.iter().map(Option::is_some).collect();
            let used: Vec<bool> = values.iter().map(|c| c.is_some_and(|c| c.watt_hours != 0)).collect();
            let places = quarters::places(day, options.zone, &set, &used, layout.extra);
            for (index, (cell, place)) in values.iter().zip(&places).enumerate() {
                let Some(cell) = cell else {
                    empty += usize::from(matches!(place, Place::At(_)));
                    continue;
                };
                match place {
                    Place::At(from) => accepted.push(OnLine {
                        line: cell.line,
                        value: StatedInterval {
                            from: *from,
                            to: from.plus_millis(quarters::MILLIS),
                            amount: cell.watt_hours,
                            received: None,
                        },
                    }),
                    Place::NotThere if cell.watt_hours == 0 => {}
                    Place::NotThere => self.refused.push(Refused {
                        line: cell.line,
                        column: quarters::label(index),
                        value: day.to_string(),
                        reason: "has energy in an hour that this day does not have".to_owned(),
                    }),
                    Place::Unknown => unknown.push(day),
                }
            }
        }
        debug_assert!(days.values().all(|d| d.len() == layout.columns()));
        self.refused.sort_by_key(|r| r.line);
        let findings = self.findings(&days, unknown, empty);
        let Self { rows, read, repeated, refused, .. } = self;
        ImportReport { rows, read, accepted, repeated, refused, findings }
    }

    fn findings(
        &self,
        days: &BTreeMap<NaiveDate, Day>,
        mut unknown: Vec<NaiveDate>,
        empty: usize,
    ) -> Vec<Finding> {
        unknown.dedup();
        let mut findings = clock_change_findings(&unknown);
        findings.extend(missing_values(empty));
        findings.extend(missing_days(days.keys().copied()));
        findings.extend(repeated_rows(self.repeated));
        findings
    }
}

const MISSING: &str = "a missing value is never zero";

/// What is said of empty cells.
pub(super) fn missing_values(empty: usize) -> Option<Finding> {
    (0 < empty).then(|| {
        let says = format!("{empty} values of the days in the file are empty and stay missing");
        Finding::new("import.values.missing", Severity::Caution, "file", says, MISSING).with("values", empty)
    })
}

/// Days in the middle of the file that it does not have.
pub(super) fn missing_days(days: impl Iterator<Item = NaiveDate>) -> Option<Finding> {
    let (mut missing, mut first_gap, mut previous) = (0, None, None::<NaiveDate>);
    for day in days {
        let gap = previous.map_or(0, |p| (day - p).num_days() - 1);
        if 0 < gap {
            missing += gap;
            first_gap = first_gap.or(previous.and_then(|p| p.succ_opt()));
        }
        previous = Some(day);
    }
    let first = first_gap?;
    let says = format!("{missing} days in the middle of the file are not there, the first is {first}");
    let finding = Finding::new("import.days.missing", Severity::Caution, "file", says, MISSING);
    Some(finding.with("days", missing).with("from", first))
}

/// What is said of days whose doubled hour the file does not tell apart.
pub(super) fn clock_change_findings(days: &[NaiveDate]) -> Vec<Finding> {
    let finding = |day: &NaiveDate| {
        let says = format!(
            "{day} has 25 hours and the file 24: the hour that comes twice is left out, because it may be one of the \
             two or their sum"
        );
        Finding::new("import.clock_change", Severity::Note, "file", says, MISSING).with("day", day)
    };
    days.iter().map(finding).collect()
}

/// A cell's energy in Wh; `None` for an empty one.
fn watt_hours(cell: &str, separator: u8, options: &CurveOptions<'_>) -> Option<Result<i64, String>> {
    if cell.is_empty() {
        return None;
    }
    Some(cells::number(cell, separator).and_then(|kwh| quarter_watt_hours(kwh, options.ceiling_kwh_per_hour)))
}

/// The energy of a quarter-hour in Wh, where it can be true.
pub(super) fn quarter_watt_hours(kwh: f64, ceiling_kwh_per_hour: Option<f64>) -> Result<i64, String> {
    if kwh < 0.0 {
        return Err("is negative; energy that was drawn is not".to_owned());
    }
    if let Some(ceiling) = ceiling_kwh_per_hour.filter(|&ceiling| ceiling / 4.0 < kwh) {
        return Err(format!(
            "is more than the connection carries in a quarter of an hour ({ceiling} kW); check the unit, or the \
             meter's ceiling_per_hour"
        ));
    }
    // A connection carries at most 10^6 kWh an hour by the project file; beyond 10^9 nothing is believed.
    if 1e9 < kwh {
        return Err("is larger than any connection carries; check the unit".to_owned());
    }
    Ok((kwh * 1000.0).round() as i64)
}

#[cfg(test)]
#[path = "load_curve_tests.rs"]
mod tests;
