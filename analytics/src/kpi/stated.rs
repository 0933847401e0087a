//! Indicators that no meter measures: floor areas, and values that a document states after the works.
//!
//! Must never: take the declared value for the one after the works.

use super::{Amount, Context, Outcome};
use crate::result::{KpiPart, UNSTATED};
use crate::scheme::KpiDefinition;

/// m2 of the project's buildings (RCO19: public buildings counted by floor area).
pub(super) fn floor_area(context: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.chain.formula = "sum_of_floor_area";
    for building in &context.project.buildings {
        outcome.chain.parts.push(exact(building.name.clone(), "floor_area", building.floor_area_m2, "m2"));
    }
    let sum: f64 = context.project.buildings.iter().map(|b| b.floor_area_m2).sum();
    outcome.amount = Some(Amount::exact(sum));
    outcome
}

/// The value that a document states, in the scheme's unit.
pub(super) fn stated(context: &Context<'_>, definition: &KpiDefinition) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.chain.formula = "as_stated";
    let Some(stated) = context.project.terms.stated.iter().find(|s| s.kpi == definition.code) else {
        // What no meter measures has no figure of ours: its value is the one a person records.
        outcome.because.insert(UNSTATED.to_owned());
        return outcome;
    };
    let unit = definition.unit.symbol();
    outcome.chain.parts.push(exact(stated.source.clone(), "stated", stated.value, unit));
    let value = stated.value;
    outcome.amount = Some(Amount::exact(value));
    outcome
}

fn exact(name: String, quantity: &'static str, value: f64, unit: &'static str) -> KpiPart {
    KpiPart {
        meter: None,
        building: Some(name),
        quantity,
        worse: value,
        best: value,
        high: value,
        half_width: 0.0,
        unit,
        factor: 1.0,
    }
}
