//! `consuntivo system-report`: writes the report on the monitoring system, sent with the first annual report.
//!
//! Must never: depend on the time of day for a given day: same input, same bytes.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use model::Project;

use crate::documents::Dress;
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{SystemReportArgs, clock, commissioning, figures, holds, reports};

pub(crate) fn system_report(args: &SystemReportArgs) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config.config)?;
    let store = installation.open_shared_store()?;
    let project = figures::project(&store, &installation.catalog, &args.project)?;
    let today = clock::now().day(project.zone);
    let until = args.until.unwrap_or(today).min(today);
    let facts = commissioning::facts(&store, &installation, &project, until)?;
    let language = args.language.as_deref().unwrap_or(&installation.settings.installation.language);
    let dress = Dress::of(&installation, language);
    let file = dashboards::system_report(&facts, &dress.press()).map_err(anyhow::Error::from)?;
    let listed = || folder(&installation.settings.reports.dir, &project, today);
    let out = args.out.clone().unwrap_or_else(listed);
    let name = format!("system report {}", project.id);
    holds::hold(&store, &installation, &project, None, (&name, clock::now()))?;
    for path in reports::write_all(&out, &[file])? {
        println!("{}", path.display());
    }
    Ok(Exit::OK)
}

/// With the reports of the project's first year, where it has one.
pub(crate) fn folder(dir: &Path, project: &Project, today: NaiveDate) -> PathBuf {
    let year = figures::years(project, today).last().copied();
    year.map_or_else(|| dir.join(project.id.as_str()), |year| reports::folder(dir, &project.id, year))
}
