//! One candidate of the average, with what the bills leave open of its coefficients.
//!
//! Must never: let a base load or a slope be negative.

use statrs::function::erf::erfc;

/// Standard deviations above zero from which on the sign of a coefficient is not in doubt.
const SURE: f64 = 3.0;
/// Standard deviations below zero from which on a law is not one of this building.
const ABSURD: f64 = -6.0;

/// Base load per day, heating and cooling per degree day at given balance points: their most likely values and their
/// covariance, which is Student's with `freedom`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Law {
    /// Logarithm of prior times evidence, up to a constant that all laws share.
    pub(super) log_weight: f64,
    pub(super) weight: f64,
    /// Points of the heating and of the cooling grid.
    pub(super) heating: Option<usize>,
    pub(super) cooling: Option<usize>,
    pub(super) coefficients: [f64; 3],
    pub(super) covariance: [[f64; 3]; 3],
    /// Variance of a period of mean length and mean use.
    pub(super) variance: f64,
    pub(super) freedom: f64,
    /// Which of the ways in which noise may grow this law was weighed under.
    pub(super) noise: usize,
}

impl Law {
    /// Cuts the coefficients' distribution at zero, one after the other, the base load last; the law's weight takes
    /// the share that is left. Exact for one doubtful coefficient; two are as good as never in doubt together.
    pub(super) fn with_physical_signs(mut self) -> Self {
        for i in [1, 2, 0] {
            let column = self.covariance[i];
            let variance = column[i];
            if variance <= 0.0 {
                continue;
            }
            let coefficient = self.coefficients[i];
            if 0.0 < coefficient && SURE * SURE * variance < coefficient * coefficient {
                continue;
            }
            let deviation = variance.sqrt();
            let z = coefficient / deviation;
            if z < ABSURD {
                self.log_weight = f64::NEG_INFINITY;
                return self;
            }
            let mass = 0.5 * erfc(-z / std::f64::consts::SQRT_2);
            let ratio = (-0.5 * z * z).exp() / (std::f64::consts::TAU.sqrt() * mass);
            // Mean and variance of a normal distribution cut at zero.
            let left = (1.0 - ratio * (z + ratio)).clamp(0.0, 1.0);
            self.log_weight += mass.ln();
            for j in 0..3 {
                self.coefficients[j] += column[j] / variance * deviation * ratio;
                for k in 0..3 {
                    self.covariance[j][k] -= column[j] * column[k] / variance * (1.0 - left);
                }
            }
        }
        self
    }

    /// Energy of a period of `days` with these degree days.
    pub(super) fn energy(&self, days: f64, heating: f64, cooling: f64) -> f64 {
        self.coefficients[0] * days + self.coefficients[1] * heating + self.coefficients[2] * cooling
    }
}
