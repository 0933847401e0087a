//! Receives, makes durable, acknowledges, in that order; connects again after a failure.
//!
//! Must never: acknowledge out of order, or wait for the event loop while it waits for us.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use model::{Finding, Severity};

use super::records::Records;
use super::session::{Message, Said, Session, options};
use super::sort::{Sorted, Sorter};
use super::{Mqtt, Settings};
use crate::backoff::Backoff;
use crate::error::LinkError;
use crate::inbox::{BoxFuture, Clock, Inbox, InboxError, Remembered, SourceEvent, Stop};

/// Messages made durable with one submission, at most.
const GROUP_MAX: usize = super::session::UNACKED_MAX;

/// Topics of earlier configurations that are taken back within one connection, at most.
const UNSUBSCRIBED_MAX: usize = 1_000;

/// Rebuilt readings made durable with one submission, at most.
const RECOVERED_MAX: usize = 1_000;

/// How a connection ended.
enum End {
    Stopped,
    Failed(LinkError),
}

struct Runner {
    link: String,
    settings: Settings,
    sorter: Sorter,
    inbox: Arc<dyn Inbox>,
    clock: Arc<dyn Clock>,
    backoff: Backoff,
    up: Option<bool>,
    /// Code of the last failure told.
    told: Option<&'static str>,
    /// The journal refused, and has taken nothing since. That the broker is there does not mend it.
    refused: bool,
    /// What was remembered before this start has been asked for.
    recalled: bool,
}

pub(super) async fn run(link: Mqtt, inbox: Arc<dyn Inbox>, clock: Arc<dyn Clock>, mut stop: Stop) {
    let mut runner = Runner {
        sorter: Sorter::new(
            link.id.clone(),
            &link.settings.client_id,
            link.settings.sparkplug_rebirth,
            link.subscribers,
        ),
        backoff: Backoff::new(Duration::from_secs(link.settings.backoff_max_s)),
        link: link.id,
        settings: link.settings,
        inbox,
        clock,
        up: None,
        told: None,
        refused: false,
        recalled: false,
    };
    while !stop.is_stopped() {
        let error = match runner.connection(&mut stop).await {
            End::Stopped => break,
            End::Failed(error) => error,
        };
        runner.down(&error);
        let wait = runner.backoff.fail();
        tokio::select! {
            biased;
            () = stop.stopped() => break,
            () = tokio::time::sleep(wait) => {}
        }
        runner.inbox.note(SourceEvent::SessionRebuilt { link: runner.link.clone() });
    }
}

impl Runner {
    fn subject(&self) -> String {
        format!("link:{}", self.link)
    }

    fn down(&mut self, error: &LinkError) {
        self.refused |= matches!(error, LinkError::Inbox { .. });
        if self.told != Some(error.code()) {
            self.told = Some(error.code());
            self.inbox.report(error.finding(&self.subject()));
        }
        if self.up != Some(false) {
            self.up = Some(false);
            self.inbox.note(SourceEvent::LinkState { link: self.link.clone(), up: false });
        }
    }

    /// The link works: the broker is there, and the journal does not refuse what it sends.
    fn works(&mut self) {
        self.backoff.reset();
        if self.told.take().is_some() {
            let says = "connected again";
            self.inbox.report(Finding::new("link.up", Severity::Note, self.subject(), says, ""));
        }
        if self.up != Some(true) {
            self.up = Some(true);
            self.inbox.note(SourceEvent::LinkState { link: self.link.clone(), up: true });
        }
    }

