//! The tally: counted with the readings it speaks of, once, and kept over a restart.
//!
//! Must never: count what is not in the journal.

use std::collections::BTreeMap;

use model::{Instant, MeterId, Month};
use store::{Counted, Store, StoreOptions, Tallies, Tally};

use crate::support::{energy, opened, total, voltage};

const MAY: Month = Month { year: 2025, number: 5 };

fn counts(store: &Store) -> Vec<(String, &'static str, u64)> {
    let found = store.tallies(MAY).unwrap();
    found.into_iter().map(|((meter, _, what), n)| (meter.to_string(), what.code(), n)).collect()
}

#[tokio::test]
async fn readings_are_counted_once_with_what_became_of_them() {
    let (dir, store) = opened();
    let series = energy("boiler-1");
    let counted = Counted { month: MAY, late: false, usable: true };
    let on_time = Some(counted);
    let late = Some(Counted { late: true, ..counted });
    let unusable = Some(Counted { usable: false, ..counted });
    let batch = vec![
        total(&series, 0, 1),
        total(&series, 60, 2),
        total(&voltage_free("boiler-1"), 60, 2),
        total(&series, 120, 3),
    ];
    let how = vec![on_time, late, None, unusable];
    assert_eq!(store.append_counted(batch.clone(), how.clone()).await.unwrap().new, 4);
    let wanted = vec![
        ("boiler-1".to_owned(), "received", 2),
        ("boiler-1".to_owned(), "late", 1),
        ("boiler-1".to_owned(), "refused", 1),
    ];
    assert_eq!(counts(&store), wanted);
    // The same again changes nothing; another value of the same instant is refused.
    assert_eq!(store.append_counted(batch, how).await.unwrap().duplicate, 4);
    assert_eq!(counts(&store), wanted);
    for _ in 0..2 {
        let other = store.append_counted(vec![total(&series, 0, 7)], vec![on_time]).await.unwrap();
        assert_eq!(other.conflicting, 1);
    }
    // Once, however often it is sent.
    assert_eq!(counts(&store)[2], ("boiler-1".to_owned(), "refused", 2));
    store.close();
    let again = Store::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!(counts(&again)[0], wanted[0]);
}

/// Another total of the same meter, which nobody counts.
fn voltage_free(meter: &str) -> model::SeriesKey {
    let channel = model::Channel::total(model::Quantity::ActiveEnergyExport);
    model::SeriesKey { channel, ..voltage(meter) }
}

#[test]
fn what_is_no_reading_is_added_with_how_far_it_goes() {
    let (_dir, store) = opened();
    let meter = MeterId::new("boiler-1").unwrap();
    let april = Month { year: 2025, number: 4 };
    let until = BTreeMap::from([(meter.clone(), Instant::from_seconds(90))]);
    for _ in 0..2 {
        let tallies = Tallies::from([
            ((meter.clone(), april, Tally::Expected), 5),
            ((meter.clone(), MAY, Tally::Dropped), 2),
        ]);
        store.add_tallies(tallies, until.clone()).unwrap();
    }
    assert_eq!(counts(&store), [("boiler-1".to_owned(), "dropped", 4)]);
    assert_eq!(store.tallies(april).unwrap().len(), 2);
    assert_eq!(store.tallied_until().unwrap(), until);
    store.end_tally(&meter).unwrap();
    assert!(store.tallied_until().unwrap().is_empty());
}
