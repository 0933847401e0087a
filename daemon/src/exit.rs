//! Exit codes of the binary, documented in `docs/exit-codes.md`.
//!
//! Must never: change the meaning of a number once released.

use std::process::ExitCode;

/// A code with the name used in the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    pub(crate) const OK: Self = Self(0);
    /// Something failed that fits no other code; the message says what.
    pub(crate) const FAILURE: Self = Self(1);
    // 2 is clap's own code for a wrong command line.
    /// `check` found something that must be mended first.
    pub(crate) const CHECK: Self = Self(3);
    /// `probe` or `scan` got no usable answer.
    pub(crate) const UNREACHABLE: Self = Self(4);
    /// Another daemon holds the data directory.
    pub(crate) const BUSY: Self = Self(5);
    /// A file, or the name of something, given by the user cannot be used as it is.
    pub(crate) const BAD_INPUT: Self = Self(6);
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// A failure of a command: what to print and with which code to leave.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
    /// Names the sentence that pages show for it (`page.desk.refused.<code>`), where there is one.
    pub(crate) code: Option<&'static str>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), code: None }
    }

    /// The same with the name of its sentence.
    pub(crate) fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    pub(crate) fn bad_input(message: impl Into<String>) -> Self {
        Self { exit: Exit::BAD_INPUT, error: anyhow::Error::msg(message.into()), code: None }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { exit: Exit::FAILURE, error, code: None }
    }
}

impl From<store::engine::EngineError> for Failure {
    fn from(error: store::engine::EngineError) -> Self {
        Self { exit: Exit::FAILURE, error: error.into(), code: None }
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        let exit = match &error {
            store::StoreError::InUse { .. } => Exit::BUSY,
            // What the caller gave; the same will be refused again.
            store::StoreError::Refused { .. } => Exit::BAD_INPUT,
            _ => Exit::FAILURE,
        };
        Self { exit, error: error.into(), code: None }
    }
}
