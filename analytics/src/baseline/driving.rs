//! What a law follows beside the weather: the opening of its building, by the day.
//!
//! Must never: let a day that the calendar does not state pass for a known one; who compares a period asks first.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use model::{OpeningHours, UseDriver};

use super::fit::Part;
use crate::calendar;

/// One driver of a law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrivingTerm {
    pub driver: UseDriver,
    /// Display units per unit of the driver.
    pub coefficient: f64,
    pub standard_error: f64,
    /// Mean of a day of the baseline in each month of the year, from January on.
    pub usual: [f64; 12],
}

/// The terms of a law that are no weather.
#[derive(Debug, Clone, PartialEq)]
pub struct Driving {
    pub terms: Vec<DrivingTerm>,
    /// (X'WX)⁻¹ of base, heating, cooling and the terms, weights in days; rows of what the law lacks are 0.
    pub inverse: Vec<Vec<f64>>,
    /// Of the building, as its project file states it now.
    pub calendar: Arc<[OpeningHours]>,
}

impl DrivingTerm {
    fn usual_on(&self, date: NaiveDate) -> f64 {
        self.usual.get(date.month0() as usize).copied().unwrap_or(0.0)
    }

    fn on(&self, entries: &[OpeningHours], date: NaiveDate) -> f64 {
        calendar::hours_on(entries, date).map_or_else(|| self.usual_on(date), |h| self.driver.of_hours(h))
    }
}

/// Days of `[from, to)`.
fn days(from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    from.iter_days().take_while(move |date| *date < to)
}

impl Driving {
    /// Days of `[from, to)` that the calendar does not state.
    #[must_use]
    pub fn unstated_days(&self, from: NaiveDate, to: NaiveDate) -> u32 {
        calendar::unstated_days(&self.calendar, from, to)
    }

    /// Sum of each term's driver over `[from, to)`; a day that is not stated counts as its month did in the baseline.
    #[must_use]
    pub fn sums(&self, from: NaiveDate, to: NaiveDate) -> Vec<f64> {
        let sum = |term: &DrivingTerm| days(from, to).map(|date| term.on(&self.calendar, date)).sum();
        self.terms.iter().map(sum).collect()
    }

    /// The same over parts, each counted with its share.
    #[must_use]
    pub fn sums_of(&self, parts: &[Part<'_>]) -> Vec<f64> {
        let mut all = vec![0.0; self.terms.len()];
        for part in parts {
            for row in part.rows {
                let own = self.sums(row.from, row.to);
                all.iter_mut().zip(own).for_each(|(sum, x)| *sum += part.share * x);
            }
        }
        all
    }

    /// Energy of the terms with these sums, in display units.
    #[must_use]
    pub fn energy(&self, sums: &[f64]) -> f64 {
        self.terms.iter().zip(sums).map(|(term, sum)| term.coefficient * sum).sum()
    }

    /// g'(X'WX)⁻¹g of open days, degree days of heating and cooling, and the terms' sums.
    #[must_use]
    pub fn leverage(&self, weather: [f64; 3], sums: &[f64]) -> f64 {
        let g: Vec<f64> = weather.into_iter().chain(sums.iter().copied()).collect();
        let row = |of: &Vec<f64>| of.iter().zip(&g).map(|(v, x)| v * x).sum::<f64>();
        self.inverse.iter().zip(&g).map(|(of, x)| x * row(of)).sum::<f64>().max(0.0)
    }

    /// What the calendar of `[from, to)` makes of the energy, against the baseline's own calendar in the same months.
    #[must_use]
    pub fn effect(&self, from: NaiveDate, to: NaiveDate) -> f64 {
        let of = |term: &DrivingTerm| {
            let more: f64 =
                days(from, to).map(|date| term.on(&self.calendar, date) - term.usual_on(date)).sum();
            term.coefficient * more
        };
        self.terms.iter().map(of).sum()
    }
}

/// The mean of a driver's day in each month of the year over some periods; of a month that they lack, the mean of all.
#[must_use]
pub fn usual(
    entries: &[OpeningHours],
    driver: UseDriver,
    spans: impl Iterator<Item = (NaiveDate, NaiveDate)>,
) -> [f64; 12] {
    let (mut sums, mut counts) = ([0.0; 12], [0.0; 12]);
    for (from, to) in spans {
        for date in days(from, to) {
            let Some(hours) = calendar::hours_on(entries, date) else { continue };
            let month = date.month0() as usize;
            sums[month] += driver.of_hours(hours);
            counts[month] += 1.0;
        }
    }
    let (sum, count) = (sums.iter().sum::<f64>(), counts.iter().sum::<f64>());
    let mean = if 0.0 < count { sum / count } else { 0.0 };
    std::array::from_fn(|month| if 0.0 < counts[month] { sums[month] / counts[month] } else { mean })
}
