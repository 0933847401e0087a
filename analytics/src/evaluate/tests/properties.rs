//! Null, recovery and permutation tests of a whole year's figures, and the climates and bills that mislead models.
//!
//! Must never: use random numbers that are not the same on every run.

use model::{BaselineMethod, BillQuality, BilledPeriod};

use super::*;
use crate::noise::noise;

/// The only meter's series under one law before and another after.
fn planted(
    unit: BaseUnit,
    carrier: Carrier,
    before: impl Fn(NaiveDate) -> f64,
    after: impl Fn(NaiveDate) -> f64,
) -> Case {
    let mut case = Case::gas(1.0);
    case.meters.clear();
    case.project.buildings[0].meters.clear();
    case.add(facts("gas", carrier, Direction::Import, MeterRole::Compared), series(unit, before, after));
    case
}

fn planted_sum(law: impl Fn(NaiveDate) -> f64) -> f64 {
    Month::all_of(2025).iter().map(|&m| sum_days(m, &law)).sum::<f64>() / 1000.0
}

/// Avoided energy and its band as shares of the planted use.
fn shares(year: &ProjectYear, planted: f64) -> (f64, f64, f64) {
    let t = &only(year).totals;
    (t.avoided / planted, t.avoided_low / planted, t.avoided_high / planted)
}

#[test]
fn noise_alone_is_no_saving_in_nine_of_ten_bands_and_never_far_from_none() {
    let meters = 120;
    let (mut held, mut sum) = (0, 0.0);
    for seed in 0..meters {
        let noisy = move |d: NaiveDate| {
            let n = (d - day("2022-01-01")).num_days() as u64;
            let month = u64::from(Month::of(d).number) + 100 * u64::from(n > 400);
            power_wh(d)
                * (1.0 + 0.15 * noise(n * 31 + seed * 7919) + 0.03 * noise(month * 17 + seed * 104_729))
        };
        let year = planted(BaseUnit::WattHour, Carrier::GridElectricity, noisy, noisy).year();
        let (avoided, low, high) = shares(&year, planted_sum(noisy));
        held += i32::from(low <= 0.0 && 0.0 <= high);
        sum += avoided;
        assert!(avoided.abs() < 0.06, "{seed}: {avoided}");
    }
    assert!((100..=118).contains(&held), "{held} of {meters}");
    assert!((sum / meters as f64).abs() < 0.004, "{}", sum / meters as f64);
}

#[test]
fn a_reduction_of_heating_and_cooling_is_recovered() {
    for share in [0.6, 0.88, 1.1] {
        let year = Case::power(share).year();
        let (avoided, low, high) = shares(&year, planted_sum(power_wh));
        assert!(near(avoided, 1.0 - share, 0.005), "{share}: {avoided}");
        assert!(low <= 1.0 - share && 1.0 - share <= high);
        let Baseline::Fitted(model) = &only(&year).baseline else { panic!("no model") };
        assert!(model.heating_base_c.is_some() && model.cooling_base_c.is_some(), "{model:?}");
        let july = &only(&year).months[6];
        assert!(100.0 < july.cooling_degree_days.unwrap() && july.heating_degree_days.unwrap() < 5.0);
    }
}

#[test]
fn the_order_of_what_is_known_is_of_no_matter() {
    let mut case = Case::power(0.9);
    case.add(
        facts("metano", Carrier::NaturalGas, Direction::Import, MeterRole::Compared),
        series(BaseUnit::Litre, gas_litres, |d| 0.8 * gas_litres(d)),
    );
    let year = case.year();
    case.meters.reverse();
    case.temperatures.reverse();
    case.meters.iter_mut().for_each(|m| m.months.months.sort_by_key(|v| v.month));
    let turned = case.year();
    assert_eq!(year.provenance.inputs, turned.provenance.inputs);
    for (a, b) in year.kpis.iter().zip(&turned.kpis) {
        assert_eq!((a.achieved, a.low, a.high, a.verdict), (b.achieved, b.low, b.high, b.verdict));
    }
    assert_eq!(year.findings, turned.findings);
}

#[test]
fn a_method_that_the_file_fixes_is_used_and_not_told_as_chosen() {
    for method in [BaselineMethod::Averaged, BaselineMethod::CaltrackMonthly, BaselineMethod::ChangePoint] {
        let mut case = Case::power(0.88);
        let chosen = case.year();
        assert!(codes(&chosen).contains(&"method.chosen"));
        case.project.terms.baseline = method;
        let year = case.year();
        let Baseline::Fitted(model) = &only(&year).baseline else { panic!("no model") };
        assert_eq!(model.method, method.code());
        assert!(!codes(&year).contains(&"method.chosen"));
        assert!(near(shares(&year, planted_sum(power_wh)).0, 0.12, 0.02), "{method:?}");
        assert_ne!(year.provenance.inputs, chosen.provenance.inputs);
    }
}

