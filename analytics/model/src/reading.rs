//! What came in: readings of meters, billed periods, daily temperatures. Truth, never rewritten.
//!
//! Must never: hold a derived value.

use chrono::NaiveDate;

use crate::ids::{MeterId, StationId};
use crate::quantity::Channel;
use crate::time::Instant;

/// One series of readings: a meter and one line of its register map.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    pub meter: MeterId,
    pub channel: Channel,
}

/// A value in the unit of its quantity ([`crate::Quantity::unit`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A cumulative register in Wh, litre or gram.
    Total(i64),
    /// A momentary value in W, V, °C, …; always finite.
    Gauge(f64),
}

impl Value {
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Total(v) => v as f64,
            Self::Gauge(v) => v,
        }
    }
}

/// What is known of a reading's worth at the moment it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quality {
    /// Read by the device at the instant stated.
    Good,
    /// Read, but its instant is the arrival time, not the device's own.
    ArrivalTime,
    /// Outside the plausible range of the meter's file: kept, never used.
    Implausible,
}

impl Quality {
    pub const ALL: [Self; 3] = [Self::Good, Self::ArrivalTime, Self::Implausible];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::ArrivalTime => "arrival_time",
            Self::Implausible => "implausible",
        }
    }
}

/// By which way a reading came. Part of its identity: the same instant read by two ways is two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    Modbus,
    Mqtt,
    /// Replayed from a recorded history.
    Replay,
    /// Read from a file a person imported.
    File,
    /// Wired M-Bus.
    MBus,
    /// Out of the meter's own memory, asked for after an outage: rebuilt from the energies it kept of each minute.
    Record,
}

impl Origin {
    pub const ALL: [Self; 6] = [Self::Modbus, Self::Mqtt, Self::Replay, Self::File, Self::MBus, Self::Record];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Modbus => "modbus",
            Self::Mqtt => "mqtt",
            Self::Replay => "replay",
            Self::File => "file",
            Self::MBus => "mbus",
            Self::Record => "record",
        }
    }
}

/// A value as it came. Identity: (series, observed_at, origin).
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub series: SeriesKey,
    /// When the meter had this value.
    pub observed_at: Instant,
    /// When it reached the daemon.
    pub received_at: Instant,
    pub value: Value,
    pub quality: Quality,
    pub origin: Origin,
}

/// Whether the supplier read the meter or estimated the bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BillQuality {
    Read,
    Estimated,
}

impl BillQuality {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Estimated => "estimated",
        }
    }
}

/// Energy billed at a supply point over a period. Identity: (supply point, from, to).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilledPeriod {
    /// POD or PDR, or a meter's id where there is none.
    pub supply_point: String,
    pub from: NaiveDate,
    /// First day after the period.
    pub to: NaiveDate,
    /// In the smallest unit of the quantity (Wh, litre at standard conditions, gram).
    pub amount: i64,
    pub unit: crate::quantity::BaseUnit,
    pub quality: BillQuality,
}

/// How the mean of a civil day was made. The ways differ by up to a degree, so each value says its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MeanDefinition {
    /// As the file gives it; nobody says how it was made.
    AsGiven,
    /// Mean of the hourly means of a civil day of which enough hours are known.
    HourlyMeans,
    /// Half the sum of the day's highest and lowest temperature.
    MaxMin,
    /// The source's own daily mean.
    SourceDaily,
}

impl MeanDefinition {
    pub const ALL: [Self; 4] = [Self::AsGiven, Self::HourlyMeans, Self::MaxMin, Self::SourceDaily];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AsGiven => "as_given",
            Self::HourlyMeans => "hourly_means",
            Self::MaxMin => "max_min",
            Self::SourceDaily => "source_daily",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.code() == code)
    }
}

/// By which way a daily temperature came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TemperatureSource {
    /// A file that a person imported; nothing automatic replaces it.
    File,
    /// Readings of an outdoor sensor.
    Sensor,
    /// A weather service asked over HTTP.
    Service,
}

impl TemperatureSource {
    pub const ALL: [Self; 3] = [Self::File, Self::Sensor, Self::Service];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Sensor => "sensor",
            Self::Service => "service",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }
}

/// The mean outdoor temperature of a civil day at a station, as measured there; a day filled from another station is
/// never one of these. Identity: (station, date).
#[derive(Debug, Clone, PartialEq)]
pub struct DailyTemperature {
    pub station: StationId,
    pub date: NaiveDate,
    pub mean_c: f64,
    pub definition: MeanDefinition,
    pub source: TemperatureSource,
}

impl DailyTemperature {
    /// A day as a file gives it, without saying how its mean was made.
    #[must_use]
    pub const fn as_given(station: StationId, date: NaiveDate, mean_c: f64) -> Self {
        Self { station, date, mean_c, definition: MeanDefinition::AsGiven, source: TemperatureSource::File }
    }
}
