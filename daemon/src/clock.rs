//! The one place where the time of day is read.
//!
//! Must never: be bypassed. Everything else takes the time as an argument or a [`connectors::Clock`].

use std::time::{SystemTime, UNIX_EPOCH};

use model::Instant;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

impl connectors::Clock for SystemClock {
    fn now(&self) -> Instant {
        now()
    }
}

/// The time of day by the machine's clock; 1970 if the clock stands before that.
#[expect(clippy::disallowed_methods, reason = "this is the wrapper that everything else must use")]
pub(crate) fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The machine's clock moved by a fixed span, for a demonstration that takes place on another day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShiftedClock {
    by_millis: i64,
}

impl ShiftedClock {
    /// A clock that shows `start` now and goes on from there.
    pub(crate) fn starting_at(start: Instant) -> Self {
        Self { by_millis: start.millis() - now().millis() }
    }
}

impl connectors::Clock for ShiftedClock {
    fn now(&self) -> Instant {
        now().plus_millis(self.by_millis)
    }
}
