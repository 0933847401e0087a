//! MQTT from a broker to the journal: Mosquitto with certificates and passwords, both versions of the protocol,
//! restarts in the middle, every published convention, and Sparkplug payloads made by another's encoder.
//!
//! Must never: sleep to wait, or pass because a peer is missing.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use model::{Channel, Instant, MeterId, Quality, SeriesKey, Value};
use profile::Form;
use store::Store;
use tests::broker::{Broker, Publisher, Retain};
use tests::certificates::{Authority, Pair};
use tests::daemon::{Daemon, free_address};
use tests::journal::{Total, totals};
use tests::numbered;
use tests::repo;
use tests::site::Site;
use tests::wait::until;

const LIMIT: Duration = Duration::from_secs(30);
const BOTH: [&str; 2] = ["3.1.1", "5"];

fn link(address: &str, own: &str) -> String {
    format!(
        "\n[[link]]\nid = \"broker\"\nconnector = \"mqtt\"\naddress = \"{address}\"\nclient_id = \"prova\"\n\
         backoff_max_s = 1\n{own}\n"
    )
}

fn meter(id: &str, model: &str, own: &str) -> String {
    format!("\n[[meter]]\nid = \"{id}\"\nlink = \"broker\"\nmodel = \"{model}\"\nevery_s = 60\n{own}\n")
}

fn plain(broker: SocketAddr, version: &str) -> Site {
    let own = format!("version = \"{version}\"");
    Site::new().with_text(&link(&broker.to_string(), &own)).with_text(&meter(
        "hall",
        "consuntivo-json",
        "topic = \"energy/hall\"",
    ))
}

/// Publishes with Mosquitto's own client, which reads the payload from its input.
fn mosquitto_pub(arguments: &[&str], payload: &[u8]) {
    let mut child = Command::new("mosquitto_pub")
        .args(["-s", "-q", "1"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("mosquitto_pub cannot be started ({e}); `make test` installs it"));
    child.stdin.take().expect("its input is a pipe").write_all(payload).expect("it reads its input");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "mosquitto_pub: {}", String::from_utf8_lossy(&output.stderr));
}

fn publish(broker: SocketAddr, topic: &str, payload: &[u8]) {
    mosquitto_pub(&["-h", "127.0.0.1", "-p", &broker.port().to_string(), "-t", topic], payload);
}

/// Waits until the journal holds exactly these totals of the meter.
fn await_totals(site: &Site, daemon: &Daemon, meter: &str, wanted: &[Total]) {
    until("the totals", LIMIT, || {
        let found = totals(&site.journal(), meter);
        if found == wanted { Ok(()) } else { Err(format!("{found:?}; log: {}", daemon.log())) }
    });
}

fn await_log(daemon: &Daemon, wanted: &str) {
    until("a line of the log", LIMIT, || {
        let log = daemon.log();
        if log.contains(wanted) { Ok(()) } else { Err(log) }
    });
}

/// The newest value of a channel, in the unit it is kept in.
fn newest(store: &Store, meter: &MeterId, channel: Channel) -> Option<(Instant, Value, Quality)> {
    let series = SeriesKey { meter: meter.clone(), channel };
    let mut found = None;
    let mut take = |reading: &store::StoredReading| {
        found = Some((reading.observed_at, reading.value, reading.quality));
        ControlFlow::Continue(())
    };
    store.for_each_reading(&series, None, None, &mut take).expect("the journal can be read");
    found
}

