//! The year-end value of each KPI from any day of the year: what was measured, what the laws of the meters say of the
//! months to come, and the range of weather that the station's past years show.
//!
//! Must never: promise a value that rests on a withheld month, or take one past year's weather for what will come.
//!
//! For each past year of the station, the days still to come are given that year's temperatures, and the KPI is
//! carried to the year's end: measured months as they count (the bound that is worse), months to come as the baseline's
//! law less the law of what is used now. The spread of those year-ends is the weather's part of the band (Student's t
//! over the years, with the mean's own error); the error of the law of what is used now is the other part. The band is
//! of the figure that will be reported, not of the truth behind it: both will use the same baseline.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use model::{DailyTemperature, Finding, MeterId, Month, Project, Severity, StationId};

use crate::baseline::Fitted;
use crate::degree_days::DailyMeans;
use crate::evaluate::laws::Laws;
use crate::kpi;
use crate::result::{Baseline, KpiResult, LegalDegreeDays, MeterYear, ProjectYear};
use crate::savings;

mod coming;

use coming::{Coming, student_90};

/// Years of weather that make a range; with fewer the band is that of so few years, which is much wider.
pub const YEARS_WANTED: usize = 5;
/// Most past years looked at, the latest.
const YEARS_MAX: usize = 15;

/// What may be said of a KPI's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// Even the worse end of the band reaches it.
    Safe,
    /// The expected value reaches it, and the worse end of the band does not.
    OnTrack,
    /// The expected value does not reach it, and the better end of the band does.
    AtRisk,
    /// Even the better end of the band does not reach it.
    OutOfReach,
    /// No target, or no forecast.
    Unknown,
}

impl Outlook {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::OnTrack => "on_track",
            Self::AtRisk => "at_risk",
            Self::OutOfReach => "out_of_reach",
            Self::Unknown => "unknown",
        }
    }
}

/// The year-end value of one KPI, in the scheme's unit.
#[derive(Debug, Clone, PartialEq)]
pub struct KpiForecast {
    pub code: String,
    pub unit: &'static str,
    pub target: Option<f64>,
    /// From the months measured so far, by the bound that counts.
    pub so_far: Option<f64>,
    /// 90 % band.
    pub expected: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// What would be expected were the standstills of its meters confirmed, each of which counts as use until then;
    /// the band reaches to it. `None` where no total stands still.
    pub if_confirmed: Option<f64>,
    pub outlook: Outlook,
    /// Of the value still wanted for the target, each month left; `None` where it is reached or nothing is left.
    pub needed_per_month: Option<f64>,
    /// Codes of what withholds it.
    pub because: Vec<String>,
}

/// The forecast of a project's year on one day.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    pub year: i32,
    /// Data before this day are known.
    pub on: NaiveDate,
    /// Reporting months that are not over.
    pub months_left: u32,
    /// Past years whose weather was taken; none where only the legal degree days of the place are known.
    pub weather_years: Vec<i32>,
    /// In the order of the scheme.
    pub kpis: Vec<KpiForecast>,
    pub findings: Vec<Finding>,
}

impl Forecast {
    /// Last day of the last month that is over: what is measured of the month in progress does not count yet.
    #[must_use]
    pub fn counted_to(&self) -> NaiveDate {
        let month = Month::of(self.on).first_day();
        month.pred_opt().unwrap_or(month)
    }
}

/// What a forecast is made of: the year's figures up to its `until`, the laws of its meters, and all temperatures that
/// the station has before that day.
#[derive(Debug, Clone, Copy)]
pub struct ForecastInput<'a> {
    pub year: &'a ProjectYear,
    pub laws: &'a [Laws],
    pub history: &'a [DailyTemperature],
}

/// A meter's months to come: for each past year's weather the use and the baseline, and the use's own variance.
#[derive(Debug, Clone, Default)]
struct MeterComing {
    /// By past year.
    used: BTreeMap<i32, f64>,
    avoided: BTreeMap<i32, f64>,
    /// Half the 90 % band of the use.
    half_width: f64,
    /// Part of the use that is only feared, as the mean over the past years: the total stands still, and nobody has
    /// said why.
    hidden: f64,
}

