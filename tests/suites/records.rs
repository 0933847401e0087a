//! What a device kept while nobody read it: Mosquitto, a scripted device that speaks MQTT through paho, and the journal.
//!
//! Must never: sleep to wait, or pass because a peer is missing.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use connectors::{BoxFuture, Clock, Inbox, InboxError, Quarantined, SourceEvent, Stop};
use model::{Channel, Finding, Instant, MeterId, Origin, Quantity, Reading, SeriesKey};
use store::{Store, StoreOptions};
use tests::broker::Broker;
use tests::daemon::Daemon;
use tests::journal::{Total, totals};
use tests::repo;
use tests::site::Site;
use tests::wait::until;

const LIMIT: Duration = Duration::from_secs(30);
const BOTH: [&str; 2] = ["3.1.1", "5"];
const MINUTE: i64 = 60;
const MODEL: &str = "shelly-gen2-em1-rpc";

/// The scripted device. Killed when dropped.
struct Device {
    child: Child,
    input: ChildStdin,
    said: Arc<Mutex<Vec<String>>>,
}

impl Device {
    /// Connected and subscribed; sends so many records a page, or never answers with 0.
    fn start(broker: SocketAddr, version: &str, page: usize) -> Self {
        let python = repo::root().join("target/venv/bin/python");
        let mut child = Command::new(&python)
            .arg(repo::root().join("tests/field/shelly_device.py"))
            .args([&broker.port().to_string(), version, "shelly", &page.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| {
                panic!("{} cannot be started ({e}); `make test` installs it", python.display())
            });
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                heard.lock().unwrap().push(line);
            }
        });
        let device = Self { child, input, said };
        until("the device", LIMIT, || match device.said().first() {
            Some(word) if word == "ready" => Ok(()),
            other => Err(format!("{other:?}")),
        });
        device
    }

    fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// What it was asked.
    fn asked(&self) -> Vec<String> {
        self.said().into_iter().skip(1).collect()
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the device reads its input");
    }

    fn keep(&mut self, course: &Course) {
        for minute in 0..course.watt_hours.len() {
            let ts = course.begin + minute as i64 * MINUTE;
            self.tell(&format!("record {ts} {}", course.watt_hours[minute]));
        }
    }

    /// Its register at a second, as an event that carries its time.
    fn notify(&mut self, second: i64, watt_hours: f64) {
        let payload = format!(
            "{{\"src\":\"shelly\",\"dst\":\"shelly/events\",\"method\":\"NotifyStatus\",\"params\":{{\"ts\":{second}.25,\
             \"em1data:0\":{{\"id\":0,\"total_act_energy\":{watt_hours},\"total_act_ret_energy\":0}}}}}}"
        );
        self.tell(&format!("say shelly/events/rpc {payload}"));
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Minutes from `begin` on, and the register that moves at the end of each.
struct Course {
    begin: i64,
    watt_hours: Vec<f64>,
}

impl Course {
    fn new(begin: i64, minutes: i64) -> Self {
        let watt_hours = (0..minutes).map(|i| 10.0 + (i % 7) as f64 * 1.25 + (i % 60) as f64).collect();
        Self { begin, watt_hours }
    }

    /// At the begin of a minute.
    fn register(&self, second: i64) -> f64 {
        let minutes = usize::try_from((second - self.begin) / MINUTE).unwrap();
        1_000_000.0 + self.watt_hours[..minutes].iter().sum::<f64>()
    }

    fn at(&self, minute: i64) -> i64 {
        self.begin + minute * MINUTE
    }

    /// Every total that the journal must hold when it was read at these two minutes, and rebuilt between.
    fn agrees(&self, found: &[Total], from: i64, to: i64) -> Result<(), String> {
        // The messages' own time is a quarter of a second after the minute: the last one comes after its minute's record.
        let ends = |minute: i64| (minute, 0);
        let wanted: Vec<(i64, i64)> =
            [(from, 250)].into_iter().chain((from + 1..=to).map(ends)).chain([(to, 250)]).collect();
        if found.len() != wanted.len() {
            return Err(format!("{} totals", found.len()));
        }
        for (total, (minute, quarter)) in found.iter().zip(wanted) {
            let second = self.at(minute);
            let off = total.watt_hours as f64 - self.register(second);
            if total.observed_ms != second * 1_000 + quarter || off.abs() > 1.0 {
                return Err(format!("minute {minute}: {total:?}, {off} Wh off"));
            }
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the device and the daemon share the clock of this machine")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// Three hours up to the minute that is just over.
fn three_hours() -> Course {
    Course::new((now() / MINUTE - 180) * MINUTE, 180)
}

fn link(broker: SocketAddr, version: &str) -> String {
    format!(
        "\n[[link]]\nid = \"broker\"\nconnector = \"mqtt\"\naddress = \"{broker}\"\nclient_id = \"prova\"\n\
         backoff_max_s = 1\nversion = \"{version}\"\n"
    )
}

fn meter(model: &str) -> String {
    format!(
        "\n[[meter]]\nid = \"hall\"\nlink = \"broker\"\nmodel = \"{model}\"\nevery_s = 60\ntopic = \"shelly\"\n"
    )
}

fn site(broker: SocketAddr, version: &str) -> Site {
    Site::new().with_text(&link(broker, version)).with_text(&meter(MODEL))
}

fn await_totals(site: &Site, daemon: &Daemon, says: impl Fn(&[Total]) -> Result<(), String>) {
    until("the totals", LIMIT, || {
        says(&totals(&site.journal(), "hall")).map_err(|e| format!("{e}; log: {}", daemon.log()))
    });
}

fn count(wanted: usize) -> impl Fn(&[Total]) -> Result<(), String> {
    move |found| if found.len() == wanted { Ok(()) } else { Err(format!("{found:?}")) }
}

fn origins(store: &Store) -> Vec<Origin> {
    let channel = Channel::total(Quantity::ActiveEnergyImport);
    let series = SeriesKey { meter: MeterId::new("hall").unwrap(), channel };
    let mut found = Vec::new();
    let mut take = |reading: &store::StoredReading| {
        found.push(reading.origin);
        ControlFlow::Continue(())
    };
    store.for_each_reading(&series, None, None, &mut take).unwrap();
    found
}

#[test]
fn after_an_outage_of_the_daemon_the_minutes_stand_at_their_own_time() {
    for version in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(folder.path());
        let site = site(broker.address, version);
        let course = three_hours();
        let mut device = Device::start(broker.address, version, 60);
        device.keep(&course);
        let daemon = site.start();
        broker.await_subscriptions(2);
        device.notify(course.at(1), course.register(course.at(1)));
        await_totals(&site, &daemon, count(1));
        daemon.kill();
        let daemon = site.start();
        broker.await_subscriptions(3);
        // Of two minutes ago: the records of its minute are complete.
        device.notify(course.at(178), course.register(course.at(178)));
        await_totals(&site, &daemon, |found| course.agrees(found, 1, 178));
        let store = site.journal();
        let all = origins(&store);
        assert_eq!(
            (all[0], all[1], all[177], all[178]),
            (Origin::Mqtt, Origin::Record, Origin::Record, Origin::Mqtt)
        );
        // What the month has between the readings around the gap is what it had without the records.
        let kept = totals(&store, "hall");
        let steps: i64 = kept.windows(2).map(|pair| pair[1].watt_hours - pair[0].watt_hours).sum();
        assert!(kept.windows(2).all(|pair| pair[0].watt_hours <= pair[1].watt_hours));
        let measured = course.register(course.at(178)).round() - course.register(course.at(1)).round();
        assert_eq!(steps, measured as i64);
        // Three pages of 60: 179 records from the first minute on.
        let asked = device.asked();
        let wanted = [1, 61, 121].map(|minute| format!("EM1Data.GetData {}", course.at(minute)));
        assert_eq!(asked, wanted, "MQTT {version}");
        assert!(!daemon.log().contains("records.refused"), "{}", daemon.log());
        assert_eq!(store.conflicts(9).unwrap().len(), 0);
        assert!(daemon.stop().success());
    }
}

#[test]
fn minutes_that_do_not_add_up_are_refused_and_live_readings_go_on() {
    for version in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(folder.path());
        let site = site(broker.address, version);
        let course = three_hours();
        let mut device = Device::start(broker.address, version, 1_000);
        device.keep(&course);
        // One minute of the device's memory is not what its register counted.
        device.tell(&format!("record {} 500", course.at(90)));
        let daemon = site.start();
        broker.await_subscriptions(2);
        device.notify(course.at(1), course.register(course.at(1)));
        device.notify(course.at(177), course.register(course.at(177)));
        until("the refusal", LIMIT, || {
            let log = daemon.log();
            if log.contains("records.refused") && log.contains("add up to") { Ok(()) } else { Err(log) }
        });
        device.notify(course.at(178), course.register(course.at(178)));
        await_totals(&site, &daemon, count(3));
        assert_eq!(origins(&site.journal()), [Origin::Mqtt; 3]);
        assert_eq!(device.asked().len(), 1, "{:?}", device.asked());
        assert!(daemon.stop().success());
    }
}

#[test]
fn a_device_that_does_not_answer_is_asked_three_times_beside_its_live_readings() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let site = Site::new().with("data_dir = \"data\"\n", "data_dir = \"data\"\ncatalog_dir = \"catalog\"\n");
    let catalog = site.path().join("catalog/meters");
    std::fs::create_dir_all(&catalog).unwrap();
    let file = repo::text(&format!("config/catalog/meters/{MODEL}.toml")).unwrap();
    let file = file
        .replace(&format!("id = \"{MODEL}\""), "id = \"impatient\"")
        .replace("keeps_days = 60", "keeps_days = 60\nanswer_s = 1");
    std::fs::write(catalog.join("impatient.toml"), file).unwrap();
    let site = site.with_text(&link(broker.address, "5")).with_text(&meter("impatient"));
    let course = three_hours();
    let mut device = Device::start(broker.address, "5", 0);
    let daemon = site.start();
    broker.await_subscriptions(2);
    device.notify(course.at(1), course.register(course.at(1)));
    device.notify(course.at(177), course.register(course.at(177)));
    until("the first request", LIMIT, || if device.asked().is_empty() { Err(daemon.log()) } else { Ok(()) });
    // While it waits for the answer.
    device.notify(course.at(178), course.register(course.at(178)));
    await_totals(&site, &daemon, count(3));
    until("the refusal", LIMIT, || {
        let log = daemon.log();
        if log.contains("records.refused") && log.contains("did not answer") { Ok(()) } else { Err(log) }
    });
    device.notify(course.at(179), course.register(course.at(179)));
    await_totals(&site, &daemon, count(4));
    let asked = device.asked();
    assert_eq!(asked, vec![format!("EM1Data.GetData {}", course.at(1)); 3]);
    assert!(daemon.stop().success());
}

/// A journal without a daemon, and a clock that stands still.
struct Night {
    store: Store,
    findings: Mutex<Vec<Finding>>,
    now: Instant,
}

impl Inbox for Night {
    fn submit(&self, readings: Vec<Reading>) -> BoxFuture<'_, Result<(), InboxError>> {
        Box::pin(async move {
            let appended = self.store.append(readings).await;
            appended.map(drop).map_err(|error| InboxError::Refused { reason: error.to_string() })
        })
    }

    fn quarantine(&self, message: Quarantined) -> BoxFuture<'_, Result<(), InboxError>> {
        panic!("nothing is to be quarantined: {message:?}")
    }

    fn report(&self, finding: Finding) {
        self.findings.lock().unwrap().push(finding);
    }

    fn note(&self, _event: SourceEvent) {}
}

