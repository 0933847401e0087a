//! One meter and what else its use depends on: degree days, and drivers that a file states by the day (opening, hours,
//! occupancy, production).
//!
//! Must never: compare a period of which a driver is not known on every day, or give a band that forgets the balance
//! points that were chosen.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use model::{Finding, OpeningHours, Severity, UseDriver};

use super::doubt::Doubt;
use super::{
    Answer, Other, Question, Reporting, Window, beyond, choose, compare, doubt, rules, screen, single,
    weather,
};
use crate::baseline::FitPeriod;
use crate::baseline::caltrack::Terms;
use crate::baseline::data::{Data, Row};
use crate::baseline::drivers::{self, Driver, DriversFit, Observed, Sign};
use crate::baseline::fit::{Experience, Fit, Prediction};
use crate::baseline::wls::{self, Inflation};
use crate::calendar;
use crate::degree_days::DailyMeans;

mod law;

pub(super) use law::law;

mod met;
mod normal;

/// Stable name of the method, as on the command line.
pub const METHOD: &str = "drivers";
/// Balance points tried, in whole kelvin.
const HEATING_C: std::ops::RangeInclusive<i32> = 10..=20;
const COOLING_C: std::ops::RangeInclusive<i32> = 16..=26;

/// A variable with a value for each day.
#[derive(Debug, Clone, PartialEq)]
pub struct DailyDriver {
    pub name: String,
    pub sign: Sign,
    pub days: BTreeMap<NaiveDate, f64>,
}

impl DailyDriver {
    /// What a building's calendar states of the days of some rows.
    fn of_calendar(entries: &[OpeningHours], driver: UseDriver, rows: &[Row]) -> Self {
        let days = rows.iter().flat_map(|row| row.from.iter_days().take_while(|date| *date < row.to));
        let on = |date| calendar::hours_on(entries, date).map(|hours| (date, driver.of_hours(hours)));
        Self { name: driver.code().to_owned(), sign: Sign::Adds, days: days.filter_map(on).collect() }
    }

    /// Its sum over a period; `None` where a day has no value.
    fn sum(&self, from: NaiveDate, to: NaiveDate) -> Option<f64> {
        let mut sum = 0.0;
        for day in from.iter_days().take_while(|day| *day < to) {
            sum += self.days.get(&day)?;
        }
        Some(sum)
    }
}

/// The model of several drivers.
#[derive(Debug, Clone, PartialEq)]
pub struct Driven {
    pub heating_balance_c: Option<f64>,
    pub cooling_balance_c: Option<f64>,
    /// Names of the columns of `fit`, degree days first.
    pub names: Vec<String>,
    pub fit: DriversFit,
    /// By how much residuals of days that follow each other raise the variance.
    pub inflation: Inflation,
    /// Weather of the baseline, beyond which nothing is known of heating and cooling.
    pub experience: Experience,
}

/// Answers the question with degree days and these drivers. Never fails: what cannot be said is `None` and has a finding.
#[must_use]
pub fn analyse(asked: &Question<'_>, given: &[DailyDriver]) -> Answer {
    let mut findings = Vec::new();
    let screened = weather::screened(asked, &mut findings);
    let question = &weather::with(asked, &screened.means);
    screen::tell_order(question.subject, [question.baseline, question.reporting], &mut findings);
    screen::tell_year(question.subject, question.reporting, &mut findings);
    let daily = screen::is_daily(question.periods);
    let mut baseline = screen::baseline(question, daily, &mut findings);
    let mut reporting = screen::reporting(question, &mut findings);
    drop_unknown(question, "baseline", given, &mut baseline.periods, &mut findings);
    drop_unknown(question, "reporting", given, &mut reporting.periods, &mut findings);
    reporting.miss(question, question.reporting);
    let data = Data::of(&baseline.periods, question.temperatures);
    findings.extend(choose::short(&format!("{} baseline", question.subject), &data));
    rules::short(question.subject, question.baseline, &data, &mut findings);
    let driven = best((question.subject, question.terms), given, &data, daily, &mut findings);
    let own = Own { question, given, daily, baseline: &data, reporting: &reporting };
    let compared = driven.as_ref().and_then(|driven| own.compared(driven, &mut findings));
    let normalised = match &driven {
        Some(driven) => normal::normalise(&own, driven, compared.as_ref(), &mut findings),
        None => {
            findings.extend(super::without_model(question));
            None
        }
    };
    let compared = compared.map(|(compared, _)| compared);
    findings.sort_by(|a, b| (b.severity, a.code, &a.subject).cmp(&(a.severity, b.code, &b.subject)));
    findings.dedup();
    let other = driven.map(Other::Drivers);
    Answer { fit: None, other, method: METHOD, reporting: compared, normalised, findings }
}

