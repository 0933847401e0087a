//! `/buildings/{project}/{building}`: live power by meter; a day, week, month or year beside last year and the adjusted
//! baseline; the carpet of hours; the energy signature; production; what runs at night and at weekends.
//!
//! Must never: compare over parts that only one side knows, or hide that some are missing.

use std::sync::Arc;

use analytics::watch::base_load::BaseLoad;
use analytics::watch::span::{Beside, Span};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::NaiveDate;
use model::{BuildingId, Carrier, ProjectId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::charts::{self, Drawn, Rows};
use super::overview::{PaceLine, TargetLine, TodayLine};
use super::{BuildingAsk, BuildingView, MeterNow, OwnEnergy};
use crate::pages::words::printed;
use crate::pages::{Ask, Fault, Frame, Site, Words, respond};

#[derive(Template)]
#[template(path = "building.html")]
struct BuildingPage<'a> {
    t: &'a Words,
    frame: Frame,
    zone: String,
    project: String,
    project_title: String,
    building: String,
    name: String,
    address: String,
    power: String,
    production: String,
    has_production: bool,
    today: Option<TodayLine>,
    pace: Vec<PaceLine>,
    target: Option<TargetLine>,
    alarms: usize,
    meters: Vec<MeterRow>,
    plot: String,
    plot_rows: Option<Rows>,
    carriers: Vec<(String, String, bool)>,
    span: SpanView,
    hours_plot: String,
    hours_rows: Option<Rows>,
    carpet: Option<Drawn>,
    signature: Option<Drawn>,
    base: Vec<(String, String, String)>,
    own: Vec<(String, String)>,
    kiosk: Option<String>,
}

struct MeterRow {
    id: String,
    name: String,
    kind: String,
    health: &'static str,
    health_says: String,
    power: String,
    has_power: bool,
    today: String,
}

/// The span with its switches.
struct SpanView {
    title: String,
    /// Text, address, whether it is shown.
    kinds: Vec<(String, String, bool)>,
    earlier: Option<String>,
    later: Option<String>,
    measured: String,
    unit: String,
    beside: Vec<BesideLine>,
    missing: String,
    chart: Drawn,
}

struct BesideLine {
    name: String,
    change: String,
    class: &'static str,
    says: String,
}

const KINDS: [&str; 4] = ["day", "week", "month", "year"];

/// What an address may ask for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct Wanted {
    /// Code of a carrier; the first of the building without one.
    carrier: Option<String>,
    /// `day`, `week`, `month` or `year`; `week` without one.
    span: Option<String>,
    /// A day of the span, `YYYY-MM-DD`; today without one.
    on: Option<String>,
}

