//! Evidence of every law on the grid from sums over the bills, in closed form.
//!
//! Must never: allocate inside the loop over balance points.
//!
//! Given the noise's variance σ², the energies are normal around base·days + heating·HDD + cooling·CDD; the
//! coefficients are half normal with the scales of `Prior`; σ² is scaled inverse χ². The integral over
//! all of them is Γ(k)·(Q/2)^(-k)·|A|^(-1/2)·Π(2/τ), with A = X'WX + σ²/τ², Q the least sum of squares with the prior's
//! share and k = (n − coefficients + prior bills)/2. In A, σ² is that of the first look at the coarse grid.

use statrs::function::gamma::ln_gamma;

use super::law::Law;
use super::priors::{Priors, SCATTER_BILLS, STEEPEST, scatter};
use super::{COARSE, COARSE_POINTS, DEGREE_DAYS_MIN, OFFSET, POINTS};

/// Laws less likely than the best by more than this (in log) are left out: each below 1 %, their sum without effect.
pub(super) const KEPT: f64 = 5.0;
/// Cells of the coarse grid (2 K) whose best corner is less likely than the best by more than this are not refined.
const REFINED: f64 = 9.0;

/// Degree days of a bill at every point of a grid with `N` points for heating and as many for cooling, in K·d.
#[derive(Debug)]
pub(super) struct Bill<const N: usize> {
    pub(super) days: f64,
    pub(super) energy: f64,
    pub(super) heating: [f64; N],
    pub(super) cooling: [f64; N],
}

impl Bill<POINTS> {
    pub(super) fn coarse(&self) -> Bill<COARSE_POINTS> {
        Bill {
            days: self.days,
            energy: self.energy,
            heating: std::array::from_fn(|p| self.heating[p * COARSE]),
            cooling: std::array::from_fn(|p| self.cooling[p * COARSE]),
        }
    }
}

/// Weighted sums of the bills.
#[derive(Debug)]
struct Sums<const N: usize> {
    n: f64,
    days: f64,
    log_weights: f64,
    dd: f64,
    de: f64,
    ee: f64,
    /// Of degree days as they are, with days, with themselves, with energy.
    heating: [Column; N],
    cooling: [Column; N],
}

#[derive(Debug, Clone, Copy, Default)]
struct Column {
    sum: f64,
    d: f64,
    xx: f64,
    e: f64,
}

/// A column without what the days explain, and with its prior.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reduced {
    pub(super) usable: bool,
    /// Mean degree days a day.
    pub(super) mean: f64,
    pub(super) xx: f64,
    pub(super) e: f64,
    /// ln(2/τ) and the prior of the balance point.
    pub(super) log_prior: f64,
}

impl Reduced {
    pub(super) const NONE: Self = Self { usable: false, mean: 0.0, xx: 1.0, e: 0.0, log_prior: 0.0 };
}

/// How the bills are looked at.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// One for each bill: 1 / its variance in units of that of a mean bill.
    pub(super) weights: &'a [f64],
    pub(super) log_prior: f64,
    pub(super) noise: usize,
    /// σ² of a mean bill, for the weight of the prior.
    pub(super) variance: f64,
    /// Mean energy per day, and of a bill.
    pub(super) level: f64,
    pub(super) mean_energy: f64,
    pub(super) with_cooling: bool,
}

/// The sums under one view, ready for laws.
#[derive(Debug)]
pub(super) struct Search<'a, const N: usize> {
    pub(super) view: &'a View<'a>,
    /// Of the base load.
    pub(super) dd: f64,
    pub(super) base: f64,
    pub(super) squares: f64,
    pub(super) log_base: f64,
    pub(super) heating: [Reduced; N],
    pub(super) cooling: [Reduced; N],
    pub(super) bills: &'a [Bill<N>],
    /// Weighted degree days of cooling with the days, for the cross terms.
    pub(super) cooling_d: [f64; N],
    /// Of `cooling`, one kind of figure beside the other, for the bounds.
    cooling_xx: [f64; N],
    cooling_e: [f64; N],
    cooling_log_prior: [f64; N],
    /// k of laws with 0, 1 and 2 terms, and ln Γ(k).
    pub(super) k: [(f64, f64); 3],
    pub(super) priors: &'a Priors<N>,
}

/// At most ln x, for normal numbers above zero, and less by 0.06 at the worst: straight between powers of two.
pub(super) fn ln_at_most(x: f64) -> f64 {
    const ONE: i64 = 0x3FF0_0000_0000_0000;
    const STEP: f64 = std::f64::consts::LN_2 / 4_503_599_627_370_496.0;
    // Of what is no such number anything may come out: `both` refuses a law with it.
    x.to_bits().cast_signed().wrapping_sub(ONE) as f64 * STEP
}

