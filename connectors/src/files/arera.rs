//! Files of the "Portale Consumi" of the Italian regulator ARERA: readings of gas meters, and daily rows of
//! electricity meters with their registers and quarter-hours.
//!
//! Gas: `PDR;ANNOMESE_RIFERIMENTO;DATA LETTURA;DATA RICEZIONE;FLUSSO;MOTIVAZIONE;LETTURA`, the reading a cumulative
//! total in cubic metres at the meter. Electricity: `pod;data_lettura;data_ricezione;…;lettura_monoraria;lettura_f1;…;
//! tipo_flusso;…;ea1;…;ea96`, up to `ea100`, in kWh. Of several rows of one day the one received last counts; of rows
//! received on one day, a rectification.
//!
//! A reading is of the end of its day, as the last day of a bill is. A column that names the unit, where a file has one, must
//! name that of the file's kind.
//!
//! Must never: add up two rows of one day, take an empty register for zero, or convert gas to standard conditions:
//! that needs the place of the meter.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use chrono::NaiveDate;
use model::time::day_start;
use model::{Finding, Severity, Unit, Zone};

use super::cells::{self, Notation};
use super::load_curve::{clock_change_findings, missing_values, quarter_watt_hours};
use super::quarters::{self, Extra, Place};
use super::sheet::{self, Column, Line, Lines};
use super::{
    FileError, ImportReport, OnLine, REFUSED_MAX, Refused, Stated, StatedInterval, StatedTotal, VALUES_MAX,
    repeated_rows, text, told,
};

/// What a file says of one supply point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfPoint<T> {
    /// POD or PDR, as the file has it.
    pub point: Arc<str>,
    pub value: T,
}

/// Flows that read a gas meter: by the customer (TAL, TAV), periodically (TML, TGL), rectifying one of them (RML,
/// RGL), at a change of customer (VTG) and rectifying that (RMV).
const FLOWS: [&str; 8] = ["TAL", "TAV", "TML", "TGL", "RML", "RGL", "VTG", "RMV"];

/// Largest total of a register: 10^9 kWh or m3.
const TOTAL_MAX: f64 = 1e9;

const PDR: Column = Column { name: "PDR", headers: &["pdr", "codice_pdr"] };
const POD: Column = Column { name: "POD", headers: &["pod", "codice_pod"] };
const READ_ON: Column = Column { name: "reading day", headers: &["data_lettura"] };
const RECEIVED: Column = Column { name: "day of receipt", headers: &["data_ricezione"] };
const GAS_FLOW: Column = Column { name: "flow", headers: &["flusso", "tipo_flusso"] };
const READING: Column = Column { name: "reading", headers: &["lettura"] };
const SINGLE: Column = Column { name: "register", headers: &["lettura_monoraria"] };

/// A row's rank among those of the same day: the later received, then a rectification.
type Rank = (NaiveDate, bool);

/// The row that counts for a day, and what it says.
struct Best<T> {
    rank: Rank,
    line: u64,
    value: T,
}

/// Rows by supply point and day, the best of each.
struct ByDay<T>(BTreeMap<(Arc<str>, NaiveDate), Best<T>>);

impl<T: PartialEq> ByDay<T> {
    /// Keeps the better of two rows; `Ok(true)` when one of them is of no further use, the line of the other when
    /// they contradict each other.
    fn put(&mut self, key: (Arc<str>, NaiveDate), row: Best<T>) -> Result<bool, u64> {
        match self.0.entry(key) {
            Entry::Vacant(place) => {
                place.insert(row);
                Ok(false)
            }
            Entry::Occupied(mut standing) => {
                let best = standing.get();
                if best.rank == row.rank && best.value != row.value {
                    return Err(best.line);
                }
                if best.rank < row.rank {
                    standing.insert(row);
                }
                Ok(true)
            }
        }
    }
}

