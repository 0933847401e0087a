//! The KPI of a scheme: savings of all meters, in the scheme's unit, held against what was declared.
//!
//! Must never: be reached on missing data, mix two factor sets, or compare values in different units.

use std::collections::BTreeSet;

use model::{Finding, Project, Severity};

use crate::evaluate::meter::Assessment;
use crate::factors::FactorSet;
use crate::result::{KpiResult, Verdict};
use crate::scheme::{KpiDefinition, KpiMeasure, KpiUnit, Scheme, Target};

mod emissions;
mod energy;
mod self_consumption;

/// What every KPI of a project and year is computed from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) project: &'a Project,
    pub(crate) scheme: &'a Scheme,
    pub(crate) factors: &'a FactorSet,
    /// In order of id.
    pub(crate) meters: &'a [Assessment],
    /// Whether all twelve months are reporting months.
    pub(crate) whole_year: bool,
    pub(crate) year: i32,
}

/// A KPI's value in its measure's own unit (kWh, kWh per euro, kg, share of one).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Amount {
    /// The bound of the unmeasured energy that is worse for the beneficiary.
    worse: f64,
    best: f64,
    low: f64,
    high: f64,
}

/// An amount, or the findings that withhold it; and the codes that weaken it.
#[derive(Debug, Default)]
struct Outcome {
    amount: Option<Amount>,
    findings: Vec<Finding>,
    because: BTreeSet<String>,
}

impl Outcome {
    fn withhold(&mut self, finding: Finding) {
        self.because.insert(finding.code.to_owned());
        self.findings.push(finding);
    }
}

/// Every KPI of the scheme in its order, and what is to be said of them.
pub(crate) fn all(context: &Context<'_>) -> (Vec<KpiResult>, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut results = Vec::new();
    for definition in &context.scheme.kpis {
        let (result, said) = one(context, definition);
        results.push(result);
        findings.extend(said);
    }
    (results, findings)
}

fn one(context: &Context<'_>, definition: &KpiDefinition) -> (KpiResult, Vec<Finding>) {
    let mut outcome = match definition.measure {
        KpiMeasure::FinalEnergySaved => energy::final_energy(context),
        KpiMeasure::PrimaryEnergySaved => energy::primary(context),
        KpiMeasure::PrimaryEnergySavedPerEuro => energy::primary_per_euro(context),
        KpiMeasure::Co2Avoided => emissions::co2(context),
        KpiMeasure::NoxAvoided => emissions::nox(context),
        KpiMeasure::Pm10Avoided => emissions::pm10(context),
        KpiMeasure::SelfConsumedShare => self_consumption::share(context),
        KpiMeasure::Stated => stated(),
    };
    let about = format!("kpi:{} {}", definition.code, context.year);
    let factor = per_unit(definition.measure, definition.unit);
    if factor.is_none() {
        let says = format!("{} cannot be stated in {}", definition.measure.code(), definition.unit.symbol());
        let rule = "a KPI is stated in the unit of its scheme";
        outcome.withhold(
            Finding::new("kpi.unit", Severity::Blocks, about.clone(), says, rule)
                .with("unit", definition.unit.symbol()),
        );
    }
    if !context.whole_year {
        outcome.because.insert("year.incomplete".to_owned());
    }
    let (target, target_source) = target(context.project, definition);
    if target.is_none() {
        let says = format!("no value was declared for {}", definition.code);
        let rule = "a KPI is held against the value declared ex ante";
        outcome.withhold(
            Finding::new("kpi.target_missing", Severity::Caution, about, says, rule)
                .with("kpi", &definition.code),
        );
    }
    let value = outcome.amount.zip(factor).filter(|_| context.whole_year);
    let pick = |of: fn(Amount) -> f64| value.map(|(amount, factor)| of(amount) * factor);
    let achieved = pick(|a| a.worse);
    let result = KpiResult {
        definition: definition.clone(),
        target,
        target_source,
        achieved,
        best: pick(|a| a.best),
        low: pick(|a| a.low),
        high: pick(|a| a.high),
        attainment_ratio: achieved.zip(target).filter(|(_, t)| *t != 0.0).map(|(a, t)| a / t),
        verdict: match achieved.zip(target) {
            Some((achieved, target)) if target <= achieved => Verdict::Reached,
            Some(_) => Verdict::Missed,
            None => Verdict::Undetermined,
        },
        because: outcome.because.into_iter().collect(),
    };
    (result, outcome.findings)
}

