//! The energy of a demonstration building: heating by outdoor temperature, electricity by opening hours, sun on the
//! roof, netted each quarter of an hour, before and after its works.
//!
//! Must never: know what a report will say. Only loads are simulated; every result is computed from their readings.

use std::sync::OnceLock;

use chrono::{NaiveDate, Timelike};
use model::time::day_start;
use model::{Instant, Zone};

use super::calendar::Calendar;
use super::weather::{Climate, hashed};

/// Length of the interval over which load and production are netted.
pub(crate) const QUARTER_MILLIS: i64 = 900_000;
/// Lower heating value of natural gas, kWh per Smc (ENEA/CTI table for energy certificates).
const GAS_KWH_PER_SMC: f64 = 9.45;
/// Ripple of the power inside a quarter: cycles and relative amplitude. Whole cycles, so that it adds no energy.
const RIPPLE: [(f64, f64); 2] = [(3.0, 0.05), (11.0, 0.03)];

/// What a meter on the building counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Electricity from the grid, Wh.
    Import,
    /// Electricity to the grid, Wh.
    Export,
    /// Electricity made on the roof, Wh.
    Production,
    /// Natural gas, litres at standard conditions.
    Gas,
    /// Heat from the district network, Wh.
    Heat,
}

impl Flow {
    const ALL: [Self; 5] = [Self::Import, Self::Export, Self::Production, Self::Gas, Self::Heat];
}

/// What heats the building.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Heater {
    /// Seasonal efficiency, 0 to 1.
    GasBoiler {
        efficiency: f64,
    },
    DistrictHeat,
    /// Coefficient of performance at 7 °C outdoors; it falls with the temperature.
    HeatPump {
        cop: f64,
    },
}

/// The building as it is between two works.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plant {
    pub(crate) heater: Heater,
    /// Heat lost per kelvin between [`Plant::heating_base_c`] and outdoors, W/K.
    pub(crate) loss_w_per_k: f64,
    /// Outdoor daily mean above which nothing is heated, °C.
    pub(crate) heating_base_c: f64,
    /// Hot water all year, W of heat on average.
    pub(crate) hot_water_w: f64,
    /// Electricity day and night, and added when the building is in full use, W.
    pub(crate) standing_w: f64,
    pub(crate) in_use_w: f64,
    pub(crate) pv_kwp: f64,
}

/// A building of the demonstration.
#[derive(Debug)]
pub(crate) struct Building {
    pub(crate) seed: u64,
    pub(crate) climate: Climate,
    pub(crate) zone: Zone,
    pub(crate) calendar: Calendar,
    pub(crate) before: Plant,
    pub(crate) after: Plant,
    /// Last day of the works; the day after, the building is the new one.
    pub(crate) completed: NaiveDate,
    /// First simulated day, and the first day no more simulated.
    pub(crate) from: NaiveDate,
    pub(crate) to: NaiveDate,
    pub(crate) series: OnceLock<Vec<Vec<i64>>>,
}

/// Mean powers of one quarter of an hour, W (gas: W of lower heating value).
#[derive(Debug, Clone, Copy, Default)]
struct Powers {
    import: f64,
    export: f64,
    production: f64,
    gas: f64,
    heat: f64,
}

impl Building {
    /// The counter of a flow since the first simulated day, in Wh or litres; never falls, and stands still after
    /// the last simulated day.
    pub(crate) fn total(&self, flow: Flow, at: Instant) -> i64 {
        let counter = &self.series()[flow as usize];
        let Some((index, inside)) = self.place(at, counter.len()) else {
            return if at < self.origin() { 0 } else { counter.last().copied().unwrap_or(0) };
        };
        let energy = counter[index + 1] - counter[index];
        let share: f64 = RIPPLE.iter().fold(inside, |share, &(cycles, amplitude)| {
            let turn = std::f64::consts::TAU * cycles;
            share + amplitude / turn * (1.0 - (turn * inside).cos())
        });
        counter[index] + ((energy as f64 * share) as i64).clamp(0, energy)
    }

    /// What flows now, in Wh or litres per hour: the slope of [`Building::total`].
    pub(crate) fn rate_per_hour(&self, flow: Flow, at: Instant) -> f64 {
        let counter = &self.series()[flow as usize];
        let Some((index, inside)) = self.place(at, counter.len()) else { return 0.0 };
        let mean = (counter[index + 1] - counter[index]) as f64 * 4.0;
        let ripple: f64 = RIPPLE
            .iter()
            .map(|&(cycles, amplitude)| amplitude * (std::f64::consts::TAU * cycles * inside).sin())
            .sum();
        mean * (1.0 + ripple)
    }

    pub(crate) fn origin(&self) -> Instant {
        day_start(self.from, self.zone)
    }

