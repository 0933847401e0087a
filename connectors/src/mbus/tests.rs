//! The bus against scripted meters, in virtual time: dead, late, disturbed, foreign, many telegrams, colliding.
//!
//! Must never: sleep for real, or open a socket.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{Channel, MeterId, ModelId, Phase, Quantity, Value};
use profile::mbus::telegram::checksum;
use profile::{
    Evidence, EvidenceLevel, Interface, MBusModel, MeterModel, Range, RecordFunction, RecordKey, RecordKind,
    RecordMeasure,
};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::session::Request;
use super::*;
use crate::inbox::{PollOutcome, SourceEvent, StopHandle};
use crate::testing::{TestClock, TestInbox, spec};
use crate::wire::Wire;

/// How a scripted meter treats a request for data.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Sound,
    /// Neither acknowledges nor answers.
    Dead,
    /// Answers after so many milliseconds.
    Late(u64),
    /// One bit of every telegram is turned.
    Disturbed,
    /// Answers under this primary address.
    Foreign(u8),
    /// Hangs up instead of answering.
    Hangs,
}

#[derive(Debug, Clone)]
struct Scripted {
    primary: u8,
    number: u32,
    status: u8,
    /// The bodies of its telegrams.
    bodies: Vec<Vec<u8>>,
    manner: Manner,
}

/// A meter that counts `kwh`.
fn scripted(primary: u8, number: u32, kwh: i32) -> Scripted {
    let body = [&[0x04, 0x06][..], &kwh.to_le_bytes()].concat();
    Scripted { primary, number, status: 0, bodies: vec![body], manner: Manner::Sound }
}

impl Scripted {
    fn telegram(&self, index: usize) -> Vec<u8> {
        let address = if let Manner::Foreign(other) = self.manner { other } else { self.primary };
        let mut counted = vec![0x08, address, 0x72];
        counted.extend(self.number.to_le_bytes());
        counted.extend([0x2D, 0x2C, 0x08, 0x04, 0x01, self.status, 0, 0]);
        counted.extend(&self.bodies[index]);
        let length = u8::try_from(counted.len()).unwrap();
        let mut frame = vec![0x68, length, length, 0x68];
        frame.extend(&counted);
        frame.extend([checksum(&counted), 0x16]);
        if self.manner == Manner::Disturbed {
            let last = frame.len() - 4;
            frame[last] ^= 0x10;
        }
        frame
    }

    fn is_selected_by(&self, selection: &[u8]) -> bool {
        let number = u32::from_le_bytes(selection[..4].try_into().unwrap());
        (0..8).all(|i| {
            let (want, have) = ((number >> (4 * i)) & 0xF, (self.number >> (4 * i)) & 0xF);
            want == 0xF || want == have
        })
    }
}

struct Field {
    meters: Mutex<Vec<Scripted>>,
    sent: Mutex<Vec<Vec<u8>>>,
    connections: Mutex<usize>,
    refuses: Mutex<usize>,
    echoes: bool,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Field")
    }
}

#[derive(Debug, Clone)]
struct FieldDial(Arc<Field>);

