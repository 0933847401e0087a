//! What is watched of every building, made each minute: hours, what is usual, base load, alarms; and the pages of the
//! facility manager made of it.
//!
//! Must never: keep meters from being read, or hold what cannot be made again from the journal.

mod alarms;
mod causes;
mod digest;
mod meter;
mod pages;
mod refused;
mod signals;
mod tell;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use analytics::degree_days::DailyMeans;
use analytics::evaluate::laws::Laws;
use analytics::watch::alarm::Alarms;
use analytics::watch::usual::Temperatures;
use chrono::{Days, NaiveDate};
use connectors::Stop;
use dashboards::watch::AlarmView;
use model::{BuildingId, DailyTemperature, Instant, ProjectId, StationId};

use crate::runtime::{Runtime, lock};
use digest::Digest;
use refused::Refused;

pub(crate) use alarms::resume;

/// How often everything is looked at.
const ROUND_EVERY: Duration = Duration::from_secs(60);
/// The first round comes soon after the start.
const FIRST_AFTER: Duration = Duration::from_secs(2);
/// Days of temperatures kept at hand: a signature of a year, and the weeks that are learned from.
const TEMPERATURE_DAYS: u64 = 500;

/// What a project's year in progress leaves for the pages of the facility manager.
#[derive(Debug, Clone, Default)]
pub(crate) struct Background {
    pub(crate) laws: Vec<Laws>,
    pub(crate) means: DailyMeans,
    pub(crate) temperatures: Temperatures,
}

impl Background {
    pub(crate) fn new(
        laws: Vec<Laws>,
        history: &[DailyTemperature],
        station: &StationId,
        today: NaiveDate,
    ) -> Self {
        let means = DailyMeans::of(history, station);
        let from = today.checked_sub_days(Days::new(TEMPERATURE_DAYS)).unwrap_or(today);
        let temperatures = means.dated().filter(|(day, _)| from <= *day).collect();
        Self { laws, means, temperatures }
    }
}

/// A building of a project.
pub(crate) type Place = (ProjectId, BuildingId);

/// What the rounds leave behind.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    digests: Mutex<BTreeMap<Place, Arc<Digest>>>,
    alarms: Mutex<Alarms>,
    /// Newest first, with those that ended lately.
    shown: Mutex<Vec<AlarmView>>,
    /// Readings kept aside in the last day.
    refused: Mutex<Refused>,
    /// Since when this daemon watches.
    since: Mutex<Option<Instant>>,
}

impl Watched {
    pub(crate) fn digest(&self, place: &Place) -> Option<Arc<Digest>> {
        lock(&self.digests).get(place).map(Arc::clone)
    }

    pub(crate) fn shown(&self) -> Vec<AlarmView> {
        lock(&self.shown).clone()
    }
}

/// Looks at everything each minute until told to stop.
pub(crate) async fn tend(runtime: Arc<Runtime>, mut stop: Stop) {
    let mut wait = FIRST_AFTER;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.stopped() => return,
        }
        wait = ROUND_EVERY;
        let worker = Arc::clone(&runtime);
        let done = tokio::task::spawn_blocking(move || round(&worker)).await;
        match done {
            Ok(Ok(())) => tell::round(&runtime).await,
            Ok(Err(error)) => {
                tracing::warn!("buildings could not be looked at, to be tried again: {error:#}")
            }
            Err(error) => tracing::error!(%error, "looking at the buildings panicked"),
        }
    }
}

/// One round. Blocks on the disk.
fn round(runtime: &Runtime) -> anyhow::Result<()> {
    let now = runtime.clock.now();
    lock(&runtime.watched.since).get_or_insert(now);
    let mut digests = BTreeMap::new();
    for figures in runtime.figures() {
        for building in &figures.project.buildings {
            let place = (figures.project.id.clone(), building.id.clone());
            let former = runtime.watched.digest(&place);
            digests.insert(place, digest::make(runtime, &figures, building, former, now)?);
        }
    }
    *lock(&runtime.watched.digests) = digests;
    alarms::look(runtime, now)
}