impl Clock for Night {
    fn now(&self) -> Instant {
        self.now
    }
}

#[test]
fn the_hour_that_happens_twice_in_autumn_is_filled_twice() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let at = |text: &str| Instant::parse_rfc3339(text).unwrap().millis() / 1_000;
    // From 01:00 summer time to 03:30 winter time, which is three and a half hours later.
    let course = Course::new(at("2025-10-26T01:00:00+02:00"), 211);
    let mut device = Device::start(broker.address, "5", 50);
    device.keep(&course);
    let store = Store::open(&folder.path().join("data"), StoreOptions::default()).unwrap();
    let night = Arc::new(Night {
        store: store.clone(),
        findings: Mutex::default(),
        now: Instant::from_seconds(at("2025-10-26T03:30:00+01:00")),
    });
    let text = format!("{}{}", link(broker.address, "5"), meter(MODEL));
    let tables: toml::Table = text.parse().unwrap();
    let own = |name: &str, taken: &[&str]| {
        let mut table = tables[name][0].as_table().unwrap().clone();
        table.retain(|key, _| !taken.contains(&key));
        table
    };
    let models = config::meters::load_meters(None).unwrap();
    let model = models.get(&model::ModelId::new(MODEL).unwrap()).unwrap();
    let (links, findings) = connectors::link::plan_links(
        vec![connectors::link::LinkSpec {
            id: "broker".into(),
            connector: "mqtt".into(),
            table: own("link", &["id", "connector"]),
        }],
        vec![connectors::link::MeterSpec {
            id: MeterId::new("hall").unwrap(),
            link: "broker".into(),
            model: Arc::clone(model),
            every_s: 60,
            input: None,
            table: own("meter", &["id", "link", "model", "every_s"]),
        }],
    );
    assert!(findings.is_empty(), "{findings:?}");
    let link = links.into_iter().next().unwrap();
    let (handle, stop) = Stop::new();
    let (inbox, clock) = (Arc::clone(&night) as Arc<dyn Inbox>, Arc::clone(&night) as Arc<dyn Clock>);
    let runs = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(link.run(inbox, clock, stop));
    });
    broker.await_subscriptions(2);
    let last = 208;
    device.notify(course.at(1), course.register(course.at(1)));
    device.notify(course.at(last), course.register(course.at(last)));
    until("the night", LIMIT, || course.agrees(&totals(&store, "hall"), 1, last));
    // Each of the two hours from two to three has the energy of its own sixty minutes.
    let value = |text: &str| {
        let found = totals(&store, "hall").into_iter().find(|total| total.observed_ms == at(text) * 1_000);
        found.unwrap_or_else(|| panic!("no total at {text}")).watt_hours as f64
    };
    for (from, to) in [
        ("2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00"),
        ("2025-10-26T02:00:00+01:00", "2025-10-26T03:00:00+01:00"),
    ] {
        let wanted = course.register(at(to)) - course.register(at(from));
        assert!((value(to) - value(from) - wanted).abs() <= 1.0, "{from}");
    }
    assert!(night.findings.lock().unwrap().is_empty());
    handle.stop();
    runs.join().unwrap();
}
