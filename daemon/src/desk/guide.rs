//! The guided submission: how far it is, what stands in the way, and its steps.
//!
//! Must never: take a step in another way than the command line.

use std::sync::Arc;

use analytics::report::beside::{Beside, Comment, SectionKey};
use analytics::report::commentable;
use analytics::result::{STATED, TO_STATE};
use analytics::scheme::calendar::Entry;
use analytics::scheme::{KpiMeasure, ReportKind};
use chrono::NaiveDate;
use connectors::day::Day;
use connectors::signature::Verifier;
use dashboards::desk::wire::{
    DutyView, FileView, FrozenKpiView, FrozenView, Guide, LiftedView, ObstacleView, OutcomeView, ReceiptView,
    SendingView, SignedView, SignerView,
};
use dashboards::desk::{Act, DraftSection, DutyKey, Refused};
use model::{Finding, Instant, Project, ProjectId, Zone};

use super::{broken, refused};
use crate::exit::Failure;
use crate::figures::Figures;
use crate::runtime::{Runtime, lock};
use crate::submissions::check::{Bench, Checked, act_for, act_name};
use crate::submissions::{self, ByHand, FileRef, Frozen, Key, Lifted, Outcome, Stage, Submission};
use crate::{comments, duties, figures, stated};

/// For how long a report in the making is shown from the same figures.
const DRAFT_SECONDS: f64 = 300.0;
/// Reports in the making that are held.
const DRAFTS_MAX: usize = 4;

/// A report in the making.
#[derive(Clone)]
pub(crate) struct Draft {
    at: Instant,
    figures: Arc<Figures>,
}

fn key(of: &DutyKey) -> Key {
    Key { project: of.project.clone(), obligation: of.obligation.clone(), year: of.year }
}

/// The newest version of a submission, if one was begun.
fn current(runtime: &Runtime, key: &DutyKey) -> anyhow::Result<Option<Submission>> {
    let of = |s: &Submission| {
        s.project == key.project.as_str() && s.obligation == key.obligation && s.year == key.year
    };
    Ok(submissions::all(&runtime.store)?.into_iter().rfind(of))
}

pub(super) fn duties(runtime: &Runtime, project: &ProjectId) -> anyhow::Result<Vec<DutyView>> {
    let installation = runtime.installation();
    let all = submissions::all(&runtime.store)?;
    let calendars = duties::calendars(&runtime.store, &installation, Some(project), runtime.clock.now())?;
    let view = |entry: &Entry, today| {
        let own = |s: &&Submission| {
            s.project == project.as_str() && s.obligation == entry.obligation && s.year == entry.year
        };
        let newest = all.iter().rfind(own);
        DutyView {
            obligation: entry.obligation.clone(),
            text: entry.text.clone(),
            year: entry.year,
            due: entry.due.map(|day| day.to_string()),
            days_left: entry.days_left(today),
            state: entry.state.code(),
            sent: entry.sent.map(|day| day.to_string()),
            stage: newest.map(|s| s.stage.code()),
            version: newest.map(|s| s.version),
            needs: entry.needs.iter().map(|need| need.key()).collect(),
            channel: entry.channel.clone(),
            citation: entry.citation.clone(),
        }
    };
    Ok(calendars.iter().flat_map(|c| c.entries.iter().map(move |e| view(e, c.today))).collect())
}

pub(super) fn of(runtime: &Runtime, asked: &DutyKey) -> Result<Guide, Refused> {
    let installation = runtime.installation();
    let now = runtime.clock.now();
    let bench = Bench::new(&runtime.store, &installation, &key(asked), now)
        .map_err(|failure| Refused::unknown(format!("{:#}", failure.error)))?;
    let all = duties(runtime, &asked.project).map_err(broken)?;
    let companions = companions(&bench, &all, asked.year);
    let duty = all.into_iter().find(|d| d.obligation == asked.obligation && d.year == asked.year);
    let duty = duty.ok_or_else(|| Refused::unknown("nothing of that kind is asked for that year"))?;
    let submission = current(runtime, asked).map_err(broken)?;
    let checked = match &submission {
        Some(s) if matches!(s.stage, Stage::Draft | Stage::Checked) => Some(bench.check(s).map_err(broken)?),
        Some(_) | None => None,
    };
    let frozen = match &submission {
        Some(s) => s.frozen.as_ref().map(|f| frozen(runtime, s, f)).transpose().map_err(refused)?,
        None => None,
    };
    let cautions = cautions(runtime, asked).map_err(broken)?;
    let answerable = answerable(runtime, asked, submission.as_ref()).map_err(refused)?;
    let obligation = &bench.obligation;
    let advised = checked.as_ref().map(|c| c.advised.as_slice()).unwrap_or_default();
    let zone = bench.project.zone;
    Ok(Guide {
        project: asked.project.to_string(),
        title: bench.project.title.clone(),
        duty,
        report: obligation.report.map(ReportKind::code),
        signer: obligation.signer.code(),
        digital: obligation.signer.signs_digitally(),
        can_send: installation.settings.sending.pec.is_some(),
        obstacles: checked.as_ref().map(obstacles).unwrap_or_default(),
        advised: advised.iter().map(|kpi| kpi.code.clone()).collect(),
        advised_texts: advised.iter().map(|kpi| kpi.text.clone()).collect(),
        companions,
        frozen,
        answerable,
        cautions,
        ..of_submission(submission, zone)
    })
}

