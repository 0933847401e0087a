//! Reading back, on connections that can only read and that no slow caller can keep in a transaction.
//!
//! Must never: hold a snapshot while a caller's function runs: an old snapshot keeps the write-ahead
//! log from being written back, and it would grow without bound.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use model::{Instant, Origin, Quality, SeriesKey, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::archive::manifest::{self, ArchivedMonth};
use crate::codes;
use crate::error::{Fault, StoreError};
use crate::schema;
use crate::series;
use crate::store::Store;

/// Readings fetched at a time; 40 bytes each.
const CHUNK_READINGS: usize = 8_192;

/// Statements kept prepared in each reading connection.
const STATEMENTS: usize = 32;

/// A reading as it stands in the journal; its series is known to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StoredReading {
    pub observed_at: Instant,
    pub received_at: Instant,
    pub value: Value,
    pub quality: Quality,
    pub origin: Origin,
}

/// A value that came under the identity of a reading that already had another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    pub series: SeriesKey,
    /// What stands in the journal.
    pub kept: Value,
    /// What came later.
    pub later: StoredReading,
}

/// Which end of a series.
#[derive(Debug, Clone, Copy)]
enum Edge {
    First,
    Last,
}

/// A small pool: a connection is opened when none is free, up to the bound; beyond it callers wait.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    busy_timeout: Duration,
    max: usize,
    slots: Mutex<Slots>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Slots {
    idle: Vec<Connection>,
    lent: usize,
}

/// Gives its place back even when the work panics.
struct Lease<'a> {
    readers: &'a Readers,
    conn: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut slots = self.readers.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.lent -= 1;
        slots.idle.extend(self.conn.take());
        drop(slots);
        self.readers.freed.notify_one();
    }
}

impl Readers {
    pub(crate) fn new(path: PathBuf, busy_timeout: Duration, max: usize) -> Self {
        Self { path, busy_timeout, max, slots: Mutex::default(), freed: Condvar::new() }
    }

    /// Runs `work` on a free connection. A connection that failed is not used again.
    pub(crate) fn read<T>(
        &self,
        attempt: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let mut lease = self.lease();
        let run = || {
            let conn = match lease.conn.take() {
                Some(conn) => conn,
                None => {
                    let conn = schema::open_reader(&self.path, self.busy_timeout)?;
                    conn.set_prepared_statement_cache_capacity(STATEMENTS);
                    conn
                }
            };
            let done = work(&conn)?;
            lease.conn = Some(conn);
            Ok(done)
        };
        run().map_err(|fault: Fault| fault.at(&self.path, attempt))
    }

    fn lease(&self) -> Lease<'_> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slots =
            self.freed.wait_while(slots, |s| s.lent >= self.max).unwrap_or_else(PoisonError::into_inner);
        slots.lent += 1;
        Lease { readers: self, conn: slots.idle.pop() }
    }

    /// Closes what is idle, so that the last connection of the process to close can tidy the log.
    pub(crate) fn close_idle(&self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).idle.clear();
    }
}

/// The journal's rows of a series, a chunk at a time.
pub(crate) struct JournalRows<'s> {
    store: &'s Store,
    /// `None` for a series that the journal never had.
    id: Option<i64>,
    after: (i64, i64),
    last_ms: i64,
    chunk: Vec<StoredReading>,
    next: usize,
    ended: bool,
}

impl<'s> JournalRows<'s> {
    pub(crate) fn new(
        store: &'s Store,
        series: &SeriesKey,
        from_ms: i64,
        last_ms: i64,
    ) -> Result<Self, StoreError> {
        let id = store.read("find a series", |conn| series::find(conn, series))?;
        // Origin codes begin at 0: -1 stands before all of them.
        let after = (from_ms, -1);
        Ok(Self { store, id, after, last_ms, chunk: Vec::new(), next: 0, ended: id.is_none() })
    }

    /// The row that comes next; it stays until [`Self::advance`].
    pub(crate) fn peek(&mut self) -> Result<Option<StoredReading>, StoreError> {
        if self.next == self.chunk.len() && !self.ended {
            self.fill()?;
        }
        Ok(self.chunk.get(self.next).copied())
    }

    pub(crate) fn advance(&mut self) {
        self.next = (self.next + 1).min(self.chunk.len());
    }

