//! What the pages of the beneficiary and of the region show and do, as JSON. Changes are for programs with a token.
//!
//! Must never: offer a program a right that its account does not have on the pages.

use std::sync::Arc;

use analytics::region::{Case, Group, distribution, groups, select};
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file::{history_seen, project_id, seen};
use super::guide::duty_key;
use super::papers::{AnnexIn, annex_language};
use super::query::{TableAsk, TableWords};
use super::upload::{Posted, PostedFile};
use super::wire::{
    AnswerSaid, Change, CommentSaid, Contacts, DocumentSaid, DocumentView, DutyView, Guide, KpiSaid,
    KpiTable, LiftSaid, MemoCase, MemoOrder, MemoOrderView, MemoPreview, NameSaid, NoteSaid, NoteView,
    Nothing, ProjectFile, SavedView, SectionView, ToSaid, WhySaid,
};
use super::{Act, Pending, Refused, Upload};
use crate::access::Who;
use crate::openapi::{Asked, Done, Given, Made, Saved, change, give};
use crate::pages::{Fault, Site};

type Duty = (String, String, String);

/// `GET /api/v1/desk/{project}`.
pub(crate) async fn file(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    who: Who,
) -> Given<ProjectFile> {
    give(&site, move |site| seen(site, &who, &project_id(&id)?)).await
}

/// `POST /api/v1/desk/{project}/contacts`.
pub(crate) async fn state_contacts(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    who: Who,
    Posted(said): Posted<Contacts>,
) -> Done {
    change(&site, move |site| Ok(site.backend.set_contacts(&project_id(&id)?, &said, &who.author())?)).await
}

/// `GET /api/v1/desk/{project}/kpis/{year}`.
pub(crate) async fn kpis(
    State(site): State<Arc<Site>>,
    Path((id, year)): Path<(String, String)>,
) -> Given<KpiTable> {
    give(&site, move |site| {
        let number = year.parse().map_err(|_| Fault::NoYear { project: id.clone(), year: year.clone() })?;
        Ok(site.backend.kpi_table(&project_id(&id)?, number)?)
    })
    .await
}

/// `POST /api/v1/desk/{project}/kpis/{year}`.
pub(crate) async fn state_kpi(
    State(site): State<Arc<Site>>,
    Path((id, year)): Path<(String, String)>,
    who: Who,
    Posted(said): Posted<KpiSaid>,
) -> Done {
    change(&site, move |site| {
        let number = year.parse().map_err(|_| Fault::NoYear { project: id.clone(), year: year.clone() })?;
        Ok(super::papers::state(site, &project_id(&id)?, number, &said, &who.author())?)
    })
    .await
}

/// `GET /api/v1/desk/{project}/documents`.
pub(crate) async fn documents(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Given<Vec<DocumentView>> {
    give(&site, move |site| Ok(site.backend.documents(&project_id(&id)?)?)).await
}

/// What stands beside a file in the address.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Named {
    /// The file's name.
    name: String,
    #[serde(default)]
    title: String,
    year: Option<i32>,
    /// Code of the KPI that it explains.
    kpi: Option<String>,
}

/// `POST /api/v1/desk/{project}/documents?name=&title=&year=&kpi=`, the file as the body.
pub(crate) async fn add_document(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Asked(named): Asked<Named>,
    who: Who,
    PostedFile(bytes): PostedFile,
) -> Given<DocumentView> {
    give(&site, move |site| {
        let said = DocumentSaid { title: named.title, year: named.year, kpi: named.kpi };
        let file = Upload { name: named.name, bytes };
        Ok(site.backend.add_document(&project_id(&id)?, &said, &file, &who.author())?)
    })
    .await
}

