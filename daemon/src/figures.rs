//! Gathers a project's inputs from the store and asks `analytics` for its figures of a year.
//!
//! Must never: compute a figure, or let a reading after the year change the figures of the year.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use analytics::degree_days::DailyMeans;
use analytics::evaluate::laws::{Laws, laws};
use analytics::evaluate::{MeterInput, YearInput, course, evaluate};
use analytics::forecast::{Forecast, ForecastInput, forecast};
use analytics::load::{LoadBuilder, LoadProfile};
use analytics::places::{Place, ZoneRules};
use analytics::report::beside::Beside;
use analytics::report::campaign::Campaign;
use analytics::result::{MonthReadings, ProjectYear};
use analytics::savings::forms::forms;
use analytics::series::{Accumulator, DatedFinding};
use analytics::signature::{joined, signatures, signatures_within};
use anyhow::Context;
use chrono::{Datelike, NaiveDate};
use config::Catalog;
use model::time::day_start;
use model::{
    BillQuality, BilledPeriod, DailyTemperature, Finding, MeterFacts, MeterRole, Month, Project, ProjectId,
    Quality, SeriesKey, Severity, StationId, Value,
};
use store::engine::Readings;
use store::{Store, Tallies, Tally};

use crate::acts;
use crate::adjustments;
use crate::baselines;
use crate::comments;
use crate::exit::Failure;
use crate::filed;
use crate::installation::Installation;
use crate::made;
use crate::slots;
use crate::stated;

/// The kind under which project files are kept in the store.
pub(crate) const PROJECT_RECORD: &str = "project";

/// Most load profiles of one report.
const PROFILES_MAX: usize = 6;

/// Every imported project, in order of id, and a finding for each record that this catalogue cannot read.
pub(crate) fn projects(
    store: &Store,
    catalog: &Catalog,
) -> anyhow::Result<(Vec<Arc<Project>>, Vec<Finding>)> {
    let (mut projects, mut findings) = (Vec::new(), Vec::new());
    for record in store.records(PROJECT_RECORD)? {
        match config::parse_project(&record.body, catalog) {
            Ok((project, _)) => projects.push(Arc::new(project)),
            Err(problems) => {
                let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let list = list.join("; ");
                let says = format!(
                    "the imported file cannot be used with this catalogue; import a mended one: {list}"
                );
                let rule = "every failure is shown to a person";
                let subject = format!("project:{}", record.id);
                findings.push(
                    Finding::new("project.unreadable", Severity::Blocks, subject, says, rule)
                        .with("error", list),
                );
            }
        }
    }
    projects.sort_by(|a, b| a.id.cmp(&b.id));
    Ok((projects, findings))
}

/// One imported project.
pub(crate) fn project(store: &Store, catalog: &Catalog, id: &ProjectId) -> Result<Arc<Project>, Failure> {
    let record = store.record(PROJECT_RECORD, id.as_str())?.ok_or_else(|| {
        Failure::bad_input(format!(
            "no project {id} in this store; import its file first: consuntivo import project FILE"
        ))
    })?;
    match config::parse_project(&record.body, catalog) {
        Ok((project, _)) => Ok(Arc::new(project)),
        Err(problems) => {
            let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let list = list.join("; ");
            Err(Failure::bad_input(format!("project {id} cannot be read with this catalogue: {list}")))
        }
    }
}

/// The first day not counted in a report about `year`: the next 1 January, or `today` in a year in progress.
pub(crate) fn until(year: i32, today: NaiveDate) -> NaiveDate {
    NaiveDate::from_ymd_opt(year + 1, 1, 1).map_or(today, |end| end.min(today))
}

/// The years of a project that have figures, newest first: from that of the first whole month after completion to
/// `today`'s.
pub(crate) fn years(project: &Project, today: NaiveDate) -> Vec<i32> {
    let first = Month::of(project.dates.completed).next().year;
    (first..=today.year()).rev().collect()
}

/// Years of temperatures that a forecast looks back, at most.
const HISTORY_YEARS: i32 = 20;

/// The figures of one project and year.
pub(crate) fn project_year(
    store: &Store,
    installation: &Installation,
    project: &Arc<Project>,
    year: i32,
    until: NaiveDate,
) -> anyhow::Result<ProjectYear> {
    with_input(store, installation, project, year, until, evaluate)
}

/// A year's figures with what stands beside them in its report.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) year: ProjectYear,
    pub(crate) beside: Beside,
}

