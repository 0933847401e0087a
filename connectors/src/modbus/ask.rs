//! The closed list of what may be asked of a device: bits and registers (functions 1 to 4) and its identification
//! (function 43, type 14).
//!
//! Must never: gain a request that changes a device. Every byte that leaves for a meter is made from this list.

use profile::Space;

use super::session::ReadError;

const READ_COILS: u8 = 0x01;
const READ_DISCRETE: u8 = 0x02;
const READ_HOLDING: u8 = 0x03;
const READ_INPUT: u8 = 0x04;
const ENCAPSULATED: u8 = 0x2B;
const IDENTIFICATION: u8 = 0x0E;
/// Set in the function of an answer that says no (Modbus application protocol V1.1b3, 7).
pub(super) const REFUSED: u8 = 0x80;
/// Objects of an identification that are kept.
const OBJECTS_MAX: usize = 64;

/// What a device may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// `count` registers of 16 bits, or single bits, from `address` on.
    Words { space: Space, address: u16, count: u16 },
    /// The objects of the level, from `first` on.
    Identity { level: IdentityLevel, first: u8 },
}

/// How much of its identification a device is asked for (Modbus application protocol V1.1b3, 6.21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdentityLevel {
    /// Maker, product code, revision.
    Basic,
    /// Address of the maker, product and model name, and more, as far as the device has them.
    Regular,
}

impl IdentityLevel {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Basic => 1,
            Self::Regular => 2,
        }
    }
}

/// What it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Registers, or bits as words of 0 and 1.
    Words(Vec<u16>),
    Identity(Page),
}

/// A part of an identification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) objects: Vec<(u8, Vec<u8>)>,
    /// Where the device wants to be asked again for the rest.
    pub(super) next: Option<u8>,
}

/// What can be seen of a question in an answer to it: two questions to a device whose answers look alike
/// have the same shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) function: u8,
    /// Bytes of data announced; `None` where the device decides.
    pub(super) bytes: Option<u8>,
}

impl Ask {
    pub(super) const fn function(self) -> u8 {
        match self {
            Self::Words { space: Space::Coil, .. } => READ_COILS,
            Self::Words { space: Space::Discrete, .. } => READ_DISCRETE,
            Self::Words { space: Space::Holding, .. } => READ_HOLDING,
            Self::Words { space: Space::Input, .. } => READ_INPUT,
            Self::Identity { .. } => ENCAPSULATED,
        }
    }

    pub(super) const fn is_for_bits(self) -> bool {
        matches!(self, Self::Words { space, .. } if space.is_bits())
    }

    pub(super) fn shape(self) -> Shape {
        let bytes = match self {
            Self::Words { space, count, .. } => data_bytes(space, usize::from(count)),
            Self::Identity { .. } => None,
        };
        Shape { function: self.function(), bytes }
    }

    /// The request without unit and check sum.
    pub(super) fn pdu(self) -> Vec<u8> {
        match self {
            Self::Words { address, count, .. } => {
                let (a, c) = (address.to_be_bytes(), count.to_be_bytes());
                vec![self.function(), a[0], a[1], c[0], c[1]]
            }
            Self::Identity { level, first } => vec![self.function(), IDENTIFICATION, level.code(), first],
        }
    }

    /// What an answer of this shape holds.
    pub(super) fn answer(self, pdu: &[u8]) -> Result<Answer, ReadError> {
        match self {
            Self::Words { space, count, .. } if space.is_bits() => {
                let data = pdu.get(2..).unwrap_or_default();
                // The first bit is the lowest of the first byte (Modbus application protocol V1.1b3, 6.1).
                let bits = data.iter().flat_map(|byte| (0..8).map(move |bit| u16::from(byte >> bit & 1)));
                Ok(Answer::Words(bits.take(usize::from(count)).collect()))
            }
            Self::Words { .. } => {
                let data = pdu.get(2..).unwrap_or_default();
                Ok(Answer::Words(data.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect()))
            }
            Self::Identity { .. } => page(pdu)
                .map(Answer::Identity)
                .ok_or_else(|| ReadError::Protocol("its identification does not follow the protocol".into())),
        }
    }
}

