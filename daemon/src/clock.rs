//! The one place where the time of day is read.
//!
//! Must never: be bypassed. Everything else takes the time as an argument or a [`connectors::Clock`].

use std::time::{SystemTime, UNIX_EPOCH};

use model::{Finding, Instant, Severity};
use tokio::time::Instant as Ticks;

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

/// How far a clock may be from what passed since it was looked at, in milliseconds, before it was set: a minute, so that
/// neither a busy machine nor a clock that is drawn right slowly is told of.
const JUMP_MILLIS: i64 = 60_000;
/// How long a jump is told after the last instant that it concerns, in milliseconds: a day, as long as counters remember
/// a range of totals that they left.
const TOLD_MILLIS: i64 = 86_400_000;
/// What stands for a clock that was set forward, and for one that was set back.
pub(crate) const JUMPS: [&str; 2] = ["clock.ahead", "clock.back"];
/// The subject of findings about the machine's clock.
pub(crate) const CLOCK: &str = "clock";

/// Looks whether the clock goes as time passes.
#[derive(Debug, Default)]
pub(crate) struct Jumps {
    last: Option<(Instant, Ticks)>,
    /// What the clock said when it had last gone ahead: from there on readings may be stamped too late.
    ahead: Option<Instant>,
    /// Until when jumps are told.
    until: Option<Instant>,
}

impl Jumps {
    /// Whether the clock was set since the last look. Asked often: two jumps between two looks may pass for none.
    pub(crate) fn look(&mut self, says: Instant, now: Ticks) -> Option<Finding> {
        let (said, then) = self.last.replace((says, now))?;
        let passed = i64::try_from(now.duration_since(then).as_millis()).unwrap_or(i64::MAX);
        let due = said.plus_millis(passed);
        let moved = says.millis() - due.millis();
        if moved.abs() <= JUMP_MILLIS {
            return None;
        }
        self.until = self.until.max(Some(says.max(due).plus_millis(TOLD_MILLIS)));
        let seconds = moved.abs() / 1_000;
        let finding = |code, text: String| {
            let rule = "a reading stands where the clock said it was made; none is counted twice";
            Finding::new(code, Severity::Caution, CLOCK, text, rule)
                .with("from", due)
                .with("to", says)
                .with("seconds", seconds)
        };
        let [ahead, back] = JUMPS;
        if 0 < moved {
            self.ahead = Some(says);
            let text = format!(
                "the clock of this machine went ahead by {seconds} s, from {due} to {says}; if it was right before, \
                 readings are stamped too late until it is set back"
            );
            return Some(finding(ahead, text));
        }
        let since = self.ahead.take().filter(|since| says < *since && *since <= due).unwrap_or(says);
        let text = format!(
            "the clock of this machine went back by {seconds} s, from {due} to {says}; readings stamped from {since} to \
             {due} may have been made earlier than they say"
        );
        Some(finding(back, text).with("since", since))
    }

    /// Whether what was told is over.
    pub(crate) fn over(&mut self, says: Instant) -> bool {
        self.until.take_if(|until| *until < says).is_some()
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_clock_that_was_set_is_told_with_its_instants() {
        let mut jumps = Jumps::default();
        let mut now = Ticks::now();
        let mut look = |says: &str| {
            now += Duration::from_secs(1);
            let found = jumps.look(at(says), now);
            let over = jumps.over(at(says));
            found.map(|f| (f.code, f.values)).or(over.then_some(("over", Vec::new())))
        };
        let values = |list: &[(&'static str, &str)]| {
            list.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<Vec<_>>()
        };
        for quiet in
            ["2025-06-01T10:00:00Z", "2025-06-01T10:00:01Z", "2025-06-01T10:00:40Z", "2025-06-01T10:00:03Z"]
        {
            assert_eq!(look(quiet), None, "{quiet}");
        }
        let went =
            values(&[("from", "2025-06-01T10:00:04Z"), ("to", "2025-06-01T13:00:04Z"), ("seconds", "10800")]);
        assert_eq!(look("2025-06-01T13:00:04Z"), Some(("clock.ahead", went)));
        assert_eq!(look("2025-06-01T13:00:05Z"), None);
        let came = values(&[
            ("from", "2025-06-01T13:00:06Z"),
            ("to", "2025-06-01T10:00:06Z"),
            ("seconds", "10800"),
            ("since", "2025-06-01T13:00:04Z"),
        ]);
        assert_eq!(look("2025-06-01T10:00:06Z"), Some(("clock.back", came)));
        // Of a clock that was wrong from the start nobody knows since when.
        let alone = look("2025-06-01T08:00:07Z").unwrap();
        assert_eq!(alone.1.last(), Some(&("since", "2025-06-01T08:00:07Z".to_owned())));
        assert_eq!(look("2025-06-01T08:00:08Z"), None);
        // Told until a day after the last instant that it concerns, however the clock comes there.
        let later = look("2025-06-02T10:00:08Z");
        assert_eq!(later.map(|l| l.0), Some("clock.ahead"));
        assert_eq!(look("2025-06-03T10:00:10Z").map(|l| l.0), Some("clock.ahead"));
    }

    #[test]
    fn what_was_told_is_over_after_a_day() {
        let mut jumps = Jumps::default();
        assert!(jumps.look(at("2025-06-01T10:00:00Z"), Ticks::now()).is_none());
        assert!(jumps.look(at("2025-06-01T08:00:00Z"), Ticks::now()).is_some());
        assert!(!jumps.over(at("2025-06-02T10:00:00Z")));
        assert!(jumps.over(at("2025-06-02T10:00:01Z")));
        assert!(!jumps.over(at("2025-06-03T10:00:01Z")));
    }
}