/// Reads a gas file; totals in litres at the meter.
pub fn read_arera_gas(
    bytes: &[u8],
    zone: Zone,
) -> Result<ImportReport<OnLine<OfPoint<StatedTotal>>>, FileError> {
    let text = text::decode(bytes)?;
    let wanted = [PDR, READ_ON, RECEIVED, GAS_FLOW, READING];
    let mut lines = Lines::open(&text, None, "PDR, DATA LETTURA, DATA RICEZIONE, FLUSSO, LETTURA")?;
    let places = sheet::find_columns(&lines.header, &wanted)?;
    let header = lines.header.clone();
    let unit = sheet::find_column(&header, &told::UNIT)?;
    let mut points = Points::default();
    let mut days = ByDay(BTreeMap::new());
    let (mut refused, mut repeated) = (Vec::new(), 0);
    while let Some(line) = lines.next_line()? {
        let how = "bring in standard cubic metres by a mapping of `import csv`, with the quantity gas_standard_volume";
        let row = of_unit(&line, &header, unit, (Unit::CubicMetre, how))
            .and_then(|()| gas_row(&line, &header, &places, lines.separator));
        match row {
            Ok((pdr, day, row)) => match days.put((points.of(&pdr), day), row) {
                Ok(again) => repeated += usize::from(again),
                Err(other) => refused.push(line.refuse(&header, at(&places, 4), contradicts(other))),
            },
            Err(why) => refused.push(why),
        }
        if REFUSED_MAX < refused.len() {
            return Err(sheet::too_many(&refused));
        }
    }
    refused.append(&mut lines.refused);
    refused.sort_by_key(|r| r.line);
    let accepted: Vec<_> = days
        .0
        .into_iter()
        .map(|((point, day), best)| OnLine {
            line: best.line,
            value: OfPoint { point, value: total_at_end(day, zone, best.value, best.rank.0) },
        })
        .collect();
    let mut findings = falls(accepted.iter().map(|on| (on.line, &on.value.point, &on.value.value)), zone);
    findings.extend(repeated_rows(repeated));
    Ok(ImportReport { rows: lines.read, read: lines.read, accepted, repeated, refused, findings })
}

/// Refuses a row whose unit column says another unit than the wanted one; `how` says what to do.
fn of_unit(
    line: &Line,
    header: &[String],
    unit: Option<usize>,
    (wanted, how): (Unit, &str),
) -> Result<(), Refused> {
    let refusal = |column: usize| {
        told::refusal(line.cell(column), wanted, how).map(|why| line.refuse(header, column, why))
    };
    unit.and_then(refusal).map_or(Ok(()), Err)
}

fn at(places: &[usize], index: usize) -> usize {
    places.get(index).copied().unwrap_or(usize::MAX)
}

fn contradicts(other: u64) -> String {
    format!("says another value than line {other}, received on the same day; keep the row that holds")
}

fn total_at_end(day: NaiveDate, zone: Zone, total: i64, received: NaiveDate) -> StatedTotal {
    let end = day.succ_opt().unwrap_or(day);
    StatedTotal { at: day_start(end, zone), total, received: Some(received) }
}

fn gas_row(
    line: &Line,
    header: &[String],
    places: &[usize],
    separator: u8,
) -> Result<(String, NaiveDate, Best<i64>), Refused> {
    let cell = |index: usize| line.cell(at(places, index));
    let refuse = |index: usize, why: String| line.refuse(header, at(places, index), why);
    let pdr = cell(0);
    if pdr.len() != 14 || !pdr.bytes().all(|b| b.is_ascii_digit()) {
        let why = "is no PDR, which has 14 digits; were leading zeros lost in a spreadsheet?";
        return Err(refuse(0, why.to_owned()));
    }
    let day = cells::date(cell(1)).map_err(|why| refuse(1, why))?;
    let received = received(cell(2), day).map_err(|why| refuse(2, why))?;
    let flow = cell(3).to_ascii_uppercase();
    if !FLOWS.contains(&flow.as_str()) {
        return Err(refuse(3, format!("is no flow of readings; known are {}", FLOWS.join(", "))));
    }
    let total = total(cell(4), separator).map_err(|why| refuse(4, why))?;
    let rank = (received, flow.starts_with('R'));
    Ok((pdr.to_owned(), day, Best { rank, line: line.number, value: total }))
}