/// Columns `block`·4 to `block`·4 + 3; zero beyond the last.
fn block_of<const N: usize>(all: &[f64; N], block: usize) -> [f64; COARSE] {
    let (blocks, rest) = all.as_chunks::<COARSE>();
    blocks.get(block).copied().unwrap_or_else(|| {
        let mut last = [0.0; COARSE];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        last
    })
}

fn sums<const N: usize>(bills: &[Bill<N>], view: &View<'_>) -> Sums<N> {
    let mut s = Sums {
        n: bills.len() as f64,
        days: 0.0,
        log_weights: 0.0,
        dd: 0.0,
        de: 0.0,
        ee: 0.0,
        heating: [Column::default(); N],
        cooling: [Column::default(); N],
    };
    for (bill, &w) in bills.iter().zip(view.weights) {
        let (wd, we) = (w * bill.days, w * bill.energy);
        s.days += bill.days;
        s.log_weights += w.ln();
        s.dd += wd * bill.days;
        s.de += wd * bill.energy;
        s.ee += we * bill.energy;
        let add = |column: &mut Column, x: f64| {
            column.sum += x;
            column.d += wd * x;
            column.xx += w * x * x;
            column.e += we * x;
        };
        s.heating.iter_mut().zip(&bill.heating).for_each(|(column, x)| add(column, *x));
        if view.with_cooling {
            s.cooling.iter_mut().zip(&bill.cooling).for_each(|(column, x)| add(column, *x));
        }
    }
    s
}

impl<'a, const N: usize> Search<'a, N> {
    pub(super) fn new(bills: &'a [Bill<N>], view: &'a View<'a>, priors: &'a Priors<N>) -> Self {
        let s = sums(bills, view);
        let k = |coefficients: f64| {
            let k = 0.5 * (s.n - coefficients + SCATTER_BILLS);
            (k, ln_gamma(k))
        };
        // The base load takes at most the whole use: τ is the mean use.
        let dd = s.dd + view.variance / (view.level * view.level);
        let reduce = |column: &Column, log_prior: f64| {
            if column.sum < DEGREE_DAYS_MIN {
                return Reduced::NONE;
            }
            // A term may take the whole use of the baseline, but not many times it: τ is the mean use over the mean
            // degree days, and where there were hardly any, what buildings have at the most.
            let tau = view.level * (s.days / column.sum).min(STEEPEST);
            let mean = column.d / dd;
            Reduced {
                usable: true,
                mean,
                xx: column.xx - column.d * mean + view.variance / (tau * tau),
                e: column.e - mean * s.de,
                log_prior: log_prior + (2.0 / tau).ln(),
            }
        };
        let heating = std::array::from_fn(|p| reduce(&s.heating[p], priors.heating[p]));
        let cooling: [Reduced; N] = std::array::from_fn(|p| reduce(&s.cooling[p], priors.cooling[p]));
        let least = SCATTER_BILLS * scatter(view.mean_energy, view.mean_energy / view.level);
        Self {
            view,
            dd,
            base: s.de / dd,
            squares: least + s.ee - s.de * s.de / dd,
            log_base: view.log_prior + 0.5 * s.log_weights + (2.0 / view.level).ln() - 0.5 * dd.ln(),
            heating,
            cooling_d: s.cooling.map(|c| c.d),
            cooling_xx: cooling.map(|c| c.xx),
            cooling_e: cooling.map(|c| c.e),
            cooling_log_prior: cooling.map(|c| c.log_prior),
            cooling,
            bills,
            k: [k(1.0), k(2.0), k(3.0)],
            priors,
        }
    }

    /// Log weight of a law with `terms` terms: its prior, the determinant of its terms and its squares. `None` when it
    /// is below the floor.
    fn log_weight(
        &self,
        (terms, log_prior): (usize, f64),
        determinant: f64,
        squares: f64,
        floor: f64,
    ) -> Option<f64> {
        let (k, log_gamma) = self.k[terms];
        let whole = self.log_base + log_prior + log_gamma;
        let at = |ln: fn(f64) -> f64| whole - 0.5 * ln(determinant) - k * ln(0.5 * squares);
        // Most laws are hopeless, and a bound that costs no logarithm says so.
        if at(ln_at_most) < floor {
            return None;
        }
        Some(at(f64::ln)).filter(|log_weight| floor <= *log_weight)
    }

    fn flat(&self) -> Law {
        let always = f64::NEG_INFINITY;
        let log_weight = self.log_weight((0, self.priors.flat), 1.0, self.squares, always).unwrap_or(always);
        self.law(0, None, None, log_weight, self.squares, &[])
    }

