//! Degree days of rows at the balance points of a fit's laws: many laws share a balance point, and it is counted once.
//!
//! Must never: count otherwise than `Model::degree_days_per_day` does.

use super::{Fit, Model, Part, Regressor};
use crate::baseline::data::{Data, Row};

/// Mean degree days per day, in K, by balance point (major) and row; rows of parts follow each other.
#[derive(Debug)]
pub(super) struct Columns {
    rows: usize,
    heating: Term,
    cooling: Term,
}

/// One term's balance points and their columns.
#[derive(Debug)]
struct Term {
    /// Ascending, each once.
    points: Vec<(Regressor, f64)>,
    /// `points.len()` × rows.
    degree_days: Vec<f64>,
}

impl Columns {
    pub(super) fn of(fit: &Fit, parts: &[Part<'_>]) -> Self {
        Self {
            rows: parts.iter().map(|part| part.rows.len()).sum(),
            heating: Term::of(fit, parts, |m| m.heating_balance_c, Regressor::heating),
            cooling: Term::of(fit, parts, |m| m.cooling_balance_c, Regressor::cooling),
        }
    }

    /// Heating and cooling degree days per day of the rows under a law of the fit; empty for a term that it lacks.
    pub(super) fn under(&self, model: &Model) -> (&[f64], &[f64]) {
        let point = |balance: Option<f64>| balance.map(|c| (model.regressor, c));
        (
            self.heating.at(point(model.heating_balance_c), self.rows),
            self.cooling.at(point(model.cooling_balance_c), self.rows),
        )
    }
}

impl Term {
    fn of(
        fit: &Fit,
        parts: &[Part<'_>],
        balance_c: impl Fn(&Model) -> Option<f64>,
        per_day: fn(Regressor, &Data, &Row, f64) -> f64,
    ) -> Self {
        let models = fit.members.iter().map(|member| &member.model);
        let mut points: Vec<(Regressor, f64)> =
            models.filter_map(|m| balance_c(m).map(|c| (m.regressor, c))).collect();
        points.sort_by(order);
        points.dedup();
        let mut degree_days = Vec::new();
        for &(regressor, c) in &points {
            for part in parts {
                degree_days.extend(part.rows.iter().map(|row| per_day(regressor, part.data, row, c)));
            }
        }
        Self { points, degree_days }
    }

    fn at(&self, point: Option<(Regressor, f64)>, rows: usize) -> &[f64] {
        let found = point.and_then(|point| self.points.binary_search_by(|other| order(other, &point)).ok());
        found.and_then(|p| self.degree_days.get(p * rows..(p + 1) * rows)).unwrap_or_default()
    }
}

fn order(a: &(Regressor, f64), b: &(Regressor, f64)) -> std::cmp::Ordering {
    a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
}
