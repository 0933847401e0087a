//! With how many decimals the values of a KPI are printed, and how they are rounded: one rule for every paper and page.
//!
//! Must never: round a value that counts to nothing, two ends of a band to one, or a value that misses its target onto it.
//!
//! Units are as large as the grants want them: a plant of 4.9 kW is 0.0049 MW. Two decimals are the least; a small value
//! has as many more as three significant digits take, or as many as it has.

/// The fewest decimals: those of money and of the region's system.
pub const DECIMALS_MIN: usize = 2;
/// The most: a millionth of any unit is below what is measured.
pub const DECIMALS_MAX: usize = 6;
/// Significant digits that a value keeps.
const SIGNIFICANT: i32 = 3;
/// What is less than this share of the largest of the values beside it needs no digits of its own: it is nothing of them.
const SHARE_LEAST: f64 = 1e-3;
/// Relative error up to which a rounded value is the same.
const SAME: f64 = 1e-9;
/// Largest value that is rounded: eleven digits before the comma, as the region's field holds them.
const VALUE_MAX: f64 = 99_999_999_999.99;

/// Decimals of the values of one KPI in one unit: of those that are held against each other (achieved, declared, stated)
/// and of the two ends of its band, which stay apart where they are.
#[must_use]
pub fn decimals(counted: &[Option<f64>], (low, high): (Option<f64>, Option<f64>)) -> usize {
    let sizes = |values: &[Option<f64>]| -> Vec<f64> {
        values.iter().flatten().filter(|v| v.is_finite() && **v != 0.0).map(|v| v.abs()).collect()
    };
    let largest = |sizes: &[f64]| sizes.iter().copied().fold(0.0, f64::max);
    let mut counting = sizes(counted);
    if counting.is_empty() {
        counting = vec![largest(&sizes(&[low, high]))];
    }
    let least = largest(&counting) * SHARE_LEAST;
    let own = counting.into_iter().filter(|v| least <= *v).map(needed).max().unwrap_or(DECIMALS_MIN);
    let Some((low, high)) = low.zip(high).filter(|(low, high)| low != high) else { return own };
    let are_apart = |decimals: &usize| units(low, *decimals) != units(high, *decimals);
    (own..=DECIMALS_MAX).find(are_apart).unwrap_or(own)
}

/// Decimals of one value, not negative.
fn needed(value: f64) -> usize {
    let is_enough = |decimals: &usize| {
        let scaled = value * scale(*decimals);
        10_f64.powi(SIGNIFICANT - 1) <= scaled || (scaled.round() - scaled).abs() <= SAME * scaled
    };
    (DECIMALS_MIN..=DECIMALS_MAX).find(is_enough).unwrap_or(DECIMALS_MAX)
}

fn scale(decimals: usize) -> f64 {
    10_f64.powi(i32::try_from(decimals).unwrap_or(i32::MAX))
}

/// `value` rounded to so many decimals, in the unit of both: one that misses `missed` is not rounded onto it, from
/// whichever side. What is too large for the region's field stays as it is.
#[must_use]
pub fn rounded_beside(value: f64, missed: Option<f64>, decimals: usize) -> f64 {
    units_beside(value, missed, decimals).map_or(value, |units| units as f64 / scale(decimals))
}

/// The same in units of the last decimal.
pub(crate) fn units_beside(value: f64, missed: Option<f64>, decimals: usize) -> Option<i64> {
    let rounded = units(value, decimals)?;
    let printed = rounded as f64 / scale(decimals);
    Some(match missed {
        Some(target) if value < target && target <= printed => rounded - 1,
        Some(target) if target < value && printed <= target => rounded + 1,
        Some(_) | None => rounded,
    })
}

/// `value` in units of the last of so many decimals; `None` beyond the field. Halves are rounded away from zero, as people
/// do, and by the digits that the value is written with: 1.005 is 1.01.
pub(crate) fn units(value: f64, decimals: usize) -> Option<i64> {
    if !value.is_finite() || VALUE_MAX < value.abs() {
        return None;
    }
    // The shortest digits that are this number: those that a person typed.
    let text = value.abs().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(decimals).collect();
    let digits: i64 = format!("{whole}{kept}").parse().ok()?;
    let up = fraction.as_bytes().get(decimals).is_some_and(|digit| b'5' <= *digit);
    let amount = digits + i64::from(up);
    Some(if value < 0.0 { -amount } else { amount })
}

