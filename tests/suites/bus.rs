//! Modbus in each of its framings against two servers that others wrote: pymodbus and modbus-tk, over TCP, with
//! serial frames inside TCP, and on a serial line made of two pseudo-terminals; and the scan of such a bus.
//!
//! Must never: sleep to wait, or pass because a peer is missing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connectors::{
    BoxFuture, Clock, Inbox, InboxError, Link, LinkSpec, MeterSpec, Quarantined, SourceEvent, Stop,
    plan_links, probe,
};
use model::{Finding, Instant, MeterId, ModelId, Reading};
use tests::peers::FieldServer;
use tests::wait::until;
use tests::{daemon, repo};

const LIMIT: Duration = Duration::from_secs(30);
const MAPS: [&str; 2] = ["sdm630.json", "em340.json"];

/// Of each meter some numbers of `tests/field`, in Wh, W and V: floats and integers, at both ends of the map.
const SDM630: &[(&str, f64)] = &[
    ("voltage.l1", 230.8),
    ("active_power", 8889.5),
    ("active_energy_import", 12346600.0),
    ("active_energy_export.l3", 357750.0),
];
const EM340: &[(&str, f64)] = &[
    ("voltage.l1", 229.9),
    ("active_power.l2", -2962.1),
    ("active_energy_import", 12345700.0),
    ("reactive_energy_export", 1232600.0),
];

struct Since(std::time::Instant);

impl Clock for Since {
    fn now(&self) -> Instant {
        let millis = i64::try_from(self.0.elapsed().as_millis()).unwrap();
        Instant::from_seconds(1_748_772_000).plus_millis(millis)
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(Since(std::time::Instant::now()))
}

#[derive(Default)]
struct Memory {
    readings: Mutex<Vec<Reading>>,
    findings: Mutex<Vec<Finding>>,
}

impl Inbox for Memory {
    fn submit(&self, readings: Vec<Reading>) -> BoxFuture<'_, Result<(), InboxError>> {
        self.readings.lock().unwrap().extend(readings);
        Box::pin(async { Ok(()) })
    }

    fn quarantine(&self, message: Quarantined) -> BoxFuture<'_, Result<(), InboxError>> {
        unreachable!("Modbus has no messages: {message:?}")
    }

    fn report(&self, finding: Finding) {
        self.findings.lock().unwrap().push(finding);
    }

    fn note(&self, _event: SourceEvent) {}
}

impl Memory {
    /// Sweeps of a meter so far.
    fn sweeps(&self, meter: &str) -> usize {
        let readings = self.readings.lock().unwrap();
        let energy = |r: &&Reading| {
            r.series.meter.as_str() == meter && r.series.channel.to_string() == "active_energy_import"
        };
        readings.iter().filter(energy).count()
    }

    /// Every reading of these channels is the number of the map.
    fn check(&self, meter: &str, expected: &[(&str, f64)]) {
        let expected: BTreeMap<&str, f64> = expected.iter().copied().collect();
        let readings = self.readings.lock().unwrap();
        let mut seen = 0;
        for reading in readings.iter().filter(|r| r.series.meter.as_str() == meter) {
            let channel = reading.series.channel.to_string();
            if let Some(value) = expected.get(channel.as_str()) {
                let read = reading.value.as_f64();
                assert!((read - value).abs() <= 1e-6 * value.abs(), "{meter} {channel}: {read} for {value}");
                seen += 1;
            }
        }
        assert!(expected.len() <= seen, "{meter}: {seen}");
    }
}

fn meter(id: &str, model: &str, unit: u8) -> MeterSpec {
    let meters = config::meters::load_meters(None).unwrap();
    MeterSpec {
        id: MeterId::new(id).unwrap(),
        link: "l".into(),
        model: Arc::clone(meters.get(&ModelId::new(model).unwrap()).unwrap()),
        every_s: 1,
        input: None,
        table: format!("unit = {unit}").parse().unwrap(),
    }
}

/// Two meters that are there, and one on unit 9 that is not.
fn link(connector: &str, place: &str) -> Link {
    let table = format!("{place}\nbackoff_max_s = 2\ntimeout_ms = 400").parse().unwrap();
    let spec = LinkSpec { id: "l".into(), connector: connector.into(), table };
    let meters = vec![
        meter("sdm", "eastron-sdm630", 1),
        meter("em", "carlo-gavazzi-em340", 2),
        meter("gone", "eastron-sdm630", 9),
    ];
    let (mut links, findings) = plan_links(vec![spec], meters);
    assert!(findings.is_empty(), "{findings:?}");
    links.remove(0)
}

/// Runs a link until `done`, and stops it in good order.
fn run(link: Link, inbox: &Arc<Memory>, done: impl FnMut() -> Result<(), String>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (stop, stopping) = Stop::new();
    let task = runtime.spawn(link.run(Arc::clone(inbox) as Arc<dyn Inbox>, clock(), stopping));
    until("the readings", LIMIT, done);
    stop.stop();
    runtime.block_on(task).unwrap();
}

