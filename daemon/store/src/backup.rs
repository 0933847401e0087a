//! Copies of a store that can be opened elsewhere, made while the daemon works; and the way back.
//!
//! A backup folder holds the journal of one moment, every archive file that journal names, every kept document, and a
//! list with the digest of each. Archive files and documents never change, so a second backup into the same folder
//! copies only new ones.
//!
//! Must never: write into a folder that is neither empty nor a backup, call a copy done before it is on disk, or give
//! up a document that a former backup saved.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Digest;
use sha2::{Digest as _, Sha256};

use crate::archive::{ARCHIVE_FOLDER, manifest};
use crate::documents::{self, DOCUMENTS_FOLDER};
use crate::error::StoreError;
use crate::private;
use crate::schema::{self, JOURNAL_FILE};
use crate::store::Store;

/// The list's name in a backup folder: a digest, two blanks and a path a line, as `sha256sum` writes and checks it.
pub const BACKUP_LIST: &str = "SHA256SUMS";

/// The list of the backup that is taking the former one's place: the journal goes to its place between the writing of
/// this and its renaming, and whoever stops there leaves a backup of which this is the list.
const NEXT_LIST: &str = "SHA256SUMS.next";

/// A snapshot under way, with what SQLite keeps beside it meanwhile.
const SNAPSHOT_FILES: [&str; 4] = [
    "journal.sqlite3.part",
    "journal.sqlite3.part-journal",
    "journal.sqlite3.part-wal",
    "journal.sqlite3.part-shm",
];

/// How often a snapshot is taken anew because a file it names was superseded meanwhile.
const ATTEMPTS: u32 = 3;
const COPY_BYTES: usize = 1 << 20;

/// What a backup or a restoration did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    pub journal_bytes: u64,
    /// Archive files copied, and those that were there already.
    pub files_copied: usize,
    pub files_kept: usize,
    /// Documents of people and frozen files copied, and those that were there already.
    pub documents_copied: usize,
    pub documents_kept: usize,
    pub bytes_copied: u64,
}

/// What is in a copy so far: the account of it, and its list.
type Sofar = (Copied, BTreeMap<String, Digest>);

