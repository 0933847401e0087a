//! The daemon as the pages see it.
//!
//! Must never: block on the disk for long; figures and live values are answered from memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use analytics::result::{MeterMonth, MonthSource};
use analytics::scheme::calendar::State;
use analytics::text::Texts;
use dashboards::backend::{
    Backend, BuildingLive, Duty, Installation, MeterHealth, MeterState, MonthLosses, PortfolioRow,
    ProjectView,
};
use dashboards::calendar::ProjectCalendar;
use dashboards::grants::{GrantsForm, GrantsRefused, GrantsTaken};
use model::{
    BaseUnit, Building, BuildingId, Carrier, Channel, Direction, Finding, Instant, MeterFacts, MeterId,
    MeterRole, Month, Project, ProjectId, Quantity, SeriesKey, Zone,
};
use store::{Tallies, Tally};
use tokio::sync::broadcast;

use crate::duties::Fulfilments;
use crate::runtime::{ProjectFigures, Runtime};
use crate::{duties, grants, reports, stated};

/// A reading is fresh for this many periods.
const FRESH_PERIODS: f64 = 3.0;
/// How far ahead of the daemon's clock a device's clock may be.
const AHEAD_SECONDS_MAX: f64 = 300.0;

/// Lets the pages ask the running daemon.
pub(crate) struct DaemonBackend(pub(crate) Arc<Runtime>);

