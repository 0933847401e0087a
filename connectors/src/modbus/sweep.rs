//! One sweep of a meter: its planned requests, one after the other, over the link's one connection.
//!
//! Must never: use a session again after anything but an answer, or wait twice for a dead meter.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use model::{Channel, Instant};
use profile::{Block, Decoded};
use tokio::time::Instant as Tick;

use super::session::{ReadError, Session};
use super::{Settings, Unit};
use crate::error::{LinkError, Target};
use crate::inbox::Clock;
use crate::wire::Dial;

/// What a sweep brought.
#[derive(Debug)]
pub(super) struct Swept {
    /// One instant for all values of the sweep: just before the first request.
    pub(super) observed_at: Instant,
    pub(super) values: Vec<(Channel, Decoded)>,
    /// The raw words of each value, in hexadecimal.
    pub(super) raw: Vec<String>,
    /// Requests that the device refused; the others were still made.
    pub(super) refusals: Vec<LinkError>,
    /// What ended the sweep early.
    pub(super) failure: Option<LinkError>,
}

impl Swept {
    /// Whether the connection turned out to be gone before the device had answered anything.
    pub(super) const fn found_closed(&self) -> bool {
        self.values.is_empty()
            && self.refusals.is_empty()
            && matches!(self.failure, Some(LinkError::Lost { .. }))
    }
}

/// The connection of a link, open or not.
pub(super) struct Bus {
    address: String,
    timeout: Duration,
    connect_timeout: Duration,
    pause: Duration,
    dial: Arc<dyn Dial>,
    session: Option<Session>,
    last_request: Option<Tick>,
}

impl Bus {
    pub(super) fn new(settings: &Settings, dial: Arc<dyn Dial>) -> Self {
        Self {
            address: settings.address.clone(),
            timeout: Duration::from_millis(settings.timeout_ms),
            connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
            pause: Duration::from_millis(settings.pause_ms),
            dial,
            session: None,
            last_request: None,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Gives the session up.
    pub(super) fn drop_session(&mut self) {
        self.session = None;
    }

    /// Opens a session unless there is one.
    pub(super) async fn connect(&mut self) -> Result<(), LinkError> {
        if self.session.is_some() {
            return Ok(());
        }
        let address = self.address.clone();
        match Session::open(&*self.dial, &address, self.connect_timeout).await {
            Ok(session) => {
                self.session = Some(session);
                Ok(())
            }
            Err(source) if source.kind() == io::ErrorKind::ConnectionRefused => {
                Err(LinkError::Refused { address, source })
            }
            Err(source) if source.kind() == io::ErrorKind::TimedOut => {
                Err(LinkError::ConnectTimeout { address, timeout_ms: millis(self.connect_timeout) })
            }
            Err(source) => Err(LinkError::Unreachable { address, source }),
        }
    }

    /// Makes the requests of a unit's plan. After a failure the session is gone and the rest of the plan
    /// is not asked for; after a refusal the session stays.
    pub(super) async fn sweep(&mut self, unit: &Unit, clock: &dyn Clock) -> Swept {
        let mut swept = Swept {
            observed_at: clock.now(),
            values: Vec::new(),
            raw: Vec::new(),
            refusals: Vec::new(),
            failure: None,
        };
        let Some(registers) = unit.registers() else { return swept };
        let pause = self.pause.max(Duration::from_millis(u64::from(registers.limits.pause_ms)));
        for block in &unit.plan {
            match self.read(unit, block, pause).await {
                Ok(words) => {
                    for (i, value) in block.measures.iter().zip(registers.decode(block, &words)) {
                        let measure = &registers.measures[*i];
                        let from = usize::from(measure.register.address - block.address);
                        let to = from + usize::from(measure.encoding.number.words());
                        swept.raw.push(hex(words.get(from..to).unwrap_or_default()));
                        swept.values.push(value);
                    }
                }
                Err(error) => {
                    let (ends, keeps_session) = match &error {
                        LinkError::Exception { code, .. } => (unit_is_away(*code), true),
                        LinkError::Refused { .. }
                        | LinkError::Unreachable { .. }
                        | LinkError::ConnectTimeout { .. }
                        | LinkError::Timeout { .. }
                        | LinkError::Short { .. }
                        | LinkError::Lost { .. }
                        | LinkError::Protocol { .. }
                        | LinkError::Denied { .. }
                        | LinkError::BrokerLost { .. }
                        | LinkError::BrokerProtocol { .. }
                        | LinkError::Secret { .. }
                        | LinkError::Inbox { .. }
                        | LinkError::MBus(_)
                        | LinkError::NoSuchMeter { .. } => (true, false),
                    };
                    if !keeps_session {
                        self.drop_session();
                    }
                    if ends {
                        swept.failure = Some(error);
                        return swept;
                    }
                    swept.refusals.push(error);
                }
            }
        }
        swept
    }

    async fn read(&mut self, unit: &Unit, block: &Block, pause: Duration) -> Result<Vec<u16>, LinkError> {
        let target = Box::new(Target {
            meter: unit.meter.clone(),
            address: self.address.clone(),
            unit: unit.unit,
            space: block.space,
            first: block.address,
            last: block.last(),
        });
        let Some(session) = self.session.as_mut() else {
            return Err(LinkError::Lost { target, source: io::ErrorKind::NotConnected.into() });
        };
        if let Some(last) = self.last_request {
            tokio::time::sleep_until(last + pause).await;
        }
        let answer = session.read(unit.unit, block.space, block.address, block.count, self.timeout).await;
        self.last_request = Some(Tick::now());
        answer.map_err(|error| match error {
            ReadError::Exception(code) => LinkError::Exception { target, code, meaning: meaning(code) },
            ReadError::Timeout => LinkError::Timeout { target, timeout_ms: millis(self.timeout) },
            ReadError::Short { got } => LinkError::Short { target, got, wanted: block.count },
            ReadError::Lost(source) => LinkError::Lost { target, source },
            ReadError::Protocol(says) => LinkError::Protocol { target, says },
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn hex(words: &[u16]) -> String {
    words.iter().map(|word| format!("{word:04x}")).collect::<Vec<_>>().join(" ")
}

/// Exceptions after which asking the same unit for more registers is pointless.
const fn unit_is_away(code: u8) -> bool {
    matches!(code, 0x05 | 0x06 | 0x0A | 0x0B)
}

/// Modbus application protocol V1.1b3, chapter 7.
const fn meaning(code: u8) -> &'static str {
    match code {
        0x01 => "it does not know this function",
        0x02 => "it does not have these registers",
        0x03 => "it does not read so many registers at once",
        0x04 => "it failed inside",
        0x05 => "it needs more time",
        0x06 => "it is busy",
        0x08 => "its memory is damaged",
        0x0A => "the gateway has no way to this unit",
        0x0B => "the unit does not answer the gateway",
        _ => "a code of the maker",
    }
}
