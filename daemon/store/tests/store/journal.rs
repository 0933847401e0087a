//! Appending and reading back.
//!
//! Must never: depend on how readings were grouped into commits.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{Instant, Origin, Quality, Reading, Value};
use store::{Appended, CommitObserver, Store, StoreError, StoreOptions};
use tokio::task::JoinSet;

use crate::support::{
    all, as_after_power_cut, between, energy, gauge, minutes, opened, stranger, total, values, voltage,
};

#[test]
fn what_comes_back_is_what_was_appended() {
    let (_dir, store) = opened();
    let (power, volts) = (energy("boiler-1"), voltage("boiler-1"));
    let mut late = total(&power, 60, i64::MAX);
    late.received_at = late.observed_at.plus_seconds(86_400);
    late.quality = Quality::ArrivalTime;
    late.origin = Origin::Mqtt;
    let early = Reading { received_at: Instant::from_seconds(-5), ..gauge(&volts, -3, 230.0) };
    let appended = store.append_blocking(vec![late.clone(), early.clone()]).unwrap();
    assert_eq!(appended, Appended { new: 2, duplicate: 0, conflicting: 0 });
    for sent in [late, early] {
        let found = all(&store, &sent.series)[0];
        assert_eq!(found.observed_at, sent.observed_at);
        assert_eq!(found.received_at, sent.received_at);
        assert_eq!((found.value, found.quality, found.origin), (sent.value, sent.quality, sent.origin));
    }
    assert_eq!(store.series().unwrap(), [power, volts]);
}

#[test]
fn appending_twice_changes_nothing() {
    let (_dir, store) = opened();
    let series = energy("boiler-1");
    let first = minutes(&series, 10);
    let mut again = first.clone();
    for reading in &mut again {
        reading.received_at = reading.received_at.plus_seconds(3_600);
    }
    assert_eq!(store.append_blocking(first).unwrap().new, 10);
    let before = all(&store, &series);
    let appended = store.append_blocking(again).unwrap();
    assert_eq!(appended, Appended { new: 0, duplicate: 10, conflicting: 0 });
    assert_eq!(all(&store, &series), before);
}

#[test]
fn the_first_value_stays_and_the_other_is_kept_aside() {
    let (_dir, store) = opened();
    let series = energy("boiler-1");
    // In one batch, out of order of time: the first to come wins, not the first in time order.
    let batch =
        vec![total(&series, 120, 7), total(&series, 60, 5), total(&series, 120, 8), total(&series, 60, 5)];
    let appended = store.append_blocking(batch).unwrap();
    assert_eq!(appended, Appended { new: 2, duplicate: 1, conflicting: 1 });
    for _ in 0..2 {
        assert_eq!(store.append_blocking(vec![total(&series, 60, 99)]).unwrap().conflicting, 1);
    }
    assert_eq!(values(&all(&store, &series)), [5.0, 7.0]);
    let kept: Vec<_> = store.conflicts(10).unwrap().iter().map(|c| (c.kept, c.later.value)).collect();
    assert_eq!(kept, [(Value::Total(5), Value::Total(99)), (Value::Total(7), Value::Total(8))]);
    assert_eq!(store.stats().readings_conflicting, 3);
}

#[test]
fn what_was_put_aside_is_found_by_its_meter_and_by_its_readings() {
    let (_dir, store) = opened();
    let stranger = energy("nobody");
    let (own, volts, other) = (energy("boiler-1"), voltage("boiler-1"), energy("boiler-2"));
    let first = vec![total(&own, 60, 5), total(&own, 120, 6), gauge(&volts, 90, 230.0), total(&other, 60, 1)];
    store.append_blocking(first).unwrap();
    let second = [total(&own, 60, 9), total(&own, 120, 6), gauge(&volts, 90, 231.5), total(&other, 60, 2)];
    assert_eq!(store.append_blocking(second.to_vec()).unwrap().conflicting, 3);
    let told = |found: Vec<store::Conflict>| {
        let told = |c: &store::Conflict| (c.later.observed_at.millis() / 1000, c.kept, c.later.value);
        found.iter().map(told).collect::<Vec<_>>()
    };
    let meter = &own.meter;
    let of_total = (60, Value::Total(5), Value::Total(9));
    let of_gauge = (90, Value::Gauge(230.0), Value::Gauge(231.5));
    assert_eq!(told(store.conflicts_of(meter, 50).unwrap()), [of_gauge, of_total]);
    assert_eq!(told(store.conflicts_of(meter, 1).unwrap()), [of_gauge], "the latest instant first");
    assert_eq!(store.conflict_count(meter).unwrap(), 2);
    // Only what lost: not the reading that agrees, nor one that stands.
    assert_eq!(told(store.conflicts_among(&second[..2]).unwrap()), [of_total]);
    assert!(store.conflicts_among(&[total(&own, 60, 5)]).unwrap().is_empty());
    let nobody = &stranger.meter;
    assert!(store.conflicts_of(nobody, 9).unwrap().is_empty());
    assert_eq!(store.conflict_count(nobody).unwrap(), 0);
}

