//! A real year, end to end: bills and temperatures of a building that exists, the project file, the annual report,
//! and its figures by value against an independent computation and against a reference implementation.
//!
//! Must never: take the expected figures from the program under test; `README.md` of the case says where they are from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tests::repo;
use tests::site::Site;

const CASE: &str = "tests/cases/real-year-uk-gas";

fn case(file: &str) -> String {
    repo::root().join(CASE).join(file).display().to_string()
}

fn expected() -> toml::Table {
    repo::text(&format!("{CASE}/expected.toml")).expect("text").parse().expect("TOML")
}

fn number(table: &toml::Value, key: &str) -> f64 {
    let value = &table[key];
    value
        .as_float()
        .or_else(|| value.as_integer().map(|i| i as f64))
        .unwrap_or_else(|| panic!("{key} is no number"))
}

#[track_caller]
fn text_of(output: &Output) -> String {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "exit {:?}:\n{text}", output.status.code());
    text
}

/// Imports everything; what each import said.
fn import(site: &Site) -> [String; 3] {
    [
        text_of(&site.run(&["import", "project", &case("project.toml")])),
        text_of(&site.run(&["import", "bills", &case("bills.csv")])),
        text_of(&site.run(&["import", "temperatures", "--station", "caso-reale", &case("temperatures.csv")])),
    ]
}

/// Writes the report of 2021 and returns its files by name.
fn report(site: &Site, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let out = site.path().join(folder);
    let out_text = out.display().to_string();
    text_of(&site.run(&["report", "--project", "casa-reale", "--year", "2021", "--out", &out_text]));
    files_in(&out)
}

fn files_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder was written").filter_map(Result::ok) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry.file_name().to_string_lossy().into_owned();
                found.insert(name, fs::read(entry.path()).expect("the file was written"));
            }
        }
    }
    found
}

fn the_one(files: &BTreeMap<String, Vec<u8>>, extension: &str) -> Vec<u8> {
    let ending = format!(".{extension}");
    // Of the two CSV the one for the office.
    let wanted = |name: &str| name.ends_with(&ending) && !name.ends_with("-plain.csv");
    let mut found = files.iter().filter(|(name, _)| wanted(name));
    let (_, bytes) = found.next().unwrap_or_else(|| panic!("no .{extension} among {:?}", files.keys()));
    assert!(found.next().is_none(), "more than one .{extension} among {:?}", files.keys());
    bytes.clone()
}

