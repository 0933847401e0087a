//! How long to wait after failures: doubled each time, with jitter, up to a limit.
//!
//! Must never: give up, or let several daemons come back at the same instant.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// The first wait, on average.
const FIRST: Duration = Duration::from_secs(1);
/// Longest that an engine's own wish is followed.
const ASKED_MAX: Duration = Duration::from_secs(3_600);

/// Waits after failures in a row.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    max: Duration,
}

impl Backoff {
    pub(super) const fn new(max: Duration) -> Self {
        Self { failures: 0, max }
    }

    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure and says how long to wait: half to one and a half times the doubled wait, and at least what
    /// the engine asked for.
    pub(super) fn fail(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.failures.min(20))).min(self.max);
        self.failures = self.failures.saturating_add(1);
        // A new hasher's keys are random: enough to keep daemons apart.
        let random = RandomState::new().build_hasher().finish() % 1_000;
        let jittered = doubled.mul_f64(0.5 + random as f64 / 1_000.0);
        jittered.max(asked.unwrap_or_default().min(ASKED_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_jitter_and_obey_the_engine() {
        let mut backoff = Backoff::new(Duration::from_secs(60));
        for n in 0..100_u32 {
            let mean = f64::from(2_u32.saturating_pow(n.min(20))).min(60.0);
            let wait = backoff.fail(None).as_secs_f64();
            assert!(mean * 0.5 <= wait && wait <= mean * 1.5, "{n}: {wait}");
        }
        assert!(Duration::from_secs(600) <= backoff.fail(Some(Duration::from_secs(600))));
        assert!(backoff.fail(Some(Duration::from_secs(1 << 40))) <= ASKED_MAX);
        backoff.reset();
        assert!(backoff.fail(None) <= Duration::from_millis(1_500));
    }
}
