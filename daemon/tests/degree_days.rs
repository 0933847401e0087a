//! `consuntivo degree-days`, run as a user would: the binary, a file, what it prints.
//!
//! Must never: take a day without what a definition needs for a day without degree days.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("degree-days").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_consuntivo")).arg("degree-days").args(args).output().unwrap()
}

/// The rows by definition and period.
fn json(args: &[&str]) -> Value {
    let output = run(&[args, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn row<'j>(all: &'j Value, definition: &str, period: &str) -> &'j Value {
    let rows = all["degree_days"].as_array().unwrap();
    rows.iter().find(|r| r["definition"] == definition && r["period"] == period).unwrap()
}

#[test]
fn every_definition_is_counted_by_month_with_what_it_lacks() {
    let file = folder("days").join("t.csv");
    // Zone E of Turin heats from 15 October; the last day has no extremes.
    let days = "date,tmean_c,tmin_c,tmax_c\n2025-10-14,10.0,5.0,15.5\n2025-11-01,10.0,5.0,15.0\n2025-11-02,16.0,12.0,20.0\n\
                2025-11-04,11.0,,\n";
    fs::write(&file, days).unwrap();
    let file = file.to_str().unwrap();
    let all = json(&["--temperature", file, "--municipality", "Torino", "--step", "months", "--base", "12"]);
    let own = row(&all, "base", "2025-11");
    assert_eq!((own["kelvin_days"].as_f64(), own["missing_days"].as_u64()), (Some(3.0), Some(1)));
    assert!(all["degree_days"].as_array().unwrap().iter().all(|r| r["definition"] == "base"));

    let all = json(&["--temperature", file, "--municipality", "001272", "--step", "months"]);
    assert_eq!(
        (&all["municipality"]["zone"], &all["municipality"]["legal_degree_days"]),
        (&"E".into(), &2617.into())
    );
    assert_eq!(row(&all, "dpr-412-93", "2025-10")["days"], 0);
    assert_eq!(row(&all, "dpr-412-93", "2025-11")["kelvin_days"], 23.0);
    assert_eq!(row(&all, "eurostat-heating", "2025-11")["kelvin_days"], 15.0);
    let by_extremes = row(&all, "uk-met-office", "2025-11");
    assert_eq!((by_extremes["days"].as_u64(), by_extremes["missing_days"].as_u64()), (Some(2), Some(2)));
    // 1 November by its mean, 2 November by the rule of a day whose mean is above the base.
    assert_eq!(by_extremes["kelvin_days"], 5.5 + 3.5 / 4.0);
    assert_eq!(row(&all, "eea-cooling", "2025-11")["kelvin_days"], 0.0);
}

#[test]
fn hours_make_a_day_s_mean_extremes_and_degree_hours() {
    let file = folder("hours").join("t.csv");
    let mut text = "at,t_c\n".to_owned();
    for hour in 0..24 {
        text.push_str(&format!("2025-01-01 {hour:02}:00,{}\n", if hour < 12 { 10.0 } else { 20.0 }));
    }
    text.push_str("2025-01-02 00:00,10.0\n");
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let by = |daily: &str| {
        let all = json(&[
            "--hours",
            file,
            "--base",
            "15,5",
            "--daily",
            daily,
            "--period",
            "2025-01-01..2025-01-03",
        ]);
        let row = row(&all, "base", "2025");
        (
            row["kelvin_days"].as_f64().unwrap(),
            row["days"].as_u64().unwrap(),
            row["missing_days"].as_u64().unwrap(),
        )
    };
    assert_eq!(by("mean"), (0.5, 1, 1));
    assert_eq!(by("hours"), (2.75, 1, 1));
    assert_eq!(by("extremes"), (5.5 / 2.0 - 4.5 / 4.0, 1, 1));
}

#[test]
fn what_cannot_be_counted_is_an_error_with_the_next_step() {
    let file = folder("wrong").join("t.csv");
    fs::write(&file, "date,tmean_c\n2025-01-01,-999\n").unwrap();
    let file = file.to_str().unwrap();
    let refused = |args: &[&str], words: &[&str]| {
        let output = run(args);
        let says = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty(), "{says}");
        for word in words {
            assert!(says.contains(word), "{word:?} is not in: {says}");
        }
    };
    refused(&["--temperature", file], &["2025-01-01", "-999", "leave the cell empty"]);
    refused(&["--temperature", "none.csv"], &["none.csv", "check the name"]);
    refused(
        &["--temperature", file, "--municipality", "Atlantide"],
        &["Atlantide", "leave --municipality out"],
    );
    refused(&["--temperature", file, "--definition", "dpr"], &["dpr-412-93", "eurostat-heating"]);
}
