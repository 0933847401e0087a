//! The look at everything that is kept: whether it is what was once written.
//!
//! Must never: change anything, or pass over what cannot be read.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::backup::digest_of;
use crate::documents::{self, DOCUMENTS_FOLDER};
use crate::error::{Fault, StoreError};
use crate::recent;
use crate::row;
use crate::schema::JOURNAL_FILE;
use crate::store::Store;

impl Store {
    /// Checks the database, every chunk and block, the audit chain, every archive file against the manifest, and every
    /// kept document against its name. Returns what was checked. Which documents there should be is for those to say
    /// who know what a record means: [`Store::has_document`].
    ///
    /// # Errors
    /// The first thing that is wrong, by name.
    pub fn verify(&self) -> Result<Verified, StoreError> {
        let says: String = self.read("check the journal", |conn| {
            Ok(conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?)
        })?;
        if says != "ok" {
            return Err(StoreError::Unreadable {
                path: self.directory().join(JOURNAL_FILE),
                what: format!("damage ({says})"),
            });
        }
        self.verify_audit().map_err(|broken| StoreError::Unreadable {
            path: self.directory().join(JOURNAL_FILE),
            what: format!("an audit log that was tampered with: {broken}"),
        })?;
        let mut verified = Verified {
            audit_entries: self.audit_head()?.seq,
            journal_readings: self.verify_bodies()?,
            ..Verified::default()
        };
        for month in self.archive_files()? {
            let failed = |source| self.archive().failed(&month.name, "check", source);
            let (_, found) = digest_of(&self.archive().place(&month.name)).map_err(failed)?;
            let rows = self.archive().file(&month)?.rows_in_all();
            if found != month.sha256 || rows != month.readings {
                let says = "its bytes or its number of readings are not those of the manifest";
                return Err(failed(io::Error::new(io::ErrorKind::InvalidData, says)));
            }
            verified.archive_files += 1;
            verified.archived_readings += rows;
        }
        verified.documents = self.verify_documents()?;
        Ok(verified)
    }

    /// Compares every kept file with the digest that is its name; returns how many there are.
    fn verify_documents(&self) -> Result<u64, StoreError> {
        let failed =
            |path: PathBuf, source| StoreError::Files { path, attempt: "check", source: Arc::new(source) };
        let there = documents::listed(self.directory())
            .map_err(|e| failed(self.directory().join(DOCUMENTS_FOLDER), e))?;
        for (path, sha256) in &there {
            let path = self.directory().join(path);
            let (_, found) = digest_of(&path).map_err(|e| failed(path.clone(), e))?;
            if found != *sha256 {
                return Err(StoreError::Unreadable { path, what: documents::CHANGED.to_owned() });
            }
        }
        Ok(there.len() as u64)
    }

    /// Decodes every chunk and every block of the intake; returns how many readings the journal holds.
    fn verify_bodies(&self) -> Result<u64, StoreError> {
        self.read("check chunks and intake", |conn| {
            let snapshot = conn.unchecked_transaction()?;
            let (folded, _) = recent::marks(&snapshot)?;
            let mut readings = 0;
            let mut select = snapshot.prepare("SELECT id, readings, body FROM chunk")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let (id, count): (i64, i64) = (row.get(0)?, row.get(1)?);
                let body = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
                let found = row::chunk(body).filter(|rows| rows.len() as i64 == count);
                readings += found.ok_or_else(|| Fault::Unreadable(format!("the damaged chunk {id}")))?.len();
            }
            let mut select = snapshot.prepare("SELECT seq, readings, body FROM intake")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let (seq, count): (i64, i64) = (row.get(0)?, row.get(1)?);
                let body = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
                let found = row::block(body).filter(|rows| rows.len() as i64 == count);
                let found = found.ok_or_else(|| Fault::Unreadable(format!("the damaged intake {seq}")))?;
                readings += if folded < seq { found.len() } else { 0 };
            }
            Ok(readings as u64)
        })
    }
}

/// What [`Store::verify`] looked at and found good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    pub audit_entries: i64,
    /// In chunks, and in the intake where they are in no chunk yet.
    pub journal_readings: u64,
    pub archive_files: u64,
    pub archived_readings: u64,
    /// Documents of people and frozen files.
    pub documents: u64,
}
