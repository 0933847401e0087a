//! `consuntivo record` and `consuntivo kpi`: documents, notes, what was done elsewhere, and *Valore POST*.
//!
//! Must never: change a measured value, or record anything without a name.

use std::path::PathBuf;

use analytics::exchange::EnergyUnit;
use analytics::text::Texts;
use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use connectors::day::Day;
use model::{Finding, ProjectId};
use serde_json::json;

use crate::commands::import::read_file;
use crate::commands::meter::parse_number;
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::records::{self, Document, Done, Note};
use crate::stated::{self, Row, Said, words_of};
use crate::{clock, figures, parse_project, reports};

/// Of which project, and who says it.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// The installation file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[arg(long, value_parser = parse_project)]
    project: ProjectId,
    /// Who says it, for the audit log
    #[arg(long, default_value = "cli")]
    author: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Keep a document: PDF, JPEG, PNG or Word, known by its content
    DocumentAdd {
        file: PathBuf,
        #[arg(long)]
        title: String,
        #[arg(long)]
        year: Option<i32>,
        /// The KPI that it explains
        #[arg(long)]
        kpi: Option<String>,
        #[command(flatten)]
        of: Of,
    },
    /// The project's documents with their hashes
    DocumentList {
        #[command(flatten)]
        of: Of,
    },
    /// Write a kept file out again, by its SHA-256
    DocumentGet {
        sha256: String,
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        of: Of,
    },
    /// Keep a note
    NoteAdd {
        #[arg(long)]
        text: String,
        #[arg(long)]
        year: Option<i32>,
        #[command(flatten)]
        of: Of,
    },
    /// The project's notes
    NoteList {
        #[command(flatten)]
        of: Of,
    },
    /// An obligation was fulfilled outside this program
    Done {
        /// Its id in the scheme, as `obligations` shows it
        #[arg(long)]
        obligation: String,
        #[arg(long)]
        year: Option<i32>,
        /// The day on which it was sent; without it the record is taken back
        #[arg(long, value_name = "YYYY-MM-DD")]
        on: Option<NaiveDate>,
        /// How and where
        #[arg(long)]
        note: String,
        #[command(flatten)]
        of: Of,
    },
}

pub(crate) fn record(what: &What) -> Result<Exit, Failure> {
    match what {
        What::DocumentAdd { file, title, year, kpi, of } => {
            let (store, installation) = opened(of)?;
            check_kpi(&store, &installation, of, kpi.as_deref())?;
            let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let document = Document {
                project: of.project.to_string(),
                name,
                title: title.clone(),
                mime: String::new(),
                bytes: 0,
                sha256: String::new(),
                year: *year,
                kpi: kpi.clone(),
            };
            let kept = records::add_document(&store, document, &read_file(file)?, &of.author, clock::now())?;
            println!("{}  {}  {}", kept.sha256, kept.mime, kept.name);
        }
        What::DocumentList { of } => {
            let (store, _) = opened(of)?;
            for (document, record) in records::documents(&store, &of.project)? {
                let year = document.year.map_or_else(|| "-".to_owned(), |y| y.to_string());
                println!(
                    "{}\t{}\t{}\t{year}\t{}\t{}\t{}",
                    document.sha256, document.mime, document.bytes, document.title, record.author, record.at
                );
            }
        }
        What::DocumentGet { sha256, out, of } => {
            let (store, _) = opened(of)?;
            let bytes = records::kept(&store, sha256)?;
            let name = out.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let file = dashboards::RenderedFile { name, mime: "", bytes };
            let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
            reports::write_all(folder.unwrap_or(std::path::Path::new(".")), &[file])?;
        }
        What::NoteAdd { text, year, of } => {
            let (store, _) = opened(of)?;
            let note = Note { project: of.project.to_string(), year: *year, text: text.clone() };
            records::add_note(&store, &note, &of.author, clock::now())?;
        }
        What::NoteList { of } => {
            let (store, _) = opened(of)?;
            for (note, record) in records::notes(&store, &of.project)? {
                println!("{}\t{}\t{}", record.at, record.author, note.text);
            }
        }
        What::Done { obligation, year, on, note, of } => {
            let (store, installation) = opened(of)?;
            let project = figures::project(&store, &installation.catalog, &of.project)?;
            let scheme = installation.catalog.scheme(&project.scheme);
            if scheme.is_none_or(|s| s.obligation(obligation).is_none()) {
                let says = format!("the scheme {} has no obligation {obligation:?}", project.scheme);
                return Err(Failure::bad_input(says));
            }
            let done = Done {
                project: of.project.to_string(),
                obligation: obligation.clone(),
                year: *year,
                on: on.map(Day),
                note: note.clone(),
            };
            records::put_done(&store, &done, &of.author, clock::now())?;
        }
    }
    Ok(Exit::OK)
}

