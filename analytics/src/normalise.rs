//! A baseline model under another period's weather: the adjusted baseline.
//!
//! Must never: adjust a heating model without weather, or forget how much of the weather was missing.

use chrono::NaiveDate;

use crate::baseline::{Fitted, Shape};
use crate::degree_days::{DailyMeans, DegreeDayDefinition, DegreeDays};
use crate::evaluate::COVERAGE_MIN;

/// What the baseline building would have used in a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adjusted {
    /// In display units. Days without a temperature count at the mean of the others.
    pub energy: f64,
    /// Kelvin days at the model's base, scaled to the whole period; 0 for a model without heating.
    pub degree_days: f64,
    pub days: f64,
    /// How much less the truth may be than `energy` because of days without a temperature of their own, here and in
    /// the baseline: a missing day here may have had no degree days at all, a filled one may have been warmer, and a
    /// missing day of the baseline may have been colder than the coldest known, which makes the model less steep.
    pub weather_less: f64,
    /// How much more it may be, by the same reasoning the other way round.
    pub weather_more: f64,
}

impl Adjusted {
    /// An amount that owes nothing to the weather.
    #[must_use]
    pub const fn constant(energy: f64, days: f64) -> Self {
        Self { energy, degree_days: 0.0, days, weather_less: 0.0, weather_more: 0.0 }
    }

    /// Whether any of it rests on a day without a temperature of its own.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.weather_less != 0.0 || self.weather_more != 0.0
    }
}

/// The model under the weather of `[from, to)`; `None` when it responds to the weather and less than 90 % of the
/// days have a temperature that was measured or filled with a learned difference (CalTRACK 2.0 §2.2.3.2).
#[must_use]
pub fn adjust(
    fitted: &Fitted,
    temperatures: &DailyMeans,
    from: NaiveDate,
    to: NaiveDate,
) -> Option<Adjusted> {
    let days = (to - from).num_days() as f64;
    let model = &fitted.model;
    let constant = model.base_per_day * days;
    let Some(base_c) = model.heating_base_c else {
        return Some(Adjusted::constant(constant, days));
    };
    let weather = temperatures.heating(DegreeDayDefinition::to_base(base_c), from, to);
    if weather.coverage_ratio() < COVERAGE_MIN {
        return None;
    }
    let degree_days = weather.whole()?;
    let energy = constant + model.heating_per_degree_day * degree_days;
    let under = |shape: Shape, bound: fn(&DegreeDays) -> f64| {
        let weather = shape
            .heating_base_c
            .map(|base_c| temperatures.heating(DegreeDayDefinition::to_base(base_c), from, to));
        shape.base_per_day * days + shape.heating_per_degree_day * weather.as_ref().map_or(0.0, bound)
    };
    let own = Shape::of(model);
    let (coldest, mildest) = fitted.doubt.map_or((own, own), |doubt| (doubt.coldest, doubt.mildest));
    let least = under(own, DegreeDays::least).min(under(coldest, DegreeDays::least));
    let most = under(own, DegreeDays::most).max(under(mildest, DegreeDays::most));
    Some(Adjusted {
        energy,
        degree_days,
        days,
        weather_less: (energy - least).max(0.0),
        weather_more: (most - energy).max(0.0),
    })
}
