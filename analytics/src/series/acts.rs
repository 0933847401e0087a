//! What people decided about one series, handed to the counter when its instant comes.
//!
//! Must never: lose an act. One that no reading bears out is kept as refused.

use model::{Act, DatedAct, Explanation, Instant};

use crate::checkpoint::Kept;
use crate::counter::{EXCHANGE_MILLIS_MAX, Exchange};

/// What is due at one reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) explained: Option<Explanation>,
    pub(super) corrected: Option<i64>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Acts {
    /// By the instant from which they matter.
    all: Vec<DatedAct>,
    next: usize,
    /// The exchange that waits for its reading.
    exchange: Option<DatedAct>,
    /// Instants of standstills that a person confirmed.
    standstills: Vec<i64>,
    refused: Vec<DatedAct>,
}

/// From when on readings have to be looked at because of an act. The instant a person states for an exchange may be a
/// little late.
fn due_at(dated: &DatedAct) -> i64 {
    match dated.act {
        Act::Exchanged { .. } => dated.at.millis().saturating_sub(EXCHANGE_MILLIS_MAX),
        Act::Explained(_) | Act::Corrected { .. } => dated.at.millis(),
    }
}

impl Acts {
    pub(super) fn new(acts: &[DatedAct]) -> Self {
        let mut all = acts.to_vec();
        all.sort_by_key(|a| (due_at(a), *a));
        Self { all, ..Self::default() }
    }

    /// How far they were followed, without the acts themselves.
    pub(super) fn keep(&self, out: &mut Vec<u8>) {
        let Self { all: _, next, exchange, standstills, refused } = self;
        next.keep(out);
        exchange.keep(out);
        standstills.keep(out);
        refused.keep(out);
    }

    /// The same acts, followed as far as was kept.
    pub(super) fn resume(acts: &[DatedAct], bytes: &mut &[u8]) -> Option<Self> {
        let all = Self::new(acts).all;
        let next = usize::take(bytes)?;
        let (exchange, standstills, refused) = (Kept::take(bytes)?, Vec::take(bytes)?, Vec::take(bytes)?);
        (next <= all.len()).then_some(Self { all, next, exchange, standstills, refused })
    }

    pub(super) fn all(&self) -> &[DatedAct] {
        &self.all
    }

    pub(super) fn refused(&self) -> &[DatedAct] {
        &self.refused
    }

    pub(super) fn confirms_standstill(&self, at: Instant) -> bool {
        self.standstills.contains(&at.millis())
    }

    /// The last instant at which nothing is due.
    pub(super) fn quiet_until(&self) -> i64 {
        if self.exchange.is_some() {
            return i64::MIN;
        }
        self.all.get(self.next).map_or(i64::MAX, |a| due_at(a).saturating_sub(1))
    }

    /// What is due at a reading; acts whose reading did not come are refused.
    pub(super) fn due(&mut self, at: Instant) -> Due {
        let mut due = Due::default();
        while let Some(&dated) = self.all.get(self.next).filter(|a| due_at(a) <= at.millis()) {
            self.next += 1;
            match dated.act {
                Act::Exchanged { .. } => self.refused.extend(self.exchange.replace(dated)),
                Act::Explained(Explanation::Standstill) => self.standstills.push(dated.at.millis()),
                Act::Explained(explanation) if dated.at == at => due.explained = Some(explanation),
                Act::Corrected { total } if dated.at == at => due.corrected = Some(total),
                Act::Explained(_) | Act::Corrected { .. } => self.refused.push(dated),
            }
        }
        due
    }

    pub(super) fn refuse(&mut self, at: Instant) {
        let found = self.all.iter().find(|a| a.at == at && matches!(a.act, Act::Explained(_)));
        self.refused.extend(found.copied());
    }

    pub(super) fn exchange(&self) -> Option<Exchange> {
        let dated = self.exchange?;
        match dated.act {
            Act::Exchanged { closing, opening } => Some(Exchange { at: dated.at.millis(), closing, opening }),
            Act::Explained(_) | Act::Corrected { .. } => None,
        }
    }

    /// The exchange was applied, or cannot be.
    pub(super) fn end_exchange(&mut self, refused: bool) {
        let ended = self.exchange.take();
        if refused {
            self.refused.extend(ended);
        }
    }
}
