//! Real meters against CalTRACK 2.0: the same coefficients at the same balance point, and how far our own grid and
//! choice lead away from it.
//!
//! Must never: take a reference value from our own output.

use crate::meters::{Meter, meter};
use analytics::baseline::{self, Fitted, heating};
use analytics::normalise::adjust;

/// What eemeter 3.2.0 says, in °F and per °F·d.
struct CalTrack {
    balance_f: f64,
    base_per_day: f64,
    heating_per_degree_day_f: f64,
    r2_adjusted: f64,
    counterfactual: f64,
    avoided: f64,
}

trait Classic {
    fn fit(&self) -> (Fitted, Vec<&'static str>);
    fn measured(&self) -> f64;
    fn adjusted(&self, fitted: &Fitted) -> (f64, f64);
}

impl Classic for Meter {
    fn fit(&self) -> (Fitted, Vec<&'static str>) {
        let bounds = (self.baseline[0].from, self.baseline[self.baseline.len() - 1].to);
        let (fitted, findings) = baseline::fit(&self.baseline, &self.temperatures, bounds, "meter:x");
        (fitted.unwrap(), findings.iter().map(|f| f.code).collect())
    }

    fn measured(&self) -> f64 {
        self.reporting.iter().map(|p| p.energy).sum()
    }

    /// Adjusted baseline of the reporting periods, and half its 90 % band.
    fn adjusted(&self, fitted: &Fitted) -> (f64, f64) {
        let (mut energy, mut days, mut degree_days) = (0.0, 0.0, 0.0);
        for p in &self.reporting {
            let a = adjust(fitted, &self.temperatures, p.from, p.to).unwrap();
            energy += a.energy;
            days += a.days;
            degree_days += a.degree_days;
        }
        (energy, fitted.spread.half_width(days, degree_days))
    }
}

fn relative(a: f64, b: f64) -> f64 {
    (a - b).abs() / b.abs()
}

/// At CalTRACK's balance point the two are the same weighted least squares on the same temperatures (given to six
/// decimals of a degree): coefficients within `tolerance`, predictions within 5e-4 as between CalTRACK implementations.
fn same_at_the_same_balance_point(meter: &Meter, reference: &CalTrack, tolerance: f64) {
    let base_c = (reference.balance_f - 32.0) / 1.8;
    let fitted = heating::fit_at(&meter.baseline, &meter.temperatures, base_c).unwrap();
    let model = &fitted.model;
    assert!(relative(model.base_per_day, reference.base_per_day) < tolerance, "{model:?}");
    assert!(
        relative(model.heating_per_degree_day, reference.heating_per_degree_day_f * 1.8) < tolerance,
        "{model:?}"
    );
    // Their adjusted R² counts one parameter, ours two.
    let n = model.quality.n as f64;
    let r2 = 1.0 - (1.0 - reference.r2_adjusted) * (n - 2.0) / (n - 1.0);
    assert!(relative(model.quality.r2, r2) < tolerance, "{model:?}");
    let (adjusted, _) = meter.adjusted(&fitted);
    assert!(relative(adjusted, reference.counterfactual) < 5e-4, "{adjusted}");
    assert!((adjusted - meter.measured() - reference.avoided).abs() < 5e-4 * adjusted);
}

/// With our own grid the balance point lies within one step of theirs (1 °F is 0.56 K, ours 0.5 K) and the adjusted
/// baseline within 0.5 %: a fifth of the half width of the narrowest band here.
fn close_with_our_own_choice(meter: &Meter, reference: &CalTrack) {
    let (fitted, findings) = meter.fit();
    assert_eq!(findings, [] as [&str; 0]);
    let base_c = fitted.model.heating_base_c.unwrap();
    assert!((base_c - (reference.balance_f - 32.0) / 1.8).abs() <= 0.56, "{base_c}");
    let (adjusted, half_width) = meter.adjusted(&fitted);
    assert!(relative(adjusted, reference.counterfactual) < 0.005, "{adjusted}");
    let avoided = adjusted - meter.measured();
    assert!((avoided - reference.avoided).abs() < half_width, "{avoided} {half_width}");
}

#[test]
fn simulated_gas_meter() {
    let meter = meter("monthly", "il-gas-hdd-only");
    let reference = CalTrack {
        balance_f: 61.0,
        base_per_day: 0.715_613_235_057_126_2,
        heating_per_degree_day_f: 0.213_130_270_516_167_45,
        r2_adjusted: 0.998_514_886_912_047,
        counterfactual: 1_070.771_559_675_612,
        avoided: 99.141_559_675_611_97,
    };
    same_at_the_same_balance_point(&meter, &reference, 1e-5);
    close_with_our_own_choice(&meter, &reference);
    // Nominal truth: the reporting loads are 0.9 of the baseline's.
    let (fitted, _) = meter.fit();
    let (adjusted, half_width) = meter.adjusted(&fitted);
    let truth = meter.measured() / 0.9 * 0.1;
    assert!((adjusted - meter.measured() - truth).abs() < half_width, "{adjusted} {truth} {half_width}");
}

#[test]
fn gas_of_a_dwelling() {
    let meter = meter("monthly", "uk-gas-0");
    let reference = CalTrack {
        balance_f: 55.0,
        base_per_day: 7.813_033_246_935_841_4,
        heating_per_degree_day_f: 1.812_761_467_738_004,
        r2_adjusted: 0.968_875_690_246_318_9,
        counterfactual: 7_321.731_615_730_406,
        avoided: 857.045_915_730_405_3,
    };
    // The first day of this baseline has 23 hours in the reference's hourly series, which shifts its first period by
    // a part of a day that daily means cannot show: 3e-4 of the base load.
    same_at_the_same_balance_point(&meter, &reference, 5e-4);
    close_with_our_own_choice(&meter, &reference);
}

/// CalTRACK sees cooling only, which this model does not have: it must then see nothing, not heating. The building
/// did not change between the years.
#[test]
fn an_unchanged_office_with_cooling_saves_nothing_outside_its_band() {
    let meter = meter("monthly", "rmv2-sim-1");
    let (fitted, findings) = meter.fit();
    assert_eq!(findings, ["fit.flat"]);
    assert_eq!(fitted.model.heating_base_c, None);
    let (adjusted, half_width) = meter.adjusted(&fitted);
    let avoided = adjusted - meter.measured();
    assert!(avoided.abs() < half_width, "{avoided} {half_width}");
    assert!(avoided.abs() < 0.0015 * adjusted, "{avoided} of {adjusted}");
}
