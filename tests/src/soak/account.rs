//! What a store must hold after the operations that were acknowledged, and whether it does.
//!
//! Must never: ask the store what it should hold.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use model::{Instant, Origin, Reading, SeriesKey, Value};
use store::{Appended, Store, Tally};

use super::work;

type Held = BTreeMap<(SeriesKey, Instant, Origin), Value>;

/// Everything that was acknowledged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    held: Held,
    received: u64,
    /// Other values under the identity of one that stands; each counts once, however often it comes.
    refused: BTreeSet<(SeriesKey, Instant, Origin, u64)>,
    /// Operations in it: the next one that is not.
    pub next: u64,
}

impl Account {
    /// Adds an operation; returns what the store must have said of it.
    pub fn add(&mut self, seed: u64, operation: u64) -> Appended {
        let mut said = Appended::default();
        for Reading { series, observed_at, origin, value, .. } in work::readings(seed, operation) {
            match self.held.get(&(series.clone(), observed_at, origin)) {
                None => {
                    self.held.insert((series, observed_at, origin), value);
                    said.new += 1;
                }
                Some(first) if *first == value => said.duplicate += 1,
                Some(_) => {
                    said.conflicting += 1;
                    self.refused.insert((series, observed_at, origin, bits(value)));
                }
            }
        }
        self.received += said.new;
        self.next = operation + 1;
        said
    }

    #[must_use]
    pub fn readings(&self) -> usize {
        self.held.len()
    }

    /// Holds the store against the account. An operation that was under way may be in it as a whole; then it is
    /// added. What the store says of itself must agree too.
    ///
    /// # Errors
    /// What is missing, doubled or invented, or why the store cannot be read.
    pub fn settle(&mut self, directory: &Path, seed: u64) -> Result<(), String> {
        let found = read(directory).map_err(|error| said(&error))?;
        if self.agrees(&found) {
            return Ok(());
        }
        let mut with_next = self.clone();
        with_next.add(seed, self.next);
        if with_next.agrees(&found) {
            *self = with_next;
            return Ok(());
        }
        Err(format!(
            "after {} operations {} readings are expected and {} found; missing {:?}; not expected {:?}; counted {} and {}, expected {} and {}",
            self.next,
            self.held.len(),
            found.held.len(),
            self.held.iter().filter(|(k, v)| found.held.get(k) != Some(v)).take(3).collect::<Vec<_>>(),
            found.held.iter().filter(|(k, v)| with_next.held.get(k) != Some(v)).take(3).collect::<Vec<_>>(),
            found.received,
            found.refused,
            self.received,
            self.refused.len(),
        ))
    }

    fn agrees(&self, found: &Found) -> bool {
        let counts = (self.received, self.refused.len() as u64);
        self.held == found.held && counts == (found.received, found.refused)
    }
}

/// What a store holds and says of itself.
#[derive(Debug, Default)]
struct Found {
    held: Held,
    received: u64,
    refused: u64,
}

fn bits(value: Value) -> u64 {
    match value {
        Value::Total(total) => total.cast_unsigned(),
        Value::Gauge(gauge) => gauge.to_bits(),
    }
}

/// An error with its causes, in one line.
#[must_use]
pub fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Opens the store as the next daemon would, and reads everything.
fn read(directory: &Path) -> Result<Found, store::StoreError> {
    let store = Store::open(directory, work::options())?;
    store.verify()?;
    let mut found = Found::default();
    let mut doubled = 0;
    for series in store.series()? {
        store.for_each_reading(&series, None, None, &mut |r| {
            let former = found.held.insert((series.clone(), r.observed_at, r.origin), r.value);
            doubled += u64::from(former.is_some());
            ControlFlow::Continue(())
        })?;
    }
    for ((_, _, what), count) in store.tallies(work::COUNTED)? {
        match what {
            Tally::Received => found.received += count,
            Tally::Refused => found.refused += count,
            _ => {}
        }
    }
    // Given twice is as wrong as counted twice.
    found.received += doubled;
    store.close();
    Ok(found)
}
