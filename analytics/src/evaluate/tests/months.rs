//! Months, baselines and withheld figures of a meter.
//!
//! Must never: let a test pass on a missing month that counted as zero.

use model::{BillQuality, BilledPeriod, Finding};

use super::*;
use crate::result::MonthSource;

#[test]
fn an_unchanged_building_saves_nothing() {
    let year = Case::gas(1.0).year();
    let totals = &only(&year).totals;
    assert!(near(totals.adjusted_baseline / planted_2025(), 1.0, 0.002), "{totals:?}");
    assert!(near(totals.avoided / planted_2025(), 0.0, 0.002), "{totals:?}");
    assert!(totals.avoided_low <= totals.avoided && totals.avoided <= totals.avoided_high);
    assert_eq!((totals.compared_months, totals.reporting_months, totals.coverage_ratio), (12, 12, 1.0));
    for m in &only(&year).months {
        assert!(near(m.avoided.unwrap() / m.measured.unwrap(), 0.0, 0.03), "{m:?}");
    }
    assert_eq!(result(&year, "4.c.2").verdict, Verdict::Missed);
}

#[test]
fn a_planted_reduction_is_recovered_under_other_weather() {
    let year = Case::gas(0.88).year();
    let totals = &only(&year).totals;
    assert!(near(totals.avoided / planted_2025(), 0.12, 0.002), "{totals:?}");
    let Baseline::Fitted(model) = &only(&year).baseline else { panic!("{:?}", only(&year).baseline) };
    assert_eq!(model.method, "averaged");
    assert!(near(model.heating_base_c.unwrap(), 15.5, 0.5), "{model:?}");
    assert!(
        near(model.heating_per_degree_day, 4.0, 0.15) && near(model.base_per_day, 10.0, 1.0),
        "{model:?}"
    );
    let months: f64 = only(&year).months.iter().filter_map(|m| m.avoided).sum();
    assert!(near(months, totals.avoided, 1e-9));
}

#[test]
fn a_missing_month_is_withheld_not_zero() {
    let mut case = Case::gas(0.88);
    case.meters[0].months.months.retain(|m| m.month != Month { year: 2025, number: 1 });
    let year = case.year();
    let january = &only(&year).months[0];
    assert_eq!((january.source, january.measured, january.avoided), (MonthSource::Missing, None, None));
    assert!(january.adjusted_baseline.is_some() && january.reporting);
    assert_eq!(only(&year).totals.compared_months, 11);
    let low: Vec<_> = year.findings.iter().filter(|f| f.code == "series.coverage.low").collect();
    assert_eq!(
        (low.len(), low[0].severity, low[0].subject.as_str()),
        (1, Severity::Blocks, "meter:gas 2025-01")
    );
    for k in year.kpis.iter().filter(|k| k.definition.code != "self") {
        assert_eq!((k.verdict, k.achieved, k.low), (Verdict::Undetermined, None, None));
        assert!(k.because.contains(&"series.coverage.low".to_owned()));
    }
}

#[test]
fn the_threshold_of_coverage_is_nine_tenths() {
    for (coverage, compared) in [(0.9, true), (0.8999, false)] {
        let mut case = Case::gas(0.88);
        case.month_mut(0, 2025, 3).coverage_ratio = coverage;
        let year = case.year();
        assert_eq!(only(&year).months[2].avoided.is_some(), compared, "{coverage}");
        assert_eq!(codes(&year).contains(&"series.coverage.low"), !compared);
    }
}

#[test]
fn a_hole_in_a_month_is_filled_for_the_best_value_and_taken_at_the_ceiling_for_what_counts() {
    let mut case = Case::gas(0.88);
    let march = case.month_mut(0, 2025, 3);
    let whole = march.amount as f64;
    march.amount = (whole * 0.95).round() as i64;
    march.low = march.amount;
    march.high = Some(march.amount + 1_500_000);
    march.coverage_ratio = 0.95;
    let year = case.year();
    let m = &only(&year).months[2];
    assert!(near(m.measured.unwrap(), whole / 1000.0, 0.01), "{m:?}");
    assert!(near(m.estimated_ratio, 0.05, 1e-6));
    assert!(near(only(&year).totals.avoided / planted_2025(), 0.12, 0.002));
    let final_energy = result(&year, "final");
    let lost = 9.5 * (1_500.0 - whole / 1000.0 * 0.05) / 1000.0;
    assert!(
        near(final_energy.best.unwrap() - final_energy.achieved.unwrap(), lost, 1e-3),
        "{final_energy:?}"
    );
    assert!(final_energy.low.unwrap() <= final_energy.achieved.unwrap());
}

