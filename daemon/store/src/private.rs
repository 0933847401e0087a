//! Files and folders for their owner alone: readings, people's records and hashes of passwords are nobody else's.
//!
//! Must never: change the mode of what a person made, or follow the process's mask where it allows more.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// A builder of folders that only their owner enters; those on the way to it too.
pub(crate) fn folders() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Options that make a file for its owner; what they open besides is the caller's.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// As `fs::create_dir_all`, for the owner.
pub(crate) fn create_dir_all(folder: &Path) -> io::Result<()> {
    folders().create(folder)
}

/// As `File::create`, for the owner; one that is there keeps its mode and loses its content.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    options().write(true).create(true).truncate(true).open(path)
}
