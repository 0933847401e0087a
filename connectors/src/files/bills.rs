//! Bills of supply points: `supply_point;from;to;quantity;unit;type`, one billed period a row, as CSV or XLSX.
//!
//! `to` is the last day of the period, as bills print it; a column named `to_excluded` (`al_escluso`) is the
//! first day after it. Quantities are in the units of the carrier: kWh, MWh, GJ or Wh; Smc; kg, t or g. A cubic
//! metre that is not a standard one is refused, and so is a negative quantity: a credit corrects a period that
//! was billed before, and only that period's row can say what was really used.
//!
//! Must never: count a period twice. Rows of one supply point that overlap or contradict each other are all
//! refused, because nothing says which of them is right.

use chrono::{Days, NaiveDate};
use model::{BillQuality, BilledPeriod, Carrier, Finding, Severity, Unit};

use super::cells;
use super::sheet::{self, Column, Row, Sheet};
use super::{FileError, ImportReport, OnLine, Refused, repeated_rows};

/// Longest billed period in days: two years and a day.
const PERIOD_DAYS_MAX: i64 = 732;
/// Largest quantity in the smallest unit (1 TWh, 10^9 Smc, 10^6 t): beyond it a unit is wrong.
const AMOUNT_MAX: f64 = 1e12;

const SUPPLY_POINT: usize = 0;
const FROM: usize = 1;
const TO: usize = 2;
const QUANTITY: usize = 3;
const UNIT: usize = 4;
const TYPE: usize = 5;

const TO_EXCLUDED: [&str; 3] = ["to_excluded", "al_escluso", "a_escluso"];

const COLUMNS: [Column; 6] = [
    Column { name: "supply point", headers: &["supply_point", "pod", "pdr", "punto", "punto_di_fornitura"] },
    Column { name: "from", headers: &["from", "dal", "da"] },
    Column { name: "to", headers: &["to", "al", "a", "to_excluded", "al_escluso", "a_escluso"] },
    Column { name: "quantity", headers: &["quantity", "quantita", "consumo"] },
    Column { name: "unit", headers: &["unit", "unita", "unita_di_misura", "um", "u_m_"] },
    Column {
        name: "type",
        headers: &["type", "quality", "tipo", "estimated|read", "tipo_lettura", "qualita"],
    },
];

/// Reads a bills file. `carrier_of` says what a supply point delivers, `None` for one that no project has.
pub fn read_bills(
    bytes: &[u8],
    carrier_of: &dyn Fn(&str) -> Option<Carrier>,
) -> Result<ImportReport<OnLine<BilledPeriod>>, FileError> {
    let mut sheet = sheet::read(bytes, &COLUMNS)?;
    let mut refused = std::mem::take(&mut sheet.refused);
    let mut bills = Vec::with_capacity(sheet.rows.len());
    for row in &sheet.rows {
        match read_row(&sheet, row, carrier_of) {
            Ok(bill) => bills.push((row.line, bill)),
            Err(why) => refused.push(why),
        }
    }
    let (bills, repeated) = drop_repeated(bills);
    let conflicts = conflicts(&bills);
    let mut accepted = Vec::with_capacity(bills.len());
    for ((line, bill), conflict) in bills.into_iter().zip(&conflicts) {
        match conflict {
            Some(reason) => refused.push(Refused {
                line,
                column: sheet.header(SUPPLY_POINT).to_owned(),
                value: bill.supply_point,
                reason: reason.clone(),
            }),
            None => accepted.push(OnLine { line, value: bill }),
        }
    }
    refused.sort_by_key(|r| r.line);
    let findings = findings(&accepted, repeated);
    Ok(ImportReport { rows: sheet.read, read: sheet.read, accepted, repeated, refused, findings })
}

