//! Baseline models: which periods are good enough, which shape follows them, how far its predictions can be off.
//!
//! Must never: fit on a period that was not measured, or give a model without its quality.

use chrono::NaiveDate;
use model::Finding;

use crate::degree_days::{DailyMeans, DegreeDayDefinition};
use crate::result::{BaselineModel, BaselinePoint};

pub mod averaged;
pub mod breaks;
pub mod caltrack;
pub mod change_point;
pub mod data;
pub mod drivers;
pub mod fit;
pub mod heating;
pub mod linear;
pub mod ratio;
mod sufficiency;
pub mod towt;
pub mod wls;

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

/// A fitted model and what its predictions' uncertainty needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    pub model: BaselineModel,
    pub spread: Spread,
    /// The models that fit when the days without a temperature of their own were as cold, and as mild, as they may have
    /// been. Colder days for the same energy make a less steep model. `None` where every day was measured.
    pub doubt: Option<WeatherDoubt>,
}

/// Between which models the truth lies when days of the baseline have no temperature of their own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeatherDoubt {
    pub coldest: Shape,
    pub mildest: Shape,
}

/// The coefficients of a model, in display units per day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    pub base_per_day: f64,
    pub heating_per_degree_day: f64,
    /// °C; `None` when heating is zero.
    pub heating_base_c: Option<f64>,
}

impl Shape {
    #[must_use]
    pub fn of(model: &BaselineModel) -> Self {
        Self {
            base_per_day: model.base_per_day,
            heating_per_degree_day: model.heating_per_degree_day,
            heating_base_c: model.heating_base_c,
        }
    }
}

/// Second moments of the fit (weights are days): enough for the variance of any sum of predictions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Variance of a day's energy around the model, in display units squared.
    pub variance_per_day: f64,
    /// Sum of weights, in days.
    pub days: f64,
    /// Weighted mean of the degree days per day, and the weighted sum of squares around it.
    pub degree_days_mean: f64,
    pub degree_days_squares: f64,
    /// Student's t for 90 % two-sided at the fit's degrees of freedom.
    pub t_90: f64,
}

impl Spread {
    /// Half the width of the 90 % band of the energy of `days` days with `degree_days` K·d in all.
    ///
    /// Weighted least squares algebra: s² (g'(X'WX)⁻¹g + days), where the second term is the scatter of the
    /// reporting days themselves. The balance point counts as a parameter in s² and t.
    #[must_use]
    pub fn half_width(&self, days: f64, degree_days: f64) -> f64 {
        let lever = degree_days - days * self.degree_days_mean;
        let slope =
            if 0.0 < self.degree_days_squares { lever * lever / self.degree_days_squares } else { 0.0 };
        self.t_90 * (self.variance_per_day * (days * days / self.days + slope + days)).sqrt()
    }
}

/// Fits a baseline on the periods of `[from, to)`. `None` when they do not allow it; the findings say why.
/// Subjects of the findings begin with `subject`.
#[must_use]
pub fn fit(
    periods: &[FitPeriod],
    temperatures: &DailyMeans,
    (from, to): (NaiveDate, NaiveDate),
    subject: &str,
) -> (Option<Fitted>, Vec<Finding>) {
    let mut findings = Vec::new();
    let usable = sufficiency::screen(periods, temperatures, (from, to), subject, &mut findings);
    if !sufficiency::enough(&usable, subject, &mut findings) {
        return (None, findings);
    }
    let fitted = heating::fit(&usable, temperatures);
    match &fitted {
        Some(fitted) => {
            sufficiency::judge(&fitted.model, subject, &mut findings);
            findings.extend(sufficiency::prorated(&usable, temperatures, &fitted.model, subject));
        }
        None => findings.push(sufficiency::no_fit(subject)),
    }
    (fitted, findings)
}

/// The points of a model, for reports.
fn points(periods: &[FitPeriod], temperatures: &DailyMeans, base_c: Option<f64>) -> Vec<BaselinePoint> {
    let point = |p: &FitPeriod| BaselinePoint {
        from: p.from,
        to: p.to,
        energy_per_day: p.energy / p.days(),
        degree_days_per_day: base_c
            .and_then(|b| temperatures.heating(DegreeDayDefinition::to_base(b), p.from, p.to).per_day())
            .unwrap_or(0.0),
    };
    periods.iter().map(point).collect()
}

#[cfg(test)]
mod tests;
