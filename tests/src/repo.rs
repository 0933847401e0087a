//! The repository as files: where it is and what is in it.
//!
//! Must never: look at what building made (`target`, `node_modules`, demonstration data).

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing written by a person.
const MADE: [&str; 10] = [
    "target",
    "node_modules",
    "demo-data",
    "bench-data",
    "data",
    ".git",
    ".venv",
    "__pycache__",
    // What fuzzing finds and begins with.
    "artifacts",
    "corpus",
];

/// Most files the repository may have before the walk is surely somewhere else.
const FILES_MAX: usize = 5_000;

/// The root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path
}

/// Every file a person wrote, relative to the root, with `/` between folders, sorted.
///
/// # Panics
/// When a folder cannot be read or there are more than `FILES_MAX` files.
#[must_use]
pub fn files() -> Vec<String> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .unwrap_or_else(|e| panic!("the folder {} cannot be read: {e}", folder.display()));
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                // `data` at the root is an installation's; `tests/data` is ours.
                let made = MADE.contains(&name.as_str()) && (name != "data" || folder == root);
                if !made {
                    folders.push(path);
                }
            } else if let Ok(inside) = path.strip_prefix(&root) {
                found.push(inside.to_string_lossy().replace('\\', "/"));
            }
        }
        assert!(found.len() <= FILES_MAX, "more than {FILES_MAX} files under {}", root.display());
    }
    found.sort();
    found
}

/// The files whose name ends with `.{extension}`.
#[must_use]
pub fn files_ending(extension: &str) -> Vec<String> {
    files().into_iter().filter(|f| Path::new(f).extension().is_some_and(|e| e == extension)).collect()
}

/// A file's text; `None` for what is not UTF-8.
///
/// # Panics
/// When the file cannot be read at all.
#[must_use]
pub fn text(file: &str) -> Option<String> {
    let path = root().join(file);
    let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{} cannot be read: {e}", path.display()));
    String::from_utf8(bytes).ok()
}
