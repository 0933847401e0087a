//! The loss budget: per meter and civil month, how many readings were to come and what became of them. A meter's
//! readings are counted by its main channel ([`Installation::main_channel`]), the one that figures are made of; its grid
//! is that of the wall clock, for meters that push as well.
//!
//! What became of readings is counted in their own transaction; what is expected follows from the period and from how
//! far it was counted before, so that a time without a running daemon is a loss like any other. Of a new meter counting
//! begins with its first reading, or with when it was first known where none comes for a while.
//!
//! Must never: forget a time in which a meter was to be read because nothing ran then.

use std::collections::BTreeMap;
use std::sync::Mutex;

use model::{Channel, Instant, MeterId, Month, Origin, Quality, Reading, SeriesKey, Zone};
use store::{Counted, Store, StoreError, Tallies, Tally};

use crate::installation::Installation;
use crate::runtime::lock;

/// A reading is late when it comes more than its meter's period after its time, but never sooner than this.
const LATE_MILLIS_MIN: i64 = 60_000;
/// How long counting of a new meter waits for its first reading, in periods and at least: nothing could come before its
/// link was opened. A meter that says nothing for longer is counted from the moment it was first known.
const FIRST_PERIODS: i64 = 3;
const FIRST_MILLIS_MIN: i64 = 300_000;
/// A longer time without counting is no outage: the clock was set, or the installation lay idle. Counting begins anew.
const OUTAGE_MILLIS_MAX: i64 = 400 * 86_400_000;

/// A meter that is read.
#[derive(Debug, Clone, Copy)]
struct Source {
    every_s: u32,
    channel: Channel,
    /// Up to where its expected readings are counted.
    until: Instant,
    /// Newest time of its main channel.
    newest: Option<Instant>,
    /// Until when the first reading of a new meter is waited for; `None` once counting has begun.
    waits: Option<Instant>,
    /// Since when it is counted, where that began while this daemon ran.
    begun: Option<Instant>,
}

impl Source {
    /// Of a meter that is counted up to `known`; one that is not counted yet is known from `now` on.
    fn new(every_s: u32, channel: Channel, known: Option<Instant>, now: Instant) -> Self {
        let first_millis = (FIRST_PERIODS * i64::from(every_s) * 1000).max(FIRST_MILLIS_MIN);
        let waits = known.is_none().then(|| now.plus_millis(first_millis));
        Self { every_s, channel, until: known.unwrap_or(now), newest: None, waits, begun: None }
    }

    /// Begins counting with the first reading: its own point of the grid is the first that is expected.
    fn begin(&mut self, reading: &Reading) {
        if self.waits.take().is_none() {
            return;
        }
        let step = (i64::from(self.every_s) * 1000).max(1);
        // A device's clock may be ahead of this one's; what it sends of before was not asked for.
        let first = reading.observed_at.min(reading.received_at).millis();
        let slot = Instant::from_millis(first.div_euclid(step) * step);
        self.begun = Some(self.until.max(slot));
        self.until = self.until.max(slot.plus_millis(-1));
    }
}

#[derive(Debug, Default)]
struct State {
    sources: BTreeMap<MeterId, Source>,
    /// Counted, and not yet on disk.
    pending: Tallies,
    /// Read no more, but still on disk as if.
    ended: Vec<MeterId>,
}

/// What is lost of every meter. Bounded by the meters of the installation file.
#[derive(Debug)]
pub(crate) struct Losses {
    zone: Zone,
    state: Mutex<State>,
    /// Held while counts move from memory to disk, so that nobody sees them in neither place or in both.
    disk: Mutex<()>,
}

impl Losses {
    /// Goes on where the last daemon left off.
    pub(crate) fn open(store: &Store, installation: &Installation, now: Instant) -> Result<Self, StoreError> {
        let losses = Self {
            zone: installation.settings.installation.zone,
            state: Mutex::default(),
            disk: Mutex::default(),
        };
        let known = store.tallied_until()?;
        losses.follow(store, installation, &known, now)?;
        {
            let mut state = lock(&losses.state);
            let gone = known.into_keys().filter(|meter| !state.sources.contains_key(meter)).collect();
            state.ended = gone;
        }
        Ok(losses)
    }

