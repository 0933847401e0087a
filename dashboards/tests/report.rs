//! The annual report and the structured file: values and texts asserted, and every file read back by a program
//! that this project did not write (calamine, a JSON Schema validator, the csv reader, qpdf, poppler).
//!
//! Must never: pass by itself when a tool is missing; `poppler-utils` and `qpdf` are needed.

mod report_beside;
mod report_fixture;
mod report_sections;

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use analytics::report::beside::{Beside, StatedValue};
use analytics::report::campaign::{Campaign, campaign};
use analytics::report::document::{Block, Document};
use analytics::report::sheet::sheet;
use analytics::report::structured::structured;
use analytics::report::{AnnualOptions, annual};
use analytics::result::{Baseline, ModelDriver, ProjectYear};
use analytics::scheme::KpiMeasure;
use analytics::text::Texts;
use calamine::{Data, Reader, Xlsx};
use chrono::NaiveDate;
use dashboards::structured::{SCHEMA_JSON, csv, json, xlsx};
use dashboards::{Press, RenderedFile, Template, annual_report, campaign_report, indicator_sheet};
use model::{Carrier, OpeningHours, Stretch, UseDriver, YearDay};
use report_beside::beside;
use report_fixture::{provisional, texts, year};

/// The files of a year with everything beside it.
fn made(year: &ProjectYear, texts: &Texts) -> Vec<RenderedFile> {
    let press = Press { texts, template: &Template::bundled(), edition: None };
    annual_report(year, &beside(), &press).expect("files")
}

/// Everything a document says, one text a line.
fn said(document: &Document) -> String {
    let mut lines = vec![document.title.clone(), document.subtitle.clone()];
    lines.extend(document.front.iter().map(|(k, v)| format!("{k} | {v}")));
    for section in &document.sections {
        lines.push(format!("# {}", section.title));
        for block in &section.blocks {
            match block {
                Block::Heading(t) | Block::Paragraph(t) => lines.push(t.clone()),
                Block::Comment { by, paragraphs } => {
                    lines.push(format!("> {by}: {}", paragraphs.join(" / ")))
                }
                Block::Callout { severity, text } => lines.push(format!("! {} {text}", severity.code())),
                Block::Bullets(items) => lines.extend(items.iter().cloned()),
                Block::Facts(rows) => lines.extend(rows.iter().map(|(k, v)| format!("{k} | {v}"))),
                Block::Chart(chart) => lines.push(format!("[{}] {}", chart.caption, chart.alternative)),
                Block::Table(table) => {
                    lines.push(format!("[{}]", table.caption));
                    lines.push(table.columns.iter().map(|c| c.0.clone()).collect::<Vec<_>>().join(" | "));
                    lines.extend(table.rows.iter().chain(&table.total).map(|row| row.join(" | ")));
                }
            }
        }
    }
    lines.join("\n").replace('\u{a0}', " ")
}

fn assert_says(text: &str, expected: &[&str]) {
    for line in expected {
        assert!(text.contains(line), "the report does not say {line:?}:\n{text}");
    }
}

#[test]
fn the_italian_report_states_the_figures() {
    let text = said(&annual(&year(), &beside(), &texts("it"), AnnualOptions::default()));
    assert_says(
        &text,
        &[
            "Relazione annuale di monitoraggio energetico 2025\n",
            "Periodo rendicontato | dal 01/01/2025 al 31/12/2025",
            "Stato dei dati | anno completo",
            "Energia primaria non rinnovabile risparmiata: 17,83 MWh, obiettivo 60,00 MWh (29,7 %). Obiettivo non raggiunto.",
            "Emissioni di CO₂ evitate: non determinabile (dati insufficienti: Sottocentrale palestra; i motivi sono nel confronto con i valori dichiarati).",
            "Quota di autoconsumo: 86,50 %, obiettivo 80,00 % (108,1 %). Obiettivo raggiunto.",
            "4.c.2 – Energia primaria non rinnovabile risparmiata [MWh] | 60,00 | 17,83 | 22,84 | 17,83 – 27,74 | 29,7 % | non raggiunto",
            "CO34 – Emissioni di CO₂ evitate [t] | 4,50 | n.d. | n.d. | n.d. | n.d. | non determinabile",
            "! blocks CO34: valore non disponibile.",
            "Caldaia scuola Nord [Smc] | 11 su 12 | 4.165,4 | 2.514,2 | 1.651,2 | 1.402,1 – 1.890,7 | 91,1 %",
            "Sottocentrale palestra [kWh] | 0 su 12 | n.d. | n.d. | n.d. | n.d. | 0,0 %",
            "! caution Caldaia scuola Nord: mesi non confrontati per dati insufficienti: novembre.",
            "marzo | 316,0 *\n",
            "novembre | n.d.\n",
            "! blocks Nessun dato per l’anno: Sottocentrale palestra.",
            "! blocks Sottocentrale palestra: nessun mese è confrontato.",
            "febbraio | 3.810,3 *† | 60,0",
            "Totale dei mesi disponibili | 2.514,2",
            "Totale | 39.893,6 | 1.480,0",
            "Mese | Giorni con temperatura | Base e soglia 17,5 °C [K·d]\ngennaio | 31 | 438,5",
            "5,00 Smc + 1,400 Smc per ogni grado giorno (base 17,5 °C)",
            "R² corretto | 0,980",
            "CV(RMSE) | 8,3 %",
            "Gas naturale | Smc | 9,45 | 1,05 | 0 | 0,1969 | n.d. | n.d.",
            "Attenzione | Caldaia scuola Nord novembre 2025 | misurato soltanto lo 0 % del tempo, ne serve almeno il 90 % | series.coverage.low",
            "Letture utilizzate | 1.051.200",
            &"ab".repeat(32),
        ],
    );
    assert!(!text.contains("PROVVISORI"));
}

