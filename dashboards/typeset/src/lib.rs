//! Sets a document as PDF/A with Typst as a library: a fixed template, data, charts and attachments in,
//! bytes out.
//!
//! Must never: compile a text of the data as markup, read a file or the clock, or reach the network. The template is
//! part of the program, or an installation's own that was checked; everything else arrives as data. Same job and
//! template, same bytes.

mod legible;
mod template;
mod world;

pub use template::{PICTURE_BYTES_MAX, PICTURES_MAX, TEMPLATE_BYTES_MAX, Template, TemplateError};

use typst::foundations::{Datetime, Smart};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};

use crate::world::JobWorld;

/// Largest job accepted, in bytes of data, charts and attachments together: a report of a hundred meters
/// stays far below it.
pub const JOB_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most charts in one document.
pub const CHARTS_MAX: usize = 200;
/// Most attachments in one document.
pub const ATTACHMENTS_MAX: usize = 16;

/// A civil date, for the document's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    pub year: i32,
    pub month: u8,
    pub day: u8,
}

/// A file carried inside the PDF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// A plain file name, no folder: letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// `text/csv`, `application/json`, ….
    pub mime: String,
    /// A sentence a reader's program shows beside the name.
    pub description: String,
    pub bytes: Vec<u8>,
}

/// One document to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PdfJob {
    /// JSON in the form that the head of `template.typ` describes. Every text in it is set as text.
    pub data: String,
    /// SVG pictures; the data name them by their index.
    pub charts: Vec<String>,
    pub attachments: Vec<Attachment>,
    /// Becomes the creation date in the metadata, at midnight UTC. Never the wall clock.
    pub date: Date,
    /// Tells this document from every other one; the PDF's identifier is made from it.
    pub ident: String,
}

/// Why a job could not be set.
#[derive(Debug, thiserror::Error)]
pub enum TypesetError {
    #[error("the document has {what}: {actual}, and at most {limit} are set; split the document")]
    TooLarge { what: &'static str, actual: usize, limit: usize },
    #[error(
        "{name:?} is no name for an attachment: use letters, digits, '-', '_' and '.', at most 100 of them"
    )]
    AttachmentName { name: String },
    #[error("{year}-{month}-{day} is no day of the calendar")]
    Date { year: i32, month: u8, day: u8 },
    #[error("the document could not be laid out: {0}")]
    Layout(String),
    #[error("the document could not be written as PDF/A-3a: {0}")]
    Export(String),
}

/// Sets `job` with `template` as PDF/A-3a and PDF/UA-1: tagged, fonts embedded, attachments inside.
///
/// # Errors
/// When the job passes a limit, names an attachment badly, or its data do not have the template's form.
pub fn pdf(job: &PdfJob, template: &Template) -> Result<Vec<u8>, TypesetError> {
    check(job)?;
    let timestamp = timestamp(job.date)?;
    let standards = PdfStandards::new(&[PdfStandard::A_3a, PdfStandard::Ua_1])
        .map_err(|e| TypesetError::Export(e.message().to_string()))?;
    let world = JobWorld::new(job, template);
    let laid_out = typst::compile::<PagedDocument>(&world).output;
    let result =
        laid_out.map_err(|errors| TypesetError::Layout(world::list(&world, &errors))).and_then(|document| {
            let options = PdfOptions {
                ident: Smart::Custom(job.ident.clone()),
                creator: Smart::Custom(Some("consuntivo".to_owned())),
                timestamp: Some(timestamp),
                standards,
                ..PdfOptions::default()
            };
            typst_pdf::pdf(&document, &options)
                .map_err(|errors| TypesetError::Export(world::list(&world, &errors)))
        });
    // The layout cache outlives the job and would keep every report's text in memory.
    typst::comemo::evict(0);
    result
}

fn check(job: &PdfJob) -> Result<(), TypesetError> {
    let bytes = job.data.len()
        + job.charts.iter().map(String::len).sum::<usize>()
        + job.attachments.iter().map(|a| a.bytes.len()).sum::<usize>();
    for (what, actual, limit) in [
        ("bytes", bytes, JOB_BYTES_MAX),
        ("charts", job.charts.len(), CHARTS_MAX),
        ("attachments", job.attachments.len(), ATTACHMENTS_MAX),
    ] {
        if limit < actual {
            return Err(TypesetError::TooLarge { what, actual, limit });
        }
    }
    for attachment in &job.attachments {
        let name = &attachment.name;
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if name.is_empty() || 100 < name.len() || !plain || name.starts_with('.') {
            return Err(TypesetError::AttachmentName { name: name.chars().take(100).collect() });
        }
    }
    Ok(())
}

fn timestamp(date: Date) -> Result<Timestamp, TypesetError> {
    Datetime::from_ymd_hms(date.year, date.month, date.day, 0, 0, 0)
        .map(Timestamp::new_utc)
        .ok_or(TypesetError::Date { year: date.year, month: date.month, day: date.day })
}

#[cfg(test)]
mod tests;
