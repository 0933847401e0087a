//! One sweep of a meter: its planned requests, one after the other, over the link's one connection.
//!
//! Must never: use a session again after anything but an answer where answers are not told apart, or wait twice
//! for a dead meter.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use model::{Channel, Instant};
use profile::{Block, Decoded, Limits, Measure, RegisterModel, RegisterRef, Space};
use tokio::time::Instant as Tick;

use super::Unit;
use super::ask::{Answer, Ask};
use super::chain::{self, ChainError};
use super::line::Terms;
use super::narrow::{Narrowed, Walk};
use super::owed::Owed;
use super::session::{Framing, ReadError, Session};
use super::settings::{Settings, Way};
use crate::error::{LinkError, Target};
use crate::inbox::Clock;
use crate::link::ProbeText;
use crate::wire::Dial;

/// After so many time-outs in a row without a single byte the connection is opened anew: it may be gone without
/// anybody having said so.
const SILENT_MAX: u32 = 3;

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
    /// Requests that were too much for the device and were answered in pieces.
    pub(super) narrowed: Vec<Narrowed>,
    /// What ended the sweep early.
    pub(super) failure: Option<LinkError>,
}

impl Swept {
    const fn begun(observed_at: Instant) -> Self {
        Self {
            observed_at,
            values: Vec::new(),
            raw: Vec::new(),
            refusals: Vec::new(),
            narrowed: Vec::new(),
            failure: None,
        }
    }

    /// Keeps the values that the device's states allow.
    fn trust(&mut self, registers: &RegisterModel, known: &BTreeMap<RegisterRef, u16>) {
        for (channel, decoded) in &mut self.values {
            *decoded = registers.trusted(*channel, *decoded, known);
        }
    }

    /// Whether the connection turned out to be gone before the device had answered anything.
    pub(super) const fn found_closed(&self) -> bool {
        self.values.is_empty()
            && self.refusals.is_empty()
            && matches!(self.failure, Some(LinkError::Lost { .. }))
    }
}

/// The connection of a link, open or not.
pub(super) struct Bus {
    settings: Settings,
    framing: Framing,
    dial: Arc<dyn Dial>,
    session: Option<Session>,
    /// Outlives sessions: what the devices of the line still owe.
    owed: Owed,
    /// The line was listened to since the program began, so that nothing asked before it can come any more.
    known: bool,
    last_request: Option<Tick>,
    session_number: u64,
}

impl Bus {
    pub(super) fn new(settings: &Settings, dial: Arc<dyn Dial>) -> Self {
        Self {
            framing: settings.way.framing(),
            settings: settings.clone(),
            dial,
            session: None,
            owed: Owed::default(),
            known: false,
            last_request: None,
            session_number: 0,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Opens a session unless there is one.
    pub(super) async fn connect(&mut self) -> Result<(), LinkError> {
        if self.session.is_some() {
            return Ok(());
        }
        let address = self.settings.way.address().to_owned();
        let limit = Duration::from_millis(self.settings.connect_timeout_ms);
        let opened = match Session::open(&*self.dial, &address, self.framing, limit).await {
            Ok(mut session) => self.first_listen(&mut session).await.map(|()| session),
            Err(source) => Err(source),
        };
        match opened {
            Ok(session) => {
                self.session = Some(session);
                self.session_number += 1;
                Ok(())
            }
            Err(source) => Err(self.unopened(address, source)),
        }
    }

    fn unopened(&self, address: String, source: io::Error) -> LinkError {
        match (&self.settings.way, source.kind()) {
            (Way::Serial(_), _) => LinkError::Device { device: address, source },
            (_, io::ErrorKind::ConnectionRefused) => LinkError::Refused { address, source },
            (_, io::ErrorKind::TimedOut) => {
                LinkError::ConnectTimeout { address, timeout_ms: self.settings.connect_timeout_ms }
            }
            _ => LinkError::Unreachable { address, source },
        }
    }

    /// Before the first question on a line without transaction ids: what somebody else asked before us (this
    /// program before it was started again) is waited for and thrown away.
    async fn first_listen(&mut self, session: &mut Session) -> io::Result<()> {
        let Session::Line(line) = session else { return Ok(()) };
        if self.known {
            return Ok(());
        }
        let until = Tick::now() + self.settings.timeout(None);
        match line.listen(until, &mut self.owed).await {
            Ok(()) => {
                self.known = true;
                Ok(())
            }
            Err(ReadError::Lost(source)) => Err(source),
            Err(
                ReadError::Protocol(_)
                | ReadError::Timeout
                | ReadError::Owing
                | ReadError::Exception { .. }
                | ReadError::Short { .. }
                | ReadError::Garbled { .. },
            ) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "the line is never silent, as if another program asked on it or the baud rate were wrong",
            )),
        }
    }

