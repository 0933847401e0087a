//! The template a document is set with: the program's own, or an installation's in its place.
//!
//! Must never: let a template run a text of the data as code, or see a file that was not given with it.

use typst::foundations::Bytes;
use typst::syntax::{FileId, LinkedNode, Source, SyntaxKind};

use crate::world::{file_id, shared};
use crate::{Attachment, Date, PdfJob, TypesetError, pdf};

/// Largest template, in bytes of its source.
pub const TEMPLATE_BYTES_MAX: usize = 256 * 1024;
/// Most pictures beside a template, and the largest of them in bytes.
pub const PICTURES_MAX: usize = 16;
pub const PICTURE_BYTES_MAX: usize = 1024 * 1024;

/// What a template may not say: these turn text into code, or reach for other sources.
const FORBIDDEN: [&str; 2] = ["eval", "plugin"];

/// A checked template with its pictures.
#[derive(Debug, Clone)]
pub struct Template {
    pub(crate) source: Source,
    pub(crate) pictures: Vec<(FileId, Bytes)>,
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("{what} has {actual} bytes, and at most {limit} are allowed")]
    TooLarge { what: String, actual: usize, limit: usize },
    #[error("{actual} pictures stand beside the template, and at most {PICTURES_MAX} are allowed")]
    TooMany { actual: usize },
    #[error(
        "{name:?} is no name for a picture: use letters, digits, '-' and '_', and one of .png, .jpg, .svg"
    )]
    PictureName { name: String },
    #[error("line {line}: {says}")]
    Syntax { line: usize, says: String },
    #[error("line {line}: a template may not use `{word}`; data are texts, and no text is ever run")]
    Forbidden { line: usize, word: String },
    #[error("a sample document could not be set with it: {0}")]
    Sample(#[source] TypesetError),
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source.text() == other.source.text() && self.pictures == other.pictures
    }
}

impl Template {
    /// The program's own.
    #[must_use]
    pub fn bundled() -> Self {
        Self { source: shared().template.clone(), pictures: Vec::new() }
    }

    /// An installation's own template and the pictures it shows, checked by setting a sample with every kind of block.
    ///
    /// # Errors
    /// When it is no Typst, uses what a template may not use, passes a limit, or does not set the sample.
    pub fn own(text: &str, pictures: Vec<(String, Vec<u8>)>) -> Result<Self, TemplateError> {
        check_size("the template", text.len(), TEMPLATE_BYTES_MAX)?;
        if PICTURES_MAX < pictures.len() {
            return Err(TemplateError::TooMany { actual: pictures.len() });
        }
        let mut files = Vec::with_capacity(pictures.len());
        for (name, bytes) in pictures {
            check_size(&name, bytes.len(), PICTURE_BYTES_MAX)?;
            let stem = name.strip_suffix(".png").or(name.strip_suffix(".jpg")).or(name.strip_suffix(".svg"));
            let plain = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
            // Charts are `chart-0.svg` and so on.
            if !stem.is_some_and(|s| !s.is_empty() && s.len() <= 60 && plain(s)) || name.starts_with("chart-")
            {
                return Err(TemplateError::PictureName { name });
            }
            files.push((file_id(&name), Bytes::new(bytes)));
        }
        let source = Source::new(shared().main, text.to_owned());
        judge(&source)?;
        let template = Self { source, pictures: files };
        pdf(&sample(), &template).map_err(TemplateError::Sample)?;
        Ok(template)
    }
}

fn check_size(what: &str, actual: usize, limit: usize) -> Result<(), TemplateError> {
    if limit < actual {
        return Err(TemplateError::TooLarge { what: what.to_owned(), actual, limit });
    }
    Ok(())
}

/// Refuses what does not parse and what is forbidden.
fn judge(source: &Source) -> Result<(), TemplateError> {
    let line = |node: &LinkedNode<'_>| 1 + source.text()[..node.offset()].matches('\n').count();
    let errors = source.root().errors_and_warnings().0;
    let mut open = vec![LinkedNode::new(source.root())];
    while let Some(node) = open.pop() {
        let word = match node.kind() {
            SyntaxKind::Error => {
                let says = errors.first().map_or_else(|| "is no Typst".to_owned(), |e| e.message.to_string());
                return Err(TemplateError::Syntax { line: line(&node), says });
            }
            SyntaxKind::ModuleImport => Some("import"),
            SyntaxKind::ModuleInclude => Some("include"),
            SyntaxKind::Ident | SyntaxKind::MathIdent => {
                FORBIDDEN.into_iter().find(|word| node.leaf_text().as_str() == *word)
            }
            _ => None,
        };
        if let Some(word) = word {
            return Err(TemplateError::Forbidden { line: line(&node), word: word.to_owned() });
        }
        // The last of the stack is looked at next: in order of the text.
        open.extend(node.children().rev());
    }
    Ok(())
}

/// A document with every kind of block, a picture and an attachment.
fn sample() -> PdfJob {
    PdfJob {
        data: include_str!("sample.json").to_owned(),
        charts: vec![
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="9" height="9"/></svg>"##
                .to_owned(),
        ],
        attachments: vec![Attachment {
            name: "sample.csv".to_owned(),
            mime: "text/csv".to_owned(),
            description: "Sample".to_owned(),
            bytes: b"a;b\r\n".to_vec(),
        }],
        date: Date { year: 2026, month: 1, day: 1 },
        ident: "sample".to_owned(),
    }
}
