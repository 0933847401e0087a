//! Change-point models against the exact optimum computed elsewhere on the periods of the reference meters, against
//! published results, and against a fine grid on random points.
//!
//! Must never: accept a sum of squares above the oracle's.

use crate::meters::{day, meter, rows};
use analytics::baseline::FitPeriod;
use analytics::baseline::change_point::{self, Optimum, Shape, Signs, Weights};
use analytics::baseline::data::Data;
use analytics::degree_days::DailyMeans;
use chrono::Days;
use model::{DailyTemperature, StationId};
use proptest::prelude::*;

fn shape(code: &str) -> Shape {
    match code {
        "1P" => Shape::P1,
        "2P" => Shape::P2,
        "3PH" => Shape::P3Heating,
        "3PC" => Shape::P3Cooling,
        "4P" => Shape::P4,
        "5P" => Shape::P5,
        other => panic!("{other}"),
    }
}

#[test]
fn sums_of_squares_are_the_oracle_s_on_every_meter() {
    let mut compared = 0;
    let mut worst: Vec<String> = Vec::new();
    for r in &rows("expected/changepoint.csv") {
        let all = meter("monthly", &r[0]);
        let data = if &r[1] == "baseline" { all.baseline_data() } else { all.reporting_data() };
        let weights = if &r[2] == "days" { Weights::Days } else { Weights::Equal };
        let theirs: f64 = r[7].parse().unwrap();
        if data.len() < 5 {
            continue;
        }
        let ours = change_point::optimum(&data, shape(&r[3]), Signs::Any, weights).unwrap();
        compared += 1;
        // Temperatures are rounded to 1e-6 °C, and the oracle's first day of one meter has 23 hours.
        let tolerance = if &r[0] == "uk-gas-0" { 2e-2 } else { 1e-5 };
        // There the oracle stopped in another gap: the test below holds our better one against a third program.
        let beaten = &r[0] == "il-electricity-cdd-hdd" && &r[1] == "baseline" && &r[3] == "5P";
        let too_low = !beaten && ours.sse < theirs * (1.0 - tolerance);
        if theirs * (1.0 + tolerance) < ours.sse || too_low {
            worst.push(format!("{} {} {} {}: {ours:?} against {theirs}", &r[0], &r[1], &r[2], &r[3]));
        }
    }
    assert!(100 < compared, "{compared}");
    assert_eq!(worst, [] as [&str; 0]);
}

/// better-lbnl-os 0.1.1 on the same points, in °C: it searches from many starts and comes to the same place.
#[test]
fn a_third_program_finds_the_optimum_that_the_oracle_missed() {
    let data = meter("monthly", "il-electricity-cdd-hdd").baseline_data();
    let o = change_point::optimum(&data, Shape::P5, Signs::Any, Weights::Equal).unwrap();
    for (ours, theirs) in [
        (o.left_c.unwrap(), 13.380_660_4),
        (o.right_c.unwrap(), 16.317_739_8),
        (o.level, 15.229_393_939),
        (o.left, 1.580_182_168),
        (o.right, 2.356_323_139),
    ] {
        assert!((ours / theirs - 1.0).abs() < 1e-6, "{ours} {theirs}");
    }
}

/// kW-Labs nmecr, `nmecr_predictability_all_stats`: R² 0.690890 of the line and 0.719744 of 4P, change point at
/// 60.42 °F, on the first year's days without the last.
#[test]
fn published_results_of_nmecr_are_met() {
    let all = meter("daily", "nmecr-office");
    let periods = &all.baseline[..364];
    let data = Data::of(periods, &all.temperatures);
    let optimum = |s| change_point::optimum(&data, s, Signs::Any, Weights::Days).unwrap();
    let total = optimum(Shape::P1).sse;
    let r2 = |o: &Optimum| 1.0 - o.sse / total;
    assert!((r2(&optimum(Shape::P2)) - 0.690_890_246_895).abs() < 1e-6);
    let four = optimum(Shape::P4);
    assert!((r2(&four) - 0.719_743_806_89).abs() < 1e-6);
    assert!((four.left_c.unwrap() * 1.8 + 32.0 - 60.42).abs() < 0.01);
    let heating = optimum(Shape::P3Heating);
    assert!((r2(&heating) - 0.718_895_203_523_999_8).abs() < 1e-6);
    assert!((heating.left_c.unwrap() * 1.8 + 32.0 - 61.506_733_938_494).abs() < 1e-3);
    let cooling = optimum(Shape::P3Cooling);
    assert!((r2(&cooling) - 0.692_006_737_254_619_6).abs() < 1e-6);
    assert!(optimum(Shape::P5).sse <= four.sse * (1.0 + 1e-12));
}

/// Points given directly: one day each, its mean temperature and its energy.
fn points(list: &[(f64, f64)]) -> Data {
    let station = StationId::new("s").unwrap();
    let first = day("2024-01-01");
    let date = |i: usize| first + Days::new(i as u64);
    let temperatures: Vec<_> = list
        .iter()
        .enumerate()
        .map(|(i, (t, _))| DailyTemperature::as_given(station.clone(), date(i), *t))
        .collect();
    let periods: Vec<FitPeriod> = list
        .iter()
        .enumerate()
        .map(|(i, (_, y))| FitPeriod { from: date(i), to: date(i + 1), energy: *y, coverage_ratio: 1.0 })
        .collect();
    Data::of(&periods, &DailyMeans::of(&temperatures, &station))
}

