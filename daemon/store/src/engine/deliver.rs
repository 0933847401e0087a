//! From the journal's outbox to an engine: at least once, in order of each series, until the engine has it.
//!
//! A window of the outbox is written, looked at where the engine may have dropped it in silence, and only then
//! accepted. What the engine will never take is kept aside with the reason first. Everything may be done twice: a
//! crash, a lost answer or a repeated window leaves the engine as it was.
//!
//! Must never: accept what the engine has not, drop what it refuses, or ask the journal for more than a window.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use model::{Reading, SeriesKey};

use super::backoff::Backoff;
use super::error::{EngineError, Retry};
use super::readings::Readings;
use super::rewrite::{named, rewrite, without};
use super::{BoxFuture, Engine, EngineSeries};
use crate::StoreError;

/// Readings that wait for an engine, in the order in which the journal took them.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxBatch {
    /// Grows from batch to batch.
    pub seq: i64,
    pub readings: Vec<Reading>,
}

/// What the journal keeps for one engine until it is accepted.
pub trait Outbox: Send + Sync {
    /// The oldest batches that are not accepted, of at most about so many readings and at least one batch where there
    /// is any. Blocks on the disk.
    ///
    /// # Errors
    /// The store's own.
    fn waiting(&self, readings_max: usize) -> Result<Vec<OutboxBatch>, StoreError>;

    /// Everything up to `seq` is with the engine; answers when that is on disk.
    fn accepted(&self, seq: i64) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Who keeps what an engine refuses, and is told how delivery goes.
pub trait Keeper: Send + Sync {
    /// Keeps readings that the engine will never take, each with the reason; answers when they are on disk.
    fn refused(&self, readings: Vec<(Reading, String)>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The engine holds other values than the journal of these series: they are to be written again. Answers when that
    /// is remembered.
    fn differing(&self, series: BTreeSet<SeriesKey>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// A series that is to be written again, if there is one.
    fn next_rewrite(&self) -> BoxFuture<'_, Result<Option<SeriesKey>, StoreError>>;

    /// The series was written again; answers when that is remembered.
    fn rewritten(&self, series: SeriesKey) -> BoxFuture<'_, Result<(), StoreError>>;

    fn told(&self, event: DeliveryEvent<'_>);
}

/// How delivery goes.
#[derive(Debug)]
pub enum DeliveryEvent<'a> {
    /// So many readings are now with the engine, and so many of them it refused.
    Delivered { readings: u64, refused: u64 },
    /// A series of so many readings was written again, and so many of them it refused.
    Rewritten { series: &'a SeriesKey, readings: u64, refused: u64 },
    /// Nothing waits.
    Idle,
    /// A window was not delivered and is tried again after the wait.
    Failed { error: &'a EngineError, wait: Duration },
}

/// How delivery goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryOptions {
    /// Most readings of one window: what is held in memory, and what is sent again after a failure.
    pub window_readings_max: usize,
    /// How often the outbox is looked at while it is empty.
    pub look_every: Duration,
    /// Longest wait after failures that pass by themselves.
    pub backoff_max: Duration,
    /// The wait after failures that a person must put right.
    pub hold: Duration,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            window_readings_max: 40_000,
            look_every: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
            hold: Duration::from_secs(60),
        }
    }
}

/// Everything that delivery works with.
#[derive(Clone)]
pub struct Delivery {
    pub engine: Arc<dyn Engine>,
    pub installation: String,
    pub outbox: Arc<dyn Outbox>,
    /// From where series are written again.
    pub source: Arc<dyn Readings>,
    pub keeper: Arc<dyn Keeper>,
    pub options: DeliveryOptions,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("engine", &self.engine).finish_non_exhaustive()
    }
}

/// Delivers until `stopped` resolves. To be cut short loses nothing.
pub async fn deliver(delivery: Delivery, stopped: impl Future<Output = ()> + Send) {
    tokio::select! {
        () = stopped => {}
        () = for_ever(&delivery) => {}
    }
}

async fn for_ever(delivery: &Delivery) {
    let options = delivery.options;
    let mut backoff = Backoff::new(options.backoff_max);
    loop {
        match delivery.step().await {
            Ok(0) => {
                backoff.reset();
                delivery.keeper.told(DeliveryEvent::Idle);
                tokio::time::sleep(options.look_every).await;
            }
            Ok(_) => backoff.reset(),
            Err(error) => {
                let wait = match error.retry() {
                    Retry::Later(asked) => backoff.fail(asked),
                    Retry::Hold | Retry::Isolate | Retry::Smaller => backoff.fail(Some(options.hold)),
                };
                delivery.keeper.told(DeliveryEvent::Failed { error: &error, wait });
                tokio::time::sleep(wait).await;
            }
        }
    }
}

impl Delivery {
    /// Writes one series again where that is wanted, else delivers one window; returns how many readings it had.
    ///
    /// One after the other: what is journalled while a series is written again is delivered after it, so that the
    /// series' deletion cannot take it away.
    async fn step(&self) -> Result<u64, EngineError> {
        let Some(key) = self.keeper.next_rewrite().await? else { return self.window().await };
        let series = EngineSeries { installation: self.installation.clone(), key: key.clone() };
        let (readings, refused) = rewrite(&*self.engine, &series, Arc::clone(&self.source)).await?;
        let count = refused.len() as u64;
        if !refused.is_empty() {
            self.keeper.refused(refused).await?;
        }
        self.keeper.rewritten(key.clone()).await?;
        self.keeper.told(DeliveryEvent::Rewritten { series: &key, readings, refused: count });
        Ok(readings.max(1))
    }

    /// Delivers one window; returns how many readings it had.
    async fn window(&self) -> Result<u64, EngineError> {
        let (outbox, most) = (Arc::clone(&self.outbox), self.options.window_readings_max);
        let batches = tokio::task::spawn_blocking(move || outbox.waiting(most)).await??;
        let Some(seq) = batches.last().map(|batch| batch.seq) else { return Ok(0) };
        let readings: Vec<Reading> = batches.into_iter().flat_map(|batch| batch.readings).collect();
        let refused = self.write(&readings).await?;
        let count = refused.len() as u64;
        if !refused.is_empty() {
            self.keeper.refused(refused).await?;
        }
        self.outbox.accepted(seq).await?;
        let delivered = readings.len() as u64;
        self.keeper.told(DeliveryEvent::Delivered { readings: delivered, refused: count });
        // Batches may be empty of readings and still stand in the way.
        Ok(delivered.max(1))
    }

    /// Writes readings, and looks at them where that is needed; those that are never taken come back.
    async fn write(&self, readings: &[Reading]) -> Result<Vec<(Reading, String)>, EngineError> {
        let limits = self.engine.limits();
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for part in readings.chunks(limits.write_readings_max.max(1)) {
            let not_taken = self.engine.write(&self.installation, part).await?;
            if limits.drops_silently {
                taken.extend(without(part, &not_taken));
            }
            refused.extend(named(part, not_taken));
        }
        if !limits.drops_silently {
            return Ok(refused);
        }
        let unconfirmed = self.engine.confirm(&self.installation, &taken).await?;
        let (differing, absent): (Vec<_>, Vec<_>) = unconfirmed.into_iter().partition(|u| u.differs);
        let series: BTreeSet<SeriesKey> =
            differing.iter().filter_map(|u| Some(taken.get(u.refused.index)?.series.clone())).collect();
        if !series.is_empty() {
            self.keeper.differing(series).await?;
        }
        refused.extend(named(&taken, absent.into_iter().map(|u| u.refused).collect()));
        Ok(refused)
    }
}
