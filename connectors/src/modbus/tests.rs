//! The bus against scripted meters, in virtual time: dead, late, foreign, short, refusing, busy, vanishing.
//!
//! Must never: sleep for real, or open a socket.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{MeterId, Quantity, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::inbox::{PollOutcome, SourceEvent, StopHandle};
use crate::testing::{BEGIN, TestClock, TestInbox, spec, two_blocks};
use crate::wire::Wire;

/// What a scripted meter was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    /// Milliseconds after the beginning.
    at: u64,
    connection: usize,
    unit: u8,
    function: u8,
    address: u16,
}

/// What it does about it.
enum Act {
    Answer(u32),
    After(Duration, u32),
    Silence,
    Exception(u8),
    /// One register instead of two.
    Short,
    /// The answer of another unit.
    Foreign(u32),
    Hang,
}

enum Open {
    Yes,
    Refused,
    Never,
}

type Script = dyn Fn(Asked) -> Act + Send + Sync;

struct Field {
    asked: Mutex<Vec<Asked>>,
    connections: Mutex<usize>,
    open: Box<dyn Fn(usize) -> Open + Send + Sync>,
    script: Box<Script>,
    begun: tokio::time::Instant,
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
            let number = {
                let mut connections = field.connections.lock().unwrap();
                *connections += 1;
                *connections
            };
            match (field.open)(number) {
                Open::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
                Open::Never => std::future::pending().await,
                Open::Yes => {
                    let (ours, theirs) = tokio::io::duplex(1024);
                    tokio::spawn(serve(field, theirs, number));
                    Ok(Box::new(ours) as Box<dyn Wire>)
                }
            }
        })
    }
}

async fn serve(field: Arc<Field>, wire: DuplexStream, connection: usize) {
    let (mut from, to) = tokio::io::split(wire);
    let to = Arc::new(tokio::sync::Mutex::new(to));
    let mut frame = [0_u8; 12];
    while from.read_exact(&mut frame).await.is_ok() {
        let asked = Asked {
            at: u64::try_from(field.begun.elapsed().as_millis()).unwrap(),
            connection,
            unit: frame[6],
            function: frame[7],
            address: u16::from_be_bytes([frame[8], frame[9]]),
        };
        field.asked.lock().unwrap().push(asked);
        let reply = |unit: u8, pdu: &[u8]| {
            let mut out = vec![frame[0], frame[1], 0, 0, 0, u8::try_from(pdu.len() + 1).unwrap(), unit];
            out.extend_from_slice(pdu);
            out
        };
        let words = |value: u32| {
            let mut pdu = vec![asked.function, 4];
            pdu.extend_from_slice(&value.to_be_bytes());
            pdu
        };
        let (wait, bytes) = match (field.script)(asked) {
            Act::Answer(value) => (Duration::ZERO, reply(asked.unit, &words(value))),
            Act::After(wait, value) => (wait, reply(asked.unit, &words(value))),
            Act::Exception(code) => (Duration::ZERO, reply(asked.unit, &[asked.function | 0x80, code])),
            Act::Short => (Duration::ZERO, reply(asked.unit, &[asked.function, 2, 0, 1])),
            Act::Foreign(value) => (Duration::ZERO, reply(asked.unit + 1, &words(value))),
            Act::Silence => continue,
            Act::Hang => return,
        };
        let to = Arc::clone(&to);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            // The other side may be gone already.
            let _sent = to.lock().await.write_all(&bytes).await.is_ok();
        });
    }
}

struct Bench {
    field: Arc<Field>,
    inbox: Arc<TestInbox>,
    clock: Arc<TestClock>,
    stop: StopHandle,
    running: tokio::task::JoinHandle<()>,
}

fn settings() -> Settings {
    Settings::parse("l", TCP, &"address = \"gateway:502\"".parse().unwrap()).unwrap()
}

fn bench(
    units: &[(&str, u8, u32)],
    open: impl Fn(usize) -> Open + Send + Sync + 'static,
    script: impl Fn(Asked) -> Act + Send + Sync + 'static,
) -> Bench {
    let inbox = Arc::new(TestInbox::default());
    bench_with(inbox, units, open, script)
}

