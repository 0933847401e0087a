//! A baseline of a project's meter: the fit, what is shown of it, and what days without a temperature leave open.
//!
//! Must never: show other coefficients than those that predict, or hide that days of the baseline have no temperature.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use model::OpeningHours;

use super::FitPeriod;
use super::data::Data;
use super::driving::DrivingTerm;
use super::fit::{Fit, Prediction};
use super::sufficiency::{DAYS_MIN, PERIODS_MIN};
use crate::degree_days::DailyMeans;
use crate::result::{BaselineModel, BaselinePoint, FitQuality, ModelDriver};

/// A fitted baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// What is shown of it.
    pub model: BaselineModel,
    /// What predicts.
    pub law: Fit,
    /// The laws that fit when the days without a temperature of their own were as cold, and as warm, as they may have
    /// been. Colder days for the same energy make a less steep law. `None` where every day was measured.
    pub doubt: Option<WeatherDoubt>,
}

/// Between which laws the truth lies when days of the baseline have no temperature of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct WeatherDoubt {
    pub coldest: Fit,
    pub warmest: Fit,
}

impl Fitted {
    /// A fit on these rows.
    #[must_use]
    pub fn new(law: Fit, data: &Data, doubt: Option<WeatherDoubt>) -> Self {
        Self { model: shown(&law, data), law, doubt }
    }

    /// Whether it rests on less than a year, or on fewer periods than tell one (CalTRACK 2.0 §2.2.1.1 and §2.2.1.2).
    #[must_use]
    pub fn is_short(&self) -> bool {
        let quality = &self.model.quality;
        f64::from(quality.baseline_days) < DAYS_MIN || quality.n < PERIODS_MIN
    }

    /// The same laws with the building's calendar as its project file states it now.
    #[must_use]
    pub fn with_calendar(mut self, entries: &[OpeningHours]) -> Self {
        let calendar: Arc<[OpeningHours]> = Arc::from(entries);
        let doubt = self.doubt.iter_mut().flat_map(|doubt| [&mut doubt.coldest, &mut doubt.warmest]);
        for law in [&mut self.law].into_iter().chain(doubt) {
            if let Some(driving) = law.driving.as_deref_mut() {
                driving.calendar = Arc::clone(&calendar);
            }
        }
        self
    }

    /// The energy of some periods together under their weather: the law's error is counted once over all of them.
    #[must_use]
    pub fn predict(
        &self,
        temperatures: &DailyMeans,
        periods: impl IntoIterator<Item = (NaiveDate, NaiveDate)>,
    ) -> Prediction {
        self.law.predict(&weather_of(temperatures, periods))
    }
}

/// Periods without energy, for their weather.
#[must_use]
pub fn weather_of(
    temperatures: &DailyMeans,
    periods: impl IntoIterator<Item = (NaiveDate, NaiveDate)>,
) -> Data {
    let period = |(from, to)| FitPeriod { from, to, energy: 0.0, coverage_ratio: 1.0 };
    let periods: Vec<FitPeriod> = periods.into_iter().map(period).collect();
    Data::of(&periods, temperatures)
}

/// The drivers of a law as they are shown, with their mean day over some periods.
#[must_use]
pub fn drivers(law: &Fit, spans: impl Iterator<Item = (NaiveDate, NaiveDate)>) -> Vec<ModelDriver> {
    let Some(driving) = law.driving.as_deref() else { return Vec::new() };
    let months: Vec<usize> = spans
        .flat_map(|(from, to)| from.iter_days().take_while(move |date| *date < to))
        .map(|date| date.month0() as usize)
        .collect();
    let shown = |term: &DrivingTerm| ModelDriver {
        driver: term.driver,
        coefficient: term.coefficient,
        standard_error: term.standard_error,
        usual_per_day: months.iter().map(|month| term.usual[*month]).sum::<f64>()
            / (months.len() as f64).max(1.0),
    };
    driving.terms.iter().map(shown).collect()
}

fn shown(law: &Fit, data: &Data) -> BaselineModel {
    let (model, quality) = (&law.model, &law.quality);
    let point = |row: &super::data::Row| {
        let (heating, cooling) = model.degree_days_per_day(data, row);
        BaselinePoint {
            from: row.from,
            to: row.to,
            energy_per_day: row.energy_per_day(),
            degree_days_per_day: heating,
            cooling_degree_days_per_day: cooling,
        }
    };
    // A quality without a degree of freedom is not a number; zero would be a perfect one.
    BaselineModel {
        method: law.method,
        base_per_day: model.base_per_day,
        heating_per_degree_day: model.heating_per_degree_day,
        heating_base_c: model.heating_balance_c,
        cooling_per_degree_day: model.cooling_per_degree_day,
        cooling_base_c: model.cooling_balance_c,
        drivers: drivers(law, data.rows().iter().map(|row| (row.from, row.to))),
        quality: FitQuality {
            n: quality.n,
            r2: quality.r2,
            r2_adjusted: quality.r2_adjusted,
            cvrmse_ratio: quality.cvrmse_ratio,
            nmbe_ratio: quality.nmbe_ratio,
            baseline_days: data.days() as u32,
        },
        points: data.rows().iter().map(point).collect(),
    }
}
