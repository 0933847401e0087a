//! What a KPI is without the meters whose months are in doubt.
//!
//! Must never: change a figure; it only keeps a KPI from being reached on the word of a meter that nobody has vouched for.
//!
//! A month that the others do not bear out says something of its meter: of its other months too, one may hold another's
//! value, which nothing tells from a better saving. Until a person confirms or corrects it, nothing that the meter saves
//! makes a KPI reached; what it uses more counts all the same.

use model::{Finding, MeterId, Severity};

use super::{Context, Outcome, reaches};
use crate::evaluate::doubts::UNCONFIRMED;
use crate::evaluate::flows::SAME_VALUES;
use crate::result::KpiPart;
use crate::scheme::KpiDefinition;

/// Why a KPI is not reached that its bound reaches; also in [`crate::result::KpiResult::because`].
pub(crate) const DOUBTFUL_METER: &str = "kpi.doubtful_meter";

/// The finding that the KPI is reached only with a meter in doubt, where that is so; `worse` is its bound that counts, in
/// its unit, and `factor` what a measure's own unit counts for in it.
pub(super) fn only_with_doubt(
    context: &Context<'_>,
    definition: &KpiDefinition,
    outcome: &Outcome,
    (worse, factor, target): (f64, f64, f64),
) -> Option<Finding> {
    let has = |id: &MeterId, code: &str| {
        context.meters.iter().any(|m| m.meter == *id && m.because.iter().any(|c| c == code))
    };
    // What is used twice counts twice, which only makes an index worse.
    let is_doubted = |p: &KpiPart| {
        let saves = p.quantity.ends_with("avoided");
        p.meter.as_ref().is_some_and(|id| has(id, UNCONFIRMED) || (saves && has(id, SAME_VALUES)))
    };
    let mut doubted = outcome.chain.parts.iter().filter(|p| is_doubted(p)).peekable();
    let first = doubted.peek()?.meter.as_ref()?;
    let per = outcome.chain.divisor.map_or(1.0, |d| d.value);
    // Without its word a meter may have saved nothing, and less by what the law of its baseline may be off.
    let saved = |p: &KpiPart| {
        let avoided = (p.worse * p.factor).max(0.0) + (p.half_width * p.factor).abs();
        if p.quantity.ends_with("avoided") { avoided } else { f64::INFINITY }
    };
    let unvouched: f64 = doubted.map(saved).sum::<f64>() * factor / per;
    // What is used counts with its whole, of which nothing can be left out.
    let without = unvouched.is_finite().then_some(worse - unvouched);
    if !reaches(definition, worse, target) || without.is_some_and(|value| reaches(definition, value, target))
    {
        return None;
    }
    let says = format!(
        "{} would be reached only with meter {first}, of which a month is in doubt: confirm or correct it",
        definition.code
    );
    let rule = "conservative direction: what is missing or garbled never makes a KPI reached";
    let about = format!("kpi:{} {}", definition.code, context.year);
    let finding = Finding::new(DOUBTFUL_METER, Severity::Caution, about, says, rule);
    Some(finding.with("kpi", &definition.code).with("meter", first))
}
