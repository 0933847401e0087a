//! Clocks that jump, and files that somebody or something cut off: what was acknowledged is all there and counted once,
//! or an error says what to do.
//!
//! Must never: take a shorter series for a whole one.

use std::fs;
use std::path::Path;

use model::{Instant, SeriesKey};
use store::{
    ARCHIVE_FOLDER, Appended, BACKUP_LIST, JOURNAL_FILE, Store, StoreError, StoreOptions, StoredReading,
    restore, verify_backup,
};

use crate::support::{all, energy, minutes, opened, total};

/// A century in seconds: further than any clock is set wrong by hand.
const CENTURY_SECONDS: i64 = 3_155_760_000;

fn appended(new: u64, duplicate: u64, conflicting: u64) -> Appended {
    Appended { new, duplicate, conflicting }
}

fn close_month(store: &Store, month: i64, now_seconds: i64) -> Result<bool, StoreError> {
    let at = |m: i64| Instant::from_seconds(m * 10_000);
    let name = format!("2025-{:02}", month + 1);
    let now = Instant::from_seconds(now_seconds);
    Ok(store.archive_month(&name, at(month), at(month + 1), now)?.is_some())
}

fn drop_archived(store: &Store, now_seconds: i64) -> u64 {
    let now = Instant::from_seconds(now_seconds);
    store.archive_drop(now, now).unwrap()
}

/// Three hundred minutes, in the middle of which the clock of whoever reads the meter stands wrong by `offset`.
fn with_a_jump(series: &SeriesKey, offset_seconds: i64) -> Vec<model::Reading> {
    let jumped = |i: i64| if (100..120).contains(&i) { i * 60 + offset_seconds } else { i * 60 };
    (0..300).map(|i| total(series, jumped(i), 1_000 + i)).collect()
}

#[test]
fn a_clock_that_jumps_loses_nothing_and_counts_nothing_twice() {
    for offset in [CENTURY_SECONDS, -CENTURY_SECONDS, 3_600, -3_600, 86_400 * 45, -86_400 * 45] {
        let (dir, store) = opened();
        let power = energy("boiler-1");
        let readings = with_a_jump(&power, offset);
        // Where the wrong clock went back by an hour, it says instants again that were said before.
        let mut truth = std::collections::BTreeMap::new();
        for reading in &readings {
            truth.entry(reading.observed_at).or_insert(reading.value);
        }
        let (new, other) = (truth.len() as u64, (readings.len() - truth.len()) as u64);
        let mut said = Appended::default();
        for part in readings.chunks(7) {
            said += store.append_blocking(part.to_vec()).unwrap();
        }
        assert_eq!(said, appended(new, 0, other), "{offset} s");
        // The clock that dates the archive's work jumps as well, back and forth.
        for now in [CENTURY_SECONDS, 1, CENTURY_SECONDS, 0] {
            for month in 0..2 {
                close_month(&store, month, now).unwrap();
            }
            drop_archived(&store, now);
            let again = store.append_blocking(readings.clone()).unwrap();
            assert_eq!(again, appended(0, new, other), "{offset} s, archive at {now}");
        }
        drop(store);
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let found: Vec<_> = all(&store, &power).iter().map(|r| (r.observed_at, r.value)).collect();
        assert_eq!(found, truth.into_iter().collect::<Vec<_>>(), "{offset} s");
        assert_eq!(store.append_blocking(readings).unwrap(), appended(0, new, other));
        store.verify().unwrap();
    }
}

/// Opens the directory and reads everything there is; an error is what the store says instead.
fn look(directory: &Path, series: &SeriesKey) -> Result<Vec<StoredReading>, StoreError> {
    let store = Store::open(directory, StoreOptions::default())?;
    store.verify()?;
    let mut found = Vec::new();
    store.for_each_reading(series, None, None, &mut |reading| {
        found.push(*reading);
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn cut(path: &Path, length: usize) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..length]).unwrap();
}

/// A closed store with chunks, an intake and an archived month, and its readings.
fn closed() -> (tempfile::TempDir, Vec<StoredReading>) {
    let (dir, store) = opened();
    store.append_blocking(minutes(&energy("boiler-1"), 400)).unwrap();
    store.fold().unwrap();
    close_month(&store, 0, 1).unwrap();
    drop_archived(&store, 2);
    store.append_blocking(vec![total(&energy("boiler-1"), 90_000, 9_999)]).unwrap();
    let readings = all(&store, &energy("boiler-1"));
    store.close();
    (dir, readings)
}

fn copied(from: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join(ARCHIVE_FOLDER)).unwrap();
    for folder in ["", ARCHIVE_FOLDER] {
        for entry in fs::read_dir(from.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), copy.path().join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    copy
}

