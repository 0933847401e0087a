//! The facility manager's pages as the daemon answers them.
//!
//! Must never: compute; what is compared comes from `analytics`.

use std::ops::ControlFlow;

use analytics::forecast::KpiForecast;
use analytics::result::MeterYear;
use analytics::savings;
use analytics::watch::carpet;
use analytics::watch::flow::{law_line, mean_power, self_consumed, signature};
use analytics::watch::pace::{Pace, PacedDay};
use analytics::watch::span::{Compared, Span, UseDays, in_days, in_hours, use_of};
use analytics::watch::together;
use analytics::watch::usual::{LEARNED_DAYS, temperature};
use chrono::{Datelike as _, Days, NaiveDate};
use dashboards::backend::{BuildingLive, MeterHealth};
use dashboards::watch::{
    ActRefused, AlarmView, BuildingAsk, BuildingNow, BuildingView, CarrierToday, MeterNow, MeterSaid,
    MeterView, OwnEnergy, Plot, Signature, TargetPace, Watch,
};
use model::time::day_start;
use model::{
    BaseUnit, Building, BuildingId, Carrier, Channel, Direction, Explanation, Instant, MeterId, Month,
    ProjectId, Quality, Quantity, Value,
};

use super::digest::{Digest, counted, days, electric, hours, key, months};
use super::{Place, alarms, meter};
use crate::backend::{DaemonBackend, buildings_live, health, is_fresh};
use crate::runtime::{ProjectFigures, Runtime};

/// Weeks on the carpet.
const CARPET_DAYS: u64 = 56;
/// Days of a signature without the last week.
const SIGNATURE_DAYS: u64 = 365;
const WEEK_DAYS: u64 = 7;
/// No building's use is known from before.
const FIRST_YEAR: i32 = 1990;
/// A carrier without use for so long is not shown first.
const IN_USE_DAYS: u64 = 28;
/// Seconds of a live plot's step, and how far back it goes.
const POWER_STEP_MILLIS: i64 = 300_000;
const POWER_BACK_MILLIS: i64 = 24 * 3_600_000;

impl Watch for DaemonBackend {
    fn buildings(&self) -> Vec<BuildingNow> {
        let live = buildings_live(&self.0);
        let of = |figures: &ProjectFigures| -> Vec<BuildingNow> {
            let building = |b: &Building| building_now(&self.0, figures, b, &live);
            figures.project.buildings.iter().filter_map(building).collect()
        };
        self.0.figures().iter().flat_map(of).collect()
    }

    fn building(&self, ask: &BuildingAsk) -> Option<BuildingView> {
        let figures = self.0.project_figures(&ask.project)?;
        let building = figures.project.buildings.iter().find(|b| b.id == ask.building)?.clone();
        let seen = View::new(&self.0, &figures, &building, ask)?;
        seen.made()
            .inspect_err(|error| tracing::error!(building = %building.id, "no page of a building: {error:#}"))
            .ok()
    }

    fn power(&self, project: &ProjectId, building: &BuildingId) -> Option<Plot> {
        let figures = self.0.project_figures(project)?;
        let building = figures.project.buildings.iter().find(|b| b.id == *building)?;
        let made = power(&self.0, &figures, building);
        made.inspect_err(|error| tracing::error!(building = %building.id, "no plot of power: {error:#}")).ok()
    }

    fn hours(&self, project: &ProjectId, building: &BuildingId, carrier: Carrier) -> Option<Plot> {
        let figures = self.0.project_figures(project)?;
        let digest = self.0.watched.digest(&(project.clone(), building.clone()))?;
        let of = digest.carrier(carrier)?;
        let zone = figures.project.zone;
        let unit = match carrier.base_unit() {
            BaseUnit::WattHour => "kW",
            BaseUnit::Litre => "Smc/h",
            BaseUnit::Gram => "kg/h",
        };
        // Thirteen weeks, as the page says; the digest holds whole months.
        let first = digest.today.checked_sub_days(Days::new(LEARNED_DAYS))?;
        let from = day_start(first, zone);
        let shown = || of.hours.iter().filter(|hour| from <= hour.from);
        let values = shown().map(|h| h.measured.then_some(h.energy)).collect();
        let at = shown().map(|h| h.from).collect();
        Some(Plot { unit, zone, at, series: vec![(carrier.code().to_owned(), String::new(), values)] })
    }

