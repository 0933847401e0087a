//! `/meters/{id}`: last readings, age, loss budget, breaks of the total to confirm; and the forms by which a person
//! exchanges a meter, corrects a reading or explains a break.
//!
//! Must never: show a correction without the reading it corrects, its author and its reason.

use std::sync::Arc;

use analytics::counter::Decision;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use model::{Act, BuildingId, Explanation, MeterId, Project, Unit, Value, Zone};
use serde::Deserialize;

use super::{ActRefused, MeterSaid, MeterView, PutAside};
use crate::access::{Checked, Right};
use crate::pages::words::printed;
use crate::pages::{Ask, Fault, Frame, Site, Words, fault_page, off_loop, respond};

/// Months of the loss budget.
const LOSS_MONTHS: usize = 12;

#[derive(Template)]
#[template(path = "meter.html")]
struct MeterPage<'a> {
    t: &'a Words,
    frame: Frame,
    id: String,
    name: String,
    health: &'static str,
    health_says: String,
    age: String,
    at: String,
    facts: Vec<(String, String)>,
    values: Vec<(String, String, String)>,
    /// Head of the table of losses, then its lines.
    losses_head: Vec<String>,
    losses: Vec<(String, Vec<String>)>,
    decisions: Vec<DecisionRow>,
    acts: Vec<ActRow>,
    readings: Vec<(String, String, String)>,
    aside: Vec<AsideRow>,
    /// Whether this reader may say something about it.
    may_say: bool,
    done: String,
    refused: String,
    /// What a form that was refused says: nobody types it again.
    typed: SayForm,
    /// Whether the correction that was refused is asked about: it may be sent again, with a tick.
    asks: bool,
    total_hint: String,
    building: Option<(String, String)>,
}

struct DecisionRow {
    at: String,
    at_iso: String,
    explanation: String,
    state: String,
    open: bool,
    totals: String,
    span: String,
    booked: String,
    /// Code and text of what may be true instead, the present one first.
    choices: Vec<(&'static str, String)>,
}

struct AsideRow {
    at: String,
    at_iso: String,
    quantity: String,
    kept: String,
    refused: String,
    origin: &'static str,
    received: String,
}

struct ActRow {
    at: String,
    at_iso: String,
    says: String,
    author: String,
    reason: String,
    recorded: String,
}

/// What the page may be asked to say on top.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Notice {
    /// Something was put on record.
    said: Option<String>,
}

/// `GET /meters/{meter}`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Query(notice): Query<Notice>,
    ask: Ask,
) -> Response {
    let done = notice.said.is_some();
    respond(site, ask, move |site, ask| {
        let done = if done { ask.words.get("page.act.done").to_owned() } else { String::new() };
        render(site, ask, &id, Said { done, ..Said::default() })
    })
    .await
}

/// The form by which a person says something about a meter.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct SayForm {
    what: String,
    at: String,
    #[serde(default)]
    closing: String,
    #[serde(default)]
    opening: String,
    #[serde(default)]
    total: String,
    /// A total that was asked about is right.
    #[serde(default)]
    sure: String,
    #[serde(default)]
    explanation: String,
    #[serde(default)]
    reason: String,
}

impl SayForm {
    /// A field of the form that was refused; nothing for the other forms of the page.
    fn typed(&self, what: &str, name: &str) -> &str {
        if self.what != what {
            return "";
        }
        match name {
            "at" => &self.at,
            "closing" => &self.closing,
            "opening" => &self.opening,
            "total" => &self.total,
            "explanation" => &self.explanation,
            _ => &self.reason,
        }
    }

    /// As [`Self::typed`], of the one form about that instant.
    fn typed_at(&self, what: &str, at: &str, name: &str) -> &str {
        if self.at == at { self.typed(what, name) } else { "" }
    }

    fn said(self) -> Option<MeterSaid> {
        let Self { what, at, closing, opening, total, sure, explanation, reason } = self;
        match what.as_str() {
            "exchange" => Some(MeterSaid::Exchanged { at, closing, opening, reason }),
            "correct" => Some(MeterSaid::Corrected { at, total, sure: sure == "yes", reason }),
            "explain" => Some(MeterSaid::Explained { at, explanation, reason }),
            "withdraw" => Some(MeterSaid::Withdrawn { at, reason }),
            _ => None,
        }
    }
}

/// Why a word was not put on record, for its reader.
fn because(t: &Words, refused: &ActRefused) -> String {
    let code = match refused {
        ActRefused::Unusable { code, .. } => code,
        ActRefused::Busy => "busy",
    };
    let known = t.texts().find(&format!("page.act.refused.{code}"));
    known.unwrap_or_else(|| t.get("page.act.refused.unusable")).to_owned()
}

