//! Opening the database file: where it is, who may read it, which schema it has, and how it is upgraded.
//!
//! Must never: change a file written by a newer version or by another program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::archive::ARCHIVE_FOLDER;
use crate::error::{Fault, StoreError};
use crate::lock::DaemonLock;
use crate::options::StoreOptions;
use crate::private;
use crate::upgrade;

/// The database's name in the store directory.
pub const JOURNAL_FILE: &str = "journal.sqlite3";

/// The newest schema this version knows.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

const MIGRATIONS: &[Migration] = &[
    Migration::sql(include_str!("migrations/0001.sql")),
    Migration::sql(include_str!("migrations/0002.sql")),
    Migration::sql(include_str!("migrations/0003.sql")),
    Migration { sql: include_str!("migrations/0004.sql"), then: Some(upgrade::rows_to_chunks) },
    Migration::sql(include_str!("migrations/0005.sql")),
    Migration::sql(include_str!("migrations/0006.sql")),
    Migration::sql(include_str!("migrations/0007.sql")),
];

/// One step from a schema to the next.
#[derive(Debug, Clone, Copy)]
struct Migration {
    sql: &'static str,
    /// What SQL cannot do, after it and in the same transaction.
    then: Option<Step>,
}

type Step = fn(&Connection) -> Result<(), Fault>;

impl Migration {
    const fn sql(sql: &'static str) -> Self {
        Self { sql, then: None }
    }
}

/// `CNSV`: the file says who it is.
const APPLICATION_ID: i64 = 0x434E_5356;

/// How often a switch to the write-ahead log is tried while another process opens the same new file.
const WAL_ATTEMPTS: u32 = 100;
const WAL_PAUSE: Duration = Duration::from_millis(20);

/// Who opens the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opener {
    /// The one daemon, which already holds the lock.
    Daemon,
    /// A short command beside it.
    Shared,
}

/// Creates the directory, for its owner alone.
pub(crate) fn prepare_folder(directory: &Path) -> Result<(), StoreError> {
    let files =
        |attempt, source| StoreError::Files { path: directory.to_owned(), attempt, source: Arc::new(source) };
    if !directory.is_dir() {
        if let Some(parent) = directory.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(|e| files("create the parent directory of", e))?;
        }
        match private::folders().recursive(false).create(directory) {
            Ok(()) => sync_parent(directory).map_err(|e| files("sync the parent directory of", e))?,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {}
            Err(e) => return Err(files("create the store directory", e)),
        }
    }
    Ok(())
}

/// Creates the directory and the database file in it, and returns the file's path.
pub(crate) fn prepare_directory(directory: &Path) -> Result<PathBuf, StoreError> {
    prepare_folder(directory)?;
    let files =
        |attempt, source| StoreError::Files { path: directory.to_owned(), attempt, source: Arc::new(source) };
    let path = directory.join(JOURNAL_FILE);
    // Only ever created here, never opened: closing a second descriptor of a database in use would
    // free SQLite's locks on it (POSIX advisory locks belong to the process).
    match private::options().write(true).create_new(true).open(&path) {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(files("create the journal in", e)),
    }
    Ok(path)
}

/// A new directory is only sure to be there after a power cut once its parent is on disk.
fn sync_parent(directory: &Path) -> io::Result<()> {
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::File::open(parent)?.sync_all(),
        _ => fs::File::open(".")?.sync_all(),
    }
}

/// Opens the writer's connection on a schema already made sure of by [`upgrade()`].
pub(crate) fn open_writer(path: &Path, options: &StoreOptions) -> Result<Connection, StoreError> {
    let open = || -> Result<Connection, Fault> {
        let conn = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        conn.busy_timeout(options.busy_timeout)?;
        // Before anything is changed: the file may be another program's, or a newer version's.
        identify(&conn, path, SCHEMA_VERSION)?;
        use_wal(&conn)?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "foreign_keys", true)?;
        conn.pragma_update(None, "cache_size", -i64::from(options.writer_cache_kib))?;
        // The writer writes the log back itself, after it has answered.
        conn.pragma_update(None, "wal_autocheckpoint", 0)?;
        let bytes = i64::try_from(options.wal_bytes_hard).unwrap_or(i64::MAX);
        conn.pragma_update(None, "journal_size_limit", bytes)?;
        conn.set_prepared_statement_cache_capacity(64);
        Ok(conn)
    };
    open().map_err(|fault| fault.at(path, "open the journal"))
}

/// Opens a connection that can only read.
pub(crate) fn open_reader(path: &Path, busy_timeout: Duration) -> Result<Connection, Fault> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(busy_timeout)?;
    Ok(conn)
}

