//! The nightly look at what is kept: every series that a project counts on is made again of all its readings, and every
//! kept result that would be used is compared with that.
//!
//! Must never: let a kept result that is not what its readings say stand, or hold the other jobs up.

use std::sync::Arc;
use std::time::Duration;

use analytics::series::SeriesSettings;
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
    /// Kept results that would be used.
    pub(crate) kept: usize,
    /// Whose kept results were not what their readings say.
    pub(crate) differing: Vec<SeriesKey>,
}

/// What becomes of kept results that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Differing {
    /// They stay, and nothing is written.
    Told,
    /// Every result of the series is dropped; it is made again when it is wanted.
    Dropped,
}

/// Compares every series of every project.
pub(crate) fn compare(
    store: &Store,
    installation: &Installation,
    differing: Differing,
) -> anyhow::Result<Compared> {
    let (projects, _) = figures::projects(store, &installation.catalog)?;
    compare_all(store, book::wanted_series(&projects, installation), differing)
}

fn compare_all(
    store: &Store,
    series: Vec<(SeriesKey, SeriesSettings)>,
    differing: Differing,
) -> anyhow::Result<Compared> {
    let mut compared = Compared::default();
    for (key, settings) in series {
        let acts = acts::dated(&acts::of_series(store, &key)?);
        let looked = made::look(store, &key, settings, &acts)?;
        compared.series += usize::from(0 < looked.readings);
        compared.readings += looked.readings;
        compared.kept += looked.kept;
        if looked.differing.is_empty() {
            continue;
        }
        tracing::warn!(meter = %key.meter, channel = %key.channel, results = ?looked.differing, "kept results differ");
        if differing == Differing::Dropped {
            store.drop_results(&key)?;
        }
        compared.differing.push(key);
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
        let look = move || compare(&worker.store, &worker.installation(), Differing::Dropped);
        let night = tokio::task::spawn_blocking(look);
        match night.await {
            Ok(Ok(compared)) => {
                tracing::info!(series = compared.series, kept = compared.kept, "series compared");
                compared.differing.iter().for_each(|key| runtime.report(finding(key)));
            }
            Ok(Err(error)) => tracing::warn!(%error, "series could not be compared; tried again tomorrow"),
            Err(error) => tracing::error!(%error, "the comparison of series panicked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::tests as bench;

    #[test]
    fn what_differs_is_told_by_name_and_dropped_only_where_that_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let store = bench::store(folder.path());
        let make = || made::series(&store, &bench::key(), bench::settings(), &[], None).unwrap().checkpoint();
        let look =
            |differing| compare_all(&store, vec![(bench::key(), bench::settings())], differing).unwrap();
        let series = make();
        let sound = look(Differing::Dropped);
        assert_eq!((sound.series, sound.kept, &sound.differing[..]), (1, 3, &[][..]));
        bench::spoil_the_oldest(&store);
        // To tell changes nothing, however often.
        for _ in 0..2 {
            let told = look(Differing::Told);
            assert_eq!((told.kept, told.differing), (3, vec![bench::key()]));
        }
        let dropped = look(Differing::Dropped).differing;
        assert_eq!(dropped, [bench::key()]);
        let said = finding(&dropped[0]);
        assert_eq!((said.code, said.severity), ("series.kept.differs", Severity::Caution));
        assert_eq!(said.subject, "meter:m");
        let after = look(Differing::Dropped);
        assert_eq!((after.kept, after.differing), (0, vec![]));
        assert_eq!(make(), series);
        assert_eq!((look(Differing::Told).kept, look(Differing::Told).differing), (3, vec![]));
    }
}
