//! The forms of a structured file taken apart into named cells.
//!
//! Must never: look at what a cell means, guess a column that no head names, or expand an entity of an XML file.

use std::io::Cursor;

use calamine::{Data, Reader as _, Xlsx};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::super::NAMESPACE;
use super::super::columns::{COLUMNS, Cell, Defined, FIELDS, KPI_COLUMNS, Kind, VERSION_NAME, VERSIONS};
use super::super::csv_file::{BYTE_ORDER_MARK, as_meant};
use super::{Cells, Form, KPIS_MAX, ROWS_MAX, Raw, ReadError, known_version};

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

impl Names {
    const fn of<V>(self, column: &Defined<V>) -> &'static str {
        match self {
            Self::Italian => column.head,
            Self::English => column.name,
        }
    }
}

/// The English name of what a version of the file calls `name`.
fn column<V>(columns: &[Defined<V>], version: u32, name: &str, names: Names) -> Option<&'static str> {
    columns.iter().find(|c| c.is_of(version) && names.of(c) == name).map(|c| c.name)
}

/// The columns that the heads name, in file order; every column of the version must be there.
fn heads<'h, V>(
    columns: &[Defined<V>],
    version: u32,
    heads: impl Iterator<Item = &'h str>,
    names: Names,
) -> Result<Vec<&'static str>, ReadError> {
    let mut found = Vec::with_capacity(columns.len());
    for head in heads {
        let name = column(columns, version, head, names).ok_or_else(|| {
            ReadError::file(format!("the column {head:?} is none of a structured file of version {version}"))
        })?;
        if found.contains(&name) {
            return Err(ReadError::file(format!("the column {head:?} stands twice")));
        }
        found.push(name);
    }
    match columns.iter().find(|c| c.is_of(version) && !found.contains(&c.name)) {
        Some(lacking) => {
            let (head, name) = (lacking.head, lacking.name);
            let says = format!("the column {head:?} ({name}) is missing; a file of version {version} has it");
            Err(ReadError::file(says))
        }
        None => Ok(found),
    }
}

/// Whether a version has indicators.
fn has_kpis(version: u32) -> bool {
    KPI_COLUMNS.iter().any(|c| c.is_of(version))
}

fn too_many(rows: usize) -> Result<(), ReadError> {
    if rows < ROWS_MAX {
        Ok(())
    } else {
        Err(ReadError::file(format!("the file has more than {ROWS_MAX} measurements")))
    }
}

