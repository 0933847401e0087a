//! Reads municipalities with their legal degree days, and the climatic zones that these must agree with.
//!
//! Must never: take a zone that its degree days contradict, or give one ISTAT code to two places.

use std::collections::BTreeMap;

use analytics::places::{ClimaticZone, HeatingSeason, MonthDay, Place, ZoneRules, plain_name};
use chrono::NaiveDate;

use crate::project::codes;
use crate::reader::{At, Source, Table};

/// Most places of one file: every municipality of Italy.
const PLACES_MAX: usize = 10_000;
/// Most zones.
const ZONES_MAX: usize = 6;
/// Most degree days of a place: above any municipality.
const DEGREE_DAYS_MAX: i64 = 10_000;

/// One file under `places/`: zones, places, or both.
#[derive(Debug)]
pub(super) struct PlacesFile {
    zones: Vec<(ZoneRules, At)>,
    places: Vec<(Place, At)>,
}

pub(super) fn read(source: &Source<'_>, root: &Table<'_, '_>) -> Option<PlacesFile> {
    let from = root.text("source", "where the values stand");
    root.text_optional("region", "the region that the file covers");
    let zones: Vec<_> = root.tables("zone", ZONES_MAX).iter().map(|t| read_zone(source, t)).collect();
    let places: Vec<_> = root.tables("place", PLACES_MAX).iter().map(read_place).collect();
    if zones.is_empty() && places.is_empty() {
        source.report_at(&root.at("place"), "is missing", "add at least one place or zone");
    }
    root.finish();
    from?;
    Some(PlacesFile {
        zones: zones.into_iter().collect::<Option<_>>()?,
        places: places.into_iter().collect::<Option<_>>()?,
    })
}

fn read_place(table: &Table<'_, '_>) -> Option<(Place, At)> {
    let istat = table.parsed("istat", "the ISTAT code of the municipality, 6 digits in quotes", |t| {
        codes::is_istat(t).then(|| t.to_owned())
    });
    let name = table.text("name", "the municipality's name");
    let zone = table.parsed("zone", "a climatic zone \"A\" to \"F\"", ClimaticZone::parse);
    let degree_days = table.integer("degree_days", 1..=DEGREE_DAYS_MAX);
    table.finish();
    let place =
        Place { istat: istat?, name: name?, zone: zone?, degree_days: u32::try_from(degree_days?).ok()? };
    Some((place, table.at("istat")))
}

fn read_zone(source: &Source<'_>, table: &Table<'_, '_>) -> Option<(ZoneRules, At)> {
    let zone = table.parsed("letter", "a climatic zone \"A\" to \"F\"", ClimaticZone::parse);
    let limit = |key| table.integer_optional(key, 1..=DEGREE_DAYS_MAX).and_then(|n| u32::try_from(n).ok());
    let (above, up_to) = (limit("above"), limit("up_to"));
    let season_table = table.table_optional("season");
    let season = season_table.as_ref().map(read_season);
    table.finish();
    if let (Some(above), Some(up_to)) = (above, up_to)
        && up_to <= above
    {
        source.report_at(&table.at("up_to"), "is not more than `above`", "correct the limits");
    }
    let season = match season {
        Some(read) => Some(read?),
        None => None,
    };
    Some((ZoneRules { zone: zone?, above, up_to, season }, table.at("letter")))
}

fn read_season(table: &Table<'_, '_>) -> Option<HeatingSeason> {
    let expected = "a day of every year as month and day, such as \"10-15\"";
    let from = table.parsed("from", expected, month_day);
    let to = table.parsed("to", expected, month_day);
    let hours = table.integer("hours_per_day", 1..=24);
    table.finish();
    Some(HeatingSeason { from: from?, to: to?, hours_per_day: u32::try_from(hours?).ok()? })
}

fn month_day(text: &str) -> Option<MonthDay> {
    let (month, day) = text.split_once('-')?;
    let number = |t: &str| (t.len() == 2).then(|| t.parse::<u32>().ok()).flatten();
    let (month, day) = (number(month)?, number(day)?);
    // 2023 is no leap year: the day must exist every year.
    NaiveDate::from_ymd_opt(2023, month, day).map(|_| MonthDay { month, day })
}

/// Every place and zone of the catalogue.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    by_istat: BTreeMap<String, Place>,
    /// ISTAT codes by plain name.
    by_name: BTreeMap<String, Vec<String>>,
    zones: BTreeMap<ClimaticZone, ZoneRules>,
}

impl Places {
    /// The zones of a file; one that is said twice is what is wrong with it.
    pub(super) fn add_zones(&mut self, file: &PlacesFile) -> Result<(), (At, String)> {
        for (rules, at) in &file.zones {
            if self.zones.insert(rules.zone, *rules).is_some() {
                return Err((at.clone(), format!("zone {} is defined twice", rules.zone.letter())));
            }
        }
        Ok(())
    }

    /// The places of a file, after all zones are there.
    pub(super) fn add_places(&mut self, file: PlacesFile) -> Result<(), (At, String)> {
        for (place, at) in file.places {
            let Some(rules) = self.zones.get(&place.zone) else {
                return Err((at, format!("zone {} is in no file under places/", place.zone.letter())));
            };
            if !rules.admits(place.degree_days) {
                let (gg, zone) = (place.degree_days, place.zone.letter());
                return Err((at, format!("{} has {gg} degree days, which is not zone {zone}", place.name)));
            }
            let istat = place.istat.clone();
            self.by_name.entry(plain_name(&place.name)).or_default().push(istat.clone());
            if let Some(other) = self.by_istat.insert(istat.clone(), place) {
                return Err((at, format!("ISTAT code {istat} is {:?} already", other.name)));
            }
        }
        Ok(())
    }

    pub(super) fn place(&self, istat: &str) -> Option<&Place> {
        self.by_istat.get(istat)
    }

    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &Place> {
        let codes = self.by_name.get(&plain_name(name));
        codes.into_iter().flatten().filter_map(|istat| self.by_istat.get(istat))
    }

    pub(super) fn zone(&self, zone: ClimaticZone) -> Option<&ZoneRules> {
        self.zones.get(&zone)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Place> {
        self.by_istat.values()
    }
}
