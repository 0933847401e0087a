//! Indicators beyond savings, factors of one's own, tariffs, accepted baselines.
//!
//! Must never: hold a figure that was copied from the output of the code under test.

use model::{FactorKind, Instant, OwnFactor, Plant, StatedValue, Tariff};

use super::laws::{Frozen, Replaced, laws};
use super::*;
use crate::kpi::cost_of_month;
use crate::report::beside::Beside;
use crate::report::structured::structured;

fn own(kind: FactorKind, value: f64) -> OwnFactor {
    OwnFactor { carrier: Carrier::NaturalGas, kind, value, source: "certificato".to_owned() }
}

fn tariff(from: &str, to: Option<&str>, microeuro_per_unit: i64) -> Tariff {
    Tariff {
        carrier: Carrier::NaturalGas,
        meter: None,
        from: day(from),
        to: to.map(day),
        microeuro_per_unit,
        source: "contratto".to_owned(),
    }
}

fn add_kpi(case: &mut Case, code: &str, measure: KpiMeasure, unit: KpiUnit, target: Target) {
    case.scheme.kpis.push(kpi(code, measure, unit, target));
}

#[test]
fn a_factor_of_ones_own_stands_on_both_sides_and_is_printed() {
    let mut case = Case::gas(0.88);
    let before = result(&case.year(), "co2").achieved.unwrap();
    case.project.terms.factors = vec![own(FactorKind::Co2, 0.4)];
    let year = case.year();
    let k = result(&year, "co2");
    // 0.4 for the set's 0.2.
    assert!(near(k.achieved.unwrap(), 2.0 * before, 1e-9 * before));
    let used: Vec<_> = k.chain.factors.iter().map(|f| (f.kind, f.value, f.own)).collect();
    assert_eq!(used, [(FactorKind::HeatingValue, 9.5, false), (FactorKind::Co2, 0.4, true)]);
    assert_eq!(k.chain.factors[1].source, "certificato");
}

#[test]
fn months_and_indicators_are_made_with_the_same_factors() {
    let mut case = Case::gas(0.88);
    let kinds = [
        (FactorKind::HeatingValue, 9.7),
        (FactorKind::PrimaryNonrenewable, 1.2),
        (FactorKind::PrimaryRenewable, 0.3),
        (FactorKind::Co2, 0.4),
    ];
    let check = |case: &Case, wanted: [f64; 4]| {
        let year = case.year();
        let file = structured(&year, &Beside::default());
        let used = &result(&year, "co2").chain.factors;
        let [heating, nonrenewable, renewable, co2] = wanted;
        assert_eq!(used.iter().map(|f| f.value).collect::<Vec<_>>(), [heating, co2]);
        for row in file.rows.iter().filter(|row| row.measured.is_some()) {
            // Rounded to a thousandth, of a measured value that is too.
            let close = |a: Option<f64>, b: f64| assert!(near(a.unwrap(), b, 0.02), "{a:?} {b}");
            let kwh = row.measured.unwrap() * heating;
            close(row.energy_kwh, kwh);
            close(row.primary_nonrenewable_kwh, kwh * nonrenewable);
            close(row.primary_total_kwh, kwh * (nonrenewable + renewable));
            close(row.co2_kg, kwh * co2);
        }
        file.header.factor_source
    };
    case.project.terms.factors = vec![own(FactorKind::PrimaryRenewable, 0.0)];
    check(&case, [9.5, 1.05, 0.0, 0.2]);
    case.project.terms.factors = kinds.into_iter().map(|(kind, value)| own(kind, value)).collect();
    let source = check(&case, [9.7, 1.2, 0.3, 0.4]);
    assert!(source.ends_with("; natural_gas.co2_kg_per_kwh = 0.4 (certificato)"), "{source}");
    // A carrier that the set does not have at all has what the project states of it, and no more.
    case.factors.carriers.clear();
    case.project.terms.factors = vec![own(FactorKind::HeatingValue, 9.7), own(FactorKind::Co2, 0.4)];
    let row = structured(&case.year(), &Beside::default()).rows.remove(0);
    assert!(row.energy_kwh.is_some() && row.co2_kg.is_some() && row.primary_nonrenewable_kwh.is_none());
}

