//! The structured file in all its forms: validated by programs that this project did not write (xmllint, LibreOffice),
//! and read back to the very same rows.
//!
//! Must never: pass by itself when a tool is missing; `libxml2-utils` and `libreoffice-calc-nogui` are needed.

mod report_beside;
mod report_fixture;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use analytics::balance::{Balance, BalanceMonth, BalanceYear, Flow, Vector};
use analytics::report::beside::{Beside, StatedValue};
use analytics::report::structured::{StructuredFile, structured};
use analytics::result::ProjectYear;
use analytics::text::Texts;
use dashboards::structured::{
    Form, SCHEMA_JSON, SCHEMA_XSD, csv, csv_plain, json, kpi_legend, legend, read, xlsx, xml, xsd,
};
use model::{Adjustment, BuildingId, Instant, MeterId, Month};
use report_beside::{beside, record};
use report_fixture::{YEAR, day, provisional, texts, year};

const PAGE_HEAD: &str = "\
# The structured monthly file

Monthly measurements of one project and one calendar year: twelve rows for each meter. No act lays down a form for this
file; the columns are this project's proposal, made of the words of the calls. `consuntivo report` writes it in five forms,
all from the same rows:

| file | for |
| --- | --- |
| `misure-mensili-YYYY.xlsx` | people: typed cells, a sheet about the project, one of the indicators, a legend |
| `misure-mensili-YYYY.csv` | the office's spreadsheet: UTF-8 with byte order mark, semicolon, decimal comma, Italian heads |
| `misure-mensili-YYYY-plain.csv` | programs: RFC 4180, comma, decimal point, English heads |
| `misure-mensili-YYYY.xml` | exchange: [XML Schema](schema/structured-file-2.xsd), elements named like the Italian heads |
| `misure-mensili-YYYY.json` | programs: [JSON Schema](schema/structured-file-2.schema.json) |

What is missing is an empty cell, an absent element or `null`, never zero. Quantities have at most three decimals: the
smallest unit that totals are counted in (Wh, litre, gram); values of indicators have six. In the office's CSV a text that
begins like a formula, or with an apostrophe, has an apostrophe before it.

The version is 2, and stands in every row of the tables and once in XML and JSON; a new or removed column and a changed
meaning are another number. Version 1 ([XML Schema](schema/structured-file-1.xsd), [JSON
Schema](schema/structured-file-1.schema.json)) had no column of its version, none of the columns marked 2 below and no
indicators; its files are read for good, by the columns that they had.

What is known of the whole year alone is spread over no month. The values declared ex ante are such: they stand beside what
was achieved in the list of indicators of XLSX, XML and JSON, and not in the two CSV forms, whose rows are measurements that
get added up. Days and hours of use are those of the building's opening calendar, and empty where it states none or not every
day of the month; `profilo_utilizzo` gives the declared words as they are. The total primary energy is empty where the set of factors confirms only one of
the carrier's two factors, self-consumption where production, export and storage of the month are not all known or several
production meters share one building, whose parts nobody measures. The reference year is that of the annual report's section
on the weather.

`consuntivo import structured FILE` reads any of the five back: a month from bills whose bounds are one value becomes a read
period of its supply point, to the last digit; any other month keeps its bounds, its coverage and its estimated part. A file
with a column that its version has not, a column less, a version that is neither 1 nor 2, two versions, two projects or a
number that is none is refused. So is, by its line, a row with an amount below zero, with bounds that do not hold its amount,
or of a meter's month that the file has twice.

## Measurements

| head | name | type | since | meaning | significato |
| --- | --- | --- | --- | --- | --- |
";

const PAGE_KPIS: &str = "
## Indicators

| head | name | type | since | meaning | significato |
| --- | --- | --- | --- | --- | --- |
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

