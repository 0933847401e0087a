//! The figures of one project and one year: what reports, pages and files show.
//!
//! Must never: compute. These are plain values that carry their coverage, bounds and findings.

use std::sync::Arc;

use chrono::NaiveDate;
use model::{
    Adjustment, BuildingId, Finding, MeanDefinition, MeterAct, MeterFacts, MeterId, Month, Project,
    Provenance, TemperatureSource, UseDriver,
};

use crate::balance::BalanceYear;
use crate::counter::Decision;
use crate::degree_days::fill::Filling;
use crate::evaluate::COVERAGE_MIN;
use crate::factors::{FactorSet, FactorUse, Factors};
use crate::kpi::{attainment, reaches};
use crate::places::{Place, ZoneRules};
use crate::scheme::{KpiDefinition, KpiMeasure, Scheme};
use crate::text::Texts;

/// Everything computed for a project and a calendar year.
#[derive(Debug, Clone)]
pub struct ProjectYear {
    pub project: Arc<Project>,
    pub scheme: Arc<Scheme>,
    pub factors: Arc<FactorSet>,
    pub year: i32,
    /// First day not counted: 1 January of the next year, or the day up to which data may exist.
    pub until: NaiveDate,
    /// In the order of the project file.
    pub meters: Vec<MeterYear>,
    /// What the temperatures rest on.
    pub weather: YearWeather,
    /// In the order of the scheme.
    pub kpis: Vec<KpiResult>,
    /// Of every building that produces, exports or stores, then of the project.
    pub balances: Vec<BalanceYear>,
    /// Sorted by severity (worst first), code, subject. Includes those of the meters.
    pub findings: Vec<Finding>,
    pub provenance: Provenance,
}

impl ProjectYear {
    /// The one set of factors of the year's figures, with those that the project file states in place of the set's.
    #[must_use]
    pub fn used_factors(&self) -> Factors<'_> {
        Factors { set: &self.factors, own: &self.project.terms.factors }
    }

    /// Whether the whole calendar year lies before `until`.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        NaiveDate::from_ymd_opt(self.year + 1, 1, 1).is_some_and(|end| end <= self.until)
    }

    /// First day of the year's first whole month after completion; `None` where there is none.
    #[must_use]
    pub fn first_reporting_day(&self) -> Option<NaiveDate> {
        Month::all_of(self.year).iter().map(|m| m.first_day()).find(|day| self.project.dates.completed < *day)
    }
}

/// The temperatures behind a year's figures: how many days, made how, filled from where.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct YearWeather {
    /// How the station's daily means were made and by which way they came, with the number of days of the baseline
    /// and the year; most days first.
    pub made: Vec<(MeanDefinition, TemperatureSource, u32)>,
    /// Where missing days were looked for, and what is known of the difference. `None` without a named neighbour.
    pub filling: Option<Filling>,
    /// The baseline period, then the year up to `until`.
    pub periods: Vec<WeatherPeriod>,
    /// Municipalities of the project with legal degree days, each once, in order of ISTAT code.
    pub legal: Vec<LegalDegreeDays>,
}

/// Days of a period by where their temperature comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeatherPeriod {
    pub from: NaiveDate,
    /// First day after the period.
    pub to: NaiveDate,
    pub measured_days: u32,
    /// Filled with a learned difference.
    pub adjusted_days: u32,
    /// Filled with another station's temperature as it is.
    pub unadjusted_days: u32,
    pub missing_days: u32,
}

/// Legal degree days of a municipality beside those that were. Both to 20 °C over the conventional heating season of
/// the zone; the legal ones are a constant of the place, the others are of the project's station.
#[derive(Debug, Clone, PartialEq)]
pub struct LegalDegreeDays {
    pub place: Place,
    /// What the law says of its zone.
    pub rules: ZoneRules,
    /// K·d of the days of the season within the baseline period, and within the year up to `until`; missing days at the
    /// mean of the others. `None` where less than 90 % of the days are known.
    pub baseline: Option<f64>,
    pub year: Option<f64>,
}

/// Where a month's energy came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonthSource {
    /// Totals of the meter.
    Meter,
    /// Bills of the supply point.
    Bills,
    /// Nothing.
    Missing,
}

/// One meter in one year.
#[derive(Debug, Clone)]
pub struct MeterYear {
    pub building: BuildingId,
    pub meter: MeterFacts,
    /// Twelve rows.
    pub months: Vec<MeterMonth>,
    pub baseline: Baseline,
    pub totals: MeterTotals,
    pub record: MeterRecord,
}

