//! `/findings`: what a person may need to act on, of the plant now and of every project's newest year.
//!
//! Must never: drop a finding or soften its severity.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use model::Finding;

use super::{Ask, Fault, Frame, Site, Words, respond};

/// Findings shown of one list; how many more there are is said below it.
pub(crate) const FINDINGS_MAX: usize = 500;

#[derive(Template)]
#[template(path = "findings.html")]
struct FindingsPage<'a> {
    t: &'a Words,
    frame: Frame,
    groups: Vec<Group>,
}

struct Group {
    title: String,
    /// Address of the project, where the group is one's.
    href: String,
    list: FindingList,
}

pub(crate) struct FindingList {
    /// Names the table for those who cannot see what stands above it.
    pub(crate) caption: String,
    pub(crate) lines: Vec<FindingLine>,
    /// How many more there are, as a sentence; empty when none.
    pub(crate) more: String,
}

pub(crate) struct FindingLine {
    /// `note`, `caution` or `blocks`.
    pub(crate) severity: &'static str,
    pub(crate) severity_says: String,
    pub(crate) subject: String,
    pub(crate) says: String,
    pub(crate) code: &'static str,
    /// The paragraph that asks for it; rules are written in English, and left out for other readers.
    pub(crate) rule: &'static str,
}

impl FindingList {
    /// Worst first; within a severity in the order given.
    pub(crate) fn new(t: &Words, caption: String, findings: &[Finding]) -> Self {
        let mut sorted: Vec<&Finding> = findings.iter().collect();
        sorted.sort_by_key(|f| std::cmp::Reverse(f.severity));
        let lines = sorted.iter().take(FINDINGS_MAX).map(|f| FindingLine {
            severity: f.severity.code(),
            severity_says: t.of("page.severity", f.severity.code()),
            subject: t.subject(&f.subject),
            says: t.finding(f),
            code: f.code,
            rule: if t.language() == "en" { f.rule } else { "" },
        });
        let more = match findings.len().saturating_sub(FINDINGS_MAX) {
            0 => String::new(),
            n => t.fill("page.findings.more", &[("n", &n.to_string())]),
        };
        Self { caption, lines: lines.collect(), more }
    }
}

/// `GET /findings`.
pub(crate) async fn page(State(site): State<Arc<Site>>, ask: Ask) -> Response {
    respond(site, ask, render).await
}

fn render(site: &Site, ask: &Ask) -> Result<String, Fault> {
    let t = &ask.words;
    let plant = t.get("page.findings.plant").to_owned();
    let mut groups = vec![Group {
        list: FindingList::new(t, plant.clone(), &site.backend.findings()),
        title: plant,
        href: String::new(),
    }];
    for row in site.portfolio(&ask.who) {
        let Some(year) = &row.latest else { continue };
        let title = format!("{} · {}", row.project.title, year.year);
        groups.push(Group {
            list: FindingList::new(t, title.clone(), &year.findings),
            title,
            href: format!("/projects/{}?year={}", row.project.id, year.year),
        });
    }
    let frame = Frame::new(site, ask, t.get("page.findings.title"), "findings");
    Ok(FindingsPage { t, frame, groups }.render()?)
}
