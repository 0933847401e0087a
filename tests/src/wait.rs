//! Waiting for something to become true, instead of sleeping and hoping.
//!
//! Must never: wait without a limit, or say only that time was up.

use std::time::{Duration, Instant};

/// Between two looks. Short beside every limit used here, long beside a system call.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until `probe` gives a value.
///
/// # Panics
/// When `limit` is over; the message names what was awaited and what was seen last.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        let seen = match probe() {
            Ok(value) => return value,
            Err(seen) => seen,
        };
        assert!(begun.elapsed() < limit, "{what} did not come within {limit:?}; last seen: {seen}");
        std::thread::sleep(LOOK_EVERY);
    }
}
