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
    assert!(matches!(store.document(&digest), Err(StoreError::Unreadable { .. })));
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
