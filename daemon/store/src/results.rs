//! Results that were made of readings, kept to save the making: each with the mark of changes up to which the readings
//! behind it were seen, and with a fingerprint of the rules, settings and acts by which it was made.
//!
//! Must never: give a body that is not what was kept, or be the only place where something stands.

use model::{Digest, Instant, SeriesKey};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use crate::error::{Fault, StoreError};
use crate::store::Store;

/// Largest body in bytes.
const BODY_BYTES_MAX: usize = 16 << 20;
/// Most results kept of a kind and series; the oldest instants make room.
const RESULTS_MAX: u32 = 400;

/// One result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptResult {
    /// What it is, as whoever made it calls it: `checkpoint`, `hours`.
    pub kind: &'static str,
    pub series: SeriesKey,
    /// The instant it is about.
    pub at: Instant,
    pub fingerprint: Digest,
    /// [`Store::change_mark`] before its readings were read.
    pub mark: i64,
    pub body: Vec<u8>,
}

fn words(series: &SeriesKey) -> (String, &'static str, &'static str) {
    (series.meter.to_string(), series.channel.quantity.code(), series.channel.phase.code())
}

fn put(conn: &Connection, result: &KeptResult) -> Result<(), Fault> {
    let (meter, quantity, phase) = words(&result.series);
    let sha256: [u8; 32] = Sha256::digest(&result.body).into();
    conn.prepare_cached(
        "INSERT OR REPLACE INTO result (kind, meter, quantity, phase, at_ms, fingerprint, mark, sha256, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute((
        result.kind,
        &meter,
        quantity,
        phase,
        result.at.millis(),
        result.fingerprint.0,
        result.mark,
        sha256,
        &result.body,
    ))?;
    conn.prepare_cached(
        "DELETE FROM result WHERE kind = ?1 AND meter = ?2 AND quantity = ?3 AND phase = ?4 AND at_ms <= (
             SELECT at_ms FROM result WHERE kind = ?1 AND meter = ?2 AND quantity = ?3 AND phase = ?4
             ORDER BY at_ms DESC LIMIT 1 OFFSET ?5)",
    )?
    .execute((result.kind, &meter, quantity, phase, RESULTS_MAX))?;
    Ok(())
}

impl Store {
    /// Keeps results, each in the place of the one of its kind, series and instant. Blocks until they are on disk.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a body of more than 16 mebibytes; the database's own. Nothing is kept then.
    pub fn keep_results(&self, results: Vec<KeptResult>) -> Result<(), StoreError> {
        if let Some(large) = results.iter().find(|r| BODY_BYTES_MAX < r.body.len()) {
            let what = format!("the {} of {}", large.kind, large.series.meter);
            return Err(StoreError::refused(what, "it is too large"));
        }
        if results.is_empty() {
            return Ok(());
        }
        self.write("keep results", move |conn| results.iter().try_for_each(|result| put(conn, result)))
    }

    /// The newest result of a kind and series about an instant not after `until` whose readings did not change since:
    /// none of them up to `reach` milliseconds after its instant. A damaged one is passed over.
    ///
    /// # Errors
    /// The database's own.
    pub fn result(
        &self,
        kind: &'static str,
        series: &SeriesKey,
        fingerprint: &Digest,
        until: Instant,
        reach: i64,
    ) -> Result<Option<KeptResult>, StoreError> {
        let (meter, quantity, phase) = words(series);
        let mut before = until;
        loop {
            let found = self.read("read results", |conn| {
                let mut select = conn.prepare_cached(
                    "SELECT at_ms, mark, sha256, body FROM result
                     WHERE kind = ?1 AND meter = ?2 AND quantity = ?3 AND phase = ?4 AND at_ms <= ?5
                       AND fingerprint = ?6
                     ORDER BY at_ms DESC LIMIT 1",
                )?;
                let mut rows =
                    select.query((kind, &meter, quantity, phase, before.millis(), fingerprint.0))?;
                let Some(row) = rows.next()? else { return Ok(None) };
                let (at, mark): (i64, i64) = (row.get(0)?, row.get(1)?);
                let (sha256, body): ([u8; 32], Vec<u8>) = (row.get(2)?, row.get(3)?);
                Ok(Some((Instant::from_millis(at), mark, sha256, body)))
            })?;
            let Some((at, mark, sha256, body)) = found else { return Ok(None) };
            let reached = at.plus_millis(reach);
            let sound = <[u8; 32]>::from(Sha256::digest(&body)) == sha256;
            if sound && self.last_change(series, Instant::from_millis(i64::MIN), reached)? <= mark {
                let (series, fingerprint) = (series.clone(), *fingerprint);
                return Ok(Some(KeptResult { kind, series, at, fingerprint, mark, body }));
            }
            before = at.plus_millis(-1);
        }
    }

    /// Drops every result of a series.
    ///
    /// # Errors
    /// The database's own.
    pub fn drop_results(&self, series: &SeriesKey) -> Result<(), StoreError> {
        let (meter, quantity, phase) = words(series);
        self.write("drop results", move |conn| {
            conn.execute(
                "DELETE FROM result WHERE meter = ?1 AND quantity = ?2 AND phase = ?3",
                (meter, quantity, phase),
            )?;
            Ok(())
        })
    }
}
