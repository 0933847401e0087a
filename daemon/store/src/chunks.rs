//! Chunks on disk: the readings of a series within one month of UTC, cut, written, found and merged.
//!
//! Must never: hold a row twice, let a chunk cross a month, or drop a row while rewriting one.

use rusqlite::Connection;

use crate::error::Fault;
use crate::months::{month_of, month_start_ms};
use crate::row::{self, Row};

/// Most readings of a chunk: some days at one a minute, 40 µs to decode.
const CHUNK_READINGS_MAX: usize = 4_096;
/// A chunk with fewer is small; so many small ones in a month become one.
const SMALL_READINGS: i64 = 1_024;
const SMALL_CHUNKS_MAX: usize = 8;

/// Where a chunk is and what it spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: i64,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    pub(crate) readings: i64,
}

/// Chunks of a series that may hold instants of the span, in order of their first, at most `limit`.
pub(crate) fn headers(
    conn: &Connection,
    series: i64,
    from_ms: i64,
    last_ms: i64,
    limit: i64,
) -> Result<Vec<Header>, Fault> {
    let mut select = conn.prepare_cached(
        "SELECT id, first_ms, last_ms, readings FROM chunk
         WHERE series = ?1 AND first_ms BETWEEN ?2 AND ?3 AND last_ms >= ?4
         ORDER BY first_ms, last_ms, readings, id LIMIT ?5",
    )?;
    // No chunk crosses a month: one that reaches into the span begins in the span's first month or later.
    let earliest_ms = month_start_ms(month_of(from_ms));
    let mut rows = select.query((series, earliest_ms, last_ms, from_ms, limit))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, first_ms) = (row.get(0)?, row.get(1)?);
        found.push(Header { id, first_ms, last_ms: row.get(2)?, readings: row.get(3)? });
    }
    Ok(found)
}

/// Appends the rows of a chunk to `to`.
pub(crate) fn load(conn: &Connection, id: i64, to: &mut Vec<Row>) -> Result<(), Fault> {
    let mut select = conn.prepare_cached("SELECT body FROM chunk WHERE id = ?1")?;
    let rows = select.query_row([id], |row| Ok(row::chunk(row.get_ref(0)?.as_blob()?)))?;
    let rows = rows.ok_or_else(|| Fault::Unreadable(format!("the damaged chunk {id}")))?;
    if to.is_empty() {
        *to = rows;
    } else {
        to.extend(rows);
    }
    Ok(())
}

/// Writes rows in order of their identity as chunks.
pub(crate) fn insert(conn: &Connection, series: i64, is_total: bool, rows: &[Row]) -> Result<(), Fault> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO chunk (series, first_ms, last_ms, readings, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut body = Vec::new();
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let next_month_ms = month_start_ms(month_of(first.at_ms) + 1);
        let near = &rest[..rest.len().min(CHUNK_READINGS_MAX)];
        // The last instant that there can be stands in no later month.
        let length = near.partition_point(|r| r.at_ms < next_month_ms || next_month_ms == i64::MAX);
        let (chunk, further) = rest.split_at(length);
        rest = further;
        let last_ms = chunk.last().map_or(first.at_ms, |row| row.at_ms);
        row::put_chunk(chunk, is_total, &mut body);
        insert.execute((series, first.at_ms, last_ms, chunk.len() as i64, &body))?;
    }
    Ok(())
}

pub(crate) fn remove(conn: &Connection, id: i64) -> Result<(), Fault> {
    conn.prepare_cached("DELETE FROM chunk WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Makes one of the small chunks of a month when there are many.
pub(crate) fn merge_small(conn: &Connection, series: i64, is_total: bool, month: i64) -> Result<(), Fault> {
    let (from_ms, last_ms) = (month_start_ms(month), month_start_ms(month + 1).saturating_sub(1));
    let mut small = headers(conn, series, from_ms, last_ms, i64::MAX)?;
    small.retain(|header| header.readings < SMALL_READINGS);
    if small.len() < SMALL_CHUNKS_MAX {
        return Ok(());
    }
    let mut rows = Vec::new();
    for header in &small {
        match load(conn, header.id, &mut rows) {
            Ok(()) => {}
            // Reading it says so to whoever asks for it; what comes in must not be held up by it.
            Err(Fault::Unreadable(what)) => {
                tracing::error!(what, "a month's small chunks stay as they are");
                return Ok(());
            }
            Err(fault) => return Err(fault),
        }
    }
    rows.sort_by_key(Row::identity);
    for header in &small {
        remove(conn, header.id)?;
    }
    insert(conn, series, is_total, &rows)
}
