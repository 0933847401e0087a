//! Breaks in what a model leaves unexplained: the day from which a building uses more or less, for no reason of weather.
//!
//! Must never: adjust anything. A break is told; only a person who knows the reason adjusts (IPMVP: non-routine events
//! are evidenced, dated, quantified and reported separately).
//!
//! What the periods leave over is explained by a share of the expected energy (a measure that saves a part of all) and
//! by an amount a day; then, for every date, whether there is a step besides. The step is judged by Student's t against
//! the model's own scatter, or against what these periods scatter where that is more, and the probability is
//! multiplied by the number of dates that were tried (Bonferroni).

use chrono::NaiveDate;
use model::{Finding, Severity};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::data::{Data, Row};
use super::fit::Prediction;

/// Fewest periods on either side of a break.
const PERIODS_MIN: usize = 3;
/// Most periods looked at; more are days, which the model's scatter does not describe one by one.
const PERIODS_MAX: usize = 60;
/// One building in a hundred without a break is told of one.
const CHANCE: f64 = 0.01;
/// Smaller steps are of no matter to a saving, as a share of the expected use.
const STEP_MIN: f64 = 0.02;

/// A period's expectation and what was measured, in display units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub from: NaiveDate,
    pub days: f64,
    pub expected: f64,
    pub measured: f64,
    /// Standard deviation of what a period scatters around its expectation.
    pub deviation: f64,
}

/// A step in the use per day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Break {
    /// First day of the first period after it.
    pub from: NaiveDate,
    /// Display units; above zero, more is used after.
    pub per_day: f64,
    /// Share of the expected use after it; the step may be larger than the whole of it.
    pub share: f64,
    /// That chance alone makes one as large anywhere in the series.
    pub chance: f64,
}

/// The points of periods of which each is predicted `alone`, in order of time.
#[must_use]
pub fn points(alone: &[Prediction], data: &Data) -> Vec<Point> {
    if PERIODS_MAX < data.len() {
        return Vec::new();
    }
    let point = |(row, alone): (&Row, &Prediction)| Point {
        from: row.from,
        days: row.days,
        expected: alone.energy,
        measured: row.energy,
        deviation: alone.noise_variance.sqrt(),
    };
    data.rows().iter().zip(alone).map(point).collect()
}

/// The likeliest break of the series, when chance does not explain it. `freedom` is that of the deviations.
#[must_use]
pub fn find(points: &[Point], freedom: f64) -> Option<Break> {
    let usable = |p: &Point| 0.0 < p.days && 0.0 < p.deviation && p.deviation.is_finite();
    if points.len() < 2 * PERIODS_MIN || !points.iter().all(usable) {
        return None;
    }
    let dates = PERIODS_MIN..=points.len() - PERIODS_MIN;
    let tried = dates.clone().count() as f64;
    let steps = dates.filter_map(|at| step(points, at, freedom).map(|step| (at, step)));
    let (at, (per_day, t, freedom)) = steps.max_by(|a, b| a.1.1.abs().total_cmp(&b.1.1.abs()))?;
    let tail = StudentsT::new(0.0, 1.0, freedom).ok()?.cdf(-t.abs());
    let chance = (2.0 * tail * tried).min(1.0);
    let after = points.get(at..)?;
    let expected: f64 = after.iter().map(|p| p.expected).sum();
    let days: f64 = after.iter().map(|p| p.days).sum();
    let share = if 0.0 < expected { per_day * days / expected } else { f64::INFINITY };
    let told = chance <= CHANCE && STEP_MIN <= share.abs();
    told.then_some(Break { from: after.first()?.from, per_day, share, chance })
}

/// The step from period `at` on: its size per day, in standard errors, and the degrees of freedom of these.
fn step(points: &[Point], at: usize, freedom: f64) -> Option<(f64, f64, f64)> {
    // Columns: expected energy, days, days from the break on; weights from the deviations.
    let mut a = [[0.0; 3]; 3];
    let mut b = [0.0; 3];
    let columns = |i: usize, p: &Point| [p.expected, p.days, if at <= i { p.days } else { 0.0 }];
    for (i, p) in points.iter().enumerate() {
        let (x, w) = (columns(i, p), 1.0 / (p.deviation * p.deviation));
        for (j, row) in a.iter_mut().enumerate() {
            for (cell, xk) in row.iter_mut().zip(x) {
                *cell += w * x[j] * xk;
            }
            b[j] += w * x[j] * (p.measured - p.expected);
        }
    }
    // Without weather the expected energy is a multiple of the days: then it has no column of its own.
    let inverted = inverse(a).or_else(|| {
        a[0] = [1.0, 0.0, 0.0];
        (a[1][0], a[2][0], b[0]) = (0.0, 0.0, 0.0);
        inverse(a)
    })?;
    let solve = |row: &[f64; 3]| row.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let coefficients = [solve(&inverted[0]), solve(&inverted[1]), solve(&inverted[2])];
    let left = |(i, p): (usize, &Point)| {
        let fitted: f64 = columns(i, p).iter().zip(coefficients).map(|(x, c)| x * c).sum();
        ((p.measured - p.expected - fitted) / p.deviation).powi(2)
    };
    let own_freedom = points.len() as f64 - 3.0;
    let own = points.iter().enumerate().map(left).sum::<f64>() / own_freedom;
    // Where the periods scatter more than the model says, theirs counts, with their own freedom.
    let (scale, freedom) = if 1.0 < own { (own, own_freedom) } else { (1.0, freedom.max(1.0)) };
    let error = (scale * inverted[2][2]).sqrt();
    let t = coefficients[2] / error;
    t.is_finite().then_some((coefficients[2], t, freedom))
}