    /// Index of the quarter and the share of it that is gone; `None` outside the simulated time.
    fn place(&self, at: Instant, counters: usize) -> Option<(usize, f64)> {
        let millis = at.millis() - self.origin().millis();
        let index = usize::try_from(millis.div_euclid(QUARTER_MILLIS)).ok()?;
        let inside = millis.rem_euclid(QUARTER_MILLIS) as f64 / QUARTER_MILLIS as f64;
        (index + 1 < counters).then_some((index, inside))
    }

    /// Counters at every quarter's begin, by flow; a flow that never flows has an empty list.
    fn series(&self) -> &[Vec<i64>] {
        self.series.get_or_init(|| self.simulate())
    }

    fn simulate(&self) -> Vec<Vec<i64>> {
        let mut counters = vec![vec![0i64]; Flow::ALL.len()];
        // The exact sums are kept beside the whole numbers, so that rounding never adds up.
        let mut exact = [0.0f64; 5];
        for day in self.from.iter_days().take_while(|&day| day < self.to) {
            for powers in self.simulate_day(day) {
                let wh = [
                    powers.import / 4.0,
                    powers.export / 4.0,
                    powers.production / 4.0,
                    powers.gas / 4.0 / GAS_KWH_PER_SMC,
                    powers.heat / 4.0,
                ];
                for ((sum, amount), counter) in exact.iter_mut().zip(wh).zip(&mut counters) {
                    *sum += amount.max(0.0);
                    counter.push(*sum as i64);
                }
            }
        }
        for counter in &mut counters {
            if counter.last() == Some(&0) {
                *counter = Vec::new();
            }
        }
        counters
    }

    /// The 92, 96 or 100 quarters of a civil day.
    fn simulate_day(&self, day: NaiveDate) -> Vec<Powers> {
        let plant = if day <= self.completed { &self.before } else { &self.after };
        let from = day_start(day, self.zone);
        let to = day_start(day.succ_opt().unwrap_or(day), self.zone);
        let quarters = (to.millis() - from.millis()) / QUARTER_MILLIS;
        let hours: Vec<f64> = (0..quarters)
            .map(|q| {
                let local = from.plus_millis(q * QUARTER_MILLIS).utc().with_timezone(&self.zone).time();
                f64::from(local.num_seconds_from_midnight()) / 3600.0
            })
            .collect();
        let open = self.calendar.is_open(day);
        let cold_k = (plant.heating_base_c - self.climate.daily_mean_c(day, self.zone)).max(0.0);
        let day_number = from.millis() / 86_400_000;
        // People open windows and forget valves: a few per cent from day to day; a closed day is heated less.
        let habit = (1.0 + 0.04 * hashed(self.seed ^ 7, day_number)) * if open { 1.0 } else { 0.88 };
        let heat_w = plant.loss_w_per_k * cold_k * habit + plant.hot_water_w;
        let weights: Vec<f64> = hours.iter().map(|&h| self.heating_weight(h, open)).collect();
        let weight_mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
        (0..quarters)
            .zip(hours.iter().zip(&weights))
            .map(|(q, (&hour, &weight))| {
                let at = from.plus_millis(q * QUARTER_MILLIS + QUARTER_MILLIS / 2);
                self.quarter(plant, at, QuarterUse { hour, open, heat_w: heat_w * weight / weight_mean })
            })
            .collect()
    }

    /// How strongly the boiler runs at an hour, relative to the day's mean: early before the people, low at night.
    fn heating_weight(&self, hour: f64, open: bool) -> f64 {
        let awake = self.calendar.opens_hour - 2.0 <= hour && hour <= self.calendar.closes_hour;
        if open && awake { 1.35 } else { 0.65 }
    }

    fn quarter(&self, plant: &Plant, at: Instant, used: QuarterUse) -> Powers {
        let in_use = if used.open { self.calendar.use_ratio(used.hour) } else { 0.0 };
        let quarter_number = at.millis() / QUARTER_MILLIS;
        let wobble = 1.0 + 0.07 * hashed(self.seed ^ 8, quarter_number);
        let mut load = (plant.standing_w + plant.in_use_w * in_use) * wobble;
        let (mut gas, mut heat) = (0.0, 0.0);
        match plant.heater {
            Heater::GasBoiler { efficiency } => gas = used.heat_w / efficiency,
            Heater::DistrictHeat => heat = used.heat_w,
            Heater::HeatPump { cop } => {
                // Air-source machines lose about 2 % of their coefficient per kelvin.
                let cop_now = (cop * (1.0 + 0.02 * (self.climate.temperature_c(at) - 7.0))).clamp(1.8, 5.5);
                load += used.heat_w / cop_now;
            }
        }
        let production = if plant.pv_kwp > 0.0 { plant.pv_kwp * self.climate.pv_w_per_kwp(at) } else { 0.0 };
        Powers {
            import: (load - production).max(0.0),
            export: (production - load).max(0.0),
            production,
            gas,
            heat,
        }
    }
}

