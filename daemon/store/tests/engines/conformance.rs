//! What every engine does: the suite, and the engines that run it.
//!
//! Must never: know which engine it runs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use model::{Instant, Quality, Quantity, Reading, SeriesKey, Value};
use store::engine::{Embedded, Engine, EngineError, EngineSeries, Readings, for_each_in, rewrite};
use store::{Store, StoreOptions, StoredReading};

use crate::memory::Memory;
use crate::sample::{at, hard, key, total, totals};

const EARLY: Instant = Instant::from_millis(0);
const LATE: Instant = Instant::from_millis(4_000_000_000_000);

/// Runs everything. The engine may hold other series; meters of the suite are its own.
pub(crate) async fn all(engine: &dyn Engine, installation: &str) {
    everything_comes_back(engine, installation).await;
    a_range_excludes_its_end(engine, installation).await;
    what_is_no_number_is_refused_alone(engine, installation).await;
    long_series_come_back_in_pieces(engine, installation).await;
    series_are_listed(engine, installation).await;
    corrections_reach_it(engine, installation).await;
    installations_are_apart(engine).await;
    let health = engine.health().await.unwrap();
    assert!(!health.faults.iter().any(|fault| fault.is_grave), "{health:?}");
}

/// Writes what is there already, and reads it: nothing changes, wherever the engine has put it meanwhile.
pub(crate) async fn again(engine: &dyn Engine, installation: &str) {
    everything_comes_back(engine, installation).await;
    a_range_excludes_its_end(engine, installation).await;
    what_is_no_number_is_refused_alone(engine, installation).await;
    long_series_come_back_in_pieces(engine, installation).await;
}

fn series(installation: &str, key: &SeriesKey) -> EngineSeries {
    EngineSeries { installation: installation.to_owned(), key: key.clone() }
}

/// Writes and confirms; nothing may be refused.
async fn write(engine: &dyn Engine, installation: &str, readings: &[Reading]) {
    for part in readings.chunks(engine.limits().write_readings_max) {
        assert_eq!(engine.write(installation, part).await.unwrap(), []);
        assert_eq!(engine.confirm(installation, part).await.unwrap(), []);
    }
}

async fn read(engine: &dyn Engine, installation: &str, key: &SeriesKey) -> Vec<Reading> {
    let back = engine.read(&series(installation, key), EARLY, LATE).await.unwrap();
    assert_eq!((back.incomplete, back.ambiguous), (0, 0), "{key:?}");
    back.readings
}

/// Equal bit by bit: `-0.0 == 0.0` otherwise.
fn same(a: &[Reading], b: &[Reading]) -> bool {
    let bits = |r: &Reading| match r.value {
        Value::Total(total) => total.cast_unsigned(),
        Value::Gauge(gauge) => gauge.to_bits(),
    };
    a == b && a.iter().map(bits).eq(b.iter().map(bits))
}

async fn everything_comes_back(engine: &dyn Engine, installation: &str) {
    let readings = hard("suite-hard");
    // Against the order of time, and twice.
    let mut turned = readings.clone();
    turned.reverse();
    write(engine, installation, &turned).await;
    write(engine, installation, &readings).await;
    let mut by_series: BTreeMap<SeriesKey, Vec<Reading>> = BTreeMap::new();
    for reading in readings {
        by_series.entry(reading.series.clone()).or_default().push(reading);
    }
    for (key, mut expected) in by_series {
        expected.sort_by_key(|r| (r.observed_at, r.origin));
        let found = read(engine, installation, &key).await;
        assert!(same(&found, &expected), "{key:?}\nfound {found:#?}\nexpected {expected:#?}");
    }
    assert_eq!(read(engine, installation, &key("suite-none", Quantity::WaterVolume)).await, []);
}

