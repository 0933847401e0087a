//! Quarter-hours or hours of the meters that an energy balance needs, from the journal and from files.
//!
//! Must never: take a reading that a person corrected, or one from after the day up to which data count.

use std::ops::ControlFlow;

use analytics::balance::{SlotBuilder, SlotLength, SlotSeries, Vector};
use chrono::NaiveDate;
use model::time::day_start;
use model::{Act, Direction, Instant, MeterFacts, Month, Project, Quality, SeriesKey, Value};
use store::Store;

use crate::acts;
use crate::filed;
use crate::installation::Installation;

/// How long before the year a reading may lie that opens its first slot, in milliseconds: a day.
const OPENS_MILLIS: i64 = 24 * 3_600_000;

/// Whether a balance needs the slots of a meter: something of what it counts is produced, exported or stored.
pub(crate) fn are_wanted(project: &Project, meter: &MeterFacts) -> bool {
    let vector = Vector::of(meter.carrier);
    vector.is_some()
        && project.meters().any(|(_, m)| m.direction != Direction::Import && Vector::of(m.carrier) == vector)
}

/// The slots of a year; `None` without a reading or a stated interval.
pub(crate) fn of_meter(
    store: &Store,
    installation: &Installation,
    project: &Project,
    meter: &MeterFacts,
    year: i32,
    until: NaiveDate,
) -> anyhow::Result<Option<SlotSeries>> {
    let zone = project.zone;
    let Some(first) = Month::new(year, 1) else { return Ok(None) };
    let begin = first.bounds(zone).0;
    let months = Month::all_of(year);
    let end = months.last().map_or(begin, |m| m.bounds(zone).1).min(day_start(until, zone));
    if end <= begin {
        return Ok(None);
    }
    let settings = installation.series_settings(project, meter);
    let quarter = i64::from(installation.every_seconds(&meter.id)) * 1_000 <= SlotLength::Quarter.millis();
    let length = if quarter { SlotLength::Quarter } else { SlotLength::Hour };
    let key = SeriesKey { meter: meter.id.clone(), channel: meter.total_channel() };
    let corrected: Vec<Instant> = acts::of_series(store, &key)?
        .iter()
        .filter(|a| matches!(a.dated.act, Act::Corrected { .. }))
        .map(|a| a.dated.at)
        .collect();
    let mut own = SlotBuilder::new(length, (begin, end), &settings);
    let from = begin.plus_millis(-OPENS_MILLIS);
    let closes = end.plus_millis(length.millis());
    let given = store.for_each_reading(&key, Some(from), Some(closes), &mut |reading| {
        if reading.quality != Quality::Implausible
            && !corrected.contains(&reading.observed_at)
            && let Value::Total(total) = reading.value
        {
            own.push(reading.observed_at, total);
        }
        ControlFlow::Continue(())
    })?;
    let stated = SeriesKey { meter: meter.id.clone(), channel: filed::own_channel(meter) };
    let intervals = store.intervals(&stated, end)?;
    if given == 0 && intervals.is_empty() {
        return Ok(None);
    }
    let own = own.finish();
    if intervals.is_empty() {
        return Ok(Some(own));
    }
    let mut files = SlotBuilder::new(length, (begin, end), &settings);
    files.file(&intervals);
    Ok(Some(own.or(&files.finish())))
}
