//! Imports of what meters measured: load curves, readings of the regulator's portal, mapped files.
//!
//! Must never: choose a meter that the command or the file does not name, or take energy of another channel than the
//! one the meter's months are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use connectors::files::arera::OfPoint;
use connectors::files::load_curve::CurveOptions;
use connectors::files::{
    ImportReport, Mapping, OnLine, Refused, Stated, StatedInterval, StatedTotal, read_arera_electricity,
    read_arera_gas, read_load_curve, read_mapped, read_mapping,
};
use model::time::day_start;
use model::{
    Channel, Direction, FiledInterval, FiledTotal, Instant, MeterFacts, MeterId, Origin, Project, Quality,
    Quantity, Reading, SeriesKey, Value, Zone,
};
use store::{ImportCount, ImportNote, Store};

use super::{Strictness, judge, note, print_count, print_findings, read_file, unusable};
use crate::exit::{Exit, Failure};
use crate::figures;
use crate::filed::own_channel;
use crate::installation::Installation;
use crate::{ImportArgs, aside, clock};

/// How the command names a meter.
pub(super) enum Wanted<'a> {
    Meter(&'a MeterId),
    SupplyPoint(&'a str),
}

impl<'a> Wanted<'a> {
    pub(super) fn of(meter: Option<&'a MeterId>, pod: Option<&'a str>) -> Self {
        match meter {
            Some(meter) => Self::Meter(meter),
            None => Self::SupplyPoint(pod.unwrap_or_default()),
        }
    }
}

/// The installation, its store and the imported projects.
struct Site {
    installation: Installation,
    store: Store,
    projects: Vec<Arc<Project>>,
    now: Instant,
}

impl Site {
    fn open(args: &ImportArgs) -> Result<Self, Failure> {
        let installation = Installation::load(&args.config.config)?;
        let store = installation.open_or_make_store()?;
        let (projects, findings) = figures::projects(&store, &installation.catalog)?;
        print_findings(&findings);
        Ok(Self { installation, store, projects, now: clock::now() })
    }

    /// The first meter that fits, with its project.
    fn meter(&self, fits: impl Fn(&MeterFacts) -> bool) -> Option<(&Project, &MeterFacts)> {
        self.projects
            .iter()
            .find_map(|project| project.meters().find(|(_, m)| fits(m)).map(|(_, m)| (project.as_ref(), m)))
    }

    /// The meter that what is drawn at a supply point is measured by.
    fn at(&self, point: &str) -> Option<(&Project, &MeterFacts)> {
        self.meter(|m| {
            m.direction == Direction::Import
                && m.supply_point.as_deref().is_some_and(|p| p.eq_ignore_ascii_case(point))
        })
    }

    fn wanted(&self, wanted: &Wanted<'_>) -> Result<(&Project, &MeterFacts), Failure> {
        let (found, name) = match wanted {
            Wanted::Meter(id) => (self.meter(|m| m.id == **id), format!("meter {id}")),
            Wanted::SupplyPoint(point) => (self.at(point), format!("supply point {point}")),
        };
        found.ok_or_else(|| {
            Failure::bad_input(format!(
                "no imported project has the {name}; import the project file first, or correct the name"
            ))
        })
    }

    fn zone(&self) -> Zone {
        self.projects.first().map_or(Zone::Europe__Rome, |p| p.zone)
    }

    fn received(&self, day: Option<chrono::NaiveDate>, zone: Zone) -> Instant {
        day.map_or(self.now, |day| day_start(day, zone))
    }

    fn interval(&self, series: SeriesKey, stated: &StatedInterval, zone: Zone) -> FiledInterval {
        let received_at = self.received(stated.received, zone);
        FiledInterval { series, from: stated.from, to: stated.to, amount: stated.amount, received_at }
    }

    /// The intervals that can be entered beside those of earlier imports; the lines of the others are refused.
    fn beside_what_stands(
        &self,
        rows: Vec<(u64, FiledInterval)>,
        note: &ImportNote,
        replace: Option<&str>,
        refused: &mut Vec<Refused>,
    ) -> Result<Vec<FiledInterval>, Failure> {
        let (lines, mut rows): (Vec<u64>, Vec<FiledInterval>) = rows.into_iter().unzip();
        let mut out: BTreeSet<usize> = BTreeSet::new();
        for clash in self.store.interval_clashes(&rows, note, replace.is_some())? {
            // A line may hold a hundred values; it is refused once.
            let own: BTreeSet<u64> =
                clash.rows.iter().filter_map(|place| lines.get(*place).copied()).collect();
            refused.extend(own.into_iter().map(|line| Refused {
                line,
                column: String::new(),
                value: String::new(),
                reason: clash.reason.clone(),
            }));
            out.extend(clash.rows);
        }
        refused.sort_by_key(|r| r.line);
        let mut place = 0;
        rows.retain(|_| {
            place += 1;
            !out.contains(&(place - 1))
        });
        Ok(rows)
    }

    /// The totals that are new or agree with what an earlier file said of their instant; the lines of the others are
    /// refused.
    fn beside_earlier_totals(
        &self,
        readings: Vec<(u64, Reading)>,
        mapping: &Mapping,
        refused: &mut Vec<Refused>,
    ) -> Result<Vec<Reading>, Failure> {
        let mut spans: BTreeMap<SeriesKey, (Instant, Instant)> = BTreeMap::new();
        for (_, reading) in &readings {
            let at = reading.observed_at;
            let span = spans.entry(reading.series.clone()).or_insert((at, at));
            *span = (span.0.min(at), span.1.max(at));
        }
        let mut standing: BTreeMap<(SeriesKey, Instant), Value> = BTreeMap::new();
        for (series, (first, last)) in spans {
            self.store.for_each_reading(&series, Some(first), Some(last.plus_millis(1)), &mut |reading| {
                if reading.origin == Origin::File {
                    standing.insert((series.clone(), reading.observed_at), reading.value);
                }
                ControlFlow::Continue(())
            })?;
        }
        let mut taken = Vec::with_capacity(readings.len());
        for (line, reading) in readings {
            let (channel, at) = (reading.series.channel, reading.observed_at);
            match standing.get(&(reading.series.clone(), at)) {
                Some(value) if *value != reading.value => refused.push(Refused {
                    line,
                    column: mapping.column_of(&reading.series).unwrap_or_default(),
                    value: aside::shown(channel, reading.value),
                    reason: format!(
                        "an earlier file already says {} for {at}; mend the line, or, if it is right, correct the reading \
                         with `consuntivo meter correct` and take the other lines with --partial",
                        aside::shown(channel, *value)
                    ),
                }),
                Some(_) | None => taken.push(reading),
            }
        }
        refused.sort_by_key(|r| r.line);
        Ok(taken)
    }

    fn put_intervals(
        &self,
        rows: &[FiledInterval],
        note: &ImportNote,
        replace: Option<&str>,
    ) -> Result<ImportCount, Failure> {
        Ok(match replace {
            None => self.store.put_intervals(rows, note)?,
            Some(reason) => self.store.put_intervals_replacing(rows, note, reason)?,
        })
    }

    /// A total of a mapped file, which stands in the journal as if it had been read.
    fn reading(&self, series: SeriesKey, stated: &StatedTotal) -> Reading {
        Reading {
            series,
            observed_at: stated.at,
            received_at: self.now,
            value: Value::Total(stated.total),
            quality: Quality::Good,
            origin: Origin::File,
        }
    }

    fn total(&self, series: SeriesKey, stated: &StatedTotal, zone: Zone) -> FiledTotal {
        let received_at = self.received(stated.received, zone);
        FiledTotal { series, at: stated.at, total: stated.total, received_at }
    }
}

/// Whether the meter's own energy is electricity: heat is counted in kWh too.
fn counts_electricity(meter: &MeterFacts) -> bool {
    matches!(own_channel(meter).quantity, Quantity::ActiveEnergyImport | Quantity::ActiveEnergyExport)
}

/// Whether a meter of this carrier can have a register of the quantity: its own, or another of the same device.
fn may_count(meter: &MeterFacts, quantity: Quantity) -> bool {
    match own_channel(meter).quantity {
        Quantity::ActiveEnergyImport | Quantity::ActiveEnergyExport => matches!(
            quantity,
            Quantity::ActiveEnergyImport
                | Quantity::ActiveEnergyExport
                | Quantity::ActiveEnergyImportPlusExport
                | Quantity::ReactiveEnergyImport
                | Quantity::ReactiveEnergyExport
        ),
        Quantity::GasStandardVolume => {
            matches!(quantity, Quantity::GasVolume | Quantity::GasStandardVolume)
        }
        // A heat meter counts its water too.
        Quantity::HeatEnergy | Quantity::CoolingEnergy => {
            matches!(quantity, Quantity::HeatEnergy | Quantity::CoolingEnergy | Quantity::WaterVolume)
        }
        own => own == quantity,
    }
}

/// Every column of a mapping is of a meter that is known and that can count such a quantity.
fn of_meters_that_count(site: &Site, map: &Path, mapping: &Mapping) -> Result<(), Failure> {
    for series in mapping.series() {
        let facts = site.meter(|m| m.id == series.meter).map(|(_, m)| m);
        if facts.is_none() && site.installation.settings.meter(&series.meter).is_none() {
            return Err(Failure::bad_input(format!(
                "{}: no imported project and no installation has the meter {}; import the project file first",
                map.display(),
                series.meter
            )));
        }
        let quantity = series.channel.quantity;
        if let Some(meter) = facts.filter(|m| !may_count(m, quantity)) {
            let own = own_channel(meter).quantity;
            return Err(Failure::bad_input(format!(
                "{}, column `{}`: {quantity} in {}, and meter {} counts {own} in {}; name the meter that counts it, or \
                 correct the quantity and its unit",
                map.display(),
                mapping.column_of(series).unwrap_or_default(),
                quantity.display_unit(),
                meter.id,
                own.display_unit(),
            )));
        }
    }
    Ok(())
}

fn total_series(meter: &MeterFacts) -> SeriesKey {
    SeriesKey { meter: meter.id.clone(), channel: own_channel(meter) }
}

pub(super) fn load_curve(
    wanted: &Wanted<'_>,
    curve: Option<&str>,
    replace: Option<&str>,
    args: &ImportArgs,
) -> Result<Exit, Failure> {
    let site = Site::open(args)?;
    let (project, meter) = site.wanted(wanted)?;
    if !counts_electricity(meter) {
        return Err(Failure::bad_input(format!(
            "{}: a load curve is electricity in kWh, and meter {} counts {} in {} ({}); name an electricity meter, or \
             bring the file in with `import csv` and a mapping",
            args.file.display(),
            meter.id,
            own_channel(meter),
            meter.carrier.base_unit().display(),
            meter.carrier,
        )));
    }
    let bytes = read_file(&args.file)?;
    let options = CurveOptions {
        zone: project.zone,
        supply_point: meter.supply_point.as_deref(),
        curve,
        direction: Some(meter.direction).filter(|d| matches!(d, Direction::Import | Direction::Export)),
        ceiling_kwh_per_hour: Some(meter.ceiling_per_hour),
    };
    let mut report = read_load_curve(&bytes, &options).map_err(|error| unusable(&args.file, error))?;
    let note = note(&args.file, &bytes, &args.author, site.now);
    let rows = std::mem::take(&mut report.accepted);
    let rows =
        rows.into_iter().map(|on| (on.line, site.interval(total_series(meter), &on.value, project.zone)));
    let rows = site.beside_what_stands(rows.collect(), &note, replace, &mut report.refused)?;
    let read = judge_taken(args, report, &rows)?;
    print_count("quarter-hours", read, site.put_intervals(&rows, &note, replace)?);
    Ok(Exit::OK)
}

/// Takes the rows of supply points that no project has, or whose meter counts something else than the file, out of what is
/// accepted. `what` names the file's quantity and unit.
fn refuse_unknown<T>(
    site: &Site,
    report: &mut ImportReport<OnLine<OfPoint<T>>>,
    (what, fits): (&str, impl Fn(&MeterFacts) -> bool),
) -> Vec<(SeriesFor, T)> {
    let mut known = Vec::with_capacity(report.accepted.len());
    let mut last_refused = 0;
    for on in std::mem::take(&mut report.accepted) {
        let OnLine { line, value: OfPoint { point, value } } = on;
        let found = site.at(&point);
        match found.filter(|(_, m)| fits(m)) {
            Some((project, meter)) => {
                let (meter, own, zone) = (meter.id.clone(), own_channel(meter), project.zone);
                known.push((SeriesFor { line, meter, own, zone }, value));
            }
            // A row may give a hundred values; it is refused once.
            None if line == last_refused => {}
            None => {
                last_refused = line;
                let reason = refusal(found.map(|(_, m)| m), what);
                report.refused.push(Refused {
                    line,
                    column: String::new(),
                    value: point.to_string(),
                    reason,
                });
            }
        }
    }
    report.refused.sort_by_key(|r| r.line);
    known
}

/// Why a supply point's values cannot be taken.
fn refusal(meter: Option<&MeterFacts>, what: &str) -> String {
    match meter {
        None => "is no supply point of any project; add it to a meter of a project file, or take the other lines with \
                 --partial"
            .to_owned(),
        Some(meter) => format!(
            "is the supply point of meter {}, which counts {} in {}, and the file has {what}; correct the supply point in \
             the project file, or take the other lines with --partial",
            meter.id,
            own_channel(meter),
            meter.carrier.base_unit().display(),
        ),
    }
}

/// Where a supply point's values go.
struct SeriesFor {
    line: u64,
    meter: MeterId,
    own: Channel,
    zone: Zone,
}

impl SeriesFor {
    fn series(&self, channel: Channel) -> SeriesKey {
        SeriesKey { meter: self.meter.clone(), channel }
    }
}

/// As [`judge`], where what is accepted has been taken out of the report already.
fn judge_taken<T, U>(args: &ImportArgs, report: ImportReport<T>, taken: &[U]) -> Result<usize, Failure> {
    let ImportReport { rows, read, repeated, refused, findings, .. } = report;
    let shown = ImportReport { rows, read, accepted: taken.iter().collect(), repeated, refused, findings };
    judge(&args.file, &shown, Strictness::of(args))?;
    Ok(read)
}

pub(super) fn arera_gas(args: &ImportArgs) -> Result<Exit, Failure> {
    let site = Site::open(args)?;
    let bytes = read_file(&args.file)?;
    let mut report = read_arera_gas(&bytes, site.zone()).map_err(|error| unusable(&args.file, error))?;
    let known = refuse_unknown(
        &site,
        &mut report,
        ("gas in m3", |m: &MeterFacts| m.carrier == model::Carrier::NaturalGas),
    );
    let read = judge_taken(args, report, &known)?;
    let channel = Channel::total(Quantity::GasVolume);
    let rows: Vec<FiledTotal> =
        known.iter().map(|(of, total)| site.total(of.series(channel), total, of.zone)).collect();
    let note = note(&args.file, &bytes, &args.author, site.now);
    print_count("gas readings", read, site.store.put_totals(&rows, &note)?);
    Ok(Exit::OK)
}

pub(super) fn arera_electricity(replace: Option<&str>, args: &ImportArgs) -> Result<Exit, Failure> {
    let site = Site::open(args)?;
    let bytes = read_file(&args.file)?;
    let ceiling = |point: &str| site.at(point).map(|(_, m)| m.ceiling_per_hour);
    let mut report =
        read_arera_electricity(&bytes, site.zone(), &ceiling).map_err(|error| unusable(&args.file, error))?;
    let known = refuse_unknown(&site, &mut report, ("electricity in kWh", counts_electricity));
    // A row may hold the values of a whole day, so rows are told apart from them.
    report.read = known.len();
    let (mut intervals, mut totals) = (Vec::new(), Vec::new());
    for (of, stated) in &known {
        match stated {
            Stated::Interval(interval) => {
                intervals.push((of.line, site.interval(of.series(of.own), interval, of.zone)));
            }
            Stated::Total(total) => totals.push(site.total(of.series(of.own), total, of.zone)),
        }
    }
    let note = note(&args.file, &bytes, &args.author, site.now);
    let read = intervals.len();
    let intervals = site.beside_what_stands(intervals, &note, replace, &mut report.refused)?;
    let taken: Vec<()> = vec![(); intervals.len() + totals.len()];
    judge_taken(args, report, &taken)?;
    print_count("quarter-hours", read, site.put_intervals(&intervals, &note, replace)?);
    print_count("registers", totals.len(), site.store.put_totals(&totals, &note)?);
    Ok(Exit::OK)
}

/// Why intervals of a series would change no month, and what to write instead.
fn feeds_no_month(meter: Option<&MeterFacts>, series: &SeriesKey) -> Option<String> {
    let says = format!("intervals of {} {} feed no month", series.meter, series.channel);
    let Some(meter) = meter else {
        return Some(format!(
            "{says}: {} is in no imported project; name a meter of a project",
            series.meter
        ));
    };
    let own = own_channel(meter);
    (own != series.channel).then(|| {
        format!("{says}; {} counts {own}: write quantity = \"{}\"", series.meter, own.quantity.code())
    })
}

pub(super) fn mapped(map: &Path, replace: Option<&str>, args: &ImportArgs) -> Result<Exit, Failure> {
    let site = Site::open(args)?;
    let mapping = read_mapping(&read_file(map)?).map_err(|error| unusable(map, error))?;
    let in_project = |series: &SeriesKey| site.meter(|m| m.id == series.meter).map(|(_, m)| m);
    of_meters_that_count(&site, map, &mapping)?;
    let most = |series: &SeriesKey, millis: i64| {
        in_project(series).map(|m| (m.ceiling_per_milli() * millis as f64).ceil() as i64)
    };
    let bytes = read_file(&args.file)?;
    let mut report = read_mapped(&bytes, &mapping, &most).map_err(|error| unusable(&args.file, error))?;
    let (mut intervals, mut readings) = (Vec::new(), Vec::new());
    for on in &report.accepted {
        let series = on.value.series.clone();
        match &on.value.value {
            Stated::Interval(stated) => {
                if let Some(next) = feeds_no_month(in_project(&series), &series) {
                    return Err(Failure::bad_input(format!("{}: {next}", map.display())));
                }
                intervals.push((on.line, site.interval(series, stated, site.zone())));
            }
            Stated::Total(stated) => readings.push((on.line, site.reading(series, stated))),
        }
    }
    let note = note(&args.file, &bytes, &args.author, site.now);
    let stated = intervals.len();
    let intervals = site.beside_what_stands(intervals, &note, replace, &mut report.refused)?;
    let readings = site.beside_earlier_totals(readings, &mapping, &mut report.refused)?;
    let taken: Vec<()> = vec![(); intervals.len() + readings.len()];
    println!("values: {} read", judge_taken(args, report, &taken)?);
    if !intervals.is_empty() {
        print_count("intervals", stated, site.put_intervals(&intervals, &note, replace)?);
    }
    if !readings.is_empty() {
        let given = readings.len();
        let done = site.store.append_blocking(readings)?;
        println!(
            "totals: {given} read, {} new, {} already there, {} kept aside because another value of that time is there",
            done.new, done.duplicate, done.conflicting
        );
    }
    Ok(Exit::OK)
}
