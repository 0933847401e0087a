//! What can go wrong with the store, said to the person who can put it right.
//!
//! Must never: lose the cause, or repeat it in the sentence that has it as source.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;

/// A failure of the store. Cheap to clone: one failed commit answers every append in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error(
        "failed to {attempt} {path}; check that it is on a local disk and that this user may write there"
    )]
    Files {
        path: PathBuf,
        attempt: &'static str,
        #[source]
        source: Arc<io::Error>,
    },
    #[error("failed to {attempt} the archive file {path}; check the disk, or restore the file from a backup")]
    Archive {
        path: PathBuf,
        attempt: &'static str,
        #[source]
        source: Arc<io::Error>,
    },
    #[error(
        "another daemon{} works on {path}; stop it, or give this one a `data_dir` of its own",
        .holder.map(|id| format!(" (process {id})")).unwrap_or_default()
    )]
    InUse { path: PathBuf, holder: Option<u32> },
    #[error(
        "{path} was written by a newer version (schema {found}, this one knows up to {known}); \
         run that version, or restore the backup made before the upgrade"
    )]
    NewerSchema { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{path} needs an upgrade from schema {found} to {known} while a daemon of the older version works on it; \
         stop that daemon and start it again with this version"
    )]
    UpgradeBlocked { path: PathBuf, found: i64, known: i64 },
    #[error("{path} is not a journal of this program; move it away, or choose another store directory")]
    NotAJournal { path: PathBuf },
    #[error(
        "{path} is empty although archived months stand beside it: it was lost or cut off; restore a backup into an \
         empty directory, or move the archive away to begin anew"
    )]
    Emptied { path: PathBuf },
    #[error("failed to {attempt} in {path}; {}", advice(.source))]
    Database {
        path: PathBuf,
        attempt: &'static str,
        #[source]
        source: Arc<rusqlite::Error>,
    },
    #[error("{path} holds {what}; restore it from a backup")]
    Unreadable { path: PathBuf, what: String },
    /// The caller's data; the same data will be refused again.
    #[error("{subject} was refused: {says}")]
    Refused { subject: String, says: String },
    #[error(
        "the writer of {path} failed by a fault of this program and began anew; nothing of this was acknowledged; \
         try again, and report the fault with the log"
    )]
    WriterFailed { path: PathBuf },
    #[error("the store {path} is closed; nothing was written; open it again")]
    Closed { path: PathBuf },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing the data or the settings.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Files { source, .. } | Self::Archive { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::Interrupted
                    | io::ErrorKind::WouldBlock
            ),
            Self::Database { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(
                    ErrorCode::DiskFull
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::CannotOpen
                        | ErrorCode::OutOfMemory
                        | ErrorCode::OperationInterrupted
                        | ErrorCode::FileLockingProtocolFailed
                )
            ),
            Self::WriterFailed { .. } => true,
            Self::InUse { .. }
            | Self::NewerSchema { .. }
            | Self::UpgradeBlocked { .. }
            | Self::NotAJournal { .. }
            | Self::Emptied { .. }
            | Self::Unreadable { .. }
            | Self::Refused { .. }
            | Self::Closed { .. } => false,
        }
    }

    pub(crate) fn refused(subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self::Refused { subject: subject.into(), says: says.into() }
    }
}

fn advice(source: &rusqlite::Error) -> &'static str {
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            "nothing was acknowledged; make room on the disk, then it can be tried again"
        }
        Some(ErrorCode::SystemIoFailure) => {
            "nothing was acknowledged; look at the disk's own log, then it can be tried again"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process was writing for too long; wait for its import to end, then try again"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "let this user write to the file and its directory"
        }
        Some(ErrorCode::CannotOpen) => {
            "check that the file and its directory exist and may be read and written"
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            "the file is damaged: stop the daemon, keep a copy of the directory, and restore a backup"
        }
        _ => "see the cause",
    }
}

/// What a piece of work inside the database may fail with, before the file and the attempt are known.
#[derive(Debug)]
pub(crate) enum Fault {
    Sql(rusqlite::Error),
    Store(StoreError),
    /// A stored thing that cannot be decoded: what it is.
    Unreadable(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Fault {
    pub(crate) fn at(self, path: &std::path::Path, attempt: &'static str) -> StoreError {
        match self {
            Self::Sql(source) if source.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                StoreError::NotAJournal { path: path.to_owned() }
            }
            Self::Sql(source) => {
                StoreError::Database { path: path.to_owned(), attempt, source: Arc::new(source) }
            }
            Self::Store(error) => error,
            Self::Unreadable(what) => {
                let what = format!("{what}, which this version cannot read (the version that wrote it may)");
                StoreError::Unreadable { path: path.to_owned(), what }
            }
        }
    }
}