    /// Counts up to now by the former periods, and from now on by those of `installation`. `known` says of meters that
    /// are new here up to where they were counted before.
    pub(crate) fn follow(
        &self,
        store: &Store,
        installation: &Installation,
        known: &BTreeMap<MeterId, Instant>,
        now: Instant,
    ) -> Result<(), StoreError> {
        // What cannot be read is told of where figures are made; its meters count as ones of no project.
        let (projects, _) = crate::figures::projects(store, &installation.catalog).unwrap_or_else(|error| {
            tracing::warn!("the loss budget does not know the projects: {error:#}");
            (Vec::new(), Vec::new())
        });
        let mut sources = BTreeMap::new();
        for meter in &installation.settings.meters {
            // Readings of a hub's meters are expected, and counted, by the daemons that read them.
            if crate::hub::is_remote_meter(&installation.settings, meter) {
                continue;
            }
            let key = |channel| SeriesKey { meter: meter.id.clone(), channel };
            let has_readings = |channel| store.latest(&key(channel)).is_ok_and(|latest| latest.is_some());
            let Some(channel) = installation.main_channel(meter, &projects, has_readings) else { continue };
            let key = key(channel);
            let newest = store.latest(&key)?.map(|reading| reading.observed_at);
            let source = Source::new(meter.every_s, channel, known.get(&meter.id).copied(), now);
            sources.insert(meter.id.clone(), Source { newest, ..source });
        }
        let mut state = lock(&self.state);
        state.count_expected(self.zone, now);
        let mut former = std::mem::take(&mut state.sources);
        for (id, source) in &mut sources {
            if let Some(old) = former.remove(id) {
                (source.until, source.waits, source.begun) = (old.until, old.waits, old.begun);
                // Times of another channel say nothing of what is late in this one.
                let same = old.channel == source.channel;
                source.newest = if same { source.newest.max(old.newest) } else { source.newest };
            }
        }
        state.ended.retain(|meter| !sources.contains_key(meter));
        state.ended.extend(former.into_keys());
        state.sources = sources;
        Ok(())
    }

    /// How each reading is counted when the journal takes it; `None` for channels that are not counted, and for
    /// histories and files, which nobody expected.
    pub(crate) fn counted(&self, readings: &[Reading]) -> Vec<Option<Counted>> {
        let mut state = lock(&self.state);
        readings.iter().map(|reading| state.counted(reading, self.zone)).collect()
    }

    /// Notes what happened to a meter now and left no reading.
    pub(crate) fn note(&self, meter: &MeterId, what: Tally, count: u64, now: Instant) {
        let mut state = lock(&self.state);
        if state.sources.contains_key(meter) {
            *state.pending.entry((meter.clone(), now.month(self.zone), what)).or_insert(0) += count;
        }
    }

    /// Puts what was counted since the last time on disk. Blocks on it.
    pub(crate) fn keep(&self, store: &Store, now: Instant) -> Result<(), StoreError> {
        let _disk = lock(&self.disk);
        let (pending, until, ended) = {
            let mut state = lock(&self.state);
            state.count_expected(self.zone, now);
            let until = state.sources.iter().map(|(meter, source)| (meter.clone(), source.until)).collect();
            (std::mem::take(&mut state.pending), until, std::mem::take(&mut state.ended))
        };
        store.add_tallies(pending.clone(), until).inspect_err(|_| {
            let mut state = lock(&self.state);
            add(&mut state.pending, pending);
            state.ended.extend(ended.iter().cloned());
        })?;
        // What fails here is found again by the next start.
        ended.iter().try_for_each(|meter| store.end_tally(meter))
    }

    /// Since when each meter is counted whose counting began while this daemon ran.
    pub(crate) fn begun(&self) -> BTreeMap<MeterId, Instant> {
        let state = lock(&self.state);
        let begun = state.sources.iter().filter_map(|(meter, source)| Some((meter.clone(), source.begun?)));
        begun.collect()
    }

    /// Every count of `from` and later months, as of now. Asks the store.
    pub(crate) fn since(&self, store: &Store, from: Month, now: Instant) -> Result<Tallies, StoreError> {
        let _disk = lock(&self.disk);
        let mut all = store.tallies(from)?;
        let mut state = lock(&self.state);
        state.count_expected(self.zone, now);
        let recent = state.pending.iter().filter(|((_, month, _), _)| from <= *month);
        add(&mut all, recent.map(|(key, count)| (key.clone(), *count)).collect());
        Ok(all)
    }
}

impl State {
    fn counted(&mut self, reading: &Reading, zone: Zone) -> Option<Counted> {
        let live = match reading.origin {
            Origin::Modbus | Origin::Mqtt | Origin::MBus | Origin::Record => true,
            Origin::Replay | Origin::File => false,
        };
        let source = self.sources.get_mut(&reading.series.meter)?;
        if !live || source.channel != reading.series.channel {
            return None;
        }
        source.begin(reading);
        let delay = reading.received_at.millis().saturating_sub(reading.observed_at.millis());
        let limit = (i64::from(source.every_s) * 1000).max(LATE_MILLIS_MIN);
        let overtaken = source.newest.is_some_and(|newest| reading.observed_at < newest);
        source.newest = source.newest.max(Some(reading.observed_at));
        Some(Counted {
            month: reading.observed_at.month(zone),
            late: limit < delay || overtaken,
            usable: reading.quality != Quality::Implausible,
        })
    }

