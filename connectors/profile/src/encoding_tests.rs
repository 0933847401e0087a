//! Every type in every order, written out.
//!
//! Must never: compute the words that are expected.

use super::*;

fn words(hex: &str) -> Vec<u16> {
    hex.split(' ').map(|word| u16::from_str_radix(word, 16).unwrap()).collect()
}

/// One number a type, and its registers in the orders ABCD, CDAB, BADC and DCBA.
#[test]
fn every_type_is_read_in_every_order() {
    let table = [
        (Number::U16, Raw::Integer(0x1234), ["1234", "1234", "3412", "3412"]),
        (Number::I16, Raw::Integer(-4660), ["edcc", "edcc", "cced", "cced"]),
        (Number::U32, Raw::Integer(0x1234_5678), ["1234 5678", "5678 1234", "3412 7856", "7856 3412"]),
        (Number::I32, Raw::Integer(-305_419_896), ["edcb a988", "a988 edcb", "cbed 88a9", "88a9 cbed"]),
        (
            Number::U64,
            Raw::Integer(0x8123_4567_89AB_CDEF),
            ["8123 4567 89ab cdef", "cdef 89ab 4567 8123", "2381 6745 ab89 efcd", "efcd ab89 6745 2381"],
        ),
        (
            Number::I64,
            Raw::Integer(-81_985_529_216_486_895),
            ["fedc ba98 7654 3211", "3211 7654 ba98 fedc", "dcfe 98ba 5476 1132", "1132 5476 98ba dcfe"],
        ),
        (Number::F32, Raw::Float(-12345.625), ["c640 e680", "e680 c640", "40c6 80e6", "80e6 40c6"]),
        (
            Number::F64,
            Raw::Float(12345.6),
            ["40c8 1ccc cccc cccd", "cccd cccc 1ccc 40c8", "c840 cc1c cccc cdcc", "cdcc cccc cc1c c840"],
        ),
        (Number::Acc32, Raw::Integer(0x1234_5678), ["1234 5678", "5678 1234", "3412 7856", "7856 3412"]),
        (
            Number::Acc64,
            Raw::Integer(0x0123_4567_89AB_CDEF),
            ["0123 4567 89ab cdef", "cdef 89ab 4567 0123", "2301 6745 ab89 efcd", "efcd ab89 6745 2301"],
        ),
        (Number::Bcd16, Raw::Integer(9876), ["9876", "9876", "7698", "7698"]),
        (Number::Bcd32, Raw::Integer(98_765_432), ["9876 5432", "5432 9876", "7698 3254", "3254 7698"]),
        (
            Number::Bcd48,
            Raw::Integer(987_654_321_012),
            ["9876 5432 1012", "1012 5432 9876", "7698 3254 1210", "1210 3254 7698"],
        ),
        (
            Number::Bcd64,
            Raw::Integer(9_876_543_210_123_456),
            ["9876 5432 1012 3456", "3456 1012 5432 9876", "7698 3254 1210 5634", "5634 1210 3254 7698"],
        ),
        (Number::Mod10k32, Raw::Integer(12_345_678), ["04d2 162e", "162e 04d2", "d204 2e16", "2e16 d204"]),
        (
            Number::Mod10k48,
            Raw::Integer(1_234_567_890),
            ["000c 0d80 1ed2", "1ed2 0d80 000c", "0c00 800d d21e", "d21e 800d 0c00"],
        ),
        (
            Number::Mod10k64,
            Raw::Integer(-1_234_567_890_123),
            ["ffff f6d7 e57b ff85", "ff85 e57b f6d7 ffff", "ffff d7f6 7be5 85ff", "85ff 7be5 d7f6 ffff"],
        ),
    ];
    assert_eq!(table.map(|(number, ..)| number), Number::ALL, "every type is in the table");
    for (number, value, registers) in table {
        for (order, hex) in WordOrder::ALL.into_iter().zip(registers) {
            let (encoding, words) = (Encoding { number, order }, words(hex));
            assert_eq!(words.len(), usize::from(number.words()), "{encoding:?}");
            let bits = encoding.bits(&words).unwrap();
            assert_eq!(encoding.number(bits), value, "{encoding:?}");
            assert_eq!(encoding.words(bits), words, "{encoding:?}");
            assert_eq!(encoding.bits(&words[1..]), None, "{encoding:?} with too few words");
            let back = encoding.bits_of(value);
            // A group of digits below 0 has a bit pattern a group, which no single number gives back.
            assert!(back == Some(bits) || number == Number::Mod10k64, "{encoding:?}");
        }
    }
}

#[test]
fn what_are_no_digits_is_no_number() {
    let read = |number, hex: &str| {
        let encoding = Encoding { number, order: WordOrder::Abcd };
        encoding.number(encoding.bits(&words(hex)).unwrap())
    };
    assert_eq!(read(Number::Bcd16, "12a4"), Raw::NotDigits);
    assert_eq!(read(Number::Bcd64, "0000 0000 0000 000f"), Raw::NotDigits);
    assert_eq!(read(Number::Mod10k32, "0001 2710"), Raw::NotDigits);
    assert_eq!(read(Number::Mod10k32, "d8f0 0000"), Raw::NotDigits);
    assert_eq!(read(Number::Mod10k32, "0001 270f"), Raw::Integer(19_999));
}

#[test]
fn a_number_that_the_type_cannot_hold_has_no_bits() {
    let bits = |number, n| Encoding { number, order: WordOrder::Abcd }.bits_of(Raw::Integer(n));
    assert_eq!(bits(Number::U16, 65_535), Some(0xFFFF));
    for (number, n) in [
        (Number::U16, 65_536),
        (Number::I16, 32_768),
        (Number::U32, -1),
        (Number::U64, 1 << 64),
        (Number::Bcd16, 10_000),
        (Number::Bcd16, -1),
        (Number::Mod10k32, 100_000_000),
    ] {
        assert_eq!(bits(number, n), None, "{number:?} {n}");
    }
    let acc = Number::Acc32;
    assert!(acc.is_absent(0) && !acc.is_absent(1) && !Number::U32.is_absent(0));
}

proptest::proptest! {
    #[test]
    fn words_and_bits_are_inverse(bits: u64, n in 0_usize..17, o in 0_usize..4) {
        let e = Encoding { number: Number::ALL[n], order: WordOrder::ALL[o] };
        let width = 16 * u32::from(e.number.words());
        let bits = if width == 64 { bits } else { bits & ((1 << width) - 1) };
        proptest::prop_assert_eq!(e.bits(&e.words(bits)), Some(bits));
    }
}
