//! Intervals of a file that are finer than one that stands: quarter-hours for a month that an earlier file gave as one total.
//! They take its place where they fill it and come to the same.
//!
//! Must never: let finer intervals leave out a part of what they replace, or change its total without a person's reason.

use model::{Digest, FiledInterval, Instant};
use rusqlite::Connection;

use crate::error::{Fault, StoreError};
use crate::imports::ImportRow;
use crate::series;

/// Why rows of an import cannot be entered beside what stands, and which: their places in the list given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    pub rows: Vec<usize>,
    pub reason: String,
}

/// What an import does to standing intervals with other ends.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Those that finer ones take the place of.
    pub(crate) replaced: Vec<FiledInterval>,
    pub(crate) clashes: Vec<Clash>,
}

/// Judges rows, by series and time, against what stands. `corrects` is whether a person gave a reason for another total.
pub(crate) fn judge(
    conn: &Connection,
    rows: &[(usize, &FiledInterval)],
    source_sha256: &Digest,
    corrects: bool,
) -> Result<Judged, Fault> {
    let mut judged = Judged::default();
    for group in rows.chunk_by(|a, b| a.1.series == b.1.series) {
        for standing in standing(conn, group)? {
            // What begins earlier may reach in: intervals of one file do not overlap, so it is one at most.
            let first = group.partition_point(|(_, row)| row.to <= standing.from);
            let over: Vec<(usize, &FiledInterval)> =
                group[first..].iter().take_while(|(_, row)| row.from < standing.to).copied().collect();
            match over.as_slice() {
                [] => {}
                [(_, row)] if (row.from, row.to) == (standing.from, standing.to) => {}
                _ => judged.put(conn, standing, &over, source_sha256, corrects)?,
            }
        }
    }
    Ok(judged)
}

/// The standing intervals within the time of rows of one series, in order.
fn standing(conn: &Connection, group: &[(usize, &FiledInterval)]) -> Result<Vec<FiledInterval>, Fault> {
    let (Some((_, first)), Some((_, last))) = (group.first(), group.last()) else { return Ok(Vec::new()) };
    let Some(id) = series::find(conn, &first.series)? else { return Ok(Vec::new()) };
    let mut select = conn.prepare_cached(
        "SELECT from_ms, to_ms, amount, received_ms FROM filed_interval
         WHERE series = ?1 AND ?2 < to_ms AND from_ms < ?3 ORDER BY from_ms",
    )?;
    let mut rows = select.query((id, first.from.millis(), last.to.millis()))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(crate::filed::interval(row, 0, first.series.clone())?);
    }
    Ok(all)
}

impl Judged {
    fn put(
        &mut self,
        conn: &Connection,
        standing: FiledInterval,
        over: &[(usize, &FiledInterval)],
        source_sha256: &Digest,
        corrects: bool,
    ) -> Result<(), Fault> {
        // A file that brought them before, and of which finer ones have taken the place, changes nothing.
        for (_, row) in over {
            if row.was_replaced(conn, source_sha256)? {
                return Ok(());
            }
        }
        let clash = |reason: String| Clash { rows: over.iter().map(|(place, _)| *place).collect(), reason };
        let (from, to) = (standing.from, standing.to);
        if over.iter().any(|(_, row)| row.from < from || to < row.to) {
            self.clashes.push(clash(format!(
                "it overlaps the one from {from} to {to} that an earlier file gave, so energy would count twice; import \
                 values of the same intervals, or leave those out that the earlier file has"
            )));
            return Ok(());
        }
        let meets = over.windows(2).all(|pair| pair[0].1.to == pair[1].1.from);
        let ends = |at: Option<Instant>, wanted: Instant| at == Some(wanted);
        let fills = meets
            && ends(over.first().map(|(_, row)| row.from), from)
            && ends(over.last().map(|(_, row)| row.to), to);
        if !fills {
            self.clashes.push(clash(format!(
                "an earlier file gave one value from {from} to {to}, and the finer ones of this file do not fill that time, so \
                 energy would count twice or be lost; import all of it, or leave it out"
            )));
            return Ok(());
        }
        let total = over.iter().fold(0_i64, |sum, (_, row)| sum.saturating_add(row.amount));
        if corrects || agree(standing.amount, total, over) {
            self.replaced.push(standing);
        } else {
            self.clashes.push(clash(format!(
                "an earlier file gave {} from {from} to {to}, and the finer values of this file come to {total} (in Wh or \
                 litres); if they correct it, give the reason with --replace",
                standing.amount
            )));
        }
        Ok(())
    }
}

/// Whether a total and finer values are the same statement: apart by no more than their rounding. A total in whole kWh or
/// m3 was rounded by half of one, any other by half of its last unit; the finer ones by half a step each, but together not
/// by more than a thousandth, which is more than roundings that go either way come to.
fn agree(total: i64, sum: i64, finer: &[(usize, &FiledInterval)]) -> bool {
    let step = |amounts: &mut dyn Iterator<Item = i64>| {
        let mut step = 1_000;
        for amount in amounts {
            while amount % step != 0 {
                step /= 10;
            }
        }
        step
    };
    let own = step(&mut std::iter::once(total));
    let each = step(&mut finer.iter().map(|(_, row)| row.amount));
    let count = i64::try_from(finer.len()).unwrap_or(i64::MAX);
    let together = each.saturating_mul(count).min(total / 500);
    // Both in halves, so that nothing is rounded once more.
    total.abs_diff(sum).saturating_mul(2) <= (own + together).unsigned_abs()
}

/// The error of an import that clashes with what stands.
pub(crate) fn refused(clash: &Clash, first: &FiledInterval) -> StoreError {
    let what = format!("the interval of {} from {} to {}", first.series.meter, first.from, first.to);
    StoreError::refused(what, clash.reason.clone())
}
