//! The region's table, made of the figures at hand and the calendar; kept until one of them changes.
//!
//! Must never: show figures that the pages of the project do not show.

use std::collections::BTreeSet;
use std::sync::Arc;

use analytics::region::{Case, CaseDuty};
use analytics::result::ProjectYear;
use analytics::scheme::calendar::{Entry, State};
use chrono::NaiveDate;
use dashboards::calendar::ProjectCalendar;
use dashboards::desk::{Pending, Region};
use model::Project;

use crate::duties;
use crate::grants;
use crate::orders::yearly;
use crate::runtime::{Runtime, lock};
use crate::stated;

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
    let done = runtime.fulfilments();
    let now = runtime.clock.now();
    let mut cases = Vec::with_capacity(years.len());
    let mut pending = unregistered(runtime, &figures.iter().map(|f| f.project.cup.as_str()).collect())?;
    for project in &figures {
        let calendar = duties::of_project(&installation, &project.project, &done, now);
        let known: Vec<i32> = project.years.iter().map(|year| year.year).collect();
        let entries = calendar.as_ref().map_or(&[][..], |c| &c.entries);
        let today = calendar.as_ref().map_or(day, |c| c.today);
        for year in &project.years {
            let report = yearly(&year.scheme, entries, year.year);
            let duty = shown(report, entries, year.year, &known).map(|entry| case_duty(entry, today));
            cases.push(Case::new(year, duty, &stated::declared_in(&runtime.store, year)));
        }
        if known.is_empty() {
            pending.push(without_figures(&project.project, calendar.as_ref(), today));
        }
    }
    pending.sort_by(|a, b| (a.ended, &a.cup).cmp(&(b.ended, &b.cup)));
    let region = Arc::new(Region { day, cases, pending });
    *lock(&runtime.region) = Some(Made { stamp, day, years, region: Arc::clone(&region) });
    Ok(region)
}

fn case_duty(entry: &Entry, today: NaiveDate) -> CaseDuty {
    CaseDuty {
        obligation: entry.obligation.clone(),
        text: entry.text.clone(),
        due: entry.due,
        days_left: entry.days_left(today),
        state: entry.state,
        sent: entry.sent,
    }
}

/// A registered project that has no line of a year; with it stands the first of what is late, or else is next.
fn without_figures(project: &Project, calendar: Option<&ProjectCalendar>, today: NaiveDate) -> Pending {
    let entries = calendar.map_or(&[][..], |c| &c.entries);
    let duty = shown(None, entries, i32::MAX, &[i32::MAX]);
    Pending {
        project: Some(project.id.clone()),
        title: project.title.clone(),
        cup: project.cup.clone(),
        beneficiary: project.beneficiary.name.clone(),
        scheme: calendar.map_or_else(|| project.scheme.to_string(), |c| c.scheme_title.clone()),
        ended: project.dates.completed,
        duty: duty.map(|entry| case_duty(entry, today)),
    }
}

/// Closed projects that the grants system delivered and no project file takes up by its CUP.
fn unregistered(runtime: &Runtime, cups: &BTreeSet<&str>) -> anyhow::Result<Vec<Pending>> {
    let installation = runtime.installation();
    let today = runtime.clock.now().day(installation.settings.installation.zone);
    let pending = grants::unregistered(&runtime.store, cups)?.into_iter().map(|closed| {
        let scheme = grants::scheme_of(&installation.catalog, &closed.call);
        let entries = scheme.map(|scheme| grants::calendar_of_closed(scheme, &closed, today));
        let duty = shown(None, entries.as_deref().unwrap_or_default(), i32::MAX, &[i32::MAX]);
        Pending {
            project: None,
            duty: duty.filter(|entry| entry.due.is_some()).map(|entry| case_duty(entry, today)),
            title: closed.title,
            cup: closed.cup,
            beneficiary: closed.beneficiary,
            scheme: closed.call,
            ended: closed.expenses_closed.0,
        }
    });
    Ok(pending.collect())
}

/// What the line of a year says is to be sent: the report on its figures, unless something else of that year is late and
/// it is not. What has no year of its own, or one without figures, stands with the newest year, so that nothing late is
/// without a line.
fn shown<'e>(report: Option<&'e Entry>, entries: &'e [Entry], year: i32, known: &[i32]) -> Option<&'e Entry> {
    let newest = known.iter().max() == Some(&year);
    let own = |entry: &&Entry| match entry.year {
        Some(of) if known.contains(&of) => of == year,
        Some(_) | None => newest,
    };
    let late = entries.iter().filter(own).find(|entry| entry.state == State::Late);
    let open = || entries.iter().filter(own).find(|e| matches!(e.state, State::Due | State::Upcoming));
    match report {
        Some(report) if report.state == State::Late || late.is_none() => Some(report),
        Some(_) | None => late.or_else(open),
    }
}

#[cfg(test)]
mod tests {
    use analytics::scheme::Signer;

    use super::*;

    fn entry(obligation: &str, year: Option<i32>, state: State) -> Entry {
        Entry {
            obligation: obligation.to_owned(),
            text: String::new(),
            year,
            opens: None,
            due: NaiveDate::from_ymd_opt(2026, 3, 31),
            needs: Vec::new(),
            state,
            sent: None,
            integration_asked: false,
            signer: Signer::DataEntry,
            channel: String::new(),
            citation: String::new(),
        }
    }

    #[test]
    fn nothing_that_is_late_is_without_a_line() {
        let entries = [
            entry("expenses", None, State::Late),
            entry("report", Some(2025), State::Sent),
            entry("report", Some(2026), State::Upcoming),
            entry("update", Some(2024), State::Late),
        ];
        let of = |year: i32, known: &[i32]| {
            let report = entries.iter().find(|e| e.obligation == "report" && e.year == Some(year));
            shown(report, &entries, year, known).map(|e| e.obligation.as_str())
        };
        assert_eq!(of(2025, &[2025, 2026]), Some("report"));
        assert_eq!(of(2026, &[2025, 2026]), Some("expenses"), "late, and of no year");
        assert_eq!(of(2024, &[2024, 2025]), Some("update"));
        // A call without yearly reports has a line for what is late as well.
        assert_eq!(of(2027, &[2027]), Some("expenses"));
    }
}
