//! Where a figure comes from: enough to compute it again and get the same bytes.
//!
//! Must never: hold the figure itself.

use std::fmt;

use crate::time::Instant;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Sixty-four lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|b| format!("{b:02x}")).collect()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.hex())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// The inputs behind a project's figures of one year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// How many readings, bills and daily temperatures were used.
    pub readings: u64,
    pub bills: u64,
    pub temperatures: u64,
    pub first_reading_at: Option<Instant>,
    pub last_reading_at: Option<Instant>,
    /// Digest of the inputs as used: months of each meter, bills, temperatures, project.
    pub inputs: Digest,
    /// Digest of the catalogue files used: scheme and factor set.
    pub catalog: Digest,
    /// Version of the computing rules; changes whenever the same inputs may give another figure.
    pub rules: &'static str,
}
