//! The way from the connectors into the journal, and from there into series and metrics.
//!
//! Must never: resolve a submission before the journal has it on disk.

use std::sync::Arc;

use chrono::Datelike;
use connectors::{
    BoxFuture, Inbox, InboxError, MessageOutcome, PollOutcome, Quarantined, ReadingOutcome, Remembered,
    SourceEvent,
};
use model::{Finding, Instant, MeterId, Origin, Quality, Reading, SeriesKey, Severity, Value};
use store::{StoreError, Tally};

use crate::aside;
use crate::clock::CLOCK;
use crate::metrics::Outcome;
use crate::runtime::Runtime;

/// The journal as the connectors see it.
pub(crate) struct Ingest(pub(crate) Arc<Runtime>);

/// The subject of findings about the journal.
const JOURNAL: &str = "store:journal";
/// 1 January 2000: a machine that shows less has not been told the time since it was switched on.
const CLOCK_SET: Instant = Instant::from_millis(946_684_800_000);
/// The code with which a connector says that a link or meter works again.
const LINK_UP: &str = "link.up";

impl Ingest {
    /// Counts in the loss budget what left no reading.
    fn lost(&self, meter: &MeterId, what: Tally, count: u64) {
        self.0.losses.note(meter, what, count, self.0.clock.now());
    }

    /// Tells of the readings that the journal put aside.
    async fn tell_of_aside(&self, readings: Vec<Reading>) {
        let runtime = Arc::clone(&self.0);
        if tokio::task::spawn_blocking(move || aside::look(&runtime, &readings)).await.is_err() {
            tracing::error!("telling of values that were put aside panicked");
        }
    }

    /// What a failed write means to a connector, and a finding for people until a write succeeds.
    fn refused(&self, error: &StoreError) -> InboxError {
        let reason = format!("{:#}", anyhow::Error::new(error.clone()));
        self.0.report(
            Finding::new(
                "store.refused",
                Severity::Blocks,
                JOURNAL,
                reason.clone(),
                "nothing is acknowledged that is not on disk",
            )
            .with("error", &reason),
        );
        if matches!(error, StoreError::Closed { .. }) {
            return InboxError::Closed;
        }
        InboxError::Refused { reason }
    }
}

impl Ingest {
    /// Takes nothing while the machine does not know the time: a reading in a wrong year is of no month.
    fn knows_the_time(&self) -> Result<(), InboxError> {
        let now = self.0.clock.now();
        if CLOCK_SET <= now {
            self.0.resolve(CLOCK, Some("clock.unset"));
            return Ok(());
        }
        let reason = format!("the clock of this machine says {now}; set it, or let it reach a time server");
        let rule = "a reading without its time is of no month";
        let finding = Finding::new("clock.unset", Severity::Blocks, CLOCK, reason.clone(), rule);
        self.0.report(finding.with("now", now));
        Err(InboxError::Refused { reason })
    }
}

