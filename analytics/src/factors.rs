//! Named, dated, immutable conversion factors: heating value, primary energy, CO2, NOx, PM10.
//!
//! Must never: mix two sets in one comparison, or stand in for a factor that a set does not have.

use chrono::NaiveDate;
use model::{Carrier, FactorKind, FactorSetId, OwnFactor};

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
    /// Tonnes of oil equivalent per Smc, kg or kWh.
    pub toe_per_unit: Option<f64>,
}

impl CarrierFactors {
    #[must_use]
    pub fn value(&self, kind: FactorKind) -> Option<f64> {
        match kind {
            FactorKind::HeatingValue => Some(self.kwh_per_unit),
            FactorKind::PrimaryNonrenewable => self.primary_nonrenewable,
            FactorKind::PrimaryRenewable => self.primary_renewable,
            FactorKind::Co2 => self.co2_kg_per_kwh,
            FactorKind::Nox => self.nox_g_per_gj,
            FactorKind::Pm10 => self.pm10_g_per_gj,
            FactorKind::OilEquivalent => self.toe_per_unit,
        }
    }
}

impl FactorSet {
    #[must_use]
    pub fn of(&self, carrier: Carrier) -> Option<&CarrierFactors> {
        self.carriers.iter().find(|c| c.carrier == carrier)
    }
}

/// A factor as a figure used it: enough to print it beside the figure.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorUse {
    pub carrier: Carrier,
    pub kind: FactorKind,
    pub value: f64,
    /// `kWh/Smc`, `kg/kWh`.
    pub unit: String,
    pub source: String,
    /// First and last day of validity of the set; `None` where the set states none, and of a project's own factor.
    pub valid_from: Option<NaiveDate>,
    pub valid_to: Option<NaiveDate>,
    /// Typed by a person for this project in place of the set's.
    pub own: bool,
}

/// The one set of a project, with the factors that a person typed for it. Both sides of a comparison use it.
#[derive(Debug, Clone, Copy)]
pub struct Factors<'a> {
    pub set: &'a FactorSet,
    pub own: &'a [OwnFactor],
}

impl Factors<'_> {
    /// The value of [`Self::find`].
    #[must_use]
    pub fn value(&self, carrier: Carrier, kind: FactorKind) -> Option<f64> {
        self.find(carrier, kind).map(|used| used.value)
    }

    /// The set's carriers, then those that have only factors of the project's own: each once.
    #[must_use]
    pub fn carriers(&self) -> Vec<Carrier> {
        let mut all: Vec<Carrier> = self.set.carriers.iter().map(|of| of.carrier).collect();
        for own in self.own {
            if !all.contains(&own.carrier) {
                all.push(own.carrier);
            }
        }
        all
    }

    /// Where the figures' factors stand: the set's source, and every factor of the project's own that stands in place of
    /// the set's, with its source. Codes and numbers as in the project file, for files that programs read.
    #[must_use]
    pub fn source(&self) -> String {
        let one = |own: &OwnFactor| {
            let (carrier, kind) = (own.carrier.code(), own.kind.code());
            let source = own.source.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("; {carrier}.{kind} = {} ({source})", own.value)
        };
        let own: String = self.own.iter().map(one).collect();
        format!("{}{own}", self.set.source)
    }

    /// The project's own factor, else the set's; `None` where neither has one.
    #[must_use]
    pub fn find(&self, carrier: Carrier, kind: FactorKind) -> Option<FactorUse> {
        let unit = kind.unit(carrier);
        if let Some(own) = self.own.iter().find(|f| f.carrier == carrier && f.kind == kind) {
            let (value, source) = (own.value, own.source.clone());
            return Some(FactorUse {
                carrier,
                kind,
                value,
                unit,
                source,
                valid_from: None,
                valid_to: None,
                own: true,
            });
        }
        let value = match self.set.of(carrier) {
            Some(factors) => factors.value(kind)?,
            // Whatever is counted in kWh holds one kWh per kWh.
            None if kind == FactorKind::HeatingValue
                && carrier.base_unit() == model::BaseUnit::WattHour
                && self.own.iter().any(|f| f.carrier == carrier) =>
            {
                1.0
            }
            None => return None,
        };
        Some(FactorUse {
            carrier,
            kind,
            value,
            unit,
            source: self.set.source.clone(),
            valid_from: self.set.valid_from,
            valid_to: self.set.valid_to,
            own: false,
        })
    }
}