impl Store {
    /// Makes or renews a backup in `folder`, consistent as of one moment. Ingestion goes on meanwhile.
    ///
    /// # Errors
    /// The disk's own; a folder that holds something else. A former backup in the folder stays good until the new
    /// one is complete.
    pub fn backup(&self, folder: &Path) -> Result<Copied, StoreError> {
        let failed = |attempt| move |source| files(folder, attempt, source);
        private::create_dir_all(&folder.join(ARCHIVE_FOLDER)).map_err(failed("create the backup folder"))?;
        settle_lists(folder)?;
        let former = former_list(folder)?;
        let aside = folder.join(format!("{JOURNAL_FILE}.part"));
        let mut last = None;
        for _ in 0..ATTEMPTS {
            clear_snapshot(folder).map_err(failed("clear the backup folder"))?;
            self.snapshot(&aside)?;
            match self.copy_archive(&aside, folder, &former) {
                Ok(mut done) => {
                    // A record is written after the document that it names: what the snapshot names is there.
                    self.copy_documents(folder, &former, &mut done)?;
                    return finish(folder, &aside, done);
                }
                // A newer generation took its place while we copied: the next snapshot names that one.
                Err(StoreError::Archive { source, path, attempt })
                    if source.kind() == io::ErrorKind::NotFound =>
                {
                    last = Some(StoreError::Archive { source, path, attempt });
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| StoreError::refused("the backup", "nothing was tried")))
    }

    /// The journal of one moment as a file of its own.
    fn snapshot(&self, place: &Path) -> Result<(), StoreError> {
        let target = place.to_str().map(str::to_owned);
        let target = target.ok_or_else(|| {
            StoreError::refused(
                format!("the backup folder {}", place.display()),
                "its name is no Unicode text",
            )
        })?;
        // An empty file of our own making: the copy keeps its mode.
        private::create(place).map_err(|source| files(place, "create", source))?;
        self.read("copy the journal", |conn| {
            conn.execute("VACUUM INTO ?1", [target])?;
            Ok(())
        })?;
        let sync = || File::open(place)?.sync_all();
        sync().map_err(|source| files(place, "sync", source))
    }

    fn copy_archive(
        &self,
        snapshot: &Path,
        folder: &Path,
        former: &BTreeMap<String, Digest>,
    ) -> Result<Sofar, StoreError> {
        let fault = |f: crate::error::Fault| f.at(snapshot, "read the copied manifest");
        let conn = schema::open_reader(snapshot, self.options().busy_timeout).map_err(fault)?;
        let months = manifest::every(&conn).map_err(fault)?;
        drop(conn);
        let mut done = Copied::default();
        let mut list = BTreeMap::new();
        for month in &months {
            let path = format!("{ARCHIVE_FOLDER}/{}", month.name);
            let target = folder.join(&path);
            let there = former.get(&path) == Some(&month.sha256)
                && fs::metadata(&target).is_ok_and(|meta| meta.len() == month.bytes);
            if there {
                done.files_kept += 1;
            } else {
                let copied = copy_file(&self.archive().place(&month.name), &target);
                let (bytes, sha256) = copied.map_err(|e| self.archive().failed(&month.name, "copy", e))?;
                if sha256 != month.sha256 {
                    let source =
                        io::Error::new(io::ErrorKind::InvalidData, "its bytes are not those once written");
                    return Err(self.archive().failed(&month.name, "copy", source));
                }
                done.files_copied += 1;
                done.bytes_copied += bytes;
            }
            list.insert(path, month.sha256);
        }
        Ok((done, list))
    }

    /// Documents are never removed: one that a former backup has and the store lost stays in the backup.
    fn copy_documents(
        &self,
        folder: &Path,
        former: &BTreeMap<String, Digest>,
        (done, list): &mut Sofar,
    ) -> Result<(), StoreError> {
        let failed = |path: &str, source| files(&self.directory().join(path), "copy", source);
        let there = documents::listed(self.directory()).map_err(|e| failed(DOCUMENTS_FOLDER, e))?;
        for (path, sha256) in &there {
            let (from, to) = (self.directory().join(path), folder.join(path));
            let bytes = fs::metadata(&from).map_err(|e| failed(path, e))?.len();
            // Of another length, one of the two was changed: a sound copy stays, whatever became of the original.
            let is_sound = || digest_of(&to).is_ok_and(|(_, found)| found == *sha256);
            let is_there = |length| fs::metadata(&to).is_ok_and(|meta| meta.len() == length);
            if former.get(path) == Some(sha256) && (is_there(bytes) || is_sound()) {
                done.documents_kept += 1;
            } else {
                make_parent(&to).map_err(|e| files(&to, "make the folder of", e))?;
                let (bytes, found) = copy_file(&from, &to).map_err(|e| failed(path, e))?;
                if found != *sha256 {
                    // Under its own name in the backup it would be taken for the document.
                    remove_if_there(&to).map_err(|e| files(&to, "remove", e))?;
                    return Err(StoreError::Unreadable { path: from, what: documents::CHANGED.to_owned() });
                }
                done.documents_copied += 1;
                done.bytes_copied += bytes;
            }
            list.insert(path.clone(), *sha256);
        }
        for (path, sha256) in former {
            let is_lost = documents::digest_at(path).is_some() && !there.contains_key(path);
            if is_lost && folder.join(path).is_file() {
                done.documents_kept += 1;
                list.insert(path.clone(), *sha256);
            }
        }
        Ok(())
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), private::create_dir_all)
}

/// New names are durable when their folders are, and those when the folders above them are.
fn sync_folders(root: &Path, list: &BTreeMap<String, Digest>) -> io::Result<()> {
    let mut folders = BTreeSet::new();
    for path in list.keys() {
        folders.extend(Path::new(path).ancestors().skip(1).map(|folder| root.join(folder)));
    }
    folders.iter().try_for_each(|folder| File::open(folder)?.sync_all())
}

/// Puts journal and list in their places, then clears files that no longer belong to the backup.
fn finish(folder: &Path, aside: &Path, (mut done, mut list): Sofar) -> Result<Copied, StoreError> {
    let place = || -> io::Result<Copied> {
        sync_folders(folder, &list)?;
        let (bytes, sha256) = digest_of(aside)?;
        done.journal_bytes = bytes;
        done.bytes_copied += bytes;
        list.insert(JOURNAL_FILE.to_owned(), sha256);
        let text: String = list.iter().map(|(path, sha256)| format!("{}  {path}\n", sha256.hex())).collect();
        let (part, next) = (folder.join(format!("{BACKUP_LIST}.part")), folder.join(NEXT_LIST));
        let mut file = private::create(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, &next)?;
        File::open(folder)?.sync_all()?;
        fs::rename(aside, folder.join(JOURNAL_FILE))?;
        File::open(folder)?.sync_all()?;
        fs::rename(&next, folder.join(BACKUP_LIST))?;
        File::open(folder)?.sync_all()?;
        for entry in fs::read_dir(folder.join(ARCHIVE_FOLDER))? {
            let entry = entry?;
            let path = format!("{ARCHIVE_FOLDER}/{}", entry.file_name().to_string_lossy());
            if !list.contains_key(&path) {
                fs::remove_file(entry.path())?;
            }
        }
        File::open(folder.join(ARCHIVE_FOLDER))?.sync_all()?;
        documents::clear_parts(folder)?;
        Ok(done)
    };
    place().map_err(|source| files(folder, "complete the backup in", source))
}

