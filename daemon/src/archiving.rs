//! The job that moves closed months from the journal to the archive, and takes their rows out of the journal later.
//!
//! Must never: touch a month that readings may still be coming for in the usual way, or stop for one month's failure.

use std::time::Duration;

use chrono::Days;
use connectors::Stop;
use model::{Instant, Month, Zone};
use store::{Store, StoreError};

use crate::runtime::Runtime;
use std::sync::Arc;

/// How often closed months are looked for.
const EVERY: Duration = Duration::from_secs(6 * 3600);
/// For this long after a month's file was entered its rows stay in the journal too: whoever began to read before may
/// still be reading them there.
const GRACE_MS: i64 = 3_600_000;

/// What one round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Archived {
    pub(crate) files: usize,
    pub(crate) readings: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
}

/// Archives every closed month that has rows in the journal, and drops what was archived before the grace period.
/// A month is closed `after_days` after its end.
pub(crate) fn archive(
    store: &Store,
    zone: Zone,
    after_days: u32,
    now: Instant,
    grace_ms: i64,
) -> Result<Archived, StoreError> {
    let mut done = Archived::default();
    if let Some(first) = store.journal_first_at()? {
        let today = now.day(zone);
        let mut month = first.month(zone);
        while closed(month, today, after_days) {
            let (from, to) = month.bounds(zone);
            if let Some(file) = store.archive_month(&month.to_string(), from, to, now)? {
                tracing::info!(
                    file = file.name,
                    readings = file.readings,
                    bytes = file.bytes,
                    "month archived"
                );
                done.files += 1;
                done.readings += file.readings;
                done.bytes += file.bytes;
            }
            month = month.next();
        }
    }
    done.dropped = store.archive_drop(now.plus_millis(1 - grace_ms), now)?;
    Ok(done)
}

fn closed(month: Month, today: chrono::NaiveDate, after_days: u32) -> bool {
    month.end_day().checked_add_days(Days::new(u64::from(after_days))).is_some_and(|day| day <= today)
}

/// Works until told to stop. A failure is told and tried again with the next round.
pub(crate) async fn keep(runtime: Arc<Runtime>, mut stop: Stop) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.stopped() => return,
        }
        let worker = Arc::clone(&runtime);
        let round = tokio::task::spawn_blocking(move || {
            let installation = worker.installation();
            let settings = &installation.settings;
            let after_days = settings.store.archive_after_days;
            archive(&worker.store, settings.installation.zone, after_days, worker.clock.now(), GRACE_MS)
        });
        match round.await {
            Ok(Ok(done)) if done == Archived::default() => {}
            Ok(Ok(done)) => tracing::info!(files = done.files, dropped = done.dropped, "archive up to date"),
            Ok(Err(error)) => {
                tracing::warn!(%error, "closed months could not be archived, to be tried again")
            }
            Err(error) => tracing::error!(%error, "archiving panicked"),
        }
    }
}
