//! Gas volume at the meter to standard cubic metres: the coefficient of a place, and months of it.
//!
//! Must never: be used for a meter with a corrector, whose own register counts standard volume already.

pub use model::GasCoefficient as Coefficient;
use model::{Edge, GasBasis, GasConversion, Joint, MonthlySeries};

/// Altitudes that Italian municipalities have, in metres, with room on both sides.
pub const ALTITUDE_M: (i32, i32) = (-50, 3_000);
/// Legal degree days that Italian municipalities have, with room above.
pub const DEGREE_DAYS_MAX: u32 = 6_000;

/// Why there is no coefficient for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GasError {
    #[error("the rule gives no days for climatic zone A; state the coefficient of the bill instead")]
    ZoneA,
    #[error("{zone} is no climatic zone; use B, C, D, E or F")]
    Zone { zone: char },
    #[error("an altitude of {altitude_m} m is not one of a municipality; use {} to {}", ALTITUDE_M.0, ALTITUDE_M.1)]
    Altitude { altitude_m: i32 },
    #[error("{degree_days} degree days are not those of a municipality; use 1 to {DEGREE_DAYS_MAX}")]
    DegreeDays { degree_days: u32 },
    #[error("the coefficient would be {millionths} millionths, which no low-pressure meter has")]
    Coefficient { millionths: i64 },
}

/// Days of heating that the rule assigns to a climatic zone.
fn heating_days(zone: char) -> Result<f64, GasError> {
    match zone {
        'A' => Err(GasError::ZoneA),
        'B' => Ok(121.0),
        'C' => Ok(137.0),
        'D' => Ok(166.0),
        'E' => Ok(183.0),
        'F' => Ok(272.0),
        zone => Err(GasError::Zone { zone }),
    }
}

/// The rule rounds after every step, to six decimals.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// The coefficient C of a low-pressure meter without corrector, by altitude, legal degree days (DPR 412/93) and
/// climatic zone of its municipality: C = kp · kt, each step to six decimals, as sellers publish the regulator's rule
/// (satoenergia.it, adattivagaseluce.it):
///
/// - pb = 1.01325 · (1 − 0.0000225577 · H)^5.2559, the mean pressure of the air in bar;
/// - kp = (pb + 0.020) / 1.01325, with the 20 mbar of the low-pressure network;
/// - gg = GG / ng, ng the zone's days of heating: 121 (B), 137 (C), 166 (D), 183 (E), 272 (F);
/// - kt = 288.15 / (295.15 − gg).
///
/// # Errors
/// Zone A, of which no number of days was found, and places that are none.
pub fn of_place(altitude_m: i32, degree_days: u32, zone: char) -> Result<GasConversion, GasError> {
    let days = heating_days(zone)?;
    if altitude_m < ALTITUDE_M.0 || ALTITUDE_M.1 < altitude_m {
        return Err(GasError::Altitude { altitude_m });
    }
    if degree_days == 0 || DEGREE_DAYS_MAX < degree_days {
        return Err(GasError::DegreeDays { degree_days });
    }
    let pressure = rounded(1.01325 * (1.0 - 0.000_022_557_7 * f64::from(altitude_m)).powf(5.2559));
    let of_pressure = rounded((pressure + 0.020) / 1.01325);
    let daily = rounded(f64::from(degree_days) / days);
    let of_temperature = rounded(288.15 / (295.15 - daily));
    let millionths = (of_pressure * of_temperature * 1e6).round() as i64;
    let coefficient = Coefficient::from_millionths(millionths).ok_or(GasError::Coefficient { millionths })?;
    Ok(GasConversion { coefficient, basis: GasBasis::Place { altitude_m, degree_days, zone } })
}

