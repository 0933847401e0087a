//! Payloads nobody could decode: kept with the reason, within a bound, so that nothing vanishes unseen.
//!
//! Must never: grow without bound, or drop anything without counting it.

use model::{Instant, MeterId, Origin};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::audit::{self, Change, FieldHasher};
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
    /// The link it came over; empty when it came over none.
    pub link: String,
    /// The meter it would be of; `None` when that is not known.
    pub meter: Option<MeterId>,
    /// Where it came from: a topic, a file and line, a meter.
    pub place: String,
    /// All of it, or its beginning.
    pub payload: Vec<u8>,
    /// Bytes of the payload as it came.
    pub length: u64,
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
}

/// Which items are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuarantineFilter {
    pub number: Option<i64>,
    pub meter: Option<MeterId>,
    /// Only items after this number, oldest first; for going through all of them.
    pub after: Option<i64>,
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
        "INSERT INTO quarantine (origin, place, reason, at_ms, payload, payload_length, cost, link, meter)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for item in items {
        let kept = &item.payload[..item.payload.len().min(options.quarantine_payload_bytes_max)];
        let (place, reason) = (cut(&item.place), cut(&item.reason));
        let cost = (kept.len() + place.len() + reason.len()) as i64;
        let origin = codes::origin_code(item.origin);
        let length = i64::try_from(item.length).unwrap_or(i64::MAX).max(item.payload.len() as i64);
        let meter = item.meter.as_ref().map(MeterId::as_str);
        let at_ms = item.at.millis();
        insert.execute((origin, place, reason, at_ms, kept, length, cost, &item.link, meter))?;
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

const COLUMNS: &str = "id, origin, place, payload, reason, at_ms, payload_length, link, meter";

fn item(row: &Row<'_>) -> Result<QuarantinedItem, Fault> {
    let length: i64 = row.get(6)?;
    let meter: Option<String> = row.get(8)?;
    let meter = match meter {
        None => None,
        Some(text) => Some(
            MeterId::new(&text)
                .map_err(|_| Fault::Unreadable(format!("the meter {text:?} in quarantine")))?,
        ),
    };
    let item = Quarantined {
        origin: codes::origin(row.get(1)?)?,
        link: row.get(7)?,
        meter,
        place: row.get(2)?,
        payload: row.get(3)?,
        length: length.unsigned_abs(),
        reason: row.get(4)?,
        at: Instant::from_millis(row.get(5)?),
    };
    Ok(QuarantinedItem { number: row.get(0)?, item })
}

/// Takes the place of an item's reason and counts what it costs; `false` when there is no such item.
fn explain(conn: &Connection, number: i64, reason: &str) -> Result<bool, Fault> {
    let reason = cut(reason);
    let mut select = conn.prepare_cached("SELECT reason FROM quarantine WHERE id = ?1")?;
    let Some(old) = select.query_row([number], |row| row.get::<_, String>(0)).optional()? else {
        return Ok(false);
    };
    let more = reason.len() as i64 - old.len() as i64;
    conn.prepare_cached("UPDATE quarantine SET reason = ?2, cost = cost + ?3 WHERE id = ?1")?
        .execute((number, reason, more))?;
    conn.prepare_cached("UPDATE counter SET value = value + ?1 WHERE name = 'quarantine_bytes'")?
        .execute([more])?;
    Ok(true)
}

/// Lets an item go, with an entry in the audit log that tells of its payload; `false` when it is not there.
fn release(conn: &Connection, number: i64, author: &str, at: Instant) -> Result<bool, Fault> {
    let sql = format!("SELECT {COLUMNS}, cost FROM quarantine WHERE id = ?1");
    let mut select = conn.prepare_cached(&sql)?;
    let mut rows = select.query([number])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    let QuarantinedItem { item, .. } = item(row)?;
    let cost: i64 = row.get(9)?;
    drop(rows);
    let mut hasher = FieldHasher::default();
    hasher
        .field(item.place.as_bytes())
        .field(&item.at.millis().to_be_bytes())
        .field(item.reason.as_bytes())
        .field(&item.payload);
    let subject = number.to_string();
    let change = Change {
        at,
        author,
        action: "replay",
        kind: "quarantine",
        subject: &subject,
        content: hasher.digest(),
    };
    audit::append(conn, &change)?;
    conn.prepare_cached("DELETE FROM quarantine WHERE id = ?1")?.execute([number])?;
    let mut update = conn.prepare_cached("UPDATE counter SET value = value - ?2 WHERE name = ?1")?;
    update.execute(("quarantine_rows", 1))?;
    update.execute(("quarantine_bytes", cost))?;
    Ok(true)
}

impl Store {
    /// What stands in quarantine, newest first, at most `limit` items.
    pub fn quarantined(&self, limit: u32) -> Result<Vec<QuarantinedItem>, StoreError> {
        self.quarantined_where(&QuarantineFilter::default(), limit)
    }

    /// The items that are meant, newest first (oldest first when going through all), at most `limit`.
    pub fn quarantined_where(
        &self,
        filter: &QuarantineFilter,
        limit: u32,
    ) -> Result<Vec<QuarantinedItem>, StoreError> {
        self.read("read the quarantine", |conn| {
            let order = if filter.after.is_some() { "ASC" } else { "DESC" };
            let sql = format!(
                "SELECT {COLUMNS} FROM quarantine
                 WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR meter = ?2) AND (?3 IS NULL OR id > ?3)
                 ORDER BY id {order} LIMIT ?4"
            );
            let mut select = conn.prepare_cached(&sql)?;
            let meter = filter.meter.as_ref().map(MeterId::as_str);
            let mut rows = select.query((filter.number, meter, filter.after, limit))?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(item(row)?);
            }
            Ok(all)
        })
    }

    /// Lets an item go whose readings are on disk by now; entered in the audit log. `false` when it has gone
    /// already.
    pub fn release_quarantined(&self, number: i64, author: &str, at: Instant) -> Result<bool, StoreError> {
        let author = author.to_owned();
        self.write("release from quarantine", move |conn| release(conn, number, &author, at))
    }

    /// Notes why an item is still no reading. `false` when it has gone already.
    pub fn explain_quarantined(&self, number: i64, reason: &str) -> Result<bool, StoreError> {
        let reason = reason.to_owned();
        self.write("note a reason in quarantine", move |conn| explain(conn, number, &reason))
    }
}
