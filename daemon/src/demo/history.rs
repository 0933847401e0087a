//! The past of the demonstration's meters as readings, in order of time, to go through the same journal as live ones.
//!
//! Must never: skip the journal, or say anything that the registers of the simulated meters would not have said.

use std::collections::BTreeMap;

use model::{Instant, MeterId, Origin, Quality, Reading, SeriesKey, Value};
use profile::Measure;

use super::building::QUARTER_MILLIS;
use super::portfolio::Meter;
use super::registers::as_read;

/// Length of one batch: four days of quarter hours, some thousand readings.
const BATCH_MILLIS: i64 = 4 * 86_400_000;

/// Readings of every meter at each quarter of an hour, in batches.
#[derive(Debug)]
pub(crate) struct History {
    meters: Vec<Recorded>,
    next: Instant,
    until: Instant,
}

/// A meter with what its register can resolve.
#[derive(Debug, Clone)]
struct Recorded {
    meter: Meter,
    series: SeriesKey,
    since: Instant,
    register: Option<Measure>,
}

impl History {
    /// From the first day of the oldest meter up to and without `until`. `registers` holds the total's measure of
    /// the meters that are read by registers.
    pub(crate) fn new(
        meters: &[(MeterId, Meter)],
        registers: &BTreeMap<MeterId, Measure>,
        until: Instant,
    ) -> Self {
        let recorded: Vec<Recorded> = meters
            .iter()
            .map(|(id, meter)| Recorded {
                meter: meter.clone(),
                series: SeriesKey { meter: id.clone(), channel: meter.channel() },
                since: model::time::day_start(meter.since, meter.building.zone),
                register: registers.get(id).cloned(),
            })
            .collect();
        let next = recorded.iter().map(|r| r.since).min().unwrap_or(until);
        Self { meters: recorded, next, until }
    }
}

impl Iterator for History {
    type Item = Vec<Reading>;

    fn next(&mut self) -> Option<Vec<Reading>> {
        while self.next < self.until {
            let from = self.next;
            let to = from.plus_millis(BATCH_MILLIS).min(self.until);
            self.next = to;
            let batch = batch(&self.meters, from, to);
            if !batch.is_empty() {
                return Some(batch);
            }
        }
        None
    }
}

fn batch(meters: &[Recorded], from: Instant, to: Instant) -> Vec<Reading> {
    let mut readings = Vec::new();
    let mut at = from;
    while at < to {
        for recorded in meters.iter().filter(|r| r.since <= at) {
            if let Some(total) = recorded.shown(at) {
                readings.push(Reading {
                    series: recorded.series.clone(),
                    observed_at: at,
                    received_at: at,
                    value: Value::Total(total),
                    quality: Quality::Good,
                    origin: Origin::Replay,
                });
            }
        }
        at = at.plus_millis(QUARTER_MILLIS);
    }
    readings
}

impl Recorded {
    /// What a reader of the meter got at that time; `None` when it did not answer.
    fn shown(&self, at: Instant) -> Option<i64> {
        let index = match self.meter.fault {
            None => self.meter.index(at),
            Some(fault) if at < fault.silent_from => self.meter.index(at),
            Some(fault) if at < fault.silent_to || fault.dead_from <= at => return None,
            Some(fault) if at < fault.silent_to.plus_millis(QUARTER_MILLIS) => return Some(fault.garbage),
            // The electronics were changed: the counter began again.
            Some(fault) => self.meter.index(at) - self.meter.index(fault.silent_to),
        };
        Some(self.register.as_ref().map_or(index, |register| as_read(register, index)))
    }
}
