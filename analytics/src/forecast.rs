//! The year-end value of each KPI from any day of the year: what was measured, what the laws of the meters say of the
//! months to come, and the range of weather that the station's past years show; of plants, what they made before.
//!
//! Must never: promise a value that rests on a withheld month, take one past year's weather for what will come, or a
//! declared yield for a measured one.
//!
//! For each past year of the station, the days still to come are given that year's temperatures, and the KPI is
//! carried to the year's end: measured months as they count (the bound that is worse), months to come as the baseline's
//! law less the law of what is used now. The spread of those year-ends is the weather's part of the band (Student's t
//! over the years, with the mean's own error); the error of the law of what is used now is the other part. The band is
//! of the figure that will be reported, not of the truth behind it: both will use the same baseline.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use model::{DailyTemperature, Finding, MeterId, Month, Project, Severity, StationId};

use crate::balance::Vector;
use crate::evaluate::MeterInput;
use crate::evaluate::laws::Laws;
use crate::kpi;
use crate::result::{Baseline, KpiPart, KpiResult, MeterYear, ProjectYear};
use crate::scheme::KpiMeasure;

mod coming;
mod drift;
mod findings;
mod meter;
mod plant;
mod saved;

use coming::Coming;
use meter::MeterComing;

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

/// What the months left must be for a target, in the scheme's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Needed {
    /// What is still wanted, of each month left; of a share, what each of them must have.
    Each(f64),
    /// Where less is better: what each month left may be at most.
    AtMost(f64),
    /// Where less is better: by how much the months so far exceed the most already.
    ExceededBy(f64),
}

impl Needed {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Each(_) => "needed",
            Self::AtMost(_) => "at_most",
            Self::ExceededBy(_) => "exceeded",
        }
    }

    #[must_use]
    pub const fn value(self) -> f64 {
        match self {
            Self::Each(value) | Self::AtMost(value) | Self::ExceededBy(value) => value,
        }
    }

    /// For programs: of each month left, at most of each, and by how much it is exceeded; at most one of them.
    #[must_use]
    pub const fn columns(of: Option<Self>) -> [Option<f64>; 3] {
        match of {
            Some(Self::Each(value)) => [Some(value), None, None],
            Some(Self::AtMost(value)) => [None, Some(value), None],
            Some(Self::ExceededBy(value)) => [None, None, Some(value)],
            None => [None; 3],
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
    /// What the months left must be for the target; `None` where it is reached already, or where no month changes it.
    pub needed: Option<Needed>,
    /// Codes of what withholds it.
    pub because: Vec<String>,
}

impl KpiForecast {
    /// With how many decimals all its values are printed ([`crate::digits`]).
    #[must_use]
    pub fn decimals(&self) -> usize {
        crate::digits::decimals(
            &[self.target, self.so_far, self.expected, self.needed.map(Needed::value)],
            (self.low, self.high),
        )
    }
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

/// What a forecast is made of: the year's figures up to its `until`, the laws of its meters, all that these measured, and
/// all temperatures that the station has before that day.
#[derive(Debug, Clone, Copy)]
pub struct ForecastInput<'a> {
    pub year: &'a ProjectYear,
    pub laws: &'a [Laws],
    /// Of the year's input: past years of the meters that make or export.
    pub meters: &'a [MeterInput],
    pub history: &'a [DailyTemperature],
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
        if let Some(of) = MeterComing::of(laws, &coming, &months) {
            meters.insert(laws.meter.clone(), of);
        }
    }
    let mut said = Vec::new();
    let scenarios = coming.years();
    let weather_years = if coming.is_legal() { Vec::new() } else { scenarios.clone() };
    if !months.is_empty() && weather_years.len() < YEARS_WANTED {
        said.push(match legal {
            Some(legal) => findings::of_the_law(project, *year, legal),
            None => findings::few_years(project, *year, weather_years.len()),
        });
    }
    let context = Context { input, meters: &meters, coming: &coming, months: &months, years: &scenarios };
    let kpis: Vec<KpiForecast> = input.year.kpis.iter().map(|kpi| context.kpi(kpi)).collect();
    said.extend(kpis.iter().filter_map(|k| findings::standstill(project, k, *year)));
    said.extend(kpis.iter().filter_map(|k| findings::at_risk(project, k, *year, months.len())));
    said.extend(kpis.iter().filter_map(|k| findings::no_past_production(project, k, *year)));
    let is_priced = |(of, k): (&KpiResult, &KpiForecast)| {
        of.definition.measure == KpiMeasure::CostAvoided && k.expected.is_some()
    };
    if input.year.kpis.iter().zip(&kpis).any(is_priced) {
        said.extend(saved::held(&context));
    }
    Forecast {
        year: *year,
        on: *until,
        months_left: u32::try_from(months.len()).unwrap_or(12),
        weather_years,
        kpis,
        findings: said,
    }
}

