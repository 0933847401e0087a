//! Bills and daily temperatures from files: all of a file or nothing, the same file twice changes
//! nothing, and a changed value keeps the one it replaces.
//!
//! Must never: overwrite without keeping, or enter a row that its audit entry does not tell of.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Debug;

use chrono::NaiveDate;
use model::{BilledPeriod, DailyTemperature, Digest, Instant, MeanDefinition, StationId, TemperatureSource};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::audit::{self, AuditBreak, Change, FieldHasher};
use crate::codes;
use crate::error::{Fault, StoreError};
use crate::records::check_text;
use crate::store::Store;

const SUPPLY_POINT_BYTES_MAX: usize = 64;
const SOURCE_NAME_BYTES_MAX: usize = 1_024;
const AUTHOR_BYTES_MAX: usize = 256;
/// Most rows of one import: a hundred stations for a century.
const ROWS_MAX: usize = 4_000_000;

/// Where an import came from and who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportNote {
    pub source_name: String,
    /// Digest of the file as read.
    pub source_sha256: Digest,
    pub author: String,
    pub at: Instant,
}

/// What an import did; the three add up to the rows given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCount {
    pub new: u64,
    /// Already there with the same value.
    pub same: u64,
    /// There with another value, which is kept in the history.
    pub replaced: u64,
}

/// A kind of row that files bring.
trait ImportRow: Clone + PartialEq + Debug + Send + Sized + 'static {
    /// Stable: stands in the audit log.
    const KIND: &'static str;
    type Key: Ord + Debug + Send;

    fn key(&self) -> Self::Key;
    /// Says what is wrong with a row that can never be right, and brings equal values to one form.
    fn checked(self) -> Result<Self, StoreError>;
    /// Adds the row to its import's digest.
    fn digest_into(&self, hasher: &mut FieldHasher);
    /// The row now standing under the same key, and its import.
    fn find(&self, conn: &Connection) -> Result<Option<Self>, Fault>;
    fn insert(&self, conn: &Connection, import: i64) -> Result<(), Fault>;
    /// Moves the row now standing under the same key to the history.
    fn retire(&self, conn: &Connection, replaced_by: i64) -> Result<(), Fault>;
    /// Every row an import brought, replaced since or not, in order of key.
    fn brought_by(conn: &Connection, import: i64, each: &mut dyn FnMut(&Self)) -> Result<(), Fault>;
}

fn put<T: ImportRow>(
    conn: &Connection,
    rows: BTreeMap<T::Key, T>,
    note: &ImportNote,
) -> Result<ImportCount, Fault> {
    let mut count = ImportCount::default();
    let mut hasher = FieldHasher::default();
    hasher.field(&note.source_sha256.0);
    let mut changes = Vec::new();
    for row in rows.into_values() {
        let standing = row.find(conn)?;
        if standing.as_ref() == Some(&row) {
            count.same += 1;
            continue;
        }
        row.digest_into(&mut hasher);
        if standing.is_some() {
            count.replaced += 1;
        } else {
            count.new += 1;
        }
        changes.push((row, standing.is_some()));
    }
    if changes.is_empty() {
        return Ok(count);
    }
    let seq = audit::append(
        conn,
        &Change {
            at: note.at,
            author: &note.author,
            action: "import",
            kind: T::KIND,
            subject: &note.source_name,
            content: hasher.digest(),
        },
    )?;
    conn.prepare_cached(
        "INSERT INTO import (kind, source_name, source_sha256, author, at_ms, audit)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((T::KIND, &note.source_name, note.source_sha256.0, &note.author, note.at.millis(), seq))?;
    let import = conn.last_insert_rowid();
    for (row, replaces) in &changes {
        if *replaces {
            row.retire(conn, import)?;
        }
        row.insert(conn, import)?;
    }
    Ok(count)
}

/// The rows by key, each checked; a row said twice counts once more as the same, and one said in two
/// ways is refused: the file contradicts itself.
fn by_key<T: ImportRow>(rows: &[T]) -> Result<(BTreeMap<T::Key, T>, u64), StoreError> {
    if rows.len() > ROWS_MAX {
        let says = format!("{} rows in one import, {ROWS_MAX} are allowed", rows.len());
        return Err(StoreError::refused(T::KIND, says));
    }
    let mut all = BTreeMap::new();
    let mut repeated = 0;
    for row in rows {
        let row = row.clone().checked()?;
        match all.entry(row.key()) {
            Entry::Vacant(place) => {
                place.insert(row);
            }
            Entry::Occupied(earlier) if *earlier.get() == row => repeated += 1,
            Entry::Occupied(earlier) => {
                let says = format!("the same import also says {:?}; correct the file", earlier.get());
                return Err(StoreError::refused(format!("{row:?}"), says));
            }
        }
    }
    Ok((all, repeated))
}

fn import<T: ImportRow>(store: &Store, rows: &[T], note: &ImportNote) -> Result<ImportCount, StoreError> {
    check_text("the source name of an import", &note.source_name, SOURCE_NAME_BYTES_MAX)?;
    check_text("the author of an import", &note.author, AUTHOR_BYTES_MAX)?;
    let (rows, repeated) = by_key(rows)?;
    let note = note.clone();
    let mut count = store.write("import", move |conn| put(conn, rows, &note))?;
    count.same += repeated;
    Ok(count)
}

/// Compares what every import brought with its audit entry.
pub(crate) fn verify(conn: &Connection) -> Result<Option<AuditBreak>, Fault> {
    let mut select =
        conn.prepare("SELECT id, kind, source_name, source_sha256, audit FROM import ORDER BY id")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (id, kind, name, seq): (i64, String, String, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(4)?);
        let mut hasher = FieldHasher::default();
        hasher.field(row.get_ref(3)?.as_blob().unwrap_or_default());
        match kind.as_str() {
            BilledPeriod::KIND => BilledPeriod::brought_by(conn, id, &mut |r| r.digest_into(&mut hasher))?,
            DailyTemperature::KIND => {
                DailyTemperature::brought_by(conn, id, &mut |r| r.digest_into(&mut hasher))?;
            }
            _ => return Err(Fault::Unreadable(format!("an import of {kind:?}"))),
        }
        if audit::content_of(conn, seq)? != Some(hasher.digest()) {
            return Ok(Some(AuditBreak::Content {
                what: format!("the import of {kind} from {name:?}"),
                seq,
            }));
        }
    }
    verify_nothing_is_gone(conn)
}

