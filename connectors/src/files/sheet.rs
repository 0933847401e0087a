//! A CSV file as a header and rows: separator, byte-order mark, quotes, named columns.
//!
//! Must never: accept a row whose number of cells is not that of the header.

use super::{CELL_BYTES_MAX, COLUMNS_MAX, FILE_BYTES_MAX, FileError, ROWS_MAX, Refused};

/// A column that an importer looks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// What it is called in messages.
    pub(super) name: &'static str,
    /// The headers that mean it, lower case, words joined by `_`.
    pub(super) headers: &'static [&'static str],
}

/// A file cut into cells.
#[derive(Debug)]
pub(super) struct Sheet {
    /// `;` or `,`.
    pub(super) separator: u8,
    /// The header's cells as written.
    header: Vec<String>,
    /// For each wanted column, its index.
    places: Vec<usize>,
    pub(super) rows: Vec<Row>,
    /// Rows that could not be cut.
    pub(super) refused: Vec<Refused>,
    /// Rows after the header, blank ones not counted.
    pub(super) read: usize,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: u64,
    /// The wanted cells, in order of the wanted columns, trimmed.
    pub(super) cells: Vec<String>,
}

impl Sheet {
    /// The header of the wanted column `index` as written.
    pub(super) fn header(&self, index: usize) -> &str {
        self.places.get(index).and_then(|&i| self.header.get(i)).map_or("", String::as_str)
    }

    pub(super) fn refuse(&self, row: &Row, index: usize, reason: impl Into<String>) -> Refused {
        let value = row.cells.get(index).map_or("", String::as_str);
        Refused {
            line: row.line,
            column: self.header(index).to_owned(),
            value: cut(value),
            reason: reason.into(),
        }
    }
}

pub(super) fn cut(value: &str) -> String {
    value.chars().take(60).collect()
}

/// Reads the bytes of a file.
pub(super) fn read(bytes: &[u8], wanted: &[Column]) -> Result<Sheet, FileError> {
    if FILE_BYTES_MAX < bytes.len() {
        return Err(FileError::TooLarge { bytes: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        FileError::NotText { line: 1 + before.iter().filter(|&&b| b == b'\n').count() as u64 }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(first) = text.lines().find(|line| !line.trim().is_empty()) else {
        return Err(FileError::Empty { wanted: names(wanted) });
    };
    let separator = if first.contains(';') { b';' } else { b',' };
    let mut records = csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes())
        .into_records();
    let header: Vec<String> = match records.find(|r| r.as_ref().map_or(true, |r| !is_blank(r))) {
        Some(Ok(record)) => record.iter().map(|cell| cell.trim().to_owned()).collect(),
        Some(Err(_)) | None => return Err(FileError::Empty { wanted: names(wanted) }),
    };
    if COLUMNS_MAX < header.len() {
        return Err(FileError::TooWide { columns: header.len() });
    }
    let places = find_columns(&header, wanted)?;
    let mut sheet = Sheet { separator, header, places, rows: Vec::new(), refused: Vec::new(), read: 0 };
    for record in records {
        // The text is UTF-8 and rows may differ in length, so there is nothing left that can fail; should
        // the reader think otherwise, the row is refused.
        match record {
            Ok(record) if is_blank(&record) => {}
            Ok(record) => add_row(&mut sheet, &record),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                sheet.read += 1;
                sheet.refused.push(whole_row(line, "the row cannot be read; check its quotes"));
            }
        }
        if ROWS_MAX < sheet.read {
            return Err(FileError::TooManyRows);
        }
    }
    Ok(sheet)
}

fn add_row(sheet: &mut Sheet, record: &csv::StringRecord) {
    sheet.read += 1;
    let line = record.position().map_or(0, csv::Position::line);
    let width = sheet.header.len();
    // A separator at the end of every row is common and says nothing.
    let extra = record.iter().skip(width).any(|cell| !cell.trim().is_empty());
    if record.len() < width || extra {
        let reason =
            format!("the row has {} cells, the header {width}; is a separator missing?", record.len());
        sheet.refused.push(whole_row(line, reason));
        return;
    }
    if record.iter().any(|cell| CELL_BYTES_MAX < cell.len()) {
        let reason = format!("a cell has more than {CELL_BYTES_MAX} bytes; is a quote never closed?");
        sheet.refused.push(whole_row(line, reason));
        return;
    }
    let cell = |&i: &usize| record.get(i).unwrap_or("").trim().to_owned();
    sheet.rows.push(Row { line, cells: sheet.places.iter().map(cell).collect() });
}

fn whole_row(line: u64, reason: impl Into<String>) -> Refused {
    Refused { line, column: String::new(), value: String::new(), reason: reason.into() }
}

fn is_blank(record: &csv::StringRecord) -> bool {
    record.iter().all(|cell| cell.trim().is_empty())
}

fn names(wanted: &[Column]) -> String {
    wanted.iter().map(|c| c.name).collect::<Vec<_>>().join(", ")
}

fn find_columns(header: &[String], wanted: &[Column]) -> Result<Vec<usize>, FileError> {
    let plain: Vec<String> = header.iter().map(|cell| plain_name(cell)).collect();
    let find = |column: &Column| {
        let mut found = plain
            .iter()
            .enumerate()
            .filter(|(_, name)| column.headers.contains(&name.as_str()))
            .map(|(i, _)| i);
        let Some(first) = found.next() else {
            let accepted = column.headers.join(", ");
            return Err(FileError::ColumnMissing { column: column.name, accepted });
        };
        if let Some(second) = found.next() {
            let (first, second) = (header[first].clone(), header[second].clone());
            return Err(FileError::ColumnTwice { column: column.name, first, second });
        }
        Ok(first)
    };
    wanted.iter().map(find).collect()
}

/// A header as it is compared: lower case, accents off, words joined by `_`.
fn plain_name(cell: &str) -> String {
    let joined = cell.trim().to_lowercase();
    joined
        .chars()
        .map(|c| match c {
            'à' => 'a',
            ' ' | '-' | '.' => '_',
            other => other,
        })
        .collect()
}
