//! Columns of integers as few bytes, and whole bodies with a version and a check sum around them.
//!
//! A column is a mode byte (0 plain, 1 differences, 2 differences of differences), the first value (modes 1 and 2)
//! and the first difference (mode 2), then groups of [`GROUP`] integers: the width in bits, the smallest, and what
//! each is above the smallest, bits packed from the lowest on. Integers outside groups are zigzag varints.
//!
//! Must never: give back another integer than was put in, or trust what it decodes; `docs/store.md` is its
//! description for strangers.

/// Integers of a group.
const GROUP: usize = 64;
/// Bytes of a full group at the greatest width, and room to read eight bytes at any of them.
const GROUP_BYTES_MAX: usize = GROUP * 8 + 16;
/// The body's form; another form gets another number.
const VERSION: u8 = 1;
/// Version and check sum before the content.
const HEAD_BYTES: usize = 5;

/// Most readings of a body: a forged count must not ask for memory without end.
pub(crate) const BODY_READINGS_MAX: usize = 1 << 24;

/// Begins a body; [`seal`] ends it.
pub(crate) fn begin(body: &mut Vec<u8>) {
    body.clear();
    body.extend_from_slice(&[VERSION, 0, 0, 0, 0]);
}

/// Puts the check sum of the content in its place.
pub(crate) fn seal(body: &mut [u8]) {
    if let Some((head, content)) = body.split_at_mut_checked(HEAD_BYTES) {
        let sum = crc32fast::hash(content).to_le_bytes();
        head[1..].copy_from_slice(&sum);
    }
}

/// The content of a body whose check sum fits; `None` for another version or damaged bytes.
pub(crate) fn open(body: &[u8]) -> Option<Input<'_>> {
    let (head, content) = body.split_at_checked(HEAD_BYTES)?;
    let sound = head[0] == VERSION && head[1..] == crc32fast::hash(content).to_le_bytes();
    sound.then_some(Input(content))
}

pub(crate) fn put_varint(mut value: u64, to: &mut Vec<u8>) {
    while 0x80 <= value {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// What is left to decode.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// How many readings follow.
    pub(crate) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok().filter(|count| *count <= BODY_READINGS_MAX)
    }

    /// A column of `count` integers.
    pub(crate) fn column(&mut self, count: usize) -> Option<Vec<i64>> {
        let mode = self.byte().filter(|mode| *mode <= 2)?;
        let heads = usize::from(mode).min(count);
        let mut values = Vec::with_capacity(count);
        for _ in 0..heads {
            values.push(unzigzag(self.varint()?));
        }
        while values.len() < count {
            self.group((count - values.len()).min(GROUP), &mut values)?;
        }
        match (mode, heads) {
            (1, 1) => sum_up(&mut values[..], 0),
            (2, 2) => {
                // The second stands as a difference already; from it on differences of differences follow.
                sum_up(&mut values[1..], 0);
                sum_up(&mut values[..], 0);
            }
            (2, 1) | (_, 0) => {}
            _ => return None,
        }
        Some(values)
    }

    fn group(&mut self, count: usize, to: &mut Vec<i64>) -> Option<()> {
        let width = self.byte().filter(|width| *width <= 64)?;
        let smallest = unzigzag(self.varint()?);
        let packed = self.take((count * usize::from(width)).div_ceil(8))?;
        match width {
            0 => to.extend(std::iter::repeat_n(smallest, count)),
            1..=56 => {
                let mut bytes = [0; GROUP_BYTES_MAX];
                bytes[..packed.len()].copy_from_slice(packed);
                let mask = (1_u64 << width) - 1;
                to.extend((0..count).map(|i| {
                    let bit = i * usize::from(width);
                    let word = word_at(&bytes, bit / 8) >> (bit % 8);
                    smallest.wrapping_add((word & mask) as i64)
                }));
            }
            _ => {
                let mut bytes = [0; GROUP_BYTES_MAX];
                bytes[..packed.len()].copy_from_slice(packed);
                let mask = u128::from(u64::MAX >> (64 - width));
                to.extend((0..count).map(|i| {
                    let bit = i * usize::from(width);
                    let low = u128::from(word_at(&bytes, bit / 8));
                    let high = u128::from(word_at(&bytes, bit / 8 + 8));
                    let word = (low | high << 64) >> (bit % 8);
                    smallest.wrapping_add((word & mask) as i64)
                }));
            }
        }
        Some(())
    }
}

