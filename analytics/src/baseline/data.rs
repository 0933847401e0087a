//! Periods with their energy and the temperatures of their days, laid out so that degree days of any period at any
//! balance point cost a binary search, and at the points of a grid one look into a table.
//!
//! Must never: allocate while a fit searches, or take a day without a temperature for a mild one.
//!
//! A day without a temperature counts at the mean of the period's other days (CalTRACK 2.0 §3.3.4: degree days per day
//! over the days kept). Which periods have too few of them is decided before, in `rules` and `sufficiency`.

use chrono::NaiveDate;

use super::FitPeriod;
use crate::degree_days::DailyMeans;

/// One period, reduced to what a fit needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    pub from: NaiveDate,
    /// First day after the period.
    pub to: NaiveDate,
    /// Length of the period.
    pub days: f64,
    /// Days of it that have a temperature, at most `days`.
    pub known_days: f64,
    /// In display units.
    pub energy: f64,
    /// Of the days that have a temperature, in °C; NaN when there is none.
    pub mean_c: f64,
    start: usize,
}

impl Row {
    #[must_use]
    pub fn energy_per_day(&self) -> f64 {
        self.energy / self.days
    }
}

/// The periods of a baseline, of a reporting period or of a normal year, in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Data {
    rows: Vec<Row>,
    /// The known temperatures of each row, coldest first, rows one after another, in °C.
    sorted_c: Vec<f64>,
    /// `sums_c[i]` is the sum of `sorted_c[..i]`.
    sums_c: Vec<f64>,
}

impl Data {
    /// The same rows with these energies, in order.
    #[must_use]
    pub fn with_energies(&self, energies: &[f64]) -> Self {
        let mut data = self.clone();
        data.rows.iter_mut().zip(energies).for_each(|(row, energy)| row.energy = *energy);
        data
    }

    /// The rows whose number counts.
    #[must_use]
    pub fn only(&self, counts: impl Fn(usize) -> bool) -> Self {
        let mut data = self.clone();
        let mut number = 0;
        data.rows.retain(|_| {
            number += 1;
            counts(number - 1)
        });
        data
    }

    /// The periods with the days' temperatures. Periods without a day are left out; nothing else is judged.
    #[must_use]
    pub fn of(periods: &[FitPeriod], temperatures: &DailyMeans) -> Self {
        let mut periods: Vec<&FitPeriod> = periods.iter().filter(|p| p.from < p.to).collect();
        periods.sort_by_key(|p| (p.from, p.to));
        let days: i64 = periods.iter().map(|p| (p.to - p.from).num_days()).sum();
        let days = usize::try_from(days).unwrap_or(0);
        let mut data = Self {
            rows: Vec::with_capacity(periods.len()),
            sorted_c: Vec::with_capacity(days),
            sums_c: Vec::with_capacity(days + 1),
        };
        for p in periods {
            let start = data.sorted_c.len();
            data.sorted_c.extend(temperatures.means(p.from, p.to));
            let own = data.sorted_c.get_mut(start..).unwrap_or_default();
            own.sort_unstable_by(f64::total_cmp);
            let known_days = own.len() as f64;
            data.rows.push(Row {
                from: p.from,
                to: p.to,
                days: p.days(),
                known_days,
                energy: p.energy,
                mean_c: own.iter().sum::<f64>() / known_days,
                start,
            });
        }
        data.sums_c.push(0.0);
        let mut sum = 0.0;
        for mean_c in &data.sorted_c {
            sum += mean_c;
            data.sums_c.push(sum);
        }
        data
    }

    /// Weather alone: one period from `from` to before `to`, without energy.
    #[must_use]
    pub fn weather(temperatures: &DailyMeans, from: NaiveDate, to: NaiveDate) -> Self {
        Self::of(&[FitPeriod { from, to, energy: 0.0, coverage_ratio: 1.0 }], temperatures)
    }

    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Length of all periods.
    #[must_use]
    pub fn days(&self) -> f64 {
        // An empty sum of binary fractions is minus zero.
        self.rows.iter().map(|r| r.days).sum::<f64>() + 0.0
    }

    #[must_use]
    pub fn energy(&self) -> f64 {
        self.rows.iter().map(|r| r.energy).sum()
    }

    /// Coldest and warmest day; `None` without any temperature.
    #[must_use]
    pub fn range_c(&self) -> Option<(f64, f64)> {
        let low = self.sorted_c.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.sorted_c.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (low <= high).then_some((low, high))
    }

    /// The known temperatures of a row, coldest first, in °C.
    #[must_use]
    pub fn sorted(&self, row: &Row) -> &[f64] {
        self.sorted_c.get(row.start..row.start + row.known_days as usize).unwrap_or_default()
    }

