//! Null and recovery tests of the fit.
//!
//! Must never: use random numbers that are not the same on every run.

use chrono::Days;
use model::{DailyTemperature, Month, Severity, StationId};

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Deterministic noise of mean 0 in -1..1.
fn noise(seed: u64) -> f64 {
    let mut x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
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

fn fit_year(periods: &[FitPeriod], t: &DailyMeans) -> (Option<Fitted>, Vec<Finding>) {
    fit(periods, t, (day(YEAR.0), day(YEAR.1)), "meter:x")
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|f| f.code).collect()
}

#[test]
fn planted_coefficients_are_recovered() {
    let t = weather(day(YEAR.0), 366, 13.0);
    for (base, slope, balance) in [(10.0, 4.0, 15.5), (0.0, 12.5, 18.0), (100.0, 2.0, 12.0)] {
        let periods = months(|d| base + slope * (balance - mean_on(&t, d)).max(0.0));
        let (fitted, findings) = fit_year(&periods, &t);
        let model = fitted.unwrap().model;
        assert_eq!(model.heating_base_c, Some(balance));
        assert!((model.base_per_day - base).abs() < 1e-9, "{model:?}");
        assert!((model.heating_per_degree_day - slope).abs() < 1e-9, "{model:?}");
        assert!(model.quality.r2 > 0.999_999 && model.quality.cvrmse_ratio < 1e-9);
        assert_eq!((model.quality.n, model.quality.baseline_days), (12, 366));
        assert_eq!(findings, []);
    }
}

#[test]
fn a_flat_load_gets_no_temperature_response() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let (fitted, findings) = fit_year(&months(|_| 50.0), &t);
    let model = fitted.unwrap().model;
    assert_eq!((model.heating_base_c, model.heating_per_degree_day, model.base_per_day), (None, 0.0, 50.0));
    assert_eq!(codes(&findings), ["fit.flat"]);
    // Noise of 10 % from month to month: at most one meter of twenty seems to respond to the cold.
    let invented = (0..200)
        .filter(|seed| {
            let periods = months(|d| 50.0 + 5.0 * noise(u64::from(Month::of(d).number) + seed * 1000));
            fit_year(&periods, &t).0.unwrap().model.heating_base_c.is_some()
        })
        .count();
    assert!(invented <= 10, "{invented} of 200");
}

#[test]
fn cooling_is_not_heating() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let (fitted, _) = fit_year(&months(|d| 50.0 + 5.0 * (mean_on(&t, d) - 20.0).max(0.0)), &t);
    assert_eq!(fitted.unwrap().model.heating_base_c, None);
}

#[test]
fn a_southern_climate_without_heating_days_stays_flat() {
    // Never under 25 °C at a mean of 40: no balance point has its 11.1 K·d.
    let t = weather(day(YEAR.0), 366, 40.0);
    let periods = months(|d| 50.0 + 5.0 * noise(u64::from(Month::of(d).number)));
    let (fitted, findings) = fit_year(&periods, &t);
    assert_eq!(fitted.unwrap().model.heating_base_c, None);
    assert_eq!(codes(&findings), ["fit.flat"]);
}

#[test]
fn a_school_closed_in_summer_keeps_its_zeros() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let periods = months(|d| 20.0 * (14.0 - mean_on(&t, d)).max(0.0));
    assert!(periods.iter().filter(|p| p.energy < 20.0).count() >= 2);
    let (fitted, findings) = fit_year(&periods, &t);
    let model = fitted.unwrap().model;
    assert_eq!((model.quality.n, model.heating_base_c), (12, Some(14.0)));
    assert!(model.base_per_day.abs() < 1e-9);
    assert_eq!(findings, []);
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
    periods[3].coverage_ratio = 0.89;
    periods[3].energy = 0.0;
    let (fitted, findings) = fit_year(&periods, &t);
    assert_eq!(fitted.unwrap().model.quality.n, 11);
    assert_eq!(codes(&findings), ["baseline.period_dropped", "baseline.short"]);
    periods[3].coverage_ratio = 0.9;
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
    let model = fit_year(&periods, &t).0.unwrap().model;
    assert_eq!(model.heating_base_c, Some(15.5));
    assert!((model.heating_per_degree_day - 4.0).abs() < 1e-9);
}

#[test]
fn splitting_a_month_in_two_changes_no_exact_fit() {
    let t = weather(day(YEAR.0), 366, 13.0);
    let law = |d: NaiveDate| 10.0 + 4.0 * (15.5 - mean_on(&t, d)).max(0.0);
    let mut periods = months(law);
    let march = periods.remove(2);
    let middle = day("2024-03-12");
    for (from, to) in [(march.from, middle), (middle, march.to)] {
        let energy = from.iter_days().take_while(|d| *d < to).map(law).sum();
        periods.push(FitPeriod { from, to, energy, coverage_ratio: 1.0 });
    }
    let model = fit_year(&periods, &t).0.unwrap().model;
    assert_eq!((model.quality.n, model.heating_base_c), (13, Some(15.5)));
    assert!((model.heating_per_degree_day - 4.0).abs() < 1e-9);
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
            let adjusted =
                crate::normalise::adjust(&fitted, &t, day("2025-01-01"), day("2026-01-01")).unwrap();
            let half = fitted.spread.half_width(adjusted.days, adjusted.degree_days);
            (adjusted.energy - truth).abs() <= half
        })
        .count();
    assert!((255..=288).contains(&held), "{held} of {meters}");
}
