//! Importers of files people bring: bills, daily temperatures. Pure functions on bytes, with limits.
//!
//! Must never: guess. A cell that does not say plainly what it means is refused with its line and column.

pub mod analysis;
pub mod ape;
pub mod arera;
pub mod bills;
mod cells;
pub mod closed_projects;
pub mod document;
pub mod drivers;
pub mod load_curve;
pub mod mapped;
mod quarters;
mod sheet;
pub mod temperatures;
mod text;
mod told;
mod workbook;

use std::collections::BTreeSet;
use std::fmt;

use chrono::NaiveDate;
use model::{Finding, Instant, Severity};

pub use ape::read_ape;
pub use arera::{read_arera_electricity, read_arera_gas};
pub use bills::read_bills;
pub use load_curve::read_load_curve;
pub use mapped::{Mapping, read_mapped, read_mapping};
pub use temperatures::read_temperatures;
pub use workbook::UNPACKED_BYTES_MAX;

/// Largest file in bytes.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most rows after the header.
pub const ROWS_MAX: usize = 200_000;
/// Most columns; a day of 100 quarter-hours of active and of reactive energy has some 210.
pub const COLUMNS_MAX: usize = 256;
/// Longest cell in bytes; a longer one is as a rule a quote that is never closed.
pub const CELL_BYTES_MAX: usize = 200;
/// Most refused rows or cells; a file with more is of another kind than it is taken for.
pub const REFUSED_MAX: usize = 10_000;

/// Most values of one file; twenty meters' quarter-hours of three years.
pub const VALUES_MAX: usize = 2_000_000;

/// Energy or volume of an interval as a file states it, in the smallest unit of its quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatedInterval {
    pub from: Instant,
    pub to: Instant,
    pub amount: i64,
    /// When the file's writer received the value, where it says so.
    pub received: Option<NaiveDate>,
}

/// A register's total as a file states it, in the smallest unit of its quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatedTotal {
    pub at: Instant,
    pub total: i64,
    /// As for [`StatedInterval::received`].
    pub received: Option<NaiveDate>,
}

/// One or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stated {
    Interval(StatedInterval),
    Total(StatedTotal),
}

/// What became of a file. Whether a file with refused rows is taken in part or not at all is the caller's
/// choice.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportReport<T> {
    /// Rows after the header, blank ones not counted.
    pub rows: usize,
    /// Rows, or what they hold where a row holds several values.
    pub read: usize,
    /// In order of the file, each once.
    pub accepted: Vec<T>,
    /// Rows that say again what another row says, or that another row of the file sets right.
    pub repeated: usize,
    /// In order of the file.
    pub refused: Vec<Refused>,
    pub findings: Vec<Finding>,
}

impl<T> ImportReport<T> {
    /// Rows of which something was refused: of a row with many values each cell may be.
    #[must_use]
    pub fn refused_rows(&self) -> usize {
        let lines: BTreeSet<u64> = self.refused.iter().map(|refused| refused.line).collect();
        lines.len()
    }
}

/// A value with the line of the file it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnLine<T> {
    pub line: u64,
    pub value: T,
}

/// What is said of rows that say again what another says; nothing where there are none.
fn repeated_rows(repeated: usize) -> Option<Finding> {
    (0 < repeated).then(|| {
        let says = format!("{repeated} rows repeat an earlier row and count once");
        Finding::new("import.repeated", Severity::Note, "file", says, "importing twice changes nothing")
            .with("rows", repeated)
    })
}

/// One row that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Line of the file, from 1.
    pub line: u64,
    /// Name of the column as the header has it; empty when the row as a whole is meant.
    pub column: String,
    /// The cell, cut to 60 characters.
    pub value: String,
    /// What is wrong and what to do about it.
    pub reason: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.column.is_empty() {
            write!(f, ", column `{}`, {:?}", self.column, self.value)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Why a file cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error(
        "the file has {bytes} bytes, the most is {FILE_BYTES_MAX}; split it by year, or by meter where it has several"
    )]
    TooLarge { bytes: usize },
    #[error("line {line} is no text; save the file as \"CSV UTF-8\"")]
    NotText { line: u64 },
    #[error("the file is empty; its first line must name the columns {wanted}")]
    Empty { wanted: String },
    #[error("the header has no column for {column}; name one of its columns {accepted}")]
    ColumnMissing { column: &'static str, accepted: String },
    #[error("the header names {column} twice, as `{first}` and as `{second}`; keep one of them")]
    ColumnTwice { column: &'static str, first: String, second: String },
    #[error("the header has {columns} columns, the most is {COLUMNS_MAX}; is it a CSV file with `;` or `,`?")]
    TooWide { columns: usize },
    #[error("the file has more than {ROWS_MAX} rows; split it by year, or by meter where it has several")]
    TooManyRows,
    #[error(
        "more than {REFUSED_MAX} rows or cells cannot be read, the first on {first}; is it another kind of file?"
    )]
    TooManyRefused { first: String },
    #[error("the workbook cannot be read: {why}; open and save it again, or save the sheet as CSV")]
    Workbook { why: String },
    #[error("the header is not that of {format}: {why}")]
    Header { format: &'static str, why: String },
    #[error("line {line}: {why}")]
    Xml { line: u64, why: String },
    #[error("line {line}, column `{column}`: {why}")]
    Column { line: u64, column: String, why: String },
    #[error("{0}")]
    Mapping(String),
}
