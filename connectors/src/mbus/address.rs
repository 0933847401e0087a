//! How a meter is called on the M-Bus: by the address it was given, or by its own number.
//!
//! Must never: call every meter at once (addresses 254 and 255).

use std::fmt;

use profile::mbus::Identity;

/// Most primary addresses of one bus (EN 13757-2).
pub const PRIMARY_MAX: u8 = 250;

/// The number on a meter's plate and what narrows it down; half bytes of F match everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secondary {
    number: u32,
    /// 0xFFFF matches every maker.
    manufacturer: u16,
    /// 0xFF matches every medium.
    medium: u8,
}

/// One of the two ways of calling a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    Primary(u8),
    Secondary(Secondary),
}

impl Secondary {
    /// Eight digits, `F` or `?` in places that may be anything; the maker's three letters; the medium's number.
    #[must_use]
    pub fn parse(number: &str, maker: Option<&str>, medium: Option<u8>) -> Option<Self> {
        let digit = |c: char| match c {
            '?' => Some(0xF),
            c => c.to_digit(16).filter(|d| *d <= 9 || *d == 0xF),
        };
        let digits: Vec<u32> = number.chars().map(digit).collect::<Option<_>>()?;
        // Nothing but wildcards would call every meter.
        if digits.len() != 8 || digits.iter().all(|d| *d == 0xF) {
            return None;
        }
        let manufacturer = match maker.map(str::as_bytes) {
            None => 0xFFFF,
            Some(&[a, b, c]) if [a, b, c].iter().all(u8::is_ascii_uppercase) => {
                [a, b, c].iter().fold(0, |m, letter| m * 32 + u16::from(letter - b'@'))
            }
            Some(_) => return None,
        };
        let number = digits.into_iter().fold(0, |n, d| (n << 4) | d);
        Some(Self { number, manufacturer, medium: medium.unwrap_or(0xFF) })
    }

    /// As a selection carries it; the version is always left open.
    pub(super) fn bytes(self) -> [u8; 8] {
        let [n0, n1, n2, n3] = self.number.to_le_bytes();
        let [m0, m1] = self.manufacturer.to_le_bytes();
        [n0, n1, n2, n3, m0, m1, 0xFF, self.medium]
    }

    /// Whether a meter is one that the selection calls.
    #[must_use]
    pub fn matches(&self, identity: &Identity) -> bool {
        let other =
            Self { number: identity.number, manufacturer: identity.manufacturer, medium: identity.medium };
        self.meets(&other)
    }

    /// Whether some meter could be called by both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let digits = (0..8).map(|i| ((self.number >> (4 * i)) & 0xF, (other.number >> (4 * i)) & 0xF));
        let open = |a: u32, b: u32, any: u32| a == b || a == any || b == any;
        digits.into_iter().all(|(a, b)| open(a, b, 0xF))
            && open(self.manufacturer.into(), other.manufacturer.into(), 0xFFFF)
            && open(self.medium.into(), other.medium.into(), 0xFF)
    }
}

impl Address {
    /// Whether some meter could be called by both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Primary(a), Self::Primary(b)) => a == b,
            (Self::Secondary(a), Self::Secondary(b)) => a.meets(b),
            // Which meter a number has is only known once both have answered.
            (Self::Primary(_), Self::Secondary(_)) | (Self::Secondary(_), Self::Primary(_)) => false,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary(address) => write!(f, "primary {address}"),
            Self::Secondary(secondary) => write!(f, "secondary {:08X}", secondary.number),
        }
    }
}