    fn one(&self, heating: Option<usize>, cooling: Option<usize>, floor: f64) -> Option<Law> {
        let column = match (heating, cooling) {
            (Some(h), _) => &self.heating[h],
            (None, c) => &self.cooling[c?],
        };
        if !column.usable || column.xx <= 0.0 {
            return None;
        }
        let slope = column.e / column.xx;
        let squares = self.squares - slope * column.e;
        let log_weight = self.log_weight((1, column.log_prior), column.xx, squares, floor)?;
        let term = Term { at: if heating.is_some() { 1 } else { 2 }, slope, mean: column.mean };
        let law = self.law(1, heating, cooling, log_weight, squares, &[(term, [1.0 / column.xx, 0.0])]);
        Some(law.with_physical_signs()).filter(|law| floor <= law.log_weight)
    }

    /// Products of a heating column with the cooling columns of block `block`, less what the days explain; zero
    /// beyond the last column.
    fn cross(&self, h: usize, block: usize) -> [f64; COARSE] {
        let mut sums = [0.0; COARSE];
        for (bill, w) in self.bills.iter().zip(self.view.weights) {
            let wh = w * bill.heating[h];
            let cooling = block_of(&bill.cooling, block);
            for i in 0..COARSE {
                sums[i] += wh * cooling[i];
            }
        }
        let (mean, d) = (self.heating[h].mean, block_of(&self.cooling_d, block));
        for i in 0..COARSE {
            sums[i] -= mean * d[i];
        }
        sums
    }

    /// At most the log weights of the laws of a heating column with a block of cooling columns.
    ///
    /// Most laws are hopeless, and a bound that costs no logarithm says so for four at a time. A law that does not
    /// exist has any bound: `both` refuses it.
    fn bounds(&self, h: usize, block: usize, cross: &[f64; COARSE]) -> [f64; COARSE] {
        let a = &self.heating[h];
        let (xx, e) = (block_of(&self.cooling_xx, block), block_of(&self.cooling_e, block));
        let priors = block_of(&self.cooling_log_prior, block);
        let (k, log_gamma) = self.k[2];
        let whole = self.log_base + a.log_prior + self.priors.both + log_gamma;
        std::array::from_fn(|i| {
            let x = cross[i];
            let determinant = a.xx * xx[i] - x * x;
            let explained = (xx[i] * a.e - 2.0 * x * e[i]) * a.e + a.xx * e[i] * e[i];
            let squares = self.squares - explained / determinant;
            whole + priors[i] - 0.5 * ln_at_most(determinant) - k * ln_at_most(0.5 * squares)
        })
    }

    fn both(&self, (h, c): (usize, usize), x: f64, floor: f64) -> Option<Law> {
        let (a, b) = (&self.heating[h], &self.cooling[c]);
        let determinant = a.xx * b.xx - x * x;
        if !b.usable || determinant <= 0.0 {
            return None;
        }
        let heating = (b.xx * a.e - x * b.e) / determinant;
        let cooling = (a.xx * b.e - x * a.e) / determinant;
        let squares = self.squares - heating * a.e - cooling * b.e;
        let (k, log_gamma) = self.k[2];
        let log_prior = a.log_prior + b.log_prior + self.priors.both + log_gamma;
        // `bounds` has left the hopeless ones out already.
        let log_weight = self.log_base + log_prior - 0.5 * determinant.ln() - k * (0.5 * squares).ln();
        // Of squares below zero it is no number.
        (floor <= log_weight).then_some(())?;
        let terms = [
            (Term { at: 1, slope: heating, mean: a.mean }, [b.xx / determinant, -x / determinant]),
            (Term { at: 2, slope: cooling, mean: b.mean }, [-x / determinant, a.xx / determinant]),
        ];
        let law = self.law(2, Some(h), Some(c), log_weight, squares, &terms);
        Some(law.with_physical_signs()).filter(|law| floor <= law.log_weight)
    }

    fn law(
        &self,
        count: usize,
        heating: Option<usize>,
        cooling: Option<usize>,
        log_weight: f64,
        squares: f64,
        terms: &[(Term, [f64; 2])],
    ) -> Law {
        let freedom = 2.0 * self.k[count].0;
        let variance = squares / freedom;
        let mut coefficients = [self.base, 0.0, 0.0];
        let mut covariance = [[0.0; 3]; 3];
        covariance[0][0] = variance / self.dd;
        for (term, inverse) in terms {
            coefficients[0] -= term.mean * term.slope;
            coefficients[term.at] = term.slope;
            for (j, (other, _)) in terms.iter().enumerate() {
                let value = variance * inverse[j];
                covariance[term.at][other.at] = value;
                covariance[0][0] += term.mean * other.mean * value;
                covariance[0][term.at] -= other.mean * value;
            }
            covariance[term.at][0] = covariance[0][term.at];
        }
        let noise = self.view.noise;
        Law { log_weight, weight: 0.0, heating, cooling, coefficients, covariance, variance, freedom, noise }
    }

