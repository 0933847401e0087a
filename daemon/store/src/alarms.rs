//! Alarms that were raised: what about, from when to when, and what was told of them.
//!
//! Must never: raise the same alarm twice at a time, or forget one that lasts.

use model::Instant;
use rusqlite::Row;

use crate::error::StoreError;
use crate::store::Store;

/// Alarms that ended and are kept.
const ENDED_MAX: u32 = 10_000;
const COLUMNS: &str = "id, kind, subject, raised_ms, ended_ms, details, told";

/// One alarm as it stands on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAlarm {
    pub id: i64,
    pub kind: String,
    pub subject: String,
    pub raised_at: Instant,
    /// `None` while it lasts.
    pub ended_at: Option<Instant>,
    /// JSON.
    pub details: String,
    /// Bits of what was handed over, as whoever tells counts them.
    pub told: i64,
}

fn alarm(row: &Row<'_>) -> rusqlite::Result<StoredAlarm> {
    Ok(StoredAlarm {
        id: row.get(0)?,
        kind: row.get(1)?,
        subject: row.get(2)?,
        raised_at: Instant::from_millis(row.get(3)?),
        ended_at: row.get::<_, Option<i64>>(4)?.map(Instant::from_millis),
        details: row.get(5)?,
        told: row.get(6)?,
    })
}

impl Store {
    /// Raises an alarm; the id of the one that lasts already, where there is one. Blocks until it is on disk.
    ///
    /// # Errors
    /// The database's own.
    pub fn raise_alarm(
        &self,
        kind: &str,
        subject: &str,
        details: &str,
        at: Instant,
    ) -> Result<i64, StoreError> {
        let (kind, subject, details) = (kind.to_owned(), subject.to_owned(), details.to_owned());
        self.write("raise an alarm", move |conn| {
            conn.execute(
                "INSERT INTO alarm (kind, subject, raised_ms, details) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
                (&kind, &subject, at.millis(), &details),
            )?;
            let sql = "SELECT id FROM alarm WHERE kind = ?1 AND subject = ?2 AND ended_ms IS NULL";
            let id = conn.query_row(sql, (&kind, &subject), |row| row.get(0))?;
            conn.execute(
                "DELETE FROM alarm WHERE ended_ms IS NOT NULL AND id <= (SELECT id FROM alarm
                 WHERE ended_ms IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?1)",
                [ENDED_MAX],
            )?;
            Ok(id)
        })
    }

    /// Ends the alarm of a kind and subject that lasts, if there is one. Blocks until it is on disk.
    ///
    /// # Errors
    /// The database's own.
    pub fn end_alarm(&self, kind: &str, subject: &str, at: Instant) -> Result<(), StoreError> {
        let (kind, subject) = (kind.to_owned(), subject.to_owned());
        self.write("end an alarm", move |conn| {
            let sql = "UPDATE alarm SET ended_ms = ?3 WHERE kind = ?1 AND subject = ?2 AND ended_ms IS NULL";
            conn.execute(sql, (&kind, &subject, at.millis()))?;
            Ok(())
        })
    }

    /// Adds bits to what was told of an alarm. Blocks until it is on disk.
    ///
    /// # Errors
    /// The database's own.
    pub fn note_told(&self, id: i64, bits: i64) -> Result<(), StoreError> {
        self.write("note what was told of an alarm", move |conn| {
            conn.execute("UPDATE alarm SET told = told | ?2 WHERE id = ?1", (id, bits))?;
            Ok(())
        })
    }

    /// The alarms that last, and the newest `ended_most` that ended; newest first.
    ///
    /// # Errors
    /// The database's own.
    pub fn alarms(&self, ended_most: u32) -> Result<Vec<StoredAlarm>, StoreError> {
        self.read("read alarms", |conn| {
            let sql = format!(
                "SELECT {COLUMNS} FROM alarm WHERE ended_ms IS NULL OR id IN
                 (SELECT id FROM alarm WHERE ended_ms IS NOT NULL ORDER BY ended_ms DESC, id DESC LIMIT ?1)
                 ORDER BY raised_ms DESC, id DESC"
            );
            let mut select = conn.prepare_cached(&sql)?;
            let all = select.query_map([ended_most], alarm)?.collect::<Result<_, _>>()?;
            Ok(all)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreOptions;

    #[test]
    fn an_alarm_lasts_once_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let at = Instant::from_seconds;
        let raise = |seconds| store.raise_alarm("silent", "meter:m", "{}", at(seconds)).unwrap();
        let first = raise(10);
        assert_eq!(raise(20), first);
        store.note_told(first, 1).unwrap();
        store.note_told(first, 4).unwrap();
        store.end_alarm("silent", "meter:m", at(30)).unwrap();
        store.end_alarm("silent", "meter:m", at(40)).unwrap();
        let second = raise(50);
        assert_ne!(second, first);
        let all = store.alarms(10).unwrap();
        assert_eq!(all.iter().map(|a| a.id).collect::<Vec<_>>(), [second, first]);
        assert_eq!((all[1].ended_at, all[1].told), (Some(at(30)), 5));
        assert_eq!((all[0].ended_at, all[0].raised_at), (None, at(50)));
        assert_eq!(store.alarms(0).unwrap().len(), 1);
    }
}
