//! From decoded values to readings, with a finding when a channel or a meter goes bad and when it recovers.
//!
//! Must never: repeat a finding every round; only changes are told.

use std::collections::BTreeSet;

use model::{Channel, Finding, Instant, MeterId, Origin, Quality, Reading, SeriesKey, Severity};
use profile::Decoded;

use crate::error::LinkError;
use crate::inbox::{Inbox, ReadingOutcome, SourceEvent};

/// When and by which way a set of values came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) observed_at: Instant,
    pub(crate) received_at: Instant,
    pub(crate) quality: Quality,
    pub(crate) origin: Origin,
}

/// What is known to be wrong with a meter at present.
#[derive(Debug)]
pub(crate) struct Judge {
    meter: MeterId,
    bad: BTreeSet<(Channel, &'static str)>,
    failing: Option<&'static str>,
}

impl Judge {
    pub(crate) const fn new(meter: MeterId) -> Self {
        Self { meter, bad: BTreeSet::new(), failing: None }
    }

    fn subject(&self) -> String {
        format!("meter:{}", self.meter)
    }

    /// The readings among `values`. Those that are none are counted and told.
    pub(crate) fn readings(
        &mut self,
        values: &[(Channel, Decoded)],
        arrival: Arrival,
        inbox: &dyn Inbox,
    ) -> Vec<Reading> {
        let mut readings = Vec::with_capacity(values.len());
        let (mut accepted, mut implausible, mut without) = (0, 0, 0);
        for &(channel, decoded) in values {
            let (value, quality) = match decoded {
                Decoded::Value(value) => {
                    accepted += 1;
                    (value, arrival.quality)
                }
                Decoded::Implausible(value, _) => {
                    implausible += 1;
                    (value, Quality::Implausible)
                }
                Decoded::Sentinel { .. }
                | Decoded::NotANumber { .. }
                | Decoded::Overflow { .. }
                | Decoded::UnknownUnit { .. }
                | Decoded::NoFactor { .. }
                | Decoded::Missing => {
                    without += 1;
                    self.judge(channel, decoded, inbox);
                    continue;
                }
            };
            self.judge(channel, decoded, inbox);
            readings.push(Reading {
                series: SeriesKey { meter: self.meter.clone(), channel },
                observed_at: arrival.observed_at,
                received_at: arrival.received_at,
                value,
                quality,
                origin: arrival.origin,
            });
        }
        for (outcome, count) in [
            (ReadingOutcome::Accepted, accepted),
            (ReadingOutcome::Implausible, implausible),
            (ReadingOutcome::NoValue, without),
        ] {
            if count > 0 {
                let meter = self.meter.clone();
                inbox.note(SourceEvent::Readings { meter, origin: arrival.origin, outcome, count });
            }
        }
        readings
    }

    /// Tells of a channel whose state changed.
    fn judge(&mut self, channel: Channel, decoded: Decoded, inbox: &dyn Inbox) {
        let (code, says) = match decoded {
            Decoded::Value(_) => {
                self.bad.retain(|(bad, _)| *bad != channel);
                return;
            }
            Decoded::Implausible(value, range) => (
                "value.implausible",
                format!("{channel} reads {} where {range} is plausible; kept but not used", value.as_f64()),
            ),
            Decoded::Sentinel { bits } => {
                ("value.sentinel", format!("{channel} reads {bits:#x}, the meter's sign for no value"))
            }
            Decoded::NotANumber { bits } => {
                ("value.not_a_number", format!("{channel} reads {bits:#x}, which is no finite number"))
            }
            Decoded::Overflow { bits } => {
                ("value.overflow", format!("{channel} reads {bits:#x}, too large to be kept"))
            }
            Decoded::UnknownUnit { code } => (
                "value.unit_unknown",
                format!("{channel} has a unit of code {code}, which the meter's file does not know"),
            ),
            Decoded::NoFactor { bits } => (
                "value.factor_missing",
                format!("{channel} is multiplied by a register that reads {bits:#x}, which is no factor"),
            ),
            Decoded::Missing => ("value.missing", format!("{channel} was not in the answer")),
        };
        if self.bad.insert((channel, code)) {
            let finding = Finding::new(code, Severity::Caution, self.subject(), says.clone(), "");
            inbox.report(finding.with("channel", channel).with("says", says));
        }
    }

    /// Tells of a failure, unless the meter was failing in the same way already.
    pub(crate) fn failed(&mut self, error: &LinkError, inbox: &dyn Inbox) {
        if self.failing != Some(error.code()) {
            self.failing = Some(error.code());
            inbox.report(error.finding(&self.subject()));
        }
    }

    /// Tells that a failing meter answers again.
    pub(crate) fn recovered(&mut self, inbox: &dyn Inbox) {
        if self.failing.take().is_some() {
            inbox.report(Finding::new("link.up", Severity::Note, self.subject(), "answers again", ""));
        }
    }
}
