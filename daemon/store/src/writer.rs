//! The one writer: takes whatever waits, puts it in one transaction, and answers after COMMIT.
//!
//! Must never: answer before the disk has it, or let one failure end it, not even a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::Reading;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Semaphore, oneshot};

use crate::archive::Archive;
use crate::error::{Fault, StoreError};
use crate::fold;
use crate::memory::{self, Remembered};
use crate::options::StoreOptions;
use crate::quarantine::{self, Occupancy, Quarantined};
use crate::recent::SharedRecent;
use crate::schema::{self, Opener};
use crate::series::SeriesIds;
use crate::settle::{self, Placed, Workspace};
use crate::stats::Counters;
use crate::store::Appended;
use crate::tally::Counted;

/// SQLite's default, kept: bytes of a page, and of its frame in the write-ahead log.
const PAGE_BYTES: u64 = 4_096;
const FRAME_BYTES: u64 = PAGE_BYTES + 24;

/// Longest wait for readers when the log must begin again.
const READERS_WAIT: Duration = Duration::from_secs(1);

/// How often and after which pause the log is written back before the first receipt.
const SURE_ATTEMPTS: u32 = 100;
const SURE_PAUSE: Duration = Duration::from_millis(20);

/// Where an answer goes, once.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// Readings that are journalled together.
pub(crate) struct Append {
    pub(crate) readings: Vec<Reading>,
    /// By position, how a reading is counted in its meter's tally; the rest is not.
    pub(crate) counted: Vec<Option<Counted>>,
    pub(crate) reply: Reply<Appended>,
}

/// What the writer is asked to do, in order.
pub(crate) enum Job {
    Append(Append),
    Quarantine {
        item: Quarantined,
        room: u32,
        reply: Reply<()>,
    },
    Remember {
        item: Remembered,
        room: u32,
        reply: Reply<()>,
    },
    /// A transaction of its own; answers by itself.
    Task(Box<dyn FnOnce(&mut Writer) + Send>),
    Close,
}

/// What the writer and its callers both see.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) options: StoreOptions,
    pub(crate) opener: Opener,
    /// One permit for each reading that may wait.
    pub(crate) room: Semaphore,
    pub(crate) counters: Counters,
    /// The latest failure, until a commit succeeds.
    pub(crate) failing: Mutex<Option<String>>,
    /// Most bytes of the database file; 0 for no bound.
    pub(crate) quota_bytes: AtomicU64,
    pub(crate) archive: Archive,
    pub(crate) recent: SharedRecent,
    /// The writer has gone; what it still had to answer it will not.
    pub(crate) ended: AtomicBool,
}

impl Shared {
    pub(crate) fn closed(&self) -> StoreError {
        StoreError::Closed { path: self.path.clone() }
    }

    /// Why an answer that was waited for did not come.
    pub(crate) fn unanswered(&self) -> StoreError {
        if self.ended.load(SeqCst) {
            return self.closed();
        }
        StoreError::WriterFailed { path: self.path.clone() }
    }
}

/// What goes into one commit.
struct Group {
    appends: Vec<Append>,
    items: Vec<(Quarantined, Reply<()>)>,
    memories: Vec<(Remembered, Reply<()>)>,
    room: Room,
}

/// Room in the queue, given back when its readings are settled, or lost in a panic.
struct Room {
    shared: Arc<Shared>,
    readings: u64,
    permits: usize,
}

