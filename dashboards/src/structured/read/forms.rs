//! The forms of a structured file taken apart into named cells.
//!
//! Must never: look at what a cell means, guess a column that no head names, or expand an entity of an XML file.

use std::io::Cursor;

use calamine::{Data, Reader as _, Xlsx};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::super::columns::{COLUMNS, Cell, FIELDS};
use super::super::csv_file::{BYTE_ORDER_MARK, as_meant};
use super::super::{NAMESPACE, xlsx_file};
use super::{Cells, Form, ROWS_MAX, Raw, ReadError};

/// Which of a column's two names a form uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Italian,
    English,
}

pub(super) fn raw(bytes: &[u8]) -> Result<Raw, ReadError> {
    if bytes.starts_with(b"PK\x03\x04") {
        return workbook(bytes);
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        ReadError::file(format!("the file is no UTF-8 text from byte {} on", e.valid_up_to()))
    })?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    match text.trim_start().chars().next() {
        Some('<') => document(text),
        Some('{') => object(text),
        Some(_) => table(text),
        None => Err(ReadError::file("the file is empty")),
    }
}

fn column(name: &str, names: Names) -> Option<&'static str> {
    let found = COLUMNS.iter().find(|c| match names {
        Names::Italian => c.head == name,
        Names::English => c.name == name,
    });
    found.map(|c| c.name)
}

/// The columns that the heads name, in file order; every column must be there.
fn heads<'h>(heads: impl Iterator<Item = &'h str>, names: Names) -> Result<Vec<&'static str>, ReadError> {
    let mut found = Vec::with_capacity(COLUMNS.len());
    for head in heads {
        let name = column(head, names)
            .ok_or_else(|| ReadError::file(format!("the column {head:?} is none of a structured file")))?;
        if found.contains(&name) {
            return Err(ReadError::file(format!("the column {head:?} stands twice")));
        }
        found.push(name);
    }
    match COLUMNS.iter().find(|c| !found.contains(&c.name)) {
        Some(lacking) => {
            Err(ReadError::file(format!("the column {:?} ({}) is missing", lacking.head, lacking.name)))
        }
        None => Ok(found),
    }
}

fn too_many(rows: usize) -> Result<(), ReadError> {
    if rows < ROWS_MAX {
        Ok(())
    } else {
        Err(ReadError::file(format!("the file has more than {ROWS_MAX} measurements")))
    }
}

/// The lines of a text, counted on as it is read.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: u64,
}

impl<'t> Lines<'t> {
    const fn of(text: &'t str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line of what begins at a byte, or after the line ends there: a reader of CSV takes the LF of a CR and LF for
    /// the beginning of the next row.
    fn at(&mut self, byte: u64) -> u64 {
        let bytes = self.text.as_bytes();
        let byte = usize::try_from(byte).unwrap_or(bytes.len()).min(bytes.len());
        let rest = bytes.get(byte..).unwrap_or_default();
        let begin = byte + rest.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let passed = bytes.get(self.at..begin).unwrap_or_default();
        self.line += passed.iter().filter(|&&b| b == b'\n').count() as u64;
        self.at = begin.max(self.at);
        self.line
    }
}

fn table(text: &str) -> Result<Raw, ReadError> {
    let first = text.lines().next().unwrap_or_default();
    let (names, delimiter) =
        if first.contains(';') { (Names::Italian, b';') } else { (Names::English, b',') };
    let failed = |e: csv::Error| ReadError::file(format!("the file is no CSV: {e}"));
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let columns = heads(reader.headers().map_err(failed)?.iter(), names)?;
    let (mut rows, mut lines) = (Vec::new(), Lines::of(text));
    for record in reader.records() {
        too_many(rows.len())?;
        let record = record.map_err(failed)?;
        let cells = columns.iter().zip(record.iter()).filter(|(_, value)| !value.is_empty());
        let cells: Cells = cells.map(|(name, value)| (*name, csv_cell(name, value, names))).collect();
        rows.push((lines.at(record.position().map_or(0, csv::Position::byte)), cells));
    }
    let form = if names == Names::Italian { Form::Csv } else { Form::CsvPlain };
    Ok(Raw { form, version: None, header: None, rows })
}

fn csv_cell(name: &str, value: &str, names: Names) -> Cell {
    use super::super::columns::Kind;
    let kind = COLUMNS.iter().find(|c| c.name == name).map(|c| c.kind);
    Cell::Text(match (names, kind) {
        (Names::English, _) => value.to_owned(),
        (Names::Italian, Some(Kind::Text) | None) => as_meant(value).to_owned(),
        // A point is no decimal sign here: "1.234" is neither 1234 nor 1,234 for sure.
        (Names::Italian, Some(Kind::Number | Kind::Integer)) if value.contains('.') => {
            format!("{value} (decimal point)")
        }
        (Names::Italian, Some(Kind::Number | Kind::Integer)) => value.replacen(',', ".", 1),
    })
}

fn object(text: &str) -> Result<Raw, ReadError> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|e| ReadError::file(format!("the file is no JSON: {e}")))?;
    let list = value["rows"].as_array().ok_or_else(|| ReadError::file("the file has no list named rows"))?;
    let version = value["schema_version"].as_i64();
    let project = value["project"].as_object().ok_or_else(|| ReadError::file("the file has no project"))?;
    let mut header = Cells::new();
    for field in FIELDS {
        header.extend(project.get(field.name).and_then(json_cell).map(|cell| (field.name, cell)));
    }
    let mut rows = Vec::new();
    let lines = list_lines(text);
    // An object of the file beside the list may hold lists too; then the rows are told by their number.
    let line = |at: usize| lines.get(at).filter(|_| lines.len() == list.len()).copied();
    for item in list {
        too_many(rows.len())?;
        let mut cells = Cells::new();
        for column in COLUMNS {
            cells.extend(json_cell(&item[column.name]).map(|cell| (column.name, cell)));
        }
        // Said once for the whole file in this form.
        for name in ["project", "cup"] {
            cells.extend(header.get(name).map(|cell| (name, cell.clone())));
        }
        rows.push((line(rows.len()).unwrap_or(rows.len() as u64 + 1), cells));
    }
    Ok(Raw { form: Form::Json, version: version.or(Some(0)), header: Some(header), rows })
}

