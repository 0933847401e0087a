//! One meter as JSON: its readings, its breaks, what people said about it; and a person's word on it.
//!
//! Must never: show a correction without the reading it corrects, its author and its reason.

use std::sync::Arc;

use analytics::counter::Decision;
use axum::extract::{Path, State};
use model::{Act, MeterAct, MeterFacts, MeterId, Unit, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MeterSaid, MeterView, PutAside};
use crate::access::Who;
use crate::api::{LossesView, ValueView};
use crate::desk::upload::Posted;
use crate::openapi::{Done, Given, change, give};
use crate::pages::{Fault, Site};

#[derive(JsonSchema, Serialize)]
pub(crate) struct MeterJson {
    id: String,
    /// As the project names it; `null` for a meter that no project counts.
    name: Option<String>,
    project: Option<String>,
    building: Option<String>,
    carrier: Option<&'static str>,
    direction: Option<&'static str>,
    role: Option<&'static str>,
    supply_point: Option<String>,
    serial: Option<String>,
    model: String,
    link: String,
    every_seconds: u32,
    health: &'static str,
    last_reading_at: Option<String>,
    values: Vec<ValueView>,
    /// Newest month first.
    losses: Vec<LossesView>,
    /// Of the register: of every total here in thousandths of it.
    register_unit: &'static str,
    /// Newest first: the last totals as they were read.
    readings: Vec<ReadingJson>,
    /// Latest instant first: values put aside, since another one of the same instant and origin came before.
    aside: Vec<AsideJson>,
    /// Breaks of the total.
    decisions: Vec<DecisionJson>,
    acts: Vec<ActJson>,
}

#[derive(JsonSchema, Serialize)]
struct ReadingJson {
    at: String,
    total: i64,
}

/// A value that was put aside, and the one that stands in its place.
#[derive(JsonSchema, Serialize)]
struct AsideJson {
    at: String,
    channel: String,
    /// Of both values: a total is in whole units of it.
    unit: &'static str,
    kept: f64,
    refused: f64,
    origin: &'static str,
    received_at: String,
}

impl From<&PutAside> for AsideJson {
    fn from(one: &PutAside) -> Self {
        let amount = |value: Value| match value {
            Value::Total(total) => total as f64,
            Value::Gauge(gauge) => gauge,
        };
        Self {
            at: one.at.to_string(),
            channel: one.channel.to_string(),
            unit: one.channel.quantity.unit().symbol(),
            kept: amount(one.kept),
            refused: amount(one.refused),
            origin: one.origin.code(),
            received_at: one.received_at.to_string(),
        }
    }
}

/// A break of a meter's total and how it is explained.
#[derive(JsonSchema, Serialize)]
struct DecisionJson {
    at: String,
    explanation: &'static str,
    open: bool,
    by_person: bool,
    /// Of the register, in thousandths of its unit.
    booked: i64,
    low: i64,
    high: i64,
    alternatives: Vec<&'static str>,
}

impl From<&Decision> for DecisionJson {
    fn from(d: &Decision) -> Self {
        Self {
            at: d.at.to_string(),
            explanation: d.explanation.code(),
            open: d.is_open(),
            by_person: d.by_person,
            booked: d.booked,
            low: d.low,
            high: d.high,
            alternatives: d.alternatives.iter().map(|a| a.explanation.code()).collect(),
        }
    }
}

/// What a person said about a meter.
#[derive(JsonSchema, Serialize)]
struct ActJson {
    at: String,
    /// `exchanged`, `corrected` or `explained`.
    what: &'static str,
    explanation: Option<&'static str>,
    closing: Option<i64>,
    opening: Option<i64>,
    total: Option<i64>,
    author: String,
    reason: String,
    recorded_at: String,
}

impl From<&MeterAct> for ActJson {
    fn from(act: &MeterAct) -> Self {
        let (what, explanation, closing, opening, total) = match act.dated.act {
            Act::Explained(explanation) => ("explained", Some(explanation.code()), None, None, None),
            Act::Exchanged { closing, opening } => ("exchanged", None, closing, opening, None),
            Act::Corrected { total } => ("corrected", None, None, None, Some(total)),
        };
        Self {
            at: act.dated.at.to_string(),
            what,
            explanation,
            closing,
            opening,
            total,
            author: act.author.clone(),
            reason: act.reason.clone(),
            recorded_at: act.recorded_at.to_string(),
        }
    }
}

