//! Series made with the help of what was made before: a checkpoint at a month's beginning, from which only later readings
//! have to be read, and the hours of months that are over.
//!
//! Months here are those of UTC, by which the store numbers its changes. A checkpoint counts as long as no reading before
//! its instant changed; readings that come late make it void, and the one before it takes its place.
//!
//! Must never: give another series than one made of all its readings, or fail because nothing could be kept.

use std::ops::ControlFlow;

use analytics::evaluate::RULES;
use analytics::series::{
    Accumulator, CHECKPOINT_FORM, HourValue, Pushed, SeriesSettings, pack_hours, unpack_hours,
};
use chrono::{DateTime, Datelike, NaiveDate};
use model::{DatedAct, Digest, Instant, Month, Quality, SeriesKey, Step, Value, Zone};
use store::engine::{EngineError, Readings};
use store::{KeptResult, Store, StoreError, StoredReading};

use crate::reports::sha256;

mod look;

pub(crate) use look::look;

const CHECKPOINT: &str = "checkpoint";
const HOURS: &str = "hours";

/// Readings at or after the end looked at for the one that closes the last interval: an hour of bad ones at a second's
/// step.
const CLOSING_READINGS_MAX: u32 = 3_600;
/// A month's hours are kept once so much time has passed since its end; what comes later still is noticed.
const SETTLED_MILLIS: i64 = 2 * 86_400_000;

/// Who made a result: rules, forms, settings, acts.
fn fingerprint(settings: &SeriesSettings, acts: &[DatedAct]) -> Digest {
    sha256(format!("{RULES} {CHECKPOINT_FORM} {settings:?} {acts:?}").as_bytes())
}

/// The first instant of a month of UTC.
fn month_begin(year: i32, number: u32) -> Option<Instant> {
    let day = NaiveDate::from_ymd_opt(year, number, 1)?;
    Some(Instant::from_millis(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()))
}

/// The month of UTC of an instant.
fn month_of(at: Instant) -> Option<(i32, u32)> {
    DateTime::from_timestamp_millis(at.millis()).map(|at| (at.year(), at.month()))
}

const fn next_month((year, number): (i32, u32)) -> (i32, u32) {
    if number == 12 { (year + 1, 1) } else { (year, number + 1) }
}

/// Makes one series of its readings, up to the first reading at or after `until` that closes the last interval, or to the
/// end.
pub(crate) fn series(
    readings: &dyn Readings,
    key: &SeriesKey,
    settings: SeriesSettings,
    acts: &[DatedAct],
    until: Option<Instant>,
) -> Result<Accumulator, EngineError> {
    let Some(store) = readings.home(key) else { return series_anew(readings, key, settings, acts, until) };
    let mark = store.change_mark()?;
    let fingerprint = fingerprint(&settings, acts);
    let Some(end) = end_of(store, key, until)? else { return Ok(Accumulator::with_acts(settings, acts)) };
    let mut keeper = Keeper::begin(store, key, settings, acts, fingerprint, mark, end)?;
    let mut closing = Closing::new(until);
    store.for_each_reading(key, keeper.from, None, &mut |reading| {
        keeper.before(reading.observed_at);
        closing.take(&mut keeper.series, reading)
    })?;
    keeper.before(end);
    Ok(keeper.end())
}

/// As [`series`], from all its readings and with nothing that was kept: to compare with it.
pub(crate) fn series_anew(
    readings: &dyn Readings,
    key: &SeriesKey,
    settings: SeriesSettings,
    acts: &[DatedAct],
    until: Option<Instant>,
) -> Result<Accumulator, EngineError> {
    let mut series = Accumulator::with_acts(settings, acts);
    let mut closing = Closing::new(until);
    readings.for_each_reading(key, None, None, &mut |reading| closing.take(&mut series, reading))?;
    Ok(series)
}

/// Pushes what there is from the accumulator's last instant on.
pub(crate) fn extend(
    readings: &dyn Readings,
    key: &SeriesKey,
    series: &mut Accumulator,
) -> Result<(), EngineError> {
    let mut closing = Closing::new(None);
    readings.for_each_reading(key, series.last_at(), None, &mut |reading| closing.take(series, reading))?;
    Ok(())
}

