//! One Modbus TCP connection, able to read registers and to do nothing else.
//!
//! Must never: gain a way to write. The client of the library stays private, and the only requests
//! built here are functions 3 and 4. A session that failed is dropped, never used again: a late answer
//! could otherwise be taken for another meter's.

use std::io;
use std::time::Duration;

use profile::Space;
use tokio::time::timeout;
use tokio_modbus::client::{Client, Context, tcp};
use tokio_modbus::slave::{Slave, SlaveContext};
use tokio_modbus::{Error, ProtocolError, Request, Response};

use crate::wire::Dial;

/// Why a read gave no words.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The device answered, with a refusal; the session is sound.
    Exception(u8),
    Timeout,
    Short {
        got: usize,
    },
    Lost(io::Error),
    Protocol(String),
}

pub(super) struct Session {
    context: Context,
}

impl Session {
    pub(super) async fn open(dial: &dyn Dial, address: &str, limit: Duration) -> io::Result<Self> {
        let wire = timeout(limit, dial.dial(address))
            .await
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))?;
        Ok(Self { context: tcp::attach(wire) })
    }

    /// Reads `count` registers of a unit.
    pub(super) async fn read(
        &mut self,
        unit: u8,
        space: Space,
        address: u16,
        count: u16,
        limit: Duration,
    ) -> Result<Vec<u16>, ReadError> {
        self.context.set_slave(Slave(unit));
        let request = match space {
            Space::Holding => Request::ReadHoldingRegisters(address, count),
            Space::Input => Request::ReadInputRegisters(address, count),
        };
        // `call` rather than the library's `read_…` functions: those assert the length of the answer.
        let answer = match timeout(limit, self.context.call(request)).await {
            Err(_elapsed) => return Err(ReadError::Timeout),
            Ok(Err(Error::Transport(error))) => return Err(ReadError::Lost(error)),
            Ok(Err(Error::Protocol(
                error @ (ProtocolError::HeaderMismatch { .. } | ProtocolError::FunctionCodeMismatch { .. }),
            ))) => return Err(ReadError::Protocol(error.to_string())),
            Ok(Ok(Err(exception))) => return Err(ReadError::Exception(exception.into())),
            Ok(Ok(Ok(answer))) => answer,
        };
        let words = match (space, answer) {
            (Space::Holding, Response::ReadHoldingRegisters(words))
            | (Space::Input, Response::ReadInputRegisters(words)) => words,
            (_, other) => return Err(ReadError::Protocol(format!("answer of another kind: {other:?}"))),
        };
        if words.len() == usize::from(count) { Ok(words) } else { Err(ReadError::Short { got: words.len() }) }
    }
}
