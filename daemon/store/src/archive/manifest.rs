//! Which files the archive has: one row a file, the newest generation of a month counts.
//!
//! Must never: name a file whose bytes are not on disk.

use model::{Digest, Instant};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::Fault;

/// One file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedMonth {
    /// `2025-03`: the civil month, as the daemon that closed it counted.
    pub month: String,
    /// 1 for the first; late readings make another.
    pub generation: u32,
    /// The file's name in the archive folder.
    pub name: String,
    /// The first instant of the month.
    pub from: Instant,
    /// The first instant after the month.
    pub to: Instant,
    pub readings: u64,
    pub bytes: u64,
    /// Of the file's bytes.
    pub sha256: Digest,
    pub written_at: Instant,
    /// When the journal's copy of the readings was dropped.
    pub dropped_at: Option<Instant>,
}

const COLUMNS: &str =
    "month, generation, name, from_ms, to_ms, readings, bytes, sha256, written_ms, dropped_ms";

fn entry(row: &Row<'_>) -> Result<ArchivedMonth, Fault> {
    let sha256: Vec<u8> = row.get(7)?;
    let unsigned = |column: usize| -> Result<u64, Fault> { Ok(row.get::<_, i64>(column)?.unsigned_abs()) };
    Ok(ArchivedMonth {
        month: row.get(0)?,
        generation: row.get(1)?,
        name: row.get(2)?,
        from: Instant::from_millis(row.get(3)?),
        to: Instant::from_millis(row.get(4)?),
        readings: unsigned(5)?,
        bytes: unsigned(6)?,
        sha256: Digest(
            sha256.try_into().map_err(|_| Fault::Unreadable("a digest of a wrong length".to_owned()))?,
        ),
        written_at: Instant::from_millis(row.get(8)?),
        dropped_at: row.get::<_, Option<i64>>(9)?.map(Instant::from_millis),
    })
}

fn all(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<Vec<ArchivedMonth>, Fault> {
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query(params)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(entry(row)?);
    }
    Ok(entries)
}

/// Of each month the newest generation, in order of time, of those that hold any time of the span.
pub(crate) fn current(conn: &Connection, from_ms: i64, last_ms: i64) -> Result<Vec<ArchivedMonth>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS} FROM archive_file AS a
         WHERE to_ms > ?1 AND from_ms <= ?2
           AND generation = (SELECT max(generation) FROM archive_file AS b WHERE b.month = a.month)
         ORDER BY from_ms"
    );
    all(conn, &sql, (from_ms, last_ms))
}

/// Every file the manifest names, older generations included.
pub(crate) fn every(conn: &Connection) -> Result<Vec<ArchivedMonth>, Fault> {
    all(conn, &format!("SELECT {COLUMNS} FROM archive_file ORDER BY from_ms, generation"), [])
}

/// The newest generation of a month.
pub(crate) fn newest(conn: &Connection, month: &str) -> Result<Option<ArchivedMonth>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM archive_file WHERE month = ?1 ORDER BY generation DESC LIMIT 1");
    let mut select = conn.prepare_cached(&sql)?;
    select.query_row([month], |row| Ok(entry(row))).optional()?.transpose()
}

pub(super) fn insert(conn: &Connection, new: &ArchivedMonth) -> Result<(), Fault> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    conn.prepare_cached(
        "INSERT INTO archive_file (month, generation, name, from_ms, to_ms, readings, bytes, sha256, written_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute((
        &new.month,
        new.generation,
        &new.name,
        new.from.millis(),
        new.to.millis(),
        signed(new.readings),
        signed(new.bytes),
        new.sha256.0.as_slice(),
        new.written_at.millis(),
    ))?;
    Ok(())
}

/// Notes that the journal no longer has the month's rows.
pub(super) fn dropped(conn: &Connection, month: &str, generation: u32, at: Instant) -> Result<(), Fault> {
    conn.prepare_cached("UPDATE archive_file SET dropped_ms = ?3 WHERE month = ?1 AND generation = ?2")?
        .execute((month, generation, at.millis()))?;
    Ok(())
}

/// Forgets an older generation, whose file is about to go.
pub(super) fn forget(conn: &Connection, month: &str, generation: u32) -> Result<(), Fault> {
    conn.prepare_cached("DELETE FROM archive_file WHERE month = ?1 AND generation = ?2")?
        .execute((month, generation))?;
    Ok(())
}
