//! Documents of people and frozen files, each kept once under its SHA-256 in a folder beside the journal.
//!
//! Must never: change or remove a file once kept, or give back bytes that are not those of the digest.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::Digest;
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;
use crate::private;
use crate::store::Store;

/// The folder beside the journal.
pub const DOCUMENTS_FOLDER: &str = "documents";
/// Largest file kept, in bytes.
pub const KEPT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What is said of a file whose bytes are not those of its name.
pub(crate) const CHANGED: &str =
    "other bytes than those that were kept, so it was changed outside this program";

/// Tells apart the files that this process writes at once.
static ASIDE: AtomicU64 = AtomicU64::new(0);

/// Where a kept file stands below the store's directory, and below a backup's.
pub(crate) fn place(digest: &Digest) -> String {
    let hex = digest.hex();
    let (folder, rest) = hex.split_at(2);
    format!("{DOCUMENTS_FOLDER}/{folder}/{rest}")
}

/// The digest of the file that stands there; `None` for a path that is no kept file's.
pub(crate) fn digest_at(path: &str) -> Option<Digest> {
    let (folder, rest) = path.strip_prefix(DOCUMENTS_FOLDER)?.strip_prefix('/')?.split_once('/')?;
    let digest = Digest::parse_hex(&format!("{folder}{rest}"))?;
    (place(&digest) == path).then_some(digest)
}

/// Every path below the folder of documents, as listed in a backup.
fn paths(directory: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let folders = match fs::read_dir(directory.join(DOCUMENTS_FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        folders => folders?,
    };
    for folder in folders {
        let folder = folder?;
        if !folder.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder.path())? {
            let (above, name) = (folder.file_name(), file?.file_name());
            found.push(format!("{DOCUMENTS_FOLDER}/{}/{}", above.to_string_lossy(), name.to_string_lossy()));
        }
    }
    Ok(found)
}

/// Every kept file below `directory`. What an interrupted attempt left is none.
pub(crate) fn listed(directory: &Path) -> io::Result<BTreeMap<String, Digest>> {
    let all = paths(directory)?.into_iter();
    Ok(all.filter_map(|path| Some((digest_at(&path)?, path))).map(|(digest, path)| (path, digest)).collect())
}

/// Removes what interrupted copies left in a backup.
pub(crate) fn clear_parts(folder: &Path) -> io::Result<()> {
    let parts = paths(folder)?.into_iter().filter(|path| path.ends_with(".copying"));
    parts.map(|path| folder.join(path)).try_for_each(fs::remove_file)
}

impl Store {
    fn document_path(&self, digest: &Digest) -> PathBuf {
        self.directory().join(place(digest))
    }

    /// Whether a file is kept under the digest. Its bytes are not looked at: [`Store::verify`] does that.
    ///
    /// # Errors
    /// The file system's own.
    pub fn has_document(&self, digest: &Digest) -> Result<bool, StoreError> {
        let path = self.document_path(digest);
        match fs::metadata(&path) {
            Ok(meta) => Ok(meta.is_file()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::Files { path, attempt: "look at", source: Arc::new(error) }),
        }
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
        private::create_dir_all(&folder).map_err(failed)?;
        // Two processes, or two threads of one, may keep the same file at once: each writes its own and renames onto the
        // same bytes.
        let (process, turn) = (std::process::id(), ASIDE.fetch_add(1, Ordering::Relaxed));
        let aside = folder.join(format!(".{}.{process}.{turn}.part", digest.hex()));
        let written = (|| {
            let mut file = private::create(&aside)?;
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
            Ok(_) => Err(StoreError::Unreadable { path, what: CHANGED.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Files { path, attempt: "read", source: Arc::new(error) }),
        }
    }
}
