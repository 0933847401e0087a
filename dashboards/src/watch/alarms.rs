//! `/alarms`: what is wrong now, and what was.
//!
//! Must never: show an alarm that lasts among those that ended.

use std::sync::Arc;

use analytics::digits::decimals;
use analytics::watch::alarm::AlarmKind;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use chrono::NaiveDate;
use chrono_tz::Europe::Rome;
use model::{Instant, MeterId, Month, Zone};
use serde::Deserialize;

use super::AlarmView;
use crate::access::{Checked, Right, Who};
use crate::backend::PortfolioRow;
use crate::pages::words::printed;
use crate::pages::{Ask, Fault, Frame, Site, Words, fault_page, off_loop, respond};

/// Alarms that ended shown at most.
const ENDED_MAX: usize = 50;

#[derive(Template)]
#[template(path = "alarms.html")]
struct AlarmsPage<'a> {
    t: &'a Words,
    frame: Frame,
    open: Vec<AlarmRow>,
    ended: Vec<AlarmRow>,
}

struct AlarmRow {
    id: i64,
    severity: &'static str,
    severity_says: String,
    title: String,
    says: String,
    about: String,
    href: Option<String>,
    since: String,
    since_iso: String,
    age: String,
    ended: String,
    acknowledged: Option<String>,
    note: String,
    /// Whether this reader may acknowledge it, and nobody has.
    may_acknowledge: bool,
}

/// `GET /alarms`.
pub(crate) async fn page(State(site): State<Arc<Site>>, ask: Ask) -> Response {
    respond(site, ask, render).await
}

/// The form by which somebody takes notice.
#[derive(Debug, Deserialize)]
pub(crate) struct NoteForm {
    note: String,
}

/// `POST /alarms/{alarm}/acknowledge`.
pub(crate) async fn acknowledge(
    State(site): State<Arc<Site>>,
    Path(id): Path<i64>,
    ask: Ask,
    Checked(form): Checked<NoteForm>,
) -> Response {
    let who = ask.who.clone();
    let done = off_loop(&site, move |site| take_notice(site, &who, id, &form.note));
    match done.await.and_then(|done| done) {
        Ok(()) => Redirect::to(&format!("/alarms#alarm-{id}")).into_response(),
        Err(fault) => fault_page(&site, &ask, &fault),
    }
}

/// Acknowledges an alarm that this person sees and may acknowledge.
pub(super) fn take_notice(site: &Site, who: &Who, id: i64, note: &str) -> Result<(), Fault> {
    let alarm = site.alarms(who).into_iter().find(|alarm| alarm.id == id);
    let alarm = alarm.ok_or_else(|| Fault::NoAlarm(id.to_string()))?;
    if !site.may_about(who, Right::AcknowledgeAlarms, &alarm.subject) {
        return Err(Fault::Forbidden);
    }
    Ok(site.backend.acknowledge(id, note, &who.author())?)
}

fn render(site: &Site, ask: &Ask) -> Result<String, Fault> {
    let t = &ask.words;
    let rows = site.portfolio(&ask.who);
    let (open, ended): (Vec<AlarmView>, Vec<AlarmView>) =
        site.alarms(&ask.who).into_iter().partition(|alarm| alarm.ended_at.is_none());
    let row = |alarm: &AlarmView| row(site, ask, alarm, &rows);
    let page = AlarmsPage {
        t,
        frame: Frame::new(site, ask, t.get("page.alarms.title"), "alarms"),
        open: open.iter().map(row).collect(),
        ended: ended.iter().take(ENDED_MAX).map(row).collect(),
    };
    Ok(page.render()?)
}

fn row(site: &Site, ask: &Ask, alarm: &AlarmView, rows: &[PortfolioRow]) -> AlarmRow {
    let t = &ask.words;
    let (about, href, zone) = subject(t, &alarm.subject, rows);
    let note = alarm.acknowledged.as_ref();
    let severity = alarm.kind.severity().code();
    AlarmRow {
        id: alarm.id,
        severity,
        severity_says: t.of("page.severity", severity),
        title: t.of("alarm.title", alarm.kind.code()),
        says: says(t, alarm, zone),
        about,
        href,
        since: t.date_time(alarm.raised_at, zone),
        since_iso: alarm.raised_at.to_string(),
        age: t.age(alarm.raised_at, site.backend.now()),
        ended: alarm.ended_at.map(|at| t.date_time(at, zone)).unwrap_or_default(),
        acknowledged: note
            .map(|a| t.fill("page.alarms.acknowledged", &[("by", &a.by), ("at", &t.date_time(a.at, zone))])),
        note: note.map(|a| a.note.clone()).unwrap_or_default(),
        may_acknowledge: note.is_none() && site.may_about(&ask.who, Right::AcknowledgeAlarms, &alarm.subject),
    }
}

