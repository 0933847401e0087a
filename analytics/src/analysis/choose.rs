//! Which method, and why.
//!
//! Must never: choose in silence, or fit with a method that the data are not made for.

use chrono::Datelike;
use model::{Finding, Severity};

use super::{DAYS_MIN, MeterPeriod, Method, Question};
use crate::baseline::FitPeriod;
use crate::baseline::data::{Data, Grid};
use crate::baseline::fit::{Fit, Kind};
use crate::baseline::{averaged, caltrack, change_point, ratio};

/// Fewest periods of a model with terms, as for two-monthly bills of a year.
const PERIODS_MIN: usize = 6;

/// Least days of a baseline that lacks some of a year, and fewest of them in each season: then the seasons are there,
/// and the days that lack (a finding says so) leave the model as it is.
const HOLED_DAYS_MIN: f64 = 270.0;
const SEASON_DAYS_MIN: f64 = 25.0;

/// A daily model under this R² says little of days: the week, which it does not know, moves them more than the weather.
const R2_MIN: f64 = 0.5;

/// A civil month is one of closure under this share of what the law of days expects of it, where its shortfall is more
/// than this share of what all months scatter by (squares): then the band of a year of days is that of the one month.
const CLOSED_USE: f64 = 0.6;
const CLOSED_SCATTER: f64 = 0.5;
/// Days of a civil month that are known, at least.
const MONTH_DAYS_MIN: f64 = 27.0;

/// Why a file of days is to be analysed by months, where it is.
pub(super) fn months_wanted(question: &Question<'_>) -> Option<Reason> {
    match question.method {
        Method::CaltrackMonthly | Method::Averaged => Some(Reason::Joined),
        Method::Auto => {
            let (from, to) = (question.baseline.from, question.baseline.to);
            let inside = question.periods.iter().filter(|p| from <= p.from && p.to <= to);
            let day = |p: &MeterPeriod| {
                let energy = p.value?;
                Some(FitPeriod { from: p.from, to: p.to, energy, coverage_ratio: 1.0 })
            };
            let known = |p: &FitPeriod| question.temperatures.means(p.from, p.to).next().is_some();
            let days: Vec<FitPeriod> = inside.filter_map(day).filter(known).collect();
            let data = Data::of(&days, question.temperatures);
            let fit = caltrack::fit(&data, options(&Asked::of(question), caltrack::Interval::Daily))?;
            if data.days() < DAYS_MIN {
                None
            } else if fit.quality.r2 < R2_MIN {
                Some(Reason::Joined)
            } else {
                is_closed_a_month(&fit, &data).then_some(Reason::Closed)
            }
        }
        Method::CaltrackDaily | Method::ChangePoint | Method::Shape(_) | Method::DegreeDays => None,
    }
}

/// Whether one civil month of use far below the law of days is most of what its months scatter by, as of a building that
/// closes in August: no law of days knows of it, the average over laws of months does.
fn is_closed_a_month(fit: &Fit, data: &Data) -> bool {
    // Days, energy and expected energy of each civil month that the rows follow each other through.
    let mut months: Vec<(i32, [f64; 3])> = Vec::new();
    for row in data.rows() {
        let at = row.from.year() * 12 + row.from.month0().cast_signed();
        if months.last().is_none_or(|(last, _)| *last != at) {
            months.push((at, [0.0; 3]));
        }
        if let Some((_, sums)) = months.last_mut() {
            let of = [row.days, row.energy, fit.model.energy(data, row)];
            *sums = std::array::from_fn(|i| sums[i] + of[i]);
        }
    }
    let squares: f64 = months.iter().map(|(_, [_, energy, expected])| (energy - expected).powi(2)).sum();
    months.iter().any(|(_, [days, energy, expected])| {
        let short = expected - energy;
        MONTH_DAYS_MIN <= *days && *energy < CLOSED_USE * expected && CLOSED_SCATTER * squares < short * short
    })
}

/// The model of the baseline and the name of its method.
pub(super) fn fit(
    question: &Question<'_>,
    data: &Data,
    (daily, by_month): (bool, Option<Reason>),
    findings: &mut Vec<Finding>,
) -> (Option<Fit>, &'static str) {
    let subject = format!("{} baseline", question.subject);
    if data.len() < 3 {
        let says =
            format!("the baseline has {} usable periods; no method can do with fewer than three", data.len());
        let finding = Finding::new(
            "baseline.short",
            Severity::Blocks,
            subject,
            says,
            "CalTRACK 2.0 §2.2.1.1 and §2.2.1.2",
        );
        findings.push(with_short(finding, data));
        return (None, question.method.code());
    }
    if question.method == Method::CaltrackDaily && !daily {
        let says = "the file has no value of each day; the daily method needs them";
        let rule = "CalTRACK 2.0 §3.3: daily methods use daily data";
        findings.push(Finding::new("method.unfit", Severity::Blocks, subject, says, rule));
        return (None, question.method.code());
    }
    let asked = Asked::of(question);
    let method = chosen(&asked, data, (daily, by_month), findings);
    findings.extend(short(&subject, data));
    let fit = run(&asked, method, data, findings);
    if fit.is_none() {
        findings.push(impossible(&subject));
    }
    (fit, method.code())
}

