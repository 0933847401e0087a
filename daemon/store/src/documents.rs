//! Documents of people and frozen files, each kept once under its SHA-256 in a folder beside the journal.
//!
//! Must never: change or remove a file once kept, or give back bytes that are not those of the digest.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use model::Digest;
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;
use crate::store::Store;

/// The folder beside the journal.
pub const DOCUMENTS_FOLDER: &str = "documents";
/// Largest file kept, in bytes.
pub const KEPT_BYTES_MAX: usize = 256 * 1024 * 1024;

impl Store {
    fn document_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let (folder, rest) = hex.split_at(2);
        self.directory().join(DOCUMENTS_FOLDER).join(folder).join(rest)
    }

    /// Keeps bytes under their digest; on disk when it returns. The same bytes again change nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] beyond [`KEPT_BYTES_MAX`]; the file system's own.
    pub fn keep_document(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        if KEPT_BYTES_MAX < bytes.len() {
            let says = format!("it has {} bytes, at most {KEPT_BYTES_MAX} are kept", bytes.len());
            return Err(StoreError::refused("a document", says));
        }
        let digest = Digest(Sha256::digest(bytes).into());
        let path = self.document_path(&digest);
        let failed = |source: io::Error| StoreError::Files {
            path: path.clone(),
            attempt: "keep",
            source: Arc::new(source),
        };
        if path.is_file() {
            return Ok(digest);
        }
        let folder = path.parent().map_or_else(|| self.directory().to_owned(), ToOwned::to_owned);
        fs::create_dir_all(&folder).map_err(failed)?;
        // Two processes may keep the same file at once: each writes its own and renames onto the same bytes.
        let aside = folder.join(format!(".{}.{}.part", digest.hex(), std::process::id()));
        let written = (|| {
            let mut file = File::create(&aside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&aside, &path)?;
            // A rename is durable when its folder is, and so is a new folder.
            File::open(&folder)?.sync_all()?;
            File::open(self.directory().join(DOCUMENTS_FOLDER))?.sync_all()
        })();
        if written.is_err() {
            // What is left of a failed attempt is not the failure to tell.
            drop(fs::remove_file(&aside));
        }
        written.map_err(failed)?;
        Ok(digest)
    }

    /// The bytes of a digest; `None` when nothing is kept under it.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when the bytes are not those that were kept; the file system's own.
    pub fn document(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.document_path(digest);
        match fs::read(&path) {
            Ok(bytes) if Digest(Sha256::digest(&bytes).into()) == *digest => Ok(Some(bytes)),
            Ok(_) => Err(StoreError::Unreadable {
                path,
                what: "bytes other than those that were kept: it was changed outside this program".to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Files { path, attempt: "read", source: Arc::new(error) }),
        }
    }
}
