//! `/desk/{project}/savings`: the KPI table with *Valore POST* and *Note*, documents and notes; files of the project.
//!
//! Must never: let a file be shown inside a page: every file is handed out to be saved.

use std::sync::Arc;

use analytics::digits::decimals;
use analytics::exchange::pasted;
use analytics::result::Verdict;
use askama::Template;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use model::ProjectId;
use serde::Deserialize;

use super::file::{Head, Notice, Told, finish, moment, project_id, seen};
use super::upload::CheckedUpload;
use super::wire::{DocumentSaid, DocumentView, KpiRow, KpiSaid, NoteSaid, NoteView};
use super::{KeptFile, MadeFile, Refused};
use crate::access::{Checked, Right};
use crate::downloads::{self, disposition};
use crate::pages::words::printed;
use crate::pages::{Ask, Fault, Frame, Site, Words, fault_page, off_loop, respond};

#[derive(Template)]
#[template(path = "desk_savings.html")]
struct SavingsPage<'a> {
    t: &'a Words,
    frame: Frame,
    head: Head,
    years: Vec<(i32, bool)>,
    year: Option<i32>,
    complete: bool,
    kpis: Vec<KpiLine>,
    documents: Vec<DocumentLine>,
    notes: Vec<NoteLine>,
    may_edit: bool,
    may_take: bool,
    may_note: bool,
}

struct KpiLine {
    code: String,
    name: String,
    unit: String,
    target: String,
    measured: String,
    bounds: String,
    attainment: String,
    verdict: &'static str,
    verdict_says: String,
    post: String,
    /// As the field takes it back.
    post_field: String,
    note: String,
    /// Who stated it; empty where the measured value counts.
    stated: String,
    advised: bool,
    /// Why a person is asked to confirm what they typed; empty where nothing is to be confirmed.
    doubt: String,
    /// What was typed as the reason.
    reason: String,
    /// Whether the form stands open.
    open: bool,
}

struct DocumentLine {
    href: String,
    title: String,
    name: String,
    about: String,
    size: String,
    author: String,
    at: String,
    sha256: String,
}

struct NoteLine {
    text: String,
    about: String,
    author: String,
    at: String,
}

/// `GET /desk/{project}/savings`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Query(told): Query<Told>,
    ask: Ask,
) -> Response {
    respond(site, ask, move |site, ask| {
        let notice = Notice::done(&ask.words, &told);
        let year = ask.year.clone();
        render(site, ask, &id, (year.as_deref(), None), notice)
    })
    .await
}

fn render(
    site: &Site,
    ask: &Ask,
    id: &str,
    (year, typed): (Option<&str>, Option<&KpiForm>),
    notice: Option<Notice>,
) -> Result<String, Fault> {
    let id = project_id(id)?;
    let (t, file) = (&ask.words, seen(site, &ask.who, &id)?);
    let no_year = |year: &str| Fault::NoYear { project: id.to_string(), year: year.to_owned() };
    let year = match year {
        Some(asked) => {
            let known = file.years.iter().find(|y| y.to_string() == asked);
            Some(*known.ok_or_else(|| no_year(asked))?)
        }
        // The year that is over is what has to be reported.
        None => file.years.get(1).or(file.years.first()).copied(),
    };
    let table = year.map(|year| site.backend.kpi_table(&id, year)).transpose()?;
    let page = SavingsPage {
        t,
        frame: Frame::new(site, ask, file.title.clone(), ""),
        head: Head::new(t, &file, "savings", notice),
        years: file.years.iter().map(|y| (*y, Some(*y) == year)).collect(),
        year,
        complete: table.as_ref().is_none_or(|table| table.complete),
        kpis: table.iter().flat_map(|table| &table.kpis).map(|kpi| kpi_line(t, kpi, typed)).collect(),
        documents: site.backend.documents(&id)?.iter().map(|d| document_line(t, &file.project, d)).collect(),
        notes: site.backend.notes(&id)?.iter().map(|n| note_line(t, n)).collect(),
        may_edit: ask.who.may(Right::EditProject, Some(&id)),
        may_take: ask.who.may(Right::TakeDossier, Some(&id)),
        may_note: ask.who.may(Right::WriteNotes, Some(&id)),
    };
    Ok(page.render()?)
}

