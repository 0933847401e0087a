//! Whole buses in virtual time: thirty devices with every fault at once, answers of any lateness, answers of any
//! bytes. Held against what the devices themselves remember.
//!
//! Must never: sleep for real, or open a socket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{Channel, MeterId, ModelId, Phase, Quantity, Unit as Measured};
use profile::sunspec;
use profile::{
    Check, Identification, Interface, Layout, Limits, MeterModel, RegisterModel, RegisterRef, Space, Status,
    TextPlace, TextRegister,
};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::bus_sim::{Device, Front, Sim, SimDial, next_request, value};
use super::scan::{FirstWord, scan_over};
use super::*;
use crate::inbox::{BoxFuture, StopHandle};
use crate::testing::{BEGIN, TestClock, TestInbox, measure, spec, two_blocks};
use crate::wire::Wire;

const GATEWAYS: [Front; 2] = [Front::Tcp, Front::Transparent];

fn settings(front: Front) -> Settings {
    let address = "gateway:502".to_owned();
    Settings::of(match front {
        Front::Tcp => Way::Tcp { address },
        Front::Transparent => Way::RtuOverTcp { address },
    })
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Eight totals in one block of sixteen registers, of which the file says that the meter gives forty at once.
fn eight_totals() -> Arc<MeterModel> {
    let mut model = (*two_blocks()).clone();
    let quantities = [Quantity::ActiveEnergyImport, Quantity::ActiveEnergyExport];
    let phases = [Phase::Total, Phase::L1, Phase::L2, Phase::L3];
    let channels = quantities.iter().flat_map(|q| phases.iter().map(|p| Channel { quantity: *q, phase: *p }));
    let measures = (0_u16..).zip(channels).map(|(i, channel)| profile::Measure {
        channel,
        ..measure(i * 2, Quantity::ActiveEnergyImport, Measured::WattHour)
    });
    model.interface = Interface::Registers(RegisterModel {
        layout: Layout::Fixed,
        limits: Limits { registers_per_request: 40, widest_gap: 4, pause_ms: 0, timeout_ms: None },
        measures: measures.collect(),
        statuses: vec![],
        examples: vec![],
    });
    Arc::new(model)
}

/// Where a channel lies in the models of these tests.
fn address(model: &MeterModel, channel: Channel) -> u16 {
    let measures = &model.registers().unwrap().measures;
    measures.iter().find(|m| m.channel == channel).unwrap().register.address
}

struct Bench {
    sim: Arc<Sim>,
    inbox: Arc<TestInbox>,
    models: BTreeMap<String, (u8, Arc<MeterModel>)>,
    stop: StopHandle,
    running: tokio::task::JoinHandle<()>,
}

/// A link that reads these units every so many seconds.
fn bench(front: Front, sim: Arc<Sim>, units: &[(u8, Arc<MeterModel>)], every_s: u32) -> Bench {
    let inbox = Arc::new(TestInbox::default());
    let name = |unit: u8| format!("u{unit}");
    let read = units.iter().map(|(unit, model)| {
        Unit::new(&spec(&name(*unit), "l", model, every_s, ""), UnitSettings { unit: *unit }).unwrap()
    });
    let link = Modbus::over("l".into(), settings(front), read.collect(), Arc::new(SimDial(Arc::clone(&sim))));
    let (stop, stopping) = Stop::new();
    let clock = TestClock::new() as Arc<dyn Clock>;
    let running = link.run(Arc::clone(&inbox) as Arc<dyn Inbox>, clock, stopping);
    let models = units.iter().map(|(unit, model)| (name(*unit), (*unit, Arc::clone(model)))).collect();
    Bench { sim, inbox, models, stop, running: tokio::spawn(running) }
}

impl Bench {
    /// Lets `seconds` pass, stops, and holds every reading against the device's own memory.
    async fn run(self, seconds: u64) -> Run {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.stop.stop();
        self.running.await.unwrap();
        let run = Run { sim: self.sim, inbox: self.inbox, models: self.models };
        run.check();
        run
    }
}

struct Run {
    sim: Arc<Sim>,
    inbox: Arc<TestInbox>,
    models: BTreeMap<String, (u8, Arc<MeterModel>)>,
}

impl Run {
    /// Every reading is what this very device said of this very register, to a request made in its sweep.
    fn check(&self) {
        let served = self.sim.served();
        for reading in self.inbox.readings.lock().unwrap().iter() {
            let (unit, model) = &self.models[reading.series.meter.as_str()];
            let at = address(model, reading.series.channel);
            let read = reading.value.as_f64();
            let answered = served
                .iter()
                .find(|served| served.unit == *unit && f64::from(value(*unit, at, served.number)) == read);
            let answered = answered.unwrap_or_else(|| panic!("nobody said {reading:?}"));
            assert!((answered.address..answered.address + answered.count).contains(&at), "{answered:?}");
            let asked_s = (answered.at - self.sim.begun).as_secs_f64();
            let sweep = reading.observed_at.seconds_since(BEGIN)..=reading.received_at.seconds_since(BEGIN);
            assert!(
                sweep.start() - 0.002 <= asked_s && asked_s <= sweep.end() + 0.002,
                "an answer to a question at {asked_s} s stands in the sweep {sweep:?}"
            );
        }
    }

    /// How late each reading of a meter was on its grid of 60 s, by slot.
    fn lateness(&self, unit: u8) -> BTreeMap<u64, f64> {
        let seconds = self.inbox.seconds(&format!("u{unit}"));
        seconds.into_iter().map(|s| ((s / 60.0) as u64, s % 60.0)).collect()
    }
}

/// Runs in virtual time, for tests that are no functions of their own.
fn virtually<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

const DEAD: u8 = 7;
const LATE: u8 = 8;
const NARROW: u8 = 9;

/// Thirty devices: one is dead, one answers after its time-out, one gives ten registers at once where its file says
/// forty, and the gateway is away for half a minute.
async fn thirty(front: Front) -> Run {
    let devices = (1..=30).map(|unit| {
        let device = match unit {
            DEAD => Device::thinking(|_| None),
            LATE => Device::thinking(|_| Some(millis(1_500))),
            NARROW => Device { words_max: 10, ..Device::healthy() },
            _ => Device::healthy(),
        };
        (unit, device)
    });
    let off = (Duration::from_secs(295), Duration::from_secs(325));
    let sim = Sim::new(front, devices, Some(off));
    let units: Vec<(u8, Arc<MeterModel>)> =
        (1..=30).map(|unit| (unit, if unit == NARROW { eight_totals() } else { two_blocks() })).collect();
    bench(front, sim, &units, 60).run(899).await
}

#[test]
fn a_bus_of_thirty_with_every_fault_recovers_by_itself() {
    for front in GATEWAYS {
        let run = virtually(thirty(front));
        for unit in (1..=30).filter(|unit| ![DEAD, LATE].contains(unit)) {
            let lateness = run.lateness(unit);
            assert_eq!(lateness.len(), 15, "{front:?} unit {unit}: {lateness:?}");
            for (slot, late) in lateness {
                // Sixty requests of some 50 ms, a time-out each of the dead and the late one, and their retries;
                // in the fifth minute until the gateway is back and is tried again.
                let limit = if slot == 5 { 59.0 } else { 8.0 };
                assert!(late < limit, "{front:?} unit {unit}, slot {slot}: {late} s late");
            }
        }
        assert!(run.lateness(DEAD).is_empty());
        let codes = run.inbox.codes();
        let count = |code: &str| codes.iter().filter(|c| **c == code).count();
        assert!((2..=6).contains(&count("link.timeout")), "{codes:?}");
        assert_eq!(count("meter.limit"), 1, "{codes:?}");
        let of_narrow = run.inbox.readings.lock().unwrap();
        let of_narrow = of_narrow.iter().filter(|r| r.series.meter.as_str() == "u9").count();
        assert_eq!(of_narrow, 15 * 8, "the meter that takes ten registers is read whole");
        assert!(run.sim.connections() > 1);
    }
}

#[test]
fn a_dead_unit_costs_its_time_out_and_is_asked_ever_less() {
    for front in GATEWAYS {
        let devices = [(1, Device::thinking(|_| None)), (2, Device::healthy())];
        let sim = virtually(async {
            let sim = Sim::new(front, devices, None);
            let units = [(1, two_blocks()), (2, two_blocks())];
            let run = bench(front, Arc::clone(&sim), &units, 5).run(300).await;
            let seconds = run.inbox.seconds("u2");
            assert_eq!(seconds.len(), 60, "{front:?}: {seconds:?}");
            // The line is listened to for a second before the first question; after that at most a time-out.
            assert!(seconds[1..].iter().all(|s| s % 5.0 < 1.2), "{front:?}: {seconds:?}");
            sim
        });
        let asked = sim.served().iter().filter(|s| s.unit == 1).count();
        assert!((5..=16).contains(&asked), "{front:?}: {asked}");
        assert_eq!(sim.collisions(), 0);
    }
}

/// The trap: unit 1 is asked for two blocks of the same size, and answers the first one after its time-out, just
/// while the second one is asked for.
#[test]
fn the_late_answer_to_one_block_is_never_taken_for_the_other() {
    for late_ms in [1_001, 1_500, 1_999, 2_000, 2_001, 2_010, 2_500, 3_050, 5_000] {
        for front in GATEWAYS {
            let thinks = move |n: u32| Some(millis(if n % 3 == 2 { late_ms } else { 30 }));
            let run = virtually(async {
                let sim = Sim::new(front, [(1, Device::thinking(thinks))], None);
                bench(front, sim, &[(1, two_blocks())], 2).run(120).await
            });
            assert!(!run.inbox.readings.lock().unwrap().is_empty(), "{front:?} {late_ms}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// However long three devices take for each of their requests, no reading is anything but what its own device
    /// said in its own sweep.
    #[test]
    fn no_lateness_brings_a_wrong_reading(
        tcp in any::<bool>(),
        waits in proptest::collection::vec(
            proptest::sample::select(vec![20, 40, 300, 950, 995, 1_001, 1_020, 1_400, 2_100, 3_000, 7_000, 0]), 3..40,
        ),
    ) {
        let front = GATEWAYS[usize::from(!tcp)];
        virtually(async {
            let devices = (1..=3_u8).map(|unit| {
                let waits = waits.clone();
                let thinks = move |n: u32| {
                    let wait = waits[(n as usize * usize::from(unit)) % waits.len()];
                    (wait > 0).then(|| millis(wait))
                };
                (unit, Device::thinking(thinks))
            });
            let sim = Sim::new(front, devices, Some((Duration::from_secs(50), Duration::from_secs(58))));
            let units = [(1, two_blocks()), (2, two_blocks()), (3, eight_totals())];
            bench(front, sim, &units, 2).run(200).await;
        });
    }
}

/// Records what is sent to it and answers with bytes of somebody's choice.
#[derive(Debug, Clone)]
struct Babbler {
    front: Front,
    says: Arc<Vec<Vec<u8>>>,
}

impl Dial for Babbler {
    fn dial<'a>(&'a self, _address: &'a str) -> BoxFuture<'a, std::io::Result<Box<dyn Wire>>> {
        let own = self.clone();
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(65_536);
            tokio::spawn(async move {
                let (mut from, mut to) = tokio::io::split(theirs);
                let mut says = own.says.iter().cycle();
                // Panics, and so ends the connection without an answer, at anything but a read: `sent` shows it.
                while let Some(request) = next_request(own.front, &mut from).await {
                    let Some(chosen) = says.next() else { return };
                    let mut bytes = chosen.clone();
                    if own.front == Front::Tcp && bytes.len() >= 7 {
                        // With the right transaction and unit half of the time, so that it is looked into.
                        bytes[..4].copy_from_slice(&request[..4]);
                        bytes[4] = 0;
                        bytes[5] = u8::try_from(bytes.len() - 6).unwrap_or(255);
                        bytes[6] = request[6];
                    }
                    if to.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            });
            Ok(Box::new(ours) as Box<dyn Wire>)
        })
    }
}

/// Everything that leaves, byte for byte.
#[derive(Debug)]
struct Tap {
    dial: Babbler,
    sent: Arc<std::sync::Mutex<Vec<Vec<u8>>>>,
}

impl Dial for Tap {
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, std::io::Result<Box<dyn Wire>>> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(65_536);
            let beyond = self.dial.dial(address).await?;
            let sent = Arc::clone(&self.sent);
            tokio::spawn(async move {
                let (mut from, mut to) = tokio::io::split(theirs);
                let (mut back_from, mut back_to) = tokio::io::split(beyond);
                let there = async {
                    let mut chunk = [0; 512];
                    while let Ok(count @ 1..) = from.read(&mut chunk).await {
                        sent.lock().unwrap().push(chunk[..count].to_vec());
                        if back_to.write_all(&chunk[..count]).await.is_err() {
                            break;
                        }
                    }
                };
                let here = async { tokio::io::copy(&mut back_from, &mut to).await };
                tokio::select! {
                    () = there => {}
                    _ = here => {}
                }
            });
            Ok(Box::new(ours) as Box<dyn Wire>)
        })
    }
}