/// The year with everything that a row may say: a balance, an exchange and an adjustment of the boiler, a value that a
/// person states.
fn whole() -> (ProjectYear, Beside) {
    let (mut year, mut beside) = (year(), beside());
    let gas = &mut year.meters[0];
    gas.record = record();
    gas.record.adjustments = vec![Adjustment {
        number: 1,
        meter: MeterId::new("gas-1").expect("an id"),
        from: day(YEAR, 3, 1),
        to: day(YEAR, 4, 1),
        energy: 12.5,
        author: "B. Bianchi".to_owned(),
        reason: "aule <B>; aperte\r\n& \"riscaldate\" il sabato".to_owned(),
        recorded_at: Instant::from_seconds(0),
    }];
    gas.months[2].adjustment = 12.5;
    gas.months[2].adjusted_baseline = gas.months[2].adjusted_baseline.map(|b| b + 12.5);
    gas.months[2].avoided = gas.months[2].avoided.map(|a| a + 12.5);
    year.balances = vec![balance()];
    beside.stated = vec![StatedValue {
        code: "CO34".to_owned(),
        value: 4.123_456_7,
        reason: "calcolo del progettista".to_owned(),
        author: "B. Bianchi".to_owned(),
        date: day(2026, 3, 1),
    }];
    (year, beside)
}

