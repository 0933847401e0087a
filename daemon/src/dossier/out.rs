//! Where a bundle is written to: a folder, or a ZIP file as a stream. Each file is hashed while it passes.
//!
//! Must never: hold a file of readings in memory, or list a file that was not written to its end.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use zip::write::{SimpleFileOptions, StreamWriter};

/// A file that was written: what the index and the manifest say of it.
pub(super) struct Listed {
    pub(super) path: String,
    pub(super) says: String,
    pub(super) bytes: u64,
    sha256: model::Digest,
}

/// What takes the files.
enum Target<'w> {
    Folder { root: PathBuf, file: Option<BufWriter<File>> },
    Zip { archive: Box<zip::ZipWriter<StreamWriter<&'w mut (dyn Write + Send)>>>, stem: String },
}

/// A bundle on its way out.
pub(super) struct Out<'w> {
    target: Target<'w>,
    listed: Vec<Listed>,
    /// The file that is open: its path, hash and bytes so far.
    open: Option<(String, Sha256, u64)>,
}

impl<'w> Out<'w> {
    /// Into a folder.
    pub(super) fn folder(root: PathBuf) -> Self {
        Self { target: Target::Folder { root, file: None }, listed: Vec::new(), open: None }
    }

    /// Into a ZIP file, below a folder of this name in it.
    pub(super) fn zip(writer: &'w mut (dyn Write + Send), stem: String) -> Self {
        let archive = Box::new(zip::ZipWriter::new_stream(writer));
        Self { target: Target::Zip { archive, stem }, listed: Vec::new(), open: None }
    }

    pub(super) fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// Begins a file; the one before must be closed.
    pub(super) fn open(&mut self, path: &str) -> anyhow::Result<()> {
        anyhow::ensure!(self.open.is_none(), "{path} begins before the file before it was closed");
        anyhow::ensure!(
            self.listed.iter().all(|file| file.path != path),
            "two files of the bundle would be called {path}; tell the authors of this program"
        );
        match &mut self.target {
            Target::Folder { root, file } => {
                let path = root.join(path);
                let folder = path.parent().unwrap_or(root);
                let made = fs::create_dir_all(folder).and_then(|()| File::create_new(&path));
                let made = made.with_context(|| {
                    format!("cannot write {}; check free space and rights", path.display())
                })?;
                *file = Some(BufWriter::new(made));
            }
            Target::Zip { archive, stem } => {
                // Entries without a time of their own: 1 January 1980. How long one becomes is not known before.
                let plain = SimpleFileOptions::default()
                    .last_modified_time(zip::DateTime::default())
                    .large_file(true);
                archive.start_file(format!("{stem}/{path}"), plain)?;
            }
        }
        self.open = Some((path.to_owned(), Sha256::new(), 0));
        Ok(())
    }

    /// Adds to the open file.
    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let Some((_, hash, count)) = &mut self.open else { anyhow::bail!("no file of the bundle is open") };
        match &mut self.target {
            Target::Folder { file, .. } => file.as_mut().context("no file is open")?.write_all(bytes)?,
            Target::Zip { archive, .. } => archive.write_all(bytes)?,
        }
        hash.update(bytes);
        *count += bytes.len() as u64;
        Ok(())
    }

    /// Closes the open file and lists it with what the index says of it.
    pub(super) fn close(&mut self, says: String) -> anyhow::Result<()> {
        let (path, hash, bytes) = self.open.take().context("no file of the bundle is open")?;
        if let Target::Folder { file, .. } = &mut self.target
            && let Some(file) = file.take()
        {
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        }
        self.listed.push(Listed { path, says, bytes, sha256: model::Digest(hash.finalize().into()) });
        Ok(())
    }

    /// A whole file.
    pub(super) fn put(&mut self, path: &str, bytes: &[u8], says: String) -> anyhow::Result<()> {
        self.open(path)?;
        self.write(bytes)?;
        self.close(says)
    }

    /// The list of hashes, as `sha256sum -c` reads it, in order of path.
    pub(super) fn manifest(&self) -> String {
        let mut files: Vec<&Listed> = self.listed.iter().collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut text = String::new();
        for file in files {
            // Two blanks: binary or text alike, as sha256sum writes and reads it.
            text.push_str(&format!("{}  {}\n", file.sha256, file.path));
        }
        text
    }

    /// Ends it; how many files it has.
    pub(super) fn finish(self) -> anyhow::Result<usize> {
        if let Target::Zip { archive, .. } = self.target {
            archive.finish()?.into_inner().flush()?;
        }
        Ok(self.listed.len())
    }
}
