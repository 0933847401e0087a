//! The structured file as XLSX: typed cells, a sheet about the project, one of its indicators, a legend.
//!
//! Must never: write a formula, or the time at which it was made.

use analytics::report::structured::{Header, SCHEMA_VERSION, StructuredFile};
use analytics::text::Texts;
use chrono::Datelike;
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError,
};

use super::columns::{COLUMNS, Cell, Defined, FIELDS, KPI_COLUMNS, Kind, VERSION_NAME};
use crate::render::RenderError;

/// The workbook. Heads are those of the CSV; the legend explains them in the language of `texts`.
///
/// # Errors
/// When the file breaks a limit of the format (1 048 576 rows; 32 767 characters a cell).
pub fn xlsx(file: &StructuredFile, texts: &Texts) -> Result<Vec<u8>, RenderError> {
    build(file, texts).map_err(|e| RenderError::Xlsx(e.to_string()))
}

fn build(file: &StructuredFile, texts: &Texts) -> Result<Vec<u8>, XlsxError> {
    let header = &file.header;
    let mut workbook = Workbook::new();
    let until = header.until;
    let date = ExcelDateTime::from_ymd(
        u16::try_from(until.year()).unwrap_or(1970),
        u8::try_from(until.month()).unwrap_or(1),
        u8::try_from(until.day()).unwrap_or(1),
    )?;
    let properties = DocProperties::new()
        .set_title(format!("{} {}", header.title, header.year))
        .set_author(&header.beneficiary)
        .set_creation_datetime(&date);
    workbook.set_properties(&properties);

    let head = Format::new().set_bold().set_text_wrap().set_border_bottom(FormatBorder::Thin);
    let sheet = workbook.add_worksheet();
    sheet.set_name(texts.get("report.structured.sheet_months"))?;
    table(sheet, COLUMNS, &file.rows, &head, |column, row| (column.value)(header, row))?;
    let sheet = workbook.add_worksheet();
    sheet.set_name(texts.get("report.structured.sheet_project"))?;
    project(sheet, header, texts, &head)?;
    let sheet = workbook.add_worksheet();
    sheet.set_name(texts.get("report.structured.sheet_kpis"))?;
    table(sheet, KPI_COLUMNS, &file.kpis, &head, |column, row| (column.value)(row))?;
    let sheet = workbook.add_worksheet();
    sheet.set_name(texts.get("report.structured.sheet_legend"))?;
    legend(sheet, texts, &head)?;
    workbook.save_to_buffer()
}

/// At most three decimals, none where there are none; the cell holds what there are more.
const NUMBER_FORMAT: &str = "#,##0.###";

/// A sheet of heads and rows.
fn table<V, R>(
    sheet: &mut Worksheet,
    columns: &[Defined<V>],
    rows: &[R],
    head: &Format,
    value: impl Fn(&Defined<V>, &R) -> Cell,
) -> Result<(), XlsxError> {
    let number = Format::new().set_num_format(NUMBER_FORMAT);
    let integer = Format::new().set_num_format("0");
    for (column, definition) in (0_u16..).zip(columns) {
        sheet.write_string_with_format(0, column, definition.head, head)?;
        let width = match definition.kind {
            Kind::Text => 17,
            Kind::Integer => 8,
            Kind::Number => 14,
        };
        sheet.set_column_width(column, width)?;
        for (row, of) in (1_u32..).zip(rows) {
            match value(definition, of) {
                Cell::Empty => {}
                Cell::Text(text) => {
                    sheet.write_string(row, column, text)?;
                }
                #[expect(clippy::cast_precision_loss, reason = "years and months")]
                Cell::Integer(value) => {
                    sheet.write_number_with_format(row, column, value as f64, &integer)?;
                }
                Cell::Number(value) => {
                    sheet.write_number_with_format(row, column, value, &number)?;
                }
            }
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    sheet.set_landscape();
    sheet.set_repeat_rows(0, 0)?;
    let last_row = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let last_column = u16::try_from(columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
    sheet.autofilter(0, 0, last_row, last_column)?;
    Ok(())
}

fn project(sheet: &mut Worksheet, header: &Header, texts: &Texts, head: &Format) -> Result<(), XlsxError> {
    for (column, (name, width)) in (0_u16..).zip([("field", 28), ("value", 80), ("json_name", 24)]) {
        sheet.write_string_with_format(0, column, texts.get(&format!("report.structured.{name}")), head)?;
        sheet.set_column_width(column, width)?;
    }
    let label = |name: &str| texts.get(&format!("report.structured.project.{name}")).to_owned();
    sheet.write_string(1, 0, label(VERSION_NAME))?;
    sheet.write_number(1, 1, SCHEMA_VERSION)?;
    sheet.write_string(1, 2, VERSION_NAME)?;
    let left = Format::new().set_align(FormatAlign::Left).set_text_wrap();
    for (row, field) in (2_u32..).zip(FIELDS) {
        sheet.write_string(row, 0, label(field.name))?;
        if field.name == "year" {
            sheet.write_number_with_format(row, 1, header.year, &left)?;
        } else if let Some(value) = (field.value)(header).plain() {
            sheet.write_string_with_format(row, 1, value, &left)?;
        }
        sheet.write_string(row, 2, field.name)?;
    }
    Ok(())
}

fn legend(sheet: &mut Worksheet, texts: &Texts, head: &Format) -> Result<(), XlsxError> {
    let text = |name: &str| texts.get(&format!("report.structured.{name}")).to_owned();
    let columns = [("column", 27), ("json_name", 27), ("type", 10), ("explanation", 100), ("since", 12)];
    for (column, (name, width)) in (0_u16..).zip(columns) {
        sheet.write_string_with_format(0, column, text(name), head)?;
        sheet.set_column_width(column, width)?;
    }
    let wrap = Format::new().set_text_wrap();
    let mut row = 1_u32;
    for (title, lines) in [(None, super::legend(texts)), (Some("sheet_kpis"), super::kpi_legend(texts))] {
        if let Some(title) = title {
            sheet.write_string_with_format(row + 1, 0, text(title), head)?;
            row += 2;
        }
        for line in lines {
            for (column, cell) in (0_u16..).zip(line) {
                sheet.write_string_with_format(row, column, cell, &wrap)?;
            }
            row += 1;
        }
    }
    sheet.write_string(row + 1, 0, text("empty_note"))?;
    Ok(())
}
