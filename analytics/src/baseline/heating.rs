//! The variable-base heating degree-day model: use per day = base load + slope × mean degree days per day.
//!
//! Must never: give a negative base load or slope, or see a response to the cold in a load that has none.
//!
//! Method: CalTRACK 2.0 §3.3 and §3.4 for billing data (weighted least squares, weights are days; balance points on
//! a grid; at least 20 °F·d in the baseline; physical signs), with three differences. The grid is heating only and
//! metric: 5 to 25 °C in steps of 0.5 K, finer than the 3 °F that CalTRACK allows at most and as fine as its
//! library's 1 °F; below 5 °C no building of this climate begins to be heated, above 25 °C none still is. The
//! balance point counts as a parameter (ASHRAE Guideline 14: change points do), in the adjusted R², in the degrees of
//! freedom and in the choice. And heating is chosen over the flat model only when the Bayesian information
//! criterion prefers it: an adjusted R² above zero, CalTRACK's rule, is met by pure noise in one meter of ten.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{FitPeriod, Fitted, Shape, Spread, WeatherDoubt, points};
use crate::degree_days::{DailyMeans, DegreeDayDefinition, DegreeDays};
use crate::result::{BaselineModel, FitQuality};

/// Balance points tried, in °C: from, to, step.
pub const BASE_MIN_C: f64 = 5.0;
pub const BASE_STEP_C: f64 = 0.5;
pub const BASE_COUNT: u32 = 41;
/// The highest of them.
const BASE_MAX_C: f64 = BASE_MIN_C + BASE_STEP_C * (BASE_COUNT - 1) as f64;

/// Least degree days of the baseline period for a balance point to be tried: 20 °F·d, CalTRACK 2.0 §3.2.2.2.2.
pub const DEGREE_DAYS_MIN: f64 = 20.0 / 1.8;

/// Parameters of the heating model: base load, slope, balance point.
const HEATING_PARAMETERS: usize = 3;

/// A period reduced to what a fit needs.
#[derive(Debug, Clone, Copy)]
struct Row {
    days: f64,
    energy_per_day: f64,
    degree_days_per_day: f64,
}

/// A weighted straight line.
#[derive(Debug, Clone, Copy)]
struct Line {
    base_c: f64,
    intercept: f64,
    slope: f64,
    /// Weighted sum of squared residuals.
    squares: f64,
    x_mean: f64,
    x_squares: f64,
}

/// Weighted mean of the energy per day and the weighted sum of squares around it.
#[derive(Debug, Clone, Copy)]
struct Flat {
    days: f64,
    mean: f64,
    squares: f64,
}

/// The best heating model of the periods, or the flat one. `None` when the mean is negative or not finite, or
/// there are fewer than two periods. Every period has at least one day with a temperature.
pub(super) fn fit(periods: &[FitPeriod], temperatures: &DailyMeans) -> Option<Fitted> {
    let mut fitted = fit_as(periods, temperatures, View::Best)?;
    let uncertain = |p: &FitPeriod| {
        let weather = temperatures.heating(DegreeDayDefinition::to_base(BASE_MAX_C), p.from, p.to);
        0 < weather.missing_days + weather.filled_days
    };
    if fitted.model.heating_base_c.is_some() && periods.iter().any(uncertain) {
        let shape = |view| {
            let other = fit_as(periods, temperatures, view);
            other.map_or_else(|| Shape::of(&fitted.model), |other| Shape::of(&other.model))
        };
        fitted.doubt = Some(WeatherDoubt { coldest: shape(View::Coldest), mildest: shape(View::Mildest) });
    }
    Some(fitted)
}

/// How cold the days without a temperature of their own are taken to have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    /// A missing day as the mean of the others, a filled one as it is filled.
    Best,
    /// [`DegreeDays::most`].
    Coldest,
    /// [`DegreeDays::least`].
    Mildest,
}

impl View {
    /// Degree days per day of a period; 0 without any temperature.
    fn per_day(self, weather: &DegreeDays) -> f64 {
        let days = f64::from((weather.days + weather.missing_days).max(1));
        match self {
            Self::Best => weather.per_day().unwrap_or(0.0),
            Self::Coldest => weather.most() / days,
            Self::Mildest => weather.least() / days,
        }
    }
}

fn fit_as(periods: &[FitPeriod], temperatures: &DailyMeans, view: View) -> Option<Fitted> {
    let mut rows = rows(periods);
    let flat = flat(&rows)?;
    let mut best: Option<Line> = None;
    for step in 0..BASE_COUNT {
        let base_c = BASE_MIN_C + f64::from(step) * BASE_STEP_C;
        fill(&mut rows, periods, temperatures, base_c, view);
        if let Some(line) = line(&rows, &flat, base_c)
            && best.is_none_or(|b| line.squares < b.squares)
        {
            best = Some(line);
        }
    }
    let chosen = best.filter(|line| prefers_heating(rows.len(), flat.squares, line.squares));
    Some(match chosen {
        Some(line) => {
            fill(&mut rows, periods, temperatures, line.base_c, view);
            finish(&rows, &flat, Some(line), periods, temperatures)
        }
        None => finish(&rows, &flat, None, periods, temperatures),
    })
}

