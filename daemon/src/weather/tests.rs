//! The job against a scripted service and a store on disk: what is asked, kept, revised and left alone.
//!
//! Must never: reach beyond loopback, or wait for time to pass.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use connectors::Clock;
use model::{Origin, Reading, Zone};
use store::StoreOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::metrics::Metrics;

const ROME: Zone = chrono_tz::Europe::Rome;
const HOUR: i64 = 3600;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A clock that stands where it is put.
#[derive(Debug)]
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Instant {
        Instant::from_millis(self.0.load(Relaxed))
    }
}

/// What the service gives for an hour, or `None` for a null; how many questions it answers before it refuses.
#[derive(Debug)]
struct Script {
    warmer_k: f64,
    /// Hours that the service lacks, as Unix hours.
    lacking: std::ops::Range<i64>,
    answers: usize,
}

/// A service that answers every question about hours with the hour of the day, and notes the days asked.
struct Service {
    address: String,
    script: Arc<Mutex<Script>>,
    asked: Arc<Mutex<Vec<(NaiveDate, NaiveDate)>>>,
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script { warmer_k: 0.0, lacking: 0..0, answers: usize::MAX }));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (play, log) = (Arc::clone(&script), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut question = vec![0; 4096];
                let read = stream.read(&mut question).await.unwrap_or(0);
                let question = String::from_utf8_lossy(&question[..read]).into_owned();
                let date = |key: &str| {
                    let (_, rest) = question.split_once(&format!("{key}=")).unwrap();
                    rest[..10].parse::<NaiveDate>().unwrap()
                };
                let (from, to) = (date("start_date"), date("end_date"));
                log.lock().unwrap().push((from, to));
                let (status, body) = answer(&mut play.lock().unwrap(), from, to);
                let length = body.len();
                let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
                stream.write_all(text.as_bytes()).await.ok();
            }
        });
        Self { address, script, asked }
    }

    fn take_asked(&self) -> Vec<(NaiveDate, NaiveDate)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn answer(script: &mut Script, from: NaiveDate, to: NaiveDate) -> (&'static str, String) {
    if script.answers == 0 {
        return ("400 Bad Request", r#"{"error":true,"reason":"not today"}"#.to_owned());
    }
    script.answers = script.answers.saturating_sub(1);
    let start = day_start(from, Zone::UTC).millis() / 3_600_000;
    let end = day_start(to + Days::new(1), Zone::UTC).millis() / 3_600_000;
    let times: Vec<String> = (start..end).map(|hour| (hour * HOUR).to_string()).collect();
    let value = |hour: i64| {
        if script.lacking.contains(&hour) {
            "null".to_owned()
        } else {
            format!("{:.1}", script.warmer_k + (hour.rem_euclid(24)) as f64)
        }
    };
    let values: Vec<String> = (start..end).map(value).collect();
    let body = format!(
        r#"{{"utc_offset_seconds":0,"hourly_units":{{"temperature_2m":"°C"}},"hourly":{{"time":[{}],"temperature_2m":[{}]}}}}"#,
        times.join(","),
        values.join(",")
    );
    ("200 OK", body)
}

/// A daemon's state over a folder, with one service as the source of station `valle`.
struct Daemon {
    runtime: Arc<Runtime>,
    weather: WeatherSettings,
    service: ServiceSettings,
    archive: Archive,
    clock: Arc<SetClock>,
}

impl Daemon {
    fn open(folder: &Path, address: &str, since: &str, now: &str) -> Self {
        let file = folder.join("consuntivo.toml");
        let text = format!(
            "[installation]\nid = \"i\"\nname = \"I\"\n[[weather]]\nstation = \"valle\"\naddress = \"{address}\"\n\
             latitude = 45.07\nlongitude = 7.69\nsince = {since}\n"
        );
        std::fs::write(&file, text).unwrap();
        let Ok(installation) = Installation::load(&file) else { panic!("the settings were refused") };
        let store =
            Store::open(&installation.settings.installation.data_dir, StoreOptions::default()).unwrap();
        let clock = Arc::new(SetClock(AtomicI64::new(Instant::parse_rfc3339(now).unwrap().millis())));
        let weather = installation.settings.weather[0].clone();
        let WeatherSource::Service(service) = weather.source.clone() else { panic!("{weather:?}") };
        let archive = archive(&weather, &service).unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let reports = folder.join("reports");
        let runtime = Runtime::new(
            installation,
            store,
            metrics,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Some(reports),
            false,
        )
        .unwrap();
        Self { runtime: Arc::new(runtime), weather, service, archive, clock }
    }

    async fn round(&self) -> anyhow::Result<()> {
        service_round(&self.runtime, &self.weather, &self.service, &self.archive).await
    }

    fn later(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1000, Relaxed);
    }

    fn days(&self, from: &str, to: &str) -> Vec<DailyTemperature> {
        self.runtime.store.temperatures(&self.weather.station, day(from), day(to)).unwrap()
    }

    fn close(self) {
        self.runtime.store.clone().close();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_never_asked_again_and_recent_days_are_revised() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start().await;
    let daemon = Daemon::open(folder.path(), &service.address, "2025-03-01", "2025-04-10T12:00:00Z");
    // A person knows better about one of the days.
    let imported = DailyTemperature::as_given(daemon.weather.station.clone(), day("2025-04-08"), -3.0);
    let note = ImportNote {
        source_name: "days.csv".to_owned(),
        source_sha256: reports::sha256(b""),
        author: "ufficio".to_owned(),
        at: daemon.runtime.clock.now(),
    };
    daemon.runtime.store.put_temperatures(std::slice::from_ref(&imported), &note).unwrap();
    daemon.round().await.unwrap();
    let asked = service.take_asked();
    // Civil days of Rome begin an hour or two before those of GMT.
    let wanted = [("2025-02-28", "2025-04-07"), ("2025-04-08", "2025-04-09")].map(|(a, b)| (day(a), day(b)));
    assert_eq!(asked, wanted);
    let days = daemon.days("2025-03-01", "2025-05-01");
    assert_eq!(days.len(), 40, "1 March to 9 April");
    assert_eq!(days[38], imported);
    assert_eq!(
        (days[0].definition, days[0].source),
        (MeanDefinition::HourlyMeans, TemperatureSource::Service)
    );
    // 24 hours from 23 GMT on are 0 to 23 once; on 30 March the hour 22 GMT is the next day's.
    assert_eq!(days[0].mean_c, 11.5);
    assert_eq!(days[29].mean_c, (276.0 - 22.0) / 23.0);

    daemon.round().await.unwrap();
    daemon.close();
    let daemon = Daemon::open(folder.path(), &service.address, "2025-03-01", "2025-04-10T13:00:00Z");
    daemon.round().await.unwrap();
    assert!(service.take_asked().is_empty(), "neither in the next round nor after a restart");

    service.script.lock().unwrap().warmer_k = 1.0;
    daemon.later(6 * HOUR);
    let audited = daemon.runtime.store.audit_head().unwrap().seq;
    daemon.round().await.unwrap();
    let wanted = [("2025-04-02", "2025-04-07"), ("2025-04-08", "2025-04-09")].map(|(a, b)| (day(a), day(b)));
    assert_eq!(service.take_asked(), wanted);
    let days = daemon.days("2025-03-01", "2025-05-01");
    assert_eq!((days[32].mean_c, days[33].mean_c, days[38].mean_c), (11.5, 12.5, -3.0));
    assert_eq!(daemon.runtime.store.temperatures_replaced(&daemon.weather.station).unwrap().len(), 6);
    assert_eq!(daemon.runtime.store.audit_head().unwrap().seq, audited + 2);
    daemon.runtime.store.verify_audit().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_breaks_off_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start().await;
    service.script.lock().unwrap().answers = 1;
    let daemon = Daemon::open(folder.path(), &service.address, "2023-01-01", "2025-01-20T12:00:00Z");
    let error = format!("{:#}", daemon.round().await.unwrap_err());
    assert!(error.contains("status 400: not today; check address, latitude, longitude and since"), "{error}");
    told(&daemon.runtime, &daemon.weather.station, Err(anyhow::anyhow!(error)));
    assert_eq!(daemon.runtime.open_findings()[0].code, "weather.source.failed");
    assert_eq!(service.take_asked().len(), 2);
    assert_eq!(daemon.days("2023-01-01", "2026-01-01").len(), 366);
    daemon.close();
    service.script.lock().unwrap().answers = usize::MAX;
    let daemon = Daemon::open(folder.path(), &service.address, "2023-01-01", "2025-01-20T12:00:00Z");
    daemon.round().await.unwrap();
    // 366 days were kept; the rest is one run of 19 days and a leap year.
    let asked = service.take_asked();
    assert_eq!(
        asked,
        [("2024-01-01", "2025-01-01"), ("2025-01-01", "2025-01-19")].map(|(a, b)| (day(a), day(b)))
    );
    assert_eq!(daemon.days("2023-01-01", "2026-01-01").len(), 365 + 366 + 19);
    told(&daemon.runtime, &daemon.weather.station, Ok(()));
    assert!(daemon.runtime.open_findings().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_which_hours_are_missing_stays_missing_until_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start().await;
    let midnight = day_start(day("2025-01-18"), ROME).millis() / 3_600_000;
    service.script.lock().unwrap().lacking = midnight..midnight + 3;
    let daemon = Daemon::open(folder.path(), &service.address, "2025-01-17", "2025-01-20T12:00:00Z");
    daemon.round().await.unwrap();
    let dates = |daemon: &Daemon| -> Vec<NaiveDate> {
        daemon.days("2025-01-01", "2025-02-01").iter().map(|t| t.date).collect()
    };
    assert_eq!(dates(&daemon), [day("2025-01-17"), day("2025-01-19")]);
    service.script.lock().unwrap().lacking = 0..0;
    daemon.later(6 * HOUR);
    daemon.round().await.unwrap();
    assert_eq!(dates(&daemon), [day("2025-01-17"), day("2025-01-18"), day("2025-01-19")]);
}

#[test]
fn a_sensor_makes_days_again_while_readings_may_be_late() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    let meter = MeterId::new("tetto").unwrap();
    let weather = WeatherSettings {
        station: StationId::new("municipio").unwrap(),
        source: WeatherSource::Sensor { meter: meter.clone(), hours_min: 22 },
        fill_from: None,
        zone: ROME,
        line: 1,
    };
    let reading = |date: &str, hour: i64, value_c: f64| {
        let at = day_start(day(date), ROME).plus_seconds(hour * HOUR + 600);
        let channel = Channel::total(Quantity::OutdoorTemperature);
        Reading {
            series: SeriesKey { meter: meter.clone(), channel },
            observed_at: at,
            received_at: at,
            value: Value::Gauge(value_c),
            quality: if value_c < -50.0 { Quality::Implausible } else { Quality::Good },
            origin: Origin::Mqtt,
        }
    };
    // A whole day, one with four hours still under way, and one of a sensor torn off.
    let mut readings: Vec<Reading> = (0..24).map(|h| reading("2025-01-10", h, h as f64)).collect();
    readings.extend((0..20).map(|h| reading("2025-01-11", h, 2.0 * h as f64)));
    readings.extend((0..24).map(|h| reading("2025-01-12", h, -127.0)));
    store.append_blocking(readings).unwrap();
    let now = day_start(day("2025-01-13"), ROME).plus_seconds(300);
    let made = |days, now| sensor_round(&store, &weather, &meter, 22, days, now).unwrap();
    let means = || -> Vec<(NaiveDate, f64)> {
        let all = store.temperatures(&weather.station, day("2025-01-01"), day("2025-02-01")).unwrap();
        assert!(all.iter().all(|t| t.source == TemperatureSource::Sensor));
        all.iter().map(|t| (t.date, t.mean_c)).collect()
    };
    assert_eq!(made(None, now), 6, "one of the last seven days has a mean");
    assert_eq!(means(), [(day("2025-01-10"), 11.5)]);
    store.append_blocking((20..24).map(|h| reading("2025-01-11", h, 2.0 * h as f64)).collect()).unwrap();
    assert_eq!(made(Some(SENSOR_DAYS), now), 5);
    assert_eq!(means(), [(day("2025-01-10"), 11.5), (day("2025-01-11"), 23.0)]);
    let head = store.audit_head().unwrap();
    assert_eq!(made(Some(SENSOR_DAYS), now.plus_seconds(HOUR)), 5);
    assert_eq!(store.audit_head().unwrap(), head, "the same again is no import");
    store.verify_audit().unwrap();
}
