//! The structured file in all its forms: validated by programs that this project did not write (xmllint, LibreOffice),
//! and read back to the very same rows.
//!
//! Must never: pass by itself when a tool is missing; `libxml2-utils` and `libreoffice-calc-nogui` are needed.

mod report_fixture;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use analytics::report::structured::{StructuredFile, structured};
use analytics::result::ProjectYear;
use dashboards::structured::{Form, SCHEMA_XSD, csv, csv_plain, json, legend, read, xlsx, xml, xsd};
use report_fixture::{provisional, texts, year};

const PAGE_HEAD: &str = "\
# The structured monthly file

Monthly measurements of one project and one calendar year: twelve rows for each meter. No act lays down a form for this
file; the columns are this project's proposal, made of the words of the calls. `consuntivo report` writes it in five forms,
all from the same rows:

| file | for |
| --- | --- |
| `misure-mensili-YYYY.xlsx` | people: typed cells, a sheet about the project, a legend |
| `misure-mensili-YYYY.csv` | the office's spreadsheet: UTF-8 with byte order mark, semicolon, decimal comma, Italian heads |
| `misure-mensili-YYYY-plain.csv` | programs: RFC 4180, comma, decimal point, English heads |
| `misure-mensili-YYYY.xml` | exchange: [XML Schema](schema/structured-file-1.xsd), elements named like the Italian heads |
| `misure-mensili-YYYY.json` | programs: [JSON Schema](schema/structured-file-1.schema.json) |

What is missing is an empty cell, an absent element or `null`, never zero. Quantities have at most three decimals: the
smallest unit that totals are counted in (Wh, litre, gram). In the office's CSV a text that begins like a formula, or with
an apostrophe, has an apostrophe before it. The version is 1; a changed meaning or a removed column would be another number.

`consuntivo import structured FILE` reads any of the five back: a month from bills whose bounds are one value becomes a read
period of its supply point, to the last digit; any other month keeps its bounds, its coverage and its estimated part. A file
with an unknown column, a column less, another version, two projects or a number that is none is refused. So is, by its line,
a row with an amount below zero, with bounds that do not hold its amount, or of a meter's month that the file has twice.

| head | name | type | meaning | significato |
| --- | --- | --- | --- | --- |
";

type Write = fn(&StructuredFile) -> Vec<u8>;

const FORMS: [(Form, Write); 5] = [
    (Form::Xlsx, |file| xlsx(file, &texts("it")).expect("a workbook")),
    (Form::Csv, |file| csv(file).expect("a file")),
    (Form::CsvPlain, |file| csv_plain(file).expect("a file")),
    (Form::Xml, xml),
    (Form::Json, |file| json(file).expect("a file")),
];

/// A year whose names are as unfriendly as names can be.
fn hostile() -> ProjectYear {
    let mut year = year();
    let mut project = (*year.project).clone();
    project.title = "=1+1 & <b>\"due\"</b> 'tre';\n\u{2028}fine ]]> &amp; è€😀".to_owned();
    project.buildings[0].name = "'=SOMMA(A1:A9); \"via\", n. 3\r\n<piano> -2 @".to_owned();
    year.project = Arc::new(project);
    year
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|e| panic!("{program} could not be started ({e}); tests/setup.sh installs it"));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn every_form_reads_back_to_the_same_rows() {
    for (of, year) in
        [("a year", year()), ("a provisional year", provisional()), ("hostile names", hostile())]
    {
        let file = structured(&year);
        for (form, write) in FORMS {
            let back = read(&write(&file)).unwrap_or_else(|e| panic!("{of} as {form:?}: {e}"));
            assert_eq!(back.form, form);
            assert_eq!(back.rows, file.rows, "{of} as {form:?}");
            assert_eq!(back.lines.len(), back.rows.len(), "{of} as {form:?}");
            assert_eq!((&back.project, &back.cup), (&file.header.project, &file.header.cup));
            if let Some(whole) = back.file() {
                assert_eq!(whole, file, "{of} as {form:?}");
            }
        }
        // The heads of the workbook's other sheets follow the reader's language; what is read does not.
        assert_eq!(read(&xlsx(&file, &texts("en")).expect("a workbook")).expect("read").file(), Some(file));
    }
}

