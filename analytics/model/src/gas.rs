//! Gas at the meter and gas at standard conditions: the coefficient between the two, and where it comes from.
//!
//! Must never: round twice.

use std::fmt;

/// Standard volume per volume at the meter, in millionths: exact, as the rules round it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GasCoefficient {
    millionths: i64,
}

impl GasCoefficient {
    /// Below and above which no low-pressure meter in Italy lies: 0.5 and 2.
    pub const MILLIONTHS_MIN: i64 = 500_000;
    pub const MILLIONTHS_MAX: i64 = 2_000_000;

    /// `None` outside 0.5 to 2.
    #[must_use]
    pub const fn from_millionths(millionths: i64) -> Option<Self> {
        if Self::MILLIONTHS_MIN <= millionths && millionths <= Self::MILLIONTHS_MAX {
            Some(Self { millionths })
        } else {
            None
        }
    }

    #[must_use]
    pub const fn millionths(self) -> i64 {
        self.millionths
    }

    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.millionths as f64 / 1e6
    }

    /// Litres at standard conditions of litres at the meter: the nearest whole number, halves away from zero.
    /// Rounded differences are not the difference of rounded totals: convert totals, and subtract then.
    #[must_use]
    pub fn standard_litres(self, litres: i64) -> i64 {
        let exact = i128::from(litres) * i128::from(self.millionths);
        let half = if exact < 0 { -500_000 } else { 500_000 };
        saturated((exact + half) / 1_000_000)
    }

    /// At least the standard litres of what is not negative.
    #[must_use]
    pub fn standard_litres_at_least(self, litres: i64) -> i64 {
        let exact = i128::from(litres) * i128::from(self.millionths);
        saturated(-((-exact).div_euclid(1_000_000)))
    }
}

fn saturated(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

impl fmt::Display for GasCoefficient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.millionths / 1_000_000, self.millionths % 1_000_000)
    }
}

/// Where a coefficient comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GasBasis {
    /// Stated by a person, from a bill or the distributor.
    Stated,
    /// Computed from the place.
    Place {
        altitude_m: i32,
        /// The legal ones of DPR 412/93.
        degree_days: u32,
        /// Climatic zone, `B` to `F`.
        zone: char,
    },
}

/// How the volume of a meter without corrector becomes volume at standard conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GasConversion {
    pub coefficient: GasCoefficient,
    pub basis: GasBasis,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn litres_are_rounded_once_and_bounds_upwards() {
        let c = GasCoefficient::from_millionths(1_017_506).unwrap();
        assert_eq!(c.to_string(), "1.017506");
        assert_eq!(c.standard_litres(1_000_000), 1_017_506);
        assert_eq!(c.standard_litres(100), 102);
        assert_eq!(c.standard_litres(-100), -102);
        assert_eq!((c.standard_litres_at_least(0), c.standard_litres_at_least(1)), (0, 2));
        assert_eq!(c.standard_litres(i64::MAX), i64::MAX);
        assert_eq!(GasCoefficient::from_millionths(499_999), None);
        assert_eq!(GasCoefficient::from_millionths(2_000_001), None);
    }
}
