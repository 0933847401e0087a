//! The files of an annual report: PDF with the structured file inside, and the structured file by itself.
//!
//! Must never: read a clock or the disk. Same figures, same texts: same bytes.

use analytics::report::structured::structured;
use analytics::report::system::{SystemFacts, system};
use analytics::report::{AnnualOptions, annual};
use analytics::result::ProjectYear;
use analytics::text::Texts;
use typeset::Attachment;

use crate::pdf::pdf;
use crate::structured::{MIME_CSV, MIME_JSON, MIME_XLSX, MIME_XML, csv, csv_plain, json, xlsx, xml};

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    pub name: String,
    pub mime: &'static str,
    pub bytes: Vec<u8>,
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("the report could not be set as PDF")]
    Pdf(#[from] typeset::TypesetError),
    #[error("the structured file could not be written as CSV: {0}")]
    Csv(String),
    #[error("the structured file could not be written as JSON: {0}")]
    Json(String),
    #[error("the structured file could not be written as XLSX: {0}")]
    Xlsx(String),
}

/// The annual report of a project's year in the language of `texts`: PDF first, then the structured file as XLSX, CSV,
/// plain CSV, XML and JSON.
///
/// # Errors
/// When a file breaks a limit of its format.
pub fn annual_report(year: &ProjectYear, texts: &Texts) -> Result<Vec<RenderedFile>, RenderError> {
    annual_report_with(year, texts, AnnualOptions::default())
}

/// [`annual_report`] with the caller's choices.
///
/// # Errors
/// When a file breaks a limit of its format.
pub fn annual_report_with(
    year: &ProjectYear,
    texts: &Texts,
    options: AnnualOptions,
) -> Result<Vec<RenderedFile>, RenderError> {
    let number = year.year;
    let file = structured(year);
    // The measurements are one file for readers of every language; only the report speaks one.
    let data_name = |ending: &str| format!("misure-mensili-{number}.{ending}");
    let json_bytes = json(&file)?;
    let csv_bytes = csv(&file)?;
    let xml_bytes = xml(&file);
    let attachments = [
        ("json", MIME_JSON, "report.structured.attachment_json", &json_bytes),
        ("csv", MIME_CSV, "report.structured.attachment_csv", &csv_bytes),
        ("xml", MIME_XML, "report.structured.attachment_xml", &xml_bytes),
    ]
    .map(|(ending, mime, description, bytes)| Attachment {
        name: data_name(ending),
        mime: mime.to_owned(),
        description: texts.get(description).to_owned(),
        bytes: bytes.clone(),
    });
    let document = annual(year, texts, options);
    let code = format!("CUP {}", year.project.cup);
    let name = match texts.language() {
        "en" => format!("annual-report-{number}.pdf"),
        _ => format!("relazione-annuale-{number}.pdf"),
    };
    let bytes = pdf(&document, &code, texts, attachments.into())?;
    Ok(vec![
        RenderedFile { name, mime: "application/pdf", bytes },
        RenderedFile { name: data_name("xlsx"), mime: MIME_XLSX, bytes: xlsx(&file, texts)? },
        RenderedFile { name: data_name("csv"), mime: MIME_CSV, bytes: csv_bytes },
        RenderedFile {
            name: format!("misure-mensili-{number}-plain.csv"),
            mime: MIME_CSV,
            bytes: csv_plain(&file)?,
        },
        RenderedFile { name: data_name("xml"), mime: MIME_XML, bytes: xml_bytes },
        RenderedFile { name: data_name("json"), mime: MIME_JSON, bytes: json_bytes },
    ])
}

/// The report on the monitoring system in the language of `texts`.
///
/// # Errors
/// When it breaks a limit of the format.
pub fn system_report(facts: &SystemFacts, texts: &Texts) -> Result<RenderedFile, RenderError> {
    let code = format!("CUP {}", facts.project.cup);
    let bytes = pdf(&system(facts, texts), &code, texts, Vec::new())?;
    let name = match texts.language() {
        "en" => "monitoring-system.pdf",
        _ => "sistema-di-monitoraggio.pdf",
    };
    Ok(RenderedFile { name: name.to_owned(), mime: "application/pdf", bytes })
}
