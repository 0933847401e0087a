//! Frames of Modbus RTU: unit, request or answer, check sum. Finds whole frames in a stream of bytes by their
//! length and check sum, whoever they are from.
//!
//! Must never: take a frame whose check sum is wrong, or look for a frame inside another one that may still be
//! arriving.

use super::ask::{REFUSED, Shape, identification_length};

/// Longest frame (Modbus over serial line V1.02, 2.5.1).
const FRAME_MAX: usize = 256;
/// Unit and check sum around the data.
const AROUND: usize = 3;

/// The check sum (Modbus over serial line V1.02, 6.2.2): polynomial 0xA001, begun at 0xFFFF, low byte sent first.
pub(super) fn check_sum(bytes: &[u8]) -> u16 {
    let mut sum = 0xFFFF_u16;
    for byte in bytes {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            let carry = sum & 1;
            sum >>= 1;
            if carry == 1 {
                sum ^= 0xA001;
            }
        }
    }
    sum
}

/// A whole frame around a request.
pub(super) fn frame(unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(pdu.len() + AROUND);
    frame.push(unit);
    frame.extend_from_slice(pdu);
    let sum = check_sum(&frame);
    frame.extend_from_slice(&sum.to_le_bytes());
    frame
}

/// A frame with a right check sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// What a device says.
    Answer { unit: u8, pdu: Vec<u8> },
    /// What a master asks: the echo of our own request, or another master on the line.
    Request(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Answer,
    Request,
}

/// What the bytes at hand may become.
enum Length {
    Known(usize),
    /// More bytes are needed to tell.
    Open,
}

/// The bytes that came and are not understood yet.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    buffer: Vec<u8>,
}

impl Receiver {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole frame. `expected` settles what bytes are that could begin an answer as well as a request;
    /// `stalled` says that no more bytes will come for what has begun. Counts in `garbled` what fits nothing.
    pub(super) fn next(
        &mut self,
        expected: Option<(u8, Shape)>,
        stalled: bool,
        garbled: &mut usize,
    ) -> Option<Seen> {
        let mut at = 0;
        let found = loop {
            let rest = self.buffer.get(at..).unwrap_or_default();
            if rest.is_empty() {
                break None;
            }
            match look(rest, expected) {
                Look::Frame(kind, length) => break Some((kind, length)),
                Look::Open if !stalled => break None,
                Look::Open | Look::Nothing => at += 1,
            }
        };
        *garbled += at;
        self.buffer.drain(..at);
        let (kind, length) = found?;
        let bytes: Vec<u8> = self.buffer.drain(..length).collect();
        Some(match kind {
            Kind::Answer => {
                let pdu = bytes.get(1..length - 2).unwrap_or_default().to_vec();
                Seen::Answer { unit: bytes.first().copied().unwrap_or_default(), pdu }
            }
            Kind::Request => Seen::Request(bytes),
        })
    }
}

enum Look {
    Frame(Kind, usize),
    Open,
    Nothing,
}

/// What the bytes begin with.
fn look(bytes: &[u8], expected: Option<(u8, Shape)>) -> Look {
    let [unit, function, ..] = *bytes else { return Look::Open };
    let ours = expected.is_some_and(|(ours, shape)| {
        let announced = shape.bytes.is_none_or(|bytes_wanted| bytes.get(2) == Some(&bytes_wanted));
        ours == unit && shape.function == function && announced
    });
    let mut open = false;
    for (kind, length) in lengths(function, bytes).into_iter().flatten() {
        match length {
            Length::Known(length) if FRAME_MAX < length => {}
            Length::Known(length) if length <= bytes.len() => {
                if sound(bytes.get(..length).unwrap_or_default()) {
                    return Look::Frame(kind, length);
                }
            }
            _ if FRAME_MAX <= bytes.len() => {}
            // Half an answer of ours may look like a whole request by chance: it is awaited.
            Length::Known(_) | Length::Open if ours && kind == Kind::Answer => return Look::Open,
            Length::Known(_) | Length::Open => open = true,
        }
    }
    if open { Look::Open } else { Look::Nothing }
}

fn sound(frame: &[u8]) -> bool {
    frame.split_last_chunk::<2>().is_some_and(|(bytes, sum)| check_sum(bytes) == u16::from_le_bytes(*sum))
}

