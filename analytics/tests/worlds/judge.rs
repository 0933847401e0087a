//! Judging predictions of planted buildings: errors, bands and how often they hold the truth.
//!
//! Must never: know how a method works.

use analytics::baseline::FitPeriod;
use analytics::baseline::data::Data;
use analytics::baseline::fit::Fit;
use analytics::degree_days::DailyMeans;
use chrono::{Days, NaiveDate};
use model::{DailyTemperature, StationId};

use super::{Bill, World};

/// A building's bills and weather, as methods see them.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) baseline: Data,
    pub(crate) reporting: Data,
}

impl Case {
    pub(crate) fn of(world: &World) -> Self {
        // The civil days that the world means: its summer is the calendar's.
        let first = NaiveDate::from_ymd_opt(2021, 1, 1).unwrap() + Days::new(world.first_day as u64);
        let day = |number: usize| first + Days::new(number as u64);
        let station = StationId::new("planted").unwrap();
        let days: Vec<DailyTemperature> = world
            .temperatures
            .iter()
            .enumerate()
            .map(|(number, mean_c)| DailyTemperature::as_given(station.clone(), day(number), *mean_c))
            .collect();
        let temperatures = DailyMeans::of(&days, &station);
        let periods = |bills: &[Bill]| -> Vec<FitPeriod> {
            let period = |b: &Bill| FitPeriod {
                from: day(b.from),
                to: day(b.to),
                energy: b.energy,
                coverage_ratio: 1.0,
            };
            bills.iter().map(period).collect()
        };
        Self {
            baseline: Data::of(&periods(&world.baseline), &temperatures),
            reporting: Data::of(&periods(&world.reporting), &temperatures),
        }
    }
}

/// What a method says of the reporting year.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said {
    pub(crate) energy: f64,
    pub(crate) half_width: f64,
}

impl Said {
    pub(crate) fn by(fit: &Fit, reporting: &Data) -> Self {
        let prediction = fit.predict(reporting);
        Self { energy: prediction.energy, half_width: prediction.half_width(0.9) }
    }
}

/// Errors of one method over many buildings, as shares of the truth.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    errors: Vec<f64>,
    half_widths: Vec<f64>,
    held: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, truth: f64, said: Said) {
        let error = (said.energy - truth).abs();
        self.held += usize::from(error <= said.half_width);
        self.errors.push(error / truth);
        self.half_widths.push(said.half_width / truth);
    }

    pub(crate) fn count(&self) -> usize {
        self.errors.len()
    }

    /// Share of the truths inside the band.
    pub(crate) fn coverage(&self) -> f64 {
        self.held as f64 / self.errors.len() as f64
    }

    /// The error below which this share of all lies.
    pub(crate) fn error(&self, share: f64) -> f64 {
        quantile(&self.errors, share)
    }

    pub(crate) fn half_width(&self, share: f64) -> f64 {
        quantile(&self.half_widths, share)
    }

    pub(crate) fn root_mean_square(&self) -> f64 {
        (self.errors.iter().map(|e| e * e).sum::<f64>() / self.errors.len() as f64).sqrt()
    }
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = share * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let next = sorted[(low + 1).min(sorted.len() - 1)];
    sorted[low] + part * (next - sorted[low])
}
