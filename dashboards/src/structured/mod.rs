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

use self::columns::{COLUMNS, Defined, KPI_COLUMNS, Kind};

pub use self::csv_file::{csv, csv_plain};
pub use self::json_file::json;
pub use self::read::{Form, ReadError, ReadFile, read};
pub use self::xlsx_file::xlsx;
pub use self::xml_file::{xml, xsd};

/// The published JSON Schema (draft 2020-12) of [`json`]'s output.
pub const SCHEMA_JSON: &str = include_str!("../../../docs/schema/structured-file-2.schema.json");
/// The published XML Schema (1.0) of [`xml`]'s output; [`xsd`] makes it.
pub const SCHEMA_XSD: &str = include_str!("../../../docs/schema/structured-file-2.xsd");
/// The schemas of the former version, whose files are still read.
pub const SCHEMA_JSON_1: &str = include_str!("../../../docs/schema/structured-file-1.schema.json");
pub const SCHEMA_XSD_1: &str = include_str!("../../../docs/schema/structured-file-1.xsd");

/// Of the XML, before the version's number.
const NAMESPACE: &str = "urn:consuntivo:structured-file:";

/// The media types of the files.
pub const MIME_XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
pub const MIME_CSV: &str = "text/csv";
pub const MIME_JSON: &str = "application/json";
pub const MIME_XML: &str = "application/xml";

/// What quantities are counted in; the files hold a thousand of each (kWh, Smc, kg).
const UNITS: [BaseUnit; 3] = [BaseUnit::WattHour, BaseUnit::Litre, BaseUnit::Gram];

/// What each column of the measurements means, in file order: its head, its English name, its type, its meaning
/// and the first version that has it.
#[must_use]
pub fn legend(texts: &Texts) -> Vec<[String; 5]> {
    explained(COLUMNS, "meaning", texts)
}

/// What each column of the indicators means, likewise.
#[must_use]
pub fn kpi_legend(texts: &Texts) -> Vec<[String; 5]> {
    explained(KPI_COLUMNS, "kpi_meaning", texts)
}

fn explained<V>(columns: &[Defined<V>], group: &str, texts: &Texts) -> Vec<[String; 5]> {
    let text = |name: &str| texts.get(&format!("report.structured.{name}")).to_owned();
    let line = |column: &Defined<V>| {
        let kind = match column.kind {
            Kind::Text => "type_text",
            Kind::Integer => "type_integer",
            Kind::Number => "type_number",
        };
        let meaning = text(&format!("{group}.{}", column.name));
        [column.head.to_owned(), column.name.to_owned(), text(kind), meaning, column.since.to_string()]
    };
    columns.iter().map(line).collect()
}