/// What no meter measures has no figure of ours: its value is the one a person records.
fn stated() -> Outcome {
    let because = BTreeSet::from(["kpi.stated".to_owned()]);
    Outcome { because, ..Outcome::default() }
}

fn target(project: &Project, definition: &KpiDefinition) -> (Option<f64>, Option<String>) {
    match definition.target {
        Target::AtLeast(limit) => (Some(limit).filter(|l| l.is_finite()), None),
        Target::Declared => project
            .declared
            .iter()
            .find(|d| d.kpi == definition.code && d.value.is_finite())
            .map_or((None, None), |d| (Some(d.value), Some(d.source.clone()))),
    }
}

/// By what a measure's own unit is multiplied; `None` when it cannot be stated in that unit.
fn per_unit(measure: KpiMeasure, unit: KpiUnit) -> Option<f64> {
    match (measure, unit) {
        (KpiMeasure::FinalEnergySaved | KpiMeasure::PrimaryEnergySaved, KpiUnit::KilowattHour)
        | (KpiMeasure::PrimaryEnergySavedPerEuro, KpiUnit::KilowattHourPerEuro)
        | (KpiMeasure::Co2Avoided | KpiMeasure::NoxAvoided | KpiMeasure::Pm10Avoided, KpiUnit::Kilogram)
        | (
            KpiMeasure::Stated,
            KpiUnit::Megawatt | KpiUnit::Kilometre | KpiUnit::SquareMetre | KpiUnit::Count,
        ) => Some(1.0),
        (KpiMeasure::FinalEnergySaved | KpiMeasure::PrimaryEnergySaved, KpiUnit::MegawattHour)
        | (KpiMeasure::Co2Avoided | KpiMeasure::NoxAvoided | KpiMeasure::Pm10Avoided, KpiUnit::Tonne) => {
            Some(1e-3)
        }
        (KpiMeasure::FinalEnergySaved | KpiMeasure::PrimaryEnergySaved, KpiUnit::GigawattHour) => Some(1e-6),
        (KpiMeasure::SelfConsumedShare, KpiUnit::Percent) => Some(100.0),
        _ => None,
    }
}

/// Avoided energy of every compared meter times its factor (per display unit), with the bands put together: what was
/// not measured adds up, the models' errors are independent and add in quadrature.
fn weighted_savings(
    context: &Context<'_>,
    mut factor: impl FnMut(&Assessment) -> Result<f64, Finding>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut sum = Amount { worse: 0.0, best: 0.0, low: 0.0, high: 0.0 };
    let (mut variance, mut withheld, mut compared) = (0.0, false, 0);
    for meter in context.meters.iter().filter(|m| m.compared) {
        compared += 1;
        outcome.because.extend(meter.because.iter().cloned());
        withheld |= meter.withheld;
        match factor(meter) {
            Ok(factor) => {
                sum.worse += meter.avoided.low * factor;
                sum.best += meter.avoided.best * factor;
                sum.high += meter.avoided.high * factor;
                variance += (meter.half_width * factor).powi(2);
            }
            Err(finding) => {
                withheld = true;
                outcome.withhold(finding);
            }
        }
    }
    if compared == 0 {
        let about = format!("project:{} {}", context.project.id, context.year);
        let rule = "a saving is a difference between two measured periods";
        outcome.withhold(Finding::new(
            "kpi.not_applicable",
            Severity::Caution,
            about,
            "no meter is compared",
            rule,
        ));
        return outcome;
    }
    let half_width = variance.sqrt();
    sum.low = sum.worse - half_width;
    sum.high += half_width;
    outcome.amount = (!withheld).then_some(sum);
    outcome
}

/// A factor that the project's set does not have.
fn factor_missing(context: &Context<'_>, meter: &Assessment, what: &'static str) -> Finding {
    let (set, carrier) = (&context.factors.id, meter.carrier);
    let says = format!("factor set {set} has no {what} factor of {carrier}");
    let rule = "one named set for both sides of a comparison";
    Finding::new("factor.missing", Severity::Blocks, format!("factors:{set} {carrier}"), says, rule)
        .with("set", set)
        .with("carrier", carrier)
        .with("what", what)
}
