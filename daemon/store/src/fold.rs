//! From intake to chunks: what came in commit by commit is put down series by series.
//!
//! Must never: change what the store says; a reading leaves the intake in the transaction that puts it in a chunk.

use rusqlite::Connection;

use crate::chunks;
use crate::error::Fault;
use crate::outbox;
use crate::recent::Recent;

/// Puts everything recent down in chunks, within the connection's transaction. Returns up to which number of the
/// intake that is; `None` when there was nothing.
pub(crate) fn fold(conn: &Connection, recent: &mut Recent) -> Result<Option<i64>, Fault> {
    recent.agree(conn)?;
    if recent.readings() == 0 {
        return Ok(None);
    }
    let seq = recent.seen_seq();
    for id in recent.with_rows() {
        let Some(series) = recent.known(id) else { continue };
        let is_total = series.is_total;
        chunks::insert(conn, id, is_total, series.rows())?;
        put_edges(conn, id, &series.edges_ms)?;
        for (month, changed_seq) in series.changed() {
            conn.prepare_cached(
                "INSERT INTO series_month (series, month, changed_seq) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET changed_seq = max(changed_seq, excluded.changed_seq)",
            )?
            .execute((id, month, changed_seq))?;
            chunks::merge_small(conn, id, is_total, *month)?;
        }
    }
    conn.prepare_cached("UPDATE counter SET value = ?1 WHERE name = 'folded_seq'")?.execute([seq])?;
    outbox::drop_settled(conn)?;
    Ok(Some(seq))
}

/// Notes the latest instant of each origin.
pub(crate) fn put_edges(conn: &Connection, series: i64, edges_ms: &[i64]) -> Result<(), Fault> {
    let mut put = conn.prepare_cached(
        "INSERT INTO series_edge (series, origin, last_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET last_ms = max(last_ms, excluded.last_ms)",
    )?;
    for (origin, last_ms) in edges_ms.iter().enumerate().filter(|(_, ms)| **ms != i64::MIN) {
        put.execute((series, origin as i64, last_ms))?;
    }
    Ok(())
}
