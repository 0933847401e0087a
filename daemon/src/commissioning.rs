//! What the report on the monitoring system says of an installation: its points, its protection, what its meters
//! delivered so far.
//!
//! Must never: state what the settings do not, or count a reading after the day of the report.

use std::sync::Arc;

use analytics::bills;
use analytics::commissioning::{DayByBoth, Delivered};
use analytics::evaluate::MeterInput;
use analytics::gaps::{self, MeterGaps};
use analytics::report::system::{Keeping, Point, Protection, ReadBy, SystemFacts};
use analytics::series::{Accumulator, DayValue};
use anyhow::Context;
use chrono::{Days, NaiveDate};
use model::time::day_start;
use model::{
    BaseUnit, Channel, Direction, Instant, MeterFacts, MeterRole, Month, Phase, Project, Quality, Quantity,
    SeriesKey, Value,
};
use store::engine::Readings;
use store::{Store, Tallies, Tally};

use crate::figures;
use crate::installation::Installation;

/// How many days before the report are searched for one on which energy and power are both known.
const DAYS_SEARCHED: u64 = 10;
/// Share of a day that must be measured for it to be compared.
const DAY_MEASURED_MIN: f64 = 0.99;

/// The facts of one project's monitoring system before `until`.
pub(crate) fn facts(
    store: &Store,
    installation: &Installation,
    project: &Arc<Project>,
    until: NaiveDate,
) -> anyhow::Result<SystemFacts> {
    let scheme = installation.catalog.scheme(&project.scheme).with_context(|| {
        format!(
            "project {} names the scheme {}, which the catalogue does not have",
            project.id, project.scheme
        )
    })?;
    let settings = &installation.settings;
    let points: Vec<Point> = project
        .meters()
        .map(|(building, meter)| Point {
            building: building.id.clone(),
            meter: meter.clone(),
            read: read_by(store, installation, meter),
        })
        .collect();
    let mut used: Vec<&str> = points.iter().filter_map(|p| Some(p.read.as_ref()?.link.as_str())).collect();
    used.sort_unstable();
    used.dedup();
    let encrypted = |link: &&&str| {
        points.iter().any(|p| p.read.as_ref().is_some_and(|r| r.link == **link && r.encrypted))
    };
    let protection = Protection {
        pages_on_loopback: settings.web.listen.ip().is_loopback(),
        links_encrypted: used.iter().filter(encrypted).count(),
        links: used.len(),
    };
    let tallies = store.tallies(Month { year: 1970, number: 1 })?;
    let (mut delivered, mut gaps, mut readings) = (Vec::new(), Vec::new(), 0);
    let source = crate::hub::readings(store, installation)?;
    for point in &points {
        let meter = &point.meter;
        let (known, series) = figures::meter_series(store, &*source, installation, project, meter, until)?;
        let days = series.days();
        let of = of_meter(store, &*source, project, (meter, &series, &days), until, &tallies)?;
        readings += series.readings();
        let read = point.read.is_some().then_some(&*days);
        gaps.push(gaps_of(project, known, (meter, of.first_at, read), until));
        if point.read.is_some() {
            delivered.push(of);
        }
    }
    Ok(SystemFacts {
        project: Arc::clone(project),
        scheme: Arc::clone(scheme),
        date: until,
        installation: settings.installation.name.clone(),
        version: format!("consuntivo {}", env!("CARGO_PKG_VERSION")),
        points,
        station: project.station.to_string(),
        protection,
        keeping: Keeping { readings, bytes: store.stats().bytes_on_disk },
        delivered,
        gaps,
    })
}

