//! How a number lies in registers: its type and the order of its bytes and words.
//!
//! Must never: guess an order. A meter's file says it.

/// The type of a number in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    /// An accumulator of SunSpec: unsigned, and 0 means that the device has none.
    Acc32,
    Acc64,
    /// Packed decimal digits, four a register.
    Bcd16,
    Bcd32,
    Bcd48,
    Bcd64,
    /// Four decimal digits a register, each register a binary number of -9999 to 9999.
    Mod10k32,
    Mod10k48,
    Mod10k64,
}

impl Number {
    pub const ALL: [Self; 17] = [
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F32,
        Self::F64,
        Self::Acc32,
        Self::Acc64,
        Self::Bcd16,
        Self::Bcd32,
        Self::Bcd48,
        Self::Bcd64,
        Self::Mod10k32,
        Self::Mod10k48,
        Self::Mod10k64,
    ];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Acc32 => "acc32",
            Self::Acc64 => "acc64",
            Self::Bcd16 => "bcd16",
            Self::Bcd32 => "bcd32",
            Self::Bcd48 => "bcd48",
            Self::Bcd64 => "bcd64",
            Self::Mod10k32 => "mod10k32",
            Self::Mod10k48 => "mod10k48",
            Self::Mod10k64 => "mod10k64",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|n| n.code() == code)
    }

    /// Registers of 16 bits it takes.
    #[must_use]
    pub const fn words(self) -> u16 {
        match self {
            Self::U16 | Self::I16 | Self::Bcd16 => 1,
            Self::U32 | Self::I32 | Self::F32 | Self::Acc32 | Self::Bcd32 | Self::Mod10k32 => 2,
            Self::Bcd48 | Self::Mod10k48 => 3,
            Self::U64 | Self::I64 | Self::F64 | Self::Acc64 | Self::Bcd64 | Self::Mod10k64 => 4,
        }
    }

    /// Whether these bits are the type's own sign for "there is none".
    #[must_use]
    pub const fn is_absent(self, bits: u64) -> bool {
        matches!(self, Self::Acc32 | Self::Acc64) && bits == 0
    }

    /// The count at which a register of this type begins again at 0; `None` where it does not, or where
    /// that is not known.
    #[must_use]
    pub const fn modulus(self) -> Option<i128> {
        match self {
            Self::U16 => Some(1 << 16),
            Self::U32 | Self::Acc32 => Some(1 << 32),
            Self::U64 | Self::Acc64 => Some(1 << 64),
            Self::Bcd16 => Some(10_000),
            Self::Bcd32 | Self::Mod10k32 => Some(100_000_000),
            Self::Bcd48 | Self::Mod10k48 => Some(1_000_000_000_000),
            Self::Bcd64 | Self::Mod10k64 => Some(10_000_000_000_000_000),
            // What a signed register or a float does at its end is the maker's choice.
            Self::I16 | Self::I32 | Self::I64 | Self::F32 | Self::F64 => None,
        }
    }
}

/// The order in which the bytes of a number are sent, A being the most significant byte; numbers
/// of 64 bits follow the same pattern, word-wise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WordOrder {
    /// Most significant word first, as the Modbus specification writes numbers.
    Abcd,
    /// Least significant word first.
    Cdab,
    /// Most significant word first, bytes swapped in each word.
    Badc,
    /// Least significant word first, bytes swapped in each word.
    Dcba,
}

impl WordOrder {
    pub const ALL: [Self; 4] = [Self::Abcd, Self::Cdab, Self::Badc, Self::Dcba];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Abcd => "ABCD",
            Self::Cdab => "CDAB",
            Self::Badc => "BADC",
            Self::Dcba => "DCBA",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.code() == code)
    }

    const fn words_reversed(self) -> bool {
        matches!(self, Self::Cdab | Self::Dcba)
    }

    const fn bytes_swapped(self) -> bool {
        matches!(self, Self::Badc | Self::Dcba)
    }
}

/// Type and order together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding {
    pub number: Number,
    pub order: WordOrder,
}

/// A number as it was read, before scale and unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Raw {
    Integer(i128),
    Float(f64),
    /// Decimal digits were wanted and there are others.
    NotDigits,
}

impl Encoding {
    /// The bits of the number, most significant first, whatever order the words came in. Words
    /// beyond the number's width are ignored; `None` when there are too few.
    #[must_use]
    pub fn bits(self, words: &[u16]) -> Option<u64> {
        let words = words.get(..usize::from(self.number.words()))?;
        let fold = |bits: u64, word: &u16| {
            let word = if self.order.bytes_swapped() { word.swap_bytes() } else { *word };
            (bits << 16) | u64::from(word)
        };
        Some(if self.order.words_reversed() {
            words.iter().rev().fold(0, fold)
        } else {
            words.iter().fold(0, fold)
        })
    }

