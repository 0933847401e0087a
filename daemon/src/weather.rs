//! The job behind `[[weather]]`: asks services for the days that are still wanted, and makes daily means of sensors.
//!
//! Must never: ask again for a day that is there and settled, replace what a person imported, or let one source that
//! fails stop another or the daemon.

mod days;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use analytics::degree_days::daily::{HourlyMeans, PLAUSIBLE_C};
use anyhow::Context;
use chrono::{Days, NaiveDate};
use config::{ServiceMeans, ServiceSettings, WeatherSettings, WeatherSource};
use connectors::Stop;
use connectors::weather::{Archive, BaseAddress, Fetched, Means, Patience, Values, WeatherError};
use model::time::day_start;
use model::{
    Channel, DailyTemperature, Digest, Finding, Instant, MeanDefinition, MeterId, Quality, Quantity,
    SeriesKey, Severity, StationId, TemperatureSource, Value,
};
use store::{ImportNote, Store};
use tokio::task::JoinSet;

use crate::installation::Installation;
use crate::reports;
use crate::runtime::Runtime;

/// How often the days of a sensor are made again.
const SENSOR_EVERY: Duration = Duration::from_secs(3600);
/// Longest wait after a round that failed.
const FAILED_EVERY: Duration = Duration::from_secs(900);
/// Days before today whose readings may still arrive late.
const SENSOR_DAYS: u64 = 7;
/// Most questions of one round: half a century.
const QUESTIONS_MAX: usize = 50;

/// Starts a task for each source that is not a file. Aborting them loses nothing: a round that is cut short is made
/// again.
pub(crate) fn start(runtime: &Arc<Runtime>, stop: &Stop) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for weather in &runtime.installation().settings.weather {
        let (runtime, weather, stop) = (Arc::clone(runtime), weather.clone(), stop.clone());
        match weather.source.clone() {
            WeatherSource::Files { .. } => {}
            WeatherSource::Sensor { meter, hours_min } => {
                tasks.spawn(tend_sensor(runtime, weather, meter, hours_min, stop));
            }
            WeatherSource::Service(service) => {
                // What cannot be asked is a finding of the installation already.
                if let Some(archive) = archive(&weather, &service) {
                    tasks.spawn(tend_service(runtime, weather, service, archive, stop));
                }
            }
        }
    }
    tasks
}

/// What is wrong with the weather sources of an installation, without any I/O.
pub(crate) fn check(installation: &Installation) -> Vec<Finding> {
    let mut findings = Vec::new();
    for weather in &installation.settings.weather {
        let subject = subject(&weather.station);
        match &weather.source {
            WeatherSource::Files { .. } => {}
            WeatherSource::Sensor { meter, .. } => {
                let model =
                    installation.settings.meter(meter).and_then(|m| installation.models.get(&m.model));
                let measures = |channel| model.is_some_and(|m| m.channels().contains(&channel));
                if !measures(Channel::total(Quantity::OutdoorTemperature)) {
                    let says =
                        format!("the model of meter {meter} has no outdoor_temperature; name another meter");
                    let rule = "a station needs a source";
                    findings.push(
                        Finding::new("weather.meter.without", Severity::Blocks, subject, says, rule)
                            .with("meter", meter),
                    );
                }
            }
            WeatherSource::Service(service) => {
                if archive(weather, service).is_none() {
                    let says = format!(
                        "{:?} is no base address; write one such as https://archive-api.open-meteo.com, without a query",
                        service.address
                    );
                    let rule = "a station needs a source";
                    findings.push(
                        Finding::new("weather.address", Severity::Blocks, subject, says, rule)
                            .with("address", &service.address),
                    );
                }
            }
        }
    }
    findings
}

fn subject(station: &StationId) -> String {
    format!("station:{station}")
}

/// The place at the service, if its address is one.
fn archive(weather: &WeatherSettings, service: &ServiceSettings) -> Option<Archive> {
    Some(Archive {
        address: BaseAddress::parse(&service.address)?,
        latitude: service.latitude,
        longitude: service.longitude,
        means: match service.means {
            ServiceMeans::Hourly { .. } => Means::Hourly,
            ServiceMeans::Daily => Means::Daily,
        },
        zone: weather.zone,
        ca_file: service.ca_file.clone(),
        patience: Patience {
            timeout: Duration::from_secs(u64::from(service.timeout_s)),
            ..Patience::default()
        },
    })
}

