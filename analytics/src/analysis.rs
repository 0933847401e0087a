//! One meter, one baseline period, one reporting period, one method: what was saved, with its band and what to know.
//!
//! Must never: compare a period whose energy or weather is not known, give a saving without its band, or choose a method
//! without saying why.

use chrono::{Datelike, NaiveDate};
use model::{Finding, Month, Severity};

use crate::baseline::FitPeriod;
use crate::baseline::averaged;
use crate::baseline::breaks;
use crate::baseline::caltrack::Terms;
use crate::baseline::change_point::Shape;
use crate::baseline::data::{Data, Grid};
use crate::baseline::fit::{Experience, Fit, Prediction, student};
use crate::degree_days::DailyMeans;

mod choose;
pub(crate) mod doubt;
pub mod driven;
pub mod estimated;
pub mod hourly;
mod inflated;
pub mod project;
pub(crate) mod rules;
mod scattered;
mod screen;
mod single;
mod weather;

use doubt::Missing;

/// Fewest days of a model: a year less 37 days, CalTRACK 2.0 §2.2.1.2.
pub const DAYS_MIN: f64 = crate::baseline::DAYS_MIN;

/// Days of a normal year.
const YEAR_DAYS: std::ops::RangeInclusive<f64> = 365.0..=366.0;

/// Days from the first to before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub from: NaiveDate,
    pub to: NaiveDate,
}

impl Window {
    fn holds(&self, from: NaiveDate, to: NaiveDate) -> bool {
        self.from <= from && to <= self.to
    }

    fn touches(&self, from: NaiveDate, to: NaiveDate) -> bool {
        from < self.to && self.from < to
    }

    #[must_use]
    pub fn days(&self) -> f64 {
        (self.to - self.from).num_days() as f64
    }
}

/// A bill, or a day of a meter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeterPeriod {
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// In the meter's unit; `None` where nothing is known. Zero is a value.
    pub value: Option<f64>,
}

/// How the baseline is modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Chosen by the data, with the reason among the findings.
    Auto,
    /// The average over balance points and shapes, for bills.
    Averaged,
    CaltrackMonthly,
    CaltrackDaily,
    /// The change-point shape that the Bayesian information criterion prefers.
    ChangePoint,
    /// This change-point shape.
    Shape(Shape),
    DegreeDays,
}

impl Method {
    pub const ALL: [Self; 12] = [
        Self::Auto,
        Self::Averaged,
        Self::CaltrackMonthly,
        Self::CaltrackDaily,
        Self::ChangePoint,
        Self::Shape(Shape::P1),
        Self::Shape(Shape::P2),
        Self::Shape(Shape::P3Heating),
        Self::Shape(Shape::P3Cooling),
        Self::Shape(Shape::P4),
        Self::Shape(Shape::P5),
        Self::DegreeDays,
    ];

    /// Stable, as on the command line.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Averaged => averaged::METHOD,
            Self::CaltrackMonthly => "caltrack-monthly",
            Self::CaltrackDaily => "caltrack-daily",
            Self::ChangePoint => "change-point",
            Self::Shape(shape) => shape.code(),
            Self::DegreeDays => "degree-days",
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// What findings call the meter, such as `meter:boiler`.
    pub subject: &'a str,
    /// In order of time, none overlapping another.
    pub periods: &'a [MeterPeriod],
    pub temperatures: &'a DailyMeans,
    pub baseline: Window,
    pub reporting: Window,
    pub method: Method,
    /// Balance points of the CalTRACK methods.
    pub grid: Grid,
    /// Whether the meter's fuel can cool at all.
    pub terms: Terms,
    /// Two-sided, such as 0.9.
    pub confidence: f64,
    /// Weather of a normal year, for normalised savings.
    pub normal: Option<(&'a DailyMeans, Window)>,
}

/// The reporting period against the model. Display units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reporting {
    /// Days that were compared.
    pub days: f64,
    pub measured: f64,
    pub adjusted_baseline: f64,
    pub avoided: f64,
    /// Of the whole window: the lower end of the band of the days that were compared, less what days without a value
    /// may have used and what values that are doubted saved. Infinite when the data leave no degree of freedom.
    pub avoided_low: f64,
    /// Of the days that were compared.
    pub avoided_high: f64,
    /// Days of the window that were not compared.
    pub missing_days: f64,
    /// What the whole window avoided at least: without a bound where a day of it has no value, for nobody knows what was
    /// used in it.
    pub window_low: f64,
    pub confidence: f64,
}

