//! Readings to write, with every value, phase, quality and origin that is hard on an engine.
//!
//! Must never: make two readings of one identity.

use model::{Channel, Instant, MeterId, Origin, Phase, Quality, Quantity, Reading, SeriesKey, Value};

/// 2025-06-15T14:26:40Z.
pub(crate) const BEGIN_MS: i64 = 1_750_000_000_000;

pub(crate) fn at(millis: i64) -> Instant {
    Instant::from_millis(BEGIN_MS + millis)
}

pub(crate) fn key(meter: &str, quantity: Quantity) -> SeriesKey {
    SeriesKey { meter: MeterId::new(meter).unwrap(), channel: Channel::total(quantity) }
}

/// A good total of a series, received 40 ms after it was observed.
pub(crate) fn total(key: &SeriesKey, millis: i64, value: i64) -> Reading {
    Reading {
        series: key.clone(),
        observed_at: at(millis),
        received_at: at(millis + 40),
        value: Value::Total(value),
        quality: Quality::Good,
        origin: Origin::Modbus,
    }
}

/// A minute's totals of a series.
pub(crate) fn totals(key: &SeriesKey, count: i64) -> Vec<Reading> {
    (0..count).map(|n| total(key, n * 60_000, 1_000 + 7 * n)).collect()
}

/// Everything that is hard, of one meter.
pub(crate) fn hard(meter: &str) -> Vec<Reading> {
    let mut all = Vec::new();
    let totals =
        [0, 1, -1, 1 << 53, (1 << 53) + 1, -(1 << 53) - 1, i64::MAX, i64::MIN, 12_345_678_901_234_567];
    let gauges = [
        0.0,
        -0.0,
        230.1,
        f64::from(230.1_f32),
        f64::from(-0.000_123_4_f32),
        1e-9,
        5e-324,
        0.1 + 0.2,
        999_999.999_999,
        1_234_567.891,
        8.5e11,
        f64::MAX,
        std::f64::consts::PI,
    ];
    let mut push = |quantity, phase, n: usize, value, quality, origin, delay: i64| {
        let channel = Channel { quantity, phase };
        let series = SeriesKey { meter: MeterId::new(meter).unwrap(), channel };
        // Milliseconds apart, as two sources of one meter can be.
        let observed_at = at(n as i64 * 1_001);
        let received_at = observed_at.plus_millis(delay);
        all.push(Reading { series, observed_at, received_at, value, quality, origin });
    };
    for (n, total) in totals.into_iter().enumerate() {
        for origin in Origin::ALL {
            let quality = Quality::ALL[n % Quality::ALL.len()];
            push(Quantity::HeatEnergy, Phase::Tariff2, n, Value::Total(total), quality, origin, n as i64);
        }
    }
    for (n, gauge) in gauges.into_iter().enumerate() {
        for phase in Phase::ALL {
            let delay = if n % 2 == 0 { 0 } else { -86_400_000 };
            push(Quantity::Voltage, phase, n, Value::Gauge(gauge), Quality::Good, Origin::Mqtt, delay);
        }
    }
    all
}