    /// Makes the requests of a unit's plan. After a failure the rest of the plan is not asked for; after a
    /// refusal it is.
    pub(super) async fn sweep(&mut self, unit: &mut Unit, clock: &dyn Clock) -> Swept {
        let mut swept = Swept::begun(clock.now());
        let Some(registers) = unit.model.registers() else { return swept };
        let limits = registers.limits;
        let terms = self.terms(limits);
        if unit.map.is_stale(registers, self.session_number) {
            match chain::place(self, unit.unit, registers, terms).await {
                Ok(map) => unit.map = map,
                Err(ChainError::Read(ask, error)) => {
                    swept.failure = Some(self.explain(unit, ask, terms.limit, error));
                    return swept;
                }
                Err(ChainError::Unfit(source)) => {
                    let target = self.target(unit, "its chain of SunSpec models");
                    swept.failure = Some(LinkError::SunSpec { target, source });
                    return swept;
                }
            }
        }
        let Some(registers) = unit.map.registers.clone() else { return swept };
        let mut walk = Walk::through(&unit.map.plan);
        while let Some((origin, planned)) = walk.next() {
            let block = &planned.block;
            let ask = Ask::Words { space: block.space, address: block.address, count: block.count };
            let error = match self.ask(unit.unit, ask, terms).await {
                Ok(Answer::Words(words)) => {
                    for (i, value) in block.measures.iter().zip(registers.decode(block, &words)) {
                        swept.raw.push(raw(block, &registers.measures[*i], &words));
                        swept.values.push(value);
                    }
                    walk.answered(origin, planned);
                    continue;
                }
                Ok(Answer::Identity(_)) => ReadError::Protocol("an identification nobody asked for".into()),
                Err(error) => error,
            };
            let (too_much, refusal) = weigh(&error);
            let error = self.explain(unit, ask, terms.limit, error);
            if refusal {
                walk.refused(origin, planned, &registers.measures, too_much, error);
            } else {
                swept.failure = Some(error);
                swept.refusals = walk.end().refusals;
                swept.trust(&registers, &BTreeMap::new());
                return swept;
            }
        }
        let walked = walk.end();
        unit.map.plan = walked.plan;
        swept.narrowed = walked.narrowed;
        swept.refusals = walked.refusals;
        let known = self.statuses(unit, &registers, terms, &mut swept).await;
        swept.trust(&registers, &known);
        swept
    }

    /// Reads by which the device says whether its values are to be trusted. What it refuses stays unknown.
    async fn statuses(
        &mut self,
        unit: &Unit,
        registers: &RegisterModel,
        terms: Terms,
        swept: &mut Swept,
    ) -> BTreeMap<RegisterRef, u16> {
        let mut known = BTreeMap::new();
        for block in registers.status_plan() {
            let Block { space, address, count, .. } = block;
            let ask = Ask::Words { space, address, count };
            let error = match self.ask(unit.unit, ask, terms).await {
                Ok(Answer::Words(words)) => {
                    let places = (address..=block.last()).map(|address| RegisterRef { space, address });
                    known.extend(places.zip(words));
                    continue;
                }
                Ok(Answer::Identity(_)) => ReadError::Protocol("an identification nobody asked for".into()),
                Err(error) => error,
            };
            let (_, refusal) = weigh(&error);
            let error = self.explain(unit, ask, terms.limit, error);
            if refusal {
                swept.refusals.push(error);
            } else {
                swept.failure = Some(error);
                break;
            }
        }
        known
    }

    /// What the device says of itself. A text that it refuses is told as refused; one that does not come ends the
    /// asking.
    pub(super) async fn texts(&mut self, unit: &Unit) -> Vec<ProbeText> {
        let mut texts = Vec::new();
        let Some(registers) = unit.model.registers() else { return texts };
        let terms = self.terms(registers.limits);
        for text in unit.model.texts.iter().filter_map(|text| text.placed(&unit.map.chain)) {
            let RegisterRef { space, address } = text.register;
            let ask = Ask::Words { space, address, count: text.words() };
            let error = match self.ask(unit.unit, ask, terms).await {
                Ok(Answer::Words(words)) => {
                    let reads = text.read(&words);
                    texts.push(ProbeText { name: text.name, raw: hex(&words), reads });
                    continue;
                }
                Ok(Answer::Identity(_)) => ReadError::Protocol("an identification nobody asked for".into()),
                Err(error) => error,
            };
            let (_, refusal) = weigh(&error);
            let reads = format!("not shown: {}", self.explain(unit, ask, terms.limit, error).chain());
            texts.push(ProbeText { name: text.name, raw: String::new(), reads });
            if !refusal {
                break;
            }
        }
        texts
    }

