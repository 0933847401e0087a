//! One life of the process that is to be killed: opens the store, appends, says what was acknowledged.
//!
//! Must never: say that something was acknowledged before the store has said so.

use std::fs::File;
use std::io::{IoSlice, Write};
use std::path::{Path, PathBuf};

use model::Instant;
use store::{Store, StoreError, Thinning};

use super::{Life, work};

/// How often a call is tried again that the disk refused.
const ATTEMPTS: u32 = 40;
const ENGINE: &str = "lake";

/// Where the child keeps its backup.
#[must_use]
pub fn backup_of(directory: &Path) -> PathBuf {
    directory.with_extension("backup")
}

/// Works through the operations. A line a word: `ack OPERATION NEW DUPLICATE CONFLICTING`, `document OPERATION` for one that
/// is kept and named by a record, `end` when all is done.
///
/// # Errors
/// What the store could not overcome; everything said before is true.
pub fn live(directory: &Path, life: Life, out: &File) -> Result<(), StoreError> {
    let store = again(|| Store::open(directory, work::options()))?;
    again(|| store.outbox_register(ENGINE))?;
    for operation in life.from..life.to {
        let readings = work::readings(life.seed, operation);
        let counted = work::counted(&readings);
        let done = again(|| store.append_counted_blocking(readings.clone(), counted.clone()))?;
        say(out, &format!("ack {operation} {} {} {}", done.new, done.duplicate, done.conflicting));
        maintain(&store, directory, operation, out)?;
    }
    store.close();
    say(out, "end");
    Ok(())
}

/// A line that the parent reads; a parent that is gone needs no lines. By a call of its own, so that a failure of `write`
/// strikes the store and not what is said of it; a line is shorter than what a pipe takes at once.
fn say(mut out: &File, line: &str) {
    let line = format!("{line}\n");
    let written = out.write_vectored(&[IoSlice::new(line.as_bytes())]).unwrap_or(line.len());
    assert_eq!(written, line.len(), "a line was cut in two");
}

fn again<T>(mut call: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let mut attempt = 0;
    loop {
        match call() {
            Err(error) if error.is_retryable() && attempt < ATTEMPTS => attempt += 1,
            settled => return settled,
        }
    }
}

/// What the daemon and people do beside ingestion, more often than they would. But for documents none of it changes what
/// the store says, so a failure of it is no more than a failure.
fn maintain(store: &Store, directory: &Path, operation: u64, out: &File) -> Result<(), StoreError> {
    let now = Instant::from_seconds(operation as i64 * 60);
    let outcome = match operation % 16 {
        1 => store.backup(&backup_of(directory)).map(|_| ()),
        3 | 11 => store.fold(),
        5 => accept(store),
        7 => store.put_record("project", "school", &format!("a = {operation}"), "soak", now).map(|_| ()),
        12 => document(store, operation, now).map(|()| say(out, &format!("document {operation}"))),
        13 => thin(store, operation, now),
        15 => archive(store, now),
        _ => Ok(()),
    };
    match outcome {
        Err(StoreError::Archive { .. } | StoreError::Files { .. }) => Ok(()),
        Err(error) if !error.is_retryable() => Err(error),
        _ => Ok(()),
    }
}

/// Keeps a document, then the record that names it, as whoever takes documents in does.
fn document(store: &Store, operation: u64, now: Instant) -> Result<(), StoreError> {
    let digest = store.keep_document(&work::document(operation))?;
    store.put_record(work::DOCUMENT, &operation.to_string(), &digest.hex(), "soak", now).map(|_| ())
}

fn thin(store: &Store, operation: u64, now: Instant) -> Result<(), StoreError> {
    let (quantity, before) = (work::THINNED, work::thinned_before(operation));
    store.thin(Thinning { quantity, before, every_ms: work::THINNED_MS }, now).map(|_| ())
}

fn accept(store: &Store) -> Result<(), StoreError> {
    let Some(status) = store.outbox_status(ENGINE)? else { return Ok(()) };
    match store.outbox_after(status.accepted_seq, 50)?.last() {
        Some(block) => store.outbox_accepted(ENGINE, block.seq),
        None => Ok(()),
    }
}

/// Archives the month that has just ended, and drops what was archived before.
fn archive(store: &Store, now: Instant) -> Result<(), StoreError> {
    let month = now.millis() / 1000 / work::MONTH_SECONDS - 1;
    if 0 <= month {
        let at = |number: i64| Instant::from_seconds(number * work::MONTH_SECONDS);
        let name = format!("{:04}-{:02}", 2000 + month / 12, month % 12 + 1);
        store.archive_month(&name, at(month), at(month + 1), now)?;
        store.archive_drop(now, now)?;
    }
    Ok(())
}
