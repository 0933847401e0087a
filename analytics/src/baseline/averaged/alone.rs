//! Every bill against the laws that the other bills make without it.
//!
//! Must never: allocate inside the loop over laws, or be the last word: it is a quick guess of what to weigh in full.
//!
//! A law without one bill needs no new sums: with residual r, weight w and leverage h of the bill, the sum of squares
//! falls by w·r²/(1 − h), the determinant by the factor 1 − h, and the others expect of the bill what it has less
//! r/(1 − h).

use super::COARSE_POINTS;
use super::search::{Reduced, Search, ln_at_most};

/// What the other bills say of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alone {
    /// Log weight of the best of their laws, the bill out.
    pub(super) others: f64,
    /// What that law expects of the bill.
    pub(super) expected: f64,
}

/// Least share of a bill's weight that its law leaves free: a law that one bill alone makes cannot miss it.
const FREE: f64 = 0.01;

/// One law: its slopes, their inverse matrix, its squares and what else is in its weight.
struct Candidate<'a> {
    columns: [&'a Reduced; 2],
    slopes: [f64; 2],
    inverse: [f64; 3],
    squares: f64,
    determinant: f64,
    /// The constant part of the log weight, and k.
    log_weight: f64,
    k: f64,
}

impl Search<'_, COARSE_POINTS> {
    /// One for each bill, in order.
    pub(super) fn alone(&self) -> Vec<Alone> {
        let none = Alone { others: f64::NEG_INFINITY, expected: 0.0 };
        let mut found = vec![none; self.bills.len()];
        let usable = |columns: &[Reduced; COARSE_POINTS], p: usize| columns[p].usable && 0.0 < columns[p].xx;
        self.offer(&self.candidate(None, None, 0.0), (0, 0), &mut found);
        for h in (0..COARSE_POINTS).filter(|h| usable(&self.heating, *h)) {
            self.offer(&self.candidate(Some(h), None, 0.0), (h, 0), &mut found);
        }
        if !self.view.with_cooling {
            return found;
        }
        for c in (0..COARSE_POINTS).filter(|c| usable(&self.cooling, *c)) {
            self.offer(&self.candidate(None, Some(c), 0.0), (0, c), &mut found);
            for h in (0..COARSE_POINTS).filter(|h| usable(&self.heating, *h) && Self::first_above(*h) <= c) {
                let cross = self.cross_of(h, c);
                if cross * cross < self.heating[h].xx * self.cooling[c].xx {
                    self.offer(&self.candidate(Some(h), Some(c), cross), (h, c), &mut found);
                }
            }
        }
        found
    }

    fn candidate(&self, heating: Option<usize>, cooling: Option<usize>, cross: f64) -> Candidate<'_> {
        let a = heating.map_or(&Reduced::NONE, |h| &self.heating[h]);
        let b = cooling.map_or(&Reduced::NONE, |c| &self.cooling[c]);
        let determinant = a.xx * b.xx - cross * cross;
        let slopes = [(b.xx * a.e - cross * b.e) / determinant, (a.xx * b.e - cross * a.e) / determinant];
        let own = |has: bool, x: f64| if has { x / determinant } else { 0.0 };
        let terms = usize::from(heating.is_some()) + usize::from(cooling.is_some());
        let (k, log_gamma) = self.k[terms];
        let log_prior = match terms {
            0 => self.priors.flat,
            1 => a.log_prior + b.log_prior,
            _ => a.log_prior + b.log_prior + self.priors.both,
        };
        Candidate {
            columns: [a, b],
            slopes,
            inverse: [own(heating.is_some(), b.xx), -cross / determinant, own(cooling.is_some(), a.xx)],
            squares: self.squares - slopes[0] * a.e - slopes[1] * b.e,
            determinant,
            log_weight: self.log_base + log_prior + log_gamma,
            k,
        }
    }

    /// A law to every bill. A bill that is out is still in the squares, with about what a wrong bill adds to them.
    fn offer(&self, law: &Candidate<'_>, (h, c): (usize, usize), found: &mut [Alone]) {
        let [a, b] = law.columns;
        let [p, q, r] = law.inverse;
        for ((bill, w), alone) in self.bills.iter().zip(self.view.weights).zip(found) {
            let x = if a.usable { bill.heating[h] - a.mean * bill.days } else { 0.0 };
            let y = if b.usable { bill.cooling[c] - b.mean * bill.days } else { 0.0 };
            let (of_x, of_y) = (p * x + q * y, q * x + r * y);
            let leverage = w * (bill.days * bill.days / self.dd + of_x * x + of_y * y);
            let free = (1.0 - leverage).max(FREE);
            let residual = bill.energy - self.base * bill.days - law.slopes[0] * x - law.slopes[1] * y;
            let missed = residual / free;
            if law.slopes[0] < w * missed * of_x || law.slopes[1] < w * missed * of_y {
                continue;
            }
            let squares = (law.squares - w * residual * missed).max(0.0) + self.view.variance;
            let others =
                law.log_weight - 0.5 * ln_at_most(law.determinant * free) - law.k * ln_at_most(0.5 * squares);
            if alone.others < others {
                *alone = Alone { others, expected: bill.energy - missed };
            }
        }
    }

    /// Product of a heating with a cooling column, less what the days explain.
    fn cross_of(&self, h: usize, c: usize) -> f64 {
        let own = self.bills.iter().zip(self.view.weights);
        own.map(|(bill, w)| w * bill.heating[h] * bill.cooling[c]).sum::<f64>()
            - self.heating[h].mean * self.cooling_d[c]
    }
}