#[test]
fn the_opening_calendar_of_a_building_and_a_model_that_follows_it_are_printed() {
    let mut year = year();
    let mut project = (*year.project).clone();
    let school = project.buildings.iter_mut().find(|b| b.id.as_str() == "scuola-nord").expect("the school");
    let of = |month, day| YearDay::new(month, day).expect("a day of every year");
    school.opening = vec![OpeningHours {
        from: NaiveDate::from_ymd_opt(2019, 1, 1).expect("a day"),
        to: NaiveDate::from_ymd_opt(2025, 12, 1),
        season: None,
        week: [true, true, true, true, true, false, false],
        hours_per_day: 10.5,
        closed: vec![Stretch::EveryYear(of(8, 1), of(8, 31))],
        open_on_holidays: false,
    }];
    year.project = std::sync::Arc::new(project);
    for meter in &mut year.meters {
        if let Baseline::Fitted(model) = &mut meter.baseline {
            let (coefficient, standard_error, usual_per_day) = (1.25, 0.1, 0.63);
            let driver = UseDriver::OpeningDays;
            model.drivers = vec![ModelDriver { driver, coefficient, standard_error, usual_per_day }];
        }
    }
    let text = said(&annual(&year, &beside(), &texts("it"), AnnualOptions::default()));
    assert_says(
        &text,
        &[
            // 232 and 234 days from Monday to Friday, without August and national holidays.
            "Giorni e ore di apertura nel periodo di riferimento | 466 giorni, 4.893,0 ore\n",
            "Giorni e ore di apertura nell’anno rendicontato | 211 giorni, 2.215,5 ore; per 31 giorni il calendario non dice nulla\n",
            "Mese | Giorni di apertura | Ore di apertura\ngennaio | 21 | 220,5\nfebbraio | 20 | 210,0\n",
            "agosto | 0 | 0,0\n",
            "dicembre | n.d. | n.d.\n",
            "5,00 Smc + 1,400 Smc per ogni grado giorno (base 17,5 °C) + 1,250 Smc per ogni giorno di apertura",
        ],
    );
}

#[test]
fn no_text_is_missing_in_any_language() {
    for language in ["it", "en"] {
        for year in [year(), provisional()] {
            let text = said(&annual(&year, &beside(), &texts(language), AnnualOptions::default()));
            let keys: Vec<&str> =
                text.split_whitespace().filter(|w| w.starts_with("report.") && w.len() > 7).collect();
            assert!(keys.is_empty(), "{language}: {keys:?}");
            let gaps: Vec<&str> = text.lines().filter(|l| l.contains('{')).collect();
            assert!(gaps.is_empty(), "{language}: {gaps:?}");
        }
    }
    let (italian, english) = (texts("it"), texts("en"));
    let keys = |t: &analytics::text::Texts| -> Vec<String> {
        t.keys().filter(|k| k.starts_with("report.")).map(str::to_owned).collect()
    };
    assert_eq!(keys(&italian), keys(&english));
    for key in keys(&italian) {
        let sorted = |t: &analytics::text::Texts| {
            let mut names: Vec<String> =
                analytics::text::placeholders(t.get(&key)).map(str::to_owned).collect();
            names.sort();
            names
        };
        assert_eq!(sorted(&italian), sorted(&english), "{key}");
    }
}

