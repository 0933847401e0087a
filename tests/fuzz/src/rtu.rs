//! Modbus RTU: true meters on a line that a script disturbs, read by the product's own link in virtual time.
//!
//! The script (the input) decides for every request what happens to its answer: it is late, lost, broken in one burst,
//! cut, refused, repeated, preceded by noise, by an echo or by another meter's frame, too short, or in pieces. Every
//! word that a meter sends says which request it answers, from which unit and register.
//!
//! Laws: a reading's value is one that its own meter sent, for its own register, in answer to the newest request for
//! it; nothing that the script does ends the link.
//!
//! What the framing of RTU cannot tell is left out of the judgement, by a count of its own: noise that makes a frame
//! with a right check sum. A burst of up to 16 bits never does (CRC-16). Meters answer in the order of asking, and a
//! question once, or twice at once.
//!
//! Must never: use the link's own framing to make or find frames.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connectors::modbus::{Modbus, Settings, Unit, UnitSettings, Way};
use connectors::wire::{Dial, Wire};
use connectors::{BoxFuture, Clock, Inbox, InboxError, MeterSpec, Quarantined, SourceEvent, Stop};
use model::{Channel, Finding, Instant, MeterId, ModelId, Phase, Quantity, Reading, Value};
use profile::{
    Decimal, Encoding, Evidence, EvidenceLevel, Interface, Layout, Limits, Measure, MeterModel, Number,
    Range, RegisterModel, RegisterRef, Space, WordOrder,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::Instant as Tick;

use crate::input::Input;

/// The units that the link reads.
const UNITS: [u8; 2] = [3, 4];
/// Where the meters have their totals: two requests of the same shape and one of another.
const ADDRESSES: [(u16, Phase); 5] =
    [(0, Phase::Total), (2, Phase::L1), (20, Phase::L2), (22, Phase::L3), (40, Phase::Tariff1)];
/// How long a line is watched.
const WATCHED: Duration = Duration::from_secs(40);
/// Answers to requests of the same unit come at most so much later.
const LATE_MAX_MS: u64 = 20_000;

/// What the line and the judgement share.
#[derive(Debug, Default)]
struct Field {
    script: Vec<u8>,
    at: usize,
    /// Number of the newest request for a unit's register.
    newest: BTreeMap<(u8, u16), u16>,
    requests: u16,
    /// When a unit's last answer is sent.
    busy: BTreeMap<u8, Option<Tick>>,
    /// Every byte that was sent to the link, and where true frames begin in it.
    sent: Vec<u8>,
    frames: Vec<usize>,
    /// Where bytes for the link go.
    out: Option<mpsc::UnboundedSender<Chunk>>,
}

/// Bytes, and where true frames begin in them.
#[derive(Debug, Clone, Default)]
struct Chunk {
    bytes: Vec<u8>,
    frames: Vec<usize>,
}

impl Field {
    fn choose(&mut self) -> u8 {
        let byte = self.script.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    /// Whether something in all that was sent is a frame of a unit of ours that no meter made.
    fn is_forged(&self) -> bool {
        (0..self.sent.len()).any(|at| {
            let rest = &self.sent[at..];
            let [unit, function, count, ..] = *rest else { return false };
            let length = match function {
                4 => usize::from(count) + 5,
                0x84 => 5,
                _ => return false,
            };
            UNITS.contains(&unit)
                && !self.frames.contains(&at)
                && rest.get(..length).is_some_and(|frame| check_sum(frame) == 0)
        })
    }
}

/// Bit by bit, over a whole frame: 0 when it is sound.
fn check_sum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |s, _| if s & 1 == 1 { (s >> 1) ^ 0xA001 } else { s >> 1 })
    })
}

fn framed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = check_sum(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

#[derive(Debug)]
struct Line(Arc<Mutex<Field>>);

impl Dial for Line {
    fn dial<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Wire>>> {
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(4_096);
            let (sender, receiver) = mpsc::unbounded_channel();
            self.0.lock().expect("nobody panics with it").out = Some(sender);
            tokio::spawn(meters(far, receiver, Arc::clone(&self.0)));
            Ok(Box::new(near) as Box<dyn Wire>)
        })
    }
}

/// The far end of one connection: takes requests, hands over what is due.
async fn meters(mut far: DuplexStream, mut due: mpsc::UnboundedReceiver<Chunk>, field: Arc<Mutex<Field>>) {
    let mut request = [0_u8; 8];
    let mut filled = 0;
    loop {
        tokio::select! {
            count = far.read(&mut request[filled..]) => match count {
                Ok(count) if 0 < count => filled += count,
                Ok(_) | Err(_) => return,
            },
            chunk = due.recv() => {
                let Some(chunk) = chunk else { return };
                if chunk.bytes.is_empty() {
                    return;
                }
                {
                    let mut field = field.lock().expect("nobody panics with it");
                    let begin = field.sent.len();
                    field.frames.extend(chunk.frames.iter().map(|at| begin + at));
                    field.sent.extend(&chunk.bytes);
                }
                if far.write_all(&chunk.bytes).await.is_err() {
                    return;
                }
            }
        }
        if filled == request.len() {
            filled = 0;
            answer(request, &field);
        }
    }
}

