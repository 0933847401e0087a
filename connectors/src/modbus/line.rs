//! A line without transaction ids: Modbus RTU on a serial line, or inside a TCP connection.
//!
//! Must never: give an answer to anybody but the question it was made for. What does not fit by unit, function,
//! length and check sum is thrown away, and a question whose answer could be mistaken for one still owed is not
//! asked (see [`super::owed`]).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant as Tick, timeout_at};

use super::ask::{Answer, Ask, REFUSED, Shape};
use super::owed::Owed;
use super::rtu::{self, Receiver, Seen};
use super::session::{ReadError, UNIT_SILENT};
use crate::wire::Wire;

/// A line on which somebody talks without a pause for so long is of no use.
const BABBLE_MAX: Duration = Duration::from_secs(2);
/// Shortest silence in which the rest of a frame that has begun is given up; adapters and networks hand over what
/// they receive in portions with pauses of some milliseconds.
const STALL_MIN: Duration = Duration::from_millis(50);
/// Characters of the longest frame.
const FRAME_CHARACTERS: u32 = 256;
/// Bytes taken from the wire at once.
const CHUNK: usize = 256;

/// What a device is asked and with which bytes.
type Awaited<'a> = (u8, Ask, &'a [u8]);

/// How a device wants to be asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Silence before the question.
    pub(super) pause: Duration,
    /// How long it may take until its answer begins.
    pub(super) limit: Duration,
    /// Registers it may be asked for at once.
    pub(super) words_max: u16,
}

/// The times of a line, from its speed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Silence between two frames: 3.5 characters, at least 1.75 ms (Modbus over serial line V1.02, 2.5.1.1).
    silence: Duration,
    /// Silence in which a frame that has begun is given up.
    stall: Duration,
    /// How long the longest frame takes.
    frame: Duration,
}

impl Pace {
    /// Of a line with so many bits a second, 11 of them a character.
    pub(super) fn of(baud: u32) -> Self {
        let character = Duration::from_micros(11_000_000 / u64::from(baud.max(1)) + 1);
        Self {
            silence: (character * 7 / 2).max(Duration::from_micros(1_750)),
            stall: (character * 8).max(STALL_MIN),
            frame: character * FRAME_CHARACTERS,
        }
    }
}

/// What came while an answer was awaited, and was not it.
#[derive(Debug, Default)]
struct Noise {
    /// Bytes that made no frame.
    garbled: usize,
    /// Whole frames that nobody owed us.
    foreign: usize,
    /// The echo of our own request was seen.
    echoed: bool,
}

#[derive(Debug)]
pub(super) struct Line {
    wire: Box<dyn Wire>,
    receiver: Receiver,
    pace: Pace,
    /// When the last byte went or came.
    last_byte: Tick,
    /// Time-outs in a row in which not a single byte came.
    silent: u32,
}

impl Line {
    pub(super) fn new(wire: Box<dyn Wire>, pace: Pace) -> Self {
        Self { wire, receiver: Receiver::default(), pace, last_byte: Tick::now(), silent: 0 }
    }

    /// Time-outs in a row in which not a single byte came: perhaps the connection is gone, and nobody said so.
    pub(super) const fn silent(&self) -> u32 {
        self.silent
    }

    /// Listens at least until `until` and until the line is silent, and throws away what comes.
    pub(super) async fn listen(&mut self, until: Tick, owed: &mut Owed) -> Result<(), ReadError> {
        let give_up = until.max(Tick::now()) + BABBLE_MAX;
        let mut noise = Noise::default();
        loop {
            let silence = if self.receiver.is_empty() { self.pace.silence } else { self.pace.stall };
            let quiet = until.max(self.last_byte + silence);
            if give_up < quiet {
                return Err(ReadError::Protocol("the line is never silent".to_owned()));
            }
            let came = self.receive(quiet).await?;
            let stalled = !came && self.last_byte + self.pace.stall <= Tick::now();
            self.sort(None, stalled, &mut noise, owed);
            if !came && self.receiver.is_empty() && quiet <= Tick::now() {
                return Ok(());
            }
        }
    }

    /// One question and its answer. The question must not be one that [`Owed::forbids`].
    pub(super) async fn ask(
        &mut self,
        unit: u8,
        ask: Ask,
        terms: Terms,
        owed: &mut Owed,
    ) -> Result<Answer, ReadError> {
        self.listen(self.last_byte + terms.pause, owed).await?;
        let request = rtu::frame(unit, &ask.pdu());
        let deadline = Tick::now() + terms.limit;
        let sent = async {
            self.wire.write_all(&request).await?;
            self.wire.flush().await
        };
        let sent = timeout_at(deadline, sent).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        self.last_byte = Tick::now();
        let mut noise = Noise::default();
        let answer = match sent {
            Ok(()) => self.answer((unit, ask, &request), deadline, &mut noise, owed).await,
            Err(error) => Err(ReadError::Lost(error)),
        };
        if !matches!(answer, Err(ReadError::Timeout)) {
            self.silent = 0;
        }
        match answer {
            Err(ReadError::Timeout) => {
                owed.add(unit, ask.shape(), Tick::now());
                if noise.foreign > 0 {
                    let says = format!("{} frames that are not its own came instead", noise.foreign);
                    Err(ReadError::Protocol(says))
                } else if noise.garbled > 0 {
                    Err(ReadError::Garbled { bytes: noise.garbled })
                } else {
                    self.silent = self.silent.saturating_add(1);
                    Err(ReadError::Timeout)
                }
            }
            Err(ReadError::Lost(error)) => {
                owed.add(unit, ask.shape(), Tick::now());
                Err(ReadError::Lost(error))
            }
            known @ (Ok(_)
            | Err(
                ReadError::Exception { .. }
                | ReadError::Short { .. }
                | ReadError::Garbled { .. }
                | ReadError::Protocol(_)
                | ReadError::Owing,
            )) => known,
        }
    }