#[test]
fn a_provisional_year_says_so() {
    let document = annual(&provisional(), &Beside::default(), &texts("it"), AnnualOptions::default());
    let text = said(&document);
    assert_says(
        &text,
        &[
            "Relazione annuale di monitoraggio energetico 2025 (provvisoria)",
            "Periodo rendicontato | dal 01/01/2025 al 30/06/2025",
            "PROVVISORIO: l’anno non è concluso",
            "! caution L’anno 2025 non è concluso",
        ],
    );
    assert_eq!(document.date, report_fixture::day(2025, 7, 1));
}

#[test]
fn the_json_obeys_its_schema_and_a_wrong_one_is_refused() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA_JSON).expect("the schema is JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("the schema is a schema");
    for year in [year(), provisional()] {
        let bytes = json(&structured(&year, &beside())).expect("a file");
        let value: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(value["rows"].as_array().map(Vec::len), Some(72));
    }
    let value: serde_json::Value =
        serde_json::from_slice(&json(&structured(&year(), &beside())).expect("a file")).expect("JSON");
    let november = &value["rows"][10];
    assert_eq!((&november["month"], &november["measured"]), (&11.into(), &serde_json::Value::Null));
    assert_eq!(november["findings"], serde_json::json!(["series.coverage.low"]));
    assert_eq!(value["rows"][0]["measured"], 465.725);
    assert_eq!(value["rows"][0]["energy_kwh"], 4401.101);
    assert_eq!(value["rows"][0]["primary_nonrenewable_kwh"], 4621.156);
    assert_eq!(value["rows"][0]["co2_kg"], 866.577);
    assert_eq!(value["rows"][0]["degree_day_base_c"], 17.5);
    // A sub-meter's energy stands in another row already.
    assert_eq!(value["rows"][24]["co2_kg"], serde_json::Value::Null);

    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 5] = [
        ("a key too many", |v| v["rows"][0]["extra"] = 1.into()),
        ("a text for a number", |v| v["rows"][0]["measured"] = "0".into()),
        ("a thirteenth month", |v| v["rows"][0]["month"] = 13.into()),
        ("another version", |v| v["schema_version"] = 3.into()),
        ("a missing key", |v| {
            v["project"].as_object_mut().expect("an object").remove("cup");
        }),
    ];
    for (what, change) in changes {
        let mut wrong = value.clone();
        change(&mut wrong);
        assert!(!validator.is_valid(&wrong), "{what} was accepted");
    }
}

#[test]
fn the_csv_reads_back() {
    let bytes = csv(&structured(&year(), &beside())).expect("a file");
    let text =
        std::str::from_utf8(&bytes).expect("UTF-8").strip_prefix('\u{feff}').expect("a byte order mark");
    assert!(text.starts_with("versione_schema;cup;codice_progetto;codice_edificio;edificio;"));
    assert_eq!(text.lines().count(), 73);
    assert_eq!(text.matches("\r\n").count(), 73);
    let mut reader = ::csv::ReaderBuilder::new().delimiter(b';').from_reader(text.as_bytes());
    let heads = reader.headers().expect("heads").clone();
    let at = |name: &str| heads.iter().position(|h| h == name).expect("a column");
    let rows: Vec<::csv::StringRecord> = reader.records().map(|r| r.expect("a row")).collect();
    assert_eq!(&rows[0][at("quantita_misurata")], "465,725");
    assert_eq!(&rows[0][at("risparmio")], "303,175");
    assert_eq!(&rows[10][at("quantita_misurata")], "");
    assert_eq!(&rows[10][at("copertura_percento")], "0");
    assert_eq!(&rows[10][at("rilievi")], "series.coverage.low");
    assert_eq!(&rows[12][at("risparmio")], "-520,5");
    assert_eq!(&rows[12][at("pod_pdr")], "IT001E00012345");
}

