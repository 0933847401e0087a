//! An answer as JSON, or as text for a person.
//!
//! Must never: write a number that is not finite, or round one away in JSON.

use std::fmt::Write as _;

use analytics::analysis::driven::Driven;
use analytics::analysis::hourly::Hourly;
use analytics::analysis::{Answer, Other, Reporting};
use analytics::baseline::fit::{Fit, Kind, Regressor};
use serde_json::{Value, json};

/// `null` for what is absent or unbounded.
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { Value::Null }
}

/// CalTRACK's names of degree-day models, the number of parameters of change-point ones.
fn kind(fit: &Fit) -> &'static str {
    let heating = fit.model.heating_balance_c.is_some();
    match (fit.model.kind, fit.model.regressor) {
        (Kind::Linear, _) => "2P",
        (Kind::TwoLines, _) => "4P",
        (Kind::HeatingCooling, Regressor::PeriodMean) => "5P",
        (Kind::Heating | Kind::Cooling, Regressor::PeriodMean) if heating => "3PH",
        (Kind::Heating | Kind::Cooling, Regressor::PeriodMean) => "3PC",
        (Kind::Flat, Regressor::PeriodMean) => "1P",
        (kind, Regressor::EachDay) => kind.code(),
    }
}

fn model(fit: &Fit) -> Value {
    let m = &fit.model;
    let line = m.kind == Kind::Linear;
    let slope = |value: f64, balance: Option<f64>| balance.map_or(Value::Null, |_| number(value));
    let (heating, cooling) = if line {
        let only = |wanted: bool, value: f64| if wanted { number(value) } else { Value::Null };
        (
            only(0.0 < m.heating_per_degree_day, m.heating_per_degree_day),
            only(0.0 <= m.cooling_per_degree_day, m.cooling_per_degree_day),
        )
    } else {
        (
            slope(m.heating_per_degree_day, m.heating_balance_c),
            slope(m.cooling_per_degree_day, m.cooling_balance_c),
        )
    };
    let balance = |c: Option<f64>| c.filter(|_| !line).map_or(Value::Null, number);
    json!({
        "kind": kind(fit),
        "heating_balance_c": balance(m.heating_balance_c),
        "cooling_balance_c": balance(m.cooling_balance_c),
        "base_per_day": number(m.base_per_day),
        "heating_per_degree_day": heating,
        "cooling_per_degree_day": cooling,
    })
}

/// Degree days among the drivers stand where they stand in other models; the others in a list of their own.
fn driven(of: &Driven) -> Value {
    let name = |driver: usize| of.names.get(driver).map_or("", String::as_str);
    let slope = |wanted: &str| {
        let found = of.fit.terms.iter().find(|t| name(t.driver) == wanted);
        found.map_or(Value::Null, |t| number(t.coefficient))
    };
    let is_weather = |name: &str| matches!(name, "heating_degree_days" | "cooling_degree_days");
    let others: Vec<Value> = of
        .fit
        .terms
        .iter()
        .filter(|t| !is_weather(name(t.driver)))
        .map(|t| {
            json!({
                "name": name(t.driver),
                "coefficient": number(t.coefficient),
                "standard_error": number(t.standard_error),
                "inflation": number(t.inflation),
            })
        })
        .collect();
    json!({
        "kind": "drivers",
        "heating_balance_c": of.heating_balance_c,
        "cooling_balance_c": of.cooling_balance_c,
        "base_per_day": number(of.fit.base_per_day),
        "heating_per_degree_day": slope("heating_degree_days"),
        "cooling_per_degree_day": slope("cooling_degree_days"),
        "drivers": others,
    })
}

fn weekly(of: &Hourly) -> Value {
    json!({
        "kind": "time_of_week_temperature",
        "heating_balance_c": null,
        "cooling_balance_c": null,
        "base_per_day": null,
        "heating_per_degree_day": null,
        "cooling_per_degree_day": null,
        "occupied_hours": of.occupied_hours,
    })
}

fn other_quality(other: &Other) -> Value {
    let (n, r2_adj, cvrmse, autocorrelation) = match other {
        Other::Drivers(of) => (of.fit.n, of.fit.r2_adjusted, of.fit.cvrmse_ratio, f64::NAN),
        Other::TimeOfWeek(of) => (of.model.n, of.model.r2, of.cvrmse_ratio, of.model.autocorrelation),
    };
    json!({
        "n": n,
        "r2_adj": number(r2_adj),
        "cvrmse": number(cvrmse),
        "nmbe": null,
        "autocorrelation": number(autocorrelation),
    })
}