/// The lines on which the objects in lists of the outermost object begin; the text is sound JSON.
fn list_lines(text: &str) -> Vec<u64> {
    let (mut lines, mut open): (Vec<u64>, Vec<u8>) = (Vec::new(), Vec::new());
    let (mut line, mut quoted, mut escaped) = (1, false, false);
    for byte in text.bytes() {
        match byte {
            b'\n' => line += 1,
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                if byte == b'{' && open == b"{[" {
                    lines.push(line);
                }
                open.push(byte);
            }
            b'}' | b']' => {
                open.pop();
            }
            _ => {}
        }
    }
    lines
}

fn json_cell(value: &serde_json::Value) -> Option<Cell> {
    match value {
        serde_json::Value::Null | serde_json::Value::Object(_) => None,
        serde_json::Value::Bool(value) => Some(Cell::Text(value.to_string())),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(integer) => Some(Cell::Integer(integer)),
            None => number.as_f64().map(Cell::Number),
        },
        serde_json::Value::String(text) if text.is_empty() => None,
        serde_json::Value::String(text) => Some(Cell::Text(text.clone())),
        serde_json::Value::Array(items) if items.is_empty() => None,
        serde_json::Value::Array(items) => {
            Some(Cell::Text(items.iter().filter_map(|i| i.as_str()).collect::<Vec<_>>().join(" ")))
        }
    }
}

/// Where the reading of an XML file has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Root,
    Project,
    Row,
}

/// An XML file as far as it is read.
struct Document {
    raw: Raw,
    within: Within,
    /// The line of what is being read.
    line: u64,
    /// The line on which the row began.
    row_line: u64,
    cells: Cells,
    /// The element whose text is being read.
    value: Option<(&'static str, String)>,
}

/// Elements by their names; attributes other than the version, comments and processing instructions are passed over.
fn document(text: &str) -> Result<Raw, ReadError> {
    let mut reader = Reader::from_str(text);
    let raw = Raw { form: Form::Xml, version: Some(0), header: None, rows: Vec::new() };
    let mut document =
        Document { raw, within: Within::Nothing, line: 1, row_line: 1, cells: Cells::new(), value: None };
    let mut lines = Lines::of(text);
    loop {
        let position = reader.buffer_position();
        document.line = lines.at(position);
        let broken = |says: String| {
            ReadError::file(format!("the file is no structured file near byte {position}: {says}"))
        };
        match reader.read_event().map_err(|e| broken(e.to_string()))? {
            Event::Start(start) => document.start(&start).map_err(broken)?,
            Event::Text(found) => document.text(&found),
            Event::CData(found) => document.text(&found),
            Event::GeneralRef(reference) => {
                let character =
                    character(&reference).ok_or_else(|| broken("an entity is not expanded".into()))?;
                document.text(character.encode_utf8(&mut [0; 4]));
            }
            Event::End(_) => document.end()?,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::DocType(_) => {
                return Err(broken("it has a document type, which no structured file has".into()));
            }
            Event::Eof => break,
        }
    }
    match document.raw.header {
        Some(_) => Ok(document.raw),
        None => Err(ReadError::file("the file has no element progetto")),
    }
}

impl Document {
    fn start(&mut self, start: &quick_xml::events::BytesStart<'_>) -> Result<(), String> {
        let name = local_name(start.name().as_ref()).to_owned();
        match (self.within, name.as_str()) {
            (Within::Nothing, "misure_mensili") => {
                let version = version(start).ok_or("its version or namespace is missing")?;
                self.raw.version = Some(version);
                self.within = Within::Root;
            }
            (Within::Root, "progetto") => self.within = Within::Project,
            (Within::Root, "misura") => {
                self.within = Within::Row;
                self.row_line = self.line;
            }
            (Within::Project | Within::Row, name) if self.value.is_none() => {
                let known =
                    known(self.within, name).ok_or_else(|| format!("the element {name:?} is unknown"))?;
                if self.cells.contains_key(known) {
                    return Err(format!("the element {name:?} stands twice"));
                }
                self.value = Some((known, String::new()));
            }
            (_, name) => return Err(format!("the element {name:?} does not belong here")),
        }
        Ok(())
    }