/// The reporting months of the year that are not over on that day.
fn months_to_come(project: &Project, year: i32, on: NaiveDate) -> Vec<Month> {
    let reporting = |m: &Month| project.dates.completed < m.first_day() && on < m.end_day();
    Month::all_of(year).into_iter().filter(reporting).collect()
}

struct Context<'a> {
    input: &'a ForecastInput<'a>,
    meters: &'a BTreeMap<MeterId, MeterComing>,
    coming: &'a Coming,
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
            needed: None,
            because: Vec::new(),
        };
        match self.year_end(kpi) {
            Ok(end) => {
                out.so_far = end.so_far;
                out.expected = Some(end.expected);
                out.low = Some(end.low());
                out.high = Some(end.high());
                out.if_confirmed = end.is_doubted().then_some(end.expected + end.confirmed);
                out.outlook = outlook(kpi, &end);
                out.needed = self.needed(kpi, &end);
            }
            Err(because) => out.because = because,
        }
        out
    }

    /// What must come each month for the target, or at most may.
    fn needed(&self, kpi: &KpiResult, end: &YearEnd) -> Option<Needed> {
        let is_most = kpi::is_most(&kpi.definition);
        if let Some(each) = end.needed {
            return each.map(if is_most { Needed::AtMost } else { Needed::Each });
        }
        let (target, so_far, left) = (kpi.target?, end.so_far?, self.months.len() as f64);
        let missing = target - so_far;
        let comes = kpi.definition.measure.needs_months() && 0.0 < left;
        if is_most {
            return if missing < 0.0 {
                Some(Needed::ExceededBy(-missing))
            } else {
                comes.then_some(Needed::AtMost(missing / left))
            };
        }
        (comes && 0.0 < missing).then_some(Needed::Each(missing / left))
    }

    /// The year's end in the scheme's unit, or why there is none.
    fn year_end(&self, kpi: &KpiResult) -> Result<YearEnd, Vec<String>> {
        if self.months.is_empty() {
            if let Some(achieved) = kpi.achieved {
                return Ok(YearEnd::known(achieved));
            }
            if kpi.definition.measure.needs_months() {
                return Err(withheld(kpi));
            }
        }
        let blocking = self.blocking(kpi);
        if !blocking.is_empty() {
            return Err(blocking);
        }
        if kpi.chain.parts.is_empty() || is_withheld(kpi) {
            return Err(withheld(kpi));
        }
        match kpi.definition.measure {
            KpiMeasure::FloorArea | KpiMeasure::Stated => constant(self, kpi),
            KpiMeasure::RenewableCapacity => plant::capacity(self, kpi),
            KpiMeasure::RenewableProduced => plant::produced(self, kpi),
            KpiMeasure::SelfConsumedShare => plant::share(self, kpi, Vector::Electricity),
            KpiMeasure::HeatSelfConsumedShare => plant::share(self, kpi, Vector::Heat),
            KpiMeasure::FinalEnergySaved
            | KpiMeasure::PrimaryEnergySaved
            | KpiMeasure::PrimaryEnergySavedPerEuro
            | KpiMeasure::Co2Avoided
            | KpiMeasure::NoxAvoided
            | KpiMeasure::Pm10Avoided
            | KpiMeasure::TotalPrimaryEnergySaved
            | KpiMeasure::OilEquivalentSaved
            | KpiMeasure::CostAvoided
            | KpiMeasure::OperationalPrimaryIndex => saved::year_end(self, kpi),
        }
    }

    /// Codes of what withholds the year's figure whatever the months to come bring: a factor, a tariff or a meter that
    /// is missing, a meter that proves nothing.
    fn blocking(&self, kpi: &KpiResult) -> Vec<String> {
        // The index is of what was measured; what withholds a baseline does not touch it.
        let by_use = kpi.definition.measure == KpiMeasure::OperationalPrimaryIndex;
        let of_balance = kpi.chain.parts.iter().all(|p| p.meter.is_none());
        let of_savings = kpi.chain.parts.iter().any(|p| p.quantity.ends_with("avoided"));
        let is_compared = |id: &str| {
            let of = self.input.year.meters.iter().find(|m| m.meter.id.as_str() == id);
            of.is_some_and(|m| !matches!(m.baseline, Baseline::NotCompared))
        };
        let of_meter = |subject: &str| {
            let id = subject.split_whitespace().next().and_then(|word| word.strip_prefix("meter:"))?;
            let is_of = |p: &&KpiPart| p.meter.as_ref().is_some_and(|m| m.as_str() == id);
            let counts = match kpi.chain.parts.iter().find(is_of) {
                Some(part) => part.factor != 0.0,
                // What is compared and no part of the sum was left out of it: that is what withholds the year's figure.
                None => of_balance || (of_savings && is_compared(id)),
            };
            Some(!by_use && counts)
        };
        let (behind, _) = kpi.behind(&self.input.year.findings);
        let mut codes: Vec<String> = behind
            .into_iter()
            .filter(|f| f.severity == Severity::Blocks && of_meter(&f.subject).unwrap_or(true))
            .map(|f| f.code.to_owned())
            .collect();
        codes.sort();
        codes.dedup();
        codes
    }
}