/// [`project_year`] with the year before it, its course, its signatures and profiles, people's comments and the values
/// that they state.
pub(crate) fn with_beside(
    store: &Store,
    installation: &Installation,
    project: &Arc<Project>,
    number: i32,
    until: NaiveDate,
) -> anyhow::Result<Figures> {
    let before = number - 1;
    let has_former = Month::of(project.dates.completed).next().year <= before;
    // The year before is read from the same journal at the same time, on the other core.
    std::thread::scope(|threads| {
        let former = has_former.then(|| {
            threads.spawn(|| project_year(store, installation, project, before, self::until(before, until)))
        });
        let means = DailyMeans::of(&history(store, project, until)?, &project.station);
        let (year, courses, signatures, forms) =
            with_input(store, installation, project, number, until, |input| {
                let year = evaluate(input);
                let signatures = signatures(input, &year);
                let forms = forms(project, &laws(input), &means, until, input.places.first());
                (year, course(input), signatures, forms)
            })?;
        let mut beside = Beside {
            courses,
            signatures,
            forms: Some(forms),
            profiles: profiles(store, installation, project, (first_of(number, until), until))?,
            comments: comments::of_report(store, project, number)?,
            former: match former.map(std::thread::ScopedJoinHandle::join) {
                None => None,
                Some(Ok(figures)) => Some(Box::new(figures?)),
                Some(Err(_)) => anyhow::bail!("computing the year {before} panicked"),
            },
            stated: Vec::new(),
            former_stated: Vec::new(),
            papers: Vec::new(),
            period: None,
        };
        stated::put_beside(store, &year, &mut beside)?;
        Ok(Figures { year, beside })
    })
}

fn first_of(year: i32, until: NaiveDate) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or(until)
}

/// The years that a campaign touches, with the signatures and profiles of its whole time, what people said of its last
/// year and what they state of each. The campaign begins on the first day and ends before the second; what is from
/// `counted` on is not counted.
pub(crate) fn of_campaign(
    store: &Store,
    installation: &Installation,
    project: &Arc<Project>,
    (from, end): (NaiveDate, NaiveDate),
    counted: NaiveDate,
) -> anyhow::Result<Campaign> {
    let to = end.min(counted);
    let last = to.pred_opt().unwrap_or(to).year();
    let mut made = Vec::new();
    for year in from.year()..=last {
        let until = self::until(year, to);
        made.push(with_input(store, installation, project, year, until, |input| {
            let year = evaluate(input);
            let signatures = signatures_within(input, &year, (from, to));
            (year, signatures)
        })?);
    }
    let signatures = joined(made.iter().map(|(year, signatures)| (year, signatures.clone())).collect());
    let mut beside = Beside {
        signatures,
        profiles: profiles(store, installation, project, (from, to))?,
        comments: comments::of_report(store, project, last)?,
        period: Some((from, to)),
        ..Beside::default()
    };
    let years: Vec<ProjectYear> = made.into_iter().map(|(year, _)| year).collect();
    let mut stated = BTreeMap::new();
    // Of the last year its values stay beside the report too.
    for year in &years {
        stated::put_beside(store, year, &mut beside)?;
        stated.insert(year.year, beside.stated.clone());
    }
    Ok(Campaign { from, to: end, years, beside, stated })
}

/// The load profiles of the project's first meters that are no part of another: one pass over the readings of that time
/// each.
fn profiles(
    store: &Store,
    installation: &Installation,
    project: &Project,
    (first, until): (NaiveDate, NaiveDate),
) -> anyhow::Result<Vec<LoadProfile>> {
    let (from, to) = (day_start(first, project.zone), day_start(until, project.zone));
    let mut made = Vec::new();
    for (_, meter) in project.meters().filter(|(_, m)| m.role != MeterRole::Sub).take(PROFILES_MAX) {
        let mut builder = LoadBuilder::new(installation.series_settings(project, meter), from, to);
        let key = SeriesKey { meter: meter.id.clone(), channel: meter.total_channel() };
        store.for_each_reading(&key, Some(from), Some(to), &mut |reading| {
            if let (true, Value::Total(total)) = (reading.quality != Quality::Implausible, reading.value) {
                builder.push(reading.observed_at, total);
            }
            ControlFlow::Continue(())
        })?;
        made.push(builder.finish(meter.id.clone()));
    }
    made.retain(LoadProfile::is_whole);
    Ok(made)
}