#[test]
fn the_xlsx_has_typed_cells_and_a_legend() {
    let bytes = xlsx(&structured(&year(), &beside()), &texts("it")).expect("a file");
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).expect("a workbook");
    assert_eq!(book.sheet_names(), ["Misure mensili", "Progetto", "Indicatori", "Legenda"]);
    let months = book.worksheet_range("Misure mensili").expect("the sheet");
    assert_eq!(months.get_size(), (73, 39));
    let column =
        |name: &str| (0..39).find(|c| months[(0, *c)] == Data::String(name.to_owned())).expect("a column");
    assert_eq!(months[(1, column("quantita_misurata"))], Data::Float(465.725));
    assert_eq!(months[(11, column("quantita_misurata"))], Data::Empty);
    assert_eq!(months[(11, column("mese"))], Data::Float(11.0));
    assert_eq!(months[(1, column("codice_istat"))], Data::String("001272".to_owned()));
    assert_eq!(months[(1, column("pod_pdr"))], Data::String("00881234567890".to_owned()));
    let legend = book.worksheet_range("Legenda").expect("the sheet");
    assert_eq!(legend[(2, 0)], Data::String("cup".to_owned()));
    assert_eq!(legend[(2, 3)], Data::String("Codice unico di progetto".to_owned()));
    let kpis = book.worksheet_range("Indicatori").expect("the sheet");
    assert_eq!(kpis.get_size(), (4, 12));
    assert_eq!(kpis[(1, 0)], Data::String("4.c.2".to_owned()));
    assert_eq!((&kpis[(1, 3)], &kpis[(1, 5)]), (&Data::Float(60.0), &Data::Float(17.83)));
    assert_eq!(kpis[(2, 5)], Data::Empty);
    let project = book.worksheet_range("Progetto").expect("the sheet");
    assert_eq!(project[(9, 1)], Data::Float(2025.0));
    assert_eq!(project[(9, 2)], Data::String("year".to_owned()));
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output =
        Command::new(program).args(arguments).current_dir(folder).output().unwrap_or_else(|e| {
            panic!("{program} could not be started ({e}); install poppler-utils and qpdf")
        });
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

fn file<'a>(files: &'a [RenderedFile], ending: &str) -> &'a RenderedFile {
    files.iter().find(|f| f.name.ends_with(ending)).expect("a file")
}

#[test]
fn the_files_are_the_same_every_time() {
    for language in ["it", "en"] {
        let texts = texts(language);
        let first = made(&year(), &texts);
        assert_eq!(first, made(&year(), &texts));
        let names: Vec<&str> = first.iter().map(|f| f.name.as_str()).collect();
        let pdf = if language == "it" { "relazione-annuale-2025.pdf" } else { "annual-report-2025.pdf" };
        assert_eq!(
            names,
            [
                pdf,
                "misure-mensili-2025.xlsx",
                "misure-mensili-2025.csv",
                "misure-mensili-2025-plain.csv",
                "misure-mensili-2025.xml",
                "misure-mensili-2025.json"
            ]
        );
    }
}

#[test]
fn the_pdf_is_sound_tagged_and_carries_the_structured_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = made(&year(), &texts("it"));
    let pdf = file(&files, ".pdf");
    std::fs::write(folder.path().join("r.pdf"), &pdf.bytes).expect("written");
    if let Some(keep) = std::env::var_os("CONSUNTIVO_KEEP_REPORT") {
        for file in &files {
            std::fs::write(Path::new(&keep).join(&file.name), &file.bytes).expect("kept");
        }
        for (name, year, language) in
            [("provvisoria.pdf", provisional(), "it"), ("english.pdf", year(), "en")]
        {
            let files = made(&year, &texts(language));
            std::fs::write(Path::new(&keep).join(name), &files[0].bytes).expect("kept");
        }
    }
    assert!(
        run("qpdf", &["--check", "r.pdf"], folder.path()).contains("No syntax or stream encoding errors")
    );

    let info = run("pdfinfo", &["-isodates", "r.pdf"], folder.path());
    for line in ["Tagged:          yes", "A4)", "PDF version:     1.7", "2026-01-01T00:00:00Z"] {
        assert!(info.contains(line), "{line:?} is not in:\n{info}");
    }
    let title = "Title:           Relazione annuale di monitoraggio energetico 2025 – Riqualificazione";
    assert!(info.contains(title), "{info}");
    let meta = run("pdfinfo", &["-meta", "r.pdf"], folder.path());
    for mark in ["<pdfaid:part>3<", "<pdfaid:conformance>A<", "<pdfuaid:part>1<"] {
        assert!(meta.contains(mark), "{mark} is not in:\n{meta}");
    }
    for line in run("pdffonts", &["r.pdf"], folder.path()).lines().skip(2) {
        let words: Vec<&str> = line.split_whitespace().rev().collect();
        // From the end: object and generation, then uni, sub, emb.
        assert_eq!(words[2..5], ["yes", "yes", "yes"], "not embedded: {line}");
    }
    let structure = run("pdfinfo", &["-struct", "r.pdf"], folder.path());
    for tag in ["Figure", "Table", "TH", "H1", "Caption"] {
        assert!(structure.contains(tag), "no {tag} in the structure");
    }

    let text = run("pdftotext", &["-layout", "r.pdf", "-"], folder.path());
    for words in
        ["Pagina 1 di", "11 su 12", "4.165,4", "non determinabile", "Allegato A", "CUP C11G06000000001"]
    {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }

    let list = run("pdfdetach", &["-list", "r.pdf"], folder.path());
    assert!(list.starts_with("3 embedded files"), "{list}");
    run("pdfdetach", &["-saveall", "r.pdf"], folder.path());
    for ending in [".json", "2025.csv", ".xml"] {
        let file = file(&files, ending);
        let inside = std::fs::read(folder.path().join(&file.name)).expect("attached");
        assert_eq!(inside, file.bytes, "{ending}");
    }
}

