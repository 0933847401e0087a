//! Readings for engines outside: every engine has a place in the intake up to which it has accepted them.
//!
//! A block stays in the intake until it stands in chunks and every registered engine has accepted it. An engine
//! that is away for long makes the intake grow; [`OutboxStatus`] says by how much.
//!
//! Must never: pass a block by, or drop one that an engine has not accepted.

use std::collections::HashMap;

use model::{Instant, Reading, SeriesKey};
use rusqlite::{Connection, OptionalExtension};

use crate::error::{Fault, StoreError};
use crate::row;
use crate::series;
use crate::store::Store;

/// Longest name of an engine, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Most engines: each of them can keep blocks from being dropped.
const ENGINES_MAX: i64 = 16;

/// One commit's new readings; what an engine accepts or does not accept as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxBlock {
    /// Ascending, with gaps.
    pub seq: i64,
    /// In order of series, instant and origin within each series.
    pub readings: Vec<Reading>,
}

/// What waits for an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxStatus {
    /// Everything up to this number was accepted.
    pub accepted_seq: i64,
    pub pending_readings: u64,
    pub pending_blocks: u64,
    /// Bytes of the blocks that wait, as they are on disk.
    pub pending_bytes: u64,
    /// When the earliest reading of the first block that waits was received.
    pub oldest: Option<Instant>,
}

impl Store {
    /// Gives an engine its place, at the end of the intake, unless it has one. Returns up to which number it has
    /// accepted: for a new engine everything up to there is not in its outbox; [`Store::for_each_reading`] has it.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an empty or long name, or too many engines; the database's own.
    pub fn outbox_register(&self, name: &str) -> Result<i64, StoreError> {
        if name.is_empty() || NAME_BYTES_MAX < name.len() {
            return Err(StoreError::refused("the engine's name", "it has 1 to 64 bytes"));
        }
        let name = name.to_owned();
        self.write("register an engine", move |conn| {
            if let Some(accepted) = accepted(conn, &name)? {
                return Ok(accepted);
            }
            let engines: i64 = conn.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))?;
            if ENGINES_MAX <= engines {
                let says = format!("{ENGINES_MAX} engines have a place already; forget one that is gone");
                return Err(StoreError::refused(format!("the engine {name}"), says).into());
            }
            let last = last_seq(conn)?;
            conn.execute("INSERT INTO outbox (name, accepted_seq) VALUES (?1, ?2)", (&name, last))?;
            Ok(last)
        })
    }

    /// Takes an engine's place away; what only it kept is dropped. Returns whether it had one.
    ///
    /// # Errors
    /// The database's own.
    pub fn outbox_forget(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write("forget an engine", move |conn| {
            let gone = conn.execute("DELETE FROM outbox WHERE name = ?1", [name])?;
            drop_settled(conn)?;
            Ok(gone == 1)
        })
    }

    /// The engines that have a place.
    ///
    /// # Errors
    /// The database's own.
    pub fn outbox_engines(&self) -> Result<Vec<String>, StoreError> {
        self.read("read the engines", |conn| {
            let mut select = conn.prepare_cached("SELECT name FROM outbox ORDER BY name")?;
            let names = select.query_map([], |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })
    }

    /// The blocks after `seq`, in order, until they hold `readings_max` readings; at least one block when there is
    /// one. A block has as many readings as one commit, see [`crate::StoreOptions::commit_readings_max`].
    ///
    /// # Errors
    /// The database's own, [`StoreError::Unreadable`] for a damaged block.
    pub fn outbox_after(&self, seq: i64, readings_max: usize) -> Result<Vec<OutboxBlock>, StoreError> {
        self.read("read the outbox", |conn| {
            let snapshot = conn.unchecked_transaction()?;
            let mut select = snapshot
                .prepare_cached("SELECT seq, readings, body FROM intake WHERE seq > ?1 ORDER BY seq")?;
            let mut rows = select.query([seq])?;
            let mut keys = HashMap::new();
            let (mut blocks, mut sum) = (Vec::new(), 0_usize);
            while let Some(row) = rows.next()? {
                let (seq, readings): (i64, i64) = (row.get(0)?, row.get(1)?);
                sum = sum.saturating_add(usize::try_from(readings).unwrap_or(0));
                if !blocks.is_empty() && readings_max < sum {
                    break;
                }
                let body = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
                blocks.push(OutboxBlock { seq, readings: block(&snapshot, seq, body, &mut keys)? });
            }
            Ok(blocks)
        })
    }

    /// Notes that an engine has everything up to `seq`, on disk when this returns; a lower number than before
    /// changes nothing. Blocks that nobody needs any more are dropped.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an engine without a place or a number not given yet; the database's own.
    pub fn outbox_accepted(&self, name: &str, seq: i64) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write("note what an engine accepted", move |conn| {
            let refused = |says: &str| StoreError::refused(format!("what the engine {name} accepted"), says);
            if last_seq(conn)? < seq {
                return Err(refused("it is beyond the end of the intake").into());
            }
            let known = conn.execute(
                "UPDATE outbox SET accepted_seq = max(accepted_seq, ?2) WHERE name = ?1",
                (&name, seq),
            )?;
            if known == 0 {
                return Err(refused("it has no place; register it first").into());
            }
            drop_settled(conn)
        })
    }

    /// What waits for an engine; `None` for one without a place.
    ///
    /// # Errors
    /// The database's own.
    pub fn outbox_status(&self, name: &str) -> Result<Option<OutboxStatus>, StoreError> {
        self.read("read the state of the outbox", |conn| {
            let Some(accepted_seq) = accepted(conn, name)? else { return Ok(None) };
            let mut status = conn
                .prepare_cached(
                    "SELECT coalesce(sum(readings), 0), count(*), coalesce(sum(bytes), 0) FROM intake WHERE seq > ?1",
                )?
                .query_row([accepted_seq], |row| {
                    Ok(OutboxStatus {
                        accepted_seq,
                        pending_readings: row.get::<_, i64>(0)?.unsigned_abs(),
                        pending_blocks: row.get::<_, i64>(1)?.unsigned_abs(),
                        pending_bytes: row.get::<_, i64>(2)?.unsigned_abs(),
                        oldest: None,
                    })
                })?;
            status.oldest = conn
                .prepare_cached("SELECT first_received_ms FROM intake WHERE seq > ?1 ORDER BY seq LIMIT 1")?
                .query_row([accepted_seq], |row| row.get(0))
                .optional()?
                .map(Instant::from_millis);
            Ok(Some(status))
        })
    }
}

