//! `/desk/{project}`: subjects and beneficiary, economics, history of every change.
//!
//! Must never: show a personal code to who may not edit the project.

use std::sync::Arc;

use analytics::scheme::clauses::DECIMALS_MAX;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use chrono::NaiveDate;
use model::{Instant, ProjectId};
use serde::Deserialize;

use super::wire::{Change, ClauseView, Contacts, Economics, FieldChange, ProjectFile};
use super::{Refused, RefusedKind, changed};
use crate::access::{Checked, Right, Who};
use crate::pages::words::printed;
use crate::pages::{Ask, Fault, Frame, Site, Words, off_loop, respond};

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self::Desk(refused)
    }
}

/// What a page is told to say on top.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Told {
    /// What was done just before: the end of a text's key.
    done: Option<String>,
}

impl Told {
    pub(crate) fn of(done: Option<String>) -> Self {
        Self { done }
    }

    pub(crate) fn is(&self, done: &str) -> bool {
        self.done.as_deref() == Some(done)
    }
}

/// A remark on top of a page.
pub(crate) struct Notice {
    pub(crate) good: bool,
    pub(crate) says: String,
    /// What a person should see beside it, a line each fact.
    pub(crate) lines: Vec<String>,
}

impl Notice {
    /// What was done, if the site knows such a thing.
    pub(crate) fn done(t: &Words, told: &Told) -> Option<Self> {
        let key = format!("page.desk.done.{}", told.done.as_deref()?);
        let says = t.texts().find(&key)?.to_owned();
        Some(Self { good: true, says, lines: Vec::new() })
    }

    pub(crate) fn refused(t: &Words, refused: &Refused) -> Self {
        let key = format!("page.desk.refused.{}", refused.code);
        let known = t.texts().find(&key).map(str::to_owned);
        let says = known.unwrap_or_else(|| t.get("page.desk.refused.unusable").to_owned());
        // The cause is in English, in the program's words: it is for the log.
        tracing::debug!(code = refused.code, "refused: {}", refused.says);
        Self { good: false, says, lines: Vec::new() }
    }
}

/// What stands on top of every page of a project's file.
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) facts: String,
    /// Label, address, whether it is the one shown.
    pub(crate) tabs: Vec<(String, String, bool)>,
    pub(crate) notice: Option<Notice>,
}

impl Head {
    pub(crate) fn new(t: &Words, file: &ProjectFile, here: &str, notice: Option<Notice>) -> Self {
        let tab = |name: &str| {
            let end = if name == "subjects" { String::new() } else { format!("/{name}") };
            (t.of("page.desk.tab", name), format!("/desk/{}{end}", file.project), name == here)
        };
        Self {
            id: file.project.clone(),
            title: file.title.clone(),
            facts: format!("CUP {} · {} · {}", file.cup, file.beneficiary.name, file.scheme_title),
            tabs: ["subjects", "economics", "savings", "duties", "history"].map(tab).to_vec(),
            notice,
        }
    }
}

pub(crate) fn project_id(text: &str) -> Result<ProjectId, Fault> {
    ProjectId::new(text).map_err(|_| Fault::NoProject(text.to_owned()))
}

/// The file as this reader may see it.
pub(crate) fn seen(site: &Site, who: &Who, id: &ProjectId) -> Result<ProjectFile, Fault> {
    let mut file = site.backend.project_file(id)?;
    if !who.may(Right::EditProject, Some(id)) && !who.may(Right::ManageSubjects, Some(id)) {
        for subject in &mut file.subjects {
            subject.tax_code = None;
            subject.email = None;
        }
        file.contacts = None;
    }
    Ok(file)
}

/// `YYYY-MM-DD` in the reader's way; other text as it is.
pub(crate) fn day(t: &Words, text: &str) -> String {
    text.parse::<NaiveDate>().map_or_else(|_| text.to_owned(), |day| t.date(day))
}

/// RFC 3339 in the reader's way, in the zone of most readers.
pub(crate) fn moment(t: &Words, text: &str) -> String {
    Instant::parse_rfc3339(text)
        .map_or_else(|| text.to_owned(), |at| t.date_time(at, chrono_tz::Europe::Rome))
}