impl Reporting {
    fn bounded(mut self) -> Self {
        self.window_low = if 0.0 < self.missing_days { f64::NEG_INFINITY } else { self.avoided_low };
        self
    }
}

/// Both periods' models under a normal year. Display units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalised {
    pub baseline: f64,
    pub reporting: f64,
    pub savings: f64,
    pub savings_low: f64,
    pub savings_high: f64,
}

impl Normalised {
    /// The difference of both models' predictions for the year, the baseline's first.
    fn between([before, after]: [Prediction; 2], confidence: f64) -> Self {
        let savings = before.energy - after.energy;
        // What the two models' means may be off; a normal year has no scatter of its own.
        let deviation = (before.model_variance + after.model_variance).sqrt();
        let half = student(confidence, before.freedom.min(after.freedom)) * deviation;
        Self {
            baseline: before.energy,
            reporting: after.energy,
            savings,
            savings_low: savings - half,
            savings_high: savings + half,
        }
    }

    /// The reporting period's own model rests on what its periods are said to have used: what the lower bound of the
    /// avoided energy does without beside its band, that of the savings does without too, for a year as that of the
    /// second window; and it is no higher than with what is missing at the most that it may have used, `filled`.
    fn less_sure(
        mut self,
        compared: &Reporting,
        (missing, filled): (&Missing, Option<Self>),
        [reporting, year]: [Window; 2],
    ) -> Self {
        let band = compared.avoided_high - compared.avoided;
        let held = (compared.avoided - compared.avoided_low - band).max(0.0);
        if 0.0 < held {
            let by_days = year.days() / reporting.days();
            let times = |expected: f64| {
                let by_energy = self.baseline / expected;
                if by_energy.is_finite() { by_days.max(by_energy) } else { by_days }
            };
            let most = times(compared.adjusted_baseline);
            // The bound is of the whole window: a saving grows from that to the year, not from what was compared.
            let known_days = compared.days + missing.days;
            let whole = (compared.adjusted_baseline + missing.expected) * (reporting.days() / known_days);
            let least = if 0.0 < compared.avoided_low { times(whole) } else { most };
            // A law through what is left may pass by sound periods: it promises no more than they did.
            self.savings_low = (self.savings_low - held * most).min(compared.avoided_low * least);
        }
        let at_most = filled.map_or(f64::INFINITY, |filled| filled.savings_low);
        self.savings_low = self.savings_low.min(at_most);
        self
    }
}

/// What can be said. Parts are `None` where the findings say why.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub fit: Option<Fit>,
    /// The model where it is none of the weather alone; `fit` is `None` then.
    pub other: Option<Other>,
    /// The method used, which `auto` has chosen.
    pub method: &'static str,
    pub reporting: Option<Reporting>,
    pub normalised: Option<Normalised>,
    /// Worst first.
    pub findings: Vec<Finding>,
}

/// A model of more than the weather.
#[derive(Debug, Clone, PartialEq)]
pub enum Other {
    Drivers(driven::Driven),
    TimeOfWeek(hourly::Hourly),
}

