//! The steps of a guided submission: each form of its page.
//!
//! Must never: answer a refused step with anything but its own page and the reason.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse as _, Response};
use chrono::NaiveDate;
use serde::Deserialize;

use super::file::finish;
use super::guide::{address, again, duty_key};
use super::upload::CheckedUpload;
use super::wire::CommentSaid;
use super::{Act, DutyKey, Refused, RefusedKind, Upload};
use crate::access::Checked;
use crate::pages::{Ask, Fault, Site, fault_page, off_loop};

type Of = (String, String, String);

/// Takes a step; then on to where the submission stands, or back to the step's page with the reason.
async fn take(site: Arc<Site>, ask: Ask, of: Of, act: Result<Act, Refused>, step: &'static str) -> Response {
    let key = match duty_key(&of) {
        Ok(key) => key,
        Err(fault) => return fault_page(&site, &ask, &fault),
    };
    let (author, asked) = (ask.who.author(), key.clone());
    let done = off_loop(&site, move |site| Ok(site.backend.act(&asked, &act?, &author)?));
    let done = done.await.and_then(|done: Result<(), Fault>| done);
    let to = format!("{}?done={step}", address(key.project.as_str(), &key.obligation, key.year));
    let step = shown(step);
    finish(site, ask, (done, to), move |site, ask, notice| again(site, ask, &key, step, None, notice)).await
}

