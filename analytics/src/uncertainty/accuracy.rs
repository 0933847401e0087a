//! How far a meter may be off by its class.
//!
//! Must never: take a meter for exact because its class is not known to be read, or a class for a test of the meter.
//!
//! The error of one meter is systematic: it falls on every month alike, and twelve months do not even it out. The limits
//! are those of type approval between transitional and maximum flow at reference conditions; the law lets a meter in
//! service be off by more.

use model::{BaseUnit, Carrier};

/// Most relative error of a meter of this class: 0.02 is 2 %. `None` where the class is not one of the carrier's, or
/// none is stated.
///
/// Electricity: MID, directive 2014/32/EU annex V (MI-003) table 2, 5 to 30 °C: A 3.5 %, B 2 %, C 0.7 %; IEC 62053-21
/// and -22: class 1 1 %, 2 2 %, 0.5S 0.5 %, 0.2S 0.2 %. Gas: annex IV (MI-002): class 1.0 1 %, 1.5 1.5 %. Heat: annex VI
/// (MI-004) and EN 1434: the flow sensor's 1, 2 or 3 % with half a percent each of calculator and temperature pair.
#[must_use]
pub fn most_relative_error(carrier: Carrier, class: &str) -> Option<f64> {
    let class = class.trim().to_ascii_uppercase().replace(',', ".");
    let class = class.strip_prefix("MID ").unwrap_or(&class);
    let class = class.strip_prefix("CLASSE ").or_else(|| class.strip_prefix("CLASS ")).unwrap_or(class);
    if carrier == Carrier::NaturalGas {
        return match class {
            "1" | "1.0" => Some(0.01),
            "1.5" => Some(0.015),
            _ => None,
        };
    }
    let electric = [Carrier::GridElectricity, Carrier::OnSitePv, Carrier::SmallWind, Carrier::SmallHydro];
    if electric.contains(&carrier) {
        return match class {
            "A" => Some(0.035),
            "B" | "2" | "2.0" => Some(0.02),
            "C" => Some(0.007),
            "1" | "1.0" => Some(0.01),
            "0.5S" | "0.5" => Some(0.005),
            "0.2S" | "0.2" => Some(0.002),
            _ => None,
        };
    }
    // Heat is counted in energy; carriers by mass or volume have no class of their own here.
    match (carrier.base_unit(), class) {
        (BaseUnit::WattHour, "1") => Some(0.02),
        (BaseUnit::WattHour, "2") => Some(0.03),
        (BaseUnit::WattHour, "3") => Some(0.04),
        _ => None,
    }
}

/// The error that a figure counts with: that of the class, and where none is stated, or one that is none of the
/// carrier's, the widest that the law lets a meter be put in use with. Saying nothing of a meter never narrows a band.
/// `None` for what is counted by mass or volume without a class.
#[must_use]
pub fn relative_error(carrier: Carrier, class: Option<&str>) -> Option<f64> {
    let stated = class.and_then(|class| most_relative_error(carrier, class));
    let widest =
        || WIDEST.into_iter().filter_map(|class| most_relative_error(carrier, class)).reduce(f64::max);
    stated.or_else(widest)
}

/// The widest class of electricity, gas and heat.
const WIDEST: [&str; 3] = ["A", "1.5", "3"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_class_is_never_better_than_any() {
        let of = |carrier, class| relative_error(carrier, class);
        assert_eq!(of(Carrier::GridElectricity, Some("C")), Some(0.007));
        for class in [None, Some(""), Some("Z9"), Some("3")] {
            assert_eq!(of(Carrier::GridElectricity, class), Some(0.035), "{class:?}");
        }
        assert_eq!(of(Carrier::NaturalGas, None), Some(0.015));
        assert_eq!(of(Carrier::DistrictHeating, Some("B")), Some(0.04));
        assert_eq!(of(Carrier::Pellets, None), None);
    }

    #[test]
    fn classes_are_read_as_they_are_written_on_meters() {
        let cases = [
            (Carrier::GridElectricity, "B", Some(0.02)),
            (Carrier::GridElectricity, "MID C", Some(0.007)),
            (Carrier::GridElectricity, "classe 1", Some(0.01)),
            (Carrier::GridElectricity, "0,5S", Some(0.005)),
            (Carrier::NaturalGas, "1,5", Some(0.015)),
            (Carrier::NaturalGas, "B", None),
            (Carrier::DistrictHeating, "2", Some(0.03)),
            (Carrier::DistrictHeating, "B", None),
        ];
        for (carrier, class, expected) in cases {
            assert_eq!(most_relative_error(carrier, class), expected, "{carrier:?} {class}");
        }
    }
}
