//! What the child appends: a function of the seed and the operation's number, so that the parent knows it too.
//!
//! Must never: depend on anything else.

use model::{Channel, Instant, MeterId, Month, Origin, Phase, Quality, Quantity, Reading, SeriesKey, Value};
use store::{Counted, StoreOptions};

use crate::random::Random;

/// Seconds of what this workload archives as a month.
pub const MONTH_SECONDS: i64 = 3_000;
/// The month that all counted readings are counted in.
pub const COUNTED: Month = Month { year: 2026, number: 1 };

/// The gauge that is thinned: read once an operation, never late.
pub const THINNED: Quantity = Quantity::Frequency;
/// Of so many milliseconds one of its readings stays.
pub const THINNED_MS: i64 = 600_000;
/// The kind of the records that name documents.
pub const DOCUMENT: &str = "document";

/// Up to where an operation thins: the beginning of its month.
#[must_use]
pub fn thinned_before(operation: u64) -> Instant {
    let seconds = operation as i64 * 60;
    Instant::from_seconds(seconds - seconds.rem_euclid(MONTH_SECONDS))
}

/// The document of an operation: some longer than what is written at once.
#[must_use]
pub fn document(operation: u64) -> Vec<u8> {
    let mut random = Random::of(operation ^ 0x00D0_C5ED);
    let bytes = random.between(0, 20_000) as usize;
    (0..bytes).map(|_| random.between(0, 256) as u8).collect()
}

/// Small limits, so that a few operations fold, write the log back and merge.
#[must_use]
pub fn options() -> StoreOptions {
    StoreOptions {
        recent_readings_max: 64,
        wal_bytes_soft: 1 << 16,
        wal_bytes_hard: 1 << 18,
        reader_connections_max: 2,
        ..StoreOptions::default()
    }
}

/// The series of the workload: two meters with a total and a gauge each.
///
/// # Panics
/// Never: the names are ids.
#[must_use]
pub fn series() -> Vec<SeriesKey> {
    let channels = [
        Channel::total(Quantity::ActiveEnergyImport),
        Channel { quantity: Quantity::Voltage, phase: Phase::L1 },
    ];
    let meters = ["first", "second"].map(|name| MeterId::new(name).expect("an id"));
    meters
        .iter()
        .flat_map(|meter| channels.map(|channel| SeriesKey { meter: meter.clone(), channel }))
        .collect()
}

/// The readings of an operation, most of them at its own time, some late, some there already, some in conflict.
#[must_use]
pub fn readings(seed: u64, operation: u64) -> Vec<Reading> {
    let mut random = Random::of(seed ^ operation.wrapping_mul(0xA076_1D64_78BD_642F));
    let series = series();
    let now = operation as i64 * 60;
    let count = random.between(1, 12);
    let mut made = Vec::new();
    for _ in 0..count {
        let key = &series[random.between(0, series.len() as u64) as usize];
        let late = random.between(0, 5) == 0;
        let second = if late { random.between(0, operation + 1) as i64 * 60 } else { now };
        // A late value is nearly always the one that was due then.
        let wrong = i64::from(random.between(0, 20) == 0);
        let number = second * 7 + wrong;
        let value = if key.channel.quantity == Quantity::Voltage {
            Value::Gauge(230.0 + (number % 100) as f64 / 10.0)
        } else {
            Value::Total(number)
        };
        let observed_at = Instant::from_seconds(second);
        made.push(Reading {
            series: key.clone(),
            observed_at,
            received_at: observed_at.plus_millis(random.between(0, 90) as i64),
            value,
            quality: Quality::Good,
            origin: if random.between(0, 8) == 0 { Origin::Mqtt } else { Origin::Modbus },
        });
    }
    let observed_at = Instant::from_seconds(now);
    made.push(Reading {
        series: thinned(),
        observed_at,
        received_at: observed_at,
        value: Value::Gauge(50.0 + (operation % 7) as f64 / 100.0),
        quality: Quality::Good,
        origin: Origin::Modbus,
    });
    made
}

/// The series that is thinned.
///
/// # Panics
/// Never: the name is an id.
#[must_use]
pub fn thinned() -> SeriesKey {
    let channel = Channel { quantity: THINNED, phase: Phase::Total };
    SeriesKey { meter: MeterId::new("first").expect("an id"), channel }
}

/// How each reading of an operation is counted.
#[must_use]
pub fn counted(readings: &[Reading]) -> Vec<Option<Counted>> {
    readings.iter().map(|_| Some(Counted { month: COUNTED, late: false, usable: true })).collect()
}