/// Gathers everything that the figures of a year depend on.
pub(crate) fn with_input<R>(
    store: &Store,
    installation: &Installation,
    project: &Arc<Project>,
    year: i32,
    until: NaiveDate,
    f: impl FnOnce(&YearInput<'_>) -> R,
) -> anyhow::Result<R> {
    let catalog = &installation.catalog;
    let scheme = catalog.scheme(&project.scheme).with_context(|| {
        format!(
            "project {} names the scheme {}, which the catalogue does not have",
            project.id, project.scheme
        )
    })?;
    let factors = catalog.factor_set(&project.factor_set).with_context(|| {
        format!(
            "project {} names the factor set {}, which the catalogue does not have",
            project.id, project.factor_set
        )
    })?;
    let digest = catalog
        .digest_of(&project.scheme, &project.factor_set)
        .context("the catalogue has no digest for the scheme and factor set")?;
    let mut meters = Vec::new();
    let tallies = store.tallies(Month { year, number: 1 })?;
    let readings = crate::hub::readings(store, installation)?;
    for (_, meter) in project.meters() {
        let mut input = meter_input(store, &*readings, installation, project, meter, until)?;
        input.counts = counts(&tallies, meter, year);
        if slots::are_wanted(project, meter) {
            input.slots = slots::of_meter(store, installation, project, meter, year, until)?;
        }
        // A finding of the year stands in its first month.
        if let (Some(finding), Some(month)) = (installation.unproved(meter), Month::all_of(year).first()) {
            input.findings.push(DatedFinding { month: *month, finding });
        }
        meters.push(input);
    }
    let temperatures = store.temperatures(&project.station, project.dates.baseline_from, until)?;
    let neighbour = match fill_from(installation, project) {
        Some(name) => Some((name, store.temperatures(name, project.dates.baseline_from, until)?)),
        None => None,
    };
    let input = YearInput {
        project: Arc::clone(project),
        scheme: Arc::clone(scheme),
        factors: Arc::clone(factors),
        year,
        until,
        meters,
        temperatures: &temperatures,
        neighbour: neighbour.as_ref().map(|(name, days)| ((*name).clone(), days.as_slice())),
        places: places(catalog, project),
        catalog: digest,
        frozen: baselines::accepted(store, &project.id)?,
        adjustments: adjustments::of_project(store, &project.id)?,
    };
    Ok(f(&input))
}

/// A year's figures with the forecast of its end, and the laws behind both.
pub(crate) struct Outlook {
    pub(crate) year: ProjectYear,
    pub(crate) laws: Vec<Laws>,
    pub(crate) forecast: Forecast,
    /// Every temperature that the station has before the day of the forecast.
    pub(crate) history: Vec<DailyTemperature>,
}

/// What can be said of a year on the day `until`.
pub(crate) fn outlook(
    store: &Store,
    installation: &Installation,
    project: &Arc<Project>,
    year: i32,
    until: NaiveDate,
) -> anyhow::Result<Outlook> {
    let history = history(store, project, until)?;
    with_input(store, installation, project, year, until, |input| {
        let (year, laws) = (evaluate(input), laws(input));
        let meters = &input.meters;
        let forecast = forecast(&ForecastInput { year: &year, laws: &laws, meters, history: &history });
        Outlook { year, laws, forecast, history }
    })
}

/// The temperatures of a project's station from [`HISTORY_YEARS`] before a day to the day before it.
pub(crate) fn history(
    store: &Store,
    project: &Project,
    until: NaiveDate,
) -> anyhow::Result<Vec<DailyTemperature>> {
    let first = until.with_day(1).and_then(|d| d.with_year(d.year() - HISTORY_YEARS)).unwrap_or(until);
    Ok(store.temperatures(&project.station, first, until)?)
}

/// What became of a meter's readings, by month of the year. What was counted since the last minute's end is not in it.
fn counts(tallies: &Tallies, meter: &MeterFacts, year: i32) -> Vec<MonthReadings> {
    let of = |month, what| tallies.get(&(meter.id.clone(), month, what)).copied().unwrap_or_default();
    Month::all_of(year)
        .into_iter()
        .map(|month| MonthReadings {
            month,
            expected: of(month, Tally::Expected),
            received: of(month, Tally::Received),
            late: of(month, Tally::Late),
            refused: of(month, Tally::Refused) + of(month, Tally::Dropped),
            quarantined: of(month, Tally::Quarantined),
        })
        .filter(|counts| 0 < counts.expected + counts.received)
        .collect()
}

/// The station that fills days which the project's station lacks.
pub(crate) fn fill_from<'i>(installation: &'i Installation, project: &Project) -> Option<&'i StationId> {
    installation.settings.weather(&project.station)?.fill_from.as_ref()
}

/// The municipalities of the project's buildings that the catalogue knows, with the rules of their zones.
fn places(catalog: &Catalog, project: &Project) -> Vec<(Place, ZoneRules)> {
    let known = project.buildings.iter().filter_map(|building| {
        let place = catalog.place(&building.istat_code)?;
        Some((place.clone(), *catalog.zone(place.zone)?))
    });
    known.collect()
}