/// Checks every file of a backup against its list.
///
/// # Errors
/// The first file that is missing or changed, by name.
pub fn verify_backup(folder: &Path) -> Result<usize, StoreError> {
    Ok(verified_list(folder)?.len())
}

fn verified_list(folder: &Path) -> Result<BTreeMap<String, Digest>, StoreError> {
    let list = current_list(folder)?;
    for (path, expected) in &list {
        let (_, found) =
            digest_of(&folder.join(path)).map_err(|source| files(&folder.join(path), "read", source))?;
        if found != *expected {
            let source =
                io::Error::new(io::ErrorKind::InvalidData, "its bytes are not those of the backup's list");
            return Err(files(&folder.join(path), "trust", source));
        }
    }
    Ok(list)
}

/// Puts a backup where no store is yet, after checking all of it.
///
/// # Errors
/// A backup with a missing or changed file, a directory that holds a store, the disk's own. What was already
/// copied stays, but is no store before its journal is there, which comes last.
pub fn restore(folder: &Path, directory: &Path) -> Result<Copied, StoreError> {
    let list = verified_list(folder)?;
    let failed = |attempt| move |source| files(directory, attempt, source);
    if directory.join(JOURNAL_FILE).exists() {
        return Err(StoreError::refused(
            format!("the directory {}", directory.display()),
            "it holds a store already; move that away first",
        ));
    }
    // Made by the store itself, for its owner alone.
    schema::prepare_folder(directory)?;
    private::create_dir_all(&directory.join(ARCHIVE_FOLDER))
        .map_err(failed("make the archive's folder in"))?;
    let mut done = Copied::default();
    for path in list.keys().filter(|path| *path != JOURNAL_FILE) {
        let target = directory.join(path);
        make_parent(&target).map_err(failed("make a folder in"))?;
        let (bytes, _) = copy_file(&folder.join(path), &target).map_err(failed("restore into"))?;
        if documents::digest_at(path).is_some() {
            done.documents_copied += 1;
        } else {
            done.files_copied += 1;
        }
        done.bytes_copied += bytes;
    }
    sync_folders(directory, &list).map_err(failed("restore into"))?;
    let part = directory.join(format!("{JOURNAL_FILE}.part"));
    let (bytes, _) = copy_file(&folder.join(JOURNAL_FILE), &part).map_err(failed("restore into"))?;
    done.journal_bytes = bytes;
    done.bytes_copied += bytes;
    let place = || -> io::Result<()> {
        fs::rename(&part, directory.join(JOURNAL_FILE))?;
        File::open(directory)?.sync_all()
    };
    place().map_err(failed("restore into"))?;
    Ok(done)
}

fn files(path: &Path, attempt: &'static str, source: io::Error) -> StoreError {
    StoreError::Files { path: path.to_owned(), attempt, source: Arc::new(source) }
}

/// What an attempt that was cut short left of its snapshot. A journal of SQLite beside it must not meet a new one.
fn clear_snapshot(folder: &Path) -> io::Result<()> {
    SNAPSHOT_FILES.iter().try_for_each(|name| remove_if_there(&folder.join(name)))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The list of the backup that is in the folder; empty for a folder without one, which must then hold nothing else.
fn former_list(folder: &Path) -> Result<BTreeMap<String, Digest>, StoreError> {
    let mut lists = BTreeMap::new();
    for name in [BACKUP_LIST, NEXT_LIST] {
        if folder.join(name).exists() {
            lists.extend(read_list(folder, name)?);
        }
    }
    if !lists.is_empty() {
        return Ok(lists);
    }
    let strangers = || -> io::Result<Option<PathBuf>> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let ours = [ARCHIVE_FOLDER, DOCUMENTS_FOLDER, "SHA256SUMS.part", JOURNAL_FILE];
            let is_ours = ours.iter().chain(&SNAPSHOT_FILES).any(|name| entry.file_name() == *name);
            if !is_ours {
                return Ok(Some(entry.path()));
            }
        }
        // A store's own directory has a journal but no list.
        Ok(folder.join(JOURNAL_FILE).exists().then(|| folder.join(JOURNAL_FILE)))
    };
    match strangers().map_err(|source| files(folder, "look into", source))? {
        None => Ok(BTreeMap::new()),
        Some(path) => Err(StoreError::refused(
            format!("the backup folder {}", folder.display()),
            format!("it holds {}, which is no backup's; name an empty folder", path.display()),
        )),
    }
}

