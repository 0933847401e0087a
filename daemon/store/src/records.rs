//! What people declare, as texts with every former version kept: projects and the like.
//!
//! Must never: know what a body means, or forget a version.

use model::{Digest, Instant};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::audit::{self, AuditBreak, Change, FieldHasher};
use crate::error::{Fault, StoreError};
use crate::store::Store;

/// Longest kind, id or author in bytes.
const NAME_BYTES_MAX: usize = 256;

/// One version of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub kind: String,
    pub id: String,
    /// 1 for the first.
    pub version: u32,
    pub body: String,
    pub author: String,
    pub at: Instant,
}

/// What putting a record did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordChange {
    /// The newest version has this very body: nothing was written.
    Unchanged,
    Created,
    Updated,
}

/// What putting a first version did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstChange {
    Created,
    /// There is a record with this very body already.
    Same,
    /// There is a record with another body: it stays, nothing was written.
    Differs,
}

const COLUMNS: &str = "kind, id, version, body, author, at_ms";

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        kind: row.get(0)?,
        id: row.get(1)?,
        version: row.get(2)?,
        body: row.get(3)?,
        author: row.get(4)?,
        at: Instant::from_millis(row.get(5)?),
    })
}

fn newest(conn: &Connection, kind: &str, id: &str) -> Result<Option<Record>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS} FROM record_version WHERE kind = ?1 AND id = ?2 ORDER BY version DESC LIMIT 1"
    );
    Ok(conn.prepare_cached(&sql)?.query_row((kind, id), record).optional()?)
}

fn content(record: &Record) -> Digest {
    let mut hasher = FieldHasher::default();
    hasher
        .field(record.kind.as_bytes())
        .field(record.id.as_bytes())
        .field(&record.version.to_be_bytes())
        .field(record.body.as_bytes())
        .field(record.author.as_bytes())
        .field(&record.at.millis().to_be_bytes());
    hasher.digest()
}

fn put(conn: &Connection, mut new: Record) -> Result<RecordChange, Fault> {
    let last = newest(conn, &new.kind, &new.id)?;
    let (action, change) = match &last {
        Some(last) if last.body == new.body => return Ok(RecordChange::Unchanged),
        Some(_) => ("update", RecordChange::Updated),
        None => ("create", RecordChange::Created),
    };
    new.version = last.map_or(0, |last| last.version).saturating_add(1);
    let entry = Change {
        at: new.at,
        author: &new.author,
        action,
        kind: &new.kind,
        subject: &new.id,
        content: content(&new),
    };
    let seq = audit::append(conn, &entry)?;
    conn.prepare_cached(
        "INSERT INTO record_version (kind, id, version, body, author, at_ms, audit)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((&new.kind, &new.id, new.version, &new.body, &new.author, new.at.millis(), seq))?;
    Ok(change)
}

fn put_first(conn: &Connection, new: Record) -> Result<FirstChange, Fault> {
    match newest(conn, &new.kind, &new.id)? {
        Some(last) if last.body == new.body => Ok(FirstChange::Same),
        Some(_) => Ok(FirstChange::Differs),
        None => put(conn, new).map(|_| FirstChange::Created),
    }
}

fn put_next(conn: &Connection, last: u32, new: Record) -> Result<bool, Fault> {
    if newest(conn, &new.kind, &new.id)?.map_or(0, |newest| newest.version) != last {
        return Ok(false);
    }
    put(conn, new).map(|_| true)
}

/// Compares every version with its audit entry.
pub(crate) fn verify(conn: &Connection) -> Result<Option<AuditBreak>, Fault> {
    let sql = format!("SELECT {COLUMNS}, audit FROM record_version ORDER BY kind, id, version");
    let mut select = conn.prepare(&sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let stored = record(row)?;
        let seq = row.get(6)?;
        let told = audit::content_of(conn, seq)?;
        if told != Some(content(&stored)) {
            let what = format!("version {} of {} {:?}", stored.version, stored.kind, stored.id);
            return Ok(Some(AuditBreak::Content { what, seq }));
        }
    }
    // The other way round: an entry whose version is gone.
    let missing = conn
        .query_row(
            "SELECT seq, kind, subject FROM audit a WHERE action IN ('create', 'update')
             AND NOT EXISTS (SELECT 1 FROM record_version r WHERE r.audit = a.seq) ORDER BY seq LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)),
        )
        .optional()?;
    Ok(missing.map(|(seq, kind, id)| AuditBreak::Content { what: format!("{kind} {id:?}"), seq }))
}

/// Refuses an empty text, or one over the limit.
pub(crate) fn check_text(what: &str, text: &str, bytes_max: usize) -> Result<(), StoreError> {
    if text.is_empty() {
        return Err(StoreError::refused(what, "it is empty"));
    }
    if text.len() > bytes_max {
        return Err(StoreError::refused(
            what,
            format!("it has {} bytes, {bytes_max} are allowed", text.len()),
        ));
    }
    Ok(())
}

