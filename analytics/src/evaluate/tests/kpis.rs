//! KPI by value, what withholds them, order and digest.
//!
//! Must never: compare a KPI without its unit.

use super::*;

#[test]
fn every_kpi_has_its_unit_and_its_factor() {
    let year = Case::gas(0.88).year();
    // The average over laws gives the planted saving to a thousandth; units and factors are exact.
    let saved = only(&year).totals.avoided;
    assert!(near(saved / planted_2025(), 0.12, 0.001));
    let saved_kwh = saved * 9.5;
    let check = |code: &str, expected: f64| {
        let k = result(&year, code);
        assert!(near(k.achieved.unwrap(), expected, expected * 1e-5), "{code}: {k:?} {expected}");
        assert_eq!(k.achieved, k.best);
        assert!(k.low < k.achieved && k.achieved < k.high);
    };
    check("4.c.2", saved_kwh * 1.05 / 1e6);
    check("final", saved_kwh / 1e3);
    check("euro", saved_kwh * 1.05 / 10_000.0);
    check("co2", saved_kwh * 0.2 / 1e3);
    check("nox", saved_kwh * 0.0036 * 32.0 / 1e3);
    let primary = result(&year, "4.c.2");
    assert_eq!((primary.target, primary.target_source.as_deref()), (Some(0.01), Some("APE")));
    assert!(near(primary.attainment_ratio.unwrap(), saved_kwh * 1.05 / 1e4, 1e-5));
    assert_eq!(primary.verdict, Verdict::Reached);
    assert_eq!(primary.because, [] as [String; 0]);
}

#[test]
fn a_target_just_above_is_missed() {
    let mut case = Case::gas(0.88);
    let achieved = result(&case.year(), "4.c.2").achieved.unwrap();
    case.project.declared[0].value = achieved;
    assert_eq!(result(&case.year(), "4.c.2").verdict, Verdict::Reached);
    case.project.declared[0].value = achieved * (1.0 + 1e-12);
    assert_eq!(result(&case.year(), "4.c.2").verdict, Verdict::Missed);
    case.project.declared.clear();
    let year = case.year();
    let k = result(&year, "4.c.2");
    assert_eq!((k.verdict, k.achieved, k.target), (Verdict::Undetermined, Some(achieved), None));
    assert_eq!(k.because, ["kpi.target_missing"]);
}

#[test]
fn a_target_of_nothing_is_reached_by_nothing_less_and_has_no_attainment() {
    let mut case = Case::gas(0.88);
    case.project.declared[0].value = 0.0;
    let year = case.year();
    let saved = result(&year, "4.c.2");
    assert_eq!((saved.verdict, saved.target, saved.attainment_ratio), (Verdict::Reached, Some(0.0), None));
    let mut worse = Case::gas(1.2);
    worse.project.declared[0].value = 0.0;
    assert_eq!(result(&worse.year(), "4.c.2").verdict, Verdict::Missed);
}

#[test]
fn a_factor_the_set_lacks_blocks_only_what_needs_it() {
    let mut case = Case::gas(0.88);
    case.factors.carriers[0].co2_kg_per_kwh = None;
    case.project.facility = None;
    let year = case.year();
    assert_eq!((result(&year, "co2").achieved, result(&year, "co2").verdict), (None, Verdict::Undetermined));
    assert_eq!(result(&year, "co2").because, ["factor.missing"]);
    assert_eq!(result(&year, "euro").because, ["facility.missing"]);
    assert_eq!(result(&year, "final").verdict, Verdict::Reached);
    case.factors.carriers.clear();
    assert_eq!(result(&case.year(), "final").because, ["factor.missing"]);
}

#[test]
fn a_meter_that_proves_nothing_withholds_every_kpi_it_enters() {
    let mut case = Case::gas(0.88);
    let finding = Finding::new("meter.experimental", Severity::Blocks, "meter:gas", "unproved", "");
    let month = Month { year: 2025, number: 1 };
    case.meters[0].findings.push(crate::series::DatedFinding { month, finding });
    let year = case.year();
    for code in ["4.c.2", "final", "euro", "co2", "nox"] {
        let kpi = result(&year, code);
        assert_eq!((kpi.achieved, kpi.verdict), (None, Verdict::Undetermined), "{code}");
        assert!(kpi.because.contains(&"meter.experimental".to_owned()), "{kpi:?}");
    }
    assert!(codes(&year).contains(&"meter.experimental"));
}

