//! A baseline model under another period's weather: the adjusted baseline.
//!
//! Must never: adjust a heating model without weather, or forget how much of the weather was missing.

use chrono::NaiveDate;

use crate::degree_days::{DailyMeans, DegreeDayDefinition};
use crate::evaluate::COVERAGE_MIN;
use crate::result::BaselineModel;

/// What the baseline building would have used in a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adjusted {
    /// In display units. Days without a temperature count at the mean of the others.
    pub energy: f64,
    /// Kelvin days at the model's base, scaled to the whole period; 0 for a model without heating.
    pub degree_days: f64,
    pub days: f64,
    /// The part of `energy` that rests on days without a temperature; the truth may lack it wholly, because a
    /// day's degree days are not below zero.
    pub weather_assumed: f64,
}

/// The model under the weather of `[from, to)`; `None` when it responds to the weather and less than 90 % of the
/// days have a temperature.
#[must_use]
pub fn adjust(
    model: &BaselineModel,
    temperatures: &DailyMeans,
    from: NaiveDate,
    to: NaiveDate,
) -> Option<Adjusted> {
    let days = (to - from).num_days() as f64;
    let constant = model.base_per_day * days;
    let Some(base_c) = model.heating_base_c else {
        return Some(Adjusted { energy: constant, degree_days: 0.0, days, weather_assumed: 0.0 });
    };
    let weather = temperatures.heating(DegreeDayDefinition::to_base(base_c), from, to);
    if weather.coverage_ratio() < COVERAGE_MIN {
        return None;
    }
    let per_day = weather.per_day()?;
    let degree_days = per_day * days;
    let slope = model.heating_per_degree_day;
    Some(Adjusted {
        energy: constant + slope * degree_days,
        degree_days,
        days,
        weather_assumed: slope * per_day * f64::from(weather.missing_days),
    })
}
