//! InfluxDB: the suite on 1.6.7 from Debian (writes by `/write`, which is all it has; InfluxQL back) and, where a server
//! is given, unchanged on InfluxDB 2; its error answers on a stub made from the description of its API.
//!
//! Must never: take the stub for the real thing; `docs/engines.md` says what was run.

use std::sync::Mutex;
use std::time::Duration;

use model::Quantity;
use store::engine::{
    BaseAddress, Engine, EngineError, HttpOptions, Influx, InfluxSettings, Retry, TokenSource,
};

use crate::conformance;
use crate::reply::{Reply, Stub};
use crate::sample::{key, totals};
use crate::server::Server;

fn settings(url: &str, organisation: Option<&str>, bucket: &str) -> InfluxSettings {
    InfluxSettings {
        address: BaseAddress::parse(url).unwrap(),
        organisation: organisation.map(str::to_owned),
        bucket: bucket.to_owned(),
        http: HttpOptions::default(),
    }
}

#[tokio::test]
async fn conforms_in_version_1() {
    let server = Server::influx("readings");
    let engine = Influx::new(settings(&server.url(), None, "readings")).unwrap();
    conformance::all(&engine, "comune").await;
    assert!(engine.health().await.unwrap().version.starts_with("1.6"));
}

/// Runs only where a real InfluxDB 2 is given; its bucket is left with the suite's series in it.
#[tokio::test]
async fn conforms_in_version_2_where_one_is_given() {
    let given = |name: &str| std::env::var(format!("CONSUNTIVO_TEST_INFLUXDB_{name}")).ok();
    let Some(url) = given("URL") else {
        println!("not run: CONSUNTIVO_TEST_INFLUXDB_URL is not set");
        return;
    };
    let organisation = given("ORG").expect("CONSUNTIVO_TEST_INFLUXDB_ORG");
    let bucket = given("BUCKET").expect("CONSUNTIVO_TEST_INFLUXDB_BUCKET");
    let mut settings = settings(&url, Some(&organisation), &bucket);
    settings.http.token = Some(TokenSource::Environment("CONSUNTIVO_TEST_INFLUXDB_TOKEN".to_owned()));
    let engine = Influx::new(settings).unwrap();
    for series in engine.series(None).await.unwrap() {
        engine.delete(&series).await.unwrap();
    }
    conformance::all(&engine, "comune").await;
}

