//! Weighted least squares at given balance points, and the exact variance of what such a model predicts.
//!
//! Must never: invert what cannot be told apart, or call residuals independent that are not.

use chrono::Datelike;

use super::data::{Data, Row};
use super::fit::{Kind, Leverage, Member, Model, Regressor, Scatter, autocorrelation};
use super::months;

/// Two terms closer to a multiple of each other than this cannot be told apart.
const COLLINEAR: f64 = 1e-10;

/// Least share of the degrees of freedom that is left to s² where residuals follow each other.
const FREE_MIN: f64 = 0.5;

/// Most that variances are raised for residuals that follow each other.
const INFLATION_MAX: f64 = 30.0;

/// Sums of squares and products around the weighted means.
#[derive(Debug, Clone, Copy)]
struct Moments {
    weight: f64,
    y: f64,
    h: f64,
    c: f64,
    hh: f64,
    cc: f64,
    hc: f64,
    hy: f64,
    cy: f64,
}

/// The law with these terms that follows the rows best (weights are the days with a temperature). `None` when the
/// terms cannot be told apart, or there is no row.
#[must_use]
pub fn model(data: &Data, heating_c: Option<f64>, cooling_c: Option<f64>) -> Option<Model> {
    let kind = match (heating_c, cooling_c) {
        (None, None) => Kind::Flat,
        (Some(_), None) => Kind::Heating,
        (None, Some(_)) => Kind::Cooling,
        (Some(_), Some(_)) => Kind::HeatingCooling,
    };
    solve(
        data,
        Model {
            kind,
            regressor: Regressor::EachDay,
            base_per_day: 0.0,
            heating_balance_c: heating_c,
            cooling_balance_c: cooling_c,
            heating_per_degree_day: 0.0,
            cooling_per_degree_day: 0.0,
        },
    )
}

/// The best coefficients for the terms of `shape`.
#[must_use]
pub fn solve(data: &Data, shape: Model) -> Option<Model> {
    if shape.kind == Kind::Linear {
        return line(data, shape);
    }
    let m = moments(data, &shape);
    let (heating, cooling) = match (shape.heating_balance_c, shape.cooling_balance_c) {
        (None, None) => (0.0, 0.0),
        (Some(_), None) => (m.hy / m.hh, 0.0),
        (None, Some(_)) => (0.0, m.cy / m.cc),
        (Some(_), Some(_)) => {
            let det = m.hh * m.cc - m.hc * m.hc;
            if det <= COLLINEAR * m.hh * m.cc {
                return None;
            }
            ((m.hy * m.cc - m.cy * m.hc) / det, (m.cy * m.hh - m.hy * m.hc) / det)
        }
    };
    let base_per_day = m.y - heating * m.h - cooling * m.c;
    (base_per_day.is_finite() && heating.is_finite() && cooling.is_finite()).then_some(Model {
        base_per_day,
        heating_per_degree_day: heating,
        cooling_per_degree_day: cooling,
        ..shape
    })
}

/// A straight line has one slope, counted as cooling above the balance point and as its opposite below.
fn line(data: &Data, shape: Model) -> Option<Model> {
    let m = moments(data, &shape);
    // x = c − h.
    let xx = m.cc + m.hh - 2.0 * m.hc;
    let slope = (m.cy - m.hy) / xx;
    slope.is_finite().then_some(Model {
        base_per_day: m.y - slope * (m.c - m.h),
        heating_per_degree_day: -slope,
        cooling_per_degree_day: slope,
        ..shape
    })
}

fn moments(data: &Data, shape: &Model) -> Moments {
    let weight: f64 = data.rows().iter().map(|r| r.known_days).sum();
    // Once for all sums: weight, heating, cooling, use per day.
    let seen: Vec<[f64; 4]> = data
        .rows()
        .iter()
        .map(|r| {
            let (h, c) = shape.degree_days_per_day(data, r);
            [r.known_days, h, c, r.energy_per_day()]
        })
        .collect();
    let of =
        |f: &dyn Fn(f64, f64, f64) -> f64| -> f64 { seen.iter().map(|[w, h, c, y]| w * f(*h, *c, *y)).sum() };
    let (y, h, c) = (of(&|_, _, y| y) / weight, of(&|h, _, _| h) / weight, of(&|_, c, _| c) / weight);
    Moments {
        weight,
        y,
        h,
        c,
        hh: of(&|a, _, _| (a - h).powi(2)),
        cc: of(&|_, b, _| (b - c).powi(2)),
        hc: of(&|a, b, _| (a - h) * (b - c)),
        hy: of(&|a, _, z| (a - h) * (z - y)),
        cy: of(&|_, b, z| (b - c) * (z - y)),
    }
}

/// The law with its scatter around the rows and the leverage of its coefficients. `parameters` are those that count,
/// balance points included.
#[must_use]
pub fn member(data: &Data, model: Model, parameters: f64) -> Member {
    let sse: f64 = data
        .rows()
        .iter()
        .map(|r| {
            let residual = r.energy - model.energy(data, r);
            residual * residual / r.days
        })
        .sum();
    let inflation = inflation(data, &model, parameters).times;
    let n = data.len() as f64;
    // Of residuals that follow each other a law hides more than a row a parameter, for its terms are as slow as they are.
    let freedom = (n - parameters * inflation).max(FREE_MIN * (n - parameters));
    Member {
        weight: 1.0,
        model,
        variance_per_day: if 0.0 < freedom { sse / freedom } else { f64::INFINITY },
        inflation,
        leverage: leverage(data, &model),
        scatter: Scatter::Days,
        closure: None,
    }
}

