//! A law under a reference year, and years added up.
//!
//! Must never: hold a figure that was copied from the output of the code under test.

use std::sync::Arc;

use model::{DailyTemperature, StationId};

use super::*;
use crate::baseline::fit::{Fit, Kind, Leverage, Member, Model, Quality, Scatter};
use crate::evaluate::laws::{LeftOut, ReportedMonth};
use crate::normalise::Adjusted;
use crate::places::{ClimaticZone, HeatingSeason, MonthDay};

fn day(year: i32, month: u32, of_month: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, of_month).unwrap()
}

/// Cold at 5 °C in the first 100 days of a year, colder by a kelvin each year; else 20 °C.
fn history(years: std::ops::Range<i32>) -> DailyMeans {
    use chrono::Datelike;
    let station = StationId::new("s").unwrap();
    let first = years.start;
    let days = day(first, 1, 1).iter_days().take_while(|d| d.year() < years.end);
    let mean = |d: NaiveDate| {
        if d.ordinal() <= 100 { 5.0 - f64::from(d.year() - first) } else { 20.0 }
    };
    let all: Vec<DailyTemperature> =
        days.map(|d| DailyTemperature::as_given(station.clone(), d, mean(d))).collect();
    DailyMeans::of(&all, &station)
}

/// A law with some scatter around it: 4 of variance a day, 365 days of baseline around 3 K·d a day, ten degrees of freedom.
fn law(base: f64, slope: f64) -> Fitted {
    let model = Model {
        kind: Kind::Heating,
        heating_balance_c: Some(15.0),
        heating_per_degree_day: slope,
        ..Model::flat(base)
    };
    let (days, mean, squares) = (365.0, 3.0, 5_000.0);
    let leverage = [
        [1.0 / days + mean * mean / squares, -mean / squares, 0.0],
        [-mean / squares, 1.0 / squares, 0.0],
        [0.0, 0.0, 0.0],
    ];
    let member = Member {
        weight: 1.0,
        model,
        variance_per_day: 4.0,
        inflation: 1.0,
        leverage: Leverage(leverage),
        scatter: Scatter::Days,
        closure: None,
    };
    let quality = Quality {
        n: 12,
        parameters: 2.0,
        r2: 1.0,
        r2_adjusted: 1.0,
        cvrmse_ratio: 0.0,
        nmbe_ratio: 0.0,
        autocorrelation: None,
    };
    let fit = Fit {
        method: "averaged",
        members: vec![member],
        model,
        quality,
        freedom: 10.0,
        findings: Vec::new(),
        driving: None,
        experience: None,
    };
    Fitted::new(fit, &Data::default(), None)
}

/// Half the band of so many days and degree days under [`law`], by hand: Student's t of ten degrees of freedom at 90 % is
/// 1.812461.
fn by_hand(days: f64, degree_days: f64) -> f64 {
    let lever = degree_days - 3.0 * days;
    1.812_461_123 * (4.0 * (days * days / 365.0 + lever * lever / 5_000.0 + days)).sqrt()
}

fn laws(baseline: Option<Fitted>, reporting: Option<Fitted>) -> Laws {
    Laws {
        meter: MeterId::new("gas").unwrap(),
        carrier: model::Carrier::NaturalGas,
        baseline: baseline.map(Arc::new),
        reporting: reporting.map(Arc::new),
        months: Vec::new(),
        left_out: Vec::new(),
        weather: Data::default(),
        adjustments: Vec::new(),
        inputs: model::Digest([0; 32]),
    }
}

fn turin() -> (Place, ZoneRules) {
    let place = Place {
        istat: "001272".to_owned(),
        name: "Torino".to_owned(),
        zone: ClimaticZone::E,
        degree_days: 2617,
    };
    let season = HeatingSeason {
        from: MonthDay { month: 10, day: 15 },
        to: MonthDay { month: 4, day: 15 },
        hours_per_day: 14,
    };
    (place, ZoneRules { zone: ClimaticZone::E, above: Some(2100), up_to: Some(3000), season: Some(season) })
}

