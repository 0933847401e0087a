//! `consuntivo store`: figures, verification, backup, restoration, and archiving of a store at rest.
//!
//! Must never: write into a data directory that a daemon works on.

use std::path::Path;

use store::Store;

use crate::archiving;
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{ConfigArg, StoreWhat, clock};

pub(crate) fn store(what: &StoreWhat) -> Result<Exit, Failure> {
    match what {
        StoreWhat::Stats(arg) => stats(arg),
        StoreWhat::Verify(arg) => verify(arg),
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

fn verify(arg: &ConfigArg) -> Result<Exit, Failure> {
    let store = Installation::load(&arg.config)?.open_shared_store()?;
    let verified = store.verify()?;
    println!(
        "journal sound; {} audit entries in an unbroken chain; {} archive files with {} readings as written",
        verified.audit_entries, verified.archive_files, verified.archived_readings
    );
    Ok(Exit::OK)
}

fn backup(folder: &Path, arg: &ConfigArg) -> Result<Exit, Failure> {
    let store = Installation::load(&arg.config)?.open_shared_store()?;
    let done = store.backup(folder)?;
    println!(
        "{}: journal of {} bytes, {} archive files copied, {} there already",
        folder.display(),
        done.journal_bytes,
        done.files_copied,
        done.files_kept
    );
    Ok(Exit::OK)
}

fn restore(folder: &Path, arg: &ConfigArg) -> Result<Exit, Failure> {
    let installation = Installation::load(&arg.config)?;
    let data_dir = &installation.settings.installation.data_dir;
    let done = store::restore(folder, data_dir)?;
    // Opening proves that what came back is a store.
    let audit = installation.open_shared_store()?.verify()?.audit_entries;
    println!(
        "{}: journal of {} bytes, {} archive files, {audit} audit entries; verified",
        data_dir.display(),
        done.journal_bytes,
        done.files_copied
    );
    Ok(Exit::OK)
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