#[test]
fn order_is_by_instant_then_origin_and_a_range_excludes_its_end() {
    let (_dir, store) = opened();
    let series = energy("boiler-1");
    let mut batch = minutes(&series, 5);
    batch.reverse();
    batch.push(Reading { origin: Origin::File, ..total(&series, 120, 50) });
    batch.push(Reading { origin: Origin::Mqtt, ..total(&series, 120, 40) });
    store.append_blocking(batch).unwrap();
    assert_eq!(values(&between(&store, &series, Some(60), Some(180))), [1001.0, 1002.0, 40.0, 50.0]);
    assert_eq!(values(&between(&store, &series, Some(180), None)), [1003.0, 1004.0]);
    assert_eq!(values(&between(&store, &series, None, Some(60))), [1000.0]);
    assert_eq!(between(&store, &series, Some(120), Some(120)), []);
    assert_eq!(all(&store, &energy("nobody")), []);
    assert_eq!(store.first_at(&series).unwrap(), Some(Instant::from_seconds(0)));
    assert_eq!(store.latest(&series).unwrap().unwrap().value, Value::Total(1004));
    assert_eq!(store.latest(&energy("nobody")).unwrap(), None);
}

#[test]
fn a_long_series_is_streamed_whole_and_may_be_left_early() {
    let (_dir, store) = opened();
    let series = energy("boiler-1");
    let mut batch = minutes(&series, 20_000);
    // Two origins at each instant: chunks must be able to end between the two.
    batch.extend(minutes(&series, 20_000).into_iter().map(|r| Reading { origin: Origin::Replay, ..r }));
    assert_eq!(store.append_blocking(batch).unwrap().new, 40_000);
    let found = all(&store, &series);
    assert_eq!(found.len(), 40_000);
    assert!(found.is_sorted_by(|a, b| (a.observed_at, a.origin) < (b.observed_at, b.origin)));
    let mut seen = 0;
    let given = store.for_each_reading(&series, None, None, &mut |_| {
        seen += 1;
        if seen == 9_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(given.unwrap(), 9_000);
}

#[test]
fn a_caller_may_read_while_it_is_given_readings() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { reader_connections_max: 1, ..StoreOptions::default() };
    let store = Store::open(dir.path(), options).unwrap();
    let series = energy("boiler-1");
    store.append_blocking(minutes(&series, 3)).unwrap();
    let mut seen = 0;
    store
        .for_each_reading(&series, None, None, &mut |_| {
            seen += all(&store, &series).len();
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, 9);
}

#[test]
fn what_was_acknowledged_is_on_disk_without_closing() {
    let (dir, store) = opened();
    let series = energy("boiler-1");
    for day in 0..20 {
        store.append_blocking(vec![total(&series, day, day)]).unwrap();
        let copy = as_after_power_cut(dir.path());
        let found = Store::open(copy.path(), StoreOptions::default()).unwrap();
        assert_eq!(all(&found, &series).len() as i64, day + 1);
    }
}

#[test]
fn closing_and_opening_again_keeps_everything() {
    let (dir, store) = opened();
    let series = energy("boiler-1");
    store.append_blocking(minutes(&series, 100)).unwrap();
    let before = all(&store, &series);
    store.close();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!(all(&store, &series), before);
    assert_eq!(store.append_blocking(minutes(&series, 100)).unwrap().duplicate, 100);
}

#[test]
fn what_the_table_cannot_hold_is_refused_by_name() {
    let (_dir, store) = opened();
    let (power, volts) = (energy("boiler-1"), voltage("boiler-1"));
    for (bad, says) in [
        (
            gauge(&volts, 0, f64::NAN),
            "the reading of boiler-1 voltage.l1 at 1970-01-01T00:00:00Z was refused: its value is not finite",
        ),
        (gauge(&volts, 0, f64::INFINITY), "not finite"),
        (gauge(&power, 0, 1.0), "a total is an integer"),
        (total(&volts, 0, 1), "a gauge is a real number"),
        (Reading { observed_at: Instant::from_millis(i64::MIN), ..total(&power, 0, 1) }, "out of range"),
    ] {
        let error = store.append_blocking(vec![total(&power, 9, 9), bad]).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(!error.is_retryable());
    }
    assert_eq!(all(&store, &power), []);
    assert_eq!(store.append_blocking(Vec::new()).unwrap(), Appended::default());
}

#[tokio::test]
async fn blocking_inside_a_runtime_is_no_panic() {
    let (_dir, store) = opened();
    for i in 0..300 {
        store.append_blocking(vec![total(&energy("boiler-1"), i, i)]).unwrap();
    }
    assert_eq!(all(&store, &energy("boiler-1")).len(), 300);
}

/// Appends `count` single readings while a stranger holds the database, and waits until all are accepted.
async fn accepted(store: &Store, count: i64) -> JoinSet<Result<Appended, StoreError>> {
    let mut tasks = JoinSet::new();
    for i in 0..count {
        let store = store.clone();
        tasks.spawn(async move { store.append(vec![total(&energy("boiler-1"), i, i)]).await });
    }
    while store.stats().queue_depth < count as u64 {
        tokio::task::yield_now().await;
    }
    tasks
}

#[tokio::test]
async fn everything_that_waits_goes_into_one_commit() {
    let (dir, store) = opened();
    let busy = stranger(dir.path());
    busy.execute_batch("BEGIN IMMEDIATE").unwrap();
    let tasks = accepted(&store, 500).await;
    busy.execute_batch("ROLLBACK").unwrap();
    for outcome in tasks.join_all().await {
        assert_eq!(outcome.unwrap().new, 1);
    }
    let stats = store.stats();
    assert!(stats.commits <= 2, "{stats:?}");
    assert_eq!((stats.readings_committed, stats.queue_depth, stats.failures), (500, 0, 0));
    assert!(stats.last_commit.is_some() && stats.bytes_on_disk > 0);
}

#[tokio::test]
async fn closing_finishes_what_was_accepted() {
    let (dir, store) = opened();
    let busy = stranger(dir.path());
    busy.execute_batch("BEGIN IMMEDIATE").unwrap();
    let tasks = accepted(&store, 100).await;
    let clone = store.clone();
    let closing = tokio::task::spawn_blocking(move || store.close());
    busy.execute_batch("ROLLBACK").unwrap();
    closing.await.unwrap();
    let outcomes = tasks.join_all().await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let error = clone.append(vec![total(&energy("boiler-1"), 0, 0)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Closed { .. }), "{error}");
    assert!(matches!(
        clone.put_record("project", "p", "x", "a", Instant::default()),
        Err(StoreError::Closed { .. })
    ));
    assert_eq!(all(&clone, &energy("boiler-1")).len(), 100);
}

#[derive(Default)]
struct Watch {
    readings: AtomicU64,
    deepest: AtomicU64,
    durations: Mutex<Vec<Duration>>,
}

impl CommitObserver for Watch {
    fn committed(&self, readings: u64, duration: Duration, queue_depth: u64) {
        self.readings.fetch_add(readings, SeqCst);
        self.deepest.fetch_max(queue_depth, SeqCst);
        self.durations.lock().unwrap().push(duration);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_holds_appends_back_and_loses_none() {
    let dir = tempfile::tempdir().unwrap();
    let watch = Arc::new(Watch::default());
    let observer: Arc<dyn CommitObserver> = Arc::<Watch>::clone(&watch);
    let options = StoreOptions {
        queue_readings_max: 50,
        commit_readings_max: 20,
        observer: Some(observer),
        ..StoreOptions::default()
    };
    let store = Store::open(dir.path(), options).unwrap();
    let mut tasks = JoinSet::new();
    for meter in 0..8 {
        let store = store.clone();
        tasks.spawn(async move { store.append(minutes(&energy(&format!("m{meter}")), 130)).await });
    }
    for outcome in tasks.join_all().await {
        assert_eq!(outcome.unwrap().new, 130);
    }
    // The last commit answers before it tells the observer.
    store.close();
    assert_eq!(watch.readings.load(SeqCst), 8 * 130);
    assert!(watch.deepest.load(SeqCst) <= 50);
    assert!(watch.durations.lock().unwrap().len() >= 8 * 130 / 40);
}

#[test]
fn readers_see_only_whole_commits_while_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        StoreOptions { wal_bytes_soft: 1 << 18, wal_bytes_hard: 1 << 20, ..StoreOptions::default() };
    let store = Store::open(dir.path(), options).unwrap();
    let series = energy("boiler-1");
    let ended = AtomicBool::new(false);
    let ended = &ended;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (store, series) = (store.clone(), series.clone());
            scope.spawn(move || {
                let mut last = 0;
                while !ended.load(SeqCst) {
                    let found = all(&store, &series);
                    assert!(found.len() >= last);
                    assert!(found.iter().enumerate().all(|(i, r)| r.value == Value::Total(i as i64)));
                    last = found.len();
                }
            });
        }
        for batch in 0..200 {
            let readings = (batch * 50..batch * 50 + 50).map(|i| total(&series, i, i)).collect();
            store.append_blocking(readings).unwrap();
        }
        ended.store(true, SeqCst);
    });
    assert_eq!(all(&store, &series).len(), 10_000);
    assert_eq!(store.stats().failures, 0);
}