/// How the building is used in one quarter of an hour.
#[derive(Debug, Clone, Copy)]
struct QuarterUse {
    /// Hour of the civil day.
    hour: f64,
    open: bool,
    heat_w: f64,
}

#[cfg(test)]
mod tests {
    use super::super::calendar::Week;
    use super::*;

    const ROME: Zone = chrono_tz::Europe::Rome;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    fn gym() -> Building {
        let before = Plant {
            heater: Heater::GasBoiler { efficiency: 0.84 },
            loss_w_per_k: 3000.0,
            heating_base_c: 16.0,
            hot_water_w: 2000.0,
            standing_w: 2500.0,
            in_use_w: 9000.0,
            pv_kwp: 0.0,
        };
        let after = Plant {
            heater: Heater::HeatPump { cop: 3.4 },
            loss_w_per_k: 2400.0,
            pv_kwp: 20.0,
            ..before.clone()
        };
        Building {
            seed: 5,
            climate: Climate::BOLOGNA,
            zone: ROME,
            calendar: Calendar {
                week: Week::EveryDay,
                opens_hour: 8.0,
                closes_hour: 22.0,
                closures: vec![((8, 5), (8, 25))],
            },
            before,
            after,
            completed: day(2025, 6, 30),
            from: day(2025, 1, 1),
            to: day(2026, 1, 1),
            series: OnceLock::new(),
        }
    }

    #[test]
    fn the_counter_never_falls_and_is_the_sum_of_its_quarters_across_clock_changes() {
        let gym = gym();
        for (from, quarters) in [(day(2025, 3, 30), 92), (day(2025, 6, 1), 96), (day(2025, 10, 26), 100)] {
            let begin = day_start(from, ROME);
            let end = day_start(from.succ_opt().unwrap(), ROME);
            assert_eq!((end.millis() - begin.millis()) / QUARTER_MILLIS, quarters);
            for flow in Flow::ALL {
                let mut sum = 0;
                let mut before = gym.total(flow, begin);
                for minute in 1..=quarters * 15 {
                    let now = gym.total(flow, begin.plus_seconds(minute * 60));
                    assert!(before <= now, "{flow:?} fell at minute {minute} of {from}");
                    sum += now - before;
                    before = now;
                }
                assert_eq!(sum, gym.total(flow, end) - gym.total(flow, begin));
            }
        }
    }

    #[test]
    fn electricity_balances_in_every_quarter() {
        let gym = gym();
        let delta =
            |flow, from: Instant| gym.total(flow, from.plus_millis(QUARTER_MILLIS)) - gym.total(flow, from);
        let mut both = 0;
        for quarter in 0..96 * 30 {
            let from = day_start(day(2025, 8, 1), ROME).plus_millis(quarter * QUARTER_MILLIS);
            let (import, export, made) =
                (delta(Flow::Import, from), delta(Flow::Export, from), delta(Flow::Production, from));
            assert!(export <= made + 1, "more exported than made at {from}");
            both += i64::from(0 < export && 1 < import);
        }
        assert_eq!(both, 0, "a quarter imports and exports at once");
        assert_eq!(gym.total(Flow::Production, day_start(day(2025, 7, 1), ROME)), 0);
        assert!(gym.total(Flow::Production, day_start(day(2026, 1, 1), ROME)) > 0);
    }

    #[test]
    fn power_is_the_slope_of_the_counter() {
        let gym = gym();
        let at = day_start(day(2025, 2, 3), ROME).plus_seconds(10 * 3600 + 400);
        let energy: f64 =
            (0..60).map(|s| gym.rate_per_hour(Flow::Import, at.plus_seconds(s)) / 3600.0).sum::<f64>();
        let counted = gym.total(Flow::Import, at.plus_seconds(60)) - gym.total(Flow::Import, at);
        assert!((energy - counted as f64).abs() < 3.0, "{energy} Wh by power, {counted} Wh by counter");
    }

    #[test]
    fn outside_the_simulated_time_the_counter_stands() {
        let gym = gym();
        let end = gym.total(Flow::Import, day_start(day(2026, 1, 1), ROME));
        assert_eq!(gym.total(Flow::Import, day_start(day(2030, 1, 1), ROME)), end);
        assert_eq!(gym.total(Flow::Import, day_start(day(2020, 1, 1), ROME)), 0);
        assert_eq!(gym.rate_per_hour(Flow::Import, day_start(day(2030, 1, 1), ROME)), 0.0);
    }
}
