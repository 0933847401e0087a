//! Answers that may still come: requests on a line without transaction ids that were given up after a time-out.
//!
//! Must never: forget an answer that may still come because a connection was opened anew; a gateway passes what
//! the line brings to whoever is connected.
//!
//! The rule that hangs on it: **a device is never asked a question whose answer could be taken for one that is
//! still owed.** A device answers in the order in which it was asked, so the answer to a question of another shape
//! proves that nothing older can come any more.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant as Tick;

use super::ask::Shape;

/// An answer is expected for so long after the request was given up. Gateways give up on their devices sooner.
pub(super) const OWED_FOR: Duration = Duration::from_secs(60);
/// Answers one device may owe. With more, it is not asked until the oldest is out of date.
const OWED_MAX: usize = 16;

#[derive(Debug, Clone, Copy)]
struct Debt {
    shape: Shape,
    until: Tick,
}

/// What every device of a line owes, oldest first.
#[derive(Debug, Default)]
pub(super) struct Owed {
    debts: BTreeMap<u8, VecDeque<Debt>>,
}

impl Owed {
    /// Whether a question of this shape must not be asked now.
    pub(super) fn forbids(&mut self, unit: u8, shape: Shape, now: Tick) -> bool {
        let Some(debts) = self.debts.get_mut(&unit) else { return false };
        debts.retain(|debt| now < debt.until);
        debts.len() >= OWED_MAX || debts.iter().any(|debt| debt.shape == shape)
    }

    /// Notes a request that was given up.
    pub(super) fn add(&mut self, unit: u8, shape: Shape, now: Tick) {
        self.debts.entry(unit).or_default().push_back(Debt { shape, until: now + OWED_FOR });
    }

    /// Notes an answer that came late: it and all older ones cannot come any more. False when none is owed.
    pub(super) fn paid(&mut self, unit: u8, shape: Shape) -> bool {
        self.pay(unit, |debt| debt.shape == shape)
    }

    /// Notes a refusal: it may have been meant for the oldest question of the function. False when none is owed.
    pub(super) fn refused(&mut self, unit: u8, function: u8) -> bool {
        self.pay(unit, |debt| debt.shape.function == function)
    }

    /// Whether an answer of the function is owed. A gateway that says it gave up on its device settles nothing: the
    /// device's answer may follow.
    pub(super) fn owes(&self, unit: u8, function: u8) -> bool {
        self.debts.get(&unit).is_some_and(|debts| debts.iter().any(|debt| debt.shape.function == function))
    }

    fn pay(&mut self, unit: u8, meant: impl Fn(&Debt) -> bool) -> bool {
        let Some(debts) = self.debts.get_mut(&unit) else { return false };
        let Some(index) = debts.iter().position(meant) else { return false };
        debts.drain(..=index);
        true
    }

    /// Notes an answer to the newest question.
    pub(super) fn clear(&mut self, unit: u8) {
        self.debts.remove(&unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_question_waits_until_its_like_can_no_longer_be_answered() {
        let (a, b) = (Shape { function: 4, bytes: Some(4) }, Shape { function: 4, bytes: Some(8) });
        let mut owed = Owed::default();
        let now = Tick::now();
        owed.add(1, a, now);
        owed.add(1, b, now);
        assert!(owed.forbids(1, a, now) && owed.forbids(1, b, now) && !owed.forbids(2, a, now));
        // The answer to the second one shows that the first was lost.
        assert!(owed.paid(1, b) && !owed.forbids(1, a, now) && !owed.paid(1, a));
        owed.add(1, a, now);
        owed.add(1, b, now);
        // A refusal may belong to the first or to the second: the second stays owed.
        assert!(owed.refused(1, 4) && !owed.forbids(1, a, now) && owed.forbids(1, b, now));
        assert!(owed.owes(1, 4) && !owed.owes(1, 3) && !owed.owes(2, 4) && owed.forbids(1, b, now));
        assert!(!owed.refused(1, 3) && !owed.forbids(1, b, now + OWED_FOR));
        for _ in 0..OWED_MAX {
            owed.add(1, a, now);
        }
        assert!(owed.forbids(1, b, now));
        owed.clear(1);
        assert!(!owed.forbids(1, a, now));
    }
}