/// The hours of a civil month, of the meter's own totals: of gas at the meter's conditions.
pub(crate) fn hours(
    store: &Store,
    key: &SeriesKey,
    settings: SeriesSettings,
    acts: &[DatedAct],
    month: Month,
) -> Result<Vec<HourValue>, StoreError> {
    let (from, to) = month.bounds(settings.zone);
    let fingerprint = fingerprint(&settings, acts);
    let reach = hours_reach(month, settings.zone);
    let kept = store.result(HOURS, key, &fingerprint, from, reach)?.filter(|kept| kept.at == from);
    if let Some(hours) = kept.and_then(|kept| unpack_hours(&kept.body)) {
        return Ok(hours);
    }
    let mark = store.change_mark()?;
    let mut keeper = Keeper::begin(store, key, settings, acts, fingerprint, mark, from)?;
    // Up to the month without hours, then with them.
    let mut closing = Closing::new(Some(to));
    let mut counting = false;
    store.for_each_reading(key, keeper.from, None, &mut |reading| {
        if !counting && from <= reading.observed_at {
            counting = true;
            keeper.series = std::mem::replace(&mut keeper.series, Accumulator::new(settings)).with_hours();
        }
        closing.take(&mut keeper.series, reading)
    })?;
    let hours = hours_of(&keeper.series, from, to);
    let settled = store.latest(key)?.is_some_and(|last| to.plus_millis(SETTLED_MILLIS) <= last.observed_at);
    if settled {
        let body = pack_hours(&hours);
        let (kind, series) = (HOURS, key.clone());
        keep(store, vec![KeptResult { kind, series, at: from, fingerprint, mark, body }]);
    }
    Ok(hours)
}

/// How long after a month's beginning its hours still depend on readings.
fn hours_reach(month: Month, zone: Zone) -> i64 {
    let (from, to) = month.bounds(zone);
    to.millis() - from.millis() + SETTLED_MILLIS
}

/// The hours of a series within a month.
fn hours_of(series: &Accumulator, from: Instant, to: Instant) -> Vec<HourValue> {
    series.hours().iter().filter(|h| from <= h.from && h.from < to).copied().collect()
}

/// What cannot be kept costs only time.
fn keep(store: &Store, results: Vec<KeptResult>) {
    if let Err(error) = store.keep_results(results) {
        tracing::debug!(%error, "a result could not be kept; it is made again when it is wanted");
    }
}

/// Up to where a series is made: the caller's end, as far as readings go. `None` for a series without readings.
fn end_of(store: &Store, key: &SeriesKey, until: Option<Instant>) -> Result<Option<Instant>, StoreError> {
    let last = store.latest(key)?.map(|reading| reading.observed_at);
    Ok(last.map(|last| until.map_or(last, |until| until.min(last))))
}

/// Pushes readings until the one that closes the last interval.
struct Closing {
    until: Option<Instant>,
    after_end: u32,
}

impl Closing {
    fn new(until: Option<Instant>) -> Self {
        Self { until, after_end: 0 }
    }

    /// Pushes a reading; whether it ends an interval.
    fn add(series: &mut Accumulator, reading: &StoredReading) -> bool {
        if reading.quality == Quality::Implausible {
            return false;
        }
        let Value::Total(total) = reading.value else { return false };
        match series.push(reading.observed_at, total) {
            Pushed::Counted(
                Step::Advance
                | Step::Wrapped
                | Step::Recovered
                | Step::Reset
                | Step::CaughtUp
                | Step::Rescaled
                | Step::Exchanged,
            ) => true,
            Pushed::Counted(Step::First | Step::Held | Step::Impossible)
            | Pushed::Repeated
            | Pushed::OutOfOrder
            | Pushed::OutOfRange => false,
        }
    }

