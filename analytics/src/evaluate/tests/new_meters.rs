//! Garbled months of a meter that did not exist before the works, whose use counts against the saving.
//!
//! Must never: let a garbled month of it reach what the right one misses, or doubt what rests with the weather.

use proptest::prelude::*;

use super::*;

/// Electricity of a day in Wh of what replaced the boiler: only heating, heating and cooling, and an even load.
const LAWS: [fn(NaiveDate) -> f64; 3] =
    [|d| 11_000.0 * (15.5 - mean_c(d)).max(0.0), |d| 1.6 * power_wh(d), |_| 60_000.0];

/// The planted gas meter at three tenths, beside a new heat pump.
fn with_pump(law: fn(NaiveDate) -> f64) -> Case {
    let mut case = Case::gas(0.3);
    let mut pump = facts("pump", Carrier::GridElectricity, Direction::Import, MeterRole::New);
    pump.ceiling_per_hour = 60.0;
    let mut months = series(BaseUnit::WattHour, law, law);
    months.months.retain(|m| m.month.year == 2025);
    case.add(pump, months);
    case
}

fn garble(case: &mut Case, months: &[u32], times: f64) {
    for &number in months {
        let month = case.month_mut(1, 2025, number);
        month.amount = (month.amount as f64 * times).round() as i64;
        (month.low, month.high) = (month.amount, Some(month.amount));
    }
}

fn achieved(case: &Case) -> f64 {
    result(&case.year(), "final").achieved.unwrap()
}

/// One hundredth of what the building would have used, in MWh.
fn hundredth() -> f64 {
    0.01 * planted_2025() * 9.5 / 1000.0
}

fn told(year: &ProjectYear, code: &str) -> Vec<String> {
    year.findings.iter().filter(|f| f.code == code).map(|f| f.subject.clone()).collect()
}

fn word(from: &str, to: &str) -> Adjustment {
    Adjustment {
        number: 1,
        meter: MeterId::new("pump").unwrap(),
        from: day(from),
        to: day(to),
        energy: 0.0,
        author: "energy manager".to_owned(),
        reason: "impianto fermo per lavori".to_owned(),
        recorded_at: Instant::from_seconds(1_760_000_000),
    }
}

#[test]
fn what_rests_with_the_weather_is_not_doubted() {
    for law in LAWS {
        let year = with_pump(law).year();
        assert_eq!(told(&year, "reporting.month_doubtful"), [] as [String; 0]);
        assert!(year.meters[1].months.iter().all(|m| m.measured == m.measured_high));
    }
    // Half a year: what is known so far is enough to tell, and not too little.
    let mut case = with_pump(LAWS[0]);
    case.until = day("2025-06-01");
    assert_eq!(told(&case.year(), "reporting.month_doubtful"), [] as [String; 0]);
}

#[test]
fn a_garbled_month_of_a_new_meter_counts_as_the_highest_of_the_others_and_is_named() {
    let plain = with_pump(LAWS[0]);
    let right = plain.year();
    for (months, times) in [(&[1][..], 0.001), (&[1], 0.1), (&[2], 0.0), (&[2, 12], 0.0), (&[3, 11], 0.001)] {
        let mut case = with_pump(LAWS[0]);
        garble(&mut case, months, times);
        case.scheme.kpis[1].target = Target::AtLeast(achieved(&plain) + hundredth());
        let year = case.year();
        let names: Vec<String> = months.iter().map(|n| format!("meter:pump 2025-{n:02}")).collect();
        assert_eq!(told(&year, "reporting.month_doubtful"), names, "{times}");
        let (was, now) = (&right.meters[1], &year.meters[1]);
        assert!(was.totals.avoided < now.totals.avoided, "what was measured stays the best estimate");
        let others = was.months.iter().filter(|m| !months.contains(&m.month.number));
        let of_day = |m: &crate::result::MeterMonth| m.measured.unwrap() / f64::from(m.month.days());
        let highest = others.map(of_day).fold(0.0, f64::max);
        for &number in months {
            let row = &now.months[number as usize - 1];
            // January is the coldest month of the planted year.
            let beyond = if number == 1 { 1.25 } else { 1.0 };
            let most = beyond * highest * f64::from(row.month.days());
            assert!(near(row.measured_high.unwrap(), most, 1e-6 * most), "{row:?}");
            assert!(row.measured < row.measured_high && row.avoided.is_some());
        }
        let kpi = result(&year, "final");
        assert!(kpi.achieved.unwrap() <= achieved(&plain) + hundredth(), "{months:?} {times}");
        assert_ne!(kpi.verdict, Verdict::Reached, "{months:?} {times}");
        assert!(kpi.because.contains(&"reporting.month_doubtful".to_owned()), "{:?}", kpi.because);
        let chain = crate::explain::explain(&year, "kpi:final", &crate::explain::Evidence::new()).unwrap();
        assert!(chain.root.broken(1e-9).is_empty(), "{:?}", chain.root.broken(1e-9));
    }
}

