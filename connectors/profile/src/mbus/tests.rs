//! Real telegrams with what others decode of them, and arbitrary bytes.
//!
//! The telegrams are published test data of libmbus (rscada/libmbus, test/test-frames), with the values that
//! project's own decoder gives.
//!
//! Must never: trust a value because this program produced it.

use model::Value;
use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap()).collect()
}

/// `kind function storage tariff subunit extensions value unit`, one a record.
fn told(frame: &[u8]) -> (Vec<String>, Rest) {
    let telegram = Telegram::parse(frame).unwrap();
    let (records, rest) = records(telegram.body);
    let line = |r: &Record| {
        let value = match r.number {
            RecordNumber::Integer(n) => Decimal::integer(n.into()).times(r.scale).unwrap().to_f64(),
            RecordNumber::Float(x) => f64::from(x) * r.scale.to_f64(),
            RecordNumber::Invalid(_) => f64::NAN,
        };
        let function = match r.function {
            RecordFunction::Instantaneous => "now",
            RecordFunction::Maximum => "max",
            RecordFunction::Minimum => "min",
            RecordFunction::Error => "error",
        };
        let extensions: String = r.extensions.iter().map(|b| format!("{b:02x}")).collect();
        let (storage, tariff, subunit) = (r.storage, r.tariff, r.subunit);
        format!("{} {function} {storage}/{tariff}/{subunit}/{extensions} {value} {}", r.kind.code(), r.unit)
    };
    (records.iter().map(line).collect(), rest)
}

const MULTICAL_601: &str = "68 F7 F7 68 08 11 72 17 58 85 06 2D 2C 08 04 04 00 00 00 0C 78 17 58 85 06 04 06 E7 91
    00 00 04 14 2C DB 00 00 04 22 D9 03 00 00 04 59 B9 27 00 00 04 5D 08 12 00 00 04 61 B1 15 00 00 04 2D 5B 01 00
    00 14 2D C0 01 00 00 04 3B 1F 02 00 00 14 3B 74 02 00 00 84 10 06 00 00 00 00 84 20 06 00 00 00 00 84 40 14 00
    00 00 00 84 80 40 14 00 00 00 00 84 C0 40 06 00 00 00 00 04 6D 1A 2F 65 11 44 06 51 82 00 00 44 14 B2 C3 00 00
    54 2D 26 02 00 00 54 3B 03 04 00 00 C4 10 06 00 00 00 00 C4 20 06 00 00 00 00 C4 40 14 00 00 00 00 C4 80 40 14
    00 00 00 00 C4 C0 40 06 00 00 00 00 42 6C 5F 1C 0F 00 00 00 00 E7 E4 00 00 63 66 00 00 00 00 00 00 00 00 00 00
    00 00 00 00 5B C9 A5 02 34 53 00 00 E0 B2 03 00 89 9C 68 00 00 00 00 00 01 00 01 07 07 09 01 03 00 00 00 00 00
    98 16";
const ULTRAHEAT_T230: &str = "68 E2 E2 68 08 00 72 05 02 66 66 A7 32 07 04 01 10 00 00 09 74 04 09 70 08 0C 06 00 00
    00 00 0C 14 00 00 00 00 0B 2D 00 00 00 0B 3B 00 00 00 0B 5A 95 01 00 0B 5E 97 01 00 0B 62 02 00 F0 0C 78 05 02
    66 66 89 10 71 07 3C 22 69 37 00 00 0C 22 69 37 00 00 0C 26 00 00 00 00 8C 90 10 06 00 00 00 00 9B 10 2D 00 00
    00 9B 10 3B 00 00 00 9B 10 5A 07 03 00 9B 10 5E 07 05 00 94 10 AD 6F 00 00 00 00 94 10 BB 6F 00 00 00 00 94 10
    DA 6F 32 14 7A 18 94 10 DE 6F 2B 0B 69 18 4C 06 00 00 00 00 4C 14 00 00 00 00 7C 22 69 34 00 00 4C 26 00 00 00
    00 CC 90 10 06 00 00 00 00 DB 10 2D 00 00 00 DB 10 3B 00 00 00 DB 10 5A 07 03 00 DB 10 5E 07 05 00 84 8F 0F 6D
    00 00 E1 F1 04 6D 04 0C 8D 11 0F 09 07 00 66 01 7D 16";
const SUPERCAL_531: &str = "68 51 51 68 08 01 72 24 06 42 08 EE 4D 0D 04 2C 30 00 00 04 0E 00 00 00 00 04 14 00 00 00
    00 05 5B 00 00 00 00 05 5F 00 00 00 00 05 3E 00 00 00 00 05 2B 00 00 00 00 C4 00 0E 00 00 00 00 C4 00 14 00 00 00
    00 C4 40 14 00 00 00 00 C4 80 40 14 00 00 00 00 1F 71 16";