/// `GET /api/v1/desk/{project}/notes`.
pub(crate) async fn notes(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Given<Vec<NoteView>> {
    give(&site, move |site| Ok(site.backend.notes(&project_id(&id)?)?)).await
}

/// `POST /api/v1/desk/{project}/notes`.
pub(crate) async fn add_note(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    who: Who,
    Posted(said): Posted<NoteSaid>,
) -> Done {
    change(&site, move |site| Ok(site.backend.add_note(&project_id(&id)?, &said, &who.author())?)).await
}

/// `GET /api/v1/desk/{project}/history`, with what its page shows to this reader.
pub(crate) async fn history(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    who: Who,
) -> Given<Vec<Change>> {
    give(&site, move |site| history_seen(site, &who, &project_id(&id)?)).await
}

/// `GET /api/v1/desk/{project}/duties`.
pub(crate) async fn duties(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Given<Vec<DutyView>> {
    give(&site, move |site| Ok(site.backend.duties(&project_id(&id)?)?)).await
}

/// `GET /api/v1/desk/{project}/submissions/{obligation}/{year}`; `-` for what is sent once.
pub(crate) async fn guide(State(site): State<Arc<Site>>, Path(of): Path<Duty>, who: Who) -> Given<Guide> {
    give(&site, move |site| super::guide::seen_by(site, &who, &duty_key(&of)?)).await
}

async fn act(site: Arc<Site>, of: Duty, who: Who, act: Result<Act, Refused>) -> Done {
    change(&site, move |site| Ok(site.backend.act(&duty_key(&of)?, &act?, &who.author())?)).await
}

pub(crate) async fn begin(
    State(site): State<Arc<Site>>,
    Path(of): Path<Duty>,
    who: Who,
    Posted(Nothing {}): Posted<Nothing>,
) -> Done {
    act(site, of, who, Ok(Act::Begin)).await
}

pub(crate) async fn check(
    State(site): State<Arc<Site>>,
    Path(of): Path<Duty>,
    who: Who,
    Posted(Nothing {}): Posted<Nothing>,
) -> Done {
    act(site, of, who, Ok(Act::Check)).await
}

pub(crate) async fn lift(
    State(site): State<Arc<Site>>,
    Path(of): Path<Duty>,
    who: Who,
    Posted(said): Posted<LiftSaid>,
) -> Done {
    let LiftSaid { code, subject, reason } = said;
    act(site, of, who, Ok(Act::Lift { code, subject, reason })).await
}

pub(crate) async fn comment(
    State(site): State<Arc<Site>>,
    Path(of): Path<Duty>,
    who: Who,
    Posted(said): Posted<CommentSaid>,
) -> Done {
    change(&site, move |site| {
        let key = duty_key(&of)?;
        let year = key.year.ok_or_else(|| Refused::unknown("a report without a year has no sections"))?;
        Ok(site.backend.comment(&key.project, year, &said, &who.author())?)
    })
    .await
}

pub(crate) async fn freeze(
    State(site): State<Arc<Site>>,
    Path(of): Path<Duty>,
    who: Who,
    Posted(Nothing {}): Posted<Nothing>,
) -> Done {
    let language = site.backend.installation().language;
    act(site, of, who, Ok(Act::Freeze { language })).await
}

pub(crate) async fn send(
    State(site): State<Arc<Site>>,
    Path(of): Path<Duty>,
    who: Who,
    Posted(said): Posted<ToSaid>,
) -> Done {
    act(site, of, who, Ok(Act::Send { to: said.to })).await
}

pub(crate) async fn answered(
    State(site): State<Arc<Site>>,
    Path(of): Path<Duty>,
    who: Who,
    Posted(said): Posted<AnswerSaid>,
) -> Done {
    let day = said.on.parse().map_err(|_| Refused::unusable("day", format!("{:?} is no day", said.on)));
    act(site, of, who, day.map(|on| Act::Answered { accepted: said.accepted, on, says: said.says })).await
}

pub(crate) async fn correct(
    State(site): State<Arc<Site>>,
    Path(of): Path<Duty>,
    who: Who,
    Posted(said): Posted<WhySaid>,
) -> Done {
    act(site, of, who, Ok(Act::Correct { why: said.why })).await
}

/// What stands beside a file of a submission in the address.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct FileOf {
    /// The file's name.
    name: String,
    /// Of a receipt: where it was sent.
    #[serde(default)]
    to: String,
    /// Of a signed file: why it is taken although its authority is not verified, or its certificate names no person.
    #[serde(default)]
    reason: String,
    /// Of a receipt: the day on which it was sent, `YYYY-MM-DD`.
    on: Option<String>,
}

/// `POST …/attach?name=`, the file as the body.
pub(crate) async fn attach(
    State(site): State<Arc<Site>>,
    Path(of): Path<Duty>,
    Asked(file): Asked<FileOf>,
    who: Who,
    PostedFile(bytes): PostedFile,
) -> Done {
    act(site, of, who, Ok(Act::Attach(Upload { name: file.name, bytes }))).await
}

/// `POST …/detach`: takes an attached file off the draft.
pub(crate) async fn detach(
    State(site): State<Arc<Site>>,
    Path(of): Path<Duty>,
    who: Who,
    Posted(said): Posted<NameSaid>,
) -> Done {
    act(site, of, who, Ok(Act::Detach { name: said.name })).await
}

/// `POST …/sign?name=&reason=`, the signed file as the body.
pub(crate) async fn sign(
    State(site): State<Arc<Site>>,
    Path(of): Path<Duty>,
    Asked(file): Asked<FileOf>,
    who: Who,
    PostedFile(bytes): PostedFile,
) -> Done {
    let act_of = Act::Sign { reason: file.reason, file: Upload { name: file.name, bytes } };
    act(site, of, who, Ok(act_of)).await
}

/// `POST …/sent?name=&to=&on=`, the receipt as the body.
pub(crate) async fn sent(
    State(site): State<Arc<Site>>,
    Path(of): Path<Duty>,
    Asked(file): Asked<FileOf>,
    who: Who,
    PostedFile(bytes): PostedFile,
) -> Done {
    let text = file.on.unwrap_or_default();
    let day =
        text.parse().map_err(|_| Refused::unusable("day", format!("{text:?} is no day, as YYYY-MM-DD")));
    let receipt = Upload { name: file.name, bytes };
    act(site, of, who, day.map(|on| Act::Sent { to: file.to, on, receipt })).await
}

/// One line of the region's table.
#[derive(Debug, JsonSchema, Serialize)]
struct CaseView {
    project: String,
    title: String,
    cup: String,
    beneficiary: String,
    scheme: String,
    municipality: String,
    province: &'static str,
    interventions: Vec<&'static str>,
    year: i32,
    complete: bool,
    /// Whether the year is over and something is due about it.
    closed: bool,
    verdict: &'static str,
    kpis: Vec<CaseKpiView>,
    coverage_ratio: Option<f64>,
    estimated_ratio: Option<f64>,
    blocking: u32,
    cautions: u32,
    due: Option<String>,
    days_left: Option<i64>,
    state: Option<&'static str>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct CaseKpiView {
    code: String,
    measure: &'static str,
    unit: &'static str,
    target: Option<f64>,
    achieved: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    attainment_ratio: Option<f64>,
    verdict: &'static str,
    /// The verdict, or `to_state` where no meter measures it and a person declares it.
    told: &'static str,
}

impl From<&Case> for CaseView {
    fn from(case: &Case) -> Self {
        let duty = case.duty.as_ref();
        let kpi = |k: &analytics::region::CaseKpi| CaseKpiView {
            code: k.code.clone(),
            measure: k.measure.code(),
            unit: k.unit.symbol(),
            target: k.target,
            achieved: k.achieved,
            low: k.low,
            high: k.high,
            attainment_ratio: k.attainment_ratio,
            verdict: k.verdict.code(),
            told: k.told,
        };
        Self {
            project: case.project.to_string(),
            title: case.title.clone(),
            cup: case.cup.clone(),
            beneficiary: case.beneficiary.clone(),
            scheme: case.scheme.to_string(),
            municipality: case.municipality.clone(),
            province: case.province,
            interventions: case.interventions.iter().map(|i| i.code()).collect(),
            year: case.year,
            complete: case.complete,
            closed: case.is_closed(),
            verdict: case.verdict().code(),
            kpis: case.kpis.iter().map(kpi).collect(),
            coverage_ratio: case.coverage_ratio,
            estimated_ratio: case.estimated_ratio,
            blocking: case.blocking,
            cautions: case.cautions,
            due: duty.and_then(|d| d.due).map(|d| d.to_string()),
            days_left: duty.and_then(|d| d.days_left),
            state: duty.map(|d| d.state.code()),
        }
    }
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct TableView {
    day: String,
    /// Chosen, on every page.
    cases: usize,
    page: usize,
    pages: usize,
    rows: Vec<CaseView>,
    /// Lower bound (`null`: none), upper bound (`null`: none) and number of cases.
    distribution: Vec<(Option<f64>, Option<f64>, usize)>,
    /// Cases of which nothing can be said.
    without: usize,
}

/// `GET /api/v1/region`, with the names of the page's address.
pub(crate) async fn region(
    State(site): State<Arc<Site>>,
    Asked(TableWords(given)): Asked<TableWords>,
) -> Given<TableView> {
    give(&site, move |site| {
        let (region, asked) = (site.backend.region()?, TableAsk::strictly(&given)?);
        let chosen = select(&region.cases, &asked.query);
        let pages = chosen.len().div_ceil(asked.per_page).max(1);
        let page = asked.page.min(pages);
        let rows = chosen.iter().skip((page - 1) * asked.per_page).take(asked.per_page);
        let spread = distribution(&chosen, asked.query.measure);
        let bound = |value: f64| value.is_finite().then_some(value);
        Ok(TableView {
            day: region.day.to_string(),
            cases: chosen.len(),
            page,
            pages,
            rows: rows.map(|c| CaseView::from(*c)).collect(),
            distribution: spread.bins.iter().map(|b| (bound(b.from), bound(b.to), b.cases)).collect(),
            without: spread.without,
        })
    })
    .await
}

/// A project of which there are no figures.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct PendingView {
    /// `null` where the grants system delivered the project and nobody registered it.
    project: Option<String>,
    title: String,
    cup: String,
    beneficiary: String,
    /// The scheme's title; of one that nobody registered the name of its call.
    scheme: String,
    /// Day of completion; of one that nobody registered the day on which the reporting of its expenses was closed.
    ended: String,
    due: Option<String>,
    days_left: Option<i64>,
    state: Option<&'static str>,
}

impl From<&Pending> for PendingView {
    fn from(pending: &Pending) -> Self {
        let duty = pending.duty.as_ref();
        Self {
            project: pending.project.as_ref().map(ToString::to_string),
            title: pending.title.clone(),
            cup: pending.cup.clone(),
            beneficiary: pending.beneficiary.clone(),
            scheme: pending.scheme.clone(),
            ended: pending.ended.to_string(),
            due: duty.and_then(|d| d.due).map(|d| d.to_string()),
            days_left: duty.and_then(|d| d.days_left),
            state: duty.map(|d| d.state.code()),
        }
    }
}

/// `GET /api/v1/region/pending`: projects that the region's table cannot show yet.
pub(crate) async fn region_pending(State(site): State<Arc<Site>>) -> Given<Vec<PendingView>> {
    give(&site, move |site| Ok(site.backend.region()?.pending.iter().map(PendingView::from).collect())).await
}

/// A group of the region's table.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct GroupView {
    key: String,
    name: String,
    cases: usize,
    projects: usize,
    /// Verdicts of the cases whose year is over and about which something is due.
    reached: usize,
    missed: usize,
    undetermined: usize,
    /// Cases of the running year, and of years without anything due.
    open: usize,
    late: usize,
    declared: Option<f64>,
    achieved: Option<f64>,
    unit: Option<&'static str>,
    left_out: usize,
    median_attainment: Option<f64>,
    coverage_ratio: Option<f64>,
    estimated_ratio: Option<f64>,
}

