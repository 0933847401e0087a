//! Baseline bills that are far too high together: each lets the other pass, and both become a saving.
//!
//! Must never: raise a bound, or change what the baseline is taken to be; a person decides that.
//!
//! The bills of the highest use per day, two or three, are left out together. Where the law of the others, with its band,
//! is left by every one of them, the lower bound is no higher than that law says.

use model::{Finding, Severity};

use super::{Question, Reporting, choose, compare, doubt, screen};
use crate::baseline::data::Data;
use crate::baseline::fit::{Fit, Prediction};
use crate::degree_days::unusual::Unusual;

/// Bills that may be too high together.
const TOGETHER: std::ops::RangeInclusive<usize> = 2..=3;
/// Each uses at least so many times as much as the others lead to expect, and leaves their band so many times.
const TIMES: f64 = 1.4;
const BANDS: f64 = 1.5;
/// Fewest bills that are left, and most that are looked at.
const LEFT_MIN: usize = 6;
const BILLS_MAX: usize = 40;
/// The highest bills stand out where the last of them uses so many times as much a day as the next, or as much.
const STANDS_OUT: f64 = 1.15;

/// What is compared.
pub(super) struct Case<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) fit: &'a Fit,
    pub(super) baseline: &'a Data,
    pub(super) reporting: &'a Data,
    /// Weather of the whole reporting window.
    pub(super) window: &'a Data,
    /// What the lower bound does without beside the band and what is missing.
    pub(super) lost: f64,
    pub(super) unusual: &'a Unusual,
}

/// The comparison with the lower bound that it has without the bills that are too high, which are told.
pub(super) fn without(
    case: &Case<'_>,
    compared: Reporting,
    screened: &screen::Screened,
    findings: &mut Vec<Finding>,
) -> Reporting {
    let mut lowest = compared;
    let mut told = 0;
    for together in TOGETHER {
        let Some(others) = case.without_highest(together) else { continue };
        let prediction = others.predict_within(case.reporting, case.window);
        // What is missing is held against the same law: the fit's would take its own excess off it.
        let missing = doubt::missing(case.question, (screened, false), Some((&others, case.unusual)));
        let other = compare(&prediction, screened, case.lost + missing.lost, case.question.confidence);
        told = together;
        if other.avoided_low < lowest.avoided_low {
            lowest.avoided_low = other.avoided_low;
            lowest.window_low = lowest.window_low.min(other.window_low);
        }
    }
    if 0 < told && !findings.iter().any(|f| f.code == "energy.extreme") {
        let says = format!(
            "{told} baseline bills used far more than the others lead to expect; the lower bound is no higher than without \
             them; a person should look"
        );
        let rule = "CalTRACK 2.0 §2.3.6; conservative direction: what is garbled never becomes a saving";
        let about = format!("{} baseline", case.question.subject);
        findings
            .push(Finding::new("energy.extreme", Severity::Caution, about, says, rule).with("periods", told));
    }
    lowest
}

impl Case<'_> {
    /// The law of the other bills, where so many of the highest all leave it.
    fn without_highest(&self, together: usize) -> Option<Fit> {
        let rows = self.baseline.rows();
        if rows.len() < LEFT_MIN.max(2 * together) + together || BILLS_MAX < rows.len() {
            return None;
        }
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|a, b| rows[*b].energy_per_day().total_cmp(&rows[*a].energy_per_day()));
        let (high, rest) = order.split_at(together);
        let (last, next) = (high.last()?, rest.first()?);
        if rows[*last].energy_per_day() < STANDS_OUT * rows[*next].energy_per_day() {
            return None;
        }
        let others = choose::again(self.question, self.fit, &self.baseline.only(|i| rest.contains(&i)))?;
        let dropped = self.baseline.only(|i| high.contains(&i));
        let is_high = |(row, of): (&crate::baseline::data::Row, Prediction)| {
            let band = BANDS * of.half_width(self.question.confidence);
            TIMES * of.energy < row.energy && band < row.energy - of.energy
        };
        let all = dropped.rows().iter().zip(others.predict_each(&dropped)).all(is_high);
        all.then_some(others)
    }
}
