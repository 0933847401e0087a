//! The KPI of a scheme: savings of all meters, in the scheme's unit, held against what was declared.
//!
//! Must never: be reached on missing data, mix two factor sets, or compare values in different units.

use std::collections::BTreeSet;

use model::{Carrier, Direction, FactorKind, Finding, MeterId, Project, Severity};

use crate::balance::{BalanceYear, Vector};
use crate::evaluate::meter::Assessment;
use crate::factors::{FactorUse, Factors};
use crate::result::{KpiChain, KpiPart, KpiResult, MeterYear, Verdict};
use crate::scheme::{KpiDefinition, KpiMeasure, Scheme, Target};
use crate::uncertainty::Uncertain;

mod cost;
mod emissions;
mod energy;
mod index;
mod renewable;
mod self_consumption;
mod stated;
mod vouched;

pub(crate) use cost::{Ahead, mean_price, price_ahead, tariffs_of_month};
pub use cost::{CostMonth, of_month as cost_of_month};
pub(crate) use renewable::is_renewable;
pub(crate) use vouched::DOUBTFUL_METER;

/// What every KPI of a project and year is computed from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) project: &'a Project,
    pub(crate) scheme: &'a Scheme,
    pub(crate) factors: Factors<'a>,
    /// In order of id.
    pub(crate) meters: &'a [Assessment],
    /// The same meters as they are shown, in the order of the project file.
    pub(crate) years: &'a [MeterYear],
    pub(crate) balances: &'a [BalanceYear],
    /// Whether all twelve months are reporting months.
    pub(crate) whole_year: bool,
    /// Whether the year is over and the works were completed by its end: the year of completion is the first that what
    /// needs no months is stated for.
    pub(crate) completed: bool,
    pub(crate) year: i32,
}

impl Context<'_> {
    /// Whether the year can be judged by this measure.
    const fn is_whole(&self, measure: KpiMeasure) -> bool {
        self.whole_year || (self.completed && !measure.needs_months())
    }
}

/// A KPI's value in its measure's own unit (kWh, kWh per euro, kg, share of one).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Amount {
    /// The bound of the unmeasured energy that is worse for the beneficiary.
    worse: f64,
    best: f64,
    low: f64,
    high: f64,
    /// The other bound of the unmeasured energy, without the model's band.
    better: f64,
}

impl Amount {
    const fn exact(value: f64) -> Self {
        Self { worse: value, best: value, low: value, high: value, better: value }
    }
}

/// An amount, or the findings that withhold it; and the codes that weaken it.
#[derive(Debug, Default)]
struct Outcome {
    amount: Option<Amount>,
    findings: Vec<Finding>,
    because: BTreeSet<String>,
    chain: KpiChain,
}

impl Outcome {
    fn withhold(&mut self, finding: Finding) {
        self.because.insert(finding.code.to_owned());
        self.findings.push(finding);
    }

