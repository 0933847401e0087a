//! One M-Bus telegram: the frame of EN 13757-2 around it, and who sent it and in what state (EN 13757-3).
//!
//! Must never: accept a frame whose lengths or checksum do not agree, or read what is encrypted.

use std::fmt;

/// Most bytes of a frame: four of the start, 255 counted ones, checksum and stop.
pub const FRAME_BYTES_MAX: usize = 261;

const START: u8 = 0x68;
const STOP: u8 = 0x16;
/// Answer with user data; bits 4 and 5 (data flow, access demand) may be set.
const RSP_UD: u8 = 0x08;

/// Who a meter is, as its telegrams say: what a secondary address selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Eight digits, each a half byte: `0x1234_5678` is written 12345678.
    pub number: u32,
    /// Three letters in 15 bits.
    pub manufacturer: u16,
    pub version: u8,
    /// The medium: 4 heat, 7 water, 3 gas, 2 electricity, …
    pub medium: u8,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |shift: u16| char::from(b'@' + ((self.manufacturer >> shift) & 0x1F) as u8);
        let (a, b, c) = (letter(10), letter(5), letter(0));
        write!(f, "{:08X} {a}{b}{c} version {} medium {}", self.number, self.version, self.medium)
    }
}

/// Why a telegram cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TelegramError {
    #[error("its frame of {bytes} bytes has no valid start, length or stop")]
    Frame { bytes: usize },
    #[error("its checksum is wrong: the line disturbs it, or two meters speak at once")]
    Checksum,
    #[error("it is no answer with data (control field {control:#04x})")]
    NotData { control: u8 },
    #[error("the meter reports an application error (code {code})")]
    Application { code: u8 },
    #[error("it has the old fixed data structure, which does not say its units reliably")]
    Fixed,
    #[error("its data structure {ci:#04x} is not known")]
    Structure { ci: u8 },
    #[error("it is encrypted (mode {mode}); switch encryption off for the wired interface")]
    Encrypted { mode: u8 },
    #[error("it is too short for its header")]
    Header,
}

/// The state a meter reports of itself (EN 13757-3, status byte).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u8);

impl Status {
    /// Battery or supply low: the values still hold.
    #[must_use]
    pub const fn is_power_low(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// What the meter says is wrong with it, where its values are not to be used: a meter in error may have
    /// stopped counting, and a total that stands still would be a saving.
    #[must_use]
    pub const fn trouble(self) -> Option<Trouble> {
        match self.0 & 0x03 {
            0 => {}
            1 => return Some(Trouble::Busy),
            2 => return Some(Trouble::Error),
            _ => return Some(Trouble::Abnormal),
        }
        if self.0 & 0x08 != 0 {
            return Some(Trouble::Permanent);
        }
        if self.0 & 0x10 != 0 { Some(Trouble::Temporary) } else { None }
    }
}

/// What a meter says is wrong with itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    Busy,
    Error,
    Abnormal,
    Permanent,
    Temporary,
}

impl Trouble {
    pub const ALL: [Self; 5] = [Self::Busy, Self::Error, Self::Abnormal, Self::Permanent, Self::Temporary];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Error => "error",
            Self::Abnormal => "abnormal",
            Self::Permanent => "permanent",
            Self::Temporary => "temporary",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "its application is busy",
            Self::Error => "its application has an error",
            Self::Abnormal => "an abnormal condition or alarm",
            Self::Permanent => "a permanent error",
            Self::Temporary => "a temporary error",
        })
    }
}

/// A telegram whose frame and header are sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telegram<'a> {
    /// The primary address of the sender.
    pub address: u8,
    pub identity: Identity,
    pub access: u8,
    pub status: Status,
    /// The records, not looked at yet.
    pub body: &'a [u8],
}

/// How many bytes a long frame has in all, from its first four; `None` when they are no start of one.
#[must_use]
pub fn frame_length(start: [u8; 4]) -> Option<usize> {
    let [first, length, again, second] = start;
    // Control field, address and control information are always there.
    (first == START && second == START && length == again && length >= 3).then(|| usize::from(length) + 6)
}

/// The sum of the bytes, as both frame forms carry it.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

impl<'a> Telegram<'a> {
    /// Reads a long frame with variable data structure.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn parse(frame: &'a [u8]) -> Result<Self, TelegramError> {
        let bad = TelegramError::Frame { bytes: frame.len() };
        let (start, rest) = frame.split_first_chunk::<4>().ok_or(bad)?;
        if frame_length(*start) != Some(frame.len()) {
            return Err(bad);
        }
        let (counted, end) = rest.split_last_chunk::<2>().ok_or(bad)?;
        let &[sum, stop] = end;
        if stop != STOP {
            return Err(bad);
        }
        if sum != checksum(counted) {
            return Err(TelegramError::Checksum);
        }
        let &[control, address, ci, ref data @ ..] = counted else { return Err(bad) };
        if control & 0xCF != RSP_UD {
            return Err(TelegramError::NotData { control });
        }
        match ci {
            0x72 => Self::header(address, data),
            0x70 => Err(TelegramError::Application { code: data.first().copied().unwrap_or(0) }),
            0x73 | 0x77 => Err(TelegramError::Fixed),
            ci => Err(TelegramError::Structure { ci }),
        }
    }

    fn header(address: u8, data: &'a [u8]) -> Result<Self, TelegramError> {
        let (header, body) = data.split_first_chunk::<12>().ok_or(TelegramError::Header)?;
        let &[n0, n1, n2, n3, m0, m1, version, medium, access, status, _, configuration] = header;
        let mode = configuration & 0x1F;
        // Modes above 15 are not assigned; meters older than the modes fill both bytes with ones.
        if 0 < mode && mode <= 15 {
            return Err(TelegramError::Encrypted { mode });
        }
        let identity = Identity {
            number: u32::from_le_bytes([n0, n1, n2, n3]),
            manufacturer: u16::from_le_bytes([m0, m1]),
            version,
            medium,
        };
        Ok(Self { address, identity, access, status: Status(status), body })
    }
}