/// Answers the question. Never fails: what cannot be said is `None` and has a finding.
#[must_use]
pub fn analyse(asked: &Question<'_>) -> Answer {
    let mut findings = Vec::new();
    let screened = weather::screened(asked, &mut findings);
    let asked = &weather::with(asked, &screened.means);
    let question = asked;
    let daily = screen::is_daily(question.periods);
    let months;
    let joined;
    let wanted = daily.then(|| choose::months_wanted(question)).flatten();
    let (question, daily) = if wanted.is_some() {
        months = screen::months(question.periods, [question.baseline, question.reporting]);
        joined = Question { periods: &months, ..question.clone() };
        (&joined, false)
    } else {
        (question, daily)
    };
    let by_month = question.periods.len() != asked.periods.len();
    screen::tell_inclusive(asked, &mut findings);
    screen::tell_order(question.subject, [question.baseline, question.reporting], &mut findings);
    screen::tell_year(question.subject, question.reporting, &mut findings);
    let baseline = screen::baseline(question, daily, &mut findings);
    let data = Data::of(&baseline.periods, question.temperatures);
    let (fit, method) = choose::fit(question, &data, (daily, wanted.filter(|_| by_month)), &mut findings);
    let mut reporting = screen::reporting(question, &mut findings);
    if by_month {
        single::retell(asked, &mut reporting, &mut findings);
    }
    let reporting_data = Data::of(&reporting.periods, question.temperatures);
    let own = Own {
        asked,
        question,
        rows: (daily, by_month),
        periods: [&baseline, &reporting],
        data: [&data, &reporting_data],
    };
    let compared = fit.as_ref().and_then(|fit| own.compared(fit, &mut findings));
    if let Some(fit) = &fit {
        tell_model(question, fit, &data, daily, &mut findings);
    } else {
        findings.extend(without_model(question));
    }
    let normalised = fit.as_ref().and_then(|fit| own.normalised(fit, compared.as_ref(), &mut findings));
    let compared = compared.map(|(compared, _)| compared);
    findings.sort_by(|a, b| (b.severity, a.code, &a.subject).cmp(&(a.severity, b.code, &b.subject)));
    findings.dedup();
    Answer { fit, other: None, method, reporting: compared, normalised, findings }
}

/// What is compared, and with what.
struct Own<'a> {
    /// With the file's own periods, and with those that are analysed.
    asked: &'a Question<'a>,
    question: &'a Question<'a>,
    /// Whether these are days, and whether they are months made of days.
    rows: (bool, bool),
    periods: [&'a screen::Screened; 2],
    data: [&'a Data; 2],
}

impl Own<'_> {
    /// The reporting period against its baseline's law, and what of it is not compared; `None` where nothing is.
    fn compared(&self, fit: &Fit, findings: &mut Vec<Finding>) -> Option<(Reporting, Missing)> {
        let (question, [baseline, reporting]) = (self.question, self.periods);
        let [before, after] = self.data;
        if after.is_empty() {
            return None;
        }
        let window = &weather_of(question);
        let prediction = fit.predict_within(after, window);
        let alone = fit.predict_each(after);
        let doubt = single::doubt(self.asked, self.rows, (fit, &alone), self.data);
        let unusual = weather::unusual(question);
        let of_weather = [&baseline.periods[..], &reporting.periods[..]];
        let missing = doubt::missing(question, (reporting, self.rows.0), Some((fit, &unusual)));
        let lost = doubt.energy + weather::lost(question, fit, (&unusual, of_weather), findings);
        findings.retain(|f| !doubt.findings.iter().any(|d| d.code == f.code && d.subject == f.subject));
        findings.extend(doubt.findings);
        let mut compared = compare(&prediction, reporting, missing.lost + lost, question.confidence);
        if self.rows == (false, false) {
            let own = inflated::Case {
                question,
                fit,
                baseline: before,
                reporting: after,
                window,
                lost,
                unusual: &unusual,
            };
            compared = inflated::without(&own, compared, reporting, findings);
        }
        findings.extend(unseen(question.subject, fit, window));
        let found = breaks::find(&breaks::points(&alone, after), fit.freedom);
        findings.extend(found.map(|found| breaks::finding(&found, question.subject, "reporting")));
        let subject = question.subject;
        let case = rules::Case { subject, fit, reporting: after, compared: compared.into(), prediction };
        rules::judge(&case, before, findings);
        Some((compared, missing))
    }

    /// Both models under the normal year; `None` without one, or where the findings say why.
    fn normalised(
        &self,
        fit: &Fit,
        compared: Option<&(Reporting, Missing)>,
        findings: &mut Vec<Finding>,
    ) -> Option<Normalised> {
        let (question, [_, reporting]) = (self.question, self.data);
        let year = normal_year(question, reporting, self.rows.0, findings)?;
        findings.extend(unseen_in_year(question, fit.experience, &year));
        let Some(own) = choose::again(question, fit, reporting) else {
            findings.push(without_own_model(question));
            return None;
        };
        let between =
            |own: &Fit| Normalised::between([fit.predict(&year), own.predict(&year)], question.confidence);
        let (compared, missing) = compared?;
        let filled = filled(self.periods[1], missing, question.temperatures);
        let filled = filled.and_then(|data| choose::again(question, fit, &data)).map(|own| between(&own));
        let windows = [question.reporting, question.normal?.1];
        Some(between(&own).less_sure(compared, (missing, filled), windows))
    }
}

