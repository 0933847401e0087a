//! Counts per meter and civil month: how many readings were to come and what became of them. What is counted of a
//! reading is counted in the reading's own transaction, so that counts and journal never disagree after a crash.
//!
//! Must never: decide which readings count; whoever appends them says so.

use std::collections::BTreeMap;

use model::{Instant, MeterId, Month};
use rusqlite::Connection;

use crate::error::{Fault, StoreError};
use crate::store::Store;

/// One word of the loss budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tally {
    /// Readings that the meter's period asks for.
    Expected,
    /// Newly in the journal and usable, late ones included.
    Received,
    /// Of those received: long after their time, or after a later one.
    Late,
    /// Implausible, or another value under the identity of an earlier reading: kept aside, not used.
    Refused,
    /// Payloads that could not be understood.
    Quarantined,
    /// Values that the device itself said it does not have.
    NoValue,
    /// Lost: the journal refused them for longer than the source could hold them.
    Dropped,
}

impl Tally {
    pub const ALL: [Self; 7] = [
        Self::Expected,
        Self::Received,
        Self::Late,
        Self::Refused,
        Self::Quarantined,
        Self::NoValue,
        Self::Dropped,
    ];

    /// Stable: it stands on disk, in metrics and in the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Received => "received",
            Self::Late => "late",
            Self::Refused => "refused",
            Self::Quarantined => "quarantined",
            Self::NoValue => "no_value",
            Self::Dropped => "dropped",
        }
    }
}

/// How a reading is counted when it is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub month: Month,
    pub late: bool,
    /// `false` for a reading that is kept but never used.
    pub usable: bool,
}

/// Counts by meter, month and word.
pub type Tallies = BTreeMap<(MeterId, Month, Tally), u64>;

/// Counts of one transaction by series id, month and word.
pub(crate) type SeriesTallies = BTreeMap<(i64, Month, Tally), u64>;

/// Notes what became of a counted reading.
pub(crate) fn note(tallies: &mut SeriesTallies, series: i64, counted: Counted, is_new: bool) {
    let mut one = |what| *tallies.entry((series, counted.month, what)).or_insert(0) += 1;
    if !(is_new && counted.usable) {
        one(Tally::Refused);
        return;
    }
    one(Tally::Received);
    if counted.late {
        one(Tally::Late);
    }
}

/// Adds the counts of a transaction of readings.
pub(crate) fn add_of_series(conn: &Connection, tallies: &SeriesTallies) -> Result<(), Fault> {
    let mut add = conn.prepare_cached(
        "INSERT INTO tally (meter, month, what, count) SELECT meter, ?2, ?3, ?4 FROM series WHERE id = ?1
         ON CONFLICT (meter, month, what) DO UPDATE SET count = count + excluded.count",
    )?;
    for ((series, month, what), count) in tallies {
        add.execute((series, month.to_string(), what.code(), i64::try_from(*count).unwrap_or(i64::MAX)))?;
    }
    Ok(())
}

impl Store {
    /// Adds counts, and notes for each meter of `until` up to which instant its expected readings are now counted;
    /// all in one transaction. Blocks until it is on disk.
    ///
    /// # Errors
    /// The database's own; nothing was added.
    pub fn add_tallies(&self, tallies: Tallies, until: BTreeMap<MeterId, Instant>) -> Result<(), StoreError> {
        self.write("add to the tally", move |conn| {
            let mut add = conn.prepare_cached(
                "INSERT INTO tally (meter, month, what, count) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (meter, month, what) DO UPDATE SET count = count + excluded.count",
            )?;
            for ((meter, month, what), count) in &tallies {
                let count = i64::try_from(*count).unwrap_or(i64::MAX);
                add.execute((meter.as_str(), month.to_string(), what.code(), count))?;
            }
            let mut put =
                conn.prepare_cached("INSERT OR REPLACE INTO tally_until (meter, at_ms) VALUES (?1, ?2)")?;
            for (meter, at) in &until {
                put.execute((meter.as_str(), at.millis()))?;
            }
            Ok(())
        })
    }

    /// The counts of `from` and later months, of all meters.
    ///
    /// # Errors
    /// The database's own, or a row that this version did not write.
    pub fn tallies(&self, from: Month) -> Result<Tallies, StoreError> {
        self.read("read the tally", |conn| {
            let mut select =
                conn.prepare_cached("SELECT meter, month, what, count FROM tally WHERE month >= ?1")?;
            let mut rows = select.query([from.to_string()])?;
            let mut found = Tallies::new();
            while let Some(row) = rows.next()? {
                let (meter, month, what): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let unreadable = || Fault::Unreadable(format!("the tally {meter:?} {month:?} {what:?}"));
                let key = (
                    MeterId::new(&meter).map_err(|_| unreadable())?,
                    month_of(&month).ok_or_else(unreadable)?,
                    Tally::ALL.into_iter().find(|t| t.code() == what).ok_or_else(unreadable)?,
                );
                found.insert(key, row.get::<_, i64>(3)?.unsigned_abs());
            }
            Ok(found)
        })
    }

    /// Up to when the expected readings of each meter are counted.
    ///
    /// # Errors
    /// The database's own, or a row that this version did not write.
    pub fn tallied_until(&self) -> Result<BTreeMap<MeterId, Instant>, StoreError> {
        self.read("read how far the tally goes", |conn| {
            let mut select = conn.prepare_cached("SELECT meter, at_ms FROM tally_until")?;
            let mut rows = select.query([])?;
            let mut found = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let meter: String = row.get(0)?;
                let id = MeterId::new(&meter)
                    .map_err(|_| Fault::Unreadable(format!("the tally's meter {meter:?}")))?;
                found.insert(id, Instant::from_millis(row.get(1)?));
            }
            Ok(found)
        })
    }

    /// Forgets up to when the expected readings of a meter are counted: it is read no more.
    ///
    /// # Errors
    /// The database's own.
    pub fn end_tally(&self, meter: &MeterId) -> Result<(), StoreError> {
        let meter = meter.to_string();
        self.write("end a tally", move |conn| {
            conn.execute("DELETE FROM tally_until WHERE meter = ?1", [meter])?;
            Ok(())
        })
    }
}

/// Reads `2025-03`.
fn month_of(text: &str) -> Option<Month> {
    let (year, number) = text.rsplit_once('-')?;
    Month::new(year.parse().ok()?, number.parse().ok()?)
}
