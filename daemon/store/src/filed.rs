//! Intervals and totals from files, with the rule that of two statements the one received later counts.
//!
//! Must never: let two intervals of one series overlap, or a rectification be undone by the file it rectified.

use std::collections::BTreeMap;

use model::{Digest, FiledInterval, FiledTotal, Instant, SeriesKey};
use rusqlite::{Connection, Row};

use crate::audit::FieldHasher;
use crate::error::{Fault, StoreError};
use crate::finer::{self, Clash};
use crate::imports::{self, ImportCount, ImportNote, ImportRow};
use crate::series;
use crate::store::Store;

/// Instants a file may speak of: 1990 to 2101.
const MILLIS: std::ops::Range<i64> = 631_152_000_000..4_133_980_800_000;

/// In the order in which SQL sorts: meter, quantity, phase, instant.
type Key = (model::MeterId, &'static str, &'static str, i64);

fn key(series: &SeriesKey, at: Instant) -> Key {
    (series.meter.clone(), series.channel.quantity.code(), series.channel.phase.code(), at.millis())
}

fn hash_series<'h>(hasher: &'h mut FieldHasher, series: &SeriesKey) -> &'h mut FieldHasher {
    hasher
        .field(series.meter.as_str().as_bytes())
        .field(series.channel.quantity.code().as_bytes())
        .field(series.channel.phase.code().as_bytes())
}

/// What a total or an interval can never be, whoever says it.
fn check(series: &SeriesKey, at: Instant, amount: i64) -> Result<(), StoreError> {
    let says = if series.channel.quantity.kind() != model::Kind::Total {
        "it is no energy, volume or mass"
    } else if amount < 0 {
        "it is negative"
    } else if !MILLIS.contains(&at.millis()) {
        "it is not of the years 1990 to 2100"
    } else {
        return Ok(());
    };
    Err(StoreError::refused(format!("the value of {} {} at {at}", series.meter, series.channel), says))
}

/// Reads the columns from_ms, to_ms, amount, received_ms that begin at `first`.
pub(crate) fn interval(row: &Row<'_>, first: usize, series: SeriesKey) -> Result<FiledInterval, Fault> {
    Ok(FiledInterval {
        series,
        from: Instant::from_millis(row.get(first)?),
        to: Instant::from_millis(row.get(first + 1)?),
        amount: row.get(first + 2)?,
        received_at: Instant::from_millis(row.get(first + 3)?),
    })
}

/// Reads the columns at_ms, total, received_ms that begin at `first`.
fn total(row: &Row<'_>, first: usize, series: SeriesKey) -> Result<FiledTotal, Fault> {
    Ok(FiledTotal {
        series,
        at: Instant::from_millis(row.get(first)?),
        total: row.get(first + 1)?,
        received_at: Instant::from_millis(row.get(first + 2)?),
    })
}

fn overlap(new: &FiledInterval, other: (i64, i64)) -> StoreError {
    let [begin, end] = [other.0, other.1].map(Instant::from_millis);
    let what = format!("the interval of {} from {} to {}", new.series.meter, new.from, new.to);
    let says = format!(
        "it overlaps the one from {begin} to {end} that an earlier file gave, so energy would count twice; import values \
         of the same intervals, or leave those out that the earlier file has"
    );
    StoreError::refused(what, says)
}

impl ImportRow for FiledInterval {
    const KIND: &'static str = "intervals";
    type Key = Key;

    fn key(&self) -> Key {
        key(&self.series, self.from)
    }

    fn checked(self) -> Result<Self, StoreError> {
        check(&self.series, self.from, self.amount)?;
        check(&self.series, self.to, self.amount)?;
        if self.to <= self.from {
            let what = format!("the interval of {} from {} to {}", self.series.meter, self.from, self.to);
            return Err(StoreError::refused(what, "it does not end after it begins"));
        }
        Ok(self)
    }

    fn digest_into(&self, hasher: &mut FieldHasher) {
        hash_series(hasher, &self.series);
        for number in [self.from.millis(), self.to.millis(), self.amount, self.received_at.millis()] {
            hasher.field(&number.to_be_bytes());
        }
    }

    /// The receipt alone is no other statement.
    fn same(&self, standing: &Self) -> bool {
        (self.to, self.amount) == (standing.to, standing.amount)
    }