/// The reporting periods with what is missing at the most that it may have used; `None` where nothing is.
fn filled(reporting: &screen::Screened, missing: &Missing, temperatures: &DailyMeans) -> Option<Data> {
    let all = || reporting.periods.iter().chain(&missing.at_most).copied().collect::<Vec<FitPeriod>>();
    (!missing.at_most.is_empty()).then(|| Data::of(&all(), temperatures))
}

/// Weather of the whole reporting window by civil months, whatever of it is compared: what the baseline never met does not
/// change with the readings that are there.
fn weather_of(question: &Question<'_>) -> Data {
    Data::of(&pieces(question.reporting, false), question.temperatures)
}

/// What is to be said of the baseline and its model.
fn tell_model(question: &Question<'_>, fit: &Fit, data: &Data, daily: bool, findings: &mut Vec<Finding>) {
    findings.extend(fit.findings.iter().cloned());
    let found = breaks::find(&breaks::points(&fit.predict_each(data), data), fit.freedom);
    findings.extend(found.map(|found| breaks::finding(&found, question.subject, "baseline")));
    let basis = rules::Basis { subject: question.subject, window: question.baseline, fit, data, daily };
    rules::judge_fit(&basis, findings);
    rules::windows(question, fit.method, findings);
}

/// Weather of the reporting period that the baseline has hardly met: no method can tell what the building uses in it.
#[must_use]
pub fn unseen(subject: &str, fit: &Fit, reporting: &Data) -> Vec<Finding> {
    beyond(("fit.unseen_weather", subject, "reporting period"), fit.experience, reporting)
}

/// Weather beyond what the baseline met, with the finding's code, its subject and whose weather it is.
fn beyond(
    (code, subject, whose): (&'static str, &str, &str),
    met: Option<Experience>,
    weather: &Data,
) -> Vec<Finding> {
    let Some(met) = met else { return Vec::new() };
    let (heating, cooling) = met.unseen(weather, weather.rows());
    let finding = |term: &'static str, balance_c: f64, beyond: f64| {
        let says = format!(
            "the {whose} has {beyond:.0} K·d of {term} (to {balance_c} °C) beyond twice what the baseline \
             met: what the building uses in such weather is not known, and the band is wide for it"
        );
        let rule = "ASHRAE Guideline 14-2014: a model holds within the range of its baseline's conditions";
        Finding::new(code, Severity::Caution, subject, says, rule)
            .with("term", term)
            .with("balance_c", balance_c)
            .with("degree_days", format!("{beyond:.0}"))
    };
    let heating = (0.0 < heating).then(|| finding("heating", met.heating_c, heating));
    let cooling = met.cooling_c.filter(|_| 0.0 < cooling).map(|c| finding("cooling", c, cooling));
    heating.into_iter().chain(cooling).collect()
}

