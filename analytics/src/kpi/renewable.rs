//! Energy that renewable plants made, and the power that was added.
//!
//! Must never: count a plant whose meter is missing as one that made nothing, or a plant that is not in service yet.

use model::{Carrier, Direction, Finding, Severity};

use super::{Amount, Context, Outcome};
use crate::evaluate::meter::Assessment;
use crate::result::KpiPart;

/// Whether what a carrier brings is made from renewable sources on site.
pub(crate) const fn is_renewable(carrier: Carrier) -> bool {
    matches!(carrier, Carrier::OnSitePv | Carrier::SolarThermal | Carrier::SmallWind | Carrier::SmallHydro)
}

/// kWh made in the reporting months.
pub(super) fn produced(context: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.chain.formula = "sum_of_produced";
    let mut sum = Amount::exact(0.0);
    let mut withheld = false;
    let plants = || {
        let made = |m: &&Assessment| m.direction == Direction::Production && is_renewable(m.carrier);
        context.meters.iter().filter(made).filter(|m| !m.counted_by_another)
    };
    for meter in plants() {
        outcome.because.extend(meter.because.iter().cloned());
        withheld |= meter.withheld;
        sum.worse += meter.measured.low;
        sum.best += meter.measured.best;
        sum.high += meter.measured.high;
        outcome.chain.parts.push(KpiPart {
            meter: Some(meter.meter.clone()),
            building: None,
            quantity: "produced",
            worse: meter.measured.low,
            best: meter.measured.best,
            high: meter.measured.high,
            half_width: 0.0,
            unit: "kWh",
            factor: 1.0,
        });
    }
    (sum.low, sum.better) = (sum.worse, sum.high);
    if plants().next().is_none() {
        let about = format!("project:{} {}", context.project.id, context.year);
        let says = "no meter measures what is produced on site";
        let rule = "what is produced is measured, never computed from nominal power";
        outcome.withhold(
            Finding::new("kpi.meter_missing", Severity::Blocks, about, says, rule)
                .with("direction", Direction::Production.code()),
        );
        withheld = true;
    }
    outcome.amount = (!withheld).then_some(sum);
    outcome
}

/// kW of the plants in service by the end of the year, as their documents state them (CO30).
pub(super) fn capacity(context: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.chain.formula = "sum_of_nominal_power";
    let plants = &context.project.terms.plants;
    let counted: Vec<_> =
        plants.iter().filter(|p| is_renewable(p.carrier) && p.in_service < year_end(context.year)).collect();
    for plant in &counted {
        outcome.chain.parts.push(KpiPart {
            meter: None,
            building: Some(format!("{} ({})", plant.name, plant.source)),
            quantity: "nominal_power",
            worse: plant.nominal_kw,
            best: plant.nominal_kw,
            high: plant.nominal_kw,
            half_width: 0.0,
            unit: "kW",
            factor: 1.0,
        });
    }
    if counted.is_empty() {
        let about = format!("project:{} {}", context.project.id, context.year);
        let says = "the project file states no renewable plant in service by the end of the year";
        let rule = "CO30: additional capacity of renewable energy production, as the documents state it";
        outcome.withhold(Finding::new("kpi.plant_missing", Severity::Note, about, says, rule));
        return outcome;
    }
    let sum: f64 = counted.iter().map(|p| p.nominal_kw).sum();
    outcome.amount = Some(Amount::exact(sum));
    outcome
}

fn year_end(year: i32) -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(year + 1, 1, 1).unwrap_or(chrono::NaiveDate::MAX)
}