/// An audit entry whose import is gone, or a row that no import brought.
fn verify_nothing_is_gone(conn: &Connection) -> Result<Option<AuditBreak>, Fault> {
    let missing = conn
        .query_row(
            "SELECT seq, subject FROM audit a WHERE action = 'import'
             AND NOT EXISTS (SELECT 1 FROM import i WHERE i.audit = a.seq) ORDER BY seq LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get::<_, String>(1)?)),
        )
        .optional()?;
    if let Some((seq, name)) = missing {
        return Ok(Some(AuditBreak::Content { what: format!("the import of {name:?}"), seq }));
    }
    let orphan: Option<i64> = conn
        .query_row(
            "SELECT import FROM (SELECT import FROM bill UNION SELECT import FROM temperature
             UNION SELECT import FROM bill_replaced UNION SELECT import FROM temperature_replaced)
             WHERE import NOT IN (SELECT id FROM import) LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()?;
    Ok(orphan
        .map(|id| AuditBreak::Content { what: format!("rows of an import {id} that is not there"), seq: 0 }))
}

/// A day the store can keep, or a refusal naming it.
fn day(day: NaiveDate) -> Result<String, StoreError> {
    codes::day_text(day)
        .ok_or_else(|| StoreError::refused(day.to_string(), "the year is not within 0 to 9999"))
}

/// As [`day`], for rows already checked.
fn checked_day(day: NaiveDate) -> Result<String, Fault> {
    Ok(self::day(day)?)
}

const BILL_COLUMNS: &str = "supply_point, from_day, to_day, amount, unit, quality";

