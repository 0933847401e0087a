//! The *file strutturato* of monthly measurements as XLSX, CSV and JSON, all from one row model.
//!
//! Must never: write a missing value as zero, round again, or let the three files disagree.

mod columns;
mod csv_file;
mod json_file;
mod xlsx_file;

pub use self::csv_file::csv;
pub use self::json_file::json;
pub use self::xlsx_file::xlsx;

/// The published JSON Schema (draft 2020-12) of [`json`]'s output.
pub const SCHEMA_JSON: &str = include_str!("../../../docs/schema/structured-file-1.schema.json");

/// The media types of the three files.
pub const MIME_XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
pub const MIME_CSV: &str = "text/csv";
pub const MIME_JSON: &str = "application/json";
