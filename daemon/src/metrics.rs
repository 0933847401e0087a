//! The daemon's own measurements, in Prometheus text format.
//!
//! Must never: carry a secret, a payload, or a label whose values are unbounded (meters are bounded by the
//! installation file).

use std::collections::BTreeSet;
use std::time::Duration;

use connectors::PollOutcome;
use model::{Instant, MeterId};
use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use store::{Tallies, Tally};

use crate::engines::EngineMetrics;

/// What became of a reading or a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Newly on disk.
    Stored,
    /// Already on disk.
    Duplicate,
    /// Same identity, other value: kept aside.
    Conflicting,
    /// The journal could not take it; nothing was acknowledged.
    Failed,
    /// Outside the plausible range: kept, not used.
    Implausible,
    /// A payload that could not be understood.
    Quarantined,
    /// A retained message: not new.
    Retained,
    /// A message on a topic that no meter has.
    Unclaimed,
    /// The device said that it has no value.
    NoValue,
    /// Lost: the journal refused it for longer than the source could hold it.
    Dropped,
}

impl Outcome {
    const fn label(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Conflicting => "conflicting",
            Self::Failed => "failed",
            Self::Implausible => "implausible",
            Self::Quarantined => "quarantined",
            Self::Retained => "retained",
            Self::Unclaimed => "unclaimed",
            Self::NoValue => "no_value",
            Self::Dropped => "dropped",
        }
    }
}

/// All metrics of one daemon.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    readings: IntCounterVec,
    commit_seconds: Histogram,
    queue: IntGauge,
    age: GaugeVec,
    polls: IntCounterVec,
    poll_seconds: HistogramVec,
    sessions: IntCounterVec,
    up: IntGaugeVec,
    pub(crate) engines: EngineMetrics,
    /// The loss budget of the current month, one gauge a word.
    losses: Vec<(Tally, IntGaugeVec)>,
}

impl Metrics {
    /// Registers everything; fails only on a name used twice.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let metrics = Self {
            readings: IntCounterVec::new(
                Opts::new("consuntivo_readings_total", "Readings and payloads by source and outcome"),
                &["source", "outcome"],
            )?,
            commit_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "consuntivo_commit_seconds",
                    "Time of one commit of the journal, until on disk",
                )
                .buckets(vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0]),
            )?,
            queue: IntGauge::new(
                "consuntivo_queue_readings",
                "Readings accepted and waiting for the next commit",
            )?,
            age: GaugeVec::new(
                Opts::new("consuntivo_last_reading_age_seconds", "Age of the newest reading of each meter"),
                &["meter"],
            )?,
            polls: IntCounterVec::new(
                Opts::new("consuntivo_polls_total", "Sweeps of a meter by outcome"),
                &["meter", "outcome"],
            )?,
            poll_seconds: HistogramVec::new(
                HistogramOpts::new("consuntivo_poll_seconds", "Duration of one sweep of a meter")
                    .buckets(vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0]),
                &["meter"],
            )?,
            sessions: IntCounterVec::new(
                Opts::new("consuntivo_sessions_total", "Sessions given up and opened again"),
                &["link"],
            )?,
            engines: EngineMetrics::new(&registry)?,
            losses: losses()?,
            up: IntGaugeVec::new(Opts::new("consuntivo_link_up", "1 while a link works, else 0"), &["link"])?,
            registry,
        };
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.readings.clone()))?;
        registry.register(Box::new(metrics.commit_seconds.clone()))?;
        registry.register(Box::new(metrics.queue.clone()))?;
        registry.register(Box::new(metrics.age.clone()))?;
        registry.register(Box::new(metrics.polls.clone()))?;
        registry.register(Box::new(metrics.poll_seconds.clone()))?;
        registry.register(Box::new(metrics.sessions.clone()))?;
        registry.register(Box::new(metrics.up.clone()))?;
        for (_, gauge) in &metrics.losses {
            registry.register(Box::new(gauge.clone()))?;
        }
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    pub(crate) fn readings(&self, source: &str, outcome: Outcome, count: u64) {
        if 0 < count {
            self.readings.with_label_values(&[source, outcome.label()]).inc_by(count);
        }
    }

    pub(crate) fn commit(&self, took: Duration, queue_depth: u64) {
        self.commit_seconds.observe(took.as_secs_f64());
        self.queue.set(i64::try_from(queue_depth).unwrap_or(i64::MAX));
    }

    pub(crate) fn poll(&self, meter: &MeterId, outcome: &str, took: Duration) {
        self.polls.with_label_values(&[meter.as_str(), outcome]).inc();
        self.poll_seconds.with_label_values(&[meter.as_str()]).observe(took.as_secs_f64());
    }

    pub(crate) fn session(&self, link: &str) {
        self.sessions.with_label_values(&[link]).inc();
    }

    pub(crate) fn link(&self, link: &str, up: bool) {
        self.up.with_label_values(&[link]).set(i64::from(up));
    }

    /// Takes the samples of a meter that is read no more out of the text.
    pub(crate) fn forget_meter(&self, meter: &MeterId) {
        let meter = meter.as_str();
        // An error means that there was no such sample.
        self.age.remove_label_values(&[meter]).ok();
        self.poll_seconds.remove_label_values(&[meter]).ok();
        for outcome in [PollOutcome::Complete, PollOutcome::Partial, PollOutcome::Failed] {
            self.polls.remove_label_values(&[meter, outcome.code()]).ok();
        }
        for (_, gauge) in &self.losses {
            gauge.remove_label_values(&[meter]).ok();
        }
    }

    /// The same of a link.
    pub(crate) fn forget_link(&self, link: &str) {
        self.sessions.remove_label_values(&[link]).ok();
        self.up.remove_label_values(&[link]).ok();
    }

    /// The text of `/metrics`; ages are those at `now`, `losses` those of the current month.
    pub(crate) fn text(
        &self,
        now: Instant,
        last: &[(MeterId, Option<Instant>)],
        losses: &Tallies,
        queue_depth: u64,
    ) -> String {
        let known: BTreeSet<&MeterId> = last.iter().map(|(meter, _)| meter).collect();
        for (tally, gauge) in &self.losses {
            for meter in &known {
                gauge.with_label_values(&[meter.as_str()]).set(0);
            }
            for ((meter, _, what), count) in losses {
                if what == tally && known.contains(meter) {
                    gauge.with_label_values(&[meter.as_str()]).set(i64::try_from(*count).unwrap_or(i64::MAX));
                }
            }
        }
        for (meter, at) in last {
            // A meter never read is infinitely old, so that an alert on the age fires for it too.
            let age = at.map_or(f64::INFINITY, |at| now.seconds_since(at));
            self.age.with_label_values(&[meter.as_str()]).set(age);
        }
        self.queue.set(i64::try_from(queue_depth).unwrap_or(i64::MAX));
        let mut bytes = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut bytes) {
            // The encoder writes Rust's `inf` where the format says `+Inf`.
            Ok(()) => String::from_utf8_lossy(&bytes).replace(" inf\n", " +Inf\n"),
            Err(error) => {
                tracing::warn!(%error, "metrics could not be written as text");
                String::new()
            }
        }
    }
}

