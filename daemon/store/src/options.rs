//! The store's limits, each with a default that suits one building owner's installation.
//!
//! Must never: hold a limit of zero by the time it is used; see [`StoreOptions::within_bounds`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Told of each commit of readings, on the writer's thread: be quick.
pub trait CommitObserver: Send + Sync {
    /// `readings` of any outcome were settled in `duration` (begin to end of commit, disk included);
    /// `queue_depth` readings still wait.
    fn committed(&self, readings: u64, duration: Duration, queue_depth: u64);
}

/// Limits of a store.
#[derive(Clone)]
pub struct StoreOptions {
    /// Most readings accepted and not yet on disk; beyond it, appends wait.
    pub queue_readings_max: u32,
    /// Most readings in one commit.
    pub commit_readings_max: u32,
    /// Most readings that are kept in memory and in the intake before they are put down in chunks; a quarter is
    /// enough when there is time for it. About 50 bytes of memory each.
    pub recent_readings_max: u32,
    /// The write-ahead log is written back to the database file when it holds this many bytes.
    pub wal_bytes_soft: u64,
    /// At this size readers are waited for so that the log can begin again, and its file is cut.
    pub wal_bytes_hard: u64,
    /// Memory for the writer's pages, in KiB.
    pub writer_cache_kib: u32,
    /// Most connections reading at once.
    pub reader_connections_max: usize,
    /// Longest wait for another process that is writing.
    pub busy_timeout: Duration,
    /// Most items in quarantine; the oldest beyond are dropped and counted.
    pub quarantine_items_max: u32,
    /// Most bytes in quarantine, payloads and texts together.
    pub quarantine_bytes_max: u64,
    /// Longest payload kept of one item; the rest is cut off, its true length is kept.
    pub quarantine_payload_bytes_max: usize,
    /// Longest body of a record in bytes.
    pub record_bytes_max: usize,
    /// Most bytes the database file may take: a quota of our own. At the bound appends fail as on a full disk.
    pub journal_bytes_max: Option<u64>,
    pub observer: Option<Arc<dyn CommitObserver>>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            queue_readings_max: 65_536,
            commit_readings_max: 32_768,
            recent_readings_max: 262_144,
            wal_bytes_soft: 16 << 20,
            wal_bytes_hard: 64 << 20,
            writer_cache_kib: 8 << 10,
            reader_connections_max: 4,
            busy_timeout: Duration::from_secs(10),
            quarantine_items_max: 10_000,
            quarantine_bytes_max: 16 << 20,
            quarantine_payload_bytes_max: 64 << 10,
            record_bytes_max: 1 << 20,
            journal_bytes_max: None,
            observer: None,
        }
    }
}

impl StoreOptions {
    /// The same options with every limit in the range the store can work with.
    pub(crate) fn within_bounds(mut self) -> Self {
        self.queue_readings_max = self.queue_readings_max.clamp(1, 1 << 24);
        self.commit_readings_max = self.commit_readings_max.clamp(1, self.queue_readings_max);
        self.recent_readings_max = self.recent_readings_max.max(4);
        self.wal_bytes_soft = self.wal_bytes_soft.max(1 << 16);
        self.wal_bytes_hard = self.wal_bytes_hard.max(self.wal_bytes_soft);
        self.writer_cache_kib = self.writer_cache_kib.max(256);
        self.reader_connections_max = self.reader_connections_max.max(1);
        self.quarantine_items_max = self.quarantine_items_max.max(1);
        self
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("queue_readings_max", &self.queue_readings_max)
            .field("commit_readings_max", &self.commit_readings_max)
            .field("journal_bytes_max", &self.journal_bytes_max)
            .field("observer", &self.observer.is_some())
            .finish_non_exhaustive()
    }
}