/// Whether these bytes are requests of function 1 to 4 or 43/14, one after the other, and nothing else.
fn only_reads(front: Front, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let length = match (front, bytes) {
            (Front::Tcp, [_, _, 0, 0, 0, 6, _, 1..=4, ..]) => 12,
            (Front::Tcp, [_, _, 0, 0, 0, 5, _, 0x2B, 0x0E, ..]) => 11,
            (Front::Transparent, [_, 1..=4, ..]) => 8,
            (Front::Transparent, [_, 0x2B, 0x0E, ..]) => 7,
            _ => return false,
        };
        let Some(rest) = bytes.get(length..) else { return false };
        bytes = rest;
    }
    true
}

fn sunspec() -> Arc<MeterModel> {
    let mut model = (*two_blocks()).clone();
    let registers = RegisterModel {
        layout: Layout::SunSpec { models: vec![203] },
        measures: vec![measure(10, Quantity::ActiveEnergyImport, Measured::WattHour)],
        ..model.registers().unwrap().clone()
    };
    model.interface = Interface::Registers(registers);
    Arc::new(model)
}

/// Energy that counts only while discrete input 3 is 0 and coil 0 is 1; power that always counts.
fn with_states() -> Arc<MeterModel> {
    let coil = RegisterRef { space: Space::Coil, address: 0 };
    with_statuses(&[(FAULT, 0), (coil, 1)])
}

