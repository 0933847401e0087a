//! What files bring: all of a file or nothing, the same file twice changes nothing, and a changed value keeps the one
//! it replaces. Here are bills and daily temperatures; `filed.rs` has intervals and totals.
//!
//! Must never: overwrite without keeping, or enter a row that its audit entry does not tell of.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use chrono::NaiveDate;
use model::{
    BilledPeriod, DailyTemperature, Digest, FiledInterval, FiledTotal, Instant, MeanDefinition, MeterId,
    StationId, TemperatureSource,
};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::audit::{self, AuditBreak, Change, FieldHasher};
use crate::codes;
use crate::error::{Fault, StoreError};
use crate::records::check_text;
use crate::store::Store;

const SUPPLY_POINT_BYTES_MAX: usize = 64;
const SOURCE_NAME_BYTES_MAX: usize = 1_024;
const AUTHOR_BYTES_MAX: usize = 256;
const REASON_BYTES_MAX: usize = 1_024;
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

/// What an import did. The rows given add up to `new`, `same`, `older` and those of `replaced` that stand under the same
/// key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCount {
    pub new: u64,
    /// Already there with the same value.
    pub same: u64,
    /// There with another value, which is kept in the history.
    pub replaced: u64,
    /// There with a value that was received later, or that replaced this one already: nothing changed.
    pub older: u64,
}

/// A kind of row that files bring.
pub(crate) trait ImportRow: Clone + PartialEq + Debug + Send + Sized + 'static {
    /// Stable: stands in the audit log.
    const KIND: &'static str;
    type Key: Ord + Debug + Send;

    fn key(&self) -> Self::Key;
    /// Says what is wrong with a row that can never be right, and brings equal values to one form.
    fn checked(self) -> Result<Self, StoreError>;
    /// Adds the row to its import's digest.
    fn digest_into(&self, hasher: &mut FieldHasher);
    /// Whether it says what the standing row says.
    fn same(&self, standing: &Self) -> bool {
        self == standing
    }
    /// Whether the standing row is known to be the newer of the two.
    fn is_older(&self, _standing: &Self) -> bool {
        false
    }
    /// Whether a file with these bytes brought this row before, and another one replaced it.
    fn was_replaced(&self, conn: &Connection, source_sha256: &Digest) -> Result<bool, Fault>;
    /// Rows that those of an import, being finer, take the place of.
    fn coarser(
        _conn: &Connection,
        _rows: &BTreeMap<Self::Key, Self>,
        _note: &ImportNote,
        _corrects: bool,
    ) -> Result<Vec<Self>, Fault> {
        Ok(Vec::new())
    }
    /// Rows under other keys that this one takes the place of, where a person says that it shall.
    fn covered(&self, _conn: &Connection) -> Result<Vec<Self>, Fault> {
        Ok(Vec::new())
    }
    /// The row now standing under the same key.
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
    reason: Option<&str>,
) -> Result<ImportCount, Fault> {
    let mut count = ImportCount::default();
    let mut hasher = import_hasher(&note.source_sha256.0, reason);
    let mut changes = Vec::new();
    let coarser = T::coarser(conn, &rows, note, reason.is_some())?;
    let gone: BTreeSet<T::Key> = coarser.iter().map(T::key).collect();
    count.replaced += coarser.len() as u64;
    for (key, row) in rows {
        let standing = row.find(conn)?.filter(|_| !gone.contains(&key));
        match &standing {
            Some(standing) if row.same(standing) => {
                count.same += 1;
                continue;
            }
            Some(standing) if row.is_older(standing) || row.was_replaced(conn, &note.source_sha256)? => {
                count.older += 1;
                continue;
            }
            Some(_) => count.replaced += 1,
            None => count.new += 1,
        }
        row.digest_into(&mut hasher);
        let covered = if reason.is_some() { row.covered(conn)? } else { Vec::new() };
        count.replaced += covered.len() as u64;
        changes.push((row, standing.is_some(), covered));
    }
    if changes.is_empty() {
        return Ok(count);
    }
    let import = enter::<T>(conn, note, reason, hasher)?;
    for other in &coarser {
        other.retire(conn, import)?;
    }
    for (row, replaces, covered) in &changes {
        for other in covered {
            other.retire(conn, import)?;
        }
        if *replaces {
            row.retire(conn, import)?;
        }
        row.insert(conn, import)?;
    }
    Ok(count)
}