fn accepted(conn: &Connection, name: &str) -> Result<Option<i64>, Fault> {
    let mut select = conn.prepare_cached("SELECT accepted_seq FROM outbox WHERE name = ?1")?;
    Ok(select.query_row([name], |row| row.get(0)).optional()?)
}

/// The last number that was ever given.
pub(crate) fn last_seq(conn: &Connection) -> Result<i64, Fault> {
    let mut select = conn.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'intake'")?;
    Ok(select.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

fn block(
    conn: &Connection,
    seq: i64,
    body: &[u8],
    keys: &mut HashMap<i64, SeriesKey>,
) -> Result<Vec<Reading>, Fault> {
    let rows = row::block(body).ok_or_else(|| Fault::Unreadable(format!("the damaged intake {seq}")))?;
    let mut readings = Vec::with_capacity(rows.len());
    for one in rows {
        let key = match keys.get(&one.series) {
            Some(key) => key,
            None => keys.entry(one.series).or_insert(series::key_of(conn, one.series)?),
        };
        let stored = one.row.stored(one.is_total)?;
        readings.push(Reading {
            series: key.clone(),
            observed_at: stored.observed_at,
            received_at: stored.received_at,
            value: stored.value,
            quality: stored.quality,
            origin: stored.origin,
        });
    }
    Ok(readings)
}

/// Drops the blocks that stand in chunks and that every engine has accepted.
pub(crate) fn drop_settled(conn: &Connection) -> Result<(), Fault> {
    conn.prepare_cached(
        "DELETE FROM intake WHERE seq <= min(
            (SELECT value FROM counter WHERE name = 'folded_seq'),
            (SELECT coalesce(min(accepted_seq), 9223372036854775807) FROM outbox))",
    )?
    .execute([])?;
    Ok(())
}