/// The heating model at one given balance point, without the choice; `None` when it does not qualify. For comparison
/// with results on another grid.
#[must_use]
pub fn fit_at(periods: &[FitPeriod], temperatures: &DailyMeans, base_c: f64) -> Option<Fitted> {
    let mut rows = rows(periods);
    fill(&mut rows, periods, temperatures, base_c, View::Best);
    let flat = flat(&rows)?;
    let line = line(&rows, &flat, base_c)?;
    Some(finish(&rows, &flat, Some(line), periods, temperatures))
}

fn rows(periods: &[FitPeriod]) -> Vec<Row> {
    let row =
        |p: &FitPeriod| Row { days: p.days(), energy_per_day: p.energy / p.days(), degree_days_per_day: 0.0 };
    periods.iter().map(row).collect()
}

fn fill(rows: &mut [Row], periods: &[FitPeriod], temperatures: &DailyMeans, base_c: f64, view: View) {
    for (row, p) in rows.iter_mut().zip(periods) {
        let degree_days = temperatures.heating(DegreeDayDefinition::to_base(base_c), p.from, p.to);
        row.degree_days_per_day = view.per_day(&degree_days);
    }
}

fn flat(rows: &[Row]) -> Option<Flat> {
    let days: f64 = rows.iter().map(|r| r.days).sum();
    let mean = rows.iter().map(|r| r.days * r.energy_per_day).sum::<f64>() / days;
    let squares = rows.iter().map(|r| r.days * (r.energy_per_day - mean).powi(2)).sum();
    (2 <= rows.len() && mean.is_finite() && 0.0 <= mean).then_some(Flat { days, mean, squares })
}

/// The line at one balance point; `None` when it does not qualify.
fn line(rows: &[Row], flat: &Flat, base_c: f64) -> Option<Line> {
    let degree_days: f64 = rows.iter().map(|r| r.days * r.degree_days_per_day).sum();
    if rows.len() <= HEATING_PARAMETERS || degree_days < DEGREE_DAYS_MIN {
        return None;
    }
    let x_mean = degree_days / flat.days;
    let (mut x_squares, mut cross) = (0.0, 0.0);
    for r in rows {
        let x = r.degree_days_per_day - x_mean;
        x_squares += r.days * x * x;
        cross += r.days * x * (r.energy_per_day - flat.mean);
    }
    if x_squares <= 0.0 {
        return None;
    }
    let slope = cross / x_squares;
    let intercept = flat.mean - slope * x_mean;
    if slope <= 0.0 || intercept < 0.0 {
        return None;
    }
    let residual = |r: &Row| r.energy_per_day - intercept - slope * r.degree_days_per_day;
    let squares = rows.iter().map(|r| r.days * residual(r).powi(2)).sum();
    Some(Line { base_c, intercept, slope, squares, x_mean, x_squares })
}

/// Bayesian information criterion: two more parameters cost 2 ln n.
fn prefers_heating(n: usize, flat: f64, heating: f64) -> bool {
    let n = n as f64;
    // A load that is flat to rounding has nothing to explain.
    0.0 < flat && heating < flat && (heating <= 0.0 || 2.0 * n.ln() < n * (flat / heating).ln())
}

fn finish(
    rows: &[Row],
    flat: &Flat,
    line: Option<Line>,
    periods: &[FitPeriod],
    temperatures: &DailyMeans,
) -> Fitted {
    let (intercept, slope) = line.map_or((flat.mean, 0.0), |l| (l.intercept, l.slope));
    let squares = line.map_or(flat.squares, |l| l.squares);
    let parameters = if line.is_some() { HEATING_PARAMETERS } else { 1 };
    let freedom = (rows.len() - parameters) as f64;
    let n = rows.len() as f64;
    let variance_per_day = squares / freedom;
    let r2 = if 0.0 < flat.squares { (1.0 - squares / flat.squares).max(0.0) } else { 0.0 };
    let bias: f64 =
        rows.iter().map(|r| r.days * (r.energy_per_day - intercept - slope * r.degree_days_per_day)).sum();
    let whole = flat.mean * flat.days;
    let relative = |x: f64| if 0.0 < whole { x / whole } else { 0.0 };
    let quality = FitQuality {
        n: rows.len(),
        r2,
        r2_adjusted: 1.0 - (1.0 - r2) * (n - 1.0) / freedom,
        // The mean square of a period of average length, over the mean of such a period.
        cvrmse_ratio: relative((squares / freedom * n * flat.days).sqrt()),
        nmbe_ratio: relative(bias),
        baseline_days: flat.days as u32,
    };
    let base_c = line.map(|l| l.base_c);
    Fitted {
        model: BaselineModel {
            base_per_day: intercept,
            heating_per_degree_day: slope,
            heating_base_c: base_c,
            quality,
            points: points(periods, temperatures, base_c),
        },
        spread: Spread {
            variance_per_day,
            days: flat.days,
            degree_days_mean: line.map_or(0.0, |l| l.x_mean),
            degree_days_squares: line.map_or(0.0, |l| l.x_squares),
            t_90: student_90(freedom),
        },
        doubt: None,
    }
}

/// Student's t, 90 % two-sided. Infinite freedom's value stands where the distribution cannot be made, which a
/// fit with at least one degree of freedom never meets.
fn student_90(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |t| t.inverse_cdf(0.95))
}