/// Gauges and not counters: they begin again with each civil month.
fn losses() -> Result<Vec<(Tally, IntGaugeVec)>, prometheus::Error> {
    let gauge = |tally: Tally| {
        let help = match tally {
            Tally::Expected => "Readings that the meter's period asks for in this civil month so far",
            Tally::Received => "Of them, newly in the journal and usable, late ones included",
            Tally::Late => "Of those received, long after their time or after a later one",
            Tally::Refused => "Readings kept aside: implausible, or another value of the same instant",
            Tally::Quarantined => "Payloads of the meter that could not be understood",
            Tally::NoValue => "Values of any channel that the meter said it does not have",
            Tally::Dropped => "Readings of any channel lost because the journal refused them for too long",
        };
        let name = format!("consuntivo_meter_{}_readings", tally.code());
        Ok((tally, IntGaugeVec::new(Opts::new(name, help), &["meter"])?))
    };
    Tally::ALL.into_iter().map(gauge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_every_metric() {
        let metrics = Metrics::new().unwrap();
        let meter = MeterId::new("m1").unwrap();
        metrics.readings("modbus", Outcome::Stored, 3);
        metrics.commit(Duration::from_millis(2), 7);
        metrics.poll(&meter, "ok", Duration::from_millis(30));
        metrics.session("quadro");
        metrics.link("quadro", true);
        let silent = MeterId::new("m2").unwrap();
        let month = model::Month { year: 1970, number: 1 };
        let text = metrics.text(
            Instant::from_seconds(100),
            &[(meter, Some(Instant::from_seconds(40))), (silent, None)],
            &Tallies::from([((MeterId::new("m1").unwrap(), month, Tally::Late), 5)]),
            7,
        );
        for line in [
            "consuntivo_readings_total{outcome=\"stored\",source=\"modbus\"} 3",
            "consuntivo_commit_seconds_count 1",
            "consuntivo_queue_readings 7",
            "consuntivo_last_reading_age_seconds{meter=\"m1\"} 60",
            "consuntivo_polls_total{meter=\"m1\",outcome=\"ok\"} 1",
            "consuntivo_poll_seconds_count{meter=\"m1\"} 1",
            "consuntivo_sessions_total{link=\"quadro\"} 1",
            "consuntivo_link_up{link=\"quadro\"} 1",
            "consuntivo_last_reading_age_seconds{meter=\"m2\"} +Inf",
            "consuntivo_meter_late_readings{meter=\"m1\"} 5",
            "consuntivo_meter_late_readings{meter=\"m2\"} 0",
            "consuntivo_meter_expected_readings{meter=\"m1\"} 0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
