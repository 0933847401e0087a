//! What files state of meters: the later receipt counts, nothing overlaps, nothing is lost.
//!
//! Must never: let an edit behind the store's back pass.

use model::{Digest, FiledInterval, FiledTotal, Instant};
use store::{AuditBreak, ImportCount, ImportNote, StoreError};

use crate::support::{energy, note, opened, stranger, voltage};

/// A quarter of an hour that begins so many quarters after the first.
fn quarter(index: i64, amount: i64, received: i64) -> FiledInterval {
    let from = Instant::from_seconds(1_750_000_500 + index * 900);
    let received_at = Instant::from_seconds(received);
    FiledInterval { series: energy("m"), from, to: from.plus_seconds(900), amount, received_at }
}

fn total(day: i64, total: i64, received: i64) -> FiledTotal {
    let at = Instant::from_seconds(1_750_000_000 + day * 86_400);
    FiledTotal { series: energy("m"), at, total, received_at: Instant::from_seconds(received) }
}

fn file(name: &str) -> ImportNote {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(name.bytes()).for_each(|(b, n)| *b = n);
    ImportNote { source_sha256: Digest(bytes), ..note(name) }
}

fn count(new: u64, same: u64, replaced: u64, older: u64) -> ImportCount {
    ImportCount { new, same, replaced, older }
}

const LATE: Instant = Instant::from_seconds(1_900_000_000);

#[test]
fn the_later_receipt_counts_whatever_the_order_of_imports() {
    let (_dir, store) = opened();
    let put = |name: &str, rows: &[FiledInterval]| store.put_intervals(rows, &file(name)).unwrap();
    assert_eq!(put("a", &[quarter(0, 5, 10), quarter(1, 6, 10)]), count(2, 0, 0, 0));
    assert_eq!(put("b", &[quarter(0, 7, 20)]), count(0, 0, 1, 0));
    assert_eq!(put("c", &[quarter(0, 8, 15), quarter(1, 6, 99)]), count(0, 1, 0, 1));
    assert_eq!(store.intervals(&energy("m"), LATE).unwrap(), [quarter(0, 7, 20), quarter(1, 6, 10)]);
    assert_eq!(store.intervals_replaced(&energy("m")).unwrap(), [quarter(0, 5, 10)]);
    let head = store.audit_head().unwrap();
    assert_eq!(put("b", &[quarter(0, 7, 20)]), count(0, 1, 0, 0));
    assert_eq!(store.audit_head().unwrap(), head, "nothing changed, nothing is told");
    store.verify_audit().unwrap();
}

#[test]
fn a_file_that_was_rectified_does_not_undo_it() {
    let (_dir, store) = opened();
    // Without a receipt of its own a file counts from its import.
    store.put_intervals(&[quarter(0, 5, 10)], &file("a")).unwrap();
    store.put_intervals(&[quarter(0, 7, 20)], &file("b")).unwrap();
    assert_eq!(store.put_intervals(&[quarter(0, 5, 30)], &file("a")).unwrap(), count(0, 0, 0, 1));
    assert_eq!(store.put_intervals(&[quarter(0, 5, 30)], &file("c")).unwrap(), count(0, 0, 1, 0));
    let put = |name: &str, row| store.put_totals(&[row], &file(name)).unwrap();
    assert_eq!(put("a", total(0, 5, 10)), count(1, 0, 0, 0));
    assert_eq!(put("b", total(0, 7, 20)), count(0, 0, 1, 0));
    assert_eq!(put("a", total(0, 5, 30)), count(0, 0, 0, 1));
    assert_eq!(store.totals(&energy("m"), LATE).unwrap(), [total(0, 7, 20)]);
    store.verify_audit().unwrap();
}

#[test]
fn what_overlaps_or_can_never_be_right_is_refused_whole() {
    let (_dir, store) = opened();
    store.put_intervals(&[quarter(0, 5, 10), quarter(4, 5, 10)], &file("a")).unwrap();
    let hour = FiledInterval { to: quarter(4, 0, 0).from, ..quarter(0, 9, 20) };
    let straddling = FiledInterval { from: quarter(0, 0, 0).from.plus_seconds(300), ..quarter(0, 9, 20) };
    let around = FiledInterval { from: quarter(-1, 0, 0).from, to: quarter(1, 0, 0).to, ..quarter(0, 9, 20) };
    for overlapping in [straddling, around, hour] {
        let error = store.put_intervals(&[quarter(9, 1, 1), overlapping], &file("b")).unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
        assert!(error.to_string().contains("so energy would count twice"), "{error}");
    }
    let backwards = FiledInterval { to: quarter(0, 0, 0).from, ..quarter(0, 1, 1) };
    let gauge = FiledInterval { series: voltage("m"), ..quarter(0, 1, 1) };
    let old = FiledInterval { from: Instant::from_seconds(1), ..quarter(0, 1, 1) };
    for bad in [backwards, gauge, old, quarter(0, -1, 1)] {
        assert!(store.put_intervals(&[bad], &file("d")).is_err());
    }
    assert_eq!(store.intervals(&energy("m"), LATE).unwrap(), [quarter(0, 5, 10), quarter(4, 5, 10)]);
    store.verify_audit().unwrap();
}

#[test]
fn an_edit_behind_the_store_shows() {
    for edit in [
        "UPDATE filed_interval SET amount = 1",
        "UPDATE filed_interval_replaced SET amount = 1",
        "DELETE FROM filed_total",
        "UPDATE filed_total SET received_ms = 1",
    ] {
        let (dir, store) = opened();
        store.put_intervals(&[quarter(0, 5, 10)], &file("a")).unwrap();
        store.put_intervals(&[quarter(0, 7, 20)], &file("b")).unwrap();
        store.put_totals(&[total(0, 5, 10)], &file("c")).unwrap();
        store.verify_audit().unwrap();
        stranger(dir.path()).execute(edit, []).unwrap();
        assert!(matches!(store.verify_audit(), Err(AuditBreak::Content { .. })), "{edit}");
    }
}