fn bench_with(
    inbox: Arc<TestInbox>,
    units: &[(&str, u8, u32)],
    open: impl Fn(usize) -> Open + Send + Sync + 'static,
    script: impl Fn(Asked) -> Act + Send + Sync + 'static,
) -> Bench {
    let field = Arc::new(Field {
        asked: Mutex::default(),
        connections: Mutex::default(),
        open: Box::new(open),
        script: Box::new(script),
        begun: tokio::time::Instant::now(),
    });
    let model = two_blocks();
    let units = units.iter().map(|(id, unit, every_s)| {
        Unit::new(&spec(id, "l", &model, *every_s, ""), UnitSettings { unit: *unit }).unwrap()
    });
    let dial = Arc::new(FieldDial(Arc::clone(&field)));
    let link = Modbus::over("l".into(), settings(), units.collect(), dial);
    let (stop, stopping) = Stop::new();
    let clock = TestClock::new();
    let running =
        link.run(Arc::clone(&inbox) as Arc<dyn Inbox>, Arc::clone(&clock) as Arc<dyn Clock>, stopping);
    Bench { field, inbox, clock, stop, running: tokio::spawn(running) }
}

impl Bench {
    /// Lets `seconds` pass, stops, and checks that nothing but reads was ever sent.
    async fn run(self, seconds: u64) -> (Vec<Asked>, Arc<TestInbox>, usize) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.stop.stop();
        self.running.await.unwrap();
        let asked = self.field.asked.lock().unwrap().clone();
        assert!(asked.iter().all(|a| a.function == 4), "{asked:?}");
        let connections = *self.field.connections.lock().unwrap();
        (asked, self.inbox, connections)
    }
}

fn energy(inbox: &TestInbox, meter: &str) -> Vec<Value> {
    let readings = inbox.readings.lock().unwrap();
    let wanted = |r: &&model::Reading| {
        r.series.meter.as_str() == meter && r.series.channel.quantity == Quantity::ActiveEnergyImport
    };
    readings.iter().filter(wanted).map(|r| r.value).collect()
}