/// What happened to a meter's totals in the months that count, and what people decided about it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MeterRecord {
    /// Ascending.
    pub decisions: Vec<Decision>,
    /// In order of the instants they are about.
    pub acts: Vec<MeterAct>,
    /// That touch the year, by number.
    pub adjustments: Vec<Adjustment>,
    /// Of the months of the year in which readings were to come, ascending.
    pub readings: Vec<MonthReadings>,
}

/// What became of the readings of a meter that were to come in a month, and of those that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthReadings {
    pub month: Month,
    /// That its period asks for.
    pub expected: u64,
    /// New and usable, late ones included.
    pub received: u64,
    /// Of those received.
    pub late: u64,
    /// Kept aside and never used.
    pub refused: u64,
    /// Payloads that were not understood.
    pub quarantined: u64,
}

/// One civil month of one meter. Energies in the carrier's display unit (kWh, Smc, kg).
#[derive(Debug, Clone, PartialEq)]
pub struct MeterMonth {
    pub month: Month,
    pub source: MonthSource,
    /// Whether the month lies in the reporting period (after completion, before `until`).
    pub reporting: bool,
    /// Best value, and the bounds between which the truth lies. `None` when nothing is known.
    pub measured: Option<f64>,
    pub measured_low: Option<f64>,
    /// `None` too when nothing bounds it.
    pub measured_high: Option<f64>,
    /// 0 to 1.
    pub coverage_ratio: f64,
    pub estimated_ratio: f64,
    /// Kelvin days at the model's base temperature; `None` when temperatures are missing or there is no model that
    /// heats.
    pub heating_degree_days: Option<f64>,
    /// Kelvin days above the model's cooling base; `None` likewise.
    pub cooling_degree_days: Option<f64>,
    /// Days of the month with a temperature, measured or filled, 0 to 31.
    pub temperature_days: u32,
    /// Those of them that were filled from another station.
    pub filled_days: u32,
    /// Those of the filled ones that stand at the other station's temperature as it is.
    pub unadjusted_days: u32,
    /// What people's adjustments add to the adjusted baseline; 0 without any.
    pub adjustment: f64,
    /// What the month's opening makes of the adjusted baseline, by driver; none of a model of the weather alone.
    pub drivers: Vec<MonthDriver>,
    /// The baseline model under this month's weather, with people's adjustments. `None` outside the reporting period or without model or weather.
    pub adjusted_baseline: Option<f64>,
    /// Adjusted baseline minus measured; `None` when either is missing or coverage is under the threshold.
    pub avoided: Option<f64>,
}

/// A driver of a model in one month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonthDriver {
    pub driver: UseDriver,
    /// Open days, or open hours.
    pub sum: f64,
    /// Part of the adjusted baseline, in the carrier's display unit.
    pub energy: f64,
}

impl MeterMonth {
    /// Whether enough of the month was measured to stand for the month: what a comparison needs.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.measured.is_some() && self.measured_high.is_some() && COVERAGE_MIN <= self.coverage_ratio
    }

    /// Whether something was measured, and too little of the month for the value to be that of the month.
    #[must_use]
    pub fn is_part(&self) -> bool {
        self.measured.is_some() && !self.is_whole()
    }
}

/// The baseline of a meter.
#[derive(Debug, Clone)]
pub enum Baseline {
    /// Fitted on the baseline period.
    Fitted(BaselineModel),
    /// The meter is new: its baseline is zero.
    Zero,
    /// Not compared (sub-meter, export, production).
    NotCompared,
    /// Could not be fitted; the findings say why.
    Unknown,
}

/// What is shown of a fitted baseline: the coefficients of its law, in display units per day and K·d. Of an average over
/// laws those of the likeliest shape; the figures are predicted by the whole average.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineModel {
    /// Stable name of the method, as on the command line.
    pub method: &'static str,
    pub base_per_day: f64,
    /// Zero when the load does not respond to the cold.
    pub heating_per_degree_day: f64,
    /// Base temperature in °C; `None` without heating.
    pub heating_base_c: Option<f64>,
    /// Zero when the load does not respond to the heat.
    pub cooling_per_degree_day: f64,
    /// Base temperature in °C; `None` without cooling.
    pub cooling_base_c: Option<f64>,
    /// What it follows beside the weather.
    pub drivers: Vec<ModelDriver>,
    pub quality: FitQuality,
    /// The periods it was fitted on.
    pub points: Vec<BaselinePoint>,
}

/// A driver of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelDriver {
    pub driver: UseDriver,
    /// Display units per open day, or per open hour.
    pub coefficient: f64,
    pub standard_error: f64,
    /// Mean of a day of the baseline: 0 to 1 open day, or hours.
    pub usual_per_day: f64,
}

