//! The series of the running daemon: days and months of every project meter, and the latest value of every
//! channel, kept up to date as readings are committed.
//!
//! Must never: hold a value that cannot be computed again from the journal.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use analytics::counter::Decision;
use analytics::series::{Accumulator, DayValue, Pushed, SeriesSettings};
use chrono::NaiveDate;
use model::{Channel, DatedAct, Instant, MeterAct, MeterId, Project, Quality, Reading, SeriesKey, Value};
use store::engine::{EngineError, Readings};
use store::{Store, StoreError};

use crate::installation::Installation;
use crate::made;
use crate::runtime::lock;

/// How far a device's clock may be ahead of ours before its time is not believed: what is further ahead is our own fault.
const AHEAD_SECONDS_MAX: i64 = 300;

/// Newest value of one channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latest {
    pub(crate) value: f64,
    pub(crate) at: Instant,
}

#[derive(Debug, Default)]
struct Pages {
    series: HashMap<SeriesKey, Accumulator>,
    latest: BTreeMap<MeterId, BTreeMap<Channel, Latest>>,
    /// Series that saw a reading out of order and must be made again from the journal.
    stale: BTreeSet<SeriesKey>,
}

/// Series and latest values, shared by ingestion and pages.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
}

/// The settings of every total that a project counts on, with the period at which it is read.
pub(crate) fn wanted_series(
    projects: &[std::sync::Arc<Project>],
    installation: &Installation,
) -> Vec<(SeriesKey, SeriesSettings)> {
    projects
        .iter()
        .flat_map(|project| {
            project.meters().map(|(_, meter)| {
                let key = SeriesKey { meter: meter.id.clone(), channel: meter.total_channel() };
                (key, installation.series_settings(project, meter))
            })
        })
        .collect()
}

impl Book {
    /// Makes the wanted series that are new, or whose settings or people's acts changed, from the journal; forgets
    /// the others.
    pub(crate) fn follow(
        &self,
        readings: &dyn Readings,
        wanted: Vec<(SeriesKey, SeriesSettings)>,
        acts: &[MeterAct],
    ) -> Result<(), EngineError> {
        let keys: BTreeSet<SeriesKey> = wanted.iter().map(|(key, _)| key.clone()).collect();
        for (key, settings) in wanted {
            let mut own: Vec<DatedAct> = acts.iter().filter(|a| a.series == key).map(|a| a.dated).collect();
            own.sort();
            let same = lock(&self.pages).series.get(&key).is_some_and(|acc| {
                let mut known = acc.acts().to_vec();
                known.sort();
                *acc.settings() == settings && known == own
            });
            if !same {
                self.make(readings, &key, settings, &own)?;
            }
        }
        lock(&self.pages).series.retain(|key, _| keys.contains(key));
        Ok(())
    }

    /// Makes one series from the journal and puts it in place of the one there was. What is committed while the
    /// journal is read is caught up under the lock: readings are on disk before they are taken.
    fn make(
        &self,
        readings: &dyn Readings,
        key: &SeriesKey,
        settings: SeriesSettings,
        acts: &[DatedAct],
    ) -> Result<(), EngineError> {
        let mut made = made::series(readings, key, settings, acts, None)?;
        let mut pages = lock(&self.pages);
        made::extend(readings, key, &mut made)?;
        pages.series.insert(key.clone(), made);
        Ok(())
    }

    /// The newest values on disk, for pages right after a start.
    pub(crate) fn load_latest(&self, store: &Store) -> Result<(), StoreError> {
        for key in store.series()? {
            if let Some(stored) = store.latest(&key)?
                && stored.quality != Quality::Implausible
            {
                let mut pages = lock(&self.pages);
                let channels = pages.latest.entry(key.meter).or_default();
                channels
                    .entry(key.channel)
                    .or_insert(Latest { value: stored.value.as_f64(), at: stored.observed_at });
            }
        }
        Ok(())
    }

