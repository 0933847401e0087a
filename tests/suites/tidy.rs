//! The rules of the house that no compiler holds: file heads, lengths, words, links, the code map.
//!
//! Must never: be silenced for one file; a rule that is wrong is changed here, for all.

use std::collections::BTreeSet;

use tests::repo;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

/// Marks of unfinished work, put together here so that this file does not hold them.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!"), concat!("unimpl", "emented!")];

/// Words that belong to a workplace and not to the product, in lower case.
const FOREIGN: [&str; 10] = [
    concat!("/wo", "rk/"),
    concat!("/t", "mp/"),
    concat!("/ro", "ot/"),
    concat!("shared", "/facts"),
    concat!("shared", "/data"),
    concat!("shared", "/seeds"),
    concat!("anth", "ropic"),
    concat!("cla", "ude"),
    concat!("chat", "gpt"),
    concat!("co", "pilot"),
];

/// Says everything at once: one run shows all that is to be mended.
fn none(offences: &[String]) {
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}

fn is_word(text: &str, at: usize, length: usize) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    !part(text[..at].chars().next_back()) && !part(text[at + length..].chars().next())
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| is_word(text, at, word.len()))
}

#[test]
fn every_rust_file_says_what_it_is_and_must_never_do() {
    let mut offences = Vec::new();
    for file in repo::files_ending("rs") {
        let text = repo::text(&file).expect("Rust files are UTF-8");
        let head: Vec<&str> = text.lines().take_while(|l| l.starts_with("//!")).collect();
        if head.is_empty() {
            offences.push(format!("{file}: the first line must begin with `//!`"));
        } else if !head.iter().any(|l| l.contains("ust never")) {
            offences.push(format!("{file}: the opening `//!` must say what the file must never do"));
        }
    }
    none(&offences);
}

#[test]
fn files_and_functions_stay_readable() {
    let mut offences = Vec::new();
    for file in repo::files_ending("rs") {
        let text = repo::text(&file).expect("Rust files are UTF-8");
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            offences.push(format!("{file}: {lines} lines, at most {FILE_LINES_MAX}"));
        }
        for (name, from, length) in long_functions(&text) {
            offences
                .push(format!("{file}:{from}: `{name}` has {length} lines, at most {FUNCTION_LINES_MAX}"));
        }
    }
    none(&offences);
}

/// Functions longer than the limit: name, first line, length. Relies on rustfmt: a function ends at the first
/// closing brace that stands as far left as its `fn`.
fn long_functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let Some(name) = function_name(code) else { continue };
        if line.ends_with(';') || line.ends_with('}') {
            continue;
        }
        let end = format!("{}}}", " ".repeat(indent));
        let Some(length) = lines[at..].iter().position(|l| *l == end) else { continue };
        if length + 1 > FUNCTION_LINES_MAX {
            found.push((name.to_owned(), at + 1, length + 1));
        }
    }
    found
}

fn function_name(code: &str) -> Option<&str> {
    let mut rest = code;
    for prefix in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "extern \"C\" "] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

#[test]
fn nothing_is_left_unfinished() {
    let mut offences = Vec::new();
    for file in repo::files() {
        let Some(text) = repo::text(&file) else { continue };
        for (number, line) in text.lines().enumerate() {
            for mark in UNFINISHED {
                let bare = mark.trim_end_matches('!');
                let hit = if mark == bare { has_word(line, mark) } else { line.contains(mark) };
                if hit && !is_licence_or_lock(&file) {
                    offences.push(format!("{file}:{}: `{mark}`: finish it or take it out", number + 1));
                }
            }
        }
    }
    none(&offences);
}