/// A refusal names the line that a person finds in an editor, or the row of the sheet.
#[test]
fn every_row_knows_where_it_stands() {
    let file = structured(&hostile());
    for (form, write) in FORMS {
        let bytes = write(&file);
        let lines = read(&bytes).expect("a file").lines;
        if form == Form::Xlsx {
            assert_eq!(lines, (2..).take(file.rows.len()).collect::<Vec<u64>>());
            continue;
        }
        let text = String::from_utf8(bytes).expect("text");
        let all: Vec<&str> = text.split('\n').collect();
        assert!(lines.windows(2).all(|two| two[0] < two[1]), "{form:?}: {lines:?}");
        for (line, row) in lines.iter().zip(&file.rows) {
            let begins = all[usize::try_from(*line).expect("a line") - 1];
            match form {
                Form::Xml => assert_eq!(begins.trim(), "<misura>"),
                Form::Json => assert_eq!(begins.trim(), "{"),
                // The first column is the CUP.
                Form::Csv | Form::CsvPlain => {
                    assert!(begins.starts_with(&file.header.cup), "{line} {begins:?} {}", row.month);
                }
                Form::Xlsx => {}
            }
        }
    }
}

#[test]
fn the_published_xml_schema_is_that_of_the_columns() {
    let made = xsd(&texts("it"));
    if std::env::var_os("CONSUNTIVO_BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/structured-file-1.xsd");
        std::fs::write(path, &made).expect("the schema can be written");
        return;
    }
    assert_eq!(
        made, SCHEMA_XSD,
        "write it anew with CONSUNTIVO_BLESS=1, if the columns were meant to change"
    );
}

/// The page that tells whoever receives the file what its columns are.
#[test]
fn the_page_of_the_columns_is_that_of_the_program() {
    let mut page = String::from(PAGE_HEAD);
    for [head, name, kind, meaning] in legend(&texts("en")) {
        let [_, _, _, italian] =
            legend(&texts("it")).into_iter().find(|l| l[1] == name).expect("the same columns");
        page.push_str(&format!("| `{head}` | `{name}` | {kind} | {meaning} | {italian} |\n"));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/structured-file.md");
    if std::env::var_os("CONSUNTIVO_BLESS").is_some() {
        std::fs::write(path, &page).expect("the page can be written");
        return;
    }
    let published = std::fs::read_to_string(path).expect("the page is there");
    assert_eq!(published, page, "write it anew with CONSUNTIVO_BLESS=1");
}

#[test]
fn xmllint_accepts_the_xml_and_refuses_a_wrong_one() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("s.xsd"), SCHEMA_XSD).expect("written");
    let check = |bytes: &[u8]| {
        std::fs::write(folder.path().join("f.xml"), bytes).expect("written");
        run("xmllint", &["--noout", "--nonet", "--schema", "s.xsd", "f.xml"], folder.path())
    };
    for year in [year(), provisional(), hostile()] {
        let (valid, said) = check(&xml(&structured(&year)));
        assert!(valid && said.contains("validates"), "{said}");
    }
    let good = String::from_utf8(xml(&structured(&year()))).expect("UTF-8");
    for (what, from, to) in [
        ("an unknown carrier", "<vettore>natural_gas<", "<vettore>gas<"),
        ("a number with a comma", "<quantita_misurata>465.725<", "<quantita_misurata>465,725<"),
        ("a thirteenth month", "<mese>12<", "<mese>13<"),
        ("another version", "versione=\"1\"", "versione=\"2\""),
        ("more than everything", "<copertura_percento>100<", "<copertura_percento>100.01<"),
        ("a missing unit", "<unita_misura>Smc</unita_misura>", ""),
        ("an unknown element", "<edificio>", "<palazzo/><edificio>"),
    ] {
        let wrong = good.replacen(from, to, 1);
        assert_ne!(wrong, good, "{what} is not in the file");
        assert!(!check(wrong.as_bytes()).0, "xmllint accepted {what}");
        if what != "an unknown element" {
            assert!(read(wrong.as_bytes()).is_err(), "{what} was read");
        }
    }
}

