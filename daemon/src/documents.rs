//! The documents of a project: which ones its scheme asks for, gathered, set and named.
//!
//! Must never: compute a figure, or make a document that the scheme does not name unless it is asked for.

use std::sync::Arc;

use analytics::report::edition::Edition;
use analytics::scheme::{ReportKind, Scheme};
use chrono::{Datelike, NaiveDate};
use dashboards::{Press, RenderedFile, Template, annual_report, campaign_report, indicator_sheet};
use model::{Event, Project};
use store::Store;

use crate::exit::Failure;
use crate::figures::{self, Figures};
use crate::installation::Installation;

/// Longest campaign that is gathered, in calendar years.
const CAMPAIGN_YEARS_MAX: i32 = 4;

/// The documents of a year that a scheme asks for: a campaign's report for a scheme that funds campaigns, else the
/// annual report, and the sheet of indicators where the scheme names one.
pub(crate) fn wanted(scheme: &Scheme) -> Vec<ReportKind> {
    if scheme.is_campaign() {
        return vec![ReportKind::Campaign];
    }
    let mut kinds = vec![ReportKind::Annual];
    kinds.extend(scheme.asks_for(ReportKind::Indicators).then_some(ReportKind::Indicators));
    kinds
}

/// The words and the template that documents of this installation are set with, and what a correction replaces.
pub(crate) struct Dress {
    texts: Arc<analytics::text::Texts>,
    template: Arc<Template>,
    edition: Option<Edition>,
}

impl Dress {
    pub(crate) fn of(installation: &Installation, language: &str) -> Self {
        Self {
            texts: installation.catalog.texts(language),
            template: Arc::clone(&installation.template),
            edition: None,
        }
    }

    /// The same for documents of this edition.
    pub(crate) fn for_edition(self, edition: Option<Edition>) -> Self {
        Self { edition, ..self }
    }

    pub(crate) fn press(&self) -> Press<'_> {
        Press { texts: &self.texts, template: &self.template, edition: self.edition.as_ref() }
    }
}

/// The calendar year that holds the last counted day of a campaign before `until`: the pages list its documents there.
pub(crate) fn last_year(project: &Project, until: NaiveDate) -> i32 {
    let counted = until.pred_opt().unwrap_or(until);
    project.events().get(&Event::TermTo).map_or(counted, |last| counted.min(*last)).year()
}

/// The files of the asked documents about one year.
pub(crate) fn of_year(
    figures: &Figures,
    kinds: &[ReportKind],
    dress: &Dress,
) -> anyhow::Result<Vec<RenderedFile>> {
    let press = dress.press();
    let mut files = Vec::new();
    for kind in kinds {
        match kind {
            ReportKind::Annual => files.extend(annual_report(&figures.year, &figures.beside, &press)?),
            ReportKind::Indicators => files.push(indicator_sheet(&figures.year, &figures.beside, &press)?),
            // Of the installation and of a campaign's whole time, not of a year.
            ReportKind::System | ReportKind::Campaign => {}
        }
    }
    Ok(files)
}

/// The final report of a project's measurement campaign, whose first and last day the project file states, and the
/// structured file of each calendar year that it touches.
pub(crate) fn of_campaign(
    store: &Store,
    installation: &Installation,
    project: &Arc<Project>,
    today: NaiveDate,
    dress: &Dress,
) -> Result<Vec<RenderedFile>, Failure> {
    let events = project.events();
    let (Some(from), Some(last)) = (events.get(&Event::TermFrom), events.get(&Event::TermTo)) else {
        return Err(Failure::bad_input(format!(
            "project {} states no first and last day of its campaign; add term_from and term_to under [grant.dates] of its file",
            project.id
        )));
    };
    let to = last.succ_opt().unwrap_or(*last);
    let (first_year, last_year) = (from.year(), last.year());
    if to <= *from || today <= *from || CAMPAIGN_YEARS_MAX <= last_year - first_year {
        return Err(Failure::bad_input(format!(
            "the campaign of project {} from {from} to {last} has not begun, ends before it begins, or is longer than \
             {CAMPAIGN_YEARS_MAX} years; mend term_from and term_to in its file",
            project.id
        )));
    }
    let campaign = figures::of_campaign(store, installation, project, (*from, to), today)?;
    Ok(campaign_report(&campaign, &dress.press()).map_err(anyhow::Error::from)?)
}
