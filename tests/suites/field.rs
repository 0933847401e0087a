//! The connectors against what others wrote: pymodbus with the register maps of two meters, and Mosquitto.
//!
//! Must never: sleep to wait, or pass because a peer is missing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connectors::{
    BoxFuture, Clock, Inbox, InboxError, Link, LinkSpec, MessageOutcome, MeterSpec, Quarantined, SourceEvent,
    Stop, StopHandle, plan_links, probe,
};
use model::{Finding, Instant, MeterId, ModelId, Quality, Reading};
use tests::broker::{Broker, Publisher, Retain};
use tests::peers::Pymodbus;
use tests::wait::until;

/// What the SDM630's map in `tests/field/sdm630.json` must read, in Wh, varh, W, V, A, Hz.
const SDM630: &[(&str, f64)] = &[
    ("voltage.l1", 230.8),
    ("voltage.l2", 231.4),
    ("voltage.l3", 232.1),
    ("current.l1", 13.3),
    ("current.l2", 14.4),
    ("current.l3", 15.5),
    ("active_power.l1", 2712.5),
    ("active_power.l2", 2963.25),
    ("active_power.l3", 3215.75),
    ("active_power", 8889.5),
    ("apparent_power", 9266.0),
    ("reactive_power", 2614.5),
    ("power_factor", 0.5),
    ("frequency", 50.98),
    ("active_energy_import", 12346600.0),
    ("active_energy_export", 988650.0),
    ("reactive_energy_import", 4322500.0),
    ("reactive_energy_export", 124250.0),
    ("active_energy_import_plus_export", 13335250.0),
    ("active_energy_import.l1", 4001250.0),
    ("active_energy_import.l2", 4101500.0),
    ("active_energy_import.l3", 4245750.0),
    ("active_energy_export.l1", 301500.0),
    ("active_energy_export.l2", 331250.0),
    ("active_energy_export.l3", 357750.0),
];

/// What the EM340's map in `tests/field/em340.json` must read.
const EM340: &[(&str, f64)] = &[
    ("voltage.l1", 229.9),
    ("voltage.l2", 230.5),
    ("voltage.l3", 231.2),
    ("current.l1", 12.346),
    ("current.l2", 13.457),
    ("current.l3", 14.568),
    ("active_power.l1", 2711.6),
    ("active_power.l2", -2962.1),
    ("active_power.l3", 3214.8),
    ("active_power", 2964.1),
    ("apparent_power", 9265.1),
    ("reactive_power", 2613.6),
    ("power_factor", -0.958),
    ("frequency", 50.0),
    ("active_energy_import", 12345700.0),
    ("reactive_energy_import", 4321600.0),
    ("active_energy_import.l1", 4000300.0),
    ("active_energy_import.l2", 4100600.0),
    ("active_energy_import.l3", 4245000.0),
    ("active_energy_export", 9876600.0),
    ("reactive_energy_export", 1232600.0),
];

const LIMIT: Duration = Duration::from_secs(20);
const TOPIC: &str = "energy/town-hall";

/// A clock that needs no wall clock: 2025-06-01T10:00:00Z and what has passed since.
struct Since(std::time::Instant);

impl Clock for Since {
    fn now(&self) -> Instant {
        let millis = i64::try_from(self.0.elapsed().as_millis()).unwrap();
        Instant::from_seconds(1_748_772_000).plus_millis(millis)
    }
}

/// Takes everything, or refuses, or never answers.
#[derive(Default)]
struct Memory {
    readings: Mutex<Vec<Reading>>,
    quarantined: Mutex<Vec<Quarantined>>,
    findings: Mutex<Vec<Finding>>,
    events: Mutex<Vec<SourceEvent>>,
    refuses: AtomicBool,
    hangs: AtomicBool,
    asked: AtomicBool,
}

impl Inbox for Memory {
    fn submit(&self, readings: Vec<Reading>) -> BoxFuture<'_, Result<(), InboxError>> {
        Box::pin(async move {
            self.asked.store(true, Ordering::SeqCst);
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if self.refuses.load(Ordering::SeqCst) {
                return Err(InboxError::Refused { reason: "no space left on device".into() });
            }
            self.readings.lock().unwrap().extend(readings);
            Ok(())
        })
    }

    fn quarantine(&self, message: Quarantined) -> BoxFuture<'_, Result<(), InboxError>> {
        self.quarantined.lock().unwrap().push(message);
        Box::pin(async { Ok(()) })
    }

    fn report(&self, finding: Finding) {
        self.findings.lock().unwrap().push(finding);
    }

    fn note(&self, event: SourceEvent) {
        self.events.lock().unwrap().push(event);
    }
}

