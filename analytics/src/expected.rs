//! The saving expected of proposed measures as an audit declares it, carrier by carrier: thermal and electric, with the
//! primary energy and the cost that it means.
//!
//! Must never: be taken for a measured saving, or take a missing factor or price for nothing.
//!
//! The MATTM call for energy audits wants the saving that may be obtained both thermal and electric (art. 3, 11.4).

use chrono::NaiveDate;
use model::{Carrier, FactorKind, Project};

use crate::factors::Factors;
use crate::scheme::KpiDefinition;

/// What is expected of one carrier, or of several together, in a year. A negative saving is a use that grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amounts {
    /// Delivered, by lower heating value.
    pub final_kwh: f64,
    /// Non-renewable; `None` where a factor is missing.
    pub primary_kwh: Option<f64>,
    /// `None` where no tariff of the carrier holds.
    pub cost_eur: Option<f64>,
}

/// One carrier's part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    pub carrier: Carrier,
    pub amounts: Amounts,
}

/// The parts of a declared saving, in the order of [`Carrier::ALL`].
#[must_use]
pub fn parts(project: &Project, factors: Factors<'_>, kpi: &KpiDefinition, on: NaiveDate) -> Vec<Part> {
    let Some(kwh) = kpi.unit.kwh() else { return Vec::new() };
    let declared = project.declared.iter().find(|d| d.kpi == kpi.code);
    let of = |carrier: Carrier, value: f64| {
        let factor = |kind| factors.find(carrier, kind).map(|f| f.value);
        let final_kwh = value * kwh;
        // A tariff of the carrier as a whole: the measures proposed are of no meter yet.
        let holds = |t: &&model::Tariff| {
            t.carrier == carrier && t.meter.is_none() && t.from <= on && t.to.is_none_or(|to| on < to)
        };
        let price = project.terms.tariffs.iter().find(holds).map(|t| t.microeuro_per_unit as f64 / 1e6);
        let units = factor(FactorKind::HeatingValue).filter(|kwh| 0.0 < *kwh).map(|kwh| final_kwh / kwh);
        Part {
            carrier,
            amounts: Amounts {
                final_kwh,
                primary_kwh: factor(FactorKind::PrimaryNonrenewable).map(|f| f * final_kwh),
                cost_eur: price.zip(units).map(|(price, units)| price * units),
            },
        }
    };
    let mut parts: Vec<Part> = declared
        .into_iter()
        .flat_map(|d| &d.by_carrier)
        .map(|(carrier, value)| of(*carrier, *value))
        .collect();
    parts.sort_by_key(|part| part.carrier);
    parts
}

/// Parts together; what one of them lacks, the sum lacks. `None` of none.
#[must_use]
pub fn sum<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Option<Amounts> {
    let both = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a + b);
    parts.into_iter().map(|part| part.amounts).reduce(|a, b| Amounts {
        final_kwh: a.final_kwh + b.final_kwh,
        primary_kwh: both(a.primary_kwh, b.primary_kwh),
        cost_eur: both(a.cost_eur, b.cost_eur),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(carrier: Carrier, final_kwh: f64, primary_kwh: Option<f64>, cost_eur: Option<f64>) -> Part {
        Part { carrier, amounts: Amounts { final_kwh, primary_kwh, cost_eur } }
    }

    #[test]
    fn a_sum_lacks_what_one_of_its_parts_lacks() {
        let gas = part(Carrier::NaturalGas, 40_000.0, Some(42_000.0), Some(4_000.0));
        let wood = part(Carrier::Wood, 1_000.0, Some(200.0), None);
        let more = part(Carrier::GridElectricity, -5_000.0, None, Some(-1_000.0));
        let of = |parts: &[Part]| sum(parts).unwrap();
        assert_eq!(
            of(&[gas, wood]),
            Amounts { final_kwh: 41_000.0, primary_kwh: Some(42_200.0), cost_eur: None }
        );
        assert_eq!(
            of(&[gas, more]),
            Amounts { final_kwh: 35_000.0, primary_kwh: None, cost_eur: Some(3_000.0) }
        );
        assert_eq!(sum(&[]), None);
    }
}
