//! A compared meter's months to come: what it would have used and what it will, under the weather of past years.
//!
//! Must never: tell what is used now where neither a law of it nor a share of the baseline is known.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use model::Month;

use super::coming::{Coming, student_90};
use crate::baseline::Fitted;
use crate::degree_days::DailyMeans;
use crate::evaluate::laws::Laws;
use crate::savings;

/// A meter's months to come: for each past year's weather the use and the baseline, and the use's own variance.
#[derive(Debug, Clone, Default)]
pub(super) struct MeterComing {
    /// By past year.
    pub(super) used: BTreeMap<i32, f64>,
    pub(super) avoided: BTreeMap<i32, f64>,
    /// Half the 90 % band of the use.
    pub(super) half_width: f64,
    /// Part of the use that is only feared, as the mean over the past years: the total stands still, and nobody has
    /// said why.
    pub(super) hidden: f64,
}

impl MeterComing {
    /// The months to come under each past year's weather; `None` where neither a law of what is used now nor a share of
    /// the baseline is known.
    pub(super) fn of(laws: &Laws, coming: &Coming, months: &[Month]) -> Option<Self> {
        let (Some(first), Some(last)) = (months.first(), months.last()) else {
            return Some(Self::default());
        };
        let (from, to) = (first.first_day(), last.end_day());
        let mut out = Self::default();
        let (used, hidden_share) = (Use::of(laws)?, laws.hidden_share());
        for (year, weather) in coming.scenarios() {
            let Some(span) = used.within(laws, weather, from, to) else { continue };
            let hidden = hidden_share * span.before.max(0.0);
            out.used.insert(year, span.energy + hidden);
            out.avoided.insert(year, span.before - span.energy - hidden);
            out.half_width += span.half_width;
            out.hidden += hidden;
        }
        let n = out.used.len() as f64;
        out.half_width /= n;
        out.hidden /= n;
        (!out.used.is_empty()).then_some(out)
    }
}

/// Some days under one year's weather, in display units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// By the baseline, with people's adjustments.
    pub(super) before: f64,
    /// By what is used now, and half its 90 % band.
    pub(super) energy: f64,
    half_width: f64,
}

/// How what is used now is known.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use<'a> {
    /// By a law of its own.
    Law(&'a Fitted),
    /// As a share of the baseline, from the months so far; its error as a share of the energy to come.
    Share { share: f64, half_width_per_energy: f64 },
}

/// Fewest months from which a share is taken.
const SHARE_MONTHS_MIN: usize = 3;

impl<'a> Use<'a> {
    pub(super) fn of(laws: &'a Laws) -> Option<Self> {
        if let Some(law) = laws.reporting.as_deref() {
            return Some(Self::Law(law));
        }
        let months: Vec<(f64, f64)> =
            laws.months.iter().map(|m| (m.adjusted.energy, m.measured)).filter(|(b, _)| 0.0 < *b).collect();
        let (before, after) = months.iter().fold((0.0, 0.0), |(b, a), m| (b + m.0, a + m.1));
        if months.len() < SHARE_MONTHS_MIN || before <= 0.0 {
            return None;
        }
        let share = after / before;
        let n = months.len() as f64;
        let squares: f64 = months.iter().map(|(b, a)| (a - share * b).powi(2) / b).sum();
        // Variance of a unit of baseline energy; the sum to come has as many units as energy.
        let variance = squares / (n - 1.0);
        let own = student_90(n - 1.0) * (variance / before).sqrt();
        // Months of one season say little of another: what is not known of them is as much again for each season that
        // is missing.
        let seasons = (12.0 / n).sqrt().max(1.0);
        Some(Self::Share { share, half_width_per_energy: own * (1.0 + n / 12.0).sqrt() * seasons })
    }

    /// The days `[from, to)`; `None` where the weather knows too few of them.
    pub(super) fn within(
        self,
        laws: &Laws,
        weather: &DailyMeans,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Option<Span> {
        let by_person: f64 = laws.adjustments.iter().map(|a| a.within(from, to)).sum();
        let before = match laws.baseline.as_deref() {
            Some(law) => savings::expected(law, weather, from, to)?.energy + by_person,
            None => by_person,
        };
        let (energy, half_width) = match self {
            Self::Law(law) => {
                let of = savings::expected(law, weather, from, to)?;
                (of.energy, savings::half_width(&of))
            }
            Self::Share { share, half_width_per_energy } => (share * before, half_width_per_energy * before),
        };
        Some(Span { before, energy, half_width })
    }
}