#[test]
fn libre_office_opens_the_workbook_and_sees_the_same_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = structured(&year());
    std::fs::write(folder.path().join("m.xlsx"), xlsx(&file, &texts("it")).expect("a workbook"))
        .expect("written");
    let profile = format!("-env:UserInstallation=file://{}/profile", folder.path().display());
    // Semicolon, quote, UTF-8, from the first line.
    let filter = "csv:Text - txt - csv (StarCalc):59,34,76,1";
    let (done, said) =
        run("soffice", &[&profile, "--headless", "--convert-to", filter, "m.xlsx"], folder.path());
    let text =
        std::fs::read_to_string(folder.path().join("m.csv")).unwrap_or_else(|e| panic!("{e}: {done} {said}"));
    let mut reader = ::csv::ReaderBuilder::new().delimiter(b';').from_reader(text.as_bytes());
    let heads = reader.headers().expect("heads").clone();
    let at = |name: &str| heads.iter().position(|h| h == name).expect("a column");
    let rows: Vec<::csv::StringRecord> = reader.records().map(|r| r.expect("a row")).collect();
    assert_eq!(rows.len(), file.rows.len());
    for (seen, row) in rows.iter().zip(&file.rows) {
        assert_eq!(seen[at("contatore")], *row.meter.as_str());
        assert_eq!(seen[at("pod_pdr")], *row.supply_point.as_deref().unwrap_or_default());
        let number = |name: &str| match &seen[at(name)] {
            "" => None,
            // As shown in the office suite's own locale: commas between thousands.
            text => Some(text.replace(',', "").parse::<f64>().unwrap_or_else(|_| panic!("{name}: {text:?}"))),
        };
        assert_eq!(number("quantita_misurata"), row.measured);
        assert_eq!(number("risparmio"), row.avoided);
        assert_eq!(number("copertura_percento"), Some(row.coverage_percent));
    }
}

#[test]
fn what_is_no_structured_file_is_refused_with_its_row() {
    let file = structured(&year());
    let office = String::from_utf8(csv(&file).expect("a file")).expect("UTF-8");
    let plain = String::from_utf8(csv_plain(&file).expect("a file")).expect("UTF-8");
    let text = String::from_utf8(json(&file).expect("a file")).expect("UTF-8");
    let cases: [(&str, Vec<u8>, &str); 12] = [
        ("nothing", Vec::new(), "the file is empty"),
        ("no text", vec![0xff, 0xfe, 0x00], "no UTF-8 text from byte 0 on"),
        ("another workbook", b"PK\x03\x04 and no more".to_vec(), "the workbook cannot be read"),
        ("another table", b"a,b\n1,2\n".to_vec(), "the column \"a\" is none of a structured file"),
        (
            "a column less",
            plain.replacen(",findings\r\n", "\r\n", 1).into_bytes(),
            "the column \"rilievi\" (findings) is missing",
        ),
        (
            "a column twice",
            plain.replacen("cup,project", "cup,cup", 1).into_bytes(),
            "the column \"cup\" stands twice",
        ),
        (
            "another version",
            text.replacen("\"schema_version\": 1", "\"schema_version\": 2", 1).into_bytes(),
            "version 2",
        ),
        (
            "a point as decimal sign",
            office.replacen("465,725", "465.725", 1).into_bytes(),
            "measurement 1: quantita_misurata",
        ),
        (
            "thousands",
            office.replacen("465,725", "1.465,725", 1).into_bytes(),
            "measurement 1: quantita_misurata",
        ),
        ("an exponent", plain.replacen("465.725", "4e2", 1).into_bytes(), "measurement 1: quantita_misurata"),
        ("no number", plain.replacen("465.725", "NaN", 1).into_bytes(), "measurement 1: quantita_misurata"),
        (
            "an entity",
            b"<!DOCTYPE a [<!ENTITY b \"c\">]><misure_mensili/>".to_vec(),
            "it has a document type",
        ),
    ];
    for (what, bytes, says) in cases {
        let error = read(&bytes).expect_err(what).to_string();
        assert!(error.contains(says), "{what}: {error}");
    }
    let mut mixed = file.clone();
    let mut other = mixed.header.clone();
    other.project = model::ProjectId::new("another").expect("an id");
    mixed.header = other;
    let second = String::from_utf8(csv_plain(&mixed).expect("a file")).expect("UTF-8");
    let both = format!("{plain}{}", second.split_once("\r\n").expect("heads").1);
    let error = read(both.as_bytes()).expect_err("two projects").to_string();
    assert!(error.contains("measurement 73: it is of another project"), "{error}");
}
