//! How bytes reach a device: a TCP connection or a serial line. Shared by every protocol that asks.
//!
//! Must never: know a protocol.

use std::fmt;
use std::io;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_serial::SerialPortBuilderExt;

use crate::inbox::BoxFuture;

/// What bytes travel over.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug> Wire for T {}

/// How a connection is opened.
pub trait Dial: Send + Sync + fmt::Debug + 'static {
    /// # Errors
    /// The operating system's reason.
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Wire>>>;
}

/// Over TCP; the address is host and port.
#[derive(Debug, Clone, Copy)]
pub struct TcpDial;

impl Dial for TcpDial {
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Wire>>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Wire>)
        })
    }
}

/// The parity bit of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    None,
    Even,
    Odd,
}

/// Over a serial line; the address is the device file, such as `/dev/ttyUSB0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SerialDial {
    pub baud: u32,
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

impl Dial for SerialDial {
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Wire>>> {
        Box::pin(async move {
            let parity = match self.parity {
                Parity::None => tokio_serial::Parity::None,
                Parity::Even => tokio_serial::Parity::Even,
                Parity::Odd => tokio_serial::Parity::Odd,
            };
            let stop_bits = match self.stop_bits {
                2 => tokio_serial::StopBits::Two,
                _ => tokio_serial::StopBits::One,
            };
            let port = tokio_serial::new(address, self.baud).parity(parity).stop_bits(stop_bits);
            // Eight data bits are the library's default, and what both Modbus RTU and M-Bus ask for.
            Ok(Box::new(port.open_native_async()?) as Box<dyn Wire>)
        })
    }
}
