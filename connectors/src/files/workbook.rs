//! An XLSX workbook's first sheet as rows of text.
//!
//! Must never: unpack more than it has room for, read a formula's text, or take an empty cell for a zero.

use std::io::{self, Cursor, Read, Write};

use calamine::{DataRef, Reader, Xlsx};

use super::{COLUMNS_MAX, FILE_BYTES_MAX, FileError, ROWS_MAX};

/// Most bytes a workbook may unpack to: a file of the largest size at a spreadsheet's usual compression.
pub const UNPACKED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most files in a workbook's archive.
const PARTS_MAX: usize = 1_000;
/// Most cells in a sheet.
const CELLS_MAX: usize = 4_000_000;

/// One row of the sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SheetRow {
    /// As the spreadsheet counts, from 1.
    pub(super) line: u64,
    pub(super) cells: Vec<String>,
}

/// Whether the bytes begin like an archive, which no CSV file does.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// The rows of the first sheet that have a cell, in order. Numbers are written with a decimal comma and all their
/// digits, dates as `2024-01-31`.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<SheetRow>, FileError> {
    if FILE_BYTES_MAX < bytes.len() {
        return Err(FileError::TooLarge { bytes: bytes.len() });
    }
    let unreadable = |why: String| FileError::Workbook { why };
    check_parts(bytes)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|e| unreadable(e.to_string()))?;
    let name = book.sheet_names().first().cloned().ok_or_else(|| unreadable("it has no sheet".to_owned()))?;
    let mut cells = book.worksheet_cells_reader(&name).map_err(|e| unreadable(e.to_string()))?;
    let mut rows: Vec<SheetRow> = Vec::new();
    let mut count = 0_usize;
    // Cell by cell: the dense table of a sheet with one far-off cell has no bound.
    while let Some(cell) = cells.next_cell().map_err(|e| unreadable(e.to_string()))? {
        let (row, column) = cell.get_position();
        let text = text_of(cell.get_value());
        if text.is_empty() {
            continue;
        }
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if COLUMNS_MAX <= column {
            return Err(FileError::TooWide { columns: column.saturating_add(1) });
        }
        count += 1;
        if ROWS_MAX < rows.len() || CELLS_MAX < count {
            return Err(FileError::TooManyRows);
        }
        let line = u64::from(row) + 1;
        if rows.last().is_none_or(|last| last.line != line) {
            if rows.last().is_some_and(|last| line < last.line) {
                return Err(unreadable(format!("its row {line} stands after a later one")));
            }
            rows.push(SheetRow { line, cells: Vec::new() });
        }
        let Some(last) = rows.last_mut() else { continue };
        if column < last.cells.len() {
            return Err(unreadable(format!("its row {line} says one cell twice")));
        }
        last.cells.resize(column, String::new());
        last.cells.push(text);
    }
    Ok(rows)
}

/// Letters and digits of a cell's name at most: columns end at XFD, rows at 1048576.
const NAME_LETTERS_MAX: usize = 3;
const NAME_DIGITS_MAX: usize = 7;

/// Takes every byte of a part, in pieces, and notes whether an attribute `r` or `ref` names a cell that no sheet has.
/// The library computes with such names without a bound: it would panic, or take the cell for another one.
#[derive(Debug, Default)]
struct Names {
    state: NamesState,
    letters: usize,
    digits: usize,
    beyond: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum NamesState {
    /// In text, between two tags.
    #[default]
    Text,
    /// In a tag.
    Elsewhere,
    /// In a tag, after a blank.
    Blank,
    /// So many bytes of `ref`: 1 is `r`.
    Key(usize),
    /// After the equals sign.
    Value,
    /// Within these quotes.
    Quoted(u8),
}

impl Names {
    fn take(&mut self, byte: u8) {
        use NamesState::{Blank, Elsewhere, Key, Quoted, Text, Value};
        self.state = match (self.state, byte) {
            (Quoted(quote), _) if byte == quote => Elsewhere,
            (Quoted(quote), _) => {
                self.letters = if byte.is_ascii_alphabetic() { self.letters + 1 } else { 0 };
                self.digits = if byte.is_ascii_digit() { self.digits + 1 } else { 0 };
                self.beyond |= NAME_LETTERS_MAX < self.letters || NAME_DIGITS_MAX < self.digits;
                Quoted(quote)
            }
            (_, b'>') => Text,
            (Text, b'<') => Elsewhere,
            (Text, _) => Text,
            (Value, b'"' | b'\'') => {
                (self.letters, self.digits) = (0, 0);
                Quoted(byte)
            }
            (Key(1 | 3), b'=') => Value,
            (state @ (Key(1 | 3) | Value), b' ' | b'\t' | b'\r' | b'\n') => state,
            (Blank, b'r') => Key(1),
            (Key(1), b'e') => Key(2),
            (Key(2), b'f') => Key(3),
            (_, b' ' | b'\t' | b'\r' | b'\n') => Blank,
            _ => Elsewhere,
        };
    }
}

impl Write for Names {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        bytes.iter().for_each(|&byte| self.take(byte));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Unpacks every part and keeps nothing, counting: what the archive says of its sizes may be a lie.
fn check_parts(bytes: &[u8]) -> Result<(), FileError> {
    let unreadable = |why: String| FileError::Workbook { why };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| unreadable(e.to_string()))?;
    if PARTS_MAX < archive.len() {
        return Err(unreadable(format!("it has {} parts, the most is {PARTS_MAX}", archive.len())));
    }
    let mut room = UNPACKED_BYTES_MAX;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|e| unreadable(e.to_string()))?;
        let mut names = Names::default();
        let unpacked =
            io::copy(&mut part.take(room + 1), &mut names).map_err(|e| unreadable(e.to_string()))?;
        room = room.checked_sub(unpacked).ok_or_else(|| {
            unreadable(format!("it unpacks to more than {UNPACKED_BYTES_MAX} bytes; save it as CSV"))
        })?;
        if names.beyond {
            return Err(unreadable("it names a cell beyond column XFD or row 1048576".to_owned()));
        }
    }
    Ok(())
}

fn text_of(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string().replace('.', ","),
        DataRef::String(text) => text.trim().to_owned(),
        DataRef::SharedString(text) => text.trim().to_owned(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(date) if date.is_datetime() => {
            let (year, month, day, hour, minute, second, milli) = date.to_ymd_hms_milli();
            let day = format!("{year:04}-{month:02}-{day:02}");
            match (hour, minute, second, milli) {
                (0, 0, 0, 0) => day,
                _ => format!("{day}T{hour:02}:{minute:02}:{second:02}"),
            }
        }
        DataRef::DateTime(duration) => format!("{} days", duration.as_f64()),
        DataRef::DateTimeIso(text) => text.strip_suffix("T00:00:00").unwrap_or(text).to_owned(),
        DataRef::DurationIso(text) => text.clone(),
        // Refused where it is read: `#N/A` is no number and no date.
        DataRef::Error(error) => error.to_string(),
    }
}