#[test]
fn a_typical_year_is_the_mean_of_the_laws_results_not_of_the_days() {
    let history = history(2015..2020);
    let reference = Reference::of(ReferenceYear::Typical, &history, day(2020, 1, 1), None).unwrap();
    assert_eq!(reference.years, [2015, 2016, 2017, 2018, 2019]);
    // 100 days at 10, 11, 12, 13 and 14 K below 15 °C; 365 or 366 days of base load.
    let days = (4.0 * 365.0 + 366.0) / 5.0;
    let of = reference.under(&law(2.0, 3.0), &history).unwrap();
    assert!((of.energy - (2.0 * days + 3.0 * 1200.0)).abs() < 1e-9, "{of:?}");
    let saved = normalised(&laws(Some(law(2.0, 3.0)), Some(law(1.0, 2.0))), &reference, &history).unwrap();
    assert!((saved.savings - (days + 1200.0)).abs() < 1e-9);
    let band = by_hand(days, 1200.0);
    assert!((saved.high - saved.low - 2.0 * band.hypot(band)).abs() < 1e-6);
}

#[test]
fn legal_degree_days_scale_only_what_follows_the_weather() {
    let history = history(2015..2020);
    let place = turin();
    let reference = Reference::of(ReferenceYear::Legal, &history, day(2020, 1, 1), Some(&place)).unwrap();
    // Days 1 to 100 lie in the season to 15 April (day 105 or 106): 15 to 19 K below 20 °C; the others stand at it.
    let mean = 100.0 * 17.0;
    assert!((reference.scale - 2617.0 / mean).abs() < 1e-12);
    let days = (4.0 * 365.0 + 366.0) / 5.0;
    let of = reference.under(&law(2.0, 3.0), &history).unwrap();
    assert!((of.energy - (2.0 * days + 3.0 * 1200.0 * reference.scale)).abs() < 1e-9);
    assert_eq!(Reference::of(ReferenceYear::Legal, &history, day(2020, 1, 1), None), None);
}

#[test]
fn too_few_years_make_no_reference() {
    let history = history(2015..2019);
    assert_eq!(Reference::of(ReferenceYear::Typical, &history, day(2020, 1, 1), None), None);
    // A year that is not over does not count.
    assert_eq!(whole_years(&history, day(2018, 12, 31)), [2015, 2016, 2017]);
}

#[test]
fn the_same_law_before_and_after_saves_nothing() {
    let history = history(2010..2020);
    let reference = Reference::of(ReferenceYear::Typical, &history, day(2020, 1, 1), None).unwrap();
    let both = laws(Some(law(2.0, 3.0)), Some(law(2.0, 3.0)));
    let saved = normalised(&both, &reference, &history).unwrap();
    assert_eq!(saved.savings, 0.0);
    assert!(saved.low < 0.0 && 0.0 < saved.high);
}

#[test]
fn the_band_of_many_years_counts_the_laws_error_once() {
    let month = |year: i32, number: u32| ReportedMonth {
        month: model::Month::new(year, number).unwrap(),
        measured: 50.0,
        most: 55.0,
        hidden: 0.0,
        doubted: 0.0,
        adjusted: Adjusted { weather_less: 1.0, weather_more: 2.0, ..Adjusted::constant(100.0, 30.0) },
    };
    let history = history(2020..2023);
    let year = |years: std::ops::Range<i32>| {
        let mut all = laws(Some(law(2.0, 3.0)), None);
        all.months = years.flat_map(|y| (1..=12).map(move |m| month(y, m))).collect();
        let spans = all.months.iter().map(|m| (m.month.first_day(), m.month.end_day()));
        all.weather = weather_of(&history, spans);
        cumulated(&all)
    };
    let (one, three) = (year(2020..2021), year(2020..2023));
    assert_eq!((three.months, three.avoided, three.measured), (36, 3.0 * one.avoided, 1800.0));
    // 12 months: 50 less the unmeasured 5 and the weather's 1 each.
    let band = |of: &Cumulated| of.avoided - 6.0 * f64::from(of.months) - of.low;
    // 2020 has 366 days, a hundred of them 10 K colder than 15 °C.
    assert!((band(&one) - by_hand(366.0, 1000.0)).abs() < 1e-6);
    // A month that nobody measured is no part of the value, and weighs on both bounds.
    let mut holed = laws(Some(law(2.0, 3.0)), None);
    holed.months = vec![month(2020, 1)];
    holed.weather =
        weather_of(&history, holed.months.iter().map(|m| (m.month.first_day(), m.month.end_day())));
    let whole = cumulated(&holed);
    holed.left_out = vec![LeftOut { month: model::Month::new(2020, 2).unwrap(), low: -700.0, high: 90.0 }];
    let of = cumulated(&holed);
    assert_eq!((of.months, of.avoided), (1, whole.avoided));
    assert!((whole.low - of.low - 700.0).abs() < 1e-9 && (of.high - whole.high - 90.0).abs() < 1e-9);
    // More than independent years would have, less than three times one.
    assert!(3.0_f64.sqrt() * band(&one) < band(&three) && band(&three) < 3.0 * band(&one));
}