    fn fill(&mut self) -> Result<(), StoreError> {
        let Some(id) = self.id else { return Ok(()) };
        self.chunk.clear();
        self.next = 0;
        let Self { store, after, last_ms, chunk, .. } = self;
        store.read("read readings", |conn| fetch(conn, id, *after, *last_ms, chunk))?;
        self.ended = self.chunk.len() < CHUNK_READINGS;
        if let Some(last) = self.chunk.last() {
            self.after = (last.observed_at.millis(), codes::origin_code(last.origin));
        }
        Ok(())
    }
}

impl Store {
    /// Every series that ever had a reading, in order.
    pub fn series(&self) -> Result<Vec<SeriesKey>, StoreError> {
        self.read("list the series", |conn| {
            let mut select = conn.prepare_cached("SELECT meter, quantity, phase FROM series")?;
            let mut rows = select.query([])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(series::key(row, 0)?);
            }
            all.sort_unstable();
            Ok(all)
        })
    }

    /// The reading of a series observed last.
    pub fn latest(&self, series: &SeriesKey) -> Result<Option<StoredReading>, StoreError> {
        let in_journal = self.edge(
            series,
            "SELECT at_ms, origin, quality, delay_ms, value FROM reading
             WHERE series = ?1 ORDER BY at_ms DESC, origin DESC LIMIT 1",
        )?;
        let after_ms = in_journal.map_or(i64::MIN, |r| r.observed_at.millis());
        let months =
            self.read("read the archive's manifest", |conn| manifest::current(conn, after_ms, i64::MAX))?;
        for month in months.iter().rev() {
            if let Some(archived) = self.archived_edge(month, series, Edge::Last)? {
                return Ok(Some(
                    in_journal.filter(|r| archived.observed_at < r.observed_at).unwrap_or(archived),
                ));
            }
        }
        Ok(in_journal)
    }

    /// The reading of a series observed first.
    pub fn first(&self, series: &SeriesKey) -> Result<Option<StoredReading>, StoreError> {
        let in_journal = self.edge(
            series,
            "SELECT at_ms, origin, quality, delay_ms, value FROM reading
             WHERE series = ?1 ORDER BY at_ms, origin LIMIT 1",
        )?;
        let before_ms = in_journal.map_or(i64::MAX, |r| r.observed_at.millis());
        let months =
            self.read("read the archive's manifest", |conn| manifest::current(conn, i64::MIN, before_ms))?;
        for month in &months {
            if let Some(archived) = self.archived_edge(month, series, Edge::First)? {
                return Ok(Some(
                    in_journal.filter(|r| r.observed_at < archived.observed_at).unwrap_or(archived),
                ));
            }
        }
        Ok(in_journal)
    }

    fn archived_edge(
        &self,
        month: &ArchivedMonth,
        series: &SeriesKey,
        edge: Edge,
    ) -> Result<Option<StoredReading>, StoreError> {
        let file = self.archived(month)?;
        let groups = file.groups(series);
        let group = match edge {
            Edge::First => groups.clone().next(),
            Edge::Last => groups.clone().next_back(),
        };
        let Some(group) = group else { return Ok(None) };
        let failed = |source| self.archive_failed(&month.name, "read", source);
        let mut rows = file.rows(group).map_err(failed)?;
        let mut batch = Vec::new();
        let mut found = None;
        while rows.next(&mut batch).map_err(failed)? {
            match edge {
                Edge::First => return Ok(batch.first().copied()),
                Edge::Last => found = batch.last().copied(),
            }
            batch.clear();
        }
        Ok(found)
    }

    /// The time of the earliest reading in the journal, of whichever series; what is archived does not count.
    pub fn journal_first_at(&self) -> Result<Option<Instant>, StoreError> {
        self.read("look for the earliest reading", |conn| {
            let first: Option<i64> = conn.query_row(
                "SELECT min((SELECT min(at_ms) FROM reading WHERE series = series.id)) FROM series",
                [],
                |row| row.get(0),
            )?;
            Ok(first.map(Instant::from_millis))
        })
    }

    /// When the series begins.
    pub fn first_at(&self, series: &SeriesKey) -> Result<Option<Instant>, StoreError> {
        Ok(self.first(series)?.map(|reading| reading.observed_at))
    }

    fn edge(&self, key: &SeriesKey, sql: &str) -> Result<Option<StoredReading>, StoreError> {
        self.read("read the edge of a series", |conn| {
            let Some(id) = series::find(conn, key)? else { return Ok(None) };
            let mut select = conn.prepare_cached(sql)?;
            let found = select.query_row([id], |row| Ok(stored(row, 0))).optional()?;
            found.transpose()
        })
    }

    /// Values that came under the identity of another reading, at most `limit`, in order of series and time.
    pub fn conflicts(&self, limit: u32) -> Result<Vec<Conflict>, StoreError> {
        let found = self.read("read conflicts", |conn| {
            let mut select = conn.prepare_cached(
                "SELECT c.at_ms, c.origin, c.quality, c.delay_ms, c.value, r.value, s.meter, s.quantity, s.phase
                 FROM conflict c
                 LEFT JOIN reading r ON r.series = c.series AND r.at_ms = c.at_ms AND r.origin = c.origin
                 JOIN series s ON s.id = c.series
                 ORDER BY c.series, c.at_ms, c.origin, c.value LIMIT ?1",
            )?;
            let mut rows = select.query([limit])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let kept = match row.get_ref(5)? {
                    ValueRef::Null => None,
                    value => Some(codes::value(value)?),
                };
                all.push((series::key(row, 6)?, kept, stored(row, 0)?));
            }
            Ok(all)
        })?;
        let mut all = Vec::with_capacity(found.len());
        for (series, kept, later) in found {
            let kept = match kept {
                Some(kept) => Some(kept),
                None => self.value_at(&series, &later)?,
            };
            all.extend(kept.map(|kept| Conflict { series, kept, later }));
        }
        Ok(all)
    }

    /// The value that stands under the identity of another reading, wherever it stands.
    fn value_at(&self, series: &SeriesKey, other: &StoredReading) -> Result<Option<Value>, StoreError> {
        let mut value = None;
        let end = other.observed_at.plus_millis(1);
        self.for_each_reading(series, Some(other.observed_at), Some(end), &mut |reading| {
            if reading.origin == other.origin {
                value = Some(reading.value);
            }
            ControlFlow::Continue(())
        })?;
        Ok(value)
    }

    /// A number that grows whenever people's records, bills or temperatures change, or another process
    /// adds readings to this store; unchanged, nothing of that kind happened. Cheap enough to ask every second.
    pub fn change_stamp(&self) -> Result<u64, StoreError> {
        self.read("read the change stamp", |conn| {
            let stamp: i64 = conn
                .prepare_cached(
                    "SELECT (SELECT coalesce(max(seq), 0) FROM audit)
                          + (SELECT value FROM counter WHERE name = 'shared_commits')",
                )?
                .query_row([], |row| row.get(0))?;
            Ok(stamp.unsigned_abs())
        })
    }
}

