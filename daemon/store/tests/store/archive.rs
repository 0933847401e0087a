//! Closed months leave the journal for files and nobody notices: same readings, same order, each once.
//!
//! Must never: look into the files other than through the store; another program's look is a suite of its own.

use std::collections::BTreeMap;
use std::path::Path;

use model::{Instant, Origin, Quality, Reading, SeriesKey, Value};
use proptest::prelude::*;
use store::{ARCHIVE_FOLDER, Appended, Store, StoreOptions, StoredReading};

use crate::support::{all, between, energy, gauge, minutes, opened, stranger, total, voltage};

/// A month of this test: 10 000 seconds.
const MONTH_SECONDS: i64 = 10_000;

fn bounds(month: i64) -> (String, Instant, Instant) {
    let at = |m: i64| Instant::from_seconds(m * MONTH_SECONDS);
    (format!("2025-{:02}", month + 1), at(month), at(month + 1))
}

fn archive(store: &Store, month: i64) -> bool {
    let (name, from, to) = bounds(month);
    store.archive_month(&name, from, to, Instant::from_seconds(1)).unwrap().is_some()
}

fn drop_archived(store: &Store) -> u64 {
    store.archive_drop(Instant::from_seconds(2), Instant::from_seconds(3)).unwrap()
}

fn journal_rows(directory: &Path) -> i64 {
    let sql = "SELECT (SELECT coalesce(sum(readings), 0) FROM chunk) + (SELECT coalesce(sum(readings), 0) FROM intake)";
    stranger(directory).query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_closed_month_is_read_as_before_whether_its_rows_are_dropped_or_not() {
    let (dir, store) = opened();
    let (power, volts) = (energy("boiler-1"), voltage("boiler-1"));
    store.append_blocking(minutes(&power, 400)).unwrap();
    store
        .append_blocking((0..400).map(|i| gauge(&volts, i * 60, 229.5 + i as f64 / 10.0)).collect())
        .unwrap();
    let (before, volts_before) = (all(&store, &power), all(&store, &volts));
    assert!(archive(&store, 0) && archive(&store, 1) && !archive(&store, 5));
    assert_eq!((all(&store, &power), journal_rows(dir.path())), (before.clone(), 800));
    // 10 000 s hold the readings of second 0 to 9 960, 20 000 s those to 19 980.
    assert_eq!((drop_archived(&store), journal_rows(dir.path())), (2 * 334, 2 * 66));
    assert_eq!((all(&store, &power), all(&store, &volts)), (before.clone(), volts_before));
    for (from, to) in [(0, 1), (9_900, 10_100), (60, 60), (5_000, 24_000), (19_980, 20_041), (30_000, 90_000)]
    {
        let wanted: Vec<_> = before
            .iter()
            .filter(|r| (from..to).contains(&(r.observed_at.millis() / 1000)))
            .copied()
            .collect();
        assert_eq!(between(&store, &power, Some(from), Some(to)), wanted, "{from} to {to}");
    }
    assert_eq!(store.first(&power).unwrap(), before.first().copied());
    assert_eq!(store.latest(&power).unwrap(), before.last().copied());
    assert!(!archive(&store, 0), "nothing new, no new file");
    drop(store);
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!(all(&store, &power), before);
}

#[test]
fn a_series_that_ended_in_the_archive_has_its_edges() {
    let (_dir, store) = opened();
    let power = energy("boiler-1");
    store.append_blocking(minutes(&power, 100)).unwrap();
    assert!(archive(&store, 0));
    drop_archived(&store);
    assert_eq!(store.first_at(&power).unwrap(), Some(Instant::from_seconds(0)));
    assert_eq!(store.latest(&power).unwrap().unwrap().value, Value::Total(1_099));
}

#[test]
fn late_readings_make_a_new_generation_and_the_first_value_stays() {
    let (dir, store) = opened();
    let power = energy("boiler-1");
    store.append_blocking(minutes(&power, 100)).unwrap();
    assert!(archive(&store, 0));
    drop_archived(&store);
    // One between two readings, one again with the same value, one again with another value.
    let late = vec![total(&power, 90, 7), total(&power, 60, 1_001), total(&power, 120, 5)];
    let appended = store.append_blocking(late).unwrap();
    assert_eq!(appended, Appended { new: 1, duplicate: 1, conflicting: 1 });
    let found = all(&store, &power);
    assert_eq!(found.len(), 101);
    assert_eq!(
        between(&store, &power, Some(60), Some(121)).iter().map(|r| r.value).collect::<Vec<_>>(),
        [Value::Total(1_001), Value::Total(7), Value::Total(1_002)]
    );
    assert!(archive(&store, 0));
    assert!(!archive(&store, 0), "the second generation waits for its rows to be dropped");
    assert_eq!(all(&store, &power), found);
    assert_eq!(drop_archived(&store), 1, "what the archive had already never came into the journal again");
    assert_eq!(all(&store, &power), found);
    let names: Vec<_> = std::fs::read_dir(dir.path().join(ARCHIVE_FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["2025-01.2.parquet"], "the first generation's file is gone");
    let conflicts = store.conflicts(10).unwrap();
    assert_eq!(conflicts.len(), 1);
    assert_eq!((conflicts[0].kept, conflicts[0].later.value), (Value::Total(1_002), Value::Total(5)));
}

#[test]
fn what_an_interrupted_attempt_left_is_in_nobodys_way() {
    let (dir, store) = opened();
    let power = energy("boiler-1");
    store.append_blocking(minutes(&power, 100)).unwrap();
    let folder = dir.path().join(ARCHIVE_FOLDER);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("2025-01.1.parquet"), "half a file").unwrap();
    std::fs::write(folder.join("2025-01.1.parquet.part"), "half a file").unwrap();
    assert_eq!(all(&store, &power).len(), 100);
    assert!(archive(&store, 0));
    drop_archived(&store);
    assert_eq!(all(&store, &power).len(), 100);
}

#[test]
fn a_damaged_file_is_an_error_that_names_it_and_never_a_shorter_series() {
    let (dir, store) = opened();
    let power = energy("boiler-1");
    store.append_blocking(minutes(&power, 100)).unwrap();
    assert!(archive(&store, 0));
    drop_archived(&store);
    drop(store);
    let file = dir.path().join(ARCHIVE_FOLDER).join("2025-01.1.parquet");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    let mut take = |_: &StoredReading| std::ops::ControlFlow::Continue(());
    let error = store.for_each_reading(&power, None, None, &mut take).unwrap_err();
    assert!(error.to_string().contains("2025-01.1.parquet"), "{error}");
    // What is not in the damaged file can be read on.
    assert_eq!(between(&store, &power, Some(MONTH_SECONDS), None).len(), 0);
}

#[test]
fn months_do_not_overlap_and_only_the_daemon_closes_them() {
    let (dir, store) = opened();
    store.append_blocking(minutes(&energy("boiler-1"), 400)).unwrap();
    assert!(archive(&store, 0));
    let (_, from, to) = bounds(0);
    let shifted = store.archive_month("2025-02", from.plus_millis(1), to.plus_millis(1), to).unwrap_err();
    assert!(shifted.to_string().contains("2025-01.1.parquet"), "{shifted}");
    let beside = Store::open_shared(dir.path()).unwrap();
    let refused = beside.archive_month("2025-02", to, to.plus_millis(1), to).unwrap_err();
    assert!(refused.to_string().contains("only the daemon"), "{refused}");
    assert_eq!(all(&beside, &energy("boiler-1")).len(), 400);
}

/// What may happen to a store.
#[derive(Debug, Clone)]
enum Act {
    Append { second: i64, value: i64, mqtt: bool },
    Archive(i64),
    Drop,
    Fold,
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0_i64..40_000, 0_i64..3, any::<bool>())
            .prop_map(|(second, value, mqtt)| Act::Append { second: second / 500 * 500, value, mqtt }),
        2 => (0_i64..4).prop_map(Act::Archive),
        2 => Just(Act::Drop),
        2 => Just(Act::Fold),
        1 => Just(Act::Reopen),
    ]
}

