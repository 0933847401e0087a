//! The files of the documents: PDF with the structured file inside, and the structured file by itself.
//!
//! Must never: read a clock or the disk. Same figures, same texts: same bytes.

use analytics::report::beside::Beside;
use analytics::report::campaign::{Campaign, campaign};
use analytics::report::document::Document;
use analytics::report::edition::Edition;
use analytics::report::kpi_annex::{AnnexFacts, kpi_annex};
use analytics::report::sheet::sheet;
use analytics::report::structured::structured;
use analytics::report::system::{SystemFacts, system};
use analytics::report::{AnnualOptions, annual};
use analytics::result::ProjectYear;
use analytics::text::Texts;
use typeset::{Attachment, Template};

use crate::pdf::pdf;
use crate::structured::{MIME_CSV, MIME_JSON, MIME_XLSX, MIME_XML, csv, csv_plain, json, xlsx, xml};

const MIME_PDF: &str = "application/pdf";

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
    #[error("the campaign touches no calendar year")]
    NoYear,
    #[error("the structured file could not be written as CSV: {0}")]
    Csv(String),
    #[error("the structured file could not be written as JSON: {0}")]
    Json(String),
    #[error("the structured file could not be written as XLSX: {0}")]
    Xlsx(String),
}

/// What a document is set with: the words of a language, a template, and of a correction what it replaces.
#[derive(Debug, Clone, Copy)]
pub struct Press<'a> {
    pub texts: &'a Texts,
    pub template: &'a Template,
    /// `None` of what replaces nothing.
    pub edition: Option<&'a Edition>,
}

impl Press<'_> {
    /// A file's name in this language.
    fn name(&self, italian: &str, english: &str, ending: &str) -> String {
        let stem = if self.texts.language() == "en" { english } else { italian };
        format!("{stem}{ending}")
    }

    fn pdf(
        &self,
        mut document: Document,
        cup: &str,
        attachments: Vec<Attachment>,
    ) -> Result<Vec<u8>, RenderError> {
        if let Some(edition) = self.edition {
            edition.mark(&mut document, self.texts);
        }
        pdf(&document, &format!("CUP {cup}"), self, attachments)
    }
}

/// The annual report of a project's year: PDF first, then the structured file as XLSX, CSV, plain CSV, XML and JSON.
///
/// # Errors
/// When a file breaks a limit of its format.
pub fn annual_report(
    year: &ProjectYear,
    beside: &Beside,
    press: &Press<'_>,
) -> Result<Vec<RenderedFile>, RenderError> {
    let data = Measurements::of(year, beside, press.texts)?;
    let document = annual(year, beside, press.texts, AnnualOptions::default());
    let name = press.name("relazione-annuale", "annual-report", &format!("-{}.pdf", year.year));
    let bytes = press.pdf(document, &year.project.cup, data.attachments)?;
    let report = RenderedFile { name, mime: MIME_PDF, bytes };
    Ok(std::iter::once(report).chain(data.files).collect())
}

/// The structured file of a year in all its forms.
struct Measurements {
    /// XLSX, CSV, plain CSV, XML and JSON.
    files: [RenderedFile; 5],
    /// The forms that are put inside a report: JSON, CSV and XML.
    attachments: Vec<Attachment>,
}

impl Measurements {
    fn of(year: &ProjectYear, beside: &Beside, texts: &Texts) -> Result<Self, RenderError> {
        let file = structured(year, beside);
        // The measurements are one file for readers of every language; only the report speaks one.
        let name = |ending: &str| format!("misure-mensili-{}{ending}", year.year);
        let (json_bytes, csv_bytes, xml_bytes) = (json(&file)?, csv(&file)?, xml(&file));
        let attachments = [
            (".json", MIME_JSON, "report.structured.attachment_json", &json_bytes),
            (".csv", MIME_CSV, "report.structured.attachment_csv", &csv_bytes),
            (".xml", MIME_XML, "report.structured.attachment_xml", &xml_bytes),
        ]
        .map(|(ending, mime, description, bytes)| Attachment {
            name: name(ending),
            mime: mime.to_owned(),
            description: texts.get(description).to_owned(),
            bytes: bytes.clone(),
        });
        let files = [
            (".xlsx", MIME_XLSX, xlsx(&file, texts)?),
            (".csv", MIME_CSV, csv_bytes),
            ("-plain.csv", MIME_CSV, csv_plain(&file)?),
            (".xml", MIME_XML, xml_bytes),
            (".json", MIME_JSON, json_bytes),
        ]
        .map(|(ending, mime, bytes)| RenderedFile { name: name(ending), mime, bytes });
        Ok(Self { files, attachments: attachments.into() })
    }
}

/// The report on the monitoring system.
///
/// # Errors
/// When it breaks a limit of the format.
pub fn system_report(facts: &SystemFacts, press: &Press<'_>) -> Result<RenderedFile, RenderError> {
    let bytes = press.pdf(system(facts, press.texts), &facts.project.cup, Vec::new())?;
    let name = press.name("sistema-di-monitoraggio", "monitoring-system", ".pdf");
    Ok(RenderedFile { name, mime: MIME_PDF, bytes })
}

/// The summary sheet of the indicators of a year, with what people state of them.
///
/// # Errors
/// When it breaks a limit of the format.
pub fn indicator_sheet(
    year: &ProjectYear,
    beside: &Beside,
    press: &Press<'_>,
) -> Result<RenderedFile, RenderError> {
    let document = sheet(year, beside, press.texts, AnnualOptions::default());
    let bytes = press.pdf(document, &year.project.cup, Vec::new())?;
    let name = press.name("scheda-indicatori", "indicator-sheet", &format!("-{}.pdf", year.year));
    Ok(RenderedFile { name, mime: MIME_PDF, bytes })
}

/// The annex to the KPI exchange of a year: one page.
///
/// # Errors
/// When it breaks a limit of the format.
pub fn annex_of_kpis(facts: &AnnexFacts<'_>, press: &Press<'_>) -> Result<RenderedFile, RenderError> {
    let bytes = press.pdf(kpi_annex(facts, press.texts), &facts.project.cup, Vec::new())?;
    let name = press.name("allegato-kpi", "kpi-annex", &format!("-{}.pdf", facts.year));
    Ok(RenderedFile { name, mime: MIME_PDF, bytes })
}

/// The final report of a measurement campaign, with the structured file of each of its calendar years inside and after it.
///
/// # Errors
/// When a file breaks a limit of its format, or the campaign has no year.
pub fn campaign_report(of: &Campaign, press: &Press<'_>) -> Result<Vec<RenderedFile>, RenderError> {
    let document = campaign(of, press.texts).ok_or(RenderError::NoYear)?;
    let (mut attachments, mut files) = (Vec::new(), Vec::new());
    for year in &of.years {
        // What people state is of one year; it stands in no other's file.
        let stated = of.stated.get(&year.year).cloned().unwrap_or_default();
        let data = Measurements::of(year, &Beside { stated, ..Beside::default() }, press.texts)?;
        attachments.extend(data.attachments);
        files.extend(data.files);
    }
    let cup = of.years.first().map(|y| y.project.cup.clone()).unwrap_or_default();
    let bytes = press.pdf(document, &cup, attachments)?;
    let name = press.name("relazione-finale-campagna", "campaign-report", ".pdf");
    files.insert(0, RenderedFile { name, mime: MIME_PDF, bytes });
    Ok(files)
}