/// The sentence of an alarm; one about a link has words of its own. Details are written in the reader's way.
pub(crate) fn says(t: &Words, alarm: &AlarmView, zone: Zone) -> String {
    let known = |name: &str| {
        let found = alarm.details.iter().find(|(detail, _)| detail == name);
        found.and_then(|(_, value)| value.parse::<f64>().ok())
    };
    let decimals = decimals(&["expected", "target", "needed"].map(known), (None, None));
    let mut written: Vec<(&str, String)> = alarm
        .details
        .iter()
        .map(|(name, value)| (name.as_str(), detail(t, (name, value), zone, decimals)))
        .collect();
    if !alarm.details.iter().any(|(name, _)| name == "until") {
        // A forecast counts the months that were over when its alarm was raised.
        let month = Month::of(alarm.raised_at.day(zone)).first_day();
        written.push(("until", t.date(month.pred_opt().unwrap_or(month))));
    }
    let values: Vec<(&str, &str)> = written.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let has = |name: &str| alarm.details.iter().any(|(given, value)| given == name && !value.is_empty());
    let key = match alarm.kind {
        _ if alarm.subject.starts_with("link:") => "link",
        AlarmKind::Target if has("at_most") => "target_at_most",
        AlarmKind::Target if has("exceeded") => "target_exceeded",
        AlarmKind::Target if !has("needed") => "target_alone",
        kind => kind.code(),
    };
    t.fill(&format!("alarm.says.{key}"), &values)
}

/// `decimals` are those of a KPI's values.
fn detail(t: &Words, (name, value): (&str, &str), zone: Zone, decimals: usize) -> String {
    let number = || value.parse::<f64>().ok().filter(|v| v.is_finite());
    match name {
        "last" => Instant::parse_rfc3339(value)
            .map_or_else(|| t.get("page.meters.never").to_owned(), |at| t.date_time(at, zone)),
        "carrier" => t.of("page.carrier", value),
        "kpi" => t.get(value).to_owned(),
        "unit" => printed(value),
        "until" => value.parse::<NaiveDate>().map_or_else(|_| t.not_available(), |day| t.date(day)),
        "percent" => number().map_or_else(|| t.not_available(), |r| t.percent_signed(r)),
        "share" | "limit" => t.percent(number()),
        "usual" => t.maybe(number(), 1),
        "expected" | "target" | "needed" | "at_most" | "exceeded" => t.maybe(number(), decimals),
        "count" | "every" | "hours" | "days" | "months" => t.maybe(number(), 0),
        _ => value.to_owned(),
    }
}

/// What an alarm is about in words, its page, and the zone of its place.
fn subject(t: &Words, subject: &str, rows: &[PortfolioRow]) -> (String, Option<String>, Zone) {
    let (kind, name) = subject.split_once(':').unwrap_or(("", subject));
    let project = |id: &str| rows.iter().map(|r| &r.project).find(|p| p.id.as_str() == id);
    match kind {
        "meter" => {
            let of = |id: &MeterId| rows.iter().find(|r| r.project.meters().any(|(_, m)| m.id == *id));
            let row = MeterId::new(name).ok().and_then(|id| of(&id));
            let zone = row.map_or(Rome, |r| r.project.zone);
            (t.fill("alarm.about.meter", &[("name", name)]), Some(format!("/meters/{name}")), zone)
        }
        "building" => {
            // `project/building carrier`
            let place = name.split_once(' ').map_or(name, |(place, _)| place);
            let found = place.split_once('/').and_then(|(p, b)| {
                let project = project(p)?;
                let building = project.buildings.iter().find(|x| x.id.as_str() == b)?;
                Some((building.name.clone(), project.zone))
            });
            let (says, zone) = found.unwrap_or_else(|| (name.to_owned(), Rome));
            (says, Some(format!("/buildings/{place}")), zone)
        }
        "project" => {
            let id = name.split_once(' ').map_or(name, |(id, _)| id);
            let (title, zone) = project(id).map_or((id, Rome), |p| (p.title.as_str(), p.zone));
            (title.to_owned(), Some(format!("/projects/{id}")), zone)
        }
        _ => (t.fill("alarm.about.link", &[("name", name)]), None, Rome),
    }
}

#[cfg(test)]
mod tests {
    use analytics::text::Texts;

    use super::*;

    #[test]
    fn a_target_is_said_by_what_the_months_left_must_be() {
        let map = ["target", "target_at_most", "target_exceeded", "target_alone"]
            .map(|key| (format!("alarm.says.{key}"), format!("{key} {{needed}}{{at_most}}{{exceeded}}")));
        let words = Words::new(Arc::new(Texts::new("it", map.into())));
        let said = |name: &str, value: &str| {
            let alarm = AlarmView {
                id: 1,
                kind: AlarmKind::Target,
                subject: "project:p 2026".to_owned(),
                raised_at: Instant::parse_rfc3339("2026-03-10T06:00:00Z").unwrap(),
                ended_at: None,
                details: vec![(name.to_owned(), value.to_owned())],
                acknowledged: None,
            };
            says(&words, &alarm, Rome)
        };
        assert_eq!(said("needed", "13.75"), "target 13,75{at_most}{exceeded}");
        assert_eq!(said("at_most", "2.5"), "target_at_most {needed}2,50{exceeded}");
        assert_eq!(said("exceeded", "8.313"), "target_exceeded {needed}{at_most}8,31");
        assert!(
            said("needed", "").starts_with("target_alone "),
            "an alarm of before, where nothing was needed"
        );
    }
}
