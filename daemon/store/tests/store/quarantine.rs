//! Payloads nobody could decode.
//!
//! Must never: grow for ever, or vanish uncounted.

use model::{Instant, Origin};
use store::{Quarantined, Store, StoreOptions};

use crate::support::{all, as_after_power_cut, energy, minutes, opened};

fn item(payload: &[u8]) -> Quarantined {
    Quarantined {
        origin: Origin::Mqtt,
        place: "buildings/1/energy".to_owned(),
        payload: payload.to_vec(),
        reason: "no number".to_owned(),
        at: Instant::from_seconds(1_760_000_000),
    }
}

#[test]
fn a_payload_is_on_disk_when_answered() {
    let (dir, store) = opened();
    store.quarantine_blocking(item(b"\xff\x00abc")).unwrap();
    let copy = as_after_power_cut(dir.path());
    let found = Store::open(copy.path(), StoreOptions::default()).unwrap();
    assert_eq!(found.quarantined(10).unwrap()[0].item, item(b"\xff\x00abc"));
    assert_eq!(found.stats().quarantine_items, 1);
}

#[tokio::test]
async fn readings_and_payloads_share_commits() {
    let (_dir, store) = opened();
    let series = energy("boiler-1");
    let (appended, kept) = tokio::join!(store.append(minutes(&series, 9)), store.quarantine(item(b"x")));
    kept.unwrap();
    assert_eq!(appended.unwrap().new, 9);
    assert_eq!((all(&store, &series).len(), store.quarantined(10).unwrap().len()), (9, 1));
}

#[test]
fn the_oldest_beyond_the_bounds_are_dropped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        quarantine_items_max: 5,
        quarantine_bytes_max: 1_000,
        quarantine_payload_bytes_max: 400,
        ..StoreOptions::default()
    };
    let store = Store::open(dir.path(), options.clone()).unwrap();
    for i in 0..8 {
        store.quarantine_blocking(item(&[i])).unwrap();
    }
    let newest: Vec<_> =
        store.quarantined(10).unwrap().iter().map(|q| (q.number, q.item.payload[0])).collect();
    assert_eq!(newest, [(8, 7), (7, 6), (6, 5), (5, 4), (4, 3)]);
    for _ in 0..3 {
        store.quarantine_blocking(item(&[9; 5_000])).unwrap();
    }
    let found = store.quarantined(10).unwrap();
    assert_eq!(found.len(), 2, "two cut payloads fill a thousand bytes");
    assert_eq!((found[0].item.payload.len(), found[0].payload_length), (400, 5_000));
    let stats = store.stats();
    assert_eq!((stats.quarantine_items, stats.quarantine_dropped), (2, 9));
    drop(store);
    let stats = Store::open(dir.path(), options).unwrap().stats();
    assert_eq!((stats.quarantine_items, stats.quarantine_dropped), (2, 9));
}

#[test]
fn long_texts_are_cut_between_characters() {
    let (_dir, store) = opened();
    store.quarantine_blocking(Quarantined { reason: "è".repeat(2_000), ..item(b"") }).unwrap();
    let found = store.quarantined(1).unwrap();
    assert_eq!(found[0].item.reason, "è".repeat(512));
}