const FAULT: RegisterRef = RegisterRef { space: Space::Discrete, address: 3 };

fn with_statuses(statuses: &[(RegisterRef, u16)]) -> Arc<MeterModel> {
    let mut model = (*two_blocks()).clone();
    let energy = Channel::total(Quantity::ActiveEnergyImport);
    let status = |&(register, good)| Status { register, mask: 1, good, channels: vec![energy] };
    let statuses = statuses.iter().map(status).collect();
    let registers = RegisterModel { statuses, ..model.registers().unwrap().clone() };
    model.interface = Interface::Registers(registers);
    Arc::new(model)
}

#[test]
fn a_total_counts_only_while_the_meter_says_that_it_is_sound() {
    for front in GATEWAYS {
        let (energies, powers, codes, resolved) = virtually(async {
            // Three requests a round: energy, power, state. Rounds 3 and 4 are under a fault.
            let fault = |at: u16, number: u32| (at < 16).then_some((7..=12).contains(&number) && at == 3);
            let device = Device { inputs: Box::new(fault), ..Device::healthy() };
            let sim = Sim::new(front, [(1, device)], None);
            let run = bench(front, sim, &[(1, with_statuses(&[(FAULT, 0)]))], 10).run(58).await;
            let readings = run.inbox.readings.lock().unwrap();
            let of = |q: Quantity| readings.iter().filter(|r| r.series.channel.quantity == q).count();
            let counts = (of(Quantity::ActiveEnergyImport), of(Quantity::ActivePower));
            (counts.0, counts.1, run.inbox.codes(), run.inbox.resolved())
        });
        assert_eq!((energies, powers), (4, 6), "{front:?}");
        assert_eq!(codes, ["value.withheld"]);
        assert_eq!(resolved, [("meter:u1".to_owned(), "value.withheld")]);
    }
}

