//! The degree-day ratio against results computed elsewhere on the monthly periods of the reference meters.
//!
//! Must never: compare with the ratio of all energy, which scales what the weather does not ask for.

use analytics::baseline::ratio;

use crate::meters::{meter, rows};

#[test]
fn base_load_and_result_are_the_reference_s() {
    let mut compared = 0;
    for r in &rows("expected/ratio.csv") {
        let all = meter("monthly", &r[0]);
        let number = |i: usize| r[i].parse::<f64>().unwrap();
        let (fit, split) = ratio::fit(&all.baseline_data(), number(1)).unwrap();
        // Two meters are short of the reference's twelve bills or of its first hour.
        let tolerance = if r[0].starts_with("uk") { 2e-3 } else { 1e-4 };
        let predicted = fit.predict(&all.reporting_data()).energy;
        for (ours, theirs) in [(split.base_per_day, number(2)), (predicted, number(3))] {
            assert!((ours / theirs - 1.0).abs() < tolerance, "{} {}: {ours} {theirs}", &r[0], &r[1]);
        }
        compared += 1;
    }
    assert!(15 <= compared, "{compared}");
}
