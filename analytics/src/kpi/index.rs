//! The operational index of non-renewable primary energy: EPgl,nren as the meters show it.
//!
//! Must never: be taken for the certificate's index, which is computed for standard use; or credit exported energy.
//!
//! Of each building: what its supplies delivered in the year, times the primary factor, over its floor area. Several
//! buildings are averaged with their gross conditioned volumes as weights (Emilia-Romagna POR FESR 2014-20, Annex 1).
//! On-site renewable energy has no non-renewable part. All uses that the meters see are in it, also those that no
//! certificate counts.

use model::{Direction, FactorKind};

use super::{Amount, Context, Outcome, product};
use crate::result::{Divisor, KpiPart};

const KINDS: [FactorKind; 2] = [FactorKind::HeatingValue, FactorKind::PrimaryNonrenewable];

/// kWh/m2 of the year; the worse bound is the upper one.
pub(super) fn operational(context: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.chain.formula = "volume_weighted_primary_per_area";
    let mut sum = Amount::exact(0.0);
    let (mut withheld, mut metered, mut volume) = (false, 0, 0.0);
    for building in &context.project.buildings {
        volume += building.gross_volume_m3;
        for meter in context.meters.iter().filter(|m| m.building == building.id) {
            if meter.sub || meter.direction != Direction::Import {
                continue;
            }
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
            let factor = factor * building.gross_volume_m3 / building.floor_area_m2;
            sum.worse += meter.measured.high * factor;
            sum.best += meter.measured.best * factor;
            sum.low += meter.measured.low * factor;
            outcome.chain.parts.push(KpiPart {
                meter: Some(meter.meter.clone()),
                building: None,
                quantity: "measured",
                worse: meter.measured.high,
                best: meter.measured.best,
                high: meter.measured.low,
                half_width: 0.0,
                unit: meter.carrier.base_unit().display().symbol(),
                factor,
            });
        }
    }
    outcome.chain.divisor = Some(Divisor { what: "gross_volume", value: volume, unit: "m3" });
    let of = |value: f64| value / volume;
    // The best end of the band is the lower one.
    let (worse, best, low) = (of(sum.worse), of(sum.best), of(sum.low));
    let amount = Amount { worse, best, low, high: worse, better: low };
    outcome.amount = Some(amount).filter(|_| !withheld && 0 < metered && 0.0 < volume);
    outcome
}
