//! Steps between schemas that SQL alone cannot take.
//!
//! Must never: hold more than a chunk's rows in memory, or depend on code that a later schema changes the meaning of.

use rusqlite::{Connection, Row as SqlRow};

use crate::archive::manifest;
use crate::chunks;
use crate::codes::{self, ORIGINS};
use crate::error::Fault;
use crate::fold::put_edges;
use crate::months::month_of;
use crate::row::{self, Row};

/// Rows gathered before they are written; several chunks.
const ROWS: usize = 16_384;

/// Schema 3 to 4: the table `reading` becomes chunks.
pub(crate) fn rows_to_chunks(conn: &Connection) -> Result<(), Fault> {
    let mut select = conn.prepare("SELECT id FROM series ORDER BY id")?;
    let ids = select.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    drop(select);
    let mut all = 0;
    for id in ids {
        all += series_to_chunks(conn, id)?;
    }
    conn.execute_batch("DROP TABLE reading")?;
    if 0 < all {
        tracing::info!(readings = all, "the journal's rows were put down in chunks");
    }
    Ok(())
}

fn series_to_chunks(conn: &Connection, id: i64) -> Result<usize, Fault> {
    let is_total = row::is_total(&crate::series::key_of(conn, id)?);
    let mut select = conn.prepare_cached(
        "SELECT at_ms, origin, quality, delay_ms, value FROM reading WHERE series = ?1 ORDER BY at_ms, origin",
    )?;
    let mut found = select.query([id])?;
    let mut rows: Vec<Row> = Vec::new();
    let mut edges_ms = [i64::MIN; ORIGINS];
    let mut count = 0;
    while let Some(one) = found.next()? {
        let one = read(one)?;
        let cut = rows.last().is_some_and(|last| month_of(last.at_ms) != month_of(one.at_ms));
        if cut || rows.len() == ROWS {
            chunks::insert(conn, id, is_total, &rows)?;
            rows.clear();
        }
        if let Some(edge) = edges_ms.get_mut(usize::from(one.origin)) {
            *edge = (*edge).max(one.at_ms);
        }
        rows.push(one);
        count += 1;
    }
    chunks::insert(conn, id, is_total, &rows)?;
    archived_edges(conn, &mut edges_ms)?;
    put_edges(conn, id, &edges_ms)?;
    Ok(count)
}

/// Where months are archived, any series may have readings up to their end: late ones are looked up.
fn archived_edges(conn: &Connection, edges_ms: &mut [i64]) -> Result<(), Fault> {
    if let Some(last) = manifest::current(conn, i64::MIN, i64::MAX)?.last() {
        for edge in edges_ms {
            *edge = (*edge).max(last.to.millis() - 1);
        }
    }
    Ok(())
}

fn read(row: &SqlRow<'_>) -> Result<Row, Fault> {
    let (origin, quality): (i64, i64) = (row.get(1)?, row.get(2)?);
    Ok(Row {
        at_ms: row.get(0)?,
        delay_ms: row.get(3)?,
        bits: row::bits(codes::value(row.get_ref(4)?)?),
        origin: codes::origin_code(codes::origin(origin)?) as u8,
        quality: codes::quality_code(codes::quality(quality)?) as u8,
    })
}
