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

use chrono::NaiveDate;
use model::{MeterId, ReferenceYear};

use crate::baseline::Fitted;
use crate::baseline::data::Data;
use crate::baseline::fit::{Part, Prediction};
use crate::baseline::fitted::weather_of;
use crate::degree_days::{DailyMeans, DegreeDayDefinition};
use crate::evaluate::COVERAGE_MIN;
use crate::evaluate::laws::Laws;
use crate::normalise::is_comparable;
use crate::places::{Place, ZoneRules};
use crate::result::BaselinePoint;

pub mod forms;

/// Fewest years of a station that make a typical year.
pub const REFERENCE_YEARS_MIN: usize = 5;
/// Most years looked at, the latest: a climate that changes makes older ones less typical.
pub const REFERENCE_YEARS_MAX: usize = 15;

/// Of every band, two-sided.
const CONFIDENCE: f64 = 0.9;

/// What a law gives over `[from, to)`; `None` with temperatures for less than 90 % of the days, or without the
/// opening of one, where the law follows it.
#[must_use]
pub fn expected(
    law: &Fitted,
    temperatures: &DailyMeans,
    from: NaiveDate,
    to: NaiveDate,
) -> Option<Prediction> {
    is_comparable(law, temperatures, from, to).then(|| law.predict(temperatures, [(from, to)]))
}

/// Half the 90 % band of what will be measured.
#[must_use]
pub fn half_width(of: &Prediction) -> f64 {
    of.half_width(CONFIDENCE)
}

/// The weather of a reference year, with what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    pub kind: ReferenceYear,
    /// Calendar years of the station, ascending.
    pub years: Vec<i32>,
    /// Of the legal kind: municipality, its legal degree days, the mean of the years by the same definition.
    pub legal: Option<(Place, f64)>,
    /// What heating degree days are multiplied by; the law has none of cooling.
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

    /// A law under this year, with its band.
    #[must_use]
    pub fn under(&self, law: &Fitted, history: &DailyMeans) -> Option<Prediction> {
        let mut years = Vec::with_capacity(self.years.len());
        for year in &self.years {
            let (from, to) = bounds(*year)?;
            if !is_comparable(law, history, from, to) {
                return None;
            }
            years.push(weather_of(history, [(from, to)]));
        }
        let share = 1.0 / self.years.len() as f64;
        let part = |data| Part { data, rows: Data::rows(data), share, heating_scale: self.scale };
        let parts: Vec<Part<'_>> = years.iter().map(part).collect();
        Some(law.law.predict_parts(&parts))
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

impl Modelled {
    /// The reporting law was fitted on what the totals say: where they stood still and nobody has said why, the lower
    /// bound holds what that time may have used.
    fn with_hidden(mut self, laws: &Laws, baseline: f64) -> Self {
        self.low -= laws.unproved_share() * baseline.max(0.0);
        self
    }
}

/// Normalised savings of a meter under a reference year; `None` without a law of the reporting period. A new meter's
/// baseline is zero. The bands of both laws add in quadrature.
#[must_use]
pub fn normalised(laws: &Laws, reference: &Reference, history: &DailyMeans) -> Option<Modelled> {
    let after = reference.under(laws.reporting.as_deref()?, history)?;
    let (before, before_band) = match laws.baseline.as_deref() {
        Some(law) => {
            let of = reference.under(law, history)?;
            (of.energy, half_width(&of))
        }
        None => (0.0, 0.0),
    };
    let of = modelled(&laws.meter, before, after.energy, before_band.hypot(half_width(&after)));
    Some(of.with_hidden(laws, before))
}

/// The backcast saving: what the baseline period was measured to use, less the reporting law under its weather. `None`
/// for a new meter, or without a reporting law.
#[must_use]
pub fn backcast(laws: &Laws, temperatures: &DailyMeans) -> Option<Modelled> {
    let (before, after) = (laws.baseline.as_deref()?, laws.reporting.as_deref()?);
    let spans = || before.model.points.iter().map(|p| (p.from, p.to));
    if !spans().all(|(from, to)| is_comparable(after, temperatures, from, to)) {
        return None;
    }
    let days = |p: &BaselinePoint| (p.to - p.from).num_days() as f64;
    let measured = before.model.points.iter().map(|p| p.energy_per_day * days(p)).sum();
    let of = after.predict(temperatures, spans());
    Some(modelled(&laws.meter, measured, of.energy, half_width(&of)).with_hidden(laws, measured))
}

/// Avoided energy over several years of one meter.
#[derive(Debug, Clone, PartialEq)]
pub struct Cumulated {
    pub meter: MeterId,
    pub months: u32,
    pub adjusted_baseline: f64,
    pub measured: f64,
    pub avoided: f64,
    /// With what was not measured at the bound that is worse, months that were left out included, and the law's band over
    /// all measured months together.
    pub low: f64,
    pub high: f64,
}

/// All months since completion together: one law, so its error is counted once over all of them.
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
    for month in &laws.months {
        sum.months += 1;
        sum.adjusted_baseline += month.adjusted.energy;
        sum.measured += month.measured;
        sum.low += month.adjusted.energy - month.adjusted.weather_less - month.most;
        sum.high += month.adjusted.energy + month.adjusted.weather_more - month.measured;
    }
    sum.avoided = sum.adjusted_baseline - sum.measured;
    // The best estimate is of what was measured; between the bounds lies what all months saved.
    for month in &laws.left_out {
        sum.low += month.low;
        sum.high += month.high;
    }
    let band = laws.baseline.as_deref().filter(|_| !laws.weather.is_empty());
    let band = band.map_or(0.0, |law| half_width(&law.law.predict(&laws.weather)));
    sum.low -= band;
    sum.high += band;
    sum
}

#[cfg(test)]
mod tests;
