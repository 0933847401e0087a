//! A CSV file or workbook as a header and rows: separator, byte-order mark, quotes, named columns.
//!
//! Must never: accept a row whose number of cells is not that of the header.

use super::{CELL_BYTES_MAX, COLUMNS_MAX, FileError, REFUSED_MAX, ROWS_MAX, Refused, text, workbook};

/// A column that an importer looks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// What it is called in messages.
    pub(super) name: &'static str,
    /// The headers that mean it, lower case, words joined by `_`.
    pub(super) headers: &'static [&'static str],
}

/// The wanted columns of a file.
#[derive(Debug)]
pub(super) struct Sheet {
    /// `;` where numbers are written with a decimal comma (also in a workbook), `,` where with a point.
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

    fn of(separator: u8, header: Vec<String>, wanted: &[Column]) -> Result<Self, FileError> {
        let places = find_columns(&header, wanted)?;
        Ok(Self { separator, header, places, rows: Vec::new(), refused: Vec::new(), read: 0 })
    }

    fn add(&mut self, line: u64, cells: &[&str]) {
        let cell = |&i: &usize| cells.get(i).map_or("", |cell| cell.trim()).to_owned();
        self.rows.push(Row { line, cells: self.places.iter().map(cell).collect() });
    }
}

pub(super) fn cut(value: &str) -> String {
    value.chars().take(60).collect()
}

/// Reads the wanted columns of a CSV file or of a workbook's first sheet.
pub(super) fn read(bytes: &[u8], wanted: &[Column]) -> Result<Sheet, FileError> {
    if workbook::is_one(bytes) {
        return from_workbook(bytes, wanted);
    }
    let text = text::decode(bytes)?;
    let mut lines = Lines::open(&text, None, &names(wanted))?;
    let mut sheet = Sheet::of(lines.separator, lines.header.clone(), wanted)?;
    while let Some(line) = lines.next_line()? {
        let cells: Vec<&str> = line.cells.iter().collect();
        sheet.add(line.number, &cells);
    }
    sheet.read = lines.read;
    sheet.refused = lines.refused;
    Ok(sheet)
}

fn from_workbook(bytes: &[u8], wanted: &[Column]) -> Result<Sheet, FileError> {
    let rows = workbook::read(bytes)?;
    let mut rows = rows.iter().filter(|row| row.cells.iter().any(|cell| !cell.trim().is_empty()));
    let Some(first) = rows.next() else {
        return Err(FileError::Empty { wanted: names(wanted) });
    };
    let mut header = first.cells.clone();
    while header.last().is_some_and(|cell| cell.trim().is_empty()) {
        header.pop();
    }
    // Numbers of a workbook are written with a comma by `workbook::read`, as people write those it holds as text.
    let mut sheet = Sheet::of(b';', header, wanted)?;
    for row in rows {
        sheet.read += 1;
        let width = sheet.header.len();
        let mut cells: Vec<&str> = row.cells.iter().map(String::as_str).collect();
        // A workbook does not store empty cells at the end of a row.
        cells.resize(cells.len().max(width), "");
        match judge(row.line, width, &cells) {
            Some(why) => sheet.refused.push(why),
            None => sheet.add(row.line, &cells),
        }
    }
    Ok(sheet)
}

/// A CSV text, row by row.
pub(super) struct Lines<'t> {
    pub(super) separator: u8,
    /// The first row that is not blank, trimmed.
    pub(super) header: Vec<String>,
    records: csv::StringRecordsIntoIter<&'t [u8]>,
    text: &'t str,
    /// How far lines were counted, and the line there.
    counted: (usize, u64),
    /// Rows that could not be cut, so far.
    pub(super) refused: Vec<Refused>,
    /// Rows after the header so far, blank ones not counted.
    pub(super) read: usize,
}

/// One row whose width is that of the header.
pub(super) struct Line {
    pub(super) number: u64,
    /// As written, not trimmed.
    pub(super) cells: csv::StringRecord,
}

impl Line {
    pub(super) fn cell(&self, index: usize) -> &str {
        self.cells.get(index).map_or("", str::trim)
    }

    pub(super) fn refuse(&self, header: &[String], index: usize, reason: impl Into<String>) -> Refused {
        Refused {
            line: self.number,
            column: header.get(index).cloned().unwrap_or_default(),
            value: cut(self.cell(index)),
            reason: reason.into(),
        }
    }
}

impl<'t> Lines<'t> {
    /// Cuts the header off. `separator` is found in the header where it is not given: `;`, else a tab, else `,`.
    pub(super) fn open(text: &'t str, separator: Option<u8>, wanted: &str) -> Result<Self, FileError> {
        Self::open_below(text, 0, separator, wanted)
    }

