//! Final energy saved, non-renewable primary energy saved, and the latter per euro of facility.
//!
//! Must never: credit exported electricity, which the acts treat as neutral.

use model::{Finding, Severity};

use super::{Amount, Context, Outcome, factor_missing, weighted_savings};

/// kWh by lower heating value.
pub(super) fn final_energy(context: &Context<'_>) -> Outcome {
    weighted_savings(context, |meter| {
        let factors = context.factors.of(meter.carrier);
        factors.map(|f| f.kwh_per_unit).ok_or_else(|| factor_missing(context, meter, "heating value"))
    })
}

/// kWh of non-renewable primary energy.
pub(super) fn primary(context: &Context<'_>) -> Outcome {
    weighted_savings(context, |meter| {
        context
            .factors
            .of(meter.carrier)
            .and_then(|f| Some(f.kwh_per_unit * f.primary_nonrenewable?))
            .ok_or_else(|| factor_missing(context, meter, "non-renewable primary energy"))
    })
}

/// kWh of non-renewable primary energy per euro of grant and loan.
pub(super) fn primary_per_euro(context: &Context<'_>) -> Outcome {
    let mut outcome = primary(context);
    let Some(euro) = context.project.facility.map(|f| f.as_f64()).filter(|&euro| 0.0 < euro) else {
        outcome.amount = None;
        let about = format!("project:{}", context.project.id);
        let says = "the amount of grant and loan is not known";
        let rule = "Piemonte POR FESR 2014-20 §2.4 d: saved primary energy over facility";
        outcome.withhold(Finding::new("facility.missing", Severity::Blocks, about, says, rule));
        return outcome;
    };
    outcome.amount = outcome.amount.map(|a| Amount {
        worse: a.worse / euro,
        best: a.best / euro,
        low: a.low / euro,
        high: a.high / euro,
    });
    outcome
}