#[test]
fn a_state_that_is_refused_or_does_not_come_is_not_a_good_one() {
    // Which request is not answered: the state's, or none, but the state is refused.
    for (front, silent) in GATEWAYS.into_iter().flat_map(|front| [(front, true), (front, false)]) {
        let (energies, codes) = virtually(async {
            let thinks = move |number: u32| (!silent || !number.is_multiple_of(3)).then_some(millis(20));
            let device = Device { inputs: Box::new(|_, _| None), ..Device::thinking(thinks) };
            let sim = Sim::new(front, [(1, device)], None);
            let run = bench(front, sim, &[(1, with_statuses(&[(FAULT, 0)]))], 10).run(25).await;
            let readings = run.inbox.readings.lock().unwrap();
            let energies =
                readings.iter().filter(|r| r.series.channel.quantity == Quantity::ActiveEnergyImport);
            (energies.count(), run.inbox.codes())
        });
        assert_eq!(energies, 0, "{front:?} {silent}");
        assert!(codes.contains(&"value.withheld"), "{codes:?}");
        assert!(codes.contains(&if silent { "link.timeout" } else { "link.exception" }), "{codes:?}");
    }
}

fn known_by(space: Space, address: u16, words: Vec<u16>) -> Arc<MeterModel> {
    let mut model = (*two_blocks()).clone();
    let by_register = Check::Registers { register: RegisterRef { space, address }, words };
    let by_name = Check::DeviceId { object: 0, contains: "acme".into() };
    model.identify =
        vec![Identification { checks: vec![by_name] }, Identification { checks: vec![by_register] }];
    Arc::new(model)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever comes back, to the schedule, a probe, a scan or a walk along a chain: only reads leave.
    #[test]
    fn nothing_but_reads_is_ever_sent(
        tcp in any::<bool>(),
        says in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..8),
        function in proptest::sample::select(vec![1_u8, 2, 3, 4, 0x2B, 0x81, 0x82, 0x83, 0x84, 0xAB]),
    ) {
        let front = GATEWAYS[usize::from(!tcp)];
        let mut says = says;
        for bytes in &mut says {
            if front == Front::Tcp && bytes.len() > 8 {
                bytes[7] = function;
            } else if front == Front::Transparent && bytes.len() > 4 {
                // A frame with a right check sum.
                bytes[0] = 1;
                bytes[1] = function;
                let framed = super::rtu::frame(bytes[0], &bytes[1..]);
                *bytes = framed;
            }
        }
        let sent = Arc::new(std::sync::Mutex::new(Vec::new()));
        let dial = Tap { dial: Babbler { front, says: Arc::new(says) }, sent: Arc::clone(&sent) };
        let dial: Arc<dyn Dial> = Arc::new(dial);
        virtually(async {
            let units: Vec<Unit> = [(1, two_blocks()), (2, sunspec()), (3, eight_totals()), (4, with_states())]
                .iter()
                .map(|(unit, model)| {
                    let name = format!("u{unit}");
                    Unit::new(&spec(&name, "l", model, 5, ""), UnitSettings { unit: *unit }).unwrap()
                })
                .collect();
            let link = Modbus::over("l".into(), settings(front), units, Arc::clone(&dial));
            for meter in ["u1", "u2", "u4"] {
                let probed = link.probe(&MeterId::new(meter).unwrap(), &*TestClock::new()).await;
                drop(probed);
            }
            let models = [known_by(Space::Input, 5, vec![1, 2])];
            let scanned = scan_over(&settings(front), &[1, 2, 3], &models, Arc::clone(&dial), |_| {}).await;
            drop(scanned);
            let (stop, stopping) = Stop::new();
            let inbox = Arc::new(TestInbox::default());
            let running = tokio::spawn(link.run(inbox, TestClock::new(), stopping));
            tokio::time::sleep(Duration::from_secs(60)).await;
            stop.stop();
            running.await.unwrap();
        });
        let sent = sent.lock().unwrap();
        prop_assert!(sent.len() > 10);
        for bytes in sent.iter() {
            prop_assert!(only_reads(front, bytes), "{bytes:02x?}");
        }
    }
}