const CF_ECHO_2: &str = "68 4D 4D 68 08 09 72 91 00 10 11 77 04 09 04 51 10 00 00 0C 78 91 00 10 11 04 06 00 00 00 00
    0C 14 00 00 00 00 3B 2D 99 99 99 3B 3B 99 99 99 0A 5A 05 02 0A 5E 06 02 0B 61 09 00 00 04 6D 1D 0D 98 11 02 27 81
    01 09 FD 0E 19 09 FD 0F 45 0F 20 00 E7 16";
const CYBLE_WATER: &str = "68 56 56 68 08 08 72 80 03 02 10 77 04 14 16 A1 00 00 00 0C 78 80 03 02 10 0D 7C 08 44 49
    20 2E 74 73 75 63 0A 20 20 20 20 20 20 20 20 20 20 04 6D 27 0F 79 1A 02 7C 09 65 6D 69 74 20 2E 74 61 62 D2 0F 04
    15 B7 11 00 00 04 95 7F 00 00 00 00 44 15 B7 11 00 00 0F 00 04 1F 0D 16";
const CMA10: &str = "68 53 53 68 08 0B 72 61 15 01 24 96 15 16 00 3F 00 00 00 01 FD 1B 02 02 FC 03 48 52 25 74 22 15
    22 FC 03 48 52 25 74 24 0D 12 FC 03 48 52 25 74 C3 1C 02 65 2E 08 22 65 5C 05 12 65 A2 0B 01 72 18 42 65 2C 08 82
    01 65 1F 08 0C 78 61 15 01 24 03 FD 0F 00 00 04 1F BD 16";
const POLLUSONIC_2: &str = "68 13 13 68 08 01 73 93 92 91 90 10 00 05 69 31 65 00 00 69 00 00 00 3F 16";

#[test]
fn a_heat_meter_says_its_totals_powers_and_temperatures() {
    let frame = bytes(MULTICAL_601);
    let telegram = Telegram::parse(&frame).unwrap();
    assert_eq!(telegram.identity.to_string(), "06855817 KAM version 8 medium 4");
    assert_eq!((telegram.address, telegram.access, telegram.status), (0x11, 4, Status(0)));
    let (lines, rest) = told(&frame);
    assert_eq!(rest, Rest::Complete);
    assert_eq!(
        lines,
        [
            "energy now 0/0/0/ 37351000 Wh",
            "volume now 0/0/0/ 561.08 m3",
            "flow_temperature now 0/0/0/ 101.69 °C",
            "return_temperature now 0/0/0/ 46.16 °C",
            "power now 0/0/0/ 34700 W",
            "power max 0/0/0/ 44800 W",
            "volume_flow now 0/0/0/ 0.543 m3/h",
            "volume_flow max 0/0/0/ 0.628 m3/h",
            "energy now 0/1/0/ 0 Wh",
            "energy now 0/2/0/ 0 Wh",
            "volume now 0/0/1/ 0 m3",
            "volume now 0/0/2/ 0 m3",
            "energy now 0/0/3/ 0 Wh",
            "energy now 1/0/0/ 33361000 Wh",
            "volume now 1/0/0/ 500.98 m3",
            "power max 1/0/0/ 55000 W",
            "volume_flow max 1/0/0/ 1.027 m3/h",
            "energy now 1/1/0/ 0 Wh",
            "energy now 1/2/0/ 0 Wh",
            "volume now 1/0/1/ 0 m3",
            "volume now 1/0/2/ 0 m3",
            "energy now 1/0/3/ 0 Wh",
        ]
    );
}

#[test]
fn tariffs_storages_and_the_makers_own_extensions_are_told_apart() {
    let (lines, rest) = told(&bytes(ULTRAHEAT_T230));
    assert_eq!(rest, Rest::Complete);
    assert_eq!(lines[4], "flow_temperature now 0/0/0/ 19.5 °C");
    assert_eq!(lines[5], "return_temperature now 0/0/0/ 19.7 °C");
    assert!(lines.contains(&"energy now 0/5/0/ 0 Wh".to_owned()), "{lines:?}");
    assert!(lines.contains(&"return_temperature max 0/1/0/ 50.7 °C".to_owned()), "{lines:?}");
    assert!(lines.contains(&"flow_temperature max 0/1/0/6f 41065374.6 °C".to_owned()), "{lines:?}");
    let (lines, _) = told(&bytes(CYBLE_WATER));
    assert_eq!(
        lines,
        ["volume now 0/0/0/ 453.5 m3", "volume now 0/0/0/7f 0 m3", "volume now 1/0/0/ 453.5 m3"]
    );
}