/// Of the school with the panels: every month 100 kWh used there, at least 90.5 and at most 110; July is a contradiction,
/// of August nothing bounds it.
fn balance() -> BalanceYear {
    let own = Flow { amount: 100_000, low: 90_500, high: Some(110_000) };
    let month = |number: u32| BalanceMonth {
        month: Month { year: YEAR, number },
        reporting: true,
        balance: Balance {
            self_consumed: match number {
                7 => Flow { amount: -1, low: 0, high: Some(0) },
                8 => Flow { high: None, ..own },
                _ => own,
            },
            ..Balance::NOTHING
        },
    };
    BalanceYear {
        building: Some(BuildingId::new("scuola-nord").expect("an id")),
        vector: Vector::Electricity,
        months: (1..=12).map(month).collect(),
        reporting: Balance::NOTHING,
        has_production: true,
        has_export: true,
    }
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
    let (full, said) = whole();
    for (of, year, beside) in [
        ("a year", year(), &said),
        ("a provisional year", provisional(), &Beside::default()),
        ("hostile names", hostile(), &Beside::default()),
        ("a year with everything", full, &said),
    ] {
        let file = structured(&year, beside);
        for (form, write) in FORMS {
            let back = read(&write(&file)).unwrap_or_else(|e| panic!("{of} as {form:?}: {e}"));
            assert_eq!((back.form, back.version), (form, 2));
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

/// What the second version added, figure by figure.
#[test]
fn a_row_says_what_is_known_and_no_more() {
    let (year, beside) = whole();
    let file = structured(&year, &beside);
    let of = |meter: &'static str| file.rows.iter().filter(move |row| row.meter.as_str() == meter);
    let one =
        |meter: &'static str, month: u32| of(meter).find(|row| row.month.number == month).expect("a row");

    // 4120.5 kWh at 1.95 + 0.47; 4401.10125 kWh of gas, all of it non-renewable; the heat has no factor.
    assert_eq!(one("power-1", 1).primary_total_kwh, Some(9971.61));
    assert_eq!(one("gas-1", 1).primary_total_kwh, Some(4621.156));
    assert!(of("heat-1").chain(of("pump-1")).all(|row| row.primary_total_kwh.is_none()));
    let mut half = year.clone();
    let mut factors = (*half.factors).clone();
    factors.carriers[0].primary_renewable = None;
    half.factors = Arc::new(factors);
    let unknown = structured(&half, &beside);
    let january = unknown.rows.iter().find(|row| row.meter.as_str() == "power-1").expect("a row");
    assert_eq!((january.primary_nonrenewable_kwh, january.primary_total_kwh), (Some(8034.975), None));

    assert_eq!(one("gas-1", 3).reference_degree_days, Some(250.0));
    assert!(of("power-1").all(|row| row.reference_degree_days.is_none()), "no base, no degree days");
    let reference = file.header.reference.as_ref().expect("a reference year");
    assert_eq!(reference.years, [2020, 2021, 2022, 2023, 2024]);
    let bare = structured(&year, &Beside::default());
    assert_eq!(bare.header.reference, None);
    assert!(bare.rows.iter().all(|row| row.reference_degree_days.is_none()));

    let own = |month| {
        let row = one("pv-1", month);
        (row.self_consumed, row.self_consumed_low, row.self_consumed_high)
    };
    assert_eq!(own(1), (Some(100.0), Some(90.5), Some(110.0)));
    assert_eq!(own(7), (None, None, None), "more was exported than produced");
    assert_eq!(own(8), (Some(100.0), Some(90.5), None));
    assert!(of("export-1").chain(of("power-1")).all(|row| row.self_consumed.is_none()));

    let march = one("gas-1", 3);
    assert_eq!(march.adjustment, Some(12.5));
    let note = "2025-03-01/2025-03-31 B. Bianchi: aule <B>; aperte & \"riscaldate\" il sabato";
    assert_eq!(march.note.as_deref(), Some(note));
    assert_eq!(one("gas-1", 5).note.as_deref(), Some("2025-05-20 A. Rossi: contatore guasto"));
    assert_eq!((one("gas-1", 4).adjustment, &one("gas-1", 4).note), (Some(0.0), &None));
    assert_eq!(one("pump-1", 4).adjustment, None, "without a baseline there is nothing to adjust");
    assert_eq!(march.usage_profile.as_deref(), Some("lun-ven 7:30-18:00, chiuso in agosto"));
    assert_eq!((march.open_days, march.open_hours), (None, None), "words are no calendar");

    let [first, co2, share] = file.kpis.as_slice() else { panic!("{:?}", file.kpis) };
    assert_eq!(
        (first.expected, first.achieved, first.attainment_percent),
        (Some(60.0), Some(17.83), Some(29.72))
    );
    assert_eq!((co2.achieved, co2.stated, co2.attainment_percent), (None, Some(4.123_457), None));
    assert_eq!((share.rule.code(), share.verdict.code()), ("at_least", "reached"));
}

/// January 2025 has 23 days from Monday to Friday, of which New Year's Day and Epiphany are holidays.
#[test]
fn days_and_hours_of_use_are_those_of_the_opening_calendar() {
    let mut year = year();
    let mut project = model::Project::clone(&year.project);
    for building in &mut project.buildings {
        building.opening = vec![model::OpeningHours {
            from: chrono::NaiveDate::from_ymd_opt(2025, 1, 1).unwrap(),
            to: chrono::NaiveDate::from_ymd_opt(2025, 12, 15),
            season: None,
            week: [true, true, true, true, true, false, false],
            hours_per_day: 8.5,
            closed: Vec::new(),
            open_on_holidays: false,
        }];
    }
    year.project = project.into();
    let file = structured(&year, &Beside::default());
    let of = |month: u32| {
        let row = file.rows.iter().find(|row| row.month.number == month).unwrap();
        (row.open_days, row.open_hours)
    };
    assert_eq!(of(1), (Some(21.0), Some(178.5)));
    assert_eq!(of(12), (None, None), "half of December is not stated");
    for (form, write) in FORMS {
        assert_eq!(read(&write(&file)).expect("it is read").rows, file.rows, "{form:?}");
    }
}

/// Nobody knows which of two plants of one building fed it, or what was used where a month is not measured.
#[test]
fn self_consumption_is_given_to_no_meter_that_it_may_not_be_of() {
    let (mut year, beside) = whole();
    let of = |year: &ProjectYear, meter: &str| -> Vec<u32> {
        let file = structured(year, &beside);
        let known = file.rows.iter().filter(|row| row.meter.as_str() == meter && row.self_consumed.is_some());
        known.map(|row| row.month.number).collect()
    };
    assert_eq!(of(&year, "pv-1"), [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]);
    let export = year.meters.iter_mut().find(|m| m.meter.id.as_str() == "export-1").expect("a meter");
    export.months[1].measured = None;
    assert_eq!(of(&year, "pv-1"), [1, 3, 4, 5, 6, 8, 9, 10, 11, 12]);
    let mut unmeasured = year.clone();
    unmeasured.balances[0].has_export = false;
    assert!(of(&unmeasured, "pv-1").is_empty());
    let mut second = year.meters.iter().find(|m| m.meter.id.as_str() == "pv-1").expect("a meter").clone();
    second.meter.id = MeterId::new("pv-2").expect("an id");
    year.meters.push(second);
    assert!(of(&year, "pv-1").is_empty() && of(&year, "pv-2").is_empty());
}

/// A refusal names the line that a person finds in an editor, or the row of the sheet.
#[test]
fn every_row_knows_where_it_stands() {
    let (year, beside) = whole();
    let file = StructuredFile { rows: structured(&hostile(), &beside).rows, ..structured(&year, &beside) };
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
                // The first columns are the version and the CUP.
                Form::Csv | Form::CsvPlain => {
                    let sign = if form == Form::Csv { ';' } else { ',' };
                    let first = format!("2{sign}{}", file.header.cup);
                    assert!(begins.starts_with(&first), "{line} {begins:?} {}", row.month);
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
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/structured-file-2.xsd");
        std::fs::write(path, &made).expect("the schema can be written");
        return;
    }
    assert_eq!(
        made, SCHEMA_XSD,
        "write it anew with CONSUNTIVO_BLESS=1, if the columns were meant to change"
    );
}

/// A line of the page for each column.
fn explain(page: &mut String, legend: fn(&Texts) -> Vec<[String; 5]>) {
    for ([head, name, kind, meaning, since], italian) in
        legend(&texts("en")).into_iter().zip(legend(&texts("it")))
    {
        assert_eq!(italian[1], name, "the same columns");
        let italian = &italian[3];
        page.push_str(&format!("| `{head}` | `{name}` | {kind} | {since} | {meaning} | {italian} |\n"));
    }
}

/// The page that tells whoever receives the file what its columns are.
#[test]
fn the_page_of_the_columns_is_that_of_the_program() {
    let mut page = String::from(PAGE_HEAD);
    explain(&mut page, legend);
    page.push_str(PAGE_KPIS);
    explain(&mut page, kpi_legend);
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
    let (full, beside) = whole();
    for year in [year(), provisional(), hostile(), full] {
        let (valid, said) = check(&xml(&structured(&year, &beside)));
        assert!(valid && said.contains("validates"), "{said}");
    }
    let good = String::from_utf8(xml(&structured(&year(), &beside))).expect("UTF-8");
    for (what, from, to) in [
        ("an unknown carrier", "<vettore>natural_gas<", "<vettore>gas<"),
        ("a number with a comma", "<quantita_misurata>465.725<", "<quantita_misurata>465,725<"),
        ("a thirteenth month", "<mese>12<", "<mese>13<"),
        ("another version", "versione=\"2\"", "versione=\"3\""),
        ("the former version", "versione=\"2\"", "versione=\"1\""),
        ("a row of the former version", "<versione_schema>2<", "<versione_schema>1<"),
        ("an unknown outcome", "<esito>missed<", "<esito>failed<"),
        ("an indicator without its code", "<codice>4.c.2</codice>", ""),
        ("an unknown reference year", "riferimento>typical<", "riferimento>usual<"),
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
    let (year, beside) = whole();
    let file = structured(&year, &beside);
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
        assert_eq!(number("rettifica_persona"), row.adjustment);
        assert_eq!(number("versione_schema"), Some(2.0));
        assert_eq!(seen[at("note")], *row.note.as_deref().unwrap_or_default());
        assert_eq!(number("copertura_percento"), Some(row.coverage_percent));
    }
}

/// A file is held to the version that it states, and states one.
#[test]
fn a_file_of_another_version_or_with_other_columns_is_refused() {
    let (year, beside) = whole();
    let file = structured(&year, &beside);
    let office = String::from_utf8(csv(&file).expect("a file")).expect("UTF-8");
    let plain = String::from_utf8(csv_plain(&file).expect("a file")).expect("UTF-8");
    let text = String::from_utf8(json(&file).expect("a file")).expect("UTF-8");
    let cases: [(&str, Vec<u8>, &str); 7] = [
        (
            "another version",
            text.replacen("\"schema_version\": 2", "\"schema_version\": 3", 1).into_bytes(),
            "the file has version 3 of the columns; this program reads versions 1 to 2",
        ),
        (
            "another version of a table",
            plain.replacen("\r\n2,", "\r\n3,", 1).into_bytes(),
            "the file has version 3 of the columns",
        ),
        (
            "two versions",
            office.replace("\r\n2;", "\r\n1;").replacen("\r\n1;", "\r\n2;", 1).into_bytes(),
            "measurement 2: versione_schema (schema_version) is \"1\"",
        ),
        (
            "the columns of 2 as version 1",
            plain.replacen("schema_version,", "", 1).replace("\r\n2,", "\r\n").into_bytes(),
            "the column \"usage_profile\" is none of a structured file of version 1",
        ),
        (
            "a key less",
            text.replacen("\"avoided\":", "\"saved\":", 1).into_bytes(),
            "measurement 1: the key \"avoided\" is missing; a file of version 2 has it",
        ),
        (
            "a key more",
            text.replacen("\"avoided\":", "\"days\": 20, \"avoided\":", 1).into_bytes(),
            "measurement 1: the key \"days\" is none of a structured file of version 2",
        ),
        (
            "an indicator that is none",
            text.replacen("\"rule\": \"declared\"", "\"rule\": \"guessed\"", 1).into_bytes(),
            "indicator 4.c.2: obiettivo (rule) is \"guessed\"",
        ),
    ];
    for (what, bytes, says) in cases {
        let error = read(&bytes).expect_err(what).to_string();
        assert!(error.contains(says), "{what}: {error}");
    }
}

#[test]
fn what_is_no_structured_file_is_refused_with_its_row() {
    let (year, beside) = whole();
    let file = structured(&year, &beside);
    let office = String::from_utf8(csv(&file).expect("a file")).expect("UTF-8");
    let plain = String::from_utf8(csv_plain(&file).expect("a file")).expect("UTF-8");
    let cases: [(&str, Vec<u8>, &str); 11] = [
        ("nothing", Vec::new(), "the file is empty"),
        ("no text", vec![0xff, 0xfe, 0x00], "no UTF-8 text from byte 0 on"),
        ("another workbook", b"PK\x03\x04 and no more".to_vec(), "the workbook cannot be read"),
        ("another table", b"a,b\n1,2\n".to_vec(), "the column \"a\" is none of a structured file"),
        (
            "a column less",
            plain.replacen(",note\r\n", "\r\n", 1).into_bytes(),
            "the column \"note\" (note) is missing; a file of version 2 has it",
        ),
        (
            "a column twice",
            plain.replacen("cup,project", "cup,cup", 1).into_bytes(),
            "the column \"cup\" stands twice",
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

#[test]
fn the_json_with_everything_obeys_its_schema() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA_JSON).expect("the schema is JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("the schema is a schema");
    let (year, beside) = whole();
    let bytes = json(&structured(&year, &beside)).expect("a file");
    let mut value: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(value["kpis"].as_array().map(Vec::len), Some(3));
    assert_eq!(value["project"]["reference_years"], serde_json::json!([2020, 2021, 2022, 2023, 2024]));
    value["kpis"][0]["verdict"] = "passed".into();
    assert!(!validator.is_valid(&value));
}
