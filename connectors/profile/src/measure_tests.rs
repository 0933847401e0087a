//! What words say, type by type and order by order, and when they say nothing.
//!
//! Must never: compare with a second implementation of the decoder; expectations are written out.

use model::{Phase, Quantity};
use proptest::prelude::*;

use super::*;
use crate::encoding::{Number, WordOrder};
use crate::registers::Space;

pub(crate) fn measure(address: u16, number: Number) -> Measure {
    Measure::new(
        Channel { quantity: Quantity::ActiveEnergyImport, phase: Phase::Total },
        RegisterRef { space: Space::Input, address },
        Encoding { number, order: WordOrder::Abcd },
        Unit::KilowattHour,
        Range { from: 0.0, to: 1e12 },
    )
}

#[test]
fn an_integer_register_of_tenths_is_exact() {
    let m = Measure { scale: Decimal::from_f64(0.1).unwrap(), ..measure(0, Number::I32) };
    assert_eq!(m.decode(&[0, 3]), Decoded::Value(Value::Total(300)));
    assert_eq!(m.decode(&[0x0000, 0x0001]), Decoded::Value(Value::Total(100)));
    assert_eq!(m.decode(&[0xFFFF, 0xFFFF]), Decoded::Implausible(Value::Total(-100), m.plausible));
    assert_eq!(m.decode(&[1]), Decoded::Missing);
}

#[test]
fn sentinels_and_nan_are_no_values() {
    let m = Measure { sentinels: vec![0x7FFF_FFFF], ..measure(0, Number::I32) };
    assert_eq!(m.decode(&[0x7FFF, 0xFFFF]), Decoded::Sentinel { bits: 0x7FFF_FFFF });
    let m = measure(0, Number::F32);
    assert_eq!(m.decode(&[0x7FC0, 0]), Decoded::NotANumber { bits: 0x7FC0_0000 });
    assert_eq!(m.decode(&[0x7F80, 0]), Decoded::NotANumber { bits: 0x7F80_0000 });
    let m = measure(0, Number::F64);
    assert!(matches!(m.decode(&[0x7FEF, 0xFFFF, 0xFFFF, 0xFFFF]), Decoded::Overflow { .. }));
    let m = measure(0, Number::U64);
    assert!(matches!(m.decode(&[0xFFFF; 4]), Decoded::Overflow { .. }));
}

fn at(address: u16) -> RegisterRef {
    RegisterRef { space: Space::Input, address }
}

fn part(address: u16, number: Number, scale: &str) -> Part {
    Part {
        register: at(address),
        encoding: Encoding { number, order: WordOrder::Abcd },
        scale: Decimal::parse(scale).unwrap(),
        sentinels: Vec::new(),
    }
}

/// A power of ten in a signed register, as SunSpec has them.
fn power_of_ten(address: u16) -> Factor {
    let encoding = Encoding { number: Number::I16, order: WordOrder::Abcd };
    Factor { register: at(address), encoding, rule: FactorRule::PowerOfTen, sentinels: vec![0x8000] }
}

/// What a measure in Wh reads, or why nothing.
fn wh(m: &Measure, words: &[u16]) -> Result<i64, Decoded> {
    match m.decode(words) {
        Decoded::Value(Value::Total(total)) => Ok(total),
        other => Err(other),
    }
}

#[test]
fn digit_groups_split_over_registers_add_up_exactly() {
    // Wh up to 999 999 in the first number, MWh in the second, as IME meters keep it.
    let m = Measure {
        unit: Unit::WattHour,
        plus: vec![part(2, Number::U32, "1000000")],
        ..measure(0, Number::U32)
    };
    assert_eq!(m.span(), (0, 3));
    assert_eq!(wh(&m, &[0x000F, 0x423F, 0, 12]), Ok(12_999_999));
    assert_eq!(wh(&m, &[0, 0, 0, 13]), Ok(13_000_000));
    assert_eq!(wh(&m, &[0, 0, 0]), Err(Decoded::Missing), "half a value is none");
    // Three groups of decimals, the last of a tenth of Wh: rounded once, after adding.
    let groups = vec![part(1, Number::Bcd16, "0.001"), part(2, Number::U16, "0.0001")];
    let m = Measure { plus: groups, ..measure(0, Number::Bcd16) };
    assert_eq!(wh(&m, &[0x0012, 0x0345, 5]), Ok(12_346));
    assert_eq!(wh(&m, &[0x0012, 0x0345, 4]), Ok(12_345));
    assert!(matches!(wh(&m, &[0x0012, 0x034A, 4]), Err(Decoded::NotANumber { bits: 0x034A })));
}

