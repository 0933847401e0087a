//! Thinning of old gauges, and holds on what must not be thinned.
//!
//! Of each interval of a set length the first plausible reading of each origin stays, as it came. Totals are kept for
//! ever: what they say between two readings is energy.
//!
//! Must never: thin a total or a held span, make a value up, or thin what stands in two places in only one of them.

use std::collections::HashMap;

use model::{Instant, Kind, Quality, Quantity, SeriesKey};
use rusqlite::Connection;

use crate::archive::manifest::{self, ArchivedMonth};
use crate::chunks;
use crate::codes;
use crate::error::{Fault, StoreError};
use crate::months::{month_of, month_start_ms};
use crate::row::Row;
use crate::series;
use crate::store::Store;

/// Longest name of a hold, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// Most spans under one name.
const SPANS_MAX: usize = 100_000;

/// How gauges of one quantity are thinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thinning {
    pub quantity: Quantity,
    /// Readings observed before this are thinned.
    pub before: Instant,
    /// Length of an interval of which one reading stays.
    pub every_ms: i64,
}

/// What a thinning did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Thinned {
    pub removed: u64,
    /// Archived months written anew.
    pub files: u64,
}

/// Readings that somebody refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldSpan {
    pub series: SeriesKey,
    pub from: Instant,
    pub to: Instant,
}

impl Store {
    /// Holds spans of series under a name, a submission's for example, in the place of what the name held before.
    /// On disk when this returns; nothing in the spans is thinned from then on.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an empty or long name or too many spans; the database's own.
    pub fn hold(&self, name: &str, spans: &[HeldSpan]) -> Result<(), StoreError> {
        if name.is_empty() || NAME_BYTES_MAX < name.len() || SPANS_MAX < spans.len() {
            let says = format!("a name has 1 to {NAME_BYTES_MAX} bytes and at most {SPANS_MAX} spans");
            return Err(StoreError::refused("a hold on readings", says));
        }
        let (name, spans) = (name.to_owned(), spans.to_vec());
        self.write("hold readings", move |conn| {
            conn.execute("DELETE FROM hold WHERE name = ?1", [&name])?;
            let mut insert = conn.prepare_cached(
                "INSERT OR IGNORE INTO hold (name, series, from_ms, to_ms) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for span in &spans {
                let id = series::ensure(conn, &span.series)?;
                insert.execute((&name, id, span.from.millis(), span.to.millis()))?;
            }
            Ok(())
        })
    }

    /// Lets go what a name holds; returns whether it held anything.
    ///
    /// # Errors
    /// The database's own.
    pub fn release(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write("release readings", move |conn| {
            Ok(0 < conn.execute("DELETE FROM hold WHERE name = ?1", [name])?)
        })
    }

