//! `consuntivo store`: figures, verification, backup, restoration, and archiving of a store at rest.
//!
//! Must never: write into a data directory that a daemon works on.

use std::path::Path;

use store::Store;

mod named;

use crate::archiving;
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::nightly::{self, Differing};
use crate::{ConfigArg, StoreWhat, clock};

pub(crate) fn store(what: &StoreWhat) -> Result<Exit, Failure> {
    match what {
        StoreWhat::Stats(arg) => stats(arg),
        StoreWhat::Verify { drop_differing, config } => {
            verify(config, if *drop_differing { Differing::Dropped } else { Differing::Told })
        }
        StoreWhat::Backup { folder, config } => backup(folder, config),
        StoreWhat::Restore { folder, config } => restore(folder, config),
        StoreWhat::Archive(arg) => archive(arg),
    }
}

fn stats(arg: &ConfigArg) -> Result<Exit, Failure> {
    let store = Installation::load(&arg.config)?.open_shared_store()?;
    let stats = store.stats();
    let files = store.archive_files()?;
    let (readings, bytes) = files.iter().fold((0, 0), |(r, b), f| (r + f.readings, b + f.bytes));
    println!("series               {}", store.series()?.len());
    println!("journal              {} bytes", stats.bytes_on_disk);
    println!("archive              {} files, {readings} readings, {bytes} bytes", files.len());
    if 0 < readings {
        println!("bytes per reading    {:.2} in the archive", bytes as f64 / readings as f64);
    }
    println!("quarantine           {} kept, {} dropped", stats.quarantine_items, stats.quarantine_dropped);
    println!("audit log            {} entries", store.audit_head()?.seq);
    for file in &files {
        let state = if file.dropped_at.is_some() { "archived" } else { "archived, still in the journal too" };
        println!("  {:<24} {:>12} readings {:>12} bytes  {state}", file.name, file.readings, file.bytes);
    }
    Ok(Exit::OK)
}

fn verify(arg: &ConfigArg, differing: Differing) -> Result<Exit, Failure> {
    let installation = Installation::load(&arg.config)?;
    let store = match differing {
        // Beside a daemon nothing is written.
        Differing::Told => installation.open_shared_store()?,
        Differing::Dropped => {
            Store::open(&installation.settings.installation.data_dir, installation.store_options())?
        }
    };
    let verified = store.verify()?;
    println!(
        "journal sound with {} readings; {} audit entries in an unbroken chain; {} archive files with {} readings as written",
        verified.journal_readings, verified.audit_entries, verified.archive_files, verified.archived_readings
    );
    let named = named::look(&store)?;
    println!(
        "{} documents as kept; of {} that records name {} are missing",
        verified.documents,
        named.files,
        named.missing.len()
    );
    let compared = nightly::compare(&store, &installation, differing)?;
    println!(
        "{} series made again of {} readings, {} kept results looked at, {} series differ from what was kept",
        compared.series,
        compared.readings,
        compared.kept,
        compared.differing.len()
    );
    for key in &compared.differing {
        let what = match differing {
            Differing::Told => {
                "stop the daemon and verify again with --drop-differing, or leave it to the daemon's nightly look"
            }
            Differing::Dropped => "it was dropped and will be made again",
        };
        eprintln!("{} {}: what is kept is not what its readings say; {what}", key.meter, key.channel);
    }
    store.close();
    Ok(match (told_missing(&named), compared.differing.is_empty()) {
        (true, _) => Exit::FAILURE,
        (false, false) => Exit::CHECK,
        (false, true) => Exit::OK,
    })
}

/// Tells of every file that is missing; whether there is one.
fn told_missing(named: &named::Named) -> bool {
    named.missing.iter().for_each(|says| eprintln!("{says}"));
    !named.missing.is_empty()
}

fn backup(folder: &Path, arg: &ConfigArg) -> Result<Exit, Failure> {
    let store = Installation::load(&arg.config)?.open_shared_store()?;
    let done = store.backup(folder)?;
    println!(
        "{}: journal of {} bytes; {} archive files copied, {} there already; {} documents copied, {} there already",
        folder.display(),
        done.journal_bytes,
        done.files_copied,
        done.files_kept,
        done.documents_copied,
        done.documents_kept
    );
    // The copy is as good as the store: what that lost is told while a former copy may still have it.
    Ok(if told_missing(&named::look(&store)?) { Exit::FAILURE } else { Exit::OK })
}

fn restore(folder: &Path, arg: &ConfigArg) -> Result<Exit, Failure> {
    let installation = Installation::load(&arg.config)?;
    let data_dir = &installation.settings.installation.data_dir;
    let done = store::restore(folder, data_dir)?;
    // Opening proves that what came back is a store.
    let store = installation.open_shared_store()?;
    let audit = store.verify()?.audit_entries;
    println!(
        "{}: journal of {} bytes, {} archive files, {} documents, {audit} audit entries; verified",
        data_dir.display(),
        done.journal_bytes,
        done.files_copied,
        done.documents_copied
    );
    Ok(if told_missing(&named::look(&store)?) { Exit::FAILURE } else { Exit::OK })
}

fn archive(arg: &ConfigArg) -> Result<Exit, Failure> {
    let installation = Installation::load(&arg.config)?;
    let settings = &installation.settings;
    // As the daemon: it refuses while one runs, which archives by itself.
    let store = Store::open(&settings.installation.data_dir, installation.store_options())?;
    let after_days = settings.store.archive_after_days;
    // Nobody reads beside: rows may go at once.
    let done = archiving::archive(&store, settings.installation.zone, after_days, clock::now(), 0)?;
    println!(
        "{} files with {} readings in {} bytes; {} rows left the journal",
        done.files, done.readings, done.bytes, done.dropped
    );
    store.close();
    Ok(Exit::OK)
}
