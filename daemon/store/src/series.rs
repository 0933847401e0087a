//! Which integer stands for which series on disk.
//!
//! Must never: keep an id learnt in a transaction that was rolled back.

use std::collections::HashMap;

use model::{Channel, MeterId, Phase, Quantity, SeriesKey};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::Fault;

/// The writer's memory of ids.
#[derive(Debug, Default)]
pub(crate) struct SeriesIds {
    known: HashMap<SeriesKey, i64>,
}

impl SeriesIds {
    /// The id of a series, made when it has none. Another process may make it first.
    pub(crate) fn id(&mut self, conn: &Connection, key: &SeriesKey) -> Result<i64, Fault> {
        if let Some(&id) = self.known.get(key) {
            return Ok(id);
        }
        let id = ensure(conn, key)?;
        self.known.insert(key.clone(), id);
        Ok(id)
    }

    /// After a rollback: ids made in it are gone.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }
}

/// The id of a series on disk, made when it has none.
pub(crate) fn ensure(conn: &Connection, key: &SeriesKey) -> Result<i64, Fault> {
    if let Some(id) = find(conn, key)? {
        return Ok(id);
    }
    conn.prepare_cached("INSERT INTO series (meter, quantity, phase) VALUES (?1, ?2, ?3)")?.execute((
        key.meter.as_str(),
        key.channel.quantity.code(),
        key.channel.phase.code(),
    ))?;
    Ok(conn.last_insert_rowid())
}

/// The id of a series that has readings, or values from files.
pub(crate) fn find(conn: &Connection, key: &SeriesKey) -> Result<Option<i64>, Fault> {
    let mut select =
        conn.prepare_cached("SELECT id FROM series WHERE meter = ?1 AND quantity = ?2 AND phase = ?3")?;
    let text = (key.meter.as_str(), key.channel.quantity.code(), key.channel.phase.code());
    Ok(select.query_row(text, |row| row.get(0)).optional()?)
}

/// The series of an id.
pub(crate) fn key_of(conn: &Connection, id: i64) -> Result<SeriesKey, Fault> {
    let mut select = conn.prepare_cached("SELECT meter, quantity, phase FROM series WHERE id = ?1")?;
    let found = select.query_row([id], |row| Ok(key(row, 0))).optional()?;
    found.unwrap_or_else(|| {
        Err(Fault::Unreadable(format!("readings of the series {id}, which it does not name")))
    })
}

/// Reads a series from the columns meter, quantity, phase that begin at `first`.
pub(crate) fn key(row: &Row<'_>, first: usize) -> Result<SeriesKey, Fault> {
    let meter: String = row.get(first)?;
    let quantity: String = row.get(first + 1)?;
    let phase: String = row.get(first + 2)?;
    let unreadable = || Fault::Unreadable(format!("the series {meter:?} {quantity:?} {phase:?}"));
    Ok(SeriesKey {
        meter: MeterId::new(&meter).map_err(|_| unreadable())?,
        channel: Channel {
            quantity: Quantity::parse(&quantity).ok_or_else(unreadable)?,
            phase: Phase::parse(&phase).ok_or_else(unreadable)?,
        },
    })
}
