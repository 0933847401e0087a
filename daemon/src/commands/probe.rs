//! `consuntivo probe METER`: one harmless round trip, for the person at the cabinet.
//!
//! Must never: write to a device or to the store.

use std::path::Path;

use connectors::Probe;
use model::MeterId;

use crate::clock::SystemClock;
use crate::commands::run::block_on;
use crate::exit::{Exit, Failure};
use crate::installation::Installation;

pub(crate) fn probe(config: &Path, meter: &MeterId) -> Result<Exit, Failure> {
    let installation = Installation::load(config)?;
    if installation.settings.meter(meter).is_none() {
        let known: Vec<&str> = installation.settings.meters.iter().map(|m| m.id.as_str()).collect();
        return Err(Failure::bad_input(format!(
            "no meter {meter} in {}; it has {}",
            config.display(),
            known.join(", ")
        )));
    }
    let (links, findings) = installation.links();
    if !links.iter().any(|link| link.meters().contains(meter)) {
        let reasons: Vec<String> = findings.iter().map(ToString::to_string).collect();
        return Err(Failure::bad_input(format!(
            "{meter} cannot be read as it is set: {}",
            reasons.join("; ")
        )));
    }
    block_on(async move {
        match connectors::probe(&links, meter, &SystemClock).await {
            Ok(probe) => {
                print_probe(&probe);
                Ok(Exit::OK)
            }
            Err(error) => Err(Failure::new(Exit::UNREACHABLE, error)),
        }
    })
}

fn print_probe(probe: &Probe) {
    println!("{} answered in {} ms ({})", probe.meter, probe.took.as_millis(), probe.at);
    for line in &probe.lines {
        println!("  {:<32} {:<24} {}", line.channel.to_string(), line.raw, line.reads);
    }
    for note in &probe.notes {
        println!("  {note}");
    }
}