    /// The first cooling point at or above heating point `h`.
    pub(super) fn first_above(h: usize) -> usize {
        // Both grids have the same step; that of cooling begins OFFSET fine points higher.
        h.saturating_sub(if N == POINTS { OFFSET } else { OFFSET / COARSE })
    }
}

impl Search<'_, COARSE_POINTS> {
    /// Every law of the coarse grid, appended to `laws`; the best of them, and the cells to refine.
    pub(super) fn all(&self, laws: &mut Vec<Law>) -> Coarse {
        let mut best = self.flat();
        laws.push(best);
        let mut cells = [[f64::NEG_INFINITY; COARSE_POINTS]; COARSE_POINTS];
        let mut floor = best.log_weight - REFINED;
        let mut push = |law: Option<Law>| {
            if let Some(law) = law {
                if best.log_weight < law.log_weight {
                    best = law;
                }
                laws.push(law);
            }
            best.log_weight - REFINED
        };
        for h in 0..COARSE_POINTS {
            floor = push(self.one(Some(h), None, floor));
        }
        if self.view.with_cooling {
            for c in 0..COARSE_POINTS {
                floor = push(self.one(None, Some(c), floor));
            }
            for (h, line) in cells.iter_mut().enumerate().filter(|(h, _)| self.heating[*h].usable) {
                let above = Self::first_above(h);
                for block in above / COARSE..COARSE_POINTS.div_ceil(COARSE) {
                    let cross = self.cross(h, block);
                    let bounds = self.bounds(h, block, &cross);
                    for (i, (x, bound)) in cross.iter().zip(bounds).enumerate() {
                        let c = block * COARSE + i;
                        if c < above || COARSE_POINTS <= c || bound < floor {
                            continue;
                        }
                        let law = self.both((h, c), *x, floor);
                        line[c] = law.map_or(f64::NEG_INFINITY, |law| law.log_weight);
                        floor = push(law);
                    }
                }
            }
        }
        Coarse { best, cells }
    }
}

impl Search<'_, POINTS> {
    /// Every law of the grid that may count beside one of log weight `other`, appended to `laws`; the best log weight.
    pub(super) fn fine(&self, coarse: &Coarse, other: f64, laws: &mut Vec<Law>) -> f64 {
        let mut best = coarse.best.log_weight.max(other);
        let hopeless = best - REFINED;
        let mut push = |law: Option<Law>| {
            if let Some(law) = law {
                best = best.max(law.log_weight);
                laws.push(law);
            }
            best - KEPT
        };
        let mut floor = push(Some(self.flat()));
        for h in 0..POINTS {
            floor = push(self.one(Some(h), None, floor));
        }
        if !self.view.with_cooling {
            return floor + KEPT;
        }
        for c in 0..POINTS {
            floor = push(self.one(None, Some(c), floor));
        }
        for h in (0..POINTS).filter(|h| self.heating[*h].usable) {
            let above = Self::first_above(h);
            for cell in above / COARSE..COARSE_POINTS {
                if coarse.around(h / COARSE, cell) < hopeless {
                    continue;
                }
                let cross = self.cross(h, cell);
                let bounds = self.bounds(h, cell, &cross);
                for (i, (x, bound)) in cross.iter().zip(bounds).enumerate() {
                    let c = cell * COARSE + i;
                    if above <= c && c < POINTS && floor <= bound {
                        floor = push(self.both((h, c), *x, floor));
                    }
                }
            }
        }
        floor + KEPT
    }
}

/// A term of a law.
#[derive(Debug, Clone, Copy)]
struct Term {
    /// Its place among the coefficients.
    at: usize,
    slope: f64,
    mean: f64,
}

/// What the coarse grid says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coarse {
    pub(super) best: Law,
    cells: [[f64; COARSE_POINTS]; COARSE_POINTS],
}

impl Coarse {
    /// The best of the corners of a cell.
    fn around(&self, h: usize, c: usize) -> f64 {
        let (next_h, next_c) = ((h + 1).min(COARSE_POINTS - 1), (c + 1).min(COARSE_POINTS - 1));
        let corners =
            [self.cells[h][c], self.cells[next_h][c], self.cells[h][next_c], self.cells[next_h][next_c]];
        corners.into_iter().fold(f64::NEG_INFINITY, f64::max)
    }
}
