//! The command line as a person or a script meets it: help, wrong use, exit codes.
//!
//! Must never: need a meter, a broker or a port.

use std::process::{Command, Output};

fn consuntivo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_consuntivo"))
        .args(arguments)
        .output()
        .expect("the binary can be started")
}

#[track_caller]
fn assert_code(arguments: &[&str], code: i32) -> String {
    let output = consuntivo(arguments);
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    text
}

#[test]
fn help_lists_every_command_and_leaves_with_0() {
    let text = assert_code(&["--help"], 0);
    for command in ["run", "check", "probe", "read", "catalog", "import", "report", "demo"] {
        assert!(text.contains(&format!("\n  {command} ")), "{command} is missing in\n{text}");
        assert_code(&[command, "--help"], 0);
    }
    assert!(assert_code(&["--version"], 0).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_use_leaves_with_2_and_says_what_was_wrong() {
    assert!(assert_code(&["reprot"], 2).contains("report"));
    assert!(assert_code(&["run"], 2).contains("--config"));
    assert!(assert_code(&["run", "--config"], 2).contains("--config"));
    assert!(assert_code(&["probe", "Not/An/Id", "--config", "x.toml"], 2).contains("Not/An/Id"));
    assert!(
        assert_code(&["report", "--config", "x.toml", "--project", "p", "--year", "soon", "--out", "o"], 2)
            .contains("soon")
    );
    assert!(assert_code(&["demo", "--once"], 2).contains("--out"));
    assert_code(&[], 2);
}

#[test]
fn a_settings_file_that_cannot_be_used_leaves_with_6() {
    for command in ["run", "check"] {
        assert!(assert_code(&[command, "--config", "no/such/file.toml"], 6).contains("no/such/file.toml"));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("broken.toml");
    std::fs::write(&file, "[installation]\nid = \"x\"\nname = 3\n").expect("a file");
    let text = assert_code(&["check", "--config", file.to_str().expect("a plain name")], 6);
    assert!(text.contains("name") && text.contains("broken.toml"), "{text}");
}

#[test]
fn a_clean_installation_is_usable() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("good.toml");
    std::fs::write(&file, "[installation]\nid = \"x\"\nname = \"Prova\"\n").expect("a file");
    assert_code(&["check", "--config", file.to_str().expect("a plain name")], 0);
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "check wrote something: {left:?}");
}

/// The documentation's table is what the code says.
#[test]
fn every_exit_code_is_documented() {
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/exit-codes.md")).expect("text");
    let source = include_str!("../src/exit.rs");
    let codes: Vec<&str> = source
        .lines()
        .filter(|l| l.contains("const ") && l.contains("Self("))
        .filter_map(|l| l.split("Self(").nth(1)?.split(')').next())
        .collect();
    assert!(4 <= codes.len(), "no codes found in exit.rs: {codes:?}");
    for code in codes {
        assert!(document.contains(&format!("\n| {code} |")), "docs/exit-codes.md does not explain {code}");
    }
}
