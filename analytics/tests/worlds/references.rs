//! Another way to do it, for comparison: least squares at every balance point, averaged with the weights of Akaike's
//! corrected criterion; the band is the best model's own.
//!
//! Must never: be mistaken for the product's method.

use analytics::baseline::fit::{Quality, student};
use analytics::baseline::wls;

use super::judge::{Case, Said};

/// Balance points in whole kelvin.
const GRID_C: std::ops::Range<i32> = 5..30;

pub(crate) fn aicc(case: &Case) -> Option<Said> {
    let n = case.baseline.len() as f64;
    let mut candidates = vec![(None, None)];
    for heating in GRID_C {
        candidates.push((Some(heating), None));
        candidates.push((None, Some(heating)));
        candidates.extend((heating..GRID_C.end).map(|cooling| (Some(heating), Some(cooling))));
    }
    let mut all: Vec<(f64, Said)> = Vec::new();
    for (heating, cooling) in candidates {
        // Base load, each slope with its balance point; and the variance.
        let parameters =
            1.0 + 2.0 * (f64::from(u8::from(heating.is_some())) + f64::from(u8::from(cooling.is_some())));
        let count = parameters + 1.0;
        if n - count - 1.0 <= 0.0 {
            continue;
        }
        let Some(model) = wls::model(&case.baseline, heating.map(f64::from), cooling.map(f64::from)) else {
            continue;
        };
        if model.base_per_day < 0.0
            || model.heating_per_degree_day < 0.0
            || model.cooling_per_degree_day < 0.0
        {
            continue;
        }
        let quality = Quality::of(&case.baseline, &model, parameters);
        let member = wls::member(&case.baseline, model, parameters);
        let squares = member.variance_per_day * (n - parameters);
        let criterion =
            n * (squares / n).ln() + 2.0 * count + 2.0 * count * (count + 1.0) / (n - count - 1.0);
        let (mut energy, mut g) = (0.0, [0.0; 3]);
        for row in case.reporting.rows() {
            energy += model.energy(&case.reporting, row);
            let (h, c) = model.degree_days_per_day(&case.reporting, row);
            g = [g[0] + row.days, g[1] + row.days * h, g[2] + row.days * c];
        }
        let variance = member.variance_per_day * (member.leverage.of(g) + g[0]);
        if criterion.is_finite() && quality.n > 0 {
            let half_width = student(0.9, n - parameters) * variance.sqrt();
            all.push((criterion, Said { energy, half_width }));
        }
    }
    let best = all.iter().copied().reduce(|a, b| if b.0 < a.0 { b } else { a })?;
    let weight = |criterion: f64| (0.5 * (best.0 - criterion)).exp();
    let sum: f64 = all.iter().map(|(c, _)| weight(*c)).sum();
    let energy = all.iter().map(|(c, said)| weight(*c) * said.energy).sum::<f64>() / sum;
    Some(Said { energy, half_width: best.1.half_width })
}
