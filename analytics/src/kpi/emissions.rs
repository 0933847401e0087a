//! CO2, NOx and PM10 avoided.
//!
//! Must never: take a carrier that is burnt on site without a factor for a clean one.

use model::Carrier;

use super::{Context, Outcome, factor_missing, weighted_savings};
use crate::factors::CarrierFactors;

/// One kWh in GJ.
const GIGAJOULES_PER_KWH: f64 = 0.0036;

/// kg of CO2, by the factor of delivered energy.
pub(super) fn co2(context: &Context<'_>) -> Outcome {
    weighted_savings(context, |meter| {
        context
            .factors
            .of(meter.carrier)
            .and_then(|f| Some(f.kwh_per_unit * f.co2_kg_per_kwh?))
            .ok_or_else(|| factor_missing(context, meter, "CO2"))
    })
}

/// kg of NOx from combustion on site.
pub(super) fn nox(context: &Context<'_>) -> Outcome {
    on_site(context, "NOx", |f| f.nox_g_per_gj)
}

/// kg of PM10 from combustion on site.
pub(super) fn pm10(context: &Context<'_>) -> Outcome {
    on_site(context, "PM10", |f| f.pm10_g_per_gj)
}

/// The boundary is combustion on site: carriers that are not burnt in the building emit nothing there.
fn on_site(context: &Context<'_>, what: &'static str, grams: fn(&CarrierFactors) -> Option<f64>) -> Outcome {
    weighted_savings(context, |meter| {
        if !burnt_on_site(meter.carrier) {
            return Ok(0.0);
        }
        context
            .factors
            .of(meter.carrier)
            .and_then(|f| Some(f.kwh_per_unit * GIGAJOULES_PER_KWH * grams(f)? / 1000.0))
            .ok_or_else(|| factor_missing(context, meter, what))
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