#[test]
fn tariffs_add_up_to_integers_and_a_missing_one_is_no_value() {
    let m =
        Measure { unit: Unit::WattHour, plus: vec![part(4, Number::F64, "1")], ..measure(0, Number::F64) };
    let words = |t1: f64, t2: f64| {
        let words = |n: f64| m.encoding.words(n.to_bits());
        [words(t1), words(t2)].concat()
    };
    assert_eq!(wh(&m, &words(7_345_250.4, 5_000_500.4)), Ok(12_345_750));
    assert_eq!(wh(&m, &words(0.0, 5.0)), Ok(5));
    assert!(matches!(wh(&m, &words(1.0, f64::NAN)), Err(Decoded::NotANumber { .. })));
    assert!(matches!(wh(&m, &words(1.0, 1e300)), Err(Decoded::Overflow { .. })));
    let mut with_sign = m.clone();
    with_sign.plus[0].sentinels = vec![5.0_f64.to_bits()];
    assert!(matches!(wh(&with_sign, &words(0.0, 5.0)), Err(Decoded::Sentinel { .. })));
}

#[test]
fn a_scale_register_multiplies_or_there_is_no_value() {
    let m = Measure { unit: Unit::WattHour, factors: vec![power_of_ten(16)], ..measure(8, Number::Acc32) };
    assert_eq!(m.span(), (8, 16));
    let words = |low: u16, power: i16| [&[0, low], &[0; 6][..], &[power as u16]].concat();
    assert_eq!(wh(&m, &words(123, 2)), Ok(12_300));
    assert_eq!(wh(&m, &words(123, 0)), Ok(123));
    assert_eq!(wh(&m, &words(125, -1)), Ok(13));
    assert_eq!(wh(&m, &words(0, 2)), Err(Decoded::Sentinel { bits: 0 }), "an accumulator of 0 is none");
    assert_eq!(wh(&m, &words(123, i16::MIN)), Err(Decoded::NoFactor { bits: 0x8000 }));
    assert_eq!(wh(&m, &words(123, 11)), Err(Decoded::NoFactor { bits: 11 }));
    assert_eq!(wh(&m, &words(123, 2)[..8]), Err(Decoded::Missing));
    assert_eq!((m.wraps_at(), m.resolution()), (None, None), "only the device knows them");
    assert_eq!(m.raw(&words(123, 2)), "0000 007b | 0002");
}

#[test]
fn a_multiplier_register_of_zero_is_no_factor() {
    let encoding = Encoding { number: Number::U16, order: WordOrder::Abcd };
    let rule = FactorRule::Number(Decimal::parse("0.1").unwrap());
    let ratio = Factor { register: at(2), encoding, rule, sentinels: vec![0xFFFF] };
    let m = Measure { factors: vec![ratio], ..measure(0, Number::U32) };
    assert_eq!(wh(&m, &[0, 5, 400]), Ok(200_000));
    for bits in [0, 0xFFFF] {
        assert_eq!(wh(&m, &[0, 5, bits]), Err(Decoded::NoFactor { bits: u64::from(bits) }));
    }
}

#[test]
fn a_unit_register_says_the_unit_and_an_unknown_code_is_no_value() {
    let code = |code, scale: &str, unit| UnitCode { code, scale: Decimal::parse(scale).unwrap(), unit };
    let codes = vec![
        code(2, "1", Unit::KilowattHour),
        code(3, "10", Unit::MegawattHour),
        code(8, "1", Unit::Gigajoule),
    ];
    let encoding = Encoding { number: Number::U16, order: WordOrder::Abcd };
    let unit_register = Some(UnitRegister { register: at(0), encoding, codes });
    let m = Measure { unit_register, ..measure(2, Number::U32) };
    assert_eq!(m.span(), (0, 3));
    assert_eq!(wh(&m, &[2, 0, 0, 9]), Ok(9_000));
    assert_eq!(wh(&m, &[3, 0, 0, 9]), Ok(90_000_000));
    assert_eq!(wh(&m, &[8, 0, 0, 9]), Ok(2_500_000));
    assert_eq!(wh(&m, &[4, 0, 0, 9]), Err(Decoded::UnknownUnit { code: 4 }));
}