/// Decides what comes of one request.
fn answer(request: [u8; 8], shared: &Arc<Mutex<Field>>) {
    assert_eq!(check_sum(&request), 0, "a request with a wrong check sum");
    let [unit, function, a1, a0, c1, c0, ..] = request;
    assert!(UNITS.contains(&unit) && function == 4, "unit {unit} was asked function {function}");
    let (address, count) = (u16::from_be_bytes([a1, a0]), u16::from_be_bytes([c1, c0]));
    let mut field = shared.lock().expect("nobody panics with it");
    field.requests += 1;
    let number = field.requests;
    let mut pdu = vec![unit, function, (count * 2) as u8];
    for register in address..address + count {
        field.newest.insert((unit, register), number);
        pdu.extend(word(unit, register, number).to_be_bytes());
    }
    let frame = framed(pdu);
    let what = field.choose();
    let more = field.choose();
    let (delay_ms, chunks) = disturb(what, more, &request, frame, &mut field);
    let before = field.busy.get(&unit).copied().flatten();
    let at = (Tick::now() + Duration::from_millis(delay_ms)).max(before.unwrap_or_else(Tick::now));
    field.busy.insert(unit, Some(at + Duration::from_millis(40 * chunks.len() as u64)));
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        tokio::time::sleep_until(at).await;
        for chunk in chunks {
            let out = shared.lock().expect("nobody panics with it").out.clone();
            if let Some(out) = out {
                // A connection that is gone takes what was on its way with it.
                let _gone = out.send(chunk).is_err();
            }
            tokio::time::sleep(Duration::from_millis(u64::from(more % 40))).await;
        }
    });
}

/// A word that says what it answers: of two, the first says the request, the second unit and register.
fn word(unit: u8, register: u16, number: u16) -> u16 {
    if register.is_multiple_of(2) { number } else { u16::from(unit) << 8 | register }
}

/// The disturbed answer in pieces, and after how many milliseconds it begins.
fn disturb(what: u8, more: u8, request: &[u8; 8], frame: Vec<u8>, field: &mut Field) -> (u64, Vec<Chunk>) {
    let prompt = 5 + u64::from(what / 16);
    let whole = |bytes: &[u8]| Chunk { bytes: bytes.to_vec(), frames: vec![0] };
    let other = |bytes: &[u8]| Chunk { bytes: bytes.to_vec(), frames: Vec::new() };
    let unit = request[0];
    match what % 16 {
        1 => (u64::from(more) * LATE_MAX_MS / 255, vec![whole(&frame)]),
        2 => (prompt, Vec::new()),
        3 => {
            // One burst of at most 16 bits, which the check sum always sees.
            let mut broken = frame;
            let burst = (u32::from(field.choose()) << 8 | u32::from(more) | 1) << (more % 8);
            let at = usize::from(field.choose()) % (broken.len() - 2);
            for (byte, part) in broken.iter_mut().skip(at).zip(burst.to_be_bytes().into_iter().skip(1)) {
                *byte ^= part;
            }
            (prompt, vec![other(&broken)])
        }
        4 => (prompt, vec![other(&frame[..usize::from(more) % frame.len()])]),
        5 => (prompt, vec![whole(&framed(vec![unit, 0x84, 1 + more % 12]))]),
        6 => {
            let foreign = framed([&[9], &frame[1..frame.len() - 2]].concat());
            (prompt, vec![other(&foreign), whole(&frame)])
        }
        7 => {
            let words = usize::from(more) % (frame.len() / 2);
            let short = framed([&[unit, 4, words as u8 * 2], &frame[3..3 + 2 * words.min(2)]].concat());
            (prompt, vec![whole(&short)])
        }
        8 => (prompt, vec![other(request), whole(&frame)]),
        9 => {
            let noise: Vec<u8> = (0..more % 12).map(|_| field.choose()).collect();
            let frames = vec![noise.len()];
            (prompt, vec![Chunk { bytes: [noise, frame].concat(), frames }])
        }
        10 => {
            let (first, second) = frame.split_at(usize::from(more) % frame.len());
            let pieces = vec![whole(first), other(second)];
            (prompt, pieces.into_iter().filter(|chunk| !chunk.bytes.is_empty()).collect())
        }
        // The connection is closed.
        11 => (prompt, vec![Chunk::default()]),
        // At once; a copy that comes after the next question could be its answer, for all that RTU tells.
        12 => (prompt, vec![Chunk { bytes: [&frame[..], &frame].concat(), frames: vec![0, frame.len()] }]),
        // The gateway gives up, and the answer comes after all.
        13 => (prompt + u64::from(more) * 20, vec![whole(&framed(vec![unit, 0x84, 0x0B])), whole(&frame)]),
        _ => (prompt, vec![whole(&frame)]),
    }
}

