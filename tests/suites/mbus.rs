//! M-Bus against what others wrote: pyMeterBus decodes the same telegrams, and understands the requests on a serial line.
//!
//! Must never: sleep to wait, or pass because a peer is missing.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use connectors::{Clock, LinkSpec, MeterSpec, plan_links, probe};
use model::{Instant, MeterId, ModelId};
use profile::mbus::telegram::checksum;
use profile::mbus::{Record, RecordFunction, RecordKind, RecordNumber, Telegram, records};
use tests::random::Random;

const TELEGRAMS: usize = 2_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn peer(arguments: &[&str]) -> Child {
    let python = root().join("target/venv/bin/python");
    Command::new(&python)
        .arg(root().join("tests/field/mbus_peer.py"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{} cannot be started ({e}); `make test` installs it", python.display()))
}

/// The telegrams of real meters, each with its name.
fn published() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("tests/field/mbus_telegrams.txt")).unwrap();
    let mut name = String::new();
    let mut found = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("# ") {
            Some(comment) => name = comment.to_owned(),
            None => found.push((name.clone(), line.replace(' ', ""))),
        }
    }
    found
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// A record of a kind both sides know, in any width, form, storage, tariff and subunit, with a decimal factor or none.
fn random_record(random: &mut Random) -> Vec<u8> {
    let (form, width) = match random.between(0, 11) {
        n @ 0..=3 => (n as u8 + 1, n as usize + 1),
        4 => (0x06, 6),
        5 => (0x07, 8),
        6 => (0x05, 4),
        n @ 7..=9 => (n as u8 + 2, n as usize - 6),
        _ => (0x0C, 4),
    };
    let function = (random.between(0, 4) as u8) << 4;
    let mut record = vec![form | function | ((random.between(0, 2) as u8) << 6)];
    if random.between(0, 2) == 1 {
        record[0] |= 0x80;
        record.push(random.between(0, 0x80) as u8);
    }
    let vif = match random.between(0, 7) {
        0 => 0x00,
        1 => 0x08,
        2 => 0x10,
        3 => 0x28,
        4 => 0x38,
        5 => 0x58,
        _ => 0x5C,
    };
    let power = random.between(0, if vif < 0x50 { 8 } else { 4 }) as u8;
    record.push(vif | power);
    for i in 0..width {
        let byte = random.next_u64() as u8;
        record.push(match form {
            0x09..=0x0C => (byte / 16 % 10) << 4 | (byte % 16 % 10),
            // Numbers beyond what a 64-bit float holds exactly are kept exactly here and nowhere else.
            0x07 if i > 5 => 0,
            // No float so large or small that its text form is unusual.
            0x05 if i == 3 => 0x42,
            _ => byte,
        });
    }
    record
}