/// `POST /meters/{meter}/acts`.
pub(crate) async fn say(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    ask: Ask,
    Checked(form): Checked<SayForm>,
) -> Response {
    let author = ask.who.author();
    let meter = id.clone();
    let typed = form.clone();
    let done = off_loop(&site, move |site| {
        let meter = MeterId::new(&meter).map_err(|_| Fault::NoMeter(meter.clone()))?;
        let said = form.said().ok_or_else(|| Fault::BadForm("an act of no known kind".to_owned()))?;
        Ok(site.backend.say(&meter, &said, &author))
    });
    match done.await.and_then(|done| done) {
        Ok(Ok(())) => Redirect::to(&format!("/meters/{id}?said=yes")).into_response(),
        Ok(Err(refused)) => {
            let status = Fault::Act(refused.clone()).status();
            let asks = matches!(&refused, ActRefused::Unusable { code: "contradicts", .. });
            let mut response = respond(site, ask, move |site, ask| {
                let says =
                    format!("{} {}", ask.words.get("page.act.not_done"), because(&ask.words, &refused));
                let said = Said { refused: says, typed, asks, ..Said::default() };
                render(site, ask, &id, said)
            })
            .await;
            if response.status() == StatusCode::OK {
                *response.status_mut() = status;
            }
            response
        }
        Err(fault) => fault_page(&site, &ask, &fault),
    }
}

/// What became of the form that was sent, if one was.
#[derive(Debug, Default)]
struct Said {
    done: String,
    refused: String,
    typed: SayForm,
    asks: bool,
}

fn render(site: &Site, ask: &Ask, id: &str, said: Said) -> Result<String, Fault> {
    let none = || Fault::NoMeter(id.to_owned());
    let view = MeterId::new(id).ok().and_then(|id| site.backend.meter(&id)).ok_or_else(none)?;
    let may = |(project, building): &(Arc<Project>, BuildingId)| {
        ask.who.may_in(Right::DecideReadings, &project.id, building)
    };
    let t = &ask.words;
    let now = site.backend.now();
    let state = &view.state;
    let unit = view.facts.as_ref().map_or(Unit::KilowattHour, model::MeterFacts::register_unit);
    let last = state.last_reading_at;
    let building = view.place.as_ref().and_then(|(project, building)| {
        let name = project.buildings.iter().find(|b| b.id == *building)?.name.clone();
        Some((format!("/buildings/{}/{building}", project.id), name))
    });
    let (losses_head, losses) = losses(t, &view);
    let page = MeterPage {
        t,
        frame: Frame::new(site, ask, state.id.as_str(), "meters"),
        id: state.id.to_string(),
        name: view.facts.as_ref().map(|f| f.name.clone()).unwrap_or_default(),
        health: state.health.code(),
        health_says: t.of("page.health", state.health.code()),
        age: last.map_or_else(|| t.get("page.meters.never").to_owned(), |at| t.age(at, now)),
        at: last.map(|at| t.date_time(at, view.zone)).unwrap_or_default(),
        facts: facts(t, &view),
        values: state
            .values
            .iter()
            .map(|(channel, value, at)| (t.channel(*channel), t.measured(*channel, *value), t.age(*at, now)))
            .collect(),
        losses_head,
        losses,
        decisions: view.decisions.iter().map(|d| decision(t, d, unit, view.zone)).collect(),
        acts: view.acts.iter().map(|act| act_row(t, act, unit, view.zone)).collect(),
        readings: view
            .readings
            .iter()
            .map(|(at, total)| (t.date_time(*at, view.zone), at.to_string(), show(t, *total, unit)))
            .collect(),
        aside: view.aside.iter().map(|one| aside_row(t, one, view.zone)).collect(),
        may_say: view.facts.is_some() && view.place.as_ref().is_some_and(may),
        done: said.done,
        refused: said.refused,
        typed: said.typed,
        asks: said.asks,
        total_hint: t.fill("page.act.total_hint", &[("unit", &printed(unit.symbol()))]),
        building,
    };
    Ok(page.render()?)
}

/// An amount of the register as people read it.
fn show(t: &Words, amount: i64, unit: Unit) -> String {
    format!("{}\u{a0}{}", t.number(amount as f64 / 1000.0, 3), printed(unit.symbol()))
}

