//! Null and recovery tests of a project's baseline.
//!
//! Must never: use random numbers that are not the same on every run.

use chrono::{Datelike, Days};
use model::{DailyTemperature, Month, Severity, StationId};

use super::*;
use crate::noise::noise;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A year like Turin's (`mean_c` 13) with day to day noise.
fn weather(first: NaiveDate, days: u64, mean_c: f64) -> DailyMeans {
    let station = StationId::new("s").unwrap();
    let list: Vec<DailyTemperature> = (0..days)
        .map(|i| {
            let date = first + Days::new(i);
            let season = (i as f64 - 15.0) / 365.25 * std::f64::consts::TAU;
            let mean_c = mean_c - 11.0 * season.cos() + 3.0 * noise(i + 7);
            DailyTemperature::as_given(station.clone(), date, mean_c)
        })
        .collect();
    DailyMeans::of(&list, &station)
}

/// Twelve months of 2024 under a daily law.
fn months(law: impl Fn(NaiveDate) -> f64) -> Vec<FitPeriod> {
    Month::all_of(2024)
        .iter()
        .map(|m| {
            let days = m.first_day().iter_days().take_while(|d| *d < m.end_day());
            FitPeriod {
                from: m.first_day(),
                to: m.end_day(),
                energy: days.map(&law).sum(),
                coverage_ratio: 1.0,
            }
        })
        .collect()
}

fn mean_on(t: &DailyMeans, d: NaiveDate) -> f64 {
    t.means(d, d + Days::new(1)).next().unwrap()
}

const YEAR: (&str, &str) = ("2024-01-01", "2025-01-01");

fn fit_by(
    method: BaselineMethod,
    carrier: Carrier,
    periods: &[FitPeriod],
    t: &DailyMeans,
) -> (Option<Fitted>, Vec<Finding>) {
    let (from, to) = (day(YEAR.0), day(YEAR.1));
    fit(
        periods,
        t,
        &Wanted { subject: "meter:x", method, carrier, from, to, short: false, drivers: &[], calendar: &[] },
    )
}

fn fit_year(periods: &[FitPeriod], t: &DailyMeans) -> (Option<Fitted>, Vec<Finding>) {
    fit_by(BaselineMethod::Auto, Carrier::NaturalGas, periods, t)
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|f| f.code).filter(|code| *code != "method.chosen").collect()
}

/// What the law gives of its own baseline, over what was used.
fn share(fitted: &Fitted, t: &DailyMeans, truth: impl Fn(NaiveDate) -> f64) -> f64 {
    let (from, to) = (day(YEAR.0), day(YEAR.1));
    let truth: f64 = from.iter_days().take_while(|d| *d < to).map(truth).sum();
    fitted.predict(t, [(from, to)]).energy / truth
}

#[test]
fn planted_coefficients_are_recovered() {
    let t = weather(day(YEAR.0), 366, 13.0);
    for (base, slope, balance) in [(10.0, 4.0, 15.5), (0.0, 12.5, 18.0), (100.0, 8.0, 12.0)] {
        let law = |d: NaiveDate| base + slope * (balance - mean_on(&t, d)).max(0.0);
        let (fitted, findings) = fit_year(&months(law), &t);
        let fitted = fitted.unwrap();
        let model = &fitted.model;
        // Twelve bills do not tell the balance point to the kelvin; what it all comes to they do.
        assert!((model.heating_base_c.unwrap() - balance).abs() < 1.0, "{model:?}");
        assert!((model.heating_per_degree_day / slope - 1.0).abs() < 0.1, "{model:?}");
        assert!((share(&fitted, &t, law) - 1.0).abs() < 0.003, "{}", share(&fitted, &t, law));
        assert!(model.quality.r2 > 0.99);
        assert_eq!((model.method, model.quality.n, model.quality.baseline_days), ("averaged", 12, 366));
        assert_eq!(model.cooling_base_c, None, "gas does not cool");
        assert_eq!(codes(&findings), [""; 0]);
        // The method that a file may fix recovers the law on its grid of whole degrees Fahrenheit.
        let (fitted, findings) =
            fit_by(BaselineMethod::CaltrackMonthly, Carrier::NaturalGas, &months(law), &t);
        let model = fitted.unwrap().model;
        assert_eq!(model.method, "caltrack-monthly");
        assert!((model.heating_base_c.unwrap() - balance).abs() < 0.6, "{model:?}");
        assert!(findings.iter().all(|f| f.code != "method.chosen"), "nothing was chosen");
    }
}