    /// Counts what was expected since the last time: a reading is missing one period after its time, not at it.
    fn count_expected(&mut self, zone: Zone, now: Instant) {
        for (meter, source) in &mut self.sources {
            if let Some(waits) = source.waits {
                if now < waits {
                    continue;
                }
                (source.waits, source.begun) = (None, Some(source.until));
            }
            let now = now.plus_millis(-(i64::from(source.every_s) * 1000));
            if now <= source.until {
                // The clock was set back; what lies between is counted already.
                if now.plus_millis(OUTAGE_MILLIS_MAX) < source.until {
                    source.until = now;
                }
                continue;
            }
            for (month, count) in slots(source.until, now, source.every_s, zone) {
                *self.pending.entry((meter.clone(), month, Tally::Expected)).or_insert(0) += count;
            }
            source.until = now;
        }
    }
}

fn add(all: &mut Tallies, more: Tallies) {
    for (key, count) in more {
        *all.entry(key).or_insert(0) += count;
    }
}

/// How many points of the wall clock's grid lie after `from` and not after `to`, by civil month.
fn slots(from: Instant, to: Instant, every_s: u32, zone: Zone) -> Vec<(Month, u64)> {
    if OUTAGE_MILLIS_MAX < to.millis().saturating_sub(from.millis()) {
        return Vec::new();
    }
    let step = (i64::from(every_s) * 1000).max(1);
    let grid = |at: i64| at.div_euclid(step);
    let (mut at, mut month, mut found) = (from.millis(), from.month(zone), Vec::new());
    while at < to.millis() {
        let last = month.bounds(zone).1.millis() - 1;
        let end = last.min(to.millis());
        if let Ok(count @ 1..) = u64::try_from(grid(end) - grid(at)) {
            found.push((month, count));
        }
        at = at.max(end);
        if end == last {
            month = month.next();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROME: Zone = chrono_tz::Europe::Rome;

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn the_grid_is_counted_by_civil_month_over_clock_changes() {
        let month = |year, number| Month { year, number };
        // Europe/Rome: March has 743 hours, so 2 972 quarters; the first of April begins at 22:00 UTC.
        let found = slots(at("2025-02-28T22:59:59Z"), at("2025-03-31T22:15:00Z"), 900, ROME);
        assert_eq!(found, [(month(2025, 3), 2_972), (month(2025, 4), 2)]);
        // Counted in two steps it is the same, wherever the cut.
        for cut in ["2025-03-31T21:59:59.999Z", "2025-03-31T22:00:00Z", "2025-03-10T12:00:00.5Z"] {
            let mut sum = BTreeMap::new();
            for (from, to) in
                [("2025-02-28T22:59:59Z", cut), (cut, "2025-03-31T22:15:00Z")].map(|(a, b)| (at(a), at(b)))
            {
                for (month, count) in slots(from, to, 900, ROME) {
                    *sum.entry(month).or_insert(0) += count;
                }
            }
            assert_eq!(sum.into_iter().collect::<Vec<_>>(), found, "{cut}");
        }
        assert_eq!(slots(at("1970-01-01T00:00:00Z"), at("2025-03-01T00:00:00Z"), 60, ROME), []);
        assert_eq!(slots(at("2025-03-01T00:00:00Z"), at("2025-03-01T00:00:00Z"), 1, ROME), []);
    }

    #[test]
    fn right_after_a_start_nothing_is_missing_and_nothing_is_forgotten_for_it() {
        let meter = MeterId::new("m").unwrap();
        let channel = Channel::total(model::Quantity::ActiveEnergyImport);
        let begun = at("2025-03-01T00:00:30Z");
        let expected = |steps: &[i64]| {
            let mut state = State::default();
            state.sources.insert(meter.clone(), Source::new(60, channel, Some(begun), begun));
            steps.iter().for_each(|step| state.count_expected(ROME, begun.plus_seconds(*step)));
            state.pending.values().sum::<u64>()
        };
        // The first reading is due at :01:00 and missing from :02:00 on.
        assert_eq!(
            [expected(&[31]), expected(&[89]), expected(&[90]), expected(&[31, 89, 95])],
            [0, 0, 1, 1]
        );
        // Due from 00:01 to 02:01, and it is 02:02.
        assert_eq!(expected(&[31, 1_000, 7_290]), 121);
    }

    #[test]
    fn a_reading_is_late_by_delay_or_by_a_later_one_before_it() {
        let meter = MeterId::new("m").unwrap();
        let channel = Channel::total(model::Quantity::ActiveEnergyImport);
        let begun = at("2025-03-01T00:00:00Z");
        let source = Source::new(60, channel, Some(begun), begun);
        let mut state = State::default();
        state.sources.insert(meter.clone(), source);
        let mut late = |observed_s: i64, delay_s: i64| {
            let observed_at = begun.plus_seconds(observed_s);
            let reading = Reading {
                series: SeriesKey { meter: meter.clone(), channel },
                observed_at,
                received_at: observed_at.plus_seconds(delay_s),
                value: model::Value::Total(1),
                quality: Quality::Good,
                origin: Origin::Mqtt,
            };
            state.counted(&reading, ROME).map(|counted| counted.late)
        };
        assert_eq!(
            [late(0, 1), late(60, 60), late(120, 61), late(60, 1), late(180, 0)],
            [Some(false), Some(false), Some(true), Some(true), Some(false)]
        );
        state.count_expected(ROME, begun.plus_seconds(600));
        state.count_expected(ROME, begun.plus_seconds(590));
        state.count_expected(ROME, begun.plus_seconds(660));
        let month = Month { year: 2025, number: 3 };
        assert_eq!(state.pending, Tallies::from([((meter, month, Tally::Expected), 10)]));
    }

    /// Opening the journal, replaying a history and connecting take their time; a meter that never speaks is missed.
    #[test]
    fn a_new_meter_is_counted_from_its_first_reading_or_after_a_while_without_one() {
        let meter = MeterId::new("m").unwrap();
        let channel = Channel::total(model::Quantity::ActiveEnergyImport);
        let known = at("2025-03-01T00:00:02Z");
        let mut state = State::default();
        let expected = |state: &State| state.pending.values().sum::<u64>();
        let begun = |state: &State| state.sources[&meter].begun;
        state.sources.insert(meter.clone(), Source::new(5, channel, None, known));
        state.count_expected(ROME, known.plus_seconds(100));
        assert_eq!((expected(&state), begun(&state)), (0, None));
        for observed_at in [known.plus_seconds(101), known.plus_seconds(106)] {
            let series = SeriesKey { meter: meter.clone(), channel };
            let reading = Reading {
                series,
                observed_at,
                received_at: observed_at,
                value: model::Value::Total(1),
                quality: Quality::Good,
                origin: Origin::Modbus,
            };
            state.counted(&reading, ROME);
        }
        // At :01:43 and :01:48, of the points :01:40 and :01:45; the one under way at :01:50 is nobody's loss.
        state.count_expected(ROME, known.plus_seconds(109));
        assert_eq!((expected(&state), begun(&state)), (2, Some(at("2025-03-01T00:01:40Z"))));
        // Of what does not come from then on nothing is forgiven.
        state.count_expected(ROME, known.plus_seconds(159));
        assert_eq!(expected(&state), 12);
        let mut silent = State::default();
        silent.sources.insert(meter.clone(), Source::new(5, channel, None, known));
        silent.count_expected(ROME, known.plus_seconds(299));
        assert_eq!(expected(&silent), 0);
        silent.count_expected(ROME, known.plus_seconds(300));
        assert_eq!((expected(&silent), begun(&silent)), (59, Some(known)));
    }

    /// The demonstration's meters that publish plain payloads send one total of the many that their model lists.
    #[test]
    fn a_meter_is_counted_by_the_total_that_its_project_takes() {
        let folder = tempfile::tempdir().unwrap();
        let demo = crate::demo::Demo::plan(chrono::NaiveDate::from_ymd_opt(2026, 6, 30).unwrap(), ROME);
        let files =
            demo.write_files(folder.path(), &demo.unopened_ports(), ([127, 0, 0, 1], 0).into()).unwrap();
        let Ok(installation) = Installation::load(&files.config) else { panic!("the settings were refused") };
        let data = &installation.settings.installation.data_dir;
        let store = Store::open(data, installation.store_options()).unwrap();
        let now = at("2026-06-30T00:00:00Z");
        let losses = Losses::open(&store, &installation, now).unwrap();
        for file in &files.projects {
            let taken = crate::commands::import::import_project_into(
                &store,
                &installation.catalog,
                file,
                "test",
                now,
            );
            assert!(taken.is_ok(), "{} was refused", file.display());
        }
        losses.follow(&store, &installation, &BTreeMap::new(), now).unwrap();
        let (projects, _) = crate::figures::projects(&store, &installation.catalog).unwrap();
        let state = lock(&losses.state);
        let mut gas = 0;
        for (_, meter) in projects.iter().flat_map(|project| project.meters()) {
            let Some(source) = state.sources.get(&meter.id) else { continue };
            assert_eq!(source.channel, meter.total_channel(), "{}", meter.id);
            gas += usize::from(meter.id.as_str().ends_with("-gas"));
        }
        assert!(0 < gas, "no gas meter is read");
    }
}