#[test]
fn two_servers_by_others_are_read_in_every_framing() {
    let ways = [
        ("pymodbus_server.py", "rtu-tcp:0", "modbus-rtu-over-tcp", ""),
        ("pymodbus_server.py", "serial", "modbus-rtu", ""),
        ("modbus_tk_server.py", "tcp:0", "modbus-tcp", ""),
        ("modbus_tk_server.py", "serial", "modbus-rtu", "baud = 19200"),
    ];
    for (script, way, connector, more) in ways {
        let server = FieldServer::start(script, way, &MAPS);
        let place = match connector {
            "modbus-rtu" => format!("device = \"{}\"\n{more}", server.said),
            _ => format!("address = \"{}\"", server.address()),
        };
        let inbox = Arc::new(Memory::default());
        run(link(connector, &place), &inbox, || {
            let sweeps = (inbox.sweeps("sdm"), inbox.sweeps("em"));
            let told = inbox.findings.lock().unwrap().clone();
            // Some rounds, with the unit that is not there among them.
            if 3 <= sweeps.0.min(sweeps.1) && !told.is_empty() {
                Ok(())
            } else {
                Err(format!("{script} {way}: {sweeps:?} {told:?}"))
            }
        });
        inbox.check("sdm", SDM630);
        inbox.check("em", EM340);
        let findings = inbox.findings.lock().unwrap();
        assert!(
            findings.iter().all(|f| f.subject == "meter:gone" && f.code == "link.timeout"),
            "{findings:?}"
        );
    }
}

/// Energy that counts while coil 2 is 1 and discrete input 9 is 1, as in `tests/field/states.json`; energy fed in while
/// discrete input 4 is 0, which it is not; and a voltage that always counts.
const STATES: &str = r#"
id = "states"
maker = "test"
name = "test"
evidence = { level = "bench", sources = ["this test"] }
[modbus]
registers_per_request = 20
widest_gap = 8
[[measure]]
quantity = "active_energy_import"
register = { space = "input", address = 0, type = "u32", order = "ABCD" }
unit = "Wh"
plausible = { from = 0, to = 1000000 }
[[measure]]
quantity = "active_energy_export"
register = { space = "input", address = 2, type = "u32", order = "ABCD" }
unit = "Wh"
plausible = { from = 0, to = 1000000 }
[[measure]]
quantity = "voltage"
phase = "l1"
register = { space = "holding", address = 4, type = "u16", order = "ABCD" }
unit = "V"
scale = 0.1
plausible = { from = 0, to = 500 }
[[status]]
register = { space = "coil", address = 2 }
good = "1"
channels = ["active_energy_import"]
[[status]]
register = { space = "discrete", address = 9 }
good = "1"
channels = ["active_energy_import"]
[[status]]
register = { space = "discrete", address = 4 }
good = "0"
channels = ["active_energy_export"]
[[example]]
[example.input]
0 = "00000007"
2 = "00000008"
[example.holding]
4 = "0900"
[example.coil]
2 = "1"
[example.discrete]
4 = "0"
9 = "1"
[example.expect]
active_energy_import = "7 Wh"
active_energy_export = "8 Wh"
"voltage.l1" = "230.4 V"
"#;

#[test]
fn coils_and_discrete_inputs_withhold_what_the_meter_says_not_to_trust() {
    for (way, connector) in
        [("tcp:0", "modbus-tcp"), ("rtu-tcp:0", "modbus-rtu-over-tcp"), ("serial", "modbus-rtu")]
    {
        let server = FieldServer::start("pymodbus_server.py", way, &["states.json"]);
        let place = match connector {
            "modbus-rtu" => format!("device = \"{}\"", server.said),
            _ => format!("address = \"{}\"", server.address()),
        };
        let model = Arc::new(config::meters::parse_meter("states.toml", STATES).unwrap());
        let spec = LinkSpec { id: "l".into(), connector: connector.into(), table: place.parse().unwrap() };
        let meter = MeterSpec { model, ..meter("states", "eastron-sdm630", 1) };
        let (mut links, findings) = plan_links(vec![spec], vec![meter]);
        assert!(findings.is_empty(), "{findings:?}");
        let inbox = Arc::new(Memory::default());
        run(links.remove(0), &inbox, || {
            let sweeps = inbox.sweeps("states");
            let told = inbox.findings.lock().unwrap().clone();
            if 3 <= sweeps { Ok(()) } else { Err(format!("{way}: {sweeps} {told:?}")) }
        });
        inbox.check("states", &[("active_energy_import", 12_345.0), ("voltage.l1", 230.5)]);
        let readings = inbox.readings.lock().unwrap();
        let withheld = |r: &&Reading| r.series.channel.to_string() == "active_energy_export";
        assert_eq!(readings.iter().filter(withheld).count(), 0, "{way}");
        let told = inbox.findings.lock().unwrap();
        let said: Vec<(&str, &str)> = told.iter().map(|f| (f.code, f.says.as_str())).collect();
        let [("value.withheld", says)] = said[..] else { panic!("{way}: {said:?}") };
        assert!(says.contains("active_energy_export is not used while discrete input 4"), "{says}");
    }
}

