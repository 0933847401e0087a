//! What can go wrong with an engine, said to the person who can put it right.
//!
//! Must never: hold a token, or leave open whether the same may be tried again.

use std::time::Duration;

use super::answer::NamedLine;
use crate::error::StoreError;

/// A failure of an engine. Nothing, or a part, of what was asked was done.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("failed to reach the engine at {address}; check that it runs and that `address` is right")]
    Unreachable {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the connection to the engine at {address} broke; it is tried again")]
    Broken {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the engine at {address} did not answer within {timeout_s} s; it is tried again")]
    Timeout { address: String, timeout_s: u64 },
    #[error("no certificates to trust in {place}; name a PEM file as `ca_file`")]
    Certificates { place: String },
    #[error("the token cannot be read from {from}; write it there, on one line")]
    Token {
        from: String,
        #[source]
        source: Option<std::io::Error>,
    },
    #[error(
        "the engine at {address} does not let us in (status {status}{says}); check the token and what it may do"
    )]
    Forbidden { address: String, status: u16, says: String },
    #[error(
        "the engine at {address} has no such place (status {status}{says}); check address, organisation and bucket"
    )]
    NoSuchPlace { address: String, status: u16, says: String },
    #[error("the engine at {address} found the body too large; smaller ones are tried")]
    TooLarge { address: String },
    #[error("the engine at {address} is too busy (status {status}{says}); it is tried again")]
    Busy { address: String, status: u16, says: String, after: Option<Duration> },
    #[error("the engine at {address} refused what was written (status {status}): {says}")]
    Refused {
        address: String,
        status: u16,
        says: String,
        /// Lines that it names.
        lines: Vec<NamedLine>,
    },
    #[error("the engine at {address} refuses everything, last with: {says}; check its settings")]
    RefusesAll { address: String, says: String },
    #[error(
        "the engine at {address} answered what was not asked: {says}; check that `address` is that of the engine"
    )]
    Answer { address: String, says: String },
    #[error("the engine at {address} answered more than {most} bytes; ask for a shorter time")]
    AnswerTooLarge { address: String, most: usize },
    #[error("this engine cannot {attempt}; it is not tried again")]
    Unable { attempt: &'static str },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<tokio::task::JoinError> for EngineError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Broken { address: "the journal".to_owned(), source: Box::new(error) }
    }
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same again after a while, and not before what the engine asked for.
    Later(Option<Duration>),
    /// In smaller parts, at once.
    Smaller,
    /// Something in it will never be taken: find out what.
    Isolate,
    /// A person must change something first; the same again now and then.
    Hold,
}

impl EngineError {
    /// What to do after it.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Timeout { .. } => Retry::Later(None),
            Self::Busy { after, .. } => Retry::Later(*after),
            Self::TooLarge { .. } | Self::AnswerTooLarge { .. } => Retry::Smaller,
            Self::Refused { .. } => Retry::Isolate,
            Self::Store(error) if error.is_retryable() => Retry::Later(None),
            Self::Certificates { .. }
            | Self::Token { .. }
            | Self::Forbidden { .. }
            | Self::NoSuchPlace { .. }
            | Self::RefusesAll { .. }
            | Self::Answer { .. }
            | Self::Unable { .. }
            | Self::Store(_) => Retry::Hold,
        }
    }

    /// The code of the finding that tells of it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Timeout { .. } => "engine.unreachable",
            Self::Busy { .. } => "engine.busy",
            Self::Certificates { .. } | Self::Token { .. } | Self::Forbidden { .. } => "engine.forbidden",
            Self::NoSuchPlace { .. } => "engine.place",
            Self::TooLarge { .. }
            | Self::AnswerTooLarge { .. }
            | Self::Refused { .. }
            | Self::RefusesAll { .. }
            | Self::Answer { .. }
            | Self::Unable { .. }
            | Self::Store(_) => "engine.refuses",
        }
    }
}

/// What a server said, for an error's sentence: one line, cut, without control characters; empty or with `: ` before.
pub(super) fn said(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    match plain.trim() {
        "" => String::new(),
        plain => format!(": {plain}"),
    }
}
