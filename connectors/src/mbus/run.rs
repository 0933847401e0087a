//! The schedule of a bus: whose turn it is, on a grid of the wall clock, and what happens after a failure.
//!
//! Must never: stack missed turns, shift the grid because a reading was late, or let a dead meter cost the others
//! more than its own time-out a turn.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use model::{Channel, Finding, Instant, Origin, Quality, Reading, Severity};
use profile::Decoded;
use profile::mbus::Identity;

use super::reading::{Bus, Readout};
use super::{MBus, MBusError, MBusTarget, Slave, ambiguous};
use crate::backoff::Backoff;
use crate::error::LinkError;
use crate::grid::{after, slot_from};
use crate::inbox::{Clock, Inbox, PollOutcome, ReadingOutcome, SourceEvent, Stop};
use crate::judge::{Arrival, Judge};

/// Readings kept in memory while the journal refuses them.
const PENDING_MAX: usize = 10_000;
/// Longest sleep in one piece: the wall clock is looked at again at least this often, since it can be set.
const NAP_MAX: Duration = Duration::from_secs(5);

/// A meter with its place in the schedule.
struct Turn {
    slave: Slave,
    due: Instant,
    backoff: Backoff,
    judge: Judge,
    /// Who answered last.
    identity: Option<Identity>,
    /// What was told of this meter and is still so.
    told: BTreeSet<String>,
}

struct Runner {
    link: String,
    at: String,
    bus: Bus,
    turns: Vec<Turn>,
    /// Of the connection itself.
    backoff: Backoff,
    /// No connection is tried before this.
    closed_until: Instant,
    ever_open: bool,
    up: Option<bool>,
    pending: VecDeque<Reading>,
    pending_told: bool,
    inbox: Arc<dyn Inbox>,
    clock: Arc<dyn Clock>,
}

pub(super) async fn run(link: MBus, inbox: Arc<dyn Inbox>, clock: Arc<dyn Clock>, mut stop: Stop) {
    let backoff_max = Duration::from_secs(link.settings.backoff_max_s);
    let now = clock.now();
    let turns = link.slaves.into_iter().map(|slave| Turn {
        due: slot_from(now, slave.every),
        backoff: Backoff::new(backoff_max),
        judge: Judge::new(slave.meter.clone()),
        identity: None,
        told: BTreeSet::new(),
        slave,
    });
    let mut runner = Runner {
        bus: Bus::new(&link.settings, Arc::clone(&link.dial)),
        at: link.settings.place().to_owned(),
        turns: turns.collect(),
        link: link.id,
        backoff: Backoff::new(backoff_max),
        closed_until: now,
        ever_open: false,
        up: None,
        pending: VecDeque::new(),
        pending_told: false,
        inbox,
        clock,
    };
    while let Some(index) = runner.wait(&mut stop).await {
        let begun = tokio::time::Instant::now();
        let read = tokio::select! {
            biased;
            // What was read but not yet submitted is dropped: it had not been accepted.
            () = stop.stopped() => break,
            read = runner.poll(index) => read,
        };
        runner.settle(index, read, begun.elapsed()).await;
    }
    if !runner.pending.is_empty() {
        runner.submit(Vec::new()).await;
    }
}

impl Runner {
    /// Sleeps until a meter is due and returns its index; `None` when told to stop.
    async fn wait(&mut self, stop: &mut Stop) -> Option<usize> {
        loop {
            if stop.is_stopped() {
                return None;
            }
            let now = self.clock.now();
            self.mend_schedule(now);
            let closed_until = self.closed_until;
            // Of those that are due, healthy ones come before failing ones, and then the one due longest.
            let due = self.turns.iter().enumerate().filter(|(_, turn)| turn.due.max(closed_until) <= now);
            if let Some((index, _)) = due.min_by_key(|(i, t)| (t.backoff.is_failing(), t.due, *i)) {
                return Some(index);
            }
            let next = self.turns.iter().map(|turn| turn.due.max(closed_until)).min();
            let wait = next.map_or(NAP_MAX, |due| {
                Duration::from_millis(u64::try_from(due.millis() - now.millis()).unwrap_or(1))
            });
            tokio::select! {
                biased;
                () = stop.stopped() => return None,
                () = tokio::time::sleep(wait.min(NAP_MAX)) => {}
            }
        }
    }

