//! Normalised savings of a meter with drivers: both periods' models under a normal year whose weather and drivers are known.
//!
//! Must never: take a day whose driver nobody stated for one without it, or raise the lower bound by drivers that a period
//! never met.

use model::{Finding, Severity};

use super::{Driven, Own, best, met};
use crate::analysis::doubt::Missing;
use crate::analysis::{
    self, Normalised, Question, Reporting, normal_year, unseen_in_year, without_own_model,
};
use crate::baseline::FitPeriod;
use crate::baseline::data::Data;

/// `None` without a normal year, or where the findings say why.
pub(super) fn normalise(
    own: &Own<'_>,
    driven: &Driven,
    compared: Option<&(Reporting, Missing)>,
    findings: &mut Vec<Finding>,
) -> Option<Normalised> {
    let (question, given) = (own.question, own.given);
    let reporting = Data::of(&own.reporting.periods, question.temperatures);
    let year = normal_year(question, &reporting, own.daily, findings)?;
    let unstated = unstated_days(own)?;
    if 0 < unstated {
        findings.push(without_drivers(question, unstated));
        return None;
    }
    findings.extend(unseen_in_year(question, Some(driven.experience), &year));
    let Some(after) = best((question.subject, question.terms), given, &reporting, own.daily, &mut Vec::new())
    else {
        findings.push(without_own_model(question));
        return None;
    };
    let (compared, missing) = compared?;
    let both = Both { own, driven, year: &year };
    let (normalised, told) = both.between(&after, &reporting);
    findings.extend(told);
    let filled = filled(own, missing).and_then(|data| {
        let after = best((question.subject, question.terms), given, &data, own.daily, &mut Vec::new())?;
        Some(both.between(&after, &data).0)
    });
    Some(normalised.less_sure(compared, (missing, filled), [question.reporting, question.normal?.1]))
}

/// The reporting periods with what is missing at the most that it may have used, as far as its drivers are stated.
fn filled(own: &Own<'_>, missing: &Missing) -> Option<Data> {
    let stated = |p: &FitPeriod| own.given.iter().all(|d| d.sum(p.from, p.to).is_some());
    let stated =
        Missing { at_most: missing.at_most.iter().copied().filter(stated).collect(), ..Missing::default() };
    analysis::filled(own.reporting, &stated, own.question.temperatures)
}

/// The baseline's model under the normal year.
struct Both<'a> {
    own: &'a Own<'a>,
    driven: &'a Driven,
    year: &'a Data,
}

impl Both<'_> {
    /// Against a model of the reporting period, fitted on `reporting`. Each counts its drivers as far as its own period met
    /// them; what they are beyond is told.
    fn between(&self, after: &Driven, reporting: &Data) -> (Normalised, Vec<Finding>) {
        let Self { own, driven, year } = *self;
        let (question, given) = (own.question, own.given);
        let about = format!("{} normal year", question.subject);
        let first = met::beyond(&about, driven, given, [own.baseline, year], |_| true);
        let second = met::beyond(&about, after, given, [reporting, year], |_| true);
        let mut predicted = [driven, after].map(|model| model.predict(year, given));
        let variances = [first.variance, second.variance];
        predicted.iter_mut().zip(variances).for_each(|(of, variance)| of.model_variance += variance);
        let mut normalised = Normalised::between(predicted, question.confidence);
        normalised.savings_low -= first.raised + second.lowered;
        let told = if first.findings.is_empty() { second.findings } else { first.findings };
        (normalised, told)
    }
}

/// Days of the normal year on which a driver has no value; `None` without such a year.
fn unstated_days(own: &Own<'_>) -> Option<usize> {
    let (_, window) = own.question.normal?;
    let days = window.from.iter_days().take_while(|day| *day < window.to);
    let unstated = |day: &chrono::NaiveDate| own.given.iter().any(|d| !d.days.contains_key(day));
    Some(days.filter(unstated).count())
}

fn without_drivers(question: &Question<'_>, days: usize) -> Finding {
    let says = format!(
        "on {days} days of the normal year a driver has no value, so nothing was normalised; state the drivers for all of \
         its days"
    );
    let rule = "IPMVP, normalised savings: a fixed set of conditions over a full cycle";
    Finding::new("normal.driver_missing", Severity::Caution, question.subject, says, rule).with("days", days)
}
