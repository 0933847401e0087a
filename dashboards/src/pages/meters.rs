//! `/meters`: the state of every configured meter.
//!
//! Must never: show an old value without its age.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use chrono_tz::Europe::Rome;
use model::{BuildingId, Instant, Zone};

use super::{Ask, Fault, Frame, Site, Words, respond};
use crate::backend::{MeterState, MonthLosses, PortfolioRow};

/// Months of the loss budget shown of a meter; the API has a year.
const LOSS_MONTHS: usize = 3;

#[derive(Template)]
#[template(path = "meters.html")]
struct MetersPage<'a> {
    t: &'a Words,
    frame: Frame,
    /// How many are fresh, late, silent: code, text, number.
    counts: Vec<(&'static str, String, usize)>,
    meters: Vec<MeterCard>,
}

struct MeterCard {
    id: String,
    model: String,
    building: String,
    link: String,
    every: String,
    /// `fresh`, `late` or `silent`.
    health: &'static str,
    health_says: String,
    age: String,
    at: String,
    at_iso: String,
    values: Vec<ValueLine>,
    losses: Vec<LossLine>,
}

/// A month of the loss budget.
struct LossLine {
    month: String,
    expected: String,
    received: String,
    missing: String,
    /// Share of the readings expected that are missing.
    missing_share: String,
    late: String,
    refused: String,
    estimated: String,
}

impl LossLine {
    fn new(t: &Words, losses: &MonthLosses, zone: Zone) -> Self {
        let count = |n: u64| t.number(n as f64, 0);
        let share = (losses.expected > 0).then(|| losses.missing() as f64 / losses.expected as f64);
        Self {
            month: loss_month(t, losses, zone),
            expected: count(losses.expected),
            received: count(losses.received),
            missing: count(losses.missing()),
            missing_share: t.percent(share),
            late: count(losses.late),
            refused: count(losses.refused + losses.quarantined + losses.dropped),
            estimated: t.percent(losses.estimated_ratio),
        }
    }
}

/// `11/2026`, with the moment from which the month is counted where that is not its beginning.
pub(crate) fn loss_month(t: &Words, losses: &MonthLosses, zone: Zone) -> String {
    let month = format!("{:02}/{}", losses.month.number, losses.month.year);
    match losses.since {
        Some(at) => t.fill("page.meters.since", &[("month", &month), ("at", &t.date_time(at, zone))]),
        None => month,
    }
}

struct ValueLine {
    name: String,
    value: String,
    age: String,
}

impl MeterCard {
    fn new(t: &Words, meter: &MeterState, place: Option<(String, Zone)>, now: Instant) -> Self {
        let (building, zone) = place.unwrap_or_else(|| (t.get("page.meters.no_building").to_owned(), Rome));
        let values = meter.values.iter().map(|(channel, value, at)| ValueLine {
            name: t.channel(*channel),
            value: t.measured(*channel, *value),
            age: t.age(*at, now),
        });
        let last = meter.last_reading_at;
        Self {
            id: meter.id.to_string(),
            model: meter.model.clone(),
            building,
            link: meter.link.clone(),
            every: t.fill("page.meters.every", &[("seconds", &t.number(f64::from(meter.every_seconds), 0))]),
            health: meter.health.code(),
            health_says: t.of("page.health", meter.health.code()),
            age: last.map_or_else(|| t.get("page.meters.never").to_owned(), |at| t.age(at, now)),
            at: last.map(|at| t.date_time(at, zone)).unwrap_or_default(),
            at_iso: last.map(|at| at.to_string()).unwrap_or_default(),
            values: values.collect(),
            losses: meter.losses.iter().take(LOSS_MONTHS).map(|l| LossLine::new(t, l, zone)).collect(),
        }
    }
}

/// Name and zone of a building, with the project's title.
fn place(rows: &[PortfolioRow], id: &BuildingId) -> Option<(String, Zone)> {
    rows.iter().find_map(|row| {
        let building = row.project.buildings.iter().find(|b| b.id == *id)?;
        Some((format!("{} · {}", building.name, row.project.title), row.project.zone))
    })
}

/// `GET /meters`.
pub(crate) async fn page(State(site): State<Arc<Site>>, ask: Ask) -> Response {
    respond(site, ask, render).await
}

fn render(site: &Site, ask: &Ask) -> Result<String, Fault> {
    let t = &ask.words;
    let now = site.backend.now();
    let rows = site.portfolio(&ask.who);
    let meters: Vec<MeterCard> = site
        .meters(&ask.who)
        .iter()
        .map(|m| MeterCard::new(t, m, m.building.as_ref().and_then(|id| place(&rows, id)), now))
        .collect();
    let counts = ["fresh", "late", "silent"]
        .map(|code| (code, t.of("page.health", code), meters.iter().filter(|m| m.health == code).count()));
    let frame = Frame::new(site, ask, t.get("page.meters.title"), "meters");
    Ok(MetersPage { t, frame, counts: counts.to_vec(), meters }.render()?)
}
