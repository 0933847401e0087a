//! What is known of one building between two rounds: the hours of each carrier, what is usual, what runs at night.
//!
//! Must never: compute; `analytics` does, this only gathers.

use std::collections::BTreeMap;
use std::sync::Arc;

use analytics::series::HourValue;
use analytics::watch::base_load::{BaseLoad, base_load};
use analytics::watch::flow::self_consumed_share;
use analytics::watch::span::{UseDay, UseDays};
use analytics::watch::still::{Still, still};
use analytics::watch::usual::{JUDGED_DAYS, LEARNED_DAYS, Temperatures, Usual, days_above, learn};
use analytics::watch::{UseHour, together};
use chrono::{Days, NaiveDate};
use model::{
    BaseUnit, Building, Carrier, Direction, Instant, MeterFacts, MeterId, MeterRole, Month, Project,
    SeriesKey, Zone,
};

use crate::runtime::{ProjectFigures, Runtime};
use crate::{acts, made};

/// Days over which the self-consumed share is looked at.
const SHARE_DAYS: u64 = 28;
/// What was learned stands for a day; hours are made anew after so many seconds.
const HOURS_STAND_S: f64 = 240.0;

/// One building.
#[derive(Debug)]
pub(crate) struct Digest {
    pub(crate) made_at: Instant,
    pub(crate) today: NaiveDate,
    pub(crate) carriers: Vec<CarrierDigest>,
    /// Of what was produced in the last four weeks, 0 to 1.
    pub(crate) self_consumed_share: Option<f64>,
}

impl Digest {
    pub(crate) fn carrier(&self, carrier: Carrier) -> Option<&CarrierDigest> {
        self.carriers.iter().find(|c| c.carrier == carrier)
    }
}

/// One carrier of a building.
#[derive(Debug)]
pub(crate) struct CarrierDigest {
    pub(crate) carrier: Carrier,
    /// Of the months that hold the days that are learned from and judged, all meters together.
    pub(crate) hours: Vec<UseHour>,
    pub(crate) usual: Option<Arc<Usual>>,
    pub(crate) base_load: Option<BaseLoad>,
    pub(crate) days_above: u32,
    pub(crate) still: Vec<(MeterId, Still)>,
}

/// The meters whose use is a carrier's use in a building: what comes in, without parts of other meters.
pub(crate) fn counted(building: &Building, carrier: Carrier) -> impl Iterator<Item = &MeterFacts> {
    building
        .meters
        .iter()
        .filter(move |m| m.carrier == carrier && m.direction == Direction::Import && m.role != MeterRole::Sub)
}

/// The carriers of a building that have readings, in the order of its meters.
pub(crate) fn carriers(runtime: &Runtime, building: &Building) -> Vec<Carrier> {
    let mut found: Vec<Carrier> = Vec::new();
    for meter in &building.meters {
        let counts = counted(building, meter.carrier).any(|m| m.id == meter.id);
        if counts && !found.contains(&meter.carrier) && runtime.book.last_at(&key(meter)).is_some() {
            found.push(meter.carrier);
        }
    }
    found
}

pub(crate) fn key(meter: &MeterFacts) -> SeriesKey {
    SeriesKey { meter: meter.id.clone(), channel: meter.total_channel() }
}

/// The days of meters together; a day counts as measured as long as the one that was measured least.
pub(crate) fn days<'m>(runtime: &Runtime, meters: impl Iterator<Item = &'m MeterFacts>) -> UseDays {
    let mut sum: Option<UseDays> = None;
    for meter in meters {
        let unit = meter.carrier.base_unit();
        let own: UseDays = runtime
            .book
            .days(&key(meter))
            .into_iter()
            .map(|d| {
                let energy = unit.to_display(d.amount);
                (d.day, UseDay { day: d.day, energy, covered_millis: d.covered_millis })
            })
            .collect();
        sum = Some(match sum {
            None => own,
            Some(before) => both(&before, &own),
        });
    }
    sum.unwrap_or_default()
}

fn both(a: &UseDays, b: &UseDays) -> UseDays {
    let day = |(day, of): (&NaiveDate, &UseDay)| {
        let other = b.get(day)?;
        let covered_millis = of.covered_millis.min(other.covered_millis);
        Some((*day, UseDay { day: *day, energy: of.energy + other.energy, covered_millis }))
    };
    a.iter().filter_map(day).collect()
}

/// Hours of a meter in some months, in the carrier's smallest unit. Blocks on the disk.
pub(crate) fn hours(
    runtime: &Runtime,
    project: &Project,
    meter: &MeterFacts,
    months: impl IntoIterator<Item = Month>,
) -> anyhow::Result<Vec<HourValue>> {
    let settings = runtime.installation().series_settings(project, meter);
    let key = key(meter);
    let acts = acts::dated(&acts::of_series(&runtime.store, &key)?);
    let mut all = Vec::new();
    for month in months {
        all.extend(made::hours(&runtime.store, &key, settings, &acts, month)?);
    }
    if let Some(coefficient) = settings.gas {
        for hour in &mut all {
            hour.amount = coefficient.standard_litres(hour.amount);
            hour.estimated = coefficient.standard_litres(hour.estimated);
        }
    }
    Ok(all)
}