    fn meter(&self, id: &MeterId) -> Option<MeterView> {
        meter::view(self, id)
    }

    fn alarms(&self) -> Vec<AlarmView> {
        self.0.watched.shown()
    }

    fn alarms_open(&self) -> usize {
        let open = |a: &&AlarmView| a.ended_at.is_none() && a.acknowledged.is_none();
        self.0.watched.shown().iter().filter(open).count()
    }

    fn is_public(&self, project: &ProjectId, building: &BuildingId) -> bool {
        let installation = self.0.installation();
        installation.settings.kiosks.iter().any(|k| k.project == *project && k.building == *building)
    }

    fn say(&self, meter: &MeterId, said: &MeterSaid, author: &str) -> Result<(), ActRefused> {
        meter::say(&self.0, meter, said, author)
    }

    fn acknowledge(&self, alarm: i64, note: &str, author: &str) -> Result<(), ActRefused> {
        alarms::acknowledge(&self.0, alarm, note, author)
    }
}

fn building_now(
    runtime: &Runtime,
    figures: &ProjectFigures,
    building: &Building,
    live: &[BuildingLive],
) -> Option<BuildingNow> {
    let project = &figures.project;
    let place: Place = (project.id.clone(), building.id.clone());
    let live = live.iter().find(|l| l.project == place.0 && l.building == place.1)?.clone();
    let now = runtime.clock.now();
    let digest = runtime.watched.digest(&place);
    let carriers = super::digest::carriers(runtime, building);
    let today =
        carriers.iter().map(|c| carrier_today(runtime, figures, building, *c, digest.as_deref(), now));
    let pace = carriers.iter().filter_map(|c| Some((*c, pace(runtime, figures, building, *c, now)?)));
    let installation = runtime.installation();
    let healths: Vec<MeterHealth> = building
        .meters
        .iter()
        .filter_map(|m| installation.settings.meter(&m.id))
        .map(|m| health(runtime, &m.id, m.every_s, now))
        .collect();
    let count = |of: MeterHealth| (of, healths.iter().filter(|h| **h == of).count());
    Some(BuildingNow {
        today: today.collect(),
        pace: pace.collect(),
        target: target(figures),
        health: [MeterHealth::Fresh, MeterHealth::Late, MeterHealth::Silent].map(count),
        alarms: alarms::about(runtime, &place, building),
        name: building.name.clone(),
        building: building.id.clone(),
        project: std::sync::Arc::clone(project),
        live,
    })
}

/// The use since midnight up to the last reading, beside what is usual up to then.
fn carrier_today(
    runtime: &Runtime,
    figures: &ProjectFigures,
    building: &Building,
    carrier: Carrier,
    digest: Option<&Digest>,
    now: Instant,
) -> CarrierToday {
    let zone = figures.project.zone;
    let day = now.day(zone);
    let last = counted(building, carrier).map(|m| runtime.book.last_at(&key(m))).min().flatten();
    let until = last.map_or(now, |last| last.min(now));
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
    let of_day = days(runtime, counted(building, carrier));
    let usual = digest.and_then(|d| d.carrier(carrier)).and_then(|c| c.usual.clone());
    let outdoor = temperature(&figures.background.temperatures, day);
    let expected = |until| usual.as_ref().zip(outdoor).and_then(|(u, (c, _))| u.of_day(day, c, until));
    let measured = use_of(&of_day, zone, (day, next), now);
    CarrierToday {
        carrier,
        measured,
        // Beside nothing there is nothing to compare.
        expected_now: measured.and_then(|_| expected(until)),
        expected_day: expected(day_start(next, zone)),
        outdoor,
    }
}

/// The baseline of a carrier's meters together under the weather of `[from, to)`; `None` where one of them has none.
fn baseline(
    figures: &ProjectFigures,
    building: &Building,
    carrier: Carrier,
    (from, to): (NaiveDate, NaiveDate),
) -> Option<f64> {
    let background = &figures.background;
    let mut sum = 0.0;
    for meter in counted(building, carrier) {
        let laws = background.laws.iter().find(|l| l.meter == meter.id)?;
        sum += match &laws.baseline {
            None => 0.0,
            Some(law) => savings::expected(law, &background.means, from, to)?.energy,
        };
    }
    Some(sum)
}