/// What is compared, and with what.
struct Own<'a> {
    question: &'a Question<'a>,
    given: &'a [DailyDriver],
    daily: bool,
    baseline: &'a Data,
    reporting: &'a screen::Screened,
}

impl Own<'_> {
    /// The reporting period against its baseline's model, and what of it is not compared; `None` where nothing is.
    fn compared(&self, driven: &Driven, findings: &mut Vec<Finding>) -> Option<(Reporting, doubt::Missing)> {
        let Self { question, given, daily, baseline, reporting } = *self;
        if reporting.periods.is_empty() {
            return None;
        }
        let rows = Data::of(&reporting.periods, question.temperatures);
        findings.extend(extrapolated(question.subject, given, baseline, &rows));
        let (window, weather_of) = (self.window(), super::weather_of(question));
        let known: BTreeSet<NaiveDate> = reporting.periods.iter().map(|p| p.from).collect();
        let about = format!("{} reporting", question.subject);
        let beyond_met =
            met::beyond(&about, driven, given, [baseline, &window], |row| known.contains(&row.from));
        findings.extend(beyond_met.findings);
        let doubt = driven.doubt(question.subject, daily, [(baseline, given), (&rows, &beyond_met.met)]);
        findings.extend(doubt.findings);
        let mut prediction = driven.predict_met(&rows, rows.rows(), given);
        prediction.model_variance +=
            driven.experience.variance(&weather_of, weather_of.rows()) + beyond_met.variance;
        let of_weather = driven.below_usual(question, &reporting.periods, given, findings);
        let missing = doubt::missing(question, (reporting, daily), None);
        let lost = missing.lost + doubt.energy + beyond_met.raised + of_weather;
        let compared = compare(&prediction, reporting, lost, question.confidence);
        let whose = ("fit.unseen_weather", question.subject, "reporting period");
        findings.extend(beyond(whose, Some(driven.experience), &weather_of));
        let degree_days = |data: &Data, row: &Row| driven.degree_days_per_day(data, row);
        rules::range(question.subject, degree_days, [baseline, &rows], findings);
        rules::significance(question.subject, compared.into(), &prediction, findings);
        Some((compared, missing))
    }

    /// The whole reporting window as far as its drivers are stated, by the periods that are compared and by months or days
    /// where none is: what the baseline never met of a driver does not change with the readings that are there.
    fn window(&self) -> Data {
        let crossing = self.reporting.crossing.iter().map(|(from, to, _)| (*from, *to));
        let spans = self.reporting.missing.iter().copied().chain(crossing);
        let pieces = spans.flat_map(|(from, to)| super::pieces(Window { from, to }, self.daily));
        let stated = |p: &FitPeriod| self.given.iter().all(|d| d.sum(p.from, p.to).is_some());
        let mut all = self.reporting.periods.clone();
        all.extend(pieces.filter(stated));
        Data::of(&all, self.question.temperatures)
    }
}

/// Leaves out the periods of which a driver lacks a day.
fn drop_unknown(
    question: &Question<'_>,
    what: &'static str,
    given: &[DailyDriver],
    periods: &mut Vec<FitPeriod>,
    findings: &mut Vec<Finding>,
) {
    let before = periods.len();
    periods.retain(|p| given.iter().all(|d| d.sum(p.from, p.to).is_some()));
    findings.extend(dropped(question.subject, what, before - periods.len()));
}

