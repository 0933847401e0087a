//! Points in time on the grid of the wall clock, for whoever asks on a schedule.
//!
//! Must never: read a clock.

use std::time::Duration;

use model::Instant;

/// The first point of the grid at or after `from`. The grid begins at the epoch, so that every 60 s is at :00.
pub(crate) fn slot_from(from: Instant, every: Duration) -> Instant {
    let step = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
    let slots = from.millis().div_euclid(step) + i64::from(from.millis().rem_euclid(step) != 0);
    Instant::from_millis(slots.saturating_mul(step))
}

pub(crate) fn after(now: Instant, wait: Duration) -> Instant {
    now.plus_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_that_of_the_wall_clock() {
        let at = |text| Instant::parse_rfc3339(text).unwrap();
        let quarter = Duration::from_secs(900);
        assert_eq!(slot_from(at("2025-03-30T01:00:01Z"), quarter), at("2025-03-30T01:15:00Z"));
        assert_eq!(slot_from(at("2025-03-30T01:15:00Z"), quarter), at("2025-03-30T01:15:00Z"));
    }
}
