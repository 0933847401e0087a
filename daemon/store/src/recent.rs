//! The readings that do not stand in chunks yet, in memory, and the latest instant of every series: what the blocks
//! of the intake say, kept so that nobody has to decode them again.
//!
//! A process that commits a block puts it in here afterwards; what another process committed is read from the disk
//! by whoever looks next. `folded_seq` and `seen_seq` say which blocks are in here.
//!
//! Must never: hold what is not committed, or be looked at without a transaction that says how far the intake goes.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use rusqlite::Connection;

use crate::codes::ORIGINS;
use crate::error::Fault;
use crate::months::{month_of, month_start_ms};
use crate::row::{self, BlockRow, Row};
use crate::series::Quick;

/// Readings of a series for which room is kept from one folding to the next: 32 bytes each.
const ROOM_KEPT: usize = 512;

/// How a snapshot of the database and the memory go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// The memory has the blocks after those folded in the snapshot.
    Same,
    /// The snapshot is from before the last folding: take another one.
    SnapshotIsOlder,
}

/// One series.
#[derive(Debug)]
pub(crate) struct SeriesRecent {
    pub(crate) is_total: bool,
    /// Latest instant of each origin, folded or not; `i64::MIN` for none.
    pub(crate) edges_ms: [i64; ORIGINS],
    rows: Vec<Row>,
    sorted: bool,
    /// Last change of each month of UTC that has rows here.
    changed: BTreeMap<i64, i64>,
}

impl Default for SeriesRecent {
    fn default() -> Self {
        Self {
            is_total: true,
            edges_ms: [i64::MIN; ORIGINS],
            rows: Vec::new(),
            sorted: true,
            changed: BTreeMap::new(),
        }
    }
}

impl SeriesRecent {
    /// Rows in order of their identity.
    pub(crate) fn rows(&mut self) -> &[Row] {
        if !self.sorted {
            self.rows.sort_by_key(Row::identity);
            self.sorted = true;
        }
        &self.rows
    }

    /// Rows of a span, both ends in it.
    pub(crate) fn between(&mut self, from: (i64, u8), last: (i64, u8)) -> &[Row] {
        let rows = self.rows();
        let first = rows.partition_point(|row| row.identity() < from);
        let rows = rows.get(first..).unwrap_or_default();
        &rows[..rows.partition_point(|row| row.identity() <= last)]
    }

    pub(crate) fn find(&mut self, identity: (i64, u8)) -> Option<Row> {
        let rows = self.rows();
        rows.binary_search_by_key(&identity, Row::identity).ok().map(|at| rows[at])
    }

    pub(crate) fn changed(&self) -> &BTreeMap<i64, i64> {
        &self.changed
    }

    /// Latest instant of one origin.
    pub(crate) fn edge_ms(&self, origin: u8) -> i64 {
        self.edges_ms.get(usize::from(origin)).copied().unwrap_or(i64::MAX)
    }

    fn push(&mut self, one: &BlockRow, seq: i64, month: &mut (i64, i64)) {
        self.is_total = one.is_total;
        if let Some(edge) = self.edges_ms.get_mut(usize::from(one.row.origin)) {
            *edge = (*edge).max(one.row.at_ms);
        }
        self.sorted &= self.rows.last().is_none_or(|last| last.identity() < one.row.identity());
        self.rows.push(one.row);
        if one.row.at_ms < month.0 || month.1 <= one.row.at_ms {
            let number = month_of(one.row.at_ms);
            *month = (month_start_ms(number), month_start_ms(number + 1));
            self.changed.insert(number, seq);
        }
    }
}

/// All series.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    folded_seq: i64,
    seen_seq: i64,
    loaded: bool,
    readings: usize,
    series: HashMap<i64, SeriesRecent, Quick>,
}

impl Recent {
    /// Makes the memory agree with the snapshot that the connection's transaction sees.
    pub(crate) fn agree(&mut self, conn: &Connection) -> Result<Agreement, Fault> {
        let (folded_seq, last_seq) = marks(conn)?;
        if self.loaded && folded_seq < self.folded_seq {
            return Ok(Agreement::SnapshotIsOlder);
        }
        if !self.loaded || self.folded_seq < folded_seq {
            self.loaded = false;
            self.series.clear();
            self.readings = 0;
            load_edges(conn, &mut self.series)?;
            (self.folded_seq, self.seen_seq) = (folded_seq, folded_seq);
            self.loaded = true;
        }
        if self.seen_seq < last_seq {
            let loaded = self.load(conn);
            // A block left out would be taken for one that is not there.
            self.loaded = loaded.is_ok();
            loaded?;
        }
        Ok(Agreement::Same)
    }

