//! Delivers the journal to each engine that wants it, and tells how that goes: findings, metrics, what was refused.
//!
//! A new engine gets everything: before it has its place in the outbox, every series is noted as one to write from the
//! journal. The notes are on disk, so that a stop in the middle loses none.
//!
//! Must never: hold up ingestion, or forget a series that is to be written again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use config::EngineSettings;
use connectors::Stop;
use model::{Channel, Finding, Instant, MeterId, Phase, Quantity, Reading, SeriesKey, Severity};
use store::engine::{
    BoxFuture, Delivery, DeliveryEvent, DeliveryOptions, Dialect, Engine, EngineError, FAULTS, Keeper,
    Precision, StoreOutbox, deliver, point_of,
};
use store::{OutboxStatus, Quarantined, Remembered, Store, StoreError};
use tokio::task::JoinSet;

use super::{RULE, finding, make, resolve_failures, subject};
use crate::runtime::Runtime;

/// How often what waits is looked at.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// How often an engine's settings are looked at while it can be reached.
const HEALTH_EVERY: Duration = Duration::from_secs(3_600);
/// How soon again after it could not.
const HEALTH_AGAIN: Duration = Duration::from_secs(60);
/// Most refused readings of one window that are kept one by one; the journal has all of them.
const REFUSED_KEPT_MAX: usize = 200;
/// What waits is told when it is a tenth of the disk's free space, or older than a day.
const WAITING_SHARE: u64 = 10;
const WAITING_SECONDS: i64 = 86_400;
/// The key of the mark that every series is to be written.
const EVERYTHING: &str = "everything";
/// Beginning of the keys under which series to be written again are remembered.
const REWRITE: &str = "rewrite ";

/// Starts the deliveries of an installation. Aborting them loses nothing.
pub(crate) fn start(runtime: &Arc<Runtime>, stop: &Stop) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let installation = runtime.installation();
    for engine in installation.settings.engines.iter().filter(|engine| engine.delivers) {
        let (runtime, engine, stop) = (Arc::clone(runtime), engine.clone(), stop.clone());
        tasks.spawn(run(runtime, engine, stop));
    }
    tasks
}

/// Takes the places of engines away that are no longer in the settings: what waits for them would fill the disk.
/// Blocks on the disk.
pub(crate) fn forget_gone(runtime: &Runtime) {
    let settings = &runtime.installation().settings;
    let known = |name: &String| settings.engines.iter().any(|engine| engine.delivers && engine.id == *name);
    let forgotten = runtime.store.outbox_engines().and_then(|names| {
        names.iter().filter(|name| !known(name)).try_for_each(|name| {
            tracing::warn!(engine = %name, "no engine of the settings any more: nothing waits for it from now on");
            runtime.store.outbox_forget(name).map(|_| ())
        })
    });
    if let Err(error) = forgotten {
        tracing::warn!(%error, "engines that are gone could not be forgotten; what waits for them stays");
    }
}

async fn run(runtime: Arc<Runtime>, settings: EngineSettings, mut stop: Stop) {
    let id = settings.id.clone();
    let prepared = loop {
        match prepare(&runtime, &settings).await {
            Ok(prepared) => break prepared,
            Err(finding) => runtime.report(finding),
        }
        tokio::select! {
            () = tokio::time::sleep(HEALTH_AGAIN) => {}
            () = stop.stopped() => return,
        }
    };
    let (engine, outbox) = prepared;
    let keeper =
        Arc::new(EngineKeeper { runtime: Arc::clone(&runtime), id: id.clone(), refused: AtomicU64::new(0) });
    let delivery = Delivery {
        engine: Arc::clone(&engine),
        installation: runtime.installation().settings.installation.id.clone(),
        outbox: Arc::new(outbox),
        source: Arc::new(runtime.store.clone()),
        keeper,
        options: DeliveryOptions::default(),
    };
    let mut ending = stop.clone();
    tokio::select! {
        () = deliver(delivery, async move { stop.stopped().await }) => {}
        () = watch_health(&runtime, &id, &*engine) => {}
        () = watch_outbox(&runtime, &id) => {}
        () = ending.stopped() => {}
    }
}

/// The engine and its place in the outbox. All series are noted as ones to write while the mark stands that this is to
/// be done: it is put there before a new engine gets its place, and taken away when every note is on disk.
async fn prepare(
    runtime: &Arc<Runtime>,
    settings: &EngineSettings,
) -> Result<(Arc<dyn Engine>, StoreOutbox), Finding> {
    let engine = make(settings).map_err(|error| finding(&settings.id, &error))?;
    let placed = place(runtime, &settings.id).await.map_err(|error| finding(&settings.id, &error))?;
    Ok((engine, placed))
}