/// What became of letters, of every version.
fn cautions(runtime: &Runtime, asked: &DutyKey) -> anyhow::Result<Vec<Finding>> {
    let mut versions = submissions::all(&runtime.store)?;
    versions.retain(|s| {
        (s.project.as_str(), &s.obligation, s.year) == (asked.project.as_str(), &asked.obligation, asked.year)
    });
    Ok(submissions::attempts::told(&versions))
}

/// The version that was sent and is not accepted yet, while a newer one is in the making.
fn answerable(
    runtime: &Runtime,
    asked: &DutyKey,
    newest: Option<&Submission>,
) -> Result<Option<u32>, Failure> {
    let Some(newest) = newest.filter(|s| s.progress().is_none()) else { return Ok(None) };
    let sent = submissions::awaiting(&runtime.store, &key(asked))?;
    let open = matches!(sent.stage, Stage::Sent | Stage::IntegrationAsked);
    Ok(Some(sent.version).filter(|version| open && *version != newest.version))
}

/// The report on the monitoring system that is still to go with this annual one.
fn companions(bench: &Bench<'_>, all: &[DutyView], year: Option<i32>) -> Vec<DutyView> {
    if bench.obligation.report != Some(ReportKind::Annual) {
        return Vec::new();
    }
    let scheme = bench.installation.catalog.scheme(&bench.project.scheme);
    let is_system = |duty: &&DutyView| {
        let of = scheme.and_then(|scheme| scheme.obligation(&duty.obligation));
        of.is_some_and(|of| of.report == Some(ReportKind::System))
    };
    let open = |duty: &&DutyView| !matches!(duty.state, "sent" | "accepted");
    all.iter().filter(is_system).filter(|duty| duty.year == year).filter(open).cloned().collect()
}

/// What a submission says of itself; the rest is empty.
fn of_submission(submission: Option<Submission>, zone: Zone) -> Guide {
    let files = |files: &[FileRef]| files.iter().map(file).collect();
    let submission = submission.as_ref();
    Guide {
        project: String::new(),
        title: String::new(),
        duty: DutyView {
            obligation: String::new(),
            text: String::new(),
            year: None,
            due: None,
            days_left: None,
            state: "",
            sent: None,
            stage: None,
            version: None,
            needs: Vec::new(),
            channel: String::new(),
            citation: String::new(),
        },
        report: None,
        signer: "",
        digital: false,
        can_send: false,
        why: submission.and_then(|s| s.why.clone()),
        attached: submission.map(|s| files(&s.attached)).unwrap_or_default(),
        obstacles: Vec::new(),
        advised: Vec::new(),
        advised_texts: Vec::new(),
        companions: Vec::new(),
        answerable: None,
        cautions: Vec::new(),
        lifted: submission.iter().flat_map(|s| &s.lifted).map(lifted).collect(),
        frozen: None,
        signed: submission.iter().flat_map(|s| &s.signed).map(signed).collect(),
        sending: submission.and_then(|s| s.sending.as_ref()).map(|sending| SendingView {
            way: sending.way.clone(),
            to: sending.to.clone(),
            at: Instant::from_millis(sending.at_ms).to_string(),
            day: Instant::from_millis(sending.at_ms).day(zone).to_string(),
        }),
        receipts: submission.iter().flat_map(|s| s.receipts.iter().map(|r| receipt(s, r))).collect(),
        outcome: submission
            .and_then(|s| s.outcome.as_ref())
            .map(|o| OutcomeView { on: o.on.to_string(), says: o.says.clone() }),
    }
}

fn file(file: &FileRef) -> FileView {
    FileView {
        name: file.name.clone(),
        mime: file.mime.clone(),
        bytes: file.bytes,
        sha256: file.sha256.clone(),
    }
}

fn lifted(lifted: &Lifted) -> LiftedView {
    LiftedView {
        code: lifted.code.clone(),
        subject: lifted.subject.clone(),
        author: lifted.author.clone(),
        reason: lifted.reason.clone(),
    }
}