/// Lines that a real engine names one by one are found, and every other line is there.
#[tokio::test]
async fn a_field_of_another_kind_is_found_among_good_lines() {
    let server = Server::influx("readings");
    let engine = Influx::new(settings(&server.url(), None, "readings")).unwrap();
    // Somebody wrote totals as floats: whole totals then conflict, gauges do not.
    let other = Stub::proxy(server.address, |path| Some(path.to_owned()));
    assert_eq!(other.address.ip(), server.address.ip());
    let raw = "/write?db=readings&precision=ms";
    let body = b"consuntivo,installation=comune total=1.5 1750000000000\n";
    let head = format!(
        "POST {raw} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(other.address).unwrap();
    std::io::Write::write_all(&mut stream, &[head.as_bytes(), body].concat()).unwrap();
    std::io::Read::read_to_end(&mut stream, &mut Vec::new()).unwrap();
    let (total, gauge) = (key("m", Quantity::HeatEnergy), key("m", Quantity::Voltage));
    let mut readings = totals(&total, 3);
    readings.extend(totals(&gauge, 3).into_iter().map(|mut reading| {
        reading.value = model::Value::Gauge(230.5);
        reading
    }));
    let refused = engine.write("comune", &readings).await.unwrap();
    assert_eq!(refused.iter().map(|r| r.index).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(refused.iter().all(|r| r.reason.contains("field type conflict")), "{refused:?}");
    let listed = engine.series(Some("comune")).await.unwrap();
    assert_eq!(listed.into_iter().map(|s| s.key).collect::<Vec<_>>(), [gauge]);
}

fn json(status: u16, body: &str) -> Reply {
    (status, vec![("Content-Type", "application/json".to_owned())], body.as_bytes().to_vec())
}

async fn written(
    answer: impl Fn(&crate::reply::Request) -> Reply + Send + Sync + 'static,
) -> (Result<Vec<usize>, EngineError>, Vec<usize>) {
    let stub = Stub::start(answer);
    let engine = Influx::new(settings(&stub.url(), Some("comune"), "readings")).unwrap();
    let readings = totals(&key("m", Quantity::HeatEnergy), 40);
    let done = engine.write("comune", &readings).await;
    let asked = stub.asked.lock().unwrap();
    let first = &asked.first().unwrap().path;
    assert_eq!(first, "/api/v2/write?org=comune&bucket=readings&precision=ms");
    for request in asked.iter() {
        request.must_be_packed();
    }
    let sizes = asked.iter().map(|r| r.text().lines().count()).collect();
    (done.map(|all| all.into_iter().map(|r| r.index).collect()), sizes)
}

#[tokio::test]
async fn error_answers_of_version_2_are_understood() {
    let (done, sizes) =
        written(|_| json(401, r#"{"code":"unauthorized","message":"unauthorized access"}"#)).await;
    let error = done.unwrap_err();
    assert_eq!((error.retry(), error.code(), sizes), (Retry::Hold, "engine.forbidden", vec![40]));
    let (done, _) =
        written(|_| json(404, r#"{"code":"not found","message":"bucket \"readings\" not found"}"#)).await;
    let error = done.unwrap_err();
    assert_eq!((error.retry(), error.code()), (Retry::Hold, "engine.place"));
    assert!(error.to_string().contains("bucket \"readings\" not found"), "{error}");
    let (done, _) = written(|_| (429, vec![("Retry-After", "17".to_owned())], Vec::new())).await;
    assert_eq!(done.unwrap_err().retry(), Retry::Later(Some(Duration::from_secs(17))));
    let (done, _) = written(|_| json(503, r#"{"code":"unavailable","message":"x"}"#)).await;
    assert_eq!(done.unwrap_err().retry(), Retry::Later(None));
    let (done, sizes) = written(|request| match request.text().lines().count() {
        0..=10 => (204, Vec::new(), Vec::new()),
        _ => json(413, r#"{"code":"invalid","message":"request too large","maxLength":1000}"#),
    })
    .await;
    assert_eq!((done.unwrap(), sizes), (vec![], vec![40, 20, 10, 10, 20, 10, 10]));
}

#[tokio::test]
async fn bad_lines_of_version_2_are_set_aside_however_they_are_named() {
    let bad = |text: &str| text.lines().position(|line| line.contains("total=1035i"));
    // By number, as the API describes `line`.
    let (done, sizes) = written(move |request| match bad(&request.text()) {
        None => (204, Vec::new(), Vec::new()),
        Some(n) => json(400, &format!(r#"{{"code":"invalid","message":"bad timestamp","line":{}}}"#, n + 1)),
    })
    .await;
    assert_eq!((done.unwrap(), sizes), (vec![5], vec![40, 39]));
    // By its text.
    let (done, sizes) = written(move |request| {
        let text = request.text();
        let line = text.lines().find(|line| line.contains("total=1035i"));
        line.map_or((204, Vec::new(), Vec::new()), |line| {
            json(400, &format!(r#"{{"code":"invalid","message":"unable to parse '{line}': bad"}}"#))
        })
    })
    .await;
    assert_eq!((done.unwrap(), sizes), (vec![5], vec![40, 39]));
    // By nothing, as 422 for points outside the retention: halves.
    let (done, sizes) = written(move |request| match bad(&request.text()) {
        None => (204, Vec::new(), Vec::new()),
        Some(_) => json(422, r#"{"code":"unprocessable entity","message":"partial write: points beyond retention policy dropped=1"}"#),
    })
    .await;
    assert_eq!(done.unwrap(), [5]);
    assert!(sizes.len() < 16, "{sizes:?}");
    // Everything: nothing is set aside, a person must look.
    let (done, _) = written(|_| json(400, r#"{"code":"invalid","message":"no such organisation"}"#)).await;
    let error = done.unwrap_err();
    assert!(matches!(error, EngineError::RefusesAll { .. }), "{error}");
    assert_eq!(error.retry(), Retry::Hold);
}

#[tokio::test]
async fn a_bucket_that_forgets_is_told_at_start() {
    let stub = Stub::start(|request| match request.path.split('?').next() {
        Some("/ping") => (204, vec![("X-Influxdb-Version", "v2.7.11".to_owned())], Vec::new()),
        Some("/api/v2/buckets") => json(
            200,
            r#"{"buckets":[{"name":"readings","retentionRules":[{"type":"expire","everySeconds":2592000}]}]}"#,
        ),
        _ => (404, Vec::new(), Vec::new()),
    });
    let engine = Influx::new(settings(&stub.url(), Some("comune"), "readings")).unwrap();
    let health = engine.health().await.unwrap();
    assert_eq!((health.version.as_str(), health.faults.len()), ("v2.7.11", 1));
    assert!(health.faults[0].is_grave && health.faults[0].says.contains("30 days"), "{health:?}");
}

#[tokio::test]
async fn a_token_is_sent_as_version_2_wants_it() {
    let seen: &'static Mutex<Vec<String>> = Box::leak(Box::default());
    let stub = Stub::start(|request| {
        seen.lock().unwrap().push(request.header("authorization").unwrap_or_default().to_owned());
        (204, Vec::new(), Vec::new())
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "abc==\n").unwrap();
    let mut settings = settings(&stub.url(), Some("o"), "b");
    settings.http.token = Some(TokenSource::File(folder.path().join("token")));
    let engine = Influx::new(settings).unwrap();
    engine.write("comune", &totals(&key("m", Quantity::HeatEnergy), 1)).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["Token abc=="]);
}