/// `GET /api/v1/region/groups?group=`.
pub(crate) async fn region_groups(
    State(site): State<Arc<Site>>,
    Asked(TableWords(given)): Asked<TableWords>,
) -> Given<Vec<GroupView>> {
    give(&site, move |site| {
        let (region, asked) = (site.backend.region()?, TableAsk::strictly(&given)?);
        let by = asked.query.group.unwrap_or(Group::Scheme);
        let lines = groups(&select(&region.cases, &asked.query), by, asked.query.measure);
        let view = |line: analytics::region::GroupLine| GroupView {
            cases: line.cases,
            projects: line.projects,
            reached: line.reached,
            missed: line.missed,
            undetermined: line.undetermined,
            open: line.open,
            late: line.late,
            declared: line.declared,
            achieved: line.achieved,
            unit: line.unit.map(|u| u.symbol()),
            left_out: line.left_out,
            median_attainment: line.median_attainment,
            coverage_ratio: line.coverage_ratio,
            estimated_ratio: line.estimated_ratio,
            // Kinds of intervention have codes alone.
            name: if line.name.is_empty() { line.key.clone() } else { line.name },
            key: line.key,
        };
        Ok(lines.into_iter().map(view).collect::<Vec<_>>())
    })
    .await
}

/// `POST /api/v1/region/memos/preview`.
pub(crate) async fn preview_memos(
    State(site): State<Arc<Site>>,
    Posted(cases): Posted<Vec<MemoCase>>,
) -> Given<MemoPreview> {
    give(&site, move |site| Ok(site.backend.preview_memos(&cases)?)).await
}

