//! `consuntivo report`: writes the documents that a project's scheme asks for, and the structured monthly file.
//!
//! Must never: depend on the time of day for a complete year: same input, same bytes.

use analytics::scheme::ReportKind;
use anyhow::Context;

use crate::documents::{self, Dress};
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{ReportArgs, clock, commands, commissioning, figures, holds, reports};

pub(crate) fn report(args: &ReportArgs) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config.config)?;
    let store = installation.open_shared_store()?;
    let catalog = &installation.catalog;
    let project = figures::project(&store, catalog, &args.project)?;
    let today = clock::now().day(project.zone);
    let scheme = catalog.scheme(&project.scheme).context("the project's scheme is not in the catalogue")?;
    let kinds = args.document.map_or_else(|| documents::wanted(scheme), |kind| vec![kind]);
    let language = args.language.as_deref().unwrap_or(&installation.settings.installation.language);
    let dress = Dress::of(&installation, language);
    let dir = &installation.settings.reports.dir;
    let until = args.until.unwrap_or(today).min(today);
    let mut files = Vec::new();
    let mut listed = dir.join(project.id.as_str());
    if kinds.contains(&ReportKind::Campaign) {
        files.extend(documents::of_campaign(&store, &installation, &project, until, &dress)?);
        listed = reports::folder(dir, &project.id, documents::last_year(&project, until));
    }
    if kinds.contains(&ReportKind::System) {
        let facts = commissioning::facts(&store, &installation, &project, until)?;
        files.push(dashboards::system_report(&facts, &dress.press()).map_err(anyhow::Error::from)?);
        listed = commands::system_report::folder(dir, &project, today);
    }
    let mut findings = Vec::new();
    if kinds.iter().any(|k| matches!(k, ReportKind::Annual | ReportKind::Indicators)) {
        let number = args.year.ok_or_else(|| {
            Failure::bad_input("the document is about one year; name it with --year YYYY".to_owned())
        })?;
        if !figures::years(&project, today).contains(&number) {
            return Err(Failure::bad_input(format!(
                "project {} has no reporting period in {number}: it was completed on {}, and today is {today}",
                project.id, project.dates.completed
            )));
        }
        let until = figures::until(number, until);
        let gathered = figures::with_beside(&store, &installation, &project, number, until)?;
        files.extend(documents::of_year(&gathered, &kinds, &dress)?);
        findings = gathered.year.findings;
        listed = reports::folder(dir, &project.id, number);
    }
    // Of a campaign and of the monitoring system: until today.
    let held =
        args.year.filter(|_| kinds.iter().any(|k| matches!(k, ReportKind::Annual | ReportKind::Indicators)));
    let name = listed.strip_prefix(dir).unwrap_or(&listed).display().to_string();
    holds::hold(&store, &installation, &project, held, (&format!("report {name}"), clock::now()))?;
    for path in reports::write_all(args.out.as_ref().unwrap_or(&listed), &files)? {
        println!("{}", path.display());
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    Ok(Exit::OK)
}