impl Inbox for Ingest {
    fn submit(&self, readings: Vec<Reading>) -> BoxFuture<'_, Result<(), InboxError>> {
        Box::pin(async move {
            let Some(first) = readings.first() else { return Ok(()) };
            self.knows_the_time()?;
            let (source, count) = (first.origin.code(), readings.len() as u64);
            let counted = self.0.losses.counted(&readings);
            match self.0.store.append_counted(readings.clone(), counted).await {
                Ok(appended) => {
                    let metrics = &self.0.metrics;
                    metrics.readings(source, Outcome::Stored, appended.new);
                    metrics.readings(source, Outcome::Duplicate, appended.duplicate);
                    metrics.readings(source, Outcome::Conflicting, appended.conflicting);
                    let implausible = readings.iter().filter(|r| r.quality == Quality::Implausible).count();
                    metrics.readings(source, Outcome::Implausible, implausible as u64);
                    if 0 < appended.new {
                        self.0.book.take(&readings, self.0.clock.now());
                        let year = self.0.today().year();
                        let zone = self.0.installation().settings.installation.zone;
                        if readings.iter().any(|r| r.observed_at.day(zone).year() < year) {
                            self.0.note_late();
                        }
                    }
                    self.0.resolve(JOURNAL, Some("store.refused"));
                    if 0 < appended.conflicting {
                        self.tell_of_aside(readings).await;
                    }
                    Ok(())
                }
                Err(error) => {
                    self.0.metrics.readings(source, Outcome::Failed, count);
                    Err(self.refused(&error))
                }
            }
        })
    }

    fn quarantine(&self, message: Quarantined) -> BoxFuture<'_, Result<(), InboxError>> {
        Box::pin(async move {
            let source = message.origin.code();
            let item = store::Quarantined {
                origin: message.origin,
                link: message.link,
                meter: message.meter,
                place: message.place,
                length: message.length as u64,
                payload: message.payload,
                reason: message.reason,
                at: message.at,
            };
            match self.0.store.quarantine(item).await {
                Ok(()) => {
                    self.0.metrics.readings(source, Outcome::Quarantined, 1);
                    Ok(())
                }
                Err(error) => Err(self.refused(&error)),
            }
        })
    }

    fn remember(&self, remembered: Remembered) -> BoxFuture<'_, Result<(), InboxError>> {
        Box::pin(async move {
            let Remembered { link, key, value, at } = remembered;
            let kept = self.0.store.remember(store::Remembered { link, key, value, at }).await;
            kept.map_err(|error| self.refused(&error))
        })
    }

    fn recall(&self, link: &str) -> BoxFuture<'_, Result<Vec<Remembered>, InboxError>> {
        let (store, link) = (self.0.store.clone(), link.to_owned());
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || store.remembered(&link)).await;
            let read = read.map_err(|error| InboxError::Refused { reason: error.to_string() })?;
            let all = read.map_err(|error| self.refused(&error))?;
            let of_store = |one: store::Remembered| {
                let store::Remembered { link, key, value, at } = one;
                Remembered { link, key, value, at }
            };
            Ok(all.into_iter().map(of_store).collect())
        })
    }

    fn last_total(&self, series: &SeriesKey) -> BoxFuture<'_, Result<Option<(Instant, i64)>, InboxError>> {
        let (store, series) = (self.0.store.clone(), series.clone());
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || store.latest(&series)).await;
            let read = read.map_err(|error| InboxError::Refused { reason: error.to_string() })?;
            let last = read.map_err(|error| self.refused(&error))?;
            Ok(last.and_then(|last| match (last.value, last.quality) {
                (Value::Total(total), Quality::Good | Quality::ArrivalTime) => {
                    Some((last.observed_at, total))
                }
                (Value::Total(_), Quality::Implausible) | (Value::Gauge(_), _) => None,
            }))
        })
    }

    fn report(&self, finding: Finding) {
        if finding.code == LINK_UP {
            // Not a fact to act on: it closes those that were.
            self.0.resolve_links(&finding.subject);
            tracing::info!(subject = %finding.subject, "{}", finding.says);
        } else {
            self.0.report(finding);
        }
    }

    fn note(&self, event: SourceEvent) {
        match event {
            SourceEvent::Poll { link: _, meter, duration, outcome } => {
                self.0.metrics.poll(&meter, outcome.code(), duration);
                if outcome == PollOutcome::Complete {
                    self.0.resolve_links(&format!("meter:{meter}"));
                }
            }
            // What the journal made of readings is counted where it answers; here only what never reached it.
            SourceEvent::Readings { meter, origin, outcome, count } => match outcome {
                ReadingOutcome::Accepted | ReadingOutcome::Implausible => {}
                ReadingOutcome::NoValue => {
                    self.0.metrics.readings(origin.code(), Outcome::NoValue, count);
                    self.lost(&meter, Tally::NoValue, count);
                }
                ReadingOutcome::Dropped => {
                    self.0.metrics.readings(origin.code(), Outcome::Dropped, count);
                    self.lost(&meter, Tally::Dropped, count);
                }
            },
            SourceEvent::Message { meter, outcome, count, .. } => {
                if let (Some(meter), MessageOutcome::Quarantined) = (meter, outcome) {
                    self.lost(&meter, Tally::Quarantined, count);
                }
                let source = Origin::Mqtt.code();
                match outcome {
                    MessageOutcome::Accepted
                    | MessageOutcome::Duplicate
                    | MessageOutcome::Presence
                    | MessageOutcome::Unrelated
                    | MessageOutcome::Quarantined => {}
                    MessageOutcome::Retained => self.0.metrics.readings(source, Outcome::Retained, count),
                    MessageOutcome::Unclaimed => self.0.metrics.readings(source, Outcome::Unclaimed, count),
                }
            }
            SourceEvent::Resolved { subject, code } => self.0.resolve(&subject, Some(code)),
            SourceEvent::SessionRebuilt { link } => self.0.metrics.session(&link),
            SourceEvent::LinkState { link, up } => {
                self.0.metrics.link(&link, up);
                if up {
                    self.0.resolve_links(&format!("link:{link}"));
                }
            }
        }
    }
}