/// The months of a series of litres at the meter, as litres at standard conditions.
///
/// Months are differences of the rounded running total: those of any run of months add up to the rounded
/// conversion of the running totals at its ends, so a year is the sum of its months, and is less than one litre off the
/// product of its litres. The distance of the bounds from the amount is rounded up, so they hold to the litre.
#[must_use]
pub fn standard_months(mut series: MonthlySeries, coefficient: Coefficient) -> MonthlySeries {
    let mut running: i64 = 0;
    for month in &mut series.months {
        let (amount, low, high) = (month.amount, month.low, month.high);
        let before = coefficient.standard_litres(running);
        running = running.saturating_add(amount);
        let standard = coefficient.standard_litres(running).saturating_sub(before);
        let wider = |litres: i64| coefficient.standard_litres_at_least(litres.max(0));
        month.amount = standard;
        month.low = standard.saturating_sub(wider(amount.saturating_sub(low)));
        month.high = high.map(|high| standard.saturating_add(wider(high.saturating_sub(amount))));
        let edge = |of: Edge| Edge { less: wider(of.less), more: wider(of.more) };
        month.joint = month.joint.map(|joint| Joint {
            low: standard.saturating_sub(wider(amount.saturating_sub(joint.low))),
            high: joint.high.map(|high| standard.saturating_add(wider(high.saturating_sub(amount)))),
            step: wider(joint.step),
            begins: edge(joint.begins),
            ends: edge(joint.ends),
        });
    }
    series
}

#[cfg(test)]
mod tests {
    use model::{BaseUnit, Month, MonthValue};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_coefficients_of_three_towns() {
        for (town, altitude_m, degree_days, zone, millionths) in [
            ("Torino", 239, 2617, 'E', 1_017_506),
            ("Milano", 122, 2404, 'E', 1_027_235),
            ("Roma", 20, 1415, 'D', 1_022_779),
        ] {
            let found = of_place(altitude_m, degree_days, zone).unwrap();
            assert_eq!(found.coefficient.millionths(), millionths, "{town}");
            assert_eq!(found.basis, GasBasis::Place { altitude_m, degree_days, zone });
        }
    }

    #[test]
    fn what_the_rule_does_not_cover_is_refused() {
        assert_eq!(of_place(20, 568, 'A'), Err(GasError::ZoneA));
        assert_eq!(of_place(20, 568, 'e'), Err(GasError::Zone { zone: 'e' }));
        assert_eq!(of_place(5_000, 2617, 'E'), Err(GasError::Altitude { altitude_m: 5_000 }));
        assert_eq!(of_place(239, 0, 'E'), Err(GasError::DegreeDays { degree_days: 0 }));
    }

    fn series(months: &[(i64, i64, Option<i64>)]) -> MonthlySeries {
        let value = |(i, (amount, below, above)): (usize, &(i64, i64, Option<i64>))| MonthValue {
            month: Month {
                year: 2020 + i32::try_from(i / 12).unwrap(),
                number: u32::try_from(i % 12).unwrap() + 1,
            },
            amount: *amount,
            low: amount - below,
            high: above.map(|above| amount + above),
            coverage_ratio: 1.0,
            estimated_ratio: 0.0,
            joint: None,
        };
        MonthlySeries { unit: BaseUnit::Litre, months: months.iter().enumerate().map(value).collect() }
    }

    proptest! {
        /// Months add up to the year, the year is right to the litre, and bounds still hold.
        #[test]
        fn months_add_up_to_the_converted_year(
            months in proptest::collection::vec(
                (0_i64..50_000_000, 0_i64..1_000_000, proptest::option::of(0_i64..1_000_000)), 1..40),
            millionths in Coefficient::MILLIONTHS_MIN..=Coefficient::MILLIONTHS_MAX,
        ) {
            let c = Coefficient::from_millionths(millionths).unwrap();
            let raw = series(&months);
            let standard = standard_months(raw.clone(), c);
            let whole: i64 = raw.months.iter().map(|m| m.amount).sum();
            let sum: i64 = standard.months.iter().map(|m| m.amount).sum();
            prop_assert_eq!(sum, c.standard_litres(whole));
            let exact = |litres: i64| litres as f64 * c.to_f64();
            for year in raw.months.chunks(12).zip(standard.months.chunks(12)) {
                let litres: i64 = year.0.iter().map(|m| m.amount).sum();
                let converted: i64 = year.1.iter().map(|m| m.amount).sum();
                prop_assert!((converted as f64 - exact(litres)).abs() <= 1.001);
            }
            for (before, after) in raw.months.iter().zip(&standard.months) {
                prop_assert!(after.low <= after.amount && after.high.is_none_or(|high| after.amount <= high));
                prop_assert!(after.amount - after.low >= exact(before.amount - before.low).floor() as i64);
                prop_assert_eq!(after.high.is_none(), before.high.is_none());
                if before.low == before.amount {
                    prop_assert_eq!(after.low, after.amount);
                }
            }
        }
    }
}