async fn a_range_excludes_its_end(engine: &dyn Engine, installation: &str) {
    let key = key("suite-range", Quantity::WaterVolume);
    let readings: Vec<Reading> = (0..5).map(|n| total(&key, n, n)).collect();
    write(engine, installation, &readings).await;
    let of = series(installation, &key);
    for (from, to) in [(0, 5), (1, 3), (2, 2), (3, 2), (4, 9)] {
        let found = engine.read(&of, at(from), at(to)).await.unwrap().readings;
        let expected: Vec<Reading> = readings
            .iter()
            .filter(|r| at(from) <= r.observed_at && r.observed_at < at(to))
            .cloned()
            .collect();
        assert_eq!(found, expected, "{from} to {to} ms");
    }
}

async fn what_is_no_number_is_refused_alone(engine: &dyn Engine, installation: &str) {
    let key = key("suite-finite", Quantity::Voltage);
    let mut readings: Vec<Reading> = (0..4).map(|n| total(&key, n * 1_000, 0)).collect();
    for (reading, value) in readings.iter_mut().zip([230.0, f64::NAN, f64::INFINITY, 231.5]) {
        reading.value = Value::Gauge(value);
    }
    let refused = engine.write(installation, &readings).await.unwrap();
    assert_eq!(refused.iter().map(|r| r.index).collect::<Vec<_>>(), [1, 2]);
    assert!(refused.iter().all(|r| r.reason.contains("not finite")), "{refused:?}");
    let kept = [readings[0].clone(), readings[3].clone()];
    assert_eq!(engine.confirm(installation, &kept).await.unwrap(), []);
    assert_eq!(read(engine, installation, &key).await, kept);
}

async fn long_series_come_back_in_pieces(engine: &dyn Engine, installation: &str) {
    let key = key("suite-long", Quantity::ActiveEnergyImport);
    let readings = totals(&key, 45_000);
    write(engine, installation, &readings).await;
    let mut found = Vec::new();
    let mut take = |stored: &StoredReading| {
        found.push((stored.observed_at, stored.value));
        ControlFlow::Continue(())
    };
    let given = for_each_in(engine, &series(installation, &key), EARLY, LATE, &mut take).await.unwrap();
    assert_eq!((given.readings, given.unsure), (45_000, 0));
    let expected: Vec<_> = readings.iter().map(|r| (r.observed_at, r.value)).collect();
    assert_eq!(found, expected);
}

async fn series_are_listed(engine: &dyn Engine, installation: &str) {
    let mut expected: Vec<SeriesKey> = hard("suite-hard").into_iter().map(|r| r.series).collect();
    expected.extend([
        key("suite-range", Quantity::WaterVolume),
        key("suite-finite", Quantity::Voltage),
        key("suite-long", Quantity::ActiveEnergyImport),
    ]);
    expected.sort();
    expected.dedup();
    let listed = engine.series(Some(installation)).await.unwrap();
    assert!(listed.iter().all(|s| s.installation == installation), "{listed:?}");
    let keys: Vec<SeriesKey> = listed.iter().map(|s| s.key.clone()).collect();
    assert_eq!(keys, expected);
    let all = engine.series(None).await.unwrap();
    assert!(listed.iter().all(|s| all.contains(s)));
    assert_eq!(engine.series(Some("nobody")).await.unwrap(), []);
}

/// Readings of one series, as a journal has them.
pub(crate) struct Fixed(pub(crate) Vec<Reading>);

impl Readings for Fixed {
    fn home(&self, _: &SeriesKey) -> Option<&Store> {
        None
    }

    fn for_each_reading(
        &self,
        series: &SeriesKey,
        _from: Option<Instant>,
        _to: Option<Instant>,
        f: &mut (dyn FnMut(&StoredReading) -> ControlFlow<()> + Send),
    ) -> Result<u64, EngineError> {
        let own = self.0.iter().filter(|r| r.series == *series);
        for r in own.clone() {
            let stored = StoredReading {
                observed_at: r.observed_at,
                received_at: r.received_at,
                value: r.value,
                quality: r.quality,
                origin: r.origin,
            };
            if f(&stored).is_break() {
                break;
            }
        }
        Ok(own.count() as u64)
    }
}

