//! The calendar of obligations as iCalendar (RFC 5545) and as JSON.
//!
//! Must never: give a day to what waits for one, or break a line in the middle of a character.

use std::fmt::Write as _;
use std::sync::Arc;

use analytics::scheme::calendar::{Entry, KeptUntil, State};
use analytics::text::Texts;
use axum::extract::{Query, State as Shared};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use model::{Instant, Project, ProjectId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Who;
use crate::openapi::{Asked, Given, fault_json};
use crate::pages::{Fault, Site, off_loop};

/// Octets of a line, without its end (RFC 5545 §3.1).
const LINE_OCTETS_MAX: usize = 75;

/// What a project has to do.
#[derive(Debug, Clone)]
pub struct ProjectCalendar {
    pub project: Arc<Project>,
    pub scheme_title: String,
    /// The day in the project's zone on which this was asked.
    pub today: NaiveDate,
    pub entries: Vec<Entry>,
    pub kept: Vec<KeptUntil>,
}

/// The calendars as one iCalendar object; `installation` is the id that makes its names unique, `now` its time stamp.
#[must_use]
pub fn ics(calendars: &[ProjectCalendar], texts: &Texts, installation: &str, now: Instant) -> String {
    let mut out = String::new();
    line(&mut out, "BEGIN:VCALENDAR");
    line(&mut out, "VERSION:2.0");
    line(&mut out, "PRODID:-//consuntivo//calendar of obligations//IT");
    line(&mut out, "CALSCALE:GREGORIAN");
    for calendar in calendars {
        for entry in &calendar.entries {
            let Some(due) = entry.due else { continue };
            let year = entry.year.map(|y| format!("-{y}")).unwrap_or_default();
            let event = Event {
                uid: format!("{}-{}{year}@{installation}.consuntivo", calendar.project.id, entry.obligation),
                day: due,
                summary: summary(calendar, entry, texts),
                description: description(calendar, entry, texts),
                done: matches!(entry.state, State::Sent | State::Accepted),
            };
            event.write(&mut out, now);
        }
        for kept in &calendar.kept {
            let Some((from, until)) = &kept.days else { continue };
            let event = Event {
                uid: format!("{}-{}@{installation}.consuntivo", calendar.project.id, kept.id),
                day: *until,
                summary: format!("{}: {}", calendar.project.title, texts.get(&kept.text)),
                description: format!("{} – {}\n{}", shown(*from, texts), shown(*until, texts), kept.citation),
                done: true,
            };
            event.write(&mut out, now);
        }
    }
    line(&mut out, "END:VCALENDAR");
    out
}

fn summary(calendar: &ProjectCalendar, entry: &Entry, texts: &Texts) -> String {
    let year = entry.year.map(|y| format!(" {y}")).unwrap_or_default();
    let state = texts.get(&format!("state.{}", entry.state.code())).to_owned();
    format!("{}{year} – {} ({state})", texts.get(&entry.text), calendar.project.title)
}

fn description(calendar: &ProjectCalendar, entry: &Entry, texts: &Texts) -> String {
    let signer = format!("signer.{}", entry.signer.code());
    format!(
        "CUP {}\n{}\n{}\n{}\n{}",
        calendar.project.cup,
        calendar.scheme_title,
        texts.channel(&entry.channel),
        texts.get(&signer),
        entry.citation
    )
}

/// A day as people write it: `31/03/2026`, in English `31 Mar 2026`.
fn shown(day: NaiveDate, texts: &Texts) -> String {
    let form = if texts.language() == "it" { "%d/%m/%Y" } else { "%-d %b %Y" };
    day.format(form).to_string()
}

/// An event of a whole day.
struct Event {
    uid: String,
    day: NaiveDate,
    summary: String,
    description: String,
    /// Takes nobody's attention any more: no alarm.
    done: bool,
}

impl Event {
    fn write(&self, out: &mut String, now: Instant) {
        let stamp = now.utc().format("%Y%m%dT%H%M%SZ");
        let next = self.day.succ_opt().unwrap_or(self.day);
        line(out, "BEGIN:VEVENT");
        line(out, &format!("UID:{}", escaped(&self.uid)));
        line(out, &format!("DTSTAMP:{stamp}"));
        line(out, &format!("DTSTART;VALUE=DATE:{}", self.day.format("%Y%m%d")));
        line(out, &format!("DTEND;VALUE=DATE:{}", next.format("%Y%m%d")));
        line(out, &format!("SUMMARY:{}", escaped(&self.summary)));
        line(out, &format!("DESCRIPTION:{}", escaped(&self.description)));
        line(out, "TRANSP:TRANSPARENT");
        if !self.done {
            line(out, "BEGIN:VALARM");
            line(out, "ACTION:DISPLAY");
            line(out, &format!("DESCRIPTION:{}", escaped(&self.summary)));
            line(out, "TRIGGER:-P14D");
            line(out, "END:VALARM");
        }
        line(out, "END:VEVENT");
    }
}

/// Text as a value (§3.3.11); control characters but the line break are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// One content line, folded between characters.
fn line(out: &mut String, text: &str) {
    let mut octets = 0;
    for c in text.chars() {
        if LINE_OCTETS_MAX < octets + c.len_utf8() {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(c);
        octets += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Wanted {
    /// Of this project alone.
    project: Option<String>,
    /// `it` or `en`.
    lang: Option<String>,
}

async fn calendars(site: &Arc<Site>, who: Who, wanted: &Wanted) -> Result<Vec<ProjectCalendar>, Fault> {
    let none = |id: &str| Fault::NoProject(id.to_owned());
    let project = wanted.project.as_deref().map(|id| ProjectId::new(id).map_err(|_| none(id))).transpose()?;
    let asked = project.clone();
    let found = off_loop(site, move |site| site.calendars(&who, asked.as_ref())).await?;
    match project {
        Some(id) if found.is_empty() => Err(none(id.as_str())),
        Some(_) | None => Ok(found),
    }
}

/// `GET /calendar.ics`: every obligation, or those of `?project=`, in the installation's language or `?lang=`.
pub(crate) async fn feed(
    Shared(site): Shared<Arc<Site>>,
    who: Who,
    Query(wanted): Query<Wanted>,
) -> Response {
    let calendars = match calendars(&site, who, &wanted).await {
        Ok(calendars) => calendars,
        Err(fault) => return fault_json(&fault),
    };
    let installation = site.backend.installation();
    let language = wanted.lang.as_deref().unwrap_or(&installation.language);
    let all = site.backend.texts();
    let texts = all.iter().find(|t| t.language() == language).or(all.first()).cloned().unwrap_or_default();
    let body = ics(&calendars, &texts, &installation.id, site.backend.now());
    ([(header::CONTENT_TYPE, "text/calendar; charset=utf-8")], body).into_response()
}

/// A line of the calendar as JSON, for the API and the command line.
#[derive(Debug, JsonSchema, Serialize)]
pub struct EntryView {
    project: String,
    cup: String,
    obligation: String,
    name: String,
    year: Option<i32>,
    opens: Option<String>,
    due: Option<String>,
    /// Negative when past.
    days_left: Option<i64>,
    state: &'static str,
    integration_asked: bool,
    sent: Option<String>,
    /// Keys of the project file that must be stated.
    needs: Vec<&'static str>,
    signer: &'static str,
    channel: String,
    citation: String,
}

/// Every line of the calendars, in their order.
#[must_use]
pub fn entry_views(calendars: &[ProjectCalendar], texts: &Texts) -> Vec<EntryView> {
    let of = |calendar: &ProjectCalendar, entry: &Entry| EntryView {
        project: calendar.project.id.to_string(),
        cup: calendar.project.cup.clone(),
        obligation: entry.obligation.clone(),
        name: texts.get(&entry.text).to_owned(),
        year: entry.year,
        opens: entry.opens.map(|day| day.to_string()),
        due: entry.due.map(|day| day.to_string()),
        days_left: entry.days_left(calendar.today),
        state: entry.state.code(),
        integration_asked: entry.integration_asked,
        sent: entry.sent.map(|day| day.to_string()),
        needs: entry.needs.iter().map(|need| need.key()).collect(),
        signer: entry.signer.code(),
        channel: texts.channel(&entry.channel).to_owned(),
        citation: entry.citation.clone(),
    };
    calendars.iter().flat_map(|c| c.entries.iter().map(move |e| of(c, e))).collect()
}

/// `GET /api/v1/obligations`, of all projects or of `?project=`.
pub(crate) async fn api(
    Shared(site): Shared<Arc<Site>>,
    who: Who,
    Asked(wanted): Asked<Wanted>,
) -> Given<Vec<EntryView>> {
    let found = calendars(&site, who, &wanted).await;
    let all = site.backend.texts();
    let texts = all.iter().find(|t| Some(t.language()) == wanted.lang.as_deref()).or(all.first());
    let texts = texts.cloned().unwrap_or_default();
    Given(found.map(|calendars| entry_views(&calendars, &texts)))
}

/// The calendar as lines of text: due day, days left, state, obligation, year, project.
#[must_use]
pub fn plain(calendars: &[ProjectCalendar], texts: &Texts) -> String {
    let mut out = String::new();
    for calendar in calendars {
        let project = &calendar.project;
        for entry in &calendar.entries {
            let due = entry.due.map_or_else(|| "-".to_owned(), |day| day.to_string());
            let left =
                entry.days_left(calendar.today).map_or_else(|| "-".to_owned(), |days| days.to_string());
            let year = entry.year.map_or_else(|| "-".to_owned(), |year| year.to_string());
            let needs: Vec<&str> = entry.needs.iter().map(|need| need.key()).collect();
            let asks = if needs.is_empty() { String::new() } else { format!("\tneeds {}", needs.join(", ")) };
            let again = if entry.integration_asked { "\tintegration asked" } else { "" };
            let name = texts.get(&entry.text);
            // Writing to a String does not fail.
            let written = writeln!(
                out,
                "{due}\t{left}\t{}\t{}\t{year}\t{}\t{name}{asks}{again}",
                entry.state.code(),
                project.id,
                entry.obligation
            );
            debug_assert!(written.is_ok());
        }
    }
    out
}

/// The calendar for people: each thing with its day, how far it is, and what is missing to know more.
#[must_use]
pub fn in_words(calendars: &[ProjectCalendar], texts: &Texts) -> String {
    let mut out = String::new();
    for entry in calendars.iter().flat_map(|calendar| &calendar.entries) {
        let day = |day: Option<NaiveDate>| day.map_or_else(|| "-".to_owned(), |day| shown(day, texts));
        let year = entry.year.map(|year| format!(" {year}")).unwrap_or_default();
        let sent = entry.sent.map(|on| format!(" ({})", shown(on, texts))).unwrap_or_default();
        let state = texts.get(&format!("state.{}", entry.state.code())).to_owned();
        let needs: Vec<String> =
            entry.needs.iter().map(|need| texts.get(&format!("need.{}", need.key())).to_owned()).collect();
        let line = format!("{}\t{state}{sent}\t{}{year}", day(entry.due), texts.get(&entry.text));
        out.push_str(&line);
        if entry.integration_asked {
            out.push_str(&format!("\t{}", texts.get("page.desk.stage.integration-asked")));
        }
        if !needs.is_empty() {
            out.push_str(&format!("\t{}: {}", texts.get("page.desk.duty.needs"), needs.join(", ")));
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_characters_and_text_is_escaped() {
        let mut out = String::new();
        line(&mut out, &format!("SUMMARY:{}", escaped(&"è, perché; \\ fine\u{7}\n".repeat(12))));
        assert!(out.ends_with("\r\n"));
        for part in out.trim_end().split("\r\n") {
            assert!(part.len() <= LINE_OCTETS_MAX, "{part}");
        }
        let unfolded = out.replace("\r\n ", "");
        assert!(unfolded.starts_with("SUMMARY:è\\, perché\\; \\\\ fine\\nè"), "{unfolded}");
    }

    #[test]
    fn days_are_written_as_the_reader_does() {
        let day = NaiveDate::from_ymd_opt(2025, 4, 30).unwrap();
        let texts = |tag: &str| Texts::new(tag, std::collections::BTreeMap::new());
        assert_eq!(shown(day, &texts("it")), "30/04/2025");
        assert_eq!(shown(day, &texts("en")), "30 Apr 2025");
    }
}