/// A device with its chain from `base` on: the common model, then meter model 203 with a total at offset 10.
fn chain(base: u16) -> Device {
    let mut words: BTreeMap<u16, u16> = (base..base + 130).map(|at| (at, 0)).collect();
    words.extend([(base, 0x5375), (base + 1, 0x6E53), (base + 2, 1), (base + 3, 66)]);
    words.extend([(base + 70, 203), (base + 71, 40), (base + 80, 0), (base + 81, 4_711)]);
    words.extend([(base + 112, 0xFFFF), (base + 113, 0)]);
    Device::holding(words)
}

#[test]
fn a_chain_of_sunspec_models_is_walked_in_every_session() {
    for (front, base) in GATEWAYS.into_iter().flat_map(|front| sunspec::BASES.map(|base| (front, base))) {
        let (sim, inbox) = virtually(async {
            let off = Some((Duration::from_secs(25), Duration::from_secs(28)));
            let sim = Sim::new(front, [(1, chain(base)), (2, Device::holding([(0, 0)]))], off);
            let Bench { sim, inbox, stop, running, .. } =
                bench(front, sim, &[(1, sunspec()), (2, sunspec())], 10);
            tokio::time::sleep(Duration::from_secs(55)).await;
            stop.stop();
            running.await.unwrap();
            (sim, inbox)
        });
        let readings = inbox.readings.lock().unwrap();
        assert_eq!(readings.len(), 6, "{front:?} {base}");
        assert!(readings.iter().all(|r| r.value.as_f64() == 4_711.0 && r.series.meter.as_str() == "u1"));
        let marks = sim.served().iter().filter(|s| s.unit == 1 && s.address == base && s.count == 2).count();
        assert_eq!(marks, 2, "once a session");
        let findings = inbox.findings.lock().unwrap();
        let unfit = findings.iter().find(|f| f.subject == "meter:u2").unwrap();
        assert_eq!(unfit.code, "link.sunspec");
        assert!(unfit.says.contains("no SunSpec mark at register 40000, 50000 or 0"), "{}", unfit.says);
    }
}

