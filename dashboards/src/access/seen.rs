//! What of the daemon's lists a reader is shown: every list of projects, buildings and meters is asked for here.
//!
//! Must never: let a list through that was not looked over; a page that asks the backend itself shows too much.

use std::sync::Arc;

use model::{BuildingId, MeterId, ProjectId};
use tokio::sync::broadcast;

use super::role::Right;
use super::who::Who;
use crate::backend::{BuildingLive, MeterState, PortfolioRow};
use crate::calendar::ProjectCalendar;
use crate::pages::Site;
use crate::watch::{AlarmView, BuildingNow};

impl Site {
    pub(crate) fn portfolio(&self, who: &Who) -> Vec<PortfolioRow> {
        let mut rows = self.backend.portfolio();
        rows.retain(|row| who.sees(&row.project.id));
        rows
    }

    pub(crate) fn meters(&self, who: &Who) -> Vec<MeterState> {
        let mut meters = self.backend.meters();
        if !who.may_everywhere(Right::SeeProject) {
            meters.retain(|meter| self.sees_meter(who, &meter.id));
        }
        meters
    }

    /// Changes of buildings that are not shown come as well: look at each with [`Who::sees_building`].
    pub(crate) fn live(&self, who: &Who) -> (Vec<BuildingLive>, broadcast::Receiver<Arc<BuildingLive>>) {
        let (mut buildings, updates) = self.backend.live();
        buildings.retain(|live| who.sees_building(&live.project, &live.building));
        (buildings, updates)
    }

    pub(crate) fn calendars(&self, who: &Who, project: Option<&ProjectId>) -> Vec<ProjectCalendar> {
        let mut calendars = self.backend.calendars(project);
        calendars.retain(|calendar| who.sees(&calendar.project.id));
        calendars
    }

    pub(crate) fn buildings(&self, who: &Who) -> Vec<BuildingNow> {
        let mut buildings = self.backend.buildings();
        buildings.retain(|now| who.sees_building(&now.project.id, &now.building));
        buildings
    }

    pub(crate) fn alarms(&self, who: &Who) -> Vec<AlarmView> {
        let mut alarms = self.backend.alarms();
        alarms.retain(|alarm| self.may_about(who, Right::SeeProject, &alarm.subject));
        alarms
    }

    /// Alarms that nobody has acknowledged: their number is told to those who see the installation.
    pub(crate) fn alarms_open(&self, who: &Who) -> usize {
        if who.may_everywhere(Right::SeeInstallation) { self.backend.alarms_open() } else { 0 }
    }

    /// Whether a right reaches what an alarm is about; links and what is not known belong to the whole installation.
    pub(crate) fn may_about(&self, who: &Who, right: Right, subject: &str) -> bool {
        let inside = match subject.split_once(':') {
            Some(("meter", id)) => {
                let place = MeterId::new(id).ok().and_then(|id| self.backend.place_of_meter(&id));
                place.map(|(project, building)| who.may_in(right, &project, &building))
            }
            Some(("building", place)) => {
                let place = place.split_once(' ').map_or(place, |(place, _)| place);
                let ids = place.split_once('/').and_then(|(project, building)| {
                    Some((ProjectId::new(project).ok()?, BuildingId::new(building).ok()?))
                });
                ids.map(|(project, building)| who.may_in(right, &project, &building))
            }
            Some(("project", name)) => {
                let id = name.split_once(' ').map_or(name, |(id, _)| id);
                ProjectId::new(id).ok().map(|project| who.may(right, Some(&project)))
            }
            Some(_) | None => None,
        };
        inside.unwrap_or_else(|| who.may_everywhere(right))
    }

    fn sees_meter(&self, who: &Who, meter: &MeterId) -> bool {
        let place = self.backend.place_of_meter(meter);
        place.is_some_and(|(project, building)| who.sees_building(&project, &building))
    }
}