#[test]
fn text_that_looks_like_markup_stays_text() {
    let mut year = year();
    let hostile = "#panic() $x$ *a* <b>&amp; \"q\" \\ @r //c";
    let mut project = (*year.project).clone();
    project.title = hostile.to_owned();
    project.buildings[0].name = hostile.to_owned();
    year.project = std::sync::Arc::new(project);
    year.meters[0].meter.name = hostile.to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let files = made(&year, &texts("it"));
    std::fs::write(folder.path().join("r.pdf"), &files[0].bytes).expect("written");
    let text = run("pdftotext", &["-layout", "r.pdf", "-"], folder.path());
    assert!(text.contains(hostile), "{text}");
}

#[test]
fn the_summary_has_ten_lines_at_most() {
    for (year, beside) in
        [(year(), beside()), (year(), Beside::default()), (provisional(), Beside::default())]
    {
        let document = annual(&year, &beside, &texts("it"), AnnualOptions::default());
        let lines: Vec<usize> = document.sections[0]
            .blocks
            .iter()
            .filter_map(|b| if let Block::Bullets(items) = b { Some(items.len()) } else { None })
            .collect();
        assert!(lines.len() == 1 && (5..=10).contains(&lines[0]), "{lines:?}");
    }
}

#[test]
fn what_stands_beside_the_year_is_told() {
    let text = said(&annual(&year(), &beside(), &texts("it"), AnnualOptions::default()));
    assert_says(
        &text,
        &[
            "«Caldaia scuola Nord»: 2.514,2 Smc invece di 4.165,4 Smc, il 39,6 % in meno (mesi a confronto: 11).",
            "Energia primaria non rinnovabile risparmiata: meno dell’anno precedente (17,83 MWh contro 19,50 MWh nel 2024).",
            "[Firma energetica – Caldaia scuola Nord] Firma energetica di Caldaia scuola Nord: consumo in Smc al giorno secondo la temperatura esterna media; 2 periodi precedenti i lavori, 1 mesi",
            "[Energia primaria non rinnovabile risparmiata: andamento cumulato 2025 (MWh)] Andamento cumulato nel 2025, mese per mese. A fine dicembre: 22,84 MWh, fra 17,83 MWh e 27,74 MWh; obiettivo dell’anno 60,00 MWh.",
            "[Profilo di carico 2025 – Fornitura elettrica scuola Nord (media oraria in kW; 8.736 ore misurate)]",
            "> Commento ricavato dai dati: Fornitura elettrica scuola Nord: il carico medio più alto è di 12,0 kW, lunedì alle ore 8;",
            "> Commento ricavato dai dati: Caldaia scuola Nord: il consumo è inferiore del 39,6 % al riferimento aggiustato (1.651,2 Smc).",
            "all’obiettivo mancano 42,17 MWh.",
            "> Commento di A. Rossi, 12/03/2026: Le aule sono rimaste aperte il sabato. / #panic() Secondo capoverso.",
            "novembre 2025 | Caldaia scuola Nord | letture mancanti: misurato lo 0,0 % del tempo | mesi non confrontati",
            "gennaio – dicembre 2025 | Sottocentrale palestra | letture mancanti: misurato lo 0,0 % del tempo |",
            "# Che cosa è cambiato rispetto all’anno precedente",
            "Fornitura elettrica scuola Nord [kWh] | 40.893,6 | 39.893,6 | −2,4 % | 2.306,4 | 3.306,4",
            "Caldaia scuola Nord [Smc] | 2.514,2 ‡ | 2.514,2 ‡ | n.d. | 1.651,2 ‡ (mesi: 11) | 1.651,2 ‡ (mesi: 11)",
            "I lavori si sono conclusi il 30/09/2024. Il consumo misurato comprende anche i mesi precedenti (anno 2024)",
            "4.c.2 – Energia primaria non rinnovabile risparmiata [MWh] | 19,50 | non raggiunto | 17,83 | non raggiunto",
            "Contatori nuovi: Immissione in rete.",
            "Modelli di riferimento cambiati: Caldaia scuola Nord.",
            "Fattori di conversione: gli stessi (D.M. 26/06/2015 ed ENEA/CTI).",
            "Rilievi nuovi\nSottocentrale palestra:",
            "Rilievi non più presenti\nPompe circuito radiatori luglio 2024: the total stood still",
            "Caldaia scuola Nord | gas-1 | 00881234567890 | SN-gas-1-004711 | B | 30 Smc/h | –",
        ],
    );
    // The program's own comment on the weather makes room for a person's.
    let weather = text.split("# Condizioni climatiche").nth(1).expect("the section");
    let weather = weather.split("\n# ").next().expect("the section");
    assert!(
        weather.contains("> Commento di B. Bianchi") && !weather.contains("ricavato dai dati"),
        "{weather}"
    );
}

