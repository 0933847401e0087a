//! The year is judged by what is known of the year: what is in doubt between two of its months is no doubt of it.
//!
//! Must never: compare with a figure that the code under test made in the same way.

use model::time::day_start;
use model::{BillQuality, BilledPeriod};
use proptest::prelude::*;

use super::*;
use crate::explain::{Evidence, explain};
use crate::series::{Accumulator, SeriesSettings};

const READ_HOURS: i64 = 6;

/// Totals every six hours of a register that stands still from six in the evening to six in the morning, from before the
/// year to after it, of a law in Wh or litres a day.
fn totals(law: &dyn Fn(NaiveDate) -> f64) -> Vec<(Instant, i64)> {
    let (mut at, end) = (day_start(day("2024-12-20"), ROME), day_start(day("2026-01-11"), ROME));
    let (mut out, mut total, mut quarter) = (Vec::new(), 4_000_000.0, 0);
    while at <= end {
        out.push((at, total as i64));
        total += if quarter == 1 || quarter == 2 { law(at.day(ROME)) / 2.0 } else { 0.0 };
        quarter = (quarter + 1) % 4;
        at = at.plus_seconds(READ_HOURS * 3_600);
    }
    out
}

fn sun_wh(d: NaiveDate) -> f64 {
    20_000.0
        + 15_000.0 * ((f64::from(chrono::Datelike::ordinal(&d)) - 81.0) / 365.0 * std::f64::consts::TAU).sin()
}

/// A building that buys, makes and feeds in, with the totals of its three meters that `keep` keeps.
fn building(keep: &dyn Fn(usize, Instant) -> bool) -> ProjectYear {
    building_with(Vec::new(), keep)
}

/// The same with more KPI.
pub(super) fn building_with(kpis: Vec<KpiDefinition>, keep: &dyn Fn(usize, Instant) -> bool) -> ProjectYear {
    let mut case = Case::power(0.8);
    case.scheme.kpis.extend(kpis);
    let made = facts("pv", Carrier::OnSitePv, Direction::Production, MeterRole::New);
    let fed = facts("fed", Carrier::GridElectricity, Direction::Export, MeterRole::New);
    case.add(made, MonthlySeries::empty(BaseUnit::WattHour));
    case.add(fed, MonthlySeries::empty(BaseUnit::WattHour));
    case.scheme.kpis.push(kpi(
        "made",
        KpiMeasure::RenewableProduced,
        KpiUnit::KilowattHour,
        Target::AtLeast(1.0),
    ));
    let laws: [&dyn Fn(NaiveDate) -> f64; 3] = [&|d| 0.8 * power_wh(d), &sun_wh, &|d| 0.35 * sun_wh(d)];
    let facts = case.project.buildings[0].meters.clone();
    for (index, (law, facts)) in laws.into_iter().zip(&facts).enumerate() {
        let settings = SeriesSettings::of(facts, ROME, READ_HOURS as u32 * 3_600);
        let mut series = Accumulator::new(settings);
        for (at, total) in totals(law).into_iter().filter(|(at, _)| keep(index, *at)) {
            series.push(at, total);
        }
        let meter = &mut case.meters[index];
        meter.months.months.retain(|m| m.month.year == 2023);
        let own = series.snapshot(day_start(case.until, ROME)).months;
        meter.months.months.extend(own.into_iter().filter(|m| m.month.year < 2026));
    }
    case.year()
}

fn in_year(at: Instant) -> bool {
    day_start(day("2025-01-01"), ROME) <= at && at < day_start(day("2026-01-01"), ROME)
}

fn no_better(whole: &ProjectYear, less: &ProjectYear) -> Result<(), TestCaseError> {
    for (a, b) in whole.kpis.iter().zip(&less.kpis) {
        prop_assert!(b.verdict != Verdict::Reached || a.verdict == Verdict::Reached, "{a:?} {b:?}");
        let (Some(was), Some(is)) = (a.achieved, b.achieved) else { continue };
        prop_assert!(is <= was + 1e-9 * (1.0 + was.abs()), "{}: {was} became {is}", a.definition.code);
    }
    Ok(())
}