impl Store {
    /// Writes a record unless its newest version has this very body; entered in the audit log.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an empty name or a body over the limit; the database's own.
    pub fn put_record(
        &self,
        kind: &str,
        id: &str,
        body: &str,
        author: &str,
        at: Instant,
    ) -> Result<RecordChange, StoreError> {
        let new = self.new_record(kind, id, body, author, at)?;
        self.write("write a record", move |conn| put(conn, new))
    }

    /// Writes a record unless there is one of this id already, whatever its body; entered in the audit log.
    ///
    /// # Errors
    /// As [`Store::put_record`].
    pub fn put_first_record(
        &self,
        kind: &str,
        id: &str,
        body: &str,
        author: &str,
        at: Instant,
    ) -> Result<FirstChange, StoreError> {
        let new = self.new_record(kind, id, body, author, at)?;
        self.write("write a record", move |conn| put_first(conn, new))
    }

    /// Writes the version after `last`, unless another one was written since; entered in the audit log. Whether `last`
    /// was still the newest: where it was not, nothing is written. The very body of `last` writes nothing either.
    ///
    /// # Errors
    /// As [`Store::put_record`].
    pub fn put_next_record(
        &self,
        last: &Record,
        body: &str,
        author: &str,
        at: Instant,
    ) -> Result<bool, StoreError> {
        let new = self.new_record(&last.kind, &last.id, body, author, at)?;
        let version = last.version;
        self.write("write a record", move |conn| put_next(conn, version, new))
    }

    fn new_record(
        &self,
        kind: &str,
        id: &str,
        body: &str,
        author: &str,
        at: Instant,
    ) -> Result<Record, StoreError> {
        check_text("the kind of a record", kind, NAME_BYTES_MAX)?;
        check_text("the id of a record", id, NAME_BYTES_MAX)?;
        check_text("the author of a record", author, NAME_BYTES_MAX)?;
        let bytes_max = self.options().record_bytes_max;
        if body.len() > bytes_max {
            let says = format!("its body has {} bytes, {bytes_max} are allowed", body.len());
            return Err(StoreError::refused(format!("{kind} {id:?}"), says));
        }
        Ok(Record {
            kind: kind.to_owned(),
            id: id.to_owned(),
            version: 0,
            body: body.to_owned(),
            author: author.to_owned(),
            at,
        })
    }

    /// The newest version of a record.
    pub fn record(&self, kind: &str, id: &str) -> Result<Option<Record>, StoreError> {
        self.read("read a record", |conn| newest(conn, kind, id))
    }

    /// Every kind of which there is a record, in order.
    ///
    /// # Errors
    /// The database's own.
    pub fn record_kinds(&self) -> Result<Vec<String>, StoreError> {
        self.read("list the kinds of records", |conn| {
            let mut select = conn.prepare_cached("SELECT DISTINCT kind FROM record_version ORDER BY kind")?;
            Ok(select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
    }

    /// The newest version of every record of a kind, in order of id.
    pub fn records(&self, kind: &str) -> Result<Vec<Record>, StoreError> {
        self.read("read records", |conn| {
            let sql = format!(
                "SELECT {COLUMNS} FROM record_version r WHERE kind = ?1 AND version =
                 (SELECT max(version) FROM record_version v WHERE v.kind = r.kind AND v.id = r.id) ORDER BY id"
            );
            let mut select = conn.prepare_cached(&sql)?;
            let all = select.query_map([kind], record)?.collect::<Result<_, _>>()?;
            Ok(all)
        })
    }

    /// Every version of a record, oldest first.
    pub fn record_versions(&self, kind: &str, id: &str) -> Result<Vec<Record>, StoreError> {
        self.read("read a record's versions", |conn| {
            let sql =
                format!("SELECT {COLUMNS} FROM record_version WHERE kind = ?1 AND id = ?2 ORDER BY version");
            let mut select = conn.prepare_cached(&sql)?;
            let all = select.query_map((kind, id), record)?.collect::<Result<_, _>>()?;
            Ok(all)
        })
    }

    /// Every version of every record of a kind whose id begins so, by id and version.
    ///
    /// # Errors
    /// The database's own.
    pub fn record_versions_under(&self, kind: &str, prefix: &str) -> Result<Vec<Record>, StoreError> {
        self.read("read records' versions", |conn| {
            let sql = format!(
                "SELECT {COLUMNS} FROM record_version WHERE kind = ?1 AND id >= ?2 AND substr(id, 1, length(?2)) = ?2
                 ORDER BY id, version"
            );
            let mut select = conn.prepare_cached(&sql)?;
            let all = select.query_map((kind, prefix), record)?.collect::<Result<_, _>>()?;
            Ok(all)
        })
    }
}
