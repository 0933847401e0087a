//! One connection to a gateway or line, able to read registers and identifications and to do nothing else.
//!
//! Must never: gain a way to write; the library's client stays private, and what it sends is made from [`Ask`]
//! alone. Over TCP a session that failed is dropped, never used again: the library takes the next answer that
//! comes for the one it awaits.

use std::io;
use std::time::Duration;

use profile::Space;
use tokio::time::timeout;
use tokio_modbus::client::{Client, Context, tcp};
use tokio_modbus::prelude::ReadCode;
use tokio_modbus::slave::{Slave, SlaveContext};
use tokio_modbus::{Error, ProtocolError, Request, Response};

use super::ask::{Answer, Ask, IdentityLevel, Page};
use super::line::{Line, Pace, Terms};
use super::owed::Owed;
use crate::wire::Dial;

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

    /// Asks a unit. A number of registers other than the one asked for is [`ReadError::Short`].
    pub(super) async fn read(
        &mut self,
        unit: u8,
        ask: Ask,
        terms: Terms,
        owed: &mut Owed,
    ) -> Result<Answer, ReadError> {
        let answer = match self {
            Self::Tcp(context) => call(context, unit, ask, terms.limit).await?,
            Self::Line(line) => line.read(unit, ask, terms, owed).await?,
        };
        match (ask, &answer) {
            (Ask::Words { count, .. }, Answer::Words(words)) if words.len() != usize::from(count) => {
                Err(ReadError::Short { got: words.len() })
            }
            _ => Ok(answer),
        }
    }
}

async fn call(context: &mut Context, unit: u8, ask: Ask, limit: Duration) -> Result<Answer, ReadError> {
    context.set_slave(Slave(unit));
    let request = match ask {
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
        (Ask::Identity { .. }, Response::ReadDeviceIdentification(answer)) => {
            let next = answer.more_follows.then_some(answer.next_object_id);
            let objects = answer.device_id_objects.into_iter().map(|o| (o.id, o.value.to_vec())).collect();
            Ok(Answer::Identity(Page { objects, next }))
        }
        (_, other) => Err(ReadError::Protocol(format!("answer of another kind: {other:?}"))),
    }
}
