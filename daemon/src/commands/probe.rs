//! `consuntivo probe METER`: one harmless round trip, for the person at the cabinet.
//!
//! Must never: write to a device or to the store.

use std::path::Path;

use model::MeterId;

use crate::clock::SystemClock;
use crate::commands::run::block_on;
use crate::exit::{Exit, Failure};
use crate::readout::{aligned, answered, cells, exit_of, explained, links_of, text_cells};

pub(crate) fn probe(config: &Path, meter: &MeterId) -> Result<Exit, Failure> {
    let links = links_of(config, meter)?;
    block_on(async move {
        match connectors::probe(&links, meter, &SystemClock).await {
            Ok(probe) => {
                println!("{}", answered(&probe));
                print!("{}", aligned(&probe.lines.iter().map(cells).collect::<Vec<_>>(), "  "));
                print!("{}", aligned(&probe.texts.iter().map(text_cells).collect::<Vec<_>>(), "  "));
                for note in &probe.notes {
                    println!("  {note}");
                }
                Ok(exit_of(&probe))
            }
            Err(error) => Err(Failure::new(Exit::UNREACHABLE, anyhow::Error::msg(explained(&error)))),
        }
    })
}
