//! Planted buildings whose every quarter-hour is known: what the balance makes of their totals, whole and with holes.
//!
//! Must never: hold a figure that was copied from the output of the code under test.

use chrono::NaiveDate;
use model::{BaseUnit, Instant, MeterRole, Severity};
use proptest::prelude::*;

use super::*;
use crate::result::MonthSource;
use crate::series::{Accumulator, SeriesSettings};

const ROME: Zone = Zone::Europe__Rome;
const QUARTER: i64 = 900_000;

fn building() -> BuildingId {
    BuildingId::new("b1").unwrap()
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
        accuracy_class: Some("B".to_owned()),
        calibration: None,
    }
}

/// A project with nothing but its name.
fn planted_project() -> Project {
    let day = NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
    Project {
        id: model::ProjectId::new("p").unwrap(),
        title: String::new(),
        cup: String::new(),
        scheme: model::SchemeId::new("s").unwrap(),
        factor_set: model::FactorSetId::new("f").unwrap(),
        beneficiary: model::Beneficiary {
            name: String::new(),
            tax_code: String::new(),
            legal_representative: String::new(),
        },
        dates: model::ProjectDates {
            baseline_from: day,
            baseline_to: day,
            works_from: day,
            completed: day,
            expenses_closed: None,
            final_payment: None,
        },
        facility: None,
        zone: ROME,
        station: model::StationId::new("t").unwrap(),
        buildings: Vec::new(),
        declared: Vec::new(),
        terms: model::Terms::default(),
        grant: model::Grant::default(),
    }
}

fn year_bounds(year: i32) -> (Instant, Instant) {
    let first = |year| Month::new(year, 1).unwrap().bounds(ROME).0;
    (first(year), first(year + 1))
}

/// One meter with totals at some instants of 2025.
struct Planted {
    facts: MeterFacts,
    months: Vec<MeterMonth>,
    slots: Option<SlotSeries>,
}

impl Planted {
    /// From totals in order of time, over the months up to the end of `months`.
    fn of_totals(facts: MeterFacts, totals: &[(Instant, i64)], length: SlotLength) -> Self {
        let settings = SeriesSettings::of(&facts, ROME, 300);
        let (from, to) = year_bounds(2025);
        let mut series = Accumulator::new(settings);
        let mut slots = SlotBuilder::new(length, (from, to), &settings);
        for (at, total) in totals {
            series.push(*at, *total);
            slots.push(*at, *total);
        }
        let values = series.snapshot(to);
        let months = Month::all_of(2025).into_iter().map(|month| {
            let value = values.get(month);
            let unit = BaseUnit::WattHour;
            MeterMonth {
                month,
                source: MonthSource::Meter,
                reporting: value.is_some(),
                measured: value.map(|v| unit.to_display(v.amount)),
                measured_low: value.map(|v| unit.to_display(v.low)),
                measured_high: value.and_then(|v| v.high).map(|v| unit.to_display(v)),
                coverage_ratio: value.map_or(0.0, |v| v.coverage_ratio),
                estimated_ratio: 0.0,
                heating_degree_days: None,
                cooling_degree_days: None,
                temperature_days: 0,
                filled_days: 0,
                unadjusted_days: 0,
                adjustment: 0.0,
                drivers: Vec::new(),
                adjusted_baseline: None,
                avoided: None,
            }
        });
        Self { months: months.collect(), facts, slots: Some(slots.finish()) }
    }

    fn meter<'a>(&'a self, building: &'a BuildingId) -> BalanceMeter<'a> {
        let (joint, slots) = ((0.0, 0.0), self.slots.as_ref());
        BalanceMeter { building, facts: &self.facts, months: &self.months, joint, slots }
    }
}

/// Totals at every quarter-hour of January 2025 but those that `keep` leaves out, of a law in Wh per quarter.
fn totals(law: &dyn Fn(i64) -> i64, keep: &dyn Fn(i64) -> bool, late_millis: i64) -> Vec<(Instant, i64)> {
    let (from, _) = year_bounds(2025);
    let mut total = 1_000_000;
    let mut out = Vec::new();
    for i in 0..=QUARTERS {
        if keep(i) {
            // A reading somewhat after the boundary has counted its share of the quarter.
            let more = law(i) * late_millis / QUARTER;
            out.push((from.plus_millis(i * QUARTER + late_millis), total + more));
        }
        total += law(i);
    }
    out
}