#[test]
fn every_convention_of_the_catalogue_arrives_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let models = config::meters::load_meters(None).unwrap();
    let mut site = Site::new().with_text(&link(&broker.address.to_string(), "version = \"5\""));
    let mut published = Vec::new();
    let mut expected = Vec::new();
    for model in models.iter() {
        let Some(payloads) = model.payloads() else { continue };
        let mut given: BTreeMap<String, String> =
            payloads.needs.iter().map(|key| (key.clone(), model.id.to_string())).collect();
        if payloads.form != Form::SparkplugB {
            given.insert("topic".to_owned(), format!("site/{}", model.id));
        }
        let own: String = given.iter().map(|(key, value)| format!("{key} = \"{value}\"\n")).collect();
        site = site.with_text(&meter(model.id.as_str(), model.id.as_str(), &own));
        let id = MeterId::new(model.id.as_str()).unwrap();
        for example in &payloads.examples {
            let topic = if payloads.form == Form::SparkplugB {
                format!("spBv1.0/{0}/NBIRTH/{0}", model.id)
            } else {
                payloads.fill(&given, &example.topic).unwrap()
            };
            published.push((topic, example.payload.clone()));
            for one in &example.expect {
                expected.push((id.clone(), one.channel, one.value, example.observed_at));
            }
        }
    }
    assert!(published.len() > 60, "only {} examples", published.len());
    let daemon = site.start();
    broker.await_subscriber();
    for (topic, payload) in &published {
        publish(broker.address, topic, payload);
    }
    until("every value", LIMIT, || {
        let store = site.journal();
        for (meter, channel, value, observed_at) in &expected {
            let series = SeriesKey { meter: meter.clone(), channel: *channel };
            let mut seen = Vec::new();
            let mut take = |reading: &store::StoredReading| {
                let wanted_quality = match observed_at {
                    Some(_) => Quality::Good,
                    None => Quality::ArrivalTime,
                };
                assert_eq!(reading.quality, wanted_quality, "{meter} {channel}");
                seen.push((reading.observed_at, reading.value.as_f64()));
                ControlFlow::Continue(())
            };
            store.for_each_reading(&series, None, None, &mut take).unwrap();
            let near = |v: f64| (v - value.as_f64()).abs() <= 1e-6 * value.as_f64().abs().max(1e-3);
            if !seen.iter().any(|(at, v)| near(*v) && observed_at.is_none_or(|wanted| wanted == *at)) {
                return Err(format!("{meter} {channel}: {seen:?}; log: {}", daemon.log()));
            }
        }
        Ok(())
    });
    assert!(!daemon.log().contains("payload.quarantined"), "{}", daemon.log());
    assert!(daemon.stop().success());
}

/// A broker that asks for a certificate and a password, and what is needed to come in.
struct Guarded {
    folder: tempfile::TempDir,
    address: SocketAddr,
    authority: Authority,
    client: Pair,
}

impl Guarded {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "authority");
        let client = authority.sign("client", "prova", 2);
        let passwords = folder.path().join("passwords");
        std::fs::write(&passwords, "prova:secret\n").unwrap();
        assert!(Command::new("mosquitto_passwd").arg("-U").arg(&passwords).status().unwrap().success());
        for password in ["secret", "wrong"] {
            std::fs::write(folder.path().join(password), format!("{password}\n")).unwrap();
        }
        Self { folder, address: free_address(), authority, client }
    }

    fn broker(&self, server: &Pair) -> Broker {
        let access = format!(
            "listener {} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n\
             allow_anonymous false\npassword_file {}\n",
            self.address.port(),
            self.authority.pair.certificate.display(),
            server.certificate.display(),
            server.key.display(),
            self.folder.path().join("passwords").display()
        );
        Broker::start_with(self.folder.path(), self.address, &access)
    }

    fn site(&self, host: &str, ca: &Authority, with_client: bool, password: &str, version: &str) -> Site {
        let Pair { certificate, key } = &self.client;
        let own_certificate = format!(
            ", client_cert_file = \"{}\", client_key_file = \"{}\"",
            certificate.display(),
            key.display()
        );
        let own = format!(
            "version = \"{version}\"\nusername = \"prova\"\npassword_file = \"{}\"\n\
             tls = {{ ca_file = \"{}\"{} }}",
            self.folder.path().join(password).display(),
            ca.pair.certificate.display(),
            if with_client { own_certificate.as_str() } else { "" }
        );
        Site::new().with_text(&link(&format!("{host}:{}", self.address.port()), &own)).with_text(&meter(
            "hall",
            "consuntivo-json",
            "topic = \"energy/hall\"",
        ))
    }

    fn publish(&self, payload: &str) {
        let path = |path: &Path| path.display().to_string();
        let ca = path(&self.authority.pair.certificate);
        let (certificate, key) = (path(&self.client.certificate), path(&self.client.key));
        let port = self.address.port().to_string();
        let tls = ["--cafile", &ca, "--cert", &certificate, "--key", &key, "-u", "prova", "-P", "secret"];
        let all = [&["-h", "localhost", "-p", &port, "-t", "energy/hall"][..], &tls].concat();
        mosquitto_pub(&all, payload.as_bytes());
    }
}