/// Thirty meters on one line, of which one is dead, one late, one gives ten registers at once, and all of which are off
/// for two seconds: the others are read on, and every total is one that this very meter gave in time.
#[test]
fn a_line_of_thirty_meters_recovers_by_itself() {
    const TIMEOUT_MS: u64 = 400;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("answers");
    let server = FieldServer::start("thirty_meters.py", log.to_str().unwrap(), &[]);
    let name = |unit: u8| format!("m{unit}");
    let table = format!("device = \"{}\"\nbackoff_max_s = 4\ntimeout_ms = {TIMEOUT_MS}", server.said);
    let spec = LinkSpec { id: "l".into(), connector: "modbus-rtu".into(), table: table.parse().unwrap() };
    let meters = (1..=30).map(|unit| MeterSpec { every_s: 4, ..meter(&name(unit), "eastron-sdm630", unit) });
    let (mut links, findings) = plan_links(vec![spec], meters.collect());
    assert!(findings.is_empty(), "{findings:?}");
    let inbox = Arc::new(Memory::default());
    let told = |subject: &str| {
        let findings = inbox.findings.lock().unwrap();
        findings.iter().filter(|f| f.subject == subject).map(|f| f.code).collect::<Vec<_>>()
    };
    let healthy = || (1..=30).filter(|unit| ![7, 8].contains(unit));
    run(links.remove(0), &inbox, || {
        // Read before the two seconds, missed in them, read again after them.
        let least = healthy().map(|unit| inbox.sweeps(&name(unit))).min().unwrap_or(0);
        let missed = healthy().any(|unit| told(&format!("meter:{}", name(unit))).contains(&"link.up"));
        if 4 <= least && missed { Ok(()) } else { Err(format!("{least} sweeps, {missed}")) }
    });
    drop(server);
    let answers = std::fs::read_to_string(&log).unwrap();
    let answers: BTreeMap<(u64, u64), u64> = answers
        .lines()
        .map(|line| {
            let numbers: Vec<u64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
            ((numbers[0], numbers[1]), numbers[2])
        })
        .collect();
    let readings = inbox.readings.lock().unwrap();
    for reading in readings.iter().filter(|r| r.series.channel.to_string() == "active_energy_import") {
        let kwh = (reading.value.as_f64() / 1_000.0) as u64;
        let (unit, number) = (kwh / 100_000, kwh % 100_000);
        assert_eq!(reading.series.meter.as_str(), format!("m{unit}"));
        let took = answers.get(&(unit, number)).unwrap_or_else(|| panic!("nobody said {reading:?}"));
        assert!(*took <= TIMEOUT_MS, "the answer of {reading:?} came after {took} ms");
    }
    drop(readings);
    assert_eq!((inbox.sweeps("m7"), inbox.sweeps("m8")), (0, 0));
    assert!(told("meter:m9").contains(&"meter.limit"), "{:?}", told("meter:m9"));
}

#[test]
fn a_serial_server_that_was_off_is_read_again() {
    let server = FieldServer::start("pymodbus_server.py", "rtu-tcp:0", &MAPS);
    let address = server.address();
    let inbox = Arc::new(Memory::default());
    let mut server = Some(server);
    let mut after = None;
    run(link("modbus-rtu-over-tcp", &format!("address = \"{address}\"")), &inbox, || {
        let refused = inbox.findings.lock().unwrap().iter().any(|f| f.code == "link.refused");
        if inbox.sweeps("em") > 0 && server.is_some() && after.is_none() {
            server = None;
        }
        if refused && after.is_none() {
            let way = format!("rtu-tcp:{}", address.port());
            server = Some(FieldServer::start("pymodbus_server.py", &way, &MAPS));
            after = Some(inbox.sweeps("em"));
        }
        match after {
            Some(before) if before < inbox.sweeps("em") => Ok(()),
            _ => Err(format!("{:?}", inbox.findings.lock().unwrap())),
        }
    });
    inbox.check("sdm", SDM630);
    inbox.check("em", EM340);
}