fn signed(signed: &submissions::SignedFile) -> SignedView {
    let signer = |s: &submissions::Signer| SignerView {
        name: s.name.clone(),
        person: s.person.clone(),
        issuer: s.issuer.clone(),
        valid_from: Instant::from_millis(s.not_before_ms).to_string(),
        valid_to: Instant::from_millis(s.not_after_ms).to_string(),
        digest: s.digest.clone(),
        signed_at: s.signed_at_ms.map(|ms| Instant::from_millis(ms).to_string()),
        trusted: s.trusted,
    };
    SignedView {
        file: file(&signed.file),
        wraps_sha256: signed.wraps_sha256.clone(),
        signers: signed.signers.iter().map(signer).collect(),
        reason: signed.reason.clone(),
    }
}

fn receipt(submission: &Submission, receipt: &submissions::Receipt) -> ReceiptView {
    let open = submissions::receipts::open_points(submission, receipt);
    ReceiptView {
        file: file(&receipt.file),
        kind: receipt.kind.clone(),
        number: receipt.number.clone(),
        when: receipt.when.clone(),
        uncompared: open.iter().map(|what| what.code().to_owned()).collect(),
    }
}

fn obstacles(checked: &Checked) -> Vec<ObstacleView> {
    let view = |obstacle: &submissions::check::Obstacle| ObstacleView {
        act: act_for(obstacle.finding.code),
        act_text: act_name(obstacle.finding.code),
        // What is not over or not there cannot be taken upon anybody.
        liftable: !obstacle.finding.code.starts_with("submission."),
        finding: obstacle.finding.clone(),
    };
    checked.obstacles.iter().map(view).collect()
}

fn frozen(runtime: &Runtime, submission: &Submission, frozen: &Frozen) -> Result<FrozenView, Failure> {
    let project = ProjectId::new(&submission.project).map_err(anyhow::Error::from)?;
    let years = runtime.project_figures(&project).map(|f| f.years).unwrap_or_default();
    let installation = runtime.installation();
    let scheme = runtime
        .project_figures(&project)
        .and_then(|f| installation.catalog.scheme(&f.project.scheme).cloned());
    let told = |kpi: &submissions::FrozenKpi| {
        let definition = scheme.as_ref().and_then(|s| s.kpis.iter().find(|of| of.code == kpi.code));
        let is_declared =
            definition.is_some_and(|of| of.measure == KpiMeasure::Stated) && kpi.achieved.is_none();
        match (is_declared, kpi.post) {
            (false, _) => kpi.verdict.clone(),
            (true, None) => TO_STATE.to_owned(),
            (true, Some(_)) => STATED.to_owned(),
        }
    };
    let kpi = |kpi: &submissions::FrozenKpi| FrozenKpiView {
        told: told(kpi),
        code: kpi.code.clone(),
        unit: kpi.unit.clone(),
        achieved: kpi.achieved,
        post: kpi.post,
        verdict: kpi.verdict.clone(),
    };
    // What a newer version was frozen with is no difference any more.
    let mut differences = Vec::new();
    if submissions::late::standing(&submissions::all(&runtime.store)?).contains(&submission) {
        let texts = runtime.installation().catalog.texts("it");
        for year in &years {
            differences.extend(submissions::late::changes(&runtime.store, &texts, submission, year)?);
        }
    }
    Ok(FrozenView {
        at: Instant::from_millis(frozen.at_ms).to_string(),
        by: frozen.by.clone(),
        files: frozen.files.iter().map(file).collect(),
        kpis: frozen.kpis.iter().map(kpi).collect(),
        differences,
    })
}

pub(super) fn act(runtime: &Runtime, asked: &DutyKey, act: &Act, author: &str) -> Result<(), Failure> {
    let (installation, store, now) = (runtime.installation(), &runtime.store, runtime.clock.now());
    let key = key(asked);
    let bench = Bench::new(store, &installation, &key, now)?;
    match act {
        Act::Begin => bench.begin(&key, author).map(|_| ()),
        Act::Check => bench.note_checked(&key, author).map(|_| ()),
        Act::Lift { code, subject, reason } => {
            let lifted = Lifted {
                code: code.clone(),
                subject: subject.clone(),
                author: author.to_owned(),
                reason: reason.clone(),
            };
            bench.lift(&key, lifted)
        }
        Act::Attach(upload) => {
            let file = (upload.name.as_str(), upload.bytes.as_slice());
            submissions::attach(store, &key, file, author, now).map(|_| ())
        }
        Act::Detach { name } => submissions::detach(store, &key, name, author, now),
        Act::Freeze { language } => bench.freeze(&key, language, author).map(|_| ()),
        Act::Sign { file: upload, reason } => {
            let verifier = Verifier { trust_file: installation.settings.sending.trust_file.clone(), now };
            let file = (upload.name.as_str(), upload.bytes.as_slice());
            submissions::sign::take(store, &key, file, (reason, false), &verifier, author).map(|_| ())
        }
        Act::Send { to } => submissions::send::dispatch(&bench, &key, to, author).map(|_| ()),
        Act::Sent { to, on, receipt } => {
            let file = (receipt.name.as_str(), receipt.bytes.as_slice());
            let by_hand = ByHand { to, on: *on, receipt: file };
            let zone = bench.project.zone;
            let noted = submissions::sent(store, &key, &by_hand, &bench.obligation, zone, (author, now))?;
            if noted.is_undelivered() {
                let says = "the receipt is kept: the letter was not delivered and can be sent again";
                return Err(Failure::bad_input(says).coded("not_delivered"));
            }
            Ok(())
        }
        Act::Answered { accepted, on, says } => {
            let zone = bench.project.zone;
            let stage = if *accepted { Stage::Accepted } else { Stage::IntegrationAsked };
            let outcome = Outcome { on: Day(*on), says: says.clone() };
            submissions::outcome(store, &key, stage, outcome, zone, (author, now)).map(|_| ())
        }
        Act::Correct { why } => submissions::correct(store, &key, why, author, now).map(|_| ()),
    }
}