    /// How a device with these limits is asked over this link.
    pub(super) fn terms(&self, limits: Limits) -> Terms {
        Terms {
            pause: self.settings.pause(limits.pause_ms),
            limit: self.settings.timeout(limits.timeout_ms),
            words_max: limits.registers_per_request,
        }
    }

    /// Counts sessions; a new one gives the number.
    pub(super) const fn session_number(&self) -> u64 {
        self.session_number
    }

    /// One question, over the open session. Where a failure leaves the session unfit, it is dropped.
    pub(super) async fn ask(&mut self, unit: u8, ask: Ask, terms: Terms) -> Result<Answer, ReadError> {
        let Some(session) = self.session.as_mut() else {
            return Err(ReadError::Lost(io::ErrorKind::NotConnected.into()));
        };
        if let Some(last) = self.last_request {
            tokio::time::sleep_until(last + terms.pause).await;
        }
        let answer = session.read(unit, ask, terms, &mut self.owed).await;
        self.last_request = Some(Tick::now());
        let sound = match (&answer, &*session) {
            (Ok(_) | Err(ReadError::Exception { .. } | ReadError::Short { .. } | ReadError::Owing), _) => {
                true
            }
            (Err(ReadError::Lost(_)), _) => false,
            (Err(ReadError::Timeout | ReadError::Garbled { .. } | ReadError::Protocol(_)), session) => {
                match session {
                    Session::Tcp(_) => false,
                    Session::Line(line) => line.silent() < SILENT_MAX,
                }
            }
        };
        if !sound {
            self.session = None;
        }
        answer
    }

    fn target(&self, unit: &Unit, asked: &str) -> Box<Target> {
        Box::new(Target {
            meter: unit.meter.clone(),
            place: self.settings.way.to_string(),
            unit: unit.unit,
            asked: asked.to_owned(),
        })
    }

    /// The failure in the words of a person at the cabinet.
    fn explain(&self, unit: &Unit, ask: Ask, limit: Duration, error: ReadError) -> LinkError {
        let (asked, wanted) = match ask {
            Ask::Words { space, address, count } => {
                let last = address.saturating_add(count.max(1) - 1);
                let what = match space {
                    Space::Coil => "coils",
                    Space::Discrete => "discrete inputs",
                    Space::Holding => "holding registers",
                    Space::Input => "input registers",
                };
                (format!("{what} {address}-{last}"), count)
            }
            Ask::Identity { .. } => ("identification".to_owned(), 0),
        };
        let target = self.target(unit, &asked);
        match error {
            ReadError::Exception { code, .. } => {
                LinkError::Exception { target, code, meaning: meaning(code) }
            }
            // Not asked is as good as not answered: the answers to earlier questions are still missing.
            ReadError::Timeout | ReadError::Owing => LinkError::Timeout { target, timeout_ms: millis(limit) },
            ReadError::Short { got } => LinkError::Short { target, got, wanted },
            ReadError::Garbled { bytes } => LinkError::Garbled { target, bytes },
            ReadError::Lost(source) => LinkError::Lost { target, source },
            ReadError::Protocol(says) => LinkError::Protocol { target, says },
        }
    }
}

/// Whether a failure may mean that too much was asked for at once, and whether it is a refusal, after which the
/// same unit can be asked for more.
const fn weigh(error: &ReadError) -> (bool, bool) {
    match error {
        ReadError::Exception { code, sure } => (*sure && matches!(*code, 0x02 | 0x03), !unit_is_away(*code)),
        ReadError::Short { .. } => (true, true),
        ReadError::Timeout
        | ReadError::Owing
        | ReadError::Garbled { .. }
        | ReadError::Lost(_)
        | ReadError::Protocol(_) => (false, false),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The words of a measure out of a block's answer, in hexadecimal.
fn raw(block: &Block, measure: &Measure, words: &[u16]) -> String {
    let (first, last) = measure.span();
    let own = block.words_of(measure, words).unwrap_or_default();
    hex(own.get(..usize::from(last - first) + 1).unwrap_or(own))
}

fn hex(words: &[u16]) -> String {
    words.iter().map(|word| format!("{word:04x}")).collect::<Vec<_>>().join(" ")
}

/// Exceptions after which asking the same unit for more registers is pointless.
pub(super) const fn unit_is_away(code: u8) -> bool {
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
