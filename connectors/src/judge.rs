//! From decoded values to readings, with a finding when a channel or a meter goes bad and when it recovers.
//!
//! Must never: repeat a finding every round; only changes are told.

use std::collections::BTreeMap;

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
    /// Channels without a usable value, with the finding's code, its sentence and what was read.
    bad: BTreeMap<(Channel, &'static str), (String, String)>,
    failing: Option<&'static str>,
}

impl Judge {
    pub(crate) const fn new(meter: MeterId) -> Self {
        Self { meter, bad: BTreeMap::new(), failing: None }
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
                | Decoded::Withheld { .. }
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
        let raw = match decoded {
            Decoded::Value(value) | Decoded::Implausible(value, _) => value.as_f64().to_string(),
            Decoded::Sentinel { bits }
            | Decoded::NotANumber { bits }
            | Decoded::Overflow { bits }
            | Decoded::NoFactor { bits } => format!("{bits:#x}"),
            Decoded::UnknownUnit { code } => code.to_string(),
            Decoded::Withheld { by, .. } => format!("{} {}", by.space.code(), by.address),
            Decoded::Missing => String::new(),
        };
        let (code, says) = match decoded {
            Decoded::Value(_) => {
                self.mended(channel, None, inbox);
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
            Decoded::Withheld { by, read: true } => (
                "value.withheld",
                format!("{channel} is not used while {by} of the meter is not as its file says it must be"),
            ),
            Decoded::Withheld { by, read: false } => (
                "value.withheld",
                format!("{channel} is not used: {by}, by which the meter tells its state, was not read"),
            ),
        };
        self.mended(channel, Some(code), inbox);
        if !self.bad.contains_key(&(channel, code)) {
            self.tell(channel, code, (&says, &raw), inbox);
            self.bad.insert((channel, code), (says, raw));
        }
    }

    /// `says` is the sentence, `raw` what was read, in no language.
    fn tell(&self, channel: Channel, code: &'static str, (says, raw): (&str, &str), inbox: &dyn Inbox) {
        let finding = Finding::new(code, Severity::Caution, self.subject(), says, "");
        inbox.report(finding.with("channel", channel).with("raw", raw));
    }

    /// Takes back what was told of a channel, but for `still`. A finding stands for all channels of the meter that
    /// are bad in the same way: while there is another one, it is told of that one instead.
    fn mended(&mut self, channel: Channel, still: Option<&'static str>, inbox: &dyn Inbox) {
        let over: Vec<&'static str> =
            self.bad.keys().filter(|(bad, _)| *bad == channel).map(|k| k.1).collect();
        for code in over.into_iter().filter(|code| still != Some(code)) {
            self.bad.remove(&(channel, code));
            match self.bad.iter().find(|((_, other), _)| *other == code) {
                Some(((other, _), (says, raw))) => self.tell(*other, code, (says, raw), inbox),
                None => inbox.note(SourceEvent::Resolved { subject: self.subject(), code }),
            }
        }
    }

    /// Tells of a failure, unless the meter was failing in the same way already.
    pub(crate) fn failed(&mut self, error: &LinkError, inbox: &dyn Inbox) {
        let before = self.failing.replace(error.code());
        if before == Some(error.code()) {
            return;
        }
        inbox.report(error.finding(&self.subject()));
        if let Some(code) = before {
            // A meter that refuses a request does answer: what was told of its silence is over.
            inbox.note(SourceEvent::Resolved { subject: self.subject(), code });
        }
    }

    /// Tells that a failing meter answers again.
    pub(crate) fn recovered(&mut self, inbox: &dyn Inbox) {
        if self.failing.take().is_some() {
            inbox.report(Finding::new("link.up", Severity::Note, self.subject(), "answers again", ""));
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Phase, Quantity, Value};
    use profile::Range;

    use super::*;
    use crate::error::Target;
    use crate::testing::{BEGIN, TestInbox};

    fn channel(phase: Phase) -> Channel {
        Channel { quantity: Quantity::Voltage, phase }
    }

    fn judge(judge: &mut Judge, values: &[(Phase, Decoded)], inbox: &TestInbox) {
        let values: Vec<(Channel, Decoded)> = values.iter().map(|(p, d)| (channel(*p), *d)).collect();
        let arrival = Arrival {
            observed_at: BEGIN,
            received_at: BEGIN,
            quality: Quality::Good,
            origin: Origin::Modbus,
        };
        judge.readings(&values, arrival, inbox);
    }

    #[test]
    fn what_was_told_of_a_channel_is_taken_back_when_it_is_good_again() {
        let inbox = TestInbox::default();
        let mut state = Judge::new(MeterId::new("m").unwrap());
        let good = Decoded::Value(Value::Gauge(230.0));
        let bad = Decoded::NotANumber { bits: 1 };
        judge(&mut state, &[(Phase::L1, bad), (Phase::L2, bad)], &inbox);
        judge(&mut state, &[(Phase::L1, bad), (Phase::L2, good)], &inbox);
        // One finding stands for both; it now names the one that is still bad.
        assert_eq!(inbox.resolved(), []);
        assert!(inbox.findings.lock().unwrap().last().unwrap().says.starts_with("voltage.l1 "));
        let implausible = Decoded::Implausible(Value::Gauge(9e9), Range { from: 0.0, to: 1e3 });
        judge(&mut state, &[(Phase::L1, implausible)], &inbox);
        judge(&mut state, &[(Phase::L1, good), (Phase::L2, good)], &inbox);
        let meter = || "meter:m".to_owned();
        assert_eq!(inbox.resolved(), [(meter(), "value.not_a_number"), (meter(), "value.implausible")]);
        let told = inbox.codes();
        assert_eq!(told.len(), 4, "two told, one told again of the other, one of another kind: {told:?}");
    }

    #[test]
    fn a_meter_that_refuses_is_no_longer_silent() {
        let inbox = TestInbox::default();
        let mut state = Judge::new(MeterId::new("m").unwrap());
        let target = Target {
            meter: MeterId::new("m").unwrap(),
            place: "modbus tcp h:1".into(),
            unit: 1,
            asked: "input registers 0-1".into(),
        };
        let target = Box::new(target);
        state.failed(&LinkError::Timeout { target: target.clone(), timeout_ms: 1 }, &inbox);
        assert_eq!(inbox.resolved(), []);
        state.failed(&LinkError::Exception { target, code: 2, meaning: "" }, &inbox);
        assert_eq!(inbox.resolved(), [("meter:m".to_owned(), "link.timeout")]);
        state.recovered(&inbox);
        assert_eq!(inbox.codes(), ["link.timeout", "link.exception", "link.up"]);
    }
}