#[test]
fn counters_wrap_where_their_type_or_their_file_says() {
    let tenths = Decimal::parse("0.1").unwrap();
    let wraps = |m: Measure| m.wraps_at();
    for (number, at) in [
        (Number::U16, Some(6_553_600)),
        (Number::U32, Some(429_496_729_600)),
        (Number::Bcd32, Some(10_000_000_000)),
        (Number::Mod10k64, Some(1_000_000_000_000_000_000)),
        (Number::U64, None),
        (Number::I32, None),
        (Number::F32, None),
    ] {
        assert_eq!(wraps(Measure { scale: tenths, ..measure(0, number) }), at, "{number:?}");
    }
    let modulus = Decimal::parse("999999.9").and_then(|d| d.plus(tenths));
    assert_eq!(wraps(Measure { modulus, ..measure(0, Number::F32) }), Some(1_000_000_000));
    let split = Measure { plus: vec![part(2, Number::U16, "1")], ..measure(0, Number::U32) };
    assert_eq!(wraps(split.clone()), None, "parts wrap one by one");
    assert_eq!(split.resolution(), Some(1000));
    assert_eq!(measure(0, Number::F64).resolution(), None);
}

/// Any measure: up to three parts, a factor and a unit register, wherever they lie.
fn any_measure() -> impl Strategy<Value = Measure> {
    let number = (0_usize..17, 0_usize..4)
        .prop_map(|(n, o)| Encoding { number: Number::ALL[n], order: WordOrder::ALL[o] });
    let numbers = proptest::collection::vec((0_u16..40, number, -3_i32..4), 1..4);
    let others = (any::<bool>(), any::<bool>(), any::<bool>(), 0_u16..40, 0_u16..40);
    (numbers, others).prop_map(|(numbers, (factor, unit, gauge, factor_at, unit_at))| {
        let (address, encoding, power) = numbers[0];
        let scale = |power| Decimal::power_of_ten(power).unwrap();
        let codes = vec![UnitCode { code: 1, scale: Decimal::ONE, unit: Unit::Gigajoule }];
        let code_encoding = Encoding { number: Number::U16, order: WordOrder::Abcd };
        let unit_register = UnitRegister { register: at(unit_at), encoding: code_encoding, codes };
        let mut m = Measure { encoding, scale: scale(power), ..measure(address, Number::U16) };
        if gauge {
            (m.channel.quantity, m.unit) = (Quantity::ActivePower, Unit::Kilowatt);
        } else {
            m.unit_register = unit.then_some(unit_register);
        }
        m.plus = numbers[1..]
            .iter()
            .map(|&(address, encoding, power)| Part {
                register: at(address),
                encoding,
                scale: scale(power),
                sentinels: vec![0],
            })
            .collect();
        m.factors = factor.then(|| power_of_ten(factor_at)).into_iter().collect();
        m
    })
}

proptest! {
    #[test]
    fn no_words_make_the_decoder_panic(m in any_measure(), words in proptest::collection::vec(any::<u16>(), 0..50)) {
        match m.decode(&words) {
            Decoded::Value(value) => prop_assert!(m.plausible.holds(value)),
            Decoded::Implausible(value, _) => prop_assert!(value.as_f64().is_finite()),
            _ => {}
        }
        let (first, last) = m.span();
        if words.len() <= usize::from(last - first) {
            prop_assert!(!matches!(m.decode(&words), Decoded::Value(_)), "a value of half its registers");
        }
        let pieces = m.raw(&words);
        prop_assert_eq!(pieces.split(" | ").count(), m.pieces().count());
    }

    #[test]
    fn every_piece_of_a_value_is_in_one_request(map in proptest::collection::vec(any_measure(), 1..20)) {
        let limits = Limits { registers_per_request: 50, widest_gap: 40, pause_ms: 0, timeout_ms: None };
        let blocks = crate::plan::plan(&map, limits);
        let mut seen = vec![0; map.len()];
        for block in &blocks {
            prop_assert!(block.count <= 50);
            for &i in &block.measures {
                seen[i] += 1;
                for (register, words) in map[i].pieces() {
                    let last = register.address + words - 1;
                    prop_assert!(block.address <= register.address && last <= block.last());
                }
            }
        }
        prop_assert!(seen.iter().all(|n| *n == 1));
    }
}