async fn tend_service(
    runtime: Arc<Runtime>,
    weather: WeatherSettings,
    service: ServiceSettings,
    archive: Archive,
    mut stop: Stop,
) {
    loop {
        let round = service_round(&runtime, &weather, &service, &archive);
        let done = tokio::select! {
            done = round => done,
            () = stop.stopped() => return,
        };
        let every = Duration::from_secs(u64::from(service.every_h) * 3600);
        let wait = match &done {
            Ok(()) => every,
            Err(error) => {
                let asked = error.downcast_ref::<WeatherError>().and_then(WeatherError::retry_after);
                FAILED_EVERY.min(every).max(asked.unwrap_or_default())
            }
        };
        told(&runtime, &weather.station, done);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.stopped() => return,
        }
    }
}

/// Says that a source failed, or takes it back.
fn told(runtime: &Runtime, station: &StationId, done: anyhow::Result<()>) {
    let Err(error) = done else {
        runtime.resolve(&subject(station), Some("weather.source.failed"));
        return;
    };
    let says = format!("no new temperatures: {error:#}");
    let rule = "every failure is shown to a person; days without a temperature are never filled silently";
    runtime.report(
        Finding::new("weather.source.failed", Severity::Caution, subject(station), says, rule)
            .with("station", station)
            .with("error", format!("{error:#}")),
    );
}

/// Asks for every day that is wanted, and keeps each answer before the next question.
async fn service_round(
    runtime: &Arc<Runtime>,
    weather: &WeatherSettings,
    service: &ServiceSettings,
    archive: &Archive,
) -> anyhow::Result<()> {
    let now = runtime.clock.now();
    let (store, station) = (runtime.store.clone(), weather.station.clone());
    let (name, zone, since) = (archive.name(), weather.zone, service.since);
    let every = i64::from(service.every_h) * 3600;
    let wanted = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
        let today = now.day(zone);
        let all = store.temperatures(&station, since, today.max(since))?;
        let of_people = all.iter().filter(|t| t.source == TemperatureSource::File).map(|t| t.date);
        let known = days::Known {
            imported: of_people.collect(),
            had: all.iter().map(|t| t.date).collect(),
            asked: store.weather_asked(&station, &name)?,
        };
        Ok(days::wanted(&known, since, now, zone, every))
    });
    let wanted = wanted.await.context("the days that are wanted were not found out")??;
    for (from, to) in days::runs(&wanted).into_iter().take(QUESTIONS_MAX) {
        let fetched = archive.fetch(from, to).await?;
        let (store, weather, means, name) =
            (runtime.store.clone(), weather.clone(), service.means, archive.name());
        let asked: BTreeSet<NaiveDate> = wanted.range(from..to).copied().collect();
        let at = runtime.clock.now();
        let kept =
            tokio::task::spawn_blocking(move || keep(&store, &weather, means, &name, &asked, &fetched, at));
        kept.await.context("an answer was not kept")??;
    }
    Ok(())
}

/// Puts the days of an answer that were asked for into the store, then notes that they were asked.
fn keep(
    store: &Store,
    weather: &WeatherSettings,
    means: ServiceMeans,
    name: &str,
    asked: &BTreeSet<NaiveDate>,
    fetched: &Fetched,
    at: Instant,
) -> anyhow::Result<()> {
    let (definition, days) = match (&fetched.values, means) {
        (Values::Hourly(values), ServiceMeans::Hourly { hours_min }) => {
            let mut hours = HourlyMeans::new(weather.zone, hours_min);
            values.iter().for_each(|(at, value_c)| hours.push(*at, *value_c));
            let days = hours.days().filter_map(|(date, mean)| Some((date, mean.ok()?)));
            (MeanDefinition::HourlyMeans, days.collect::<Vec<_>>())
        }
        (Values::Daily(values), ServiceMeans::Daily) => {
            let days = values.iter().filter(|(_, mean_c)| PLAUSIBLE_C.contains(mean_c)).copied();
            (MeanDefinition::SourceDaily, days.collect())
        }
        (Values::Hourly(_), ServiceMeans::Daily) | (Values::Daily(_), ServiceMeans::Hourly { .. }) => {
            anyhow::bail!("the answer holds other means than were asked for")
        }
    };
    let day = |(date, mean_c)| DailyTemperature {
        station: weather.station.clone(),
        date,
        mean_c,
        definition,
        source: TemperatureSource::Service,
    };
    let days: Vec<DailyTemperature> =
        days.into_iter().filter(|(date, _)| asked.contains(date)).map(day).collect();
    put(store, &weather.station, &days, name, reports::sha256(&fetched.body), at)?;
    let asked: Vec<NaiveDate> = asked.iter().copied().collect();
    store.note_weather_asked(&weather.station, name, &asked, at)?;
    Ok(())
}