#[test]
fn no_rust_file_steps_out_of_the_rules() {
    let keyword = concat!("un", "safe");
    let mut offences = Vec::new();
    for file in repo::files_ending("rs") {
        let text = repo::text(&file).expect("Rust files are UTF-8");
        for (number, line) in text.lines().enumerate() {
            let mut offend = |what: &str| offences.push(format!("{file}:{}: {what}", number + 1));
            let code = line.trim_start();
            if ["{", "fn", "impl", "extern"].iter().any(|next| has_word(code, &format!("{keyword} {next}"))) {
                offend("unsafe code is not wanted here");
            }
            if code.starts_with("#[ignore]") {
                offend("an ignored test must give its reason: `#[ignore = \"…\"]`");
            }
            if code.starts_with("#[allow(") || code.starts_with("#![allow(") {
                offend("use `#[expect(lint, reason = \"…\")]`, which complains when it is no longer needed");
            }
        }
    }
    none(&offences);
}

fn is_licence_or_lock(file: &str) -> bool {
    file.ends_with(".lock") || file.ends_with("package-lock.json") || file.to_lowercase().contains("licen")
}

#[test]
fn the_repository_speaks_of_the_product_only() {
    let mut offences = Vec::new();
    for file in repo::files() {
        let Some(text) = repo::text(&file) else { continue };
        if is_licence_or_lock(&file) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            for word in FOREIGN {
                if lower.contains(word) {
                    offences.push(format!("{file}:{}: `{word}` belongs to a workplace", number + 1));
                }
            }
        }
    }
    none(&offences);
}

#[test]
fn text_files_end_with_a_newline_and_carry_no_trailing_blanks() {
    let mut offences = Vec::new();
    for file in repo::files() {
        let written = ["rs", "toml", "md", "sh", "html", "js", "mjs", "css"];
        if !written.iter().any(|e| file.ends_with(&format!(".{e}"))) {
            continue;
        }
        let text = repo::text(&file).unwrap_or_else(|| panic!("{file} is not UTF-8"));
        if !text.is_empty() && !text.ends_with('\n') {
            offences.push(format!("{file}: must end with a newline"));
        }
        for (number, line) in text.lines().enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                offences.push(format!("{file}:{}: trailing blank", number + 1));
            }
        }
    }
    none(&offences);
}

/// Only what tools look for by name, and the way in, stand at the top.
#[test]
fn the_top_level_stays_small() {
    let wanted: BTreeSet<&str> = [
        ".ci",
        ".clippy.toml",
        ".gitignore",
        ".rustfmt.toml",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "Makefile",
        "README.md",
        "analytics",
        "config",
        "connectors",
        "daemon",
        "dashboards",
        "docs",
        "tests",
    ]
    .into();
    let found: BTreeSet<String> =
        repo::files().iter().filter_map(|f| f.split('/').next()).map(str::to_owned).collect();
    let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, wanted);
}

/// The code map: every crate with its folder, and no path that is not there.
#[test]
fn the_readme_names_every_crate() {
    let readme = repo::text("README.md").expect("README.md is text");
    let manifest: toml::Table = repo::text("Cargo.toml").expect("text").parse().expect("TOML");
    let mut offences = Vec::new();
    for member in manifest["workspace"]["members"].as_array().expect("a list") {
        let folder = member.as_str().expect("a path");
        let crate_toml: toml::Table =
            repo::text(&format!("{folder}/Cargo.toml")).expect("text").parse().expect("TOML");
        let name = crate_toml["package"]["name"].as_str().expect("a name");
        let mentions = [format!("`{folder}`"), format!("`{folder}/`"), format!("]({folder})")];
        if !mentions.iter().any(|m| readme.contains(m)) {
            offences.push(format!("README.md: the code map must name the folder `{folder}`"));
        }
        if !readme.contains(&format!("`{name}`")) {
            offences.push(format!("README.md: the code map must name the crate `{name}`"));
        }
    }
    none(&offences);
}

#[test]
fn the_checkers_see_what_they_should() {
    assert!(has_word("a NOTE here", "NOTE") && !has_word("FOOTNOTES", "NOTE"));
    let body = "    x();\n".repeat(FUNCTION_LINES_MAX - 1);
    let long = format!("pub(crate) async fn long(\n) {{\n{body}}}\n");
    assert_eq!(long_functions(&long), [("long".to_owned(), 1, FUNCTION_LINES_MAX + 2)]);
    assert_eq!(long_functions("fn short() {\n    x();\n}\n"), []);
}