impl Room {
    /// Gives the room back; returns how many readings still wait.
    fn give_back(&mut self) -> u64 {
        let readings = std::mem::take(&mut self.readings);
        let depth = self.shared.counters.waiting.fetch_sub(readings, Relaxed).saturating_sub(readings);
        self.shared.room.add_permits(std::mem::take(&mut self.permits));
        depth
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Group {
    fn new(shared: &Arc<Shared>) -> Self {
        let room = Room { shared: Arc::clone(shared), readings: 0, permits: 0 };
        Self { appends: Vec::new(), items: Vec::new(), memories: Vec::new(), room }
    }

    /// Takes the job in, or gives it back when it is of another kind.
    fn take(&mut self, job: Job) -> Option<Job> {
        match job {
            Job::Append(append) => {
                self.room.readings += append.readings.len() as u64;
                self.room.permits += append.readings.len();
                self.appends.push(append);
            }
            Job::Quarantine { item, room, reply } => {
                self.room.permits += room as usize;
                self.items.push((item, reply));
            }
            Job::Remember { item, room, reply } => {
                self.room.permits += room as usize;
                self.memories.push((item, reply));
            }
            other @ (Job::Task(_) | Job::Close) => return Some(other),
        }
        None
    }
}

/// What one commit did.
struct Settled {
    appends: Vec<Appended>,
    /// Number of the block, where there were new readings.
    seq: Option<i64>,
    quarantine: Option<Occupancy>,
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    /// `None` after a failure that makes a new connection advisable.
    conn: Option<Connection>,
    ids: SeriesIds,
    space: Workspace,
    /// Recent readings at which the next folding is due, after one that failed.
    fold_due: usize,
    /// The log may hold commits that were never synced: of a process that was killed between writing and syncing, or
    /// of a sync that failed. They can be read, but a receipt for a duplicate of them would promise too much.
    doubtful: bool,
    /// The bound last told to the connection.
    quota_pages: Option<u64>,
    log: LogState,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, conn: Connection) -> Self {
        let log = LogState::new(&shared.options);
        Self {
            shared,
            conn: Some(conn),
            ids: SeriesIds::default(),
            space: Workspace::default(),
            fold_due: 0,
            doubtful: true,
            quota_pages: None,
            log,
        }
    }

    /// Works until told to close, or until nobody is left to tell.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        let mut carried = None;
        while let Some(job) = carried.take().or_else(|| self.next(jobs)) {
            if matches!(job, Job::Close) {
                break;
            }
            match catch_unwind(AssertUnwindSafe(|| self.work(job, jobs))) {
                Ok(next) => carried = next,
                Err(_) => self.begin_anew(),
            }
        }
        self.shared.ended.store(true, SeqCst);
    }

    /// The next job; while nobody wants anything there is time to fold.
    fn next(&mut self, jobs: &Receiver<Job>) -> Option<Job> {
        if let Ok(job) = jobs.try_recv() {
            return Some(job);
        }
        let folded =
            catch_unwind(AssertUnwindSafe(|| self.fold_beyond(self.shared.options.recent_readings_max / 4)));
        if folded.is_err() {
            self.begin_anew();
        }
        jobs.recv().ok()
    }

    /// Does a job, and others with it. Returns one that came meanwhile and goes with none of them.
    fn work(&mut self, job: Job, jobs: &Receiver<Job>) -> Option<Job> {
        let mut carried = None;
        match job {
            Job::Close => return Some(job),
            Job::Task(task) => task(self),
            job @ (Job::Append(_) | Job::Quarantine { .. } | Job::Remember { .. }) => {
                let group;
                (group, carried) = self.gather(job, jobs);
                self.commit(group);
            }
        }
        self.fold_beyond(self.shared.options.recent_readings_max);
        self.write_back();
        carried
    }

    /// After a panic: whoever waited is told by the loss of the answer, and nothing half done is used again.
    fn begin_anew(&mut self) {
        self.conn = None;
        self.ids.forget();
        self.space = Workspace::default();
        self.shared.recent.lock().forget();
        self.shared.counters.panics.fetch_add(1, Relaxed);
        tracing::error!(path = %self.shared.path.display(), "the store's writer panicked and begins anew");
    }

    /// Folds when more recent readings have gathered than `most`.
    fn fold_beyond(&mut self, most: u32) {
        let readings = self.shared.recent.lock().readings();
        if readings < (most as usize).max(self.fold_due) {
            return;
        }
        // After a failure, which is logged, not with every commit again.
        self.fold_due = match self.fold() {
            Ok(()) => 0,
            Err(_) => readings + self.shared.options.recent_readings_max as usize / 4,
        };
    }

