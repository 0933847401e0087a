//! A Modbus TCP meter of a few lines: the SDM630's float registers, and a total that rises by 1 kWh each time
//! it is read, so that every reading tells which answer it came from.
//!
//! Must never: use the client's library; it is here to be another's word on the wire.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Input register of the imported active energy in kWh, as a float of two registers.
const TOTAL_REGISTER: u16 = 72;
/// Input register of the active power in W.
const POWER_REGISTER: u16 = 52;
/// Most registers of a request.
const REGISTERS_MAX: u16 = 125;
const READ_INPUT: u8 = 4;

/// A meter that serves until the process ends.
#[derive(Debug, Clone)]
pub struct CountingMeter {
    pub address: SocketAddr,
    total_kwh: Arc<AtomicU32>,
    served: Arc<Mutex<Vec<u32>>>,
    /// Connections opened so far, and those of them still open.
    opened: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    /// Every so many-th request for the total gets no answer; 0 for none.
    drops_every: u32,
    asked: Arc<AtomicU32>,
    dropped: Arc<AtomicU32>,
}

impl CountingMeter {
    /// Listens on a free port of the loopback address.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn start() -> Self {
        Self::dropping(0)
    }

    /// The same, but every `drops_every`-th request for the total gets no answer.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn dropping(drops_every: u32) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let meter = Self {
            address,
            total_kwh: Arc::default(),
            served: Arc::default(),
            opened: Arc::default(),
            open: Arc::default(),
            drops_every,
            asked: Arc::default(),
            dropped: Arc::default(),
        };
        let serving = meter.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let meter = serving.clone();
                // A broken connection ends its thread; the client opens another.
                meter.opened.fetch_add(1, Ordering::SeqCst);
                meter.open.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    drop(meter.serve(stream));
                    meter.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        meter
    }

    /// The totals given out so far, in kWh.
    #[must_use]
    pub fn served(&self) -> Vec<u32> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections ever opened to it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    /// Connections open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Requests that got no answer so far.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.dropped.load(Ordering::SeqCst)
    }

    /// Whether this request is one of those that get no answer.
    fn drops(&self, first: u16, count: u16) -> bool {
        let holds_total = (first..first.saturating_add(count)).contains(&TOTAL_REGISTER);
        self.drops_every > 0
            && holds_total
            && (self.asked.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(self.drops_every)
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        loop {
            let mut head = [0_u8; 12];
            stream.read_exact(&mut head)?;
            let [.., function, first_high, first_low, count_high, count_low] = head;
            let first = u16::from_be_bytes([first_high, first_low]);
            let count = u16::from_be_bytes([count_high, count_low]);
            if self.drops(first, count) {
                self.dropped.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            let pdu = if function != READ_INPUT || count == 0 || count > REGISTERS_MAX {
                vec![function | 0x80, 1]
            } else {
                self.registers(first, count)
            };
            let length = u16::try_from(pdu.len() + 1).unwrap_or(u16::MAX);
            let mut answer = head[..4].to_vec();
            answer.extend(length.to_be_bytes());
            answer.push(head[6]);
            answer.extend(pdu);
            stream.write_all(&answer)?;
        }
    }

    fn registers(&self, first: u16, count: u16) -> Vec<u8> {
        let mut pdu = vec![READ_INPUT, u8::try_from(count * 2).unwrap_or(u8::MAX)];
        for address in first..first.saturating_add(count) {
            let value = match address & !1 {
                TOTAL_REGISTER => self.total(address == TOTAL_REGISTER),
                POWER_REGISTER => 1_500.0,
                _ => 230.0,
            };
            let bytes = value.to_be_bytes();
            pdu.extend(if address % 2 == 0 { &bytes[..2] } else { &bytes[2..] });
        }
        pdu
    }

    /// The total; a new one for its first register, the same for its second.
    fn total(&self, first_half: bool) -> f32 {
        if first_half {
            let next = self.total_kwh.fetch_add(1, Ordering::SeqCst) + 1;
            self.served.lock().unwrap_or_else(PoisonError::into_inner).push(next);
        }
        // Exact up to 16 777 216.
        self.total_kwh.load(Ordering::SeqCst) as f32
    }
}
