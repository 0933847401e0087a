//! `consuntivo analyze` as a person or a program calls it, on the reference meters.
//!
//! Must never: need an installation, a store or the network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../analytics/tests/data/mv").join(name)
}

fn analyze(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_consuntivo")).arg("analyze").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn one(meter: &str, weather: &str, more: &[&str]) -> Output {
    let (meter, weather) = (data(meter), data(weather));
    let mut args = vec!["--meter", meter.to_str().unwrap(), "--temperature", weather.to_str().unwrap()];
    args.extend(more);
    analyze(&args)
}

fn near(value: &Value, wanted: f64) {
    let value = value.as_f64().unwrap();
    assert!((value / wanted - 1.0).abs() < 1e-5, "{value} {wanted}");
}

#[test]
fn one_meter_is_one_object() {
    let windows = ["--baseline", "2015-12-24..2016-12-25", "--reporting", "2017-01-25..2018-01-24"];
    let caltrack = ["--method", "caltrack-monthly", "--balance-step", "3F", "--json"];
    let more = [&windows[..], &caltrack[..]].concat();
    let answer = json(&one("monthly/il-gas-hdd-only.csv", "weather/il_cst.csv", &more));
    assert_eq!(answer["method"], "caltrack-monthly");
    // eemeter 3.2.0: hdd_only, 60 °F.
    let model = &answer["model"];
    assert_eq!((&model["kind"], &model["cooling_balance_c"]), (&Value::from("hdd_only"), &Value::Null));
    assert_eq!(model["cooling_per_degree_day"], Value::Null);
    near(&model["heating_balance_c"], 28.0 / 1.8);
    near(&model["base_per_day"], 0.762_649_469_534_82);
    near(&model["heating_per_degree_day"], 0.219_816_031_648_243_56 * 1.8);
    near(&answer["quality"]["r2_adj"], 0.998_378_278_625_491_6);
    near(&answer["quality"]["cvrmse"], 0.034_339_444_564_624_52);
    near(&answer["quality"]["autocorrelation"], -0.206_690_772_941_006_88);
    near(&answer["reporting"]["adjusted_baseline"], 1_071.196_425_838_917_3);
    near(&answer["reporting"]["measured"], 971.63);
    near(&answer["reporting"]["avoided"], 99.566_425_838_917_23);
    let number = |key: &str| answer["reporting"][key].as_f64().unwrap();
    assert!(number("avoided_low") < number("avoided") && number("avoided") < number("avoided_high"));
    assert_eq!((number("days"), number("confidence")), (364.0, 0.9));
    assert_eq!(answer["normalised"], Value::Null);
    for finding in answer["findings"].as_array().unwrap() {
        for key in ["code", "severity", "says", "rule"] {
            assert!(finding[key].as_str().is_some_and(|s| !s.is_empty()), "{finding}");
        }
    }
    // Windows come from the file's phases where nobody gives them, and people read text.
    let shown = one("monthly/il-gas-hdd-only.csv", "weather/il_cst.csv", &["--method", "caltrack-monthly"]);
    let shown = text(&shown.stdout);
    assert!(shown.contains("method caltrack-monthly") && shown.contains("avoided"), "{shown}");
    assert!(shown.contains("fuel.by_name"), "{shown}");
}

#[test]
fn a_normal_year_gives_normalised_savings() {
    let more = ["--method", "caltrack-monthly", "--normal", "2017-01-01..2018-01-01", "--json"];
    let answer = json(&one("monthly/il-gas-hdd-only.csv", "weather/il_cst.csv", &more));
    let normalised = &answer["normalised"];
    // eemeter 3.2.0 with the same step.
    assert!(
        (normalised["baseline"].as_f64().unwrap() / 1_027.320_209_451_524 - 1.0).abs() < 5e-4,
        "{normalised}"
    );
    assert!(
        (normalised["savings"].as_f64().unwrap() / 90.229_808_549_399_92 - 1.0).abs() < 5e-3,
        "{normalised}"
    );
}