impl Memory {
    fn codes(&self) -> Vec<&'static str> {
        self.findings.lock().unwrap().iter().map(|f| f.code).collect()
    }

    /// Totals in Wh, in the order in which they became durable.
    fn totals(&self) -> Vec<i64> {
        let readings = self.readings.lock().unwrap();
        readings
            .iter()
            .filter_map(|r| if let model::Value::Total(t) = r.value { Some(t) } else { None })
            .collect()
    }

    fn messages(&self, wanted: MessageOutcome) -> usize {
        let events = self.events.lock().unwrap();
        events
            .iter()
            .map(|e| match e {
                SourceEvent::Message { outcome, count, .. } if *outcome == wanted => {
                    usize::try_from(*count).unwrap()
                }
                _ => 0,
            })
            .sum()
    }

    fn await_totals(&self, totals: &[i64]) {
        until("the totals", LIMIT, || {
            let seen = self.totals();
            if seen == totals {
                Ok(())
            } else {
                Err(format!("{seen:?}, {:?}", self.findings.lock().unwrap()))
            }
        });
    }

    fn await_up(&self) {
        until("the link", LIMIT, || {
            let events = self.events.lock().unwrap();
            let last = events.iter().rev().find(|e| matches!(e, SourceEvent::LinkState { .. }));
            match last {
                Some(SourceEvent::LinkState { up: true, .. }) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
    }
}

/// A link that runs on a runtime of its own.
struct Running {
    runtime: tokio::runtime::Runtime,
    task: tokio::task::JoinHandle<()>,
    stop: StopHandle,
}

impl Running {
    fn start(link: Link, inbox: &Arc<Memory>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (stop, stopping) = Stop::new();
        let inbox = Arc::clone(inbox) as Arc<dyn Inbox>;
        let task = runtime.spawn(link.run(inbox, clock(), stopping));
        Self { runtime, task, stop }
    }

    /// Stops in good order.
    fn stop(self) {
        self.stop.stop();
        self.runtime.block_on(self.task).unwrap();
    }

    /// Stops the way a power cut does: nothing is finished, nothing is said.
    fn cut(self) {
        self.runtime.shutdown_background();
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(Since(std::time::Instant::now()))
}

fn meter(id: &str, model: &str, table: &str) -> MeterSpec {
    let meters = config::meters::load_meters(None).unwrap();
    let model = Arc::clone(meters.get(&ModelId::new(model).unwrap()).unwrap());
    MeterSpec {
        id: MeterId::new(id).unwrap(),
        link: "l".into(),
        model,
        every_s: 1,
        input: None,
        table: table.parse().unwrap(),
    }
}

fn link(connector: &str, table: &str, meters: Vec<MeterSpec>) -> Link {
    let spec = LinkSpec { id: "l".into(), connector: connector.into(), table: table.parse().unwrap() };
    let (mut links, findings) = plan_links(vec![spec], meters);
    assert!(findings.is_empty(), "{findings:?}");
    links.remove(0)
}

fn modbus(address: std::net::SocketAddr) -> Link {
    let table = format!("address = \"{address}\"\nbackoff_max_s = 1");
    let meters =
        vec![meter("sdm", "eastron-sdm630", "unit = 1"), meter("em", "carlo-gavazzi-em340", "unit = 2")];
    link("modbus-tcp", &table, meters)
}

fn mqtt(broker: &Broker) -> Link {
    let table =
        format!("address = \"{}\"\nclient_id = \"consuntivo-test\"\nbackoff_max_s = 1", broker.address);
    link("mqtt", &table, vec![meter("json", "consuntivo-json", &format!("topic = \"{TOPIC}\""))])
}

/// A payload with a total of so many Wh, a second later each.
fn payload(wh: i64) -> String {
    let (minute, second) = (wh / 60 % 60, wh % 60);
    let kwh = format!("{}.{:03}", wh / 1000, wh % 1000);
    format!("{{\"time\":\"2025-06-01T09:{minute:02}:{second:02}Z\",\"active_energy_import_kwh\":{kwh}}}")
}

fn publisher(broker: &Broker) -> Publisher {
    Publisher::connect(broker.address, "field-test").unwrap()
}

fn publish(publisher: &mut Publisher, payload: &str) {
    publisher.publish(TOPIC, payload.as_bytes(), Retain::No).unwrap();
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn path(folder: &tempfile::TempDir) -> &Path {
    folder.path()
}

#[test]
fn the_maps_of_two_meters_are_read_by_address() {
    let server = Pymodbus::start(0, &["sdm630.json", "em340.json"]);
    let inbox = Arc::new(Memory::default());
    let running = Running::start(modbus(server.address), &inbox);
    let wanted = SDM630.len() + EM340.len();
    until("both sweeps", LIMIT, || {
        let seen = inbox.readings.lock().unwrap().len();
        if wanted <= seen { Ok(()) } else { Err(format!("{seen} readings, {:?}", inbox.codes())) }
    });
    running.stop();
    for (id, expected) in [("sdm", SDM630), ("em", EM340)] {
        let readings = inbox.readings.lock().unwrap();
        let sweep = readings.iter().filter(|r| r.series.meter.as_str() == id);
        let first = sweep.clone().next().unwrap().observed_at;
        let values: BTreeMap<String, f64> = sweep
            .filter(|r| r.observed_at == first)
            .map(|r| {
                assert_eq!(r.quality, Quality::Good);
                (r.series.channel.to_string(), r.value.as_f64())
            })
            .collect();
        assert_eq!(values.len(), expected.len(), "{id}");
        for (channel, value) in expected {
            let read = values[*channel];
            // 32-bit floats hold seven digits; totals are exact.
            let tolerance = if channel.contains("energy") { 0.0 } else { 1e-6 * value.abs() };
            assert!((read - value).abs() <= tolerance, "{id} {channel}: {read} where {value} is expected");
        }
    }
    assert!(inbox.codes().is_empty(), "{:?}", inbox.findings.lock().unwrap());
}

#[test]
fn a_probe_shows_what_pymodbus_holds_and_says_what_to_do_when_it_is_gone() {
    let server = Pymodbus::start(0, &["sdm630.json", "em340.json"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let links = [modbus(server.address)];
    let id = MeterId::new("em").unwrap();
    let shown = runtime.block_on(probe(&links, &id, &*clock())).unwrap();
    assert_eq!((shown.lines[0].raw.as_str(), shown.lines[0].reads.as_str()), ("08fb 0000", "229.9 V"));
    drop(server);
    let gone = runtime.block_on(probe(&links, &id, &*clock())).unwrap_err();
    assert_eq!(gone.code(), "link.refused");
    assert!(gone.to_string().contains("check the port and that the device is on"), "{gone}");
}

#[test]
fn a_modbus_server_that_is_killed_and_started_again_is_read_again() {
    let server = Pymodbus::start(0, &["sdm630.json", "em340.json"]);
    let address = server.address;
    let inbox = Arc::new(Memory::default());
    let running = Running::start(modbus(address), &inbox);
    let count = || inbox.readings.lock().unwrap().len();
    until(
        "a first reading",
        LIMIT,
        || if count() > 0 { Ok(()) } else { Err(format!("{:?}", inbox.codes())) },
    );
    drop(server);
    until("a finding", LIMIT, || {
        if inbox.codes().contains(&"link.refused") { Ok(()) } else { Err(format!("{:?}", inbox.codes())) }
    });
    let before = count();
    let _server = Pymodbus::start(address.port(), &["sdm630.json", "em340.json"]);
    until("readings again", LIMIT, || {
        if count() > before { Ok(()) } else { Err(format!("{:?}", inbox.codes())) }
    });
    running.stop();
    assert_eq!(inbox.codes().last(), Some(&"link.up"));
}

#[test]
fn what_is_published_while_we_are_away_arrives_when_we_return() {
    let folder = folder();
    let broker = Broker::start(path(&folder));
    let inbox = Arc::new(Memory::default());
    let running = Running::start(mqtt(&broker), &inbox);
    inbox.await_up();
    let mut publisher = publisher(&broker);
    publish(&mut publisher, &payload(1000));
    inbox.await_totals(&[1000]);
    running.stop();
    publish(&mut publisher, &payload(1001));
    publish(&mut publisher, &payload(1002));
    let running = Running::start(mqtt(&broker), &inbox);
    inbox.await_totals(&[1000, 1001, 1002]);
    running.stop();
    assert_eq!(inbox.readings.lock().unwrap()[0].observed_at.to_string(), "2025-06-01T09:16:40Z");
}

#[test]
fn a_message_whose_reading_is_not_durable_is_sent_again() {
    let folder = folder();
    let broker = Broker::start(path(&folder));
    let inbox = Arc::new(Memory::default());
    inbox.refuses.store(true, Ordering::SeqCst);
    let running = Running::start(mqtt(&broker), &inbox);
    inbox.await_up();
    let mut publisher = publisher(&broker);
    publish(&mut publisher, &payload(1000));
    publish(&mut publisher, &payload(1001));
    until("the refusal", LIMIT, || {
        if inbox.codes().contains(&"link.inbox") { Ok(()) } else { Err(format!("{:?}", inbox.codes())) }
    });
    inbox.refuses.store(false, Ordering::SeqCst);
    inbox.await_totals(&[1000, 1001]);
    assert!(inbox.messages(MessageOutcome::Duplicate) >= 1);
    running.stop();
}

#[test]
fn a_power_cut_between_arrival_and_disk_loses_nothing() {
    let folder = folder();
    let broker = Broker::start(path(&folder));
    let lost = Arc::new(Memory::default());
    lost.hangs.store(true, Ordering::SeqCst);
    let running = Running::start(mqtt(&broker), &lost);
    lost.await_up();
    let mut publisher = publisher(&broker);
    publish(&mut publisher, &payload(1000));
    until("the submission", LIMIT, || {
        if lost.asked.load(Ordering::SeqCst) { Ok(()) } else { Err("not asked".into()) }
    });
    running.cut();
    let inbox = Arc::new(Memory::default());
    let running = Running::start(mqtt(&broker), &inbox);
    inbox.await_totals(&[1000]);
    running.stop();
    // It was acknowledged now: a third session gets only what is new.
    let after = Arc::new(Memory::default());
    let running = Running::start(mqtt(&broker), &after);
    publish(&mut publisher, &payload(1001));
    after.await_totals(&[1001]);
    running.stop();
}

#[test]
fn a_retained_message_is_never_a_reading() {
    let folder = folder();
    let broker = Broker::start(path(&folder));
    let mut publisher = publisher(&broker);
    publisher.publish(TOPIC, payload(1000).as_bytes(), Retain::Yes).unwrap();
    let inbox = Arc::new(Memory::default());
    let running = Running::start(mqtt(&broker), &inbox);
    until("the retained message", LIMIT, || {
        if inbox.messages(MessageOutcome::Retained) == 1 {
            Ok(())
        } else {
            Err(format!("{:?}", inbox.codes()))
        }
    });
    publish(&mut publisher, &payload(1001));
    inbox.await_totals(&[1001]);
    running.stop();
    assert_eq!(inbox.codes(), ["payload.retained"]);
}

#[test]
fn garbage_and_giants_go_to_quarantine_and_the_session_goes_on() {
    let folder = folder();
    let broker = Broker::start(path(&folder));
    let inbox = Arc::new(Memory::default());
    let running = Running::start(mqtt(&broker), &inbox);
    inbox.await_up();
    let mut publisher = publisher(&broker);
    let garbage: &[&[u8]] = &[b"\xff\xfe", b"", b"{\"active_energy_import_kwh\":1}", &[b'1'; 300_000]];
    for bytes in garbage {
        publisher.publish(TOPIC, bytes, Retain::No).unwrap();
    }
    publish(&mut publisher, &payload(1000));
    inbox.await_totals(&[1000]);
    running.stop();
    let kept = inbox.quarantined.lock().unwrap();
    let reasons: Vec<&str> = kept.iter().map(|q| q.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "the payload is not UTF-8 text",
            "the payload is not JSON: unexpected end at byte 0",
            "`time` is missing",
            "the payload has 300000 bytes where at most 4096 are allowed",
        ]
    );
    assert_eq!(kept[0].payload, b"\xff\xfe");
    assert_eq!(kept[3].payload.len(), 65_536);
    let events = inbox.events.lock().unwrap();
    assert!(!events.iter().any(|e| matches!(e, SourceEvent::LinkState { up: false, .. })));
}

#[test]
fn a_broker_that_restarts_in_the_middle_is_found_again() {
    let folder = folder();
    let broker = Broker::start(path(&folder));
    let address = broker.address;
    let inbox = Arc::new(Memory::default());
    let running = Running::start(mqtt(&broker), &inbox);
    inbox.await_up();
    publish(&mut publisher(&broker), &payload(1000));
    inbox.await_totals(&[1000]);
    drop(broker);
    until("the loss", LIMIT, || {
        if inbox.codes().contains(&"link.lost") { Ok(()) } else { Err(format!("{:?}", inbox.codes())) }
    });
    let broker = Broker::start_at(path(&folder), address);
    inbox.await_up();
    publish(&mut publisher(&broker), &payload(1001));
    inbox.await_totals(&[1000, 1001]);
    running.stop();
    assert_eq!(inbox.codes().last(), Some(&"link.up"));
}

#[test]
fn a_thousand_messages_arrive_in_order_and_once() {
    let folder = folder();
    let broker = Broker::start(path(&folder));
    let inbox = Arc::new(Memory::default());
    let running = Running::start(mqtt(&broker), &inbox);
    inbox.await_up();
    let mut publisher = publisher(&broker);
    let totals: Vec<i64> = (1000..2000).collect();
    for wh in &totals {
        publish(&mut publisher, &payload(*wh));
    }
    inbox.await_totals(&totals);
    running.stop();
    assert_eq!(inbox.messages(MessageOutcome::Accepted), totals.len());
    let again = Arc::new(Memory::default());
    let running = Running::start(mqtt(&broker), &again);
    publish(&mut publisher, &payload(5));
    again.await_totals(&[5]);
    running.stop();
}
