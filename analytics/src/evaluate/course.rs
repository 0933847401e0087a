//! How the KPI of a year grew, month by month: the year's own computing, ended at the end of each month.
//!
//! Must never: give a verdict. A year in progress reaches nothing.

use model::Month;

use super::{YearInput, flows, meter, weather};
use crate::factors::Factors;
use crate::kpi;

/// What a KPI had come to at the end of a month, in the scheme's unit. `None` when withheld.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoursePoint {
    pub best: Option<f64>,
    /// 90 % bounds.
    pub low: Option<f64>,
    pub high: Option<f64>,
}

/// A KPI through the year.
#[derive(Debug, Clone, PartialEq)]
pub struct KpiCourse {
    pub code: String,
    /// Twelve; months that are not reported, or not over, are `None` throughout.
    pub points: Vec<Option<CoursePoint>>,
}

/// The course of every KPI of the scheme, in its order.
#[must_use]
pub fn course(input: &YearInput<'_>) -> Vec<KpiCourse> {
    let (temperatures, ..) = weather::temperatures(input);
    let named = |kpi: &crate::scheme::KpiDefinition| KpiCourse { code: kpi.code.clone(), points: Vec::new() };
    let mut courses: Vec<KpiCourse> = input.scheme.kpis.iter().map(named).collect();
    let mut to_date = input.clone();
    for month in Month::all_of(input.year) {
        to_date.until = month.end_day();
        let counted = input.project.dates.completed < month.first_day() && month.end_day() <= input.until;
        let points = if counted { points(&to_date, &temperatures) } else { Vec::new() };
        for (i, course) in courses.iter_mut().enumerate() {
            course.points.push(points.get(i).copied());
        }
    }
    courses
}

/// Every KPI at the end of `input.until`.
fn points(input: &YearInput<'_>, temperatures: &crate::degree_days::DailyMeans) -> Vec<CoursePoint> {
    let context = meter::Context::new(input, temperatures);
    let (mut years, mut assessed) = (Vec::new(), Vec::new());
    for (building, facts) in input.project.meters() {
        let known = input.meters.iter().find(|m| m.meter == facts.id);
        let (year, assessment, _) = meter::assess(&context, &building.id, facts, known);
        years.push(year);
        assessed.push(assessment);
    }
    assessed.sort_by(|a, b| a.meter.cmp(&b.meter));
    // What is to be said of the balance is said of the year.
    let weighed = flows::weigh(input, &mut years, &mut assessed);
    let balances = super::balances(input, &years, &weighed.doubted, &mut Vec::new());
    let (kpis, _) = kpi::all(&kpi::Context {
        project: &input.project,
        scheme: &input.scheme,
        factors: Factors { set: &input.factors, own: &input.project.terms.factors },
        meters: &assessed,
        years: &years,
        balances: &balances,
        whole_year: true,
        completed: true,
        year: input.year,
    });
    kpis.iter().map(|k| CoursePoint { best: k.best, low: k.low, high: k.high }).collect()
}