    /// Puts recent readings down in chunks.
    pub(crate) fn fold(&mut self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let folded =
            self.transaction("fold the intake", |conn, _| fold::fold(conn, &mut shared.recent.lock()))?;
        if let Some(seq) = folded {
            shared.recent.lock().folded(seq);
            shared.counters.folds.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    /// Everything that waits, up to the bound of a commit, until a job of another kind.
    fn gather(&self, first: Job, jobs: &Receiver<Job>) -> (Group, Option<Job>) {
        let mut group = Group::new(&self.shared);
        let mut other = group.take(first);
        let most = self.shared.options.commit_readings_max as usize;
        while other.is_none() && group.room.permits < most {
            let Ok(job) = jobs.try_recv() else { break };
            other = group.take(job);
        }
        (group, other)
    }

    fn commit(&mut self, mut group: Group) {
        let started = Instant::now();
        let shared = Arc::clone(&self.shared);
        let mut space = std::mem::take(&mut self.space);
        let outcome =
            self.transaction("commit readings", |conn, ids| settle(conn, ids, &mut space, &group, &shared));
        if let Ok(Settled { seq: Some(seq), .. }) = outcome {
            shared.recent.lock().committed(seq, &space.block);
        }
        self.space = space;
        let took = started.elapsed();

        let counters = &shared.counters;
        let readings = group.room.readings;
        let depth = group.room.give_back();
        match outcome {
            Ok(settled) => {
                note_success(counters, &settled, readings, took);
                // A caller that no longer waits has its readings on disk all the same.
                for (Append { reply, .. }, appended) in group.appends.into_iter().zip(settled.appends) {
                    reply.send(Ok(appended)).ok();
                }
                let others = group.items.into_iter().map(|(_, reply)| reply);
                for reply in others.chain(group.memories.into_iter().map(|(_, reply)| reply)) {
                    reply.send(Ok(())).ok();
                }
                if let Some(observer) = &shared.options.observer
                    && readings > 0
                    && catch_unwind(AssertUnwindSafe(|| observer.committed(readings, took, depth))).is_err()
                {
                    tracing::error!("the commit observer panicked");
                }
            }
            Err(error) => {
                for Append { reply, .. } in group.appends {
                    reply.send(Err(error.clone())).ok();
                }
                let others = group.items.into_iter().map(|(_, reply)| reply);
                for reply in others.chain(group.memories.into_iter().map(|(_, reply)| reply)) {
                    reply.send(Err(error.clone())).ok();
                }
            }
        }
    }

    /// Runs `work` in a transaction; on any failure nothing of it remains, and the next one begins afresh.
    pub(crate) fn transaction<T>(
        &mut self,
        attempt: &'static str,
        work: impl FnOnce(&Connection, &mut SeriesIds) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let result = self.try_transaction(work);
        let mut failing = self.shared.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(done) => {
                *failing = None;
                Ok(done)
            }
            Err(fault) => {
                self.ids.forget();
                let error = fault.at(&self.shared.path, attempt);
                if !matches!(error, StoreError::Refused { .. }) {
                    self.shared.counters.failures.fetch_add(1, Relaxed);
                    let cause =
                        std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    tracing::warn!(%error, cause, "nothing of this transaction was kept");
                    *failing = Some(error.to_string());
                }
                Err(error)
            }
        }
    }

    fn try_transaction<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut SeriesIds) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => {
                self.quota_pages = None;
                schema::open_writer(&self.shared.path, &self.shared.options)?
            }
        };
        if self.doubtful {
            make_sure(&conn)?;
            self.doubtful = false;
        }
        let ids = &mut self.ids;
        let result = apply_quota(&conn, &self.shared, &mut self.quota_pages).and_then(|()| {
            conn.execute_batch("BEGIN IMMEDIATE")?;
            let done = work(&conn, ids)?;
            conn.execute_batch("COMMIT")?;
            Ok(done)
        });
        if result.is_ok() {
            self.conn = Some(conn);
            return result;
        }
        // SQLite has already rolled back after some failures.
        let rolled_back = conn.is_autocommit() || conn.execute_batch("ROLLBACK").is_ok();
        let doubtful = matches!(&result, Err(Fault::Sql(e)) if matches!(
            e.sqlite_error_code(),
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::FileLockingProtocolFailed)
        ));
        self.doubtful |= doubtful;
        if rolled_back && !doubtful {
            self.conn = Some(conn);
        }
        result
    }

    /// Writes the log back to the database file when it has grown; nobody waits for this.
    fn write_back(&mut self) {
        let Some(conn) = &self.conn else { return };
        if let Err(error) = self.log.write_back(conn, self.shared.options.busy_timeout) {
            self.shared.counters.checkpoint_failures.fetch_add(1, Relaxed);
            tracing::warn!(path = %self.shared.path.display(), %error, "the log could not be written back; it holds everything");
        }
    }
}

