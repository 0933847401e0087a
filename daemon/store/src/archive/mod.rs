//! Closed months as Parquet files, one a month, that any tool can read, beside a journal that keeps what is newer
//! or came late. Readers see both as one.
//!
//! Must never: hold a reading that the journal has not acknowledged, or change a file once written.

mod close;
mod columns;
pub(crate) mod manifest;
mod merge;
pub(crate) mod read;
#[cfg(test)]
mod tests;
mod write;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use self::manifest::ArchivedMonth;
use self::read::ArchiveFile;
use crate::error::StoreError;
use crate::store::Store;

/// The archive's folder in the store directory.
pub const ARCHIVE_FOLDER: &str = "archive";

/// Most files kept open; each holds its footer in memory.
const OPEN_FILES_MAX: usize = 64;

/// Files kept open, the one used last at the end.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles(Mutex<Vec<(String, Arc<ArchiveFile>)>>);

impl Store {
    pub(crate) fn archive_place(&self, name: &str) -> PathBuf {
        self.directory().join(ARCHIVE_FOLDER).join(name)
    }

    pub(crate) fn archive_failed(&self, name: &str, attempt: &'static str, source: io::Error) -> StoreError {
        StoreError::Archive { path: self.archive_place(name), attempt, source: Arc::new(source) }
    }

    /// The open file of a month.
    pub(crate) fn archived(&self, month: &ArchivedMonth) -> Result<Arc<ArchiveFile>, StoreError> {
        let files = &self.open_files().0;
        let mut open = files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().position(|(name, _)| *name == month.name) {
            let entry = open.remove(at);
            let file = Arc::clone(&entry.1);
            open.push(entry);
            return Ok(file);
        }
        let file = ArchiveFile::open(&self.archive_place(&month.name));
        let file = Arc::new(file.map_err(|source| self.archive_failed(&month.name, "open", source))?);
        if open.len() == OPEN_FILES_MAX {
            open.remove(0);
        }
        open.push((month.name.clone(), Arc::clone(&file)));
        Ok(file)
    }
}
