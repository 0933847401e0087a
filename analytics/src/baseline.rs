//! Baseline models: which periods are good enough, which shape follows them, how far its predictions can be off.
//!
//! Must never: fit on a period that was not measured, or give a model without its quality.

use chrono::NaiveDate;

pub mod averaged;
pub mod breaks;
pub mod caltrack;
pub mod change_point;
pub mod data;
pub mod drivers;
pub mod driving;
pub mod fit;
pub mod fitted;
pub mod linear;
mod months;
pub mod ratio;
pub(crate) mod sufficiency;
pub mod towt;
pub mod wls;

pub use fitted::{Fitted, WeatherDoubt};
pub use sufficiency::{DAYS_MIN, PERIODS_MIN};

/// Energy used over a period, as a baseline sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitPeriod {
    pub from: NaiveDate,
    /// First day after the period.
    pub to: NaiveDate,
    /// In display units (kWh, Smc, kg): the least that was used, so that what is not known never raises a baseline.
    pub energy: f64,
    /// Share of the period's time that was measured, 0 to 1.
    pub coverage_ratio: f64,
}

impl FitPeriod {
    #[must_use]
    pub fn days(&self) -> f64 {
        (self.to - self.from).num_days() as f64
    }
}
