//! Readings out of journal and archive as one series, in order, each identity once.
//!
//! Must never: hold a snapshot or a lock while a caller's function runs, or give a reading twice: what stands in
//! both is the same reading on its way from one to the other.

use std::ops::ControlFlow;
use std::sync::Arc;

use model::{Instant, SeriesKey};

use super::read::ArchiveFile;
use crate::archive::manifest::{self, ArchivedMonth};
use crate::codes;
use crate::error::StoreError;
use crate::reader::{JournalRows, StoredReading};
use crate::store::Store;

type Take<'f> = &'f mut dyn FnMut(&StoredReading) -> ControlFlow<()>;

/// Order and identity within a series.
const fn identity(reading: &StoredReading) -> (i64, i64) {
    (reading.observed_at.millis(), codes::origin_code(reading.origin))
}

impl Store {
    /// Gives the readings of a series to `f` in order of (observed at, origin), from `from` on and
    /// before `to`, until it breaks. Returns how many were given.
    ///
    /// Memory is bounded by one chunk. A reading that arrives meanwhile behind the place reached is
    /// not given; the store may be read again at any time.
    ///
    /// # Errors
    /// The database's and the archive's own.
    pub fn for_each_reading(
        &self,
        series: &SeriesKey,
        from: Option<Instant>,
        to: Option<Instant>,
        f: &mut dyn FnMut(&StoredReading) -> ControlFlow<()>,
    ) -> Result<u64, StoreError> {
        let last_ms = match to.map(Instant::millis) {
            None => i64::MAX,
            Some(i64::MIN) => return Ok(0),
            Some(ms) => ms - 1,
        };
        let from_ms = from.map_or(i64::MIN, Instant::millis);
        let months =
            self.read("read the archive's manifest", |conn| manifest::current(conn, from_ms, last_ms))?;
        let mut merge =
            Merge { journal: JournalRows::new(self, series, from_ms, last_ms)?, from_ms, last_ms, given: 0 };
        for month in &months {
            if merge.journal_before((month.from.millis(), -1), f)?.is_break() {
                return Ok(merge.given);
            }
            let file = self.archive().file(month)?;
            if merge.month(self, month, &file, series, f)?.is_break() {
                return Ok(merge.given);
            }
        }
        // The end is only a place: whether the caller broke off or not, nothing follows.
        let _ended = merge.journal_before((i64::MAX, i64::MAX), f)?;
        Ok(merge.given)
    }
}

struct Merge<'s> {
    journal: JournalRows<'s>,
    from_ms: i64,
    last_ms: i64,
    given: u64,
}

impl Merge<'_> {
    /// Gives the journal's rows before a place.
    fn journal_before(&mut self, place: (i64, i64), f: Take<'_>) -> Result<ControlFlow<()>, StoreError> {
        while let Some(reading) = self.journal.peek()? {
            if place <= identity(&reading) {
                break;
            }
            self.journal.advance();
            self.given += 1;
            if f(&reading).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Gives the rows of an archived month, with the journal's rows among them.
    fn month(
        &mut self,
        store: &Store,
        month: &ArchivedMonth,
        file: &Arc<ArchiveFile>,
        series: &SeriesKey,
        f: Take<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let failed = |source| store.archive().failed(&month.name, "read", source);
        let mut batch = Vec::new();
        for group in file.groups(series) {
            let outside = file
                .span(group)
                .is_some_and(|(first, last)| last.millis() < self.from_ms || self.last_ms < first.millis());
            if outside {
                continue;
            }
            let mut rows = file.rows(group).map_err(failed)?;
            while rows.next(&mut batch).map_err(failed)? {
                for reading in batch.drain(..) {
                    let at_ms = reading.observed_at.millis();
                    if at_ms < self.from_ms || self.last_ms < at_ms {
                        continue;
                    }
                    let place = identity(&reading);
                    if self.journal_before(place, f)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                    if self.journal.peek()?.is_some_and(|head| identity(&head) == place) {
                        self.journal.advance();
                    }
                    self.given += 1;
                    if f(&reading).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
