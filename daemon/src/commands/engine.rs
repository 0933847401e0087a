//! `consuntivo engine`: how the engines outside are, and series that are to be written to one again.
//!
//! Must never: write to an engine itself; the daemon does, after what it is delivering already.

use std::path::PathBuf;

use clap::Subcommand;
use model::{MeterId, Severity};
use store::engine::EngineError;

use crate::commands::run::block_on;
use crate::engines::{self, delivery};
use crate::exit::{Exit, Failure};
use crate::installation::{Installation, chain};
use crate::{clock, parse_meter};

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Ask every engine how it is and how it is set, and say what waits for it
    Status {
        /// The installation file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Have series written to an engine again from the journal: after its retention was raised, or what it had was lost
    Rewrite {
        /// The installation file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The engine's id in the installation file
        #[arg(long)]
        engine: String,
        /// Only the series of this meter
        #[arg(long, value_parser = parse_meter)]
        meter: Option<MeterId>,
    },
}

pub(crate) fn engine(what: &What) -> Result<Exit, Failure> {
    match what {
        What::Status { config } => status(&Installation::load(config)?),
        What::Rewrite { config, engine, meter } => {
            rewrite(&Installation::load(config)?, engine, meter.as_ref())
        }
    }
}

fn status(installation: &Installation) -> Result<Exit, Failure> {
    let store = installation.open_shared_store()?;
    let mut exit = Exit::OK;
    for engine in &installation.settings.engines {
        let asked: Result<_, EngineError> = block_on(async {
            Ok(match engines::make(engine) {
                Ok(made) => made.health().await,
                Err(error) => Err(error),
            })
        })?;
        match asked {
            Ok(health) => {
                let version = if health.version.is_empty() { "unknown version" } else { &health.version };
                println!("{}: answers, {version}", engine.id);
                for fault in health.faults {
                    let severity = if fault.is_grave { Severity::Caution } else { Severity::Note };
                    println!("  {}: {}", severity.code(), fault.says);
                }
            }
            Err(error) => {
                println!("{}: {}", engine.id, chain(&error));
                exit = Exit::UNREACHABLE;
            }
        }
        if let Some(waiting) = store.outbox_status(&engine.id)? {
            let since = waiting.oldest.map(|at| format!(", the oldest since {at}")).unwrap_or_default();
            println!("  {} readings wait, {} bytes{since}", waiting.pending_readings, waiting.pending_bytes);
        }
    }
    Ok(exit)
}

fn rewrite(installation: &Installation, engine: &str, meter: Option<&MeterId>) -> Result<Exit, Failure> {
    if !installation.settings.engine(engine).is_some_and(|engine| engine.delivers) {
        return Err(Failure::bad_input(format!(
            "no engine {engine} in the installation file to which it delivers"
        )));
    }
    let store = installation.open_shared_store()?;
    let all = store.series()?;
    let wanted: Vec<_> =
        all.into_iter().filter(|key| meter.is_none_or(|meter| key.meter == *meter)).collect();
    let now = clock::now();
    block_on(async {
        for key in &wanted {
            delivery::note_rewrite(&store, engine, key, now).await?;
        }
        Ok(())
    })?;
    store.close();
    println!("{} series will be written to {engine} again while the daemon runs", wanted.len());
    Ok(Exit::OK)
}