#[test]
fn a_meter_without_any_data_blocks() {
    let mut case = Case::gas(0.88);
    case.meters[0].months.months.retain(|m| m.month.year == 2023);
    let year = case.year();
    assert_eq!(year.findings.iter().filter(|f| f.code == "meter.no_data").count(), 1);
    assert_eq!(result(&year, "final").verdict, Verdict::Undetermined);
    case.meters.clear();
    let year = case.year();
    assert!(codes(&year).starts_with(&["baseline.short"]) && codes(&year).contains(&"meter.no_data"));
    assert!(matches!(only(&year).baseline, Baseline::Unknown));
    assert_eq!(only(&year).months.len(), 12);
}

#[test]
fn a_year_not_over_shows_months_but_no_verdict() {
    let mut case = Case::gas(0.5);
    case.until = day("2025-07-20");
    let year = case.year();
    assert!(!year.is_complete());
    let totals = &only(&year).totals;
    assert_eq!((totals.reporting_months, totals.compared_months), (6, 6));
    assert!(0.0 < totals.avoided);
    let k = result(&year, "final");
    assert_eq!((k.verdict, k.achieved), (Verdict::Undetermined, None));
    assert_eq!(k.because, ["year.incomplete"]);
    assert!(codes(&year).contains(&"year.incomplete"));
}