#[test]
fn a_database_that_was_cut_off_stops_with_what_to_do() {
    let (dir, readings) = closed();
    let power = energy("boiler-1");
    let length = fs::metadata(dir.path().join(JOURNAL_FILE)).unwrap().len() as usize;
    assert_eq!(look(copied(dir.path()).path(), &power).unwrap(), readings);
    let pages = (0..length).step_by(4_096);
    for at in pages.flat_map(|page| [page, page + 17]).filter(|at| *at < length) {
        let copy = copied(dir.path());
        let file = copy.path().join(JOURNAL_FILE);
        cut(&file, at);
        let error = match look(copy.path(), &power) {
            Err(error) => error,
            // A page that holds nothing is no loss.
            Ok(found) => {
                assert!(found == readings, "cut to {at} of {length} bytes: {} readings", found.len());
                continue;
            }
        };
        let says = error.to_string();
        assert!(says.contains("restore a backup") || says.contains("move it away"), "cut to {at}: {says}");
        assert!(says.contains(JOURNAL_FILE), "{says}");
        assert!(!error.is_retryable(), "{says}");
    }
}

#[test]
fn a_log_that_was_cut_off_gives_whole_commits_up_to_there_and_takes_the_rest_again() {
    let (dir, store) = opened();
    let power = energy("boiler-1");
    let readings = minutes(&power, 60);
    for part in readings.chunks(6) {
        store.append_blocking(part.to_vec()).unwrap();
    }
    let whole = all(&store, &power);
    // As a machine would find it that stops here.
    let found = crate::support::as_after_power_cut(dir.path());
    let log = format!("{JOURNAL_FILE}-wal");
    let length = fs::metadata(found.path().join(&log)).unwrap().len() as usize;
    let mut last = 0;
    for at in (0..=length).step_by(1_313).chain([length]) {
        let copy = tempfile::tempdir().unwrap();
        for name in [JOURNAL_FILE, &log] {
            fs::copy(found.path().join(name), copy.path().join(name)).unwrap();
        }
        cut(&copy.path().join(&log), at);
        let kept = look(copy.path(), &power).unwrap();
        assert_eq!(kept[..], whole[..kept.len()], "cut to {at} of {length} bytes");
        assert!(kept.len().is_multiple_of(6) && last <= kept.len(), "cut to {at}: {}", kept.len());
        last = kept.len();
        // A log shorter than what was synced cannot be told from one that never was longer: whoever has the rest
        // still sends it, and it counts once.
        let store = Store::open(copy.path(), StoreOptions::default()).unwrap();
        let said = store.append_blocking(readings.clone()).unwrap();
        assert_eq!(said, appended(60 - last as u64, last as u64, 0));
        assert_eq!(all(&store, &power), whole);
    }
    assert_eq!(last, 60);
}

#[test]
fn an_archive_file_that_was_cut_off_is_named_and_heals_when_copied_back() {
    let (dir, readings) = closed();
    let power = energy("boiler-1");
    let out = tempfile::tempdir().unwrap();
    let backup = out.path().join("backup");
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    store.backup(&backup).unwrap();
    store.close();
    let name = "2025-01.1.parquet";
    let file = dir.path().join(ARCHIVE_FOLDER).join(name);
    let length = fs::metadata(&file).unwrap().len() as usize;
    for at in [0, 3, length / 3, length / 2, length - 9, length - 1] {
        cut(&file, at);
        let says = look(dir.path(), &power).map(|found| found.len()).unwrap_err().to_string();
        assert!(says.contains(name) && says.contains("from a backup"), "cut to {at}: {says}");
        // Meanwhile readings are taken, and counted once.
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let late = total(&power, 100_000 + at as i64, 10_000 + at as i64);
        assert_eq!(store.append_blocking(vec![late.clone()]).unwrap(), appended(1, 0, 0));
        assert_eq!(store.append_blocking(vec![late]).unwrap(), appended(0, 1, 0));
        store.close();
        fs::copy(backup.join(ARCHIVE_FOLDER).join(name), &file).unwrap();
        let healed = look(dir.path(), &power).unwrap();
        assert_eq!(healed[..readings.len()], readings[..], "cut to {at}");
    }
    fs::remove_file(&file).unwrap();
    let says = look(dir.path(), &power).unwrap_err().to_string();
    assert!(says.contains(name) && says.contains("from a backup"), "{says}");
}

#[test]
fn a_backups_list_that_was_cut_off_restores_nothing() {
    let (dir, _) = closed();
    let out = tempfile::tempdir().unwrap();
    let backup = out.path().join("backup");
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    store.backup(&backup).unwrap();
    let list = backup.join(BACKUP_LIST);
    let whole = fs::read(&list).unwrap();
    for at in 0..whole.len() - 1 {
        cut(&list, at);
        let home = out.path().join("restored");
        assert!(verify_backup(&backup).is_err(), "cut to {at} of {} bytes", whole.len());
        let says = restore(&backup, &home).unwrap_err().to_string();
        assert!(!home.join(JOURNAL_FILE).exists(), "{says}");
        fs::write(&list, &whole).unwrap();
    }
    restore(&backup, &out.path().join("restored")).unwrap();
}
