//! The schedule of a link: whose turn it is, on a grid of the wall clock, and what happens after a failure.
//!
//! Must never: stack missed turns, shift the grid because a poll was late, or let a dead unit cost the
//! others more than one time-out a turn.

use std::sync::Arc;
use std::time::Duration;

use model::{Finding, Instant, Origin, Quality, Severity};
use tokio::time::Instant as Tick;

use super::narrow::Narrowed;
use super::outbox::Outbox;
use super::sweep::{Bus, Swept};
use super::{Modbus, Unit};
use crate::backoff::Backoff;
use crate::error::LinkError;
use crate::inbox::{Clock, Inbox, PollOutcome, SourceEvent, Stop};
use crate::judge::{Arrival, Judge};

/// Longest sleep in one piece: the wall clock is looked at again at least this often, since it can be set.
const NAP_MAX: Duration = Duration::from_secs(5);

/// A unit with its place in the schedule.
struct Turn {
    unit: Unit,
    due: Instant,
    backoff: Backoff,
    judge: Judge,
    /// What the device takes is still to be seen, since it was away.
    learning: bool,
    limit_told: bool,
}

impl Turn {
    /// Tells what the device takes less of than its file says, and forgets it when the device was away: another one
    /// may stand there when it answers again.
    fn learn(&mut self, swept: &Swept, inbox: &dyn Inbox) {
        for narrowed in &swept.narrowed {
            inbox.report(narrowed.finding(&self.unit.meter, &self.unit.model.id));
            self.limit_told = true;
        }
        if swept.failure.is_some() {
            self.unit.relearn();
            self.learning = true;
        } else if std::mem::take(&mut self.learning) && self.limit_told && swept.narrowed.is_empty() {
            self.limit_told = false;
            let subject = format!("meter:{}", self.unit.meter);
            inbox.note(SourceEvent::Resolved { subject, code: Narrowed::CODE });
        }
    }

    /// The latest that this turn can be due while the wall clock only goes forward.
    fn furthest(&self, now: Instant) -> Instant {
        let waits = if self.backoff.is_failing() { self.backoff.max() } else { Duration::ZERO };
        after(now, self.unit.every.saturating_add(waits))
    }
}

/// What a link does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Asks the unit of this turn.
    Poll(usize),
    /// Hands in what the journal refused.
    HandIn,
}

struct Runner {
    link: String,
    bus: Bus,
    turns: Vec<Turn>,
    /// Of the connection itself.
    backoff: Backoff,
    /// No connection is tried before this.
    closed_until: Instant,
    ever_open: bool,
    up: Option<bool>,
    outbox: Outbox,
    inbox: Arc<dyn Inbox>,
    clock: Arc<dyn Clock>,
}

pub(super) async fn run(link: Modbus, inbox: Arc<dyn Inbox>, clock: Arc<dyn Clock>, mut stop: Stop) {
    let backoff_max = Duration::from_secs(link.settings.backoff_max_s);
    let now = clock.now();
    let turns = link.units.into_iter().map(|unit| Turn {
        due: slot_from(now, unit.every),
        backoff: Backoff::new(backoff_max),
        judge: Judge::new(unit.meter.clone()),
        learning: true,
        limit_told: false,
        unit,
    });
    let outbox = Outbox::new(link.id.clone());
    let mut runner = Runner {
        bus: Bus::new(&link.settings, Arc::clone(&link.dial)),
        turns: turns.collect(),
        link: link.id,
        backoff: Backoff::new(backoff_max),
        closed_until: now,
        ever_open: false,
        up: None,
        outbox,
        inbox,
        clock,
    };
    while let Some(next) = runner.wait(&mut stop).await {
        let index = match next {
            Next::Poll(index) => index,
            Next::HandIn => {
                runner.outbox.submit(&*runner.inbox).await;
                continue;
            }
        };
        let begun = tokio::time::Instant::now();
        let swept = tokio::select! {
            biased;
            // What was read but not yet submitted is dropped: it had not been accepted.
            () = stop.stopped() => break,
            swept = runner.poll(index) => swept,
        };
        runner.settle(index, swept, begun.elapsed()).await;
    }
    runner.outbox.close(&*runner.inbox).await;
}

/// The first point of the grid at or after `from`. The grid begins at the epoch, so that every 60 s is at :00.
fn slot_from(from: Instant, every: Duration) -> Instant {
    let step = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
    let slots = from.millis().div_euclid(step) + i64::from(from.millis().rem_euclid(step) != 0);
    Instant::from_millis(slots.saturating_mul(step))
}

fn after(now: Instant, wait: Duration) -> Instant {
    now.plus_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 4))
}

impl Runner {
    /// Sleeps until there is something to do; `None` when told to stop.
    async fn wait(&mut self, stop: &mut Stop) -> Option<Next> {
        loop {
            if stop.is_stopped() {
                return None;
            }
            let retry_at = self.outbox.retry_at();
            if retry_at.is_some_and(|at| at <= Tick::now()) {
                return Some(Next::HandIn);
            }
            let now = self.clock.now();
            self.mend_schedule(now);
            let wait = match self.next_turn(now) {
                Ok(index) => return Some(Next::Poll(index)),
                Err(wait) => wait.min(NAP_MAX),
            };
            let until = Tick::now() + wait;
            tokio::select! {
                biased;
                () = stop.stopped() => return None,
                () = tokio::time::sleep_until(retry_at.map_or(until, |at| at.min(until))) => {}
            }
        }
    }