#[test]
fn joules_floats_and_a_further_telegram() {
    let (lines, rest) = told(&bytes(SUPERCAL_531));
    assert_eq!(rest, Rest::MoreFollow);
    assert_eq!(lines[0], "energy now 0/0/0/ 0 GJ");
    assert_eq!(lines[2], "flow_temperature now 0/0/0/ 0 °C");
    assert_eq!(lines.len(), 10);
    // 123 × 10^6 J, which no decimal in Wh says exactly: rounded once.
    let (found, _) = records(&[0x04, 0x0E, 0x7B, 0, 0, 0]);
    let measure = heat(0, 0);
    assert_eq!(measure.decode(&found[0]), Decoded::Value(Value::Total(34_167)));
}

#[test]
fn what_a_meter_marks_as_error_is_no_value() {
    let (lines, _) = told(&bytes(CF_ECHO_2));
    assert_eq!(lines[2], "power error 0/0/0/ 99999900 W");
    assert_eq!(lines[4], "flow_temperature now 0/0/0/ 20.5 °C");
    let sentinel = |body: &[u8]| {
        let (found, _) = records(body);
        assert!(matches!(heat(0, 0).decode(&found[0]), Decoded::Sentinel { .. }), "{found:?}");
    };
    // The function field, a record error code, digits that are none, the smallest integer.
    sentinel(&[0x34, 0x06, 1, 0, 0, 0]);
    sentinel(&[0x04, 0x86, 0x18, 1, 0, 0, 0]);
    sentinel(&[0x0C, 0x06, 0xBB, 0xBB, 0xBB, 0xBB]);
    sentinel(&[0x04, 0x06, 0, 0, 0, 0x80]);
    for (status, trouble) in [
        (0x00, None),
        (0x04, None),
        (0x01, Some("its application is busy")),
        (0x03, Some("an abnormal condition or alarm")),
        (0x0C, Some("a permanent error")),
        (0x30, Some("a temporary error")),
        (0xE0, None),
    ] {
        assert_eq!(Status(status).trouble().map(|t| t.to_string()).as_deref(), trouble, "{status:#x}");
    }
}

#[test]
fn a_plain_text_unit_in_front_of_its_extensions_moves_no_record() {
    let (lines, rest) = told(&bytes(CMA10));
    assert_eq!(rest, Rest::MoreFollow);
    assert_eq!(
        lines,
        [
            "external_temperature now 0/0/0/ 20.94 °C",
            "external_temperature min 0/0/0/ 13.72 °C",
            "external_temperature max 0/0/0/ 29.78 °C",
            "external_temperature now 1/0/0/ 20.92 °C",
            "external_temperature now 2/0/0/ 20.79 °C",
        ]
    );
}

#[test]
fn negative_numbers_of_every_width() {
    let value = |body: &[u8]| records(body).0[0].number;
    assert_eq!(value(&[0x01, 0x06, 0xFF]), RecordNumber::Integer(-1));
    assert_eq!(value(&[0x03, 0x06, 0xFE, 0xFF, 0xFF]), RecordNumber::Integer(-2));
    assert_eq!(value(&[0x06, 0x06, 0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]), RecordNumber::Integer(-3));
    assert_eq!(value(&[0x07, 0x06, 1, 0, 0, 0, 0, 0, 0x20, 0]), RecordNumber::Integer((1 << 53) + 1));
    assert_eq!(value(&[0x0B, 0x5A, 0x02, 0x00, 0xF0]), RecordNumber::Integer(-2));
}

#[test]
fn frames_that_are_not_whole_are_refused() {
    let frame = bytes(MULTICAL_601);
    assert!(matches!(Telegram::parse(&frame[..frame.len() - 1]), Err(TelegramError::Frame { .. })));
    for i in 4..frame.len() - 1 {
        let mut broken = frame.clone();
        broken[i] ^= 0x01;
        assert_eq!(Telegram::parse(&broken), Err(TelegramError::Checksum), "byte {i}");
    }
    assert_eq!(Telegram::parse(&bytes(POLLUSONIC_2)), Err(TelegramError::Fixed));
    let sealed = |f: &dyn Fn(&mut Vec<u8>)| {
        let mut broken = frame.clone();
        f(&mut broken);
        let (end, length) = (broken.len() - 2, broken.len());
        broken[end] = telegram::checksum(&broken[4..length - 2]);
        Telegram::parse(&broken).map(|_| ())
    };
    assert_eq!(sealed(&|f| f[18] = 0x05), Err(TelegramError::Encrypted { mode: 5 }));
    assert_eq!(sealed(&|f| f[18] = 0xFF), Ok(()));
    assert_eq!(sealed(&|f| f[6] = 0x70), Err(TelegramError::Application { code: 0x17 }));
    assert_eq!(sealed(&|f| f[6] = 0x78), Err(TelegramError::Structure { ci: 0x78 }));
    assert_eq!(sealed(&|f| f[4] = 0x53), Err(TelegramError::NotData { control: 0x53 }));
}