/// What a probe says that does not come through.
fn refusal(site: &Site) -> String {
    let output = site.run(&["probe", "hall"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_broker_with_certificates_and_passwords_is_read_and_every_failure_says_what_to_do() {
    let guarded = Guarded::new();
    let (authority, folder) = (&guarded.authority, guarded.folder.path());
    let stranger = Authority::new(folder, "stranger");
    let broker = guarded.broker(&authority.sign("server", "localhost", 2));
    for (number, version) in (1_u8..).zip(BOTH) {
        let site = guarded.site("localhost", authority, true, "secret", version);
        let daemon = site.start();
        broker.await_subscriptions(usize::from(number));
        guarded.publish(&numbered::payload(u64::from(number)));
        await_totals(&site, &daemon, "hall", &[numbered::expected(u64::from(number))]);
        assert!(daemon.stop().success());
    }
    for version in BOTH {
        for (host, ca, with_client, password, says) in [
            ("localhost", &stranger, true, "secret", "not signed by an authority in ca_file"),
            ("127.0.0.1", authority, true, "secret", "is for another name than the one in `address`"),
            ("localhost", authority, false, "secret", "the broker refused our side"),
            ("localhost", authority, true, "wrong", "check client_id, username and password"),
        ] {
            let said = refusal(&guarded.site(host, ca, with_client, password, version));
            assert!(said.contains(says), "MQTT {version}: {said:?} where {says:?} is expected");
        }
    }
    drop(broker);
    let _broker = guarded.broker(&authority.sign("expired", "localhost", -1));
    let said = refusal(&guarded.site("localhost", authority, true, "secret", "5"));
    assert!(said.contains("the broker's certificate has expired"), "{said}");
}

/// Sends SIGHUP and waits for what the log says to it; `said` is how often it has answered before.
fn reload(daemon: &Daemon, said: usize) -> String {
    daemon.signal("HUP");
    until("the answer to SIGHUP", LIMIT, || {
        let log = daemon.log();
        let answers: Vec<&str> = log
            .lines()
            .filter(|l| l.contains("settings reloaded") || l.contains("were not reloaded"))
            .collect();
        answers.get(said).map(|line| (*line).to_owned()).ok_or(log)
    })
}

#[test]
fn a_renewed_certificate_is_taken_with_a_reload_and_a_spoilt_one_is_not() {
    let guarded = Guarded::new();
    let broker = guarded.broker(&guarded.authority.sign("server", "localhost", 2));
    let site = guarded.site("localhost", &guarded.authority, true, "secret", "5");
    let daemon = site.start();
    broker.await_subscriptions(1);
    assert!(reload(&daemon, 0).contains("nothing has changed"));
    // Renewed: the same names, another key and certificate.
    let before = std::fs::read(&guarded.client.certificate).unwrap();
    let renewed = guarded.authority.sign("client", "prova", 3);
    assert_ne!(std::fs::read(&renewed.certificate).unwrap(), before);
    let answer = reload(&daemon, 1);
    assert!(answer.contains("restarted=[\"broker\"]"), "{answer}");
    broker.await_subscriptions(2);
    guarded.publish(&numbered::payload(1));
    await_totals(&site, &daemon, "hall", &[numbered::expected(1)]);
    // Half written: the connection that works is kept.
    let whole = std::fs::read(&guarded.client.certificate).unwrap();
    std::fs::write(&guarded.client.certificate, &whole[..whole.len() / 2]).unwrap();
    let answer = reload(&daemon, 2);
    assert!(answer.contains("were not reloaded"), "{answer}");
    assert!(daemon.log().contains("client.pem"), "{}", daemon.log());
    std::fs::write(&guarded.client.certificate, &whole).unwrap();
    guarded.publish(&numbered::payload(2));
    await_totals(&site, &daemon, "hall", &[numbered::expected(1), numbered::expected(2)]);
    assert!(reload(&daemon, 3).contains("nothing has changed"));
    assert!(daemon.stop().success());
}

#[test]
fn a_certificate_file_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for (file, says) in [(folder.path().join("none.pem"), "cannot be read"), (empty, "holds no certificate")]
    {
        let own = format!("tls = {{ ca_file = \"{}\" }}", file.display());
        let site = Site::new().with_text(&link("localhost:8883", &own)).with_text(&meter(
            "hall",
            "consuntivo-json",
            "topic = \"energy/hall\"",
        ));
        let output = site.run(&["probe", "hall"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&file.display().to_string()) && said.contains(says), "{said}");
    }
}

#[test]
fn a_second_value_of_an_instant_is_told_and_kept_beside_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let site = plain(broker.address, "5");
    let daemon = site.start();
    broker.await_subscriber();
    let mut publisher = Publisher::connect(broker.address, "twice").unwrap();
    let second = numbered::payload(7).replace(":7}", ":9}");
    for payload in [numbered::payload(7), second] {
        publisher.publish("energy/hall", payload.as_bytes(), Retain::No).unwrap();
    }
    await_log(&daemon, "reading.conflict");
    let log = daemon.log();
    let told = "came as 9.000 kWh where 7.000 kWh stands and stays; 1 such values";
    assert!(log.contains(told), "{log}");
    let aside = site.journal().conflicts_of(&MeterId::new("hall").unwrap(), 9).unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!((aside[0].kept, aside[0].later.value), (Value::Total(7_000), Value::Total(9_000)));
    let answer = tests::http::get(daemon.address(), "/api/v1/meters/hall").unwrap();
    let meter: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let shown = &meter["aside"][0];
    assert_eq!((&shown["kept"], &shown["refused"]), (&7_000.0.into(), &9_000.0.into()), "{meter}");
    assert_eq!((&shown["unit"], &meter["aside"][1]), (&"Wh".into(), &serde_json::Value::Null));
    await_totals(&site, &daemon, "hall", &[numbered::expected(7)]);
    assert!(daemon.stop().success());
}

#[test]
fn broker_and_daemon_that_go_down_in_the_middle_lose_nothing_and_count_nothing_twice() {
    for version in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(folder.path());
        let address = broker.address;
        let site = plain(address, version);
        let daemon = site.start();
        broker.await_subscriber();
        let publish = |from: u64, to: u64| {
            let mut publisher = Publisher::connect(address, "numbered").unwrap();
            for number in from..to {
                publisher.publish("energy/hall", numbered::payload(number).as_bytes(), Retain::No).unwrap();
            }
        };
        publish(1, 300);
        // A power cut of ours, with messages on the way; the broker keeps what comes meanwhile.
        daemon.kill();
        publish(300, 500);
        broker.stop();
        let broker = Broker::start_at(folder.path(), address);
        let daemon = site.start();
        until("the link", LIMIT, || match daemon.metric("consuntivo_link_up", &[]) {
            Ok(1.0) => Ok(()),
            other => Err(format!("{other:?}")),
        });
        publish(500, 600);
        broker.stop();
        await_log(&daemon, "link.lost");
        let broker = Broker::start_at(folder.path(), address);
        publish(600, 700);
        let wanted: Vec<Total> = (1..700).map(numbered::expected).collect();
        await_totals(&site, &daemon, "hall", &wanted);
        assert_eq!(site.journal().conflicts(9).unwrap().len(), 0);
        assert!(daemon.stop().success());
        drop(broker);
    }
}

