//! `/audit`: the entries of the audit log, the newest first, a page at a time.
//!
//! Must never: be a way to change it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::access::AuditLine;
use crate::pages::{Ask, Fault, Frame, Site, Words, respond};

/// Entries of a page.
pub(super) const LINES_MAX: u32 = 500;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage<'a> {
    t: &'a Words,
    frame: Frame,
    lines: Vec<AuditRow>,
    /// Addresses of the pages with newer and with older entries, where there are such.
    newer: Option<String>,
    older: Option<String>,
}

struct AuditRow {
    seq: i64,
    at: String,
    author: String,
    action: String,
    subject: String,
    detail: String,
}

/// What the address says.
#[derive(Debug, Deserialize)]
pub(super) struct Paged {
    /// Only entries with lower numbers are shown.
    before: Option<i64>,
}

/// `GET /audit`.
pub(super) async fn page(State(site): State<Arc<Site>>, Query(paged): Query<Paged>, ask: Ask) -> Response {
    respond(site, ask, move |site, ask| render(site, ask, paged.before)).await
}

fn render(site: &Site, ask: &Ask, before: Option<i64>) -> Result<String, Fault> {
    let t = &ask.words;
    // One more than is shown tells whether there are older ones.
    let mut lines = site.directory.audit(before, LINES_MAX + 1);
    let has_older = (LINES_MAX as usize) < lines.len();
    lines.truncate(LINES_MAX as usize);
    let newer = before.and_then(|before| newer(site, before));
    let older = lines.last().filter(|_| has_older).map(|line| format!("/audit?before={}", line.seq));
    let row = |line: AuditLine| AuditRow {
        seq: line.seq,
        at: t.date_time(line.at, chrono_tz::Europe::Rome),
        author: line.author,
        action: line.action,
        subject: format!("{} {}", line.kind, line.subject),
        detail: line.detail,
    };
    let lines = lines.into_iter().map(row).collect();
    let frame = Frame::new(site, ask, t.get("page.access.audit.title"), "audit");
    Ok(AuditPage { t, frame, lines, newer, older }.render()?)
}

/// The address of the page before that one, where there is an entry on it. Numbers have no gaps.
fn newer(site: &Site, before: i64) -> Option<String> {
    let end = before.saturating_add(i64::from(LINES_MAX));
    let newest = site.directory.audit(Some(end), 1);
    newest.first().filter(|line| before <= line.seq).map(|_| format!("/audit?before={end}"))
}