/// Degrees of freedom of a law with so many parameters: as many as there are independent rows, less the parameters, and
/// no more than those that the variance was told from.
#[must_use]
pub fn freedom(data: &Data, model: &Model, parameters: f64) -> f64 {
    let n = data.len() as f64;
    let inflation = inflation(data, model, parameters);
    if n <= parameters { 0.0 } else { inflation.limit(n / inflation.times - parameters) }
}

/// Of base load and slopes.
const fn coefficients(kind: Kind) -> f64 {
    match kind {
        Kind::Flat => 1.0,
        Kind::Heating | Kind::Cooling | Kind::Linear => 2.0,
        Kind::HeatingCooling | Kind::TwoLines => 3.0,
    }
}

/// How residuals that follow each other raise the variance of a long sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inflation {
    /// At least 1.
    pub times: f64,
    /// Most degrees of freedom, where sums over months told it; infinite else.
    pub freedom_max: f64,
}

impl Inflation {
    /// Of periods that do not follow each other.
    pub const NONE: Self = Self { times: 1.0, freedom_max: f64::INFINITY };

    /// Degrees of freedom, at least 1.
    #[must_use]
    pub fn limit(self, freedom: f64) -> f64 {
        freedom.min(self.freedom_max).max(1.0)
    }
}

/// By how much residuals that follow each other raise the variance of a long sum.
///
/// Rows of a day: the larger of (1 + ρ)/(1 − ρ) of their lag-1 correlation ρ (ASHRAE Guideline 14: n' = n (1 − ρ)/(1 + ρ)),
/// and of what sums over civil months really scatter, which sees weeks and seasons too, also with months that follow each
/// other and busy ones that are noisier (`baseline/months.rs`). Longer periods: 1, as the guideline takes n' = n for monthly data;
/// twelve residuals tell nothing of their correlation.
#[must_use]
pub fn inflation(data: &Data, model: &Model, parameters: f64) -> Inflation {
    let n = data.len() as f64;
    if n < 2.0 || 7.0 < data.days() / n {
        return Inflation::NONE;
    }
    let residuals: Vec<f64> = data.rows().iter().map(|r| r.energy - model.energy(data, r)).collect();
    let alone = inflation_of_days(data.rows(), &residuals, parameters, coefficients(model.kind));
    let own: f64 = residuals.iter().map(|e| e * e).sum();
    let told = months::told(data, model, leverage(data, model)).filter(|_| 0.0 < own);
    let of_months = told.map(|told| (told.variance / own, told.freedom));
    of_months.filter(|(times, _)| alone.times < *times).map_or(alone, |(times, freedom_max)| Inflation {
        times: times.clamp(1.0, INFLATION_MAX),
        freedom_max: freedom_max.max(1.0),
    })
}

/// The same from the residuals of days, in order of time, that a law with so many parameters, `coefficients` of which are
/// no balance points, has left.
///
/// Their correlation is lower than that of what was before the fit, by ((1 + 3ρ) + (p − 1)(1 + ρ))/n to the first order:
/// (1 + 3ρ)/n for the mean (Marriott and Pope 1954), and (1 + ρ)/n for each further term, which is as slow as the seasons.
/// Of the sums over B months each of k coefficients takes a square, for the same reason: what is left is raised by
/// B/(B − k), and tells the variance with B − k degrees of freedom.
#[must_use]
pub fn inflation_of_days(rows: &[Row], residuals: &[f64], parameters: f64, coefficients: f64) -> Inflation {
    let seen = autocorrelation(residuals.iter().copied()).unwrap_or(0.0);
    let hidden = (1.0 + 3.0 * seen + (parameters - 1.0).max(0.0) * (1.0 + seen)) / residuals.len() as f64;
    let rho = (seen + hidden.max(0.0)).clamp(0.0, 0.98);
    let of_lag = (1.0 + rho) / (1.0 - rho);
    let own: f64 = residuals.iter().map(|e| e * e).sum();
    let (mut blocks, mut of_blocks, mut left) = (0.0, 0.0, residuals);
    for month in rows.chunk_by(|a, b| (a.from.year(), a.from.month()) == (b.from.year(), b.from.month())) {
        let (part, rest) = left.split_at(month.len().min(left.len()));
        of_blocks += part.iter().sum::<f64>().powi(2);
        blocks += 1.0;
        left = rest;
    }
    let free = blocks - coefficients;
    let of_blocks = if 0.0 < own && 1.0 <= free { of_blocks / own * blocks / free } else { 1.0 };
    let times = of_lag.max(of_blocks).clamp(1.0, INFLATION_MAX);
    Inflation { times, freedom_max: if of_lag < of_blocks { free } else { f64::INFINITY } }
}

/// (X'WX)⁻¹ with weights in days.
#[must_use]
pub fn leverage(data: &Data, model: &Model) -> Leverage {
    let m = moments(data, model);
    let inverse = match (model.kind, model.heating_balance_c, model.cooling_balance_c) {
        (Kind::Linear, _, _) => {
            let xx = m.cc + m.hh - 2.0 * m.hc;
            let v = if 0.0 < xx { 1.0 / xx } else { 0.0 };
            [v, -v, v]
        }
        (_, None, None) => [0.0, 0.0, 0.0],
        (_, Some(_), None) => [1.0 / m.hh, 0.0, 0.0],
        (_, None, Some(_)) => [0.0, 0.0, 1.0 / m.cc],
        (_, Some(_), Some(_)) => {
            let det = m.hh * m.cc - m.hc * m.hc;
            [m.cc / det, -m.hc / det, m.hh / det]
        }
    };
    let [hh, hc, cc] = inverse;
    // Around the means the base is independent of the slopes.
    let (h, c) = (hh * m.h + hc * m.c, hc * m.h + cc * m.c);
    Leverage([[1.0 / m.weight + h * m.h + c * m.c, -h, -c], [-h, hh, hc], [-c, hc, cc]])
}
