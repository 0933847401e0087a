//! A month written and read back, bit for bit, and the bytes it takes.
//!
//! Must never: depend on a clock.

use model::{Channel, Instant, MeterId, Origin, Phase, Quality, Quantity, SeriesKey, Value};
use proptest::prelude::*;

use super::read::ArchiveFile;
use super::write::ArchiveWriter;
use crate::reader::StoredReading;

fn key(meter: &str, quantity: Quantity, phase: Phase) -> SeriesKey {
    SeriesKey { meter: MeterId::new(meter).unwrap(), channel: Channel { quantity, phase } }
}

fn reading(at_ms: i64, value: Value) -> StoredReading {
    StoredReading {
        observed_at: Instant::from_millis(at_ms),
        received_at: Instant::from_millis(at_ms + 40),
        value,
        quality: Quality::Good,
        origin: Origin::Modbus,
    }
}

fn back(file: &ArchiveFile, key: &SeriesKey) -> Vec<StoredReading> {
    let mut all = Vec::new();
    for group in file.groups(key) {
        let mut rows = file.rows(group).unwrap();
        while rows.next(&mut all).unwrap() {}
    }
    all
}

/// The last reading of the series' last row group, alone.
fn last(file: &ArchiveFile, key: &SeriesKey) -> Option<StoredReading> {
    let mut rows = file.rows(file.groups(key).next_back()?).unwrap();
    rows.skip_to_last().unwrap();
    let mut found = Vec::new();
    while rows.next(&mut found).unwrap() {}
    assert_eq!(found.len(), 1);
    found.pop()
}

/// A small generator of even numbers: the same stream on every machine.
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Roughly normal with mean 0 and deviation 1: the sum of twelve even numbers.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next() as f64 / f64::from(1_u32 << 31)).sum::<f64>() - 6.0
    }
}

#[test]
fn a_month_takes_about_a_byte_a_reading() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("2025-01.parquet");
    let mut stream = Stream(7);
    let mut writer = ArchiveWriter::create(&place).unwrap();
    let mut all = Vec::new();
    let gauges = [Phase::L1, Phase::L2, Phase::L3].map(|p| (Quantity::Voltage, p));
    let totals = [(Quantity::ActiveEnergyImport, Phase::Total)];
    for (quantity, phase) in totals.into_iter().chain(gauges) {
        let mut total = 5_000_000;
        let readings: Vec<StoredReading> = (0..43_200)
            .map(|minute| {
                total += 10 * (stream.next() % 3) as i64;
                let value = match phase {
                    Phase::Total => Value::Total(total),
                    _ => Value::Gauge(((230.0 + 5.0 * stream.normal()) * 10.0).round() / 10.0),
                };
                reading(1_735_686_000_000 + minute * 60_000, value)
            })
            .collect();
        let key = key("m1", quantity, phase);
        writer.series(&key, &readings).unwrap();
        all.push((key, readings));
    }
    let written = writer.finish().unwrap();
    assert_eq!(written.bytes, std::fs::metadata(&place).unwrap().len());
    let per_reading = written.bytes as f64 / written.readings as f64;
    println!("{per_reading} bytes a reading");
    assert!(per_reading < 1.2, "{per_reading} bytes a reading");
    let file = ArchiveFile::open(&place).unwrap();
    assert_eq!(file.series(), all.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>());
    for (key, readings) in &all {
        assert_eq!(back(&file, key), *readings);
        assert_eq!(last(&file, key), readings.last().copied());
    }
    assert!(file.groups(&self::key("m2", Quantity::Voltage, Phase::L1)).is_empty());
}

#[test]
fn a_file_that_is_there_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("2025-01.parquet");
    std::fs::write(&place, "other").unwrap();
    let mut writer = ArchiveWriter::create(&place).unwrap();
    let key = key("m1", Quantity::ActiveEnergyImport, Phase::Total);
    writer.series(&key, &[reading(0, Value::Total(1))]).unwrap();
    assert_eq!(writer.finish().unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&place).unwrap(), b"other");
}

fn any_reading(is_total: bool) -> impl Strategy<Value = StoredReading> {
    let value = if is_total {
        any::<i64>().prop_map(Value::Total).boxed()
    } else {
        let finite = any::<f64>().prop_filter("finite", |v| v.is_finite());
        prop_oneof![finite, (-10_000_i64..10_000).prop_map(|v| v as f64 / 10.0)]
            .prop_map(Value::Gauge)
            .boxed()
    };
    let quality = prop::sample::select(Quality::ALL.to_vec());
    let origin = prop::sample::select(Origin::ALL.to_vec());
    (value, quality, origin, -100_000_i64..100_000).prop_map(|(value, quality, origin, delay)| {
        StoredReading {
            observed_at: Instant::from_millis(0),
            received_at: Instant::from_millis(delay),
            value,
            quality,
            origin,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_written_is_read(
        totals in prop::collection::vec((any_reading(true), 0_i64..100_000), 1..300),
        gauges in prop::collection::vec((any_reading(false), 0_i64..100_000), 1..300),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("month.parquet");
        let placed = |readings: Vec<(StoredReading, i64)>| {
            let mut at = 1_735_686_000_000;
            readings.into_iter().map(|(reading, step)| {
                at += step;
                let delay = reading.received_at.millis();
                StoredReading {
                    observed_at: Instant::from_millis(at),
                    received_at: Instant::from_millis(at + delay),
                    ..reading
                }
            }).collect::<Vec<_>>()
        };
        let totals = (key("a", Quantity::HeatEnergy, Phase::Total), placed(totals));
        let gauges = (key("b", Quantity::ActivePower, Phase::L1), placed(gauges));
        let mut writer = ArchiveWriter::create(&place).unwrap();
        for (key, readings) in [&totals, &gauges] {
            writer.series(key, readings).unwrap();
        }
        writer.finish().unwrap();
        let file = ArchiveFile::open(&place).unwrap();
        for (key, readings) in [&totals, &gauges] {
            prop_assert_eq!(&back(&file, key), readings);
            prop_assert_eq!(last(&file, key), readings.last().copied());
        }
    }
}