    /// What is held, and under which name, in order.
    ///
    /// # Errors
    /// The database's own.
    pub fn holds(&self) -> Result<Vec<(String, HeldSpan)>, StoreError> {
        let mut all = self.read("read holds", |conn| {
            let mut select = conn.prepare_cached(
                "SELECT h.name, h.from_ms, h.to_ms, s.meter, s.quantity, s.phase
                 FROM hold h JOIN series s ON s.id = h.series",
            )?;
            let mut rows = select.query([])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let (from, to) = (Instant::from_millis(row.get(1)?), Instant::from_millis(row.get(2)?));
                all.push((row.get(0)?, HeldSpan { series: series::key(row, 3)?, from, to }));
            }
            Ok(all)
        })?;
        all.sort_unstable();
        Ok(all)
    }

    /// Thins gauges in journal and archive. A span that was thinned once with this rule is not looked at again.
    /// Blocks for as long as it takes; what is done stays done after an error. `now` dates rewritten months, which
    /// [`Store::archive_drop`] rids of their older generations.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a total, an interval of no length, or a store that is not the daemon's; the
    /// disk's own.
    pub fn thin(&self, rule: Thinning, now: Instant) -> Result<Thinned, StoreError> {
        self.must_be_daemon("thin old readings")?;
        if rule.quantity.kind() == Kind::Total || rule.every_ms <= 0 {
            let subject = format!("thinning {} to one in {} ms", rule.quantity.code(), rule.every_ms);
            return Err(StoreError::refused(subject, "only gauges are thinned, to intervals of some length"));
        }
        let progress = format!("thinned {} {}", rule.quantity.code(), rule.every_ms);
        let since_ms = self.read("read how far was thinned", |conn| counter(conn, &progress))?;
        let since_ms = since_ms.unwrap_or(i64::MIN);
        if rule.before.millis() <= since_ms {
            return Ok(Thinned::default());
        }
        let held = self.held()?;
        self.fold()?;
        let mut done = Thinned::default();
        for key in self.series()?.into_iter().filter(|key| key.channel.quantity == rule.quantity) {
            let spans = held.get(&key).cloned().unwrap_or_default();
            done.removed += self.thin_chunks(key, rule, since_ms, spans)?;
        }
        let months = self.read("read the archive's manifest", |conn| {
            manifest::current(conn, since_ms, rule.before.millis() - 1)
        })?;
        let mut all = true;
        for month in &months {
            // A month whose former generation still waits to be dropped is thinned another time.
            if month.dropped_at.is_none() || rule.before < month.to {
                all = false;
                continue;
            }
            let removed = self.thin_month(month, rule, &held, now)?;
            done.removed += removed;
            done.files += u64::from(0 < removed);
        }
        if all {
            let before_ms = rule.before.millis();
            self.write("note how far was thinned", move |conn| put_counter(conn, &progress, before_ms))?;
        }
        Ok(done)
    }

    fn held(&self) -> Result<HashMap<SeriesKey, Vec<(i64, i64)>>, StoreError> {
        let mut held: HashMap<SeriesKey, Vec<(i64, i64)>> = HashMap::new();
        for (_, HeldSpan { series, from, to }) in self.holds()? {
            held.entry(series).or_default().push((from.millis(), to.millis()));
        }
        Ok(held)
    }

    /// The journal's chunks of one series, a month a transaction.
    fn thin_chunks(
        &self,
        key: SeriesKey,
        rule: Thinning,
        since_ms: i64,
        held: Vec<(i64, i64)>,
    ) -> Result<u64, StoreError> {
        let last_ms = rule.before.millis() - 1;
        let months = self.read("look for old readings", |conn| {
            let Some(id) = series::find(conn, &key)? else { return Ok(None) };
            let headers = chunks::headers(conn, id, since_ms, last_ms, i64::MAX)?;
            let mut months: Vec<i64> = headers.iter().map(|header| month_of(header.first_ms)).collect();
            months.dedup();
            Ok(Some((id, months)))
        })?;
        let Some((id, months)) = months else { return Ok(0) };
        let mut removed = 0;
        for month in months {
            let held = held.clone();
            removed += self.write("thin old readings", move |conn| {
                thin_month_of_chunks(conn, id, month, &Sieve::new(rule, held))
            })?;
        }
        Ok(removed)
    }

    /// An archived month as a new generation without what the rule takes out. Returns how many readings went.
    fn thin_month(
        &self,
        month: &ArchivedMonth,
        rule: Thinning,
        held: &HashMap<SeriesKey, Vec<(i64, i64)>>,
        now: Instant,
    ) -> Result<u64, StoreError> {
        let sieve_of = |key: &SeriesKey| {
            let wanted = key.channel.quantity == rule.quantity;
            wanted.then(|| Sieve::new(rule, held.get(key).cloned().unwrap_or_default()))
        };
        let mut before = 0;
        let next = (month.month.as_str(), month.generation.saturating_add(1));
        let entry = self.write_generation(next, (month.from, month.to), now, &mut |key, readings| {
            before += readings.len() as u64;
            if let Some(mut sieve) = sieve_of(key) {
                readings.retain(|reading| sieve.keeps(&Row::of(reading)));
            }
        })?;
        let removed = before - entry.readings;
        if removed == 0 {
            let place = self.archive().place(&entry.name);
            std::fs::remove_file(place).map_err(|e| self.archive().failed(&entry.name, "remove", e))?;
            return Ok(0);
        }
        let keys: Vec<SeriesKey> = self.series()?.into_iter().filter(|key| sieve_of(key).is_some()).collect();
        self.write("enter a thinned month in the archive's manifest", move |conn| {
            manifest::insert(conn, &entry)?;
            for key in &keys {
                if let Some(id) = series::find(conn, key)? {
                    changed(conn, id, month_of(entry.from.millis()), month_of(entry.to.millis() - 1))?;
                }
            }
            Ok(())
        })?;
        Ok(removed)
    }
}