impl Dial for FieldDial {
    fn dial<'a>(&'a self, _address: &'a str) -> crate::BoxFuture<'a, io::Result<Box<dyn Wire>>> {
        let field = Arc::clone(&self.0);
        Box::pin(async move {
            *field.connections.lock().unwrap() += 1;
            {
                let mut refuses = field.refuses.lock().unwrap();
                if *refuses > 0 {
                    *refuses -= 1;
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
            }
            let (ours, theirs) = tokio::io::duplex(4096);
            tokio::spawn(serve(field, theirs));
            Ok(Box::new(ours) as Box<dyn Wire>)
        })
    }
}

/// One request as the line carries it.
async fn request(from: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    from.read_exact(&mut frame).await?;
    let rest = if frame[0] == 0x10 { 1 } else { usize::from(frame[1]) + 2 };
    let mut tail = vec![0; rest];
    from.read_exact(&mut tail).await?;
    frame.extend(tail);
    Ok(frame)
}

async fn serve(field: Arc<Field>, wire: DuplexStream) {
    let (mut from, to) = tokio::io::split(wire);
    let to = Arc::new(tokio::sync::Mutex::new(to));
    let mut selected: Vec<usize> = Vec::new();
    let mut given = vec![(0_usize, None::<u8>); field.meters.lock().unwrap().len()];
    while let Ok(frame) = request(&mut from).await {
        field.sent.lock().unwrap().push(frame.clone());
        if field.echoes {
            to.lock().await.write_all(&frame).await.unwrap();
        }
        let meters = field.meters.lock().unwrap().clone();
        let called = |address: u8, selected: &[usize]| -> Vec<usize> {
            let by_primary = |i: &usize| meters[*i].primary == address;
            if address == 0xFD { selected.to_vec() } else { (0..meters.len()).filter(by_primary).collect() }
        };
        let mut answers: Vec<(u64, Vec<u8>)> = Vec::new();
        let (control, address) = if frame[0] == 0x10 { (frame[1], frame[2]) } else { (frame[4], frame[5]) };
        let who = match control {
            0x73 => {
                selected = (0..meters.len()).filter(|i| meters[*i].is_selected_by(&frame[7..15])).collect();
                selected.clone()
            }
            _ => called(address, &selected),
        };
        for i in who {
            let delay = match meters[i].manner {
                Manner::Dead => continue,
                Manner::Hangs if control & 0x4F == 0x4B => return,
                Manner::Late(ms) if control & 0x4F == 0x4B => ms,
                _ => 0,
            };
            match control {
                0x40 | 0x73 => {
                    given[i] = (0, None);
                    answers.push((delay, vec![0xE5]));
                }
                _ => {
                    let bit = control & 0x20;
                    let (index, before) = given[i];
                    let index = if before.is_some_and(|b| b != bit) { index + 1 } else { index };
                    given[i] = (index, Some(bit));
                    answers.push((delay, meters[i].telegram(index.min(meters[i].bodies.len() - 1))));
                }
            }
            if control == 0x40 && address == 0xFD {
                selected.clear();
            }
        }
        // Meters that speak at once pull the line down together.
        if answers.len() > 1 {
            let longest = answers.iter().map(|(_, a)| a.len()).max().unwrap_or(0);
            let mixed = (0..longest)
                .map(|b| answers.iter().fold(0xFF, |x, (_, a)| x & a.get(b).copied().unwrap_or(0xFF)));
            answers = vec![(0, mixed.collect())];
        }
        for (delay, bytes) in answers {
            let to = Arc::clone(&to);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                // The other side may be gone already.
                let _sent = to.lock().await.write_all(&bytes).await.is_ok();
            });
        }
    }
}

fn measure(quantity: Quantity, kind: RecordKind, tariff: u64) -> RecordMeasure {
    RecordMeasure {
        channel: Channel { quantity, phase: if tariff == 0 { Phase::Total } else { Phase::Tariff1 } },
        key: RecordKey {
            kind,
            function: RecordFunction::Instantaneous,
            storage: 0,
            tariff,
            subunit: 0,
            extensions: vec![],
        },
        plausible: Range { from: 0.0, to: 1e12 },
        required: tariff == 0,
        step: 1000,
    }
}

/// Heat energy, and where it is sent that of tariff 1.
fn heat_meter() -> Arc<MeterModel> {
    Arc::new(MeterModel {
        id: ModelId::new("heat").unwrap(),
        replaces: vec![],
        maker: "test".into(),
        name: "test".into(),
        evidence: Evidence { level: EvidenceLevel::Bench, sources: vec![], each_meter: false },
        caveats: vec![],
        identify: vec![],
        texts: vec![],
        interface: Interface::MBus(MBusModel {
            battery: true,
            telegrams: 3,
            measures: vec![
                measure(Quantity::HeatEnergy, RecordKind::Energy, 0),
                measure(Quantity::HeatEnergy, RecordKind::Energy, 1),
            ],
            examples: vec![],
        }),
    })
}