#[test]
fn a_set_that_was_superseded_within_the_year_is_said_and_stays() {
    let mut case = Case::gas(0.88);
    let before = result(&case.year(), "4.c.2").achieved;
    case.factors.valid_to = Some(day("2025-06-02"));
    let year = case.year();
    assert!(codes(&year).contains(&"factor.validity"));
    assert_eq!(result(&year, "4.c.2").achieved, before);
    case.factors.valid_to = Some(day("2025-12-31"));
    assert!(!codes(&case.year()).contains(&"factor.validity"));
}

#[test]
fn total_primary_energy_and_oil_equivalent_follow_their_factors() {
    let mut case = Case::gas(0.88);
    add_kpi(
        &mut case,
        "total",
        KpiMeasure::TotalPrimaryEnergySaved,
        KpiUnit::KilowattHour,
        Target::AtLeast(1.0),
    );
    add_kpi(&mut case, "tep", KpiMeasure::OilEquivalentSaved, KpiUnit::ToeTonne, Target::AtLeast(0.1));
    case.project.terms.factors =
        vec![own(FactorKind::PrimaryRenewable, 0.1), own(FactorKind::OilEquivalent, 0.000_836)];
    let year = case.year();
    // The average over laws gives the planted saving to a thousandth; units and factors are exact.
    let saved = only(&year).totals.avoided;
    assert!(near(saved / planted_2025(), 0.12, 0.001));
    let check = |code: &str, expected: f64| {
        let achieved = result(&year, code).achieved.unwrap();
        assert!(near(achieved, expected, expected * 1e-5), "{code}: {achieved} {expected}");
    };
    check("total", saved * 9.5 * (1.05 + 0.1));
    check("tep", saved * 0.000_836);
}

#[test]
fn the_operational_index_is_weighted_by_volume_and_less_is_better() {
    let mut case = Case::gas(0.88);
    let unit = KpiUnit::KilowattHourPerSquareMetre;
    add_kpi(&mut case, "ep", KpiMeasure::OperationalPrimaryIndex, unit, Target::Declared);
    let used = 0.88 * planted_2025() * 9.5 * 1.05;
    let one = used / 1000.0;
    let declare = |case: &mut Case, value: f64| {
        case.project.declared = vec![DeclaredValue {
            kpi: "ep".to_owned(),
            value,
            source: "APE".to_owned(),
            by_carrier: Vec::new(),
        }];
    };
    declare(&mut case, one * 1.001);
    let year = case.year();
    assert!(near(result(&year, "ep").achieved.unwrap(), one, one * 1e-6));
    assert_eq!(result(&year, "ep").verdict, Verdict::Reached);
    assert!(near(result(&year, "ep").attainment_ratio.unwrap(), 1.001, 1e-6));
    declare(&mut case, one * 0.999);
    assert_eq!(result(&case.year(), "ep").verdict, Verdict::Missed);
    assert!(near(result(&case.year(), "ep").attainment_ratio.unwrap(), 0.999, 1e-6), "missed is under 100 %");
    // A second building without a meter would count with its volume alone.
    let mut second = case.project.buildings[0].clone();
    second.id = BuildingId::new("b2").unwrap();
    (second.gross_volume_m3, second.floor_area_m2) = (12_000.0, 500.0);
    second.meters = Vec::new();
    case.project.buildings.push(second);
    let year = case.year();
    assert_eq!(result(&year, "ep").achieved, None);
    assert!(result(&year, "ep").because.contains(&"kpi.building_unmetered".to_owned()));
    // A part of the first one's supply heats it, a quarter of all: three times the volume and half the area.
    let mut part = facts("b2", Carrier::NaturalGas, Direction::Import, MeterRole::Sub);
    part.parent = Some(case.project.buildings[0].meters[0].id.clone());
    case.add(part, series(BaseUnit::Litre, |_| 0.0, |d| 0.22 * gas_litres(d)));
    let part = case.project.buildings[0].meters.pop().unwrap();
    case.project.buildings[1].meters.push(part);
    let weighted = (0.75 * used / 1_000.0 * 4_000.0 + 0.25 * used / 500.0 * 12_000.0) / 16_000.0;
    assert!(near(result(&case.year(), "ep").achieved.unwrap(), weighted, weighted * 1e-5));
    // What was not measured counts as used.
    let march = case.month_mut(0, 2025, 3);
    march.coverage_ratio = 0.95;
    march.high = Some(march.amount + 1_000_000);
    let more = weighted + 1_000.0 * 9.5 * 1.05 / 1_000.0 * 0.25;
    assert!(near(result(&case.year(), "ep").achieved.unwrap(), more, more * 1e-6));
}

