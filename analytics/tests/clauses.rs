//! Clauses that follow from measurements, from the totals of meters to the verdict: met, surely missed, and what lies
//! between or was not measured.
//!
//! Must never: hold a clause against figures that were not computed from readings.

use std::sync::Arc;

use analytics::balance::{SlotBuilder, SlotLength};
use analytics::evaluate::{MeterInput, YearInput, evaluate};
use analytics::factors::FactorSet;
use analytics::scheme::clauses::{Clause, ClauseVerdict, Judged, Test, fact_of, gather, judge};
use analytics::scheme::{KpiDefinition, KpiMeasure, KpiUnit, Scheme, SchemeRules, Target};
use analytics::series::{Accumulator, SeriesSettings};
use chrono::NaiveDate;
use model::{
    BaseUnit, Beneficiary, Building, BuildingId, Carrier, Digest, Direction, FactorSetId, Instant,
    MeterFacts, MeterId, MeterRole, Month, Project, ProjectDates, ProjectId, SchemeId, Statement, StationId,
    Zone,
};

const ROME: Zone = Zone::Europe__Rome;
const HOUR: i64 = 3_600_000;
/// Hours of the civil year 2025.
const HOURS: i64 = 8_760;

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn facts(id: &str, carrier: Carrier, direction: Direction) -> MeterFacts {
    MeterFacts {
        id: MeterId::new(id).unwrap(),
        name: id.to_owned(),
        carrier,
        direction,
        role: MeterRole::New,
        parent: None,
        supply_point: None,
        ceiling_per_hour: 20.0,
        wraps_at: None,
        gas: None,
        serial: None,
        accuracy_class: None,
        calibration: None,
    }
}

/// The first instant of the year.
fn begin() -> Instant {
    Month::new(2025, 1).unwrap().bounds(ROME).0
}

/// The hour of the year at which a month begins.
fn hour_of(month: u32) -> i64 {
    (Month::new(2025, month).unwrap().bounds(ROME).0.millis() - begin().millis()) / HOUR
}

/// A meter, what it counts in each hour in Wh, and the hours whose reading is missing.
struct Planted {
    facts: MeterFacts,
    wh: Box<dyn Fn(i64) -> i64>,
    missing: std::ops::Range<i64>,
}

fn planted(id: &str, carrier: Carrier, direction: Direction, wh: impl Fn(i64) -> i64 + 'static) -> Planted {
    Planted { facts: facts(id, carrier, direction), wh: Box::new(wh), missing: 0..0 }
}

impl Planted {
    fn without(self, missing: std::ops::Range<i64>) -> Self {
        Self { missing, ..self }
    }

    /// Its readings made into months and hours.
    fn input(&self) -> MeterInput {
        let settings = SeriesSettings::of(&self.facts, ROME, 3_600);
        let end = begin().plus_millis(HOURS * HOUR);
        let mut series = Accumulator::new(settings);
        let mut slots = SlotBuilder::new(SlotLength::Hour, (begin(), end), &settings);
        let mut total = 1_000_000;
        for hour in 0..=HOURS {
            let at = begin().plus_millis(hour * HOUR);
            if !self.missing.contains(&hour) {
                series.push(at, total);
                slots.push(at, total);
            }
            total += (self.wh)(hour);
        }
        MeterInput {
            months: series.snapshot(end),
            slots: Some(slots.finish()),
            readings: 1,
            ..MeterInput::empty(self.facts.id.clone(), BaseUnit::WattHour)
        }
    }
}

fn project(meters: &[Planted], stated: &[(&str, f64)]) -> Project {
    let stated = stated.iter().map(|(fact, value)| Statement {
        fact: (*fact).to_owned(),
        value: *value,
        source: "progetto".to_owned(),
    });
    Project {
        id: ProjectId::new("p").unwrap(),
        title: String::new(),
        cup: String::new(),
        scheme: SchemeId::new("s").unwrap(),
        factor_set: FactorSetId::new("f").unwrap(),
        beneficiary: Beneficiary {
            name: String::new(),
            tax_code: String::new(),
            legal_representative: String::new(),
        },
        dates: ProjectDates {
            baseline_from: day(2022, 1, 1),
            baseline_to: day(2023, 1, 1),
            works_from: day(2023, 2, 1),
            completed: day(2024, 12, 31),
            expenses_closed: None,
            final_payment: None,
        },
        facility: None,
        zone: ROME,
        station: StationId::new("t").unwrap(),
        buildings: vec![Building {
            id: BuildingId::new("b").unwrap(),
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
            meters: meters.iter().map(|m| m.facts.clone()).collect(),
        }],
        declared: Vec::new(),
        terms: model::Terms::default(),
        grant: model::Grant { statements: stated.collect(), ..model::Grant::default() },
    }
}

