//! Results kept beside the readings: given back whole, and never after their readings changed.
//!
//! Must never: look into the body of a result.

use model::{Digest, Instant, SeriesKey};
use store::{KeptResult, Store, StoreOptions};

use crate::support::{energy, stranger, total};

/// A result about the beginning of February 1970.
pub(crate) fn result(series: &SeriesKey, mark: i64) -> KeptResult {
    KeptResult {
        kind: "checkpoint",
        series: series.clone(),
        at: Instant::from_seconds(31 * 86_400),
        fingerprint: Digest([7; 32]),
        mark,
        body: vec![1, 2, 3],
    }
}

#[test]
fn a_result_counts_until_a_reading_before_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    let series = energy("m");
    store.append_blocking(vec![total(&series, 60, 1)]).unwrap();
    let made = result(&series, store.change_mark().unwrap());
    store.keep_results(vec![made.clone()]).unwrap();
    let find = |until: i64, reach| {
        let until = Instant::from_seconds(until);
        store.result("checkpoint", &series, &made.fingerprint, until, reach).unwrap()
    };
    let later = 40 * 86_400;
    assert_eq!(find(later, 0), Some(made.clone()));
    assert_eq!(find(86_400, 0), None, "it is about a later instant");
    assert_eq!(store.result("hours", &series, &made.fingerprint, made.at, 0).unwrap(), None);
    assert_eq!(store.result("checkpoint", &energy("n"), &made.fingerprint, made.at, 0).unwrap(), None);
    assert_eq!(store.result("checkpoint", &series, &Digest([8; 32]), made.at, 0).unwrap(), None);
    // A reading after its instant changes nothing before it, unless it reaches that far.
    store.append_blocking(vec![total(&series, 32 * 86_400, 5)]).unwrap();
    assert_eq!(find(later, 0), Some(made.clone()));
    assert_eq!(find(later, 86_400_000), None);
    // One before it does; the one kept before that stands.
    let older = KeptResult { at: Instant::from_seconds(30), body: vec![9], ..made.clone() };
    store.keep_results(vec![older]).unwrap();
    store.append_blocking(vec![total(&series, 90, 2)]).unwrap();
    assert_eq!(find(later, 0), None, "months are the grain");
    store.drop_results(&series).unwrap();
    store.keep_results(vec![result(&series, store.change_mark().unwrap())]).unwrap();
    store.close();
    // It is there after a restart, and a damaged one is not given.
    let again = || Store::open(dir.path(), StoreOptions::default()).unwrap();
    let store = again();
    let kept = |store: &Store| store.result("checkpoint", &series, &made.fingerprint, made.at, 0).unwrap();
    assert!(kept(&store).is_some());
    store.close();
    stranger(dir.path()).execute("UPDATE result SET body = x'010204'", []).unwrap();
    let store = again();
    assert_eq!(kept(&store), None);
}

#[test]
fn results_are_bounded_and_refused_when_too_large() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    let series = energy("m");
    let of = |i: i64| KeptResult { at: Instant::from_seconds(i), ..result(&series, 0) };
    store.keep_results((0..450).map(of).collect()).unwrap();
    let count: i64 = stranger(dir.path()).query_row("SELECT count(*) FROM result", [], |r| r.get(0)).unwrap();
    assert_eq!(count, 400);
    let large = KeptResult { body: vec![0; (16 << 20) + 1], ..result(&series, 0) };
    let error = store.keep_results(vec![large]).unwrap_err().to_string();
    assert!(error.contains("too large"), "{error}");
}