/// Of a symmetric matrix; `None` where its columns cannot be told apart.
fn inverse(a: [[f64; 3]; 3]) -> Option<[[f64; 3]; 3]> {
    let minor = |i: usize, j: usize| {
        let (r, c) = ([(i + 1) % 3, (i + 2) % 3], [(j + 1) % 3, (j + 2) % 3]);
        a[r[0]][c[0]] * a[r[1]][c[1]] - a[r[0]][c[1]] * a[r[1]][c[0]]
    };
    let determinant: f64 = (0..3).map(|j| a[0][j] * minor(0, j)).sum();
    let sure = 1e-9 * a[0][0] * a[1][1] * a[2][2] < determinant;
    sure.then(|| std::array::from_fn(|i| std::array::from_fn(|j| minor(j, i) / determinant)))
}

/// A break told. `period` is `baseline` or `reporting`.
#[must_use]
pub fn finding(found: &Break, subject: &str, period: &'static str) -> Finding {
    let percent = format!("{:+.1}", found.share * 100.0);
    let says = format!(
        "from {} on the difference from the model changes by {percent} percentage points of the expected energy, in \
         the {period} period, and the weather does not explain it; if there is a reason, it is for a person to state \
         it; nothing was adjusted",
        found.from
    );
    let rule = "IPMVP: non-routine events are evidenced, dated, quantified and reported separately";
    Finding::new("event.suspected", Severity::Caution, format!("{subject} {period}"), says, rule)
        .with("from", found.from)
        .with("percent", percent)
        .with("per_day", format!("{:.1}", found.per_day))
        .with("chance_percent", format!("{:.2}", found.chance * 100.0))
}

#[cfg(test)]
mod tests {
    use chrono::Days;

    use super::*;

    /// Twelve months of which a heating measure saves a share, with a step and a little scatter.
    fn months(saved: f64, at: usize, step_per_day: f64) -> Vec<Point> {
        let scatter = [0.4, -1.1, 0.8, -0.3, 1.2, -0.9, 0.1, 0.7, -0.6, -0.2, 0.9, -1.0];
        let first = NaiveDate::default() + Days::new(19_000);
        (0..12)
            .map(|i| {
                let expected = 3000.0 + 2500.0 * (i as f64 / 12.0 * std::f64::consts::TAU).cos();
                let step = if at <= i { 30.0 * step_per_day } else { 0.0 };
                Point {
                    from: first + Days::new(30 * i as u64),
                    days: 30.0,
                    expected,
                    measured: expected * (1.0 - saved) + step + 60.0 * scatter[i],
                    deviation: 60.0,
                }
            })
            .collect()
    }

    #[test]
    fn a_saving_is_no_break_and_a_new_load_is() {
        assert_eq!(find(&months(0.3, 12, 0.0), 9.0), None);
        assert_eq!(find(&months(0.0, 12, 0.0), 9.0), None);
        let found = find(&months(0.3, 7, 30.0), 9.0).unwrap();
        assert_eq!(found.from, months(0.3, 7, 30.0)[7].from);
        assert!((found.per_day - 30.0).abs() < 6.0 && found.chance < 0.01, "{found:?}");
        let less = find(&months(0.0, 6, -30.0), 9.0).unwrap();
        assert!(less.per_day < -24.0, "{less:?}");
        let told = finding(&less, "meter:x", "reporting");
        assert_eq!(told.code, "event.suspected");
        // A step beyond the expected use is no use below nothing.
        let double = finding(&Break { share: -1.104, ..less }, "meter:x", "reporting");
        let says = "the difference from the model changes by -110.4 percentage points of the expected energy";
        assert!(double.says.contains(says), "{}", double.says);
    }

    #[test]
    fn chance_makes_few_breaks() {
        let mut state = 7_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / (1_u64 << 24) as f64
        };
        let told = (0..1000)
            .filter(|_| {
                let mut points = months(0.2, 12, 0.0);
                for p in &mut points {
                    let normal = (0..12).map(|_| draw()).sum::<f64>() - 6.0;
                    p.measured = p.expected * 0.8 + 60.0 * normal;
                }
                find(&points, 200.0).is_some()
            })
            .count();
        assert!(told <= 20, "{told} of 1000");
    }

    #[test]
    fn a_flat_load_and_a_short_series_are_no_trouble() {
        let mut flat = months(0.0, 6, 30.0);
        for (i, p) in flat.iter_mut().enumerate() {
            p.expected = 3000.0;
            p.measured = if i < 6 { 3010.0 } else { 3950.0 } + i as f64;
        }
        assert!(find(&flat, 9.0).is_some());
        assert_eq!(find(&flat[..5], 9.0), None);
    }
}