fn dropped(subject: &str, what: &'static str, periods: usize) -> Option<Finding> {
    let says = format!("{periods} {what} periods were left out: a driver has no value on one of their days");
    let rule = "CalTRACK 2.0 §3.5: what is missing is not compared";
    let about = format!("{subject} {what}");
    (0 < periods).then(|| {
        Finding::new("driver.missing", Severity::Caution, about, says, rule).with("periods", periods)
    })
}

/// The baseline periods of which a building's calendar states every day.
pub(super) fn stated(
    mut periods: Vec<FitPeriod>,
    entries: &[OpeningHours],
    subject: &str,
    findings: &mut Vec<Finding>,
) -> Vec<FitPeriod> {
    let before = periods.len();
    periods.retain(|p| calendar::unstated_days(entries, p.from, p.to) == 0);
    findings.extend(dropped(subject, "baseline", before - periods.len()));
    periods
}

/// Openings of a reporting period beyond what the baseline of a law met.
pub(crate) fn beyond_baseline(subject: &str, law: &Fit, baseline: &Data, reporting: &Data) -> Vec<Finding> {
    let Some(driving) = law.driving.as_deref() else { return Vec::new() };
    let rows: Vec<Row> = baseline.rows().iter().chain(reporting.rows()).copied().collect();
    let given: Vec<DailyDriver> = driving
        .terms
        .iter()
        .map(|term| DailyDriver::of_calendar(&driving.calendar, term.driver, &rows))
        .collect();
    if baseline.is_empty() || reporting.is_empty() {
        return Vec::new();
    }
    extrapolated(subject, &given, baseline, reporting)
}

/// Drivers whose mean of the reporting period lies beyond every baseline period's by more than their whole range.
fn extrapolated(subject: &str, given: &[DailyDriver], baseline: &Data, reporting: &Data) -> Vec<Finding> {
    let per_day = |d: &DailyDriver, row: &Row| d.sum(row.from, row.to).unwrap_or(0.0) / row.days;
    let of = |d: &DailyDriver| {
        let met = || baseline.rows().iter().map(|row| per_day(d, row));
        let (low, high) = (met().fold(f64::INFINITY, f64::min), met().fold(f64::NEG_INFINITY, f64::max));
        let sum: f64 = reporting.rows().iter().map(|row| row.days * per_day(d, row)).sum();
        let (now, range) = (sum / reporting.days(), high - low);
        let says = format!(
            "driver {} is {now:.2} a day in the reporting period, beyond what the baseline met ({low:.2} to {high:.2})",
            d.name
        );
        let rule = "ASHRAE Guideline 14-2014: a model holds within the range of its baseline's conditions";
        (now < low - range || high + range < now).then(|| {
            Finding::new("driver.extrapolated", Severity::Caution, format!("{subject} reporting"), says, rule)
                .with("driver", &d.name)
                .with("now", format!("{now:.2}"))
                .with("low", format!("{low:.2}"))
                .with("high", format!("{high:.2}"))
        })
    };
    given.iter().filter_map(of).collect()
}

/// The balance points that follow the baseline best, each counted as a parameter (Bayesian information criterion).
fn best(
    (subject, terms): (&str, Terms),
    given: &[DailyDriver],
    data: &Data,
    daily: bool,
    findings: &mut Vec<Finding>,
) -> Option<Driven> {
    let heating = || HEATING_C.map(|c| Some(f64::from(c))).chain([None]);
    let cooling: Vec<Option<f64>> = match terms {
        Terms::Heating => vec![None],
        Terms::HeatingAndCooling => COOLING_C.map(|c| Some(f64::from(c))).chain([None]).collect(),
    };
    let subject = format!("{subject} baseline");
    let mut best: Option<(f64, Driven, Vec<Finding>)> = None;
    let mut nothing: Vec<Finding> = Vec::new();
    for heating_c in heating() {
        for cooling_c in &cooling {
            let mut driven = Shape { heating_c, cooling_c: *cooling_c, given };
            let (fit, said) = drivers::fit(&driven.rows(data), &driven.drivers(), &subject);
            let Some(fit) = fit else {
                nothing = said;
                continue;
            };
            let n = data.len() as f64;
            let balances = f64::from(u8::from(heating_c.is_some()) + u8::from(cooling_c.is_some()));
            let parameters = 1.0 + fit.terms.len() as f64 + balances;
            let sse = fit.variance_per_day * fit.freedom;
            let criterion = n * (sse / n).max(f64::MIN_POSITIVE).ln() + parameters * n.ln();
            if best.as_ref().is_none_or(|(least, ..)| criterion < *least) {
                let cools = terms == Terms::HeatingAndCooling;
                best = Some((criterion, driven.finish(fit, data, (daily, cools)), said));
            }
        }
    }
    let Some((_, driven, said)) = best else {
        findings.append(&mut nothing);
        return None;
    };
    findings.extend(said);
    Some(driven)
}

