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

    /// Reads what [`Self::hex`] writes.
    #[must_use]
    pub fn parse_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
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