#[test]
fn an_event_and_a_persons_word_are_told_with_what_settled_them() {
    let mut year = year();
    year.meters[0].record = report_beside::record();
    let text = said(&annual(&year, &Beside::default(), &texts("it"), AnnualOptions::default()));
    assert_says(
        &text,
        &[
            "10/04/2025 | Caldaia scuola Nord | ripartito | regola del programma, certezza probabile",
            "20/05/2025 | Caldaia scuola Nord | sostituzione: chiusura 1.250,0, apertura 0,0 Smc | A. Rossi: contatore guasto",
        ],
    );
    let events =
        text.split("# Eventi non ordinari").nth(1).and_then(|t| t.split("\n# ").next()).expect("the section");
    assert!(!events.contains("lettura bassa falsa"), "{events}");
}

#[test]
fn the_sheet_of_indicators_says_values_methods_and_papers() {
    let text = said(&sheet(&year(), &Beside::default(), &texts("it"), AnnualOptions::default()));
    assert_says(
        &text,
        &[
            "Scheda riepilogativa dei valori degli indicatori 2025\n",
            "L’intervento si è concluso il 30/09/2024; i valori conseguiti sono quelli misurati nell’anno 2025",
            "4.c.2 | Energia primaria non rinnovabile risparmiata | MWh | 60,00 | 17,83 | 17,83 – 27,74",
            "CO34 | Emissioni di CO₂ evitate | t | 4,50 | n.d. | n.d.",
            "! blocks CO34: valore non disponibile.",
            "4.c.2 | Energia finale risparmiata, per vettore, moltiplicata per il fattore di energia primaria non rinnovabile.",
            "L’energia prodotta da fonti rinnovabili è considerata neutra",
            "relazione tecnica allegata alla domanda",
            "La scheda è compilata dal beneficiario Comune di Borgo Dimostrativo o dal tecnico responsabile dell’intervento.",
            "Gas naturale | Smc | 9,45 | 1,05 | 0 | 0,1969 | n.d. | n.d.",
        ],
    );
    assert!(
        said(&sheet(&provisional(), &Beside::default(), &texts("it"), AnnualOptions::default()))
            .contains("(provvisoria)")
    );
}

#[test]
fn a_correction_says_what_it_replaces_and_why() {
    use analytics::report::edition::Edition;
    let edition = Edition {
        version: 2,
        replaces: 1,
        replaces_on: report_fixture::day(2026, 3, 20),
        why: "letture di dicembre\narrivate dopo".to_owned(),
    };
    for (language, wanted) in [
        (
            "it",
            "Versione | 2 – sostituisce la versione 1 del 20/03/2026. Motivo: letture di dicembre arrivate dopo",
        ),
        ("en", "Version | 2 – replaces version 1 of 20/03/2026. Reason: letture di dicembre arrivate dopo"),
    ] {
        let texts = texts(language);
        let mut document = annual(&year(), &Beside::default(), &texts, AnnualOptions::default());
        assert!(!said(&document).contains(" | 2 – "), "a first version prints nothing");
        edition.mark(&mut document, &texts);
        assert!(said(&document).contains(wanted), "{language}: {:?}", document.front);
    }
    // The file has another content and the same name.
    let texts = texts("it");
    let press = Press { texts: &texts, template: &Template::bundled(), edition: Some(&edition) };
    let corrected = indicator_sheet(&year(), &Beside::default(), &press).expect("a file");
    let first =
        indicator_sheet(&year(), &Beside::default(), &Press { edition: None, ..press }).expect("a file");
    assert_eq!(corrected.name, first.name);
    assert_ne!(corrected.bytes, first.bytes);
}