#[test]
fn years_like_the_baselines_are_no_unseen_weather_however_many_they_are() {
    use crate::baseline::fit::Experience;
    // A baseline that met a year of 1000 K·d, and no cooling.
    let met = Experience {
        heating_c: 15.0,
        heating: 1000.0,
        cooling_c: Some(25.0),
        cooling: 0.0,
        slope: 3.0,
        likely: 0.2,
    };
    let with = |experience: Option<Experience>| {
        let mut of = law(2.0, 3.0);
        of.law.experience = experience;
        of
    };
    let month = |year: i32, number: u32| ReportedMonth {
        month: model::Month::new(year, number).unwrap(),
        measured: 50.0,
        most: 55.0,
        hidden: 0.0,
        doubted: 0.0,
        adjusted: Adjusted::constant(100.0, 30.0),
    };
    let band = |law: Fitted, history: &DailyMeans, months: &[(i32, u32)]| {
        let mut all = laws(Some(law), None);
        all.months = months.iter().map(|&(y, m)| month(y, m)).collect();
        let spans = all.months.iter().map(|m| (m.month.first_day(), m.month.end_day()));
        all.weather = weather_of(history, spans);
        let of = cumulated(&all);
        of.high - of.low - 5.0 * f64::from(of.months)
    };
    let of_year = |y: i32| (1..=12).map(move |m| (y, m)).collect::<Vec<_>>();
    // December 2020, 2021 and 2022: 1000, 1100 and 1200 K·d.
    let mild = history(2020..2023);
    let years = [vec![(2020, 12)], of_year(2021), of_year(2022)];
    let all = years.concat();
    assert_eq!(all.len(), 25);
    let sum: f64 = years.iter().map(|months| band(with(Some(met)), &mild, months)).sum();
    let together = band(with(Some(met)), &mild, &all);
    assert!(together <= sum, "{together} {sum}");
    assert_eq!(together, band(with(None), &mild, &all));
    // A year beyond twice the baseline's is unseen, by itself and among others.
    let cold = Experience { heating: 500.0, ..met };
    for months in [of_year(2022), all.clone()] {
        assert!(band(with(None), &mild, &months) < band(with(Some(cold)), &mild, &months));
    }
    let sum: f64 = years.iter().map(|months| band(with(Some(cold)), &mild, months)).sum();
    let together = band(with(Some(cold)), &mild, &all);
    assert!(together <= sum, "{together} {sum}");
    // By hand: 1200 K·d of 2022 are 180 beyond twice 500 and a week.
    let lever: f64 = 1200.0 - 3.0 * 365.0;
    let variance = 4.0 * (365.0 + lever * lever / 5_000.0 + 365.0) + 0.2 * (3.0_f64 * 180.0).powi(2);
    let wanted = 2.0 * 1.812_461_123 * variance.sqrt();
    assert!((band(with(Some(cold)), &mild, &of_year(2022)) - wanted).abs() < 1e-5);
}

#[test]
fn a_standstill_lowers_the_bound_of_every_form() {
    let history = history(2010..2020);
    let reference = Reference::of(ReferenceYear::Typical, &history, day(2020, 1, 1), None).unwrap();
    let month = |number: u32, hidden: f64| ReportedMonth {
        month: model::Month::new(2019, number).unwrap(),
        measured: 0.0,
        most: hidden,
        hidden,
        doubted: 0.0,
        adjusted: Adjusted::constant(100.0, 30.0),
    };
    let of = |still: u32| {
        let mut all = laws(Some(law(2.0, 3.0)), Some(law(0.0, 0.0)));
        all.months = (1..=12).map(|n| month(n, if n <= still { 100.0 } else { 0.0 })).collect();
        let spans = all.months.iter().map(|m| (m.month.first_day(), m.month.end_day()));
        all.weather = weather_of(&history, spans);
        (normalised(&all, &reference, &history).unwrap(), cumulated(&all))
    };
    let ((plain, sum), (still, withheld)) = (of(0), of(3));
    assert_eq!((still.savings, still.high), (plain.savings, plain.high));
    assert!((plain.low - still.low - 0.25 * plain.baseline).abs() < 1e-9);
    assert_eq!((withheld.avoided, withheld.high), (sum.avoided, sum.high));
    assert!((sum.low - withheld.low - 300.0).abs() < 1e-9);
    // Wholly still: nothing is saved for certain.
    assert!(of(12).0.low <= 0.0 && of(12).1.low <= 0.0);
}

