//! Axes: round steps over the values, zero always on a column's axis.
//!
//! Must never: give an axis of no length or a tick that is no number.

/// A linear axis with its ticks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) ticks: Vec<f64>,
    /// Decimals that tell every tick from its neighbour.
    pub(super) decimals: usize,
}

/// About this many steps are aimed at.
const STEPS_WANTED: f64 = 5.0;
/// Beyond this a value is taken for an error, so that no axis overflows.
const VALUE_MAX: f64 = 1e15;

impl Scale {
    /// An axis over the finite `values` and zero, ending on round steps. Without values: 0 to 1.
    pub(super) fn over(values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for value in values.filter(|v| v.is_finite() && v.abs() <= VALUE_MAX) {
            low = low.min(value);
            high = high.max(value);
        }
        if high - low < f64::MIN_POSITIVE {
            return Self { from: 0.0, to: 1.0, ticks: vec![0.0, 1.0], decimals: 0 };
        }
        Self::stepped(low, high, round_step((high - low) / STEPS_WANTED))
    }

    /// The same over counts: there is no half of one.
    pub(super) fn of_counts(values: impl Iterator<Item = f64>) -> Self {
        let high = values.filter(|v| v.is_finite() && v.abs() <= VALUE_MAX).fold(1.0, f64::max);
        let step = round_step(high / STEPS_WANTED).max(1.0);
        // Of the round steps only 2.5 is not whole.
        Self::stepped(0.0, high, if step.fract() == 0.0 { step } else { 2.0 * step })
    }

    fn stepped(low: f64, high: f64, step: f64) -> Self {
        let first = (low / step + 1e-9).floor();
        let last = (high / step - 1e-9).ceil();
        let decimals = decimals(step);
        #[expect(clippy::cast_possible_truncation, reason = "first and last are at most twenty steps apart")]
        let ticks = (first as i64..=last as i64).map(|i| i as f64 * step).collect();
        Self { from: first * step, to: last * step, ticks, decimals }
    }

    /// Where `value` lies between the ends, 0 to 1; clamped.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

/// The smallest of 1, 2, 2.5, 5 × 10^n that is not below `raw`.
fn round_step(raw: f64) -> f64 {
    let magnitude = 10_f64.powf(raw.log10().floor());
    [1.0, 2.0, 2.5, 5.0]
        .into_iter()
        .map(|m| m * magnitude)
        .find(|step| raw <= step * (1.0 + 1e-9))
        .unwrap_or(10.0 * magnitude)
}

fn decimals(step: f64) -> usize {
    (0..=6)
        .find(|d| {
            let scaled = step * 10_f64.powi(*d as i32);
            (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
        })
        .unwrap_or(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_on_round_steps_and_hold_zero() {
        let scale = Scale::over([3.0, 4_870.0].into_iter());
        assert_eq!(scale.ticks, [0.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0]);
        let scale = Scale::over([-3.0, 9.0].into_iter());
        assert_eq!((scale.from, scale.to), (-5.0, 10.0));
        let scale = Scale::over([0.31].into_iter());
        assert_eq!((scale.to, scale.decimals), (0.4, 1));
        let scale = Scale::over([12.0].into_iter());
        assert_eq!((scale.ticks[1], scale.decimals), (2.5, 1));
    }

    #[test]
    fn counts_have_whole_steps() {
        for (most, ticks) in [(0.0, vec![0.0, 1.0]), (1.0, vec![0.0, 1.0]), (3.0, vec![0.0, 1.0, 2.0, 3.0])] {
            assert_eq!(Scale::of_counts([most].into_iter()).ticks, ticks);
        }
        let scale = Scale::of_counts([12.0].into_iter());
        assert_eq!((scale.ticks[1], scale.decimals), (5.0, 0));
    }

    #[test]
    fn nothing_zero_and_rubbish_still_give_an_axis() {
        for values in [vec![], vec![0.0], vec![f64::NAN, f64::INFINITY], vec![1e300]] {
            let scale = Scale::over(values.into_iter());
            assert_eq!((scale.from, scale.to), (0.0, 1.0));
        }
    }
}