/// The forecast. Never fails: what cannot be said is `None`, with the codes that say why.
#[must_use]
pub fn forecast(input: &ForecastInput<'_>) -> Forecast {
    let ProjectYear { project, year, until, .. } = input.year;
    let months = months_to_come(project, *year, *until);
    let past = Coming::new(&project.station, input.history, *until, *year, YEARS_MAX);
    let legal = input.year.weather.legal.first().filter(|_| past.years().len() < 2);
    let coming = match legal {
        Some(legal) => Coming::legal(&project.station, input.history, *until, *year, legal),
        None => past,
    };
    let mut meters: BTreeMap<MeterId, MeterComing> = BTreeMap::new();
    for laws in input.laws {
        if let Some(of) = meter(laws, &coming, &months) {
            meters.insert(laws.meter.clone(), of);
        }
    }
    let mut findings = Vec::new();
    let scenarios = coming.years();
    let weather_years = if coming.is_legal() { Vec::new() } else { scenarios.clone() };
    if !months.is_empty() && weather_years.len() < YEARS_WANTED {
        findings.push(match legal {
            Some(legal) => of_the_law(project, *year, legal),
            None => few_years(project, *year, weather_years.len()),
        });
    }
    let context = Context { input, meters: &meters, months: &months, years: &scenarios };
    let kpis: Vec<KpiForecast> = input.year.kpis.iter().map(|kpi| context.kpi(kpi)).collect();
    findings.extend(kpis.iter().filter_map(|k| standstill(project, k, *year)));
    findings.extend(kpis.iter().filter_map(|k| at_risk(project, k, *year, months.len())));
    Forecast {
        year: *year,
        on: *until,
        months_left: u32::try_from(months.len()).unwrap_or(12),
        weather_years,
        kpis,
        findings,
    }
}

/// The reporting months of the year that are not over on that day.
fn months_to_come(project: &Project, year: i32, on: NaiveDate) -> Vec<Month> {
    let reporting = |m: &Month| project.dates.completed < m.first_day() && on < m.end_day();
    Month::all_of(year).into_iter().filter(reporting).collect()
}

/// A meter's months to come under each past year's weather; `None` where neither a law of what is used now nor a share
/// of the baseline is known.
fn meter(laws: &Laws, coming: &Coming, months: &[Month]) -> Option<MeterComing> {
    let (Some(first), Some(last)) = (months.first(), months.last()) else {
        return Some(MeterComing::default());
    };
    let (from, to) = (first.first_day(), last.end_day());
    let by_person: f64 = laws.adjustments.iter().map(|a| a.within(from, to)).sum();
    let baseline = |of: &DailyMeans| match laws.baseline.as_deref() {
        Some(law) => savings::expected(law, of, from, to).map(|e| e.energy + by_person),
        None => Some(by_person),
    };
    let mut out = MeterComing::default();
    let (used, hidden_share) = (Use::of(laws)?, laws.hidden_share());
    for (year, weather) in coming.scenarios() {
        let Some(before) = baseline(weather) else { continue };
        let (energy, half_width) = match used {
            Use::Law(law) => {
                let Some(of) = savings::expected(law, weather, from, to) else { continue };
                (of.energy, savings::half_width(&of))
            }
            Use::Share { share, half_width_per_energy } => (share * before, half_width_per_energy * before),
        };
        let hidden = hidden_share * before.max(0.0);
        out.used.insert(year, energy + hidden);
        out.avoided.insert(year, before - energy - hidden);
        out.half_width += half_width;
        out.hidden += hidden;
    }
    let n = out.used.len() as f64;
    out.half_width /= n;
    out.hidden /= n;
    (!out.used.is_empty()).then_some(out)
}

