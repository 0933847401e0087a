//! VictoriaMetrics from Debian, version 1.79: the suite, cluster paths, and what it drops without a word.
//!
//! Must never: share a server between tests.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::{Instant, Quality, Quantity, Reading, SeriesKey, Value};
use store::engine::{
    BaseAddress, Delivery, DeliveryOptions, Engine, EngineError, EngineSeries, HttpOptions, Keeper,
    StoreOutbox, TokenSource, Victoria, VictoriaSettings, deliver,
};
use store::{Store, StoreOptions};

use crate::conformance;
use crate::delivery::Notes;
use crate::reply::{Request, Stub};
use crate::sample::{key, total, totals};
use crate::server::Server;

const FLAGS: [&str; 2] = ["-retentionPeriod=100y", "-dedup.minScrapeInterval=1ms"];

pub(crate) fn settings(url: &str) -> VictoriaSettings {
    let address = BaseAddress::parse(url).unwrap();
    VictoriaSettings {
        write: address.clone(),
        read: address.clone(),
        counters: vec![address],
        http: HttpOptions { timeout: Duration::from_secs(20), ..HttpOptions::default() },
    }
}

pub(crate) fn engine(url: &str) -> Arc<Victoria> {
    Arc::new(Victoria::new(settings(url)).unwrap())
}

/// What the server's clock says too: it judges readings by it.
#[expect(clippy::disallowed_methods, reason = "the engine under test judges by the real clock")]
fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Instant::from_millis(i64::try_from(since.as_millis()).unwrap())
}

#[tokio::test]
async fn conforms() {
    let server = Server::victoria(&FLAGS);
    conformance::all(&*engine(&server.url()), "comune").await;
}

/// One server behind the paths of a cluster, with a place of its own for each.
#[tokio::test]
async fn conforms_behind_the_paths_of_a_cluster() {
    let server = Server::victoria(&FLAGS);
    let insert = Stub::proxy(server.address, |path| {
        path.strip_prefix("/insert/0/influx").map(|rest| format!("/influx{rest}"))
    });
    let select = Stub::proxy(server.address, |path| {
        let rest = path.strip_prefix("/select/0/prometheus").or(path.strip_prefix("/delete/0/prometheus"));
        rest.map(|rest| format!("/prometheus{rest}"))
    });
    let address = |text: String| BaseAddress::parse(&text).unwrap();
    let settings = VictoriaSettings {
        write: address(format!("{}/insert/0/influx", insert.url())),
        read: address(format!("{}/select/0/prometheus", select.url())),
        counters: vec![address(server.url())],
        http: HttpOptions::default(),
    };
    conformance::all(&Victoria::new(settings).unwrap(), "comune").await;
    let written = insert.asked.lock().unwrap();
    assert!(written.iter().any(|r| r.path.starts_with("/insert/0/influx/api/v2/write")));
    written.iter().for_each(Request::must_be_packed);
    let asked = select.asked.lock().unwrap();
    assert!(asked.iter().any(|r| r.path.starts_with("/delete/0/prometheus/api/v1/admin/tsdb/delete_series")));
    assert!(asked.iter().any(|r| r.path.starts_with("/select/0/prometheus/api/v1/export?")));
}

#[tokio::test]
async fn what_it_drops_without_a_word_is_caught_and_the_rest_arrives() {
    let server = Server::victoria(&["-retentionPeriod=1y"]);
    let engine = engine(&server.url());
    let key = key("m", Quantity::HeatEnergy);
    let now = now();
    let one = |at: Instant, value| Reading {
        observed_at: at,
        received_at: at,
        value: Value::Total(value),
        ..total(&key, 0, 0)
    };
    let day = 86_400;
    let readings = [
        one(now.plus_seconds(-800 * day), 1),
        one(now.plus_seconds(-10 * day), 2),
        one(now.plus_seconds(-60), 3),
        one(now.plus_seconds(5 * day), 4),
        one(Instant::from_millis(-5), 5),
    ];
    let refused = engine.write("comune", &readings).await.unwrap();
    assert_eq!(refused.iter().map(|r| (r.index, r.reason.contains("1970"))).collect::<Vec<_>>(), [(4, true)]);
    let odd = engine.confirm("comune", &readings[..4]).await.unwrap();
    let indices: Vec<_> = odd.iter().map(|o| (o.refused.index, o.differs)).collect();
    assert_eq!(indices, [(0, false), (3, false)]);
    let reason = &odd[0].refused.reason;
    assert!(reason.contains("1 more than two days ahead, 1 outside its retention"), "{reason}");
    // At start it says so before anything is lost.
    let health = engine.health().await.unwrap();
    assert_eq!(health.retention, Some(Duration::from_secs(365 * 86_400)));
    let kinds: Vec<_> = health.faults.iter().map(|f| (f.kind, f.is_grave)).collect();
    assert_eq!(kinds, [("retention", true), ("duplicates", false)]);
    // The counters are at rest again: a batch that arrives is confirmed by a sample.
    let good = [one(now.plus_seconds(-30), 6)];
    assert_eq!(engine.write("comune", &good).await.unwrap(), []);
    assert_eq!(engine.confirm("comune", &good).await.unwrap(), []);
}