    fn is_older(&self, standing: &Self) -> bool {
        self.received_at < standing.received_at
    }

    fn was_replaced(&self, conn: &Connection, source_sha256: &Digest) -> Result<bool, Fault> {
        let found = conn
            .prepare_cached(
                "SELECT 1 FROM import i JOIN filed_interval_replaced r ON r.import = i.id
                 WHERE i.source_sha256 = ?1 AND r.series = ?2 AND r.from_ms = ?3 AND r.to_ms = ?4 AND r.amount = ?5",
            )?
            .exists((
                source_sha256.0,
                series::find(conn, &self.series)?,
                self.from.millis(),
                self.to.millis(),
                self.amount,
            ))?;
        Ok(found)
    }

    fn coarser(
        conn: &Connection,
        rows: &BTreeMap<Key, Self>,
        note: &ImportNote,
        corrects: bool,
    ) -> Result<Vec<Self>, Fault> {
        let listed: Vec<(usize, &Self)> = rows.values().enumerate().collect();
        let judged = finer::judge(conn, &listed, &note.source_sha256, corrects)?;
        match judged.clashes.first() {
            None => Ok(judged.replaced),
            Some(clash) => {
                let first = clash.rows.first().and_then(|place| listed.get(*place)).map(|(_, row)| *row);
                Err(first.map_or_else(
                    || Fault::Unreadable(clash.reason.clone()),
                    |row| finer::refused(clash, row).into(),
                ))
            }
        }
    }

    fn find(&self, conn: &Connection) -> Result<Option<Self>, Fault> {
        let Some(id) = series::find(conn, &self.series)? else { return Ok(None) };
        let mut select = conn.prepare_cached(
            "SELECT from_ms, to_ms, amount, received_ms FROM filed_interval WHERE series = ?1 AND from_ms = ?2",
        )?;
        let mut rows = select.query((id, self.from.millis()))?;
        rows.next()?.map(|row| interval(row, 0, self.series.clone())).transpose()
    }

    fn insert(&self, conn: &Connection, import: i64) -> Result<(), Fault> {
        let id = series::ensure(conn, &self.series)?;
        let (from, to) = (self.from.millis(), self.to.millis());
        // Intervals never overlap, so the last that begins before this one's end is the only one that can.
        let mut select = conn.prepare_cached(
            "SELECT from_ms, to_ms FROM filed_interval WHERE series = ?1 AND from_ms < ?2
             ORDER BY from_ms DESC LIMIT 1",
        )?;
        let mut rows = select.query((id, to))?;
        if let Some(row) = rows.next()? {
            let other: (i64, i64) = (row.get(0)?, row.get(1)?);
            if from < other.1 {
                return Err(overlap(self, other).into());
            }
        }
        conn.prepare_cached(
            "INSERT INTO filed_interval (series, from_ms, to_ms, amount, received_ms, import)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((id, from, to, self.amount, self.received_at.millis(), import))?;
        Ok(())
    }

    fn retire(&self, conn: &Connection, replaced_by: i64) -> Result<(), Fault> {
        let key = (series::find(conn, &self.series)?, self.from.millis());
        // A month is not set right by its first quarter of an hour.
        if let Some(standing) = self.find(conn)?.filter(|standing| standing.to != self.to) {
            return Err(overlap(self, (standing.from.millis(), standing.to.millis())).into());
        }
        conn.prepare_cached(
            "INSERT INTO filed_interval_replaced (series, from_ms, to_ms, amount, received_ms, import, replaced_by)
             SELECT series, from_ms, to_ms, amount, received_ms, import, ?3 FROM filed_interval
             WHERE series = ?1 AND from_ms = ?2",
        )?
        .execute((key.0, key.1, replaced_by))?;
        conn.prepare_cached("DELETE FROM filed_interval WHERE series = ?1 AND from_ms = ?2")?.execute(key)?;
        Ok(())
    }

    fn brought_by(conn: &Connection, import: i64, each: &mut dyn FnMut(&Self)) -> Result<(), Fault> {
        let mut select = conn.prepare_cached(
            "SELECT s.meter, s.quantity, s.phase, v.from_ms, v.to_ms, v.amount, v.received_ms
             FROM (SELECT * FROM filed_interval WHERE import = ?1 UNION ALL
                   SELECT series, from_ms, to_ms, amount, received_ms, import FROM filed_interval_replaced
                   WHERE import = ?1) v
             JOIN series s ON s.id = v.series ORDER BY 1, 2, 3, 4",
        )?;
        let mut rows = select.query([import])?;
        while let Some(row) = rows.next()? {
            each(&interval(row, 3, series::key(row, 0)?)?);
        }
        Ok(())
    }
}

impl ImportRow for FiledTotal {
    const KIND: &'static str = "totals";
    type Key = Key;

