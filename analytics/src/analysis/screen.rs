//! Which periods count, and why others do not.
//!
//! Must never: drop a period in silence, refuse a whole meter for one bill, or take what is not known for nothing used.

use chrono::NaiveDate;
use model::{Finding, Severity};

use super::{MeterPeriod, Method, Question, Window};
use crate::baseline::FitPeriod;
use crate::degree_days::{DailyMeans, DegreeDayDefinition};
use crate::evaluate::COVERAGE_MIN;

/// Longest period that still resolves the seasons, in days: CalTRACK 2.0 §2.2.3.5.
const DAYS_MAX: f64 = 70.0;
/// The same for monthly reads, and the shortest read, of the CalTRACK monthly method: §2.2.3.5 and §2.2.3.4.
const MONTHLY_DAYS_MAX: f64 = 35.0;
const READ_DAYS_MIN: f64 = 25.0;
/// Periods beyond the upper quartile by this many times the quartiles' distance are extreme: §2.3.6 (from the median).
const EXTREME_QUARTILES: f64 = 3.0;

/// A year, and by how many days bills of twelve months may be off it.
const YEAR_DAYS: f64 = 365.0;
const YEAR_SLACK_DAYS: f64 = 15.0;

/// Periods that count.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Screened {
    pub(super) periods: Vec<FitPeriod>,
    /// Sum of the negative ones, as a positive amount.
    pub(super) given_back: f64,
    /// Days of the window that are not compared.
    pub(super) missing_days: f64,
    /// Spans of the window without a value.
    pub(super) missing: Vec<(NaiveDate, NaiveDate)>,
    /// Spans of the window in periods that lie only partly in it, each with the whole period's value: nobody knows how
    /// much of it was used within.
    pub(super) crossing: Vec<(NaiveDate, NaiveDate, f64)>,
}

impl Screened {
    /// Counts anew what is missing, after periods were left out.
    pub(super) fn miss(&mut self, question: &Question<'_>, window: Window) {
        let kept: f64 = self.periods.iter().map(FitPeriod::days).sum();
        self.missing_days = window.days() - kept;
        let crossing = question
            .periods
            .iter()
            .filter(|p| p.from < p.to && window.touches(p.from, p.to) && !window.holds(p.from, p.to));
        let within = |p: &MeterPeriod| Some((p.from.max(window.from), p.to.min(window.to), p.value?));
        self.crossing = crossing.filter_map(within).collect();
        let crossing = self.crossing.iter().map(|(from, to, _)| (*from, *to));
        let mut covered: Vec<(NaiveDate, NaiveDate)> =
            self.periods.iter().map(|p| (p.from, p.to)).chain(crossing).collect();
        covered.sort_unstable();
        self.missing.clear();
        let mut from = window.from;
        for (begin, end) in covered.into_iter().chain([(window.to, window.to)]) {
            if from < begin {
                self.missing.push((from, begin.min(window.to)));
            }
            from = from.max(end);
        }
    }
}

/// Whether the file is of days: most of its periods are one day long.
pub(super) fn is_daily(periods: &[MeterPeriod]) -> bool {
    let short = periods.iter().filter(|p| (p.to - p.from).num_days() <= 1).count();
    periods.len() < 2 * short
}

/// The days of both windows joined to months, counted from each window's first day. Days without a value part a month:
/// what is joined follows without a gap.
pub(super) fn months(periods: &[MeterPeriod], windows: [Window; 2]) -> Vec<MeterPeriod> {
    let mut joined: Vec<MeterPeriod> = Vec::new();
    for window in windows {
        let mut end = window.from;
        let mut open: Option<MeterPeriod> = None;
        let mut months = 0;
        for p in periods.iter().filter(|p| window.holds(p.from, p.to)) {
            let begins = end <= p.from;
            while end <= p.from && months < 2_400 {
                months += 1;
                end = window.from.checked_add_months(chrono::Months::new(months)).unwrap_or(window.to);
            }
            let follows = !begins && open.is_some_and(|o| o.to == p.from);
            match (p.value, &mut open) {
                (Some(value), Some(o)) if follows => {
                    o.to = p.to;
                    o.value = o.value.map(|sum| sum + value);
                }
                (Some(_), open) => joined.extend(open.replace(*p)),
                (None, open) => joined.extend(open.take()),
            }
        }
        joined.extend(open);
    }
    joined.sort_by_key(|p| (p.from, p.to));
    joined.dedup();
    joined
}

