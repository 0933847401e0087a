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
use crate::result::{Baseline, BaselineModel, MeterMonth, ProjectYear};

/// The signature of a meter with a model that answers to the weather. Points are (°C, display units per day).
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    pub meter: MeterId,
    /// The periods of the baseline.
    pub before: Vec<(f64, f64)>,
    /// The months of the year that are compared; of a campaign the measured ones.
    pub after: Vec<(f64, f64)>,
    /// The model, by rising temperature.
    pub line: Vec<(f64, f64)>,
}

/// The signatures of a year, in the order of its meters.
#[must_use]
pub fn signatures(input: &YearInput<'_>, year: &ProjectYear) -> Vec<Signature> {
    of_months(input, year, |_, month| month.avoided.is_some())
}

/// The same of a campaign between two days, the second of which is the first day after: every measured month that lies in
/// it as a whole, compared or not, but for those that the baseline has.
#[must_use]
pub fn signatures_within(
    input: &YearInput<'_>,
    year: &ProjectYear,
    (first, end): (NaiveDate, NaiveDate),
) -> Vec<Signature> {
    of_months(input, year, |model, month| {
        let (from, to) = (month.month.first_day(), month.month.end_day());
        let own = model.points.iter().any(|p| p.from < to && from < p.to);
        first <= from
            && to <= end
            && !own
            && (month.avoided.is_some() || COVERAGE_MIN <= month.coverage_ratio)
    })
}

fn of_months(
    input: &YearInput<'_>,
    year: &ProjectYear,
    counts: impl Fn(&BaselineModel, &MeterMonth) -> bool,
) -> Vec<Signature> {
    let means = temperatures(input);
    let of = |meter: &crate::result::MeterYear| {
        let Baseline::Fitted(model) = &meter.baseline else { return None };
        if !model.follows_weather() {
            return None;
        }
        let before: Vec<(f64, f64)> = model
            .points
            .iter()
            .filter_map(|p| Some((mean(&means, p.from, p.to)?, p.energy_per_day)))
            .collect();
        let after = meter.months.iter().filter(|m| counts(model, m)).filter_map(|m| {
            let (from, to) = (m.month.first_day(), m.month.end_day());
            Some((mean(&means, from, to)?, m.measured? / f64::from(m.month.days())))
        });
        let after: Vec<(f64, f64)> = after.collect();
        let line = line(model, before.iter().chain(&after).map(|p| p.0));
        (!line.is_empty()).then(|| Signature { meter: meter.meter.id.clone(), before, after, line })
    };
    year.meters.iter().filter_map(of).collect()
}

/// The signatures of several years as one: the baseline and the model of the last, and the months of all of them. Of the
/// meters of the last year only.
#[must_use]
pub fn joined(years: Vec<(&ProjectYear, Vec<Signature>)>) -> Vec<Signature> {
    let Some((last, _)) = years.last() else { return Vec::new() };
    let of = |meter: &crate::result::MeterYear| {
        let Baseline::Fitted(model) = &meter.baseline else { return None };
        let mut own = years.iter().flat_map(|(_, all)| all).filter(|s| s.meter == meter.meter.id);
        let after: Vec<(f64, f64)> = own.clone().flat_map(|s| s.after.iter().copied()).collect();
        let before = own.next_back()?.before.clone();
        let line = line(model, before.iter().chain(&after).map(|p| p.0));
        (!line.is_empty()).then(|| Signature { meter: meter.meter.id.clone(), before, after, line })
    };
    last.meters.iter().filter_map(of).collect()
}

/// Mean temperature of `[from, to)`; `None` where too many days have none.
fn mean(means: &DailyMeans, from: NaiveDate, to: NaiveDate) -> Option<f64> {
    let known: Vec<f64> = means.means(from, to).collect();
    let days = (to - from).num_days() as f64;
    let count = known.len() as f64;
    (0.0 < count && COVERAGE_MIN * days <= count).then(|| known.iter().sum::<f64>() / count)
}

/// The model from the lowest to the highest of `temperatures`, bent at its balance points.
fn line(model: &BaselineModel, temperatures: impl Iterator<Item = f64> + Clone) -> Vec<(f64, f64)> {
    let (low, high) = temperatures.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), t| (l.min(t), h.max(t)));
    if high <= low {
        return Vec::new();
    }
    let day = |t: f64| {
        let cold = model.heating_base_c.map_or(0.0, |base| (base - t).max(0.0));
        let warm = model.cooling_base_c.map_or(0.0, |base| (t - base).max(0.0));
        let weather = model.heating_per_degree_day * cold + model.cooling_per_degree_day * warm;
        (t, model.usual_base_per_day() + weather)
    };
    let bends = [model.heating_base_c, model.cooling_base_c];
    let mut at: Vec<f64> = bends.into_iter().flatten().filter(|base| low < *base && *base < high).collect();
    at.extend([low, high]);
    at.sort_by(f64::total_cmp);
    at.dedup();
    at.into_iter().map(day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::FitQuality;

    #[test]
    fn the_line_bends_at_both_balance_points_and_rises_on_either_side() {
        let quality = FitQuality {
            n: 12,
            r2: 1.0,
            r2_adjusted: 1.0,
            cvrmse_ratio: 0.0,
            nmbe_ratio: 0.0,
            baseline_days: 365,
        };
        let mut model = BaselineModel {
            method: "averaged",
            base_per_day: 20.0,
            heating_per_degree_day: 2.0,
            heating_base_c: Some(15.0),
            cooling_per_degree_day: 3.0,
            cooling_base_c: Some(22.0),
            drivers: Vec::new(),
            quality,
            points: Vec::new(),
        };
        let of = |model: &BaselineModel| line(model, [5.0, 18.0, 26.0].into_iter());
        assert_eq!(of(&model), [(5.0, 40.0), (15.0, 20.0), (22.0, 20.0), (26.0, 32.0)]);
        (model.cooling_base_c, model.cooling_per_degree_day) = (None, 0.0);
        assert_eq!(of(&model), [(5.0, 40.0), (15.0, 20.0), (26.0, 20.0)]);
        assert!(line(&model, [5.0].into_iter()).is_empty());
    }
}
