//! Random batches against the simplest possible journal: a map that keeps the first value.
//!
//! Must never: know how the store does it.

use std::collections::BTreeMap;

use model::{Instant, Origin, Quality, Reading, SeriesKey, Value};
use proptest::prelude::*;
use store::{Appended, Store, StoreOptions};

use crate::support::{all, energy, voltage};

type Identity = (SeriesKey, Instant, Origin);

/// Few identities and few values, so that duplicates and conflicts are frequent.
fn reading() -> impl Strategy<Value = Reading> {
    (0..3_usize, -2..4_i64, 0..4_usize, 0..3_i64, 0..3_usize, -50..50_i64).prop_map(
        |(series, at, origin, value, quality, delay)| {
            let series = [energy("m1"), energy("m2"), voltage("m1")][series].clone();
            let observed_at = Instant::from_seconds(at * 60);
            let value =
                if series == voltage("m1") { Value::Gauge(value as f64 / 2.0) } else { Value::Total(value) };
            Reading {
                series,
                observed_at,
                received_at: observed_at.plus_millis(delay),
                value,
                quality: Quality::ALL[quality],
                origin: Origin::ALL[origin],
            }
        },
    )
}

fn append(model: &mut BTreeMap<Identity, Reading>, batch: &[Reading]) -> Appended {
    let mut count = Appended::default();
    for reading in batch {
        let identity = (reading.series.clone(), reading.observed_at, reading.origin);
        match model.get(&identity) {
            None => {
                model.insert(identity, reading.clone());
                count.new += 1;
            }
            Some(first) if first.value == reading.value => count.duplicate += 1,
            Some(_) => count.conflicting += 1,
        }
    }
    count
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_store_holds_what_a_map_would(
        batches in prop::collection::vec(prop::collection::vec(reading(), 0..40), 1..8),
        commit_readings_max in 1..50_u32,
        reopen_after in 0..8_usize,
        recent_readings_max in 4..60_u32,
        beside in prop::collection::vec(any::<bool>(), 8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions { commit_readings_max, recent_readings_max, ..StoreOptions::default() };
        let mut store = Store::open(dir.path(), options.clone()).unwrap();
        let mut model = BTreeMap::new();
        for (number, batch) in batches.iter().enumerate() {
            let expected = append(&mut model, batch);
            // Some batches come by another process: each must see what the other did.
            let appended = if beside[number] {
                Store::open_shared_with(dir.path(), options.clone()).unwrap().append_blocking(batch.clone())
            } else {
                store.append_blocking(batch.clone())
            };
            prop_assert_eq!(appended.unwrap(), expected);
            prop_assert_eq!(all(&store, &energy("m1")).len(), model.keys().filter(|k| k.0 == energy("m1")).count());
            if number == reopen_after {
                store.close();
                store = Store::open(dir.path(), options.clone()).unwrap();
            }
        }
        for series in [energy("m1"), energy("m2"), voltage("m1")] {
            let found: Vec<Reading> = all(&store, &series).into_iter().map(|r| Reading {
                series: series.clone(),
                observed_at: r.observed_at,
                received_at: r.received_at,
                value: r.value,
                quality: r.quality,
                origin: r.origin,
            }).collect();
            let expected: Vec<Reading> =
                model.iter().filter(|((s, _, _), _)| *s == series).map(|(_, r)| r.clone()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
