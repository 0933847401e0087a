//! `consuntivo system-report`: writes the report on the monitoring system, sent with the first annual report.
//!
//! Must never: depend on the time of day for a given day: same input, same bytes.

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
    let texts = installation.catalog.texts(language);
    let file = dashboards::system_report(&facts, &texts).map_err(anyhow::Error::from)?;
    let year = figures::years(&project, today).last().copied();
    let listed = || {
        let dir = &installation.settings.reports.dir;
        year.map_or_else(|| dir.join(project.id.as_str()), |year| reports::folder(dir, &project.id, year))
    };
    let out = args.out.clone().unwrap_or_else(listed);
    let name = format!("system report {}", project.id);
    holds::hold(&store, &installation, &project, None, (&name, clock::now()))?;
    for path in reports::write_all(&out, &[file])? {
        println!("{}", path.display());
    }
    Ok(Exit::OK)
}
