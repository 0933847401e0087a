//! Daily mean outdoor temperatures of one station: `date;mean`, °C, one day a row.
//!
//! Must never: fill a day that the file does not have, or take a sentinel such as -999 for a temperature.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use model::{DailyTemperature, Finding, Severity, StationId};

use super::cells;
use super::sheet::{self, Column, Row, Sheet};
use super::{FileError, ImportReport, Refused, repeated_rows};

/// Coldest and warmest daily mean that is believed, in °C: wider than any Italian station's record.
pub const MEAN_C: std::ops::RangeInclusive<f64> = -40.0..=50.0;
/// Most gaps that are named one by one.
const GAPS_NAMED_MAX: usize = 20;

const DATE: usize = 0;
const MEAN: usize = 1;

const COLUMNS: [Column; 2] = [
    Column { name: "date", headers: &["date", "data", "giorno"] },
    Column {
        name: "mean",
        headers: &["mean", "mean_c", "media", "tmedia", "t_media", "temp_media", "temperatura_media", "tavg"],
    },
];

/// Reads a temperatures file of `station`.
pub fn read_temperatures(
    bytes: &[u8],
    station: &StationId,
) -> Result<ImportReport<DailyTemperature>, FileError> {
    let mut sheet = sheet::read(bytes, &COLUMNS)?;
    let mut refused = std::mem::take(&mut sheet.refused);
    let mut days: BTreeMap<NaiveDate, Vec<(&Row, f64)>> = BTreeMap::new();
    for row in &sheet.rows {
        match read_row(&sheet, row) {
            Ok((date, mean_c)) => days.entry(date).or_default().push((row, mean_c)),
            Err(why) => refused.push(why),
        }
    }
    let mut accepted = Vec::with_capacity(days.len());
    let mut repeated = 0;
    for (date, rows) in &days {
        let (first_row, mean_c) = rows[0];
        if rows.iter().all(|(_, other)| *other == mean_c) {
            repeated += rows.len() - 1;
            accepted.push((first_row.line, DailyTemperature::as_given(station.clone(), *date, mean_c)));
            continue;
        }
        // Nothing says which of them is right.
        let lines: Vec<String> = rows.iter().map(|(row, _)| row.line.to_string()).collect();
        let reason = format!("lines {} give this day different values; keep one", lines.join(", "));
        refused.extend(rows.iter().map(|(row, _)| sheet.refuse(row, DATE, reason.clone())));
    }
    let findings = findings(accepted.iter().map(|(_, t)| t.date), station, repeated);
    accepted.sort_by_key(|(line, _)| *line);
    refused.sort_by_key(|r| r.line);
    let accepted = accepted.into_iter().map(|(_, t)| t).collect();
    Ok(ImportReport { rows: sheet.read, read: sheet.read, accepted, repeated, refused, findings })
}

fn read_row(sheet: &Sheet, row: &Row) -> Result<(NaiveDate, f64), Refused> {
    let date = cells::date(&row.cells[DATE]).map_err(|why| sheet.refuse(row, DATE, why))?;
    let mean_c =
        cells::number(&row.cells[MEAN], sheet.separator).map_err(|why| sheet.refuse(row, MEAN, why))?;
    if MEAN_C.contains(&mean_c) {
        Ok((date, mean_c))
    } else {
        let (from, to) = (MEAN_C.start(), MEAN_C.end());
        let why = format!("is outside {from} to {to} °C; leave out days without a measurement");
        Err(sheet.refuse(row, MEAN, why))
    }
}

/// Days missing between the first and the last; `dates` ascend.
fn findings(dates: impl Iterator<Item = NaiveDate>, station: &StationId, repeated: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut previous: Option<NaiveDate> = None;
    let (mut gaps, mut unnamed_days) = (0_usize, 0);
    for date in dates {
        let missing = previous.map_or(0, |p| (date - p).num_days() - 1);
        if let (Some(p), true) = (previous, 0 < missing) {
            gaps += 1;
            let (from, to) = (p.succ_opt().unwrap_or(p), date.pred_opt().unwrap_or(date));
            if gaps <= GAPS_NAMED_MAX {
                findings.push(gap(station, from, to, missing));
            } else {
                unnamed_days += missing;
            }
        }
        previous = Some(date);
    }
    if GAPS_NAMED_MAX < gaps {
        let others = gaps - GAPS_NAMED_MAX;
        let says = format!("{others} more gaps leave out {unnamed_days} days");
        let finding = Finding::new(
            "import.temperatures.gaps",
            Severity::Caution,
            format!("station:{station}"),
            says,
            RULE,
        );
        findings.push(finding.with("gaps", others).with("days", unnamed_days));
    }
    findings.extend(repeated_rows(repeated));
    findings
}