#[test]
fn wrong_files_and_flags_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.csv");
    fs::write(&bad, "period_start,period_end,value\n2024-01-01,2024-02-01,x\n2024-02-01,2024-01-01,5\n")
        .unwrap();
    let weather = data("weather/il_cst.csv");
    let with = |meter: &Path, more: &[&str]| {
        let mut args = vec!["--meter", meter.to_str().unwrap(), "--temperature", weather.to_str().unwrap()];
        args.extend(more);
        analyze(&args)
    };
    let windows = ["--baseline", "2023-01-01..2024-01-01", "--reporting", "2024-01-01..2025-01-01"];
    let wrong = with(&bad, &windows);
    assert_eq!(wrong.status.code(), Some(6));
    let said = text(&wrong.stderr);
    assert!(
        said.contains("line 2, column `value`") && said.contains("line 3, column `period_end`"),
        "{said}"
    );
    assert_eq!(with(&folder.path().join("none.csv"), &windows).status.code(), Some(6));
    let good = data("monthly/il-gas-hdd-only.csv");
    assert_eq!(with(&good, &["--method", "guess"]).status.code(), Some(2));
    assert_eq!(with(&good, &["--baseline", "2024-01-01"]).status.code(), Some(2));
    assert_eq!(with(&good, &["--baseline", "2024-02-01..2024-01-01"]).status.code(), Some(2));
    assert_eq!(analyze(&[]).status.code(), Some(2));
    // A file without windows of its own needs them.
    let bare = folder.path().join("bare.csv");
    fs::write(&bare, "date,value\n2024-01-01,1\n").unwrap();
    let said = text(&with(&bare, &[]).stderr);
    assert!(said.contains("--baseline FROM..TO"), "{said}");
}

/// The folder of the reference meters as it is: monthly, bimonthly, daily, with their list and weather.
#[test]
fn a_folder_is_analysed_meter_by_meter() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| {
        fs::create_dir_all(folder.path().join(to)).unwrap();
        for file in fs::read_dir(data(from)).unwrap() {
            let path = file.unwrap().path();
            fs::copy(&path, folder.path().join(to).join(path.file_name().unwrap())).unwrap();
        }
    };
    for (from, to) in
        [("monthly", "monthly"), ("bimonthly", "bimonthly"), ("daily", "daily"), ("weather", "weather_daily")]
    {
        copy(from, to);
    }
    let list = r#"{
        "il-electricity-cdd-hdd": {"fuel": "electricity", "weather": "il_cst", "normal_year": ["2017-01-01", "2018-01-01"]},
        "il-gas-hdd-only": {"fuel": "gas", "weather": "il_cst"},
        "nmecr-office": {"fuel": "electricity", "weather": "nmecr_office", "normal_year": "nmecr_tmy3"},
        "rmv2-sim-1": {"fuel": "electricity", "weather": "rmv2"},
        "uk-elec-1": {"fuel": "electricity", "weather": "uk_1_2"},
        "uk-gas-0": {"fuel": "gas", "weather": "uk_0"}}"#;
    fs::write(folder.path().join("meters.json"), list).unwrap();
    let lines = |output: &Output| -> Vec<Value> {
        text(&output.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    };
    let all = analyze(&["--batch", folder.path().to_str().unwrap()]);
    assert_eq!(all.status.code(), Some(0), "{}", text(&all.stderr));
    let all = lines(&all);
    assert_eq!(all.len(), 18);
    for line in &all {
        assert!(line["reporting"]["avoided_low"].is_number(), "{line}");
    }
    // One folder of it, with the list and the weather in the one above; a broken file is told and stops nobody.
    let monthly = folder.path().join("monthly");
    fs::write(monthly.join("broken.csv"), "period_start,period_end,value\n2024-01-01,x,1\n").unwrap();
    let some = analyze(&["--batch", monthly.to_str().unwrap(), "--method", "caltrack-monthly"]);
    assert_eq!(some.status.code(), Some(6));
    let some = lines(&some);
    assert_eq!(some.len(), 7);
    assert!(some[0]["error"].as_str().unwrap().contains("line 2"), "{}", some[0]);
    let office = some.iter().find(|l| l["meter"] == "nmecr-office").unwrap();
    assert!(office["normalised"]["savings"].is_number(), "{office}");
}