    /// One connection, from opening to its end.
    async fn connection(&mut self, stop: &mut Stop) -> End {
        let options = match options(&self.link, &self.settings, &self.settings.client_id, false) {
            Ok(options) => options,
            Err(error) => return End::Failed(error),
        };
        let mut session = Session::open(&self.settings, options, Arc::clone(&self.clock));
        let topics = self.sorter.topics();
        let mut unsubscribed: BTreeSet<String> = BTreeSet::new();
        let mut held: Option<Said> = None;
        loop {
            let said = match held.take() {
                Some(said) => Some(said),
                None => tokio::select! {
                    biased;
                    () = stop.stopped() => {
                        session.close().await;
                        return End::Stopped;
                    }
                    () = until(self.sorter.due()) => match self.ask(&session).await {
                        Ok(()) => continue,
                        Err(error) => return End::Failed(error),
                    },
                    said = session.next() => said,
                },
            };
            match said {
                Some(Said::Connected { resumed }) => {
                    if let Err(error) = self.remember_or_forget(resumed).await {
                        return End::Failed(error);
                    }
                    if !topics.is_empty() && !session.subscribe(&topics) {
                        return End::Failed(self.lost("the event loop ended"));
                    }
                }
                Some(Said::Subscribed(granted)) => self.subscribed(&topics, &granted),
                Some(Said::Message(first)) => {
                    let mut group = vec![first];
                    held = gather(&mut session, &mut group);
                    let sorted = match self.settle(&group).await {
                        Ok(sorted) => sorted,
                        Err(error) => return End::Failed(error),
                    };
                    // At the first that cannot be sent it ends, since a later one would confirm a gap; what
                    // is not acknowledged comes again with the next connection.
                    if !group.iter().all(|message| session.ack(message)) {
                        return End::Failed(match held {
                            Some(Said::Failed(error)) => error,
                            Some(Said::Connected { .. } | Said::Subscribed(_) | Said::Message(_)) | None => {
                                self.lost("the event loop ended")
                            }
                        });
                    }
                    if sorted.stored {
                        self.stored();
                    }
                    for topic in sorted.unclaimed {
                        if unsubscribed.len() < UNSUBSCRIBED_MAX && unsubscribed.insert(topic.clone()) {
                            let _sent = session.unsubscribe(&topic);
                        }
                    }
                }
                Some(Said::Failed(error)) => return End::Failed(error),
                None => return End::Failed(self.lost("the event loop ended")),
            }
        }
    }

    /// Asks devices for what they kept and nodes for their births, where it is time for it.
    async fn ask(&mut self, session: &Session) -> Result<(), LinkError> {
        let now = self.clock.now();
        let due = self.sorter.records.act(now, &*self.inbox);
        for request in due.requests.into_iter().chain(self.sorter.nodes.act(now)) {
            if !session.publish(request) {
                return Err(self.lost("the event loop ended"));
            }
        }
        let failed = |source| LinkError::Inbox { link: self.link.clone(), source };
        all(due.ended.into_iter().map(|one| self.inbox.remember(one)).collect()).await.map_err(failed)
    }

    fn lost(&self, why: &'static str) -> LinkError {
        LinkError::BrokerLost { address: self.settings.address.clone(), source: why.into() }
    }

    fn subscribed(&mut self, topics: &[String], granted: &[bool]) {
        for (topic, _) in topics.iter().zip(granted).filter(|(_, granted)| !**granted) {
            let says = format!("the broker does not grant the topic {topic}; check its access list");
            let subject = self.subject();
            self.inbox.report(
                Finding::new("link.subscription.refused", Severity::Caution, subject, says, "")
                    .with("topic", topic),
            );
        }
        self.sorter.records.subscribed();
        self.sorter.nodes.subscribed(true);
        if !self.refused {
            self.works();
        }
    }

    /// The journal took a group of messages, and it is acknowledged.
    fn stored(&mut self) {
        if std::mem::take(&mut self.refused) {
            self.works();
        }
    }

    /// What a node told of its values holds only while the broker keeps everything for us: then what was
    /// remembered before a restart is learned again, else all of it is forgotten, on disk as well.
    async fn remember_or_forget(&mut self, resumed: bool) -> Result<(), LinkError> {
        self.sorter.records.reset();
        self.sorter.nodes.subscribed(false);
        if self.sorter.nodes.is_empty() && self.sorter.records.is_empty() {
            return Ok(());
        }
        let failed = |source| LinkError::Inbox { link: self.link.clone(), source };
        let remembered =
            if self.recalled { Vec::new() } else { self.inbox.recall(&self.link).await.map_err(failed)? };
        if !self.recalled {
            self.sorter.records.recall(&remembered);
            for series in self.sorter.records.series() {
                if let Some((at, value)) = self.inbox.last_total(&series).await.map_err(failed)? {
                    self.sorter.records.learn(&series, at, value);
                }
            }
        }
        // Gaps hold whatever the broker has kept.
        let remembered: Vec<Remembered> =
            remembered.into_iter().filter(|one| !Records::owns(&one.key)).collect();
        let mut forgotten = Vec::new();
        if resumed {
            self.sorter.nodes.recall(&remembered);
        } else {
            let at = self.clock.now();
            forgotten = self.sorter.nodes.forget(at);
            forgotten.extend(remembered.into_iter().map(|one| Remembered { value: Vec::new(), at, ..one }));
        }
        let failed = |source| LinkError::Inbox { link: self.link.clone(), source };
        all(forgotten.into_iter().map(|one| self.inbox.remember(one)).collect()).await.map_err(failed)?;
        self.recalled = true;
        Ok(())
    }

