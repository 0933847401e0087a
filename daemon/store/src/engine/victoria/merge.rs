//! Samples of several fields, put together to readings again.
//!
//! Must never: make a reading of a part, or choose between two samples that disagree.

use std::collections::BTreeMap;

use model::{Instant, Origin, Quality, Reading};

use super::super::answer::Exported;
use super::super::line::{MEASUREMENT, field, identity_of};
use super::super::number::{self, Found};
use super::super::{EngineSeries, ReadBack};

/// What was found of one identity.
#[derive(Debug)]
struct Parts {
    quality: Quality,
    found: Found,
    delay: Option<f64>,
    /// Two samples of one field disagree.
    is_torn: bool,
}

/// Of each identity in an export the reading, or `None` where its parts make none.
pub(super) fn compare(
    series: &EngineSeries,
    exported: &[Exported],
) -> BTreeMap<(i64, Origin), Option<Reading>> {
    let whole = (Instant::from_millis(i64::MIN), Instant::from_millis(i64::MAX));
    let all = gather(series, exported, whole.0, whole.1);
    let reading = |((stamp, origin), parts): ((i64, Origin), Parts)| {
        let reading = parts.reading(series, stamp, origin).filter(|_| !parts.is_torn);
        ((stamp, origin), reading)
    };
    all.into_iter().map(reading).collect()
}

/// The readings in an export from `from` on and before `to`.
pub(super) fn readings_within(
    series: &EngineSeries,
    exported: &[Exported],
    from: Instant,
    to: Instant,
) -> ReadBack {
    let mut back = ReadBack::default();
    for ((stamp, origin), parts) in gather(series, exported, from, to) {
        match parts.reading(series, stamp, origin) {
            _ if parts.is_torn => back.ambiguous += 1,
            Some(reading) => back.readings.push(reading),
            None => back.incomplete += 1,
        }
    }
    back
}

/// The parts of each identity.
fn gather(
    series: &EngineSeries,
    exported: &[Exported],
    from: Instant,
    to: Instant,
) -> BTreeMap<(i64, Origin), Parts> {
    let mut all: BTreeMap<(i64, Origin), Parts> = BTreeMap::new();
    for one in exported {
        let label = |name: &str| one.labels.get(name).map(String::as_str);
        let Some((of, origin, quality)) = identity_of(label) else { continue };
        let name = label("__name__").and_then(|n| n.strip_prefix(MEASUREMENT)?.strip_prefix('_'));
        let Some(name) = name.filter(|_| of == *series) else { continue };
        for &(stamp, value) in &one.samples {
            if stamp < from.millis() || to.millis() <= stamp {
                continue;
            }
            let parts = all.entry((stamp, origin)).or_insert_with(|| Parts {
                quality,
                found: Found::default(),
                delay: None,
                is_torn: false,
            });
            let is_same = parts.quality == quality && parts.take(name, value);
            parts.is_torn |= !is_same;
        }
    }
    all
}

impl Parts {
    /// Notes a sample; false when the field has another value already.
    fn take(&mut self, name: &str, value: f64) -> bool {
        let slot = match name {
            field::TOTAL => &mut self.found.total,
            field::GAUGE => &mut self.found.gauge,
            field::STEPS => &mut self.found.steps,
            field::HIGH => &mut self.found.high,
            field::LOW => &mut self.found.low,
            field::DELAY => &mut self.delay,
            _ => return true,
        };
        *slot.get_or_insert(value) == value
    }

    fn reading(&self, series: &EngineSeries, stamp: i64, origin: Origin) -> Option<Reading> {
        let delay = self.delay.unwrap_or(0.0);
        let is_delay = delay.fract() == 0.0 && delay.abs() <= (1_u64 << 53) as f64;
        // Below 2^53, so the cast is exact.
        let received = is_delay.then(|| stamp.checked_add(delay as i64)).flatten()?;
        Some(Reading {
            series: series.key.clone(),
            observed_at: Instant::from_millis(stamp),
            received_at: Instant::from_millis(received),
            value: number::join(series.key.channel.quantity.kind(), &self.found)?,
            quality: self.quality,
            origin,
        })
    }
}
