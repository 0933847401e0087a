//! The share of the electricity produced on site that was used on site.
//!
//! Must never: take an export that nobody measures for no export.

use model::{Direction, Finding, Quantity, Severity};

use super::{Amount, Context, Outcome};
use crate::evaluate::meter::{Assessment, Bounded};

const RULE: &str = "self-consumed share = (produced - exported) / produced, over the reporting months";

/// Share of one; worse bound: all that may have been exported over the least that was produced.
pub(super) fn share(context: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let of = |direction: Direction| {
        context.meters.iter().filter(move |m| {
            m.direction == direction
                && !m.sub
                && (direction == Direction::Export
                    || m.carrier.total_quantity() == Quantity::ActiveEnergyImport)
        })
    };
    let about = || format!("project:{} {}", context.project.id, context.year);
    for (direction, says) in [
        (Direction::Production, "no meter measures what is produced on site"),
        (Direction::Export, "no meter measures what is exported"),
    ] {
        if of(direction).next().is_none() {
            outcome.withhold(
                Finding::new("kpi.meter_missing", Severity::Blocks, about(), says, RULE)
                    .with("direction", direction.code()),
            );
        }
    }
    let meters = || of(Direction::Production).chain(of(Direction::Export));
    outcome.because.extend(meters().flat_map(|m| m.because.iter().cloned()));
    if !outcome.findings.is_empty() || meters().any(|m| m.withheld) {
        return outcome;
    }
    let (produced, exported) = (sum(of(Direction::Production)), sum(of(Direction::Export)));
    if produced.low <= 0.0 {
        let says = "nothing was produced in the reporting months";
        outcome.withhold(Finding::new("kpi.not_applicable", Severity::Caution, about(), says, RULE));
        return outcome;
    }
    let share = |exported: f64, produced: f64| (1.0 - exported / produced).clamp(0.0, 1.0);
    let worse = share(exported.high, produced.low);
    outcome.amount = Some(Amount {
        worse,
        best: share(exported.best, produced.best),
        low: worse,
        high: share(exported.low, produced.high),
    });
    outcome
}

fn sum<'a>(meters: impl Iterator<Item = &'a Assessment>) -> Bounded {
    meters.fold(Bounded::default(), |sum, m| Bounded {
        best: sum.best + m.measured.best,
        low: sum.low + m.measured.low,
        high: sum.high + m.measured.high,
    })
}