/// A window's periods with a value, those without counted.
struct Known {
    periods: Vec<FitPeriod>,
    missing_days: i64,
    crossing: usize,
}

fn known(periods: &[MeterPeriod], window: Window) -> Known {
    let mut known = Known { periods: Vec::new(), missing_days: 0, crossing: 0 };
    let mut covered = 0;
    for p in periods.iter().filter(|p| p.from < p.to && window.touches(p.from, p.to)) {
        if !window.holds(p.from, p.to) {
            known.crossing += 1;
            continue;
        }
        if let Some(energy) = p.value {
            covered += (p.to - p.from).num_days();
            known.periods.push(FitPeriod { from: p.from, to: p.to, energy, coverage_ratio: 1.0 });
        }
    }
    known.missing_days = (window.to - window.from).num_days() - covered;
    known
}

pub(super) fn baseline(question: &Question<'_>, daily: bool, findings: &mut Vec<Finding>) -> Screened {
    let known = known(question.periods, question.baseline);
    let mut periods = known.periods;
    tell_crossing(question, "baseline", question.baseline, known.crossing, findings);
    tell_missing(question, "baseline", known.missing_days, question.baseline, findings);
    periods.retain(|p| !drop_by_length(question, p, daily, findings));
    drop_without_weather(question, "baseline", &mut periods, findings);
    tell_values(question.subject, &periods, daily, findings);
    let given_back = given_back(&periods);
    Screened { periods, given_back, missing_days: known.missing_days as f64, ..Screened::default() }
}

pub(super) fn reporting(question: &Question<'_>, findings: &mut Vec<Finding>) -> Screened {
    let known = known(question.periods, question.reporting);
    let mut periods = known.periods;
    tell_crossing(question, "reporting", question.reporting, known.crossing, findings);
    tell_missing(question, "reporting", known.missing_days, question.reporting, findings);
    drop_without_weather(question, "reporting", &mut periods, findings);
    let given_back = given_back(&periods);
    if 0.0 < given_back {
        negative(question.subject, "reporting", &periods, findings);
    }
    if periods.is_empty() {
        let says =
            "no period of the reporting window has both a value and its temperatures; nothing was compared";
        let rule = "CalTRACK 2.0 §3.5: what is missing is not compared";
        findings.push(Finding::new("reporting.empty", Severity::Blocks, question.subject, says, rule));
    }
    let mut screened = Screened { periods, given_back, ..Screened::default() };
    screened.miss(question, question.reporting);
    screened
}

/// What the negative ones give back, as a positive amount.
pub(super) fn given_back(periods: &[FitPeriod]) -> f64 {
    periods.iter().map(|p| (-p.energy).max(0.0)).sum()
}

fn tell_crossing(
    question: &Question<'_>,
    what: &'static str,
    window: Window,
    n: usize,
    findings: &mut Vec<Finding>,
) {
    if n == 0 {
        return;
    }
    let says = format!(
        "{n} periods lie only partly within the {what} window from {} to {} and were left out; set its ends to the periods' own",
        window.from, window.to
    );
    let rule = "a period is never split: nobody knows how its energy was spread";
    findings.push(
        Finding::new("window.crossed", Severity::Caution, about(question, what), says, rule)
            .with("periods", n)
            .with("from", window.from)
            .with("to", window.to),
    );
}

fn about(question: &Question<'_>, what: &str) -> String {
    format!("{} {what}", question.subject)
}

fn tell_missing(
    question: &Question<'_>,
    what: &'static str,
    days: i64,
    window: Window,
    findings: &mut Vec<Finding>,
) {
    if days <= 0 {
        return;
    }
    let says =
        format!("{days} of {} days of the {what} window have no value; they are not compared", window.days());
    let rule = "CalTRACK 2.0 §3.5: what is missing is not compared";
    findings.push(
        Finding::new("window.missing", Severity::Note, about(question, what), says, rule)
            .with("days", days)
            .with("of", window.days()),
    );
}

