//! Sparkplug B bytes made by hand: births, aliases, late values, and bytes that are no payload.
//!
//! Must never: use the decoder to make what it decodes.

use std::collections::BTreeMap;

use model::{Instant, Quality, Quantity, Unit, Value};

use super::*;
use crate::payload::{Form, PayloadModel};
use crate::registers::Range;

const NOW: u64 = 1_748_772_000_000;

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        out.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return out;
        }
    }
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn payload(seq: u64, metrics: &[Vec<u8>]) -> Vec<u8> {
    let metrics: Vec<u8> = metrics.iter().flat_map(|metric| bytes(2, metric)).collect();
    [number(1, NOW), metrics, number(3, seq)].concat()
}

fn meter() -> SparkplugMeter {
    let field = |path: &str, quantity, unit| Field {
        channel: Channel::total(quantity),
        topic: String::new(),
        path: path.to_owned(),
        unit,
        scale: Decimal::ONE,
        plausible: Range { from: 0.0, to: 1e9 },
        required: false,
    };
    let model = PayloadModel {
        form: Form::SparkplugB,
        topic: String::new(),
        bytes_max: 4_096,
        time: None,
        ignores_unrelated: false,
        must_be_zero: vec![],
        settings: BTreeMap::from([("device".to_owned(), String::new())]),
        needs: vec!["group".into(), "node".into()],
        availability: None,
        records: None,
        fields: vec![
            field("energy", Quantity::ActiveEnergyImport, Unit::KilowattHour),
            field("power", Quantity::ActivePower, Unit::Watt),
        ],
        examples: vec![],
    };
    let given = [("group", "g"), ("node", "n"), ("device", "d")];
    let given = given.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    model.bind(&given).unwrap().sparkplug.unwrap()
}

fn when() -> When {
    When::arriving(Instant::from_millis(NOW as i64 + 50))
}

fn birth() -> Vec<u8> {
    let energy = [bytes(1, b"energy"), number(2, 7), number(4, 8), number(11, 12_345)].concat();
    // Int32, minus five, the way most encoders write it.
    let power = [bytes(1, b"power"), number(2, 8), number(4, 3), number(10, 0xFFFF_FFFB)].concat();
    payload(0, &[energy, power])
}

#[test]
fn a_birth_teaches_aliases_and_data_use_them_at_their_own_time() {
    let birth = birth();
    let born = Payload::parse(&birth).unwrap();
    assert_eq!((born.seq, born.metrics.len()), (Some(0), 2));
    let taught = Birth::of(&born).unwrap();
    let meter = meter();
    let first = meter.read(&born, Some(&taught), when()).unwrap();
    assert_eq!(first[0].values[0].1, Decoded::Value(Value::Total(12_345_000)));
    assert!(matches!(first[0].values[1].1, Decoded::Implausible(Value::Gauge(v), _) if v == -5.0));
    // An hour late, by alias, without datatype; a null; and a metric that nobody wants.
    let late = [number(2, 7), number(3, NOW - 3_600_000), number(5, 1), number(11, 12_344)].concat();
    let null = [number(2, 8), number(7, 1)].concat();
    let other = [bytes(1, b"door"), number(4, 11), number(14, 1)].concat();
    let data = payload(1, &[late, null, other]);
    let data = Payload::parse(&data).unwrap();
    let read = meter.read(&data, Some(&taught), when()).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].observed_at, Instant::from_millis(NOW as i64 - 3_600_000));
    assert_eq!(
        (read[0].quality, read[0].values[0].1),
        (Quality::Good, Decoded::Value(Value::Total(12_344_000)))
    );
    assert_eq!(read[1].values, [(Channel::total(Quantity::ActivePower), Decoded::Missing)]);
    let without = meter.read(&data, None, when());
    assert_eq!(without, Err(PayloadError::UnknownAlias { alias: 7 }));
}

#[test]
fn signs_follow_the_datatype_and_are_never_guessed() {
    for (bits, datatype, expected) in [
        (0xFF_u64, Some(1), Some(-1)),
        (0xFFFF_FFFF, Some(1), Some(-1)),
        (0x8000, Some(2), Some(-32_768)),
        (0xFFFF_FFFF, Some(3), Some(-1)),
        (u64::MAX, Some(4), Some(-1)),
        (0xFFFF_FFFF, Some(7), Some(4_294_967_295)),
        (u64::MAX, Some(8), Some(18_446_744_073_709_551_615)),
        (1, None, None),
        (1, Some(12), None),
    ] {
        assert_eq!(integer(bits, datatype), expected, "{bits:#x} as {datatype:?}");
    }
    let untold = |field: u64, bits: u64| {
        let metric = [bytes(1, b"energy"), number(field, bits)].concat();
        let data = payload(1, &[metric]);
        meter().read(&Payload::parse(&data).unwrap(), None, when()).is_ok()
    };
    for (bits, same_in_every_datatype) in [
        (127, true),
        (128, false),
        (255, false),
        (256, true),
        (0x7FFF, true),
        (0x8000, false),
        (0xFFFF, false),
        (0x1_0000, true),
        (0x7FFF_FFFF, true),
        (0x8000_0000, false),
    ] {
        assert_eq!(untold(10, bits), same_in_every_datatype, "{bits:#x}");
    }
    assert!(untold(11, 1 << 40) && !untold(11, 1 << 63));
}

