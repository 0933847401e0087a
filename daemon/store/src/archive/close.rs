//! From journal to archive: a month's file is written, read back, named in the manifest; its rows leave the
//! journal later, when nobody can be reading them there any more.
//!
//! Must never: drop a row that the file does not hold, or a file that the manifest names.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use model::{Instant, SeriesKey};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use super::manifest::{self, ArchivedMonth};
use super::read::ArchiveFile;
use super::write::{ArchiveWriter, Written};
use crate::chunks;
use crate::codes;
use crate::error::{Fault, StoreError};
use crate::private;
use crate::reader::StoredReading;
use crate::row::{self, Row};
use crate::schema::Opener;
use crate::series;
use crate::settle;
use crate::store::Store;

/// Takes readings out of a series before it is written.
pub(crate) type Sieving<'f> = &'f mut dyn FnMut(&SeriesKey, &mut Vec<StoredReading>);

/// What of the journal a month's file holds or held; a digest of content, not of bytes.
#[derive(Default)]
struct Content {
    hash: Sha256,
    readings: u64,
}

impl Content {
    fn add(&mut self, key: &SeriesKey, readings: &[StoredReading]) {
        for reading in readings {
            self.hash.update(reading.observed_at.millis().to_le_bytes());
            self.hash.update(reading.received_at.millis().to_le_bytes());
            let (kind, bits) = match reading.value {
                model::Value::Total(total) => (0_u8, total as u64),
                model::Value::Gauge(gauge) => (1, gauge.to_bits()),
            };
            let codes =
                [kind, codes::origin_code(reading.origin) as u8, codes::quality_code(reading.quality) as u8];
            self.hash.update(codes);
            self.hash.update(bits.to_le_bytes());
        }
        self.hash.update(key.meter.as_str());
        self.hash.update([0]);
        self.hash.update(key.channel.to_string());
        self.readings += readings.len() as u64;
    }

    fn end(self) -> ([u8; 32], u64) {
        (self.hash.finalize().into(), self.readings)
    }
}

impl Store {
    /// Writes the readings of a closed month to the archive: the first generation, or another one when readings
    /// came late. `None` when there is nothing to do. Blocks for as long as it takes to read the month twice.
    ///
    /// `month` is the civil month (`2025-03`) and names the file; `from` and `to` are its bounds.
    ///
    /// # Errors
    /// The disk's own, [`StoreError::Refused`] for a month that overlaps another one, or a store that is not
    /// the daemon's. Nothing is lost: the journal keeps what is not yet archived.
    pub fn archive_month(
        &self,
        month: &str,
        from: Instant,
        to: Instant,
        now: Instant,
    ) -> Result<Option<ArchivedMonth>, StoreError> {
        self.must_be_daemon("archive a month")?;
        let newest = self.read("read the archive's manifest", |conn| manifest::newest(conn, month))?;
        if newest.as_ref().is_some_and(|n| n.dropped_at.is_none()) {
            return Ok(None);
        }
        self.must_not_overlap(month, from, to)?;
        if !self.has_rows(from, to)? {
            return Ok(None);
        }
        let generation = newest.map_or(0, |n| n.generation).saturating_add(1);
        let entry = self.write_generation((month, generation), (from, to), now, &mut |_, _| {})?;
        let new = entry.clone();
        self.write("enter a month in the archive's manifest", move |conn| manifest::insert(conn, &new))?;
        Ok(Some(entry))
    }

    /// Writes a month's file, of the readings that `sieve` leaves of each series. The manifest does not name it yet.
    pub(crate) fn write_generation(
        &self,
        (month, generation): (&str, u32),
        (from, to): (Instant, Instant),
        now: Instant,
        sieve: Sieving<'_>,
    ) -> Result<ArchivedMonth, StoreError> {
        let name = format!("{month}.{generation}.parquet");
        let written = self.write_file(&name, from, to, sieve)?;
        Ok(ArchivedMonth {
            month: month.to_owned(),
            generation,
            name,
            from,
            to,
            readings: written.readings,
            bytes: written.bytes,
            sha256: written.sha256,
            written_at: now,
            dropped_at: None,
        })
    }

