//! Births that are missing: when a node may be asked for them, and what is told while its data wait.
//!
//! Must never: ask a node that the settings do not let us ask, more than once a minute, or for anything but its births.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Finding, MeterId, Severity};
use tokio::time::Instant as Ticks;

use crate::inbox::{Inbox, SourceEvent};

/// Shortest time from one request to a node to the next.
const WAIT_MIN: Duration = Duration::from_secs(60);
/// Longest, for a node that does not answer or loses messages all the time.
const WAIT_MAX: Duration = Duration::from_secs(3_600);
/// Requests one after the other without a birth, beyond which the node counts as silent.
const SILENT_AFTER: u32 = 3;
/// What stands for data that wait.
const CODE: &str = "payload.birth";

/// Why data wait for a birth, in a word each: a reader's language has a text for each.
pub const BIRTH_KINDS: [&str; 3] = ["off", "asked", "silent"];

/// The births of one node: whether they are wanted, and since when they were asked for.
#[derive(Debug, Default)]
pub(super) struct Rebirth {
    /// Something came that only a birth explains.
    wanted: bool,
    /// The last request, and how long none may follow.
    last: Option<(Ticks, Duration)>,
    /// Requests since the last birth.
    asked: u32,
    /// Meters of which it was told that their data wait, by their place, and the reason told.
    told: BTreeMap<usize, &'static str>,
}

impl Rebirth {
    pub(super) const fn want(&mut self) {
        self.wanted = true;
    }

    /// The node gave birth, or is gone: there is nothing to ask it for.
    pub(super) const fn settle(&mut self) {
        self.wanted = false;
        self.asked = 0;
    }

    /// When the node is to be asked; `None` where nothing is missing.
    pub(super) fn due(&self) -> Option<Ticks> {
        self.wanted.then(|| self.last.map_or_else(Ticks::now, |(asked, wait)| asked + wait))
    }

    /// Takes note that the node is asked now. One that is asked again soon is asked ever more seldom.
    pub(super) fn ask(&mut self) {
        let now = Ticks::now();
        let wait = match self.last {
            Some((asked, wait)) if now < asked + 2 * wait => (2 * wait).min(WAIT_MAX),
            Some(_) | None => WAIT_MIN,
        };
        self.last = Some((now, wait));
        self.wanted = false;
        self.asked += 1;
    }

    /// Tells that data of a meter wait for a birth, where it was not told yet or the reason is another one.
    pub(super) fn tell(
        &mut self,
        place: usize,
        meter: &MeterId,
        node: &str,
        allowed: bool,
        inbox: &dyn Inbox,
    ) {
        let (kind, why) = if !allowed {
            ("off", "the link may not ask for it: set sparkplug_rebirth, or restart the node")
        } else if self.asked <= SILENT_AFTER {
            ("asked", "the node is asked for it")
        } else {
            (
                "silent",
                "the node was asked and does not answer; check that this program may publish on its NCMD topic",
            )
        };
        if self.told.insert(place, kind) != Some(kind) {
            let says = format!("data of Sparkplug node {node} wait for its birth: {why}");
            let finding = Finding::new(CODE, Severity::Caution, subject(meter), says, "");
            inbox.report(finding.with("node", node).with("kind", kind));
        }
    }

    /// A birth of the meter is known: what was told of it is over.
    pub(super) fn untell(&mut self, place: usize, meter: &MeterId, inbox: &dyn Inbox) {
        if self.told.remove(&place).is_some() {
            inbox.note(SourceEvent::Resolved { subject: subject(meter), code: CODE });
        }
    }
}

fn subject(meter: &MeterId) -> String {
    format!("meter:{meter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds at which a node is asked that never stops needing it, `until` so many have passed.
    async fn asked(rebirth: &mut Rebirth, until: u64) -> Vec<u64> {
        let begun = Ticks::now();
        let mut at = Vec::new();
        loop {
            rebirth.want();
            let due = rebirth.due().unwrap();
            if begun + Duration::from_secs(until) < due {
                return at;
            }
            tokio::time::sleep_until(due).await;
            at.push(begun.elapsed().as_secs());
            rebirth.ask();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_needs_it_again_and_again_is_asked_ever_more_seldom() {
        let mut rebirth = Rebirth::default();
        assert_eq!(rebirth.due(), None);
        assert_eq!(asked(&mut rebirth, 10_000).await, [0, 60, 180, 420, 900, 1_860, 3_780, 7_380]);
        // Long after it is a new story; a birth alone is none, or a node that loses messages would be asked each minute.
        tokio::time::sleep(3 * WAIT_MAX).await;
        assert_eq!(asked(&mut rebirth, 100).await, [0, 60]);
        rebirth.settle();
        assert_eq!(rebirth.due(), None);
        assert_eq!(asked(&mut rebirth, 200).await, [120]);
    }
}
