//! The pages of the beneficiary and of the region, answered by the functions that the commands use.
//!
//! Must never: do anything in a second way, or hand out a file of another project.

pub(crate) mod contacts;
mod file;
pub(crate) mod guide;
mod history;
mod memo;
pub(crate) mod region;

use std::io::{self, Write};
use std::sync::Arc;

use analytics::report::beside::SectionKey;
use chrono::Datelike as _;
use dashboards::desk::wire::{
    Change, CommentSaid, Contacts, DocumentSaid, DocumentView, DutyView, Guide, KpiSaid, KpiTable, MemoCase,
    MemoOrder, MemoOrderView, MemoPreview, NoteSaid, NoteView, ProjectFile, SavedView,
};
use dashboards::desk::{
    Act, Desk, DraftSection, DutyKey, KeptFile, MadeFile, Refused, RefusedKind, Region, Upload,
};
use model::ProjectId;

use crate::backend::DaemonBackend;
use crate::comments::{self, Said as Comment};
use crate::exit::{Exit, Failure};
use crate::records::{self, Document, Note};
use crate::stated::{self, Said};
use crate::{dossier, figures};

/// The kind under which an account's views of the region are kept, one record for each account.
const VIEWS_RECORD: &str = "region_view";
/// Most views of one account.
const VIEWS_MAX: usize = 50;
/// Longest name of a view in characters, and longest query in bytes.
const VIEW_NAME_MAX: usize = 80;
const VIEW_QUERY_MAX: usize = 1_000;

/// A failure as the pages take it. What is the program's own goes into the log.
pub(super) fn refused(failure: Failure) -> Refused {
    let says = format!("{:#}", failure.error);
    match failure {
        Failure { code: Some(code), .. } => Refused { kind: RefusedKind::Unusable, code, says },
        Failure { exit, .. } if exit == Exit::BAD_INPUT || exit == Exit::CHECK => {
            Refused { kind: RefusedKind::Unusable, code: "unusable", says }
        }
        Failure { .. } => {
            tracing::error!("a page's request failed: {says}");
            Refused::busy(says)
        }
    }
}

pub(super) fn broken(error: anyhow::Error) -> Refused {
    refused(Failure::from(error))
}

fn section_of(said: &CommentSaid) -> Result<SectionKey, Refused> {
    SectionKey::parse(&said.section).ok_or_else(|| Refused::unknown(format!("no section {:?}", said.section)))
}

impl DaemonBackend {
    /// Refuses a project that is not in the store.
    fn must_know(&self, project: &ProjectId) -> Result<(), Refused> {
        let known = self.0.store.record(figures::PROJECT_RECORD, project.as_str());
        match known.map_err(|error| broken(error.into()))? {
            Some(_) => Ok(()),
            None => Err(Refused::unknown(format!("no project {project}"))),
        }
    }
}

impl DaemonBackend {
    /// Refuses a year in which the project had nothing to document: before its baseline, or still to come.
    fn must_be_year(&self, project: &ProjectId, year: Option<i32>) -> Result<(), Refused> {
        let Some(year) = year else { return Ok(()) };
        let installation = self.0.installation();
        let of = figures::project(&self.0.store, &installation.catalog, project).map_err(refused)?;
        let known = of.dates.baseline_from.year()..=self.0.clock.now().day(of.zone).year();
        if known.contains(&year) {
            return Ok(());
        }
        let says = format!(
            "project {project} has nothing to document in {year}; its years are {} to {}",
            known.start(),
            known.end()
        );
        Err(Refused::unusable("year", says))
    }
}

impl Desk for DaemonBackend {
    fn project_file(&self, project: &ProjectId) -> Result<ProjectFile, Refused> {
        self.must_know(project)?;
        file::of(&self.0, project).map_err(refused)
    }

    fn set_contacts(&self, project: &ProjectId, said: &Contacts, author: &str) -> Result<(), Refused> {
        self.must_know(project)?;
        contacts::set(&self.0.store, project, said, (author, self.0.clock.now())).map_err(refused)
    }

    fn kpi_table(&self, project: &ProjectId, year: i32) -> Result<KpiTable, Refused> {
        self.must_know(project)?;
        file::kpi_table(&self.0, project, year).map_err(refused)
    }