/// The same, which says in its common model who it is.
fn named_chain(base: u16) -> Device {
    // An answer of 16 registers fills the line for some 40 ms.
    let thinks = Box::new(|_| Some(Duration::from_millis(60)));
    let mut device = Device { thinks, ..chain(base) };
    let words = device.holds.as_mut().unwrap();
    for (offset, text) in [(2, "Acme"), (18, "M 3"), (42, "1.2"), (50, "SN-4711")] {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(16, 0);
        let pairs = bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        words.extend((base + 2 + offset..).zip(pairs));
    }
    device
}

#[test]
fn a_scan_walks_the_chain_and_names_what_stands_in_it() {
    for (front, base) in GATEWAYS.into_iter().flat_map(|front| sunspec::BASES.map(|base| (front, base))) {
        let found = virtually(async {
            let mute = Device { thinks: Box::new(|_| Some(Duration::from_millis(60))), ..chain(base) };
            let fixed = Device::holding([(300, 0xAC), (301, 0xDC)]);
            let devices = [(1, named_chain(base)), (2, mute), (3, fixed), (4, Device::holding([(0, 0)]))];
            let sim = Sim::new(front, devices, None);
            let models = [known_by(Space::Holding, 300, vec![0xAC, 0xDC]), sunspec()];
            let dial = Arc::new(SimDial(sim));
            scan_over(&settings(front), &[1, 2, 3, 4], &models, dial, |_| {}).await.unwrap()
        });
        let chain_of = |unit: usize| found[unit - 1].sunspec.as_ref();
        assert_eq!(chain_of(1).unwrap().ids, [1, 203], "{front:?} {base}");
        let texts: Vec<String> =
            chain_of(1).unwrap().texts.iter().map(|(name, text)| format!("{name} {text}")).collect();
        assert_eq!(texts, ["manufacturer Acme", "model M 3", "firmware 1.2", "serial_number SN-4711"]);
        assert_eq!((chain_of(2).unwrap().texts.len(), chain_of(3), chain_of(4)), (0, None, None));
        let proposed: Vec<Vec<ModelId>> = found.iter().map(|unit| unit.models.clone()).collect();
        let own = sunspec().id.clone();
        assert_eq!(proposed[0], std::slice::from_ref(&own), "the map whose models stand in the chain");
        assert_eq!((proposed[1][0].clone(), proposed[2].len(), proposed[3].len()), (own, 1, 0));
        assert!(found.iter().all(|unit| !unit.unfinished));
    }
}

