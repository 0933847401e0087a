//! What two energy performance certificates, before and after the works, declare as saved; and what their codes tell.
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

/// Code of an energy certificate: of Piemonte (SIPEE, SICEE) year, certifier and number of the certifier, or a
/// region's own of at most 36 printable characters (APEx2015, version 12), with a number in it.
#[must_use]
pub fn is_ape_code(text: &str) -> bool {
    let regional = || {
        !text.is_empty()
            && text.len() <= 36
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_/. ".contains(&b))
            && text.trim() == text
            // Every region numbers its certificates.
            && text.bytes().any(|b| b.is_ascii_digit())
    };
    ape_year(text).is_some() || regional()
}

/// The civil year in which a certificate was made, where its code tells: the first part of Piemonte's (SIPEE, SICEE).
#[must_use]
pub fn ape_year(code: &str) -> Option<i32> {
    let in_digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    let parts: Vec<&str> = code.split([' ', '_']).collect();
    let [year, who, number] = parts.as_slice() else { return None };
    let is_code = year.len() == 4 && in_digits(year, 4) && in_digits(who, 6) && in_digits(number, 4);
    is_code.then(|| year.parse().ok()).flatten()
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
    fn certificate_codes_have_a_form() {
        for good in ["2019 123456 0001", "2019_1_1", "ITA-ER-2015/000123"] {
            assert!(is_ape_code(good), "{good}");
        }
        for bad in ["", " 2019 1 1", &"x".repeat(37), "2019;1;1", "àpe", "boh", "in corso"] {
            assert!(!is_ape_code(bad), "{bad}");
        }
    }

    #[test]
    fn the_year_is_told_by_codes_of_piemonte_alone() {
        assert_eq!((ape_year("2019 123456 0001"), ape_year("2021_1_1")), (Some(2019), Some(2021)));
        for silent in
            ["ITA-ER-2015/000123", "2019 1234567 1", "19 1 1", "2019 1", "2019 1 1 1", "2019 1 12345", ""]
        {
            assert_eq!(ape_year(silent), None, "{silent}");
        }
    }

    #[test]
    fn rounding_is_no_difference() {
        assert!(!differs(1850.0, 1849.6) && !differs(0.0, 0.0));
        assert!(differs(1850.0, 1800.0) && differs(f64::NAN, 1.0));
    }
}
