//! Judging predictions of planted buildings: errors, bands and how often they hold the truth.
//!
//! Must never: know how a method works.

use analytics::analysis::{Answer, MeterPeriod, Method, Question, Window, analyse};
use analytics::baseline::FitPeriod;
use analytics::baseline::caltrack::Terms;
use analytics::baseline::data::{Data, Grid};
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

/// The civil day that the world means: its summer is the calendar's.
fn day_of(world: &World) -> impl Fn(usize) -> NaiveDate {
    let first = NaiveDate::from_ymd_opt(2021, 1, 1).unwrap() + Days::new(world.first_day as u64);
    move |number| first + Days::new(number as u64)
}

fn weather_of(world: &World) -> DailyMeans {
    let day = day_of(world);
    let station = StationId::new("planted").unwrap();
    let days = world.temperatures.iter().enumerate();
    let days = days.map(|(number, mean_c)| DailyTemperature::as_given(station.clone(), day(number), *mean_c));
    DailyMeans::of(&days.collect::<Vec<_>>(), &station)
}

/// What the whole analysis says of a building whose baseline is its first year.
pub(crate) fn answer(world: &World, method: Method) -> Answer {
    let day = day_of(world);
    let bills = world.baseline.iter().chain(&world.reporting);
    let periods: Vec<MeterPeriod> =
        bills.map(|b| MeterPeriod { from: day(b.from), to: day(b.to), value: Some(b.energy) }).collect();
    analyse(&Question {
        subject: "meter:x",
        periods: &periods,
        temperatures: &weather_of(world),
        baseline: Window { from: day(0), to: day(365) },
        reporting: Window { from: day(365), to: day(730) },
        method,
        grid: Grid::FAHRENHEIT_3,
        terms: Terms::HeatingAndCooling,
        confidence: 0.9,
        normal: None,
    })
}

impl Case {
    pub(crate) fn of(world: &World) -> Self {
        let day = day_of(world);
        let temperatures = weather_of(world);
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
    /// Of an analysis; `None` where it compared nothing.
    pub(crate) fn of(answer: &Answer) -> Option<Self> {
        let compared = answer.reporting?;
        let half_width = compared.avoided_high - compared.avoided;
        Some(Self { energy: compared.adjusted_baseline, half_width })
    }

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
