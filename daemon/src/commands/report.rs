//! `consuntivo report`: writes the annual monitoring report and the structured monthly file.
//!
//! Must never: depend on the time of day for a complete year: same input, same bytes.

use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{ReportArgs, clock, figures, holds, reports};

pub(crate) fn report(args: &ReportArgs) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config.config)?;
    let store = installation.open_shared_store()?;
    let catalog = &installation.catalog;
    let project = figures::project(&store, catalog, &args.project)?;
    let today = clock::now().day(project.zone);
    let years = figures::years(&project, today);
    if !years.contains(&args.year) {
        return Err(Failure::bad_input(format!(
            "project {} has no reporting period in {}: it was completed on {}, and today is {today}",
            project.id, args.year, project.dates.completed
        )));
    }
    let until = figures::until(args.year, args.until.unwrap_or(today));
    let year = figures::project_year(&store, &installation, &project, args.year, until)?;
    let language = args.language.as_deref().unwrap_or(&installation.settings.installation.language);
    let files = dashboards::annual_report(&year, &catalog.texts(language)).map_err(anyhow::Error::from)?;
    let listed = || reports::folder(&installation.settings.reports.dir, &project.id, args.year);
    let out = args.out.clone().unwrap_or_else(listed);
    let name = format!("report {} {}", project.id, args.year);
    holds::hold(&store, &installation, &project, Some(args.year), (&name, clock::now()))?;
    for path in reports::write_all(&out, &files)? {
        println!("{}", path.display());
    }
    for finding in &year.findings {
        eprintln!("{finding}");
    }
    Ok(Exit::OK)
}
