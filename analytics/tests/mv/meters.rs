//! The reference meters of `data/mv` as the library takes them.
//!
//! Must never: change a value; a day that a file does not have stays without one.

use std::path::Path;

use analytics::baseline::FitPeriod;
use analytics::baseline::data::Data;
use analytics::degree_days::DailyMeans;
use chrono::NaiveDate;
use model::{DailyTemperature, StationId};

pub(crate) struct Meter {
    pub(crate) baseline: Vec<FitPeriod>,
    pub(crate) reporting: Vec<FitPeriod>,
    pub(crate) temperatures: DailyMeans,
}

impl Meter {
    pub(crate) fn baseline_data(&self) -> Data {
        Data::of(&self.baseline, &self.temperatures)
    }

    pub(crate) fn reporting_data(&self) -> Data {
        Data::of(&self.reporting, &self.temperatures)
    }
}

pub(crate) fn rows(name: &str) -> Vec<csv::StringRecord> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mv").join(name);
    csv::Reader::from_path(&path).unwrap().records().map(Result::unwrap).collect()
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Days of which more than half the hours are known (CalTRACK 2.0 §2.2.2.3).
pub(crate) fn temperatures(weather: &str) -> DailyMeans {
    let station = StationId::new("s").unwrap();
    let list: Vec<DailyTemperature> = rows(&format!("weather/{weather}.csv"))
        .iter()
        .filter(|r| !r[1].is_empty() && 12 < r[2].parse::<u32>().unwrap())
        .map(|r| DailyTemperature::as_given(station.clone(), day(&r[0]), r[1].parse().unwrap()))
        .collect();
    DailyMeans::of(&list, &station)
}

pub(crate) fn weather_of(meter: &str) -> &'static str {
    match meter {
        "il-gas-hdd-only" | "il-electricity-cdd-hdd" => "il_cst",
        "nmecr-office" => "nmecr_office",
        "rmv2-sim-1" => "rmv2",
        "uk-gas-0" => "uk_0",
        "uk-elec-1" => "uk_1_2",
        other => panic!("no weather for {other}"),
    }
}

/// A meter's `monthly`, `bimonthly` or `daily` file; periods without a value are left out.
pub(crate) fn meter(kind: &str, name: &str) -> Meter {
    let all = rows(&format!("{kind}/{name}.csv"));
    let of = |phase: &str| {
        let period = |r: &csv::StringRecord| {
            let daily = kind == "daily";
            let (value, own) = if daily { (1, 2) } else { (3, 4) };
            let from = day(&r[0]);
            let to = if daily { from.succ_opt().unwrap() } else { day(&r[1]) };
            let energy = r[value].parse().ok()?;
            (&r[own] == phase).then_some(FitPeriod { from, to, energy, coverage_ratio: 1.0 })
        };
        all.iter().filter_map(period).collect::<Vec<_>>()
    };
    Meter {
        baseline: of("baseline"),
        reporting: of("reporting"),
        temperatures: temperatures(weather_of(name)),
    }
}