    fn used(&mut self, factors: Vec<FactorUse>) {
        for factor in factors {
            if !self.chain.factors.contains(&factor) {
                self.chain.factors.push(factor);
            }
        }
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

/// What its measure makes of the year.
fn measured(context: &Context<'_>, definition: &KpiDefinition) -> Outcome {
    match definition.measure {
        KpiMeasure::FinalEnergySaved => energy::final_energy(context),
        KpiMeasure::PrimaryEnergySaved => energy::primary(context),
        KpiMeasure::PrimaryEnergySavedPerEuro => energy::primary_per_euro(context),
        KpiMeasure::Co2Avoided => emissions::co2(context),
        KpiMeasure::NoxAvoided => emissions::nox(context),
        KpiMeasure::Pm10Avoided => emissions::pm10(context),
        KpiMeasure::SelfConsumedShare => self_consumption::share(context, Vector::Electricity),
        KpiMeasure::HeatSelfConsumedShare => self_consumption::share(context, Vector::Heat),
        KpiMeasure::TotalPrimaryEnergySaved => energy::total_primary(context),
        KpiMeasure::OilEquivalentSaved => energy::oil_equivalent(context),
        KpiMeasure::CostAvoided => cost::avoided(context),
        KpiMeasure::RenewableProduced => renewable::produced(context),
        KpiMeasure::RenewableCapacity => renewable::capacity(context),
        KpiMeasure::OperationalPrimaryIndex => index::operational(context),
        KpiMeasure::FloorArea => stated::floor_area(context),
        KpiMeasure::Stated => stated::stated(context, definition),
    }
}

fn one(context: &Context<'_>, definition: &KpiDefinition) -> (KpiResult, Vec<Finding>) {
    let mut outcome = measured(context, definition);
    let about = format!("kpi:{} {}", definition.code, context.year);
    let factor = definition
        .measure
        .units()
        .iter()
        .find(|(unit, _)| *unit == definition.unit)
        .map(|(_, factor)| *factor);
    if factor.is_none() {
        outcome.withhold(other_unit(definition, about.clone()));
    }
    let is_whole = context.is_whole(definition.measure);
    if !is_whole {
        outcome.because.insert("year.incomplete".to_owned());
    }
    let short = rests_on_less_than_a_year(context, &outcome);
    if short {
        outcome.withhold(short_baseline(definition, &about));
    }
    let (target, target_source) = target(context.project, definition);
    if target.is_none() {
        outcome.withhold(undeclared(definition, about));
    }
    let value = outcome.amount.zip(factor).filter(|_| is_whole);
    let withheld = outcome.amount.zip(factor).is_none();
    let pick = |of: fn(Amount) -> f64| value.map(|(amount, factor)| of(amount) * factor);
    let (achieved, better) = (pick(|a| a.worse), pick(|a| a.better));
    let (low, high) = (pick(|a| a.low), pick(|a| a.high));
    let bounds = achieved.zip(better);
    let mut verdict = verdict(definition, bounds, target, short.then_some([low, high]));
    if let (Some(bounds), Some(target)) = (bounds, target) {
        let counted = (bounds.0, factor.unwrap_or(1.0), target);
        if let Some(finding) = vouched::only_with_doubt(context, definition, &outcome, counted) {
            verdict = Verdict::Undetermined;
            outcome.withhold(finding);
        } else if verdict == Verdict::Undetermined && !reaches(definition, bounds.0, target) {
            outcome.withhold(undecided(context, definition, &outcome.chain, bounds, target));
        }
    }
    let result = KpiResult {
        definition: definition.clone(),
        target,
        target_source,
        achieved,
        best: pick(|a| a.best),
        low,
        high,
        better,
        attainment_ratio: achieved.zip(target).and_then(|(a, t)| attainment(definition, a, t)),
        verdict,
        because: outcome.because.into_iter().collect(),
        chain: KpiChain { scale: factor.unwrap_or(1.0), withheld, ..outcome.chain },
    };
    (result, outcome.findings)
}

fn other_unit(definition: &KpiDefinition, about: String) -> Finding {
    let says = format!("{} cannot be stated in {}", definition.measure.code(), definition.unit.symbol());
    let rule = "a KPI is stated in the unit of its scheme";
    Finding::new("kpi.unit", Severity::Blocks, about, says, rule).with("unit", definition.unit.symbol())
}

fn undeclared(definition: &KpiDefinition, about: String) -> Finding {
    let says = format!("no value was declared for {}", definition.code);
    let rule = "a KPI is held against the value declared ex ante";
    let finding = Finding::new("kpi.target_missing", Severity::Caution, about, says, rule);
    finding.with("kpi", &definition.code)
}

/// Reached where the bound that is worse for the beneficiary reaches the target, missed where not even the better one
/// does: between the two, what was not measured decides, and nobody knows it. Of a short baseline it is reached only where
/// both ends of its band are too.
fn verdict(
    definition: &KpiDefinition,
    bounds: Option<(f64, f64)>,
    target: Option<f64>,
    of_short: Option<[Option<f64>; 2]>,
) -> Verdict {
    let Some(((worse, better), target)) = bounds.zip(target) else { return Verdict::Undetermined };
    let surely = |end: Option<f64>| end.is_some_and(|end| reaches(definition, end, target));
    if !reaches(definition, better, target) {
        Verdict::Missed
    } else if reaches(definition, worse, target) && of_short.is_none_or(|band| band.into_iter().all(surely)) {
        Verdict::Reached
    } else {
        Verdict::Undetermined
    }
}

/// Why a KPI of a short baseline is judged by its band; also in [`KpiResult::because`].
pub(crate) const SHORT_BASELINE: &str = "kpi.short_baseline";

/// Whether any saving that counts in it is held against a baseline of less than a year.
fn rests_on_less_than_a_year(context: &Context<'_>, outcome: &Outcome) -> bool {
    let is_short = |id: &MeterId| context.meters.iter().any(|m| m.meter == *id && m.short);
    let counts = outcome.chain.parts.iter().filter(|p| p.quantity.ends_with("avoided") && p.factor != 0.0);
    counts.filter_map(|p| p.meter.as_ref()).any(is_short)
}

fn short_baseline(definition: &KpiDefinition, about: &str) -> Finding {
    let says = format!(
        "{} rests on a baseline of less than a year: it counts as reached only where the whole of its band reaches the \
         target; a year of baseline is wanted",
        definition.code
    );
    let rule = "CalTRACK 2.0 §2.2.1.1 and §2.2.1.2: a baseline is a year; conservative direction for less";
    Finding::new(SHORT_BASELINE, Severity::Caution, about, says, rule).with("kpi", &definition.code)
}

/// The fewest decimals with which the ends of an undecided value are told.
const WITHIN_DECIMALS_MIN: usize = 3;

/// Says that what was not measured decides, and of which meter most of it is.
fn undecided(
    context: &Context<'_>,
    definition: &KpiDefinition,
    chain: &KpiChain,
    (worse, better): (f64, f64),
    target: f64,
) -> Finding {
    let width = |part: &KpiPart| ((part.high - part.worse) * part.factor).abs();
    let widest = chain.parts.iter().max_by(|a, b| width(a).total_cmp(&width(b)));
    let named = widest.and_then(|part| part.meter.as_ref());
    // A share has no terms of one meter.
    let own = context.meters.iter().filter(|m| m.direction != Direction::Import);
    let doubt = |m: &Assessment| m.measured.high - m.measured.low;
    let meter = named.or_else(|| own.max_by(|a, b| doubt(a).total_cmp(&doubt(b))).map(|m| &m.meter));
    let meter = meter.map_or_else(|| "-".to_owned(), ToString::to_string);
    let decimals =
        crate::digits::decimals(&[Some(worse), Some(better), Some(target)], (Some(worse), Some(better)));
    let decimals = decimals.max(WITHIN_DECIMALS_MIN);
    let show = |value: f64| format!("{value:.decimals$}");
    let (symbol, worse, better) = (definition.unit.symbol(), show(worse), show(better));
    let says = format!(
        "what was not measured decides: the value lies between {worse} and {better} {symbol}, and {target} {symbol} is wanted; most of the doubt is of {meter}: readings or read bills of its months would tell"
    );
    let rule =
        "conservative direction: reached by the worse bound, missed only where the better one misses too";
    let about = format!("kpi:{} {}", definition.code, context.year);
    Finding::new("kpi.within_bounds", Severity::Caution, about, says, rule)
        .with("kpi", &definition.code)
        .with("worse", worse)
        .with("better", better)
        .with("unit", symbol)
        .with("target", show(target))
        .with("meter", meter)
}

/// Whether a value is what was asked for. Of an index that should be low, what is declared is the most.
pub(crate) fn reaches(definition: &KpiDefinition, value: f64, target: f64) -> bool {
    if is_most(definition) { value <= target } else { target <= value }
}

/// Whether its target is the most that it may be.
pub(crate) const fn is_most(definition: &KpiDefinition) -> bool {
    match definition.target {
        Target::AtMost(_) => true,
        Target::Declared => definition.measure.less_is_better(),
        Target::AtLeast(_) => false,
    }
}

/// How far a target is reached; 1 is 100 %, and less than 1 is always missed. Of an index that should be low it is the
/// target over the value. `None` where neither says anything: a target of nothing, an index of nothing.
pub(crate) fn attainment(definition: &KpiDefinition, value: f64, target: f64) -> Option<f64> {
    let (part, whole) = if is_most(definition) { (target, value) } else { (value, target) };
    let is_sensible = if is_most(definition) { 0.0 < whole && 0.0 < part } else { whole != 0.0 };
    is_sensible.then(|| part / whole)
}

fn target(project: &Project, definition: &KpiDefinition) -> (Option<f64>, Option<String>) {
    match definition.target {
        Target::AtLeast(limit) | Target::AtMost(limit) => (Some(limit).filter(|l| l.is_finite()), None),
        Target::Declared => project
            .declared
            .iter()
            .find(|d| d.kpi == definition.code && d.value.is_finite())
            .map_or((None, None), |d| (Some(d.value), Some(d.source.clone()))),
    }
}

/// The factors of a carrier multiplied with each other, and as they were used.
fn product(
    context: &Context<'_>,
    carrier: Carrier,
    kinds: &[FactorKind],
) -> Result<(f64, Vec<FactorUse>), Finding> {
    let mut uses = Vec::with_capacity(kinds.len());
    for kind in kinds {
        uses.push(
            context.factors.find(carrier, *kind).ok_or_else(|| factor_missing(context, carrier, *kind))?,
        );
    }
    Ok((uses.iter().map(|f| f.value).product(), uses))
}

/// Avoided energy of every compared meter times its factor (per display unit), added up as [`Uncertain`] does.
fn weighted_savings(
    context: &Context<'_>,
    formula: &'static str,
    mut factor: impl FnMut(&Assessment) -> Result<(f64, Vec<FactorUse>), Finding>,
) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.chain.formula = formula;
    let mut sum = Uncertain::exact(0.0);
    let (mut withheld, mut compared) = (false, 0);
    for meter in context.meters.iter().filter(|m| m.compared) {
        compared += 1;
        let factor = factor(meter);
        // What counts for nothing cannot change the figure, measured or not; what counts for how much nobody knows can.
        if !factor.as_ref().is_ok_and(|(factor, _)| *factor == 0.0) {
            outcome.because.extend(meter.because.iter().cloned());
            withheld |= meter.withheld;
        }
        match factor {
            Ok((factor, uses)) => {
                let avoided = &meter.avoided;
                sum = sum.plus(&avoided.clone().times(factor));
                outcome.chain.parts.push(KpiPart {
                    meter: Some(meter.meter.clone()),
                    building: None,
                    quantity: "avoided",
                    worse: avoided.least(),
                    best: avoided.best,
                    high: avoided.most(),
                    half_width: avoided.half_width(),
                    unit: meter.carrier.base_unit().display().symbol(),
                    factor,
                });
                outcome.used(uses);
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
    let amount =
        Amount { worse: sum.least(), best: sum.best, low: sum.low(), high: sum.high(), better: sum.most() };
    outcome.amount = (!withheld).then_some(amount);
    outcome
}

/// A factor that neither the project's set nor the project has.
fn factor_missing(context: &Context<'_>, carrier: Carrier, kind: FactorKind) -> Finding {
    let set = &context.factors.set.id;
    let what = match kind {
        FactorKind::HeatingValue => "heating value",
        FactorKind::PrimaryNonrenewable => "non-renewable primary energy",
        FactorKind::PrimaryRenewable => "renewable primary energy",
        FactorKind::Co2 => "CO2",
        FactorKind::Nox => "NOx",
        FactorKind::Pm10 => "PM10",
        FactorKind::OilEquivalent => "oil equivalent",
    };
    let says = format!("factor set {set} has no {what} factor of {carrier}");
    let rule = "one named set for both sides of a comparison";
    Finding::new("factor.missing", Severity::Blocks, format!("factors:{set} {carrier}"), says, rule)
        .with("set", set)
        .with("carrier", carrier)
        .with("what", what)
}
