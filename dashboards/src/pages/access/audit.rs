//! `/audit`: the newest entries of the audit log.
//!
//! Must never: be a way to change it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::pages::{Ask, Fault, Frame, Site, Words, respond};

/// Entries shown; the whole log is `consuntivo audit list`.
pub(super) const LINES_MAX: u32 = 500;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage<'a> {
    t: &'a Words,
    frame: Frame,
    lines: Vec<AuditRow>,
}

struct AuditRow {
    seq: i64,
    at: String,
    author: String,
    action: String,
    subject: String,
    detail: String,
}

/// `GET /audit`.
pub(super) async fn page(State(site): State<Arc<Site>>, ask: Ask) -> Response {
    respond(site, ask, render).await
}

fn render(site: &Site, ask: &Ask) -> Result<String, Fault> {
    let t = &ask.words;
    let row = |line: crate::access::AuditLine| AuditRow {
        seq: line.seq,
        at: t.date_time(line.at, chrono_tz::Europe::Rome),
        author: line.author,
        action: line.action,
        subject: format!("{} {}", line.kind, line.subject),
        detail: line.detail,
    };
    let lines = site.directory.audit(LINES_MAX).into_iter().map(row).collect();
    let frame = Frame::new(site, ask, t.get("page.access.audit.title"), "audit");
    Ok(AuditPage { t, frame, lines }.render()?)
}