/// Enters the import itself, in the audit log and in the table of imports; its number.
fn enter<T: ImportRow>(
    conn: &Connection,
    note: &ImportNote,
    reason: Option<&str>,
    hasher: FieldHasher,
) -> Result<i64, Fault> {
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
        "INSERT INTO import (kind, source_name, source_sha256, author, at_ms, audit, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        T::KIND,
        &note.source_name,
        note.source_sha256.0,
        &note.author,
        note.at.millis(),
        seq,
        reason,
    ))?;
    Ok(conn.last_insert_rowid())
}

/// The digest of an import begins with its file and, where one was given, its reason.
fn import_hasher(source_sha256: &[u8], reason: Option<&str>) -> FieldHasher {
    let mut hasher = FieldHasher::default();
    hasher.field(source_sha256);
    if let Some(reason) = reason {
        hasher.field(reason.as_bytes());
    }
    hasher
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

pub(crate) fn import<T: ImportRow>(
    store: &Store,
    rows: &[T],
    note: &ImportNote,
    reason: Option<&str>,
) -> Result<ImportCount, StoreError> {
    check_text("the source name of an import", &note.source_name, SOURCE_NAME_BYTES_MAX)?;
    check_text("the author of an import", &note.author, AUTHOR_BYTES_MAX)?;
    if let Some(reason) = reason {
        check_text("the reason of an import", reason, REASON_BYTES_MAX)?;
    }
    let (rows, repeated) = by_key(rows)?;
    let note = note.clone();
    let reason = reason.map(str::to_owned);
    let mut count = store.write("import", move |conn| put(conn, rows, &note, reason.as_deref()))?;
    count.same += repeated;
    Ok(count)
}

/// Compares what every import brought with its audit entry.
pub(crate) fn verify(conn: &Connection) -> Result<Option<AuditBreak>, Fault> {
    let mut select =
        conn.prepare("SELECT id, kind, source_name, source_sha256, audit, reason FROM import ORDER BY id")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (id, kind, name, seq): (i64, String, String, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(4)?);
        let reason: Option<String> = row.get(5)?;
        let mut hasher = import_hasher(row.get_ref(3)?.as_blob().unwrap_or_default(), reason.as_deref());
        match kind.as_str() {
            BilledPeriod::KIND => BilledPeriod::brought_by(conn, id, &mut |r| r.digest_into(&mut hasher))?,
            DailyTemperature::KIND => {
                DailyTemperature::brought_by(conn, id, &mut |r| r.digest_into(&mut hasher))?;
            }
            FiledInterval::KIND => FiledInterval::brought_by(conn, id, &mut |r| r.digest_into(&mut hasher))?,
            FiledTotal::KIND => FiledTotal::brought_by(conn, id, &mut |r| r.digest_into(&mut hasher))?,
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
             UNION SELECT import FROM bill_replaced UNION SELECT import FROM temperature_replaced
             UNION SELECT import FROM filed_interval UNION SELECT import FROM filed_interval_replaced
             UNION SELECT import FROM filed_total UNION SELECT import FROM filed_total_replaced)
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

    fn was_replaced(&self, conn: &Connection, source_sha256: &Digest) -> Result<bool, Fault> {
        let found = conn
            .prepare_cached(
                "SELECT 1 FROM bill_replaced r JOIN import i ON i.id = r.import
                 WHERE i.source_sha256 = ?1 AND supply_point = ?2 AND from_day = ?3 AND to_day = ?4
                   AND amount = ?5 AND unit = ?6 AND quality = ?7",
            )?
            .exists((
                source_sha256.0,
                &self.supply_point,
                checked_day(self.from)?,
                checked_day(self.to)?,
                self.amount,
                codes::unit_code(self.unit),
                self.quality.code(),
            ))?;
        Ok(found)
    }

    fn covered(&self, conn: &Connection) -> Result<Vec<Self>, Fault> {
        let sql = format!(
            "SELECT {BILL_COLUMNS} FROM bill WHERE supply_point = ?1 AND ?2 <= from_day AND to_day <= ?3
             AND (from_day, to_day) <> (?2, ?3) ORDER BY from_day, to_day"
        );
        let mut select = conn.prepare_cached(&sql)?;
        let mut rows = select.query((&self.supply_point, checked_day(self.from)?, checked_day(self.to)?))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(bill(row)?);
        }
        Ok(all)
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

    fn was_replaced(&self, conn: &Connection, source_sha256: &Digest) -> Result<bool, Fault> {
        // What a service or a sensor says last counts, also when it said so before.
        if self.source != TemperatureSource::File {
            return Ok(false);
        }
        let found = conn
            .prepare_cached(
                "SELECT 1 FROM temperature_replaced r JOIN import i ON i.id = r.import
                 WHERE i.source_sha256 = ?1 AND station = ?2 AND day = ?3 AND mean_c = ?4",
            )?
            .exists((source_sha256.0, self.station.as_str(), checked_day(self.date)?, self.mean_c))?;
        Ok(found)
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
        import(self, bills, note, None)
    }

    /// Enters billed periods that correct others, all or none: besides the same period with other content, a period
    /// takes the place of every one that lies wholly within it. What is replaced is kept, with the reason.
    ///
    /// # Errors
    /// As [`Store::put_bills`]; [`StoreError::Refused`] for a reason that is empty or too long.
    pub fn put_bills_replacing(
        &self,
        bills: &[BilledPeriod],
        note: &ImportNote,
        reason: &str,
    ) -> Result<ImportCount, StoreError> {
        import(self, bills, note, Some(reason))
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

    /// Numbers of the audit entries of the imports that brought bills of a supply point, replaced since or not.
    ///
    /// # Errors
    /// The database's own.
    pub fn bill_imports(&self, supply_point: &str) -> Result<Vec<i64>, StoreError> {
        self.imports_of(
            "SELECT audit FROM import WHERE id IN
             (SELECT import FROM bill WHERE supply_point = ?1
              UNION SELECT import FROM bill_replaced WHERE supply_point = ?1) ORDER BY audit",
            supply_point,
        )
    }

    /// As [`Store::bill_imports`], of a station's temperatures.
    ///
    /// # Errors
    /// The database's own.
    pub fn temperature_imports(&self, station: &StationId) -> Result<Vec<i64>, StoreError> {
        self.imports_of(
            "SELECT audit FROM import WHERE id IN
             (SELECT import FROM temperature WHERE station = ?1
              UNION SELECT import FROM temperature_replaced WHERE station = ?1) ORDER BY audit",
            station.as_str(),
        )
    }

    /// As [`Store::bill_imports`], of a meter's intervals and totals.
    ///
    /// # Errors
    /// The database's own.
    pub fn filed_imports(&self, meter: &MeterId) -> Result<Vec<i64>, StoreError> {
        self.imports_of(
            "WITH own AS (SELECT id FROM series WHERE meter = ?1)
             SELECT audit FROM import WHERE id IN
             (SELECT import FROM filed_interval WHERE series IN own
              UNION SELECT import FROM filed_interval_replaced WHERE series IN own
              UNION SELECT import FROM filed_total WHERE series IN own
              UNION SELECT import FROM filed_total_replaced WHERE series IN own) ORDER BY audit",
            meter.as_str(),
        )
    }

    fn imports_of(&self, sql: &str, of: &str) -> Result<Vec<i64>, StoreError> {
        self.read("list imports", |conn| {
            let mut select = conn.prepare_cached(sql)?;
            Ok(select.query_map([of], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
    }

    /// Enters daily temperatures, all or none; as [`Store::put_bills`].
    pub fn put_temperatures(
        &self,
        days: &[DailyTemperature],
        note: &ImportNote,
    ) -> Result<ImportCount, StoreError> {
        import(self, days, note, None)
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
