//! Structured files of version 1, kept as they were sent: read in all their forms, by the columns that they had.
//!
//! Must never: take an expected figure from the program under test; the case's README says where the months are from.

use std::path::{Path, PathBuf};

use analytics::report::structured::MonthRow;
use analytics::result::MonthSource;
use dashboards::structured::{Form, ReadFile, SCHEMA_JSON_1, json, read};

const FORMS: [(Form, &str); 5] = [
    (Form::Xlsx, "misure-mensili-2024.xlsx"),
    (Form::Csv, "misure-mensili-2024.csv"),
    (Form::CsvPlain, "misure-mensili-2024-plain.csv"),
    (Form::Xml, "misure-mensili-2024.xml"),
    (Form::Json, "misure-mensili-2024.json"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/structured-file-1")
}

fn kept(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).expect("the case has its file")
}

fn text(name: &str) -> String {
    String::from_utf8(kept(name)).expect("text")
}

fn one<'f>(file: &'f ReadFile, meter: &str, month: u32) -> &'f MonthRow {
    let found = file.rows.iter().find(|row| row.meter.as_str() == meter && row.month.number == month);
    found.expect("a row")
}

#[test]
fn every_form_of_version_1_holds_the_same_rows() {
    let first = read(&kept(FORMS[0].1)).expect("a workbook").rows;
    assert_eq!(first.len(), 24);
    for (form, name) in FORMS {
        let file = read(&kept(name)).unwrap_or_else(|e| panic!("{form:?}: {e}"));
        assert_eq!((file.form, file.version), (form, 1));
        assert_eq!(file.rows, first, "{form:?}");
        assert!(file.kpis.is_empty(), "{form:?}");
        assert_eq!((file.project.as_str(), file.cup.as_str()), ("curva", "C11G06000000001"));
        let header = file.header.as_ref().map(|header| (header.title.as_str(), header.reference.clone()));
        let tables = matches!(form, Form::Csv | Form::CsvPlain);
        assert_eq!(header, (!tables).then_some(("Curva di carico; caso di prova & <1>", None)), "{form:?}");

        let light = one(&file, "luce", 9);
        assert_eq!((light.source, light.measured), (MonthSource::Meter, Some(269.281)));
        assert_eq!(light.building_name, "=Edificio \"A\"; ala est");
        let gas = one(&file, "gas", 9);
        assert_eq!(
            (gas.source, gas.measured, gas.measured_high),
            (MonthSource::Bills, Some(41.537), Some(41.537))
        );
        let missing = one(&file, "luce", 10);
        assert_eq!((missing.source, missing.measured), (MonthSource::Missing, None));
        // What the version had not is not known, and not zero.
        for row in &file.rows {
            let later = [
                row.self_consumed,
                row.self_consumed_low,
                row.self_consumed_high,
                row.primary_total_kwh,
                row.reference_degree_days,
                row.adjustment,
            ];
            assert_eq!(later, [None; 6], "{form:?} {}", row.month);
            assert_eq!((&row.usage_profile, &row.note), (&None, &None), "{form:?}");
        }
    }
}

/// Written again it is of the version of today, with the same rows.
#[test]
fn a_former_file_becomes_one_of_today() {
    let former = read(&kept("misure-mensili-2024.json")).expect("a file").file().expect("a header");
    let today = read(&json(&former).expect("a file")).expect("a file");
    assert_eq!(today.version, 2);
    assert_eq!(today.file(), Some(former));
}

#[test]
fn the_kept_json_obeys_the_schema_of_its_version() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA_JSON_1).expect("the schema is JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("the schema is a schema");
    let value = serde_json::from_slice(&kept("misure-mensili-2024.json")).expect("JSON");
    let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_file_of_version_1_is_held_to_the_columns_of_version_1() {
    let (plain, tags) = (text("misure-mensili-2024-plain.csv"), text("misure-mensili-2024.xml"));
    let object = text("misure-mensili-2024.json");
    let cases = [
        (
            "a column of version 2",
            plain.replacen(",findings", ",note", 1),
            "the column \"note\" is none of a structured file of version 1",
        ),
        (
            "a column less",
            plain.replacen(",findings\r\n", "\r\n", 1),
            "the column \"rilievi\" (findings) is missing; a file of version 1 has it",
        ),
        (
            "an element of version 2",
            tags.replacen("<verso>", "<note>x</note><verso>", 1),
            "the element \"note\" is unknown in a file of version 1",
        ),
        (
            "indicators",
            tags.replacen("<misura>", "<indicatore></indicatore><misura>", 1),
            "the element \"indicatore\" does not belong here",
        ),
        (
            "version 2 in the namespace of 1",
            tags.replacen("versione=\"1\"", "versione=\"2\"", 1),
            "its version or namespace is missing, or they do not agree",
        ),
        (
            "version 1 called 2",
            object.replacen("\"schema_version\": 1", "\"schema_version\": 2", 1),
            "the key \"reference\" is missing; a file of version 2 has it",
        ),
        (
            "no version",
            object.replacen("\"schema_version\": 1", "\"schema_version\": null", 1),
            "the file does not say which version of the columns it has",
        ),
        (
            "a key less",
            object.replacen("\"measured\":", "\"Measured\":", 1),
            "measurement 1: the key \"measured\" is missing; a file of version 1 has it",
        ),
    ];
    for (what, text, says) in cases {
        let error = read(text.as_bytes()).expect_err(what).to_string();
        assert!(error.contains(says), "{what}: {error}");
    }
}
