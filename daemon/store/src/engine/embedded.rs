//! The journal as an engine: what the others are measured by.
//!
//! Must never: delete a reading.

use std::ops::ControlFlow;

use model::{Instant, Reading};

use super::error::EngineError;
use super::{BoxFuture, Engine, EngineSeries, Health, Limits, ReadBack, Refused, Unconfirmed};
use crate::Store;

/// The store of one installation.
#[derive(Debug, Clone)]
pub struct Embedded {
    store: Store,
    installation: String,
}

impl Embedded {
    #[must_use]
    pub fn new(store: Store, installation: impl Into<String>) -> Self {
        Self { store, installation: installation.into() }
    }

    /// Runs what blocks on the disk beside the runtime.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(Store) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || work(store)).await?
    }
}

impl Engine for Embedded {
    fn kind(&self) -> &'static str {
        "embedded"
    }

    fn limits(&self) -> Limits {
        Limits { write_readings_max: 32_768, deletes: false, drops_silently: false, installations: false }
    }

    fn write<'a>(
        &'a self,
        installation: &'a str,
        readings: &'a [Reading],
    ) -> BoxFuture<'a, Result<Vec<Refused>, EngineError>> {
        Box::pin(async move {
            if installation != self.installation {
                return Err(EngineError::Unable { attempt: "keep readings of another installation" });
            }
            let is_fit = |r: &Reading| match r.value {
                model::Value::Gauge(gauge) => gauge.is_finite(),
                model::Value::Total(_) => true,
            };
            let refused: Vec<Refused> = readings
                .iter()
                .enumerate()
                .filter(|(_, r)| !is_fit(r))
                .map(|(index, _)| Refused { index, reason: "the value is not finite".to_owned() })
                .collect();
            let fit = readings.iter().filter(|r| is_fit(r)).cloned().collect();
            self.store.append(fit).await?;
            Ok(refused)
        })
    }

    fn confirm<'a>(
        &'a self,
        _installation: &'a str,
        _readings: &'a [Reading],
    ) -> BoxFuture<'a, Result<Vec<Unconfirmed>, EngineError>> {
        // Its receipt is the confirmation.
        Box::pin(async { Ok(Vec::new()) })
    }

    fn read<'a>(
        &'a self,
        series: &'a EngineSeries,
        from: Instant,
        to: Instant,
    ) -> BoxFuture<'a, Result<ReadBack, EngineError>> {
        Box::pin(async move {
            if series.installation != self.installation {
                return Ok(ReadBack::default());
            }
            let key = series.key.clone();
            self.blocking(move |store| {
                let mut back = ReadBack::default();
                store.for_each_reading(&key, Some(from), Some(to), &mut |stored| {
                    back.readings.push(Reading {
                        series: key.clone(),
                        observed_at: stored.observed_at,
                        received_at: stored.received_at,
                        value: stored.value,
                        quality: stored.quality,
                        origin: stored.origin,
                    });
                    ControlFlow::Continue(())
                })?;
                Ok(back)
            })
            .await
        })
    }

    fn series<'a>(
        &'a self,
        installation: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<EngineSeries>, EngineError>> {
        Box::pin(async move {
            if installation.is_some_and(|id| id != self.installation) {
                return Ok(Vec::new());
            }
            let keys = self.blocking(|store| Ok(store.series()?)).await?;
            let of = |key| EngineSeries { installation: self.installation.clone(), key };
            Ok(keys.into_iter().map(of).collect())
        })
    }

    fn delete<'a>(&'a self, _series: &'a EngineSeries) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async { Err(EngineError::Unable { attempt: "delete readings from the journal" }) })
    }

    fn health(&self) -> BoxFuture<'_, Result<Health, EngineError>> {
        Box::pin(async { Ok(Health::default()) })
    }
}
