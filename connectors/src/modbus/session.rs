//! One connection to a gateway or line, able to read bits, registers and identifications and to do nothing else.
//!
//! Must never: gain a way to write; the library's client stays private, and what it sends is made from [`Ask`]
//! alone. Over TCP a session that failed is dropped, never used again: the library takes the next answer that
//! comes for the one it awaits.

use std::io;
use std::time::Duration;

use profile::Space;
use tokio::time::{Instant as Tick, timeout};
use tokio_modbus::client::{Client, Context, tcp};
use tokio_modbus::prelude::ReadCode;
use tokio_modbus::slave::{Slave, SlaveContext};
use tokio_modbus::{Error, ProtocolError, Request, Response};

use super::ask::{Answer, Ask, IdentityLevel, Page, Shape, data_bytes};
use super::line::{Line, Pace, Terms};
use super::owed::Owed;
use crate::wire::Dial;

/// Questions of other shapes asked in a row to find out what is still owed.
const FENCES_MAX: usize = 3;
/// Longest answer to a question for bits that only settles what is owed. A device that has not so many refuses, which
/// settles it as well.
const FENCE_BYTES_MAX: u16 = 8;
/// With this exception a gateway says that it gave up on a device, whose answer may still come.
pub(super) const UNIT_SILENT: u8 = 0x0B;

/// Why a read gave nothing.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The device answered, with a refusal; the session is sound. Not `sure` when an older question may have
    /// been meant.
    Exception {
        code: u8,
        sure: bool,
    },
    Timeout,
    /// Not asked: any answer could be mistaken for one that is still owed.
    Owing,
    /// The device answered with fewer or more registers than it was asked for.
    Short {
        got: usize,
    },
    Garbled {
        bytes: usize,
    },
    Lost(io::Error),
    Protocol(String),
}

/// How questions are framed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Framing {
    /// With transaction ids, by the library.
    Tcp,
    /// Without, by us.
    Rtu(Pace),
}

pub(super) enum Session {
    Tcp(Context),
    Line(Line),
}

impl Session {
    pub(super) async fn open(
        dial: &dyn Dial,
        address: &str,
        framing: Framing,
        limit: Duration,
    ) -> io::Result<Self> {
        let wire = timeout(limit, dial.dial(address))
            .await
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))?;
        Ok(match framing {
            Framing::Tcp => Self::Tcp(tcp::attach(wire)),
            Framing::Rtu(pace) => Self::Line(Line::new(wire, pace)),
        })
    }

    /// Asks a unit, where needed after a question of another shape that settles what is owed. A number of registers
    /// other than the one asked for is [`ReadError::Short`].
    pub(super) async fn read(
        &mut self,
        unit: u8,
        ask: Ask,
        terms: Terms,
        owed: &mut Owed,
    ) -> Result<Answer, ReadError> {
        if let Self::Line(line) = self
            && owed.forbids(unit, ask.shape(), Tick::now())
        {
            // What is owed may have come in the meantime.
            line.listen(Tick::now(), owed).await?;
        }
        for _ in 0..FENCES_MAX {
            if !owed.forbids(unit, ask.shape(), Tick::now()) {
                return self.one(unit, ask, terms, owed).await;
            }
            let Some(fence) = fence(unit, ask, terms.words_max, owed) else { break };
            match self.one(unit, fence, terms, owed).await {
                // The gateway speaks, not the device.
                Err(error @ ReadError::Exception { code: UNIT_SILENT, .. }) => return Err(error),
                // What it says is of no interest; that it came is.
                Ok(_) | Err(ReadError::Exception { .. } | ReadError::Short { .. }) => {}
                Err(
                    error @ (ReadError::Timeout
                    | ReadError::Owing
                    | ReadError::Lost(_)
                    | ReadError::Garbled { .. }
                    | ReadError::Protocol(_)),
                ) => return Err(error),
            }
        }
        if owed.forbids(unit, ask.shape(), Tick::now()) {
            return Err(ReadError::Owing);
        }
        self.one(unit, ask, terms, owed).await
    }

    async fn one(&mut self, unit: u8, ask: Ask, terms: Terms, owed: &mut Owed) -> Result<Answer, ReadError> {
        let context = match self {
            Self::Line(line) => return line.ask(unit, ask, terms, owed).await,
            Self::Tcp(context) => context,
        };
        let answer = call(context, unit, ask, terms.limit).await;
        // Transaction ids tell answers apart, as far as the gateway keeps them apart on its own line and from one
        // connection to the next; not all do.
        match &answer {
            Ok(Answer::Words(words)) => {
                let bytes = match ask {
                    Ask::Words { space, .. } => data_bytes(space, words.len()),
                    Ask::Identity { .. } => None,
                };
                let shape = Shape { bytes, ..ask.shape() };
                if shape != ask.shape() {
                    owed.paid(unit, shape);
                    return Err(ReadError::Short { got: words.len() });
                }
                owed.clear(unit);
            }
            Ok(Answer::Identity(_)) => owed.clear(unit),
            Err(ReadError::Exception { code: UNIT_SILENT, .. }) => owed.add(unit, ask.shape(), Tick::now()),
            Err(ReadError::Exception { .. }) => owed.clear(unit),
            Err(
                ReadError::Timeout
                | ReadError::Lost(_)
                | ReadError::Protocol(_)
                | ReadError::Garbled { .. }
                | ReadError::Short { .. }
                | ReadError::Owing,
            ) => owed.add(unit, ask.shape(), Tick::now()),
        }
        answer
    }
}