/// A choice of balance points with the drivers given.
struct Shape<'a> {
    heating_c: Option<f64>,
    cooling_c: Option<f64>,
    given: &'a [DailyDriver],
}

impl Shape<'_> {
    fn drivers(&self) -> Vec<Driver> {
        let degree_days = |c: Option<f64>, name: &str| c.map(|_| (name.to_owned(), Sign::Adds));
        let of_weather = [
            degree_days(self.heating_c, "heating_degree_days"),
            degree_days(self.cooling_c, "cooling_degree_days"),
        ];
        let given = self.given.iter().map(|d| (d.name.clone(), d.sign));
        let all = of_weather.into_iter().flatten().chain(given);
        all.map(|(name, sign)| Driver { name, sign }).collect()
    }

    fn rows(&self, data: &Data) -> Vec<Observed> {
        data.rows()
            .iter()
            .map(|row| observed(data, row, (self.heating_c, self.cooling_c), self.given))
            .collect()
    }

    fn finish(&mut self, fit: DriversFit, data: &Data, (daily, cools): (bool, bool)) -> Driven {
        let residual = |row: &Row| {
            let of = observed(data, row, (self.heating_c, self.cooling_c), self.given);
            row.energy - fit.predict(of.days, &of.sums).energy
        };
        let residuals: Vec<f64> = data.rows().iter().map(residual).collect();
        let parameters = 1.0 + self.drivers().len() as f64;
        Driven {
            heating_balance_c: self.heating_c,
            cooling_balance_c: self.cooling_c,
            names: self.drivers().into_iter().map(|d| d.name).collect(),
            inflation: if daily {
                wls::inflation_of_days(data.rows(), &residuals, parameters, parameters)
            } else {
                Inflation::NONE
            },
            experience: Experience::of(data, cools, data.energy() / data.days()),
            fit,
        }
    }
}

fn observed(
    data: &Data,
    row: &Row,
    (heating_c, cooling_c): (Option<f64>, Option<f64>),
    given: &[DailyDriver],
) -> Observed {
    let heating = heating_c.map(|c| row.days * data.heating_per_day(row, c));
    let cooling = cooling_c.map(|c| row.days * data.cooling_per_day(row, c));
    let own = given.iter().map(|d| d.sum(row.from, row.to).unwrap_or(0.0));
    Observed {
        days: row.days,
        energy: row.energy,
        sums: heating.into_iter().chain(cooling).chain(own).collect(),
    }
}

impl Driven {
    /// What is doubted of the reporting rows, whose drivers are those that the baseline met: days against each other too.
    fn doubt(
        &self,
        subject: &str,
        daily: bool,
        [(before, given), (after, met)]: [(&Data, &[DailyDriver]); 2],
    ) -> Doubt {
        let (expected_before, expected) = (self.predict_each(before, given), self.predict_each(after, met));
        if !daily {
            return doubt::values(subject, &expected, before, after);
        }
        if let Some(doubt) = doubt::other_unit(subject, &expected, before, after) {
            return doubt;
        }
        let all = single::Kind { before: before.clone(), expected_before, after: after.clone(), expected };
        single::judge(subject, &[all]).doubt
    }