    /// After the wall clock was set back, turns would lie far in the future: they are placed anew.
    fn mend_schedule(&mut self, now: Instant) {
        for turn in &mut self.turns {
            let waits = if turn.backoff.is_failing() { turn.backoff.max() } else { Duration::ZERO };
            if after(now, turn.slave.every.saturating_add(waits)) < turn.due {
                turn.due = slot_from(now, turn.slave.every);
            }
        }
        if after(now, self.backoff.max()) < self.closed_until {
            self.closed_until = now;
        }
    }

    /// The outer error is of the connection, the inner one of the meter.
    async fn poll(&mut self, index: usize) -> Result<Result<Readout, MBusError>, LinkError> {
        let was_open = self.bus.is_open();
        self.open().await?;
        let read = self.bus.read(&self.turns[index].slave, &*self.clock).await;
        if !(was_open && matches!(read, Err(MBusError::Lost { .. }))) {
            return Ok(read);
        }
        // Converters close connections that idle between two turns, which shows only at the next request: that
        // is no failure of the meter, so it is asked once more, over a new connection.
        self.open().await?;
        Ok(self.bus.read(&self.turns[index].slave, &*self.clock).await)
    }

    async fn open(&mut self) -> Result<(), LinkError> {
        let was_open = self.bus.is_open();
        self.bus.connect().await?;
        if !was_open && self.ever_open {
            self.inbox.note(SourceEvent::SessionRebuilt { link: self.link.clone() });
        }
        self.ever_open = true;
        Ok(())
    }

    /// Books what a reading brought, and gives the meter its next turn.
    async fn settle(
        &mut self,
        index: usize,
        polled: Result<Result<Readout, MBusError>, LinkError>,
        took: Duration,
    ) {
        let now = self.clock.now();
        let read = match polled {
            Ok(read) => read,
            Err(error) => {
                self.unconnected(index, now, &error, took);
                return;
            }
        };
        self.backoff.reset();
        self.set_up(true, None);
        match read.and_then(|read| self.is_new(index, &read).map(|()| read)) {
            Ok(read) => self.book(index, now, read, took).await,
            Err(error) => {
                let turn = &mut self.turns[index];
                turn.judge.failed(&LinkError::MBus(error), &*self.inbox);
                let retry = after(now, turn.backoff.fail());
                let slot = slot_from(now.plus_millis(1), turn.slave.every);
                // Soon, within the slot, while the wait is shorter than it; else at a point of the grid.
                turn.due = if retry < slot { retry } else { slot_from(retry, turn.slave.every) };
                self.note_poll(index, took, PollOutcome::Failed);
            }
        }
    }

    /// Whether no other meter of this link has answered as the same device.
    fn is_new(&self, index: usize, read: &Readout) -> Result<(), MBusError> {
        let same = |(i, turn): &(usize, &Turn)| *i != index && turn.identity == Some(read.identity);
        let Some((_, other)) = self.turns.iter().enumerate().find(same) else { return Ok(()) };
        let slave = &self.turns[index].slave;
        Err(MBusError::Twice {
            target: Box::new(MBusTarget {
                meter: slave.meter.clone(),
                at: self.at.clone(),
                address: slave.address.to_string(),
            }),
            identity: read.identity.to_string(),
            other: other.slave.meter.clone(),
        })
    }

    async fn book(&mut self, index: usize, now: Instant, read: Readout, took: Duration) {
        let turn = &mut self.turns[index];
        turn.told_anew(&read, &*self.inbox);
        let values: Vec<(Channel, Decoded)> = read.values.iter().map(|p| (p.channel, p.decoded)).collect();
        let arrival = Arrival {
            observed_at: read.observed_at,
            received_at: now,
            quality: Quality::Good,
            origin: Origin::MBus,
        };
        let readings = turn.judge.readings(&values, arrival, &*self.inbox);
        turn.judge.recovered(&*self.inbox);
        turn.backoff.reset();
        turn.due = slot_from(now.plus_millis(1), turn.slave.every);
        let missing = values.iter().any(|(_, decoded)| *decoded == Decoded::Missing);
        let outcome = match (missing, readings.is_empty()) {
            (_, true) => PollOutcome::Failed,
            (true, false) => PollOutcome::Partial,
            (false, false) => PollOutcome::Complete,
        };
        self.note_poll(index, took, outcome);
        if !readings.is_empty() {
            self.submit(readings).await;
        }
    }

