//! The *file strutturato* of monthly measurements as XLSX, CSV, XML and JSON, all from one row model, and read back.
//!
//! Must never: write a missing value as zero, round again, or let two files disagree.

mod columns;
mod csv_file;
mod json_file;
mod read;
mod xlsx_file;
mod xml_file;

use analytics::text::Texts;
use model::BaseUnit;

use self::columns::{COLUMNS, Kind};

pub use self::csv_file::{csv, csv_plain};
pub use self::json_file::json;
pub use self::read::{Form, ReadError, ReadFile, read};
pub use self::xlsx_file::xlsx;
pub use self::xml_file::{xml, xsd};

/// The published JSON Schema (draft 2020-12) of [`json`]'s output.
pub const SCHEMA_JSON: &str = include_str!("../../../docs/schema/structured-file-1.schema.json");
/// The published XML Schema (1.0) of [`xml`]'s output; [`xsd`] makes it.
pub const SCHEMA_XSD: &str = include_str!("../../../docs/schema/structured-file-1.xsd");

/// Of the XML.
pub(crate) const NAMESPACE: &str = "urn:consuntivo:structured-file:1";

/// The media types of the files.
pub const MIME_XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
pub const MIME_CSV: &str = "text/csv";
pub const MIME_JSON: &str = "application/json";
pub const MIME_XML: &str = "application/xml";

/// What quantities are counted in; the files hold a thousand of each (kWh, Smc, kg).
const UNITS: [BaseUnit; 3] = [BaseUnit::WattHour, BaseUnit::Litre, BaseUnit::Gram];

/// What each column means, in file order: its head, its English name, its type and its meaning.
#[must_use]
pub fn legend(texts: &Texts) -> Vec<[String; 4]> {
    let text = |name: &str| texts.get(&format!("report.structured.{name}")).to_owned();
    let line = |column: &columns::Column| {
        let kind = match column.kind {
            Kind::Text => "type_text",
            Kind::Integer => "type_integer",
            Kind::Number => "type_number",
        };
        let meaning = text(&format!("meaning.{}", column.name));
        [column.head.to_owned(), column.name.to_owned(), text(kind), meaning]
    };
    COLUMNS.iter().map(line).collect()
}
