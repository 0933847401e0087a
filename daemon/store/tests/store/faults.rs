//! A second daemon, foreign and newer files, a full disk, a log that cannot be written back.
//!
//! Must never: accept an acknowledgement for what is not there afterwards.

use std::fs;

use model::Instant;
use store::{JOURNAL_FILE, LOCK_FILE, Store, StoreError, StoreOptions};

use crate::support::{all, energy, minutes, opened, stranger, total};

#[test]
fn a_second_daemon_is_refused_and_a_short_command_is_not() {
    let (dir, store) = opened();
    let error = Store::open(dir.path(), StoreOptions::default()).unwrap_err();
    let id = std::process::id();
    let sentence = format!(
        "another daemon (process {id}) works on {}; stop it, or give this one a `data_dir` of its own",
        dir.path().display()
    );
    assert_eq!(error.to_string(), sentence);
    assert!(!error.is_retryable());

    let series = energy("boiler-1");
    let shared = Store::open_shared(dir.path()).unwrap();
    shared.append_blocking(minutes(&series, 3)).unwrap();
    assert_eq!(store.append_blocking(minutes(&series, 4)).unwrap().new, 1);
    assert_eq!(all(&shared, &series), all(&store, &series));

    let clone = store.clone();
    store.close();
    Store::open(dir.path(), StoreOptions::default()).unwrap().close();
    drop(clone);
    // Dropping the last handle closes as well; the file left behind holds nobody up.
    drop(Store::open(dir.path(), StoreOptions::default()).unwrap());
    assert!(dir.path().join(LOCK_FILE).exists());
    Store::open(dir.path(), StoreOptions::default()).unwrap().close();
}

#[test]
fn a_short_command_may_be_the_first_to_come() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new").join("store");
    let stores: Vec<Store> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| Store::open_shared(&path).unwrap())).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    for (i, store) in stores.iter().enumerate() {
        store.append_blocking(minutes(&energy(&format!("m{i}")), 10)).unwrap();
    }
    assert_eq!(stores[0].series().unwrap().len(), 4);
}

#[cfg(unix)]
#[test]
fn nobody_else_may_look_in() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Store::open(&path, StoreOptions::default()).unwrap();
    store.append_blocking(minutes(&energy("boiler-1"), 1)).unwrap();
    let mode = |p: &std::path::Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join(JOURNAL_FILE)), 0o600);
    assert_eq!(mode(&path.join(format!("{JOURNAL_FILE}-wal"))), 0o600);
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let (dir, store) = opened();
    store.close();
    stranger(dir.path()).pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(dir.path().join(JOURNAL_FILE)).unwrap();
    for error in [
        Store::open(dir.path(), StoreOptions::default()).unwrap_err(),
        Store::open_shared(dir.path()).unwrap_err(),
    ] {
        let says = error.to_string();
        let known = store::SCHEMA_VERSION;
        let wanted = format!("newer version (schema 99, this one knows up to {known}); run that version");
        assert!(says.contains(&wanted), "{says}");
    }
    assert_eq!(fs::read(dir.path().join(JOURNAL_FILE)).unwrap(), before);
}

#[test]
fn another_programs_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    stranger(dir.path()).execute_batch("CREATE TABLE theirs (x)").unwrap();
    let garbage = tempfile::tempdir().unwrap();
    fs::write(
        garbage.path().join(JOURNAL_FILE),
        "not a database, and long enough to be looked at".repeat(40),
    )
    .unwrap();
    for dir in [dir, garbage] {
        let before = fs::read(dir.path().join(JOURNAL_FILE)).unwrap();
        let error = Store::open(dir.path(), StoreOptions::default()).unwrap_err();
        assert!(matches!(error, StoreError::NotAJournal { .. }), "{error}");
        assert_eq!(fs::read(dir.path().join(JOURNAL_FILE)).unwrap(), before);
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = Store::open(&file.join("store"), StoreOptions::default()).unwrap_err();
    assert!(matches!(error, StoreError::Files { .. }), "{error}");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
}

/// Values that take room.
fn noise(i: i64) -> i64 {
    let mixed = (i ^ (i >> 3)).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64);
    (mixed ^ (mixed >> 29)).wrapping_mul(0x94D0_49BB_1331_11EB_u64 as i64)
}