/// How what is used now is known.
enum Use<'a> {
    /// By a law of its own.
    Law(&'a Fitted),
    /// As a share of the baseline, from the months so far; its error as a share of the energy to come.
    Share { share: f64, half_width_per_energy: f64 },
}

/// Fewest months from which a share is taken.
const SHARE_MONTHS_MIN: usize = 3;

impl<'a> Use<'a> {
    fn of(laws: &'a Laws) -> Option<Self> {
        if let Some(law) = laws.reporting.as_deref() {
            return Some(Self::Law(law));
        }
        let months: Vec<(f64, f64)> =
            laws.months.iter().map(|m| (m.adjusted.energy, m.measured)).filter(|(b, _)| 0.0 < *b).collect();
        let (before, after) = months.iter().fold((0.0, 0.0), |(b, a), m| (b + m.0, a + m.1));
        if months.len() < SHARE_MONTHS_MIN || before <= 0.0 {
            return None;
        }
        let share = after / before;
        let n = months.len() as f64;
        let squares: f64 = months.iter().map(|(b, a)| (a - share * b).powi(2) / b).sum();
        // Variance of a unit of baseline energy; the sum to come has as many units as energy.
        let variance = squares / (n - 1.0);
        let own = student_90(n - 1.0) * (variance / before).sqrt();
        // Months of one season say little of another: what is not known of them is as much again for each season that
        // is missing.
        let seasons = (12.0 / n).sqrt().max(1.0);
        Some(Self::Share { share, half_width_per_energy: own * (1.0 + n / 12.0).sqrt() * seasons })
    }
}

struct Context<'a> {
    input: &'a ForecastInput<'a>,
    meters: &'a BTreeMap<MeterId, MeterComing>,
    months: &'a [Month],
    years: &'a [i32],
}

impl Context<'_> {
    fn kpi(&self, kpi: &KpiResult) -> KpiForecast {
        let unit = kpi.definition.unit.symbol();
        let mut out = KpiForecast {
            code: kpi.definition.code.clone(),
            unit,
            target: kpi.target,
            so_far: None,
            expected: None,
            low: None,
            high: None,
            if_confirmed: None,
            outlook: Outlook::Unknown,
            needed_per_month: None,
            because: Vec::new(),
        };
        match self.year_end(kpi) {
            Ok(end) => {
                out.so_far = Some(end.so_far);
                out.expected = Some(end.expected);
                out.low = Some(end.low());
                out.high = Some(end.high());
                out.if_confirmed = end.is_doubted().then_some(end.expected + end.confirmed);
                out.outlook = outlook(kpi, &end);
                out.needed_per_month = self.needed(kpi, &end);
            }
            Err(because) => out.because = because,
        }
        out
    }

    /// What must come each month for the target, or at most may.
    fn needed(&self, kpi: &KpiResult, end: &YearEnd) -> Option<f64> {
        let left = self.months.len() as f64;
        let target = kpi.target.filter(|t| 0.0 < left && !kpi::reaches(&kpi.definition, end.so_far, *t))?;
        Some((target - end.so_far) / left)
    }

    /// The year's end in the scheme's unit, or why there is none.
    fn year_end(&self, kpi: &KpiResult) -> Result<YearEnd, Vec<String>> {
        let chain = &kpi.chain;
        let linear =
            chain.parts.iter().all(|p| p.meter.is_some() && matches!(p.quantity, "avoided" | "measured"));
        if !linear || chain.parts.is_empty() {
            // Nothing of it changes with what is still to come, or nothing is known of it.
            return match (kpi.achieved, self.months.is_empty()) {
                (Some(achieved), true) => Ok(YearEnd::known(achieved)),
                _ => Err(vec!["forecast.not_modelled".to_owned()]),
            };
        }
        if self.months.is_empty() {
            let achieved = kpi.achieved.ok_or_else(|| kpi.because.clone())?;
            return Ok(YearEnd::known(achieved));
        }
        let mut because: Vec<String> = Vec::new();
        let scale = chain.scale / chain.divisor.map_or(1.0, |d| d.value);
        let (mut so_far, mut variance, mut confirmed) = (0.0, 0.0, 0.0);
        let mut by_year: BTreeMap<i32, f64> = self.years.iter().map(|y| (*y, 0.0)).collect();
        for part in &chain.parts {
            let Some(id) = &part.meter else { continue };
            if self.input.year.meters.iter().any(|m| m.meter.id == *id && lost(m, part.quantity)) {
                because.push("series.coverage.low".to_owned());
            }
            let Some(coming) = self.meters.get(id) else {
                because.push("forecast.no_law".to_owned());
                continue;
            };
            so_far += part.worse * part.factor * scale;
            variance += (coming.half_width * part.factor * scale).powi(2);
            let is_saving = part.quantity == "avoided";
            let feared = coming.hidden + self.hidden_so_far(id);
            confirmed += if is_saving { feared } else { -feared } * part.factor * scale;
            let of = if is_saving { &coming.avoided } else { &coming.used };
            by_year.retain(|year, sum| {
                let value = of.get(year);
                *sum += value.copied().unwrap_or(0.0) * part.factor * scale;
                value.is_some()
            });
        }
        if by_year.len() < 2 {
            because.push("forecast.no_history".to_owned());
        }
        if !because.is_empty() {
            because.sort();
            because.dedup();
            return Err(because);
        }
        let n = by_year.len() as f64;
        let mean = by_year.values().sum::<f64>() / n;
        let spread = by_year.values().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let weather = student_90(n - 1.0) * (spread * (1.0 + 1.0 / n)).sqrt();
        let half_width = weather.hypot(variance.sqrt());
        Ok(YearEnd { so_far, expected: so_far + mean, half_width, confirmed })
    }

    /// What the months so far may have used while the meter's total stood still.
    fn hidden_so_far(&self, meter: &MeterId) -> f64 {
        let of_meter = self.input.laws.iter().filter(|l| l.meter == *meter);
        let months = of_meter.flat_map(|l| &l.months).filter(|m| m.month.year == self.input.year.year);
        months.map(|m| m.hidden).sum()
    }
}

