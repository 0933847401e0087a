//! The structured file as CSV: UTF-8 with byte order mark, semicolon, decimal comma, CRLF, Italian heads.
//!
//! The byte order mark is there because the offices that receive the file open it by double click, and the usual
//! spreadsheet program takes a file without one for the system's old code page. No thousands separator.
//!
//! Must never: write a text that a spreadsheet would run as a formula.

use analytics::report::structured::StructuredFile;

use super::columns::{COLUMNS, Cell};
use crate::render::RenderError;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The rows as CSV. Missing values are empty cells.
///
/// # Errors
/// When the writer fails, which writing to memory does not.
pub fn csv(file: &StructuredFile) -> Result<Vec<u8>, RenderError> {
    let failed = |e: csv::Error| RenderError::Csv(e.to_string());
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b';')
        .terminator(csv::Terminator::CRLF)
        .from_writer(BYTE_ORDER_MARK.to_vec());
    writer.write_record(COLUMNS.iter().map(|c| c.head)).map_err(failed)?;
    for row in &file.rows {
        let cells = COLUMNS.iter().map(|c| written(&(c.value)(&file.header, row)));
        writer.write_record(cells).map_err(failed)?;
    }
    writer.into_inner().map_err(|e| RenderError::Csv(e.to_string()))
}

fn written(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => harmless(text),
        Cell::Integer(value) => value.to_string(),
        Cell::Number(value) => value.to_string().replace('.', ","),
    }
}

/// A text that begins like a formula gets an apostrophe before it.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_plain_and_harmless() {
        assert_eq!(written(&Cell::Number(1234.5)), "1234,5");
        assert_eq!(written(&Cell::Number(0.0)), "0");
        assert_eq!(written(&Cell::Empty), "");
        assert_eq!(written(&Cell::Text("=1+1".to_owned())), "'=1+1");
    }
}