    fn text(&mut self, more: &str) {
        if let Some((_, text)) = &mut self.value {
            text.push_str(more);
        }
    }

    fn end(&mut self) -> Result<(), ReadError> {
        match (self.value.take(), self.within) {
            (Some((name, text)), _) => {
                if !text.is_empty() {
                    self.cells.insert(name, Cell::Text(text));
                }
            }
            (None, Within::Project) => {
                self.raw.header = Some(std::mem::take(&mut self.cells));
                self.within = Within::Root;
            }
            (None, Within::Row) => {
                too_many(self.raw.rows.len())?;
                self.raw.rows.push((self.row_line, std::mem::take(&mut self.cells)));
                self.within = Within::Root;
            }
            (None, Within::Root | Within::Nothing) => self.within = Within::Nothing,
        }
        Ok(())
    }
}

fn known(within: Within, name: &str) -> Option<&'static str> {
    match within {
        Within::Project => FIELDS.iter().find(|f| f.head == name).map(|f| f.name),
        Within::Row => column(name, Names::Italian),
        Within::Nothing | Within::Root => None,
    }
}

fn local_name(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// The version that the root element states, if the file is in the namespace of the structured file.
fn version(start: &quick_xml::events::BytesStart<'_>) -> Option<i64> {
    let mut version = None;
    let mut ours = false;
    for attribute in start.attributes().flatten() {
        match attribute.key.as_ref() {
            "versione" => version = attribute.value.parse().ok(),
            name if name.starts_with("xmlns") => ours |= attribute.value == NAMESPACE,
            _ => {}
        }
    }
    version.filter(|_| ours)
}

/// The five predefined entities and character references; nothing else is expanded.
fn character(reference: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Some(character);
    }
    match reference.as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

/// The first sheet holds the measurements, the second the header with each field's English name in its third column.
fn workbook(bytes: &[u8]) -> Result<Raw, ReadError> {
    let failed = |e: calamine::XlsxError| ReadError::file(format!("the workbook cannot be read: {e}"));
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(failed)?;
    let sheets = book.sheet_names();
    let [months, project, ..] = sheets.as_slice() else {
        return Err(ReadError::file("the workbook has not the sheets of a structured file"));
    };
    let months = book.worksheet_range(months).map_err(failed)?;
    let mut lines = months.rows();
    let first: Vec<String> = lines.next().unwrap_or_default().iter().map(ToString::to_string).collect();
    let columns = heads(first.iter().map(String::as_str), Names::Italian)?;
    let mut rows = Vec::new();
    // The sheet's rows count from 1, and the range begins with the heads.
    let first_row = months.start().map_or(0, |(row, _)| u64::from(row)) + 2;
    for (number, line) in (first_row..).zip(lines) {
        too_many(rows.len())?;
        let cells = columns.iter().zip(line).filter_map(|(name, cell)| Some((*name, sheet_cell(cell)?)));
        rows.push((number, cells.collect::<Cells>()));
    }
    let mut header = Cells::new();
    let mut version = None;
    for line in book.worksheet_range(project).map_err(failed)?.rows() {
        let [_, value, name, ..] = line else { continue };
        let name = name.to_string();
        if name == xlsx_file::VERSION_NAME {
            version = sheet_cell(value).and_then(|cell| cell.plain()).and_then(|v| v.parse().ok());
        }
        let field = FIELDS.iter().find(|f| f.name == name);
        header.extend(field.and_then(|f| Some((f.name, sheet_cell(value)?))));
    }
    Ok(Raw { form: Form::Xlsx, version: version.or(Some(0)), header: Some(header), rows })
}

fn sheet_cell(cell: &Data) -> Option<Cell> {
    match cell {
        Data::Float(value) => Some(Cell::Number(*value)),
        Data::Int(value) => Some(Cell::Integer(*value)),
        Data::String(text) if !text.is_empty() => Some(Cell::Text(text.clone())),
        Data::Bool(value) => Some(Cell::Text(value.to_string())),
        // A formula's error or a date is none of the file's own values; it is refused where a value must be.
        Data::DateTime(_) | Data::DateTimeIso(_) | Data::DurationIso(_) | Data::Error(_) => {
            Some(Cell::Text(cell.to_string()))
        }
        Data::String(_) | Data::Empty => None,
    }
}
