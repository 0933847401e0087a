//! A look at everything that is kept of a series: every checkpoint and every month's hours that would be used, against
//! what all its readings give. One pass over the readings, whatever is kept.
//!
//! Must never: use what it judges, write, or take a result for wrong that became void while it was looked at.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use analytics::series::{Accumulator, SeriesSettings, pack_hours};
use model::{DatedAct, Digest, Instant, SeriesKey};
use store::{KeptResult, Store, StoreError, StoredReading};

use super::{CHECKPOINT, Closing, HOURS, fingerprint, hours_of, hours_reach};

/// What a look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Looked {
    pub(crate) readings: u64,
    /// Results that would be used.
    pub(crate) kept: usize,
    /// Those that are not what the readings give: their kind and instant.
    pub(crate) differing: Vec<(&'static str, Instant)>,
}

/// Makes the series of all its readings and holds everything that is kept of it against that.
pub(crate) fn look(
    store: &Store,
    key: &SeriesKey,
    settings: SeriesSettings,
    acts: &[DatedAct],
) -> Result<Looked, StoreError> {
    let fingerprint = fingerprint(&settings, acts);
    let checkpoints = kept(store, CHECKPOINT, key, &fingerprint)?;
    let mut waiting = VecDeque::new();
    for kept in kept(store, HOURS, key, &fingerprint)? {
        let month = kept.at.month(settings.zone);
        // As whoever asks for them: of a whole month, and good until its last interval is closed.
        let (from, to) = month.bounds(settings.zone);
        let used = store.result(HOURS, key, &fingerprint, from, hours_reach(month, settings.zone))?;
        if used.is_some_and(|used| used.at == kept.at) {
            waiting.push_back(Window { kept, to, running: None });
        }
    }
    let count = checkpoints.len() + waiting.len();
    let anew = Accumulator::with_acts(settings, acts);
    let mut pass = Pass {
        settings,
        acts,
        checkpoints: checkpoints.into(),
        waiting,
        open: Vec::new(),
        anew,
        resumed: None,
        differing: Vec::new(),
    };
    store.for_each_reading(key, None, None, &mut |reading| {
        pass.take(reading);
        ControlFlow::Continue(())
    })?;
    let readings = pass.anew.readings();
    let mut differing = Vec::new();
    for kept in pass.end() {
        let reach =
            if kept.kind == HOURS { hours_reach(kept.at.month(settings.zone), settings.zone) } else { 0 };
        let now = store.result(kept.kind, key, &fingerprint, kept.at, reach)?;
        if now.as_ref() == Some(&kept) {
            differing.push((kept.kind, kept.at));
        }
    }
    Ok(Looked { readings, kept: count, differing })
}

/// Every result of a kind that is not void, oldest first.
fn kept(
    store: &Store,
    kind: &'static str,
    key: &SeriesKey,
    fingerprint: &Digest,
) -> Result<Vec<KeptResult>, StoreError> {
    let (mut found, mut until) = (Vec::new(), Instant::from_millis(i64::MAX));
    while let Some(kept) = store.result(kind, key, fingerprint, until, 0)? {
        until = kept.at.plus_millis(-1);
        found.push(kept);
    }
    found.reverse();
    Ok(found)
}

/// A month's hours, made beside the series from the month's first reading to the one that closes its last interval.
struct Window {
    kept: KeptResult,
    to: Instant,
    running: Option<(Accumulator, Closing)>,
}

impl Window {
    /// What was kept, where it is not what was made.
    fn judged(self) -> Option<KeptResult> {
        let made =
            self.running.map(|(series, _)| hours_of(&series, self.kept.at, self.to)).unwrap_or_default();
        (pack_hours(&made) != self.kept.body).then_some(self.kept)
    }
}

struct Pass<'a> {
    settings: SeriesSettings,
    acts: &'a [DatedAct],
    /// Whose instants are still to come.
    checkpoints: VecDeque<KeptResult>,
    waiting: VecDeque<Window>,
    open: Vec<Window>,
    anew: Accumulator,
    /// What goes on from the newest checkpoint, as whoever uses it would.
    resumed: Option<(KeptResult, Accumulator)>,
    differing: Vec<KeptResult>,
}

impl Pass<'_> {
    fn take(&mut self, reading: &StoredReading) {
        let at = reading.observed_at;
        while self.checkpoints.front().is_some_and(|kept| kept.at <= at)
            && let Some(kept) = self.checkpoints.pop_front()
        {
            self.judge(kept);
        }
        while self.waiting.front().is_some_and(|window| window.kept.at <= at)
            && let Some(mut window) = self.waiting.pop_front()
        {
            window.running = Some((self.anew.clone().with_hours(), Closing::new(Some(window.to))));
            self.open.push(window);
        }
        let closed = self.open.extract_if(.., |window| {
            let running = window.running.as_mut();
            running.is_some_and(|(series, closing)| closing.take(series, reading).is_break())
        });
        self.differing.extend(closed.filter_map(Window::judged));
        // Both to the end of the readings: nothing closes them.
        if let Some((_, resumed)) = &mut self.resumed {
            Closing::add(resumed, reading);
        }
        Closing::add(&mut self.anew, reading);
    }

    fn judge(&mut self, kept: KeptResult) {
        if self.anew.checkpoint() != kept.body {
            self.differing.push(kept);
        } else if self.checkpoints.is_empty() {
            match Accumulator::resume(self.settings, self.acts, &kept.body) {
                Some(series) => self.resumed = Some((kept, series)),
                None => self.differing.push(kept),
            }
        }
    }

    /// Judges what is left; everything that differs.
    fn end(mut self) -> Vec<KeptResult> {
        for kept in std::mem::take(&mut self.checkpoints) {
            self.judge(kept);
        }
        self.differing.extend(self.open.into_iter().chain(self.waiting).filter_map(Window::judged));
        if let Some((kept, series)) = self.resumed
            && series.checkpoint() != self.anew.checkpoint()
        {
            self.differing.push(kept);
        }
        self.differing
    }
}