fn facts(t: &Words, view: &MeterView) -> Vec<(String, String)> {
    let state = &view.state;
    let every = t.fill("page.meters.every", &[("seconds", &t.number(f64::from(state.every_seconds), 0))]);
    let mut lines = vec![
        ("page.meters.model", state.model.clone()),
        ("page.meters.link", state.link.clone()),
        ("page.meters.period", every),
    ];
    if let Some(facts) = &view.facts {
        lines.push(("page.meter.carrier", t.of("page.carrier", facts.carrier.code())));
        lines.push(("page.meter.direction", t.of("page.direction", facts.direction.code())));
        lines.push(("page.meter.role", t.of("page.role", facts.role.code())));
        if let Some(supply_point) = &facts.supply_point {
            lines.push(("page.meter.supply_point", supply_point.clone()));
        }
        if let Some(serial) = &facts.serial {
            lines.push(("page.meter.serial", serial.clone()));
        }
    }
    lines.into_iter().map(|(key, value)| (t.get(key).to_owned(), value)).collect()
}

fn losses(t: &Words, view: &MeterView) -> (Vec<String>, Vec<(String, Vec<String>)>) {
    let head = ["month", "expected", "received", "missing", "late", "refused", "estimated"];
    let count = |n: u64| t.number(n as f64, 0);
    let row = |l: &crate::backend::MonthLosses| {
        let share = (0 < l.expected).then(|| l.missing() as f64 / l.expected as f64);
        let cells = vec![
            count(l.expected),
            count(l.received),
            format!("{} ({})", count(l.missing()), t.percent(share)),
            count(l.late),
            count(l.refused + l.quarantined + l.dropped),
            t.percent(l.estimated_ratio),
        ];
        (crate::pages::meters::loss_month(t, l, view.zone), cells)
    };
    let head = head.map(|key| t.of("page.meters", key)).to_vec();
    (head, view.state.losses.iter().take(LOSS_MONTHS).map(row).collect())
}

fn decision(t: &Words, d: &Decision, unit: Unit, zone: Zone) -> DecisionRow {
    let show = |amount| show(t, amount, unit);
    let name = |e: Explanation| t.of("report.explanation", e.code());
    let mut choices: Vec<Explanation> = std::iter::once(d.explanation)
        .chain(d.alternatives.iter().map(|a| a.explanation))
        .chain([Explanation::Reset, Explanation::Exchange, Explanation::Spike, Explanation::Dip])
        .filter(|e| *e != Explanation::Open)
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    choices.retain(|e| seen.insert(*e));
    let state = if d.by_person {
        t.get("report.record.by_person").to_owned()
    } else {
        t.of("report.confidence", d.confidence.code())
    };
    DecisionRow {
        at: t.date_time(d.at, zone),
        at_iso: d.at.to_string(),
        explanation: name(d.explanation),
        state,
        open: d.is_open(),
        totals: format!("{} → {} → {}", show(d.before), show(d.seen), show(d.after)),
        span: format!("{} – {}", t.date_time(d.from, zone), t.date_time(d.to, zone)),
        booked: t.fill(
            "page.meter.booked",
            &[("booked", &show(d.booked)), ("low", &show(d.low)), ("high", &show(d.high))],
        ),
        choices: choices.into_iter().map(|e| (e.code(), name(e))).collect(),
    }
}

/// Both values with all digits that tell them apart: a total is kept in thousandths of what people read, or in that.
fn aside_row(t: &Words, one: &PutAside, zone: Zone) -> AsideRow {
    let unit = one.channel.quantity.display_unit();
    let factor = unit.factor_to(one.channel.quantity).unwrap_or(1.0);
    let value = |value: Value| {
        let amount = match value {
            Value::Total(total) => total as f64,
            Value::Gauge(gauge) => gauge,
        };
        format!("{}\u{a0}{}", t.number(amount / factor, 3), printed(unit.symbol()))
    };
    AsideRow {
        at: t.date_time(one.at, zone),
        at_iso: one.at.to_string(),
        quantity: t.channel(one.channel),
        kept: value(one.kept),
        refused: value(one.refused),
        origin: one.origin.code(),
        received: t.date_time(one.received_at, zone),
    }
}

fn act_row(t: &Words, act: &model::MeterAct, unit: Unit, zone: Zone) -> ActRow {
    let total = |total: Option<i64>| total.map_or_else(|| t.not_available(), |total| show(t, total, unit));
    let says = match act.dated.act {
        Act::Explained(explanation) => {
            let name = t.of("report.explanation", explanation.code());
            t.fill("page.act.explained", &[("explanation", &name)])
        }
        Act::Exchanged { closing, opening } => {
            t.fill("page.act.exchanged", &[("closing", &total(closing)), ("opening", &total(opening))])
        }
        Act::Corrected { total: to } => t.fill("page.act.corrected", &[("total", &total(Some(to)))]),
    };
    ActRow {
        at: t.date_time(act.dated.at, zone),
        at_iso: act.dated.at.to_string(),
        says,
        author: act.author.clone(),
        reason: act.reason.clone(),
        recorded: t.date_time(act.recorded_at, zone),
    }
}
