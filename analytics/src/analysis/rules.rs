//! The rules of CalTRACK, ASHRAE Guideline 14 and IPMVP that a result meets or not, each with its paragraph.
//!
//! Must never: withhold a figure because of a rule that another guideline does not have, or pass over one that is not met.

use model::{Finding, Severity};

use super::{DAYS_MIN, Question, Reporting, Window};
use crate::baseline::data::{Data, Row};
use crate::baseline::fit::{Fit, Kind, Prediction, student};

/// A comparison that the rules look at.
pub(crate) struct Case<'a> {
    /// What findings are about.
    pub(crate) subject: &'a str,
    pub(crate) fit: &'a Fit,
    pub(crate) reporting: &'a Data,
    pub(crate) compared: Saving,
    pub(crate) prediction: Prediction,
}

/// The figures of a comparison, in display units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Saving {
    pub(crate) days: f64,
    pub(crate) adjusted_baseline: f64,
    pub(crate) avoided: f64,
    pub(crate) confidence: f64,
}

impl From<Reporting> for Saving {
    fn from(of: Reporting) -> Self {
        let Reporting { days, adjusted_baseline, avoided, confidence, .. } = of;
        Self { days, adjusted_baseline, avoided, confidence }
    }
}

/// A baseline that the rules look at.
pub(super) struct Basis<'a> {
    pub(super) subject: &'a str,
    pub(super) window: Window,
    pub(super) fit: &'a Fit,
    pub(super) data: &'a Data,
    /// Whether its rows are days.
    pub(super) daily: bool,
}

/// A year of twelve bills, which are as a rule a few days short of or beyond 365.
const YEAR_DAYS: f64 = 350.0;
/// A year of bills that are a few days beyond 365, and a year between the baseline and the reporting period.
const LONG_DAYS: f64 = 380.0;
const GAP_DAYS: i64 = 365;
/// ASHRAE Guideline 14-2014, prescriptive path: most CV(RMSE) with under 12, 12 to 60, and over 60 reporting months.
const CVRMSE_MAX: [f64; 3] = [0.20, 0.25, 0.30];
/// The same: net determination bias.
const BIAS_MAX: f64 = 0.000_05;
/// Of an average of laws.
const BIAS_MAX_AVERAGED: f64 = 0.01;
/// The same, and IPMVP Option C: least saving to be seen at the whole meter.
const SAVING_MIN: f64 = 0.1;
/// ASHRAE Guideline 14-2014, performance path: uncertainty under half the saving, at 68 %.
const PERFORMANCE_CONFIDENCE: f64 = 0.68;
/// The same guideline: the model holds to 110 % of the largest baseline value of a variable.
const RANGE: f64 = 1.1;
/// Degree days under this are no range of their own, in K.
const RANGE_SLACK_K: f64 = 0.5;
/// A term whose degree days lie in fewer rows than this is a fit of those rows: of bimonthly bills, months, and days.
const ROWS_MIN: [f64; 3] = [2.0, 3.0, 10.0];
/// IPMVP: a coefficient counts when it is more than twice its standard error.
const T_VALUE_MIN: f64 = 2.0;