/// First and last day of each time in which a meter's total stood still, where no person has said why.
fn standstills(
    figures: &ProjectFigures,
    building: &Building,
    carrier: Carrier,
) -> Vec<(NaiveDate, NaiveDate)> {
    let zone = figures.project.zone;
    let Some(newest) = figures.years.iter().max_by_key(|year| year.year) else { return Vec::new() };
    let own = |m: &&MeterYear| counted(building, carrier).any(|facts| facts.id == m.meter.id);
    let decisions = newest.meters.iter().filter(own).flat_map(|m| &m.record.decisions);
    let open = decisions.filter(|d| d.explanation == Explanation::Standstill && !d.by_person);
    // The last of it lasts until the total moves, whenever these figures were made.
    open.map(|d| (d.from.day(zone), d.to.day(zone).succ_opt().unwrap_or(NaiveDate::MAX))).collect()
}

fn pace(
    runtime: &Runtime,
    figures: &ProjectFigures,
    building: &Building,
    carrier: Carrier,
    now: Instant,
) -> Option<Pace> {
    let zone = figures.project.zone;
    let today = now.day(zone);
    let month = Month::of(today);
    if today <= figures.project.dates.completed {
        return None;
    }
    let of_days = days(runtime, counted(building, carrier));
    let standing = standstills(figures, building, carrier);
    let paced = |day: NaiveDate| {
        // A total that stands still and nobody has explained is no saving here either.
        if standing.iter().any(|(from, to)| (*from..=*to).contains(&day)) {
            return None;
        }
        let bounds = (day, day.succ_opt()?);
        let measured = use_of(&of_days, zone, bounds, now)?;
        let baseline = baseline(figures, building, carrier, bounds)?;
        Some(PacedDay { day, measured, baseline })
    };
    let gone = month.first_day().iter_days().take_while(|day| *day < today);
    let known: Vec<PacedDay> = gone.filter_map(paced).collect();
    Pace::of(&known, today.day0())
}

/// The first target that something can be said about, or else the first target.
fn target(figures: &ProjectFigures) -> Option<TargetPace> {
    let forecast = figures.forecast.as_ref()?;
    let year = figures.years.iter().find(|y| y.year == forecast.year)?;
    // What documents state has no pace.
    let has_pace = |k: &&KpiForecast| {
        let of = year.kpis.iter().find(|of| of.definition.code == k.code);
        k.expected.is_some() && of.is_some_and(|of| of.definition.measure.needs_months())
    };
    let with_target = || forecast.kpis.iter().filter(|k| k.target.is_some());
    let kpi = with_target().find(has_pace).or_else(|| with_target().next())?;
    let text = year.kpis.iter().find(|k| k.definition.code == kpi.code)?.definition.text.clone();
    Some(TargetPace {
        text,
        unit: kpi.unit,
        target: kpi.target?,
        so_far: kpi.so_far,
        counted_to: forecast.counted_to(),
        months_left: forecast.months_left,
        expected: kpi.expected,
        needed: kpi.needed,
        outlook: kpi.outlook,
    })
}

/// One building's page on its way.
struct View<'a> {
    runtime: &'a Runtime,
    figures: &'a ProjectFigures,
    building: &'a Building,
    now: Instant,
    today: NaiveDate,
    carriers: Vec<Carrier>,
    carrier: Carrier,
    span: Span,
    days: UseDays,
    digest: Option<std::sync::Arc<Digest>>,
}

impl<'a> View<'a> {
    fn new(
        runtime: &'a Runtime,
        figures: &'a ProjectFigures,
        building: &'a Building,
        ask: &BuildingAsk,
    ) -> Option<Self> {
        let now = runtime.clock.now();
        let today = now.day(figures.project.zone);
        let carriers = super::digest::carriers(runtime, building);
        // A boiler that was taken out of service is not what a reader comes for.
        let in_use = |carrier: &&Carrier| {
            let since = today.checked_sub_days(Days::new(IN_USE_DAYS)).unwrap_or(today);
            days(runtime, counted(building, **carrier)).range(since..).any(|(_, day)| 0.0 < day.energy)
        };
        let first = carriers.iter().find(in_use).or(carriers.first()).copied();
        let first = first.or_else(|| building.meters.first().map(|m| m.carrier));
        let carrier = ask.carrier.filter(|c| carriers.contains(c)).or(first)?;
        let span =
            Span::of(&ask.kind, ask.on.filter(|on| FIRST_YEAR <= on.year()).unwrap_or(today).min(today))?;
        Some(Self {
            runtime,
            figures,
            building,
            now,
            today,
            carriers,
            carrier,
            span,
            days: days(runtime, counted(building, carrier)),
            digest: runtime.watched.digest(&(ask.project.clone(), ask.building.clone())),
        })
    }

