//! The folder of written reports: `<project>/<year>/<file>`, written aside and renamed, listed with hashes.
//!
//! Must never: leave half a file under its final name, or open a path that a reader made up.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use dashboards::RenderedFile;
use dashboards::backend::{ReportFile, ReportListing};
use model::ProjectId;
use sha2::{Digest, Sha256};

/// Most files listed of one folder.
const FILES_MAX: usize = 1_000;
/// Bytes of a file in memory at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Where the files of one project and year stand below `root`.
pub(crate) fn folder(root: &Path, project: &ProjectId, year: i32) -> PathBuf {
    root.join(project.as_str()).join(year.to_string())
}

/// Writes every file below `dir`, each one whole or not at all.
pub(crate) fn write_all(dir: &Path, files: &[RenderedFile]) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).with_context(|| {
        format!("cannot create the folder {}; check its parent and rights", dir.display())
    })?;
    files.iter().map(|file| write_whole(dir, &file.name, &file.bytes)).collect()
}

fn write_whole(dir: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
    let path = dir.join(name);
    let aside = dir.join(format!(".{name}.part"));
    let written = (|| -> io::Result<()> {
        let mut file = File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, &path)?;
        // The rename itself is durable only when the folder is.
        File::open(dir)?.sync_all()
    })();
    if written.is_err()
        && aside.exists()
        && let Err(error) = fs::remove_file(&aside)
    {
        tracing::warn!(path = %aside.display(), %error, "a part of a report could not be removed");
    }
    written.with_context(|| format!("cannot write {}; check free space and rights", path.display()))?;
    Ok(path)
}

/// The reports of a project, newest year first.
pub(crate) fn list(root: &Path, project: &ProjectId) -> Vec<ReportListing> {
    let Ok(entries) = fs::read_dir(root.join(project.as_str())) else { return Vec::new() };
    let mut years: Vec<i32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    years.sort_unstable_by(|a, b| b.cmp(a));
    years
        .into_iter()
        .map(|year| ReportListing { year, files: list_files(&folder(root, project, year)) })
        .filter(|listing| !listing.files.is_empty())
        .collect()
}

fn list_files(dir: &Path) -> Vec<ReportFile> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<ReportFile> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().to_str()?.to_owned();
            if name.starts_with('.') || !entry.file_type().ok()?.is_file() {
                return None;
            }
            let (bytes, sha256) = hashed(&entry.path()).ok()?;
            Some(ReportFile { name, bytes, sha256: sha256.hex() })
        })
        .take(FILES_MAX)
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// Length and hash of a file, read piece by piece.
fn hashed(path: &Path) -> io::Result<(u64, model::Digest)> {
    let mut file = File::open(path)?;
    let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE_BYTES]);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok((bytes, model::Digest(hash.finalize().into())));
        }
        hash.update(&piece[..read]);
        bytes += read as u64;
    }
}

/// The path of a listed file; `None` for any other name.
pub(crate) fn find(root: &Path, project: &ProjectId, year: i32, name: &str) -> Option<PathBuf> {
    let dir = folder(root, project, year);
    let is_file = |entry: fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
    let listed = |entry: fs::DirEntry| entry.file_name() == name && !name.starts_with('.') && is_file(entry);
    fs::read_dir(&dir).ok()?.filter_map(Result::ok).any(listed).then(|| dir.join(name))
}

pub(crate) fn sha256(bytes: &[u8]) -> model::Digest {
    model::Digest(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_with_their_hash_and_only_listed_names_are_found() {
        let root = tempfile::tempdir().unwrap();
        let project = ProjectId::new("p").unwrap();
        let dir = folder(root.path(), &project, 2025);
        let file = RenderedFile { name: "a.csv".to_owned(), bytes: b"abc".to_vec(), mime: "text/csv" };
        write_all(&dir, std::slice::from_ref(&file)).unwrap();
        write_all(&dir, &[file]).unwrap();
        let listed = list(root.path(), &project);
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].files[0].bytes, 3);
        assert_eq!(
            listed[0].files[0].sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(find(root.path(), &project, 2025, "a.csv").is_some());
        assert_eq!(find(root.path(), &project, 2025, "../2025/a.csv"), None);
        assert_eq!(find(root.path(), &project, 2024, "a.csv"), None);
    }
}
