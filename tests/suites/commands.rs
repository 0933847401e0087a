//! The commands for a person at the cabinet or the desk: what the catalogue holds, and what one meter says.
//!
//! Must never: need a daemon.

use std::io::Read as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tests::daemon::{binary, free_address, run};
use tests::meter::CountingMeter;
use tests::site::Site;
use tests::wait;

const SOON: Duration = Duration::from_secs(30);

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn must_contain(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

/// The line of a text that begins with this word.
#[track_caller]
fn line<'t>(text: &'t str, word: &str) -> &'t str {
    let found = text.lines().find(|l| l.split_whitespace().next() == Some(word));
    found.unwrap_or_else(|| panic!("no line begins with {word:?} in:\n{text}"))
}

#[test]
fn the_catalogue_is_listed_and_shown_without_an_installation() {
    let all = stdout(&run(&["catalog", "list"]));
    must_contain(&all, &["eastron-sdm630", "tasmota-sensor", "meters", "schemes", "factors"]);
    let meters = stdout(&run(&["catalog", "list", "--kind", "meters"]));
    must_contain(line(&meters, "eastron-sdm630"), &["Eastron", "datasheet"]);
    assert!(!meters.contains("factors"));

    let shown = stdout(&run(&["catalog", "show", "eastron-sdm630"]));
    must_contain(&shown, &["Eastron", "datasheet", "volkszaehler/mbmd", "registers per request", "requests"]);
    must_contain(line(&shown, "active_energy_import"), &["input 72", "f32 ABCD", "kWh", "Wh"]);
    let shown = stdout(&run(&["catalog", "show", "tasmota-sensor"]));
    must_contain(line(&shown, "active_power"), &["ENERGY.Power", "W"]);

    // As JSON it is the same, one object or list.
    let list: serde_json::Value =
        serde_json::from_str(&stdout(&run(&["catalog", "list", "--json"]))).unwrap();
    let ids: Vec<&str> = list.as_array().unwrap().iter().filter_map(|e| e["id"].as_str()).collect();
    assert!(ids.contains(&"eastron-sdm630") && ids.len() == all.lines().count(), "{ids:?}");
    for entry in list.as_array().unwrap() {
        let id = entry["id"].as_str().unwrap();
        let output = run(&["catalog", "show", id, "--json"]);
        let shown: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!((shown["id"].as_str(), &shown["kind"]), (Some(id), &entry["kind"]));
    }
    let unknown = run(&["catalog", "show", "no-such-thing"]);
    assert_eq!(unknown.status.code(), Some(6));
    must_contain(&String::from_utf8_lossy(&unknown.stderr), &["no-such-thing", "catalog list"]);
}

#[test]
fn an_installations_own_catalogue_is_seen_with_its_file() {
    let site = Site::new().with("data_dir = \"data\"", "data_dir = \"data\"\ncatalog_dir = \"own\"");
    let folder = site.path().join("own/meters");
    std::fs::create_dir_all(&folder).unwrap();
    let text = tests::repo::text("config/catalog/meters/tasmota-sensor.toml").unwrap();
    std::fs::write(folder.join("own.toml"), text.replace("id = \"tasmota-sensor\"", "id = \"own-sensor\""))
        .unwrap();
    must_contain(&stdout(&site.run(&["catalog", "list", "--kind", "meters"])), &["own-sensor"]);
    must_contain(&stdout(&site.run(&["catalog", "show", "own-sensor"])), &["Tasmota", "ENERGY.Power"]);
    assert_eq!(run(&["catalog", "show", "own-sensor"]).status.code(), Some(6));
}

#[test]
fn a_meter_is_read_once_with_its_raw_words() {
    let meter = CountingMeter::start();
    let site = Site::new().with_modbus_meter(meter.address, "bus", "m1");
    let output = site.run(&["read", "m1"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    must_contain(&text, &["m1 answered in", "quantity", "raw words", "age"]);
    // 1500 as an IEEE 754 float is 44bb8000.
    must_contain(line(&text, "active_power"), &["1500 W", "44bb 8000", "0 s"]);
    must_contain(line(&text, "active_energy_import"), &["1000 Wh", "3f80 0000"]);
    assert_eq!(site.run(&["read", "nobody"]).status.code(), Some(6));

    let absent = Site::new().with_modbus_meter(free_address(), "bus", "m1");
    for command in ["read", "probe"] {
        let output = absent.run(&[command, "m1"]);
        assert_eq!(output.status.code(), Some(4), "{command}");
        must_contain(&String::from_utf8_lossy(&output.stderr), &["nothing listens", "daemon"]);
    }
}

#[test]
fn a_meter_is_watched_line_by_line_until_ctrl_c_and_through_an_outage() {
    // Of three requests for the total one gets no answer.
    let meter = CountingMeter::dropping(3);
    let site = Site::new().with_modbus_meter(meter.address, "bus", "m1");
    let mut child = Command::new(binary())
        .args(["read", "m1", "--watch", "--every", "200ms", "--config"])
        .arg(site.settings_file())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait::until("some rounds and an outage", SOON, || {
        let (served, dropped) = (meter.served().len(), meter.dropped());
        if 4 <= served && 1 <= dropped { Ok(()) } else { Err(format!("{served} rounds, {dropped} outages")) }
    });
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{text}");
    let totals: Vec<&str> = text.lines().filter(|l| l.contains("\tactive_energy_import\t")).collect();
    assert!(3 <= totals.len() && totals[0].ends_with("\t1000 Wh\t3f80 0000"), "{text}");
    assert!(text.contains("no answer from `m1`"), "{text}");
    // The meter refuses its serial number; it is asked for once.
    assert_eq!(text.lines().filter(|l| l.contains("\tserial_number\t")).count(), 1, "{text}");
    assert!(!text.contains('\u{1b}'), "control characters in a file:\n{text}");
    // Every line stands for itself: time first.
    assert!(text.lines().all(|l| l.split('\t').next().is_some_and(|at| at.ends_with('Z'))), "{text}");
}