    fn key(&self) -> Key {
        key(&self.series, self.at)
    }

    fn checked(self) -> Result<Self, StoreError> {
        check(&self.series, self.at, self.total)?;
        Ok(self)
    }

    fn digest_into(&self, hasher: &mut FieldHasher) {
        hash_series(hasher, &self.series);
        for number in [self.at.millis(), self.total, self.received_at.millis()] {
            hasher.field(&number.to_be_bytes());
        }
    }

    fn same(&self, standing: &Self) -> bool {
        self.total == standing.total
    }

    fn is_older(&self, standing: &Self) -> bool {
        self.received_at < standing.received_at
    }

    fn was_replaced(&self, conn: &Connection, source_sha256: &Digest) -> Result<bool, Fault> {
        let found = conn
            .prepare_cached(
                "SELECT 1 FROM import i JOIN filed_total_replaced r ON r.import = i.id
                 WHERE i.source_sha256 = ?1 AND r.series = ?2 AND r.at_ms = ?3 AND r.total = ?4",
            )?
            .exists((source_sha256.0, series::find(conn, &self.series)?, self.at.millis(), self.total))?;
        Ok(found)
    }

    fn find(&self, conn: &Connection) -> Result<Option<Self>, Fault> {
        let Some(id) = series::find(conn, &self.series)? else { return Ok(None) };
        let mut select = conn.prepare_cached(
            "SELECT at_ms, total, received_ms FROM filed_total WHERE series = ?1 AND at_ms = ?2",
        )?;
        let mut rows = select.query((id, self.at.millis()))?;
        rows.next()?.map(|row| total(row, 0, self.series.clone())).transpose()
    }

    fn insert(&self, conn: &Connection, import: i64) -> Result<(), Fault> {
        let id = series::ensure(conn, &self.series)?;
        conn.prepare_cached(
            "INSERT INTO filed_total (series, at_ms, total, received_ms, import) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((id, self.at.millis(), self.total, self.received_at.millis(), import))?;
        Ok(())
    }

    fn retire(&self, conn: &Connection, replaced_by: i64) -> Result<(), Fault> {
        let key = (series::find(conn, &self.series)?, self.at.millis());
        conn.prepare_cached(
            "INSERT INTO filed_total_replaced (series, at_ms, total, received_ms, import, replaced_by)
             SELECT series, at_ms, total, received_ms, import, ?3 FROM filed_total
             WHERE series = ?1 AND at_ms = ?2",
        )?
        .execute((key.0, key.1, replaced_by))?;
        conn.prepare_cached("DELETE FROM filed_total WHERE series = ?1 AND at_ms = ?2")?.execute(key)?;
        Ok(())
    }

    fn brought_by(conn: &Connection, import: i64, each: &mut dyn FnMut(&Self)) -> Result<(), Fault> {
        let mut select = conn.prepare_cached(
            "SELECT s.meter, s.quantity, s.phase, v.at_ms, v.total, v.received_ms
             FROM (SELECT series, at_ms, total, received_ms FROM filed_total WHERE import = ?1 UNION ALL
                   SELECT series, at_ms, total, received_ms FROM filed_total_replaced WHERE import = ?1) v
             JOIN series s ON s.id = v.series ORDER BY 1, 2, 3, 4",
        )?;
        let mut rows = select.query([import])?;
        while let Some(row) = rows.next()? {
            each(&total(row, 3, series::key(row, 0)?)?);
        }
        Ok(())
    }
}

impl Store {
    /// Enters intervals, all or none. An interval already there with another amount is replaced when the new one was
    /// received at the same time or later, and the former one is kept. Intervals that fill one that stands and come to its
    /// total take its place.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an interval that can never be right, that overlaps one with other ends in another way, or
    /// that the import states twice in two ways; the database's own.
    pub fn put_intervals(
        &self,
        intervals: &[FiledInterval],
        note: &ImportNote,
    ) -> Result<ImportCount, StoreError> {
        imports::import(self, intervals, note, None)
    }

