//! Seeded randomness: a test that fails prints its seed, and the seed makes it fail again.
//!
//! Must never: draw from the system without printing what was drawn.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Splitmix64 (Steele, Lea, Flood 2014): small, well distributed, and the same everywhere.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// From the variable `TEST_SEED` when it is set, else another one each time. Printed either way.
    #[must_use]
    pub fn printed(what: &str) -> Self {
        let given = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok());
        // A new hasher's key differs from run to run.
        // The hasher's keys are the system's randomness.
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        println!("{what}: TEST_SEED={seed}");
        Self { state: seed }
    }

    /// From a seed that is known.
    #[must_use]
    pub const fn of(seed: u64) -> Self {
        Self { state: seed }
    }

    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `from..to`; `from` when the range is empty.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        let width = to.saturating_sub(from);
        if width == 0 { from } else { from + self.next_u64() % width }
    }
}