/// Whether what is known so far withholds the year's figure. That a plant made nothing yet does not withhold its share.
fn is_withheld(kpi: &KpiResult) -> bool {
    kpi.chain.withheld && !kpi.because.iter().any(|code| code == "kpi.not_applicable")
}

/// What documents state: the same on every day from the completion of the works on. Before it nobody knows whether the
/// year will have it.
fn constant(context: &Context<'_>, kpi: &KpiResult) -> Result<YearEnd, Vec<String>> {
    let ProjectYear { project, until, year, .. } = context.input.year;
    if *until <= project.dates.completed || *year < project.dates.completed.year() {
        return Err(vec![NOT_MODELLED.to_owned()]);
    }
    Ok(YearEnd::known(kpi.chain.parts.iter().map(|p| p.worse * p.factor).sum::<f64>() * kpi.chain.scale))
}

/// The code of a KPI that nothing is known of before the year is over.
const NOT_MODELLED: &str = "forecast.not_modelled";

/// Why a figure is withheld, apart from the year's being in progress and from the target.
fn withheld(kpi: &KpiResult) -> Vec<String> {
    let weakens = |code: &&String| !matches!(code.as_str(), "year.incomplete" | "kpi.target_missing");
    let codes: Vec<String> = kpi.because.iter().filter(weakens).cloned().collect();
    if codes.is_empty() { vec![NOT_MODELLED.to_owned()] } else { codes }
}

/// In the scheme's unit.
#[derive(Debug, Clone, Copy)]
struct YearEnd {
    /// `None` where nothing is there yet to have a share of.
    so_far: Option<f64>,
    expected: f64,
    /// 90 % band, every standstill counting as use.
    low: f64,
    high: f64,
    /// By how much it would change were every standstill confirmed.
    confirmed: f64,
    /// What each month left must bring, where the months do not add up to the value.
    needed: Option<Option<f64>>,
}

impl YearEnd {
    const fn known(achieved: f64) -> Self {
        Self::within(achieved, achieved, 0.0)
    }

    const fn within(so_far: f64, expected: f64, half_width: f64) -> Self {
        let (low, high) = (expected - half_width, expected + half_width);
        Self { so_far: Some(so_far), expected, low, high, confirmed: 0.0, needed: None }
    }

    fn low(&self) -> f64 {
        self.low + self.confirmed.min(0.0)
    }

    fn high(&self) -> f64 {
        self.high + self.confirmed.max(0.0)
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
        "avoided" | "cost_avoided" => compared && over.clone().any(|m| m.avoided.is_none()),
        _ => over.clone().any(|m| !m.is_whole()),
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

/// The same day of another year; 28 February for the 29th where there is none.
fn in_year(day: NaiveDate, year: i32) -> Option<NaiveDate> {
    day.with_year(year).or_else(|| (day - Days::new(1)).with_year(year))
}

/// A temperature of a station, for a scenario.
fn of_station(station: &StationId, date: NaiveDate, mean_c: f64) -> DailyTemperature {
    DailyTemperature::as_given(station.clone(), date, mean_c)
}