impl Wanted {
    /// Which of it means nothing: a program is told, where a page shows what it can.
    pub(crate) fn unreadable(&self) -> Vec<&'static str> {
        let wrong = |name, given: &Option<String>, means: fn(&str) -> bool| {
            given.as_deref().is_some_and(|text| !means(text)).then_some(name)
        };
        [
            wrong("carrier", &self.carrier, |code| Carrier::parse(code).is_some()),
            wrong("span", &self.span, |kind| KINDS.contains(&kind)),
            wrong("on", &self.on, |on| on.parse::<NaiveDate>().is_ok()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What cannot be read is asked for as if it were not there.
    pub(crate) fn ask(&self, project: &str, building: &str) -> Option<BuildingAsk> {
        let kind = self.span.as_deref().filter(|kind| KINDS.contains(kind)).unwrap_or("week");
        Some(BuildingAsk {
            project: ProjectId::new(project).ok()?,
            building: BuildingId::new(building).ok()?,
            carrier: self.carrier.as_deref().and_then(Carrier::parse),
            kind: kind.to_owned(),
            on: self.on.as_deref().and_then(|on| on.parse::<NaiveDate>().ok()),
        })
    }
}

/// `GET /buildings/{project}/{building}`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Path((project, building)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    ask: Ask,
) -> Response {
    respond(site, ask, move |site, ask| render(site, ask, &project, &building, &wanted)).await
}

fn render(site: &Site, ask: &Ask, project: &str, building: &str, wanted: &Wanted) -> Result<String, Fault> {
    let none = || Fault::NoBuilding(format!("{project}/{building}"));
    let view = wanted.ask(project, building).and_then(|ask| site.backend.building(&ask)).ok_or_else(none)?;
    let t = &ask.words;
    let now = &view.now;
    let (id, own) = (&now.project.id, &now.building);
    let facts = now.project.buildings.iter().find(|b| b.id == *own);
    let unit = printed(view.carrier.base_unit().display().symbol());
    let per_hour = per_hour(&unit);
    let today = now.today.iter().find(|today| today.carrier == view.carrier);
    let public = site.backend.is_public(id, own);
    let page = BuildingPage {
        t,
        frame: Frame::new(site, ask, now.name.clone(), "buildings").with_charts(),
        zone: now.project.zone.name().to_owned(),
        project: id.to_string(),
        project_title: now.project.title.clone(),
        building: own.to_string(),
        name: now.name.clone(),
        address: facts.map(|b| format!("{}, {}", b.address, b.municipality)).unwrap_or_default(),
        power: t.power_kw(now.live.power_w),
        production: t.power_kw(now.live.production_w),
        has_production: now.live.production_w.is_some() || view.own.is_some(),
        today: today.map(|today| TodayLine::new(t, today)),
        pace: now.pace.iter().filter(|(c, _)| *c == view.carrier).map(|p| PaceLine::new(t, p)).collect(),
        target: now.target.as_ref().map(|target| TargetLine::new(t, target)),
        alarms: now.alarms,
        meters: view.meters.iter().map(|meter| meter_row(t, meter)).collect(),
        plot: format!("/api/v1/buildings/{id}/{own}/power"),
        plot_rows: site.backend.power(id, own).map(|plot| charts::power_rows(t, &plot)),
        carriers: view.carriers.iter().map(|carrier| carrier_link(t, &view, *carrier)).collect(),
        span: span_view(t, &view, &unit),
        hours_plot: format!("/api/v1/buildings/{id}/{own}/hours?carrier={}", view.carrier.code()),
        hours_rows: site.backend.hours(id, own, view.carrier).map(|plot| charts::hours_rows(t, &plot)),
        carpet: (0.0 < view.carpet.most).then(|| charts::carpet_of(t, &view.carpet, &per_hour, &unit)),
        signature: view.signature.as_ref().map(|of| charts::signature(t, of, &unit)),
        base: view.base_load.as_ref().map(|base| base_lines(t, base, &per_hour)).unwrap_or_default(),
        own: view.own.as_ref().map(|own| own_lines(t, own)).unwrap_or_default(),
        kiosk: public.then(|| format!("/kiosk/{id}/{own}")),
    };
    Ok(page.render()?)
}

/// `kW` for `kWh`, else the unit per hour.
pub(crate) fn per_hour(unit: &str) -> String {
    if unit == "kWh" { "kW".to_owned() } else { format!("{unit}/h") }
}

fn meter_row(t: &Words, meter: &MeterNow) -> MeterRow {
    let unit = printed(meter.carrier.base_unit().display().symbol());
    let health = meter.health.map_or("none", crate::backend::MeterHealth::code);
    MeterRow {
        id: meter.id.to_string(),
        name: meter.name.clone(),
        kind: format!(
            "{} · {}",
            t.of("page.carrier", meter.carrier.code()),
            t.of("page.direction", meter.direction.code())
        ),
        health,
        health_says: t.of("page.health", health),
        power: t.power_kw(meter.power_w),
        has_power: meter.carrier.base_unit() == model::BaseUnit::WattHour
            && meter.direction != model::Direction::Export
            && meter.health.is_some(),
        today: match meter.today {
            Some(today) => format!("{} {unit}", t.number(today, 1)),
            None => t.not_available(),
        },
    }
}

fn address(view: &BuildingView, carrier: Carrier, span: Span) -> String {
    let now = &view.now;
    format!(
        "/buildings/{}/{}?carrier={}&span={}&on={}",
        now.project.id,
        now.building,
        carrier.code(),
        span.code(),
        span.bounds().0
    )
}

fn carrier_link(t: &Words, view: &BuildingView, carrier: Carrier) -> (String, String, bool) {
    (t.of("page.carrier", carrier.code()), address(view, carrier, view.span), carrier == view.carrier)
}

fn span_view(t: &Words, view: &BuildingView, unit: &str) -> SpanView {
    let (first, last) = view.span.bounds();
    // A narrower span of the one shown begins with its last day that has come.
    let within = last.pred_opt().unwrap_or(last).min(view.today).max(first);
    let kind = |kind: &str| {
        let span = Span::of(kind, within)?;
        Some((t.of("page.span", kind), address(view, view.carrier, span), span.code() == view.span.code()))
    };
    let link = |span: Span| address(view, view.carrier, span);
    let earlier = view.span.previous().filter(|s| view.first_day.is_some_and(|first| first < s.bounds().1));
    let later = view.span.next().filter(|s| s.bounds().0 <= view.today);
    let compared = &view.compared;
    let expected = if matches!(view.span, Span::Day(_)) { "page.span.usual" } else { "page.span.baseline" };
    let beside =
        [("page.span.year_before", compared.beside_year_before()), (expected, compared.beside_expected())];
    let missing = compared.missing(view.today);
    let decimals = if compared.measured().is_some_and(|m| m < 1_000.0) { 1 } else { 0 };
    SpanView {
        title: charts::title(t, view.span),
        kinds: ["day", "week", "month", "year"].into_iter().filter_map(kind).collect(),
        earlier: earlier.map(link),
        later: later.map(link),
        measured: t.maybe(compared.measured(), decimals),
        unit: unit.to_owned(),
        beside: beside.iter().filter_map(|(key, of)| of.map(|of| beside_line(t, key, &of, unit))).collect(),
        missing: if missing == 0 {
            String::new()
        } else {
            t.fill("page.span.missing", &[("n", &missing.to_string())])
        },
        chart: charts::compared(t, compared, unit, view.today),
    }
}

fn beside_line(t: &Words, key: &str, beside: &Beside, unit: &str) -> BesideLine {
    let ratio = beside.change_ratio();
    let decimals = if beside.other < 1_000.0 { 1 } else { 0 };
    BesideLine {
        name: t.get(key).to_owned(),
        change: ratio.map_or_else(|| t.not_available(), |r| t.percent_signed(r)),
        class: if ratio.is_some_and(|r| 0.0 < r) { "up" } else { "down" },
        says: t.fill(
            "page.span.beside",
            &[
                ("measured", &t.number(beside.measured, decimals)),
                ("other", &t.number(beside.other, decimals)),
                ("unit", unit),
                ("n", &beside.parts.to_string()),
            ],
        ),
    }
}

/// Name, value, what it means.
fn base_lines(t: &Words, base: &BaseLoad, per_hour: &str) -> Vec<(String, String, String)> {
    let flow = |value: Option<f64>| match value {
        Some(value) => format!("{} {per_hour}", t.number(value, 2)),
        None => t.not_available(),
    };
    let line = |key: &str, value: String| {
        (t.of("page.base_load", key), value, t.of("page.base_load", &format!("{key}_means")))
    };
    let excess = base.night_excess_ratio.map_or_else(|| t.not_available(), |r| t.percent_signed(r));
    vec![
        line("floor", flow(Some(base.floor_per_hour))),
        line("night", flow(Some(base.night_per_hour))),
        line("weekend", flow(base.weekend_per_hour)),
        line("workday", flow(base.workday_per_hour)),
        line("night_share", t.percent(Some(base.night_share))),
        line("weekend_share", t.percent(Some(base.weekend_share))),
        line("excess", excess),
    ]
}

fn own_lines(t: &Words, own: &OwnEnergy) -> Vec<(String, String)> {
    let energy = |value: Option<f64>| match value {
        Some(value) => format!("{} kWh", t.number(value, 1)),
        None => t.not_available(),
    };
    let share = |part: Option<f64>, whole: Option<f64>| {
        t.percent(part.zip(whole).filter(|(_, w)| 0.0 < *w).map(|(p, w)| p / w))
    };
    let consumed = own.imported.zip(own.self_consumed).map(|(i, s)| i + s);
    [
        ("produced", energy(own.produced)),
        ("self_consumed", energy(own.self_consumed)),
        ("exported", energy(own.exported)),
        ("imported", energy(own.imported)),
        ("self_share", share(own.self_consumed, own.produced)),
        ("cover_share", share(own.self_consumed, consumed)),
    ]
    .map(|(key, value)| (t.of("page.own", key), value))
    .to_vec()
}
