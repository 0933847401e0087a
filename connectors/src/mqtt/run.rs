//! Receives, makes durable, acknowledges, in that order; connects again after a failure.
//!
//! Must never: acknowledge out of order, or wait for the event loop while it waits for us.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::{Finding, Instant, Severity};
use rumqttc::Publish;

use super::session::{Said, Session, options};
use super::sort::{Sorted, Sorter};
use super::{Mqtt, Settings};
use crate::backoff::Backoff;
use crate::error::LinkError;
use crate::inbox::{Clock, Inbox, SourceEvent, Stop};

/// Messages made durable with one submission, at most.
const GROUP_MAX: usize = 1_024;

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
}

pub(super) async fn run(link: Mqtt, inbox: Arc<dyn Inbox>, clock: Arc<dyn Clock>, mut stop: Stop) {
    let mut runner = Runner {
        sorter: Sorter::new(link.id.clone(), link.subscribers),
        backoff: Backoff::new(Duration::from_secs(link.settings.backoff_max_s)),
        link: link.id,
        settings: link.settings,
        inbox,
        clock,
        up: None,
        told: None,
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
        if self.told != Some(error.code()) {
            self.told = Some(error.code());
            self.inbox.report(error.finding(&self.subject()));
        }
        if self.up != Some(false) {
            self.up = Some(false);
            self.inbox.note(SourceEvent::LinkState { link: self.link.clone(), up: false });
        }
    }

    fn connected(&mut self) {
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
        let mut unsubscribed = BTreeSet::new();
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
                    said = session.next() => said,
                },
            };
            match said {
                Some(Said::Connected) => {
                    if !topics.is_empty() && !session.subscribe(&topics) {
                        return End::Failed(self.lost("the event loop ended"));
                    }
                }
                Some(Said::Subscribed(granted)) => self.subscribed(&topics, &granted),
                Some(Said::Message(first, arrived)) => {
                    let mut group = vec![(first, arrived)];
                    held = gather(&mut session, &mut group);
                    let sorted = match self.settle(&group).await {
                        Ok(sorted) => sorted,
                        Err(error) => return End::Failed(error),
                    };
                    if !group.iter().all(|(message, _)| session.ack(message)) && held.is_none() {
                        return End::Failed(self.lost("the event loop ended"));
                    }
                    for topic in sorted.unclaimed {
                        if unsubscribed.insert(topic.clone()) {
                            let _sent = session.unsubscribe(&topic);
                        }
                    }
                }
                Some(Said::Failed(error)) => return End::Failed(error),
                None => return End::Failed(self.lost("the event loop ended")),
            }
        }
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
        self.backoff.reset();
        self.connected();
    }

    /// Makes a group of messages durable.
    async fn settle(&mut self, group: &[(Publish, Instant)]) -> Result<Sorted, LinkError> {
        let mut sorted = Sorted::default();
        for (message, arrived) in group {
            self.sorter.sort(message, *arrived, &mut sorted, &*self.inbox);
        }
        let failed = |source| LinkError::Inbox { link: self.link.clone(), source };
        for message in std::mem::take(&mut sorted.quarantined) {
            self.inbox.quarantine(message).await.map_err(failed)?;
        }
        if !sorted.readings.is_empty() {
            self.inbox.submit(std::mem::take(&mut sorted.readings)).await.map_err(failed)?;
        }
        Ok(sorted)
    }
}

/// Adds the messages that have arrived already; returns what was said that is no message.
fn gather(session: &mut Session, group: &mut Vec<(Publish, Instant)>) -> Option<Said> {
    while group.len() < GROUP_MAX {
        match session.next_now()? {
            Said::Message(message, arrived) => group.push((message, arrived)),
            other @ (Said::Connected | Said::Subscribed(_) | Said::Failed(_)) => return Some(other),
        }
    }
    None
}