    fn state_kpi(&self, project: &ProjectId, year: i32, said: &KpiSaid, author: &str) -> Result<(), Refused> {
        self.must_know(project)?;
        let installation = self.0.installation();
        let said = Said { code: &said.code, value: said.value, reason: &said.reason, note: &said.note };
        let who = (author, self.0.clock.now());
        stated::set(&self.0.store, &installation, (project, year), &said, who).map_err(refused)
    }

    fn documents(&self, project: &ProjectId) -> Result<Vec<DocumentView>, Refused> {
        let found = records::documents(&self.0.store, project).map_err(broken)?;
        let mut views: Vec<DocumentView> = found.into_iter().map(file::document_view).collect();
        views.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.name.cmp(&b.name)));
        Ok(views)
    }

    fn add_document(
        &self,
        project: &ProjectId,
        said: &DocumentSaid,
        upload: &Upload,
        author: &str,
    ) -> Result<DocumentView, Refused> {
        self.must_know(project)?;
        let now = self.0.clock.now();
        self.must_be_year(project, said.year)?;
        let kpi = said.kpi.clone().filter(|kpi| !kpi.is_empty());
        let installation = self.0.installation();
        let of = figures::project(&self.0.store, &installation.catalog, project).map_err(refused)?;
        if let Some(scheme) = installation.catalog.scheme(&of.scheme) {
            records::check_kpi(scheme, kpi.as_deref()).map_err(refused)?;
        }
        let document = Document {
            project: project.to_string(),
            name: upload.name.clone(),
            title: said.title.clone(),
            mime: String::new(),
            bytes: 0,
            sha256: String::new(),
            year: said.year,
            kpi,
        };
        let kept = records::add_document(&self.0.store, document, &upload.bytes, author, now);
        let kept = kept.map_err(refused)?;
        let all = self.documents(project)?;
        all.into_iter().find(|d| d.sha256 == kept.sha256).ok_or_else(|| Refused::busy("the document is gone"))
    }

    fn notes(&self, project: &ProjectId) -> Result<Vec<NoteView>, Refused> {
        let found = records::notes(&self.0.store, project).map_err(broken)?;
        let view = |(note, record): (Note, store::Record)| NoteView {
            text: note.text,
            year: note.year,
            author: record.author,
            at: record.at.to_string(),
        };
        Ok(found.into_iter().rev().map(view).collect())
    }

    fn add_note(&self, project: &ProjectId, said: &NoteSaid, author: &str) -> Result<(), Refused> {
        self.must_know(project)?;
        let note = Note { project: project.to_string(), year: said.year, text: said.text.clone() };
        records::add_note(&self.0.store, &note, author, self.0.clock.now()).map_err(refused)
    }

    fn kept_file(&self, project: &ProjectId, sha256: &str) -> Result<KeptFile, Refused> {
        let name = file::name_of(&self.0.store, project, sha256).map_err(broken)?;
        let name = name.ok_or_else(|| Refused::unknown(format!("no file {sha256} of project {project}")))?;
        let bytes = records::kept(&self.0.store, sha256).map_err(broken)?;
        Ok(KeptFile { name, bytes })
    }

    fn history(&self, project: &ProjectId) -> Result<Vec<Change>, Refused> {
        self.must_know(project)?;
        history::of(&self.0.store, project).map_err(broken)
    }

    fn duties(&self, project: &ProjectId) -> Result<Vec<DutyView>, Refused> {
        self.must_know(project)?;
        guide::duties(&self.0, project).map_err(broken)
    }

    fn guide(&self, key: &DutyKey) -> Result<Guide, Refused> {
        self.must_know(&key.project)?;
        guide::of(&self.0, key)
    }

    fn act(&self, key: &DutyKey, act: &Act, author: &str) -> Result<(), Refused> {
        self.must_know(&key.project)?;
        guide::act(&self.0, key, act, author).map_err(refused)
    }

    fn draft_sections(&self, key: &DutyKey, language: &str) -> Result<Vec<DraftSection>, Refused> {
        self.must_know(&key.project)?;
        guide::sections(&self.0, key, language).map_err(refused)
    }

    fn preview_section(
        &self,
        key: &DutyKey,
        language: &str,
        said: &CommentSaid,
        author: &str,
    ) -> Result<DraftSection, Refused> {
        self.must_know(&key.project)?;
        let section = section_of(said)?;
        let now = Comment { text: &said.text, author, instead: said.instead };
        let found = guide::preview(&self.0, key, language, (section, now)).map_err(refused)?;
        found.ok_or_else(|| Refused::unknown(format!("the report has no section {:?}", said.section)))
    }

    fn comment(
        &self,
        project: &ProjectId,
        year: i32,
        said: &CommentSaid,
        author: &str,
    ) -> Result<(), Refused> {
        self.must_know(project)?;
        let section = section_of(said)?;
        let (of, at, store) = ((project, year, section), self.0.clock.now(), &self.0.store);
        let done = if said.text.trim().is_empty() {
            comments::remove(store, of, author, at)
        } else {
            comments::set(store, of, Comment { text: &said.text, author, instead: said.instead }, at)
        };
        done.map_err(refused)
    }

    fn kpi_annex(&self, project: &ProjectId, year: i32, language: &str) -> Result<KeptFile, Refused> {
        self.must_know(project)?;
        let (installation, now) = (self.0.installation(), self.0.clock.now());
        let energy = analytics::exchange::EnergyUnit::Scheme;
        let file = stated::annex(&self.0.store, &installation, (project, year), (energy, language), now);
        let file = file.map_err(refused)?;
        Ok(KeptFile { name: file.name, bytes: file.bytes })
    }

    fn dossier(&self, project: &ProjectId) -> Result<MadeFile, Refused> {
        self.must_know(project)?;
        let installation = self.0.installation();
        let of = figures::project(&self.0.store, &installation.catalog, project).map_err(refused)?;
        let now = self.0.clock.now();
        let ready = dossier::Ready::of(&self.0.store, &installation, &of, now).map_err(broken)?;
        let (name, project) = (ready.name(), project.clone());
        let write = move |writer: &mut (dyn Write + Send)| match ready.zip(writer) {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::warn!(%project, "a dossier broke off: {error:#}");
                Err(io::Error::other(error.to_string()))
            }
        };
        Ok(MadeFile { name, write: Box::new(write) })
    }

    fn region(&self) -> Result<Arc<Region>, Refused> {
        region::of(&self.0).map_err(broken)
    }

    fn views(&self, account: &str) -> Result<Vec<SavedView>, Refused> {
        let found = records::get::<Vec<SavedView>>(&self.0.store, VIEWS_RECORD, account).map_err(broken)?;
        Ok(found.map(|(views, _)| views).unwrap_or_default())
    }

    fn save_view(&self, account: &str, view: &SavedView) -> Result<(), Refused> {
        let length = view.name.trim().chars().count();
        let plain = !view.name.chars().any(char::is_control) && view.query.is_ascii();
        if !(1..=VIEW_NAME_MAX).contains(&length) || VIEW_QUERY_MAX < view.query.len() || !plain {
            let says = format!("a view's name has 1 to {VIEW_NAME_MAX} characters, not {length}");
            return Err(Refused::unusable("view_name", says));
        }
        let mut views = self.views(account)?;
        views.retain(|other| other.name != view.name.trim());
        if !view.query.is_empty() {
            views.push(SavedView { name: view.name.trim().to_owned(), query: view.query.clone() });
            views.sort_by(|a, b| a.name.cmp(&b.name));
        }
        if VIEWS_MAX < views.len() {
            return Err(Refused::unusable("views_full", format!("at most {VIEWS_MAX} views are kept")));
        }
        let now = self.0.clock.now();
        records::put(&self.0.store, (VIEWS_RECORD, account), &views, account, now).map_err(refused)?;
        Ok(())
    }

    fn preview_memos(&self, cases: &[MemoCase]) -> Result<MemoPreview, Refused> {
        memo::preview(&self.0, cases)
    }

    fn order_memos(&self, order: &MemoOrder, author: &str) -> Result<(), Refused> {
        memo::order(&self.0, order, author)
    }

    fn memo_order(&self, id: &str) -> Result<MemoOrderView, Refused> {
        memo::of(&self.0, id)
    }
}
