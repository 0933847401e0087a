//! CalTRACK 2.0 against the results of its library (eemeter 3.2.0) on every reference meter, monthly, two-monthly and
//! daily, with balance points in steps of 3 and of 1 °F.
//!
//! Must never: take a reference value from our own output, or widen a tolerance without saying what explains it.

use crate::meters::{meter, rows};
use analytics::baseline::caltrack::{self, Interval, Options, Terms};
use analytics::baseline::data::Grid;
use analytics::baseline::fit::Kind;

/// Where temperatures of whole local days cannot show what the reference saw.
fn differs(meter: &str, kind: &str, step: &str) -> Option<&'static str> {
    match (meter, kind, step) {
        ("uk-gas-0", "monthly" | "bimonthly_fulltemp", _) => {
            Some("the first day has 23 hours in the reference's hourly series")
        }
        ("uk-elec-1", "monthly", "1F") | ("uk-elec-1", "bimonthly_fulltemp", _) => {
            Some("every balance point above the warmest day predicts the same; the first is taken here")
        }
        _ => None,
    }
}

fn relative(a: f64, b: f64) -> f64 {
    (a - b).abs() / b.abs().max(1e-12)
}

fn fahrenheit(balance_c: f64) -> f64 {
    balance_c * 1.8 + 32.0
}

/// Says what differs of one fit; empty when all is as it must be.
fn compare(r: &csv::StringRecord, step: &str) -> Vec<String> {
    let (name, kind) = (&r[0], &r[1]);
    let (interval, folder) = match kind {
        "daily" => (Interval::Daily, "daily"),
        "monthly" => (Interval::Monthly, "monthly"),
        _ => (Interval::Monthly, "bimonthly"),
    };
    let grid = if step == "3F" { Grid::FAHRENHEIT_3 } else { Grid::FAHRENHEIT_1 };
    let terms = if name.contains("gas") { Terms::Heating } else { Terms::HeatingAndCooling };
    let meter = meter(folder, name);
    let fit = caltrack::fit(&meter.baseline_data(), Options { grid, interval, terms }).unwrap();
    let number = |i: usize| r[i].parse::<f64>().ok();
    let kind_wanted = match &r[2] {
        "hdd_only" => Kind::Heating,
        "cdd_only" => Kind::Cooling,
        "cdd_hdd" => Kind::HeatingCooling,
        _ => Kind::Flat,
    };
    let mut wrong = Vec::new();
    let mut check = |what: &str, ok: bool, ours: f64, theirs: f64| {
        if !ok {
            wrong.push(format!("{name} {kind} {step} {what}: {ours} against {theirs}"));
        }
    };
    let model = fit.model;
    check("type", model.kind == kind_wanted, 0.0, 0.0);
    let predicted = fit.predict(&meter.reporting_data()).energy;
    let explained = differs(name, kind, step).is_some();
    let tolerance = if explained { 5e-4 } else { 1e-5 };
    let tie = name == "uk-elec-1" && explained;
    for (what, ours, theirs) in [
        ("heating balance", model.heating_balance_c, number(3)),
        ("cooling balance", model.cooling_balance_c, number(4)),
    ] {
        let (ours, theirs) = (ours.map_or(-99.0, fahrenheit), theirs.unwrap_or(-99.0));
        check(what, tie || (ours - theirs).abs() < 1e-9, ours, theirs);
    }
    let slopes =
        [(model.heating_per_degree_day / 1.8, number(6)), (model.cooling_per_degree_day / 1.8, number(7))];
    for (ours, theirs) in slopes {
        let theirs = theirs.unwrap_or(0.0);
        check("slope", ours == theirs || relative(ours, theirs) < tolerance, ours, theirs);
    }
    let base = number(5).unwrap();
    check("base", tie || relative(model.base_per_day, base) < tolerance, model.base_per_day, base);
    let quality = fit.quality;
    for (what, ours, theirs) in [
        ("r2", quality.r2_adjusted, number(8).unwrap()),
        ("cvrmse", quality.cvrmse_ratio, number(9).unwrap()),
        ("autocorrelation", quality.autocorrelation.unwrap(), number(10).unwrap()),
    ] {
        // The first day of 23 hours moves its own period's residual most.
        check(what, (ours - theirs).abs() < if explained { 5e-3 } else { 1e-5 }, ours, theirs);
    }
    check("n", quality.n as f64 == number(11).unwrap(), quality.n as f64, number(11).unwrap());
    let counterfactual = number(12).unwrap();
    check("prediction", relative(predicted, counterfactual) < 5e-4, predicted, counterfactual);
    if !explained {
        check("prediction", relative(predicted, counterfactual) < 1e-5, predicted, counterfactual);
    }
    wrong
}

#[test]
fn every_reference_meter_has_the_library_s_model() {
    let mut wrong = Vec::new();
    let mut fits = 0;
    for step in ["3F", "1F"] {
        for row in &rows(&format!("expected/caltrack_{step}.csv")) {
            fits += 1;
            wrong.extend(compare(row, step));
        }
    }
    assert_eq!(fits, 36);
    assert_eq!(wrong, [] as [&str; 0]);
}