#[test]
fn costs_are_exact_and_a_day_without_a_tariff_withholds_them() {
    let mut case = Case::gas(0.88);
    let month = Month { year: 2025, number: 4 };
    // 30 days: ten at 0.80, twenty at 0.95 euro per Smc.
    case.project.terms.tariffs =
        vec![tariff("2024-01-01", Some("2025-04-11"), 800_000), tariff("2025-04-11", None, 950_000)];
    let meter = case.project.buildings[0].meters[0].clone();
    let cost = cost_of_month(&case.project, &meter, month, 300_001).unwrap();
    // 100 000 litres to the tenth day, 200 001 after it.
    assert_eq!(cost.nano_euro, 100_000 * 800_000 + 200_001 * 950_000);
    assert_eq!(crate::kpi::CostMonth::sum(&[cost, cost]).cents, 54_000);
    add_kpi(&mut case, "cost", KpiMeasure::CostAvoided, KpiUnit::Euro, Target::AtLeast(1.0));
    let year = case.year();
    let at = |m: &crate::result::MeterMonth| match m.month.number {
        1..=3 => 0.8,
        4 => (10.0 * 0.8 + 20.0 * 0.95) / 30.0,
        _ => 0.95,
    };
    let expected: f64 = only(&year).months.iter().map(|m| m.avoided.unwrap() * at(m)).sum();
    assert!(near(result(&year, "cost").best.unwrap(), expected, 1e-6 * expected));
    case.project.terms.tariffs[0].to = Some(day("2025-04-10"));
    let year = case.year();
    assert_eq!(result(&year, "cost").achieved, None);
    assert!(result(&year, "cost").because.contains(&"tariff.missing".to_owned()));
    // A meter's own tariff stands before its carrier's.
    case.project
        .terms
        .tariffs
        .push(Tariff { meter: Some(meter.id.clone()), ..tariff("2020-01-01", None, 1) });
    assert_eq!(cost_of_month(&case.project, &meter, month, 1_000).unwrap().nano_euro, 1_000);
}

#[test]
fn plants_areas_and_stated_values_are_those_of_their_documents() {
    let mut case = Case::gas(0.88);
    add_kpi(&mut case, "CO30", KpiMeasure::RenewableCapacity, KpiUnit::Megawatt, Target::AtLeast(0.03));
    add_kpi(&mut case, "RCO19", KpiMeasure::FloorArea, KpiUnit::SquareMetre, Target::AtLeast(900.0));
    add_kpi(&mut case, "4.c.1", KpiMeasure::Stated, KpiUnit::Count, Target::AtLeast(1.0));
    let year = case.year();
    assert_eq!(result(&year, "CO30").because, ["kpi.plant_missing"]);
    assert_eq!(result(&year, "4.c.1").because, ["kpi.stated"]);
    assert_eq!(result(&year, "RCO19").achieved, Some(1000.0));
    let plant = |in_service: &str, nominal_kw: f64| Plant {
        name: "tetto".to_owned(),
        carrier: Carrier::OnSitePv,
        nominal_kw,
        in_service: day(in_service),
        running_hours: None,
        source: "collaudo".to_owned(),
    };
    // The second is not in service yet.
    case.project.terms.plants = vec![plant("2024-11-01", 20.0), plant("2026-01-01", 80.0)];
    case.project.terms.stated =
        vec![StatedValue { kpi: "4.c.1".to_owned(), value: 1.0, source: "APE post".to_owned() }];
    let year = case.year();
    assert_eq!(result(&year, "CO30").achieved, Some(0.02));
    assert_eq!(result(&year, "CO30").verdict, Verdict::Missed);
    assert_eq!(
        (result(&year, "4.c.1").achieved, result(&year, "4.c.1").verdict),
        (Some(1.0), Verdict::Reached)
    );
}