/// After a change: on to a page that says what was done, or the page with what was refused.
pub(crate) async fn finish<F>(
    site: Arc<Site>,
    ask: Ask,
    (done, to): (Result<(), Fault>, String),
    again: F,
) -> Response
where
    F: FnOnce(&Site, &Ask, Option<Notice>) -> Result<String, Fault> + Send + 'static,
{
    match done {
        Ok(()) => Redirect::to(&to).into_response(),
        Err(Fault::Desk(refused)) if refused.kind != RefusedKind::Unknown => {
            let asked = ask.clone();
            let made = off_loop(&site, move |site| {
                let notice = Notice::refused(&asked.words, &refused);
                again(site, &asked, Some(notice))
            });
            match made.await.and_then(|page| page) {
                Ok(page) => (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response(),
                Err(fault) => crate::pages::fault_page(&site, &ask, &fault),
            }
        }
        Err(fault) => crate::pages::fault_page(&site, &ask, &fault),
    }
}

#[derive(Template)]
#[template(path = "desk_subjects.html")]
struct SubjectsPage<'a> {
    t: &'a Words,
    frame: Frame,
    head: Head,
    /// Label and value.
    beneficiary: Vec<(String, String)>,
    subjects: Vec<SubjectLine>,
    buildings: Vec<(String, Vec<(String, String)>)>,
    dates: Vec<(String, String)>,
    kept: Vec<(String, String)>,
    /// Whether codes and addresses are shown.
    personal: bool,
    /// What was stated of whom to reach, for who may see it.
    contacts: Option<Contacts>,
    /// The same as label and value, for who does not edit them.
    contact_lines: Vec<(String, String)>,
    may_contact: bool,
    /// Where the project's accounts are kept, for who may add and disable them.
    accounts: Option<String>,
}

struct SubjectLine {
    name: String,
    role: String,
    tax_code: String,
    email: String,
    register: String,
    enabled: bool,
}

/// `GET /desk/{project}`.
pub(crate) async fn subjects(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Query(told): Query<Told>,
    ask: Ask,
) -> Response {
    respond(site, ask, move |site, ask| {
        let notice = Notice::done(&ask.words, &told);
        subjects_page(site, ask, &project_id(&id)?, None, notice)
    })
    .await
}

/// `POST /desk/{project}/contacts`.
pub(crate) async fn state_contacts(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    ask: Ask,
    Checked(said): Checked<ContactsForm>,
) -> Response {
    let project = match project_id(&id) {
        Ok(project) => project,
        Err(fault) => return crate::pages::fault_page(&site, &ask, &fault),
    };
    let said = Contacts { person: said.person, email: said.email, pec: said.pec, phone: said.phone };
    let (author, of, wanted) = (ask.who.author(), project.clone(), said.clone());
    let done = off_loop(&site, move |site| Ok(site.backend.set_contacts(&of, &wanted, &author)?)).await;
    let done = done.and_then(|done: Result<(), Fault>| done);
    let to = format!("/desk/{project}?done=contacts#contacts");
    // What was typed stays in the fields.
    finish(site, ask, (done, to), move |site, ask, notice| {
        subjects_page(site, ask, &project, Some(said), notice)
    })
    .await
}

/// What the form of the contacts sends; the proof beside it is read before.
#[derive(Debug, Deserialize)]
pub(crate) struct ContactsForm {
    person: String,
    email: String,
    pec: String,
    phone: String,
}

