//! Every dependency is explained, one TLS provider is built in, and the lock file stays within its budget.
//!
//! Must never: ask a registry anything; it reads the repository and `cargo tree --offline`.

use std::collections::BTreeMap;
use std::process::Command;

use tests::repo;

/// Packages in `Cargo.lock`. Raise it by a decision, in the change that needs it.
const LOCK_BUDGET: usize = 690;

/// A workspace of its own, with versions of its own: libFuzzer must not be needed to build or test the product.
const FUZZ: &str = "tests/fuzz/Cargo.toml";

fn manifest(file: &str) -> toml::Table {
    let text = repo::text(file).unwrap_or_else(|| panic!("{file} is no text"));
    text.parse().unwrap_or_else(|error| panic!("{file} is no TOML: {error}"))
}

/// Names and what is said of them, without the crates of the repository.
fn from_outside(table: &toml::Value) -> BTreeMap<String, toml::Value> {
    let table = table.as_table().expect("a table").clone();
    table.into_iter().filter(|(_, value)| value.get("path").is_none()).collect()
}

fn workspace_dependencies() -> Vec<String> {
    let mut all = from_outside(&manifest("Cargo.toml")["workspace"]["dependencies"]);
    all.extend(from_outside(&manifest(FUZZ)["dependencies"]));
    all.into_keys().collect()
}

fn version(value: &toml::Value) -> &str {
    value.get("version").unwrap_or(value).as_str().expect("a version")
}

/// The rows `| `name` | …` of the document with how often each stands there.
fn explained(document: &str) -> BTreeMap<String, usize> {
    let mut rows = BTreeMap::new();
    for line in document.lines() {
        let Some(rest) = line.strip_prefix("| `") else { continue };
        let Some((name, _)) = rest.split_once("` |") else { continue };
        *rows.entry(name.to_owned()).or_insert(0) += 1;
    }
    rows
}

#[test]
fn every_dependency_has_one_line_that_says_what_it_saves() {
    let document = repo::text("docs/dependencies.md").expect("docs/dependencies.md is text");
    let (used, wanted) = document
        .split_once("## Wanted, not used yet")
        .expect("docs/dependencies.md has a chapter on what is wanted and not used yet");
    let rows = explained(used);
    let dependencies = workspace_dependencies();
    assert!(dependencies.len() > 10, "the root manifest shows only {dependencies:?}");
    for name in &dependencies {
        assert_eq!(
            rows.get(name),
            Some(&1),
            "docs/dependencies.md must explain `{name}` on exactly one line"
        );
    }
    for name in rows.keys() {
        assert!(
            dependencies.contains(name),
            "docs/dependencies.md explains `{name}`, which is no dependency"
        );
    }
    for name in explained(wanted).keys() {
        assert!(!dependencies.contains(name), "`{name}` is used: move its line up in docs/dependencies.md");
    }
}

/// Versions stand in one place: the members only say `workspace = true`.
#[test]
fn members_name_no_version_of_their_own() {
    for file in repo::files().iter().filter(|f| f.ends_with("/Cargo.toml") && *f != FUZZ) {
        let manifest = manifest(file);
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(kind).and_then(toml::Value::as_table) else { continue };
            for (name, value) in table {
                let inherited = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                assert!(inherited, "{file}: {kind}.{name} must be `workspace = true`");
            }
        }
    }
}

/// What is fuzzed is what is built: the fuzz crate takes the same versions, and only libFuzzer besides.
#[test]
fn the_fuzz_crate_takes_the_versions_of_the_workspace() {
    let root = manifest("Cargo.toml");
    let excluded = root["workspace"]["exclude"].as_array().expect("a list");
    assert!(excluded.iter().any(|folder| folder.as_str() == Some("tests/fuzz")));
    let known = from_outside(&root["workspace"]["dependencies"]);
    let mut own = Vec::new();
    for (name, value) in from_outside(&manifest(FUZZ)["dependencies"]) {
        match known.get(&name) {
            Some(wanted) => assert_eq!(version(&value), version(wanted), "{FUZZ}: {name}"),
            None => own.push(name),
        }
    }
    assert_eq!(own, ["libfuzzer-sys"]);
    let lock = repo::text("Cargo.lock").expect("Cargo.lock is text");
    assert!(!lock.contains("\"libfuzzer-sys\""), "the product needs libFuzzer");
}

fn tree(arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(&cargo)
        .args(["tree", "--workspace", "--locked", "--offline"])
        .args(arguments)
        .current_dir(repo::root())
        .output()
        .unwrap_or_else(|e| panic!("{cargo} cannot be started: {e}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    let absent = complaint.contains("did not match any packages") || complaint.contains("nothing to print");
    assert!(output.status.success() || absent, "cargo tree {}: {complaint}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Two providers in one process make rustls panic at the first handshake, so only one may be built in.
#[test]
fn rustls_has_one_provider() {
    let features = tree(&["-e", "features", "-i", "rustls"]);
    assert!(features.contains("rustls feature \"aws_lc_rs\""), "rustls has no provider:\n{features}");
    assert!(!features.contains("rustls feature \"ring\""), "rustls has two providers:\n{features}");
}

/// `ring` itself is here only because the MQTT client names an old webpki for one error type; nothing signs or
/// verifies with it. A second way in would be a second provider.
#[test]
fn ring_comes_by_one_known_way() {
    let users = tree(&["-e", "normal,build", "-i", "ring", "--depth", "1", "--prefix", "depth"]);
    let direct: Vec<&str> = users.lines().filter_map(|l| l.strip_prefix('1')).collect();
    for user in direct {
        assert!(user.starts_with("rustls-webpki v0.102."), "`ring` is used by {user} too:\n{users}");
    }
}

#[test]
fn the_lock_file_stays_within_its_budget() {
    let lock = repo::text("Cargo.lock").expect("Cargo.lock is text");
    let packages = lock.lines().filter(|l| *l == "[[package]]").count();
    assert!(
        packages <= LOCK_BUDGET,
        "Cargo.lock has {packages} packages, the budget is {LOCK_BUDGET}: leave a dependency out or raise the budget \
         and say why in docs/dependencies.md"
    );
}
