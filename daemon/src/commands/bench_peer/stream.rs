//! The stream of the comparison: the same numbers at every run and for both sides.
//!
//! Must never: depend on anything but its seed.

use std::fmt::Write as _;

use model::{Channel, Instant, MeterId, Origin, Phase, Quality, Quantity, Reading, SeriesKey, Value};

pub(super) const METERS: usize = 100;
pub(super) const QUANTITIES: usize = 10;
/// Of the ten, so many are cumulative totals; they stand first.
pub(super) const TOTALS: usize = 3;
pub(super) const MINUTES_A_DAY: i64 = 1_440;
/// The first minute: 1 April 2025 in Rome, so that thirty days are a civil month.
const BEGIN_SECONDS: i64 = 1_743_458_400;
/// A unit of the totals: 0.01 kWh in Wh.
const STEP_WH: i64 = 10;

/// Ten values of a hundred meters at one minute.
#[derive(Debug, Clone)]
pub(super) struct Minute {
    pub(super) at: Instant,
    /// In order of meter and quantity; totals in Wh.
    pub(super) values: Vec<Value>,
}

/// Makes minutes.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    random: u64,
    totals: Vec<i64>,
    minute: i64,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            random: 0x5EED,
            totals: (0..METERS * TOTALS).map(|n| 1_000_000 + 7_000 * n as i64).collect(),
            minute: 0,
        }
    }
}

impl Stream {
    /// Splitmix64 (Steele, Lea, Flood 2014).
    fn next_u64(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to and without 1.
    fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal with mean 230 and deviation 5, to one decimal (Box and Muller 1958).
    fn gauge(&mut self) -> f64 {
        let (a, b) = (1.0 - self.uniform(), self.uniform());
        let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        ((230.0 + 5.0 * normal) * 10.0).round() / 10.0
    }

    pub(super) fn next_minute(&mut self) -> Minute {
        let mut values = Vec::with_capacity(METERS * QUANTITIES);
        for meter in 0..METERS {
            for total in 0..TOTALS {
                let steps = i64::try_from(self.next_u64() % 3).unwrap_or_default();
                let index = meter * TOTALS + total;
                if let Some(total) = self.totals.get_mut(index) {
                    *total += steps * STEP_WH;
                    values.push(Value::Total(*total));
                }
            }
            for _ in TOTALS..QUANTITIES {
                values.push(Value::Gauge(self.gauge()));
            }
        }
        let at = Instant::from_seconds(BEGIN_SECONDS + 60 * self.minute);
        self.minute += 1;
        Minute { at, values }
    }

    /// The series in order of meter and quantity.
    pub(super) fn keys() -> Vec<SeriesKey> {
        let channels = [
            (Quantity::ActiveEnergyImport, Phase::Total),
            (Quantity::ActiveEnergyExport, Phase::Total),
            (Quantity::ReactiveEnergyImport, Phase::Total),
            (Quantity::Voltage, Phase::L1),
            (Quantity::Voltage, Phase::L2),
            (Quantity::Voltage, Phase::L3),
            (Quantity::Current, Phase::L1),
            (Quantity::Current, Phase::L2),
            (Quantity::Current, Phase::L3),
            (Quantity::ActivePower, Phase::Total),
        ];
        let of = |meter: usize| {
            let id = MeterId::new(&format!("bench-{meter}")).ok();
            channels.map(|(quantity, phase)| {
                Some(SeriesKey { meter: id.clone()?, channel: Channel { quantity, phase } })
            })
        };
        (0..METERS).flat_map(of).flatten().collect()
    }
}

impl Minute {
    /// One sweep of ten readings for each meter.
    pub(super) fn sweeps(&self, keys: &[SeriesKey]) -> Vec<Vec<Reading>> {
        let of = |(value, key): (&Value, &SeriesKey)| Reading {
            series: key.clone(),
            observed_at: self.at,
            received_at: self.at.plus_millis(40),
            value: *value,
            quality: Quality::Good,
            origin: Origin::Modbus,
        };
        let pairs = self.values.chunks(QUANTITIES).zip(keys.chunks(QUANTITIES));
        pairs.map(|(values, keys)| values.iter().zip(keys).map(of).collect()).collect()
    }

    /// Line protocol as suits the peer best: one line for each meter with ten fields, times in milliseconds.
    pub(super) fn lines(&self, into: &mut String) {
        for (meter, values) in self.values.chunks(QUANTITIES).enumerate() {
            // Writing to a String does not fail.
            write!(into, "bench,meter=bench-{meter}").ok();
            for (n, value) in values.iter().enumerate() {
                let separator = if n == 0 { ' ' } else { ',' };
                match value {
                    Value::Total(total) => write!(into, "{separator}q{n}={total}i").ok(),
                    Value::Gauge(gauge) => write!(into, "{separator}q{n}={gauge}").ok(),
                };
            }
            writeln!(into, " {}", self.at.millis()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_what_it_is_said_to_be() {
        let mut stream = Stream::default();
        let minutes: Vec<Minute> = (0..500).map(|_| stream.next_minute()).collect();
        let gauges: Vec<f64> = minutes
            .iter()
            .flat_map(|m| &m.values)
            .filter_map(|v| if let Value::Gauge(gauge) = v { Some(*gauge) } else { None })
            .collect();
        assert_eq!(gauges.len(), 500 * METERS * 7);
        let mean = gauges.iter().sum::<f64>() / gauges.len() as f64;
        let variance = gauges.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gauges.len() as f64;
        assert!((mean - 230.0).abs() < 0.05 && (variance.sqrt() - 5.0).abs() < 0.05, "{mean} {variance}");
        let grown: Vec<i64> = minutes
            .windows(2)
            .filter_map(|pair| match (&pair[0].values[0], &pair[1].values[0]) {
                (Value::Total(a), Value::Total(b)) => Some(b - a),
                _ => None,
            })
            .collect();
        assert!(grown.iter().all(|g| [0, 10, 20].contains(g)) && grown.contains(&0) && grown.contains(&20));
        assert_eq!((Stream::keys().len(), minutes[0].sweeps(&Stream::keys()).len()), (1_000, METERS));
        let mut lines = String::new();
        minutes[0].lines(&mut lines);
        assert_eq!(lines.lines().count(), METERS);
        let mut again = Stream::default();
        assert_eq!(again.next_minute().values, minutes[0].values);
    }
}
