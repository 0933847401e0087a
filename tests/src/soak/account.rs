//! What a store must hold after the operations that were acknowledged, and whether it does.
//!
//! Must never: ask the store what it should hold.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use model::{Digest, Instant, Origin, Reading, SeriesKey, Value};
use store::{Appended, Store, Tally};

use super::{child, work};

type Held = BTreeMap<(SeriesKey, Instant, Origin), Value>;

/// Everything that was acknowledged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    held: Held,
    received: u64,
    /// Other values under the identity of one that stands; each counts once, however often it comes.
    refused: BTreeSet<(SeriesKey, Instant, Origin, u64)>,
    /// Operations whose document was said to be kept.
    documents: BTreeSet<u64>,
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

    /// Adds a document that was said to be kept and named.
    pub fn add_document(&mut self, operation: u64) {
        self.documents.insert(operation);
    }

    #[must_use]
    pub fn readings(&self) -> usize {
        self.held.len()
    }

    /// A backup beside the store, once there is one, is whole, and what is restored of it was all acknowledged or under
    /// way: nothing is invented, and no record names a document that is not in it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn settle_backup(&self, directory: &Path, seed: u64) -> Result<(), String> {
        let folder = child::backup_of(directory);
        if !folder.join(store::BACKUP_LIST).exists() {
            return Ok(());
        }
        let home = directory.with_extension("restored");
        std::fs::remove_dir_all(&home).ok();
        store::restore(&folder, &home).map_err(|error| format!("of the backup: {}", said(&error)))?;
        let found = read(&home).map_err(|error| format!("of what was restored: {error}"))?;
        std::fs::remove_dir_all(&home).ok();
        let mut with_next = self.clone();
        with_next.add(seed, self.next);
        match found.held.iter().find(|(key, value)| with_next.held.get(key) != Some(value)) {
            Some(strange) => Err(format!("the backup has {strange:?}, which was never read")),
            None => Ok(()),
        }
    }

    /// Whether a reading may have been thinned out: an old one that is not the first of its interval.
    fn may_be_thinned(&self, (series, at, origin): &(SeriesKey, Instant, Origin)) -> bool {
        if *series != work::thinned() || work::thinned_before(self.next) <= *at {
            return false;
        }
        let begin = at.millis() - at.millis().rem_euclid(work::THINNED_MS);
        let first = (series.clone(), Instant::from_millis(begin), Origin::Modbus);
        self.held
            .range(first..)
            .next()
            .is_some_and(|((s, first, o), _)| s == series && o == origin && first < at)
    }

    /// Holds the store against the account. An operation that was under way may be in it as a whole; then it is
    /// added. What the store says of itself must agree too.
    ///
    /// # Errors
    /// What is missing, doubled or invented, or why the store cannot be read.
    pub fn settle(&mut self, directory: &Path, seed: u64) -> Result<(), String> {
        let found = read(directory)?;
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
        let is_there = |(key, value)| match found.held.get(key) {
            Some(there) => there == value,
            None => self.may_be_thinned(key),
        };
        self.held.iter().all(is_there)
            && found.held.keys().all(|key| self.held.contains_key(key))
            && counts == (found.received, found.refused)
            && self.documents.is_subset(&found.documents)
    }
}

/// What a store holds and says of itself.
#[derive(Debug, Default)]
struct Found {
    held: Held,
    received: u64,
    refused: u64,
    /// Operations whose document a record names.
    documents: BTreeSet<u64>,
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
fn read(directory: &Path) -> Result<Found, String> {
    let store = Store::open(directory, work::options()).map_err(|error| said(&error))?;
    let found = readings(&store).map_err(|error| said(&error))?;
    let documents = documents(&store)?;
    store.close();
    Ok(Found { documents, ..found })
}

/// Operations whose document a record names; each must be what was kept.
fn documents(store: &Store) -> Result<BTreeSet<u64>, String> {
    let records = store.records(work::DOCUMENT).map_err(|error| said(&error))?;
    records
        .into_iter()
        .map(|record| {
            let operation: u64 = record.id.parse().map_err(|_| format!("a record {:?}", record.id))?;
            let digest =
                Digest::parse_hex(&record.body).ok_or_else(|| format!("{:?} is no digest", record.body))?;
            let kept = store.document(&digest).map_err(|error| said(&error))?;
            match kept {
                Some(bytes) if bytes == work::document(operation) => Ok(operation),
                Some(_) => Err(format!("the document of operation {operation} is another one")),
                None => Err(format!("the document of operation {operation} is named and missing")),
            }
        })
        .collect()
}

fn readings(store: &Store) -> Result<Found, store::StoreError> {
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
    Ok(found)
}