#[test]
fn a_meter_that_counts_for_nothing_withholds_nothing() {
    let plain = Case::gas(0.88);
    let wanted = plain.year();
    let mut case = plain;
    let months = series(BaseUnit::WattHour, |_| 50_000.0, |_| 45_000.0);
    case.add(facts("power", Carrier::GridElectricity, Direction::Import, MeterRole::Compared), months);
    // A month of which hardly anything was measured, of a connection without a ceiling.
    let june = case.month_mut(1, 2025, 6);
    (june.coverage_ratio, june.high) = (0.277, None);
    case.project.buildings[0].meters[1].ceiling_per_hour = f64::INFINITY;
    let year = case.year();
    // Electricity is burnt nowhere in the building.
    let (now, before) = (result(&year, "nox"), result(&wanted, "nox"));
    assert_eq!((now.achieved, now.low, now.high), (before.achieved, before.low, before.high));
    assert_eq!((now.verdict, now.because.len()), (Verdict::Reached, 0), "{now:?}");
    for code in ["final", "4.c.2", "co2"] {
        let kpi = result(&year, code);
        assert_eq!((kpi.achieved, kpi.verdict), (None, Verdict::Undetermined), "{code}");
        assert!(kpi.because.contains(&"series.coverage.low".to_owned()), "{kpi:?}");
    }
    // A factor that is missing is not nothing.
    case.factors.carriers.retain(|c| c.carrier != Carrier::GridElectricity);
    assert_eq!(result(&case.year(), "co2").verdict, Verdict::Undetermined);
}

#[test]
fn a_unit_that_does_not_fit_is_refused() {
    let mut case = Case::gas(0.88);
    case.scheme.kpis[0].unit = KpiUnit::Tonne;
    assert_eq!(result(&case.year(), "4.c.2").because, ["kpi.unit"]);
    assert_eq!(result(&case.year(), "4.c.2").verdict, Verdict::Undetermined);
}

#[test]
fn the_self_consumed_share_needs_both_meters_whole() {
    let mut case = Case::gas(0.88);
    let missing = case.year();
    assert_eq!(result(&missing, "self").because, ["kpi.meter_missing"]);
    let of = |wh: f64| series(BaseUnit::WattHour, |_| 0.0, move |_| wh);
    case.add(facts("pv", Carrier::OnSitePv, Direction::Production, MeterRole::New), of(50_000.0));
    assert_eq!(result(&case.year(), "self").because, ["kpi.meter_missing"]);
    case.add(facts("fed-in", Carrier::GridElectricity, Direction::Export, MeterRole::New), of(5_000.0));
    let year = case.year();
    let k = result(&year, "self");
    assert!(near(k.achieved.unwrap(), 90.0, 1e-9), "{k:?}");
    assert_eq!(k.verdict, Verdict::Reached);
    // Neither enters the comparison.
    assert_eq!(result(&year, "final").achieved, result(&missing, "final").achieved);
    // A hole in the export may have been all export: 40 kW for 36 hours, and no more than March produced.
    let march = case.month_mut(2, 2025, 3);
    march.coverage_ratio = 0.95;
    march.high = Some(march.amount + 36 * 40_000);
    let k = case.year();
    let exported = (334.0 * 5.0 + 31.0 * 50.0_f64.min(5.0 + 36.0 * 40.0 / 31.0)) / (365.0 * 50.0);
    assert!(near(result(&k, "self").achieved.unwrap(), 100.0 * (1.0 - exported), 1e-9));
}

#[test]
fn the_order_of_meters_and_days_changes_nothing() {
    let mut case = Case::gas(0.88);
    for (id, wh) in [("a", 31_234.0), ("z", 47_777.0), ("m", 1_003.0)] {
        let months = series(BaseUnit::WattHour, |_| wh, move |_| wh * 0.9);
        case.add(facts(id, Carrier::GridElectricity, Direction::Import, MeterRole::Compared), months);
    }
    let first = case.year();
    case.meters.reverse();
    case.temperatures.reverse();
    let second = case.year();
    assert_eq!(first.provenance, second.provenance);
    assert_eq!(format!("{:?}", first.kpis), format!("{:?}", second.kpis));
    assert_eq!(first.findings, second.findings);
    case.project.buildings[0].meters.reverse();
    let third = case.year();
    assert_eq!(format!("{:?}", first.kpis), format!("{:?}", third.kpis));
    assert_eq!(first.findings, third.findings);
}

