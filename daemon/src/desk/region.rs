//! The region's table, made of the figures at hand and the calendar; kept until one of them changes.
//!
//! Must never: show figures that the pages of the project do not show.

use std::sync::Arc;

use analytics::region::{Case, CaseDuty};
use analytics::result::ProjectYear;
use chrono::NaiveDate;
use dashboards::desk::Region;

use crate::duties::{self, Fulfilments};
use crate::orders::yearly;
use crate::runtime::{Runtime, lock};

/// A table with what it was made of.
pub(crate) struct Made {
    stamp: u64,
    day: NaiveDate,
    /// Held, so that the same place in memory means the same figures.
    years: Vec<Arc<ProjectYear>>,
    region: Arc<Region>,
}

pub(super) fn of(runtime: &Runtime) -> anyhow::Result<Arc<Region>> {
    // Before anything is read: what changes meanwhile makes the next table.
    let stamp = runtime.store.change_stamp()?;
    let (day, figures) = (runtime.today(), runtime.figures());
    let years: Vec<Arc<ProjectYear>> = figures.iter().flat_map(|f| f.years.iter().map(Arc::clone)).collect();
    if let Some(made) = lock(&runtime.region).as_ref()
        && (made.stamp, made.day) == (stamp, day)
        && made.years.len() == years.len()
        && made.years.iter().zip(&years).all(|(a, b)| Arc::ptr_eq(a, b))
    {
        return Ok(Arc::clone(&made.region));
    }
    let installation = runtime.installation();
    let done = Fulfilments::read(&runtime.store)?;
    let now = runtime.clock.now();
    let mut cases = Vec::with_capacity(years.len());
    for project in &figures {
        let calendar = duties::of_project(&installation, &project.project, &done, now);
        for year in &project.years {
            let entries = calendar.as_ref().map_or(&[][..], |c| &c.entries);
            let today = calendar.as_ref().map_or(day, |c| c.today);
            let duty = yearly(&year.scheme, entries, year.year).map(|entry| CaseDuty {
                obligation: entry.obligation.clone(),
                text: entry.text.clone(),
                due: entry.due,
                days_left: entry.days_left(today),
                state: entry.state,
                sent: entry.sent,
            });
            cases.push(Case::new(year, duty));
        }
    }
    let region = Arc::new(Region { day, cases });
    *lock(&runtime.region) = Some(Made { stamp, day, years, region: Arc::clone(&region) });
    Ok(region)
}