    fn take(&mut self, series: &mut Accumulator, reading: &StoredReading) -> ControlFlow<()> {
        let closes = Self::add(series, reading);
        if self.until.is_none_or(|until| reading.observed_at < until) {
            return ControlFlow::Continue(());
        }
        self.after_end += 1;
        if closes || CLOSING_READINGS_MAX <= self.after_end {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// A series on its way, and the checkpoints it leaves behind.
struct Keeper<'s> {
    store: &'s Store,
    key: &'s SeriesKey,
    fingerprint: Digest,
    mark: i64,
    series: Accumulator,
    /// Readings before this instant are in it already.
    from: Option<Instant>,
    /// The next month whose beginning may be passed, and the last one of interest.
    next: Option<(i32, u32)>,
    last: Option<(i32, u32)>,
    made: Vec<KeptResult>,
}

impl<'s> Keeper<'s> {
    /// From the newest checkpoint that still counts and lies not after the end, or from the beginning.
    fn begin(
        store: &'s Store,
        key: &'s SeriesKey,
        settings: SeriesSettings,
        acts: &[DatedAct],
        fingerprint: Digest,
        mark: i64,
        end: Instant,
    ) -> Result<Self, StoreError> {
        let kept = store.result(CHECKPOINT, key, &fingerprint, end, 0)?;
        let resumed = kept.and_then(|kept| Some((kept.at, Accumulator::resume(settings, acts, &kept.body)?)));
        let (from, series) = match resumed {
            Some((at, series)) => (Some(at), series),
            None => (None, Accumulator::with_acts(settings, acts)),
        };
        let next = match from {
            Some(at) => month_of(at).map(next_month),
            None => store.first_at(key)?.and_then(month_of).map(next_month),
        };
        Ok(Self { store, key, fingerprint, mark, series, from, next, last: month_of(end), made: Vec::new() })
    }

    /// Leaves checkpoints at the months' beginnings up to `at` that are worth it.
    fn before(&mut self, at: Instant) {
        while let (Some(next), Some(last)) = (self.next, self.last)
            && next <= last
            && let Some(begin) = month_begin(next.0, next.1)
            && begin <= at
        {
            self.next = Some(next_month(next));
            // December's serves the year's report; the last two serve what goes on.
            if next.1 == 12 || last <= next_month(next) {
                self.made.push(KeptResult {
                    kind: CHECKPOINT,
                    series: self.key.clone(),
                    at: begin,
                    fingerprint: self.fingerprint,
                    mark: self.mark,
                    body: self.series.checkpoint(),
                });
            }
        }
    }

    fn end(self) -> Accumulator {
        keep(self.store, self.made);
        self.series
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use analytics::series::GAP_MILLIS_MIN;
    use model::{Act, BaseUnit, Channel, MeterId, Origin, Quantity, Reading};
    use store::StoreOptions;

    use super::*;

    const ROME: Zone = Zone::Europe__Rome;

    pub(crate) fn settings() -> SeriesSettings {
        SeriesSettings {
            unit: BaseUnit::WattHour,
            zone: ROME,
            ceiling_per_milli: 100_000.0 / 3_600_000.0,
            wraps_at: None,
            resolution: 1,
            gap_after_millis: 4 * GAP_MILLIS_MIN,
            gas: None,
        }
    }

    pub(crate) fn key() -> SeriesKey {
        SeriesKey { meter: MeterId::new("m").unwrap(), channel: Channel::total(Quantity::ActiveEnergyImport) }
    }

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    fn reading(observed_at: Instant, total: i64, origin: Origin) -> Reading {
        Reading {
            series: key(),
            observed_at,
            received_at: observed_at,
            value: Value::Total(total),
            quality: Quality::Good,
            origin,
        }
    }

    /// A total an hour over fourteen months, with a reset and a day's hole.
    pub(crate) fn store(folder: &std::path::Path) -> Store {
        let store = Store::open(folder, StoreOptions::default()).unwrap();
        let (begin, mut total) = (at("2024-11-03T00:30:00Z"), 1_000_000);
        let mut readings = Vec::new();
        for hour in 0..14 * 30 * 24 {
            total = if hour == 2_000 { 50 } else { total + 700 + hour % 500 };
            if !(5_000..5_024).contains(&hour) {
                readings.push(reading(begin.plus_seconds(hour * 3_600), total, Origin::Modbus));
            }
        }
        store.append_blocking(readings).unwrap();
        store
    }

    /// What is made with what was kept, and what is made of all readings.
    fn both(store: &Store, acts: &[DatedAct], until: Option<Instant>) -> (Vec<u8>, Vec<u8>) {
        let kept = series(store, &key(), settings(), acts, until).unwrap();
        let anew = series_anew(store, &key(), settings(), acts, until).unwrap();
        (kept.checkpoint(), anew.checkpoint())
    }

    fn checkpoint(store: &Store, acts: &[DatedAct]) -> Option<Instant> {
        let print = fingerprint(&settings(), acts);
        let end = at("2030-01-01T00:00:00Z");
        store.result(CHECKPOINT, &key(), &print, end, 0).unwrap().map(|kept| kept.at)
    }

    #[test]
    fn a_series_is_the_same_with_and_without_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        for until in [None, Some(at("2024-12-31T23:00:00Z")), Some(at("2025-06-01T00:00:00Z"))] {
            // Once to keep, once to use what was kept.
            for _ in 0..2 {
                let (kept, anew) = both(&store, &[], until);
                assert_eq!(kept, anew, "until {until:?}");
            }
        }
        assert_eq!(checkpoint(&store, &[]), Some(at("2025-12-01T00:00:00Z")));
        // People's acts make another series.
        let acts = [DatedAct { at: at("2025-02-01T00:30:00Z"), act: Act::Corrected { total: 10 } }];
        assert_eq!(checkpoint(&store, &acts), None);
        let (kept, anew) = both(&store, &acts, None);
        assert_eq!(kept, anew);
        assert_eq!(checkpoint(&store, &acts), Some(at("2025-12-01T00:00:00Z")));
    }

    #[test]
    fn a_late_reading_makes_void_what_was_kept_after_it_and_nothing_before() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let (before, _) = both(&store, &[], None);
        // Within the hole, and again within the month in progress.
        for (late, kept_until) in [
            ("2025-12-20T10:45:00Z", "2025-12-01T00:00:00Z"),
            ("2025-05-30T10:00:00Z", "2024-12-01T00:00:00Z"),
        ] {
            let value = both_total(&store, at(late));
            store.append_blocking(vec![reading(at(late), value, Origin::File)]).unwrap();
            assert_eq!(checkpoint(&store, &[]), Some(at(kept_until)), "{late}");
            let (kept, anew) = both(&store, &[], None);
            assert_eq!(kept, anew, "{late}");
            assert_ne!(kept, before, "{late}");
        }
    }

    /// A total that fits between its neighbours.
    fn both_total(store: &Store, at: Instant) -> i64 {
        let mut last = 0;
        let mut note = |reading: &StoredReading| {
            if let Value::Total(total) = reading.value {
                last = total;
            }
            ControlFlow::Continue(())
        };
        store.for_each_reading(&key(), None, Some(at), &mut note).unwrap();
        last + 1
    }

    #[test]
    fn hours_of_a_month_are_kept_and_void_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let month = Month { year: 2025, number: 3 };
        let first = hours(&store, &key(), settings(), &[], month).unwrap();
        // 743 hours, each with its hour's readings at half past.
        assert_eq!(first.len(), 743);
        assert!(first.iter().all(|h| h.covered_millis == 3_600_000));
        let amount: i64 = first.iter().map(|h| h.amount).sum();
        let whole = series(&store, &key(), settings(), &[], None).unwrap();
        let days: i64 = whole.days().iter().filter(|d| Month::of(d.day) == month).map(|d| d.amount).sum();
        assert_eq!(amount, days);
        assert_eq!(hours(&store, &key(), settings(), &[], month).unwrap(), first);
        let print = fingerprint(&settings(), &[]);
        let from = month.bounds(ROME).0;
        assert!(store.result(HOURS, &key(), &print, from, 0).unwrap().is_some());
        let late = at("2025-03-10T10:00:00Z");
        store.append_blocking(vec![reading(late, both_total(&store, late), Origin::File)]).unwrap();
        let second = hours(&store, &key(), settings(), &[], month).unwrap();
        assert_ne!(second, first);
        assert_eq!(second.iter().map(|h| h.amount).sum::<i64>(), amount);
    }