fn note_success(counters: &Counters, settled: &Settled, readings: u64, took: Duration) {
    counters.commits.fetch_add(1, Relaxed);
    counters.committed.fetch_add(readings, Relaxed);
    counters.last_commit_micros.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    for one in &settled.appends {
        counters.new.fetch_add(one.new, Relaxed);
        counters.duplicate.fetch_add(one.duplicate, Relaxed);
        counters.conflicting.fetch_add(one.conflicting, Relaxed);
    }
    if let Some(now) = settled.quarantine {
        counters.quarantine_items.store(now.items.unsigned_abs(), Relaxed);
        counters.quarantine_dropped.store(now.dropped.unsigned_abs(), Relaxed);
    }
}

/// Tells the connection the bound on the file, when it changed.
fn apply_quota(conn: &Connection, shared: &Shared, told: &mut Option<u64>) -> Result<(), Fault> {
    let pages = match shared.quota_bytes.load(Relaxed) {
        0 => u64::from(u32::MAX - 1),
        bytes => (bytes / PAGE_BYTES).clamp(1, u64::from(u32::MAX - 1)),
    };
    if *told != Some(pages) {
        conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        *told = Some(pages);
    }
    Ok(())
}

/// Everything of a group, inside its transaction.
fn settle(
    conn: &Connection,
    ids: &mut SeriesIds,
    space: &mut Workspace,
    group: &Group,
    shared: &Shared,
) -> Result<Settled, Fault> {
    let mut recent = shared.recent.lock();
    let Placed { appends, seq } =
        settle::readings(conn, &shared.archive, &mut recent, ids, &group.appends, space)?;
    drop(recent);
    if shared.opener == Opener::Shared && appends.iter().any(|a| a.new + a.conflicting > 0) {
        conn.prepare_cached("UPDATE counter SET value = value + 1 WHERE name = 'shared_commits'")?
            .execute([])?;
    }
    for (item, _) in &group.memories {
        memory::remember(conn, item)?;
    }
    let quarantine = if group.items.is_empty() {
        None
    } else {
        let items: Vec<&Quarantined> = group.items.iter().map(|(item, _)| item).collect();
        Some(quarantine::add(conn, &items, &shared.options)?)
    };
    Ok(Settled { appends, seq, quarantine })
}

/// When the write-ahead log is next written back, in frames.
struct LogState {
    soft: i64,
    hard: i64,
    /// Length at which the next attempt is due.
    due: i64,
    /// Length when last looked at.
    seen: i64,
}

impl LogState {
    fn new(options: &StoreOptions) -> Self {
        let frames = |bytes: u64| i64::try_from(bytes / FRAME_BYTES).unwrap_or(i64::MAX).max(1);
        let soft = frames(options.wal_bytes_soft);
        Self { soft, hard: frames(options.wal_bytes_hard), due: soft, seen: 0 }
    }

    /// Copies the log to the database file when enough has gathered. Beyond the hard limit readers
    /// are waited for, so that the next commit begins the log again. An attempt that readers
    /// hindered is repeated only when the log has grown on: a forgotten reader must not stall every commit.
    fn write_back(&mut self, conn: &Connection, busy_timeout: Duration) -> Result<(), rusqlite::Error> {
        let (length, done) = checkpoint(conn, "NOOP")?;
        if length < self.seen || length == done {
            self.due = self.soft;
        }
        self.seen = length;
        if length == done || length < self.due {
            return Ok(());
        }
        self.due = length + self.soft;
        let (length, done) = if length < self.hard {
            checkpoint(conn, "PASSIVE")?
        } else {
            conn.busy_timeout(READERS_WAIT)?;
            let outcome = checkpoint(conn, "RESTART");
            conn.busy_timeout(busy_timeout)?;
            outcome?
        };
        if length == done {
            self.due = self.soft;
        }
        Ok(())
    }
}

/// Writes the whole log back to the database file, which syncs both. What the kernel held and forgot after a failed
/// sync is written again by this, out of the log as it is read.
fn make_sure(conn: &Connection) -> Result<(), Fault> {
    for _ in 0..SURE_ATTEMPTS {
        let (length, done) = checkpoint(conn, "PASSIVE")?;
        if length == done {
            return Ok(());
        }
        // A reader is on an older state; readers of this program are quick.
        std::thread::sleep(SURE_PAUSE);
    }
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    Err(rusqlite::Error::SqliteFailure(busy, Some("a reader keeps the log from being written back".into()))
        .into())
}

/// Length of the log and how much of it the database file has, in frames.
fn checkpoint(conn: &Connection, mode: &str) -> Result<(i64, i64), rusqlite::Error> {
    conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| Ok((row.get(1)?, row.get(2)?)))
}
