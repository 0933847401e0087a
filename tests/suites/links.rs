//! The documentation's link check: every relative link, anchor and path named in a Markdown file is there.
//!
//! Must never: open the network; addresses of other sites are not visited.

use std::collections::{BTreeMap, BTreeSet};

use tests::repo;

/// What building or running makes: documents may name it though it is not in the repository.
const MADE: [&str; 4] = ["target/", "demo-data/", "data/", "tests/fuzz/artifacts"];

/// One Markdown file's anchors as the usual renderers make them of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for line in prose(text) {
        let level = line.chars().take_while(|c| *c == '#').count();
        if level == 0 || level > 6 || !line[level..].starts_with(' ') {
            continue;
        }
        let slug = slug(line[level..].trim());
        let times = seen.entry(slug.clone()).or_insert(0);
        found.insert(if *times == 0 { slug } else { format!("{slug}-{times}") });
        *times += 1;
    }
    found
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The lines outside code fences.
fn prose(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut kept = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            kept.push(line);
        }
    }
    kept
}

/// The targets of `[text](target)` in a line.
fn links(line: &str) -> Vec<&str> {
    line.match_indices("](")
        .filter_map(|(at, _)| line[at + 2..].split_once(')'))
        .map(|(target, _)| target.split_whitespace().next().unwrap_or(target))
        .collect()
}

/// Code spans that are plainly paths of this repository: `folder/…` with a folder of the top level.
fn named_paths<'a>(line: &'a str, top: &BTreeSet<String>) -> Vec<&'a str> {
    line.split('`')
        .skip(1)
        .step_by(2)
        .filter(|span| span.contains('/') && !span.contains([' ', '*', '<', '{', '…', ':', '|', '$']))
        .filter(|span| span.split('/').next().is_some_and(|first| top.contains(first)))
        .collect()
}

/// `target` seen from the folder of `file`, with `..` resolved; `None` when it leaves the repository.
fn resolve(file: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn exists(path: &str) -> bool {
    repo::root().join(path).exists() || MADE.iter().any(|made| path.starts_with(made))
}

fn offences_of(file: &str, text: &str, top: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        for link in links(line) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            // A link within the page needs no file but the one at hand.
            let path = if target.is_empty() {
                Some(file.to_owned())
            } else {
                resolve(file, target).filter(|p| exists(p))
            };
            let Some(path) = path else {
                found.push(format!("{file}: the link `{link}` leads nowhere"));
                continue;
            };
            if !anchor.is_empty() && path.ends_with(".md") {
                let there =
                    if target.is_empty() { text.to_owned() } else { repo::text(&path).unwrap_or_default() };
                if !anchors(&there).contains(anchor) {
                    found.push(format!("{file}: `{path}` has no heading `#{anchor}`"));
                }
            }
        }
        for path in named_paths(line, top) {
            if !exists(path.trim_end_matches('/')) {
                found.push(format!("{file}: the path `{path}` is named but not there"));
            }
        }
    }
    found
}

fn top_level() -> BTreeSet<String> {
    repo::files().iter().filter_map(|f| f.split_once('/')).map(|(first, _)| first.to_owned()).collect()
}

#[test]
fn every_link_and_path_in_the_documentation_leads_somewhere() {
    let top = top_level();
    let documents = repo::files_ending("md");
    assert!(documents.iter().any(|d| d == "README.md"), "README.md is missing");
    let offences: Vec<String> = documents
        .iter()
        .flat_map(|file| offences_of(file, &repo::text(file).expect("Markdown is UTF-8"), &top))
        .collect();
    assert!(offences.is_empty(), "{} dead ends:\n{}", offences.len(), offences.join("\n"));
}

/// Every page of the documentation can be reached from its index.
#[test]
fn the_index_lists_every_page() {
    let index = repo::text("docs/README.md").expect("docs/README.md is text");
    for page in repo::files_ending("md").iter().filter_map(|f| f.strip_prefix("docs/")) {
        if page != "README.md" && !page.contains('/') {
            assert!(index.contains(&format!("({page})")), "docs/README.md does not list {page}");
        }
    }
}

#[test]
fn the_checker_sees_dead_ends() {
    let top: BTreeSet<String> = ["docs".to_owned(), "tests".to_owned()].into();
    let text = "# One two\n[a](#one-two) [b](#three) [c](../docs/absent.md) `tests/absent.rs` `cargo test/x`\n\
                ```\n[d](nowhere.md)\n```\n[e](https://example.org/x) `target/debug` `docs/*.md`\n";
    assert_eq!(
        offences_of("docs/x.md", text, &top),
        [
            "docs/x.md: `docs/x.md` has no heading `#three`",
            "docs/x.md: the link `../docs/absent.md` leads nowhere",
            "docs/x.md: the path `tests/absent.rs` is named but not there",
        ]
    );
    assert_eq!(resolve("a.md", "../b"), None);
    assert_eq!(slug("Exit codes, `2`"), "exit-codes-2");
}
