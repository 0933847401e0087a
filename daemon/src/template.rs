//! An installation's own template of documents: read from its folder and tried at the start.
//!
//! Must never: let a template that does not set the sample document come into use.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dashboards::{PICTURE_BYTES_MAX, PICTURES_MAX, TEMPLATE_BYTES_MAX, Template, TemplateError};

/// The template's name in its folder.
const TEMPLATE_FILE: &str = "template.typ";
/// Endings of the pictures that a template may show; other files of the folder are left alone.
const PICTURES: [&str; 3] = ["png", "jpg", "svg"];

/// Why a folder's template cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("cannot read {}: check [reports] template_dir in the installation file, and the file's rights", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the template {} cannot be used; mend it, or take template_dir away", path.display())]
    Template {
        path: PathBuf,
        #[source]
        cause: TemplateError,
    },
}

/// The template of `folder`; the program's own without one.
pub(crate) fn load(folder: Option<&Path>) -> Result<Arc<Template>, FolderError> {
    let Some(folder) = folder else { return Ok(Arc::new(Template::bundled())) };
    let path = folder.join(TEMPLATE_FILE);
    let bytes = read(&path, TEMPLATE_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| FolderError::Read {
        path: path.clone(),
        cause: io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"),
    })?;
    let entries =
        fs::read_dir(folder).map_err(|cause| FolderError::Read { path: folder.to_owned(), cause })?;
    let is_picture = |path: &PathBuf| {
        path.extension().and_then(|e| e.to_str()).is_some_and(|ending| PICTURES.contains(&ending))
    };
    let mut found: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(is_picture).collect();
    found.sort();
    // One over the limit is enough to be refused.
    found.truncate(PICTURES_MAX + 1);
    let mut pictures = Vec::with_capacity(found.len());
    for path in found {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        pictures.push((name, read(&path, PICTURE_BYTES_MAX)?));
    }
    Template::own(&text, pictures).map(Arc::new).map_err(|cause| FolderError::Template { path, cause })
}

/// A file up to one byte over its limit, so that a larger one is seen and not read.
fn read(path: &Path, limit: usize) -> Result<Vec<u8>, FolderError> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes))
        .map_err(|cause| FolderError::Read { path: path.to_owned(), cause })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::installation::chain;

    #[test]
    fn a_folder_is_judged_at_the_start_and_the_error_names_file_and_line() {
        assert!(load(None).is_ok());
        let folder = tempfile::tempdir().unwrap();
        let missing = load(Some(folder.path())).unwrap_err();
        assert!(missing.to_string().contains("template.typ"), "{missing}");
        let file = folder.path().join(TEMPLATE_FILE);
        fs::write(&file, "= Title\n#eval(\"1\")\n").unwrap();
        let refused = chain(&load(Some(folder.path())).unwrap_err());
        assert!(refused.contains("template.typ") && refused.contains("line 2"), "{refused}");
        fs::write(&file, "= Title\n\n#read(\"/etc/hostname\")\n").unwrap();
        let refused = chain(&load(Some(folder.path())).unwrap_err());
        assert!(refused.contains("line 3"), "{refused}");
        let bundled = include_str!("../../dashboards/typeset/src/template.typ");
        fs::write(&file, bundled.replace("luma(20)", "luma(0)")).unwrap();
        fs::write(folder.path().join("notes.txt"), "not a picture").unwrap();
        assert!(load(Some(folder.path())).is_ok());
    }
}