pub(super) fn sections(
    runtime: &Runtime,
    asked: &DutyKey,
    language: &str,
) -> Result<Vec<DraftSection>, Failure> {
    drafted(runtime, asked, language, |_, _| {})
}

/// One section as it would be with a comment that nobody saved; `None` where the report has no such section.
pub(super) fn preview(
    runtime: &Runtime,
    asked: &DutyKey,
    language: &str,
    (section, said): (SectionKey, comments::Said<'_>),
) -> Result<Option<DraftSection>, Failure> {
    let text = match said.text.trim() {
        "" => None,
        _ => Some(comments::checked(said.text)?),
    };
    let names = crate::access::names(&runtime.store)?;
    let author = names.get(said.author).cloned().unwrap_or_else(|| said.author.to_owned());
    let change = |all: &mut Vec<Comment>, date: NaiveDate| {
        all.retain(|comment| comment.section != section);
        all.extend(text.map(|text| Comment { section, text, author, date, instead: said.instead }));
    };
    let all = drafted(runtime, asked, language, change)?;
    Ok(all.into_iter().find(|draft| draft.key == section))
}

fn drafted(
    runtime: &Runtime,
    asked: &DutyKey,
    language: &str,
    change: impl FnOnce(&mut Vec<Comment>, NaiveDate),
) -> Result<Vec<DraftSection>, Failure> {
    let installation = runtime.installation();
    let project = figures::project(&runtime.store, &installation.catalog, &asked.project)?;
    let Some(year) = asked.year else { return Ok(Vec::new()) };
    let today = runtime.clock.now().day(project.zone);
    if !figures::years(&project, today).contains(&year) {
        let says = format!("project {} has no reporting period in {year}", project.id);
        return Err(Failure::bad_input(says).coded("no_year"));
    }
    let until = figures::until(year, today);
    let gathered = gathered(runtime, &project, (year, until))?;
    let texts = installation.catalog.texts(language);
    // People write between two looks: what they said is read anew.
    let mut comments = comments::of_report(&runtime.store, &project, year)?;
    change(&mut comments, today);
    let mut beside = Beside { comments, ..gathered.beside.clone() };
    stated::put_beside(&runtime.store, &gathered.year, &mut beside)?;
    let sections = commentable(&gathered.year, &beside, &texts);
    let draft = |(key, section)| {
        let own = beside.comments.iter().find(|c| c.section == key);
        DraftSection { key, section, comment: own.map(|c| (c.text.clone(), c.author.clone(), c.instead)) }
    };
    Ok(sections.into_iter().map(draft).collect())
}

/// What a report in the making is written from; for a while the same, so that each section does not gather it anew.
fn gathered(
    runtime: &Runtime,
    project: &Arc<Project>,
    (year, until): (i32, NaiveDate),
) -> Result<Arc<Figures>, Failure> {
    let now = runtime.clock.now();
    let fresh = |draft: &Draft| (0.0..DRAFT_SECONDS).contains(&now.seconds_since(draft.at));
    let same = |draft: &&Draft| {
        draft.figures.year.project.id == project.id
            && (draft.figures.year.year, draft.figures.year.until) == (year, until)
    };
    let mut drafts = lock(&runtime.drafts).clone();
    drafts.retain(fresh);
    if let Some(draft) = drafts.iter().find(same) {
        return Ok(Arc::clone(&draft.figures));
    }
    let made = figures::with_beside(&runtime.store, &runtime.installation(), project, year, until)?;
    let made = Arc::new(made);
    drafts.insert(0, Draft { at: now, figures: Arc::clone(&made) });
    drafts.truncate(DRAFTS_MAX);
    *lock(&runtime.drafts) = drafts;
    Ok(made)
}