fn random_telegram(random: &mut Random) -> String {
    let mut counted =
        vec![0x08, 0x05, 0x72, 0x78, 0x56, 0x34, 0x12, 0x2D, 0x2C, 0x01, 0x04, 0x01, 0x00, 0x00, 0x00];
    for _ in 0..random.between(1, 7) {
        counted.extend(random_record(random));
    }
    let length = u8::try_from(counted.len()).unwrap();
    let mut frame = vec![0x68, length, length, 0x68];
    frame.extend(&counted);
    frame.extend([checksum(&counted), 0x16]);
    frame.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Kind, function, storage and number as pyMeterBus writes them.
fn told(record: &Record) -> (String, String, u64, f64) {
    let (kind, to_peer) = match (record.kind, record.unit) {
        (RecordKind::Energy, model::Unit::Gigajoule) => ("VIFUnit.ENERGY_J", 1e9),
        (RecordKind::Energy, _) => ("VIFUnit.ENERGY_WH", 1.0),
        (RecordKind::Volume, _) => ("VIFUnit.VOLUME", 1.0),
        (RecordKind::Power, _) => ("VIFUnit.POWER_W", 1.0),
        (RecordKind::VolumeFlow, _) => ("VIFUnit.VOLUME_FLOW", 1.0),
        (RecordKind::FlowTemperature, _) => ("VIFUnit.FLOW_TEMPERATURE", 1.0),
        (RecordKind::ReturnTemperature, _) => ("VIFUnit.RETURN_TEMPERATURE", 1.0),
        (RecordKind::ExternalTemperature, _) => ("VIFUnit.EXTERNAL_TEMPERATURE", 1.0),
        (RecordKind::Voltage, _) => ("VIFUnitExt.VOLTS", 1.0),
        (RecordKind::Current, _) => ("VIFUnitExt.AMPERE", 1.0),
        (RecordKind::ReactiveEnergy | RecordKind::Frequency, _) => ("-", 1.0),
    };
    let function = match record.function {
        RecordFunction::Instantaneous => "FunctionType.INSTANTANEOUS_VALUE",
        RecordFunction::Maximum => "FunctionType.MAXIMUM_VALUE",
        RecordFunction::Minimum => "FunctionType.MINIMUM_VALUE",
        RecordFunction::Error => "FunctionType.ERROR_STATE_VALUE",
    };
    let number = match record.number {
        RecordNumber::Integer(number) => number as f64,
        RecordNumber::Float(number) => f64::from(number),
        // The smallest integer, which the standard sets aside and pyMeterBus reads as a number.
        RecordNumber::Invalid(bits) => {
            let unused = 64 - 8 * u32::try_from(record.raw.len()).unwrap();
            ((bits << unused).cast_signed() >> unused) as f64
        }
    };
    (kind.to_owned(), function.to_owned(), record.storage, number * record.scale.to_f64() * to_peer)
}

#[test]
fn telegrams_are_read_as_another_decoder_reads_them() {
    let mut random = Random::printed("telegrams");
    let mut frames = published();
    assert!(frames.len() >= 8);
    frames.extend((0..TELEGRAMS).map(|i| (format!("made {i}"), random_telegram(&mut random))));
    let mut decoder = peer(&["decode"]);
    let mut input = decoder.stdin.take().unwrap();
    let lines: Vec<String> = frames.iter().map(|(_, hex)| format!("{hex}\n")).collect();
    // A thread of its own, so that neither pipe can fill up and stop both.
    let writer = std::thread::spawn(move || input.write_all(lines.concat().as_bytes()));
    let mut answers = BufReader::new(decoder.stdout.take().unwrap()).lines();
    let mut compared = 0;
    for (name, hex) in &frames {
        let answer = answers.next().unwrap_or_else(|| panic!("{name}: no answer for {hex}")).unwrap();
        let rows: Vec<(String, String, String, u64, String)> = serde_json::from_str(&answer).unwrap();
        let frame = bytes(hex);
        let (found, _) = records(Telegram::parse(&frame).unwrap().body);
        let own: Vec<_> = found.iter().map(told).collect();
        let kinds: Vec<&str> = own.iter().map(|(kind, ..)| kind.as_str()).collect();
        let others: Vec<_> = rows.iter().filter(|row| kinds.contains(&row.0.as_str())).collect();
        assert_eq!(own.len(), others.len(), "{name}: {hex}\n{own:?}\n{answer}");
        for ((kind, function, storage, number), row) in own.iter().zip(others) {
            assert_eq!((kind, function, storage), (&row.0, &row.2, &row.3), "{name}: {hex}");
            let other: f64 = row.4.parse().unwrap();
            assert!((number - other).abs() <= 1e-9 * other.abs().max(1e-9), "{name}: {number} {other} {hex}");
            compared += 1;
        }
    }
    writer.join().unwrap().unwrap();
    assert!(decoder.wait().unwrap().success());
    assert!(compared > TELEGRAMS, "{compared}");
}

/// 2025-06-01T10:00:00Z.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Instant {
        Instant::from_seconds(1_748_772_000)
    }
}

#[test]
fn a_meter_on_a_serial_line_is_selected_as_another_master_selects_it() {
    let telegram = published().into_iter().find(|(name, _)| name == "kamstrup_multical_601").unwrap().1;
    let models = config::meters::load_meters(None).unwrap();
    let model = Arc::clone(models.get(&ModelId::new("mbus-heat-meter").unwrap()).unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (address, selection, at) in [
        ("secondary = \"06855817\"", "06855817FFFFFFFF", "secondary 06855817"),
        ("secondary = \"0685????\"\nmaker = \"KAM\"\nmedium = 4", "0685FFFF2D2CFF04", "secondary 0685FFFF"),
    ] {
        let mut meter = peer(&["meter", &telegram, selection]);
        let mut device = String::new();
        BufReader::new(meter.stdout.take().unwrap()).read_line(&mut device).unwrap();
        let device = device.trim();
        let link = LinkSpec {
            id: "heat".into(),
            connector: "mbus".into(),
            table: format!("device = {device:?}").parse().unwrap(),
        };
        let id = MeterId::new("substation").unwrap();
        let spec = MeterSpec {
            id: id.clone(),
            link: "heat".into(),
            model: Arc::clone(&model),
            every_s: 900,
            input: None,
            table: address.parse().unwrap(),
        };
        let (links, findings) = plan_links(vec![link], vec![spec]);
        assert!(findings.is_empty(), "{findings:?}");
        let shown = runtime.block_on(probe(&links, &id, &Standing));
        drop(meter.kill());
        drop(meter.wait());
        let shown = shown.unwrap_or_else(|error| panic!("{address}: {}", error.chain()));
        assert_eq!(shown.at, format!("m-bus {device}, {at}"));
        let lines: Vec<String> = shown.lines.iter().map(|l| format!("{} {}", l.channel, l.reads)).collect();
        assert_eq!(
            lines,
            [
                "heat_energy 37351000 Wh",
                "heat_energy.t1 0 Wh",
                "heat_energy.t2 0 Wh",
                "water_volume 561080 l",
                "thermal_power 34700 W",
                "volume_flow 543 l/h",
                "flow_temperature 101.69 °C",
                "return_temperature 46.16 °C",
            ]
        );
    }
}
