//! `consuntivo grants`, `consuntivo memo` and `consuntivo dossier`.
//!
//! Must never: send a mail; that is the daemon's.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use model::ProjectId;

use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{ConfigArg, clock, dossier, figures, grants, memos, parse_project};

#[derive(Debug, Subcommand)]
pub(crate) enum GrantsWhat {
    /// Take a delivery of closed projects (CSV or JSON); the first version of a project wins
    Import {
        file: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
        /// Who imports, for the audit log
        #[arg(long, default_value = "cli")]
        author: String,
    },
    /// Closed projects, those without a project here, and changes that had no effect
    List(ConfigArg),
}

pub(crate) fn grants(what: &GrantsWhat) -> Result<Exit, Failure> {
    match what {
        GrantsWhat::Import { file, config, author } => {
            let installation = Installation::load(&config.config)?;
            let store = installation.open_shared_store()?;
            let (taken, findings) = grants::import(&store, file, author, clock::now())?;
            findings.iter().for_each(|finding| eprintln!("{finding}"));
            println!(
                "closed projects: {} new, {} already there, {} changes ignored",
                taken.new.len(),
                taken.same.len(),
                taken.ignored.len()
            );
        }
        GrantsWhat::List(config) => {
            let installation = Installation::load(&config.config)?;
            let store = installation.open_shared_store()?;
            let (projects, _) = figures::projects(&store, &installation.catalog)?;
            for (closed, at) in grants::all(&store)? {
                let here = projects.iter().find(|p| p.cup == closed.cup);
                let here = here.map_or_else(|| "no project here yet".to_owned(), |p| p.id.to_string());
                println!(
                    "{}\t{}\t{}\t{}\tclosed {}\ttaken {at}\t{here}",
                    closed.code, closed.cup, closed.title, closed.beneficiary, closed.expenses_closed
                );
            }
            for (closed, at) in grants::ignored(&store)? {
                println!("ignored\t{}\t{}\t{at}", closed.code, closed.title);
            }
        }
    }
    Ok(Exit::OK)
}

#[derive(Debug, Subcommand)]
pub(crate) enum MemoWhat {
    /// Every memo mail, newest first
    List(ConfigArg),
    /// Say what became of a letter of which nobody knows whether it went out
    Settle {
        /// Its id, as `list` shows it
        id: String,
        /// It went out: nothing more is sent
        #[arg(long, conflicts_with = "unsent", required_unless_present = "unsent")]
        sent: bool,
        /// It did not: the daemon sends it
        #[arg(long)]
        unsent: bool,
        #[command(flatten)]
        config: ConfigArg,
        /// Who says it, for the audit log
        #[arg(long, default_value = "cli")]
        author: String,
    },
}

pub(crate) fn memo(what: &MemoWhat) -> Result<Exit, Failure> {
    match what {
        MemoWhat::List(config) => {
            let installation = Installation::load(&config.config)?;
            let store = installation.open_shared_store()?;
            for (memo, at) in memos::all(&store)? {
                println!("{}\t{}\t{at}\t{}\t{}", memo.id(), memo.state.code(), memo.to.join(", "), memo.says);
            }
        }
        MemoWhat::Settle { id, sent, unsent: _, config, author } => {
            let installation = Installation::load(&config.config)?;
            let store = installation.open_shared_store()?;
            memos::settle(&store, id, *sent, author, clock::now())?;
        }
    }
    Ok(Exit::OK)
}

#[derive(Debug, Args)]
pub(crate) struct DossierArgs {
    #[command(flatten)]
    config: ConfigArg,
    #[arg(long, value_parser = parse_project)]
    project: ProjectId,
    /// A folder that is new or empty; or, with --zip, where the ZIP file is written
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// One ZIP file instead of a folder
    #[arg(long)]
    zip: bool,
}

pub(crate) fn dossier(args: &DossierArgs) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config.config)?;
    let store = installation.open_shared_store()?;
    let project = figures::project(&store, &installation.catalog, &args.project)?;
    let ready = dossier::Ready::of(&store, &Arc::new(installation), &project, clock::now())?;
    if args.zip {
        let path = zip_of(ready, &args.out)?;
        println!("{}; unpack it and verify with: sha256sum -c {}", path.display(), dossier::MANIFEST);
        return Ok(Exit::OK);
    }
    let count = ready.write(&args.out)?;
    println!("{count} files in {}; verify with: sha256sum -c {}", args.out.display(), dossier::MANIFEST);
    Ok(Exit::OK)
}

/// Writes the ZIP file below `out`, aside until it is whole.
fn zip_of(ready: dossier::Ready, out: &Path) -> anyhow::Result<PathBuf> {
    let path = out.join(ready.name());
    let aside = out.join(format!(".{}.part", ready.name()));
    let cannot = || format!("cannot write {}; check free space and rights", path.display());
    std::fs::create_dir_all(out).with_context(cannot)?;
    let mut file = File::create(&aside).with_context(cannot)?;
    let written = ready.zip(&mut file).and_then(|_| Ok(file.sync_all()?));
    if written.is_err()
        && let Err(error) = std::fs::remove_file(&aside)
    {
        tracing::warn!(path = %aside.display(), %error, "a part of a dossier could not be removed");
    }
    written.with_context(cannot)?;
    std::fs::rename(&aside, &path).with_context(cannot)?;
    Ok(path)
}
