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

/// One value for so many quarters from the first on.
fn span(from: i64, to: i64, amount: i64) -> FiledInterval {
    FiledInterval { to: quarter(to, 0, 0).from, ..quarter(from, amount, 10) }
}

#[test]
fn finer_intervals_take_the_place_of_one_that_they_fill() {
    let (_dir, store) = opened();
    let month = span(0, 100, 123_000);
    store.put_intervals(&[month.clone(), span(200, 300, 7)], &file("month")).unwrap();
    // 123 012 Wh: the month was stated in whole kWh.
    let quarters: Vec<FiledInterval> =
        (0..100).map(|i| quarter(i, if i < 12 { 1_231 } else { 1_230 }, 20)).collect();
    let head = store.audit_head().unwrap();
    assert_eq!(store.put_intervals(&quarters, &file("curve")).unwrap(), count(100, 0, 1, 0));
    assert_ne!(store.audit_head().unwrap(), head, "it is on record");
    let standing = store.intervals(&energy("m"), LATE).unwrap();
    assert_eq!((standing.len(), standing[..100] == quarters), (101, true));
    assert_eq!(store.intervals_replaced(&energy("m")).unwrap(), std::slice::from_ref(&month));
    // Either file again changes nothing.
    assert_eq!(store.put_intervals(&quarters, &file("curve")).unwrap(), count(0, 100, 0, 0));
    assert_eq!(store.put_intervals(std::slice::from_ref(&month), &file("month")).unwrap(), count(0, 0, 0, 1));
    // Nor does another file make one value of them again.
    let error = store.put_intervals(&[month], &file("other")).unwrap_err().to_string();
    assert!(error.contains("so energy would count twice"), "{error}");
    store.verify_audit().unwrap();
}

#[test]
fn finer_intervals_of_another_total_need_a_reason_and_a_part_is_refused_always() {
    let (_dir, store) = opened();
    let month = span(0, 4, 5_000);
    store.put_intervals(std::slice::from_ref(&month), &file("month")).unwrap();
    let of = |amounts: &[i64]| -> Vec<FiledInterval> {
        amounts.iter().zip(0..).map(|(amount, i)| quarter(i, *amount, 20)).collect()
    };
    let other = of(&[1_000, 1_000, 1_000, 1_400]);
    let error = store.put_intervals(&other, &file("curve")).unwrap_err().to_string();
    assert!(error.contains("gave 5000 from") && error.contains("come to 4400"), "{error}");
    let clashes = store.interval_clashes(&other, &file("curve"), false).unwrap();
    assert_eq!(clashes.iter().map(|c| c.rows.clone()).collect::<Vec<_>>(), [vec![0, 1, 2, 3]]);
    assert!(store.interval_clashes(&other, &file("curve"), true).unwrap().is_empty());
    // A part would leave out energy, whatever it comes to; a reason does not make it whole.
    let whole = of(&[1_250, 1_250, 1_250, 1_250]);
    let outside = [quarter(3, 1_250, 20), quarter(4, 1_250, 20)];
    for part in [&whole[..3], &whole[1..], &[whole[0].clone(), whole[2].clone(), whole[3].clone()], &outside]
    {
        assert!(store.put_intervals(part, &file("part")).is_err());
        assert!(store.put_intervals_replacing(part, &file("part"), "rectified").is_err());
    }
    assert_eq!(store.intervals(&energy("m"), LATE).unwrap(), std::slice::from_ref(&month));
    assert!(store.put_intervals_replacing(&other, &file("curve"), "").is_err());
    let done = store.put_intervals_replacing(&other, &file("curve"), "the distributor rectified it").unwrap();
    assert_eq!(done, count(4, 0, 1, 0));
    assert_eq!(store.intervals_replaced(&energy("m")).unwrap(), [month]);
    store.verify_audit().unwrap();
}

#[test]
fn totals_agree_within_their_rounding_and_no_further() {
    for (total, amounts, agrees) in [
        (5_000, [1_250, 1_250, 1_250, 1_250], true),
        // Whole kWh: half of one either way, and half a step of each quarter, here of one Wh.
        (5_000, [1_375, 1_375, 1_375, 1_375], true),
        (5_000, [1_376, 1_376, 1_376, 1_376], false),
        (5_000, [1_125, 1_125, 1_125, 1_125], true),
        (5_000, [1_124, 1_124, 1_124, 1_124], false),
        // A total in Wh says more: the quarters' steps of 10 Wh would allow 20, a thousandth of it allows 5.
        (5_001, [1_250, 1_250, 1_250, 1_250], true),
        (5_006, [1_250, 1_250, 1_250, 1_250], false),
        (0, [0, 0, 0, 0], true),
        (0, [0, 0, 0, 501], false),
    ] {
        let (_dir, store) = opened();
        store.put_intervals(&[span(0, 4, total)], &file("whole")).unwrap();
        let finer: Vec<FiledInterval> = amounts.iter().zip(0..).map(|(a, i)| quarter(i, *a, 20)).collect();
        assert_eq!(store.put_intervals(&finer, &file("finer")).is_ok(), agrees, "{total} {amounts:?}");
    }
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