fn push(
    findings: &mut Vec<Finding>,
    subject: &str,
    code: &'static str,
    severity: Severity,
    says: String,
    rule: &'static str,
    values: &[(&'static str, String)],
) {
    let mut finding = Finding::new(code, severity, subject, says, rule);
    for (name, value) in values {
        finding = finding.with(name, value);
    }
    findings.push(finding);
}

fn percent(ratio: f64) -> String {
    format!("{:.1}", ratio * 100.0)
}

/// What is to be said of the model itself.
pub(super) fn judge_fit(basis: &Basis<'_>, findings: &mut Vec<Finding>) {
    let &Basis { subject, fit, data, .. } = basis;
    let model = &fit.model;
    if model.kind == Kind::Flat && fit.driving.is_none() {
        let says = "the load does not respond to the weather; the baseline is its mean per day".to_owned();
        let values = [("cvrmse_percent", percent(fit.quality.cvrmse_ratio))];
        push(
            findings,
            subject,
            "fit.flat",
            Severity::Note,
            says,
            "no term is added that the data do not ask for",
            &values,
        );
    }
    let Some((coldest, warmest)) = data.range_c() else { return };
    for (balance_c, heating) in [(model.heating_balance_c, true), (model.cooling_balance_c, false)] {
        let Some(balance_c) = balance_c.filter(|_| model.kind != Kind::Linear) else { continue };
        if balance_c < coldest || warmest < balance_c {
            let says = format!(
                "the balance point of {balance_c:.1} °C lies outside the baseline's days of {coldest:.1} to {warmest:.1} °C: the data have none, and any other beyond predicts the same"
            );
            let values = [
                ("balance_c", format!("{balance_c:.1}")),
                ("coldest_c", format!("{coldest:.1}")),
                ("warmest_c", format!("{warmest:.1}")),
            ];
            push(
                findings,
                subject,
                "fit.balance_outside",
                Severity::Caution,
                says,
                "CalTRACK 2.0 §3.2.1 tries balance points whether or not there are such days",
                &values,
            );
        }
        few_degree_days(basis, heating, findings);
    }
    short(subject, basis.window, data, findings);
}

/// A slope that one or two periods carry.
fn few_degree_days(basis: &Basis<'_>, heating: bool, findings: &mut Vec<Finding>) {
    let &Basis { subject, fit, data, daily, .. } = basis;
    let (mut sum, mut squares) = (0.0, 0.0);
    for row in data.rows() {
        let (h, c) = fit.model.degree_days_per_day(data, row);
        let x = row.days * if heating { h } else { c };
        sum += x;
        squares += x * x;
    }
    let rows = if 0.0 < squares { sum * sum / squares } else { 0.0 };
    let [two_monthly, monthly, days] = ROWS_MIN;
    let wanted = if daily {
        days
    } else if data.len() < 10 {
        two_monthly
    } else {
        monthly
    };
    let term = if heating { "heating" } else { "cooling" };
    if rows < wanted {
        let says = format!(
            "the {term} of the model rests on {rows:.1} periods' degree days; its slope is not to be relied on beyond them"
        );
        let values = [("term", term.to_owned()), ("periods", format!("{rows:.1}"))];
        let rule = "a slope needs more than a few periods with degree days";
        push(findings, subject, "fit.few_degree_days", Severity::Caution, says, rule, &values);
    }
    t_value(subject, fit, heating, findings);
}

/// A slope that may as well be nothing.
fn t_value(subject: &str, fit: &Fit, heating: bool, findings: &mut Vec<Finding>) {
    let Some(member) = fit.members.first().filter(|_| fit.members.len() == 1) else { return };
    let (place, slope, term) = if heating {
        (1, member.model.heating_per_degree_day, "heating")
    } else {
        (2, member.model.cooling_per_degree_day, "cooling")
    };
    let leverage: f64 = member.leverage.0.get(place).and_then(|row| row.get(place)).copied().unwrap_or(0.0);
    let t = slope.abs() / (member.variance_per_day * member.inflation * leverage).sqrt();
    if t < T_VALUE_MIN {
        let says = format!("the {term} slope is {t:.1} times its standard error; twice is asked for");
        let values = [("term", term.to_owned()), ("t", format!("{t:.1}"))];
        let rule = "IPMVP: coefficients with a t-value over 2";
        push(findings, subject, "rule.ipmvp.t_value", Severity::Caution, says, rule, &values);
    }
}

/// Whether the baseline is a year, whatever the method.
pub(super) fn short(subject: &str, window: Window, data: &Data, findings: &mut Vec<Finding>) {
    let days = data.days();
    let missing = window.days() - days;
    if DAYS_MIN <= window.days() && 37.0 < missing && DAYS_MIN <= days {
        let says = format!("{missing} days of the baseline window have no data; CalTRACK allows 37");
        push(
            findings,
            subject,
            "rule.caltrack.days",
            Severity::Caution,
            says,
            "CalTRACK 2.0 §2.2.1.2",
            &[("days", missing.to_string())],
        );
    } else if days < DAYS_MIN {
        let says =
            format!("the baseline has data for {days} days; CalTRACK wants 365, of which 37 may be missing");
        push(
            findings,
            subject,
            "rule.caltrack.days",
            Severity::Caution,
            says,
            "CalTRACK 2.0 §2.2.1.1 and §2.2.1.2",
            &[("days", days.to_string())],
        );
    }
    if days < YEAR_DAYS {
        let says = format!("the baseline has data for {days} days, less than twelve months");
        push(
            findings,
            subject,
            "rule.ashrae14.months",
            Severity::Caution,
            says,
            "ASHRAE Guideline 14-2014, prescriptive path: at least 12 months",
            &[("days", days.to_string())],
        );
        let says = format!("the baseline has data for {days} days, less than a full cycle of operation");
        push(
            findings,
            subject,
            "rule.ipmvp.cycle",
            Severity::Caution,
            says,
            "IPMVP, Option C: the baseline period is a full cycle, usually 12 months",
            &[("days", days.to_string())],
        );
    }
}

/// Whether the baseline is the year immediately before the reporting period, which the methods of CalTRACK take; of another
/// method only a year between the two is told.
pub(super) fn windows(question: &Question<'_>, method: &str, findings: &mut Vec<Finding>) {
    let Question { subject, baseline, reporting, .. } = question;
    let caltrack = method.starts_with("caltrack");
    let days = baseline.days();
    if caltrack && LONG_DAYS < days {
        let says = format!("the baseline window has {days} days; CalTRACK takes the 365 before the works");
        let values = [("days", days.to_string())];
        let rule = "CalTRACK 2.0 §2.2.1.1: a baseline of 365 days";
        push(findings, subject, "rule.caltrack.year", Severity::Caution, says, rule, &values);
    }
    let gap = (reporting.from - baseline.to).num_days();
    if GAP_DAYS <= gap {
        let says = format!(
            "{gap} days lie between the baseline and the reporting period: what the building became in them is in no model"
        );
        let severity = if caltrack { Severity::Caution } else { Severity::Note };
        let values = [("days", gap.to_string())];
        let rule = "CalTRACK 2.0 §2.2.1.1: the baseline is immediately before the works";
        push(findings, subject, "rule.caltrack.gap", severity, says, rule, &values);
    }
}

/// What is to be said of the comparison.
pub(super) fn judge(case: &Case<'_>, data: &Data, findings: &mut Vec<Finding>) {
    tightness(case, data, findings);
    significance(case.subject, case.compared, &case.prediction, findings);
    let degree_days = |data: &Data, row: &Row| case.fit.model.degree_days_per_day(data, row);
    range(case.subject, degree_days, [data, case.reporting], findings);
}

fn tightness(case: &Case<'_>, data: &Data, findings: &mut Vec<Finding>) {
    let days = case.compared.days;
    let [short, medium, long] = CVRMSE_MAX;
    let limit = if days < YEAR_DAYS {
        short
    } else if days <= 5.0 * 366.0 {
        medium
    } else {
        long
    };
    let cvrmse = case.fit.quality.cvrmse_ratio;
    if limit < cvrmse || cvrmse.is_nan() {
        let says = format!(
            "CV(RMSE) is {} %, the limit for {days} reporting days is {} %",
            percent(cvrmse),
            percent(limit)
        );
        let values = [("cvrmse_percent", percent(cvrmse)), ("limit_percent", percent(limit))];
        push(
            findings,
            case.subject,
            "rule.ashrae14.cvrmse",
            Severity::Caution,
            says,
            "ASHRAE Guideline 14-2014, prescriptive path: CV(RMSE) 20, 25 or 30 % with under 12, 12 to 60 or over 60 reporting months",
            &values,
        );
    }
    bias(case, data, findings);
}

/// What the model misses of the baseline's own total. Least squares miss nothing; an average of laws that doubts a period
/// meets it half way. Of the total itself: `Quality::nmbe_ratio` also takes the degrees of freedom out.
fn bias(case: &Case<'_>, data: &Data, findings: &mut Vec<Finding>) {
    let whole = data.energy();
    let predicted = case.fit.predict(data).energy;
    let bias = if 0.0 < whole { (whole - predicted) / whole } else { 0.0 };
    let (code, limit, rule) = if case.fit.members.len() == 1 {
        let rule = "ASHRAE Guideline 14-2014, prescriptive path: net determination bias under 0.005 %";
        ("rule.ashrae14.bias", BIAS_MAX, rule)
    } else {
        let rule = "an average of laws may miss the baseline's total by 1 %: by more, single periods move it";
        ("fit.bias", BIAS_MAX_AVERAGED, rule)
    };
    if limit <= bias.abs() {
        let says = format!(
            "the model misses the baseline's own total by {:.4} % of it, the limit is {} %",
            bias * 100.0,
            limit * 100.0
        );
        let values = [("bias_percent", format!("{:.4}", bias * 100.0))];
        push(findings, case.subject, code, Severity::Caution, says, rule, &values);
    }
}

/// Whether the saving is large beside its band.
pub(crate) fn significance(
    subject: &str,
    compared: Saving,
    prediction: &Prediction,
    findings: &mut Vec<Finding>,
) {
    let Saving { avoided, adjusted_baseline, confidence, .. } = compared;
    let saving = if 0.0 < adjusted_baseline { avoided / adjusted_baseline } else { 0.0 };
    if saving <= SAVING_MIN {
        let says = format!(
            "the saving is {} % of the adjusted baseline; the whole meter shows savings over 10 % well",
            percent(saving)
        );
        push(
            findings,
            subject,
            "rule.ashrae14.saving",
            Severity::Note,
            says,
            "ASHRAE Guideline 14-2014, prescriptive path, and IPMVP Option C: expected savings over 10 %",
            &[("saving_percent", percent(saving))],
        );
    }
    let at = |confidence: f64| student(confidence, prediction.freedom);
    let deviation = prediction.half_width(confidence) / at(confidence);
    let uncertainty = at(PERFORMANCE_CONFIDENCE) * deviation / avoided.abs();
    if uncertainty.is_nan() || 0.5 <= uncertainty {
        let shown = if uncertainty < 10.0 { percent(uncertainty) } else { "over 1000".to_owned() };
        let says = format!("the uncertainty at 68 % is {shown} % of the saving; under 50 % is asked for");
        push(
            findings,
            subject,
            "rule.ashrae14.uncertainty",
            Severity::Note,
            says,
            "ASHRAE Guideline 14-2014, performance path: uncertainty under 50 % of savings at 68 % confidence",
            &[("uncertainty_percent", shown)],
        );
    }
    if !deviation.is_finite() {
        let says =
            "the baseline has as many parameters as periods: nothing is left to tell a band from".to_owned();
        let rule = "a band needs more periods than parameters";
        push(findings, subject, "band.none", Severity::Blocks, says, rule, &[]);
    }
    if avoided.is_nan() || avoided.abs() <= 2.0 * deviation || deviation.is_nan() {
        let says =
            "the saving is not larger than twice the standard error of the adjusted baseline".to_owned();
        push(
            findings,
            subject,
            "rule.ipmvp.significance",
            Severity::Note,
            says,
            "IPMVP: savings larger than twice the standard error of the baseline value",
            &[],
        );
    }
}

/// Weather of the reporting period that the baseline never saw, by the heating and cooling degree days per day of a row.
pub(super) fn range(
    subject: &str,
    degree_days: impl Fn(&Data, &Row) -> (f64, f64),
    [baseline, reporting]: [&Data; 2],
    findings: &mut Vec<Finding>,
) {
    let largest = |data: &Data| {
        let rows = data.rows().iter().map(|row| degree_days(data, row));
        rows.fold((0.0_f64, 0.0_f64), |m, x| (m.0.max(x.0), m.1.max(x.1)))
    };
    let ((h, c), (heating, cooling)) = (largest(baseline), largest(reporting));
    for (term, before, now) in [("heating", h, heating), ("cooling", c, cooling)] {
        if RANGE * before + RANGE_SLACK_K < now {
            let says = format!(
                "a reporting period had {now:.1} K of {term} a day, the baseline {before:.1} at most; the model goes beyond what it saw"
            );
            let values = [
                ("term", term.to_owned()),
                ("now_k", format!("{now:.1}")),
                ("before_k", format!("{before:.1}")),
            ];
            push(
                findings,
                subject,
                "fit.extrapolated",
                Severity::Caution,
                says,
                "ASHRAE Guideline 14-2014: no variable beyond 110 % of its largest baseline value",
                &values,
            );
        }
    }
}
