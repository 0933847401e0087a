//! The demonstration's portfolio: its buildings, what their works change, and which meter counts what.
//!
//! Must never: hold a result. Savings follow from the buildings' physics; whether a target is reached, only the
//! readings tell.

use std::sync::{Arc, OnceLock};

use chrono::{Days, NaiveDate};
use model::time::day_start;
use model::{Channel, Instant, Quantity, Zone};

use super::building::{Building, Flow, Heater, Plant};
use super::calendar::{Calendar, Week};
use super::weather::Climate;

/// A weather station of the demonstration.
#[derive(Debug)]
pub(crate) struct Station {
    pub(crate) id: &'static str,
    pub(crate) climate: Climate,
}

pub(crate) const STATIONS: [Station; 2] = [
    Station { id: "torino-demo", climate: Climate::TORINO },
    Station { id: "bologna-demo", climate: Climate::BOLOGNA },
];

/// How a meter is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Behind a gateway, with a unit number.
    Modbus { link: &'static str, unit: u8, model: &'static str },
    /// Behind a gateway that no longer answers.
    DeadModbus { link: &'static str, unit: u8, model: &'static str },
    /// Publishes by itself.
    Mqtt { model: &'static str },
}

/// A meter of the demonstration.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    pub(crate) id: &'static str,
    pub(crate) building: Arc<Building>,
    pub(crate) flow: Flow,
    pub(crate) way: Way,
    /// First day on which it is read.
    pub(crate) since: NaiveDate,
    /// What the register showed when the simulation began, in Wh or litres.
    pub(crate) index_at_start: i64,
    pub(crate) fault: Option<Fault>,
    /// POD or PDR with the bills that stand in for readings before [`Meter::since`].
    pub(crate) billed: Option<&'static str>,
}

/// A meter that goes silent, comes back with nonsense and an empty counter, and finally dies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) silent_from: Instant,
    pub(crate) silent_to: Instant,
    /// The one reading after the silence that no meter could have counted, Wh.
    pub(crate) garbage: i64,
    pub(crate) dead_from: Instant,
}

impl Meter {
    /// The channel of its counter.
    pub(crate) fn channel(&self) -> Channel {
        Channel::total(match self.flow {
            Flow::Import | Flow::Production => Quantity::ActiveEnergyImport,
            Flow::Export => Quantity::ActiveEnergyExport,
            Flow::Gas => Quantity::GasStandardVolume,
            Flow::Heat => Quantity::HeatEnergy,
        })
    }

    /// The unit in which its energy is billed, a thousand of what it counts.
    pub(crate) fn billing_unit(&self) -> model::Unit {
        match self.flow {
            Flow::Gas => model::Unit::StandardCubicMetre,
            Flow::Import | Flow::Export | Flow::Production | Flow::Heat => model::Unit::KilowattHour,
        }
    }

    /// The index that its display would show, in Wh or litres.
    pub(crate) fn index(&self, at: Instant) -> i64 {
        self.index_at_start + self.building.total(self.flow, at)
    }
}

/// The buildings and meters of one demonstration.
#[derive(Debug)]
pub(crate) struct Portfolio {
    pub(crate) meters: Vec<Meter>,
}

/// The years around which everything is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calendars {
    /// The year in progress.
    pub(crate) year: i32,
    pub(crate) today: NaiveDate,
    pub(crate) zone: Zone,
}

impl Calendars {
    /// First day of the history.
    pub(crate) fn from(self) -> NaiveDate {
        self.date(-3, 1, 1)
    }

    /// First day of the stations' temperatures: enough whole years for a reference year to be made of.
    pub(crate) fn weather_from(self) -> NaiveDate {
        self.date(-7, 1, 1)
    }

    pub(crate) fn date(self, years: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year + years, month, day).unwrap_or(self.today)
    }
}

const SDM630: &str = "eastron-sdm630";
const EM340: &str = "carlo-gavazzi-em340";
const JSON: &str = "consuntivo-json";

/// Lays out the portfolio around a year.
pub(crate) fn portfolio(calendars: Calendars) -> Portfolio {
    let mut meters = school(calendars);
    meters.extend(town_hall(calendars));
    meters.extend(health_centre(calendars));
    meters.extend(gym(calendars));
    Portfolio { meters }
}

/// What a building's description needs beyond its plants.
struct Frame {
    seed: u64,
    climate: Climate,
    calendar: Calendar,
    completed: NaiveDate,
}

