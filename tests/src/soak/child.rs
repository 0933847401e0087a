//! One life of the process that is to be killed: opens the store, appends, says what was acknowledged.
//!
//! Must never: say that something was acknowledged before the store has said so.

use std::io::Write;
use std::path::Path;

use model::Instant;
use store::{Store, StoreError};

use super::{Life, work};

/// How often a call is tried again that the disk refused.
const ATTEMPTS: u32 = 40;
const ENGINE: &str = "lake";

/// Works through the operations. A line a word: `ack OPERATION NEW DUPLICATE CONFLICTING`, `end` when all is done.
///
/// # Errors
/// What the store could not overcome; everything said before is true.
pub fn live(directory: &Path, life: Life, out: &mut impl Write) -> Result<(), StoreError> {
    let store = again(|| Store::open(directory, work::options()))?;
    again(|| store.outbox_register(ENGINE))?;
    for operation in life.from..life.to {
        let readings = work::readings(life.seed, operation);
        let counted = work::counted(&readings);
        let done = again(|| store.append_counted_blocking(readings.clone(), counted.clone()))?;
        say(out, &format!("ack {operation} {} {} {}", done.new, done.duplicate, done.conflicting));
        maintain(&store, operation)?;
    }
    store.close();
    say(out, "end");
    Ok(())
}

/// A line that the parent reads; a parent that is gone needs no lines.
fn say(out: &mut impl Write, line: &str) {
    writeln!(out, "{line}").and_then(|()| out.flush()).ok();
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

/// What the daemon does beside ingestion, more often than it would. None of it changes what the store says, so a
/// failure of it is no more than a failure.
fn maintain(store: &Store, operation: u64) -> Result<(), StoreError> {
    let now = Instant::from_seconds(operation as i64 * 60);
    let outcome = match operation % 16 {
        3 | 11 => store.fold(),
        5 => accept(store),
        7 => store.put_record("project", "school", &format!("a = {operation}"), "soak", now).map(|_| ()),
        15 => archive(store, now),
        _ => Ok(()),
    };
    match outcome {
        Err(error) if !error.is_retryable() && !matches!(error, StoreError::Archive { .. }) => Err(error),
        _ => Ok(()),
    }
}

fn accept(store: &Store) -> Result<(), StoreError> {
    let Some(status) = store.outbox_status(ENGINE)? else { return Ok(()) };
    match store.outbox_after(status.accepted_seq, 50)?.last() {
        Some(block) => store.outbox_accepted(ENGINE, block.seq),
        None => Ok(()),
    }
}

/// Archives what ended two months ago, and drops what was archived before.
fn archive(store: &Store, now: Instant) -> Result<(), StoreError> {
    let month = now.millis() / 1000 / work::MONTH_SECONDS - 2;
    if 0 <= month {
        let at = |number: i64| Instant::from_seconds(number * work::MONTH_SECONDS);
        let name = format!("{:04}-{:02}", 2000 + month / 12, month % 12 + 1);
        store.archive_month(&name, at(month), at(month + 1), now)?;
        store.archive_drop(now, now)?;
    }
    Ok(())
}