#[test]
fn reporting_begins_after_completion() {
    let mut case = Case::gas(0.5);
    case.project.dates.completed = day("2025-04-15");
    let year = case.year();
    let reporting: Vec<u32> =
        only(&year).months.iter().filter(|m| m.reporting).map(|m| m.month.number).collect();
    assert_eq!(reporting, [5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(only(&year).months[0].adjusted_baseline, None);
    assert!(only(&year).months[0].measured.is_some());
    assert_eq!(result(&year, "final").verdict, Verdict::Undetermined);
}

#[test]
fn weather_that_is_missing_withholds_the_month_and_a_few_days_weaken_it() {
    let mut case = Case::gas(0.88);
    case.temperatures.retain(|t| !(day("2025-01-10")..day("2025-01-14")).contains(&t.date));
    let year = case.year();
    let blocked = |y: &ProjectYear| y.findings.iter().find(|f| f.code == "weather.missing").unwrap().severity;
    assert_eq!((only(&year).months[0].avoided, blocked(&year)), (None, Severity::Blocks));
    assert_eq!(result(&year, "final").verdict, Verdict::Undetermined);

    let mut case = Case::gas(0.88);
    case.temperatures.retain(|t| t.date != day("2025-01-10") && t.date != day("2025-07-10"));
    let year = case.year();
    assert_eq!(blocked(&year), Severity::Caution);
    assert_eq!(year.findings.iter().filter(|f| f.code == "weather.missing").count(), 1, "July is never cold");
    assert_eq!((only(&year).months[0].temperature_days, only(&year).months[1].temperature_days), (30, 28));
    // A day of January carries about 15 K·d of 4 Smc; what counts goes without it.
    let k = result(&year, "final");
    let lost = (k.best.unwrap() - k.achieved.unwrap()) * 1000.0 / 9.5;
    assert!((40.0..80.0).contains(&lost), "{lost}");
}

#[test]
fn a_month_of_bills_stands_in_for_a_month_of_silence() {
    let mut case = Case::gas(0.88);
    let january = case.month_mut(0, 2025, 1).amount;
    case.meters[0].months.months.retain(|m| m.month != Month { year: 2025, number: 1 });
    case.meters[0].bills.push(BilledPeriod {
        supply_point: "pdr".to_owned(),
        from: day("2025-01-01"),
        to: day("2025-02-01"),
        amount: january,
        unit: BaseUnit::Litre,
        quality: BillQuality::Read,
    });
    let year = case.year();
    assert_eq!(only(&year).months[0].source, MonthSource::Bills);
    assert_eq!(only(&year).months[1].source, MonthSource::Meter);
    assert_eq!(only(&year).totals.compared_months, 12);
    case.meters[0].bills[0].quality = BillQuality::Estimated;
    let year = case.year();
    assert_eq!(only(&year).months[0].avoided, None);
    assert_eq!(result(&year, "final").verdict, Verdict::Undetermined);
}

#[test]
fn a_baseline_of_bills_keeps_each_bill_as_its_own_period() {
    let mut case = Case::gas(0.88);
    case.meters[0].months.months.retain(|m| m.month.year == 2025);
    let mut from = day("2023-01-01");
    while from < day("2024-01-01") {
        let to = (from + Days::new(33)).min(day("2024-01-01"));
        let amount = from.iter_days().take_while(|d| *d < to).map(gas_litres).sum::<f64>().round() as i64;
        let (supply_point, unit, quality) = ("pdr".to_owned(), BaseUnit::Litre, BillQuality::Read);
        case.meters[0].bills.push(BilledPeriod { supply_point, from, to, amount, unit, quality });
        from = to;
    }
    let year = case.year();
    let Baseline::Fitted(model) = &only(&year).baseline else { panic!("{:?}", only(&year).baseline) };
    assert_eq!((model.quality.n, model.quality.baseline_days), (12, 365));
    assert!(near(only(&year).totals.avoided / planted_2025(), 0.12, 0.002));
}

#[test]
fn an_unclosed_impossible_claim_blocks_the_year_it_belongs_to() {
    let finding = |year, number| DatedFinding {
        month: Month { year, number },
        finding: Finding::new("counter.impossible", Severity::Blocks, "meter:gas", "x", "y"),
    };
    for (year, verdict) in
        [(2025, Verdict::Undetermined), (2023, Verdict::Undetermined), (2022, Verdict::Reached)]
    {
        let mut case = Case::gas(0.5);
        case.meters[0].findings.push(finding(year, 5));
        assert_eq!(result(&case.year(), "final").verdict, verdict, "{year}");
    }
}

#[test]
fn a_new_meter_counts_against_the_saving_and_a_part_is_not_counted_twice() {
    let mut case = Case::gas(0.5);
    let alone = case.year();
    let power = series(BaseUnit::WattHour, |_| 0.0, |_| 20_000.0);
    case.add(facts("heat-pump", Carrier::GridElectricity, Direction::Import, MeterRole::New), power.clone());
    let with = case.year();
    assert!(matches!(with.meters[1].baseline, Baseline::Zero));
    assert!(near(with.meters[1].totals.avoided, -365.0 * 20.0, 1e-6));
    let final_energy = |y: &ProjectYear| result(y, "final").achieved.unwrap();
    assert!(near(final_energy(&alone) - final_energy(&with), 7.3, 1e-9));
    case.add(facts("kitchen", Carrier::GridElectricity, Direction::Import, MeterRole::Sub), power);
    let sub = case.year();
    assert!(matches!(sub.meters[2].baseline, Baseline::NotCompared));
    assert_eq!(final_energy(&sub), final_energy(&with));
    case.meters.pop();
    let silent = case.year();
    assert_eq!(result(&silent, "final").achieved, Some(final_energy(&with)));
    assert!(silent.findings.iter().any(|f| f.code == "meter.no_data" && f.severity == Severity::Note));
}

/// A part that only bills tell of is shown by them, and may be seen to exceed its whole; it saves nothing of its own.
#[test]
fn bills_of_a_part_are_its_months_and_may_exceed_the_whole() {
    let mut case = Case::power(0.9);
    let alone = case.year();
    let whole = case.project.buildings[0].meters[0].id.clone();
    let mut part = facts("kitchen", Carrier::GridElectricity, Direction::Import, MeterRole::Sub);
    part.parent = Some(whole);
    case.add(part, MonthlySeries::empty(BaseUnit::WattHour));
    let measured = alone.meters[0].months[4].measured.unwrap();
    let may = |kwh: f64| model::BilledPeriod {
        supply_point: "kitchen".to_owned(),
        from: day("2025-05-01"),
        to: day("2025-06-01"),
        amount: (kwh * 1000.0).round() as i64,
        unit: BaseUnit::WattHour,
        quality: model::BillQuality::Read,
    };
    for (share, exceeds) in [(0.5, false), (1.5, true)] {
        case.meters[1].bills = vec![may(share * measured)];
        let year = case.year();
        let row = &year.meters[1].months[4];
        assert_eq!(row.source, crate::result::MonthSource::Bills);
        assert!(near(row.measured.unwrap(), share * measured, 1e-3));
        assert_eq!(codes(&year).contains(&"balance.parts_exceed"), exceeds, "{share}");
        assert_eq!(result(&year, "final").achieved, result(&alone, "final").achieved);
        assert!(matches!(year.meters[1].baseline, Baseline::NotCompared));
    }
}
