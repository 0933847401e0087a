//! The weather sources of an installation: `[[weather]]`, one for each station.
//!
//! Must never: let two sources write one station, or a station fill itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use model::{MeanDefinition, MeterId, StationId, Zone};

use super::MeterSettings;
use crate::reader::{At, Source, Table, list, nearest};

/// Most weather sources of one installation.
pub const WEATHER_MAX: usize = 200;
/// Hours of a day of 24 that must be known, where the file does not say: nine tenths, rounded up.
const HOURS_MIN: i64 = 22;
/// How often a service is asked, in hours, where the file does not say.
const EVERY_H: i64 = 6;

/// Where the daily temperatures of one station come from, and what fills the days it lacks.
#[derive(Debug, Clone, PartialEq)]
pub struct WeatherSettings {
    pub station: StationId,
    pub source: WeatherSource,
    /// The station that fills missing days.
    pub fill_from: Option<StationId>,
    /// Whose civil days are meant.
    pub zone: Zone,
    /// Line of the file on which the source begins.
    pub line: usize,
}

/// Where daily temperatures come from.
#[derive(Debug, Clone, PartialEq)]
pub enum WeatherSource {
    /// Files that a person imports, and how their means were made.
    Files { definition: MeanDefinition },
    /// The channel `outdoor_temperature` of a meter that this installation reads.
    Sensor { meter: MeterId, hours_min: u32 },
    /// A service with the interface of Open-Meteo's archive.
    Service(ServiceSettings),
}

/// A weather service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSettings {
    /// Base address, `https://…`; `/v1/archive` follows.
    pub address: String,
    pub latitude: f64,
    pub longitude: f64,
    pub means: ServiceMeans,
    /// First day wanted.
    pub since: NaiveDate,
    pub every_h: u32,
    pub timeout_s: u32,
    /// Certificates to trust instead of the system's, as a PEM file.
    pub ca_file: Option<PathBuf>,
}

/// What a service is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceMeans {
    /// Hourly values, of which the daemon makes means of civil days.
    Hourly {
        /// Hours of a day of 24 that must be known.
        hours_min: u32,
    },
    /// The service's own daily means.
    Daily,
}

pub(super) struct WeatherRead {
    pub(super) weather: WeatherSettings,
    station_at: At,
    fill_at: At,
    meter_at: At,
}

pub(super) fn read(
    source: &Source<'_>,
    table: &Table<'_, '_>,
    base: &Path,
    zone: Option<Zone>,
) -> Option<WeatherRead> {
    let station = table.parsed("station", "the id of a station", |t| StationId::new(t).ok());
    let fill_from =
        table.parsed_optional("fill_from", "the id of another station", |t| StationId::new(t).ok());
    let default_zone = zone.unwrap_or(chrono_tz::Europe::Rome);
    let zone = table.parsed_or("zone", super::ZONE, default_zone, |t| t.parse().ok());
    let meter = table.parsed_optional("meter", "the id of a [[meter]]", |t| MeterId::new(t).ok());
    let address =
        table.text_optional("address", "a base address such as \"https://archive-api.open-meteo.com\"");
    let read = match (meter, address) {
        (Some(_), Some(_)) => {
            let next = "keep one of them; give the other a station of its own";
            source.report_at(&table.at("meter"), "a station has one source, and `address` is another", next);
            None
        }
        (Some(meter), None) => hours_min(table).map(|hours_min| WeatherSource::Sensor { meter, hours_min }),
        (None, Some(address)) => read_service(table, address, base).map(WeatherSource::Service),
        (None, None) => {
            let definition = table.parsed_or(
                "definition",
                "\"as_given\", \"hourly_means\", \"max_min\" or \"source_daily\"",
                MeanDefinition::AsGiven,
                MeanDefinition::parse,
            );
            definition.map(|definition| WeatherSource::Files { definition })
        }
    };
    table.finish();
    let weather =
        WeatherSettings { station: station?, source: read?, fill_from, zone: zone?, line: table.line() };
    Some(WeatherRead {
        weather,
        station_at: table.at("station"),
        fill_at: table.at("fill_from"),
        meter_at: table.at("meter"),
    })
}

fn hours_min(table: &Table<'_, '_>) -> Option<u32> {
    table.integer_or("hours_min", 12..=24, HOURS_MIN).and_then(|n| u32::try_from(n).ok())
}

fn read_service(table: &Table<'_, '_>, address: String, base: &Path) -> Option<ServiceSettings> {
    let latitude = table.number("latitude", "degrees north, -90 to 90", |n| (-90.0..=90.0).contains(&n));
    let longitude = table.number("longitude", "degrees east, -180 to 180", |n| (-180.0..=180.0).contains(&n));
    let means = table.parsed_or("means", "\"hourly\" or \"daily\"", true, |t| match t {
        "hourly" => Some(true),
        "daily" => Some(false),
        _ => None,
    });
    let means = match means {
        Some(true) => hours_min(table).map(|hours_min| ServiceMeans::Hourly { hours_min }),
        Some(false) => Some(ServiceMeans::Daily),
        None => None,
    };
    let since = table.date("since");
    let every_h = table.integer_or("every_h", 1..=168, EVERY_H);
    let timeout_s = table.integer_or("timeout_s", 1..=300, 30);
    let ca_file = table.text_optional("ca_file", "a PEM file with certificates to trust");
    Some(ServiceSettings {
        address,
        latitude: latitude?,
        longitude: longitude?,
        means: means?,
        since: since?,
        every_h: u32::try_from(every_h?).ok()?,
        timeout_s: u32::try_from(timeout_s?).ok()?,
        ca_file: ca_file.map(|file| base.join(file)),
    })
}

/// One source for each station, no station that fills itself, and only meters that are there.
pub(super) fn check(source: &Source<'_>, all: &[WeatherRead], meters: &[&MeterSettings]) {
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    for WeatherRead { weather, station_at, fill_at, meter_at } in all {
        let station = weather.station.as_str();
        if let Some(line) = lines.insert(station, weather.line) {
            let says = format!("station {station:?} already has a source on line {line}");
            source.report_at(station_at, says, "give each source a station of its own");
        }
        if weather.fill_from.as_ref() == Some(&weather.station) {
            source.report_at(fill_at, "a station cannot fill itself", "name another station");
        }
        if let WeatherSource::Sensor { meter, .. } = &weather.source
            && !meters.iter().any(|m| m.id == *meter)
        {
            let names: Vec<&str> = meters.iter().map(|m| m.id.as_str()).collect();
            let next = match nearest(meter.as_str(), names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "add a [[meter]] with this id".to_owned(),
                None => format!("use one of {}", list(&names)),
            };
            source.report_at(meter_at, format!("no meter {:?} in this file", meter.as_str()), next);
        }
    }
}