fn subjects_page(
    site: &Site,
    ask: &Ask,
    id: &ProjectId,
    typed: Option<Contacts>,
    notice: Option<Notice>,
) -> Result<String, Fault> {
    let (t, file) = (&ask.words, seen(site, &ask.who, id)?);
    let pair = |key: &str, value: String| (t.get(key).to_owned(), value);
    let may = |right| ask.who.may(right, Some(id));
    let page = SubjectsPage {
        t,
        frame: Frame::new(site, ask, file.title.clone(), ""),
        head: Head::new(t, &file, "subjects", notice),
        beneficiary: vec![
            pair("page.desk.beneficiary.name", file.beneficiary.name.clone()),
            pair("page.desk.beneficiary.tax_code", file.beneficiary.tax_code.clone()),
            pair("page.desk.beneficiary.representative", file.beneficiary.legal_representative.clone()),
            pair("page.desk.beneficiary.cup", file.cup.clone()),
            pair("page.project.scheme", format!("{} – {}", file.scheme_title, file.citation)),
            pair("page.project.authority", file.authority.clone()),
            pair("page.desk.interventions", interventions(t, &file.interventions)),
        ],
        subjects: file.subjects.iter().map(|s| subject_line(t, s)).collect(),
        buildings: file.buildings.iter().map(|b| (b.name.clone(), building(t, b))).collect(),
        dates: file
            .dates
            .iter()
            .filter_map(|d| Some((t.of("page.desk.event", d.event), day(t, d.day.as_deref()?))))
            .collect(),
        kept: file.kept.iter().map(|k| kept_line(t, k)).collect(),
        personal: may(Right::EditProject),
        contact_lines: file.contacts.as_ref().map(|c| contact_lines(t, c)).unwrap_or_default(),
        contacts: typed.or(file.contacts),
        may_contact: may(Right::EditContacts),
        accounts: may(Right::ManageSubjects).then(|| format!("/projects/{id}/subjects")),
    };
    Ok(page.render()?)
}

fn contact_lines(t: &Words, contacts: &Contacts) -> Vec<(String, String)> {
    let said = |value: &String| if value.is_empty() { t.not_available() } else { value.clone() };
    [
        ("page.desk.contacts.person", &contacts.person),
        ("page.desk.subjects.email", &contacts.email),
        ("page.desk.contacts.pec", &contacts.pec),
        ("page.desk.contacts.phone", &contacts.phone),
    ]
    .map(|(key, value)| (t.get(key).to_owned(), said(value)))
    .to_vec()
}

fn subject_line(t: &Words, s: &super::wire::SubjectView) -> SubjectLine {
    SubjectLine {
        name: s.name.clone(),
        role: t.of("page.desk.role", s.role),
        tax_code: s.tax_code.clone().unwrap_or_default(),
        email: s.email.clone().unwrap_or_else(|| t.not_available()),
        register: s.register.clone().unwrap_or_default(),
        enabled: s.enabled,
    }
}

fn kept_line(t: &Words, k: &super::wire::KeptView) -> (String, String) {
    let until = k.to.as_deref().map_or_else(|| t.not_available(), |to| day(t, to));
    (t.get(&k.text).to_owned(), format!("{} {until} ({})", t.get("page.desk.until"), k.citation))
}

pub(crate) fn interventions(t: &Words, codes: &[String]) -> String {
    if codes.is_empty() {
        return t.not_available();
    }
    codes.iter().map(|code| t.of("page.desk.intervention", code)).collect::<Vec<_>>().join(", ")
}

fn building(t: &Words, b: &super::wire::BuildingFacts) -> Vec<(String, String)> {
    let place = match b.province {
        Some(province) => format!("{}, {} ({province})", b.address, b.municipality),
        None => format!("{}, {}", b.address, b.municipality),
    };
    let uses: Vec<String> =
        b.uses.iter().map(|(category, area)| format!("{category}: {} m²", t.number(*area, 0))).collect();
    [
        ("page.desk.building.place", place),
        ("page.desk.building.uses", uses.join("; ")),
        ("page.desk.building.area", format!("{} m²", t.number(b.floor_area_m2, 0))),
        ("page.desk.building.volume", format!("{} m³", t.number(b.gross_volume_m3, 0))),
        ("page.desk.building.profile", b.usage_profile.clone()),
        ("page.desk.building.ape", b.ape_code.clone().unwrap_or_else(|| t.not_available())),
        ("page.desk.building.points", b.supply_points.join(", ")),
    ]
    .map(|(key, value)| (t.get(key).to_owned(), value))
    .to_vec()
}

#[derive(Template)]
#[template(path = "desk_economics.html")]
struct EconomicsPage<'a> {
    t: &'a Words,
    frame: Frame,
    head: Head,
    stated: Vec<(String, String)>,
    /// Label, amount.
    composition: Vec<(String, String)>,
    citation: String,
    /// What the comparison of stated and composed facility says, and whether it is good.
    check: Option<(bool, String)>,
    instalments: Vec<(String, String)>,
    clauses: Vec<ClauseLine>,
}

