//! Forecasts of every measure of a scheme: production and shares from a plant's past years, money from tariffs, what
//! documents state; held against the year's end of planted plants, by the hundred.
//!
//! Must never: let the forecast see a month that was not over, or choose seeds for which it does well.

use std::collections::BTreeMap;
use std::sync::Arc;

use analytics::evaluate::laws::laws;
use analytics::evaluate::{MeterInput, YearInput, evaluate};
use analytics::factors::{CarrierFactors, FactorSet};
use analytics::forecast::{Forecast, ForecastInput, KpiForecast, Needed, Outlook, forecast};
use analytics::result::ProjectYear;
use analytics::scheme::{KpiDefinition, KpiMeasure, KpiUnit, Scheme, SchemeRules, Target};
use chrono::NaiveDate;
use model::{
    Beneficiary, Building, BuildingId, Carrier, DailyTemperature, Digest, Direction, Euro, FactorSetId,
    MeterFacts, MeterId, MeterRole, Month, MonthValue, MonthlySeries, Plant, Project, ProjectDates,
    ProjectId, SchemeId, StationId, Tariff,
};
use proptest::prelude::*;

const YEAR: i32 = 2024;

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn station() -> StationId {
    StationId::new("station").unwrap()
}

fn meter(id: &str, carrier: Carrier, direction: Direction) -> MeterFacts {
    MeterFacts {
        id: MeterId::new(id).unwrap(),
        name: String::new(),
        carrier,
        direction,
        role: MeterRole::Compared,
        parent: None,
        supply_point: None,
        ceiling_per_hour: 400.0,
        wraps_at: None,
        gas: None,
        serial: None,
        accuracy_class: None,
        calibration: None,
    }
}

fn measured(month: Month, units: f64) -> MonthValue {
    let amount = (units * 1000.0).round() as i64;
    MonthValue {
        month,
        amount,
        low: amount,
        high: Some(amount),
        coverage_ratio: 1.0,
        estimated_ratio: 0.0,
        joint: None,
    }
}

/// A month of which between two bounds something was not measured.
fn with_gap(value: &mut MonthValue, less: f64, more: f64) {
    value.low = (value.amount as f64 * (1.0 - less)).round() as i64;
    value.high = Some((value.amount as f64 * (1.0 + more)).round() as i64);
    value.coverage_ratio = 0.93;
}

/// One planted project with what its meters measured, all years together.
#[derive(Clone)]
struct World {
    meters: Vec<(MeterFacts, Vec<MonthValue>)>,
    tariffs: Vec<Tariff>,
    plants: Vec<Plant>,
    facility: Option<Euro>,
    kpis: Vec<(KpiMeasure, KpiUnit)>,
    target: f64,
    temperatures: Vec<DailyTemperature>,
    completed: NaiveDate,
}

impl World {
    fn project(&self) -> Project {
        Project {
            id: ProjectId::new("planted").unwrap(),
            title: String::new(),
            cup: String::new(),
            scheme: SchemeId::new("planted").unwrap(),
            factor_set: FactorSetId::new("planted").unwrap(),
            beneficiary: Beneficiary {
                name: String::new(),
                tax_code: String::new(),
                legal_representative: String::new(),
            },
            dates: ProjectDates {
                baseline_from: day(2021, 1, 1),
                baseline_to: day(2022, 1, 1),
                works_from: day(2022, 2, 1),
                completed: self.completed,
                expenses_closed: None,
                final_payment: None,
            },
            facility: self.facility,
            zone: model::Zone::Europe__Rome,
            station: station(),
            buildings: vec![Building {
                id: BuildingId::new("b1").unwrap(),
                name: String::new(),
                municipality: String::new(),
                istat_code: "001272".to_owned(),
                address: String::new(),
                uses: Vec::new(),
                floor_area_m2: 1000.0,
                gross_volume_m3: 4000.0,
                usage_profile: String::new(),
                opening: Vec::new(),
                ape_code: None,
                meters: self.meters.iter().map(|(facts, _)| facts.clone()).collect(),
            }],
            declared: Vec::new(),
            terms: model::Terms {
                tariffs: self.tariffs.clone(),
                plants: self.plants.clone(),
                ..model::Terms::default()
            },
            grant: model::Grant::default(),
        }
    }

    fn scheme(&self) -> Scheme {
        let kpi = |(measure, unit): &(KpiMeasure, KpiUnit)| KpiDefinition {
            code: measure.code().to_owned(),
            text: String::new(),
            measure: *measure,
            unit: *unit,
            target: Target::AtLeast(self.target),
            citation: String::new(),
        };
        Scheme {
            id: SchemeId::new("planted").unwrap(),
            title: String::new(),
            citation: String::new(),
            authority: String::new(),
            default_factor_set: FactorSetId::new("planted").unwrap(),
            yearly: None,
            kpis: self.kpis.iter().map(kpi).collect(),
            rules: SchemeRules::default(),
        }
    }

