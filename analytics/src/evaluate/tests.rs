//! A planted municipality: one gas meter with a known law, a year before and a year after the works.
//!
//! Must never: hold a figure that was copied from the output of the code under test.

mod adjustments;
mod chains;
mod conservative;
mod counters;
mod doubts;
mod figures;
mod flows;
mod gas;
mod kpis;
mod months;
mod new_meters;
mod opening;
mod properties;
mod short;
mod sums;
mod weather;

use chrono::{Days, NaiveDate};
use model::{
    BaseUnit, Beneficiary, BuildingId, Carrier, DeclaredValue, Direction, Euro, MeterFacts, MeterRole, Month,
    MonthValue, OpeningHours, ProjectDates, Severity, Stretch, YearDay, Zone,
};

use super::*;
use crate::factors::CarrierFactors;
use crate::result::{Baseline, KpiResult, MeterYear, Verdict};
use crate::scheme::{KpiDefinition, KpiMeasure, KpiUnit, Target};

const ROME: Zone = Zone::Europe__Rome;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Daily mean of the planted climate, in °C: cold winters, and each year a little different.
fn mean_c(d: NaiveDate) -> f64 {
    let n = (d - day("2022-01-01")).num_days() as f64;
    13.0 - 11.0 * ((n - 15.0) / 365.25 * std::f64::consts::TAU).cos()
        + 2.5 * (n * 0.9).sin()
        + 1.5 * (n / 700.0)
}

/// Gas of a day in litres under the planted law: 10 Smc and 4 Smc per kelvin day under 15.5 °C.
fn gas_litres(d: NaiveDate) -> f64 {
    1000.0 * (10.0 + 4.0 * (15.5 - mean_c(d)).max(0.0))
}

/// Electricity of a day in Wh: 20 kWh, 1.5 kWh per kelvin day under 15 °C, 3 kWh per kelvin day over 20 °C.
fn power_wh(d: NaiveDate) -> f64 {
    let t = mean_c(d);
    1000.0 * (20.0 + 1.5 * (15.0 - t).max(0.0) + 3.0 * (t - 20.0).max(0.0))
}

/// The calendar of the planted school: from Monday to Friday, closed in August and around Christmas.
fn calendar() -> Vec<OpeningHours> {
    let of = |month, day| YearDay::new(month, day).unwrap();
    vec![OpeningHours {
        from: day("2020-01-01"),
        to: None,
        season: None,
        week: [true, true, true, true, true, false, false],
        hours_per_day: 8.0,
        closed: vec![Stretch::EveryYear(of(8, 1), of(8, 31)), Stretch::EveryYear(of(12, 23), of(1, 6))],
        open_on_holidays: false,
    }]
}

/// Gas of a day in litres where its use follows the opening too: 10 Smc, 4 Smc per kelvin day under 15 °C, and 5 Smc an
/// open hour.
fn driven_litres(entries: &[OpeningHours], d: NaiveDate) -> f64 {
    let hours = crate::calendar::hours_on(entries, d).unwrap();
    1000.0 * (10.0 + 4.0 * (15.0 - mean_c(d)).max(0.0) + 5.0 * hours)
}

/// The same under the planted calendar.
fn school_litres(d: NaiveDate) -> f64 {
    driven_litres(&calendar(), d)
}

fn sum_days(month: Month, law: impl Fn(NaiveDate) -> f64) -> f64 {
    month.first_day().iter_days().take_while(|d| *d < month.end_day()).map(law).sum()
}

/// Wholly measured months of 2023 under one law and of 2025 under another.
fn series(
    unit: BaseUnit,
    before: impl Fn(NaiveDate) -> f64,
    after: impl Fn(NaiveDate) -> f64,
) -> MonthlySeries {
    let value = |month: Month, amount: f64| {
        let amount = amount.round() as i64;
        MonthValue {
            month,
            amount,
            low: amount,
            high: Some(amount),
            coverage_ratio: 1.0,
            estimated_ratio: 0.0,
            joint: None,
        }
    };
    let mut months: Vec<MonthValue> =
        Month::all_of(2023).iter().map(|&m| value(m, sum_days(m, &before))).collect();
    months.extend(Month::all_of(2025).iter().map(|&m| value(m, sum_days(m, &after))));
    MonthlySeries { unit, months }
}

