//! How a device says which model it is: the questions, and what must be answered.
//!
//! Must never: ask a device, or take a refusal for a yes.

use crate::encoding::Encoding;
use crate::registers::RegisterRef;
use crate::texts::Letters;

/// One way in which a device shows that it is of a model: all checks must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identification {
    pub checks: Vec<Check>,
}

/// One thing a device of the model answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// These registers hold exactly these words.
    Registers { register: RegisterRef, words: Vec<u16> },
    /// The bits of this number are one of these.
    OneOf { register: RegisterRef, encoding: Encoding, values: Vec<u64> },
    /// The text in these registers begins so, whatever the case of its letters.
    Text { register: RegisterRef, letters: Letters, starts_with: String },
    /// So many registers are there, whatever they hold: a device of another profile refuses them. Alone this tells
    /// no model.
    There { register: RegisterRef, words: u16 },
    /// The object of function 43/14 (read device identification) contains this, whatever the case of its
    /// letters: 0 maker, 1 product code, 4 product name, 5 model name.
    DeviceId { object: u8, contains: String },
}

/// What must be asked to judge a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// That many registers from this one on.
    Registers { register: RegisterRef, count: u16 },
    /// One object of function 43/14.
    DeviceId { object: u8 },
}

/// What a device answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Words(Vec<u16>),
    /// The bytes of the object, as text.
    Object(String),
    /// An exception: the device does not know the registers or the function.
    Refused,
}

impl Identification {
    /// Whether every check holds. `ask` is called once a check, in their order, until one fails.
    pub fn holds(&self, mut ask: impl FnMut(Question) -> Answer) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.holds(&ask(check.question())))
    }
}

impl Check {
    /// What to ask the device.
    #[must_use]
    pub fn question(&self) -> Question {
        match self {
            Self::Registers { register, words } => {
                let count = u16::try_from(words.len()).unwrap_or(u16::MAX);
                Question::Registers { register: *register, count }
            }
            Self::OneOf { register, encoding, .. } => {
                Question::Registers { register: *register, count: encoding.number.words() }
            }
            Self::Text { register, letters, .. } => {
                Question::Registers { register: *register, count: letters.words }
            }
            Self::There { register, words } => Question::Registers { register: *register, count: *words },
            Self::DeviceId { object, .. } => Question::DeviceId { object: *object },
        }
    }

    /// Whether the answer to [`Self::question`] is that of this model.
    #[must_use]
    pub fn holds(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Registers { words, .. }, Answer::Words(read)) => words == read,
            (Self::OneOf { encoding, values, .. }, Answer::Words(read)) => {
                encoding.bits(read).is_some_and(|bits| values.contains(&bits))
            }
            (Self::Text { letters, starts_with, .. }, Answer::Words(read)) => {
                letters.read(read).to_ascii_lowercase().starts_with(&starts_with.to_ascii_lowercase())
            }
            (Self::There { words, .. }, Answer::Words(read)) => read.len() == usize::from(*words),
            (Self::DeviceId { contains, .. }, Answer::Object(object)) => {
                object.to_ascii_lowercase().contains(&contains.to_ascii_lowercase())
            }
            (_, Answer::Refused)
            | (Self::DeviceId { .. }, Answer::Words(_))
            | (
                Self::Registers { .. } | Self::OneOf { .. } | Self::Text { .. } | Self::There { .. },
                Answer::Object(_),
            ) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{Number, WordOrder};
    use crate::registers::Space;

    #[test]
    fn every_check_judges_its_own_kind_of_answer() {
        let register = RegisterRef { space: Space::Holding, address: 0xC350 };
        let soco = [0x0053, 0x004F, 0x0043, 0x004F];
        let words = Check::Registers { register, words: soco.to_vec() };
        assert_eq!(words.question(), Question::Registers { register, count: 4 });
        assert!(words.holds(&Answer::Words(soco.to_vec())));
        assert!(!words.holds(&Answer::Words(vec![0x0053])));
        let text = Check::Text { register, letters: Letters::filling(3), starts_with: "so".into() };
        assert!(text.holds(&Answer::Words(vec![0x534F, 0x434F, 0x0000, 0x4141])));
        assert!(!text.holds(&Answer::Words(vec![0x434F])));
        let encoding = Encoding { number: Number::U16, order: WordOrder::Abcd };
        let code = Check::OneOf { register, encoding, values: vec![1648, 1649] };
        assert!(code.holds(&Answer::Words(vec![1649])) && !code.holds(&Answer::Words(vec![1650])));
        assert!(!code.holds(&Answer::Words(vec![])) && !code.holds(&Answer::Object("1649".into())));
        let id = Check::DeviceId { object: 0, contains: "schneider".into() };
        assert!(id.holds(&Answer::Object("Schneider Electric".into())));
        let there = Check::There { register, words: 2 };
        assert!(there.holds(&Answer::Words(vec![0, 0])) && !there.holds(&Answer::Words(vec![0])));
        for check in [words, text, code, id, there] {
            assert!(!check.holds(&Answer::Refused), "{check:?}");
        }
    }

    #[test]
    fn all_checks_must_hold_and_none_is_no_identification() {
        let register = RegisterRef { space: Space::Input, address: 11 };
        let check = |word| Check::Registers { register, words: vec![word] };
        let both = Identification { checks: vec![check(1), check(2)] };
        assert!(!both.holds(|_| Answer::Words(vec![1])));
        assert!(Identification { checks: vec![check(1)] }.holds(|_| Answer::Words(vec![1])));
        assert!(!Identification { checks: vec![] }.holds(|_| Answer::Words(vec![1])));
    }
}