fn kpi_line(t: &Words, kpi: &KpiRow, typed: Option<&KpiForm>) -> KpiLine {
    let typed = typed.filter(|form| form.code == kpi.code);
    let doubt = typed.and_then(|form| typed_number(t.language(), &form.value)).and_then(|v| doubt(kpi, v));
    let decimals = decimals(&[kpi.measured, kpi.target, kpi.post], (kpi.low, kpi.high));
    let bounds = match (kpi.low, kpi.high) {
        (None, None) => t.not_available(),
        (low, high) => format!("{} – {}", t.maybe(low, decimals), t.maybe(high, decimals)),
    };
    let missed = |verdict: &str| kpi.target.filter(|_| verdict == Verdict::Missed.code());
    let stated = kpi.stated.as_ref().filter(|s| s.value.is_some() || !s.reason.is_empty());
    KpiLine {
        code: kpi.code.clone(),
        name: t.get(&kpi.text).to_owned(),
        unit: printed(kpi.unit),
        target: t.maybe(kpi.target, decimals),
        measured: t.kpi_beside(kpi.measured, missed(kpi.verdict), decimals),
        bounds,
        attainment: t.percent(kpi.attainment_ratio),
        verdict: kpi.verdict,
        verdict_says: t.told(kpi.told),
        post: t.kpi_beside(kpi.post, missed(kpi.post_verdict), decimals),
        post_field: match typed {
            Some(form) => form.value.clone(),
            None => kpi.stated.as_ref().and_then(|s| s.value).map_or_else(String::new, |value| {
                let plain = format!("{value}");
                if t.language() == "it" { plain.replace('.', ",") } else { plain }
            }),
        },
        note: typed.map_or_else(|| kpi.note.clone(), |form| form.note.clone()),
        doubt: doubt.map_or_else(String::new, |key| t.get(key).to_owned()),
        reason: typed.map_or_else(String::new, |form| form.reason.clone()),
        open: typed.is_some(),
        stated: stated.map_or_else(String::new, |s| {
            let values = [("author", &*s.author), ("at", &*moment(t, &s.at)), ("reason", &*s.reason)];
            let key = if s.value.is_some() { "page.desk.kpi.stated" } else { "page.desk.kpi.noted" };
            t.fill(key, &values)
        }),
        advised: kpi.document_advised,
    }
}

fn about(t: &Words, year: Option<i32>, kpi: Option<&str>) -> String {
    let year = year.map(|year| year.to_string());
    let kpi = kpi.map(|kpi| format!("{} {kpi}", t.get("page.kpi.kpi")));
    year.into_iter().chain(kpi).collect::<Vec<_>>().join(" · ")
}

fn document_line(t: &Words, project: &str, d: &DocumentView) -> DocumentLine {
    DocumentLine {
        href: format!("/desk/{project}/files/{}", d.sha256),
        title: d.title.clone(),
        name: d.name.clone(),
        about: about(t, d.year, d.kpi.as_deref()),
        size: t.size(d.bytes),
        author: d.author.clone(),
        at: moment(t, &d.at),
        sha256: d.sha256.clone(),
    }
}

fn note_line(t: &Words, n: &NoteView) -> NoteLine {
    NoteLine {
        text: n.text.clone(),
        about: about(t, n.year, None),
        author: n.author.clone(),
        at: moment(t, &n.at),
    }
}

/// How many times what was measured or declared a value may be, or they it, before it is asked about.
const UNUSUAL_TIMES: f64 = 10.0;

/// Why a stated value is asked about: the key of the question.
fn doubt(kpi: &KpiRow, value: f64) -> Option<&'static str> {
    let known = [kpi.measured, kpi.target].into_iter().flatten().map(f64::abs).filter(|known| 0.0 < *known);
    let known: Vec<f64> = known.collect();
    if value < 0.0 {
        return Some("page.desk.kpi.negative");
    }
    if known.iter().any(|known| UNUSUAL_TIMES * known < value) {
        return Some("page.desk.kpi.large");
    }
    known.iter().any(|known| UNUSUAL_TIMES * value < *known).then_some("page.desk.kpi.small")
}