async fn corrections_reach_it(engine: &dyn Engine, installation: &str) {
    let (key, other) = (key("suite-fix", Quantity::GasVolume), key("suite-fix", Quantity::WaterVolume));
    let (before, beside) = (totals(&key, 30), totals(&other, 30));
    write(engine, installation, &before).await;
    write(engine, installation, &beside).await;
    let mut after = before.clone();
    // Another value, another quality, one less and one more.
    after[3].value = Value::Total(5);
    after[7].quality = Quality::Implausible;
    after.remove(20);
    after.push(total(&key, 30 * 60_000, 9_999));
    let of = series(installation, &key);
    let done = rewrite(engine, &of, Arc::new(Fixed(after.clone()))).await;
    if !engine.limits().deletes {
        assert!(matches!(done, Err(EngineError::Unable { .. })), "{done:?}");
        assert_eq!(read(engine, installation, &key).await, before);
        return;
    }
    assert_eq!(done.unwrap(), (30, Vec::new()));
    assert_eq!(read(engine, installation, &key).await, after);
    assert_eq!(read(engine, installation, &other).await, beside);
    // Of a series with nothing left in the journal nothing stays, and it is listed no more.
    assert_eq!(rewrite(engine, &of, Arc::new(Fixed(Vec::new()))).await.unwrap(), (0, Vec::new()));
    assert_eq!(read(engine, installation, &key).await, []);
    assert!(!engine.series(Some(installation)).await.unwrap().contains(&of));
}

async fn installations_are_apart(engine: &dyn Engine) {
    let key = key("suite-apart", Quantity::HeatEnergy);
    let names = ["comune-a", "we ird,=\"q'\\ 100%", "a\nenergia,b=c d=1 1", "trail\\", "perch\u{e9}\u{2028}"];
    if !engine.limits().installations {
        let refused = engine.write(names[0], &totals(&key, 1)).await;
        assert!(matches!(refused, Err(EngineError::Unable { .. })), "{refused:?}");
        return;
    }
    for (n, name) in names.iter().enumerate() {
        write(engine, name, &[total(&key, 0, n as i64)]).await;
    }
    for (n, name) in names.iter().enumerate() {
        assert_eq!(read(engine, name, &key).await, [total(&key, 0, n as i64)], "{name:?}");
        assert_eq!(engine.series(Some(name)).await.unwrap(), [series(name, &key)]);
    }
    engine.delete(&series(names[2], &key)).await.unwrap();
    assert_eq!(read(engine, names[2], &key).await, []);
    assert_eq!(read(engine, names[1], &key).await, [total(&key, 0, 1)]);
}

#[tokio::test]
async fn memory() {
    all(&Memory::default(), "comune").await;
}

/// In the journal's intake, in its chunks, and in the archive alone.
#[tokio::test]
async fn the_store_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    let engine = Embedded::new(store.clone(), "comune");
    all(&engine, "comune").await;
    store.fold().unwrap();
    again(&engine, "comune").await;
    let readings = store.verify().unwrap().journal_readings;
    let instant = |text| Instant::parse_rfc3339(text).unwrap();
    let [june, july, august] =
        ["2025-06-01T00:00:00Z", "2025-07-01T00:00:00Z", "2025-08-01T00:00:00Z"].map(instant);
    for (month, from, to) in [("2025-06", june, july), ("2025-07", july, august)] {
        store.archive_month(month, from, to, august).unwrap().unwrap();
    }
    // Both hold them, and each counts once.
    again(&engine, "comune").await;
    store.archive_drop(august.plus_seconds(1), august).unwrap();
    let verified = store.verify().unwrap();
    assert_eq!((verified.journal_readings, verified.archived_readings), (0, readings));
    again(&engine, "comune").await;
    store.close();
    // And so for the next one who opens it.
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    again(&Embedded::new(store.clone(), "comune"), "comune").await;
    assert_eq!(store.verify().unwrap().journal_readings, 0);
    store.close();
}
