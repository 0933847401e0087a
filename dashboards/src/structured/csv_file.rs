//! The structured file as CSV, in two forms: one for the office's spreadsheet, one for programs.
//!
//! For the office: UTF-8 with byte order mark, semicolon, decimal comma, CRLF, Italian heads. The byte order mark is
//! there because the offices that receive the file open it by double click, and the usual spreadsheet program takes a
//! file without one for the system's old code page. No thousands separator. For programs: RFC 4180 with the names of
//! the JSON, comma, decimal point, no byte order mark. Neither has the indicators: they are of no meter and no month, and
//! a second kind of row would be added up with the measurements.
//!
//! Must never: write a text that a spreadsheet would run as a formula into the office's file, or write a text that
//! does not read back as it was.

use analytics::report::structured::StructuredFile;

use super::columns::{COLUMNS, Cell};
use crate::render::RenderError;

pub(super) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What a spreadsheet takes for the beginning of a formula; the apostrophe is its own sign for a text.
const FORMULA_SIGNS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

/// The rows for the office. Missing values are empty cells; a text that begins like a formula, or with an apostrophe,
/// has an apostrophe before it.
///
/// # Errors
/// When the writer fails, which writing to memory does not.
pub fn csv(file: &StructuredFile) -> Result<Vec<u8>, RenderError> {
    let mut builder = csv::WriterBuilder::new();
    builder.delimiter(b';').terminator(csv::Terminator::CRLF);
    let heads = COLUMNS.iter().map(|c| c.head);
    write(file, builder.from_writer(BYTE_ORDER_MARK.as_bytes().to_vec()), heads, |cell| match cell {
        Cell::Text(text) => harmless(text),
        number @ (Cell::Number(_) | Cell::Integer(_) | Cell::Empty) => {
            number.plain().unwrap_or_default().replace('.', ",")
        }
    })
}

/// The rows for programs. Missing values are empty cells; texts stand as they are.
///
/// # Errors
/// When the writer fails, which writing to memory does not.
pub fn csv_plain(file: &StructuredFile) -> Result<Vec<u8>, RenderError> {
    let mut builder = csv::WriterBuilder::new();
    builder.terminator(csv::Terminator::CRLF);
    let heads = COLUMNS.iter().map(|c| c.name);
    write(file, builder.from_writer(Vec::new()), heads, |cell| cell.plain().unwrap_or_default())
}

fn write<'h>(
    file: &StructuredFile,
    mut writer: csv::Writer<Vec<u8>>,
    heads: impl Iterator<Item = &'h str>,
    written: impl Fn(&Cell) -> String,
) -> Result<Vec<u8>, RenderError> {
    let failed = |e: csv::Error| RenderError::Csv(e.to_string());
    writer.write_record(heads).map_err(failed)?;
    for row in &file.rows {
        let cells = COLUMNS.iter().map(|c| written(&(c.value)(&file.header, row)));
        writer.write_record(cells).map_err(failed)?;
    }
    writer.into_inner().map_err(|e| RenderError::Csv(e.to_string()))
}

fn harmless(text: &str) -> String {
    if text.starts_with(FORMULA_SIGNS) { format!("'{text}") } else { text.to_owned() }
}

/// The text that [`harmless`] made harmless.
pub(super) fn as_meant(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA_SIGNS) => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_harmless_and_comes_back() {
        assert_eq!(harmless("=1+1"), "'=1+1");
        for text in ["=1+1", "'=1+1", "'quoted'", "'", "plain", "", "-", "à; \"b\"\r\n"] {
            assert_eq!(as_meant(&harmless(text)), text);
        }
    }
}