fn scheme(fact: &str, test: Test) -> Scheme {
    let clause = Clause {
        id: fact.to_owned(),
        text: fact.to_owned(),
        fact: fact_of(fact).unwrap(),
        test,
        citation: String::new(),
    };
    Scheme {
        id: SchemeId::new("s").unwrap(),
        title: String::new(),
        citation: String::new(),
        authority: String::new(),
        default_factor_set: FactorSetId::new("f").unwrap(),
        yearly: None,
        kpis: vec![KpiDefinition {
            code: "share".to_owned(),
            text: String::new(),
            measure: KpiMeasure::SelfConsumedShare,
            unit: KpiUnit::Percent,
            target: Target::AtLeast(80.0),
            citation: String::new(),
        }],
        rules: SchemeRules { clauses: vec![clause], ..SchemeRules::default() },
    }
}

/// One clause on the year 2025 of these meters.
fn judged(fact: &str, test: Test, meters: &[Planted], stated: &[(&str, f64)]) -> Judged {
    let project = Arc::new(project(meters, stated));
    let scheme = Arc::new(scheme(fact, test));
    let input = YearInput {
        project: Arc::clone(&project),
        scheme: Arc::clone(&scheme),
        factors: Arc::new(FactorSet {
            id: FactorSetId::new("f").unwrap(),
            title: String::new(),
            source: String::new(),
            valid_from: None,
            valid_to: None,
            carriers: Vec::new(),
        }),
        year: 2025,
        until: day(2026, 1, 1),
        meters: meters.iter().map(Planted::input).collect(),
        temperatures: &[],
        neighbour: None,
        places: Vec::new(),
        catalog: Digest([0; 32]),
        frozen: Vec::new(),
        adjustments: Vec::new(),
    };
    let year = evaluate(&input);
    let facts = gather(&project, scheme.declared_saving(), Some(&year));
    judge(&scheme.rules.clauses, &facts).remove(0)
}

fn near(value: Option<f64>, wanted: f64) {
    assert!(value.is_some_and(|v| (v - wanted).abs() < 0.05), "{value:?} is not {wanted}");
}

/// Heat made at 10 kW all year, of which so much is given away.
fn heat(given_wh: i64) -> [Planted; 2] {
    [
        planted("solar", Carrier::SolarThermal, Direction::Production, |_| 10_000),
        planted("given", Carrier::DistrictHeating, Direction::Export, move |_| given_wh),
    ]
}

#[test]
fn heat_that_is_not_used_is_held_against_its_limit_both_ways() {
    let of = |meters: &[Planted]| judged("heat_unused_percent", Test::AtMost(20.0), meters, &[]);
    let met = of(&heat(1_500));
    near(met.value, 15.0);
    assert_eq!(met.verdict, ClauseVerdict::Met, "{met:?}");
    assert!(met.evidence.contains("87600 kWh of heat made, 13140 kWh given away in 2025"), "{met:?}");
    let missed = of(&heat(2_500));
    near(missed.value, 25.0);
    assert_eq!(missed.verdict, ClauseVerdict::NotMet, "{missed:?}");
    // Nothing is known of what was given away since November: it may have been all of it.
    let [solar, given] = heat(1_500);
    let silent = of(&[solar, given.without(hour_of(11)..HOURS + 1)]);
    assert_eq!(silent.verdict, ClauseVerdict::Unknown, "{silent:?}");
    // No meter counts what is given away.
    let [solar, _] = heat(0);
    assert_eq!(of(&[solar]).verdict, ClauseVerdict::Unknown);
}

/// So much drawn from the grid in every hour.
fn grid(wh: i64) -> Planted {
    planted("grid", Carrier::GridElectricity, Direction::Import, move |_| wh)
}

