//! Why a file of settings, of a project or of the catalogue cannot be used.
//!
//! Must never: hide one problem behind another; every problem of a file is listed.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::reader::Problem;

/// Why a file cannot be used.
#[derive(Debug)]
pub enum ConfigError {
    /// It could not be read.
    Read { path: PathBuf, source: io::Error },
    /// It is larger than any such file may be.
    TooLarge { path: PathBuf, bytes_max: u64 },
    /// It is not UTF-8 text.
    NotText { path: PathBuf },
    /// It was read and is wrong; in order of the file, never empty.
    Problems { path: PathBuf, problems: Vec<Problem> },
}

impl ConfigError {
    /// The problems of the file's content; empty when it could not even be read.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Problems { problems, .. } => problems,
            Self::Read { .. } | Self::TooLarge { .. } | Self::NotText { .. } => &[],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, .. } => {
                write!(f, "cannot read {}; check that the file exists and may be read", path.display())
            }
            Self::TooLarge { path, bytes_max } => {
                write!(f, "{} is larger than {bytes_max} bytes; is it the right file?", path.display())
            }
            Self::NotText { path } => {
                write!(f, "{} is not UTF-8 text; save it as UTF-8", path.display())
            }
            Self::Problems { path, problems } => {
                let (count, noun) =
                    (problems.len(), if problems.len() == 1 { "problem" } else { "problems" });
                write!(f, "{count} {noun} in {}", path.display())?;
                for problem in problems {
                    write!(f, "\n  {}:{}: ", path.display(), problem.line)?;
                    if !problem.key.is_empty() {
                        write!(f, "`{}`: ", problem.key)?;
                    }
                    write!(f, "{}; {}", problem.says, problem.next)?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::TooLarge { .. } | Self::NotText { .. } | Self::Problems { .. } => None,
        }
    }
}

/// Reads a text file of at most `bytes_max` bytes.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes_max < bytes.len() as u64 {
        return Err(ConfigError::TooLarge { path: path.to_owned(), bytes_max });
    }
    String::from_utf8(bytes).map_err(|_| ConfigError::NotText { path: path.to_owned() })
}
