//! Reading back, on connections that can only read and that no slow caller can keep in a transaction.
//!
//! Must never: hold a snapshot while a caller's function runs: an old snapshot keeps the write-ahead
//! log from being written back, and it would grow without bound.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use model::{Instant, MeterId, Origin, Quality, Reading, SeriesKey, Value};
use rusqlite::{Connection, Row as SqlRow};

use crate::archive::manifest::{self, ArchivedMonth};
use crate::chunks::{self, Header};
use crate::codes;
use crate::error::{Fault, StoreError};
use crate::months::{month_of, month_start_ms};
use crate::recent::Recent;
use crate::row::{self, Row};
use crate::schema;
use crate::series;
use crate::store::Store;

/// Readings fetched at a time, and a chunk more; 40 bytes each.
const PIECE_READINGS: usize = 8_192;
/// Chunks looked at to find them.
const HEADERS: i64 = 64;

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

/// The journal's rows of a series, a piece at a time.
pub(crate) struct JournalRows<'s> {
    store: &'s Store,
    /// `None` for a series that the journal never had.
    id: Option<i64>,
    is_total: bool,
    /// Where the next piece begins.
    from: (i64, u8),
    last_ms: i64,
    piece: Vec<StoredReading>,
    next: usize,
    ended: bool,
}

/// What a piece is made of.
struct Piece {
    chunks: Vec<Header>,
    recent: Vec<Row>,
    /// The piece holds everything up to here.
    end: (i64, u8),
    /// Whether something may follow.
    more: bool,
}

impl<'s> JournalRows<'s> {
    pub(crate) fn new(
        store: &'s Store,
        series: &SeriesKey,
        from_ms: i64,
        last_ms: i64,
    ) -> Result<Self, StoreError> {
        let id = store.read("find a series", |conn| series::find(conn, series))?;
        Ok(Self {
            store,
            id,
            is_total: row::is_total(series),
            from: (from_ms, 0),
            last_ms,
            piece: Vec::new(),
            next: 0,
            ended: id.is_none() || last_ms < from_ms,
        })
    }

    /// The row that comes next; it stays until [`Self::advance`].
    pub(crate) fn peek(&mut self) -> Result<Option<StoredReading>, StoreError> {
        while self.next == self.piece.len() && !self.ended {
            self.fill()?;
        }
        Ok(self.piece.get(self.next).copied())
    }

    pub(crate) fn advance(&mut self) {
        self.next = (self.next + 1).min(self.piece.len());
    }

    /// The next piece, in a short transaction of its own. It may be empty though more follows.
    fn fill(&mut self) -> Result<(), StoreError> {
        let Some(id) = self.id else { return Ok(()) };
        let (from, last_ms, is_total) = (self.from, self.last_ms, self.is_total);
        let (rows, end, more) = self.store.view(
            "read readings",
            |recent, conn| piece(recent, conn, id, from, last_ms),
            |conn, piece| {
                let mut rows = Vec::new();
                let mut chunk = Vec::new();
                for header in &piece.chunks {
                    chunk.clear();
                    chunks::load(conn, header.id, &mut chunk)?;
                    let wanted = |row: &&Row| from <= row.identity() && row.identity() <= piece.end;
                    rows.extend(chunk.iter().filter(wanted));
                }
                rows.extend(&piece.recent);
                if !rows.is_sorted_by_key(Row::identity) {
                    rows.sort_by_key(Row::identity);
                }
                let rows = rows.iter().map(|row| row.stored(is_total)).collect::<Result<Vec<_>, _>>()?;
                Ok((rows, piece.end, piece.more))
            },
        )?;
        self.piece = rows;
        self.next = 0;
        self.ended = !more;
        self.from = match end.1.checked_add(1) {
            Some(origin) => (end.0, origin),
            // Beyond the last instant that there can be nothing follows.
            None => (end.0.saturating_add(1), 0),
        };
        Ok(())
    }
}