/// Switches to the write-ahead log. Two processes creating the same file meet here, and SQLite does
/// not wait for one another by itself when the mode changes.
fn use_wal(conn: &Connection) -> Result<(), Fault> {
    let mut attempt = 0;
    loop {
        let switched =
            conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match switched {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => return Err(Fault::Unreadable(format!("the journal mode {mode:?} instead of wal"))),
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && attempt < WAL_ATTEMPTS => {
                attempt += 1;
                std::thread::sleep(WAL_PAUSE);
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// Brings the file to [`SCHEMA_VERSION`].
pub(crate) fn upgrade(conn: &mut Connection, path: &Path, opener: Opener) -> Result<(), StoreError> {
    upgrade_with(conn, path, opener, MIGRATIONS)
}

fn upgrade_with(
    conn: &mut Connection,
    path: &Path,
    opener: Opener,
    migrations: &[Migration],
) -> Result<(), StoreError> {
    let known = migrations.len() as i64;
    let found = identify(conn, path, known).map_err(|f| f.at(path, "read the schema version"))?;
    if found == known {
        return Ok(());
    }
    if found == 0 && is_beside_an_archive(path) {
        return Err(StoreError::Emptied { path: path.to_owned() });
    }
    // A new file may be made beside anybody; an older one may have an older daemon on it.
    let lock = match (opener, found, path.parent()) {
        (Opener::Shared, 1.., Some(directory)) => match DaemonLock::take(directory) {
            Err(StoreError::InUse { .. }) => {
                return Err(StoreError::UpgradeBlocked { path: path.to_owned(), found, known });
            }
            lock => Some(lock?),
        },
        _ => None,
    };
    migrate(conn, migrations).map_err(|f| f.at(path, "upgrade the schema"))?;
    drop(lock);
    Ok(())
}

/// Whether archived months stand beside the database. A new store has none: they are entered in it before any of its
/// readings go.
fn is_beside_an_archive(path: &Path) -> bool {
    let Ok(entries) = fs::read_dir(path.with_file_name(ARCHIVE_FOLDER)) else { return false };
    entries.flatten().any(|entry| entry.path().extension().is_some_and(|ending| ending == "parquet"))
}

/// All steps in one transaction, so that nobody sees a schema between two versions; nothing when another process
/// has done it meanwhile.
fn migrate(conn: &mut Connection, migrations: &[Migration]) -> Result<(), Fault> {
    let steps = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&steps)?;
    for (number, Migration { sql, then }) in (1..).zip(migrations) {
        if found < number {
            steps.execute_batch(sql)?;
            if let Some(then) = then {
                then(&steps)?;
            }
            steps.pragma_update(None, "application_id", APPLICATION_ID)?;
            steps.pragma_update(None, "user_version", number)?;
        }
    }
    steps.commit()?;
    Ok(())
}

/// The schema version of a file that is empty or ours, and not newer than `known`.
fn identify(conn: &Connection, path: &Path, known: i64) -> Result<i64, Fault> {
    // One snapshot: another process may be making the file right now.
    let snapshot = conn.unchecked_transaction()?;
    let id: i64 = snapshot.pragma_query_value(None, "application_id", |r| r.get(0))?;
    let found = version(&snapshot)?;
    let tables: i64 = snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    drop(snapshot);
    if id != APPLICATION_ID && (found != 0 || tables != 0) {
        return Err(StoreError::NotAJournal { path: path.to_owned() }.into());
    }
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known }.into());
    }
    Ok(found)
}

fn version(conn: &Connection) -> Result<i64, Fault> {
    Ok(conn.pragma_query_value(None, "user_version", |r| r.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Today's migrations and one more.
    fn next(step: &'static str) -> Vec<Migration> {
        MIGRATIONS.iter().copied().chain([Migration::sql(step)]).collect()
    }

    const LATER: &str = "CREATE TABLE later (x INTEGER) STRICT;";

    fn opened(directory: &Path) -> (PathBuf, Connection) {
        let path = prepare_directory(directory).unwrap();
        let conn = open_writer(&path, &StoreOptions::default()).unwrap();
        (path, conn)
    }

    #[test]
    fn an_older_file_is_upgraded_and_then_refused_by_the_older_version() {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut conn) = opened(dir.path());
        upgrade(&mut conn, &path, Opener::Daemon).unwrap();
        upgrade_with(&mut conn, &path, Opener::Daemon, &next(LATER)).unwrap();
        assert_eq!(conn.query_row("SELECT count(*) FROM later", [], |r| r.get(0)), Ok(0));
        let error = upgrade(&mut conn, &path, Opener::Daemon).unwrap_err();
        let StoreError::NewerSchema { found, known, .. } = error else { panic!("{error}") };
        assert_eq!((found, known), (SCHEMA_VERSION + 1, SCHEMA_VERSION));
    }

    #[test]
    fn a_short_command_does_not_upgrade_under_a_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut conn) = opened(dir.path());
        upgrade(&mut conn, &path, Opener::Shared).unwrap();
        let lock = DaemonLock::take(dir.path()).unwrap();
        let error = upgrade_with(&mut conn, &path, Opener::Shared, &next(LATER)).unwrap_err();
        let StoreError::UpgradeBlocked { found, known, .. } = error else { panic!("{error}") };
        assert_eq!((found, known), (SCHEMA_VERSION, SCHEMA_VERSION + 1));
        drop(lock);
        upgrade_with(&mut conn, &path, Opener::Shared, &next(LATER)).unwrap();
    }

    #[test]
    fn a_failing_step_leaves_the_former_schema() {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut conn) = opened(dir.path());
        let broken = next("CREATE TABLE later (x INTEGER) STRICT; SELECT nonsense;");
        assert!(upgrade_with(&mut conn, &path, Opener::Daemon, &broken).is_err());
        upgrade(&mut conn, &path, Opener::Daemon).unwrap();
        assert_eq!(conn.query_row("SELECT count(*) FROM series", [], |r| r.get(0)), Ok(0));
    }
}
