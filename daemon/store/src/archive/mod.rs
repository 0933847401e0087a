//! Closed months as Parquet files, one a month, that any tool can read, beside a journal that keeps what is newer
//! or came late. Readers see both as one.
//!
//! Must never: hold a reading that the journal has not acknowledged, or change a file once written.

mod close;
pub(crate) mod columns;
pub(crate) mod manifest;
mod merge;
pub(crate) mod read;
#[cfg(test)]
mod tests;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use self::manifest::ArchivedMonth;
use self::read::ArchiveFile;
use crate::error::StoreError;

/// The archive's folder in the store directory.
pub const ARCHIVE_FOLDER: &str = "archive";

/// Most files kept open; each holds its footer in memory.
const OPEN_FILES_MAX: usize = 64;

/// The archive's folder, with files kept open, the one used last at the end.
#[derive(Debug)]
pub(crate) struct Archive {
    folder: PathBuf,
    open: Mutex<Vec<(String, Arc<ArchiveFile>)>>,
}

impl Archive {
    /// The archive beside a journal.
    pub(crate) fn beside(journal: &Path) -> Self {
        let folder = journal.parent().unwrap_or(Path::new("")).join(ARCHIVE_FOLDER);
        Self { folder, open: Mutex::default() }
    }

    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn failed(&self, name: &str, attempt: &'static str, source: io::Error) -> StoreError {
        StoreError::Archive { path: self.place(name), attempt, source: Arc::new(source) }
    }

    /// The open file of a month.
    pub(crate) fn file(&self, month: &ArchivedMonth) -> Result<Arc<ArchiveFile>, StoreError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().position(|(name, _)| *name == month.name) {
            let entry = open.remove(at);
            let file = Arc::clone(&entry.1);
            open.push(entry);
            return Ok(file);
        }
        let file = ArchiveFile::open(&self.place(&month.name));
        let file = Arc::new(file.map_err(|source| self.failed(&month.name, "open", source))?);
        if open.len() == OPEN_FILES_MAX {
            open.remove(0);
        }
        open.push((month.name.clone(), Arc::clone(&file)));
        Ok(file)
    }
}