/// After a backup that was cut short, gives the list of the journal that is there its own name: the next list of
/// another backup must not take the place of the only one that fits.
fn settle_lists(folder: &Path) -> Result<(), StoreError> {
    if next_is_current(folder)? {
        let settle = || -> io::Result<()> {
            fs::rename(folder.join(NEXT_LIST), folder.join(BACKUP_LIST))?;
            File::open(folder)?.sync_all()
        };
        settle().map_err(|source| files(folder, "settle the lists of", source))?;
    }
    Ok(())
}

/// Whether the journal that is there is already that of the next list.
fn next_is_current(folder: &Path) -> Result<bool, StoreError> {
    if !folder.join(NEXT_LIST).exists() {
        return Ok(false);
    }
    let next = read_list(folder, NEXT_LIST)?;
    let journal = digest_of(&folder.join(JOURNAL_FILE));
    Ok(journal.is_ok_and(|(_, found)| next.get(JOURNAL_FILE) == Some(&found)))
}

/// The list of the backup that is in the folder: the next one, where the journal is already that one's.
fn current_list(folder: &Path) -> Result<BTreeMap<String, Digest>, StoreError> {
    read_list(folder, if next_is_current(folder)? { NEXT_LIST } else { BACKUP_LIST })
}

fn read_list(folder: &Path, name: &str) -> Result<BTreeMap<String, Digest>, StoreError> {
    let path = folder.join(name);
    let read = || -> io::Result<BTreeMap<String, Digest>> {
        let mut list = BTreeMap::new();
        for line in BufReader::new(File::open(&path)?.take(64 << 20)).lines() {
            let line = line?;
            let entry = line.split_once("  ").and_then(|(hex, path)| Some((path, Digest::parse_hex(hex)?)));
            match entry {
                // A list is text that anybody can edit: it must not lead out of its folder.
                Some((path, sha256)) if is_ours(path) => {
                    list.insert(path.to_owned(), sha256);
                }
                _ => {
                    let says = format!("the line {line:?} is none of a backup's list");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, says));
                }
            }
        }
        if list.contains_key(JOURNAL_FILE) {
            Ok(list)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the list names no journal"))
        }
    };
    read().map_err(|source| files(&path, "read the backup's list", source))
}

fn is_ours(path: &str) -> bool {
    let archived = path.strip_prefix(ARCHIVE_FOLDER).and_then(|rest| rest.strip_prefix('/'));
    path == JOURNAL_FILE
        || documents::digest_at(path).is_some()
        || archived.is_some_and(|name| {
            name.ends_with(".parquet")
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        })
}

/// Copies through a name beside, so that a file under its own name is whole; returns length and digest.
fn copy_file(from: &Path, to: &Path) -> io::Result<(u64, Digest)> {
    let part = to.with_extension("copying");
    let mut source = File::open(from)?;
    let mut target = private::create(&part)?;
    let (mut hash, mut bytes, mut buf) = (Sha256::new(), 0, vec![0; COPY_BYTES]);
    loop {
        let read = source.read(&mut buf)?;
        if read == 0 {
            break;
        }
        hash.update(&buf[..read]);
        target.write_all(&buf[..read])?;
        bytes += read as u64;
    }
    target.sync_all()?;
    fs::rename(&part, to)?;
    Ok((bytes, Digest(hash.finalize().into())))
}

pub(crate) fn digest_of(path: &Path) -> io::Result<(u64, Digest)> {
    let mut source = File::open(path)?;
    let (mut hash, mut bytes, mut buf) = (Sha256::new(), 0, vec![0; COPY_BYTES]);
    loop {
        let read = source.read(&mut buf)?;
        if read == 0 {
            return Ok((bytes, Digest(hash.finalize().into())));
        }
        hash.update(&buf[..read]);
        bytes += read as u64;
    }
}