#[test]
fn a_packet_larger_than_any_limit_does_not_block_the_session() {
    for version in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(folder.path());
        let site = plain(broker.address, version);
        let daemon = site.start();
        broker.await_subscriber();
        publish(broker.address, "energy/hall", &vec![b'1'; 17 * 1024 * 1024]);
        publish(broker.address, "energy/hall", numbered::payload(1).as_bytes());
        await_totals(&site, &daemon, "hall", &[numbered::expected(1)]);
        // A broker of version 5 is told of our limit and drops the packet itself.
        let wanted = if version == "5" { vec![] } else { vec![(65_536, 17 * 1024 * 1024)] };
        // Quarantine and readings are written by ways of their own.
        until("what was kept of the packet", LIMIT, || {
            let kept = site.journal().quarantined(9).unwrap();
            let found: Vec<(usize, u64)> =
                kept.iter().map(|q| (q.item.payload.len(), q.item.length)).collect();
            if found == wanted { Ok(()) } else { Err(format!("MQTT {version}: {found:?}")) }
        });
        assert!(!daemon.log().contains("link.lost"), "{}", daemon.log());
        assert!(daemon.stop().success());
    }
}

#[test]
fn a_meter_that_the_broker_says_is_away_is_told_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let site = Site::new().with_text(&link(&broker.address.to_string(), "")).with_text(&meter(
        "plug",
        "tasmota-sensor",
        "topic = \"tele/plug/SENSOR\"",
    ));
    let mut publisher = Publisher::connect(broker.address, "will").unwrap();
    publisher.publish("tele/plug/LWT", b"Offline", Retain::Yes).unwrap();
    let daemon = site.start();
    await_log(&daemon, "link.offline");
    publisher
        .publish("tele/plug/SENSOR", br#"{"Time":"2025-01-15T08:30:00","ENERGY":{"Total":1}}"#, Retain::No)
        .unwrap();
    await_log(&daemon, "the meter is online again");
    assert!(daemon.stop().success());
}