/// What a meter did not measure since its first reading, or since the works were completed. Of one that is read, bills
/// fill no gap: they are no measurement of the system.
fn gaps_of(
    project: &Project,
    known: MeterInput,
    (meter, first_at, days): (&MeterFacts, Option<Instant>, Option<&[DayValue]>),
    until: NaiveDate,
) -> MeterGaps {
    let mut months = known.months;
    if days.is_none() && meter.role != MeterRole::Sub {
        let unit = meter.carrier.base_unit();
        let settled = bills::settle(&known.bills, unit, meter.ceiling_per_milli(), "");
        let billed = bills::months(&settled.periods, unit, project.zone, meter.ceiling_per_milli());
        for month in billed.months {
            match months.months.binary_search_by_key(&month.month, |m| m.month) {
                Ok(i) if months.months[i].coverage_ratio < month.coverage_ratio => months.months[i] = month,
                Ok(_) => {}
                Err(i) => months.months.insert(i, month),
            }
        }
    }
    let completed = day_start(project.dates.completed + Days::new(1), project.zone);
    let end = day_start(until, project.zone);
    let since = first_at.into_iter().chain(Some(completed).filter(|at| *at < end)).min();
    let of = gaps::Known { meter: &meter.id, months: &months, days };
    gaps::gaps(&of, since, until, project.zone)
}

fn read_by(store: &Store, installation: &Installation, of: &MeterFacts) -> Option<ReadBy> {
    let meter = installation.settings.meter(&of.id)?;
    let link = installation.settings.link(&meter.link)?;
    let model = installation.settings.model_of(meter, &installation.models)?;
    // What a model lists is what a meter may send; a point measures what came from it.
    let has_come = |channel: &&Channel| {
        let key = SeriesKey { meter: of.id.clone(), channel: **channel };
        store.latest(&key).is_ok_and(|latest| latest.is_some())
    };
    let channels = model.channels();
    let mut quantities: Vec<String> =
        channels.iter().filter(has_come).map(|channel| channel.quantity.code().to_owned()).collect();
    if quantities.is_empty() {
        quantities = channels.iter().map(|channel| channel.quantity.code().to_owned()).collect();
    }
    quantities.sort_unstable();
    quantities.dedup();
    Some(ReadBy {
        link: link.id.clone(),
        protocol: link.connector.clone(),
        maker: model.maker.clone(),
        model: model.name.clone(),
        every_s: meter.every_s,
        quantities,
        encrypted: link.table.contains_key("tls"),
    })
}

/// What a meter delivered, of its series and days.
fn of_meter(
    store: &Store,
    source: &dyn Readings,
    project: &Project,
    (meter, series, days): (&MeterFacts, &Accumulator, &[DayValue]),
    until: NaiveDate,
    tallies: &Tallies,
) -> anyhow::Result<Delivered> {
    let end = day_start(until, project.zone);
    let key = SeriesKey { meter: meter.id.clone(), channel: meter.total_channel() };
    // Months that reach beyond the report are not in it.
    let last = Month::of(until);
    let counted = |what: Tally| -> u64 {
        let of = tallies.iter().filter(|((m, month, w), _)| *m == meter.id && *w == what && *month <= last);
        of.map(|(_, count)| count).sum()
    };
    let undecided = series.decisions().iter().filter(|d| d.is_open() && d.at < end).count();
    Ok(Delivered {
        meter: meter.id.clone(),
        first_at: series.first_at().filter(|at| *at < end),
        last_at: last_before(source, &key, series, end)?,
        end,
        expected: counted(Tally::Expected),
        received: counted(Tally::Received),
        refused: counted(Tally::Refused) + counted(Tally::Quarantined),
        undecided: undecided as u64,
        day: day_by_both(store, project, meter, days, until)?,
    })
}