    /// The turn that is due, or how long until one is.
    fn next_turn(&self, now: Instant) -> Result<usize, Duration> {
        let due = |turn: &Turn| turn.due.max(self.closed_until);
        // A failing unit gives way to a healthy one that is due in the same second, but is not starved.
        let key = |turn: &Turn| due(turn).plus_millis(if turn.backoff.is_failing() { 1000 } else { 0 });
        let waiting = self.turns.iter().enumerate().filter(|(_, turn)| due(turn) <= now);
        if let Some((index, _)) = waiting.min_by_key(|(index, turn)| (key(turn), *index)) {
            return Ok(index);
        }
        let earliest = self.turns.iter().map(due).min();
        let wait = earliest.and_then(|at| u64::try_from(at.millis() - now.millis()).ok());
        Err(wait.map_or(NAP_MAX, Duration::from_millis))
    }

    /// After the wall clock was set back, turns would lie far in the future: they are placed anew.
    fn mend_schedule(&mut self, now: Instant) {
        for turn in &mut self.turns {
            if turn.furthest(now) < turn.due {
                turn.due = slot_from(now, turn.unit.every);
            }
        }
        if after(now, self.backoff.max()) < self.closed_until {
            self.closed_until = now;
        }
    }

    async fn poll(&mut self, index: usize) -> Result<Swept, LinkError> {
        let was_open = self.bus.is_open();
        self.open().await?;
        let swept = self.bus.sweep(&mut self.turns[index].unit, &*self.clock).await;
        if !(was_open && swept.found_closed()) {
            return Ok(swept);
        }
        // Gateways close connections that idle between two turns, which shows only at the next request:
        // that is no failure of the meter, so it is asked once more, over a new connection.
        self.open().await?;
        Ok(self.bus.sweep(&mut self.turns[index].unit, &*self.clock).await)
    }

    /// Sees to it that there is a session.
    async fn open(&mut self) -> Result<(), LinkError> {
        let was_open = self.bus.is_open();
        self.bus.connect().await?;
        if !was_open && self.ever_open {
            self.inbox.note(SourceEvent::SessionRebuilt { link: self.link.clone() });
        }
        self.ever_open = true;
        Ok(())
    }

    /// Books what a poll brought, and gives the unit its next turn.
    async fn settle(&mut self, index: usize, polled: Result<Swept, LinkError>, took: Duration) {
        let now = self.clock.now();
        let swept = match polled {
            Ok(swept) => swept,
            Err(error) => {
                self.unconnected(index, now, &error, took);
                return;
            }
        };
        self.backoff.reset();
        self.set_up(true, None);
        let arrival = Arrival {
            observed_at: swept.observed_at,
            received_at: now,
            quality: Quality::Good,
            origin: Origin::Modbus,
        };
        let turn = &mut self.turns[index];
        let readings = turn.judge.readings(&swept.values, arrival, &*self.inbox);
        let first_error = swept.failure.as_ref().or(swept.refusals.first());
        let outcome = match (first_error, swept.values.is_empty()) {
            (None, _) => PollOutcome::Complete,
            (Some(_), false) => PollOutcome::Partial,
            (Some(_), true) => PollOutcome::Failed,
        };
        match first_error {
            None => turn.judge.recovered(&*self.inbox),
            Some(error) => turn.judge.failed(error, &*self.inbox),
        }
        turn.learn(&swept, &*self.inbox);
        let retry = swept.failure.is_some() || outcome == PollOutcome::Failed;
        turn.due = if retry { retry_at(now, turn) } else { on_grid(now, turn) };
        self.note_poll(index, took, outcome);
        if !readings.is_empty() {
            self.outbox.hand_in(readings, &*self.inbox).await;
        }
    }

    /// Books that there is no connection: a failed poll for every unit that is due, not only for the one
    /// whose turn it was, or the others would look as if they had never been due.
    fn unconnected(&mut self, index: usize, now: Instant, error: &LinkError, took: Duration) {
        self.closed_until = after(now, self.backoff.fail());
        self.set_up(false, Some(error));
        for i in 0..self.turns.len() {
            let turn = &mut self.turns[i];
            if i == index || turn.due <= now {
                turn.due = slot_from(now, turn.unit.every).min(self.closed_until);
                self.note_poll(i, took, PollOutcome::Failed);
            }
        }
    }

    fn note_poll(&self, index: usize, duration: Duration, outcome: PollOutcome) {
        let meter = self.turns[index].unit.meter.clone();
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
                self.outbox.untell();
            }
            None => {}
        }
        self.up = Some(up);
        self.inbox.note(SourceEvent::LinkState { link: self.link.clone(), up });
    }
}

/// The unit's next point of the grid: those that passed meanwhile are left out.
fn on_grid(now: Instant, turn: &mut Turn) -> Instant {
    turn.backoff.reset();
    slot_from(now.plus_millis(1), turn.unit.every)
}

/// After a failure: soon, within the slot, while the wait is shorter than it; else at a point of the grid.
fn retry_at(now: Instant, turn: &mut Turn) -> Instant {
    let retry = after(now, turn.backoff.fail());
    let slot = slot_from(now.plus_millis(1), turn.unit.every);
    if retry < slot { retry } else { slot_from(retry, turn.unit.every) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_that_of_the_wall_clock() {
        let at = |text| Instant::parse_rfc3339(text).unwrap();
        let minute = Duration::from_secs(60);
        assert_eq!(slot_from(at("2025-03-30T00:59:00.001Z"), minute), at("2025-03-30T01:00:00Z"));
        assert_eq!(slot_from(at("2025-03-30T01:00:00Z"), minute), at("2025-03-30T01:00:00Z"));
        let quarter = Duration::from_secs(900);
        assert_eq!(slot_from(at("2025-03-30T01:00:01Z"), quarter), at("2025-03-30T01:15:00Z"));
    }
}
