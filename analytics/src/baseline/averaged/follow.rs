//! Bills that follow each other: a month above the law, and the next one too.
//!
//! Must never: take the correlation of a dozen residuals at its word, or count bills as independent because they are few.
//!
//! What a law leaves of twelve bills shows their correlation badly, and lower than it is: the law has taken part of it.
//! The part is known, for residuals of independent bills are (1 − H) times their noise. The rest is shrunk towards what
//! buildings in general show. With bills correlated by ρ to the power of the months between them (matrix R), three things
//! grow, and all three are counted exactly for the sum of the baseline's own bills: their noise s'Rs, the error of the law
//! that was made of them s'HRHs, and their σ², of which the law has hidden more than of independent ones: what it leaves
//! is tr((1 − H)R) of them.

use super::priors::{FOLLOWS, FOLLOWS_BILLS};
use super::search::Bill;
use super::{Average, Law, POINTS, REPORTED, regressors};
use crate::baseline::data::Row;

/// Most that variances are raised: beyond, the bills are no sample of anything.
const MOST: f64 = 6.0;
/// Least share of σ² that a law leaves to be seen.
const LEFT_MIN: f64 = 0.2;
/// Days of a month, by which the correlation is counted.
const MONTH_DAYS: f64 = 365.25 / 12.0;

/// A bill that counts, in units of its own noise.
struct Seen {
    regressors: [f64; 3],
    residual: f64,
    deviation: f64,
    /// Its middle, in months.
    at: f64,
    /// Whether the one before ends where it begins.
    follows: bool,
}

impl Average {
    /// By how much bills that follow each other raise the variance of a sum of them.
    pub(super) fn inflation(&self, rows: &[Row], bills: &[Bill<POINTS>]) -> f64 {
        let likeliest = self.laws.iter().max_by(|a, b| a.weight.total_cmp(&b.weight));
        let Some(law) = likeliest else { return 1.0 };
        let seen = self.seen(law, rows, bills);
        let hat = hat(law, &seen);
        let follows = follows(&seen, &hat).clamp(0.0, 0.9);
        raised(&seen, &hat, follows).clamp(1.0, MOST)
    }

    fn seen(&self, law: &Law, rows: &[Row], bills: &[Bill<POINTS>]) -> Vec<Seen> {
        let mut seen: Vec<Seen> = Vec::with_capacity(rows.len());
        let mut before: Option<&Row> = None;
        for (number, ((row, bill), expected)) in rows.iter().zip(bills).zip(&self.expected).enumerate() {
            if REPORTED <= self.probability(|h| h.holds(number)) {
                continue;
            }
            let deviation = (bill.days / self.days).sqrt();
            let middle = (row.from - rows[0].from).num_days() as f64 + row.days / 2.0;
            seen.push(Seen {
                regressors: regressors(law, bill).map(|x| x / deviation),
                residual: (bill.energy - expected) / deviation,
                deviation,
                at: middle / MONTH_DAYS,
                follows: before.is_some_and(|last| last.to == row.from),
            });
            before = Some(row);
        }
        seen
    }
}

/// H of the law, by rows.
fn hat(law: &Law, seen: &[Seen]) -> Vec<f64> {
    let dot = |a: &[f64; 3], b: &[f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let mut hat = Vec::with_capacity(seen.len() * seen.len());
    for bill in seen {
        let own = law.covariance.map(|row| dot(&row, &bill.regressors) / law.variance);
        hat.extend(seen.iter().map(|other| dot(&own, &other.regressors)));
    }
    hat
}

/// The correlation of bills a month apart, as far as these tell.
fn follows(seen: &[Seen], hat: &[f64]) -> f64 {
    let n = seen.len();
    let (mut squares, mut free, mut products, mut taken, mut pairs) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let mut before: Option<&Seen> = None;
    for (number, bill) in seen.iter().enumerate() {
        squares += bill.residual * bill.residual;
        free += (1.0 - hat[number * n + number]).max(0.0);
        if let Some(other) = before.filter(|_| bill.follows) {
            pairs += 1.0;
            products += other.residual * bill.residual;
            taken += hat[number * n + number - 1];
        }
        before = Some(bill);
    }
    if pairs < 1.0 || squares <= 0.0 || free < 1.0 {
        return FOLLOWS;
    }
    // Products of neighbours per pair over squares per free bill.
    let seen = (products + taken * squares / free) / pairs / (squares / free);
    let share = pairs / (pairs + FOLLOWS_BILLS);
    share * seen + (1.0 - share) * FOLLOWS
}

/// By how much the variance of the sum of these bills is more than that of independent ones.
fn raised(seen: &[Seen], hat: &[f64], follows: f64) -> f64 {
    // Of the sum, the noise and what each bill's noise moves the law's sum by.
    let moved: Vec<f64> = hat
        .chunks(seen.len().max(1))
        .map(|row| row.iter().zip(seen).map(|(h, bill)| h * bill.deviation).sum())
        .collect();
    let (mut apart, mut together, mut free, mut left) = (0.0, 0.0, 0.0, 0.0);
    for (i, (bill, own)) in seen.iter().zip(&moved).enumerate() {
        let alone = bill.deviation * bill.deviation + own * own;
        let open = 1.0 - hat[i * seen.len() + i];
        apart += alone;
        together += alone;
        free += open;
        left += open;
        for (j, (other, others)) in seen.iter().zip(&moved).enumerate().take(i) {
            let r = follows.powf(bill.at - other.at);
            together += 2.0 * r * (bill.deviation * other.deviation + own * others);
            left -= 2.0 * r * hat[i * seen.len() + j];
        }
    }
    if apart <= 0.0 || free <= 0.0 { 1.0 } else { together / apart / (left / free).max(LEFT_MIN) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bills(count: usize, months: f64) -> Vec<Seen> {
        let bill = |i: usize| Seen {
            regressors: [1.0, 0.0, 0.0],
            residual: 1.0,
            deviation: 1.0,
            at: months * i as f64,
            follows: 0 < i,
        };
        (0..count).map(bill).collect()
    }

    /// Of a mean of n bills: H = 1/n everywhere, its error is the noise of the n bills once more.
    #[test]
    fn a_mean_of_bills_is_raised_as_its_covariance_says() {
        let (n, r) = (12, 0.5_f64);
        let hat = vec![1.0 / n as f64; n * n];
        let pairs: f64 = (1..n).map(|d| (n - d) as f64 * r.powi(d as i32)).sum();
        let sum = n as f64 + 2.0 * pairs;
        // What the mean leaves of the bills' squares: n less the variance of the sum over n.
        let left = (n as f64 - sum / n as f64) / (n as f64 - 1.0);
        let expected = sum / n as f64 / left;
        assert!((raised(&bills(n, 1.0), &hat, r) - expected).abs() < 1e-12);
        assert!((raised(&bills(n, 1.0), &hat, 0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn bills_of_two_months_follow_each_other_less() {
        let hat = vec![1.0 / 12.0; 144];
        let (one, two) = (raised(&bills(12, 1.0), &hat, 0.5), raised(&bills(12, 2.0), &hat, 0.5));
        assert!(1.0 < two && two < one, "{two} {one}");
        assert!((two - raised(&bills(12, 1.0), &hat, 0.25)).abs() < 1e-12);
    }
}
