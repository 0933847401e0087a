//! What is known of buildings before their bills are seen: few constants, all from physics, all weak.
//!
//! Must never: be fitted to a set of meters.

use std::sync::LazyLock;

use super::{COARSE_POINTS, GRID, OFFSET, POINTS};

/// Where heating and cooling begin, in °C. Rooms are kept near 20 °C in winter and sun, people and appliances give 3
/// to 6 K of it; rooms are cooled at 25 or 26 °C and the same gains move the outdoor temperature down from there.
const HEATING_C: f64 = 15.5;
const COOLING_C: f64 = 20.0;
/// How far buildings differ from that, in K: from the passive house to the leaking hall, from the office full of
/// machines to the flat that is cooled at night only.
const BALANCE_K: f64 = 4.0;

/// Scatter of monthly bills around any law of the weather, as a share of the mean bill. Reading days, holidays and
/// habits leave two percent at the least; it counts little more than a bill does, so that a building with ten percent
/// keeps its own.
const SCATTER: f64 = 0.02;
pub(super) const SCATTER_BILLS: f64 = 1.5;
const MONTH_DAYS: f64 = 365.25 / 12.0;

/// Variance of a mean bill before bills are seen: one of several months scatters by less than a month does, as a share of
/// what it is.
pub(super) fn scatter(mean_energy: f64, mean_days: f64) -> f64 {
    (SCATTER * mean_energy).powi(2) / (mean_days / MONTH_DAYS).max(1.0)
}

/// Use of a term per kelvin as a multiple of the mean use: beyond, one bill is rather wrong than such a term there. Heating
/// alone, without any base load, in the south comes to three.
pub(super) const STEEPEST: f64 = 5.0;

/// One bill in a hundred is grossly wrong (a refund, an estimate, another meter's reading), and then by about as much
/// as a bill is.
pub(super) const GROSS: f64 = 0.01;
pub(super) const GROSS_SIZE: f64 = 1.0;

/// Some buildings are closed for weeks of every summer, mostly around 15 August (schools, offices, works). One short bill
/// does not tell that from a wrong one: of August it is taken for the closure; else that is half as likely, and both stay
/// in the band.
pub(super) const CLOSED_IN_AUGUST: f64 = 2.0 * GROSS;
pub(super) const CLOSED_OTHERWISE: f64 = 0.5 * GROSS;

/// How much of its scatter a month shares with the next: habits and machines last longer than a month. A dozen bills
/// hardly tell, even with the exact likelihood of every correlation, and tell less of it than there is; so the bills are
/// begun with three pairs that share half. More pairs and less of it make the same band where months are independent,
/// and a narrower one where they follow each other.
pub(super) const FOLLOWS: f64 = 0.5;
pub(super) const FOLLOWS_BILLS: f64 = 3.0;

/// Logarithms of the prior of shapes and balance points.
#[derive(Debug)]
pub(super) struct Priors<const N: usize> {
    pub(super) flat: f64,
    pub(super) heating: [f64; N],
    pub(super) cooling: [f64; N],
    /// To be added to those two for a law with both terms.
    pub(super) both: f64,
}

/// Made once: nothing of them depends on a building. Of fuels, then of what also cools.
pub(super) static COARSE_PRIORS: LazyLock<[Priors<COARSE_POINTS>; 2]> =
    LazyLock::new(|| [Priors::new(false), Priors::new(true)]);
pub(super) static PRIORS: LazyLock<[Priors<POINTS>; 2]> =
    LazyLock::new(|| [Priors::new(false), Priors::new(true)]);

impl<const N: usize> Priors<N> {
    /// All shapes are equally likely: flat and heating for a fuel, else also cooling and both. In the last the cooling
    /// balance point is not below that of heating.
    fn new(with_cooling: bool) -> Self {
        let shapes: f64 = if with_cooling { 4.0 } else { 2.0 };
        let step = (POINTS - 1) / (N - 1);
        let heating_c = |k: usize| GRID.balance_c(k * step);
        let cooling_c = |k: usize| GRID.balance_c(k * step + OFFSET);
        let heating: [f64; N] = normalised(|k| heating_c(k) - HEATING_C);
        let cooling: [f64; N] = normalised(|k| cooling_c(k) - COOLING_C);
        let mut ordered = 0.0;
        for (h, ph) in heating.iter().enumerate() {
            let above = cooling.iter().enumerate().filter(|(c, _)| heating_c(h) <= cooling_c(*c));
            ordered += above.map(|(_, pc)| (ph + pc).exp()).sum::<f64>();
        }
        let shape = -shapes.ln();
        Self {
            flat: shape,
            heating: heating.map(|p| p + shape),
            cooling: cooling.map(|p| p + shape),
            both: -shape - ordered.ln(),
        }
    }
}

fn normalised<const N: usize>(off_k: impl Fn(usize) -> f64) -> [f64; N] {
    let logs: [f64; N] = std::array::from_fn(|k| -0.5 * (off_k(k) / BALANCE_K).powi(2));
    let sum: f64 = logs.iter().map(|p| p.exp()).sum();
    logs.map(|p| p - sum.ln())
}