fn building(calendars: Calendars, frame: Frame, before: Plant, after: Plant) -> Arc<Building> {
    Arc::new(Building {
        seed: frame.seed,
        climate: frame.climate,
        zone: calendars.zone,
        calendar: frame.calendar,
        before,
        after,
        completed: frame.completed,
        from: calendars.from(),
        // The demonstration may run over New Year.
        to: calendars.date(2, 1, 1),
        series: OnceLock::new(),
    })
}

fn meter(id: &'static str, building: &Arc<Building>, flow: Flow, way: Way) -> Meter {
    // Any start will do, as long as it is always the same for the same meter.
    let index_at_start = id.bytes().fold(7_i64, |n, b| (n * 31 + i64::from(b)) % 90_000) * 1000;
    Meter {
        id,
        building: Arc::clone(building),
        flow,
        way,
        since: building.from,
        index_at_start,
        fault: None,
        billed: None,
    }
}

/// A meter whose first year is known from bills only: it was made readable the year after.
fn billed_first_year(meter: Meter, calendars: Calendars, supply_point: &'static str) -> Meter {
    Meter { since: calendars.date(-2, 1, 1), billed: Some(supply_point), ..meter }
}

/// Kind A: insulation and a condensing boiler that do what was promised.
fn school(calendars: Calendars) -> Vec<Meter> {
    let before = Plant {
        heater: Heater::GasBoiler { efficiency: 0.82 },
        loss_w_per_k: 21_000.0,
        heating_base_c: 16.0,
        hot_water_w: 4_000.0,
        standing_w: 9_000.0,
        in_use_w: 20_000.0,
        pv_kwp: 0.0,
    };
    let after = Plant {
        heater: Heater::GasBoiler { efficiency: 0.98 },
        loss_w_per_k: 12_000.0,
        heating_base_c: 15.5,
        standing_w: 8_000.0,
        in_use_w: 14_000.0,
        ..before.clone()
    };
    let calendar = Calendar {
        week: Week::MondayToFriday,
        opens_hour: 7.5,
        closes_hour: 18.0,
        closures: vec![((12, 23), (1, 6)), ((8, 1), (8, 31))],
    };
    let frame = Frame { seed: 101, climate: Climate::TORINO, calendar, completed: calendars.date(-2, 9, 30) };
    let school = building(calendars, frame, before, after);
    let gas = meter("scuola-gas", &school, Flow::Gas, Way::Mqtt { model: JSON });
    let way = Way::Modbus { link: "quadro-scuola", unit: 1, model: SDM630 };
    vec![
        billed_first_year(gas, calendars, "00594200100017"),
        meter("scuola-elettricita", &school, Flow::Import, way),
    ]
}

/// Kind B: works that save, but far less than was declared.
fn town_hall(calendars: Calendars) -> Vec<Meter> {
    let before = Plant {
        heater: Heater::GasBoiler { efficiency: 0.84 },
        loss_w_per_k: 7_500.0,
        heating_base_c: 16.5,
        hot_water_w: 600.0,
        standing_w: 6_500.0,
        in_use_w: 15_000.0,
        pv_kwp: 0.0,
    };
    let after = Plant {
        heater: Heater::GasBoiler { efficiency: 0.90 },
        loss_w_per_k: 6_200.0,
        standing_w: 6_000.0,
        in_use_w: 12_500.0,
        ..before.clone()
    };
    let calendar = Calendar {
        week: Week::MondayToFriday,
        opens_hour: 7.5,
        closes_hour: 19.0,
        closures: vec![((8, 10), (8, 20))],
    };
    let frame = Frame { seed: 202, climate: Climate::TORINO, calendar, completed: calendars.date(-2, 8, 31) };
    let hall = building(calendars, frame, before, after);
    let gas = meter("municipio-gas", &hall, Flow::Gas, Way::Mqtt { model: JSON });
    let way = Way::Modbus { link: "quadro-municipio", unit: 1, model: EM340 };
    vec![
        billed_first_year(gas, calendars, "00594200200024"),
        meter("municipio-elettricita", &hall, Flow::Import, way),
    ]
}

