//! The bytes of a series' state: what an accumulator needs to go on from where it stood, field by field.
//!
//! The form is private to one version of the computing rules: whoever keeps the bytes keeps the version and the settings
//! beside them, and makes the series anew from its readings when either changed.
//!
//! Must never: leave a field out (the macro names them all, so that a new one does not compile without its place here),
//! or believe a length that the bytes do not hold.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use model::{Act, Confidence, DatedAct, Explanation, Instant, Month, Severity};

/// A value with its bytes.
pub(crate) trait Kept: Sized {
    fn keep(&self, out: &mut Vec<u8>);
    /// Takes its bytes off the front; `None` when they are not such a value.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

/// All fields of a struct, in order.
macro_rules! kept {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::checkpoint::Kept for $type {
            fn keep(&self, out: &mut Vec<u8>) {
                $($crate::checkpoint::Kept::keep(&self.$field, out);)*
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                $(let $field = $crate::checkpoint::Kept::take(bytes)?;)*
                Some(Self { $($field),* })
            }
        }
    };
}
pub(crate) use kept;

impl Kept for u64 {
    fn keep(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while 0x80 <= rest {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = bytes.split_first()?;
            *bytes = rest;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && 1 < part {
                return None;
            }
            value |= part << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

impl Kept for i64 {
    fn keep(&self, out: &mut Vec<u8>) {
        // Zigzag: small numbers of either sign are short.
        ((self << 1) ^ (self >> 63)).cast_unsigned().keep(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let raw = u64::take(bytes)?;
        Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }
}

macro_rules! kept_as {
    ($($small:ty as $large:ty;)*) => {$(
        impl Kept for $small {
            fn keep(&self, out: &mut Vec<u8>) {
                (*self as $large).keep(out);
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                Self::try_from(<$large>::take(bytes)?).ok()
            }
        }
    )*};
}
kept_as! {
    u32 as u64;
    usize as u64;
    i32 as i64;
}

impl Kept for bool {
    fn keep(&self, out: &mut Vec<u8>) {
        u64::from(*self).keep(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        match u64::take(bytes)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Kept for f64 {
    fn keep(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bits().to_le_bytes());
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let (bits, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(Self::from_bits(u64::from_le_bytes(*bits)))
    }
}

impl<T: Kept> Kept for Option<T> {
    fn keep(&self, out: &mut Vec<u8>) {
        self.is_some().keep(out);
        if let Some(value) = self {
            value.keep(out);
        }
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        if bool::take(bytes)? { T::take(bytes).map(Some) } else { Some(None) }
    }
}

impl<T: Kept> Kept for Vec<T> {
    fn keep(&self, out: &mut Vec<u8>) {
        self.len().keep(out);
        self.iter().for_each(|value| value.keep(out));
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let length = usize::take(bytes)?;
        // Every value has a byte at least.
        if bytes.len() < length {
            return None;
        }
        (0..length).map(|_| T::take(bytes)).collect()
    }
}

impl<A: Kept, B: Kept> Kept for (A, B) {
    fn keep(&self, out: &mut Vec<u8>) {
        self.0.keep(out);
        self.1.keep(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::take(bytes)?, B::take(bytes)?))
    }
}

impl<K: Kept + Ord, V: Kept> Kept for BTreeMap<K, V> {
    fn keep(&self, out: &mut Vec<u8>) {
        self.len().keep(out);
        for (key, value) in self {
            key.keep(out);
            value.keep(out);
        }
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Vec::<(K, V)>::take(bytes)?.into_iter().collect())
    }
}

impl Kept for Instant {
    fn keep(&self, out: &mut Vec<u8>) {
        self.millis().keep(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        i64::take(bytes).map(Self::from_millis)
    }
}

impl Kept for NaiveDate {
    fn keep(&self, out: &mut Vec<u8>) {
        self.num_days_from_ce().keep(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Self::from_num_days_from_ce_opt(i32::take(bytes)?)
    }
}

impl Kept for Month {
    fn keep(&self, out: &mut Vec<u8>) {
        self.year.keep(out);
        self.number.keep(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Self::new(i32::take(bytes)?, u32::take(bytes)?)
    }
}

/// Values that have a word of their own.
fn keep_word(word: &str, out: &mut Vec<u8>) {
    word.len().keep(out);
    out.extend_from_slice(word.as_bytes());
}

/// The word on the front, if it is one.
pub(crate) fn take_word<'b>(bytes: &mut &'b [u8]) -> Option<&'b str> {
    let length = usize::take(bytes)?;
    let (word, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(word).ok()
}

macro_rules! kept_words {
    ($($type:ty),*) => {$(
        impl Kept for $type {
            fn keep(&self, out: &mut Vec<u8>) {
                keep_word(self.code(), out);
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                Self::parse(take_word(bytes)?)
            }
        }
    )*};
}
kept_words!(Explanation, Confidence, Severity);

/// The code of a finding among those that a series makes.
impl Kept for &'static str {
    fn keep(&self, out: &mut Vec<u8>) {
        keep_word(self, out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let word = take_word(bytes)?;
        crate::series::CODES.into_iter().find(|code| *code == word)
    }
}

impl Kept for DatedAct {
    fn keep(&self, out: &mut Vec<u8>) {
        self.at.keep(out);
        match self.act {
            Act::Explained(explanation) => {
                0_u64.keep(out);
                explanation.keep(out);
            }
            Act::Exchanged { closing, opening } => {
                1_u64.keep(out);
                closing.keep(out);
                opening.keep(out);
            }
            Act::Corrected { total } => {
                2_u64.keep(out);
                total.keep(out);
            }
        }
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let at = Instant::take(bytes)?;
        let act = match u64::take(bytes)? {
            0 => Act::Explained(Explanation::take(bytes)?),
            1 => Act::Exchanged { closing: Kept::take(bytes)?, opening: Kept::take(bytes)? },
            2 => Act::Corrected { total: i64::take(bytes)? },
            _ => return None,
        };
        Some(Self { at, act })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn back<T: Kept>(value: &T) -> Option<T> {
        let mut bytes = Vec::new();
        value.keep(&mut bytes);
        let mut rest = bytes.as_slice();
        T::take(&mut rest).filter(|_| rest.is_empty())
    }

    proptest! {
        #[test]
        fn numbers_come_back(a: i64, b: u64, bits: u64, list: Vec<i64>) {
            prop_assert_eq!(back(&a), Some(a));
            prop_assert_eq!(back(&b), Some(b));
            prop_assert_eq!(back(&f64::from_bits(bits)).map(f64::to_bits), Some(bits));
            prop_assert_eq!(back(&list), Some(list));
        }

        #[test]
        fn foreign_bytes_are_refused_and_never_panic(bytes: Vec<u8>) {
            let mut rest = bytes.as_slice();
            let _any: Option<Vec<(DatedAct, Option<Month>)>> = Kept::take(&mut rest);
            let mut rest = bytes.as_slice();
            let _any: Option<BTreeMap<(Month, &'static str), Vec<f64>>> = Kept::take(&mut rest);
        }
    }

    #[test]
    fn a_length_beyond_the_bytes_is_refused() {
        let mut bytes: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2];
        assert_eq!(Vec::<u64>::take(&mut bytes), None);
        let mut bytes: &[u8] = &[0xff; 11];
        assert_eq!(u64::take(&mut bytes), None);
    }
}