/// Less than a year.
pub(super) fn short(subject: &str, data: &Data) -> Option<Finding> {
    let says = format!(
        "the baseline has {} usable periods of {} days in all; 12 periods and 328 days are wanted",
        data.len(),
        data.days()
    );
    let rule = "CalTRACK 2.0 §2.2.1.1 and §2.2.1.2";
    (data.days() < DAYS_MIN || data.len() < PERIODS_MIN)
        .then(|| with_short(Finding::new("baseline.short", Severity::Caution, subject, says, rule), data))
}

/// The periods carry no model of the method.
pub(super) fn impossible(subject: &str) -> Finding {
    let says = "no model of this method follows the baseline periods";
    let rule = "CalTRACK 2.0 §3.4.3.2: coefficients are not negative";
    Finding::new("fit.impossible", Severity::Blocks, subject, says, rule)
}

/// What a choice depends on beside the data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) subject: &'a str,
    pub(super) method: Method,
    pub(super) grid: Grid,
    pub(super) terms: caltrack::Terms,
}

impl<'a> Asked<'a> {
    pub(super) fn of(question: &Question<'a>) -> Self {
        let Question { subject, method, grid, terms, .. } = *question;
        Self { subject, method, grid, terms }
    }
}

/// The method that is asked for, or the one that the data ask for with a finding that says why.
pub(super) fn chosen(
    asked: &Asked<'_>,
    data: &Data,
    (daily, by_month): (bool, Option<Reason>),
    findings: &mut Vec<Finding>,
) -> Method {
    if asked.method != Method::Auto {
        return asked.method;
    }
    let why = reason(asked, data, (daily, by_month));
    let method = why.method();
    let says = format!("method {} was chosen: {}", method.code(), why.says());
    let rule = "the method fits the data that there are";
    let finding = Finding::new("method.chosen", Severity::Note, asked.subject, says, rule);
    findings.push(finding.with("method", method.code()).with("kind", why.code()));
    method
}

/// Why a method was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Short,
    Holes,
    Joined,
    Closed,
    Bills,
    Free,
    Grid,
}

impl Reason {
    const fn method(self) -> Method {
        match self {
            Self::Short | Self::Holes => Method::DegreeDays,
            Self::Joined | Self::Closed | Self::Bills => Method::Averaged,
            Self::Free => Method::ChangePoint,
            Self::Grid => Method::CaltrackDaily,
        }
    }

    /// Stable; a text of every language has its words.
    const fn code(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Holes => "holes",
            Self::Joined => "joined",
            Self::Closed => "closed",
            Self::Bills => "bills",
            Self::Free => "free",
            Self::Grid => "grid",
        }
    }

    const fn says(self) -> &'static str {
        match self {
            Self::Short => "less than a year of data tells the base load, not a balance point",
            Self::Holes => {
                "a season of the year lacks; what there is tells the base load, not a balance point"
            }
            Self::Joined => {
                "the weather explains less than half of what single days differ by; months average the week out"
            }
            Self::Closed => {
                "a month of the year is used far less than its weather asks for, as by a building that closes; laws of \
                 months know closures, those of days do not"
            }
            Self::Bills => "bills or months of a year do not tell one balance point from the next",
            Self::Free => {
                "days of a year, and its free change points follow them better than a grid's, every parameter counted"
            }
            Self::Grid => {
                "days of a year, and free change points follow them no better, every parameter counted"
            }
        }
    }
}

fn with_short(finding: Finding, data: &Data) -> Finding {
    finding
        .with("periods", data.len())
        .with("days", data.days())
        .with("periods_wanted", 12)
        .with("days_wanted", DAYS_MIN)
}

fn reason(asked: &Asked<'_>, data: &Data, (daily, by_month): (bool, Option<Reason>)) -> Reason {
    if let Some(lacks) = lacks(data, daily) {
        lacks
    } else if let Some(joined) = by_month {
        joined
    } else if !daily {
        Reason::Bills
    } else if change_point_is_better(asked, data) {
        Reason::Free
    } else {
        Reason::Grid
    }
}

/// Why there is no year to fit on: it is short, or a season of it lacks.
fn lacks(data: &Data, daily: bool) -> Option<Reason> {
    if DAYS_MIN <= data.days() && (daily || PERIODS_MIN <= data.len()) {
        return None;
    }
    let rows = data.rows();
    // December begins the first season.
    let mut seasons = [0.0; 4];
    for row in rows {
        for day in row.from.iter_days().take_while(|day| *day < row.to) {
            seasons[(day.month() % 12 / 3) as usize] += 1.0;
        }
    }
    let spread = HOLED_DAYS_MIN <= data.days() && seasons.iter().all(|days| SEASON_DAYS_MIN <= *days);
    let span = rows.first().zip(rows.last()).map_or(0, |(first, last)| (last.to - first.from).num_days());
    let lacks = if (span as f64) < DAYS_MIN { Reason::Short } else { Reason::Holes };
    (!spread).then_some(lacks)
}