/// `lost` is what the lower bound does without beside the band.
fn compare(prediction: &Prediction, reporting: &screen::Screened, lost: f64, confidence: f64) -> Reporting {
    let half = prediction.half_width(confidence);
    let measured: f64 = reporting.periods.iter().map(|p| p.energy).sum();
    let avoided = prediction.energy - measured;
    Reporting {
        days: prediction.days,
        measured,
        adjusted_baseline: prediction.energy,
        avoided,
        // Energy given back may belong to another year: the lower bound does without it.
        avoided_low: avoided - half - reporting.given_back - lost,
        avoided_high: avoided + half,
        missing_days: reporting.missing_days,
        window_low: f64::NEG_INFINITY,
        confidence,
    }
    .bounded()
}

/// The normal year by months or days; `None` without one, without its weather, or when the reporting period has too few
/// days for a model, which is told.
fn normal_year(
    question: &Question<'_>,
    reporting: &Data,
    daily: bool,
    findings: &mut Vec<Finding>,
) -> Option<Data> {
    let (temperatures, window) = question.normal?;
    if !YEAR_DAYS.contains(&window.days()) {
        let days = window.days();
        let says = format!("the normal year has {days} days; nothing was normalised");
        let rule = "IPMVP, normalised savings: a fixed set of conditions over a full cycle";
        let finding = Finding::new("normal.not_a_year", Severity::Caution, question.subject, says, rule);
        findings.push(finding.with("days", days));
        return None;
    }
    let year = Data::of(&pieces(window, daily), temperatures);
    if year.rows().iter().any(|r| r.known_days < 0.9 * r.days) {
        let says = "the normal year lacks temperatures; nothing was normalised";
        let rule = "CalTRACK 2.0 §2.2.3.2: temperatures for 90 % of a period";
        findings.push(Finding::new(
            "normal.weather_missing",
            Severity::Caution,
            question.subject,
            says,
            rule,
        ));
        return None;
    }
    if reporting.days() < DAYS_MIN {
        let says = format!(
            "the reporting period has {} days with data; its own model needs {DAYS_MIN}",
            reporting.days()
        );
        let rule = "IPMVP, normalised savings: both periods have a model of a full cycle";
        let finding = Finding::new("normal.reporting_short", Severity::Note, question.subject, says, rule);
        findings.push(finding.with("days", reporting.days()).with("wanted", DAYS_MIN));
        return None;
    }
    Some(year)
}

fn unseen_in_year(question: &Question<'_>, met: Option<Experience>, year: &Data) -> Vec<Finding> {
    beyond(("normal.unseen_weather", question.subject, "normal year"), met, year)
}

const NORMALISED: &str = "IPMVP, normalised savings: both periods have a model of a full cycle";

/// That a normal year was asked for and the baseline has no model.
fn without_model(question: &Question<'_>) -> Option<Finding> {
    let says = "the baseline has no model, so nothing was normalised; the other findings say what it lacks";
    question
        .normal
        .map(|_| Finding::new("normal.no_model", Severity::Caution, question.subject, says, NORMALISED))
}

/// That the reporting period has no model of its own.
fn without_own_model(question: &Question<'_>) -> Finding {
    let says = "the reporting period carries no model of its own by this method, so nothing was normalised; take \
                another method, such as auto";
    Finding::new("normal.reporting_no_model", Severity::Caution, question.subject, says, NORMALISED)
}

/// The window cut into civil months, or days: models on the means of periods need periods of the same kind.
fn pieces(window: Window, daily: bool) -> Vec<FitPeriod> {
    let mut pieces = Vec::new();
    let mut from = window.from;
    while from < window.to && pieces.len() < 4_000 {
        let next = if daily { from.succ_opt().unwrap_or(window.to) } else { Month::of(from).end_day() };
        let to = next.min(window.to);
        pieces.push(FitPeriod { from, to, energy: 0.0, coverage_ratio: 1.0 });
        from = to;
    }
    pieces
}

/// Whether a date can be counted with: what a file gives may be any.
#[must_use]
pub fn is_plausible(date: NaiveDate) -> bool {
    (1900..2200).contains(&date.year())
}

#[cfg(test)]
mod tests;
