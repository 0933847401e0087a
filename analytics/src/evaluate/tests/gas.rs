//! A gas meter read at its own conditions: the year is in standard cubic metres, and says by which coefficient.
//!
//! Must never: let a conversion change what the counter decides.

use model::GasBasis;
use model::time::day_start;

use super::*;
use crate::gas;
use crate::series::{Accumulator, SeriesSettings};

/// The planted gas meter, whose register counts litres at its own conditions in 16 bits of 10 litres.
fn read_at_the_meter() -> (MeterFacts, Accumulator) {
    let mut facts = facts("gas", Carrier::NaturalGas, Direction::Import, MeterRole::Compared);
    facts.gas = Some(gas::of_place(239, 2617, 'E').unwrap());
    facts.wraps_at = Some(655_360);
    let settings = SeriesSettings::of(&facts, ROME, 900);
    (facts, read(settings))
}

fn read(settings: SeriesSettings) -> Accumulator {
    let mut series = Accumulator::new(settings);
    let (start, end) = (day_start(day("2025-01-01"), ROME), day_start(day("2026-01-01"), ROME));
    let mut litres = 0.0;
    let mut at = start.millis();
    while at <= end.millis() {
        // The register holds what the totals are modulo 65 536 pulses of 10 litres.
        series.push(Instant::from_millis(at), (litres / 10.0) as i64 * 10 % 655_360);
        let standard = gas_litres(Instant::from_millis(at).day(ROME)) / 96.0;
        litres += standard / 1.017_506;
        at += 900_000;
    }
    series
}

#[test]
fn a_register_at_the_meters_conditions_gives_a_year_of_standard_cubic_metres() {
    let (facts, series) = read_at_the_meter();
    assert_eq!(facts.total_channel(), model::Channel::total(model::Quantity::GasVolume));
    let mut case = Case::gas(1.0);
    let told = case.year();
    let months = &mut case.meters[0].months.months;
    months.retain(|m| m.month.year == 2023);
    months.extend(
        series.snapshot(day_start(case.until, ROME)).months.into_iter().filter(|m| m.month.year == 2025),
    );
    case.meters[0].findings = series.findings("meter:gas");
    case.project.buildings[0].meters[0] = facts;
    let year = case.year();
    // The corrector of the told case and the coefficient of this one measure the same gas; the days of 23 and 25
    // hours differ a little, the coefficient is 1.75 %.
    for (own, other) in only(&year).months.iter().zip(&only(&told).months) {
        let (own, other) = (own.measured.unwrap(), other.measured.unwrap());
        assert!((own - other).abs() < 5e-3 * other, "{own} {other}");
    }
    let note = year.findings.iter().find(|f| f.code == "gas.converted").unwrap();
    assert_eq!(note.severity, Severity::Note);
    assert!(note.says.contains("C = 1.017506, from 239 m, 2617 degree days, zone E"), "{}", note.says);
    let codes: std::collections::BTreeSet<_> =
        year.findings.iter().map(|f| (f.code, f.says.as_str())).collect();
    assert!(year.findings.iter().any(|f| f.code == "counter.wrapped"), "the raw register wraps: {codes:?}");
    assert_ne!(year.provenance.inputs, told.provenance.inputs);
}

#[test]
fn months_of_the_series_add_up_to_the_converted_total() {
    let (facts, series) = read_at_the_meter();
    let c = facts.gas.unwrap().coefficient;
    let months = series.snapshot(day_start(day("2026-01-01"), ROME)).months;
    let sum: i64 = months.iter().map(|m| m.amount).sum();
    let sum_of_days = |series: &Accumulator| series.days().iter().map(|d| d.amount).sum::<i64>();
    assert_eq!(sum, sum_of_days(&series), "days are standard litres too");
    let at_the_meter = read(SeriesSettings { gas: None, ..*series.settings() });
    assert_eq!(sum, c.standard_litres(sum_of_days(&at_the_meter)));
}

#[test]
fn a_stated_coefficient_is_named_as_such_and_a_fast_wrap_is_told() {
    let mut facts = facts("gas", Carrier::NaturalGas, Direction::Import, MeterRole::Compared);
    let coefficient = gas::Coefficient::from_millionths(1_017_500).unwrap();
    facts.gas = Some(model::GasConversion { coefficient, basis: GasBasis::Stated });
    let mut case = Case::gas(1.0);
    case.project.buildings[0].meters[0] = facts.clone();
    let year = case.year();
    assert!(year.findings.iter().any(|f| f.code == "gas.stated" && f.says.contains("1.017500")));
    // 65 536 pulses of 10 litres at 25 Smc/h: 26.7 h. At 40 Smc/h less than a day.
    facts.wraps_at = Some(655_360);
    facts.ceiling_per_hour = 25.0;
    let wraps =
        |facts: &MeterFacts, every| SeriesSettings::of(facts, ROME, every).fast_wrap(every, "meter:gas");
    assert_eq!(wraps(&facts, 900), None);
    assert_eq!(wraps(&facts, 14_400).unwrap().code, "series.wrap.fast");
    facts.ceiling_per_hour = 40.0;
    assert!(wraps(&facts, 900).unwrap().says.contains("after 16.7 h"));
    facts.wraps_at = None;
    assert_eq!(wraps(&facts, 900), None);
}
