//! The share of the energy produced on site that was used on site, of electricity and of heat.
//!
//! Must never: take an export that nobody measures for no export.

use model::{Direction, Finding, Severity};

use super::{Amount, Context, Outcome};
use crate::balance::{BalanceYear, Vector, of_project};
use crate::evaluate::meter::Assessment;
use crate::result::KpiPart;

const RULE: &str = "self-consumed share = self-consumed / produced, over the reporting months";

/// Share of one; worse bound: the least self-consumption over itself and the most that was exported and stored.
pub(super) fn share(context: &Context<'_>, vector: Vector) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.chain.formula = "self_consumed_over_produced";
    let about = || format!("project:{} {}", context.project.id, context.year);
    let balance = of_project(context.balances, vector);
    for (direction, says, has) in [
        (
            Direction::Production,
            "no meter measures what is produced on site",
            balance.is_some_and(|b| b.has_production),
        ),
        (Direction::Export, "no meter measures what is exported", balance.is_some_and(|b| b.has_export)),
    ] {
        if !has {
            outcome.withhold(
                Finding::new("kpi.meter_missing", Severity::Blocks, about(), says, RULE)
                    .with("direction", direction.code()),
            );
        }
    }
    let meters: Vec<&Assessment> = context
        .meters
        .iter()
        .filter(|m| Vector::of(m.carrier) == Some(vector) && m.direction != Direction::Import)
        .collect();
    outcome.because.extend(meters.iter().flat_map(|m| m.because.iter().cloned()));
    let Some(balance) = balance.filter(|_| outcome.findings.is_empty()) else { return outcome };
    outcome.chain.parts = parts(balance);
    if meters.iter().any(|m| m.withheld) {
        return outcome;
    }
    if is_contradicted(context.balances, vector) {
        // The balance has its own finding.
        outcome.because.insert("balance.export_exceeds".to_owned());
        return outcome;
    }
    let sum = &balance.reporting;
    if sum.produced.low <= 0 {
        let says = "nothing was produced in the reporting months";
        outcome.withhold(Finding::new("kpi.not_applicable", Severity::Caution, about(), says, RULE));
        return outcome;
    }
    match sum.share() {
        Some(share) => {
            let (worse, high) = (share.worse, share.high);
            outcome.amount = Some(Amount { worse, best: share.best, low: worse, high, better: high });
        }
        // The balance has its own finding.
        None => {
            outcome.because.insert("balance.export_exceeds".to_owned());
        }
    }
    outcome
}

/// Whether a building exported more than it made in a reporting month: what is wrong in one month makes no share of the
/// others.
fn is_contradicted(balances: &[BalanceYear], vector: Vector) -> bool {
    let of_buildings = balances.iter().filter(|b| b.building.is_some() && b.vector == vector);
    of_buildings
        .filter(|b| b.has_production && b.has_export)
        .flat_map(|b| &b.months)
        .any(|m| m.reporting && m.balance.self_consumed.amount < 0)
}

fn parts(balance: &BalanceYear) -> Vec<KpiPart> {
    let sum = &balance.reporting;
    let kwh = |wh: i64| wh as f64 / 1000.0;
    let part = |quantity, flow: crate::balance::Flow| KpiPart {
        meter: None,
        building: None,
        quantity,
        worse: kwh(flow.low),
        best: kwh(flow.amount),
        high: flow.high.map_or(f64::INFINITY, kwh),
        half_width: 0.0,
        unit: "kWh",
        factor: 1.0,
    };
    vec![
        part("produced", sum.produced),
        part("exported", sum.exported),
        part("stored", sum.stored),
        part("self_consumed", sum.self_consumed),
    ]
}
