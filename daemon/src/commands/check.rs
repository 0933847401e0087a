//! `consuntivo check`: judges the files without touching the network or the store.
//!
//! Must never: do I/O beyond reading the files.

use std::path::Path;

use model::{Finding, Severity};

use crate::exit::{Exit, Failure};
use crate::installation::Installation;

pub(crate) fn check(config: &Path) -> Result<Exit, Failure> {
    let installation = Installation::load(config)?;
    let (_, link_findings) = installation.links();
    let findings: Vec<&Finding> = installation.findings.iter().chain(&link_findings).collect();
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