fn received(cell: &str, read_on: NaiveDate) -> Result<NaiveDate, String> {
    let day = cells::date(cell)?;
    if day < read_on {
        return Err(format!("is before the reading itself ({read_on}); correct one of the two dates"));
    }
    Ok(day)
}

/// A register's total in the smallest unit; its thousandth of kWh or m3.
fn total(cell: &str, separator: u8) -> Result<i64, String> {
    // Registers come with leading zeros, as long as the meter has digits.
    let bare = cell.trim_start_matches('0');
    let bare = if bare.is_empty() || !bare.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{}{bare}", if cell.starts_with('0') { "0" } else { "" })
    } else {
        bare.to_owned()
    };
    let value = cells::number(&bare, separator)?;
    if value < 0.0 {
        return Err("is negative; a register is not".to_owned());
    }
    if TOTAL_MAX < value {
        return Err("is larger than any register; check the unit".to_owned());
    }
    Ok((value * 1000.0).round() as i64)
}

/// One text for each supply point.
#[derive(Default)]
struct Points(BTreeMap<String, Arc<str>>);

impl Points {
    fn of(&mut self, point: &str) -> Arc<str> {
        Arc::clone(self.0.entry(point.to_owned()).or_insert_with(|| Arc::from(point)))
    }
}

/// Totals below the one before them, of the same supply point; `totals` in order of point and time.
fn falls<'a>(totals: impl Iterator<Item = (u64, &'a Arc<str>, &'a StatedTotal)>, zone: Zone) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut previous: Option<(&Arc<str>, &StatedTotal)> = None;
    for (line, point, total) in totals {
        if let Some((before_point, before)) = previous
            && before_point == point
            && total.total < before.total
            && findings.len() < FALLS_NAMED_MAX
        {
            let day = total.at.plus_millis(-1).day(zone);
            let says = format!(
                "line {line}: the total of {day} is lower than the one before; what was used in between is unknown"
            );
            let rule = "a register only rises; a fall is an exchange, a wrap or an error, never a use";
            let about = format!("supply_point:{point}");
            findings.push(
                Finding::new("import.total.falls", Severity::Caution, about, says, rule)
                    .with("line", line)
                    .with("day", day),
            );
        }
        previous = Some((point, total));
    }
    findings
}

/// Most falls that are named.
const FALLS_NAMED_MAX: usize = 50;

/// Where things stand in an electricity file.
struct Layout {
    /// POD, reading day, day of receipt.
    places: Vec<usize>,
    flow: Option<usize>,
    single: Option<usize>,
    unit: Option<usize>,
    bands: Vec<usize>,
    quarters: Vec<usize>,
}

const ELECTRICITY: &str = "electricity readings of the ARERA portal";

impl Layout {
    fn of(header: &[String]) -> Result<Self, FileError> {
        let bad = |why: &str| FileError::Header { format: ELECTRICITY, why: why.to_owned() };
        let plain: Vec<String> = header.iter().map(|h| sheet::plain_name(h)).collect();
        let place = |name: String| plain.iter().position(|h| *h == name);
        let quarters: Vec<usize> = (1..=100).map_while(|i| place(format!("ea{i}"))).collect();
        let single = sheet::find_column(header, &SINGLE)?;
        if !matches!(quarters.len(), 0 | 96 | 100) {
            return Err(bad("the columns ea1 to ea96, or to ea100, must all be there"));
        }
        if quarters.is_empty() && single.is_none() {
            return Err(bad("it has neither lettura_monoraria nor ea1 to ea96"));
        }
        Ok(Self {
            places: sheet::find_columns(header, &[POD, READ_ON, RECEIVED])?,
            flow: sheet::find_column(header, &GAS_FLOW)?,
            single,
            unit: sheet::find_column(header, &told::UNIT)?,
            bands: (1..=6).map_while(|i| place(format!("lettura_f{i}"))).collect(),
            quarters,
        })
    }
}

