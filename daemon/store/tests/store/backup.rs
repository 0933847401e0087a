//! Backups made beside a working store, and what is restored from them.
//!
//! Must never: accept a backup that lacks a reading acknowledged before it began.

use std::path::{Path, PathBuf};

use model::{Digest, Instant};
use store::{
    ARCHIVE_FOLDER, BACKUP_LIST, DOCUMENTS_FOLDER, JOURNAL_FILE, Store, StoreOptions, restore, verify_backup,
};

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
    // What a first backup that was killed left is no stranger's.
    let cut = tempfile::tempdir().unwrap();
    for name in ["journal.sqlite3.part", "journal.sqlite3.part-journal", "SHA256SUMS.part"] {
        std::fs::write(cut.path().join(name), "cut off").unwrap();
    }
    store.backup(cut.path()).unwrap();
    assert_eq!(verify_backup(cut.path()).unwrap(), 1);
    let names = std::fs::read_dir(cut.path()).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("part")), "{names:?}");
    // A list that leads elsewhere is no list.
    let other = tempfile::tempdir().unwrap();
    let line = format!("{}  ../../etc/passwd\n", "0".repeat(64));
    std::fs::write(other.path().join(BACKUP_LIST), line).unwrap();
    assert!(store.backup(other.path()).unwrap_err().to_string().contains("list"));
}

/// Keeps a document and a record that names it, as whoever takes documents in does.
fn document(store: &Store, id: &str, bytes: &[u8]) -> Digest {
    let digest = store.keep_document(bytes).unwrap();
    store.put_record("document", id, &digest.hex(), "energy office", Instant::default()).unwrap();
    digest
}

/// What a record names, opened as its readers do.
fn opened_through(store: &Store, id: &str) -> Vec<u8> {
    let named = store.record("document", id).unwrap().unwrap().body;
    store.document(&Digest::parse_hex(&named).unwrap()).unwrap().unwrap()
}

fn kept_at(directory: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    directory.join(DOCUMENTS_FOLDER).join(&hex[..2]).join(&hex[2..])
}

#[test]
fn documents_come_back_through_their_records_and_are_copied_once() {
    let (dir, store) = opened();
    store.append_blocking(minutes(&energy("boiler-1"), 4)).unwrap();
    let signed = document(&store, "signed.pdf.p7m", b"signed once");
    document(&store, "empty.csv", b"");
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("backup");
    let first = store.backup(&folder).unwrap();
    assert_eq!((first.documents_copied, first.documents_kept, first.files_copied), (2, 0, 0));
    document(&store, "receipt.eml", b"received");
    // What an interrupted attempt left is no document.
    let part = kept_at(dir.path(), &signed).with_file_name(format!(".{}.9.part", signed.hex()));
    std::fs::write(&part, b"sig").unwrap();
    let second = store.backup(&folder).unwrap();
    assert_eq!((second.documents_copied, second.documents_kept), (1, 2));
    assert_eq!(verify_backup(&folder).unwrap(), 4);
    let home = out.path().join("restored");
    assert_eq!(restore(&folder, &home).unwrap().documents_copied, 3);
    let restored = Store::open(&home, StoreOptions::default()).unwrap();
    assert_eq!(restored.verify().unwrap().documents, 3);
    for (id, bytes) in
        [("signed.pdf.p7m", &b"signed once"[..]), ("empty.csv", b""), ("receipt.eml", b"received")]
    {
        assert_eq!(opened_through(&restored, id), bytes, "{id}");
    }
    assert!(restored.has_document(&signed).unwrap() && !restored.has_document(&Digest([7; 32])).unwrap());
}

#[test]
fn an_altered_document_is_told_by_name_and_a_sound_copy_of_it_stays() {
    let (dir, store) = opened();
    let digest = document(&store, "signed.pdf.p7m", b"signed once");
    let name = digest.hex()[2..].to_owned();
    let out = tempfile::tempdir().unwrap();
    store.backup(out.path()).unwrap();
    // Shorter, longer, and as long as before.
    for bytes in [&b"signed"[..], b"signed once and twice", b"Signed once"] {
        std::fs::write(kept_at(dir.path(), &digest), bytes).unwrap();
        let error = store.verify().unwrap_err().to_string();
        assert!(error.contains(&name) && error.contains("changed outside"), "{error}");
        assert_eq!(store.backup(out.path()).unwrap().documents_kept, 1);
        assert_eq!(verify_backup(out.path()).unwrap(), 2);
    }
    // Lost altogether, it is still in the backup, and comes back with it.
    std::fs::remove_file(kept_at(dir.path(), &digest)).unwrap();
    assert_eq!(store.backup(out.path()).unwrap().documents_kept, 1);
    let home = tempfile::tempdir().unwrap();
    restore(out.path(), home.path()).unwrap();
    let restored = Store::open(home.path(), StoreOptions::default()).unwrap();
    assert_eq!(opened_through(&restored, "signed.pdf.p7m"), b"signed once");
    // Altered before it was ever saved, it is not saved under a name that it has no right to.
    std::fs::create_dir_all(kept_at(dir.path(), &digest).parent().unwrap()).unwrap();
    std::fs::write(kept_at(dir.path(), &digest), b"Signed once").unwrap();
    let other = tempfile::tempdir().unwrap();
    let error = store.backup(other.path()).unwrap_err().to_string();
    assert!(error.contains(&name), "{error}");
    assert!(!kept_at(other.path(), &digest).exists() && !other.path().join(BACKUP_LIST).exists());
    // Altered in the backup, nothing is restored.
    std::fs::write(kept_at(out.path(), &digest), b"Signed once").unwrap();
    let home = tempfile::tempdir().unwrap();
    let error = restore(out.path(), &home.path().join("new")).unwrap_err().to_string();
    assert!(error.contains(&name), "{error}");
    assert!(!home.path().join("new").exists());
    std::fs::remove_file(kept_at(out.path(), &digest)).unwrap();
    assert!(verify_backup(out.path()).unwrap_err().to_string().contains(&name));
}