#[test]
fn a_choice_is_told_with_its_reason() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let (_, findings) = fit_year(&months(|_| 50.0), &t);
    let chosen = findings.iter().find(|f| f.code == "method.chosen").unwrap();
    assert!(chosen.says.starts_with("method averaged was chosen: bills or months of a year"), "{chosen:?}");
}

#[test]
fn a_flat_load_gets_no_temperature_response() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let (fitted, findings) = fit_year(&months(|_| 50.0), &t);
    let fitted = fitted.unwrap();
    assert_eq!((fitted.model.heating_base_c, fitted.model.heating_per_degree_day), (None, 0.0));
    assert!((share(&fitted, &t, |_| 50.0) - 1.0).abs() < 1e-3);
    assert_eq!(codes(&findings), ["fit.flat"]);
    // Noise of 10 % from month to month: a law of the weather is seldom the likeliest, and one meter of ten has a year
    // that looks like one.
    let invented = (0..200)
        .filter(|seed| {
            let periods = months(|d| 50.0 + 5.0 * noise(u64::from(Month::of(d).number) + seed * 1000));
            fit_year(&periods, &t).0.unwrap().model.heating_base_c.is_some()
        })
        .count();
    assert!(invented <= 20, "{invented} of 200");
}

#[test]
fn electricity_that_cools_has_a_cooling_term_and_gas_has_not() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let law = |d: NaiveDate| 50.0 + 8.0 * (mean_on(&t, d) - 18.0).max(0.0);
    let (fitted, _) = fit_by(BaselineMethod::Auto, Carrier::GridElectricity, &months(law), &t);
    let fitted = fitted.unwrap();
    assert_eq!(fitted.model.heating_base_c, None, "cooling is not heating");
    assert!((fitted.model.cooling_base_c.unwrap() - 18.0).abs() < 1.5, "{:?}", fitted.model);
    assert!((share(&fitted, &t, law) - 1.0).abs() < 0.005);
    let point = &fitted.model.points[6];
    assert!(0.0 < point.cooling_degree_days_per_day && point.degree_days_per_day == 0.0, "{point:?}");
    let (gas, _) = fit_by(BaselineMethod::Auto, Carrier::NaturalGas, &months(law), &t);
    assert_eq!(gas.unwrap().model.cooling_base_c, None);
}

#[test]
fn a_southern_climate_without_heating_days_stays_flat() {
    // Never under 25 °C at a mean of 40.
    let t = weather(day(YEAR.0), 366, 40.0);
    let periods = months(|d| 50.0 + 5.0 * noise(u64::from(Month::of(d).number)));
    let (fitted, findings) = fit_year(&periods, &t);
    let fitted = fitted.unwrap();
    assert_eq!(fitted.model.heating_base_c, None);
    assert!(fitted.law.members.iter().all(|m| m.model.heating_balance_c.is_none()), "no such law at all");
    assert_eq!(codes(&findings), ["fit.flat"]);
}

#[test]
fn a_school_closed_in_summer_keeps_its_zeros() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let law = |d: NaiveDate| 20.0 * (14.0 - mean_on(&t, d)).max(0.0);
    let periods = months(law);
    assert!(periods.iter().filter(|p| p.energy < 20.0).count() >= 2);
    let (fitted, findings) = fit_year(&periods, &t);
    let fitted = fitted.unwrap();
    assert_eq!(fitted.model.quality.n, 12);
    assert!((fitted.model.heating_base_c.unwrap() - 14.0).abs() < 1.0, "{:?}", fitted.model);
    assert!((share(&fitted, &t, law) - 1.0).abs() < 0.005, "{}", share(&fitted, &t, law));
    assert_eq!(codes(&findings), [""; 0]);
}

#[test]
fn the_order_of_the_periods_is_of_no_matter() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let periods =
        months(|d| 10.0 + 4.0 * (15.5 - mean_on(&t, d)).max(0.0) + 3.0 * noise(d.num_days_from_ce() as u64));
    let mut turned = periods.clone();
    turned.reverse();
    turned.swap(2, 7);
    assert_eq!(fit_year(&periods, &t), fit_year(&turned, &t));
}

