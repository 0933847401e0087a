//! The outdoor temperatures of an analysis by the hour, screened by their daily means.
//!
//! Must never: compare an hour of a day whose temperatures are doubted.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use model::Finding;

use super::super::{Window, weather};
use super::{CivilHour, days};
use crate::baseline::FitPeriod;
use crate::baseline::towt::Towt;
use crate::degree_days::{DailyMeans, screen};

/// The hours of days that can be believed, with the daily means of their temperatures.
pub(super) fn screened(
    subject: &str,
    hours: &[CivilHour],
    windows: [Window; 2],
    findings: &mut Vec<Finding>,
) -> (Vec<CivilHour>, DailyMeans) {
    let mean = |day: &[CivilHour]| day.iter().map(|h| h.outdoor_c).sum::<f64>() / day.len() as f64;
    let by_day = hours.chunk_by(|a, b| a.at.date() == b.at.date());
    let given: Vec<(NaiveDate, f64)> = by_day.map(|day| (day[0].at.date(), mean(day))).collect();
    let given = days::means(&given);
    let screened = given.screened();
    let about = format!("{subject} weather");
    findings.extend(screened.findings(&about, &windows.map(|window| (window.from, window.to))));
    findings.extend(screen::unit(&given, &about));
    let doubted = |h: &CivilHour| {
        let day = h.at.date();
        screened.frozen.binary_search(&day).is_ok() || screened.outliers.binary_search(&day).is_ok()
    };
    (hours.iter().filter(|h| !doubted(h)).copied().collect(), screened.means)
}

/// What the lower bound does without because of months that no other year bears out.
pub(super) fn below_usual(
    (subject, model): (&str, &Towt),
    compared: &[&CivilHour],
    means: &DailyMeans,
    [baseline, reporting]: [Window; 2],
    findings: &mut Vec<Finding>,
) -> f64 {
    let unusual = means.unusual((baseline.from, baseline.to), (reporting.from, reporting.to));
    let by_day = || compared.chunk_by(|a, b| a.at.date() == b.at.date());
    let day = |day: &[&CivilHour]| {
        let from = day[0].at.date();
        let to = from.succ_opt()?;
        Some(FitPeriod { from, to, energy: 0.0, coverage_ratio: 1.0 })
    };
    let periods: Vec<FitPeriod> = by_day().filter_map(day).collect();
    let measured: BTreeMap<NaiveDate, f64> = means.dated().collect();
    let under = |level: &DailyMeans| -> Vec<f64> {
        let level: BTreeMap<NaiveDate, f64> = level.dated().collect();
        let of_day = |day: &[&CivilHour]| {
            let date = day[0].at.date();
            let by = level.get(&date).zip(measured.get(&date)).map_or(0.0, |(level, own)| level - own);
            day.iter().map(|h| model.hour(h.of_week(), h.outdoor_c + by).unwrap_or(0.0)).sum()
        };
        by_day().map(of_day).collect()
    };
    weather::below_usual((subject, &unusual), &periods, &under, means, findings)
}