/// Judges what arrives.
struct Judge {
    field: Arc<Mutex<Field>>,
    begun: Tick,
}

impl Judge {
    fn judge(&self, reading: &Reading) {
        let Value::Total(total) = reading.value else { panic!("{reading:?} is no total") };
        let unit = UNITS.into_iter().find(|unit| reading.series.meter.as_str() == format!("meter-{unit}"));
        let unit = unit.expect("a reading of a meter that is not there");
        let phase = reading.series.channel.phase;
        let (register, _) = ADDRESSES.into_iter().find(|(_, p)| *p == phase).expect("a known channel");
        let field = self.field.lock().expect("nobody panics with it");
        if field.is_forged() {
            return;
        }
        let newest = field.newest.get(&(unit, register)).copied().expect("a value that nobody asked for");
        let expected = i64::from(newest) << 16 | i64::from(word(unit, register + 1, newest));
        assert_eq!(total, expected, "unit {unit}, register {register}: {total:08x}, not {expected:08x}");
    }
}

impl Inbox for Judge {
    fn submit(&self, readings: Vec<Reading>) -> BoxFuture<'_, Result<(), InboxError>> {
        readings.iter().for_each(|reading| self.judge(reading));
        Box::pin(async { Ok(()) })
    }

    fn quarantine(&self, message: Quarantined) -> BoxFuture<'_, Result<(), InboxError>> {
        panic!("registers have no payloads: {message:?}");
    }

    fn report(&self, finding: Finding) {
        assert!(!finding.code.is_empty() && !finding.says.is_empty());
    }

    fn note(&self, _: SourceEvent) {}
}

impl Clock for Judge {
    fn now(&self) -> Instant {
        let elapsed = self.begun.elapsed().as_millis();
        Instant::from_seconds(1_750_000_000).plus_millis(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }
}

fn meter(model: &Arc<MeterModel>, unit: u8) -> Unit {
    let id = MeterId::new(&format!("meter-{unit}")).expect("a sound id");
    let table = toml::Table::new();
    let link = "line".to_owned();
    let spec = MeterSpec { id, link, model: Arc::clone(model), every_s: 4, input: None, table };
    Unit::new(&spec, UnitSettings { unit }).expect("a model with registers")
}

fn model() -> Arc<MeterModel> {
    let encoding = Encoding { number: Number::U32, order: WordOrder::Abcd };
    let measures = ADDRESSES.map(|(address, phase)| Measure {
        scale: Decimal::ONE,
        ..Measure::new(
            Channel { quantity: Quantity::ActiveEnergyImport, phase },
            RegisterRef { space: Space::Input, address },
            encoding,
            model::Unit::WattHour,
            Range { from: 0.0, to: 1e12 },
        )
    });
    let limits = Limits { registers_per_request: 4, widest_gap: 0, pause_ms: 0, timeout_ms: None };
    let registers = RegisterModel {
        layout: Layout::Fixed,
        limits,
        measures: measures.to_vec(),
        statuses: Vec::new(),
        examples: Vec::new(),
    };
    Arc::new(MeterModel {
        id: ModelId::new("example").expect("a sound id"),
        replaces: Vec::new(),
        maker: "Example".to_owned(),
        name: "Example".to_owned(),
        evidence: Evidence { level: EvidenceLevel::Field, sources: Vec::new(), each_meter: false },
        caveats: Vec::new(),
        identify: Vec::new(),
        texts: Vec::new(),
        interface: Interface::Registers(registers),
    })
}

/// Bytes: the script.
pub fn run(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O");
    let mut input = Input::new(data);
    let script = input.take(512).to_vec();
    runtime.block_on(async move {
        let field = Arc::new(Mutex::new(Field { script, ..Field::default() }));
        let model = model();
        let units = UNITS.map(|unit| meter(&model, unit)).to_vec();
        let mut settings = Settings::of(Way::RtuOverTcp { address: "192.0.2.1:502".to_owned() });
        settings.backoff_max_s = 2;
        let link = Modbus::over("line".to_owned(), settings, units, Arc::new(Line(Arc::clone(&field))));
        let judge = Arc::new(Judge { field, begun: Tick::now() });
        let (handle, stop) = Stop::new();
        let inbox: Arc<dyn Inbox> = Arc::<Judge>::clone(&judge);
        let clock: Arc<dyn Clock> = judge;
        let reading = tokio::spawn(link.run(inbox, clock, stop));
        tokio::time::sleep(WATCHED).await;
        handle.stop();
        let ended = tokio::time::timeout(Duration::from_secs(60), reading).await;
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            Err(_) => panic!("the link did not stop within a minute"),
        }
    });
}