#[test]
fn the_year_of_a_register_that_stands_still_at_night_is_as_sharp_as_its_totals() {
    let year = building(&|_, _| true);
    let sharp =
        |months: &[crate::result::MeterMonth]| months.iter().all(|m| m.measured_low == m.measured_high);
    assert!(!sharp(&only(&year).months), "each month's end is in doubt");
    // What stands still over the year's two ends is the first rise of two days.
    let ends = (sun_wh(day("2025-01-01")) + sun_wh(day("2026-01-01"))) / 2.0 / 1_000.0;
    let made = result(&year, "made");
    let within = made.better.unwrap() - made.achieved.unwrap();
    assert!(near(within, ends, 0.01), "{within} {ends}");
    for figure in crate::explain::figures(&year) {
        let chain = explain(&year, &figure, &Evidence::new()).unwrap();
        assert!(chain.root.broken(1e-9).is_empty(), "{figure}: {:?}", chain.root.broken(1e-9));
    }
}

#[test]
fn a_lost_reading_of_a_night_never_helps() {
    let whole = building(&|_, _| true);
    let evening = |at: Instant| (at.millis() / 3_600_000 + 1) % 24 == 18;
    let last = |at: Instant| {
        evening(at)
            && at.plus_seconds(86_400).day(ROME) == Month::of(at.plus_seconds(86_400).day(ROME)).first_day()
    };
    let one = day_start(day("2025-01-31"), ROME).plus_seconds(18 * 3_600);
    for meter in [0, 1, 2, 3] {
        let lost: [&dyn Fn(Instant) -> bool; 3] = [&|at| at == one, &last, &evening];
        for gone in lost {
            let less = building(&|m, at| !(in_year(at) && (meter == m || meter == 3) && gone(at)));
            no_better(&whole, &less).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever readings of the year are lost, of any of the meters.
    #[test]
    fn lost_readings_never_help(
        singles in prop::collection::vec((0_usize..3, 0_i64..1461), 0..300),
        hours in prop::collection::vec((0_usize..3, 0_i64..4), 0..3),
        holes in prop::collection::vec((0_usize..3, 0_i64..1461, 1_i64..40), 0..4),
    ) {
        let whole = building(&|_, _| true);
        let less = building(&|meter, at| {
            let index = (at.millis() - day_start(day("2025-01-01"), ROME).millis()) / (READ_HOURS * 3_600_000);
            let lost = singles.contains(&(meter, index))
                || hours.contains(&(meter, index.rem_euclid(4)))
                || holes.iter().any(|(m, from, n)| *m == meter && (*from..from + n).contains(&index));
            !(in_year(at) && lost)
        });
        no_better(&whole, &less)?;
    }
}

/// The planted gas meter with bills only, read, of the year's months or of spans that cross their ends.
fn billed(spans: &[(NaiveDate, NaiveDate)]) -> Case {
    let mut case = Case::gas(0.5);
    case.meters[0].months.months.retain(|m| m.month.year == 2023);
    let bill = |&(from, to): &(NaiveDate, NaiveDate)| BilledPeriod {
        supply_point: "pdr".to_owned(),
        from,
        to,
        amount: from.iter_days().take_while(|d| *d < to).map(|d| 0.5 * gas_litres(d)).sum::<f64>().round()
            as i64,
        unit: BaseUnit::Litre,
        quality: BillQuality::Read,
    };
    case.meters[0].bills = spans.iter().map(bill).collect();
    case
}

fn spans(mut from: NaiveDate, months: u32, until: NaiveDate) -> Vec<(NaiveDate, NaiveDate)> {
    let mut out = Vec::new();
    while from < until {
        let to = from + chrono::Months::new(months);
        out.push((from, to));
        from = to;
    }
    out
}

#[test]
fn bills_of_two_months_give_the_year_as_those_of_one_do() {
    let year = |months| billed(&spans(day("2025-01-01"), months, day("2026-01-01"))).year();
    let (one, two, six) = (year(1), year(2), year(6));
    for other in [&two, &six] {
        for (a, b) in one.kpis.iter().zip(&other.kpis) {
            let same = |a: Option<f64>, b: Option<f64>| {
                a.zip(b).map_or(a == b, |(a, b)| near(a, b, 1e-6 * (1.0 + a.abs())))
            };
            assert!(same(a.achieved, b.achieved) && same(a.better, b.better), "{a:?} {b:?}");
            assert_eq!(a.verdict, b.verdict);
            // Months split by days may look like an event; nothing else is said of them.
            let mut said = b.because.clone();
            said.retain(|code| code != "event.suspected");
            assert_eq!(said, a.because);
        }
        let january = &only(other).months[0];
        assert_eq!(january.measured_low, Some(0.0), "a month of a longer bill stays in doubt");
        let chain = explain(other, "kpi:final", &Evidence::new()).unwrap();
        assert!(chain.root.broken(1e-9).is_empty());
    }
}

#[test]
fn bills_over_the_years_ends_leave_those_two_in_doubt_and_are_named() {
    let all = spans(day("2024-11-15"), 1, day("2026-01-20"));
    let year = billed(&all).year();
    let of = |from: &str| {
        let bill = all.iter().find(|(f, _)| *f == day(from)).unwrap();
        billed(&[*bill]).meters[0].bills[0].amount as f64 / 1_000.0
    };
    let (first, last) = (of("2024-12-15"), of("2025-12-15"));
    let k = result(&year, "final");
    let kwh = (k.better.unwrap() - k.achieved.unwrap()) * 1_000.0 / 9.5;
    assert!(near(kwh, first + last, 0.01), "{kwh} {first} {last}");
    let told: Vec<&str> =
        year.findings.iter().filter(|f| f.code == "bills.straddle").map(|f| f.subject.as_str()).collect();
    assert_eq!(told, ["meter:gas 2025-01", "meter:gas 2025-12"]);
    assert!(k.because.contains(&"bills.straddle".to_owned()));
    // Read on 31 December: the doubt is gone.
    let mut read: Vec<_> =
        all.iter().copied().filter(|(f, t)| !(*f < day("2025-01-01") && day("2025-01-01") < *t)).collect();
    read.retain(|(f, t)| !(*f < day("2026-01-01") && day("2026-01-01") < *t));
    read.extend([(day("2025-01-01"), day("2025-01-15")), (day("2025-12-15"), day("2026-01-01"))]);
    let year = billed(&read).year();
    let k = result(&year, "final");
    assert!(near(k.better.unwrap(), k.achieved.unwrap(), 1e-6), "{k:?}");
    assert!(!codes(&year).contains(&"bills.straddle"));
}

#[test]
fn bills_alone_of_a_meter_that_was_read_before_are_named() {
    let told = |case: &Case| {
        let year = case.year();
        let found = year.findings.iter().filter(|f| f.code == "meter.bills_alone").cloned();
        (found.collect::<Vec<Finding>>(), result(&year, "final").because.clone())
    };
    // A meter whose readings say more than the bills; the year is read without a gap.
    let mut case = billed(&spans(day("2025-01-01"), 1, day("2026-01-01")));
    let alone = case.meters[0].months.clone();
    case.meters[0].months = Case::gas(0.7).meters.remove(0).months;
    let (findings, because) = told(&case);
    assert!(findings.is_empty() && because.contains(&"bills.dispute".to_owned()), "{because:?}");
    // Every reading of the year is gone, and nothing contradicts the bills any more.
    case.meters[0].months = alone;
    let (findings, because) = told(&case);
    assert_eq!((findings.len(), findings[0].severity), (1, Severity::Caution));
    assert_eq!(findings[0].subject, "meter:gas 2025");
    assert_eq!(findings[0].values[1], ("last", "2023-12".to_owned()));
    assert!(because.contains(&"meter.bills_alone".to_owned()), "{because:?}");
    // One month of readings bears the others out or does not, and says so itself.
    let mut read = billed(&spans(day("2025-01-01"), 1, day("2026-01-01")));
    let march = Case::gas(0.5).meters[0].months.get(Month { year: 2025, number: 3 }).copied();
    read.meters[0].months.months.extend(march);
    assert!(told(&read).0.is_empty());
    // A meter that only ever had bills.
    let mut never = billed(&spans(day("2025-01-01"), 1, day("2026-01-01")));
    never.meters[0].months.months.clear();
    assert!(told(&never).0.is_empty());
}

#[test]
fn what_was_not_measured_decides_between_reached_and_missed() {
    let all = spans(day("2024-11-15"), 1, day("2026-01-20"));
    let bounds = |target: f64| {
        let mut case = billed(&all);
        case.scheme.kpis[1].target = Target::AtLeast(target);
        result(&case.year(), "final").clone()
    };
    let k = bounds(1.0);
    let (worse, better) = (k.achieved.unwrap(), k.better.unwrap());
    for (target, verdict) in [
        (worse, Verdict::Reached),
        (worse + 1e-3, Verdict::Undetermined),
        (better - 1e-3, Verdict::Undetermined),
        (better + 1e-3, Verdict::Missed),
    ] {
        let k = bounds(target);
        assert_eq!((k.verdict, k.achieved), (verdict, Some(worse)), "{target}");
        let within = k.because.contains(&"kpi.within_bounds".to_owned());
        assert_eq!(within, verdict == Verdict::Undetermined);
    }
}

#[test]
fn fewer_read_bills_never_help() {
    for (from, months) in [("2025-01-01", 2), ("2024-11-15", 1), ("2025-01-01", 1)] {
        let all = spans(day(from), months, day("2026-01-01"));
        let whole = billed(&all).year();
        for gone in 0..all.len() {
            let mut fewer = all.clone();
            fewer.remove(gone);
            no_better(&whole, &billed(&fewer).year()).unwrap();
            // Two bills in one are less than both.
            let mut joined = all.clone();
            if gone + 1 < joined.len() {
                let next = joined.remove(gone + 1);
                joined[gone].1 = next.1;
                no_better(&whole, &billed(&joined).year()).unwrap();
            }
        }
    }
}

#[test]
fn a_price_that_changes_within_a_bill_counts_where_it_is_worse() {
    let price = |from: &str, to: Option<&str>, microeuro_per_unit| model::Tariff {
        carrier: Carrier::NaturalGas,
        meter: None,
        from: day(from),
        to: to.map(day),
        microeuro_per_unit,
        source: String::new(),
    };
    let cost = |months, later| {
        let mut case = billed(&spans(day("2025-01-01"), months, day("2026-01-01")));
        case.scheme.kpis.push(kpi("cost", KpiMeasure::CostAvoided, KpiUnit::Euro, Target::AtLeast(1.0)));
        case.project.terms.tariffs =
            vec![price("2025-01-01", Some("2025-12-01"), 1_000_000), price("2025-12-01", None, later)];
        let k = result(&case.year(), "cost").clone();
        (k.achieved.unwrap(), k.better.unwrap(), k.best.unwrap())
    };
    let (low, high, best) = cost(2, 1_000_000);
    assert!(near(low, best, 1e-6 * best) && near(high, best, 1e-6 * best), "one price: {low} {best} {high}");
    let (low, high, _) = cost(2, 1_500_000);
    let (exact, _, _) = cost(1, 1_500_000);
    assert!(low < exact && exact < high, "{low} {exact} {high}");
}
