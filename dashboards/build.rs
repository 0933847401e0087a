//! Bundles scripts, styles and fonts of `web` with npm and esbuild into `OUT_DIR`, and writes the table by which
//! `src/assets.rs` embeds them.
//!
//! Must never: write into the source tree, or install another version than the lock file names.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is copied beside the installed packages.
const INPUTS: [&str; 3] = ["package.json", "package-lock.json", "build.mjs"];

fn main() {
    for input in ["build.rs", "templates", "web/src"] {
        println!("cargo:rerun-if-changed={input}");
    }
    for input in INPUTS {
        println!("cargo:rerun-if-changed=web/{input}");
    }
    if let Err(why) = bundle() {
        println!("cargo::error=the pages' scripts and styles could not be bundled: {why}");
        std::process::exit(1);
    }
}

fn bundle() -> Result<(), String> {
    let variable = |name: &str| std::env::var(name).map(PathBuf::from).map_err(|e| format!("{name}: {e}"));
    let source = variable("CARGO_MANIFEST_DIR")?;
    let out = variable("OUT_DIR")?;
    let web = out.join("web");
    copy(&source.join("web/src"), &web.join("src"))?;
    for input in INPUTS {
        place(&source.join("web").join(input), &web.join(input))?;
    }
    install(&web)?;
    let dist = out.join("dist");
    let mut node = Command::new("node");
    node.arg("build.mjs").arg(source.join("templates")).arg(&dist).current_dir(&web);
    run(&mut node, "node build.mjs")?;
    let manifest = dist.join("manifest.txt");
    let list = fs::read_to_string(&manifest).map_err(|e| format!("{}: {e}", manifest.display()))?;
    let table = out.join("assets_table.rs");
    fs::write(&table, rust_table(&list)?).map_err(|e| format!("{}: {e}", table.display()))
}

/// Installs what the lock file names, once for each lock file.
fn install(web: &Path) -> Result<(), String> {
    let lock = fs::read(web.join("package-lock.json")).map_err(|e| format!("package-lock.json: {e}"))?;
    let stamp = web.join("installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(web);
    run(&mut npm, "npm ci --ignore-scripts")?;
    fs::write(&stamp, lock).map_err(|e| format!("{}: {e}", stamp.display()))
}

fn run(command: &mut Command, name: &str) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " | ");
            Err(format!("`{name}` ended with {}: {said}", output.status))
        }
        Err(error) => Err(format!(
            "`{name}` cannot be run ({error}); install Node.js 20 or newer with npm and put both on PATH"
        )),
    }
}

/// The folder's files, without those that are no longer there.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let fault = |e: std::io::Error| format!("{}: {e}", from.display());
    if to.exists() {
        fs::remove_dir_all(to).map_err(fault)?;
    }
    fs::create_dir_all(to).map_err(fault)?;
    for entry in fs::read_dir(from).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        place(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn place(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(|_| ()).map_err(|e| format!("{}: {e}", from.display()))
}

/// The manifest as a Rust slice of `Asset`.
fn rust_table(manifest: &str) -> Result<String, String> {
    let mut table = String::from("&[\n");
    for line in manifest.lines() {
        let [role, name, media_type] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("manifest.txt has a line that is none: {line:?}"));
        };
        let body = |end: &str| format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/dist/{name}{end}\"))");
        let _infallible = writeln!(
            table,
            "Asset {{ role: {role:?}, name: {name:?}, media_type: {media_type:?}, body: {}, gzip: {}, brotli: {} }},",
            body(""),
            body(".gz"),
            body(".br")
        );
    }
    table.push_str("]\n");
    Ok(table)
}