fn read_row(
    sheet: &Sheet,
    row: &Row,
    carrier_of: &dyn Fn(&str) -> Option<Carrier>,
) -> Result<BilledPeriod, Refused> {
    let refuse = |index: usize, reason: String| sheet.refuse(row, index, reason);
    let (supply_point, carrier) =
        supply_point(&row.cells[SUPPLY_POINT], carrier_of).map_err(|why| refuse(SUPPLY_POINT, why))?;
    let from = cells::date(&row.cells[FROM]).map_err(|why| refuse(FROM, why))?;
    let to = end_day(sheet, &row.cells[TO]).map_err(|why| refuse(TO, why))?;
    if to <= from {
        return Err(refuse(TO, format!("is before the period begins ({from}); exchange the two dates")));
    }
    let days = (to - from).num_days();
    if PERIOD_DAYS_MAX < days {
        let why = format!("makes a period of {days} days, the most is {PERIOD_DAYS_MAX}; correct the year");
        return Err(refuse(TO, why));
    }
    let factor = unit_factor(&row.cells[UNIT], carrier).map_err(|why| refuse(UNIT, why))?;
    let amount =
        amount(&row.cells[QUANTITY], sheet.separator, factor).map_err(|why| refuse(QUANTITY, why))?;
    let quality = quality(&row.cells[TYPE]).map_err(|why| refuse(TYPE, why))?;
    Ok(BilledPeriod { supply_point, from, to, amount, unit: carrier.base_unit(), quality })
}

fn supply_point(
    cell: &str,
    carrier_of: &dyn Fn(&str) -> Option<Carrier>,
) -> Result<(String, Carrier), String> {
    if cell.is_empty() {
        return Err("is empty; write the POD or PDR".to_owned());
    }
    for name in [cell.to_owned(), cell.to_ascii_uppercase()] {
        if let Some(carrier) = carrier_of(&name) {
            return Ok((name, carrier));
        }
    }
    let digits = cell.bytes().all(|b| b.is_ascii_digit());
    Err(if cell.contains(['E', 'e']) && cell.contains('+') {
        "is a code that a spreadsheet made a number of; write it again as text".to_owned()
    } else if digits && (10..14).contains(&cell.len()) {
        "is no supply point of any project; a PDR has 14 digits, were leading zeros lost in a spreadsheet?"
            .to_owned()
    } else {
        "is no supply point of any project; add it to a meter of a project file, or remove the row".to_owned()
    })
}

/// The first day after the period.
fn end_day(sheet: &Sheet, cell: &str) -> Result<NaiveDate, String> {
    let day = cells::date(cell)?;
    let header = sheet.header(TO).to_lowercase().replace([' ', '-', '.'], "_");
    if TO_EXCLUDED.contains(&header.as_str()) {
        return Ok(day);
    }
    day.checked_add_days(Days::new(1)).ok_or_else(|| "is no day of the calendar".to_owned())
}

/// How many of the carrier's smallest unit one of this unit is.
fn unit_factor(cell: &str, carrier: Carrier) -> Result<f64, String> {
    let quantity = carrier.total_quantity();
    let wanted = match carrier.base_unit() {
        model::BaseUnit::WattHour => "kWh, MWh, GJ or Wh",
        model::BaseUnit::Litre => "Smc",
        model::BaseUnit::Gram => "kg, t or g",
    };
    let unit = match cell.to_lowercase().as_str() {
        "wh" => Unit::WattHour,
        "kwh" => Unit::KilowattHour,
        "mwh" => Unit::MegawattHour,
        "gj" => Unit::Gigajoule,
        "smc" | "sm3" | "sm³" => Unit::StandardCubicMetre,
        "m3" | "m³" | "mc" | "nm3" | "nmc" => Unit::CubicMetre,
        "g" => Unit::Gram,
        "kg" => Unit::Kilogram,
        "t" => Unit::Tonne,
        "" => return Err(format!("is empty; write {wanted}")),
        _ => return Err(format!("is no unit of a bill; write {wanted}")),
    };
    if unit == Unit::CubicMetre && carrier == Carrier::NaturalGas {
        return Err(
            "is not the standard cubic metre: volume at the meter depends on pressure and temperature; \
                    convert with the bill's coefficient C and write Smc"
                .to_owned(),
        );
    }
    unit.factor_to(quantity).ok_or_else(|| format!("is no unit of {carrier}; write {wanted}"))
}