/// `POST /api/v1/region/memos`.
pub(crate) async fn order_memos(
    State(site): State<Arc<Site>>,
    who: Who,
    Posted(order): Posted<MemoOrder>,
) -> Done {
    change(&site, move |site| Ok(site.backend.order_memos(&order, &who.author())?)).await
}

/// `GET /api/v1/region/memos/{order}`.
pub(crate) async fn memo_order(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Given<MemoOrderView> {
    give(&site, move |site| Ok(site.backend.memo_order(&id)?)).await
}

/// `GET /api/v1/desk/{project}/files/{sha256}`.
pub(crate) async fn kept_file(
    State(site): State<Arc<Site>>,
    Path((id, sha256)): Path<(String, String)>,
) -> Saved {
    let found = give(&site, move |site| Ok(site.backend.kept_file(&project_id(&id)?, &sha256)?));
    Saved(found.await.0)
}

/// `GET /api/v1/desk/{project}/dossier`: *fascicolo di progetto* as a ZIP.
pub(crate) async fn dossier(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Made {
    Made(give(&site, move |site| Ok(site.backend.dossier(&project_id(&id)?)?)).await.0)
}

/// `GET /api/v1/desk/{project}/kpi-annex/{year}`: the KPI values as a PDF to be signed.
pub(crate) async fn kpi_annex(
    State(site): State<Arc<Site>>,
    Path((id, year)): Path<(String, String)>,
    Asked(given): Asked<AnnexIn>,
) -> Saved {
    let made = give(&site, move |site| {
        let number = year.parse().map_err(|_| Fault::NoYear { project: id.clone(), year: year.clone() })?;
        Ok(site.backend.kpi_annex(&project_id(&id)?, number, annex_language(&given))?)
    });
    Saved(made.await.0)
}

/// `GET …/sections`: the sections of the annual report that may be commented on.
pub(crate) async fn sections(State(site): State<Arc<Site>>, Path(of): Path<Duty>) -> Given<Vec<SectionView>> {
    give(&site, move |site| {
        let language = site.backend.installation().language;
        let all = site.backend.draft_sections(&duty_key(&of)?, &language)?;
        Ok(all.into_iter().map(SectionView::from).collect())
    })
    .await
}

/// `GET /api/v1/region/views`.
pub(crate) async fn views(State(site): State<Arc<Site>>, who: Who) -> Given<Vec<SavedView>> {
    give(&site, move |site| match who.account() {
        Some(account) => Ok(site.backend.views(account)?),
        None => Ok(Vec::new()),
    })
    .await
}

/// `POST /api/v1/region/views`.
pub(crate) async fn save_view(
    State(site): State<Arc<Site>>,
    who: Who,
    Posted(view): Posted<SavedView>,
) -> Done {
    change(&site, move |site| {
        let account = who.account().ok_or(Fault::SignIn)?;
        Ok(super::region::keep_view(site, account, view)?)
    })
    .await
}
