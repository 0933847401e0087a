//! Bills that follow each other: a month above the law, and the next one too.
//!
//! Must never: take the correlation of a dozen residuals at its word, or count bills as independent because they are few.
//!
//! What a law leaves of twelve bills shows their correlation badly, and lower than it is: the law has taken part of it.
//! The part is known, for residuals of independent bills are (1 − H) times their noise. The rest is shrunk towards what
//! buildings in general show, and a sum of bills then varies by (1 + ρ)/(1 − ρ) more.

use super::priors::{FOLLOWS, FOLLOWS_BILLS};
use super::search::Bill;
use super::{Average, POINTS, REPORTED, regressors};
use crate::baseline::data::Row;

/// Most that variances are raised: beyond, the bills are no sample of anything.
const MOST: f64 = 4.0;

impl Average {
    /// By how much bills that follow each other raise the variance of a sum of them.
    pub(super) fn inflation(&self, rows: &[Row], bills: &[Bill<POINTS>]) -> f64 {
        let likeliest = self.laws.iter().zip(&self.under).max_by(|a, b| a.0.weight.total_cmp(&b.0.weight));
        let Some((law, _)) = likeliest else { return 1.0 };
        let scale = |bill: &Bill<POINTS>| (self.days / bill.days).sqrt();
        let counts = |bill: usize| self.probability(|h| h.holds(bill)) < REPORTED;
        // H of two bills in units of their noise.
        let hat = |a: &Bill<POINTS>, b: &Bill<POINTS>| {
            let (x, y) = (regressors(law, a), regressors(law, b));
            let row = |r: &[f64; 3]| r[0] * y[0] + r[1] * y[1] + r[2] * y[2];
            let all = x[0] * row(&law.covariance[0])
                + x[1] * row(&law.covariance[1])
                + x[2] * row(&law.covariance[2]);
            all / law.variance * scale(a) * scale(b)
        };
        let (mut squares, mut free, mut products, mut taken, mut pairs) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let mut before: Option<(&Row, &Bill<POINTS>, f64)> = None;
        for (number, ((row, bill), expected)) in rows.iter().zip(bills).zip(&self.expected).enumerate() {
            if !counts(number) {
                before = None;
                continue;
            }
            let residual = (bill.energy - expected) * scale(bill);
            squares += residual * residual;
            free += (1.0 - hat(bill, bill)).max(0.0);
            if let Some((_, other, left)) = before.filter(|(last, _, _)| last.to == row.from) {
                pairs += 1.0;
                products += left * residual;
                taken += hat(other, bill);
            }
            before = Some((row, bill, residual));
        }
        if pairs < 1.0 || squares <= 0.0 || free < 1.0 {
            return factor(FOLLOWS);
        }
        // Products of neighbours per pair over squares per free bill.
        let seen = (products + taken * squares / free) / pairs / (squares / free);
        let share = pairs / (pairs + FOLLOWS_BILLS);
        factor(share * seen + (1.0 - share) * FOLLOWS)
    }
}

fn factor(follows: f64) -> f64 {
    let follows = follows.clamp(0.0, 0.9);
    ((1.0 + follows) / (1.0 - follows)).min(MOST)
}