fn campaign_of(from: (i32, u32), to: (i32, u32)) -> Campaign {
    let day = |(y, m)| report_fixture::day(y, m, 1);
    let years = vec![report_beside::former(), year()];
    // What a person states of the last year stands in that year's file alone.
    let stated = StatedValue {
        code: year().kpis[0].definition.code.clone(),
        value: 7.25,
        reason: "diagnosi".to_owned(),
        author: "A. Rossi".to_owned(),
        date: day(to),
    };
    let stated = [(years[1].year, vec![stated])].into();
    Campaign { from: day(from), to: day(to), years, beside: beside(), stated }
}

#[test]
fn the_campaigns_report_counts_its_own_months_and_tells_expected_from_measured() {
    let text = said(&campaign(&campaign_of((2024, 11), (2025, 12)), &texts("it")).expect("a report"));
    assert_says(
        &text,
        &[
            "Relazione tecnica finale della campagna di misura",
            "Periodo della campagna | dal 01/11/2024 al 30/11/2025",
            "Durata della campagna: 13,0 mesi. Contatori: 6, di cui 5 non parziali; edifici misurati: 2.",
            "novembre 2024 | ",
            "novembre 2025 | n.d. |",
            "5,00 Smc + 1,400 Smc per ogni grado giorno",
            "[Risparmio atteso]",
            "Energia primaria non rinnovabile risparmiata | MWh | 60,00 | relazione tecnica allegata alla domanda",
            "È una previsione e non un risultato misurato.",
            "La relazione è resa dal responsabile del progetto",
        ],
    );
    for absent in ["ottobre 2024 |", "dicembre 2025 |"] {
        assert!(!text.lines().any(|line| line.starts_with(absent)), "{absent} in\n{text}");
    }
    assert!(!text.contains("fuori dall’intervallo"), "{text}");
    let short = said(&campaign(&campaign_of((2025, 1), (2025, 10)), &texts("it")).expect("a report"));
    assert_says(&short, &["! caution La durata di 9,0 mesi è fuori dall’intervallo di 12-15 mesi"]);
}

#[test]
fn an_expected_saving_is_split_into_thermal_and_electric_with_totals_where_the_audit_splits_it() {
    let declared = |parts: &[(Carrier, f64)]| {
        let mut made = campaign_of((2024, 11), (2025, 12));
        for year in &mut made.years {
            let mut project = model::Project::clone(&year.project);
            project.declared[0].by_carrier = parts.to_vec();
            project.terms.tariffs = vec![model::Tariff {
                carrier: Carrier::GridElectricity,
                meter: None,
                from: report_fixture::day(2025, 1, 1),
                to: None,
                microeuro_per_unit: 200_000,
                source: "contratto".to_owned(),
            }];
            year.project = project.into();
            year.kpis[0].definition.measure = KpiMeasure::FinalEnergySaved;
        }
        said(&campaign(&made, &texts("it")).expect("a report"))
    };
    let factor = |carrier| {
        let set = &year().factors;
        set.of(carrier).and_then(|f| f.primary_nonrenewable).expect("the fixture's set has it")
    };
    let (gas, power) = (factor(Carrier::NaturalGas) * 64.5, factor(Carrier::GridElectricity) * 5.5);
    // Halves up, as people round.
    let two = |value: f64| format!("{:.2}", value + 1e-9).replace('.', ",");
    let text =
        declared(&[(Carrier::NaturalGas, 64.5), (Carrier::GridElectricity, 5.5), (Carrier::Other, -10.0)]);
    assert_says(
        &text,
        &[
            &format!("| 64,50 | {} | n.d.", two(gas)),
            &format!("Totale elettrico | 5,50 | {} | 1.100,00", two(power)),
            // Of the other carrier no factor is known: the sums that hold it are not known either.
            "Totale termico | 54,50 | n.d. | n.d.",
            "Totale | 60,00 | n.d. | n.d.",
        ],
    );
    assert!(!text.contains("non è dichiarato per vettore"), "{text}");
    let text = declared(&[]);
    assert_says(&text, &["! caution Il risparmio atteso non è dichiarato per vettore"]);
}

