//! Money as whole cents.
//!
//! Must never: hold a fraction of a cent or a rate.

use std::fmt;

/// An amount in euro, kept in cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Euro {
    pub cents: i64,
}

impl Euro {
    #[must_use]
    pub fn from_euros(euros: i64) -> Self {
        Self { cents: euros.saturating_mul(100) }
    }

    /// The amount in euro as a real number, for ratios.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.cents as f64 / 100.0
    }
}

impl fmt::Display for Euro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.cents < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:02}", self.cents.unsigned_abs() / 100, self.cents.unsigned_abs() % 100)
    }
}