/// Of January 2025.
const QUARTERS: i64 = 31 * 96;

/// A roof on a winter day: up to 3 kWh in a quarter, of which the building leaves something over at noon.
fn made(i: i64) -> i64 {
    let hour = i.rem_euclid(96) as f64 / 4.0;
    if (8.0..17.0).contains(&hour) {
        (3000.0 * ((hour - 8.0) / 9.0 * std::f64::consts::PI).sin()) as i64
    } else {
        0
    }
}

fn used(i: i64) -> i64 {
    let hour = i.rem_euclid(96) as f64 / 4.0;
    if (7.0..18.0).contains(&hour) { 1500 + 37 * (i % 11) } else { 200 }
}

fn fed_in(i: i64) -> i64 {
    (made(i) - used(i)).max(0)
}

fn drawn(i: i64) -> i64 {
    (used(i) - made(i)).max(0)
}

fn sum(law: &dyn Fn(i64) -> i64) -> i64 {
    (0..QUARTERS).map(law).sum()
}

fn pv(keep: &dyn Fn(i64) -> bool) -> Planted {
    let facts = facts("pv", Carrier::OnSitePv, Direction::Production, MeterRole::New);
    Planted::of_totals(facts, &totals(&made, keep, 0), SlotLength::Quarter)
}

fn export(keep: &dyn Fn(i64) -> bool) -> Planted {
    let facts = facts("export", Carrier::GridElectricity, Direction::Export, MeterRole::New);
    Planted::of_totals(facts, &totals(&fed_in, keep, 0), SlotLength::Quarter)
}

fn import(keep: &dyn Fn(i64) -> bool) -> Planted {
    let facts = facts("import", Carrier::GridElectricity, Direction::Import, MeterRole::Compared);
    Planted::of_totals(facts, &totals(&drawn, keep, 0), SlotLength::Quarter)
}

fn january(meters: &[&Planted]) -> Balance {
    let building = building();
    let known: Vec<BalanceMeter<'_>> = meters.iter().map(|m| m.meter(&building)).collect();
    let all = year(&known, ROME);
    of_project(&all, Vector::Electricity).unwrap().months[0].balance
}

fn identities(b: &Balance) {
    assert_eq!(b.produced.amount, b.self_consumed.amount + b.exported.amount + b.stored.amount, "{b:?}");
    assert_eq!(b.consumed.amount, b.imported.amount + b.self_consumed.amount, "{b:?}");
    assert!(b.self_consumed.low <= b.self_consumed.amount, "{b:?}");
    assert!(b.self_consumed.high.is_none_or(|high| b.self_consumed.amount <= high), "{b:?}");
}

#[test]
fn a_wholly_measured_month_is_exact() {
    let all = |_| true;
    let b = january(&[&pv(&all), &export(&all), &import(&all)]);
    identities(&b);
    let self_used = sum(&made) - sum(&fed_in);
    assert_eq!((b.produced.amount, b.exported.amount), (sum(&made), sum(&fed_in)));
    assert_eq!((b.self_consumed.amount, b.self_consumed.low), (self_used, self_used));
    assert_eq!(b.consumed.amount, sum(&used));
    assert_eq!(b.grain, Grain::Slots(SlotLength::Quarter));
    assert_eq!(b.measured_ratio, 1.0);
    let share = b.share().unwrap();
    let planted = self_used as f64 / sum(&made) as f64;
    assert_eq!((share.worse, share.best), (planted, planted));
}

#[test]
fn an_export_that_is_not_measured_at_night_costs_nothing() {
    // Every night from 20 to 6 h the export meter is silent; nothing is produced then, so nothing is exported.
    let day = |i: i64| (24..=80).contains(&i.rem_euclid(96));
    let all = |_| true;
    let b = january(&[&pv(&all), &export(&day), &import(&all)]);
    identities(&b);
    let planted = (sum(&made) - sum(&fed_in)) as f64 / sum(&made) as f64;
    assert!((b.share().unwrap().worse - planted).abs() < 1e-3, "{b:?}");
    // By its months alone the gap would hide what the connection carries.
    let mut coarse = export(&day);
    coarse.slots = None;
    let by_month = january(&[&pv(&all), &coarse, &import(&all)]);
    assert_eq!(by_month.grain, Grain::Month);
    assert!(by_month.share().unwrap().worse <= b.share().unwrap().worse);
}