/// One chunk in a short transaction of its own.
fn fetch(
    conn: &Connection,
    series: i64,
    after: (i64, i64),
    last_ms: i64,
    chunk: &mut Vec<StoredReading>,
) -> Result<(), Fault> {
    let mut select = conn.prepare_cached(
        "SELECT at_ms, origin, quality, delay_ms, value FROM reading
         WHERE series = ?1 AND (at_ms, origin) > (?2, ?3) AND at_ms <= ?4
         ORDER BY at_ms, origin LIMIT ?5",
    )?;
    let mut rows = select.query((series, after.0, after.1, last_ms, CHUNK_READINGS as i64))?;
    while let Some(row) = rows.next()? {
        chunk.push(stored(row, 0)?);
    }
    Ok(())
}

/// Reads the columns at_ms, origin, quality, delay_ms, value that begin at `first`.
fn stored(row: &Row<'_>, first: usize) -> Result<StoredReading, Fault> {
    let at_ms: i64 = row.get(first)?;
    let delay_ms: i64 = row.get(first + 3)?;
    let received_ms = at_ms
        .checked_add(delay_ms)
        .ok_or_else(|| Fault::Unreadable(format!("a reading at {at_ms} ms with the delay {delay_ms} ms")))?;
    Ok(StoredReading {
        observed_at: Instant::from_millis(at_ms),
        received_at: Instant::from_millis(received_ms),
        value: codes::value(row.get_ref(first + 4)?)?,
        quality: codes::quality(row.get(first + 2)?)?,
        origin: codes::origin(row.get(first + 1)?)?,
    })
}
