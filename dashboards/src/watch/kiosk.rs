//! `/kiosk/{project}/{building}`: the display for those who use a building. Public only where the settings say so.
//!
//! Must never: show a name of a person, a finding, or anything of another building.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use model::{BuildingId, ProjectId};

use super::overview::{PaceLine, TodayLine};
use crate::pages::{Ask, Fault, Frame, Site, Words, respond};

#[derive(Template)]
#[template(path = "kiosk.html")]
struct KioskPage<'a> {
    t: &'a Words,
    frame: Frame,
    project: String,
    building: String,
    zone: String,
    name: String,
    when: String,
    power: String,
    production: String,
    has_production: bool,
    today: Vec<TodayLine>,
    pace: Vec<PaceLine>,
}

/// The ids of an address, if everyone may see that display.
pub(crate) fn public(site: &Site, project: &str, building: &str) -> Result<(ProjectId, BuildingId), Fault> {
    let ids = ProjectId::new(project).ok().zip(BuildingId::new(building).ok());
    let shown = ids.filter(|(project, building)| site.backend.is_public(project, building));
    shown.ok_or_else(|| Fault::NoPage(format!("/kiosk/{project}/{building}")))
}

/// `GET /kiosk/{project}/{building}`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Path((project, building)): Path<(String, String)>,
    ask: Ask,
) -> Response {
    respond(site, ask, move |site, ask| render(site, ask, &project, &building)).await
}

fn render(site: &Site, ask: &Ask, project: &str, building: &str) -> Result<String, Fault> {
    let (project, building) = public(site, project, building)?;
    let all = site.backend.buildings();
    let found = all.iter().find(|b| b.project.id == project && b.building == building);
    let now = found.ok_or_else(|| Fault::NoPage(format!("/kiosk/{project}/{building}")))?;
    let t = &ask.words;
    let page = KioskPage {
        t,
        frame: Frame::new(site, ask, now.name.clone(), ""),
        project: project.to_string(),
        building: building.to_string(),
        zone: now.project.zone.name().to_owned(),
        name: now.name.clone(),
        when: t.date_time(now.live.at, now.project.zone),
        power: t.maybe(now.live.power_w.map(|w| w / 1000.0), 1),
        production: t.maybe(now.live.production_w.map(|w| w / 1000.0), 1),
        has_production: now.live.production_w.is_some(),
        today: now.today.iter().map(|today| TodayLine::new(t, today)).collect(),
        pace: now.pace.iter().map(|pace| PaceLine::new(t, pace)).collect(),
    };
    Ok(page.render()?)
}
