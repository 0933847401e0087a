//! The demonstration as `make demo` starts it: its meters answer, its reports are there, its pages are sound in a
//! real browser; and `demo --once` writes the same files and leaves.
//!
//! Must never: use the port of a demonstration that a person has open.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::daemon::{self, Daemon, binary};
use tests::{http, repo, wait};

/// Three years of readings are replayed before the pages open.
const LIVE: Duration = Duration::from_secs(180);
/// Three browser files of some minutes each, on a machine that builds beside.
const BROWSER: Duration = Duration::from_secs(1_800);
const PROJECTS_MIN: usize = 4;
const KINDS: [&str; 5] = ["csv", "json", "pdf", "xlsx", "xml"];

fn demo(folder: &Path) -> Daemon {
    let mut command = Command::new(binary());
    command.args(["demo", "--listen", "127.0.0.1:0", "--dir"]).arg(folder.join("demo-data"));
    let mut running = Daemon::spawn_command(command, &folder.join("demo.log"));
    running.await_ready_within(LIVE);
    running
}

fn json(running: &Daemon, path: &str) -> Result<Value, String> {
    let answer = http::get(running.address(), path)?;
    if answer.status != 200 {
        return Err(format!("{path}: {} {}", answer.status, answer.body));
    }
    serde_json::from_str(&answer.body).map_err(|e| format!("{path}: {e}"))
}

/// Every file below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Each project's report in all forms; the structured file obeys its published schema.
#[track_caller]
fn reports_are_whole(folder: &Path) {
    let files = files_below(folder);
    let projects: BTreeSet<_> = files.iter().filter_map(|f| f.parent()?.parent()?.file_name()).collect();
    assert!(PROJECTS_MIN <= projects.len(), "reports of {projects:?} only");
    let schema = repo::text("docs/schema/structured-file-2.schema.json").expect("the schema is text");
    let schema: Value = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    for kind in KINDS {
        let of_kind: Vec<_> = files.iter().filter(|f| f.extension().is_some_and(|e| e == kind)).collect();
        // Beside the annual report a scheme may ask for other documents.
        let annual = |f: &&&PathBuf| {
            f.file_name().is_some_and(|n| n.to_string_lossy().starts_with("relazione-annuale"))
        };
        let of_kind: Vec<_> =
            if kind == "pdf" { of_kind.iter().filter(annual).copied().collect() } else { of_kind };
        // Of the CSV there are two: one for the office, one for programs.
        let each = if kind == "csv" { 2 } else { 1 };
        assert_eq!(of_kind.len(), each * projects.len(), "{kind}: {of_kind:?}");
        for file in of_kind {
            let bytes = fs::read(file).expect("the file was written");
            assert!(!bytes.is_empty(), "{} is empty", file.display());
            if kind == "json" {
                let value = serde_json::from_slice(&bytes).expect("the structured file is JSON");
                let faults: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
                assert!(faults.is_empty(), "{}: {faults:?}", file.display());
            }
        }
    }
}

#[test]
fn once_writes_every_file_and_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    let output = daemon::run_in(
        Command::new(binary()).args(["demo", "--once", "--dir"]).arg(data).arg("--out").arg(&out),
    );
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    reports_are_whole(&out);
}

/// One demonstration for all that is asked of it while it serves: its start is the slow part.
#[test]
fn the_served_demonstration_is_alive_and_its_pages_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    let running = demo(folder.path());
    reports_are_whole(&folder.path().join("demo-data/reports"));
    every_meter_but_the_broken_one_is_read(&running);
    the_portfolio_holds_what_was_promised(&running);
    metrics_speak_of_all_that_was_promised(&running);
    pages_are_sound_in_a_browser(&running);
    a_closed_terminal_ends_it_with_its_broker(running, &folder.path().join("demo-data"));
}

/// As a terminal that is closed does: the demonstration ends in order, and nothing of it goes on.
fn a_closed_terminal_ends_it_with_its_broker(mut running: Daemon, folder: &Path) {
    let conf = fs::read_to_string(folder.join("mosquitto.conf")).expect("the broker has its file");
    let listener = conf.lines().find_map(|line| line.strip_prefix("listener ")).expect("the broker listens");
    let (port, host) = listener.split_once(' ').expect("a port, then an address");
    let broker: SocketAddr = format!("{host}:{port}").parse().expect("an address");
    assert!(TcpStream::connect(broker).is_ok(), "the broker serves while the demonstration does");
    running.signal("HUP");
    assert_eq!(running.ended(daemon::STOP).code(), Some(0), "{}", running.log());
    assert!(TcpStream::connect(broker).is_err(), "the broker of an ended demonstration listens on {broker}");
}

