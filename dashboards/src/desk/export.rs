//! The region's table as CSV and XLSX: what is shown, every page of it.
//!
//! Must never: write a formula, or a cell that a spreadsheet would take for one.

use std::sync::Arc;

use analytics::region::{Case, select};
use analytics::report::format::Numbers;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::Response;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatBorder, Workbook, XlsxError};

use super::Refused;
use super::papers::to_be_saved;
use super::query::TableAsk;
use crate::pages::words::printed;
use crate::pages::{Ask, Fault, Site, Words, fault_page, off_loop};

/// A cell.
enum Cell {
    Text(String),
    Number(Option<f64>),
    /// A KPI's value with its decimals.
    Kpi(Option<f64>, usize),
}

/// Decimals of what is no KPI: shares and counts.
const DECIMALS: usize = 2;

impl Cell {
    /// A number that is known, with its decimals; of a whole one none are shown.
    fn number(&self) -> Option<(f64, usize)> {
        match self {
            Self::Text(_) => None,
            Self::Number(value) => value.map(|value| (value, DECIMALS)),
            Self::Kpi(value, decimals) => value.map(|value| (value, *decimals)),
        }
    }
}

/// The columns, in order: the ends of their texts' keys.
const COLUMNS: [&str; 24] = [
    "project",
    "title",
    "cup",
    "beneficiary",
    "scheme",
    "municipality",
    "province",
    "interventions",
    "year",
    "complete",
    "kpi",
    "unit",
    "target",
    "achieved",
    "low",
    "high",
    "attainment",
    "verdict",
    "coverage",
    "estimated",
    "blocking",
    "cautions",
    "due",
    "state",
];

/// A line for each KPI of each case.
fn lines(t: &Words, cases: &[&Case], asked: &TableAsk) -> Vec<Vec<Cell>> {
    let wanted = |measure| asked.query.measure.is_none_or(|m| m == measure);
    let of = |case: &&Case| -> Vec<Vec<Cell>> {
        let text = |s: &str| Cell::Text(s.to_owned());
        let codes: Vec<String> = case.interventions.iter().map(|i| i.code().to_owned()).collect();
        let kpis = case.kpis.iter().filter(|k| wanted(k.measure));
        kpis.map(|k| {
            let (duty, decimals) = (case.duty.as_ref(), k.decimals());
            vec![
                text(case.project.as_str()),
                text(&case.title),
                text(&case.cup),
                text(&case.beneficiary),
                text(&case.scheme_title),
                text(&case.municipality),
                text(case.province),
                Cell::Text(
                    codes.iter().map(|c| t.of("page.desk.intervention", c)).collect::<Vec<_>>().join(", "),
                ),
                Cell::Number(Some(f64::from(case.year))),
                text(t.get(if case.complete { "page.desk.yes" } else { "page.desk.no" })),
                text(t.get(&k.text)),
                Cell::Text(printed(k.unit.symbol())),
                Cell::Kpi(k.target, decimals),
                Cell::Kpi(k.achieved, decimals),
                Cell::Kpi(k.low, decimals),
                Cell::Kpi(k.high, decimals),
                Cell::Number(k.attainment_ratio.map(|r| r * 100.0)),
                Cell::Text(t.told(k.told)),
                Cell::Number(case.coverage_ratio.map(|r| r * 100.0)),
                Cell::Number(case.estimated_ratio.map(|r| r * 100.0)),
                Cell::Number(Some(f64::from(case.blocking))),
                Cell::Number(Some(f64::from(case.cautions))),
                Cell::Text(duty.and_then(|d| d.due).map(|d| d.to_string()).unwrap_or_default()),
                Cell::Text(duty.map(|d| t.of("page.desk.state", d.state.code())).unwrap_or_default()),
            ]
        })
        .collect()
    };
    cases.iter().flat_map(of).collect()
}

fn head(t: &Words) -> Vec<String> {
    COLUMNS.iter().map(|name| t.of("page.region.export", name)).collect()
}

/// A text that begins like a formula would be reckoned by a spreadsheet.
fn tame(text: &str) -> String {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if risky { format!("'{text}") } else { text.to_owned() }
}

