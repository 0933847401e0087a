//! Holds on the readings that a written report or a frozen submission refers to: they are not thinned from then on.
//!
//! Must never: release a hold; what was sent can be asked about for as long as the obligation lasts, and longer.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use config::WeatherSource;
use model::time::day_start;
use model::{Instant, MeterId, Project};
use store::{HeldSpan, Store, StoreError};

use crate::installation::Installation;

/// Days around the span: what closes its last interval, and what the first one began with.
const AROUND_DAYS: u64 = 7;

/// Holds every reading that the project's figures of a year may be asked about: of all its meters and of the sensors
/// that its temperatures come from, from the beginning of the baseline period to the end of the year, or to `now`
/// where no year is meant. On disk when this returns.
///
/// # Errors
/// The store's own; then nothing may be written or frozen.
pub(crate) fn hold(
    store: &Store,
    installation: &Installation,
    project: &Project,
    year: Option<i32>,
    (name, now): (&str, Instant),
) -> Result<(), StoreError> {
    let meters = meters(installation, project);
    let begin = project.dates.baseline_from;
    let from = day_start(begin.checked_sub_days(Days::new(AROUND_DAYS)).unwrap_or(begin), project.zone);
    let end = year.and_then(|year| NaiveDate::from_ymd_opt(year, 12, 31)?.succ_opt());
    let end = end.unwrap_or_else(|| now.day(project.zone));
    let to = day_start(end.checked_add_days(Days::new(AROUND_DAYS)).unwrap_or(end), project.zone);
    let of_project = store.series()?.into_iter().filter(|series| meters.contains(&series.meter));
    let spans: Vec<HeldSpan> = of_project.map(|series| HeldSpan { series, from, to }).collect();
    store.hold(name, &spans)
}

/// The project's meters, and the sensors of its station and of the one that fills it.
fn meters(installation: &Installation, project: &Project) -> BTreeSet<MeterId> {
    let settings = &installation.settings;
    let own = settings.weather(&project.station);
    let filling = own.and_then(|own| settings.weather(own.fill_from.as_ref()?));
    let sensors = own.into_iter().chain(filling).filter_map(|weather| match &weather.source {
        WeatherSource::Sensor { meter, .. } => Some(meter.clone()),
        WeatherSource::Files { .. } | WeatherSource::Service(_) => None,
    });
    project.meters().map(|(_, meter)| meter.id.clone()).chain(sensors).collect()
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use config::ThinSettings;
    use model::{Channel, Origin, Phase, Quality, Quantity, Reading, SeriesKey, Value};

    use super::*;
    use crate::commands::import::import_project_into;
    use crate::demo::Demo;
    use crate::{archiving, figures};

    const ROME: model::Zone = chrono_tz::Europe::Rome;

    fn at(year: i32, month: u32, day: u32) -> Instant {
        day_start(NaiveDate::from_ymd_opt(year, month, day).unwrap(), ROME)
    }

    /// A voltage a minute for an hour.
    fn hour_of(series: &SeriesKey, begin: Instant) -> Vec<Reading> {
        let reading = |minute: i64| {
            let observed_at = begin.plus_seconds(60 * minute);
            Reading {
                series: series.clone(),
                observed_at,
                received_at: observed_at,
                value: Value::Gauge(230.0),
                quality: Quality::Good,
                origin: Origin::Modbus,
            }
        };
        (0..60).map(reading).collect()
    }

    fn count(store: &Store, series: &SeriesKey, begin: Instant) -> u64 {
        let end = begin.plus_seconds(3_600);
        store.for_each_reading(series, Some(begin), Some(end), &mut |_| ControlFlow::Continue(())).unwrap()
    }

    #[test]
    fn what_a_report_refers_to_is_not_thinned_and_everything_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let demo = Demo::plan(NaiveDate::from_ymd_opt(2026, 6, 30).unwrap(), ROME);
        let files =
            demo.write_files(folder.path(), &demo.unopened_ports(), ([127, 0, 0, 1], 0).into()).unwrap();
        let Ok(installation) = Installation::load(&files.config) else { panic!("the settings were refused") };
        let data = &installation.settings.installation.data_dir;
        let store = Store::open(data, installation.store_options()).unwrap();
        let now = at(2026, 6, 30);
        for file in &files.projects {
            let Ok(_) = import_project_into(&store, &installation.catalog, file, "test", now) else {
                panic!("{} was refused", file.display())
            };
        }
        let (id, year) = demo.report_years().remove(0);
        let Ok(project) = figures::project(&store, &installation.catalog, &id) else { panic!("no project") };
        let (_, meter) = project.meters().next().unwrap();
        let channel = Channel { quantity: Quantity::Voltage, phase: Phase::L1 };
        let own = SeriesKey { meter: meter.id.clone(), channel };
        let other = SeriesKey { meter: MeterId::new("somebody-elses").unwrap(), channel };
        let baseline = day_start(project.dates.baseline_from, ROME);
        let (before, within) = (baseline.plus_seconds(-90 * 86_400), at(year, 7, 1));
        for series in [&own, &other] {
            for begin in [before, baseline, within] {
                store.append_blocking(hour_of(series, begin)).unwrap();
            }
        }
        hold(&store, &installation, &project, Some(year), ("report", now)).unwrap();
        let rule = ThinSettings { quantity: Quantity::Voltage, after_days: 1, every_s: 3_600 };
        let later = at(year + 2, 3, 1);
        // Once from the chunks, once out of the archive.
        for _ in 0..2 {
            archiving::thin(&store, ROME, std::slice::from_ref(&rule), later).unwrap();
            assert_eq!([before, baseline, within].map(|begin| count(&store, &own, begin)), [1, 60, 60]);
            assert_eq!([before, baseline, within].map(|begin| count(&store, &other, begin)), [1, 1, 1]);
            archiving::archive(&store, ROME, 1, later, 0).unwrap();
        }
    }
}
