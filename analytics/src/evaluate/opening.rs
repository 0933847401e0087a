//! What the opening calendar of a building does to a meter's figures, told beside them.
//!
//! Must never: compare a month whose opening nobody stated, or let a calendar raise a saving unsaid.

use chrono::NaiveDate;
use model::{BaseUnit, Finding, Month, Severity};

use crate::analysis::driven;
use crate::baseline::Fitted;
use crate::baseline::data::Data;
use crate::baseline::driving::Driving;
use crate::baseline::fitted::weather_of;
use crate::degree_days::DailyMeans;
use crate::normalise::Adjusted;
use crate::result::MonthDriver;

/// Effects under this share of the adjusted baseline are not told; under the second a year's weekdays and holidays, which
/// fall otherwise than another's, are reason enough.
const EFFECT_MIN: f64 = 0.001;
const EFFECT_USUAL: f64 = 0.01;

/// What the opening of a period makes of the adjusted baseline; none where a day of it is not stated.
pub(super) fn of_month(driving: &Driving, from: NaiveDate, to: NaiveDate) -> Vec<MonthDriver> {
    if 0 < driving.unstated_days(from, to) {
        return Vec::new();
    }
    let sums = driving.sums(from, to);
    let shown = driving.terms.iter().zip(sums);
    shown
        .map(|(term, sum)| MonthDriver { driver: term.driver, sum, energy: term.coefficient * sum })
        .collect()
}

/// Days of a reporting month whose opening the baseline needs and nobody stated.
pub(super) fn missing(days: u32, month: Month, about: &str) -> Option<Finding> {
    let says = format!(
        "{days} days of the month are in no entry of the building's opening calendar, which the baseline follows; the \
         month is withheld"
    );
    let rule = "conservative direction: what is missing is not compared";
    (0 < days).then(|| {
        Finding::new("calendar.missing", Severity::Blocks, about, says, rule)
            .with("days", days)
            .with("month", month)
    })
}

/// How much more energy the opening of the compared months gives the adjusted baseline than the baseline's own in the
/// same months would.
pub(super) fn raises(
    compared: impl Iterator<Item = Adjusted>,
    unit: BaseUnit,
    subject: &str,
) -> Option<Finding> {
    let (effect, whole) = compared.fold((0.0, 0.0), |(e, w), a| (e + a.calendar_effect, w + a.energy));
    let energy = format!("{effect:.1}");
    let symbol = unit.display().symbol();
    let says = format!(
        "the building's calendar states more opening than the baseline had in the same months: it adds {energy} \
         {symbol} to the adjusted baseline and raises the saving by as much"
    );
    let rule = "IPMVP: routine adjustments rest on evidence; who checks the report looks at the calendar";
    let severity = if EFFECT_USUAL * whole.abs() < effect { Severity::Caution } else { Severity::Note };
    (EFFECT_MIN * whole.abs() < effect).then(|| {
        Finding::new("calendar.raises", severity, subject, says, rule)
            .with("energy", energy)
            .with("unit", symbol)
    })
}

/// Openings beyond what the baseline met.
pub(super) fn beyond(
    fitted: &Fitted,
    temperatures: &DailyMeans,
    reporting: &Data,
    subject: &str,
) -> Vec<Finding> {
    if fitted.law.driving.is_none() {
        return Vec::new();
    }
    let baseline = weather_of(temperatures, fitted.model.points.iter().map(|p| (p.from, p.to)));
    driven::beyond_baseline(subject, &fitted.law, &baseline, reporting)
}