/// Decides reading by reading, in order of time.
#[derive(Debug, Clone)]
struct Sieve {
    rule: Thinning,
    held: Vec<(i64, i64)>,
    /// The last interval of each origin of which a reading was kept.
    kept: HashMap<u8, i64>,
}

impl Sieve {
    fn new(rule: Thinning, held: Vec<(i64, i64)>) -> Self {
        Self { rule, held, kept: HashMap::new() }
    }

    fn keeps(&mut self, row: &Row) -> bool {
        let interval = row.at_ms.div_euclid(self.rule.every_ms);
        if self.rule.before.millis() <= row.at_ms
            || self.held.iter().any(|(from, to)| *from <= row.at_ms && row.at_ms < *to)
        {
            return true;
        }
        // What was never used is no reading of its interval; it goes with the others.
        let plausible = i64::from(row.quality) != codes::quality_code(Quality::Implausible);
        plausible && self.kept.insert(row.origin, interval) != Some(interval)
    }
}

fn thin_month_of_chunks(conn: &Connection, series: i64, month: i64, sieve: &Sieve) -> Result<u64, Fault> {
    let (from_ms, last_ms) = (month_start_ms(month), month_start_ms(month + 1).saturating_sub(1));
    let headers = chunks::headers(conn, series, from_ms, last_ms, i64::MAX)?;
    let mut rows = Vec::new();
    for header in &headers {
        chunks::load(conn, header.id, &mut rows)?;
    }
    rows.sort_by_key(Row::identity);
    let before = rows.len();
    let mut sieve = sieve.clone();
    rows.retain(|row| sieve.keeps(row));
    if rows.len() == before {
        return Ok(0);
    }
    for header in &headers {
        chunks::remove(conn, header.id)?;
    }
    chunks::insert(conn, series, false, &rows)?;
    changed(conn, series, month, month)?;
    Ok((before - rows.len()) as u64)
}

/// Notes a change that no block of the intake made, under a number of its own.
fn changed(conn: &Connection, series: i64, first_month: i64, last_month: i64) -> Result<(), Fault> {
    conn.execute("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'intake'", [])?;
    let mut put = conn.prepare_cached(
        "INSERT INTO series_month (series, month, changed_seq)
         VALUES (?1, ?2, (SELECT seq FROM sqlite_sequence WHERE name = 'intake'))
         ON CONFLICT DO UPDATE SET changed_seq = excluded.changed_seq",
    )?;
    for month in first_month..=last_month {
        put.execute((series, month))?;
    }
    Ok(())
}

fn counter(conn: &Connection, name: &str) -> Result<Option<i64>, Fault> {
    use rusqlite::OptionalExtension;
    let mut select = conn.prepare_cached("SELECT value FROM counter WHERE name = ?1")?;
    Ok(select.query_row([name], |row| row.get(0)).optional()?)
}

fn put_counter(conn: &Connection, name: &str, value: i64) -> Result<(), Fault> {
    conn.execute("INSERT OR REPLACE INTO counter (name, value) VALUES (?1, ?2)", (name, value))?;
    Ok(())
}
