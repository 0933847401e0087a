//! What a device holds of itself in registers: maker, model, serial number, firmware. For the person at the cabinet;
//! no figure is made of it.
//!
//! Must never: show what is no printable character, or take a text for a reading.

use std::fmt;

use crate::encoding::{Encoding, Raw};
use crate::registers::RegisterRef;
use crate::sunspec::ModelAt;

/// Longest text in registers, in words.
pub const TEXT_WORDS_MAX: u16 = 32;
/// Most texts of one meter's file.
pub const TEXTS_MAX: usize = 16;

/// What a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextName {
    Manufacturer,
    Model,
    SerialNumber,
    Firmware,
    Hardware,
}

impl TextName {
    pub const ALL: [Self; 5] =
        [Self::Manufacturer, Self::Model, Self::SerialNumber, Self::Firmware, Self::Hardware];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Manufacturer => "manufacturer",
            Self::Model => "model",
            Self::SerialNumber => "serial_number",
            Self::Firmware => "firmware",
            Self::Hardware => "hardware",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.code() == code)
    }
}

impl fmt::Display for TextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Characters in registers, two a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Letters {
    /// Registers that are read together.
    pub words: u16,
    /// Of these, those before the text.
    pub skip: u16,
    /// Those of the text itself.
    pub take: u16,
    /// The first of two characters is in the lower byte.
    pub low_byte_first: bool,
}

impl Letters {
    /// A text that fills its registers, the first character in the upper byte.
    #[must_use]
    pub const fn filling(words: u16) -> Self {
        Self { words, skip: 0, take: words, low_byte_first: false }
    }

    /// The text; what is no printable ASCII is left out, and spaces around it too.
    #[must_use]
    pub fn read(self, words: &[u16]) -> String {
        let own = words.iter().skip(usize::from(self.skip)).take(usize::from(self.take));
        let bytes =
            own.flat_map(|word| if self.low_byte_first { word.to_le_bytes() } else { word.to_be_bytes() });
        let text: String = bytes.filter(|b| b.is_ascii_graphic() || *b == b' ').map(char::from).collect();
        text.trim().to_owned()
    }
}

/// How a text lies in its registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    Letters(Letters),
    /// A number, such as a serial number.
    Number(Encoding),
}

/// What the address of a text counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextPlace {
    /// The beginning of the register space.
    Fixed,
    /// The header of this SunSpec model.
    SunSpec(u16),
}

/// One text of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextRegister {
    pub name: TextName,
    pub place: TextPlace,
    pub register: RegisterRef,
    pub form: TextForm,
}

impl TextRegister {
    /// Registers that are read for it.
    #[must_use]
    pub const fn words(&self) -> u16 {
        match self.form {
            TextForm::Letters(letters) => letters.words,
            TextForm::Number(encoding) => encoding.number.words(),
        }
    }

    /// What the registers say.
    #[must_use]
    pub fn read(&self, words: &[u16]) -> String {
        match self.form {
            TextForm::Letters(letters) => letters.read(words),
            TextForm::Number(encoding) => match encoding.bits(words).map(|bits| encoding.number(bits)) {
                Some(Raw::Integer(number)) => number.to_string(),
                Some(Raw::Float(number)) => number.to_string(),
                Some(Raw::NotDigits) | None => String::new(),
            },
        }
    }

    /// The text with an absolute address, on a device with this chain of SunSpec models; `None` where the chain has no
    /// place for it.
    #[must_use]
    pub fn placed(&self, chain: &[ModelAt]) -> Option<Self> {
        let TextPlace::SunSpec(id) = self.place else { return Some(*self) };
        let at = chain.iter().find(|at| at.id == id)?;
        let end = u32::from(self.register.address) + u32::from(self.words());
        let address = at.address.checked_add(self.register.address)?;
        let inside = end <= u32::from(at.length) + u32::from(crate::sunspec::HEADER_WORDS);
        let register = RegisterRef { address, ..self.register };
        inside.then_some(Self { place: TextPlace::Fixed, register, ..*self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{Number, WordOrder};
    use crate::registers::Space;

    #[test]
    fn letters_are_read_from_where_they_stand() {
        let block = [42, 0x374B, 0x4D32, 0x3230, 0x3000, 0x4C51];
        assert_eq!(Letters { skip: 1, take: 4, ..Letters::filling(6) }.read(&block), "7KM2200");
        let swapped = Letters { low_byte_first: true, ..Letters::filling(2) };
        assert_eq!(swapped.read(&[0x5053, 0x4D45]), "SPEM");
        assert_eq!(Letters::filling(2).read(&[0x2041, 0x0020]), "A");
        assert_eq!(Letters::filling(2).read(&[]), "");
    }

    #[test]
    fn a_number_is_shown_as_it_is_and_a_sunspec_text_is_placed() {
        let register = RegisterRef { space: Space::Holding, address: 50 };
        let encoding = Encoding { number: Number::U32, order: WordOrder::Abcd };
        let name = TextName::SerialNumber;
        let text = TextRegister { name, place: TextPlace::Fixed, register, form: TextForm::Number(encoding) };
        assert_eq!((text.words(), text.read(&[1, 2])), (2, "65538".to_owned()));
        assert_eq!(text.read(&[1]), "");
        assert_eq!(text.placed(&[]), Some(text));
        let common = TextRegister {
            place: TextPlace::SunSpec(1),
            form: TextForm::Letters(Letters::filling(16)),
            ..text
        };
        let at = |length| [ModelAt { id: 1, address: 40_002, length }];
        assert_eq!(common.placed(&at(64)).unwrap().register.address, 40_052);
        assert_eq!(common.placed(&at(63)), None, "the model ends before the text does");
        assert_eq!(common.placed(&[]), None);
    }
}
