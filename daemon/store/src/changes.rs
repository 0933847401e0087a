//! What changed since somebody last looked: for whoever keeps results that were made from readings.
//!
//! The numbers are those of the intake, which only grow. The grain is a month of UTC: a civil month touches two of
//! them and is reported as changed when either changed.
//!
//! Must never: leave a change out. Saying that something changed which did not costs only time.

use model::{Instant, SeriesKey};

use crate::error::StoreError;
use crate::months::{month_of, month_start_ms};
use crate::outbox;
use crate::series;
use crate::store::Store;

/// A month of a series that changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedSpan {
    pub series: SeriesKey,
    pub from: Instant,
    pub to: Instant,
}

impl Store {
    /// The number that stands for now: take it before reading, and ask [`Store::last_change`] against it later.
    ///
    /// # Errors
    /// The database's own.
    pub fn change_mark(&self) -> Result<i64, StoreError> {
        self.read("read the mark of changes", outbox::last_seq)
    }

    /// The number of the last change to readings of a series from `from` on and before `to`; 0 when there never was
    /// one since the journal has kept these numbers. Not above a mark: nothing changed there since the mark.
    ///
    /// # Errors
    /// The database's own.
    pub fn last_change(&self, series: &SeriesKey, from: Instant, to: Instant) -> Result<i64, StoreError> {
        if to <= from {
            return Ok(0);
        }
        let (first, last) = (month_of(from.millis()), month_of(to.millis() - 1));
        self.view(
            "look for changes",
            |recent, conn| {
                let Some(id) = series::find(conn, series)? else { return Ok(None) };
                let changed =
                    recent.known(id).and_then(|s| s.changed().range(first..=last).map(|c| *c.1).max());
                Ok(Some((id, changed.unwrap_or(0))))
            },
            |conn, found| {
                let Some((id, recent)) = found else { return Ok(0) };
                let mut select = conn.prepare_cached(
                    "SELECT coalesce(max(changed_seq), 0) FROM series_month
                     WHERE series = ?1 AND month BETWEEN ?2 AND ?3",
                )?;
                let folded: i64 = select.query_row((id, first, last), |row| row.get(0))?;
                Ok(folded.max(recent))
            },
        )
    }

    /// Every month of UTC of every series with a change above a mark, in order.
    ///
    /// # Errors
    /// The database's own.
    pub fn changed_since(&self, mark: i64) -> Result<Vec<ChangedSpan>, StoreError> {
        let mut months = self.view(
            "list changes",
            |recent, _| {
                let mut found = Vec::new();
                for id in recent.with_rows() {
                    let changed = recent.series(id).changed();
                    found.extend(
                        changed.iter().filter(|(_, seq)| mark < **seq).map(|(month, _)| (id, *month)),
                    );
                }
                Ok(found)
            },
            |conn, mut found| {
                let mut select =
                    conn.prepare_cached("SELECT series, month FROM series_month WHERE changed_seq > ?1")?;
                let rows = select.query_map([mark], |row| Ok((row.get(0)?, row.get(1)?)))?;
                found.extend(rows.collect::<Result<Vec<_>, _>>()?);
                let keyed = found.into_iter().map(|(id, month)| Ok((series::key_of(conn, id)?, month)));
                keyed.collect::<Result<Vec<_>, crate::error::Fault>>()
            },
        )?;
        months.sort_unstable();
        months.dedup();
        let instant = |month: i64| Instant::from_millis(month_start_ms(month));
        let span = |(series, month)| ChangedSpan { series, from: instant(month), to: instant(month + 1) };
        Ok(months.into_iter().map(span).collect())
    }
}
