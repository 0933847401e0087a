//! Reminders to many beneficiaries at once: choose in the table, look at the letters, order them, see what became of
//! them.
//!
//! Must never: send anything that was not shown before.

use std::sync::Arc;

use analytics::region::select;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::Uri;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::file::{Notice, moment};
use super::query::TableAsk;
use super::wire::{LetterView, MemoCase, MemoOrder, OrderedLetter};
use crate::access::{Checked, Fields};
use crate::pages::{Ask, Fault, Frame, Site, Words, fault_page, off_loop, respond};

/// Cases of one order at most.
pub(super) const CASES_MAX: usize = 1_000;
/// Letters whose text is shown in full; of the others the head.
const SHOWN_MAX: usize = 20;

#[derive(Template)]
#[template(path = "region_memos.html")]
struct PreviewPage<'a> {
    t: &'a Words,
    frame: Frame,
    notice: Option<Notice>,
    can_send: bool,
    from: String,
    going: Vec<LetterLine>,
    held: Vec<(String, String)>,
    cases: Vec<String>,
    words: String,
    order: String,
    says: String,
}

struct LetterLine {
    title: String,
    to: String,
    subject: String,
    text: String,
    in_full: bool,
}

fn cases(fields: &Fields) -> Vec<MemoCase> {
    let read = |value: &str| {
        let (project, year) = value.rsplit_once(' ')?;
        Some(MemoCase { project: project.to_owned(), year: year.parse().ok()? })
    };
    fields.iter().filter(|(name, _)| name == "case").filter_map(|(_, value)| read(value)).collect()
}

/// Every case that the region's table shows for this query, on whatever page.
fn matching(site: &Site, query: &str) -> Result<Vec<MemoCase>, Fault> {
    let bad = || Fault::BadForm(format!("{query:?} is no query of the region's table"));
    let address: Uri = format!("/region?{query}").parse().map_err(|_| bad())?;
    let Query(given) = Query::<Vec<(String, String)>>::try_from_uri(&address).map_err(|_| bad())?;
    let region = site.backend.region()?;
    let chosen = select(&region.cases, &TableAsk::of(&given).query);
    Ok(chosen.iter().map(|c| MemoCase { project: c.project.to_string(), year: c.year }).collect())
}

fn field<'f>(fields: &'f Fields, name: &str) -> &'f str {
    fields.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
}

/// `POST /region/memos/preview`: shows the letters; nothing goes out.
pub(crate) async fn preview(
    State(site): State<Arc<Site>>,
    ask: Ask,
    Checked(fields): Checked<Fields>,
) -> Response {
    respond(site, ask, move |site, ask| {
        let all = fields.iter().find(|(name, _)| name == "all").map(|(_, query)| query);
        let cases = match all {
            Some(query) => matching(site, query)?,
            None => cases(&fields),
        };
        render(site, ask, &cases, field(&fields, "words"), None)
    })
    .await
}

fn render(
    site: &Site,
    ask: &Ask,
    cases: &[MemoCase],
    words: &str,
    notice: Option<Notice>,
) -> Result<String, Fault> {
    let t = &ask.words;
    let preview = site.backend.preview_memos(cases)?;
    let (going, held): (Vec<&LetterView>, Vec<&LetterView>) =
        preview.letters.iter().partition(|letter| letter.held.is_none());
    // The same letters ordered twice by the same person within the same minute are one order.
    let order = order_id(site, ask, cases, words);
    let line = |(i, letter): (usize, &&LetterView)| LetterLine {
        title: format!("{} · {}", letter.title, letter.case.year),
        to: letter.to.join(", "),
        subject: letter.subject.clone(),
        text: letter.text.clone(),
        in_full: i < SHOWN_MAX,
    };
    let page = PreviewPage {
        t,
        frame: Frame::new(site, ask, t.get("page.memos.title"), "region"),
        notice,
        can_send: preview.can_send,
        from: preview.from.clone().unwrap_or_default(),
        says: t.fill(
            "page.memos.says",
            &[("going", &going.len().to_string()), ("held", &held.len().to_string())],
        ),
        cases: going.iter().map(|l| format!("{} {}", l.case.project, l.case.year)).collect(),
        going: going.iter().enumerate().map(line).collect(),
        held: held
            .iter()
            .map(|l| {
                (
                    format!("{} · {}", l.title, l.case.year),
                    t.of("page.memos.held", l.held.unwrap_or_default()),
                )
            })
            .collect(),
        words: words.to_owned(),
        order,
    };
    Ok(page.render()?)
}

/// Names an order by what it is: a form that is sent twice is one order.
fn order_id(site: &Site, ask: &Ask, cases: &[MemoCase], words: &str) -> String {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    hasher.update(ask.who.author().as_bytes());
    hasher.update(site.backend.now().millis().to_be_bytes());
    hasher.update(words.as_bytes());
    for case in cases {
        hasher.update(format!("\n{} {}", case.project, case.year).as_bytes());
    }
    hasher.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// `POST /region/memos`: the order.
pub(crate) async fn send(
    State(site): State<Arc<Site>>,
    ask: Ask,
    Checked(fields): Checked<Fields>,
) -> Response {
    let author = ask.who.author();
    let order = MemoOrder {
        id: field(&fields, "order").to_owned(),
        cases: cases(&fields),
        words: field(&fields, "words").to_owned(),
    };
    let to = format!("/region/memos/{}", crate::downloads::encode(&order.id));
    let wanted = order.clone();
    let done = off_loop(&site, move |site| site.backend.order_memos(&wanted, &author));
    match done.await {
        Ok(Ok(())) => Redirect::to(&to).into_response(),
        Ok(Err(refused)) => {
            respond(site, ask, move |site, ask| {
                let notice = Notice::refused(&ask.words, &refused);
                render(site, ask, &order.cases, &order.words, Some(notice))
            })
            .await
        }
        Err(fault) => fault_page(&site, &ask, &fault),
    }
}

#[derive(Template)]
#[template(path = "region_order.html")]
struct OrderPage<'a> {
    t: &'a Words,
    frame: Frame,
    says: String,
    words: String,
    letters: Vec<(String, String, &'static str)>,
    open: bool,
}

/// `GET /region/memos/{order}`: what became of the letters.
pub(crate) async fn order(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Response {
    respond(site, ask, move |site, ask| {
        let t = &ask.words;
        let order = site.backend.memo_order(&id)?;
        let line = |l: &OrderedLetter| {
            let class = match l.state {
                "sent" => "ok",
                "waiting" | "sending" => "none",
                "not-sent" | "uncertain" => "bad",
                _ => "warn",
            };
            (format!("{} · {}", l.title, l.case.year), t.of("page.memos.state", l.state), class)
        };
        let page = OrderPage {
            t,
            frame: Frame::new(site, ask, t.get("page.memos.order"), "region"),
            says: t.fill("page.memos.ordered", &[("by", &*order.author), ("at", &*moment(t, &order.at))]),
            words: order.words.clone(),
            letters: order.letters.iter().map(line).collect(),
            open: order.letters.iter().any(|l| matches!(l.state, "waiting" | "sending")),
        };
        Ok(page.render()?)
    })
    .await
}