impl BaselineModel {
    /// Use of a day that neither heats nor cools, opened as the baseline's days were on average.
    #[must_use]
    pub fn usual_base_per_day(&self) -> f64 {
        self.base_per_day + self.drivers.iter().map(|d| d.coefficient * d.usual_per_day).sum::<f64>()
    }

    /// Whether the load responds to the weather at all.
    #[must_use]
    pub const fn follows_weather(&self) -> bool {
        self.heating_base_c.is_some() || self.cooling_base_c.is_some()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct BaselinePoint {
    pub from: NaiveDate,
    /// First day after the period.
    pub to: NaiveDate,
    pub energy_per_day: f64,
    /// At the heating base; 0 for a model without heating.
    pub degree_days_per_day: f64,
    /// At the cooling base; 0 for a model without cooling.
    pub cooling_degree_days_per_day: f64,
}

/// How well the model follows the baseline period.
#[derive(Debug, Clone, PartialEq)]
pub struct FitQuality {
    pub n: usize,
    pub r2: f64,
    pub r2_adjusted: f64,
    /// Root mean square error over the mean, degrees of freedom removed; 0.1 is 10 %.
    pub cvrmse_ratio: f64,
    pub nmbe_ratio: f64,
    pub baseline_days: u32,
}

/// Sums over the reporting months of the year, in display units.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MeterTotals {
    /// Sum over all months of the year with data, reporting or not.
    pub measured: f64,
    /// Reporting months for which `avoided` exists.
    pub compared_months: u32,
    /// Reporting months that the year has so far.
    pub reporting_months: u32,
    pub compared_measured: f64,
    /// With people's adjustments.
    pub adjusted_baseline: f64,
    /// What these add to it and to `avoided`.
    pub adjustment: f64,
    pub avoided: f64,
    /// 90 % bounds of what all reporting months avoided: model uncertainty and unmeasured energy, with all that the
    /// months left out of `avoided` may have used. Infinite where nothing bounds them.
    pub avoided_low: f64,
    pub avoided_high: f64,
    pub coverage_ratio: f64,
    /// How much better the reporting months are known together than one by one, because energy whose month is in doubt
    /// is of the year all the same: the least that was used is by so much more than the sum of the months' lower bounds,
    /// and the most by so much less than that of the upper ones. Not negative.
    pub joint_low: f64,
    pub joint_high: f64,
}

/// Whether a KPI is reached. Never `Reached` on missing data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Reached,
    /// Whatever was used where nothing was measured.
    Missed,
    /// Data do not allow a statement; the findings say why.
    Undetermined,
}

impl Verdict {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::Missed => "missed",
            Self::Undetermined => "undetermined",
        }
    }
}

/// One KPI of the year, in the scheme's unit.
#[derive(Debug, Clone)]
pub struct KpiResult {
    pub definition: KpiDefinition,
    /// The value to be reached: declared ex ante, or the scheme's limit.
    pub target: Option<f64>,
    /// Where the declared value stands.
    pub target_source: Option<String>,
    /// What counts: the bound that is worse for the beneficiary. `None` when withheld.
    pub achieved: Option<f64>,
    /// Best estimate, for comparison.
    pub best: Option<f64>,
    /// 90 % bounds.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// The other bound of what was not measured, better for the beneficiary, without the model's band.
    pub better: Option<f64>,
    /// How far the target is reached, 1 is 100 %: achieved / target, of an index that should be low target / achieved.
    pub attainment_ratio: Option<f64>,
    pub verdict: Verdict,
    /// Codes of the findings that withhold or weaken it.
    pub because: Vec<String>,
    /// What it was computed from.
    pub chain: KpiChain,
}

impl KpiResult {
    /// How another value than the achieved one would stand to the target: its verdict, and its share of the target.
    #[must_use]
    pub fn judged(&self, value: f64) -> (Verdict, Option<f64>) {
        let Some(target) = self.target else { return (Verdict::Undetermined, None) };
        let verdict =
            if reaches(&self.definition, value, target) { Verdict::Reached } else { Verdict::Missed };
        (verdict, attainment(&self.definition, value, target))
    }

    /// Whether no meter can measure it and no document of the project file states its value: a person declares it, and no
    /// data would ever determine it.
    #[must_use]
    pub fn is_declared(&self) -> bool {
        let unstated = self.because.iter().any(|code| code == UNSTATED);
        unstated && self.definition.measure == KpiMeasure::Stated && self.achieved.is_none()
    }