/// Refuses a KPI that the project's scheme does not have.
fn check_kpi(
    store: &store::Store,
    installation: &Installation,
    of: &Of,
    kpi: Option<&str>,
) -> Result<(), Failure> {
    let project = figures::project(store, &installation.catalog, &of.project)?;
    match installation.catalog.scheme(&project.scheme) {
        Some(scheme) => records::check_kpi(scheme, kpi),
        None => Ok(()),
    }
}

fn opened(of: &Of) -> Result<(store::Store, Installation), Failure> {
    let installation = Installation::load(&of.config)?;
    let store = installation.open_shared_store()?;
    figures::project(&store, &installation.catalog, &of.project)?;
    Ok((store, installation))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Energy {
    /// That of the scheme
    #[value(name = "scheme")]
    Scheme,
    #[value(name = "MWh")]
    Mwh,
    #[value(name = "GWh")]
    Gwh,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KpiWhat {
    /// Each KPI: unit, declared, measured, *Valore POST*, outcome, who stated it and why, 90 % band, first reason
    List {
        #[arg(long)]
        year: i32,
        /// For programs: numbers unrounded, every reason
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        of: Of,
    },
    /// State a *Valore POST* in place of the measured one, which stays beside it
    Set {
        #[arg(long)]
        year: i32,
        /// The KPI's code, or its short one in the region's system
        #[arg(long)]
        code: String,
        /// In the scheme's unit, such as 1234.5 or 1.234,5; without it the measured value counts again
        #[arg(long, allow_hyphen_values = true)]
        value: Option<String>,
        #[arg(long)]
        reason: String,
        /// For the column *Note*
        #[arg(long, default_value = "")]
        note: String,
        #[command(flatten)]
        of: Of,
    },
    /// Text to paste into the region's system: code, unit, *Valore POST*, *Note*; two decimals, decimal comma
    Exchange {
        #[arg(long)]
        year: i32,
        /// The unit of energies
        #[arg(long, value_enum, default_value = "scheme")]
        energy: Energy,
        #[command(flatten)]
        of: Of,
    },
    /// The same values as a page in PDF/A, to be signed
    Annex {
        #[arg(long)]
        year: i32,
        /// The unit of energies
        #[arg(long, value_enum, default_value = "scheme")]
        energy: Energy,
        /// The language of the page
        #[arg(long, value_parser = ["it", "en"], default_value = "it")]
        language: String,
        /// The folder to write into
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        of: Of,
    },
}

impl Energy {
    const fn unit(self) -> EnergyUnit {
        match self {
            Self::Scheme => EnergyUnit::Scheme,
            Self::Mwh => EnergyUnit::MegawattHour,
            Self::Gwh => EnergyUnit::GigawattHour,
        }
    }
}

pub(crate) fn kpi(what: &KpiWhat) -> Result<Exit, Failure> {
    match what {
        KpiWhat::List { year, json, of } => list(of, *year, *json)?,
        KpiWhat::Set { year, code, value, reason, note, of } => {
            let (store, installation) = opened(of)?;
            let said = Said { code, value: value.as_deref().map(value_of).transpose()?, reason, note };
            stated::set(&store, &installation, (&of.project, *year), &said, (&of.author, clock::now()))?;
        }
        KpiWhat::Exchange { year, energy, of } => {
            let (store, installation) = opened(of)?;
            let of_year = (&of.project, *year);
            print!("{}", stated::exchanged(&store, &installation, of_year, energy.unit(), clock::now())?);
        }
        KpiWhat::Annex { year, energy, language, out, of } => {
            let (store, installation) = opened(of)?;
            let of_year = (&of.project, *year);
            let way = (energy.unit(), &**language);
            let file = stated::annex(&store, &installation, of_year, way, clock::now())?;
            println!("{}", out.join(&file.name).display());
            reports::write_all(out, &[file])?;
        }
    }
    Ok(Exit::OK)
}

/// A value as people type it, in the scheme's unit.
fn value_of(text: &str) -> Result<f64, Failure> {
    parse_number(text.trim()).map_err(|why| {
        let says =
            format!("{text:?} is no value: {why}; write it like \"1234.5\" or \"1.234,5\", without a unit");
        Failure::bad_input(says).coded("number")
    })
}

/// Each KPI of a year in lines of cells, or as JSON.
fn list(of: &Of, year: i32, json: bool) -> Result<(), Failure> {
    let (store, installation) = opened(of)?;
    let (figures, rows) = stated::year_and_rows(&store, &installation, (&of.project, year), clock::now())?;
    let texts = installation.catalog.texts(&installation.settings.installation.language);
    if json {
        let rows: Vec<_> = rows.iter().map(|row| row_of_json(row, &figures.findings, &texts)).collect();
        println!("{}", json!(rows));
        return Ok(());
    }
    for row in rows {
        let (kpi, post, decimals) = (&row.result, row.post(), row.decimals());
        let shown = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.decimals$}"));
        let who = row.stated.as_ref().filter(|(value, _)| value.value.is_some()).map_or_else(
            || "measured".to_owned(),
            |(value, record)| format!("{} {}: {}", record.author, record.at, words_of(&value.reason)),
        );
        let band = match (kpi.low, kpi.high) {
            (None, None) => "-".to_owned(),
            (low, high) => format!("{} – {}", shown(low), shown(high)),
        };
        let printed = |value: Option<f64>| shown(value.map(|value| kpi.printed(value, decimals)));
        // The verdict is about the measured value, also where another one goes out.
        let about = if row.reason().is_some() && kpi.achieved.is_some() { " (measured)" } else { "" };
        let reasons = kpi.reasons(&figures.findings, &texts, row.reason().is_some());
        println!(
            "{}\t{}\t{}\t{}\t{}\t{}{about}\t{who}\t{band}\t{}",
            kpi.definition.code,
            kpi.definition.unit.symbol(),
            shown(kpi.target),
            printed(kpi.achieved),
            printed(post),
            texts.told(kpi.told(row.reason().is_some())),
            reasons.first().map_or("-", String::as_str)
        );
    }
    Ok(())
}

fn row_of_json(row: &Row, findings: &[Finding], texts: &Texts) -> serde_json::Value {
    let (kpi, was_stated) = (&row.result, row.reason().is_some());
    let stated = row.stated.as_ref().filter(|_| was_stated).map(|(value, record)| {
        json!({
            "value": value.value, "author": record.author, "at": record.at.to_string(), "reason": value.reason,
        })
    });
    json!({
        "code": kpi.definition.code, "unit": kpi.definition.unit.symbol(), "target": kpi.target,
        "achieved": kpi.achieved, "best": kpi.best, "low": kpi.low, "high": kpi.high, "post": row.post(),
        "verdict": kpi.verdict.code(), "told": kpi.told(was_stated), "says": texts.told(kpi.told(was_stated)),
        "stated": stated, "because": kpi.because, "reasons": kpi.reasons(findings, texts, was_stated),
    })
}
