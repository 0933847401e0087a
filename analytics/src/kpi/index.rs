//! The operational index of non-renewable primary energy: EPgl,nren as the meters show it.
//!
//! Must never: be taken for the certificate's index, which is computed for standard use; or credit exported energy.
//!
//! Of each building: what its supplies delivered in the year, times the primary factor, over its floor area. Several
//! buildings are averaged with their gross conditioned volumes as weights (Emilia-Romagna POR FESR 2014-20, Annex 1).
//! A part of a supply that another building uses is that building's: it is added there and taken off where the supply's
//! meter stands. On-site renewable energy has no non-renewable part. All uses that the meters see are in it, also those that no
//! certificate counts.

use model::{Building, Direction, FactorKind, Finding, Severity};

use super::{Amount, Context, Outcome, product};
use crate::evaluate::meter::Assessment;
use crate::result::{Divisor, KpiPart};

const KINDS: [FactorKind; 2] = [FactorKind::HeatingValue, FactorKind::PrimaryNonrenewable];

/// kWh/m2 of the year; the worse bound is the upper one.
pub(super) fn operational(context: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.chain.formula = "volume_weighted_primary_per_area";
    let mut sum = Amount::exact(0.0);
    let (mut withheld, mut volume) = (false, 0.0);
    for building in &context.project.buildings {
        volume += building.gross_volume_m3;
        let mut metered = 0;
        for meter in context.meters.iter().filter(|m| m.building == building.id) {
            let Some(weight) = weight(context, building, meter) else { continue };
            metered += 1;
            outcome.because.extend(meter.because.iter().cloned());
            withheld |= meter.withheld_measure;
            let (factor, uses) = match product(context, meter.carrier, &KINDS) {
                Ok(found) => found,
                Err(finding) => {
                    withheld = true;
                    outcome.withhold(finding);
                    continue;
                }
            };
            outcome.used(uses);
            let part = part(meter, factor * weight);
            sum.worse += part.worse * part.factor;
            sum.best += part.best * part.factor;
            sum.low += part.high * part.factor;
            outcome.chain.parts.push(part);
        }
        if metered == 0 {
            withheld = true;
            outcome.withhold(unmetered(context, building));
        }
    }
    outcome.chain.divisor = Some(Divisor { what: "gross_volume", value: volume, unit: "m3" });
    let of = |value: f64| value / volume;
    // The best end of the band is the lower one.
    let (worse, best, low) = (of(sum.worse), of(sum.best), of(sum.low));
    let amount = Amount { worse, best, low, high: worse, better: low };
    outcome.amount = Some(amount).filter(|_| !withheld && 0.0 < volume);
    outcome
}

/// Gross volume by floor area, in m.
fn height(building: &Building) -> f64 {
    building.gross_volume_m3 / building.floor_area_m2
}

/// What a kWh of primary energy of this meter counts for: its building's height; of a part of another building's supply
/// only the difference, since the supply counts it there. `None` for what tells nothing more of this building.
fn weight(context: &Context<'_>, building: &Building, meter: &Assessment) -> Option<f64> {
    if meter.direction != Direction::Import {
        return None;
    }
    if !meter.sub {
        return Some(height(building));
    }
    let whole = context.meters.iter().find(|m| Some(&m.meter) == meter.parent.as_ref())?;
    let there = context.project.buildings.iter().find(|b| b.id == whole.building)?;
    (there.id != building.id).then(|| height(building) - height(there))
}

/// The part of a meter, its worse bound being the one that makes the index larger.
fn part(meter: &Assessment, factor: f64) -> KpiPart {
    let (worse, high) = if 0.0 <= factor {
        (meter.measured.high, meter.measured.low)
    } else {
        (meter.measured.low, meter.measured.high)
    };
    KpiPart {
        meter: Some(meter.meter.clone()),
        building: None,
        quantity: "measured",
        worse,
        best: meter.measured.best,
        high,
        half_width: 0.0,
        unit: meter.carrier.base_unit().display().symbol(),
        factor,
    }
}

/// A building that would count with its volume and without its use.
fn unmetered(context: &Context<'_>, building: &Building) -> Finding {
    let about = format!("project:{} building:{} {}", context.project.id, building.id, context.year);
    let says = "no meter measures what this building uses; the index would be too low";
    let rule = "the index is of every building of the project, each with its own use";
    Finding::new("kpi.building_unmetered", Severity::Blocks, about, says, rule)
}