struct Bench {
    field: Arc<Field>,
    inbox: Arc<TestInbox>,
    clock: Arc<TestClock>,
    stop: StopHandle,
    running: tokio::task::JoinHandle<()>,
}

fn settings() -> Settings {
    Settings::parse("l", &"address = \"converter:10001\"".parse().unwrap()).unwrap()
}

fn field(meters: Vec<Scripted>) -> Arc<Field> {
    Arc::new(Field {
        meters: Mutex::new(meters),
        sent: Mutex::default(),
        connections: Mutex::default(),
        refuses: Mutex::default(),
        echoes: false,
    })
}

fn link(field: &Arc<Field>, meters: &[(&str, &str, u32)]) -> MBus {
    let model = heat_meter();
    let slave = |(id, table, every_s): &(&str, &str, u32)| {
        let spec = spec(id, "l", &model, *every_s, table);
        Slave::new(&spec, SlaveSettings::parse(&spec.id, &spec.table).unwrap()).unwrap()
    };
    let slaves = meters.iter().map(slave).collect();
    MBus::over("l".into(), settings(), slaves, Arc::new(FieldDial(Arc::clone(field))))
}

fn bench(field: &Arc<Field>, meters: &[(&str, &str, u32)]) -> Bench {
    let (inbox, clock) = (Arc::new(TestInbox::default()), TestClock::new());
    let (stop, stopping) = Stop::new();
    let link = link(field, meters);
    let running =
        link.run(Arc::clone(&inbox) as Arc<dyn Inbox>, Arc::clone(&clock) as Arc<dyn Clock>, stopping);
    Bench { field: Arc::clone(field), inbox, clock, stop, running: tokio::spawn(running) }
}

impl Bench {
    async fn run(self, seconds: u64) -> (Arc<TestInbox>, usize) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.stop.stop();
        self.running.await.unwrap();
        for frame in self.field.sent.lock().unwrap().iter() {
            assert!(is_harmless(frame), "{frame:02x?} was sent");
        }
        (self.inbox, *self.field.connections.lock().unwrap())
    }
}

/// Link reset, request for data, selection; nothing else, whatever its bytes.
fn is_harmless(frame: &[u8]) -> bool {
    match frame {
        [0x10, 0x40 | 0x5B | 0x7B, address, sum, 0x16] => {
            (*address <= 250 || *address == 0xFD) && *sum == frame[1].wrapping_add(*address)
        }
        [0x68, 0x0B, 0x0B, 0x68, 0x73, 0xFD, 0x52, rest @ ..] => {
            rest.len() == 10 && rest[9] == 0x16 && rest[8] == checksum(&frame[4..15])
        }
        _ => false,
    }
}

fn energy(inbox: &TestInbox, meter: &str) -> Vec<i64> {
    let readings = inbox.readings.lock().unwrap();
    let of_meter = readings.iter().filter(|r| r.series.meter.as_str() == meter);
    of_meter.map(|r| if let Value::Total(wh) = r.value { wh } else { panic!("{r:?}") }).collect()
}

#[tokio::test(start_paused = true)]
async fn meters_are_read_on_the_grid_by_either_address() {
    let field = field(vec![scripted(1, 0x1111_1111, 5), scripted(2, 0x2222_2222, 7)]);
    let bench = bench(&field, &[("a", "primary = 1", 10), ("b", "secondary = \"22222222\"", 20)]);
    let (inbox, connections) = bench.run(21).await;
    assert_eq!(inbox.seconds("a").len(), 3);
    assert_eq!(energy(&inbox, "a"), [5_000; 3]);
    assert_eq!(energy(&inbox, "b"), [7_000; 2]);
    assert_eq!((connections, inbox.codes()), (1, vec![]));
    assert!(inbox.readings.lock().unwrap().iter().all(|r| r.origin == model::Origin::MBus));
}