#[test]
fn less_than_a_year_is_to_do_only_where_a_person_or_the_asker_says_so() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let all = months(|d| 10.0 + 4.0 * (15.5 - mean_on(&t, d)).max(0.0));
    assert!(fit_year(&all[..5], &t).0.is_none());
    let (fitted, findings) = fit_by(BaselineMethod::DegreeDays, Carrier::NaturalGas, &all[..5], &t);
    assert_eq!(fitted.unwrap().model.method, "degree-days");
    let short = findings.iter().find(|f| f.code == "baseline.short").unwrap();
    assert_eq!(short.severity, Severity::Caution);
    assert!(fit_by(BaselineMethod::DegreeDays, Carrier::NaturalGas, &all[..2], &t).0.is_none());
    let short = |method, periods: &[FitPeriod]| {
        let (subject, carrier, from, to) = ("meter:x", Carrier::NaturalGas, day(YEAR.0), day(YEAR.1));
        let wanted = Wanted { subject, method, carrier, from, to, short: true, drivers: &[], calendar: &[] };
        fit(periods, &t, &wanted)
    };
    let (fitted, findings) = short(BaselineMethod::Auto, &all[..5]);
    assert_eq!(fitted.unwrap().model.method, "degree-days");
    assert!(
        findings.iter().any(|f| f.code == "method.chosen") && codes(&findings).contains(&"baseline.short")
    );
    // A method that was not made for it is none because it was asked for.
    for method in [BaselineMethod::Averaged, BaselineMethod::CaltrackMonthly, BaselineMethod::ChangePoint] {
        assert!(short(method, &all[..5]).0.is_none(), "{method:?}");
    }
    assert_eq!(short(BaselineMethod::Auto, &all), fit_year(&all, &t), "a year is as it was");
}

#[test]
fn days_without_a_temperature_leave_the_law_in_doubt() {
    let whole = weather(day(YEAR.0), 366, 13.0);
    let law = |d: NaiveDate| 10.0 + 4.0 * (15.5 - mean_on(&whole, d)).max(0.0);
    let holed: Vec<DailyTemperature> = whole
        .dated()
        .filter(|(d, _)| !(d.num_days_from_ce() as u64).is_multiple_of(40))
        .map(|(d, mean_c)| DailyTemperature::as_given(StationId::new("s").unwrap(), d, mean_c))
        .collect();
    let t = DailyMeans::of(&holed, &StationId::new("s").unwrap());
    assert!(t.known() < whole.known());
    let (fitted, findings) = fit_year(&months(law), &t);
    let fitted = fitted.unwrap();
    assert!(codes(&findings).contains(&"weather.prorated"));
    let doubt = fitted.doubt.as_ref().unwrap();
    let (from, to) = (day(YEAR.0), day(YEAR.1));
    let under = |law: &Fit| law.predict(&crate::baseline::fitted::weather_of(&whole, [(from, to)])).energy;
    assert!(under(&doubt.coldest) < under(&doubt.warmest), "colder days make a less steep law");
    let adjusted = crate::normalise::adjust(&fitted, &whole, from, to).unwrap();
    assert!(0.0 < adjusted.weather_less && 0.0 < adjusted.weather_more);
    assert!(fit_year(&months(law), &whole).0.unwrap().doubt.is_none());
}

#[test]
fn too_little_data_gives_no_model_but_a_reason() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let all = months(|d| 10.0 + 4.0 * (15.5 - mean_on(&t, d)).max(0.0));
    let (none, findings) = fit_year(&all[..10], &t);
    assert!(none.is_none());
    assert_eq!((findings[0].code, findings[0].severity), ("baseline.short", Severity::Blocks));
    let (eleven, findings) = fit_year(&all[..11], &t);
    assert!(eleven.is_some());
    assert_eq!((findings[0].code, findings[0].severity), ("baseline.short", Severity::Caution));
    let (none, findings) = fit_year(&[], &t);
    assert!(none.is_none() && codes(&findings) == ["baseline.short"]);
    let no_weather = weather(day("2020-01-01"), 1, 13.0);
    let (none, findings) = fit_year(&all, &no_weather);
    assert!(none.is_none());
    assert_eq!(codes(&findings), ["weather.missing", "baseline.short"]);
}

