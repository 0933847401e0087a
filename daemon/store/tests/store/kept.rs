//! Files written by every schema there ever was still open and say the same.
//!
//! Must never: rewrite a kept file; a new schema adds one.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use model::{BaseUnit, BillQuality, BilledPeriod, DailyTemperature, Instant, MeterId, Origin, StationId};
use store::{JOURNAL_FILE, Quarantined, Remembered, SCHEMA_VERSION, Store, StoreOptions};

use crate::support::{all, energy, gauge, note, stranger, total, values, voltage};

fn kept(version: i64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/kept/journal-{version}.sqlite3"))
}

/// Something in every table.
fn fill(store: &Store) {
    let (power, volts) = (energy("boiler-1"), voltage("boiler-1"));
    let mut batch: Vec<_> = (0..50).map(|i| total(&power, i * 60, 1_000 + i)).collect();
    batch.push(gauge(&volts, 0, 229.5));
    batch.push(total(&power, 0, 7));
    store.append_blocking(batch).unwrap();
    let day = |d| NaiveDate::from_ymd_opt(2024, 1, d).unwrap();
    for amount in [100, 90] {
        let bill = BilledPeriod {
            supply_point: "IT001E00000001".to_owned(),
            from: day(1),
            to: day(31),
            amount,
            unit: BaseUnit::WattHour,
            quality: BillQuality::Read,
        };
        store.put_bills(&[bill], &note("bills.csv")).unwrap();
        let cold = DailyTemperature {
            station: StationId::new("bologna").unwrap(),
            date: day(1),
            mean_c: amount as f64 / 20.0,
        };
        store.put_temperatures(&[cold], &note("days.csv")).unwrap();
    }
    store.put_record("project", "school", "a = 1", "energy office", Instant::default()).unwrap();
    let item = Quarantined {
        origin: Origin::Mqtt,
        link: "broker".to_owned(),
        meter: Some(MeterId::new("boiler-1").unwrap()),
        place: "topic".to_owned(),
        payload: vec![1, 2],
        length: 2,
        reason: "no number".to_owned(),
        at: Instant::default(),
    };
    store.quarantine_blocking(item).unwrap();
    let known = Remembered {
        link: "broker".to_owned(),
        key: "birth/plant/node".to_owned(),
        value: vec![8, 1],
        at: Instant::default(),
    };
    tokio::runtime::Runtime::new().unwrap().block_on(store.remember(known)).unwrap();
}

#[test]
fn a_file_of_every_schema_opens_and_says_the_same() {
    for version in 1..=SCHEMA_VERSION {
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy(kept(version), dir.path().join(JOURNAL_FILE)).unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        store.verify_audit().unwrap();
        assert_eq!(all(&store, &energy("boiler-1")).len(), 50);
        assert_eq!(values(&all(&store, &voltage("boiler-1"))), [229.5]);
        assert_eq!(store.conflicts(9).unwrap().len(), 1);
        assert_eq!(store.bills("IT001E00000001").unwrap()[0].amount, 90);
        assert_eq!(store.bills_replaced("IT001E00000001").unwrap()[0].amount, 100);
        assert_eq!(store.record("project", "school").unwrap().unwrap().body, "a = 1");
        assert_eq!(store.quarantined(9).unwrap().len(), 1);
        assert_eq!(store.remembered("broker").unwrap().len(), usize::from(2 <= version));
        assert_eq!(store.audit_head().unwrap().seq, 5);
    }
}

/// Makes the newest schema's file where there is none yet, then fails, so that it is reviewed and committed.
#[test]
fn the_newest_schema_has_its_kept_file() {
    let path = kept(SCHEMA_VERSION);
    if path.exists() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    fill(&store);
    store.close();
    let conn = stranger(dir.path());
    conn.pragma_update(None, "journal_mode", "DELETE").unwrap();
    drop(conn);
    std::fs::copy(dir.path().join(JOURNAL_FILE), &path).unwrap();
    panic!("{} was missing and has been made; review and commit it", path.display());
}
