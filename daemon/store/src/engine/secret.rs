//! A token: read from a file or an environment variable, sent in one header, and shown nowhere.
//!
//! Must never: stand in a settings file, an error, a log, or the output of `Debug`.

use std::fmt;
use std::path::PathBuf;

use super::error::EngineError;

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;

/// Where a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    File(PathBuf),
    Environment(String),
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// A token in memory.
#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    /// Reads it; it may have changed since the last time.
    pub(super) fn read(source: &TokenSource) -> Result<Self, EngineError> {
        let unread = |source_error| EngineError::Token { from: source.to_string(), source: source_error };
        let text = match source {
            TokenSource::File(path) => std::fs::read_to_string(path).map_err(|e| unread(Some(e)))?,
            TokenSource::Environment(name) => std::env::var(name).map_err(|_| unread(None))?,
        };
        let token = text.trim();
        let is_plain = token.bytes().all(|b| b.is_ascii_graphic());
        if token.is_empty() || TOKEN_BYTES_MAX < token.len() || !is_plain {
            return Err(unread(None));
        }
        Ok(Self(token.to_owned()))
    }

    /// The value of the Authorization header.
    pub(super) fn header(&self, scheme: &str) -> String {
        format!("{scheme} {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_trimmed_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let source = TokenSource::File(path.clone());
        std::fs::write(&path, "s3cret==\n").unwrap();
        let token = Token::read(&source).unwrap();
        assert_eq!(token.header("Token"), "Token s3cret==");
        assert_eq!(format!("{token:?} {source}"), format!("Token(…) the file {}", path.display()));
        for wrong in ["", "\n", "two words", "line\nbreak"] {
            std::fs::write(&path, wrong).unwrap();
            let error = Token::read(&source).unwrap_err();
            assert!(matches!(error, EngineError::Token { .. }) && !error.to_string().contains("two"));
        }
        assert!(Token::read(&TokenSource::Environment("CONSUNTIVO_NO_SUCH_TOKEN".to_owned())).is_err());
    }
}