#[test]
fn a_serial_line_that_is_not_there_is_told_with_its_name() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let links = [link("modbus-rtu", "device = \"/dev/ttyUSB-none\"\nparity = \"even\"")];
    let error = runtime.block_on(probe(&links, &MeterId::new("sdm").unwrap(), &*clock())).unwrap_err();
    assert_eq!(error.code(), "link.device");
    let says = error.to_string();
    assert!(
        says.starts_with("/dev/ttyUSB-none cannot be opened; check that the adapter is plugged in"),
        "{says}"
    );
}

#[test]
fn a_scan_names_units_and_gives_lines_to_paste() {
    for (script, way, more) in [
        ("pymodbus_server.py", "tcp:0", &[][..]),
        ("pymodbus_server.py", "rtu-tcp:0", &["--rtu"][..]),
        ("modbus_tk_server.py", "serial", &["--baud", "19200"][..]),
    ] {
        let server = FieldServer::start(script, way, &MAPS);
        let address = if way == "serial" { server.said.clone() } else { server.address().to_string() };
        let mut arguments = vec!["scan", address.as_str(), "--units", "1-4", "--timeout", "300"];
        arguments.extend(more);
        let output = daemon::run(&arguments);
        let out = String::from_utf8_lossy(&output.stdout);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{out}{told}");
        assert!(out.starts_with("2 of 4 units answered on modbus "), "{out}");
        assert!(told.contains("at most "), "{told}");
        assert!(out.contains("  1  eastron-sdm630\n"), "{out}");
        if script == "pymodbus_server.py" {
            assert!(out.contains("maker \"Pymodbus\""), "{out}");
        }
        let (_, snippet) = out.split_once("\n\n").unwrap();
        let table: toml::Table = snippet.parse().unwrap_or_else(|e| panic!("{e}: {snippet}"));
        assert_eq!(table["link"].as_array().unwrap().len(), 1);
        let meters = table["meter"].as_array().unwrap();
        assert_eq!((meters.len(), meters[0]["model"].as_str()), (1, Some("eastron-sdm630")));
    }
    let nobody = FieldServer::start("pymodbus_server.py", "rtu-tcp:0", &MAPS);
    let address = nobody.address().to_string();
    let output = daemon::run(&["scan", &address, "--rtu", "--units", "20-22", "--timeout", "100"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    // On a line 0 is everybody and 255 nobody.
    let wrong = daemon::run(&["scan", &address, "--rtu", "--units", "0"]);
    assert_eq!(wrong.status.code(), Some(6));
}

#[test]
fn a_scan_walks_a_chain_of_sunspec_models_and_asks_a_device_with_its_own_socket() {
    let server = FieldServer::start("pymodbus_server.py", "tcp:0", &["sunspec.json", "own_socket.json"]);
    let address = server.address().to_string();
    let output = daemon::run(&["scan", &address, "--units", "0,3,255", "--timeout", "300"]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(out.starts_with("2 of 3 units answered on modbus "), "{out}");
    let says = "SunSpec models 1, 203: manufacturer \"Acme\", model \"SM 3\", firmware \"1.25\", serial number \"SN-47110\"";
    assert!(out.contains("sunspec-meter") && out.contains(says), "{out}");
    assert!(out.contains("  255  eastron-sdm120\n"), "{out}");
    let (_, snippet) = out.split_once("\n\n").unwrap();
    let table: toml::Table = snippet.parse().unwrap_or_else(|e| panic!("{e}: {snippet}"));
    let models: Vec<_> =
        table["meter"].as_array().unwrap().iter().map(|meter| meter["model"].as_str().unwrap()).collect();
    assert_eq!(models, ["sunspec-meter", "eastron-sdm120"]);
}

/// The library could write; no source of ours names a way to. Everything that leaves is made from one list.
#[test]
fn no_source_names_a_request_that_writes() {
    let mut readers = Vec::new();
    for file in repo::files_ending("rs") {
        let text = repo::text(&file).expect("Rust files are UTF-8");
        if !text.contains(concat!("tokio_", "modbus")) {
            continue;
        }
        for word in [
            concat!("Write", "Single"),
            concat!("Write", "Multiple"),
            concat!("Mask", "Write"),
            concat!("Read", "Write"),
            concat!("Request::", "Custom"),
            concat!("write_", "single"),
            concat!("write_", "multiple"),
            concat!("masked_", "write"),
            concat!("use tokio_", "modbus::*"),
            concat!("prelude::", "*"),
        ] {
            assert!(!text.contains(word), "{file} names {word}");
        }
        readers.push(file);
    }
    assert_eq!(readers, ["connectors/src/modbus/session.rs"], "one file speaks to the library");
    let session = repo::text(&readers[0]).unwrap();
    let built: Vec<&str> = session.match_indices("Request::").map(|(i, _)| &session[i + 9..i + 14]).collect();
    // Coils, discrete inputs, holding and input registers, device identification.
    assert_eq!(built, ["ReadC", "ReadD", "ReadH", "ReadI", "ReadD"]);
}
