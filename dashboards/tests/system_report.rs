//! The report on the monitoring system: what it says, in both languages, and that its PDF is sound.
//!
//! Must never: pass by itself when a tool is missing; `poppler-utils` and `qpdf` are needed.

mod report_fixture;

use std::process::Command;

use analytics::commissioning::{DayByBoth, Delivered};
use analytics::gaps::{Gap, MeterGaps, Silence};
use analytics::report::document::{Block, Document};
use analytics::report::system::{Keeping, Point, Protection, ReadBy, SystemFacts, system};
use dashboards::{Press, Template, system_report};
use model::{Instant, Month};
use report_fixture::{day, provisional, texts, year};

fn facts() -> SystemFacts {
    let year = year();
    let read = |encrypted, every_s| ReadBy {
        link: if encrypted { "broker" } else { "quadro" }.to_owned(),
        protocol: if encrypted { "mqtt" } else { "modbus-tcp" }.to_owned(),
        maker: "Eastron".to_owned(),
        model: "SDM630".to_owned(),
        every_s,
        quantities: vec!["active_energy_import".to_owned(), "active_power".to_owned()],
        encrypted,
    };
    let mut points: Vec<Point> = year
        .project
        .meters()
        .enumerate()
        .map(|(i, (building, meter))| Point {
            building: building.id.clone(),
            meter: meter.clone(),
            read: [Some(read(false, 10)), Some(read(true, 900))].get(i).cloned().flatten(),
        })
        .collect();
    let certificate = Some("LAT 042, n. 118".to_owned());
    points[0].meter.calibration = Some(model::Calibration { on: day(2023, 5, 12), certificate });
    points[1].meter.calibration = Some(model::Calibration { on: day(2024, 1, 8), certificate: None });
    let delivered = |i: usize, received| Delivered {
        meter: points[i].meter.id.clone(),
        first_at: Some(Instant::parse_rfc3339("2025-02-01T08:00:00Z").expect("an instant")),
        // The second meter fell silent nine days before the report.
        last_at: Some(
            Instant::parse_rfc3339(["2025-03-31T21:00:00Z", "2025-03-22T21:00:00Z"][i]).expect("an instant"),
        ),
        end: Instant::parse_rfc3339("2025-03-31T22:00:00Z").expect("an instant"),
        expected: 10_000,
        received,
        refused: 2,
        undecided: 0,
        day: Some(DayByBoth { day: day(2025, 3, 31), by_total_kwh: 120.0, by_power_kwh: 40.0 }),
    };
    let gap = |(number, coverage_ratio, missing_days): &(u32, f64, f64)| Gap {
        month: Month { year: 2025, number: *number },
        coverage_ratio: *coverage_ratio,
        missing_days: *missing_days,
    };
    let gaps = |i: usize, months: &[(u32, f64, f64)], since| MeterGaps {
        meter: points[i].meter.id.clone(),
        since,
        months: months.iter().map(gap).collect(),
        older: if i == 1 { 3 } else { 0 },
        missing_days: months.iter().map(|(_, _, days)| days).sum(),
        longest: (i == 1).then(|| Silence { from: day(2025, 3, 23), last: day(2025, 3, 31) }),
    };
    let since = Instant::parse_rfc3339("2025-02-01T08:00:00Z");
    SystemFacts {
        gaps: vec![
            gaps(0, &[], since),
            gaps(1, &[(2, 0.5, 14.0), (3, 0.7097, 9.0)], since),
            gaps(2, &[], None),
        ],
        delivered: vec![delivered(0, 9_990), delivered(1, 8_000)],
        project: year.project,
        scheme: year.scheme,
        date: day(2025, 4, 1),
        installation: "Borgo <centro>".to_owned(),
        version: "consuntivo 1".to_owned(),
        points,
        station: "torino".to_owned(),
        protection: Protection { pages_on_loopback: false, links_encrypted: 1, links: 2 },
        keeping: Keeping { readings: 1_234_567, bytes: 3_400_000 },
    }
}

fn said(document: &Document) -> String {
    let mut lines = vec![document.title.clone()];
    lines.extend(document.front.iter().map(|(k, v)| format!("{k} | {v}")));
    for section in &document.sections {
        lines.push(section.title.clone());
        for block in &section.blocks {
            match block {
                Block::Heading(t) | Block::Paragraph(t) | Block::Callout { text: t, .. } => {
                    lines.push(t.clone())
                }
                Block::Comment { by, paragraphs } => {
                    lines.push(by.clone());
                    lines.extend(paragraphs.iter().cloned());
                }
                Block::Bullets(items) => lines.extend(items.iter().cloned()),
                Block::Facts(rows) => lines.extend(rows.iter().map(|(k, v)| format!("{k} | {v}"))),
                Block::Chart(chart) => lines.push(chart.alternative.clone()),
                Block::Table(table) => {
                    lines.push(table.columns.iter().map(|c| c.0.clone()).collect::<Vec<_>>().join(" | "));
                    lines.extend(table.rows.iter().map(|row| row.join(" | ")));
                }
            }
        }
    }
    lines.join("\n").replace('\u{a0}', " ")
}

