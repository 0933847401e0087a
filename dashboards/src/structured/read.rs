//! A structured file read back, whichever of its forms it has: the same rows, number by number.
//!
//! A file of a former version is read by the columns that it had; what came later stays unknown.
//!
//! Must never: take a file of another version, fill in what is missing, or name a fault without its row and column.

mod forms;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use analytics::report::structured::{Header, KpiRow, MonthRow, ReferenceHeader, StructuredFile, TargetRule};
use analytics::result::MonthSource;
use chrono::NaiveDate;
use model::{
    BuildingId, Carrier, Direction, FactorSetId, MeterId, MeterRole, Month, ProjectId, ReferenceYear,
    SchemeId,
};

use super::UNITS;
use super::columns::{
    COLUMNS, Cell, FIELDS, KPI_COLUMNS, SOURCES, VERDICTS, VERSION_NAME, VERSIONS, source_code,
};

/// Largest file read, in bytes: 50 000 rows are a twentieth of it.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most rows: four thousand meters.
const ROWS_MAX: usize = 50_000;
/// Most indicators: no scheme has a twentieth of them.
const KPIS_MAX: usize = 1_000;

/// The forms of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Xlsx,
    /// Semicolons, decimal commas, Italian heads.
    Csv,
    /// Commas, decimal points, English heads.
    CsvPlain,
    Xml,
    Json,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadFile {
    pub form: Form,
    /// Of the columns; what a former version has not is `None` in the rows.
    pub version: u32,
    /// Empty in the two CSV forms and in files of version 1, which have none.
    pub kpis: Vec<KpiRow>,
    pub rows: Vec<MonthRow>,
    /// Of each row the line of the file on which it begins, from 1; of a workbook the row of the sheet.
    pub lines: Vec<u64>,
    /// `None` for the two CSV forms, which have none; their rows carry CUP and project.
    pub header: Option<Header>,
    /// Project and CUP, the same in every row.
    pub project: ProjectId,
    pub cup: String,
}

impl ReadFile {
    /// As it was when written; `None` for a form without a header.
    #[must_use]
    pub fn file(self) -> Option<StructuredFile> {
        let (kpis, rows) = (self.kpis, self.rows);
        self.header.map(|header| StructuredFile { header, kpis, rows })
    }
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Row of measurements from 1; `None` for the file, its header or its columns.
    pub row: Option<usize>,
    pub says: String,
}

impl ReadError {
    fn file(says: impl Into<String>) -> Self {
        Self { row: None, says: says.into() }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Some(row) => write!(f, "measurement {row}: {}", self.says),
            None => f.write_str(&self.says),
        }
    }
}

impl std::error::Error for ReadError {}

/// Cells of a row or a header by their English names; no entry for an empty one.
type Cells = BTreeMap<&'static str, Cell>;

/// What a form gives before its meaning is looked at.
struct Raw {
    form: Form,
    version: u32,
    header: Option<Cells>,
    kpis: Vec<Cells>,
    /// Each with its line, as in [`ReadFile::lines`].
    rows: Vec<(u64, Cells)>,
}

/// Reads a structured file; its form is told from its first bytes.
///
/// # Errors
/// With the first row that is not as documented.
pub fn read(bytes: &[u8]) -> Result<ReadFile, ReadError> {
    if BYTES_MAX < bytes.len() {
        return Err(ReadError::file(format!(
            "the file has more than {BYTES_MAX} bytes; it is no structured file"
        )));
    }
    let raw = forms::raw(bytes)?;
    if raw.rows.is_empty() {
        return Err(ReadError::file("the file has no measurements"));
    }
    let header = raw.header.as_ref().map(header).transpose()?;
    let kpis = raw.kpis.iter().map(kpi).collect::<Result<_, _>>().map_err(ReadError::file)?;
    let mut rows = Vec::with_capacity(raw.rows.len());
    let mut of: Option<(ProjectId, String)> = None;
    for (number, (_, cells)) in (1..).zip(&raw.rows) {
        let at = |says: String| ReadError { row: Some(number), says };
        let own =
            (id(cells, "project", ProjectId::new).map_err(at)?, optional(cells, "cup").unwrap_or_default());
        match &of {
            Some(first) if *first != own => {
                return Err(at(
                    "it is of another project or CUP than the first row; one file holds one project"
                        .to_owned(),
                ));
            }
            Some(_) => {}
            None => of = Some(own),
        }
        rows.push(versioned(cells, raw.version).and_then(|()| row(cells)).map_err(at)?);
    }
    let Some((project, cup)) = of else { return Err(ReadError::file("the file has no measurements")) };
    if let Some(header) = &header
        && (header.project != project || header.cup != cup)
    {
        return Err(ReadError::file("the project or CUP of the header is not that of the measurements"));
    }
    let lines = raw.rows.iter().map(|(line, _)| *line).collect();
    Ok(ReadFile { form: raw.form, version: raw.version, kpis, rows, lines, header, project, cup })
}

