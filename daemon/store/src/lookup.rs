//! Whether a late reading is there already: looked up in chunks and archived months, in order of time.
//!
//! Must never: be asked for a reading later than everything there is; that one is new without a look.

use rusqlite::Connection;

use model::SeriesKey;

use crate::archive::Archive;
use crate::archive::manifest::{self, ArchivedMonth};
use crate::chunks::{self, Header};
use crate::error::{Fault, StoreError};
use crate::row::Row;

/// Late readings of one series, asked for in ascending order of their identity.
pub(crate) struct Lookup<'c> {
    conn: &'c Connection,
    archive: &'c Archive,
    key: SeriesKey,
    from_ms: i64,
    last_ms: i64,
    headers: std::iter::Peekable<std::vec::IntoIter<Header>>,
    /// Chunks that span the instant asked for last.
    near: Vec<(Header, Option<Vec<Row>>)>,
    months: Vec<ArchivedMonth>,
    /// The archived rows of the span in one of the months.
    month: Option<(usize, Vec<Row>)>,
}

impl<'c> Lookup<'c> {
    pub(crate) fn new(
        conn: &'c Connection,
        archive: &'c Archive,
        (series, key): (i64, &SeriesKey),
        from_ms: i64,
        last_ms: i64,
    ) -> Result<Self, Fault> {
        let headers = chunks::headers(conn, series, from_ms, last_ms, i64::MAX)?;
        Ok(Self {
            conn,
            archive,
            key: key.clone(),
            from_ms,
            last_ms,
            headers: headers.into_iter().peekable(),
            near: Vec::new(),
            months: manifest::current(conn, from_ms, last_ms)?,
            month: None,
        })
    }

    /// What stands under an identity.
    pub(crate) fn find(&mut self, identity: (i64, u8)) -> Result<Option<Row>, Fault> {
        let at_ms = identity.0;
        self.near.retain(|(header, _)| at_ms <= header.last_ms);
        while let Some(header) = self.headers.next_if(|header| header.first_ms <= at_ms) {
            if at_ms <= header.last_ms {
                self.near.push((header, None));
            }
        }
        for (header, rows) in &mut self.near {
            let rows = match rows {
                Some(rows) => rows,
                None => {
                    let mut loaded = Vec::new();
                    chunks::load(self.conn, header.id, &mut loaded)?;
                    rows.insert(loaded)
                }
            };
            if let Ok(at) = rows.binary_search_by_key(&identity, Row::identity) {
                return Ok(Some(rows[at]));
            }
        }
        self.find_archived(identity)
    }

    fn find_archived(&mut self, identity: (i64, u8)) -> Result<Option<Row>, Fault> {
        let at_ms = identity.0;
        let spans = |m: &ArchivedMonth| m.from.millis() <= at_ms && at_ms < m.to.millis();
        let Some(place) = self.months.iter().position(spans) else { return Ok(None) };
        if self.month.as_ref().is_none_or(|(loaded, _)| *loaded != place) {
            let rows = match self.load_month(&self.months[place]) {
                Ok(rows) => rows,
                // What is damaged is told to whoever reads it. What comes in now must not wait for its repair: it is
                // kept, and the archived reading goes before it wherever both are read.
                Err(error) => {
                    tracing::error!(%error, "late readings are taken in without a look into the archive");
                    Vec::new()
                }
            };
            self.month = Some((place, rows));
        }
        let rows = self.month.as_ref().map_or(&[][..], |(_, rows)| rows);
        Ok(rows.binary_search_by_key(&identity, Row::identity).ok().map(|at| rows[at]))
    }

    fn load_month(&self, month: &ArchivedMonth) -> Result<Vec<Row>, StoreError> {
        let file = self.archive.file(month)?;
        let failed = |source| self.archive.failed(&month.name, "read", source);
        let mut found = Vec::new();
        let mut batch = Vec::new();
        for group in file.groups(&self.key) {
            let outside = file
                .span(group)
                .is_some_and(|(first, last)| last.millis() < self.from_ms || self.last_ms < first.millis());
            if outside {
                continue;
            }
            let mut rows = file.rows(group).map_err(failed)?;
            while rows.next(&mut batch).map_err(failed)? {
                let wanted = |row: &Row| self.from_ms <= row.at_ms && row.at_ms <= self.last_ms;
                found.extend(batch.drain(..).map(|reading| Row::of(&reading)).filter(wanted));
            }
        }
        Ok(found)
    }
}
