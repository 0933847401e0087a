//! Hours that are hardly those of the meter: zeros, next to zeros and refunds that the baseline never had in that hour of
//! the week, and values far below their neighbours.
//!
//! Must never: join an hour to a day without having looked at it, or doubt one twice.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveDateTime};
use model::{Finding, Severity};

use super::super::doubt;
use super::super::scattered::{self, Share};
use super::CivilHour;
use crate::baseline::towt::Towt;

/// Shortest run of zeros that is looked at, in hours: a night is none.
const ZERO_RUN_MIN: usize = 24;
/// A zero is of no matter below this share of the mean use of an hour.
const ZERO_SHARE: f64 = 0.01;
/// Less than this share of the mean expectation is no measure of an hour's level.
const LITTLE: f64 = 0.1;

const RULE: &str = "conservative direction: what is missing or garbled never becomes a saving";

/// Hours of the reporting period that are doubted.
#[derive(Debug, Default)]
pub(super) struct Doubted {
    /// What they would have used and did not, in display units. What one gives back is counted elsewhere.
    pub(super) energy: f64,
    pub(super) findings: Vec<Finding>,
    hours: BTreeSet<NaiveDateTime>,
}

impl Doubted {
    /// Of the hours that are compared. Both in order of time.
    pub(super) fn of(subject: &str, model: &Towt, before: &[&CivilHour], compared: &[&CivilHour]) -> Self {
        let mut doubted = Self::default();
        let about = format!("{subject} reporting");
        let negative: Vec<&CivilHour> = compared.iter().copied().filter(|h| h.energy < 0.0).collect();
        doubted.findings.extend(refunds(&about, &negative));
        let gives_back = of_week(before, |h| h.energy < 0.0);
        doubted.take(model, negative.into_iter().filter(|h| !gives_back.contains(&h.of_week())));
        let zeros = idle(model, before, compared);
        doubted.take(model, zeros.iter().copied());
        let says = "used nothing, or next to nothing, in runs longer than the baseline ever had, or where it never did";
        doubted.findings.extend(told(&about, "reporting.zero_hours", &zeros, says));
        let low = doubted.low(model, before, compared);
        doubted.take(model, low.iter().copied());
        let says =
            "used far less than the hours around them, more often or deeper than the baseline ever did";
        doubted.findings.extend(told(&about, "reporting.doubtful_hours", &low, says));
        doubted
    }

    pub(super) fn contains(&self, hour: &CivilHour) -> bool {
        self.hours.contains(&hour.at)
    }

    fn take<'h>(&mut self, model: &Towt, hours: impl Iterator<Item = &'h CivilHour>) {
        for h in hours {
            self.energy += (expected(model, h) - h.energy.max(0.0)).max(0.0);
            self.hours.insert(h.at);
        }
    }

    /// Far below their neighbours, what is doubted already aside.
    fn low<'h>(&self, model: &Towt, before: &[&CivilHour], compared: &[&'h CivilHour]) -> Vec<&'h CivilHour> {
        let mean = before.iter().map(|h| h.energy).sum::<f64>() / before.len() as f64;
        let share = |h: &&CivilHour| {
            let of = expected(model, h);
            let ratio = if LITTLE * mean < of && !self.contains(h) { h.energy / of } else { f64::NAN };
            Share { at: (h.at - NaiveDateTime::default()).num_hours(), ratio }
        };
        let (before, now): (Vec<Share>, Vec<Share>) =
            (before.iter().map(share).collect(), compared.iter().map(share).collect());
        let doubted = scattered::far_below(&before, &now, &scattered::OF_HOURS);
        compared.iter().zip(doubted).filter(|(_, doubted)| *doubted).map(|(h, _)| *h).collect()
    }
}

fn expected(model: &Towt, hour: &CivilHour) -> f64 {
    model.hour(hour.of_week(), hour.outdoor_c).unwrap_or(0.0).max(0.0)
}

fn of_week(hours: &[&CivilHour], which: impl Fn(&CivilHour) -> bool) -> BTreeSet<usize> {
    hours.iter().filter(|h| which(h)).map(|h| h.of_week()).collect()
}

/// Hours at zero, and those of next to nothing.
fn idle<'h>(model: &Towt, before: &[&CivilHour], compared: &[&'h CivilHour]) -> Vec<&'h CivilHour> {
    let is_zero = |h: &CivilHour| h.energy == 0.0;
    let is_nothing = |h: &CivilHour| (0.0..=doubt::NOTHING * expected(model, h)).contains(&h.energy);
    let zeros = unusual(model, before, compared, is_zero);
    let nothings = unusual(model, before, compared, is_nothing);
    let either = zeros.into_iter().zip(nothings).map(|(zero, nothing)| zero || nothing);
    compared.iter().zip(either).filter(|(_, idle)| *idle).map(|(h, _)| *h).collect()
}

/// Which are in runs of idle hours longer than any that the baseline had, or idle in an hour of the week in which it never
/// was.
fn unusual(
    model: &Towt,
    before: &[&CivilHour],
    compared: &[&CivilHour],
    is_idle: impl Fn(&CivilHour) -> bool,
) -> Vec<bool> {
    let runs = before.chunk_by(|a, b| is_idle(a) == is_idle(b)).filter(|run| is_idle(run[0]));
    let longest = runs.map(<[&CivilHour]>::len).max().unwrap_or(0);
    let mean = before.iter().map(|h| h.energy).sum::<f64>() / before.len() as f64;
    let usual = of_week(before, &is_idle);
    let mut found = Vec::with_capacity(compared.len());
    for run in compared.chunk_by(|a, b| is_idle(a) == is_idle(b)) {
        let long = longest.max(ZERO_RUN_MIN - 1) < run.len();
        let never = |h: &CivilHour| !usual.contains(&h.of_week()) && ZERO_SHARE * mean < expected(model, h);
        found.extend(run.iter().map(|h| is_idle(h) && (long || never(h))));
    }
    found
}

fn refunds(about: &str, hours: &[&CivilHour]) -> Option<Finding> {
    let (first, n) = (hours.first()?.at.date(), hours.len());
    let says = format!(
        "{n} reporting hours, the first on {first}, have a negative value: a refund, or production behind the meter"
    );
    let rule = "CalTRACK 2.0 §2.3.5; what is given back never raises the lower bound of a saving";
    let finding = Finding::new("energy.negative", Severity::Caution, about, says, rule);
    Some(finding.with("periods", n).with("from", first))
}

fn told(about: &str, code: &'static str, hours: &[&CivilHour], what: &str) -> Option<Finding> {
    let first: NaiveDate = hours.first()?.at.date();
    let says = format!(
        "{} hours, the first on {first}, {what}; the lower bound counts no saving in them; confirm or correct them",
        hours.len()
    );
    let finding = Finding::new(code, Severity::Caution, about, says, RULE);
    Some(finding.with("hours", hours.len()).with("from", first))
}
