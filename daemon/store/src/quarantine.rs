//! Payloads nobody could decode: kept with the reason, within a bound, so that nothing vanishes unseen.
//!
//! Must never: grow without bound, or drop anything without counting it.

use model::{Instant, Origin};
use rusqlite::{Connection, OptionalExtension};

use crate::codes;
use crate::error::{Fault, StoreError};
use crate::options::StoreOptions;
use crate::store::Store;

/// Longest place or reason kept, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// A payload that is no reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    pub origin: Origin,
    /// Where it came from: a topic, a file and line, a meter.
    pub place: String,
    pub payload: Vec<u8>,
    /// Why it is no reading.
    pub reason: String,
    pub at: Instant,
}

/// A payload in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedItem {
    /// Ascending, never given twice.
    pub number: i64,
    /// With the payload cut to the store's limit.
    pub item: Quarantined,
    /// Length of the payload as it came.
    pub payload_length: u64,
}

/// What stands in quarantine after a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Occupancy {
    pub(crate) items: i64,
    pub(crate) bytes: i64,
    /// Dropped for want of room, ever.
    pub(crate) dropped: i64,
}

/// Adds items, then drops the oldest beyond the bounds; the newest always stays.
pub(crate) fn add(
    conn: &Connection,
    items: &[&Quarantined],
    options: &StoreOptions,
) -> Result<Occupancy, Fault> {
    let mut now = occupancy(conn)?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO quarantine (origin, place, reason, at_ms, payload, payload_length, cost)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for item in items {
        let kept = &item.payload[..item.payload.len().min(options.quarantine_payload_bytes_max)];
        let (place, reason) = (cut(&item.place), cut(&item.reason));
        let cost = (kept.len() + place.len() + reason.len()) as i64;
        let origin = codes::origin_code(item.origin);
        let length = item.payload.len() as i64;
        insert.execute((origin, place, reason, item.at.millis(), kept, length, cost))?;
        now.items += 1;
        now.bytes += cost;
    }
    let bytes_max = i64::try_from(options.quarantine_bytes_max).unwrap_or(i64::MAX);
    while now.items > 1 && (now.items > i64::from(options.quarantine_items_max) || now.bytes > bytes_max) {
        let Some(cost) = drop_oldest(conn)? else { break };
        now.items -= 1;
        now.bytes -= cost;
        now.dropped += 1;
    }
    let mut update = conn.prepare_cached("UPDATE counter SET value = ?2 WHERE name = ?1")?;
    update.execute(("quarantine_rows", now.items))?;
    update.execute(("quarantine_bytes", now.bytes))?;
    update.execute(("quarantine_dropped", now.dropped))?;
    Ok(now)
}

pub(crate) fn occupancy(conn: &Connection) -> Result<Occupancy, Fault> {
    let mut select = conn.prepare_cached("SELECT value FROM counter WHERE name = ?1")?;
    let mut counter = |name: &str| select.query_row([name], |row| row.get(0));
    Ok(Occupancy {
        items: counter("quarantine_rows")?,
        bytes: counter("quarantine_bytes")?,
        dropped: counter("quarantine_dropped")?,
    })
}

fn drop_oldest(conn: &Connection) -> Result<Option<i64>, Fault> {
    let mut delete = conn.prepare_cached(
        "DELETE FROM quarantine WHERE id = (SELECT min(id) FROM quarantine) RETURNING cost",
    )?;
    Ok(delete.query_row([], |row| row.get(0)).optional()?)
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

impl Store {
    /// What stands in quarantine, newest first, at most `limit` items.
    pub fn quarantined(&self, limit: u32) -> Result<Vec<QuarantinedItem>, StoreError> {
        self.read("read the quarantine", |conn| {
            let mut select = conn.prepare_cached(
                "SELECT id, origin, place, payload, reason, at_ms, payload_length
                 FROM quarantine ORDER BY id DESC LIMIT ?1",
            )?;
            let mut rows = select.query([limit])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let length: i64 = row.get(6)?;
                let item = Quarantined {
                    origin: codes::origin(row.get(1)?)?,
                    place: row.get(2)?,
                    payload: row.get(3)?,
                    reason: row.get(4)?,
                    at: Instant::from_millis(row.get(5)?),
                };
                all.push(QuarantinedItem {
                    number: row.get(0)?,
                    item,
                    payload_length: length.unsigned_abs(),
                });
            }
            Ok(all)
        })
    }
}
