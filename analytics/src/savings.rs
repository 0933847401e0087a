//! Savings in every form they are asked for: avoided energy, normalised under a reference year, backcast with the
//! reporting period's own model, and added up over the years of an obligation.
//!
//! Must never: compare two periods under different weather without saying so, or add the bands of years that share a
//! baseline as if they were independent.
//!
//! The forms, for one meter (IPMVP names):
//!
//! - *avoided energy* (forecast): the baseline's law under the reporting weather, less what was measured. It is what
//!   [`crate::evaluate`] gives.
//! - *backcast*: what was measured in the baseline period, less the reporting law under the baseline's weather.
//! - *normalised*: both laws under one reference year.
//! - *cumulated*: avoided energy of several years. The law's own error is the same in all of them and adds up; the
//!   scatter of the days is not and adds in quadrature.
//!
//! A reference year is never a made-up year of daily means, which would lose the cold days that average out. It is
//! every year that the station has, each by itself, and the mean of what the law gives under them; `legal` multiplies
//! the part that follows the weather by legal over mean degree days to 20 °C of the zone's heating season.

use std::sync::Arc;

use chrono::NaiveDate;
use model::{MeterId, ReferenceYear};

use crate::baseline::Fitted;
use crate::degree_days::{DailyMeans, DegreeDayDefinition};
use crate::evaluate::COVERAGE_MIN;
use crate::evaluate::laws::Laws;
use crate::normalise::adjust;
use crate::places::{Place, ZoneRules};

/// Fewest years of a station that make a typical year.
pub const REFERENCE_YEARS_MIN: usize = 5;
/// Most years looked at, the latest: a climate that changes makes older ones less typical.
pub const REFERENCE_YEARS_MAX: usize = 15;

/// A law's energy under some weather. The one place that knows how a fitted baseline predicts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// In display units.
    pub energy: f64,
    /// The part that follows the weather.
    pub weather: f64,
    pub days: f64,
    pub degree_days: f64,
}

/// What a law gives over `[from, to)`; `None` with temperatures for less than 90 % of the days.
#[must_use]
pub fn expected(law: &Fitted, temperatures: &DailyMeans, from: NaiveDate, to: NaiveDate) -> Option<Expected> {
    let adjusted = adjust(law, temperatures, from, to)?;
    let weather = law.model.heating_per_degree_day * adjusted.degree_days;
    Some(Expected {
        energy: adjusted.energy,
        weather,
        days: adjusted.days,
        degree_days: adjusted.degree_days,
    })
}

/// Half the 90 % band of what will be measured over so many days and degree days.
#[must_use]
pub fn half_width(law: &Fitted, days: f64, degree_days: f64) -> f64 {
    law.spread.half_width(days, degree_days)
}

/// The weather of a reference year, with what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    pub kind: ReferenceYear,
    /// Calendar years of the station, ascending.
    pub years: Vec<i32>,
    /// Of the legal kind: municipality, its legal degree days, the mean of the years by the same definition.
    pub legal: Option<(Place, f64)>,
    /// What the part that follows the weather is multiplied by.
    pub scale: f64,
}

impl Reference {
    /// The reference year of a station: its latest whole calendar years before `until`. `None` with fewer than
    /// [`REFERENCE_YEARS_MIN`] of them, or for the legal kind without a municipality.
    #[must_use]
    pub fn of(
        kind: ReferenceYear,
        history: &DailyMeans,
        until: NaiveDate,
        place: Option<&(Place, ZoneRules)>,
    ) -> Option<Self> {
        let years = whole_years(history, until);
        if years.len() < REFERENCE_YEARS_MIN {
            return None;
        }
        if kind == ReferenceYear::Typical {
            return Some(Self { kind, years, legal: None, scale: 1.0 });
        }
        let (place, rules) = place?;
        let season = |year: &i32| {
            let (from, to) = bounds(*year)?;
            let of = history.heating_on(DegreeDayDefinition::DPR_412_93, from, to, |date| rules.counts(date));
            of.whole()
        };
        let sums: Option<Vec<f64>> = years.iter().map(season).collect();
        let sums = sums?;
        let mean = sums.iter().sum::<f64>() / sums.len() as f64;
        let scale = f64::from(place.degree_days) / mean;
        (0.0 < mean).then(|| Self { kind, years, legal: Some((place.clone(), mean)), scale })
    }

    /// A law under this year: energy, and what its band needs.
    #[must_use]
    pub fn under(&self, law: &Fitted, history: &DailyMeans) -> Option<Expected> {
        let mut sum = Expected { energy: 0.0, weather: 0.0, days: 0.0, degree_days: 0.0 };
        for year in &self.years {
            let (from, to) = bounds(*year)?;
            let of = expected(law, history, from, to)?;
            sum.energy += of.energy - of.weather + of.weather * self.scale;
            sum.weather += of.weather * self.scale;
            sum.days += of.days;
            sum.degree_days += of.degree_days * self.scale;
        }
        let n = self.years.len() as f64;
        Some(Expected {
            energy: sum.energy / n,
            weather: sum.weather / n,
            days: sum.days / n,
            degree_days: sum.degree_days / n,
        })
    }
}

