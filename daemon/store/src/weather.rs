//! Which days a weather service was asked for, so that what is there is never fetched again, also after a restart.
//!
//! Must never: hold a temperature. Those are imports like any other; this only says what need not be asked.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use model::{Instant, StationId};

use crate::codes;
use crate::error::StoreError;
use crate::records::check_text;
use crate::store::Store;

/// Longest name of what was asked, in bytes.
const ASKED_BYTES_MAX: usize = 1_024;
/// Most days noted at once: a century.
const DAYS_MAX: usize = 36_600;

impl Store {
    /// Notes that a service answered for these days of a station, with a value or without. `asked` names the service,
    /// the place and the kind of mean. Call it after the values are in: a day noted here is not asked again.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an empty or very long name, for too many days, and for a year beyond 0 to 9999; the
    /// database's own.
    pub fn note_weather_asked(
        &self,
        station: &StationId,
        asked: &str,
        days: &[NaiveDate],
        at: Instant,
    ) -> Result<(), StoreError> {
        check_text("the name of a weather service", asked, ASKED_BYTES_MAX)?;
        if DAYS_MAX < days.len() {
            let says = format!("{} days at once, {DAYS_MAX} are allowed", days.len());
            return Err(StoreError::refused("days asked of a weather service", says));
        }
        let days = days.iter().map(|day| {
            codes::day_text(*day)
                .ok_or_else(|| StoreError::refused(day.to_string(), "the year is not within 0 to 9999"))
        });
        let days = days.collect::<Result<Vec<String>, _>>()?;
        let (station, asked) = (station.to_string(), asked.to_owned());
        self.write("note what was asked", move |conn| {
            let mut upsert = conn.prepare_cached(
                "INSERT INTO weather_asked (station, asked, day, at_ms) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (station, asked, day) DO UPDATE SET at_ms = excluded.at_ms",
            )?;
            for day in &days {
                upsert.execute((&station, &asked, day, at.millis()))?;
            }
            Ok(())
        })
    }

    /// The days a service answered for, each with when it last did.
    pub fn weather_asked(
        &self,
        station: &StationId,
        asked: &str,
    ) -> Result<BTreeMap<NaiveDate, Instant>, StoreError> {
        self.read("read what was asked", |conn| {
            let mut select = conn
                .prepare_cached("SELECT day, at_ms FROM weather_asked WHERE station = ?1 AND asked = ?2")?;
            let mut rows = select.query((station.as_str(), asked))?;
            let mut all = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let day = codes::day(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
                all.insert(day, Instant::from_millis(row.get(1)?));
            }
            Ok(all)
        })
    }
}