#[tokio::test(start_paused = true)]
async fn polls_are_on_the_grid_of_the_wall_clock_over_one_connection() {
    let bench = bench(&[("a", 1, 10), ("b", 2, 15)], |_| Open::Yes, |a| Act::Answer(u32::from(a.unit)));
    let (_, inbox, connections) = bench.run(31).await;
    assert_eq!(inbox.seconds("a"), [0.0, 10.0, 20.0, 30.0]);
    assert_eq!(inbox.seconds("b"), [0.0, 15.0, 30.0]);
    assert_eq!(energy(&inbox, "b"), [Value::Total(2); 3]);
    assert_eq!(connections, 1);
    assert!(inbox.codes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dead_unit_costs_one_time_out_and_backs_off_alone() {
    let script = |a: Asked| if a.unit == 1 { Act::Silence } else { Act::Answer(u32::from(a.unit)) };
    let bench = bench(&[("dead", 1, 10), ("b", 2, 10), ("c", 3, 10)], |_| Open::Yes, script);
    let (asked, inbox, _) = bench.run(121).await;
    // Healthy units keep every point of the grid, at worst one time-out (1 s) late.
    for meter in ["b", "c"] {
        let seconds = inbox.seconds(meter);
        assert_eq!(seconds.len(), 13, "{seconds:?}");
        for (slot, second) in seconds.iter().enumerate() {
            assert!((0.0..=1.1).contains(&(second - slot as f64 * 10.0)), "{seconds:?}");
        }
    }
    assert!(inbox.seconds("dead").is_empty());
    // One request a turn (the second block is not asked for), and fewer turns as time goes on.
    let dead: Vec<u64> = asked.iter().filter(|a| a.unit == 1).map(|a| a.at / 1000).collect();
    assert!((5..=9).contains(&dead.len()), "{dead:?}");
    assert_eq!(inbox.codes(), ["link.timeout"]);
    let findings = inbox.findings.lock().unwrap();
    assert_eq!(findings[0].subject, "meter:dead");
    assert_eq!(
        findings[0].says,
        "no answer from `dead` (modbus tcp gateway:502, unit 1, input registers 0-1) within 1000 ms; try: consuntivo probe dead"
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_nobodys() {
    let late = Duration::from_millis(1500);
    let script = move |a: Asked| match a.unit {
        1 => Act::After(late, 666),
        _ => Act::After(Duration::from_millis(800), u32::from(a.unit)),
    };
    let bench = bench(&[("late", 1, 10), ("b", 2, 10)], |_| Open::Yes, script);
    let (_, inbox, connections) = bench.run(40).await;
    let readings = inbox.readings.lock().unwrap();
    assert!(!readings.is_empty());
    assert!(readings.iter().all(|r| r.value.as_f64() == 2.0 && r.series.meter.as_str() == "b"));
    assert!(connections > 1, "the session was used again after a time-out");
    let rebuilt = inbox
        .events
        .lock()
        .unwrap()
        .iter()
        .filter(|e| matches!(e, SourceEvent::SessionRebuilt { .. }))
        .count();
    assert_eq!(rebuilt, connections - 1);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_or_short_answer_ends_the_session_and_gives_no_reading() {
    let script = |a: Asked| if a.unit == 1 { Act::Foreign(9) } else { Act::Short };
    let bench = bench(&[("foreign", 1, 60), ("short", 2, 60)], |_| Open::Yes, script);
    let (_, inbox, connections) = bench.run(1).await;
    assert!(inbox.readings.lock().unwrap().is_empty());
    let mut codes = inbox.codes();
    codes.sort_unstable();
    assert_eq!(codes, ["link.protocol", "link.short"]);
    assert_eq!(connections, 2);
}

#[tokio::test(start_paused = true)]
async fn an_exception_keeps_the_session_and_the_other_registers() {
    let script = |a: Asked| if a.address == 0 { Act::Exception(2) } else { Act::Answer(5) };
    let bench = bench(&[("a", 1, 10)], |_| Open::Yes, script);
    let (_, inbox, connections) = bench.run(25).await;
    assert_eq!(inbox.seconds("a"), [0.0, 10.0, 20.0]);
    assert!(energy(&inbox, "a").is_empty());
    assert_eq!((connections, inbox.codes()), (1, vec!["link.exception"]));
    let events = inbox.events.lock().unwrap();
    let partial = |e: &SourceEvent| matches!(e, SourceEvent::Poll { outcome: PollOutcome::Partial, .. });
    assert!(events.iter().any(partial));
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_the_gateway_cannot_reach_is_asked_once_a_turn_on_the_same_session() {
    let script = |a: Asked| if a.unit == 1 { Act::Exception(0x0B) } else { Act::Answer(5) };
    let bench = bench(&[("away", 1, 10), ("b", 2, 10)], |_| Open::Yes, script);
    let (asked, inbox, connections) = bench.run(61).await;
    assert_eq!(inbox.seconds("b").len(), 7);
    assert_eq!(connections, 1);
    assert!(asked.iter().filter(|a| a.unit == 1).all(|a| a.address == 0));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_down_at_start_is_read_when_it_comes_up() {
    let open = |n| if n <= 3 { Open::Refused } else { Open::Yes };
    let bench = bench(&[("a", 1, 60)], open, |_| Act::Answer(7));
    let (_, inbox, connections) = bench.run(61).await;
    // Tried at 0, 1, 3 and 7 s; then on the grid again.
    assert_eq!(inbox.seconds("a"), [7.0, 60.0]);
    assert_eq!((connections, inbox.codes()), (4, vec!["link.refused", "link.up"]));
    let says = inbox.findings.lock().unwrap()[0].says.clone();
    assert!(says.starts_with("nothing listens at gateway:502; check the port"), "{says}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_opens_and_one_that_breaks_are_told_apart() {
    let open = |n| if n == 1 { Open::Never } else { Open::Yes };
    let bench = bench(&[("a", 1, 60)], open, |a| if a.connection == 2 { Act::Hang } else { Act::Answer(7) });
    let (_, inbox, _) = bench.run(30).await;
    assert_eq!(inbox.codes(), ["link.unreachable", "link.up", "link.lost", "link.up"]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_late_leaves_out_slots_and_does_not_shift_the_grid() {
    // Each of the two requests takes 0.9 s, so a sweep takes 1.8 s of a period of 1 s.
    let script = |_| Act::After(Duration::from_millis(900), 7);
    let bench = bench(&[("slow", 1, 1)], |_| Open::Yes, script);
    let (_, inbox, _) = bench.run(11).await;
    assert_eq!(inbox.seconds("slow"), [0.0, 2.0, 4.0, 6.0, 8.0]);
}

#[tokio::test(start_paused = true)]
async fn readings_the_journal_refused_are_submitted_again() {
    let inbox = Arc::new(TestInbox::default());
    *inbox.refuse.lock().unwrap() = 3;
    let bench = bench_with(inbox, &[("a", 1, 10)], |_| Open::Yes, |_| Act::Answer(7));
    let (_, inbox, _) = bench.run(45).await;
    assert_eq!(inbox.seconds("a"), [0.0, 10.0, 20.0, 30.0, 40.0]);
    assert_eq!(inbox.codes(), ["link.inbox"]);
    assert_eq!(inbox.resolved(), [("link:l".to_owned(), "link.inbox")]);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_closes_idle_connections_loses_no_turn() {
    // Connection n is good for the n-th slot of 10 s only, and hangs up at the first request after it.
    let script = |a: Asked| {
        if a.at / 10_000 < a.connection as u64 { Act::Answer(7) } else { Act::Hang }
    };
    let bench = bench(&[("a", 1, 10), ("b", 2, 10)], |_| Open::Yes, script);
    let (_, inbox, connections) = bench.run(35).await;
    assert_eq!(inbox.seconds("a"), [0.0, 10.0, 20.0, 30.0]);
    assert_eq!(inbox.seconds("b"), [0.0, 10.0, 20.0, 30.0]);
    assert_eq!((connections, inbox.codes()), (4, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_meter_that_hangs_up_on_every_request_is_asked_once_more_at_most() {
    let script = |a: Asked| if a.at < 10_000 { Act::Answer(7) } else { Act::Hang };
    let bench = bench(&[("a", 1, 10)], |_| Open::Yes, script);
    let (asked, inbox, _) = bench.run(11).await;
    let hung: Vec<usize> =
        asked.iter().filter(|a| (10_000..11_000).contains(&a.at)).map(|a| a.connection).collect();
    assert_eq!((hung, inbox.codes()), (vec![1, 2], vec!["link.lost"]));
}

#[tokio::test(start_paused = true)]
async fn polling_goes_on_after_the_clock_was_set_back() {
    let bench = bench(&[("a", 1, 10)], |_| Open::Yes, |_| Act::Answer(7));
    tokio::time::sleep(Duration::from_secs(65)).await;
    // By less than the longest back-off, which a unit that does not fail must not wait for.
    bench.clock.set_back(50_000);
    let (_, inbox, _) = bench.run(30).await;
    assert_eq!(inbox.seconds("a"), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 20.0, 30.0, 40.0]);
}

#[tokio::test(start_paused = true)]
async fn without_a_connection_every_unit_that_is_due_has_failed() {
    let open = |n| if n == 1 { Open::Refused } else { Open::Yes };
    let bench = bench(&[("a", 1, 10), ("b", 2, 10)], open, |_| Act::Answer(7));
    let (_, inbox, _) = bench.run(5).await;
    assert_eq!((inbox.seconds("a"), inbox.seconds("b")), (vec![1.0], vec![1.0]));
    let events = inbox.events.lock().unwrap();
    let failed = events.iter().filter_map(|e| match e {
        SourceEvent::Poll { meter, outcome: PollOutcome::Failed, .. } => Some(meter.as_str()),
        _ => None,
    });
    assert_eq!(failed.collect::<Vec<_>>(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn stopping_finishes_the_submission_in_flight_and_reads_no_more() {
    let inbox = Arc::new(TestInbox::default());
    *inbox.takes.lock().unwrap() = Duration::from_secs(5);
    let bench = bench_with(inbox, &[("a", 1, 1)], |_| Open::Yes, |_| Act::Answer(7));
    let (asked, inbox, _) = bench.run(1).await;
    assert_eq!(inbox.seconds("a"), [0.0]);
    assert_eq!(asked.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn sentinels_and_implausible_values_are_told_once() {
    let script = |a: Asked| Act::Answer(if a.address == 0 { u32::MAX } else { 2_000_000_000 });
    let bench = bench(&[("a", 1, 10)], |_| Open::Yes, script);
    let (_, inbox, _) = bench.run(25).await;
    assert_eq!(inbox.codes(), ["value.sentinel", "value.implausible"]);
    let readings = inbox.readings.lock().unwrap();
    assert_eq!(readings.len(), 3);
    assert!(readings.iter().all(|r| r.quality == model::Quality::Implausible));
}

#[tokio::test(start_paused = true)]
async fn a_probe_shows_the_raw_words() {
    let field = Arc::new(Field {
        asked: Mutex::default(),
        connections: Mutex::default(),
        open: Box::new(|_| Open::Yes),
        script: Box::new(|a| Act::Answer(0x0001_0000 + u32::from(a.address))),
        begun: tokio::time::Instant::now(),
    });
    let unit = Unit::new(&spec("a", "l", &two_blocks(), 60, ""), UnitSettings { unit: 3 }).unwrap();
    let link = Modbus::over("l".into(), settings(), vec![unit], Arc::new(FieldDial(field)));
    let probe = link.probe(&MeterId::new("a").unwrap(), &*TestClock::new()).await.unwrap();
    let lines: Vec<_> = probe.lines.iter().map(|l| format!("{} {} {}", l.channel, l.raw, l.reads)).collect();
    assert_eq!(lines, ["active_energy_import 0001 0000 65536 Wh", "active_power 0001 0064 65636 W"]);
    assert_eq!(probe.at, "modbus tcp gateway:502, unit 3");
    let none = link.probe(&MeterId::new("b").unwrap(), &*TestClock::new()).await.unwrap_err();
    assert_eq!(none.code(), "link.meter.unknown");
    assert_eq!(TestClock::new().now(), BEGIN);
}
