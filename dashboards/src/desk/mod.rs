//! The pages of the beneficiary and of the region: a project's file in three tabs, the guided submission, the table of
//! every project.
//!
//! Must never: compute, or change anything but through [`Desk`], which does what the command line does.

pub(crate) mod api;
pub(crate) mod changed;
pub(crate) mod export;
pub(crate) mod file;
pub(crate) mod guide;
pub(crate) mod guide_steps;
pub(crate) mod memos;
pub(crate) mod papers;
pub(crate) mod preview;
pub(crate) mod query;
pub(crate) mod region;
pub(crate) mod routes;
pub(crate) mod upload;
pub mod wire;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use analytics::region::{Case, CaseDuty};
use analytics::report::beside::SectionKey;
use analytics::report::document::Section;
use chrono::NaiveDate;
use model::ProjectId;

use wire::{
    Change, CommentSaid, Contacts, DocumentSaid, DocumentView, DutyView, Guide, KpiSaid, KpiTable, MemoCase,
    MemoOrder, MemoOrderView, MemoPreview, NoteSaid, NoteView, ProjectFile, SavedView,
};

/// Most bytes of a document and of an attached file, as the daemon takes them; the page says so before they are sent.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Most bytes of an uploaded file: a signed report with its attachments.
pub const UPLOAD_BYTES_MAX: usize = 24 * 1024 * 1024;

/// Why something was not done. `code` names the reader's sentence (`page.desk.refused.<code>`); `says` is the cause in
/// English, for logs, programs, and readers whose language has no such sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{says}")]
pub struct Refused {
    pub kind: RefusedKind,
    pub code: &'static str,
    pub says: String,
}

/// Of what kind a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedKind {
    /// There is no such thing.
    Unknown,
    /// What was sent cannot be taken, or not at this step.
    Unusable,
    /// The installation cannot do it now.
    Busy,
}

impl Refused {
    #[must_use]
    pub fn unknown(says: impl Into<String>) -> Self {
        Self { kind: RefusedKind::Unknown, code: "unknown", says: says.into() }
    }

    #[must_use]
    pub fn unusable(code: &'static str, says: impl Into<String>) -> Self {
        Self { kind: RefusedKind::Unusable, code, says: says.into() }
    }

    #[must_use]
    pub fn busy(says: impl Into<String>) -> Self {
        Self { kind: RefusedKind::Busy, code: "busy", says: says.into() }
    }
}

/// One obligation of one project and, for what comes every year, one year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DutyKey {
    pub project: ProjectId,
    pub obligation: String,
    pub year: Option<i32>,
}

/// A file that is kept, to be handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// What writes a file to its end; an error leaves it broken off.
pub type WriteFile = Box<dyn FnOnce(&mut (dyn Write + Send)) -> io::Result<()> + Send>;

/// A file that is made while it is handed out.
pub struct MadeFile {
    pub name: String,
    /// Blocks; on a thread of its own.
    pub write: WriteFile,
}

impl fmt::Debug for MadeFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeFile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A file that somebody sends in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// One step of a submission. Each is one command of `consuntivo submission`.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    Begin,
    Check,
    Lift {
        code: String,
        subject: String,
        reason: String,
    },
    Attach(Upload),
    /// An attached file is taken off the draft.
    Detach {
        name: String,
    },
    Freeze {
        language: String,
    },
    /// `reason`: why it is taken although its authority is not verified, or its certificate names no person; may be empty.
    Sign {
        file: Upload,
        reason: String,
    },
    /// By the installation's own certified mail.
    Send {
        to: String,
    },
    /// A person sent it; the file is the receipt.
    Sent {
        to: String,
        on: NaiveDate,
        receipt: Upload,
    },
    Answered {
        accepted: bool,
        on: NaiveDate,
        says: String,
    },
    Correct {
        why: String,
    },
}

/// A section of the report in the making, and under which name it may be commented on.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftSection {
    pub key: SectionKey,
    pub section: Section,
    /// The person's comment as it stands: text, author, whether it stands in place of the program's.
    pub comment: Option<(String, String, bool)>,
}