fn bill(row: &Row<'_>) -> Result<BilledPeriod, Fault> {
    Ok(BilledPeriod {
        supply_point: row.get(0)?,
        from: codes::day(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?,
        to: codes::day(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?,
        amount: row.get(3)?,
        unit: codes::unit(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?)?,
        quality: codes::bill_quality(row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?)?,
    })
}

impl ImportRow for BilledPeriod {
    const KIND: &'static str = "bills";
    type Key = (String, NaiveDate, NaiveDate);

    fn key(&self) -> Self::Key {
        (self.supply_point.clone(), self.from, self.to)
    }

    fn checked(self) -> Result<Self, StoreError> {
        check_text("the supply point of a bill", &self.supply_point, SUPPLY_POINT_BYTES_MAX)?;
        day(self.from)?;
        day(self.to)?;
        if self.from >= self.to {
            let what = format!("the bill of {:?} from {} to {}", self.supply_point, self.from, self.to);
            return Err(StoreError::refused(what, "the period does not end after it begins"));
        }
        Ok(self)
    }

    fn digest_into(&self, hasher: &mut FieldHasher) {
        hasher
            .field(self.supply_point.as_bytes())
            .field(self.from.to_string().as_bytes())
            .field(self.to.to_string().as_bytes())
            .field(&self.amount.to_be_bytes())
            .field(codes::unit_code(self.unit).as_bytes())
            .field(self.quality.code().as_bytes());
    }

    fn find(&self, conn: &Connection) -> Result<Option<Self>, Fault> {
        let sql = format!(
            "SELECT {BILL_COLUMNS} FROM bill WHERE supply_point = ?1 AND from_day = ?2 AND to_day = ?3"
        );
        let mut select = conn.prepare_cached(&sql)?;
        let mut rows = select.query((&self.supply_point, checked_day(self.from)?, checked_day(self.to)?))?;
        rows.next()?.map(bill).transpose()
    }

    fn insert(&self, conn: &Connection, import: i64) -> Result<(), Fault> {
        let sql = format!("INSERT INTO bill ({BILL_COLUMNS}, import) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
        conn.prepare_cached(&sql)?.execute((
            &self.supply_point,
            checked_day(self.from)?,
            checked_day(self.to)?,
            self.amount,
            codes::unit_code(self.unit),
            self.quality.code(),
            import,
        ))?;
        Ok(())
    }

    fn retire(&self, conn: &Connection, replaced_by: i64) -> Result<(), Fault> {
        let key = (&self.supply_point, checked_day(self.from)?, checked_day(self.to)?);
        let sql = format!(
            "INSERT INTO bill_replaced ({BILL_COLUMNS}, import, replaced_by)
             SELECT {BILL_COLUMNS}, import, ?4 FROM bill WHERE supply_point = ?1 AND from_day = ?2 AND to_day = ?3"
        );
        conn.prepare_cached(&sql)?.execute((key.0, &key.1, &key.2, replaced_by))?;
        conn.prepare_cached("DELETE FROM bill WHERE supply_point = ?1 AND from_day = ?2 AND to_day = ?3")?
            .execute(key)?;
        Ok(())
    }

    fn brought_by(conn: &Connection, import: i64, each: &mut dyn FnMut(&Self)) -> Result<(), Fault> {
        let sql = format!(
            "SELECT {BILL_COLUMNS} FROM bill WHERE import = ?1
             UNION ALL SELECT {BILL_COLUMNS} FROM bill_replaced WHERE import = ?1 ORDER BY 1, 2, 3"
        );
        let mut select = conn.prepare_cached(&sql)?;
        let mut rows = select.query([import])?;
        while let Some(row) = rows.next()? {
            each(&bill(row)?);
        }
        Ok(())
    }
}

const TEMPERATURE_COLUMNS: &str = "station, day, mean_c, definition, source";

fn temperature(row: &Row<'_>) -> Result<DailyTemperature, Fault> {
    let station: String = row.get(0)?;
    Ok(DailyTemperature {
        station: StationId::new(&station)
            .map_err(|_| Fault::Unreadable(format!("the station {station:?}")))?,
        date: codes::day(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?,
        mean_c: row.get(2)?,
        definition: codes::mean_definition(row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?)?,
        source: codes::temperature_source(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?)?,
    })
}

impl ImportRow for DailyTemperature {
    const KIND: &'static str = "temperatures";
    type Key = (StationId, NaiveDate);

    fn key(&self) -> Self::Key {
        (self.station.clone(), self.date)
    }

    fn checked(mut self) -> Result<Self, StoreError> {
        day(self.date)?;
        if !self.mean_c.is_finite() {
            let what = format!("the temperature of {} on {}", self.station, self.date);
            return Err(StoreError::refused(what, format!("{} is no temperature", self.mean_c)));
        }
        // Minus zero reads back as zero.
        self.mean_c += 0.0;
        Ok(self)
    }

    fn digest_into(&self, hasher: &mut FieldHasher) {
        hasher
            .field(self.station.as_str().as_bytes())
            .field(self.date.to_string().as_bytes())
            .field(&self.mean_c.to_bits().to_be_bytes());
        // Schema 1 knew only what files gave: those digests stay what they were. A date stands where the next row's
        // second field would, so the two forms cannot be taken for each other.
        if (self.definition, self.source) != (MeanDefinition::AsGiven, TemperatureSource::File) {
            hasher.field(self.definition.code().as_bytes()).field(self.source.code().as_bytes());
        }
    }

    fn find(&self, conn: &Connection) -> Result<Option<Self>, Fault> {
        let sql = format!("SELECT {TEMPERATURE_COLUMNS} FROM temperature WHERE station = ?1 AND day = ?2");
        let mut select = conn.prepare_cached(&sql)?;
        let mut rows = select.query((self.station.as_str(), checked_day(self.date)?))?;
        rows.next()?.map(temperature).transpose()
    }

    fn insert(&self, conn: &Connection, import: i64) -> Result<(), Fault> {
        let sql = format!(
            "INSERT INTO temperature ({TEMPERATURE_COLUMNS}, import) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        );
        conn.prepare_cached(&sql)?.execute((
            self.station.as_str(),
            checked_day(self.date)?,
            self.mean_c,
            self.definition.code(),
            self.source.code(),
            import,
        ))?;
        Ok(())
    }

    fn retire(&self, conn: &Connection, replaced_by: i64) -> Result<(), Fault> {
        let key = (self.station.as_str(), checked_day(self.date)?);
        let sql = format!(
            "INSERT INTO temperature_replaced ({TEMPERATURE_COLUMNS}, import, replaced_by)
             SELECT {TEMPERATURE_COLUMNS}, import, ?3 FROM temperature WHERE station = ?1 AND day = ?2"
        );
        conn.prepare_cached(&sql)?.execute((key.0, &key.1, replaced_by))?;
        conn.prepare_cached("DELETE FROM temperature WHERE station = ?1 AND day = ?2")?.execute(key)?;
        Ok(())
    }

    fn brought_by(conn: &Connection, import: i64, each: &mut dyn FnMut(&Self)) -> Result<(), Fault> {
        let sql = format!(
            "SELECT {TEMPERATURE_COLUMNS} FROM temperature WHERE import = ?1
             UNION ALL SELECT {TEMPERATURE_COLUMNS} FROM temperature_replaced WHERE import = ?1 ORDER BY 1, 2"
        );
        let mut select = conn.prepare_cached(&sql)?;
        let mut rows = select.query([import])?;
        while let Some(row) = rows.next()? {
            each(&temperature(row)?);
        }
        Ok(())
    }
}

impl Store {
    /// Enters billed periods, all or none. A period already there with another amount, unit or quality
    /// is replaced, and the former one kept.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a period that does not end after it begins, and for an import that
    /// says two things of one period; the database's own.
    pub fn put_bills(&self, bills: &[BilledPeriod], note: &ImportNote) -> Result<ImportCount, StoreError> {
        import(self, bills, note)
    }

    /// The bills of a supply point, in order of their first day, then of their end.
    pub fn bills(&self, supply_point: &str) -> Result<Vec<BilledPeriod>, StoreError> {
        let sql =
            format!("SELECT {BILL_COLUMNS} FROM bill WHERE supply_point = ?1 ORDER BY from_day, to_day");
        self.bills_of(&sql, supply_point)
    }

    /// What later imports replaced, oldest import first.
    pub fn bills_replaced(&self, supply_point: &str) -> Result<Vec<BilledPeriod>, StoreError> {
        let sql = format!("SELECT {BILL_COLUMNS} FROM bill_replaced WHERE supply_point = ?1 ORDER BY import");
        self.bills_of(&sql, supply_point)
    }

    fn bills_of(&self, sql: &str, supply_point: &str) -> Result<Vec<BilledPeriod>, StoreError> {
        self.read("read bills", |conn| {
            let mut select = conn.prepare_cached(sql)?;
            let mut rows = select.query([supply_point])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(bill(row)?);
            }
            Ok(all)
        })
    }

    /// Every supply point with a bill, in order.
    pub fn supply_points(&self) -> Result<Vec<String>, StoreError> {
        self.read("list the supply points", |conn| {
            let mut select = conn.prepare_cached("SELECT DISTINCT supply_point FROM bill ORDER BY 1")?;
            Ok(select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
    }

    /// Enters daily temperatures, all or none; as [`Store::put_bills`].
    pub fn put_temperatures(
        &self,
        days: &[DailyTemperature],
        note: &ImportNote,
    ) -> Result<ImportCount, StoreError> {
        import(self, days, note)
    }

    /// The days of a station from `from` on and before `to`, in order.
    pub fn temperatures(
        &self,
        station: &StationId,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<DailyTemperature>, StoreError> {
        let (from, to) = (day(from)?, day(to)?);
        let sql = format!(
            "SELECT {TEMPERATURE_COLUMNS} FROM temperature
             WHERE station = ?1 AND day >= ?2 AND day < ?3 ORDER BY day"
        );
        self.temperatures_of(&sql, (station.as_str(), &from, &to))
    }

    /// What later imports replaced, oldest import first, then in order of day.
    pub fn temperatures_replaced(&self, station: &StationId) -> Result<Vec<DailyTemperature>, StoreError> {
        let sql = format!(
            "SELECT {TEMPERATURE_COLUMNS} FROM temperature_replaced WHERE station = ?1 ORDER BY import, day"
        );
        self.temperatures_of(&sql, [station.as_str()])
    }

    fn temperatures_of(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Vec<DailyTemperature>, StoreError> {
        self.read("read temperatures", |conn| {
            let mut select = conn.prepare_cached(sql)?;
            let mut rows = select.query(parameters)?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(temperature(row)?);
            }
            Ok(all)
        })
    }
}