fn every_meter_but_the_broken_one_is_read(running: &Daemon) {
    wait::until("every meter but one fresh", LIVE, || {
        let meters = json(running, "/api/v1/meters")?;
        let list = meters["meters"].as_array().or(meters.as_array()).ok_or("no list of meters")?;
        let late: Vec<_> =
            list.iter().filter(|m| m["health"] != "fresh").map(|m| m["id"].to_string()).collect();
        if late.len() == 1 && 4 <= list.len() { Ok(()) } else { Err(format!("not fresh: {late:?}")) }
    });
}

fn the_portfolio_holds_what_was_promised(running: &Daemon) {
    // Pages open before the first figures are computed.
    let portfolio = wait::until("figures of every project", LIVE, || {
        let portfolio = json(running, "/api/v1/portfolio")?;
        let projects = portfolio["projects"].as_array().ok_or("no list of projects")?;
        let ready = projects.iter().filter(|p| p["latest"].is_object()).count();
        if PROJECTS_MIN <= ready { Ok(portfolio) } else { Err(format!("{ready} projects have figures")) }
    });
    assert_eq!(portfolio["installation"]["demo"], true);
    let projects = portfolio["projects"].as_array().expect("a list");
    assert!(PROJECTS_MIN <= projects.len(), "{} projects", projects.len());
    let schemes: BTreeSet<_> = projects.iter().filter_map(|p| p["scheme"].as_str()).collect();
    assert!(4 <= schemes.len(), "the schemes are {schemes:?}");
    let mut verdicts = BTreeSet::new();
    for project in projects {
        for kpi in project["latest"]["kpis"].as_array().into_iter().flatten() {
            verdicts.insert(kpi["verdict"].as_str().unwrap_or_default().to_owned());
            let undetermined = kpi["verdict"] == "undetermined";
            assert!(undetermined || kpi["achieved"].is_f64(), "a verdict without a value: {kpi}");
        }
    }
    for verdict in ["reached", "missed", "undetermined"] {
        assert!(verdicts.contains(verdict), "no KPI of the demonstration is {verdict}: {verdicts:?}");
    }
}

fn metrics_speak_of_all_that_was_promised(running: &Daemon) {
    let text = http::get(running.address(), "/metrics").unwrap().body;
    for wanted in [
        "consuntivo_readings_total{outcome=\"stored\",source=\"modbus\"}",
        "consuntivo_readings_total{outcome=\"stored\",source=\"mqtt\"}",
        "consuntivo_commit_seconds_bucket",
        "consuntivo_queue_readings",
        "consuntivo_last_reading_age_seconds{meter=",
        "consuntivo_poll_seconds_bucket",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing in\n{text}");
    }
}

fn pages_are_sound_in_a_browser(running: &Daemon) {
    let folder = repo::root().join("tests/browser");
    assert!(folder.join("node_modules").is_dir(), "the browser's driver is missing; `make test` installs it");
    let output = daemon::run_within(
        Command::new("node")
            .args(["--test", "--test-concurrency=1", "demo.mjs", "watch.mjs", "manage.mjs", "desk.mjs"])
            .current_dir(folder)
            .env("BASE_URL", format!("http://{}", running.address()))
            .env("LINK_LEGAL_REPRESENTATIVE", sign_in_link(running, "legal_representative"))
            .env("LINK_FACILITY_MANAGER", sign_in_link(running, "facility_manager"))
            .env("LINK_REGIONAL_OFFICER", sign_in_link(running, "regional_officer"))
            .env("LINK_ADMINISTRATOR", sign_in_link(running, "administrator")),
        BROWSER,
    );
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the browser found faults:\n{said}");
}

/// The one-time link of a role, as the demonstration prints it.
fn sign_in_link(running: &Daemon, role: &str) -> String {
    let log = running.log();
    let line = log.lines().find_map(|line| line.strip_prefix(&format!("{role}: ")));
    line.expect("the demonstration prints a link for each role").to_owned()
}
