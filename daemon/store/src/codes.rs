//! How the model's words stand on disk.
//!
//! Must never: change or reuse a code; files written years ago hold them.

use chrono::{Datelike, NaiveDate};
use model::{BaseUnit, BillQuality, MeanDefinition, Origin, Quality, TemperatureSource, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::error::Fault;

/// How many origins there are; their codes are below it.
pub(crate) const ORIGINS: usize = Origin::ALL.len();

/// 0 and 1 take no byte on disk: the usual origins have them.
pub(crate) const fn origin_code(origin: Origin) -> i64 {
    match origin {
        Origin::Modbus => 0,
        Origin::Mqtt => 1,
        Origin::Replay => 2,
        Origin::File => 3,
        Origin::MBus => 4,
        Origin::Record => 5,
    }
}

pub(crate) fn origin(code: i64) -> Result<Origin, Fault> {
    Origin::ALL
        .into_iter()
        .find(|&o| origin_code(o) == code)
        .ok_or_else(|| Fault::Unreadable(format!("the origin {code}")))
}

pub(crate) const fn quality_code(quality: Quality) -> i64 {
    match quality {
        Quality::Good => 0,
        Quality::ArrivalTime => 1,
        Quality::Implausible => 2,
    }
}

pub(crate) fn quality(code: i64) -> Result<Quality, Fault> {
    Quality::ALL
        .into_iter()
        .find(|&q| quality_code(q) == code)
        .ok_or_else(|| Fault::Unreadable(format!("the quality {code}")))
}

pub(crate) const fn unit_code(unit: BaseUnit) -> &'static str {
    match unit {
        BaseUnit::WattHour => "Wh",
        BaseUnit::Litre => "l",
        BaseUnit::Gram => "g",
    }
}

pub(crate) fn unit(code: &str) -> Result<BaseUnit, Fault> {
    [BaseUnit::WattHour, BaseUnit::Litre, BaseUnit::Gram]
        .into_iter()
        .find(|&u| unit_code(u) == code)
        .ok_or_else(|| Fault::Unreadable(format!("the unit {code:?}")))
}

pub(crate) fn bill_quality(code: &str) -> Result<BillQuality, Fault> {
    [BillQuality::Read, BillQuality::Estimated]
        .into_iter()
        .find(|q| q.code() == code)
        .ok_or_else(|| Fault::Unreadable(format!("the bill quality {code:?}")))
}

pub(crate) fn mean_definition(code: &str) -> Result<MeanDefinition, Fault> {
    MeanDefinition::parse(code).ok_or_else(|| Fault::Unreadable(format!("the mean {code:?}")))
}

pub(crate) fn temperature_source(code: &str) -> Result<TemperatureSource, Fault> {
    TemperatureSource::parse(code)
        .ok_or_else(|| Fault::Unreadable(format!("the temperature source {code:?}")))
}

/// Totals as integers, gauges as reals.
pub(crate) fn value_to_sql(value: Value) -> ToSqlOutput<'static> {
    match value {
        Value::Total(v) => ToSqlOutput::from(v),
        Value::Gauge(v) => ToSqlOutput::from(v),
    }
}

pub(crate) fn value(stored: ValueRef<'_>) -> Result<Value, Fault> {
    match stored {
        ValueRef::Integer(v) => Ok(Value::Total(v)),
        ValueRef::Real(v) => Ok(Value::Gauge(v)),
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => {
            Err(Fault::Unreadable(format!("a value of type {}", stored.data_type())))
        }
    }
}

/// ISO 8601; `None` outside the years 0 to 9999, where text no longer sorts like dates.
pub(crate) fn day_text(day: NaiveDate) -> Option<String> {
    (0..=9999).contains(&day.year()).then(|| day.format("%Y-%m-%d").to_string())
}

pub(crate) fn day(text: &str) -> Result<NaiveDate, Fault> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| Fault::Unreadable(format!("the day {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_on_disk_are_these_for_ever() {
        let origins: Vec<_> = Origin::ALL.into_iter().map(|o| (o.code(), origin_code(o))).collect();
        let wanted = [("modbus", 0), ("mqtt", 1), ("replay", 2), ("file", 3), ("mbus", 4), ("record", 5)];
        assert_eq!(origins, wanted);
        assert!(Origin::ALL.into_iter().all(|o| (origin_code(o) as usize) < ORIGINS && origin_code(o) < 16));
        let qualities: Vec<_> = Quality::ALL.into_iter().map(|q| (q.code(), quality_code(q))).collect();
        assert_eq!(qualities, [("good", 0), ("arrival_time", 1), ("implausible", 2)]);
        let means = MeanDefinition::ALL.map(MeanDefinition::code);
        assert_eq!(means, ["as_given", "hourly_means", "max_min", "source_daily"]);
        assert_eq!(TemperatureSource::ALL.map(TemperatureSource::code), ["file", "sensor", "service"]);
        assert!(mean_definition("mean").is_err() && temperature_source("").is_err());
        assert!(origin(9).is_err() && quality(9).is_err() && unit("kWh").is_err());
    }
}