    /// Puts another body in the place of what is kept, with the digest of its own bytes.
    fn spoil(store: &Store, kind: &'static str, at: Instant, body: Vec<u8>) {
        let print = fingerprint(&settings(), &[]);
        let kept = store.result(kind, &key(), &print, at, 0).unwrap().filter(|kept| kept.at == at).unwrap();
        assert_ne!(kept.body, body);
        store.keep_results(vec![KeptResult { body, ..kept }]).unwrap();
    }

    /// A body that can be resumed and is not what the readings say: the series as if its first day had not been.
    fn other(store: &Store, until: Instant) -> Vec<u8> {
        let mut series = Accumulator::new(settings());
        let mut closing = Closing::new(None);
        let from = at("2024-11-04T00:00:00Z");
        let push = &mut |reading: &StoredReading| closing.take(&mut series, reading);
        store.for_each_reading(&key(), Some(from), Some(until), push).unwrap();
        series.checkpoint()
    }

    /// Puts another state in the place of the oldest checkpoint, from which nobody resumes while newer ones count.
    pub(crate) fn spoil_the_oldest(store: &Store) {
        let december = at("2024-12-01T00:00:00Z");
        spoil(store, CHECKPOINT, december, other(store, december));
    }

    #[test]
    fn a_look_finds_every_kept_result_that_is_not_what_the_readings_say() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let months = [1, 2, 3, 10].map(|number| Month { year: 2025, number });
        for month in months {
            hours(&store, &key(), settings(), &[], month).unwrap();
        }
        series(&store, &key(), settings(), &[], None).unwrap();
        let look = |store: &Store| look(store, &key(), settings(), &[]).unwrap();
        let sound = look(&store);
        // Of December 2024 and of the last two months, and the hours.
        assert_eq!((sound.kept, sound.differing), (7, vec![]));
        assert_eq!(sound.readings, 14 * 30 * 24 - 24);
        let december = at("2024-12-01T00:00:00Z");
        let newest = at("2025-12-01T00:00:00Z");
        let february = months[1].bounds(ROME).0;
        spoil_the_oldest(&store);
        assert_eq!(look(&store).differing, [(CHECKPOINT, december)]);
        // Nobody resumes from it while newer ones count: the series alone does not show it.
        let (kept, anew) = both(&store, &[], None);
        assert_eq!(kept, anew);
        spoil(&store, CHECKPOINT, newest, other(&store, newest));
        let (kept, anew) = both(&store, &[], None);
        assert_ne!(kept, anew);
        let january = hours(&store, &key(), settings(), &[], months[0]).unwrap();
        spoil(&store, HOURS, february, pack_hours(&january));
        let found = look(&store);
        assert_eq!(found.kept, 7);
        let mut differing = found.differing;
        differing.sort_unstable();
        assert_eq!(differing, [(CHECKPOINT, december), (CHECKPOINT, newest), (HOURS, february)]);
        // A body that nothing can go on from is found too.
        spoil(&store, CHECKPOINT, newest, vec![7]);
        assert_eq!(look(&store).differing.len(), 3);
        store.drop_results(&key()).unwrap();
        assert_eq!((look(&store).kept, look(&store).differing), (0, vec![]));
    }

    #[test]
    fn what_late_readings_made_void_is_not_called_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        hours(&store, &key(), settings(), &[], Month { year: 2025, number: 3 }).unwrap();
        series(&store, &key(), settings(), &[], None).unwrap();
        let late = at("2025-03-10T10:00:00Z");
        store.append_blocking(vec![reading(late, both_total(&store, late), Origin::File)]).unwrap();
        let found = look(&store, &key(), settings(), &[]).unwrap();
        // December 2024 alone still counts.
        assert_eq!((found.kept, found.differing), (1, vec![]));
    }
}
