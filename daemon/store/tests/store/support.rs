//! Readings, directories and strangers' connections for the tests.
//!
//! Must never: hide what a test is about.

use std::ops::ControlFlow;
use std::path::Path;

use model::{Channel, Digest, Instant, MeterId, Origin, Phase, Quality, Quantity, Reading, SeriesKey, Value};
use store::{ImportNote, JOURNAL_FILE, Store, StoreOptions, StoredReading};
use tempfile::TempDir;

pub(crate) fn opened() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    (dir, store)
}

/// The energy register of a meter.
pub(crate) fn energy(meter: &str) -> SeriesKey {
    SeriesKey { meter: MeterId::new(meter).unwrap(), channel: Channel::total(Quantity::ActiveEnergyImport) }
}

pub(crate) fn voltage(meter: &str) -> SeriesKey {
    SeriesKey {
        meter: MeterId::new(meter).unwrap(),
        channel: Channel { quantity: Quantity::Voltage, phase: Phase::L1 },
    }
}

/// A total read by Modbus, received 40 ms after it was observed.
pub(crate) fn total(series: &SeriesKey, at_seconds: i64, value: i64) -> Reading {
    let observed_at = Instant::from_seconds(at_seconds);
    Reading {
        series: series.clone(),
        observed_at,
        received_at: observed_at.plus_millis(40),
        value: Value::Total(value),
        quality: Quality::Good,
        origin: Origin::Modbus,
    }
}

pub(crate) fn gauge(series: &SeriesKey, at_seconds: i64, value: f64) -> Reading {
    Reading { value: Value::Gauge(value), ..total(series, at_seconds, 0) }
}

/// A minute's totals from second 0 on.
pub(crate) fn minutes(series: &SeriesKey, count: i64) -> Vec<Reading> {
    (0..count).map(|i| total(series, i * 60, 1_000 + i)).collect()
}

pub(crate) fn all(store: &Store, series: &SeriesKey) -> Vec<StoredReading> {
    between(store, series, None, None)
}

pub(crate) fn between(
    store: &Store,
    series: &SeriesKey,
    from: Option<i64>,
    to: Option<i64>,
) -> Vec<StoredReading> {
    let mut found = Vec::new();
    let given = store
        .for_each_reading(series, from.map(Instant::from_seconds), to.map(Instant::from_seconds), &mut |r| {
            found.push(*r);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(given, found.len() as u64);
    found
}

pub(crate) fn values(readings: &[StoredReading]) -> Vec<f64> {
    readings.iter().map(|r| r.value.as_f64()).collect()
}

/// A connection of somebody who does not ask the store.
pub(crate) fn stranger(directory: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(directory.join(JOURNAL_FILE)).unwrap()
}

pub(crate) fn note(source: &str) -> ImportNote {
    let mut sha256 = [7; 32];
    for (i, byte) in source.bytes().enumerate() {
        sha256[i % 32] ^= byte;
    }
    ImportNote {
        source_name: source.to_owned(),
        source_sha256: Digest(sha256),
        author: "energy office".to_owned(),
        at: Instant::from_seconds(1_760_000_000),
    }
}

/// Copies the database and its log as they are on disk now: what a machine that stops here would find.
pub(crate) fn as_after_power_cut(directory: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in [JOURNAL_FILE.to_owned(), format!("{JOURNAL_FILE}-wal")] {
        if directory.join(&name).exists() {
            std::fs::copy(directory.join(&name), copy.path().join(&name)).unwrap();
        }
    }
    copy
}