/// The rows of the structured file by month number.
fn rows(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<u64, Value> {
    let file: Value = serde_json::from_slice(&the_one(files, "json")).expect("the structured file is JSON");
    let rows = file["rows"].as_array().expect("rows is a list").clone();
    assert_eq!(rows.len(), 12, "one meter has twelve rows");
    rows.into_iter().map(|row| (row["month"].as_u64().expect("a month"), row)).collect()
}

#[track_caller]
fn near(what: &str, found: Option<f64>, wanted: f64, tolerance: f64) {
    let found = found.unwrap_or_else(|| panic!("{what} is withheld, {wanted} was expected"));
    assert!((found - wanted).abs() <= tolerance, "{what} is {found}, expected {wanted} within {tolerance}");
}

#[test]
fn the_figures_are_those_of_the_independent_computation() {
    let site = Site::new();
    import(&site);
    let rows = rows(&report(&site, "out"));
    let expected = expected();
    let whole = &expected["whole_year"];
    let tolerance = number(whole, "tolerance");
    let mut sums = [0.0; 3];
    for month in expected["month"].as_array().expect("a list") {
        let name = month["month"].as_str().expect("a month");
        let row = &rows[&name[5..].parse::<u64>().expect("a number")];
        near(&format!("measured {name}"), row["measured"].as_f64(), number(month, "measured"), tolerance);
        let adjusted = number(month, "adjusted_baseline");
        near(&format!("adjusted {name}"), row["adjusted_baseline"].as_f64(), adjusted, tolerance);
        let avoided = adjusted - number(month, "measured");
        near(&format!("avoided {name}"), row["avoided"].as_f64(), avoided, tolerance);
        near(
            &format!("base {name}"),
            row["degree_day_base_c"].as_f64(),
            number(whole, "heating_base_c"),
            1e-6,
        );
        for (sum, key) in sums.iter_mut().zip(["measured", "adjusted_baseline", "avoided"]) {
            *sum += row[key].as_f64().unwrap_or_default();
        }
    }
    for (sum, key) in sums.iter().zip(["measured", "adjusted_baseline", "avoided"]) {
        near(key, Some(*sum), number(whole, key), tolerance);
    }
    // Months before the completion are shown, never compared.
    for month in 1..=4 {
        assert!(rows[&month]["measured"].is_f64(), "January to April were billed: {}", rows[&month]);
        assert!(rows[&month]["avoided"].is_null(), "a month of works became a saving: {}", rows[&month]);
    }
    // December used more than its weather asked for, and says so.
    assert!(rows[&12]["avoided"].as_f64().is_some_and(|a| a < 0.0), "{}", rows[&12]);
}

#[test]
fn the_reference_implementation_agrees_to_the_digits_of_the_files() {
    let site = Site::new();
    import(&site);
    let rows = rows(&report(&site, "out"));
    let expected = expected();
    let reference = &expected["caltrack"];
    let wanted = number(reference, "adjusted_baseline");
    let sum: f64 = rows.values().filter_map(|r| r["adjusted_baseline"].as_f64()).sum();
    near("adjusted baseline", Some(sum), wanted, wanted * number(reference, "tolerance_ratio"));
    let avoided: f64 = rows.values().filter_map(|r| r["avoided"].as_f64()).sum();
    near(
        "avoided",
        Some(avoided),
        number(reference, "avoided"),
        wanted * number(reference, "tolerance_ratio"),
    );
}

/// The same project without a method of its own: the data choose, and the choice stands in the structured file.
#[test]
fn the_datas_own_choice_is_close_to_the_reference() {
    let site = Site::new();
    import(&site);
    let own = site.path().join("own.toml");
    let fixed = fs::read_to_string(case("project.toml")).expect("the case has a project");
    let free = fixed.replace("[baseline]\nmethod = \"caltrack-monthly\"\n", "");
    assert_ne!(free, fixed, "the case fixes its method");
    fs::write(&own, free).expect("a file");
    text_of(&site.run(&["import", "project", &own.display().to_string()]));
    let rows = rows(&report(&site, "out"));
    let expected = expected();
    let wanted = number(&expected["caltrack"], "adjusted_baseline");
    let sum: f64 = rows.values().filter_map(|r| r["adjusted_baseline"].as_f64()).sum();
    near("adjusted baseline", Some(sum), wanted, wanted * number(&expected["averaged"], "tolerance_ratio"));
    let findings = rows[&12]["findings"].to_string();
    assert!(findings.contains("method.chosen"), "{findings}");
}

#[test]
fn a_second_import_changes_nothing_and_a_second_report_is_the_same_to_the_byte() {
    let site = Site::new();
    let [project, bills, temperatures] = import(&site);
    assert!(project.contains("imported"), "{project}");
    assert!(bills.contains("24 read, 24 new, 0 already there, 0 replaced"), "{bills}");
    assert!(temperatures.contains("730 read, 730 new, 0 already there, 0 replaced"), "{temperatures}");
    let first = report(&site, "first");

    let [project, bills, temperatures] = import(&site);
    assert!(project.contains("unchanged"), "{project}");
    assert!(bills.contains("24 read, 0 new, 24 already there, 0 replaced"), "{bills}");
    assert!(temperatures.contains("730 read, 0 new, 730 already there, 0 replaced"), "{temperatures}");
    let second = report(&site, "second");

    for extension in ["pdf", "xlsx", "csv", "json"] {
        assert!(!the_one(&first, extension).is_empty());
    }
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    for (name, bytes) in &first {
        assert!(second[name] == *bytes, "{name} differs between two reports of the same data");
    }
}

/// A file with one bad cell is refused whole, names its line, and leaves what was there as it was.
#[test]
fn a_bad_cell_refuses_the_file_and_changes_no_figure() {
    let site = Site::new();
    import(&site);
    let before = report(&site, "before");
    let bad = site.path().join("bad.csv");
    let good = fs::read_to_string(case("bills.csv")).expect("the case has bills");
    fs::write(&bad, good.replace("2021-07-01,2021-07-31,19.065", "2021-07-01,2021-07-32,9.065"))
        .expect("a file");
    let output = site.run(&["import", "bills", &bad.display().to_string()]);
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("bad.csv") && said.contains("17") && said.contains("2021-07-32"), "{said}");
    assert!(before == report(&site, "after"), "a refused file changed a figure");
}

/// A bill that is missing is not a saving: the year's compared energy shrinks, it does not improve.
#[test]
fn a_missing_bill_is_withheld_and_never_saved() {
    let site = Site::new();
    let partial = site.path().join("partial.csv");
    let good = fs::read_to_string(case("bills.csv")).expect("the case has bills");
    let kept: Vec<&str> = good.lines().filter(|l| !l.contains(",2021-10-01,")).collect();
    fs::write(&partial, kept.join("\n") + "\n").expect("a file");
    text_of(&site.run(&["import", "project", &case("project.toml")]));
    text_of(&site.run(&["import", "bills", &partial.display().to_string()]));
    text_of(&site.run(&["import", "temperatures", "--station", "caso-reale", &case("temperatures.csv")]));
    let rows = rows(&report(&site, "out"));
    assert!(rows[&10]["avoided"].is_null() && rows[&10]["measured"].is_null(), "{}", rows[&10]);
    let avoided: f64 = rows.values().filter_map(|r| r["avoided"].as_f64()).sum();
    let october = 44.6308 - 36.921;
    near(
        "avoided without October",
        Some(avoided),
        number(&expected()["whole_year"], "avoided") - october,
        0.02,
    );
}

/// The report itself, read by a program that did not write it.
#[test]
fn the_pdf_is_sound_and_speaks_of_the_project() {
    let site = Site::new();
    import(&site);
    let pdf = site.path().join("report.pdf");
    fs::write(&pdf, the_one(&report(&site, "out"), "pdf")).expect("a file");
    let checked =
        Command::new("qpdf").arg("--check").arg(&pdf).output().expect("qpdf is installed by make test");
    text_of(&checked);
    let text = Command::new("pdftotext")
        .arg("-layout")
        .arg(&pdf)
        .arg("-")
        .output()
        .expect("poppler-utils is installed");
    let text = text_of(&text);
    for word in ["Anno reale di un'abitazione", "C11G06000000001", "Comune di Esempio", "2021", "12,8"] {
        let plain = text.replace('’', "'");
        assert!(plain.contains(word), "{word:?} is not in the report:\n{plain}");
    }
}