/// A project completed at the end of 2018 that asks for this reference year.
fn project(reference: ReferenceYear) -> model::Project {
    let dates = model::ProjectDates {
        baseline_from: day(2015, 1, 1),
        baseline_to: day(2016, 1, 1),
        works_from: day(2018, 1, 1),
        completed: day(2018, 12, 31),
        expenses_closed: None,
        final_payment: None,
    };
    let beneficiary = model::Beneficiary {
        name: "Comune".to_owned(),
        tax_code: String::new(),
        legal_representative: String::new(),
    };
    model::Project {
        id: model::ProjectId::new("p").unwrap(),
        title: String::new(),
        cup: String::new(),
        scheme: model::SchemeId::new("s").unwrap(),
        factor_set: model::FactorSetId::new("f").unwrap(),
        beneficiary,
        dates,
        facility: None,
        zone: model::Zone::Europe__Rome,
        station: StationId::new("s").unwrap(),
        buildings: Vec::new(),
        grant: model::Grant::default(),
        declared: Vec::new(),
        terms: model::Terms { reference, ..model::Terms::default() },
    }
}

#[test]
fn a_normalised_saving_is_withheld_with_its_reason() {
    use super::forms::{Withheld, forms};
    let (before, after) = (Some(law(2.0, 3.0)), Some(law(1.0, 2.0)));
    let (known, short) = (laws(before.clone(), after.clone()), laws(before, None));
    let place = turin();
    let of = |kind, laws: &Laws, years: std::ops::Range<i32>, place: Option<&(Place, ZoneRules)>| {
        let end = day(years.end, 1, 1);
        forms(&project(kind), std::slice::from_ref(laws), &history(years), end, place)
    };
    let typical = of(ReferenceYear::Typical, &known, 2015..2020, None);
    let saved = typical.meters[0].normalised.as_ref().unwrap();
    let days = (4.0 * 365.0 + 366.0) / 5.0;
    assert!((saved.savings - (days + 1200.0)).abs() < 1e-9);
    // Months count from the one after completion.
    assert_eq!(typical.meters[0].months_due, 12);
    for (kind, laws, years, place, why) in [
        (ReferenceYear::Typical, &known, 2016..2020, None, Withheld::YearsMissing),
        (ReferenceYear::Legal, &known, 2015..2020, None, Withheld::PlaceMissing),
        (ReferenceYear::Legal, &short, 2015..2020, Some(&place), Withheld::ReportingShort),
    ] {
        assert_eq!(of(kind, laws, years, place).meters[0].normalised, Err(why));
    }
}

#[test]
fn the_months_of_a_reference_year_are_means_of_its_years_and_add_up_to_it() {
    use super::forms::forms;
    let history = history(2015..2020);
    let known = laws(Some(law(2.0, 3.0)), None);
    let of = |kind, place: Option<&(Place, ZoneRules)>| {
        forms(&project(kind), std::slice::from_ref(&known), &history, day(2020, 1, 1), place).months
    };
    let typical = of(ReferenceYear::Typical, None);
    assert_eq!((typical.len(), typical[0].base_c), (1, 15.0));
    // January: 31 days at 10 to 14 K below 15 °C; the mean of the years is 12 K.
    assert!((typical[0].months[0].unwrap() - 31.0 * 12.0).abs() < 1e-9);
    assert_eq!(typical[0].months[6], Some(0.0));
    let year: f64 = typical[0].months.iter().flatten().sum();
    assert!((year - 1200.0).abs() < 1e-9);
    let legal = of(ReferenceYear::Legal, Some(&turin()));
    assert!((legal[0].months[0].unwrap() - 31.0 * 12.0 * 2617.0 / 1700.0).abs() < 1e-9);
}
