//! `/desk/{project}/duties` and `/desk/{project}/submit/{obligation}/{year}`: what is to be sent, and the way there, one
//! step a page.
//!
//! Must never: offer a step that the submission is not ready for as the next one.

use std::sync::Arc;

use analytics::digits::decimals;
use analytics::report::beside::SectionKey;
use analytics::report::format::capitalised;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use model::ProjectId;
use serde::Deserialize;

use super::file::{Head, Notice, Told, day, moment, project_id, seen};
use super::wire::{DutyView, FileView, Guide, ObstacleView, SignedView};
use super::{DutyKey, preview};
use crate::access::{Right, Who};
use crate::downloads::encode;
use crate::pages::words::printed;
use crate::pages::{Ask, Fault, Frame, Site, Words, respond};

/// What stands for the year of what is sent once.
pub(crate) const NO_YEAR: &str = "-";

/// A step of the way, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Begin,
    Check,
    Comments,
    Freeze,
    Sign,
    Send,
    Outcome,
}

impl Step {
    const ALL: [Self; 7] =
        [Self::Begin, Self::Check, Self::Comments, Self::Freeze, Self::Sign, Self::Send, Self::Outcome];

    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Check => "check",
            Self::Comments => "comments",
            Self::Freeze => "freeze",
            Self::Sign => "sign",
            Self::Send => "send",
            Self::Outcome => "outcome",
        }
    }

    fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.code() == code)
    }

    /// The step that a submission stands before.
    fn next(guide: &Guide) -> Self {
        match guide.duty.stage {
            None => Self::Begin,
            Some("draft") => Self::Check,
            Some("checked") if guide.report == Some("annual") => Self::Comments,
            Some("checked") => Self::Freeze,
            Some("frozen") => Self::Sign,
            Some("signed" | "sending") => Self::Send,
            Some(_) => Self::Outcome,
        }
    }

    /// Whether a submission may be looked at there: what is past, what is next, and what may be left out.
    fn is_open(self, next: Self) -> bool {
        match (self, next) {
            // Comments may be written as soon as there is a draft; signing may be left out where the act allows it.
            (Self::Comments, Self::Check | Self::Freeze) | (Self::Freeze, Self::Comments) => true,
            (Self::Send, Self::Sign) => true,
            _ => self <= next,
        }
    }
}

#[derive(Template)]
#[template(path = "desk_duties.html")]
struct DutiesPage<'a> {
    t: &'a Words,
    frame: Frame,
    head: Head,
    open: Vec<DutyLine>,
    done: Vec<DutyLine>,
    waiting: Vec<DutyLine>,
}

pub(crate) struct DutyLine {
    name: String,
    year: String,
    due: String,
    left: String,
    class: &'static str,
    state: String,
    stage: String,
    href: String,
    /// What the link says: begin, go on, look.
    act: String,
    primary: bool,
    channel: String,
    citation: String,
    needs: String,
}