const RULE: &str = "a day without a temperature has no degree days; a file never fills it";

fn gap(station: &StationId, from: NaiveDate, to: NaiveDate, days: i64) -> Finding {
    let says = format!("{days} days from {from} to {to} have no temperature");
    Finding::new("import.temperatures.gap", Severity::Caution, format!("station:{station}"), says, RULE)
        .with("days", days)
        .with("from", from)
        .with("to", to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn station() -> StationId {
        StationId::new("torino").unwrap()
    }

    fn import(text: &str) -> ImportReport<DailyTemperature> {
        read_temperatures(text.as_bytes(), &station()).unwrap()
    }

    #[test]
    fn both_notations_are_read_in_order_of_the_file() {
        for text in [
            "date,mean\n2024-01-02,-1.5\n2024-01-01,3\n",
            "Data;Temperatura media\r\n02/01/2024;-1,5\r\n01/01/2024;3\r\n",
        ] {
            let report = import(text);
            assert_eq!((report.read, report.refused.len(), report.findings.len()), (2, 0, 0));
            let means: Vec<f64> = report.accepted.iter().map(|t| t.mean_c).collect();
            assert_eq!(means, [-1.5, 3.0]);
            assert_eq!(report.accepted[1].date, NaiveDate::from_ymd_opt(2024, 1, 1).unwrap());
        }
    }

    #[test]
    fn each_bad_cell_is_refused_with_its_reason() {
        for (row, column, reason) in [
            ("2024-02-30,1", "date", "is no day of the calendar"),
            ("yesterday,1", "date", "is no date"),
            ("2024-01-01,", "mean", "is empty; leave the row out"),
            ("2024-01-01,warm", "mean", "is no number"),
            ("2024-01-01,-999", "mean", "is outside -40 to 50 °C"),
            ("2024-01-01,50.1", "mean", "is outside -40 to 50 °C"),
            ("2024-01-01,NaN", "mean", "is no number"),
            ("2024-01-01", "", "the row has 1 cells, the header 2"),
        ] {
            let report = import(&format!("date,mean\n{row}\n"));
            assert_eq!((report.accepted.len(), report.refused.len()), (0, 1), "{row}");
            let refused = &report.refused[0];
            assert_eq!((refused.line, refused.column.as_str()), (2, column), "{row}");
            assert!(refused.reason.contains(reason), "{row}: {}", refused.reason);
        }
        assert_eq!(import("date,mean\n2024-01-01,-40\n2024-01-02,50\n").accepted.len(), 2);
    }

    #[test]
    fn a_day_with_two_values_is_refused_and_a_repeated_one_counts_once() {
        let report = import("date,mean\n2024-01-01,1\n2024-01-02,2\n2024-01-01,1.5\n");
        assert_eq!((report.accepted.len(), report.refused.len()), (1, 2));
        assert_eq!(
            report.refused[1].to_string(),
            "line 4, column `date`, \"2024-01-01\": lines 2, 4 give this day different values; keep one"
        );
        let report = import("date,mean\n2024-01-01,1\n2024-01-01,1.0\n");
        assert_eq!(
            (report.accepted.len(), report.repeated, report.findings[0].code),
            (1, 1, "import.repeated")
        );
    }

    #[test]
    fn missing_days_are_findings_up_to_a_limit() {
        let report = import("date,mean\n2024-01-01,1\n2024-01-05,1\n");
        assert_eq!(
            report.findings[0].to_string(),
            "caution [import.temperatures.gap] station:torino: 3 days from 2024-01-02 to 2024-01-04 have no temperature"
        );
        let start = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
        let rows: String = (0..60).map(|i| format!("{},5\n", start + chrono::Days::new(i * 2))).collect();
        let report = import(&format!("date,mean\n{rows}"));
        assert_eq!(report.findings.len(), GAPS_NAMED_MAX + 1);
        assert_eq!(report.findings[GAPS_NAMED_MAX].says, "39 more gaps leave out 39 days");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _outcome = read_temperatures(&bytes, &station()).is_ok();
        }

        #[test]
        fn every_row_is_accounted_for(rows in proptest::collection::vec("[-0-9/.,\"a]{0,30}", 0..30)) {
            let report = import(&format!("date,mean\n{}", rows.join("\n")));
            prop_assert_eq!(report.read, report.accepted.len() + report.repeated + report.refused.len());
        }
    }
}