    /// Books that there is no connection: a failed reading for every meter that is due, not only for the one
    /// whose turn it was, or the others would look as if they had never been due.
    fn unconnected(&mut self, index: usize, now: Instant, error: &LinkError, took: Duration) {
        self.closed_until = after(now, self.backoff.fail());
        self.set_up(false, Some(error));
        for i in 0..self.turns.len() {
            let turn = &mut self.turns[i];
            if i == index || turn.due <= now {
                turn.due = slot_from(now, turn.slave.every).min(self.closed_until);
                self.note_poll(i, took, PollOutcome::Failed);
            }
        }
    }

    fn note_poll(&self, index: usize, duration: Duration, outcome: PollOutcome) {
        let meter = self.turns[index].slave.meter.clone();
        self.inbox.note(SourceEvent::Poll { link: self.link.clone(), meter, duration, outcome });
    }

    /// Tells a change of the link's state.
    fn set_up(&mut self, up: bool, error: Option<&LinkError>) {
        if self.up == Some(up) {
            return;
        }
        let subject = format!("link:{}", self.link);
        match error {
            Some(error) => self.inbox.report(error.finding(&subject)),
            None if self.up == Some(false) => {
                let says = "can be reached again";
                self.inbox.report(Finding::new("link.up", Severity::Note, subject, says, ""));
                // This closes what was told of the journal as well, so the next refusal is told anew.
                self.pending_told = false;
            }
            None => {}
        }
        self.up = Some(up);
        self.inbox.note(SourceEvent::LinkState { link: self.link.clone(), up });
    }

    /// Submits what is new together with what was refused before. A meter cannot be asked for the past, so
    /// refused readings are kept, the oldest going first when there are too many.
    async fn submit(&mut self, readings: Vec<Reading>) {
        self.pending.extend(readings);
        while self.pending.len() > PENDING_MAX {
            if let Some(lost) = self.pending.pop_front() {
                let meter = lost.series.meter;
                let outcome = ReadingOutcome::Dropped;
                self.inbox.note(SourceEvent::Readings { meter, origin: lost.origin, outcome, count: 1 });
            }
        }
        let batch: Vec<Reading> = self.pending.iter().cloned().collect();
        match self.inbox.submit(batch).await {
            Ok(()) => {
                self.pending.clear();
                // While the link is down its own finding must stay open.
                if std::mem::take(&mut self.pending_told) && self.up != Some(false) {
                    let subject = format!("link:{}", self.link);
                    let says = "the journal takes its readings again";
                    self.inbox.report(Finding::new("link.up", Severity::Note, subject, says, ""));
                }
            }
            Err(source) => {
                if !self.pending_told {
                    let error = LinkError::Inbox { link: self.link.clone(), source };
                    self.inbox.report(error.finding(&format!("link:{}", self.link)));
                }
                self.pending_told = true;
            }
        }
    }
}

impl Turn {
    /// Tells what changed about the meter itself: who it is, its battery, records that cannot be read.
    fn told_anew(&mut self, read: &Readout, inbox: &dyn Inbox) {
        let subject = format!("meter:{}", self.slave.meter);
        if let Some(before) = self.identity.filter(|before| *before != read.identity) {
            let says = format!(
                "{} answers where {before} did; if the meter was exchanged, state it with both indices",
                read.identity
            );
            let finding = Finding::new("mbus.meter.changed", Severity::Caution, &*subject, says, "");
            inbox.report(finding.with("now", read.identity).with("before", before));
        }
        self.identity = Some(read.identity);
        let mut now: Vec<(&'static str, Severity, String)> = Vec::new();
        if read.power_low {
            let says = "the meter says that its battery is low; its values still hold";
            now.push(("mbus.battery.low", Severity::Caution, says.to_owned()));
        }
        if read.unreadable {
            let says = "the end of its telegram cannot be read; what stands before it is used";
            now.push(("mbus.records.unreadable", Severity::Caution, says.to_owned()));
        }
        for picked in read.values.iter().filter(|picked| picked.ambiguous) {
            now.push(("mbus.record.ambiguous", Severity::Caution, ambiguous(&picked.channel)));
        }
        for (code, severity, says) in &now {
            if !self.told.contains(says) {
                let finding = Finding::new(code, *severity, &*subject, says.clone(), "");
                inbox.report(finding.with("says", says));
            }
        }
        self.told = now.into_iter().map(|(_, _, says)| says).collect();
    }
}
