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
}

impl Origin {
    pub const ALL: [Self; 5] = [Self::Modbus, Self::Mqtt, Self::Replay, Self::File, Self::MBus];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Modbus => "modbus",
            Self::Mqtt => "mqtt",
            Self::Replay => "replay",
            Self::File => "file",
            Self::MBus => "mbus",
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

/// The mean outdoor temperature of a civil day. Identity: (station, date).
#[derive(Debug, Clone, PartialEq)]
pub struct DailyTemperature {
    pub station: StationId,
    pub date: NaiveDate,
    pub mean_c: f64,
}