fn amount(cell: &str, separator: u8, factor: f64) -> Result<i64, String> {
    let value = cells::number(cell, separator)?;
    if value < 0.0 {
        return Err(
            "is negative: a credit corrects a period billed before; correct that period's row instead"
                .to_owned(),
        );
    }
    let amount = (value * factor).round();
    if AMOUNT_MAX < amount {
        return Err("is larger than any building uses; check the unit".to_owned());
    }
    // Not negative and at most 10^12: exact in both types.
    Ok(amount as i64)
}

fn quality(cell: &str) -> Result<BillQuality, String> {
    match cell.to_lowercase().as_str() {
        "read" | "letta" | "letto" | "lettura" | "reale" | "effettiva" | "effettivo" | "rilevata"
        | "rilevato" => Ok(BillQuality::Read),
        "estimated" | "stimata" | "stimato" | "stima" | "presunta" | "presunto" => Ok(BillQuality::Estimated),
        "" => Err("is empty; write `read` (letta) or `estimated` (stimata)".to_owned()),
        _ => Err("is not known; write `read` (letta) or `estimated` (stimata)".to_owned()),
    }
}

/// Rows that are the same in everything are one row.
fn drop_repeated(bills: Vec<(u64, BilledPeriod)>) -> (Vec<(u64, BilledPeriod)>, usize) {
    let before = bills.len();
    let mut seen = std::collections::HashSet::new();
    let kept: Vec<_> = bills
        .into_iter()
        .filter(|(_, b)| seen.insert((b.supply_point.clone(), b.from, b.to, b.amount, b.quality)))
        .collect();
    let repeated = before - kept.len();
    (kept, repeated)
}

/// For every bill, why it cannot stand beside another one.
fn conflicts(bills: &[(u64, BilledPeriod)]) -> Vec<Option<String>> {
    let mut reasons = vec![None; bills.len()];
    let mut order: Vec<usize> = (0..bills.len()).collect();
    order.sort_by_key(|&i| (&bills[i].1.supply_point, bills[i].1.from, bills[i].1.to, bills[i].0));
    // The bill that reaches furthest so far; whatever begins before its end overlaps it.
    let mut furthest: Option<usize> = None;
    for i in order {
        let bill = &bills[i].1;
        let other = furthest.filter(|&j| bills[j].1.supply_point == bill.supply_point);
        if let Some(j) = other
            && bill.from < bills[j].1.to
        {
            reasons[i] = Some(conflict(bill, &bills[j].1, bills[j].0));
            if reasons[j].is_none() {
                reasons[j] = Some(conflict(&bills[j].1, bill, bills[i].0));
            }
        }
        if other.is_none_or(|j| bills[j].1.to < bill.to) {
            furthest = Some(i);
        }
    }
    reasons
}

fn conflict(bill: &BilledPeriod, other: &BilledPeriod, other_line: u64) -> String {
    if (bill.from, bill.to) == (other.from, other.to) {
        return format!(
            "line {other_line} states another quantity or type for the same period; keep the row that holds"
        );
    }
    let days = (bill.to.min(other.to) - bill.from.max(other.from)).num_days();
    let hint = if days == 1 {
        "if `to` is the day on which the next period begins, name the column to_excluded"
    } else {
        "correct the dates, or keep one of the rows"
    };
    format!("overlaps line {other_line} by {days} days, so energy would count twice; {hint}")
}

/// Gaps between the bills of one supply point, and repeated rows.
fn findings(accepted: &[OnLine<BilledPeriod>], repeated: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sorted: Vec<&BilledPeriod> = accepted.iter().map(|b| &b.value).collect();
    sorted.sort_by_key(|b| (&b.supply_point, b.from));
    for pair in sorted.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        if a.supply_point != b.supply_point || b.from <= a.to {
            continue;
        }
        let days = (b.from - a.to).num_days();
        let last = b.from.pred_opt().unwrap_or(b.from);
        let finding = Finding::new(
            "import.bills.gap",
            Severity::Caution,
            format!("supply_point:{}", a.supply_point),
            format!("no bill of this file covers the {days} days from {} to {last}", a.to),
            "days without a bill are missing, not zero",
        );
        findings.push(finding.with("days", days).with("from", a.to).with("to", last));
    }
    findings.extend(repeated_rows(repeated));
    findings
}

#[cfg(test)]
#[path = "bills_tests.rs"]
mod tests;