/// A number as a reader types it; what could be two numbers is none.
pub(crate) fn typed_number(language: &str, text: &str) -> Option<f64> {
    let text = text.trim().replace('\u{2212}', "-");
    let (point, group) = if language == "it" { (',', '.') } else { ('.', ',') };
    let plain = if text.contains(point) {
        text.replace(group, "").replace(point, ".")
    } else if let Some((_, end)) = text.rsplit_once(group) {
        // `1.234` is a thousand to one reader and one to another.
        if end.len() == 3 || text.matches(group).count() != 1 {
            return None;
        }
        text.replace(group, ".")
    } else {
        text
    };
    let plain_digits = plain.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    plain.parse::<f64>().ok().filter(|v| plain_digits && v.is_finite())
}

/// Puts a statement on record, unless its value is far from everything known and nobody says that it is meant.
pub(super) fn state(
    site: &Site,
    project: &ProjectId,
    year: i32,
    said: &KpiSaid,
    author: &str,
) -> Result<(), Refused> {
    if said.value.is_some_and(|value| pasted(value).is_none()) {
        let says = "the value does not fit the field: eleven digits before the comma, two after it";
        return Err(Refused::unusable("number", says));
    }
    let table = site.backend.kpi_table(project, year)?;
    let row = table.kpis.iter().find(|kpi| kpi.code == said.code);
    if let Some((row, value)) = row.zip(said.value)
        && doubt(row, value).is_some()
        && !said.confirmed
    {
        let says = format!("{value} is far from what was measured or declared, and nobody confirmed it");
        return Err(Refused::unusable("kpi_unusual", says));
    }
    site.backend.state_kpi(project, year, said, author)
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct KpiForm {
    year: i32,
    code: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    note: String,
    reason: String,
    /// A box that was ticked sends its value: what looks wrong is meant.
    confirmed: Option<String>,
}

/// `POST /desk/{project}/kpi`.
pub(crate) async fn state_kpi(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    ask: Ask,
    Checked(form): Checked<KpiForm>,
) -> Response {
    let (author, language, year) = (ask.who.author(), ask.words.language().to_owned(), form.year);
    let (of, typed) = (id.clone(), form.clone());
    let done = off_loop(&site, move |site| {
        let id = project_id(&of)?;
        let value = match form.value.trim() {
            "" => None,
            text => Some(typed_number(&language, text).ok_or_else(|| {
                Refused::unusable("number", format!("{text:?} is no number that can be read one way only"))
            })?),
        };
        let (note, confirmed) = (form.note.trim().to_owned(), form.confirmed.is_some());
        let said = KpiSaid { code: form.code, value, note, reason: form.reason, confirmed };
        Ok(state(site, &id, form.year, &said, &author)?)
    });
    let done = done.await.and_then(|done: Result<(), Fault>| done);
    let to = format!("/desk/{id}/savings?year={year}&done=kpi");
    finish(site, ask, (done, to), move |site, ask, notice| {
        render(site, ask, &id, (Some(&year.to_string()), Some(&typed)), notice)
    })
    .await
}

/// `POST /desk/{project}/documents`.
pub(crate) async fn add_document(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    ask: Ask,
    form: CheckedUpload,
) -> Response {
    let (author, of) = (ask.who.author(), id.clone());
    // What is not a year is refused before anything is kept, and never stands in an address.
    let year = match form.field("year") {
        "" => Ok(None),
        text => text.parse::<i32>().map(Some).map_err(|_| no_year(text)),
    };
    let asked = year.clone();
    let done = off_loop(&site, move |site| {
        let id = project_id(&of)?;
        let said = DocumentSaid {
            title: form.field("title").to_owned(),
            year: asked?,
            kpi: Some(form.field("kpi").to_owned()),
        };
        let file = form.file.ok_or_else(|| Refused::unusable("no_file", "no file was chosen"))?;
        site.backend.add_document(&id, &said, &file, &author)?;
        Ok(())
    });
    let done = done.await.and_then(|done: Result<(), Fault>| done);
    let of = id.clone();
    // The page shows the years with figures only; a document may be about another one.
    let shown = off_loop(&site, move |site| {
        let known = project_id(&of).and_then(|id| Ok(site.backend.project_file(&id)?.years));
        year.ok().flatten().filter(|year| known.is_ok_and(|known| known.contains(year)))
    });
    let shown = shown.await.ok().flatten().map(|year| year.to_string());
    let end = shown.as_ref().map(|year| format!("year={year}&")).unwrap_or_default();
    let to = format!("/desk/{id}/savings?{end}done=document#documents");
    finish(site, ask, (done, to), move |site, ask, notice| {
        render(site, ask, &id, (shown.as_deref(), None), notice)
    })
    .await
}

fn no_year(text: &str) -> Refused {
    Refused::unusable("year", format!("{text:?} is no year; state it in four digits"))
}

#[derive(Debug, Deserialize)]
pub(crate) struct NoteForm {
    text: String,
}

/// `POST /desk/{project}/notes`.
pub(crate) async fn add_note(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    ask: Ask,
    Checked(form): Checked<NoteForm>,
) -> Response {
    let (author, of) = (ask.who.author(), id.clone());
    let done = off_loop(&site, move |site| {
        let said = NoteSaid { text: form.text, year: None };
        Ok(site.backend.add_note(&project_id(&of)?, &said, &author)?)
    });
    let done = done.await.and_then(|done: Result<(), Fault>| done);
    let to = format!("/desk/{id}/savings?done=note#notes");
    finish(site, ask, (done, to), move |site, ask, notice| render(site, ask, &id, (None, None), notice)).await
}

/// `GET /desk/{project}/files/{sha256}`.
pub(crate) async fn file(
    State(site): State<Arc<Site>>,
    Path((id, sha256)): Path<(String, String)>,
    ask: Ask,
) -> Response {
    let found = off_loop(&site, move |site| Ok(site.backend.kept_file(&project_id(&id)?, &sha256)?));
    match found.await.and_then(|found: Result<KeptFile, Fault>| found) {
        Ok(kept) => to_be_saved(&kept.name, Body::from(kept.bytes)),
        Err(fault) => fault_page(&site, &ask, &fault),
    }
}

/// `GET /desk/{project}/dossier`: *fascicolo di progetto* as a ZIP.
pub(crate) async fn dossier(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Response {
    let made = off_loop(&site, move |site| Ok(site.backend.dossier(&project_id(&id)?)?));
    match made.await.and_then(|made: Result<MadeFile, Fault>| made) {
        Ok(made) => to_be_saved(&made.name, downloads::body_of(made.write)),
        Err(fault) => fault_page(&site, &ask, &fault),
    }
}

/// In which language the annex is asked for.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct AnnexIn {
    /// `it` or `en`; Italian where it is not stated.
    language: Option<String>,
}

/// English only where it is asked for: the authority's system is Italian.
pub(crate) fn annex_language(given: &AnnexIn) -> &'static str {
    if given.language.as_deref() == Some("en") { "en" } else { "it" }
}

