//! What becomes of the readings of one commit: new ones go into a block of the intake, the others are counted.
//!
//! Must never: change the memory of recent readings; that follows when the commit is on disk.

use model::{Reading, SeriesKey, Value};
use rusqlite::Connection;

use crate::archive::Archive;
use crate::codes;
use crate::error::{Fault, StoreError};
use crate::lookup::Lookup;
use crate::recent::{Recent, SeriesRecent};
use crate::row::{self, BlockRow, Row};
use crate::series::SeriesIds;
use crate::store::Appended;
use crate::tally::{self, SeriesTallies};
use crate::writer::Append;

/// Ids that lie further apart than so many for each entry are sorted rather than counted out.
const SPARSE: usize = 8;

/// A reading on its way into a block, with the place that it came from.
#[derive(Debug, Clone, Copy)]
struct Entry {
    series: i64,
    row: Row,
    append: u32,
    place: u32,
}

/// Room that one commit after the other uses.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    entries: Vec<Entry>,
    /// The entries while they are put in order.
    placed: Vec<Entry>,
    /// By series, where its next entry goes.
    places: Vec<u32>,
    /// The new readings of the commit under way, in order of series and identity.
    pub(crate) block: Vec<BlockRow>,
    body: Vec<u8>,
}

impl Workspace {
    /// Puts the entries in order of series and identity; of the same identity the first to come stays first.
    fn order(&mut self) {
        self.by_series();
        for run in self.entries.chunk_by_mut(|a, b| a.series == b.series) {
            if !run.is_sorted_by_key(|entry| entry.row.identity()) {
                run.sort_by_key(|entry| entry.row.identity());
            }
        }
    }

    /// Series by series: counted out, since ids are small numbers that lie close together; else sorted.
    fn by_series(&mut self) {
        let ids = || self.entries.iter().map(|entry| entry.series);
        let (Some(least), Some(most)) = (ids().min(), ids().max()) else { return };
        let span = usize::try_from(most.saturating_sub(least)).unwrap_or(usize::MAX);
        if SPARSE * self.entries.len() < span {
            self.entries.sort_by_key(|entry| entry.series);
            return;
        }
        let slot = |entry: &Entry| (entry.series - least) as usize;
        self.places.clear();
        self.places.resize(span + 1, 0);
        for entry in &self.entries {
            self.places[slot(entry)] += 1;
        }
        let mut next = 0;
        for place in &mut self.places {
            (*place, next) = (next, next + *place);
        }
        self.placed.clear();
        self.placed.extend_from_slice(&self.entries);
        for entry in &self.entries {
            let place = &mut self.places[slot(entry)];
            self.placed[*place as usize] = *entry;
            *place += 1;
        }
        std::mem::swap(&mut self.entries, &mut self.placed);
    }
}

/// What became of the readings, and the number of the block when there were new ones.
pub(crate) struct Placed {
    pub(crate) appends: Vec<Appended>,
    pub(crate) seq: Option<i64>,
}

/// Journals the readings of `appends` within the connection's transaction.
pub(crate) fn readings(
    conn: &Connection,
    archive: &Archive,
    recent: &mut Recent,
    ids: &mut SeriesIds,
    appends: &[Append],
    space: &mut Workspace,
) -> Result<Placed, Fault> {
    recent.agree(conn)?;
    space.entries.clear();
    space.block.clear();
    for (append, one) in (0..).zip(appends) {
        for (place, reading) in (0..).zip(&one.readings) {
            let series = ids.id(conn, &reading.series)?;
            space.entries.push(Entry { series, row: row_of(reading)?, append, place });
        }
    }
    space.order();
    let mut commit = Commit {
        conn,
        archive,
        appends,
        outcome: vec![Appended::default(); appends.len()],
        tallies: SeriesTallies::new(),
        block: &mut space.block,
    };
    for run in space.entries.chunk_by(|a, b| a.series == b.series) {
        commit.series(recent.series(run[0].series), run)?;
    }
    let Commit { outcome, tallies, .. } = commit;
    tally::add_of_series(conn, &tallies)?;
    let seq = if space.block.is_empty() { None } else { Some(put(conn, space)?) };
    Ok(Placed { appends: outcome, seq })
}

