//! How far a year departs from the years before it: the common measure of forecasts that follow no weather law.
//!
//! Must never: take one year for a rule without the months that it can be held against.
//!
//! Each month of each year has a departure from what the past years say of it, and a scale (energy) that its variance
//! grows with: sunny months vary by less of themselves than dark ones. A year's departures over its scale are its drift:
//! what holds for the whole year (an ageing plant, a string that failed). What is left of each month is its noise. The
//! drift of this year is carried to the months to come as far as it stands out of the noise, by the past years' spread
//! of drifts or by itself where it is further out than they ever were (a plant that failed is no average plant).

use super::coming::student_90;

/// One month's departure, and what its variance grows with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Departure {
    pub(super) by: f64,
    pub(super) scale: f64,
}

/// What the months to come are expected to depart by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Drift {
    /// What this year's months departed by, per unit of scale.
    pub(super) own: f64,
    /// Share of it that is carried to the months to come, 0 to 1.
    pub(super) weight: f64,
    /// Half the 90 % band of the sum over the months to come, in the departures' own unit.
    pub(super) half_width: f64,
}

impl Drift {
    /// What the months to come are expected to depart by, per unit of scale.
    pub(super) fn expected(&self) -> f64 {
        self.weight * self.own
    }
}

/// Freedoms of the months' noise with which a band is made: three months beside those of one past year, or two past
/// years of at least three months.
const FREEDOM_MIN: f64 = 2.0;

/// The drift of this year; `None` where too few months can be held against each other. `past` has the same months of
/// each year, `now` those of this year, and `coming` is the scale of all months to come.
pub(super) fn drift(past: &[Vec<Departure>], now: &[Departure], coming: f64) -> Option<Drift> {
    let years = past.len() as f64;
    let months = past.first().map_or(0.0, |of| of.len() as f64);
    // The mean that months depart from has an error of its own.
    let with_mean = 1.0 + 1.0 / years;
    let past_squares: f64 = past.iter().map(|of| squares(of, mean(of))).sum();
    let past_freedom = (years - 1.0) * (months - 1.0);
    let own = mean(now);
    let squares_now = squares(now, own) / with_mean;
    let freedom = past_freedom + (now.len() as f64 - 1.0).max(0.0);
    if years < 1.0 || months < 2.0 || freedom < FREEDOM_MIN {
        return None;
    }
    let variance = (past_squares + squares_now) / freedom;
    // Before the first month of this year nothing is known of its own drift.
    let scale = Some(now.iter().map(|m| m.scale).sum()).filter(|sum: &f64| 0.0 < *sum);
    let noise_of = |variance: f64| scale.map(|scale| variance * with_mean / scale);
    let t = student_90(freedom).powi(2);
    let (weight, of_drift) = if years < 2.0 {
        (1.0, noise_of(t * variance)?)
    } else {
        let spread = past.iter().map(|of| mean(of).powi(2)).sum::<f64>() / (years - 1.0) * with_mean;
        let by_past = (student_90(years - 1.0).powi(2) * spread).max(own * own);
        // Without what was measured this year, so that no reading of it can lend weight to another.
        let weight =
            noise_of(past_squares / past_freedom).map_or(0.0, |noise| weight(spread.max(own * own), noise));
        (weight, noise_of(t * variance).map_or(by_past, |of_own| together(of_own, by_past)))
    };
    let half_width = (t * variance * coming * with_mean + coming * coming * of_drift).sqrt();
    Some(Drift { own, weight, half_width })
}

/// A year's departure per unit of scale.
fn mean(months: &[Departure]) -> f64 {
    let scale: f64 = months.iter().map(|m| m.scale).sum();
    if 0.0 < scale { months.iter().map(|m| m.by).sum::<f64>() / scale } else { 0.0 }
}

/// What is left of the months beside their drift, squared, per unit of scale.
fn squares(months: &[Departure], drift: f64) -> f64 {
    let of = |m: &Departure| (m.by - drift * m.scale).powi(2) / m.scale;
    months.iter().filter(|m| 0.0 < m.scale).map(of).sum()
}

/// Share of a drift that is believed: its own variance over all that is seen.
fn weight(spread: f64, noise: f64) -> f64 {
    let all = spread + noise;
    if 0.0 < all { spread / all } else { 1.0 }
}

/// The variance of what two sources know together.
fn together(one: f64, other: f64) -> f64 {
    if one <= 0.0 || other <= 0.0 { 0.0 } else { 1.0 / (1.0 / one + 1.0 / other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn months(by: &[f64]) -> Vec<Departure> {
        by.iter().map(|by| Departure { by: *by, scale: 100.0 }).collect()
    }

    #[test]
    fn one_year_needs_three_months_beside_it() {
        let past = [months(&[0.0; 12])];
        assert_eq!(drift(&past, &months(&[5.0, 5.0]), 100.0), None);
        assert_eq!(drift(&[], &months(&[5.0; 6]), 100.0), None);
        let found = drift(&past, &months(&[10.0, 8.0, 12.0]), 100.0).unwrap();
        assert!((found.expected() - 0.1).abs() < 1e-12, "{found:?}");
        // Scatter 2 a month of scale 100: variance 0.04 a unit of scale, halved for the past year's own noise.
        let (t, variance) = (student_90(2.0), 0.02_f64);
        let wanted = t * (variance * 100.0 * 2.0 + 100.0 * 100.0 * variance * 2.0 / 300.0).sqrt();
        assert!((found.half_width - wanted).abs() < 1e-9, "{found:?} {wanted}");
    }

    #[test]
    fn a_year_like_the_others_has_no_drift_and_no_band_where_nothing_varies() {
        let past = [months(&[0.0; 12]), months(&[0.0; 12])];
        let found = drift(&past, &months(&[0.0; 5]), 700.0).unwrap();
        assert_eq!((found.expected(), found.half_width), (0.0, 0.0));
        let before = drift(&past, &[], 1200.0).unwrap();
        assert_eq!((before.expected(), before.half_width, before.weight), (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_plant_that_failed_is_believed_and_a_little_noise_is_not() {
        let noisy = |sign: f64| {
            let by: Vec<f64> = (0..12).map(|m| if m % 2 == 0 { 3.0 * sign } else { -2.0 * sign }).collect();
            months(&by)
        };
        let past = [noisy(1.0), noisy(-1.0)];
        let failed = drift(&past, &months(&[-51.0, -49.0, -50.0]), 900.0).unwrap();
        assert!(failed.expected() < -0.49, "{failed:?}");
        let usual = drift(&past, &months(&[-0.5]), 1100.0).unwrap();
        assert!(-0.002 < usual.expected() && usual.expected() < 0.0, "{usual:?}");
    }

    #[test]
    fn a_lower_month_never_raises_what_is_expected() {
        let past = [months(&[4.0, -4.0, 2.0, -1.0]), months(&[-4.0, 4.0, -2.0, 2.0])];
        for others in [[-60.0, 1.0], [0.0, 0.0], [3.0, 20.0], [-5.0, 4.0]] {
            let at = |by: f64| drift(&past, &months(&[by, others[0], others[1]]), 900.0).unwrap().expected();
            let mut last = f64::NEG_INFINITY;
            for step in -100..=100 {
                let now = at(f64::from(step));
                assert!(last <= now, "{step} {others:?}");
                last = now;
            }
        }
    }
}
