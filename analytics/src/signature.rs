//! The energy signature: use per day against the mean outdoor temperature, before and after, with the model's line.
//!
//! Must never: show a period whose temperatures or energy were not measured.
//!
//! Mean power against mean temperature over periods of equal kind, as EN 15603 annex B has it. The line is the model's
//! day at that temperature; a month around the balance point has warmer and colder days and stands a little above it.

use chrono::NaiveDate;
use model::MeterId;

use crate::degree_days::DailyMeans;
use crate::evaluate::{COVERAGE_MIN, YearInput, temperatures};
use crate::result::{Baseline, BaselineModel, ProjectYear};

/// The signature of a meter with a model that answers to the weather. Points are (°C, display units per day).
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    pub meter: MeterId,
    /// The periods of the baseline.
    pub before: Vec<(f64, f64)>,
    /// The months of the year that are compared.
    pub after: Vec<(f64, f64)>,
    /// The model, by rising temperature.
    pub line: Vec<(f64, f64)>,
}

/// The signatures of a year, in the order of its meters.
#[must_use]
pub fn signatures(input: &YearInput<'_>, year: &ProjectYear) -> Vec<Signature> {
    let means = temperatures(input);
    let of = |meter: &crate::result::MeterYear| {
        let Baseline::Fitted(model) = &meter.baseline else { return None };
        model.heating_base_c?;
        let before: Vec<(f64, f64)> = model
            .points
            .iter()
            .filter_map(|p| Some((mean(&means, p.from, p.to)?, p.energy_per_day)))
            .collect();
        let after = meter.months.iter().filter(|m| m.avoided.is_some()).filter_map(|m| {
            let (from, to) = (m.month.first_day(), m.month.end_day());
            Some((mean(&means, from, to)?, m.measured? / f64::from(m.month.days())))
        });
        let after: Vec<(f64, f64)> = after.collect();
        let line = line(model, before.iter().chain(&after).map(|p| p.0));
        (!line.is_empty()).then(|| Signature { meter: meter.meter.id.clone(), before, after, line })
    };
    year.meters.iter().filter_map(of).collect()
}

/// Mean temperature of `[from, to)`; `None` where too many days have none.
fn mean(means: &DailyMeans, from: NaiveDate, to: NaiveDate) -> Option<f64> {
    let known: Vec<f64> = means.means(from, to).collect();
    let days = (to - from).num_days() as f64;
    let count = known.len() as f64;
    (0.0 < count && COVERAGE_MIN * days <= count).then(|| known.iter().sum::<f64>() / count)
}

/// The model from the lowest to the highest of `temperatures`, bent at its balance point.
fn line(model: &BaselineModel, temperatures: impl Iterator<Item = f64> + Clone) -> Vec<(f64, f64)> {
    let (low, high) = temperatures.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), t| (l.min(t), h.max(t)));
    if high <= low {
        return Vec::new();
    }
    let day = |t: f64| {
        let cold = model.heating_base_c.map_or(0.0, |base| (base - t).max(0.0));
        (t, model.base_per_day + model.heating_per_degree_day * cold)
    };
    let bend = model.heating_base_c.filter(|base| low < *base && *base < high);
    [Some(low), bend, Some(high)].into_iter().flatten().map(day).collect()
}