    /// Drops the journal's copy of archived readings, and older generations' files, of the months entered before
    /// `entered_before`: long enough ago that nobody still reads them there. Returns how many rows went.
    ///
    /// # Errors
    /// The disk's own; what was not yet dropped stays and is dropped another time.
    pub fn archive_drop(&self, entered_before: Instant, now: Instant) -> Result<u64, StoreError> {
        self.must_be_daemon("drop archived readings")?;
        let all = self.read("read the archive's manifest", manifest::every)?;
        if all.iter().any(|e| e.dropped_at.is_none() && e.written_at < entered_before) {
            // What came in late may stand in a file already, but in no chunk yet.
            self.fold()?;
        }
        let mut dropped = 0;
        for entry in &all {
            if entry.dropped_at.is_none() && entry.written_at < entered_before {
                dropped += self.drop_month(entry)?;
                let (month, generation) = (entry.month.clone(), entry.generation);
                self.write("note a dropped month", move |conn| {
                    manifest::dropped(conn, &month, generation, now)
                })?;
                for older in all.iter().filter(|o| o.month == entry.month && o.generation < entry.generation)
                {
                    self.remove_generation(older)?;
                }
            }
        }
        Ok(dropped)
    }

    /// Every file of the archive, older generations included, in order of time.
    ///
    /// # Errors
    /// The database's own.
    pub fn archive_files(&self) -> Result<Vec<ArchivedMonth>, StoreError> {
        self.read("read the archive's manifest", manifest::every)
    }

    pub(crate) fn must_be_daemon(&self, attempt: &'static str) -> Result<(), StoreError> {
        match self.opener() {
            Opener::Daemon => Ok(()),
            Opener::Shared => Err(StoreError::refused(
                attempt.to_owned(),
                "only the daemon that holds the store does that; ask it to",
            )),
        }
    }

    fn must_not_overlap(&self, month: &str, from: Instant, to: Instant) -> Result<(), StoreError> {
        let last_ms = to.millis().saturating_sub(1);
        let near =
            self.read("read the archive's manifest", |conn| manifest::current(conn, from.millis(), last_ms))?;
        match near.iter().find(|n| n.month != month || n.from != from || n.to != to) {
            None => Ok(()),
            Some(other) => Err(StoreError::refused(
                format!("the month {month} from {from} to {to}"),
                format!("the archive's {} has part of that time; keep the installation's zone", other.name),
            )),
        }
    }

    /// Whether any series has readings in the journal in the span.
    fn has_rows(&self, from: Instant, to: Instant) -> Result<bool, StoreError> {
        let (from_ms, last_ms) = (from.millis(), to.millis().saturating_sub(1));
        let span = ((from_ms, 0), (last_ms, u8::MAX));
        self.view(
            "look for readings to archive",
            |recent, _| {
                let ids = recent.with_rows();
                Ok(ids.into_iter().any(|id| !recent.series(id).between(span.0, span.1).is_empty()))
            },
            |conn, recent| {
                if recent {
                    return Ok(true);
                }
                let mut select = conn.prepare_cached("SELECT id FROM series")?;
                let ids = select.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
                for id in ids {
                    for header in chunks::headers(conn, id, from_ms, last_ms, i64::MAX)? {
                        // A chunk that spans more than the month need not have a reading in it.
                        let sure = from_ms <= header.first_ms || header.last_ms <= last_ms;
                        let mut rows = Vec::new();
                        if !sure {
                            chunks::load(conn, header.id, &mut rows)?;
                        }
                        if sure || rows.iter().any(|row| from_ms <= row.at_ms && row.at_ms <= last_ms) {
                            return Ok(true);
                        }
                    }
                }
                Ok(false)
            },
        )
    }

