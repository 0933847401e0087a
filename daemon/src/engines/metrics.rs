//! What delivery to engines looks like from outside.
//!
//! Must never: have a label whose values are unbounded; engines are bounded by the installation file.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

/// One series of each for every engine.
#[derive(Debug)]
pub(crate) struct EngineMetrics {
    delivered: IntCounterVec,
    refused: IntCounterVec,
    failures: IntCounterVec,
    waiting_readings: IntGaugeVec,
    waiting_bytes: IntGaugeVec,
    waiting_seconds: IntGaugeVec,
}

impl EngineMetrics {
    /// Registers everything; fails only on a name used twice.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name, help, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name, help| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), &["engine"])?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(Self {
            delivered: counter(
                "consuntivo_engine_delivered_readings_total",
                "Readings that an engine has, the refused ones among them; after a failure some count twice",
                &["engine"],
            )?,
            refused: counter(
                "consuntivo_engine_refused_readings_total",
                "Readings that an engine will never take; they stay in the journal",
                &["engine"],
            )?,
            failures: counter(
                "consuntivo_engine_failures_total",
                "Deliveries that failed and are tried again, by the code of their finding",
                &["engine", "code"],
            )?,
            waiting_readings: gauge(
                "consuntivo_engine_waiting_readings",
                "Readings that the journal keeps for an engine until it has them",
            )?,
            waiting_bytes: gauge(
                "consuntivo_engine_waiting_bytes",
                "Bytes on disk of the readings that wait",
            )?,
            waiting_seconds: gauge(
                "consuntivo_engine_waiting_seconds",
                "Since when the oldest of the readings that wait has been waiting",
            )?,
        })
    }

    pub(super) fn delivered(&self, engine: &str, readings: u64, refused: u64) {
        self.delivered.with_label_values(&[engine]).inc_by(readings);
        self.refused.with_label_values(&[engine]).inc_by(refused);
    }

    pub(super) fn failed(&self, engine: &str, code: &str) {
        self.failures.with_label_values(&[engine, code]).inc();
    }

    pub(super) fn waiting(&self, engine: &str, readings: u64, bytes: u64, seconds: i64) {
        let gauge = |gauge: &IntGaugeVec, value| gauge.with_label_values(&[engine]).set(value);
        gauge(&self.waiting_readings, i64::try_from(readings).unwrap_or(i64::MAX));
        gauge(&self.waiting_bytes, i64::try_from(bytes).unwrap_or(i64::MAX));
        gauge(&self.waiting_seconds, seconds);
    }
}