    /// Mean heating degree days per day of a row, in K; 0 without any temperature.
    #[must_use]
    pub fn heating_per_day(&self, row: &Row, balance_c: f64) -> f64 {
        let sorted = self.sorted(row);
        let below = sorted.partition_point(|t| *t < balance_c);
        self.per_day(row, |sums| balance_c * below as f64 - (sums(below) - sums(0)))
    }

    /// Mean cooling degree days per day of a row, in K; 0 without any temperature.
    #[must_use]
    pub fn cooling_per_day(&self, row: &Row, balance_c: f64) -> f64 {
        let sorted = self.sorted(row);
        let upto = sorted.partition_point(|t| *t <= balance_c);
        let above = (sorted.len() - upto) as f64;
        self.per_day(row, |sums| sums(sorted.len()) - sums(upto) - balance_c * above)
    }

    fn per_day(&self, row: &Row, of_sums: impl Fn(&dyn Fn(usize) -> f64) -> f64) -> f64 {
        if row.known_days <= 0.0 {
            return 0.0;
        }
        let sums = |i: usize| self.sums_c.get(row.start + i).copied().unwrap_or(0.0);
        (of_sums(&sums) / row.known_days).max(0.0)
    }

    /// Heating and cooling degree days per day of every row at every point of a grid.
    #[must_use]
    pub fn table(&self, grid: Grid) -> Table {
        let n = self.rows.len();
        let size = n * grid.count;
        let mut table = Table {
            grid,
            rows: n,
            heating: vec![0.0; size],
            cooling: vec![0.0; size],
            heating_days: vec![0; grid.count],
            cooling_days: vec![0; grid.count],
        };
        for (r, row) in self.rows.iter().enumerate() {
            let sorted = self.sorted(row);
            let base = self.sums_c.get(row.start).copied().unwrap_or(0.0);
            let total = self.sums_c.get(row.start + sorted.len()).copied().unwrap_or(0.0) - base;
            let (mut below, mut sum_below) = (0, 0.0);
            for point in 0..grid.count {
                let balance_c = grid.balance_c(point);
                while let Some(t) = sorted.get(below).filter(|t| **t < balance_c) {
                    sum_below += t;
                    below += 1;
                }
                let at = point * n + r;
                let above = sorted.len() - below;
                if 0 < below {
                    table.heating[at] = (balance_c * below as f64 - sum_below) / row.known_days;
                    table.heating_days[point] += below as u32;
                }
                if 0 < above {
                    // A day exactly at the balance point has no degree day.
                    let cooling = (total - sum_below - balance_c * above as f64) / row.known_days;
                    table.cooling[at] = cooling.max(0.0);
                    let equal = sorted[below..].iter().take_while(|t| **t <= balance_c).count();
                    table.cooling_days[point] += (above - equal) as u32;
                }
            }
        }
        table
    }
}

/// Balance points tried, in °C.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    pub first_c: f64,
    pub step_c: f64,
    pub count: usize,
}

impl Grid {
    /// 30 to 90 °F in steps of 3 °F, the widest that CalTRACK 2.0 §3.2.3 allows.
    pub const FAHRENHEIT_3: Self = Self { first_c: -2.0 / 1.8, step_c: 3.0 / 1.8, count: 21 };
    /// 30 to 90 °F in steps of 1 °F.
    pub const FAHRENHEIT_1: Self = Self { first_c: -2.0 / 1.8, step_c: 1.0 / 1.8, count: 61 };
    /// -1 to 32 °C in steps of 0.5 K: the same range in whole half degrees.
    pub const CELSIUS_HALF: Self = Self { first_c: -1.0, step_c: 0.5, count: 67 };

    /// The balance point number `point`.
    #[must_use]
    pub fn balance_c(self, point: usize) -> f64 {
        self.first_c + self.step_c * point as f64
    }
}

/// Degree days per day by balance point (major) and row.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub grid: Grid,
    rows: usize,
    heating: Vec<f64>,
    cooling: Vec<f64>,
    /// Days with any degree day at each balance point.
    pub heating_days: Vec<u32>,
    pub cooling_days: Vec<u32>,
}

impl Table {
    /// Heating degree days per day of all rows at a balance point, in K.
    #[must_use]
    pub fn heating(&self, point: usize) -> &[f64] {
        self.heating.get(point * self.rows..(point + 1) * self.rows).unwrap_or_default()
    }

    /// Cooling degree days per day of all rows at a balance point, in K.
    #[must_use]
    pub fn cooling(&self, point: usize) -> &[f64] {
        self.cooling.get(point * self.rows..(point + 1) * self.rows).unwrap_or_default()
    }
}