async fn call(context: &mut Context, unit: u8, ask: Ask, limit: Duration) -> Result<Answer, ReadError> {
    context.set_slave(Slave(unit));
    let request = match ask {
        Ask::Words { space: Space::Coil, address, count } => Request::ReadCoils(address, count),
        Ask::Words { space: Space::Discrete, address, count } => Request::ReadDiscreteInputs(address, count),
        Ask::Words { space: Space::Holding, address, count } => Request::ReadHoldingRegisters(address, count),
        Ask::Words { space: Space::Input, address, count } => Request::ReadInputRegisters(address, count),
        Ask::Identity { level, first } => Request::ReadDeviceIdentification(
            match level {
                IdentityLevel::Basic => ReadCode::Basic,
                IdentityLevel::Regular => ReadCode::Regular,
            },
            first,
        ),
    };
    // `call` rather than the library's `read_…` functions: those assert the length of the answer.
    let answer = match timeout(limit, context.call(request)).await {
        Err(_elapsed) => return Err(ReadError::Timeout),
        Ok(Err(Error::Transport(error))) => return Err(ReadError::Lost(error)),
        Ok(Err(Error::Protocol(
            error @ (ProtocolError::HeaderMismatch { .. } | ProtocolError::FunctionCodeMismatch { .. }),
        ))) => return Err(ReadError::Protocol(error.to_string())),
        Ok(Ok(Err(exception))) => return Err(ReadError::Exception { code: exception.into(), sure: true }),
        Ok(Ok(Ok(answer))) => answer,
    };
    match (ask, answer) {
        (Ask::Words { space: Space::Holding, .. }, Response::ReadHoldingRegisters(words))
        | (Ask::Words { space: Space::Input, .. }, Response::ReadInputRegisters(words)) => {
            Ok(Answer::Words(words))
        }
        (Ask::Words { space: Space::Coil, count, .. }, Response::ReadCoils(bits))
        | (Ask::Words { space: Space::Discrete, count, .. }, Response::ReadDiscreteInputs(bits)) => {
            Ok(Answer::Words(bits_of(count, &bits)))
        }
        (Ask::Identity { .. }, Response::ReadDeviceIdentification(answer)) => {
            let next = answer.more_follows.then_some(answer.next_object_id);
            let objects = answer.device_id_objects.into_iter().map(|o| (o.id, o.value.to_vec())).collect();
            Ok(Answer::Identity(Page { objects, next }))
        }
        (_, other) => Err(ReadError::Protocol(format!("answer of another kind: {other:?}"))),
    }
}

/// The bits that were asked for. The library gives those that fill the last byte as well; of an answer of another
/// length it gives all, so that it is seen to be one.
fn bits_of(count: u16, bits: &[bool]) -> Vec<u16> {
    let count = usize::from(count);
    let wanted = if bits.len() == count.next_multiple_of(8) { count } else { bits.len() };
    bits.iter().take(wanted).map(|bit| u16::from(*bit)).collect()
}

/// A question to the same registers whose answer cannot be mistaken for one that is owed. Pairs of registers come
/// first, since many meters refuse half a number.
fn fence(unit: u8, ask: Ask, words_max: u16, owed: &mut Owed) -> Option<Ask> {
    let Ask::Words { space, address, count } = ask else { return None };
    let room = u16::MAX - address;
    if space.is_bits() {
        // Answers are told apart by their bytes, each of eight bits.
        let mut questions = (0..FENCE_BYTES_MAX)
            .map(|bytes| bytes * 8 + 1)
            .filter(|count| *count - 1 <= room)
            .map(|count| Ask::Words { space, address, count });
        return questions.find(|question| !owed.forbids(unit, question.shape(), Tick::now()));
    }
    let fits = |n: &u16| *n != count && *n <= words_max && *n - 1 <= room;
    let pairs = || (1..=words_max / 2).map(|n| n * 2);
    let below = pairs().filter(|n| *n < count);
    let above = pairs().filter(|n| count < *n);
    let odd = (1..=words_max).filter(|n| n % 2 == 1);
    let mut questions =
        below.chain(above).chain(odd).filter(fits).map(|count| Ask::Words { space, address, count });
    questions.find(|question| !owed.forbids(unit, question.shape(), Tick::now()))
}