#[test]
fn an_export_that_is_missing_by_day_is_taken_for_all_that_was_produced() {
    let (all, first_half) = (|_: i64| true, |i: i64| i <= QUARTERS / 2 + 48);
    let b = january(&[&pv(&all), &export(&first_half), &import(&all)]);
    identities(&b);
    let measured: i64 = (0..QUARTERS / 2 + 48).map(|i| made(i) - fed_in(i)).sum();
    let expected = measured as f64 / sum(&made) as f64;
    assert!((b.share().unwrap().worse - expected).abs() < 0.01, "{} {expected}", b.share().unwrap().worse);
}

#[test]
fn readings_off_the_grid_lose_only_the_ends() {
    let all = |_: i64| true;
    let late = |facts: MeterFacts, law: &dyn Fn(i64) -> i64| {
        Planted::of_totals(facts, &totals(law, &all, 130_000), SlotLength::Quarter)
    };
    let pv = late(facts("pv", Carrier::OnSitePv, Direction::Production, MeterRole::New), &made);
    let out = late(facts("export", Carrier::GridElectricity, Direction::Export, MeterRole::New), &fed_in);
    let b = january(&[&pv, &out]);
    identities(&b);
    let planted = (sum(&made) - sum(&fed_in)) as f64 / sum(&made) as f64;
    assert!((b.share().unwrap().worse - planted).abs() < 1e-3, "{b:?} {planted}");
}

#[test]
fn a_store_keeps_the_identity_and_its_losses_are_no_self_consumption() {
    let all = |_: i64| true;
    let of = |id: &str, direction, law: &dyn Fn(i64) -> i64| {
        let facts = facts(id, Carrier::GridElectricity, direction, MeterRole::New);
        Planted::of_totals(facts, &totals(law, &all, 0), SlotLength::Quarter)
    };
    // Half of what would be fed in is stored, nine tenths of it come back in the evening.
    let stored = |i: i64| fed_in(i) / 2;
    let back = |i: i64| if (72..80).contains(&i.rem_euclid(96)) { 400 } else { 0 };
    let (charge, discharge) = (of("c", Direction::Charge, &stored), of("d", Direction::Discharge, &back));
    let out = of("e", Direction::Export, &|i| fed_in(i) - stored(i));
    let b = january(&[&pv(&all), &out, &charge, &discharge, &import(&all)]);
    identities(&b);
    assert_eq!(b.stored.amount, sum(&stored) - sum(&back));
    let used = sum(&made) - sum(&|i| fed_in(i) - stored(i)) - sum(&stored) + sum(&back);
    assert_eq!(b.self_consumed.amount, used);
}

#[test]
fn heat_is_balanced_like_electricity_and_apart_from_it() {
    let all = |_: i64| true;
    let of = |id: &str, carrier, direction, law: &dyn Fn(i64) -> i64| {
        let facts = facts(id, carrier, direction, MeterRole::New);
        Planted::of_totals(facts, &totals(law, &all, 0), SlotLength::Hour)
    };
    let solar = of("st", Carrier::SolarThermal, Direction::Production, &made);
    let away = of("ex", Carrier::SolarThermal, Direction::Export, &|i| made(i) / 10);
    let building = building();
    let (pv, export) = (pv(&all), export(&all));
    let known: Vec<BalanceMeter<'_>> =
        [&solar, &away, &pv, &export].iter().map(|m| m.meter(&building)).collect();
    let all = year(&known, ROME);
    let heat = of_project(&all, Vector::Heat).unwrap().months[0].balance;
    identities(&heat);
    assert_eq!(heat.grain, Grain::Slots(SlotLength::Hour));
    // At most a fifth of the heat may go elsewhere: nine tenths are used.
    assert!((heat.share().unwrap().worse - 0.9).abs() < 0.01, "{heat:?}");
    assert!(of_project(&all, Vector::Electricity).unwrap().months[0].balance.share().unwrap().best < 0.9);
}

