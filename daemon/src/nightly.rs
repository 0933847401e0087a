//! The nightly look at what is kept: every series that a project counts on is made again of all its readings and compared
//! with what the kept results give.
//!
//! Must never: let a kept result that is not what its readings say stand, or hold the other jobs up.

use std::sync::Arc;
use std::time::Duration;

use connectors::Stop;
use model::{Finding, SeriesKey, Severity};
use store::Store;

use crate::installation::Installation;
use crate::runtime::Runtime;
use crate::{acts, book, figures, made};

/// The hour of the night at which it begins, in the installation's zone.
const HOUR: u32 = 3;
/// How often the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    pub(crate) series: usize,
    pub(crate) readings: u64,
    /// Whose kept results were not what their readings say; they are dropped.
    pub(crate) differing: Vec<SeriesKey>,
}

/// Compares every series of every project.
pub(crate) fn compare(store: &Store, installation: &Installation) -> anyhow::Result<Compared> {
    let (projects, _) = figures::projects(store, &installation.catalog)?;
    let mut compared = Compared::default();
    for (key, settings) in book::wanted_series(&projects, installation) {
        let acts = acts::dated(&acts::of_series(store, &key)?);
        // Readings that arrive meanwhile would make the one longer than the other.
        let Some(until) = store.latest(&key)?.map(|reading| reading.observed_at) else { continue };
        let kept = made::series(store, &key, settings, &acts, Some(until))?;
        let anew = made::series_anew(store, &key, settings, &acts, Some(until))?;
        compared.series += 1;
        compared.readings += anew.readings();
        if kept.checkpoint() != anew.checkpoint() {
            store.drop_results(&key)?;
            compared.differing.push(key);
        }
    }
    Ok(compared)
}

fn finding(key: &SeriesKey) -> Finding {
    Finding::new(
        "series.kept.differs",
        Severity::Caution,
        format!("meter:{}", key.meter),
        format!(
            "what was kept of {} was not what its readings say; it was dropped and made again",
            key.channel
        ),
        "everything after the journal can be made again from it",
    )
    .with("channel", key.channel)
}

/// Works until told to stop.
pub(crate) async fn keep(runtime: Arc<Runtime>, mut stop: Stop) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let zone = runtime.installation().settings.installation.zone;
    // The night of the start counts as done: a start makes every series anyway.
    let mut done = runtime.clock.now().day(zone);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.stopped() => return,
        }
        let now = runtime.clock.now();
        let (today, begins) = (now.day(zone), now.plus_millis(-i64::from(HOUR) * 3_600_000));
        if today <= done || begins.day(zone) < today {
            continue;
        }
        done = today;
        let worker = Arc::clone(&runtime);
        let night = tokio::task::spawn_blocking(move || compare(&worker.store, &worker.installation()));
        match night.await {
            Ok(Ok(compared)) => {
                tracing::info!(series = compared.series, readings = compared.readings, "series compared");
                compared.differing.iter().for_each(|key| runtime.report(finding(key)));
            }
            Ok(Err(error)) => tracing::warn!(%error, "series could not be compared; tried again tomorrow"),
            Err(error) => tracing::error!(%error, "the comparison of series panicked"),
        }
    }
}