#[test]
fn a_southern_climate_without_heating_needs_none() {
    let law = |d: NaiveDate| 1000.0 * (30.0 + 2.0 * (mean_c(d) + 12.0 - 20.0).max(0.0));
    let mut case = planted(BaseUnit::WattHour, Carrier::GridElectricity, law, move |d| 0.9 * law(d));
    // Twelve kelvin warmer: never under 14 °C.
    case.temperatures.iter_mut().for_each(|t| t.mean_c += 12.0);
    let year = case.year();
    let Baseline::Fitted(model) = &only(&year).baseline else { panic!("no model") };
    assert_eq!(model.heating_base_c, None, "{model:?}");
    assert!(model.cooling_base_c.is_some());
    assert!(near(shares(&year, planted_sum(law)).0, 0.1, 0.005), "{:?}", only(&year).totals);
}

#[test]
fn a_building_closed_in_august_is_expected_closed_again() {
    // Nothing but a fifth in August, before and after: what is saved is saved in the other months.
    let closed = |d: NaiveDate| if Month::of(d).number == 8 { 0.2 } else { 1.0 };
    let law = move |d: NaiveDate| closed(d) * power_wh(d);
    let year = planted(BaseUnit::WattHour, Carrier::GridElectricity, law, move |d| 0.9 * law(d)).year();
    assert!(codes(&year).contains(&"fit.closed_in_summer"), "{:?}", codes(&year));
    let (avoided, low, high) = shares(&year, planted_sum(law));
    assert!(near(avoided, 0.1, 0.01), "{avoided}");
    assert!(low <= 0.1 && 0.1 <= high);
    // The closed month is expected closed: its baseline is a fifth of the open one's.
    let august = &only(&year).months[7];
    assert!(near(august.adjusted_baseline.unwrap() / august.measured.unwrap(), 1.0 / 0.9, 0.1), "{august:?}");
}

#[test]
fn bills_of_thirteen_a_refund_and_a_leap_year_do_not_mislead() {
    // The baseline of 2024 with its 29 February, in thirteen bills of four weeks; one of them gives back.
    let mut case = Case::gas(0.88);
    case.meters[0].months.months.retain(|m| m.month.year == 2025);
    case.project.dates.baseline_from = day("2024-01-01");
    case.project.dates.baseline_to = day("2025-01-01");
    case.project.dates.works_from = day("2025-01-01");
    case.project.dates.completed = day("2024-12-31");
    let bills = |case: &mut Case, refund: bool| {
        case.meters[0].bills.clear();
        let mut from = day("2024-01-01");
        for i in 0..13 {
            let to = if i == 12 { day("2025-01-01") } else { from + Days::new(28) };
            let law: f64 = from.iter_days().take_while(|d| *d < to).map(gas_litres).sum();
            let amount = if refund && i == 6 { -200_000 } else { law.round() as i64 };
            case.meters[0].bills.push(BilledPeriod {
                supply_point: "pdr".to_owned(),
                from,
                to,
                amount,
                unit: BaseUnit::Litre,
                quality: BillQuality::Read,
            });
            from = to;
        }
    };
    bills(&mut case, false);
    let year = case.year();
    let Baseline::Fitted(model) = &only(&year).baseline else { panic!("{:?}", codes(&year)) };
    assert_eq!((model.quality.n, model.quality.baseline_days), (13, 366));
    let (avoided, ..) = shares(&year, planted_2025());
    assert!(near(avoided, 0.12, 0.005), "{avoided}");
    bills(&mut case, true);
    let (with_refund, ..) = shares(&case.year(), planted_2025());
    assert!(with_refund <= avoided + 0.001, "a refund raised the baseline: {with_refund} {avoided}");
    assert!(near(with_refund, 0.12, 0.03), "{with_refund}");
}

#[test]
fn a_year_says_whether_its_saving_stands_out_of_what_the_model_cannot_tell() {
    let noisy = |share: f64| {
        move |d: NaiveDate| {
            let n = (d - day("2022-01-01")).num_days() as u64;
            share * power_wh(d) * (1.0 + 0.15 * noise(n * 31))
        }
    };
    for (share, stands_out) in [(1.0, false), (0.5, true)] {
        let year = planted(BaseUnit::WattHour, Carrier::GridElectricity, noisy(1.0), noisy(share)).year();
        for code in ["rule.ipmvp.significance", "rule.ashrae14.uncertainty", "rule.ashrae14.saving"] {
            let said = year.findings.iter().filter(|f| f.code == code).count();
            assert_eq!(said, usize::from(!stands_out), "{share} {code}");
        }
    }
}
