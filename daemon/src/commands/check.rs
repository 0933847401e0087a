//! `consuntivo check`: judges the files without touching the network or the store.
//!
//! Must never: do I/O beyond reading the files.

use std::path::{Path, PathBuf};

use model::{Finding, Severity};

use crate::exit::{Exit, Failure};
use crate::installation::Installation;

pub(crate) fn check(config: &Path, projects: &[PathBuf]) -> Result<Exit, Failure> {
    let installation = Installation::load(config)?;
    let (_, link_findings) = installation.links();
    let mut findings: Vec<Finding> = installation.findings.clone();
    findings.extend(link_findings);
    let mut read = Vec::new();
    for file in projects {
        let (project, found) = config::load_project(file, &installation.catalog)
            .map_err(|error| Failure::new(Exit::BAD_INPUT, error))?;
        findings.extend(found);
        findings.extend(installation.series_findings(&project));
        println!("{}: a usable project file", file.display());
        read.push(project);
    }
    findings.extend(config::project::grant::shared_cups(&read));
    for finding in &findings {
        println!("{finding}");
    }
    let meters = installation.settings.meters.len();
    println!("{}: {} links, {meters} meters", config.display(), installation.settings.links.len());
    let blocking = findings.iter().any(|finding| finding.severity == Severity::Blocks);
    if blocking {
        println!("not usable as it is: mend what is marked `blocks`");
        return Ok(Exit::CHECK);
    }
    println!("usable");
    Ok(Exit::OK)
}