    /// The same, where finer intervals may correct the total of what they fill; the reason is kept.
    ///
    /// # Errors
    /// As [`Store::put_intervals`]; [`StoreError::Refused`] for a reason that is empty or too long.
    pub fn put_intervals_replacing(
        &self,
        intervals: &[FiledInterval],
        note: &ImportNote,
        reason: &str,
    ) -> Result<ImportCount, StoreError> {
        imports::import(self, intervals, note, Some(reason))
    }

    /// Which intervals an import would be refused for, and why; `corrects` is whether it comes with a reason.
    pub fn interval_clashes(
        &self,
        intervals: &[FiledInterval],
        note: &ImportNote,
        corrects: bool,
    ) -> Result<Vec<Clash>, StoreError> {
        let mut listed: Vec<(usize, &FiledInterval)> = intervals.iter().enumerate().collect();
        listed.sort_by_key(|(_, row)| row.key());
        self.read("judge intervals", |conn| {
            Ok(finer::judge(conn, &listed, &note.source_sha256, corrects)?.clashes)
        })
    }

    /// The intervals of a series that begin before `until`, in order.
    pub fn intervals(&self, series: &SeriesKey, until: Instant) -> Result<Vec<FiledInterval>, StoreError> {
        self.read("read intervals", |conn| {
            let Some(id) = series::find(conn, series)? else { return Ok(Vec::new()) };
            let mut select = conn.prepare_cached(
                "SELECT from_ms, to_ms, amount, received_ms FROM filed_interval
                 WHERE series = ?1 AND from_ms < ?2 ORDER BY from_ms",
            )?;
            let mut rows = select.query((id, until.millis()))?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(interval(row, 0, series.clone())?);
            }
            Ok(all)
        })
    }

    /// What later imports replaced of a series, in order of time, then of import.
    pub fn intervals_replaced(&self, series: &SeriesKey) -> Result<Vec<FiledInterval>, StoreError> {
        self.read("read replaced intervals", |conn| {
            let Some(id) = series::find(conn, series)? else { return Ok(Vec::new()) };
            let mut select = conn.prepare_cached(
                "SELECT from_ms, to_ms, amount, received_ms FROM filed_interval_replaced
                 WHERE series = ?1 ORDER BY from_ms, import",
            )?;
            let mut rows = select.query([id])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(interval(row, 0, series.clone())?);
            }
            Ok(all)
        })
    }

    /// Enters totals, all or none; as [`Store::put_intervals`].
    pub fn put_totals(&self, totals: &[FiledTotal], note: &ImportNote) -> Result<ImportCount, StoreError> {
        imports::import(self, totals, note, None)
    }

    /// What later imports replaced of a series' totals, in order of time, then of import.
    ///
    /// # Errors
    /// The database's own.
    pub fn totals_replaced(&self, series: &SeriesKey) -> Result<Vec<FiledTotal>, StoreError> {
        self.read("read replaced totals", |conn| {
            let Some(id) = series::find(conn, series)? else { return Ok(Vec::new()) };
            let mut select = conn.prepare_cached(
                "SELECT at_ms, total, received_ms FROM filed_total_replaced
                 WHERE series = ?1 ORDER BY at_ms, import",
            )?;
            let mut rows = select.query([id])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(total(row, 0, series.clone())?);
            }
            Ok(all)
        })
    }

    /// The totals of a series from files up to `until`, in order of time.
    pub fn totals(&self, series: &SeriesKey, until: Instant) -> Result<Vec<FiledTotal>, StoreError> {
        self.read("read totals", |conn| {
            let Some(id) = series::find(conn, series)? else { return Ok(Vec::new()) };
            let mut select = conn.prepare_cached(
                "SELECT at_ms, total, received_ms FROM filed_total
                 WHERE series = ?1 AND at_ms <= ?2 ORDER BY at_ms",
            )?;
            let mut rows = select.query((id, until.millis()))?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(total(row, 0, series.clone())?);
            }
            Ok(all)
        })
    }
}