#[test]
fn a_calibration_that_nobody_stated_is_said_to_be_missing() {
    let text = said(&system(&facts(), &texts("it")));
    for line in [
        "Caldaia scuola Nord | SN-gas-1-004711 | 12/05/2023 | LAT 042, n. 118",
        "Fornitura elettrica scuola Nord | SN-power-1-004711 | 08/01/2024 | non dichiarata",
        "Sottocentrale palestra | SN-heat-1-004711 | non dichiarata | –",
    ] {
        assert!(text.contains(line), "{line:?} is not in:\n{text}");
    }
}

#[test]
fn it_says_what_is_configured_and_how_the_checks_came_out() {
    let text = said(&system(&facts(), &texts("it")));
    for line in [
        "Relazione sul sistema di monitoraggio",
        "Data della relazione | 01/04/2025",
        "Eastron SDM630 | Modbus TCP | quadro | 10 s | 2",
        "Eastron SDM630 | MQTT | broker | 15 min | 2",
        "file del distributore e bollette",
        "conserva 1.234.567 letture",
        "Le pagine rispondono a chi raggiunge la macchina in rete.",
        "Collegamenti cifrati (TLS): 1 su 2.",
        "Completezza | superata | 9.990 letture su 10.000 (99,9 %)",
        "Completezza | non superata | 8.000 letture su 10.000 (80,0 %)",
        "Plausibilità | con osservazione | valori rifiutati: 2",
        "Coerenza | non superata | 31/03/2025: 120,0 kWh dai totali, 40,0 kWh dalla potenza (−66,7 %)",
        "Lettura | superata | prima lettura 01/02/2025, ultima 31/03/2025",
        "Lettura | non superata | prima lettura 01/02/2025, ultima 22/03/2025",
    ] {
        assert!(text.contains(line), "the report does not say {line:?}:\n{text}");
    }
    assert!(!text.contains("rispondono soltanto alla macchina"));
}

#[test]
fn it_lists_what_was_not_measured_so_far() {
    let text = said(&system(&facts(), &texts("it")));
    for line in [
        "Lacune di misura fino alla data della relazione",
        "Caldaia scuola Nord | 01/02/2025 | nessuno | 0,0 | –",
        "Fornitura elettrica scuola Nord | 01/02/2025 | 5 | 23,0 | 9 giorni, dal 23/03/2025 al 31/03/2025",
        &format!("{} | ancora nessuna misura | – | – | –", facts().points[2].meter.name),
        "Fornitura elettrica scuola Nord | febbraio 2025 | 50,0 % | 14,0",
        "Fornitura elettrica scuola Nord | marzo 2025 | 71,0 % | 9,0",
        "Fornitura elettrica scuola Nord: altri mesi con lacune, più vecchi: 3.",
    ] {
        assert!(text.contains(line), "{line:?} is not in:\n{text}");
    }
    let mut whole = facts();
    whole.gaps.truncate(1);
    assert!(said(&system(&whole, &texts("it"))).contains("Nessun mese con lacune"));
}

#[test]
fn no_text_is_missing_in_either_language() {
    // A project before its first whole year has a monitoring system too.
    let young = SystemFacts { delivered: Vec::new(), project: provisional().project, ..facts() };
    for (language, facts) in [("it", facts()), ("en", facts()), ("it", young)] {
        let text = said(&system(&facts, &texts(language)));
        let keys: Vec<&str> =
            text.split_whitespace().filter(|w| w.starts_with("report.") && w.len() > 7).collect();
        assert!(keys.is_empty(), "{language}: {keys:?}");
        assert!(!text.contains('{'), "{language}: {text}");
    }
}

#[test]
fn the_pdf_is_sound_and_the_same_every_time() {
    let (texts, template) = (texts("it"), Template::bundled());
    let press = Press { texts: &texts, template: &template, edition: None };
    let file = system_report(&facts(), &press).expect("a file");
    assert_eq!(file, system_report(&facts(), &press).expect("a file"));
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("r.pdf"), &file.bytes).expect("written");
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(folder.path()).output();
        let output = output.unwrap_or_else(|e| panic!("{program} could not be started ({e})"));
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(run("qpdf", &["--check", "r.pdf"]).contains("No syntax or stream encoding errors"));
    assert!(run("pdfinfo", &["-struct", "r.pdf"]).contains("Figure"));
    assert!(run("pdftotext", &["-layout", "r.pdf", "-"]).contains("Borgo <centro>"));
}