fn too_many_kpis(kpis: usize) -> Result<(), ReadError> {
    if kpis < KPIS_MAX {
        Ok(())
    } else {
        Err(ReadError::file(format!("the file has more than {KPIS_MAX} indicators")))
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
    let version = table_version(text, delimiter, names)?;
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let columns = heads(COLUMNS, version, reader.headers().map_err(failed)?.iter(), names)?;
    let (mut rows, mut lines) = (Vec::new(), Lines::of(text));
    for record in reader.records() {
        too_many(rows.len())?;
        let record = record.map_err(failed)?;
        let cells = columns.iter().zip(record.iter()).filter(|(_, value)| !value.is_empty());
        let cells: Cells = cells.map(|(name, value)| (*name, csv_cell(name, value, names))).collect();
        rows.push((lines.at(record.position().map_or(0, csv::Position::byte)), cells));
    }
    let form = if names == Names::Italian { Form::Csv } else { Form::CsvPlain };
    Ok(Raw { form, version, header: None, kpis: Vec::new(), rows })
}

/// The version that the first row states; 1 without a column of it, which that version had not.
fn table_version(text: &str, delimiter: u8, names: Names) -> Result<u32, ReadError> {
    let failed = |e: csv::Error| ReadError::file(format!("the file is no CSV: {e}"));
    let mut builder = csv::ReaderBuilder::new();
    // Whether every row is as long as the heads is looked at with the rows.
    let mut reader = builder.delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let head = COLUMNS.iter().find(|c| c.name == VERSION_NAME).map(|c| names.of(c));
    let Some(at) = reader.headers().map_err(failed)?.iter().position(|own| Some(own) == head) else {
        return Ok(*VERSIONS.start());
    };
    match reader.records().next() {
        Some(first) => known_version(first.map_err(failed)?.get(at).and_then(|stated| stated.parse().ok())),
        None => Ok(*VERSIONS.end()),
    }
}

fn csv_cell(name: &str, value: &str, names: Names) -> Cell {
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
    let version = known_version(value["schema_version"].as_i64())?;
    let header = named(FIELDS, version, &value["project"], &[])
        .map_err(|says| ReadError::file(format!("the file has no sound object named project: {says}")))?;
    let mut kpis = Vec::new();
    if has_kpis(version) {
        let list =
            value["kpis"].as_array().ok_or_else(|| ReadError::file("the file has no list named kpis"))?;
        for item in list {
            too_many_kpis(kpis.len())?;
            let cells = named(KPI_COLUMNS, version, item, &[]);
            kpis.push(cells.map_err(|says| ReadError::file(format!("an indicator: {says}")))?);
        }
    }
    let mut rows = Vec::new();
    let lines = row_lines(text);
    // A list that stands twice has more objects than the last of it; then the rows are told by their number.
    let line = |at: usize| lines.get(at).filter(|_| lines.len() == list.len()).copied();
    for (number, item) in (1..).zip(list) {
        too_many(rows.len())?;
        let mut cells = named(COLUMNS, version, item, &SAID_ONCE)
            .map_err(|says| ReadError { row: Some(number), says })?;
        for name in SAID_ONCE {
            cells.extend(header.get(name).map(|cell| (name, cell.clone())));
        }
        cells.insert(VERSION_NAME, Cell::Integer(i64::from(version)));
        rows.push((line(rows.len()).unwrap_or(rows.len() as u64 + 1), cells));
    }
    Ok(Raw { form: Form::Json, version, header: Some(header), kpis, rows })
}

/// Columns that the JSON says once for the whole file.
const SAID_ONCE: [&str; 3] = [VERSION_NAME, "project", "cup"];

/// The cells of an object that has the version's keys, all of them and no other.
fn named<V>(
    columns: &[Defined<V>],
    version: u32,
    value: &serde_json::Value,
    elsewhere: &[&str],
) -> Result<Cells, String> {
    let object = value.as_object().ok_or("it is no object")?;
    let own = || columns.iter().filter(|c| c.is_of(version) && !elsewhere.contains(&c.name));
    if let Some(lacking) = own().find(|c| !object.contains_key(c.name)) {
        return Err(format!("the key {:?} is missing; a file of version {version} has it", lacking.name));
    }
    if let Some(unknown) = object.keys().find(|key| own().all(|c| c.name != key.as_str())) {
        return Err(format!("the key {unknown:?} is none of a structured file of version {version}"));
    }
    Ok(own().filter_map(|c| Some((c.name, json_cell(object.get(c.name)?)?))).collect())
}

/// The lines on which the objects of the list `rows` of the outermost object begin; the text is sound JSON.
fn row_lines(text: &str) -> Vec<u64> {
    let (mut lines, mut open): (Vec<u64>, Vec<u8>) = (Vec::new(), Vec::new());
    let (mut line, mut quoted, mut escaped) = (1, false, false);
    // Where the last text of the outermost object began, and whether the list that is open is that of the rows.
    let (mut begin, mut name, mut in_rows) = (0, "", false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\n' => line += 1,
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => {
                if open == b"{" {
                    name = if quoted { text.get(begin..at).unwrap_or_default() } else { name };
                    begin = at + 1;
                }
                quoted = !quoted;
            }
            _ if quoted => {}
            b'{' | b'[' => {
                if byte == b'[' && open == b"{" {
                    in_rows = name == "rows";
                }
                if byte == b'{' && open == b"{[" && in_rows {
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
            let word = |item: &serde_json::Value| {
                item.as_str().map(str::to_owned).or_else(|| item.as_i64().map(|number| number.to_string()))
            };
            Some(Cell::Text(items.iter().filter_map(word).collect::<Vec<_>>().join(" ")))
        }
    }
}

/// Where the reading of an XML file has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Root,
    Project,
    Kpi,
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
    // The root says the version before any row is read by it.
    let raw = Raw { form: Form::Xml, version: 0, header: None, kpis: Vec::new(), rows: Vec::new() };
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
            Event::Start(start) if document.within == Within::Nothing => {
                document.root(&start).map_err(broken)?;
                document.raw.version = known_version(version(&start))?;
            }
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
    fn root(&mut self, start: &quick_xml::events::BytesStart<'_>) -> Result<(), String> {
        let name = local_name(start.name().as_ref()).to_owned();
        if name != "misure_mensili" || self.raw.header.is_some() {
            return Err(format!("the element {name:?} does not belong here"));
        }
        if version(start).is_none() {
            return Err("its version or namespace is missing, or they do not agree".to_owned());
        }
        self.within = Within::Root;
        Ok(())
    }

    fn start(&mut self, start: &quick_xml::events::BytesStart<'_>) -> Result<(), String> {
        let name = local_name(start.name().as_ref()).to_owned();
        let of = self.raw.version;
        match (self.within, name.as_str()) {
            (Within::Root, "progetto") => self.within = Within::Project,
            (Within::Root, "indicatore") if has_kpis(of) => self.within = Within::Kpi,
            (Within::Root, "misura") => {
                self.within = Within::Row;
                self.row_line = self.line;
            }
            (Within::Project | Within::Kpi | Within::Row, name) if self.value.is_none() => {
                let known = known(self.within, of, name)
                    .ok_or_else(|| format!("the element {name:?} is unknown in a file of version {of}"))?;
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
            (None, Within::Kpi) => {
                too_many_kpis(self.raw.kpis.len())?;
                self.raw.kpis.push(std::mem::take(&mut self.cells));
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

fn known(within: Within, version: u32, name: &str) -> Option<&'static str> {
    match within {
        Within::Project => column(FIELDS, version, name, Names::Italian),
        Within::Kpi => column(KPI_COLUMNS, version, name, Names::Italian),
        Within::Row => column(COLUMNS, version, name, Names::Italian),
        Within::Nothing | Within::Root => None,
    }
}

fn local_name(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// The version that the root element states, if it is in the namespace of that version.
fn version(start: &quick_xml::events::BytesStart<'_>) -> Option<i64> {
    let (mut version, mut spaces): (Option<i64>, Vec<i64>) = (None, Vec::new());
    for attribute in start.attributes().flatten() {
        match attribute.key.as_ref() {
            "versione" => version = attribute.value.parse().ok(),
            name if name.starts_with("xmlns") => {
                spaces.extend(
                    attribute.value.strip_prefix(NAMESPACE).and_then(|number| number.parse::<i64>().ok()),
                );
            }
            _ => {}
        }
    }
    version.filter(|version| spaces.contains(version))
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

/// The first sheet holds the measurements, the second the header with each field's English name in its third column, the
/// third since version 2 the indicators.
fn workbook(bytes: &[u8]) -> Result<Raw, ReadError> {
    let failed = |e: calamine::XlsxError| ReadError::file(format!("the workbook cannot be read: {e}"));
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(failed)?;
    let sheets = book.sheet_names();
    let [months, project, more @ ..] = sheets.as_slice() else {
        return Err(ReadError::file("the workbook has not the sheets of a structured file"));
    };
    let mut header = Cells::new();
    let mut version = None;
    for line in book.worksheet_range(project).map_err(failed)?.rows() {
        let [_, value, name, ..] = line else { continue };
        let name = name.to_string();
        if name == VERSION_NAME {
            version = sheet_cell(value).and_then(|cell| cell.plain()).and_then(|v| v.parse().ok());
        }
        let field = FIELDS.iter().find(|f| f.name == name);
        header.extend(field.and_then(|f| Some((f.name, sheet_cell(value)?))));
    }
    let version = known_version(version)?;
    let mut kpis = Vec::new();
    if has_kpis(version) {
        let sheet = more.first().ok_or_else(|| ReadError::file("the workbook has no sheet of indicators"))?;
        for (_, cells) in sheet_rows(&book.worksheet_range(sheet).map_err(failed)?, KPI_COLUMNS, version)? {
            too_many_kpis(kpis.len())?;
            kpis.push(cells);
        }
    }
    let rows = sheet_rows(&book.worksheet_range(months).map_err(failed)?, COLUMNS, version)?;
    Ok(Raw { form: Form::Xlsx, version, header: Some(header), kpis, rows })
}

/// The rows of a sheet below its heads, each with its number in the sheet from 1.
fn sheet_rows<V>(
    sheet: &calamine::Range<Data>,
    columns: &[Defined<V>],
    version: u32,
) -> Result<Vec<(u64, Cells)>, ReadError> {
    let mut lines = sheet.rows();
    let first: Vec<String> = lines.next().unwrap_or_default().iter().map(ToString::to_string).collect();
    let columns = heads(columns, version, first.iter().map(String::as_str), Names::Italian)?;
    let mut rows = Vec::new();
    // The range begins with the heads.
    let first_row = sheet.start().map_or(0, |(row, _)| u64::from(row)) + 2;
    for (number, line) in (first_row..).zip(lines) {
        too_many(rows.len())?;
        let cells = columns.iter().zip(line).filter_map(|(name, cell)| Some((*name, sheet_cell(cell)?)));
        rows.push((number, cells.collect::<Cells>()));
    }
    Ok(rows)
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