/// The input of a case's year.
pub(super) fn with_laws<R>(case: &Case, f: impl FnOnce(&YearInput<'_>) -> R) -> R {
    f(&YearInput {
        project: Arc::new(case.project.clone()),
        scheme: Arc::new(case.scheme.clone()),
        factors: Arc::new(case.factors.clone()),
        year: 2025,
        until: case.until,
        meters: case.meters.clone(),
        temperatures: &case.temperatures,
        neighbour: None,
        places: Vec::new(),
        catalog: Digest([7; 32]),
        frozen: case.frozen.clone(),
        adjustments: case.adjustments.clone(),
    })
}

#[test]
fn an_accepted_baseline_stays_whatever_becomes_of_its_inputs() {
    let mut case = Case::gas(0.88);
    let achieved = result(&case.year(), "final").achieved;
    let now = with_laws(&case, laws);
    let fitted = now[0].baseline.as_deref().unwrap().clone();
    let accepted_at = Instant::from_seconds(1_700_000_000);
    let author = "tecnico".to_owned();
    case.frozen = vec![Frozen {
        meter: now[0].meter.clone(),
        fitted,
        inputs: now[0].inputs,
        rules: RULES.to_owned(),
        author,
        accepted_at,
        replaced: Vec::new(),
    }];
    let year = case.year();
    assert_eq!(result(&year, "final").achieved, achieved, "accepted as it was");
    assert!(!codes(&year).contains(&"baseline.inputs_changed"));
    // A bill of the baseline period comes late: half as much again in a winter month.
    let january = case.month_mut(0, 2023, 1);
    let more = january.amount / 2;
    (january.amount, january.low) = (january.amount + more, january.low + more);
    january.high = Some(january.amount);
    let year = case.year();
    assert_eq!(result(&year, "final").achieved, achieved, "the accepted baseline stands");
    assert!(codes(&year).contains(&"baseline.inputs_changed"));
    assert!(!codes(&year).contains(&"baseline.accepted_again"));
    // One that took the place of another says so in every year.
    case.frozen[0].replaced = vec![Replaced {
        inputs: Digest([3; 32]),
        author: "altro tecnico".to_owned(),
        accepted_at,
        reason: "bolletta sbagliata".to_owned(),
        energy_ratio: Some(1.25),
    }];
    let again = case.year();
    let told = again.findings.iter().find(|f| f.code == "baseline.accepted_again").unwrap();
    assert_eq!(told.severity, Severity::Caution);
    assert!(told.says.contains("125.0 %") && told.says.contains("030303030303"), "{}", told.says);
    assert_ne!(again.provenance.inputs, year.provenance.inputs);
    case.frozen.clear();
    assert_ne!(result(&case.year(), "final").achieved, achieved, "without acceptance it would have followed");
}

#[test]
fn the_law_of_what_is_used_now_is_that_of_the_reporting_months() {
    let case = Case::gas(0.5);
    let laws = with_laws(&case, laws);
    let (before, after) = (laws[0].baseline.as_deref().unwrap(), laws[0].reporting.as_deref().unwrap());
    assert!(near(after.model.base_per_day, 0.5 * before.model.base_per_day, 0.2));
    let slope = |of: &crate::baseline::Fitted| of.model.heating_per_degree_day;
    assert!(near(slope(after), 0.5 * slope(before), 0.05));
    assert_eq!(laws[0].months.len(), 12);
}