async fn place(runtime: &Arc<Runtime>, id: &str) -> Result<StoreOutbox, EngineError> {
    let (link, now) = (memory_of(id), runtime.clock.now());
    let mark = |value: &[u8]| {
        let (link, key) = (link.clone(), EVERYTHING.to_owned());
        runtime.store.remember(Remembered { link, key, value: value.to_vec(), at: now })
    };
    let (store, name, notes) = (runtime.store.clone(), id.to_owned(), link.clone());
    let is_wanted = tokio::task::spawn_blocking(move || {
        let is_marked = store.remembered(&notes)?.iter().any(|note| note.key == EVERYTHING);
        Ok::<_, StoreError>(is_marked || !store.outbox_engines()?.contains(&name))
    });
    let is_wanted = is_wanted.await??;
    if is_wanted {
        mark(b"1").await?;
    }
    let (store, name) = (runtime.store.clone(), id.to_owned());
    let outbox = tokio::task::spawn_blocking(move || StoreOutbox::open(store, &name)).await??;
    if is_wanted {
        let store = runtime.store.clone();
        for key in tokio::task::spawn_blocking(move || store.series()).await?? {
            note_rewrite(&runtime.store, id, &key, now).await?;
        }
        mark(b"").await?;
    }
    Ok(outbox)
}

/// The link under which an engine's notes are remembered.
fn memory_of(engine: &str) -> String {
    format!("engine:{engine}")
}

/// Notes that a series is to be written to an engine from the journal; answers when that is on disk.
pub(crate) async fn note_rewrite(
    store: &Store,
    engine: &str,
    key: &SeriesKey,
    at: Instant,
) -> Result<(), StoreError> {
    let value = b"1".to_vec();
    store.remember(Remembered { link: memory_of(engine), key: rewrite_key(key), value, at }).await
}

fn rewrite_key(key: &SeriesKey) -> String {
    // Each part is an id or a code: none of them holds a space.
    format!("{REWRITE}{} {} {}", key.meter, key.channel.quantity.code(), key.channel.phase.code())
}

fn series_of(key: &str) -> Option<SeriesKey> {
    let mut parts = key.strip_prefix(REWRITE)?.split(' ');
    let (meter, quantity, phase) = (parts.next()?, parts.next()?, parts.next()?);
    let channel = Channel { quantity: Quantity::parse(quantity)?, phase: Phase::parse(phase)? };
    Some(SeriesKey { meter: MeterId::new(meter).ok()?, channel })
}