    fn made(&self) -> anyhow::Result<BuildingView> {
        let live = buildings_live(self.runtime);
        let now = building_now(self.runtime, self.figures, self.building, &live)
            .ok_or_else(|| anyhow::anyhow!("the building is no longer there"))?;
        let zone = self.figures.project.zone;
        let of = self.digest.as_ref().and_then(|d| d.carrier(self.carrier));
        let from = self.today.checked_sub_days(Days::new(CARPET_DAYS)).unwrap_or(self.today);
        Ok(BuildingView {
            now,
            meters: self.meters(),
            carriers: self.carriers.clone(),
            carrier: self.carrier,
            today: self.today,
            span: self.span,
            compared: self.compared()?,
            first_day: self.days.keys().next().copied(),
            carpet: of.map(|c| carpet(&c.hours, zone, from, self.today)).unwrap_or_default(),
            signature: self.signature(),
            base_load: of.and_then(|c| c.base_load),
            own: self.own(),
        })
    }

    fn meters(&self) -> Vec<MeterNow> {
        let installation = self.runtime.installation();
        let power = Channel::total(Quantity::ActivePower);
        let of = |m: &model::MeterFacts| {
            let set = installation.settings.meter(&m.id);
            let latest = self.runtime.book.latest(&m.id, power);
            let fresh = latest.filter(|l| set.is_some_and(|s| is_fresh(l.at, s.every_s, self.now)));
            let amount = self.runtime.book.energy_of_day(&key(m), self.today);
            MeterNow {
                id: m.id.clone(),
                name: m.name.clone(),
                carrier: m.carrier,
                direction: m.direction,
                role: m.role,
                health: set.map(|s| health(self.runtime, &m.id, s.every_s, self.now)),
                // What a meter of the feed-in calls its power is mostly that of the line, whichever way it flows.
                power_w: fresh.filter(|_| m.direction != Direction::Export).map(|l| l.value),
                today: amount.map(|a| m.carrier.base_unit().to_display(a)),
                last_reading_at: self.runtime.book.last_reading_at(&m.id),
            }
        };
        self.building.meters.iter().map(of).collect()
    }

    fn compared(&self) -> anyhow::Result<Compared> {
        let zone = self.figures.project.zone;
        let Span::Day(day) = self.span else {
            let expected = |from, to| baseline(self.figures, self.building, self.carrier, (from, to));
            return Ok(in_days(self.span, &self.days, zone, self.now, expected));
        };
        let before = self.span.year_before().map(|s| s.bounds().0);
        let own = self.hours_around(day)?;
        let past = before.map(|day| self.hours_around(day)).transpose()?.unwrap_or_default();
        let usual = self.digest.as_ref().and_then(|d| d.carrier(self.carrier)?.usual.clone());
        let outdoor = temperature(&self.figures.background.temperatures, day);
        let expected = |hour| usual.as_ref().zip(outdoor).and_then(|(u, (c, _))| u.of_hour(day, hour, c));
        Ok(in_hours(day, &own, &past, zone, self.now, expected))
    }

    /// The hours of the months that hold a day. Blocks on the disk.
    fn hours_around(&self, day: NaiveDate) -> anyhow::Result<Vec<analytics::watch::UseHour>> {
        let mut meters = Vec::new();
        for meter in counted(self.building, self.carrier) {
            meters.push(hours(self.runtime, &self.figures.project, meter, months(day, day))?);
        }
        let unit = self.carrier.base_unit();
        Ok(together(&meters, |amount| unit.to_display(amount)))
    }