/// The latest whole calendar years with enough temperatures, ascending.
#[must_use]
pub fn whole_years(history: &DailyMeans, until: NaiveDate) -> Vec<i32> {
    use chrono::Datelike;
    let (Some((first, _)), Some((last, _))) = (history.dated().next(), history.dated().last()) else {
        return Vec::new();
    };
    let mut years: Vec<i32> = (first.year()..=last.year())
        .filter(|year| {
            bounds(*year).is_some_and(|(from, to)| {
                let of = history.heating(DegreeDayDefinition::DPR_412_93, from, to);
                to <= until && COVERAGE_MIN <= of.coverage_ratio()
            })
        })
        .collect();
    years.drain(..years.len().saturating_sub(REFERENCE_YEARS_MAX));
    years
}

fn bounds(year: i32) -> Option<(NaiveDate, NaiveDate)> {
    Some((NaiveDate::from_ymd_opt(year, 1, 1)?, NaiveDate::from_ymd_opt(year + 1, 1, 1)?))
}

/// A saving between two modelled amounts, in display units, with its 90 % band.
#[derive(Debug, Clone, PartialEq)]
pub struct Modelled {
    pub meter: MeterId,
    pub baseline: f64,
    pub reporting: f64,
    pub savings: f64,
    pub low: f64,
    pub high: f64,
}

fn modelled(meter: &MeterId, baseline: f64, reporting: f64, half_width: f64) -> Modelled {
    let savings = baseline - reporting;
    Modelled {
        meter: meter.clone(),
        baseline,
        reporting,
        savings,
        low: savings - half_width,
        high: savings + half_width,
    }
}

/// Normalised savings of a meter under a reference year; `None` without a law of the reporting period. A new meter's
/// baseline is zero. The bands of both laws add in quadrature.
#[must_use]
pub fn normalised(laws: &Laws, reference: &Reference, history: &DailyMeans) -> Option<Modelled> {
    let band = |law: &Fitted, of: &Expected| half_width(law, of.days, of.degree_days);
    let after_law = laws.reporting.as_deref()?;
    let after = reference.under(after_law, history)?;
    let (before, before_band) = match laws.baseline.as_deref() {
        Some(law) => {
            let of = reference.under(law, history)?;
            (of.energy, band(law, &of))
        }
        None => (0.0, 0.0),
    };
    Some(modelled(&laws.meter, before, after.energy, before_band.hypot(band(after_law, &after))))
}

/// The backcast saving: what the baseline period was measured to use, less the reporting law under its weather. `None`
/// for a new meter, or without a reporting law.
#[must_use]
pub fn backcast(laws: &Laws, temperatures: &DailyMeans) -> Option<Modelled> {
    let (before, after) = (laws.baseline.as_deref()?, laws.reporting.as_deref()?);
    let (mut measured, mut energy, mut days, mut degree_days) = (0.0, 0.0, 0.0, 0.0);
    for point in &before.model.points {
        let of = expected(after, temperatures, point.from, point.to)?;
        measured += point.energy_per_day * (point.to - point.from).num_days() as f64;
        energy += of.energy;
        days += of.days;
        degree_days += of.degree_days;
    }
    Some(modelled(&laws.meter, measured, energy, half_width(after, days, degree_days)))
}

/// Avoided energy over several years of one meter.
#[derive(Debug, Clone, PartialEq)]
pub struct Cumulated {
    pub meter: MeterId,
    pub months: u32,
    pub adjusted_baseline: f64,
    pub measured: f64,
    pub avoided: f64,
    /// With the bound of what was not measured that is worse, and the law's band over all months together.
    pub low: f64,
    pub high: f64,
}

/// All months since completion together: one law, so its error is counted once over the sum of days and degree days.
#[must_use]
pub fn cumulated(laws: &Laws) -> Cumulated {
    let mut sum = Cumulated {
        meter: laws.meter.clone(),
        months: 0,
        adjusted_baseline: 0.0,
        measured: 0.0,
        avoided: 0.0,
        low: 0.0,
        high: 0.0,
    };
    let (mut days, mut degree_days) = (0.0, 0.0);
    for month in &laws.months {
        sum.months += 1;
        sum.adjusted_baseline += month.adjusted.energy;
        sum.measured += month.measured;
        sum.low += month.adjusted.energy - month.adjusted.weather_less - month.most;
        sum.high += month.adjusted.energy + month.adjusted.weather_more - month.measured;
        days += month.adjusted.days;
        degree_days += month.adjusted.degree_days;
    }
    sum.avoided = sum.adjusted_baseline - sum.measured;
    let band = laws.baseline.as_ref().filter(|_| 0.0 < days);
    let band = band.map_or(0.0, |law: &Arc<Fitted>| half_width(law, days, degree_days));
    sum.low -= band;
    sum.high += band;
    sum
}

#[cfg(test)]
mod tests;