    /// The figures and the forecast of the year on a day, from what was known before it.
    fn on(&self, on: NaiveDate) -> (Forecast, ProjectYear) {
        self.on_under(on, self.scheme())
    }

    /// The same with the target being the most that each value may be.
    fn on_at_most(&self, on: NaiveDate) -> (Forecast, ProjectYear) {
        let mut scheme = self.scheme();
        scheme.kpis.iter_mut().for_each(|k| k.target = Target::AtMost(self.target));
        self.on_under(on, scheme)
    }

    fn on_under(&self, on: NaiveDate, scheme: Scheme) -> (Forecast, ProjectYear) {
        let known: Vec<DailyTemperature> =
            self.temperatures.iter().filter(|t| t.date < on).cloned().collect();
        let meters: Vec<MeterInput> = self
            .meters
            .iter()
            .map(|(facts, months)| {
                let unit = facts.carrier.base_unit();
                let months = months.iter().filter(|m| m.month.end_day() <= on).copied().collect();
                MeterInput {
                    months: MonthlySeries { unit, months },
                    readings: 1,
                    ..MeterInput::empty(facts.id.clone(), unit)
                }
            })
            .collect();
        let input = YearInput {
            project: Arc::new(self.project()),
            scheme: Arc::new(scheme),
            factors: Arc::new(factors()),
            year: YEAR,
            until: on,
            meters,
            temperatures: &known,
            neighbour: None,
            places: Vec::new(),
            catalog: Digest([0; 32]),
            frozen: Vec::new(),
            adjustments: Vec::new(),
        };
        let (year, laws) = (evaluate(&input), laws(&input));
        let meters = &input.meters;
        (forecast(&ForecastInput { year: &year, laws: &laws, meters, history: &known }), year)
    }

    fn kpi(&self, on: NaiveDate, measure: KpiMeasure) -> KpiForecast {
        of(&self.on(on).0, measure).clone()
    }

    /// The months of one meter.
    fn months(&mut self, id: &str) -> &mut Vec<MonthValue> {
        &mut self.meters.iter_mut().find(|(facts, _)| facts.id.as_str() == id).unwrap().1
    }
}

fn of(forecast: &Forecast, measure: KpiMeasure) -> &KpiForecast {
    forecast.kpis.iter().find(|k| k.code == measure.code()).unwrap()
}

fn factors() -> FactorSet {
    let carrier = |carrier, kwh_per_unit| CarrierFactors {
        carrier,
        kwh_per_unit,
        primary_nonrenewable: Some(1.05),
        primary_renewable: Some(0.0),
        co2_kg_per_kwh: Some(0.2),
        nox_g_per_gj: Some(32.0),
        pm10_g_per_gj: Some(0.5),
        toe_per_unit: Some(0.000_82),
    };
    FactorSet {
        id: FactorSetId::new("planted").unwrap(),
        title: String::new(),
        source: String::new(),
        valid_from: None,
        valid_to: None,
        carriers: vec![carrier(Carrier::NaturalGas, 9.5)],
    }
}