/// Bytes of data in the answer to a question for so many registers or bits; `None` where no answer can hold them.
pub(super) fn data_bytes(space: Space, count: usize) -> Option<u8> {
    u8::try_from(if space.is_bits() { count.div_ceil(8) } else { count.saturating_mul(2) }).ok()
}

impl Shape {
    /// The shape of an answer that is no refusal; `None` for what no question of ours brings.
    pub(super) fn of(pdu: &[u8]) -> Option<Self> {
        match *pdu {
            [function @ (READ_COILS | READ_DISCRETE | READ_HOLDING | READ_INPUT), bytes, ..] => {
                Some(Self { function, bytes: Some(bytes) })
            }
            [function @ ENCAPSULATED, ..] => Some(Self { function, bytes: None }),
            _ => None,
        }
    }
}

fn page(pdu: &[u8]) -> Option<Page> {
    let [ENCAPSULATED, IDENTIFICATION, _level, _conformity, more, next, count, objects @ ..] = pdu else {
        return None;
    };
    let mut rest = objects;
    let mut page = Page { objects: Vec::new(), next: (*more != 0).then_some(*next) };
    for _ in 0..usize::from(*count).min(OBJECTS_MAX) {
        let [id, length, tail @ ..] = rest else { return None };
        let value = tail.get(..usize::from(*length))?;
        page.objects.push((*id, value.to_vec()));
        rest = &tail[value.len()..];
    }
    Some(page)
}

/// Bytes of a whole identification answer that begins `pdu`; `None` while that cannot be told yet.
pub(super) fn identification_length(pdu: &[u8]) -> Option<usize> {
    let count = usize::from(*pdu.get(6)?);
    let mut at = 7;
    for _ in 0..count {
        at += 2 + usize::from(*pdu.get(at + 1)?);
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_the_bytes_of_the_specification() {
        // The examples of the Modbus application protocol V1.1b3, 6.3, 6.4 and 6.21.
        let holding = Ask::Words { space: Space::Holding, address: 0x006B, count: 3 };
        assert_eq!(holding.pdu(), [0x03, 0x00, 0x6B, 0x00, 0x03]);
        let input = Ask::Words { space: Space::Input, address: 8, count: 1 };
        assert_eq!(input.pdu(), [0x04, 0x00, 0x08, 0x00, 0x01]);
        assert_eq!(
            holding.answer(&[3, 6, 0x02, 0x2B, 0x00, 0x00, 0x00, 0x64]).unwrap(),
            Answer::Words(vec![0x022B, 0, 0x64])
        );
        // 6.1 and 6.2: coils 20-38, discrete inputs 197-218.
        let coils = Ask::Words { space: Space::Coil, address: 0x13, count: 0x13 };
        assert_eq!(coils.pdu(), [0x01, 0x00, 0x13, 0x00, 0x13]);
        let Ok(Answer::Words(bits)) = coils.answer(&[1, 3, 0xCD, 0x6B, 0x05]) else { panic!("no bits") };
        assert_eq!(bits, [1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1]);
        assert_eq!(coils.shape(), Shape { function: 1, bytes: Some(3) });
        let inputs = Ask::Words { space: Space::Discrete, address: 0xC4, count: 0x16 };
        assert_eq!(inputs.pdu(), [0x02, 0x00, 0xC4, 0x00, 0x16]);
        assert_eq!(Shape::of(&[2, 3, 0xAC, 0xDB, 0x35]), Some(inputs.shape()));
        let identity = Ask::Identity { level: IdentityLevel::Basic, first: 0 };
        assert_eq!(identity.pdu(), [0x2B, 0x0E, 0x01, 0x00]);
        let mut pdu = vec![0x2B, 0x0E, 0x01, 0x01, 0x00, 0x00, 0x02, 0x00, 0x03];
        pdu.extend_from_slice(b"Abc");
        assert_eq!(identification_length(&pdu), None);
        pdu.extend_from_slice(&[0x01, 0x01, b'X']);
        assert_eq!(identification_length(&pdu), Some(pdu.len()));
        let page = Page { objects: vec![(0, b"Abc".to_vec()), (1, b"X".to_vec())], next: None };
        assert_eq!(identity.answer(&pdu).unwrap(), Answer::Identity(page));
        assert!(identity.answer(&pdu[..pdu.len() - 1]).is_err());
    }
}
