//! Readings on their way to the journal, kept while it refuses them: a meter cannot be asked for the past.
//!
//! Must never: lose a reading without counting and telling it, or ask a journal that refuses without a pause.

use std::collections::VecDeque;
use std::time::Duration;

use model::{Finding, Reading, Severity};
use tokio::time::Instant as Tick;

use crate::backoff::Backoff;
use crate::error::LinkError;
use crate::inbox::{Inbox, ReadingOutcome, SourceEvent};

/// Readings kept in memory while the journal refuses them.
pub(super) const PENDING_MAX: usize = 10_000;
/// Longest wait between two attempts.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// What is told when the journal refuses, and taken back when it takes readings again.
const REFUSED: &str = "link.inbox";

#[derive(Debug)]
pub(super) struct Outbox {
    link: String,
    pending: VecDeque<Reading>,
    backoff: Backoff,
    /// While the journal refuses: when it is asked again.
    retry_at: Option<Tick>,
    told: bool,
    lost: u64,
    lost_told: u64,
}

impl Outbox {
    pub(super) fn new(link: String) -> Self {
        Self {
            link,
            pending: VecDeque::new(),
            backoff: Backoff::new(RETRY_MAX),
            retry_at: None,
            told: false,
            lost: 0,
            lost_told: 0,
        }
    }

    fn subject(&self) -> String {
        format!("link:{}", self.link)
    }

    /// When the journal is to be asked again for what it refused; `None` when nothing waits.
    pub(super) const fn retry_at(&self) -> Option<Tick> {
        self.retry_at
    }

    /// Everything told about the link was taken back: a refusal that goes on is told anew.
    pub(super) const fn untell(&mut self) {
        self.told = false;
    }

    /// Takes readings and hands in all that waits, unless the journal refused and is to be left alone for now.
    pub(super) async fn hand_in(&mut self, readings: Vec<Reading>, inbox: &dyn Inbox) {
        self.pending.extend(readings);
        let too_many = self.pending.len().saturating_sub(PENDING_MAX);
        let oldest: Vec<Reading> = self.pending.drain(..too_many).collect();
        self.lose(oldest, inbox);
        if self.retry_at.is_none_or(|at| at <= Tick::now()) {
            self.submit(inbox).await;
        }
    }

    /// Hands in what waits.
    pub(super) async fn submit(&mut self, inbox: &dyn Inbox) {
        if self.pending.is_empty() {
            return;
        }
        let batch: Vec<Reading> = self.pending.iter().cloned().collect();
        match inbox.submit(batch).await {
            Ok(()) => {
                self.pending.clear();
                self.backoff.reset();
                self.retry_at = None;
                self.tell_lost(inbox);
                if std::mem::take(&mut self.told) {
                    inbox.note(SourceEvent::Resolved { subject: self.subject(), code: REFUSED });
                }
            }
            Err(source) => {
                self.retry_at = Some(Tick::now() + self.backoff.fail());
                if !std::mem::replace(&mut self.told, true) {
                    let error = LinkError::Inbox { link: self.link.clone(), source };
                    inbox.report(error.finding(&self.subject()));
                }
            }
        }
    }

    /// The last attempt, when the link stops. What is still refused is lost.
    pub(super) async fn close(mut self, inbox: &dyn Inbox) {
        self.submit(inbox).await;
        let rest: Vec<Reading> = self.pending.drain(..).collect();
        self.lose(rest, inbox);
        self.tell_lost(inbox);
    }

    fn lose(&mut self, readings: Vec<Reading>, inbox: &dyn Inbox) {
        for reading in readings {
            self.lost += 1;
            let meter = reading.series.meter;
            let outcome = ReadingOutcome::Dropped;
            inbox.note(SourceEvent::Readings { meter, origin: reading.origin, outcome, count: 1 });
        }
        // At the first and at every doubling: a person learns the order of size without a flood.
        if self.lost_told.saturating_mul(2) < self.lost {
            self.tell_lost(inbox);
        }
    }

    fn tell_lost(&mut self, inbox: &dyn Inbox) {
        if self.lost == self.lost_told {
            return;
        }
        self.lost_told = self.lost;
        let says = format!("{} readings were lost: the store refused them for too long", self.lost);
        let rule = "a lost reading is told";
        let finding = Finding::new("readings.dropped", Severity::Caution, self.subject(), says, rule);
        inbox.report(finding.with("count", self.lost));
    }
}