impl Backend for DaemonBackend {
    fn installation(&self) -> Installation {
        let installation = self.0.installation();
        let settings = &installation.settings.installation;
        Installation {
            id: settings.id.clone(),
            name: settings.name.clone(),
            demo: self.0.demo,
            language: settings.language.clone(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    fn portfolio(&self) -> Vec<PortfolioRow> {
        let (installation, done) = (self.0.installation(), self.0.fulfilments());
        self.0
            .figures()
            .into_iter()
            .map(|figures| {
                let due = self.due(&installation, &done, &figures.project);
                let latest = figures.years.iter().find(|y| y.is_complete()).or(figures.years.first());
                let stated = latest.map(|year| stated::declared_in(&self.0.store, year));
                PortfolioRow {
                    scheme_title: self.scheme_title(&figures.project),
                    latest: latest.map(Arc::clone),
                    stated: stated.unwrap_or_default(),
                    late: due.iter().filter(|duty| duty.state == State::Late).count(),
                    next_due: due.into_iter().find(Duty::is_open),
                    project: figures.project,
                }
            })
            .collect()
    }

    fn project(&self, id: &ProjectId) -> Option<ProjectView> {
        let figures = self.0.project_figures(id)?;
        let installation = self.0.installation();
        let scheme = installation.catalog.scheme(&figures.project.scheme)?;
        Some(ProjectView {
            scheme: Arc::clone(scheme),
            stated: stated::declared(&self.0.store, &figures.years),
            due: self.due(&installation, &self.0.fulfilments(), &figures.project),
            reports: reports::list(&self.0.reports_dir(), id),
            today: self.0.today(),
            years: figures.years,
            forecast: figures.forecast,
            project: figures.project,
        })
    }

    fn meters(&self) -> Vec<MeterState> {
        let projects = self.0.projects();
        let now = self.0.clock.now();
        let installation = self.0.installation();
        let figures = self.0.figures();
        let losses = self.0.losses_since(first_shown(&self.0));
        let (begun, zone) = (self.0.losses_begun(), installation.settings.installation.zone);
        let mut states: Vec<MeterState> = installation
            .meter_places()
            .into_iter()
            .map(|(meter, place)| MeterState {
                building: building_of(&projects, &meter.id),
                last_reading_at: self.0.book.last_reading_at(&meter.id),
                health: health(&self.0, &meter.id, meter.every_s, now),
                values: self
                    .0
                    .book
                    .latest_of_meter(&meter.id)
                    .into_iter()
                    .map(|(channel, latest)| (channel, latest.value, latest.at))
                    .collect(),
                losses: since(losses_of(&losses, &figures, &meter.id), begun.get(&meter.id).copied(), zone),
                every_seconds: meter.every_s,
                model: meter.model.to_string(),
                link: place,
                id: meter.id.clone(),
            })
            .collect();
        states.sort_by(|a, b| a.id.cmp(&b.id));
        states
    }

    fn place_of_meter(&self, meter: &MeterId) -> Option<(ProjectId, BuildingId)> {
        self.0.projects().iter().find_map(|project| {
            let (building, _) = project.meters().find(|(_, facts)| facts.id == *meter)?;
            Some((project.id.clone(), building.id.clone()))
        })
    }

    fn findings(&self) -> Vec<Finding> {
        self.0.open_findings()
    }

    fn live(&self) -> (Vec<BuildingLive>, broadcast::Receiver<Arc<BuildingLive>>) {
        // Subscribing first: a change between the two is then sent twice rather than missed.
        let receiver = self.0.live.subscribe();
        (buildings_live(&self.0), receiver)
    }

    fn report_file(&self, id: &ProjectId, year: i32, name: &str) -> Option<PathBuf> {
        reports::find(&self.0.reports_dir(), id, year, name)
    }

    fn metrics(&self) -> String {
        let installation = self.0.installation();
        let last: Vec<(MeterId, Option<Instant>)> = installation
            .settings
            .meters
            .iter()
            .map(|meter| (meter.id.clone(), self.0.book.last_reading_at(&meter.id)))
            .collect();
        let month = Month::of(self.0.today());
        let mut losses = self.0.losses_since(month);
        // A clock that was set back leaves counts of a month to come.
        losses.retain(|(_, of, _), _| *of == month);
        self.0.metrics.text(self.0.clock.now(), &last, &losses, self.0.store.stats().queue_depth)
    }

    fn texts(&self) -> Vec<Arc<Texts>> {
        let installation = self.0.installation();
        config::catalog::LANGUAGES.map(|language| installation.catalog.texts(language)).to_vec()
    }

    fn now(&self) -> Instant {
        self.0.clock.now()
    }

    fn calendars(&self, project: Option<&ProjectId>) -> Vec<ProjectCalendar> {
        let installation = self.0.installation();
        duties::calendars(&self.0.store, &installation, project, self.0.clock.now()).unwrap_or_else(|error| {
            tracing::error!("the calendar of obligations cannot be made: {error:#}");
            Vec::new()
        })
    }

    fn grants_token(&self) -> Option<String> {
        let installation = self.0.installation();
        let file = installation.settings.sending.grants.token_file.as_ref()?;
        connectors::mail::first_line(file)
            .inspect_err(|error| tracing::error!("the grants system's token cannot be read: {error}"))
            .ok()
    }

    fn take_closed_projects(&self, form: GrantsForm, body: &[u8]) -> Result<GrantsTaken, GrantsRefused> {
        let delivered = grants::read(form, body, self.0.clock.now()).map_err(GrantsRefused::Unusable)?;
        let taken = grants::take(&self.0.store, &delivered.projects, "grants-endpoint", self.0.clock.now());
        let taken = taken.map_err(|error| {
            tracing::error!("a delivery of the grants system could not be kept: {error:#}");
            GrantsRefused::Busy
        })?;
        grants::unknown(&delivered.unknown).into_iter().for_each(|finding| self.0.report(finding));
        let notes = grants::notes(&self.0.installation().catalog, &delivered.unknown);
        Ok(GrantsTaken { notes, ..taken })
    }
}

impl DaemonBackend {
    /// Everything of a project that has a day, in the order of the days: what the page of its duties shows.
    fn due(
        &self,
        installation: &crate::installation::Installation,
        done: &Fulfilments,
        project: &Arc<Project>,
    ) -> Vec<Duty> {
        let calendar = duties::of_project(installation, project, done, self.0.clock.now());
        calendar.iter().flat_map(|c| &c.entries).filter_map(Duty::of).collect()
    }

    fn scheme_title(&self, project: &Project) -> String {
        let installation = self.0.installation();
        let scheme = installation.catalog.scheme(&project.scheme);
        scheme.map_or_else(|| project.scheme.to_string(), |scheme| scheme.title.clone())
    }
}

/// The first month of the loss budget that is shown: with the current one a year and the month a year ago.
fn first_shown(runtime: &Runtime) -> Month {
    let current = Month::of(runtime.today());
    Month { year: current.year - 1, ..current }
}

/// The same with the moment at which counting began, in the month that holds it.
fn since(mut losses: Vec<MonthLosses>, begun: Option<Instant>, zone: Zone) -> Vec<MonthLosses> {
    for line in &mut losses {
        line.since = begun.filter(|at| at.month(zone) == line.month);
    }
    losses
}

/// A meter's loss budget, newest month first.
fn losses_of(losses: &Tallies, figures: &[ProjectFigures], meter: &MeterId) -> Vec<MonthLosses> {
    let mut months: BTreeMap<Month, MonthLosses> = BTreeMap::new();
    let first = (meter.clone(), Month { year: i32::MIN, number: 1 }, Tally::Expected);
    for ((_, month, what), count) in losses.range(first..).take_while(|((of, _, _), _)| of == meter) {
        let line = months.entry(*month).or_insert_with(|| MonthLosses::new(*month));
        *match what {
            Tally::Expected => &mut line.expected,
            Tally::Received => &mut line.received,
            Tally::Late => &mut line.late,
            Tally::Refused => &mut line.refused,
            Tally::Quarantined => &mut line.quarantined,
            Tally::NoValue => &mut line.no_value,
            Tally::Dropped => &mut line.dropped,
        } = *count;
    }
    for line in months.values_mut() {
        line.estimated_ratio = estimated_ratio(figures, meter, line);
    }
    months.into_values().rev().collect()
}

/// The share of a month's quantity that its figures do not take from readings; `None` for a meter or month without
/// figures, and as [`share_of`] says.
fn estimated_ratio(figures: &[ProjectFigures], meter: &MeterId, line: &MonthLosses) -> Option<f64> {
    let years = figures.iter().flat_map(|project| &project.years);
    let of_meter = years.flat_map(|year| &year.meters).filter(|m| m.meter.id == *meter);
    let found = of_meter.flat_map(|m| &m.months).find(|m| m.month == line.month)?;
    (found.source == MonthSource::Meter).then(|| share_of(line, found)).flatten()
}

/// `None` where nothing came and nothing was booked in its place: a share of 0 would read as "nothing missing".
fn share_of(line: &MonthLosses, found: &MeterMonth) -> Option<f64> {
    let none_came = line.received == 0 && 0 < line.expected;
    let nothing = none_came || found.coverage_ratio <= 0.0;
    (!nothing || 0.0 < found.estimated_ratio).then_some(found.estimated_ratio)
}

fn building_of(projects: &[Arc<Project>], meter: &MeterId) -> Option<BuildingId> {
    projects
        .iter()
        .flat_map(|project| project.meters())
        .find(|(_, facts)| facts.id == *meter)
        .map(|(building, _)| building.id.clone())
}

pub(crate) fn health(runtime: &Runtime, meter: &MeterId, every_seconds: u32, now: Instant) -> MeterHealth {
    let allowed_s = runtime.installation().settings.alarms.silence_s(every_seconds);
    match runtime.book.last_reading_at(meter) {
        None => MeterHealth::Silent,
        Some(at) if is_fresh(at, every_seconds, now) => MeterHealth::Fresh,
        Some(at) if allowed_s < now.seconds_since(at) => MeterHealth::Silent,
        Some(_) => MeterHealth::Late,
    }
}

/// Whether a reading is of now. One from the future is not: some clock is wrong.
pub(crate) fn is_fresh(at: Instant, every_seconds: u32, now: Instant) -> bool {
    let age = now.seconds_since(at);
    -AHEAD_SECONDS_MAX <= age && age <= FRESH_PERIODS * f64::from(every_seconds)
}

/// What every building does now, in the order of the projects.
pub(crate) fn buildings_live(runtime: &Runtime) -> Vec<BuildingLive> {
    let now = runtime.clock.now();
    runtime
        .projects()
        .iter()
        .flat_map(|project| {
            let live: Vec<BuildingLive> = project
                .buildings
                .iter()
                .map(|building| building_live(runtime, project, building, now))
                .collect();
            live
        })
        .collect()
}

fn building_live(runtime: &Runtime, project: &Project, building: &Building, now: Instant) -> BuildingLive {
    let counted = || building.meters.iter().filter(|meter| meter.role != MeterRole::Sub);
    let day = now.day(project.zone);
    BuildingLive {
        project: project.id.clone(),
        building: building.id.clone(),
        name: building.name.clone(),
        power_w: power(runtime, counted().filter(|m| is_grid_import(m)), now),
        production_w: power(runtime, counted().filter(|m| m.direction == Direction::Production), now),
        today: counted()
            .filter(|meter| meter.direction == Direction::Import)
            .filter_map(|meter| energy_today(runtime, meter, day))
            .collect(),
        meters: meter_powers(runtime, building, now),
        at: now,
    }
}

/// Power of each meter of electricity that this installation reads; `None` without a fresh value.
fn meter_powers(runtime: &Runtime, building: &Building, now: Instant) -> Vec<(MeterId, Option<f64>)> {
    let installation = runtime.installation();
    let channel = Channel::total(Quantity::ActivePower);
    let of = |meter: &MeterFacts| {
        let set = installation.settings.meter(&meter.id)?;
        let is_electric =
            meter.carrier.base_unit() == BaseUnit::WattHour && meter.direction != Direction::Export;
        let latest = runtime.book.latest(&meter.id, channel);
        let fresh = latest.filter(|latest| is_fresh(latest.at, set.every_s, now));
        is_electric.then(|| (meter.id.clone(), fresh.map(|latest| latest.value)))
    };
    building.meters.iter().filter_map(of).collect()
}

fn is_grid_import(meter: &MeterFacts) -> bool {
    meter.carrier == Carrier::GridElectricity && meter.direction == Direction::Import
}

/// The sum of the meters' power; `None` when there is none or one of them has no fresh value, since a part
/// would look like less.
fn power<'m>(runtime: &Runtime, meters: impl Iterator<Item = &'m MeterFacts>, now: Instant) -> Option<f64> {
    let channel = Channel::total(Quantity::ActivePower);
    let mut sum = None;
    for meter in meters {
        if runtime.installation().settings.meter(&meter.id).is_none() {
            continue;
        }
        let latest = runtime.book.latest(&meter.id, channel)?;
        if !is_fresh(latest.at, runtime.every_seconds(&meter.id), now) {
            return None;
        }
        sum = Some(sum.unwrap_or(0.0) + latest.value);
    }
    sum
}

/// The meter's name, energy since midnight in the carrier's display unit, and that unit's symbol; `None` for a
/// meter that is not read live.
fn energy_today(
    runtime: &Runtime,
    meter: &MeterFacts,
    day: chrono::NaiveDate,
) -> Option<(String, Option<f64>, &'static str)> {
    runtime.installation().settings.meter(&meter.id)?;
    let key = SeriesKey { meter: meter.id.clone(), channel: meter.total_channel() };
    let amount = runtime.book.energy_of_day(&key, day);
    let unit = meter.carrier.base_unit();
    Some((meter.name.clone(), amount.map(|a| unit.to_display(a)), unit.display().symbol()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARCH: Month = Month { year: 2026, number: 3 };

    fn month(coverage_ratio: f64, estimated_ratio: f64) -> MeterMonth {
        MeterMonth {
            month: MARCH,
            source: MonthSource::Meter,
            reporting: true,
            measured: Some(0.0),
            measured_low: Some(0.0),
            measured_high: None,
            coverage_ratio,
            estimated_ratio,
            heating_degree_days: None,
            cooling_degree_days: None,
            temperature_days: 0,
            filled_days: 0,
            unadjusted_days: 0,
            adjustment: 0.0,
            drivers: Vec::new(),
            adjusted_baseline: None,
            avoided: None,
        }
    }

    #[test]
    fn a_month_of_which_nothing_came_has_no_share_of_nothing() {
        let line = |expected, received| MonthLosses { expected, received, ..MonthLosses::new(MARCH) };
        assert_eq!(share_of(&line(77, 0), &month(0.0, 0.0)), None);
        assert_eq!(share_of(&line(77, 0), &month(0.4, 0.0)), None, "what was there before the outage");
        assert_eq!(share_of(&line(77, 0), &month(0.0, 1.0)), Some(1.0), "booked from the totals around it");
        assert_eq!(share_of(&line(77, 70), &month(0.9, 0.0)), Some(0.0));
        assert_eq!(share_of(&line(0, 0), &month(1.0, 0.0)), Some(0.0), "a history that nobody expected");
    }
}
