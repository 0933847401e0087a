//! The one writer: takes whatever waits, puts it in one transaction, and answers after COMMIT.
//!
//! Must never: answer before the disk has it, let one failure end it, or panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::{Reading, Value};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Semaphore, oneshot};

use crate::codes;
use crate::error::{Fault, StoreError};
use crate::memory::{self, Remembered};
use crate::options::StoreOptions;
use crate::quarantine::{self, Occupancy, Quarantined};
use crate::schema::{self, Opener};
use crate::series::SeriesIds;
use crate::stats::Counters;
use crate::store::Appended;
use crate::tally::{self, Counted, SeriesTallies};

/// SQLite's default, kept: bytes of a page, and of its frame in the write-ahead log.
const PAGE_BYTES: u64 = 4_096;
const FRAME_BYTES: u64 = PAGE_BYTES + 24;

/// Longest wait for readers when the log must begin again.
const READERS_WAIT: Duration = Duration::from_secs(1);

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
}

impl Shared {
    pub(crate) fn closed(&self) -> StoreError {
        StoreError::Closed { path: self.path.clone() }
    }
}

/// A reading as it goes into the table, with the append it came in.
struct Row {
    series: i64,
    at_ms: i64,
    origin: i64,
    quality: i64,
    delay_ms: i64,
    value: Value,
    append: usize,
    counted: Option<Counted>,
}

/// What goes into one commit.
#[derive(Default)]
struct Group {
    appends: Vec<Append>,
    items: Vec<(Quarantined, Reply<()>)>,
    memories: Vec<(Remembered, Reply<()>)>,
    readings: usize,
    /// Permits of the queue to give back.
    room: usize,
}

impl Group {
    /// Takes the job in, or gives it back when it is of another kind.
    fn take(&mut self, job: Job) -> Option<Job> {
        match job {
            Job::Append(append) => {
                self.readings += append.readings.len();
                self.room += append.readings.len();
                self.appends.push(append);
            }
            Job::Quarantine { item, room, reply } => {
                self.room += room as usize;
                self.items.push((item, reply));
            }
            Job::Remember { item, room, reply } => {
                self.room += room as usize;
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
    quarantine: Option<Occupancy>,
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    /// `None` after a failure that makes a new connection advisable.
    conn: Option<Connection>,
    ids: SeriesIds,
    rows: Vec<Row>,
    /// The bound last told to the connection.
    quota_pages: Option<u64>,
    log: LogState,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, conn: Connection) -> Self {
        let log = LogState::new(&shared.options);
        Self { shared, conn: Some(conn), ids: SeriesIds::default(), rows: Vec::new(), quota_pages: None, log }
    }

    /// Works until told to close, or until nobody is left to tell.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        let mut carried = None;
        while let Some(job) = carried.take().or_else(|| jobs.recv().ok()) {
            match job {
                Job::Close => break,
                Job::Task(task) => task(&mut self),
                job @ (Job::Append(_) | Job::Quarantine { .. } | Job::Remember { .. }) => {
                    let group;
                    (group, carried) = self.gather(job, jobs);
                    self.commit(group);
                }
            }
            self.write_back();
        }
    }

    /// Everything that waits, up to the bound of a commit, until a job of another kind.
    fn gather(&self, first: Job, jobs: &Receiver<Job>) -> (Group, Option<Job>) {
        let mut group = Group::default();
        let mut other = group.take(first);
        let most = self.shared.options.commit_readings_max as usize;
        while other.is_none() && group.room < most {
            let Ok(job) = jobs.try_recv() else { break };
            other = group.take(job);
        }
        (group, other)
    }

    fn commit(&mut self, group: Group) {
        let started = Instant::now();
        let shared = Arc::clone(&self.shared);
        let mut rows = std::mem::take(&mut self.rows);
        let outcome =
            self.transaction("commit readings", |conn, ids| settle(conn, ids, &mut rows, &group, &shared));
        rows.clear();
        self.rows = rows;
        let took = started.elapsed();

        let counters = &shared.counters;
        let readings = group.readings as u64;
        let depth = counters.waiting.fetch_sub(readings, Relaxed).saturating_sub(readings);
        shared.room.add_permits(group.room);
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
    rows: &mut Vec<Row>,
    group: &Group,
    shared: &Shared,
) -> Result<Settled, Fault> {
    for (append, Append { readings, counted, .. }) in group.appends.iter().enumerate() {
        let mut counted = counted.iter();
        for reading in readings {
            let counted = counted.next().copied().flatten();
            rows.push(Row { counted, ..row(ids.id(conn, &reading.series)?, reading, append)? });
        }
    }
    // In key order each page of the tree is visited once; the sort is stable, so the first to come stays first.
    rows.sort_by_key(|row| (row.series, row.at_ms, row.origin));
    let mut appends = vec![Appended::default(); group.appends.len()];
    insert(conn, rows, &mut appends)?;
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
    Ok(Settled { appends, quarantine })
}

fn row(series: i64, reading: &Reading, append: usize) -> Result<Row, Fault> {
    let at_ms = reading.observed_at.millis();
    let delay_ms = reading.received_at.millis().checked_sub(at_ms);
    Ok(Row {
        series,
        at_ms,
        origin: codes::origin_code(reading.origin),
        quality: codes::quality_code(reading.quality),
        delay_ms: delay_ms
            .ok_or_else(|| StoreError::refused("a reading", "its instants are out of range"))?,
        value: reading.value,
        append,
        counted: None,
    })
}

fn insert(conn: &Connection, rows: &[Row], appends: &mut [Appended]) -> Result<(), Fault> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO reading (series, at_ms, origin, quality, delay_ms, value)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
    )?;
    let mut tallies = SeriesTallies::new();
    for row in rows {
        let value = codes::value_to_sql(row.value);
        let count = &mut appends[row.append];
        let is_new =
            insert.execute((row.series, row.at_ms, row.origin, row.quality, row.delay_ms, value))? == 1;
        if is_new {
            count.new += 1;
        } else if standing(conn, row)? == row.value {
            count.duplicate += 1;
            continue;
        } else {
            keep_conflict(conn, row)?;
            count.conflicting += 1;
        }
        if let Some(counted) = row.counted {
            tally::note(&mut tallies, row.series, counted, is_new);
        }
    }
    tally::add_of_series(conn, &tallies)
}

/// The value already standing under the identity of a row.
fn standing(conn: &Connection, row: &Row) -> Result<Value, Fault> {
    let mut select =
        conn.prepare_cached("SELECT value FROM reading WHERE series = ?1 AND at_ms = ?2 AND origin = ?3")?;
    select.query_row((row.series, row.at_ms, row.origin), |found| Ok(codes::value(found.get_ref(0)?)))?
}

/// Keeps the other value aside, once however often it comes.
fn keep_conflict(conn: &Connection, row: &Row) -> Result<(), Fault> {
    let value = codes::value_to_sql(row.value);
    conn.prepare_cached(
        "INSERT INTO conflict (series, at_ms, origin, value, quality, delay_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
    )?
    .execute((row.series, row.at_ms, row.origin, value, row.quality, row.delay_ms))?;
    Ok(())
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

/// Length of the log and how much of it the database file has, in frames.
fn checkpoint(conn: &Connection, mode: &str) -> Result<(i64, i64), rusqlite::Error> {
    conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| Ok((row.get(1)?, row.get(2)?)))
}
