//! Whether there is enough to fit a baseline on, and whether the fit is good enough, as findings with their rule.
//!
//! Must never: drop a period without saying so, or pass too little for enough.

use chrono::NaiveDate;
use model::{Finding, Severity};

use super::FitPeriod;
use crate::degree_days::{DailyMeans, DegreeDayDefinition};
use crate::evaluate::COVERAGE_MIN;
use crate::result::BaselineModel;

/// Fewest days of baseline: a year less 37 days, CalTRACK 2.0 §2.2.1.2.
pub const DAYS_MIN: f64 = 328.0;

/// Fewest periods: a year of two-monthly bills.
pub const PERIODS_MIN: usize = 6;

/// No method can do with fewer.
const PERIODS_LEAST: usize = 3;

/// Fewer periods than this, and the finding says that the fit is less certain.
const PERIODS_WANTED: usize = 12;

/// Longest period that still resolves the seasons, in days: CalTRACK 2.0 §2.2.3.5 (two-monthly bills).
const PERIOD_DAYS_MAX: f64 = 70.0;

/// ASHRAE Guideline 14, prescriptive path with 12 to 60 months of data.
const CVRMSE_MAX: f64 = 0.25;

/// The periods that lie in the baseline and were measured, in order of time.
pub(crate) fn screen(
    periods: &[FitPeriod],
    temperatures: &DailyMeans,
    (from, to): (NaiveDate, NaiveDate),
    subject: &str,
    findings: &mut Vec<Finding>,
) -> Vec<FitPeriod> {
    let mut usable: Vec<FitPeriod> = Vec::new();
    let (mut lacking_weather, mut lacking_days) = (0, 0);
    for p in periods.iter().filter(|p| from <= p.from && p.to <= to && p.from < p.to) {
        let weather = temperatures.heating(DegreeDayDefinition::to_base(0.0), p.from, p.to);
        if p.coverage_ratio < COVERAGE_MIN {
            findings.push(dropped(subject, p, "too little of it was measured", "CalTRACK 2.0 §2.2.1.2"));
        } else if PERIOD_DAYS_MAX < p.days() {
            findings.push(dropped(subject, p, "it is longer than 70 days", "CalTRACK 2.0 §2.2.3.5"));
        } else if weather.coverage_ratio() < COVERAGE_MIN {
            lacking_weather += 1;
            lacking_days += weather.missing_days + weather.unadjusted_days;
        } else {
            usable.push(*p);
        }
    }
    if 0 < lacking_weather {
        let says = format!(
            "{lacking_weather} baseline periods were left out: {lacking_days} of their days have no temperature"
        );
        let about = format!("{subject} baseline");
        let rule = "CalTRACK 2.0 §2.2.3.2: temperatures for 90 % of a period";
        findings.push(
            Finding::new("weather.missing", Severity::Caution, about, says, rule)
                .with("days", lacking_days)
                .with("periods", lacking_weather),
        );
    }
    usable.sort_by_key(|p| (p.from, p.to));
    usable
}

fn dropped(subject: &str, p: &FitPeriod, why: &str, rule: &'static str) -> Finding {
    let says = format!("the baseline period from {} to {} was left out: {why}", p.from, p.to);
    let about = format!("{subject} {}", p.from);
    Finding::new("baseline.period_dropped", Severity::Caution, about, says, rule)
        .with("from", p.from)
        .with("to", p.to)
        .with("days", p.days())
        .with("coverage_percent", format!("{:.1}", p.coverage_ratio * 100.0))
}

/// Whether the usable periods carry a baseline. Less than a year is to do with a method that is made for it.
pub(crate) fn enough(
    usable: &[FitPeriod],
    less_is_accepted: bool,
    subject: &str,
    findings: &mut Vec<Finding>,
) -> bool {
    // An empty sum of binary fractions is minus zero.
    let days = usable.iter().map(FitPeriod::days).sum::<f64>() + 0.0;
    let n = usable.len();
    let whole = DAYS_MIN <= days && PERIODS_MIN <= n;
    let enough = whole || (less_is_accepted && PERIODS_LEAST <= n);
    if whole && PERIODS_WANTED <= n {
        return true;
    }
    let severity = if enough { Severity::Caution } else { Severity::Blocks };
    let says = format!(
        "the baseline has {n} usable periods of {days} days in all; 12 periods and 328 days are wanted"
    );
    findings.push(
        Finding::new(
            "baseline.short",
            severity,
            format!("{subject} baseline"),
            says,
            "CalTRACK 2.0 §2.2.1.1 and §2.2.1.2",
        )
        .with("periods", n)
        .with("days", days)
        .with("periods_wanted", PERIODS_WANTED)
        .with("days_wanted", DAYS_MIN),
    );
    enough
}

/// Days of the periods used that have no temperature to be relied on, where the model depends on them.
pub(crate) fn prorated(
    usable: &[FitPeriod],
    temperatures: &DailyMeans,
    model: &BaselineModel,
    subject: &str,
) -> Option<Finding> {
    if !model.follows_weather() {
        return None;
    }
    let unknown = usable.iter().map(|p| {
        let weather = temperatures.heating(DegreeDayDefinition::to_base(0.0), p.from, p.to);
        weather.missing_days + weather.unadjusted_days
    });
    let days: u32 = unknown.clone().sum();
    let periods = unknown.filter(|days| 0 < *days).count();
    let says = format!(
        "{days} days in {periods} baseline periods have no temperature of their own; they count at the mean of the \
         others or at the neighbour's value, and as extreme as they may have been in the lower bound"
    );
    let rule =
        "CalTRACK 2.0 §2.2.3.2: temperatures for 90 % of a period; conservative direction for the others";
    (0 < days).then(|| {
        Finding::new("weather.prorated", Severity::Caution, format!("{subject} baseline"), says, rule)
            .with("days", days)
            .with("periods", periods)
    })
}

/// What is to be said of a fitted model.
pub(crate) fn judge(model: &BaselineModel, subject: &str, findings: &mut Vec<Finding>) {
    let about = format!("{subject} baseline");
    let cvrmse_percent = format!("{:.1}", model.quality.cvrmse_ratio * 100.0);
    if CVRMSE_MAX < model.quality.cvrmse_ratio {
        let says = format!(
            "the model follows the baseline period loosely: CV(RMSE) is {cvrmse_percent} %, 25 % is the limit"
        );
        let rule = "ASHRAE Guideline 14-2014, prescriptive path: CV(RMSE) at most 25 % with 12 to 60 months";
        findings.push(
            Finding::new("fit.weak", Severity::Caution, about, says, rule)
                .with("cvrmse_percent", cvrmse_percent)
                .with("limit_percent", 25),
        );
    }
}