#[test]
fn floats_and_what_is_no_number() {
    let value = |content: Vec<u8>| {
        let metric = [bytes(1, b"energy"), content].concat();
        let data = payload(1, &[metric]);
        let payload = Payload::parse(&data).unwrap();
        meter().read(&payload, None, when()).map(|read| read[0].values[0].1)
    };
    let float = |v: f32| [varint(12 << 3 | 5), v.to_le_bytes().to_vec()].concat();
    let double = |v: f64| [varint(13 << 3 | 1), v.to_le_bytes().to_vec()].concat();
    assert_eq!(value(float(12_345.6)), Ok(Decoded::Value(Value::Total(12_345_600))));
    assert_eq!(value(double(0.125)), Ok(Decoded::Value(Value::Total(125))));
    assert!(matches!(value(double(f64::NAN)), Ok(Decoded::NotANumber { .. })));
    assert!(matches!(value(double(1e300)), Ok(Decoded::Overflow { .. })));
    assert!(matches!(value(number(14, 1)), Err(PayloadError::NotANumber { .. })));
    assert!(matches!(value(bytes(15, b"12")), Err(PayloadError::NotANumber { .. })));
}

#[test]
fn bytes_that_are_no_payload_say_where() {
    for (bad, says) in [
        (vec![0x08], "it ends within a number at byte 1"),
        (vec![0x12, 5, 1], "it ends within a field at byte 2"),
        (vec![0x0B], "a field of an unknown kind at byte 1"),
        (vec![0x00, 0x00], "a field without a number at byte 2"),
        (
            vec![0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02],
            "a number of more than 64 bits at byte 11",
        ),
        (bytes(1, b"x"), "a field of the wrong kind at byte 3"),
        (bytes(2, &bytes(1, &[0xFF])), "a name that is no text at byte 4"),
        (bytes(2, &[number(10, 1), number(11, 1)].concat()), "a metric with two values at byte 6"),
    ] {
        assert_eq!(Payload::parse(&bad).unwrap_err().to_string(), says, "{bad:x?}");
    }
    let many: Vec<u8> = (0..=METRICS_MAX).flat_map(|_| bytes(2, &[])).collect();
    assert_eq!(Payload::parse(&many).unwrap_err().what, "too many metrics");
    let twice = [[bytes(1, b"a"), number(2, 1)].concat(), [bytes(1, b"b"), number(2, 1)].concat()];
    let twice = payload(0, &twice);
    assert_eq!(Birth::of(&Payload::parse(&twice).unwrap()), Err(PayloadError::AliasTwice { alias: 1 }));
}

#[test]
fn a_request_for_births_is_that_command_alone() {
    let metric = [
        bytes(1, b"Node Control/Rebirth"),
        number(3, NOW),
        number(4, 11), // Boolean
        number(14, 1),
    ]
    .concat();
    // No sequence number: a command has none.
    let wanted = [number(1, NOW), bytes(2, &metric)].concat();
    assert_eq!(rebirth_request(Instant::from_millis(i64::try_from(NOW).unwrap())), wanted);
    let before = rebirth_request(Instant::from_millis(-1));
    assert_eq!(Payload::parse(&before).unwrap().timestamp, Some(0));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..128)) {
        if let Ok(payload) = Payload::parse(&bytes) {
            let birth = Birth::of(&payload).ok();
            let read = meter().read(&payload, birth.as_ref(), when());
            proptest::prop_assert!(read.is_err() || payload.metrics.len() <= METRICS_MAX);
        }
    }

    #[test]
    fn damage_to_a_payload_does_not_make_it_panic(at in 0..60_usize, to in proptest::num::u8::ANY) {
        let mut bytes = birth();
        let at = at % bytes.len();
        bytes[at] = to;
        if let Ok(payload) = Payload::parse(&bytes) {
            let read = meter().read(&payload, None, when());
            proptest::prop_assert!(read.is_err() || payload.metrics.len() <= 2);
        }
    }
}