/// `GET /desk/{project}/duties`.
pub(crate) async fn duties(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Response {
    respond(site, ask, move |site, ask| {
        let id = project_id(&id)?;
        let (t, file) = (&ask.words, seen(site, &ask.who, &id)?);
        let may = ask.who.may(Right::EditProject, Some(&id));
        let all = site.backend.duties(&id)?;
        let lines = |states: &[&str]| -> Vec<DutyLine> {
            let chosen = all.iter().filter(|d| states.contains(&d.state));
            chosen.map(|d| duty_line(t, &id, d, may)).collect()
        };
        let page = DutiesPage {
            t,
            frame: Frame::new(site, ask, file.title.clone(), ""),
            head: Head::new(t, &file, "duties", None),
            open: lines(&["late", "due", "upcoming"]),
            done: lines(&["sent", "accepted"]),
            waiting: lines(&["waiting"]),
        };
        Ok(page.render()?)
    })
    .await
}

fn duty_line(t: &Words, id: &ProjectId, d: &DutyView, may: bool) -> DutyLine {
    let left = d.days_left.map_or_else(String::new, |days| {
        let key = match days {
            d if d < 0 => "page.due.overdue",
            0 => "page.due.today",
            _ => "page.due.left",
        };
        t.fill(key, &[("days", &t.number(days.unsigned_abs() as f64, 0))])
    });
    let over = matches!(d.state, "sent" | "accepted");
    let act = match (d.stage, may && !over) {
        (None, true) => "page.desk.duty.begin",
        (Some(_), true) => "page.desk.duty.go_on",
        (_, false) => "page.desk.duty.look",
    };
    DutyLine {
        name: t.get(&d.text).to_owned(),
        year: d.year.map(|y| y.to_string()).unwrap_or_default(),
        due: d.due.as_deref().map_or_else(|| t.not_available(), |due| day(t, due)),
        left: if over { String::new() } else { left },
        class: match d.state {
            "late" => "bad",
            "due" => "warn",
            "sent" | "accepted" => "ok",
            _ => "none",
        },
        state: t.of("page.desk.state", d.state),
        stage: d.stage.map(|stage| t.of("page.desk.stage", stage)).unwrap_or_default(),
        href: address(id.as_str(), &d.obligation, d.year),
        act: t.get(act).to_owned(),
        primary: may && matches!(d.state, "late" | "due"),
        channel: t.channel_of_sending(&d.channel).to_owned(),
        citation: d.citation.clone(),
        needs: d.needs.iter().map(|need| t.of("need", need)).collect::<Vec<_>>().join(", "),
    }
}

/// The address of a guided submission.
pub(crate) fn address(project: &str, obligation: &str, year: Option<i32>) -> String {
    let year = year.map_or_else(|| NO_YEAR.to_owned(), |year| year.to_string());
    format!("/desk/{project}/submit/{}/{year}", encode(obligation))
}

/// The obligation that an address names.
pub(crate) fn duty_key((project, obligation, year): &(String, String, String)) -> Result<DutyKey, Fault> {
    let no_page = || Fault::NoPage(format!("/desk/{project}/submit/{obligation}/{year}"));
    let year = match year.as_str() {
        NO_YEAR => None,
        year => Some(year.parse::<i32>().map_err(|_| no_page())?),
    };
    Ok(DutyKey { project: project_id(project)?, obligation: obligation.clone(), year })
}

#[derive(Template)]
#[template(path = "desk_guide.html")]
struct GuidePage<'a> {
    t: &'a Words,
    frame: Frame,
    head: Head,
    name: String,
    year: String,
    due: String,
    version: u32,
    why: String,
    /// Number, label, address where it is open, state: `done`, `here`, `todo`.
    steps: Vec<(usize, String, Option<String>, &'static str)>,
    step: &'static str,
    /// Whether the step shown is the one that comes next.
    is_next: bool,
    address: String,
    channel: String,
    citation: String,
    signer: String,
    begin_lead: String,
    freeze_lead: String,
    g: &'a Guide,
    obstacles: Vec<ObstacleLine>,
    advised: Vec<String>,
    /// What goes with it and was not sent: name and address.
    companions: Vec<(String, String)>,
    attached: Vec<FileLine>,
    files: Vec<FileLine>,
    frozen_says: String,
    kpis: Vec<(String, String, String, &'static str, String)>,
    differences: Vec<String>,
    /// File, and who signed it, a line each fact.
    signed: Vec<(String, Vec<String>)>,
    receipts: Vec<(FileLine, String)>,
    sending: String,
    outcome: String,
    /// What is said of an earlier version that can be answered; empty where there is none.
    answerable: String,
    /// What became of letters.
    cautions: Vec<String>,
    comments: Option<CommentsView>,
    today: String,
    may_edit: bool,
    may_take: bool,
    may_note: bool,
    may_submit: bool,
}

struct ObstacleLine {
    id: usize,
    code: String,
    /// What it is about, in words.
    about: String,
    subject: String,
    severity: &'static str,
    says: String,
    act: String,
    liftable: bool,
}

struct FileLine {
    name: String,
    href: String,
    size: String,
    sha256: String,
}

struct CommentsView {
    /// Label, address, whether commented, whether shown.
    sections: Vec<(String, String, bool, bool)>,
    key: &'static str,
    title: String,
    /// Finished, escaped markup of the preview.
    preview: String,
    text: String,
    by: String,
    instead: bool,
    next: String,
    is_last: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Wanted {
    step: Option<String>,
    section: Option<String>,
    #[serde(flatten)]
    told: Told,
}

/// `GET /desk/{project}/submit/{obligation}/{year}`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Path(of): Path<(String, String, String)>,
    Query(wanted): Query<Wanted>,
    ask: Ask,
) -> Response {
    respond(site, ask, move |site, ask| {
        let key = duty_key(&of)?;
        let mut notice = Notice::done(&ask.words, &wanted.told);
        if let Some(notice) = notice.as_mut().filter(|_| wanted.told.is("sign")) {
            // Who signed is to be seen at once, not on the way back.
            let guide = seen_by(site, &ask.who, &key)?;
            notice.lines = guide.signed.last().map(|s| signers(&ask.words, s)).unwrap_or_default();
        }
        render(site, ask, &key, &wanted, notice)
    })
    .await
}

/// The guided submission as this reader may see it.
pub(crate) fn seen_by(site: &Site, who: &Who, key: &DutyKey) -> Result<Guide, Fault> {
    let mut guide = site.backend.guide(key)?;
    if !who.may(Right::EditProject, Some(&key.project)) {
        guide.signed.iter_mut().flat_map(|s| &mut s.signers).for_each(|signer| signer.person = None);
    }
    Ok(guide)
}

/// The page of one step, as after something that was refused there.
pub(crate) fn again(
    site: &Site,
    ask: &Ask,
    key: &DutyKey,
    step: &str,
    section: Option<String>,
    notice: Option<Notice>,
) -> Result<String, Fault> {
    let wanted = Wanted { step: Some(step.to_owned()), section, told: Told::default() };
    render(site, ask, key, &wanted, notice)
}

fn render(
    site: &Site,
    ask: &Ask,
    key: &DutyKey,
    wanted: &Wanted,
    notice: Option<Notice>,
) -> Result<String, Fault> {
    let (t, id) = (&ask.words, &key.project);
    let file = seen(site, &ask.who, id)?;
    let g = seen_by(site, &ask.who, key)?;
    let next = Step::next(&g);
    let asked = wanted.step.as_deref().and_then(Step::parse).filter(|s| s.is_open(next));
    let step = asked.unwrap_or(next);
    let at = address(id.as_str(), &key.obligation, key.year);
    let commented = step == Step::Comments && g.report == Some("annual");
    let comments =
        if commented { Some(comments(site, t, key, &at, wanted.section.as_deref())?) } else { None };
    let files = |files: &[FileView]| files.iter().map(|f| file_line(t, id.as_str(), f)).collect();
    let page = GuidePage {
        t,
        frame: Frame::new(site, ask, t.get(&g.duty.text), ""),
        head: Head::new(t, &file, "duties", notice),
        name: t.get(&g.duty.text).to_owned(),
        year: key.year.map(|y| y.to_string()).unwrap_or_default(),
        due: g.duty.due.as_deref().map_or_else(|| t.not_available(), |due| day(t, due)),
        version: g.duty.version.unwrap_or(1),
        why: g.why.clone().unwrap_or_default(),
        steps: steps(t, &g, next, step, &at),
        step: step.code(),
        is_next: step == next,
        address: at,
        channel: t.channel_of_sending(&g.duty.channel).to_owned(),
        citation: g.duty.citation.clone(),
        signer: t.of("page.desk.signer", g.signer),
        begin_lead: of_report(t, "page.desk.guide.begin.lead", g.report),
        freeze_lead: of_report(t, "page.desk.guide.freeze.lead", g.report),
        obstacles: g.obstacles.iter().enumerate().map(|(i, o)| obstacle_line(t, i, o)).collect(),
        advised: g.advised_texts.iter().map(|text| t.get(text).to_owned()).collect(),
        companions: g.companions.iter().map(|d| companion(t, id.as_str(), d)).collect(),
        attached: files(&g.attached),
        files: g.frozen.as_ref().map(|f| files(&f.files)).unwrap_or_default(),
        frozen_says: g.frozen.as_ref().map_or_else(String::new, |f| {
            t.fill("page.desk.guide.frozen_by", &[("by", &f.by), ("at", &moment(t, &f.at))])
        }),
        kpis: kpis(t, &g),
        differences: g.frozen.iter().flat_map(|f| &f.differences).map(|d| t.finding(d)).collect(),
        signed: signed(t, &g),
        receipts: g.receipts.iter().map(|r| (file_line(t, id.as_str(), &r.file), receipt(t, r))).collect(),
        sending: g.sending.as_ref().map_or_else(String::new, |s| {
            let values = [("to", &*s.to), ("on", &*day(t, &s.day))];
            t.fill(if s.way == "pec" { "page.desk.guide.by_pec" } else { "page.desk.guide.by_hand" }, &values)
        }),
        outcome: g.outcome.as_ref().map_or_else(String::new, |o| format!("{}: {}", day(t, &o.on), o.says)),
        answerable: g.answerable.map_or_else(String::new, |version| {
            t.fill("page.desk.guide.outcome.earlier", &[("version", &version.to_string())])
        }),
        cautions: g.cautions.iter().map(|d| capitalised(&t.finding(d))).collect(),
        comments,
        today: site.backend.now().day(chrono_tz::Europe::Rome).to_string(),
        may_edit: ask.who.may(Right::EditProject, Some(id)),
        may_take: ask.who.may(Right::TakeDossier, Some(id)),
        may_note: ask.who.may(Right::WriteNotes, Some(id)),
        may_submit: ask.who.may(Right::Submit, Some(id)),
        g: &g,
    };
    Ok(page.render()?)
}

fn companion(t: &Words, project: &str, duty: &DutyView) -> (String, String) {
    let year = duty.year.map(|year| format!(" {year}")).unwrap_or_default();
    (format!("{}{year}", t.get(&duty.text)), address(project, &duty.obligation, duty.year))
}

/// What of the guide's words depends on what is made: the annual report has comments and a structured file, the others
/// have neither.
fn of_report(t: &Words, key: &str, report: Option<&str>) -> String {
    let end = match report {
        Some("annual") => "",
        Some(_) => "_document",
        None => "_files",
    };
    t.get(&format!("{key}{end}")).to_owned()
}

fn steps(
    t: &Words,
    g: &Guide,
    next: Step,
    here: Step,
    at: &str,
) -> Vec<(usize, String, Option<String>, &'static str)> {
    let accepted = g.duty.stage == Some("accepted");
    let shown = Step::ALL.into_iter().filter(|s| *s != Step::Comments || g.report == Some("annual"));
    let line = |(i, step): (usize, Step)| {
        let label = t.of("page.desk.step", step.code());
        let link = step.is_open(next).then(|| format!("{at}?step={}", step.code()));
        let state = match step {
            _ if step == here => "here",
            _ if step < next || accepted => "done",
            _ => "todo",
        };
        (i + 1, label, link, state)
    };
    shown.enumerate().map(line).collect()
}

fn obstacle_line(t: &Words, id: usize, obstacle: &ObstacleView) -> ObstacleLine {
    let finding = &obstacle.finding;
    // A part of a sentence for a person begins like one.
    let says = capitalised(&t.finding(finding));
    ObstacleLine {
        id,
        code: finding.code.to_owned(),
        about: t.subject(&finding.subject),
        subject: finding.subject.clone(),
        severity: finding.severity.code(),
        says,
        act: t.of("page.desk.act", obstacle.act_text),
        liftable: obstacle.liftable,
    }
}

fn file_line(t: &Words, project: &str, file: &FileView) -> FileLine {
    FileLine {
        name: file.name.clone(),
        href: format!("/desk/{project}/files/{}", file.sha256),
        size: t.size(file.bytes),
        sha256: file.sha256.clone(),
    }
}

fn kpis(t: &Words, g: &Guide) -> Vec<(String, String, String, &'static str, String)> {
    let line = |k: &super::wire::FrozenKpiView| {
        let verdict = match k.verdict.as_str() {
            "reached" => "reached",
            "missed" => "missed",
            _ => "undetermined",
        };
        let unit = printed(&k.unit);
        let decimals = decimals(&[k.achieved, k.post], (None, None));
        let value = |v: Option<f64>| match v {
            Some(_) => format!("{} {unit}", t.maybe(v, decimals)),
            None => t.not_available(),
        };
        (k.code.clone(), value(k.achieved), value(k.post), verdict, t.told(&k.told))
    };
    g.frozen.iter().flat_map(|f| &f.kpis).map(line).collect()
}

/// File and who signed it.
fn signed(t: &Words, g: &Guide) -> Vec<(String, Vec<String>)> {
    g.signed.iter().map(|s| (s.file.name.clone(), signers(t, s))).collect()
}

/// Who signed a file, what their certificate says, and why it was taken where that proves too little.
fn signers(t: &Words, signed: &SignedView) -> Vec<String> {
    let mut lines = Vec::new();
    for signer in &signed.signers {
        let at = signer.signed_at.as_deref().map_or_else(|| t.not_available(), |at| moment(t, at));
        lines.push(t.fill("page.desk.guide.signed_by", &[("name", &signer.name), ("at", &at)]));
        if let Some(person) = &signer.person {
            lines.push(t.fill("page.desk.guide.signed_code", &[("code", tax_code(person))]));
        }
        let (from, to) = (moment(t, &signer.valid_from), moment(t, &signer.valid_to));
        lines.push(t.fill("page.desk.guide.signed_valid", &[("from", &from), ("to", &to)]));
        let key = match signer.trusted {
            Some(true) => "page.desk.guide.signed_trusted",
            Some(false) | None => "page.desk.guide.signed_unchecked",
        };
        lines.push(t.fill(key, &[("issuer", &signer.issuer)]));
    }
    let reason = signed.reason.as_ref();
    lines.extend(reason.map(|reason| t.fill("page.desk.guide.signed_reason", &[("reason", reason)])));
    lines
}

/// An Italian tax code without the letters that say what it is; another code as it stands.
fn tax_code(person: &str) -> &str {
    person.strip_prefix("TINIT-").or_else(|| person.strip_prefix("IT:")).unwrap_or(person)
}

fn receipt(t: &Words, receipt: &super::wire::ReceiptView) -> String {
    let parts = [&receipt.kind, &receipt.number, &receipt.when];
    let what = match &receipt.kind {
        None => t.get("page.desk.guide.receipt_other").to_owned(),
        Some(_) => parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(", "),
    };
    let name = [("file", receipt.file.name.as_str())];
    let told = receipt.uncompared.iter().map(|code| t.fill(&format!("finding.{code}"), &name));
    std::iter::once(what).chain(told).collect::<Vec<_>>().join("; ")
}

/// The section to comment on, with the report's own page of it.
fn comments(
    site: &Site,
    t: &Words,
    key: &DutyKey,
    at: &str,
    wanted: Option<&str>,
) -> Result<CommentsView, Fault> {
    let all = site.backend.draft_sections(key, t.language())?;
    let wanted = wanted.and_then(SectionKey::parse);
    let shown = all.iter().position(|s| Some(s.key) == wanted).unwrap_or(0);
    let missing = || Fault::NoYear { project: key.project.to_string(), year: String::new() };
    let section = all.get(shown).ok_or_else(missing)?;
    let link = |key: SectionKey| format!("{at}?step=comments&section={}", key.code());
    let (text, by, instead) = section.comment.clone().unwrap_or_default();
    Ok(CommentsView {
        sections: all
            .iter()
            .enumerate()
            .map(|(i, s)| (s.section.title.clone(), link(s.key), s.comment.is_some(), i == shown))
            .collect(),
        key: section.key.code(),
        title: section.section.title.clone(),
        preview: preview::markup(t, &section.section)?,
        text,
        by,
        instead,
        next: all.get(shown + 1).map_or_else(|| format!("{at}?step=freeze"), |s| link(s.key)),
        is_last: all.len() <= shown + 1,
    })
}