/// xorshift64*: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn between(&mut self, from: f64, to: f64) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let unit = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64;
        from + (to - from) * unit
    }

    /// Standard normal, Box and Muller.
    fn normal(&mut self) -> f64 {
        let (u, v) = (self.between(0.0, 1.0).max(1e-12), self.between(0.0, 1.0));
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

const PRODUCED: (KpiMeasure, KpiUnit) = (KpiMeasure::RenewableProduced, KpiUnit::KilowattHour);
const SHARE: (KpiMeasure, KpiUnit) = (KpiMeasure::SelfConsumedShare, KpiUnit::Percent);

/// A plant and what it exports, with months that `of` gives by year and number: made and used on site.
fn plant(first: i32, mut of: impl FnMut(i32, u32) -> (f64, f64)) -> World {
    let (mut made, mut exported) = (Vec::new(), Vec::new());
    for month in (first..=YEAR).flat_map(Month::all_of) {
        let (produced, used) = of(month.year, month.number);
        made.push(measured(month, produced));
        exported.push(measured(month, produced - used));
    }
    World {
        meters: vec![
            (meter("pv", Carrier::OnSitePv, Direction::Production), made),
            (meter("out", Carrier::GridElectricity, Direction::Export), exported),
        ],
        tariffs: Vec::new(),
        plants: Vec::new(),
        facility: None,
        kpis: vec![PRODUCED, SHARE],
        target: 1.0,
        temperatures: Vec::new(),
        completed: day(2022, 12, 31),
    }
}

/// A plant under one sun: season by its latitude and tilt, months that are sunnier or darker (the dark ones of winter
/// by more of themselves), years that are, and modules that age; a building whose use varies as well, and which can
/// take less of much sun than of little.
fn sunny(random: &mut Random, past: i32) -> World {
    let peak = random.between(1500.0, 9000.0);
    let swing = random.between(0.25, 0.6);
    let (months_vary, years_vary) = (random.between(0.03, 0.1), random.between(0.0, 0.05));
    let ages = random.between(0.0, 0.01);
    let (load, summer) = (random.between(0.2, 1.0) * peak, random.between(0.1, 0.9));
    let (load_months, load_years) = (random.between(0.02, 0.1), random.between(0.0, 0.1));
    let mut of_year: BTreeMap<i32, (f64, f64)> = BTreeMap::new();
    plant(YEAR - past, |year, number| {
        let (sun, use_of_year) = *of_year.entry(year).or_insert_with(|| {
            (1.0 + years_vary * random.normal(), (1.0 + load_years * random.normal()).max(0.2))
        });
        let season = 1.0 - swing * (f64::from(number) * std::f64::consts::TAU / 12.0).cos();
        let noise = months_vary / season.sqrt() * random.normal();
        let age = 1.0 - ages * f64::from(year - YEAR + past);
        let made = (peak * season / 1.5 * sun * age * (1.0 + noise)).max(1.0);
        let closed = if (6..=8).contains(&number) { summer } else { 1.0 };
        let needed = (load * closed * use_of_year * (1.0 + load_months * random.normal())).max(1.0);
        (made, made * needed / (made + needed))
    })
}

/// Per day of the year: how many had a forecast, and how many of the year-ends its band held.
fn coverage(worlds: &[World], measure: KpiMeasure) -> Vec<(NaiveDate, f64, f64, f64)> {
    let end = |w: &World| {
        let (_, year) = w.on(day(YEAR + 1, 1, 1));
        year.kpis.iter().find(|k| k.definition.measure == measure).unwrap().achieved.unwrap()
    };
    let ends: Vec<f64> = worlds.iter().map(end).collect();
    let days = [(1, 1), (2, 15), (4, 20), (6, 1), (9, 10), (11, 20)];
    days.map(|(month, of_month)| {
        let on = day(YEAR, month, of_month);
        let (mut all, mut held, mut widths) = (0.0, 0.0, Vec::new());
        for (world, end) in worlds.iter().zip(&ends) {
            let kpi = world.kpi(on, measure);
            let (Some(low), Some(high), Some(expected)) = (kpi.low, kpi.high, kpi.expected) else {
                continue;
            };
            assert!(low <= expected && expected <= high, "{kpi:?}");
            all += 1.0;
            held += f64::from(u8::from(low <= *end && *end <= high));
            widths.push((high - low) / 2.0 / expected);
        }
        widths.sort_by(f64::total_cmp);
        (on, all, held / all, widths[widths.len() / 2])
    })
    .to_vec()
}

#[test]
fn bands_hold_the_year_end_of_production_and_of_its_share() {
    // One past year to five, 60 plants each.
    let worlds: Vec<World> =
        (0..300_u64).map(|seed| sunny(&mut Random::new(seed + 1), 1 + (seed % 5) as i32)).collect();
    for (measure, _) in [PRODUCED, SHARE] {
        let (mut all, mut held) = (0.0, 0.0);
        for (on, of, share, width) in coverage(&worlds, measure) {
            println!(
                "{} on {on}: {of} forecasts, {:.1} % held, median half-width {:.1} % of the value",
                measure.code(),
                share * 100.0,
                width * 100.0
            );
            assert!(0.8 <= share, "{on}: {share}");
            all += of;
            held += of * share;
        }
        let mean = held / all;
        println!("{}: {:.1} % of {all}", measure.code(), mean * 100.0);
        assert!((0.8..=0.98).contains(&mean), "{}: {:.1} %", measure.code(), mean * 100.0);
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * (1.0 + b.abs())
}

#[test]
fn a_plant_that_repeats_itself_is_forecast_to_the_last_unit() {
    let world = plant(YEAR - 2, |_, number| (f64::from(100 * number), f64::from(40 * number)));
    let on = day(YEAR, 5, 10);
    let made = world.kpi(on, KpiMeasure::RenewableProduced);
    assert!(near(made.so_far.unwrap(), 1000.0) && near(made.expected.unwrap(), 7800.0), "{made:?}");
    assert!(near(made.low.unwrap(), 7800.0) && near(made.high.unwrap(), 7800.0), "{made:?}");
    let share = world.kpi(on, KpiMeasure::SelfConsumedShare);
    assert!(near(share.so_far.unwrap(), 40.0) && near(share.expected.unwrap(), 40.0), "{share:?}");
    assert!(near(share.low.unwrap(), 40.0) && near(share.high.unwrap(), 40.0), "{share:?}");
    // On the first day nothing has been measured, and nothing is a share of it.
    let first = world.on(day(YEAR, 1, 1)).0;
    assert_eq!(of(&first, KpiMeasure::RenewableProduced).so_far, Some(0.0));
    assert_eq!(of(&first, KpiMeasure::SelfConsumedShare).so_far, None);
    assert!(near(of(&first, KpiMeasure::SelfConsumedShare).expected.unwrap(), 40.0));
}

#[test]
fn a_plant_that_failed_is_expected_to_stay_so() {
    let mut random = Random::new(7);
    let world = plant(YEAR - 3, |year, _| {
        let made = 1000.0 * (1.0 + 0.04 * random.normal()) * if year == YEAR { 0.6 } else { 1.0 };
        (made, made * 0.5)
    });
    let made = world.kpi(day(YEAR, 6, 1), KpiMeasure::RenewableProduced);
    assert!((made.expected.unwrap() / 7200.0 - 1.0).abs() < 0.04, "{made:?}");
    assert!(made.high.unwrap() < 9000.0, "{made:?}");
}

#[test]
fn without_enough_past_months_production_is_withheld_and_says_why() {
    let same = |_, number: u32| (f64::from(100 * number), f64::from(40 * number));
    let reason = ["forecast.no_past_production".to_owned()];
    let check = |world: &World, on: NaiveDate, expected: bool| {
        let (forecast, _) = world.on(on);
        for (measure, _) in [PRODUCED, SHARE] {
            let kpi = of(&forecast, measure);
            assert_eq!(
                (kpi.expected.is_some(), kpi.because.is_empty()),
                (expected, expected),
                "{on} {kpi:?}"
            );
            if !expected {
                assert_eq!((kpi.because.as_slice(), kpi.outlook), (&reason[..], Outlook::Unknown));
            }
        }
        let said = forecast.findings.iter().filter(|f| f.code == reason[0]).count();
        assert_eq!(said, if expected { 0 } else { 2 });
    };
    let none = plant(YEAR, same);
    check(&none, day(YEAR, 11, 1), false);
    let one = plant(YEAR - 1, same);
    check(&one, day(YEAR, 3, 1), false);
    check(&one, day(YEAR, 4, 1), true);
    let two = plant(YEAR - 2, same);
    check(&two, day(YEAR, 1, 1), true);
    // A past month of the season to come that was half measured is no evidence; one that is over only is not compared.
    let mut holed = one.clone();
    let june = Month { year: YEAR - 1, number: 6 };
    holed.months("pv").iter_mut().find(|m| m.month == june).unwrap().coverage_ratio = 0.5;
    check(&holed, day(YEAR, 5, 1), false);
    check(&holed, day(YEAR, 8, 1), true);
}

#[test]
fn a_lost_month_of_this_year_withholds_the_forecast() {
    let mut world = plant(YEAR - 2, |_, number| (f64::from(100 * number), f64::from(40 * number)));
    let april = Month { year: YEAR, number: 4 };
    world.months("pv").iter_mut().find(|m| m.month == april).unwrap().coverage_ratio = 0.5;
    for (measure, _) in [PRODUCED, SHARE] {
        let kpi = world.kpi(day(YEAR, 9, 1), measure);
        assert!(kpi.because.contains(&"series.coverage.low".to_owned()), "{kpi:?}");
        assert_eq!(kpi.expected, None);
    }
}

/// 100 made and 40 kept on site in the mean of any two months; no register feeds in the same three times.
fn near_forty(_: i32, number: u32) -> (f64, f64) {
    (100.0, if number.is_multiple_of(2) { 40.5 } else { 39.5 })
}

#[test]
fn a_share_says_what_the_months_left_must_keep_on_site() {
    let mut world = plant(YEAR - 2, near_forty);
    world.target = 50.0;
    let kpi = world.kpi(day(YEAR, 7, 1), KpiMeasure::SelfConsumedShare);
    assert!(matches!(kpi.needed, Some(Needed::Each(each)) if near(each, 60.0)), "{kpi:?}");
    assert_eq!(kpi.outlook, Outlook::OutOfReach);
    world.target = 15.0;
    let kpi = world.kpi(day(YEAR, 7, 1), KpiMeasure::SelfConsumedShare);
    assert_eq!((kpi.needed, kpi.outlook), (None, Outlook::Safe));
}

/// A gas meter whose use follows the cold exactly, 12 % less since the works, and every measure that it and a plant make.
fn building() -> World {
    let first = day(2010, 1, 1);
    let mean_c = |date: NaiveDate| {
        let n = (date - first).num_days() as f64;
        13.0 - 11.0 * ((n - 15.0) / 365.25 * std::f64::consts::TAU).cos() + 2.5 * (n * 0.9).sin()
    };
    let end = day(YEAR + 1, 1, 1);
    let temperatures: Vec<DailyTemperature> = first
        .iter_days()
        .take_while(|d| *d < end)
        .map(|d| DailyTemperature::as_given(station(), d, mean_c(d)))
        .collect();
    let gas = |month: Month| {
        let days = month.first_day().iter_days().take_while(|d| *d < month.end_day());
        let law: f64 = days.map(|d| 10.0 + 4.0 * (15.5 - mean_c(d)).max(0.0)).sum();
        measured(month, if 2022 < month.year { 0.88 * law } else { law })
    };
    let months = (2021..=YEAR).flat_map(Month::all_of).map(gas).collect();
    let mut world = plant(YEAR - 2, |_, number| (f64::from(100 * number), f64::from(40 * number)));
    world.meters.push((meter("gas", Carrier::NaturalGas, Direction::Import), months));
    world.tariffs.push(tariff(day(2022, 1, 1), None, 1_200_000));
    world.plants.push(power(day(2023, 5, 1), 20.0));
    world.plants.push(power(day(YEAR, 10, 1), 5.0));
    world.facility = Some(Euro { cents: 1_000_000 });
    // Of heat nothing is exported here, and what only documents state is no forecast.
    let left_out = [KpiMeasure::HeatSelfConsumedShare, KpiMeasure::FloorArea, KpiMeasure::Stated];
    world.kpis =
        KpiMeasure::ALL.into_iter().filter(|m| !left_out.contains(m)).map(|m| (m, m.units()[0].0)).collect();
    world.temperatures = temperatures;
    world
}

fn tariff(from: NaiveDate, to: Option<NaiveDate>, microeuro_per_unit: i64) -> Tariff {
    let (carrier, source) = (Carrier::NaturalGas, String::new());
    Tariff { carrier, meter: None, from, to, microeuro_per_unit, source }
}

fn power(in_service: NaiveDate, nominal_kw: f64) -> Plant {
    Plant {
        name: String::new(),
        carrier: Carrier::OnSitePv,
        nominal_kw,
        in_service,
        running_hours: None,
        source: String::new(),
    }
}

#[test]
fn every_measure_has_a_forecast_whose_band_holds_the_year_and_which_the_year_ends_in() {
    let world = building();
    let (over, year) = world.on(day(YEAR + 1, 1, 1));
    let (forecast, _) = world.on(day(YEAR, 6, 15));
    assert_eq!(over.months_left, 0);
    for kpi in &year.kpis {
        let measure = kpi.definition.measure;
        let achieved = kpi.achieved.unwrap_or_else(|| panic!("{kpi:?}"));
        let end = of(&over, measure);
        assert_eq!(
            (end.so_far, end.expected, end.low, end.high),
            (Some(achieved), kpi.achieved, kpi.achieved, kpi.achieved)
        );
        let k = of(&forecast, measure);
        assert!(k.because.is_empty(), "{k:?}");
        let (low, expected, high) = (k.low.unwrap(), k.expected.unwrap(), k.high.unwrap());
        let slack = 1e-6 * achieved.abs();
        assert!(low - slack <= achieved && achieved <= high + slack, "{k:?} {achieved}");
        assert!((expected - achieved).abs() <= 0.12 * achieved.abs(), "{k:?} {achieved}");
    }
    let capacity = of(&forecast, KpiMeasure::RenewableCapacity);
    let values = (capacity.so_far, capacity.low, capacity.expected, capacity.high);
    assert_eq!(values, (Some(20.0), Some(20.0), Some(25.0), Some(25.0)));
}

#[test]
fn money_follows_the_tariffs_stated_for_the_months_to_come() {
    let mut world = building();
    world.kpis =
        vec![(KpiMeasure::CostAvoided, KpiUnit::Euro), (KpiMeasure::FinalEnergySaved, KpiUnit::KilowattHour)];
    let on = day(YEAR, 6, 1);
    let held = "forecast.tariff_held";
    let (plain, _) = world.on(on);
    let euro = |f: &Forecast| of(f, KpiMeasure::CostAvoided).expected.unwrap();
    let kwh = of(&plain, KpiMeasure::FinalEnergySaved);
    for (of_euro, of_kwh) in [
        (of(&plain, KpiMeasure::CostAvoided).so_far, kwh.so_far),
        (of(&plain, KpiMeasure::CostAvoided).expected, kwh.expected),
        (of(&plain, KpiMeasure::CostAvoided).low, kwh.low),
    ] {
        let wanted = of_kwh.unwrap() / 9.5 * 1.2;
        assert!((of_euro.unwrap() / wanted - 1.0).abs() < 1e-4, "{of_euro:?} {wanted}");
    }
    assert!(!plain.findings.iter().any(|f| f.code == held));
    // Twice the price from the first month to come.
    world.tariffs = vec![tariff(day(2022, 1, 1), Some(on), 1_200_000), tariff(on, None, 2_400_000)];
    let (dearer, _) = world.on(on);
    let so_far = of(&plain, KpiMeasure::CostAvoided).so_far.unwrap();
    let wanted = so_far + 2.0 * (euro(&plain) - so_far);
    assert!((euro(&dearer) / wanted - 1.0).abs() < 1e-6, "{} {wanted}", euro(&dearer));
    // A tariff that ends: the months after it are priced at it, and that is said.
    world.tariffs = vec![tariff(day(2022, 1, 1), Some(day(YEAR, 9, 1)), 1_200_000)];
    let (ended, _) = world.on(on);
    assert!(near(euro(&ended), euro(&plain)));
    assert!(ended.findings.iter().any(|f| f.code == held && f.says.contains("2024-09-01")));
    // A month that is over without a price withholds the year, and with it the forecast.
    world.tariffs = vec![tariff(day(YEAR, 2, 1), None, 1_200_000)];
    let (missing, _) = world.on(on);
    let kpi = of(&missing, KpiMeasure::CostAvoided);
    assert_eq!((kpi.expected, kpi.because.as_slice()), (None, &["tariff.missing".to_owned()][..]));
    // So does one to come for which none was ever stated.
    world.tariffs = vec![tariff(day(YEAR, 2, 1), None, 1_200_000)];
    let kpi = of(&world.on(day(YEAR, 1, 1)).0, KpiMeasure::CostAvoided).clone();
    assert_eq!((kpi.expected, kpi.because.as_slice()), (None, &["tariff.missing".to_owned()][..]));
}

#[test]
fn what_the_year_will_lack_withholds_its_forecast() {
    let mut world = building();
    world.facility = None;
    let (forecast, _) = world.on(day(YEAR, 6, 1));
    let per_euro = of(&forecast, KpiMeasure::PrimaryEnergySavedPerEuro);
    assert_eq!(
        (per_euro.expected, per_euro.because.as_slice()),
        (None, &["facility.missing".to_owned()][..])
    );
    assert!(of(&forecast, KpiMeasure::PrimaryEnergySaved).expected.is_some());
    world.meters.retain(|(facts, _)| facts.direction != Direction::Export);
    let (forecast, _) = world.on(day(YEAR, 6, 1));
    let share = of(&forecast, KpiMeasure::SelfConsumedShare);
    assert_eq!((share.expected, share.because.as_slice()), (None, &["kpi.meter_missing".to_owned()][..]));
    world.plants.clear();
    let capacity = of(&world.on(day(YEAR, 6, 1)).0, KpiMeasure::RenewableCapacity).clone();
    assert_eq!(
        (capacity.expected, capacity.because.as_slice()),
        (None, &["kpi.plant_missing".to_owned()][..])
    );
}

/// The building with a second carrier that has neither tariff nor factor.
fn with_second_carrier(measure: KpiMeasure) -> World {
    let mut world = building();
    let of_gas = world.months("gas").clone();
    let months = of_gas.iter().map(|m| measured(m.month, m.amount as f64 * 0.7e-3)).collect();
    world.meters.push((meter("heat", Carrier::DistrictHeating, Direction::Import), months));
    world.kpis = vec![(measure, measure.units()[0].0)];
    world
}

/// Whatever withholds the year's figure withholds its forecast, also where a meter is then no part of the sum.
#[test]
fn a_meter_that_is_left_out_of_the_sum_withholds_every_forecast_that_it_withholds_the_year_of() {
    let on = day(YEAR, 11, 10);
    for measure in [
        KpiMeasure::FinalEnergySaved,
        KpiMeasure::PrimaryEnergySaved,
        KpiMeasure::TotalPrimaryEnergySaved,
        KpiMeasure::OilEquivalentSaved,
        KpiMeasure::Co2Avoided,
        KpiMeasure::CostAvoided,
        KpiMeasure::OperationalPrimaryIndex,
        KpiMeasure::PrimaryEnergySavedPerEuro,
    ] {
        let world = with_second_carrier(measure);
        let (over, year) = world.on(day(YEAR + 1, 1, 1));
        assert_eq!((year.kpis[0].achieved, over.kpis[0].expected), (None, None), "{measure:?}");
        let kpi = world.kpi(on, measure);
        assert_eq!((kpi.expected, kpi.outlook, kpi.so_far), (None, Outlook::Unknown, None), "{kpi:?}");
        let wanted = if measure == KpiMeasure::CostAvoided { "tariff.missing" } else { "factor.missing" };
        assert!(kpi.because.contains(&wanted.to_owned()), "{kpi:?}");
    }
    // Heat from a network is not burnt on site and counts for nothing there: its missing factor withholds no forecast.
    let world = with_second_carrier(KpiMeasure::NoxAvoided);
    assert!(world.kpi(on, KpiMeasure::NoxAvoided).expected.is_some());
}

#[test]
fn a_tariff_that_ended_before_the_day_of_the_forecast_withholds_what_the_cost_will_be() {
    let measure = KpiMeasure::CostAvoided;
    let ended = |to: Option<NaiveDate>| {
        let mut world = with_second_carrier(measure);
        let of_heat = Tariff { carrier: Carrier::DistrictHeating, ..tariff(day(2022, 1, 1), to, 9_000_000) };
        world.tariffs.push(of_heat);
        world
    };
    let on = day(YEAR, 11, 10);
    assert!(ended(None).kpi(on, measure).expected.is_some());
    let kpi = ended(Some(day(YEAR, 7, 1))).kpi(on, measure);
    assert_eq!((kpi.expected, kpi.outlook), (None, Outlook::Unknown));
    assert_eq!(kpi.because, ["tariff.missing"]);
    let mut world = ended(Some(day(YEAR, 7, 1)));
    let april = Month { year: YEAR, number: 4 };
    world.months("heat").iter_mut().find(|m| m.month == april).unwrap().coverage_ratio = 0.5;
    assert_eq!(world.kpi(on, measure).because, ["series.coverage.low", "tariff.missing"]);
}

#[test]
fn an_index_that_should_be_low_says_what_each_month_may_be_or_by_how_much_it_is_exceeded() {
    let measure = KpiMeasure::OperationalPrimaryIndex;
    let mut world = building();
    world.kpis = vec![(measure, KpiUnit::KilowattHourPerSquareMetre)];
    let on = day(YEAR, 9, 1);
    let forecast_of = |world: &World| {
        let forecast = world.on_at_most(on).0;
        (forecast.kpis[0].clone(), forecast)
    };
    world.target = 1000.0;
    let (kpi, _) = forecast_of(&world);
    let so_far = kpi.so_far.unwrap();
    assert!(0.0 < so_far && so_far < kpi.expected.unwrap(), "{kpi:?}");
    assert_eq!(kpi.outlook, Outlook::Safe);
    assert!(
        matches!(kpi.needed, Some(Needed::AtMost(each)) if near(each, (1000.0 - so_far) / 4.0)),
        "{kpi:?}"
    );
    world.target = so_far + 0.4;
    let (kpi, forecast) = forecast_of(&world);
    assert_eq!(kpi.outlook, Outlook::OutOfReach);
    assert!(matches!(kpi.needed, Some(Needed::AtMost(each)) if near(each, 0.1)), "{kpi:?}");
    let said = |f: &Forecast| f.findings.iter().find(|f| f.code == "forecast.out_of_reach").unwrap().clone();
    assert!(said(&forecast).says.contains("at most 0.10"), "{}", said(&forecast));
    world.target = so_far - 8.313;
    let (kpi, forecast) = forecast_of(&world);
    assert!(matches!(kpi.needed, Some(Needed::ExceededBy(by)) if near(by, 8.313)), "{kpi:?}");
    assert!(said(&forecast).says.contains("already exceeded by 8.31"), "{}", said(&forecast));
    assert!(said(&forecast).values.contains(&("kind", "exceeded".to_owned())));
}

#[test]
fn what_only_documents_state_is_the_same_at_the_years_end() {
    let mut world = plant(YEAR - 2, |_, _| (100.0, 40.0));
    world.kpis = vec![(KpiMeasure::Stated, KpiUnit::Count), (KpiMeasure::FloorArea, KpiUnit::SquareMetre)];
    world.target = 900.0;
    let (forecast, _) = world.on(day(YEAR, 6, 1));
    let stated = of(&forecast, KpiMeasure::Stated);
    assert_eq!((stated.expected, stated.because.join(" ")), (None, "kpi.stated".to_owned()));
    let area = of(&forecast, KpiMeasure::FloorArea);
    assert_eq!([area.so_far, area.low, area.expected, area.high], [Some(1000.0); 4]);
    assert_eq!((area.outlook, area.needed, area.because.len()), (Outlook::Safe, None, 0));
    world.target = 1001.0;
    let short = world.kpi(day(YEAR, 6, 1), KpiMeasure::FloorArea);
    assert_eq!((short.outlook, short.needed), (Outlook::OutOfReach, None));
}

/// The year of completion has no twelve reporting months, and needs none for what documents state.
#[test]
fn in_the_year_of_completion_what_documents_state_is_known_once_the_works_are() {
    let mut world = plant(YEAR - 2, |_, _| (100.0, 40.0));
    world.completed = day(YEAR, 6, 30);
    world.plants.push(power(day(2023, 5, 1), 20.0));
    world.kpis = vec![
        (KpiMeasure::RenewableCapacity, KpiUnit::Kilowatt),
        (KpiMeasure::FloorArea, KpiUnit::SquareMetre),
    ];
    let area = |on| world.kpi(on, KpiMeasure::FloorArea);
    assert_eq!(area(day(YEAR, 6, 30)).because, ["forecast.not_modelled"]);
    assert_eq!(area(day(YEAR, 7, 1)).expected, Some(1000.0));
    let mut late = world.clone();
    late.completed = day(YEAR, 12, 10);
    assert_eq!(late.on(day(YEAR, 12, 20)).0.months_left, 0);
    for (measure, value) in [(KpiMeasure::FloorArea, 1000.0), (KpiMeasure::RenewableCapacity, 20.0)] {
        assert_eq!(late.kpi(day(YEAR, 12, 20), measure).expected, Some(value));
    }
    let mut later = world.clone();
    later.completed = day(YEAR + 1, 1, 1);
    let because = |measure| later.kpi(day(YEAR, 12, 20), measure).because;
    assert_eq!(because(KpiMeasure::FloorArea), ["forecast.not_modelled"]);
    assert_eq!(because(KpiMeasure::RenewableCapacity), ["forecast.not_modelled"]);
}

#[test]
fn heat_has_its_share_as_electricity_has() {
    let electricity = plant(YEAR - 2, |_, number| (f64::from(100 * number), f64::from(40 * number)));
    let mut world = electricity.clone();
    world.meters[0].0 = meter("sun", Carrier::SolarThermal, Direction::Production);
    world.meters[1].0 = meter("away", Carrier::DistrictHeating, Direction::Export);
    world.kpis = vec![(KpiMeasure::HeatSelfConsumedShare, KpiUnit::Percent), PRODUCED];
    let on = day(YEAR, 7, 1);
    let (heat, power) = (
        world.kpi(on, KpiMeasure::HeatSelfConsumedShare),
        electricity.kpi(on, KpiMeasure::SelfConsumedShare),
    );
    assert_eq!(
        (heat.so_far, heat.expected, heat.low, heat.high),
        (power.so_far, power.expected, power.low, power.high)
    );
    assert!(near(heat.expected.unwrap(), 40.0));
    let made = KpiMeasure::RenewableProduced;
    assert_eq!(world.kpi(on, made).expected, electricity.kpi(on, made).expected);
}

#[test]
fn a_store_counts_as_what_it_keeps() {
    let mut world = plant(YEAR - 2, near_forty);
    let months = |amount: f64| {
        let of = move |month| measured(month, amount);
        (YEAR - 2..=YEAR).flat_map(Month::all_of).map(of).collect::<Vec<_>>()
    };
    world.meters.push((meter("in", Carrier::GridElectricity, Direction::Charge), months(15.0)));
    world.meters.push((meter("from", Carrier::GridElectricity, Direction::Discharge), months(10.0)));
    let on = day(YEAR, 7, 1);
    let share = world.kpi(on, KpiMeasure::SelfConsumedShare);
    assert!(near(share.so_far.unwrap(), 35.0) && near(share.expected.unwrap(), 35.0), "{share:?}");
    // A store without a past: nobody knows what the months to come will keep.
    let is_new = |m: &MonthValue| m.month.year == YEAR;
    world.months("in").retain(is_new);
    world.months("from").retain(is_new);
    let share = world.kpi(on, KpiMeasure::SelfConsumedShare);
    assert_eq!(share.because, ["forecast.no_past_production"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// What was not measured of this year's months, or of the one past year, never makes an outlook better.
    #[test]
    fn removing_readings_never_turns_an_outlook_better(
        seed in 1_u64..5000,
        past in 1_i32..5,
        over in 3_u32..12,
        gaps in prop::collection::vec(
            (prop::bool::ANY, 0_i32..5, 1_u32..13, 0.0_f64..0.4, 0.0_f64..0.4), 1..6),
    ) {
        let whole = sunny(&mut Random::new(seed), past);
        let mut less = whole.clone();
        for (is_export, back, number, low, high) in gaps {
            // With several past years a month's gap widens or narrows what they have in common.
            let back = if past == 1 { back.min(1) } else { 0 };
            let id = if is_export { "out" } else { "pv" };
            let month = Month { year: YEAR - back, number };
            let value = less.months(id).iter_mut().find(|m| m.month == month).unwrap();
            with_gap(value, low, high);
        }
        let on = day(YEAR, over + 1, 10);
        for (measure, _) in [PRODUCED, SHARE] {
            let (a, b) = (whole.kpi(on, measure), less.kpi(on, measure));
            let (Some(so_far), Some(expected)) = (b.so_far, b.expected) else { continue };
            let slack = 1e-9 * a.expected.unwrap();
            prop_assert!(so_far <= a.so_far.unwrap() + slack, "{a:?} {b:?}");
            prop_assert!(expected <= a.expected.unwrap() + slack, "{a:?} {b:?}");
        }
    }
}