/// `GET /desk/{project}/kpi-annex/{year}[?language=it|en]`: the KPI values as a page to be signed.
pub(crate) async fn kpi_annex(
    State(site): State<Arc<Site>>,
    Path((id, year)): Path<(String, i32)>,
    Query(given): Query<AnnexIn>,
    ask: Ask,
) -> Response {
    let made = off_loop(&site, move |site| {
        Ok(site.backend.kpi_annex(&project_id(&id)?, year, annex_language(&given))?)
    });
    match made.await.and_then(|made: Result<KeptFile, Fault>| made) {
        Ok(kept) => to_be_saved(&kept.name, Body::from(kept.bytes)),
        Err(fault) => fault_page(&site, &ask, &fault),
    }
}

/// A file as an attachment of no type that a browser would run.
pub(crate) fn to_be_saved(name: &str, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_DISPOSITION, disposition(name));
    response
}

#[cfg(test)]
mod tests {
    use super::typed_number;

    #[test]
    fn a_number_that_could_be_two_is_none() {
        for (language, text, wanted) in [
            ("it", "1.234,5", Some(1234.5)),
            ("it", "480,25", Some(480.25)),
            ("it", "480.25", Some(480.25)),
            ("it", "1.234", None),
            ("it", "1.234.567", None),
            ("it", " -12 ", Some(-12.0)),
            ("it", "\u{2212}3,5", Some(-3.5)),
            ("it", "1e5", None),
            ("it", "inf", None),
            ("it", "dodici", None),
            ("en", "1,234.5", Some(1234.5)),
            ("en", "1,234", None),
            ("en", "480.25", Some(480.25)),
        ] {
            assert_eq!(typed_number(language, text), wanted, "{language} {text:?}");
        }
    }
}