/// Kind C: two buildings of the health service, one of them with a broken meter.
fn health_centre(calendars: Calendars) -> Vec<Meter> {
    let completed = calendars.date(-2, 10, 31);
    let clinics_before = Plant {
        heater: Heater::DistrictHeat,
        loss_w_per_k: 14_000.0,
        heating_base_c: 17.0,
        hot_water_w: 9_000.0,
        standing_w: 24_000.0,
        in_use_w: 38_000.0,
        pv_kwp: 0.0,
    };
    let clinics_after = Plant {
        loss_w_per_k: 8_800.0,
        heating_base_c: 16.5,
        standing_w: 21_000.0,
        in_use_w: 30_000.0,
        ..clinics_before.clone()
    };
    let consulting_before = Plant {
        heater: Heater::GasBoiler { efficiency: 0.83 },
        loss_w_per_k: 4_200.0,
        heating_base_c: 16.5,
        hot_water_w: 1_200.0,
        standing_w: 4_000.0,
        in_use_w: 9_000.0,
        pv_kwp: 0.0,
    };
    let consulting_after = Plant {
        heater: Heater::GasBoiler { efficiency: 0.97 },
        loss_w_per_k: 2_700.0,
        in_use_w: 7_000.0,
        ..consulting_before.clone()
    };
    let calendar = |week| Calendar { week, opens_hour: 7.0, closes_hour: 20.0, closures: vec![] };
    let frame = |seed, week| Frame { seed, climate: Climate::BOLOGNA, calendar: calendar(week), completed };
    let clinics = building(calendars, frame(303, Week::MondayToSaturday), clinics_before, clinics_after);
    let consulting =
        building(calendars, frame(304, Week::MondayToFriday), consulting_before, consulting_after);
    let clinics_way = Way::Modbus { link: "quadro-ambulatori", unit: 1, model: SDM630 };
    let dead_way = Way::DeadModbus { link: "quadro-consultorio", unit: 1, model: EM340 };
    let broken = Meter {
        fault: Some(fault(calendars)),
        ..meter("consultorio-elettricita", &consulting, Flow::Import, dead_way)
    };
    vec![
        meter("ambulatori-calore", &clinics, Flow::Heat, Way::Mqtt { model: JSON }),
        meter("ambulatori-elettricita", &clinics, Flow::Import, clinics_way),
        meter("consultorio-gas", &consulting, Flow::Gas, Way::Mqtt { model: JSON }),
        broken,
    ]
}

fn fault(calendars: Calendars) -> Fault {
    let at = |day: NaiveDate, hours: i64| day_start(day, calendars.zone).plus_seconds(hours * 3600);
    Fault {
        silent_from: at(calendars.date(-1, 6, 9), 8),
        silent_to: at(calendars.date(-1, 7, 21), 10),
        // All bits of a signed 32-bit register of tenths of a kWh.
        garbage: i64::from(i32::MAX) * 100,
        dead_from: at(calendars.today.checked_sub_days(Days::new(9)).unwrap_or(calendars.today), 3),
    }
}

/// Kind D: a heat pump in place of gas, photovoltaics on the roof; completed so late that the first year is now.
fn gym(calendars: Calendars) -> Vec<Meter> {
    let completed = calendars.date(-1, 12, 12);
    let before = Plant {
        heater: Heater::GasBoiler { efficiency: 0.84 },
        loss_w_per_k: 3_200.0,
        heating_base_c: 16.0,
        hot_water_w: 2_500.0,
        standing_w: 3_600.0,
        in_use_w: 13_000.0,
        pv_kwp: 0.0,
    };
    let after = Plant {
        heater: Heater::HeatPump { cop: 3.3 },
        loss_w_per_k: 2_700.0,
        in_use_w: 11_500.0,
        pv_kwp: 24.0,
        ..before.clone()
    };
    let calendar = Calendar {
        week: Week::EveryDay,
        opens_hour: 8.0,
        closes_hour: 22.0,
        closures: vec![((8, 10), (8, 20)), ((12, 24), (12, 26))],
    };
    let frame = Frame { seed: 405, climate: Climate::BOLOGNA, calendar, completed };
    let gym = building(calendars, frame, before, after);
    let way = |unit, model| Way::Modbus { link: "quadro-palestra", unit, model };
    let new_since = completed.succ_opt().unwrap_or(completed);
    vec![
        meter("palestra-gas", &gym, Flow::Gas, Way::Mqtt { model: JSON }),
        meter("palestra-prelievo", &gym, Flow::Import, way(1, SDM630)),
        Meter { since: new_since, ..meter("palestra-immissione", &gym, Flow::Export, way(3, SDM630)) },
        Meter { since: new_since, ..meter("palestra-fotovoltaico", &gym, Flow::Production, way(2, EM340)) },
    ]
}