type Day = Vec<Option<i64>>;

/// Reads an electricity file. `ceiling_of` gives the most that a supply point's connection carries in an hour, in
/// kWh, where it is known. `read` of the report counts rows; a row gives up to a hundred quarter-hours and a total.
pub fn read_arera_electricity(
    bytes: &[u8],
    zone: Zone,
    ceiling_of: &dyn Fn(&str) -> Option<f64>,
) -> Result<ImportReport<OnLine<OfPoint<Stated>>>, FileError> {
    let text = text::decode(bytes)?;
    let layout = Layout::of(&Lines::open(&text, None, "pod, data_lettura, data_ricezione, ea1")?.header)?;
    let separator = notation(&text, &layout)?;
    let mut lines = Lines::open(&text, None, ELECTRICITY)?;
    let header = lines.header.clone();
    let mut points = Points::default();
    let (mut days, mut totals) = (ByDay(BTreeMap::new()), ByDay(BTreeMap::new()));
    let (mut refused, mut repeated) = (Vec::new(), 0);
    while let Some(line) = lines.next_line()? {
        let mut put = || -> Result<usize, Refused> {
            let row = electricity_row(&line, &header, &layout, separator, ceiling_of)?;
            let key = (points.of(&row.pod), row.day);
            let mut again = 0;
            let best = |value| Best { rank: row.rank, line: line.number, value };
            let refuse = |other| line.refuse(&header, at(&layout.places, 1), contradicts(other));
            if let Some(total) = row.total {
                let best = Best { rank: row.rank, line: line.number, value: total };
                again |= usize::from(totals.put(key.clone(), best).map_err(refuse)?);
            }
            if row.quarters.iter().any(Option::is_some) {
                again |= usize::from(days.put(key, best(row.quarters)).map_err(refuse)?);
            }
            Ok(again)
        };
        match put() {
            Ok(again) => repeated += again,
            Err(why) => refused.push(why),
        }
        if REFUSED_MAX < refused.len() {
            return Err(sheet::too_many(&refused));
        }
        if VALUES_MAX < days.0.len() * quarters::ORDINARY {
            return Err(FileError::TooManyRows);
        }
    }
    refused.append(&mut lines.refused);
    let mut accepted = Vec::new();
    let mut findings = place_quarters(days, zone, &mut accepted, &mut refused);
    for ((point, day), best) in totals.0 {
        let value = Stated::Total(total_at_end(day, zone, best.value, best.rank.0));
        accepted.push(OnLine { line: best.line, value: OfPoint { point, value } });
    }
    findings.extend(falls(
        accepted.iter().filter_map(|on| match &on.value.value {
            Stated::Total(total) => Some((on.line, &on.value.point, total)),
            Stated::Interval(_) => None,
        }),
        zone,
    ));
    findings.extend(repeated_rows(repeated));
    refused.sort_by_key(|r| r.line);
    Ok(ImportReport { rows: lines.read, read: lines.read, accepted, repeated, refused, findings })
}

fn notation(text: &str, layout: &Layout) -> Result<u8, FileError> {
    let mut lines = Lines::open(text, None, ELECTRICITY)?;
    let mut notation = Notation::default();
    while let Some(line) = lines.next_line()? {
        layout.quarters.iter().for_each(|&i| notation.see(line.cell(i)));
    }
    // The portal writes a decimal point.
    Ok(notation.separator(b','))
}

/// What a row of an electricity file says.
struct ElectricityRow {
    pod: String,
    day: NaiveDate,
    rank: Rank,
    total: Option<i64>,
    quarters: Day,
}