#[test]
fn one_buildings_export_is_not_anothers_self_consumption() {
    let all = |_: i64| true;
    let (one, two) = (building(), BuildingId::new("b2").unwrap());
    let (pv, out, other) = (pv(&all), export(&all), pv(&all));
    // The second building produces and nobody measures its export.
    let known = [pv.meter(&one), out.meter(&one), other.meter(&two)];
    let all = year(&known, ROME);
    let project = of_project(&all, Vector::Electricity).unwrap();
    assert!(!project.has_export);
    let b = project.months[0].balance;
    assert_eq!(b.produced.amount, 2 * sum(&made));
    // All of the second's production may have gone to the grid.
    let planted = (sum(&made) - sum(&fed_in)) as f64 / (2 * sum(&made)) as f64;
    assert!((b.share().unwrap().worse - planted).abs() < 1e-3);
}

#[test]
fn a_part_of_a_plants_meter_is_not_added_to_it() {
    let all = |_: i64| true;
    let building = building();
    let inverter = |parent: &str| {
        let mut facts = facts("inverter", Carrier::OnSitePv, Direction::Production, MeterRole::Sub);
        facts.parent = Some(MeterId::new(parent).unwrap());
        Planted::of_totals(facts, &totals(&|i| made(i) / 2, &all, 0), SlotLength::Quarter)
    };
    let (pv, supply) = (pv(&all), import(&all));
    let produced = |parts: &[&Planted]| {
        let meters: Vec<_> = parts.iter().map(|p| p.meter(&building)).collect();
        of_project(&year(&meters, ROME), Vector::Electricity).unwrap().months[0].balance.produced.amount
    };
    assert_eq!(produced(&[&pv, &inverter(pv.facts.id.as_str()), &supply]), sum(&made));
    // Behind the supply, which does not see what is made: it counts.
    assert_eq!(produced(&[&inverter(supply.facts.id.as_str()), &supply]), sum(&|i| made(i) / 2));
}

#[test]
fn parts_that_exceed_their_whole_are_found() {
    let all = |_: i64| true;
    let whole = import(&all);
    let part = |id: &str, law: &dyn Fn(i64) -> i64| {
        let mut facts = facts(id, Carrier::GridElectricity, Direction::Import, MeterRole::Sub);
        facts.parent = Some(MeterId::new("import").unwrap());
        Planted::of_totals(facts, &totals(law, &all, 0), SlotLength::Quarter)
    };
    let building = building();
    let codes = |parts: &[Planted]| -> Vec<(&'static str, Severity)> {
        let mut known = vec![whole.meter(&building)];
        known.extend(parts.iter().map(|p| p.meter(&building)));
        tree::findings(&known).iter().map(|f| (f.code, f.severity)).collect()
    };
    // 1 % of the parts and 1 % of the whole are within class B.
    assert_eq!(codes(&[part("a", &|i| drawn(i) * 60 / 100), part("b", &|i| drawn(i) * 41 / 100)]), []);
    let too_much = [part("a", &|i| drawn(i) * 60 / 100), part("b", &|i| drawn(i) * 44 / 100)];
    assert_eq!(codes(&too_much), [("balance.parts_exceed", Severity::Caution)]);
}

