//! What two energy performance certificates, before and after the works, declare as saved.
//!
//! Must never: mix what a certificate declares, which is standard use, with what was measured.

use crate::scheme::{KpiMeasure, KpiUnit};

/// A certificate's figures a square metre and year, with the area they refer to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Certified {
    /// Useful heated area, to which EPgl refers (DM 26/06/2015, annex 1).
    pub area_m2: f64,
    pub primary_nonrenewable_kwh_m2: Option<f64>,
    pub co2_kg_m2: Option<f64>,
}

/// Two statements of one figure differ when they are further apart than this share: certificates round.
pub const DIFFERS_RATIO: f64 = 0.01;

/// Whether a project says something else than its certificate.
#[must_use]
pub fn differs(stated: f64, certified: f64) -> bool {
    let apart = (stated - certified).abs();
    apart.is_nan() || DIFFERS_RATIO * certified.abs().max(stated.abs()) < apart
}

/// What a KPI's declared value is by the two certificates, in the KPI's unit; `None` for a KPI that certificates say
/// nothing of, where a certificate lacks the figure, and where nothing is saved.
#[must_use]
pub fn declared_saving(
    measure: KpiMeasure,
    unit: KpiUnit,
    before: &Certified,
    after: &Certified,
) -> Option<f64> {
    let of = |each: fn(&Certified) -> Option<f64>| {
        Some(each(before)? * before.area_m2 - each(after)? * after.area_m2)
    };
    let saved = match (measure, unit) {
        (KpiMeasure::PrimaryEnergySaved, KpiUnit::KilowattHour) => of(|c| c.primary_nonrenewable_kwh_m2)?,
        (KpiMeasure::PrimaryEnergySaved, KpiUnit::MegawattHour) => {
            of(|c| c.primary_nonrenewable_kwh_m2)? / 1e3
        }
        (KpiMeasure::PrimaryEnergySaved, KpiUnit::GigawattHour) => {
            of(|c| c.primary_nonrenewable_kwh_m2)? / 1e6
        }
        (KpiMeasure::Co2Avoided, KpiUnit::Kilogram) => of(|c| c.co2_kg_m2)?,
        (KpiMeasure::Co2Avoided, KpiUnit::Tonne) => of(|c| c.co2_kg_m2)? / 1e3,
        (_, _) => return None,
    };
    (0.0 < saved).then_some(saved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_saving_is_the_difference_over_the_areas() {
        let before =
            Certified { area_m2: 1000.0, primary_nonrenewable_kwh_m2: Some(210.5), co2_kg_m2: Some(45.0) };
        let after = Certified { area_m2: 1000.0, primary_nonrenewable_kwh_m2: Some(100.5), co2_kg_m2: None };
        let saved = |measure, unit| declared_saving(measure, unit, &before, &after);
        assert_eq!(saved(KpiMeasure::PrimaryEnergySaved, KpiUnit::MegawattHour), Some(110.0));
        assert_eq!(saved(KpiMeasure::Co2Avoided, KpiUnit::Tonne), None);
        assert_eq!(saved(KpiMeasure::PrimaryEnergySaved, KpiUnit::Percent), None);
        assert_eq!(
            declared_saving(KpiMeasure::PrimaryEnergySaved, KpiUnit::KilowattHour, &after, &before),
            None
        );
    }

    #[test]
    fn rounding_is_no_difference() {
        assert!(!differs(1850.0, 1849.6) && !differs(0.0, 0.0));
        assert!(differs(1850.0, 1800.0) && differs(f64::NAN, 1.0));
    }
}