    /// Takes readings that are on disk; `now` is what the clock says.
    pub(crate) fn take(&self, readings: &[Reading], now: Instant) {
        let mut pages = lock(&self.pages);
        for reading in readings {
            if reading.quality == Quality::Implausible {
                continue;
            }
            pages.note_latest(reading, now);
            let Value::Total(total) = reading.value else { continue };
            let Some(series) = pages.series.get_mut(&reading.series) else { continue };
            match series.push(reading.observed_at, total) {
                Pushed::Counted(_) | Pushed::Repeated | Pushed::OutOfRange => {}
                Pushed::OutOfOrder => {
                    pages.stale.insert(reading.series.clone());
                }
            }
        }
    }

    /// Makes the stale series again; returns how many there were.
    pub(crate) fn mend(&self, readings: &dyn Readings) -> Result<usize, EngineError> {
        let stale = std::mem::take(&mut lock(&self.pages).stale);
        for key in &stale {
            let known = lock(&self.pages).series.get(key).map(|acc| (*acc.settings(), acc.acts().to_vec()));
            let Some((settings, acts)) = known else { continue };
            if let Err(error) = self.make(readings, key, settings, &acts) {
                // Making one again that was made already does no harm.
                lock(&self.pages).stale.extend(stale.iter().cloned());
                return Err(error);
            }
        }
        Ok(stale.len())
    }

    /// Energy of a civil day so far in the smallest unit; `None` when nothing of that day was measured.
    pub(crate) fn energy_of_day(&self, key: &SeriesKey, day: NaiveDate) -> Option<i64> {
        let pages = lock(&self.pages);
        let series = pages.series.get(key)?;
        let measured = series.days().last().is_some_and(|last| last.day == day && 0 < last.covered_millis);
        measured.then(|| series.today(day))
    }

    /// The days of a series, in the smallest unit of its carrier; none of one that is not kept.
    pub(crate) fn days(&self, key: &SeriesKey) -> Vec<DayValue> {
        lock(&self.pages).series.get(key).map(Accumulator::days).unwrap_or_default()
    }

    /// The instant of a series' last accepted total.
    pub(crate) fn last_at(&self, key: &SeriesKey) -> Option<Instant> {
        lock(&self.pages).series.get(key)?.last_at()
    }

    /// The breaks of a series, ascending.
    pub(crate) fn decisions(&self, key: &SeriesKey) -> Vec<Decision> {
        lock(&self.pages).series.get(key).map(Accumulator::decisions).unwrap_or_default()
    }

    pub(crate) fn latest(&self, meter: &MeterId, channel: Channel) -> Option<Latest> {
        lock(&self.pages).latest.get(meter)?.get(&channel).copied()
    }

    pub(crate) fn latest_of_meter(&self, meter: &MeterId) -> Vec<(Channel, Latest)> {
        let pages = lock(&self.pages);
        pages.latest.get(meter).map(|c| c.iter().map(|(k, v)| (*k, *v)).collect()).unwrap_or_default()
    }

    pub(crate) fn last_reading_at(&self, meter: &MeterId) -> Option<Instant> {
        lock(&self.pages).latest.get(meter)?.values().map(|l| l.at).max()
    }
}

impl Pages {
    fn note_latest(&mut self, reading: &Reading, now: Instant) {
        let latest = Latest { value: reading.value.as_f64(), at: reading.observed_at };
        if !self.latest.contains_key(&reading.series.meter) {
            self.latest.insert(reading.series.meter.clone(), BTreeMap::new());
        }
        if let Some(channels) = self.latest.get_mut(&reading.series.meter) {
            let slot = channels.entry(reading.series.channel).or_insert(latest);
            // Of one instant the first value stands, as in the journal. A value from a time that is still to come was
            // stamped while this machine's clock was ahead: it would hide all that comes until then.
            let ahead = now.plus_seconds(AHEAD_SECONDS_MAX) < slot.at;
            if slot.at < latest.at || ahead {
                *slot = latest;
            }
        }
    }
}