/// Semicolons and decimal commas in Italian, as spreadsheets there read them.
fn csv(t: &Words, lines: &[Vec<Cell>]) -> Result<Vec<u8>, String> {
    let italian = t.language() == "it";
    let numbers = Numbers::of_language(t.language());
    let number = |(value, decimals): (f64, usize)| {
        // Rounded as on the pages, without groups.
        let text = numbers.number(value, decimals).unwrap_or_default();
        let (point, group) = if italian { (',', '.') } else { ('.', ',') };
        let plain = text.replace(group, "").replace('\u{2212}', "-");
        if value.fract() == 0.0 { plain.split(point).next().unwrap_or_default().to_owned() } else { plain }
    };
    // A mark of the encoding: spreadsheets take the file for their own table of characters without it.
    let mut out = "\u{feff}".as_bytes().to_vec();
    let mut writer =
        csv::WriterBuilder::new().delimiter(if italian { b';' } else { b',' }).from_writer(&mut out);
    writer.write_record(head(t)).map_err(|e| e.to_string())?;
    for line in lines {
        let cells = line.iter().map(|cell| match cell {
            Cell::Text(text) => tame(text),
            Cell::Number(_) | Cell::Kpi(..) => cell.number().map(number).unwrap_or_default(),
        });
        writer.write_record(cells).map_err(|e| e.to_string())?;
    }
    writer.flush().map_err(|e| e.to_string())?;
    drop(writer);
    Ok(out)
}

fn xlsx(t: &Words, lines: &[Vec<Cell>], day: chrono::NaiveDate) -> Result<Vec<u8>, XlsxError> {
    use chrono::Datelike as _;
    let mut workbook = Workbook::new();
    let date = ExcelDateTime::from_ymd(
        u16::try_from(day.year()).unwrap_or(1970),
        u8::try_from(day.month()).unwrap_or(1),
        u8::try_from(day.day()).unwrap_or(1),
    )?;
    workbook.set_properties(
        &DocProperties::new().set_title(t.get("page.region.title")).set_creation_datetime(&date),
    );
    let bold = Format::new().set_bold().set_text_wrap().set_border_bottom(FormatBorder::Thin);
    let whole = Format::new().set_num_format("0");
    let sheet = workbook.add_worksheet();
    sheet.set_name(t.get("page.region.sheet"))?;
    for (column, name) in (0u16..).zip(head(t)) {
        sheet.write_string_with_format(0, column, name, &bold)?;
    }
    for (row, line) in (1u32..).zip(lines) {
        for (column, cell) in (0u16..).zip(line) {
            match (cell, cell.number()) {
                (Cell::Text(text), _) => sheet.write_string(row, column, text)?,
                (_, Some((v, _))) if v.fract() == 0.0 => {
                    sheet.write_number_with_format(row, column, v, &whole)?
                }
                (_, Some((v, decimals))) => {
                    let format = Format::new().set_num_format(format!("0.{}", "0".repeat(decimals)));
                    sheet.write_number_with_format(row, column, v, &format)?
                }
                (_, None) => continue,
            };
        }
    }
    sheet.set_freeze_panes(1, 2)?;
    sheet.set_column_width(1, 40)?;
    if !lines.is_empty() {
        let last = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        sheet.autofilter(0, 0, last, u16::try_from(COLUMNS.len() - 1).unwrap_or(0))?;
    }
    workbook.save_to_buffer()
}

async fn file(site: Arc<Site>, ask: Ask, given: Vec<(String, String)>, ending: &'static str) -> Response {
    let t = ask.words.clone();
    let made = off_loop(&site, move |site| -> Result<(String, Vec<u8>), Fault> {
        let region = site.backend.region()?;
        let asked = TableAsk::strictly(&given)?;
        let lines = lines(&t, &select(&region.cases, &asked.query), &asked);
        let bytes = match ending {
            "xlsx" => xlsx(&t, &lines, region.day).map_err(|e| e.to_string()),
            _ => csv(&t, &lines),
        };
        let bytes = bytes.map_err(Refused::busy)?;
        Ok((format!("{}-{}.{ending}", t.get("page.region.file"), region.day), bytes))
    });
    match made.await.and_then(|made| made) {
        Ok((name, bytes)) => to_be_saved(&name, Body::from(bytes)),
        Err(fault) => fault_page(&site, &ask, &fault),
    }
}

/// `GET /region/table.csv`.
pub(crate) async fn as_csv(
    State(site): State<Arc<Site>>,
    Query(given): Query<Vec<(String, String)>>,
    ask: Ask,
) -> Response {
    file(site, ask, given, "csv").await
}

/// `GET /region/table.xlsx`.
pub(crate) async fn as_xlsx(
    State(site): State<Arc<Site>>,
    Query(given): Query<Vec<(String, String)>>,
    ask: Ask,
) -> Response {
    file(site, ask, given, "xlsx").await
}

#[cfg(test)]
mod tests {
    use super::tame;

    #[test]
    fn no_text_is_taken_for_a_formula() {
        for (text, wanted) in [("=1+1", "'=1+1"), ("@x", "'@x"), ("-2", "'-2"), ("a=1", "a=1"), ("", "")] {
            assert_eq!(tame(text), wanted);
        }
    }
}