struct YearEnd {
    so_far: f64,
    expected: f64,
    half_width: f64,
    /// By how much it would change were every standstill confirmed.
    confirmed: f64,
}

impl YearEnd {
    const fn known(achieved: f64) -> Self {
        Self { so_far: achieved, expected: achieved, half_width: 0.0, confirmed: 0.0 }
    }

    fn low(&self) -> f64 {
        self.expected + self.confirmed.min(0.0) - self.half_width
    }

    fn high(&self) -> f64 {
        self.expected + self.confirmed.max(0.0) + self.half_width
    }

    /// Whether the standstills weigh at all.
    fn is_doubted(&self) -> bool {
        1e-9 * self.expected.abs().max(1.0) < self.confirmed.abs()
    }
}

/// Whether a reporting month that is over is withheld: the year's figure will be too.
fn lost(meter: &MeterYear, quantity: &str) -> bool {
    let compared = !matches!(meter.baseline, Baseline::NotCompared);
    let over = meter.months.iter().filter(|m| m.reporting);
    match quantity {
        "avoided" => compared && over.clone().any(|m| m.avoided.is_none()),
        _ => over.clone().any(|m| m.measured.is_none()),
    }
}

fn outlook(kpi: &KpiResult, end: &YearEnd) -> Outlook {
    let Some(target) = kpi.target else { return Outlook::Unknown };
    let reaches = |value: f64| kpi::reaches(&kpi.definition, value, target);
    let (low, high) = (end.low(), end.high());
    // The band is that of the months to come: of a short baseline's own band it knows nothing.
    let is_short = kpi.because.iter().any(|code| code == kpi::SHORT_BASELINE);
    match (reaches(low), reaches(end.expected), reaches(high)) {
        (true, _, true) if !is_short => Outlook::Safe,
        (_, true, _) => Outlook::OnTrack,
        (false, false, false) => Outlook::OutOfReach,
        (_, false, _) => Outlook::AtRisk,
    }
}

