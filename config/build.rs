//! Lists the files of `catalog/` so that they are embedded in the binary.
//!
//! Must never: read their content; the loader does that, and says what is wrong.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let home = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let root = home.join("catalog");
    let mut files = Vec::new();
    list(&root, &mut files)?;
    files.sort();
    let mut text = String::from("pub(crate) const FILES: &[(&str, &str)] = &[\n");
    for file in &files {
        let name: Vec<_> =
            file.strip_prefix(&root).unwrap_or(file).iter().map(|part| part.to_string_lossy()).collect();
        let line = writeln!(text, "    ({:?}, include_str!({:?})),", name.join("/"), file);
        line.map_err(io::Error::other)?;
    }
    text.push_str("];\n");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", root.display());
    fs::write(out.join("catalog.rs"), text)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "toml") {
            files.push(path);
        }
    }
    Ok(())
}