/// The version that a file states, if this program reads it.
fn known_version(stated: Option<i64>) -> Result<u32, ReadError> {
    let Some(version) = stated else {
        return Err(ReadError::file("the file does not say which version of the columns it has"));
    };
    let known = u32::try_from(version).ok().filter(|known| VERSIONS.contains(known));
    known.ok_or_else(|| {
        let (first, last) = VERSIONS.into_inner();
        let says = format!(
            "the file has version {version} of the columns; this program reads versions {first} to {last}"
        );
        ReadError::file(says)
    })
}

/// Whether a row is of the file's version, where it says so itself.
fn versioned(cells: &Cells, version: u32) -> Result<(), String> {
    let says_so = COLUMNS.iter().any(|c| c.name == VERSION_NAME && c.is_of(version));
    if !says_so || integer(cells, VERSION_NAME)? == i64::from(version) {
        return Ok(());
    }
    Err(format!("{}; the file is of version {version}", bad(cells, VERSION_NAME)))
}

/// The reference year; `None` where the file has none.
fn reference(cells: &Cells) -> Result<Option<ReferenceHeader>, ReadError> {
    let wrong = |name: &str, value: &str| ReadError::file(format!("{name} of the header is {value:?}"));
    let (kind, years) =
        (optional(cells, "reference"), optional(cells, "reference_years").unwrap_or_default());
    let Some(kind) = kind else { return Ok(None) };
    let parsed: Result<Vec<i32>, _> = years.split_whitespace().map(str::parse).collect();
    Ok(Some(ReferenceHeader {
        kind: ReferenceYear::parse(&kind).ok_or_else(|| wrong("reference", &kind))?,
        years: parsed.map_err(|_| wrong("reference_years", &years))?,
    }))
}

/// An indicator; what is wrong is told with its code.
fn kpi(cells: &Cells) -> Result<KpiRow, String> {
    let code = text(cells, "code")?;
    let told = |says: String| format!("indicator {code}: {says}");
    let of = || -> Result<KpiRow, String> {
        let verdict = |code: &str| VERDICTS.into_iter().find(|v| v.code() == code);
        Ok(KpiRow {
            code: code.clone(),
            unit: text(cells, "unit")?,
            rule: coded(cells, "rule", TargetRule::parse)?,
            expected: number(cells, "expected")?,
            expected_source: optional(cells, "expected_source"),
            achieved: number(cells, "achieved")?,
            best: number(cells, "best")?,
            low: number(cells, "low")?,
            high: number(cells, "high")?,
            stated: number(cells, "stated")?,
            attainment_percent: number(cells, "attainment_percent")?,
            verdict: coded(cells, "verdict", verdict)?,
        })
    };
    of().map_err(told)
}

fn header(cells: &Cells) -> Result<Header, ReadError> {
    let of = |name: &'static str| {
        let head = FIELDS.iter().find(|f| f.name == name).map_or(name, |f| f.head);
        optional(cells, name).ok_or_else(|| ReadError::file(format!("the header lacks {name} ({head})")))
    };
    let wrong = |name: &str, value: &str| ReadError::file(format!("{name} of the header is {value:?}"));
    let parsed = |name, parse: fn(&str) -> Option<i32>| {
        of(name).and_then(|text| parse(&text).ok_or_else(|| wrong(name, &text)))
    };
    let until = of("until")?;
    let complete = of("complete")?;
    let header_id = |name: &'static str| of(name);
    Ok(Header {
        project: ProjectId::new(&header_id("project")?).map_err(|e| ReadError::file(e.to_string()))?,
        title: of("title").unwrap_or_default(),
        cup: of("cup").unwrap_or_default(),
        scheme: SchemeId::new(&header_id("scheme")?).map_err(|e| ReadError::file(e.to_string()))?,
        scheme_title: of("scheme_title").unwrap_or_default(),
        beneficiary: of("beneficiary").unwrap_or_default(),
        beneficiary_tax_code: of("beneficiary_tax_code").unwrap_or_default(),
        year: parsed("year", |text| text.parse().ok())?,
        until: NaiveDate::parse_from_str(&until, "%Y-%m-%d").map_err(|_| wrong("until", &until))?,
        complete: match complete.as_str() {
            "true" => true,
            "false" => false,
            other => return Err(wrong("complete", other)),
        },
        station: of("station").unwrap_or_default(),
        factor_set: FactorSetId::new(&header_id("factor_set")?)
            .map_err(|e| ReadError::file(e.to_string()))?,
        factor_source: of("factor_source").unwrap_or_default(),
        reference: reference(cells)?,
        inputs_digest: of("inputs_digest")?,
        catalog_digest: of("catalog_digest")?,
        rules: of("rules")?,
    })
}