#[tokio::test]
async fn another_value_under_an_identity_is_seen_and_never_chosen_from() {
    let server = Server::victoria(&["-retentionPeriod=100y"]);
    let engine = engine(&server.url());
    let key = key("m", Quantity::HeatEnergy);
    let first = totals(&key, 3);
    assert_eq!(engine.write("comune", &first).await.unwrap(), []);
    assert_eq!(engine.confirm("comune", &first).await.unwrap(), []);
    let mut second = first.clone();
    second[1].value = Value::Total(7);
    assert_eq!(engine.write("comune", &second).await.unwrap(), []);
    let odd = engine.confirm("comune", &second).await.unwrap();
    assert_eq!(odd.iter().map(|o| (o.refused.index, o.differs)).collect::<Vec<_>>(), [(1, true)]);
    let series = EngineSeries { installation: "comune".to_owned(), key };
    let end = Instant::from_millis(i64::MAX);
    let mut back = engine.read(&series, first[0].observed_at, end).await.unwrap();
    // The second sample is shown within a second or two.
    for _ in 0..100 {
        if back.ambiguous == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        back = engine.read(&series, first[0].observed_at, end).await.unwrap();
    }
    assert_eq!((back.readings.len(), back.ambiguous), (2, 1));
}

/// Delivers what the journal holds until nothing waits; every series that was written again.
async fn delivered(engine: &Arc<Victoria>, store: &Store) -> usize {
    let notes = Arc::new(Notes::default());
    let delivery = Delivery {
        engine: Arc::clone(engine) as Arc<dyn Engine>,
        installation: "comune".to_owned(),
        outbox: Arc::new(StoreOutbox::open(store.clone(), "centrale").unwrap()),
        source: Arc::new(store.clone()),
        keeper: Arc::clone(&notes) as Arc<dyn Keeper>,
        options: DeliveryOptions::default(),
    };
    let idle = Arc::clone(&notes);
    deliver(delivery, async move { idle.idle.notified().await }).await;
    assert_eq!(store.outbox_status("centrale").unwrap().unwrap().pending_readings, 0);
    assert!(notes.refused.lock().unwrap().is_empty());
    *notes.rewritten.lock().unwrap()
}

/// The engine's readings of a series once they are these, or what it has after a while.
async fn shows(engine: &Victoria, key: &SeriesKey, expected: &[Reading]) {
    let series = EngineSeries { installation: "comune".to_owned(), key: key.clone() };
    let (from, to) = (Instant::from_millis(0), Instant::from_millis(4_000_000_000_000));
    let mut back = engine.read(&series, from, to).await.unwrap();
    for _ in 0..100 {
        if back.readings == expected && back.ambiguous == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        back = engine.read(&series, from, to).await.unwrap();
    }
    assert_eq!((back.readings.as_slice(), back.ambiguous), (expected, 0));
}