    fn load(&mut self, conn: &Connection) -> Result<(), Fault> {
        let mut select = conn.prepare_cached("SELECT seq, body FROM intake WHERE seq > ?1 ORDER BY seq")?;
        let mut rows = select.query([self.seen_seq])?;
        while let Some(row) = rows.next()? {
            let seq = row.get(0)?;
            let block = row::block(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?);
            let block = block.ok_or_else(|| Fault::Unreadable(format!("the damaged intake {seq}")))?;
            self.take(seq, &block);
        }
        Ok(())
    }

    /// Takes in a block that this process has just committed, unless a reader has found it already.
    pub(crate) fn committed(&mut self, seq: i64, block: &[BlockRow]) {
        if self.loaded && self.seen_seq < seq {
            self.take(seq, block);
        }
    }

    fn take(&mut self, seq: i64, block: &[BlockRow]) {
        let mut rest = block;
        while let Some(first) = rest.first() {
            let (run, further) = rest.split_at(rest.partition_point(|one| one.series == first.series));
            // Blocks are in order of series; one that is not still makes progress.
            let (run, further) = if run.is_empty() { rest.split_at(1) } else { (run, further) };
            rest = further;
            let series = self.series.entry(first.series).or_default();
            // Bounds of the month noted last.
            let mut month = (i64::MAX, i64::MIN);
            for one in run {
                series.push(one, seq, &mut month);
            }
        }
        self.readings += block.len();
        self.seen_seq = seq;
    }

    /// After a folding was committed: what was here stands in chunks up to this number.
    pub(crate) fn folded(&mut self, folded_seq: i64) {
        if folded_seq <= self.folded_seq {
            return;
        }
        if folded_seq != self.seen_seq {
            // More has come meanwhile: read again what is left.
            self.loaded = false;
            return;
        }
        for series in self.series.values_mut() {
            series.rows.clear();
            // A series that is read on has its room already; one that had a burst gives it back.
            series.rows.shrink_to(ROOM_KEPT);
            series.sorted = true;
            series.changed.clear();
        }
        self.readings = 0;
        self.folded_seq = folded_seq;
    }

    /// The memory may be half changed: begin anew with the next look.
    pub(crate) fn forget(&mut self) {
        self.loaded = false;
    }

    pub(crate) fn readings(&self) -> usize {
        self.readings
    }

    pub(crate) fn seen_seq(&self) -> i64 {
        self.seen_seq
    }

    pub(crate) fn series(&mut self, id: i64) -> &mut SeriesRecent {
        self.series.entry(id).or_default()
    }

    pub(crate) fn known(&mut self, id: i64) -> Option<&mut SeriesRecent> {
        self.series.get_mut(&id)
    }

    /// Ids of the series that have rows here, ascending.
    pub(crate) fn with_rows(&self) -> Vec<i64> {
        let mut ids: Vec<i64> =
            self.series.iter().filter(|(_, s)| !s.rows.is_empty()).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }
}

/// Memory shared by the writer and the readers of a process.
#[derive(Debug, Default)]
pub(crate) struct SharedRecent(Mutex<Recent>);

impl SharedRecent {
    /// Waits for whoever looks at it now. After a panic of that one the memory begins anew.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Recent> {
        self.0.lock().unwrap_or_else(|poisoned| {
            self.0.clear_poison();
            let mut recent = poisoned.into_inner();
            recent.forget();
            recent
        })
    }
}

/// How far the intake is folded, and its last number.
pub(crate) fn marks(conn: &Connection) -> Result<(i64, i64), Fault> {
    let mut select = conn.prepare_cached(
        "SELECT (SELECT value FROM counter WHERE name = 'folded_seq'), (SELECT max(seq) FROM intake)",
    )?;
    let (folded, last): (i64, Option<i64>) = select.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((folded, last.unwrap_or(folded).max(folded)))
}

fn load_edges(conn: &Connection, series: &mut HashMap<i64, SeriesRecent, Quick>) -> Result<(), Fault> {
    let mut select = conn.prepare_cached("SELECT series, origin, last_ms FROM series_edge")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (id, origin, last_ms): (i64, u8, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if let Some(edge) = series.entry(id).or_default().edges_ms.get_mut(usize::from(origin)) {
            *edge = last_ms;
        }
    }
    Ok(())
}