#[test]
fn a_value_that_a_new_meter_repeats_is_doubted() {
    let mut case = with_pump(LAWS[0]);
    let april = case.month_mut(1, 2025, 4).amount;
    for number in 1..=3 {
        let month = case.month_mut(1, 2025, number);
        (month.amount, month.low, month.high) = (april, april, Some(april));
    }
    let year = case.year();
    let names: Vec<String> = (1..=4).map(|n| format!("meter:pump 2025-{n:02}")).collect();
    assert_eq!(told(&year, "reporting.month_doubtful"), names);
    assert!(result(&year, "final").achieved.unwrap() <= achieved(&with_pump(LAWS[0])) + hundredth());
    // Zero again and again is rest, or a doubt of its own; twice the same is chance.
    let mut case = with_pump(LAWS[0]);
    let november = case.month_mut(1, 2025, 11).amount;
    let month = case.month_mut(1, 2025, 10);
    (month.amount, month.low, month.high) = (november, november, Some(november));
    assert_eq!(told(&case.year(), "reporting.month_doubtful"), [] as [String; 0]);
}

#[test]
fn a_person_confirms_a_month_of_a_new_meter() {
    let mut case = with_pump(LAWS[0]);
    garble(&mut case, &[2], 0.0);
    case.adjustments.push(word("2025-02-01", "2025-03-01"));
    let year = case.year();
    assert_eq!(told(&year, "reporting.confirmed"), ["meter:pump 2025-02"]);
    assert_eq!(told(&year, "reporting.month_doubtful"), [] as [String; 0]);
    assert!(achieved(&with_pump(LAWS[0])) < result(&year, "final").achieved.unwrap());
    // A part of the month is no word for it.
    case.adjustments[0].to = day("2025-02-20");
    assert_eq!(told(&case.year(), "reporting.month_doubtful"), ["meter:pump 2025-02"]);
}

#[test]
fn without_temperatures_the_calendar_tells_which_months_are_alike() {
    let mut case = with_pump(LAWS[2]);
    case.temperatures.retain(|t| t.date < day("2025-01-01"));
    garble(&mut case, &[7], 0.001);
    assert_eq!(told(&case.year(), "reporting.month_doubtful"), ["meter:pump 2025-07"]);
}

#[test]
fn a_new_meter_that_uses_next_to_nothing_all_year_is_withheld_until_a_person_confirms() {
    let all: Vec<u32> = (1..=12).collect();
    for times in [0.0, 0.001, 0.01] {
        for law in LAWS {
            let mut case = with_pump(law);
            garble(&mut case, &all, times);
            let year = case.year();
            assert_eq!(told(&year, "meter.new_idle"), ["meter:pump 2025"], "{times}");
            let pump = &year.meters[1];
            assert!(pump.months.iter().all(|m| m.avoided.is_none() && m.measured_high.is_none()));
            let kpi = result(&year, "final");
            assert_eq!(kpi.verdict, Verdict::Undetermined, "{times}");
            assert!(kpi.because.contains(&"meter.new_idle".to_owned()), "{:?}", kpi.because);
        }
    }
    // A person knows that the plant rested: all of it counts, and each month is noted.
    let mut case = with_pump(LAWS[0]);
    garble(&mut case, &all, 0.001);
    case.adjustments.push(word("2025-01-01", "2026-01-01"));
    let year = case.year();
    assert_eq!(told(&year, "meter.new_idle"), [] as [String; 0]);
    assert_eq!(told(&year, "reporting.confirmed").len(), 12);
    assert!(achieved(&with_pump(LAWS[0])) < achieved(&case));
    // Of half a year too.
    case.adjustments[0].to = day("2025-07-01");
    assert_eq!(told(&case.year(), "meter.new_idle"), ["meter:pump 2025"]);
}

#[test]
fn a_new_plant_that_rests_until_the_cold_is_no_doubt() {
    let mut case = with_pump(LAWS[0]);
    let rest: Vec<u32> = (1..=7).collect();
    garble(&mut case, &rest, 0.0);
    // Seven months of rest tell little; when they are most of the year, they tell.
    case.meters[1].months.months.truncate(7);
    case.until = day("2025-08-01");
    assert_eq!(told(&case.year(), "meter.new_idle"), [] as [String; 0]);
    let mut case = with_pump(LAWS[0]);
    garble(&mut case, &(1..=8).collect::<Vec<u32>>(), 0.0);
    case.meters[1].months.months.truncate(8);
    case.until = day("2025-09-01");
    assert_eq!(told(&case.year(), "meter.new_idle"), ["meter:pump 2025"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whichever months are garbled, of whatever load.
    #[test]
    fn garbling_one_or_two_months_never_helps(
        law in 0_usize..LAWS.len(),
        months in prop::collection::btree_set(1_u32..=12, 1..=2),
        times in prop_oneof![Just(0.0), Just(0.001)],
    ) {
        let plain = achieved(&with_pump(LAWS[law]));
        let mut case = with_pump(LAWS[law]);
        garble(&mut case, &months.iter().copied().collect::<Vec<u32>>(), times);
        let now = achieved(&case);
        prop_assert!(now <= plain + hundredth(), "{law} {months:?} {times}: {plain} became {now}");
    }
}
