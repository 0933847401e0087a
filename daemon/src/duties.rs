//! The calendar of obligations, put together from schemes, projects, submissions and what people recorded.
//!
//! Must never: decide a day or a state; that is `analytics`.

use std::sync::Arc;

use analytics::scheme::Scheme;
use analytics::scheme::calendar::{Fulfilment, Progress, calendar, kept};
use chrono::NaiveDate;
use dashboards::calendar::ProjectCalendar;
use model::{Instant, Project, ProjectId};
use store::Store;

use crate::figures;
use crate::installation::Installation;
use crate::records;
use crate::submissions;

/// The calendars of every project, or of one; what cannot be read is left out with a finding elsewhere.
pub(crate) fn calendars(
    store: &Store,
    installation: &Installation,
    only: Option<&ProjectId>,
    now: Instant,
) -> anyhow::Result<Vec<ProjectCalendar>> {
    let (projects, _) = figures::projects(store, &installation.catalog)?;
    let done = Fulfilments::read(store)?;
    let wanted = projects.iter().filter(|project| only.is_none_or(|id| project.id == *id));
    Ok(wanted.filter_map(|project| of_project(installation, project, &done, now)).collect())
}

/// The calendar of one project; `None` when the catalogue has lost its scheme.
pub(crate) fn of_project(
    installation: &Installation,
    project: &Arc<Project>,
    done: &Fulfilments,
    now: Instant,
) -> Option<ProjectCalendar> {
    let scheme: &Scheme = installation.catalog.scheme(&project.scheme)?;
    let today: NaiveDate = now.day(project.zone);
    Some(ProjectCalendar {
        project: Arc::clone(project),
        scheme_title: scheme.title.clone(),
        today,
        entries: calendar(scheme, project, today, &done.of(project)),
        kept: kept(scheme, project),
    })
}

/// Everything that is on record as fulfilled.
#[derive(Debug, Default)]
pub(crate) struct Fulfilments {
    done: Vec<records::Done>,
    submissions: Vec<submissions::Submission>,
}

impl Fulfilments {
    pub(crate) fn read(store: &Store) -> anyhow::Result<Self> {
        Ok(Self { done: records::all_done(store)?, submissions: submissions::newest(store)? })
    }

    fn of(&self, project: &Project) -> Vec<Fulfilment> {
        let mut all: Vec<Fulfilment> = self
            .done
            .iter()
            .filter(|done| done.project == project.id.as_str())
            .filter_map(|done| {
                Some(Fulfilment {
                    obligation: done.obligation.clone(),
                    year: done.year,
                    sent: done.on?.0,
                    progress: Progress::Sent,
                })
            })
            .collect();
        for submission in self.submissions.iter().filter(|s| s.project == project.id.as_str()) {
            let (Some(progress), Some(sent)) = (submission.progress(), submission.sent_at()) else {
                continue;
            };
            all.push(Fulfilment {
                obligation: submission.obligation.clone(),
                year: submission.year,
                sent: sent.day(project.zone),
                progress,
            });
        }
        all
    }
}