/// The answer as one object on one line; in a folder with what the meter is called.
pub(super) fn json(meter: Option<&[(&str, &str)]>, answer: &Answer) -> Value {
    let mut object = serde_json::Map::new();
    for (key, value) in meter.unwrap_or_default() {
        object.insert((*key).to_owned(), json!(value));
    }
    let fit = answer.fit.as_ref();
    object.insert("method".to_owned(), json!(answer.method));
    let other = answer.other.as_ref();
    let shown = other.map(|other| match other {
        Other::Drivers(of) => driven(of),
        Other::TimeOfWeek(of) => weekly(of),
    });
    object.insert("model".to_owned(), fit.map(model).or(shown).unwrap_or(Value::Null));
    let quality = fit.map_or_else(
        || other.map_or(Value::Null, other_quality),
        |fit| {
            let q = &fit.quality;
            json!({
                "n": q.n,
                "r2_adj": number(q.r2_adjusted),
                "cvrmse": number(q.cvrmse_ratio),
                "nmbe": number(q.nmbe_ratio),
                "autocorrelation": q.autocorrelation.map_or(Value::Null, number),
            })
        },
    );
    object.insert("quality".to_owned(), quality);
    let reporting = answer.reporting.map_or(Value::Null, |r| {
        json!({
            "days": number(r.days),
            "measured": number(r.measured),
            "adjusted_baseline": number(r.adjusted_baseline),
            "avoided": number(r.avoided),
            "avoided_low": number(r.avoided_low),
            "avoided_high": number(r.avoided_high),
            "missing_days": number(r.missing_days),
            "window_low": number(r.window_low),
            "confidence": number(r.confidence),
        })
    });
    object.insert("reporting".to_owned(), reporting);
    let normalised = answer.normalised.map_or(Value::Null, |n| {
        json!({
            "baseline": number(n.baseline),
            "reporting": number(n.reporting),
            "savings": number(n.savings),
            "savings_low": number(n.savings_low),
            "savings_high": number(n.savings_high),
        })
    });
    object.insert("normalised".to_owned(), normalised);
    let finding = |f: &model::Finding| json!({"code": f.code, "severity": f.severity.code(), "says": f.says, "rule": f.rule});
    object.insert("findings".to_owned(), answer.findings.iter().map(finding).collect());
    Value::Object(object)
}

/// The answer for a person at a terminal.
pub(super) fn text(name: &str, answer: &Answer) -> String {
    let mut out = format!("{name}: method {}\n", answer.method);
    let mut line = |label: &str, says: String| {
        let _infallible = writeln!(out, "  {label:<20} {says}");
    };
    if let Some(fit) = &answer.fit {
        let m = &fit.model;
        line("model", kind(fit).to_owned());
        line("base load", format!("{:.4} a day", m.base_per_day));
        for (term, balance, slope) in [
            ("heating", m.heating_balance_c, m.heating_per_degree_day),
            ("cooling", m.cooling_balance_c, m.cooling_per_degree_day),
        ] {
            if let Some(balance) = balance {
                line(term, format!("{slope:.4} per degree day, balance point {balance:.2} °C"));
            }
        }
        let q = &fit.quality;
        let rho = q.autocorrelation.map_or_else(|| "unknown".to_owned(), |r| format!("{r:.2}"));
        line(
            "quality",
            format!(
                "n {}, adjusted R² {:.4}, CV(RMSE) {:.2} %, NMBE {:.3} %, autocorrelation {rho}",
                q.n,
                q.r2_adjusted,
                q.cvrmse_ratio * 100.0,
                q.nmbe_ratio * 100.0
            ),
        );
    }
    match &answer.other {
        Some(Other::Drivers(of)) => {
            line("model", "drivers".to_owned());
            line("base load", format!("{:.4} a day", of.fit.base_per_day));
            for term in &of.fit.terms {
                let name = of.names.get(term.driver).map_or("", String::as_str);
                line(name, format!("{:.4} ± {:.4} each", term.coefficient, term.standard_error));
            }
            line("quality", format!("n {}, adjusted R² {:.4}", of.fit.n, of.fit.r2_adjusted));
        }
        Some(Other::TimeOfWeek(of)) => {
            line("model", format!("time of week and temperature, {} hours occupied", of.occupied_hours));
            line("quality", format!("n {}, R² {:.4}", of.model.n, of.model.r2));
        }
        None => {}
    }
    for (label, says) in answer.reporting.iter().flat_map(compared) {
        line(label, says);
    }
    if let Some(n) = &answer.normalised {
        line("normal year", format!("{:.1} before, {:.1} after", n.baseline, n.reporting));
        line(
            "normalised savings",
            format!("{:.1}, band {:.1} to {:.1}", n.savings, n.savings_low, n.savings_high),
        );
    }
    for f in &answer.findings {
        let _infallible = writeln!(out, "  {} [{}] {} ({})", f.severity.code(), f.code, f.says, f.rule);
    }
    out
}

fn compared(r: &Reporting) -> Vec<(&'static str, String)> {
    // 99.5 % is not 100 %.
    let percent = format!("{:.3}", r.confidence * 100.0);
    let percent = percent.trim_end_matches('0').trim_end_matches('.');
    let band = format!("{:.1}, {percent} % band {:.1} to {:.1}", r.avoided, r.avoided_low, r.avoided_high);
    let mut lines = vec![
        ("measured", format!("{:.1} in {} days", r.measured, r.days)),
        ("adjusted baseline", format!("{:.1}", r.adjusted_baseline)),
        ("avoided", band),
    ];
    if 0.0 < r.missing_days {
        let days = r.missing_days;
        lines.push((
            "window",
            format!(
                "{days:.1} days were not compared; the lower bound takes them at twice the highest use known"
            ),
        ));
    }
    lines
}