struct ClauseLine {
    says: String,
    verdict: &'static str,
    verdict_says: String,
    value: String,
    evidence: String,
    citation: String,
}

/// What the project file states, label and value.
fn stated(t: &Words, e: &Economics, euro: impl Fn(Option<f64>) -> String) -> Vec<(String, String)> {
    let granted = e.granted_costs_eur.map(|costs| ("page.desk.money.granted_costs", euro(Some(costs))));
    let cig = if e.cig.is_empty() { t.not_available() } else { e.cig.join(", ") };
    let pairs = [
        Some(("page.desk.money.costs", euro(e.costs_eur))),
        granted,
        Some(("page.desk.money.facility", euro(e.facility_eur))),
        Some(("page.desk.money.cig", cig)),
    ];
    pairs.into_iter().flatten().map(|(key, value)| (t.get(key).to_owned(), value)).collect()
}

/// `GET /desk/{project}/economics`.
pub(crate) async fn economics(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Response {
    respond(site, ask, move |site, ask| {
        let id = project_id(&id)?;
        let (t, file) = (&ask.words, seen(site, &ask.who, &id)?);
        let euro = |value: Option<f64>| match value {
            Some(value) => format!("{}\u{a0}€", t.number(value, 2)),
            None => t.not_available(),
        };
        let pair = |key: &str, value: String| (t.get(key).to_owned(), value);
        let e = &file.economics;
        let c = e.composition.as_ref();
        let amounts = |list: &[(&str, f64)]| list.iter().map(|(k, v)| pair(k, euro(Some(*v)))).collect();
        let page = EconomicsPage {
            t,
            frame: Frame::new(site, ask, file.title.clone(), ""),
            head: Head::new(t, &file, "economics", None),
            stated: stated(t, e, euro),
            composition: c.map_or_else(Vec::new, |c| {
                amounts(&[
                    ("page.desk.money.grant", c.grant_eur),
                    ("page.desk.money.loan", c.loan_eur),
                    ("page.desk.money.own", c.own_eur),
                    ("page.desk.money.composed", c.facility_eur),
                ])
            }),
            citation: c.map(|c| c.citation.clone()).unwrap_or_default(),
            check: c.and_then(|c| c.difference_eur).map(|difference| {
                let good = difference.abs() < 0.005;
                let key = match difference {
                    _ if good => "page.desk.money.agrees",
                    d if 0.0 < d => "page.desk.money.above",
                    _ => "page.desk.money.below",
                };
                (good, t.fill(key, &[("difference", &euro(Some(difference.abs())))]))
            }),
            instalments: c.map_or_else(Vec::new, |c| {
                let last = if c.last_loan_as_grant {
                    "page.desk.money.last_as_grant"
                } else {
                    "page.desk.money.last_loan"
                };
                amounts(&[
                    ("page.desk.money.advance", c.advance_eur),
                    ("page.desk.money.first_loan", c.first_loan_eur),
                    ("page.desk.money.second_grant", c.second_grant_eur),
                    ("page.desk.money.last_grant", c.last_grant_eur),
                    (last, c.last_loan_eur),
                ])
            }),
            clauses: e.clauses.iter().map(|c| clause(t, c)).collect(),
        };
        Ok(page.render()?)
    })
    .await
}

/// The ending of the text of a unit for one of it.
fn one(value: f64) -> &'static str {
    if (value - 1.0).abs() < 0.005 { "_one" } else { "" }
}

/// With all its decimals: it is rounded already.
fn trimmed(t: &Words, value: f64) -> String {
    analytics::report::format::Numbers::of_language(t.language())
        .trimmed(value, DECIMALS_MAX)
        .unwrap_or_else(|| t.not_available())
}

fn clause(t: &Words, clause: &ClauseView) -> ClauseLine {
    let value = match (clause.shown, clause.unit) {
        (None, _) => t.not_available(),
        (Some(value), "yes") => t.get(if 0.5 < value { "page.desk.yes" } else { "page.desk.no" }).to_owned(),
        // What is counted has no decimals, and its unit is a word.
        (Some(value), unit) => match t.texts().find(&format!("report.checks.unit.{unit}{}", one(value))) {
            Some(word) => format!("{}\u{a0}{word}", trimmed(t, value)),
            None => format!("{}\u{a0}{}", trimmed(t, value), printed(unit)),
        },
    };
    ClauseLine {
        says: t.get(&clause.text).to_owned(),
        verdict: match clause.verdict {
            "met" => "ok",
            "not_met" => "bad",
            _ => "warn",
        },
        verdict_says: t.of("page.desk.clause", clause.verdict),
        value,
        evidence: clause.basis.told(t.texts()),
        citation: clause.citation.clone(),
    }
}