/// How long a frame with this function can be, as an answer and as a request. Functions that nobody may ask of a
/// meter through this program are known too, since another master may use them on the same line.
fn lengths(function: u8, bytes: &[u8]) -> [Option<(Kind, Length)>; 2] {
    let counted = |at: usize, around: usize| match bytes.get(at) {
        Some(count) => Length::Known(around + usize::from(*count)),
        None => Length::Open,
    };
    match function {
        0x01..=0x04 => [Some((Kind::Answer, counted(2, 5))), Some((Kind::Request, Length::Known(8)))],
        0x05 | 0x06 => [Some((Kind::Request, Length::Known(8))), None],
        0x0F | 0x10 => [Some((Kind::Request, Length::Known(8))), Some((Kind::Request, counted(6, 9)))],
        0x2B => {
            let pdu = bytes.get(1..).unwrap_or_default();
            let answer = identification_length(pdu).map_or(Length::Open, |n| Length::Known(n + AROUND));
            [Some((Kind::Answer, answer)), Some((Kind::Request, Length::Known(7)))]
        }
        _ if function & REFUSED != 0 => [Some((Kind::Answer, Length::Known(5))), None],
        _ => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ASKED: Shape = Shape { function: 3, bytes: Some(4) };

    fn answer(unit: u8, pdu: &[u8]) -> Seen {
        Seen::Answer { unit, pdu: pdu.to_vec() }
    }

    fn all(receiver: &mut Receiver, stalled: bool) -> (Vec<Seen>, usize) {
        let mut garbled = 0;
        let mut seen = Vec::new();
        while let Some(frame) = receiver.next(Some((7, ASKED)), stalled, &mut garbled) {
            seen.push(frame);
        }
        (seen, garbled)
    }

    #[test]
    fn the_check_sum_is_that_of_the_specification() {
        // Modbus over serial line V1.02, 6.2.2: 02 07 is followed by 41 12.
        assert_eq!(frame(0x02, &[0x07]), [0x02, 0x07, 0x41, 0x12]);
        // The catalogue value of CRC-16/MODBUS over "123456789".
        assert_eq!(check_sum(b"123456789"), 0x4B37);
    }

    #[test]
    fn frames_are_found_behind_noise_and_behind_others() {
        let mut bytes = vec![0x00, 0xFF];
        bytes.extend(frame(7, &[3, 0, 0, 0, 2]));
        bytes.extend(frame(9, &[4, 2, 0x12, 0x34]));
        bytes.extend(frame(7, &[0x83, 2]));
        bytes.extend(frame(7, &[3, 4, 1, 2, 3, 4]));
        let mut receiver = Receiver::default();
        // One by one, as a slow line brings them.
        let mut seen = Vec::new();
        let mut garbled = 0;
        for byte in bytes {
            receiver.push(&[byte]);
            let (frames, noise) = all(&mut receiver, false);
            seen.extend(frames);
            garbled += noise;
        }
        assert_eq!(
            seen,
            [
                Seen::Request(frame(7, &[3, 0, 0, 0, 2])),
                answer(9, &[4, 2, 0x12, 0x34]),
                answer(7, &[0x83, 2]),
                answer(7, &[3, 4, 1, 2, 3, 4]),
            ]
        );
        assert_eq!((garbled, receiver.is_empty()), (2, true));
    }

    #[test]
    fn a_frame_that_stopped_in_the_middle_does_not_swallow_the_next() {
        let mut receiver = Receiver::default();
        // Announces 200 bytes and brings three.
        receiver.push(&[9, 3, 200, 1, 2, 3]);
        receiver.push(&frame(7, &[3, 4, 1, 2, 3, 4]));
        assert_eq!(all(&mut receiver, false), (vec![], 0));
        assert_eq!(all(&mut receiver, true), (vec![answer(7, &[3, 4, 1, 2, 3, 4])], 6));
    }

    #[test]
    fn one_wrong_bit_anywhere_makes_a_frame_nothing() {
        let good = frame(7, &[3, 4, 1, 2, 3, 4]);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let mut receiver = Receiver::default();
            receiver.push(&bad);
            assert_eq!(all(&mut receiver, true), (vec![], bad.len()), "bit {bit}");
        }
    }

    proptest! {
        /// Whatever comes is understood or thrown away, within bounds.
        #[test]
        fn nothing_stays_after_silence(chunks in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..300), 0..5,
        )) {
            let mut receiver = Receiver::default();
            for chunk in &chunks {
                receiver.push(chunk);
                all(&mut receiver, false);
                prop_assert!(receiver.buffer.len() <= FRAME_MAX);
            }
            all(&mut receiver, true);
            prop_assert!(receiver.is_empty());
        }

        #[test]
        fn what_was_framed_is_found(unit in 1_u8..248, words in proptest::collection::vec(any::<u16>(), 1..=125)) {
            let mut pdu = vec![4, u8::try_from(words.len() * 2).unwrap()];
            pdu.extend(words.iter().flat_map(|w| w.to_be_bytes()));
            let shape = Shape { function: 4, bytes: Some(pdu[1]) };
            let mut receiver = Receiver::default();
            let mut seen = None;
            for byte in frame(unit, &pdu) {
                receiver.push(&[byte]);
                prop_assert!(seen.is_none());
                seen = receiver.next(Some((unit, shape)), false, &mut 0);
            }
            prop_assert_eq!(seen, Some(Seen::Answer { unit, pdu }));
        }
    }
}