/// By the Bayesian information criterion, balance points counted as parameters in both.
fn change_point_is_better(asked: &Asked<'_>, data: &Data) -> bool {
    let n = data.len() as f64;
    let criterion = |fit: &Fit| {
        let sse: f64 = data.rows().iter().map(|r| (r.energy - fit.model.energy(data, r)).powi(2)).sum();
        n * (sse / n).max(f64::MIN_POSITIVE).ln() + parameters(fit) * n.ln()
    };
    let grid = caltrack::fit(data, options(asked, caltrack::Interval::Daily));
    let free = change_point::fit_strict(data);
    match (grid, free) {
        (Some(grid), Some(free)) => criterion(&free) < criterion(&grid),
        (None, free) => free.is_some(),
        (Some(_), None) => false,
    }
}

fn parameters(fit: &Fit) -> f64 {
    match fit.model.kind {
        Kind::Flat => 1.0,
        Kind::Linear => 2.0,
        Kind::Heating | Kind::Cooling => 3.0,
        Kind::TwoLines => 4.0,
        Kind::HeatingCooling => 5.0,
    }
}

pub(super) fn options(asked: &Asked<'_>, interval: caltrack::Interval) -> caltrack::Options {
    caltrack::Options { grid: asked.grid, interval, terms: asked.terms }
}

/// Fits by a method that was chosen.
pub(super) fn run(
    asked: &Asked<'_>,
    method: Method,
    data: &Data,
    findings: &mut Vec<Finding>,
) -> Option<Fit> {
    let mut fit = run_any(asked, method, data, findings)?;
    if let Some(met) = fit.experience.as_mut().filter(|_| asked.terms == caltrack::Terms::Heating) {
        met.cooling_c = None;
    }
    Some(fit)
}

/// The same of methods that do not know which fuel it is, as if it could cool.
fn run_any(asked: &Asked<'_>, method: Method, data: &Data, findings: &mut Vec<Finding>) -> Option<Fit> {
    match method {
        Method::Auto => None,
        Method::Averaged => averaged::fit(data, asked.terms, &format!("{} baseline", asked.subject)),
        Method::CaltrackMonthly => caltrack::fit(data, options(asked, caltrack::Interval::Monthly)),
        Method::CaltrackDaily => caltrack::fit(data, options(asked, caltrack::Interval::Daily)),
        // Chosen by the data, it has the signs of a building; a person may ask for any.
        Method::ChangePoint if asked.method == Method::Auto => change_point::fit_strict(data),
        Method::ChangePoint => signed(asked, change_point::fit(data), findings),
        Method::Shape(shape) => signed(asked, change_point::fit_shape(data, shape), findings),
        Method::DegreeDays => {
            let (fit, split) = ratio::fit(data, ratio::BASE_C)?;
            findings.extend(base_load(asked.subject, &split));
            Some(fit)
        }
    }
}

/// Says which coefficients of a law have a sign that no building has. A straight line may have either.
pub(super) fn signed(asked: &Asked<'_>, fit: Option<Fit>, findings: &mut Vec<Finding>) -> Option<Fit> {
    let model = fit.as_ref()?.model;
    let coefficients = [
        ("base_per_day", model.base_per_day),
        ("heating_per_degree_day", model.heating_per_degree_day),
        ("cooling_per_degree_day", model.cooling_per_degree_day),
    ];
    let negative = coefficients.iter().filter(|(_, value)| *value < 0.0 && model.kind != Kind::Linear);
    findings.extend(negative.map(|(name, value)| {
        let says = format!(
            "the model's {name} is {value:.3}: no base load, heating or cooling is negative, so something else moves \
             the use"
        );
        let rule = "CalTRACK 2.0 §3.4.3.2: coefficients are not negative";
        Finding::new("fit.sign", Severity::Caution, format!("{} baseline", asked.subject), says, rule)
            .with("kind", *name)
            .with("value", format!("{value:.3}"))
    }));
    fit
}

/// The method of `fit` on other data, for the reporting period's own model.
pub(super) fn again(question: &Question<'_>, fit: &Fit, data: &Data) -> Option<Fit> {
    let method = Method::ALL.into_iter().find(|m| *m != Method::Auto && m.code() == fit.method);
    run(&Asked::of(question), method.unwrap_or(question.method), data, &mut Vec::new())
}

fn base_load(subject: &str, split: &ratio::Split) -> Option<Finding> {
    let rule = "degree-day ratio: the weather-independent part is not scaled";
    (split.origin == ratio::BaseLoad::Unknown).then(|| {
        let says = format!(
            "no period without heating tells the base load; it lies between 0 and {:.3} a day, and the band reaches over both",
            split.base_high
        );
        Finding::new("ratio.base_load_unknown", Severity::Caution, subject, says, rule)
            .with("high", format!("{:.3}", split.base_high))
    })
}