    fn signature(&self) -> Option<Signature> {
        let (zone, background) = (self.figures.project.zone, &self.figures.background);
        let week = self.today.checked_sub_days(Days::new(WEEK_DAYS))?;
        let completed = self.figures.project.dates.completed.succ_opt()?;
        let from = week.checked_sub_days(Days::new(SIGNATURE_DAYS))?.max(completed);
        let of = |from, to| signature(&self.days, &background.temperatures, zone, (from, to), self.now);
        let (days, week) = (of(from, week), of(week, self.today));
        if days.is_empty() && week.is_empty() {
            return None;
        }
        let all = || days.iter().chain(&week).map(|(_, c, _)| *c);
        let laws: Vec<_> = counted(self.building, self.carrier)
            .map(|m| background.laws.iter().find(|l| l.meter == m.id)?.reporting.as_deref())
            .collect::<Option<_>>()
            .unwrap_or_default();
        let law =
            law_line(&laws, all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        Some(Signature { days: days.into_iter().map(|(_, c, e)| (c, e)).collect(), week, law })
    }

    /// What was produced in the span; `None` for a building that produces nothing.
    fn own(&self) -> Option<OwnEnergy> {
        let zone = self.figures.project.zone;
        let of = |direction| {
            let meters = electric(self.building, direction);
            (!meters.is_empty()).then(|| {
                let all = days(self.runtime, meters.into_iter());
                use_of(&all, zone, self.span.bounds(), self.now)
            })
        };
        let produced = of(Direction::Production)?;
        let exported = of(Direction::Export).flatten();
        Some(OwnEnergy {
            produced,
            exported,
            imported: of(Direction::Import).flatten(),
            self_consumed: self_consumed(produced, exported),
        })
    }
}

/// Mean power of each electricity meter over the last day. Blocks on the disk.
fn power(runtime: &Runtime, figures: &ProjectFigures, building: &Building) -> anyhow::Result<Plot> {
    let now = runtime.clock.now();
    let from = now.plus_millis(-POWER_BACK_MILLIS);
    let first = from.millis().div_euclid(POWER_STEP_MILLIS) + 1;
    let last = now.millis().div_euclid(POWER_STEP_MILLIS);
    let at: Vec<Instant> = (first..=last).map(|i| Instant::from_millis(i * POWER_STEP_MILLIS)).collect();
    let mut series = Vec::new();
    for direction in [Direction::Import, Direction::Production, Direction::Export] {
        for meter in electric(building, direction) {
            let mut totals: Vec<(Instant, i64)> = Vec::new();
            runtime.store.for_each_reading(&key(meter), Some(from), None, &mut |reading| {
                if let (Value::Total(total), true) = (reading.value, reading.quality != Quality::Implausible)
                {
                    let step = reading.observed_at.millis().div_euclid(POWER_STEP_MILLIS);
                    let known = totals.last().map(|(at, _)| at.millis().div_euclid(POWER_STEP_MILLIS));
                    if known != Some(step) {
                        totals.push((reading.observed_at, total));
                    }
                }
                ControlFlow::Continue(())
            })?;
            let mut values = vec![None; at.len()];
            for (until, power_w) in mean_power(&totals) {
                // Power that was the mean of quarter hours stands at each step of them.
                let end = until.millis().div_euclid(POWER_STEP_MILLIS) - first;
                let slot = usize::try_from(end).ok().and_then(|i| values.get_mut(i));
                if let (Some(slot), Some(power_w)) = (slot, power_w) {
                    *slot = Some(power_w / 1000.0);
                }
            }
            fill(&mut values);
            series.push((meter.id.to_string(), meter.name.clone(), values));
        }
    }
    Ok(Plot { unit: "kW", zone: figures.project.zone, at, series })
}

/// Steps between two quarter hours take the mean of the quarter that follows them.
const QUARTER_STEPS: usize = 2;

fn fill(values: &mut [Option<f64>]) {
    let known: Vec<usize> = values.iter().enumerate().filter(|(_, v)| v.is_some()).map(|(i, _)| i).collect();
    for at in known {
        let value = values.get(at).copied().flatten();
        for back in 1..=QUARTER_STEPS {
            let Some(slot) = at.checked_sub(back).and_then(|i| values.get_mut(i)) else { break };
            if slot.is_some() {
                break;
            }
            *slot = value;
        }
    }
}