#[test]
fn the_digest_follows_every_input() {
    let case = Case::gas(0.88);
    let digest = |case: &Case| case.year().provenance.inputs;
    let first = digest(&case);
    assert_eq!(first, digest(&case));
    let changes: [fn(&mut Case); 8] = [
        |c| c.month_mut(0, 2025, 5).amount += 1,
        |c| c.temperatures[40].mean_c += 0.001,
        |c| c.project.dates.completed = c.project.dates.completed.pred_opt().unwrap(),
        |c| c.project.declared[0].value += 1e-9,
        |c| c.project.buildings[0].meters[0].ceiling_per_hour += 1.0,
        |c| c.until = c.until.succ_opt().unwrap(),
        |c| c.project.buildings[0].opening = calendar(),
        |c| c.project.terms.drivers = vec![model::UseDriver::OpeningDays],
    ];
    for change in changes {
        let mut other = Case::gas(0.88);
        change(&mut other);
        assert_ne!(digest(&other), first);
    }
    let year = case.year();
    assert_eq!((year.provenance.readings, year.provenance.temperatures), (10, 1096));
    assert_eq!(year.provenance.rules, RULES);
}

#[test]
fn a_project_without_meters_says_so() {
    let mut case = Case::gas(0.88);
    case.project.buildings.clear();
    let year = case.year();
    assert!(year.meters.is_empty());
    assert_eq!(result(&year, "final").because, ["kpi.not_applicable"]);
    assert_eq!(result(&year, "final").verdict, Verdict::Undetermined);
}

/// The year of completion has fewer than twelve reporting months: what is saved is withheld, what documents state is not.
#[test]
fn the_year_of_completion_has_what_needs_no_months() {
    let mut case = Case::gas(0.88);
    case.scheme.kpis = vec![
        kpi("area", KpiMeasure::FloorArea, KpiUnit::SquareMetre, Target::AtLeast(900.0)),
        kpi("power", KpiMeasure::RenewableCapacity, KpiUnit::Kilowatt, Target::AtLeast(20.0)),
        kpi("points", KpiMeasure::Stated, KpiUnit::Count, Target::AtLeast(3.0)),
        kpi("final", KpiMeasure::FinalEnergySaved, KpiUnit::MegawattHour, Target::AtLeast(1.0)),
    ];
    let plant = |in_service, nominal_kw| model::Plant {
        name: String::new(),
        carrier: Carrier::OnSitePv,
        nominal_kw,
        in_service: day(in_service),
        running_hours: None,
        source: String::new(),
    };
    case.project.terms.plants =
        vec![plant("2025-09-01", 12.0), plant("2025-12-31", 8.0), plant("2026-01-01", 4.0)];
    case.project.terms.stated =
        vec![model::StatedValue { kpi: "points".to_owned(), value: 2.0, source: "collaudo".to_owned() }];
    let known = |year: &ProjectYear| ["area", "power", "points"].map(|code| result(year, code).achieved);
    for completed in ["2025-06-30", "2025-12-31"] {
        case.project.dates.completed = day(completed);
        let year = case.year();
        assert_eq!(known(&year), [Some(1000.0), Some(20.0), Some(2.0)], "{completed}");
        let verdicts = ["area", "power", "points"].map(|code| result(&year, code).verdict);
        assert_eq!(verdicts, [Verdict::Reached, Verdict::Reached, Verdict::Missed]);
        assert!(result(&year, "area").because.is_empty());
        let saved = result(&year, "final");
        assert_eq!((saved.achieved, saved.verdict), (None, Verdict::Undetermined));
        assert!(saved.because.contains(&"year.incomplete".to_owned()));
    }
    // Neither a year that is not over, nor one in which the works were not completed.
    let mut early = Case { until: day("2025-12-31"), ..case };
    assert_eq!(known(&early.year()), [None; 3]);
    early.until = day("2026-01-01");
    early.project.dates.completed = day("2026-01-01");
    let year = early.year();
    assert_eq!(known(&year), [None; 3]);
    assert!(result(&year, "area").because.contains(&"year.incomplete".to_owned()));
}