#[derive(Template)]
#[template(path = "desk_history.html")]
struct HistoryPage<'a> {
    t: &'a Words,
    frame: Frame,
    head: Head,
    changes: Vec<ChangeLine>,
    pages: Option<(String, String)>,
    page: String,
}

struct ChangeLine {
    at: String,
    author: String,
    what: String,
    subject: String,
    version: u32,
    fields: Vec<FieldChange>,
    more: String,
}

/// Changes of one page.
const CHANGES_PER_PAGE: usize = 50;

#[derive(Debug, Deserialize)]
pub(crate) struct Paged {
    page: Option<usize>,
}

/// `GET /desk/{project}/history`.
pub(crate) async fn history(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Query(paged): Query<Paged>,
    ask: Ask,
) -> Response {
    respond(site, ask, move |site, ask| {
        let id = project_id(&id)?;
        let (t, file) = (&ask.words, seen(site, &ask.who, &id)?);
        let all = history_seen(site, &ask.who, &id)?;
        let last = all.len().div_ceil(CHANGES_PER_PAGE).max(1);
        let page = paged.page.unwrap_or(1).clamp(1, last);
        let to = |n: usize| format!("/desk/{id}/history?page={n}");
        let shown = all.iter().skip((page - 1) * CHANGES_PER_PAGE).take(CHANGES_PER_PAGE);
        let made = HistoryPage {
            t,
            frame: Frame::new(site, ask, file.title.clone(), ""),
            head: Head::new(t, &file, "history", None),
            changes: shown.map(|change| line(t, change)).collect(),
            pages: (1 < last).then(|| (to(page.saturating_sub(1).max(1)), to((page + 1).min(last)))),
            page: t.fill("page.desk.page_of", &[("page", &page.to_string()), ("pages", &last.to_string())]),
        };
        Ok(made.render()?)
    })
    .await
}

/// What stands for a value that is not this reader's to see.
const HIDDEN: &str = "•••";

/// The history as this reader may see it; personal codes and addresses are for who may edit.
pub(crate) fn history_seen(site: &Site, who: &Who, id: &ProjectId) -> Result<Vec<Change>, Fault> {
    let mut all = site.backend.history(id)?;
    if !who.may(Right::EditProject, Some(id)) && !who.may(Right::SeeAudit, None) {
        all.iter_mut().for_each(hide_personal);
    }
    Ok(all)
}

fn hide_personal(change: &mut Change) {
    let is_personal = |field: &str| {
        ["tax_code", "email", ".person"].iter().any(|part| field.contains(part)) || field.starts_with("to.")
    };
    let of_contacts = change.kind == "contacts";
    for field in change.fields.iter_mut().filter(|f| of_contacts || is_personal(&f.field)) {
        for value in [&mut field.before, &mut field.after].into_iter().flatten() {
            *value = HIDDEN.to_owned();
        }
    }
}

/// A change in the reader's words.
fn line(t: &Words, change: &Change) -> ChangeLine {
    let known = t.texts().find(&format!("page.desk.kind.{}", change.kind)).map(str::to_owned);
    let field = |f: &FieldChange| {
        let shown = |value: &Option<String>| value.as_ref().map(|value| changed::value(t, &f.field, value));
        FieldChange { field: changed::field(t, &f.field), before: shown(&f.before), after: shown(&f.after) }
    };
    ChangeLine {
        at: moment(t, &change.at),
        author: change.author.clone(),
        what: known.unwrap_or_else(|| change.kind.clone()),
        subject: change.subject.clone(),
        version: change.version,
        fields: change.fields.iter().map(field).collect(),
        more: match change.more {
            0 => String::new(),
            n => t.fill("page.desk.more_fields", &[("n", &n.to_string())]),
        },
    }
}
