//! CO2, NOx and PM10 avoided.
//!
//! Must never: take a carrier that is burnt on site without a factor for a clean one.

use model::{Carrier, FactorKind};

use super::{Context, Outcome, product, weighted_savings};

/// One kWh in GJ.
const GIGAJOULES_PER_KWH: f64 = 0.0036;

/// kg of CO2, by the factor of delivered energy.
pub(super) fn co2(context: &Context<'_>) -> Outcome {
    let kinds = [FactorKind::HeatingValue, FactorKind::Co2];
    weighted_savings(context, "avoided_x_pci_x_co2", |meter| product(context, meter.carrier, &kinds))
}

/// kg of NOx from combustion on site.
pub(super) fn nox(context: &Context<'_>) -> Outcome {
    on_site(context, FactorKind::Nox)
}

/// kg of PM10 from combustion on site.
pub(super) fn pm10(context: &Context<'_>) -> Outcome {
    on_site(context, FactorKind::Pm10)
}

/// The boundary is combustion on site: carriers that are not burnt in the building emit nothing there.
fn on_site(context: &Context<'_>, grams: FactorKind) -> Outcome {
    weighted_savings(context, "avoided_x_pci_x_grams", |meter| {
        if !burnt_on_site(meter.carrier) {
            return Ok((0.0, Vec::new()));
        }
        let (kilowatt_hours, uses) = product(context, meter.carrier, &[FactorKind::HeatingValue, grams])?;
        Ok((kilowatt_hours * GIGAJOULES_PER_KWH / 1000.0, uses))
    })
}

const fn burnt_on_site(carrier: Carrier) -> bool {
    match carrier {
        Carrier::NaturalGas
        | Carrier::Lpg
        | Carrier::Coal
        | Carrier::FuelOil
        | Carrier::SolidBiomass
        | Carrier::Wood
        | Carrier::Pellets
        | Carrier::Other => true,
        Carrier::GridElectricity
        | Carrier::OnSitePv
        | Carrier::SolarThermal
        | Carrier::SmallWind
        | Carrier::SmallHydro
        | Carrier::DistrictHeating
        | Carrier::DistrictCooling
        | Carrier::Aerothermal => false,
    }
}