/// What the next piece is made of: some chunks, and the recent rows up to the first chunk that is left out.
fn piece(
    recent: &mut Recent,
    conn: &Connection,
    series: i64,
    from: (i64, u8),
    last_ms: i64,
) -> Result<Piece, Fault> {
    let mut limit = HEADERS;
    let (chunks, next_ms) = loop {
        let mut headers = chunks::headers(conn, series, from.0, last_ms, limit)?;
        let mut sum = 0;
        // Chunks that overlap at the beginning go together, however many there are.
        let taken = headers.iter().take_while(|header| {
            let wanted = sum < PIECE_READINGS as i64 || header.first_ms <= from.0;
            sum += header.readings;
            wanted
        });
        let taken = taken.count();
        if taken < headers.len() {
            let next_ms = headers[taken].first_ms;
            headers.truncate(taken);
            break (headers, Some(next_ms));
        }
        if (headers.len() as i64) < limit {
            break (headers, None);
        }
        limit *= 2;
    };
    let mut end = next_ms.map_or((last_ms, u8::MAX), |ms| (ms - 1, u8::MAX));
    let mut more = next_ms.is_some();
    let mut rows = recent.known(series).map_or(&[][..], |series| series.between(from, end));
    if let Some(cut) = rows.get(..PIECE_READINGS)
        && let Some(last) = cut.last()
        && cut.len() < rows.len()
    {
        (end, more, rows) = (last.identity(), true, cut);
    }
    Ok(Piece { chunks, recent: rows.to_vec(), end, more })
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
        let in_journal = self.journal_edge(series, Edge::Last)?;
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
        let in_journal = self.journal_edge(series, Edge::First)?;
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

    fn journal_edge(&self, key: &SeriesKey, edge: Edge) -> Result<Option<StoredReading>, StoreError> {
        self.view(
            "read the edge of a series",
            |recent, conn| {
                let Some(id) = series::find(conn, key)? else { return Ok(None) };
                let rows = recent.known(id).map_or(&[][..], |series| series.rows());
                let row = match edge {
                    Edge::First => rows.first(),
                    Edge::Last => rows.last(),
                };
                Ok(Some((id, row.copied())))
            },
            |conn, found| {
                let Some((id, recent)) = found else { return Ok(None) };
                let mut rows = Vec::from_iter(recent);
                for chunk in edge_chunks(conn, id, edge)? {
                    chunks::load(conn, chunk, &mut rows)?;
                }
                let row = match edge {
                    Edge::First => rows.iter().min_by_key(|row| row.identity()),
                    Edge::Last => rows.iter().max_by_key(|row| row.identity()),
                };
                row.map(|row| row.stored(row::is_total(key))).transpose()
            },
        )
    }

    fn archived_edge(
        &self,
        month: &ArchivedMonth,
        series: &SeriesKey,
        edge: Edge,
    ) -> Result<Option<StoredReading>, StoreError> {
        let file = self.archive().file(month)?;
        let groups = file.groups(series);
        let group = match edge {
            Edge::First => groups.clone().next(),
            Edge::Last => groups.clone().next_back(),
        };
        let Some(group) = group else { return Ok(None) };
        let failed = |source| self.archive().failed(&month.name, "read", source);
        let mut rows = file.rows(group).map_err(failed)?;
        if let Edge::Last = edge {
            rows.skip_to_last().map_err(failed)?;
        }
        let mut batch = Vec::new();
        rows.next(&mut batch).map_err(failed)?;
        Ok(batch.first().copied())
    }

    /// The time of the earliest reading in the journal, of whichever series; what is archived does not count.
    pub fn journal_first_at(&self) -> Result<Option<Instant>, StoreError> {
        self.view(
            "look for the earliest reading",
            |recent, _| {
                let ids = recent.with_rows();
                let firsts =
                    ids.into_iter().filter_map(|id| recent.series(id).rows().first().map(|r| r.at_ms));
                Ok(firsts.min())
            },
            |conn, recent| {
                let first: Option<i64> = conn.query_row(
                    "SELECT min((SELECT min(first_ms) FROM chunk WHERE series = series.id)) FROM series",
                    [],
                    |row| row.get(0),
                )?;
                Ok(first.into_iter().chain(recent).min().map(Instant::from_millis))
            },
        )
    }

    /// When the series begins.
    pub fn first_at(&self, series: &SeriesKey) -> Result<Option<Instant>, StoreError> {
        Ok(self.first(series)?.map(|reading| reading.observed_at))
    }

    /// Values that came under the identity of another reading, at most `limit`, in order of series and time.
    pub fn conflicts(&self, limit: u32) -> Result<Vec<Conflict>, StoreError> {
        let found = self.read("read conflicts", |conn| {
            let mut select = conn.prepare_cached(
                "SELECT c.at_ms, c.origin, c.quality, c.delay_ms, c.value, s.meter, s.quantity, s.phase
                 FROM conflict c JOIN series s ON s.id = c.series
                 ORDER BY c.series, c.at_ms, c.origin, c.value LIMIT ?1",
            )?;
            let mut rows = select.query([limit])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push((series::key(row, 5)?, stored(row, 0)?));
            }
            Ok(all)
        })?;
        self.beside_kept(found)
    }

    /// Values of one meter that came under the identity of another reading, at most `limit`, those of the latest
    /// instants first.
    pub fn conflicts_of(&self, meter: &MeterId, limit: u32) -> Result<Vec<Conflict>, StoreError> {
        let mut found = self.read("read a meter's conflicts", |conn| {
            let mut of_series = conn.prepare_cached(
                "SELECT at_ms, origin, quality, delay_ms, value FROM conflict
                 WHERE series = ?1 ORDER BY at_ms DESC, origin DESC, value DESC LIMIT ?2",
            )?;
            let mut all = Vec::new();
            for (id, series) in series_of(conn, meter)? {
                let mut rows = of_series.query((id, limit))?;
                while let Some(row) = rows.next()? {
                    all.push((series.clone(), stored(row, 0)?));
                }
            }
            Ok(all)
        })?;
        found.sort_by_key(|(_, later)| std::cmp::Reverse(later.observed_at));
        found.truncate(limit as usize);
        self.beside_kept(found)
    }

    /// How many values of one meter came under the identity of another reading.
    pub fn conflict_count(&self, meter: &MeterId) -> Result<u64, StoreError> {
        self.read("count a meter's conflicts", |conn| {
            let count: i64 = conn
                .prepare_cached(
                    "SELECT count(*) FROM series s JOIN conflict c ON c.series = s.id WHERE s.meter = ?1",
                )?
                .query_row([meter.as_str()], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// Those of the readings that were put aside because another value stands under their identity.
    pub fn conflicts_among(&self, readings: &[Reading]) -> Result<Vec<Conflict>, StoreError> {
        let found = self.read("look for conflicts", |conn| {
            let mut aside = conn.prepare_cached(
                "SELECT at_ms, origin, quality, delay_ms, value FROM conflict
                 WHERE series = ?1 AND at_ms = ?2 AND origin = ?3 AND value = ?4",
            )?;
            let mut all = Vec::new();
            for reading in readings {
                let Some(id) = series::find(conn, &reading.series)? else { continue };
                let mut rows = aside.query((
                    id,
                    reading.observed_at.millis(),
                    codes::origin_code(reading.origin),
                    codes::value_to_sql(reading.value),
                ))?;
                if let Some(row) = rows.next()? {
                    all.push((reading.series.clone(), stored(row, 0)?));
                }
            }
            Ok(all)
        })?;
        self.beside_kept(found)
    }

    /// What was put aside, each with what stands in its place.
    fn beside_kept(&self, found: Vec<(SeriesKey, StoredReading)>) -> Result<Vec<Conflict>, StoreError> {
        let mut all = Vec::with_capacity(found.len());
        for (series, later) in found {
            let kept = self.value_at(&series, &later)?;
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

/// The series of a meter with their ids.
fn series_of(conn: &Connection, meter: &MeterId) -> Result<Vec<(i64, SeriesKey)>, Fault> {
    let mut select = conn.prepare_cached("SELECT id, meter, quantity, phase FROM series WHERE meter = ?1")?;
    let mut rows = select.query([meter.as_str()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push((row.get(0)?, series::key(row, 1)?));
    }
    Ok(all)
}

/// The chunks that may hold the first or the last reading of a series.
fn edge_chunks(conn: &Connection, series: i64, edge: Edge) -> Result<Vec<i64>, Fault> {
    let first_ms = |function: &str| -> Result<Option<i64>, Fault> {
        let sql = format!("SELECT {function}(first_ms) FROM chunk WHERE series = ?1");
        Ok(conn.prepare_cached(&sql)?.query_row([series], |row| row.get(0))?)
    };
    let found = match edge {
        Edge::First => first_ms("min")?.map(|ms| chunks::headers(conn, series, ms, ms, i64::MAX)),
        // The last reading stands in the last month that has any.
        Edge::Last => first_ms("max")?.map(|ms| {
            let month_ms = month_start_ms(month_of(ms));
            chunks::headers(conn, series, month_ms, i64::MAX, i64::MAX)
        }),
    };
    let mut headers = found.transpose()?.unwrap_or_default();
    if let Edge::Last = edge {
        let last_ms = headers.iter().map(|header| header.last_ms).max();
        headers.retain(|header| Some(header.last_ms) == last_ms);
    }
    Ok(headers.into_iter().map(|header| header.id).collect())
}

/// Reads the columns at_ms, origin, quality, delay_ms, value that begin at `first`.
fn stored(row: &SqlRow<'_>, first: usize) -> Result<StoredReading, Fault> {
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
