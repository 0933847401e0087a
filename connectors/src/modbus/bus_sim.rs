//! A simulated RS-485 line with many devices, behind a gateway that speaks Modbus TCP or passes serial frames, in
//! virtual time.
//!
//! Must never: use a line of the code under test; it makes and reads frames by itself.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant as Tick;

use crate::inbox::BoxFuture;
use crate::wire::{Dial, Wire};

/// 11 bits at 9600 baud.
const CHARACTER: Duration = Duration::from_micros(1_146);

/// How a device behaves.
pub(super) struct Device {
    /// How long it thinks about its n-th request; `None` when it says nothing.
    pub(super) thinks: Box<dyn Fn(u32) -> Option<Duration> + Send + Sync>,
    /// Registers it gives at once.
    pub(super) words_max: u16,
    /// What its registers hold, where that is not [`value`]; it refuses all others.
    pub(super) holds: Option<BTreeMap<u16, u16>>,
    /// Its discrete input `at` when it gets its n-th request; it refuses them where this gives nothing.
    pub(super) inputs: Box<dyn Fn(u16, u32) -> Option<bool> + Send + Sync>,
}

impl Device {
    pub(super) fn healthy() -> Self {
        Self::thinking(|_| Some(Duration::from_millis(20)))
    }

    pub(super) fn thinking(thinks: impl Fn(u32) -> Option<Duration> + Send + Sync + 'static) -> Self {
        Self { thinks: Box::new(thinks), words_max: 125, holds: None, inputs: Box::new(|_, _| None) }
    }

    pub(super) fn holding(words: impl IntoIterator<Item = (u16, u16)>) -> Self {
        Self { holds: Some(words.into_iter().collect()), ..Self::healthy() }
    }

    /// The answer to a question for discrete inputs.
    fn bits(&self, address: u16, count: u16, number: u32) -> Option<Vec<u8>> {
        let bits: Vec<bool> =
            (address..address + count).map(|at| (self.inputs)(at, number)).collect::<Option<_>>()?;
        let bytes =
            bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit)));
        let mut answer = vec![2, u8::try_from(bits.len().div_ceil(8)).unwrap()];
        answer.extend(bytes);
        Some(answer)
    }

    fn words(&self, unit: u8, address: u16, count: u16, number: u32) -> Option<Vec<u16>> {
        let addresses = address..address.checked_add(count)?;
        match &self.holds {
            Some(words) => addresses.map(|at| words.get(&at).copied()).collect(),
            None => Some(addresses.map(|at| word(unit, at, number)).collect()),
        }
    }
}

/// Which gateway stands before the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    /// Modbus TCP, one request after the other; late answers go to whoever is connected.
    Tcp,
    /// What comes on one side goes out on the other.
    Transparent,
}

/// A request as the device understood it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) unit: u8,
    pub(super) address: u16,
    pub(super) count: u16,
    pub(super) number: u32,
    pub(super) at: Tick,
}

#[derive(Default)]
struct State {
    /// Requests a device got so far.
    numbers: BTreeMap<u8, u32>,
    /// When a device has finished what it does.
    busy: BTreeMap<u8, Tick>,
    served: Vec<Served>,
    /// The connection that gets what the line says.
    to: Option<mpsc::UnboundedSender<Vec<u8>>>,
    connections: usize,
    line_busy: Option<Tick>,
    collisions: usize,
}

pub(super) struct Sim {
    pub(super) begun: Tick,
    front: Front,
    devices: BTreeMap<u8, Device>,
    /// The gateway is off in this time.
    off: Option<(Tick, Tick)>,
    state: Mutex<State>,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sim")
    }
}

/// The number that the `number`-th answer of a unit holds in the two registers from `address` on.
pub(super) fn value(unit: u8, address: u16, number: u32) -> u32 {
    u32::from(unit) * 1_000_000 + slot(address) * 50_000 + number
}

fn slot(address: u16) -> u32 {
    u32::from(if address >= 100 { 19 } else { address / 2 })
}

fn word(unit: u8, address: u16, number: u32) -> u16 {
    let bytes = value(unit, address & !1, number).to_be_bytes();
    let at = usize::from(address % 2) * 2;
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// The check sum by a table of its own.
fn check_sum(bytes: &[u8]) -> [u8; 2] {
    let table: Vec<u16> = (0..256_u16)
        .map(|byte| (0..8).fold(byte, |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xA001 } else { sum >> 1 }))
        .collect();
    let sum = bytes
        .iter()
        .fold(0xFFFF_u16, |sum, byte| sum >> 8 ^ table[usize::from((sum ^ u16::from(*byte)) & 0xFF)]);
    sum.to_le_bytes()
}

impl Sim {
    pub(super) fn new(
        front: Front,
        devices: impl IntoIterator<Item = (u8, Device)>,
        off: Option<(Duration, Duration)>,
    ) -> Arc<Self> {
        let now = Tick::now();
        let devices = devices.into_iter().collect();
        Arc::new(Self {
            begun: now,
            front,
            devices,
            off: off.map(|(from, to)| (now + from, now + to)),
            state: Mutex::default(),
        })
    }

