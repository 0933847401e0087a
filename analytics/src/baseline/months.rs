//! How sums of daily residuals over civil months scatter, and what that says of the sum of a year.
//!
//! Must never: count months as independent because they are few, or as equally noisy where the busy ones are noisier.
//!
//! A month's noise goes with its days, or with its use; both are tried and weighed by how likely they make the sums that
//! are seen. What the law has taken of them is known: of noise that lasts through a month, residual sums are M = 1 − X
//! (X'X)⁻¹ X' / days times it. With months that follow each other (matrix Ω) the sums' squares are tr(M Ω M') of the noise,
//! a year's sum is 1'Ω1, and what is told of it has tr(A)²/tr(A²) degrees of freedom, A = M Ω M' (Satterthwaite 1946).

use chrono::Datelike;

use super::data::Data;
use super::fit::{Leverage, Model, Scatter};

/// Fewest months that tell anything, and most that are looked at.
const MONTHS: std::ops::RangeInclusive<usize> = 4..=60;
/// Correlation of a month with the next before any is seen, and how many pairs it counts for: as of bills.
const FOLLOWS: f64 = 0.55;
const FOLLOWS_PAIRS: f64 = 3.0;
const FOLLOWS_MAX: f64 = 0.9;
/// Least share of the noise that a law leaves to be seen.
const LEFT_MIN: f64 = 0.2;
/// Most that a sum's variance is raised above the squares of its months.
const MOST: f64 = 6.0;

/// Sums of one civil month.
#[derive(Debug, Clone, Copy, Default)]
struct Month {
    /// Days, and heating and cooling degree days in K·d.
    terms: [f64; 3],
    expected: f64,
    residual: f64,
    /// Civil months since the year 0.
    at: i32,
}

/// The variance of a sum over the baseline's months, in display units squared, and how well it is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told {
    pub(super) variance: f64,
    pub(super) freedom: f64,
}

/// `None` where there are too few months, or nothing is left of them.
pub(super) fn told(data: &Data, model: &Model, leverage: Leverage) -> Option<Told> {
    let months = months(data, model);
    if !MONTHS.contains(&months.len()) || months.iter().all(|m| m.residual == 0.0) {
        return None;
    }
    let left = left(&months, leverage);
    let with_days = weighed(&months, &left, |_| 1.0);
    let (days, energy) = months.iter().fold((0.0, 0.0), |(d, e), m| (d + m.terms[0], e + m.expected));
    let mean = energy / days;
    let with_use = (0.0 < mean)
        .then(|| weighed(&months, &left, |m| Scatter::relative(m.expected / m.terms[0] / mean)))
        .flatten();
    let (with_days, with_use) = (with_days?, with_use.or(with_days)?);
    let share = 1.0 / (1.0 + (with_days.1 - with_use.1).clamp(-50.0, 50.0).exp());
    let mixed = |a: f64, b: f64| (1.0 - share) * a + share * b;
    Some(Told {
        variance: mixed(with_days.0.variance, with_use.0.variance),
        freedom: mixed(with_days.0.freedom, with_use.0.freedom),
    })
}

fn months(data: &Data, model: &Model) -> Vec<Month> {
    let mut months: Vec<Month> = Vec::with_capacity(64);
    for row in data.rows() {
        let at = row.from.year() * 12 + row.from.month0().cast_signed();
        if months.last().is_none_or(|month| month.at != at) {
            months.push(Month { at, ..Month::default() });
        }
        let (heating, cooling) = model.degree_days_per_day(data, row);
        let energy = model.energy(data, row);
        if let Some(month) = months.last_mut() {
            month.terms[0] += row.days;
            month.terms[1] += row.days * heating;
            month.terms[2] += row.days * cooling;
            month.expected += energy;
            month.residual += row.energy - energy;
        }
    }
    months
}

/// What residual sums show of the noise of each month: M, by rows.
fn left(months: &[Month], leverage: Leverage) -> Vec<f64> {
    let dot = |a: &[f64; 3], b: &[f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let mut left = Vec::with_capacity(months.len() * months.len());
    for (i, month) in months.iter().enumerate() {
        let own = leverage.0.map(|row| dot(&row, &month.terms));
        left.extend(
            months
                .iter()
                .enumerate()
                .map(|(j, other)| f64::from(u8::from(i == j)) - dot(&own, &other.terms) / other.terms[0]),
        );
    }
    left
}

/// With a month's variance per day as `relative` says, up to a factor; and the logarithm of how likely the sums are then.
fn weighed(months: &[Month], left: &[f64], relative: impl Fn(&Month) -> f64) -> Option<(Told, f64)> {
    let n = months.len();
    let noise: Vec<f64> = months.iter().map(|m| (m.terms[0] * relative(m)).sqrt()).collect();
    let alone: Vec<f64> = left
        .chunks(n)
        .map(|row| row.iter().zip(&noise).map(|(m, s)| (m * s).powi(2)).sum::<f64>().max(f64::MIN_POSITIVE))
        .collect();
    let follows = follows(months, left, &noise);
    let omega = |i: usize, j: usize| noise[i] * noise[j] * follows.powi((months[i].at - months[j].at).abs());
    let mut whole = 0.0;
    let mut half = vec![0.0; n * n];
    for j in 0..n {
        for k in 0..n {
            let own = omega(k, j);
            whole += own;
            for i in 0..n {
                half[i * n + j] += left[i * n + k] * own;
            }
        }
    }
    let (mut trace, mut squares) = (0.0, 0.0);
    for (i, row) in half.chunks(n).enumerate() {
        for (j, other) in left.chunks(n).enumerate() {
            let own: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
            squares += own * own;
            trace += if i == j { own } else { 0.0 };
        }
    }
    let seen: f64 = months.iter().map(|m| m.residual * m.residual).sum();
    let apart: f64 = alone.iter().sum();
    let variance = (whole * seen / trace.max(LEFT_MIN * apart)).min(MOST * seen);
    let freedom = trace * trace / squares;
    let fit: f64 = months.iter().zip(&alone).map(|(m, a)| m.residual * m.residual / a).sum();
    let likely = -0.5 * alone.iter().map(|a| a.ln()).sum::<f64>() - 0.5 * n as f64 * fit.ln();
    (variance.is_finite() && freedom.is_finite() && likely.is_finite())
        .then_some((Told { variance, freedom }, likely))
}

/// The correlation of a month with the next, as far as these tell.
fn follows(months: &[Month], left: &[f64], noise: &[f64]) -> f64 {
    let n = months.len();
    let taken = |i: usize, j: usize| -left[i * n + j] * noise[j] / noise[i];
    let (mut squares, mut free, mut products, mut hidden, mut pairs) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (i, month) in months.iter().enumerate() {
        squares += (month.residual / noise[i]).powi(2);
        free += left[i * n + i];
        if 0 < i && months[i - 1].at + 1 == month.at {
            pairs += 1.0;
            products += month.residual * months[i - 1].residual / noise[i] / noise[i - 1];
            hidden += 0.5 * (taken(i, i - 1) + taken(i - 1, i));
        }
    }
    if pairs < 1.0 || squares <= 0.0 || free < 1.0 {
        return FOLLOWS;
    }
    let seen = (products + hidden * squares / free) / pairs / (squares / free);
    let share = pairs / (pairs + FOLLOWS_PAIRS);
    (share * seen + (1.0 - share) * FOLLOWS).clamp(0.0, FOLLOWS_MAX)
}

#[cfg(test)]
mod tests;