#[test]
fn a_list_names_documents_only_as_the_store_does() {
    let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let of = |path: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(BACKUP_LIST), format!("{hex}  {path}\n{hex}  journal.sqlite3\n"))
            .unwrap();
        verify_backup(folder.path()).unwrap_err().to_string()
    };
    let (above, rest) = hex.split_at(2);
    assert!(of(&format!("documents/{above}/{rest}")).contains("failed to read"));
    let strange = [
        format!("documents/{hex}"),
        format!("documents/{above}/{}", rest.to_uppercase()),
        format!("documents/{above}/../../{rest}"),
        format!("documents/{}/{}", &hex[..3], &hex[3..]),
        format!("documents//{hex}"),
        "documents/../../etc/passwd".to_owned(),
    ];
    for path in strange {
        assert!(of(&path).contains("backup's list"), "{path}");
    }
}

/// The journal and its list get their names one after the other; whoever is stopped between them leaves a whole backup.
#[test]
fn a_backup_that_is_cut_short_between_two_names_is_the_former_one_or_the_next() {
    let (_dir, store) = opened();
    let power = energy("boiler-1");
    let out = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(out.path().join(name), bytes).unwrap();
    let made = |store: &Store| {
        store.backup(out.path()).unwrap();
        [JOURNAL_FILE, BACKUP_LIST].map(|name| std::fs::read(out.path().join(name)).unwrap())
    };
    store.append_blocking(minutes(&power, 10)).unwrap();
    let former = made(&store);
    store.append_blocking(vec![total(&power, 90_000, 9_999)]).unwrap();
    document(&store, "signed.pdf.p7m", b"signed once");
    let next = made(&store);
    let readings = |former_list: bool, journal: &[u8]| {
        put(JOURNAL_FILE, journal);
        put("SHA256SUMS.next", &next[1]);
        if former_list {
            put(BACKUP_LIST, &former[1]);
        } else {
            std::fs::remove_file(out.path().join(BACKUP_LIST)).unwrap();
        }
        let home = tempfile::tempdir().unwrap();
        restore(out.path(), home.path()).map(|_| {
            let restored = Store::open(home.path(), StoreOptions::default()).unwrap();
            all(&restored, &power).len()
        })
    };
    assert_eq!(readings(true, &former[0]).unwrap(), 10);
    assert_eq!(readings(true, &next[0]).unwrap(), 11);
    // The first backup of all, cut short: there is no former list.
    assert_eq!(readings(false, &next[0]).unwrap(), 11);
    assert!(readings(true, b"neither").unwrap_err().to_string().contains(JOURNAL_FILE));
    assert_eq!(store.backup(out.path()).unwrap().documents_kept, 1);
    assert!(!out.path().join("SHA256SUMS.next").exists());
    assert_eq!(verify_backup(out.path()).unwrap(), 2);
}

/// The list that a backup cut short left as the next one is the journal's only list: the backup after it, which writes
/// a next list of its own, may be cut short too.
#[test]
fn a_backup_that_is_cut_short_twice_is_still_one() {
    let (dir, store) = opened();
    let out = tempfile::tempdir().unwrap();
    let at = |name: &str| out.path().join(name);
    store.append_blocking(minutes(&energy("boiler-1"), 10)).unwrap();
    store.backup(out.path()).unwrap();
    let former = std::fs::read(at(BACKUP_LIST)).unwrap();
    store.append_blocking(vec![total(&energy("boiler-1"), 90_000, 9_999)]).unwrap();
    store.backup(out.path()).unwrap();
    std::fs::rename(at(BACKUP_LIST), at("SHA256SUMS.next")).unwrap();
    std::fs::write(at(BACKUP_LIST), &former).unwrap();
    // The next one does not come to its end: a document is not what was kept.
    let signed = document(&store, "signed.pdf.p7m", b"signed once");
    std::fs::write(kept_at(dir.path(), &signed), b"spoilt").unwrap();
    assert!(store.backup(out.path()).is_err());
    std::fs::write(at("SHA256SUMS.next"), &former).unwrap();
    assert_eq!(verify_backup(out.path()).unwrap(), 1);
}
