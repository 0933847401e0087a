//! What the store says about itself.
//!
//! Must never: cost a query; everything here is counted where it happens.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A moment's figures. Counts are since this store was opened unless they say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Readings accepted and not yet on disk.
    pub queue_depth: u64,
    pub commits: u64,
    /// Readings settled by commits, whatever their outcome.
    pub readings_committed: u64,
    pub readings_new: u64,
    pub readings_duplicate: u64,
    pub readings_conflicting: u64,
    pub last_commit: Option<Duration>,
    /// Commits that failed; nothing in them was acknowledged.
    pub failures: u64,
    /// The latest failure's sentence, until a commit succeeds.
    pub failing: Option<String>,
    /// Failures to write the log back to the database file; the log still holds everything.
    pub checkpoint_failures: u64,
    /// How often what came in was put down in chunks.
    pub folds: u64,
    /// Panics of the writer, each a fault of this program; it began anew, nothing of their commits was acknowledged.
    pub writer_panics: u64,
    /// Items now in quarantine.
    pub quarantine_items: u64,
    /// Items dropped from quarantine because newer ones needed the room, ever.
    pub quarantine_dropped: u64,
    /// Database file and write-ahead log.
    pub bytes_on_disk: u64,
}

/// The writer's side of [`StoreStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) waiting: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) committed: AtomicU64,
    pub(crate) new: AtomicU64,
    pub(crate) duplicate: AtomicU64,
    pub(crate) conflicting: AtomicU64,
    pub(crate) last_commit_micros: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) checkpoint_failures: AtomicU64,
    pub(crate) folds: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) quarantine_items: AtomicU64,
    pub(crate) quarantine_dropped: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> StoreStats {
        let commits = self.commits.load(Relaxed);
        let last = Duration::from_micros(self.last_commit_micros.load(Relaxed));
        StoreStats {
            queue_depth: self.waiting.load(Relaxed),
            commits,
            readings_committed: self.committed.load(Relaxed),
            readings_new: self.new.load(Relaxed),
            readings_duplicate: self.duplicate.load(Relaxed),
            readings_conflicting: self.conflicting.load(Relaxed),
            last_commit: (commits > 0).then_some(last),
            failures: self.failures.load(Relaxed),
            failing: None,
            checkpoint_failures: self.checkpoint_failures.load(Relaxed),
            folds: self.folds.load(Relaxed),
            writer_panics: self.panics.load(Relaxed),
            quarantine_items: self.quarantine_items.load(Relaxed),
            quarantine_dropped: self.quarantine_dropped.load(Relaxed),
            bytes_on_disk: 0,
        }
    }
}