/// The page that a form stands on.
const fn shown(step: &str) -> &'static str {
    match step.as_bytes() {
        b"begin" => "begin",
        b"freeze" => "freeze",
        b"sign" => "sign",
        b"sent" | b"send" => "send",
        b"answered" | b"correct" => "outcome",
        _ => "check",
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Plain {}

pub(crate) async fn begin(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    Checked(Plain {}): Checked<Plain>,
) -> Response {
    take(site, ask, of, Ok(Act::Begin), "begin").await
}

pub(crate) async fn check(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    Checked(Plain {}): Checked<Plain>,
) -> Response {
    take(site, ask, of, Ok(Act::Check), "check").await
}

#[derive(Debug, Deserialize)]
pub(crate) struct LiftForm {
    code: String,
    subject: String,
    reason: String,
}

pub(crate) async fn lift(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    Checked(form): Checked<LiftForm>,
) -> Response {
    let act = Act::Lift { code: form.code, subject: form.subject, reason: form.reason };
    take(site, ask, of, Ok(act), "lift").await
}

pub(crate) async fn attach(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    form: CheckedUpload,
) -> Response {
    take(site, ask, of, chosen(form.file).map(Act::Attach), "attach").await
}

#[derive(Debug, Deserialize)]
pub(crate) struct DetachForm {
    name: String,
}

pub(crate) async fn detach(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    Checked(form): Checked<DetachForm>,
) -> Response {
    take(site, ask, of, Ok(Act::Detach { name: form.name }), "detach").await
}

fn chosen(file: Option<Upload>) -> Result<Upload, Refused> {
    file.ok_or_else(|| Refused::unusable("no_file", "no file was chosen"))
}

pub(crate) async fn freeze(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    Checked(Plain {}): Checked<Plain>,
) -> Response {
    // What is sent is in the installation's language, whoever presses the button.
    let language = site.backend.installation().language;
    take(site, ask, of, Ok(Act::Freeze { language }), "freeze").await
}

pub(crate) async fn sign(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    form: CheckedUpload,
) -> Response {
    let reason = form.field("reason").to_owned();
    take(site, ask, of, chosen(form.file).map(|file| Act::Sign { file, reason }), "sign").await
}

#[derive(Debug, Deserialize)]
pub(crate) struct SendForm {
    to: String,
}

pub(crate) async fn send(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    Checked(form): Checked<SendForm>,
) -> Response {
    take(site, ask, of, Ok(Act::Send { to: form.to.trim().to_owned() }), "send").await
}

fn typed_day(text: &str) -> Result<NaiveDate, Refused> {
    text.trim().parse().map_err(|_| Refused::unusable("day", format!("{text:?} is no day, as YYYY-MM-DD")))
}

pub(crate) async fn sent(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    form: CheckedUpload,
) -> Response {
    let (to, on) = (form.field("to").to_owned(), typed_day(form.field("on")));
    let act = on.and_then(|on| Ok(Act::Sent { to, on, receipt: chosen(form.file)? }));
    take(site, ask, of, act, "sent").await
}

#[derive(Debug, Deserialize)]
pub(crate) struct AnswerForm {
    outcome: String,
    on: String,
    says: String,
}

pub(crate) async fn answered(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    Checked(form): Checked<AnswerForm>,
) -> Response {
    let accepted = form.outcome == "accepted";
    let act = typed_day(&form.on).map(|on| Act::Answered { accepted, on, says: form.says });
    take(site, ask, of, act, "answered").await
}

#[derive(Debug, Deserialize)]
pub(crate) struct WhyForm {
    why: String,
}

pub(crate) async fn correct(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    Checked(form): Checked<WhyForm>,
) -> Response {
    take(site, ask, of, Ok(Act::Correct { why: form.why }), "correct").await
}

#[derive(Debug, Deserialize)]
pub(crate) struct CommentForm {
    section: String,
    #[serde(default)]
    text: String,
    /// A box that was ticked sends its value; one that was not sends nothing.
    instead: Option<String>,
    /// Whether the reader wants to see the section again, or go on.
    stay: Option<String>,
    /// The section after it, or nothing after the last.
    #[serde(default)]
    next: String,
}

pub(crate) async fn comment(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    Checked(form): Checked<CommentForm>,
) -> Response {
    let key = match duty_key(&of) {
        Ok(key) => key,
        Err(fault) => return fault_page(&site, &ask, &fault),
    };
    let at = address(key.project.as_str(), &key.obligation, key.year);
    let stay = format!("{at}?step=comments&section={}&done=comment", form.section);
    // Only onward in this very submission.
    let onward = form.next.starts_with(&format!("{at}?step="));
    let to = if form.stay.is_none() && onward { form.next.clone() } else { stay };
    let (author, asked, section) = (ask.who.author(), key.clone(), form.section.clone());
    let done = off_loop(&site, move |site| save(site, &asked, form, &author));
    let done = done.await.and_then(|done: Result<(), Fault>| done);
    finish(site, ask, (done, to), move |site, ask, notice| {
        again(site, ask, &key, "comments", Some(section), notice)
    })
    .await
}

/// `POST …/preview`: the section as it would be with what is typed. Nothing is kept; without JavaScript nobody asks.
pub(crate) async fn preview(
    State(site): State<Arc<Site>>,
    Path(of): Path<Of>,
    ask: Ask,
    Checked(form): Checked<CommentForm>,
) -> Response {
    let asked = ask.clone();
    let made = off_loop(&site, move |site| {
        let (key, t) = (duty_key(&of)?, &asked.words);
        let text = form.text.replace("\r\n", "\n");
        let said = CommentSaid { section: form.section, text, instead: form.instead.is_some() };
        match site.backend.preview_section(&key, t.language(), &said, &asked.who.author()) {
            Ok(draft) => super::preview::markup(t, &draft.section),
            Err(refused) if refused.kind == RefusedKind::Unusable => super::preview::remark(t, &refused),
            Err(refused) => Err(Fault::from(refused)),
        }
    });
    match made.await.and_then(|made| made) {
        Ok(markup) => Html(markup).into_response(),
        Err(fault) => fault_page(&site, &ask, &fault),
    }
}

fn save(site: &Site, key: &DutyKey, form: CommentForm, author: &str) -> Result<(), Fault> {
    let year = key.year.ok_or_else(|| Refused::unknown("a report without a year has no sections"))?;
    let known = site.backend.draft_sections(key, "it")?;
    let before = known.into_iter().find(|s| s.key.code() == form.section).and_then(|s| s.comment);
    let (text, instead) = (form.text.replace("\r\n", "\n"), form.instead.is_some());
    let same = before.map_or((text.trim().is_empty(), false), |(t, _, i)| (t == text.trim(), i == instead));
    // Going on without a word is no comment, and the same word again no new version.
    if same == (true, true) || (text.trim().is_empty() && same.0) {
        return Ok(());
    }
    let said = CommentSaid { section: form.section, text, instead };
    Ok(site.backend.comment(&key.project, year, &said, author)?)
}
