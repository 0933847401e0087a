//! Named, dated, immutable conversion factors: heating value, primary energy, CO2, NOx, PM10.
//!
//! Must never: mix two sets in one comparison, or stand in for a factor that a set does not have.

use chrono::NaiveDate;
use model::{Carrier, FactorSetId};

/// One published set of factors. Superseded by another id, never edited.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorSet {
    pub id: FactorSetId,
    pub title: String,
    /// Act or publication, edition, table.
    pub source: String,
    pub valid_from: Option<NaiveDate>,
    /// Last day of validity.
    pub valid_to: Option<NaiveDate>,
    pub carriers: Vec<CarrierFactors>,
}

/// The factors of one carrier; `None` where the source gives none.
#[derive(Debug, Clone, PartialEq)]
pub struct CarrierFactors {
    pub carrier: Carrier,
    /// Energy content, lower heating value, in kWh per Smc or per kg; 1 for carriers counted in kWh.
    pub kwh_per_unit: f64,
    /// Non-renewable and renewable primary energy per delivered energy, kWh/kWh.
    pub primary_nonrenewable: Option<f64>,
    pub primary_renewable: Option<f64>,
    /// kg CO2 per delivered kWh.
    pub co2_kg_per_kwh: Option<f64>,
    /// g per GJ of fuel burnt on site.
    pub nox_g_per_gj: Option<f64>,
    pub pm10_g_per_gj: Option<f64>,
}

impl FactorSet {
    #[must_use]
    pub fn of(&self, carrier: Carrier) -> Option<&CarrierFactors> {
        self.carriers.iter().find(|c| c.carrier == carrier)
    }
}