    /// What the lower bound does without where months are colder or warmer than any other year bears out, or days of a
    /// period have no temperature.
    fn below_usual(
        &self,
        question: &Question<'_>,
        periods: &[FitPeriod],
        given: &[DailyDriver],
        findings: &mut Vec<Finding>,
    ) -> f64 {
        let under = |means: &DailyMeans| -> Vec<f64> {
            let each = self.predict_each(&Data::of(periods, means), given);
            each.iter().map(|prediction| prediction.energy).collect()
        };
        let unusual = weather::unusual(question);
        let own = question.temperatures;
        let lost = weather::below_usual((question.subject, &unusual), periods, &under, own, findings);
        lost + self.below_missing(question, periods, given, findings)
    }

    /// Days without a temperature ask for nothing in the lower bound: no heating where all were warm, no cooling where
    /// all were cold.
    fn below_missing(
        &self,
        question: &Question<'_>,
        periods: &[FitPeriod],
        given: &[DailyDriver],
        findings: &mut Vec<Finding>,
    ) -> f64 {
        let data = Data::of(periods, question.temperatures);
        let lacking = || data.rows().iter().filter(|row| row.known_days < row.days);
        let days: f64 = lacking().map(|row| row.days - row.known_days).sum();
        if days <= 0.0 {
            return 0.0;
        }
        findings.push(weather::prorated(question.subject, "reporting", days as u32, lacking().count()));
        let less = lacking().map(|row| {
            let of = observed(&data, row, (self.heating_balance_c, self.cooling_balance_c), given);
            let balances = [self.heating_balance_c, self.cooling_balance_c].into_iter().flatten().count();
            let mut mild = of.sums.clone();
            mild.iter_mut().take(balances).for_each(|sum| *sum *= row.known_days / row.days);
            self.fit.predict(of.days, &of.sums).energy - self.fit.predict(of.days, &mild).energy
        });
        less.map(|less| less.max(0.0)).sum()
    }

    /// Heating and cooling degree days per day of a row, in K; 0 without the term.
    fn degree_days_per_day(&self, data: &Data, row: &Row) -> (f64, f64) {
        (
            self.heating_balance_c.map_or(0.0, |c| data.heating_per_day(row, c)),
            self.cooling_balance_c.map_or(0.0, |c| data.cooling_per_day(row, c)),
        )
    }

    /// The energy of each row alone, all of it told as heating: which driver moves it is not asked.
    fn predict_each(&self, data: &Data, given: &[DailyDriver]) -> Vec<Prediction> {
        let alone = |row: &Row| {
            let of = self.predict_rows(data, std::slice::from_ref(row), given);
            Prediction { heating: of.energy, cooling: 0.0, ..of }
        };
        data.rows().iter().map(alone).collect()
    }

    /// The energy of all rows together.
    fn predict(&self, data: &Data, given: &[DailyDriver]) -> Prediction {
        self.predict_rows(data, data.rows(), given)
    }

    fn predict_rows(&self, data: &Data, rows: &[Row], given: &[DailyDriver]) -> Prediction {
        let mut of = self.predict_met(data, rows, given);
        of.model_variance += self.experience.variance(data, rows);
        of
    }

    /// The same, without what weather that the baseline never met adds to the band.
    fn predict_met(&self, data: &Data, rows: &[Row], given: &[DailyDriver]) -> Prediction {
        let balances = (self.heating_balance_c, self.cooling_balance_c);
        let mut sums = vec![0.0; self.names.len()];
        let mut days = 0.0;
        for row in rows {
            let of = observed(data, row, balances, given);
            days += of.days;
            sums.iter_mut().zip(of.sums).for_each(|(sum, x)| *sum += x);
        }
        let of = self.fit.predict(days, &sums);
        let balances = f64::from(u8::from(balances.0.is_some()) + u8::from(balances.1.is_some()));
        Prediction {
            model_variance: of.model_variance * self.inflation.times,
            noise_variance: of.noise_variance * self.inflation.times,
            freedom: self.inflation.limit((of.freedom + 1.0) / self.inflation.times - 1.0 - balances),
            ..of
        }
    }
}

#[cfg(test)]
mod tests;