/// A journal that was put back from a backup, or begun anew, gets another value where the engine has one already.
#[tokio::test(flavor = "multi_thread")]
async fn a_correction_of_a_sent_reading_appears_after_delete_and_rewrite() {
    let server = Server::victoria(&FLAGS);
    let engine = engine(&server.url());
    let (wrong, beside) = (key("m", Quantity::HeatEnergy), key("m", Quantity::WaterVolume));
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let stores = folders.each_ref().map(|f| Store::open(f.path(), StoreOptions::default()).unwrap());
    for store in &stores {
        store.outbox_register("centrale").unwrap();
    }
    // Few enough that every one is looked at.
    let mut sent = totals(&wrong, 20);
    stores[0].append([sent.clone(), totals(&beside, 10)].concat()).await.unwrap();
    assert_eq!(delivered(&engine, &stores[0]).await, 0);
    shows(&engine, &wrong, &sent).await;
    shows(&engine, &beside, &totals(&beside, 10)).await;
    // One value is another, one reading is bad, and one never was.
    sent[7].value = Value::Total(1_050);
    sent[9].quality = Quality::Implausible;
    sent.remove(12);
    stores[1].append([sent.clone(), totals(&beside, 10)].concat()).await.unwrap();
    assert_eq!(delivered(&engine, &stores[1]).await, 1);
    shows(&engine, &wrong, &sent).await;
    shows(&engine, &beside, &totals(&beside, 10)).await;
    // What comes after goes on behind it.
    let next = total(&wrong, 20 * 60_000, 9_000);
    stores[1].append(vec![next.clone()]).await.unwrap();
    assert_eq!(delivered(&engine, &stores[1]).await, 0);
    sent.push(next);
    shows(&engine, &wrong, &sent).await;
}

#[tokio::test]
async fn flags_that_garble_are_told() {
    let server =
        Server::victoria(&["-retentionPeriod=100y", "-influxSkipSingleField", "-dedup.minScrapeInterval=1m"]);
    let health = engine(&server.url()).health().await.unwrap();
    let kinds: Vec<_> = health.faults.iter().map(|f| (f.kind, f.is_grave)).collect();
    assert_eq!(kinds, [("names", true), ("duplicates", true)], "{health:?}");
}

#[tokio::test]
async fn a_token_goes_to_the_engine_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "old-secret").unwrap();
    let stub = Stub::start(|request| match request.header("authorization") {
        Some("Bearer new-secret") => (200, Vec::new(), b"{\"data\":[]}".to_vec()),
        _ => (401, Vec::new(), b"who are you, old-secret?".to_vec()),
    });
    let mut settings = settings(&stub.url());
    settings.http.token = Some(TokenSource::File(path.clone()));
    let engine = Victoria::new(settings).unwrap();
    let error = engine.series(None).await.unwrap_err();
    assert!(matches!(error, EngineError::Forbidden { status: 401, .. }), "{error}");
    assert!(!format!("{engine:?}").contains("secret"));
    // Renewed while the daemon runs: the second question after it has it.
    std::fs::write(&path, "new-secret\n").unwrap();
    engine.series(None).await.unwrap_err();
    assert_eq!(engine.series(None).await.unwrap(), []);
}

#[tokio::test]
async fn an_engine_that_is_away_or_answers_rubbish_is_no_panic() {
    let refused = engine("http://127.0.0.1:9").health().await.unwrap_err();
    assert!(matches!(refused, EngineError::Unreachable { .. }), "{refused}");
    for (status, body) in
        [(200, &b"<html>"[..]), (200, b"{\"data\":3}"), (200, b"\xff\xfe\n"), (302, b""), (418, b"x")]
    {
        let stub =
            Stub::start(move |_| (status, vec![("Location", "http://elsewhere/".to_owned())], body.to_vec()));
        let engine = engine(&stub.url());
        let error = engine.series(None).await.unwrap_err();
        assert!(matches!(error, EngineError::Answer { .. }), "{status}: {error}");
        let key = key("m", Quantity::HeatEnergy);
        let series = EngineSeries { installation: "a".to_owned(), key };
        let read = engine.read(&series, Instant::from_millis(0), Instant::from_millis(1)).await;
        assert!(matches!(read, Err(EngineError::Answer { .. })), "{status}: {read:?}");
    }
    let slow = Stub::start(|_| {
        std::thread::sleep(Duration::from_secs(3));
        (200, Vec::new(), Vec::new())
    });
    let mut settings = settings(&slow.url());
    settings.http.timeout = Duration::from_millis(200);
    let error = Victoria::new(settings).unwrap().series(None).await.unwrap_err();
    assert!(matches!(error, EngineError::Timeout { .. }), "{error}");
}