#[test]
fn payloads_that_wait_in_quarantine_become_readings_when_the_meter_file_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let site = Site::new().with("data_dir = \"data\"\n", "data_dir = \"data\"\ncatalog_dir = \"catalog\"\n");
    let catalog = site.path().join("catalog/meters");
    std::fs::create_dir_all(&catalog).unwrap();
    let file = repo::text("config/catalog/meters/consuntivo-json.toml").unwrap();
    let own = |path: &str| {
        let text = file
            .replace("id = \"consuntivo-json\"", "id = \"own-json\"")
            .replace("path = \"active_energy_import_kwh\"", &format!("path = \"{path}\"\nrequired = true"))
            .replace("\"active_energy_import_kwh\":", &format!("\"{path}\":"));
        std::fs::write(catalog.join("own-json.toml"), text).unwrap();
    };
    own("kwh");
    let site = site.with_text(&link(&broker.address.to_string(), "")).with_text(&meter(
        "hall",
        "own-json",
        "topic = \"energy/hall\"",
    ));
    let daemon = site.start();
    broker.await_subscriber();
    publish(broker.address, "energy/hall", numbered::payload(7).as_bytes());
    publish(broker.address, "energy/hall", b"rubbish");
    publish(broker.address, "energy/hall", numbered::payload(8).as_bytes());
    until("the quarantine", LIMIT, || match site.journal().quarantined(9).unwrap().len() {
        3 => Ok(()),
        other => Err(format!("{other}")),
    });
    let text = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let listed = text(&site.run(&["quarantine", "list", "--meter", "hall"]));
    assert!(listed.lines().count() == 3 && listed.contains("`kwh` is missing"), "{listed}");
    let shown = text(&site.run(&["quarantine", "show", "--id", "2"]));
    assert!(shown.contains("rubbish") && shown.contains("meter    hall"), "{shown}");
    // Before anything is mended nothing changes; beside the running daemon the mended file reads two of three.
    assert!(text(&site.run(&["quarantine", "replay"])).contains("0 payloads understood"));
    own("active_energy_import_kwh");
    let replayed = site.run(&["quarantine", "replay", "--meter", "hall", "--author", "energy office"]);
    assert!(
        text(&replayed).contains("2 payloads understood (2 readings), 1 stay in quarantine"),
        "{replayed:?}"
    );
    await_totals(&site, &daemon, "hall", &[numbered::expected(7), numbered::expected(8)]);
    let store = site.journal();
    let left = store.quarantined(9).unwrap();
    assert_eq!(left.iter().map(|q| q.number).collect::<Vec<_>>(), [2]);
    let audited: Vec<String> = store
        .audit(9)
        .unwrap()
        .into_iter()
        .map(|e| format!("{} {} {} {}", e.author, e.action, e.kind, e.subject))
        .collect();
    assert_eq!(audited, ["energy office replay quarantine 3", "energy office replay quarantine 1"]);
    store.verify_audit().unwrap();
    assert!(
        text(&site.run(&["quarantine", "replay"])).contains("0 payloads understood (0 readings), 1 stay")
    );
    assert!(daemon.stop().success());
}

