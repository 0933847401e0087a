//! What the counter decided where its totals did not follow, with the evidence.
//!
//! Must never: grow with the number of readings, or drop a decision that a person may have to look at before one
//! that is certain.

use model::{Confidence, Explanation, Instant};

use crate::checkpoint::kept;

/// Most decisions kept of one series. Beyond it the oldest certain ones are only counted.
pub const DECISIONS_MAX: usize = 500;

/// Another explanation that the totals allow, and the energy it would mean for the span in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alternative {
    pub explanation: Explanation,
    pub low: i64,
    pub high: i64,
}

kept!(Alternative { explanation, low, high });

/// One break of a series of totals and how it is explained. Derived again from the readings each time; the series and
/// `at` name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The reading that began the break.
    pub at: Instant,
    pub explanation: Explanation,
    pub confidence: Confidence,
    /// The last accepted total before, and the reading that settled the matter (so far the last one).
    pub from: Instant,
    pub to: Instant,
    /// The totals as they were read: before, of the reading that began the break, of the one that settled it.
    pub before: i64,
    pub seen: i64,
    pub after: i64,
    /// Energy booked between `from` and `to`, and its bounds; in the smallest unit.
    pub booked: i64,
    pub low: i64,
    pub high: i64,
    /// Best first.
    pub alternatives: Vec<Alternative>,
    /// A person decided it.
    pub by_person: bool,
}

kept!(Decision {
    at,
    explanation,
    confidence,
    from,
    to,
    before,
    seen,
    after,
    booked,
    low,
    high,
    alternatives,
    by_person,
});

impl Decision {
    /// Whether a person should look at it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.by_person && self.confidence != Confidence::Certain
    }

    /// Whether it is a standstill after which the total has not moved again.
    #[must_use]
    pub fn is_standing(&self) -> bool {
        self.explanation == Explanation::Standstill && self.after == self.before
    }
}

/// How an episode ended.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) explanation: Explanation,
    pub(super) confidence: Confidence,
    pub(super) to: i64,
    pub(super) after: i64,
    pub(super) amounts: [i64; 3],
    pub(super) alternatives: Vec<Alternative>,
}

/// The decisions of one series, ascending.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    decisions: Vec<Decision>,
    /// Whether the last decision is still open.
    running: bool,
    /// The certain decision that had to make room since it was last asked for.
    forgotten: Option<Decision>,
}

kept!(Log { decisions, running, forgotten });

impl Log {
    pub(super) fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// Begins a decision unless one is running.
    pub(super) fn open(&mut self, at: i64, from: i64, before: i64, seen: i64) {
        if self.running {
            return;
        }
        if DECISIONS_MAX <= self.decisions.len() {
            let certain = self.decisions.iter().position(|d| d.confidence == Confidence::Certain);
            // Only open ones are left: then the oldest goes, and its month keeps its bounds.
            self.forgotten = Some(self.decisions.remove(certain.unwrap_or(0)));
        }
        self.running = true;
        self.decisions.push(Decision {
            at: Instant::from_millis(at),
            explanation: Explanation::Open,
            confidence: Confidence::NeedsPerson,
            from: Instant::from_millis(from),
            to: Instant::from_millis(at),
            before,
            seen,
            after: seen,
            booked: 0,
            low: 0,
            high: 0,
            alternatives: Vec::new(),
            by_person: false,
        });
    }

    /// Notes the newest reading of a running decision.
    pub(super) fn follow(&mut self, to: i64, after: i64) {
        if self.running
            && let Some(last) = self.decisions.last_mut()
        {
            last.to = Instant::from_millis(to);
            last.after = after;
        }
    }

    /// Ends the running decision.
    pub(super) fn settle(&mut self, verdict: Verdict, by_person: bool) {
        if !std::mem::take(&mut self.running) {
            return;
        }
        if let Some(last) = self.decisions.last_mut() {
            write(last, verdict, by_person);
        }
    }

    /// Which noise the newest break is when later totals take it back.
    pub(super) fn noise(&self) -> Explanation {
        if self.decisions.last().is_some_and(|d| d.seen < d.before) {
            Explanation::Dip
        } else {
            Explanation::Spike
        }
    }

    /// Leaves the running decision as it is.
    pub(super) fn abandon(&mut self) {
        self.running = false;
    }

    /// Explains an ended decision anew, because later totals showed another thing.
    pub(super) fn amend(&mut self, at: i64, verdict: Verdict) {
        let found = self.decisions.iter_mut().rev().find(|d| d.at.millis() == at);
        if let Some(decision) = found {
            write(decision, verdict, false);
        }
    }

    /// The newest decision of this kind reaches until here.
    pub(super) fn extend(&mut self, explanation: Explanation, to: i64) {
        if let Some(last) = self.decisions.iter_mut().rev().find(|d| d.explanation == explanation) {
            last.to = Instant::from_millis(to);
        }
    }

    /// Drops everything after a decision: it was part of a range that turned out false.
    pub(super) fn cut_after(&mut self, at: i64) {
        let keep = self.decisions.partition_point(|d| d.at.millis() <= at);
        self.decisions.truncate(keep);
        self.running = false;
    }

    pub(super) fn take_forgotten(&mut self) -> Option<Decision> {
        self.forgotten.take()
    }

    pub(super) fn last_at(&self) -> Option<i64> {
        self.decisions.last().map(|d| d.at.millis())
    }
}

fn write(decision: &mut Decision, verdict: Verdict, by_person: bool) {
    decision.explanation = verdict.explanation;
    decision.confidence = verdict.confidence;
    decision.to = Instant::from_millis(verdict.to);
    decision.after = verdict.after;
    [decision.booked, decision.low, decision.high] = verdict.amounts;
    decision.alternatives = verdict.alternatives;
    decision.by_person = by_person;
}
