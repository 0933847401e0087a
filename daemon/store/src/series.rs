//! Which integer stands for which series on disk.
//!
//! Must never: keep an id learnt in a transaction that was rolled back.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use model::{Channel, MeterId, Phase, Quantity, SeriesKey};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::Fault;

/// A hasher for keys that the installation names and nobody sends: quick, and no defence against keys made to collide.
/// The multiplier is 2⁶⁴ over the golden ratio (Knuth, The Art of Computer Programming 3, 6.4).
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Mixed(u64);

impl Mixed {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last));
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_isize(&mut self, number: isize) {
        self.mix(number as u64);
    }

    fn finish(&self) -> u64 {
        // Maps look at the highest and at the lowest bits.
        self.0 ^ (self.0 >> 32)
    }
}

pub(crate) type Quick = BuildHasherDefault<Mixed>;

/// The writer's memory of ids.
#[derive(Debug, Default)]
pub(crate) struct SeriesIds {
    known: HashMap<SeriesKey, i64, Quick>,
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