/// Looks at the engine's own settings now and then.
async fn watch_health(runtime: &Runtime, id: &str, engine: &dyn Engine) {
    loop {
        let wait = match engine.health().await {
            Ok(health) => {
                for kind in FAULTS {
                    runtime.resolve(&format!("{} {kind}", subject(id)), Some("engine.setting"));
                }
                for fault in &health.faults {
                    let severity = if fault.is_grave { Severity::Caution } else { Severity::Note };
                    let of = format!("{} {}", subject(id), fault.kind);
                    runtime.report(
                        Finding::new("engine.setting", severity, of, fault.says.clone(), RULE)
                            .with("engine", id)
                            .with("error", &fault.says),
                    );
                }
                HEALTH_EVERY
            }
            Err(error) => {
                // Delivery tells of it; here it is only a reason to look again.
                tracing::debug!(engine = id, %error, "the engine's settings cannot be seen");
                HEALTH_AGAIN
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Tells how much waits, long before the disk is full.
async fn watch_outbox(runtime: &Arc<Runtime>, id: &str) {
    loop {
        let (store, name) = (runtime.store.clone(), id.to_owned());
        let folder = runtime.installation().settings.installation.data_dir.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let free = rustix::fs::statvfs(&folder).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
            (store.outbox_status(&name), free.unwrap_or(u64::MAX))
        });
        if let Ok((Ok(Some(status)), free)) = looked.await {
            let now = runtime.clock.now();
            let age = status.oldest.map_or(0, |oldest| (now.millis() - oldest.millis()).max(0) / 1_000);
            runtime.metrics.engines.waiting(id, status.pending_readings, status.pending_bytes, age);
            match backlog(id, &status, age, free) {
                Some(finding) => runtime.report(finding),
                None => runtime.resolve(&subject(id), Some("engine.backlog")),
            }
        }
        tokio::time::sleep(STATUS_EVERY).await;
    }
}

/// What to tell of readings that wait: nothing while they are few and young.
fn backlog(id: &str, status: &OutboxStatus, age_s: i64, free: u64) -> Option<Finding> {
    let is_large = free / WAITING_SHARE < status.pending_bytes;
    if !is_large && age_s < WAITING_SECONDS {
        return None;
    }
    let (hours, megabytes) = (age_s / 3_600, status.pending_bytes >> 20);
    // At the rate so far.
    let left_h = free / status.pending_bytes.max(1) * u64::try_from(age_s.max(1)).unwrap_or(1) / 3_600;
    let says = format!(
        "{} readings have been waiting for up to {hours} h and take {megabytes} MiB; at this rate the disk is full in \
         {left_h} h: mend the engine, or take it out of the settings",
        status.pending_readings
    );
    let severity = if is_large { Severity::Blocks } else { Severity::Caution };
    Some(
        Finding::new("engine.backlog", severity, subject(id), says, RULE)
            .with("engine", id)
            .with("readings", status.pending_readings)
            .with("hours", hours)
            .with("megabytes", megabytes)
            .with("left_hours", left_h),
    )
}

/// Keeps what an engine refuses, and tells of its delivery.
struct EngineKeeper {
    runtime: Arc<Runtime>,
    id: String,
    /// Since the start.
    refused: AtomicU64,
}

impl EngineKeeper {
    /// The reading as it was sent, for a person to look at.
    fn item(&self, reading: &Reading, reason: &str) -> Quarantined {
        let installation = self.runtime.installation();
        let mut line = String::new();
        let written = point_of(&installation.settings.installation.id, reading, Dialect::Exact)
            .and_then(|point| point.write(Precision::Millis, &mut line));
        if written.is_err() {
            line = format!("{reading:?}");
        }
        Quarantined {
            origin: reading.origin,
            link: memory_of(&self.id),
            meter: Some(reading.series.meter.clone()),
            place: format!("engine {}", self.id),
            length: line.len() as u64,
            payload: line.into_bytes(),
            reason: reason.to_owned(),
            at: self.runtime.clock.now(),
        }
    }
}

impl Keeper for EngineKeeper {
    fn refused(&self, readings: Vec<(Reading, String)>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            for (reading, reason) in readings.iter().take(REFUSED_KEPT_MAX) {
                self.runtime.store.quarantine(self.item(reading, reason)).await?;
            }
            let count = readings.len() as u64;
            let all = self.refused.fetch_add(count, Relaxed) + count;
            let reason = readings.last().map(|(_, reason)| reason.clone()).unwrap_or_default();
            let says = format!(
                "{all} readings since the start will never be taken, the last because: {reason}; they stay in the \
                 journal and the first of each batch stand in the quarantine"
            );
            self.runtime.report(
                Finding::new("engine.refused", Severity::Caution, subject(&self.id), says, RULE)
                    .with("engine", &self.id)
                    .with("count", all)
                    .with("error", reason),
            );
            Ok(())
        })
    }

    fn differing(&self, series: BTreeSet<SeriesKey>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            for key in &series {
                tracing::warn!(engine = %self.id, meter = %key.meter, "the engine has other values: written again");
                note_rewrite(&self.runtime.store, &self.id, key, self.runtime.clock.now()).await?;
            }
            Ok(())
        })
    }

    fn next_rewrite(&self) -> BoxFuture<'_, Result<Option<SeriesKey>, StoreError>> {
        let (store, link) = (self.runtime.store.clone(), memory_of(&self.id));
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || store.remembered(&link)).await;
            let Ok(read) = read else { return Ok(None) };
            Ok(read?.iter().find_map(|note| series_of(&note.key)))
        })
    }

    fn rewritten(&self, series: SeriesKey) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let (link, key, at) = (memory_of(&self.id), rewrite_key(&series), self.runtime.clock.now());
            self.runtime.store.remember(Remembered { link, key, value: Vec::new(), at }).await
        })
    }

    fn told(&self, event: DeliveryEvent<'_>) {
        let metrics = &self.runtime.metrics.engines;
        match event {
            DeliveryEvent::Delivered { readings, refused } => {
                metrics.delivered(&self.id, readings, refused);
                resolve_failures(&self.runtime, &self.id);
            }
            DeliveryEvent::Rewritten { series, readings, refused } => {
                tracing::info!(engine = %self.id, meter = %series.meter, channel = %series.channel, readings, "written");
                metrics.delivered(&self.id, readings, refused);
                resolve_failures(&self.runtime, &self.id);
            }
            DeliveryEvent::Idle => {}
            DeliveryEvent::Failed { error, wait } => {
                metrics.failed(&self.id, error.code());
                let told = finding(&self.id, error);
                tracing::debug!(engine = %self.id, wait_s = wait.as_secs(), "{}", told.says);
                self.runtime.report(told);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_to_be_written_again_is_found_by_its_note() {
        for phase in Phase::ALL {
            let channel = Channel { quantity: Quantity::GasStandardVolume, phase };
            let key = SeriesKey { meter: MeterId::new("a.b_c-1").unwrap(), channel };
            assert_eq!(series_of(&rewrite_key(&key)), Some(key));
        }
        assert_eq!(series_of("rewrite m volts total"), None);
    }

    #[test]
    fn what_waits_is_told_long_before_the_disk_is_full() {
        let status = |megabytes: u64| OutboxStatus {
            pending_readings: 1_000,
            pending_bytes: megabytes << 20,
            ..OutboxStatus::default()
        };
        let free = 10_u64 << 30;
        assert_eq!(backlog("e", &status(500), 3_600, free), None);
        let old = backlog("e", &status(10), 90_000, free).unwrap();
        assert_eq!((old.code, old.severity), ("engine.backlog", Severity::Caution));
        let large = backlog("e", &status(1_100), 36_000, free).unwrap();
        assert_eq!(large.severity, Severity::Blocks);
        assert!(large.says.contains("full in 90 h"), "{}", large.says);
    }
}
