//! An engine in memory, with faults on demand: the reference of the suite and the other end of delivery.
//!
//! Must never: be used outside tests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use model::{Instant, Origin, Reading, Value};
use store::engine::{
    BoxFuture, Engine, EngineError, EngineSeries, Health, Limits, ReadBack, Refused, Unconfirmed,
};

/// What happens to one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Nothing is taken.
    Before,
    /// Everything is taken, and the answer is lost.
    After,
    /// So many readings are taken, and the answer is lost.
    Half,
    Forbidden,
    Busy(u64),
}

type Held = BTreeMap<EngineSeries, BTreeMap<(Instant, Origin), Reading>>;

/// Holds readings, the last value of an identity.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    held: Mutex<Held>,
    /// What happens to the next writes; none when empty.
    pub(crate) faults: Mutex<VecDeque<Fault>>,
    /// Writes that came, with their number of readings.
    pub(crate) writes: Mutex<Vec<usize>>,
    /// Readings in the order in which they were first taken.
    pub(crate) first: Mutex<Vec<Reading>>,
    /// While somebody holds this for writing, writes wait.
    pub(crate) hold: Arc<tokio::sync::RwLock<()>>,
    /// Meters whose readings are refused.
    pub(crate) refuses: Mutex<BTreeSet<String>>,
}

impl Memory {
    pub(crate) fn with_faults(faults: impl IntoIterator<Item = Fault>) -> Self {
        let memory = Self::default();
        memory.faults.lock().unwrap().extend(faults);
        memory
    }

    pub(crate) fn count(&self) -> usize {
        self.held.lock().unwrap().values().map(BTreeMap::len).sum()
    }

    fn take(&self, installation: &str, readings: &[Reading]) -> Vec<Refused> {
        let mut held = self.held.lock().unwrap();
        let refuses = self.refuses.lock().unwrap();
        let mut refused = Vec::new();
        for (index, reading) in readings.iter().enumerate() {
            let is_number = !matches!(reading.value, Value::Gauge(gauge) if !gauge.is_finite());
            if !is_number || refuses.contains(reading.series.meter.as_str()) {
                let reason = if is_number { "refused by the test" } else { "the value is not finite" };
                refused.push(Refused { index, reason: reason.to_owned() });
                continue;
            }
            let series = EngineSeries { installation: installation.to_owned(), key: reading.series.clone() };
            let identity = (reading.observed_at, reading.origin);
            if held.entry(series).or_default().insert(identity, reading.clone()).is_none() {
                self.first.lock().unwrap().push(reading.clone());
            }
        }
        refused
    }
}

fn broken() -> EngineError {
    let source = Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    EngineError::Broken { address: "memory".to_owned(), source }
}

impl Engine for Memory {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn limits(&self) -> Limits {
        Limits { write_readings_max: 1_000, deletes: true, drops_silently: false, installations: true }
    }

    fn write<'a>(
        &'a self,
        installation: &'a str,
        readings: &'a [Reading],
    ) -> BoxFuture<'a, Result<Vec<Refused>, EngineError>> {
        Box::pin(async move {
            self.writes.lock().unwrap().push(readings.len());
            drop(self.hold.read().await);
            let fault = self.faults.lock().unwrap().pop_front().unwrap_or(Fault::None);
            let (address, says) = ("memory".to_owned(), String::new());
            match fault {
                Fault::None => Ok(self.take(installation, readings)),
                Fault::Before => Err(broken()),
                Fault::After => {
                    self.take(installation, readings);
                    Err(broken())
                }
                Fault::Half => {
                    self.take(installation, &readings[..readings.len() / 2]);
                    Err(broken())
                }
                Fault::Forbidden => Err(EngineError::Forbidden { address, status: 401, says }),
                Fault::Busy(after_s) => {
                    let after = Some(std::time::Duration::from_secs(after_s));
                    Err(EngineError::Busy { address, status: 429, says, after })
                }
            }
        })
    }

    fn confirm<'a>(
        &'a self,
        _installation: &'a str,
        _readings: &'a [Reading],
    ) -> BoxFuture<'a, Result<Vec<Unconfirmed>, EngineError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn read<'a>(
        &'a self,
        series: &'a EngineSeries,
        from: Instant,
        to: Instant,
    ) -> BoxFuture<'a, Result<ReadBack, EngineError>> {
        Box::pin(async move {
            let held = self.held.lock().unwrap();
            let all = held.get(series).into_iter().flat_map(BTreeMap::values);
            let within = all.filter(|r| from <= r.observed_at && r.observed_at < to);
            Ok(ReadBack { readings: within.cloned().collect(), ..ReadBack::default() })
        })
    }

    fn series<'a>(
        &'a self,
        installation: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<EngineSeries>, EngineError>> {
        Box::pin(async move {
            let held = self.held.lock().unwrap();
            let of = held.keys().filter(|s| installation.is_none_or(|id| id == s.installation));
            Ok(of.cloned().collect())
        })
    }

    fn delete<'a>(&'a self, series: &'a EngineSeries) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            self.held.lock().unwrap().remove(series);
            Ok(())
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<Health, EngineError>> {
        Box::pin(async { Ok(Health::default()) })
    }
}
