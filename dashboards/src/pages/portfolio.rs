//! `/`: every project with its KPI and what is due, every building as it is now.
//!
//! Must never: hide a project that has no figures.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use chrono_tz::Europe::Rome;
use model::{Instant, ProjectId, Zone};

use super::kpi::{self, KpiLine};
use super::words::{Due, printed};
use super::{Ask, Fault, Frame, Site, Words, respond};
use crate::backend::{BuildingLive, PortfolioRow};

#[derive(Template)]
#[template(path = "portfolio.html")]
struct PortfolioPage<'a> {
    t: &'a Words,
    frame: Frame,
    buildings: Vec<LiveCard>,
    projects: Vec<ProjectCard>,
}

/// A building now. Also on the project's page.
pub(crate) struct LiveCard {
    pub(crate) project: String,
    pub(crate) project_title: String,
    pub(crate) building: String,
    pub(crate) name: String,
    /// In kW.
    pub(crate) power: String,
    pub(crate) production: String,
    pub(crate) has_production: bool,
    /// Name, value, unit.
    pub(crate) today: Vec<(String, String, String)>,
    pub(crate) at: String,
    pub(crate) at_iso: String,
}

impl LiveCard {
    pub(crate) fn new(t: &Words, live: &BuildingLive, project_title: &str, zone: Zone) -> Self {
        let today = live.today.iter().map(|(name, value, unit)| {
            let unit = value.map_or_else(String::new, |_| printed(unit));
            (name.clone(), t.maybe(*value, 1), unit)
        });
        Self {
            project: live.project.to_string(),
            project_title: project_title.to_owned(),
            building: live.building.to_string(),
            name: live.name.clone(),
            power: t.power_kw(live.power_w),
            production: t.power_kw(live.production_w),
            has_production: live.production_w.is_some(),
            today: today.collect(),
            at: t.date_time(live.at, zone),
            at_iso: live.at.to_string(),
        }
    }
}

struct ProjectCard {
    id: String,
    title: String,
    cup: String,
    beneficiary: String,
    scheme: String,
    due: Option<Due>,
    /// How many are late, where it is more than the one shown.
    late: String,
    year: Option<YearCard>,
}

struct YearCard {
    year: i32,
    complete: bool,
    until: String,
    kpis: Vec<KpiLine>,
    coverage: String,
}

impl ProjectCard {
    fn new(t: &Words, row: &PortfolioRow, now: Instant) -> Self {
        let project = &row.project;
        let year = row.latest.as_deref().map(|year| YearCard {
            year: year.year,
            complete: year.is_complete(),
            until: t.date(year.until),
            kpis: kpi::lines(t, year, &row.stated),
            coverage: t.percent(kpi::worst_coverage(year)),
        });
        Self {
            id: project.id.to_string(),
            title: project.title.clone(),
            cup: project.cup.clone(),
            beneficiary: project.beneficiary.name.clone(),
            scheme: row.scheme_title.clone(),
            due: row.next_due.as_ref().map(|due| t.due(due, now.day(project.zone))),
            late: match row.late {
                0 | 1 => String::new(),
                n => t.fill("page.due.late", &[("n", &t.number(n as f64, 0))]),
            },
            year,
        }
    }
}

/// `GET /`.
pub(crate) async fn page(State(site): State<Arc<Site>>, ask: Ask) -> Response {
    respond(site, ask, render).await
}

fn render(site: &Site, ask: &Ask) -> Result<String, Fault> {
    let t = &ask.words;
    let rows = site.portfolio(&ask.who);
    let now = site.backend.now();
    let of = |id: &ProjectId| rows.iter().find(|row| row.project.id == *id).map(|row| &row.project);
    let (live, _) = site.live(&ask.who);
    let buildings = live.iter().map(|building| {
        let project = of(&building.project);
        let (title, zone) = project.map_or(("", Rome), |p| (p.title.as_str(), p.zone));
        LiveCard::new(t, building, title, zone)
    });
    let page = PortfolioPage {
        t,
        frame: Frame::new(site, ask, t.get("page.portfolio.title"), "portfolio"),
        buildings: buildings.collect(),
        projects: rows.iter().map(|row| ProjectCard::new(t, row, now)).collect(),
    };
    Ok(page.render()?)
}