    /// The code of what people are told of it, everywhere by the same words ([`Texts::told`]): that of the verdict, or
    /// that its value is to be declared, or was.
    #[must_use]
    pub fn told(&self, was_stated: bool) -> &'static str {
        match (self.is_declared(), was_stated) {
            (false, _) => self.verdict.code(),
            (true, false) => TO_STATE,
            (true, true) => STATED,
        }
    }

    /// Why it is withheld or weak, as sentences, each once: first the codes without a finding, then the worst. Once a
    /// person stated the value, that nobody did is none of them.
    #[must_use]
    pub fn reasons(&self, findings: &[Finding], texts: &Texts, was_stated: bool) -> Vec<String> {
        let (behind, mut unsaid) = self.behind(findings);
        unsaid.retain(|code| !(was_stated && *code == UNSTATED));
        // A code without a finding still says more than nothing.
        let unsaid = unsaid.into_iter().map(|code| texts.of_code(code).unwrap_or(code).to_owned());
        let mut all: Vec<String> = Vec::new();
        for sentence in unsaid.chain(behind.into_iter().map(|finding| texts.finding(finding))) {
            if !all.contains(&sentence) {
                all.push(sentence);
            }
        }
        all
    }

    /// With how many decimals all its values are printed, together with one that a person stated ([`crate::digits`]).
    #[must_use]
    pub fn decimals(&self, stated: Option<f64>) -> usize {
        crate::digits::decimals(&[self.achieved, self.target, stated], (self.low, self.high))
    }

    /// A value in the scheme's unit, the achieved one or another, rounded to the decimals in which it is printed: one that
    /// misses the target is never rounded onto it.
    #[must_use]
    pub fn printed(&self, value: f64, decimals: usize) -> f64 {
        let missed = self.target.filter(|_| self.judged(value).0 == Verdict::Missed);
        crate::digits::rounded_beside(value, missed, decimals)
    }

    /// The findings behind it, in their order; of those about a KPI only its own, and last that nobody declared a value,
    /// which withholds no figure. The codes of `because` that have none.
    #[must_use]
    pub fn behind<'k, 'f>(&'k self, findings: &'f [Finding]) -> (Vec<&'f Finding>, Vec<&'k str>) {
        let is_own = |finding: &Finding| {
            let about = finding.subject.split_whitespace().find_map(|word| word.strip_prefix("kpi:"));
            about.is_none_or(|code| code == self.definition.code)
        };
        let mut own: Vec<&'f Finding> =
            findings.iter().filter(|f| self.because.iter().any(|code| f.code == code) && is_own(f)).collect();
        // Stable: worst first within each, as findings are sorted.
        own.sort_by_key(|f| f.code == NO_TARGET);
        let is_said = |code: &&String| own.iter().any(|f| f.code == code.as_str());
        let unsaid = self.because.iter().filter(|code| !is_said(code)).map(String::as_str).collect();
        (own, unsaid)
    }
}

/// What people are told of a KPI whose value a person is to declare, and of one whose value a person declared.
pub const TO_STATE: &str = "to_state";
pub const STATED: &str = "stated";
/// What is said of a KPI that no meter measures as long as the project file states no value of it; also in
/// [`KpiResult::because`].
pub const UNSTATED: &str = "kpi.stated";

/// The code of what is said where nobody declared a KPI's value.
const NO_TARGET: &str = "kpi.target_missing";

/// What a KPI was computed from: `value = scale x sum(part x factor) / divisor`, unless the formula says otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KpiChain {
    /// Key of the formula's sentence in the texts.
    pub formula: &'static str,
    pub parts: Vec<KpiPart>,
    /// Every factor that was used, each once.
    pub factors: Vec<FactorUse>,
    pub divisor: Option<Divisor>,
    /// From the measure's own unit to the scheme's.
    pub scale: f64,
    /// Whether what is known so far withholds the figure: its parts are then not all that it would be made of.
    pub withheld: bool,
}

/// A term of a KPI.
#[derive(Debug, Clone, PartialEq)]
pub struct KpiPart {
    pub meter: Option<MeterId>,
    /// Name and source of what is no meter: a building, a plant, a document.
    pub building: Option<String>,
    /// `avoided`, `measured`, `produced`, …
    pub quantity: &'static str,
    /// The bound that is worse for the beneficiary, the best value, the other bound.
    pub worse: f64,
    pub best: f64,
    pub high: f64,
    /// Half the model's 90 % band.
    pub half_width: f64,
    pub unit: &'static str,
    pub factor: f64,
}

/// What a sum of parts is divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divisor {
    pub what: &'static str,
    pub value: f64,
    pub unit: &'static str,
}
