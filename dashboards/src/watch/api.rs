//! What the facility manager's pages show, as JSON.
//!
//! Must never: give 0 for what is not known (it is `null`).

use std::sync::Arc;

use analytics::forecast::Needed;
use analytics::watch::span::Beside;
use axum::extract::{Path, State};
use model::{BuildingId, Carrier, ProjectId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::building::Wanted;
use super::{AlarmView, BuildingNow, BuildingView, CarrierToday, Plot, Signature};
use crate::access::Who;
use crate::api::LiveView;
use crate::desk::upload::Posted;
use crate::openapi::{Asked, Done, Given, change, give};
use crate::pages::words::printed;
use crate::pages::{Ask, Fault, Site};

#[derive(JsonSchema, Serialize)]
pub(crate) struct BuildingJson {
    project: String,
    building: String,
    name: String,
    live: LiveView,
    today: Vec<TodayJson>,
    month: Vec<PaceJson>,
    target: Option<TargetJson>,
    meters: MetersJson,
    alarms: usize,
}

#[derive(JsonSchema, Serialize)]
struct TodayJson {
    carrier: &'static str,
    unit: &'static str,
    measured: Option<f64>,
    expected_now: Option<f64>,
    expected_now_half_width: Option<f64>,
    expected_day: Option<f64>,
    outdoor_c: Option<f64>,
    outdoor_on: Option<String>,
}

impl From<&CarrierToday> for TodayJson {
    fn from(today: &CarrierToday) -> Self {
        Self {
            carrier: today.carrier.code(),
            unit: today.carrier.base_unit().display().symbol(),
            measured: today.measured,
            expected_now: today.expected_now.map(|e| e.energy),
            expected_now_half_width: today.expected_now.map(|e| e.half_width),
            expected_day: today.expected_day.map(|e| e.energy),
            outdoor_c: today.outdoor.map(|(c, _)| c),
            outdoor_on: today.outdoor.map(|(_, on)| on.to_string()),
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct PaceJson {
    carrier: &'static str,
    unit: &'static str,
    measured: f64,
    baseline: f64,
    avoided: f64,
    days: u32,
    days_gone: u32,
}

#[derive(JsonSchema, Serialize)]
struct TargetJson {
    unit: &'static str,
    target: f64,
    so_far: Option<f64>,
    expected: Option<f64>,
    /// What each month left must bring; null where less is better.
    needed_per_month: Option<f64>,
    /// Where less is better: what each month left may be at most, or by how much the months so far exceed the most.
    at_most_per_month: Option<f64>,
    exceeded_by: Option<f64>,
    outlook: &'static str,
}

#[derive(JsonSchema, Serialize)]
struct MetersJson {
    fresh: usize,
    late: usize,
    silent: usize,
}

impl From<&BuildingNow> for BuildingJson {
    fn from(now: &BuildingNow) -> Self {
        let pace = |(carrier, pace): &(Carrier, analytics::watch::pace::Pace)| PaceJson {
            carrier: carrier.code(),
            unit: carrier.base_unit().display().symbol(),
            measured: pace.measured,
            baseline: pace.baseline,
            avoided: pace.avoided(),
            days: pace.days,
            days_gone: pace.days_gone,
        };
        let target = now.target.as_ref().map(|target| {
            let [needed_per_month, at_most_per_month, exceeded_by] = Needed::columns(target.needed);
            TargetJson {
                unit: target.unit,
                target: target.target,
                so_far: target.so_far,
                expected: target.expected,
                needed_per_month,
                at_most_per_month,
                exceeded_by,
                outlook: target.outlook.code(),
            }
        });
        let [fresh, late, silent] = now.health.map(|(_, n)| n);
        Self {
            project: now.project.id.to_string(),
            building: now.building.to_string(),
            name: now.name.clone(),
            live: LiveView::from(&now.live),
            today: now.today.iter().map(TodayJson::from).collect(),
            month: now.pace.iter().map(pace).collect(),
            target,
            meters: MetersJson { fresh, late, silent },
            alarms: now.alarms,
        }
    }
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct SpanJson {
    #[serde(flatten)]
    building: BuildingJson,
    carrier: &'static str,
    unit: &'static str,
    span: &'static str,
    from: String,
    to: String,
    parts: Vec<PartJson>,
    beside_year_before: Option<BesideJson>,
    beside_expected: Option<BesideJson>,
    base_load: Option<BaseLoadJson>,
    own: Option<OwnJson>,
    /// Measured hours by civil day: 24 values, `null` where one was not measured.
    carpet: Vec<CarpetDayJson>,
    signature: Option<SignatureJson>,
}

#[derive(JsonSchema, Serialize)]
struct CarpetDayJson {
    day: String,
    hours: Vec<Option<f64>>,
}

/// Use of a day against its outdoor temperature.
#[derive(JsonSchema, Serialize)]
struct SignatureJson {
    /// Of the last year without this week: degrees Celsius, energy.
    days: Vec<(f64, f64)>,
    /// Of the last seven complete days.
    week: Vec<SignatureDayJson>,
    /// The law of what is used now; empty without one.
    law: Vec<(f64, f64)>,
}

#[derive(JsonSchema, Serialize)]
struct SignatureDayJson {
    day: String,
    outdoor_c: f64,
    energy: f64,
}

impl From<&Signature> for SignatureJson {
    fn from(of: &Signature) -> Self {
        let day = |(day, outdoor_c, energy): &(chrono::NaiveDate, f64, f64)| SignatureDayJson {
            day: day.to_string(),
            outdoor_c: *outdoor_c,
            energy: *energy,
        };
        Self { days: of.days.clone(), week: of.week.iter().map(day).collect(), law: of.law.clone() }
    }
}

#[derive(JsonSchema, Serialize)]
struct PartJson {
    from: String,
    hour: Option<u32>,
    measured: Option<f64>,
    year_before: Option<f64>,
    expected: Option<f64>,
    in_progress: bool,
}

#[derive(JsonSchema, Serialize)]
struct BesideJson {
    measured: f64,
    other: f64,
    parts: usize,
}

impl From<Beside> for BesideJson {
    fn from(b: Beside) -> Self {
        Self { measured: b.measured, other: b.other, parts: b.parts }
    }
}

#[derive(JsonSchema, Serialize)]
struct BaseLoadJson {
    floor_per_hour: f64,
    night_per_hour: f64,
    weekend_per_hour: Option<f64>,
    workday_per_hour: Option<f64>,
    night_share: f64,
    weekend_share: f64,
    night_excess_ratio: Option<f64>,
}

#[derive(JsonSchema, Serialize)]
struct OwnJson {
    produced_kwh: Option<f64>,
    exported_kwh: Option<f64>,
    imported_kwh: Option<f64>,
    self_consumed_kwh: Option<f64>,
}

impl From<&BuildingView> for SpanJson {
    fn from(view: &BuildingView) -> Self {
        let (from, to) = view.span.bounds();
        let part = |p: &analytics::watch::span::Part| PartJson {
            from: p.from.to_string(),
            hour: p.hour,
            measured: p.measured,
            year_before: p.year_before,
            expected: p.expected,
            in_progress: p.in_progress,
        };
        Self {
            building: BuildingJson::from(&view.now),
            carrier: view.carrier.code(),
            unit: view.carrier.base_unit().display().symbol(),
            span: view.span.code(),
            from: from.to_string(),
            to: to.to_string(),
            parts: view.compared.parts.iter().map(part).collect(),
            beside_year_before: view.compared.beside_year_before().map(Into::into),
            beside_expected: view.compared.beside_expected().map(Into::into),
            base_load: view.base_load.map(|b| BaseLoadJson {
                floor_per_hour: b.floor_per_hour,
                night_per_hour: b.night_per_hour,
                weekend_per_hour: b.weekend_per_hour,
                workday_per_hour: b.workday_per_hour,
                night_share: b.night_share,
                weekend_share: b.weekend_share,
                night_excess_ratio: b.night_excess_ratio,
            }),
            own: view.own.map(|o| OwnJson {
                produced_kwh: o.produced,
                exported_kwh: o.exported,
                imported_kwh: o.imported,
                self_consumed_kwh: o.self_consumed,
            }),
            carpet: view
                .carpet
                .days
                .iter()
                .map(|(day, hours)| CarpetDayJson { day: day.to_string(), hours: hours.to_vec() })
                .collect(),
            signature: view.signature.as_ref().map(SignatureJson::from),
        }
    }
}

/// `GET /api/v1/buildings`.
pub(crate) async fn buildings(State(site): State<Arc<Site>>, who: Who) -> Given<Vec<BuildingJson>> {
    give(&site, move |site| Ok(site.buildings(&who).iter().map(BuildingJson::from).collect())).await
}

/// `GET /api/v1/buildings/{project}/{building}?carrier=&span=&on=`.
pub(crate) async fn building(
    State(site): State<Arc<Site>>,
    Path((project, building)): Path<(String, String)>,
    Asked(wanted): Asked<Wanted>,
) -> Given<SpanJson> {
    give(&site, move |site| {
        let wrong = wanted.unreadable();
        if !wrong.is_empty() {
            return Err(Fault::BadForm(format!("no meaning: {}", wrong.join(", "))));
        }
        let view = wanted.ask(&project, &building).and_then(|ask| site.backend.building(&ask));
        let none = || Fault::NoBuilding(format!("{project}/{building}"));
        view.as_ref().map(SpanJson::from).ok_or_else(none)
    })
    .await
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct PlotJson {
    unit: String,
    zone: &'static str,
    /// What is written where there is no value, and the name of the time axis.
    missing: String,
    time: String,
    /// Seconds since 1970.
    at: Vec<i64>,
    series: Vec<PlotSeriesJson>,
}

#[derive(JsonSchema, Serialize)]
struct PlotSeriesJson {
    meter: String,
    name: String,
    values: Vec<Option<f64>>,
}

fn plot_json(ask: &Ask, plot: Plot) -> PlotJson {
    let t = &ask.words;
    let name = |name: String| if name.is_empty() { t.get("page.span.measured").to_owned() } else { name };
    let series = plot.series.into_iter();
    PlotJson {
        unit: printed(plot.unit),
        zone: plot.zone.name(),
        missing: t.not_available(),
        time: t.get("page.building.time").to_owned(),
        at: plot.at.iter().map(|at| at.millis().div_euclid(1000)).collect(),
        series: series.map(|(meter, n, values)| PlotSeriesJson { meter, name: name(n), values }).collect(),
    }
}

async fn plot(
    site: Arc<Site>,
    ask: Ask,
    (project, building): (String, String),
    of: impl FnOnce(&Site, &ProjectId, &BuildingId) -> Option<Plot> + Send + 'static,
) -> Given<PlotJson> {
    give(&site, move |site| {
        let ids = ProjectId::new(&project).ok().zip(BuildingId::new(&building).ok());
        let plot = ids.and_then(|(project, building)| of(site, &project, &building));
        let plot = plot.ok_or_else(|| Fault::NoBuilding(format!("{project}/{building}")))?;
        Ok(plot_json(&ask, plot))
    })
    .await
}

/// `GET /api/v1/buildings/{project}/{building}/power`: mean power of each electricity meter, a day back.
pub(crate) async fn power(
    State(site): State<Arc<Site>>,
    Path(place): Path<(String, String)>,
    ask: Ask,
) -> Given<PlotJson> {
    plot(site, ask, place, |site, project, building| site.backend.power(project, building)).await
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct OfCarrier {
    /// Code of a carrier; `grid_electricity` without one.
    carrier: Option<String>,
}

/// `GET /api/v1/buildings/{project}/{building}/hours?carrier=`: thirteen weeks of hours.
pub(crate) async fn hours(
    State(site): State<Arc<Site>>,
    Path(place): Path<(String, String)>,
    Asked(of): Asked<OfCarrier>,
    ask: Ask,
) -> Given<PlotJson> {
    let carrier = match of.carrier.as_deref().map(|code| (code, Carrier::parse(code))) {
        None => Carrier::GridElectricity,
        Some((_, Some(carrier))) => carrier,
        Some((code, None)) => return Given(Err(Fault::BadForm(format!("{code:?} is no carrier")))),
    };
    plot(site, ask, place, move |site, project, building| site.backend.hours(project, building, carrier))
        .await
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct AlarmJson {
    id: i64,
    kind: &'static str,
    subject: String,
    severity: &'static str,
    raised_at: String,
    ended_at: Option<String>,
    details: std::collections::BTreeMap<String, String>,
    acknowledged_by: Option<String>,
    acknowledged_at: Option<String>,
    note: Option<String>,
}

impl From<AlarmView> for AlarmJson {
    fn from(alarm: AlarmView) -> Self {
        let note = alarm.acknowledged;
        Self {
            id: alarm.id,
            kind: alarm.kind.code(),
            severity: alarm.kind.severity().code(),
            subject: alarm.subject,
            raised_at: alarm.raised_at.to_string(),
            ended_at: alarm.ended_at.map(|at| at.to_string()),
            details: alarm.details.into_iter().collect(),
            acknowledged_by: note.as_ref().map(|n| n.by.clone()),
            acknowledged_at: note.as_ref().map(|n| n.at.to_string()),
            note: note.map(|n| n.note),
        }
    }
}

/// `GET /api/v1/alarms`.
pub(crate) async fn alarms(State(site): State<Arc<Site>>, who: Who) -> Given<Vec<AlarmJson>> {
    give(&site, move |site| Ok(site.alarms(&who).into_iter().map(AlarmJson::from).collect())).await
}

/// A word on an alarm.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "note": "The technician comes tomorrow." }]))]
pub(crate) struct AlarmSaid {
    note: String,
}

/// `POST /api/v1/alarms/{alarm}/acknowledge`.
pub(crate) async fn acknowledge(
    State(site): State<Arc<Site>>,
    Path(alarm): Path<String>,
    who: Who,
    Posted(said): Posted<AlarmSaid>,
) -> Done {
    change(&site, move |site| {
        let none = || Fault::NoAlarm(alarm.clone());
        super::alarms::take_notice(site, &who, alarm.parse().map_err(|_| none())?, &said.note)
    })
    .await
}
