//! The hours of a meter joined to days, which are screened as those of every other method are.
//!
//! Must never: join an hour without what the model expects of it, or doubt an hour twice.

use chrono::NaiveDate;
use model::{DailyTemperature, Finding, StationId};

use super::super::{Window, beyond, choose, doubt, rules, screen};
use super::CivilHour;
use crate::baseline::FitPeriod;
use crate::baseline::data::{Data, Row};
use crate::baseline::fit::{Experience, Prediction};
use crate::baseline::towt::Towt;
use crate::degree_days::DailyMeans;

/// Days with the sums of their hours, and with what the model expects of these.
pub(super) struct Days {
    periods: Vec<FitPeriod>,
    data: Data,
    alone: Vec<Prediction>,
}

impl Days {
    /// Of the hours that count, in order of time. A day has the mean temperature of its own.
    pub(super) fn of<'h>(
        hours: impl Iterator<Item = &'h CivilHour>,
        mut counts: impl FnMut(&CivilHour) -> bool,
        model: &Towt,
    ) -> Self {
        let hours: Vec<&CivilHour> = hours.filter(|h| counts(h)).collect();
        let mut days = Self { periods: Vec::new(), data: Data::default(), alone: Vec::new() };
        let mut temperatures = Vec::new();
        for own in hours.chunk_by(|a, b| a.at.date() == b.at.date()) {
            let from = own[0].at.date();
            let Some(to) = from.succ_opt() else { continue };
            let sum = |of: &dyn Fn(&CivilHour) -> f64| own.iter().map(|h| of(h)).sum::<f64>();
            let expected = sum(&|h| model.hour(h.of_week(), h.outdoor_c).unwrap_or(0.0));
            temperatures.push((from, sum(&|h| h.outdoor_c) / own.len() as f64));
            days.periods.push(FitPeriod { from, to, energy: sum(&|h| h.energy), coverage_ratio: 1.0 });
            days.alone.push(alone(expected));
        }
        days.data = Data::of(&days.periods, &means(&temperatures));
        days
    }

    fn experience(&self) -> Experience {
        Experience::of(&self.data, true, self.data.energy() / self.data.days())
    }

    /// Variance of what the other days' weather may have asked for that these never met.
    pub(super) fn unseen_variance(&self, other: &Self) -> f64 {
        self.experience().variance(&other.data, other.data.rows())
    }
}

/// A day's expectation, all of it told as heating: what moves it is not asked.
fn alone(energy: f64) -> Prediction {
    Prediction {
        energy,
        days: 1.0,
        heating: energy,
        cooling: 0.0,
        model_variance: 0.0,
        noise_variance: 0.0,
        freedom: f64::INFINITY,
    }
}

pub(super) fn means(days: &[(NaiveDate, f64)]) -> DailyMeans {
    let Ok(station) = StationId::new("hours") else { return DailyMeans::default() };
    let of = |(date, mean_c): &(NaiveDate, f64)| DailyTemperature::as_given(station.clone(), *date, *mean_c);
    DailyMeans::of(&days.iter().map(of).collect::<Vec<_>>(), &station)
}

/// Whether all days together are in another unit than the baseline's.
pub(super) fn are_in_other_unit(subject: &str, before: &Days, after: &Days) -> bool {
    doubt::other_unit(subject, &after.alone, &before.data, &after.data).is_some()
}

/// Tells what the days show of the baseline's length, of weather that it lacks and of values that are hardly the meter's.
/// Gives what the lower bound does without for them.
pub(super) fn judge(
    (subject, window): (&str, Window),
    before: &Days,
    after: &Days,
    findings: &mut Vec<Finding>,
) -> f64 {
    findings.extend(choose::short(&format!("{subject} baseline"), &before.data));
    rules::short(subject, window, &before.data, findings);
    screen::tell_values(subject, &before.periods, true, findings);
    let met = before.experience();
    let degree_days = |data: &Data, row: &Row| {
        (
            data.heating_per_day(row, met.heating_c),
            met.cooling_c.map_or(0.0, |c| data.cooling_per_day(row, c)),
        )
    };
    rules::range(subject, degree_days, [&before.data, &after.data], findings);
    let whose = ("fit.unseen_weather", subject, "reporting period");
    findings.extend(beyond(whose, Some(met), &after.data));
    let doubt = doubt::values(subject, &after.alone, &before.data, &after.data);
    findings.extend(doubt.findings);
    doubt.energy
}