impl From<&MeterView> for MeterJson {
    fn from(view: &MeterView) -> Self {
        let (state, facts, place) = (&view.state, view.facts.as_ref(), view.place.as_ref());
        let unit = facts.map_or(Unit::KilowattHour, MeterFacts::register_unit);
        let reading = |(at, total): &(model::Instant, i64)| ReadingJson { at: at.to_string(), total: *total };
        Self {
            id: state.id.to_string(),
            name: facts.map(|f| f.name.clone()),
            project: place.map(|(project, _)| project.id.to_string()),
            building: place.map(|(_, building)| building.to_string()),
            carrier: facts.map(|f| f.carrier.code()),
            direction: facts.map(|f| f.direction.code()),
            role: facts.map(|f| f.role.code()),
            supply_point: facts.and_then(|f| f.supply_point.clone()),
            serial: facts.and_then(|f| f.serial.clone()),
            model: state.model.clone(),
            link: state.link.clone(),
            every_seconds: state.every_seconds,
            health: state.health.code(),
            last_reading_at: state.last_reading_at.map(|at| at.to_string()),
            values: state.values.iter().map(ValueView::from).collect(),
            losses: state.losses.iter().map(LossesView::from).collect(),
            register_unit: unit.symbol(),
            readings: view.readings.iter().map(reading).collect(),
            aside: view.aside.iter().map(AsideJson::from).collect(),
            decisions: view.decisions.iter().map(DecisionJson::from).collect(),
            acts: view.acts.iter().map(ActJson::from).collect(),
        }
    }
}

/// `GET /api/v1/meters/{meter}`.
pub(crate) async fn meter(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Given<MeterJson> {
    give(&site, move |site| {
        let view = MeterId::new(&id).ok().and_then(|id| site.backend.meter(&id));
        view.as_ref().map(MeterJson::from).ok_or(Fault::NoMeter(id))
    })
    .await
}

/// What a person says about a meter. Instants are RFC 3339 or `YYYY-MM-DD HH:MM` in the building's zone; totals are in
/// the register's unit, with a point or a comma before decimals.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(extend("examples" = [
    { "what": "correct", "at": "2025-06-01T00:00:00Z", "total": "12345.6", "reason": "Read at the meter" },
    { "what": "explain", "at": "2025-06-01T00:00:00Z", "explanation": "reset", "reason": "Power failure" }
]))]
pub(crate) enum MeterActSaid {
    /// Another meter took its place.
    Exchange {
        at: String,
        /// Last total of the old one; empty where nobody read it.
        #[serde(default)]
        closing: String,
        /// First total of the new one; empty where nobody read it.
        #[serde(default)]
        opening: String,
        reason: String,
    },
    /// A reading is wrong; the raw one stays.
    Correct {
        at: String,
        total: String,
        /// The total is right although the readings around it do not follow from it; without, such a total is
        /// refused as `contradicts`.
        #[serde(default)]
        sure: bool,
        reason: String,
    },
    /// What a break of the total was: code of an explanation, as among its `alternatives`.
    Explain { at: String, explanation: String, reason: String },
    /// An earlier word is taken back.
    Withdraw { at: String, reason: String },
}

impl From<MeterActSaid> for MeterSaid {
    fn from(said: MeterActSaid) -> Self {
        match said {
            MeterActSaid::Exchange { at, closing, opening, reason } => {
                Self::Exchanged { at, closing, opening, reason }
            }
            MeterActSaid::Correct { at, total, sure, reason } => Self::Corrected { at, total, sure, reason },
            MeterActSaid::Explain { at, explanation, reason } => Self::Explained { at, explanation, reason },
            MeterActSaid::Withdraw { at, reason } => Self::Withdrawn { at, reason },
        }
    }
}

/// `POST /api/v1/meters/{meter}/acts`.
pub(crate) async fn say(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    who: Who,
    Posted(said): Posted<MeterActSaid>,
) -> Done {
    change(&site, move |site| {
        let meter = MeterId::new(&id).map_err(|_| Fault::NoMeter(id))?;
        Ok(site.backend.say(&meter, &said.into(), &who.author())?)
    })
    .await
}