fn of_the_law(project: &Project, year: i32, legal: &LegalDegreeDays) -> Finding {
    let place = &legal.place;
    let says = format!(
        "the station has no past years: the months to come follow the {} legal degree days of {}, two kelvin colder to \
         two warmer, and the band is wide for it; import temperatures of past years",
        place.degree_days, place.name
    );
    let rule = "DPR 412/1993, annex A: legal degree days of a municipality, where no weather was measured";
    let about = format!("project:{} {year}", project.id);
    Finding::new("forecast.legal_weather", Severity::Caution, about, says, rule)
        .with("place", &place.name)
        .with("degree_days", place.degree_days)
}

fn few_years(project: &Project, year: i32, years: usize) -> Finding {
    let says = format!(
        "the station has {years} past years for the months to come; the band is that of so few years, and \
         {YEARS_WANTED} are wanted"
    );
    let rule = "the range of the weather still to come is that of the station's past years";
    Finding::new("forecast.few_years", Severity::Note, format!("project:{} {year}", project.id), says, rule)
        .with("years", years)
        .with("wanted", YEARS_WANTED)
}

fn standstill(project: &Project, kpi: &KpiForecast, year: i32) -> Option<Finding> {
    let (expected, confirmed) = (kpi.expected?, kpi.if_confirmed?);
    let (expected, confirmed) = (format!("{expected:.2}"), format!("{confirmed:.2}"));
    let says = format!(
        "{}: a total stands still and nobody has said why; it counts as use. {expected} {} expected; {confirmed} if a \
         person confirms that nothing was used",
        kpi.code, kpi.unit
    );
    let rule = "conservative direction: zero is a value only when the meter is known to work";
    let about = format!("project:{} kpi:{} {year}", project.id, kpi.code);
    Some(
        Finding::new("forecast.standstill", Severity::Caution, about, says, rule)
            .with("kpi", &kpi.code)
            .with("unit", kpi.unit)
            .with("expected", expected)
            .with("confirmed", confirmed),
    )
}

fn at_risk(project: &Project, kpi: &KpiForecast, year: i32, months: usize) -> Option<Finding> {
    let (code, severity) = match kpi.outlook {
        Outlook::AtRisk => ("forecast.at_risk", Severity::Caution),
        Outlook::OutOfReach => ("forecast.out_of_reach", Severity::Caution),
        Outlook::Safe | Outlook::OnTrack | Outlook::Unknown => return None,
    };
    let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"));
    let (target, expected) = (show(kpi.target), show(kpi.expected));
    let (low, high, needed) = (show(kpi.low), show(kpi.high), show(kpi.needed_per_month));
    let says = format!(
        "{}: {expected} {} expected at the end of the year ({low} to {high}), {target} wanted; {months} months are \
         left, and {needed} {} each of them would be needed",
        kpi.code, kpi.unit, kpi.unit
    );
    let rule = "90 % band from what was measured, the models, and the weather of the station's past years";
    let about = format!("project:{} kpi:{} {year}", project.id, kpi.code);
    Some(
        Finding::new(code, severity, about, says, rule)
            .with("kpi", &kpi.code)
            .with("unit", kpi.unit)
            .with("expected", expected)
            .with("low", low)
            .with("high", high)
            .with("target", target)
            .with("months", months)
            .with("needed", needed),
    )
}

/// The same day of another year; 28 February for the 29th where there is none.
fn in_year(day: NaiveDate, year: i32) -> Option<NaiveDate> {
    day.with_year(year).or_else(|| (day - Days::new(1)).with_year(year))
}

/// A temperature of a station, for a scenario.
fn of_station(station: &StationId, date: NaiveDate, mean_c: f64) -> DailyTemperature {
    DailyTemperature::as_given(station.clone(), date, mean_c)
}