    pub(super) fn served(&self) -> Vec<Served> {
        self.state.lock().unwrap().served.clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    pub(super) fn collisions(&self) -> usize {
        self.state.lock().unwrap().collisions
    }

    fn is_off(&self) -> bool {
        self.off.is_some_and(|(from, to)| (from..to).contains(&Tick::now()))
    }

    /// The request reaches its device; what the device says, and when it begins to.
    fn serve(&self, unit: u8, pdu: &[u8]) -> Option<(Tick, Vec<u8>)> {
        let device = self.devices.get(&unit)?;
        let mut state = self.state.lock().unwrap();
        let number = state.numbers.entry(unit).or_default();
        *number += 1;
        let number = *number;
        let now = Tick::now();
        let [function, a, b, c, d] = *pdu else { return Some((now, vec![pdu[0] | 0x80, 1])) };
        let (address, count) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        state.served.push(Served { unit, address, count, number, at: now });
        let begin = state.busy.get(&unit).copied().unwrap_or(now).max(now) + (device.thinks)(number)?;
        state.busy.insert(unit, begin);
        let answer = if function == 2 {
            device.bits(address, count, number).unwrap_or_else(|| vec![0x82, 2])
        } else if !matches!(function, 3 | 4) {
            vec![function | 0x80, 1]
        } else if count > device.words_max {
            vec![function | 0x80, 3]
        } else {
            match device.words(unit, address, count, number) {
                None => vec![function | 0x80, 2],
                Some(words) => {
                    let mut answer = vec![function, u8::try_from(count * 2).unwrap()];
                    answer.extend(words.into_iter().flat_map(u16::to_be_bytes));
                    answer
                }
            }
        };
        Some((begin, answer))
    }

    /// The bytes go over the line; spoilt when somebody else speaks.
    fn say(&self, mut bytes: Vec<u8>) {
        if self.is_off() {
            return;
        }
        let mut state = self.state.lock().unwrap();
        let now = Tick::now();
        if state.line_busy.is_some_and(|until| now < until) {
            state.collisions += 1;
            bytes[1] ^= 0x10;
        }
        state.line_busy = Some(now + CHARACTER * u32::try_from(bytes.len()).unwrap());
        if let Some(to) = &state.to {
            // Nobody may be connected any more.
            to.send(bytes).ok();
        }
    }

    fn request(self: &Arc<Self>, bytes: &[u8]) {
        if self.is_off() {
            return;
        }
        let (unit, pdu) = match self.front {
            Front::Tcp => (bytes[6], &bytes[7..]),
            Front::Transparent => (bytes[0], &bytes[1..bytes.len() - 2]),
        };
        let Some((begin, answer)) = self.serve(unit, pdu) else { return };
        let mut frame = Vec::new();
        match self.front {
            Front::Tcp => {
                frame.extend_from_slice(&[bytes[0], bytes[1], 0, 0, 0]);
                frame.push(u8::try_from(answer.len() + 1).unwrap());
                frame.push(unit);
                frame.extend(answer);
            }
            Front::Transparent => {
                frame.push(unit);
                frame.extend(answer);
                frame.extend(check_sum(&frame));
            }
        }
        let sim = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep_until(begin).await;
            match sim.front {
                Front::Transparent => sim.say(frame),
                Front::Tcp => {
                    let to = sim.state.lock().unwrap().to.clone();
                    if let Some(to) = to.filter(|_| !sim.is_off()) {
                        to.send(frame).ok();
                    }
                }
            }
        });
    }
}

#[derive(Debug, Clone)]
pub(super) struct SimDial(pub(super) Arc<Sim>);

impl Dial for SimDial {
    fn dial<'a>(&'a self, _address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Wire>>> {
        let sim = Arc::clone(&self.0);
        Box::pin(async move {
            if sim.is_off() {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (ours, theirs) = tokio::io::duplex(4096);
            let (to, said) = mpsc::unbounded_channel();
            {
                let mut state = sim.state.lock().unwrap();
                state.to = Some(to);
                state.connections += 1;
            }
            tokio::spawn(connection(sim, theirs, said));
            Ok(Box::new(ours) as Box<dyn Wire>)
        })
    }
}

async fn connection(
    sim: Arc<Sim>,
    wire: tokio::io::DuplexStream,
    mut said: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    let (mut from, mut to) = tokio::io::split(wire);
    let going_off = async {
        match sim.off {
            Some((from, _)) if Tick::now() < from => tokio::time::sleep_until(from).await,
            _ => std::future::pending().await,
        }
    };
    let reading = async {
        while let Some(frame) = next_request(sim.front, &mut from).await {
            sim.request(&frame);
        }
    };
    let writing = async {
        while let Some(bytes) = said.recv().await {
            // In two portions, as networks do.
            let (head, tail) = bytes.split_at(bytes.len() / 2);
            if to.write_all(head).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
            if to.write_all(tail).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = going_off => {}
        () = reading => {}
        () = writing => {}
    }
}

/// The next request as it was sent; `None` at the end. Anything but a read of bits, registers or an identification
/// has no place here.
pub(super) async fn next_request(front: Front, from: &mut (impl AsyncReadExt + Unpin)) -> Option<Vec<u8>> {
    let head = match front {
        Front::Tcp => 8,
        Front::Transparent => 2,
    };
    let mut frame = vec![0; head];
    from.read_exact(&mut frame).await.ok()?;
    let rest = match (front, frame[head - 1]) {
        (Front::Tcp, 1..=4) => 4,
        (Front::Tcp, 0x2B) => 3,
        (Front::Transparent, 1..=4) => 6,
        (Front::Transparent, 0x2B) => 5,
        (_, function) => panic!("function {function} was sent"),
    };
    frame.resize(head + rest, 0);
    from.read_exact(&mut frame[head..]).await.ok()?;
    match front {
        Front::Tcp => {
            assert_eq!(frame[2..4], [0, 0]);
            assert_eq!(usize::from(frame[4]) * 256 + usize::from(frame[5]), rest + 2);
        }
        Front::Transparent => {
            let (bytes, sum) = frame.split_at(frame.len() - 2);
            assert_eq!(check_sum(bytes), sum);
        }
    }
    let function = frame[head - 1];
    assert!(function != 0x2B || frame[head] == 0x0E, "only type 14 of function 43 reads: {frame:?}");
    Some(frame)
}