#[test]
fn a_period_measured_too_little_is_dropped_with_its_reason() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let mut periods = months(|d| 10.0 + 4.0 * (15.5 - mean_on(&t, d)).max(0.0));
    let april = periods[3];
    periods[3].coverage_ratio = 0.89;
    periods[3].energy = 0.0;
    let (fitted, findings) = fit_year(&periods, &t);
    assert_eq!(fitted.unwrap().model.quality.n, 11);
    assert_eq!(
        codes(&findings),
        ["baseline.period_dropped", "baseline.short", "rule.ashrae14.months", "rule.ipmvp.cycle"]
    );
    periods[3] = FitPeriod { coverage_ratio: 0.9, ..april };
    assert_eq!(fit_year(&periods, &t).0.unwrap().model.quality.n, 12);
}

#[test]
fn two_monthly_bills_are_fitted_as_their_own_periods() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let monthly = months(|d| 10.0 + 4.0 * (15.5 - mean_on(&t, d)).max(0.0));
    let join = |pair: &[FitPeriod]| FitPeriod {
        from: pair[0].from,
        to: pair[1].to,
        energy: pair[0].energy + pair[1].energy,
        coverage_ratio: 1.0,
    };
    let periods: Vec<FitPeriod> = monthly.chunks(2).map(join).collect();
    let fitted = fit_year(&periods, &t).0.unwrap();
    assert_eq!(fitted.model.quality.n, 6);
    let law = |d: NaiveDate| 10.0 + 4.0 * (15.5 - mean_on(&t, d)).max(0.0);
    assert!((share(&fitted, &t, law) - 1.0).abs() < 0.005, "{}", share(&fitted, &t, law));
}

#[test]
fn splitting_a_month_in_two_changes_hardly_anything() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let law = |d: NaiveDate| 10.0 + 4.0 * (15.5 - mean_on(&t, d)).max(0.0);
    let mut periods = months(law);
    let whole = fit_year(&periods, &t).0.unwrap();
    let march = periods.remove(2);
    let middle = day("2024-03-12");
    for (from, to) in [(march.from, middle), (middle, march.to)] {
        let energy = from.iter_days().take_while(|d| *d < to).map(law).sum();
        periods.push(FitPeriod { from, to, energy, coverage_ratio: 1.0 });
    }
    let fitted = fit_year(&periods, &t).0.unwrap();
    assert_eq!(fitted.model.quality.n, 13);
    assert!((share(&fitted, &t, law) - share(&whole, &t, law)).abs() < 0.001);
}

#[test]
fn a_loose_fit_is_called_weak() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let periods = months(|d| (50.0 + 45.0 * noise(u64::from(Month::of(d).number) * 31)).max(0.0));
    let (_, findings) = fit_year(&periods, &t);
    assert!(codes(&findings).contains(&"fit.weak"), "{findings:?}");
}

#[test]
fn the_band_holds_the_truth_about_nine_times_in_ten() {
    let t = weather(day(YEAR.0), 731, 13.0);
    let law = |d: NaiveDate| 20.0 + 5.0 * (15.5 - mean_on(&t, d)).max(0.0);
    let year_2025: Vec<NaiveDate> =
        day("2025-01-01").iter_days().take_while(|d| *d < day("2026-01-01")).collect();
    let meters = 300;
    let held = (0..meters)
        .filter(|seed| {
            let noisy = |d: NaiveDate| {
                let n = (d - day(YEAR.0)).num_days() as u64;
                law(d) + 12.0 * (noise(n * 7 + seed * 100_003) + noise(n * 13 + seed * 200_003))
            };
            let fitted = fit_year(&months(noisy), &t).0.unwrap();
            let truth: f64 = year_2025.iter().map(|d| noisy(*d)).sum();
            let of = fitted.predict(&t, [(day("2025-01-01"), day("2026-01-01"))]);
            (of.energy - truth).abs() <= of.half_width(0.9)
        })
        .count();
    assert!((255..=288).contains(&held), "{held} of {meters}");
}