    /// Waits for the answer to a question that was sent. A frame that has begun in time may end later.
    async fn answer(
        &mut self,
        awaited: Awaited<'_>,
        deadline: Tick,
        noise: &mut Noise,
        owed: &mut Owed,
    ) -> Result<Answer, ReadError> {
        let last = deadline + self.pace.frame;
        loop {
            let now = Tick::now();
            let until = if self.receiver.is_empty() { deadline } else { (now + self.pace.stall).min(last) };
            let came = now < until && self.receive(until).await?;
            if let Some(answer) = self.sort(Some(awaited), !came, noise, owed) {
                return answer;
            }
            if !came && deadline <= Tick::now() {
                return Err(ReadError::Timeout);
            }
        }
    }

    /// Waits until a deadline for bytes; false when none came.
    async fn receive(&mut self, until: Tick) -> Result<bool, ReadError> {
        let mut chunk = [0_u8; CHUNK];
        match timeout_at(until, self.wire.read(&mut chunk)).await {
            Err(_elapsed) => Ok(false),
            Ok(Ok(0)) => Err(ReadError::Lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(Ok(count)) => {
                self.receiver.push(chunk.get(..count).unwrap_or_default());
                self.last_byte = Tick::now();
                Ok(true)
            }
            Ok(Err(error)) => Err(ReadError::Lost(error)),
        }
    }

    /// Takes whole frames out of what came, until one is the answer.
    fn sort(
        &mut self,
        awaited: Option<Awaited<'_>>,
        stalled: bool,
        noise: &mut Noise,
        owed: &mut Owed,
    ) -> Option<Result<Answer, ReadError>> {
        let expected = awaited.map(|(unit, ask, _)| (unit, ask.shape()));
        while let Some(seen) = self.receiver.next(expected, stalled, &mut noise.garbled) {
            match seen {
                Seen::Request(bytes) => match awaited {
                    // Adapters without a direction switch hear what they say.
                    Some((_, _, own)) if own == bytes && !noise.echoed => noise.echoed = true,
                    _ => noise.foreign += 1,
                },
                Seen::Answer { unit, pdu } => {
                    let mine = awaited.filter(|(ours, _, _)| *ours == unit).map(|(_, ask, _)| ask);
                    match judge(unit, mine, &pdu, owed) {
                        Judged::Late => {}
                        Judged::Foreign => noise.foreign += 1,
                        Judged::Answer(answer) => return Some(answer),
                    }
                }
            }
        }
        None
    }
}

/// What a whole frame of a device is.
enum Judged {
    /// An answer that somebody owed.
    Late,
    /// Nobody was asked for it.
    Foreign,
    Answer(Result<Answer, ReadError>),
}

/// Judges an answer of `unit`; `mine` is what that unit is being asked, if it is the one.
fn judge(unit: u8, mine: Option<Ask>, pdu: &[u8], owed: &mut Owed) -> Judged {
    if let [function, code, ..] = *pdu
        && function & REFUSED != 0
    {
        let function = function & !REFUSED;
        // Not even the question that the gateway gave up on is settled by its saying so.
        let gave_up = code == UNIT_SILENT;
        let late = if gave_up { owed.owes(unit, function) } else { owed.refused(unit, function) };
        return match mine.filter(|ask| ask.function() == function) {
            // Which of the two questions was refused cannot be told: the newer one stays owed. So it does when a
            // gateway says that it gave up on the device.
            Some(ask) if late || gave_up => {
                owed.add(unit, ask.shape(), Tick::now());
                Judged::Answer(Err(ReadError::Exception { code, sure: !late }))
            }
            Some(_) => {
                owed.clear(unit);
                Judged::Answer(Err(ReadError::Exception { code, sure: true }))
            }
            None if late => Judged::Late,
            None => Judged::Foreign,
        };
    }
    let Some(shape) = Shape::of(pdu) else { return Judged::Foreign };
    match mine {
        Some(ask) if ask.shape() == shape => {
            owed.clear(unit);
            Judged::Answer(ask.answer(pdu))
        }
        _ if owed.paid(unit, shape) => Judged::Late,
        Some(ask) if ask.function() == shape.function => {
            let bytes = usize::from(shape.bytes.unwrap_or_default());
            let got = if ask.is_for_bits() { bytes * 8 } else { bytes / 2 };
            Judged::Answer(Err(ReadError::Short { got }))
        }
        _ => Judged::Foreign,
    }
}