fn row_of(reading: &Reading) -> Result<Row, Fault> {
    let at_ms = reading.observed_at.millis();
    let delay_ms = reading.received_at.millis().checked_sub(at_ms);
    Ok(Row {
        at_ms,
        delay_ms: delay_ms
            .ok_or_else(|| StoreError::refused("a reading", "its instants are out of range"))?,
        bits: row::bits(reading.value),
        origin: codes::origin_code(reading.origin) as u8,
        quality: codes::quality_code(reading.quality) as u8,
    })
}

fn put(conn: &Connection, space: &mut Workspace) -> Result<i64, Fault> {
    row::put_block(&space.block, &mut space.body);
    let received = |one: &BlockRow| one.row.at_ms.saturating_add(one.row.delay_ms);
    let first_received_ms = space.block.iter().map(received).min().unwrap_or(0);
    conn.prepare_cached(
        "INSERT INTO intake (readings, bytes, first_received_ms, body) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((space.block.len() as i64, space.body.len() as i64, first_received_ms, &space.body))?;
    Ok(conn.last_insert_rowid())
}

struct Commit<'c> {
    conn: &'c Connection,
    archive: &'c Archive,
    appends: &'c [Append],
    outcome: Vec<Appended>,
    tallies: SeriesTallies,
    block: &'c mut Vec<BlockRow>,
}

impl Commit<'_> {
    /// The entries of one series, in order of their identity.
    fn series(&mut self, state: &mut SeriesRecent, run: &[Entry]) -> Result<(), Fault> {
        let Some((first, last)) = run.first().zip(run.last()) else { return Ok(()) };
        let key = self.reading(first).series.clone();
        let is_total = row::is_total(&key);
        let (from_ms, last_ms) = (first.row.at_ms, last.row.at_ms);
        let mut lookup = None;
        let mut newest: Option<Row> = None;
        for entry in run {
            let identity = entry.row.identity();
            let standing = match newest {
                Some(row) if row.identity() == identity => Some(row),
                _ if state.edge_ms(entry.row.origin) < entry.row.at_ms => None,
                _ => match state.find(identity) {
                    Some(row) => Some(row),
                    None => {
                        let lookup = match &mut lookup {
                            Some(lookup) => lookup,
                            None => lookup.insert(Lookup::new(
                                self.conn,
                                self.archive,
                                (entry.series, &key),
                                from_ms,
                                last_ms,
                            )?),
                        };
                        lookup.find(identity)?
                    }
                },
            };
            if standing.is_none() {
                newest = Some(entry.row);
                self.block.push(BlockRow { series: entry.series, is_total, row: entry.row });
            }
            self.settle(entry, &key, standing.map(|row| row.value(is_total)))?;
        }
        Ok(())
    }

    fn reading(&self, entry: &Entry) -> &Reading {
        &self.appends[entry.append as usize].readings[entry.place as usize]
    }

    /// Counts an entry; keeps another value than the one that stands aside.
    fn settle(&mut self, entry: &Entry, key: &SeriesKey, standing: Option<Value>) -> Result<(), Fault> {
        let value = self.reading(entry).value;
        let count = &mut self.outcome[entry.append as usize];
        match standing {
            None => count.new += 1,
            Some(standing) if standing == value => {
                count.duplicate += 1;
                return Ok(());
            }
            Some(_) => {
                count.conflicting += 1;
                // Counted when it first comes: whoever got no receipt sends it again.
                if !keep_conflict(self.conn, entry.series, &entry.row, row::is_total(key))? {
                    return Ok(());
                }
            }
        }
        let counted = &self.appends[entry.append as usize].counted;
        if let Some(Some(counted)) = counted.get(entry.place as usize) {
            tally::note(&mut self.tallies, entry.series, *counted, standing.is_none());
        }
        Ok(())
    }
}

/// Keeps the other value aside, once however often it comes. Returns whether it came for the first time.
pub(crate) fn keep_conflict(
    conn: &Connection,
    series: i64,
    row: &Row,
    is_total: bool,
) -> Result<bool, Fault> {
    let kept = conn
        .prepare_cached(
            "INSERT INTO conflict (series, at_ms, origin, value, quality, delay_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute((
            series,
            row.at_ms,
            row.origin,
            codes::value_to_sql(row.value(is_total)),
            row.quality,
            row.delay_ms,
        ))?;
    Ok(0 < kept)
}