/// Ends that are the last day counted, where the file wants the first day after: a day missing between most periods.
pub(super) fn tell_inclusive(question: &Question<'_>, findings: &mut Vec<Finding>) {
    let of = question.periods.len().saturating_sub(1);
    let hole =
        |pair: &[MeterPeriod]| pair[0].to < pair[1].from && pair[0].to.succ_opt() == Some(pair[1].from);
    let holes = question.periods.windows(2).filter(|pair| hole(pair)).count();
    if of < 4 || 2 * holes <= of {
        return;
    }
    let says = format!(
        "a day is missing between {holes} of {of} periods and the next: period_end is the first day after a period; if \
         the file has the last day counted, move it by one"
    );
    let rule = "a period ends on the day on which the next begins";
    findings.push(
        Finding::new("window.inclusive", Severity::Caution, question.subject, says, rule)
            .with("holes", holes)
            .with("of", of),
    );
}

/// A reporting period that is over before the baseline begins.
pub(super) fn tell_order(subject: &str, [baseline, reporting]: [Window; 2], findings: &mut Vec<Finding>) {
    if baseline.from < reporting.to {
        return;
    }
    let says = format!(
        "the reporting period from {} lies before the baseline from {}: were the two taken for each other?",
        reporting.from, baseline.from
    );
    let rule = "IPMVP: the baseline is before the works, the reporting period after them";
    findings.push(
        Finding::new("window.reversed", Severity::Caution, subject, says, rule)
            .with("reporting", reporting.from)
            .with("baseline", baseline.from),
    );
}

/// A reporting period that is no year: what the rest of the year used is in no figure.
pub(super) fn tell_year(subject: &str, window: Window, findings: &mut Vec<Finding>) {
    let days = window.days();
    let years = (days / YEAR_DAYS).round();
    if YEAR_SLACK_DAYS < (days - years.max(1.0) * YEAR_DAYS).abs() {
        let short = days < YEAR_DAYS;
        let missing = if short { YEAR_DAYS - days } else { 0.0 };
        let says = if short {
            format!(
                "the reporting period from {} to {} has {days} days: {missing:.0} of a year lack, and what they used is \
                 in no figure",
                window.from, window.to
            )
        } else {
            format!(
                "the reporting period from {} to {} has {days} days: no whole years",
                window.from, window.to
            )
        };
        let rule = "IPMVP, Option C: the reporting period is a full cycle, or is said to be none";
        let severity = if short { Severity::Caution } else { Severity::Note };
        findings.push(
            Finding::new("window.not_a_year", severity, format!("{subject} reporting"), says, rule)
                .with("from", window.from)
                .with("to", window.to)
                .with("days", days)
                .with("missing", format!("{missing:.0}")),
        );
    }
}

fn drop_by_length(question: &Question<'_>, p: &FitPeriod, daily: bool, findings: &mut Vec<Finding>) -> bool {
    let days = p.days();
    let caltrack = question.method == Method::CaltrackMonthly && !daily;
    let bimonthly = || {
        let long = question.periods.iter().filter(|p| MONTHLY_DAYS_MAX < (p.to - p.from).num_days() as f64);
        question.periods.len() <= 2 * long.count()
    };
    let (why, rule) = if DAYS_MAX < days {
        ("it is longer than 70 days", "CalTRACK 2.0 §2.2.3.5")
    } else if caltrack && days < READ_DAYS_MIN {
        ("it is shorter than 25 days", "CalTRACK 2.0 §2.2.3.4")
    } else if caltrack && MONTHLY_DAYS_MAX < days && !bimonthly() {
        ("it is longer than 35 days", "CalTRACK 2.0 §2.2.3.5")
    } else {
        return false;
    };
    findings.push(dropped(question, p, why, rule));
    true
}

fn dropped(question: &Question<'_>, p: &FitPeriod, why: &str, rule: &'static str) -> Finding {
    let says = format!("the baseline period from {} to {} was left out: {why}", p.from, p.to);
    let about = format!("{} {}", question.subject, p.from);
    Finding::new("baseline.period_dropped", Severity::Caution, about, says, rule)
        .with("from", p.from)
        .with("to", p.to)
        .with("days", p.days())
        .with("coverage_percent", format!("{:.1}", p.coverage_ratio * 100.0))
}