/// The bills that begin before `until`; where the last of them is estimated, also those that settle it.
fn bills_until(bills: Vec<BilledPeriod>, until: NaiveDate) -> Vec<BilledPeriod> {
    let mut kept: Vec<BilledPeriod> = Vec::with_capacity(bills.len());
    for bill in bills {
        let open = kept.last().is_some_and(|last| last.quality == BillQuality::Estimated);
        if bill.from < until || open {
            kept.push(bill);
        }
    }
    kept
}

/// What is known of a meter before a day.
pub(crate) fn meter_input(
    store: &Store,
    readings: &dyn Readings,
    installation: &Installation,
    project: &Project,
    meter: &MeterFacts,
    until: NaiveDate,
) -> anyhow::Result<MeterInput> {
    Ok(meter_series(store, readings, installation, project, meter, until)?.0)
}

/// The same with the series that it was made of.
pub(crate) fn meter_series(
    store: &Store,
    readings: &dyn Readings,
    installation: &Installation,
    project: &Project,
    meter: &MeterFacts,
    until: NaiveDate,
) -> anyhow::Result<(MeterInput, Accumulator)> {
    let end = day_start(until, project.zone);
    let key = SeriesKey { meter: meter.id.clone(), channel: meter.total_channel() };
    let acts = acts::of_series(store, &key)?;
    let settings = installation.series_settings(project, meter);
    let series = made::series(readings, &key, settings, &acts::dated(&acts), Some(end))?;
    let filed = filed::of_meter(store, meter, &settings, until, end)?;
    let is_billed = project.uses_bills(meter);
    let bills = if is_billed { bills_until(store.bills(meter.bills_key())?, until) } else { Vec::new() };
    let subject = format!("meter:{}", meter.id);
    let (months, contradictions) = analytics::filed::prefer(series.snapshot(end), filed.months, &subject);
    let mut findings = series.findings(&subject);
    findings.extend(filed.findings);
    findings.extend(contradictions);
    let input = MeterInput {
        meter: meter.id.clone(),
        months,
        slots: None,
        bills: analytics::filed::beside_bills(bills, filed.periods),
        findings,
        decisions: series.decisions(),
        still: series.still_months(),
        refused_acts: series.refused_acts().to_vec(),
        acts,
        readings: series.readings() + filed.values,
        first_reading_at: series.first_at().into_iter().chain(filed.first_at).min(),
        last_reading_at: series.last_at().into_iter().chain(filed.last_at).max(),
        counts: Vec::new(),
    };
    Ok((input, series))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use store::StoreOptions;

    use super::*;

    const SETTINGS: &str = r#"
[installation]
id = "prova"
name = "Prova"
data_dir = "data"
catalog_dir = "catalog"

[[link]]
id = "bus"
connector = "modbus-tcp"
address = "127.0.0.1:502"

[[meter]]
id = "municipio-elettrico"
link = "bus"
model = "lovato-dmg700"
every_s = 60
unit = 1
"#;

    const DUMP: &str = r#"
model = "lovato-dmg700"
serial = "4711"
read_on = "2026-02-03"
[input]
6687 = "0012d680"
[display]
active_energy_import = "12345.6 kWh"
"#;

    /// The year 2024 of the example project in the installation of `folder`.
    fn year(folder: &Path) -> ProjectYear {
        let installation = Installation::load(&folder.join("consuntivo.toml")).unwrap();
        let store = Store::open(&folder.join("data"), StoreOptions::default()).unwrap();
        let text = include_str!("../../config/examples/project.toml");
        let (project, _) = config::parse_project(text, &installation.catalog).unwrap();
        let until = NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
        project_year(&store, &installation, &Arc::new(project), 2024, until).unwrap()
    }

    #[test]
    fn an_experimental_model_withholds_figures_until_a_dump_proves_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("consuntivo.toml"), SETTINGS).unwrap();
        std::fs::create_dir_all(folder.path().join("catalog/dumps")).unwrap();
        let says = |year: &ProjectYear| {
            let mut of = year.findings.iter().filter(|f| f.code == "meter.experimental");
            let found = of.next().map(|f| (f.severity, f.subject.clone()));
            let because = year.kpis.iter().any(|k| k.because.iter().any(|b| b == "meter.experimental"));
            (found, because)
        };
        let blocks = (Severity::Blocks, "meter:municipio-elettrico".to_owned());
        assert_eq!(says(&year(folder.path())), (Some(blocks), true));
        std::fs::write(folder.path().join("catalog/dumps/quadro.toml"), DUMP).unwrap();
        assert_eq!(says(&year(folder.path())), (None, false));
    }
}