#[test]
fn more_exported_than_produced_is_a_finding_and_no_share() {
    let all = |_: i64| true;
    let facts = facts("export", Carrier::GridElectricity, Direction::Export, MeterRole::New);
    let out = Planted::of_totals(facts, &totals(&|i| 2 * made(i), &all, 0), SlotLength::Quarter);
    let building = building();
    let pv = pv(&all);
    let balances = year(&[pv.meter(&building), out.meter(&building)], ROME);
    let b = of_project(&balances, Vector::Electricity).unwrap().months[0].balance;
    assert_eq!(b.produced.amount, b.self_consumed.amount + b.exported.amount);
    assert_eq!(b.share(), None);
    let said = findings::of(&planted_project(), &balances, &[]);
    let said: Vec<_> = said.iter().map(|f| (f.code, f.severity)).collect();
    assert_eq!(said, [("balance.export_exceeds", Severity::Blocks)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever readings are lost, of one meter or of all, identities hold and the share that counts never rises; and
    /// what is true lies within the bounds.
    #[test]
    fn missing_readings_never_raise_a_share(
        seed in any::<u64>(),
        holes in proptest::collection::vec((0..QUARTERS, 1..300_i64, 0..3_u8), 0..8),
        more in (0..QUARTERS, 1..300_i64, 0..3_u8),
    ) {
        let lost = |holes: &[(i64, i64, u8)], meter: u8, i: i64| {
            holes.iter().any(|(from, length, of)| *of == meter && (*from..from + length).contains(&i))
        };
        let of = |holes: &[(i64, i64, u8)]| {
            let keep = |meter: u8| move |i: i64| !lost(holes, meter, i);
            // A law of its own each time, so that no symmetry hides a mistake.
            let shift = (seed % 97) as i64;
            let made = move |i: i64| made(i + shift) + (seed % 13) as i64;
            let fed = move |i: i64| (made(i) - used(i)).max(0);
            let pv = facts("pv", Carrier::OnSitePv, Direction::Production, MeterRole::New);
            let pv = Planted::of_totals(pv, &totals(&made, &keep(0), 0), SlotLength::Quarter);
            let out = facts("export", Carrier::GridElectricity, Direction::Export, MeterRole::New);
            let out = Planted::of_totals(out, &totals(&fed, &keep(1), 0), SlotLength::Quarter);
            let planted = (sum(&made), sum(&fed));
            (january(&[&pv, &out, &import(&keep(2))]), planted)
        };
        let (before, planted) = of(&holes);
        let mut all = holes.clone();
        all.push(more);
        let (after, _) = of(&all);
        identities(&before);
        identities(&after);
        let worse = |b: &Balance| b.share().map_or(0.0, |s| s.worse);
        prop_assert!(worse(&after) <= worse(&before) + 1e-12, "{} {}", worse(&before), worse(&after));
        let true_share = (planted.0 - planted.1) as f64 / planted.0 as f64;
        prop_assert!(worse(&before) <= true_share + 1e-12);
        let used = planted.0 - planted.1;
        prop_assert!(before.self_consumed.low <= used, "{:?} {}", before.self_consumed, used);
        prop_assert!(before.self_consumed.high.is_none_or(|high| used <= high), "{:?} {}", before.self_consumed, used);
    }
}

#[test]
fn hours_of_quarters_hold_the_same_energy() {
    let all = |i: i64| i % 7 != 3;
    let quarters = pv(&all).slots.unwrap();
    let hours = quarters.hours();
    let of = |s: &SlotSeries| s.slots.iter().map(|s| s.amount).sum::<i64>();
    assert_eq!(of(&quarters), of(&hours));
    assert_eq!(hours.slots.len() * 4, quarters.slots.len());
}

/// Ten meters, a year of quarter-hours: what a page may wait for. The bound is wide because machines are shared.
#[test]
fn ten_meters_and_a_year_of_quarter_hours_are_balanced_in_a_moment() {
    let (from, to) = year_bounds(2025);
    let of = |id: &str, direction, law: &dyn Fn(i64) -> i64| {
        let facts = facts(id, Carrier::GridElectricity, direction, MeterRole::New);
        let settings = SeriesSettings::of(&facts, ROME, 900);
        let mut slots = SlotBuilder::new(SlotLength::Quarter, (from, to), &settings);
        let (mut series, mut total) = (Accumulator::new(settings), 0);
        for i in 0..=(to.millis() - from.millis()) / QUARTER {
            let at = from.plus_millis(i * QUARTER);
            slots.push(at, total);
            series.push(at, total);
            total += law(i);
        }
        let mut planted = Planted::of_totals(facts, &[], SlotLength::Quarter);
        let values = series.snapshot(to);
        for row in &mut planted.months {
            let value = values.get(row.month).unwrap();
            row.measured = Some(value.amount as f64 / 1000.0);
            row.measured_low = row.measured;
            row.measured_high = row.measured;
            row.coverage_ratio = 1.0;
            row.reporting = true;
        }
        planted.slots = Some(slots.finish());
        planted
    };
    let mut meters = Vec::new();
    for i in 0..10 {
        let id = format!("m{i}");
        meters.push(match i % 3 {
            0 => of(&id, Direction::Production, &made),
            1 => of(&id, Direction::Export, &|i| fed_in(i) / 2),
            _ => of(&id, Direction::Import, &drawn),
        });
    }
    let building = building();
    let known: Vec<BalanceMeter<'_>> = meters.iter().map(|m| m.meter(&building)).collect();
    let begin = std::time::Instant::now();
    let balances = year(&known, ROME);
    let took = begin.elapsed();
    println!("ten meters, a year of quarter-hours: {took:?}");
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
    let whole = of_project(&balances, Vector::Electricity).unwrap();
    assert_eq!(whole.reporting.grain, Grain::Slots(SlotLength::Quarter));
    assert_eq!(whole.reporting.measured_ratio, 1.0);
}
