//! Bad luck and bad input at the level of the process: a clear message, a documented exit code, and everything
//! else goes on.
//!
//! Must never: accept a message that does not name the object.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tests::broker::{Broker, Publisher, Retain};
use tests::daemon::{self, Daemon, binary, free_address};
use tests::journal;
use tests::meter::CountingMeter;
use tests::numbered::{self, Stream};
use tests::site::Site;
use tests::{http, wait};

const SOON: Duration = Duration::from_secs(30);

/// The exit code and what was said on standard error.
fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[track_caller]
fn must_contain(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not said in:\n{text}");
    }
}

#[test]
fn a_port_in_use_is_said_with_the_address() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let site = Site::new().with("127.0.0.1:0", &address);
    let (code, text) = said(&site.run(&["run"]));
    assert_eq!(code, Some(1), "{text}");
    must_contain(&text, &[&address, "listen"]);
}

#[test]
fn wrong_settings_are_refused_with_the_key_and_the_nearest_name() {
    let site = Site::new().with("[web]\nlisten", "[web]\nlisten_on");
    let (code, text) = said(&site.run(&["run"]));
    assert_eq!(code, Some(6), "{text}");
    must_contain(&text, &["listen_on", "listen", "consuntivo.toml"]);
    let (code, text) = said(&site.run(&["check"]));
    assert_eq!(code, Some(6), "{text}");

    let site =
        Site::new().with_modbus_meter(free_address(), "bus", "m1").with("eastron-sdm630", "eastron-sdm63");
    let (code, text) = said(&site.run(&["check"]));
    assert_eq!(code, Some(6), "{text}");
    must_contain(&text, &["eastron-sdm63", "eastron-sdm630"]);

    let site =
        Site::new().with_modbus_meter(free_address(), "bus", "m1").with("timeout_ms = 500", "timeout = 500");
    let output = site.run(&["check"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    must_contain(&String::from_utf8_lossy(&output.stdout), &["timeout", "timeout_ms", "link:bus"]);
}

#[test]
fn a_settings_file_that_is_not_there_is_named() {
    let (code, text) = said(&daemon::run(&["run", "--config", "nowhere/absent.toml"]));
    assert_eq!(code, Some(6), "{text}");
    must_contain(&text, &["nowhere/absent.toml"]);
}

#[test]
fn a_second_daemon_on_the_same_directory_is_refused_and_the_first_goes_on() {
    let site = Site::new();
    let mut first = site.start();
    let (code, text) = said(&site.run(&["run"]));
    assert_eq!(code, Some(5), "{text}");
    must_contain(&text, &["data"]);
    assert!(first.is_running());
    assert_eq!(http::get(first.address(), "/health").unwrap().status, 200);
    assert!(first.stop().success());
}

#[test]
fn a_killed_daemon_leaves_no_lock_behind() {
    let site = Site::new();
    site.start().kill();
    let again = site.start();
    assert!(again.stop().success());
}

/// One meter answers, one refuses connections, one takes them and never answers, and the broker is not there.
#[test]
fn meters_and_a_broker_that_are_away_at_start_delay_nothing_else() {
    let alive = CountingMeter::start();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let broker_address = free_address();
    let site = Site::new()
        .with_modbus_meter(free_address(), "refusing", "m-refusing")
        .with_modbus_meter(silent.local_addr().unwrap(), "silent", "m-silent")
        .with_modbus_meter(alive.address, "alive", "m-alive")
        .with_mqtt_meter(broker_address, "m-mqtt", "site/m-mqtt");
    let mut running = site.start();
    let store = site.journal();
    wait::until("three readings of the meter that answers", SOON, || {
        let count = journal::totals(&store, "m-alive").len();
        if 3 <= count { Ok(()) } else { Err(format!("{count} readings; log:\n{}", running.log())) }
    });
    let totals = journal::totals(&store, "m-alive");
    let widest = totals.windows(2).map(|p| p[1].observed_ms - p[0].observed_ms).max().unwrap_or_default();
    assert!(widest < 2_500, "the dead meters delayed the living one: {widest} ms between two readings");
    assert!(running.is_running());
    // The broker comes later, and the daemon finds it by itself.
    let broker = Broker::start_at(site.path(), broker_address);
    broker.await_subscriber();
    let mut publisher = Publisher::connect(broker_address, "late").unwrap();
    publisher.publish("site/m-mqtt", numbered::payload(1).as_bytes(), Retain::No).unwrap();
    wait::until("the reading that came by the late broker", SOON, || {
        let found = journal::totals(&store, "m-mqtt");
        if found == [numbered::expected(1)] { Ok(()) } else { Err(format!("{found:?}\n{}", running.log())) }
    });
    assert!(running.stop().success());
}

/// Rubbish on a topic is kept apart; what comes before and after it is read.
#[test]
fn garbled_duplicate_and_late_messages_harm_nothing() {
    let site = Site::new();
    let broker = Broker::start(site.path());
    let site = site.with_mqtt_meter(broker.address, "m1", "site/m1");
    let running = site.start();
    broker.await_subscriber();
    let mut publisher = Publisher::connect(broker.address, "mixed").unwrap();
    let long = "9".repeat(70_000);
    let messages: [Vec<u8>; 9] = [
        numbered::payload(5).into(),
        b"{".to_vec(),
        vec![0xFF, 0x00, 0xFE],
        b"{\"time\":\"2026-13-45T00:00:00Z\",\"active_energy_import_kwh\":1}".to_vec(),
        b"{\"time\":\"2026-01-01T00:00:09Z\",\"active_energy_import_kwh\":\"many\"}".to_vec(),
        long.into_bytes(),
        numbered::payload(5).into(),
        numbered::payload(3).into(),
        numbered::payload(6).into(),
    ];
    for message in &messages {
        publisher.publish("site/m1", message, Retain::No).unwrap();
    }
    let store = site.journal();
    let wanted: Vec<_> = [3, 5, 6].into_iter().map(numbered::expected).collect();
    wait::until("the three good readings", SOON, || {
        let found = journal::totals(&store, "m1");
        if found == wanted { Ok(()) } else { Err(format!("{found:?}\n{}", running.log())) }
    });
    let quarantined = running.metric("consuntivo_readings_total", &["outcome=\"quarantined\""]).unwrap();
    assert!(4.0 <= quarantined, "{quarantined} messages were kept apart, at least 4 are rubbish");
    assert!(running.stop().success());
}

/// A retained message is the past, repeated to every new subscriber; it must not count as news.
#[test]
fn a_retained_message_is_not_taken_for_a_new_reading() {
    let site = Site::new();
    let broker = Broker::start(site.path());
    let mut publisher = Publisher::connect(broker.address, "retaining").unwrap();
    publisher.publish("site/m1", numbered::payload(1).as_bytes(), Retain::Yes).unwrap();
    let site = site.with_mqtt_meter(broker.address, "m1", "site/m1");
    let running = site.start();
    wait::until("the retained message", SOON, || {
        let seen = running.metric("consuntivo_readings_total", &["outcome=\"retained\""])?;
        if 1.0 <= seen { Ok(()) } else { Err(format!("none yet\n{}", running.log())) }
    });
    publisher.publish("site/m1", numbered::payload(2).as_bytes(), Retain::No).unwrap();
    let store = site.journal();
    wait::until("the new reading", SOON, || {
        let found = journal::totals(&store, "m1");
        if found == [numbered::expected(2)] { Ok(()) } else { Err(format!("{found:?}")) }
    });
    assert!(running.stop().success());
}

#[test]
fn sigterm_ends_within_seconds_with_everything_accepted_on_disk() {
    let site = Site::new();
    let broker = Broker::start(site.path());
    let meter = CountingMeter::start();
    let site =
        site.with_mqtt_meter(broker.address, "m1", "site/m1").with_modbus_meter(meter.address, "bus", "m2");
    let running = site.start();
    broker.await_subscriber();
    let stream = Stream::start(broker.address, "site/m1", Duration::from_millis(2));
    wait::until("some messages", SOON, || match stream.acknowledged() {
        n if 300 < n => Ok(()),
        n => Err(format!("{n} messages")),
    });
    let begun = Instant::now();
    let status = running.stop();
    let took = begun.elapsed();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "stopping took {took:?}");
    let published = stream.finish();

    // Whatever the first did not acknowledge is still the broker's; a second daemon completes the account.
    let before = journal::totals(&site.journal(), "m1").len();
    assert!(100 < before, "only {before} readings were on disk after the stop");
    let again = site.start();
    let store = site.journal();
    let wanted: Vec<_> = (1..=published).map(numbered::expected).collect();
    wait::until("all messages", SOON, || {
        let found = journal::totals(&store, "m1");
        if found == wanted { Ok(()) } else { Err(format!("{} of {published}", found.len())) }
    });
    assert!(again.stop().success());
}

/// The disk is full: a limit on the size of files stands in for it (SQLite sees EFBIG where a full disk is ENOSPC,
/// and both fail the write). The daemon must refuse, stay, acknowledge nothing, and go on when there is room again.
#[test]
fn a_full_disk_refuses_and_recovers_without_loss() {
    let site = Site::new();
    let broker = Broker::start(site.path());
    let site = site.with_mqtt_meter(broker.address, "m1", "site/m1");
    // The first start makes the files, so that the limit hits readings and not the set-up.
    assert!(site.start().stop().success());
    let mut running = start_limited(&site, largest_file(&site.data_dir()) + 100_000);
    broker.await_subscriber();
    let stream = Stream::start(broker.address, "site/m1", Duration::from_micros(300));
    wait::until("a refused write", SOON, || {
        let refused = running.metric("consuntivo_readings_total", &["outcome=\"failed\""])?;
        if 0.0 < refused { Ok(()) } else { Err(format!("{} messages sent", stream.acknowledged())) }
    });
    assert!(running.is_running(), "the daemon ended when the disk was full:\n{}", running.log());
    assert_eq!(http::get(running.address(), "/health").unwrap().status, 200);
    let published = stream.finish();
    let limit = Command::new("prlimit")
        .args(["--pid", &running.id().to_string(), "--fsize=unlimited:unlimited"])
        .status()
        .unwrap();
    assert!(limit.success(), "the limit could not be lifted");
    let store = site.journal();
    let wanted: Vec<_> = (1..=published).map(numbered::expected).collect();
    wait::until("every message after there was room again", Duration::from_secs(90), || {
        let found = journal::totals(&store, "m1");
        if found == wanted {
            Ok(())
        } else {
            Err(format!("{} of {published}\n{}", found.len(), tail(&running)))
        }
    });
    assert!(running.stop().success());
}

/// The soft limit alone, so that it can be lifted again without privilege. SIGXFSZ is ignored, as by a service
/// manager: the write must fail, not the process die.
fn start_limited(site: &Site, bytes: u64) -> Daemon {
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec prlimit --fsize=\"$1\": \"$2\" run --config \"$3\"", "sh"])
        .arg(bytes.to_string())
        .arg(binary())
        .arg(site.settings_file());
    let mut running = Daemon::spawn_command(command, &site.log_file());
    running.await_ready();
    running
}

fn largest_file(folder: &Path) -> u64 {
    let sizes = std::fs::read_dir(folder).unwrap().filter_map(Result::ok).filter_map(|e| e.metadata().ok());
    sizes.map(|m| m.len()).max().unwrap_or_default()
}

fn tail(running: &Daemon) -> String {
    let log = running.log();
    log.lines().rev().take(15).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// Nothing listens beyond loopback unless a person says so.
#[test]
fn pages_are_on_loopback_by_default() {
    let text = tests::repo::text("config/default.toml").unwrap();
    must_contain(&text, &["listen = \"127.0.0.1:8480\""]);
    let site = Site::new();
    let running = site.start();
    let address: SocketAddr = running.address();
    assert!(address.ip().is_loopback());
    assert!(running.stop().success());
}
