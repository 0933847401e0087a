//! The month in progress beside its baseline: how much less than before the works, for the weather there was.
//!
//! Must never: count a day that was not measured, on either side.

use chrono::NaiveDate;

/// A day on both sides of the comparison, in display units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PacedDay {
    pub day: NaiveDate,
    pub measured: f64,
    /// The baseline under the day's weather.
    pub baseline: f64,
}

/// Sums over the days known on both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    pub measured: f64,
    pub baseline: f64,
    pub days: u32,
    /// Days of the month before today.
    pub days_gone: u32,
}

impl Pace {
    /// Of the month's days before today; `None` where none is known on both sides.
    #[must_use]
    pub fn of(days: &[PacedDay], days_gone: u32) -> Option<Self> {
        let count = u32::try_from(days.len()).ok().filter(|n| 0 < *n)?;
        Some(Self {
            measured: days.iter().map(|d| d.measured).sum(),
            baseline: days.iter().map(|d| d.baseline).sum(),
            days: count,
            days_gone,
        })
    }

    /// Baseline less measured; negative when more was used than before the works.
    #[must_use]
    pub fn avoided(&self) -> f64 {
        self.baseline - self.measured
    }

    /// Avoided over baseline, 1 is everything; `None` without a baseline.
    #[must_use]
    pub fn avoided_ratio(&self) -> Option<f64> {
        (0.0 < self.baseline).then(|| self.avoided() / self.baseline)
    }
}
