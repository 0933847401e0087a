//! Degree days of rows at the balance points of a fit's laws: many laws share a balance point, and it is counted once.
//!
//! Must never: count otherwise than `Model::degree_days_per_day` does.

use super::{Fit, Model, Part, Regressor};
use crate::baseline::data::{Data, Row};

/// Mean degree days per day, in K, of all rows of some parts, one part after the other.
#[derive(Debug)]
pub(super) struct Columns {
    heating: Term,
    cooling: Term,
}

/// One term's columns.
#[derive(Debug)]
struct Term {
    rows: usize,
    /// By balance point (major) and row.
    degree_days: Vec<f64>,
    /// The column of each member; `None` where its law lacks the term.
    of_member: Vec<Option<usize>>,
}

impl Columns {
    pub(super) fn of(fit: &Fit, parts: &[Part<'_>]) -> Self {
        Self {
            heating: Term::of(fit, parts, |m| m.heating_balance_c, Regressor::heating),
            cooling: Term::of(fit, parts, |m| m.cooling_balance_c, Regressor::cooling),
        }
    }

    /// Heating and cooling degree days per day of the rows under member `number`; empty for a term that it lacks.
    pub(super) fn under(&self, number: usize) -> (&[f64], &[f64]) {
        (self.heating.of_member(number), self.cooling.of_member(number))
    }
}

impl Term {
    fn of(
        fit: &Fit,
        parts: &[Part<'_>],
        balance_c: impl Fn(&Model) -> Option<f64>,
        per_day: fn(Regressor, &Data, &Row, f64) -> f64,
    ) -> Self {
        let point = |m: &Model| balance_c(m).map(|c| (m.regressor, c));
        let mut points: Vec<(Regressor, f64)> =
            fit.members.iter().filter_map(|member| point(&member.model)).collect();
        points.sort_unstable_by(order);
        points.dedup();
        let rows = parts.iter().map(|part| part.rows.len()).sum();
        let mut degree_days = Vec::with_capacity(points.len() * rows);
        for &(regressor, c) in &points {
            for part in parts {
                degree_days.extend(part.rows.iter().map(|row| per_day(regressor, part.data, row, c)));
            }
        }
        let column =
            |m: &Model| point(m).and_then(|p| points.binary_search_by(|other| order(other, &p)).ok());
        let of_member = fit.members.iter().map(|member| column(&member.model)).collect();
        Self { rows, degree_days, of_member }
    }

    fn of_member(&self, number: usize) -> &[f64] {
        let column = self.of_member.get(number).copied().flatten();
        column.and_then(|c| self.degree_days.get(c * self.rows..(c + 1) * self.rows)).unwrap_or_default()
    }
}

fn order(a: &(Regressor, f64), b: &(Regressor, f64)) -> std::cmp::Ordering {
    a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
}