/// Least squares of a + b·max(p − x, 0) + c·max(x − q, 0) at given p and q, by solving the normal equations.
fn squares_at(list: &[(f64, f64)], p: Option<f64>, q: Option<f64>) -> f64 {
    let columns: Vec<[f64; 3]> = list
        .iter()
        .map(|(x, _)| [1.0, p.map_or(0.0, |p| (p - x).max(0.0)), q.map_or(0.0, |q| (x - q).max(0.0))])
        .collect();
    let mut m = [[0.0_f64; 4]; 3];
    for (c, (_, y)) in columns.iter().zip(list) {
        for i in 0..3 {
            for j in 0..3 {
                m[i][j] += c[i] * c[j];
            }
            m[i][3] += c[i] * y;
        }
    }
    let mut coefficients = [0.0; 3];
    let mut used = [false; 3];
    for _ in 0..3 {
        // Largest pivot of the diagonal first; a column that is spent stays at 0.
        let pivot = (0..3).filter(|i| !used[*i]).max_by(|a, b| m[*a][*a].total_cmp(&m[*b][*b])).unwrap();
        used[pivot] = true;
        if m[pivot][pivot] < 1e-9 {
            continue;
        }
        for i in (0..3).filter(|i| *i != pivot) {
            let f = m[i][pivot] / m[pivot][pivot];
            let of = m[pivot];
            m[i].iter_mut().zip(of).for_each(|(a, b)| *a -= f * b);
        }
    }
    for i in 0..3 {
        coefficients[i] = if m[i][i].abs() < 1e-9 { 0.0 } else { m[i][3] / m[i][i] };
    }
    columns
        .iter()
        .zip(list)
        .map(|(c, (_, y))| (y - c.iter().zip(&coefficients).map(|(a, b)| a * b).sum::<f64>()).powi(2))
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No change points of a fine grid do better than the optimum, and the optimum does what it says.
    #[test]
    fn no_grid_is_better(list in proptest::collection::vec((-5.0..30.0_f64, 0.0..100.0_f64), 6..14)) {
        let data = points(&list);
        let of = |s| change_point::optimum(&data, s, Signs::Any, Weights::Days).unwrap();
        let slack = 1e-7 * (1.0 + of(Shape::P1).sse);
        let mut sorted: Vec<f64> = list.iter().map(|(x, _)| *x).collect();
        sorted.sort_by(f64::total_cmp);
        let (first, last) = (sorted[1], sorted[sorted.len() - 2]);
        let grid: Vec<f64> = (0..=80).map(|i| first + (last - first) * f64::from(i) / 80.0).collect();
        for s in Shape::ALL {
            let o = of(s);
            let own: f64 = list.iter().map(|(x, y)| (y - o.at(*x)).powi(2)).sum();
            prop_assert!((own - o.sse).abs() < slack, "{s:?} {own} {}", o.sse);
        }
        let (heating, cooling, four, five) =
            (of(Shape::P3Heating).sse, of(Shape::P3Cooling).sse, of(Shape::P4).sse, of(Shape::P5).sse);
        prop_assert!(four <= heating + slack && four <= cooling + slack && five <= four + slack);
        for (i, p) in grid.iter().enumerate() {
            prop_assert!(heating <= squares_at(&list, Some(*p), None) + slack);
            prop_assert!(cooling <= squares_at(&list, None, Some(*p)) + slack);
            prop_assert!(four <= squares_at(&list, Some(*p), Some(*p)) + slack);
            for q in &grid[i..] {
                let at = squares_at(&list, Some(*p), Some(*q));
                prop_assert!(five <= at + slack, "{five} {at} at {p} {q}");
            }
        }
    }

    /// Planted laws are found, in any order of the points.
    #[test]
    fn planted_laws_are_found(
        (low, gap) in (5.0..15.0_f64, 3.0..8.0_f64),
        (base, heating, cooling) in (10.0..50.0_f64, 1.0..5.0_f64, 1.0..5.0_f64),
    ) {
        let law = |x: f64| base + heating * (low - x).max(0.0) + cooling * (x - low - gap).max(0.0);
        let mut list: Vec<(f64, f64)> = (0..60).map(|i| -3.0 + 0.61 * f64::from(i)).map(|x| (x, law(x))).collect();
        list.sort_by_key(|(x, _)| (x * 1000.0) as i64 % 17);
        let o = change_point::optimum(&points(&list), Shape::P5, Signs::Physical, Weights::Days).unwrap();
        prop_assert!((o.left_c.unwrap() - low).abs() < 1e-6 && (o.right_c.unwrap() - low - gap).abs() < 1e-6);
        prop_assert!((o.level - base).abs() < 1e-6 && (o.left - heating).abs() < 1e-6);
    }
}
