//! One connection to an M-Bus level converter, able to ask meters and to do nothing else.
//!
//! Must never: gain a way to write to a meter. [`Request`] is all that can be sent: reset of the link layer,
//! selection by secondary address, and the request for data. A session that failed is dropped, never used again.

use std::io;
use std::time::Duration;

use profile::mbus::telegram::{FRAME_BYTES_MAX, checksum, frame_length};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::address::Secondary;
use crate::wire::{Dial, Wire};

/// The address under which a selected meter answers (EN 13757-3).
pub(super) const SELECTED: u8 = 0xFD;

const ACKNOWLEDGED: u8 = 0xE5;
const SHORT: u8 = 0x10;
const STOP: u8 = 0x16;
/// Bytes of late or foreign answers that are thrown away before a request.
const DRAIN_BYTES_MAX: usize = 4_096;

/// Everything that this program can send over an M-Bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// SND_NKE: a meter begins its answers anew; at [`SELECTED`], whoever was selected is so no more.
    Reset { address: u8 },
    /// SND_UD with control information 52h, which selects and carries no data; its frame count bit is set, as the first
    /// one after a reset has it.
    Select(Secondary),
    /// REQ_UD2: the next telegram, or with the same bit as before the last one again.
    Ask { address: u8, frame_count_bit: bool },
}

impl Request {
    /// The bytes on the wire.
    pub(super) fn bytes(self) -> Vec<u8> {
        let short =
            |control: u8, address: u8| vec![SHORT, control, address, checksum(&[control, address]), STOP];
        match self {
            Self::Reset { address } => short(0x40, address),
            Self::Ask { address, frame_count_bit: false } => short(0x5B, address),
            Self::Ask { address, frame_count_bit: true } => short(0x7B, address),
            Self::Select(secondary) => {
                let counted = [&[0x73, SELECTED, 0x52][..], &secondary.bytes()].concat();
                let sum = checksum(&counted);
                [&[0x68, 0x0B, 0x0B, 0x68][..], &counted, &[sum, STOP]].concat()
            }
        }
    }
}

/// Why there was no usable answer.
#[derive(Debug)]
pub(super) enum AskError {
    Timeout,
    Lost(io::Error),
    /// Bytes that are no frame, in words.
    Garbled(String),
}

enum Frame {
    Acknowledged,
    Short([u8; 5]),
    Long(Vec<u8>),
}

#[derive(Debug)]
pub(super) struct Session {
    wire: Box<dyn Wire>,
}

impl Session {
    pub(super) async fn open(dial: &dyn Dial, address: &str, limit: Duration) -> io::Result<Self> {
        let wire = timeout(limit, dial.dial(address))
            .await
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))?;
        Ok(Self { wire })
    }

    /// Sends what is answered with a single character.
    pub(super) async fn acknowledged(&mut self, request: Request, limit: Duration) -> Result<(), AskError> {
        match self.exchange(request, limit).await? {
            Frame::Acknowledged => Ok(()),
            Frame::Short(bytes) => Err(AskError::Garbled(format!("a short frame {}", hex(&bytes)))),
            Frame::Long(_) => Err(AskError::Garbled("a telegram that was not asked for".to_owned())),
        }
    }

    /// Asks for a telegram and returns its whole frame, checked in nothing but its length.
    pub(super) async fn telegram(&mut self, request: Request, limit: Duration) -> Result<Vec<u8>, AskError> {
        match self.exchange(request, limit).await? {
            Frame::Long(frame) => Ok(frame),
            Frame::Short(bytes) => Err(AskError::Garbled(format!("a short frame {}", hex(&bytes)))),
            Frame::Acknowledged => Err(AskError::Garbled("an acknowledgement instead of data".to_owned())),
        }
    }

    async fn exchange(&mut self, request: Request, limit: Duration) -> Result<Frame, AskError> {
        self.drain().await?;
        let sent = request.bytes();
        let written = async {
            self.wire.write_all(&sent).await?;
            self.wire.flush().await
        };
        timeout(limit, written).await.map_err(|_| AskError::Timeout)?.map_err(AskError::Lost)?;
        let frame = self.frame(limit).await?;
        let is_echo = match &frame {
            Frame::Acknowledged => false,
            Frame::Short(bytes) => bytes[..] == sent[..],
            Frame::Long(bytes) => *bytes == sent,
        };
        // Simple level converters let the master hear itself.
        if is_echo { self.frame(limit).await } else { Ok(frame) }
    }

    /// Throws away what came without being asked for: an answer that was too late is nobody's.
    async fn drain(&mut self) -> Result<(), AskError> {
        let mut heap = [0; 256];
        let mut drained = 0;
        while drained < DRAIN_BYTES_MAX {
            // What has arrived is there at once; no time is waited.
            let read = tokio::select! {
                biased;
                read = self.wire.read(&mut heap) => read,
                () = std::future::ready(()) => return Ok(()),
            };
            match read {
                Ok(0) => return Err(AskError::Lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(bytes) => drained += bytes,
                Err(error) => return Err(AskError::Lost(error)),
            }
        }
        Err(AskError::Garbled("bytes without end that nobody asked for".to_owned()))
    }

    async fn frame(&mut self, limit: Duration) -> Result<Frame, AskError> {
        match self.read::<1>(limit).await? {
            [ACKNOWLEDGED] => Ok(Frame::Acknowledged),
            [SHORT] => {
                let [control, address, sum, stop] = self.read::<4>(limit).await?;
                if sum != checksum(&[control, address]) || stop != STOP {
                    return Err(AskError::Garbled("a short frame with a wrong checksum".to_owned()));
                }
                Ok(Frame::Short([SHORT, control, address, sum, stop]))
            }
            [first] => {
                let [a, b, c] = self.read::<3>(limit).await?;
                let start = [first, a, b, c];
                let garbled = || AskError::Garbled(format!("{} and no beginning of a frame", hex(&start)));
                let length = frame_length(start).filter(|l| *l <= FRAME_BYTES_MAX).ok_or_else(garbled)?;
                let mut frame = start.to_vec();
                while frame.len() < length {
                    let mut piece = [0; FRAME_BYTES_MAX];
                    let room = piece.len().min(length - frame.len());
                    let read = self.some(piece.get_mut(..room).unwrap_or_default(), limit).await?;
                    frame.extend_from_slice(piece.get(..read).unwrap_or_default());
                }
                Ok(Frame::Long(frame))
            }
        }
    }

    async fn read<const N: usize>(&mut self, limit: Duration) -> Result<[u8; N], AskError> {
        let mut bytes = [0; N];
        let mut filled = 0;
        while filled < N {
            filled += self.some(bytes.get_mut(filled..).unwrap_or_default(), limit).await?;
        }
        Ok(bytes)
    }

    /// At least one byte, within the limit: between the bytes of an answer no more than that may pass either.
    async fn some(&mut self, into: &mut [u8], limit: Duration) -> Result<usize, AskError> {
        match timeout(limit, self.wire.read(into)).await {
            Err(_elapsed) => Err(AskError::Timeout),
            Ok(Ok(0)) => Err(AskError::Lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(AskError::Lost(error)),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