/// The payloads that pysparkplug makes, in order.
fn sparkplug_payloads() -> Vec<(String, Vec<u8>)> {
    let python = repo::root().join("target/venv/bin/python");
    let script: &Path = &repo::root().join("tests/field/sparkplug_payloads.py");
    let output = Command::new(&python)
        .arg(script)
        .output()
        .unwrap_or_else(|e| panic!("{} cannot be started ({e}); `make test` installs it", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let one = |line: &str| {
        let (kind, hex) = line.split_once(' ').unwrap();
        let bytes = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap());
        (kind.to_owned(), bytes.collect())
    };
    text.lines().map(one).collect()
}

#[test]
fn a_sparkplug_node_lives_loses_and_is_born_again_and_our_restart_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let own = "group = \"plant\"\nnode = \"edge\"\ndevice = \"main\"";
    let site = Site::new()
        .with_text(&link(&broker.address.to_string(), "version = \"5\""))
        .with_text(&meter("main", "sparkplug-b", own));
    let daemon = site.start();
    broker.await_subscriber();
    let hour = |half_hours: i64, kwh: i64| {
        let observed_ms = 1_767_225_600_000 + half_hours * 1_800_000;
        Total { observed_ms, watt_hours: kwh * 1_000 }
    };
    let all = sparkplug_payloads();
    let mut publisher = Publisher::connect(broker.address, "edge").unwrap();
    let mut say = |from: usize, to: usize| {
        for (kind, payload) in &all[from..to] {
            let device = if kind.starts_with('D') { "/main" } else { "" };
            let topic = format!("spBv1.0/plant/{kind}/edge{device}");
            publisher.publish(&topic, payload, Retain::No).unwrap();
        }
    };
    say(0, 3);
    await_totals(&site, &daemon, "main", &[hour(0, 1000), hour(2, 1010)]);
    // What the births taught is still known: the broker has kept our session meanwhile.
    assert!(daemon.stop().success());
    say(3, 4);
    let daemon = site.start();
    let mut wanted = vec![hour(0, 1000), hour(1, 1005), hour(2, 1010)];
    await_totals(&site, &daemon, "main", &wanted);
    say(4, all.len());
    wanted.extend([hour(4, 1020), hour(8, 1040), hour(10, 1050), hour(12, 1060)]);
    await_totals(&site, &daemon, "main", &wanted);
    await_log(&daemon, "5 was expected and 6 came");
    let kept = site.journal().quarantined(9).unwrap();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].item.reason.starts_with("metric alias 7 is not known"), "{}", kept[0].item.reason);
    let (_, power, _) =
        newest(&site.journal(), &MeterId::new("main").unwrap(), Channel::total(model::Quantity::ActivePower))
            .unwrap();
    assert_eq!(power, Value::Gauge(1500.5));
    assert!(daemon.stop().success());
    // Of the newest birth alias 7 is no name: a person who vouches for births does not make it one.
    let replayed = site.run(&["quarantine", "replay", "--with-latest-births"]);
    assert!(String::from_utf8_lossy(&replayed.stdout).contains("0 payloads understood"), "{replayed:?}");
}

/// A node that was born before we came. Killed when dropped.
struct Node {
    child: Child,
    said: Receiver<String>,
}

impl Node {
    fn start(broker: SocketAddr, version: &str) -> Self {
        let python = repo::root().join("target/venv/bin/python");
        let mut child = Command::new(&python)
            .arg(repo::root().join("tests/field/sparkplug_node.py"))
            .args([&broker.port().to_string(), version])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| {
                panic!("{} cannot be started ({e}); `make test` installs it", python.display())
            });
        let output = BufReader::new(child.stdout.take().unwrap());
        let (says, said) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| says.send(line).ok());
        });
        let node = Self { child, said };
        assert_eq!(node.next(), "ready");
        node
    }

    fn next(&self) -> String {
        self.said.recv_timeout(LIMIT).expect("the node says something in time")
    }

    fn count(&mut self, kwh: i64) {
        let input = self.child.stdin.as_mut().expect("its input is a pipe");
        writeln!(input, "data {kwh}").expect("the node reads its input");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_node_that_was_born_before_we_came_is_asked_for_its_births_only_where_that_is_set() {
    for version in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(folder.path());
        let of = |more: &str| {
            let own = "group = \"plant\"\nnode = \"edge\"\ndevice = \"main\"";
            let link = link(&broker.address.to_string(), &format!("version = \"{version}\"\n{more}"));
            Site::new().with_text(&link).with_text(&meter("main", "sparkplug-b", own))
        };
        let watt_hours = |site: &Site| -> Vec<i64> {
            totals(&site.journal(), "main").iter().map(|total| total.watt_hours).collect()
        };
        let mut node = Node::start(broker.address, version);

        let quiet = of("");
        let daemon = quiet.start();
        // The node's own is the first.
        broker.await_subscriptions(2);
        node.count(1000);
        await_log(&daemon, "set sparkplug_rebirth");
        assert!(daemon.stop().success());
        assert!(watt_hours(&quiet).is_empty() && node.said.try_recv().is_err());

        let site = of("sparkplug_rebirth = true");
        let daemon = site.start();
        broker.await_subscriptions(3);
        node.count(1001);
        assert_eq!(node.next(), "Node Control/Rebirth True 0 None");
        node.count(1002);
        until("the totals", LIMIT, || match watt_hours(&site).as_slice() {
            [1_001_000, 1_002_000] => Ok(()),
            other => Err(format!("{other:?}; log: {}", daemon.log())),
        });
        assert!(node.said.try_recv().is_err(), "once is enough");
        assert!(daemon.stop().success());
    }
}