    /// The same, below the first `above` lines.
    pub(super) fn open_below(
        text: &'t str,
        above: usize,
        separator: Option<u8>,
        wanted: &str,
    ) -> Result<Self, FileError> {
        let skipped = text.split_inclusive('\n').take(above).map(str::len).sum::<usize>();
        let text = text.get(skipped..).unwrap_or_default();
        let empty = || FileError::Empty { wanted: wanted.to_owned() };
        let first = text.lines().find(|line| !line.trim().is_empty()).ok_or_else(empty)?;
        let found = [b';', b'\t'].into_iter().find(|&s| first.contains(char::from(s)));
        let separator = separator.or(found).unwrap_or(b',');
        let mut records = csv::ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes())
            .into_records();
        let header: Vec<String> = match records.find(|r| r.as_ref().map_or(true, |r| !is_blank(r))) {
            Some(Ok(record)) => record.iter().map(|cell| cell.trim().to_owned()).collect(),
            Some(Err(_)) | None => return Err(empty()),
        };
        if COLUMNS_MAX < header.len() {
            return Err(FileError::TooWide { columns: header.len() });
        }
        // Numbers are written with a comma wherever it does not separate the cells.
        let separator = if separator == b',' { b',' } else { b';' };
        let counted = (0, above as u64 + 1);
        Ok(Self { separator, header, records, text, counted, refused: Vec::new(), read: 0 })
    }

    /// The next row that has the header's width; the others are refused on the way.
    pub(super) fn next_line(&mut self) -> Result<Option<Line>, FileError> {
        for record in self.records.by_ref() {
            let blank = record.as_ref().is_ok_and(is_blank);
            self.read += usize::from(!blank);
            if ROWS_MAX < self.read {
                return Err(FileError::TooManyRows);
            }
            // The text is UTF-8 and rows may differ in length, so there is nothing left that can fail; should
            // the reader think otherwise, the row is refused.
            let refused = match record {
                Ok(_) if blank => continue,
                Ok(record) => {
                    let number = line_at(self.text, &mut self.counted, record.position());
                    let cells: Vec<&str> = record.iter().collect();
                    match judge(number, self.header.len(), &cells) {
                        Some(why) => why,
                        None => return Ok(Some(Line { number, cells: record })),
                    }
                }
                Err(error) => {
                    let line = line_at(self.text, &mut self.counted, error.position());
                    whole_row(line, "the row cannot be read; check its quotes")
                }
            };
            self.refused.push(refused);
            if REFUSED_MAX < self.refused.len() {
                return Err(too_many(&self.refused));
            }
        }
        Ok(None)
    }
}

/// The line on which a row begins. The reader's own count is one behind where lines end with CR and LF: it takes the LF
/// for the beginning of the next row.
fn line_at(text: &str, counted: &mut (usize, u64), position: Option<&csv::Position>) -> u64 {
    let byte = position.map_or(0, |p| usize::try_from(p.byte()).unwrap_or(usize::MAX));
    let rest = text.as_bytes().get(byte..).unwrap_or_default();
    let begin = byte + rest.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let passed = text.as_bytes().get(counted.0..begin).unwrap_or_default();
    *counted = (begin.max(counted.0), counted.1 + passed.iter().filter(|&&b| b == b'\n').count() as u64);
    counted.1
}

/// Why a file with this many refused cells is given up.
pub(super) fn too_many(refused: &[Refused]) -> FileError {
    FileError::TooManyRefused { first: refused.first().map_or_else(String::new, ToString::to_string) }
}

/// Why a row cannot be used whatever its cells mean.
fn judge(line: u64, width: usize, cells: &[&str]) -> Option<Refused> {
    // A separator at the end of every row is common and says nothing.
    let extra = cells.iter().skip(width).any(|cell| !cell.trim().is_empty());
    if cells.len() < width || extra {
        let reason =
            format!("the row has {} cells, the header {width}; is a separator missing?", cells.len());
        return Some(whole_row(line, reason));
    }
    if cells.iter().any(|cell| CELL_BYTES_MAX < cell.len()) {
        let reason = format!("a cell has more than {CELL_BYTES_MAX} bytes; is a quote never closed?");
        return Some(whole_row(line, reason));
    }
    None
}

pub(super) fn whole_row(line: u64, reason: impl Into<String>) -> Refused {
    Refused { line, column: String::new(), value: String::new(), reason: reason.into() }
}

fn is_blank(record: &csv::StringRecord) -> bool {
    record.iter().all(|cell| cell.trim().is_empty())
}

fn names(wanted: &[Column]) -> String {
    wanted.iter().map(|c| c.name).collect::<Vec<_>>().join(", ")
}

/// The place of each wanted column in a header.
pub(super) fn find_columns(header: &[String], wanted: &[Column]) -> Result<Vec<usize>, FileError> {
    wanted
        .iter()
        .map(|column| {
            find_column(header, column)?.ok_or_else(|| FileError::ColumnMissing {
                column: column.name,
                accepted: column.headers.join(", "),
            })
        })
        .collect()
}

/// The place of a column that a header may have.
pub(super) fn find_column(header: &[String], column: &Column) -> Result<Option<usize>, FileError> {
    let mut found = (0..header.len())
        .filter(|&i| header.get(i).is_some_and(|h| column.headers.contains(&plain_name(h).as_str())));
    let (first, second) = (found.next(), found.next());
    if let (Some(first), Some(second)) = (first, second) {
        let written = |i: usize| header.get(i).cloned().unwrap_or_default();
        return Err(FileError::ColumnTwice {
            column: column.name,
            first: written(first),
            second: written(second),
        });
    }
    Ok(first)
}

/// A header as it is compared: lower case, accents off, words joined by `_`.
pub(super) fn plain_name(cell: &str) -> String {
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