fn row(cells: &Cells) -> Result<MonthRow, String> {
    let unit = text(cells, "unit")?;
    let month = Month {
        year: i32::try_from(integer(cells, "year")?).map_err(|_| bad(cells, "year"))?,
        number: u32::try_from(integer(cells, "month")?)
            .ok()
            .filter(|m| (1..=12).contains(m))
            .ok_or_else(|| bad(cells, "month"))?,
    };
    let percentage = |name| match number(cells, name)? {
        Some(value) if !(0.0..=100.0).contains(&value) => Err(bad(cells, name)),
        found => Ok(found),
    };
    Ok(MonthRow {
        building: id(cells, "building", BuildingId::new)?,
        building_name: optional(cells, "building_name").unwrap_or_default(),
        istat_code: optional(cells, "istat_code").unwrap_or_default(),
        ape_code: optional(cells, "ape_code"),
        usage_profile: optional(cells, "usage_profile"),
        open_days: number(cells, "open_days")?,
        open_hours: number(cells, "open_hours")?,
        month,
        carrier: coded(cells, "carrier", Carrier::parse)?,
        meter: id(cells, "meter", MeterId::new)?,
        supply_point: optional(cells, "supply_point"),
        direction: coded(cells, "direction", Direction::parse)?,
        role: coded(cells, "role", MeterRole::parse)?,
        unit: UNITS
            .iter()
            .map(|u| u.display().symbol())
            .find(|s| *s == unit)
            .ok_or_else(|| bad(cells, "unit"))?,
        source: coded(cells, "source", source)?,
        measured: number(cells, "measured")?,
        measured_low: number(cells, "measured_low")?,
        measured_high: number(cells, "measured_high")?,
        coverage_percent: percentage("coverage_percent")?.ok_or_else(|| bad(cells, "coverage_percent"))?,
        estimated_percent: percentage("estimated_percent")?,
        self_consumed: number(cells, "self_consumed")?,
        self_consumed_low: number(cells, "self_consumed_low")?,
        self_consumed_high: number(cells, "self_consumed_high")?,
        energy_kwh: number(cells, "energy_kwh")?,
        primary_nonrenewable_kwh: number(cells, "primary_nonrenewable_kwh")?,
        primary_total_kwh: number(cells, "primary_total_kwh")?,
        co2_kg: number(cells, "co2_kg")?,
        heating_degree_days: number(cells, "heating_degree_days")?,
        degree_day_base_c: number(cells, "degree_day_base_c")?,
        reference_degree_days: number(cells, "reference_degree_days")?,
        adjusted_baseline: number(cells, "adjusted_baseline")?,
        adjustment: number(cells, "adjustment")?,
        avoided: number(cells, "avoided")?,
        findings: optional(cells, "findings")
            .map(|codes| codes.split_whitespace().map(|code| Cow::Owned(code.to_owned())).collect())
            .unwrap_or_default(),
        note: optional(cells, "note"),
    })
}

fn source(code: &str) -> Option<MonthSource> {
    SOURCES.into_iter().find(|s| source_code(*s) == code)
}

/// What stands in a column, as a sentence for whoever made the file.
fn bad(cells: &Cells, name: &'static str) -> String {
    let of_kpis = KPI_COLUMNS.iter().map(|c| (c.name, c.head));
    let mut heads = COLUMNS.iter().map(|c| (c.name, c.head)).chain(of_kpis);
    let head = heads.find(|(own, _)| *own == name).map_or(name, |(_, head)| head);
    match cells.get(name).and_then(Cell::plain) {
        Some(value) => format!("{head} ({name}) is {value:?}, which is none of its values"),
        None => format!("{head} ({name}) is empty"),
    }
}

fn optional(cells: &Cells, name: &'static str) -> Option<String> {
    cells.get(name).and_then(Cell::plain)
}

fn text(cells: &Cells, name: &'static str) -> Result<String, String> {
    optional(cells, name).ok_or_else(|| bad(cells, name))
}

fn id<T>(cells: &Cells, name: &'static str, new: fn(&str) -> Result<T, model::IdError>) -> Result<T, String> {
    new(&text(cells, name)?).map_err(|error| format!("{name}: {error}"))
}

fn coded<T>(cells: &Cells, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    parse(&text(cells, name)?).ok_or_else(|| bad(cells, name))
}

fn integer(cells: &Cells, name: &'static str) -> Result<i64, String> {
    match cells.get(name) {
        Some(Cell::Integer(value)) => Ok(*value),
        Some(Cell::Number(value)) if value.fract() == 0.0 && value.abs() < 1e9 => Ok(*value as i64),
        Some(Cell::Text(text)) => text.parse().map_err(|_| bad(cells, name)),
        Some(Cell::Number(_) | Cell::Empty) | None => Err(bad(cells, name)),
    }
}

/// A finite number; exponents, which no form of the file has, are refused with everything else that is none.
fn number(cells: &Cells, name: &'static str) -> Result<Option<f64>, String> {
    let value = match cells.get(name) {
        None | Some(Cell::Empty) => return Ok(None),
        Some(Cell::Number(value)) => *value,
        #[expect(clippy::cast_precision_loss, reason = "a spreadsheet's whole numbers are doubles already")]
        Some(Cell::Integer(value)) => *value as f64,
        Some(Cell::Text(text)) if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.')) => {
            text.parse().map_err(|_| bad(cells, name))?
        }
        Some(Cell::Text(_)) => return Err(bad(cells, name)),
    };
    if value.is_finite() { Ok(Some(value)) } else { Err(bad(cells, name)) }
}
