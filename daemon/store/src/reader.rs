//! Reading back, on connections that can only read and that no slow caller can keep in a transaction.
//!
//! Must never: hold a snapshot while a caller's function runs: an old snapshot keeps the write-ahead
//! log from being written back, and it would grow without bound.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use model::{Instant, Origin, Quality, SeriesKey, Value};
use rusqlite::{Connection, OptionalExtension, Row};

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

impl Store {
    /// Gives the readings of a series to `f` in order of (observed at, origin), from `from` on and
    /// before `to`, until it breaks. Returns how many were given.
    ///
    /// Memory is bounded by one chunk. A reading that arrives meanwhile behind the place reached is
    /// not given; the journal may be read again at any time.
    pub fn for_each_reading(
        &self,
        series: &SeriesKey,
        from: Option<Instant>,
        to: Option<Instant>,
        f: &mut dyn FnMut(&StoredReading) -> ControlFlow<()>,
    ) -> Result<u64, StoreError> {
        let last_ms = match to.map(Instant::millis) {
            None => i64::MAX,
            Some(i64::MIN) => return Ok(0),
            Some(ms) => ms - 1,
        };
        let Some(id) = self.read("find a series", |conn| series::find(conn, series))? else { return Ok(0) };
        // Origin codes begin at 0: -1 stands before all of them.
        let mut after = (from.map_or(i64::MIN, Instant::millis), -1);
        let mut chunk = Vec::new();
        let mut given = 0;
        loop {
            chunk.clear();
            self.read("read readings", |conn| fetch(conn, id, after, last_ms, &mut chunk))?;
            for reading in &chunk {
                given += 1;
                if f(reading).is_break() {
                    return Ok(given);
                }
            }
            match chunk.last() {
                Some(last) if chunk.len() == CHUNK_READINGS => {
                    after = (last.observed_at.millis(), codes::origin_code(last.origin));
                }
                _ => return Ok(given),
            }
        }
    }

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
        self.edge(
            series,
            "SELECT at_ms, origin, quality, delay_ms, value FROM reading
             WHERE series = ?1 ORDER BY at_ms DESC, origin DESC LIMIT 1",
        )
    }

    /// The reading of a series observed first.
    pub fn first(&self, series: &SeriesKey) -> Result<Option<StoredReading>, StoreError> {
        self.edge(
            series,
            "SELECT at_ms, origin, quality, delay_ms, value FROM reading
             WHERE series = ?1 ORDER BY at_ms, origin LIMIT 1",
        )
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
        self.read("read conflicts", |conn| {
            let mut select = conn.prepare_cached(
                "SELECT c.at_ms, c.origin, c.quality, c.delay_ms, c.value, r.value, s.meter, s.quantity, s.phase
                 FROM conflict c
                 JOIN reading r ON r.series = c.series AND r.at_ms = c.at_ms AND r.origin = c.origin
                 JOIN series s ON s.id = c.series
                 ORDER BY c.series, c.at_ms, c.origin, c.value LIMIT ?1",
            )?;
            let mut rows = select.query([limit])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let kept = codes::value(row.get_ref(5)?)?;
                all.push(Conflict { series: series::key(row, 6)?, kept, later: stored(row, 0)? });
            }
            Ok(all)
        })
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
