//! Final energy saved, primary energy saved, tonnes of oil equivalent, and primary energy per euro of facility.
//!
//! Must never: credit exported electricity, which the acts treat as neutral.
//!
//! Each is the reduction of one calendar year after completion, never a sum over the life of the works (Emilia-Romagna
//! POR FESR 2014-20 art. 6: annual figures). Energy from renewable sources made on site is neutral: what it saves is
//! less energy bought, and nothing is added for what it makes.

use model::{FactorKind, Finding, Severity};

use super::{Amount, Context, Outcome, product, weighted_savings};
use crate::result::Divisor;

/// kWh by lower heating value.
pub(super) fn final_energy(context: &Context<'_>) -> Outcome {
    let kinds = [FactorKind::HeatingValue];
    weighted_savings(context, "avoided_x_pci", |meter| product(context, meter.carrier, &kinds))
}

/// kWh of non-renewable primary energy.
pub(super) fn primary(context: &Context<'_>) -> Outcome {
    let kinds = [FactorKind::HeatingValue, FactorKind::PrimaryNonrenewable];
    weighted_savings(context, "avoided_x_pci_x_fp", |meter| product(context, meter.carrier, &kinds))
}

/// kWh of primary energy, renewable and not.
pub(super) fn total_primary(context: &Context<'_>) -> Outcome {
    weighted_savings(context, "avoided_x_pci_x_fp_total", |meter| {
        let kinds = [FactorKind::HeatingValue, FactorKind::PrimaryNonrenewable, FactorKind::PrimaryRenewable];
        let (_, uses) = product(context, meter.carrier, &kinds)?;
        let value = |kind| uses.iter().find(|f| f.kind == kind).map_or(0.0, |f| f.value);
        let primary = value(FactorKind::PrimaryNonrenewable) + value(FactorKind::PrimaryRenewable);
        Ok((value(FactorKind::HeatingValue) * primary, uses))
    })
}

/// Tonnes of oil equivalent.
pub(super) fn oil_equivalent(context: &Context<'_>) -> Outcome {
    let kinds = [FactorKind::OilEquivalent];
    weighted_savings(context, "avoided_x_tep", |meter| product(context, meter.carrier, &kinds))
}

/// kWh of non-renewable primary energy per euro of grant and loan.
pub(super) fn primary_per_euro(context: &Context<'_>) -> Outcome {
    let mut outcome = primary(context);
    outcome.chain.formula = "avoided_x_pci_x_fp_per_euro";
    let Some(euro) = context.project.facility.map(|f| f.as_f64()).filter(|&euro| 0.0 < euro) else {
        outcome.amount = None;
        let about = format!("project:{}", context.project.id);
        let says = "the amount of grant and loan is not known";
        let rule = "Piemonte POR FESR 2014-20 §2.4 d: saved primary energy over facility";
        outcome.withhold(Finding::new("facility.missing", Severity::Blocks, about, says, rule));
        return outcome;
    };
    outcome.chain.divisor = Some(Divisor { what: "facility", value: euro, unit: "EUR" });
    outcome.amount = outcome.amount.map(|a| Amount {
        worse: a.worse / euro,
        best: a.best / euro,
        low: a.low / euro,
        high: a.high / euro,
        better: a.better / euro,
    });
    outcome
}