fn put(
    store: &Store,
    station: &StationId,
    days: &[DailyTemperature],
    source_name: &str,
    source_sha256: Digest,
    at: Instant,
) -> anyhow::Result<()> {
    if days.is_empty() {
        return Ok(());
    }
    let author = format!("weather:{station}");
    let note = ImportNote { source_name: source_name.to_owned(), source_sha256, author, at };
    let count = store.put_temperatures(days, &note)?;
    if 0 < count.new + count.replaced {
        tracing::info!(%station, new = count.new, replaced = count.replaced, "daily temperatures");
    }
    Ok(())
}

async fn tend_sensor(
    runtime: Arc<Runtime>,
    weather: WeatherSettings,
    meter: MeterId,
    hours_min: u32,
    mut stop: Stop,
) {
    // The first round goes through all readings; the later ones look at what may still have changed.
    let mut days = None;
    loop {
        let (worker, of, meter) = (Arc::clone(&runtime), weather.clone(), meter.clone());
        let round = tokio::task::spawn_blocking(move || {
            let now = worker.clock.now();
            let lacking = sensor_round(&worker.store, &of, &meter, hours_min, days, now)?;
            worker.resolve(&subject(&of.station), Some("weather.sensor.incomplete"));
            if 0 < lacking {
                worker.report(incomplete(&of.station, &meter, lacking));
            }
            Ok(())
        });
        let done = tokio::select! {
            done = round => done,
            () = stop.stopped() => return,
        };
        let done = done.unwrap_or_else(|error| Err(anyhow::Error::new(error)));
        if done.is_ok() {
            days = Some(SENSOR_DAYS);
        }
        told(&runtime, &weather.station, done);
        tokio::select! {
            () = tokio::time::sleep(SENSOR_EVERY) => {}
            () = stop.stopped() => return,
        }
    }
}

fn incomplete(station: &StationId, meter: &MeterId, days: u64) -> Finding {
    let says = format!(
        "{days} of the last {SENSOR_DAYS} days have no mean: too few hours with a plausible value, or the sensor \
         repeats an old one"
    );
    let rule = "a daily mean needs nine tenths of its hours, or what hours_min says";
    Finding::new("weather.sensor.incomplete", Severity::Caution, subject(station), says, rule)
        .with("days", days)
        .with("of", SENSOR_DAYS)
        .with("meter", meter)
}

/// Makes the means of the last `days` days before today, of all days where it is `None`. Returns how many of the last
/// week have none.
fn sensor_round(
    store: &Store,
    weather: &WeatherSettings,
    meter: &MeterId,
    hours_min: u32,
    days: Option<u64>,
    now: Instant,
) -> anyhow::Result<u64> {
    let today = now.day(weather.zone);
    let week = today - Days::new(SENSOR_DAYS);
    let from = days.map(|days| day_start(today - Days::new(days), weather.zone));
    let key = SeriesKey { meter: meter.clone(), channel: Channel::total(Quantity::OutdoorTemperature) };
    let mut hours = HourlyMeans::new(weather.zone, hours_min);
    store.for_each_reading(&key, from, Some(day_start(today, weather.zone)), &mut |reading| {
        if let (Value::Gauge(value_c), true) = (reading.value, reading.quality != Quality::Implausible) {
            hours.push(reading.observed_at, value_c);
        }
        ControlFlow::Continue(())
    })?;
    let made: Vec<(NaiveDate, f64)> =
        hours.days().filter_map(|(date, mean)| Some((date, mean.ok()?))).collect();
    let lacking = SENSOR_DAYS.saturating_sub(made.iter().filter(|(date, _)| week <= *date).count() as u64);
    let Some((first, _)) = made.first() else { return Ok(lacking) };
    let standing = store.temperatures(&weather.station, *first, today)?;
    let imported: BTreeSet<NaiveDate> =
        standing.iter().filter(|t| t.source == TemperatureSource::File).map(|t| t.date).collect();
    let day = |(date, mean_c)| DailyTemperature {
        station: weather.station.clone(),
        date,
        mean_c,
        definition: MeanDefinition::HourlyMeans,
        source: TemperatureSource::Sensor,
    };
    let days: Vec<DailyTemperature> =
        made.into_iter().filter(|(date, _)| !imported.contains(date)).map(day).collect();
    let text: String = days.iter().map(|t| format!("{} {}\n", t.date, t.mean_c)).collect();
    let name = format!("readings of meter {meter}");
    put(store, &weather.station, &days, &name, reports::sha256(text.as_bytes()), now)?;
    Ok(lacking)
}