#[test]
fn a_probe_shows_what_the_device_says_of_itself() {
    for front in GATEWAYS {
        let (texts, lines) = virtually(async {
            let sim = Sim::new(front, [(1, named_chain(40_000)), (2, chain(0))], None);
            let mut model = MeterModel::clone(&sunspec());
            model.texts = sunspec::common_texts().collect();
            // One that the device refuses, in the middle.
            let register = RegisterRef { space: Space::Holding, address: 60_000 };
            let nowhere = TextRegister { place: TextPlace::Fixed, register, ..model.texts[0] };
            model.texts.insert(1, nowhere);
            let meter = spec("u1", "l", &Arc::new(model), 5, "");
            let unit = Unit::new(&meter, UnitSettings { unit: 1 }).unwrap();
            let link = Modbus::over("l".into(), settings(front), vec![unit], Arc::new(SimDial(sim)));
            let meter = MeterId::new("u1").unwrap();
            let probe = link.probe(&meter, &*TestClock::new()).await.unwrap();
            let again = link.probe_again(&meter, &*TestClock::new()).await.unwrap();
            assert_eq!((again.texts, again.lines.len()), (Vec::new(), 1), "{front:?}");
            (probe.texts, probe.lines.len())
        });
        assert_eq!((texts.len(), lines), (5, 1), "{front:?}");
        assert_eq!((texts[0].reads.as_str(), &texts[0].raw[..9]), ("Acme", "4163 6d65"));
        assert!(texts[1].reads.contains("it does not have these registers"), "{}", texts[1].reads);
        assert_eq!((texts[1].raw.as_str(), texts[4].reads.as_str()), ("", "SN-4711"));
    }
}

#[test]
fn a_scan_says_who_answers_and_what_they_are() {
    for front in GATEWAYS {
        let found = virtually(async {
            let known = Device::holding([(0, 7), (1, 8), (300, 0xAC), (301, 0xDC)]);
            let unknown = Device::holding([(5, 5)]);
            let sim = Sim::new(front, [(3, known), (20, unknown)], None);
            let models = [known_by(Space::Holding, 300, vec![0xAC, 0xDC])];
            let units: Vec<u8> = (1..=40).collect();
            let begun = tokio::time::Instant::now();
            let settings = settings(front);
            let mut told = 0;
            let found = scan_over(&settings, &units, &models, Arc::new(SimDial(sim)), |_| told += 1).await;
            let longest = scan::longest_silence(&settings, units.len());
            assert!(begun.elapsed() <= longest, "{front:?}: {:?} of {longest:?}", begun.elapsed());
            assert_eq!(told, 42);
            found.unwrap()
        });
        let units: Vec<(u8, usize, FirstWord)> =
            found.iter().map(|f| (f.unit, f.models.len(), f.first)).collect();
        assert_eq!(units, [(3, 1, FirstWord::Holds(7)), (20, 0, FirstWord::Refused(2))], "{front:?}");
        assert!(found.iter().all(|f| !f.unfinished && f.identity.is_empty()));
    }
}