/// When the last reading before `end` was observed. The series goes on to the one that closes its last interval, however
/// long after.
fn last_before(
    source: &dyn Readings,
    key: &SeriesKey,
    series: &Accumulator,
    end: Instant,
) -> anyhow::Result<Option<Instant>> {
    const DAY_MILLIS: i64 = 86_400_000;
    let last = series.last_at();
    if last.is_none_or(|at| at < end) {
        return Ok(last);
    }
    let mut found = None;
    // As a rule it is a day old; all readings are looked at only for a meter that was silent for a month.
    for days in [Some(1), Some(31), None] {
        let from = days.map(|days: i64| end.plus_millis(-days * DAY_MILLIS));
        source.for_each_reading(key, from, Some(end), &mut |reading| {
            if reading.observed_at < end && reading.quality != Quality::Implausible {
                found = Some(reading.observed_at);
            }
            std::ops::ControlFlow::Continue(())
        })?;
        if found.is_some() {
            break;
        }
    }
    Ok(found)
}

/// The latest whole day before `until` on which the meter's total and its power both measured nearly all the time.
fn day_by_both(
    store: &Store,
    project: &Project,
    meter: &MeterFacts,
    days: &[DayValue],
    until: NaiveDate,
) -> anyhow::Result<Option<DayByBoth>> {
    let Some(channel) = power_of(meter) else { return Ok(None) };
    let key = SeriesKey { meter: meter.id.clone(), channel };
    let from = until - Days::new(DAYS_SEARCHED);
    for value in days.iter().rev().filter(|d| from <= d.day && d.day < until) {
        let begin = day_start(value.day, project.zone);
        let end = day_start(value.day + Days::new(1), project.zone);
        let length = end.millis().saturating_sub(begin.millis());
        if value.covered_millis < share(length) || value.amount <= 0 {
            continue;
        }
        if let Some(kw) = mean_kw(store, &key, begin, end)? {
            let sign = if meter.direction == Direction::Export { -1.0 } else { 1.0 };
            return Ok(Some(DayByBoth {
                day: value.day,
                by_total_kwh: BaseUnit::WattHour.to_display(value.amount),
                by_power_kwh: sign * kw * length as f64 / 3_600_000.0,
            }));
        }
    }
    Ok(None)
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of a day")]
fn share(length: i64) -> i64 {
    (length as f64 * DAY_MEASURED_MIN) as i64
}

/// The power whose sum over time the meter's total is; `None` for carriers that are not counted in energy, and for
/// totals of one direction where the power of both is one number with a sign.
fn power_of(meter: &MeterFacts) -> Option<Channel> {
    let quantity = match meter.total_channel().quantity {
        Quantity::ActiveEnergyImport => Quantity::ActivePower,
        Quantity::HeatEnergy => Quantity::ThermalPower,
        _ => return None,
    };
    Some(Channel { quantity, phase: Phase::Total })
}

/// Mean of a power over `[begin, end)` by trapezoids between readings, in kW. `None` when readings are negative (energy
/// then flows the other way, and the total stands still), or leave more than a hundredth of the time without neighbours
/// five minutes apart.
fn mean_kw(store: &Store, key: &SeriesKey, begin: Instant, end: Instant) -> anyhow::Result<Option<f64>> {
    const APART_MILLIS_MAX: i64 = 5 * 60_000;
    let (mut before, mut energy, mut covered, mut negative) = (None::<(Instant, f64)>, 0.0, 0_i64, false);
    store.for_each_reading(key, Some(begin), Some(end), &mut |reading| {
        let Value::Gauge(watt) = reading.value else { return std::ops::ControlFlow::Continue(()) };
        if reading.quality == Quality::Implausible {
            return std::ops::ControlFlow::Continue(());
        }
        negative |= watt < 0.0;
        if let Some((at, earlier)) = before {
            let apart = reading.observed_at.millis() - at.millis();
            if apart <= APART_MILLIS_MAX {
                energy += (earlier + watt) / 2.0 * apart as f64;
                covered += apart;
            }
        }
        before = Some((reading.observed_at, watt));
        std::ops::ControlFlow::Continue(())
    })?;
    let length = end.millis().saturating_sub(begin.millis());
    let enough = share(length) <= covered && !negative && 0 < covered;
    Ok(enough.then(|| energy / covered as f64 / 1000.0))
}