fn put(series: &SeriesKey, second: i64, value: i64, mqtt: bool) -> Reading {
    let origin = if mqtt { Origin::Mqtt } else { Origin::Modbus };
    Reading { origin, quality: Quality::ArrivalTime, ..total(series, second, value) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is archived and dropped in between, the store says what a map of first values would say.
    #[test]
    fn the_archive_is_invisible(acts in prop::collection::vec(act(), 1..120)) {
        let (dir, mut store) = opened();
        let power = energy("boiler-1");
        let mut truth: BTreeMap<(i64, Origin), i64> = BTreeMap::new();
        for act in acts {
            match act {
                Act::Append { second, value, mqtt } => {
                    let reading = put(&power, second, value, mqtt);
                    let before = truth.len();
                    let first = *truth.entry((second, reading.origin)).or_insert(value);
                    let known = truth.len() == before;
                    let appended = store.append_blocking(vec![reading]).unwrap();
                    let expected = match (known, first == value) {
                        (false, _) => Appended { new: 1, ..Appended::default() },
                        (true, true) => Appended { duplicate: 1, ..Appended::default() },
                        (true, false) => Appended { conflicting: 1, ..Appended::default() },
                    };
                    prop_assert_eq!(appended, expected);
                }
                Act::Archive(month) => { archive(&store, month); }
                Act::Drop => { drop_archived(&store); }
                Act::Fold => store.fold().unwrap(),
                Act::Reopen => {
                    drop(store);
                    store = Store::open(dir.path(), StoreOptions::default()).unwrap();
                }
            }
            let found: Vec<_> = all(&store, &power)
                .iter()
                .map(|r| ((r.observed_at.millis() / 1000, r.origin), r.value.as_f64() as i64))
                .collect();
            prop_assert_eq!(found, truth.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>());
        }
    }
}