fn lacks_weather(temperatures: &DailyMeans, from: NaiveDate, to: NaiveDate) -> bool {
    temperatures.heating(DegreeDayDefinition::to_base(0.0), from, to).coverage_ratio() < COVERAGE_MIN
}

fn drop_without_weather(
    question: &Question<'_>,
    what: &'static str,
    periods: &mut Vec<FitPeriod>,
    findings: &mut Vec<Finding>,
) {
    let before = periods.len();
    let mut days = 0.0;
    periods.retain(|p| {
        let lacks = lacks_weather(question.temperatures, p.from, p.to);
        days += if lacks { p.days() } else { 0.0 };
        !lacks
    });
    let dropped = before - periods.len();
    if 0 < dropped {
        let says = format!(
            "{dropped} {what} periods of {days} days have temperatures for less than 90 % of their days and were left out"
        );
        let rule = "CalTRACK 2.0 §2.2.3.2: temperatures for 90 % of a period";
        findings.push(
            Finding::new("weather.missing", Severity::Caution, about(question, what), says, rule)
                .with("days", days)
                .with("periods", dropped),
        );
    }
}

/// Values that are possible but unusual.
pub(super) fn tell_values(meter: &str, periods: &[FitPeriod], daily: bool, findings: &mut Vec<Finding>) {
    let subject = format!("{meter} baseline");
    if periods.iter().any(|p| p.energy < 0.0) {
        negative(meter, "baseline", periods, findings);
    }
    let zeros = periods.iter().filter(|p| p.energy == 0.0).count();
    if 0 < zeros && zeros == periods.len() {
        let says = format!(
            "the baseline used nothing in any of its {zeros} periods: a closed building, or a meter that did not count; \
             against it nothing can be saved"
        );
        let rule = "IPMVP: the baseline is a full cycle of the building in use";
        findings.push(
            Finding::new("baseline.all_zero", Severity::Caution, &*subject, says, rule)
                .with("periods", zeros),
        );
    } else if 0 < zeros {
        let says = format!("{zeros} baseline periods used nothing; zero counts as a value");
        let rule =
            "a closed building uses nothing; CalTRACK 2.0 §2.2.1.4 would take electricity's zeros as missing";
        findings
            .push(Finding::new("energy.zero", Severity::Note, &*subject, says, rule).with("periods", zeros));
    }
    let mut per_day: Vec<f64> = periods.iter().map(|p| p.energy / p.days()).collect();
    per_day.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let at = q * (per_day.len().saturating_sub(1)) as f64;
        let (low, high) = (per_day.get(at.floor() as usize), per_day.get(at.ceil() as usize));
        low.zip(high).map_or(0.0, |(l, h)| l + (h - l) * at.fract())
    };
    let limit = quantile(0.5) + EXTREME_QUARTILES * (quantile(0.75) - quantile(0.25));
    let extreme = per_day.iter().filter(|v| limit < **v).count();
    if 0 < extreme && 4 <= per_day.len() {
        let what = if daily { "days" } else { "periods" };
        let says = format!(
            "{extreme} baseline {what} used more than the median and three times the quartiles' distance; a person should look"
        );
        let rule = "CalTRACK 2.0 §2.3.6";
        findings.push(
            Finding::new("energy.extreme", Severity::Caution, subject, says, rule).with("periods", extreme),
        );
    }
}

pub(super) fn negative(meter: &str, what: &'static str, periods: &[FitPeriod], findings: &mut Vec<Finding>) {
    let n = periods.iter().filter(|p| p.energy < 0.0).count();
    let says = format!(
        "{n} {what} periods have a negative value: a refund of earlier bills, or production behind the meter"
    );
    let rule = "CalTRACK 2.0 §2.3.5; what is given back never raises the lower bound of a saving";
    findings.push(
        Finding::new("energy.negative", Severity::Caution, format!("{meter} {what}"), says, rule)
            .with("periods", n),
    );
}
