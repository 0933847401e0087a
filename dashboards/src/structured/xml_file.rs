//! The structured file as XML, in the form of `docs/schema/structured-file-2.xsd`, and that schema itself.
//!
//! Elements have the Italian names of the CSV's columns, in their order. What is missing is an absent element.
//!
//! Must never: write a character that XML 1.0 has no way to hold, or a schema that says other columns than the file has.

use analytics::report::structured::{SCHEMA_VERSION, StructuredFile, TargetRule};
use analytics::text::Texts;
use model::{Carrier, Direction, MeterRole, ReferenceYear};

use super::columns::{COLUMNS, Cell, FIELDS, KPI_COLUMNS, Kind, SOURCES, VERDICTS, source_code};
use super::{NAMESPACE, UNITS};

/// The file as XML, indented.
#[must_use]
pub fn xml(file: &StructuredFile) -> Vec<u8> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!(
        "<misure_mensili xmlns=\"{NAMESPACE}{SCHEMA_VERSION}\" versione=\"{SCHEMA_VERSION}\">\n"
    ));
    let header = &file.header;
    part(&mut out, "progetto", FIELDS.iter().map(|field| (field.head, (field.value)(header))));
    for kpi in &file.kpis {
        part(&mut out, "indicatore", KPI_COLUMNS.iter().map(|column| (column.head, (column.value)(kpi))));
    }
    for row in &file.rows {
        part(&mut out, "misura", COLUMNS.iter().map(|column| (column.head, (column.value)(header, row))));
    }
    out.push_str("</misure_mensili>\n");
    out.into_bytes()
}

/// An element with one element for each value that there is.
fn part(out: &mut String, name: &str, cells: impl Iterator<Item = (&'static str, Cell)>) {
    out.push_str(&format!("  <{name}>\n"));
    for (head, cell) in cells {
        if let Some(value) = cell.plain() {
            element(out, head, &value);
        }
    }
    out.push_str(&format!("  </{name}>\n"));
}

fn element(out: &mut String, name: &str, value: &str) {
    out.push_str(&format!("    <{name}>"));
    escape(out, value);
    out.push_str(&format!("</{name}>\n"));
}

/// Characters that XML 1.0 cannot hold become the replacement character; a carriage return, which a reader would turn
/// into a line feed, is written as a reference.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

/// The schema of [`xml`]'s output (XSD 1.0), with each column's meaning in Italian from `texts`.
#[must_use]
pub fn xsd(texts: &Texts) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns=\"{NAMESPACE}{SCHEMA_VERSION}\"\n    \
         targetNamespace=\"{NAMESPACE}{SCHEMA_VERSION}\" elementFormDefault=\"qualified\" version=\"{SCHEMA_VERSION}\">\n\
         \x20 <xs:element name=\"misure_mensili\">\n    <xs:complexType>\n      <xs:sequence>\n\
         \x20       <xs:element name=\"progetto\" type=\"progetto\"/>\n\
         \x20       <xs:element name=\"indicatore\" type=\"indicatore\" minOccurs=\"0\" maxOccurs=\"unbounded\"/>\n\
         \x20       <xs:element name=\"misura\" type=\"misura\" minOccurs=\"0\" maxOccurs=\"unbounded\"/>\n\
         \x20     </xs:sequence>\n      <xs:attribute name=\"versione\" type=\"xs:positiveInteger\" use=\"required\" fixed=\"{SCHEMA_VERSION}\"/>\n\
         \x20   </xs:complexType>\n  </xs:element>\n"
    );
    let meaning =
        |group: &str, name: &str| texts.get(&format!("report.structured.{group}.{name}")).to_owned();
    complex(&mut out, "progetto", |out| {
        for field in FIELDS {
            let always = !matches!(field.name, "reference" | "reference_years");
            declared(out, field.head, field_type(field.name), always, &meaning("project", field.name));
        }
    });
    complex(&mut out, "indicatore", |out| {
        for column in KPI_COLUMNS {
            let kind = kpi_type(column.name, column.kind);
            let always = matches!(column.name, "code" | "unit" | "rule" | "verdict");
            declared(out, column.head, kind, always, &meaning("kpi_meaning", column.name));
        }
    });
    complex(&mut out, "misura", |out| {
        for column in COLUMNS {
            let kind = column_type(column.head, column.name, column.kind);
            declared(out, column.head, kind, always(column.name), &meaning("meaning", column.name));
        }
    });
    for (name, codes) in codes() {
        out.push_str(&format!(
            "  <xs:simpleType name=\"{name}\">\n    <xs:restriction base=\"xs:string\">\n"
        ));
        for code in codes {
            out.push_str(&format!("      <xs:enumeration value=\"{code}\"/>\n"));
        }
        out.push_str("    </xs:restriction>\n  </xs:simpleType>\n");
    }
    out.push_str(&format!(
        "  <xs:simpleType name=\"versione\">\n    <xs:restriction base=\"xs:integer\">\n      <xs:enumeration \
         value=\"{SCHEMA_VERSION}\"/>\n    </xs:restriction>\n  </xs:simpleType>\n"
    ));
    out.push_str(
        "  <xs:simpleType name=\"percento\">\n    <xs:restriction base=\"xs:decimal\">\n      <xs:minInclusive value=\"0\"/>\n      \
         <xs:maxInclusive value=\"100\"/>\n    </xs:restriction>\n  </xs:simpleType>\n\
         \x20 <xs:simpleType name=\"mese\">\n    <xs:restriction base=\"xs:integer\">\n      <xs:minInclusive value=\"1\"/>\n      \
         <xs:maxInclusive value=\"12\"/>\n    </xs:restriction>\n  </xs:simpleType>\n\
         \x20 <xs:simpleType name=\"impronta\">\n    <xs:restriction base=\"xs:string\">\n      <xs:pattern value=\"[0-9a-f]{64}\"/>\n    \
         </xs:restriction>\n  </xs:simpleType>\n</xs:schema>\n",
    );
    out
}