fn facts(id: &str, carrier: Carrier, direction: Direction, role: MeterRole) -> MeterFacts {
    MeterFacts {
        id: MeterId::new(id).unwrap(),
        name: id.to_owned(),
        carrier,
        direction,
        role,
        parent: None,
        supply_point: None,
        ceiling_per_hour: 40.0,
        wraps_at: None,
        gas: None,
        serial: None,
        accuracy_class: None,
        calibration: None,
    }
}

fn kpi(code: &str, measure: KpiMeasure, unit: KpiUnit, target: Target) -> KpiDefinition {
    let (code, text, citation) = (code.to_owned(), code.to_owned(), String::new());
    KpiDefinition { code, text, measure, unit, target, citation }
}

/// A project, its data, and the year 2025.
struct Case {
    project: Project,
    scheme: Scheme,
    factors: FactorSet,
    until: NaiveDate,
    temperatures: Vec<DailyTemperature>,
    neighbour: Option<(model::StationId, Vec<DailyTemperature>)>,
    places: Vec<(Place, ZoneRules)>,
    meters: Vec<MeterInput>,
    frozen: Vec<laws::Frozen>,
    adjustments: Vec<Adjustment>,
}

impl Case {
    /// The planted gas meter, after the works at `share` of what it would have used.
    fn gas(share: f64) -> Self {
        let mut case = Self {
            project: project(),
            scheme: scheme(),
            factors: factors(),
            until: day("2026-01-01"),
            temperatures: temperatures(),
            neighbour: None,
            places: Vec::new(),
            meters: Vec::new(),
            frozen: Vec::new(),
            adjustments: Vec::new(),
        };
        let gas = facts("gas", Carrier::NaturalGas, Direction::Import, MeterRole::Compared);
        case.add(gas, series(BaseUnit::Litre, gas_litres, |d| share * gas_litres(d)));
        case
    }

    /// The planted electricity meter, heating and cooling, after the works at `share` of what it would have used.
    fn power(share: f64) -> Self {
        let mut case = Self::gas(share);
        case.meters.clear();
        case.project.buildings[0].meters.clear();
        let power = facts("gas", Carrier::GridElectricity, Direction::Import, MeterRole::Compared);
        case.add(power, series(BaseUnit::WattHour, power_wh, |d| share * power_wh(d)));
        case
    }

    /// A gas meter that follows the opening of its building, after the works at `share` of what it would have used.
    fn school(share: f64) -> Self {
        Self::opened(calendar(), share)
    }

    /// The same, the building being open as `entries` say.
    fn opened(entries: Vec<OpeningHours>, share: f64) -> Self {
        let mut case = Self::gas(share);
        case.meters.clear();
        case.project.buildings[0].meters.clear();
        let law = |d| driven_litres(&entries, d);
        let gas = facts("gas", Carrier::NaturalGas, Direction::Import, MeterRole::Compared);
        case.add(gas, series(BaseUnit::Litre, law, |d| share * law(d)));
        case.project.buildings[0].opening = entries;
        case.project.terms.baseline = model::BaselineMethod::Drivers;
        case.project.terms.drivers = vec![model::UseDriver::OpeningHours];
        case
    }

    fn add(&mut self, facts: MeterFacts, months: MonthlySeries) {
        self.meters.push(MeterInput {
            months,
            readings: 10,
            ..MeterInput::empty(facts.id.clone(), BaseUnit::WattHour)
        });
        self.project.buildings[0].meters.push(facts);
    }

    fn month_mut(&mut self, meter: usize, year: i32, number: u32) -> &mut MonthValue {
        let months = &mut self.meters[meter].months.months;
        months.iter_mut().find(|m| m.month == Month { year, number }).unwrap()
    }

    fn year(&self) -> ProjectYear {
        evaluate(&YearInput {
            project: Arc::new(self.project.clone()),
            scheme: Arc::new(self.scheme.clone()),
            factors: Arc::new(self.factors.clone()),
            year: 2025,
            until: self.until,
            meters: self.meters.clone(),
            temperatures: &self.temperatures,
            neighbour: self.neighbour.as_ref().map(|(name, days)| (name.clone(), days.as_slice())),
            places: self.places.clone(),
            catalog: Digest([7; 32]),
            frozen: self.frozen.clone(),
            adjustments: self.adjustments.clone(),
        })
    }
}

