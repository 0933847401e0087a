//! Documents kept by their hash, and records of which the first version stays.
//!
//! Must never: leave a changed file unnoticed.

use model::{Digest, Instant};
use store::{DOCUMENTS_FOLDER, FirstChange, StoreError};

use crate::support::opened;

#[test]
fn bytes_are_kept_once_and_come_back_as_they_were() {
    let (dir, store) = opened();
    let digest = store.keep_document(b"abc").unwrap();
    assert_eq!(digest.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(store.keep_document(b"abc").unwrap(), digest);
    assert_eq!(store.document(&digest).unwrap().as_deref(), Some(&b"abc"[..]));
    assert_eq!(store.document(&Digest([7; 32])).unwrap(), None);
    let file = dir.path().join(DOCUMENTS_FOLDER).join("ba").join(&digest.hex()[2..]);
    std::fs::write(&file, b"abd").unwrap();
    let changed = store.document(&digest).unwrap_err();
    assert!(matches!(changed, StoreError::Unreadable { .. }));
    let says = changed.to_string();
    assert!(says.ends_with("so it was changed outside this program; restore it from a backup"), "{says}");
}

#[test]
fn of_a_first_record_later_bodies_change_nothing() {
    let (_dir, store) = opened();
    let at = Instant::from_seconds(1);
    let put = |body: &str| store.put_first_record("closed", "P-1", body, "a", at).unwrap();
    assert_eq!(
        [put("x"), put("x"), put("y")],
        [FirstChange::Created, FirstChange::Same, FirstChange::Differs]
    );
    assert_eq!(store.record("closed", "P-1").unwrap().unwrap().body, "x");
    assert_eq!(store.record_versions("closed", "P-1").unwrap().len(), 1);
    store.verify_audit().unwrap();
}

#[test]
fn the_next_version_is_written_after_the_one_that_was_read_and_no_other() {
    let (_dir, store) = opened();
    let at = Instant::from_seconds(1);
    store.put_record("submission", "s", "draft", "a", at).unwrap();
    let read = || store.record("submission", "s").unwrap().unwrap();
    let first = read();
    assert!(store.put_next_record(&first, "frozen", "a", at).unwrap());
    // Whoever read the draft comes too late, and whoever would put the draft back as well.
    assert!(!store.put_next_record(&first, "frozen otherwise", "b", at).unwrap());
    assert!(!store.put_next_record(&first, "draft", "b", at).unwrap());
    assert_eq!((read().version, &*read().body), (2, "frozen"));
    // The same body again writes nothing, and the version stays.
    assert!(store.put_next_record(&read(), "frozen", "a", at).unwrap());
    assert_eq!(store.record_versions("submission", "s").unwrap().len(), 2);
    store.verify_audit().unwrap();
}

#[test]
fn of_many_who_read_the_same_version_one_writes_the_next() {
    let (_dir, store) = opened();
    let at = Instant::from_seconds(1);
    store.put_record("submission", "s", "draft", "a", at).unwrap();
    let first = store.record("submission", "s").unwrap().unwrap();
    let wrote = std::thread::scope(|scope| {
        let (store, first) = (&store, &first);
        let writers: Vec<_> = (0..8)
            .map(|n| scope.spawn(move || store.put_next_record(first, &format!("{n}"), "a", at).unwrap()))
            .collect();
        writers.into_iter().map(|writer| usize::from(writer.join().unwrap())).sum::<usize>()
    });
    assert_eq!((wrote, store.record_versions("submission", "s").unwrap().len()), (1, 2));
}

#[test]
fn many_threads_keep_the_same_bytes_at_once() {
    let (dir, store) = opened();
    for round in 0_u8..20 {
        let bytes = vec![round; 64 * 1024];
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    let digest = store.keep_document(&bytes).unwrap();
                    assert_eq!(store.document(&digest).unwrap().as_deref(), Some(bytes.as_slice()));
                });
            }
        });
    }
    let folders = std::fs::read_dir(dir.path().join(DOCUMENTS_FOLDER)).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    assert_eq!(files.count(), 20, "nothing is left aside");
}