    /// What the bits of [`Self::bits`] say.
    #[must_use]
    pub fn number(self, bits: u64) -> Raw {
        match self.number {
            Number::U16 | Number::U32 | Number::U64 | Number::Acc32 | Number::Acc64 => {
                Raw::Integer(i128::from(bits))
            }
            Number::I16 => Raw::Integer(i128::from(bits as u16 as i16)),
            Number::I32 => Raw::Integer(i128::from(bits as u32 as i32)),
            Number::I64 => Raw::Integer(i128::from(bits as i64)),
            Number::F32 => Raw::Float(f64::from(f32::from_bits(bits as u32))),
            Number::F64 => Raw::Float(f64::from_bits(bits)),
            Number::Bcd16 | Number::Bcd32 | Number::Bcd48 | Number::Bcd64 => {
                digits(bits, 4 * self.number.words(), 4, 10, i128::from)
            }
            Number::Mod10k32 | Number::Mod10k48 | Number::Mod10k64 => {
                digits(bits, self.number.words(), 16, 10_000, |group| i128::from(group as u16 as i16))
            }
        }
    }

    /// The bits of a number: the inverse of [`Self::number`]. `None` when the type cannot hold it.
    #[must_use]
    pub fn bits_of(self, raw: Raw) -> Option<u64> {
        let integer = match (self.number, raw) {
            (_, Raw::NotDigits) => return None,
            (Number::F32, Raw::Float(n)) => return Some(u64::from((n as f32).to_bits())),
            (Number::F64, Raw::Float(n)) => return Some(n.to_bits()),
            (Number::F32, Raw::Integer(n)) => return Some(u64::from((n as f32).to_bits())),
            (Number::F64, Raw::Integer(n)) => return Some((n as f64).to_bits()),
            (_, Raw::Float(_)) => return None,
            (_, Raw::Integer(n)) => n,
        };
        match self.number {
            Number::F32 | Number::F64 => None,
            Number::U16 => u16::try_from(integer).ok().map(u64::from),
            Number::I16 => i16::try_from(integer).ok().map(|n| u64::from(n as u16)),
            Number::U32 | Number::Acc32 => u32::try_from(integer).ok().map(u64::from),
            Number::I32 => i32::try_from(integer).ok().map(|n| u64::from(n as u32)),
            Number::U64 | Number::Acc64 => u64::try_from(integer).ok(),
            Number::I64 => i64::try_from(integer).ok().map(|n| n as u64),
            Number::Bcd16 | Number::Bcd32 | Number::Bcd48 | Number::Bcd64 => {
                bits_of_digits(integer, 4 * self.number.words(), 4, 10)
            }
            Number::Mod10k32 | Number::Mod10k48 | Number::Mod10k64 => {
                bits_of_digits(integer, self.number.words(), 16, 10_000)
            }
        }
    }

    /// The words a meter would send for these bits: the inverse of [`Self::bits`].
    #[must_use]
    pub fn words(self, bits: u64) -> Vec<u16> {
        let count = usize::from(self.number.words());
        let mut words: Vec<u16> = (0..count).rev().map(|i| (bits >> (16 * i)) as u16).collect();
        if self.order.bytes_swapped() {
            words.iter_mut().for_each(|w| *w = w.swap_bytes());
        }
        if self.order.words_reversed() {
            words.reverse();
        }
        words
    }
}

/// A number of `count` digits of base `base`, each `width` bits wide, most significant first.
fn digits(bits: u64, count: u16, width: u32, base: i128, digit: impl Fn(u64) -> i128) -> Raw {
    let mut number = 0;
    for i in (0..u32::from(count)).rev() {
        let digit = digit((bits >> (width * i)) & ((1 << width) - 1));
        if digit <= -base || base <= digit {
            return Raw::NotDigits;
        }
        number = number * base + digit;
    }
    Raw::Integer(number)
}

fn bits_of_digits(mut number: i128, count: u16, width: u32, base: i128) -> Option<u64> {
    let mut bits = 0;
    for i in 0..u32::from(count) {
        bits |= u64::try_from(number.checked_rem(base)?).ok()? << (width * i);
        number /= base;
    }
    (number == 0).then_some(bits)
}

#[cfg(test)]
#[path = "encoding_tests.rs"]
mod tests;
