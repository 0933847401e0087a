//! Who may use whom: the table of the house, held against `cargo metadata` and `cargo tree`.
//!
//! Must never: be loosened to let a change through; changing the table is a decision written in README.md.

use std::collections::BTreeMap;
use std::process::Command;

use tests::repo;

/// Crate, and the crates of the workspace that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("analytics", &["model"]),
    ("profile", &["model"]),
    ("connectors", &["model", "profile"]),
    ("config", &["model", "analytics", "profile"]),
    ("store", &["model"]),
    ("typeset", &[]),
    ("dashboards", &["model", "analytics", "store", "typeset"]),
    ("daemon", &["model", "analytics", "profile", "connectors", "config", "store", "dashboards"]),
    ("tests", &["model", "analytics", "profile", "connectors", "config", "store", "dashboards"]),
    // Not a member: its workspace is its own.
    ("fuzz", &["model", "profile", "connectors", "config", "store"]),
];

/// Crates that compute: no runtime, no files of their own form, no sockets, no database.
const PURE: &[&str] = &["model", "analytics", "profile"];

/// What a pure crate must not reach, however far down.
const IMPURE: &[&str] = &["tokio", "rusqlite", "rumqttc", "tokio-modbus", "axum", "reqwest", "hyper", "mio"];

/// Which of the edges (crate, uses) the table does not allow.
fn offences(edges: &[(String, String)]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut found = Vec::new();
    for (name, uses) in edges {
        match allowed.get(name.as_str()) {
            None => found.push(format!("`{name}` is not in the table of tests/suites/layering.rs; add it")),
            Some(list) if !list.contains(&uses.as_str()) => {
                found.push(format!("`{name}` must not depend on `{uses}`"));
            }
            Some(_) => {}
        }
    }
    found
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(&cargo)
        .args(arguments)
        .current_dir(repo::root())
        .output()
        .unwrap_or_else(|e| panic!("{cargo} cannot be started: {e}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {}: {complaint}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Every member with the members it uses, whatever the kind of dependency.
fn edges_of_the_workspace() -> (Vec<String>, Vec<(String, String)>) {
    let text = cargo(&["metadata", "--format-version", "1", "--locked", "--offline", "--no-deps"]);
    let metadata: serde_json::Value = serde_json::from_str(&text).expect("cargo metadata writes JSON");
    let packages = metadata["packages"].as_array().expect("packages is a list");
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap_or_default().to_owned();
    let mut members: Vec<String> = packages.iter().map(name).collect();
    let mut edges = Vec::new();
    for package in packages {
        for dependency in package["dependencies"].as_array().expect("dependencies is a list") {
            let uses = name(dependency);
            if members.contains(&uses) {
                edges.push((name(package), uses));
            }
        }
    }
    let text = repo::text("tests/fuzz/Cargo.toml").expect("the manifest of the fuzz crate is text");
    let fuzz: toml::Table = text.parse().expect("the manifest of the fuzz crate is TOML");
    let uses = fuzz["dependencies"].as_table().expect("a table").iter();
    let inside = uses.filter(|(_, value)| value.get("path").is_some()).map(|(name, _)| name.clone());
    edges.extend(inside.map(|name| ("fuzz".to_owned(), name)));
    members.push("fuzz".to_owned());
    (members, edges)
}

#[test]
fn dependencies_point_down_only() {
    let (members, edges) = edges_of_the_workspace();
    assert!(!edges.is_empty(), "cargo metadata shows no dependency at all");
    assert_eq!(offences(&edges), Vec::<String>::new());
    for (name, _) in ALLOWED {
        assert!(members.iter().any(|m| m == name), "`{name}` of the table is no member of the workspace");
    }
    for member in &members {
        assert!(ALLOWED.iter().any(|(name, _)| name == member), "the member `{member}` is not in the table");
    }
}

#[test]
fn a_wrong_edge_is_named() {
    let edge = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(offences(&[edge("analytics", "store")]), ["`analytics` must not depend on `store`"]);
    assert_eq!(offences(&[edge("daemon", "typeset")]), ["`daemon` must not depend on `typeset`"]);
    assert_eq!(offences(&[edge("analytics", "model"), edge("dashboards", "typeset")]), Vec::<String>::new());
    assert_eq!(
        offences(&[edge("new", "model")]),
        ["`new` is not in the table of tests/suites/layering.rs; add it"]
    );
}

#[test]
fn crates_that_compute_reach_no_runtime_socket_or_database() {
    for name in PURE {
        let tree = cargo(&["tree", "-p", name, "-e", "normal", "--prefix", "none", "--locked", "--offline"]);
        let reached: Vec<&str> = tree.lines().filter_map(|l| l.split_whitespace().next()).collect();
        assert!(reached.contains(name), "cargo tree does not show `{name}`:\n{tree}");
        for impure in IMPURE {
            assert!(
                !reached.contains(impure),
                "`{name}` reaches `{impure}`; `cargo tree -p {name} -i {impure}` says how"
            );
        }
    }
}

/// `model` and `analytics` types are converted at the edge; they have no serialised form of their own.
#[test]
fn the_model_has_no_serialised_form() {
    for name in ["model", "analytics"] {
        let tree = cargo(&[
            "tree",
            "-p",
            name,
            "-e",
            "normal",
            "--prefix",
            "none",
            "--depth",
            "1",
            "--locked",
            "--offline",
        ]);
        assert!(!tree.lines().any(|l| l.starts_with("serde ")), "`{name}` depends on serde:\n{tree}");
    }
}