/// Eight bytes from a place on, lowest first.
fn word_at(bytes: &[u8; GROUP_BYTES_MAX], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn sum_up(values: &mut [i64], from: i64) {
    let mut sum = from;
    for value in values {
        sum = sum.wrapping_add(*value);
        *value = sum;
    }
}

/// Writes a column in the mode that makes it smallest.
pub(crate) fn put_column(values: &[i64], to: &mut Vec<u8>) {
    let plain = cost::<0>(values, usize::MAX);
    // Of differences as costly as the values, the values are taken.
    let once = cost::<1>(values, plain);
    let twice = cost::<2>(values, plain.min(once));
    let first = values.first().copied().unwrap_or_default();
    if twice < once && twice < plain {
        to.push(2);
        put_varint(zigzag(first), to);
        put_varint(zigzag(values.get(1).copied().unwrap_or_default().wrapping_sub(first)), to);
        put_groups::<2>(values, to);
    } else if once < plain {
        to.push(1);
        put_varint(zigzag(first), to);
        put_groups::<1>(values, to);
    } else {
        to.push(0);
        put_groups::<0>(values, to);
    }
}

/// Gives what a group of a mode is made of: values, differences, or differences of differences.
fn each<const MODE: usize>(part: &[i64], mut take: impl FnMut(i64)) {
    let (next, last) = (part.get(1..).unwrap_or_default(), part.get(2..).unwrap_or_default());
    match MODE {
        0 => part.iter().for_each(|a| take(*a)),
        1 => part.iter().zip(next).for_each(|(a, b)| take(b.wrapping_sub(*a))),
        _ => {
            let threes = part.iter().zip(next).zip(last);
            threes.for_each(|((a, b), c)| take(c.wrapping_sub(*b).wrapping_sub(b.wrapping_sub(*a))));
        }
    }
}

/// The values behind each group of a mode: those of the group, and as many more as the mode looks back.
fn groups<const MODE: usize>(values: &[i64]) -> impl Iterator<Item = &[i64]> {
    let count = values.len().saturating_sub(MODE);
    let part = move |from: usize| values.get(from..(from + GROUP).min(count) + MODE).unwrap_or_default();
    (0..count).step_by(GROUP).map(part)
}

/// Smallest of a group and the bits that each needs above it.
fn extent<const MODE: usize>(part: &[i64]) -> (i64, u32) {
    let (mut smallest, mut largest) = (i64::MAX, i64::MIN);
    each::<MODE>(part, |value| {
        smallest = smallest.min(value);
        largest = largest.max(value);
    });
    (smallest, 64 - (largest.wrapping_sub(smallest) as u64).leading_zeros())
}

/// Bits that the groups take, or some number not below `enough` as soon as they take as many.
fn cost<const MODE: usize>(values: &[i64], enough: usize) -> usize {
    let mut sum = 0;
    for part in groups::<MODE>(values) {
        let (smallest, width) = extent::<MODE>(part);
        // A byte for the width, a byte for each seven bits of the smallest.
        let smallest_bits = 64 - (zigzag(smallest) | 1).leading_zeros() as usize;
        sum += 8 + 8 * smallest_bits.div_ceil(7) + (part.len() - MODE) * width as usize;
        if enough <= sum {
            break;
        }
    }
    sum
}

fn put_groups<const MODE: usize>(values: &[i64], to: &mut Vec<u8>) {
    for part in groups::<MODE>(values) {
        let (smallest, width) = extent::<MODE>(part);
        to.push(width as u8);
        put_varint(zigzag(smallest), to);
        if width == 0 {
            continue;
        }
        let (mut waiting, mut bits) = (0_u128, 0);
        each::<MODE>(part, |value| {
            waiting |= u128::from(value.wrapping_sub(smallest) as u64) << bits;
            bits += width;
            while 64 <= bits {
                to.extend_from_slice(&(waiting as u64).to_le_bytes());
                waiting >>= 64;
                bits -= 64;
            }
        });
        to.extend_from_slice(&(waiting as u64).to_le_bytes()[..bits.div_ceil(8) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(values: &[i64]) -> usize {
        let mut body = Vec::new();
        begin(&mut body);
        put_column(values, &mut body);
        seal(&mut body);
        let mut input = open(&body).unwrap();
        assert_eq!(input.column(values.len()).unwrap(), values);
        assert!(input.0.is_empty());
        body.len() - HEAD_BYTES
    }

    #[test]
    fn regular_columns_are_small() {
        let minutes: Vec<i64> = (0..4_096).map(|i| 1_700_000_000_000 + i * 60_000).collect();
        assert!(round(&minutes) < 150);
        let totals: Vec<i64> = (0..4_096).map(|i| 10_000 + i + (i * 7919 % 3)).collect();
        assert!(round(&totals) < 4_096 * 4 / 8);
        assert!(round(&vec![40; 4_096]) < 200);
    }

    #[test]
    fn short_and_extreme_columns_come_back() {
        for values in [
            vec![],
            vec![7],
            vec![7, -9],
            vec![i64::MIN, i64::MAX, 0, i64::MAX, i64::MIN],
            vec![i64::MIN; 70],
            (0..200).map(|i: i64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64)).collect(),
        ] {
            round(&values);
        }
    }

    #[test]
    fn damage_is_noticed_and_no_bytes_panic() {
        let mut body = Vec::new();
        begin(&mut body);
        put_column(&[1, 2, 300, -4], &mut body);
        seal(&mut body);
        for at in 0..body.len() {
            let mut torn = body.clone();
            torn[at] ^= 0x10;
            assert!(open(&torn).is_none(), "byte {at}");
            assert!(open(&body[..at]).is_none(), "cut at {at}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_column_comes_back(values in proptest::collection::vec(
            proptest::prop_oneof![proptest::num::i64::ANY, -3_i64..3, 1_700_000_000_000_i64..1_700_000_100_000], 0..300)) {
            round(&values);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), count in 0_usize..500) {
            if let Some(values) = Input(&bytes).column(count) {
                proptest::prop_assert_eq!(values.len(), count);
            }
        }
    }
}
