//! Backups made beside a working store, and what is restored from them.
//!
//! Must never: accept a backup that lacks a reading acknowledged before it began.

use model::Instant;
use store::{ARCHIVE_FOLDER, BACKUP_LIST, JOURNAL_FILE, Store, StoreOptions, restore, verify_backup};

use crate::support::{all, energy, minutes, opened, total};

fn close_months(store: &Store) {
    for month in 0..2 {
        let at = |m: i64| Instant::from_seconds(m * 10_000);
        let name = format!("2025-{:02}", month + 1);
        store.archive_month(&name, at(month), at(month + 1), Instant::from_seconds(1)).unwrap();
    }
    store.archive_drop(Instant::from_seconds(2), Instant::from_seconds(3)).unwrap();
}

#[test]
fn a_backup_is_restored_whole_and_a_second_one_copies_only_what_is_new() {
    let (_dir, store) = opened();
    let power = energy("boiler-1");
    store.append_blocking(minutes(&power, 400)).unwrap();
    store.put_record("project", "school", "a = 1", "energy office", Instant::default()).unwrap();
    close_months(&store);
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("backup");
    let first = store.backup(&folder).unwrap();
    assert_eq!((first.files_copied, first.files_kept), (2, 0));
    store.append_blocking(vec![total(&power, 90_000, 9_999)]).unwrap();
    let second = store.backup(&folder).unwrap();
    assert_eq!((second.files_copied, second.files_kept), (0, 2));
    assert_eq!(verify_backup(&folder).unwrap(), 3);
    let home = out.path().join("restored");
    assert_eq!(restore(&folder, &home).unwrap().files_copied, 2);
    let restored = Store::open(&home, StoreOptions::default()).unwrap();
    assert_eq!(all(&restored, &power), all(&store, &power));
    assert_eq!(restored.record("project", "school").unwrap().unwrap().body, "a = 1");
    let verified = restored.verify().unwrap();
    assert_eq!((verified.archive_files, verified.audit_entries), (2, 1));
    assert_eq!(verified.archived_readings, 334);
    let again = restore(&folder, &home).unwrap_err();
    assert!(again.to_string().contains("holds a store already"), "{again}");
}

#[test]
fn a_superseded_generation_leaves_the_backup_with_the_next_one() {
    let (_dir, store) = opened();
    let power = energy("boiler-1");
    store.append_blocking(minutes(&power, 400)).unwrap();
    close_months(&store);
    let out = tempfile::tempdir().unwrap();
    store.backup(out.path()).unwrap();
    store.append_blocking(vec![total(&power, 90, 7)]).unwrap();
    close_months(&store);
    let done = store.backup(out.path()).unwrap();
    assert_eq!((done.files_copied, done.files_kept), (1, 1));
    let mut names: Vec<_> = std::fs::read_dir(out.path().join(ARCHIVE_FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["2025-01.2.parquet", "2025-02.1.parquet"]);
    assert_eq!(verify_backup(out.path()).unwrap(), 3);
}

#[test]
fn a_changed_backup_or_archive_is_refused_by_name() {
    let (dir, store) = opened();
    store.append_blocking(minutes(&energy("boiler-1"), 400)).unwrap();
    close_months(&store);
    let out = tempfile::tempdir().unwrap();
    store.backup(out.path()).unwrap();
    let flip = |path: &std::path::Path| {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    flip(&out.path().join(ARCHIVE_FOLDER).join("2025-02.1.parquet"));
    let home = out.path().join("restored");
    let error = restore(out.path(), &home).unwrap_err();
    assert!(error.to_string().contains("2025-02.1.parquet"), "{error}");
    assert!(!home.join(JOURNAL_FILE).exists());
    flip(&dir.path().join(ARCHIVE_FOLDER).join("2025-01.1.parquet"));
    let error = store.verify().unwrap_err();
    assert!(error.to_string().contains("2025-01.1.parquet"), "{error}");
}

#[test]
fn only_a_backup_or_an_empty_folder_is_written_to() {
    let (dir, store) = opened();
    store.append_blocking(minutes(&energy("boiler-1"), 4)).unwrap();
    let error = store.backup(dir.path()).unwrap_err();
    assert!(error.to_string().contains("no backup's"), "{error}");
    let out = tempfile::tempdir().unwrap();
    std::fs::write(out.path().join("thesis.odt"), "years of work").unwrap();
    assert!(store.backup(out.path()).unwrap_err().to_string().contains("thesis.odt"));
    // A list that leads elsewhere is no list.
    let other = tempfile::tempdir().unwrap();
    let line = format!("{}  ../../etc/passwd\n", "0".repeat(64));
    std::fs::write(other.path().join(BACKUP_LIST), line).unwrap();
    assert!(store.backup(other.path()).unwrap_err().to_string().contains("list"));
}