/// `value` with so many decimals and a decimal comma, without groups; `None` beyond the field. What rounds to zero has no
/// sign.
pub(crate) fn with_comma(value: f64, decimals: usize) -> Option<String> {
    units(value, decimals).map(|units| comma(units, decimals))
}

/// Units of the last decimal as such a text.
pub(crate) fn comma(units: i64, decimals: usize) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", units.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    format!("{sign}{whole},{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_BAND: (Option<f64>, Option<f64>) = (None, None);

    #[test]
    fn a_small_value_keeps_its_digits_and_a_large_one_two_decimals() {
        for (value, wanted) in [
            (0.0, 2),
            (0.0049, 4),
            (0.004_912, 5),
            (0.0712, 4),
            (0.07, 2),
            (0.42, 2),
            (0.4212, 3),
            (1.234_567, 2),
            (17.8321, 2),
            (123_456.789, 2),
            (-0.004_912, 5),
            (1e-9, 6),
            (f64::NAN, 2),
            (f64::INFINITY, 2),
        ] {
            assert_eq!(decimals(&[Some(value)], NO_BAND), wanted, "{value}");
        }
        assert_eq!(decimals(&[], NO_BAND), 2);
        assert_eq!(decimals(&[None], (Some(-0.0012), Some(0.0371))), 4, "of a withheld value by its bounds");
    }

    #[test]
    fn what_stands_side_by_side_has_the_same_decimals() {
        assert_eq!(decimals(&[Some(0.0049), Some(0.005)], NO_BAND), 4);
        assert_eq!(decimals(&[Some(0.0712), Some(0.07), None], NO_BAND), 4);
        // Next to nothing of what was declared takes no digits from it.
        assert_eq!(decimals(&[Some(0.000_013), Some(42.0)], NO_BAND), 2);
        assert_eq!(decimals(&[Some(0.0), Some(0.0)], (Some(0.0), Some(0.05))), 2);
    }

    #[test]
    fn the_ends_of_a_band_stay_apart() {
        assert_eq!(decimals(&[Some(0.07)], (Some(0.070_1), Some(0.070_3))), 4);
        assert_eq!(decimals(&[Some(42.0)], (Some(41.999), Some(42.001))), 3);
        assert_eq!(decimals(&[Some(42.0)], (Some(42.0), Some(42.0))), 2);
        // The last bits of a sum are no band.
        assert_eq!(decimals(&[Some(0.3)], (Some(0.1 + 0.2), Some(0.3))), 2);
    }

    #[test]
    fn a_value_that_misses_is_not_rounded_onto_its_target() {
        for (value, missed, places, wanted) in [
            (41.996, Some(42.0), 2, 41.99),
            (41.996, None, 2, 42.0),
            (42.004, Some(42.0), 2, 42.01),
            (42.004, None, 2, 42.0),
            (41.98, Some(42.0), 2, 41.98),
            (-0.004, Some(0.0), 2, -0.01),
            (1.005, None, 2, 1.01),
            (0.004_899_99, Some(0.0049), 4, 0.0048),
            (0.004_95, None, 4, 0.005),
            (1e13, Some(2e13), 2, 1e13),
        ] {
            let rounded = rounded_beside(value, missed, places);
            assert!((rounded - wanted).abs() < 1e-9, "{value} {missed:?}: {rounded}");
        }
    }

    #[test]
    fn a_comma_stands_where_the_decimals_begin() {
        for (value, places, wanted) in
            [(0.0049, 4, "0,0049"), (-0.0049, 2, "0,00"), (-12.3, 2, "-12,30"), (1234.567, 3, "1234,567")]
        {
            assert_eq!(with_comma(value, places).as_deref(), Some(wanted));
        }
        assert_eq!(with_comma(1e12, 2), None);
    }
}
