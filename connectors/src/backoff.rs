//! How long to wait after failures: one second, doubled each time, up to a limit.
//!
//! Must never: give up. A meter that is switched on after a year is read again.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    max: Duration,
}

impl Backoff {
    pub(crate) const fn new(max: Duration) -> Self {
        Self { failures: 0, max }
    }

    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    pub(crate) const fn max(&self) -> Duration {
        self.max
    }

    pub(crate) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Counts a failure and says how long to wait.
    pub(crate) fn fail(&mut self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        FIRST.saturating_mul(doubled).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_begin_again() {
        let mut backoff = Backoff::new(Duration::from_secs(5));
        let waits: Vec<u64> = (0..5).map(|_| backoff.fail().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
        backoff.reset();
        assert_eq!(backoff.fail(), FIRST);
        for _ in 0..100 {
            assert!(backoff.fail() <= Duration::from_secs(5));
        }
    }
}