fn heat(tariff: u64, subunit: u64) -> RecordMeasure {
    RecordMeasure {
        channel: Channel::total(Quantity::HeatEnergy),
        key: RecordKey {
            kind: RecordKind::Energy,
            function: RecordFunction::Instantaneous,
            storage: 0,
            tariff,
            subunit,
            extensions: vec![],
        },
        plausible: Range { from: 0.0, to: 1e12 },
        required: true,
        step: 1,
    }
}

fn model(measures: Vec<RecordMeasure>) -> MBusModel {
    MBusModel { battery: true, telegrams: 1, measures, examples: vec![] }
}

#[test]
fn a_channel_takes_its_own_record_or_none() {
    let one = |body: &[u8]| model(vec![heat(0, 0)]).pick(&records(body).0).remove(0);
    let energy = |wh: i64| Decoded::Value(Value::Total(wh));
    // Kilowatt hours; the same of tariff 1; forward flow only; then 7 kWh again; at last another total.
    let (own, tariff, forward) = ([0x02, 0x06, 7, 0], [0x82, 0x10, 0x06, 9, 0], [0x02, 0x86, 0x3B, 9, 0]);
    assert_eq!(one(&own).decoded, energy(7_000));
    assert_eq!(one(&[&tariff[..], &forward, &own].concat()).decoded, energy(7_000));
    assert_eq!(one(&[&tariff[..], &forward].concat()).decoded, Decoded::Missing);
    assert_eq!(one(&[&own[..], &own].concat()).decoded, energy(7_000));
    let two = one(&[&own[..], &[0x02, 0x06, 8, 0]].concat());
    assert_eq!((two.decoded, two.ambiguous), (Decoded::Missing, true));
    // What is in error beside what is not: no choice is made.
    assert!(one(&[&own[..], &[0x32, 0x06, 8, 0]].concat()).ambiguous);
    let optional = RecordMeasure { required: false, ..heat(3, 0) };
    assert!(model(vec![optional]).pick(&records(&own).0).is_empty());
}

#[test]
fn a_file_that_cannot_work_is_refused() {
    let volume = RecordMeasure { channel: Channel::total(Quantity::WaterVolume), ..heat(0, 0) };
    let other = RecordMeasure { channel: Channel::total(Quantity::CoolingEnergy), ..heat(0, 0) };
    assert_eq!(model(vec![]).check(), Err(MBusModelError::Empty));
    assert!(matches!(model(vec![volume]).check(), Err(MBusModelError::Kind { .. })));
    assert!(matches!(model(vec![heat(0, 0), heat(1, 0)]).check(), Err(MBusModelError::Twice { .. })));
    assert!(matches!(model(vec![heat(0, 0), other]).check(), Err(MBusModelError::SameRecord { .. })));
    let none = MBusModel { telegrams: 0, ..model(vec![heat(0, 0)]) };
    assert_eq!(none.check(), Err(MBusModelError::Telegrams { given: 0 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Any bytes: an answer, never a panic, and never more records than bytes can hold.
    #[test]
    fn arbitrary_bodies_are_read_or_left(body in proptest::collection::vec(any::<u8>(), 0..252)) {
        let (found, rest) = records(&body);
        prop_assert!(found.len() * 2 <= body.len());
        if let Rest::Unreadable { at } = rest {
            prop_assert!(at < body.len());
        }
        prop_assert!(model(vec![heat(0, 0)]).pick(&found).len() == 1);
    }

    /// Bodies made of likely headers reach the deeper branches.
    #[test]
    fn bodies_of_likely_records_are_read_or_left(
        parts in proptest::collection::vec(
            (any::<u8>(), prop_oneof![Just(0x06_u8), Just(0x14), Just(0xFD), Just(0xFB), Just(0xFC), Just(0xFF), any::<u8>()],
             proptest::collection::vec(any::<u8>(), 0..12)), 0..16)
    ) {
        let body: Vec<u8> = parts.into_iter().flat_map(|(dif, vif, rest)| [vec![dif, vif], rest].concat()).collect();
        let (found, _) = records(&body);
        prop_assert!(model(vec![heat(0, 0)]).pick(&found).len() == 1);
    }

    #[test]
    fn arbitrary_frames_are_refused(frame in proptest::collection::vec(any::<u8>(), 0..262)) {
        // The checksum alone makes a whole telegram among random bytes less likely than one in a million.
        prop_assert!(Telegram::parse(&frame).is_err());
    }

    /// Every integer that a record of four bytes can hold comes out as it is.
    #[test]
    fn integers_are_exact(number in (i32::MIN + 1)..=i32::MAX) {
        let body = [&[0x04, 0x06][..], &number.to_le_bytes()].concat();
        prop_assert_eq!(records(&body).0[0].number, RecordNumber::Integer(i64::from(number)));
    }
}