/// A type of a sequence of elements.
fn complex(out: &mut String, name: &str, elements: impl Fn(&mut String)) {
    out.push_str(&format!("  <xs:complexType name=\"{name}\">\n    <xs:sequence>\n"));
    elements(out);
    out.push_str("    </xs:sequence>\n  </xs:complexType>\n");
}

fn declared(out: &mut String, name: &str, kind: &str, always: bool, meaning: &str) {
    let optional = if always { "" } else { " minOccurs=\"0\"" };
    out.push_str(&format!("      <xs:element name=\"{name}\" type=\"{kind}\"{optional}>\n"));
    out.push_str("        <xs:annotation><xs:documentation xml:lang=\"it\">");
    escape(out, meaning);
    out.push_str("</xs:documentation></xs:annotation>\n      </xs:element>\n");
}

fn field_type(name: &str) -> &'static str {
    match name {
        "year" => "xs:integer",
        "until" => "xs:date",
        "complete" => "xs:boolean",
        "reference" => "anno_di_riferimento",
        "inputs_digest" | "catalog_digest" => "impronta",
        _ => "xs:string",
    }
}

fn kpi_type(name: &str, kind: Kind) -> &'static str {
    match (name, kind) {
        ("rule", _) => "obiettivo",
        ("verdict", _) => "esito",
        (_, Kind::Number) => "xs:decimal",
        (_, Kind::Integer) => "xs:integer",
        (_, Kind::Text) => "xs:string",
    }
}

fn column_type(head: &'static str, name: &str, kind: Kind) -> &'static str {
    if codes().iter().any(|(coded, _)| *coded == head) {
        return head;
    }
    match (name, kind) {
        ("schema_version", _) => "versione",
        ("month", _) => "mese",
        ("coverage_percent" | "estimated_percent", _) => "percento",
        (_, Kind::Text) => "xs:string",
        (_, Kind::Integer) => "xs:integer",
        (_, Kind::Number) => "xs:decimal",
    }
}

/// Whether every row has the element.
fn always(name: &str) -> bool {
    matches!(
        name,
        "schema_version"
            | "project"
            | "building"
            | "year"
            | "month"
            | "carrier"
            | "meter"
            | "direction"
            | "role"
            | "unit"
            | "source"
            | "coverage_percent"
    )
}

/// Columns and fields that hold one of a few codes, by their heads.
fn codes() -> [(&'static str, Vec<&'static str>); 8] {
    [
        ("vettore", Carrier::ALL.iter().map(|c| c.code()).collect()),
        ("verso", Direction::ALL.iter().map(|d| d.code()).collect()),
        ("ruolo", MeterRole::ALL.iter().map(|r| r.code()).collect()),
        ("unita_misura", UNITS.iter().map(|u| u.display().symbol()).collect()),
        ("provenienza", SOURCES.iter().map(|s| source_code(*s)).collect()),
        ("obiettivo", TargetRule::ALL.iter().map(|r| r.code()).collect()),
        ("esito", VERDICTS.iter().map(|v| v.code()).collect()),
        (
            "anno_di_riferimento",
            [ReferenceYear::Typical, ReferenceYear::Legal].map(ReferenceYear::code).into(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_can_stand_in_the_file() {
        let mut out = String::new();
        escape(&mut out, "a<b>&\"c\"\r\n\u{0}\u{1f}è");
        assert_eq!(out, "a&lt;b&gt;&amp;\"c\"&#13;\n\u{fffd}\u{fffd}è");
    }
}
