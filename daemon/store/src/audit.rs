//! The append-only log of what people changed: each entry holds the hash of the one before, and the
//! digest of what was written, so that an edit behind the program's back shows.
//!
//! Must never: be written outside the transaction of the change it tells of.

use model::{Digest, Instant};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use crate::accounts;
use crate::error::{Fault, StoreError};
use crate::imports;
use crate::records;
use crate::store::Store;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// 1, 2, 3, … without a gap.
    pub seq: i64,
    pub at: Instant,
    pub author: String,
    /// `create`, `update` or `import`.
    pub action: String,
    /// The kind of record, or `bills`, `temperatures`.
    pub kind: String,
    /// The record's id, or the name of the imported file.
    pub subject: String,
    /// Digest of what was written.
    pub content: Digest,
    pub hash: Digest,
}

/// The newest link of the chain: noted elsewhere, it proves that nothing was cut off the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// 0 while nothing was ever changed.
    pub seq: i64,
    pub hash: Digest,
}

/// Where the audit log, or what it speaks of, is not as it was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuditBreak {
    #[error(
        "audit entry {seq} {says}; entries before it are sound; compare with a backup before using later ones"
    )]
    Entry { seq: i64, says: &'static str },
    #[error(
        "{what} is not as audit entry {seq} says it was written; \
         it was changed outside this program: restore it from a backup"
    )]
    Content { what: String, seq: i64 },
    #[error("the audit log could not be read")]
    Unreadable(#[from] StoreError),
}

/// A change about to be entered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) at: Instant,
    pub(crate) author: &'a str,
    pub(crate) action: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) content: Digest,
}

/// A digest over fields, each preceded by its length so that no two lists of fields look alike.
#[derive(Debug, Default)]
pub(crate) struct FieldHasher(Sha256);

impl FieldHasher {
    pub(crate) fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    pub(crate) fn digest(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

fn link(seq: i64, change: &Change<'_>, previous: &Digest) -> Digest {
    let mut hasher = FieldHasher::default();
    hasher
        .field(&previous.0)
        .field(&seq.to_be_bytes())
        .field(&change.at.millis().to_be_bytes())
        .field(change.author.as_bytes())
        .field(change.action.as_bytes())
        .field(change.kind.as_bytes())
        .field(change.subject.as_bytes())
        .field(&change.content.0);
    hasher.digest()
}

/// Enters a change and returns its number.
pub(crate) fn append(conn: &Connection, change: &Change<'_>) -> Result<i64, Fault> {
    let last = head(conn)?;
    let seq = last.seq + 1;
    let hash = link(seq, change, &last.hash);
    conn.prepare_cached(
        "INSERT INTO audit (seq, at_ms, author, action, kind, subject, content, previous, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute((
        seq,
        change.at.millis(),
        change.author,
        change.action,
        change.kind,
        change.subject,
        change.content.0,
        last.hash.0,
        hash.0,
    ))?;
    Ok(seq)
}

fn head(conn: &Connection) -> Result<AuditHead, Fault> {
    let mut select = conn.prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?;
    let mut rows = select.query([])?;
    match rows.next()? {
        Some(row) => Ok(AuditHead { seq: row.get(0)?, hash: Digest(row.get(1)?) }),
        None => Ok(AuditHead { seq: 0, hash: Digest([0; 32]) }),
    }
}

/// Follows the chain from its first entry.
fn verify_chain(conn: &Connection) -> Result<Option<AuditBreak>, Fault> {
    let mut select = conn.prepare(
        "SELECT seq, at_ms, author, action, kind, subject, content, hash, previous FROM audit ORDER BY seq",
    )?;
    let mut rows = select.query([])?;
    let mut last = AuditHead { seq: 0, hash: Digest([0; 32]) };
    while let Some(row) = rows.next()? {
        let seq = last.seq + 1;
        let broken = |says| Ok(Some(AuditBreak::Entry { seq, says }));
        if row.get::<_, i64>(0)? != seq {
            return broken("is missing");
        }
        // A digest of another length is an edit too, not a failure to read.
        let (Ok(content), Ok(hash), Ok(previous)) = (row.get(6), row.get(7), row.get(8)) else {
            return broken("holds no valid digest");
        };
        if Digest(previous) != last.hash {
            return broken("does not follow from the entry before it");
        }
        let (author, action, kind, subject): (String, String, String, String) =
            (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
        let change = Change {
            at: Instant::from_millis(row.get(1)?),
            author: &author,
            action: &action,
            kind: &kind,
            subject: &subject,
            content: Digest(content),
        };
        if link(seq, &change, &last.hash) != Digest(hash) {
            return broken("was edited");
        }
        last = AuditHead { seq, hash: Digest(hash) };
    }
    Ok(None)
}

/// The digest noted by an entry, if there is such an entry.
pub(crate) fn content_of(conn: &Connection, seq: i64) -> Result<Option<Digest>, Fault> {
    let mut select = conn.prepare_cached("SELECT content FROM audit WHERE seq = ?1")?;
    let mut rows = select.query([seq])?;
    match rows.next()? {
        Some(row) => Ok(Some(Digest(row.get(0)?))),
        None => Ok(None),
    }
}

impl Store {
    /// Checks every link of the chain, and every record, bill and temperature against the entry that
    /// tells of it.
    pub fn verify_audit(&self) -> Result<(), AuditBreak> {
        let broken = self.read("verify the audit log", |conn| {
            let snapshot = conn.unchecked_transaction()?;
            if let Some(broken) = verify_chain(&snapshot)? {
                return Ok(Some(broken));
            }
            if let Some(broken) = records::verify(&snapshot)? {
                return Ok(Some(broken));
            }
            if let Some(broken) = accounts::verify(&snapshot)? {
                return Ok(Some(broken));
            }
            imports::verify(&snapshot)
        })?;
        broken.map_or(Ok(()), Err)
    }

    /// The newest link of the chain.
    pub fn audit_head(&self) -> Result<AuditHead, StoreError> {
        self.read("read the audit log", head)
    }

    /// The hash of one entry, if there is such an entry.
    ///
    /// # Errors
    /// The database's own.
    pub fn audit_hash(&self, seq: i64) -> Result<Option<Digest>, StoreError> {
        self.read("read the audit log", |conn| {
            let mut select = conn.prepare_cached("SELECT hash FROM audit WHERE seq = ?1")?;
            let mut rows = select.query([seq])?;
            Ok(rows.next()?.map(|row| row.get(0)).transpose()?.map(Digest))
        })
    }

    /// The newest entries first, at most `limit`.
    pub fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.audit_before(i64::MAX, limit)
    }

    /// The entries with numbers below `before`, the newest first, at most `limit`.
    ///
    /// # Errors
    /// The database's own.
    pub fn audit_before(&self, before: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.read("read the audit log", |conn| {
            let mut select = conn.prepare_cached(
                "SELECT seq, at_ms, author, action, kind, subject, content, hash
                 FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
            )?;
            let mut rows = select.query((before, limit))?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(AuditEntry {
                    seq: row.get(0)?,
                    at: Instant::from_millis(row.get(1)?),
                    author: row.get(2)?,
                    action: row.get(3)?,
                    kind: row.get(4)?,
                    subject: row.get(5)?,
                    content: Digest(row.get(6)?),
                    hash: Digest(row.get(7)?),
                });
            }
            Ok(all)
        })
    }
}
