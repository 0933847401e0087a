//! One daemon per store directory, held by a lock on a file that the kernel frees when the process ends.
//!
//! Must never: judge by the file's existence or by the process number in it; only the lock counts.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use crate::error::StoreError;
use crate::private;

/// The lock file's name in the store directory.
pub const LOCK_FILE: &str = "daemon.lock";

/// Held as long as the daemon works on the directory.
#[derive(Debug)]
pub(crate) struct DaemonLock {
    /// Closing the file frees the lock.
    _file: File,
}

impl DaemonLock {
    /// Takes the lock, or says who has it.
    pub(crate) fn take(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(LOCK_FILE);
        let files =
            |attempt, source| StoreError::Files { path: path.clone(), attempt, source: Arc::new(source) };
        let mut file = private::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| files("open the lock file", e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { path: directory.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(e)) => return Err(files("lock", e)),
        }
        // The number is only for the message of the next one who asks; a full disk must not keep the daemon down.
        if let Err(error) = sign(&mut file) {
            tracing::debug!(path = %path.display(), %error, "the process number could not be noted in the lock file");
        }
        Ok(Self { _file: file })
    }
}

fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