#[test]
fn a_campaign_knows_no_works_and_its_expected_saving_is_held_against_its_use() {
    let report = |declared: f64| {
        let mut of = campaign_of((2024, 11), (2025, 11));
        for year in &mut of.years {
            let kpi = year.kpis.first_mut().expect("a KPI");
            kpi.definition.measure = analytics::scheme::KpiMeasure::FinalEnergySaved;
            kpi.target = Some(declared);
            kpi.target_source = Some("diagnosi".to_owned());
            // Meters that measured nothing leave nothing to hold against.
            year.meters.retain(|m| m.months.iter().any(|x| x.reporting && x.measured.is_some()));
        }
        said(&campaign(&of, &texts("it")).expect("a report"))
    };
    let text = report(100_000.0);
    let told = text.lines().find(|l| l.starts_with("! caution") && l.contains("100000.00 MWh"));
    assert!(told.is_some(), "{text}");
    assert_says(&text, &["La campagna non finanzia lavori", "campaign.potential.beyond_use"]);
    assert!(!text.contains("precedente ai lavori, va dal"), "{text}");
    let text = report(0.01);
    assert!(!text.contains("campaign.potential.beyond_use"), "{text}");
}

/// Pages as pictures and files for a person's eye, where a folder is named.
fn keep(name: &str, bytes: &[u8]) {
    if let Some(folder) = std::env::var_os("CONSUNTIVO_KEEP_REPORT") {
        std::fs::write(Path::new(&folder).join(name), bytes).expect("kept");
    }
}

/// Five forms of each of the campaign's two years, named as beside an annual report, each of its own year.
fn every_year_has_its_structured_file(data: &[RenderedFile]) {
    let names: Vec<&str> = data.iter().map(|f| f.name.as_str()).collect();
    let of = |year: i32| {
        [".xlsx", ".csv", "-plain.csv", ".xml", ".json"].map(|e| format!("misure-mensili-{year}{e}"))
    };
    assert_eq!(names, [of(2024), of(2025)].concat());
    for (file, year) in data.iter().zip([[2024; 5], [2025; 5]].concat()) {
        let text = String::from_utf8_lossy(&file.bytes);
        if [".csv", ".xml", ".json"].iter().any(|ending| file.name.ends_with(ending)) {
            assert!(text.contains(&year.to_string()), "{}: {text}", file.name);
        }
        if [".xml", ".json"].iter().any(|ending| file.name.ends_with(ending)) {
            assert_eq!(text.contains("7.25"), year == 2025, "{}: {text}", file.name);
        }
    }
}

#[test]
fn the_other_documents_are_sound_in_both_languages_and_the_same_every_time() {
    for language in ["it", "en"] {
        let (texts, template) = (texts(language), Template::bundled());
        let press = Press { texts: &texts, template: &template, edition: None };
        let make = || {
            let sheet = indicator_sheet(&year(), &Beside::default(), &press).expect("a file");
            let report = campaign_report(&campaign_of((2024, 11), (2025, 12)), &press).expect("a file");
            let (pdf, data) = report.split_first().expect("a report");
            ([sheet, pdf.clone()], data.to_vec())
        };
        let (files, data) = make();
        assert_eq!((files.clone(), data.clone()), make());
        every_year_has_its_structured_file(&data);
        let names = files.each_ref().map(|f| f.name.as_str());
        let expected = match language {
            "it" => ["scheda-indicatori-2025.pdf", "relazione-finale-campagna.pdf"],
            _ => ["indicator-sheet-2025.pdf", "campaign-report.pdf"],
        };
        assert_eq!(names, expected);
        let folder = tempfile::tempdir().expect("a folder");
        for file in &files {
            keep(&file.name, &file.bytes);
            std::fs::write(folder.path().join("d.pdf"), &file.bytes).expect("written");
            assert!(
                run("qpdf", &["--check", "d.pdf"], folder.path())
                    .contains("No syntax or stream encoding errors")
            );
            let info = run("pdfinfo", &["d.pdf"], folder.path());
            assert!(info.contains("Tagged:          yes"), "{info}");
            let text = run("pdftotext", &["-layout", "d.pdf", "-"], folder.path());
            assert!(!text.contains("report.") && !text.contains('{'), "{text}");
        }
        let list = run("pdfdetach", &["-list", "d.pdf"], folder.path());
        assert!(list.starts_with("6 embedded files"), "{list}");
    }
}
