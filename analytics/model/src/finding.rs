//! Findings: facts about data or settings that a person may need to act on.
//!
//! Must never: become a panic or only a log line. A finding travels with the value it concerns.

use std::fmt;

/// How much a finding weighs. Ordered: `Note < Caution < Blocks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; the figure stands.
    Note,
    /// The figure stands but is weaker; a person should look.
    Caution,
    /// The figure is withheld until a person acts.
    Blocks,
}

impl Severity {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Caution => "caution",
            Self::Blocks => "blocks",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Note, Self::Caution, Self::Blocks].into_iter().find(|s| s.code() == code)
    }
}

/// A fact about data that a person may need to act on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Stable, dotted: `series.coverage.low`. Never reused for another meaning.
    pub code: &'static str,
    pub severity: Severity,
    /// What it is about: `meter:boiler-1 2025-03`.
    pub subject: String,
    /// One plain English sentence with the numbers in it; lower case, no full stop.
    pub says: String,
    /// The rule or paragraph that asks for it.
    pub rule: &'static str,
    /// Values for the translated sentence in the text catalogue (`finding.<code>`), by name.
    pub values: Vec<(&'static str, String)>,
}

impl Finding {
    #[must_use]
    pub fn new(
        code: &'static str,
        severity: Severity,
        subject: impl Into<String>,
        says: impl Into<String>,
        rule: &'static str,
    ) -> Self {
        Self { code, severity, subject: subject.into(), says: says.into(), rule, values: Vec::new() }
    }

    /// Adds a value for the translated sentence.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.values.push((name, value.to_string()));
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}] {}: {}", self.severity.code(), self.code, self.subject, self.says)
    }
}