/// The months that hold the days of `[from, to]`.
pub(crate) fn months(from: NaiveDate, to: NaiveDate) -> Vec<Month> {
    let mut all = vec![Month::of(from)];
    while let Some(last) = all.last().copied().filter(|m| *m < Month::of(to)) {
        all.push(last.next());
    }
    all
}

/// A building's digest. Blocks on the disk.
pub(super) fn make(
    runtime: &Runtime,
    figures: &ProjectFigures,
    building: &Building,
    former: Option<Arc<Digest>>,
    now: Instant,
) -> anyhow::Result<Arc<Digest>> {
    let project = &figures.project;
    let today = now.day(project.zone);
    if let Some(former) = former
        && former.today == today
        && now.seconds_since(former.made_at) < HOURS_STAND_S
        && !former.carriers.is_empty()
    {
        return Ok(former);
    }
    let from = today.checked_sub_days(Days::new(LEARNED_DAYS + JUDGED_DAYS)).unwrap_or(today);
    let mut all = Vec::new();
    for carrier in carriers(runtime, building) {
        all.push(of_carrier(runtime, figures, building, carrier, (from, today))?);
    }
    Ok(Arc::new(Digest {
        made_at: now,
        today,
        carriers: all,
        self_consumed_share: share(runtime, project, building, today, now),
    }))
}

fn of_carrier(
    runtime: &Runtime,
    figures: &ProjectFigures,
    building: &Building,
    carrier: Carrier,
    (from, today): (NaiveDate, NaiveDate),
) -> anyhow::Result<CarrierDigest> {
    let (project, background) = (&figures.project, &figures.background);
    let zone = project.zone;
    let mut meters: BTreeMap<&MeterId, Vec<HourValue>> = BTreeMap::new();
    for meter in counted(building, carrier) {
        meters.insert(&meter.id, hours(runtime, project, meter, months(from, today))?);
    }
    let percent = runtime.installation().settings.alarms.above_model_percent;
    let of = (carrier, f64::from(percent) / 100.0);
    Ok(judge(of, &meters, &background.temperatures, zone, (from, today)))
}

/// What `analytics` says of the hours of a carrier's meters.
pub(super) fn judge(
    (carrier, excess_ratio): (Carrier, f64),
    meters: &BTreeMap<&MeterId, Vec<HourValue>>,
    temperatures: &Temperatures,
    zone: Zone,
    (from, today): (NaiveDate, NaiveDate),
) -> CarrierDigest {
    let unit = carrier.base_unit();
    let own: Vec<Vec<HourValue>> = meters.values().cloned().collect();
    let hours = together(&own, |amount| unit.to_display(amount));
    let judged = today.checked_sub_days(Days::new(JUDGED_DAYS)).unwrap_or(today);
    let usual = learn(&hours, temperatures, zone, (from, judged));
    let with = usual.as_ref().map(|usual| (usual, temperatures));
    let stands = |(id, own): (&&MeterId, &Vec<HourValue>)| {
        let found = still(own, &hours, usual.as_ref()?, temperatures, zone, |a| unit.to_display(a))?;
        Some(((*id).clone(), found))
    };
    CarrierDigest {
        carrier,
        base_load: base_load(&hours, with, zone, today),
        days_above: usual
            .as_ref()
            .map_or(0, |usual| days_above(&hours, usual, temperatures, today, excess_ratio)),
        still: meters.iter().filter_map(stands).collect(),
        hours,
        usual: usual.map(Arc::new),
    }
}

/// Meters of electricity of a building that go in one direction.
pub(crate) fn electric(building: &Building, direction: Direction) -> Vec<&MeterFacts> {
    let of = |m: &&MeterFacts| {
        m.direction == direction
            && analytics::balance::Vector::of(m.carrier) == Some(analytics::balance::Vector::Electricity)
            && m.carrier.base_unit() == BaseUnit::WattHour
    };
    building.meters.iter().filter(of).collect()
}

fn share(
    runtime: &Runtime,
    project: &Project,
    building: &Building,
    today: NaiveDate,
    now: Instant,
) -> Option<f64> {
    let (made, out) = (electric(building, Direction::Production), electric(building, Direction::Export));
    if made.is_empty() || out.is_empty() {
        return None;
    }
    let from = today.checked_sub_days(Days::new(SHARE_DAYS))?;
    let of = |meters: Vec<&MeterFacts>| days(runtime, meters.into_iter());
    self_consumed_share(&of(made), &of(out), project.zone, (from, today), now)
}
