//! What of the daemon's lists a reader is shown: every list of projects, buildings and meters is asked for here.
//!
//! Must never: let a list through that was not looked over; a page that asks the backend itself shows too much.

use std::sync::Arc;

use model::{MeterId, ProjectId};
use tokio::sync::broadcast;

use super::role::Right;
use super::who::Who;
use crate::backend::{BuildingLive, MeterState, PortfolioRow};
use crate::calendar::ProjectCalendar;
use crate::pages::Site;

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

    fn sees_meter(&self, who: &Who, meter: &MeterId) -> bool {
        let place = self.backend.place_of_meter(meter);
        place.is_some_and(|(project, building)| who.sees_building(&project, &building))
    }
}