    /// Writes every reading of the span, of whichever place it stands in, and reads the file back.
    fn write_file(
        &self,
        name: &str,
        from: Instant,
        to: Instant,
        sieve: Sieving<'_>,
    ) -> Result<Written, StoreError> {
        let place = self.archive().place(name);
        let failed = |attempt| move |source| self.archive().failed(name, attempt, source);
        if let Some(directory) = place.parent() {
            private::create_dir_all(directory).map_err(failed("make the folder of"))?;
        }
        // A file that the manifest does not name is what an interrupted attempt left.
        match fs::remove_file(&place) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.archive().failed(name, "clear the place of", error)),
        }
        let mut writer = ArchiveWriter::create(&place).map_err(failed("create"))?;
        let mut content = Content::default();
        for key in self.series()? {
            let mut readings = Vec::new();
            self.for_each_reading(&key, Some(from), Some(to), &mut |reading| {
                readings.push(*reading);
                ControlFlow::Continue(())
            })?;
            sieve(&key, &mut readings);
            if !readings.is_empty() {
                content.add(&key, &readings);
                writer.series(&key, &readings).map_err(failed("write"))?;
            }
        }
        let written = writer.finish().map_err(failed("finish"))?;
        let expected = content.end();
        let found = self.content_of(name)?;
        if found == expected {
            return Ok(written);
        }
        fs::remove_file(&place).map_err(failed("remove the wrong"))?;
        let source = io::Error::new(io::ErrorKind::InvalidData, "what was read back is not what was written");
        Err(self.archive().failed(name, "check", source))
    }

    fn content_of(&self, name: &str) -> Result<([u8; 32], u64), StoreError> {
        let read = || -> io::Result<([u8; 32], u64)> {
            let file = ArchiveFile::open(&self.archive().place(name))?;
            let mut content = Content::default();
            for key in file.series() {
                let mut readings = Vec::new();
                for group in file.groups(&key) {
                    let mut rows = file.rows(group)?;
                    while rows.next(&mut readings)? {}
                }
                content.add(&key, &readings);
            }
            Ok(content.end())
        };
        read().map_err(|source| self.archive().failed(name, "read back", source))
    }

    /// Takes the rows that the month's file holds out of the journal, a series a transaction.
    fn drop_month(&self, entry: &ArchivedMonth) -> Result<u64, StoreError> {
        let failed = |source| self.archive().failed(&entry.name, "read", source);
        let file: Arc<ArchiveFile> = self.archive().file(entry)?;
        let mut dropped = 0;
        for key in file.series() {
            let Some(id) = self.read("find a series", |conn| series::find(conn, &key))? else { continue };
            let mut archived = Vec::new();
            let mut batch = Vec::new();
            for group in file.groups(&key) {
                let mut rows = file.rows(group).map_err(failed)?;
                while rows.next(&mut batch).map_err(failed)? {
                    archived.extend(batch.drain(..).map(|reading| Row::of(&reading)));
                }
            }
            let is_total = row::is_total(&key);
            dropped +=
                self.write("drop archived readings", move |conn| drop_rows(conn, id, is_total, &archived))?;
        }
        Ok(dropped)
    }

    fn remove_generation(&self, older: &ArchivedMonth) -> Result<(), StoreError> {
        let (month, generation) = (older.month.clone(), older.generation);
        self.write("forget an older generation", move |conn| manifest::forget(conn, &month, generation))?;
        match fs::remove_file(self.archive().place(&older.name)) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(self.archive().failed(&older.name, "remove", error)),
        }
    }
}

/// Takes these very rows out of their chunks. A late row among them, of another identity, stays; one of the same
/// identity and another value is kept aside as a conflict.
fn drop_rows(conn: &Connection, series: i64, is_total: bool, archived: &[Row]) -> Result<u64, Fault> {
    let (Some(first), Some(last)) = (archived.first(), archived.last()) else { return Ok(0) };
    let mut dropped = 0;
    for header in chunks::headers(conn, series, first.at_ms, last.at_ms, i64::MAX)? {
        let mut rows = Vec::new();
        chunks::load(conn, header.id, &mut rows)?;
        let before = rows.len();
        let mut others = Vec::new();
        rows.retain(|row| match archived.binary_search_by_key(&row.identity(), Row::identity) {
            Ok(at) => {
                if archived[at].value(is_total) != row.value(is_total) {
                    others.push(*row);
                }
                false
            }
            Err(_) => true,
        });
        if rows.len() == before {
            continue;
        }
        for row in others {
            settle::keep_conflict(conn, series, &row, is_total)?;
        }
        chunks::remove(conn, header.id)?;
        chunks::insert(conn, series, is_total, &rows)?;
        dropped += (before - rows.len()) as u64;
    }
    Ok(dropped)
}
