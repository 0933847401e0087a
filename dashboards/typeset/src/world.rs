//! What a compilation may see: the template with its pictures, the job's data and charts, and the bundled fonts.
//!
//! Must never: offer a file of the disk, a package, an installed font, or today's date.

use std::sync::OnceLock;

use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{DiagSpan, FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World, WorldExt};

use crate::legible::legible;
use crate::{PdfJob, Template};

const TEMPLATE: &str = include_str!("template.typ");

/// What every compilation shares, made once: the standard library, the bundled template's syntax tree, the fonts.
pub(crate) struct Shared {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    pub(crate) main: FileId,
    pub(crate) template: Source,
}

pub(crate) fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        // The bytes stay in the program file: no copy is made.
        let fonts: Vec<Font> =
            typst_assets::fonts().flat_map(|bytes| Font::iter(Bytes::new(bytes))).collect();
        let book = FontBook::from_fonts(&fonts);
        let main = file_id("template.typ");
        Shared {
            library: LazyHash::new(Library::default()),
            book: LazyHash::new(book),
            fonts,
            main,
            template: Source::new(main, TEMPLATE.to_owned()),
        }
    })
}

impl Shared {
    /// Whether any of the fonts has the character.
    fn shows(&self, c: char) -> bool {
        self.fonts.iter().any(|font| font.info().coverage.contains(u32::from(c)))
    }

    fn legible(&self, text: &str) -> Bytes {
        Bytes::from_string(legible(text, |c| self.shows(c)).into_owned())
    }
}

/// The id of a virtual file. Ids are kept for the life of the process, so names come from
/// a fixed, small set: constants, numbers, and the checked names of a template's few pictures.
pub(crate) fn file_id(name: &str) -> FileId {
    #[expect(
        clippy::expect_used,
        reason = "constants, chart numbers and names checked to be plain; all are valid paths"
    )]
    let path = VirtualPath::new(name).expect("a plain file name");
    RootedPath::new(VirtualRoot::Project, path).intern()
}

/// One compilation.
pub(crate) struct JobWorld {
    shared: &'static Shared,
    template: Source,
    files: Vec<(FileId, Bytes)>,
}

impl JobWorld {
    pub(crate) fn new(job: &PdfJob, template: &Template) -> Self {
        let shared = shared();
        let mut files = vec![(file_id("data.json"), shared.legible(&job.data))];
        for (i, svg) in job.charts.iter().enumerate() {
            files.push((file_id(&format!("chart-{i}.svg")), shared.legible(svg)));
        }
        files.push((file_id("attachments.json"), Bytes::from_string(attachment_list(job))));
        for (i, attachment) in job.attachments.iter().enumerate() {
            files.push((file_id(&format!("attachment-{i}")), Bytes::new(attachment.bytes.clone())));
        }
        files.extend(template.pictures.iter().cloned());
        Self { shared, template: template.source.clone(), files }
    }

    /// The line of the template, from 1, that an error is about, or from which it was come to.
    fn line_of(&self, error: &SourceDiagnostic) -> Option<usize> {
        let trace = error.trace.iter().map(|point| DiagSpan::from(point.span));
        let at = std::iter::once(error.span).chain(trace).find(|at| at.id() == Some(self.shared.main))?;
        let before = self.template.text().get(..self.range(at)?.start)?;
        Some(1 + before.matches('\n').count())
    }
}

/// The attachments' names as JSON, for the template.
fn attachment_list(job: &PdfJob) -> String {
    let rows: Vec<String> = job
        .attachments
        .iter()
        .map(|a| {
            format!(
                "{{\"name\":{},\"mime\":{},\"description\":{}}}",
                json_string(&a.name),
                json_string(&a.mime),
                json_string(&a.description)
            )
        })
        .collect();
    format!("[{}]", rows.join(","))
}

fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl World for JobWorld {
    fn library(&self) -> &LazyHash<Library> {
        &self.shared.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.shared.book
    }

    fn main(&self) -> FileId {
        self.shared.main
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.shared.main {
            return Ok(self.template.clone());
        }
        // Nothing that came with a job is ever source.
        Err(FileError::NotSource)
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        self.files
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, bytes)| bytes.clone())
            .ok_or(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.shared.fonts.get(index).cloned()
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        None
    }
}

/// Diagnostics in one line, each with its line of the template where it has one.
pub(crate) fn list(world: &JobWorld, errors: &[SourceDiagnostic]) -> String {
    let mut texts: Vec<String> = errors
        .iter()
        .take(5)
        .map(|e| {
            let hints: Vec<&str> = e.hints.iter().map(|h| h.v.as_str()).collect();
            let at = world.line_of(e).map_or_else(String::new, |line| format!("line {line}: "));
            if hints.is_empty() {
                format!("{at}{}", e.message)
            } else {
                format!("{at}{} ({})", e.message, hints.join("; "))
            }
        })
        .collect();
    if errors.len() > 5 {
        texts.push(format!("and {} more", errors.len() - 5));
    }
    texts.join("; ")
}
