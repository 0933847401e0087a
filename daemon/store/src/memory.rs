//! What a link must still know after a restart: small things it learned from its devices, by key.
//!
//! Must never: hold a reading, or anything that cannot be learned again from the device.

use model::Instant;
use rusqlite::Connection;

use crate::error::{Fault, StoreError};
use crate::store::Store;
use crate::writer::Job;

/// Longest value, in bytes.
const VALUE_BYTES_MAX: usize = 1 << 20;
/// Most things remembered of one link that are read back.
const ITEMS_MAX: u32 = 100_000;
/// Bytes that take the room of one reading in the queue.
const BYTES_PER_ROOM: usize = 64;

/// Something to remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub link: String,
    pub key: String,
    /// Empty to forget it.
    pub value: Vec<u8>,
    pub at: Instant,
}

pub(crate) fn remember(conn: &Connection, item: &Remembered) -> Result<(), Fault> {
    if item.value.is_empty() {
        conn.prepare_cached("DELETE FROM link_memory WHERE link = ?1 AND key = ?2")?
            .execute((&item.link, &item.key))?;
    } else {
        conn.prepare_cached(
            "INSERT INTO link_memory (link, key, value, at_ms) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (link, key) DO UPDATE SET value = excluded.value, at_ms = excluded.at_ms",
        )?
        .execute((&item.link, &item.key, &item.value, item.at.millis()))?;
    }
    Ok(())
}

impl Store {
    /// Remembers or forgets; answers when it is on disk, in one commit with the readings that wait.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a value of more than a mebibyte; the database's own.
    pub async fn remember(&self, item: Remembered) -> Result<(), StoreError> {
        if item.value.len() > VALUE_BYTES_MAX {
            return Err(StoreError::refused(format!("what link {} remembers", item.link), "it is too large"));
        }
        let room = item.value.len() / BYTES_PER_ROOM + 1;
        self.ask(room, |room, reply| Job::Remember { item, room, reply }).await
    }

    /// Everything remembered of a link.
    pub fn remembered(&self, link: &str) -> Result<Vec<Remembered>, StoreError> {
        self.read("read what links remember", |conn| {
            let mut select = conn.prepare_cached(
                "SELECT key, value, at_ms FROM link_memory WHERE link = ?1 ORDER BY key LIMIT ?2",
            )?;
            let mut rows = select.query((link, ITEMS_MAX))?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let at = Instant::from_millis(row.get(2)?);
                all.push(Remembered { link: link.to_owned(), key: row.get(0)?, value: row.get(1)?, at });
            }
            Ok(all)
        })
    }
}
