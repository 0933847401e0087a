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

#[cfg(test)]
mod tests {
    use model::{Channel, MeterId, Origin, Quality, Quantity, SeriesKey, Value};

    use super::*;
    use crate::testing::{BEGIN, TestInbox};

    fn readings(from: usize, count: usize) -> Vec<Reading> {
        let reading = |i: usize| {
            let observed_at = BEGIN.plus_millis(i64::try_from(i).unwrap());
            Reading {
                series: SeriesKey {
                    meter: MeterId::new("m").unwrap(),
                    channel: Channel::total(Quantity::ActiveEnergyImport),
                },
                observed_at,
                received_at: observed_at,
                value: Value::Total(1),
                quality: Quality::Good,
                origin: Origin::Modbus,
            }
        };
        (from..from + count).map(reading).collect()
    }

    fn dropped(inbox: &TestInbox) -> usize {
        let events = inbox.events.lock().unwrap();
        let dropped =
            |e: &&SourceEvent| matches!(e, SourceEvent::Readings { outcome: ReadingOutcome::Dropped, .. });
        events.iter().filter(dropped).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_journal_that_refuses_is_asked_again_soon_and_ever_more_seldom() {
        let inbox = TestInbox::default();
        *inbox.refuse.lock().unwrap() = 3;
        let mut outbox = Outbox::new("l".into());
        let begun = Tick::now();
        outbox.hand_in(readings(0, 1), &inbox).await;
        let mut waits = Vec::new();
        while let Some(at) = outbox.retry_at() {
            // New readings wait with the others until then.
            outbox.hand_in(readings(waits.len() + 1, 1), &inbox).await;
            tokio::time::sleep_until(at).await;
            waits.push(begun.elapsed().as_secs());
            outbox.submit(&inbox).await;
        }
        assert_eq!(waits, [1, 3, 7]);
        assert_eq!(inbox.readings.lock().unwrap().len(), 4);
        assert_eq!(
            (inbox.codes(), inbox.resolved()),
            (vec!["link.inbox"], vec![("link:l".into(), "link.inbox")])
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_lost_is_the_oldest_and_is_told() {
        let inbox = TestInbox::default();
        *inbox.refuse.lock().unwrap() = usize::MAX;
        let mut outbox = Outbox::new("l".into());
        outbox.hand_in(readings(0, PENDING_MAX), &inbox).await;
        for extra in 0..5 {
            outbox.hand_in(readings(PENDING_MAX + extra, 1), &inbox).await;
        }
        assert_eq!(dropped(&inbox), 5);
        // Told at the first, the third; the rest with the next occasion.
        let lost = |inbox: &TestInbox| inbox.codes().iter().filter(|c| **c == "readings.dropped").count();
        assert_eq!(lost(&inbox), 2);
        *inbox.refuse.lock().unwrap() = 0;
        outbox.submit(&inbox).await;
        let kept = inbox.readings.lock().unwrap();
        assert_eq!((kept.len(), kept[0].observed_at), (PENDING_MAX, BEGIN.plus_millis(5)));
        let says = inbox.findings.lock().unwrap().last().unwrap().says.clone();
        assert!(says.starts_with("5 readings were lost"), "{says}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_handed_in_at_the_end_is_told_too() {
        let inbox = TestInbox::default();
        *inbox.refuse.lock().unwrap() = usize::MAX;
        let mut outbox = Outbox::new("l".into());
        outbox.hand_in(readings(0, 7), &inbox).await;
        outbox.close(&inbox).await;
        assert_eq!((dropped(&inbox), inbox.codes()), (7, vec!["link.inbox", "readings.dropped"]));
    }
}