#[test]
fn renewable_power_is_held_against_the_measured_use_of_the_grid_both_ways() {
    let of = |limit: f64, meters: &[Planted], kw: f64| {
        let stated = [("renewable_power_kw", kw), ("running_hours", 100.0)];
        judged("electric_power_percent", Test::AtMost(limit), meters, &stated)
    };
    // 2 kW all year are 17 520 kWh; 100 kW in 100 hours are 10 000.
    let met = of(100.0, &[grid(2_000)], 100.0);
    near(met.value, 100.0 * 10_000.0 / 17_520.0);
    assert_eq!(met.verdict, ClauseVerdict::Met, "{met:?}");
    assert!(met.evidence.contains("17520 kWh from the grid in 2025"), "{met:?}");
    let missed = of(100.0, &[grid(2_000)], 200.0);
    near(missed.value, 100.0 * 20_000.0 / 17_520.0);
    assert_eq!(missed.verdict, ClauseVerdict::NotMet, "{missed:?}");
    // A week over the turn of a month: how much of it each month used is not known, and the year knows all of it.
    let hole = hour_of(2) - 84..hour_of(2) + 84;
    let whole = of(57.1, &[grid(2_000).without(hole)], 100.0);
    near(whole.value, 100.0 * 10_000.0 / 17_520.0);
    assert_eq!(whole.verdict, ClauseVerdict::Met, "{whole:?}");
    // What was not measured cannot meet it.
    let silent = of(100.0, &[grid(2_000).without(hour_of(11)..HOURS + 1)], 100.0);
    assert_eq!((silent.verdict, silent.value), (ClauseVerdict::Unknown, None), "{silent:?}");
    assert_eq!(of(100.0, &[], 100.0).verdict, ClauseVerdict::Unknown);
}

/// A plant of 5 kW; half a kW goes to the grid, in June two.
fn plant() -> [Planted; 3] {
    let june = hour_of(6)..hour_of(7);
    [
        planted("pv", Carrier::OnSitePv, Direction::Production, |_| 5_000),
        planted("fed", Carrier::GridElectricity, Direction::Export, move |hour| {
            if june.contains(&hour) { 2_000 } else { 500 }
        }),
        grid(1_000),
    ]
}

#[test]
fn the_self_consumed_share_names_its_worst_month_and_is_held_against_its_limit_both_ways() {
    let of =
        |limit: f64, meters: &[Planted]| judged("self_consumed_percent", Test::AtLeast(limit), meters, &[]);
    // 43 800 kWh made; 8 040 hours at 0.5 kWh and 720 at 2 kWh given to the grid.
    let share = 100.0 * (1.0 - (8_040.0 * 0.5 + 720.0 * 2.0) / 43_800.0);
    let met = of(80.0, &plant());
    near(met.value, share);
    assert_eq!(met.verdict, ClauseVerdict::Met, "{met:?}");
    assert!(met.evidence.contains("worst month 2025-06 with 60.0 %"), "{met:?}");
    let missed = of(90.0, &plant());
    assert_eq!(missed.verdict, ClauseVerdict::NotMet, "{missed:?}");
    let [pv, fed, grid] = plant();
    let silent = of(80.0, &[pv, fed.without(hour_of(11)..HOURS + 1), grid]);
    assert_ne!(silent.verdict, ClauseVerdict::Met, "{silent:?}");
    let [pv, _, grid] = plant();
    assert_eq!(of(80.0, &[pv, grid]).verdict, ClauseVerdict::Unknown);
}

#[test]
fn only_the_code_of_a_certificate_from_before_the_works_counts() {
    // The works began on 1 February 2023.
    let of = |code: Option<&str>| {
        let mut project = project(&[], &[]);
        project.buildings[0].name = "Scuola".to_owned();
        project.buildings[0].ape_code = code.map(str::to_owned);
        let clauses = scheme("buildings_without_ape", Test::AtMost(0.0)).rules.clauses;
        judge(&clauses, &gather(&project, None, None)).remove(0)
    };
    for before in ["2019 123456 0001", "2022_1_1", "ITA-ER-2015/000123"] {
        assert_eq!(of(Some(before)).verdict, ClauseVerdict::Met, "{before}");
    }
    assert_eq!(of(None).verdict, ClauseVerdict::NotMet);
    for none in ["in corso", "boh", "", "2024 123456 0001", "2025_1_1"] {
        let judged = of(Some(none));
        assert_eq!((judged.verdict, judged.value), (ClauseVerdict::NotMet, Some(1.0)), "{none}");
        assert!(
            judged.evidence.contains("2023-02-01") && judged.evidence.contains(&format!("Scuola ({none})"))
        );
    }
    // Of that very year: before the works or after them, its code does not tell.
    assert_eq!(of(Some("2023 123456 0001")).verdict, ClauseVerdict::Unknown);
}
