//! Importers of files people bring: bills, daily temperatures. Pure functions on bytes, with limits.
//!
//! Must never: guess. A cell that does not say plainly what it means is refused with its line and column.

pub mod bills;
mod cells;
mod sheet;
pub mod temperatures;

use std::fmt;

use model::Finding;

pub use bills::read_bills;
pub use temperatures::read_temperatures;

/// Largest file in bytes.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most rows after the header.
pub const ROWS_MAX: usize = 200_000;
/// Most columns.
pub const COLUMNS_MAX: usize = 64;
/// Longest cell in bytes; a longer one is as a rule a quote that is never closed.
pub const CELL_BYTES_MAX: usize = 200;

/// What became of a file. Whether a file with refused rows is taken in part or not at all is the caller's
/// choice.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportReport<T> {
    /// Rows after the header, blank ones not counted.
    pub read: usize,
    /// In order of the file, each once.
    pub accepted: Vec<T>,
    /// Rows that say again what an earlier row says.
    pub repeated: usize,
    /// In order of the file.
    pub refused: Vec<Refused>,
    pub findings: Vec<Finding>,
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
    #[error("the file has {bytes} bytes, the most is {FILE_BYTES_MAX}; split it by year")]
    TooLarge { bytes: usize },
    #[error("line {line} is not UTF-8 text; save the file as \"CSV UTF-8\"")]
    NotText { line: u64 },
    #[error("the file is empty; its first line must name the columns {wanted}")]
    Empty { wanted: String },
    #[error("the header has no column for {column}; name one of its columns {accepted}")]
    ColumnMissing { column: &'static str, accepted: String },
    #[error("the header names {column} twice, as `{first}` and as `{second}`; keep one of them")]
    ColumnTwice { column: &'static str, first: String, second: String },
    #[error("the header has {columns} columns, the most is {COLUMNS_MAX}; is it a CSV file with `;` or `,`?")]
    TooWide { columns: usize },
    #[error("the file has more than {ROWS_MAX} rows; split it by year")]
    TooManyRows,
}
