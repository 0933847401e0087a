//! Payloads nobody could decode.
//!
//! Must never: grow for ever, or vanish uncounted.

use model::{Instant, MeterId, Origin};
use store::{QuarantineFilter, Quarantined, Remembered, Store, StoreOptions};

use crate::support::{all, as_after_power_cut, energy, minutes, opened};

fn item(payload: &[u8]) -> Quarantined {
    Quarantined {
        origin: Origin::Mqtt,
        link: "broker".to_owned(),
        meter: Some(MeterId::new("hall").unwrap()),
        place: "buildings/1/energy".to_owned(),
        payload: payload.to_vec(),
        length: payload.len() as u64,
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
    assert_eq!((found[0].item.payload.len(), found[0].item.length), (400, 5_000));
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

#[test]
fn a_released_item_is_gone_and_audited_and_another_is_explained_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    let other = MeterId::new("other").unwrap();
    for payload in [b"a", b"b", b"c"] {
        store.quarantine_blocking(item(payload)).unwrap();
    }
    store.quarantine_blocking(Quarantined { meter: Some(other.clone()), ..item(b"d") }).unwrap();
    let of_other = QuarantineFilter { meter: Some(other), ..QuarantineFilter::default() };
    assert_eq!(store.quarantined_where(&of_other, 9).unwrap()[0].number, 4);
    let after = QuarantineFilter { after: Some(1), ..QuarantineFilter::default() };
    let order: Vec<i64> = store.quarantined_where(&after, 2).unwrap().iter().map(|q| q.number).collect();
    assert_eq!(order, [2, 3]);
    let at = Instant::from_seconds(1_760_000_100);
    assert!(store.release_quarantined(2, "energy office", at).unwrap());
    assert!(!store.release_quarantined(2, "energy office", at).unwrap());
    assert!(store.explain_quarantined(3, "still no number").unwrap());
    let left = store.quarantined(9).unwrap();
    assert_eq!(left.iter().map(|q| q.number).collect::<Vec<_>>(), [4, 3, 1]);
    assert_eq!(left[1].item.reason, "still no number");
    let entry = &store.audit(9).unwrap()[0];
    assert_eq!(
        (entry.action.as_str(), entry.kind.as_str(), entry.subject.as_str()),
        ("replay", "quarantine", "2")
    );
    store.verify_audit().unwrap();
    store.close();
    // The bounds count what is there: nothing was lost from the sums.
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!(store.stats().quarantine_items, 3);
    for number in [1, 3, 4] {
        assert!(store.release_quarantined(number, "energy office", at).unwrap());
    }
    let conn = crate::support::stranger(dir.path());
    let bytes: i64 = conn
        .query_row("SELECT value FROM counter WHERE name = 'quarantine_bytes'", [], |r| r.get(0))
        .unwrap();
    assert_eq!(bytes, 0);
}

#[tokio::test]
async fn a_link_remembers_and_forgets_by_key() {
    let (dir, store) = opened();
    let known = |key: &str, value: &[u8]| Remembered {
        link: "broker".to_owned(),
        key: key.to_owned(),
        value: value.to_vec(),
        at: Instant::from_seconds(5),
    };
    store.remember(known("a", b"1")).await.unwrap();
    store.remember(known("a", b"2")).await.unwrap();
    store.remember(known("b", b"3")).await.unwrap();
    let copy = as_after_power_cut(dir.path());
    let found = Store::open(copy.path(), StoreOptions::default()).unwrap();
    assert_eq!(found.remembered("broker").unwrap(), [known("a", b"2"), known("b", b"3")]);
    found.remember(known("a", b"")).await.unwrap();
    assert_eq!(found.remembered("broker").unwrap(), [known("b", b"3")]);
    assert!(found.remembered("other").unwrap().is_empty());
    assert!(found.remember(known("c", &vec![0; 2 << 20])).await.is_err());
}
