//! Under which headings a planted building is counted.
//!
//! Must never: depend on what a method says of the building.

use super::World;

/// What the building is counted under.
pub(crate) fn strata(world: &World) -> Vec<String> {
    let mut names = vec!["all".to_owned()];
    if world.has_gross_error {
        names.push("one wrong bill".into());
        return names;
    }
    let level = |value: f64, low: f64, high: f64| match value {
        v if v < low => "low",
        v if v < high => "middle",
        _ => "high",
    };
    names.push(format!("shape {:?}", world.shape));
    names.push(format!("bills {:?}", world.bills_kind));
    let bills = match world.baseline.len() {
        0..8 => "4 to 7",
        8..12 => "8 to 11",
        12..15 => "12 to 14",
        15..26 => "15 to 25",
        _ => "26 and more",
    };
    names.push(format!("number of bills {bills}"));
    names.push(format!("daily noise {}", level(world.daily_noise, 0.03, 0.08)));
    names.push(format!("daily correlation {}", level(world.daily_correlation, 0.3, 0.6)));
    names.push(format!("month effect {}", level(world.month_effect, 0.015, 0.03)));
    names.push(format!("base share {}", level(world.base_share, 0.25, 0.5)));
    names.push(format!("annual mean temperature {}", level(world.mean_c, 10.0, 15.0)));
    for (has, name) in [
        (0.0 < world.knee_k, "soft knees"),
        (world.has_season, "base load with a season"),
        (world.has_closure, "closed in summer"),
        (
            world.cooling_share.0 < 0.02 && 0.04 < world.cooling_share.1,
            "cooling that the baseline hardly shows",
        ),
    ] {
        if has {
            names.push(name.into());
        }
    }
    names
}