#[test]
fn a_full_disk_refuses_acknowledges_nothing_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { journal_bytes_max: Some(400 << 10), ..StoreOptions::default() };
    let store = Store::open(dir.path(), options).unwrap();
    let series = energy("boiler-1");
    let mut acknowledged = 0;
    let error = loop {
        let batch = (acknowledged..acknowledged + 500).map(|i| total(&series, i, noise(i))).collect();
        match store.append_blocking(batch) {
            Ok(appended) => acknowledged += appended.new as i64,
            Err(error) => break error,
        }
        assert!(acknowledged < 1_000_000, "the bound does not bind");
    };
    assert!(error.is_retryable(), "{error}");
    assert!(error.to_string().contains("make room on the disk"), "{error}");
    let stats = store.stats();
    assert_eq!((stats.failures, stats.queue_depth), (1, 0));
    assert!(stats.failing.unwrap().contains("failed to commit readings"));
    assert_eq!(all(&store, &series).len() as i64, acknowledged);
    // A new series in a failed commit must not leave its number behind.
    let other = energy("boiler-2");
    assert!(store.append_blocking((0..20_000).map(|i| total(&other, i, noise(i))).collect()).is_err());

    store.set_journal_bytes_max(None);
    assert_eq!(store.append_blocking(minutes(&other, 500)).unwrap().new, 500);
    assert_eq!(all(&store, &other).len(), 500);
    assert_eq!(store.stats().failing, None);
    drop(store);
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!(all(&store, &series).len() as i64, acknowledged);
    assert_eq!(store.series().unwrap(), [series, other]);
}

#[test]
fn any_failure_in_the_database_is_an_error_and_not_the_end() {
    let (dir, store) = opened();
    let series = energy("boiler-1");
    store.append_blocking(minutes(&series, 2)).unwrap();
    let stranger = stranger(dir.path());
    stranger.execute_batch("ALTER TABLE intake RENAME TO elsewhere").unwrap();
    let error = store.append_blocking(minutes(&series, 3)).unwrap_err();
    assert!(matches!(error, StoreError::Database { .. }) && !error.is_retryable(), "{error}");
    stranger.execute_batch("ALTER TABLE elsewhere RENAME TO intake").unwrap();
    assert_eq!(store.append_blocking(minutes(&series, 3)).unwrap().new, 1);
}

#[test]
fn another_writer_that_stays_too_long_is_a_retryable_error() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        StoreOptions { busy_timeout: std::time::Duration::from_millis(1), ..StoreOptions::default() };
    let store = Store::open(dir.path(), options).unwrap();
    let busy = stranger(dir.path());
    busy.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.append_blocking(minutes(&energy("boiler-1"), 1)).unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(error.to_string().contains("another process was writing for too long"), "{error}");
    busy.execute_batch("ROLLBACK").unwrap();
    store.append_blocking(minutes(&energy("boiler-1"), 1)).unwrap();
}

#[test]
fn the_log_is_written_back_even_after_a_forgotten_reader() {
    let dir = tempfile::tempdir().unwrap();
    let (soft, hard) = (1 << 18, 1 << 20);
    let options = StoreOptions { wal_bytes_soft: soft, wal_bytes_hard: hard, ..StoreOptions::default() };
    let store = Store::open(dir.path(), options).unwrap();
    let series = energy("boiler-1");
    let log = dir.path().join(format!("{JOURNAL_FILE}-wal"));
    let mut next = 0;
    let mut grow = |batches: i64| {
        for _ in 0..batches {
            store.append_blocking((next..next + 20).map(|i| total(&series, i, i)).collect()).unwrap();
            next += 20;
        }
        fs::metadata(&log).unwrap().len()
    };
    assert!(grow(600) < soft * 2);
    let forgotten = stranger(dir.path());
    forgotten.execute_batch("BEGIN; SELECT count(*) FROM series").unwrap();
    let swollen = grow(300);
    assert!(swollen > hard, "{swollen}");
    forgotten.execute_batch("COMMIT").unwrap();
    let after = grow(300);
    assert!(after <= hard, "{after}");
    assert_eq!(store.stats().checkpoint_failures, 0);
    assert_eq!(store.stats().readings_new, 24_000);
    let stamp = store.change_stamp().unwrap();
    store.append_blocking(vec![total(&series, -1, 0)]).unwrap();
    assert_eq!(store.change_stamp().unwrap(), stamp, "the daemon's own readings are no news to it");
    assert!(store.first_at(&series).unwrap() < Some(Instant::from_seconds(0)));
}
