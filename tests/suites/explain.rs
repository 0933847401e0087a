//! Every number of the KPI page of the demonstration, explained down to its readings: the terms of each step add up to
//! it, and the numbers are the report's own.
//!
//! Must never: take a step's word for its sum; every sum is made again here.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::daemon::{self, Daemon, binary};
use tests::{http, wait};

/// Three years of readings are replayed before the pages open.
const LIVE: Duration = Duration::from_secs(180);
const PROJECTS_MIN: usize = 4;
/// Largest relative difference between a number and the sum of its terms.
const TOLERANCE: f64 = 1e-9;

fn consuntivo(arguments: &[&str]) -> String {
    let output = daemon::run(arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {text}{said}");
    text
}

/// The projects of a running demonstration, once all have figures.
fn projects(running: &Daemon) -> Vec<Value> {
    wait::until("figures of every project", LIVE, || {
        let answer = http::get(running.address(), "/api/v1/portfolio")?;
        let portfolio: Value = serde_json::from_str(&answer.body).map_err(|e| e.to_string())?;
        let projects = portfolio["projects"].as_array().cloned().unwrap_or_default();
        let ready = projects.iter().filter(|p| p["latest"].is_object()).count();
        if PROJECTS_MIN <= ready && ready == projects.len() {
            Ok(projects)
        } else {
            Err(format!("{ready} ready"))
        }
    })
}

/// What a chain holds: sums that were made again, readings that were named.
#[derive(Debug, Default)]
struct Seen {
    sums: u32,
    readings: u32,
    digests: u32,
}

/// Makes every sum of a chain again.
fn add_up(step: &Value, path: &str, seen: &mut Seen) {
    let name = step["step"].as_str().unwrap();
    let path = format!("{path}/{name}");
    let children = step["from"].as_array().unwrap();
    if let (Some(value), Some(times)) = (step["value"].as_f64(), step["sum_times"].as_f64()) {
        let terms: Vec<f64> =
            children.iter().filter(|c| c["is_term"] == true).filter_map(|c| c["value"].as_f64()).collect();
        let sum = times * terms.iter().sum::<f64>();
        let size = terms.iter().map(|t| (times * t).abs()).fold(value.abs(), f64::max).max(1e-6);
        assert!((sum - value).abs() <= TOLERANCE * size, "{path}: {value} is not {times} x {terms:?}");
        seen.sums += 1;
    }
    if name == "explain.term.readings" {
        assert!(
            step["with"]["first_at"].is_string() && step["with"]["last_at"].is_string(),
            "{path}: {step}"
        );
        seen.readings += 1;
    }
    seen.digests += u32::from(step["with"]["digest"].as_str().is_some_and(|d| d.len() == 64));
    for child in children {
        add_up(child, &path, seen);
    }
}

/// The numbers of a KPI as the page has them against those of its chain.
fn are_the_same(kpi: &Value, root: &Value, what: &str) {
    let side = |name: &str| root["from"].as_array().unwrap().iter().find(|c| c["step"] == name).cloned();
    let (target, band) = (side("explain.target").unwrap(), side("explain.band").unwrap());
    let written = |value: &Value| value.as_str().and_then(|v| v.parse::<f64>().ok());
    for (name, shown, explained) in [
        ("achieved", kpi["achieved"].as_f64(), root["value"].as_f64()),
        ("best", kpi["best"].as_f64(), band["value"].as_f64()),
        ("low", kpi["low"].as_f64(), written(&band["with"]["low"])),
        ("high", kpi["high"].as_f64(), written(&band["with"]["high"])),
        ("target", kpi["target"].as_f64(), target["value"].as_f64()),
    ] {
        let same = match (shown, explained) {
            // Two readers of the same digits may differ in the last bit.
            (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * a.abs(),
            (a, b) => a == b,
        };
        assert!(same, "{what} {name}: {shown:?} on the page, {explained:?} explained");
    }
    assert_eq!(kpi["verdict"], target["with"]["verdict"], "{what}");
}

#[test]
fn every_kpi_of_the_demonstration_is_explained_down_to_its_readings() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo-data");
    let mut command = Command::new(binary());
    command.args(["demo", "--listen", "127.0.0.1:0", "--dir"]).arg(&data);
    let mut running = Daemon::spawn_command(command, &folder.path().join("demo.log"));
    running.await_ready_within(LIVE);
    let projects = projects(&running);
    let config = data.join("consuntivo.toml").display().to_string();
    let mut seen = Seen::default();
    let mut explained = 0;
    for project in &projects {
        let id = project["id"].as_str().unwrap();
        let year = project["latest"]["year"].as_i64().unwrap().to_string();
        let chain = |figure: &str| -> Value {
            let text = consuntivo(&[
                "explain",
                figure,
                "--project",
                id,
                "--year",
                &year,
                "--config",
                &config,
                "--json",
            ]);
            serde_json::from_str(&text).unwrap()
        };
        let mut digests = BTreeSet::new();
        for kpi in project["latest"]["kpis"].as_array().unwrap() {
            let code = kpi["code"].as_str().unwrap();
            let explanation = chain(&format!("kpi:{code}"));
            are_the_same(kpi, &explanation["chain"], &format!("{id} {code}"));
            add_up(&explanation["chain"], &format!("{id} {code}"), &mut seen);
            digests.insert(explanation["inputs"].to_string());
            explained += 1;
        }
        assert_eq!(digests.len(), 1, "one year has one digest of its inputs");
        let list = consuntivo(&["explain", "--project", id, "--year", &year, "--config", &config]);
        assert!(list.lines().any(|line| line.starts_with("meter:")), "{list}");
    }
    assert!(4 <= explained && 40 <= seen.sums, "{explained} {seen:?}");
    assert!(40 <= seen.readings && 40 <= seen.digests, "{seen:?}");
    speaks_both_languages(&projects, &config);
    assert!(running.stop().success());
}

/// No sentence is missing in either language, and no placeholder is left.
fn speaks_both_languages(projects: &[Value], config: &str) {
    // A figure that rests on readings.
    let measured = |project: &Value| {
        let mut kpis = project["latest"]["kpis"].as_array().unwrap().iter();
        let found = kpis.find(|kpi| kpi["best"].is_number())?;
        Some((project["id"].clone(), project["latest"]["year"].clone(), found["code"].clone()))
    };
    let (id, year, code) = projects.iter().find_map(measured).expect("a KPI with a value");
    let (id, year) = (id.as_str().unwrap(), year.as_i64().unwrap().to_string());
    let code = format!("kpi:{}", code.as_str().unwrap());
    for (language, word) in [("it", "letture del mese"), ("en", "readings of the month")] {
        let text = consuntivo(&[
            "explain",
            &code,
            "--project",
            id,
            "--year",
            &year,
            "--config",
            config,
            "--lang",
            language,
        ]);
        assert!(text.contains(word), "{language}: {text}");
        assert!(!text.contains('{') && !text.contains("explain."), "{language}: {text}");
    }
}
