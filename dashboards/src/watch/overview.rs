//! `/buildings`: every building with its power now, today beside what is usual for the weather, the month beside its
//! target, the health of its meters.
//!
//! Must never: call a day good because part of it was not measured.

use std::sync::Arc;

use analytics::digits::decimals;
use analytics::forecast::Needed;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use model::Carrier;

use super::{BuildingNow, CarrierToday, TargetPace};
use crate::pages::words::printed;
use crate::pages::{Ask, Fault, Frame, Site, Words, respond};

#[derive(Template)]
#[template(path = "buildings.html")]
struct OverviewPage<'a> {
    t: &'a Words,
    frame: Frame,
    zone: String,
    buildings: Vec<BuildingRow>,
}

/// A building of the overview.
struct BuildingRow {
    project: String,
    project_title: String,
    building: String,
    name: String,
    power: String,
    production: String,
    has_production: bool,
    today: Vec<TodayLine>,
    pace: Vec<PaceLine>,
    target: Option<TargetLine>,
    /// Code, text and number; none of zero.
    health: Vec<(&'static str, String, usize)>,
    alarms: usize,
}

/// A carrier today.
pub(crate) struct TodayLine {
    pub(crate) carrier: String,
    pub(crate) measured: String,
    pub(crate) unit: String,
    /// `123,4 kWh attesi finora, 300 kWh a fine giornata`.
    pub(crate) expected: String,
    /// Above, below or within what is usual: class and text.
    pub(crate) verdict: Option<(&'static str, String)>,
    /// Width of the bar of 120 and of its goal; `None` without an expectation.
    pub(crate) bar: Option<(&'static str, String, String)>,
}

impl TodayLine {
    pub(crate) fn new(t: &Words, today: &CarrierToday) -> Self {
        let unit = printed(today.carrier.base_unit().display().symbol());
        let decimals = |value: f64| usize::from(value < 100.0);
        let expected = match (today.expected_now, today.expected_day) {
            (Some(now), Some(day)) => t.fill(
                "page.overview.expected",
                &[
                    ("now", &t.number(now.energy, decimals(now.energy))),
                    ("day", &t.number(day.energy, decimals(day.energy))),
                    ("unit", &unit),
                ],
            ),
            _ => t.get("page.overview.no_model").to_owned(),
        };
        let verdict = today.measured.zip(today.expected_now).map(|(measured, usual)| {
            let ratio = if 0.0 < usual.energy { measured / usual.energy - 1.0 } else { 0.0 };
            let percent = t.percent_signed(ratio);
            match measured {
                m if usual.energy + usual.half_width < m => {
                    ("bad", t.fill("page.overview.above", &[("percent", &percent)]))
                }
                m if m < usual.energy - usual.half_width => {
                    ("ok", t.fill("page.overview.below", &[("percent", &percent)]))
                }
                _ => ("none", t.fill("page.overview.usual", &[("percent", &percent)])),
            }
        });
        let bar = today.measured.zip(today.expected_day).zip(today.expected_now).map(|((m, day), now)| {
            let most = day.energy.max(m).max(f64::MIN_POSITIVE);
            let place = |value: f64| format!("{:.1}", (value / most).clamp(0.0, 1.0) * 120.0);
            let class = verdict.as_ref().map_or("none", |(class, _)| *class);
            (class, place(m), place(now.energy))
        });
        Self {
            carrier: t.of("page.carrier", today.carrier.code()),
            measured: t.maybe(today.measured, today.measured.map_or(1, decimals)),
            unit,
            expected,
            verdict,
            bar,
        }
    }
}

/// The month beside its baseline.
pub(crate) struct PaceLine {
    pub(crate) carrier: String,
    /// `−32,1 %`.
    pub(crate) change: String,
    pub(crate) class: &'static str,
    pub(crate) says: String,
}

impl PaceLine {
    pub(crate) fn new(t: &Words, (carrier, pace): &(Carrier, analytics::watch::pace::Pace)) -> Self {
        let unit = printed(carrier.base_unit().display().symbol());
        let ratio = pace.avoided_ratio();
        Self {
            carrier: t.of("page.carrier", carrier.code()),
            change: ratio.map_or_else(|| t.not_available(), |r| t.percent_signed(-r)),
            class: if ratio.is_some_and(|r| r < 0.0) { "up" } else { "down" },
            says: t.fill(
                "page.overview.pace",
                &[
                    ("measured", &t.number(pace.measured, 0)),
                    ("baseline", &t.number(pace.baseline, 0)),
                    ("unit", &unit),
                    ("days", &pace.days.to_string()),
                    ("of", &pace.days_gone.to_string()),
                ],
            ),
        }
    }
}

/// The project's target.
pub(crate) struct TargetLine {
    pub(crate) name: String,
    pub(crate) outlook: &'static str,
    pub(crate) outlook_says: String,
    pub(crate) says: String,
    pub(crate) needed: String,
}

impl TargetLine {
    pub(crate) fn new(t: &Words, target: &TargetPace) -> Self {
        let all = [target.so_far, Some(target.target), target.expected, target.needed.map(Needed::value)];
        let decimals = decimals(&all, (None, None));
        let value = |v: Option<f64>| t.maybe(v, decimals);
        let unit = printed(target.unit);
        Self {
            name: t.get(&target.text).to_owned(),
            outlook: target.outlook.code(),
            outlook_says: t.of("page.outlook", target.outlook.code()),
            says: t.fill(
                "page.overview.target",
                &[
                    ("so_far", &value(target.so_far)),
                    ("until", &t.date(target.counted_to)),
                    ("target", &value(Some(target.target))),
                    ("expected", &value(target.expected)),
                    ("unit", &unit),
                ],
            ),
            needed: target.needed.map_or_else(String::new, |needed| {
                let months = target.months_left.to_string();
                t.fill(
                    &format!("page.overview.{}", needed.code()),
                    &[("needed", &value(Some(needed.value()))), ("unit", &unit), ("months", &months)],
                )
            }),
        }
    }
}

impl BuildingRow {
    fn new(t: &Words, now: &BuildingNow) -> Self {
        let health = now.health.iter().filter(|(_, n)| 0 < *n);
        Self {
            project: now.project.id.to_string(),
            project_title: now.project.title.clone(),
            building: now.building.to_string(),
            name: now.name.clone(),
            power: t.power_kw(now.live.power_w),
            production: t.power_kw(now.live.production_w),
            has_production: now.live.production_w.is_some(),
            today: now.today.iter().map(|today| TodayLine::new(t, today)).collect(),
            pace: now.pace.iter().map(|pace| PaceLine::new(t, pace)).collect(),
            target: now.target.as_ref().map(|target| TargetLine::new(t, target)),
            health: health.map(|(h, n)| (h.code(), t.of("page.health", h.code()), *n)).collect(),
            alarms: now.alarms,
        }
    }
}

/// `GET /buildings`.
pub(crate) async fn page(State(site): State<Arc<Site>>, ask: Ask) -> Response {
    respond(site, ask, render).await
}

fn render(site: &Site, ask: &Ask) -> Result<String, Fault> {
    let t = &ask.words;
    let all = site.buildings(&ask.who);
    let zone = all.first().map_or(chrono_tz::Europe::Rome, |b| b.project.zone);
    let page = OverviewPage {
        t,
        frame: Frame::new(site, ask, t.get("page.overview.title"), "buildings"),
        zone: zone.name().to_owned(),
        buildings: all.iter().map(|now| BuildingRow::new(t, now)).collect(),
    };
    Ok(page.render()?)
}