/// Two years of a building that is open from Monday to Friday: by the day with its calendar, and by the hour.
#[test]
fn openings_and_hours_are_analysed_from_their_files() {
    use std::fmt::Write as _;

    use chrono::{Datelike, Days, NaiveDate};

    let folder = tempfile::tempdir().unwrap();
    let first = NaiveDate::from_ymd_opt(2023, 1, 1).unwrap();
    let [mut days, mut mean] = ["date,value\n".to_owned(), "date,tmean_c\n".to_owned()];
    let [mut people, mut hours, mut outdoor] =
        ["date,people\n".to_owned(), "at,value\n".to_owned(), "at,t_c\n".to_owned()];
    for i in 0..730_u64 {
        let date = first + Days::new(i);
        let season = (i as f64 / 365.0 * std::f64::consts::TAU).cos();
        let t = 13.0 - 11.0 * season + 3.0 * (i as f64 * 0.9).sin();
        let open = if date.weekday().num_days_from_monday() < 5 { 1.0 } else { 0.0 };
        let share = if date.year() == 2023 { 1.0 } else { 0.9 };
        let use_of = share * (24.0 + 24.0 * open + 2.0 * (15.0 - t).max(0.0) + (i as f64 * 2.3).sin());
        writeln!(days, "{date},{use_of}").unwrap();
        writeln!(mean, "{date},{t}").unwrap();
        writeln!(people, "{date},{}", 30.0 * open + (i % 7) as f64).unwrap();
        for hour in 0..24 {
            let wave = (f64::from(hour) * 1.7 + i as f64).sin();
            writeln!(hours, "{date} {hour:02}:00,{}", use_of / 24.0 + 0.2 * wave).unwrap();
            writeln!(outdoor, "{date} {hour:02}:00,{t}").unwrap();
        }
    }
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (days, mean) = (file("days.csv", &days), file("mean.csv", &mean));
    let (people, hours) = (file("people.csv", &people), file("hours.csv", &hours));
    let outdoor = file("outdoor.csv", &outdoor);
    let run = |meter: &str, temperature: &str, more: &[&str]| {
        let windows = ["--baseline", "2023-01-01..2024-01-01", "--reporting", "2024-01-01..2024-12-30"];
        let files = ["--meter", meter, "--temperature", temperature];
        analyze(&[&files[..], &windows[..], more].concat())
    };
    let saved = |answer: &Value| {
        let of = |key: &str| answer["reporting"][key].as_f64().unwrap();
        of("avoided") / of("adjusted_baseline")
    };
    let open = ["--method", "drivers", "--drivers", &people, "--open-days", "lun-ven", "--json"];
    let answer = json(&run(&days, &mean, &open));
    assert_eq!((&answer["method"], &answer["model"]["kind"]), (&"drivers".into(), &"drivers".into()));
    assert!((saved(&answer) - 0.1).abs() < 0.01, "{answer}");
    let names: Vec<&str> =
        answer["model"]["drivers"].as_array().unwrap().iter().filter_map(|d| d["name"].as_str()).collect();
    assert!(names.contains(&"people"), "{answer}");
    let answer = json(&run(&hours, &outdoor, &["--method", "towt", "--json"]));
    assert_eq!(answer["model"]["kind"], "time_of_week_temperature");
    assert!((saved(&answer) - 0.1).abs() < 0.01, "{answer}");
    // Drivers without their method, and the method without drivers.
    assert_eq!(run(&days, &mean, &["--open-days", "lun-ven"]).status.code(), Some(6));
    assert_eq!(run(&days, &mean, &["--method", "drivers"]).status.code(), Some(6));
    assert_eq!(run(&days, &mean, &["--method", "drivers", "--open-days", "mai"]).status.code(), Some(2));
}

#[test]
fn what_cannot_be_read_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let windows = ["--baseline", "2023-01-01..2024-01-01", "--reporting", "2024-01-01..2024-12-30"];
    let said = |args: &[&str]| {
        let output = analyze(&[args, &windows[..]].concat());
        assert_eq!(output.status.code(), Some(6), "{}", text(&output.stdout));
        text(&output.stderr)
    };
    let here = folder.path().to_str().unwrap();
    let (none, weather) = (at("none.csv"), data("weather/il_cst.csv"));
    let weather = weather.to_str().unwrap();
    assert!(said(&["--meter", here, "--temperature", weather]).contains("--batch"));
    assert!(said(&["--meter", &none, "--temperature", weather]).contains("check the name"));
    assert!(said(&["--batch", &none]).contains("check the name"));
    // A meter of hours, by its column and by its days.
    for header in ["at", "date"] {
        let hours = at("hours.csv");
        fs::write(&hours, format!("{header},value\n2024-01-01 00:00,1\n2024-01-01 01:00,1\n")).unwrap();
        let said = said(&["--meter", &hours, "--temperature", weather, "--method", "auto"]);
        assert!(said.contains("--method towt"), "{said}");
    }
}

#[test]
fn an_estimated_bill_is_settled_by_the_next_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bills.csv");
    let bills = fs::read_to_string(data("monthly/il-gas-hdd-only.csv")).unwrap();
    let with = |estimated: usize| {
        let lines = bills.lines().enumerate();
        let line = |(i, line): (usize, &str)| {
            let more = match i {
                0 => ",status",
                _ if i == estimated => ",estimated",
                _ => ",actual",
            };
            format!("{line}{more}\n")
        };
        fs::write(&path, lines.map(line).collect::<String>()).unwrap();
        let files = ["--meter", path.to_str().unwrap(), "--temperature"];
        let weather = data("weather/il_cst.csv");
        json(&analyze(&[&files[..], &[weather.to_str().unwrap(), "--json"]].concat()))
    };
    let told = |answer: &Value| {
        answer["findings"].as_array().unwrap().iter().any(|f| f["code"] == "reading.estimated")
    };
    let (plain, settled) = (with(usize::MAX), with(16));
    assert!(!told(&plain) && told(&settled));
    let of = |answer: &Value, key: &str| answer["reporting"][key].as_f64().unwrap();
    assert!((of(&plain, "measured") - of(&settled, "measured")).abs() < 1e-6);
    assert_eq!(of(&settled, "missing_days"), 0.0);
}