/// The table of every project.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    pub day: NaiveDate,
    pub cases: Vec<Case>,
    /// In order of the day on which they ended.
    pub pending: Vec<Pending>,
}

/// A project of which there are no figures: nothing of it was measured for a year, or the grants system delivered it and
/// nobody registered it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// `None` where nobody registered it.
    pub project: Option<ProjectId>,
    pub title: String,
    pub cup: String,
    pub beneficiary: String,
    /// The scheme's title; of one that nobody registered the name of its call.
    pub scheme: String,
    /// Day of completion; of one that nobody registered the day on which the reporting of its expenses was closed.
    pub ended: NaiveDate,
    /// What is to be sent next, or is late.
    pub duty: Option<CaseDuty>,
}

/// What the pages of the beneficiary and of the region ask of the daemon. Calls may ask the disk.
///
/// # Errors
/// Every call: [`Refused`].
pub trait Desk: Send + Sync + 'static {
    fn project_file(&self, project: &ProjectId) -> Result<ProjectFile, Refused>;
    /// Whom to reach about the project, in place of what was stated before.
    fn set_contacts(&self, project: &ProjectId, said: &Contacts, author: &str) -> Result<(), Refused>;
    fn kpi_table(&self, project: &ProjectId, year: i32) -> Result<KpiTable, Refused>;
    /// *Valore POST* and *Note* of one KPI; the measured value stays beside them.
    fn state_kpi(&self, project: &ProjectId, year: i32, said: &KpiSaid, author: &str) -> Result<(), Refused>;
    fn documents(&self, project: &ProjectId) -> Result<Vec<DocumentView>, Refused>;
    fn add_document(
        &self,
        project: &ProjectId,
        said: &DocumentSaid,
        file: &Upload,
        author: &str,
    ) -> Result<DocumentView, Refused>;
    fn notes(&self, project: &ProjectId) -> Result<Vec<NoteView>, Refused>;
    fn add_note(&self, project: &ProjectId, said: &NoteSaid, author: &str) -> Result<(), Refused>;
    /// A document or a file of a submission of this very project.
    fn kept_file(&self, project: &ProjectId, sha256: &str) -> Result<KeptFile, Refused>;
    /// Newest first.
    fn history(&self, project: &ProjectId) -> Result<Vec<Change>, Refused>;
    fn duties(&self, project: &ProjectId) -> Result<Vec<DutyView>, Refused>;
    fn guide(&self, key: &DutyKey) -> Result<Guide, Refused>;
    fn act(&self, key: &DutyKey, act: &Act, author: &str) -> Result<(), Refused>;
    /// The sections of the annual report as they would be now.
    fn draft_sections(&self, key: &DutyKey, language: &str) -> Result<Vec<DraftSection>, Refused>;
    /// One of them as it would be with this comment; nothing is kept.
    fn preview_section(
        &self,
        key: &DutyKey,
        language: &str,
        said: &CommentSaid,
        author: &str,
    ) -> Result<DraftSection, Refused>;
    fn comment(
        &self,
        project: &ProjectId,
        year: i32,
        said: &CommentSaid,
        author: &str,
    ) -> Result<(), Refused>;
    /// The year's KPI values as they go to the region's system, as a page to be signed, in a language of the
    /// site.
    fn kpi_annex(&self, project: &ProjectId, year: i32, language: &str) -> Result<KeptFile, Refused>;
    /// *Fascicolo di progetto* as a ZIP.
    fn dossier(&self, project: &ProjectId) -> Result<MadeFile, Refused>;
    fn region(&self) -> Result<Arc<Region>, Refused>;
    fn views(&self, account: &str) -> Result<Vec<SavedView>, Refused>;
    /// A view without a query is taken away.
    fn save_view(&self, account: &str, view: &SavedView) -> Result<(), Refused>;
    fn preview_memos(&self, cases: &[MemoCase]) -> Result<MemoPreview, Refused>;
    /// Puts an order of letters on record; the same order again changes nothing. They go out soon after.
    fn order_memos(&self, order: &MemoOrder, author: &str) -> Result<(), Refused>;
    fn memo_order(&self, id: &str) -> Result<MemoOrderView, Refused>;
}