#[tokio::test(start_paused = true)]
async fn a_dead_meter_costs_one_time_out_and_backs_off_alone() {
    let dead = Scripted { manner: Manner::Dead, ..scripted(1, 1, 5) };
    let field = field(vec![dead, scripted(2, 2, 7)]);
    let bench = bench(&field, &[("dead", "primary = 1", 10), ("b", "primary = 2", 10)]);
    let (inbox, _) = bench.run(121).await;
    let seconds = inbox.seconds("b");
    assert_eq!(seconds.len(), 13, "{seconds:?}");
    for (slot, second) in seconds.iter().enumerate() {
        assert!((0.0..=1.3).contains(&(second - slot as f64 * 10.0)), "{seconds:?}");
    }
    assert_eq!(inbox.codes(), ["link.timeout"]);
    let says = inbox.findings.lock().unwrap()[0].says.clone();
    assert_eq!(
        says,
        "no answer from `dead` (m-bus converter:10001, primary 1) within 1000 ms; try: consuntivo probe dead"
    );
    let asked = field.sent.lock().unwrap().iter().filter(|f| f[2] == 1).count();
    assert!((4..=10).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_nobodys() {
    let late = Scripted { manner: Manner::Late(1_500), ..scripted(1, 1, 666) };
    let field = field(vec![late, Scripted { manner: Manner::Late(800), ..scripted(2, 2, 7) }]);
    let bench = bench(&field, &[("late", "primary = 1", 10), ("b", "primary = 2", 10)]);
    let (inbox, connections) = bench.run(60).await;
    assert!(energy(&inbox, "late").is_empty());
    let b = energy(&inbox, "b");
    assert!(b.len() >= 5 && b.iter().all(|wh| *wh == 7_000), "{b:?}");
    assert!(connections > 1, "the session was used again after a time-out");
}

/// A converter that keeps its line while connections come and go: the late answer arrives on the new one.
#[tokio::test(start_paused = true)]
async fn a_late_answer_on_the_next_connection_is_still_nobodys() {
    let (meter, other) = (scripted(1, 1, 666), scripted(2, 2, 7));
    for noise in [vec![0xE5], meter.telegram(0), vec![0x68, 0x03], [vec![0xE5], meter.telegram(0)].concat()] {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        theirs.write_all(&noise).await.unwrap();
        let wire = Mutex::new(Some(ours));
        #[derive(Debug)]
        struct Once(Mutex<Option<DuplexStream>>);
        impl Dial for Once {
            fn dial<'a>(&'a self, _: &'a str) -> crate::BoxFuture<'a, io::Result<Box<dyn Wire>>> {
                let wire = self.0.lock().unwrap().take();
                Box::pin(async move { Ok(Box::new(wire.unwrap()) as Box<dyn Wire>) })
            }
        }
        let field = field(vec![other.clone()]);
        tokio::spawn(serve(Arc::clone(&field), theirs));
        let model = heat_meter();
        let spec = spec("b", "l", &model, 900, "primary = 2");
        let slave = Slave::new(&spec, SlaveSettings::parse(&spec.id, &spec.table).unwrap()).unwrap();
        let link = MBus::over("l".into(), settings(), vec![slave], Arc::new(Once(wire)));
        let probe = link.probe(&MeterId::new("b").unwrap(), &*TestClock::new()).await.unwrap();
        assert_eq!(probe.lines[0].reads, "7000 Wh");
    }
}

#[tokio::test(start_paused = true)]
async fn disturbed_and_foreign_answers_give_no_reading_and_end_the_session() {
    let disturbed = Scripted { manner: Manner::Disturbed, ..scripted(1, 1, 5) };
    let foreign = Scripted { manner: Manner::Foreign(9), ..scripted(2, 2, 7) };
    let field = field(vec![disturbed, foreign]);
    let bench = bench(&field, &[("disturbed", "primary = 1", 60), ("foreign", "primary = 2", 60)]);
    let (inbox, connections) = bench.run(1).await;
    assert!(inbox.readings.lock().unwrap().is_empty());
    assert_eq!((inbox.codes(), connections), (vec!["link.protocol", "link.protocol"], 2));
    let findings = inbox.findings.lock().unwrap();
    assert!(findings[0].says.contains("its checksum is wrong"), "{}", findings[0].says);
    assert!(findings[1].says.contains("answered (primary 9, 00000002 KAM"), "{}", findings[1].says);
}

#[tokio::test(start_paused = true)]
async fn further_telegrams_are_asked_for_only_while_something_is_wanted() {
    let total = [0x04, 0x06, 5, 0, 0, 0, 0x1F];
    let tariff = [0x84, 0x10, 0x06, 3, 0, 0, 0, 0x1F];
    let last = [0x04, 0x13, 1, 0, 0, 0];
    let many = |bodies: &[&[u8]]| Scripted {
        bodies: bodies.iter().map(|b| b.to_vec()).collect(),
        ..scripted(1, 1, 0)
    };
    for (bodies, asked, read) in [
        (vec![&total[..], &tariff, &last], 2, vec![5_000, 3_000]),
        (vec![&total[..], &last], 2, vec![5_000]),
        (vec![&last[..]], 1, vec![]),
        (vec![&total[..], &total, &total, &total, &total], 3, vec![5_000]),
    ] {
        let field = field(vec![many(&bodies)]);
        let (inbox, _) = bench(&field, &[("a", "primary = 1", 60)]).run(1).await;
        assert_eq!(energy(&inbox, "a"), read);
        let sent = field.sent.lock().unwrap();
        let bits: Vec<u8> = sent.iter().map(|f| f[1]).collect();
        assert_eq!(bits, [&[0x40][..], &[0x7B, 0x5B, 0x7B][..asked]].concat());
    }
}

#[tokio::test(start_paused = true)]
async fn two_meters_that_answer_to_one_selection_give_no_reading() {
    let field = field(vec![scripted(1, 0x1234_5678, 5), scripted(2, 0x1234_9999, 7)]);
    let bench = bench(&field, &[("a", "secondary = \"1234????\"", 60)]);
    let (inbox, _) = bench.run(3).await;
    assert!(inbox.readings.lock().unwrap().is_empty());
    assert_eq!(inbox.codes(), ["link.protocol"]);
}

#[tokio::test(start_paused = true)]
async fn a_wildcard_selects_one_meter_and_an_absent_number_none() {
    let field = field(vec![scripted(1, 0x1234_5678, 5), scripted(2, 0x9999_9999, 7)]);
    let bench = bench(
        &field,
        &[("a", "secondary = \"1234FFFF\"\nmaker = \"KAM\"", 60), ("b", "secondary = \"77777777\"", 60)],
    );
    let (inbox, _) = bench.run(4).await;
    assert_eq!(energy(&inbox, "a"), [5_000]);
    assert_eq!(inbox.codes(), ["link.timeout"]);
}

#[tokio::test(start_paused = true)]
async fn one_device_under_two_addresses_is_read_once() {
    let field = field(vec![scripted(1, 0x1234_5678, 5)]);
    let bench = bench(&field, &[("a", "primary = 1", 10), ("b", "secondary = \"12345678\"", 10)]);
    let (inbox, _) = bench.run(11).await;
    assert_eq!((energy(&inbox, "a").len(), energy(&inbox, "b").len()), (2, 0));
    assert_eq!(inbox.codes(), ["link.meter.twice"]);
}

#[tokio::test(start_paused = true)]
async fn a_meter_in_error_gives_no_values_and_comes_back() {
    let field = field(vec![Scripted { status: 0x10, ..scripted(1, 1, 5) }]);
    let bench = bench(&field, &[("a", "primary = 1", 10)]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(bench.inbox.readings.lock().unwrap().is_empty());
    // The battery runs low meanwhile, which is told and takes no value away.
    field.meters.lock().unwrap()[0].status = 0x04;
    let (inbox, connections) = bench.run(26).await;
    assert!(energy(&inbox, "a").len() >= 2);
    assert_eq!(inbox.codes(), ["link.meter.error", "mbus.battery.low", "link.up"]);
    assert_eq!(connections, 1);
    let says = inbox.findings.lock().unwrap()[0].says.clone();
    assert!(says.contains("reports a temporary error, so none of its values is used"), "{says}");
}

#[tokio::test(start_paused = true)]
async fn another_device_in_the_same_place_is_told() {
    let field = field(vec![scripted(1, 1, 5)]);
    let bench = bench(&field, &[("a", "primary = 1", 10)]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    field.meters.lock().unwrap()[0].number = 2;
    let (inbox, _) = bench.run(16).await;
    assert_eq!(inbox.codes(), ["mbus.meter.changed"]);
}

#[tokio::test(start_paused = true)]
async fn records_that_cannot_be_told_apart_or_read_are_told_once() {
    let twice = [0x02, 0x06, 5, 0, 0x02, 0x06, 6, 0, 0x8F];
    let field = field(vec![Scripted { bodies: vec![twice.to_vec()], ..scripted(1, 1, 0) }]);
    let (inbox, _) = bench(&field, &[("a", "primary = 1", 10)]).run(35).await;
    assert!(inbox.readings.lock().unwrap().is_empty());
    assert_eq!(inbox.codes(), ["mbus.records.unreadable", "mbus.record.ambiguous", "value.missing"]);
    let events = inbox.events.lock().unwrap();
    let failed = |e: &&SourceEvent| matches!(e, SourceEvent::Poll { outcome: PollOutcome::Failed, .. });
    assert_eq!(events.iter().filter(failed).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_converter_that_is_down_or_hangs_up_is_tried_again() {
    let field = field(vec![scripted(1, 1, 5)]);
    *field.refuses.lock().unwrap() = 2;
    let bench = bench(&field, &[("a", "primary = 1", 60)]);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(bench.inbox.codes(), ["link.refused", "link.up"]);
    field.meters.lock().unwrap()[0].manner = Manner::Hangs;
    tokio::time::sleep(Duration::from_secs(55)).await;
    assert_eq!(bench.inbox.codes(), ["link.refused", "link.up", "link.lost"]);
    field.meters.lock().unwrap()[0].manner = Manner::Sound;
    let (inbox, _) = bench.run(60).await;
    assert_eq!(inbox.codes(), ["link.refused", "link.up", "link.lost", "link.up"]);
}

#[tokio::test(start_paused = true)]
async fn reading_goes_on_after_the_clock_was_set_back() {
    let field = field(vec![scripted(1, 1, 5)]);
    let bench = bench(&field, &[("a", "primary = 1", 10)]);
    tokio::time::sleep(Duration::from_secs(65)).await;
    bench.clock.set_back(50_000);
    let (inbox, _) = bench.run(30).await;
    assert_eq!(energy(&inbox, "a").len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_converter_that_echoes_is_understood() {
    let meters = vec![scripted(1, 1, 5)];
    let field = Arc::new(Field {
        meters: Mutex::new(meters),
        sent: Mutex::default(),
        connections: Mutex::default(),
        refuses: Mutex::default(),
        echoes: true,
    });
    let (inbox, _) = bench(&field, &[("a", "secondary = \"00000001\"", 60)]).run(2).await;
    assert_eq!((energy(&inbox, "a"), inbox.codes()), (vec![5_000], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_probe_shows_the_bytes_and_who_answered() {
    let field = field(vec![scripted(5, 0x0685_5817, 37_351)]);
    let link = link(&field, &[("a", "primary = 5", 900)]);
    let probe = link.probe(&MeterId::new("a").unwrap(), &*TestClock::new()).await.unwrap();
    let lines: Vec<_> = probe.lines.iter().map(|l| format!("{} {} {}", l.channel, l.raw, l.reads)).collect();
    assert_eq!(lines, ["heat_energy e7 91 00 00 37351000 Wh"]);
    assert_eq!(probe.at, "m-bus converter:10001, primary 5");
    assert_eq!(probe.notes, ["answers as 06855817 KAM version 8 medium 4"]);
    let none = link.probe(&MeterId::new("b").unwrap(), &*TestClock::new()).await.unwrap_err();
    assert_eq!(none.code(), "link.meter.unknown");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let link = |text: &str| Settings::parse("l", &text.parse().unwrap());
    assert!(link("device = \"/dev/ttyUSB0\"").is_ok());
    for bad in [
        "",
        "address = \"x\"",
        "device = \"ttyUSB0\"",
        "address = \"a:1\"\ndevice = \"/dev/x\"",
        "device = \"/dev/x\"\nbaud = 115200",
        "address = \"a:1\"\ntimeout_ms = 1",
        "address = \"a:1\"\nparity = \"none\"",
    ] {
        assert!(link(bad).is_err(), "{bad}");
    }
    let meter = |text: &str| SlaveSettings::parse(&MeterId::new("m").unwrap(), &text.parse().unwrap());
    for bad in [
        "",
        "primary = 251",
        "primary = 254",
        "primary = 1\nsecondary = \"12345678\"",
        "primary = 1\nmaker = \"KAM\"",
        "secondary = \"1234567\"",
        "secondary = \"1234567A\"",
        "secondary = \"FFFFFFFF\"",
        "secondary = \"12345678\"\nmaker = \"kam\"",
    ] {
        assert!(meter(bad).is_err(), "{bad}");
    }
}

#[test]
fn meters_that_one_call_would_reach_and_hungry_readings_are_told() {
    let model = heat_meter();
    let meters = [
        spec("a", "l", &model, 900, "primary = 1"),
        spec("b", "l", &model, 900, "primary = 1"),
        spec("c", "l", &model, 900, "secondary = \"1234????\""),
        spec("d", "l", &model, 900, "secondary = \"12345678\""),
        spec("e", "l", &model, 60, "primary = 2"),
        spec("f", "l", &model, 60, "primary = 3\nmains = true"),
    ];
    let mut findings = Vec::new();
    let slaves = slaves(&meters.iter().collect::<Vec<_>>(), &mut findings);
    let kept: Vec<&str> = slaves.iter().map(|s| s.meter.as_str()).collect();
    assert_eq!(kept, ["a", "c", "e", "f"]);
    let told: Vec<String> = findings.iter().map(|f| format!("{} {}", f.code, f.subject)).collect();
    assert_eq!(
        told,
        ["settings.invalid meter:b", "settings.invalid meter:d", "settings.battery.often meter:e"]
    );
}

proptest! {
    /// Whatever is asked of whomever: what goes over the wire reads and never writes.
    #[test]
    fn no_request_can_write(primary in 0_u8..=PRIMARY_MAX, number: u32, bit: bool, maker in "[A-Z]{3}", medium: u8) {
        let text: String = format!("{number:08}").chars().take(8).collect();
        let requests = [
            Some(Request::Reset { address: primary }),
            Some(Request::Ask { address: primary, frame_count_bit: bit }),
            Secondary::parse(&text, Some(&maker), Some(medium)).map(Request::Select),
        ];
        for request in requests.into_iter().flatten() {
            prop_assert!(is_harmless(&request.bytes()), "{:02x?}", request.bytes());
        }
    }
}

#[test]
fn only_the_session_writes_and_only_requests() {
    let session = include_str!("session.rs");
    assert_eq!(session.matches(".write_all(").count(), 1);
    assert!(session.contains("let sent = request.bytes();") && session.contains(".write_all(&sent)"));
    // Control fields of EN 13757-2: 40 resets the link, 73 selects here, 5B and 7B ask. No other is written.
    let controls: Vec<&str> =
        session.match_indices("short(0x").map(|(i, _)| &session[i + 6..i + 10]).collect();
    assert_eq!(controls, ["0x40", "0x5B", "0x7B"]);
    assert_eq!(session.matches("[0x73, SELECTED, 0x52]").count(), 1);
    for other in [
        include_str!("../mbus.rs"),
        include_str!("run.rs"),
        include_str!("reading.rs"),
        include_str!("address.rs"),
        include_str!("fault.rs"),
    ] {
        assert!(!other.contains(".write"), "only the session may write");
    }
}