fn project() -> Project {
    let id = |text| BuildingId::new(text).unwrap();
    Project {
        id: model::ProjectId::new("scuola").unwrap(),
        title: "Scuola elementare".to_owned(),
        cup: "B00A00000000000".to_owned(),
        scheme: model::SchemeId::new("planted").unwrap(),
        factor_set: model::FactorSetId::new("planted").unwrap(),
        beneficiary: Beneficiary {
            name: "Comune dimostrativo".to_owned(),
            tax_code: "00000000000".to_owned(),
            legal_representative: "il sindaco".to_owned(),
        },
        dates: ProjectDates {
            baseline_from: day("2023-01-01"),
            baseline_to: day("2024-01-01"),
            works_from: day("2024-02-01"),
            completed: day("2024-11-30"),
            expenses_closed: None,
            final_payment: None,
        },
        facility: Some(Euro::from_euros(10_000)),
        zone: ROME,
        station: model::StationId::new("stazione").unwrap(),
        buildings: vec![model::Building {
            id: id("b1"),
            name: "Scuola".to_owned(),
            municipality: "Comune dimostrativo".to_owned(),
            istat_code: "001272".to_owned(),
            address: String::new(),
            uses: Vec::new(),
            floor_area_m2: 1000.0,
            gross_volume_m3: 4000.0,
            usage_profile: String::new(),
            opening: Vec::new(),
            ape_code: None,
            meters: Vec::new(),
        }],
        grant: model::Grant::default(),
        declared: vec![DeclaredValue {
            kpi: "4.c.2".to_owned(),
            value: 0.01,
            source: "APE".to_owned(),
            by_carrier: Vec::new(),
        }],
        terms: model::Terms::default(),
    }
}

fn scheme() -> Scheme {
    Scheme {
        id: model::SchemeId::new("planted").unwrap(),
        title: String::new(),
        citation: String::new(),
        authority: String::new(),
        default_factor_set: model::FactorSetId::new("planted").unwrap(),
        yearly: None,
        rules: crate::scheme::SchemeRules::default(),
        kpis: vec![
            kpi("4.c.2", KpiMeasure::PrimaryEnergySaved, KpiUnit::GigawattHour, Target::Declared),
            kpi("final", KpiMeasure::FinalEnergySaved, KpiUnit::MegawattHour, Target::AtLeast(1.0)),
            kpi(
                "euro",
                KpiMeasure::PrimaryEnergySavedPerEuro,
                KpiUnit::KilowattHourPerEuro,
                Target::AtLeast(0.4),
            ),
            kpi("co2", KpiMeasure::Co2Avoided, KpiUnit::Tonne, Target::AtLeast(0.0)),
            kpi("nox", KpiMeasure::NoxAvoided, KpiUnit::Kilogram, Target::AtLeast(0.0)),
            kpi("self", KpiMeasure::SelfConsumedShare, KpiUnit::Percent, Target::AtLeast(80.0)),
        ],
    }
}

fn factors() -> FactorSet {
    let of = |carrier, kwh_per_unit, nren, co2, nox| CarrierFactors {
        carrier,
        kwh_per_unit,
        primary_nonrenewable: Some(nren),
        primary_renewable: Some(0.0),
        co2_kg_per_kwh: Some(co2),
        nox_g_per_gj: nox,
        pm10_g_per_gj: None,
        toe_per_unit: None,
    };
    FactorSet {
        id: model::FactorSetId::new("planted").unwrap(),
        title: String::new(),
        source: String::new(),
        valid_from: None,
        valid_to: None,
        carriers: vec![
            of(Carrier::NaturalGas, 9.5, 1.05, 0.2, Some(32.0)),
            of(Carrier::GridElectricity, 1.0, 1.95, 0.4, None),
        ],
    }
}

fn temperatures() -> Vec<DailyTemperature> {
    let station = model::StationId::new("stazione").unwrap();
    let days = day("2023-01-01").iter_days().take_while(|d| *d < day("2026-01-01"));
    days.map(|date| DailyTemperature::as_given(station.clone(), date, mean_c(date))).collect()
}

fn codes(year: &ProjectYear) -> Vec<&'static str> {
    year.findings.iter().map(|f| f.code).collect()
}

fn result<'a>(year: &'a ProjectYear, code: &str) -> &'a KpiResult {
    year.kpis.iter().find(|k| k.definition.code == code).unwrap()
}

fn only(year: &ProjectYear) -> &MeterYear {
    &year.meters[0]
}

/// What the planted building would have used in 2025, in Smc.
fn planted_2025() -> f64 {
    Month::all_of(2025).iter().map(|&m| sum_days(m, gas_litres)).sum::<f64>() / 1000.0
}

fn near(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance
}