    /// Makes a group of messages durable, all of it at the same time. When any of it fails, none of the group
    /// is acknowledged, and all of it comes again.
    async fn settle(&mut self, group: &[Message]) -> Result<Sorted, LinkError> {
        let mut sorted = Sorted::default();
        for message in group {
            self.sorter.sort(message, &mut sorted, &*self.inbox);
        }
        sorted.stored =
            !(sorted.readings.is_empty() && sorted.recovered.is_empty() && sorted.quarantined.is_empty());
        let mut waiting: Vec<BoxFuture<'_, Result<(), InboxError>>> = Vec::new();
        if !sorted.readings.is_empty() {
            waiting.push(self.inbox.submit(std::mem::take(&mut sorted.readings)));
        }
        waiting.extend(std::mem::take(&mut sorted.quarantined).into_iter().map(|m| self.inbox.quarantine(m)));
        let remembered = std::mem::take(&mut sorted.remembered);
        waiting.extend(remembered.into_values().map(|one| self.inbox.remember(one)));
        let failed = |source| LinkError::Inbox { link: self.link.clone(), source };
        // What was rebuilt goes before the word that its gap is closed, and piece by piece: it may be more than the
        // journal takes at once.
        for piece in sorted.recovered.chunks(RECOVERED_MAX) {
            self.inbox.submit(piece.to_vec()).await.map_err(failed)?;
        }
        all(waiting).await.map_err(failed)?;
        self.sorter.settled(group, &sorted, &*self.inbox);
        Ok(sorted)
    }
}

/// Waits for a time, or for ever.
async fn until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Waits for all at the same time, so that the store can make them durable with one write; the first error.
async fn all(mut waiting: Vec<BoxFuture<'_, Result<(), InboxError>>>) -> Result<(), InboxError> {
    let mut outcome = Ok(());
    poll_fn(|context| {
        waiting.retain_mut(|future| match future.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(ended) => {
                if outcome.is_ok() {
                    outcome = ended;
                }
                false
            }
        });
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outcome
}

/// Adds the messages that have arrived already; returns what was said that is no message.
fn gather(session: &mut Session, group: &mut Vec<Message>) -> Option<Said> {
    while group.len() < GROUP_MAX {
        match session.next_now()? {
            Said::Message(message) => group.push(message),
            other @ (Said::Connected { .. } | Said::Subscribed(_) | Said::Failed(_)) => return Some(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestClock, TestInbox};

    fn runner(inbox: &Arc<TestInbox>) -> Runner {
        let table = "address = \"localhost:1883\"\nclient_id = \"c\"".parse().unwrap();
        Runner {
            link: "l".into(),
            settings: Settings::parse("l", &table).unwrap(),
            sorter: Sorter::new("l".into(), "c", false, Vec::new()),
            inbox: Arc::clone(inbox) as Arc<dyn Inbox>,
            clock: TestClock::new(),
            backoff: Backoff::new(Duration::from_secs(60)),
            up: None,
            told: None,
            refused: false,
            recalled: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_refusal_of_the_journal_the_link_is_up_only_when_it_takes_something() {
        let inbox = Arc::new(TestInbox::default());
        let mut runner = runner(&inbox);
        runner.down(&LinkError::Inbox { link: "l".into(), source: InboxError::Closed });
        runner.backoff.fail();
        runner.subscribed(&[], &[]);
        assert_eq!((inbox.codes(), runner.up), (vec!["link.inbox"], Some(false)));
        assert!(runner.backoff.is_failing());
        runner.stored();
        assert_eq!((inbox.codes(), runner.up), (vec!["link.inbox", "link.up"], Some(true)));
        assert!(!runner.backoff.is_failing());
        // Of any other failure the subscription is the end.
        let lost = runner.lost("test");
        runner.down(&lost);
        runner.backoff.fail();
        runner.subscribed(&[], &[]);
        assert_eq!((inbox.codes().len(), runner.up), (4, Some(true)));
        assert!(!runner.backoff.is_failing());
    }

    #[tokio::test(start_paused = true)]
    async fn all_wait_together_and_one_error_is_enough() {
        let begun = tokio::time::Instant::now();
        let waits = |fails: Option<usize>| {
            let wait = move |i| -> BoxFuture<'static, Result<(), InboxError>> {
                Box::pin(async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    if fails == Some(i) { Err(InboxError::Closed) } else { Ok(()) }
                })
            };
            (0..500).map(wait).collect::<Vec<_>>()
        };
        assert_eq!(all(waits(None)).await, Ok(()));
        assert!(begun.elapsed() < Duration::from_millis(1_100), "{:?}", begun.elapsed());
        assert_eq!(all(waits(Some(250))).await, Err(InboxError::Closed));
        assert_eq!(all(Vec::new()).await, Ok(()));
    }
}