fn electricity_row(
    line: &Line,
    header: &[String],
    layout: &Layout,
    separator: u8,
    ceiling_of: &dyn Fn(&str) -> Option<f64>,
) -> Result<ElectricityRow, Refused> {
    let cell = |index: usize| line.cell(at(&layout.places, index));
    let refuse = |index: usize, why: String| line.refuse(header, at(&layout.places, index), why);
    let how = "export active energy in kWh, or name the unit in a mapping of `import csv`";
    of_unit(line, header, layout.unit, (Unit::KilowattHour, how))?;
    let pod = cell(0).to_ascii_uppercase();
    if !pod.starts_with("IT") || !(14..=15).contains(&pod.len()) {
        return Err(refuse(0, "is no POD, which looks like IT001E12345678".to_owned()));
    }
    let day = cells::date(cell(1)).map_err(|why| refuse(1, why))?;
    let received = received(cell(2), day).map_err(|why| refuse(2, why))?;
    let rectifies = layout.flow.is_some_and(|i| line.cell(i).to_ascii_uppercase().starts_with('R'));
    let total = register(line, header, layout, separator)?;
    let ceiling = ceiling_of(&pod);
    let mut quarters = Vec::with_capacity(layout.quarters.len());
    for &column in &layout.quarters {
        quarters.push(match line.cell(column) {
            "" => None,
            text => Some(
                cells::number(text, separator)
                    .and_then(|kwh| quarter_watt_hours(kwh, ceiling))
                    .map_err(|why| line.refuse(header, column, why))?,
            ),
        });
    }
    Ok(ElectricityRow { pod, day, rank: (received, rectifies), total, quarters })
}

/// The register of the whole meter in Wh: the single one, or the sum of the bands; `None` where the row has none.
fn register(line: &Line, header: &[String], layout: &Layout, separator: u8) -> Result<Option<i64>, Refused> {
    let read =
        |column: usize| total(line.cell(column), separator).map_err(|why| line.refuse(header, column, why));
    if let Some(column) = layout.single.filter(|&c| !line.cell(c).is_empty()) {
        return read(column).map(Some);
    }
    // A band that does not exist is empty; without the first three nothing is the whole meter.
    let empty = |index: usize| layout.bands.get(index).is_none_or(|&c| line.cell(c).is_empty());
    if (0..3).any(empty) {
        return Ok(None);
    }
    let mut sum = 0;
    for &column in layout.bands.iter().filter(|&&c| !line.cell(c).is_empty()) {
        sum += read(column)?;
    }
    Ok(Some(sum))
}

fn place_quarters(
    days: ByDay<Day>,
    zone: Zone,
    accepted: &mut Vec<OnLine<OfPoint<Stated>>>,
    refused: &mut Vec<Refused>,
) -> Vec<Finding> {
    let (mut unknown, mut empty) = (Vec::new(), 0);
    for ((point, day), best) in days.0 {
        let set: Vec<bool> = best.value.iter().map(Option::is_some).collect();
        let used: Vec<bool> = best.value.iter().map(|v| v.is_some_and(|v| v != 0)).collect();
        let places = quarters::places(day, zone, &set, &used, Extra::Continues);
        for (index, (value, place)) in best.value.iter().zip(places).enumerate() {
            match (value, place) {
                (None, Place::At(_)) => empty += 1,
                (None | Some(0), Place::NotThere) | (None, Place::Unknown) => {}
                (Some(_), Place::Unknown) => unknown.push(day),
                (Some(value), Place::NotThere) => refused.push(Refused {
                    line: best.line,
                    column: format!("ea{}", index + 1),
                    value: value.to_string(),
                    reason: "has energy in a quarter of an hour that this day does not have".to_owned(),
                }),
                (Some(amount), Place::At(from)) => {
                    let to = from.plus_millis(quarters::MILLIS);
                    let stated = StatedInterval { from, to, amount: *amount, received: Some(best.rank.0) };
                    let value = OfPoint { point: Arc::clone(&point), value: Stated::Interval(stated) };
                    accepted.push(OnLine { line: best.line, value });
                }
            }
        }
    }
    unknown.sort_unstable();
    unknown.dedup();
    let mut findings = clock_change_findings(&unknown);
    findings.extend(missing_values(empty));
    findings
}

#[cfg(test)]
#[path = "arera_tests.rs"]
mod tests;
